"""Two models continue the same text: which of them wrote which continuation?"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import ref

import numpy as np

from llmviz.experiments.learning import write_tokens
from llmviz.experiments.text_statistics import surprise_of
from llmviz.views.differences.pretraining import Pretraining, in_a_line
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.state_fields import line, seed
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, job, parts, sentences, shared

# For each part that shows how well a model predicts a text: the indices of the text and of the model.
READINGS = {"first_by_a": (0, 0), "first_by_b": (0, 1), "second_by_a": (1, 0), "second_by_b": (1, 1)}


class Authorship(GuessFirst):
    """Two trained models continue one text. The reader guesses who wrote which continuation; then both read both."""

    experiment, options = "write", ("the first text", "the second text")
    arrangement = (
        *(("start", "seed", "write", "progress"), "refusal", "message", "card"),
        *(*READINGS, "findings"),
    )

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """How both texts begin, and the seed of all draws."""

        start: str = line("The", "Both go on from", "min(460px, 98%)", live=True)
        seed: int = seed(3)  # With seed 1, the recipe model would write what page 07 shows above the card.

    def __init__(self, training: Pretraining, other: Pretraining, **state):
        self.other = other
        super().__init__(training, **state)

    def follow(self, source: Pretraining, show: Callable[[Any], None]) -> None:
        """Follow both trainings: the run is the pair of theirs."""

        def both(_change=None) -> None:
            show((source.trace, self.other.trace))

        self.run = source.trace, self.other.trace
        both()
        for training in (source, self.other):
            self.watch(training, both, "trace")

    def inputs(self) -> Hashable:
        return tuple(run and ref(run) for run in self.run)

    def question(self, scene: Scene) -> str:
        if scene.result("write") is None:
            return ""
        return f"Model A learned from {scene.run[0].source}. Which text did it write?"

    def answer(self, scene: Scene) -> int:
        return [who for who, _ in scene.outcome].index(0)

    def explanation(self, scene: Scene) -> str:
        by_writer = [
            who == np.argmin([surprise for *_, surprise in models])
            for (who, _), models in zip(scene.outcome, scene.readings)
        ]
        if all(by_writer):
            return "Here, each text surprises its own writer less. So surprise can be a clue to the writer."
        return "Here, a text surprises its own writer no less than it surprises the other model."

    def problem(self, scene: Scene) -> str:
        if not all(scene.run):
            return "Train both models first."
        return "" if scene.start else "Type how both texts begin."

    def before_a_page(self) -> None:
        self.parts["write"].click()  # By now both models are trained.

    @job("start", "seed", start="Let both write", when=lambda view, scene: not view.problem(scene))
    def write(self, scene: Scene) -> Iterator[tuple[float, list | None]]:
        """Let both write; the result is (writer, text) for both texts, in an order that the seed fixes as well."""
        texts = []
        for who in np.random.default_rng(scene.seed).permutation(2).tolist():
            yield len(texts) / 2, None
            model = scene.run[who].model
            texts.append((who, model.tokenizer.decode(write_tokens(model, scene.start, scene.seed))))
        yield 1.0, texts

    @sentences
    def message(self, scene: Scene) -> list[str]:
        steps = [
            f"Model {name} has had {run.last.step} of its {run.steps} steps."
            for name, run in zip("AB", scene.run)
            if run and not run.finished
        ]
        written = scene.result("write")
        if written is None and not self.problem(scene):
            steps.append("When both have written, you guess who wrote which text.")
        texts = zip(("First", "Second"), written or ())
        return [*steps, *(f"{which} text: {in_a_line(text)}" for which, (_, text) in texts)]

    @shared
    def readings(self, scene: Scene) -> list[list[tuple[list[int], np.ndarray, float]]]:
        """Return for each text and each model its tokens, their surprise [n - 1], and the mean in bits per byte."""

        def read(model, text):
            # The writer reads the text as its tokenizer splits it, too: it may have drawn other tokens.
            tokens = model.tokenizer.encode(text)[: model.config.n_ctx]
            return tokens, *surprise_of(model, tokens)

        return [[read(run.model, text) for run in scene.run] for _, text in scene.outcome]

    @parts(dict.fromkeys(READINGS, ""), TokenStrip, [], quantity="probability")
    def strip(self, scene: Scene, name: str) -> dict:
        text, reader = READINGS[name]
        (tokens, bits, _), run = scene.readings[text][reader], scene.run[reader]
        return {
            "pieces": run.model.tokenizer.pieces(tokens),
            "weights": np.concatenate([[np.nan], 2.0**-bits]),
            "notes": ["the first token", *(f"{surprise:.1f} bits" for surprise in bits)],
            "caption": f"{('First', 'Second')[text]} text, read by model {'AB'[reader]} ({run.source}). "
            "Stronger colour: more expected",
        }

    @sentences
    def findings(self, scene: Scene) -> list[str]:
        surprises = [[surprise for *_, surprise in models] for models in scene.readings]
        return [
            f"{which} text: {a:.2f} bits per byte for model A, {b:.2f} for model B. Model {'AB'[who]} wrote it."
            for which, (a, b), (who, _) in zip(("First", "Second"), surprises, scene.outcome)
        ]
