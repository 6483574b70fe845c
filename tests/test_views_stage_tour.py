"""The map that opens pictures, without a browser."""

import html

import numpy as np
import pytest

from llmviz.views.stage_tour import STORIES, StageTour, keenest_head, picture
from llmviz.views.theme import STAGES

TEXT = "The cat that I saw yesterday was sleeping"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("text", [TEXT, "a", "a a a a a", "🙂 שלום"])
def test_every_stage_opens_its_picture(tiny_model, stage, text):
    tour = StageTour(tiny_model, tiny_model.trace(text))
    assert tour.picture is None
    tour.map.picked = stage
    assert tour.picture.stage == stage
    assert STORIES[stage] in html.unescape(tour.story.value)
    assert tour.picture.text()


def test_the_open_picture_follows_the_text(tiny_model):
    tour = StageTour(tiny_model, tiny_model.trace(TEXT), stage="tokenization")
    tour.trace = tiny_model.trace("Something else")
    assert tour.picture.ids == tiny_model.tokenizer.encode("Something else")
    assert tour.map.shapes[0].startswith(str(len(tour.picture.ids)))
    tour.trace = None
    assert tour.picture is None


def test_the_keenest_head_is_the_keenest(tiny_model):
    trace = tiny_model.trace(TEXT)
    layer, head = keenest_head(trace)
    patterns = np.stack([block.attention.pattern[:, -1, 1:-1] for block in trace.blocks])
    assert patterns[layer, head].max() == pytest.approx(patterns.max(), rel=1e-5)


def test_the_position_picture_turns_only_by_the_position(tiny_model):
    before, after = picture("position", tiny_model.trace(TEXT)).values
    np.testing.assert_allclose(
        np.hypot(*before.reshape(-1, 2).T), np.hypot(*after.reshape(-1, 2).T), rtol=1e-4
    )
    at_zero = picture("position", tiny_model.trace([5])).values
    np.testing.assert_array_equal(at_zero[0], at_zero[1])
