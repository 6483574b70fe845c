"""A folder of Hugging Face is the model that a GGUF file is; what can't be read is refused in one sentence."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_folder
import tiny_gguf
from messages import holding
from safetensors.numpy import load_file, save_file

from llmviz import weights

TINY = tiny_gguf.VARIANTS["grouped"]


@pytest.fixture
def folder(tmp_path) -> Path:
    return tiny_folder.write(tmp_path / "folder", TINY)


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def load(path: Path, cache: Path) -> weights.Weights:
    return weights.load_weights(path, cache, progress=False)


def change(file: Path, **values) -> None:
    """Set some values of a JSON file; None takes one away."""
    content = json.loads(file.read_text("utf-8")) | values
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def refusal(path: Path, cache: Path) -> str:
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        load(path, cache)
    assert "\n" not in str(caught.value)
    assert not list(cache.glob("weights/*"))
    return str(caught.value)


@pytest.mark.parametrize("name", ["full", "grouped", "single", "one_head"])
def test_a_folder_is_the_model_of_the_gguf_file(tiny_path, tmp_path, cache, name):
    folder = tiny_folder.write(tmp_path / "folder", tiny_gguf.VARIANTS[name])
    ours, of_file = load(folder, cache), load(tiny_path(name), cache)
    assert ours.config == of_file.config
    expected = weights.stored(of_file)
    for array_name, array in weights.stored(ours).items():
        np.testing.assert_array_equal(array, expected.pop(array_name))
    assert not expected
    assert ours.vocabulary["tokens"] == of_file.vocabulary["tokens"]


def test_a_second_load_reads_only_the_cache(folder, cache, monkeypatch):
    first = load(folder, cache)
    monkeypatch.setattr(weights.model_files, "read", None)
    np.testing.assert_array_equal(load(folder, cache).W_E, first.W_E)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_of_which_a_file_changes_is_read_again(folder, cache, file):
    load(folder, cache)
    other = tiny_folder.write(folder.with_name("other"), replace(TINY, seed=99, n_ctx=64))
    change(other / "tokenizer.json", version="2")
    (folder / file).write_bytes((other / file).read_bytes())
    w = load(folder, cache)
    assert (w.config.n_ctx == 64) == (file == "config.json")
    expected = tiny_gguf.tensors(replace(TINY, seed=99 if "model" in file else TINY.seed))
    np.testing.assert_array_equal(w.W_E, expected["token_embd.weight"])


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_file_that_is_missing_empty_or_half_is_named(folder, cache, file):
    content = (folder / file).read_bytes()
    for broken in (content[: len(content) // 2], content[:-1], b"", b"[]" * 10):
        (folder / file).write_bytes(broken)
        assert file in refusal(folder, cache)
    (folder / file).unlink()
    if file == "config.json":
        with pytest.raises(FileNotFoundError, match=re.escape(file)):
            load(folder, cache)
    else:
        assert file.removeprefix("model") in refusal(folder, cache)


def test_several_files_with_an_index(folder, cache):
    arrays, expected = load_file(folder / "model.safetensors"), load(folder, cache).layers[0].W_up
    (folder / "model.safetensors").unlink()
    halves = {"1.safetensors": [*arrays][::2], "2.safetensors": [*arrays][1::2]}
    for file, names in halves.items():
        save_file({name: arrays[name] for name in names}, folder / file)
    save_file({"adapter": np.ones(3)}, folder / "of something else.safetensors")
    index, by_name = folder / "model.safetensors.index.json", {n: f for f, ns in halves.items() for n in ns}
    index.write_text(json.dumps({"weight_map": by_name}))
    np.testing.assert_array_equal(load(folder, cache).layers[0].W_up, expected)
    (folder / "2.safetensors").unlink()
    assert "2.safetensors" in refusal(folder, cache.with_name("other"))
    for strange in ("../1.safetensors", "/etc/passwd", 3):
        index.write_text(json.dumps({"weight_map": by_name | {"x": strange}}))
        assert str(strange) in refusal(folder, cache.with_name("other"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model_type": "bert"}, ["bert", "llama"]),
        ({"model_type": None}, ["model_type"]),
        ({"hidden_act": "relu"}, ["activation", "relu"]),
        ({"quantization_config": {"quant_method": "gptq"}}, ["quantization_config", "gptq"]),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, ["RoPE scaling", "yarn"]),
        ({"partial_rotary_factor": 0.5}, ["RoPE"]),
        ({"use_sliding_window": True}, ["use_sliding_window"]),
        ({"head_dim": 6}, ["blk.0.attn_q.weight", "(48, 48)"]),
        ({"num_hidden_layers": 4}, ["blk.3"]),
        ({"num_hidden_layers": 2}, ["model.layers.2"]),
        ({"num_hidden_layers": 10**9}, ["1000000000"]),
        ({"num_attention_heads": "six"}, ["six"]),
        ({"rope_scaling": ["yarn"]}, ["config.json", "wrong type"]),
        ({"num_attention_heads": 0}, ["head_count"]),
        ({"vocab_size": 10**12}, [277, 10**12]),
        ({"rms_norm_eps": None}, ["layer_norm_rms_epsilon"]),
    ],
)
def test_a_configuration_that_cannot_be_run(folder, cache, values, said):
    change(folder / "config.json", **values)
    assert re.search(holding(*said), refusal(folder, cache))


LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def test_older_and_newer_configurations_say_the_same(folder, cache):
    change(folder / "config.json", rope_theta=5e5, rope_scaling=LLAMA_3)
    older = load(folder, cache).config
    change(folder / "config.json", rope_theta=None, rope_parameters=LLAMA_3 | {"rope_theta": 5e5})
    change(folder / "config.json", rope_scaling=None)
    assert load(folder, cache).config == older
    assert older.rope_base == 5e5
    assert older.rope_factors[0] == 1
    assert older.rope_factors[-1] == 32


def test_a_window_over_some_layers(folder, cache):
    change(folder / "config.json", sliding_window=8)
    assert load(folder, cache).config.windows == (8, 8, 8)
    layers = ["full_attention", "sliding_attention", "full_attention"]
    change(folder / "config.json", use_sliding_window=True, layer_types=layers)
    assert load(folder, cache).config.windows == (0, 8, 0)
    change(folder / "config.json", use_sliding_window=False)
    assert load(folder, cache).config.windows == ()
    change(folder / "config.json", use_sliding_window=True, layer_types=layers[:2])
    assert "each layer" in refusal(folder, cache.with_name("other"))


def test_a_table_that_is_missing_or_not_used(folder, cache):
    arrays = load_file(folder / "model.safetensors")
    change(folder / "config.json", tie_word_embeddings=True)
    w = load(folder, cache)
    assert np.may_share_memory(w.W_E, w.W_U)
    change(folder / "config.json", tie_word_embeddings=False)
    save_file({n: a for n, a in arrays.items() if n != "lm_head.weight"}, folder / "model.safetensors")
    assert "lm_head.weight" in refusal(folder, cache.with_name("other"))


def test_numbers_of_another_type(folder, cache):
    arrays = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    save_file(arrays | {name: arrays[name].astype(np.int8)}, folder / "model.safetensors")
    assert re.search(holding(name, "I8", "BF16"), refusal(folder, cache))


def test_a_vocabulary_smaller_or_larger_than_the_table(folder, cache):
    """Room for more tokens is usual. Gemma has one more that only pictures use."""
    whole = tiny_folder.tokenizer()
    for n_tokens in (270, 280):
        vocab = {f"[{n}]": n for n in range(277, n_tokens)} | dict(
            [*whole["model"]["vocab"].items()][:n_tokens]
        )
        change(folder / "tokenizer.json", model=whole["model"] | {"vocab": vocab, "merges": []})
        tokens = load(folder, cache).vocabulary["tokens"]
        assert len(tokens) == 277
        assert (tokens[276] == "[PAD276]") == (n_tokens == 270)
