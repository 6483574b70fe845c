"""The likeliest next tokens as bars, and what is left for all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets

from llmviz import ops, sampling
from llmviz.model import Model, Trace
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, OfRows, Pieces, Text, lines
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.state_fields import picked
from llmviz.views.kit.view import Scene, View, part

# Where the axis may end: only a few values, so that it seldom changes while a slider moves.
_AXES = (0.1, 0.25, 0.5, 1.0)


class NextTokenBars(OfRows):
    """The `n` likeliest tokens of a distribution over the whole vocabulary, likeliest first.

    `probs` [n_vocab] must come from a softmax over all tokens: ValueError if it is negative, NaN or does not add up to
    1 (within 0.01). `before` [n_vocab] is drawn as outlines around the bars, for the same tokens, and named
    `before_label`. A click, the arrow keys or Python select a row (`selected`); `chosen` is the id of its token.
    Enter or a click asks `provenance(row)`. `change(**next_tokens(…))` puts new numbers into the same picture.
    """

    _static, _stage, _rows = "next_token_bars", "sampling", ("ids",)

    pieces = Pieces()
    ids = traitlets.List(traitlets.Int()).tag(sync=True)
    probs = Floats(ndim=(1,))
    before = Floats(ndim=(1,))
    before_label = Text("before")
    rest = traitlets.Float(0.0).tag(sync=True)
    n_rest = traitlets.Int(0).tag(sync=True)
    axis_max = traitlets.Float(1.0).tag(sync=True)
    chosen = traitlets.Int(None, allow_none=True)

    def __init__(
        self,
        probs: Sequence | np.ndarray,
        tokenizer,
        *,
        n: int = 20,
        before: Sequence | np.ndarray | None = None,
        **traits,
    ):
        super().__init__(**next_tokens(tokenizer, probs, n=n, before=before), **traits)

    def text(self) -> str:
        """Return a line for each token, with its probability now and before; then what is left for the others."""
        rows = [["next token", "probability", *([self.before_label] if self.before is not None else [])]]
        for i, piece in enumerate(self.pieces):
            row = [visible(piece), percent(self.probs[i])]
            rows.append(row if self.before is None else [*row, percent(self.before[i])])
        return "\n".join(filter(None, [lines(rows), self._others()]))

    def headline(self) -> str:
        """Return the three likeliest tokens, and what is left for the others."""
        best = [f"{visible(piece)} {percent(p)}" for piece, p in zip(self.pieces[:3], self.probs)]
        return "; ".join(filter(None, [f"Likeliest next tokens: {', '.join(best)}", self._others()]))

    def _others(self) -> str:
        return f"{percent(self.rest)} for {self.n_rest:,} other tokens" if self.n_rest else ""

    @traitlets.observe("selected", "ids")
    def _choose(self, _change):
        row = self.selected
        self.chosen = self.ids[row] if row is not None and row < len(self.ids) else None


def next_tokens(
    tokenizer,
    probs: Sequence | np.ndarray,
    *,
    n: int = 20,
    before: Sequence | np.ndarray | None = None,
    ranked_by: np.ndarray | None = None,
    chosen: int | None = None,
) -> dict[str, Any]:
    """Return the traits of `NextTokenBars` for probabilities [n_vocab], with outlines of `before` [n_vocab].

    ranked_by [n_vocab]: what the rows are ordered by, and the `n` tokens chosen by; None: `probs`. chosen: the token
    whose row is selected, if it has one. ValueError as for the picture.
    """
    probs = _distribution(probs, "probs")
    ids = ops.top(probs if ranked_by is None else ranked_by, n).tolist()
    shown, outline = probs[ids], None
    if before is not None:
        before = _distribution(before, "before")
        if before.shape != probs.shape:
            raise ValueError(f"before has {before.size} tokens, probs {probs.size}")
        outline = before[ids]
    largest = max(shown.max(), 0 if outline is None else outline.max())
    return {
        "pieces": tokenizer.pieces(ids),
        "ids": ids,
        "probs": shown,
        "before": outline,
        "rest": max(0.0, float(probs.sum() - shown.sum())),
        "n_rest": int(np.count_nonzero(probs) - np.count_nonzero(shown)),
        "axis_max": next((end for end in _AXES if largest <= end), 1.0),
        "selected": ids.index(chosen) if chosen in ids else None,
    }


def bars_part(caption: str, *, n: int, before_label: str) -> Callable[[Callable], Callable]:
    """Mark the method of a view that draws bars: it returns arguments of `next_tokens`.

    The view's state has the field `chosen`, declared by `chosen_token`.
    """

    def mark(draw: Callable) -> Callable:
        @part(lambda view: empty_bars(view.run.model, n=n, caption=caption, before_label=before_label))
        def bars(view: View, scene: Scene) -> dict[str, Any]:
            drawn = draw(view, scene)
            return next_tokens(scene.run.model.tokenizer, n=n, chosen=scene.chosen, **drawn)

        return bars

    return mark


def chosen_token(part: str) -> Any:
    """Declare the field for the id of the token whose row is selected in the bars of this part."""
    return picked(
        None,
        lambda token, view: token is None or token in range(view.run.model.config.n_vocab),
        "the id of a token, or None",
        set_by=(part, "chosen"),
        outlives_text=True,
    )


def at_temperature(logits: np.ndarray, temperature: float) -> dict[str, Any]:
    """Return arguments of `next_tokens` for logits [n_vocab] at a temperature, with outlines for temperature 1."""
    probs, usual = (sampling.with_temperature(logits, t) for t in (temperature, 1))
    # Near temperature 0 most tokens have no probability left to be ranked by.
    return {"probs": probs, "before": None if temperature == 1 else usual, "ranked_by": logits}


def likeliest(run: Trace) -> tuple[str, str]:
    """Return the likeliest next token of a run, `isolated`, and its probability."""
    token = int(run.logits.argmax())
    return isolated(run.model.tokenizer.pieces([token])[0]), percent(ops.softmax(run.logits)[token])


def empty_bars(model: Model, **options) -> NextTokenBars:
    """Return bars for a model's next token, all equally likely until the first probabilities come."""
    n = model.config.n_vocab
    return NextTokenBars(np.full(n, 1 / n), model.tokenizer, **options)


def _distribution(values, name: str) -> np.ndarray:
    probs = np.asarray(values, dtype=np.float64)
    if probs.ndim != 1 or not (probs >= 0).all() or not abs(probs.sum() - 1) <= 0.01:
        here = f"{probs.sum():.4g} in an array of shape {probs.shape}"
        raise ValueError(f"{name} must have a probability for each token, 1 in all, not {here}")
    return probs
