"""What need not be computed again: the last runs, what a new run can take over from them, and what was measured.

    an edit in layer 20            the layers before it, from a run over the same tokens
    a text that goes on            the rows of the tokens that both texts begin with, in all layers

The second holds only where a token never sees a later one, and where all edits take each token by itself.
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
    """The last runs (`Trace`s), newest first. What is kept stays below `max_bytes`, which can be set: 0 keeps none."""

    def __init__(self, max_bytes: int = MAX_BYTES):
        self.max_bytes = max_bytes
        self.runs: tuple = ()

    def keep(self, trace) -> None:
        """Put a run in front; drop what is too old or too much then, and its own beginnings, which it has as well."""
        runs: list = []
        others = [run for run in self.runs if run is not trace and not _goes_on(trace, run)]
        for run in [trace, *others][:MAX_RUNS]:
            if _nbytes([*runs, run]) <= self.max_bytes:
                runs.append(run)
        self.runs = tuple(runs)

    def best(self, tokens: list[int], edits: Edits) -> tuple:
        """Return the run that saves most (or None), how many of its layers hold for all tokens, and for how many of the
        tokens all of its layers hold.
        """
        options: list[tuple] = [(0, None, 0, 0)]  # the share of the work that a run saves comes first
        for run in self.runs:
            n_layers = len(run.blocks)
            same = edits.first_layer_apart(run.edits, n_layers)
            if run.tokens == tokens:
                options.append((same / n_layers, run, same, 0))
            elif same == n_layers and edits.token_by_token:
                # the last token must run in any case, to give its logits
                n = min(len(run.tokens), len(tokens) - 1)
                shared = next((i for i in range(n) if run.tokens[i] != tokens[i]), n)
                options.append((shared / len(tokens), run, 0, shared))
        return max(options, key=itemgetter(0))[1:]


def _goes_on(run, start) -> bool:
    """Return whether a run's text begins with all of another's, and every row of that other one is in it."""
    n = len(start.tokens)
    same = run.edits == start.edits and run.edits.token_by_token
    return same and n < len(run.tokens) and run.tokens[:n] == start.tokens


def _nbytes(runs) -> int:
    """Return the memory of the runs' arrays; what two of them share counts once."""
    arrays = (array for run in runs for block in run.blocks for array in (run.logits, *block.arrays))
    return sum({id(array): array.nbytes for array in arrays}.values())


def kept_with(
    owner: Callable[[Any], object] = lambda first: first, *, most: float = math.inf
) -> Callable[[Callable], Callable]:
    """Make a function remember its results for as long as its first argument lives, or what `owner` gives for it.

    Results must not hold the owner, which would live for ever then. All arguments are given by their places. most: how
    many results are kept of one owner; the oldest go.
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
