"""What a head says: the tokens that it pushes up and down, and its share in the answer's logit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz import experiments, ops
from llmviz.model import Trace
from llmviz.views.attention.heads import head_name
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Labels, Picture, Text, lines
from llmviz.views.kit.pieces import isolated, visible_label
from llmviz.views.kit.state_fields import clip_position, index, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, part, sentences, shared

N_PUSHED = 6  # tokens each way
N_PARTS = 10  # heads and FFNs with a bar of their own
FULL = 3.0  # logits of a full bar, for all heads, unless one says more


class SignedBars(Picture):
    """Rows with a signed bar and its number, in panels side by side: `titles` [n_panels].

    `labels` [n_panels * n_rows], panel after panel; `values` [n_panels, n_rows], NaN for a line of words between.
    `limit` is where a bar ends, in all panels.
    """

    _static = "signed_bars"
    _data = ("titles", "labels", "values")
    _by_page = ()

    titles = traitlets.List(Text()).tag(sync=True)
    labels = Labels()
    words = traitlets.Bool(False).tag(sync=True)  # the labels are words, no pieces
    values = Floats(ndim=(2,))
    limit = traitlets.Float(1.0).tag(sync=True)

    def text(self) -> str:
        """One line a bar, panel after panel."""
        if self.values is None:
            return "nothing yet"
        n, panels = self.values.shape[1], []
        for i, (title, values) in enumerate(zip(self.titles, self.values)):
            labels = map(visible_label, self.labels[i * n : (i + 1) * n])
            rows = [[label, "" if np.isnan(v) else f"{v:+.2f}"] for label, v in zip(labels, values)]
            panels.append(f"{title}\n{lines(rows)}")
        return "\n\n".join(panels)


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


class WhatAHeadSays(HeadPushes):
    """What a head would add to every token's logit when it looks at a token, and what all heads do add to the answer.

    Above `experiments.ov_logits`: the head's value at the token clicked, through W_O and the output table, as if it
    gave that token all its attention. Below, what every head and FFN adds, directly, to the logit of the token that is
    likeliest after the query (`experiments.direct_logit_attribution`), beyond what it adds to all tokens on average:
    with the embedding and that average they sum to the logit.
    """

    @shared
    def adds(self, scene: Scene) -> list[dict[str, float]]:
        """Return what heads, FFNs and all else add to the likeliest token's logit, if no edits break the sum."""
        of_answer = {"token": scene.answer[0], "against": "mean", "position": scene.query}
        try:
            whole = experiments.direct_logit_attribution(self.trace, **of_answer)
        except ValueError as error:
            raise NothingToShow(str(error)) from error
        heads = experiments.head_attribution(self.trace, **of_answer)
        mean = float(self.trace.logits_at(scene.query).mean(dtype=np.float64))
        return [
            {head_name(*place): float(part) for place, part in np.ndenumerate(heads)},
            {f"FFN {layer}": float(part) for layer, part in enumerate(whole.ffn)},
            {"the embedding": whole.embedding, "what every token gets": mean},
        ]

    @part(SignedBars, words=True)
    def added(self, scene: Scene) -> dict:
        heads, ffns, rest = scene.adds
        both, piece = heads | ffns, scene.answer[1]
        strongest = sorted(both, key=lambda name: -abs(both[name]))[:N_PARTS]
        shown = dict.fromkeys([*strongest, head_name(scene.layer, scene.head)])
        others = {
            f"the other {len(parts.keys() - shown)} {kind}": sum(parts[name] for name in parts.keys() - shown)
            for kind, parts in (("heads", heads), ("FFNs", ffns))
        }
        bars = {name: both[name] for name in shown} | others | rest
        values = [*bars.values(), np.nan, sum(bars.values())]
        return {
            "titles": [f"logit of {piece}"],
            "labels": [*bars, "together", "the logit"],
            "values": [values],
            "limit": float(np.nanmax(np.abs(values))) or 1.0,
            "caption": f"What each part adds, directly, to the logit of {piece}, the likeliest token after "
            f"{isolated(self.trace.pieces[scene.query])}, beyond what it adds to all tokens on average",
        }

    @sentences
    def sum(self, scene: Scene) -> list[str]:
        heads, ffns, rest = scene.adds
        name, logits = head_name(scene.layer, scene.head), self.trace.logits_at(scene.query)
        rank = sorted(heads, key=lambda other: -heads[other]).index(name) + 1
        return [
            f"All {len(heads)} heads, {len(ffns)} FFNs, the embedding and the mean of all logits sum to "
            f"{sum((heads | ffns | rest).values()):.4f}; the model's own logit of {scene.answer[1]} is "
            f"{logits.max():.4f}, its probability {percent(ops.softmax(logits).max())}. {name} adds "
            f"{heads[name]:+.2f}, rank {rank} of the heads."
        ]
