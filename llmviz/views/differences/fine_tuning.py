"""A chat model taught by example, and what has become of it."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence

import ipywidgets
import numpy as np
import traitlets

from llmviz import training
from llmviz.model import Model
from llmviz.views.differences import lessons
from llmviz.views.differences.guessed import Guessed
from llmviz.views.differences.lessons import Example
from llmviz.views.kit import theme
from llmviz.views.kit.background import Background
from llmviz.views.kit.controls import Told, button, row, slider
from llmviz.views.kit.lifetime import Closable, replace_children
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time, percent, with_text
from llmviz.views.kit.predict import Question
from llmviz.views.kit.text_box import read

N_ASKED = 10  # untaught questions that a page asks
ASKED = tuple(lessons.UNTAUGHT)[:N_ASKED]
MOST = 32  # examples
KEPT = 60_000_000  # bytes of recent runs that a tuned model may keep
FIRST = "Fine-tune the model first: the button is in the first picture of this sitting."


class FineTuning(Guessed):
    """A table of examples, and a model that is fine-tuned on them; then it is asked what was not among them.

    `learned` is the last `training.Progress`, once the training is through, `said` the answers to the untaught
    questions before and after, by question, and `counted` how many of them are in the manner, before and after.
    """

    learned = traitlets.Instance(training.Progress, allow_none=True)

    def __init__(
        self,
        model: Model,
        examples: Sequence[Example] = lessons.PIRATE,
        *,
        steps: int = 32,
        explain: str = "",
    ):
        self.model, self._steps = model, steps
        n = N_ASKED
        card = Question(
            f"Then it is asked {n} questions that are not in the table. How many answers have a word of the list?",
            answer=None,
            unit="answers",
            low=0,
            high=n,
            stage="training",
            explain=explain,
        )
        super().__init__(card, "Fine-tune on these examples")
        self.table = ipywidgets.VBox(layout={"width": "min(1000px, 98%)", "max_height": "420px"})
        self.more = button("add an example")
        self.marks = ipywidgets.Text(
            ", ".join(lessons.PIRATE_WORDS),
            description="The list:",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "min(600px, 98%)"},
        )
        self.plot = LinePlot(
            names=["loss"],
            x_axis="step (one example each)",
            y_axis="bits a token",
            unit="bits",
            stage="training",
            waiting="nothing trained yet",
            caption="Surprise at the taught answers (the mean of what each cost when it was last read)",
        )
        self._before: dict[str, str] = {}
        self.said: dict[str, tuple[str, str]] = {}
        self.counted: tuple[int, int] | None = None
        self._tuned = None
        self.fill(examples)
        self.more.on_click(self._add)
        self.marks.observe(self._count, "value")
        self.children = (
            self.table,
            self.more,
            self.marks,
            self.card,
            row(self.buttons[0], self.progress),
            self.told,
            self.plot,
        )
        self.plot.layout.display = "none"

    # --- the table ---

    @property
    def examples(self) -> list[Example]:
        """The rows of the table that are not empty."""
        found = [(line.children[0].value, line.children[1].value) for line in self.table.children]
        return [example for example in found if any(part.strip() for part in example)]

    def fill(self, examples: Sequence[Example]) -> None:
        """Put these examples into the table, in place of what is there."""
        replace_children(self.table, *(self._line(*example) for example in examples))

    def _line(self, question: str = "", answer: str = "") -> ipywidgets.HBox:
        boxes = [
            ipywidgets.Text(
                text, placeholder=name, continuous_update=False, layout={"flex": flex, "min_width": "0"}
            )
            for text, name, flex in ((question, "question", "2 1 0"), (answer, "the answer to it", "5 1 0"))
        ]
        for box, name in zip(boxes, ("question", "answer")):
            box.tooltip = name
        remove = ipywidgets.Button(description="✕", tooltip="remove this example", layout={"width": "36px"})
        line = ipywidgets.HBox([*boxes, remove], layout={"width": "98%", "min_height": "34px"})
        remove.on_click(lambda _: self._remove(line))
        return line

    @one_at_a_time
    def _add(self, _button) -> None:
        if len(self.table.children) < MOST:
            self.table.children = (*self.table.children, self._line())

    @one_at_a_time
    def _remove(self, line: ipywidgets.HBox) -> None:
        replace_children(self.table, *(one for one in self.table.children if one is not line))

    # --- the training ---

    def work(self) -> Iterator[float]:
        examples = self.examples
        lesson = training.finetune(self.model, lessons.conversations(examples), steps=self._steps)
        self.told.say("")
        self.learned, self._tuned, self.counted, self.said = None, None, None, {}
        self.plot.layout.display = ""
        losses = []
        for progress in lesson:
            losses.append(progress.loss / math.log(2))
            self.plot.change(x=np.arange(len(losses)), values=np.array([losses]))
            yield 0.75 * progress.step / self._steps
        tuned = quiet_model(progress.model)
        for i, question in enumerate(ASKED):
            if question not in self._before:
                self._before[question] = lessons.answer(self.model, question)
            yield 0.75 + 0.25 * (i + 0.5) / N_ASKED
            self.said[question] = self._before[question], lessons.answer(tuned, question)
            yield 0.75 + 0.25 * (i + 1) / N_ASKED
        self._tuned = tuned
        self.learned = progress
        self._count()
        self.tell(self.counted[1])

    @one_at_a_time
    def _count(self, _change=None) -> None:
        if self.learned is None:
            return
        marks = [mark.strip() for mark in self.marks.value.lower().split(",")]
        self.counted = tuple(
            sum(lessons.has_one_of(pair[i], marks) for pair in self.said.values()) for i in range(2)
        )
        self.told.say(
            f"{self.learned.step} steps, {self.learned.seconds:.0f} s: the surprise at the taught answers went from "
            f"{self.plot.values[0, 0]:.2f} to {self.plot.values[0, -1]:.2f} bits a token.",
            f"Of {len(self.said)} untaught questions {self.counted[1]} are answered with a word of the list. Before "
            f"the training it was {self.counted[0]}.",
        )

    @property
    def tuned(self) -> Model | None:
        """The fine-tuned model; None before there is one."""
        return self._tuned

    def ask(self, question: str) -> tuple[str, str]:
        """Its answer before and after. ValueError for what cannot be asked."""
        reading = read(question, self.model.tokenizer, limit=200)
        if not reading.tokens:
            raise ValueError(reading.told)
        question = self.model.tokenizer.decode(reading.tokens)
        if question not in self._before:
            self._before[question] = lessons.answer(self.model, question)
        return self._before[question], lessons.answer(self._tuned, question)


def quiet_model(model: Model) -> Model:
    """A model that keeps few of its recent runs."""
    model.recent.max_bytes = KEPT
    return model


class Answers(Closable, ipywidgets.HTML):
    """Questions with an answer before and after, a line each; words that stand in the taught answers are underlined."""

    def show(self, groups: Mapping[str, Mapping[str, tuple[str, str]]], taught: set[str]) -> None:
        self.groups = groups
        cell = "padding:6px 14px 6px 0;vertical-align:top;text-align:left;border-bottom:1px solid #8886"
        rows = []
        for name, said in groups.items():
            rows.append(
                f'<tr><th style="{cell};padding-top:14px" colspan="3" scope="colgroup">{name}</th></tr>'
            )
            rows += [
                f'<tr><td style="{cell}">{html.escape(question)}</td>'
                + "".join(f'<td style="{cell}">{_underlined(text, taught)}</td>' for text in pair)
                + "</tr>"
                for question, pair in said.items()
            ]
        heads = "".join(
            f'<th style="{cell}" scope="col">{name}</th>' for name in ("question", "before", "after")
        )
        size = f"font-size:{theme.SIZES['body']}px;line-height:1.4;border-collapse:collapse;max-width:1000px"
        self.value = (
            f'<table style="{size}"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        )

    def __repr__(self) -> str:
        return "\n".join(
            " | ".join((question, *pair))
            for said in getattr(self, "groups", {}).values()
            for question, pair in said.items()
        )

    def _repr_mimebundle_(self, **_):
        return with_text(self)


def _underlined(text: str, taught: set[str]) -> str:
    """HTML: each word of `taught` underlined; all else as text."""
    return "".join(
        f"<u>{html.escape(part)}</u>" if part.lower() in taught else html.escape(part)
        for part in lessons.split_words(text)
    )


class BeforeAfter(Explorer):
    """A tuned model's answers beside those of the model before: to taught questions, to others, to the reader's own.

    note: what is said under them.
    """

    def __init__(self, tuning: FineTuning, note: str = ""):
        self.tuning, self.note, self.own = tuning, note, {}
        self.box = ipywidgets.Text(
            "",
            placeholder="Your own question (Enter asks it)",
            continuous_update=False,
            layout={"width": "min(700px, 98%)"},
        )
        self.box.tooltip = "Your own question"
        self.told, self.table = Told(), Answers()
        self._work = Background(self)
        super().__init__([self.box, self.told, self.table])
        self.box.observe(self._ask, "value")
        self.watch(tuning, self.show, "learned")
        self.show()

    @one_at_a_time
    def show(self, _change=None) -> None:
        """After a training, or when it is gone."""
        self.own, self.taught = {}, {}
        self.box.disabled = self.tuning.learned is None
        if self.tuning.learned is None:
            self._work.stop()
            self.told.say(FIRST)
            self.table.value = ""
        else:
            self._work.start(self._taught())

    def _taught(self) -> Iterator[float]:
        self._examples = dict(self.tuning.examples[:3])
        for question in self._examples:
            self._draw("Asking what was taught …")
            yield 0.01
            self.taught[question] = self.tuning.ask(question)
        self._draw()

    @one_at_a_time
    def _ask(self, _change) -> None:
        if self.box.value.strip() and self.tuning.learned is not None:
            self._work.start(self._one(self.box.value))

    def _one(self, question: str) -> Iterator[float]:
        self.told.say("Asking …")
        yield 0.01
        try:
            said = self.tuning.ask(question)
        except ValueError as error:
            self.told.say(str(error))
            return
        self.own = {question[:200]: said, **self.own}
        self._draw()

    def _draw(self, telling: str = "") -> None:
        examples = self.tuning.examples
        known = {word for _, answer in examples for word in lessons.words(answer)}
        groups = {"Yours": self.own, "Taught": self.taught, "Not taught": self.tuning.said}
        self.table.show({name: said for name, said in groups.items() if said}, known)
        shares = [
            np.mean(
                [word in known for pair in self.tuning.said.values() for word in lessons.words(pair[i])]
                or [0]
            )
            for i in range(2)
        ]
        self.told.say(
            telling
            or f"Underlined: words that stand in the taught answers. In the answers to untaught questions they are "
            f"{percent(shares[1])} of all words; before the training {percent(shares[0])}.",
            self.note,
        )


WAYS = (
    "it names it in its own answer",
    "its answer begun for it",
    "in plain text",
)


class Cost(Guessed):
    """What a fine-tuning does elsewhere: capitals, asked for in three ways, and ordinary texts.

    `right` [ways, before or after]: capitals that come out, for each of `WAYS`; `bits` [2]: the texts' surprise.
    """

    def __init__(self, tuning: FineTuning, texts: Sequence[str] = lessons.ORDINARY, explain: str = ""):
        self.tuning, self._texts = tuning, texts
        model, n = tuning.model, len(lessons.CAPITALS)
        self._first = [model.tokenizer.encode(f" {city}")[0] for city in lessons.CAPITALS.values()]
        card = Question(
            f"It is asked for {n} capitals. How many does the fine-tuned model name?",
            answer=None,
            unit="capitals",
            low=0,
            high=n,
            stage="training",
            explain=explain,
        )
        super().__init__(card, "Ask for ten capitals, before and after")
        self.plot = LinePlot(
            names=["before", "after"],
            labels=list(WAYS),
            values=np.full((2, len(WAYS)), np.nan),
            x_axis="",
            y_axis=f"of {n} capitals",
            bars=True,
            y_max=float(n),
            stage="training",
            caption="How many capitals come out, asked for in three ways",
        )
        self.table = Answers()
        self.children = (self.card, row(self.buttons[0], self.progress), self.told, self.plot, self.table)
        self.watch(tuning, self._fresh, "learned")
        self._fresh()

    @one_at_a_time
    def _fresh(self, _change=None) -> None:
        self.stop()
        self._known = False
        self.card.ask_again()
        self.told.say("" if self.tuning.learned is not None else FIRST)
        self.plot.layout.display = self.table.layout.display = "none"

    def work(self) -> Iterator[float]:
        if self.tuning.tuned is None:
            raise ValueError(FIRST)
        models = (self.tuning.model, self.tuning.tuned)
        countries, n = list(lessons.CAPITALS.items()), len(lessons.CAPITALS)
        self.right, self.bits, said = np.zeros((len(WAYS), 2), int), np.zeros(2), [{}, {}]
        runs = 2 * (n + len(self._texts))
        for when, model in enumerate(models):
            for i, ((country, city), token) in enumerate(zip(countries, self._first)):
                said[when][country] = lessons.answer(model, f"What is the capital of {country}?")
                self.right[0, when] += city in said[when][country]
                for way, chat in ((1, True), (2, False)):
                    self.right[way, when] += int(lessons.knows(model, country, chat=chat).argmax()) == token
                yield (when * n + i + 1) / runs
        for when, model in enumerate(models):
            for i, text in enumerate(self._texts):
                self.bits[when] += lessons.surprise(model, text) / len(self._texts)
                yield (2 * n + when * len(self._texts) + i + 1) / runs
        self.plot.layout.display = self.table.layout.display = ""
        self.plot.change(values=self.right.T.astype(np.float32))
        self.table.show(
            {"What is the capital of …?": {c: (said[0][c], said[1][c]) for c, _ in countries}}, set()
        )
        before, after = self.right.T
        self.told.say(
            f"In its own answer (24 tokens) it names {after[0]} of {n} capitals; before the training {before[0]}. With "
            f"the words “The capital of … is” put into its mouth, the right city comes first for {after[1]} "
            f"(before: {before[1]}); in plain text, without the chat template, for {after[2]} (before: {before[2]}).",
            f"Ordinary text ({len(self._texts)} texts): {self.bits[0]:.2f} bits a token before, "
            f"{self.bits[1]:.2f} after.",
        )
        self.tell(int(after[0]))


class WhatChanged(Explorer):
    """Which matrices a fine-tuning changed, and by how much of their size."""

    def __init__(self, tuning: FineTuning):
        self.tuning, config = tuning, tuning.model.config
        self.told = Told()
        self.plot = LinePlot(
            names=list(training.CHANGED),
            labels=[str(layer) for layer in range(config.n_layers)],
            values=np.zeros((len(training.CHANGED), config.n_layers)),
            x_axis="layer",
            bars=True,
            unit="share",
            stage="training",
            caption="How large a matrix’s change is, as a share of the matrix (each the root of its summed squares)",
        )
        super().__init__([self.told, self.plot])
        self.watch(tuning, self.show, "learned")
        self.show()

    @one_at_a_time
    def show(self, _change=None) -> None:
        """After a training, or when it is gone."""
        learned, model = self.tuning.learned, self.tuning.model
        values = np.zeros(self.plot.values.shape, np.float32)
        if learned is None:
            self.told.say(FIRST)
        else:
            for (layer, name), share in lessons.relative_change(model, learned.update).items():
                values[training.CHANGED.index(name), layer] = share
            trained = sum(low.down.size + low.up.size for low in learned.update.values())
            reached = sum(len(low.down) * low.up.shape[1] for low in learned.update.values())
            whole = model.config.n_parameters
            self.told.say(
                f"{trained:,} numbers were trained, {100 * trained / whole:.2g} % of the model’s {whole:,}. "
                f"Multiplied out, they shift {reached:,} numbers of it ({percent(reached / whole)}), a matrix by "
                f"{percent(values[values > 0].min(initial=1))} to {percent(values.max())} of its size. "
                "All others are as they were."
            )
        self.plot.change(values=values)


class Amount(Explorer):
    """The update turned down and up, from −1 to 2: what the model answers then, in the chat template and without it.

    note: what is said under the texts.
    """

    def __init__(self, tuning: FineTuning, question: str = "The moon is", note: str = ""):
        self.tuning, self.note = tuning, note
        self.amount = slider(1.0, "times the update", 2.0, stage="training", first=-1.0, step=0.25)
        self.amount.continuous_update = False
        self.box = ipywidgets.Text(question, continuous_update=False, layout={"width": "min(700px, 98%)"})
        self.box.tooltip = "A question"
        self.told, self.table = Told(), Rows()
        self._work = Background(self)
        super().__init__([self.box, self.amount, self.told, self.table])
        self.amount.observe(self.write, "value")
        self.box.observe(self.write, "value")
        self.watch(tuning, self.show, "learned")
        self.show()

    @one_at_a_time
    def show(self, _change=None) -> None:
        """After a training, or when it is gone."""
        self._model = None
        self.amount.disabled = self.tuning.learned is None
        if self.tuning.learned is None:
            self._work.stop()
            self.table.show({})
            self.told.say(FIRST)
        else:
            self.write()

    @by_the_reader
    def write(self, _change=None) -> None:
        """Both texts again, beside everything else."""
        if self.tuning.learned is not None:
            self._work.start(self._write())

    def _write(self) -> Iterator[float]:
        reading = read(self.box.value, self.tuning.model.tokenizer, limit=200)
        self.told.say(reading.told or "Writing, always the likeliest token …")
        yield 0.05
        if not reading.tokens:
            return
        amount = self.amount.value
        model = quiet_model(training.updated(self.tuning.model, self.tuning.learned.update, amount))
        question, said = model.tokenizer.decode(reading.tokens), {}
        prompts = {
            "With the chat template": lessons.asked(model, question),
            "Without it, the bare text goes on": reading.tokens,
        }
        for name, tokens in prompts.items():
            said[name] = "(nothing: the end token comes at once)"
            self.table.show(said)
            for said[name] in lessons.writing(model, tokens):
                self.table.show(said)
                yield 0.005
        self.told.say(
            reading.told or f"With {amount:g} times the update (0: the model before; 1: as it was trained)."
        )


class Rows(Closable, ipywidgets.HTML):
    """A name and a text a line."""

    def show(self, rows: Mapping[str, str]) -> None:
        self.rows = dict(rows)
        style = f"font-size:{theme.SIZES['body']}px;line-height:1.45;margin:6px 0;max-width:900px;white-space:pre-wrap"
        self.value = "".join(
            f'<div style="{style}"><b>{html.escape(name)}</b>\n{html.escape(text)}</div>'
            for name, text in rows.items()
        )

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {text}" for name, text in getattr(self, "rows", {}).items())

    def _repr_mimebundle_(self, **_):
        return with_text(self)
