"""A text box, and what follows it."""

import threading

import ipywidgets
import numpy as np
import pytest
from messages import numbers

from llmviz import views
from llmviz.views import ffn as pictures
from llmviz.views.kit.fact import Fact
from llmviz.views.kit.text_box import Prompt, read
from llmviz.where import VARIABLE


def test_controls_that_answer_in_two_threads_wait_for_each_other(prompt):
    """JupyterLab hands each widget's messages to a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    view, other = pictures.FFNByHand(prompt, 1), pictures.ArticleNeuron(prompt)
    texts = ["the cat sat on the dog"[: 3 + i % 19] for i in range(40)]
    with ThreadPoolExecutor(2) as threads:
        typed = threads.submit(lambda: [setattr(prompt.box, "value", text) for text in texts])
        moved = threads.submit(
            lambda: [setattr(view.controls["layer"], "value", turn % 3) for turn in range(80)]
        )
        typed.result()
        moved.result()
    n = len(prompt.trace.tokens)
    assert len(view.parts["strip"].pieces) == len(other.parts["strip"].pieces) == n
    np.testing.assert_array_equal(
        view.parts["written"].values[0], prompt.trace.blocks[view.state.layer].resid_mid[-1]
    )


@pytest.mark.parametrize("typed", ["", "\ud83d"])
def test_what_has_no_token_stays_in_the_box_and_the_last_run_stands(prompt, typed):
    run, shown = prompt.trace, prompt.freshness.shown
    prompt.box.value = typed
    assert prompt.box.value == prompt.state.text == typed
    assert (prompt.trace, prompt.freshness.shown, prompt.tokens) == (run, shown, [])
    assert prompt.message.sentences
    assert prompt.reading(typed).message in repr(prompt)


def test_pictures_have_been_drawn_when_the_box_says_that_they_show_its_text(prompt):
    seen = []
    prompt.observe(lambda _: seen.append((prompt.freshness.shown, len(prompt.tokens))), "trace")
    before = prompt.freshness.shown
    prompt.box.value = "the dog"
    assert seen == [(before, len(prompt.trace.tokens))]
    assert prompt.freshness.shown == "the dog"


@pytest.mark.parametrize(("live", "where", "says_enter"), [(False, "", 1), (True, "", 0), (False, "page", 0)])
def test_enter_is_named_where_it_runs_the_model(tiny_model, monkeypatch, live, where, says_enter):
    monkeypatch.setenv(VARIABLE, where)
    made = Prompt(tiny_model, "the cat", label="Your sentence", live=live)
    heading = made.children[0].value
    assert "Your sentence" in heading
    assert [("Enter" in text) for text in (heading, made.box.placeholder)] == [says_enter] * 2


def test_what_is_typed_while_another_thread_draws_is_not_lost(tiny_model):
    """JupyterLab hands the messages of widgets to a thread of their own; a cell's jobs draw in another."""
    view = Fact(Prompt(tiny_model, "the cat sat"), "dog")
    control = view.controls["word"]
    set_trait, has_set, drawn = control.set_trait, threading.Event(), threading.Event()

    def slowly(name, value):
        set_trait(name, value)
        has_set.set()
        drawn.wait(0.5)

    control.set_trait = slowly
    typed = threading.Thread(target=control.set_state, args=({"value": "cats"},))
    typed.start()
    has_set.wait(5)
    view.catch_up()
    drawn.set()
    typed.join()
    assert view.state.word == control.value == "cats"


def test_a_long_text_uses_the_first_512_tokens(tiny_model):
    reading = read("word " * 700, tiny_model.tokenizer)
    assert len(reading.tokens) == 512
    assert 512 in numbers(reading.message)


# --- a person's own picture on a text box ---


def pattern(trace):
    return views.HeatMap(trace.blocks[0].attention.pattern[0], trace.pieces, caption="where it looks")


def pattern_if_long(trace):
    return pattern(trace) if len(trace.tokens) > 2 else ipywidgets.Label("too short")


def test_the_picture_follows_the_box_in_place_and_leaves_no_widget_behind(tiny_model):
    prompt = Prompt(tiny_model, "The cat that I saw")
    page = views.live(prompt, pattern)
    [shown] = page._place.children
    alive = len(ipywidgets.widgets.widget._instances)
    for text in ("The dog", ""):
        prompt.box.value = text
        assert page._place.children == (shown,)
        trace = tiny_model.trace("The dog")
        np.testing.assert_array_equal(np.nan_to_num(shown.values), trace.blocks[0].attention.pattern[0])
        assert shown.row_labels == trace.pieces
    assert len(ipywidgets.widgets.widget._instances) == alive
    other = views.live(prompt, pattern_if_long)
    [replaced] = other._place.children
    prompt.box.value = "a"
    assert other._place.children[0].value == "too short"
    assert replaced.comm is None
    page.close()
    assert prompt.comm is not None


def test_an_error_in_the_function_is_not_swallowed(tiny_model):
    with pytest.raises(ZeroDivisionError):
        views.live("The cat", lambda trace: 1 / 0, model=tiny_model)
