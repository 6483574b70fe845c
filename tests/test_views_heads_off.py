"""Every head off alone, and spare ones together, on the reader's text."""

import re

import numpy as np
import pytest
from messages import holding, numbers

from llmviz import Edits, ops, views
from llmviz.views.the_loop import heads_off

TEXT = "The cat that I saw"


@pytest.fixture
def page(tiny_model, monkeypatch):
    monkeypatch.setattr(heads_off, "TOGETHER", (2,))
    return views.HeadsOff(tiny_model, TEXT)


def test_each_head_is_off_alone(page, tiny_model):
    page.buttons[0].click()
    first = int(tiny_model.trace(TEXT).logits.argmax())
    changed = 0
    for layer in range(tiny_model.config.n_layers):
        for head in range(tiny_model.config.n_heads):
            logits = tiny_model.trace(TEXT, Edits(head={(layer, head): 0})).logits
            assert page.map.values[head, layer] == pytest.approx(ops.softmax(logits)[first], rel=1e-4)
            other = int(logits.argmax()) != first
            assert page.map.cell_text[head][layer] == ("≠" if other else "")
            changed += other
    assert page.changed == changed
    assert re.search(holding(changed, page.map.values.size), repr(page.told))


def test_a_guess_starts_it_and_is_answered_at_the_end(page):
    page.card.change(guess=2, committed=True)
    assert {2, page.changed} <= {*numbers(page.card.told)}
    page.card.ask_again()
    page.card.committed = True  # once known, it is told at once
    assert numbers(page.card.told) == [page.changed]


def test_spare_heads_go_together(page, tiny_model):
    page.buttons[0].click()
    page.buttons[1].click()
    lines = enumerate(page.map.cell_text)
    spare = [(layer, head) for head, line in lines for layer, mark in enumerate(line) if not mark]
    first = int(tiny_model.trace(TEXT).logits.argmax())
    logits = tiny_model.trace(TEXT, Edits(head=dict.fromkeys(spare, 0))).logits
    assert page.kept[len(spare)] == 10 * (int(logits.argmax()) == first)
    assert 0 <= page.kept[2] <= 10
    assert re.search(holding(len(spare)), page.told.sentences[1])


def test_another_text_takes_the_result_away(page):
    page.card.change(guess=2, committed=True)
    page.children[0].box.value = "Another"
    assert page.changed is None
    assert not page.card.committed
    assert page.map.layout.display == "none"
    page.buttons[0].click()
    assert page.changed is not None
    assert np.isfinite(page.map.values).all()
