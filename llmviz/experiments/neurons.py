"""All neurons of a run: whose gate is open, who does the writing, and who pushes the token that comes next."""

import numpy as np

from llmviz import ffn, ops
from llmviz.model import Trace

SHUFFLES = 5
DEALS = 5  # of the rows among the neurons, as a control
BY_CHANCE = 0.01  # the share of the control that agrees better than what counts as more than chance


def gates_below_zero(trace: Trace) -> np.ndarray:
    """Return [2, n_layers]: how many neurons have a gate below zero, and how much they write, as shares."""
    found = []
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        run = block.ffn_at(slice(-1, None))
        below, written = run.gate[0] < 0, ffn.output_lengths(run.hidden[0], w.W_down)
        found.append([below.mean(), written[below].sum() / written.sum()])
    return np.array(found, np.float32).T


def neurons_for_half(trace: Trace) -> np.ndarray:
    """Return [2, n_layers]: how many neurons write half of the output, and how many would with shuffled gates, ups and
    rows."""
    rng, found = np.random.default_rng(0), []
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        run = block.ffn_at(slice(-1, None))
        factors = [ops.silu(run.gate[0]), run.up[0], np.linalg.norm(w.W_down, axis=1)]
        dealt = [
            ffn.neurons_needed(np.abs(np.prod([rng.permutation(one) for one in factors], axis=0)))
            for _ in range(SHUFFLES)
        ]
        found.append([ffn.neurons_needed(ffn.output_lengths(run.hidden[0], w.W_down)), np.mean(dealt)])
    return np.array(found, np.float32).T


def growth_for_twice_the_input(trace: Trace) -> np.ndarray:
    """Return [3, n_layers]: how many times as long the output for twice the input is: unchanged, without the curve
    (gate × up), and with the curve but without a gate (silu(up))."""
    found, eps = [], trace.model.config.norm_eps
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        x = ops.rms_norm(block.resid_mid[-1], w.ffn_norm, eps=eps)
        hidden = []
        for gate, up in ((k * x @ w.W_gate, k * x @ w.W_up) for k in (1, 2)):
            hidden.append([ops.silu(gate) * up, gate * up, ops.silu(up)])
        lengths = np.linalg.norm(np.array(hidden) @ w.W_down, axis=-1)
        found.append(lengths[1] / lengths[0])
    return np.array(found, np.float32).T


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
    fires, pushes = (_standard(one) for one in (fires, pushes))
    rng = np.random.default_rng(0)
    n = fires.shape[1]
    orders = [np.arange(n)]
    for _ in range(DEALS):  # around a circle in an order of chance, so that no neuron has its own
        circle = rng.permutation(n)
        orders.append(circle[(np.argsort(circle) + 1) % n])
    return np.stack([(fires * pushes[:, order]).mean(axis=0) for order in orders])


def better_than_chance(found: np.ndarray) -> tuple[float, np.ndarray]:
    """Return, from `agreement`, where the control's best hundredth begins, and which neurons agree better than that."""
    least = float(np.quantile(found[1:], 1 - BY_CHANCE))
    return least, found[0] > least


def _standard(values: np.ndarray) -> np.ndarray:
    values = values - values.mean(axis=0)
    return values / np.maximum(values.std(axis=0), 1e-9)
