"""RoPE's clocks for one query and one key, and their score over distance."""

from __future__ import annotations

import ipywidgets
import numpy as np
from jaxtyping import Float

from llmviz import position
from llmviz.model import Trace
from llmviz.views.kit import theme
from llmviz.views.kit.controls import Told, button, choice, row, slider
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.text_box import clip_position
from llmviz.views.position.numbers import DISTANCES, OTHER_BASE, before_rope, digits
from llmviz.views.position.rope_dial import RopeDial
from llmviz.views.provenance import Explanation, Operand

ALL = "all"  # in a choice of tokens: the mean over all of them
FURTHEST = 200  # of the sliders for a single place


class OneHead(Explorer):
    """Sliders for layer and head, and a choice of the query's and the key's token."""

    def __init__(
        self, trace: Trace, layer: int, head: int, query: int | str, key: int | str, *, averages: bool
    ):
        self.trace = trace
        config, seq = trace.model.config, len(trace.tokens)
        self.layer = slider(min(layer, config.n_layers - 1), "Layer", config.n_layers - 1, stage="position")
        self.head = slider(min(head, config.n_heads - 1), "Head", config.n_heads - 1, stage="position")
        named = [(f"{visible(piece)}  ({i})", i) for i, piece in enumerate(trace.pieces[: theme.MAX_TOKENS])]
        every = [("all tokens, averaged", ALL)] if averages else []
        self.query = choice([*every, *named], _clipped(query, seq), "Query of")
        self.key = choice([*every, *named], _clipped(key, seq), "Key of")
        super().__init__()

    def controls(self) -> list[ipywidgets.Widget]:
        return [row(self.layer, self.head), row(self.query, self.key)]

    def q_and_k(self) -> tuple[Float[np.ndarray, " d_head"], Float[np.ndarray, " d_head"]]:
        """The chosen query and key before RoPE. A mean leaves out the first token, which is unlike all others."""
        q, k = before_rope(self.trace, self.layer.value, self.head.value)
        rest = slice(1 if len(q) > 1 else 0, None)
        chosen = ((q, self.query.value), (k, self.key.value))
        q, k = (one[rest].mean(axis=0) if at == ALL else one[at] for one, at in chosen)
        return q, k


class DialExplorer(OneHead):
    """RoPE's clocks for one real query and one real key, with sliders for where the two stand."""

    def __init__(self, trace: Trace, *, layer: int = 13, head: int = 8, query: int = -2, key: int = 1):
        super().__init__(trace, layer, head, query, key, averages=False)
        self.q_place = slider(min(self.query.value, FURTHEST), "Query stands at", FURTHEST, stage="position")
        self.k_place = slider(min(self.key.value, FURTHEST), "Key stands at", FURTHEST, stage="position")
        self.both = slider(0, "Move both by", 1_000, stage="position")
        self.home = button("back to where they stand in the text")
        config = trace.model.config
        speeds = position.rotation_angles(np.array([1.0]), config.d_head, base=config.rope_base)[0]
        self.dial = RopeDial(
            stage="position",
            caption=f"The {config.d_head // 2} pairs of one query and one key as clock hands, fast ones first",
            periods=2 * np.pi / speeds,
            provenance=self._explain,
        )
        self.told = Told()
        self.children = [
            *self.controls(),
            row(self.q_place, self.k_place, self.both, self.home),
            self.dial,
            self.told,
        ]
        for one in (self.layer, self.head, self.q_place, self.k_place, self.both):
            one.observe(self._show, "value")
        for one in (self.query, self.key):
            one.observe(self._go_home, "value")
        self.home.on_click(self._go_home)
        self._show()

    @one_at_a_time
    def _go_home(self, _=None) -> None:
        with self.quietly():
            self.q_place.value = min(self.query.value, FURTHEST)
            self.k_place.value = min(self.key.value, FURTHEST)
            self.both.value = 0
        self._show()

    @by_the_reader
    def _show(self, _change=None) -> None:
        config, seq = self.trace.model.config, len(self.trace.tokens)
        q, k = self.q_and_k()
        places = np.array([self.q_place.value, self.k_place.value]) + self.both.value
        angles = position.rotation_angles(places, config.d_head, base=config.rope_base)
        self._turned = position.rotate(np.stack([q, k]), angles)
        hands = self._turned.reshape(2, -1, 2)
        parts = position.pair_scores(*self._turned)
        lengths = np.linalg.norm(np.stack([q, k]).reshape(2, -1, 2), axis=-1)
        self.dial.change(
            q_hands=hands[0],
            k_hands=hands[1],
            parts=parts,
            # the most that the third strongest pair can add: one or two pairs are often far stronger than the rest
            limit=float(np.sort(lengths[0] * lengths[1])[-min(3, len(parts))] / np.sqrt(config.d_head))
            or 1.0,
            score=float(parts.sum()),
            q_name=[self.trace.pieces[self.query.value]],
            k_name=[self.trace.pieces[self.key.value]],
            q_position=int(places[0]),
            k_position=int(places[1]),
        )
        at_home = (self.q_place.value, self.k_place.value) == (self.query.value, self.key.value)
        distance = int(places[0] - places[1])
        told = f"The {len(parts)} bars add up to {digits(parts.sum())}."
        if at_home and not self.both.value and self.key.value <= self.query.value < seq:
            one = self.trace.blocks[self.layer.value].attention_at(self.query.value)
            own = one.scores[self.head.value, 0, self.key.value]
            told += (
                f" They stand where they do in your text; the score the model used there is {digits(own)}."
            )
        if distance < 0:
            told += " The key stands after the query: the model would mask this score."
        self.told.say(told)

    def _explain(self, pair: int) -> Explanation:
        q, k = self._turned[:, 2 * pair : 2 * pair + 2]
        return Explanation(
            f"What pair {pair} adds to the score",
            "the dot product of the two hands / √d_head = length · length · cos(angle between them) / √d_head",
            [
                Operand("q", q, f"numbers {2 * pair} and {2 * pair + 1} of the query, turned"),
                Operand("k", k, "the same two of the key, turned"),
                Operand("d_head", self.trace.model.config.d_head),
            ],
            "q @ k / np.sqrt(d_head)",
            position.pair_scores(*self._turned)[pair],
        )


class ScoreByDistance(OneHead):
    """The score of one query and one key of a head as a curve over the distance between them, for two bases."""

    def __init__(
        self, trace: Trace, *, layer: int = 13, head: int = 8, query: int | str = -2, key: int | str = 1
    ):
        super().__init__(trace, layer, head, query, key, averages=True)
        self.lines = LinePlot(
            x_axis="distance in tokens, key before query",
            y_axis="score",
            log_x=True,
            stage="position",
            y_min=None,
            caption="The score, if the same query stood further and further behind the same key",
        )
        self.told = Told()
        self.children = [*self.controls(), self.lines, self.told]
        for one in (self.layer, self.head, self.query, self.key):
            one.observe(self._show, "value")
        self._show()

    @one_at_a_time
    def _show(self, _change=None) -> None:
        q, k = self.q_and_k()
        bases = (self.trace.model.config.rope_base, OTHER_BASE)
        values = np.stack([position.score_by_distance(q, k, DISTANCES, base=base) for base in bases])
        names = [f"base {base:,.0f}{' (this model)' if i == 0 else ''}" for i, base in enumerate(bases)]
        self.lines.change(x=DISTANCES, values=values, names=names)
        own, other = values
        best = int(own.argmax())
        far = [100, 1_000]
        self.told.say(
            f"Layer {self.layer.value}, head {self.head.value}: the score is highest at distance {best:,} "
            f"({digits(own[best])}); at distance 1 it is {digits(own[1])}, at {far[0]} {digits(own[far[0]])}, "
            f"at {far[1]:,} {digits(own[far[1]])}.",
            f"With base {bases[1]:,.0f} all hands but the first would turn faster: at {far[0]} the score would be "
            f"{digits(other[far[0]])}, at {far[1]:,} {digits(other[far[1]])}.",
        )


def _clipped(at: int | str, seq: int) -> int | str:
    """`clip_position` among the tokens that are drawn; or ALL."""
    return ALL if at == ALL else clip_position(at, min(seq, theme.MAX_TOKENS))
