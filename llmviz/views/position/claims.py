"""What people say about positions, measured now."""

from __future__ import annotations

import numpy as np

from llmviz import experiments, ops, position
from llmviz.model import Edits, Model, Trace
from llmviz.views.kit.claims import Claim, Claims
from llmviz.views.kit.picture import percent
from llmviz.views.position.numbers import DISTANCES, before_rope, digits


def claims(model: Model) -> Claims:
    """Six claims about position, measured now: the verdicts follow from the numbers."""
    trace = model.trace("The cat that I saw yesterday was sleeping")
    return Claims(
        [_no_order(model), *_only_distance(trace), _fading(trace), _blind(model), _nothing_left(model)]
    )


def _no_order(model: Model) -> Claim:
    one, other = (model.tokenizer.encode(text) for text in ("The dog bites the man", "The man bites the dog"))
    same = sorted(one) == sorted(other)
    return Claim(
        "The embedding knows nothing of order.",
        f"“The dog bites the man”, “The man bites the dog”: {'the same' if same else 'different'} rows of the table.",
        "holds" if same else "fails for this pair",
    )


def _only_distance(trace: Trace) -> tuple[Claim, Claim]:
    config = trace.model.config
    q, k = before_rope(trace, config.n_layers // 2, 0)
    scores = []
    for places in ((5, 2), (105, 102), (1_005, 1_002)):
        angles = position.rotation_angles(np.array(places), config.d_head, base=config.rope_base)
        turned = position.rotate(np.stack([q[-1], k[0]]), angles)
        scores.append(position.pair_scores(*turned).sum())
    apart = float(np.ptp(scores))
    moved_by = trace.model.trace(trace.tokens, Edits(position_shift=1_000.0))
    change = float(np.abs(ops.softmax(moved_by.logits) - ops.softmax(trace.logits)).max())
    return (
        Claim(
            "With RoPE a score depends on the distance only.",
            f"One query and one key at 5 and 2, 105 and 102, 1,005 and 1,002: {', '.join(map(digits, scores))}.",
            "holds" if apart < 1e-2 * np.abs(scores).max() else "fails",
        ),
        Claim(
            "So a text may stand anywhere.",
            f"All positions plus 1,000: no probability of the next token changes by more than {percent(change)}.",
            "holds" if change < 1e-3 else "fails",
        ),
    )


def _fading(trace: Trace) -> Claim:
    config, rest = trace.model.config, slice(1, None)
    lower = steady = 0
    for layer in range(config.n_layers):
        for head in range(config.n_heads):
            q, k = (x[rest].mean(axis=0) for x in before_rope(trace, layer, head))
            curve = position.score_by_distance(q, k, DISTANCES, base=config.rope_base)
            lower += curve[1_000] < curve[1]
            steady += bool((np.diff(curve) <= 0).all())
    n = config.n_layers * config.n_heads
    return Claim(
        "RoPE makes scores fall with the distance.",
        f"A usual query and key of {n} heads: lower at distance 1,000 than at 1 in {lower}, falling steadily in "
        f"{steady}.",
        f"{'is true of most heads' if lower > 0.5 * n else 'is false for most heads'}"
        f"{'; none falls steadily' if not steady else ''}",
    )


def _blind(model: Model) -> Claim:
    tokens = model.tokenizer.encode("First red, then blue. The first colour was")
    swapped = [*tokens[1::-1], *tokens[2:]]
    changes = experiments.relative_change(
        *(model.trace(some, Edits(rope=False)) for some in (tokens, swapped))
    )
    one, all_of_them = changes[0] < 1e-4, changes[-1] < 1e-4
    return Claim(
        "Without positions a model cannot see the order.",
        "RoPE off, the first two tokens swapped. What attention hands to the last token changes by "
        f"{percent(changes[0])} in layer 0, by {percent(changes[-1])} in layer {len(changes) - 1}.",
        "holds"
        if all_of_them
        else "is true of one layer, not of the whole: the mask tells"
        if one
        else "fails",
    )


def _nothing_left(model: Model) -> Claim:
    text = "The capital of France is"
    paris = model.tokenizer.encode(" Paris")[0]
    with_it, off = (ops.softmax(model.trace(text, edits).logits) for edits in (Edits(), Edits(rope=False)))
    return Claim(
        "Without positions nothing works any more.",
        f"“{text}” → Paris: {percent(with_it[paris])} with RoPE, {percent(off[paris])} without.",
        "is an exaggeration: it is still the likeliest" if off.argmax() == paris else "holds, for this text",
    )
