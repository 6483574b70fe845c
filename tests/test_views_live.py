"""A person's own picture on a text box."""

import ipywidgets
import numpy as np
import pytest

from llmviz import views

TEXT = "The cat that I saw yesterday was sleeping"


def pattern(trace):
    return views.HeatMap(trace.blocks[0].attention.pattern[0], trace.pieces, caption="where it looks")


def pattern_if_long(trace):
    return pattern(trace) if len(trace.tokens) > 2 else ipywidgets.Label("too short")


def test_the_picture_follows_the_box_in_place_and_leaves_no_widget_behind(tiny_model):
    prompt = views.Prompt(tiny_model, TEXT)
    page = views.live(prompt, pattern)
    [shown] = page._place.children
    alive = len(ipywidgets.widgets.widget._instances)
    for text in ("The dog", ""):
        prompt.box.value = text
        assert page._place.children == (shown,)
        trace = tiny_model.trace("The dog")
        np.testing.assert_array_equal(np.nan_to_num(shown.values), trace.blocks[0].attention.pattern[0])
        assert shown.row_labels == trace.pieces
    assert len(ipywidgets.widgets.widget._instances) == alive
    other = views.live(prompt, pattern_if_long)
    [replaced] = other._place.children
    prompt.box.value = "a"
    assert other._place.children[0].value == "too short"
    assert replaced.comm is None
    page.close()
    assert prompt.comm is not None


def test_an_error_in_the_function_is_not_swallowed(tiny_model):
    with pytest.raises(ZeroDivisionError):
        views.live(TEXT, lambda trace: 1 / 0, model=tiny_model)
