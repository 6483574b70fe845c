"""A table of texts, such as answers to questions or numbers with their names."""

from __future__ import annotations

import html

import ipywidgets
import traitlets

from llmviz.views.kit.html_table import table
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import with_text


class Table(Closable, ipywidgets.HTML):
    """Rows of texts under the heads of their columns. `sections`: rows by the titles above them, "" for none."""

    heads = traitlets.Tuple()
    sections = traitlets.Dict()

    def __init__(self, *heads: str):
        super().__init__(heads=heads)

    @traitlets.observe("heads", "sections")
    def _draw(self, _change) -> None:
        width = 100 / max(1, len(self.heads))
        self.value = table(dict.fromkeys(self.heads, width), self.sections, as_html=html.escape)

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row) for rows in self.sections.values() for row in rows)

    def _repr_mimebundle_(self, **_):
        return with_text(self)
