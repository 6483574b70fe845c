"""Notebook 06 in a real JupyterLab: each interaction by mouse and by keyboard."""

import itertools
import re
from statistics import median

import pytest
from browser.lab import NO_TEXT, NOTEBOOKS, Lab, visit
from playwright.sync_api import expect
from typed_texts import FEW

MOVED = re.compile(r"min-p.*\b1 .*\b4\b")  # where a card lies now
WRITING = "…"  # what a text says as long as it is being written
GROWN = re.compile(r"^20 .*\d tokens")  # what a tree says that has grown

SLOW = 120_000  # milliseconds that writing may take on a machine that does other things as well
# Two sums of each kind are sooner asked than 36, and their lines are drawn alike.
FEW_SUMS = {f"pictures.{name}": f"dict([*pictures.{name}.items()][:2])" for name in ("SUMS", "SPACED_SUMS")}
SHORT_TEXTS = {"Writing(prompt": "Writing(prompt, 8", "ChatEnd(question": "ChatEnd(question, 8"}


def shorten(server, changes: dict[str, str]) -> None:
    """In the copy of the notebook that this server has."""
    path = server.root / "notebooks" / "06_sampling.ipynb"
    source = path.read_text("utf-8")
    for old, new in changes.items():
        assert old in source
        source = source.replace(old, new)
    path.write_text(source, "utf-8")


@pytest.fixture(scope="module")
def before_guessing(open_lab, lab_server):
    shorten(lab_server, FEW_SUMS)
    yield from visit(open_lab("06_sampling"))


@pytest.fixture(scope="module")
def lab(before_guessing):
    """All guesses made, all folds open."""
    before_guessing.command("notebook:expand-all-headings")
    before_guessing.give_up_all()
    return before_guessing


def test_no_picture_is_open_before_a_guess(before_guessing):
    assert before_guessing.page.locator("figure.llmviz:not(.lv-predict):visible").count() == 0
    assert before_guessing.page.get_by_role("button", name="Show me").count() >= 7


def drawn(lab, name, nth=0):
    """A picture, once it is on the screen and painted: what lies far below is drawn only when it comes into view."""
    picture = lab.picture(name, nth)
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("data-lv-theme", re.compile("light|dark"))
    return picture


def controls(lab, picture):
    """The whole output that a picture stands in, with its controls."""
    return picture.locator("xpath=ancestor::*[contains(@class, 'jp-OutputArea-output')][1]")


def knobs(box):
    """The handles of the explorer's sliders; that of the guess card is another kind."""
    return box.locator(".noUi-handle")


def readout(picture):
    return picture.locator(".lv-readout")


def milliseconds(record_property, what, times):
    record_property("milliseconds", [round(t) for t in times])
    print(f"{what}: median {median(times):.0f} ms, worst {max(times):.0f} ms")


def close_panel(lab, picture):
    expect(picture.locator(".lv-explain")).to_be_visible()
    lab.page.keyboard.press("Escape")
    expect(picture.locator(".lv-explain")).to_be_hidden()


def test_the_temperature_moves_the_bars(lab, record_property):
    bars = drawn(lab, "next_token_bars")
    box = controls(lab, bars)
    slider = knobs(box).first
    value = bars.locator(".lv-value").first
    before = value.text_content()  # also where JupyterLab has not laid it out yet
    times = lab.latencies(slider, ["ArrowRight"] * 3 + ["ArrowLeft"] * 3, bars)
    milliseconds(record_property, "temperature, key to changed bars", times)
    expect(value).to_have_text(before)
    for name, what in (
        ("T → 0", r"\b0\.0 "),
        ("T = 10", r"15\.6 .*49,152"),
        ("T = 1", "32 equally|bits"),
    ):
        box.get_by_role("button", name=name, exact=True).press("Enter")
        expect(box.get_by_text(re.compile(what)).first).to_be_visible()
    expect(value).to_have_text(before)


def test_a_bar_says_where_its_number_is_from(lab):
    bars = drawn(lab, "next_token_bars")
    bars.locator(".lv-row").nth(2).click()
    expect(bars.locator(".lv-explain")).to_contain_text("softmax")
    bars.locator(".lv-bars").press("ArrowUp")
    bars.locator(".lv-bars").press("Enter")
    close_panel(lab, bars)


def test_the_three_steps_explain_themselves(lab):
    steps = drawn(lab, "softmax_steps")
    table = steps.locator(".lv-table")
    steps.locator(".lv-one").first.click()
    expect(steps.locator(".lv-explain")).to_contain_text("x @ w")
    table.press("ArrowRight")
    expect(steps.locator(".lv-explain")).to_contain_text("np.exp")
    table.press("ArrowRight")
    table.press("End")
    expect(readout(steps)).to_contain_text("probability")
    close_panel(lab, steps)


def test_a_typed_text_reaches_the_bars(lab):
    bars = drawn(lab, "next_token_bars")
    box = controls(lab, bars).locator("input[type=text]").first
    old, labels = box.input_value(), bars.locator(".lv-label")
    before = labels.first.text_content()
    box.fill("The capital of France is")
    box.press("Enter")
    expect(labels.first).to_contain_text("Paris")
    box.fill("")
    box.press("Enter")
    expect(controls(lab, bars).get_by_text(NO_TEXT)).to_be_visible()
    box.fill(old)
    box.press("Enter")
    expect(labels.first).to_have_text(before)


def in_order(cards, *names):
    expect(cards.locator(".lv-title")).to_have_text(list(names))


def test_cards_move_by_keys_and_by_drag(lab, record_property):
    cards = drawn(lab, "sampler_cards")
    in_order(cards, "temperature", "top-k", "top-p", "min-p")
    top_p = cards.locator("[data-name=top_p]")
    kept = top_p.locator(".lv-says")
    top_p.focus()
    lab.page.keyboard.press("Home")
    expect(cards.locator(".lv-title").first).to_have_text("top-p")
    expect(top_p).to_be_focused()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowRight")
    expect(cards.locator(".lv-title").nth(2)).to_have_text("top-p")
    expect(top_p).to_be_focused()

    source, target = cards.locator("[data-name=min_p]"), cards.locator("[data-name=temperature]")
    source.locator(".lv-title").hover()
    lab.page.mouse.down()
    box = target.bounding_box()
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40, steps=12)
    lab.page.mouse.up()
    expect(cards.locator(".lv-title").first).to_have_text("min-p")
    expect(readout(cards)).to_contain_text(MOVED)

    bars = drawn(lab, "next_token_bars", 1)
    cards.scroll_into_view_if_needed()
    slider = cards.locator("[data-name=temperature] input")
    times = lab.latencies(slider, ["ArrowRight"] * 3 + ["ArrowLeft"] * 3, bars)
    milliseconds(record_property, "card's slider, key to changed bars", times)
    expect(kept).to_contain_text("keeps")
    expect(cards.locator(".lv-waiting")).to_have_count(0)  # the numbers are those of the cards as they lie


def test_cards_are_switched_and_set(lab):
    cards = drawn(lab, "sampler_cards")
    min_p = cards.locator("[data-name=min_p]")
    switch = min_p.get_by_role("button")
    switch.click()
    expect(min_p.locator(".lv-cuts")).to_contain_text(re.compile(r"cuts .*%"))
    min_p.focus()
    lab.page.keyboard.press("Enter")
    expect(min_p.locator(".lv-says")).to_have_text("off")
    presets = lab.page.locator(".widget-dropdown", has_text="What people use").locator("select")
    presets.select_option(label="wild: T 2, min-p 0.1")
    expect(min_p.locator(".lv-setting")).to_have_text("0.10")
    expect(cards.locator("[data-name=top_p] .lv-says")).to_have_text("off")
    in_order(cards, "temperature", "min-p", "top-k", "top-p")
    expect(readout(cards)).not_to_contain_text(MOVED)  # the reader's move is undone
    bars = drawn(lab, "next_token_bars", 1)
    bars.locator(".lv-row").first.click()
    expect(bars.locator(".lv-explain")).to_contain_text("min_p = 0.1")
    close_panel(lab, bars)


def test_draws_and_seed(lab, record_property):
    bars = drawn(lab, "next_token_bars", 2)
    box = controls(lab, bars)
    first = bars.locator(".lv-bars").text_content()
    seed = box.locator("input[type=number]:enabled")
    seed.fill("2")
    seed.press("Enter")
    expect(bars.locator(".lv-bars")).not_to_have_text(first)
    seed.fill("1")
    seed.press("Enter")
    expect(bars.locator(".lv-bars")).to_have_text(first)
    times = lab.latencies(knobs(box).nth(1), ["ArrowLeft"] * 2 + ["ArrowRight"] * 2, bars)
    milliseconds(record_property, "200 draws, key to changed bars", times)


def test_surprise_of_the_reader_s_sentence(lab):
    strip = drawn(lab, "token_strip")
    strip.locator(".lv-chip").nth(4).click()
    expect(readout(strip)).to_contain_text("expected:")
    strip.locator(".lv-chips").press("Enter")
    close_panel(lab, strip)
    box = controls(lab, strip).locator("input[type=text]")
    box.fill("Hello <b>world</b>")
    box.press("Enter")
    expect(strip.locator(".lv-chip").first).to_contain_text("Hello")
    expect(controls(lab, strip).get_by_text("perplexity")).to_be_visible()
    box.fill("On a rainy day I like to")
    box.press("Enter")
    expect(strip.locator(".lv-chip")).to_have_count(7)


def loop(lab):
    text = drawn(lab, "written_text")
    box = controls(lab, text)
    return (
        text,
        text.locator(".lv-chip:not(.lv-gap)"),
        lambda name: box.get_by_role("button", name=name, exact=True),
    )


def test_the_loop_steps_and_goes_back(lab, record_property):
    text, chips, button = loop(lab)
    n = chips.count()
    times = lab.latencies(button("step"), ["Enter"] * 4, text, wait=0.6)
    milliseconds(record_property, "step, key to the new token", times)
    expect(chips).to_have_count(n + 4)
    expect(controls(lab, text).get_by_text(re.compile(r"^4 .* \d"))).to_be_visible()
    last = chips.last.text_content()
    button("back").click()
    expect(chips).to_have_count(n + 3)
    button("step").click()
    expect(chips).to_have_count(n + 4)
    assert chips.last.text_content() == last  # the same dart
    button("Start again").click()
    expect(chips).to_have_count(n)


def test_the_reader_takes_another_token(lab):
    text, chips, button = loop(lab)
    n = chips.count()
    rows = text.locator(".lv-row")
    wanted = rows.nth(3).locator(".lv-piece").text_content()
    rows.nth(3).click()
    expect(chips).to_have_count(n + 1)
    expect(chips.last).to_have_text(wanted)
    button("step").click()
    expect(chips).to_have_count(n + 2)
    chips.nth(n).hover()
    expect(text.locator(".lv-heading")).not_to_be_empty()
    expect(readout(text)).to_contain_text("probability")
    expect(text.locator(".lv-taken")).to_contain_text(wanted)
    chips.nth(n).click()
    expect(text.locator(".lv-explain")).to_contain_text(wanted)
    close_panel(lab, text)
    tokens = text.locator(".lv-chips")
    tokens.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowLeft")
    other = rows.nth(1).locator(".lv-piece").text_content()
    lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("Enter")
    expect(chips).to_have_count(n + 1)
    expect(chips.last).to_have_text(other)
    button("Start again").click()
    expect(chips).to_have_count(n)


def test_the_loop_runs_by_itself_and_stops(lab):
    text, chips, button = loop(lab)
    n = chips.count()
    button("Write 30 more").press("Enter")
    expect(button("Write 30 more")).to_be_focused()
    expect(chips.nth(n + 2)).to_be_attached()
    button("Stop").click()
    lab.settle()
    expect(button("Write 30 more")).to_be_visible()  # by then, the token that was on its way is on the page
    stopped = chips.count()
    assert n + 3 <= stopped < n + 30
    lab.page.wait_for_timeout(400)
    assert chips.count() == stopped
    button("Start again").click()
    expect(chips).to_have_count(n)
    shaded = text.locator(".lv-chip[style*=background]")
    button("step").click()
    expect(shaded).not_to_have_count(0)
    button("Start again").click()


def test_two_sides_and_their_repetition(lab):
    greedy, drawn_side = drawn(lab, "written_text", 1), lab.picture("written_text", 2)
    box = controls(lab, greedy)
    expect(greedy.locator(".lv-again").first).to_be_attached(timeout=SLOW)
    expect(greedy.locator(".lv-chip")).to_have_count(47, timeout=SLOW)
    likeliest = greedy.locator(".lv-chips").text_content()
    slider = knobs(box).nth(2)  # each side has its temperature and its top-p
    slider.focus()
    lab.page.keyboard.press("Home")  # temperature 0 on both sides: the same text
    box.get_by_role("button", name="write").click()
    # The text before it was as long, so only the words show that the new one is there.
    expect(drawn_side.locator(".lv-chips")).to_have_text(likeliest, timeout=SLOW)
    expect(greedy.locator(".lv-chips")).to_have_text(likeliest, timeout=SLOW)


def test_the_tree_by_mouse_and_keys_and_its_bush(lab):
    tree = drawn(lab, "continuation_tree")
    box, tokens, plot = controls(lab, tree), tree.locator(".lv-token"), tree.locator(".lv-plot")
    expect(box.get_by_text(GROWN)).to_be_visible(timeout=SLOW)
    n = tokens.count()
    assert n > 7
    plot.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        lab.page.keyboard.press(key)
    expect(readout(tree)).to_contain_text("20")
    lab.page.keyboard.press("End")
    expect(tree.locator(".lv-token.lv-on")).to_have_count(7)
    lab.page.keyboard.press("Enter")
    expect(tree.locator(".lv-explain")).to_contain_text("softmax")
    close_panel(lab, tree)
    tokens.nth(1).hover()
    expect(readout(tree)).to_contain_text("20")
    tokens.nth(1).click()
    expect(tree.locator(".lv-explain")).to_be_visible()
    close_panel(lab, tree)
    slider = knobs(box).first
    slider.focus()
    lab.page.keyboard.press("Home")
    expect(tokens).to_have_count(7, timeout=SLOW)  # the text and one stem
    expect(box.get_by_text(re.compile(r"^20 [^\d.]+\."))).to_be_visible(timeout=SLOW)
    lab.page.keyboard.press("End")
    expect(box.get_by_text(re.compile(r"^20 [^\d.]+\d"))).to_be_visible(timeout=SLOW)
    assert tokens.count() > n


def test_with_and_without_the_template(lab):
    with_it, without = drawn(lab, "written_text", 5), lab.picture("written_text", 6)
    box = controls(lab, with_it)
    expect(box.locator(".lv-sentences", has_text=WRITING)).to_have_count(0, timeout=SLOW)
    expect(with_it.locator(".lv-highlight").first).to_contain_text("im_start")
    expect(without.locator(".lv-highlight")).to_have_count(0)
    with_it.locator(".lv-chip").last.hover()
    expect(readout(with_it)).to_contain_text("end token")
    with_it.locator(".lv-row").nth(1).click()
    expect(with_it.locator(".lv-explain")).to_contain_text("softmax")
    close_panel(lab, with_it)
    ends = with_it.locator(".lv-chip", has_text="im_end").count()
    box.get_by_role("checkbox").check()
    expect(box.locator(".lv-sentences", has_text=re.compile(r"\d+\D+\d"))).to_have_count(2, timeout=SLOW)
    assert with_it.locator(".lv-chip", has_text="im_end").count() > ends
    box.get_by_role("checkbox").uncheck()
    question = box.locator("input[type=text]")
    question.fill("Say <i>hello</i>.")
    question.press("Enter")
    expect(without.locator(".lv-own").first).to_contain_text("Say")
    expect(box.locator(".lv-sentences", has_text=WRITING)).to_have_count(0, timeout=SLOW)


@pytest.mark.parametrize("text", FEW, ids=lambda text: ascii(text[:8]))
def test_whatever_the_loop_and_the_tree_are_given(lab, text):
    for picture in (drawn(lab, "continuation_tree"), drawn(lab, "written_text")):
        picture.scroll_into_view_if_needed()
        box = controls(lab, picture).locator("input[type=text]").first
        before = box.input_value()
        box.fill(text)
        box.press("Enter")
        lab.settle()
        said = controls(lab, picture).get_by_text(NO_TEXT)
        expect(said).to_have_count(0 if text else 1)
        expect(picture).to_be_visible()  # an empty box leaves the last run standing
        box.fill(before)
        box.press("Enter")


def test_under_voila_in_dark(browser, voila_server):
    shorten(voila_server, FEW_SUMS | SHORT_TEXTS)
    page = Lab(browser, voila_server)
    try:
        page.open("06_sampling", still=False)  # it goes on writing
        n_cards = (NOTEBOOKS / "06_sampling.ipynb").read_text("utf-8").count("views.Predict(")
        expect(page.page.get_by_role("button", name="Show me")).to_have_count(n_cards, timeout=SLOW)
        reveal(page, "sampler_cards")
        cards = drawn(page, "sampler_cards")
        expect(cards).to_have_attribute("data-lv-theme", "dark")
        cards.locator("[data-name=top_p]").focus()
        page.page.keyboard.press("ArrowLeft")
        expect(cards.locator(".lv-title").nth(1)).to_have_text("top-p")
        reveal(page, "written_text")
        text = drawn(page, "written_text")
        n = text.locator(".lv-chip").count()
        text.locator(".lv-row").nth(2).click()
        expect(text.locator(".lv-chip")).to_have_count(n + 1)
        reveal(page, "continuation_tree")
        tree = drawn(page, "continuation_tree")
        expect(controls_in_voila(tree).get_by_text(GROWN)).to_be_visible(timeout=SLOW)
        assert page.page.get_by_text("Traceback").count() == 0
        assert page.console == []
        assert page.outside == []
    finally:
        page.close()


def reveal(lab, name):
    """Press "Show me" on the card before a picture."""
    picture = lab.picture(name)
    card = picture.locator("xpath=preceding::figure[contains(@class, 'lv-predict')][1]")
    card.get_by_role("button", name="Show me").click()


def controls_in_voila(picture):
    return picture.locator("xpath=ancestor::*[contains(@class, 'widget-vbox')][1]")


def test_the_cards_stand_below_each_other_where_there_is_no_room(lab):
    cards = drawn(lab, "sampler_cards")
    lab.page.set_viewport_size({"width": 900, "height": 1000})
    lab.settle()
    boxes = [one.bounding_box() for one in cards.locator(".lv-step").all()]
    for above, below in itertools.pairwise(boxes):
        assert below["x"] == above["x"]
        assert below["y"] > above["y"] + above["height"] - 1
    assert cards.locator(".lv-body").evaluate("body => body.scrollWidth <= body.clientWidth")
    cards.evaluate("node => { node.style.width = '311px'; }")  # as on a phone
    lab.settle()
    for card in cards.locator(".lv-step").all():
        assert card.locator("input").bounding_box()["width"] > 150
        assert card.locator(".lv-hint").bounding_box()["height"] < 30  # one line
    cards.evaluate("node => { node.style.width = ''; }")
    lab.page.set_viewport_size({"width": 1400, "height": 1000})
    lab.settle()
    boxes = [one.bounding_box() for one in cards.locator(".lv-step").all()]
    assert len({box["y"] for box in boxes}) == 1
    for card, box in zip(cards.locator(".lv-step").all(), boxes, strict=True):
        switch = card.locator(".lv-switch").bounding_box()
        assert switch["x"] + switch["width"] <= box["x"] + box["width"]
