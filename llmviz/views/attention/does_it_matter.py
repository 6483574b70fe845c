"""Does it matter that a head attends to a word? Heads switched off, and heads patched from the twin's run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmviz import experiments
from llmviz.experiments import facts
from llmviz.views.attention.head_grid import head_name
from llmviz.views.kit import controls
from llmviz.views.kit.fact import Fact, OfFact, named, no_fact, subjects
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.patch_map import PatchMap
from llmviz.views.kit.pieces import isolated, quote
from llmviz.views.kit.state_fields import choice, line, position
from llmviz.views.kit.view import Scene, job, part, sentences, shared

N_HEADS = 3  # that attend most
N_DRAWS = 3  # of random heads
HEADS = ["all three", "only the first", "only the second", "only the third"]
ROWS = ["nothing changed", "heads switched off", "heads patched", "random heads off", "random heads patched"]


class NounPair(Fact):
    """A sentence up to its verb, and its twin in which the noun has the other number."""

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        """The twin's word, and the token whose place it takes."""

        word: str = line("cat", "Twin", "min(190px, 98%)", live=False)
        subject: int = position(1, of=("strip", "selected"))


class NumberMap(PatchMap):
    """The patch map of such a pair."""

    stage = "attention"


class DoesItMatter(OfFact, GuessFirst):
    """What the model predicts without the heads that attend most to the noun, and with these heads patched.

    They are changed at the last token only. The control: as many random heads.
    """

    experiment, stage, unit, high = "change", "attention", "%", 100

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, and which of the heads are changed."""

        which: str = choice(HEADS[0], "Change", HEADS, make=controls.toggles)

    arrangement = ("card", ("which", "progress"), "table", "message", "refusal")

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
        return 100 * scene.known("change")[0, 1, 1]

    def explanation(self, scene: Scene) -> str:
        values = scene.known("change")[0]
        patched, random = percent(values[2, 1]), percent(values[3, 1])
        return f"Patched from the twin's run instead: {patched}. With {N_HEADS} random heads switched off: {random}."

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        """Return what each head gives to the noun, from the last token: [n_layers, n_heads]."""
        return experiments.attention_from(scene.pair.trace, -1)[..., scene.pair.subject]

    @shared
    def heads(self, scene: Scene) -> list[tuple[int, int]]:
        return experiments.strongest_heads(scene.weights, N_HEADS)

    @shared
    def chosen(self, scene: Scene) -> list[tuple[int, int]]:
        which = HEADS.index(scene.which)
        return scene.heads[which - 1 : which] if which else scene.heads

    @job()
    def change(self, scene: Scene) -> Iterator[tuple[float, np.ndarray | None]]:
        """Measure the probability of both answers: a table for each of `HEADS` with a row for each of `ROWS`."""
        return facts.change_heads(scene.pair, [scene.heads, *([head] for head in scene.heads)], N_DRAWS)

    @part(
        *(HeatMap, np.zeros((5, 2)), ROWS, [""] * 2),
        kind="prob",
        row_axis="heads",
        col_axis="next token",
        numbers="always",
    )
    def table(self, scene: Scene) -> dict:
        last = quote(scene.pair.trace.pieces[-1].strip())
        return {
            "values": scene.known("change")[HEADS.index(scene.which)],
            "col_labels": named(scene.pair, scene.pair.answers),
            "caption": f"Probability of the next token, with {', '.join(head_name(*head) for head in scene.chosen)} "
            f"changed at {last}, or as many random heads (mean of {N_DRAWS} draws)",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, every_head = scene.pair, [*np.ndindex(*scene.weights.shape)]
        unseen = pair.answer_probs(experiments.knockout_attention(every_head, [pair.subject]))
        noun = isolated(pair.trace.pieces[pair.subject])
        shares = [f"{head_name(*head)} {percent(scene.weights[head])}" for head in scene.chosen]
        answers = [f"{name} gets {percent(p)}" for name, p in zip(named(pair, pair.answers), unseen)]
        return [
            f"Attention to {noun}: {', '.join(shares)}.",
            f"If none of the {scene.weights.size} heads may attend to {noun} from there, {' and '.join(answers)}.",
        ]
