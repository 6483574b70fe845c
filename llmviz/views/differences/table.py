"""A table of texts, such as answers to questions or numbers with their names."""

from __future__ import annotations

import html

import ipywidgets
import traitlets

from llmviz.views.kit.html_table import CELL, TABLE
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
        style = f"{CELL};overflow-wrap:anywhere;min-width:min(7em,18vw);white-space:pre-wrap"
        lines = ["".join(f'<th style="{style}" scope="col">{html.escape(head)}</th>' for head in self.heads)]
        for title, rows in self.sections.items():
            if title:
                lines.append(
                    f'<th style="{style};padding-top:14px" colspan="{len(self.heads)}" scope="rowgroup">'
                    f"{html.escape(title)}</th>"
                )
            lines += [
                "".join(f'<td style="{style}">{html.escape(cell)}</td>' for cell in row) for row in rows
            ]
        rows = "".join(f"<tr>{line}</tr>" for line in lines)
        self.value = f'<table style="{TABLE};width:min(1000px, 98%)">{rows}</table>'

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row) for rows in self.sections.values() for row in rows)

    def _repr_mimebundle_(self, **_):
        return with_text(self)
