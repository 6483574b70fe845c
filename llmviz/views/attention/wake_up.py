"""A search for a text that wakes a head."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.views.attention.heads import head_name, head_pattern
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.state_fields import (
    fixed,
    has_changed,
    head,
    is_index,
    layer,
    picked,
    replace,
    selected,
    selection,
)
from llmviz.views.kit.view import Scene, View, job, part, sentences, shared

SENTENCES = tuple(tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))["sentences"])
RESTS, AWAKE = 0.2, 0.6  # of its attention, at most or at least, on tokens other than sinks


class WakeUp(View):
    """Search a small set of texts for one that wakes a head: `experiments.weight_off_sinks` says how awake it is."""

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        """The head, the texts, and which of them is drawn; None: the one on which the head is most awake."""

        layer: int = layer(15)
        head: int = head(3)
        texts: tuple[str, ...] = fixed(SENTENCES, lambda texts: isinstance(texts, tuple), "a tuple of texts")
        text: int | None = picked(
            None,
            lambda text, view: text is None or (is_index(text) and 0 <= text < len(view.state.texts)),
            "the number of a text, or None",
            of=("ranking", "value"),
            on_page=lambda view: range(len(view.state.texts)),
        )
        query: int | None = selection("arcs")

    arrangement = (("layer", "head", "search", "progress"), "message", "ranking", "arcs")

    @job("texts", start=lambda view: f"Search {len(view.state.texts)} texts")
    def search(self, scene: Scene) -> Iterator[tuple[float, np.ndarray | None]]:
        """Measure every head on every text: [n_texts, n_layers, n_heads]."""
        awake = []
        for text in scene.texts:
            awake.append(experiments.weight_off_sinks(scene.run.trace(text)))
            yield len(awake) / (len(scene.texts) + 1), None
        yield 1.0, np.array(awake, np.float32)

    @shared
    def awake(self, scene: Scene) -> np.ndarray:
        """Return how awake the head is on each text."""
        return np.nan_to_num(scene.known("search")[:, scene.layer, scene.head])

    @shared
    def drawn(self, scene: Scene) -> int:
        return int(scene.awake.argmax()) if scene.text is None else scene.text

    def put_right(self, before: State, state: State) -> State:
        if has_changed(before, state, "layer", "head"):
            return replace(state, text=None, query=None)
        return replace(state, query=None) if has_changed(before, state, "text") else state

    @part(
        *(ipywidgets.Select,),
        rows=8,
        description="Most awake first",
        style={"description_width": "initial"},
        layout={"width": "min(760px, 98%)"},
    )
    def ranking(self, scene: Scene) -> dict:
        order = np.argsort(-scene.awake, kind="stable")
        names = [f"{100 * scene.awake[i]:.0f}%   {visible(scene.texts[i])}".replace("·", " ") for i in order]
        return {"options": tuple(zip(names, order.tolist())), "value": scene.drawn}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        low, high = scene.awake.min(), scene.awake.max()
        manner = "what you give it makes the difference"
        if high < RESTS:
            manner = "it rests everywhere here"
        elif low > AWAKE:
            manner = "it is awake everywhere"
        return [
            f"{head_name(scene.layer, scene.head)} gives between {percent(low)} and {percent(high)} of its attention "
            f"to tokens other than attention sinks: {manner}.",
            "Sinks are the first token, and any token whose value in this head is less than half the median length.",
        ]

    @part(Arcs, ["…"], [[np.nan]])
    def arcs(self, scene: Scene) -> dict:
        trace = scene.run.trace(scene.texts[scene.drawn])
        weights = head_pattern(trace, scene.layer, scene.head)
        strongest = int(np.nan_to_num(weights[:, 1:]).max(axis=1, initial=0).argmax())
        query = selected(scene.query, len(trace.tokens))
        return {
            "pieces": trace.pieces,
            "weights": weights,
            "ids": trace.tokens,
            "selected": strongest if query is None else query,
            "caption": f"{head_name(scene.layer, scene.head)}: its strongest look away from the first token is from "
            f"{isolated(trace.pieces[strongest])}",
        }
