"""Pages without a kernel in a real browser: opened from a file, offline, and held to what a kernel gives."""

import re
from pathlib import Path

import nbformat
import pytest
from browser.page_and_kernel import compare, compare_buttons, settle, show_all
from playwright.sync_api import expect
from test_page import notebook, rehearsed  # noqa: F401 (fixtures)

from llmviz import page
from llmviz.views import Prompt
from llmviz.views.sampling import TemperatureExplorer

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
# Pictures of the series that are quickly drawn, and together have every kind of control.
PICTURES = [
    """
import llmviz
from llmviz import Sampler, views
from llmviz.views import attention, sampling
prompt = views.Prompt(llmviz.load(), "On a rainy day I like to")
""",
    """
views.Predict(
    "What has the likeliest token at temperature 0.5?",
    about=prompt,
    answer=lambda run: 100 * Sampler(temperature=0.5).probs(run.logits).max(),
    unit="%",
    low=0,
    high=100,
    then=sampling.TemperatureExplorer(prompt),
)
""",
    "attention.HeadExplorer(prompt)",
    "sampling.SamplerChain(prompt)",
    """
views.Predict(
    "Two hundred darts: how many different tokens?", answer=80, low=1, high=200, then=sampling.Draws(prompt)
)
""",
]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A notebook of these pictures, the last one in a fold."""
    v4 = nbformat.v4
    *core, last = map(v4.new_code_cell, PICTURES)
    fold = v4.new_markdown_cell("## Deeper", metadata={"jp-MarkdownHeadingCollapsed": True})
    path = tmp_path_factory.mktemp("drawn") / "drawn.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# Pictures"), *core, fold, last]), path)
    return path


@pytest.fixture(scope="session")
def pictures(drawn, model):
    """It has run, and its controls are rehearsed."""
    (built,) = page.build_all([drawn], 10, 1, lambda _: None)
    return built


@pytest.fixture
def opened(browser, tmp_path):
    """`opened(rehearsed)`: its page, from a file, offline; afterwards nothing was asked for, and nothing went wrong."""
    contexts, wrong = [], []

    def open_(built, width: int = 1100, scheme: str = "light", script: str = ""):
        file = tmp_path / "page.html"
        page.write_page(built, file, {})
        context = browser.new_context(
            offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        context.add_init_script(script)
        one = context.new_page()
        one.set_default_timeout(60_000)
        one.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        one.on("pageerror", lambda error: wrong.append(str(error)))
        one.on(
            "request",
            lambda request: request.url.startswith(("file:", "blob:", "data:")) or wrong.append(request.url),
        )
        one.goto(file.as_uri())
        one.wait_for_function("'ready' in document.body.dataset")
        return one

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


# ---- the small notebook --------------------------------------------------------------------------------------


def test_sliders_and_boxes_move_together(opened, rehearsed):  # noqa: F811
    one = opened(rehearsed)
    label = one.locator(".widget-label", has_text="+")
    expect(label).to_have_text("2+1")
    a, b = one.get_by_role("slider").all()[:2]
    a.press("ArrowRight")
    settle(one)
    expect(label).to_have_text("3+1")
    b.press("End")
    settle(one)
    expect(label).to_have_text("3+3")
    one.get_by_role("checkbox").check()
    settle(one)
    expect(label).to_have_text("3+3!")
    a.press("Home")
    settle(one)
    expect(label).to_have_text("0+3!")


def test_buttons_that_were_rehearsed_work_and_the_others_say_what_they_need(opened, rehearsed):  # noqa: F811
    one = opened(rehearsed)
    step, back = one.get_by_role("button", name="step"), one.get_by_role("button", name="back")
    count = step.locator("xpath=..").locator(".widget-label")
    expect(back).to_be_disabled()
    for n in (1, 2, 3):
        step.click()
        settle(one)
        expect(count).to_have_text(str(n))
    back.click()
    settle(one)
    expect(count).to_have_text("2")
    expect(one.get_by_role("button", name="wrong")).to_be_disabled()
    box = one.locator(".widget", has=one.get_by_role("button", name="wrong"))
    assert len({*box.locator(".needs-kernel").all_inner_texts()}) == 2  # of the button, and of the box
    one.get_by_role("button", name="never").click()  # it was tried, and never ended
    settle(one)
    expect(one.locator(".told").filter(has_text=re.compile(r"\w"))).to_be_visible()
    expect(one.get_by_role("button", name="fast")).to_have_class(re.compile("mod-active"))


def test_a_guess_reveals_the_answer_and_the_picture(opened, rehearsed):  # noqa: F811
    one = opened(rehearsed)
    card = one.locator("figure.lv-predict").first
    picture = one.locator(".widget-label", has_text="six sevens")
    expect(picture).to_be_hidden()
    expect(card).not_to_contain_text("42")
    card.locator("input.lv-number").fill("40")
    card.get_by_role("button", name="Lock in my guess").dblclick()  # as a finger may do
    expect(card.locator(".lv-sentences")).to_contain_text(re.compile("40.*42.* 2 "))
    expect(picture).to_be_visible()
    one.wait_for_timeout(800)
    card.get_by_role("button", name="Guess again").click()
    expect(card).not_to_contain_text("42")
    expect(picture).to_be_hidden()
    card.get_by_role("button", name="Show me").click()
    expect(card.locator(".lv-sentences")).to_contain_text("42")


def test_a_card_shows_what_its_experiment_gave_or_says_that_it_needs_a_kernel(opened, rehearsed):  # noqa: F811
    one = opened(rehearsed)
    quick, long = one.locator("figure.lv-predict", has_text="How far").all()
    counted = one.get_by_text("counted", exact=True)
    expect(counted).to_have_count(0)
    quick.locator("input.lv-number").fill("7")
    quick.get_by_role("button", name="Lock in my guess").click()
    expect(quick.locator(".lv-sentences")).to_contain_text(re.compile("7.*7"))
    expect(counted).to_be_visible()
    one.wait_for_timeout(800)
    quick.get_by_role("button", name="Guess again").click()
    expect(counted).to_have_count(0)
    expect(long.get_by_role("button", name="Lock in my guess")).to_be_disabled()
    expect(one.locator(".widget", has=long).locator(".needs-kernel")).to_have_count(
        3
    )  # and both "count" buttons


def test_a_fold_opens_and_print_shows_the_core(opened, rehearsed):  # noqa: F811
    one = opened(rehearsed)
    inside = one.get_by_text("in the fold")
    expect(inside).to_be_hidden()
    one.get_by_text("Deeper").click()
    expect(inside).to_be_visible()
    one.emulate_media(media="print")
    expect(inside).to_be_hidden()
    expect(one.locator(".note")).to_be_hidden()
    expect(one.get_by_role("heading", name="The end")).to_be_visible()


def test_paper_is_light(opened, rehearsed):  # noqa: F811
    one = opened(rehearsed, scheme="dark")
    figure = one.locator("figure.llmviz").first
    expect(figure).to_have_attribute("data-lv-theme", "dark")
    one.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(figure).to_have_attribute("data-lv-theme", "light")
    assert one.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    one.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(figure).to_have_attribute("data-lv-theme", "dark")


# ---- the series ------------------------------------------------------------------------------------------------


def test_each_place_of_the_temperature_shows_what_a_kernel_gives(opened, pictures, model):
    one = opened(pictures)
    show_all(one)
    explorer = TemperatureExplorer(Prompt(model, "On a rainy day I like to"))
    slider = one.locator(".lv-explorer", has=one.get_by_role("button", name="T = 10")).last
    handle, bars = slider.get_by_role("slider").first, slider.locator("figure.lv-next_token_bars")
    said = slider.locator(".lv-sentences")
    seen = set()
    for key in ["Home", *["ArrowRight"] * 30, "End", *["ArrowLeft"] * 10]:
        handle.press(key)
        settle(one)
        temperature = float(handle.get_attribute("aria-valuetext") or handle.get_attribute("aria-valuenow"))
        explorer.controls["temperature"].value = temperature
        expect(said).to_have_text(explorer.parts["message"].sentences[0])
        expect(bars).to_have_attribute("aria-label", explorer.parts["bars"].summary)
        seen.add(temperature)
    assert {0, 10} <= seen
    assert len(seen) > 5  # a slow machine computes fewer


def test_every_state_that_was_computed_can_be_reached_and_left(opened, pictures):
    """Move each control through its values: it stands where it was sent, and everything comes back to the start."""
    one = opened(pictures)
    moved = one.evaluate(
        """async () => {
            let moved = 0;
            const wrong = [];
            const reset = async (space) => { if (space.at !== 0) await space.go(0, false); };
            const seen = (control) => replay.manager.get_model(control.id).then((model) => model.get(control.trait));
            for (const { space, control } of replay.spaces.values()) {
                await reset(space);
                for (const [v, value] of control.values.entries()) {
                    const state = space.told.reach[`${control.index}=${v}`];
                    if (state === undefined || space.told.alone.includes(control.index)) continue;
                    await space.move(control, value);
                    if (space.at !== state) wrong.push([control.trait, value, space.at, state]);
                    const now = await seen(control);
                    const sorted = (x) => JSON.stringify(Array.isArray(x) ? [...x].sort() : x);
                    const same = sorted(now) === sorted(value) || Math.abs(now - value) <= 1e-9;
                    if (!same) wrong.push([control.trait, value, now]);
                    await reset(space);
                    moved += 1;
                }
            }
            return { moved, wrong };
        }"""
    )
    assert moved["wrong"] == []
    assert moved["moved"] > 20


def test_a_control_comes_back_that_has_moved_another_one(opened, rehearsed):  # noqa: F811
    """From either of two controls leads a way to the same state: each of two sliders moves the other."""
    one = opened(rehearsed)
    stands = one.evaluate(
        """async () => {
            for (const { space } of replay.spaces.values()) {
                const alone = Object.entries(space.told.reach).filter(([key]) => /^\\d+=\\d+$/.test(key));
                for (const [key, state] of alone) {
                    const [c, v] = key.split("=").map(Number);
                    if (!alone.some(([other, at]) => at === state && Number(other.split("=")[0]) !== c)) continue;
                    const control = space.controls.find((one) => one.index === c);
                    await space.move(control, control.values[v]);
                    const there = space.at;
                    await space.move(control, control.start);
                    return [there === state, space.at];
                }
            }
            return null;
        }"""
    )
    assert stands == [True, 0]
    expect(one.locator(".widget-label", has_text=" and ")).to_have_text("1 and 1")


def test_two_controls_that_were_not_computed_together_are_not_shown_together(opened, rehearsed):  # noqa: F811
    one = opened(rehearsed)
    result = one.evaluate(
        """async () => {
            for (const { space } of replay.spaces.values()) {
                const alone = space.controls.filter((c) => c.kind !== "probe" && !space.told.alone.includes(c.index));
                for (const a of alone) for (const b of alone) {
                    if (a === b || b.kind !== "pick") continue;
                    const reached = (c) => [...c.values.keys()].filter((i) => `${c.index}=${i}` in space.told.reach);
                    const pairs = reached(a).flatMap((v) => reached(b).map((w) => [v, w]));
                    const found = pairs.find(([v, w]) => space.reach([[a.index, v], [b.index, w]]) === undefined);
                    if (!found) continue;
                    const [v, w] = found;
                    await space.move(a, a.values[v]);
                    await space.move(b, b.values[w]);
                    const told = space.outlets.map((one) => one.textContent).join("");
                    return { at: space.at, alone: space.told.reach[`${b.index}=${w}`], told };
                }
            }
            return null;
        }"""
    )
    assert result is not None
    assert result["at"] == result["alone"]
    assert result["told"]


def test_each_control_shows_what_a_kernel_shows(opened, pictures, drawn):
    assert compare(opened(pictures), pictures, drawn, most=4) > 10


def test_each_button_shows_what_a_kernel_shows(opened, pictures, drawn):
    assert compare_buttons(opened(pictures), pictures, drawn) > 0


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_each_page_is_small_and_each_control_shows_what_a_kernel_shows(opened, model, tmp_path, name):
    (built,) = page.build_all([NOTEBOOKS / name], 40, 1, lambda _: None)
    assert page.write_page(built, tmp_path / "small.html", {}) < 8_000_000
    one = opened(built)
    assert compare(one, built, NOTEBOOKS / name, most=12) > 20
    assert compare_buttons(one, built, NOTEBOOKS / name) > 0


def test_a_slow_phone_complains_of_nothing(opened, pictures):
    """anywidget reports each model that takes more than two seconds; here, more than none."""
    at_once = "const { timeout } = AbortSignal; AbortSignal.timeout = () => timeout.call(AbortSignal, 0);"
    one = opened(pictures, script=at_once)
    one.wait_for_timeout(500)
    expect(one.locator("figure.llmviz").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(opened, pictures, scheme):
    one = opened(pictures, width=400, scheme=scheme)
    show_all(one)
    assert one.evaluate("document.documentElement.scrollWidth") <= 400
    figure = one.locator("figure.llmviz").first
    assert figure.get_attribute("data-lv-theme") == scheme
    one.locator(".switch-theme").click()
    expect(figure).to_have_attribute("data-lv-theme", {"light": "dark", "dark": "light"}[scheme])
