"""A table of texts as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from llmviz.views.kit import theme

CELL = "padding:6px 14px 6px 0;vertical-align:top;text-align:left;border-bottom:1px solid #8886"
# The layout is fixed, so that nothing moves when a row is filled.
TABLE = f"font-size:{theme.SIZES['body']}px;line-height:1.45;border-collapse:collapse;color:inherit;table-layout:fixed"


def table(
    heads: Mapping[str, int],
    sections: Mapping[str, Sequence[Sequence[str]]],
    *,
    caption: str = "",
    last: str = "",
) -> str:
    """Return a table as HTML.

    heads: with the widths of their columns in %. sections: rows of cells below a title ("": none). In a cell,
    *asterisks* mean emphasis, as in Markdown. last: the style of the last column.
    """
    columns = "".join(f'<col style="width:{width}%">' for width in heads.values())
    head = "".join(f'<th scope="col" style="{CELL}">{name}</th>' for name in heads)
    styles = (f"{CELL};font-weight:normal", *[CELL] * (len(heads) - 2), f"{CELL};{last}")
    bodies = []
    for title, rows in sections.items():
        lines = []
        if title:
            lines.append(f'<th scope="rowgroup" colspan="{len(heads)}" style="{CELL}">{text(title)}</th>')
        for row in rows:
            first, *others = (f' style="{style}">{text(cell)}' for style, cell in zip(styles, row))
            lines.append(f'<th scope="row"{first}</th>' + "".join(f"<td{cell}</td>" for cell in others))
        bodies.append(f"<tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody>")
    above = f'<caption style="text-align:left;color:inherit">{text(caption)}</caption>' if caption else ""
    return (
        f'<table style="{TABLE};width:min(980px,98%);white-space:normal">{above}<colgroup>{columns}</colgroup>'
        f"<thead><tr>{head}</tr></thead>{''.join(bodies)}</table>"
    )


def text(cell: str) -> str:
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html.escape(cell))
