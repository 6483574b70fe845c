"""How explanations word themselves; tests/test_views_panels.py runs their lines."""

import re

import numpy as np
import pytest
from messages import holding

from llmviz.views import provenance
from llmviz.views.provenance import Explanation


def test_texts_are_short_and_name_the_tokens(model, cat):
    texts = provenance.score(cat, 13, 8, 6, 1).as_dict()
    assert re.search(holding("“·was”", 6, "“·cat”", 1), texts["title"])
    assert ["d_head = model.config.d_head", "64"] in texts["operands"]
    name, value = texts["operands"][0]
    assert name == "q = trace.blocks[13].q[8, 6]"
    assert re.search(holding(64), value)
    assert len(value) < 60
    table = dict(provenance.embedding(model, 504, 3).as_dict()["operands"])["W_E = model.weights.W_E"]
    assert "49,152 × 576" in table
    masked = provenance.score(cat, 0, 0, 1, 6).as_dict()
    assert ("masked" in masked["title"], masked["result"]) == (True, "−∞")
    assert provenance.pattern(cat, 0, 0, 1, 6).result == 0


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
