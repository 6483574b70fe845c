"""The map and the question in a real JupyterLab, by mouse and by keyboard."""

import re

import pytest
from playwright.sync_api import expect

SETUP = """
import ipywidgets, llmviz
from llmviz import views
model = llmviz.load()
trace = model.trace("The cat that I saw yesterday was sleeping")
"""
MAPS = [
    "views.PipelineMap(model, trace, here='attention')",
    "m = views.PipelineMap(model, trace, links=False)\nlabel = ipywidgets.Label()\n"
    "m.observe(lambda change: setattr(label, 'value', f'picked {change.new}'), 'picked')\n"
    "ipywidgets.VBox([m, label])",
]
QUESTIONS = [
    "views.Predict('<img src=x onerror=alert(1)> Which?', ['·cat', '·dog', '<script>alert(2)</script>'], "
    "answer=lambda: '·dog', explain='Since it is.')",
    "views.Predict('How likely?', answer=lambda: 67.5, unit='%', low=0, high=100, stage='sampling')",
    "views.Predict('Broken?', answer=lambda: 1 / 0, stage='ffn')",
]


@pytest.fixture(scope="module")
def lab(open_lab, lab_server):
    lab_server.write("scratch", SETUP, *MAPS, *QUESTIONS)
    lab = open_lab("scratch")
    lab.run_all()
    assert lab.errors() == []
    yield lab
    assert lab.console == []
    assert lab.outside == []


def test_the_map_shows_the_sentences_shapes_and_where_you_are(lab):
    here = lab.picture("pipeline_map").locator("[aria-current=step]")
    expect(here).to_have_text(re.compile(r"Attention\D*9 heads"))
    expect(here).to_have_class(re.compile("lv-solid"))
    expect(lab.picture("pipeline_map").locator(".lv-stage").first).to_contain_text("8 tokens")


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_a_stage_opens_its_notebook_in_a_tab_of_jupyterlab(lab, how):
    link = lab.picture("pipeline_map").get_by_role("link", name="Tokenization")
    lab.page.evaluate("window.stillTheSamePage = true")
    if how == "mouse":
        link.click()
    else:
        link.focus()
        lab.page.keyboard.press("Enter")
    current = "window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/01_tokenization.ipynb'"
    lab.page.wait_for_function(current, timeout=60_000)
    assert lab.page.evaluate("window.stillTheSamePage")
    lab.page.locator(".lm-TabBar-tab", has_text="scratch.ipynb").first.click()


def test_arrow_keys_walk_along_the_map_and_pick(lab):
    picture = lab.picture("pipeline_map", 1)
    first = picture.get_by_role("button", name="Tokenization")
    first.click()
    expect(lab.page.get_by_text("picked tokenization", exact=True)).to_be_visible()
    expect(first).to_have_attribute("aria-pressed", "true")
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("Enter")
    expect(lab.page.get_by_text("picked position", exact=True)).to_be_visible()
    expect(first).to_have_attribute("aria-pressed", "false")


def test_a_question_by_mouse(lab):
    question = lab.picture("predict")
    commit = question.get_by_role("button", name="Lock in my guess")
    commit.click()
    expect(question.locator(".lv-refusal")).not_to_be_empty()
    expect(question.locator(".lv-sentences")).to_have_count(0)
    question.get_by_text("·cat").click()
    commit.dblclick()  # the second press meets “Guess again”, which comes there: too soon to be meant
    expect(question.locator(".lv-sentences")).to_have_text(re.compile("“·cat”.*“·dog”"))
    expect(question.locator(".lv-why")).to_have_text("Since it is.")
    expect(question.locator(".lv-right")).to_have_text("·dog")
    expect(question.get_by_text("<script>alert(2)</script>")).to_be_visible()
    lab.page.wait_for_timeout(800)
    question.get_by_role("button", name="Guess again").click()
    expect(question.locator(".lv-sentences")).to_have_count(0)
    expect(commit).to_be_visible()


def test_a_question_by_keyboard(lab):
    question = lab.picture("predict")
    question.get_by_role("radio").first.focus()
    lab.page.keyboard.press("Space")
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("Enter")
    expect(question.locator(".lv-sentences")).to_have_text(re.compile("^[^“]*“·dog”[^“]*$"))


def test_a_number_by_keyboard(lab):
    question = lab.picture("predict", 1)
    question.get_by_role("spinbutton").focus()
    lab.page.keyboard.type("20.5")
    expect(question.get_by_role("spinbutton")).to_have_value("20.5")
    lab.page.keyboard.press("Enter")
    expect(question.locator(".lv-sentences")).to_contain_text(re.compile(r"20\.5%.*67\.5%.*\b47 "))
    lab.page.wait_for_timeout(800)
    question.get_by_role("button", name="Guess again").click()
    expect(question.get_by_role("spinbutton")).to_have_value("")


def test_a_number_by_the_slider(lab):
    question = lab.picture("predict", 1)
    question.get_by_role("slider").focus()
    lab.page.keyboard.press("ArrowRight")
    expect(question.get_by_role("spinbutton")).to_have_value("51")
    question.get_by_role("button", name="Lock in my guess").click()
    expect(question.locator(".lv-dot-answer")).to_be_visible()


def test_an_answer_that_fails_is_a_sentence(lab):
    question = lab.picture("predict", 2)
    question.get_by_role("spinbutton").fill("3")
    question.get_by_role("button", name="Lock in my guess").click()
    expect(question.locator(".lv-sentences")).to_contain_text("division by zero")
    assert lab.errors() == []


def test_another_theme_reaches_every_picture(lab):
    assert len(lab.pictures()) == 5
    lab.switch_theme("dark")


def test_a_box_says_that_it_computes(open_lab, lab_server):
    slow = """
import time
from pathlib import Path
def strip(run):
    while Path(f"wait_{len(run.pieces)}").exists():
        time.sleep(0.05)
    return views.TokenStrip(run.pieces)
prompt = views.Prompt(model, 'The cat')
views.live(prompt, strip)
"""
    lab_server.write("slow", SETUP, slow)
    three, four = (lab_server.root / "notebooks" / f"wait_{n}" for n in (3, 4))
    lab = open_lab("slow")
    lab.run_all()
    box = lab.page.locator(".lv-text-box input")
    box.press_sequentially(" sat")
    note = lab.page.locator(".lv-not-yet")
    expect(note).not_to_be_empty()
    old = note.inner_text()
    three.touch()
    box.press("Enter")
    expect(note).to_have_text(runs := re.compile(rf"^(?!{re.escape(old)}).+"))  # it computes
    three.unlink()
    expect(note).to_be_empty()
    expect(lab.page.locator(".lv-chip")).to_have_count(3)
    box.press_sequentially(" on")
    three.touch()
    four.touch()
    box.press("Enter")
    for _ in " on":
        box.press("Backspace")
    box.press("Enter")  # sent, too: the text between comes in first
    four.unlink()
    expect(note).to_have_text(runs)
    three.unlink()
    expect(note).to_be_empty()
    expect(lab.page.locator(".lv-stale")).to_have_count(0)
