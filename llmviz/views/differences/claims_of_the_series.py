"""Which claims of popular explanations hold in this model: each tried again, on many cases, while you watch."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import ipywidgets

from llmviz.claims import Claim, Outcome
from llmviz.claims.differences_series import SERIES
from llmviz.model import Model
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.claims import Claim as Line
from llmviz.views.kit.claims import Claims
from llmviz.views.kit.controls import row

NO_BETTER = "no better than its control"
RULE = "“Holds”: for nine of ten cases or more, and more than its control; “fails”: for one of ten or fewer."


def tried(
    model: Model, claim: Claim, values: dict[str, float], controls: dict[str, float]
) -> Iterator[float]:
    """Put what a claim measures on each of its cases into `values` and `controls`; yield the share that is done.

    Left out is what this model cannot be asked: a word that is not one token, and where its numbers overflow.
    """
    for i, (name, case) in enumerate(claim.cases.items(), start=1):
        for kept, measure in ((values, claim.value), (controls, claim.control and claim.control[1])):
            with contextlib.suppress(ValueError, FloatingPointError):
                if measure and not math.isnan(value := float(measure(model, case))):
                    kept[name] = value
        yield i / len(claim.cases)


def verdict(n_support: int, n: int) -> str:
    """Return "holds" from 9 of 10 on, "fails" up to 1 of 10, else "holds in part"."""
    if not n:
        return "cannot be tried here"
    return "holds" if n_support >= 0.9 * n else "fails" if n_support <= 0.1 * n else "holds in part"


def line(page: str, claim: Claim, outcome: Outcome | None) -> Line:
    """Return a claim's line of the table."""
    title = f"{page} · {claim.sentence}"
    if outcome is None:
        return Line(title)
    n, n_support = len(outcome.values), len(claim.bounds.supporting(outcome.values))
    found, counted = verdict(n_support, n), f"{n_support} of {n:,} {claim.over}"
    if not n:
        return Line(title, "this model has no token for what would be asked", found)
    if claim.bounds.control and claim.bounds.control.supports and outcome.controls:
        n_control, of = len(claim.bounds.control.supporting(outcome.controls)), len(outcome.controls)
        counted += f" (control: {n_control} of {of:,})"
        if found != "fails" and n_support / n <= n_control / of:
            found = NO_BETTER
    result = claim.result(outcome)
    return Line(title, f"{claim.method} {result[0].upper()}{result[1:]}", f"{found}: {counted}")


class ClaimsOfTheSeries(Experiment):
    """A table of what people say, empty but for that. A button measures the claims and fills it line by line.

    claims: by the notebook that says more. outcomes: of each claim that was tried, by its name.
    """

    def __init__(self, model: Model, claims: Mapping[str, Sequence[Claim]] = SERIES):
        self.claims = [(page, claim) for page, some in claims.items() for claim in some]
        super().__init__(f"Try all {len(self.claims)}")
        self.model = model
        self.outcomes: dict[str, Outcome] = {}
        self.table = Claims(self._lines())
        self.told.say("The number before a claim: the notebook that tells more.", RULE)
        self.children = (row(*self.buttons, self.progress), self.told, self.table)
        self.buttons[0].on_click(lambda _: self.start(self._try_all(), self.buttons[0]))

    def needs_kernel(self) -> list[ipywidgets.Button]:
        return self.buttons  # minutes

    def __repr__(self) -> str:
        return super().__repr__() if self.comm is None else f"{self.told!r}\n{self.table!r}"

    def _lines(self) -> list[Line]:
        return [line(page, claim, self.outcomes.get(claim.name)) for page, claim in self.claims]

    def _try_all(self) -> Steps:
        self.outcomes, start = {}, time.perf_counter()
        self.table.show(self._lines())
        try:
            for i, (_, claim) in enumerate(self.claims):
                values, controls = {}, {}
                yield i / len(self.claims)
                for share in tried(self.model, claim, values, controls):
                    yield (i + share) / len(self.claims)
                self.outcomes[claim.name] = claim.outcome(values, controls)
                self.table.show(self._lines())
        finally:
            self._tell(time.perf_counter() - start)

    def _tell(self, seconds: float) -> None:
        found = Counter(one.verdict.partition(":")[0] for one in self.table.rows if one.verdict)
        stopped = "" if len(self.outcomes) == len(self.claims) else "Stopped. "
        names = {"holds": "hold", "holds in part": "hold in part", NO_BETTER: NO_BETTER, "fails": "fail"}
        counts = ", ".join(f"{found[name]} {told}" for name, told in names.items() if found[name])
        self.told.say(
            f"{stopped}{len(self.outcomes)} of {len(self.claims)} claims tried in {seconds:.0f} s on this model: "
            f"{counts}.",
            RULE,
        )
