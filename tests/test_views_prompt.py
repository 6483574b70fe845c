"""A text, and every picture of notebook 05 that follows it."""

import ipywidgets
import numpy as np
import pytest
from typed_texts import BAD_TEXTS
from widget_tree import inside

from llmviz.views import ffn as pictures

KINDS = {
    "one token": "t",
    "right to left": "שלום עולם",
    "emoji": "👩‍👩‍👧 naïve 🙂",
    "markup": "<script>alert(1)</script><|im_end|>",
    "control characters": "a\x07b\ud800c",
    "long": "cat dog " * 40,
}


def explorers(prompt):
    fact = pictures.Fact(prompt, "dog")
    return [
        pictures.FFNByHand(prompt, 1),
        pictures.StreamNorms(prompt),
        pictures.LogitTakenApart(prompt),
        pictures.LensGrid(prompt, "cat, dog"),
        pictures.FollowTheFact(fact, 1),
        pictures.PutIn(fact, "cat"),
        fact,
    ]


def finish(view):
    """Press the button where no event loop runs: the whole work at once."""
    (name,) = view._jobs
    view.parts[name].click()


@pytest.mark.parametrize("kind", KINDS)
def test_every_explorer_follows_whatever_is_typed(prompt, kind):
    shown = explorers(prompt)
    prompt.box.value = KINDS[kind]
    for one in shown[4:6]:
        finish(one)
    for one in shown:
        assert repr(one)
    assert "<script>" not in "".join(w.value for one in shown for w in inside(one, ipywidgets.HTML))


@pytest.mark.parametrize("typed", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_no_box_breaks_over_what_is_typed(prompt, typed):
    shown = explorers(prompt)
    boxes = [prompt.box, shown[3].words, shown[5].controls["word"], shown[6].controls["word"]]
    for box in boxes:
        box.value = typed
    for one in shown[4:6]:
        finish(one)
    html_of_all = "".join(w.value for one in (prompt, *shown) for w in inside(one, ipywidgets.HTML))
    assert "<script>" not in html_of_all
    assert "Traceback" not in html_of_all
    for box in boxes:
        box.value = "the cat"
    assert prompt.trace.pieces == shown[6].parts["strip"].pieces == shown[0].strip.pieces


def test_controls_that_answer_in_two_threads_wait_for_each_other(prompt):
    """JupyterLab hands each widget's messages to a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    one, lens = pictures.FFNByHand(prompt, 1), pictures.LensGrid(prompt, "cat")
    texts = ["the cat sat on the dog"[: 3 + i % 19] for i in range(40)]
    with ThreadPoolExecutor(2) as threads:
        typed = threads.submit(lambda: [setattr(prompt.box, "value", text) for text in texts])
        moved = threads.submit(lambda: [setattr(one.layer, "value", turn % 3) for turn in range(80)])
        typed.result()
        moved.result()
    n = len(prompt.trace.tokens)
    assert len(one.strip.pieces) == len(lens.map.col_labels) == n
    np.testing.assert_array_equal(
        one.written.values[0], prompt.trace.blocks[one.layer.value].resid_mid[one.strip.selected]
    )


@pytest.mark.parametrize("typed", ["", "\ud83d"])
def test_what_has_no_token_stays_in_the_box_and_the_last_run_stands(prompt, typed):
    run, shown = prompt.trace, prompt.freshness.shown
    prompt.box.value = typed
    assert prompt.box.value == prompt.state.text == typed
    assert (prompt.trace, prompt.freshness.shown, prompt.tokens) == (run, shown, [])
    assert prompt.message.value
    assert prompt.reading(typed).told in repr(prompt)


def test_pictures_have_been_drawn_when_the_box_says_that_they_show_its_text(prompt):
    seen = []
    prompt.observe(lambda _: seen.append((prompt.freshness.shown, len(prompt.tokens))), "trace")
    before = prompt.freshness.shown
    prompt.box.value = "the dog"
    assert seen == [(before, len(prompt.trace.tokens))]
    assert prompt.freshness.shown == "the dog"
