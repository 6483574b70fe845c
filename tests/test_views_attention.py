"""Attention's pictures: the numbers they are given, what their controls do, and the claims that the notebook makes."""

import re
from dataclasses import replace

import numpy as np
import pytest
from messages import holding
from widget_tree import said, scene

from llmviz import Edits, experiments, ops
from llmviz import attention as stage
from llmviz.edits import put
from llmviz.model import Model
from llmviz.views import attention as pictures
from llmviz.views.attention.head_grid import MAP_SIZE, HeadGrid
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.view import Refused

# --- the picture of all heads ---


def test_the_grid_writes_numbers_and_largest_weights():
    numbers = np.array([[0.25, np.nan], [0.5, 1.0], [0, 0.125]], np.float32)
    grid = HeadGrid(values=numbers[..., None, None], selected=[1, 1], chosen=[(0, 0)], measure="share")
    rows = [line.split() for line in grid.text().splitlines()]
    assert rows[1:4] == [["0", "1", "2"], ["head", "0", "25", "50", "0"], ["head", "1", "–", "100", "12"]]
    assert re.search(holding("L1·H1", "100%", "L0·H0"), grid.summary)
    assert "largest" in HeadGrid(values=np.ones((1, 1, 2, 2))).text()


# --- one head by hand ---


@pytest.fixture
def by_hand(cat):
    return pictures.HeadByHand(cat, layer=13, head=8, query=6)


def test_the_steps_lead_from_products_to_the_sum_of_the_values(by_hand, cat):
    block, parts = cat.blocks[13], by_hand.parts
    products, steps, values = (parts[n] for n in ("products", "steps", "values"))
    q, k = block.q[8, 6], block.k[2, 1]  # “was” attends most to “cat”
    np.testing.assert_array_equal(products.values, [q, k, q * k])
    np.testing.assert_allclose(products.values[2].sum() / 8, block.attention.scores[8, 6, 1], rtol=1e-5)
    np.testing.assert_allclose(steps.raw[:7] / 8, steps.scores[:7], rtol=1e-5)
    assert steps.provenance(1, 0).title.startswith("Product")
    np.testing.assert_allclose(np.nan_to_num(steps.weights), block.attention.pattern[8, 6], atol=1e-6)
    np.testing.assert_allclose(values.values[:-1].sum(axis=0), block.attention.z[8, 6], rtol=1e-4, atol=1e-5)


def test_the_strongest_key_is_shown_until_one_is_clicked(by_hand):
    steps, layer = by_hand.parts["steps"], by_hand.controls["layer"]
    assert steps.selected == 1
    layer.value = 0
    assert steps.selected == np.nanargmax(steps.weights)
    steps.selected = 3
    layer.value = 13
    assert steps.selected == 3
    steps.selected = 7  # comes later
    assert "-∞" in said(by_hand, "score")
    by_hand.parts["strip"].selected = 2
    assert np.isnan(steps.weights[3:]).all()


def test_temptations_change_this_layer_only(by_hand, cat):
    steps, was = by_hand.parts["steps"], by_hand.parts["steps"].weights.copy()
    by_hand.controls["no_scale"].value = True
    assert not steps.scaled
    assert steps.weights[1] > was[1]  # even more of all or nothing
    by_hand.controls["no_scale"].value = False
    by_hand.controls["no_mask"].value = True
    assert steps.weights[7] > 0
    assert scene(by_hand).row.trace.blocks[12] is cat.blocks[12]
    by_hand.controls["no_mask"].value = False
    np.testing.assert_array_equal(steps.weights, was)


def test_by_hand_takes_a_run_with_a_vector_put_into_it(tiny_model):
    edits = Edits(resid={(1, 2): np.ones(tiny_model.config.d_model, np.float32)})
    trace = tiny_model.trace("The cat sat on the dog", edits)
    view = pictures.HeadByHand(trace, layer=1, head=2)
    assert scene(view).row.trace is trace
    view.controls["no_scale"].value = True
    assert scene(view).row.trace.edits == replace(edits, score_scale=False)


# --- all heads, the sink, the finder ---


def test_grid_sliders_map_and_arcs_go_together(cat):
    view = pictures.HeadExplorer(cat, layer=13, head=8, query=6)
    layer, head, hide_first = view.controls.values()
    grid, map_, arcs = (view.parts[n] for n in ("grid", "map", "arcs"))
    grid.selected = [21, 7]
    assert (layer.value, head.value) == (21, 7)
    pattern = cat.blocks[21].attention.pattern[7]
    np.testing.assert_allclose(np.nan_to_num(map_.values), pattern, rtol=1e-5, atol=1e-7)
    layer.value = 5
    assert grid.selected == [5, 7]
    map_.selected = [3, 0]
    assert (arcs.selected, map_.selected) == (3, [3, 0])
    arcs.selected = 6
    assert map_.selected == [6, np.nanargmax(map_.values[6])]
    assert percent(map_.values[6, 0]) in said(view)
    hide_first.value = True
    assert np.isnan(map_.values[:, 0]).all()
    np.testing.assert_allclose(np.nansum(map_.values[1:], axis=1), 1, rtol=1e-4)


def test_a_long_text_is_drawn_in_blocks(tiny_model):
    trace = tiny_model.trace("the cat sat on the dog " * 12)
    grid, step = pictures.HeadExplorer(trace).parts["grid"], -(-len(trace.tokens) // MAP_SIZE)
    assert grid.values.shape[2] == -(-len(trace.tokens) // step) <= MAP_SIZE
    assert f"{step} × {step}" in grid.caption


def test_the_sink_counts_heads_over_the_length(cat):
    view = pictures.Sink(cat)
    counts, lengths = view.parts["counts"], view.parts["lengths"]
    first = np.stack([block.attention.pattern[:, :, 0] for block in cat.blocks])
    np.testing.assert_array_equal(counts.values[0, :8], (first > 0.5).sum(axis=(0, 1)))
    assert re.search(holding(8, "“·sleeping”", (first[..., -1] > 0.5).sum(), 270), said(view))
    assert "“The” (1)" in said(view)  # the only short value
    counts.selected = 511
    assert (view.controls["from_token"].value, lengths.selected) == (512, 511)
    late = experiments.attention_from(view.trace, -1)[..., 0]
    mean = (experiments.first_token_weights(view.trace) > 0.5).sum(axis=(0, 1))[-50:].mean()
    assert re.search(holding((late > 0.5).sum(), 270, 50, f"{mean:.0f}"), said(view))


def test_the_sink_follows_the_text_and_finds_other_sinks(model):
    prompt = Prompt(model, " the the the the the the the")
    view = pictures.Sink(prompt)
    assert view.controls["from_token"].value == 7
    assert view.parts["lengths"].values[0, :7].max() < 2
    assert "“·the” (7)" in said(view)
    prompt.box.value = "Paris the the the the the the"
    assert said(view).count("(1)") == said(view).count("“Paris” (1)") == 1


def test_a_sink_without_room_for_a_story(tiny_model):
    """Its context, or the reader's text, fills the picture."""
    view = pictures.Sink(tiny_model.trace("The cat sat on the cat"))
    assert len(view.trace.tokens) == min(512, tiny_model.config.n_ctx)


# --- does it matter ---


def test_each_row_is_a_run_with_heads_changed_at_the_last_token(model):
    number = pictures.NounPair(Prompt(model, "The cats that I saw yesterday"))
    view = pictures.DoesItMatter(number, committed=True)
    assert scene(view).heads[:2] == [(26, 0), (13, 8)]
    pair, table = number.trace, view.parts["table"]
    assert view.parts["card"].answer == pytest.approx(100 * table.values[1, 1])
    z = pair.trace.blocks[26].attention.z.copy()
    for way, given in enumerate((0, pair.twin.blocks[26].attention.z[0, -1])):
        z[0, -1] = given
        run = model.trace(pair.trace.tokens, Edits(at={("z", 26): lambda _: z.copy()}))
        wanted = ops.softmax(run.logits)[pair.answers]
        np.testing.assert_allclose(table.values[2, 2 * way : 2 * way + 2], wanted, rtol=2e-3)

    def hidden(pattern):
        pattern[:, -1, 1] = 0
        pattern[:, -1] /= pattern[:, -1].sum(axis=-1, keepdims=True)
        return pattern

    run = model.trace(pair.trace.tokens, Edits(at={("pattern", i): hidden for i in range(30)}))
    unseen = ops.softmax(run.logits)[pair.answers]
    assert re.search(holding(270, *map(percent, unseen)), said(view))


def test_the_noun_keeps_its_place_when_the_text_changes(tiny_model):
    prompt = Prompt(tiny_model, "the cat sat on the dog")
    pair = pictures.NounPair(prompt, "a", 2)
    prompt.box.value = "the dog sat on the cat"
    assert pair.trace.subject == 2
    prompt.box.value = "the cat"
    assert pair.trace is None or pair.trace.subject < len(prompt.tokens) - 1


def test_the_noun_is_the_second_word_also_after_a_begin_token(tiny_model):
    begins = Model(
        tiny_model.weights, replace(tiny_model.tokenizer, begin_token=tiny_model.tokenizer.eos_token)
    )
    assert experiments.noun_at(tiny_model.trace("on the cat")) == 1
    for text, place in (("on the cat", 2), ("on", 1), ("", 0)):
        assert experiments.noun_at(begins.trace(text)) == place


# --- why there ---


def test_one_score_is_opened(model):
    view = pictures.WhyThere(Prompt(model, "table river seven purple guitar moon river"))
    bars, trace = view.parts["bars"], view.run
    assert view.parts["strip"].selected == 2
    assert bars.labels[0] == "attention 16"
    assert bars.labels[14] == "FFN 0"  # of the query
    scores = trace.blocks[18].attention.scores[6, -1]
    for panel, key in ((0, 2), (2, 2), (1, trace.pieces.index(" purple"))):
        *parts, total = bars.values[panel]
        above = scores[key] - np.delete(scores, key).mean()
        assert (sum(parts), total) == pytest.approx((above, above), abs=1e-3)
    assert pictures.KINDS[pictures.kind_of_largest_part(trace, 18, 6)] == pictures.KINDS[1]
    assert re.search("river.*attention 16.*seven", pictures.score_explanation(trace, 18, 6))
    block = trace.blocks[16]
    added = np.delete(block.resid_mid - block.resid_pre, 2, axis=0)
    edits = Edits(at={("attention_out", 16): put(added.mean(axis=0), positions=2)})
    in_a_run = trace.model.trace(trace.tokens, edits).blocks[18].attention.pattern[6, -1, 2]
    assert percent(in_a_run) in said(view)
    view.parts["strip"].selected = 4
    assert bars.titles[0].startswith("Key \u2068“·guitar”")


def test_one_token_has_no_other_key(tiny_model):
    view = pictures.WhyThere(Prompt(tiny_model, "t"), layer=1, head=2)
    assert view.parts["bars"].layout.display == "none"
    assert said(view)
    assert pictures.kind_of_largest_part(view.run, 1, 2) in range(3)


# --- induction, cost ---


def test_the_curves_of_induction_are_runs_with_heads_off(tiny_model, nothing_measured):
    view = pictures.Induction(tiny_model, n=8, off=2)
    curves, (scores, heads, probs) = view.parts["curves"], scene(view).known("copy")
    tokens = experiments.random_tokens(tiny_model, 8, 0) * 2
    assert heads == experiments.strongest_heads(scores, 2)
    for curve, off in ((curves.values[0], []), (curves.values[2], heads)):
        run = tiny_model.trace(tokens, Edits(head=dict.fromkeys(off, 0)))
        np.testing.assert_allclose(curve, experiments.token_probs(run), rtol=1e-5)
    np.testing.assert_allclose(curves.values[1], np.median(probs[1:-1], axis=0), rtol=1e-6)
    view.controls["off"].value = 0
    assert len(curves.names) == 1


def test_cost_is_measured_when_asked(tiny_model, model, nothing_measured):
    view = pictures.Cost(tiny_model, lengths=(8, 16, 32, 64, 1_000))
    assert view.parts["times"].layout.display == "none"
    view.parts["measure"].click()
    timing = scene(view).known("measure")
    assert timing.lengths == (8, 16, 32, 64)  # as far as its context reaches
    assert (np.stack([timing.with_cache, timing.without_cache, timing.quadratic]) > 0).all()
    on, off = (1000 * each[-1] for each in (timing.with_cache, timing.without_cache))
    assert re.search(holding(64, f"{on:.0f}", f"{off:.0f}", f"{off / on:.0f}"), said(view))
    # 30 layers × 3 heads × 64 numbers × (key, value) × 4 bytes
    assert re.search(holding("46", "138"), said(pictures.Cost(model)))


# --- two heads that make one skill ---


READER, N = (2, 1), 8


@pytest.fixture
def two_heads(tiny_model, nothing_measured):
    return pictures.TwoHeads(tiny_model, n=N, reader=READER)


def score(view, edits=None) -> float:
    run = view.run.trace(scene(view).row.tokens, edits)
    return stage.induction_score(run.blocks[READER[0]].attention.pattern, run.tokens)[READER[1]]


def test_each_earlier_head_is_off_alone_and_the_worst_becomes_the_writer(two_heads):
    grid, pair = two_heads.parts["grid"], two_heads.parts["pair"]
    assert grid.layout.display == pair.layout.display == "none"  # before a head is chosen
    two_heads.parts["each_off"].click()
    effect = scene(two_heads).known("each_off")
    for layer, head in np.ndindex(READER[0], 6):
        alone = score(two_heads, Edits(head={(layer, head): 0})) - score(two_heads)
        assert effect[layer, head] == pytest.approx(alone, abs=1e-5)
    assert np.isnan(effect[READER[0] :]).all()
    assert tuple(grid.selected) == np.unravel_index(np.nanargmin(effect), effect.shape)
    assert grid.layout.display == pair.layout.display == ""


def test_each_line_is_its_own_run(tiny_model, nothing_measured):
    writer = (0, 2)
    view = pictures.TwoHeads(tiny_model, n=N, reader=READER, writer=writer)
    pair, row = view.parts["pair"], scene(view).row
    assert len(row.tokens) == 2 * len(set(row.tokens)) == 2 * N
    assert pair.cuts == ["", "writer", "k", "q", "v", "other"]
    paths = [experiments.patch_path(row, writer, READER, into) for into in "kqv"]
    runs = [None, Edits(head={writer: 0}), *paths]
    for edits, (shown, right) in zip(runs, pair.totals):
        assert shown == pytest.approx(score(view, edits), abs=1e-5)
        copied = experiments.token_probs(tiny_model.trace(row.tokens, edits), last=N - 1)
        assert right == pytest.approx(copied.mean(), rel=1e-4)
    others = experiments.random_heads((READER[0], 6), 3, [writer], view.state.seed)
    mean = np.mean([score(view, Edits(head={head: 0})) for head in others])
    assert pair.totals[-1, 0] == pytest.approx(mean, abs=1e-5)
    strip = view.parts["strip"]
    np.testing.assert_allclose(strip.weights[1:], experiments.token_probs(row)[N:], rtol=1e-5)
    strip.selected = 3
    assert pair.pieces == [row.pieces[i] for i in (2, 3, 1)]
    written, read = (row.blocks[layer].attention.pattern[head] for layer, head in (writer, READER))
    right = experiments.token_probs(row)[N + 2]
    expected = [written[3, 2], read[N + 2, 3], right, written[N + 2, N + 1]]
    np.testing.assert_allclose(pair.here[0], expected, rtol=1e-4)


def test_another_row_takes_the_results_away_and_keeps_the_writer_that_was_clicked(two_heads):
    grid, pair = two_heads.parts["grid"], two_heads.parts["pair"]
    two_heads.parts["each_off"].click()
    writer = scene(two_heads).writing
    grid.selected = [2, 3]  # a later head is no writer
    assert tuple(grid.selected) == scene(two_heads).writing == writer
    grid.selected = [0, int(writer == (0, 0))]
    clicked, before = scene(two_heads).writing, pair.totals.copy()
    assert clicked == tuple(grid.selected) != writer
    two_heads.controls["seed"].value += 1
    assert scene(two_heads).writing == clicked
    assert not np.array_equal(before, pair.totals)
    assert grid.layout.display == "none"


def test_a_reader_in_the_first_layer_is_refused(tiny_model):
    with pytest.raises(Refused):
        pictures.TwoHeads(tiny_model, n=N, reader=(0, 1), writer=(1, 1))
