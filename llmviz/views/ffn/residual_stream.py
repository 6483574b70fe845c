"""The residual stream: how long it grows; and where the parameters are."""

from __future__ import annotations

import numpy as np

from llmviz import experiments
from llmviz.model import Model
from llmviz.views import provenance
from llmviz.views.ffn.who_writes import depths
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.theme import MAX_TOKENS
from llmviz.views.kit.view import Scene, View, explains, part, shared
from llmviz.views.provenance import Explanation, Operand


class StreamNorms(View):
    """The length of the residual stream at every depth, token by token."""

    stage = "ffn"

    @shared
    def norms(self, scene: Scene) -> np.ndarray:
        """Return the lengths [depth, seq], of as many tokens as are drawn."""
        return experiments.residual_norms(scene.run)[:, :MAX_TOKENS]

    @part(
        *(HeatMap, np.zeros((0, 1)), [], [""]),
        kind="weight",
        unit="",
        quantity="length",
        row_axis="token",
        col_axis="after layer",
        caption="Length of the stream; the scale is that of all tokens but the first",
    )
    def map(self, scene: Scene) -> dict:
        norms = scene.norms
        others = norms[:, 1:] if norms.shape[1] > 1 else norms
        return {
            "values": norms.T,
            "row_labels": scene.run.pieces[:MAX_TOKENS],
            "col_labels": ["in", *range(len(norms) - 1)],
            "limit": float(f"{others.max():.2g}"),
        }

    @explains("map")
    def why(self, scene: Scene, token: int, depth: int) -> Explanation:
        x, source = provenance.stream(scene.run, depth, token)
        formula, line = "√ of the sum of squares", "np.sqrt((x * x).sum())"
        return Explanation(
            "Length of the stream", formula, [Operand("x", x, source)], line, np.linalg.norm(x)
        )

    @part(
        LinePlot,
        x_axis="after layer",
        y_axis="length",
        log_y=True,
        caption="The same as lines, each step of the axis ten times the last",
    )
    def plot(self, scene: Scene) -> dict:
        first, last = (quote(scene.run.pieces[at]) for at in (0, -1))
        return {
            "values": scene.norms[:, [0, -1]].T,
            "labels": depths(scene.run.model),
            "names": [f"first token, {first}", f"last token, {last}"],
        }


def parameter_shares(model: Model) -> LinePlot:
    """Draw the share of all parameters in each kind of part."""
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
