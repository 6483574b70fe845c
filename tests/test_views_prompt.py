"""A text, its answer, and every picture of notebook 05 that follows them."""

import ipywidgets
import numpy as np
import pytest
from typed_texts import BAD_TEXTS
from widget_tree import inside

from llmviz.views import ffn as pictures
from llmviz.views.kit.picture import Explorer

KINDS = {
    "one token": "t",
    "right to left": "שלום עולם",
    "emoji": "👩‍👩‍👧 naïve 🙂",
    "markup": "<script>alert(1)</script><|im_end|>",
    "control characters": "a\x07b\ud800c",
    "long": "cat dog " * 40,
}


def explorers(prompt):
    return [
        pictures.FFNByHand(prompt, 1),
        pictures.FewFire(prompt),
        pictures.NeuronExplorer(prompt, "the dog sat", layer=2, neuron=5),
        pictures.StreamNorms(prompt),
        pictures.WhoSaysIt(prompt),
        pictures.LensGrid(prompt, "cat, dog"),
        pictures.WhereIsTheFact(prompt, "the cat sat"),
        pictures.CausalTracer(prompt, (1, 2)),
    ]


def finish(explorer, button=0):
    """Press a button where no event loop runs: the whole work at once."""
    explorer.buttons[button].click()


def test_the_prompt_offers_the_likeliest_tokens(prompt, tiny_model):
    best = np.argsort(-prompt.trace.logits)[:10].tolist()
    assert [token for _, token in prompt.answers.options] == best
    assert prompt.answer == best[0]
    calls = []
    prompt.lead(Explorer(), lambda: calls.append((prompt.trace.pieces, prompt.answer)))
    prompt.answers.value = best[3]
    prompt.box.value = "the dog"
    prompt.box.value = ""
    now = int(tiny_model.trace("the dog").logits.argmax())
    first, second, third = calls  # the empty box changed nothing
    assert (first[1], second[1], third[1]) == (best[0], best[3], now)
    assert third[0] == prompt.trace.pieces


@pytest.mark.parametrize("kind", KINDS)
def test_every_explorer_follows_whatever_is_typed(prompt, kind):
    shown = explorers(prompt)
    prompt.box.value = KINDS[kind]
    prompt.answers.value = prompt.answers.options[2][1]
    for control in (shown[6], shown[7]):
        finish(control)
    for one in shown:
        assert repr(one)
    assert "<script>" not in "".join(w.value for one in shown for w in inside(one, ipywidgets.HTML))


@pytest.mark.parametrize("typed", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_no_box_breaks_over_what_is_typed(prompt, typed):
    shown = explorers(prompt)
    boxes = [prompt.box, shown[2].wakes.box, shown[5].words, shown[6].control.box]
    for box in boxes:
        box.value = typed
    for one in shown[6:]:
        finish(one)
    html_of_all = "".join(w.value for one in (prompt, *shown) for w in inside(one, ipywidgets.HTML))
    assert "<script>" not in html_of_all
    assert "Traceback" not in html_of_all
    for box in boxes:
        box.value = "the cat"
    assert prompt.trace.pieces == shown[2].strip.pieces == shown[0].strip.pieces


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
