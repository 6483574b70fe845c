"""A chat model taught by example, and what has become of it."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence

import ipywidgets
import numpy as np
import traitlets

from llmviz import training
from llmviz.experiments import asked, fine_tuning, mean_surprise
from llmviz.experiments.fine_tuning import Example
from llmviz.model import Model
from llmviz.views.differences.guessed import Guessed, as_sentence
from llmviz.views.kit import theme
from llmviz.views.kit.background import Background
from llmviz.views.kit.controls import Told, button, row, slider
from llmviz.views.kit.lifetime import Closable, replace_children
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time, with_text
from llmviz.views.kit.predict import Question
from llmviz.views.kit.text_box import read

N_ASKED = 10  # untaught questions that a page asks
ASKED = tuple(fine_tuning.UNTAUGHT)[:N_ASKED]
MOST = 32  # examples
KEPT = 60_000_000  # bytes of recent runs that a tuned model may keep
NOTHING = "(nothing: the end token comes at once)"
FIRST = "Fine-tune the model first: the button is in the first picture of this part."


class FineTuning(Guessed):
    """A table of examples, and a model that is fine-tuned on them; then it is asked what was not among them.

    `learned` is the last `training.Progress`, once the training is through, `taught` what it was trained on, `said` the
    answers to the untaught questions before and after, by question, and `counted` how many of them are in the manner,
    before and after.
    """

    examples = traitlets.List()  # the rows of the table that are not empty
    learned = traitlets.Instance(training.Progress, allow_none=True)

    def __init__(
        self,
        model: Model,
        examples: Sequence[Example] = fine_tuning.PIRATE,
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
            whole=True,
            stage="training",
            explain=explain,
        )
        super().__init__(card, "Fine-tune on these examples")
        self.table = ipywidgets.VBox(layout={"width": "min(1000px, 98%)", "max_height": "420px"})
        self.more = button("add an example")
        self.marks = ipywidgets.Text(
            ", ".join(fine_tuning.PIRATE_WORDS),
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
            caption="Surprise at the training answers (latest value for each, averaged)",
        )
        self._before: dict[str, str] = {}
        self.taught: list[Example] = []
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

    def fill(self, examples: Sequence[Example]) -> None:
        """Put these examples into the table, in place of what is there."""
        replace_children(self.table, *(self._line(*example) for example in examples))
        self._changed()

    @one_at_a_time
    def _changed(self, _change=None) -> None:
        found = [(line.children[0].value, line.children[1].value) for line in self.table.children]
        self.examples = [example for example in found if any(part.strip() for part in example)]
        if self.examples != self.taught:
            self.ask_anew()

    def _line(self, question: str = "", answer: str = "") -> ipywidgets.HBox:
        boxes = [
            ipywidgets.Text(
                text, placeholder=name, continuous_update=False, layout={"flex": flex, "min_width": "0"}
            )
            for text, name, flex in (
                (question, "question", "2 1 100px"),
                (answer, "the answer to it", "5 1 250px"),
            )
        ]
        for box, name in zip(boxes, ("question", "answer")):
            box.tooltip = name
            box.observe(self._changed, "value")
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
        self._changed()

    # --- the training ---

    def listed(self) -> list[str]:
        """The words and phrases of the list. ValueError if there is none."""
        marks = [mark for mark in self.marks.value.split(",") if fine_tuning.lower_words(mark)]
        if not marks:
            raise ValueError("the list has no word: put one in that only the new manner has")
        return marks

    def work(self) -> Iterator[float]:
        examples = list(self.examples)
        self.listed()
        lesson = training.finetune(self.model, fine_tuning.conversations(examples), steps=self._steps)
        self.clear()
        self.taught, self.plot.layout.display = examples, ""
        losses = []
        for progress in lesson:
            losses.append(progress.loss / math.log(2))
            self.plot.change(x=np.arange(len(losses)), values=np.array([losses]))
            yield 0.75 * progress.step / self._steps
        tuned = quiet_model(progress.model)
        for i, question in enumerate(ASKED):
            if question not in self._before:
                self._before[question] = fine_tuning.answer_text(self.model, question)
            yield 0.75 + 0.25 * (i + 0.5) / N_ASKED
            self.said[question] = self._before[question], fine_tuning.answer_text(tuned, question)
            yield 0.75 + 0.25 * (i + 1) / N_ASKED
        self._tuned = tuned
        self.learned = progress
        self._count()

    def clear(self) -> None:
        self.learned, self._tuned, self.counted, self.said, self.taught = None, None, None, {}, []
        self.plot.layout.display = "none"
        self.told.say()

    @one_at_a_time
    def _count(self, _change=None) -> None:
        if self.learned is None:
            return
        learned = (
            f"{self.learned.step} steps, {self.learned.seconds:.0f} s: the surprise at the taught answers went from "
            f"{self.plot.values[0, 0]:.2f} to {self.plot.values[0, -1]:.2f} bits a token."
        )
        try:
            marks = self.listed()
        except ValueError as error:
            self.counted = None
            self.ask_anew()
            self.told.say(learned, as_sentence(error))
            return
        self.counted = tuple(
            sum(fine_tuning.has_one_of(pair[i], marks) for pair in self.said.values()) for i in range(2)
        )
        self.told.say(
            learned,
            f"Of {len(self.said)} untaught questions {self.counted[1]} are answered with a word of the list. Before "
            f"the training it was {self.counted[0]}.",
        )
        if self.examples == self.taught:
            self.tell(self.counted[1])

    @property
    def tuned(self) -> Model | None:
        """The fine-tuned model; None before there is one."""
        return self._tuned

    def ask(self, question: str) -> tuple[str, str]:
        """Its answer before and after."""
        if question not in self._before:
            self._before[question] = fine_tuning.answer_text(self.model, question)
        return self._before[question], fine_tuning.answer_text(self._tuned, question)


def quiet_model(model: Model) -> Model:
    """A model that keeps few of its recent runs."""
    model.recent.max_bytes = KEPT
    return model


class Answers(Closable, ipywidgets.HTML):
    """Questions with what is said to each, a line each. Where a third text stands, the words of the second that it
    does not have are underlined."""

    def show(
        self,
        groups: Mapping[str, Mapping[str, Sequence[str]]],
        columns: Sequence[str] = ("before", "after"),
    ) -> None:
        self.groups = groups
        cell = (
            "padding:6px 14px 6px 0;vertical-align:top;text-align:left;border-bottom:1px solid #8886;"
            "overflow-wrap:anywhere"
        )
        rows = []
        for name, said in groups.items():
            style, wide = f"{cell};padding-top:14px", len(columns) + 1
            rows.append(f'<tr><th style="{style}" colspan="{wide}" scope="colgroup">{name}</th></tr>')
            rows += [
                f'<tr><td style="{cell}">{html.escape(question)}</td>'
                + "".join(f'<td style="{cell}">{text}</td>' for text in _marked(*texts))
                + "</tr>"
                for question, texts in said.items()
            ]
        heads = "".join(f'<th style="{cell}" scope="col">{name}</th>' for name in ("question", *columns))
        size = (
            f"font-size:{theme.SIZES['body']}px;line-height:1.4;border-collapse:collapse;table-layout:fixed;"
            "width:min(1000px, 98%)"
        )
        self.value = (
            f'<table style="{size}"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        )

    def __repr__(self) -> str:
        return "\n".join(
            " | ".join((question, *texts))
            for said in getattr(self, "groups", {}).values()
            for question, texts in said.items()
        )

    def _repr_mimebundle_(self, **_):
        return with_text(self)


def _marked(before: str, after: str, taught: str = "", changed: str = "") -> Iterator[str]:
    """HTML: in the text after, each word that the taught one does not have is underlined; all else as text."""
    new = set(fine_tuning.lower_words(after) if taught else ()) - set(fine_tuning.lower_words(taught))
    yield html.escape(before)
    yield "".join(
        f"<u>{html.escape(part)}</u>" if part.lower() in new else html.escape(part)
        for part in fine_tuning.words_and_gaps(after)
    )
    if taught:
        yield html.escape(f"{taught} {changed}")


class BeforeAfter(Explorer):
    """A tuned model's answers, each beside that of the model before and beside the nearest taught answer: to taught
    questions, to others, to the reader's own.

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
        self.told, self.table, self.found = Told(), Answers(), Told()
        self._work = Background(self)
        super().__init__([self.box, self.told, self.table, self.found])
        self.box.observe(self._ask, "value")
        self.watch(tuning, self.show, "learned")
        self.show()

    @one_at_a_time
    def show(self, _change=None) -> None:
        """After a training, or when it is gone."""
        self.own, self.asked = {}, {}
        self.box.disabled = self.tuning.learned is None
        if self.tuning.learned is None:
            self._work.stop()
            self.told.say(FIRST)
            self.found.say()
            self.table.value = ""
        else:
            self._work.start(self._taught())

    def _taught(self) -> Iterator[float]:
        for question in dict(self.tuning.taught[:3]):
            self._draw("Asking what was taught …")
            yield 0.01
            self.asked[question] = self.tuning.ask(question)
        self._draw()

    @one_at_a_time
    def _ask(self, _change) -> None:
        if self.box.value.strip() and self.tuning.learned is not None:
            self._work.start(self._one(self.box.value))

    def _one(self, question: str) -> Iterator[float]:
        tokenizer = self.tuning.model.tokenizer
        reading = read(question, tokenizer, limit=200)
        self.told.say(reading.told or "Asking …")
        yield 0.01
        if reading.tokens:
            question = tokenizer.decode(reading.tokens)
            short = question if len(question) <= 80 else f"{question[:80]} …"
            self.own = {short: self.tuning.ask(question), **self.own}
            self._draw(reading.told)

    def _draw(self, telling: str = "") -> None:
        answers = [answer for _, answer in self.tuning.taught]
        groups = {}
        for name, said in (("Yours", self.own), ("Taught", self.asked), ("Not taught", self.tuning.said)):
            lines = {}
            for question, (before, after) in said.items():
                nearest, n = fine_tuning.nearest_text(after, answers)
                lines[question] = before or NOTHING, after or NOTHING, nearest, f"({n} changed)"
            if lines:
                groups[name] = lines
        self.table.show(groups, ("before", "after", "nearest taught answer (words to change)"))
        near = [fine_tuning.is_nearly(after, answers) for _, after in self.tuning.said.values()]
        self.told.say(telling)
        self.found.say(
            f"Nearly a taught answer (at most a quarter of its words changed): {sum(near)} of the {len(near)} answers "
            "to untaught questions. Underlined: words that the nearest taught answer does not have.",
            self.note,
        )


WAYS = ("in its own answer", "begun your way", "begun the old way", "in plain text")


class Cost(Guessed):
    """What a fine-tuning does elsewhere: to ordinary texts, and to capitals, asked for in four ways.

    begun: how an answer in the new manner begins, "…" standing for the country.
    `bits` [texts, before or after]: the texts' surprise; `right` [ways, before or after]: capitals that come out, for
    each of `WAYS`.
    """

    def __init__(
        self,
        tuning: FineTuning,
        texts: Mapping[str, str] = fine_tuning.ORDINARY,
        begun: str = "Arr, that be",
        explain: str = "",
    ):
        self.tuning, self._texts = tuning, dict(texts)
        model, n = tuning.model, len(fine_tuning.CAPITALS)
        self._first = [model.tokenizer.encode(f" {city}")[0] for city in fine_tuning.CAPITALS.values()]
        self._bits = [mean_surprise(model.trace(text)) for text in self._texts.values()]
        card = Question(
            f"{', '.join(self._texts).capitalize()}, with nothing of the new manner in them: before the training they "
            f"surprise the model by {np.mean(self._bits):.2f} bits a token. And after it?",
            answer=None,
            unit="bits a token",
            low=0,
            high=12,
            stage="training",
            explain=explain,
        )
        super().__init__(card, "Measure before and after")
        self.begun = ipywidgets.Text(
            begun,
            description="Begun your way (… would be the country):",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "min(600px, 98%)"},
        )
        self.ordinary = LinePlot(
            names=["before", "after"],
            labels=list(self._texts),
            values=np.full((2, len(self._texts)), np.nan),
            x_axis="",
            y_axis="bits a token",
            bars=True,
            unit="bits",
            stage="training",
            caption="Surprise at ordinary text",
        )
        self.plot = LinePlot(
            names=["before", "after"],
            labels=list(WAYS),
            values=np.full((2, len(WAYS)), np.nan),
            x_axis="",
            y_axis=f"of {n} capitals",
            bars=True,
            y_max=float(n),
            stage="training",
            caption="How many capitals come out, asked for in four ways",
        )
        self.table = Answers()
        self._shown = (self.ordinary, self.plot, self.table)
        self.children = (self.card, self.begun, row(self.buttons[0], self.progress), self.told, *self._shown)
        self.watch(tuning, self._fresh, "learned")
        self._fresh()

    @one_at_a_time
    def _fresh(self, _change=None) -> None:
        self.stop()
        self._known = False
        self.card.ask_again()
        self.clear()
        self.told.say("" if self.tuning.learned is not None else FIRST)

    def clear(self) -> None:
        self.told.say()
        for one in self._shown:
            one.layout.display = "none"

    def work(self) -> Iterator[float]:
        if self.tuning.tuned is None:
            raise ValueError(FIRST)
        begun = self.begun.value
        self.clear()
        models = (self.tuning.model, self.tuning.tuned)
        countries, n = list(fine_tuning.CAPITALS.items()), len(fine_tuning.CAPITALS)
        self.right, self.bits = np.zeros((len(WAYS), 2), int), np.zeros((len(self._texts), 2))
        said, runs = [{}, {}], 2 * (n + len(self._texts))
        for when, model in enumerate(models):
            for i, text in enumerate(self._texts.values()):
                self.bits[i, when] = mean_surprise(model.trace(text))
                yield (when * len(self._texts) + i + 1) / runs
        for when, model in enumerate(models):
            for i, ((country, city), token) in enumerate(zip(countries, self._first)):
                said[when][country] = fine_tuning.answer_text(model, f"What is the capital of {country}?")
                found = (
                    fine_tuning.knows(model, country, chat=True, said=begun),
                    fine_tuning.knows(model, country, chat=True),
                    fine_tuning.knows(model, country, chat=False),
                )
                named = city in said[when][country], *(one.argmax() == token for one in found)
                self.right[:, when] += np.array(named, int)
                yield (2 * len(self._texts) + when * n + i + 1) / runs
        for one in self._shown:
            one.layout.display = ""
        self.ordinary.change(values=self.bits.T.astype(np.float32))
        self.plot.change(values=self.right.T.astype(np.float32))
        self.table.show(
            {
                "What is the capital of …?": {
                    c: (said[0][c] or NOTHING, said[1][c] or NOTHING) for c, _ in countries
                }
            }
        )
        before, after = self.bits.mean(axis=0)
        told = [f"{one} of {n} (before: {other})" for other, one in self.right]
        self.told.say(
            f"Ordinary text: {before:.2f} bits a token before, {after:.2f} after.",
            f"In its own answer (24 tokens) it names {told[0]} capitals. With the words “{begun}” put into its mouth, "
            f"the right city is the likeliest for {told[1]}, with “The capital of … is” for {told[2]}; in plain text, "
            f"without the chat template, for {told[3]}.",
        )
        self.tell(after)


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
            for (layer, name), share in fine_tuning.relative_update(model, learned.update).items():
                values[training.CHANGED.index(name), layer] = share
            trained = sum(low.down.size + low.up.size for low in learned.update.values())
            reached = sum(len(low.down) * low.up.shape[1] for low in learned.update.values())
            whole = model.config.n_parameters
            self.told.say(
                f"{trained:,} parameters were trained, {percent(trained / whole)} of the model’s {whole:,}. "
                f"Multiplied out, they shift {reached:,} of these ({percent(reached / whole)}), a matrix by "
                f"{percent(values[values > 0].min(initial=1))} to {percent(values.max())} of its size. "
                "All others are unchanged."
            )
        self.plot.change(values=values)


class Amount(Explorer):
    """The update turned down and up, from −1 to 2: what the model answers then, in the chat template and without it."""

    def __init__(self, tuning: FineTuning, question: str = "The moon is"):
        self.tuning = tuning
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
            "With the chat template": asked(model, question),
            "Without it, the bare text goes on": reading.tokens,
        }
        for name, tokens in prompts.items():
            said[name] = NOTHING
            self.table.show(said)
            for said[name] in fine_tuning.writing(model, tokens):
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
