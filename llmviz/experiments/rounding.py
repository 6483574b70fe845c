"""Round the matrices of a model to fewer bits for each number (quantisation), and measure what it costs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from llmviz.model import Model
from llmviz.weights import LayerWeights, as_stored, as_used

GROUP = 32  # numbers that share one scale, as in GGUF's Q4_1
# The matrices of a layer; some families have no W_gate.
ATTENTION, FFN = ("W_Q", "W_K", "W_V", "W_O"), ("W_gate", "W_up", "W_down")


def quantise_matrix(
    W: Float[np.ndarray, "d_out d_in"], bits: float, shift: int = 0
) -> Float[np.ndarray, "d_out d_in"]:
    """Round each group of 32 numbers in a row to the nearest of 2**bits evenly spaced values, from lowest to highest.

    A row whose length 32 does not divide is one group. The model file's own format, Q4_1, is this with 4 bits, so its
    numbers do not change. With shift, the groups begin that many numbers later (the last one wraps round to the start
    of the row), so that 4 bits do change the numbers. bits need not be whole: log2(11) gives 11 values. ValueError for
    less than 1 bit.
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


def quantised(
    model: Model,
    bits: float,
    *,
    table: bool = False,
    shift: int = 0,
    matrices: Sequence[str] = ATTENTION + FFN,
) -> Model:
    """Return the model with the matrices of all layers rounded to `bits` bits, and the norms unchanged.

    shift: see `quantise_matrix`. table: round W_E (and W_U) too. matrices: round only these of each layer. The copy
    still takes 4 bytes for each number, 425 MB for the default model's layers: rounding here shows what is lost, and
    saves no memory.
    """
    weights = model.weights
    there = [name for name in matrices if name in model.config.arrays]

    def rounded(stored: np.ndarray) -> np.ndarray:
        return quantise_matrix(np.ascontiguousarray(stored), bits, shift)

    def of_layer(layer: LayerWeights) -> LayerWeights:
        new = {name: rounded(as_stored(name, getattr(layer, name))) for name in there}
        return replace(layer, **{name: as_used(name, W, model.config.d_head) for name, W in new.items()})

    layers = tuple(map(of_layer, weights.layers))
    W_E, W_U = weights.W_E, weights.W_U
    if table:
        W_E = rounded(weights.W_E)
        W_U = W_E.T if np.may_share_memory(weights.W_E, weights.W_U) else rounded(weights.W_U.T).T
    return _variant(model, layers=layers, W_E=W_E, W_U=W_U)


def with_noise_of(model: Model, changed: Model, seed: int = 0) -> Model:
    """Return the model with random noise in each matrix of a layer, as large as the change in another model of it.

    As large: of the same root mean square, matrix by matrix. It is the control of `quantised`.
    """
    rng, layers = np.random.default_rng(seed), []
    for old, new in zip(model.weights.layers, changed.weights.layers):
        noisy = {}
        for name in (name for name in ATTENTION + FFN if name in model.config.arrays):
            W = getattr(old, name)
            size = np.sqrt(np.square(getattr(new, name) - W).mean())
            noisy[name] = W + size * rng.standard_normal(W.shape, np.float32)
        layers.append(replace(old, **noisy))
    return _variant(model, layers=tuple(layers))


def _variant(model: Model, **arrays) -> Model:
    """Return a model with some other weights, which keeps no runs."""
    new = Model(replace(model.weights, **arrays), model.tokenizer)
    new.recent.max_bytes = 0
    return new
