"""Why does a head attend there? One attention score, taken apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz.experiments.attention_behaviours import weights_of_last
from llmviz.experiments.score_parts import (
    ScoreParts,
    at_mean,
    largest_key,
    largest_part,
    other_key,
    score_parts,
    weights_at_mean,
)
from llmviz.model import Trace
from llmviz.views.attention.head_grid import head_name
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import isolated, quote
from llmviz.views.kit.signed_bars import SignedBars
from llmviz.views.kit.state_fields import clip_position, head, layer, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, part, sentences, shared

N_BARS = 5  # parts with a bar of their own
KINDS = ["the embedding of that token", "what an attention block added there", "what an FFN added there"]


class WhyThere(View):
    """What each part of a key's stream, and of the query's, adds to a score, compared with the mean of the other keys.

    The parts of another key are the control. A test follows: the key's largest part is replaced with its mean over the
    other keys, and the attention weight is computed again, with all later parts fixed and in a real run.
    """

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        layer: int = layer(18)
        head: int = head(6)
        key: int | None = selection("strip")  # None: the key with the largest weight, except the first

    arrangement = (("layer", "head"), "strip", "bars", "message")

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        return weights_of_last(scene.run, scene.layer, scene.head)

    @shared
    def chosen(self, scene: Scene) -> int:
        return (
            largest_key(scene.weights) if scene.key is None else clip_position(scene.key, len(scene.weights))
        )

    @shared
    def parts(self, scene: Scene) -> ScoreParts:
        if len(scene.weights) < 2:
            raise NothingToShow("It takes another token to compare with.")
        try:
            return score_parts(scene.run, scene.layer, scene.head)
        except ValueError as error:
            raise NothingToShow(str(error)) from None

    @part(TokenStrip, [], quantity="attention weight")
    def strip(self, scene: Scene) -> dict:
        run, name = scene.run, head_name(scene.layer, scene.head)
        caption = f"Attention of {isolated(run.pieces[-1])} in {name}. Click a token to open its score"
        return {"pieces": run.pieces, "weights": scene.weights, "selected": scene.chosen, "caption": caption}

    @part(SignedBars)
    def bars(self, scene: Scene) -> dict:
        pieces, weights, names = scene.run.pieces, scene.weights, scene.parts.names
        beyond, control = scene.parts.beyond(scene.chosen), other_key(weights, scene.chosen)
        of_key, of_query = beyond.sum(axis=0), beyond.sum(axis=1)
        of_control = scene.parts.beyond(control).sum(axis=0)
        rows = [
            _rows(names, values, by)
            for values, by in ((of_key, of_key), (of_control, of_key), (of_query, of_query))
        ]
        values = np.array([[*row.values()] for row in rows])
        return {
            "titles": [
                f"Key {isolated(pieces[scene.chosen])}: {percent(weights[scene.chosen])}",
                f"Control {isolated(pieces[control])}: {percent(weights[control])}",
                f"Query {isolated(pieces[-1])}",
            ],
            "labels": [name for row in rows for name in row],
            "values": values,
            "limit": float(np.abs(values).max()) or 1.0,
            "caption": "What each part of a token's stream adds to the score, compared with the other keys' mean",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        names, beyond = scene.parts.names, scene.parts.beyond(scene.chosen)
        asks, offers = np.unravel_index(beyond.argmax(), beyond.shape)
        largest = scene.parts.largest(scene.chosen)
        left = weights_at_mean(scene.run, scene.layer, scene.head, scene.chosen)
        run = scene.run.model.trace(scene.run.tokens, at_mean(scene.run, names[largest], scene.chosen))
        in_a_run = weights_of_last(run, scene.layer, scene.head)[scene.chosen]
        before, after, others, in_a_run = map(
            percent, (scene.weights[scene.chosen], left[largest], np.median(left), in_a_run)
        )
        return [
            f"Largest pair: {names[asks]} of the query with {names[offers]} of the key, {beyond.max():+.2f}.",
            f"Replace {names[largest]} at {isolated(scene.run.pieces[scene.chosen])} with its mean at the other keys. "
            f"If all later parts stay fixed, the attention weight goes from {before} to {after}. (Doing this "
            f"to each part in turn leaves {others}, the median.) In a real run, later parts are computed again: "
            f"{in_a_run}.",
        ]


def _rows(names: list[str], values: np.ndarray, by: np.ndarray) -> dict[str, float]:
    """Return by their names the values of the parts that are largest in `by`, the sum of the others, and of all."""
    largest = np.argsort(-np.abs(by), kind="stable")[:N_BARS]
    rows = {names[i]: float(values[i]) for i in largest}
    total = float(values.sum())
    return {**rows, f"{len(values) - len(rows)} others": total - sum(rows.values()), "all together": total}


def score_question(trace: Trace, layer: int, head: int) -> str:
    """Return the question that the picture answers."""
    key, _ = largest_part(trace, layer, head)
    last, there = quote(trace.pieces[-1]), quote(trace.pieces[key])
    return (
        f"In {head_name(layer, head)}, {last} attends most to {there}, the first token aside. Which part of the stream "
        "there raises that score most?"
    )


def kind_of_largest_part(trace: Trace, layer: int, head: int) -> int:
    """Return the index in `KINDS` of the largest part of the largest key's score."""
    _, name = largest_part(trace, layer, head)
    return ["embedding", "attention", "FFN"].index(name.split()[0])


def score_explanation(trace: Trace, layer: int, head: int) -> str:
    """Say what the largest part of the largest key's score is."""
    key, name = largest_part(trace, layer, head)
    there, last = quote(trace.pieces[key]), quote(trace.pieces[-1])
    best = f"the embedding of {there}" if name == "embedding" else f"what {name} added at {there}"
    return f"What fits the query of {last} best is {best}."
