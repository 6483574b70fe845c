"""Notebook 03 in a real JupyterLab: the clocks, the curves, the switches and the swap, by mouse and by keyboard."""

from statistics import median

import pytest
from browser.lab import visit
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def lab(open_lab):
    yield from visit(open_lab("03_position"))


def slider(lab, name, near):
    """The handle of the slider with this name, in the same box of widgets as a picture."""
    box = near.locator("xpath=ancestor::*[contains(@class, 'widget-vbox')][1]")
    handle = box.locator(".widget-slider", has_text=name).locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    return handle


def report(name, milliseconds):
    print(f"\n{name}: median {median(milliseconds):.0f} ms, worst {max(milliseconds):.0f} ms")


def bars(dial):
    return dial.locator(".lv-dial-part").all_text_contents()


def test_a_guess_is_answered_after_the_commitment(lab):
    guess = lab.picture("predict")
    guess.scroll_into_view_if_needed()
    guess.get_by_text("exactly the same").click()
    guess.get_by_role("button", name="Commit").click()
    expect(guess).to_contain_text("as you said", timeout=60_000)


def test_moving_both_moves_no_bar_and_moving_one_does(lab):
    dial = lab.picture("rope_dial")
    dial.scroll_into_view_if_needed()
    expect(dial.locator(".lv-dial-part")).to_have_count(32)
    before, hand = bars(dial), dial.locator(".lv-hand-q").first
    x = hand.get_attribute("x2")
    slider(lab, "Move both by", dial).press("ArrowRight")
    expect(hand).not_to_have_attribute("x2", x)
    assert bars(dial) == before
    slider(lab, "Query stands at", dial).press("ArrowRight")
    expect(dial.locator(".lv-dial-sum")).to_contain_text("distance 6")
    assert bars(dial) != before


def test_the_clocks_by_mouse_and_keys(lab):
    dial = lab.picture("rope_dial")
    plot = dial.locator(".lv-plot")
    plot.scroll_into_view_if_needed()
    plot.click(position={"x": 30, "y": 60})
    expect(dial.locator(".lv-readout")).to_contain_text("pair 0 (numbers 0 and 1)")
    expect(dial.locator(".lv-explain")).to_contain_text("q @ k / np.sqrt(d_head)")
    plot.press("ArrowRight")
    expect(dial.locator(".lv-explain")).to_contain_text("What pair 1 adds")
    plot.press("End")
    expect(dial.locator(".lv-readout")).to_contain_text("pair 31")
    plot.press("Escape")
    expect(dial.locator(".lv-explain")).to_be_hidden()


def test_the_sliders_of_the_clocks_keep_up(lab):
    dial = lab.picture("rope_dial")
    for name in ("Query stands at", "Move both by", "Layer"):
        keys = ["ArrowLeft" if i % 2 else "ArrowRight" for i in range(4)]
        report(name, lab.latencies(slider(lab, name, dial), keys, dial))


def test_the_curves_follow_head_and_cursor(lab):
    curve = lab.picture("line_plot", 1)
    plot = curve.locator(".lv-plot")
    plot.scroll_into_view_if_needed()
    plot.press("Home")
    expect(curve.locator(".lv-readout")).to_contain_text("key before query 0")
    plot.press("ArrowRight")
    expect(curve.locator(".lv-readout")).to_contain_text("key before query 1 ·")
    path = curve.locator(".lv-line-0").first
    drawn = path.get_attribute("d")
    report("head, over distance", lab.latencies(slider(lab, "Head", curve), ["ArrowRight"] * 4, curve))
    expect(path).not_to_have_attribute("d", drawn)


def test_the_waves_by_slider_and_by_map(lab):
    waves = lab.picture("line_plot", 0)
    report(
        "position of the wave",
        lab.latencies(slider(lab, "Position", waves), ["ArrowRight", "ArrowLeft"] * 2, waves),
    )
    expect(waves.locator(".lv-legend")).to_contain_text("position 20")
    lab.picture("heat_map").locator("[tabindex='0']").first.press("ArrowDown")
    expect(waves.locator(".lv-legend")).to_contain_text("position 21")


def test_positions_are_switched_and_thirty_tokens_written(lab):
    shown = lab.picture("next_token_bars", 0)
    shown.scroll_into_view_if_needed()
    box = shown.locator("xpath=ancestor::*[contains(@class, 'widget-vbox')][1]")
    box.get_by_role("button", name="stretched × 4").click()
    expect(shown.locator(".lv-piece").first).to_have_text("·the")
    typed = box.get_by_placeholder("Your text (Enter runs the model)").first
    typed.fill("<script>window.hacked = 1</script>")
    typed.press("Enter")
    expect(shown.locator(".lv-piece").first).not_to_have_text("·the")
    typed.fill("")
    typed.press("Enter")
    expect(box.get_by_text("the model needs at least one token")).to_be_visible()
    typed.fill("The capital of France is")
    typed.press("Enter")
    box.get_by_role("button", name="Write 30 tokens").click()
    strips = box.locator("figure.lv-token_strip")
    expect(strips).to_have_count(7)
    expect(strips.nth(1).locator(".lv-chip").first).to_be_visible(timeout=60_000)  # the first is done
    expect(strips.first.locator(".lv-chip").first).to_have_text("·Paris")
    typed.fill("My favourite colour is")
    typed.press("Enter")
    expect(strips).to_have_count(0)  # a new text ends the writing


def test_two_words_are_swapped(lab):
    layers = lab.picture("line_plot", 2)
    layers.scroll_into_view_if_needed()
    box = layers.locator("xpath=ancestor::*[contains(@class, 'widget-vbox')][2]")
    expect(box.get_by_text("came in through the mask")).to_be_visible()
    chips = box.locator("figure.lv-token_strip").nth(1).locator(".lv-chip bdi")
    expect(chips.nth(1)).to_have_text("·blue")
    box.locator("select").first.select_option(label="First  (0)")
    expect(chips.nth(0)).to_have_text("·blue")


def test_a_long_text_is_measured_and_stopped(lab):
    plot = lab.picture("line_plot", 3)
    plot.scroll_into_view_if_needed()
    box = plot.locator("xpath=ancestor::*[contains(@class, 'widget-vbox')][1]")
    expect(box.get_by_text("2,009 tokens are ready")).to_be_visible()
    measure = box.get_by_role("button", name="Measure")
    measure.focus()
    lab.page.keyboard.press("Enter")
    expect(box.get_by_text("as it is: 144 tokens …")).to_be_visible()
    expect(box.locator(".widget-hprogress, .jupyter-widget-hprogress").first).to_be_visible()
    expect(plot.locator("circle").first).to_be_attached(timeout=30_000)
    box.get_by_role("button", name="Stop").click()
    expect(box.get_by_text("Stopped.")).to_be_visible(timeout=60_000)
    text = box.locator("textarea")
    text.fill("<script>window.hacked = 1</script> $x^2$")
    expect(box.get_by_text("at least 100 tokens")).to_be_visible()
