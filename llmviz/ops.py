"""Softmax, RMSNorm and SiLU, which the stages use, a matrix product, the largest values, and a check of shapes.

softmax(x)_i  = exp(x_i) / sum_j exp(x_j)           scores become probabilities
rms_norm(x)   = weight * x / sqrt(mean(x²) + eps)   the same direction, a standard length
silu(x)       = x / (1 + exp(-x))                   passes what is positive, softly
soft_cap(x)   = cap tanh(x / cap)                   never larger than the cap

Each also has a backward pass, for training: `…_backward` takes how the loss changes with the output (d_out) and returns
how it changes with the input; `…_gradient` returns how it changes with the parameters.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
from jaxtyping import Float, Int, jaxtyped

P = ParamSpec("P")
R = TypeVar("R")


def tells_shapes(function: Callable[P, R]) -> Callable[P, R]:
    """Say which arrays have a wrong shape, and what the function's annotations ask for. It costs nothing if all fit."""

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (ValueError, IndexError, TypeError, AttributeError):
            given = inspect.signature(function).bind(*args, **kwargs).arguments
            misfit = _misfit({name: (value, function.__annotations__[name]) for name, value in given.items()})
            if misfit is None:
                raise
            raise ValueError(f"{function.__name__}: {misfit}") from None

    return checked


@jaxtyped(typechecker=None)  # an axis with the same name has the same length in all of them
def _misfit(given: dict) -> str | None:
    fitting: list[str] = []
    for name, (value, wanted) in given.items():
        if not hasattr(wanted, "dim_str"):
            continue
        if not isinstance(value, wanted):
            kind = wanted.__name__.split("[")[0].lower()
            got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
            beside = f", beside {' and '.join(fitting)}" if fitting else ""
            return f"{name} must be an array of {kind}s [{wanted.dim_str.strip()}]{beside}; got {got}"
        fitting.append(f"{name} {value.shape}")
    return None


def unchanged(name: str, array: np.ndarray) -> np.ndarray:
    """Return the array: the edit that changes nothing (see `llmviz.edits`)."""
    return array


def top(values: Float[np.ndarray, " n_vocab"], n: int) -> Int[np.ndarray, " n"]:
    """Return the indices of the n largest values, or of all: the largest first, equal ones by index."""
    n = min(n, len(values))
    # The n largest first, then in order: sorting a whole vocabulary takes long.
    candidates = np.flatnonzero(values >= np.partition(values, -n)[-n])
    return candidates[np.argsort(-values[candidates], kind="stable")[:n]]


def softmax(x: Float[np.ndarray, "*axes n"]) -> Float[np.ndarray, "*axes n"]:
    """Turn scores into positive numbers that sum to one along the last axis.

    An entry of -inf gets exactly 0. The largest score is subtracted first: it cancels in the fraction, and
    keeps exp from overflowing.
    """
    shares = x - 1.0 * x.max(axis=-1, keepdims=True)  # times 1.0, because the scores may be whole numbers
    np.exp(shares, out=shares)
    shares *= 1.0 / shares.sum(axis=-1, keepdims=True)
    return shares


def softmax_backward(
    d_shares: Float[np.ndarray, "*axes n"], shares: Float[np.ndarray, "*axes n"]
) -> Float[np.ndarray, "*axes n"]:
    """Return d_x_i = shares_i * (d_i - sum_j d_j shares_j): a share that grows takes from all others."""
    d_x = d_shares - np.einsum("...n,...n->...", d_shares, shares)[..., None]
    d_x *= shares
    return d_x


@tells_shapes
def rms_norm(
    x: Float[np.ndarray, "*axes d_model"], weight: Float[np.ndarray, " d_model"], *, eps: float
) -> Float[np.ndarray, "*axes d_model"]:
    """Rescale every vector to a root-mean-square of one, then by a learned weight (Zhang & Sennrich 2019)."""
    mean_square = np.einsum("...d,...d->...", x, x)[..., None] / x.dtype.type(x.shape[-1])
    return x * (1 / np.sqrt(mean_square + np.float32(eps))) * weight


def rms_scale(
    x: Float[np.ndarray, "*axes d_model"], weight: Float[np.ndarray, " d_model"], *, eps: float
) -> Float[np.ndarray, "*axes d_model"]:
    """Return what `rms_norm` multiplies each number of a vector by."""
    return weight / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + eps)


@tells_shapes
def layer_norm(
    x: Float[np.ndarray, "*axes d_model"],
    weight: Float[np.ndarray, " d_model"],
    bias: Float[np.ndarray, " d_model"],
    *,
    eps: float,
) -> Float[np.ndarray, "*axes d_model"]:
    """Do the same to what differs from each vector's mean, and add a learned bias (Ba et al. 2016; GPT-2)."""
    return rms_norm(x - x.mean(axis=-1, keepdims=True), weight, eps=eps) + bias


def rms_norm_backward(
    d_out: Float[np.ndarray, "*axes d_model"],
    x: Float[np.ndarray, "*axes d_model"],
    weight: Float[np.ndarray, " d_model"],
    *,
    eps: float,
) -> tuple[Float[np.ndarray, "*axes d_model"], Float[np.ndarray, " d_model"]]:
    """Return d_x = (g - n mean(g n)) / r and d_weight = Σ d_out n.

    Here g = d_out * weight, n = x / r and r² = mean(x²) + eps. The part along x is removed, because the norm undoes it.
    """
    r = np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(eps))
    n, g = x / r, d_out * weight
    d_x = (g - n * (g * n).mean(axis=-1, keepdims=True)) / r
    return d_x, (d_out * n).reshape(-1, len(weight)).sum(axis=0)


def layer_norm_backward(
    d_out: Float[np.ndarray, "*axes d_model"],
    x: Float[np.ndarray, "*axes d_model"],
    weight: Float[np.ndarray, " d_model"],
    *,
    eps: float,
) -> tuple[Float[np.ndarray, "*axes d_model"], Float[np.ndarray, " d_model"], Float[np.ndarray, " d_model"]]:
    """Return d_x, d_weight and d_bias. Here d_x has no mean either, because the norm takes the mean away."""
    d_x, d_weight = rms_norm_backward(d_out, x - x.mean(axis=-1, keepdims=True), weight, eps=eps)
    return d_x - d_x.mean(axis=-1, keepdims=True), d_weight, d_out.reshape(-1, len(weight)).sum(axis=0)


def silu(x: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
    """Return x times the logistic sigmoid of x (Elfwing et al. 2017; "swish").

    Written with tanh, which is the same function and cannot overflow: 1 / (1 + exp(-x)) = (1 + tanh(x/2)) / 2.
    """
    half = x * np.float32(0.5)
    return half * (1 + np.tanh(half))


def gelu_tanh(x: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
    """Return x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, which looks much like silu (Hendrycks & Gimpel 2016)."""
    cubic, scale = np.float32(0.044715), np.float32(np.sqrt(2 / np.pi))
    return np.float32(0.5) * x * (1 + np.tanh(scale * (x + cubic * x * x * x)))


def gelu_tanh_backward(
    d_out: Float[np.ndarray, "*axes"], x: Float[np.ndarray, "*axes"]
) -> Float[np.ndarray, "*axes"]:
    """Return d_x = d_out (1 + t + x (1 - t²) u') / 2, with t = tanh(u) and u = √(2/π) (x + 0.044715 x³)."""
    cubic, scale = np.float32(0.044715), np.float32(np.sqrt(2 / np.pi))
    t = np.tanh(scale * (x + cubic * x * x * x))
    slope = scale * (1 + 3 * cubic * x * x)
    return d_out * np.float32(0.5) * (1 + t + x * (1 - t * t) * slope)


def soft_cap(x: Float[np.ndarray, "*axes"], cap: float) -> Float[np.ndarray, "*axes"]:
    """Return cap * tanh(x / cap): small numbers hardly change, and none becomes larger than the cap (Gemma 2)."""
    return np.float32(cap) * np.tanh(x / np.float32(cap))


def soft_cap_backward(
    d_out: Float[np.ndarray, "*axes"], out: Float[np.ndarray, "*axes"], cap: float
) -> Float[np.ndarray, "*axes"]:
    """Return d_x = d_out (1 - (out / cap)²), from what came out: at the cap, nothing changes it."""
    return d_out * (1 - np.square(out / np.float32(cap)))


def silu_backward(
    d_out: Float[np.ndarray, "*axes"], x: Float[np.ndarray, "*axes"]
) -> Float[np.ndarray, "*axes"]:
    """Return d_x = d_out * s * (1 + x (1 - s)), with s the logistic sigmoid of x."""
    s = np.float32(0.5) * (1 + np.tanh(x * np.float32(0.5)))
    return d_out * s * (1 + x * (1 - s))


# The curves that families use in their FFNs.
ACTIVATIONS = {"silu": silu, "gelu_tanh": gelu_tanh}
ACTIVATIONS_BACKWARD = {"silu": silu_backward, "gelu_tanh": gelu_tanh_backward}


@dataclass(frozen=True, eq=False)
class LowRank:
    """A change of a matrix in few numbers: W + down @ up (LoRA; Hu et al. 2021)."""

    down: Float[np.ndarray, "d_in rank"]
    up: Float[np.ndarray, "rank d_out"]

    def forward(self, x: Float[np.ndarray, "seq d_in"]) -> Float[np.ndarray, "seq d_out"]:
        """Return what the change adds to x @ W."""
        return (x @ self.down) @ self.up

    def backward(self, d_out: Float[np.ndarray, "seq d_out"]) -> Float[np.ndarray, "seq d_in"]:
        """Return what it adds to d_out @ Wᵀ."""
        return (d_out @ self.up.T) @ self.down.T

    def gradient(self, d_out: Float[np.ndarray, "seq d_out"], x: Float[np.ndarray, "seq d_in"]) -> "LowRank":
        """Return d_down = xᵀ (d_out upᵀ),  d_up = (x down)ᵀ d_out."""
        return LowRank(x.T @ (d_out @ self.up.T), (x @ self.down).T @ d_out)


def linear(
    x: Float[np.ndarray, "seq d_in"],
    W: Float[np.ndarray, "d_in d_out"],
    bias: Float[np.ndarray, " d_out"] | None = None,
    change: LowRank | None = None,
) -> Float[np.ndarray, "seq d_out"]:
    """Return x @ W, a row for each token, plus a bias and what a change of the matrix adds, if there are any.

    The file stores each matrix as its transpose, and BLAS is faster when that matrix is on the left: by a third for few
    rows, by a few per cent for many. So in memory, the result is also the transpose of a matrix.
    """
    out = (W.T @ x.T).T
    if change is not None:
        out = out + change.forward(x)
    return out if bias is None else out + bias


def linear_backward(
    d_out: Float[np.ndarray, "seq d_out"], W: Float[np.ndarray, "d_in d_out"], change: LowRank | None = None
) -> Float[np.ndarray, "seq d_in"]:
    """Return d_x = d_out Wᵀ: each input counts for each output by the weight between them."""
    d_x = linear(d_out, W.T)
    return d_x if change is None else d_x + change.backward(d_out)


def linear_gradient(
    d_out: Float[np.ndarray, "seq d_out"], x: Float[np.ndarray, "seq d_in"]
) -> Float[np.ndarray, "d_in d_out"]:
    """Return d_W = xᵀ d_out, summed over the tokens; laid out in memory as the matrices are."""
    return (d_out.T @ x).T
