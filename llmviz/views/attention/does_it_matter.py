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
WAYS = ["off", "patched"]


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
    """How likely both answers are with the heads that attend most to the noun switched off, or patched.

    They are changed at the last token only, together and one at a time. The control: as many random heads.
    """

    experiment, stage, unit, high = "change", "attention", "%", 100

    arrangement = ("card", ("progress",), "table", "message", "refusal")

    def question(self, scene: Scene) -> str:
        if no_fact(scene.run):
            return ""
        pair = scene.pair
        last, (ours, theirs) = quote(pair.trace.pieces[-1].strip()), named(pair, pair.answers)
        had = percent(pair.answer_probs()[1])
        return (
            f"After {last}, the model predicts {ours}; {theirs} has {had}. At {last}, switch off the three heads that "
            f"attend most to {subjects(pair)[0]}. How likely is {theirs} now?"
        )

    def answer(self, scene: Scene) -> float:
        return 100 * scene.outcome[0][1, 0, 1]

    def explanation(self, scene: Scene) -> str:
        values, _ = scene.outcome
        answers = named(scene.pair, scene.pair.answers)
        off, patched, random = values[1, 0], values[1, 1], values[-1, 0]

        def leading(probs: np.ndarray) -> str:
            still = " still" * (not probs.argmax())
            return f"{answers[probs.argmax()]}{still} leads, {percent(probs.max())} to {percent(probs.min())}"

        left, usual = (np.log(probs[0] / probs[1]) for probs in (off, random))
        return (
            f"With the three off, {leading(off)}. With three random heads off, {leading(random)}"
            f"{', so the three matter' * bool(left < usual / 2 > 0)}. With the three patched, {leading(patched)}"
            f"{', so they carry the difference between the texts' * bool(patched.argmax())}."
        )

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        """Return the attention weight from the last token to the noun in each head: [n_layers, n_heads]."""
        return experiments.attention_from(scene.pair.trace, -1)[..., scene.pair.subject]

    @shared
    def heads(self, scene: Scene) -> list[tuple[int, int]]:
        return experiments.strongest_heads(scene.weights, N_HEADS)

    @job()
    def change(self, scene: Scene) -> Iterator[tuple[float, tuple[np.ndarray, np.ndarray] | None]]:
        """Measure `table` [3 + N_HEADS, 2, 2], and both answers' probabilities if no head may attend to the noun."""
        return facts.change_heads(scene.pair, [scene.heads, *([head] for head in scene.heads)], N_DRAWS)

    @part(
        *(HeatMap, np.zeros((3 + N_HEADS, 4)), [""] * (3 + N_HEADS), [""] * 4),
        kind="prob",
        row_axis="heads",
        col_axis="prediction (heads off or patched)",
        numbers="always",
    )
    def table(self, scene: Scene) -> dict:
        pair, (table, _) = scene.pair, scene.outcome
        values = table.reshape(len(table), -1)
        names = [head_name(*head) for head in scene.heads]
        answers = pair.trace.model.tokenizer.pieces(pair.answers)
        return {
            "values": values,
            "cell_text": [[percent(value) for value in row] for row in values],
            "row_labels": ["unchanged", "all three", *names, "three random"],
            "col_labels": [f"{answer.strip() or answer}, {way}" for way in WAYS for answer in answers],
            "caption": f"Probabilities after {quote(pair.trace.pieces[-1].strip())}, with heads changed there in two "
            f"ways (random heads: mean of {N_DRAWS} draws)",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, (_, unseen) = scene.pair, scene.outcome
        noun, last = (isolated(pair.trace.pieces[i]) for i in (pair.subject, -1))
        between = f" It still attends to the words between, and these have attended to {noun}."
        shares = [f"{head_name(*head)} {percent(scene.weights[head])}" for head in scene.heads]
        answers = [f"{name} gets {percent(p)}" for name, p in zip(named(pair, pair.answers), unseen)]
        return [
            f"Attention to {noun}: {', '.join(shares)}.",
            f"If {last} may not attend to {noun} in any of the {scene.weights.size} heads, {' and '.join(answers)}."
            + between * (pair.subject < len(pair.trace.pieces) - 2),
        ]
