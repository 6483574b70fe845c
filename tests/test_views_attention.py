"""Attention's pictures: the numbers they are given, what their controls do, and the claims that the notebook makes."""

import dataclasses
import re

import numpy as np
import pytest
import traitlets
from messages import holding
from typed_texts import BAD_TEXTS, KINDS

import llmviz
from llmviz import Edits, attention, experiments, ops
from llmviz.experiments import attention_behaviours
from llmviz.views import attention as pictures
from llmviz.views import provenance
from llmviz.views.attention.head_grid import MAP_SIZE, HeadGrid
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer
from llmviz.views.kit.text_box import Prompt

CAT = "The cat that I saw yesterday was sleeping"
LONG = "word and another thing that follows " * 90


def told(widget) -> str:
    """What a line of sentences says."""
    return repr(widget).replace("−", "-")


def plain(widget) -> str:
    """The same without the marks that hold quoted pieces together."""
    return told(widget).replace("\u2068", "").replace("\u2069", "")


@pytest.fixture(scope="module")
def cat(model):
    return model.trace(CAT)


# --- numbers out of a trace ---


@pytest.mark.parametrize("edits", [Edits(), Edits(causal_mask=False), Edits(score_scale=False)])
def test_one_querys_weights_are_the_patterns_row(tiny_model, edits):
    trace = tiny_model.trace("The cat sat on the cat", edits)
    for query in range(len(trace.tokens)):
        weights = experiments.attention_from(trace, query)
        assert weights.shape == (3, 6, len(trace.tokens))
        for layer, block in enumerate(trace.blocks):
            np.testing.assert_allclose(
                np.nan_to_num(weights[layer]), block.attention.pattern[:, query], rtol=1e-4, atol=1e-6
            )
        assert np.isnan(weights).any() == (edits.causal_mask and query < len(trace.tokens) - 1)


def test_the_overview_of_a_short_text_is_its_patterns(cat):
    seen = experiments.overview(cat, MAP_SIZE, False)
    assert seen.maps.shape == (30, 9, 8, 8)
    assert seen.step == 1
    pattern = cat.blocks[13].attention.pattern
    np.testing.assert_array_equal(np.nan_to_num(seen.maps[13]), pattern)
    assert np.isnan(seen.maps[13, 8][np.triu_indices(8, 1)]).all()  # masked is blank, not zero
    np.testing.assert_array_equal(seen.scores[1, 13], attention.first_token_score(pattern))
    np.testing.assert_array_equal(seen.scores, experiments.head_behaviours(cat))
    assert np.isnan(seen.scores[2:]).all()  # no token comes twice
    hidden = experiments.overview(cat, MAP_SIZE, True)
    np.testing.assert_allclose(np.nansum(hidden.maps[..., 1:, :], axis=-1), 1, rtol=1e-4)
    assert np.isnan(hidden.maps[..., 0]).all()


@pytest.mark.parametrize(("seq", "step"), [(5, 2), (6, 3), (7, 1)])
def test_blocks_keep_their_largest_number(seq, step):
    pattern = np.random.default_rng(seq).random((2, seq, seq), dtype=np.float32)
    pattern[:, *np.triu_indices(seq, 1)] = np.nan
    blocks = attention_behaviours.largest_in_blocks(pattern, step)
    for h, r, c in np.ndindex(blocks.shape):
        block = pattern[h, r * step : (r + 1) * step, c * step : (c + 1) * step]
        known = block[~np.isnan(block)]
        assert np.isnan(blocks[h, r, c]) if not known.size else blocks[h, r, c] == known.max()


def test_strongest_skips_what_is_not_a_number():
    assert experiments.strongest_heads(np.array([[0.1, np.nan], [0.9, 0.5]]), 9) == [(1, 0), (1, 1), (0, 0)]
    assert experiments.strongest_heads(np.full((2, 2), np.nan), 3) == []


def test_random_heads_are_others():
    taken = [(0, 0), (1, 1)]
    heads = experiments.random_heads((2, 3), 10, taken, seed=0)
    assert len(heads) == len(set(heads)) == 4
    assert not set(heads) & set(taken)
    assert experiments.random_heads((30, 9), 8, taken, seed=1) != experiments.random_heads(
        (30, 9), 8, taken, seed=2
    )


# --- pictures ---


def test_the_grid_tells_numbers_and_largest_weights():
    numbers = np.array([[0.25, np.nan], [0.5, 1.0], [0, 0.125]], np.float32)
    grid = HeadGrid(numbers, selected=[1, 1], chosen=[(0, 0)], measure="share")
    rows = [line.split() for line in grid.text().splitlines()]
    assert rows[1:4] == [
        ["0", "1", "2"],
        ["head", "0", "25", "50", "0"],
        ["head", "1", "–", "100", "12"],
    ]
    assert re.search(holding("L1·H1", "100%", "L0·H0"), grid.summary)
    assert "largest" in HeadGrid(np.ones((1, 1, 2, 2))).text()


@pytest.mark.parametrize("wrong", [{"selected": [3, 0]}, {"selected": [0, -1]}, {"chosen": [[0, 2]]}])
def test_a_head_that_does_not_exist_is_an_error(wrong):
    with pytest.raises(traitlets.TraitError, match="within"):
        HeadGrid(np.zeros((3, 2))).set_trait(*next(iter(wrong.items())))


# --- a sentence and what follows it ---


def test_a_sentence_runs_and_an_empty_one_leaves_the_last(tiny_model):
    sentence = Prompt(tiny_model, "The cat sat")
    first = sentence.trace
    seen = []
    Explorer().follow(sentence, seen.append)
    assert seen == [first]
    sentence.box.value = "  dog the cat"
    assert seen[-1].tokens == sentence.tokens
    last = sentence.trace
    sentence.box.value = ""
    assert sentence.trace is last
    assert told(sentence.message)


@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS.keys())
def test_every_explorer_follows_any_text(model, text):
    sentence = Prompt(model, CAT)
    by_hand = pictures.HeadByHand(sentence, query=6)
    explorer = pictures.HeadExplorer(sentence, query=6)
    sink = pictures.Sink(sentence)
    finder = pictures.HeadFinder(sentence, query=6, key=1)
    sentence.box.value = text
    n = len(sentence.trace.tokens)
    assert len(by_hand.steps.pieces) == len(explorer.map.row_labels) == len(finder.map.row_labels) == n
    assert sink.trace.tokens[:n] == sentence.trace.tokens
    assert len(sink.trace.tokens) == 512
    by_hand.no_mask.value = by_hand.no_scale.value = True
    assert not np.isnan(by_hand.steps.weights).any()
    np.testing.assert_allclose(by_hand.steps.weights.sum(), 1, rtol=1e-4)
    explorer.hide_first.value = True
    finder.hide_first.value = True
    for name in finder.by.options:
        finder.by.value = name
    for picture in (by_hand.steps, by_hand.values, explorer.grid, explorer.arcs, sink.grid, finder.table):
        assert picture.text()
        assert picture.summary
    sentence.box.value = CAT
    assert by_hand.steps.selected == 1  # back at "was", which looks at "cat"


def test_a_long_text_is_drawn_in_blocks(model):
    sentence = Prompt(model, LONG)
    assert len(sentence.trace.tokens) == 512
    explorer = pictures.HeadExplorer(sentence)
    assert explorer.grid.values.shape == (30, 9, 32, 32)
    assert "16 × 16" in explorer.grid.caption
    assert explorer.map.values.shape == (512, 512)


# --- one head by hand ---


@pytest.mark.parametrize(
    "edits",
    [Edits(), Edits(causal_mask=False, score_scale=False), Edits(head={(1, 2): 0.5}, attention={1: 2})],
)
def test_one_query_alone_is_its_row_of_all(tiny_model, edits):
    block = tiny_model.trace("The cat sat on the cat", edits).blocks[1]
    whole = block.attention
    for query in range(block.q.shape[1]):
        alone = block.attention_at(query)
        seen = alone.pattern.shape[2]
        np.testing.assert_allclose(alone.pattern[:, 0], whole.pattern[:, query, :seen], rtol=1e-5)
        assert not whole.pattern[:, query, seen:].any()
        np.testing.assert_allclose(alone.scores[:, 0], whole.scores[:, query, :seen], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(alone.z[:, 0], whole.z[:, query], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(alone.out[0], whole.out[query], rtol=1e-4, atol=1e-6)


@pytest.fixture
def by_hand(cat):
    return pictures.HeadByHand(cat, layer=13, head=8, query=6)


def test_the_strip_chooses_the_query(by_hand, cat):
    by_hand.strip.selected = 2
    block = cat.blocks[13]
    key = by_hand.key
    q, k = block.q[8, 2], block.k[2, key]
    np.testing.assert_array_equal(by_hand.products.values, [q, k, q * k])
    by_hand.strip.selected = 6
    assert by_hand.steps.selected == 1


def test_the_steps_lead_from_products_to_the_stream(by_hand, cat):
    attended = cat.blocks[13].attention
    np.testing.assert_allclose(
        by_hand.products.values[2].sum() / 8, attended.scores[8, 6, by_hand.key], rtol=1e-5
    )
    np.testing.assert_allclose(by_hand.steps.raw[:7] / 8, by_hand.steps.scores[:7], rtol=1e-5)
    np.testing.assert_allclose(
        by_hand.steps.exps / by_hand.steps.exps.sum(), attended.pattern[8, 6], atol=1e-6
    )
    np.testing.assert_allclose(by_hand.values.values[:-1].sum(axis=0), attended.z[8, 6], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(by_hand.stream.values[2], attended.out[6], rtol=1e-5, atol=1e-5)
    together = 0
    for head in range(9):
        by_hand.head.value = head
        together = together + by_hand.stream.values[1]
    np.testing.assert_allclose(together, attended.out[6], rtol=1e-3, atol=1e-4)


def test_the_strongest_key_is_shown_until_one_is_clicked(by_hand):
    assert by_hand.steps.selected == by_hand.key == 1  # cat
    by_hand.layer.value = 0
    strongest = int(np.nanargmax(by_hand.steps.weights))
    assert by_hand.steps.selected == strongest
    by_hand.steps.selected = 3
    by_hand.layer.value = 13
    assert by_hand.steps.selected == by_hand.key == 3
    by_hand.steps.selected = 7  # comes later
    assert "-∞" in told(by_hand.product_told)


def test_temptations_change_this_layer_only(by_hand, cat):
    was = by_hand.steps.weights.copy()
    by_hand.no_scale.value = True
    assert not by_hand.steps.scaled
    assert by_hand.steps.weights[1] > was[1]  # even more of all or nothing
    by_hand.no_scale.value = False
    by_hand.no_mask.value = True
    assert by_hand.steps.weights[7] > 0
    by_hand.no_mask.value = False
    np.testing.assert_array_equal(by_hand.steps.weights, was)
    assert by_hand.tempted is cat


@pytest.mark.parametrize("tempted", [False, True])
def test_every_number_tells_where_it_comes_from(by_hand, model, tempted):
    by_hand.no_scale.value = by_hand.no_mask.value = tempted
    asked = [(by_hand.products, w, i) for w in range(3) for i in (4, 5)]
    asked += [(by_hand.steps, key, step) for key in (0, 1, 7) for step in range(4)]
    asked += [(by_hand.values, w, 3) for w in range(len(by_hand.values.values))]
    asked += [(by_hand.stream, w, 2) for w in range(3)]
    for picture, *where in asked:
        check_explanation(picture.provenance(*where), by_hand.shown, model)
    for w, i in ((0, 4), (1, 5), (2, 6)):
        np.testing.assert_allclose(by_hand.products.provenance(w, i).result, by_hand.products.values[w, i])


def check_explanation(explanation, trace, model) -> None:
    """Its line, with its operands, gives its result; and each operand is what its source says."""
    names = {"np": np, "llmviz": llmviz, "dataclasses": dataclasses, "trace": trace, "model": model}
    operands = {operand[0]: operand[1] for operand in explanation.operands}
    result = eval(explanation.line, names | operands)
    np.testing.assert_allclose(result, explanation.result, rtol=1e-3, atol=1e-4, err_msg=repr(explanation))
    for name, value, *source in explanation.operands:
        if source and source[0]:
            np.testing.assert_allclose(eval(source[0], names), value, rtol=1e-5, atol=1e-6, err_msg=name)


# --- all heads, the sink, the finder ---


def test_grid_sliders_map_and_arcs_move_together(cat):
    explorer = pictures.HeadExplorer(cat, layer=13, head=8, query=6)
    explorer.grid.selected = [21, 7]
    assert (explorer.layer.value, explorer.head.value) == (21, 7)
    by_model = cat.blocks[21].attention.pattern[7]
    np.testing.assert_allclose(np.nan_to_num(explorer.map.values), by_model, rtol=1e-5, atol=1e-7)
    explorer.layer.value = 5
    assert explorer.grid.selected == [5, 7]
    explorer.map.selected = [3, 0]
    assert explorer.arcs.selected == 3
    explorer.arcs.selected = 6
    assert explorer.map.selected[0] == 6
    assert percent(explorer.map.values[6, 0]) in told(explorer.told)
    explorer.hide_first.value = True
    assert np.isnan(explorer.map.values[:, 0]).all()
    np.testing.assert_allclose(np.nansum(explorer.map.values[1:], axis=1), 1, rtol=1e-4)
    for key in (0, 1, 6):
        check_explanation(explorer.map.provenance(6, key), cat, cat.model)


def test_the_sink_counts_heads_over_the_length(model, cat):
    sink = pictures.Sink(cat)
    first = np.stack([block.attention.pattern[:, :, 0] for block in cat.blocks])
    np.testing.assert_array_equal(sink.counts.values[0, :8], (first > 0.5).sum(axis=(0, 1)))
    assert re.search(holding(8, "“·sleeping”", (first[..., -1] > 0.5).sum(), 270), plain(sink.told))
    assert "“The” (1)" in plain(sink.told)  # the only short value
    sink.counts.selected = 511
    assert sink.from_token.value == 512
    assert sink.lengths.selected == 511
    late = experiments.attention_from(sink.trace, -1)[..., 0]
    np.testing.assert_allclose(sink.grid.values[..., 0, 0], late, rtol=1e-4, atol=1e-6)
    assert re.search(holding((late > 0.5).sum(), 270), told(sink.told))
    mean = (experiments.first_token_weights(sink.trace) > 0.5).sum(axis=(0, 1))[-50:].mean()
    assert re.search(holding(50, f"{mean:.0f}"), told(sink.told))


def test_the_sink_follows_the_text_and_finds_other_sinks(model):
    sentence = Prompt(model, CAT)
    sink = pictures.Sink(sentence)
    sentence.box.value = " the the the the the the the"
    assert sink.from_token.value == 7
    assert sink.lengths.values[0, :7].max() < 2
    assert "“·the” (7)" in plain(sink.told)
    sentence.box.value = "Paris the the the the the the"
    assert plain(sink.told).count("(1)") == plain(sink.told).count("“Paris” (1)") == 1


def test_a_sink_without_room_for_a_story(tiny_model):
    """Its context, or the reader's text, fills the picture."""
    trace = tiny_model.trace("The cat sat on the cat")
    sink = pictures.Sink(trace)
    assert len(sink.trace.tokens) == min(512, tiny_model.config.n_ctx)
    assert repr(sink)


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
    finder = pictures.HeadFinder(trace, query=trace.pieces.index(verb), key=trace.pieces.index(subject))
    assert finder.ranking[0] == (13, 8)
    assert finder.table.values[0, 0] > 0.8
    finder.table.selected = [1, 0]
    assert tuple(finder.grid.selected) == finder.ranking[1]


def test_the_finder_ranks_behaviour_and_says_what_cannot_be_ranked(cat):
    finder = pictures.HeadFinder(cat, query=6, key=1)
    finder.by.value = "previous token"
    assert finder.table.values[0, 2] == pytest.approx(
        experiments.overview(cat, MAP_SIZE, False).scores[0].max()
    )
    finder.by.value = "induction"
    assert finder.ranking == []
    none_found = told(finder.definition)
    finder.measured_on.value = finder.PROBE
    assert finder.ranking
    assert len(told(finder.definition)) < len(none_found)  # why there is none is said no longer
    assert all(15 <= layer <= 24 for layer, _ in finder.ranking[:5])
    finder.by.value = finder.BY_SHARE
    ranked = told(finder.definition)
    finder.target_strip.selected = 7
    assert finder.ranking == []
    assert len(told(finder.definition)) > len(ranked)  # why there is none


def test_a_text_is_found_that_wakes_a_head(model):
    wake = pictures.WakeUp(model)
    assert wake.found.options == ()
    wake.run()
    assert wake.awake.shape == (24, 30, 9)
    best = [wake.sentences[i] for i in np.argsort(-wake.awake[:, 15, 3])[:2]]
    assert [text[:3] for text in best] == ["Der", "Le "]  # the two that are not in English
    assert wake.sentences[wake.found.value] == best[0]
    wake.found.value = 2
    assert wake.arcs.pieces == model.trace(wake.sentences[2]).pieces


def test_a_second_sink_wakes_no_head(model):
    """L17·H3 looks at a token that has become a sink: half of its weight is not on the first one, and moves nothing."""
    trace = model.trace("one two three one two three one two three")
    on_others = 1 - attention.first_token_score(trace.blocks[17].attention.pattern)[3]
    assert on_others > 0.5
    assert experiments.weight_off_sinks(trace)[17, 3] < 0.15


# --- what mattered ---


def test_three_ways_to_ask_are_three_measures(model):
    prompt = Prompt(model, "The capital of France is")
    view = pictures.WhatMattered(prompt)
    assert view.found is None
    assert view.map.layout.display == "none"
    view.buttons[0].click()
    trace = model.trace(prompt.tokens)
    np.testing.assert_allclose(
        view.found[0], experiments.attention_from(trace, -1).mean(axis=(0, 1)), rtol=1e-5
    )
    lost = dict(experiments.attribution.leave_one_out(trace))
    bits = np.log2(np.e)  # to a nat
    np.testing.assert_allclose(view.found[1] / bits, [lost[at] for at in range(len(trace.tokens))], atol=1e-4)
    np.testing.assert_allclose(view.found[2] / bits, experiments.attribution.saliency(trace), atol=1e-4)
    rows = np.nanmax(np.abs(view.map.values), axis=1)
    np.testing.assert_allclose(rows, 1)  # each to its own scale, and none beyond it
    blank = np.zeros(view.found.shape, bool)
    blank[0, 0] = blank[:, -1] = True
    assert np.array_equal(np.isnan(view.map.values), blank)
    prompt.box.value = "one two"
    assert view.found is None  # asked of another text
    assert view.buttons[0].disabled
    assert "3 to 64" in told(view.told)


def test_what_speaks_against_the_answer_does_not_speak_for_it(model):
    view = pictures.WhatMattered(Prompt(model, "The cat that I saw yesterday was"))
    view.buttons[0].click()
    assert (view.found[2, 1:-1] < 0).all()
    speak_for_it = (view.found[1:, 1:-1] > 0).any(axis=1)
    assert told(view.told).count(" bits)") == speak_for_it.sum() < 2


# --- does it matter ---

CATS = "The cats that I saw yesterday were sleeping"


@pytest.fixture(scope="module")
def made(model):
    return pictures.DoesItMatter(Prompt(model, CAT), CATS)


@pytest.fixture
def matter(made):
    """The same for each test, which takes seconds to make; on its two sentences again."""
    made.prompt.box.value, made.partner.box.value = CAT, CATS
    return made


def test_the_heads_that_look_hardest_carry_little(matter):
    matter.top[1].click()
    assert {tuple(one) for one in matter.grid.chosen} == {(13, 8), (13, 6), (25, 2)}
    assert matter.leads[0, 0] > 4
    assert (np.abs(matter.leads[0, 2:4] - matter.leads[0, 0]) < 0.5).all()  # off, and at the mean
    assert "16%" in told(matter.told)


def test_one_swapped_head_turns_the_verb(matter, model):
    matter.choose([(26, 0)])
    assert matter.leads[0, 2] > 3  # switched off, “was” stays
    assert matter.leads[0, 4] < -1
    assert np.abs(matter.leads[1] - matter.leads[0, 0]).max() < 0.5  # random heads
    one, other = (
        model.trace(text) for text in ("The cat that I saw yesterday", "The cats that I saw yesterday")
    )
    z = one.blocks[26].attention.z.copy()
    z[0, -1] = other.blocks[26].attention.z[0, -1]
    by_function = model.trace(one.tokens, Edits(at={("z", 26): lambda _: z}))
    assert matter.lead(by_function) == pytest.approx(matter.leads[0, 4], abs=1e-3)
    matter.table.selected = [0, 4]
    np.testing.assert_allclose(matter.bars.probs[0], ops.softmax(by_function.logits).max(), rtol=1e-3)
    assert matter.bars.caption.endswith("L26·H0: swapped")


def test_heads_that_may_not_look_at_the_noun(matter, model):
    def hidden(pattern, heads=slice(None)):
        pattern[heads, -1, 1] = 0
        pattern[heads, -1] /= pattern[heads, -1].sum(axis=-1, keepdims=True)
        return pattern

    run = matter.runs[0]
    by_all = model.trace(run.tokens, Edits(at={("pattern", layer): hidden for layer in range(30)}))
    assert re.search(holding("“·cat”", f"{matter.lead(by_all):.2f}"), plain(matter.told))
    assert experiments.attention_from(by_all, -1)[..., 1].max() == 0
    matter.choose([(13, 8)])
    alone = model.trace(run.tokens, Edits(at={("pattern", 13): lambda pattern: hidden(pattern, 8)}))
    assert matter.leads[0, 1] == pytest.approx(matter.lead(alone), abs=1e-3)


def test_the_two_sentences_change_places(matter):
    there = matter.lead(matter.runs[1])
    matter.exchange.click()
    assert matter.prompt.box.value == CATS
    assert matter.partner.box.value == CAT
    assert matter.leads[0, 0] == pytest.approx(-there, rel=1e-4)
    assert [26, 0] in matter.grid.chosen


def test_a_partner_that_does_not_fit_is_told(matter):
    further = "The dog that I heard yesterday was sleeping"  # at three places
    for text in ("Hello", CATS, CATS + " again", further):  # too short, the same, too long
        matter.prompt.box.value = text
        assert told(matter.misfit)
        assert matter.shown.layout.display == "none"
        assert repr(matter)
    matter.prompt.box.value = "The dogs that I saw yesterday were sleeping"
    matter.partner.box.value = "The dog that I saw yesterday was sleeping"
    assert told(matter.misfit) == ""
    assert matter.leads[0, 0] > 3


def test_where_the_leads_are_near_each_other_no_share_of_the_way_is_told(matter):
    matter.prompt.box.value = "😀 were"
    matter.partner.box.value = "😢 was"
    assert abs(matter.leads[0, 0] - matter.lead(matter.runs[1])) < 1
    leads = matter.leads[0, 0], matter.leads[0, 4], matter.lead(matter.runs[1])
    assert re.search(holding(*(f"{lead:.2f}" for lead in leads)), told(matter.told))
    assert matter.buttons[0].disabled
    matter.exchange.click()
    matter.prompt.box.value, matter.partner.box.value = CAT, CATS
    assert f"{matter.lead(matter.runs[1]):.2f}" not in told(matter.told)  # but a share of the way there
    assert not matter.buttons[0].disabled


def test_every_head_is_swapped_alone(tiny_model):
    matter = pictures.DoesItMatter(Prompt(tiny_model, "The cat sat on the dog"), "The dog sat on the cat")
    matter.swap_each()
    run, other = matter.runs
    base, there = matter.lead(run), matter.lead(other)
    for layer, head in ((0, 0), (1, 5), (2, 2)):
        swapped = experiments.patch_heads(experiments.head_outputs(other), [(layer, head)])
        way = (base - matter.lead(tiny_model.trace(run.tokens, swapped))) / (base - there)
        assert matter.effect[layer, head] == pytest.approx(way, abs=1e-3)
    assert matter.progress.value == 1
    furthest = np.unravel_index(matter.effect.argmax(), matter.effect.shape)
    assert re.search(holding("L{}·H{}".format(*furthest)), told(matter.effect_told))
    matter.effects.selected = [1, 5]
    assert matter.grid.chosen == [[1, 5]]
    matter.top[0].click()
    assert len(matter.grid.chosen) == 1
    matter.choose([])
    assert not re.search(r"L\d+·H\d+", told(matter.told))


# --- induction, cost ---


def test_induction_holds_and_falls_with_its_heads(model):
    experiment = pictures.Induction(model)
    for seed in range(3):
        experiment.seed.value = seed
        assert experiment.first < 1e-3
        assert experiment.second > 0.3
        assert experiment.without < 0.01
        assert np.median(experiment.without_random) > 0.5 * experiment.second
        assert all(15 <= layer <= 24 for layer, _ in experiment.strongest)
    experiment.off.value = 0
    assert len(experiment.curves.names) == 1


def test_cost_is_measured_when_asked(tiny_model, model):
    cost = pictures.Cost(tiny_model, lengths=(8, 16, 32, 64, 1_000))
    assert cost.timing is None
    assert cost.times.text() == cost.times.waiting
    cost.run()
    assert cost.timing.lengths == (8, 16, 32, 64)  # as far as its context reaches
    assert (np.stack([cost.timing.with_cache, cost.timing.without_cache, cost.timing.quadratic]) > 0).all()
    on, off = (1000 * each[-1] for each in (cost.timing.with_cache, cost.timing.without_cache))
    assert re.search(holding(64, f"{on:.0f}", f"{off:.0f}", f"{off / on:.0f}"), told(cost.told))
    # 30 layers × 3 heads × 64 numbers × (key, value) × 4 bytes
    assert "46 kB" in told(pictures.Cost(model).told)
    assert "138 kB" in told(pictures.Cost(model).told)


# --- whatever is typed ---


@pytest.mark.parametrize("text", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_every_box_survives_it(tiny_model, text):
    sentence = Prompt(tiny_model, "The cat sat on the mat")
    shown = [
        kind(sentence)
        for kind in (pictures.HeadByHand, pictures.HeadExplorer, pictures.Sink, pictures.HeadFinder)
    ]
    sentence.box.value = text
    assert sentence.tokens or sentence.message.value
    matter = pictures.DoesItMatter(sentence, text)
    matter.partner.box.value = "The cat sat on the dog"
    for one in (*shown, matter):
        repr(one)


def test_patterns_that_were_changed_are_shown_as_changed(tiny_model):
    """What is read off a head is what the run used, also where a function stands at its scores or its pattern."""
    trace = tiny_model.trace("The cat sat on the dog", Edits(at={("scores", 1): lambda scores: 3 * scores}))
    changed = trace.blocks[1].attention.pattern
    assert np.abs(changed - tiny_model.trace(trace.tokens).blocks[1].attention.pattern).max() > 1e-3
    np.testing.assert_array_equal(trace.blocks[1].patterns(slice(2, 4)), changed[2:4])
    np.testing.assert_allclose(experiments.attention_from(trace, 3)[1, :, :4], changed[:, 3, :4], rtol=1e-5)
    explained = provenance.pattern(trace, 1, 2, 3, 1)
    assert explained.result == pytest.approx(changed[2, 3, 1], rel=1e-5)


def test_by_hand_takes_a_run_with_a_vector_put_into_it(tiny_model):
    vector = np.ones(tiny_model.config.d_model, np.float32)
    trace = tiny_model.trace("The cat sat on the dog", Edits(resid={(1, 2): vector}))
    by_hand = pictures.HeadByHand(trace, layer=1, head=2)
    assert by_hand.shown is trace
    by_hand.no_scale.value = True
    assert by_hand.shown.edits == Edits(resid={(1, 2): vector}, score_scale=False)
