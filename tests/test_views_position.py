"""Position's pictures: the numbers they are given, and what their controls do."""

import re

import numpy as np
import pytest
import tiny_families
from messages import holding, numbers
from traitlets import TraitError
from widget_tree import said

from llmviz import Edits, Sampler, experiments, ops, views
from llmviz.views import position as pictures
from llmviz.views.kit.numbers import percent
from llmviz.views.position.shuffled_head import cut
from llmviz.views.position.switches import SETTINGS

OWNERS = "Tom has a dog and Anna has a cat. Tom has a"
EXCHANGED = "Tom has a cat and Anna has a dog. Tom has a"
SPEEDS = 100_000 ** -(np.arange(32) / 32)  # of RoPE's pairs in this model, in radians per token


def angles(dial, of) -> np.ndarray:
    """Return the angles of a dial's hands at its step, in degrees, from its text form."""
    head, *rows = [re.split(r"\s{2,}", line.strip()) for line in dial.text().splitlines()[1:]]
    return np.array([numbers(row[head.index(of)])[0] for row in rows])


def test_a_single_query_turns_with_its_position(cat):
    clocks = pictures.Clocks(cat)
    dial = clocks.parts["dial"]
    np.testing.assert_allclose(pictures.periods(cat.model.config), 2 * np.pi / SPEEDS)
    own = cat.blocks[16].q[0, -1].reshape(-1, 2)  # of the head that attends most to the token before
    dial.set_state({"step": 7})
    np.testing.assert_allclose(angles(dial, "query's hand"), np.degrees(np.arctan2(*own.T[::-1])), atol=0.6)
    turns = 1_000 * SPEEDS / (2 * np.pi)
    np.testing.assert_allclose(dial.turns[1_000], turns, rtol=1e-4)
    dial.set_state({"step": 1_000})
    assert numbers(dial.text().splitlines()[2])[-1] == pytest.approx(turns[0], rel=0.01)
    with pytest.raises(TraitError):
        dial.step = 1_001


@pytest.mark.parametrize("seq", [1, 8, 350])
def test_the_two_hands_have_the_models_own_score(model, seq):
    prompt = views.Prompt(model, OWNERS)
    hands = pictures.TwoHands(prompt)
    for n in (350, seq):
        prompt.box.value = "One" + " parrot" * (n - 1)
        layer, head = pictures.strongest_head(prompt.trace)
        own = prompt.trace.blocks[layer].attention.scores[head, n - 1, max(n - 2, 0)]
        dial = hands.parts["dial"]
        assert dial.score == pytest.approx(own, abs=5e-3)
        assert (dial.q_position, dial.k_position) == (n - 1, max(n - 2, 0))
        assert f"L{layer}·H{head}" in dial.caption
        _, drawn, _, rest = numbers(said(hands))
        assert drawn + rest == pytest.approx(dial.score, abs=0.01)


@pytest.mark.parametrize(("family", "apart"), [("llama", 1), ("gemma3", 4)])
def test_a_dial_knows_which_numbers_are_a_pair(tiny_model, family, apart):
    words = tiny_model.weights.vocabulary, tiny_model.tokenizer
    other = tiny_model if family == "llama" else tiny_families.of_family(family, *words)
    trace = other.trace("the cat sat on the dog")
    dial = pictures.Clocks(trace).parts["dial"]
    layer, head = pictures.head_with_clocks(trace)
    before, _ = experiments.before_rope(trace, layer, head)
    np.testing.assert_allclose(dial.q_hands[0], before[-1, [0, dial.apart]], atol=1e-5)
    assert dial.apart == apart


def test_moving_both_turns_the_hands_and_moving_one_changes_the_score(cat):
    assert len(pictures.TwoHands(cat).parts["dial"].parts) == 8
    hands = pictures.TwoHands(cat, 32)
    dial = hands.parts["dial"]
    own, apart = dial.score, angles(dial, "query's hand") - angles(dial, "key's hand")
    before = angles(dial, "query's hand")
    dial.set_state({"step": 100})
    assert np.abs(angles(dial, "query's hand") - before).max() > 10
    change = angles(dial, "query's hand") - angles(dial, "key's hand") - apart
    assert np.abs((change + 180) % 360 - 180).max() <= 2  # of rounding
    assert dial.score == own
    for by in (100, 1_000):
        assert pictures.change_if_both_move(cat, by) == pytest.approx(0, abs=2e-3)
    query = dial.q_hands.copy()
    hands.controls["by"].value = 3
    for i, speed in enumerate(SPEEDS):
        was, now = (complex(*each[i]) for each in (query, dial.q_hands))
        assert now == pytest.approx(was * np.exp(3j * speed), abs=1e-3)
    assert dial.score != pytest.approx(own, abs=0.1)
    assert re.search(holding(f"{own:.2f}", 3, f"{dial.score:.2f}"), said(hands))


def test_two_tokens_change_places(tiny_model):
    trace = tiny_model.trace("the cat and the dog ran")
    the, _space, cat, *_ = trace.pieces
    assert "and" in pictures.swap_question(trace, cat, the, "{}?")
    for tokens in ([5, 5, 5, 6], [5, 6], [5]):
        trace = tiny_model.trace(tokens)
        assert trace.pieces[0] not in pictures.swap_question(trace, "x", "y", "{}?")


def test_the_set_is_the_same_and_the_prediction_is_not(model):
    trace = model.trace(OWNERS)
    view = pictures.UnorderedSet(trace, " dog", " cat")
    strip = view.parts["strip"]
    assert (strip.ids, strip.highlight) == (trace.tokens, [3, 8])
    view.controls["unordered"].value = True
    in_set = [*strip.ids]
    assert in_set == sorted(trace.tokens)
    view.controls["swapped"].value = True
    assert strip.ids == in_set
    assert pictures.which_vectors_change(trace, " dog", " cat") == 0
    view.controls["unordered"].value = False
    assert strip.ids == model.tokenizer.encode(EXCHANGED)
    dog = Sampler().probs(model.trace(strip.ids).logits)[model.tokenizer.encode(" dog")[0]]
    assert percent(dog) in said(view)


def test_a_shuffled_head_is_the_models_own(model):
    shuffled = pictures.ShuffledHead(model.trace(OWNERS), head=3)
    strip = shuffled.parts["strip"]
    own, pieces = strip.weights.copy(), [*strip.pieces]
    pattern = model.trace(OWNERS, Edits(rope=False)).blocks[0].attention.pattern[3, -1]
    np.testing.assert_allclose(own, pattern, atol=1e-6)
    shuffled.parts["shuffle"].click()
    assert sorted(strip.pieces) == sorted(pieces) != pieces
    assert sorted(own) == pytest.approx(sorted(strip.weights), abs=1e-6)
    first = [*strip.pieces]
    shuffled.parts["shuffle"].click()
    assert strip.pieces != first
    shuffled.controls["rope"].value = True
    tokens = shuffled.run.tokens
    runs = [model.trace(order) for order in (tokens, experiments.shuffle_tokens(tokens, 2))]
    change = experiments.head_change(*runs, 0)[3]
    assert change > 0.1
    assert percent(change) in said(shuffled)
    shuffled.parts["in_order"].click()
    assert strip.pieces == pieces


def test_few_tokens_are_shuffled_too(tiny_model):
    shuffled, too_few = (pictures.ShuffledHead(tiny_model.trace(tokens)) for tokens in ([5, 6, 7], [5, 6]))
    in_order = [*shuffled.parts["strip"].pieces]
    for _ in range(4):
        shuffled.parts["shuffle"].click()
        assert shuffled.parts["strip"].pieces != in_order
    assert numbers(said(too_few)) == []


def test_of_a_long_text_the_beginning_is_used(tiny_model):
    text = "the cat sat on the mat and the dog ran to the man " * 20
    trace = tiny_model.trace(tiny_model.tokenizer.encode(text)[:100])
    short = tiny_model.trace(trace.tokens[:64])
    unordered = pictures.UnorderedSet(trace, " cat", " mat")
    back = pictures.OneBack(trace)
    assert numbers(cut(trace)) == [64]
    for view, part in ((unordered, "strip"), (pictures.ShuffledHead(trace, order=1), "strip"), (back, "own")):
        assert cut(trace) in said(view)
        assert len(view.parts[part].pieces) == 64
    np.testing.assert_allclose(back.parts["map"].values.T, pictures.previous_token_weights(short), atol=1e-5)
    n_layers = [pictures.n_layers_that_notice(run, " cat", " mat") for run in (trace, short)]
    assert n_layers[0] == n_layers[1]


def test_the_map_opens_on_the_strongest_head_and_marks_the_others(cat):
    back = pictures.OneBack(cat)
    picture = back.parts["map"]
    weights = np.diagonal(cat.blocks[16].attention.pattern[0], -1)
    assert np.unravel_index(picture.values.argmax(), (9, 30)) == (0, 16) == (*picture.selected,)
    assert picture.values[0, 16] == pytest.approx(weights.mean())
    assert "L16·H0" in said(back)
    marked = np.array([[bool(text) for text in row] for row in picture.cell_text])
    np.testing.assert_array_equal(marked, picture.values > 0.5)
    own, unturned = (back.parts[name].weights for name in ("own", "unturned"))
    np.testing.assert_allclose(np.tril(own), cat.blocks[16].attention.pattern[0], atol=1e-6)
    expected = np.tril(experiments.pattern_without_rope(cat, 16, 0))
    np.testing.assert_allclose(np.tril(unturned), expected, atol=1e-5)
    picture.set_state({"selected": [3, 5]})
    assert "L5·H3" in said(back)


def test_how_common_such_heads_are_is_said_of_the_tokens_that_count(tiny_model):
    one, short, long = (tiny_model.trace([5, 6, 7] * n) for n in (1, 4, 30))
    for trace, used in ((short, short), (long, tiny_model.trace(long.tokens[:64]))):
        part = (pictures.previous_token_weights(used) > 0.5).mean()
        even = experiments.even_previous_token_score(len(used.tokens))
        assert re.search(holding(percent(part), percent(even)), pictures.how_common(trace))
    assert numbers(pictures.how_common(tiny_model.trace(one.tokens[:1]))) == []


@pytest.fixture
def switches(model):
    return pictures.PositionSwitches(model.trace("The capital of France is"))


def test_the_bars_are_the_edited_models(switches, model):
    before = ops.softmax(switches.run.logits)
    bars = switches.parts["bars"]
    for name in ("RoPE off", "stretched × 4"):
        switches.controls["setting"].value = name
        after = ops.softmax(model.trace("The capital of France is", SETTINGS[name]).logits)
        np.testing.assert_allclose(bars.probs, after[bars.ids], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(bars.before, before[bars.ids], rtol=1e-4, atol=1e-7)
    assert percent(experiments.total_variation(before, after)) in said(switches)


def test_surprise_is_measured_with_each_setting_and_with_shuffled_positions(switches, model):
    tokens = model.tokenizer.encode("The capital of France is")
    values = switches.parts["surprise"].values
    whole, off, four_times, moved, shuffled = np.nansum(values, axis=0)
    for shown, edits in ((whole, Edits()), (off, Edits(rope=False)), (four_times, Edits(position_scale=4.0))):
        assert shown == pytest.approx(experiments.mean_surprise(model.trace(tokens, edits)), rel=1e-4)
    orders = (experiments.shuffled_positions(model, len(tokens), seed) for seed in range(5))
    each = [experiments.mean_surprise(model.trace(tokens, edits)) for edits in orders]
    assert shuffled == pytest.approx(np.mean(each), rel=1e-4)
    assert np.ptp(each) > 0.1
    assert re.search(holding(f"{whole:.2f}", f"{off:.2f}", f"{shuffled:.2f}"), said(switches, "comparison"))
    assert moved == pytest.approx(whole, abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "part", "sentences"),
    [(pictures.OneBack, "map", "message"), (pictures.PositionSwitches, "surprise", "comparison")],
)
def test_a_single_token_has_none_before_it(tiny_model, kind, part, sentences):
    view = kind(tiny_model.trace([5]))
    assert view.parts[part].layout.display == "none"
    assert said(view, sentences)
    assert numbers(said(view, sentences)) == []


def test_it_writes_without_and_with_a_setting(model, monkeypatch):
    monkeypatch.setattr("llmviz.views.position.switches.N_WRITTEN", 8)
    text = "My favourite colour is"
    switches = pictures.PositionSwitches(model.trace(text))
    for setting, edits in (("moved by 1,000", Edits()), ("RoPE off", Edits(rope=False))):
        switches.controls["setting"].value = setting
        assert switches.parts["changed"].layout.display == "none"
        switches.parts["write"].click()
        for part, run_with in (("unchanged", Edits()), ("changed", edits)):
            steps = model.generate(text, 8, Sampler(temperature=0), edits=run_with)
            assert switches.parts[part].pieces == [step.piece for step in steps]


def test_the_lines_of_a_swap_are_the_models_own(model):
    swap = pictures.SwapWords(model.trace(OWNERS), " dog", " cat")
    assert [swap.controls[name].value for name in ("first_position", "second_position")] == [3, 8]
    orders = [model.tokenizer.encode(text) for text in (OWNERS, EXCHANGED)]
    for row, edits in enumerate((Edits(rope=False), Edits(), Edits(rope=False, causal_mask=False))):
        changes = experiments.relative_change(*(model.trace(tokens, edits) for tokens in orders))
        np.testing.assert_allclose(swap.parts["lines"].values[row], changes, atol=1e-4)
    assert percent(swap.parts["lines"].values[0].max()) in said(swap)
    assert pictures.n_layers_that_notice(model.trace(OWNERS), " dog", " cat") == 29


def test_swapping_equals_and_texts_that_are_too_short(model):
    prompt = views.Prompt(model, "the the cat sat")
    swap = pictures.SwapWords(prompt)
    first, second = swap.scene(swap.state).pair
    assert (first, second) == (1, 2)
    swap.controls["second_position"].value = first
    assert numbers(said(swap)) == []  # nothing is measured
    for text in ("Hi", "Hi you", " dog" * 10):
        prompt.box.value = text
        assert swap.parts["lines"].layout.display == "none"
        assert said(swap)
        assert numbers(said(swap)) == []
