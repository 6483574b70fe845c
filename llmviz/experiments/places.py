"""Look at what the model writes place by place: the token that is there, and those that could be instead."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from jaxtyping import Bool, Float

from llmviz import ops, sampling
from llmviz.experiments.writing import RUN, logits_after, write_on
from llmviz.model import Model, Trace
from llmviz.reuse import kept_with
from llmviz.sampling import Sampler


@dataclass(frozen=True, eq=False)
class Place:
    """One place of a text that is being written: what is there, and what else could be."""

    token: int | None  # None: still open
    rivals: list[int]  # the likeliest tokens, and `token` in any case
    own: Float[np.ndarray, " rivals"]  # their probabilities, as the model gives them
    odds: Float[np.ndarray, " rivals"]  # and those with which they are drawn
    sampler: Sampler  # what makes the odds
    end: float  # the model's probability that the text ends here

    @property
    def picked(self) -> int:
        """Return which of the rivals is there; −1 while the place is open."""
        return -1 if self.token is None else self.rivals.index(self.token)


Written = tuple[tuple[Place, ...], tuple[Place, ...]]  # after each of two prompts


def place(
    model: Model,
    logits: Float[np.ndarray, " n_vocab"],
    sampler: Sampler,
    token: int | None = None,
    *,
    n_rivals: int = 8,
) -> Place:
    """Return a place from the model's logits there."""
    own, odds = ops.softmax(logits), sampler.probs(logits)
    rivals = ops.top(own, n_rivals).tolist()
    if token is not None and token not in rivals:
        rivals[-1] = token
    return Place(token, rivals, own[rivals], odds[rivals], sampler, float(own[model.tokenizer.eos_token]))


@kept_with(most=1_000)
def place_after(trace: Trace, tokens: tuple[int, ...], temperature: float, token: int | None = None) -> Place:
    """Return the place after a text and these tokens, and keep it with the run over the text."""
    return place(trace.model, logits_after(trace, tokens), Sampler(temperature), token)


def repeats(prompt: Sequence[int], written: Sequence[Place]) -> Bool[np.ndarray, " written"]:
    """Return which of the written tokens are in a repetition, of the prompt or of each other."""
    again = sampling.repeated([*prompt, *(place.rivals[place.picked] for place in written)], run=RUN)
    return np.asarray(again[len(prompt) :], bool)


def write_both(
    model: Model,
    prompts: Collection[Sequence[int]],
    samplers: Collection[Sampler],
    n: int,
    *,
    odds: Sampler | None = None,
    seed: int | None = None,
    past_end: bool = False,
) -> Iterator[tuple[float, Written]]:
    """Write n tokens after each prompt, in turn, none after an empty one; yield the share that is done, and the places.

    odds: the sampler whose odds are shown for the rivals; None: the one that writes. seed, past_end: see `write_on`.
    """
    texts = [
        write_on(model, prompt, n, sampler, seed, past_end=past_end) if prompt else iter(())
        for prompt, sampler in zip(prompts, samplers)
    ]
    written: Written = ((), ())
    for i, steps in enumerate(zip_longest(*texts), start=1):
        first, second = (
            (*places, place(model, step.logits, odds or sampler, step.token, n_rivals=6)) if step else places
            for places, step, sampler in zip(written, steps, samplers)
        )
        written = first, second
        yield i / n, written
    yield 1.0, written
