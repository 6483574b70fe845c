"""The explorers of stage 2, worked by setting the traits of their controls; their numbers against plain formulas."""

import json
from collections import Counter

import numpy as np
import pytest
from typed_texts import BAD_TEXTS
from widget_tree import inside

from llmviz.views import Prompt
from llmviz.views import embeddings as pictures
from llmviz.views.embeddings.cosine import CosineHistogram
from llmviz.views.embeddings.in_space import apart, figure_widget
from llmviz.views.embeddings.random_pairs import N_FREQUENT, frequent_tokens
from llmviz.views.embeddings.word_box import WordBox, look_up
from llmviz.views.embeddings.word_groups import MAX_WORDS, read_groups
from llmviz.views.kit import theme
from llmviz.views.kit.picture import Picture
from llmviz.views.provenance import Operand

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


def test_a_word_of_several_tokens_says_how_it_splits_and_offers_its_first_piece(model):
    box = WordBox(model.tokenizer, "xylophone")
    assert box.token is None
    assert "2 tokens (\u2068·xyl ophone\u2069)" in box.word.problem
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
    assert histogram.verdict == "cosine 0.30: higher than 60.0 % of the random pairs"
    assert "a and b: cosine 0.30" in repr(histogram)
    histogram.show([0.5, 0.6])
    assert histogram.value is None
    assert histogram.verdict == ""
    assert histogram.mean == pytest.approx(0.55)


def test_nearest_tokens_say_their_numbers():
    picture = pictures.NearestTokens([" dog", " cat"], [1.0, 0.583], [2767, 2644], marked=[1], caption="Near")
    assert repr(picture).splitlines() == ["·dog  1.000  id 2767", "·cat  0.583  id 2644  typed"]
    assert picture.summary.startswith("Near")
    picture.clear("Type a word.")
    assert "Type a word." in picture.summary


# ---- explorers ----


def test_rows_follow_the_text_and_the_selected_token(model):
    prompt = Prompt(model, "The dog saw the dog")
    explorer = pictures.RowExplorer(prompt)
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


def test_a_cosine_is_held_against_both_baselines(model):
    explorer = pictures.CosineExplorer(model, "king", "queen")
    assert explorer.histogram.value == pytest.approx(cosine(model, " king", " queen"), abs=1e-5)
    all_tokens = explorer.histogram.mean
    explorer.among.value = True
    assert explorer.histogram.mean < all_tokens - 0.1
    assert explorer.histogram.value == pytest.approx(cosine(model, " king", " queen"), abs=1e-5)
    explorer.b.box.value = "banana"
    assert explorer.histogram.value == pytest.approx(cosine(model, " king", " banana"), abs=1e-5)
    explorer.histogram.asked = []
    assert "queen" not in explorer.histogram.explanation["title"]
    explorer.b.box.value = "xylophone"
    assert explorer.histogram.value is None
    assert explorer.rows.layout.display == "none"
    assert "2 tokens" in explorer.histogram.caption


def test_the_frequent_tokens_are_no_control_tokens(model):
    ids = frequent_tokens(model)
    assert not set(ids) & set(model.tokenizer.special_tokens.values())
    assert ids.max() < N_FREQUENT


def test_neighbours_with_and_without_other_spellings(model):
    explorer = pictures.NeighbourExplorer(model, "dog")
    assert {" Dog", "dog"} <= set(explorer.list.pieces)
    assert " dog" not in explorer.list.pieces
    explorer.spellings.value = False
    assert not {piece.strip().casefold() for piece in explorer.list.pieces} & {"dog"}
    assert " cat" in explorer.list.pieces
    row = explorer.list.pieces.index(" cat")
    assert explorer.list.cosines[row] == pytest.approx(cosine(model, " dog", " cat"), abs=1e-5)
    explorer.list.asked = [row]
    assert "cat" in explorer.list.explanation["title"]


def test_the_analogy_that_holds_and_the_one_that_fails(model):
    explorer = pictures.AnalogyExplorer(model, "king", "man", "woman")
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


def test_nobody_comes_between_on_the_walk_from_dog_to_cat(model):
    explorer = pictures.WalkExplorer(model, "dog", "cat")
    for way in range(0, 101, 10):
        explorer.way.value = way
        best = {piece.strip() for piece in explorer.list.pieces[:1]}
        assert best <= {"dog", "cat"}
        vector = (1 - way / 100) * explorer.rows.values[0] + way / 100 * explorer.rows.values[2]
        np.testing.assert_allclose(explorer.rows.values[1], vector, atol=1e-6)
    explorer.list.asked = [0]
    assert float(explorer.list.explanation["result"]) == pytest.approx(1, abs=1e-3)


def test_every_number_of_the_explorers_tells_where_it_comes_from(model):
    """The line of each explanation, run on its operands, gives the number that the picture shows."""
    pair = pictures.CosineExplorer(model, "king", "queen")
    near = pictures.NeighbourExplorer(model, "dog")
    sum_ = pictures.AnalogyExplorer(model, "king", "man", "woman")
    walk = pictures.WalkExplorer(model, "dog", "cat")
    walk.way.value = 35
    row = pictures.RowExplorer(Prompt(model, "dog"))
    shown = [
        (pair.histogram.provenance(), pair.histogram.value),
        *((pair.rows.provenance(k, 7), pair.rows.values[k, 7]) for k in range(2)),
        *((walk.rows.provenance(k, 99), walk.rows.values[k, 99]) for k in range(3)),
        (row.row.provenance(0, 500), row.row.values[0, 500]),
        *((one.list.provenance(k), one.list.cosines[k]) for one in (near, sum_, walk) for k in (0, 3)),
    ]
    for told, number in shown:
        names = {"np": np} | {operand[0]: operand[1] for operand in told.operands}
        assert eval(told.line, names) == pytest.approx(float(number), abs=2e-6), told.title
        assert told.result == pytest.approx(float(number), abs=2e-6)
        for name, value, source in (Operand(*operand) for operand in told.operands):
            if source:
                np.testing.assert_allclose(
                    eval(source, names | {"model": model}), value, rtol=1e-5, err_msg=name
                )


# ---- the map ----


@pytest.fixture(scope="module")
def word_map(model):
    return pictures.WordMap(model, WORDS)


def shown(word_map):
    """Names of the groups that are to be seen, and how many points they have."""
    if word_map.dimensions.value == 2:
        counts = Counter(word_map.flat.group_of)
        return {word_map.flat.groups[group]: n for group, n in counts.items()}
    return {trace.name: len(trace.x) for trace in word_map.figure.data[: len(theme.GROUPS)] if trace.visible}


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_map_shows_each_group_and_states_what_it_keeps(word_map, model, dimensions):
    word_map.box.value = WORDS
    word_map.dimensions.value = dimensions
    assert shown(word_map) == {"animals": 3, "colours": 3, "group 3": 1}
    rows = model.weights.W_E[word_map.groups.tokens].astype(float)
    rows /= np.sqrt((rows**2).sum(1, keepdims=True))
    spread = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1]
    kept = 100 * spread[:dimensions].sum() / spread.sum()
    title = word_map.flat.caption if dimensions == 2 else word_map.figure.layout.title.text
    assert f"keeps {kept:.1f} % of the variance" in title
    assert f"keeps {kept:.1f} % of the variance" in repr(word_map)
    assert (word_map.flat.layout.display == "none") == (word_map.space.layout.height == "auto")


def test_a_turn_in_space_shows_the_same_words(word_map, model):
    word_map.box.value = WORDS
    word_map.dimensions.value = 3
    before = word_map.figure.layout.scene.camera.eye.x
    word_map.turn.value = 90
    assert word_map.figure.layout.scene.camera.eye.x != before
    word_map.word.value = model.tokenizer.encode(" red")[0]
    solid, dotted, small, large = word_map.figure.data[-4:]
    assert "·red" in large.text
    assert 4 <= len(large.text) <= 7
    assert not set(small.text) & set(large.text)
    assert {*small.text, *large.text} <= {f"·{piece.strip()}" for piece in word_map.pieces}
    red = word_map.coordinates[word_map.pieces.index(" red")]
    for line in (solid, dotted):  # from the word to three others, each stroke apart
        points = np.array([line.x, line.y, line.z]).T.reshape(3, 3, 3)
        np.testing.assert_allclose(points[:, 0], [red] * 3, atol=1e-6)
        assert np.isnan(points[:, 2]).all()


@pytest.mark.parametrize("typed", [WORDS, "dog dogs", "one two three four five"])
def test_all_words_in_space_are_seen_on_one_scale(word_map, typed):
    word_map.box.value = typed
    word_map.dimensions.value = 3
    scene = word_map.figure.layout.scene
    scale = []
    for axis, ratio, values in zip(
        (scene.xaxis, scene.yaxis, scene.zaxis),
        (scene.aspectratio.x, scene.aspectratio.y, scene.aspectratio.z),
        word_map.coordinates.T,
    ):
        low, high = axis.range
        assert low < values.min() <= values.max() < high
        scale.append((high - low) / ratio)
    np.testing.assert_allclose(scale, scale[0])


def test_names_in_space_stand_apart():
    points = np.random.default_rng(0).random((60, 3))
    named = apart(points, 0.2)
    least = 0.2 * np.ptp(points, axis=0).max()
    for i, point in enumerate(points):
        others = points[:i][named[:i]]
        assert named[i] == all(np.sqrt(((other - point) ** 2).sum()) >= least for other in others)
    assert apart(np.zeros((4, 3))).all()  # all in one place: nothing to choose by
    assert apart(np.zeros((0, 3))).shape == (0,)


def test_a_place_on_the_map_tells_where_it_comes_from(word_map):
    word_map.box.value = WORDS
    word_map.dimensions.value = 2
    for i in (0, 4):
        told = word_map._explain(i)
        place = eval(told.line, {"np": np} | {operand[0]: operand[1] for operand in told.operands})
        np.testing.assert_allclose(place, word_map.flat.places[i], atol=1e-5)
    word_map.flat.asked = [4]
    assert "blue" in word_map.flat.explanation["title"]


def test_the_map_tells_true_neighbours_from_false_ones(word_map, model):
    word_map.box.value = WORDS
    word_map.dimensions.value = 2
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


@pytest.mark.parametrize("dimensions", [2, 3])
def test_fewer_than_two_words_are_a_sentence_and_no_empty_map(word_map, dimensions):
    word_map.dimensions.value = dimensions
    for typed, shown in (("xylophone dog", False), (WORDS, True)):
        word_map.box.value = typed
        assert (word_map.flat.layout.display == "") == (shown and dimensions == 2)
        assert (word_map.space.layout.height == "auto") == (shown and dimensions == 3)
        assert ("Type at least two words" in word_map.by_numbers.caption) == (not shown)
        assert "xylophone" in word_map.by_numbers.caption


def test_a_click_on_a_point_looks_at_its_word(word_map, model):
    from plotly.callbacks import Points

    word_map.box.value = WORDS
    word_map.dimensions.value = 2
    word_map.flat.selected = 4
    assert word_map.word.value == model.tokenizer.encode(" blue")[0]
    assert word_map.flat.about == 4
    assert [word_map.pieces[i] for i in word_map.flat.solid] == word_map.by_numbers.pieces
    assert [word_map.pieces[i] for i in word_map.flat.dotted] == word_map.on_map.pieces
    word_map.dimensions.value = 3
    colours = next(trace for trace in word_map.figure.data if trace.visible and trace.name == "colours")
    word_map._clicked(colours, Points(point_inds=[0]), None)
    assert word_map.word.value == model.tokenizer.encode(" red")[0]


def test_the_figure_is_complete_when_the_page_first_hears_of_it(model, monkeypatch):
    import plotly.graph_objects as go

    opened = []
    monkeypatch.setattr(
        go.FigureWidget.__mro__[1], "open", lambda self: opened.append(self.get_state()), raising=False
    )
    figure_widget(go.Figure(data=[go.Scatter(x=[1, 2], y=[3, 4])], layout={"height": 300}))
    (state,) = opened
    assert len(state["_widget_data"]) == 1
    assert state["_widget_layout"]["height"] == 300


def test_a_page_that_is_loaded_again_gets_the_figure_as_it_stands():
    import plotly.graph_objects as go

    figure = figure_widget(go.Figure(data=[go.Scatter(x=[1, 2], y=[3, 4])]))
    with figure.batch_update():
        figure.data[0].y = [5, 6]
        figure.layout.title.text = "later"
    state = figure.get_state()
    assert list(state["_widget_data"][0]["y"]) == [5, 6]
    assert state["_widget_layout"]["title"]["text"] == "later"


def test_many_groups_and_markup_in_names(word_map):
    word_map.box.value = "\n".join(
        f"<b>{i}</b>: {word}"
        for i, word in enumerate(["dog", "cat", "cow", "red", "blue", "one", "two", "king", "man"])
    )
    for dimensions, first in ((2, "<b>0</b>"), (3, "&lt;b&gt;0&lt;/b&gt;")):  # plotly reads markup
        word_map.dimensions.value = dimensions
        names = list(shown(word_map))
        assert names[0] == first
        assert names[-1] == "the other groups"
        assert len(names) == len(theme.GROUPS)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("typed", BAD)
def test_no_map_breaks_on_anything(word_map, typed, dimensions):
    word_map.box.value = WORDS
    word_map.dimensions.value = dimensions
    word_map.box.value = typed
    assert word_map.by_numbers.caption
    assert word_map.flat.caption if dimensions == 2 else word_map.figure.layout.title.text
    state(word_map.flat).encode()
    state(word_map.by_numbers).encode()


@pytest.mark.parametrize("typed", BAD)
def test_no_box_breaks_on_anything(model, typed):
    for explorer, box in explorers(model):
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


def explorers(model):
    """Each explorer with each of its boxes."""
    row = pictures.RowExplorer(Prompt(model, "dog"))
    pair = pictures.CosineExplorer(model, "king", "queen")
    near = pictures.NeighbourExplorer(model, "dog")
    sum_ = pictures.AnalogyExplorer(model, "king", "man", "woman")
    walk = pictures.WalkExplorer(model, "dog", "cat")
    yield from ((row, row.children[0].box), (pair, pair.a.box), (near, near.word.box))
    yield from ((pair, pair.b.box), *((sum_, word.box) for word in sum_.words))
    yield from ((walk, walk.a.box), (walk, walk.b.box))


def test_every_explorer_has_a_text_form(word_map, model):
    word_map.box.value = WORDS
    assert "·horse" in repr(word_map)
    for explorer, _ in explorers(model):
        assert len(repr(explorer)) > 100


def test_controls_that_answer_in_two_threads_wait_for_each_other(word_map):
    """JupyterLab hands each widget's messages to a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    def look(turn):
        tokens = word_map.groups.tokens
        if tokens:
            word_map._look_at() if turn % 2 else word_map._lay_out()

    texts = [" ".join(["dog", "cat", "red", "blue", "king", "queen"][: 2 + i % 5]) for i in range(30)]
    with ThreadPoolExecutor(2) as threads:
        typed = threads.submit(lambda: [setattr(word_map.box, "value", text) for text in texts])
        looked = threads.submit(lambda: [look(turn) for turn in range(60)])
        typed.result()
        looked.result()
    assert len(word_map.pieces) == len(word_map.coordinates) == len(texts[-1].split())
