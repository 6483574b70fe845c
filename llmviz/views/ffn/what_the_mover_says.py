"""What the head that carries a fact to the last token writes there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import ops
from llmviz.experiments import fact_mover_head, ov_logits, random_heads
from llmviz.experiments.attention_behaviours import weights_of_last
from llmviz.experiments.facts import rank_of_answer
from llmviz.views.kit.fact import OfFact, named, subjects
from llmviz.views.kit.pieces import isolated, quote
from llmviz.views.kit.signed_bars import SignedBars
from llmviz.views.kit.state_fields import clip_position, selected, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, part, sentences, shared

N_PUSHED = 6  # tokens
FULL = 3.0  # logits of a full bar, unless one is longer


def about_cities(ranks: dict[str, dict[str, int]]) -> str:
    """Say what a card adds about `city_ranks`."""
    first, *others = (" and ".join(f"{quote(city)} {n:,}" for city, n in of.items()) for of in ranks.values())
    higher = sum(capital < other for capital, other in [of.values() for of in ranks.values()][1:])
    return (
        f"Ranks among all tokens: {first}. So the head doesn't push up the capital only: look at the other tokens. For "
        f"{higher} of {len(others)} other countries, the capital ranks above the other city: {'; '.join(others)}."
    )


class WhatTheMoverSays(OfFact):
    """The tokens that the `fact_mover_head` would push up if it attended to one token only: the subject, or another.

    Two controls: the same head at the same place in the twin, and another head of its layer.
    """

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        """The token that the head reads; None: the subject."""

        at: int | None = selection(
            "strip", lambda view: range(len(view.run.trace.tokens)) if view.run else ()
        )

    @shared
    def head(self, scene: Scene) -> tuple[int, int]:
        return fact_mover_head(scene.pair)

    @shared
    def place(self, scene: Scene) -> int:
        """Return the token that the head reads."""
        n = len(scene.pair.trace.tokens)
        at = selected(scene.at, n)
        return clip_position(scene.pair.subject if at is None else at, n)

    @shared
    def other(self, scene: Scene) -> int:
        """Return the control, another head of the layer."""
        layer, head = scene.head
        ((_, other),) = random_heads((1, scene.pair.trace.model.config.n_heads), 1, [(0, head)], seed=layer)
        return other

    @part(TokenStrip, [], quantity="attention weight")
    def strip(self, scene: Scene) -> dict:
        run, (layer, head) = scene.pair.trace, scene.head
        return {
            "pieces": run.pieces,
            "weights": weights_of_last(run, layer, head),
            "selected": scene.place,
            "caption": f"Click a token for layer {layer}, head {head} (L{layer}·H{head}) to read",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, (layer, head) = scene.pair, scene.head
        subject, answer = subjects(pair)[0], named(pair, pair.answers[:1])[0]
        return [
            f"Of all tokens that L{layer}·H{head} pushes up when it reads {subject}, {answer} ranks "
            f"{rank_of_answer(pair):,}. "
            f"Control: of those of L{layer}·H{scene.other}, it ranks {rank_of_answer(pair, (layer, scene.other)):,}."
        ]

    @part(SignedBars)
    def pushed(self, scene: Scene) -> dict:
        pair, (layer, head), at = scene.pair, scene.head, scene.place
        panels = (pair.trace, head, ""), (pair.twin, head, ", in the twin"), (pair.trace, scene.other, "")
        titles, labels, values = [], [], []
        for run, number, where in panels:
            pushes = ov_logits(run, layer, number, at)
            best = ops.top(pushes, N_PUSHED)
            titles.append(f"L{layer}·H{number} reads {isolated(run.pieces[at])}{where}")
            labels += run.model.tokenizer.pieces(best.tolist())
            values.append(pushes[best])
        return {
            "titles": titles,
            "labels": labels,
            "values": np.stack(values),
            "limit": max(FULL, float(np.max(np.abs(values)))),
            "caption": "The tokens that each head would push up most if it attended to one token only (logits). "
            "Control: another head of its layer",
        }
