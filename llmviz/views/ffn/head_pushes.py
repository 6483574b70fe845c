"""The tokens that a head pushes up and down when it attends to a token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.signed_bars import SignedBars
from llmviz.views.kit.state_fields import clip_position, index, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, part, sentences, shared

N_PUSHED = 6  # tokens each way
FULL = 3.0  # logits of a full bar, for all heads, unless one says more


class HeadPushes(View):
    """A head, a token that it attends to, and what it would add to the logits if it attended to nothing else.

    Beside it two controls: the same head at the token with its least weight (the first left out where it can be, since
    heads rest on it), and another head of the layer, drawn at random, at the same token.
    """

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        layer: int = index(26, "Layer", lambda view: view.trace.model.config.n_layers)
        head: int = index(0, "Head", lambda view: view.trace.model.config.n_heads)
        query: int = index(-1, "Looking from position", lambda view: len(view.trace.tokens))
        at: int | None = selection("strip")  # None: the token with the largest weight, but the first

    @property
    def trace(self) -> Trace:
        """The run whose heads are shown."""
        return self.run

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        """Return the attention weights [seq] from the query, NaN for the future."""
        row = (
            self.trace.blocks[scene.layer].attention_at(scene.query).pattern[scene.head, 0, : scene.query + 1]
        )
        return np.pad(row, (0, len(self.trace.tokens) - len(row)), constant_values=np.nan)

    @shared
    def target(self, scene: Scene) -> int:
        """Return the token attended to."""
        heaviest = _first_last(scene.weights)[0]
        return heaviest if scene.at is None else clip_position(scene.at, scene.query + 1)

    @shared
    def answer(self, scene: Scene) -> tuple[int, str]:
        """Return the likeliest token after the query, and how a sentence names it."""
        answer = int(self.trace.logits_at(scene.query).argmax())
        return answer, isolated(self.trace.model.tokenizer.pieces([answer])[0])

    @part(TokenStrip, [])
    def strip(self, scene: Scene) -> dict:
        run, name = self.trace, head_name(scene.layer, scene.head)
        return {
            "pieces": run.pieces,
            "ids": run.tokens,
            "weights": scene.weights,
            "selected": scene.target,
            "caption": f"Click a token for {name} to look at. Shade: its share from "
            f"{isolated(run.pieces[scene.query])}",
        }

    @sentences
    def about(self, scene: Scene) -> list[str]:
        (answer, piece), pieces = scene.answer, self.trace.pieces
        full = experiments.ov_logits(self.trace, scene.layer, scene.head, scene.target, position=scene.query)[
            answer
        ]
        weight = scene.weights[scene.target]
        return [
            f"From {isolated(pieces[scene.query])}, {head_name(scene.layer, scene.head)} gives "
            f"{isolated(pieces[scene.target])} {percent(weight)} of its attention. To {piece}, the likeliest next "
            f"token, it adds {percent(weight)} × {full:+.2f} = {weight * full:+.2f} from there."
        ]

    @part(SignedBars)
    def pushed(self, scene: Scene) -> dict:
        run, layer, own = self.trace, scene.layer, (scene.head, scene.target)
        least = next((key for key in reversed(_first_last(scene.weights)[:-1]) if key != scene.target), 0)
        others = experiments.random_heads((1, run.model.config.n_heads), 1, [(0, scene.head)], seed=layer)
        neighbours = [(other, scene.target) for _, other in others]
        titles, labels, values = [], [], []
        for head, key in dict.fromkeys([own, (scene.head, least), *neighbours]):
            pushes = experiments.ov_logits(run, layer, head, key, position=scene.query)
            up, down = top(pushes, N_PUSHED), top(-pushes, N_PUSHED)
            pushed_up, pushed_down = (run.model.tokenizer.pieces(ids.tolist()) for ids in (up, down))
            titles.append(f"{head_name(layer, head)} at {isolated(run.pieces[key])}")
            labels += ["pushed up", *pushed_up, "pushed down", *pushed_down]
            values.append([np.nan, *pushes[up], np.nan, *pushes[down]])
        return {
            "titles": titles,
            "labels": labels,
            "values": values,
            "limit": max(FULL, float(np.nanmax(np.abs(values)))),
            "caption": f"What {head_name(layer, scene.head)} would add to the logits if it looked at "
            f"only {isolated(run.pieces[scene.target])}. For comparison: "
            + ("the same head at the token that it attends to least, and " if least != scene.target else "")
            + f"another head of its layer at the same token. A full bar is {FULL:.0f} logits, or the longest of these",
        }


def _first_last(weights: np.ndarray) -> list[int]:
    """Return the tokens that are not masked, the one with the largest weight first, but the very first token last."""
    return [*(np.argsort(-weights[~np.isnan(weights)][1:], kind="stable") + 1).tolist(), 0]


def head_name(layer: int, head: int) -> str:
    """ "L13·H8"."""
    return f"L{layer}·H{head}"
