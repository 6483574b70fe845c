"""The kit's parts in a dark JupyterLab, which turns light at the end, by mouse and by keyboard."""

import re
from statistics import median
from xml.etree import ElementTree

import pytest
from browser.lab import readout
from playwright.sync_api import expect

from llmviz.views.kit.drawn import STATIC

CELLS = [
    "import ipywidgets, traitlets, numpy as np, llmviz\n"
    "from llmviz.views import *\n"
    "model = llmviz.load()\n"
    "trace = model.trace('The cat that I saw yesterday was sleeping')\n"
    "attention = trace.blocks[13].attention",
    "strip = TokenStrip(trace.pieces, trace.tokens, weights=attention.pattern[8][6], selected=6)\n"
    "arcs = Arcs(trace.pieces, attention.pattern[8])\n"
    "traitlets.link((strip, 'selected'), (arcs, 'selected'))\n"
    "ipywidgets.VBox([strip, arcs])",
    "HeatMap(attention.pattern[8], trace.pieces, causal=True, caption='<script>window.hacked = 1</script>',\n"
    "        provenance=lambda row, col: provenance.pattern(trace, 13, 8, row, col))",
    "from llmviz.views.kit.next_token_bars import next_tokens\n"
    "bars = NextTokenBars(llmviz.Sampler().probs(trace.logits), model.tokenizer, n=8)\n"
    "slider = ipywidgets.FloatSlider(value=1, min=0.1, max=2, step=0.05, description='Temperature')\n"
    "def draw(change):\n"
    "    probs = llmviz.Sampler(temperature=change.new).probs(trace.logits)\n"
    "    bars.change(**next_tokens(model.tokenizer, probs, n=8))\n"
    "slider.observe(draw, 'value')\n"
    "rows = VectorPicture(model.weights.W_E[trace.tokens[:2]], labels=trace.pieces[:2])\n"
    "ipywidgets.VBox([slider, ipywidgets.HBox([bars, rows])])",
    "words = [f' w{i}' for i in range(600)]\n"
    "ipywidgets.Accordion([HeatMap(np.tril(np.ones((600, 600)) / 600), words, causal=True), TokenStrip(words)],\n"
    "                     titles=['map', 'strip'])",
    "TokenStrip(['<img src=x onerror=window.hacked=1>', ' שלום', '👨‍👩‍👧', '\\n', '\\ud83d'], caption='any text')",
]


@pytest.fixture(scope="module")
def lab(open_lab, lab_server):
    lab_server.write("kit", *CELLS)
    lab = open_lab("kit", "dark")
    lab.run_all()
    assert lab.errors() == []
    yield lab
    lab.switch_theme("light")
    assert lab.page.evaluate("window.hacked") is None
    assert lab.console == []
    assert lab.outside == []


def test_a_token_is_selected_by_mouse_and_by_keys_and_the_arcs_follow(lab):
    strip, arcs = lab.picture("token_strip"), lab.picture("arcs")
    followed = arcs.locator("[aria-selected=true]")  # linked in Python, so a moment later
    strip.locator(".lv-chip").nth(1).click()
    expect(readout(strip)).to_contain_text(
        re.compile(r"token 2 of 8, position 1 \([^)]*\) · id 2644 · share 93\.3%")
    )
    expect(followed).to_contain_text("cat")
    lab.page.keyboard.press("End")
    expect(readout(strip)).to_contain_text("token 8 of 8")
    expect(followed).to_have_attribute("data-index", "7")
    lab.page.keyboard.press("ArrowLeft")
    expect(strip.locator("[aria-selected=true]")).to_contain_text("was")
    expect(followed).to_contain_text("was")
    expect(readout(arcs)).to_contain_text("93.3%")
    arcs.locator(".lv-chips").focus()
    lab.page.keyboard.press("ArrowDown")  # the strongest arc
    expect(readout(arcs)).to_contain_text(re.compile("from .*was.* to .*cat.* 93.3%"))
    lab.page.keyboard.press("Home")
    expect(strip.locator("[aria-selected=true]")).to_contain_text("The")


def test_a_cell_is_selected_by_mouse_and_by_keys_and_says_where_it_is_from(lab):
    heat = lab.picture("heat_map")
    plot = heat.locator(".lv-plot")
    plot.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "End", "ArrowLeft"):
        lab.page.keyboard.press(key)
    expect(readout(heat)).to_contain_text("share 97.4%")  # from that to cat
    lab.page.keyboard.press("Enter")
    expect(heat.locator(".lv-explain")).to_contain_text("0.9742")
    lab.page.keyboard.press("ArrowLeft")  # an open explanation follows
    expect(heat.locator(".lv-explain")).to_contain_text("0.01929")
    lab.page.keyboard.press("Escape")
    expect(heat.locator(".lv-explain")).to_be_hidden()
    side = heat.locator("canvas").first.bounding_box()["width"] / 8
    heat.locator("canvas").first.click(position={"x": 1.4 * side, "y": 6.4 * side})
    expect(readout(heat)).to_contain_text("share 93.3%")
    expect(heat.locator(".lv-explain")).to_contain_text("0.9326")
    heat.get_by_role("button", name="Close the explanation").click()
    expect(heat.locator(".lv-explain")).to_be_hidden()
    heat.locator("canvas").first.hover(position={"x": 7.5 * side, "y": 0.5 * side})
    expect(readout(heat)).to_contain_text("blank (masked)")
    expect(heat.locator(".lv-caption")).to_have_text("<script>window.hacked = 1</script>")


def test_the_bars_follow_the_slider_and_a_row_can_be_picked(lab):
    bars = lab.picture("next_token_bars")
    first = bars.locator(".lv-value").first
    before = first.inner_text()
    times = lab.latencies(lab.page.locator(".noUi-handle").first, ["ArrowLeft"] * 4, bars)
    assert float(first.inner_text().split("%")[0]) > float(before.split("%")[0])
    bars.locator(".lv-row").nth(2).click()
    lab.page.keyboard.press("ArrowUp")
    expect(bars.locator("[aria-selected=true]")).to_have_attribute("data-index", "1")
    expect(readout(bars)).to_contain_text(re.compile(r"probability .* · id \d+"))
    print(f"temperature to bars: median {median(times):.0f} ms")


def test_a_number_has_one_kind_of_minus_sign(lab):
    """The kit's own function."""
    told = lab.page.evaluate(
        """async (source) => {
            const numbers = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
            return [-2.5e-5, 2.5e-5, -0.5, -31415.9, 0, NaN].map(numbers.number);
        }""",
        (STATIC / "kit" / "numbers.js").read_text("utf-8"),
    )
    assert told == ["−2.50e−5", "2.50e−5", "−0.500", "−3.14e+4", "0.00", "blank"]


def test_a_number_of_a_vector_is_pointed_at_and_stepped_to(lab):
    rows = lab.picture("vector_picture")
    rows.locator(".lv-plot").focus()
    lab.page.keyboard.press("End")
    expect(readout(rows)).to_contain_text(re.compile("dimension 575 · .*The.* · .*cat"))
    lab.page.keyboard.press("Shift+ArrowLeft")
    expect(readout(rows)).to_contain_text("dimension 565")
    box = rows.locator("canvas").first.bounding_box()
    lab.page.mouse.click(box["x"] + 1, box["y"] + 5)
    expect(readout(rows)).to_contain_text("dimension 0 ·")


def test_in_vs_code_a_picture_goes_with_the_ground_it_stands_on(lab):
    """VS Code puts widgets on white in every theme; here JupyterLab's page pretends to be VS Code's."""
    strip = lab.picture("token_strip")
    before = strip.get_attribute("data-lv-theme")
    pretend = """([figure, ground]) => {
        const output = figure.closest(".jp-OutputArea-output");
        output.classList.add("cell-output-ipywidget-background");
        output.style.background = ground;
        window.jpThemeLight ??= document.body.dataset.jpThemeLight;
        delete document.body.dataset.jpThemeLight;
        document.body.dataset.vscodeThemeKind = ""; // so that the next line is a change
        document.body.dataset.vscodeThemeKind = "vscode-dark";
    }"""
    for ground, theme in (("white", "light"), ("transparent", "dark")):
        lab.page.evaluate(pretend, [strip.element_handle(), ground])
        expect(strip).to_have_attribute("data-lv-theme", theme)
    lab.page.evaluate("""() => {
        delete document.body.dataset.vscodeThemeKind;
        document.body.dataset.jpThemeLight = window.jpThemeLight;
    }""")
    expect(strip).to_have_attribute("data-lv-theme", before)


def test_arcs_keep_their_width_in_another_theme(lab):
    arcs = lab.picture("arcs").locator(".lv-body > svg")
    width = arcs.get_attribute("width")
    assert float(width) > 300
    for theme in ("light", "dark"):
        lab.switch_theme(theme)
        expect(arcs).to_have_attribute("width", width)


def test_pictures_side_by_side_share_the_width(lab):
    bars, rows = lab.picture("next_token_bars").bounding_box(), lab.picture("vector_picture").bounding_box()
    assert bars["width"] == pytest.approx(rows["width"], abs=2)
    assert bars["x"] + bars["width"] <= rows["x"]
    hbox = lab.page.locator(".widget-hbox, .jupyter-widget-hbox").last
    assert hbox.evaluate("(node) => node.scrollWidth <= node.clientWidth")


def test_a_picture_that_was_hidden_is_drawn_to_its_width_and_cuts_long_texts(lab):
    for name, nth, said in (("map", 1, "first 512 of 600 rows"), ("strip", 1, "first 512 of 600 tokens")):
        picture = lab.picture({"map": "heat_map", "strip": "token_strip"}[name], nth)
        lab.page.locator(".jupyter-widget-Collapse-header", has_text=name).click()
        expect(picture.locator(".lv-legend")).to_contain_text(said)
        body = picture.locator(".lv-body")
        assert body.evaluate("(node) => node.clientWidth") > 600
        drawn = picture.locator(".lv-plot, .lv-chips").bounding_box()["width"]
        assert drawn > 0.7 * body.bounding_box()["width"]


def test_any_text_is_shown_as_text(lab):
    strip = lab.picture("token_strip", 2)
    shown = strip.locator(".lv-piece").all_inner_texts()
    assert shown[:5] == ["<img·src=x·onerror=window.hacked=1>", "·שלום", "👨‍👩‍👧", "⏎", "\\ud83d"]
    assert strip.locator("img").count() == 0


@pytest.mark.parametrize("kind", ["token_strip", "heat_map", "next_token_bars", "vector_picture", "arcs"])
def test_pictures_are_saved(lab, kind, tmp_path):
    picture = lab.picture(kind)
    for button, name in (("SVG", "svg"), ("PNG", "png")):
        with lab.page.expect_download() as download:
            picture.get_by_role("button", name=button).click()
        file = tmp_path / f"picture.{name}"
        download.value.save_as(file)
        assert download.value.suggested_filename == f"{kind.replace('_', '-')}.{name}"
        assert file.stat().st_size > 3000
    svg = ElementTree.parse(tmp_path / "picture.svg")
    words = "".join(svg.getroot().itertext())
    assert "cat" in words or "with" in words
    assert not svg.findall(".//{*}script")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_word_that_is_broken_at_a_hyphen_is_saved_line_by_line(lab):
    lab.run_code("arcs.caption = 'half-' * 100")
    with lab.page.expect_download() as download:
        lab.picture("arcs").get_by_role("button", name="SVG").click()
    lab.run_code("arcs.caption = ''")
    texts = ElementTree.parse(download.value.path()).iterfind(".//{*}text")
    lines = [text.text for text in texts if "half-" in (text.text or "")]
    assert len(lines) > 1
    assert "".join(lines) == "half-" * 100


def test_how_fast_a_key_changes_a_picture(lab):
    """Printed, not asserted: these need no Python."""
    for kind, control, keys in (
        ("token_strip", ".lv-chips", ["ArrowRight", "ArrowLeft"]),
        ("heat_map", ".lv-plot", ["ArrowRight", "ArrowLeft"]),
        ("vector_picture", ".lv-plot", ["ArrowRight", "ArrowLeft"]),
    ):
        picture = lab.picture(kind)
        times = lab.latencies(picture.locator(control), keys * 2, picture)
        print(f"{kind}: median {median(times):.0f} ms")
