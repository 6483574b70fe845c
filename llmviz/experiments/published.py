"""Count the parameters of a model and of published ones, all of them and those that work on one token."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmviz.model import Model
from llmviz.weights import Config, stored, tensor_shapes

# The part to which an array of a GGUF file belongs: that of the first of these words in its name.
PARTS = {"norm": "norms", "ffn": "FFN", "attn": "attention", "emb": "embedding table", "out": "output table"}


def parameters(sizes: Model | Config, *, tied: bool = True) -> dict[str, int]:
    """Count the parameters of each part: of a Model array by array, of a Config by its shapes.

    A tied output table counts once. A Model says whether it is tied; a Config's is unless `tied` is False.
    """
    shapes = (
        tensor_shapes(sizes, tied=tied)
        if isinstance(sizes, Config)
        else {name: array.shape for name, array in stored(sizes.weights).items()}
    )
    counts = dict.fromkeys(("FFN", "attention", "embedding table", "norms"), 0)
    for name, shape in shapes.items():
        part = next(part for key, part in PARTS.items() if key in name)
        counts[part] = counts.get(part, 0) + math.prod(shape)
    return counts


def n_parameters(sizes: Model | Config, *, tied: bool = True) -> int:
    """Count all parameters; see `parameters`."""
    return sum(parameters(sizes, tied=tied).values())


def parts(config: Config, own_W_U: bool = False) -> dict[str, int]:
    """Count the parameters of each part; where W_U is a table of its own, it counts with W_E as "tables"."""
    counts = parameters(config, tied=not own_W_U)
    tables = counts.pop("embedding table") + counts.pop("output table", 0)
    return {
        "tables" if own_W_U else "embedding table": tables,
        **{name: counts[name] for name in ("attention", "FFN", "norms")},
    }


@dataclass(frozen=True)
class Published:
    """A published model: its sizes, whether W_U is a table of its own, and its parts if the formula is not exact."""

    name: str
    config: Config
    own_W_U: bool
    said: str  # what its makers say
    source: str
    exact: Mapping[str, int] | None = None  # what its parts have, where that is not what the formula says
    why: str = ""
    active: Mapping[str, int] | None = None  # of a mixture of experts: what works on one token

    @property
    def by_formula(self) -> int:
        """How many parameters its sizes give if its parts are like those of the models that llmviz runs."""
        return n_parameters(self.config, tied=not self.own_W_U)

    @property
    def parts(self) -> Mapping[str, int]:
        return self.exact or parts(self.config, self.own_W_U)

    @property
    def count(self) -> int:
        """How many parameters it has."""
        return sum(self.parts.values())


def _config(n_layers, n_heads, n_kv_heads, d_model, d_head, d_ff, n_vocab, n_ctx) -> Config:
    return Config(n_layers, n_heads, n_kv_heads, d_model, d_head, d_ff, n_vocab, n_ctx, 10_000.0, 1e-5)


def _gpt2(name: str, said: str, n_layers: int, d: int) -> Published:
    """Count two FFN matrices instead of three, a bias for each matrix, norms with a shift, and position vectors."""
    config = _config(n_layers, d // 64, d // 64, d, 64, 4 * d, 50_257, 1_024)
    exact = {
        "tables": (config.n_vocab + config.n_ctx) * d,
        "attention": n_layers * (4 * d * d + 4 * d),
        "FFN": n_layers * (8 * d * d + 5 * d),
        "norms": (2 * n_layers + 1) * 2 * d,
    }
    why = "Its FFN has two matrices, not three, and it has biases and a learned vector for each position."
    return Published(name, config, False, said, "README of openai/gpt-2; sizes: its src/model.py", exact, why)


def _experts(name, said, source, *, n_heads: int, n_vocab: int, n_dense: int, n_experts: int) -> Published:
    """Count a mixture of experts as in DeepSeek-V3: many small FFNs a layer, and queries, keys, values of low rank."""
    n_layers, d, d_ff, d_expert, n_asked = 61, 7_168, 18_432, 2_048, 8
    rank_q, rank_kv, d_head, d_turned = 1_536, 512, 128, 64
    config = _config(n_layers, n_heads, n_heads, d, d_head, d_ff, n_vocab, 131_072)
    attention = (
        rank_q * (d + n_heads * (d_head + d_turned))
        + d * (rank_kv + d_turned)
        + rank_kv * 2 * n_heads * d_head
        + n_heads * d_head * d
    )
    n_mixed, expert = n_layers - n_dense, 3 * d * d_expert
    exact = {
        "tables": 2 * n_vocab * d,
        "attention": n_layers * attention,
        "routed experts": n_mixed * n_experts * expert,
        "shared FFN": n_dense * 3 * d * d_ff + n_mixed * expert,
        "norms, router": (2 * n_layers + 1) * d
        + n_layers * (rank_q + rank_kv)
        + n_mixed * (d + 1) * n_experts,
    }
    active = {**exact, "tables": (n_vocab + 1) * d, "routed experts": n_mixed * n_asked * expert}
    why = (
        f"In {n_mixed} of its {n_layers} layers, {n_experts} small FFNs and a shared one replace the single FFN. A "
        f"router picks {n_asked} of the {n_experts} for each token. Its attention also uses narrower matrices."
    )
    return Published(name, config, True, said, source, exact, why, active)


def _like_ours() -> list[Published]:
    """Read the models that have the parts of those that llmviz runs from `published.csv`."""
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as file:
        _head, *rows = csv.reader(file)
    return [
        Published(name, _config(*map(int, sizes)), own_W_U == "yes", said, source)
        for name, said, source, own_W_U, *sizes in rows
    ]


QWEN_3 = _config(28, 16, 8, 1_024, 128, 3_072, 151_936, 32_768)
MODELS = (
    *_like_ours(),
    _gpt2("GPT-2 small", "124M, at first given as 117M by mistake", 12, 768),
    _gpt2("GPT-2 XL", "1.5B", 48, 1_600),
    Published(
        "Qwen3 0.6B",
        QWEN_3,
        False,
        "0.6B",
        "Yang et al. 2025; config.json of Qwen3-0.6B",
        {**parts(QWEN_3), "norms": parts(QWEN_3)["norms"] + 28 * 2 * 128},
        "Each layer also has a norm for queries and one for keys.",
    ),
    _experts(
        "DeepSeek-V3",
        "671B, of which 37B work on each token",
        "DeepSeek-AI 2024; config of deepseek-ai/DeepSeek-V3",
        n_heads=128,
        n_vocab=129_280,
        n_dense=3,
        n_experts=256,
    ),
    _experts(
        "Kimi K2",
        "1T, of which 32B work on each token",
        "README of MoonshotAI/Kimi-K2 (2025) and its config.json",
        n_heads=64,
        n_vocab=163_840,
        n_dense=1,
        n_experts=384,
    ),
)
PUBLISHED = tuple(sorted(MODELS, key=lambda model: model.count))
