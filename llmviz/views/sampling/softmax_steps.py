"""Softmax in three steps: logits, their powers of e, and each power's share of the sum."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz import ops
from llmviz.model import Trace
from llmviz.views import provenance
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import OfCells, Pieces, lines
from llmviz.views.kit.pieces import quote, visible
from llmviz.views.provenance import Explanation


class SoftmaxSteps(OfCells):
    """Logit, power of e and probability of some tokens: `values` [n, 3], likeliest first.

    `ranks`: the rank of each among all tokens, from 1. `power_sum`: the sum of the powers of the whole vocabulary.
    A click, the arrow keys or Python select a number (`selected`, row and column).
    """

    _static, _stage = "softmax_steps", "sampling"

    pieces = Pieces()
    ranks = traitlets.List(traitlets.Int()).tag(sync=True)
    power_sum = traitlets.Float(1.0).tag(sync=True)
    n_vocab = traitlets.Int(1).tag(sync=True)

    def text(self) -> str:
        if self.values is None:
            return "no tokens yet"
        rows = [["token", "rank", "logit", "power", "probability"]]
        for piece, rank, (logit, power, prob) in zip(self.pieces, self.ranks, self.values):
            rows.append([visible(piece), f"{rank:,}", f"{logit:.2f}", f"{power:.3g}", percent(prob)])
        return f"{lines(rows)}\nsum of the powers of all {self.n_vocab:,} tokens: {self.power_sum:.4g}"


def softmax_steps(trace: Trace, n: int = 7) -> SoftmaxSteps:
    """Draw the steps from logits to probabilities for the n likeliest tokens, one of middle rank, and the last."""
    order = np.argsort(-trace.logits, kind="stable")
    ranks = [*range(n), len(order) // 2, len(order) - 1]
    tokens = order[ranks].tolist()
    pieces, probs = trace.model.tokenizer.pieces(tokens), ops.softmax(trace.logits)
    # e^(logit - largest) is a probability divided by the largest one, because the sum cancels.
    powers = probs / probs.max()

    def explain(row: int, col: int) -> Explanation:
        token, piece = tokens[row], pieces[row]
        if col == 0:
            return provenance.logit(trace, token)
        if col == 2:
            return provenance.prob(trace.logits, token, piece=piece)
        title = f"Power of {quote(piece)} (id {token})"
        formula = (
            "power = e to the (logit − the largest logit): 1 for the likeliest token, less for all others"
        )
        line = "np.exp(logits[token] - logits.max())"
        return provenance.explained(
            trace, title, formula, line, powers[token], logits="trace.logits", token=token
        )

    return SoftmaxSteps(
        pieces=pieces,
        ranks=[rank + 1 for rank in ranks],
        values=np.stack([trace.logits[tokens], powers[tokens], probs[tokens]], axis=1),
        power_sum=float(powers.sum(dtype=np.float64)),
        n_vocab=len(order),
        caption="After your text: from logits to probabilities, in three steps",
        provenance=explain,
    )
