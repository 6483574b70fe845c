"""How a picture gets its script and its changes: late, when nobody waits any more, after a reload, on slow machines."""

import json

import numpy as np
import pytest
from browser.lab import GIVEN_UP
from playwright.sync_api import expect

from llmviz.views import NextTokenBars, TokenStrip
from llmviz.views.kit.drawn import bundle
from llmviz.views.kit.picture import Picture

# A page that knows pictures, but the bundle only after `come()`; `show(i)` renders the i-th picture.
PAGE = """
async ([loader, pictures, bundleId, bundle]) => {
  const { default: widget } = await import(URL.createObjectURL(new Blob([loader], { type: "text/javascript" })));
  const models = new Map();
  const manager = { get_model: async (id) => models.get(id) ?? Promise.reject(new Error("widget model not found")) };
  const model = (state) => ({
    widget_manager: manager, get: (name) => state[name] ?? null, set() {}, save_changes() {}, on() {}, off() {},
  });
  window.imports = 0;
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => { window.imports += 1; return make.call(URL, blob); };
  window.come = () => models.set(bundleId, model(bundle));
  window.show = (i, signal) => {
    const el = document.body.appendChild(document.createElement("div"));
    el.id = `place${i}`;
    return widget.render({ model: model(pictures[i]), el, signal });
  };
}
"""


@pytest.fixture
def page(browser):
    """Two strips and a set of bars, which know nothing yet of the bundle; nothing may be logged as an error."""
    strips = [TokenStrip(["The", " cat"]), TokenStrip(["one", " more"])]
    bars = NextTokenBars(np.array([0.25, 0.75]), Letters(), n=2)
    pictures = [*strips, bars]
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    states = [json.loads(json.dumps(one.get_state(), default=lambda _: None)) for one in pictures]
    for state in states:  # arrays go as bytes of their own, which this page does without
        state |= {name: None for name in ("probs", "weights", "before") if name in state}
    page.evaluate(PAGE, [Picture._esm, states, bundle().model_id, bundle().get_state()])
    yield page
    assert errors == []
    page.close()


class Letters:
    """A tokenizer with a letter a token."""

    def pieces(self, tokens):
        return [chr(ord("a") + token) for token in tokens]


def test_pictures_wait_for_a_script_that_comes_late(page):
    page.evaluate("() => { window.shown = Promise.all([0, 1, 2].map((i) => window.show(i))); }")
    page.wait_for_timeout(300)
    assert page.locator("figure, style").count() == 0  # nothing, rather than something unstyled
    page.evaluate("window.come()")
    page.evaluate("() => window.shown.then(() => null)")
    expect(page.locator("#place0 .lv-chip")).to_have_count(2)
    expect(page.locator("#place1 .lv-chip").first).to_contain_text("one")
    expect(page.locator("#place2 .lv-row")).to_have_count(2)
    assert (
        page.locator("#place0 .lv-card").evaluate("(card) => getComputedStyle(card).borderRadius") == "10px"
    )
    # one module in all, and one sheet
    assert page.evaluate("[window.imports, document.querySelectorAll('style').length]") == [1, 1]


def test_a_picture_that_is_gone_before_its_script_comes_says_nothing(page):
    page.evaluate(
        "() => { window.gone = new AbortController(); window.shown = window.show(0, window.gone.signal); }"
    )
    page.wait_for_timeout(150)
    page.evaluate("() => window.gone.abort()")
    page.evaluate("() => window.shown.then(() => null)")  # without the script ever coming
    page.evaluate("window.come()")
    page.evaluate("() => window.show(1).then(() => null)")
    assert page.locator("#place0 *").count() == 0
    expect(page.locator("#place1 .lv-chip")).to_have_count(2)


def test_after_a_reload_the_pictures_of_a_running_kernel_are_there_again(open_lab, lab_server):
    lab_server.write(
        "scripts", "from llmviz.views import TokenStrip\nTokenStrip(['The', ' cat'])", "TokenStrip(['one'])"
    )
    lab = open_lab("scripts")
    lab.run_all()
    for _ in range(2):
        expect(lab.picture("token_strip", 0).locator(".lv-chip")).to_have_count(2)
        lab.picture("token_strip", 1).locator(".lv-chip").click()
        expect(lab.picture("token_strip", 1).locator(".lv-readout")).to_contain_text("token 1 of 1")
        assert lab.page.locator("figure.llmviz").count() == 2
        assert lab.page.locator("style[data-llmviz]").count() == 1
        lab.command("docmanager:save")
        lab.page.reload()
    assert (lab.errors(), lab.console, lab.outside) == ([], [], [])


SLOW = """
from llmviz.views import TokenStrip
from llmviz.views.kit.picture import Picture

Picture._esm = "await new Promise((done) => setTimeout(done, 3000));" + Picture._esm
strip = TokenStrip(["The", " cat"])
strip.pieces = ["The", " cat", " sat"]
strip
"""


def test_a_picture_whose_script_takes_seconds_to_begin_follows_its_kernel(open_lab, lab_server):
    """After two seconds, anywidget lets no message through to the picture itself."""
    lab_server.write("slow", SLOW)
    lab, errors = open_lab("slow"), []
    lab.page.on("pageerror", lambda error: errors.append(str(error)))
    lab.run_all()
    chips = lab.picture("token_strip").locator(".lv-chip")
    expect(chips).to_have_count(3)
    assert {*errors} == {GIVEN_UP}
    lab.run_code("strip.pieces = ['one', ' more']")
    expect(chips).to_have_count(2)
    for _ in range(2):  # the kernel may set the same value again where the page has set another
        chips.nth(0).click()
        expect(chips.nth(0)).to_have_attribute("aria-selected", "true")
        lab.run_code("strip.selected = 1")
        expect(chips.nth(1)).to_have_attribute("aria-selected", "true")
    lab.run_code("strip.add_class('lv-added')")
    expect(lab.page.locator(".lv-added figure")).to_be_visible()
    assert lab.errors() == []
