"""Patch a run one cell at a time: the vector of each token before each layer, or what one part of a layer adds."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
from jaxtyping import Float

from llmviz.edits import Edits
from llmviz.experiments.facts import HALF, twin_with
from llmviz.experiments.patching import Pair, patch_component, patch_residual
from llmviz.experiments.probabilities import probability
from llmviz.model import Trace

OTHER_WORDS = ["music", "tables", "story", "the"]


def patch_cell(pair: Pair, part: str, layer: int, column: int) -> Edits:
    """Return edits that take one cell from the twin's run.

    part: "resid_pre" (the vector before a layer), "attention_out" or "ffn_out", where the column is a token; or "z",
    where it is a head, patched at the last token.
    """
    if part == "resid_pre":
        return patch_residual(pair, layer, column)
    if part == "z":
        return patch_component(pair, part, [layer], -1, column)
    return patch_component(pair, part, [layer], column)


def patch_map(
    pair: Pair, part: str, source: Trace | None = None
) -> Iterator[tuple[float, Float[np.ndarray, "n_layers n_columns 2"] | None]]:
    """Patch every cell on its own, from layer 0 up; yield the share that is done, and after each layer the result.

    The result holds the probability of both answers, NaN where it is not known yet. part: see `patch_cell`. source: the
    run from which the cells are taken; if None, the twin's. Up to the first token that differs, both runs are the
    same, so these cells need no run.
    """
    config, answers = pair.trace.model.config, pair.answer_probs()
    given = pair if source is None else replace(pair, twin=source)
    same = np.cumsum(np.not_equal(pair.trace.tokens, given.twin.tokens)) == 0
    first, n = (0, config.n_heads) if part == "z" else (int(same.sum()), same.size)
    values = np.full((config.n_layers, n, 2), np.nan, np.float32)
    values[:, :first] = answers
    if first == n:
        yield 1.0, values
    cells = [*product(range(config.n_layers), range(first, n))]
    runs = pair.answer_probs_each(patch_cell(given, part, *cell) for cell in cells)
    for done, ((layer, column), probs) in enumerate(zip(cells, runs), 1):
        values[layer, column] = probs
        yield done / len(cells), values.copy() if column == n - 1 else None


def other_subject(pair: Pair) -> Trace:
    """Find a control for a twin: the run with another word as the subject; if none serves, the text's own run.

    Its text must not ask for the twin's answer, which has less than half of its usual probability there.
    """
    theirs, usual = pair.answers[1], pair.usual_probs()[1]
    for word in OTHER_WORDS:
        with contextlib.suppress(ValueError):  # The word is several tokens.
            other = twin_with(pair.trace, word, pair.subject)
            if other is None or other.twin.tokens == pair.trace.tokens:
                continue
            if probability(other.twin, theirs) < HALF * usual:
                return other.twin
    return pair.trace
