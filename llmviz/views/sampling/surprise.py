"""How well the model expected a text that the reader wrote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import ops, sampling
from llmviz.model import Trace
from llmviz.views import provenance
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, explains, part, sentences, shared
from llmviz.views.provenance import Explanation


def largest_surprise(trace: Trace) -> float:
    """Return the largest surprise in a text, in bits. ValueError for a single token."""
    if len(trace.tokens) < 2:
        raise ValueError("one token only, so nothing was predicted")
    return float(sampling.surprise(trace.all_logits(), trace.tokens).max())


class Surprise(View):
    """The reader's own text, each token shaded by the probability the model gave it, with its rivals and the loss."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        token: int | None = selection("strip")

    @shared
    def bits(self, scene: Scene) -> np.ndarray:
        return sampling.surprise(scene.run.all_logits(), scene.run.tokens)

    @part(
        TokenStrip,
        [],
        quantity="probability",
        caption="Strong colour: expected. Faint: a surprise. Choose a token",
    )
    def strip(self, scene: Scene) -> dict:
        run, notes = scene.run, ["the first token: nothing to guess it from"]
        for logits, bits in zip(run.all_logits(), scene.bits):
            probs = ops.softmax(logits)
            best = top(probs, 3).tolist()
            rivals = zip(run.model.tokenizer.pieces(best), probs[best])
            expected = ", ".join(f"{quote(piece)} {percent(p)}" for piece, p in rivals)
            notes.append(f"{bits:.1f} bits · expected: {expected}")
        return {
            "pieces": run.pieces,
            "ids": run.tokens,
            "weights": np.concatenate([[np.nan], 2.0**-scene.bits]),
            "notes": notes,
            "selected": selected(scene.token, len(run.tokens)),
        }

    @explains("strip")
    def explain(self, scene: Scene, position: int) -> Explanation:
        if not position:
            raise ValueError("nothing comes before the first token")
        return provenance.prob(
            scene.run.logits_at(position - 1),
            scene.run.tokens[position],
            piece=scene.run.pieces[position],
            source=f"trace.logits_at({position - 1})",
        )

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if not scene.bits.size:
            return ["One token only: nothing was guessed, so there is no loss."]
        loss = scene.bits.mean()
        return [f"Loss: {loss:.2f} bits a token; perplexity {2**loss:,.1f}."]
