"""The four steps of a fact in words, and what their tests have given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from llmviz import ops
from llmviz.experiments import Pair, fact_mover_head, facts
from llmviz.experiments.facts import HALF, FactTest
from llmviz.experiments.probabilities import probability
from llmviz.views.ffn.fact import named, subjects
from llmviz.views.kit.numbers import percent

MEANING = {
    "carries": "swapped, it brings more than half of the twin's answer: it carries which of the two",
    "needed": "swapped, it brings less than half; off, over half of the answer is lost, but not with its control off",
    "unclear": "swapped, it brings less than half; off, over half of the answer is lost, but so it is with its control "
    "off, so this proves little",
    "neither": "swapped, it brings less than half; off, at least half of the answer stays",
}


@dataclass(frozen=True, eq=False)
class Step:
    """A step: its number, the names of its four tests, and what they have given so far.

    probs [4, 2]: both answers' probability, with the part off, its control off, the part swapped, and another swapped;
    NaN for what is not measured yet.
    """

    number: int
    names: tuple[str, str, str, str]
    place: FactTest  # without its edits
    note: str = ""  # what else there is to say of it
    probs: np.ndarray = field(default_factory=lambda: np.full((4, 2), np.nan, np.float32))
    is_done: bool = False


def steps(pair: Pair, tests: Sequence[FactTest]) -> list[Step]:
    """Put the four in words: FFNs at the subject, the head that moves, what is read before it, and FFNs after it."""
    layer, number = fact_mover_head(pair)
    n, last = pair.trace.model.config.n_layers, len(pair.trace.tokens) - 1
    here = subjects(pair)[0]
    final, beside = named(pair, [pair.trace.tokens[at] for at in (last, tests[0].control)])
    n_random = len(tests[1].tests[1])
    early = f"FFNs {_span(*tests[0].layers)} at {here}"
    head = f"head {number} of layer {layer}, from {final} to {here}"
    sight = f"what {final} sees of {here} before layer {layer}"
    late = f"FFNs {_span(layer + 1, n - 1)} at {final}"
    ahead = f"control: FFNs {_span(*tests[3].control)} there"
    names = [
        (early, f"control: the same at {beside}", early, "to compare: FFN 0 there"),
        (
            *(head, f"control: the worst of {n_random} random heads"),
            *(head, f"control: the strongest of {n_random} random heads"),
        ),
        (
            *(sight, f"control: what it sees of {beside} there"),
            *(f"{final}, as it stands before layer {layer}", f"to compare: {here}, as it stands there"),
        ),
        (late, ahead, late, ahead),
    ]
    again = f"This is the put-in test again, at {here} before layer {layer}, so it isn't new evidence."
    notes = ["", "", again if pair.subject == last - 1 else "", ""]
    return [Step(i + 1, names[i], replace(test, tests=()), notes[i]) for i, test in enumerate(tests)]


def _span(first: int, last: int) -> str:
    return f"{first}–{last}" if first != last else str(first)


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
    """Return a key of `MEANING`: "unclear" where the control, switched off, loses the answer as well."""
    if step.probs[2, 1] > HALF * probability(pair.twin, pair.answers[1]):
        return "carries"
    lost, control_lost = step.probs[:2, 0] < HALF * own_probs(pair)[0]
    return "neither" if not lost else "unclear" if control_lost else "needed"


def said(pair: Pair, step: Step) -> list[str]:
    """Say what a step has shown."""
    own, other = named(pair, pair.answers)
    name, off_control, _, swap_control = step.names
    shares = [[percent(p) for p in row] for row in (own_probs(pair), *step.probs)]
    return [
        f"{name[0].upper()}{name[1:]}: off, {own} has {shares[1][0]} instead of {shares[0][0]} "
        f"({off_control}: {shares[2][0]}).",
        f"As in the twin's run, {own} has {shares[3][0]} and {other} {shares[3][1]} "
        f"({swap_control}: {shares[4][0]} and {shares[4][1]}).",
        *([step.note] if step.note else []),
    ]
