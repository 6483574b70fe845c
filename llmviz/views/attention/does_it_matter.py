"""Does it matter that a head attends to a word? Heads are switched off, or patched from the twin's run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmviz import experiments
from llmviz.experiments import facts
from llmviz.views.attention.head_grid import head_name
from llmviz.views.kit.fact import Fact, OfFact, named, no_fact, subjects
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.patch_map import PatchMap
from llmviz.views.kit.pieces import isolated, quote
from llmviz.views.kit.state_fields import line, position
from llmviz.views.kit.view import Scene, job, part, sentences, shared

N_HEADS = 3  # that attend most
N_DRAWS = 3  # of random heads
WAYS = ["switched off", "patched"]


class NounPair(Fact):
    """A sentence up to its verb, and its twin in which the noun has the other number."""

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        """The twin's word, and the token whose place it takes."""

        word: str = line("cat", "Twin", "min(190px, 98%)")
        subject: int = position(1, set_by=("strip", "selected"))


class NumberMap(PatchMap):
    """The patch map of a `NounPair`."""

    stage = "attention"


class DoesItMatter(OfFact, GuessFirst):
    """How likely the twin's answer is with the heads that attend most to the noun switched off, or patched.

    They are changed at the last token only, together and one at a time. The control: as many random heads.
    """

    experiment, stage, unit, high = "change", "attention", "%", 100

    arrangement = ("card", ("progress",), "table", "message", "refusal")

    def question(self, scene: Scene) -> str:
        if no_fact(scene.run):
            return ""
        pair, heads = scene.pair, [head_name(*head) for head in scene.heads]
        last, theirs = quote(pair.trace.pieces[-1].strip()), named(pair, pair.answers)[1]
        return (
            f"{', '.join(heads[:-1])} and {heads[-1]} attend most to {subjects(pair)[0]}. You switch all three off at "
            f"{last}. {theirs} had {percent(pair.answer_probs()[1])}. What probability does it have now?"
        )

    def answer(self, scene: Scene) -> float:
        return 100 * scene.outcome[0][1, 0]

    def explanation(self, scene: Scene) -> str:
        values, _ = scene.outcome
        patched, random = percent(values[1, 1]), percent(values[-1, 0])
        return f"Patched from the twin's run instead: {patched}. With {N_HEADS} random heads switched off: {random}."

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        """Return the attention weight from the last token to the noun in each head: [n_layers, n_heads]."""
        return experiments.attention_from(scene.pair.trace, -1)[..., scene.pair.subject]

    @shared
    def heads(self, scene: Scene) -> list[tuple[int, int]]:
        return experiments.strongest_heads(scene.weights, N_HEADS)

    @job()
    def change(self, scene: Scene) -> Iterator[tuple[float, tuple[np.ndarray, np.ndarray] | None]]:
        """Measure `table` [3 + N_HEADS, 2], and both answers' probabilities if no head may attend to the noun."""
        return facts.change_heads(scene.pair, [scene.heads, *([head] for head in scene.heads)], N_DRAWS)

    @part(
        *(HeatMap, np.zeros((3 + N_HEADS, 2)), [""] * (3 + N_HEADS), WAYS),
        kind="prob",
        row_axis="heads",
        col_axis="way",
        numbers="always",
    )
    def table(self, scene: Scene) -> dict:
        last, theirs = quote(scene.pair.trace.pieces[-1].strip()), named(scene.pair, scene.pair.answers)[1]
        names = [head_name(*head) for head in scene.heads]
        values, _ = scene.outcome
        return {
            "values": values,
            "cell_text": [[percent(value) for value in row] for row in values],
            "row_labels": ["nothing changed", "all three", *names, "three random heads"],
            "caption": f"Probability of {theirs}, with heads changed at {last} in two ways (random heads: mean of "
            f"{N_DRAWS} draws)",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, (_, unseen) = scene.pair, scene.outcome
        noun = isolated(pair.trace.pieces[pair.subject])
        shares = [f"{head_name(*head)} {percent(scene.weights[head])}" for head in scene.heads]
        answers = [f"{name} gets {percent(p)}" for name, p in zip(named(pair, pair.answers), unseen)]
        return [
            f"Attention to {noun}: {', '.join(shares)}.",
            f"If none of the {scene.weights.size} heads may attend to {noun} from there, {' and '.join(answers)}.",
        ]
