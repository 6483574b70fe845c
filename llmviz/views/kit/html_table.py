"""A table of texts as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence

from llmviz.views.kit import theme

# The layout is fixed, so that nothing moves when a row is filled.
TABLE = (
    f"font-size:{theme.SIZES['body']}px;line-height:1.45;border-collapse:collapse;color:inherit;table-layout:fixed;"
    "width:min(1000px,98%);white-space:normal"
)
CELL = "padding:6px 14px 6px 0;vertical-align:top;text-align:left;overflow-wrap:anywhere;white-space:pre-wrap"


def with_emphasis(cell: str) -> str:
    """Return a text as HTML, in which *asterisks* mean emphasis, as in Markdown."""
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html.escape(cell))


def table(
    heads: Mapping[str, float],
    sections: Mapping[str, Sequence[Sequence[str]]],
    *,
    caption: str = "",
    as_html: Callable[[str], str] = with_emphasis,
) -> str:
    """Return a table as HTML.

    heads: with the widths of their columns in %. sections: rows of cells below a title ("": none). as_html: of a text.

    Where there is little room, `kit.css` makes each row a block, whose cells begin with the names of their columns. A
    browser may then forget that it is a table, so the roles are written out.
    """

    def row(*cells: str) -> str:
        return f'<tr role="row" style="border-bottom:1px solid #8886">{"".join(cells)}</tr>'

    def head(role: str, text: str, scope: str, style: str = "") -> str:
        return f'<th role="{role}" {scope} style="{CELL};{style}">{as_html(text)}</th>'

    columns = [head("columnheader", name, 'scope="col"', f"width:{width}%") for name, width in heads.items()]
    bodies = []
    for title, rows in sections.items():
        lines = [row(head("rowheader", title, f'scope="rowgroup" colspan="{len(heads)}"'))] if title else []
        for first, *others in rows:
            cells = (
                f'<td role="cell" data-head="{html.escape(name)}" style="{CELL}">{as_html(cell)}</td>'
                for name, cell in zip([*heads][1:], others)
            )
            lines.append(row(head("rowheader", first, 'scope="row"', "font-weight:normal"), *cells))
        bodies.append(f"<tbody>{''.join(lines)}</tbody>")
    above = f'<caption style="text-align:left;color:inherit">{as_html(caption)}</caption>' if caption else ""
    inner = f"{above}<thead>{row(*columns)}</thead>{''.join(bodies)}"
    return f'<div class="lv-text-table"><table role="table" style="{TABLE}">{inner}</table></div>'
