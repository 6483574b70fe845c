"""What people say about a stage, beside what was measured on this machine."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import astuple, dataclass

import ipywidgets

from llmviz.views.kit import theme
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import with_text

HEADS = {"People say": 25, "Measured here, now": 53, "Verdict": 22}  # and their shares of the width


@dataclass(frozen=True)
class Claim:
    """One claim, the numbers that test it, and what follows from just these numbers; nothing while not measured."""

    said: str
    measured: str = ""
    verdict: str = ""


class Claims(Closable, ipywidgets.HTML):
    """Claims as a table, a line each. `rows` keeps them."""

    def __init__(self, rows: Iterable[Claim]):
        super().__init__(layout={"width": "min(980px, 98%)"})
        self.show(rows)

    def show(self, rows: Iterable[Claim]) -> None:
        """Other rows in place of those that are there."""
        self.rows = tuple(rows)
        cell = "padding:7px 14px 7px 0;vertical-align:top;text-align:left;border-bottom:1px solid #8886"
        head = "".join(
            f'<th style="{cell};width:{width}%" scope="col">{name}</th>' for name, width in HEADS.items()
        )
        lines = [
            f'<td style="{cell}">{html.escape(one.said)}</td><td style="{cell}">{html.escape(one.measured)}</td>'
            f'<td style="{cell};font-weight:600">{html.escape(one.verdict)}</td>'
            for one in self.rows
        ]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        size = f"font-size:{theme.SIZES['body']}px;line-height:1.45;border-collapse:collapse"
        size += ";table-layout:fixed;width:100%"  # so that nothing moves when a row is filled
        self.value = f'<table style="{size}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row).rstrip(" |") for row in (HEADS, *map(astuple, self.rows)))

    def _repr_mimebundle_(self, **_):
        return with_text(self)
