"""RoPE's clocks for one query and one key, and their score over distance."""

from __future__ import annotations

import ipywidgets
import numpy as np

from llmviz import experiments, position
from llmviz.model import Trace
from llmviz.views.kit import theme
from llmviz.views.kit.controls import Told, button, choice, row, slider
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.state_fields import clip_position
from llmviz.views.kit.text_box import Prompt, trace_of
from llmviz.views.position.rope_dial import RopeDial, digits
from llmviz.views.provenance import Explanation, Operand

FURTHEST = 200  # of the sliders for a single place, at least
DISTANCES = np.arange(2_001)


def periods(config) -> np.ndarray:
    """Tokens for one full turn of each hand, [n_pairs]."""
    return 2 * np.pi / position.rotation_angles(np.array([1.0]), config.d_head, base=config.rope_base)[0]


class Clocks(Explorer):
    """One real query as clock hands: as the head computed it, and turned by RoPE for a place that a slider chooses."""

    def __init__(self, source: Prompt | Trace, *, layer: int = 16, head: int = 0, furthest: int = 2_000):
        config = trace_of(source).model.config
        self._head = min(layer, config.n_layers - 1), min(head, config.n_heads - 1)
        self.place = slider(0, "The token stands at", furthest, stage="position")
        self.dial = RopeDial(
            stage="position",
            periods=periods(config),
            caption=f"The {config.d_head // 2} pairs of your last token's query as clock hands, fast ones first; "
            "large: the one you click",
        )
        self.told = Told()
        super().__init__([self.place, self.dial, self.told])
        self.follow(source, self._new_text)
        self.place.observe(self._show, "value")

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        self.trace = trace
        self._query = experiments.before_rope(trace, *self._head)[0][-1:]
        with self.quietly():
            self.place.value = len(trace.tokens) - 1
        self._show()

    @by_the_reader
    def _show(self, _change=None) -> None:
        config, place = self.trace.model.config, self.place.value
        angles = position.rotation_angles(np.array([place]), config.d_head, base=config.rope_base)
        turns = angles[0] / (2 * np.pi)
        self.dial.change(
            q_hands=position.rotate(self._query, angles).reshape(-1, 2),
            k_hands=self._query.reshape(-1, 2),
            turns=turns,
            q_name=[self.trace.pieces[-1]],
            q_position=place,
        )
        full, around = int(turns[0]), int((turns >= 1).sum())
        times = ("", ", the fastest once", f", the fastest {full:,} times")[min(full, 2)]
        still = int((np.degrees(angles[0]) < 10).sum())
        self.told.say(
            f"At position {place:,}, {around} of {angles.size} hands have been all the way round{times}; "
            f"{still} have not moved by 10 degrees yet."
        )


class OneHead(Explorer):
    """Sliders for layer and head, and a choice of the query's and the key's token."""

    def __init__(self, source: Prompt | Trace, layer: int, head: int, query: int, key: int):
        config = trace_of(source).model.config
        self.layer = slider(min(layer, config.n_layers - 1), "Layer", config.n_layers - 1, stage="position")
        self.head = slider(min(head, config.n_heads - 1), "Head", config.n_heads - 1, stage="position")
        self.query, self.key = choice([], None, "Query of"), choice([], None, "Key of")
        self.told, self._wanted = Told(), (query, key)
        super().__init__()

    def controls(self) -> list[ipywidgets.Widget]:
        return [row(self.layer, self.head), row(self.query, self.key)]

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        self.trace = trace
        pieces = trace.pieces[: theme.MAX_TOKENS]
        with self.quietly():
            for one, wanted in zip((self.query, self.key), self._wanted):
                one.options = [(f"{visible(piece)}  ({i})", i) for i, piece in enumerate(pieces)]
                one.value = clip_position(wanted, len(pieces))
        self._go_home()

    def q_and_k(self) -> np.ndarray:
        """The chosen query and key before RoPE, [2, d_head]."""
        q, k = experiments.before_rope(self.trace, self.layer.value, self.head.value)
        return np.stack([q[self.query.value], k[self.key.value]])

    @property
    def name(self) -> str:
        return f"L{self.layer.value}·H{self.head.value}"


class DialExplorer(OneHead):
    """RoPE's clocks for one real query and one real key, with sliders for where the two stand."""

    def __init__(
        self, source: Prompt | Trace, *, layer: int = 16, head: int = 0, query: int = -1, key: int = -2
    ):
        super().__init__(source, layer, head, query, key)
        self.q_place = slider(0, "Query stands at", FURTHEST, stage="position")
        self.k_place = slider(0, "Key stands at", FURTHEST, stage="position")
        self.both = slider(0, "Move both by", 1_000, stage="position")
        self.home = button("back to where they stand in the text")
        config = trace_of(source).model.config
        self.dial = RopeDial(
            stage="position",
            caption=f"The {config.d_head // 2} pairs of one query and one key as clock hands, fast ones first; "
            "large: the one you click",
            periods=periods(config),
            provenance=self._explain,
        )
        self.children = [
            *self.controls(),
            row(self.q_place, self.k_place, self.both, self.home),
            self.dial,
            self.told,
        ]
        self.follow(source, self._new_text)
        for one in (self.layer, self.head, self.q_place, self.k_place, self.both):
            one.observe(self._show, "value")
        for one in (self.query, self.key):
            one.observe(self._home_again, "value")
        self.home.on_click(self._home_again)

    @by_the_reader
    def _home_again(self, _=None) -> None:
        self._go_home()

    @one_at_a_time
    def _go_home(self) -> None:
        with self.quietly():
            for place, token in ((self.q_place, self.query), (self.k_place, self.key)):
                place.max = max(FURTHEST, len(token.options) - 1)
                place.value = token.value
            self.both.value = 0
        self._show()

    def _turned_to(self, *places: int) -> np.ndarray:
        """Query and key, each turned for its place, [2, d_head]."""
        config = self.trace.model.config
        angles = position.rotation_angles(np.array(places), config.d_head, base=config.rope_base)
        return position.rotate(self.q_and_k(), angles)

    def score_at(self, q_place: int, k_place: int) -> float:
        """The score, if the chosen query and key stood there."""
        base = self.trace.model.config.rope_base
        return float(experiments.score_at(*self.q_and_k(), (q_place, k_place), base=base))

    def moved_on(self, by: int) -> float:
        """By how much the score changes, if query and key both move on from where they stand."""
        q, k = self.q_place.value, self.k_place.value
        return self.score_at(q + by, k + by) - self.score_at(q, k)

    @by_the_reader
    def _show(self, _change=None) -> None:
        config, both = self.trace.model.config, self.both.value
        at = [place.value + both for place in (self.q_place, self.k_place)]
        self._turned = self._turned_to(*at)
        hands = self._turned.reshape(2, -1, 2)
        parts = position.pair_scores(*self._turned)
        lengths = np.linalg.norm(hands, axis=-1)
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
            q_position=at[0],
            k_position=at[1],
        )
        score, distance = float(parts.sum()), at[0] - at[1]
        one_on = self.score_at(at[0] + 1, at[1]) - score
        still = f" Moving both by {both:,} has changed it by {abs(self.moved_on(both)):.3f}."
        self.told.say(
            f"{self.name}: the {len(parts)} bars add up to {digits(score)}. One place further on, the query alone "
            f"would change that by {digits(one_on)}.{still if both else ''}",
            "The key stands after the query: the model would mask this score." if distance < 0 else "",
        )

    def _explain(self, pair: int) -> Explanation:
        q, k = self._turned[:, 2 * pair : 2 * pair + 2]
        both, base = self.both.value, "model.config.d_head, base=model.config.rope_base"
        sources = [
            f"llmviz.position.rotate(llmviz.experiments.before_rope(trace, {self.layer.value}, {self.head.value})"
            f"[{which}][[{token.value}]], llmviz.position.rotation_angles(np.array([{place.value + both}]), {base}))"
            f"[0, {2 * pair}:{2 * pair + 2}]"
            for which, token, place in ((0, self.query, self.q_place), (1, self.key, self.k_place))
        ]
        return Explanation(
            f"What pair {pair} adds to the score",
            "the dot product of the two hands / √d_head = length · length · cos(angle between them) / √d_head",
            [
                Operand("q", q, sources[0]),
                Operand("k", k, sources[1]),
                Operand("d_head", self.trace.model.config.d_head, "model.config.d_head"),
            ],
            "q @ k / np.sqrt(d_head)",
            position.pair_scores(*self._turned)[pair],
        )


class ScoreByDistance(OneHead):
    """The score of one query over the distance, for a chosen key and for that of the first token."""

    def __init__(
        self, source: Prompt | Trace, *, layer: int = 13, head: int = 8, query: int = -1, key: int = 3
    ):
        super().__init__(source, layer, head, query, key)
        self.lines = LinePlot(
            x_axis="distance in tokens, key before query",
            y_axis="score",
            log_x=True,
            stage="position",
            y_min=None,
            caption="The score, if the same query stood further and further behind the same key",
        )
        self.children = [*self.controls(), self.lines, self.told]
        self.follow(source, self._new_text)
        for one in (self.layer, self.head, self.query, self.key):
            one.observe(self._show, "value")

    def _go_home(self) -> None:
        self._show()

    @by_the_reader
    def _show(self, _change=None) -> None:
        base, (q, k) = self.trace.model.config.rope_base, self.q_and_k()
        first = experiments.before_rope(self.trace, self.layer.value, self.head.value)[1][0]
        curves = np.stack([position.score_by_distance(q, key, DISTANCES, base=base) for key in (k, first)])
        names = [f"key of {visible(self.trace.pieces[at])} ({at})" for at in (self.key.value, 0)]
        self.lines.change(x=DISTANCES, values=curves, names=names)
        own = curves[0]
        self.told.say(
            f"{self.name}, key of {isolated(self.trace.pieces[self.key.value])}: highest at distance "
            f"{int(own.argmax()):,} ({digits(own.max())}); at 1 it is {digits(own[1])}, at 100 {digits(own[100])}, at "
            f"1,000 {digits(own[1_000])}. Key of the first token: {digits(curves[1, 1])} at 1, "
            f"{digits(curves[1, 1_000])} at 1,000."
        )
