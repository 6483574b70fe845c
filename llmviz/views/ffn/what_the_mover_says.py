"""What the head writes that carries a fact to the last token."""

from __future__ import annotations

from llmviz.experiments import Pair, fact_mover_head
from llmviz.experiments.facts import rank_of_answer, why_no_fact
from llmviz.model import Trace
from llmviz.views.ffn.head_pushes import HeadPushes
from llmviz.views.kit.fact import Fact, OfFact, named, no_fact, subjects
from llmviz.views.kit.view import Scene, sentences


class WhatTheMoverSays(OfFact, HeadPushes):
    """What the `fact_mover_head` reads at the subject, and writes from there."""

    stage = "attention"
    arrangement = (("layer", "head", "query"), "strip", "message", "about", "pushed")

    def __init__(self, fact: Fact, **state):
        super().__init__(fact, **(mover_head(fact.trace) | state))

    def fitted(self, state: HeadPushes.State) -> HeadPushes.State:
        return self.State(query=state.query, **mover_head(self.run))

    @property
    def trace(self) -> Trace:
        return self.run.trace if self.run else self.source.source.trace

    def is_shown(self, part: str, scene: Scene) -> bool:
        return not no_fact(scene.run)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair = scene.pair
        subject, answer = subjects(pair)[0], named(pair, pair.answers[:1])[0]
        layer, head = fact_mover_head(pair)
        rank = f"{answer} ranks {rank_of_answer(pair):,}"
        return [f"Of all tokens that layer {layer}, head {head} pushes up at {subject}, {rank}."]


def mover_head(pair: Pair | None) -> dict:
    """Return the fields of a state in which that head attends to the subject, if there is a fact."""
    if pair is None or why_no_fact(pair):
        return {}
    layer, head = fact_mover_head(pair)
    return {"layer": layer, "head": head, "at": pair.subject}
