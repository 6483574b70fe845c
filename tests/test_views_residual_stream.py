"""The stream's length, and where the parameters are."""

import numpy as np
import pytest

from llmviz import experiments
from llmviz.views import ffn as pictures


def test_norms_are_lengths(prompt):
    one = pictures.StreamNorms(prompt)
    trace = prompt.trace
    expected = np.sqrt((trace.blocks[1].resid_post[2].astype(float) ** 2).sum())
    assert one.map.values[2, 2] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(one.plot.values, one.map.values[[0, -1]])
    explanation = one.map.provenance(2, 2)
    assert eval(explanation.line, {"np": np}, {"x": explanation.operands[0][1]}) == pytest.approx(
        expected, rel=1e-5
    )


def test_the_shares_of_the_parameters(tiny_model, monkeypatch):
    shares = pictures.parameter_shares(tiny_model)
    assert shares.values.sum() == pytest.approx(1)
    assert "FFN" in shares.text()
    parts = dict(zip(shares.labels, shares.values[0]))
    largest = max(parts, key=parts.get)
    assert largest in shares.caption
    assert "%" in shares.text()
    captions = set()
    for others in (1, 2):  # the FFNs have most of them, or only more than each other part
        counts = {"FFN": 2, **{f"part {i}": 1 for i in range(others)}}
        monkeypatch.setattr(experiments, "parameters", lambda model, counts=counts: counts)
        captions.add(pictures.parameter_shares(tiny_model).caption)
    assert len(captions) == 2
