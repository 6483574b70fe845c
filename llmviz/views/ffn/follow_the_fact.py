"""A fact followed through the model: step by step, and at every depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz.experiments import Pair, fact_mover_head
from llmviz.experiments.facts import HALF, patched_back, rank_of_answer, why_no_fact
from llmviz.model import Trace
from llmviz.views.attention.what_a_head_says import HeadPushes
from llmviz.views.ffn.fact import WORDS, Fact, OfFact, named, subjects, to_follow, twin
from llmviz.views.ffn.fact_steps import Step, capitalised, carries, own_probs, run_tests, said
from llmviz.views.ffn.who_writes import layers
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Picture, Pieces, Text
from llmviz.views.kit.state_fields import fixed, line, selected, selection, span
from llmviz.views.kit.view import Scene, job, looks, part, sentences, shared


class FactMap(Picture):
    """Tokens from left to right, layers from below; a box or an arrow for each part tested.

    `items`: dicts of `number`, `at` and `source` (tokens; source None: a box), `layers` [first, last], `kind`
    ("carries", "needed", "unclear", "neither"), its `meaning` for the legend, and `sentences`.
    """

    _static = "fact_map"
    _data = ("pieces", "items")
    _by_page = ()

    pieces = Pieces()
    n_layers = traitlets.Int(1).tag(sync=True)
    items = traitlets.List(traitlets.Dict()).tag(sync=True)
    unknown = Text()  # what none of it shows

    def text(self) -> str:
        """Return what each test has shown."""
        tested = [f"{item['number']}. {' '.join(item['sentences'])}" for item in self.items]
        return "\n".join([*tested, self.unknown]) if tested else "nothing tested yet"


class FollowTheFact(OfFact):
    """One step, with a switch and a control each, and what it tells; or all four, and a map of what they show."""

    @dataclass(frozen=True)
    class State:
        """Which step, None for all four, and the layers of the first; None: from a sixth of all to the half."""

        step: int | None = fixed(
            None, lambda step: step in (None, 1, 2, 3, 4), "a number from 1 to 4, or None"
        )
        early: tuple[int, int] | None = span(
            "FFNs of layers", lambda view: view.model.config.n_layers, lambda n: (n // 6, n // 2)
        )
        cell: tuple[int, int] | None = selection("table")

    arrangement = (("early", "test", "progress"), "table", "message", "map")

    @looks("early")
    def only_for_the_first_step(self, scene: Scene) -> dict:
        return {"hidden": scene.step != 1}

    @job(
        *("step", "early"),
        start=lambda view: f"Test step {view.state.step}" if view.state.step else "Test all four",
        when=lambda _, scene: to_follow(scene),
    )
    def test(self, scene: Scene) -> Iterator[tuple[float, list[Step]]]:
        """One run for each switch; the table fills from above."""
        return run_tests(scene.run, [scene.step] if scene.step else [1, 2, 3, 4], scene.early)

    @part(
        HeatMap,
        kind="prob",
        numbers="always",
        blank="not measured yet",
        row_axis="run",
        col_axis="next token",
    )
    def table(self, scene: Scene) -> dict:
        pair, step = scene.run, scene.known("test")[-1]
        tests = [f"{how}: {name}" for how, name in zip(["off", "off", "swapped", "swapped"], step.names)]
        return {
            "values": np.stack([own_probs(pair), *step.probs]),
            "row_labels": ["unchanged", *tests],
            "col_labels": pair.trace.model.tokenizer.pieces(pair.answers),
            "selected": selected(scene.cell, 5, 2),
            "caption": f"Step {step.number}: probability of the text's answer and of the twin's",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, step = scene.pair, (scene.result("test") or [None])[-1]
        if scene.step is None or step is None or not step.is_done:
            return []
        return [*said(pair, step), f"{capitalised(WORDS['meaning'][carries(pair, step)])}."]

    @part(FactMap, caption="The way of the fact, as far as it is tested")
    def map(self, scene: Scene) -> dict:
        if scene.step:
            return {"hidden": True}
        tested = [step for step in scene.known("test") if step.is_done]
        return {
            "pieces": scene.run.trace.pieces,
            "n_layers": self.model.config.n_layers,
            "items": [on_map(scene.run, step) for step in tested],
            "unknown": WORDS["unknown"] if len(tested) == 4 else "",
            "hidden": not tested,
        }


def on_map(pair: Pair, step: Step) -> dict:
    """Return a tested step as `FactMap` draws it."""
    place, kind = step.place, carries(pair, step)
    return {
        **{"number": step.number, "at": place.at, "source": place.source, "layers": [*place.layers]},
        **{"kind": kind, "meaning": WORDS["meaning"][kind], "sentences": said(pair, step)},
    }


class WhatTheMoverSays(OfFact, HeadPushes):
    """What the head of the second step reads at the subject, and writes from there (`attention.WhatAHeadSays`)."""

    stage = "attention"
    arrangement = ("message", ("layer", "head", "query"), "strip", "about", "pushed")

    def __init__(self, fact: Fact, **state):
        super().__init__(fact, **(mover_head(fact.trace) | state))

    def fitted(self, state: HeadPushes.State) -> HeadPushes.State:
        return self.State(query=state.query, **mover_head(self.run))

    @property
    def trace(self) -> Trace:
        return self.run.trace if self.run else self.source.source.trace

    def is_shown(self, part: str, scene: Scene) -> bool:
        return part == "message" or to_follow(scene)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair = scene.pair
        subject, answer = subjects(pair)[0], named(pair, pair.answers[:1])[0]
        rank = f"{answer} has place {rank_of_answer(pair):,}; below are the first six."
        return [f"Of what it pushes up at {subject}, {rank}"]


def mover_head(pair: Pair | None) -> dict:
    """Return the fields of a state in which the head of the second step attends to the subject, if there is a fact."""
    if pair is None or why_no_fact(pair):
        return {}
    layer, head = fact_mover_head(pair)
    return {"layer": layer, "head": head, "at": pair.subject}


class PutIn(OfFact):
    """The twin's run, and at one depth the text's own stream put in at one token: from where does its answer follow?

    Two lines a twin: at the subject, and at the last token. A second twin has a word of another kind.
    """

    @dataclass(frozen=True)
    class State:
        """The second twin's word."""

        word: str = line("dinner", "A second twin, of another kind", "min(420px, 98%)", live=False)
        layer: int | None = selection("plot")

    arrangement = (("word", "depths", "progress"), "plot", "message")

    @shared
    def second(self, scene: Scene) -> tuple[Pair | None, str]:
        """Return the pair with the second twin, or None and why there is none."""
        return twin(scene.run.trace, scene.run.subject, scene.word)

    @shared
    def lines(self, scene: Scene) -> list[tuple[str, Pair, int]]:
        """Return each line's name, pair, and token at which the stream is put in."""
        pair, last = scene.run, len(scene.run.trace.tokens) - 1
        places = {pair.subject: subjects(pair)[0], last: named(pair, [pair.trace.tokens[last]])[0]}
        return [
            (f"into the text with {subjects(other)[1]}, at {places[at]}", other, at)
            for other in (pair, scene.second[0])
            for at in places
            if other
        ]

    @job("word", start="Put it in at every depth", when=lambda _, scene: to_follow(scene))
    def depths(self, scene: Scene) -> Iterator[tuple[float, np.ndarray | None]]:
        """Two runs a layer and twin: yield the answer's probability [line, layer]."""
        lines, n = scene.lines, self.model.config.n_layers
        values = np.full((len(lines), n), np.nan, np.float32)
        for k, (_, pair, at) in enumerate(lines):
            for layer, p in patched_back(pair, at):
                values[k, layer] = p
                yield (k + 1 - layer / n) / len(lines), None if layer % 3 else values.copy()

    @part(
        LinePlot,
        x_axis="put in before layer",
        y_axis="probability",
        unit="share",
        y_max=1.0,
        waiting="nothing put in yet",
    )
    def plot(self, scene: Scene) -> dict:
        values = scene.known("depths")
        answer, subject = named(scene.run, scene.run.answers[:1])[0], subjects(scene.run)[0]
        return {
            "values": values,
            "names": [name for name, *_ in scene.lines],
            "labels": layers(self.model),
            "selected": selected(scene.layer, values.shape[1]),
            "caption": f"Probability of {answer} in the twins' runs, with the stream of {subject}'s run put in at one "
            "token",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, whole = scene.pair, own_probs(scene.pair)[0]
        if scene.status("depths") != "done":
            return []
        lines = [
            f"{capitalised(name)}: more than half of {percent(whole)} before {spans(values > HALF * whole)}."
            for (name, *_), values in zip(scene.lines, scene.result("depths"))
        ]
        both = "At both tokens at once it is the text's own run again, whatever the layer: no other token saw the "
        is_next = pair.subject == len(pair.trace.tokens) - 2
        return [scene.second[1], *lines, f"{both}subject." if is_next else ""]


def spans(yes: np.ndarray) -> str:
    """Return "layers 0 to 4, 7" from a row of yes and no."""
    (numbers,) = np.nonzero(yes)
    if not numbers.size:
        return "no layer"
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    names = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"layer{'s' if numbers.size > 1 else ''} {', '.join(names)}"
