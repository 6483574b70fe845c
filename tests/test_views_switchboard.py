"""The switchboard without a browser."""

from dataclasses import replace

import numpy as np
import pytest
from messages import numbers

from llmviz import Edits, Sampler
from llmviz.experiments import probability_moved
from llmviz.experiments.probabilities import OUTCOMES
from llmviz.views.the_loop.switchboard import N_WRITTEN, PARTS, Switchboard, SwitchedOff, ffn_layers

TEXT = "The capital of France is"
NO_ROPE = "Switch off position (RoPE) in every layer"


@pytest.fixture
def board(tiny_model):
    return Switchboard(tiny_model, TEXT)


def switch_off(board, *parts, cells=()):
    board.become(replace(board.state, off_parts=parts, off_cells=tuple(cells)))


def test_switches_say_what_the_model_is_told(tiny_model):
    config, ffn = tiny_model.config, tiny_model.config.n_heads + 1
    off = SwitchedOff(config, ("rope",), ((1, 0), (ffn - 1, 1), (ffn, 0)))
    assert off.edits == Edits(head={(0, 1): 0.0}, attention={1: 0.0}, ffn={0: 0.0}, rope=False)
    assert numbers(str(off)) == [1, 0, 1, 0]  # head 1 of layer 0, attention of layer 1, FFN of layer 0
    assert all(name in str(off) for name in ("RoPE", "FFN", *off.names()))
    whole_row = SwitchedOff(config, cells=tuple((ffn, layer) for layer in range(config.n_layers)))
    assert len(whole_row.names()) == 1


@pytest.mark.parametrize("part", PARTS)
def test_every_part_changes_the_bars(board, tiny_model, part):
    bars = board.parts["bars"]
    before = Sampler().probs(tiny_model.trace(TEXT).logits)
    board.parts["switches"].set_state({"off_parts": [part]})
    after = Sampler().probs(tiny_model.trace(TEXT, Edits(**{part: False})).logits)
    np.testing.assert_allclose(bars.probs, after[bars.ids], rtol=1e-4)
    np.testing.assert_allclose(bars.before, before[bars.ids], rtol=1e-4)
    assert PARTS[part][0] in repr(board.parts["message"])
    assert bars.text() in repr(board)
    bars.asked = [1]
    assert float(bars.explanation["result"]) == pytest.approx(after[bars.ids[1]], rel=1e-3)


def test_writes_what_generate_writes_until_everything_is_on_again(board, tiny_model):
    switch_off(board, "rope", cells=[(tiny_model.config.n_heads, 0)])
    edits = Edits(attention={0: 0.0}, rope=False)
    greedy = Sampler(temperature=0)
    whole = [step.token for step in tiny_model.generate(TEXT, N_WRITTEN, greedy)]
    switched = [step.token for step in tiny_model.generate(TEXT, N_WRITTEN, greedy, edits=edits)]
    assert board.parts["before"].ids == whole
    assert board.parts["after"].ids == switched
    board.parts["everything_on"].click()
    assert board.state == board.State()
    assert board.parts["bars"].before is None
    assert board.parts["after"].layout.display == "none"


def test_a_page_holds_each_switch_off_on_its_own_and_each_experiment(board):
    board.become(replace(board.state, off_parts=("rope", "norm")))
    off = [(*state.off_parts, *state.off_cells) for state in board.states() if not state.committed]
    assert {parts for parts in off if len(parts) == 1} == {(name,) for name in (*PARTS, *board.cells)}
    assert () in off
    answered = [state for state in board.at_any_price() if state.committed]
    assert [state.experiment for state in answered] == [*board.experiments]


def test_an_experiment_waits_for_the_guess(board, tiny_model):
    card = board.parts["card"]
    assert card.layout.display == "none"
    board.controls["experiment"].value = NO_ROPE
    assert card.layout.display == ""
    assert board.parts["switches"].off_parts == []
    before = Sampler().probs(tiny_model.trace(TEXT).logits)
    after = Sampler().probs(tiny_model.trace(TEXT, Edits(rope=False)).logits)
    first = before.argmax()
    wanted = 0 if after[first] >= before[first] / 2 else 1 if after.argmax() == first else 2
    card.guess = 3
    assert card.answer_text == ""
    card.committed = True
    assert card.answer_text == OUTCOMES[wanted]
    assert board.parts["switches"].off_parts == ["rope"]


def test_the_answer_says_what_an_ffn_moves_and_names_others_to_compare(board, tiny_model):
    board.controls["experiment"].value = [*board.experiments][-1]
    board.parts["card"].committed = True
    *others, last = ffn_layers(tiny_model.config)
    moved = 100 * probability_moved(tiny_model, TEXT, Edits(ffn={last: 0.0}))
    assert numbers(board.parts["card"].explained) == pytest.approx([moved, *others], abs=0.06)


@pytest.mark.parametrize("again", ["guess again", "another text", "another experiment"])
def test_an_experiment_that_is_asked_again_shows_nothing_below(board, again):
    card, experiment = board.parts["card"], board.controls["experiment"]
    experiment.value = NO_ROPE
    card.change(guess=3, committed=True)
    assert board.state.off_parts == ("rope",)
    if again == "guess again":
        card.change(committed=False, guess=None)
    elif again == "another text":
        board.source.box.value = "Another text"
    else:
        experiment.value = [*board.experiments][-1]
    assert (card.committed, card.guess, card.answer_text) == (False, None, "")
    assert board.state.off_parts == ()
    assert board.parts["bars"].before is None


@pytest.mark.slow
def test_overflow_is_told_in_a_sentence(model, monkeypatch):
    monkeypatch.setattr("llmviz.views.the_loop.switchboard.N_WRITTEN", 3)
    board = Switchboard(model, TEXT)
    bars, message = board.parts["bars"], board.parts["message"]
    switch_off(board, "norm")
    assert "overflow" in repr(message)
    assert bars.layout.display == "none"  # no bars of another model under this one's title
    bars.set_state({"asked": [1]})
    assert bars.explanation is None
    board.parts["everything_on"].click()
    assert bars.layout.display == ""
    assert "%" not in repr(message)  # nothing has changed
