"""A small model's training: what it learns from, its snapshots and losses, and what they come to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from llmviz import training
from llmviz.experiments.learning import SMALL, split, write
from llmviz.experiments.text_statistics import REPEATED, counting_pairs, longest_copy, split_by_repeats
from llmviz.model import Model
from llmviz.reuse import kept_with
from llmviz.sampling import BITS_PER_NAT
from llmviz.training import Progress
from llmviz.views.differences.guessed import as_sentence
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import clean, legible

SNAPSHOTS = (0, 10, 20, 40, 80, 160, 320, 640)  # steps whose models stay, beside the last one
N_STRETCHES = 5  # of the held-out text, looked for in the rest of it
PAUSE = 0.5  # seconds between two looks at a training, at most


@dataclass(frozen=True)
class Lesson:
    """What a model is trained on, and how."""

    name: str  # of the text
    text: str
    steps: int
    seed: int
    number: int = 1  # the same again is another training
    note: str = ""  # what was left out of the text

    @cached_property
    def learned(self) -> str:
        """The part of the text that the model learns from."""
        return split(self.text)[0]

    @cached_property
    def held_out(self) -> str:
        """The part of the text that the model is measured on and never learns from."""
        return split(self.text)[1]


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A training so far.

    snapshots: of the steps in `SNAPSHOTS`, and the last. points: step, and the loss of the training text (the mean of
    five steps) and of the held-out text, in bits a token. baseline: what counting pairs of tokens leaves of the
    held-out text, in bits a token. error: why it cannot go on. rest: the steps to come.
    """

    lesson: Lesson
    snapshots: tuple[Progress, ...]
    points: tuple[tuple[int, float, float], ...]
    baseline: float
    error: str = ""
    rest: Iterator[tuple[float, TrainingRun | None]] | None = None

    @property
    def last(self) -> Progress:
        """The last snapshot."""
        return self.snapshots[-1]

    @property
    def model(self) -> Model:
        """The model of the last snapshot."""
        return self.last.model

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.last.step == self.lesson.steps

    @property
    def nbytes(self) -> int:
        """The memory of all snapshots."""
        return 4 * sum(snapshot.model.config.n_parameters for snapshot in self.snapshots)

    @cached_property
    def tokens_per_byte(self) -> float:
        """How many tokens the model makes of a byte of the held-out text."""
        held_out = self.lesson.held_out
        return len(self.model.tokenizer.encode(held_out)) / len(held_out.encode())

    def compared(self, control: TrainingRun | None) -> str:
        """Return a sentence with both losses at the end, and with those of a control at the same step."""
        step, learned, held_out = self.points[-1]
        losses = f"Step {step}: {learned:.2f} bits a token of the training text, {held_out:.2f} of the held-out text."
        points = {} if control is None else {point[0]: point[1:] for point in control.points}
        if control is None or step not in points:
            return f"{losses} The control comes with the first model: train it, too."
        per_byte, of_control = self.tokens_per_byte * held_out, control.tokens_per_byte * points[step][1]
        return (
            f"{losses} The first model at that step: {points[step][0]:.2f} and {points[step][1]:.2f}. (Its tokens and "
            f"held-out text differ; of a byte of held-out text: {per_byte:.2f} bits here, {of_control:.2f} there.)"
        )

    @property
    def against_counting(self) -> str:
        """A sentence with both losses at the end, and what counting pairs leaves."""
        step, learned, held_out = self.points[-1]
        return (
            f"Counting pairs of tokens leaves {self.baseline:.2f} bits of the held-out text; the model, after step "
            f"{step}, {held_out:.2f}. The training text: {learned:.2f}."
        )

    @cached_property
    def repeats(self) -> str:
        """A sentence: how much of the held-out text is a repetition, and what that does to the surprise."""
        share, bits = split_by_repeats(self.model, self.lesson.learned, self.lesson.held_out)
        if not 0 < share < 1:
            return (
                f"Of the held-out text {'all' if share else 'nothing'} is in the training text word for word."
            )
        (here, elsewhere), (counted_here, counted_elsewhere) = bits
        return (
            f"The text repeats itself: {percent(share)} of the held-out tokens are inside stretches of {REPEATED} "
            f"letters or more that the training text has word for word. Surprise there {here:.2f} bits (counting "
            f"pairs: {counted_here:.2f}), at the others {elsewhere:.2f} ({counted_elsewhere:.2f})."
        )

    @cached_property
    def copied(self) -> tuple[str, str]:
        """Two sentences: what it copies from its training text, beside held-out stretches as long, and the copy."""
        model, learned, held_out = self.model, self.lesson.learned, self.lesson.held_out
        written = model.tokenizer.decode(write(model, "\n", n=100))[1:]
        longest = longest_copy(written, learned)
        starts = np.linspace(0, max(0, len(held_out) - len(written)), N_STRETCHES).astype(int)
        control = sorted(len(longest_copy(held_out[i : i + len(written)], learned)) for i in starts)
        return (
            f"Does it copy? Another text, which it wrote from an empty line, has {len(written)} letters. The longest "
            f"stretch of it that its training text has word for word has {len(longest)}; of {N_STRETCHES} held-out "
            f"stretches as long, {control[0]} to {control[-1]}.",
            f"That stretch: “{in_a_line(longest)}”",
        )


def train_on(lesson: Lesson) -> Iterator[tuple[float, TrainingRun | None]]:
    """Train, and yield the share that is done and the run so far; None for it where there is nothing new to see.

    ValueError for a text that is too short. A loss that runs away is the `error` of the last run.
    """
    losses, points, snapshots, shown, run = [], [], (), 0.0, None
    try:
        for now in training.pretrain(lesson.text, SMALL, steps=lesson.steps, seed=lesson.seed):
            now.model.recent.max_bytes = 0
            losses.append(now.loss)
            if now.step == 0:
                baseline = float(counting_pairs(now.model, lesson.learned, lesson.held_out).mean())
            if is_measured := now.step % training.MEASURE_EVERY == 0:
                points.append((now.step, np.mean(losses[-5:]) * BITS_PER_NAT, now.held_out * BITS_PER_NAT))
            snapshots = (*(snapshot for snapshot in snapshots if snapshot.step in SNAPSHOTS), now)
            is_due = time.perf_counter() - shown > PAUSE
            if is_due or is_measured or now.step in SNAPSHOTS or now.step == lesson.steps:
                run, shown = TrainingRun(lesson, snapshots, tuple(points), baseline), time.perf_counter()
                yield now.step / lesson.steps, run
            else:
                yield now.step / lesson.steps, None
    except FloatingPointError as error:
        yield 1.0, replace(run, error=as_sentence(error))


@kept_with()
def continuation(snapshot: Progress, start: str) -> list[int]:
    """Return the tokens of a start and of what the model of a snapshot writes after it, by the same draws for each."""
    return write(snapshot.model, start)


def in_a_line(text: str) -> str:
    """Return a text that a model wrote as it can be shown in a sentence."""
    return " ".join(legible(clean(text)).split())
