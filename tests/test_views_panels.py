"""Every "where is this number from" panel: what it says can be run, and gives the number on the screen."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from test_views_contract import VIEWS
from widget_tree import inside

import llmviz
from llmviz import views
from llmviz.views import attention, embeddings, ffn, sampling
from llmviz.views.attention.by_hand import ScoreSteps
from llmviz.views.embeddings.cosine import CosineHistogram
from llmviz.views.embeddings.nearest_tokens import NearestTokens
from llmviz.views.kit.picture import Picture
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.sampling.written_text import WrittenText

TEXT = "The cat sat on the mat"
OTHER = "the dog sat on the cat"


def evaluated(explanation: Explanation, model, trace) -> float:
    """What the panel's own expressions give, operand after operand, then the line."""
    names = {"np": np, "llmviz": llmviz, "dataclasses": dataclasses, "model": model, "trace": trace}
    for name, value, source in (Operand(*operand) for operand in explanation.operands):
        names[name] = eval(source, names) if source else value
    with np.errstate(over="ignore"):  # silu of a number far below zero is 0 all the same
        return eval(explanation.line, names)


def asked(picture: Picture) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield places in a picture, and the number that it shows there."""
    if isinstance(picture, views.NextTokenBars):
        yield from (((row,), picture.probs[row]) for row in range(len(picture.ids)))
    elif isinstance(picture, NearestTokens):
        yield from (((row,), picture.cosines[row]) for row in range(len(picture.ids)))
    elif isinstance(picture, CosineHistogram):
        yield (), picture.value
    elif isinstance(picture, views.Arcs):
        yield from (
            (tuple(map(int, at)), picture.weights[tuple(at)]) for at in np.argwhere(picture.weights > 0)
        )
    elif isinstance(picture, ScoreSteps):
        table = picture.raw, picture.scores, np.nan_to_num(picture.weights)
        yield from (
            ((key, step), table[step][key]) for key in range(len(picture.pieces)) for step in range(3)
        )
    elif isinstance(picture, WrittenText):
        for i, odds in enumerate(picture.odds):
            place, rival = divmod(i, picture.n_rivals)
            yield (picture.n_prompt + place, rival), odds
    elif isinstance(picture, views.TokenStrip):
        yield from (((at,), picture.ids[at]) for at in range(len(picture.pieces)))
    elif picture.values is not None:
        rows = np.atleast_2d(picture.values)
        for at in np.argwhere(np.isfinite(rows))[:: max(1, rows.size // 40)]:
            yield tuple(map(int, at)), rows[tuple(at)]


def check(view, model, trace) -> int:
    checked = 0
    for picture in inside(view, Picture):
        if not picture.explains or picture.layout.display == "none":
            continue
        for place, shown in asked(picture):
            told = picture.provenance(*place)
            for number in (told.result, evaluated(told, model, trace)):
                close = pytest.approx(float(shown), rel=2e-4, abs=2e-6, nan_ok=True)
                assert float(number) == close, (type(picture).__name__, place, repr(told))
            checked += 1
    return checked


FOLLOWING = (
    *("head explorer", "one head by hand", "one FFN by hand", "temperature", "chain", "chat end"),
    *("switchboard", "tokens", "chat", "loop"),
)


@pytest.mark.parametrize(
    "make", [*map(VIEWS.get, FOLLOWING), lambda prompt: sampling.Writing(prompt, n=3, right_temperature=1.3)]
)
def test_a_panel_gives_the_number_it_explains_and_follows_the_text(tiny_model, make):
    prompt = views.Prompt(tiny_model, TEXT)
    view = make(prompt)
    assert check(view, tiny_model, prompt.trace)
    prompt.box.value = OTHER
    assert check(view, tiny_model, prompt.trace)


def test_a_panel_follows_a_run_without_mask_and_scale(tiny_model):
    trace = tiny_model.trace(TEXT, llmviz.Edits(causal_mask=False, score_scale=False))
    for make in (attention.HeadByHand, attention.HeadExplorer):
        assert check(make(trace, layer=1, head=2), tiny_model, trace)
    assert check(sampling.softmax_steps(trace, 3), tiny_model, trace)
    prompt = views.Prompt(tiny_model, TEXT)
    view = ffn.FFNByHand(prompt, 1)
    prompt.trace = trace
    assert check(view, tiny_model, trace)
    for stage in ("embeddings", "attention", "sampling"):
        assert check(views.StageTour(tiny_model, trace, stage=stage), tiny_model, trace)


@pytest.mark.parametrize("edits", [{"norm": False}, {"residual": False}, {"rope": False}, {"ffn": {1: 0.5}}])
def test_the_numbers_of_a_run_with_other_edits_are_not_explained(tiny_model, edits):
    view = ffn.FFNByHand(tiny_model.trace(TEXT, llmviz.Edits(**edits)), 1)
    view.parts["inner"].asked = [0, 1]
    assert view.parts["inner"].explanation is None


@pytest.mark.parametrize("off", [{"off_parts": ["norm", "rope"]}, {"off_cells": [[1, 0], [6, 1], [7, 2]]}])
def test_a_panel_of_the_switchboard_says_what_is_off(tiny_model, off):
    board = views.Switchboard(tiny_model, views.Prompt(tiny_model, TEXT))
    board.parts["switches"].set_state(off)
    assert check(board, tiny_model, board.source.trace)


def test_a_panel_says_what_is_switched_off_or_hidden(tiny_model):
    trace = tiny_model.trace(TEXT)
    at = {"layer": 1, "head": 2}
    assert check(attention.HeadByHand(trace, **at, query=2, no_scale=True, no_mask=True), tiny_model, trace)
    view = attention.HeadExplorer(trace, **at, hide_first=True)
    assert check(view, tiny_model, trace)
    with pytest.raises(ValueError, match="hidden"):
        view.parts["map"].provenance(3, 0)


def test_a_panel_of_the_sampler_in_an_order_of_its_own(tiny_model):
    prompt = views.Prompt(tiny_model, TEXT)
    chain = sampling.SamplerChain(prompt)
    chain.parts["cards"].change(order=["top_p", "min_p", "temperature", "top_k"], on=["top_p", "temperature"])
    assert check(chain, tiny_model, prompt.trace)


def test_a_panel_of_the_written_text_keeps_the_temperature_of_its_turn(tiny_model):
    loop = sampling.StepByStep(views.Prompt(tiny_model, TEXT), temperature=0.0)
    loop.parts["step"].click()
    loop.controls["temperature"].value = 1.5
    loop.parts["step"].click()
    assert check(loop, tiny_model, loop.run)
    # another way from the first token that was written
    loop.parts["text"].choice = [len(loop.source.tokens), 3]
    assert check(loop, tiny_model, loop.run)


def test_a_panel_of_the_loop_says_what_is_written(tiny_model):
    loop = views.LoopExplorer(tiny_model, views.Prompt(tiny_model, TEXT))
    loop.parts["pick"].click()
    assert check(loop, tiny_model, loop.source.trace)


@pytest.mark.parametrize("centred", [False, True])
def test_a_panel_of_the_table(tiny_model, centred):
    made = [
        embeddings.AnalogyExplorer(tiny_model, "#20", "#21", "#22"),
        embeddings.CosineExplorer(tiny_model, "#20", "#21", centred=centred),
        embeddings.NeighbourExplorer(tiny_model, "#20", centred=centred),
        embeddings.RowExplorer(views.Prompt(tiny_model, TEXT)),
    ]
    for view in made:
        assert check(view, tiny_model, None), type(view)


def test_a_panel_of_the_map_gives_the_place(tiny_model):
    view = embeddings.WordMap(tiny_model, "#20 #21 #22 #23")
    flat = view.parts["flat"]
    for point, place in enumerate(flat.places):
        np.testing.assert_allclose(evaluated(flat.provenance(point), tiny_model, None), place, atol=1e-5)
