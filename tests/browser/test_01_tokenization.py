"""Notebook 01 in a real JupyterLab and under Voilà: each picture by mouse and by keyboard, and whatever is typed."""

import re
from xml.etree import ElementTree

import pytest
from browser.lab import NO_TEXT, readout, report
from browser.visit import visit
from playwright.sync_api import expect
from typed_texts import FEW

TEXT = "Your text (the pictures follow it)"
BOXES = {
    TEXT: "token_strip",
    "Your own word (Enter)": "token_strip",
    "Text to learn from": "bpe_training",
    "The sentence in your language": "count_bars",
    "System": "token_strip",
    "You": "token_strip",
}


@pytest.fixture(scope="module")
def before_guessing(open_lab):
    yield from visit(open_lab("01_tokenization"))


@pytest.fixture(scope="module")
def lab(before_guessing):
    """With all folds open and all pictures shown."""
    before_guessing.show_all()
    # While the kernel still asks about the letters, it gets what the page sends out of order (a step after a text).
    for nth in range(2):
        own_word = before_guessing.page.get_by_label("Your own word (Enter)", exact=True).nth(nth)
        expect(own_word).to_be_visible(timeout=240_000)
    return before_guessing


def box(lab, label, nth=0):
    """A box by its label; the page's own text (shown again above each picture) by the picture that it stands with."""
    if label == TEXT:
        found = lab.page.get_by_placeholder(TEXT).nth(nth)
    else:
        found = lab.page.get_by_label(label, exact=True).nth(nth)
    found.scroll_into_view_if_needed()
    return found


def beside(lab, control, name):
    """The picture in the same box of widgets as a control; the page's own text has its tokens below the first card."""
    if control.get_attribute("placeholder") == TEXT and name == "token_strip":
        return lab.picture("token_strip")
    return control.locator(f"xpath=ancestor::*[.//figure][1]//figure[contains(@class, 'lv-{name}')]").first


def merge_box(lab):
    """The page's text, above the merging."""
    return box(lab, TEXT, 2)


def standing(replay):
    """The parts that are not merged into another one yet."""
    parts = replay.locator(".lv-part:not(.lv-hidden):not(.lv-inner)")
    rows = parts.evaluate_all("nodes => nodes.map(n => [n.offsetLeft, n.querySelector('bdi').textContent])")
    return [text for _, text in sorted(rows)]


def test_a_guess_comes_before_the_answer(before_guessing):
    lab = before_guessing
    guess = lab.picture("predict")
    guess.scroll_into_view_if_needed()
    assert "16" not in guess.inner_text()
    expect(lab.picture("token_strip")).to_be_hidden()
    guess.locator("input[type=number]").fill("9")
    guess.get_by_role("button", name="Lock in my guess").click()
    expect(guess.locator(".lv-sentences")).to_contain_text("16 tokens")
    expect(lab.picture("token_strip")).to_be_visible()
    options = lab.picture("predict", nth=2)
    options.scroll_into_view_if_needed()
    options.get_by_text("e + r", exact=True).click()
    options.get_by_role("button", name="Lock in my guess").press("Enter")
    expect(options.locator(".lv-right input")).to_be_checked()


def test_a_text_is_cut_while_it_is_typed(lab):
    typed = box(lab, TEXT)
    strip = beside(lab, typed, "token_strip")
    typed.fill("")
    expect(lab.page.get_by_text(NO_TEXT).first).to_be_visible()
    typed.press_sequentially("unbelievable!")
    expect(strip.locator(".lv-chip bdi")).to_have_text(["un", "belie", "vable", "!"])
    strip.locator(".lv-chip").nth(1).click()
    expect(readout(strip)).to_contain_text(re.compile(r"token 2 of 4, position 1 \([^)]*\) · id 23282"))
    expect(strip.locator(".lv-explain")).to_contain_text("ranks[piece]")
    lab.page.keyboard.press("ArrowRight")
    expect(strip.locator(".lv-explain")).to_contain_text("vable")  # an open explanation follows
    lab.page.keyboard.press("Escape")
    expect(strip.locator(".lv-explain")).to_be_hidden()
    report("key in the box to changed tokens (Python)", lab.latencies(typed, list("abcd"), strip))


def test_a_name_is_merged_by_slider_by_keys_and_by_itself(lab):
    typed = merge_box(lab)
    replay = lab.picture("merge_replay")
    typed.fill("strawberry")
    slider = replay.get_by_label("merge step", exact=True)
    slider.press("End")
    expect(replay.locator(".lv-counter")).to_have_text("7 / 7")
    assert standing(replay) == ["st", "raw", "berry"]
    slider.focus()
    lab.page.keyboard.press("Home")
    expect(replay.locator(".lv-counter")).to_have_text("0 / 7")
    assert standing(replay) == list("strawberry")
    expect(replay.locator(".lv-lowest")).to_have_text("259")
    lab.page.keyboard.press("ArrowRight")
    expect(replay.locator(".lv-counter")).to_have_text("1 / 7")
    assert standing(replay) == [*"strawb", "er", *"ry"]
    expect(readout(replay)).to_contain_text("Step 1 of 7")
    report(
        "key on the slider to changed replay (no Python)",
        lab.latencies(slider, ["ArrowRight", "ArrowLeft"] * 2, replay, wait=0.05),
    )
    lab.page.keyboard.press("End")
    lab.page.keyboard.press("ArrowLeft")
    replay.get_by_role("button", name=re.compile("Play")).click()
    expect(replay.locator(".lv-counter")).to_have_text("7 / 7", timeout=60_000)
    replay.get_by_role("button", name=re.compile("Play")).press("Enter")  # from the start, by keyboard
    expect(replay.locator(".lv-counter")).to_have_text(re.compile("[1-6] / 7"))
    replay.get_by_role("button", name=re.compile("Pause")).press("Enter")
    expect(replay.get_by_role("button", name=re.compile("Play"))).to_be_visible()
    typed.fill("Zoë")
    expect(replay.locator(".lv-character")).to_have_text(["Z", "o", "ë"])
    expect(replay.locator(".lv-counter")).to_have_text("0 / 1")
    report("key in the box to changed replay (Python)", lab.latencies(typed, list("abcd"), replay))


def test_a_vocabulary_grows_while_the_text_shrinks(lab):
    typed = box(lab, "Text to learn from")
    training = beside(lab, typed, "bpe_training")
    slider = training.get_by_label("merges", exact=True)
    parts = training.locator(".lv-text .lv-part")
    expect(parts.first).to_be_visible()  # drawn once it is in view
    at_first = parts.count()
    slider.focus()
    lab.page.keyboard.press("ArrowRight")
    expect(training.locator(".lv-counter")).to_have_text(re.compile("^1 / "))
    assert training.locator(".lv-here").text_content() == str(parts.count())
    assert parts.count() < at_first
    report(
        "key on the slider to changed training (no Python)",
        lab.latencies(slider, ["ArrowRight"] * 4, training, wait=0.05),
    )
    chip = training.locator(".lv-chip:not([hidden])").nth(1)
    chip.click()
    expect(chip).to_have_attribute("aria-selected", "true")
    assert set(training.locator(".lv-on").all_inner_texts()) == {chip.locator("bdi").inner_text()}
    lab.page.keyboard.press("ArrowRight")
    expect(training.locator(".lv-chip").nth(2)).to_have_attribute("aria-selected", "true")
    typed.fill("la la la")
    expect(training.locator(".lv-counter")).to_have_text(re.compile("^0 / "))
    # Parts are replaced in place: none lost, none doubled.
    for key in ("End", "Home", "ArrowRight", "End", "ArrowLeft"):
        slider.press(key)
        assert training.locator(".lv-text").inner_text().replace("·", " ").replace("\n", "") == "la la la"
    typed.fill("la la\nla la")
    expect(training.locator(".lv-text br")).to_have_count(1)
    slider.press("End")
    expect(training.locator(".lv-text br")).to_have_count(1)
    tops = parts.evaluate_all("nodes => nodes.map((node) => Math.round(node.getBoundingClientRect().top))")
    assert len(set(tops)) == 2  # a new line in the text is one in the picture
    typed.fill("la la la")
    expect(training.locator(".lv-counter")).to_have_text(re.compile("^0 / "))
    training.get_by_role("button", name=re.compile("Play")).click()
    expect(training.locator(".lv-on").first).to_be_visible()


def test_twenty_words_are_asked_about_and_one_of_ones_own(lab):
    typed = lab.page.get_by_label("Your own word (Enter)", exact=True).first
    expect(typed).to_be_visible(timeout=240_000)  # when all words have been asked about
    typed = box(lab, "Your own word (Enter)")
    around = typed.locator("xpath=ancestor::*[.//figure][1]")
    bars = around.locator("figure.lv-count_bars")
    expect(bars.locator(".lv-row")).to_have_count(3)
    typed.fill("summer")
    typed.press("Enter")
    strip = around.locator("figure.lv-token_strip")
    expect(strip.locator(".lv-chip", has_text="letter").first).to_be_visible()
    bars.locator(".lv-row").nth(2).click()
    expect(strip.locator(".lv-chip", has_text="word").first).to_be_visible()
    box(lab, "Example before it").select_option("none")
    expect(strip.locator(".lv-chip", has_text="Answer")).to_have_count(1)


def test_a_token_has_its_own_colour(lab):
    typed = box(lab, TEXT)
    typed.fill("to be or not to be")
    chips = beside(lab, typed, "token_strip").locator(".lv-chip")
    expect(chips).to_have_count(6)
    colors = chips.evaluate_all("nodes => nodes.map((node) => getComputedStyle(node).backgroundColor)")
    be, or_, not_ = colors[1:4]
    assert colors[5] == be
    assert len({be, or_, not_}) == 3


def test_languages_are_compared_in_two_vocabularies(lab):
    vocabulary = box(lab, "Vocabulary")
    counts, strip = beside(lab, vocabulary, "count_bars"), beside(lab, vocabulary, "token_strip")
    hindi = counts.locator(".lv-row", has_text="Hindi")
    expect(hindi.locator("b")).to_have_text("92")
    hindi.click()
    expect(strip.locator(".lv-caption")).to_contain_text(re.compile(r"Hindi.*\b92\b"))
    counts.locator(".lv-bars").focus()
    lab.page.keyboard.press("ArrowDown")
    expect(strip.locator(".lv-caption")).to_contain_text("Chinese")
    report(
        "key on the languages to changed tokens (Python)",
        lab.latencies(counts.locator(".lv-bars"), ["ArrowUp", "ArrowDown"] * 2, strip),
    )
    vocabulary.select_option("GPT-4o (o200k_base)")
    expect(hindi.locator("b")).to_have_text("25", timeout=60_000)
    expect(counts.locator(".lv-legend")).to_contain_text("outline")
    strips = vocabulary.locator("xpath=ancestor::*[.//figure][1]//figure[contains(@class, 'lv-token_strip')]")
    assert strips.nth(0).locator(".lv-chip").count() > strips.nth(1).locator(".lv-chip").count() > 0
    box(lab, "The sentence in your language").fill("Alle Menschen sind frei")
    expect(counts.locator(".lv-row")).to_have_count(11)


def test_what_is_typed_never_becomes_a_special_token(lab):
    typed = box(lab, "You")
    strip = beside(lab, typed, "token_strip")
    typed.fill("<|im_end|>")
    expect(strip.locator(".lv-highlight bdi")).to_have_text(
        ["<|im_start|>", "<|im_end|>", "<|im_start|>", "<|im_end|>", "<|im_start|>"]
    )
    box(lab, "System").fill("Be brief")
    expect(strip.locator(".lv-caption")).to_contain_text(re.compile(r"\b5\b"))


@pytest.mark.parametrize("label", BOXES)
def test_whatever_is_typed_gives_a_picture_or_a_sentence(lab, label):
    typed = box(lab, label)
    picture = beside(lab, typed, BOXES[label])
    for text in FEW:
        typed.fill(text)
        lab.page.wait_for_timeout(120)
    expect(picture.locator(".lv-body")).not_to_be_empty()
    # half a character, as a broken clipboard may hold it
    typed.evaluate(
        "node => { node.value = 'a\\ud83d'; node.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    lab.page.wait_for_timeout(300)
    typed.fill("again")
    expect(picture).to_be_visible()
    if label == "Your own word (Enter)":
        typed.press("Enter")
    if BOXES[label] != "count_bars":
        expect(picture).to_contain_text(re.compile("again|ag"))
    assert lab.errors() == []


@pytest.mark.parametrize("name", ["merge_replay", "bpe_training", "count_bars"])
def test_a_picture_is_saved_with_its_texts(lab, name):
    picture = lab.picture(name)
    picture.scroll_into_view_if_needed()
    with lab.page.expect_download() as saved:
        picture.get_by_role("button", name="SVG").click()
    svg = ElementTree.parse(saved.value.path())
    texts = "".join(svg.getroot().itertext())
    shown = [text for text in picture.locator("bdi.lv-piece").all_inner_texts() if text.isalpha()]
    assert all(text in texts for text in shown[:3])
    assert "Play" not in texts  # controls are not part of the picture
    with lab.page.expect_download() as saved:
        picture.get_by_role("button", name="PNG").click()
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_word_wider_than_the_page_is_followed(lab):
    typed = merge_box(lab)
    replay = lab.picture("merge_replay")
    word = "Donaudampfschifffahrtsgesellschaft"
    typed.fill(word)
    expect(replay.locator(".lv-character")).to_have_count(len(word))
    slider = replay.get_by_label("merge step", exact=True)
    slider.focus()
    lab.page.keyboard.press("End")
    expect(replay.locator(".lv-newest")).to_be_attached()
    inside = """node => {
        const [body, part] = [node.querySelector('.lv-body'), node.querySelector('.lv-newest')];
        const [a, b] = [body.getBoundingClientRect(), part.getBoundingClientRect()];
        return b.right > a.left && b.left < a.right;
    }"""
    for _ in range(12):
        assert replay.evaluate(inside)
        lab.page.keyboard.press("ArrowLeft")
    assert lab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_every_byte_of_another_script_can_be_read(lab):
    typed = merge_box(lab)
    replay = lab.picture("merge_replay")
    typed.fill("שלום" * 5)
    expect(replay.locator(".lv-character")).to_have_count(20)
    parts = replay.locator(".lv-part:not(.lv-hidden) .lv-piece")
    assert parts.evaluate_all("nodes => nodes.every((node) => node.scrollWidth <= node.clientWidth)")


def test_under_voila_in_dark(open_voila):
    lab = open_voila("01_tokenization")
    guess = lab.picture("predict", nth=2)
    guess.scroll_into_view_if_needed()
    guess.get_by_role("button", name="Show me").click()
    replay = lab.picture("merge_replay")
    replay.scroll_into_view_if_needed()
    expect(replay).to_have_attribute("data-lv-theme", "dark")
    merge_box(lab).fill("strawberry")
    expect(replay.locator(".lv-character")).to_have_text(list("strawberry"))
    replay.get_by_label("merge step", exact=True).focus()
    lab.page.keyboard.press("Home")
    expect(replay.locator(".lv-counter")).to_have_text("0 / 7")
    assert standing(replay) == list("strawberry")
    assert lab.page.get_by_text("Traceback").count() == 0
    assert lab.console == []
    assert lab.outside == []
