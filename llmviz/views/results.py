"""The results table at the end of a page: statement, how we tested it, result, as `llmviz.claims` has stored them."""

from __future__ import annotations

import html
import re
from itertools import groupby

from llmviz.claims import CLAIMS, stored
from llmviz.views.kit import theme

HEADS = {"statement": 36, "how we tested it": 34, "result": 30}  # and their shares of the width, in %


class Results:
    """The claims of a page as a table, each with what was measured. `rows` keeps them: section, and three cells."""

    def __init__(self, page: str):
        rows = stored.load()[page]
        model, _, sha256 = stored.DEFAULT.stem.rpartition("-")
        self.model = f"{model} (SHA-256 {sha256}…)"
        self.rows = [
            (
                claim.section,
                claim.sentence,
                claim.method,
                claim.result(stored.outcome(claim, rows[claim.name])),
            )
            for claim in CLAIMS[page]
            if claim.name in rows
        ]

    def _repr_html_(self) -> str:
        cell = (
            'style="padding:6px 14px 6px 0;vertical-align:top;text-align:left;border-bottom:1px solid #8886"'
        )
        columns = "".join(f'<col style="width:{width}%">' for width in HEADS.values())
        head = "".join(f'<th scope="col" {cell}>{name}</th>' for name in HEADS)
        bodies = []
        for section, rows in groupby(self.rows, lambda row: row[0]):
            title = f'<tr><th scope="rowgroup" colspan="3" {cell}>{_html(section)}</th></tr>'
            lines = [
                f'<tr><th scope="row" {cell}><span style="font-weight:normal">{_html(statement)}</span></th>'
                f"<td {cell}>{_html(tested)}</td><td {cell}>{_html(result)}</td></tr>"
                for _, statement, tested, result in rows
            ]
            bodies.append(f"<tbody>{title}{''.join(lines)}</tbody>")
        size = f"font-size:{theme.SIZES['body']}px;line-height:1.45;border-collapse:collapse;color:inherit"
        size += ";table-layout:fixed;width:min(980px,98%);white-space:normal"
        caption = f'<caption style="text-align:left;color:inherit">Measured on {_html(self.model)}</caption>'
        return (
            f'<table style="{size}">{caption}<colgroup>{columns}</colgroup><thead><tr>{head}</tr></thead>'
            f"{''.join(bodies)}</table>"
        )

    def __repr__(self) -> str:
        lines = [f"Measured on {self.model}", " | ".join(HEADS)]
        for section, rows in groupby(self.rows, lambda row: row[0]):
            lines += [section, *(" | ".join(row[1:]) for row in rows)]
        return "\n".join(lines)


def results(page: str) -> Results:
    """Return the results table of a page, such as "05"."""
    return Results(page)


def _html(text: str) -> str:
    """Escape a text, with *emphasis* as in the prose."""
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html.escape(text))
