"""Position's pictures: the numbers they are given, and what their controls do."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from messages import holding, numbers

from llmviz import Edits, Sampler, embeddings, experiments, ops, position, views
from llmviz.views import position as pictures
from llmviz.views.kit.numbers import percent
from llmviz.views.position.long_text import MAX_READ
from llmviz.views.position.shuffled_head import cut
from llmviz.views.position.swap import NOTHING, positions_to_swap
from llmviz.views.position.switches import SETTINGS

AS_IT_IS, ROPE_OFF, *_, MOVED = SETTINGS
PAGE = Path(__file__).parents[1] / "notebooks" / "03_position.ipynb"
CAT = "The cat that I saw yesterday was sleeping"
OWNERS = "Tom has a dog and Anna has a cat. Tom has a"
EXCHANGED = "Tom has a cat and Anna has a dog. Tom has a"


def said(view, part="message") -> str:
    """Return what the sentences of a view say."""
    return repr(view.parts[part]).replace("−", "-")


def become(view, **fields):
    view.become(replace(view.state, **fields))


@pytest.fixture(scope="module")
def cat(model):
    return model.trace(CAT)


@pytest.fixture
def explorer(cat):
    return pictures.DialExplorer(cat, layer=13, head=8, query=6, key=1)


@pytest.fixture
def dial(explorer):
    return explorer.parts["dial"]


def test_the_slider_and_the_map_choose_one_row():
    explorer = pictures.SinusoidPattern(n_positions=30, d_model=16, row=5)
    picture, lines = explorer.parts["map"], explorer.parts["lines"]
    assert picture.selected[0] == 5
    picture.set_state({"selected": [12, 3]})
    assert explorer.controls["row"].value == 12
    explorer.controls["row"].value = 20
    assert picture.selected == [20, 3]
    waves = position.sinusoidal_encoding(np.arange(30), 16)
    at = {int(x): v for x, v in zip(lines.x, lines.values[0])}
    assert at[0] == pytest.approx(8)
    assert at[-7] == pytest.approx(waves[20] @ waves[13], abs=1e-4)
    assert np.isnan(at[10])  # there is no position 30


def test_at_home_the_score_is_the_models_own(explorer, dial, cat):
    own = cat.blocks[13].attention.scores[8, 6, 1]
    assert dial.score == pytest.approx(own, abs=1e-3)
    assert re.search(holding("L13·H8", 32, f"{own:.3g}"), said(explorer))
    assert len(dial.text().splitlines()) == 2 + 32


def test_moving_both_moves_the_hands_but_no_bar(explorer, dial):
    hands, scores = dial.q_hands.copy(), dial.parts.copy()
    for by in (1, 100, 1_000):
        explorer.controls["both"].value = by
        assert np.abs(dial.q_hands - hands).max() > 0.1
        np.testing.assert_allclose(dial.parts, scores, atol=2e-3)
    assert (dial.q_position, dial.k_position) == (1_006, 1_001)
    assert re.search(holding("1,000", "0.000"), said(explorer))


def test_moving_the_query_turns_each_pair_by_its_own_speed_as_foretold(explorer, dial):
    before, hands, keys, foretold = dial.score, dial.q_hands.copy(), dial.k_hands.copy(), said(explorer)
    explorer.controls["q_position"].value += 1
    for i, speed in enumerate(100_000 ** -(np.arange(32) / 32)):
        was, now = (complex(*each[i]) for each in (hands, dial.q_hands))
        assert now == pytest.approx(was * np.exp(1j * speed), abs=1e-3)
    np.testing.assert_array_equal(dial.k_hands, keys)
    change = dial.score - before
    assert abs(change) > 0.1
    assert any(number == pytest.approx(change, abs=1e-2) for number in numbers(foretold))


def test_another_token_stands_where_it_does_in_the_text(explorer, dial, cat):
    def places():
        return [explorer.controls[name].value for name in ("q_position", "k_position", "both")]

    become(explorer, both=7, k_position=9)
    masked = said(explorer)
    explorer.parts["home"].click()
    assert places() == [6, 1, 0]
    assert len(masked.splitlines()) == len(said(explorer).splitlines()) + 1  # the key was after the query
    become(explorer, both=7)
    explorer.controls["query"].value = 4
    assert places() == [4, 1, 0]
    assert dial.q_name == [" saw"]
    explorer.controls["key"].value = 0
    become(explorer, layer=16, head=0)
    assert dial.score == pytest.approx(cat.blocks[16].attention.scores[0, 4, 0], abs=1e-3)


@pytest.mark.parametrize("seq", [8, 350])
def test_tokens_stand_where_they_do_in_a_text_of_any_length(model, seq):
    prompt = views.Prompt(model, CAT)
    explorer = pictures.DialExplorer(prompt)
    dial = explorer.parts["dial"]
    for n in (350, seq):
        prompt.box.value = " parrot" * n
        assert (dial.q_position, dial.k_position) == (n - 1, n - 2)
        assert explorer.controls["q_position"].max == max(200, n - 1)
        own = prompt.trace.blocks[16].attention.scores[0, n - 1, n - 2]
        assert dial.score == pytest.approx(own, abs=5e-3)


def test_a_single_query_turns_with_its_position(cat):
    clocks = pictures.Clocks(cat)
    dial = clocks.parts["dial"]
    own = cat.blocks[16].q[0, -1].reshape(-1, 2)
    assert clocks.controls["position"].value == dial.q_position == 7
    np.testing.assert_allclose(dial.q_hands, own, atol=1e-4)
    become(clocks, position=0)
    np.testing.assert_array_equal(dial.q_hands, dial.k_hands)
    become(clocks, position=1_000)
    turns = 1_000 * 100_000 ** -(np.arange(32) / 32) / (2 * np.pi)
    np.testing.assert_allclose(dial.turns, turns, rtol=1e-4)
    np.testing.assert_allclose(pictures.periods(cat.model.config), 1_000 / turns)
    assert re.search(holding("1,000", (turns >= 1).sum(), 32), said(clocks))
    assert len(dial.text().splitlines()) == 2 + 32


@pytest.mark.parametrize(("at", "twice_or_more"), [(4, []), (12, []), (13, [2]), (1_000, [159])])
def test_only_full_turns_are_counted(cat, at, twice_or_more):
    _at, _around, _of, *turns, _still, _degrees = numbers(said(pictures.Clocks(cat, position=at)))
    assert turns == twice_or_more


def test_two_tokens_change_places(tiny_model):
    trace = tiny_model.trace("the cat and the dog ran")
    the, _space, cat, *_ = trace.pieces
    assert positions_to_swap(trace, cat, the) == (trace.pieces.index(cat), 0)
    assert positions_to_swap(trace, cat, "cow") == (0, 1)
    again = tiny_model.trace([5, 5, 6, 7])
    assert positions_to_swap(again, "x", "y") == (1, 2)
    for tokens in ([5, 5, 5, 6], [5, 6], [5]):
        assert positions_to_swap(tiny_model.trace(tokens), "x", "y") is None


def test_the_heap_of_both_orders_and_what_the_model_says_after_each(model):
    trace = model.trace(OWNERS)
    heaps = pictures.TwoHeaps(trace, " dog", " cat")
    own, other, heap = (heaps.parts[name].ids for name in ("own", "swapped", "heap"))
    assert own == trace.tokens != other
    assert heap == sorted(own) == sorted(other)
    assert other == model.tokenizer.encode(EXCHANGED)
    dog = Sampler().probs(model.trace(other).logits)[model.tokenizer.encode(" dog")[0]]
    assert f"{100 * dog:.1f}%" in said(heaps).splitlines()[1]


@pytest.mark.parametrize("text", [OWNERS, "Once there was a king. " * 80], ids=["short", "long"])
def test_the_heap_made_by_hand_on_the_page(model, capsys, text):
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(PAGE.read_text("utf-8"))["cells"]}
    exec(
        cells["pos-07"],
        {"np": np, "embeddings": embeddings, "prompt": views.Prompt(model, text), "model": model},
    )
    assert capsys.readouterr().out.endswith(" True\n")


def test_a_shuffled_head_is_the_models_own(model):
    shuffled = pictures.ShuffledHead(model.trace(OWNERS), head=3)
    strips = [shuffled.parts[name] for name in ("in_order", "shuffled")]
    own, other = (strip.weights for strip in strips)
    pattern = model.trace(OWNERS, Edits(rope=False)).blocks[0].attention.pattern[3, -1]
    np.testing.assert_allclose(own, pattern, atol=1e-6)
    assert sorted(own) == pytest.approx(sorted(other), abs=1e-6)
    assert len(numbers(said(shuffled))) == 2  # the reader asks for what RoPE changes
    before = strips[1].pieces
    shuffled.parts["again"].click()
    assert sorted(strips[1].pieces) == sorted(before) != before
    shuffled.controls["rope"].value = True
    assert not np.allclose(sorted(strips[0].weights), sorted(strips[1].weights), atol=1e-3)
    tokens = shuffled.run.tokens
    runs = [model.trace(order) for order in (tokens, experiments.shuffle_tokens(tokens, 1))]
    change = experiments.head_change(*runs, 0)[3]
    assert change > 0.1
    assert percent(change) in said(shuffled)


def test_few_tokens_are_shuffled_too(tiny_model):
    shuffled, too_few = (pictures.ShuffledHead(tiny_model.trace(tokens)) for tokens in ([5, 6, 7], [5, 6]))
    for _ in range(4):
        assert shuffled.parts["shuffled"].pieces != shuffled.parts["in_order"].pieces
        shuffled.parts["again"].click()
    assert len(said(too_few).splitlines()) == len(said(shuffled).splitlines()) + 1


def test_of_a_long_text_the_beginning_is_used(tiny_model):
    text = "the cat sat on the mat and the dog ran to the man " * 20
    trace = tiny_model.trace(tiny_model.tokenizer.encode(text)[:100])
    short = tiny_model.trace(trace.tokens[:64])
    heaps = pictures.TwoHeaps(trace, " cat", " mat")
    swap = pictures.SwapWords(trace, " cat", " mat")
    back = pictures.OneBack(trace)
    assert numbers(cut(trace)) == [64]
    for view, part in ((heaps, "own"), (swap, "swapped"), (back, "own")):
        assert cut(trace) in said(view)
        assert len(view.parts[part].pieces) == 64
    np.testing.assert_allclose(back.parts["map"].values, pictures.shares_one_back(short), atol=1e-5)
    n_layers = [pictures.n_layers_that_notice(run, " cat", " mat") for run in (trace, short)]
    assert n_layers[0] == n_layers[1]


def test_the_map_and_the_arcs_of_the_head_that_is_picked(cat):
    back = pictures.OneBack(cat)
    picture = back.parts["map"]
    assert picture.selected == [0, 0]
    shares = np.diagonal(cat.blocks[16].attention.pattern[0], -1)
    assert picture.values[0, 16] == pytest.approx(shares.mean())
    assert np.unravel_index(picture.values.argmax(), (9, 30)) == (0, 16)
    picture.set_state({"selected": [0, 16]})
    own, unturned = (back.parts[name].weights for name in ("own", "unturned"))
    np.testing.assert_allclose(np.tril(own), cat.blocks[16].attention.pattern[0], atol=1e-6)
    expected = np.tril(experiments.pattern_without_rope(cat, 16, 0))
    np.testing.assert_allclose(np.tril(unturned), expected, atol=1e-5)
    assert np.diagonal(own, -1).mean() > 0.7 > 0.3 > np.diagonal(unturned, -1).mean()
    assert "L16·H0" in said(back)


def test_the_curves_pass_through_the_models_own_scores(cat):
    curves = pictures.ScoreByDistance(cat, layer=21, head=7, query=6, key=1)
    scores, lines = cat.blocks[21].attention.scores[7], curves.parts["lines"]
    for query, key in ((6, 1), (7, 4)):
        become(curves, query=query, key=key)
        assert lines.values[0, query - key] == pytest.approx(scores[query, key], abs=1e-3)
        assert lines.values[1, query] == pytest.approx(scores[query, 0], abs=1e-3)  # the first token's key


@pytest.fixture
def switches(model):
    return pictures.PositionSwitches(model.trace("The capital of France is"))


def edits(switches):
    return switches.scene(switches.state).edits[1]


def test_presets_and_slider_are_one(switches):
    presets, slider = switches.controls["setting"], switches.controls["scale"]
    assert presets.value == ROPE_OFF
    for name in SETTINGS:
        presets.value = name
        assert edits(switches) == SETTINGS[name]
        assert slider.value == SETTINGS[name].position_scale
    slider.value = 3.0
    assert presets.value is None
    assert edits(switches) == Edits(position_scale=3.0)
    slider.value = 2.0
    assert presets.value == "stretched × 2"


def test_the_bars_are_the_edited_models(switches, model):
    before = ops.softmax(switches.run.logits)
    bars = switches.parts["bars"]
    for name in ("RoPE off", "stretched × 4"):
        become(switches, setting=name)
        after = ops.softmax(model.trace("The capital of France is", SETTINGS[name]).logits)
        np.testing.assert_allclose(bars.probs, after[bars.ids], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(bars.before, before[bars.ids], rtol=1e-4, atol=1e-7)
    assert percent(experiments.total_variation(before, after)) in said(switches)
    become(switches, setting=AS_IT_IS)
    assert bars.before is None
    assert "%" not in said(switches)  # nothing has changed


def test_surprise_is_measured_with_each_setting_and_with_other_parts_off(switches, model):
    tokens = model.tokenizer.encode("The capital of France is")
    whole, _off, _twice, four_times, _half, moved, block_off, worst = switches.parts["surprise"].values[0]
    for shown, edits in ((whole, Edits()), (four_times, Edits(position_scale=4.0))):
        assert shown == pytest.approx(experiments.token_surprise(model.trace(tokens, edits)).mean(), rel=1e-4)
    blocks = {
        (part, layer): experiments.token_surprise(model.trace(tokens, Edits(**{part: {layer: 0}}))).mean()
        for part in ("ffn", "attention")
        for layer in (11, 13, 15, 17, 19)
    }
    assert block_off == pytest.approx(np.mean([*blocks.values()]), rel=1e-4)
    assert worst == pytest.approx(blocks["ffn", 11], rel=1e-4)
    assert re.search(holding("FFN", "layer 11", len(blocks)), said(switches, "comparison"))
    assert moved == pytest.approx(whole, abs=1e-3)
    assert "15.6 bits" in said(switches, "comparison")


@pytest.mark.parametrize(
    ("kind", "part", "sentences"),
    [(pictures.OneBack, "map", "message"), (pictures.PositionSwitches, "surprise", "comparison")],
)
def test_a_single_token_has_none_before_it(tiny_model, kind, part, sentences):
    view = kind(tiny_model.trace([5]))
    assert view.parts[part].layout.display == "none"
    assert said(view, sentences)
    assert numbers(said(view, sentences)) == []


def test_it_writes_with_each_setting(model, monkeypatch):
    monkeypatch.setattr("llmviz.views.position.switches.N_WRITTEN", 8)
    switches = pictures.PositionSwitches(model.trace("My favourite colour is"))
    assert switches.parts[ROPE_OFF].layout.display == "none"
    switches.parts["write"].click()
    texts = {name: switches.parts[name].pieces for name in SETTINGS}
    steps = model.generate(
        "My favourite colour is", 8, Sampler(temperature=0), edits=SETTINGS["stretched × 2"]
    )
    assert texts["stretched × 2"] == [step.piece for step in steps]
    assert texts[MOVED] == texts[AS_IT_IS] != texts[ROPE_OFF]


def test_the_lines_and_bars_of_a_swap_are_the_models_own(model):
    swap = pictures.SwapWords(model.trace(OWNERS), " dog", " cat")
    assert [swap.controls[name].value for name in ("first_position", "second_position")] == [3, 8]
    orders, probs = [model.tokenizer.encode(text) for text in (OWNERS, EXCHANGED)], []
    for row, edits in enumerate((Edits(), Edits(rope=False), Edits(rope=False, causal_mask=False))):
        runs = [model.trace(tokens, edits) for tokens in orders]
        changes = swap.parts["lines"].values[row]
        np.testing.assert_allclose(changes, experiments.relative_change(*runs), atol=1e-4)
        probs.append([ops.softmax(run.logits) for run in runs])
        assert percent(experiments.total_variation(*probs[-1])) in said(swap)
    with_rope, without = swap.parts["with_rope"], swap.parts["without_rope"]
    assert with_rope.axis_max == without.axis_max
    for bars, (before, after) in ((with_rope, probs[0]), (without, probs[1])):
        np.testing.assert_allclose(bars.probs, after[bars.ids], rtol=1e-4)
        np.testing.assert_allclose(bars.before, before[bars.ids], rtol=1e-4)
        dog = model.tokenizer.encode(" dog")[0]
        assert f"{100 * before[dog]:.1f}% → {100 * after[dog]:.1f}%" in said(swap)
    assert pictures.n_layers_that_notice(model.trace(OWNERS), " dog", " cat") == 29


def test_swapping_equals_and_texts_that_are_too_short(model):
    prompt = views.Prompt(model, "the the cat sat")
    swap = pictures.SwapWords(prompt)
    assert swap.scene(swap.state).pair == (0, 1)
    swap.controls["second_position"].value = 0
    assert numbers(said(swap)) == []  # nothing is measured
    prompt.box.value = "One two three"
    assert swap.parts["swapped"].pieces == [" two", "One", " three"]
    for text in ("Hi", "Hi you", " dog" * 10):
        prompt.box.value = text
        assert swap.parts["swapped"].layout.display == "none"
        assert said(swap) == f"{NOTHING.capitalize()}."
        with pytest.raises(ValueError, match=NOTHING):
            pictures.n_layers_that_notice(prompt.trace, " dog", " cat")


def test_long_texts_are_measured_as_planned(tiny_model):
    text = "the cat sat on the mat and the dog ran to the man " * 8
    long = pictures.LongText(tiny_model, text, other="RoPE off")
    lines = long.parts["lines"]
    assert lines.values is None
    long.parts["measure"].click()
    tokens = tiny_model.tokenizer.encode(text)[: tiny_model.config.n_ctx]
    predicted, contexts = long.scene(long.state).plan
    assert len(contexts) >= 2
    assert lines.names[1:] == [long.state.other]
    np.testing.assert_array_equal(lines.x, contexts)
    for i, edits in enumerate((Edits(), Edits(rope=False))):
        run = tiny_model.trace(tokens[-(contexts[1] + predicted) :], edits)
        bits = experiments.token_surprise(run, last=predicted)
        assert lines.values[i, 1] == pytest.approx(bits.mean(), rel=1e-4)
    *_, before, last = lines.x_ticks
    assert last == lines.x[-1] >= 2 * before
    assert re.search(holding(contexts[0], f"{lines.values[0, 0]:.2f}", predicted), said(long))


def test_short_texts_cannot_be_measured(tiny_model):
    long = pictures.LongText(tiny_model, "too short")
    for text, is_long in (("too short", False), ("word " * 300, True), ("", False)):
        long.controls["text"].value = text
        assert long.parts["measure"].disabled != is_long
        assert bool(re.search(holding(100), said(long))) != is_long


def test_the_story_fills_the_range(model):
    assert 1_900 < len(model.tokenizer.encode(pictures.STORY)) <= MAX_READ
