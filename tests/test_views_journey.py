"""The film of a text's way through the model: what the page gets, and turn after turn."""

import json

import numpy as np
import pytest
from typed_texts import BAD_TEXTS, KINDS

from llmviz.experiments.journey import turn
from llmviz.views import Journey, Prompt
from llmviz.views.the_loop.journey import for_page

TEXT = "the cat sat on the dog"


def film(*arguments, **options):
    return Journey(*arguments, **options).parts["film"]


@pytest.mark.parametrize("seed", [3, 8])
def test_again_and_again_is_what_generate_writes(tiny_model, seed):
    picture = film(tiny_model.trace(TEXT), seed=seed)
    for written, step in enumerate(tiny_model.generate(TEXT, 3, seed=seed)):
        numbers = picture.next_numbers if written else picture.numbers
        assert numbers.drawn.token == step.token
        assert len(numbers.tokens) == len(picture.numbers.tokens) + written
        picture.set_state({"turn": written + 1})
    assert picture.next_numbers.written == 3


def test_nothing_comes_after_the_end(tiny_model):
    picture = film(tiny_model.trace([1] * tiny_model.config.n_ctx))
    picture.set_state({"turn": 1})
    assert picture.numbers.ends
    assert picture.next_numbers is None


def read(sent):
    return np.frombuffer(sent["data"], sent["kind"]).reshape(sent["shape"])


def test_the_page_gets_the_same_numbers_in_fewer_bytes(trace_with_a_long_column):
    numbers = turn(trace_with_a_long_column)
    page = for_page(numbers)
    scales = numbers.scales[:, None, None]
    streams, inside = read(page["streams"]) / 80 * scales, np.abs(numbers.streams) < 1.5 * scales
    assert (np.abs(streams - numbers.streams) <= 0.51 / 80 * scales)[inside].all()
    assert np.abs(read(page["streams"])).max() == 127  # what is off the scale stays off the scale
    np.testing.assert_allclose(read(page["looks"])[:, 4] / 1000, numbers.looks[:, 4], atol=5e-4)
    np.testing.assert_array_equal(read(page["neurons"]), numbers.neurons)
    assert page["restShares"][2] == pytest.approx(numbers.rests[2].sum(axis=1)[1:].mean())
    far = [look.weight if look and look.place < len(numbers.tokens) - 2 else 0 for look in numbers.strongest]
    assert far[page["telling"]] == max(far)


def test_forty_tokens_are_about_150_kB(model):
    page = for_page(turn(model.trace(list(range(1000, 1040)))))
    assert len(json.dumps(page, default=lambda data: "-" * len(data))) < 170_000


def test_the_text_form_has_the_same_numbers(trace_with_a_long_column):
    trace, numbers = trace_with_a_long_column, turn(trace_with_a_long_column)
    picture = film(trace)
    text = picture.text()
    for piece, token in zip(trace.pieces, trace.tokens):
        assert f"{piece.replace(' ', '·')} {token}" in text
    rows = [line.split() for line in text.splitlines()]
    for layer, look in enumerate(numbers.strongest):
        (row,) = [row for row in rows if row and row[0] == str(layer)]
        assert row[-1] == f"{100 * look.weight:.1f}%"
        assert str(look.head) + "," in row
    assert f"{numbers.random:.4f}" in text.splitlines()[-1]
    assert "8 tokens" in picture.summary
    assert "3 layers" in picture.summary
    assert "%" not in picture.summary  # it gives nothing away


@pytest.mark.parametrize("text", ["the dog", *BAD_TEXTS, *KINDS.values()])
def test_it_follows_whatever_is_typed(tiny_model, text):
    prompt = Prompt(tiny_model, "the cat")
    picture = film(prompt)
    picture.set_state({"turn": 1})
    before, run = picture.numbers, prompt.trace
    prompt.box.value = text
    page = for_page(picture.numbers)
    json.dumps([page["pieces"], page["predictions"], page["drawn"], page["strongest"]]).encode()
    assert page["n"] == len(prompt.trace.tokens)
    assert (picture.numbers is before) == (picture.turn == 1) == (prompt.trace is run)
