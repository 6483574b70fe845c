"""Blocks off in turn, and causal tracing: what is measured, and what is said of it."""

import asyncio

import numpy as np
import pytest

from llmviz import Edits, experiments
from llmviz.views import ffn as pictures
from llmviz.views.ffn.where_is_the_fact import CAPITALS, common, listed, verdict
from llmviz.views.kit.picture import percent
from llmviz.views.kit.pieces import quote


def told(widget) -> str:
    return repr(widget).replace("−", "-")


def finish(explorer, button=0):
    """Press a button where no event loop runs: the whole work at once."""
    explorer.buttons[button].click()


def test_where_is_the_fact_runs_every_block_and_the_control(prompt, tiny_model):
    one = pictures.WhereIsTheFact(prompt, "the cat sat")
    assert np.isnan(one.fact.values).all()
    finish(one)
    answer = prompt.answer
    fact = experiments.switched_off(
        tiny_model, prompt.trace.tokens, lambda t: experiments.probability(t, answer)
    )
    np.testing.assert_allclose(one.fact.values, fact, rtol=1e-4)
    usual = experiments.loss(tiny_model.trace("the cat sat"))
    loss = experiments.switched_off(tiny_model, tiny_model.tokens_of("the cat sat"), experiments.loss)
    np.testing.assert_allclose(one.loss.values, loss - usual, rtol=1e-3, atol=1e-4)
    firsts = told(one.told).split("such a block is off: ")[-1].split(".\n")[0].split("; ")
    for row, at in np.argwhere(
        (fact < 0.5 * experiments.probability(prompt.trace, answer)) & (loss - usual < 0.5)
    ):
        without = tiny_model.trace(prompt.trace.tokens, Edits(**{experiments.PARTS[row]: {int(at): 0}}))
        (piece,) = tiny_model.tokenizer.pieces([int(without.logits.argmax())])
        (line,) = (first for first in firsts if f"{('FFN', 'attention')[row]} {at}" in first)
        assert line.startswith(quote(piece))
    assert "Without one FFN" in told(one.told)
    prompt.box.value = "the dog"
    assert np.isnan(one.fact.values).all()


def test_ten_countries(prompt, tiny_model):
    one = pictures.WhereIsTheFact(prompt)
    finish(one, button=1)
    tokens, answer = tiny_model.tokens_of("The capital of Italy is"), tiny_model.tokens_of(" Rome")[0]
    whole = experiments.probability(tiny_model.trace(tokens), answer)
    off = experiments.probability(tiny_model.trace(tokens, Edits(attention={1: 0})), answer)
    at = list(CAPITALS).index("Italy")
    assert one.countries[1].values[at, 1] == pytest.approx(off, rel=1e-3)
    assert "of 10 countries" in told(one.told_many)
    assert one.countries[0].row_labels[at] == f"Italy, {percent(whole)}"
    first = int(tiny_model.trace(tokens).logits.argmax())
    assert ("Italy" in told(one.told_many).split(";")[0]) == (first != answer)
    assert "sure of none" in told(one.told_many)  # a random model


def test_only_sure_answers_are_counted():
    whole = np.array([0.8, 0.3, 0.6])
    left = np.array([[[0.1, 0.8, 0.1], [0, 0, 0], [0, 0.5, 0.4]], [[0.8] * 3, [0] * 3, [0.6, np.nan, 0.6]]])
    sure, without_ffn, without_attention = common(["A", "B", "C"], whole, left)
    assert "of 2: A, C." in sure
    assert "FFN of layer 0; none does without that of layer 1." in without_ffn
    assert "attention block of no layer; none does without that of layers 0, 2." in without_attention


def test_the_model_knows_most_of_the_capitals(model):
    def first(text):
        return int(model.trace(text).logits.argmax())

    known = [
        country
        for country, capital in CAPITALS.items()
        if first(f"The capital of {country} is") == model.tokens_of(f" {capital}")[0]
    ]
    assert len(known) >= 9


@pytest.mark.parametrize("whole", [0.8, 0.3])
def test_the_verdict_tells_the_fact_from_a_broken_model(prompt, monkeypatch, whole):
    monkeypatch.setattr(experiments, "probability", lambda trace, answer: whole)
    fact = np.full((2, 3), whole)
    extra = np.zeros((2, 3))
    fact[0, :2] = 0  # lost without two FFNs …
    extra[0, 0] = 4  # … but without the first everything is lost
    said = {("ffn", 1): 65, ("attention", 2): 66}
    sentences = " ".join(verdict(prompt, fact, extra, said))
    assert (
        "in 2 of 3 layers. Ordinary text breaks as well (so it says nothing about the fact): layer 0."
        in sentences
    )
    assert "suffers less than 0.5 nats: layer 1." in sentences
    sure = whole > 0.5
    assert ("other text: 1. So here one place stands out" in sentences) == sure
    assert ("other text: 1. But the whole model gives" in sentences) == (not sure)
    assert ("cannot be said" in sentences) == (not sure)
    a, b = prompt.language_model.tokenizer.pieces([65, 66])
    assert f"off: {quote(a)} (FFN 1)." in sentences
    fact[1, 2] = 0
    sentences = " ".join(verdict(prompt, fact, extra, said))
    assert ("2. So it is not in one place" in sentences) == sure
    assert f"off: {quote(a)} (FFN 1); {quote(b)} (attention 2)." in sentences
    said["attention", 2] = 65
    sentences = " ".join(verdict(prompt, fact, extra, said))
    assert f"off: {quote(a)} (FFN 1, attention 2)." in sentences
    nothing = " ".join(verdict(prompt, np.full((2, 3), whole), extra, {}))
    assert "No single block" in nothing


def test_layers_are_listed_in_runs():
    assert listed(np.array([1, 1, 1, 0, 1, 0, 1, 1], bool)) == "layers 0 to 2, 4, 6, 7"
    assert listed(np.zeros(3, bool)) == "no layer"


def test_causal_tracing_averages_its_draws(prompt, tiny_model):
    one = pictures.CausalTracer(prompt, (1, 2))
    assert one.strip.highlight == [1, 2]
    one.draws.value = 2
    finish(one)
    mean = np.zeros(one.map.values.shape)
    for seed in (0, 1):
        noisy = experiments.disturb(
            tiny_model, prompt.trace.tokens, prompt.answer, [1, 2], strength=3.0, seed=seed
        )
        mean[0] += noisy.probability / 2  # before the subject: as it is with the noise
        for layer, at, value in experiments.restored(tiny_model, noisy, prompt.answer, [1, 2]):
            mean[at, layer] += value / 2
    np.testing.assert_allclose(one.map.values, mean, rtol=1e-4)
    one.strength.value = 5
    assert np.isnan(one.map.values).all()


def test_too_many_tokens_to_trace_is_said(prompt):
    one = pictures.CausalTracer(prompt, (1, 1))
    prompt.box.value = "cat dog " * 20
    one.subject.value = (0, 0)
    finish(one)
    assert "at most 12" in told(one.told)


def test_a_second_press_stops_the_work(prompt):
    one = pictures.CausalTracer(prompt, (1, 2))

    async def scene():
        one.buttons[0].click()
        await asyncio.sleep(0.01)
        assert one.buttons[0].description == "stop"
        one.buttons[0].click()
        await asyncio.sleep(0.05)

    asyncio.run(scene())
    assert one.buttons[0].description == "Run"
    assert one.progress.layout.visibility == "hidden"
    assert np.isnan(one.map.values).any()
