"""The pictures on sampling without a browser, and the chain of steps behind them."""

import numpy as np
import pytest

from llmviz import sampling
from llmviz.sampling import Sampler
from llmviz.views import sampling as pictures

TEXT = "The capital of France is"


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(0, 3, 500).astype(np.float32)


def test_the_chain_in_the_sampler_s_order_is_the_sampler(logits):
    steps = [("temperature", 0.7), ("top_k", 40), ("top_p", 0.9), ("min_p", 0.02)]
    last = sampling.chain(logits, steps)[-1].probs
    np.testing.assert_allclose(last, Sampler(0.7, 40, 0.9, 0.02).probs(logits), rtol=1e-5)


def test_the_order_of_the_chain_matters(logits):
    hot_first = sampling.chain(logits, [("temperature", 2.0), ("top_p", 0.9)])[-1].probs
    hot_last = sampling.chain(logits, [("top_p", 0.9), ("temperature", 2.0)])[-1].probs
    assert (hot_first > 0).sum() > (hot_last > 0).sum()
    probs = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    kept = sampling.top_p(probs, 0.9).probs
    np.testing.assert_allclose(hot_last, np.sqrt(kept) / np.sqrt(kept).sum(), rtol=1e-4)


def test_an_unknown_step_is_named(logits):
    with pytest.raises(ValueError, match="no step 'top_q'"):
        sampling.chain(logits, [("top_q", 1)])


def test_entropy_and_mass():
    assert sampling.entropy(np.full(8, 1 / 8, np.float32)) == pytest.approx(3)
    assert sampling.entropy(np.array([1, 0, 0], np.float32)) == 0
    assert sampling.mass_outside(np.array([0.1, 0.6, 0.3], np.float32), 2) == pytest.approx(0.1, abs=1e-6)


def test_surprise_is_minus_log2_of_the_probability():
    logits = np.log2(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [1, 1, 1]])) * np.log(2)
    np.testing.assert_allclose(
        sampling.surprise(logits.astype(np.float32), [0, 1, 1]), [2, -np.log2(0.8)], rtol=1e-5
    )


def test_the_temperature_moves_bars_and_numbers(tiny_model):
    explorer = pictures.TemperatureExplorer(tiny_model, TEXT)
    probs = []
    for temperature in (0.0, 1.0, 10.0):
        explorer.temperature.value = temperature
        probs.append(float(explorer.bars.probs[0]))
        want = sampling.with_temperature(tiny_model.trace(TEXT).logits, temperature)
        assert f"{sampling.entropy(want):.1f} bits" in explorer.told.value
    assert probs[0] == 1
    assert probs[1] > probs[2]


def test_cards_say_what_they_cut_and_can_change_places(tiny_model):
    chain = pictures.SamplerChain(tiny_model, TEXT)
    chain.settings["top_k"].value = 3
    chain.on["top_k"].value = True
    assert "keeps 3 tokens" in chain.told["top_k"].value
    assert np.count_nonzero(chain.bars.probs) == 3
    chain.move("top_k", -1)
    assert chain.order == ["top_k", "temperature", "top_p", "min_p"]
    assert chain.steps()[0] == ("top_k", 3)
    for preset in pictures.PRESETS:
        chain.presets.value = preset
        settings = dict(zip(sampling.STEPS, pictures.PRESETS[preset]))
        assert dict(chain.steps()) == {name: value for name, value in settings.items() if value is not None}


def test_draws_are_seeded_and_add_up(tiny_model):
    draws = pictures.Draws(tiny_model, TEXT)
    first = draws.bars.probs.copy()
    draws.seed.value = 2
    assert not np.array_equal(first, draws.bars.probs)
    draws.seed.value = 1
    np.testing.assert_array_equal(first, draws.bars.probs)
    np.testing.assert_allclose(draws.bars.probs * 200, np.round(draws.bars.probs * 200), atol=1e-3)


def test_surprise_shades_and_tells(tiny_model):
    shown = pictures.Surprise(tiny_model, TEXT)
    trace = tiny_model.trace(TEXT)
    for i in (1, len(trace.tokens) - 1):
        probs = Sampler().probs(tiny_model.trace(trace.tokens[:i]).logits)
        assert shown.strip.weights[i] == pytest.approx(probs[trace.tokens[i]], rel=1e-3)
    assert np.isnan(shown.strip.weights[0])
    shown.box.box.value = "a"
    assert "perplexity" in shown.told.value or "one token only" in shown.told.value


def test_two_sides_from_one_seed(tiny_model):
    writing = pictures.Writing(tiny_model, TEXT, n=8)
    for temperature in writing.temperatures:
        temperature.value = 1.0
    writing.write.click()
    assert writing.strips[0].ids == writing.strips[1].ids
    want = [step.token for step in tiny_model.generate(TEXT, 8, Sampler(), seed=1)]
    assert writing.strips[0].ids == want


@pytest.mark.slow
def test_the_end_token_comes_where_the_answer_ends(model):
    chat = pictures.ChatEnd(model, "Say only yes.", n=40)
    ended = chat.strip.ids[-1] == model.tokenizer.eos_token
    assert ended == ("chose its end token" in chat.told.value)
    assert chat.strip.weights[-1] == pytest.approx(chat.strip.weights.max()) or not ended


@pytest.mark.parametrize("text", ["", "   ", "<script>alert(1)</script>", "\x00", "🙂"])
@pytest.mark.parametrize("kind", ["TemperatureExplorer", "SamplerChain", "Draws", "Surprise"])
def test_whatever_is_typed(tiny_model, kind, text):
    explorer = getattr(pictures, kind)(tiny_model, TEXT)
    explorer.box.box.value = text
    assert (explorer.trace is None) == (not explorer.box.tokens)
    assert "<script>" not in explorer.box.message.value
