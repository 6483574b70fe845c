"""A fact followed through the model: step by step, at every depth, and for ten countries."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.experiments import Pair, patch_residual
from llmviz.experiments.facts import CAPITALS, HALF, capital_pairs, rank_of_answer, why_no_fact
from llmviz.model import Model
from llmviz.views.attention.what_a_head_says import WhatAHeadSays
from llmviz.views.ffn.fact import NO_FACT, Fact, Step, measured, named, steps, subjects, twin
from llmviz.views.ffn.fact_map import FactMap
from llmviz.views.ffn.who_writes import layers
from llmviz.views.kit.background import Experiment
from llmviz.views.kit.controls import Told, row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.predict import Question

MEANING = {
    "carries": "swapped, it brings more than half of the twin's answer: it carries which of the two",
    "needed": "swapped, it brings less than half; off, over half of the answer is lost, but not with its control off",
    "unclear": "swapped, it brings less than half; off, over half of the answer is lost, but so it is with its control "
    "off, so this proves little",
    "neither": "swapped, it brings less than half; off, at least half of the answer stays",
}
NOT_YET = "not measured yet"
UNKNOWN = (
    "Not known from these tests: what the FFNs of step 1 are for; where on the way the subject "
    "turns into the answer; whether other texts go the same way."
)


def carries(found: np.ndarray, whole: np.ndarray, other: float) -> str:
    """ "carries" what tells the texts apart, is "needed", or "neither"; "unclear" where its control off loses the
    answer as well. whole [2], and the twin's own probability of its answer."""
    if found[2, 1] > HALF * other:
        return "carries"
    lost, control_lost = found[:2, 0] < HALF * whole[0]
    return "neither" if not lost else "unclear" if control_lost else "needed"


class FollowTheFact(Experiment):
    """One step, with a switch and a control each, and what it tells; or all four, and the map of all tested."""

    def __init__(self, fact: Fact, step: int | None = None):
        super().__init__("Test all four" if step is None else f"Test step {step}")
        self._fact, self._numbers = fact, range(1, 5) if step is None else [step]
        n = fact.prompt.language_model.config.n_layers
        self.layers = ipywidgets.IntRangeSlider(
            value=(n // 6, n // 2),
            min=0,
            max=n - 1,
            description="FFNs of layers",
            style={"description_width": "initial"},
            layout={"width": "min(430px, 98%)"},
        )
        shared = {
            "row_axis": "run",
            "col_axis": "next token",
            "kind": "prob",
            "numbers": "always",
            "blank": NOT_YET,
            "stage": "ffn",
        }
        self.table = HeatMap(np.full((1, 2), np.nan), [""], ["", ""], **shared)
        self.map = FactMap(n_layers=n, stage="ffn", caption="The way of the fact, as far as it is tested")
        controls = [self.layers] if step == 1 else []
        below = [self.map] if step is None else []
        self.children = (row(*controls, *self.buttons, self.progress), self.table, self.told, *below)
        self.buttons[0].on_click(lambda button: self.start(self.work(), button))
        self.layers.observe(lambda _: self._clear(), "value")
        self.follow(fact, self._clear)
        self.watch(fact, lambda _: self._draw_map(), "found")

    @one_at_a_time
    def _clear(self, _pair: Pair | None = None) -> None:
        self.stop()
        self.table.layout.display = "none"
        self.told.say(NO_FACT[why_no_fact(self._fact.trace)])
        self._draw_map()

    def work(self) -> Iterator[float]:
        """One run for each switch; the table fills from above."""
        fact, pair = self._fact, self._fact.trace
        if why_no_fact(pair) is not None:
            return
        whole, own = pair.answer_probs(), pair.answers
        listed = steps(pair, early=self.layers.value)
        for k, number in enumerate(self._numbers):
            step = listed[number - 1]
            n_runs = sum(len(edits) for _, edits in (*step.off, *step.swap))
            found = np.full((4, 2), np.nan, np.float32)
            for done, found in enumerate(measured(pair, step), 1):
                self.table.layout.display = ""
                self.table.change(
                    values=np.stack([whole, *found]),
                    row_labels=["as it is", *rows_of(step)],
                    col_labels=pair.trace.model.tokenizer.pieces(own),
                    caption=f"Step {number}: probability of the text's answer and of the twin's",
                )
                yield (k + done / n_runs) / len(self._numbers)
            fact.found = {**fact.found, number: (step, found.copy(), whole)}
            if len(self._numbers) == 1:
                meaning = MEANING[carries(found, whole, probability_of_twin(pair))]
                self.told.say(*said(pair, step, found, whole), f"{meaning[0].upper()}{meaning[1:]}.")

    @one_at_a_time
    def _draw_map(self) -> None:
        pair = self._fact.trace
        self.map.layout.display = "" if pair and self._fact.found else "none"
        if pair is None:
            return
        other = probability_of_twin(pair)
        self.map.change(
            pieces=pair.trace.pieces,
            items=[
                {
                    "number": number,
                    "at": step.at,
                    "source": step.source,
                    "layers": list(step.layers),
                    "kind": (kind := carries(found, whole, other)),
                    "meaning": MEANING[kind],
                    "told": said(pair, step, found, whole),
                }
                for number, (step, found, whole) in sorted(self._fact.found.items())
            ],
            unknown=UNKNOWN if len(self._fact.found) == 4 else "",
        )


def rows_of(step: Step) -> list[str]:
    """What is off, or swapped, in the four runs of a step."""
    return [f"{how}: {name}" for how, rows in (("off", step.off), ("swapped", step.swap)) for name, _ in rows]


def probability_of_twin(pair: Pair) -> float:
    return experiments.probability(pair.twin, pair.answers[1])


def said(pair: Pair, step: Step, found: np.ndarray, whole: np.ndarray) -> list[str]:
    """What a step has shown, in words; found [4, 2] as `measured` gives it, whole [2]."""
    own, other = named(pair, pair.answers)
    note = [step.note] if step.note else []
    gone, kept, mine, theirs = found[0, 0], found[1, 0], found[2], found[3]
    return [
        f"{step.name[0].upper()}{step.name[1:]}: off, {own} has {percent(gone)} instead of {percent(whole[0])} "
        f"({step.off[1][0]}: {percent(kept)}).",
        f"As in the twin's run, {own} has {percent(mine[0])} and {other} {percent(mine[1])}"
        f" ({step.swap[1][0]}: {percent(theirs[0])} and {percent(theirs[1])}).",
        *note,
    ]


class WhatTheMoverSays(Explorer):
    """What the head of the second step reads at the subject, and writes from there (`attention.WhatAHeadSays`)."""

    def __init__(self, fact: Fact):
        self.told, self.says = Told(), WhatAHeadSays(fact.prompt.trace, parts=False)
        super().__init__([self.told, self.says])
        self.follow(fact, self.show)

    @one_at_a_time
    def show(self, pair: Pair | None) -> None:
        """Another pair may have another head."""
        problem = NO_FACT[why_no_fact(pair)]
        self.told.say(problem or _place(pair))
        self.says.layout.display = "none" if problem else ""
        if pair and not problem:
            self.says.show(pair.trace)
            self.says.layer.value, self.says.head.value = experiments.fact_mover_head(pair)
            self.says.strip.selected = pair.subject


def _place(pair: Pair) -> str:
    answer, place = named(pair, pair.answers[:1])[0], rank_of_answer(pair)
    return (
        f"Of what it pushes up at {subjects(pair)[0]}, {answer} has place {place:,}; below are the first six."
    )


class PutIn(Experiment):
    """The twin's run, and at one depth the text's own stream put in at one token: from where does its answer follow?

    Two lines a twin: at the subject, and at the last token. A second twin has a word of another kind.
    """

    def __init__(self, fact: Fact, word: str = "dinner"):
        super().__init__("Put it in at every depth")
        self._fact = fact
        self.word = ipywidgets.Text(
            word,
            description="A second twin, of another kind",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "min(420px, 98%)"},
        )
        self.plot = LinePlot(
            labels=layers(fact.prompt.language_model),
            x_axis="put in before layer",
            y_axis="probability",
            unit="share",
            y_max=1.0,
            stage="ffn",
            waiting="nothing put in yet",
        )
        self.children = (row(self.word, *self.buttons, self.progress), self.plot, self.told)
        self.word.observe(lambda _: self._clear(), "value")
        self.buttons[0].on_click(lambda button: self.start(self.work(), button))
        self.follow(fact, self._clear)

    @one_at_a_time
    def _clear(self, _pair: Pair | None = None) -> None:
        self.stop()
        self.plot.layout.display = "none"
        self.told.say(NO_FACT[why_no_fact(self._fact.trace)])

    def work(self) -> Iterator[float]:
        """Two runs a layer and twin."""
        pair = self._fact.trace
        if why_no_fact(pair) is not None:
            return
        second, why = twin(pair.trace, pair.subject, self.word.value)
        twins = [pair, *([second] if second else [])]
        last, n = len(pair.trace.tokens) - 1, len(pair.trace.blocks)
        own = pair.answers[0]
        places = list(
            zip((pair.subject, last), (subjects(pair)[0], named(pair, [pair.trace.tokens[last]])[0]))
        )
        names = [f"into the text with {subjects(one)[1]}, at {name}" for one in twins for _, name in places]
        values = np.full((len(names), n), np.nan, np.float32)
        self.plot.layout.display = ""
        for k in range(len(names)):
            one, (place, _) = twins[k // 2], places[k % 2]
            back = Pair(one.twin, pair.trace, pair.subject)
            for layer in reversed(range(n)):
                values[k, layer] = back.answer_probs(patch_residual(back, layer, [place]))[1]
                if layer % 3 == 0:
                    self.plot.change(
                        values=values,
                        names=names,
                        caption=f"Probability of {named(pair, [own])[0]} in the twins' runs, with the stream of "
                        f"{subjects(pair)[0]}'s run put in at one token",
                    )
                yield (k + 1 - layer / n) / len(names)
        whole = experiments.probability(pair.trace, own)
        self.told.say(
            why,
            *(
                f"{name[0].upper()}{name[1:]}: more than half of {percent(whole)} before {spans(line > HALF * whole)}."
                for name, line in zip(names, values)
            ),
            "At both tokens at once it is the text's own run again, whatever the layer: no other token saw the subject."
            if pair.subject == last - 1
            else "",
        )


def spans(layers_found: np.ndarray) -> str:
    """ "layers 0 to 4, 7", from a row of yes and no."""
    found = np.flatnonzero(layers_found)
    if not found.size:
        return "no layer"
    runs = np.split(found, np.flatnonzero(np.diff(found) > 1) + 1)
    named = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"layer{'s' if found.size > 1 else ''} {', '.join(named)}"


class TenCountries(Experiment):
    """First a guess, then the four steps for ten countries, each with the next one as its twin: what is lost, and
    what is taken over."""

    def __init__(self, model: Model):
        super().__init__("Run on ten countries")
        self._model = model
        self.card = Question(
            "For how many of ten does swapping one head bring the next country's capital (more than half as likely "
            "as at home)?",
            answer=None,
            unit="countries",
            low=0,
            high=10,
            stage="ffn",
        )
        countries, parts = list(CAPITALS), ["FFNs", "head", "sight before", "last FFNs"]
        beside = (
            ["FFNs at “of”", "a random head", "sight of “of”", "FFNs before"],
            ["FFN 0", "a random head", "the country", "FFNs before"],
        )
        columns = [["as it is", *(name for both in zip(parts, names) for name in both)] for names in beside]
        blank = np.full((len(countries), len(columns[0])), np.nan, np.float32)
        shared = {
            "kind": "prob",
            "numbers": "always",
            "row_axis": "capital of",
            "col_axis": "part",
            "blank": NOT_YET,
            "stage": "ffn",
        }
        self.off = HeatMap(
            blank, countries, columns[0], caption="Probability of the capital, a part off", **shared
        )
        self.swap = HeatMap(
            blank,
            countries,
            columns[1],
            caption="Probability of the next country's capital, a part as in that country's run",
            **shared,
        )
        self.asked = [row(*self.buttons, self.progress), self.off, self.swap]  # not before a guess
        self.children = (self.card, *self.asked, self.told)
        self.buttons[0].on_click(lambda button: self.start(self.work(), button))
        self.card.observe(self._begin, "committed")
        for one in self.asked:
            one.layout.display = "none"

    def _begin(self, change) -> None:
        for one in self.asked:
            one.layout.display = "" if change["new"] else "none"
        if change["new"] and not self.told.sentences and not self._work.busy:
            self.start(self.work(), self.buttons[0])

    def work(self) -> Iterator[float]:
        """The runs that a guess waits for; stopped in between, they leave the question open again."""
        try:
            yield from self._run()
        finally:
            if self.card.committed and not self.told.sentences:
                self.card.ask_again()

    def _run(self) -> Iterator[float]:
        """About forty runs a country."""
        lost, taken = (np.full(self.off.values.shape, np.nan, np.float32) for _ in range(2))
        heads = []
        for at, pair in enumerate(capital_pairs(self._model)):
            listed = steps(pair)
            heads.append(listed[1].name.partition(",")[0])
            lost[at, 0], taken[at, 0] = pair.answer_probs()
            for k, step in enumerate(listed):
                for found in measured(pair, step):
                    lost[at, 1 + 2 * k : 3 + 2 * k] = found[:2, 0]
                    taken[at, 1 + 2 * k : 3 + 2 * k] = found[2:, 1]
                    yield (at + k / 4) / len(CAPITALS)
            self.off.change(values=lost)
            self.swap.change(values=taken)
        self.told.say(*agree(lost, taken, heads))
        self.card.tell(int(took(lost, taken)[1]))


def took(lost: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """[4]: for how many countries each part, swapped, brings more than half of the next one's capital; [countries, 9]
    each."""
    return (taken[:, 1::2] > HALF * np.roll(lost[:, :1], -1, axis=0)).sum(axis=0)


def agree(lost: np.ndarray, taken: np.ndarray, heads: list[str]) -> list[str]:
    """For how many countries each part is needed, and for how many it carries the name; [countries, 9] each."""
    n, told = len(lost), []
    for k, part in enumerate(("The FFNs at the country", "The head", "The sight before it", "The last FFNs")):
        needed, control = ((lost[:, 1 + 2 * k + i] < HALF * lost[:, 0]).sum() for i in (0, 1))
        told.append(
            f"{part}: off, more than half is lost for {needed} of {n} (its control: {control}). "
            f"As in the next country's run, it brings that country's capital for {took(lost, taken)[k]}."
        )
    same = len(set(heads))
    return [*told, f"The head is {'the same for all' if same == 1 else f'one of {same}'}: {heads[0]}."]
