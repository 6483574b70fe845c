"""What people say about a stage, beside what was measured on this machine."""

from __future__ import annotations

import html
from dataclasses import astuple, dataclass

import ipywidgets
import traitlets

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
    """Claims as a table, a line each: `rows`, a tuple of `Claim`."""

    rows = traitlets.Tuple()

    def __init__(self, rows: tuple[Claim, ...] = ()):
        super().__init__(layout={"width": "min(980px, 98%)"})
        self.rows = rows

    @traitlets.observe("rows")
    def _write(self, _change) -> None:
        cell = "padding:7px 14px 7px 0;vertical-align:top;text-align:left;border-bottom:1px solid #8886"
        heads = (f'<th style="{cell};width:{n}%" scope="col">{name}</th>' for name, n in HEADS.items())
        styles = (cell, cell, f"{cell};font-weight:600")
        lines = [
            "".join(
                f'<td style="{style}">{html.escape(text)}</td>' for style, text in zip(styles, astuple(row))
            )
            for row in self.rows
        ]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        size = f"font-size:{theme.SIZES['body']}px;line-height:1.45;border-collapse:collapse"
        size += ";table-layout:fixed;width:100%"  # so that nothing moves when a row is filled
        self.value = (
            f'<table style="{size}"><thead><tr>{"".join(heads)}</tr></thead><tbody>{body}</tbody></table>'
        )

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row).rstrip(" |") for row in (HEADS, *map(astuple, self.rows)))

    def _repr_mimebundle_(self, **_):
        return with_text(self)
