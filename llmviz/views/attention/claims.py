"""What people say about attention, measured now."""

from __future__ import annotations

import numpy as np

from llmviz import Edits, attention, experiments, ops
from llmviz.model import Model
from llmviz.views.attention.cost import seconds
from llmviz.views.attention.heads import head_name
from llmviz.views.attention.induction import random_tokens
from llmviz.views.kit.claims import Claim, Claims
from llmviz.views.kit.picture import percent


def claims(model: Model, *, n: int = 30, draws: int = 3, longer: int = 256) -> Claims:
    """Six claims about attention, measured now: the verdicts follow from the numbers."""
    return Claims(
        [
            *_where_it_looks(model),
            _copying(model, n, draws),
            _names(model),
            _explaining(model),
            _doubling(model, longer),
        ]
    )


def _where_it_looks(model: Model) -> list[Claim]:
    trace = model.trace("The cat that I saw yesterday was sleeping")
    was, cat, yesterday = (trace.pieces.index(piece) for piece in (" was", " cat", " yesterday"))
    weights = experiments.weights_from(trace, was)
    mean, best = weights.mean(axis=(0, 1)), experiments.strongest(weights[..., cat], 1)[0]
    few, n = int((weights[..., cat] > 0.5).sum()), weights[..., 0].size
    on_average = mean[cat] > mean[yesterday]
    resting = float((experiments.weights_from(trace, len(trace.tokens) - 1)[..., 0] > 0.5).mean())
    return [
        Claim(
            "In the cat sentence, “was” looks at “cat” and not at “yesterday”.",
            f"Mean of {n} heads: first token {percent(mean[0])}, yesterday {percent(mean[yesterday])}, cat "
            f"{percent(mean[cat])}. {head_name(*best).capitalize()}: cat {percent(weights[best][cat])}, yesterday "
            f"{percent(weights[best][yesterday])}. More than half on cat: {few} heads.",
            f"is true of {few} heads, and {'on average, too' if on_average else 'false on average'}"
            if few
            else f"{'holds on average' if on_average else 'fails'}; no head does it strongly",
        ),
        Claim(
            "Everything looks at the first token.",
            f"{percent(resting)} of the heads give it more than half of the last token's attention.",
            "is true of most heads; so hide it before you read a map"
            if resting > 0.5
            else "is true of some heads"
            if resting > 0.1
            else "fails",
        ),
    ]


def _copying(model: Model, n: int, draws: int) -> Claim:
    passes = []
    for seed in range(draws):
        tokens = random_tokens(model, n, seed) * 2
        trace = model.trace(tokens)
        scores = np.stack([attention.induction_score(block.patterns(), tokens) for block in trace.blocks])
        best = experiments.strongest(scores, 8)
        others = experiments.random_heads(scores.shape, 8, best, seed)
        off, at_random = (
            experiments.token_probs(model.trace(tokens, Edits(head=dict.fromkeys(heads, 0))))[n:].mean()
            for heads in (best, others)
        )
        right = experiments.token_probs(trace)
        passes.append((right[: n - 1].mean(), right[n:].mean(), off, at_random))
    first, second, off, at_random = np.array(passes).T
    copies, needed = second.min() > 20 * first.max(), off.mean() < 0.1 * second.mean()
    return Claim(
        "Heads copy patterns (induction).",
        f"{n} random tokens twice, {draws} draws. Right next token: first pass at most {percent(first.max())}, second "
        f"pass {percent(second.min())} to {percent(second.max())}. With the 8 strongest induction heads off "
        f"{percent(off.min())} to {percent(off.max())}, with 8 others off {percent(at_random.min())} to "
        f"{percent(at_random.max())}.",
        (
            "holds: it copies, and it needs just these heads"
            if needed
            else "holds, but other heads can do it, too"
        )
        if copies
        else "does not show on these draws",
    )


def _names(model: Model) -> Claim:
    trace = model.trace("When Mary and John went to the store, John gave a drink to")
    probs = ops.softmax(trace.logits)
    mary, john = (model.tokenizer.encode(name)[0] for name in (" Mary", " John"))
    return Claim(
        "Heads keep track of names: Mary and John went to the store, John gave a drink to …",
        f"Mary {percent(probs[mary])}, John {percent(probs[john])}.",
        "holds, in this sentence" if probs.argmax() == mary else "fails, in this sentence",
    )


def _explaining(model: Model) -> Claim:
    trace = model.trace("The cat that I saw yesterday")
    was, were = (model.tokenizer.encode(word)[0] for word in (" was", " were"))
    best = experiments.strongest(
        experiments.weights_from(trace, len(trace.tokens) - 1)[..., trace.pieces.index(" cat")], 3
    )
    without = model.trace(trace.tokens, Edits(head=dict.fromkeys(best, 0)))
    lead, left = (float(run.logits[was] - run.logits[were]) for run in (trace, without))
    return Claim(
        "Where a model looks explains what it answers.",
        f"The three heads that look most at “cat”, switched off: the lead of “was” over “were” goes from {lead:.2f} to "
        f"{left:.2f}.",
        "fails here: looking is not explaining"
        if abs(left - lead) < 0.3 * abs(lead)
        else "holds here: without them the answer is another one"
        if left * lead < 0
        else "holds in part here",
    )


def _doubling(model: Model, longer: int) -> Claim:
    longer = min(longer, model.config.n_ctx // 2)
    ids = random_tokens(model, min(longer, 200), 0) * 2
    ids = (ids * (2 * longer // len(ids) + 1))[: 2 * longer]
    model.trace(ids[:8])
    times = []
    for n in (longer, 2 * longer):
        model.forget()
        times.append(seconds(lambda n=n: model.trace(ids[:n])))
    ratio = times[1] / times[0]
    return Claim(
        "Twice the text takes four times the work.",
        f"{longer:,} tokens {times[0]:.2f} s, {2 * longer:,} tokens {times[1]:.2f} s: {ratio:.1f} times as long.",
        "holds at this length" if ratio > 3.5 else "is true of scores and mixing only, not of the whole",
    )
