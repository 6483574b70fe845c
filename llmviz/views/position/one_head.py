"""RoPE's clocks for one query and one key, and their score over distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmviz import experiments, position
from llmviz.views.kit import controls
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.state_fields import head, layer, number, picked, replace, token_choice
from llmviz.views.kit.view import Scene, View, explains, looks, part, press, sentences, shared
from llmviz.views.position.rope_dial import RopeDial, digits
from llmviz.views.provenance import Explanation, Operand

DISTANCES = np.arange(2_001)


def periods(config) -> np.ndarray:
    """Return the tokens for one full turn of each hand, [n_pairs]."""
    return 2 * np.pi / position.rotation_angles(np.array([1.0]), config.d_head, base=config.rope_base)[0]


def _place(label: str, furthest: int = 200) -> Any:
    """Declare a position from 0 to `furthest`, or to the text's last, with a slider; None: the text's last."""

    def last(view: View) -> int:
        return max(furthest, len(view.run.tokens) - 1)

    def shows(value: int | None, view: View) -> dict:
        return {"max": last(view), "value": len(view.run.tokens) - 1 if value is None else value}

    return picked(
        None,
        lambda value, view: value is None or (type(value) is int and 0 <= value <= last(view)),
        "a position, or None",
        control=lambda _, view: controls.slider(0, label, last(view), stage="position"),
        on_page=lambda view: range(last(view) + 1),
        shows=shows,
    )


def _dial(of: str) -> Callable[[View], RopeDial]:
    """Return what makes the dial of a view."""
    return lambda view: RopeDial(
        stage="position",
        periods=periods(view.run.model.config),
        caption=f"The {view.run.model.config.d_head // 2} pairs of {of} as clock hands, fast ones first; large: the "
        "one you click",
    )


class Clocks(View):
    """One real query as clock hands: as the head computed it, and turned for a position that a slider chooses."""

    @dataclass(frozen=True)
    class State:
        position: int | None = _place("The token stands at", 2_000)

    arrangement = ("position", "dial", "message")

    @shared
    def turned(self, scene: Scene) -> tuple[int, np.ndarray]:
        """Return the position, and by how much each pair is turned there, in radians."""
        config, at = scene.run.model.config, scene.position
        at = len(scene.run.tokens) - 1 if at is None else at
        return at, position.rotation_angles(np.array([at]), config.d_head, base=config.rope_base)

    @part(_dial("your last token's query"))
    def dial(self, scene: Scene) -> dict:
        config, (at, angles) = scene.run.model.config, scene.turned
        query = experiments.before_rope(scene.run, min(16, config.n_layers - 1), 0)[0][-1:]
        return {
            "q_hands": position.rotate(query, angles).reshape(-1, 2),
            "k_hands": query.reshape(-1, 2),
            "turns": angles[0] / (2 * np.pi),
            "q_name": scene.run.pieces[-1:],
            "q_position": at,
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        at, angles = scene.turned
        turns = angles[0] / (2 * np.pi)
        full = int(turns[0])
        times = ("", ", the fastest once", f", the fastest {full:,} times")[min(full, 2)]
        return [
            f"At position {at:,}, {(turns >= 1).sum()} of {turns.size} hands have been all the way round{times}; "
            f"{(np.degrees(angles[0]) < 10).sum()} have not moved by 10 degrees yet."
        ]


class OneHead(View):
    """The query of one token and the key of another in one head."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        layer: int = layer(16)
        head: int = head(0)
        query: int = token_choice(-1, "Query of")
        key: int = token_choice(-2, "Key of")

    arrangement = (("layer", "head"), ("query", "key"), "lines", "message")


class DialExplorer(OneHead):
    """RoPE's clocks for one real query and one real key, with sliders for where the two stand."""

    @dataclass(frozen=True)
    class State(OneHead.State):
        # None: where they are in the text.
        q_position: int | None = _place("Query stands at")
        k_position: int | None = _place("Key stands at")
        both: int = number(0, "Move both by", 1_000)

    arrangement = (
        ("layer", "head"),
        ("query", "key"),
        ("q_position", "k_position", "both", "home"),
        *("dial", "message"),
    )

    @looks("q_position")
    def place_of_query(self, scene: Scene) -> dict:
        return {"value": scene.places[0]}

    @looks("k_position")
    def place_of_key(self, scene: Scene) -> dict:
        return {"value": scene.places[1]}

    @press("back to where they stand in the text")
    def home(self, state: State) -> State:
        return replace(state, q_position=None, k_position=None, both=0)

    def put_right(self, before: State, state: State) -> State:
        """Another token is where it is in the text."""
        same = (before.query, before.key) == (state.query, state.key)
        return state if same else self.home(state)

    @shared
    def places(self, scene: Scene) -> tuple[int, int]:
        """Return where query and key stand before both are moved."""
        q = scene.query if scene.q_position is None else scene.q_position
        k = scene.key if scene.k_position is None else scene.k_position
        return q, k

    @shared
    def positions(self, scene: Scene) -> tuple[int, int]:
        q, k = scene.places
        return q + scene.both, k + scene.both

    @shared
    def turned(self, scene: Scene) -> np.ndarray:
        """Return query and key, each turned for its position, [2, d_head]."""
        tokens = scene.query, scene.key
        return experiments.turned_to(scene.run, scene.layer, scene.head, tokens, scene.positions)

    @shared
    def scores(self, scene: Scene) -> np.ndarray:
        """Return what each pair adds to the score."""
        return position.pair_scores(*scene.turned)

    @part(_dial("one query and one key"))
    def dial(self, scene: Scene) -> dict:
        hands, n_pairs = scene.turned.reshape(2, -1, 2), len(scene.scores)
        most = np.sort(np.linalg.norm(hands, axis=-1).prod(axis=0)) / np.sqrt(2 * n_pairs)
        pieces, (q, k) = scene.run.pieces, scene.positions
        return {
            "q_hands": hands[0],
            "k_hands": hands[1],
            "parts": scene.scores,
            # The most that the third strongest pair can add: one or two are often far stronger than the rest.
            "limit": float(most[-min(3, n_pairs)]) or 1.0,
            "score": float(scene.scores.sum()),
            "q_name": [pieces[scene.query]],
            "k_name": [pieces[scene.key]],
            "q_position": q,
            "k_position": k,
        }

    @explains("dial")
    def explain(self, scene: Scene, pair: int) -> Explanation:
        place = scene.layer, scene.head, (scene.query, scene.key), scene.positions
        turned = f"llmviz.experiments.turned_to(trace, {', '.join(map(str, place))})"
        numbers = f"{2 * pair}:{2 * pair + 2}"
        q, k = scene.turned[:, 2 * pair : 2 * pair + 2]
        return Explanation(
            f"What pair {pair} adds to the score",
            "the dot product of the two hands / √d_head = length · length · cos(angle between them) / √d_head",
            [
                Operand("q", q, f"{turned}[0, {numbers}]"),
                Operand("k", k, f"{turned}[1, {numbers}]"),
                Operand("d_head", scene.run.model.config.d_head, "model.config.d_head"),
            ],
            "q @ k / np.sqrt(d_head)",
            scene.scores[pair],
        )

    @sentences
    def message(self, scene: Scene) -> list[str]:
        (q, k), both, score = scene.positions, scene.both, float(scene.scores.sum())

        def change(*positions: int) -> float:
            tokens = scene.query, scene.key
            turned = experiments.turned_to(scene.run, scene.layer, scene.head, tokens, positions)
            return float(position.pair_scores(*turned).sum()) - score

        together = f" Moving both by {both:,} has changed it by {abs(change(q - both, k - both)):.3f}."
        return [
            f"L{scene.layer}·H{scene.head}: the {len(scene.scores)} bars add up to {digits(score)}. One place further "
            f"on, the query alone would change that by {digits(change(q + 1, k))}.{together if both else ''}",
            "The key stands after the query: the model would mask this score." if k > q else "",
        ]


class ScoreByDistance(OneHead):
    """The score of one query over the distance, for a chosen key and for that of the first token."""

    @dataclass(frozen=True)
    class State(OneHead.State):
        layer: int = layer(13)
        head: int = head(8)
        key: int = token_choice(3, "Key of")

    @shared
    def curves(self, scene: Scene) -> np.ndarray:
        """Return the scores with the chosen key and with the first token's [2, distances]."""
        q, k = experiments.before_rope(scene.run, scene.layer, scene.head)
        base = scene.run.model.config.rope_base
        return np.stack(
            [
                position.score_by_distance(q[scene.query], k[key], DISTANCES, base=base)
                for key in (scene.key, 0)
            ]
        )

    @part(
        LinePlot,
        x_axis="distance in tokens, key before query",
        y_axis="score",
        log_x=True,
        y_min=None,
        caption="The score, if the same query stood further and further behind the same key",
    )
    def lines(self, scene: Scene) -> dict:
        names = [f"key of {visible(scene.run.pieces[at])} ({at})" for at in (scene.key, 0)]
        return {"x": DISTANCES, "values": scene.curves, "names": names}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        own, first = scene.curves
        return [
            f"L{scene.layer}·H{scene.head}, key of {isolated(scene.run.pieces[scene.key])}: highest at distance "
            f"{own.argmax():,} ({digits(own.max())}); at 1 it is {digits(own[1])}, at 100 {digits(own[100])}, at "
            f"1,000 {digits(own[1_000])}. Key of the first token: {digits(first[1])} at 1, {digits(first[1_000])} at "
            "1,000."
        ]
