"""The front page without a browser: its controls are moved by setting their traits."""

import asyncio

import numpy as np
import pytest
from messages import numbers

from llmviz import Sampler, views

TEXT = "The best thing about a rainy day is"


@pytest.fixture
def loop(tiny_model):
    return views.LoopExplorer(tiny_model, TEXT)


def ids(loop):
    return loop.trace.tokens


def press(loop, *names):
    for name in names:
        loop.parts[name].click()


def test_shows_the_probabilities_of_its_text(loop, tiny_model):
    probs, bars = Sampler().probs(tiny_model.trace(TEXT).logits), loop.parts["bars"]
    assert ids(loop) == tiny_model.tokenizer.encode(TEXT)
    assert bars.ids[0] == probs.argmax()
    np.testing.assert_allclose(bars.probs[0], probs.max(), rtol=1e-6)
    np.testing.assert_allclose(bars.probs.sum() + bars.rest, 1, atol=1e-5)


def test_the_temperature_moves_the_bars_and_leaves_an_outline(loop):
    temperature, bars = loop.controls["temperature"], loop.parts["bars"]
    at_one = dict(zip(bars.ids, bars.probs))
    temperature.value = 0.5
    logits = loop.trace.logits / 0.5
    shares = np.exp(logits - logits.max())
    np.testing.assert_allclose(bars.probs, shares[bars.ids] / shares.sum(), rtol=1e-4)
    np.testing.assert_allclose(bars.before, [at_one[token] for token in bars.ids], rtol=1e-5)
    temperature.value = 0.05
    assert bars.ids == np.argsort(-loop.trace.logits, kind="stable")[: len(bars.ids)].tolist()
    temperature.value = 0.0
    assert (bars.probs[0], bars.rest) == (1, 0)
    temperature.value = 1.0
    assert bars.before is None


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


def test_stop_is_heard_and_a_new_text_ends_the_writing(loop, tiny_model):
    async def scene():
        press(loop, "write")
        while len(ids(loop)) < len(loop.run.tokens) + 3:
            await asyncio.sleep(0.001)
        press(loop, "stop")
        written = len(loop.state.written)
        await asyncio.sleep(0.05)
        assert 3 <= len(loop.state.written) == written < 30
        press(loop, "write")
        await asyncio.sleep(0.02)
        loop.source.box.value = "Another text"
        await asyncio.sleep(0.05)

    asyncio.run(scene())
    assert ids(loop) == tiny_model.tokenizer.encode("Another text")
    assert not loop.busy


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
