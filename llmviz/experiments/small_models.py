"""Small models of several sizes, and how well each expects a text that it is trained on."""

import time

from llmviz import training
from llmviz.model import Model
from llmviz.sampling import BITS_PER_NAT
from llmviz.weights import Config

# The control: what chance alone does. Its seed is 4 further, for 0 and 1 happen to come out alike.
AGAIN = "another seed"


def small(*, n_layers: int = 2, n_heads: int = 4, d_model: int = 32, n_ctx: int = 64, ffn: int = 1) -> Config:
    """Return a small model's sizes: two query heads share a key and value head; the FFN is `ffn` times 8/3 as wide."""
    return Config(
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=max(1, n_heads // 2),
        d_model=d_model,
        d_head=d_model // n_heads,
        d_ff=8 * ffn * round(d_model / 3),
        n_vocab=512,
        n_ctx=n_ctx,
        rope_base=10_000.0,
        norm_eps=1e-5,
    )


SIZES = {
    f"{config.n_parameters:,}": config
    for config in (
        small(n_layers=1, n_heads=1, d_model=8),
        small(n_layers=1, n_heads=2, d_model=16),
        small(),
        small(d_model=64),
        small(n_layers=4, n_heads=8, d_model=128),
    )
}
KNOBS = {
    "as it is": small(),
    AGAIN: small(),
    "layers × 2": small(n_layers=4),
    "heads × 2": small(n_heads=8),
    "width × 2": small(d_model=64),
    "FFN × 2": small(ffn=2),
    "context × 2": small(n_ctx=128),
}


def bits_a_byte(model: Model, text: str) -> float:
    """Return what one nat a token is, in bits a byte of this text: 1.44 bits, over the bytes that a token has."""
    return len(model.tokenizer.encode(text)) / len(text.encode()) * BITS_PER_NAT


def held_out_bits(text: str, config: Config, *, steps: int, seed: int = 0) -> float:
    """Train a model on a text from noise; return its surprise at the held-out part, in bits a byte."""
    *_, last = training.pretrain(text, config, steps=steps, seed=seed)
    assert last.held_out is not None  # the last step measures it
    return last.held_out * bits_a_byte(last.model, text)


def seconds_a_step(text: str, config: Config, n: int = 20) -> float:
    """Measure the processor's time for a step of training, in seconds: the mean of n.

    What else the machine does at the same time hardly changes it.
    """
    steps = training.pretrain(text, config, steps=n)
    next(steps)
    start = time.process_time()
    for _ in steps:
        pass
    return (time.process_time() - start) / n
