"""The front page in a real JupyterLab: type, move, press, and see each change."""

from statistics import median

import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def lab(open_lab):
    lab = open_lab("00_the_loop")
    lab.run_all()
    return lab


def seen(locator):
    """The same, brought into view: JupyterLab lays out only the cells that are."""
    locator.scroll_into_view_if_needed()
    return locator


@pytest.fixture(autouse=True)
def at_the_top(lab):
    lab.page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    seen(lab.picture("token_strip"))
    lab.settle()


@pytest.fixture(scope="module")
def slider(lab):
    return lab.page.get_by_role("slider").first


def button(lab, name):
    return lab.page.get_by_role("button", name=name, exact=True).first


def chips(lab):
    return lab.picture("token_strip").locator(".lv-chip")


def first_value(lab, nth=0):
    return lab.picture("next_token_bars", nth).locator(".lv-value").first.inner_text()


def test_runs_without_an_error(lab):
    assert lab.errors() == []
    assert lab.picture("token_strip").get_attribute("data-lv-theme") == "light"


def test_typing_changes_tokens_and_bars(lab):
    box = lab.page.locator("textarea.widget-input, .widget-textarea textarea").first
    before = lab.picture("next_token_bars").locator(".lv-bars").inner_text()
    box.fill("My grandmother baked bread 🙂")
    expect(chips(lab).first).to_contain_text("My", timeout=10_000)
    lab.settle()
    assert lab.picture("next_token_bars").locator(".lv-bars").inner_text() != before
    box.fill("")
    expect(lab.page.get_by_text("needs at least one token")).to_be_visible()
    box.fill("<script>document.title = 'taken'</script>")
    expect(lab.page.get_by_text("needs at least one token")).to_have_count(0)
    lab.settle()
    assert lab.page.title() != "taken"
    box.fill("The best thing about a rainy day is")
    expect(chips(lab)).to_have_count(8)


def test_arrow_keys_move_the_temperature_and_the_bars(lab, slider, record_property):
    bars = lab.picture("next_token_bars")
    lab.settle()
    before = first_value(lab)
    times = lab.latencies(slider, ["ArrowLeft"] * 10 + ["ArrowRight"] * 10, bars)
    record_property("milliseconds", [round(t) for t in times])
    print(f"temperature, key to changed bars: median {median(times):.0f} ms, worst {max(times):.0f} ms")
    assert first_value(lab) == before  # ten steps down, ten up again
    slider.press("ArrowLeft")
    expect(bars.locator(".lv-value").first).not_to_have_text(before)
    expect(bars).to_contain_text("outline: at temperature 1")
    slider.press("ArrowRight")
    expect(bars.locator(".lv-value").first).to_have_text(before)


def test_pick_one_appends_a_token(lab):
    n = chips(lab).count()
    button(lab, "pick one").press("Enter")
    expect(chips(lab)).to_have_count(n + 1)
    expect(chips(lab).last).to_have_class("lv-chip lv-highlight")
    expect(lab.picture("token_strip").locator(".lv-legend")).to_contain_text("dashed: written by the loop")
    expect(button(lab, "pick one")).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(chips(lab)).to_have_count(n + 2)
    expect(lab.picture("loop_picture").locator(".lv-guess")).to_have_count(4)
    button(lab, "start again").click()
    expect(chips(lab)).to_have_count(n)


def test_write_stop_and_start_again(lab):
    n = chips(lab).count()
    button(lab, "write 30 more").click()
    expect(chips(lab).nth(n + 2)).to_be_visible(timeout=20_000)
    button(lab, "stop").click()
    expect(button(lab, "stop")).to_be_disabled()
    assert n + 3 <= chips(lab).count() < n + 30
    button(lab, "start again").click()
    expect(chips(lab)).to_have_count(n)
    button(lab, "write 30 more").click()
    expect(chips(lab)).to_have_count(n + 30, timeout=60_000)
    button(lab, "start again").click()
    expect(chips(lab)).to_have_count(n)


@pytest.mark.parametrize(
    ("stage", "picture"),
    [
        ("Tokenization", "token_strip"),
        ("Embeddings", "vector_picture"),
        ("Position", "rope_dial"),
        ("FFN", "vector_picture"),
        ("Sampling", "next_token_bars"),
        ("Attention", "arcs"),
    ],
)
def test_each_stage_opens_in_place(lab, stage, picture):
    stage_button = seen(lab.picture("pipeline_map")).get_by_role("button", name=stage)
    stage_button.focus()
    lab.page.keyboard.press("Enter")
    expect(stage_button).to_have_attribute("aria-pressed", "true")
    expect(lab.page.locator(f"figure.lv-{picture}").nth(0)).to_be_attached()
    expect(lab.page.get_by_text(f"{stage}.", exact=True)).to_be_visible()


def test_switches_move_bars_and_text(lab):
    switches = seen(lab.picture("switches"))
    board_bars = lab.page.locator("figure.lv-next_token_bars").last
    lab.settle()
    before = board_bars.locator(".lv-value").first.inner_text()
    rope = switches.get_by_role("button", name="RoPE")
    rope.press(" ")
    expect(rope).to_have_attribute("aria-pressed", "false")
    expect(board_bars.locator(".lv-value").first).not_to_have_text(before)
    after = lab.page.locator("figure.lv-token_strip").last
    expect(after.locator(".lv-chip")).to_have_count(20, timeout=30_000)
    button(lab, "everything on").click()
    expect(board_bars.locator(".lv-value").first).to_have_text(before)
    grid = switches.get_by_role("grid")
    grid.focus()
    for _ in range(10):
        lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press(" ")
    expect(board_bars.locator(".lv-value").first).not_to_have_text(before)
    expect(lab.page.get_by_text("Switched off: FFN of layer 0")).to_be_visible()
    button(lab, "everything on").click()


def test_nothing_went_wrong_and_nothing_left_the_machine(lab):
    assert lab.console == []
    assert lab.outside == []
