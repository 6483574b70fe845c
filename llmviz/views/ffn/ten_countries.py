"""One head patched, for ten countries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from llmviz.experiments.facts import CAPITALS, HALF, N_RANDOM, capital_pairs, mover_patched
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.view import Scene, job, part, sentences, shared

COLUMNS = "own", "own, patched", "next, patched", "next, another head patched"


class TenCountries(GuessFirst):
    """First a guess; then for ten countries the `fact_mover_head` is patched from the next one's run."""

    experiment, stage, unit, high, whole = "countries", "ffn", "countries", len(CAPITALS), True
    as_it_comes = ("table",)

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, and the chosen cell."""

        cell: tuple[int, int] | None = selection("table")

    def question(self, scene: Scene) -> str:
        return (
            "For how many of the ten countries does patching this one head bring out the next country's capital, with "
            "more than half of its usual probability?"
        )

    def answer(self, scene: Scene) -> int:
        return int(brought_out(scene.values)[0])

    @job()
    def countries(self, scene: Scene) -> Iterator[tuple[float, list]]:
        """A dozen runs for each country. Results: its row of the table, and its head; once stopped, it goes on."""
        known = scene.result("countries") or []
        yield len(known) / len(CAPITALS), known
        for pair in islice(capital_pairs(scene.run), len(known), None):
            known = [*known, mover_patched(pair)]
            yield len(known) / len(CAPITALS), known

    @shared
    def values(self, scene: Scene) -> np.ndarray:
        """Return the table [countries, columns], NaN where it isn't known yet."""
        values = np.full((len(CAPITALS), len(COLUMNS)), np.nan, np.float32)
        for at, (row, _) in enumerate(scene.outcome):
            values[at] = row
        return values

    @part(
        HeatMap,
        np.full((len(CAPITALS), len(COLUMNS)), np.nan),
        [*CAPITALS],
        [*COLUMNS],
        kind="prob",
        numbers="always",
        row_axis="capital of",
        col_axis="own capital, or the next country's",
        blank="not measured yet",
        caption="Probability (in %) of a country's own capital and of the next one's, with the head patched from the "
        f"next country's run. Another head: the strongest of {N_RANDOM} random ones",
    )
    def table(self, scene: Scene) -> dict:
        return {"values": scene.values, "selected": selected(scene.cell, *scene.values.shape)}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        heads = [head for _, head in scene.outcome]
        layer, head = heads[0]
        n, (patched, random) = len(heads), brought_out(scene.values)
        same = f"For {heads.count(heads[0])} of {n} countries, the head is layer {layer}, head {head}."
        return [
            f"{same} Patched, it brings out the next country's capital for {patched}, and a random head for {random}."
        ]


def brought_out(values: np.ndarray) -> np.ndarray:
    """Return [2]: for how many countries the head, and a random one, brings out more than half of the next one's."""
    return (values[:, 2:] > HALF * np.roll(values[:, :1], -1, axis=0)).sum(axis=0)
