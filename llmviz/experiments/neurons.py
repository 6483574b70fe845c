"""Measure the neurons of a run: whose gate is open, which write most, and which push the token that comes next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from llmviz import ffn, ops
from llmviz.model import Model, Trace

SHUFFLES = 5
DEALS = 5  # of the rows among the neurons, as a control
BY_CHANCE = 0.01  # the share of the control that agrees better than what counts as more than chance


def gates_below_zero(trace: Trace) -> np.ndarray:
    """Return [2, n_layers]: the fraction of neurons with a gate below zero, and of the output that they write."""
    fractions = []
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        run = block.ffn_at(slice(-1, None))
        below, written = run.gate[0] < 0, ffn.output_lengths(run.hidden[0], w.W_down)
        fractions.append([below.mean(), written[below].sum() / written.sum()])
    return np.array(fractions, np.float32).T


def written_below_zero(model: Model, text: str, *, layers: slice) -> float:
    """Measure what a neuron with a gate below zero writes, in % of what another one does: the median of some layers."""
    below_zero, written = gates_below_zero(model.trace(text))[:, layers]
    return 100 * float(np.median(written / below_zero * (1 - below_zero) / (1 - written)))


def neurons_for_half(trace: Trace) -> np.ndarray:
    """Return [2, n_layers]: how many neurons write half of the output, and how many would with shuffled gates, ups and
    rows."""
    rng, counts = np.random.default_rng(0), []
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        run = block.ffn_at(slice(-1, None))
        factors = [ops.silu(run.gate[0]), run.up[0], np.linalg.norm(w.W_down, axis=1)]
        shuffled = [
            ffn.neurons_needed(np.abs(np.prod([rng.permutation(factor) for factor in factors], axis=0)))
            for _ in range(SHUFFLES)
        ]
        counts.append([ffn.neurons_needed(ffn.output_lengths(run.hidden[0], w.W_down)), np.mean(shuffled)])
    return np.array(counts, np.float32).T


def half_over_chance(
    model: Model, text: str, *, layers: slice | Sequence[int], n_tokens: int | None = None, q: float = 0.5
) -> float:
    """Measure how many neurons write half of the output after the first tokens, over those of shuffled ones.

    Of several layers, their median, or another quantile q.
    """
    trace = model.trace(model.tokenizer.encode(text)[:n_tokens])
    return float(np.quantile(np.divide(*neurons_for_half(trace))[layers], q))


def growth_for_twice_the_input(trace: Trace) -> np.ndarray:
    """Return [3, n_layers]: how many times as long the output for twice the input is: unchanged, without the curve
    (gate × up), and with the curve but without a gate (silu(up))."""
    growth, eps = [], trace.model.config.norm_eps
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        x = ops.rms_norm(block.resid_mid[-1], w.ffn_norm, eps=eps)
        hidden = []
        for gate, up in ((k * x @ w.W_gate, k * x @ w.W_up) for k in (1, 2)):
            hidden.append([ops.silu(gate) * up, gate * up, ops.silu(up)])
        lengths = np.linalg.norm(np.array(hidden) @ w.W_down, axis=-1)
        growth.append(lengths[1] / lengths[0])
    return np.array(growth, np.float32).T


def furthest_growth(model: Model, text: str, *, curve: int) -> float:
    """Return one of `growth_for_twice_the_input` (0, 1 or 2), in the layer that is furthest from the median."""
    times = growth_for_twice_the_input(model.trace(text))[curve]
    return float(times[np.abs(times - np.median(times)).argmax()])


def agreement(trace: Trace, layer: int) -> np.ndarray:
    """Return [1 + DEALS, d_ff]: for each neuron, the correlation over a text's tokens of how strongly it fires with how
    much it would push the token that came next; row 0 as it is, then each with the push of another neuron of the layer.

    The first token is left out: it has a length of its own. 0 for a text of less than four tokens.
    """
    w = trace.model.weights
    fires = trace.blocks[layer].ffn_at(slice(1, -1)).hidden
    if len(fires) < 2:
        return np.zeros((1 + DEALS, w.layers[layer].W_down.shape[0]))
    came = np.array(trace.tokens[2:])
    pushes = (w.layers[layer].W_down @ w.W_U[:, came]).T  # [seq, d_ff]
    fires, pushes = (_standardised(values) for values in (fires, pushes))
    rng = np.random.default_rng(0)
    n = fires.shape[1]
    orders = [np.arange(n)]
    for _ in range(DEALS):  # around a circle in an order of chance, so that no neuron has its own
        circle = rng.permutation(n)
        orders.append(circle[(np.argsort(circle) + 1) % n])
    return np.stack([(fires * pushes[:, order]).mean(axis=0) for order in orders])


@dataclass(frozen=True, eq=False)
class Peaks:
    """Where a neuron fires most strongly in a text, and what its row pushes up then; both relative to its largest."""

    sign: int  # of its strongest firing
    positions: list[int]
    firing: Float[np.ndarray, " n"]
    pushed: list[int]  # tokens
    pushes: Float[np.ndarray, " n"]


def peaks(trace: Trace, layer: int, neuron: int, n: int) -> Peaks:
    """Return the n peaks of a neuron. The first token is left out where it can be: it has a length of its own."""
    first, w = min(1, len(trace.tokens) - 1), trace.model.weights
    fires = trace.blocks[layer].ffn_at(slice(first, None)).hidden[:, neuron]
    strongest = fires[np.abs(fires).argmax()]
    sign = -1 if strongest < 0 else 1
    at = np.resize(np.argsort(-sign * fires, kind="stable")[:n], n)  # a short text has fewer places
    pushes = sign * (w.layers[layer].W_down[neuron] @ w.W_U)
    best = np.argpartition(-pushes, n)[:n]
    best = best[np.argsort(-pushes[best])]
    firing, pushed = fires[at] / max(abs(strongest), 1e-9), sign * pushes[best] / np.abs(pushes).max()
    return Peaks(sign, (at + first).tolist(), firing, best.tolist(), pushed)


def better_than_chance(correlations: np.ndarray) -> tuple[float, np.ndarray]:
    """Return, from `agreement`, where the control's best hundredth begins, and which neurons agree better than that."""
    least = float(np.quantile(correlations[1:], 1 - BY_CHANCE))
    return least, correlations[0] > least


def most_agreeing(model: Model, text: str, *, n_tokens: int) -> float:
    """Measure how many neurons are `better_than_chance` on the first tokens of a text, in %: the layer with most."""
    trace = model.trace(model.tokenizer.encode(text)[:n_tokens])
    agreements = (agreement(trace, layer) for layer in range(model.config.n_layers))
    return 100 * max(float(better_than_chance(correlations)[1].mean()) for correlations in agreements)


def _standardised(values: np.ndarray) -> np.ndarray:
    values = values - values.mean(axis=0)
    return values / np.maximum(values.std(axis=0), 1e-9)
