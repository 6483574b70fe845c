"""Position's pictures: the numbers they are given, and what their controls do."""

import asyncio
import json
import re
import threading
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import traitlets
from messages import holding, numbers
from typed_texts import BAD_TEXTS, KINDS
from widget_tree import inside

from llmviz import Edits, Sampler, embeddings, experiments, position, views
from llmviz.views import position as pictures
from llmviz.views.kit import text_box
from llmviz.views.kit.numbers import percent
from llmviz.views.position.heaps import N_USED, NOTHING, cut, places_to_swap
from llmviz.views.position.long_text import MAX_READ
from llmviz.views.position.switches import SETTINGS

AS_IT_IS, ROPE_OFF, *_, MOVED = SETTINGS
PAGE = Path(__file__).parents[1] / "notebooks" / "03_position.ipynb"
CAT = "The cat that I saw yesterday was sleeping"
OWNERS = "Tom has a dog and Anna has a cat. Tom has a"
EXCHANGED = "Tom has a cat and Anna has a dog. Tom has a"
UNUSUAL = {
    **KINDS,
    "empty": "",
    "spaces": "   ",
    "400 words": "lorem ipsum dolor sit " * 100,
    "no space": "x" * 5_000,
    "lone surrogates": "a\ud83d b\udc00",
    "control characters": "a\x00b\x04\x1b[31m\x7f",
}


def told(widget) -> str:
    """What a line of sentences says."""
    return repr(widget).replace("−", "-")


@pytest.fixture(scope="module")
def cat(model):
    return model.trace(CAT)


@pytest.fixture
def dial(cat):
    return pictures.DialExplorer(cat, layer=13, head=8, query=6, key=1)


def test_the_pairs_add_up_to_the_score(cat):
    block = cat.blocks[13]
    parts = position.pair_scores(block.q[8, 6], block.k[2, 1])
    assert parts.shape == (32,)
    assert parts[5] == pytest.approx((block.q[8, 6, 10:12] @ block.k[2, 1, 10:12]) / 8)
    assert parts.sum() == pytest.approx(block.attention.scores[8, 6, 1], abs=1e-3)


# --- the pattern of 2017 ---


def test_the_slider_and_the_map_choose_one_row():
    explorer = pictures.SinusoidPattern(n_positions=30, d_model=16, row=5)
    assert explorer.map.selected[0] == 5
    explorer.map.selected = [12, 3]
    assert explorer.row.value == 12
    explorer.row.value = 20
    assert explorer.map.selected == [20, 3]
    waves = position.sinusoidal_encoding(np.arange(30), 16)
    at = {int(x): v for x, v in zip(explorer.lines.x, explorer.lines.values[0])}
    assert at[0] == pytest.approx(8)
    assert at[-7] == pytest.approx(waves[20] @ waves[13], abs=1e-4)
    assert np.isnan(at[10])  # there is no position 30


@pytest.mark.parametrize(("row", "column"), [(3, 0), (3, 1), (7, 12)])
def test_a_number_of_the_pattern_explains_itself(row, column):
    explorer = pictures.SinusoidPattern(n_positions=10, d_model=16)
    explained = explorer.map.provenance(row, column)
    names = {name: value for name, value, *_ in explained.operands}
    assert eval(explained.line, {"np": np, **names}) == pytest.approx(explained.result, abs=1e-5)


# --- the dial ---


def test_at_home_the_score_is_the_models_own(dial, cat):
    own = cat.blocks[13].attention.scores[8, 6, 1]
    assert dial.dial.score == pytest.approx(own, abs=1e-3)
    assert re.search(holding("L13·H8", 32, f"{own:.3g}"), told(dial.told))
    assert dial.score_at(1_006, 1_001) == pytest.approx(own, abs=1e-3)


def test_moving_both_moves_the_hands_but_no_bar(dial):
    hands, parts = dial.dial.q_hands.copy(), dial.dial.parts.copy()
    for by in (1, 100, 1_000):
        dial.both.value = by
        assert np.abs(dial.dial.q_hands - hands).max() > 0.1
        np.testing.assert_allclose(dial.dial.parts, parts, atol=2e-3)
    assert (dial.dial.q_position, dial.dial.k_position) == (1_006, 1_001)
    assert re.search(holding("1,000", "0.000"), told(dial.told))


def test_what_the_query_alone_would_change_is_what_it_changes(dial):
    before, foretold = dial.dial.score, told(dial.told)
    dial.q_place.value += 1
    change = dial.dial.score - before
    assert abs(change) > 0.1
    assert any(number == pytest.approx(change, abs=1e-2) for number in numbers(foretold))


def test_moving_one_turns_each_pair_by_its_own_speed(dial, cat):
    before = dial.dial.q_hands.copy()
    keys = dial.dial.k_hands.copy()
    dial.q_place.value += 1
    for i, speed in enumerate(100_000 ** -(np.arange(32) / 32)):
        was, now = (complex(*hands[i]) for hands in (before, dial.dial.q_hands))
        assert now == pytest.approx(was * np.exp(1j * speed), abs=1e-3)
    np.testing.assert_array_equal(dial.dial.k_hands, keys)
    assert dial.dial.score != pytest.approx(cat.blocks[13].attention.scores[8, 6, 1], abs=1e-3)


def test_a_key_after_the_query_is_said_to_be_masked(dial):
    dial.k_place.value = 9
    masked = dial.told.sentences
    dial.home.click()
    assert len(masked) == len(dial.told.sentences) + 1
    assert (dial.q_place.value, dial.k_place.value, dial.both.value) == (6, 1, 0)


def test_another_token_stands_where_it_does_in_the_text(dial, cat):
    dial.both.value = 7
    dial.query.value = 4
    assert (dial.q_place.value, dial.both.value) == (4, 0)
    assert dial.dial.q_name == [" saw"]
    assert dial.dial.score == pytest.approx(cat.blocks[13].attention.scores[8, 4, 1], abs=1e-3)


@pytest.mark.parametrize("seq", [8, 350])
def test_tokens_stand_where_they_do_in_a_text_of_any_length(model, seq):
    prompt = views.Prompt(model, CAT)
    dial = pictures.DialExplorer(prompt)
    for n in (350, seq):
        prompt.box.value = " parrot" * n
        assert (dial.dial.q_position, dial.dial.k_position) == (n - 1, n - 2)
        own = prompt.trace.blocks[16].attention.scores[0, n - 1, n - 2]
        assert dial.dial.score == pytest.approx(own, abs=5e-3)


def test_layers_and_heads_can_be_chosen(dial, cat):
    dial.layer.value, dial.head.value = 16, 0
    assert dial.dial.score == pytest.approx(cat.blocks[16].attention.scores[0, 6, 1], abs=1e-3)


def test_a_clock_explains_its_bar(dial):
    dial.both.value = 3
    for pair in (0, 17, 31):
        explained = dial.dial.provenance(pair)
        names = {name: value for name, value, *_ in explained.operands}
        assert eval(explained.line, {"np": np, **names}) == pytest.approx(dial.dial.parts[pair], abs=1e-4)
    dial.dial.selected = 4
    with pytest.raises(traitlets.TraitError):
        dial.dial.selected = 32


def test_the_dial_says_every_pair_as_text(dial):
    rows = dial.dial.text().splitlines()
    assert "score" in rows[0]
    assert len(rows) == 2 + 32
    assert repr(dial).count("\n") >= 32


def test_a_single_query_turns_with_its_place(cat):
    clocks = pictures.Clocks(cat)
    own = cat.blocks[16].q[0, -1].reshape(-1, 2)
    assert clocks.place.value == clocks.dial.q_position == 7
    np.testing.assert_allclose(clocks.dial.q_hands, own, atol=1e-4)
    clocks.place.value = 0
    np.testing.assert_array_equal(clocks.dial.q_hands, clocks.dial.k_hands)
    clocks.place.value = 1_000
    turns = 1_000 * 100_000 ** -(np.arange(32) / 32) / (2 * np.pi)
    np.testing.assert_allclose(clocks.dial.turns, turns, rtol=1e-4)
    np.testing.assert_allclose(pictures.periods(cat.model.config), 1_000 / turns)
    assert re.search(holding("1,000", (turns >= 1).sum(), 32), told(clocks.told))
    assert len(clocks.dial.text().splitlines()) == 2 + 32


@pytest.mark.parametrize(("place", "twice_or_more"), [(4, []), (12, []), (13, [2]), (1_000, [159])])
def test_only_full_turns_are_counted(cat, place, twice_or_more):
    clocks = pictures.Clocks(cat)
    clocks.place.value = place
    _place, _around, _of, *turns, _still, _degrees = numbers(told(clocks.told))
    assert turns == twice_or_more


@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS)
def test_the_pictures_follow_the_box_to_any_text(tiny_model, text):
    prompt = views.Prompt(tiny_model, "The cat sat on the mat")
    dial, curves = pictures.DialExplorer(prompt), pictures.ScoreByDistance(prompt)
    clocks, alone = pictures.Clocks(prompt), pictures.ShuffledHead(prompt, head=0)
    back = pictures.OneBack(prompt)
    prompt.box.value = text
    seq = len(prompt.trace.tokens)
    assert len(dial.query.options) == min(seq, text_box.MAX_TOKENS)
    assert dial.query.value == len(dial.query.options) - 1
    for values in (dial.dial.parts, curves.lines.values, clocks.dial.q_hands):
        assert np.isfinite(values).all()
    assert (back.pictures.layout.display == "none") == (seq < 2)
    assert clocks.place.value == seq - 1
    assert alone.changes[False] < 1e-5
    for shown in (dial, curves, clocks, alone, back):
        repr(shown)


# --- heaps, and a head that sees no order ---


def test_two_tokens_change_places():
    pieces = ["Tom", " has", " a", " dog", " and", " a", " cat", " ."]
    assert places_to_swap(pieces, " dog", " cat") == (3, 6)
    assert places_to_swap(pieces, " dog", " cow") == (0, 1)
    assert places_to_swap(["a", "a", "b", "c"], "x", "y") == (1, 2)
    for pieces in (["a", "a", "a", "b"], ["a", "b"], ["a"]):
        assert places_to_swap(pieces, "x", "y") is None


def test_the_heap_of_both_orders_and_what_the_model_says_after_each(model):
    trace = model.trace(OWNERS)
    *strips, said = pictures.two_heaps(trace, " dog", " cat").children
    own, other, heap = (strip.ids for strip in strips)
    assert own == trace.tokens != other
    assert heap == sorted(own) == sorted(other)
    assert other == model.tokenizer.encode(EXCHANGED)
    dog = Sampler().probs(model.trace(other).logits)[model.tokenizer.encode(" dog")[0]]
    assert f"{100 * dog:.1f}%" in told(said).splitlines()[1]


@pytest.mark.parametrize("text", [OWNERS, "Once there was a king. " * 80], ids=["short", "long"])
def test_the_heap_made_by_hand_on_the_page(model, capsys, text):
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(PAGE.read_text("utf-8"))["cells"]}
    exec(
        cells["pos-07"],
        {"np": np, "embeddings": embeddings, "prompt": views.Prompt(model, text), "model": model},
    )
    assert capsys.readouterr().out.endswith(" True\n")


def test_a_shuffled_head_is_the_models_own(model):
    alone = pictures.ShuffledHead(model.trace(OWNERS), head=3)
    assert percent(alone.changes[False]) in told(alone.told)
    assert percent(alone.changes[True]) not in told(alone.told)  # the reader asks for it
    own, other = (strip.weights for strip in alone.strips)
    pattern = model.trace(OWNERS, Edits(rope=False)).blocks[0].attention.pattern[3, -1]
    np.testing.assert_allclose(own, pattern, atol=1e-6)
    assert sorted(own) == pytest.approx(sorted(other), abs=1e-6)
    assert alone.changes[False] < 1e-5 < 0.1 < alone.changes[True]
    before = alone.strips[1].pieces
    alone.again.click()
    assert sorted(alone.strips[1].pieces) == sorted(before) != before
    alone.rope.value = True
    assert not np.allclose(sorted(alone.strips[0].weights), sorted(alone.strips[1].weights), atol=1e-3)
    assert percent(alone.changes[True]) in told(alone.told)


def test_few_tokens_are_shuffled_too(tiny_model):
    alone = pictures.ShuffledHead(tiny_model.trace([5, 6, 7]), head=0)
    for _ in range(4):
        assert alone.strips[1].pieces != alone.strips[0].pieces
        assert alone.changes[True] > 1e-5
        alone.again.click()
    too_few = pictures.ShuffledHead(tiny_model.trace([5, 6]), head=0)
    assert len(too_few.told.sentences) == len(alone.told.sentences) + 1


def test_of_a_long_text_the_beginning_is_used(tiny_model):
    text = "the cat sat on the mat and the dog ran to the man " * 20
    trace = tiny_model.trace(tiny_model.tokenizer.encode(text)[:100])
    short = tiny_model.trace(trace.tokens[:64])
    heaps = pictures.two_heaps(trace, " cat", " mat")
    swap = pictures.SwapWords(trace, first=" cat", second=" mat")
    back = pictures.OneBack(trace)
    for said in (heaps.children[-1], swap.told, back.told):
        assert cut(trace) in told(said)
    assert numbers(cut(trace)) == [64]
    assert len(heaps.children[0].pieces) == len(swap.after.pieces) == len(back.arcs[0].pieces) == 64
    shares = pictures.shares_one_back(short)
    np.testing.assert_allclose(back.map.values, shares, atol=1e-5)
    assert pictures.n_layers_that_notice(trace, " cat", " mat") == pictures.n_layers_that_notice(
        short, " cat", " mat"
    )


# --- a head that looks one back ---


def test_the_map_and_the_arcs_of_the_head_that_is_picked(cat):
    back = pictures.OneBack(cat)
    assert back.map.selected == [0, 0]
    assert back.map.values[0, 16] == pytest.approx(
        np.diagonal(cat.blocks[16].attention.pattern[0], -1).mean()
    )
    assert np.unravel_index(back.map.values.argmax(), (9, 30)) == (0, 16)
    back.map.selected = [0, 16]
    own, unturned = (picture.weights for picture in back.arcs)
    np.testing.assert_allclose(np.tril(own), cat.blocks[16].attention.pattern[0], atol=1e-6)
    expected = np.tril(experiments.pattern_without_rope(cat, 16, 0))
    np.testing.assert_allclose(np.tril(unturned), expected, atol=1e-5)
    assert np.diagonal(own, -1).mean() > 0.7 > 0.3 > np.diagonal(unturned, -1).mean()
    assert "L16·H0 gives" in told(back.told)


# --- scores over distance ---


def test_the_curves_pass_through_the_models_own_scores(cat):
    curves = pictures.ScoreByDistance(cat, layer=21, head=7, query=6, key=1)
    scores = cat.blocks[21].attention.scores[7]
    assert curves.lines.values[0, 5] == pytest.approx(scores[6, 1], abs=1e-3)
    assert curves.lines.values[1, 6] == pytest.approx(scores[6, 0], abs=1e-3)  # the first token's key
    curves.query.value, curves.key.value = 7, 4
    assert curves.lines.values[0, 3] == pytest.approx(scores[7, 4], abs=1e-3)
    assert curves.lines.values[1, 7] == pytest.approx(scores[7, 0], abs=1e-3)


# --- positions of the real model ---


@pytest.fixture
def switches(model):
    return pictures.PositionSwitches(model.trace("The capital of France is"))


def test_presets_and_slider_are_one(switches):
    assert switches.presets.value == ROPE_OFF
    for name, edits in SETTINGS.items():
        switches.presets.value = name
        assert switches.edits == edits
    switches.scale.value = 3.0
    assert switches.presets.value is None
    assert switches.edits == Edits(position_scale=3.0)
    switches.scale.value = 2.0
    assert switches.presets.value == "stretched × 2"


def test_the_bars_are_the_edited_models(switches, model):
    before = Sampler().probs(model.trace("The capital of France is").logits)
    for name in ("RoPE off", "stretched × 4"):
        switches.presets.value = name
        after = Sampler().probs(model.trace("The capital of France is", SETTINGS[name]).logits)
        bars = switches.bars
        np.testing.assert_allclose(bars.probs, after[bars.ids], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(bars.before, before[bars.ids], rtol=1e-4, atol=1e-7)
    switches.presets.value = AS_IT_IS
    assert switches.bars.before is None
    assert "%" not in told(switches.told)  # nothing has changed


def test_surprise_is_measured_with_each_setting_and_with_other_parts_off(switches, model):
    tokens = model.tokenizer.encode("The capital of France is")
    whole, _off, _twice, four_times, _half, moved, block_off, worst = switches.surprise.values[0]
    for shown, edits in ((whole, Edits()), (four_times, Edits(position_scale=4.0))):
        assert shown == pytest.approx(experiments.token_surprise(model.trace(tokens, edits)).mean(), rel=1e-4)
    blocks = {
        (part, layer): experiments.token_surprise(model.trace(tokens, Edits(**{part: {layer: 0}}))).mean()
        for part in ("ffn", "attention")
        for layer in (11, 13, 15, 17, 19)
    }
    assert block_off == pytest.approx(np.mean([*blocks.values()]), rel=1e-4)
    assert worst == pytest.approx(blocks["ffn", 11], rel=1e-4)
    assert re.search(holding("FFN", "layer 11", len(blocks)), told(switches.scored))
    assert moved == pytest.approx(whole, abs=1e-3)
    assert "15.6 bits" in told(switches.scored)


def test_a_single_token_has_no_surprise(tiny_model):
    prompt = views.Prompt(tiny_model, "cat")
    switches = pictures.PositionSwitches(prompt)
    prompt.box.value = tiny_model.tokenizer.decode(prompt.tokens[:1])
    assert switches.surprise.layout.display == "none"
    assert told(switches.scored)
    assert numbers(told(switches.scored)) == []
    prompt.box.value = "the cat sat"
    assert switches.surprise.layout.display == ""
    assert np.isfinite(switches.surprise.values).all()


def test_it_writes_with_each_setting(model, monkeypatch):
    monkeypatch.setattr("llmviz.views.position.switches.N_WRITTEN", 8)
    switches = pictures.PositionSwitches(model.trace("My favourite colour is"))
    switches.write.click()
    assert len(switches.written.children) == len(SETTINGS)
    steps = model.generate(
        "My favourite colour is", 8, Sampler(temperature=0), edits=SETTINGS["stretched × 2"]
    )
    assert switches.strips["stretched × 2"].pieces == [step.piece for step in steps]
    texts = {name: strip.pieces for name, strip in switches.strips.items()}
    assert texts[MOVED] == texts[AS_IT_IS] != texts[ROPE_OFF]


def test_a_new_text_ends_what_is_being_written(model):
    prompt = views.Prompt(model, "The capital of France is")
    switches = pictures.PositionSwitches(prompt)

    async def change_of_mind():
        switches.write.click()
        while not switches.strips[AS_IT_IS].pieces:
            await asyncio.sleep(0.01)
        prompt.box.value = "My favourite colour is"
        await asyncio.sleep(0.1)
        return len(switches.strips[MOVED].pieces)

    assert asyncio.run(change_of_mind()) == 0
    assert switches.written.children == ()


# --- the order that is left ---


def test_the_lines_and_bars_of_a_swap_are_the_models_own(model):
    swap = pictures.SwapWords(model.trace(OWNERS), first=" dog", second=" cat")
    assert (swap.first.value, swap.second.value) == (3, 8)
    ids = model.tokenizer.encode(OWNERS)
    other = model.tokenizer.encode(EXCHANGED)
    for row, edits in enumerate((Edits(), Edits(rope=False), Edits(rope=False, causal_mask=False))):
        runs = [model.trace(tokens, edits) for tokens in (ids, other)]
        np.testing.assert_allclose(swap.lines.values[row], experiments.relative_change(*runs), atol=1e-4)
    before, after = (
        Sampler().probs(model.trace(tokens, Edits(rope=False)).logits) for tokens in (ids, other)
    )
    assert len({bars.axis_max for bars in swap.bars.values()}) == 1
    bars = swap.bars["RoPE off"]
    np.testing.assert_allclose(bars.probs, after[bars.ids], rtol=1e-4)
    np.testing.assert_allclose(bars.before, before[bars.ids], rtol=1e-4)
    dog = model.tokenizer.encode(" dog")[0]
    assert f"{100 * before[dog]:.1f}% → {100 * after[dog]:.1f}%" in told(swap.told)
    both_off = Edits(rope=False, causal_mask=False)
    guesses = [Sampler().probs(model.trace(tokens, both_off).logits) for tokens in (ids, other)]
    assert percent(experiments.total_variation(*guesses)) in told(swap.told)
    assert pictures.n_layers_that_notice(model.trace(OWNERS), " dog", " cat") == 29


def test_swapping_equals_and_texts_that_are_too_short(model):
    prompt = views.Prompt(model, "the the cat sat")
    swap = pictures.SwapWords(prompt)
    assert (swap.first.value, swap.second.value) == (0, 1)
    swap.second.value = 0
    assert numbers(told(swap.told)) == []  # nothing is measured
    prompt.box.value = "Hi you"
    assert swap.pictures.layout.display == "none"
    assert told(swap.told) == f"{NOTHING.capitalize()}."
    prompt.box.value = "One two three"
    assert swap.pictures.layout.display == ""
    assert swap.after.pieces == [" two", "One", " three"]
    for text in ("Hi", "Hi you", " dog" * 10):
        prompt.box.value = text
        assert swap.pictures.layout.display == "none"
        with pytest.raises(ValueError, match=NOTHING):
            pictures.n_layers_that_notice(prompt.trace, " dog", " cat")


# --- long texts ---


def test_long_texts_are_measured_as_planned(tiny_model):
    text = "the cat sat on the mat and the dog ran to the man " * 8
    long = pictures.LongText(tiny_model, text)
    long.other.value = "RoPE off"
    long.run.click()
    tokens = tiny_model.tokenizer.encode(text)[: tiny_model.config.n_ctx]
    guessed, contexts = long._plan(len(tokens))
    assert len(contexts) >= 2
    assert len(long.lines.names) == 2
    assert long.lines.names[1] == long.other.value
    np.testing.assert_array_equal(long.lines.x, contexts)
    for i, edits in enumerate((Edits(), Edits(rope=False))):
        bits = experiments.token_surprise(
            tiny_model.trace(tokens[-(contexts[1] + guessed) :], edits), last=guessed
        )
        assert long.lines.values[i, 1] == pytest.approx(bits.mean(), rel=1e-4)
    assert "s here" in told(long.told)
    assert (long.run.description, long.progress.layout.visibility) == ("Measure", "hidden")


def test_short_texts_cannot_be_measured(tiny_model):
    long = pictures.LongText(tiny_model, "too short")
    assert long.run.disabled
    assert re.search(holding(100), told(long.told))
    long.text.value = "word " * 300
    assert not long.run.disabled
    long.text.value = ""
    assert long.run.disabled


def test_a_second_click_stops_it(tiny_model):
    long = pictures.LongText(tiny_model, "the cat sat on the mat and the dog ran " * 12)

    async def two_clicks():
        long.run.click()
        await asyncio.sleep(0)  # it has begun
        assert long.run.description == "stop"
        long.run.click()
        await asyncio.sleep(0.05)

    asyncio.run(two_clicks())
    assert "Stopped" in told(long.told)
    assert long.run.description == "Measure"
    assert long.lines.x is None


def test_the_last_point_has_a_label_with_room_beside_it(tiny_model):
    long = pictures.LongText(tiny_model, "the cat sat on the mat and the dog ran " * 12)
    long.run.click()
    *_, before, last = long.lines.x_ticks
    assert last == long.lines.x[-1] >= 2 * before


def test_the_story_fills_the_range(model):
    assert 1_900 < len(model.tokenizer.encode(pictures.STORY)) <= MAX_READ


def test_two_controls_wait_for_each_other(model):
    """JupyterLab may run two callbacks in two threads."""
    switches = pictures.PositionSwitches(model.trace("Hello there"))
    names = [*SETTINGS] * 2
    threads = [threading.Thread(target=setattr, args=(switches.presets, "value", name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    switches.presets.value = "stretched × 2"
    assert switches.edits == SETTINGS["stretched × 2"]
    probs = Sampler().probs(model.trace("Hello there", switches.edits).logits)
    np.testing.assert_allclose(switches.bars.probs, probs[switches.bars.ids], rtol=1e-4)


# --- whatever is typed ---


@pytest.mark.parametrize("text", [*BAD_TEXTS, *UNUSUAL.values()], ids=[*range(len(BAD_TEXTS)), *UNUSUAL])
def test_every_picture_survives_it(tiny_model, text):
    prompt = views.Prompt(tiny_model, "The cat sat on the mat")
    switches, swap = pictures.PositionSwitches(prompt), pictures.SwapWords(prompt)
    heaps = views.live(prompt, lambda trace: pictures.two_heaps(trace, " cat", " mat"))
    long = pictures.LongText(tiny_model, "the cat sat on the mat " * 30)
    for box in (prompt.box, long.text):
        box.value = text
    assert prompt.tokens or prompt.message.value
    before = prompt.trace.pieces[:N_USED][:-1]
    assert (swap.pictures.layout.display == "none") == (len({*before}) < 2)
    assert switches.told.sentences
    assert told(long.told)
    for shown in (switches, swap, long, heaps):
        assert "<script" not in "".join(one.value for one in inside(shown, ipywidgets.HTML))
        repr(shown)
