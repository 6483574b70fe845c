"""The results table at the end of a page: statement, how we tested it, result, as `llmviz.claims` has stored them."""

from __future__ import annotations

from llmviz.claims import CLAIMS, stored
from llmviz.views.kit.html_table import table

HEADS = {"statement": 36, "how we tested it": 34, "result": 30}  # with the widths of their columns in %


class Results:
    """The claims of a page as a table, each with what was measured. `sections`: rows of three cells, by title."""

    def __init__(self, page: str):
        model, _, sha256 = stored.DEFAULT.stem.rpartition("-")
        self.caption = f"The chat model: {model} (SHA-256 {sha256}…)"
        self.sections = stored.sections(CLAIMS[page], stored.load()[page])

    def _repr_html_(self) -> str:
        return table(HEADS, self.sections, caption=self.caption)

    def __repr__(self) -> str:
        lines = [self.caption, " | ".join(HEADS)]
        for section, rows in self.sections.items():
            lines += [section, *map(" | ".join, rows)]
        return "\n".join(lines)


def results(page: str) -> Results:
    """Return the results table of a page, such as "05"."""
    return Results(page)
