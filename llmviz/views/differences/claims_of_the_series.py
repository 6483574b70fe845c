"""Which claims of popular explanations hold in this model: each tried again, on many cases, while you watch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence

import ipywidgets

from llmviz.claims import Claim, Outcome
from llmviz.claims.differences_series import SERIES
from llmviz.model import Model
from llmviz.views.kit.claims import Claim as Line
from llmviz.views.kit.claims import Claims
from llmviz.views.kit.view import Scene, View, job, part, sentences

NO_BETTER = "no better than its control"
RULE = "“Holds”: for nine of ten cases or more, and more than its control; “fails”: for one of ten or fewer."
VERBS = {"holds": "hold", "holds in part": "hold in part", NO_BETTER: NO_BETTER, "fails": "fail"}

Tried = tuple[dict[str, Outcome], float]  # outcomes by their claims' names, and the seconds that they took


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
    said, counted = verdict(n_support, n), f"{n_support} of {n:,} {claim.over}"
    if not n:
        return Line(title, "this model has no token for what would be asked", said)
    if claim.bounds.control and claim.bounds.control.supports and outcome.controls:
        n_control, of = len(claim.bounds.control.supporting(outcome.controls)), len(outcome.controls)
        counted += f" (control: {n_control} of {of:,})"
        if said != "fails" and n_support / n <= n_control / of:
            said = NO_BETTER
    result = claim.result(outcome)
    return Line(title, f"{claim.method} {result[0].upper()}{result[1:]}", f"{said}: {counted}")


class ClaimsOfTheSeries(View):
    """A table of what people say, empty but for that. A button measures the claims and fills it line by line.

    claims: by the notebook that says more.
    """

    arrangement = (("measure", "progress"), "message", "table")

    def __init__(self, model: Model, claims: Mapping[str, Sequence[Claim]] = SERIES):
        self.claims = [(page, claim) for page, of_page in claims.items() for claim in of_page]
        super().__init__(model)

    def inputs(self) -> Hashable:
        return super().inputs(), tuple(self.claims)

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.parts["measure"]]  # minutes

    def __repr__(self) -> str:
        parts = [self.parts[name] for name in ("message", "table")] if self.comm else []
        return "\n".join(map(repr, parts)) or super().__repr__()

    @job(start=lambda view: f"Try all {len(view.claims)}")
    def measure(self, scene: Scene) -> Iterator[tuple[float, Tried | None]]:
        outcomes, start = {}, time.perf_counter()
        yield 0.0, ({}, 0.0)
        for i, (_, claim) in enumerate(self.claims):
            for share, outcome in claim.try_each(scene.run):
                outcomes = {**outcomes, claim.name: outcome} if outcome else outcomes
                tried = (outcomes, time.perf_counter() - start) if outcome else None
                yield (i + share) / len(self.claims), tried

    @sentences
    def message(self, scene: Scene) -> list[str]:
        status = scene.status("measure")
        if status not in ("stopped", "done"):
            return ["The number before a claim is its notebook.", RULE]
        outcomes, seconds = scene.result("measure") or ({}, 0.0)
        verdicts = Counter(row.verdict.partition(":")[0] for row in self.rows(outcomes))
        counts = ", ".join(f"{verdicts[said]} {verb}" for said, verb in VERBS.items() if verdicts[said])
        return [
            f"{'' if status == 'done' else 'Stopped. '}{len(outcomes)} of {len(self.claims)} claims tried in "
            f"{seconds:.0f} s on this model: {counts}.",
            RULE,
        ]

    @part(Claims, layout={"width": "100%"})
    def table(self, scene: Scene) -> dict:
        outcomes, _ = scene.result("measure") or ({}, 0.0)
        return {"rows": self.rows(outcomes)}

    def rows(self, outcomes: Mapping[str, Outcome]) -> tuple[Line, ...]:
        return tuple(line(page, claim, outcomes.get(claim.name)) for page, claim in self.claims)
