"""The front page in a real JupyterLab: type, move, press, and see each change."""

import re
from statistics import median

import pytest
from browser.lab import card
from browser.visit import visit
from playwright.sync_api import expect

TEXT = "The best thing about a rainy day is"


@pytest.fixture(scope="module")
def lab(open_lab):
    yield from visit(open_lab("00_the_loop"))


def seen(locator):
    """The same, brought into view: JupyterLab lays out only the cells that are."""
    locator.scroll_into_view_if_needed()
    return locator


@pytest.fixture(scope="module")
def loop(lab):
    """The explorer behind the first guess, once that is committed."""
    first = card(lab, "loop-06")
    pick = lab.page.get_by_role("button", name="Pick one")
    expect(pick).to_be_hidden()
    seen(first).locator(".lv-number").fill("7")
    first.get_by_role("button", name="Lock in my guess").click()
    expect(first.locator(".lv-sentences")).to_contain_text("7 tokens")
    explorer = lab.page.locator(".lv-explorer").filter(has=pick).last
    expect(explorer.locator("figure.lv-next_token_bars")).to_be_visible(timeout=60_000)
    lab.settle()
    return explorer


@pytest.fixture(scope="module")
def slider(loop):
    return loop.get_by_role("slider").first


def button(within, name):
    return within.get_by_role("button", name=name, exact=True).first


def chips(loop):
    return loop.locator("figure.lv-token_strip .lv-chip")


def type_text(lab, text):
    """Into the first of the page's boxes, which are all the same one."""
    box = seen(lab.page.locator(".lv-text-box input").first)
    box.fill(text)
    box.press("Enter")
    lab.settle()


def test_runs_without_an_error(lab):
    assert lab.errors() == []
    assert lab.picture("journey").get_attribute("data-lv-theme") == "light"


@pytest.mark.parametrize("width", [1400, 1100])
def test_the_film_is_on_the_first_screen_and_can_be_started_there(lab, width):
    before = lab.page.viewport_size
    lab.page.set_viewport_size({"width": width, "height": 900})
    lab.page.locator(".jp-WindowedPanel-outer").first.evaluate("(panel) => { panel.scrollTop = 0; }")
    expect(lab.page.get_by_role("heading", name="The loop", exact=True)).to_be_in_viewport()
    play = button(lab.picture("journey"), "Play")
    expect(play).to_be_in_viewport(ratio=1)
    expect(lab.page.locator(".lv-preview img")).to_be_hidden()  # it was there until the live film came
    lab.page.set_viewport_size(before)


def test_a_guess_that_is_none_is_refused_and_the_answer_waits(lab):
    first = card(lab, "loop-06")
    answer = first.locator(".lv-sentences")
    for guess in ("-5", "0", ""):
        seen(first).locator(".lv-number").fill(guess)
        first.get_by_role("button", name="Lock in my guess").click()
        expect(first.locator(".lv-refusal")).not_to_be_empty()
        expect(first.locator(".lv-number")).to_be_focused()
        expect(answer).to_have_count(0)


def test_show_me_shows_the_picture_and_keeps_the_focus(lab):
    second = card(lab, "loop-09")
    bars = lab.page.locator(".lv-explorer").filter(has=second).locator("figure.lv-next_token_bars")
    expect(bars).to_be_hidden()
    seen(second).get_by_role("button", name="Show me").press("Enter")
    expect(second.locator(".lv-sentences")).to_contain_text("%")
    expect(bars).to_be_visible()
    expect(second.get_by_role("button", name="Guess again")).to_be_focused()
    lab.page.wait_for_timeout(800)  # sooner it would be a second press of the same key
    second.get_by_role("button", name="Guess again").press("Enter")
    expect(second.locator(".lv-sentences")).to_have_count(0)


def test_typing_changes_every_picture_of_the_page(lab, loop):
    first = loop.locator("figure.lv-next_token_bars .lv-value").first
    before = first.inner_text()
    type_text(lab, "My grandmother baked bread 🙂")
    expect(first).not_to_have_text(before, timeout=60_000)
    expect(lab.page.locator(".lv-text-box input").nth(1)).to_have_value("My grandmother baked bread 🙂")
    type_text(lab, "<script>document.title = 'taken'</script>")
    assert lab.page.title() != "taken"
    type_text(lab, TEXT)
    expect(first).to_have_text(before)


def test_a_picture_that_lags_behind_its_box_is_dimmed_and_it_is_said(lab, loop):
    first = loop.locator("figure.lv-next_token_bars .lv-value").first
    before = first.inner_text()
    box = seen(loop.locator(".lv-text-box input"))
    box.press("End")
    box.press_sequentially(" and")
    expect(loop).to_have_class(re.compile("lv-stale"))
    expect(loop.locator(".lv-not-yet")).not_to_be_empty()
    box.press("Enter")
    expect(loop).not_to_have_class(re.compile("lv-stale"), timeout=60_000)
    expect(first).not_to_have_text(before)
    type_text(lab, TEXT)
    expect(first).to_have_text(before)


def test_arrow_keys_move_the_temperature_and_the_bars(lab, loop, slider, record_property):
    bars = loop.locator("figure.lv-next_token_bars")
    value = bars.locator(".lv-value").first
    lab.settle()
    before = value.inner_text()
    times = lab.latencies(slider, ["ArrowLeft"] * 3 + ["ArrowRight"] * 3, bars)
    record_property("milliseconds", [round(t) for t in times])
    print(f"temperature, key to changed bars: median {median(times):.0f} ms, worst {max(times):.0f} ms")
    expect(value).to_have_text(before)  # three steps down, three up again
    slider.press("ArrowLeft")
    expect(value).not_to_have_text(before)
    expect(bars.locator(".lv-ghost").first).to_be_visible()  # what temperature 1 gives
    slider.press("ArrowRight")
    expect(value).to_have_text(before)


def test_pick_one_appends_a_token(lab, loop):
    button(loop, "Pick one").press("Enter")
    expect(chips(loop)).to_have_count(1)
    expect(button(loop, "Pick one")).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(chips(loop)).to_have_count(2)
    button(loop, "Start again").click()
    expect(loop.locator("figure.lv-token_strip")).to_be_hidden()


def test_write_stop_and_start_again(loop):
    button(loop, "Write 30 more").click()
    expect(chips(loop).nth(2)).to_be_visible(timeout=60_000)
    button(loop, "Stop").click()
    loop.page.wait_for_timeout(500)  # the token on its way has come
    stopped = chips(loop).count()
    assert 3 <= stopped < 30
    loop.page.wait_for_timeout(500)
    expect(chips(loop)).to_have_count(stopped)
    button(loop, "Start again").click()
    button(loop, "Write 30 more").click()
    expect(chips(loop)).to_have_count(30, timeout=60_000)
    button(loop, "Start again").click()
    expect(loop.locator("figure.lv-token_strip")).to_be_hidden()


@pytest.mark.parametrize(
    ("stage", "picture"),
    [
        ("Tokenization", "token_strip"),
        ("Embeddings", "vector_picture"),
        ("Position", "vector_picture"),
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
    tour = lab.page.locator(".lv-explorer").filter(has=lab.page.locator("figure.lv-pipeline_map")).last
    expect(tour.locator(f"figure.lv-{picture}").locator("visible=true")).to_have_count(1)
    expect(tour.get_by_text(f"{stage}.", exact=True)).to_be_visible()


def test_switches_move_bars_and_text(lab):
    switches = seen(lab.picture("switches"))
    board = lab.page.locator(".lv-explorer").filter(has=lab.page.locator("figure.lv-switches")).last
    board_bars = board.locator("figure.lv-next_token_bars")
    lab.settle()
    before = board_bars.locator(".lv-value").first.inner_text()
    rope = switches.get_by_role("button", name="position (RoPE)")
    rope.press(" ")
    expect(rope).to_have_attribute("aria-pressed", "false")
    expect(board_bars.locator(".lv-value").first).not_to_have_text(before)
    after = board.locator("figure.lv-token_strip").last
    expect(after.locator(".lv-chip")).to_have_count(20, timeout=60_000)
    button(lab.page, "Switch everything on").click()
    expect(board_bars.locator(".lv-value").first).to_have_text(before)
    grid = switches.get_by_role("grid")
    grid.focus()
    for _ in range(10):
        lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press(" ")
    expect(board_bars.locator(".lv-value").first).not_to_have_text(before)
    expect(lab.page.get_by_text(re.compile(r": FFN\D+0\. .*%"))).to_be_visible()
    grid.click(position={"x": 96, "y": grid.bounding_box()["height"] - 10})
    expect(switches).to_contain_text("layer 0 · FFN · on")
    grid.click(position={"x": 96, "y": grid.bounding_box()["height"] - 10})
    expect(switches).to_contain_text("layer 0 · FFN · off")
    button(lab.page, "Switch everything on").click()


def test_a_guess_starts_the_heads_and_a_button_stops_them(lab):
    guess = seen(card(lab, "loop-18"))
    page = lab.page.locator(".lv-explorer").filter(has=lab.page.locator("figure.lv-heat_map")).last
    expect(page.locator("figure.lv-heat_map")).to_be_hidden()
    guess.locator(".lv-number").fill("12")
    guess.get_by_role("button", name="Lock in my guess").click()
    expect(guess).to_contain_text("Computing")
    expect(page.locator("figure.lv-heat_map")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    expect(guess).to_contain_text("Stopped")
    guess.get_by_role("button", name="Guess again").click()
    guess.get_by_role("button", name="Show me").click()
    expect(guess).to_contain_text("Computing")
    page.get_by_role("button", name="Stop", exact=True).click()
