"""Signed numbers as bars to both sides of zero, in panels side by side."""

from __future__ import annotations

import traitlets

from llmviz.views.kit.picture import Floats, Labels, Picture, Text, lines
from llmviz.views.kit.pieces import visible_label


class SignedBars(Picture):
    """Rows with a signed bar and its number, in panels side by side: `titles` [n_panels].

    `labels` [n_panels * n_rows], panel after panel; `values` [n_panels, n_rows]. `limit`: the value of a full bar, in
    all panels.
    """

    _static = "signed_bars"
    _by_page = ()

    titles = traitlets.List(Text()).tag(sync=True)
    labels = Labels()
    values = Floats(ndim=(2,))
    limit = traitlets.Float(1.0).tag(sync=True)

    def text(self) -> str:
        """Return a line for each row, panel after panel."""
        n, panels = self.values.shape[1], []
        for i, (title, values) in enumerate(zip(self.titles, self.values)):
            labels = map(visible_label, self.labels[i * n : (i + 1) * n])
            rows = [[label, f"{v:+.2f}"] for label, v in zip(labels, values)]
            panels.append(f"{title}\n{lines(rows)}")
        return "\n\n".join(panels)
