"""Models of other families than Llama's: tiny random ones, made by `transformers`, must get the same logits from us."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import tiny_gguf

import llmviz
from llmviz import training
from llmviz.weights import stored

pytest.importorskip("transformers", reason="the peers extra is not installed")

from reference import families


@pytest.fixture(scope="module", params=families.FAMILIES)
def both(request, tmp_path_factory):
    """The model of transformers, and ours from its file."""
    theirs = families.make(request.param)
    folder = tmp_path_factory.mktemp("family")
    path = families.write(folder / "model.gguf", request.param, theirs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMVIZ_HOME", str(folder / "home"))
        yield theirs, llmviz.load(path, progress=False)


def some_ids(length: int) -> list[int]:
    return tiny_gguf.random_ids("full", length)


@pytest.mark.parametrize("length", [1, 2, 23, 600])
def test_logits_equal_transformers(both, length):
    theirs, ours = both
    expected = families.logits(theirs, some_ids(length))
    assert np.abs(expected).max() < 100
    ours.forget()
    np.testing.assert_allclose(ours.trace(some_ids(length)).all_logits(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("known", "more"), [(1, 1), (20, 5), (560, 40)])
def test_logits_after_more_text_equal_transformers(both, known, more):
    """The keys and values of the first tokens come from an earlier run."""
    theirs, ours = both
    ids = some_ids(known + more)
    expected = families.logits(theirs, ids)
    ours.forget()
    ours.trace(ids[:known])
    np.testing.assert_allclose(ours.trace(ids).all_logits(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("length", [3, 40])
def test_each_token_of_the_loop_equals_transformers(both, length):
    theirs, ours = both
    ids = some_ids(length)
    for step in ours.generate(ids, max_new_tokens=20, sampler=llmviz.Sampler(), seed=1):
        np.testing.assert_allclose(step.logits, families.logits(theirs, ids)[-1], rtol=0, atol=1e-4)
        ids = [*ids, step.token]


def test_what_is_computed_on_demand_is_what_the_run_used(both):
    _, ours = both
    trace = ours.trace(some_ids(50))
    for block in trace.blocks:
        a = block.attention
        near = {"rtol": 0, "atol": 2e-5 * max(1, np.abs(block.resid_post).max())}
        np.testing.assert_allclose(block.resid_pre + a.out, block.resid_mid, **near)
        np.testing.assert_allclose(block.resid_mid + block.ffn.out, block.resid_post, **near)
        np.testing.assert_allclose(block.patterns(), a.pattern, rtol=0, atol=1e-6)
        np.testing.assert_allclose(
            block.attention_at(30).pattern[:, 0], a.pattern[:, 30, :31], rtol=0, atol=1e-6
        )
        np.testing.assert_allclose(block.attention_at(30).out[0], a.out[30], **near)


def test_runs_side_by_side_are_those_one_by_one(both):
    _, ours = both
    edits = [llmviz.Edits(head={(1, 2): 0}), llmviz.Edits(ffn={0: 0.5}), llmviz.Edits(attention={2: 0})]
    for edit, trace in zip(edits, ours.trace_each(some_ids(20), edits)):
        np.testing.assert_allclose(trace.logits, ours.trace(some_ids(20), edit).logits, rtol=0, atol=1e-4)


def test_texts_written_side_by_side_are_those_one_by_one(both):
    from llmviz.texts.write import logits_after_each

    _, ours = both
    texts = [some_ids(n) for n in (3, 40, 17)]
    expected = [ours.trace(ids).logits for ids in texts]
    np.testing.assert_allclose(logits_after_each(ours, texts), expected, rtol=0, atol=1e-4)


def test_loss_and_gradients_equal_transformers(both):
    """All of them, by their names in a file: what `families.tensors` makes of the parameters, it makes of gradients."""
    theirs, ours = both
    loss, expected = families.loss_and_gradients(theirs, some_ids(40))
    ours_loss, gradients = training.loss_and_gradients(ours, some_ids(40))
    assert ours_loss == pytest.approx(loss, rel=1e-5)
    by_name = stored(gradients)
    assert by_name.keys() == expected.keys()
    for name, gradient in expected.items():
        near = 1e-4 * np.abs(gradient).max() + 1e-7  # some are 0 but for rounding
        np.testing.assert_allclose(by_name[name], gradient, rtol=0, atol=near, err_msg=name)


@pytest.fixture
def folder(both, tmp_path, monkeypatch):
    """The same model as a folder of Hugging Face."""
    monkeypatch.setenv("LLMVIZ_HOME", str(tmp_path / "home"))
    return families.save(tmp_path / "folder", both[0])


def test_a_folder_is_the_same_model_as_the_gguf_file(both, folder):
    theirs, of_file = both
    ours = llmviz.load(folder, progress=False)
    factors = ours.config.rope_factors, of_file.config.rope_factors
    assert replace(ours.config, rope_factors=()) == replace(of_file.config, rope_factors=())
    np.testing.assert_allclose(*factors, rtol=1e-6)
    expected = stored(of_file.weights)
    for name, array in stored(ours.weights).items():
        np.testing.assert_array_equal(array, expected.pop(name))
    assert not expected
    assert ours.weights.vocabulary["tokens"] == of_file.weights.vocabulary["tokens"]
    assert ours.weights.vocabulary["token_types"] == of_file.weights.vocabulary["token_types"]
    assert ours.weights.vocabulary["eos_token"] == 2
    logits = ours.trace(some_ids(50)).all_logits()
    np.testing.assert_allclose(logits, families.logits(theirs, some_ids(50)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_a_folder_in_16_bits(both, folder, kind):
    theirs, _ = both
    dtype = getattr(families.torch, kind)
    rounded = {name: values.to(dtype).float() for name, values in theirs.state_dict().items()}
    families.save(folder, copy.deepcopy(theirs).to(dtype))
    theirs = copy.deepcopy(theirs)
    theirs.load_state_dict(rounded)
    ours = llmviz.load(folder, progress=False)
    logits = ours.trace(some_ids(50)).all_logits()
    np.testing.assert_allclose(logits, families.logits(theirs, some_ids(50)), rtol=0, atol=1e-4)
