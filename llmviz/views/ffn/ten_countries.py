"""One head patched from another country's run, for ten countries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from llmviz.experiments.facts import CAPITALS, N_RANDOM, brought_out, capital_pairs, mover_patched
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.view import Scene, job, part, sentences, shared

COLUMNS = "own", "own, patched", "twin, patched", "control"


class TenCountries(GuessFirst):
    """For each of ten countries, the `fact_mover_head` is patched from the run of the next country."""

    experiment, stage, unit, high, whole = "countries", "ffn", "countries", len(CAPITALS), True

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, and the chosen cell."""

        cell: tuple[int, int] | None = selection("table")

    def question(self, scene: Scene) -> str:
        return (
            "For how many of the ten countries does patching this one head bring out the twin's capital, with more "
            "than half of its usual probability?"
        )

    def answer(self, scene: Scene) -> int:
        return int(brought_out(scene.values)[:, 0].sum())

    def explanation(self, scene: Scene) -> str:
        """Name the countries for which it fails, or which have no fact to follow."""
        twins, gets = np.roll([*CAPITALS.values()], -1), scene.values[:, 2]
        failed = [
            f"{name} ({'not tested' if np.isnan(p) else f'“{capital}” gets {percent(p)}'})"
            for name, capital, p, out in zip(CAPITALS, twins, gets, brought_out(scene.values)[:, 0])
            if not out
        ]
        return f"It fails for {' and '.join(failed)}." if failed else "It works for all of them."

    @job()
    def countries(self, scene: Scene) -> Iterator[tuple[float, list]]:
        """Run the model a dozen times for each country. Results: a row of the table, and the head."""
        known = scene.result("countries") or []
        yield len(known) / len(CAPITALS), known
        for pair in islice(capital_pairs(scene.run), len(known), None):
            known = [*known, mover_patched(pair)]
            yield len(known) / len(CAPITALS), known

    @shared
    def values(self, scene: Scene) -> np.ndarray:
        """Return the table [countries, columns], NaN where it is not known yet."""
        values = np.full((len(CAPITALS), len(COLUMNS)), np.nan, np.float32)
        for at, (row, _) in enumerate(scene.so_far):
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
        col_axis="its own capital, or its twin's",
        blank="not measured yet",
        caption="Probability (in %) of a country's own capital, and of its twin's with one head patched. "
        f"Control: its twin's with the strongest of {N_RANDOM} random heads patched. ✓: more than half of its usual "
        "probability",
    )
    def table(self, scene: Scene) -> dict:
        cell_text = [["" if np.isnan(p) else percent(p) for p in row] for row in scene.values]
        for row, out in zip(cell_text, brought_out(scene.values)[:, 0]):
            row[2] += " ✓" * bool(out)
        return {
            "values": scene.values,
            "cell_text": cell_text,
            "selected": selected(scene.cell, *scene.values.shape),
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        heads = [head for _, head in scene.outcome]
        layer, head = heads[0]
        n, (patched, random) = len(heads), brought_out(scene.values).sum(axis=0)
        last = scene.run.config.n_layers - 2
        return [
            f"Of all heads{f' in layers 1 to {last}' if last > 0 else ''}, layer {layer}, head {head} adds most to the "
            f"answer in {heads.count(heads[0])} of {n} texts.",
            f"Patching the head that adds most brings out the twin's capital in {patched}; the strongest of {N_RANDOM} "
            f"random heads, in {random}.",
        ]
