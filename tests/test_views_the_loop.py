"""The front page without a browser: its controls are moved by setting their traits."""

import html

import numpy as np
import pytest
from messages import numbers
from widget_tree import in_event_loop, scene, until

from llmviz import Edits, Sampler, ops, views
from llmviz.experiments import random_heads
from llmviz.experiments.ablation import N_SETS
from llmviz.position import rotate, rotation_angles
from llmviz.views.kit.theme import STAGES
from llmviz.views.the_loop import TEXTS

TEXT = "The best thing about a rainy day is"


@pytest.fixture
def loop(tiny_model):
    return views.LoopExplorer(tiny_model, TEXT)


def ids(loop):
    return loop.trace.tokens


def press(loop, *names):
    for name in names:
        loop.parts[name].click()


def test_the_bars_are_those_of_the_text_at_a_temperature_with_the_unchanged_as_outlines(loop, tiny_model):
    logits, bars = tiny_model.trace(TEXT).logits, loop.parts["bars"]
    assert ids(loop) == tiny_model.tokenizer.encode(TEXT)
    for temperature in (1.0, 0.5, 0.05, 0.0, 1.0):
        loop.controls["temperature"].value = temperature
        powers = np.exp((logits - logits.max()) / max(temperature, 1e-9))
        probs = powers / powers.sum()
        assert bars.ids == np.argsort(-logits, kind="stable")[: len(bars.ids)].tolist()
        np.testing.assert_allclose(bars.probs, probs[bars.ids], rtol=1e-4, atol=1e-30)
        assert bars.rest == pytest.approx(1 - probs[bars.ids].sum(), abs=1e-5)
        assert (bars.before is None) == (temperature == 1)
    loop.controls["temperature"].value = 0.5
    np.testing.assert_allclose(bars.before, Sampler().probs(logits)[bars.ids], rtol=1e-5)


def test_pick_one_appends_one_token(loop, tiny_model):
    before = ids(loop)
    press(loop, "pick")
    assert ids(loop)[:-1] == before == loop.run.tokens
    assert loop.parts["strip"].ids == ids(loop)[-1:]
    assert loop.parts["strip"].layout.display != "none"
    after = Sampler().probs(tiny_model.trace(ids(loop)).logits)
    np.testing.assert_allclose(loop.parts["bars"].probs, after[loop.parts["bars"].ids], rtol=1e-4)
    p = 100 * Sampler().probs(loop.run.logits)[ids(loop)[-1]]
    assert numbers(repr(loop.parts["message"]))[-1] == pytest.approx(p, abs=0.05)
    press(loop, "start_again")
    assert not loop.parts["message"].sentences
    assert loop.parts["strip"].layout.display == "none"


def test_a_seed_writes_one_text_everywhere(loop, tiny_model):
    press(loop, "write")
    first = ids(loop)[len(loop.run.tokens) :]
    assert first == [step.token for step in tiny_model.generate(TEXT, 30, seed=1)]
    press(loop, "start_again")
    assert ids(loop) == loop.run.tokens
    press(loop, "pick", "write")
    assert ids(loop)[len(loop.run.tokens) :][: len(first)] == first
    loop.controls["seed"].value = 2
    assert ids(loop) == loop.run.tokens
    press(loop, "write")
    assert ids(loop)[len(loop.run.tokens) :] != first


def test_the_end_token_ends_the_loop(loop, tiny_model, monkeypatch):
    end = tiny_model.tokenizer.eos_token
    monkeypatch.setattr("llmviz.sampling.draw", lambda probs, rng: end)
    press(loop, "write")
    assert ids(loop) == [*loop.run.tokens, end]
    assert len(loop.parts["message"].sentences) == 2
    press(loop, "pick")
    assert ids(loop) == [*loop.run.tokens, end]
    press(loop, "start_again")
    assert ids(loop) == loop.run.tokens


def test_a_text_that_fills_the_page_is_not_written_on(tiny_model):
    loop = views.LoopExplorer(tiny_model, "a b " * 700)
    press(loop, "pick", "write")
    assert loop.trace.tokens == loop.run.tokens
    assert numbers(repr(loop.parts["message"])) == [len(loop.run.tokens)]


# --- the map that opens pictures ---


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


# --- every head off on its own, and together those that change nothing ---


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


@in_event_loop
async def test_a_guess_after_a_stop_starts_it_again(page):
    page.parts["card"].committed = True
    page.parts["each"].click()
    assert scene(page).status("each") == "stopped"
    page.parts["card"].change(committed=False, guess=None)
    page.parts["card"].committed = True
    await until(lambda: scene(page).is_known)


def test_the_others_go_together_all_and_in_random_sets(tiny_model, monkeypatch):
    monkeypatch.setattr("llmviz.experiments.ablation.SET_SIZES", (1, 2, 1000))
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
