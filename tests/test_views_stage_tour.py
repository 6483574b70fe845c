"""The map that opens pictures, without a browser."""

import html

import numpy as np
import pytest

from llmviz import views
from llmviz.position import rotate, rotation_angles
from llmviz.views.kit.theme import STAGES
from llmviz.views.the_loop import TEXTS

TEXT = "The cat that I saw yesterday was sleeping"


def opened(tour):
    return [name for name in STAGES if tour.parts[name].layout.display != "none"]


@pytest.mark.parametrize("text", [TEXT, "a", "a a a a a", "🙂 שלום"])
def test_every_stage_opens_its_picture(tiny_model, text):
    tour = views.StageTour(tiny_model, tiny_model.trace(text))
    assert opened(tour) == []
    for stage in STAGES:
        tour.parts["map"].set_state({"picked": stage})
        assert opened(tour) == [stage] == [tour.parts[stage].stage]
        assert TEXTS["stages"][stage] in html.unescape(tour.parts["story"].value)
        assert tour.parts[stage].text() in repr(tour)


def test_the_open_picture_follows_what_is_written(tiny_model):
    loop = views.LoopExplorer(tiny_model, TEXT)
    tour = views.StageTour(tiny_model, loop, stage="tokenization")
    loop.parts["pick"].click()
    assert tour.parts["tokenization"].ids == loop.trace.tokens
    assert tour.parts["map"].shapes[0].startswith(str(len(loop.trace.tokens)))


@pytest.mark.parametrize("text", [TEXT, "a b", "a"])
def test_the_query_of_the_sharpest_head_is_rotated_to_every_position(tiny_model, text):
    trace = tiny_model.trace(text)
    tour = views.StageTour(tiny_model, trace, stage="position")
    layer, head = tour.scene(tour.state).sharpest
    patterns = np.stack([block.attention.pattern[:, -1, 1:-1] for block in trace.blocks])
    if patterns.size:
        assert patterns[layer, head].max() == pytest.approx(patterns.max(), rel=1e-5)
    rows = tour.parts["position"].values
    np.testing.assert_allclose(rows[-1], trace.blocks[layer].q[head, -1], rtol=1e-5)  # the run's own query
    turned = rotation_angles(np.array([len(rows) - 1]), rows.shape[1], base=tiny_model.config.rope_base)
    np.testing.assert_allclose(rotate(rows[:1], turned)[0], rows[-1], atol=1e-5)
