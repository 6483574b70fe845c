"""The four steps of a fact, for ten countries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from llmviz.experiments import Pair
from llmviz.experiments.facts import CAPITALS, HALF, capital_pairs
from llmviz.views.ffn.fact_steps import Step, own_probs, run_tests
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.view import Scene, job, part, sentences, shared

PARTS = ("FFNs", "head", "sight before", "last FFNs")
CONTROLS_OFF = ("FFNs at “of”", "a random head", "sight of “of”", "FFNs before")
CONTROLS_SWAPPED = ("FFN 0", "a random head", "the country", "FFNs before")
SHAPE = len(CAPITALS), 1 + 2 * len(PARTS)  # "unchanged", and each part with its control


def _table(controls: tuple[str, ...], caption: str) -> HeatMap:
    columns = ["unchanged", *(name for both in zip(PARTS, controls) for name in both)]
    return HeatMap(
        np.full(SHAPE, np.nan),
        [*CAPITALS],
        columns,
        kind="prob",
        numbers="always",
        row_axis="capital of",
        col_axis="part",
        blank="not measured yet",
        stage="ffn",
        caption=caption,
    )


class TenCountries(GuessFirst):
    """First a guess, then the four steps for ten countries, each with the next one as its twin: what is lost, and
    what is taken over."""

    experiment, stage, unit, high = "countries", "ffn", "countries", len(CAPITALS)
    as_it_comes = ("off", "swap")

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, and the chosen cells."""

        cell_off: tuple[int, int] | None = selection("off")
        cell_swap: tuple[int, int] | None = selection("swap")

    def question(self, scene: Scene) -> str:
        return (
            "For how many of the ten countries does patching this one head bring out the next country's capital, with "
            "more than half of its usual probability?"
        )

    def answer(self, scene: Scene) -> int:
        return int(took(*scene.tables)[1])

    begin = starts("Run on ten countries")

    @job()
    def countries(self, scene: Scene) -> Iterator[tuple[float, list | None]]:
        """About forty runs a country. Results: its two rows, and its head; stopped, it goes on with the next."""
        known = scene.result("countries") or []
        yield 0.0, known
        for at, pair in islice(enumerate(capital_pairs(scene.run)), len(known), None):
            for share, steps in run_tests(pair, [1, 2, 3, 4]):
                result = None if share < 1 else [*known, measured(pair, steps)]
                yield (at + share) / len(CAPITALS), result
            known = result

    @shared
    def tables(self, scene: Scene) -> np.ndarray:
        """Return [2, countries, 9]: what is left, and what is taken over; NaN where it isn't known yet."""
        tables = np.full((2, *SHAPE), np.nan, np.float32)
        for at, (off, swap, _) in enumerate(scene.outcome):
            tables[:, at] = off, swap
        return tables

    @part(lambda _: _table(CONTROLS_OFF, "Probability of the capital, a part off"))
    def off(self, scene: Scene) -> dict:
        return {"values": scene.tables[0], "selected": selected(scene.cell_off, *SHAPE)}

    @part(
        lambda _: _table(
            CONTROLS_SWAPPED, "Probability of the next country's capital, a part as in that country's run"
        )
    )
    def swap(self, scene: Scene) -> dict:
        return {"values": scene.tables[1], "selected": selected(scene.cell_swap, *SHAPE)}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        return agree(*scene.tables, [head for *_, head in scene.outcome])


def measured(pair: Pair, steps: list[Step]) -> tuple[list[float], list[float], str]:
    """Return a country's rows: its capital's probability, a part off; its twin's, a part swapped; and its head."""
    off, swap = (
        [own, *(p for step in steps for p in step.probs[2 * i : 2 * i + 2, i].tolist())]
        for i, own in enumerate(own_probs(pair).tolist())
    )
    return off, swap, steps[1].names[0].partition(",")[0]


def took(lost: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Return [4]: how often each part, swapped, gives the next country's capital over half its usual probability.

    lost, taken: [countries, 9] each.
    """
    return (taken[:, 1::2] > HALF * np.roll(lost[:, :1], -1, axis=0)).sum(axis=0)


def agree(lost: np.ndarray, taken: np.ndarray, heads: list[str]) -> list[str]:
    """Say for how many countries each part is needed, and for how many it carries the name; [countries, 9] each."""
    n, sentences = len(lost), []
    for k, part_ in enumerate(
        ("The FFNs at the country", "The head", "The sight before it", "The last FFNs")
    ):
        needed, control = ((lost[:, 1 + 2 * k + i] < HALF * lost[:, 0]).sum() for i in (0, 1))
        sentences.append(
            f"{part_}: off, more than half is lost for {needed} of {n} (its control: {control}); swapped, the next "
            f"country's capital gets more than half of its usual probability for {took(lost, taken)[k]}."
        )
    same = len(set(heads))
    return [*sentences, f"The head is {'the same for all' if same == 1 else f'one of {same}'}: {heads[0]}."]
