"""The FFN's pictures: the numbers they are given, and what their controls do."""

import asyncio
import html
import re

import ipywidgets
import numpy as np
import pytest
import traitlets

from llmviz import Edits, experiments, ffn, ops
from llmviz.views import ffn as pictures
from llmviz.views import logit_lens, residual_stream, where_is_the_fact
from llmviz.views.picture import Picture, percent
from llmviz.views.pieces import quote
from llmviz.views.prompt import Prompt

TEXT = "the cat sat on the dog"
KINDS = {
    "one token": "t",
    "right to left": "שלום עולם",
    "emoji": "👩‍👩‍👧 naïve 🙂",
    "markup": "<script>alert(1)</script><|im_end|>",
    "control characters": "a\x07b\ud800c",
    "long": "cat dog " * 40,
}

BAD = [
    "",
    "   ",
    "word " * 400,
    "x" * 5_000,
    "<script>alert(1)</script>",
    "<|im_end|>",
    "\ud83d",
    "\x00\x07",
    "עברית",
]


def told(widget) -> str:
    return html.unescape(re.sub("<[^>]*>", " ", widget.value)).replace("−", "-")


@pytest.fixture
def prompt(tiny_model):
    return Prompt(tiny_model, TEXT)


def explorers(prompt):
    return [
        pictures.FFNByHand(prompt, 1),
        pictures.FewFire(prompt),
        pictures.NeuronExplorer(prompt, "the dog sat", layer=2, neuron=5),
        residual_stream.StreamNorms(prompt),
        residual_stream.WhoSaysIt(prompt),
        logit_lens.LensGrid(prompt, "cat, dog"),
        where_is_the_fact.WhereIsTheFact(prompt, "the cat sat"),
        where_is_the_fact.CausalTracer(prompt, (1, 2)),
    ]


def finish(explorer, button=0):
    """Press a button where no event loop runs: the whole work at once."""
    explorer.buttons[button].click()


# --- the text and its answer ---


def test_the_prompt_offers_the_likeliest_tokens(prompt, tiny_model):
    best = np.argsort(-tiny_model.trace(TEXT).logits)[:10].tolist()
    assert [token for _, token in prompt.answers.options] == best
    assert prompt.answer == best[0]
    calls = []
    prompt.follow(lambda: calls.append((prompt.trace.pieces, prompt.answer)))
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
    assert "<script>" not in "".join(w.value for one in shown for w in of_kind(one, ipywidgets.HTML))


@pytest.mark.parametrize("typed", BAD)
def test_no_box_breaks_over_what_is_typed(prompt, typed):
    shown = explorers(prompt)
    boxes = [prompt.box, shown[2].wakes.box, shown[5].words, shown[6].control.box]
    for box in boxes:
        box.value = typed
    for one in shown[6:]:
        finish(one)
    html_of_all = "".join(w.value for one in (prompt, *shown) for w in of_kind(one, ipywidgets.HTML))
    assert "<script>" not in html_of_all
    assert "Traceback" not in html_of_all
    for box in boxes:
        box.value = "the cat"
    assert prompt.trace.pieces == shown[2].strip.pieces == shown[0].strip.pieces


def of_kind(box, kind):
    for child in box.children:
        if isinstance(child, kind):
            yield child
        elif isinstance(child, ipywidgets.Box):
            yield from of_kind(child, kind)


# --- one FFN by hand ---


def test_by_hand_shows_the_models_own_arrays(prompt, tiny_model):
    one = pictures.FFNByHand(prompt, 1)
    one.layer.value, one.strip.selected = 2, 3
    block = prompt.trace.blocks[2]
    w = tiny_model.weights.layers[2]
    run = ffn.swiglu(
        ops.rms_norm(block.resid_mid[3:4], w.ffn_norm, eps=tiny_model.config.norm_eps),
        w.W_gate,
        w.W_up,
        w.W_down,
    )
    np.testing.assert_allclose(one.inner.values, [run.gate[0], run.up[0], run.hidden[0]], atol=1e-5)
    np.testing.assert_allclose(
        one.written.values[0] + one.written.values[1], one.written.values[2], atol=1e-4
    )
    x, y = one.curve.curve
    np.testing.assert_allclose(y, x / (1 + np.exp(-x)), atol=1e-5)
    gate, up, passed, hidden = one.curve.values
    np.testing.assert_allclose(passed * up, hidden, atol=1e-5)
    assert np.abs(gate).max() <= x[-1]


def test_a_neuron_selected_on_the_curve_is_framed_in_the_stripes(prompt):
    one = pictures.FFNByHand(prompt, 1)
    one.curve.selected = 17
    assert one.inner.selected == 17
    one.inner.selected = 3
    assert one.curve.selected == 3


@pytest.mark.parametrize("picture", ["inner", "written"])
@pytest.mark.parametrize("line", [0, 1, 2])
def test_every_stripe_says_where_it_is_from(prompt, picture, line):
    one = pictures.FFNByHand(prompt, 1)
    explanation = getattr(one, picture).provenance(line, 7)
    names = {name: value for name, value, *_ in explanation.operands}
    result = eval(explanation.line, {"np": np}, names)
    assert result == pytest.approx(float(getattr(one, picture).values[line, 7]), rel=1e-4, abs=1e-5)
    assert float(explanation.result) == pytest.approx(result, rel=1e-4, abs=1e-5)


def test_the_shares_of_neurons_are_counted(prompt):
    trace = prompt.trace
    shares = pictures.firing(trace, slice(1, 4))[:, :, 1]
    hidden = trace.blocks[1].ffn.hidden[2]
    written = sorted(
        (
            float(np.linalg.norm(part))
            for part in ffn.neuron_contributions(hidden, trace.model.weights.layers[1].W_down)
        ),
        reverse=True,
    )
    enough = next(n for n in range(1, 81) if sum(written[:n]) >= sum(written) / 2)
    assert shares[2, 1] == pytest.approx(enough / 80)
    assert shares[1, 1] == pytest.approx(np.mean([g < 0 for g in trace.blocks[1].ffn.gate[2]]))
    assert shares[0, 1] == pytest.approx(np.mean([abs(h) < max(abs(hidden)) / 10 for h in hidden]))


def test_choosing_a_token_shows_its_shares(prompt, tiny_model):
    prompt.box.value = "cat dog " * 12  # more tokens than are counted at once
    one = pictures.FewFire(prompt)
    for at in (1, 20):
        one.strip.selected = at
        alone = pictures.firing(prompt.trace, slice(at, at + 1))[:, :, 0]
        np.testing.assert_allclose(one.plot.values, alone, atol=0.03)  # a gate at zero may be either


def test_controls_that_answer_in_two_threads_wait_for_each_other(prompt):
    """JupyterLab hands each widget's messages to a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    one, lens = pictures.FFNByHand(prompt, 1), logit_lens.LensGrid(prompt, "cat")
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


# --- one neuron ---


def test_the_neuron_shows_what_it_pushes_and_what_wakes_it(prompt, tiny_model):
    one = pictures.NeuronExplorer(prompt, "the dog sat", layer=2, neuron=5)
    pushed = ffn.promoted_logits(5, tiny_model.weights.layers[2].W_down, tiny_model.weights.W_U)
    np.testing.assert_allclose(one.pushes.values[0], np.sort(pushed)[::-1][:8], rtol=1e-5)
    np.testing.assert_allclose(one.pushes.values[1], np.sort(pushed)[:8], rtol=1e-5)
    fires = tiny_model.trace("the dog sat").blocks[2].ffn.hidden[:, 5]
    np.testing.assert_allclose(one.strip.weights, np.abs(fires) / np.abs(fires).max(), rtol=1e-4)
    explanation = one.pushes.provenance(1, 3)
    names = {name: value for name, value, *_ in explanation.operands}
    assert eval(explanation.line, {}, names) == pytest.approx(np.sort(pushed)[3], rel=1e-4)
    one.wakes.box.value = ""
    one.wakes.box.value = "cat"
    assert "".join(one.strip.pieces) == "cat"


def test_the_slider_turns_it_in_the_real_model(prompt, tiny_model):
    one = pictures.NeuronExplorer(prompt, "the dog sat", layer=2, neuron=5)
    assert one.bars.before is None
    for scale in (-2.0, 0.0, 3.0):
        one.scale.value = scale
        wanted = ops.softmax(tiny_model.trace(TEXT, Edits(neuron={(2, 5): scale})).logits)
        np.testing.assert_allclose(one.bars.probs, wanted[one.bars.ids], rtol=1e-4)
        np.testing.assert_allclose(one.bars.before, ops.softmax(prompt.trace.logits)[one.bars.ids], rtol=1e-4)
    one.scale.value = 1.0
    assert one.bars.before is None


def test_the_list_goes_to_the_neurons_that_push_most(prompt):
    one = pictures.NeuronExplorer(prompt, "the dog sat")
    parts = np.stack([experiments.neuron_attribution(prompt.trace, i, prompt.answer) for i in range(3)])
    best = np.unravel_index(np.abs(parts).argmax(), parts.shape)
    assert (one.layer.value, one.neuron.value) == tuple(map(int, best))
    name, place = one.strongest.options[3]
    one.strongest.value = place
    assert (one.layer.value, one.neuron.value) == place
    assert f"neuron {place[1]} of layer {place[0]}" in told(one.about)
    assert name.startswith(f"layer {place[0]}, neuron {place[1]}")


# --- the stream and the lens ---


def test_norms_are_lengths(prompt):
    one = residual_stream.StreamNorms(prompt)
    trace = prompt.trace
    expected = np.sqrt((trace.blocks[1].resid_post[2].astype(float) ** 2).sum())
    assert one.map.values[2, 2] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(one.plot.values, one.map.values[[0, -1]])
    explanation = one.map.provenance(2, 2)
    assert eval(explanation.line, {"np": np}, {"x": explanation.operands[0][1]}) == pytest.approx(
        expected, rel=1e-5
    )


def test_the_bars_are_the_parts_and_the_sum_is_said(prompt):
    one = residual_stream.WhoSaysIt(prompt)
    parts = experiments.direct_attribution(prompt.trace, prompt.answer)
    np.testing.assert_allclose(one.plot.values, [parts.ffn, parts.attention], rtol=1e-5)
    assert ": the same." in told(one.told)
    rival = one.rival.options[2][1]
    one.rival.value = rival
    parts = experiments.direct_attribution(prompt.trace, prompt.answer, against=rival)
    np.testing.assert_allclose(one.plot.values, [parts.ffn, parts.attention], rtol=1e-5)
    prompt.answers.value = rival  # the rival becomes the answer: compared with nothing again
    assert one.rival.value == residual_stream.ALONE


def test_the_lens_names_the_guesses(prompt, tiny_model):
    one = logit_lens.LensGrid(prompt, "cat, dog cat")
    assert one.map.values.shape == (4, len(prompt.trace.tokens))
    cat, dog = (tiny_model.tokenizer.encode(text)[0] for text in (" cat", " dog"))
    assert next(iter(one.chosen())) == prompt.answer
    assert set(one.chosen()) == {prompt.answer, cat, dog}
    assert one.plot.values.shape == (len(one.chosen()), 4)
    explanation = one.map.provenance(2, 1)
    assert float(explanation.result) == pytest.approx(float(one.map.values[2, 1]), rel=1e-4)
    one.words.value = "<script> \x04 " + "a b c d e f g h"
    assert len(one.plot.names) == len(one.chosen()) <= 6


def test_for_good_means_to_the_end():
    assert logit_lens.for_good(np.array([5, 1, 2, 1, 1])) == 3
    assert logit_lens.for_good(np.array([1, 1])) == 0
    assert logit_lens.for_good(np.array([1, 2])) is None


# --- slow experiments ---


def test_where_is_the_fact_runs_every_block_and_the_control(prompt, tiny_model):
    one = where_is_the_fact.WhereIsTheFact(prompt, "the cat sat")
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
    for row, at in np.argwhere(
        (fact < 0.5 * experiments.probability(prompt.trace, answer)) & (loss - usual < 0.5)
    ):
        without = tiny_model.trace(prompt.trace.tokens, Edits(**{experiments.PARTS[row]: {int(at): 0}}))
        (piece,) = tiny_model.tokenizer.pieces([int(without.logits.argmax())])
        assert f"{('FFN', 'attention')[row]} {at}: {quote(piece)}" in told(one.told)
    assert "Without one FFN" in told(one.told)
    prompt.box.value = "the dog"
    assert np.isnan(one.fact.values).all()


def test_ten_countries(prompt, tiny_model):
    one = where_is_the_fact.WhereIsTheFact(prompt)
    finish(one, button=1)
    tokens, answer = tiny_model.tokens_of("The capital of Italy is"), tiny_model.tokens_of(" Rome")[0]
    whole = experiments.probability(tiny_model.trace(tokens), answer)
    off = experiments.probability(tiny_model.trace(tokens, Edits(attention={1: 0})), answer)
    at = list(where_is_the_fact.CAPITALS).index("Italy")
    assert one.countries[1].values[at, 1] == pytest.approx(off, rel=1e-3)
    assert "of 10 countries" in told(one.told_many)
    assert one.countries[0].row_labels[at] == f"Italy, {percent(whole)}"
    first = int(tiny_model.trace(tokens).logits.argmax())
    assert ("Italy" in told(one.told_many).split(";")[0]) == (first != answer)


def test_the_verdict_tells_the_fact_from_a_broken_model(prompt):
    whole = experiments.probability(prompt.trace, prompt.answer)
    fact = np.full((2, 3), whole)
    extra = np.zeros((2, 3))
    fact[0, :2] = 0  # lost without two FFNs …
    extra[0, 0] = 4  # … but without the first everything is lost
    said = {("ffn", 1): 65, ("attention", 2): 66}
    sentences = " ".join(where_is_the_fact.verdict(prompt, fact, extra, said))
    assert (
        "in 2 of 3 layers. Ordinary text breaks as well (so it says nothing about the fact): layer 0."
        in sentences
    )
    assert "suffers less than 0.5 nats: layer 1." in sentences
    assert "other text: 1. So here one place stands out" in sentences
    assert ("So unsure a guess" in sentences) == (whole < 0.5)
    a, b = prompt.language_model.tokenizer.pieces([65, 66])
    assert f"off: FFN 1: {quote(a)}." in sentences
    fact[1, 2] = 0
    sentences = " ".join(where_is_the_fact.verdict(prompt, fact, extra, said))
    assert "2. So it is not in one place" in sentences
    assert f"off: FFN 1: {quote(a)}, attention 2: {quote(b)}." in sentences
    nothing = " ".join(where_is_the_fact.verdict(prompt, np.full((2, 3), whole), extra, {}))
    assert "No single block" in nothing


def test_layers_are_listed_in_runs():
    assert where_is_the_fact._listed(np.array([1, 1, 1, 0, 1, 0, 1, 1], bool)) == "layers 0 to 2, 4, 6, 7"
    assert where_is_the_fact._listed(np.zeros(3, bool)) == "no layer"


def test_causal_tracing_averages_its_draws(prompt, tiny_model):
    one = where_is_the_fact.CausalTracer(prompt, (1, 2))
    assert one.strip.highlight == [1, 2]
    one.draws.value = 2
    finish(one)
    runs = [
        experiments.causal_trace(tiny_model, prompt.trace.tokens, prompt.answer, [1, 2], seed=seed)
        for seed in (0, 1)
    ]
    np.testing.assert_allclose(one.map.values, np.mean(runs, axis=0).T, rtol=1e-4)
    one.strength.value = 5
    assert np.isnan(one.map.values).all()


def test_too_many_tokens_to_trace_is_said(prompt):
    one = where_is_the_fact.CausalTracer(prompt, (1, 1))
    prompt.box.value = "cat dog " * 20
    one.subject.value = (0, 0)
    finish(one)
    assert "at most 12" in told(one.told)


def test_a_second_press_stops_the_work(prompt):
    one = where_is_the_fact.CausalTracer(prompt, (1, 2))

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


# --- the pictures by themselves ---


def test_the_shares_of_the_parameters(tiny_model):
    shares = residual_stream.parameter_shares(tiny_model)
    assert shares.values.sum() == pytest.approx(1)
    assert "FFN" in shares.text()
    parts = dict(zip(shares.labels, shares.values[0]))
    largest = max(parts, key=parts.get)
    assert shares.caption.endswith(f"in the {largest}")
    assert ("not most" in shares.caption) == (parts[largest] <= 0.5)
    assert "%" in shares.text()


def test_pictures_take_what_they_are_made_for():
    with pytest.raises(traitlets.TraitError):
        pictures.SiluCurve(values=[1.0, 2.0])
    assert pictures.SiluCurve().text() == "no neurons yet"
    assert issubclass(pictures.SiluCurve, Picture)
