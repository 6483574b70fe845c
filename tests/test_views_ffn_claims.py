"""What is said of FFNs and facts: the verdict follows from what is measured."""

import numpy as np
import pytest

from llmviz import Edits, experiments
from llmviz.views import ffn as pictures


def test_the_claims_are_measured(tiny_model):
    trace = tiny_model.trace("the cat sat on the dog")
    answer = int(trace.logits.argmax())
    most, small, builds, fact = pictures.claims(trace, answer).rows
    parts = experiments.parameters(tiny_model)
    assert most.verdict == ("holds" if parts["FFN"] > sum(parts.values()) / 2 else "fails")
    lengths = [
        float(np.sqrt((x[-1] ** 2).sum())) for x in (trace.blocks[0].resid_pre, trace.blocks[-1].resid_post)
    ]
    assert f"{lengths[0]:.1f} at the input and {lengths[1]:.0f} at the end" in small.measured
    assert small.verdict.startswith("fails" if lengths[1] > 2 * lengths[0] else "holds")
    assert "and 1 at the end" in builds.measured
    assert fact.verdict.startswith("cannot be said")  # a random model is sure of nothing


@pytest.mark.parametrize(
    ("ffn", "attention", "harm", "verdict"),
    [
        ((1, 1, 1), (1, 1, 1), 0, "cannot be seen so"),
        ((0, 1, 1), (1, 1, 1), 9, "cannot be seen so"),  # ordinary text suffers as much
        ((0, 1, 1), (1, 1, 1), 0, "holds: one place"),
        ((1, 1, 1), (1, 0, 1), 0, "fails: it is an attention block"),
        ((0, 0, 1), (1, 1, 1), 0, "holds in part: not in one place"),
        ((0, 1, 1), (1, 0, 1), 0, "holds in part: not in one place, and not in FFNs only"),
    ],
)
def test_the_verdict_follows_from_the_numbers(tiny_model, monkeypatch, ffn, attention, harm, verdict):
    monkeypatch.setattr(experiments, "probability", lambda trace, answer: 0.8)
    monkeypatch.setattr(experiments, "switched_off", lambda *_: 0.8 * np.array([ffn, attention], float))
    monkeypatch.setattr(experiments, "loss", lambda trace: 2.0 + harm * (trace.edits != Edits()))
    trace = tiny_model.trace("the cat")
    said = pictures.claims(trace, int(trace.logits.argmax())).rows[-1].verdict
    assert said.startswith(verdict)
    assert ("FFNs only" in said) == ("FFNs only" in verdict)
