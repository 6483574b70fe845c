"""Stage 5, the feed-forward network: each token is processed on its own.

    gate   = x W_gate                  1536 questions asked of the vector
    up     = x W_up                    1536 answers to put forward
    hidden = silu(gate) * up           the gate decides which answers pass: the neurons
    out    = hidden W_down             Σ over neurons  hidden_i * W_down[i], *added* to the residual stream

(SwiGLU: Shazeer 2020.) No token sees another here. A neuron is a reader (a column of W_gate and of W_up) and a
writer (a row of W_down): when it fires, it pushes the stream along its row (Geva et al. 2021).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from llmviz.ops import (
    ACTIVATIONS,
    ACTIVATIONS_BACKWARD,
    LowRank,
    linear,
    linear_backward,
    tells_shapes,
    unchanged,
)

NO_CHANGES: Mapping[str, LowRank] = {}


@dataclass(frozen=True, eq=False)
class FFNTrace:
    """Every array of one feed-forward layer, in the order in which they are computed."""

    gate: Float[np.ndarray, "seq d_ff"] | None  # None where there is no gate
    up: Float[np.ndarray, "seq d_ff"]
    hidden: Float[np.ndarray, "seq d_ff"]  # silu(gate) * up: how strongly each neuron fires
    out: Float[np.ndarray, "seq d_model"]  # before it is added to the stream


@tells_shapes
def swiglu(
    x: Float[np.ndarray, "seq d_model"],
    W_gate: Float[np.ndarray, "d_model d_ff"] | None,
    W_up: Float[np.ndarray, "d_model d_ff"],
    W_down: Float[np.ndarray, "d_ff d_model"],
    *,
    b_up: Float[np.ndarray, " d_ff"] | None = None,
    b_down: Float[np.ndarray, " d_model"] | None = None,
    activation: str = "silu",
    changes: Mapping[str, LowRank] = NO_CHANGES,
    after: Callable[[np.ndarray], np.ndarray] | None = None,
    edit: Callable[[str, np.ndarray], np.ndarray] = unchanged,
) -> FFNTrace:
    """Compute what the layer adds to the stream, from the normed stream.

    W_gate: None in a family without gates, where hidden = gelu(up) (GPT-2). b_up, b_down: biases, added to up and out.
    activation: the curve (`ops.ACTIVATIONS`). changes: what fine-tuning has changed, by the names of the matrices.
    after(out): what some families do with the output before it is added, such as a norm. edit(name, array): returns
    what replaces hidden and ffn_out.
    """
    gate = None if W_gate is None else linear(x, W_gate, change=changes.get("W_gate"))
    up = linear(x, W_up, b_up, changes.get("W_up"))
    curve = ACTIVATIONS[activation]
    hidden = edit("hidden", curve(up) if gate is None else curve(gate) * up)
    out = linear(hidden, W_down, b_down, changes.get("W_down"))
    return FFNTrace(gate, up, hidden, edit("ffn_out", out if after is None else after(out)))


@dataclass(frozen=True, eq=False)
class FFNBackward:
    """How the loss changes with each array of one feed-forward layer. The gradient of a matrix is
    `ops.linear_gradient` of what came out of it and what went in: W_gate's of gate and x, W_down's of d_out and hidden.
    """

    gate: Float[np.ndarray, "seq d_ff"] | None
    up: Float[np.ndarray, "seq d_ff"]
    x: Float[np.ndarray, "seq d_model"]


def swiglu_backward(
    d_out: Float[np.ndarray, "seq d_model"],
    gate: Float[np.ndarray, "seq d_ff"] | None,
    up: Float[np.ndarray, "seq d_ff"],
    W_gate: Float[np.ndarray, "d_model d_ff"] | None,
    W_up: Float[np.ndarray, "d_model d_ff"],
    W_down: Float[np.ndarray, "d_ff d_model"],
    *,
    activation: str = "silu",
    changes: Mapping[str, LowRank] = NO_CHANGES,
) -> FFNBackward:
    """Return d_hidden = d_out W_downᵀ;  d_up = d_hidden silu(gate);  d_gate = d_hidden up silu'(gate);
    d_x = d_gate W_gateᵀ + d_up W_upᵀ. Each factor of hidden gets the other's value.

    d_out: of out before what `after` does with it. Without a gate, hidden = silu(up).
    """
    curve, curve_backward = ACTIVATIONS[activation], ACTIVATIONS_BACKWARD[activation]
    d_hidden = linear_backward(d_out, W_down, changes.get("W_down"))
    if gate is None or W_gate is None:
        d_gate, d_up = None, curve_backward(d_hidden, up)
        d_x = linear_backward(d_up, W_up)
    else:
        d_gate, d_up = curve_backward(d_hidden * up, gate), d_hidden * curve(gate)
        d_x = linear_backward(d_gate, W_gate, changes.get("W_gate")) + linear_backward(d_up, W_up)
    if "W_up" in changes:
        d_x = d_x + changes["W_up"].backward(d_up)
    return FFNBackward(d_gate, d_up, d_x)


def output_lengths(
    hidden: Float[np.ndarray, " d_ff"], W_down: Float[np.ndarray, "d_ff d_model"]
) -> Float[np.ndarray, " d_ff"]:
    """Return how much each neuron writes: the length of what it adds to one token's stream."""
    return np.abs(hidden) * np.linalg.norm(W_down, axis=1)


def neurons_needed(written: Float[np.ndarray, " d_ff"], share: float = 0.5) -> int:
    """Return how many of the neurons that write most together write this share of everything that is written."""
    return 1 + int((np.cumsum(np.sort(written)[::-1]) < share * written.sum()).sum())
