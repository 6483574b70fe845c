"""The pairs of a query and a key as clock hands."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import Floats, OfRows, Pieces, lines
from llmviz.views.kit.pieces import visible


class RopeDial(OfRows):
    """The pairs of one query and one key as clocks with two hands each, fast to slow, and what each adds to the score.

    q_hands, k_hands [n_pairs, 2]: the pairs after RoPE has turned them. Without `k_hands` and `parts`, only the query
    is shown. A player moves all hands on by 1, 2, 3 … positions (`step`).
    """

    _static, _rows = "rope_dial", ("q_hands",)
    _by_page = ("selected", "step")

    q_hands = Floats(ndim=(2,))
    k_hands = Floats(ndim=(2,))
    parts = Floats(ndim=(1,))  # what each pair adds to the score
    turns = Floats(ndim=(2,))  # full turns of each pair after each step [n_steps + 1, n_pairs]
    periods = Floats(ndim=(1,))  # how many positions a full turn takes [n_pairs]
    apart = traitlets.Int(1).tag(sync=True)  # from a pair's first number to its second
    step = traitlets.Int(0).tag(sync=True)
    limit = traitlets.Float(1.0).tag(sync=True)  # what a full bar adds
    score = traitlets.Float(0.0).tag(sync=True)
    q_name = Pieces()
    k_name = Pieces()
    q_position = traitlets.Int(0).tag(sync=True)
    k_position = traitlets.Int(0).tag(sync=True)

    def page_values(self) -> dict:
        return super().page_values() | {"step": range(0 if self.turns is None else len(self.turns))}

    @traitlets.validate("step")
    def _a_step(self, proposal):
        if not 0 <= proposal["value"] < (1 if self.turns is None else len(self.turns)):
            raise traitlets.TraitError(f"there is no step {proposal['value']}")
        return proposal["value"]

    def text(self) -> str:
        """Return a line for each pair: how fast it turns, its angles at this step, and what it adds, or its turns."""
        if self.q_hands is None:
            return self.headline()
        turns = np.zeros(len(self.q_hands)) if self.turns is None else self.turns[self.step]
        only_query = self.k_hands is None
        rows: list = [["pair", "tokens per turn", "query's hand"]]
        rows[0] += ["turns"] if only_query else ["key's hand", "adds"]
        for i, (q, turn, period) in enumerate(zip(self.q_hands, turns, self.periods)):
            rows.append([i, f"{period:,.3g}", degrees(q, turn)])
            rows[-1] += (
                [digits(turn)] if only_query else [degrees(self.k_hands[i], turn), digits(self.parts[i])]
            )
        return f"{self.headline()}, {self.step:,} positions on\n{lines(rows)}"

    def headline(self) -> str:
        if self.q_hands is None:
            return "no query yet"
        q, k = (visible(name[0]) if name else "" for name in (self.q_name, self.k_name))
        query = f"Query {q} at {self.q_position:,}"
        if self.k_hands is None:
            return query
        return f"{query}, key {k} at {self.k_position:,}: score {self.score:.2f}"


def degrees(hand: np.ndarray, turns: float) -> str:
    """Return the angle of a hand (a, b) after some full turns, from −180° to 180°, as text."""
    angle = np.degrees(np.arctan2(hand[1], hand[0])) + 360 * turns
    return minus(f"{(angle + 180) % 360 - 180:.0f}°")


def digits(value: float | np.floating) -> str:
    """Return a number with three digits and a real minus sign, such as "−0.181"; a dash for NaN."""
    return "–" if np.isnan(value) else minus(f"{value:.3g}")
