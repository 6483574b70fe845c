"""A chat model taught by example: the table of examples, and the training."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets

from llmviz.experiments import fine_tuning
from llmviz.experiments.fine_tuned import N_ASKED, FineTuned, Lesson, fine_tune
from llmviz.experiments.fine_tuning import Example
from llmviz.model import Model
from llmviz.views.differences.example_table import MOST, ExampleTable
from llmviz.views.differences.one_training import TRAINED_WITHIN, OneTraining
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import as_sentence
from llmviz.views.kit.state_fields import line, picked, replace
from llmviz.views.kit.view import Scene, job, part, sentences, shared
from llmviz.where import where


class FineTuning(OneTraining, GuessFirst):
    """A table of examples, and a model that is fine-tuned on them and then asked questions that are not among them.

    `trace` is the `Lesson` in the table, with the last fine-tuning.
    """

    experiment, high, whole = "train", N_ASKED, True
    arrangement = ("examples", "words", "card", ("begin", "progress"), "refusal", "message", "curve")
    trace = traitlets.Instance(Lesson, allow_none=True)

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The rows of the table, and the words that are counted."""

        examples: tuple[Example, ...] = picked(
            fine_tuning.PIRATE,
            lambda examples, _: _is_table(examples),
            f"at most {MOST} pairs of texts",
            control=lambda examples, _: ExampleTable(examples),
            outlives_text=True,
        )
        words: str = line(
            ", ".join(fine_tuning.PIRATE_WORDS), "Words that show the style:", "min(600px, 98%)"
        )

    def __init__(
        self, model: Model, examples: Sequence[Example] = fine_tuning.PIRATE, *, steps: int = 32, **options
    ):
        self.steps = steps
        super().__init__(model, examples=tuple(map(tuple, examples)), **options)

    def inputs(self) -> Hashable:
        return super().inputs(), self.steps

    def before_a_page(self) -> None:
        """Do the training, so that views which follow it have something to show."""
        if not fine_tuning.why_not(self.run):
            self.do_job("train", self.state, TRAINED_WITHIN)
            self.catch_up()

    @shared
    def lesson(self, scene: Scene) -> Lesson:
        words = tuple(word for word in scene.words.split(",") if fine_tuning.lower_words(word))
        return Lesson(scene.run, scene.examples, words)

    def question(self, scene: Scene) -> str:
        if fine_tuning.why_not(scene.run):
            return ""
        return (
            f"After fine-tuning, you ask {len(scene.lesson.questions)} questions that are not in the table. How many "
            "answers contain a word from the list?"
        )

    def answer(self, scene: Scene) -> int:
        return scene.counts[1]

    def problem(self, scene: Scene) -> str:
        return as_sentence(problem) if (problem := scene.lesson.problem) else ""

    def hand_on(self, scene: Scene) -> None:
        before = self.trace.tuned if self.trace else None
        tuned = scene.result("train") if scene.status("train") == "done" else before
        # For a page, the training is done before the reader has guessed what comes of it.
        is_secret = where() == "page" and not scene.committed
        self.trace = replace(scene.lesson, tuned=None if is_secret else tuned)

    begin = starts("Fine-tune on these examples")

    @job("examples")
    def train(self, scene: Scene) -> Iterator[tuple[float, FineTuned]]:
        return fine_tune(scene.run, scene.lesson.examples, scene.lesson.questions, steps=self.steps)

    @shared
    def counts(self, scene: Scene) -> list[int]:
        """Return how many untaught questions are answered with a word of the list, before and after."""
        return [*map(scene.lesson.n_with_a_word, zip(*scene.outcome.answers.values()))]

    @sentences
    def message(self, scene: Scene) -> list[str]:
        progress, losses = scene.outcome.progress, scene.outcome.losses
        before, after = scene.counts
        return [
            f"{progress.step} steps, {progress.seconds:.0f} s: the surprise at the taught answers went from "
            f"{losses[0]:.2f} to {losses[-1]:.2f} bits per token (measured when each was last read).",
            f"Of {len(scene.outcome.answers)} answers to untaught questions, {after} contain a word from the list "
            f"(before the training: {before}).",
        ]

    @part(
        LinePlot,
        names=["surprise"],
        x_axis="step (one example each)",
        y_axis="surprise (bits per token)",
        unit="bits",
        caption="Surprise at the taught answers (latest value for each, averaged)",
    )
    def curve(self, scene: Scene) -> dict:
        losses = scene.so_far.losses
        return {"x": np.arange(len(losses)), "values": np.array([losses])}


def _is_table(examples: Any) -> bool:
    return (
        isinstance(examples, tuple)
        and len(examples) <= MOST
        and all(isinstance(row, tuple) and [*map(type, row)] == [str, str] for row in examples)
    )
