"""Say in words what a model does in another way than SmolLM2, the default model, on which the pages' results rest."""

import html
from dataclasses import replace

from llmviz.model import Model
from llmviz.weights import LLAMA, Config

# SmolLM2-135M. One that was trained further has the same sizes.
SMOLLM2 = Config(30, 9, 3, 576, 64, 1_536, 49_152, 8_192, 100_000.0, 1e-5)


def is_smollm2(config: Config) -> bool:
    """Say whether a model has SmolLM2's sizes."""
    return replace(config, norm_eps=SMOLLM2.norm_eps) == SMOLLM2


def differences(config: Config) -> list[str]:
    """Return what a model's family does in another way than Llama's, to which SmolLM2 belongs: a clause for each."""
    c, layers = config, range(config.n_layers)
    windows = [window for layer in layers if (window := c.window_of(layer)) is not None]
    bases = {c.rope_base_of(layer) for layer in layers}
    holds = {
        "it adds a learned vector for each position instead of using RoPE": c.position_table,
        "some layers have no RoPE": 0.0 in bases and not c.position_table,
        "RoPE turns some layers’ clock hands faster than others’": len(bases - {0.0}) > 1,
        "RoPE pairs each number of a vector’s first half with one of the second, instead of with its "
        "neighbour": c.split_halves,
        "RoPE’s clock hands are slowed down for longer texts": bool(c.rope_factors),
        f"in {len(windows)} of {c.n_layers} layers, a token attends only to the last "
        f"{min(windows, default=0):,} tokens": bool(windows),
        "attention scores have a cap": c.score_cap is not None,
        "attention scores are divided by a number other than √d_head": c.score_divisor is not None,
        "queries and keys each go through their own norm": "q_norm" in c.arrays,
        "attention and FFN are each followed by a second norm": "attention_post_norm" in c.arrays,
        "its norms also subtract the mean and add a bias": "attention_norm_bias" in c.arrays,
        "it adds biases to what comes out of its matrices": any(name.startswith("b_") for name in c.arrays),
        "its FFNs have no gate": "W_gate" not in c.arrays,
        "its FFNs use the curve GELU, not SiLU": c.activation != "silu",
        f"each embedding is multiplied by {c.embedding_scale:.3g}": c.embedding_scale != 1,
        "its logits have a cap": c.logit_cap is not None,
    }
    return [clause for clause, it_does in holds.items() if it_does]


class Note(str):
    """A sentence that a notebook shows as text of the page."""

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self)}</p>"


def of_tokenizer(model: Model) -> str:
    """Say what a model's tokenizer does in another way than SmolLM2's."""
    begin, sentences = model.tokenizer.begin_token, ""
    if model.tokenizer.starts_from == "characters":
        sentences += " Its tokenizer starts from characters, not from bytes."
    if begin is not None:
        sentences += f" Before every text, the model reads {model.tokenizer.decode([begin])}."
    return sentences


def about(model: Model) -> Note | None:
    """Say what of a page is true of a model, and what its family does in another way; None for SmolLM2."""
    config = model.config
    if is_smollm2(config):
        return None
    note = (
        f"This page is running another model than SmolLM2-135M: one of the architecture {config.architecture}, with "
        f"{config.n_layers} layers and {config.n_heads} heads in each. The pictures, questions and answers come from "
        "it. Where the text itself names numbers or heads, they were measured on SmolLM2-135M."
    )
    if model.tokenizer.chat_template is None:
        note += " It has no chat template, so what takes a chat model is left out."
    clauses = "; ".join(differences(config))
    if clauses:
        note += (
            f" Compared with SmolLM2-135M: {clauses}. So what is computed by hand on this page, with SmolLM2’s "
            "formulas, can differ from the model’s own numbers."
        )
    return Note(note + of_tokenizer(model))


def about_formula(model: Model) -> Note | None:
    """Say next to a formula of SmolLM2's that this model's can be another; None for a model of the same family."""
    if not differences(model.config):
        return None
    return Note(
        "These are SmolLM2’s formulas. This model has others, so its own numbers can differ from these."
    )


def asks_as_llama(config: Config) -> bool:
    """Say whether queries and keys come from the stream exactly as in Llama: no biases, own norms or other RoPE."""
    return config.arrays == LLAMA and not (config.split_halves or config.rope_bases or config.rope_factors)


def divisor_squared(config: Config) -> int:
    """Return the number whose root divides the scores: d_head, or in a few models another."""
    return config.d_head if config.score_divisor is None else round(config.score_divisor**2)


def entry(config: Config) -> str:
    """Return what goes through the curve of an FFN: its "gate", or its "input" in a family without gates."""
    return "gate" if "W_gate" in config.arrays else "input"


def with_article(config: Config) -> str:
    """Return "a gate" or "an input"."""
    return f"{'a' if entry(config) == 'gate' else 'an'} {entry(config)}"


def curve(config: Config) -> str:
    """Return the name of the curve in the FFNs, "silu" or "gelu"."""
    return config.activation.removesuffix("_tanh")
