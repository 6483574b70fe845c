"""The FFN's pictures: the numbers they are given, and what their controls do."""

import numpy as np
import pytest
import traitlets

from llmviz import Edits, experiments, ffn, ops
from llmviz.views import ffn as pictures
from llmviz.views.ffn.silu_curve import SiluCurve
from llmviz.views.kit.picture import Picture


def told(widget) -> str:
    return repr(widget).replace("−", "-")


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
    shares = experiments.firing(trace, slice(1, 4))[:, :, 1]
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
        alone = experiments.firing(prompt.trace, slice(at, at + 1))[:, :, 0]
        np.testing.assert_allclose(one.plot.values, alone, atol=0.03)  # a gate at zero may be either


# --- one neuron ---


def test_the_neuron_shows_what_it_pushes_and_what_wakes_it(prompt, tiny_model):
    one = pictures.NeuronExplorer(prompt, "the dog sat", layer=2, neuron=5)
    pushed = ffn.promoted_logits(5, tiny_model.weights.layers[2].W_down, tiny_model.weights.W_U)
    np.testing.assert_allclose(one.pushes.values[0], np.sort(pushed)[::-1][:8], rtol=1e-5)
    np.testing.assert_allclose(one.pushes.values[1], np.sort(pushed)[:8], rtol=1e-5)
    fires = tiny_model.trace("the dog sat").blocks[2].ffn.hidden[:, 5]
    most = fires[np.abs(fires).argmax()]
    shade = [v / most if v / most > 0 else np.nan for v in fires]
    np.testing.assert_allclose(one.strip.weights, shade, rtol=1e-4)
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
        wanted = ops.softmax(tiny_model.trace(prompt.trace.tokens, Edits(neuron={(2, 5): scale})).logits)
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


def test_pictures_take_what_they_are_made_for():
    with pytest.raises(traitlets.TraitError):
        SiluCurve(values=[1.0, 2.0])
    assert SiluCurve().text() == "no neurons yet"
    assert issubclass(SiluCurve, Picture)
