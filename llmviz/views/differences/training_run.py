"""A small model's training: what it learns from, its snapshots and losses, and what they come to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from llmviz import training
from llmviz.experiments.learning import SMALL, split_held_out, write_tokens
from llmviz.experiments.text_statistics import REPEATED, counting_pairs, longest_copy, split_by_repeats
from llmviz.model import Model
from llmviz.reuse import kept_with
from llmviz.sampling import BITS_PER_NAT
from llmviz.tokenization import drop_unwritable
from llmviz.training import Progress
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import as_sentence, clean, legible

SNAPSHOTS = (0, 10, 20, 40, 80, 160, 320, 640)  # steps whose models stay, beside the last one
N_STRETCHES = 5  # of the held-out text, looked for in the rest of it
PAUSE = 0.5  # seconds between two looks at a training, at most


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A training so far.

    name, text: what is learned from. steps: of the whole training. snapshots: at the `SNAPSHOTS`, and the last.
    points: at some steps, the step and both losses in bits a token: of the training text (the mean of five steps), and
    of the held-out text. baseline: what counting pairs of tokens leaves of the held-out text, in bits a token.
    error: why it cannot go on. rest: what is yet to come.
    """

    name: str
    text: str
    steps: int
    snapshots: tuple[Progress, ...]
    points: tuple[tuple[int, float, float], ...]
    baseline: float
    error: str = ""
    rest: Iterator[tuple[float, TrainingRun | None]] | None = None

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
    def finished(self) -> bool:
        """Say whether all steps are done."""
        return self.last.step == self.steps

    @property
    def learned(self) -> str:
        """Return the part of the text that the model learns from."""
        return split_held_out(self.text)[0]

    @property
    def held_out(self) -> str:
        """Return the part of the text that the model is measured on and never learns from."""
        return split_held_out(self.text)[1]

    @property
    def nbytes(self) -> int:
        """Return the memory of all snapshots."""
        return 4 * sum(snapshot.model.config.n_parameters for snapshot in self.snapshots)

    def compared(self, control: TrainingRun | None) -> str:
        """Say both losses at the end, and those of a control at the same step."""
        step, learned, held_out = self.points[-1]
        losses = f"Step {step}: {learned:.2f} bits a token of the training text, {held_out:.2f} of the held-out text."
        at_step = [losses for at, *losses in control.points if at == step] if control else []
        if control is None or not at_step:
            return f"{losses} The control comes with the first model: train it, too."
        [(learned_by_control, of_control)] = at_step
        return (
            f"{losses} The first model at that step: {learned_by_control:.2f} and {of_control:.2f}. (Its tokens and "
            f"held-out text differ; of a byte of held-out text: {self.per_byte(held_out):.2f} bits here, "
            f"{control.per_byte(of_control):.2f} there.)"
        )

    def per_byte(self, bits: float) -> float:
        """Return the bits of a byte of the held-out text, from those of a token."""
        return bits * len(self.model.tokenizer.encode(self.held_out)) / len(self.held_out.encode())

    def against_counting(self) -> str:
        """Say both losses at the end, and what counting pairs leaves."""
        step, learned, held_out = self.points[-1]
        return (
            f"Counting pairs of tokens leaves {self.baseline:.2f} bits of the held-out text; the model, after step "
            f"{step}, {held_out:.2f}. The training text: {learned:.2f}."
        )

    @cached_property
    def repeats(self) -> str:
        """Say how much of the held-out text is a repetition, and what that does to the surprise."""
        share, bits = split_by_repeats(self.model, self.learned, self.held_out)
        if not 0 < share < 1:
            how_much = "all" if share else "nothing"
            return f"Of the held-out text {how_much} is in the training text word for word."
        (here, elsewhere), (counted_here, counted_elsewhere) = bits
        return (
            f"The text repeats itself: {percent(share)} of the held-out tokens are inside stretches of {REPEATED} "
            f"letters or more that the training text has word for word. Surprise there {here:.2f} bits (counting "
            f"pairs: {counted_here:.2f}), at the others {elsewhere:.2f} ({counted_elsewhere:.2f})."
        )

    @cached_property
    def copied(self) -> tuple[str, str]:
        """Say what it copies from its training text, beside held-out stretches as long; and the copy."""
        learned, held_out = self.learned, self.held_out
        written = self.model.tokenizer.decode(write_tokens(self.model, "\n", n=100))[1:]
        longest = longest_copy(written, learned)
        starts = np.linspace(0, max(0, len(held_out) - len(written)), N_STRETCHES).astype(int)
        control = sorted(len(longest_copy(held_out[i : i + len(written)], learned)) for i in starts)
        return (
            f"Does it copy? Another text, which it wrote from an empty line, has {len(written)} letters. The longest "
            f"stretch of it that its training text has word for word has {len(longest)}; of {N_STRETCHES} held-out "
            f"stretches as long, {control[0]} to {control[-1]}.",
            f"That stretch: “{in_a_line(longest)}”",
        )


def train_on(name: str, text: str, steps: int, seed: int) -> Iterator[tuple[float, TrainingRun | None]]:
    """Train, and yield the share that is done and the run so far; None for it where there is nothing new to see.

    A loss that runs away is the `error` of the last run.
    """
    run = TrainingRun(name, text, steps, (), (), 0.0)
    losses, shown = [], 0.0
    try:
        for now in training.pretrain(text, SMALL, steps=steps, seed=seed):
            now.model.recent.max_bytes = 0
            losses.append(now.loss * BITS_PER_NAT)
            stays = (*(snapshot for snapshot in run.snapshots if snapshot.step in SNAPSHOTS), now)
            run = replace(run, snapshots=stays)
            if now.step == 0:
                run = replace(
                    run, baseline=float(counting_pairs(now.model, run.learned, run.held_out).mean())
                )
            if is_measured := now.step % training.MEASURE_EVERY == 0:
                point = now.step, float(np.mean(losses[-5:])), now.held_out * BITS_PER_NAT
                run = replace(run, points=(*run.points, point))
            is_new = is_measured or now.step in SNAPSHOTS or now.step == steps
            is_new |= time.perf_counter() - shown > PAUSE
            if is_new:
                shown = time.perf_counter()
            yield now.step / steps, run if is_new else None
    except FloatingPointError as error:
        yield 1.0, replace(run, error=as_sentence(error))


@kept_with()
def continuation(snapshot: Progress, start: str) -> list[int]:
    """Return the tokens of a start and of what the model of a snapshot writes after it, by the same draws for each."""
    start, _ = drop_unwritable(start, snapshot.model.tokenizer.ranks)
    return write_tokens(snapshot.model, start) if start else []


def in_a_line(text: str) -> str:
    """Return a text that a model wrote as it can be shown in a sentence."""
    return " ".join(legible(clean(text)).split())
