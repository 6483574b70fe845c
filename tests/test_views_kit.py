"""The kit's parts: what they accept, what they say as text, and what they send to the page."""

import base64
import json
import re

import numpy as np
import pytest
import traitlets
from bundle import drawings
from ipywidgets.widgets.widget import _remove_buffers
from matplotlib.colors import to_hex
from messages import holding, numbers
from widget_tree import every_picture

from llmviz.views import Arcs, HeatMap, LinePlot, NextTokenBars, PipelineMap, TokenStrip, VectorPicture
from llmviz.views.kit import pieces, theme
from llmviz.views.kit.drawn import STATIC, bundle
from llmviz.views.kit.html_table import table
from llmviz.views.kit.next_token_bars import next_tokens
from llmviz.views.kit.numbers import amount, percent
from llmviz.views.kit.picture import Picture
from llmviz.views.provenance import Explanation

PIECES = ["The", " cat", " sat"]
CAUSAL = np.array([[1, 0, 0], [0.25, 0.75, 0], [0.2, 0.3, 0.5]], dtype=np.float32)
NASTY = ["<script>alert(1)</script>", "\ud83d", "\x00\u202e", "", "שלום", "👨‍👩‍👧"]


class Letters:
    """A tokenizer with a letter a token."""

    def pieces(self, tokens):
        return [chr(ord("a") + token) for token in tokens]


def sent(picture) -> str:
    """Everything the picture sends to the page, as the JSON that a websocket would carry."""
    state, _, buffers = _remove_buffers(picture.get_state())
    state = {name: value for name, value in state.items() if name not in ("_esm", "layout")}
    text = json.dumps(state, allow_nan=False)
    text.encode("utf-8")  # what a lone surrogate would break
    return text + "".join(base64.b64encode(bytes(buffer)).decode() for buffer in buffers)


def array_sent(picture, name: str) -> np.ndarray:
    """One array as the page gets it."""
    value = picture.get_state([name])[name]
    return np.frombuffer(value["data"], np.float32).reshape(value["shape"])


def of_all_kinds(labels: list[str]) -> list:
    n = len(labels)
    square = np.full((n, n), 1 / max(n, 1))
    return [
        TokenStrip(labels, range(n), weights=np.linspace(0, 1, n), notes=labels),
        HeatMap(square, labels),
        Arcs(labels, square),
        VectorPicture(square, labels=labels),
    ]


# --- one text form, with the same numbers ---


def words(picture):
    return [line.split() for line in picture.text().splitlines()]


def test_strip_tells_each_token():
    strip = TokenStrip(PIECES, [504, 2644, 9], weights=[0.5, np.nan, 0.001], notes=["x", "y", "z"])
    assert words(strip) == [
        ["0", "The", "id", "504", "50.0%", "x"],
        ["1", "·cat", "id", "2644", "–", "y"],
        ["2", "·sat", "id", "9", "0.1%", "z"],
    ]
    assert re.search(holding(3, "The ·cat ·sat"), strip.summary)


def test_heat_map_tells_each_cell():
    heat = HeatMap(CAUSAL, PIECES, causal=True)
    assert words(heat)[2:] == [
        ["The", "100", "–", "–"],
        ["·cat", "25", "75", "–"],
        ["·sat", "20", "30", "50"],
    ]
    assert heat.row_axis in heat.text().splitlines()[0]
    assert re.search(holding("100.0%", "The, The", 3, heat.blank), heat.summary)
    waits = HeatMap([[1.0, np.nan]], ["a"], ["b", "c"], blank="not measured yet", row_axis="run", kind="prob")
    assert re.search(holding(1, "not measured yet"), waits.summary)
    values = np.arange(70 * 70, dtype=np.float32).reshape(70, 70)
    name, *row = words(HeatMap(values, range(70), kind="signed"))[-1]
    assert name == "69"
    np.testing.assert_allclose(np.array(row, float), values[-1], rtol=5e-3)


def test_vector_tells_every_number():
    values = np.random.default_rng(1).normal(size=(2, 23)).astype(np.float32)
    text = VectorPicture(values, labels=["king", " man"]).text()
    blocks = [block.splitlines()[1:] for block in text.split("king")[1].split("·man")]
    for block, vector in zip(blocks, values):
        numbers = [float(word) for line in block for word in line.split()[1:]]
        np.testing.assert_allclose(numbers, vector, rtol=1e-3)


def test_arcs_tell_where_a_token_looks_and_what_is_left_out():
    arcs = Arcs(PIECES, CAUSAL, threshold=0.25)
    lines = arcs.text().splitlines()
    looks, rest = zip(*(line.split("; ") for line in lines))
    assert looks == (
        "0  The → The (0) 100.0%",
        "1  ·cat → ·cat (1) 75.0%, The (0) 25.0%",
        "2  ·sat → ·sat (2) 50.0%, ·cat (1) 30.0%",
    )
    assert [numbers(under) for under in rest] == [[0], [0], [20]]
    arcs.selected = 1
    assert arcs.summary == arcs.text() == lines[1]


def test_bars_tell_the_shown_and_the_share_of_the_rest():
    probs = np.array([0.1, 0.4, 0.05, 0.3, 0.15])
    rows = words(NextTokenBars(probs, Letters(), n=2, before=np.full(5, 0.2), before_label="even"))
    assert rows[0][-1] == "even"
    assert rows[1:3] == [["b", "40.0%", "20.0%"], ["d", "30.0%", "20.0%"]]
    assert numbers(" ".join(rows[3])) == [30, 3]


def test_the_notebook_keeps_the_text_but_not_without_end():
    short, long = TokenStrip(PIECES), HeatMap(np.ones((300, 300)), range(300))
    assert short._repr_mimebundle_()["text/plain"] == short.text()
    kept = long._repr_mimebundle_()["text/plain"]
    assert len(kept) < 21_000 < len(long.text())
    assert "print(picture.text())" in kept.splitlines()[-1]


# --- next-token bars ---


@pytest.mark.parametrize(
    ("probs", "says"),
    [
        ([0.5, 0.4], 0.9),  # a softmax over a part of the vocabulary
        ([1.5, -0.5], 1),
        ([np.nan, 1.0], "nan"),
        ([[1.0]], "(1, 1)"),
        ([], "(0,)"),
    ],
)
def test_bars_take_only_probabilities_over_everything(probs, says):
    with pytest.raises(ValueError, match=holding("probs", says)):
        NextTokenBars(np.array(probs), Letters())


def test_bars_keep_the_chosen_token_as_long_as_it_has_a_row():
    probs = np.array([0.5, 0.3, 0.2])
    bars = NextTokenBars(probs, Letters(), n=2)
    bars.selected = 1
    assert bars.chosen == 1
    bars.change(**next_tokens(Letters(), np.array([0.2, 0.5, 0.3]), n=2, before=probs, chosen=1))
    assert (bars.pieces, bars.selected, bars.chosen) == (["b", "c"], 0, 1)
    np.testing.assert_allclose(bars.before, [0.3, 0.2])
    bars.change(**next_tokens(Letters(), np.array([0.5, 0.1, 0.4]), n=2, chosen=1))
    assert (bars.pieces, bars.selected, bars.chosen, bars.before) == (["a", "c"], None, None, None)
    with pytest.raises(ValueError, match=holding("before", 2, 3)):
        next_tokens(Letters(), probs, before=np.array([0.5, 0.5]))


def test_an_axis_is_never_shorter_than_its_longest_bar():
    for p in (0.05, 0.1, 0.2, 0.26, 0.6, 1.0):
        rest = np.full(40, (1 - p) / 40)
        bars = NextTokenBars(np.array([p, *rest]), Letters(), n=5, before=np.full(41, 1 / 41))
        assert max(bars.probs.max(), bars.before.max()) <= bars.axis_max * (1 + 1e-6)


# --- heat maps and vectors ---


def test_a_zero_is_a_number_masked_is_what_the_caller_says_and_infinite_is_blank():
    identity = HeatMap(np.eye(3), PIECES)
    assert not np.isnan(identity.values).any()
    assert "masked" not in identity.summary
    heat = HeatMap(CAUSAL, PIECES, causal=True)
    for _ in range(2):
        assert np.array_equal(np.isnan(heat.values), np.triu(np.ones((3, 3), bool), 1))
        heat.change(values=CAUSAL / 2)  # it holds for the numbers that come later
    scores = HeatMap(np.where(CAUSAL > 0, 2.0, -np.inf), PIECES, kind="signed")
    assert (np.isnan(scores.values).sum(), scores.limit) == (3, 2)


def test_limit_follows_the_values_until_it_is_given():
    heat = HeatMap(CAUSAL, PIECES)
    assert heat.limit == 1
    heat.change(values=CAUSAL * -8, kind="signed")
    assert heat.limit == 8
    heat = HeatMap(CAUSAL, PIECES, kind="signed", limit=3)
    heat.values = CAUSAL * 9
    assert heat.limit == 3
    heat.change(limit=0.5, values=CAUSAL * 4)
    assert heat.limit == 0.5


def test_vector_limit_is_its_99th_percentile():
    values = np.r_[np.linspace(-1, 1, 1001), 50.0]
    assert VectorPicture(values).limit == pytest.approx(0.99)
    assert VectorPicture(np.zeros(5)).limit == 1
    assert VectorPicture(np.r_[np.zeros(500), 3.0]).limit == 3  # hardly anything but zeros
    assert VectorPicture(values, limit=2).limit == 2


# --- what does not fit is said ---


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: TokenStrip(PIECES, [1]), ["ids", 1, 3]),
        (lambda: TokenStrip(PIECES, weights=[0, 0.5, 2]), [0, 1]),
        (lambda: TokenStrip(PIECES, weights=[[0, 0.5, 1]]), [1]),
        (lambda: TokenStrip(PIECES, selected=3), [0, 2, 3]),
        (lambda: TokenStrip(PIECES, selected=-1), [0, 2, -1]),
        (lambda: TokenStrip("The cat"), ["sequence"]),
        (lambda: TokenStrip(PIECES, stage="lunch"), ["stage"]),
        (lambda: HeatMap(CAUSAL, PIECES[:2], PIECES), [2, "row_labels"]),
        (lambda: HeatMap(CAUSAL, PIECES, selected=(0, 3)), ["within"]),
        (lambda: HeatMap(CAUSAL, PIECES, kind="rainbow"), ["kind"]),
        (lambda: HeatMap(CAUSAL[0], PIECES), [2]),
        (lambda: VectorPicture(CAUSAL, labels=["a"]), ["labels", 1, 3]),
        (lambda: VectorPicture(CAUSAL[0], selected=3), [0, 2]),
        (lambda: Arcs(PIECES, CAUSAL[:2]), ["(2, 3)"]),
        (lambda: Arcs(PIECES, CAUSAL * 2), [0, 1]),
        (lambda: Arcs(PIECES, CAUSAL, selected=5), [0, 2]),
    ],
)
def test_what_does_not_fit_is_a_trait_error(make, says):
    with pytest.raises(traitlets.TraitError, match=holding(*says)):
        make()


def test_new_pieces_drop_what_no_longer_fits():
    strip = TokenStrip(PIECES, [1, 2, 3], weights=[0, 0, 1], selected=2, highlight=[0, 2], notes=PIECES)
    strip.pieces = PIECES[:2]
    assert {strip.ids, strip.weights, strip.notes, strip.selected} == {None}
    assert strip.highlight == [0]
    arcs = Arcs(PIECES, CAUSAL, selected=2)
    arcs.pieces = ["a"]
    assert (arcs.weights, arcs.selected) == (None, None)
    assert arcs.text() == "0  a"


def test_change_sets_what_belongs_together():
    strip = TokenStrip(PIECES, [1, 2, 3], selected=2)
    strip.change(pieces=["a", "b", "c", "d"], ids=[1, 2, 3, 4], selected=3)
    assert (len(strip.ids), strip.selected) == (4, 3)
    assert "a b c d" in strip.summary
    heat = HeatMap(CAUSAL, PIECES)
    with pytest.raises(traitlets.TraitError, match=re.escape("change(values=…, row_labels=…, col_labels=…)")):
        heat.values = np.ones((2, 2))
    heat.change(values=np.ones((2, 4)), row_labels=[0, 1], col_labels=range(4))
    assert heat.text().splitlines()[-1].split() == ["1", "100", "100", "100", "100"]


def test_an_array_given_can_change_without_the_picture():
    values = CAUSAL.copy()
    heat = HeatMap(values, PIECES)
    values[:] = 0
    assert heat.values[0, 0] == 1


# --- any text ---


@pytest.mark.parametrize(
    "labels", [[], ["a"], NASTY, ["\n"], [" "] * 4, ["x" * 5000]], ids=lambda x: f"{len(x)}"
)
def test_any_text_can_be_shown_and_sent(labels):
    for picture in of_all_kinds(labels):
        assert sent(picture)
        assert repr(picture)
        assert picture.summary


def test_the_page_gets_no_raw_control_characters():
    strip = TokenStrip(PIECES, caption="\ud83d \x07\u202e👨‍👩‍👧", notes=["\ud83d"] * 3)
    assert strip.caption == "\\ud83d <0x07>‹U+202E›👨‍👩‍👧"
    for picture in (strip, *of_all_kinds(NASTY)):
        assert not {"\ud83d", "\x00", "\u202e"} & set(sent(picture) + picture.text() + picture.summary)
    assert TokenStrip(NASTY).pieces[1] == "\\ud83d"
    for piece, shown in (("\x00\u202e", "<0x00>‹U+202E›"), ("❤\ufe0f", "❤\ufe0f"), ("\ufe0f", "‹U+FE0F›")):
        assert pieces.visible(piece) == shown
    assert pieces.visible("👨‍👩‍👧") == "👨‍👩‍👧"  # its joiners are part of it


@pytest.mark.parametrize("file", [*STATIC.rglob("*.js")], ids=lambda file: file.stem)
def test_scripts_never_write_html(file):
    """What a reader typed reaches the page as text nodes only."""
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
    assert not re.search(ways, file.read_text("utf-8"))


def test_a_cell_of_a_table_is_text():
    shown = table({"said": 50, "verdict": 50}, {"a < b": [("<script>window.hacked = 1</script>", "*holds*")]})
    assert "<script>" not in shown
    for part in ("a &lt; b", "&lt;script&gt;", "<em>holds</em>"):
        assert part in shown
    assert shown.count("<tr ") == 3


def test_words_in_labels_keep_their_spaces_and_pieces_show_theirs():
    assert pieces.visible_label("layer 13") == "layer 13"
    assert pieces.visible_label(" that") == "·that"
    assert pieces.visible_label("  ") == "··"
    assert pieces.marked("\u00a0") == "\x01nbsp\x02"
    assert HeatMap(CAUSAL, PIECES, range(3)).col_labels == ["0", "1", "2"]


# --- long texts ---


def test_512_tokens_are_all_sent_and_600_are_cut():
    for n in (512, 600):
        words = [f" w{i}" for i in range(n)]
        weights = np.tril(np.full((n, n), 1 / n))
        heat, arcs = HeatMap(weights, words), Arcs(words, weights)
        strip = TokenStrip(words, weights=weights[-1])
        cut = min(n, theme.MAX_TOKENS)
        assert array_sent(heat, "values").shape == array_sent(arcs, "weights").shape == (cut, cut)
        assert array_sent(strip, "weights").shape == (cut,)
        assert len(strip.get_state(["pieces"])["pieces"]) == n  # so that the page can say how many there are
        np.testing.assert_array_equal(array_sent(heat, "values")[-1], heat.values[cut - 1, :cut])


# --- provenance ---


def explain(*where) -> Explanation:
    return Explanation("where", "f", [("a", 1)], "a", sum(where))


def test_an_open_explanation_follows_the_numbers_until_they_are_gone():
    rows = [10, 20, 30]
    strip = TokenStrip(PIECES, provenance=lambda i: explain(rows[i]))
    assert strip.explains
    strip.asked = [2]
    assert strip.explanation["result"] == "30"
    rows[2] = 5
    strip.weights = [0, 0, 1]
    assert strip.explanation["result"] == "5"
    rows.pop()
    strip.pieces = PIECES[:2]
    assert (strip.asked, strip.explanation) == (None, None)
    assert not TokenStrip(PIECES).explains


# --- the theme ---


def test_every_size_and_color_of_the_sheet_is_the_themes():
    sheet = bundle().style
    for stage, colors in theme.STAGE_COLORS.items():
        for color in colors:
            assert f"--lv-{stage}:{color};" in sheet
    for name, px in theme.SIZES.items():
        assert f"--lv-size-{name}:{px}px;" in sheet


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two "#RRGGBB" colours."""

    def luminance(color: str) -> float:
        channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_accents_and_scales_stand_out_from_the_page(name):
    index = ["light", "dark"].index(name)
    page, card = theme.SURFACES["page"][index], theme.SURFACES["card"][index]
    for ground in (page, card):
        assert contrast(theme.SURFACES["ink"][index], ground) > 12
        for quiet, *_ in (
            *([theme.SURFACES[name][index]] for name in ("quiet", "query", "key")),
            *([color[index]] for color in theme.STAGE_COLORS.values()),
        ):
            assert contrast(quiet, ground) > 4.5
    # Lightness alone is in order: along the whole scale, or from the middle out to each side.
    even, signed = (
        [contrast(stop, page) for stop in scale[name]] for scale in (theme.SEQUENTIAL, theme.DIVERGING)
    )
    for half in (even, signed[3::-1], signed[3:]):
        assert half == sorted(half)


def test_figures_by_hand_wear_the_kits_look():
    import matplotlib.pyplot as plt

    with plt.rc_context({"backend": "agg"}):
        theme.print_style("ffn")
        axes = plt.figure().subplots()
        [line] = axes.plot([1, 2])
        shown = axes.imshow(np.ma.masked_invalid([[0.0, 1.0, np.nan]]))
        first, last, blank = shown.to_rgba(shown.get_array())[0]
        plt.close("all")
    assert line.get_color() == theme.STAGE_COLORS["ffn"][0]
    ends = (theme.SEQUENTIAL["light"][i] for i in (0, -1))
    assert [to_hex(first).upper(), to_hex(last).upper()] == [*ends]
    assert blank[3] == 0


# --- every picture of the package, those of the stages included ---


@pytest.mark.parametrize("kind", every_picture(), ids=lambda kind: kind.__name__)
def test_every_picture_has_a_text_form_and_save_buttons(kind):
    assert kind.text is not Picture.text  # its numbers as text/plain, and in the aria label
    assert kind._repr_mimebundle_ is Picture._repr_mimebundle_
    assert kind.__repr__ is Picture.__repr__
    # `frame` gives it its caption, aria label, readout, explanation, and its buttons
    assert re.search(r"= frame\(model, el, \"\w+\"", drawings()[kind._static].read_text("utf-8"))


# --- a number for people: its digits, its minus sign, its unit ---


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (amount(-0.0, "%"), "0%"),
        (amount(3.0), "3"),
        (amount(0.00012345), "0.000123"),
        (amount(1234.5), "1,234"),
        (amount(-0.5), "−0.5"),
        (amount(float("inf")), "∞"),
        (amount(999.6), "1,000"),
        (amount(999.4), "999"),
        (amount(-2.5e-5), "−2.5e−05"),
        (amount(-0.0002, "%"), "> −0.001%"),
        (amount(1, "tokens"), "1 token"),
        (amount(49152, "tokens"), "49,152 tokens"),
        (amount(-52, "°"), "−52°"),
        (amount(float("inf"), "bits"), "∞ bits"),
        (amount(float("nan")), "undefined"),
        (percent(0), "0%"),
        (percent(0.675), "67.5%"),
        (percent(0.0002), "0.02%"),
        (percent(1e-9), "< 0.001%"),
        (percent(-0.3), "−30.0%"),
        (percent(float("nan")), "undefined"),
    ],
)
def test_a_number_for_people(said, text):
    assert said == text


# --- the line plot, with axes of numbers and of names ---


@pytest.mark.parametrize(
    ("plot", "words"),
    [
        (
            {"x": [0, 1, 2], "values": [[1.0, -2.5, np.nan]], "names": ["score"], "x_axis": "distance"},
            ["distance score", "0 1", "1 −2.5", "2 –"],
        ),
        (
            {
                "labels": ["layer 0", " cat"],
                "values": [[1, 2], [3, 4]],
                "names": ["up", "down"],
                "x_axis": "",
            },
            ["up down", "layer 0 1 3", "·cat 2 4"],
        ),
        (
            {"x": [4, 5], "x_pieces": [" cat", "<b>"], "values": [[1, 2]], "names": ["a"]},
            ["position a", "4 ·cat 1", "5 <b> 2"],
        ),
        *(
            ({"x": [1], "values": [[0.25]], "names": ["a"], "unit": unit}, ["position a", f"1 {said}"])
            for unit, said in (("share", "25.0%"), ("rank", "0"), ("ms", "0.25 ms"), ("", "0.25"))
        ),
        ({}, ["later"]),
        ({"x": [1, 2], "values": [[1]], "names": ["a"]}, ["later"]),  # numbers that do not fit together
        ({"x": [1], "values": [[1]], "names": []}, ["later"]),
        ({"values": [[1]]}, ["later"]),
    ],
)
def test_every_point_is_said(plot, words):
    assert [" ".join(line.split()) for line in repr(LinePlot(waiting="later", **plot)).splitlines()] == words


def test_the_summary_says_ends_and_highest_point_or_the_selected_one():
    plot = LinePlot(x=[0, 10], values=[[1.0, np.nan], [3, 4]], names=["a", "b"], x_axis="distance", unit="ms")
    assert re.search(holding("distance", "a", "1 ms", "–", "3 ms", "4 ms"), plot.summary)
    plot.selected = 1
    assert plot.summary == "distance 10: a –, b 4 ms"
    plot.change(x=[0], values=[[1.0], [2.0]])  # the point is no longer there
    assert plot.selected is None
    assert numbers(plot.summary)[:2] == [1, 1]
    assert LinePlot(x=[1, 2], values=[[np.nan, np.nan]], names=["a"]).summary.count("–") == 2


def test_long_lines_are_thinned_as_text_but_keep_their_ends():
    rows = LinePlot(x=range(2_001), values=[np.arange(2_001.0)], names=["score"]).text().splitlines()[1:]
    assert len(rows) < 60
    assert [rows[i].split()[0] for i in (0, 10, -1)] == ["0", "10", "2,000"]


# --- the map on top of each notebook ---


def test_shapes_are_the_sentences_and_the_models(model, cat):
    config = model.config
    assert PipelineMap(model, cat).shapes == [
        f"{len(cat.tokens)} tokens",
        f"{len(cat.tokens)} × 576",
        "rotate pairs",
        f"{config.n_heads} heads",
        "1,536 neurons",
        "49,152 → 1",
    ]


def test_another_sentence_changes_the_shapes_in_place(tiny_model):
    picture = PipelineMap(tiny_model)
    assert picture.shapes[0] == "n tokens"
    picture.show(tiny_model.trace([1]))
    assert picture.shapes[:2] == ["1 token", f"1 × {tiny_model.config.d_model}"]
    picture.show(None)
    assert picture.shapes[0] == "n tokens"


def test_it_says_where_you_are(tiny_model):
    picture = PipelineMap(tiny_model, here="attention")
    assert picture.stage == "attention"
    marked = [line for line in picture.text().splitlines() if line.startswith("→")]
    assert len(marked) == 1
    assert marked[0].startswith("→ Attention")
    assert "Attention" in picture.text().splitlines()[0]
    assert "Attention" not in PipelineMap(tiny_model).text().splitlines()[0]
    assert f"× {tiny_model.config.n_layers} layer" in picture.text()
    with pytest.raises(traitlets.TraitError):
        PipelineMap(tiny_model, here="softmax")


def test_only_notebooks_that_lie_beside_this_one_are_linked(tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert PipelineMap(tiny_model).notebooks == {}
    names = ["00_the_loop", "01_tokenization", "06_sampling"]
    for name in names:
        (tmp_path / f"{name}.ipynb").touch()
    assert PipelineMap(tiny_model).notebooks == {
        "loop": "00_the_loop.ipynb",
        "tokenization": "01_tokenization.ipynb",
        "sampling": "06_sampling.ipynb",
    }
