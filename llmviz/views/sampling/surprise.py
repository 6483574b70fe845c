"""How well the model expected a text that the reader wrote."""

from __future__ import annotations

import numpy as np

from llmviz import ops, sampling
from llmviz.model import Trace
from llmviz.views import provenance
from llmviz.views.kit.controls import Told
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.provenance import Explanation


def largest_surprise(trace: Trace) -> float:
    """The largest surprise in a text, in bits. ValueError for a single token."""
    if len(trace.tokens) < 2:
        raise ValueError("one token only, so nothing was guessed")
    return float(sampling.surprise(trace.all_logits(), trace.tokens).max())


class Surprise(Explorer):
    """The reader's own text, each token shaded by the probability the model gave it, with its rivals and the loss."""

    def __init__(self, prompt: Prompt):
        self.prompt = prompt
        self.told = Told()
        self.strip = TokenStrip(
            [],
            stage="sampling",
            quantity="probability",
            caption="Strong colour: expected. Faint: a surprise. Choose a token",
            provenance=self._explain,
        )
        super().__init__([prompt, self.strip, self.told])
        self.follow(prompt, self.draw)

    @one_at_a_time
    def draw(self, trace: Trace) -> None:
        logits = trace.all_logits()
        bits = sampling.surprise(logits, trace.tokens)
        notes = ["the first token: nothing to guess it from"]
        for row, one in zip(logits[:-1], bits):
            probs = ops.softmax(row)
            best = top(probs, 3).tolist()
            rivals = zip(trace.model.tokenizer.pieces(best), probs[best])
            expected = ", ".join(f"{quote(piece)} {percent(p)}" for piece, p in rivals)
            notes.append(f"{one:.1f} bits · expected: {expected}")
        weights = np.concatenate([[np.nan], 2.0**-bits])
        self.strip.change(pieces=trace.pieces, ids=trace.tokens, weights=weights, notes=notes, selected=None)
        self.told.say(
            f"Loss: {bits.mean():.2f} bits a token; perplexity {2 ** bits.mean():,.1f}."
            if bits.size
            else "One token only: nothing was guessed, so there is no loss."
        )

    @one_at_a_time
    def _explain(self, position: int) -> Explanation:
        if not position:
            raise ValueError("nothing comes before the first token")
        trace = self.prompt.trace
        return provenance.prob(
            trace.logits_at(position - 1),
            trace.tokens[position],
            piece=trace.pieces[position],
            source=f"trace.logits_at({position - 1})",
        )
