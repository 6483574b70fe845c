"""A term is introduced where a page first uses it: its mark there holds the glossary's definition."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from llmviz import glossary

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def used_before_introduced(cells: list[nbformat.NotebookNode], number: int) -> dict[str, str]:
    """Return each term that a page uses before it marks one, or that belongs on a later page, with where it is used.

    Headings, code and links to other pages don't count, nor do words with an everyday sense.
    """
    terms = sorted((term for term in glossary.TERMS if not term.everyday), key=lambda term: -len(term.name))
    uses = re.compile(r"\b(?:" + "|".join(term.pattern for term in terms) + r")\b", re.IGNORECASE)
    introduced, early = set(), {}
    for cell in cells:
        text = cell.source if cell.cell_type == "markdown" else strings(cell.source)
        text = re.sub(r"```.*?```|`[^`]*`|\[[^]]*\]\([^)]*\)", " ", text, flags=re.DOTALL)
        text = re.sub(r"^#.*$", " ", text, flags=re.MULTILINE)
        for place, words in enumerate(glossary.MARK.split(text)):
            if place % 2:
                introduced |= {term.name for term in [glossary.term(words)] if term.page <= number}
                continue
            for match in uses.finditer(words):
                term = glossary.term(match[0])
                if term.name not in introduced:
                    around = words[max(0, match.start() - 30) : match.end() + 30]
                    early.setdefault(term.name, f"{cell.id}: {' '.join(around.split())}")
    return early


def strings(source: str) -> str:
    """Return what a code cell holds of strings with more than one word, such as a card's question."""
    held = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return "\n".join(text for text in held if isinstance(text, str) and " " in text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_term_is_used_before_it_is_introduced(path):
    early = used_before_introduced(nbformat.read(path, as_version=4).cells, int(path.stem[:2]))
    assert not early


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_mark_holds_the_definition_of_today(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            assert glossary.with_definitions(cell.source) == cell.source, "run python -m llmviz.glossary"


def test_the_glossary_has_a_page():
    assert (ROOT / "docs" / "glossary.md").read_text("utf-8") == glossary.page()


def test_definitions_are_short_and_each_word_has_one():
    assert [term.name for term in glossary.TERMS if len(term.definition.split()) > 25] == []
    for term in glossary.TERMS:
        assert glossary.term(term.name.partition(" (")[0]) is term


@pytest.mark.parametrize(
    ("source", "early"),
    [
        ("A token.", ["token"]),
        ("<a>A token</a>", KeyError),
        ("A <a>token</a> and more tokens.", []),
        ("Two tokens, then a <a>token</a>.", ["token"]),
        ("<a>Attention\nheads</a> need attention.", ["attention"]),
        ("The <a>entropy</a>, and entropy.", ["entropy"]),  # belongs on page 6
        ("# Tokens\n\n`tokens` [6 · Sampling](06_sampling.ipynb)", []),
    ],
)
def test_what_is_used_before_it_is_introduced_is_found(source, early):
    cells = [nbformat.v4.new_markdown_cell(source)]
    if early is KeyError:
        with pytest.raises(KeyError):
            used_before_introduced(cells, 0)
    else:
        assert [*used_before_introduced(cells, 0)] == early


def test_questions_in_code_are_read():
    cells = [nbformat.v4.new_code_cell("ask('How many tokens?', stage='attention')")]
    assert [*used_before_introduced(cells, 0)] == ["token"]
