"""llmviz against independent implementations: `tokenizers` for ids, `transformers`' Llama for all the maths.

The committed references come from `reference/make_reference.py`. Where `transformers` is installed, the tiny
models are compared with it live as well, every intermediate of them.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_gguf

import llmviz
from llmviz import training
from llmviz.weights import stored

HERE = Path(__file__).parent / "reference"
REFERENCE = np.load(HERE / "default_model.npz")
TINY = np.load(HERE / "tiny_models.npz")
GREEDY = llmviz.Sampler(temperature=0)


def unpacked(file, name: str) -> list[np.ndarray]:
    return np.split(file[name], file[f"{name}_end"][:-1])


def test_ids_equal_tokenizers(model):
    file = np.load(HERE / "tokenizer.npz")
    texts = [bytes(text).decode() for text in unpacked(file, "text")]
    expected = [ids.tolist() for ids in unpacked(file, "ids")]
    assert len(texts) == len(expected) > 4_000
    wrong = [text for text, ids in zip(texts, expected) if model.tokenizer.encode(text) != ids]
    assert not wrong, f"{len(wrong)} texts differ, the shortest: {min(wrong, key=len)!r}"
    for text, ids in zip(texts, expected):
        assert model.tokenizer.decode(ids) == text


@pytest.mark.parametrize("name", json.loads((HERE / "chat.json").read_text(encoding="utf-8")))
def test_chat_template_equals_the_files_own(model, name):
    chat = json.loads((HERE / "chat.json").read_text(encoding="utf-8"))[name]
    assert model.tokenizer.encode_chat(chat["messages"]) == chat["ids"]


@pytest.fixture(scope="module", params=REFERENCE["names"].tolist())
def case(request, model):
    """A prompt's name, and its trace."""
    return request.param, model.trace(REFERENCE[f"{request.param}/ids"].tolist())


def test_logits_equal_transformers(case):
    name, trace = case
    logits = trace.logits
    assert logits.dtype == np.float32
    top = REFERENCE[f"{name}/top_ids"]
    np.testing.assert_allclose(logits[top], REFERENCE[f"{name}/top_logits"], rtol=0, atol=1e-3)
    sampled = REFERENCE["sampled_ids"]
    np.testing.assert_allclose(logits[sampled], REFERENCE[f"{name}/sampled_logits"], rtol=0, atol=1e-3)
    summary = logits.mean(dtype=float), logits.std(dtype=float), np.log(np.exp(logits.astype(float)).sum())
    np.testing.assert_allclose(summary, REFERENCE[f"{name}/summary"], rtol=0, atol=1e-3)


def test_patterns_equal_transformers(case):
    name, trace = case
    keys = [key for key in REFERENCE.files if key.startswith(f"{name}/pattern/")]
    assert keys
    for key in keys:
        layer, head = map(int, key.split("/")[-2:])
        pattern = trace.blocks[layer].attention.pattern[head]
        np.testing.assert_allclose(
            pattern, REFERENCE[key], rtol=0, atol=1e-4, err_msg=f"layer {layer} head {head}"
        )


def test_residual_stream_equals_transformers(case):
    name, trace = case
    for layer, expected in zip(REFERENCE["resid_layers"], REFERENCE[f"{name}/resid_post_last"]):
        # the stream grows to hundreds, so the tolerance grows with it
        tolerance = 1e-5 * float(np.linalg.norm(expected))
        np.testing.assert_allclose(trace.blocks[layer].resid_post[-1], expected, rtol=0, atol=tolerance)


def twenty_greedy_tokens(name: str, model) -> tuple[list[int], list[int]]:
    """A prompt, and what transformers writes after it."""
    prompt, expected = REFERENCE[f"{name}/ids"].tolist(), REFERENCE[f"{name}/greedy"].tolist()
    assert len(expected) == 20 or expected[-1] == model.tokenizer.eos_token
    return prompt, expected


@pytest.mark.parametrize("name", REFERENCE["names"].tolist())
def test_twenty_greedy_tokens_equal_transformers(model, name):
    prompt, expected = twenty_greedy_tokens(name, model)
    run = model.trace([*prompt, *expected[:-1]])
    places = range(len(prompt) - 1, len(run.tokens))
    assert [int(run.logits_at(place).argmax()) for place in places] == expected


@pytest.mark.parametrize("name", REFERENCE["names"][:4].tolist())
def test_the_loop_writes_them_too(model, name):
    prompt, expected = twenty_greedy_tokens(name, model)
    steps = model.generate(prompt, max_new_tokens=20, sampler=GREEDY)
    assert [step.token for step in steps] == expected


@pytest.mark.parametrize("name", tiny_gguf.VARIANTS)
def test_tiny_model_equals_committed_reference(load_tiny, name):
    trace = load_tiny(name).trace(TINY[f"{name}/ids"].tolist())
    np.testing.assert_allclose(trace.logits, TINY[f"{name}/logits"], rtol=0, atol=1e-4)
    for layer, block in enumerate(trace.blocks):
        np.testing.assert_allclose(block.attention.pattern, TINY[f"{name}/pattern"][layer], rtol=0, atol=1e-5)
        np.testing.assert_allclose(block.resid_post[-1], TINY[f"{name}/resid_post"][layer], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", tiny_gguf.VARIANTS)
def test_tiny_model_equals_transformers_live(load_tiny, tiny_path, name):
    pytest.importorskip("transformers", reason="the peers extra is not installed")
    from reference import peer

    for length in (1, 2, 23):
        ids = tiny_gguf.random_ids(name, length)
        expected = peer.trace(peer.load_llama(tiny_path(name)), ids)
        trace = load_tiny(name).trace(ids)
        np.testing.assert_allclose(trace.logits, expected["logits"], rtol=0, atol=1e-4)
        for layer, block in enumerate(trace.blocks):
            arrays = {
                "resid_pre": block.resid_pre,
                "v": block.attention.v,
                "pattern": block.attention.pattern,
                "z": block.attention.z,
                "resid_mid": block.resid_mid,
                "gate": block.ffn.gate,
                "up": block.ffn.up,
                "hidden": block.ffn.hidden,
                "ffn_out": block.ffn.out,
                "resid_post": block.resid_post,
            }
            for key, array in arrays.items():
                where = f"{key} of layer {layer}, {length} tokens"
                scale = max(1.0, float(np.abs(expected[key][layer]).max()))
                np.testing.assert_allclose(
                    array, expected[key][layer], rtol=0, atol=2e-5 * scale, err_msg=where
                )


@pytest.mark.slow
def test_gradients_equal_torch_s_in_float64(model):
    """Every matrix of the default model; torch's own float32 is further off than ours."""
    torch = pytest.importorskip("torch", reason="the peers extra is not installed")
    from reference import torch_llama

    text = "The keys to the old cabinet are on the table, and nobody knows why the cat was asleep there."
    tokens = model.tokenizer.encode(text)[:20]
    loss, gradients = training.loss_and_gradients(model, tokens)
    parameters = {
        name: torch.tensor(array, dtype=torch.float64, requires_grad=True)
        for name, array in stored(model.weights).items()
    }
    expected = torch_llama.whole_loss(parameters, model.config, torch.tensor([tokens]))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for name, gradient in stored(gradients).items():
        right = parameters[name].grad.numpy()
        assert np.linalg.norm(gradient - right) < 1e-4 * np.linalg.norm(right), name
