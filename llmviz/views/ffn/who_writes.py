"""The neurons of all layers at the last token: whose gate is open, who does the writing, what twice the input gives."""

from __future__ import annotations

import numpy as np

from llmviz.experiments.neurons import gates_below_zero, growth_for_twice_the_input, neurons_for_half
from llmviz.model import Model, Trace
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import isolate, isolated

LONGEST = 60  # characters of the text in a question


def layers(model: Model) -> list[str]:
    return [f"layer {i}" for i in range(model.config.n_layers)]


def depths(model: Model) -> list[str]:
    return ["input", *layers(model)]


def asked_at(trace: Trace) -> str:
    """Return for a question the text, of a long one its end, and its last token."""
    text = trace.model.tokenizer.decode(trace.tokens).replace("\n", "⏎")
    text = text if len(text) <= LONGEST else f"…{text[-LONGEST:]}"
    return f"{isolate(f'“{text}”')}, last token {isolated(trace.pieces[-1])}"


def gates(trace: Trace) -> LinePlot:
    """Draw the share of the gates below zero in each layer, and what these neurons write."""
    names = ["of all neurons, those with a gate below zero", "of all the writing, the part that they do"]
    return _plot(trace, gates_below_zero(trace), names, "Gates below zero", unit="share", y_max=1.0)


def half_of_the_writing(trace: Trace) -> LinePlot:
    """Draw how many neurons write half, in each layer, and the same for neurons put together by chance."""
    names = ["the model's neurons", "control: gates, ups and rows shuffled"]
    return _plot(
        trace, neurons_for_half(trace), names, "Neurons that write half", unit="rank", y_axis="neurons"
    )


def twice_the_vector(trace: Trace) -> LinePlot:
    """Draw how much longer the answer to twice the vector is, with and without the parts of the formula."""
    names = ["silu(gate) × up: the FFN", "gate × up: no curve", "silu(up): no gate"]
    caption = "Twice the vector in: how many times as long is what comes out"
    return _plot(trace, growth_for_twice_the_input(trace), names, caption, y_axis="times as long")


def _plot(trace: Trace, values: np.ndarray, names: list[str], caption: str, **traits) -> LinePlot:
    return LinePlot(
        labels=layers(trace.model),
        values=values,
        names=names,
        x_axis="layer",
        stage="ffn",
        caption=f"{caption}, at {isolated(trace.pieces[-1])}, the last token",
        **traits,
    )
