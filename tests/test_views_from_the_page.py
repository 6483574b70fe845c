"""What the page sends, as the comm hands it over: a value that cannot be changes nothing and raises nothing."""

import ipywidgets
import numpy as np
import pytest
import traitlets
from widget_tree import HOSTILE, every_picture, inside

from llmviz import views
from llmviz.views import attention, embeddings, position
from llmviz.views.attention.head_grid import HeadGrid
from llmviz.views.ffn.piece_table import PieceTable
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.picture import Picture

TEXT = "The cat sat on the mat"
EXPLORERS = {
    "arrows": lambda model: embeddings.ArrowExplorer(embeddings.Table(model), "#20", "#21"),
    "rows": lambda model: embeddings.RowExplorer(embeddings.Table(model), views.Prompt(model, TEXT)),
    "analogy": lambda model: embeddings.AnalogyExplorer(embeddings.Table(model), "#20", "#21", "#22"),
    "walk": lambda model: embeddings.WalkExplorer(embeddings.Table(model), "#20", "#21"),
    "cosine": lambda model: embeddings.CosineExplorer(embeddings.Table(model), "#20", "#21"),
    "neighbours": lambda model: embeddings.NeighbourExplorer(embeddings.Table(model), "#20"),
    "map": lambda model: embeddings.WordMap(embeddings.Table(model), "#20 #21 #22 #23"),
    "senses": embeddings.SenseExplorer,
    "loop": lambda model: views.LoopExplorer(model, TEXT),
    "tour": lambda model: views.StageTour(model, model.trace(TEXT), stage="attention"),
    "switchboard": lambda model: views.Switchboard(model, TEXT),
    "waves": lambda model: position.SinusoidPattern(n_positions=10, d_model=8),
    "dial": lambda model: position.DialExplorer(model.trace(TEXT)),
    "distance": lambda model: position.ScoreByDistance(model.trace(TEXT)),
    "clocks": lambda model: position.Clocks(model.trace(TEXT)),
    "shuffled": lambda model: position.ShuffledHead(model.trace(TEXT)),
    "one back": lambda model: position.OneBack(model.trace(TEXT)),
    "positions": lambda model: position.PositionSwitches(model.trace(TEXT)),
    "swap": lambda model: position.SwapWords(model.trace(TEXT)),
    "long": lambda model: position.LongText(model, TEXT * 10),
    "journey": lambda model: views.Journey(views.Prompt(model, TEXT)),
    "heads off": lambda model: views.HeadsOff(model, TEXT),
    "guess": lambda model: views.Predict("How many?", answer=3, unit="tokens", low=0),
}

EMPTY = {  # each kind of picture as it is before it has anything to show
    "Arcs": lambda kind, model: kind([], np.zeros((0, 0))),
    "CosineHistogram": lambda kind, model: kind([]),
    "HeadGrid": lambda kind, model: kind(np.zeros((0, 0))),
    "HeatMap": lambda kind, model: kind(np.zeros((0, 0)), []),
    "Journey": lambda kind, model: kind(views.Prompt(model, "")),
    "LoopPicture": lambda kind, model: kind([], n_prompt=0),
    "NextTokenBars": lambda kind, model: empty_bars(model),
    "PipelineMap": lambda kind, model: kind(model),
    "Switches": lambda kind, model: kind(model),
    "TokenCounts": lambda kind, model: kind([], []),
    "TokenStrip": lambda kind, model: kind([]),
    "VectorPicture": lambda kind, model: kind([]),
}


def state(widget: ipywidgets.Widget) -> str:
    return repr({name: getattr(widget, name) for name in widget.keys})


@pytest.mark.parametrize("make", EXPLORERS.values(), ids=EXPLORERS)
def test_no_value_breaks_an_explorer(tiny_model, make, monkeypatch):
    async def at_once(_seconds):
        """What writes or measures does so without pauses."""

    monkeypatch.setattr("asyncio.sleep", at_once)
    explorer = make(tiny_model)
    for widget in inside(explorer, (Picture, ipywidgets.ValueWidget)):
        names = [*widget._by_page, "asked"] if isinstance(widget, Picture) else ["value", "index"]
        for name in set(names) & set(widget.keys):
            for value in HOSTILE:
                widget.set_state({name: value})
    repr(explorer)


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
            picture.headline()
    repr(picture)


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: views.HeatMap(np.eye(2), ["a", "b"]), [1, 1]),
        (lambda: PieceTable(values=np.eye(2), pieces=[*"abcd"]), [1, 1]),
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


def test_what_no_picture_lets_the_page_set_stays(tiny_model):
    explorer = attention.HeadExplorer(tiny_model.trace(TEXT))
    for picture in inside(explorer, Picture):
        before = state(picture)
        for name in set(picture.keys) - {*picture._by_page, "asked"}:
            for value in HOSTILE:
                picture.set_state({name: value})
        assert state(picture) == before


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("selected", [99, 0]),
        ("selected", [0]),
        ("selected", [0, 0, 0]),
        ("selected", [float("nan"), 0]),
        ("chosen", [[0, 0], [0, 0]]),
        ("chosen", [[0, 0]] * 100_000),
        ("asked", [-1, 0]),
        ("values", [[1.0]]),
    ],
)
def test_a_head_that_cannot_be_changes_nothing_and_the_page_is_told(name, wrong):
    grid = HeadGrid(np.zeros((3, 2)), selected=[1, 1], chosen=[[2, 0]], toggles=True)
    before, sent = state(grid), []
    grid.send_state = lambda key: sent.append(key)
    grid.set_state({name: wrong})
    del grid.send_state
    assert state(grid) == before
    assert sent == [[name]]
    grid.set_state({"selected": [2, 1], "chosen": [[0, 0]]})
    assert (grid.selected, grid.chosen) == ([2, 1], [[0, 0]])


def test_a_selection_is_let_go_where_a_picture_can_be_without():
    arcs = views.Arcs(["a", "b"], np.eye(2), selected=1)
    arcs.set_state({"selected": None})
    assert arcs.selected is None


def test_one_wrong_value_keeps_the_others_out():
    grid = HeadGrid(np.zeros((3, 2)), selected=[1, 1], chosen=[[2, 0]], toggles=True)
    grid.set_state({"selected": [2, 1], "chosen": [[9, 9]]})
    assert (grid.selected, grid.chosen) == ([1, 1], [[2, 0]])


def test_a_layer_that_does_not_exist_moves_no_slider(tiny_model):
    explorer = attention.HeadExplorer(tiny_model.trace(TEXT), layer=1)
    layer = explorer.controls["layer"]
    for wrong in (99, -1, float("nan"), None, "1e9", [1]):
        layer.set_state({"value": wrong})
    layer.set_state({"max": 99, "value": 99})
    assert (layer.value, layer.max) == (1, 2)
    layer.set_state({"value": 2})
    assert explorer.parts["grid"].selected[0] == 2


def test_a_control_that_comes_later_is_held_as_well(tiny_model):
    prompt = views.Prompt(tiny_model, TEXT)
    prompt.children = (*prompt.children, ipywidgets.HBox([late := ipywidgets.Dropdown(options=["a", "b"])]))
    late.set_state({"index": 99})
    assert late.value == "a"


def test_a_place_a_picture_has_not_is_not_explained():
    picture = views.HeatMap(np.eye(2), ["a", "b"], provenance=lambda row, col: 1 / 0)
    for wrong in ([0], [0, 0, 0], [0] * 1_000):
        picture.set_state({"asked": wrong})
        assert picture.explanation is None


def test_an_error_in_our_own_handler_is_not_swallowed():
    grid = HeadGrid(np.zeros((3, 2)))
    grid.observe(lambda _: 1 / 0, "selected")
    with pytest.raises(ZeroDivisionError):
        grid.set_state({"selected": [1, 0]})
