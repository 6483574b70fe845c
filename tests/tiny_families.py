"""Tiny random models of other families than Llama's, with any vocabulary. Most of what `Config` can say is in them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from llmviz.model import Model
from llmviz.tokenization import Tokenizer
from llmviz.weights import FAMILIES, Config, from_flat, stored

SIZES = {"n_layers": 2, "d_head": 8, "d_ff": 40, "n_ctx": 1_024, "rope_base": 1e4, "norm_eps": 1e-5}
OF_FAMILY: dict[str, dict[str, Any]] = {
    # LayerNorm, biases, no gate, and learned positions in place of RoPE
    "gpt2": {"n_heads": 3, "n_kv_heads": 3, "d_model": 24, "rope_bases": (0.0, 0.0)},
    # norms of queries and keys, heads that are together wider than the stream, another output table
    "qwen3": {"n_heads": 4, "n_kv_heads": 2, "d_model": 16},
    # one key/value head, windows, two bases of RoPE, norms after each block, caps, scaled embeddings
    "gemma3": {
        **{"n_heads": 3, "n_kv_heads": 1, "d_model": 24, "n_layers": 3, "windows": (8, 8, 0)},
        **{"rope_bases": (1e3, 1e3, 1e4), "score_divisor": 3.0, "score_cap": 4.0, "logit_cap": 12.0},
        "embedding_scale": 24**0.5,
    },
}


def of_family(name: str, vocabulary: Mapping[str, Any], tokenizer: Tokenizer | None = None) -> Model:
    """A model whose numbers are large enough that attention is uneven."""
    sizes = SIZES | OF_FAMILY[name] | FAMILIES[name]
    config = Config(architecture=name, n_vocab=len(vocabulary["tokens"]), **sizes)
    size = config.n_parameters + (config.n_vocab * config.d_model if name == "qwen3" else 0)
    weights = from_flat(np.random.default_rng(1).standard_normal(size, np.float32), config, vocabulary)
    for key, array in stored(weights).items():
        if array.ndim == 1:  # a norm or a bias
            array *= 0.3
            array += 0 if key.endswith("bias") else 1
        else:
            array /= config.embedding_scale if "embd" in key else array.shape[1] ** 0.5
    return Model(weights, tokenizer)
