"""What people say about FFNs, facts and depth, measured now."""

from __future__ import annotations

import numpy as np

from llmviz import experiments
from llmviz.model import Edits, Model, Trace
from llmviz.views.ffn.logit_lens import came_late, for_good
from llmviz.views.ffn.prompt import depths
from llmviz.views.ffn.where_is_the_fact import BROKEN, CONTROL, LOST, SURE
from llmviz.views.kit.claims import Claim, Claims
from llmviz.views.kit.picture import percent
from llmviz.views.kit.pieces import quote


def claims(trace: Trace, answer: int) -> Claims:
    """Four claims, tried on a text and the answer to it: the verdicts follow from the numbers."""
    return Claims([_most(trace.model), _small(trace), _builds_up(trace, answer), _the_fact(trace, answer)])


def _most(model: Model) -> Claim:
    parts = experiments.parameters(model)
    total = sum(parts.values())
    shares = ", ".join(f"{name} {percent(n / total)}" for name, n in parts.items())
    return Claim(
        "Most parameters are in the FFNs.",
        f"{shares} of {total / 1e6:.1f} million.",
        "holds" if parts["FFN"] > total / 2 else "fails",
    )


def _small(trace: Trace) -> Claim:
    first, *_, last = experiments.stream_norms(trace)[:, -1]
    return Claim(
        "The norms keep the stream small.",
        f"The last token's stream has length {first:.1f} at the input and {last:.0f} at the end.",
        "fails: they rescale only what each block reads" if last > 2 * first else "holds, for this text",
    )


def _builds_up(trace: Trace, answer: int) -> Claim:
    ranks = experiments.logit_lens(trace, last=1).ranks([answer])[0]
    (piece,) = trace.model.tokenizer.pieces([answer])
    first = for_good(ranks)
    share = 1.0 if first is None else first / (len(ranks) - 1)
    return Claim(
        "Knowledge builds up layer by layer.",
        came_late(quote(piece), ranks, depths(trace.model)),
        "fails for what can be read off: it comes late" if share > 0.6 else "holds, for this text",
    )


def _the_fact(trace: Trace, answer: int) -> Claim:
    """FFNs and attention blocks that cost the answer more than half; and those among them that only it needs."""
    model, whole = trace.model, experiments.probability(trace, answer)
    usual = experiments.loss(model.trace(CONTROL))
    lost, alone = {}, {}
    kept = experiments.switched_off(model, trace.tokens, lambda run: experiments.probability(run, answer))
    for part, row in zip(experiments.PARTS, kept):
        lost[part] = np.flatnonzero(~(row >= LOST * whole)).tolist()
        alone[part] = [i for i in lost[part] if _extra(model, part, i) < usual + BROKEN]
    (piece,) = model.tokenizer.pieces([answer])
    told = [
        f"{name} off: more than half lost in {len(lost[part])} layers; in {len(alone[part])} of them ordinary text "
        "is hardly harmed."
        for part, name in zip(experiments.PARTS, ("One FFN", "One attention block"))
    ]
    places = sum(map(len, alone.values()))
    if whole < SURE:
        verdict = "cannot be said from this text: so unsure a guess falls easily"
    elif places == 0:
        verdict = "cannot be seen so: no single block is needed for this alone"
    elif places == 1:
        verdict = (
            "holds: one place stands out"
            if alone["ffn"]
            else "fails: it is an attention block that is needed"
        )
    else:
        verdict = "holds in part: not in one place" + (", and not in FFNs only" if alone["attention"] else "")
    return Claim(
        "A fact is in one of the FFNs.", f"{quote(piece)} {percent(whole)}. {' '.join(told)}", verdict
    )


def _extra(model: Model, part: str, layer: int) -> float:
    """The control's surprise with one block off; infinite where the numbers overflow."""
    try:
        return experiments.loss(model.trace(CONTROL, Edits(**{part: {layer: 0.0}})))
    except FloatingPointError:
        return float("inf")
