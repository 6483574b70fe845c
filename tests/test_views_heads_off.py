"""Every head off on its own, and several of those that change nothing together, on the reader's text."""

import numpy as np
import pytest
from messages import numbers
from widget_tree import scene

from llmviz import Edits, ops, views
from llmviz.experiments import random_heads
from llmviz.views.the_loop.heads_off import N_SETS

TEXT = "The cat that I saw"


@pytest.fixture
def page(tiny_model):
    return views.HeadsOff(tiny_model, TEXT)


def test_each_head_is_off_alone(page, tiny_model):
    page.parts["card"].committed = True
    values, marks = page.parts["map"].values, page.parts["map"].cell_text
    first = int(tiny_model.trace(TEXT).logits.argmax())
    changed = 0
    for layer in range(tiny_model.config.n_layers):
        for head in range(tiny_model.config.n_heads):
            logits = tiny_model.trace(TEXT, Edits(head={(layer, head): 0})).logits
            assert values[head, layer] == pytest.approx(ops.softmax(logits)[first], rel=1e-4)
            other = int(logits.argmax()) != first
            assert marks[head][layer] == ("≠" if other else "")
            changed += other
    assert page.parts["card"].answer == changed


def test_the_others_go_together_all_and_in_random_sets(tiny_model, monkeypatch):
    monkeypatch.setattr("llmviz.views.the_loop.heads_off.SET_SIZES", (1, 2, 1000))
    page = views.HeadsOff(tiny_model, TEXT)
    page.parts["card"].committed = True
    lines = enumerate(page.parts["map"].cell_text)
    others = {(layer, head) for head, line in lines for layer, mark in enumerate(line) if not mark}
    first = int(tiny_model.trace(TEXT).logits.argmax())

    def changes(heads):
        return int(tiny_model.trace(TEXT, Edits(head=dict.fromkeys(heads, 0))).logits.argmax()) != first

    left, _, together = scene(page).result("each")
    needed = {(layer, head) for layer, head in np.ndindex(left.T.shape)} - others
    assert [*together] == [1, 2, len(others)]
    assert together[len(others)] == [changes(others)]
    for n in (1, 2):
        sets = [random_heads(left.T.shape, n, needed, seed) for seed in range(N_SETS)]
        assert all(len(heads) == n and {*heads} <= others for heads in sets)
        assert together[n] == list(map(changes, sets))
    low, high = (100 * end(float(left[head, layer]) for layer, head in others) for end in (min, max))
    assert {*numbers(repr(page.parts["message"]))} >= {
        len(others),
        sum(together[2]),
        round(low, 1),
        round(high, 1),
    }


def test_a_cell_that_is_not_measured_is_blank(tiny_model):
    page = views.HeadsOff(tiny_model, TEXT)
    job = page.each(scene(page))
    first = next(result for _, result in job if result)
    left, changes, together = first
    assert not changes[np.isnan(left)].any()
    assert together == {}
