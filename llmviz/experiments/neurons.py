"""Measure the neurons of a run: open gates, which write most, which fire at one word, and which push the next token.

A neuron fires at a word as strongly below zero as above: later layers can read either.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from llmviz import ffn, ops
from llmviz.experiments.families import curve, entry, with_article
from llmviz.model import FFNTrace, Model, Trace, norm
from llmviz.reuse import kept_with
from llmviz.texts import STORY
from llmviz.weights import Config, LayerWeights

SHUFFLES = 5
DEALS = 5  # random assignments of output rows to neurons, as a control
BY_CHANCE = 0.01  # the share of the control above the threshold that counts as more than chance


def into_the_curve(run: FFNTrace) -> Float[np.ndarray, "seq d_ff"]:
    """Return what goes through the curve of an FFN: the gates, or where there are none (GPT-2), what is read (up)."""
    return run.up if run.gate is None else run.gate


def rows_written(w: LayerWeights) -> Float[np.ndarray, "d_ff d_model"]:
    """Return what each neuron writes into the stream if it fires at 1, up to the scale of a norm that may follow."""
    return w.W_down if w.ffn_post_norm is None else w.W_down * w.ffn_post_norm


def lengths_written(
    config: Config, w: LayerWeights, hidden: Float[np.ndarray, "seq d_ff"]
) -> Float[np.ndarray, "seq d_ff"]:
    """Return the length of what each neuron adds to each token's stream, given how strongly it fires there."""
    lengths = np.abs(hidden) * np.linalg.norm(rows_written(w), axis=1)
    if w.ffn_post_norm is None:
        return lengths
    out = hidden @ w.W_down + (0 if w.b_down is None else w.b_down)
    return lengths * ops.rms_scale(out, np.ones(1, out.dtype), eps=config.norm_eps)


def gates_below_zero(trace: Trace) -> np.ndarray:
    """Return [2, n_layers]: the fraction of neurons with a gate below zero, and of the output that they write.

    Without gates, the neurons count for which the curve's input is below zero.
    """
    fractions = []
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        run = block.ffn_at(slice(-1, None))
        below = into_the_curve(run)[0] < 0
        written = ffn.output_lengths(run.hidden[0], rows_written(w))
        fractions.append([below.mean(), written[below].sum() / written.sum()])
    return np.array(fractions, np.float32).T


def written_below_zero(model: Model, text: str, *, layers: slice) -> float:
    """Measure how much a neuron with a gate below zero writes, in % of another neuron: the median of some layers."""
    below_zero, written = gates_below_zero(model.trace(text))[:, layers]
    return 100 * float(np.median(written / below_zero * (1 - below_zero) / (1 - written)))


def about_gates(trace: Trace, layer: int) -> str:
    """Say how much a neuron with a gate below zero writes compared with others, in this layer and in the last."""
    below_zero, written = gates_below_zero(trace)
    of_another = 100 * written / below_zero * (1 - below_zero) / (1 - written)
    last = trace.model.config.n_layers - 1
    config = trace.model.config
    into, name, passes = entry(config), curve(config), ops.ACTIVATIONS[config.activation]
    x = into_the_curve(trace.blocks[layer].ffn_at(slice(-1, None)))[0]
    below, above = (float(np.median(np.abs(passes(x[side])))) for side in (x < 0, x >= 0))
    are = "aren't" if of_another[layer] > 50 else "are partly" if of_another[layer] > 20 else "are largely"
    only = "only " if of_another[last] < 50 else ""
    return (
        f"So they {are} switched off. They are {100 * below_zero[layer]:.0f}% of the neurons, and on average, each "
        f"writes {of_another[layer]:.0f}% as much as one with {with_article(config)} above zero. Most {into}s are "
        f"small: the median size of {name}({into}) is {below:.2f} where the {into} is below zero, and {above:.2f} "
        f"where it is above. In layer {last}, a neuron with {with_article(config)} below zero writes "
        f"{only}{of_another[last]:.0f}% as much as one above."
    )


def neurons_for_half(trace: Trace) -> np.ndarray:
    """Return [2, n_layers]: how many neurons write half of the output, and how many would with shuffled gates, ups and
    rows."""
    rng, counts = np.random.default_rng(0), []
    curve = ops.ACTIVATIONS[trace.model.config.activation]
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        run = block.ffn_at(slice(-1, None))
        ups = [] if run.gate is None else [run.up[0]]
        factors = [curve(into_the_curve(run)[0]), *ups, np.linalg.norm(rows_written(w), axis=1)]
        shuffled = [
            ffn.neurons_needed(np.abs(np.prod([rng.permutation(factor) for factor in factors], axis=0)))
            for _ in range(SHUFFLES)
        ]
        written = ffn.output_lengths(run.hidden[0], rows_written(w))
        counts.append([ffn.neurons_needed(written), np.mean(shuffled)])
    return np.array(counts, np.float32).T


def half_over_chance(
    model: Model, text: str, *, layers: slice | Sequence[int], n_tokens: int | None = None, q: float = 0.5
) -> float:
    """Measure how many neurons write half of the output after the first tokens, over those of shuffled ones.

    Of several layers, their median, or another quantile q.
    """
    trace = model.trace(model.tokenizer.encode_prompt(text)[:n_tokens])
    return float(np.quantile(np.divide(*neurons_for_half(trace))[layers], q))


def growth_for_twice_the_input(trace: Trace) -> np.ndarray:
    """Return [3, n_layers]: how many times as long the output for twice the input is: unchanged, without the curve
    (gate × up), and with the curve but without a gate (silu(up)). ValueError for a model without gates.
    """
    growth, config = [], trace.model.config
    curve = ops.ACTIVATIONS[config.activation]
    for block, w in zip(trace.blocks, trace.model.weights.layers):
        if w.W_gate is None:
            raise ValueError("this model's FFNs have no gates")
        x = norm(block.resid_mid[-1], w.ffn_norm, config, trace.edits, w.ffn_norm_bias)
        hidden = []
        for gate, up in ((k * x @ w.W_gate, k * x @ w.W_up) for k in (1, 2)):
            hidden.append([curve(gate) * up, gate * up, curve(up)])
        lengths = np.linalg.norm(np.array(hidden) @ w.W_down, axis=-1)
        growth.append(lengths[1] / lengths[0])
    return np.array(growth, np.float32).T


def furthest_growth(model: Model, text: str, *, curve: int) -> float:
    """Return one of `growth_for_twice_the_input` (0, 1 or 2), in the layer that is furthest from the median."""
    times = growth_for_twice_the_input(model.trace(text))[curve]
    return float(times[np.abs(times - np.median(times)).argmax()])


PARAGRAPHS = STORY.split("\n\n")
# No search has used this text. It is long, so that there are many tokens at which a neuron might fire more strongly.
UNSEEN = (
    "The red car stopped next to a blue one. She wore a red coat and walked over green grass under a yellow lamp. "
    f"{PARAGRAPHS[1]} {PARAGRAPHS[4]}"
)
ARTICLES = {"a", "an", "A", "An"}
N_READ = 120  # tokens of a story, in which the neurons for the articles are searched
# The text of a search has each word in each of these sentences.
SENTENCES = ("I thought of {}.", "Then she said {}, and nothing else.", "Is it {}?", "We have {} here.")


class Detector(NamedTuple):
    """A neuron that fires at the tokens that were searched for, and how clearly it separates them from others."""

    layer: int
    neuron: int
    contrast: float
    firing: float  # the mean at these tokens


def sentences_with(words: Sequence[str], sentences: Sequence[str] = SENTENCES) -> str:
    """Return a text with each word once in each sentence, in random order."""
    rng = np.random.default_rng(0)
    return " ".join(sentence.format(word) for sentence in sentences for word in rng.permutation(words))


def spelling(trace: Trace, words: Collection[str]) -> Bool[np.ndarray, " seq"]:
    """Return which tokens of a text are one of these words; never the first token.

    Neurons fire in an unusual way at the first token of a text, so no measure here counts it.
    """
    return np.array([at > 0 and piece.strip() in words for at, piece in enumerate(trace.pieces)])


def firing(trace: Trace, layer: int) -> Float[np.ndarray, "seq d_ff"]:
    """Return how strongly each neuron of a layer fires at each token."""
    return trace.blocks[layer].ffn_at(slice(None)).hidden


def contrast(
    fires: Float[np.ndarray, "seq d_ff"], at: Bool[np.ndarray, " seq"]
) -> Float[np.ndarray, " d_ff"]:
    """Return how many times as strongly neurons fire at the weakest of some tokens as at the strongest other one.

    The first token is left out. Negative where a neuron fires above zero at some and below it at others; NaN where
    there are no such tokens, or no others.
    """
    fires, at = fires[1:], at[1:]
    if at.all() or not at.any():
        return np.full(fires.shape[1], np.nan, np.float32)
    weakest = (fires[at] * np.sign(fires[at].mean(axis=0))).min(axis=0)
    return weakest / np.maximum(np.abs(fires[~at]).max(axis=0), 1e-9)


class Found(NamedTuple):
    """What a search of all neurons has found so far."""

    share_done: float
    detectors: list[Detector]  # the highest contrast first
    by_chance: float  # control: the highest contrast for as many tokens, drawn at random


def search(trace: Trace, at: Bool[np.ndarray, " seq"], *, least: float) -> Iterator[Found]:
    """Search all neurons, layer by layer, for those whose `contrast` is at least `least`."""
    detectors: list[Detector] = []
    by_chance, drawn = -np.inf, np.append(False, np.random.default_rng(0).permutation(at[1:]))
    for layer in range(len(trace.blocks)):
        fires = firing(trace, layer)
        contrasts, means = contrast(fires, at), fires[at].mean(axis=0)
        passed = np.flatnonzero(contrasts >= least)
        detectors += [Detector(layer, int(i), float(contrasts[i]), float(means[i])) for i in passed]
        detectors.sort(key=lambda detector: -detector.contrast)
        by_chance = max(by_chance, float(contrast(fires, drawn).max()))
        yield Found((layer + 1) / len(trace.blocks), [*detectors], by_chance)


def best_detectors(trace: Trace, words: Collection[str], n: int) -> list[Detector]:
    """Return the n neurons of all layers that best distinguish these words from the rest of a text."""
    *_, last = search(trace, spelling(trace, words), least=0)
    return last.detectors[:n]


def article_detectors(model: Model, story: str, n: int) -> list[Detector]:
    """Return the n neurons that best distinguish *a* and *an* from the rest of a story's beginning."""
    return best_detectors(model.trace(model.tokenizer.encode_prompt(story)[:N_READ]), ARTICLES, n)


@kept_with()
def article_neuron(model: Model) -> Detector:
    """Return the neuron that best distinguishes *a* and *an* from all other tokens of a story."""
    return article_detectors(model, STORY, 1)[0]


def contrast_of_articles(trace: Trace) -> float:
    """Return how many times as strongly it fires at a text's weakest *a* or *an* as at any other token.

    ValueError for a text without these words.
    """
    at = spelling(trace, ARTICLES)
    if not at.any():
        raise ValueError("this text has neither “a” nor “an” after its first token")
    return float(contrasts_elsewhere(trace, [article_neuron(trace.model)], at)[0])


def contrasts_elsewhere(
    trace: Trace, detectors: Sequence[Detector], at: Bool[np.ndarray, " seq"]
) -> Float[np.ndarray, " n"]:
    """Return the `contrast` of neurons on a text that their search has not used."""
    layers = {detector.layer for detector in detectors}
    of_layer = {layer: contrast(firing(trace, layer), at) for layer in layers}
    return np.array([of_layer[detector.layer][detector.neuron] for detector in detectors])


def detects_a_token(trace: Trace, layer: int, *, least: int = 3) -> Bool[np.ndarray, " d_ff"]:
    """Return which neurons fire more strongly at one token than at any other, in both halves of a text.

    Only tokens that each half has at least so many times are compared.
    """
    half = len(trace.tokens) // 2
    tokens = np.array(trace.tokens)
    fires = np.abs(firing(trace, layer))
    detects = np.zeros(fires.shape[1], bool)
    halves = slice(1, half), slice(half, None)
    counts = [Counter(tokens[part].tolist()) for part in halves]
    for token in (token for token in counts[0] if min(count[token] for count in counts) >= least):
        is_it = tokens == token
        apart = [
            fires[part][is_it[part]].min(axis=0) > fires[part][~is_it[part]].max(axis=0) for part in halves
        ]
        detects |= np.all(apart, axis=0)
    return detects


def agreement(trace: Trace, layer: int) -> np.ndarray:
    """Return [1 + DEALS, d_ff]: for each neuron, the correlation over a text's tokens of how strongly it fires with how
    much it would push the token that came next; row 0 as it is, then each with the push of another neuron of the layer.

    The first token is left out, because its vector is much longer. 0 for a text of less than four tokens.
    """
    w = trace.model.weights
    fires = trace.blocks[layer].ffn_at(slice(1, -1)).hidden
    if len(fires) < 2:
        return np.zeros((1 + DEALS, w.layers[layer].W_down.shape[0]))
    came = np.array(trace.tokens[2:])
    pushes = (rows_written(w.layers[layer]) @ w.W_U[:, came]).T  # [seq, d_ff]
    fires, pushes = (_standardised(values) for values in (fires, pushes))
    rng = np.random.default_rng(0)
    n = fires.shape[1]
    orders = [np.arange(n)]
    for _ in range(DEALS):  # around a circle in random order, so that no neuron has its own
        circle = rng.permutation(n)
        orders.append(circle[(np.argsort(circle) + 1) % n])
    return np.stack([(fires * pushes[:, order]).mean(axis=0) for order in orders])


def better_than_chance(correlations: np.ndarray) -> tuple[float, np.ndarray]:
    """Return, from `agreement`, where the control's best hundredth begins, and which neurons agree better than that."""
    least = float(np.quantile(correlations[1:], 1 - BY_CHANCE))
    return least, correlations[0] > least


def most_agreeing(model: Model, text: str, *, n_tokens: int) -> float:
    """Measure how many neurons are `better_than_chance` on the first tokens of a text, in %: the layer with most."""
    trace = model.trace(model.tokenizer.encode_prompt(text)[:n_tokens])
    agreements = (agreement(trace, layer) for layer in range(model.config.n_layers))
    return 100 * max(float(better_than_chance(correlations)[1].mean()) for correlations in agreements)


def both_kinds(model: Model, text: str, *, n_tokens: int) -> tuple[float, float, float]:
    """Measure on the first tokens of a text the neurons that detect a token, those that push the next one, and both.

    Returns, in %: how many of the detectors push (NaN without any), how many of the pushers detect, and how many of all
    neurons push.
    """
    trace = model.trace(model.tokenizer.encode_prompt(text)[:n_tokens])
    layers = range(model.config.n_layers)
    detect = np.array([detects_a_token(trace, layer) for layer in layers])
    push = np.array([better_than_chance(agreement(trace, layer))[1] for layer in layers])
    both, shares = (detect & push).sum(), (detect.sum(), push.sum())
    of_detectors, of_pushers = (100 * both / n if n else np.nan for n in shares)
    return float(of_detectors), float(of_pushers), 100 * float(push.mean())


def _standardised(values: np.ndarray) -> np.ndarray:
    values = values - values.mean(axis=0)
    return values / np.maximum(values.std(axis=0), 1e-9)
