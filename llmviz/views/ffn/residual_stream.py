"""The residual stream: how long it grows; and where the parameters are."""

from __future__ import annotations

import numpy as np

from llmviz import experiments
from llmviz.model import Model
from llmviz.views import provenance
from llmviz.views.ffn.who_writes import depths
from llmviz.views.kit import theme
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import clean, quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.provenance import Explanation, Operand


class StreamNorms(Explorer):
    """The length of the residual stream at every depth, token by token."""

    def __init__(self, prompt: Prompt):
        self._prompt = prompt
        model = prompt.language_model
        self.map = HeatMap(
            np.zeros((1, model.config.n_layers + 1)),
            [""],
            ["in", *range(model.config.n_layers)],
            row_axis="token",
            col_axis="after layer",
            kind="weight",
            unit="",
            quantity="length",
            stage="ffn",
            caption="Length of the stream; the scale is that of all tokens but the first",
            provenance=self._explain,
        )
        self.plot = LinePlot(
            labels=depths(model),
            x_axis="after layer",
            y_axis="length",
            log_y=True,
            stage="ffn",
            caption="The same as lines, each step of the axis ten times the last",
        )
        super().__init__([self.map, self.plot])
        self.follow(prompt, lambda _: self._show())

    @one_at_a_time
    def _show(self) -> None:
        trace = self._prompt.trace
        norms = experiments.residual_norms(trace)[:, : theme.MAX_TOKENS]
        others = norms[:, 1:] if norms.shape[1] > 1 else norms
        self.map.change(
            values=norms.T, row_labels=trace.pieces[: theme.MAX_TOKENS], limit=float(f"{others.max():.2g}")
        )
        names = [f"first token, {quote(trace.pieces[0])}", f"last token, {quote(trace.pieces[-1])}"]
        self.plot.change(values=norms[:, [0, -1]].T, names=[clean(name) for name in names])

    @one_at_a_time
    def _explain(self, token: int, depth: int) -> Explanation:
        x, source = provenance.stream(self._prompt.trace, depth, token)
        return Explanation(
            "Length of the stream",
            "√ of the sum of squares",
            [Operand("x", x, source)],
            "np.sqrt((x * x).sum())",
            np.linalg.norm(x),
        )


def parameter_shares(model: Model) -> LinePlot:
    """The share of all parameters in each kind of part."""
    parts = experiments.parameters(model)
    total, largest = sum(parts.values()), max(parts, key=parts.get)
    most = "most of them" if 2 * parts[largest] > total else "the largest part, but not most,"
    return LinePlot(
        values=[[n / total for n in parts.values()]],
        names=["share of all parameters"],
        labels=list(parts),
        x_axis="",
        unit="share",
        bars=True,
        stage="ffn",
        caption=f"Where the {total / 1e6:.1f} million parameters are: {most} in the {largest}",
    )
