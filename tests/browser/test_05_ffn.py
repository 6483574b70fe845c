"""Notebook 05 in a real JupyterLab: each interaction by mouse and by keyboard."""

import re
from statistics import median

import pytest
from playwright.sync_api import expect

SLOW = 180_000  # milliseconds that an experiment of many runs may take on a machine that does other things as well


@pytest.fixture(scope="module")
def lab(open_lab):
    lab = open_lab("05_ffn")
    lab.run_all()
    return lab


def button(lab, name):
    return lab.page.get_by_role("button", name=name, exact=True).first


def drawn(lab, name, nth=0):
    """A picture, once it is on the screen and painted: what lies far below is drawn only when it comes into view."""
    picture = lab.picture(name, nth)
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("data-lv-theme", re.compile("light|dark"))
    return picture


def readout(picture):
    return picture.locator(".lv-readout")


def slider(lab, name):
    return lab.page.locator(".widget-slider", has_text=name).get_by_role("slider").first


def test_runs_without_an_error(lab):
    assert lab.errors() == []


def test_a_neuron_on_the_curve_is_framed_in_the_stripes(lab):
    curve, stripes = drawn(lab, "silu_curve"), drawn(lab, "vector_picture", 1)
    plot = curve.locator(".lv-plot")
    plot.scroll_into_view_if_needed()
    plot.press("End")
    expect(readout(curve)).to_contain_text("neuron")
    named = readout(curve).inner_text().split(" · ")[0]
    expect(readout(stripes)).to_contain_text(named)
    plot.press("ArrowLeft")
    expect(readout(curve)).not_to_contain_text(f"{named} ·")


def test_a_click_on_a_dot_and_on_a_stripe(lab):
    curve, stripes = drawn(lab, "silu_curve"), drawn(lab, "vector_picture", 1)
    plot = curve.locator(".lv-plot")
    plot.scroll_into_view_if_needed()  # showing the stripes may have moved it off the screen
    plot.press("Home")
    ring = plot.locator(".lv-ring")
    lowest = readout(curve).inner_text()
    at = ring.bounding_box()
    plot.press("End")
    expect(readout(curve)).not_to_have_text(lowest)
    lab.page.mouse.click(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    lab.page.mouse.move(0, 0)
    expect(readout(curve)).to_have_text(lowest)
    canvas = stripes.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    canvas.click(position={"x": 40, "y": 20})
    expect(stripes.locator(".lv-explain")).to_contain_text("W_gate")
    lab.page.keyboard.press("Escape")


def test_who_fires_by_keys_and_mouse(lab):
    strip, plot = drawn(lab, "token_strip", 1), drawn(lab, "line_plot")
    plot.locator(".lv-plot").press("End")
    expect(readout(plot)).to_contain_text("layer 29")
    before = readout(plot).inner_text()
    strip.get_by_role("listbox").press("ArrowLeft")
    expect(readout(plot)).not_to_have_text(before)
    strip.locator(".lv-chip").last.click()
    expect(readout(plot)).to_have_text(before)


def test_the_length_of_the_stream_says_where_it_is_from(lab):
    norms = drawn(lab, "heat_map")
    norms.locator("canvas").first.click(position={"x": 5, "y": 5})
    expect(norms.locator(".lv-explain")).to_contain_text("np.sqrt((x * x).sum())")
    lab.page.keyboard.press("Escape")
    norms.locator(".lv-plot").press("End")
    expect(readout(norms)).to_contain_text("after layer 29 · length")
    expect(norms.locator(".lv-legend")).to_contain_text("length 0")


def test_layer_and_token_change_the_curve(lab, record_property):
    curve = drawn(lab, "silu_curve")
    layer = slider(lab, "Layer")
    times = lab.latencies(layer, ["ArrowRight"] * 6 + ["ArrowLeft"] * 6, curve)
    record_property("milliseconds", [round(t) for t in times])
    print(f"layer slider, key to changed curve: median {median(times):.0f} ms, worst {max(times):.0f} ms")
    legend = curve.locator(".lv-legend")
    before = legend.inner_text()
    drawn(lab, "token_strip").locator(".lv-chip").nth(1).click()
    expect(legend).not_to_have_text(before)


def test_a_stripe_says_where_it_is_from(lab):
    stripes = drawn(lab, "vector_picture", 1)
    stripes.locator("[tabindex='0']").first.press("Enter")
    expect(stripes.locator(".lv-explain")).to_be_visible()
    lab.page.keyboard.press("Escape")
    expect(stripes.locator(".lv-explain")).to_be_hidden()


def test_turning_a_neuron_moves_the_bars(lab, record_property):
    bars = drawn(lab, "next_token_bars")
    turn = slider(lab, "Turn it")
    first = bars.locator(".lv-value").first
    before = first.text_content()  # also where JupyterLab has not laid it out yet
    times = lab.latencies(turn, ["ArrowRight"] * 4 + ["ArrowLeft"] * 4, bars)
    record_property("milliseconds", [round(t) for t in times])
    print(f"neuron, key to changed bars: median {median(times):.0f} ms, worst {max(times):.0f} ms")
    expect(first).to_have_text(before)
    turn.press("ArrowLeft")
    expect(first).not_to_have_text(before)
    turn.press("ArrowRight")
    expect(first).to_have_text(before)


def test_a_neuron_from_the_list_and_a_text_that_wakes_it(lab):
    table = drawn(lab, "piece_table")
    cells = table.locator(".lv-cell")
    before = cells.first.inner_text()
    lab.page.locator(".widget-dropdown", has_text="Neurons that push").locator("select").select_option(
        index=4
    )
    expect(cells.first).not_to_have_text(before)
    table.locator(".lv-table").press("ArrowRight")
    table.locator(".lv-table").press("Enter")
    expect(table.locator(".lv-explain")).to_be_visible()
    lab.page.keyboard.press("Escape")
    box = lab.page.locator("textarea").filter(visible=True).last
    box.fill("<script>document.title = 'taken'</script> bread")
    strip = drawn(lab, "token_strip", 2)
    expect(strip.locator(".lv-chip").last).to_contain_text("bread")
    expect(strip.locator(".lv-legend")).to_contain_text("share of the strongest")
    assert lab.page.title() != "taken"


def test_a_rival_changes_the_bars(lab):
    plot = drawn(lab, "line_plot", 2)
    caption = plot.locator(".lv-caption")
    lab.page.locator(".widget-dropdown", has_text="Compared with").locator("select").select_option(index=1)
    expect(caption).to_contain_text("the lead of")
    plot.locator(".lv-plot").press("End")
    expect(readout(plot)).to_contain_text("layer 29")
    plot.locator(".lv-plot").press("ArrowLeft")
    expect(readout(plot)).to_contain_text("layer 28")


def test_the_lens_by_mouse_and_keys(lab):
    lens, ranks = drawn(lab, "piece_table", 1), drawn(lab, "line_plot", 3)
    expect(lens.locator(".lv-cell").last).to_contain_text("Paris")
    lens.locator(".lv-cell").last.hover()
    expect(readout(lens)).to_contain_text("layer 29")
    lens.locator(".lv-cell").nth(3).click()
    expect(readout(lens)).to_contain_text("input")
    lens.locator(".lv-table").press("PageDown")
    expect(readout(lens)).to_contain_text("layer 29")
    words = lab.page.locator(".widget-text", has_text="Words to follow").locator("input")
    words.fill("Berlin")
    words.press("Enter")
    expect(ranks.locator(".lv-legend")).to_contain_text("Berlin")


def test_the_shares_stand_on_their_bars(lab):
    expect(drawn(lab, "line_plot", 4).locator(".lv-plot")).to_contain_text("59.2 %")


def test_putting_back_fills_the_picture(lab):
    subject = lab.page.locator(".widget-slider", has_text="Subject").get_by_role("slider").first
    subject.scroll_into_view_if_needed()
    strip = drawn(lab, "token_strip", 3)
    subject.press("ArrowLeft")
    expect(strip.locator(".lv-highlight")).to_have_count(2)
    subject.press("ArrowRight")
    expect(strip.locator(".lv-highlight")).to_have_count(1)
    run = button(lab, "Run")
    run.scroll_into_view_if_needed()
    run.press("Enter")
    expect(lab.page.get_by_text("with the noise.")).to_be_visible(timeout=SLOW)
    expect(lab.page.get_by_text("Put back at “·France”")).to_be_visible()


def test_each_block_off_and_stopped(lab):
    countries, text = button(lab, "Run on ten countries"), button(lab, "Run on your text")
    countries.click()
    stop = button(lab, "stop")
    expect(stop).to_be_visible()
    expect(text).to_be_disabled()
    stop.click()
    expect(countries).to_be_enabled()
    countries.press("Enter")
    expect(lab.page.get_by_text("France, 77.3 %").first).to_be_visible(timeout=SLOW)  # row by row
    stop.press("Enter")
    expect(text).to_be_enabled()
    text.press("Enter")
    expect(lab.page.get_by_text("Without one FFN")).to_be_visible(timeout=SLOW)
    expect(lab.page.get_by_text("So it is not in one place")).to_be_visible()


def test_another_text_reaches_every_picture(lab):
    box = lab.page.locator(".widget-text input").first
    box.scroll_into_view_if_needed()
    box.fill("My grandmother baked bread and")
    box.press("Enter")
    for nth in (0, 1):
        expect(drawn(lab, "token_strip", nth).locator(".lv-chip").nth(1)).to_contain_text("grandmother")
    expect(drawn(lab, "piece_table", 1).locator(".lv-head").nth(1)).to_contain_text("grandmother")
    box.fill("")
    box.press("Enter")
    expect(lab.page.get_by_text("Type something").first).to_be_visible()
    expect(drawn(lab, "token_strip").locator(".lv-chip").nth(1)).to_contain_text("grandmother")


def test_nothing_went_wrong_and_nothing_left_the_machine(lab):
    assert lab.errors() == []
    assert lab.console == []
    assert lab.outside == []
