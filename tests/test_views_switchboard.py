"""The switchboard without a browser."""

import asyncio

import numpy as np
import pytest
from messages import numbers

from llmviz import Edits, Sampler
from llmviz.views.the_loop.switchboard import N_WRITTEN, OUTCOMES, PARTS, SINGLE, Switchboard, Switches

TEXT = "The capital of France is"


@pytest.fixture
def board(tiny_model):
    return Switchboard(tiny_model, TEXT)


def test_switches_say_what_the_model_is_told(tiny_model):
    n_heads = tiny_model.config.n_heads
    switches = Switches(tiny_model, off_parts=["rope"], off_cells=[[1, 0], [n_heads, 1], [n_heads + 1, 0]])
    edits = switches.edits
    assert edits == Edits(head={(0, 1): 0.0}, attention={1: 0.0}, ffn={0: 0.0}, rope=False)
    assert numbers(switches.text()) == [1, 0, 1, 0]  # head 1 of layer 0, attention of layer 1, FFN of layer 0
    assert all(name in switches.text() for name in switches.named())
    assert [name in switches.text() for name in ("RoPE", "FFN")] == [True, True]


def test_whole_rows_are_named_once(tiny_model):
    config = tiny_model.config
    switches = Switches(
        tiny_model, off_cells=[[config.n_heads + 1, layer] for layer in range(config.n_layers)]
    )
    (name,) = switches.named()
    assert "FFN" in name


def test_everything_that_is_off_says_what_it_was_for(board, tiny_model):
    n_heads = tiny_model.config.n_heads
    for cells, kind in (([[1, 0]], "head"), ([[n_heads, 1]], "attention"), ([[n_heads + 1, 0]], "FFN")):
        board.switches.off_cells = cells
        assert [kind for kind, told in SINGLE.items() if told in repr(board.told)] == [kind]
    board.switches.change(off_parts=[*PARTS], off_cells=[[0, 1]])
    assert board.switches.purposes() == [*(told for _, told in PARTS.values()), SINGLE["head"]]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_changes_the_bars(board, tiny_model, part):
    before = Sampler().probs(tiny_model.trace(TEXT).logits)
    board.switches.off_parts = [part]
    after = Sampler().probs(tiny_model.trace(TEXT, Edits(**{part: False})).logits)
    np.testing.assert_allclose(board.bars.probs, after[board.bars.ids], rtol=1e-4)
    np.testing.assert_allclose(board.bars.before, before[board.bars.ids], rtol=1e-4)
    assert PARTS[part][0] in repr(board.told)
    assert board.bars.text() in repr(board)
    board.bars.asked = [1]
    assert float(board.bars.explanation["result"]) == pytest.approx(after[board.bars.ids[1]], rel=1e-3)


def test_writes_what_generate_writes(board, tiny_model):
    board.switches.off_cells = [[tiny_model.config.n_heads, 0]]
    greedy = Sampler(temperature=0)
    whole = [step.token for step in tiny_model.generate(TEXT, N_WRITTEN, greedy)]
    switched = [
        step.token for step in tiny_model.generate(TEXT, N_WRITTEN, greedy, edits=Edits(attention={0: 0.0}))
    ]
    assert board.before.ids == whole
    assert board.after.ids == switched


def test_everything_on_again(board):
    board.switches.off_parts = ["rope"]
    board.all_on.click()
    assert board.switches.edits == Edits()
    assert board.bars.before is None
    assert board.after.ids == board.before.ids


def test_a_second_switch_takes_over_while_the_first_still_writes(board, tiny_model):
    async def scene():
        board.switches.off_parts = ["rope"]
        await asyncio.sleep(0.06)
        board.switches.off_parts = ["norm"]
        while board._work.busy:
            await asyncio.sleep(0.01)

    asyncio.run(scene())
    greedy = Sampler(temperature=0)
    wanted = [s.token for s in tiny_model.generate(TEXT, N_WRITTEN, greedy, edits=Edits(norm=False))]
    assert board.after.ids == wanted


def test_an_experiment_waits_for_the_guess(board, tiny_model):
    name = "RoPE off, everywhere"
    board.experiments.value = name
    assert board.predict.layout.display == ""
    assert board.switches.off_parts == []
    before = Sampler().probs(tiny_model.trace(TEXT).logits)
    after = Sampler().probs(tiny_model.trace(TEXT, Edits(rope=False)).logits)
    first = before.argmax()
    wanted = 0 if after[first] >= before[first] / 2 else 1 if after.argmax() == first else 2
    board.predict.guess = 3
    board.predict.committed = True
    assert board.predict.answer_text == OUTCOMES[wanted]
    assert board.switches.off_parts == ["rope"]


@pytest.mark.slow
def test_overflow_is_told_in_a_sentence(model, monkeypatch):
    monkeypatch.setattr("llmviz.views.the_loop.switchboard.N_WRITTEN", 3)
    board = Switchboard(model, TEXT)
    board.switches.off_parts = ["norm"]
    assert "overflow" in repr(board.told)
    assert board.bars.layout.visibility == "hidden"  # no bars of another model under this one's title
    board.all_on.click()
    assert board.bars.layout.visibility == "visible"
    assert "%" not in repr(board.told)  # nothing has changed


def test_an_empty_text_leaves_the_last_run(board):
    before = board.bars.probs
    board.box.box.value = ""
    np.testing.assert_array_equal(board.bars.probs, before)
    board.box.box.value = "Hello"
    assert not np.array_equal(board.bars.probs, before)
