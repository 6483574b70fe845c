"""The explorers of stage 2, worked by setting the traits of their controls; their numbers against plain formulas."""

import json
import re
from collections import Counter

import numpy as np
import pytest
from llmviz.views.embeddings.word_box import WordBox, look_up
from llmviz.views.embeddings.word_groups import MAX_WORDS, read_groups
from messages import holding
from typed_texts import BAD_TEXTS
from widget_tree import inside

import llmviz
from llmviz.claims.cases import FAMILIES, SENSES
from llmviz.experiments.table import random_map_quality, random_pairs
from llmviz.views import Prompt
from llmviz.views import embeddings as pictures
from llmviz.views.embeddings.cosine import CosineHistogram
from llmviz.views.embeddings.senses import NAMES
from llmviz.views.embeddings.two_arrows import TwoArrows
from llmviz.views.embeddings.word_map import kept_looks
from llmviz.views.kit import theme
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.text_box import read
from llmviz.views.provenance import Operand

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


def test_a_word_of_several_tokens_says_how_it_splits_and_offers_its_first_piece(model):
    box = WordBox(model.tokenizer, "xylophone")
    assert box.token is None
    assert re.search(holding(2, "·xyl ophone"), box.word.problem)
    assert box.take_first.layout.display == ""
    box.take_first.click()
    assert model.tokenizer.pieces([box.token]) == [" xyl"]
    assert box.take_first.layout.display == "none"


def test_groups_are_read_line_by_line(model):
    groups = read_groups("animals: dog, cat dog\n\nred blue\n: xylophone Paris", model.tokenizer)
    assert groups.names == ["animals", "group 2", "group 3"]
    assert model.tokenizer.pieces(groups.tokens) == [" dog", " cat", " red", " blue", " Paris"]
    assert groups.group_of == [0, 0, 1, 1, 2]
    assert [word.typed for word in groups.refused] == ["xylophone"]


def test_a_map_takes_only_so_many_words(model):
    names = [piece for piece in model.tokenizer.pieces(range(2_000, 3_000)) if piece.strip().isalpha()]
    groups = read_groups(" ".join(names), model.tokenizer)
    assert len(groups.tokens) + len(groups.refused) <= MAX_WORDS
    assert groups.cut > 0


# ---- pictures ----


def test_the_histogram_counts_every_pair_once():
    histogram = CosineHistogram([-0.9, -0.1, 0.3, 0.31, 1.0], 0.305, label="a and b", among="all")
    assert sum(histogram.counts) == 5
    assert histogram.counts[0] == 1  # what lies outside counts at the end
    assert histogram.counts[-1] == 1
    assert re.search(holding("0.30", "60.0%", "all"), histogram.verdict)
    assert re.search(holding("a and b", "0.30"), repr(histogram))
    histogram.show([0.5, 0.7, 0.6])
    assert histogram.value is None
    assert histogram.verdict == ""
    assert histogram.median == pytest.approx(0.6)
    histogram.show([])
    assert not re.search(r"\d", repr(histogram))


def test_nearest_tokens_say_their_numbers():
    picture = pictures.NearestTokens([" dog", " cat"], [1.0, 0.583], [2767, 2644], marked=[1], caption="Near")
    assert repr(picture).splitlines() == ["·dog  1.000    id 2767", "·cat  0.583    id 2644  typed"]
    assert picture.summary.startswith("Near")
    picture.clear("Nothing!")
    assert "Nothing!" in picture.summary


# ---- explorers ----


def test_rows_follow_the_text_and_the_selected_token(model, table):
    prompt = Prompt(model, "The dog saw the dog")
    explorer = pictures.RowExplorer(table, prompt)
    np.testing.assert_array_equal(explorer.row.values[0], model.weights.W_E[504])
    explorer.strip.selected = 1
    first = explorer.row.values.copy()
    explorer.strip.selected = 4
    np.testing.assert_array_equal(explorer.row.values, first)  # the same row wherever the word stands
    prompt.box.value = "Hi"
    assert explorer.strip.selected == 0
    explorer.row.asked = [0, 3]
    token = model.tokenizer.encode("Hi")[0]
    assert float(explorer.row.explanation["result"].replace("−", "-")) == pytest.approx(
        model.weights.W_E[token, 3], rel=1e-3
    )


def test_one_switch_takes_the_average_away_in_all_pictures(model, table):
    made = [explorer for explorer, _ in explorers(table)]
    before = [repr(explorer) for explorer in made]
    table.switch.value = True
    assert table.told
    np.testing.assert_allclose(table.W_E.mean(axis=0), 0, atol=1e-5)
    for explorer, old in zip(made, before):
        assert repr(explorer) != old
        assert table.told in repr(explorer)
    table.switch.value = False
    assert [repr(explorer) for explorer in made] == before


def test_a_cosine_is_held_against_either_word_and_against_random_pairs(model, table):
    explorer = pictures.CosineExplorer(table, "king", "banana")
    W_E = model.weights.W_E.astype(float)
    W_E /= np.sqrt((W_E**2).sum(1, keepdims=True))
    value = cosine(model, " king", " banana")
    for against, word in enumerate((" king", " banana")):
        explorer.against.value = against
        (mine,) = model.tokenizer.encode(word)
        others = np.delete(W_E @ W_E[mine], mine)
        assert sum(explorer.histogram.counts) == len(W_E) - 1
        assert f"{100 * (others < value).mean():.1f}%" in explorer.histogram.verdict
        assert explorer.histogram.median == pytest.approx(np.median(others), abs=1e-4)
    explorer.against.value = 2
    pairs = random_pairs(model, False)
    assert percent((pairs < value).mean()) in explorer.histogram.verdict
    explorer.histogram.asked = []
    assert "banana" in explorer.histogram.explanation["title"]
    explorer.b.box.value = "xylophone"
    assert explorer.histogram.value is None
    assert "2 tokens" in explorer.histogram.caption


def test_two_rows_keep_their_lengths_and_their_angle(model, table):
    explorer = pictures.ArrowExplorer(table, "king", "queen")
    a, b = (model.weights.W_E[model.tokenizer.encode(word)[0]] for word in (" king", " queen"))
    told = dict(explorer.arrows.rows)
    dot = sum(a.astype(float) * b)
    assert f"{np.sqrt(sum(a.astype(float) ** 2)):.2f}" in told.values()
    assert told["cosine"] == f"{cosine(model, ' king', ' queen'):.2f}"
    assert f"{dot:.2f}" in told.values()
    assert explorer.list.pieces[0] == " queen"


def test_a_dragged_arrow_is_told_apart_from_the_real_one(model, table):
    explorer = pictures.ArrowExplorer(table, "king", "queen")
    near_the_row = explorer.list.caption
    explorer.arrows.set_state({"tip": [0.0, 2.0]})  # at a right angle to the first
    _, real, dragged = next(row for row in explorer.arrows.rows if row[0] == "cosine")
    assert real == f"{cosine(model, ' king', ' queen'):.2f}"
    assert float(dragged.replace("−", "-")) == 0
    assert explorer.list.caption != near_the_row
    explorer.arrows.set_state({"tip": [1e6, 0.0]})  # out of the picture: refused
    assert explorer.arrows.tip == [0.0, 2.0]
    axis = model.weights.W_E[model.tokenizer.encode(" king")[0]]
    explorer.arrows.set_state({"tip": [1.5, 0.0]})  # along the first: its own neighbours
    assert explorer.list.pieces[0] == " king"
    near = model.weights.W_E[explorer.list.ids[1]]
    expected = near @ axis / np.linalg.norm(near) / np.linalg.norm(axis)
    assert explorer.list.cosines[1] == pytest.approx(expected, abs=1e-5)
    explorer.back.click()
    assert explorer.arrows.tip is None


def test_arrows_of_nothing_have_no_angle():
    arrows = TwoArrows(names=["a", "b"], real=[[0, 0], [0, 1]])
    assert dict(arrows.rows)["cosine"] == dict(arrows.rows)["angle"] == "none"
    assert "none" in arrows.text()
    arrows = TwoArrows(names=["a", "b"], real=[[1, 0], [-1e-9, 1]])
    assert dict(arrows.rows)["cosine"] == "0.00"


def test_neighbours_with_their_rank_among_all_tokens(model, table):
    explorer = pictures.NeighbourExplorer(table, "dog")
    assert not {piece.strip().casefold() for piece in explorer.list.pieces} & {"dog"}
    row = explorer.list.pieces.index(" cat")
    assert explorer.list.cosines[row] == pytest.approx(cosine(model, " dog", " cat"), abs=1e-5)
    W_E = model.weights.W_E / np.linalg.norm(model.weights.W_E, axis=1, keepdims=True)
    dog, cat = (model.tokenizer.encode(word)[0] for word in (" dog", " cat"))
    cosines = W_E @ W_E[dog]
    assert explorer.list.ranks[row] == (cosines > cosines[cat]).sum()  # the dog itself counts for one
    np.testing.assert_allclose(
        explorer.list.band, np.quantile(np.delete(cosines, dog), [0.01, 0.99]), atol=1e-5
    )
    explorer.list.asked = [row]
    assert "cat" in explorer.list.explanation["title"]
    explorer.spellings.value = True
    assert {" Dog", "dog"} <= set(explorer.list.pieces)
    assert " dog" not in explorer.list.pieces
    assert explorer.list.ranks == list(range(1, len(explorer.list.pieces) + 1))


def test_the_analogy_that_holds_and_the_one_that_fails(model, table):
    explorer = pictures.AnalogyExplorer(table, "king", "man", "woman")
    assert explorer.list.pieces[0] == " queen"
    assert [explorer.list.pieces[row] for row in explorer.list.marked] == [" king"]
    explorer.examples.value = ("Paris", "France", "Italy")
    assert [box.box.value for box in explorer.words] == ["Paris", "France", "Italy"]
    assert explorer.list.pieces[0] == " Paris"
    assert " Rome" not in explorer.list.pieces
    explorer.leave_out.value = True
    assert not {" Paris", " France", " Italy", " Rome"} & set(explorer.list.pieces)
    explorer.list.asked = [0]
    assert float(explorer.list.explanation["result"]) == pytest.approx(explorer.list.cosines[0], abs=1e-3)
    explorer.words[2].box.value = "Spain"
    assert explorer.examples.value == ()  # the list names no example that isn't shown


def test_arithmetic_is_counted_beside_its_baseline(table):
    explorer = pictures.AnalogyCount(table)
    assert explorer.bars.values.shape == (3, len(FAMILIES))
    right, _, alone = explorer.bars.values[:, list(FAMILIES).index("plurals")]
    assert min(right, alone) > 0.95  # nothing gained by arithmetic


def test_one_word_in_two_senses(model):
    explorer = pictures.SenseExplorer(model, "bank")
    same, other, _, unlike = explorer.curves.values
    assert same[0] == pytest.approx(1) == other[0]  # one row
    traces = [model.trace(text) for text in SENSES["bank"]]
    a, b = (trace.blocks[9].resid_post[-1].astype(float) for trace in (traces[0], traces[2]))
    assert other[10] == pytest.approx(sum(a * b) / np.sqrt(sum(a * a)) / np.sqrt(sum(b * b)), abs=1e-4)
    c = model.trace(SENSES["bank"][3]).blocks[9].resid_post[-1].astype(float)
    assert unlike[10] == pytest.approx(sum(a * c) / np.sqrt(sum(a * a)) / np.sqrt(sum(c * c)), abs=1e-4)
    before = explorer.curves.values.copy()
    for end in (".", ",", '"', "’)", " …"):  # no token to compare; and BLAS may round a longer text otherwise
        explorer.boxes[0].value = SENSES["bank"][0] + end
        np.testing.assert_allclose(explorer.curves.values, before, atol=1e-6)
        assert explorer.word.value == "bank"
    explorer.word.value = "bat"
    assert [box.value for box in explorer.boxes] == list(SENSES["bat"])
    explorer.boxes[1].value = ""
    assert read("", model.tokenizer).told in explorer.curves.caption
    assert explorer.curves.n_points == 0
    explorer.boxes[1].value = "a bat"
    assert explorer.curves.n_points == model.config.n_layers + 1


def test_the_readers_own_sentences_are_told_by_their_numbers(model):
    explorer = pictures.SenseExplorer(model, "bank")
    assert explorer.curves.names == [*NAMES]
    explorer.boxes[2].value = "We all fell off a tree"
    assert explorer.word.value == ""
    assert explorer.curves.names == ["1 and 2", "1 and 3", "3 and 4", "1 and 4"]
    a, c = (model.trace(explorer.boxes[i].value).blocks[4].resid_post[-1].astype(float) for i in (0, 2))
    assert explorer.curves.values[1, 5] == pytest.approx(
        sum(a * c) / np.sqrt(sum(a * a)) / np.sqrt(sum(c * c)), abs=1e-4
    )
    explorer.word.value = "bank"  # the same word again
    assert [box.value for box in explorer.boxes] == list(SENSES["bank"])
    assert explorer.curves.names == [*NAMES]
    explorer.word.value = ""  # nothing to take: all stays
    assert [box.value for box in explorer.boxes] == list(SENSES["bank"])
    assert "2, 4" not in explorer.curves.caption
    explorer.boxes[1].value = explorer.boxes[3].value = "bank"
    assert "2, 4" in explorer.curves.caption  # these have nothing before their last token


def test_nobody_comes_between_on_the_walk_from_dog_to_cat(model, table):
    explorer = pictures.WalkExplorer(table, "dog", "cat")
    for way in range(0, 101, 10):
        explorer.way.value = way
        best = {piece.strip() for piece in explorer.list.pieces[:1]}
        assert best <= {"dog", "cat"}
        vector = (1 - way / 100) * explorer.rows.values[0] + way / 100 * explorer.rows.values[2]
        np.testing.assert_allclose(explorer.rows.values[1], vector, atol=1e-6)
    explorer.list.asked = [0]
    assert float(explorer.list.explanation["result"]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("centred", [False, True])
def test_every_number_of_the_explorers_tells_where_it_comes_from(model, table, centred):
    """The line of each explanation, run on its operands, gives the number that the picture shows."""
    pair = pictures.CosineExplorer(table, "king", "queen")
    near = pictures.NeighbourExplorer(table, "dog")
    sum_ = pictures.AnalogyExplorer(table, "king", "man", "woman")
    walk = pictures.WalkExplorer(table, "dog", "cat")
    arrows = pictures.ArrowExplorer(table, "king", "queen")
    row = pictures.RowExplorer(table, Prompt(model, "dog"))
    table.switch.value = centred
    walk.way.value = 35
    arrows.arrows.tip = [0.5, 1.5]
    shown = [
        (pair.histogram.provenance(), pair.histogram.value),
        *((walk.rows.provenance(k, 99), walk.rows.values[k, 99]) for k in range(3)),
        (row.row.provenance(0, 500), row.row.values[0, 500]),
        *(
            (one.list.provenance(k), one.list.cosines[k])
            for one in (near, sum_, walk, arrows)
            for k in (0, 3)
        ),
    ]
    for told, number in shown:
        names = {"np": np, "llmviz": llmviz} | {operand[0]: operand[1] for operand in told.operands}
        assert eval(told.line, names) == pytest.approx(float(number), abs=2e-6), told.title
        assert told.result == pytest.approx(float(number), abs=2e-6)
        for name, value, source in (Operand(*operand) for operand in told.operands):
            if source:
                np.testing.assert_allclose(
                    eval(source, names | {"model": model}), value, rtol=1e-5, atol=1e-6, err_msg=name
                )


# ---- the map ----


@pytest.fixture(scope="module")
def word_map(model):
    return pictures.WordMap(pictures.Table(model), WORDS)


def shown(word_map):
    """Names of the groups that are to be seen, and how many points they have."""
    counts = Counter(word_map.flat.group_of)
    return {word_map.flat.groups[group]: n for group, n in counts.items()}


def test_the_map_shows_each_group_and_states_what_it_keeps(word_map, model):
    word_map.box.value = WORDS
    assert shown(word_map) == {"animals": 3, "colours": 3, "group 3": 1}
    rows = model.weights.W_E[word_map.groups.tokens].astype(float)
    rows /= np.sqrt((rows**2).sum(1, keepdims=True))
    spread = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1]
    kept = 100 * spread[:2].sum() / spread.sum()
    random = map(percent, random_map_quality(model, len(word_map.pieces), word_map.table.switch.value))
    assert re.search(holding(f"{kept:.1f}%", *random), word_map.flat.caption)
    assert f"{kept:.1f}%" in repr(word_map)


def test_a_map_of_few_words_tells_no_shares(word_map):
    for few in ("dog cat", "dog cat horse", "dog cat horse cow"):
        word_map.box.value = few
        assert "%" not in word_map.flat.caption + "".join(word_map.flat.axes)
    word_map.box.value = "dog cat horse cow pig"
    assert "%" in word_map.flat.caption
    assert all("%" in axis for axis in word_map.flat.axes)


def test_a_group_that_goes_leaves_the_others_their_look_and_the_map_its_way(model):
    groups = {
        "animals": "dog cat horse cow pig",
        "colours": "red blue green black white",
        "days": "Monday Tuesday Friday Sunday",
        "numbers": "two three four five six",
    }
    text = "\n".join(f"{name}: {words}" for name, words in groups.items())
    for gone in groups:
        word_map = pictures.WordMap(pictures.Table(model), text)
        looks, before = dict(word_map.looks), word_map.projection.directions
        word_map.box.value = "\n".join(line for line in text.splitlines() if not line.startswith(gone))
        assert word_map.looks == {name: look for name, look in looks.items() if name != gone}
        alike = before @ word_map.projection.directions.T
        assert np.trace(alike) > 0  # signs as before
        assert np.abs(alike).trace() >= np.abs(alike)[::-1].trace() - 1e-6  # and which of the two is across
        word_map.box.value = text
        assert word_map.looks == looks
        np.testing.assert_allclose(word_map.projection.directions, before, atol=1e-4)


def test_looks_beyond_the_last_are_shared():
    names = [f"group {i}" for i in range(10)]
    looks = kept_looks(names, {})
    assert [looks[name] for name in names] == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]
    assert kept_looks(names[3:], looks) == {
        **{name: looks[name] for name in names[3:7]},
        "group 7": 0,
        "group 8": 1,
        "group 9": 2,
    }


def test_the_map_in_space(table):
    figure = pictures.map_in_space(table, WORDS)
    bundle = figure._repr_mimebundle_()
    assert [trace["name"] for trace in bundle["application/vnd.plotly.v1+json"]["data"]] == [
        "animals",
        "colours",
        "group 3",
    ]
    assert "%" in bundle["text/plain"]
    assert "·horse" in bundle["text/plain"]
    assert len(json.dumps(figure.to_plotly_json(), default=list)) < 100_000
    assert pictures.map_in_space(table, "<b>x</b>: dog cat").data[0].name == "&lt;b&gt;x&lt;/b&gt;"
    with pytest.raises(ValueError, match="words"):
        pictures.map_in_space(table, "dog xylophone")


def test_a_place_on_the_map_tells_where_it_comes_from(word_map):
    word_map.box.value = WORDS
    for i in (0, 4):
        told = word_map._explain(i)
        place = eval(
            told.line, {"np": np, "llmviz": llmviz} | {operand[0]: operand[1] for operand in told.operands}
        )
        np.testing.assert_allclose(place, word_map.flat.places[i], atol=1e-5)
    word_map.flat.asked = [4]
    assert "blue" in word_map.flat.explanation["title"]


def test_the_map_tells_true_neighbours_from_false_ones(word_map, model):
    word_map.box.value = WORDS
    dog = model.tokenizer.encode(" dog")[0]
    word_map.word.value = dog
    others = [piece for piece in word_map.pieces if piece != " dog"]
    by_cosine = sorted(others, key=lambda piece: -cosine(model, " dog", piece))[:3]
    assert word_map.by_numbers.pieces == by_cosine
    place = dict(zip(word_map.pieces, word_map.coordinates))
    by_eye = sorted(others, key=lambda piece: sum((place[piece] - place[" dog"]) ** 2))[:3]
    assert word_map.on_map.pieces == by_eye
    false = [piece for piece in by_eye if piece not in by_cosine]
    assert [word_map.on_map.pieces[i] for i in word_map.on_map.highlight] == false


def test_a_word_keeps_being_looked_at_while_others_come_and_go(word_map, model):
    word_map.box.value = WORDS
    red = model.tokenizer.encode(" red")[0]
    word_map.word.value = red
    word_map.box.value = WORDS + "\nfruit: apple"
    assert word_map.word.value == red
    assert shown(word_map)["fruit"] == 1
    assert "xylophone" in word_map.by_numbers.caption
    word_map.box.value = "dog cat"
    assert word_map.word.value == model.tokenizer.encode(" dog")[0]


def test_fewer_than_two_words_are_a_sentence_and_no_empty_map(word_map):
    for typed, shown in (("xylophone dog", False), (WORDS, True)):
        word_map.box.value = typed
        assert (word_map.flat.layout.display == "") == shown
        assert bool(word_map.by_numbers.pieces) == shown
        assert "xylophone" in word_map.by_numbers.caption


def test_a_click_on_a_point_looks_at_its_word(word_map, model):
    word_map.box.value = WORDS
    word_map.flat.selected = 4
    assert word_map.word.value == model.tokenizer.encode(" blue")[0]
    assert word_map.flat.about == 4
    assert [word_map.pieces[i] for i in word_map.flat.solid] == word_map.by_numbers.pieces
    assert [word_map.pieces[i] for i in word_map.flat.dotted] == word_map.on_map.pieces


def test_many_groups_and_markup_in_names(word_map):
    word_map.box.value = "dog"
    word_map.box.value = "\n".join(
        f"<b>{i}</b>: {word}"
        for i, word in enumerate(["dog", "cat", "cow", "red", "blue", "one", "two", "king", "man"])
    )
    names = list(shown(word_map))
    assert names[0] == "<b>0</b>"
    assert "<b>" not in names[-1]  # the others, in one
    assert len(names) == len(theme.GROUPS)


@pytest.mark.parametrize("typed", BAD)
def test_no_map_breaks_on_anything(word_map, typed):
    word_map.box.value = WORDS
    word_map.box.value = typed
    assert word_map.by_numbers.caption
    assert word_map.flat.caption
    state(word_map.flat).encode()
    state(word_map.by_numbers).encode()


@pytest.mark.parametrize("typed", BAD)
def test_no_box_breaks_on_anything(model, table, typed):
    senses = pictures.SenseExplorer(model)
    for explorer, box in (*explorers(table), (senses, senses.boxes[3])):
        box.value = typed
        shown = list(inside(explorer, Picture))
        assert shown[0].caption
        for picture in shown:
            assert picture.text()
            state(picture).encode()


def state(picture) -> str:
    """What the page gets of a picture, as it would be sent; a lone surrogate would break it."""
    sent = {name: value for name, value in picture.get_state().items() if name != "_esm"}
    return json.dumps(sent, ensure_ascii=False, default=str)


def explorers(table):
    """Each explorer with each of its boxes."""
    row = pictures.RowExplorer(table, Prompt(table.model, "dog"))
    pair = pictures.CosineExplorer(table, "king", "queen")
    arrows = pictures.ArrowExplorer(table, "king", "queen")
    near = pictures.NeighbourExplorer(table, "dog")
    sum_ = pictures.AnalogyExplorer(table, "king", "man", "woman")
    walk = pictures.WalkExplorer(table, "dog", "cat")
    yield from ((row, row.children[0].box), (pair, pair.a.box), (near, near.word.box), (arrows, arrows.a.box))
    yield from ((pair, pair.b.box), (arrows, arrows.b.box), *((sum_, word.box) for word in sum_.words))
    yield from ((walk, walk.a.box), (walk, walk.b.box))


def test_every_explorer_has_a_text_form(word_map, table):
    word_map.box.value = WORDS
    assert "·horse" in repr(word_map)
    for explorer, _ in explorers(table):
        assert len(repr(explorer)) > 100


def test_controls_that_answer_in_two_threads_wait_for_each_other(word_map):
    """JupyterLab hands each widget's messages to a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    def look(turn):
        tokens = word_map.groups.tokens
        if tokens:
            word_map._look_at() if turn % 2 else word_map._draw()

    texts = [" ".join(["dog", "cat", "red", "blue", "king", "queen"][: 2 + i % 5]) for i in range(30)]
    with ThreadPoolExecutor(2) as threads:
        typed = threads.submit(lambda: [setattr(word_map.box, "value", text) for text in texts])
        looked = threads.submit(lambda: [look(turn) for turn in range(60)])
        typed.result()
        looked.result()
    assert len(word_map.pieces) == len(word_map.coordinates) == len(texts[-1].split())
