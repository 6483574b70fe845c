"""The tiny random models of `tiny_gguf` as folders of Hugging Face, written without its libraries."""

import json
from pathlib import Path

import numpy as np
import tiny_gguf
from safetensors.numpy import save_file
from tiny_gguf import Tiny

NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "token_embd": "embed_tokens",
    "output_norm": "norm",
    "output": "lm_head",
}


def config(tiny: Tiny) -> dict:
    return {
        "model_type": "llama",
        "num_hidden_layers": tiny.n_layers,
        "num_attention_heads": tiny.n_heads,
        "num_key_value_heads": tiny.n_kv_heads,
        "hidden_size": tiny.d_model,
        "intermediate_size": tiny.d_ff,
        "max_position_embeddings": tiny.n_ctx,
        "vocab_size": len(tiny_gguf.vocabulary()),
        "rope_theta": tiny.rope_base,
        "rope_scaling": None,
        "rms_norm_eps": tiny.norm_eps,
        "hidden_act": "silu",
        "tie_word_embeddings": tiny.tied,
        "eos_token_id": 2,
    }


def tokenizer() -> dict:
    tokens = tiny_gguf.vocabulary()
    added = [{"id": n, "content": text, "special": True} for n, text in enumerate(tiny_gguf.SPECIAL)]
    steps = [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ]
    return {
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "model": {
            "type": "BPE",
            "vocab": {token: n for n, token in enumerate(tokens)},
            "merges": list(tiny_gguf.MERGES),
        },
    }


def in_huggingface(arrays: dict[str, np.ndarray], n_heads: int, n_kv_heads: int) -> dict[str, np.ndarray]:
    """The arrays of a Llama's GGUF file by their names there. In rows of Q and K, RoPE's pairs are then apart."""
    renamed = {}
    for name, array in arrays.items():
        *layer, part, kind = name.split(".")
        if heads := {"attn_q": n_heads, "attn_k": n_kv_heads}.get(part):
            array = array.reshape(heads, -1, 2, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        within = ["model", *(["layers", layer[1]] if layer else [])] if part != "output" else []
        renamed[".".join([*within, NAMES[part], kind])] = np.ascontiguousarray(array)
    return renamed


def tensors(tiny: Tiny) -> dict[str, np.ndarray]:
    return in_huggingface(tiny_gguf.tensors(tiny), tiny.n_heads, tiny.n_kv_heads)


def write(folder: Path, tiny: Tiny) -> Path:
    """Write the model, with a tokenizer, to a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(tiny)), "utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()), "utf-8")
    save_file(tensors(tiny), folder / "model.safetensors", metadata={"format": "pt"})
    return folder
