"""RoPE's clocks for one query and one key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz.experiments import without_rope
from llmviz.experiments.without_rope import hands, last_two, periods, turned_to
from llmviz.model import Trace
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.state_fields import number
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.view import NothingToShow, Scene, View, part, sentences, shared
from llmviz.views.position.rope_dial import RopeDial

LAST = 1_000  # how far the hands turn, in positions
FASTEST = 8


def _turning(view: View, n_pairs: int | None = None) -> RopeDial:
    config = view.run.model.config
    per_turn, apart = periods(config)[:n_pairs], config.d_head // 2 if config.split_halves else 1
    turns = np.arange(LAST + 1)[:, None] / per_turn
    return RopeDial(stage="position", periods=per_turn, turns=turns, apart=apart)


def with_clocks(trace: Trace) -> tuple[int, int]:
    """Return the head whose clocks are shown. `NothingToShow` where the model has none."""
    if why := without_rope.said_without_rope(trace.model.config):
        raise NothingToShow(why)
    return without_rope.head_with_clocks(trace)


class Clocks(View):
    """One real query as clock hands, which a player turns from position to position."""

    @part(_turning)
    def dial(self, scene: Scene) -> dict:
        at = with_clocks(scene.run)
        q = hands(scene.run, without_rope.before_rope(scene.run, *at)[0][-1])
        caption = (
            "Your last token's query in layer {}, head {} (L{}·H{}), as {} hands. Filled clocks have gone "
            "all the way round."
        ).format(*at, *at, len(q))
        return {"q_hands": q, "q_name": scene.run.pieces[-1:], "caption": caption}


class TwoHands(View):
    """The last token's query and the key before it as clock hands; both can move on together, or only the query.

    n_pairs: how many pairs are drawn, the fastest first. The score is that of all.
    """

    stage = "position"

    def __init__(self, source: Prompt | Trace, n_pairs: int = FASTEST, **state):
        self.n_pairs = n_pairs
        super().__init__(source, **state)

    @dataclass(frozen=True)
    class State:
        by: int = number(0, "Move only the query on by", 20)

    @shared
    def turned(self, scene: Scene) -> np.ndarray:
        """Return query and key [2, d_head], each turned for its position."""
        q, k = tokens = last_two(scene.run)
        return turned_to(scene.run, *with_clocks(scene.run), tokens, (q + scene.by, k))

    def pair_scores(self, scene: Scene, turned: np.ndarray) -> np.ndarray:
        return without_rope.score_of_pairs(scene.run, with_clocks(scene.run)[0], *turned)

    @part(lambda view: _turning(view, view.n_pairs))
    def dial(self, scene: Scene) -> dict:
        scores = self.pair_scores(scene, scene.turned)
        both, drawn = hands(scene.run, scene.turned)[:, : self.n_pairs], scores[: self.n_pairs]
        most = np.linalg.norm(both, axis=-1).prod(axis=0) / np.sqrt(2 * len(scores))
        n = f"{len(scores)}" if len(drawn) == len(scores) else f"The {len(drawn)} fastest of {len(scores)}"
        pieces, (q, k) = scene.run.pieces, last_two(scene.run)
        at = "L{}·H{}".format(*with_clocks(scene.run))
        return {
            "q_hands": both[0],
            "k_hands": both[1],
            "parts": drawn,
            "limit": float(most.max()) or 1.0,  # the most that a pair can add
            "score": float(scores.sum()),
            "q_name": [pieces[q]],
            "k_name": [pieces[k]],
            "q_position": q + scene.by,
            "k_position": k,
            "caption": f"{n} pairs in {at}. Bars: what each adds to the score (blue: hands under 90° apart, "
            "orange: over 90°).",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        q, k = tokens = last_two(scene.run)
        unmoved = turned_to(scene.run, *with_clocks(scene.run), tokens, (q, k))
        scores = self.pair_scores(scene, scene.turned)
        own, now = (minus(f"{each.sum():.2f}") for each in (self.pair_scores(scene, unmoved), scores))
        drawn, rest = (minus(f"{part.sum():+.2f}") for part in np.split(scores, [self.n_pairs]))
        n_rest = len(scores) - self.n_pairs
        change = f"Moving only the query on by {scene.by} takes the score from {own} to {now}."
        parts = f"These {self.n_pairs} pairs add {drawn}, and the other {n_rest} add {rest}."
        return [change if scene.by else "", parts if n_rest > 0 else ""]
