"""What the page sends, as the comm hands it over: a value that cannot be changes nothing and raises nothing."""

import ipywidgets
import numpy as np
import pytest
import traitlets
from widget_tree import HOSTILE, every_picture

from llmviz import views
from llmviz.views.attention.head_grid import HeadGrid
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.picture import Explorer

EMPTY = {  # each kind of picture as it is before it has anything to show
    "Arcs": lambda kind, model: kind([], np.zeros((0, 0))),
    "HeadGrid": lambda kind, model: kind(values=np.zeros((0, 0, 1, 1))),
    "HeatMap": lambda kind, model: kind(np.zeros((0, 0)), []),
    "NextTokenBars": lambda kind, model: empty_bars(model),
    "PipelineMap": lambda kind, model: kind(model),
    "Switches": lambda kind, model: kind(model),
    "TokenStrip": lambda kind, model: kind([]),
    "VectorPicture": lambda kind, model: kind([]),
}


def state(widget: ipywidgets.Widget) -> str:
    return repr({name: getattr(widget, name) for name in widget.keys})


@pytest.mark.parametrize("kind", every_picture(), ids=lambda kind: kind.__name__)
def test_no_value_breaks_an_empty_picture(tiny_model, kind):
    picture = EMPTY.get(kind.__name__, lambda kind, _: kind())(kind, tiny_model)
    send_nonsense(picture)
    if kind.class_traits().get("values", traitlets.Any()).allow_none:
        picture.change(values=None)
        send_nonsense(picture)


def send_nonsense(picture):
    for name in {*picture._by_page, "asked"} & set(picture.keys):
        for value in HOSTILE:
            picture.set_state({name: value})
    repr(picture)


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: views.HeatMap(np.eye(2), ["a", "b"]), [1, 1]),
        (lambda: views.VectorPicture([1.0, 2.0]), 1),
    ],
)
def test_a_selection_ends_with_the_numbers_it_was_made_in(make, where):
    picture = make()
    picture.set_state({"selected": where})
    assert picture.selected == where
    picture.change(values=None)
    assert picture.selected is None
    picture.set_state({"selected": where})
    assert picture.selected is None


class BothByPage(HeadGrid):
    """A picture of which the page sets two traits."""

    _by_page = ("selected", "chosen")


@pytest.mark.parametrize(
    "wrong",
    [
        {"selected": [99, 0]},
        {"selected": [0]},
        {"selected": [0, 0, 0]},
        {"selected": [float("nan"), 0]},
        {"chosen": [[0]]},
        {"chosen": [[0, 0]] * 100_000},
        {"asked": [-1, 0]},
        {"values": [[1.0]]},
        {"selected": [2, 1], "chosen": [[9]]},  # a wrong value keeps the others out
    ],
)
def test_a_head_that_cannot_be_changes_nothing_and_the_page_is_told(wrong):
    grid = BothByPage(values=np.zeros((3, 2, 1, 1)), selected=[1, 1], chosen=[[2, 0]])
    before, sent = state(grid), []
    grid.send_state = lambda key: sent.append(key)
    grid.set_state(wrong)
    del grid.send_state
    assert state(grid) == before
    assert sent == [[*wrong]]
    grid.set_state({"selected": [2, 1], "chosen": [[0, 0]]})
    assert (grid.selected, grid.chosen) == ([2, 1], [[0, 0]])


def test_a_control_stays_within_its_ends_even_one_that_comes_later():
    late, slider = ipywidgets.Dropdown(options=["a", "b"]), ipywidgets.IntSlider(1, max=2)
    box = Explorer([slider])
    box.children = (slider, ipywidgets.HBox([late]))
    for wrong in (99, -1, float("nan"), None, "1e9", [1]):
        slider.set_state({"value": wrong})
    slider.set_state({"max": 99, "value": 99})
    late.set_state({"index": 99})
    assert (slider.value, slider.max, late.value) == (1, 2, "a")
    slider.set_state({"value": 2})
    assert slider.value == 2


def test_a_place_a_picture_has_not_is_not_explained():
    picture = views.HeatMap(np.eye(2), ["a", "b"], provenance=lambda row, col: 1 / 0)
    for wrong in ([0], [0, 0, 0], [0] * 1_000):
        picture.set_state({"asked": wrong})
        assert picture.explanation is None


def test_an_error_in_our_own_handler_is_not_swallowed():
    grid = HeadGrid(values=np.zeros((3, 2, 1, 1)))
    grid.observe(lambda _: 1 / 0, "selected")
    with pytest.raises(ZeroDivisionError):
        grid.set_state({"selected": [1, 0]})
