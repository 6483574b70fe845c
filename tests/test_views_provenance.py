"""Each explanation's line, run on the operands it names, gives the number that it explains."""

import re

import numpy as np
import pytest
from messages import holding

import llmviz
from llmviz.views import provenance
from llmviz.views.provenance import Explanation, Operand

TEXT = "The cat that I saw yesterday was sleeping"


@pytest.fixture(scope="module")
def trace(model):
    return model.trace(TEXT)


def run(explanation: Explanation) -> float:
    names = {"np": np, "llmviz": llmviz} | {operand[0]: operand[1] for operand in explanation.operands}
    return eval(explanation.line, names)


def all_explanations(model, trace) -> list[Explanation]:
    cat = trace.tokens[1]
    likeliest = int(trace.logits.argmax())
    unlikely = int(trace.logits.argmin())
    return [
        provenance.embedding(model, cat, 0),
        provenance.embedding(model, cat, model.config.d_model - 1),
        provenance.score(trace, 13, 8, 6, 1),
        provenance.score(trace, 0, 0, 0, 0),
        provenance.score(trace, 13, 8, 1, 6),  # masked
        provenance.pattern(trace, 13, 8, 6, 1),
        provenance.pattern(trace, 13, 8, 1, 6),  # masked
        provenance.logit(trace, likeliest),
        provenance.prob(trace.logits, likeliest, piece="x"),
        provenance.prob(trace.logits, likeliest, piece="x", steps=[("temperature", 0.5)]),
        provenance.prob(trace.logits, likeliest, piece="x", steps=[("temperature", 0)]),
        provenance.prob(trace.logits, unlikely, piece="x", steps=[("temperature", 0)]),
        provenance.prob(trace.logits, likeliest, piece="x", steps=[("top_p", 0.9), ("temperature", 1.3)]),
        provenance.prob(trace.logits, unlikely, piece="x", steps=[("top_k", 5)]),  # cut
    ]


def test_the_operands_are_what_their_expressions_say_and_the_line_makes_the_number(model, trace):
    names, checked = {"model": model, "trace": trace, "llmviz": llmviz, "np": np}, 0
    for explanation in all_explanations(model, trace):
        title = explanation.title
        np.testing.assert_allclose(run(explanation), explanation.result, rtol=2e-5, err_msg=title)
        for name, value, source in (Operand(*operand) for operand in explanation.operands):
            if source:
                message = f"{name} = {source}"
                np.testing.assert_allclose(eval(source, names), value, rtol=2e-6, atol=1e-6, err_msg=message)
                checked += 1
    assert checked > 15


def test_results_are_the_models_own(model, trace):
    # one row is computed by itself: on some processors BLAS rounds that otherwise than a whole table
    attention = trace.blocks[13].attention
    score, pattern = attention.scores[8, 6, 1], attention.pattern[8, 6, 1]
    assert provenance.score(trace, 13, 8, 6, 1).result == pytest.approx(score, rel=1e-6)
    assert provenance.pattern(trace, 13, 8, 6, 1).result == pytest.approx(pattern, rel=1e-6)
    assert provenance.logit(trace, 260).result == trace.logits[260]
    sampler = llmviz.Sampler(temperature=0.7, top_p=0.9)
    token = int(trace.logits.argmax())
    steps = [("temperature", 0.7), ("top_p", 0.9)]
    explained = provenance.prob(trace.logits, token, piece="x", steps=steps)
    assert explained.result == sampler.probs(trace.logits)[token]


def test_texts_are_short_and_name_the_tokens(model, trace):
    texts = provenance.score(trace, 13, 8, 6, 1).as_dict()
    assert re.search(holding("“·was”", 6, "“·cat”", 1), texts["title"])
    assert ["d_head = model.config.d_head", "64"] in texts["operands"]
    name, value = texts["operands"][0]
    assert name == "q = trace.blocks[13].q[8, 6]"
    assert re.search(holding(64), value)
    assert len(value) < 60
    table = dict(provenance.embedding(model, 504, 3).as_dict()["operands"])["W_E = model.weights.W_E"]
    assert "49,152 × 576" in table
    masked = provenance.score(trace, 0, 0, 1, 6).as_dict()
    assert ("masked" in masked["title"], masked["result"]) == (True, "−∞")
    assert provenance.pattern(trace, 0, 0, 1, 6).result == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (-2, "−2"),
        (np.float32(-0.5), "−0.5"),
        (1e-9, "1e−09"),
        (np.inf, "∞"),
        (-np.inf, "−∞"),
        (np.nan, "undefined"),
        (True, "True"),
        (None, "none"),
        ("a text", "a text"),
        (b"\xc3x", "b'\\xc3x'"),
        ({"a": 1, "b": 2}, "2 entries"),
        (np.array([1.0, -2.0]), "[1, −2]"),
        (np.zeros((3, 4)), "3 × 4 numbers"),
    ],
)
def test_values_for_people(value, text):
    assert provenance.short(value) == text


def test_a_plain_pair_is_an_operand():
    explanation = Explanation("sum", "a + b", [("a", 1), ("b", 2)], "a + b", 3)
    assert explanation.as_dict()["operands"] == [["a", "1"], ["b", "2"]]
    assert repr(explanation).splitlines()[-1] == "a + b = 3"
