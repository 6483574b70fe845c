"""Patch a run one cell at a time: the vector of each token before each layer, or what one part of a layer adds."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
from jaxtyping import Float

from llmviz.edits import Edits
from llmviz.experiments.facts import HALF
from llmviz.experiments.patching import Pair, patch_component, patch_residual
from llmviz.experiments.probabilities import probability
from llmviz.model import Trace

OTHER_WORDS = ["for", "in", "the", "to", "of", "a", "my", "and", "new"]


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


def same_answer(pair: Pair) -> Trace:
    """Find a control for a twin: the text with another small word, which keeps the answer; if none does, the text.

    It takes the place of a token next to the subject, or of the first; never of the subject or the last token. The
    answer keeps more than half of its probability.
    """
    tokens, (answer, _) = pair.trace.tokens, pair.answers
    least = HALF * probability(pair.trace, answer)
    places = {pair.subject - 1, pair.subject + 1, 0} & {*range(len(tokens) - 1)} - {pair.subject}
    for at, word in product(sorted(places, key=lambda at: abs(at - pair.subject)), OTHER_WORDS):
        ids = pair.trace.model.tokens_of(f" {word}")
        if len(ids) == 1 and ids[0] != tokens[at]:
            run = pair.trace.model.trace([*tokens[:at], ids[0], *tokens[at + 1 :]])
            if run.logits.argmax() == answer and probability(run, answer) > least:
                return run
    return pair.trace
