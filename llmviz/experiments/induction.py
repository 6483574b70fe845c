"""Measure how well a repeated row of tokens is copied, which heads do it, and how one reads what another wrote.

A reader is an induction head. It finds what came after the earlier copy of a token, because a writer, a previous-token
head, has written there which token came before: in the reader's keys (K-composition; Elhage et al. 2021).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from llmviz import attention
from llmviz.edits import Edits, put
from llmviz.experiments.ablation import ablate_each_head
from llmviz.experiments.attention_behaviours import previous_token_scores, random_heads, strongest_heads
from llmviz.experiments.patching import cut_paths, patch_path
from llmviz.experiments.probabilities import token_probs
from llmviz.model import Model, Trace
from llmviz.reuse import kept_with

Head = tuple[int, int]  # layer, head


def induction_scores(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """Return `attention.induction_score` of all heads; NaN where no token of the text comes twice."""
    return np.stack([attention.induction_score(block.patterns(), trace.tokens) for block in trace.blocks])


@kept_with()
def reader_and_writers(model: Model) -> tuple[Head, list[Head]]:
    """Find the strongest induction head after the first layer, and the two heads of earlier layers that attend most to
    the previous token, in a row of random tokens that comes twice."""
    row = model.trace(random_tokens(model, 25, seed=0) * 2)
    scores, previous = induction_scores(row), previous_token_scores(row)
    scores[: len(scores) > 1] = np.nan
    reader = strongest_heads(scores, 1)[0]
    previous[max(1, reader[0]) :] = np.nan
    return reader, strongest_heads(previous, 2)


def induction_score_of(trace: Trace, head: tuple[int, int]) -> float:
    """Return the induction score of one head (layer, head); NaN where no token of the text comes twice."""
    layer, number = head
    pattern = trace.blocks[layer].patterns(slice(number, number + 1))
    return float(attention.induction_score(pattern, trace.tokens)[0])


def copying_by_pass(right: Float[np.ndarray, " n_right"]) -> tuple[float, float]:
    """Average `token_probs` of a row of n tokens that comes twice over the first pass, and over the second.

    The first token of each pass is not counted, because nothing shows that the row begins again.
    """
    n = (len(right) + 1) // 2
    return float(right[: n - 1].mean()), float(right[n:].mean())


def without_heads(
    trace: Trace, heads: Sequence[tuple[int, int]], seeds: Sequence[int]
) -> Iterator[Float[np.ndarray, " n_right"]]:
    """Yield `token_probs` with as many random heads switched off, for each seed, and finally with these heads off."""
    config = trace.model.config
    shape = config.n_layers, config.n_heads
    for off in (*(random_heads(shape, len(heads), heads, seed) for seed in seeds), heads):
        yield token_probs(trace.model.trace(trace.tokens, Edits(head=dict.fromkeys(off, 0))))


def copying(
    trace: Trace, n_off: int, seeds: Sequence[int]
) -> Iterator[
    tuple[float, tuple[Float[np.ndarray, "n_layers n_heads"], list[Head], list[np.ndarray]] | None]
]:
    """Measure how well a row is copied without its strongest heads; yield the share that is done, and results so far.

    These are all induction scores, the `n_off` strongest heads, and `token_probs`: at first those of the whole model,
    finally those of `without_heads` as well; in between, None.
    """
    scores, whole = induction_scores(trace), token_probs(trace)
    heads, others = strongest_heads(scores, n_off), []
    yield 0.1, (scores, heads, [whole])
    for right in without_heads(trace, heads, seeds) if heads else ():
        others.append(right)
        yield (1 + len(others)) / (len(seeds) + 2), None
    yield 1.0, (scores, heads, [whole, *others])


def random_tokens(model: Model, n: int, seed: int) -> list[int]:
    """Draw n different tokens, without special and very rare ones."""
    n_vocab = model.config.n_vocab
    pool = np.arange(min(1_000, n_vocab // 10), min(20_000, n_vocab))
    return np.random.default_rng(seed).choice(pool, n, replace=False).tolist()


def repeat_after(model: Model, n: int, distance: int, seed: int, *, other: bool = False) -> list[int]:
    """Return random tokens whose first n come again after `distance` tokens; with `other`, n other tokens do."""
    tokens = random_tokens(model, distance + n, seed)
    return [*tokens[:distance], *(tokens[distance:] if other else tokens[:n])]


def copying_left(model: Model, seed: int) -> float:
    """Measure the copying without the eight strongest induction heads, in % of that without eight other heads."""
    trace = model.trace(random_tokens(model, 20, seed) * 2)
    strongest = strongest_heads(induction_scores(trace), 8)
    others_off, off = map(copying_by_pass, without_heads(trace, strongest, [seed]))
    return 100 * off[1] / others_off[1]


# --- a reader and its writer ------------------------------------------------------------------------------------------


def conditions(trace: Trace, writer: Head, reader: Head, others: Sequence[Head]) -> dict[str, list[Edits]]:
    """Return the edits of each condition by its name.

    "": nothing is changed. "writer": the writer is switched off. "k", "q", "v": its path into the reader's keys,
    queries or values is cut. "others", the control: each of these heads is switched off, in a run of its own.
    """
    return {
        "": [Edits()],
        "writer": [Edits(head={writer: 0})],
        **{into: [patch_path(trace, writer, reader, into)] for into in ("k", "q", "v")},
        "others": [Edits(head={head: 0}) for head in others],
    }


def weaken(trace: Trace, head: Head, how: str, reader: Head) -> Edits:
    """Return edits that remove what a head does for the copying of a row.

    how: "off"; "mean" (it adds its mean over the row); "q", "k" or "v" (its path into the reader's queries, keys or
    values is cut); "all q", "all k" or "all v" (its paths into those of its 20 strongest readers are cut).
    """
    layer, number = head
    if how == "off":
        return Edits(head={head: 0})
    if how == "mean":
        mean = trace.blocks[layer].attention.z[number].mean(axis=0)
        return Edits(at={("z", layer): put(mean, head=number)})
    readers = strongest_readers(trace, head, 20) if how.startswith("all") else [reader]
    return cut_paths(trace, head, readers, how[-1])


@dataclass(frozen=True, eq=False)
class Composition:
    """What the two heads do under a condition. A is each token of the row except the last, and B the token after it."""

    score: float  # the reader's induction score
    right: Float[np.ndarray, " n_pairs"]  # the probability of B after the second A
    written: Float[np.ndarray, " n_pairs"]  # the writer's attention weight from B to A
    read: Float[np.ndarray, " n_pairs"]  # the reader's, from the second A to B
    written_late: Float[np.ndarray, " n_pairs"]  # the writer's, from the second A to the token before it


def measure_composition(trace: Trace, runs: Sequence[Edits], writer: Head, reader: Head) -> Composition:
    """Run a row that comes twice, as in `trace`, with the edits of a condition; return the mean over its runs."""
    n = len(trace.tokens) // 2
    at, measures = np.arange(n - 1), []
    for edits in runs:
        run = trace.model.trace(trace.tokens, edits)
        written, read = (
            run.blocks[layer].patterns(slice(head, head + 1))[0] for layer, head in (writer, reader)
        )
        measures.append(
            (
                induction_score_of(run, reader),
                token_probs(run, last=n - 1),
                written[at + 1, at],
                read[n + at, at + 1],
                written[n + at, n + at - 1],
            )
        )
    score, *looks = (np.mean(values, axis=0) for values in zip(*measures))
    return Composition(float(score), *looks)


def ablate_each_earlier_head(trace: Trace, reader: Head) -> Iterator[tuple[int, int, float]]:
    """Switch off each head of the layers before the reader's in turn; yield layer, head and the reader's score.

    The last layer comes first, because a run reuses all layers before its edit.
    """
    weights, n_layers = trace.model.weights, reader[0] + 1  # Later layers cannot change what the reader does.
    config = replace(weights.config, n_layers=n_layers)
    short = Model(replace(weights, config=config, layers=weights.layers[:n_layers]), trace.model.tokenizer)
    yield from ablate_each_head(
        short, trace.tokens, lambda run: induction_score_of(run, reader), before=reader[0]
    )


def effects_of_earlier_heads(
    trace: Trace, reader: Head
) -> Iterator[tuple[float, Float[np.ndarray, "n_layers n_heads"] | None]]:
    """Switch off each earlier head in turn; yield the share that is done and, after each layer, the effects so far.

    An effect is the change of the reader's score; NaN where it is not known yet, and for later heads.
    """
    config, before = trace.model.config, induction_score_of(trace, reader)
    effects = np.full((config.n_layers, config.n_heads), np.nan, np.float32)
    for done, (layer, head, score) in enumerate(ablate_each_earlier_head(trace, reader), 1):
        effects[layer, head] = score - before
        is_last = head == config.n_heads - 1  # of its layer
        yield done / (reader[0] * config.n_heads), effects.copy() if is_last else None


def compose_each(
    trace: Trace, writer: Head, reader: Head, others: Sequence[Head]
) -> Iterator[
    tuple[float, tuple[Float[np.ndarray, "n_conditions 2"], Float[np.ndarray, "n_conditions 4 n_pairs"]]]
]:
    """Measure each of `conditions` in turn; yield the share that is done, and two tables, NaN where not known yet.

    The first has the reader's score and the mean probability of the right next token. The second has, for each pair of
    tokens, the four measures of `Composition`: written, read, right and written_late.
    """
    runs = conditions(trace, writer, reader, others).values()
    totals = np.full((len(runs), 2), np.nan, np.float32)
    here = np.full((len(runs), 4, len(trace.tokens) // 2 - 1), np.nan, np.float32)
    for i, edits in enumerate(runs):
        both = measure_composition(trace, edits, writer, reader)
        totals[i] = both.score, both.right.mean()
        here[i] = both.written, both.read, both.right, both.written_late
        yield (i + 1) / len(runs), (totals.copy(), here.copy())


def strongest_readers(trace: Trace, writer: Head, n: int) -> list[Head]:
    """Return the n strongest induction heads of the layers after the writer's."""
    scores = induction_scores(trace)
    scores[: writer[0] + 1] = np.nan
    return strongest_heads(scores, n)


def readers_left(trace: Trace, writer: Head, n: int) -> Float[np.ndarray, " n"]:
    """Switch the writer off; return which share of its induction score each of its n strongest readers keeps."""
    heads, run = strongest_readers(trace, writer, n), trace.model.trace(trace.tokens, Edits(head={writer: 0}))
    return np.array([induction_score_of(run, head) / induction_score_of(trace, head) for head in heads])
