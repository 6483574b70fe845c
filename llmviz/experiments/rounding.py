"""Round the matrices of a model to fewer bits for each number (quantisation), and measure what it costs."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from llmviz.experiments.answers import answer_probs
from llmviz.experiments.probabilities import token_surprise
from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.weights import LayerWeights, as_stored, as_used

GROUP = 32  # numbers that share one scale, as in GGUF's Q4_1
ATTENTION, FFN = ("W_Q", "W_K", "W_V", "W_O"), ("W_gate", "W_up", "W_down")  # the matrices of a layer


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

    def rounded(stored: np.ndarray) -> np.ndarray:
        return quantise_matrix(np.ascontiguousarray(stored), bits, shift)

    def of_layer(layer: LayerWeights) -> LayerWeights:
        new = {name: rounded(as_stored(name, getattr(layer, name))) for name in matrices}
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
        for name in ATTENTION + FFN:
            W = getattr(old, name)
            size = np.sqrt(np.square(getattr(new, name) - W).mean())
            noisy[name] = W + size * rng.standard_normal(W.shape, np.float32)
        layers.append(replace(old, **noisy))
    return _variant(model, layers=tuple(layers))


def distinct_values(model: Model) -> int:
    """Count the different values that the 32 numbers of a group have at most, in the first layer's W_down."""
    groups = np.ascontiguousarray(model.weights.layers[0].W_down.T).reshape(-1, GROUP)
    return max(len(np.unique(group)) for group in groups)


def share_rounded(old: Model, new: Model) -> float:
    """Measure the share of numbers that rounding changed, in the first layer's W_down."""
    before, after = (model.weights.layers[0].W_down for model in (old, new))
    return 1 - float(np.isclose(before, after, atol=1e-6).mean())


@dataclass(frozen=True)
class Grid:
    """`bits` a number, in groups that begin `shift` numbers further than the file's."""

    bits: int
    shift: int = 0

    @property
    def name(self) -> str:
        """What a picture calls it."""
        return f"{self.bits} bits" + (", other groups" if self.shift else "")


@dataclass(frozen=True, eq=False)
class Rounded:
    """What a model does when its numbers are rounded to a grid."""

    grid: Grid | None  # None: as it is
    changed: float  # the share of numbers that changed
    surprises: Float[np.ndarray, " n_texts"]  # in bits a token, the mean of each text
    probs: Float[np.ndarray, " n_facts"]  # of the right answers
    is_right: Bool[np.ndarray, " n_facts"]  # whether they are the likeliest
    written: str  # a text, with what the model writes after it; or why it cannot


def round_to_each(
    model: Model,
    grids: Sequence[Grid],
    facts: Mapping[str, str],
    texts: Sequence[Sequence[int]],
    start: Sequence[int],
    *,
    n_written: int = 12,
    table: bool = False,
) -> Iterator[tuple[float, tuple[Rounded, ...] | None]]:
    """Measure a model as it is, and rounded to each grid; yield the share that is done, and what is measured so far.

    facts: texts to go on from, each with the right answer. texts: those whose surprise is measured, start: what the
    model goes on from (nothing: it writes nothing), as tokens. table: see `quantised`. One rounded model at a time.
    """
    measured: tuple[Rounded, ...] = ()
    n_runs, done = (1 + len(grids)) * (len(texts) + len(facts) + 1), 0
    for grid in (None, *grids):
        yield done / n_runs, None
        rounded = model if grid is None else quantised(model, grid.bits, table=table, shift=grid.shift)
        surprises, answers = [], []
        for tokens in texts:
            surprises.append(token_surprise(rounded.trace(tokens)).mean())
            yield (done := done + 1) / n_runs, None
        for text, right in facts.items():
            answers.append(answer_probs(rounded, text, right, (1, 0)))
            yield (done := done + 1) / n_runs, None
        probs, is_likeliest = np.array(answers).T
        changed, written = share_rounded(model, rounded), _written(rounded, start, n_written)
        measured = (
            *measured,
            Rounded(grid, changed, np.array(surprises), probs, is_likeliest.astype(bool), written),
        )
        del rounded
        gc.collect()  # a model and its runs refer to each other
        yield (done := done + 1) / n_runs, measured


def _written(model: Model, start: Sequence[int], n: int) -> str:
    if not start:
        return ""
    try:
        new = [step.token for step in model.generate(start, n, Sampler(temperature=0))]
    except FloatingPointError as error:
        return str(error)
    return f"It writes: “{model.tokenizer.decode([*start, *new])}”"


def _variant(model: Model, **arrays) -> Model:
    """Return a model with some other weights, which keeps no runs."""
    new = Model(replace(model.weights, **arrays), model.tokenizer)
    new.recent.max_bytes = 0
    return new
