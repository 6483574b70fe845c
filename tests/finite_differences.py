"""What every gradient must be: how a number changes when one of the numbers that it depends on is nudged."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from llmviz.model import Model


def slopes(
    f: Callable[[], float],
    x: np.ndarray,
    *,
    step: float = 1e-6,
    at: Iterable[tuple[int, ...]] | None = None,
) -> np.ndarray:
    """How f() changes with the numbers of x, which f reads: (f(x + step) - f(x - step)) / (2 step), one by one.

    x: float64, nudged in place and left as it was. at: only these of its numbers, in this order.
    """
    assert x.dtype == np.float64, "float32 is too coarse for a small step"
    places = list(np.ndindex(*x.shape) if at is None else at)
    slopes_at = np.empty(len(places))
    for i, place in enumerate(places):
        before = x[place]
        x[place] = before + step
        above = f()
        x[place] = before - step
        slopes_at[i] = (above - f()) / (2 * step)
        x[place] = before
    return slopes_at.reshape(x.shape) if at is None else slopes_at


def assert_slopes(f: Callable[[], float], **x_and_gradient: tuple[np.ndarray, np.ndarray]) -> None:
    """Each array's gradient, as given, is what nudging its numbers says."""
    for name, (x, gradient) in x_and_gradient.items():
        assert gradient.shape == x.shape, name
        expected = slopes(f, x)
        assert np.abs(expected).max() > 1e-3, f"{name} changes nothing, so this tests nothing"
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7, err_msg=name)


def in_doubles(model: Model) -> Model:
    """The same numbers in float64, each its own, to be nudged; tied tables stay one."""
    layers = tuple(
        replace(layer, **{name: getattr(layer, name).astype(np.float64) for name in model.config.arrays})
        for layer in model.weights.layers
    )
    w = model.weights
    more = {
        name: getattr(w, name).astype(np.float64)
        for name in ("W_pos", "final_norm", "final_norm_bias")
        if getattr(w, name) is not None
    }
    W_E = w.W_E.astype(np.float64)
    W_U = W_E.T if np.may_share_memory(w.W_E, w.W_U) else w.W_U.astype(np.float64)
    return Model(replace(w, W_E=W_E, W_U=W_U, layers=layers, **more))
