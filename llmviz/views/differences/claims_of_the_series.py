"""Which sayings of popular explanations hold in this model: each tried again, on many examples, while one looks on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from llmviz.model import Model
from llmviz.views.differences import sayings
from llmviz.views.differences.sayings import SAYINGS, Saying
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.claims import Claim, Claims
from llmviz.views.kit.controls import row

RULE = (
    "“Holds”: for nine of ten examples or more; “fails”: for one of ten or fewer. Before brackets stands a median, in "
    "them the lowest and the highest."
)


class ClaimsOfTheSeries(Experiment):
    """A table of sayings, empty but for them. A button fills it row by row; the numbers word the verdicts.

    numbers: of each saying that was tried, by what it says, the row of numbers of each example.
    """

    def __init__(self, model: Model, said: Sequence[Saying] = SAYINGS):
        super().__init__(f"Try all {len(said)}")
        self.buttons[0].needs_kernel = True  # minutes
        self.model, self.said = model, said
        self.numbers: dict[str, dict[str, sayings.Row]] = {}
        self.table = Claims(self._rows())
        self.told.say("The number before a saying: the notebook that tells more.", RULE)
        self.children = (row(*self.buttons, self.progress), self.told, self.table)
        self.buttons[0].on_click(lambda _: self.start(self._try_all(), self.buttons[0]))

    def __repr__(self) -> str:
        return super().__repr__() if self.comm is None else f"{self.told!r}\n{self.table!r}"

    def _rows(self) -> list[Claim]:
        return [
            sayings.claim(one, self.numbers[one.said]) if one.said in self.numbers else Claim(one.title)
            for one in self.said
        ]

    def _try_all(self) -> Steps:
        self.numbers, start = {}, time.perf_counter()
        self.table.show(self._rows())
        try:
            for i, one in enumerate(self.said):
                rows: dict[str, sayings.Row] = {}
                yield i / len(self.said)
                for share in sayings.tried(self.model, one, rows):
                    yield (i + share) / len(self.said)
                self.numbers[one.said] = rows
                self.table.show(self._rows())
        finally:
            self._tell(time.perf_counter() - start)

    def _tell(self, seconds: float) -> None:
        found = Counter(one.verdict.partition(":")[0] for one in self.table.rows if one.verdict)
        stopped = "" if len(self.numbers) == len(self.said) else "Stopped. "
        names = {"holds": "hold", "holds in part": "hold in part", "fails": "fail"}
        counts = ", ".join(f"{found[name]} {told}" for name, told in names.items())
        self.told.say(
            f"{stopped}{len(self.numbers)} of {len(self.said)} sayings tried in {seconds:.0f} s on this model: "
            f"{counts}.",
            RULE,
        )
