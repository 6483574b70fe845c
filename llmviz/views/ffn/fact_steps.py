"""The four steps of a fact in words, and what their tests have given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from llmviz import ops
from llmviz.experiments import Pair, fact_mover_head, facts
from llmviz.experiments.facts import HALF, FactTest
from llmviz.experiments.probabilities import probability
from llmviz.views.ffn.fact import WORDS, named, subjects
from llmviz.views.kit.numbers import percent


@dataclass(frozen=True, eq=False)
class Step:
    """A step: its number, the names of its four tests, and what they have given so far.

    probs [4, 2]: both answers' probability, with the part off, its control off, the part swapped, and another swapped;
    NaN for what is not measured yet.
    """

    number: int
    names: list[str]
    place: FactTest  # without its edits
    note: str = ""  # what else there is to say of it
    probs: np.ndarray = field(default_factory=lambda: np.full((4, 2), np.nan, np.float32))
    is_done: bool = False


def steps(pair: Pair, tests: Sequence[FactTest]) -> list[Step]:
    """Put the four in words: FFNs at the subject, the head that moves, what is read before it, and FFNs after it."""
    layer, head = fact_mover_head(pair)
    early, random_heads, _, late = tests
    last = len(pair.trace.tokens) - 1
    final, beside = named(pair, [pair.trace.tokens[at] for at in (last, early.control)])
    words = {
        **{"here": subjects(pair)[0], "final": final, "beside": beside, "layer": layer, "head": head},
        **{"early": span(early.layers), "late": span(late.layers), "ahead": span(late.control)},
        "n_random": len(random_heads.tests[1]),
    }
    return [
        Step(
            number,
            [name.format(**words) for name in step["names"]],
            replace(test, tests=()),
            step.get("note", "").format(**words) if pair.subject == last - 1 else "",
        )
        for number, (step, test) in enumerate(zip(WORDS["steps"], tests), start=1)
    ]


def span(layers: tuple[int, int]) -> str:
    """Return "4–7", or "4"."""
    return "–".join(map(str, dict.fromkeys(layers)))


def run_tests(
    pair: Pair, numbers: Sequence[int], early: tuple[int, int] | None = None
) -> Iterator[tuple[float, list[Step]]]:
    """Test some of the four steps: yield the share that is done and the steps so far, after each run."""
    tests = facts.fact_tests(pair, early=early, head=fact_mover_head(pair))
    listed = steps(pair, tests)
    so_far: list[Step] = []
    for k, number in enumerate(numbers):
        test = tests[number - 1].tests
        n_runs = sum(map(len, test))
        for run, probs in enumerate(facts.measure_step(pair, test), 1):
            so_far = [*so_far[:k], replace(listed[number - 1], probs=probs.copy(), is_done=run == n_runs)]
            yield (k + run / n_runs) / len(numbers), so_far


def own_probs(pair: Pair) -> np.ndarray:
    """Return [2]: both answers' probability in the text's own run."""
    return ops.softmax(pair.trace.logits)[pair.answers]


def carries(pair: Pair, step: Step) -> str:
    """Return a key of the meanings: "unclear" where the control, switched off, loses the answer as well."""
    if step.probs[2, 1] > HALF * probability(pair.twin, pair.answers[1]):
        return "carries"
    lost, control_lost = step.probs[:2, 0] < HALF * own_probs(pair)[0]
    return "neither" if not lost else "unclear" if control_lost else "needed"


def said(pair: Pair, step: Step) -> list[str]:
    """Say what a step has shown."""
    own, other = named(pair, pair.answers)
    name, off_control, _, swap_control = step.names
    whole, off, control_off, swapped, control_swapped = (
        [percent(p) for p in row] for row in (own_probs(pair), *step.probs)
    )
    return [
        f"{capitalised(name)}: off, {own} has {off[0]} instead of {whole[0]} ({off_control}: {control_off[0]}).",
        f"As in the twin's run, {own} has {swapped[0]} and {other} {swapped[1]} "
        f"({swap_control}: {control_swapped[0]} and {control_swapped[1]}).",
        *([step.note] if step.note else []),
    ]


def capitalised(sentence: str) -> str:
    """Return a sentence with its first letter as a capital."""
    return f"{sentence[0].upper()}{sentence[1:]}"
