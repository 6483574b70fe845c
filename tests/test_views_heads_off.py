"""Every head off alone, on the reader's text."""

import numpy as np
import pytest

from llmviz import Edits, ops, views

TEXT = "The cat that I saw"


@pytest.fixture
def page(tiny_model):
    return views.HeadsOff(tiny_model, TEXT)


def test_each_head_is_off_alone(page, tiny_model):
    page.buttons[0].click()
    trace = tiny_model.trace(TEXT)
    first = int(trace.logits.argmax())
    changed = 0
    for layer in range(tiny_model.config.n_layers):
        for head in range(tiny_model.config.n_heads):
            logits = tiny_model.trace(TEXT, Edits(head={(layer, head): 0})).logits
            assert page.map.values[head, layer] == pytest.approx(ops.softmax(logits)[first], rel=1e-4)
            changed += int(logits.argmax()) != first
    assert page.changed == changed
    assert f"Without {changed} of the {page.map.values.size} heads" in repr(page.told)


def test_another_text_takes_the_result_away(page):
    page.buttons[0].click()
    page._prompt.box.value = "Another"
    assert page.changed is None
    assert page.map.layout.display == "none"
    page.buttons[0].click()
    assert page.changed is not None
    assert np.isfinite(page.map.values).all()
