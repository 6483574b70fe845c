"""Notebook 05 in a real JupyterLab: each interaction by mouse and by keyboard."""

import re
from statistics import median

import pytest
from browser.lab import visit
from playwright.sync_api import expect

from llmviz.views.ffn.fact import WORDS

VERDICT = re.compile("|".join(re.escape(meaning[1:]) for meaning in WORDS["meaning"].values()))

SLOW = 180_000  # milliseconds that an experiment of many runs may take on a machine that does other things as well


@pytest.fixture(scope="module")
def lab(open_lab):
    yield from visit(open_lab("05_ffn"))


def card(lab, question):
    return lab.page.locator("figure.lv-predict", has_text=question)


def shown(lab, question, name, nth=0):
    """A picture that comes with a card's answer, once it is painted."""
    answered = card(lab, question)
    answered.scroll_into_view_if_needed()
    asked = answered.get_by_role("button", name="Show me")
    if asked.count():
        asked.click()
    output = lab.page.locator(".jp-OutputArea-output").filter(has=answered)
    picture = output.locator(f"figure.lv-{name}").nth(nth)
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("data-lv-theme", re.compile("light|dark"))
    return picture, output


def readout(picture):
    return picture.locator(".lv-readout")


def test_runs_without_an_error_and_gives_no_answer_away(lab):
    assert lab.errors() == []
    expect(lab.page.locator("figure.lv-silu_curve")).to_be_hidden()
    expect(lab.page.locator("figure.lv-sum_bar")).to_be_hidden()


def test_a_neuron_on_the_curve_is_framed_in_the_stripes(lab, record_property):
    curve, output = shown(lab, "gates are below zero", "silu_curve")
    plot = curve.locator(".lv-plot")
    plot.press("End")
    expect(readout(curve)).to_contain_text("neuron")
    named = readout(curve).inner_text().split(" · ")[0]
    stripes = output.locator("figure.lv-vector_picture").nth(1)
    stripes.scroll_into_view_if_needed()
    expect(readout(stripes)).to_contain_text(named)
    curve.scroll_into_view_if_needed()
    layer = output.locator(".widget-slider", has_text="Layer").get_by_role("slider")
    times = lab.latencies(layer, ["ArrowRight"] * 2 + ["ArrowLeft"] * 2, curve)
    record_property("milliseconds", [round(t) for t in times])
    print(f"layer slider, key to changed curve: median {median(times):.0f} ms, worst {max(times):.0f} ms")


def test_the_curve_and_its_control_by_keys(lab):
    plot, _ = shown(lab, "write half of the writing", "line_plot")
    plot.locator(".lv-plot").press("End")
    expect(readout(plot)).to_contain_text("layer 29")
    expect(readout(plot)).to_contain_text("control")


def test_a_place_in_the_ranking_changes_the_neurons(lab):
    plot, output = shown(lab, "1,536 neurons of layer 27", "line_plot")
    table = output.locator("figure.lv-piece_table")
    table.scroll_into_view_if_needed()
    first = table.locator(".lv-side").first
    before = first.inner_text()
    plot.locator(".lv-plot").press("End")
    expect(first).not_to_have_text(before)
    expect(table.locator(".lv-side")).to_have_count(1)


def test_the_logit_opens_by_mouse_and_keys(lab):
    bar, _ = shown(lab, "do all FFNs add, directly", "sum_bar")
    terms = bar.locator(".lv-term")
    expect(terms).to_have_count(1)
    terms.first.click()
    expect(terms).to_have_count(5)
    bar.get_by_role("button", name=re.compile("^▸?attention")).press("Enter")
    expect(terms).to_have_count(35)
    bar.get_by_role("button", name=re.compile("^▸?attention 23")).press("Enter")
    expect(terms).to_have_count(44)
    expect(terms.filter(has_text="layer 23, head 4")).to_contain_text("+2.87")
    terms.first.click()
    expect(terms).to_have_count(1)


def test_the_twins_stream_is_put_in_and_stopped(lab):
    card(lab, re.compile(r"\(−1: \w+\)")).scroll_into_view_if_needed()
    card(lab, re.compile(r"\(−1: \w+\)")).get_by_role("button", name="Show me").click()
    run = lab.page.get_by_role("button", name="Put it in at every depth", exact=True)
    run.press("Enter")
    stop = lab.page.get_by_role("button", name="Stop", exact=True).first
    expect(stop).to_be_visible()
    stop.click()
    expect(run).to_be_visible()
    run.click()
    expect(lab.page.get_by_text(re.compile(r"\b24 .*\b29\b")).first).to_be_visible(timeout=SLOW)


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("FFNs 5 to 15 are off", 1),
        ("Only this head is swapped", 2),
        ("the last token may not look at the subject", 3),
        ("Only the FFNs after the head", 4),
    ],
)
def test_each_step_tells_what_it_found(lab, question, number):
    answered = card(lab, question)
    answered.scroll_into_view_if_needed()
    answered.get_by_role("button", name="Show me").click()
    output = lab.page.locator(".jp-OutputArea-output").filter(has=answered)
    output.get_by_role("button", name=f"Test step {number}").press("Enter")
    expect(output.get_by_text(VERDICT).first).to_be_visible(timeout=SLOW)
    expect(output.locator("figure.lv-heat_map")).to_contain_text("swapped: ")


def test_the_map_has_every_step_that_was_tested(lab):
    fact_map = lab.page.locator("figure.lv-fact_map:visible")  # the single steps' are hidden
    expect(fact_map).to_have_count(1)
    fact_map.scroll_into_view_if_needed()
    expect(fact_map.locator(".lv-badge")).to_have_count(4)
    expect(fact_map.locator(".lv-unknown")).to_have_count(1)
    expect(fact_map.locator(".lv-carries")).to_have_count(2)  # and its sign in the legend


def test_ten_countries_by_a_button_that_stops(lab):
    asked = card(lab, "how many of the ten countries")
    output = lab.page.locator(".jp-OutputArea-output").filter(has=asked)
    asked.scroll_into_view_if_needed()
    expect(output.get_by_role("button", name="Stop")).to_have_count(0)  # nothing runs before a guess
    asked.get_by_role("button", name="Show me").click()
    output.get_by_role("button", name="Stop").click()
    expect(output.get_by_role("button", name="Continue")).to_be_visible()


def test_another_subject_and_another_text_reach_every_picture(lab):
    _, output = shown(lab, "FFNs 5 to 15 are off", "token_strip")
    output.locator(".lv-chip").nth(1).click()
    expect(output.get_by_text(re.compile("“·?capital”")).first).to_be_visible(timeout=60_000)
    expect(lab.page.locator("figure.lv-fact_map:visible")).to_have_count(0)
    box = lab.page.locator(".widget-text input").first
    box.scroll_into_view_if_needed()
    box.fill("<script>document.title = 'taken'</script> People in Greece speak")
    box.press("Enter")
    strip, output = shown(lab, "Only this head is swapped", "token_strip")
    expect(strip.locator(".lv-chip").last).to_contain_text("speak")
    expect(output.get_by_text(re.compile("“·?Greece”")).first).to_be_visible(timeout=60_000)
    said, _ = shown(lab, "Suppose this head looks", "signed_bars")
    expect(said).to_contain_text("·Greece", timeout=60_000)
    assert lab.page.title() != "taken"
