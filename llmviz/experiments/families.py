"""Say in words what a model does in another way than SmolLM2, the default model, on which the pages' results rest."""

from dataclasses import replace

from llmviz.weights import Config

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
    found = {
        "it adds a learned vector for each position instead of using RoPE": c.position_table,
        "some layers have no RoPE": 0.0 in bases and not c.position_table,
        "RoPE turns some layers’ clock hands faster than others’": len(bases - {0.0}) > 1,
        "RoPE pairs the numbers of a vector’s two halves, not neighbours": c.split_halves,
        "RoPE’s clock hands are slowed down for longer texts": bool(c.rope_factors),
        f"in {len(windows)} of {c.n_layers} layers, a token attends only to the last "
        f"{min(windows, default=0):,} tokens": bool(windows),
        "attention scores have a cap": c.score_cap is not None,
        "attention scores are divided by another number than √d_head": c.score_divisor is not None,
        "queries and keys pass a norm of their own": "q_norm" in c.arrays,
        "a second norm follows each block": "attention_post_norm" in c.arrays,
        "its norms also subtract the mean and add a bias": "attention_norm_bias" in c.arrays,
        "it adds biases to what comes out of its matrices": any(name.startswith("b_") for name in c.arrays),
        "its FFNs have no gate": "W_gate" not in c.arrays,
        "its FFNs use the curve GELU, not SiLU": c.activation != "silu",
        f"a row of the embedding table is multiplied by {c.embedding_scale:.3g}": c.embedding_scale != 1,
        "its logits have a cap": c.logit_cap is not None,
    }
    return [clause for clause, holds in found.items() if holds]
