"""Which claims of popular explanations hold in this model? Each is tested on many cases while the reader watches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence

import ipywidgets

from llmviz.claims import Claim, Outcome
from llmviz.claims.claim import HOLDS, verdict
from llmviz.claims.differences_series import SERIES
from llmviz.model import Model
from llmviz.views.differences.table import Table
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.view import Scene, job, part, sentences


class ClaimsOfTheSeries(GuessFirst):
    """A table of what people say and how that can be tested. A guess starts the tests, which fill it line by line.

    claims: by the number of the notebook that says more.
    """

    experiment, unit, whole = "measure", "claims", True

    def __init__(self, model: Model, claims: Mapping[str, Sequence[Claim]] = SERIES, **state):
        self.claims = [(page, claim) for page, of_page in claims.items() for claim in of_page]
        self.high = len(self.claims)
        super().__init__(model, **state)

    def inputs(self) -> Hashable:
        return super().inputs(), tuple(self.claims)

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.parts["card"], self.parts["begin"]]  # The tests take minutes.

    def question(self, scene: Scene) -> str:
        return (
            "A claim holds if it's true in at least nine of ten cases and beats its control, if it has one. "
            f"How many of these {len(self.claims)} hold?"
        )

    def answer(self, scene: Scene) -> int:
        return self.verdicts(scene)[HOLDS]

    begin = starts(lambda view, _: f"Try all {len(view.claims)}")

    @job()
    def measure(self, scene: Scene) -> Iterator[tuple[float, dict[str, Outcome] | None]]:
        outcomes: dict[str, Outcome] = {}
        for i, (_, claim) in enumerate(self.claims):
            for share, outcome in claim.try_each(scene.run):
                outcomes = {**outcomes, claim.name: outcome} if outcome else outcomes
                yield (i + share) / len(self.claims), outcomes if outcome else None

    def verdicts(self, scene: Scene) -> Counter[str]:
        """Count the verdicts so far."""
        outcomes = scene.so_far
        tried = (claim for _, claim in self.claims if claim.name in outcomes)
        return Counter(verdict(claim, outcomes[claim.name])[0] for claim in tried)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        counts = ", ".join(f"{said}: {n}" for said, n in self.verdicts(scene).items())
        return [f"{len(scene.so_far)} of {len(self.claims)} claims tried. {counts[0].upper()}{counts[1:]}."]

    @part(Table, "people say", "how it is tested", "what came out")
    def table(self, scene: Scene) -> dict:
        outcomes = (scene.result(self.experiment) or {}) if scene.committed else {}
        rows = [
            (
                f"{page} · {claim.sentence}",
                claim.method,
                ": ".join(verdict(claim, outcomes[claim.name])) if claim.name in outcomes else "",
            )
            for page, claim in self.claims
        ]
        return {"sections": {"": rows}}
