"""The four steps of a fact, for ten countries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmviz.experiments.facts import CAPITALS, HALF, capital_pairs
from llmviz.model import Model
from llmviz.views.ffn.fact_steps import run_tests
from llmviz.views.kit.background import Experiment
from llmviz.views.kit.controls import row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.predict import Question


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
            "blank": "not measured yet",
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
            lost[at, 0], taken[at, 0] = pair.answer_probs()
            for share, steps in run_tests(pair, [1, 2, 3, 4]):
                for step in steps:
                    columns = slice(2 * step.number - 1, 2 * step.number + 1)
                    lost[at, columns], taken[at, columns] = step.probs[:2, 0], step.probs[2:, 1]
                yield (at + share) / len(CAPITALS)
            heads.append(steps[1].names[0].partition(",")[0])
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
