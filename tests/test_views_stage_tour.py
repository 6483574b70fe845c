"""The map that opens pictures, without a browser."""

import html

import numpy as np
import pytest

from llmviz.views.kit.theme import STAGES
from llmviz.views.the_loop.stage_tour import STORIES, StageTour, keenest_head, picture

TEXT = "The cat that I saw yesterday was sleeping"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("text", [TEXT, "a", "a a a a a", "🙂 שלום"])
def test_every_stage_opens_its_picture(tiny_model, stage, text):
    tour = StageTour(tiny_model, tiny_model.trace(text))
    assert tour.picture is None
    tour.map.picked = stage
    assert tour.picture.stage == stage
    assert STORIES[stage] in html.unescape(tour.story.value)
    assert tour.picture.text() in repr(tour)


def test_the_open_picture_follows_the_text(tiny_model):
    tour = StageTour(tiny_model, tiny_model.trace(TEXT), stage="tokenization")
    tour.show(tiny_model.trace("Something else"))
    assert tour.picture.ids == tiny_model.tokenizer.encode("Something else")
    assert tour.map.shapes[0].startswith(str(len(tour.picture.ids)))
    tour.show(None)
    assert tour.picture is None


def test_the_keenest_head_is_the_keenest(tiny_model):
    trace = tiny_model.trace(TEXT)
    layer, head = keenest_head(trace)
    patterns = np.stack([block.attention.pattern[:, -1, 1:-1] for block in trace.blocks])
    assert patterns[layer, head].max() == pytest.approx(patterns.max(), rel=1e-5)


@pytest.mark.parametrize("text", [TEXT, "a b", "a"])
def test_the_clocks_add_up_to_the_score_that_the_model_used(tiny_model, text):
    trace = tiny_model.trace(text)
    layer, head = keenest_head(trace)
    dial = picture("position", trace)
    used = trace.blocks[layer].attention.scores[head, dial.q_position, dial.k_position]
    assert dial.score == pytest.approx(float(used), abs=1e-4)
    assert dial.parts.sum() == pytest.approx(dial.score, abs=1e-4)
    assert dial.q_position == len(trace.tokens) - 1
    assert (dial.k_position == 0) == (len(trace.tokens) < 3)
