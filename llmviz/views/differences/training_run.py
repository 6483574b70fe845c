"""What is said of a small model's training, and what it writes."""

from __future__ import annotations

from llmviz.experiments.learning import write_tokens
from llmviz.experiments.text_statistics import REPEATED
from llmviz.experiments.training_run import N_STRETCHES, TrainingSoFar
from llmviz.reuse import kept_with
from llmviz.tokenization import drop_unwritable
from llmviz.training import Progress
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import clean, legible


def compared(run: TrainingSoFar, control: TrainingSoFar | None) -> str:
    """Say both losses at the end, and those of a control at the same step."""
    step, learned, held_out = run.points[-1]
    losses = (
        f"Step {step}: {learned:.2f} bits a token of the training text, {held_out:.2f} of the held-out text."
    )
    at_step = [losses for at, *losses in control.points if at == step] if control else []
    if control is None or not at_step:
        return f"{losses} The control comes with the first model: train it, too."
    [(learned_by_control, of_control)] = at_step
    return (
        f"{losses} The first model at that step: {learned_by_control:.2f} and {of_control:.2f}. (Its tokens and "
        f"held-out text differ; of a byte of held-out text: {run.per_byte(held_out):.2f} bits here, "
        f"{control.per_byte(of_control):.2f} there.)"
    )


def against_counting(run: TrainingSoFar) -> str:
    """Say both losses at the end, and what counting pairs leaves."""
    step, learned, held_out = run.points[-1]
    return (
        f"Counting pairs of tokens leaves {run.baseline:.2f} bits of the held-out text; the model, after step "
        f"{step}, {held_out:.2f}. The training text: {learned:.2f}."
    )


def repeats(run: TrainingSoFar) -> str:
    """Say how much of the held-out text is a repetition, and what that does to the surprise."""
    share, bits = run.repeats
    if not 0 < share < 1:
        how_much = "all" if share else "nothing"
        return f"Of the held-out text {how_much} is in the training text word for word."
    (here, elsewhere), (counted_here, counted_elsewhere) = bits
    return (
        f"The text repeats itself: {percent(share)} of the held-out tokens are inside stretches of {REPEATED} "
        f"letters or more that the training text has word for word. Surprise there {here:.2f} bits (counting "
        f"pairs: {counted_here:.2f}), at the others {elsewhere:.2f} ({counted_elsewhere:.2f})."
    )


def copies(run: TrainingSoFar) -> tuple[str, str]:
    """Say how much it copies from its training text, compared with held-out stretches, and give the longest copy."""
    written, longest, control = run.copied
    return (
        f"Does it copy? Another text, which it wrote from an empty line, has {len(written)} letters. The longest "
        f"stretch of it that its training text has word for word has {len(longest)}; of {N_STRETCHES} held-out "
        f"stretches as long, {control[0]} to {control[-1]}.",
        f"That stretch: “{in_a_line(longest)}”",
    )


@kept_with()
def continuation(snapshot: Progress, start: str) -> list[int]:
    """Return the tokens of a start and of what the model of a snapshot writes after it, by the same draws for each."""
    start, _ = drop_unwritable(start, snapshot.model.tokenizer.ranks)
    return write_tokens(snapshot.model, start) if start else []


def in_a_line(text: str) -> str:
    """Return a text that a model wrote as it can be shown in a sentence."""
    return " ".join(legible(clean(text)).split())
