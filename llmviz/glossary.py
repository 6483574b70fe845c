"""The field's terms with their definitions (`glossary.toml`), which a page shows where it first uses a term.

In a notebook, put `<a>tokens</a>` around a term where a page first uses it. Then `python -m llmviz.glossary` writes the
definition into it, for a browser to show, and lists all terms in `docs/glossary.md`.
"""

from __future__ import annotations

import html
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
HEAD = """# Glossary

The terms of the notebooks. The last column is the notebook that uses a term first.

| term | definition | notebook |
|---|---|---|
"""
MARK = re.compile(r'<a(?: tabindex="0" title="[^"]*")?>(.*?)</a>', re.DOTALL)


@dataclass(frozen=True)
class Term:
    """A term, with its short form in brackets; `glossary.toml` explains the other fields."""

    name: str
    definition: str
    page: int
    also: str = ""
    everyday: bool = False

    @property
    def pattern(self) -> str:
        """Return a regular expression for its forms, singular and plural."""
        forms = [*self.name.removesuffix(")").split(" ("), *filter(None, [self.also])]
        return "|".join(
            rf"{re.escape(form.removesuffix('y'))}{'(?:y|ies)' if form[-1] == 'y' else 's?'}"
            for form in forms
        )


TERMS = tuple(
    Term(name, **rest)
    for name, rest in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")).items()
)


def term(words: str) -> Term:
    """Return the term of which these words are a form. KeyError if there is none."""
    for known in TERMS:
        if re.fullmatch(known.pattern, " ".join(words.split()), re.IGNORECASE):
            return known
    raise KeyError(f"“{words}” is not in the glossary")


def with_definitions(source: str) -> str:
    """Return a text with a definition in each marked term. KeyError for a term that is not in the glossary."""

    def mark(match: re.Match) -> str:
        # JupyterLab keeps a `tabindex`, by which the keyboard reaches a term, only in links.
        return f'<a tabindex="0" title="{html.escape(term(match[1]).definition)}">{match[1]}</a>'

    return MARK.sub(mark, source)


def page() -> str:
    """Return all terms in alphabetical order, as Markdown."""
    terms = sorted(TERMS, key=lambda term: term.name.lower())
    return HEAD + "".join(f"| **{term.name}** | {term.definition} | {term.page} |\n" for term in terms)


def main(paths: list[str]) -> None:
    """Write the definitions into these notebooks, or into all of ours, and write the glossary's page."""
    for path in [Path(path) for path in paths] or sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = with_definitions(cell.source)
        nbformat.write(notebook, path)
    (ROOT / "docs" / "glossary.md").write_text(page(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
