"""Tiny random models of each family: made by `transformers`, with all fields that a real configuration has.

`write` puts one into a GGUF file the way llama.cpp's converter does. Needs the `peers` extra. Nothing of llmviz is
imported here, on purpose.
"""

import json
import math
import warnings
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import tiny_gguf

with warnings.catch_warnings():  # what these libraries warn about in themselves is not ours to mend
    warnings.simplefilter("ignore")
    import torch
    import transformers

SIZES = {
    "vocab_size": len(tiny_gguf.vocabulary()),
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": None,
}
GEMMA = SIZES | {
    "head_dim": 16,
    "query_pre_attn_scalar": 16,
    "sliding_window": 16,
    "hidden_activation": "gelu_pytorch_tanh",
}
CAPS = {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 10.0}
GPT_2 = {
    "vocab_size": SIZES["vocab_size"],
    "n_positions": 1024,
    "n_embd": 48,
    "n_layer": 3,
    "n_head": 6,
    "n_inner": 80,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
    "bos_token_id": None,
    "eos_token_id": 2,
}
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

# The family's name in GGUF files, its class in transformers, what its configuration says, and its tokenizer's kind.
FAMILIES: dict[str, tuple[str, str, dict[str, Any], tuple[str, str]]] = {
    "llama 3": (
        "llama",
        "Llama",
        SIZES | {"rope_parameters": LLAMA_3, "tie_word_embeddings": True},
        ("gpt2", "llama-bpe"),
    ),
    "llama with biases": ("llama", "Llama", SIZES | {"attention_bias": True}, ("gpt2", "smollm")),
    "qwen 2": (
        "qwen2",
        "Qwen2",
        SIZES | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}, "tie_word_embeddings": True},
        ("gpt2", "qwen2"),
    ),
    "qwen 3": (
        "qwen3",
        "Qwen3",
        SIZES | {"head_dim": 16, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        ("gpt2", "qwen2"),
    ),
    "gpt 2": ("gpt2", "GPT2", GPT_2, ("gpt2", "gpt-2")),
    "smollm 3": ("smollm3", "SmolLM3", SIZES | {"num_hidden_layers": 5}, ("gpt2", "smaug-bpe")),
    "mistral": ("llama", "Mistral", SIZES | {"sliding_window": 16}, ("llama", "default")),
    "gemma 2": ("gemma2", "Gemma2", GEMMA | CAPS, ("llama", "default")),
    "gemma 3": ("gemma3", "Gemma3Text", GEMMA | {"num_hidden_layers": 7}, ("llama", "default")),
    "gemma 3, long": (
        "gemma3",
        "Gemma3Text",
        GEMMA
        | {
            "num_hidden_layers": 6,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        },
        ("llama", "default"),
    ),
}


def make(name: str):
    """A model of transformers in float32, with numbers from a generator: large enough that attention is uneven."""
    architecture, kind, fields, _ = FAMILIES[name]
    config = getattr(transformers, f"{kind}Config")(
        **fields, attn_implementation="eager", dtype=torch.float32
    )
    head = "LMHeadModel" if architecture == "gpt2" else "ForCausalLM"
    model = getattr(transformers, kind.removesuffix("Text") + head)(config).eval()
    generator = torch.Generator().manual_seed(sorted(FAMILIES).index(name))
    for parameter, values in model.named_parameters():
        noise = torch.randn(values.shape, generator=generator)
        if values.ndim == 1:  # a norm or a bias; Gemma keeps a norm's weight less one
            middle = 0 if parameter.endswith("bias") or "gemma" in architecture else 1
            noise = middle + 0.3 * noise
        elif not any(table in parameter for table in ("embed", "wte", "wpe")):
            noise *= 1 / math.sqrt(values.shape[0] if is_conv1d(parameter, architecture) else values.shape[1])
        values.data = noise
    return model.requires_grad_(False)


def is_conv1d(parameter: str, architecture: str) -> bool:
    """GPT-2 in transformers keeps its matrices as [in, out]."""
    return architecture == "gpt2" and ".c_" in parameter


@torch.inference_mode()
def logits(model, ids: list[int]) -> np.ndarray:
    """The logits after each token, without a cache."""
    return model(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def loss_and_gradients(model, ids: list[int]) -> tuple[float, dict[str, np.ndarray]]:
    """The mean surprise in nats, and how it changes with each array, by its name in GGUF files."""
    model.requires_grad_(True)
    loss = model(torch.tensor([ids]), labels=torch.tensor([ids]), use_cache=False).loss
    loss.backward()
    gradients = in_a_file(model, {name: values.grad for name, values in model.named_parameters()})
    model.zero_grad()
    model.requires_grad_(False)
    for name in [name for name in gradients if "attn_qkv" in name]:  # GPT-2 has them in one
        parts = np.split(gradients.pop(name), 3)
        gradients |= {name.replace("qkv", letter): part for letter, part in zip("qkv", parts)}
    return loss.item(), gradients


def write(path: Path, name: str, model) -> Path:
    """Write the model to a GGUF file."""
    architecture, _, _, (tokenizer, pre) = FAMILIES[name]
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    add_sizes(writer, architecture, config)
    tokens = tiny_gguf.vocabulary()
    writer.add_tokenizer_model(tokenizer)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in tiny_gguf.SPECIAL else 1 for token in tokens])
    writer.add_token_merges(list(tiny_gguf.MERGES))
    writer.add_eos_token_id(2)
    for key, array in tensors(model).items():
        writer.add_tensor(key, np.ascontiguousarray(array, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def save(folder: Path, model) -> Path:
    """Write the model to a folder as Hugging Face has it, with the tokenizer of the tiny GGUF files."""
    model.save_pretrained(folder, max_shard_size="40KB")  # several files and an index
    tokens, special = tiny_gguf.vocabulary(), tiny_gguf.SPECIAL
    of = {
        "type": "BPE",
        "vocab": {token: n for n, token in enumerate(tokens)},
        "merges": list(tiny_gguf.MERGES),
    }
    added = [{"id": tokens.index(token), "content": token, "special": True} for token in special]
    (folder / "tokenizer.json").write_text(json.dumps({"model": of, "added_tokens": added}), "utf-8")
    return folder


def add_sizes(writer: gguf.GGUFWriter, architecture: str, config) -> None:
    """The numbers that the converter takes from config.json."""
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    if architecture == "gpt2":
        writer.add_feed_forward_length(config.n_inner)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        writer.add_sliding_window(config.sliding_window)
    if cap := getattr(config, "attn_logit_softcapping", None):
        writer.add_attn_logit_softcapping(cap)
    if cap := getattr(config, "final_logit_softcapping", None):
        writer.add_final_logit_softcapping(cap)
    if d_head := getattr(config, "head_dim", None):
        writer.add_key_length(d_head)
        writer.add_value_length(d_head)


def tensors(model) -> dict[str, np.ndarray]:
    """The arrays by their names in GGUF files."""
    config = model.config
    arrays = in_a_file(model, dict(model.named_parameters()))  # which leaves out a tied table
    if "gemma" in config.model_type:
        arrays |= {name: array + 1 for name, array in arrays.items() if name.endswith("norm.weight")}
    if getattr(config, "rope_parameters", {}).get("rope_type") == "llama3":
        plain = config.rope_parameters["rope_theta"] ** (-np.arange(0, 1, 2 / config.head_dim))
        arrays["rope_freqs.weight"] = plain / model.model.rotary_emb.inv_freq.numpy()
    return arrays


def in_a_file(model, of_parameters) -> dict[str, np.ndarray]:
    """What belongs to each parameter, by names and in the order of GGUF files."""
    config = model.config
    architecture = KINDS[config.model_type]
    names = gguf.get_tensor_name_map(ARCHITECTURES[architecture], config.num_hidden_layers)
    arrays = {}
    for parameter, values in of_parameters.items():
        array = values.numpy()
        if architecture in (
            "llama",
            "smollm3",
        ):  # whose rows of Q and K are permuted, so that neighbours rotate together
            for part, heads in (
                ("q_proj", config.num_attention_heads),
                ("k_proj", config.num_key_value_heads),
            ):
                if part in parameter:
                    array = array.reshape(heads, 2, -1, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)
        if is_conv1d(parameter, architecture) and array.ndim == 2:
            array = array.T
        arrays[names.get_name(parameter, try_suffixes=(".weight", ".bias"))] = array
    return arrays


# What transformers calls an architecture.
KINDS = {name: name for name in ("llama", "qwen2", "qwen3", "gpt2", "smollm3", "gemma2")} | {
    "mistral": "llama",
    "gemma3_text": "gemma3",
}
ARCHITECTURES = {name: architecture for architecture, name in gguf.MODEL_ARCH_NAMES.items()}
