"""A person's own picture on a text box."""

import ipywidgets
import numpy as np
import pytest

from llmviz import views

TEXT = "The cat that I saw yesterday was sleeping"


def pattern(trace):
    return views.HeatMap(trace.blocks[0].attention.pattern[0], trace.pieces, caption="where it looks")


def test_the_picture_follows_the_box_in_place(tiny_model):
    page = views.live(TEXT, pattern, model=tiny_model)
    [shown] = page._place.children
    page.prompt.box.value = "The dog"
    assert page._place.children == (shown,)
    trace = tiny_model.trace("The dog")
    np.testing.assert_array_equal(np.nan_to_num(shown.values), trace.blocks[0].attention.pattern[0])
    assert shown.row_labels == trace.pieces
    page.prompt.box.value = ""
    assert shown.row_labels == trace.pieces


def test_it_leaves_no_widget_behind(tiny_model):
    page = views.live(TEXT, pattern, model=tiny_model)
    before = len(ipywidgets.widgets.widget._instances)
    page.prompt.box.value = "The dog"
    assert len(ipywidgets.widgets.widget._instances) == before


def test_a_picture_of_another_kind_takes_the_place(tiny_model):
    page = views.live(
        TEXT,
        lambda trace: pattern(trace) if len(trace.tokens) > 2 else ipywidgets.Label("too short"),
        model=tiny_model,
    )
    first = page._place.children[0]
    page.prompt.box.value = "a"
    assert page._place.children[0].value == "too short"
    assert first.comm is None


def test_two_pictures_share_a_box(tiny_model):
    prompt = views.Prompt(tiny_model, TEXT)
    one, other = (
        views.live(prompt, pattern),
        views.live(prompt, lambda trace: ipywidgets.Label(trace.pieces[0])),
    )
    prompt.box.value = "Dog"
    assert other._place.children[0].value == prompt.trace.pieces[0]
    one.close()
    assert prompt.comm is not None


def test_an_error_in_the_function_is_not_swallowed(tiny_model):
    with pytest.raises(ZeroDivisionError):
        views.live(TEXT, lambda trace: 1 / 0, model=tiny_model)
