"""What a head says: the tokens that it pushes up and down, and its share in the answer's logit."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import numpy as np
import traitlets

from llmviz import experiments, ops
from llmviz.model import Trace
from llmviz.views.attention.heads import head_name
from llmviz.views.kit.controls import Told, row
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Labels, Picture, Text, lines
from llmviz.views.kit.pieces import isolated, visible_label
from llmviz.views.kit.state_fields import clip_position, index, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, part, shared

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


def n_layers(view: HeadPushes) -> int:
    """Return how many layers its model has."""
    return view.trace.model.config.n_layers


def n_heads(view: HeadPushes) -> int:
    """Return how many heads a layer has."""
    return view.trace.model.config.n_heads


class HeadPushes(View):
    """A head, the tokens that it looks at, and what it would add to the logits if it looked at one alone.

    Beside it two controls: the same head at the token that it looks at least (the first left out where it can be, since
    heads rest on it), and another head of the layer, drawn at random, at the same token.
    """

    @dataclass(frozen=True)
    class State:
        """Which head looks from where, and the token it looks at; None: the one it looks at most but the first."""

        layer: int = index(26, "Layer", n_layers, stage="attention")
        head: int = index(0, "Head", n_heads, stage="attention")
        query: int = index(
            -1, "Looking from position", lambda view: len(view.trace.tokens), stage="attention"
        )
        at: int | None = selection("strip")

    @property
    def trace(self) -> Trace:
        """The run whose heads are shown."""
        return self.run

    def pieces(self, *tokens: int | np.integer) -> list[str]:
        """Return the texts of tokens."""
        return self.trace.model.tokenizer.pieces([int(token) for token in tokens])

    @shared
    def look(self, scene: Scene) -> tuple[int, int, int, int, np.ndarray]:
        """Return layer, head, the token that looks and the one looked at, and the weights [seq], NaN for the future."""
        trace, n = self.trace, len(self.trace.tokens)
        layer, head = clip_position(scene.layer, n_layers(self)), clip_position(scene.head, n_heads(self))
        query = clip_position(scene.query, n)
        weights = np.full(n, np.nan, np.float32)
        weights[: query + 1] = trace.blocks[layer].attention_at(query).pattern[head, 0, : query + 1]
        at = beside_first(weights, query)[0] if scene.at is None else clip_position(scene.at, query + 1)
        return layer, head, query, at, weights

    @part(lambda _: TokenStrip([], stage="attention"))
    def strip(self, scene: Scene) -> dict:
        layer, head, query, at, weights = scene.look
        pieces = self.trace.pieces
        return {
            "pieces": pieces,
            "ids": self.trace.tokens,
            "weights": weights,
            "selected": at,
            "caption": f"Click a token for {head_name(layer, head)} to look at. Shade: its share from "
            f"{isolated(pieces[query])}",
        }

    @part(lambda _: Told())
    def about(self, scene: Scene) -> dict:
        trace, (layer, head, query, at, weights) = self.trace, scene.look
        answer = int(trace.logits_at(query).argmax())
        full = experiments.ov_logits(trace, layer, head, at, position=query)[answer]
        return {
            "sentences": [
                f"From {isolated(trace.pieces[query])}, {head_name(layer, head)} gives {isolated(trace.pieces[at])} "
                f"{percent(weights[at])} of its attention. To {isolated(self.pieces(answer)[0])}, the likeliest "
                f"next token, it adds {percent(weights[at])} × {full:+.2f} = {weights[at] * full:+.2f} from there."
            ]
        }

    @part(lambda _: SignedBars(stage="attention"))
    def pushed(self, scene: Scene) -> dict:
        trace, (layer, head, query, at, weights) = self.trace, scene.look
        name, pieces = head_name(layer, head), trace.pieces
        least = next((key for key in reversed(beside_first(weights, query)[:-1]) if key != at), 0)
        neighbour = [*experiments.random_heads((1, n_heads(self)), 1, [(0, head)], seed=layer), (0, head)][0][
            1
        ]
        titles, labels, values = [], [], []
        for number, key in dict.fromkeys([(head, at), (head, least), (neighbour, at)]):
            pushes = experiments.ov_logits(trace, layer, number, key, position=query)
            up, down = top(pushes, N_PUSHED), top(-pushes, N_PUSHED)
            titles.append(f"{head_name(layer, number)} at {isolated(pieces[key])}")
            labels += [
                "pushed up",
                *self.pieces(*up),
                "pushed down",
                *self.pieces(*down),
            ]
            values.append([np.nan, *pushes[up], np.nan, *pushes[down]])
        return {
            "titles": titles,
            "labels": labels,
            "values": values,
            "limit": max(FULL, float(np.nanmax(np.abs(values)))),
            "caption": f"What {name} would add to the logits if it looked at {isolated(pieces[at])} alone; beside it "
            + ("the same head at the token it looks at least, and " if least != at else "")
            + f"another head of its layer at the same one. A full bar is {FULL:.0f} logits, or the longest of these",
        }


def beside_first(weights: np.ndarray, query: int) -> list[int]:
    """Return the tokens up to the query, the one that is looked at most first, but the very first token last."""
    return [*(np.argsort(-weights[1 : query + 1], kind="stable") + 1).tolist(), 0]


class WhatAHeadSays(HeadPushes):
    """What a head would add to every token's logit when it looks at a token, and what all heads do add to the answer.

    Above `experiments.ov_logits`: the head's value at the token clicked, through W_O and the output table, as if it
    gave that token all its attention. Below, what every head and FFN adds, directly, to the logit of the token that is
    likeliest after the query (`experiments.direct_logit_attribution`), beyond what it adds to all tokens on average:
    with the embedding and that average they sum to the logit.

    source: a `Prompt` or a `Trace`. `at`: the token to begin with, a position; if None, and after another text, the one
    that the head looks at most, the first left out. `query` is the token that looks, the last at first.
    """

    def arrange(self) -> list[ipywidgets.Widget]:
        return [row(*self.controls.values()), *self.parts.values()]

    @shared
    def adds(self, scene: Scene) -> list[dict[str, float]] | ValueError:
        """Return what heads, FFNs and all else add to the likeliest token's logit; an error if edits break the sum."""
        query, logits = scene.look[2], self.trace.logits_at(scene.look[2])
        to_answer = {"token": int(logits.argmax()), "against": "mean", "position": query}
        try:
            whole = experiments.direct_logit_attribution(self.trace, **to_answer)
        except ValueError as error:
            return error
        heads = experiments.head_attribution(self.trace, **to_answer)
        return [
            {head_name(*place): float(part) for place, part in np.ndenumerate(heads)},
            {f"FFN {layer}": float(part) for layer, part in enumerate(whole.ffn)},
            {"the embedding": whole.embedding, "what every token gets": float(logits.mean(dtype=np.float64))},
        ]

    @part(lambda _: SignedBars(stage="attention", words=True))
    def added(self, scene: Scene) -> dict | None:
        if isinstance(scene.adds, ValueError):
            return None
        (heads, ffns, rest), (layer, head, query, *_) = scene.adds, scene.look
        both = heads | ffns
        strongest = sorted(both, key=lambda name: -abs(both[name]))[:N_PARTS]
        shown = dict.fromkeys([*strongest, head_name(layer, head)])
        others = {
            f"the other {len(parts.keys() - shown)} {kind}": sum(parts[name] for name in parts.keys() - shown)
            for kind, parts in (("heads", heads), ("FFNs", ffns))
        }
        bars = {name: both[name] for name in shown} | others | rest
        values = [*bars.values(), np.nan, sum(bars.values())]
        piece = isolated(self.pieces(self.trace.logits_at(query).argmax())[0])
        return {
            "titles": [f"logit of {piece}"],
            "labels": [*bars, "together", "the logit"],
            "values": [values],
            "limit": float(np.nanmax(np.abs(values))) or 1.0,
            "caption": f"What each part adds, directly, to the logit of {piece}, the likeliest token after "
            f"{isolated(self.trace.pieces[query])}, beyond what it adds to all tokens on average",
        }

    @part(lambda _: Told())
    def sum(self, scene: Scene) -> dict:
        if isinstance(scene.adds, ValueError):
            return {"sentences": [str(scene.adds)]}
        (heads, ffns, rest), (layer, head, query, *_) = scene.adds, scene.look
        name, logits = head_name(layer, head), self.trace.logits_at(query)
        rank = sorted(heads, key=lambda other: -heads[other]).index(name) + 1
        return {
            "sentences": [
                f"All {len(heads)} heads, {len(ffns)} FFNs, the embedding and the mean of all logits sum to "
                f"{sum((heads | ffns | rest).values()):.4f}; the model's own logit of "
                f"{isolated(self.pieces(logits.argmax())[0])} is {logits.max():.4f}, its probability "
                f"{percent(ops.softmax(logits).max())}. {name} adds {heads[name]:+.2f}, rank {rank} of the heads."
            ]
        }
