"""Round the matrices of a model to fewer bits a number."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from llmviz.model import Model

GROUP = 32  # numbers that share one scale, as in GGUF's Q4_1


def quantise_matrix(
    W: Float[np.ndarray, "d_out d_in"], bits: float, shift: int = 0
) -> Float[np.ndarray, "d_out d_in"]:
    """Each group of 32 numbers of a row moved to the nearest of 2**bits evenly spaced values, from least to largest.

    Rows that 32 does not divide are one group each. The file's own kind, Q4_1, is this with 4 bits: such numbers stay
    where they are. With shift, the groups begin so many numbers further (the last one ends at the row's beginning), and
    4 bits are another grid. bits need not be whole: log2(11) gives 11 values. ValueError for less than 1 bit.
    """
    levels = round(2**bits)
    if levels < 2:
        raise ValueError(f"a number needs at least 1 bit; got {bits}")
    if shift:
        return np.roll(quantise_matrix(np.roll(W, -shift, axis=-1), bits), shift, axis=-1)
    groups = W.reshape(-1, GROUP if W.shape[-1] % GROUP == 0 else W.shape[-1])
    low = groups.min(axis=1, keepdims=True)
    step = (groups.max(axis=1, keepdims=True) - low) / np.float32(levels - 1)
    step[step == 0] = 1  # a group of equal numbers
    rounded = np.subtract(groups, low)
    rounded /= step
    np.rint(rounded, out=rounded)
    rounded *= step
    rounded += low
    return rounded.reshape(W.shape)


def quantised(model: Model, bits: float, *, table: bool = False, shift: int = 0) -> Model:
    """The model with the matrices of all layers rounded to so many bits, the norms as they are.

    shift: see `quantise_matrix`. table: W_E (and W_U) too. The copy is 4 bytes a number again, 425 MB for the default
    model's layers: rounding here shows what is lost, and saves nothing.
    """
    weights, d_model = model.weights, model.config.d_model

    def heads(W):  # a row as stored is one number of a head: [heads, d_head, d_model]
        return (
            quantise_matrix(W.swapaxes(1, 2).reshape(-1, d_model), bits, shift)
            .reshape(len(W), -1, d_model)
            .swapaxes(1, 2)
        )

    def rows(W):
        return quantise_matrix(np.ascontiguousarray(W.T), bits, shift).T

    layers = tuple(
        replace(
            w,
            **{name: heads(getattr(w, name)) for name in ("W_Q", "W_K", "W_V")},
            W_O=rows(w.W_O.reshape(-1, d_model)).reshape(w.W_O.shape),
            **{name: rows(getattr(w, name)) for name in ("W_gate", "W_up", "W_down")},
        )
        for w in weights.layers
    )
    ends = {}
    if table:
        ends["W_E"] = quantise_matrix(weights.W_E, bits, shift)
        tied = np.may_share_memory(weights.W_E, weights.W_U)
        ends["W_U"] = ends["W_E"].T if tied else rows(weights.W_U)
    new = Model(replace(weights, layers=layers, **ends))
    new.recent.max_bytes = 0
    vars(new)["tokenizer"] = model.tokenizer  # the same: a second one would be 28 MB
    return new
