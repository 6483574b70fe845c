"""Notebook 03 in a real JupyterLab: clocks, heads, switches and swaps, by mouse and by keyboard; whatever is typed."""

import itertools
import re
from statistics import median

import pytest
from browser.lab import NO_TEXT, visit
from playwright.sync_api import expect

SHOW_ALL = """
from ipywidgets.widgets.widget import _instances
from llmviz.views.kit.predict import GuessCard
for card in list(_instances.values()):
    if isinstance(card, GuessCard):
        card.committed = True
"""


@pytest.fixture(scope="module")
def before_guessing(open_lab):
    yield from visit(open_lab("03_position"))


@pytest.fixture(scope="module")
def lab(before_guessing):
    """With all folds open and all pictures shown."""
    before_guessing.command("notebook:expand-all-headings")
    before_guessing.run_code(SHOW_ALL)
    return before_guessing


def around(picture):
    """The box of widgets that a picture stands in, its controls included."""
    return picture.locator("xpath=ancestor::*[contains(@class, 'lv-explorer')][1]")


def slider(name, near):
    """The handle of the slider with this name, in the same box of widgets as a picture."""
    handle = around(near).locator(".widget-slider", has_text=name).locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    return handle


def shown(lab, name, nth=0):
    """A picture, in sight."""
    picture = lab.picture(name, nth)
    picture.scroll_into_view_if_needed()
    return picture


def report(name, milliseconds):
    print(f"\n{name}: median {median(milliseconds):.0f} ms, worst {max(milliseconds):.0f} ms")


def parts(dial):
    return dial.locator(".lv-dial-part").all_text_contents()


def test_a_guess_reveals_the_heaps(before_guessing):
    lab = before_guessing
    guess = shown(lab, "predict")
    expect(lab.page.locator("figure.lv-token_strip").first).to_be_hidden()
    guess.get_by_text("exactly the same").click()
    guess.get_by_role("button", name="Lock in my guess").click()
    expect(guess.locator(".lv-right input")).to_be_checked()
    expect(lab.page.locator("figure.lv-token_strip").first).to_be_visible()


def test_no_label_of_a_clock_runs_into_the_next(lab):
    for nth in (0, 1):
        dial = shown(lab, "rope_dial", nth)
        expect(dial.locator(".lv-dial-part")).to_have_count(32)
        for kind in (".lv-dial-part", "svg .lv-quiet"):
            boxes = [label.bounding_box() for label in dial.locator(kind).all()]
            for one, other in itertools.pairwise(boxes):
                assert abs(one["y"] - other["y"]) > 5 or one["x"] + one["width"] + 3 < other["x"]


def test_one_hand_turns_with_its_place(lab):
    clocks = shown(lab, "rope_dial", 0)
    report(
        "The token stands at",
        lab.latencies(slider("The token stands at", clocks), ["ArrowRight", "ArrowLeft"] * 2, clocks),
    )
    assert parts(clocks)[:2] == ["1.9 turns", "1.3 turns"]


def test_moving_both_moves_no_bar_and_moving_one_does(lab):
    dial = shown(lab, "rope_dial", 1)
    before, hand = parts(dial), dial.locator(".lv-hand-q").first
    x = hand.get_attribute("x2")
    slider("Move both by", dial).press("ArrowRight")
    expect(hand).not_to_have_attribute("x2", x)
    assert parts(dial) == before
    slider("Query stands at", dial).press("ArrowRight")
    expect(dial.locator(".lv-dial-sum")).to_contain_text("distance 2")
    assert parts(dial) != before
    for name in ("Query stands at", "Move both by", "Layer"):
        report(name, lab.latencies(slider(name, dial), ["ArrowRight", "ArrowLeft"] * 2, dial))


def test_the_clocks_by_mouse_and_keys(lab):
    dial = shown(lab, "rope_dial", 1)
    plot = dial.locator(".lv-plot")
    plot.click(position={"x": 30, "y": 60})
    expect(dial.locator(".lv-readout")).to_contain_text("pair 0")
    expect(dial.locator(".lv-dial-head")).to_contain_text("pair 0: ")
    expect(dial.locator(".lv-explain")).to_contain_text("q @ k / np.sqrt(d_head)")
    plot.press("ArrowRight")
    expect(dial.locator(".lv-explain")).to_contain_text("pair 1")
    plot.press("End")
    expect(dial.locator(".lv-readout")).to_contain_text("pair 31")
    plot.press("Escape")
    expect(dial.locator(".lv-explain")).to_be_hidden()


def test_a_head_is_shuffled(lab):
    strip = shown(lab, "token_strip", 4)
    box = around(strip)
    before = strip.locator(".lv-chip").all_text_contents()
    box.get_by_role("button", name="shuffle again").press("Enter")
    expect(strip.locator(".lv-chip").first).not_to_have_text(before[0])
    expect(box.get_by_text(re.compile("Head 0.*%"))).to_be_visible()
    slider("Head of layer 0", strip).press("ArrowRight")
    expect(box.get_by_text(re.compile("Head 1.*%"))).to_be_visible()


def test_the_reader_finds_the_head_that_looks_one_back(lab):
    arcs = shown(lab, "arcs", 0)
    heads = around(arcs).locator("figure.lv-heat_map").first
    expect(arcs.locator(".lv-caption")).to_contain_text("L0·H0")
    plot = heads.locator("[tabindex='0']").first
    plot.focus()
    for _ in range(16):
        plot.press("ArrowRight")
    expect(arcs.locator(".lv-caption")).to_contain_text("L16·H0")
    expect(around(arcs).locator(".lv-sentences", has_text=re.compile("L16·H0.*%"))).to_be_visible()


def test_the_curves_follow_head_and_cursor(lab):
    waves, curve = shown(lab, "line_plot", 0), shown(lab, "line_plot", 1)
    plot = curve.locator(".lv-plot")
    plot.press("Home")
    expect(curve.locator(".lv-readout")).to_contain_text(re.compile(r"\b0\b"))
    path = curve.locator(".lv-line-0").first
    drawn = path.get_attribute("d")
    slider("Head", curve).press("ArrowLeft")
    expect(path).not_to_have_attribute("d", drawn)
    expect(waves.locator(".lv-legend")).to_contain_text("position 20")
    around(waves).locator("figure.lv-heat_map").locator("[tabindex='0']").first.press("ArrowDown")
    expect(waves.locator(".lv-legend")).to_contain_text("position 21")


def test_positions_are_switched_and_thirty_tokens_written(lab):
    bars = shown(lab, "next_token_bars", 0)
    box = around(bars)
    box.get_by_role("button", name="stretched × 4").click()
    expect(bars.locator(".lv-piece").first).to_have_text("·a")
    slider("Positions times", bars).press("Home")
    expect(box.get_by_role("button", name="stretched × 4")).not_to_have_class(re.compile("mod-active"))
    typed = box.get_by_placeholder("Your text (Enter runs the model)").first
    typed.fill("<script>window.hacked = 1</script>")
    typed.press("Enter")
    expect(bars.locator(".lv-piece").first).not_to_have_text("·a")
    typed.fill("")
    typed.press("Enter")
    expect(box.get_by_text(NO_TEXT)).to_be_visible()
    typed.fill("The capital of France is")
    typed.press("Enter")
    expect(bars.locator(".lv-piece").first).to_have_text("·Paris")
    box.get_by_role("button", name="Write 30 tokens").click()
    strips = box.locator("figure.lv-token_strip")
    expect(strips).to_have_count(6)
    expect(strips.nth(1).locator(".lv-chip").first).to_be_visible(timeout=60_000)  # the first is done
    expect(strips.first.locator(".lv-chip").first).to_have_text("·Paris")
    typed.fill("Tom has a dog and Anna has a cat. Tom has a")
    typed.press("Enter")
    expect(strips.locator("visible=true")).to_have_count(0)  # a new text ends the writing


def test_two_words_are_swapped(lab):
    layers = shown(lab, "line_plot", 3)
    box = around(layers)
    expect(box.get_by_text(re.compile(r"\b30 .*%.*%"))).to_be_visible()
    chips = box.locator("figure.lv-token_strip .lv-chip bdi")
    expect(chips.nth(3)).to_have_text("·cat")
    box.locator("select").first.select_option(label="Tom  (0)")
    expect(chips.nth(0)).to_have_text("·cat")


def test_a_long_text_is_measured_and_stopped(lab):
    plot = shown(lab, "line_plot", 4)
    box = around(plot)
    expect(box.get_by_text("2,009")).to_be_visible()
    measure = box.get_by_role("button", name="Measure")
    measure.focus()
    lab.page.keyboard.press("Enter")
    expect(box.get_by_text(re.compile("144.*…"))).to_be_visible()
    expect(box.locator(".widget-hprogress, .jupyter-widget-hprogress").first).to_be_visible()
    expect(plot.locator("circle").first).to_be_attached(timeout=60_000)
    box.get_by_role("button", name="Stop").click()
    expect(measure).to_be_visible(timeout=60_000)
    text = box.locator("textarea")
    text.fill("<script>window.hacked = 1</script> $x^2$")
    expect(box.get_by_text(re.compile(r"\b100 "))).to_be_visible()


def test_under_voila_in_dark(open_voila):
    lab = open_voila("03_position")
    assert lab.errors() == []
    guess = lab.picture("predict", 3)
    guess.scroll_into_view_if_needed()
    guess.get_by_role("button", name="Show me").click()
    dial = shown(lab, "rope_dial", 1)
    expect(dial).to_have_attribute("data-lv-theme", "dark")
    before = parts(dial)
    slider("Query stands at", dial).press("ArrowRight")
    expect(dial.locator(".lv-dial-sum")).to_contain_text("distance 2")
    assert parts(dial) != before
    expect(lab.page.locator("figure.llmviz:not([data-lv-theme=dark]):visible")).to_have_count(0)
    assert lab.page.get_by_text("Traceback").count() == 0
    assert lab.console == []
    assert lab.outside == []
