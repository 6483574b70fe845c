"""Attention's pictures: the numbers they are given, what their controls do, and the claims that the notebook makes."""

import re
from dataclasses import replace

import numpy as np
import pytest
import traitlets
from messages import holding

from llmviz import Edits, experiments, ops
from llmviz.views import attention as pictures
from llmviz.views.attention.finder import BY_SHARE, PROBE
from llmviz.views.attention.head_grid import MAP_SIZE, HeadGrid
from llmviz.views.attention.wake_up import SENTENCES
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.text_box import Prompt

CAT = "The cat that I saw yesterday was sleeping"
CATS = "The cats that I saw yesterday were sleeping"


def said(view, name="message") -> str:
    """Return what a part says, without the marks that hold quoted pieces together."""
    return repr(view.parts[name]).replace("−", "-").replace("\u2068", "").replace("\u2069", "")


def scene(view):
    return view.scene(view.state)


def set_to(view, **fields):
    view.become(replace(view.state, **fields))


@pytest.fixture(scope="module")
def cat(model):
    return model.trace(CAT)


# --- the picture of all heads ---


def test_the_grid_writes_numbers_and_largest_weights():
    numbers = np.array([[0.25, np.nan], [0.5, 1.0], [0, 0.125]], np.float32)
    grid = HeadGrid(numbers, selected=[1, 1], chosen=[(0, 0)], measure="share")
    rows = [line.split() for line in grid.text().splitlines()]
    assert rows[1:4] == [["0", "1", "2"], ["head", "0", "25", "50", "0"], ["head", "1", "–", "100", "12"]]
    assert re.search(holding("L1·H1", "100%", "L0·H0"), grid.summary)
    assert "largest" in HeadGrid(np.ones((1, 1, 2, 2))).text()


@pytest.mark.parametrize("wrong", [{"selected": [3, 0]}, {"selected": [0, -1]}, {"chosen": [[0, 2]]}])
def test_a_head_that_does_not_exist_is_an_error(wrong):
    with pytest.raises(traitlets.TraitError, match="within"):
        HeadGrid(np.zeros((3, 2))).set_trait(*next(iter(wrong.items())))


# --- one head by hand ---


@pytest.fixture
def by_hand(cat):
    return pictures.HeadByHand(cat, layer=13, head=8, query=6)


def test_the_steps_lead_from_products_to_the_stream(by_hand, cat):
    block, (products, steps, values, stream) = (
        cat.blocks[13],
        (by_hand.parts[n] for n in ("products", "steps", "values", "stream")),
    )
    q, k = block.q[8, 6], block.k[2, 1]  # “was” attends most to “cat”
    np.testing.assert_array_equal(products.values, [q, k, q * k])
    np.testing.assert_allclose(products.values[2].sum() / 8, block.attention.scores[8, 6, 1], rtol=1e-5)
    np.testing.assert_allclose(steps.raw[:7] / 8, steps.scores[:7], rtol=1e-5)
    np.testing.assert_allclose(steps.exps / steps.exps.sum(), block.attention.pattern[8, 6], atol=1e-6)
    np.testing.assert_allclose(values.values[:-1].sum(axis=0), block.attention.z[8, 6], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stream.values[2], block.attention.out[6], rtol=1e-5, atol=1e-5)
    together = 0
    for head in range(9):
        by_hand.controls["head"].value = head
        together = together + stream.values[1]
    np.testing.assert_allclose(together, block.attention.out[6], rtol=1e-3, atol=1e-4)


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
    (layer, head, hide_first), (grid, map_, arcs) = (
        view.controls.values(),
        (view.parts[n] for n in ("grid", "map", "arcs")),
    )
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
    counts, lengths, grid = (view.parts[n] for n in ("counts", "lengths", "grid"))
    first = np.stack([block.attention.pattern[:, :, 0] for block in cat.blocks])
    np.testing.assert_array_equal(counts.values[0, :8], (first > 0.5).sum(axis=(0, 1)))
    assert re.search(holding(8, "“·sleeping”", (first[..., -1] > 0.5).sum(), 270), said(view))
    assert "“The” (1)" in said(view)  # the only short value
    counts.selected = 511
    assert (view.controls["from_token"].value, lengths.selected) == (512, 511)
    late = experiments.attention_from(view.trace, -1)[..., 0]
    np.testing.assert_allclose(grid.values[..., 0, 0], late, rtol=1e-4, atol=1e-6)
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


@pytest.mark.parametrize(
    ("text", "verb", "subject"),
    [
        (CAT, " was", " cat"),
        ("The dog that chased the cats is barking loudly", " is", " dog"),
        ("The keys that the man lost were on the table", " were", " keys"),
        ("The book that my friends read last week was boring", " was", " book"),
        ("The flowers near the old house are red", " are", " flowers"),
    ],
)
def test_the_finder_finds_the_same_head_from_verb_to_subject(model, text, verb, subject):
    trace = model.trace(text)
    view = pictures.HeadFinder(trace, query=trace.pieces.index(verb), key=trace.pieces.index(subject))
    grid, table = view.parts["grid"], view.parts["table"]
    assert grid.selected == [13, 8]
    assert table.values[0, 0] > 0.8
    table.selected = [1, 0]
    assert grid.selected == grid.chosen[1]
    view.controls["by"].value = "previous token"
    assert (grid.selected, table.selected) == (grid.chosen[0], [0, 0])


def test_the_finder_ranks_behaviour_and_says_what_cannot_be_ranked(cat):
    view = pictures.HeadFinder(cat, query=6, key=1)
    grid, by = view.parts["grid"], view.controls["by"]
    by.value = "previous token"
    assert view.parts["table"].values[0, 2] == experiments.overview(cat, MAP_SIZE, False).scores[0].max()
    by.value = "induction"
    assert grid.chosen == []
    impossible = said(view, "definition")
    view.controls["measured_on"].value = PROBE
    assert all(15 <= layer <= 24 for layer, _ in grid.chosen[:5])
    assert len(said(view, "definition")) < len(impossible)  # why there is none is said no longer
    by.value = BY_SHARE
    ranked = said(view, "definition")
    view.parts["looks_at"].selected = 7
    assert grid.chosen == []
    assert len(said(view, "definition")) > len(ranked)  # why there is none


def test_a_text_is_found_that_wakes_a_head(model):
    view = pictures.WakeUp(model)
    ranking, arcs = view.parts["ranking"], view.parts["arcs"]
    assert ranking.options == ()
    view.parts["search"].click()
    awake = scene(view).known("search")
    assert awake.shape == (24, 30, 9)
    best = [i for _, i in ranking.options[:2]]
    assert best == np.argsort(-awake[:, 15, 3])[:2].tolist()
    assert [SENTENCES[i][:3] for i in best] == ["Der", "Le "]  # the two that are not in English
    ranking.value = 2
    assert arcs.pieces == model.trace(SENTENCES[2]).pieces
    view.controls["head"].value = 4
    assert ranking.value == ranking.options[0][1]


# --- what mattered ---


def test_three_ways_to_ask_are_three_measures(model):
    view = pictures.WhatMattered(Prompt(model, "The capital of France is"))
    view.parts["ask"].click()
    trace, ways, values = view.run, scene(view).known("ask"), view.parts["map"].values
    np.testing.assert_allclose(ways[0], experiments.attention_from(trace, -1).mean(axis=(0, 1)), rtol=1e-5)
    lost, bits = dict(experiments.attribution.leave_one_out(trace)), np.log2(np.e)  # to a nat
    np.testing.assert_allclose(ways[1] / bits, [lost[at] for at in range(len(trace.tokens))], atol=1e-4)
    np.testing.assert_allclose(ways[2] / bits, experiments.attribution.saliency(trace), atol=1e-4)
    np.testing.assert_allclose(np.nanmax(np.abs(values), axis=1), 1)  # each to its own scale
    blank = np.zeros(ways.shape, bool)
    blank[0, 0] = blank[:, -1] = True
    assert np.array_equal(np.isnan(values), blank)


def test_what_speaks_against_the_answer_does_not_speak_for_it(model):
    view = pictures.WhatMattered(Prompt(model, "The cat that I saw yesterday was"))
    view.parts["ask"].click()
    ways = scene(view).known("ask")
    assert (ways[2, 1:-1] < 0).all()
    assert said(view).count(" bits)") == (ways[1:, 1:-1] > 0).any(axis=1).sum() < 2
    view.source.box.value = "one two"
    assert view.parts["ask"].disabled
    assert "3 to 64" in said(view)


# --- does it matter ---


@pytest.fixture(scope="module")
def made(model):
    return pictures.DoesItMatter(Prompt(model, CAT), CATS)


@pytest.fixture
def matter(made):
    """The same for each test, which takes seconds to make; on its two sentences again."""
    made.source.box.value = CAT
    made.become(made.State(CATS))
    return made


def leads(view):
    return scene(view).known("change")[1]


def test_the_heads_that_look_hardest_carry_little(matter):
    assert set(map(tuple, matter.parts["grid"].chosen)) == {(13, 8), (13, 6), (25, 2)}
    assert leads(matter)[0, 0] > 4
    assert (np.abs(leads(matter)[0, 2:4] - leads(matter)[0, 0]) < 0.5).all()  # off, and at the mean
    assert "16%" in said(matter)


def test_one_swapped_head_turns_the_verb(matter, model):
    set_to(matter, chosen=((26, 0),))
    assert leads(matter)[0, 2] > 3  # switched off, “was” stays
    assert leads(matter)[0, 4] < -1
    assert np.abs(leads(matter)[1] - leads(matter)[0, 0]).max() < 0.5  # random heads
    run, twin = (model.trace(text.rsplit(" ", 2)[0]) for text in (CAT, CATS))
    z = run.blocks[26].attention.z.copy()
    z[0, -1] = twin.blocks[26].attention.z[0, -1]
    by_function = model.trace(run.tokens, Edits(at={("z", 26): lambda _: z}))
    assert scene(matter).pair.lead(by_function) == pytest.approx(leads(matter)[0, 4], abs=1e-3)
    matter.parts["table"].selected = [0, 4]
    bars = matter.parts["bars"]
    np.testing.assert_allclose(bars.probs[0], ops.softmax(by_function.logits).max(), rtol=1e-3)
    assert bars.caption.endswith("L26·H0: swapped")


def test_heads_that_may_not_look_at_the_noun(matter, model):
    def hidden(pattern, heads=slice(None)):
        pattern[heads, -1, 1] = 0
        pattern[heads, -1] /= pattern[heads, -1].sum(axis=-1, keepdims=True)
        return pattern

    pair = scene(matter).pair
    by_all = model.trace(pair.runs.trace.tokens, Edits(at={("pattern", i): hidden for i in range(30)}))
    assert re.search(holding("“·cat”", f"{pair.lead(by_all):.2f}"), said(matter))
    set_to(matter, chosen=((13, 8),))
    alone = Edits(at={("pattern", 13): lambda pattern: hidden(pattern, 8)})
    by_one = model.trace(pair.runs.trace.tokens, alone)
    assert leads(matter)[0, 1] == pytest.approx(pair.lead(by_one), abs=1e-3)


def test_the_two_sentences_change_places(matter):
    pair = scene(matter).pair
    matter.parts["exchange"].click()
    assert (matter.source.box.value, matter.controls["partner"].value) == (CATS, CAT)
    assert leads(matter)[0, 0] == pytest.approx(-pair.lead(pair.runs.twin), rel=1e-4)
    assert [26, 0] in matter.parts["grid"].chosen


def test_why_a_partner_does_not_fit_is_said(matter):
    further = "The dog that I heard yesterday was sleeping"  # at three places
    for text in ("Hello", CATS, CATS + " again", further):  # too short, the same, too long
        matter.source.box.value = text
        assert said(matter, "misfit")
        assert matter.parts["grid"].layout.display == "none"
    matter.source.box.value = CATS.replace("cats", "dogs")
    set_to(matter, partner=CAT.replace("cat", "dog"))
    assert said(matter, "misfit") == ""
    assert leads(matter)[0, 0] > 3


def test_where_the_leads_are_near_each_other_no_share_of_the_way_is_said(matter):
    matter.source.box.value = "😀 were"
    set_to(matter, partner="😢 was")
    pair = scene(matter).pair
    there = pair.lead(pair.runs.twin)
    assert abs(leads(matter)[0, 0] - there) < 1
    shown = leads(matter)[0, 0], leads(matter)[0, 4], there
    assert re.search(holding(*(f"{lead:.2f}" for lead in shown)), said(matter))
    assert matter.parts["swap_each"].disabled


def test_every_head_is_swapped_alone(tiny_model):
    view = pictures.DoesItMatter(Prompt(tiny_model, "The cat sat on the dog"), "The dog sat on the cat")
    view.parts["swap_each"].click()
    pair, effect = scene(view).pair, scene(view).known("swap_each")
    base, there = pair.lead(pair.runs.trace), pair.lead(pair.runs.twin)
    for layer, head in ((0, 0), (1, 5), (2, 2)):
        swapped = experiments.patch_heads(experiments.head_outputs(pair.runs.twin), [(layer, head)])
        assert effect[layer, head] == pytest.approx(
            (base - pair.lead(pair.run(swapped))) / (base - there), abs=1e-3
        )
    furthest = np.unravel_index(effect.argmax(), effect.shape)
    assert re.search(holding("L{}·H{}".format(*furthest)), said(view, "about_effects"))
    grid = view.parts["grid"]
    view.parts["effects"].selected = [1, 5]
    assert grid.chosen == [[1, 5]]
    view.parts["hardest"].click()
    assert len(grid.chosen) == 1
    grid.set_state({"chosen": []})
    assert not re.search(r"L\d+·H\d+", said(view))


# --- induction, cost ---


def test_induction_holds_and_falls_with_its_heads(model):
    view = pictures.Induction(model)
    for seed in range(3):
        view.controls["seed"].value = seed
        _, _, heads, probs = scene(view).known("copy")
        (first, second), *draws, (_, without) = map(experiments.copying_by_pass, probs)
        assert first < 1e-3
        assert second > 0.3
        assert without < 0.01
        assert np.median([left for _, left in draws]) > 0.5 * second
        assert all(15 <= layer <= 24 for layer, _ in heads)
    view.controls["off"].value = 0
    assert len(view.parts["curves"].names) == 1


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
