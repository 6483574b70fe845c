"""Train a small model on a text step by step, and keep what a page shows of it: snapshots and losses."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from llmviz import texts, training
from llmviz.experiments import learning
from llmviz.experiments.learning import SMALL, split_as_trained, write_tokens
from llmviz.experiments.text_statistics import COUNTED, counting, longest_copy, split_by_repeats
from llmviz.model import Model
from llmviz.reuse import kept_with
from llmviz.sampling import BITS_PER_NAT
from llmviz.training import Progress

SNAPSHOTS = (0, 10, 20, 40, 80, 160, 320, 640)  # steps whose models are kept; the last one is kept as well
N_STRETCHES = 5  # passages of the held-out text, for comparison with what the model copies
TIED = 0.02  # of the tokens' nearest rows; with another seed, the table and the counts differ by more
PAUSE = 0.5  # seconds between two views of a training, at most


@dataclass(frozen=True, eq=False)
class TrainingSoFar:
    """A training so far.

    name, text: what is learned from. steps: of the whole training. seed: of its random draws. snapshots: at the
    `SNAPSHOTS`, and the last.
    points: at some steps, the step and both losses in bits a token: of the training text (the mean of five steps), and
    of the held-out text. baselines: the same for `counting` pairs of tokens and runs of five, in bits a token.
    error: why it cannot go on. rest: what is yet to come.
    """

    name: str
    text: str
    steps: int
    seed: int
    snapshots: tuple[Progress, ...]
    points: tuple[tuple[int, float, float], ...]
    baselines: tuple[float, ...]
    error: str = ""
    rest: "Iterator[tuple[float, TrainingSoFar | None]] | None" = None

    @property
    def last(self) -> Progress:
        """Return the last snapshot."""
        return self.snapshots[-1]

    @property
    def model(self) -> Model:
        """Return the model of the last snapshot."""
        return self.last.model

    def at(self, step: int | None) -> Progress:
        """Return the snapshot at a step; the last where there is none."""
        return next((snapshot for snapshot in self.snapshots if snapshot.step == step), self.last)

    @property
    def source(self) -> str:
        """Return the name of the text, with the seed."""
        return f"{self.name} (seed {self.seed})"

    @property
    def finished(self) -> bool:
        """Say whether all steps are done."""
        return self.last.step == self.steps

    @property
    def learned(self) -> str:
        """Return the part of the text that the model learns from."""
        return split_as_trained(self.snapshots[0].model, self.text)[0]

    @property
    def held_out(self) -> str:
        """Return the part of the text that the model is measured on and never learns from."""
        return split_as_trained(self.snapshots[0].model, self.text)[1]

    @property
    def nbytes(self) -> int:
        """Return the memory of all snapshots."""
        return 4 * sum(snapshot.model.config.n_parameters for snapshot in self.snapshots)

    def a_byte(self) -> "TrainingSoFar":
        """Return the run with `points` and `baselines` in bits a byte, to compare it with other vocabularies."""
        learned, held_out = (
            tokens_a_byte(self.snapshots[0].model, part) for part in (self.learned, self.held_out)
        )
        points = tuple(
            (step, at_learned * learned, bits * held_out) for step, at_learned, bits in self.points
        )
        return replace(self, points=points, baselines=tuple(bits * held_out for bits in self.baselines))

    @cached_property
    def repeats(self) -> tuple[float, np.ndarray]:
        """Return which share of the held-out text is a repetition, and the surprise there and elsewhere
        (`split_by_repeats`)."""
        return split_by_repeats(self.model, self.learned, self.held_out)

    @cached_property
    def copied(self) -> tuple[str, str, list[int]]:
        """Return what the model writes after an empty line, the longest passage of it that is in the training text, and
        the lengths of such passages in equally long pieces of the held-out text."""
        learned, held_out = self.learned, self.held_out
        written = self.model.tokenizer.decode(write_tokens(self.model, "\n", n=100))[1:]
        starts = np.linspace(0, max(0, len(held_out) - len(written)), N_STRETCHES).astype(int)
        control = sorted(len(longest_copy(held_out[i : i + len(written)], learned)) for i in starts)
        return written, longest_copy(written, learned), control


@kept_with()
def tokens_a_byte(model: Model, text: str) -> float:
    """Return the number of a text's tokens, divided by the number of its bytes."""
    return len(model.tokenizer.encode(text)) / len(text.encode())


def train_on(name: str, text: str, steps: int, seed: int) -> Iterator[tuple[float, TrainingSoFar | None]]:
    """Train, and yield the share that is done and the run so far, or None if there is nothing new to show.

    If a loss diverges, that is the `error` of the last run.
    """
    run = TrainingSoFar(name, text, steps, seed, (), (), ())
    losses, shown = [], 0.0
    try:
        for now in training.pretrain(text, SMALL, steps=steps, seed=seed):
            now.model.recent.max_bytes = 0
            losses.append(now.loss * BITS_PER_NAT)
            stays = (*(snapshot for snapshot in run.snapshots if snapshot.step in SNAPSHOTS), now)
            run = replace(run, snapshots=stays)
            if now.step == 0:
                counted = (counting(now.model, run.learned, run.held_out, n) for n in COUNTED.values())
                run = replace(run, baselines=tuple(float(bits.mean()) for bits in counted))
            is_measured = now.step % training.MEASURE_EVERY == 0
            if is_measured and now.held_out is not None:
                point = now.step, float(np.mean(losses[-5:])), now.held_out * BITS_PER_NAT
                run = replace(run, points=(*run.points, point))
            is_new = is_measured or now.step in SNAPSHOTS or now.step == steps
            is_new |= time.perf_counter() - shown > PAUSE
            if is_new:
                shown = time.perf_counter()
            yield now.step / steps, run if is_new else None
    except FloatingPointError as error:
        yield 1.0, replace(run, error=str(error))


@cache
def untrained(name: str) -> Progress:
    """Return the start of a training on a text: the vocabulary is learned already, and all parameters are random."""
    return next(training.pretrain(texts.read(name), SMALL, steps=1))


def final_surprise(run: TrainingSoFar) -> float:
    """Return the final surprise at the held-out text, in bits a token."""
    return run.points[-1][2]


def held_out_curve(run: TrainingSoFar) -> int:
    """Say what the held-out curve did: 0 it fell about as low as the training curve, 1 it stayed above, 2 it rose."""
    _, trained, held_out = np.array(run.points).T
    if held_out[-1] > held_out.min() + 0.2:
        return 2
    return int(held_out[-1] > trained[-1] + 1)


def better_sorted(run: TrainingSoFar) -> int:
    """Say what puts more tokens near others of their kind: 0 the model's table, 1 counting neighbours, 2 neither."""
    _, counted = learning.shares_without_training(run.snapshots[0].model, run.learned)
    lead = learning.share_of_own_kind(run.model, run.learned) - counted
    return 2 if abs(lead) <= TIED else int(lead < 0)
