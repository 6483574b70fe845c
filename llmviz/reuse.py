"""Avoid computing twice: keep the last runs, find what a new run can reuse, and remember measurements.

    an edit in layer 20            the layers before it, from a run over the same tokens
    a text that goes on            the rows of the tokens that both texts begin with, in all layers

The second is valid only if tokens never attend to later ones, and if all edits change each token on its own.
"""

import functools
import math
from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

from llmviz.edits import Edits

MAX_BYTES = 400_000_000  # two runs of 750 tokens, with the default model
MAX_RUNS = 2


class Recent:
    """The last runs (`Trace`s), newest first. They take at most `max_bytes`, which can be set: 0 keeps none."""

    def __init__(self, max_bytes: int = MAX_BYTES):
        self.max_bytes = max_bytes
        self.runs: tuple = ()

    def keep(self, trace) -> None:
        """Put a run in front. Drop runs that are too old or too large, and runs that it contains."""
        runs: list = []
        others = [run for run in self.runs if run is not trace and not _goes_on(trace, run)]
        for run in [trace, *others][:MAX_RUNS]:
            if _nbytes([*runs, run]) <= self.max_bytes:
                runs.append(run)
        self.runs = tuple(runs)

    def best(self, tokens: list[int], edits: Edits) -> tuple:
        """Return the run that saves most (or None), how many of its layers are valid for all tokens, and for how many
        tokens all of its layers are valid.
        """
        options: list[tuple] = [(0, None, 0, 0)]  # the share of the work that a run saves comes first
        for run in self.runs:
            n_layers = len(run.blocks)
            same = edits.first_layer_apart(run.edits, n_layers)
            if run.tokens == tokens:
                options.append((same / n_layers, run, same, 0))
            elif same == n_layers and edits.token_by_token:
                # the last token must always run, because its logits are needed
                n = min(len(run.tokens), len(tokens) - 1)
                shared = next((i for i in range(n) if run.tokens[i] != tokens[i]), n)
                options.append((shared / len(tokens), run, 0, shared))
        return max(options, key=itemgetter(0))[1:]


def _goes_on(run, start) -> bool:
    """Return whether a run's text begins with the whole text of another, so that it has all of its rows."""
    n = len(start.tokens)
    same = run.edits == start.edits and run.edits.token_by_token
    return same and n < len(run.tokens) and run.tokens[:n] == start.tokens


def _nbytes(runs) -> int:
    """Return the bytes of the runs' arrays. What two of them share counts once."""
    arrays = (array for run in runs for block in run.blocks for array in (run.logits, *block.arrays))
    return sum({id(array): array.nbytes for array in arrays}.values())


def kept_with(
    owner: Callable[[Any], object] = lambda first: first, *, most: float = math.inf
) -> Callable[[Callable], Callable]:
    """Make a function remember its results as long as its first argument lives, or what `owner` returns for it.

    Results must not refer to the owner, which would then live for ever. All arguments are positional. most: how many
    results are kept for each owner; the oldest are dropped.
    """

    def remembering(function: Callable) -> Callable:
        results: WeakKeyDictionary[Any, dict] = WeakKeyDictionary()

        @functools.wraps(function)
        def remembered(first: Any, *others: Hashable) -> object:
            known = results.setdefault(owner(first), {})
            if others not in known:
                known[others] = function(first, *others)
                if len(known) > most:
                    del known[next(iter(known))]
            return known[others]

        return remembered

    return remembering
