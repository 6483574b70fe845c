"""How many heads use the first token as an attention sink, as the text gets longer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz import experiments
from llmviz.model import Trace
from llmviz.texts import STORY
from llmviz.views.kit.controls import slider, wide
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.state_fields import picked, replace
from llmviz.views.kit.text_box import most_tokens
from llmviz.views.kit.view import Scene, View, job, on, part, sentences, shared

LAST = 50  # tokens of a mean, because a single token may be unusual
MOST_NAMED = 8  # tokens with a short value
AXIS = {"x_axis": "token number", "log_x": True, "stage": "attention"}


def _longest(view: Sink) -> int:
    return most_tokens(view.run.model)


class Sink(View):
    """How many heads give the first token more than half of their attention, from each token of a long text.

    After the reader's text comes a story, up to 512 tokens in all: `trace` is the run over both. No token sees what
    follows it, so the reader's own tokens are the same as without the story.
    """

    stage = "attention"
    trace = traitlets.Instance(Trace)

    @dataclass(frozen=True)
    class State:
        """The number of the query token, from 1; None: the last token of the reader's text."""

        from_token: int | None = picked(
            None,
            lambda n, view: n is None or (type(n) is int and 1 <= n <= _longest(view)),
            "the number of a token, from 1, or None",
            control=lambda n, view: slider(1, "From token number", _longest(view), first=1),
            shows=lambda n, view: {"value": min(n or len(view.run.tokens), _longest(view))},
            on_page=lambda view: (*range(1, 32), *range(32, _longest(view) + 1, 8)),
        )

    arrangement = (("from_token", "progress"), ("counts", "lengths"), "message")

    @traitlets.default("trace")
    def _first_run(self) -> Trace:
        """Run it at once, because guess cards ask about it."""
        return self.run.model.trace(self._tokens())

    def _tokens(self) -> list[int]:
        return [*self.run.tokens, *self.run.model.tokenizer.encode(" " + STORY)][: _longest(self)]

    @job()
    def read(self, scene: Scene) -> Iterator[tuple[float, Trace | None]]:
        """Run the model over the long text after all else is drawn; the part that it reads doubles with each step."""
        tokens, n = self._tokens(), len(scene.run.tokens)
        while (n := 2 * n) < len(tokens):
            scene.run.model.trace(tokens[:n])
            yield n / len(tokens), None
        yield 1.0, scene.run.model.trace(tokens)

    def hand_on(self, scene: Scene) -> None:
        trace = scene.result("read")
        if trace is not None and trace.tokens != self.trace.tokens:
            self.trace = trace

    @on("counts", "lengths", "selected")
    def point_picked(self, state: State, point: int | None) -> State:
        return state if point is None else replace(state, from_token=point + 1)

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        """Return the attention weights for the first token: [n_layers, n_heads, seq]."""
        return experiments.first_token_weights(scene.known("read"))

    @shared
    def at(self, scene: Scene) -> int:
        n = scene.from_token or len(scene.run.tokens)
        return min(n, scene.weights.shape[-1]) - 1

    def _line(self, scene: Scene, values: np.ndarray, caption: str) -> dict:
        n, own = len(values), len(scene.run.tokens)
        marks = [[own, "end of your text"]] if own < n else []
        x = np.arange(1, n + 1)
        return {"x": x, "values": values[None], "marks": marks, "selected": scene.at, "caption": caption}

    @part(lambda _: wide(LinePlot(names=["heads"], unit="rank", **AXIS)))
    def counts(self, scene: Scene) -> dict:
        caption = "Heads that give the first token more than half of their attention"
        line = self._line(scene, experiments.heads_on_first(scene.weights), caption)
        return line | {"y_max": float(scene.weights[..., 0].size)}

    @part(lambda _: wide(LinePlot(names=["length of the value vector"], **AXIS)))
    def lengths(self, scene: Scene) -> dict:
        caption = "Length of each token's value vector (mean over all layers and heads)"
        return self._line(scene, experiments.value_norms(scene.known("read")), caption)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        at, first, counts = scene.at, scene.weights[..., scene.at], experiments.heads_on_first(scene.weights)
        trace = scene.known("read")
        short = np.flatnonzero(experiments.short_values(experiments.value_norms(trace))[: at + 1])
        named = ", ".join(f"{isolated(trace.pieces[i])} ({i + 1})" for i in short[:MOST_NAMED])
        more = f" and {len(short) - MOST_NAMED} more" if len(short) > MOST_NAMED else ""
        return [
            f"From token {at + 1}, {isolated(trace.pieces[at])}, {counts[at]:.0f} of {first.size} heads give more than "
            f"half to the first token; the mean over all heads is {percent(first.mean())}. Over the last "
            f"{min(LAST, len(counts))} tokens, the mean is {counts[-LAST:].mean():.0f} heads.",
            named
            and f"So far, the values of these tokens are less than half as long as the median one: {named}{more}.",
        ]
