"""The front page without a browser: its controls are moved by setting their traits."""

import asyncio
import re

import numpy as np
import pytest
from messages import holding

from llmviz import Sampler
from llmviz.views.kit.text_box import read, status
from llmviz.views.the_loop.loop_explorer import LoopExplorer

TEXT = "The best thing about a rainy day is"


@pytest.fixture
def loop(tiny_model):
    return LoopExplorer(tiny_model, TEXT)


def test_shows_the_probabilities_of_its_text(loop, tiny_model):
    probs = Sampler().probs(tiny_model.trace(TEXT).logits)
    assert loop.strip.ids == tiny_model.tokenizer.encode(TEXT)
    assert loop.bars.ids[0] == probs.argmax()
    np.testing.assert_allclose(loop.bars.probs[0], probs.max(), rtol=1e-6)
    np.testing.assert_allclose(loop.bars.probs.sum() + loop.bars.rest, 1, atol=1e-5)
    assert loop.bars.text() in repr(loop)


def test_the_temperature_moves_the_bars_and_leaves_an_outline(loop):
    at_one = dict(zip(loop.bars.ids, loop.bars.probs))
    loop.temperature.value = 0.5
    logits = loop.trace.logits / 0.5
    shares = np.exp(logits - logits.max())
    np.testing.assert_allclose(loop.bars.probs, shares[loop.bars.ids] / shares.sum(), rtol=1e-4)
    np.testing.assert_allclose(loop.bars.before, [at_one[token] for token in loop.bars.ids], rtol=1e-5)
    loop.temperature.value = 1.0
    assert loop.bars.before is None


def test_temperature_zero_leaves_one_token(loop):
    loop.temperature.value = 0.0
    assert loop.bars.probs[0] == 1
    assert loop.bars.rest == 0


def test_pick_one_appends_one_token(loop):
    before = list(loop.strip.ids)
    loop.pick.click()
    assert loop.strip.ids[:-1] == before
    assert loop.strip.highlight == [len(before)]
    assert loop.loop.pieces == loop.strip.pieces
    assert loop.loop.likeliest == loop.bars.pieces[: len(loop.loop.likeliest)]


def test_the_same_seed_writes_the_same_text(loop):
    loop.write.click()
    first = list(loop.strip.ids)
    loop.again.click()
    assert loop.strip.ids == loop.box.tokens
    loop.pick.click()
    loop.write.click()
    assert loop.strip.ids[: len(first)] == first
    loop.seed.value = 2
    loop.write.click()
    assert loop.strip.ids != first


def test_stop_is_heard_while_it_writes(loop):
    async def scene():
        loop.write.click()
        while len(loop.strip.ids) < len(loop.box.tokens) + 3:
            await asyncio.sleep(0.001)
        loop.stop.click()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run(scene())
    written = len(loop.strip.ids) - len(loop.box.tokens)
    assert 3 <= written < 30
    assert not loop.pick.disabled
    assert loop.stop.disabled


def test_a_turn_goes_once_round_the_loop(loop):
    seen = []
    loop.loop.observe(lambda change: seen.append((change["new"], loop.loop.picked)), "phase")
    loop.pick.click()
    piece = loop.loop.pieces[-1]
    assert seen == [("pick", piece), ("append", piece), ("read", piece), ("guess", None)]


def test_pressing_again_adds_a_turn(loop):
    async def scene():
        loop.pick.click()
        await asyncio.sleep(0.02)
        assert not loop.pick.disabled
        loop.pick.click()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run(scene())
    both = list(loop.strip.ids)
    assert len(both) == len(loop.box.tokens) + 2
    loop.again.click()
    loop.pick.click()
    loop.pick.click()
    assert loop.strip.ids == both


def test_a_new_text_starts_again_while_it_writes(loop, tiny_model):
    async def scene():
        loop.write.click()
        await asyncio.sleep(0.03)
        loop.box.box.value = "Another text"
        await asyncio.sleep(0.1)

    asyncio.run(scene())
    assert loop.strip.ids == tiny_model.tokenizer.encode("Another text")
    assert not loop.pick.disabled


def test_the_end_token_ends_the_loop(loop, tiny_model, monkeypatch):
    monkeypatch.setattr("llmviz.sampling.draw", lambda probs, rng: tiny_model.tokenizer.eos_token)
    loop.write.click()
    assert loop.strip.ids == [*loop.box.tokens, tiny_model.tokenizer.eos_token]
    assert tiny_model.tokenizer.pieces([tiny_model.tokenizer.eos_token])[0] in repr(loop.told)
    assert loop.pick.disabled
    loop.again.click()
    assert not loop.pick.disabled


@pytest.mark.parametrize("text", ["", "   ", "<script>alert(1)</script>", "\ud83d", "\x00\x04", "שלום 🙂"])
def test_whatever_is_typed_is_drawn_or_answered(loop, text):
    loop.box.box.value = text
    if loop.box.tokens:
        assert loop.strip.ids == loop.box.tokens
    else:  # the last run stays, and the page says that it is not this text's
        assert loop.box.message.value
        assert loop.strip.ids == loop.box.trace.tokens
        assert loop.box.freshness.shown == TEXT
    assert "<script>" not in loop.box.message.value
    loop.box.box.value = TEXT
    assert loop.strip.ids == loop.box.tokens


def test_near_temperature_zero_the_rows_are_the_models_likeliest(loop):
    loop.temperature.value = 0.05
    assert loop.bars.ids == np.argsort(-loop.trace.logits, kind="stable")[: len(loop.bars.ids)].tolist()


def test_what_was_written_can_be_read(loop, tiny_model):
    loop.pick.click()
    assert tiny_model.tokenizer.decode(loop.trace.tokens) in repr(loop.whole_text)
    loop.again.click()
    assert not loop.whole_text.sentences


def test_a_text_that_fills_the_page_is_not_written_on(tiny_model):
    loop = LoopExplorer(tiny_model, "a b " * 700)
    assert loop.pick.disabled
    loop.turn(1)
    assert len(loop.trace.tokens) == len(loop.box.tokens)


def test_a_long_text_uses_the_first_512_tokens(tiny_model):
    reading = read("word " * 700, tiny_model.tokenizer)
    assert len(reading.tokens) == 512
    assert re.search(holding(512), reading.told)


def test_what_is_said_under_the_box_is_text():
    assert "<img" not in status("<img src=x onerror=alert(1)>")


def test_a_bar_explains_its_probability(loop):
    loop.temperature.value = 0.7
    loop.bars.asked = [0]
    told = loop.bars.explanation
    assert float(told["result"]) == pytest.approx(float(loop.bars.probs[0]), rel=1e-3)
