"""Measure how an induction head reads what an earlier head wrote: in its keys (K-composition; Elhage et al. 2021).

All runs are over a row of tokens that comes twice. The reader is an induction head. It finds what came after the
earlier copy of a token, because the writer, a previous-token head, has written there which token came before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from llmviz.edits import Edits, put
from llmviz.experiments.ablation import ablate_each_head
from llmviz.experiments.attention_behaviours import strongest_heads
from llmviz.experiments.induction import induction_score_of, induction_scores
from llmviz.experiments.patching import cut_paths, patch_path
from llmviz.experiments.probabilities import token_probs
from llmviz.model import Model, Trace

Head = tuple[int, int]  # layer, head


def conditions(
    trace: Trace, writer: Head, reader: Head, readers: Sequence[Head], others: Sequence[Head]
) -> dict[str, list[Edits]]:
    """Return the edits that take something away from a writer and a reader, and the controls, by what is taken away.

    "": nothing. "writer": it is off. "q", "k" or "v": its path into that of the reader is cut. "all k": its paths into
    the keys of all `readers` are cut. "others": each of these heads is off, one a run.
    """
    return {
        "": [Edits()],
        "writer": [Edits(head={writer: 0})],
        **{into: [patch_path(trace, writer, reader, into)] for into in ("k", "q", "v")},
        "all k": [cut_paths(trace, writer, readers, "k")],
        "others": [Edits(head={head: 0}) for head in others],
    }


def weaken(trace: Trace, head: Head, how: str, reader: Head) -> Edits:
    """Return edits that take from a row's copying what a head does.

    how: "off"; "mean" (held at its mean over the row); "q", "k" or "v", its path into that of the reader cut; "all k",
    "all q" or "all v", its paths into those of its 20 strongest readers.
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
    """What the two heads do under a condition. A is each token of the row but the last, B the one after it."""

    score: float  # the reader's induction score
    right: Float[np.ndarray, " n_pairs"]  # the probability of B after the second A
    written: Float[np.ndarray, " n_pairs"]  # the writer's attention weight from B to A
    read: Float[np.ndarray, " n_pairs"]  # the reader's, from the second A to B
    written_late: Float[np.ndarray, " n_pairs"]  # the writer's, from the second A to the token before it


def measure_composition(trace: Trace, runs: Sequence[Edits], writer: Head, reader: Head) -> Composition:
    """Run a row of n tokens that comes twice, `trace`, under a condition: return the mean over its runs."""
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
    """Switch off each head of the layers before the reader's in turn: yields layer, head and the reader's score.

    The last layer first, since a run takes over all layers before its edit.
    """
    weights, n_layers = trace.model.weights, reader[0] + 1  # no later layer can change what the reader does
    config = replace(weights.config, n_layers=n_layers)
    short = Model(replace(weights, config=config, layers=weights.layers[:n_layers]), trace.model.tokenizer)
    yield from ablate_each_head(
        short, trace.tokens, lambda run: induction_score_of(run, reader), before=reader[0]
    )


def strongest_readers(trace: Trace, writer: Head, n: int) -> list[Head]:
    """Return the n strongest induction heads of the layers after the writer's."""
    scores = induction_scores(trace)
    scores[: writer[0] + 1] = np.nan
    return strongest_heads(scores, n)


def readers_left(trace: Trace, writer: Head, n: int) -> Float[np.ndarray, " n"]:
    """Switch the writer off: return which part of their induction scores its n strongest readers keep."""
    heads, run = strongest_readers(trace, writer, n), trace.model.trace(trace.tokens, Edits(head={writer: 0}))
    return np.array([induction_score_of(run, head) / induction_score_of(trace, head) for head in heads])
