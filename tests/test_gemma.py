"""Gemma 3 270M itself against `transformers`, which reads the same file. By name: it is fetched the first time."""

import numpy as np
import pytest

import llmviz
from llmviz import download

pytest.importorskip("transformers", reason="the peers extra is not installed")

import torch
from reference import peer

pytestmark = pytest.mark.long

TEXT = "The capital of France is Paris, and 12 + 34 = 46. «Ça va?», said the old lighthouse keeper 🙂. " * 30
LENGTHS = [1, 5, 64, 600]  # the window of most layers is 512 tokens


@pytest.fixture(scope="module")
def theirs():
    return peer.load_file(download.model_path("gemma", progress=False))


@pytest.fixture(scope="module")
def ours():
    return llmviz.load("gemma", progress=False)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_run_equals_transformers(ours, theirs, length):
    """Residuals are held to a thousandth of their length: they reach 100,000, where float32 steps by 0.008."""
    ids = ours.tokens_of(TEXT)[:length]
    assert len(ids) == length
    trace = ours.trace(ids)
    with torch.inference_mode():
        run = theirs(torch.tensor([ids]), use_cache=False, output_attentions=True, output_hidden_states=True)
    logits = run.logits[0].numpy()  # It leaves out a last token that only pictures use.
    np.testing.assert_allclose(trace.all_logits()[:, : logits.shape[1]], logits, rtol=0, atol=1e-3)
    for block, pattern, residual in zip(trace.blocks, run.attentions, run.hidden_states):
        np.testing.assert_allclose(block.attention.pattern, pattern[0].numpy(), rtol=0, atol=1e-3)
        lengths = np.linalg.norm(residual[0].numpy(), axis=-1, keepdims=True)
        np.testing.assert_allclose(
            block.resid_pre / lengths, residual[0].numpy() / lengths, rtol=0, atol=1e-3
        )


@pytest.mark.parametrize("prompt", ["The best thing about a rainy day is", "1, 2, 3,"])
def test_200_greedy_tokens_are_those_of_transformers(ours, theirs, prompt):
    ids = ours.tokens_of(prompt)
    tokens = [step.token for step in ours.generate(ids, 200, llmviz.Sampler(temperature=0))]
    expected = theirs.generate(torch.tensor([ids]), max_new_tokens=200, do_sample=False)[
        0, len(ids) :
    ].tolist()
    assert len(tokens) == 200
    assert tokens == expected
