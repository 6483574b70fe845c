"""The views of stage 2: their numbers against plain formulas, and what their controls do."""

import re
from collections import Counter

import numpy as np
import pytest
from messages import holding
from typed_texts import BAD_TEXTS

from llmviz import embeddings
from llmviz.claims.cases import FAMILIES, SENSES
from llmviz.experiments.table import analogy_score, random_map_quality, random_pairs
from llmviz.experiments.words import common_words, pairs_of
from llmviz.views import Prompt
from llmviz.views import embeddings as pictures
from llmviz.views.embeddings.cosine import COMMON, EDGES, RANDOM, TOKENS
from llmviz.views.embeddings.senses import NAMES
from llmviz.views.embeddings.two_arrows import geometry
from llmviz.views.embeddings.word_map import looks_of
from llmviz.views.embeddings.words import MAX_WORDS, look_up, read_groups
from llmviz.views.kit import theme
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.text_box import read

BAD = (*BAD_TEXTS, "#99999999999", "a: b: c: , ,")
WORDS = "animals: dog, cat, horse\ncolours: red blue green\nxylophone Paris"


def cosine(model, a: str, b: str) -> float:
    """The cosine of two single tokens, each written exactly as it is."""
    x, y = (model.weights.W_E[model.tokenizer.encode(text)[0]].astype(float) for text in (a, b))
    return float(sum(x * y) / np.sqrt(sum(x * x)) / np.sqrt(sum(y * y)))


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


def test_a_page_holds_the_words_that_its_text_names(model):
    cosines = pictures.CosineExplorer(model, "king", "banana")
    neighbours = pictures.NeighbourExplorer(model, "hot")
    pairs = {(a, b) for a in cosines.values_on_page("a") for b in cosines.values_on_page("b")}
    assert {("king", "banana"), ("cat", "mouse"), ("cat", "table")} < pairs
    assert {"hot", "bank"} < {*neighbours.values_on_page("word")}
    assert pictures.ArrowExplorer(model, "king", "queen").values_on_page("a") == []


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


# ---- views ----


def test_rows_follow_the_text_and_the_selected_token(model):
    prompt = Prompt(model, "The dog saw the dog")
    strip, row = (parts := pictures.RowExplorer(prompt).parts)["strip"], parts["row"]
    np.testing.assert_array_equal(row.values[0], model.weights.W_E[504])
    strip.selected = 1
    first = row.values.copy()
    strip.selected = 4
    np.testing.assert_array_equal(row.values, first)  # the same row wherever the word stands
    prompt.box.value = "Hi"
    assert strip.selected == 0


def test_a_cosine_is_held_against_tokens_words_and_random_pairs(model):
    view = pictures.CosineExplorer(model, "king", "banana")
    histogram = view.parts["histogram"]
    W_E = model.weights.W_E.astype(float)
    W_E /= np.sqrt((W_E**2).sum(1, keepdims=True))
    value = cosine(model, " king", " banana")
    (king,) = model.tokenizer.encode(" king")
    for against, tokens in ((TOKENS, range(len(W_E))), (COMMON, common_words(model))):
        view.controls["against"].value = against
        others = (W_E @ W_E[king])[[token for token in tokens if token != king]]
        assert histogram.counts == np.histogram(np.maximum(others, EDGES[0]), EDGES)[0].tolist()
        assert f"{100 * (others < value).mean():.1f}%" in histogram.verdict
        assert histogram.median == pytest.approx(np.median(others), abs=1e-4)
    view.controls["against"].value = RANDOM
    assert percent((random_pairs(model, False) < value).mean()) in histogram.verdict
    histogram.asked = []
    assert "banana" in histogram.explanation["title"]
    view.controls["b"].value = "xylophone"
    assert histogram.layout.display == "none"


def test_two_rows_keep_their_lengths_and_their_angle(model):
    rows = dict(pictures.ArrowExplorer(model, "king", "queen").parts["arrows"].rows)
    a, b = (model.weights.W_E[model.tokenizer.encode(word)[0]].astype(float) for word in (" king", " queen"))
    assert rows["Cosine"] == f"{cosine(model, ' king', ' queen'):.2f}"
    assert {f"{np.sqrt(sum(a * a)):.2f}", f"{sum(a * b):.2f}"} < {*rows.values()}
    nothing = geometry(np.zeros(2), np.array([0.0, 1.0]))
    assert nothing["Cosine"] == nothing["Angle"] == "none"
    assert geometry(np.array([1.0, 0.0]), np.array([-1e-9, 1.0]))["Cosine"] == "0.00"


def test_a_dragged_arrow_is_kept_apart_from_the_real_one(model):
    view = pictures.ArrowExplorer(model, "king", "queen")
    arrows = view.parts["arrows"]
    arrows.set_state({"tip": [0.0, 2.0]})  # at a right angle to the first
    _, real, dragged = next(row for row in arrows.rows if row[0] == "Cosine")
    assert real == f"{cosine(model, ' king', ' queen'):.2f}"
    assert float(dragged.replace("−", "-")) == 0
    for let_go in (
        lambda: view.parts["back"].click(),
        lambda: arrows.set_state({"tip": [1e6, 0.0]}),  # out of the picture
        lambda: setattr(view.controls["a"], "value", "man"),
    ):
        arrows.set_state({"tip": [1.5, 0.0]})
        assert arrows.tip == [1.5, 0.0]
        let_go()
        assert arrows.tip is None


def test_neighbours_and_the_band_of_all_tokens(model):
    view = pictures.NeighbourExplorer(model, "dog")
    near = view.parts["nearest"]
    assert not {piece.strip().casefold() for piece in near.pieces} & {"dog"}
    row = near.pieces.index(" cat")
    assert near.cosines[row] == pytest.approx(cosine(model, " dog", " cat"), abs=1e-5)
    W_E = model.weights.W_E / np.linalg.norm(model.weights.W_E, axis=1, keepdims=True)
    (dog,) = model.tokenizer.encode(" dog")
    cosines = W_E @ W_E[dog]
    np.testing.assert_allclose(near.band, np.quantile(np.delete(cosines, dog), [0.01, 0.99]), atol=1e-5)
    view.controls["spellings"].value = True
    assert {" Dog", "dog"} <= set(near.pieces)
    assert " dog" not in near.pieces
    assert f"{near.cosines[0]:.3f} id {near.ids[0]}" in re.sub(" +", " ", repr(near))


def test_the_analogy_that_holds_and_the_one_that_fails(model):
    view = pictures.AnalogyExplorer(model, "king", "man", "woman")
    near, examples, wanted = (view.parts[name] for name in ("nearest", "examples", "wanted"))
    assert "no token is nearer" in wanted.sentences[0]
    assert near.pieces[0] == " queen"
    assert [near.pieces[row] for row in near.marked] == [" king"]
    examples.value = "Paris − France + Italy"
    assert [view.controls[name].value for name in "abc"] == ["Paris", "France", "Italy"]
    assert near.pieces[0] == " Paris"
    assert " Rome" not in near.pieces
    W_E, (paris, france, italy, rome) = model.weights.W_E, model.tokens_of(" Paris France Italy Rome")
    cosines = embeddings.cosine_to_all(W_E[paris] - W_E[france] + W_E[italy], W_E)
    is_nearer = cosines > cosines[rome]
    assert f": {is_nearer.sum()} tokens are nearer" in wanted.sentences[0]
    view.controls["leave_out"].value = True
    words = [piece.strip().casefold() for piece in model.tokenizer.pieces(range(len(W_E)))]
    is_out = np.isin(words, ["paris", "france", "italy"])
    assert not {words[token] for token in near.ids} & {"paris", "france", "italy", "rome"}
    assert f": {(is_nearer & ~is_out).sum()} tokens are nearer" in wanted.sentences[0]
    view.controls["c"].value = "Spain"
    assert examples.value == examples.options[0]  # the list names no example that isn't shown
    assert wanted.sentences == []


def test_arithmetic_is_counted_beside_its_controls(model):
    view = pictures.AnalogyCount(model, committed=True)
    card, bars = view.parts["card"], view.parts["bars"]
    for name, counts in zip(FAMILIES, bars.values.T, strict=True):
        pairs = pairs_of(FAMILIES[name], model.tokenizer)
        score = analogy_score(model, pairs, centred=False)
        expected = score.right, score.wrong, score.random, score.added, score.c_alone
        assert counts == pytest.approx(np.array(expected) / (14 * 13))
    capitals = bars.values[:, [*FAMILIES].index("capitals")]
    assert card.answer == round(100 * capitals[0])
    assert re.search(holding(*(f"{share:.0%}" for share in capitals[1:4])), card.explained)


def test_one_word_in_two_senses(model):
    view = pictures.SenseExplorer(model)
    boxes, curves, word = [*view.controls.values()], view.parts["curves"], view.parts["word"]
    pairs = "1 and 2", "1 and 3", "3 and 4", "1 and 4"
    assert (word.value, curves.names) == ("bank", [*map("{} ({})".format, NAMES, pairs)])
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
    assert curves.names == [*pairs]


# ---- the map ----


@pytest.fixture
def word_map(model):
    return pictures.WordMap(model, WORDS)


def shown(word_map):
    """Names of the groups that are to be seen, and how many points they have."""
    flat = word_map.parts["flat"]
    return {flat.groups[group]: n for group, n in Counter(flat.group_of).items()}


def test_the_map_shows_each_group_and_states_what_it_keeps(word_map, model):
    assert shown(word_map) == {"animals": 3, "colours": 3, "group 3": 1}
    rows = model.weights.W_E[read_groups(WORDS, model.tokenizer).tokens].astype(float)
    rows /= np.sqrt((rows**2).sum(1, keepdims=True))
    spread = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1]
    variance, random = spread[:2].sum() / spread.sum(), random_map_quality(model, len(rows))
    assert re.search(
        holding(*(f"{share:.0%}" for share in (variance, *random))), word_map.parts["flat"].caption
    )


@pytest.mark.parametrize("words", ["dog cat", "dog cat horse cow", "dog cat horse cow pig"])
def test_a_map_of_few_words_says_no_shares(model, words):
    flat = pictures.WordMap(model, words).parts["flat"]
    for text in (flat.caption, *flat.axes):
        assert ("%" in text) == (len(words.split()) >= 5)


def test_a_group_that_goes_leaves_the_others_their_look_and_the_map_its_way(model):
    text = "animals: dog cat horse cow pig\ncolours: red blue green black white\n"
    text += "days: Monday Tuesday Friday Sunday\nnumbers: two three four five six"
    view = pictures.WordMap(model, text)
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


def test_a_new_group_keeps_its_look_when_another_goes_and_when_it_comes_back(model):
    view = pictures.WordMap(model, "animals: dog cat")
    flat, typed = view.parts["flat"], view.controls["text"]
    lines = {"colours": "colours: red blue", "numbers": "numbers: two three"}
    typed.value = "\n".join(lines.values())
    look_of = {name: flat.groups.index(name) for name in lines}
    for gone, left in (("colours", "numbers"), ("numbers", "colours")):
        typed.value = lines[left]
        assert flat.groups.index(left) == look_of[left], gone
    typed.value = "\n".join(f"{i}: dog cat" for i in range(len(theme.GROUPS) - 1))
    assert {*flat.group_of} < {*range(len(theme.GROUPS) - 1)}  # groups that are gone make room


def test_looks_beyond_the_last_are_shared_and_free_ones_used_again(model):
    names = [f"<b>{i}</b>" for i in range(10)]
    looks = looks_of(names, {})
    assert [*looks.values()] == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]
    later = looks_of(names[3:], looks)
    assert later == {name: looks[name] for name in names[3:7]} | dict(zip(names[7:], (0, 1, 2)))
    words = ["dog", "cat", "cow", "red", "blue", "one", "two", "king", "man"]
    view = pictures.WordMap(model, "\n".join(map("{}: {}".format, names, words)))
    shown_names = [*shown(view)]
    assert shown_names[:7] == names[:7]
    assert len(shown_names) == len(theme.GROUPS)
    assert "<b>" not in shown_names[-1]  # the others, in one
    assert re.search(holding(len(theme.GROUPS) - 1), view.parts["nearest"].sentences[-1])


def test_the_map_says_which_words_only_look_near(word_map, model):
    flat, nearest = word_map.parts["flat"], word_map.parts["nearest"]
    others = [piece for piece in flat.pieces if piece != " dog"]
    by_cosine = sorted(others, key=lambda piece: -cosine(model, " dog", piece))[:3]
    assert [flat.pieces[i] for i in flat.solid] == by_cosine
    place = dict(zip(flat.pieces, flat.places))
    by_eye = sorted(others, key=lambda piece: sum((place[piece] - place[" dog"]) ** 2))[:3]
    assert [flat.pieces[i] for i in flat.dotted] == by_eye
    on_map = by_eye if {*by_eye} != {*by_cosine} else []
    named = [piece.replace(" ", "·") for piece in (" dog", *by_cosine, *on_map)]
    assert re.findall(r"“\W*(·\w+)", nearest.sentences[0]) == named
    assert "xylophone" in nearest.sentences[1]


def test_a_click_on_a_point_chooses_its_word_while_others_come_and_go(word_map, model):
    flat, nearest = word_map.parts["flat"], word_map.parts["nearest"]
    flat.selected = 4
    assert (flat.about, word_map.state.token) == (4, model.tokenizer.encode(" blue")[0])
    word_map.controls["text"].value = "fruit: apple\n" + WORDS
    assert flat.about == flat.selected == 5
    assert shown(word_map)["fruit"] == 1
    word_map.controls["text"].value = "dog cat"
    assert flat.about == 0
    word_map.controls["text"].value = "xylophone dog"  # a sentence, and no empty map
    assert flat.layout.display == "none"
    assert "xylophone" in nearest.sentences[0]
