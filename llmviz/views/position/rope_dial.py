"""The pairs of a query and a key as clock hands."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import Floats, Picture, Pieces, lines
from llmviz.views.kit.pieces import visible


class RopeDial(Picture):
    """The pairs of one query and one key as clocks with two hands each, fast to slow, and what each adds to the score.

    q_hands, k_hands [n_pairs, 2]: the pairs after RoPE has turned them. `selected` is a pair, by click or arrow keys.
    With `turns` in place of `parts` it shows the query alone: k_hands are then its own hands before RoPE.
    """

    _static = "rope_dial"
    _data = ("q_hands", "k_hands", "parts", "turns", "q_name", "k_name", "q_position", "k_position")

    q_hands = Floats(ndim=(2,))
    k_hands = Floats(ndim=(2,))
    parts = Floats(ndim=(1,))  # what each pair adds to the score
    turns = Floats(ndim=(1,))  # how often each pair has been turned round
    periods = Floats(ndim=(1,))  # tokens for one full turn
    limit = traitlets.Float(1.0).tag(sync=True)  # where the bars end
    score = traitlets.Float(0.0).tag(sync=True)
    q_name = Pieces()
    k_name = Pieces()
    q_position = traitlets.Int(0).tag(sync=True)
    k_position = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def text(self) -> str:
        """What is shown, then a line a pair: how fast it turns, both angles, and what it adds, or its turns."""
        if self.q_hands is None:
            return self.headline()
        alone = self.parts is None
        rows: list = [["pair", "tokens a turn", "query's hand"]]
        rows[0] += ["before", "turns"] if alone else ["key's hand", "adds"]
        last = self.turns if alone else self.parts
        for i, (q, k, value, period) in enumerate(zip(self.q_hands, self.k_hands, last, self.periods)):
            rows.append([i, f"{period:,.3g}", degrees(q), degrees(k), digits(value)])
        return f"{self.headline()}\n{lines(rows)}"

    def headline(self) -> str:
        if self.q_hands is None:
            return "no query yet"
        q, k = (visible(name[0]) if name else "" for name in (self.q_name, self.k_name))
        score = f", key {k} at {self.k_position:,}: score {self.score:.2f}"
        return f"Query {q} at {self.q_position:,}{'' if self.parts is None else score}"

    @traitlets.validate("selected")
    def _a_pair(self, proposal):
        value = proposal["value"]
        if value is not None and (self.q_hands is None or not 0 <= value < len(self.q_hands)):
            raise traitlets.TraitError(f"there is no pair {value}")
        return value


def degrees(hand: np.ndarray) -> str:
    """Return the angle of a hand (a, b), from −180° to 180°."""
    return minus(f"{np.degrees(np.arctan2(hand[1], hand[0])):.0f}°")


def digits(value: float | np.floating) -> str:
    """Return three digits and a true minus, such as "−0.181"; a dash for NaN."""
    return "–" if np.isnan(value) else minus(f"{value:.3g}")
