"""The views of stage 2: their numbers against plain formulas, and what their controls do."""

import json
import re
from collections import Counter

import numpy as np
import pytest
from messages import holding
from typed_texts import BAD_TEXTS
from widget_tree import inside

from llmviz.claims.cases import FAMILIES, SENSES
from llmviz.experiments.table import random_map_quality, random_pairs
from llmviz.views import Prompt
from llmviz.views import embeddings as pictures
from llmviz.views.embeddings.cosine import FIRST, RANDOM, SECOND, CosineHistogram, counted
from llmviz.views.embeddings.senses import NAMES
from llmviz.views.embeddings.two_arrows import geometry
from llmviz.views.embeddings.word_map import looks_of
from llmviz.views.embeddings.words import MAX_WORDS, look_up, read_groups
from llmviz.views.kit import theme
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.text_box import read

BAD = (*BAD_TEXTS, "#99999999999", "a: b: c: , ,")
WORDS = "animals: dog, cat, horse\ncolours: red blue green\nxylophone Paris"


def cosine(model, a: str, b: str) -> float:
    """The cosine of two single tokens, each written exactly as it is."""
    x, y = (model.weights.W_E[model.tokenizer.encode(text)[0]].astype(float) for text in (a, b))
    return float(sum(x * y) / np.sqrt(sum(x * x)) / np.sqrt(sum(y * y)))


@pytest.fixture
def table(model):
    return pictures.Table(model)


# ---- what is typed ----


@pytest.mark.parametrize(
    ("typed", "piece"),
    [
        ("dog", " dog"),  # as inside a sentence
        ("  dog ", " dog"),
        ('"dog"', "dog"),  # exactly as it stands
        ("7", "7"),  # no token with a space in front
        ("#2767", " dog"),
        ("#2", "<|im_end|>"),
    ],
)
def test_a_word_is_looked_up_as_one_token(model, typed, piece):
    word = look_up(typed, model.tokenizer)
    assert model.tokenizer.pieces([word.token]) == [piece]
    assert word.problem == ""


@pytest.mark.parametrize("typed", BAD)
def test_what_is_no_token_gets_a_sentence(model, typed):
    word = look_up(typed, model.tokenizer)
    assert word.token is None
    assert word.problem.endswith(".")
    assert len(word.problem) < 250


def test_a_word_of_several_tokens_says_how_it_splits_and_offers_its_first_piece(model, table):
    view = pictures.NeighbourExplorer(table, "xylophone")
    near, button = view.parts["nearest"], view.parts["take_first"]
    assert re.search(holding(2, "·xyl ophone"), near.caption)
    assert button.layout.display != "none"
    button.click()
    assert "·xyl" in near.caption
    assert button.layout.display == "none"


def test_groups_are_read_line_by_line(model):
    groups = read_groups("animals: dog, cat dog\n\nred blue\n: xylophone Paris", model.tokenizer)
    assert groups.names == ["animals", "group 2", "group 3"]
    assert (
        groups.pieces == model.tokenizer.pieces(groups.tokens) == [" dog", " cat", " red", " blue", " Paris"]
    )
    assert groups.group_of == [0, 0, 1, 1, 2]
    assert ([word.typed for word in groups.refused], groups.cut) == (["xylophone"], 0)
    many = read_groups(" ".join(f"#{i}" for i in range(2_000, 3_000)), model.tokenizer)
    assert (len(many.tokens), many.cut) == (MAX_WORDS, 1_000 - MAX_WORDS)


# ---- pictures ----


def test_the_histogram_counts_every_pair_once():
    histogram = CosineHistogram(**counted([-0.9, -0.1, 0.3, 0.31, 1.0], 0.305, label="a and b", among="all"))
    assert sum(histogram.counts) == 5
    assert histogram.counts[0] == histogram.counts[-1] == 1  # what lies outside counts at the end
    assert histogram.median == pytest.approx(0.3)
    assert re.search(holding("a and b", "0.30", "60.0%", "all"), repr(histogram))
    histogram.change(**counted([]))
    assert not re.search(r"\d", repr(histogram))


def test_nearest_tokens_say_their_numbers(model):
    picture = pictures.NearestTokens(caption="Near")
    picture.show(model.tokenizer, np.linspace(-1, 1, model.config.n_vocab), n=2)
    last = model.config.n_vocab - 1
    rows = [line.split()[1:] for line in repr(picture).splitlines()]
    assert rows[0] == f"1.000 rank 1 id {last}".split()
    assert rows[1] == f"1.000 rank 2 id {last - 1}".split()
    assert rows[2][-3:] == ["-0.98", "to", "0.98"]
    assert picture.summary.startswith("Near")


# ---- views ----


def test_rows_follow_the_text_and_the_selected_token(model, table):
    prompt = Prompt(model, "The dog saw the dog")
    strip, row = (parts := pictures.RowExplorer(table, prompt).parts)["strip"], parts["row"]
    np.testing.assert_array_equal(row.values[0], model.weights.W_E[504])
    strip.selected = 1
    first = row.values.copy()
    strip.selected = 4
    np.testing.assert_array_equal(row.values, first)  # the same row wherever the word stands
    prompt.box.value = "Hi"
    assert strip.selected == 0


def test_one_switch_takes_the_average_away_in_all_pictures(model, table):
    made = [*of_words(table), pictures.AnalogyCount(table), pictures.WordMap(table, WORDS)]
    made.append(pictures.RowExplorer(table, Prompt(model, "dog")))
    before = [repr(view) for view in made]
    table.controls["centred"].value = True
    assert table.trace.note
    np.testing.assert_allclose(table.trace.W_E.mean(axis=0), 0, atol=1e-5)
    for view, old in zip(made, before):
        assert repr(view) != old
        assert table.trace.note in repr(view)
    table.controls["centred"].value = False
    assert [repr(view) for view in made] == before


def test_a_cosine_is_held_against_either_word_and_against_random_pairs(model, table):
    view = pictures.CosineExplorer(table, "king", "banana")
    histogram = view.parts["histogram"]
    W_E = model.weights.W_E.astype(float)
    W_E /= np.sqrt((W_E**2).sum(1, keepdims=True))
    value = cosine(model, " king", " banana")
    for against, word in ((FIRST, " king"), (SECOND, " banana")):
        view.controls["against"].value = against
        (mine,) = model.tokenizer.encode(word)
        others = np.delete(W_E @ W_E[mine], mine)
        assert sum(histogram.counts) == len(W_E) - 1
        assert f"{100 * (others < value).mean():.1f}%" in histogram.verdict
        assert histogram.median == pytest.approx(np.median(others), abs=1e-4)
    view.controls["against"].value = RANDOM
    assert percent((random_pairs(model, False) < value).mean()) in histogram.verdict
    histogram.asked = []
    assert "banana" in histogram.explanation["title"]
    view.controls["b"].value = "xylophone"
    assert (histogram.value, histogram.explanation) == (None, None)
    assert "2 tokens" in histogram.caption


def test_two_rows_keep_their_lengths_and_their_angle(model, table):
    rows = dict(pictures.ArrowExplorer(table, "king", "queen").parts["arrows"].rows)
    a, b = (model.weights.W_E[model.tokenizer.encode(word)[0]].astype(float) for word in (" king", " queen"))
    assert rows["cosine"] == f"{cosine(model, ' king', ' queen'):.2f}"
    assert {f"{np.sqrt(sum(a * a)):.2f}", f"{sum(a * b):.2f}"} < {*rows.values()}
    nothing = geometry(np.zeros(2), np.array([0.0, 1.0]))
    assert nothing["cosine"] == nothing["angle"] == "none"
    assert geometry(np.array([1.0, 0.0]), np.array([-1e-9, 1.0]))["cosine"] == "0.00"


def test_a_dragged_arrow_is_kept_apart_from_the_real_one(model, table):
    view = pictures.ArrowExplorer(table, "king", "queen")
    arrows, near = view.parts["arrows"], view.parts["nearest"]
    near_the_row = near.caption
    arrows.set_state({"tip": [0.0, 2.0]})  # at a right angle to the first
    _, real, dragged = next(row for row in arrows.rows if row[0] == "cosine")
    assert real == f"{cosine(model, ' king', ' queen'):.2f}"
    assert float(dragged.replace("−", "-")) == 0
    assert near.caption != near_the_row
    arrows.set_state({"tip": [1.5, 0.0]})  # along the first: its own neighbours
    assert near.pieces[0] == " king"
    axis, row = (model.weights.W_E[token] for token in (model.tokenizer.encode(" king")[0], near.ids[1]))
    expected = row @ axis / np.linalg.norm(row) / np.linalg.norm(axis)
    assert near.cosines[1] == pytest.approx(expected, abs=1e-5)
    for let_go in (
        lambda: view.parts["back"].click(),
        lambda: arrows.set_state({"tip": [1e6, 0.0]}),  # out of the picture
        lambda: setattr(view.controls["a"], "value", "man"),
        lambda: setattr(table.controls["centred"], "value", True),
    ):
        arrows.set_state({"tip": [1.5, 0.0]})
        assert arrows.tip == [1.5, 0.0]
        let_go()
        assert arrows.tip is None


def test_neighbours_with_their_rank_among_all_tokens(model, table):
    view = pictures.NeighbourExplorer(table, "dog")
    near = view.parts["nearest"]
    assert not {piece.strip().casefold() for piece in near.pieces} & {"dog"}
    row = near.pieces.index(" cat")
    assert near.cosines[row] == pytest.approx(cosine(model, " dog", " cat"), abs=1e-5)
    W_E = model.weights.W_E / np.linalg.norm(model.weights.W_E, axis=1, keepdims=True)
    dog, cat = (model.tokenizer.encode(word)[0] for word in (" dog", " cat"))
    cosines = W_E @ W_E[dog]
    assert near.ranks[row] == (cosines > cosines[cat]).sum()  # the dog itself counts for one
    np.testing.assert_allclose(near.band, np.quantile(np.delete(cosines, dog), [0.01, 0.99]), atol=1e-5)
    view.controls["spellings"].value = True
    assert {" Dog", "dog"} <= set(near.pieces)
    assert " dog" not in near.pieces
    assert near.ranks == list(range(1, len(near.pieces) + 1))


def test_the_analogy_that_holds_and_the_one_that_fails(table):
    view = pictures.AnalogyExplorer(table, "king", "man", "woman")
    near, examples = view.parts["nearest"], view.parts["examples"]
    assert near.pieces[0] == " queen"
    assert [near.pieces[row] for row in near.marked] == [" king"]
    examples.value = "Paris − France + Italy"
    assert [view.controls[name].value for name in "abc"] == ["Paris", "France", "Italy"]
    assert near.pieces[0] == " Paris"
    assert " Rome" not in near.pieces
    view.controls["leave_out"].value = True
    assert not {" Paris", " France", " Italy", " Rome"} & set(near.pieces)
    view.controls["c"].value = "Spain"
    assert examples.value == examples.options[0]  # the list names no example that isn't shown


def test_arithmetic_is_counted_beside_its_baseline(table):
    view = pictures.AnalogyCount(table)
    bars = view.parts["bars"]
    assert bars.values.shape == (3, len(FAMILIES))
    right, _, alone = bars.values[:, list(FAMILIES).index("plurals")]
    assert min(right, alone) > 0.95  # nothing gained by arithmetic
    assert right == pytest.approx(view.scores["plurals"].right / view.scores["plurals"].asked)


def test_one_word_in_two_senses(model):
    view = pictures.SenseExplorer(model)
    boxes, curves, word = (
        [view.controls[name] for name in view.controls],
        view.parts["curves"],
        view.parts["word"],
    )
    assert (word.value, curves.names) == ("bank", [*NAMES])
    same, other, _, unlike = curves.values
    assert same[0] == pytest.approx(1) == other[0]  # one row
    a, b, c = (model.trace(SENSES["bank"][i]).blocks[9].resid_post[-1].astype(float) for i in (0, 2, 3))
    for line, vector in ((other, b), (unlike, c)):
        expected = sum(a * vector) / np.sqrt(sum(a * a)) / np.sqrt(sum(vector * vector))
        assert line[10] == pytest.approx(expected, abs=1e-4)
    before = curves.values.copy()
    for end in (".", ",", '"', "’)", " …"):  # no token to compare; and BLAS may round a longer text otherwise
        boxes[0].value = SENSES["bank"][0] + end
        np.testing.assert_allclose(curves.values, before, atol=1e-6)
        assert word.value == "bank"
    word.value = "bat"
    assert [box.value for box in boxes] == list(SENSES["bat"])
    boxes[1].value = ""
    assert read("", model.tokenizer).message in curves.caption
    assert curves.n_points == 0
    boxes[1].value = boxes[3].value = "bank"
    assert curves.n_points == model.config.n_layers + 1
    assert "2, 4" in curves.caption  # these have nothing before their last token
    assert word.value == word.options[0]
    assert curves.names == ["1 and 2", "1 and 3", "3 and 4", "1 and 4"]


def test_nobody_comes_between_on_the_walk_from_dog_to_cat(table):
    view = pictures.WalkExplorer(table, "dog", "cat")
    near, rows = view.parts["nearest"], view.parts["rows"]
    for way in range(0, 101, 10):
        view.controls["way"].value = way
        assert near.pieces[0].strip() in {"dog", "cat"}
        vector = (1 - way / 100) * rows.values[0] + way / 100 * rows.values[2]
        np.testing.assert_allclose(rows.values[1], vector, atol=1e-6)


@pytest.mark.parametrize("typed", ["", "\ud83d", "<b>x</b>\n\0", "x" * 5_000])
def test_whatever_is_typed_gives_a_sentence(model, table, typed):
    made = {view: view.typed[-1] for view in of_words(table)}
    made |= {pictures.WordMap(table, WORDS): "text", pictures.SenseExplorer(model): "fourth"}
    for view, box in made.items():
        view.controls[box].value = typed
        for picture in inside(view, Picture):
            assert picture.caption or picture.layout.display == "none"
            sent = {name: value for name, value in picture.get_state().items() if name != "_esm"}
            json.dumps(sent, ensure_ascii=False, default=str).encode()  # as the page gets it


def of_words(table):
    """Each view of words."""
    return [
        pictures.CosineExplorer(table, "king", "queen"),
        pictures.ArrowExplorer(table, "king", "queen"),
        pictures.NeighbourExplorer(table, "dog"),
        pictures.AnalogyExplorer(table, "king", "man", "woman"),
        pictures.WalkExplorer(table, "dog", "cat"),
    ]


# ---- the map ----


@pytest.fixture
def word_map(table):
    return pictures.WordMap(table, WORDS)


def shown(word_map):
    """Names of the groups that are to be seen, and how many points they have."""
    flat = word_map.parts["flat"]
    return {flat.groups[group]: n for group, n in Counter(flat.group_of).items()}


def test_the_map_shows_each_group_and_states_what_it_keeps(word_map, model):
    assert shown(word_map) == {"animals": 3, "colours": 3, "group 3": 1}
    rows = model.weights.W_E[read_groups(WORDS, model.tokenizer).tokens].astype(float)
    rows /= np.sqrt((rows**2).sum(1, keepdims=True))
    spread = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1]
    variance = 100 * spread[:2].sum() / spread.sum()
    random = map(percent, random_map_quality(model, len(rows), False))
    assert re.search(holding(f"{variance:.1f}%", *random), word_map.parts["flat"].caption)


@pytest.mark.parametrize("words", ["dog cat", "dog cat horse", "dog cat horse cow", "dog cat horse cow pig"])
def test_a_map_of_few_words_says_no_shares(table, words):
    flat = pictures.WordMap(table, words).parts["flat"]
    for text in (flat.caption, *flat.axes):
        assert ("%" in text) == (len(words.split()) >= 5)


def test_a_group_that_goes_leaves_the_others_their_look_and_the_map_its_way(table):
    text = "animals: dog cat horse cow pig\ncolours: red blue green black white\n"
    text += "days: Monday Tuesday Friday Sunday\nnumbers: two three four five six"
    view = pictures.WordMap(table, text)
    flat = view.parts["flat"]
    looks, places = dict(zip(flat.pieces, flat.group_of)), dict(zip(flat.pieces, flat.places))
    for gone in ("animals", "colours", "days", "numbers"):
        view.controls["text"].value = "\n".join(
            line for line in text.splitlines() if not line.startswith(gone)
        )
        assert {*zip(flat.pieces, flat.group_of)} < {*looks.items()}
        before = np.array([places[piece] for piece in flat.pieces])
        alike = (before - before.mean(0)).T @ flat.places
        assert alike.trace() > 0  # signs as before, and which of the two is across
        assert np.abs(alike).trace() >= np.abs(alike)[::-1].trace()


def test_looks_beyond_the_last_are_shared_and_free_ones_used_again(table):
    names = [f"<b>{i}</b>" for i in range(10)]
    looks = looks_of(names, {})
    assert [*looks.values()] == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]
    later = looks_of(names[3:], looks)
    assert later == {name: looks[name] for name in names[3:7]} | dict(zip(names[7:], (0, 1, 2)))
    words = ["dog", "cat", "cow", "red", "blue", "one", "two", "king", "man"]
    shown_names = [*shown(pictures.WordMap(table, "\n".join(map("{}: {}".format, names, words))))]
    assert shown_names[:7] == names[:7]
    assert len(shown_names) == len(theme.GROUPS)
    assert "<b>" not in shown_names[-1]  # the others, in one


def test_the_map_in_space(table):
    figure = pictures.map_in_space(table, WORDS)
    bundle = figure._repr_mimebundle_()
    names = [trace["name"] for trace in bundle["application/vnd.plotly.v1+json"]["data"]]
    assert names == ["animals", "colours", "group 3"]
    assert "%" in bundle["text/plain"]
    assert "·horse" in bundle["text/plain"]
    assert len(json.dumps(figure.to_plotly_json(), default=list)) < 100_000
    assert pictures.map_in_space(table, "<b>x</b>: dog cat").data[0].name == "&lt;b&gt;x&lt;/b&gt;"
    with pytest.raises(ValueError, match="words"):
        pictures.map_in_space(table, "dog xylophone")


def test_the_map_keeps_true_neighbours_apart_from_false_ones(word_map, model):
    by_numbers, on_map, flat = (word_map.parts[name] for name in ("by_numbers", "on_map", "flat"))
    others = [piece for piece in flat.pieces if piece != " dog"]
    by_cosine = sorted(others, key=lambda piece: -cosine(model, " dog", piece))[:3]
    assert by_numbers.pieces == by_cosine
    place = dict(zip(flat.pieces, flat.places))
    by_eye = sorted(others, key=lambda piece: sum((place[piece] - place[" dog"]) ** 2))[:3]
    assert on_map.pieces == by_eye
    assert [on_map.pieces[i] for i in on_map.highlight] == [
        piece for piece in by_eye if piece not in by_cosine
    ]


def test_a_click_on_a_point_chooses_its_word_while_others_come_and_go(word_map, model):
    flat, word = word_map.parts["flat"], word_map.parts["word"]
    flat.selected = 4
    blue = model.tokenizer.encode(" blue")[0]
    assert (word.value, flat.about) == (blue, 4)
    assert [flat.pieces[i] for i in flat.solid] == word_map.parts["by_numbers"].pieces
    assert [flat.pieces[i] for i in flat.dotted] == word_map.parts["on_map"].pieces
    word_map.controls["text"].value = "fruit: apple\n" + WORDS
    assert (word.value, flat.about) == (blue, 5)
    assert shown(word_map)["fruit"] == 1
    assert "xylophone" in word_map.parts["by_numbers"].caption
    word_map.controls["text"].value = "dog cat"
    assert word.value == model.tokenizer.encode(" dog")[0]
    word_map.controls["text"].value = "xylophone dog"  # a sentence, and no empty map
    assert word_map.parts["flat"].layout.display == word_map.parts["on_map"].layout.display == "none"
    assert "xylophone" in word_map.parts["by_numbers"].caption
