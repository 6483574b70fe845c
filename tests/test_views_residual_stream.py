"""The stream, who writes to it, and where the parameters are."""

import numpy as np
import pytest

from llmviz import experiments
from llmviz.views import ffn as pictures
from llmviz.views.ffn.residual_stream import ALONE


def told(widget) -> str:
    return repr(widget).replace("−", "-")


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


def test_the_bars_are_the_parts_and_the_sum_is_said(prompt):
    one = pictures.WhoSaysIt(prompt)
    parts = experiments.direct_attribution(prompt.trace, prompt.answer)
    np.testing.assert_allclose(one.plot.values, [parts.ffn, parts.attention], rtol=1e-5)
    assert ": the same." in told(one.told)
    rival = one.rival.options[2][1]
    one.rival.value = rival
    parts = experiments.direct_attribution(prompt.trace, prompt.answer, against=rival)
    np.testing.assert_allclose(one.plot.values, [parts.ffn, parts.attention], rtol=1e-5)
    prompt.answers.value = rival  # the rival becomes the answer: compared with nothing again
    assert one.rival.value == ALONE


def test_the_shares_of_the_parameters(tiny_model):
    shares = pictures.parameter_shares(tiny_model)
    assert shares.values.sum() == pytest.approx(1)
    assert "FFN" in shares.text()
    parts = dict(zip(shares.labels, shares.values[0]))
    largest = max(parts, key=parts.get)
    assert shares.caption.endswith(f"in the {largest}")
    assert ("not most" in shares.caption) == (parts[largest] <= 0.5)
    assert "%" in shares.text()
