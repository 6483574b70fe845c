"""Pages without a kernel in a real browser: opened from a file, offline, and held to what a kernel gives."""

import json
import re
from urllib.parse import unquote

import pytest
import small_notebook
from browser.page_and_kernel import compare, fits_a_phone, new_kernel, settle, show_all
from playwright.sync_api import expect
from test_page import built, notebook  # noqa: F401 (fixtures)

FULL = "This needs the full version"
NOT_HELD = "This page has no result for that choice. The full version does."


@pytest.fixture
def small(opened, built):  # noqa: F811
    """The page of the small notebook."""
    return opened(built)


def place(one, number):
    """What one cell of the small notebook shows."""
    return one.locator("[data-widget]").nth(number)


TEXT, SUM, STEPS, LENGTHS, CARD, CARDS, IN_FOLD = range(7)


def said(one, number):
    return place(one, number).locator(".lv-sentences:not(:empty)").first


# ---- the small notebook --------------------------------------------------------------------------------------


def test_all_kinds_of_controls_move_together(small):
    cell, total = place(small, SUM), said(small, SUM)
    expect(total).to_have_text("2+1")
    a, b = cell.get_by_role("slider").all()
    a.press("ArrowRight")
    expect(total).to_have_text("3+1")
    b.press("End")
    expect(total).to_have_text("3+3")
    b.press("ArrowLeft")
    expect(total).to_have_text("3+2.5")
    cell.get_by_role("checkbox", name="loud").check()
    expect(total).to_have_text("3+2.5!")
    cell.get_by_role("combobox", name="Sign").select_option("·")
    expect(total).to_have_text("3·2.5!")
    cell.get_by_role("button", name="wide").click()
    expect(total).to_have_text("3 · 2.5!")
    expect(cell.get_by_role("button", name="wide")).to_have_attribute("aria-pressed", "true")
    a.press("Home")
    expect(total).to_have_text("0 · 2.5!")
    assert cell.locator("output").all_inner_texts() == ["0", "2.50"]


def test_a_button_leads_on_and_back_and_to_what_follows_by_itself(small):
    cell, count = place(small, STEPS), said(small, STEPS)
    step, back, play_ = (cell.get_by_role("button", name=name) for name in ("Step", "Back", "Three at once"))
    expect(back).to_be_disabled()
    play_.click()
    expect(count).to_have_text("3 steps")
    expect(play_).to_be_hidden()
    for n in range(4, 10):
        step.click()
        expect(count).to_have_text(f"{n} steps")
    expect(step).to_be_disabled()
    back.click()
    expect(count).to_have_text("8 steps")


def test_what_a_page_lacks_is_pale_and_says_why(small):
    cell = place(small, STEPS)
    expect(cell.get_by_role("button", name="Ask the class")).to_be_disabled()
    why = cell.locator(".why")
    expect(why).to_have_text(FULL)
    expect(why.get_by_role("link")).to_have_attribute("href", "#full")
    expect(small.locator("#full")).to_be_visible()
    word = place(small, LENGTHS).get_by_role("textbox", name="A word")
    expect(word).to_have_value("typed")
    assert not word.is_editable()


def test_what_it_does_not_hold_is_put_back_and_said(small):
    widget = small.evaluate("[...replay.events.keys()].find((key) => key.endsWith(' index')).split(' ')[0]")
    before = small.evaluate("replay.state")
    assert not small.evaluate("(id) => replay.held(id, 'index', 7)", widget)
    assert not small.evaluate("(id) => send(id, 'index', 7)", widget)
    settle(small)
    assert small.evaluate("replay.state") == before
    assert small.evaluate("(id) => replay.model(id).get('index')", widget) == 0
    expect(small.locator(".told")).to_have_text(NOT_HELD)
    place(small, SUM).get_by_role("slider").first.press("ArrowRight")
    expect(small.locator(".told")).to_have_text("")


def test_a_menu_of_texts_changes_all_that_follows_the_text(small):
    menu, about = place(small, TEXT).get_by_role("combobox"), said(small, LENGTHS)
    assert menu.locator("option").all_inner_texts() == small_notebook.TEXTS
    strip = place(small, LENGTHS).locator("figure")
    strip.get_by_text("cat").first.click()
    expect(
        place(small, LENGTHS).get_by_role("button", name="Count all")
    ).to_be_hidden()  # It has been pressed.
    expect(about).to_contain_text("22 letters")
    menu.select_option("the dog")
    expect(about).to_contain_text("7 letters")
    expect(strip).not_to_contain_text("cat")
    menu.select_option(small_notebook.TEXTS[0])
    expect(strip).to_contain_text("cat")
    expect(about).to_contain_text("22 letters")


def test_a_guess_reveals_the_answer_and_the_picture(small):
    card, picture = (
        place(small, CARD).locator("figure.lv-predict"),
        place(small, CARD).get_by_text("six sevens"),
    )
    expect(picture).to_be_hidden()
    expect(card).not_to_contain_text("42")
    card.locator("input.lv-number").fill("40")
    card.locator(".lv-commit").dblclick()  # as a finger may do
    expect(card.locator(".lv-sentences")).to_contain_text(re.compile("40.*42.* 2 "))
    expect(picture).to_be_visible()
    small.wait_for_timeout(800)
    card.get_by_role("button", name="Guess again").click()
    expect(card).not_to_contain_text("42")
    expect(picture).to_be_hidden()
    card.get_by_role("button", name="Show me").click()
    expect(card.locator(".lv-sentences")).to_contain_text("42")


def test_a_card_shows_what_its_experiment_gave_or_needs_the_full_version(small):
    quick, long = place(small, CARDS).locator("figure.lv-predict").all()
    counted = place(small, CARDS).get_by_text("counted", exact=True)
    expect(counted).to_have_count(0)
    quick.locator("input.lv-number").fill("7")
    quick.locator(".lv-commit").click()
    expect(quick.locator(".lv-sentences")).to_contain_text(re.compile("7"))
    expect(counted).to_be_visible()
    small.wait_for_timeout(800)
    quick.get_by_role("button", name="Guess again").click()
    expect(counted).to_have_count(0)
    expect(long.locator(".lv-commit")).to_be_disabled()
    expect(place(small, CARDS).locator(".why").first).to_have_text(FULL)


def test_the_address_is_the_state_and_a_link_leads_to_it(opened, small, built):  # noqa: F811
    assert "#" not in small.url
    place(small, SUM).get_by_role("slider").first.press("End")
    place(small, TEXT).get_by_role("combobox").select_option("a mat")
    settle(small)
    assert json.loads(unquote(small.url.partition("#state=")[2])).keys() >= {"0.text", "1.a"}
    there = opened(built, at=f"#{small.url.partition('#')[2]}")
    expect(said(there, SUM)).to_have_text("4+1")
    expect(place(there, TEXT).get_by_role("combobox")).to_have_value("a mat")
    assert there.evaluate("replay.state") == small.evaluate("replay.state")
    place(there, TEXT).get_by_role("combobox").select_option(small_notebook.TEXTS[0])
    for _ in range(2):
        place(there, SUM).get_by_role("slider").first.press("ArrowLeft")
    settle(there)
    assert "#" not in there.url


@pytest.mark.parametrize("link", ["#state=%7B%221.a%22%3A%2299%22%7D", "#state=%7B%22", "#state="])
def test_a_link_that_leads_nowhere_shows_the_start(opened, built, link):  # noqa: F811
    one = opened(built, at=link)
    expect(said(one, SUM)).to_have_text("2+1")
    expect(one.locator(".told")).to_have_text(NOT_HELD)


def test_a_fold_draws_its_pictures_when_it_opens_and_print_shows_the_core(small):
    inside = small.get_by_text("in the fold")
    expect(inside).to_be_hidden()
    expect(place(small, IN_FOLD).locator("*")).to_have_count(0)
    small.get_by_text("Deeper").click()
    expect(inside).to_be_visible()
    expect(said(small, IN_FOLD)).to_have_text("4+1")
    small.emulate_media(media="print")
    expect(inside).to_be_hidden()
    expect(small.locator(".note")).to_be_hidden()
    expect(small.get_by_role("heading", name="The end")).to_be_visible()


def test_paper_is_light(opened, built):  # noqa: F811
    one = opened(built, scheme="dark")
    figure = one.locator("figure.llmviz").first
    expect(figure).to_have_attribute("data-lv-theme", "dark")
    one.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(figure).to_have_attribute("data-lv-theme", "light")
    assert one.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    one.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(figure).to_have_attribute("data-lv-theme", "dark")


def test_each_value_that_is_held_is_taken_and_left_again(small):
    """Each control stands where it was sent, and the whole page comes back to its start."""
    moved = small.evaluate(
        """async () => {
            const [start, wrong, canonical] = [{ ...replay.state }, [], globalThis.pageControls.canonical];
            let moved = 0;
            for (const [key, event] of replay.events) {
                const [id, trait] = key.split(" ");
                for (const text of trait === "click" ? [] : replay.sent(event).keys()) {
                    const value = JSON.parse(text);
                    if (replay.model(id).get("disabled") || !replay.held(id, trait, value)) continue;
                    const isNews = canonical(replay.model(id).get(trait) ?? null) !== text;
                    if (!send(id, trait, value) && isNews) wrong.push([key, text, "refused"]);
                    const now = replay.model(id).get(trait);
                    if (trait !== "committed" && canonical(now) !== text) wrong.push([key, text, now]);
                    replay.become(replay.reached(start, Object.keys(start)));
                    await replay.settled();
                    moved += 1;
                }
            }
            return { moved, wrong };
        }"""
    )
    assert moved["wrong"] == []
    assert moved["moved"] > 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_the_reader_s(opened, built, scheme):  # noqa: F811
    one = opened(built, width=390, scheme=scheme)
    figure = one.locator("figure.llmviz").first
    expect(figure).to_have_attribute("data-lv-theme", scheme)
    one.locator(".switch-theme").click()
    expect(figure).to_have_attribute("data-lv-theme", {"light": "dark", "dark": "light"}[scheme])


def test_a_slow_phone_shows_it_as_well(opened, built):  # noqa: F811
    """Its processor has a sixth of the speed, and nothing complains of the time that anything takes."""
    slow = "const { timeout } = AbortSignal; AbortSignal.timeout = () => timeout.call(AbortSignal, 0);"
    one = opened(built, width=390, script=slow)
    one.context.new_cdp_session(one).send("Emulation.setCPUThrottlingRate", {"rate": 6})
    show_all(one)
    expect(one.locator("figure.llmviz").first).to_be_visible()
    fits_a_phone(one)


# ---- held to a kernel ------------------------------------------------------------------------


def test_the_small_page_shows_what_a_new_kernel_shows(opened, built, notebook):  # noqa: F811
    with new_kernel(notebook) as client:
        assert compare(opened(built), built, client, 25) > 15
