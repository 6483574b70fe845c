"""What a fine-tuning has done: to the answers, and to other texts."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import chain
from weakref import ref

import traitlets

from llmviz import training
from llmviz.experiments import asked, fine_tuning
from llmviz.experiments.fine_tuned import Costs, FineTuned, Lesson, costs, quiet_model
from llmviz.experiments.fine_tuning import ORDINARY
from llmviz.views.differences.table import Table
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.state_fields import line, number, replace
from llmviz.views.kit.text_box import Reading, read
from llmviz.views.kit.view import NothingToShow, Scene, View, job, part, sentences, shared

NOTHING = "(nothing: the end token comes at once)"
FIRST = "Fine-tune the model first: press “Fine-tune on these examples”, near the top of this page."
WIDTH = "min(700px, 98%)"
LIMIT = 200  # tokens of a question
BARS: dict = {"names": ["before", "after"], "x_axis": "", "bars": True}
BITS = "surprise (bits per token)"
WAYS = ("in its own answer", "begun the new way", "begun the old way", "in plain text")
CAPITALS = "Capitals found, asked for in four ways. In the last three, each is the likeliest next token."


class AfterTuning(View):
    """A view of a table's last fine-tuning; before there is one, it shows only a message that says so."""

    stage = "training"

    def inputs(self) -> Hashable:
        return self.run.tuned and ref(self.run.tuned)

    @shared
    def tuned(self, scene: Scene) -> FineTuned:
        if scene.run.tuned is None:
            raise NothingToShow(fine_tuning.why_not(scene.run.model) or FIRST)
        return scene.run.tuned

    @shared
    def reading(self, scene: Scene) -> Reading:
        """Return the part of the reader's question that can be read."""
        return read(scene.question, scene.run.model.tokenizer, limit=LIMIT)


class BeforeAfter(AfterTuning):
    """Answers before and after fine-tuning to taught questions, to others and to the reader's own; after each, the
    nearest taught answer.

    `trace` is the `Lesson`, with the answers to the reader's own question.
    """

    trace = traitlets.Instance(Lesson, allow_none=True)

    @dataclass(frozen=True)
    class State:
        """The reader's own question."""

        question: str = line("", "Your own question (Enter asks it)", WIDTH)

    def needs(self, state: State) -> tuple[str, ...]:
        return ("taught", "own") if self.run.tuned else ()

    @job()
    def taught(self, scene: Scene) -> Iterator[tuple[float, dict]]:
        answers = {}
        for question, _ in scene.tuned.examples[:3]:
            answers |= scene.tuned.ask(question)
            yield len(answers) / 3, dict(answers)

    @job("question")
    def own(self, scene: Scene) -> Iterator[tuple[float, dict]]:
        if tokens := scene.reading.tokens:
            text = scene.run.model.tokenizer.decode_prompt(tokens)
            yield 1.0, {text if len(text) <= 80 else f"{text[:80]} …": scene.tuned.ask(text)[text]}

    def hand_on(self, scene: Scene) -> None:
        self.trace = replace(self.run, own=scene.result("own") or {})

    @sentences
    def message(self, scene: Scene) -> list[str]:
        return [scene.reading.message if scene.tuned and scene.question else ""]

    @part(Table, "question", "before", "after", "nearest taught answer (words to change)")
    def table(self, scene: Scene) -> dict:
        taught = [answer for _, answer in scene.tuned.examples]

        def row(question: str, before: str, after: str) -> tuple[str, ...]:
            nearest, n = fine_tuning.nearest_text(after, taught)
            return question, before or NOTHING, after or NOTHING, f"{nearest} ({n})"

        sections = {
            "Yours": scene.result("own") or {},
            "Taught": scene.result("taught") or {},
            "Not taught": scene.tuned.answers,
        }
        return {
            "sections": {
                title: [row(question, *both) for question, both in answers.items()]
                for title, answers in sections.items()
                if answers
            }
        }

    @sentences
    def findings(self, scene: Scene) -> list[str]:
        if scene.run.tuned is None:
            return []
        taught, untaught = [answer for _, answer in scene.tuned.examples], scene.tuned.answers.items()
        near = sum(fine_tuning.is_nearly(after, taught) for _, (_, after) in untaught)
        about = sum(fine_tuning.is_about(after, question) for question, (_, after) in untaught)
        answers, n = [after for _, (_, after) in untaught], len(untaught)
        ends = {
            how: fine_tuning.keeping_word(answers, taught, at)
            for how, at in (("Beginning", 0), ("Ending", -1))
        }
        return [
            "Copies (at most a quarter of a taught answer's words changed): "
            f"{near} of {n} answers to untaught questions.",
            *(
                f"{how} with “{word}”, as every taught answer does: {n_with_it} of {n}."
                for how, (word, n_with_it) in ends.items()
                if word
            ),
            f"Naming what they are asked about: {about} of {n}.",
        ]


class Cost(AfterTuning, GuessFirst):
    """What a fine-tuning does to other things: ordinary texts, and capitals, asked for in four ways."""

    experiment, high, whole = "measure", len(fine_tuning.CAPITALS), True

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """How an answer in the new style begins, "…" standing for the country."""

        begun: str = line(
            "Arr, that be", "Begin the answer with (… stands for the country):", "min(600px, 98%)"
        )

    def question(self, scene: Scene) -> str:
        if fine_tuning.why_not(scene.run.model):
            return ""
        return (
            f"You ask the fine-tuned model for the capitals of {len(fine_tuning.CAPITALS)} countries. How many of its "
            "answers name the right city?"
        )

    def answer(self, scene: Scene) -> int:
        return int(scene.outcome.right[1, 0])

    def problem(self, scene: Scene) -> str:
        return "" if scene.run.tuned else fine_tuning.why_not(scene.run.model) or FIRST

    begin = starts("Measure before and after")

    @job("begun")
    def measure(self, scene: Scene) -> Iterator[tuple[float, Costs | None]]:
        return costs(scene.run.tuned, [*ORDINARY.values()], scene.begun)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        (before, after), n = scene.outcome.bits.mean(axis=1), len(fine_tuning.CAPITALS)
        right = [f"{now} (before: {then})" for then, now in zip(*scene.outcome.right)]
        return [
            f"Of {n} capitals, its own answers (24 tokens) name {right[0]}. If the answer begins with "
            f"“{scene.begun}”, the right city is the likeliest next token for {right[1]}; with “The capital of … is”, "
            f"for {right[2]}; in plain text, for {right[3]}.",
            self.beginnings(scene),
            f"Ordinary text: {before:.2f} bits per token before, {after:.2f} after.",
        ]

    def beginnings(self, scene: Scene) -> str:
        """Say whether the answers that begin the new way are those that miss the city; empty if all do, or none."""
        right: dict[bool, list[bool]] = {True: [], False: []}
        for country, (_, after) in scene.outcome.answers.items():
            begins = after.startswith(scene.begun.replace("…", country))
            right[begins].append(fine_tuning.CAPITALS[country] in after)
        if not all(right.values()):
            return ""
        return (
            f"Of its own answers, {len(right[True])} begin with “{scene.begun}”; the right city is in "
            f"{sum(right[True])} of those, and in {sum(right[False])} of the other {len(right[False])}."
        )

    @part(LinePlot, **BARS, labels=WAYS, caption=CAPITALS)
    def capitals(self, scene: Scene) -> dict:
        n = len(fine_tuning.CAPITALS)
        return {"values": scene.outcome.right, "y_axis": f"of {n} capitals", "y_max": float(n)}

    @part(Table, "What is the capital of …?", "before", "after")
    def table(self, scene: Scene) -> dict:
        answers = scene.outcome.answers.items()
        rows = [(country, *(answer or NOTHING for answer in both)) for country, both in answers]
        return {"sections": {"": rows}}

    @part(LinePlot, **BARS, y_axis=BITS, unit="bits", caption="Surprise at ordinary text")
    def ordinary(self, scene: Scene) -> dict:
        return {"labels": [*ORDINARY], "values": scene.outcome.bits}


class Amount(AfterTuning):
    """The update added from −1 to 2 times: what the model then writes, with the chat template and without it."""

    @dataclass(frozen=True)
    class State:
        """The question, and how many times the update is added."""

        question: str = line("The moon is", "A question, or a text to continue", WIDTH)
        amount: float = number(1.0, "amount of the update", 2.0, first=-1.0, step=0.25)

    def at_any_price(self) -> Iterator[State]:
        """Yield the model before, half of the update, twice, and the opposite."""
        return (replace(self.state, amount=amount) for amount in (0.0, 0.5, 2.0, -1.0))

    def needs(self, state: State) -> str | None:
        return "write" if self.run.tuned else None

    @job("question", "amount")
    def write(self, scene: Scene) -> Iterator[tuple[float, dict[str, str]]]:
        """Let the model write two texts, always with the likeliest token."""
        tokens, update = scene.reading.tokens, scene.tuned.progress.update
        if not tokens:
            return
        model = quiet_model(training.updated(scene.run.model, update, scene.amount))
        prompts = {
            "With the chat template": asked(model, model.tokenizer.decode_prompt(tokens)),
            "Without the chat template": tokens,
        }
        texts = {}
        for name, prompt in prompts.items():
            for written in chain([NOTHING], fine_tuning.writing(model, prompt)):
                texts[name] = written
                yield 0.0, dict(texts)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if scene.tuned and scene.status("write") != "done":
            return [scene.reading.message or "Writing, always the likeliest token …"]
        usual = f"With {scene.amount:g} times the update (0: the model before; 1: as it was trained)."
        return [scene.reading.message or usual]

    @part(Table, "prompt", "what it writes")
    def table(self, scene: Scene) -> dict:
        return {"sections": {"": [*scene.known("write").items()]}}
