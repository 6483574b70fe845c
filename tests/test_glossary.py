"""A term is introduced where a page first uses it: its mark there holds the glossary's definition."""

import ast
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from test_voice import texts_in

from llmviz import glossary

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# What the pictures of 00 use and its text doesn't mark.
ONLY_IN_PICTURES = {"query", "neuron", "embedding table", "attention weight", "activation", "attention sink"}
TERMS = sorted((term for term in glossary.TERMS if not term.everyday), key=lambda term: -len(term.name))
USES = re.compile(r"\b(?:" + "|".join(term.pattern for term in TERMS) + r")\b", re.IGNORECASE)


def used_before_introduced(cells: list[nbformat.NotebookNode], number: int) -> dict[str, str]:
    """Return each term that a page uses before it marks one, or that belongs on a later page, with where it is used.

    Headings, code and links to other pages don't count, nor do words with an everyday sense.
    """
    introduced, early = set(), {}
    for cell in cells:
        text = cell.source if cell.cell_type == "markdown" else strings(cell.source)
        text = re.sub(r"```.*?```|`[^`]*`|\[[^]]*\]\([^)]*\)", " ", text, flags=re.DOTALL)
        text = re.sub(r"^#.*$", " ", text, flags=re.MULTILINE)
        for place, words in enumerate(glossary.MARK.split(text)):
            if place % 2:
                introduced |= {term.name for term in [glossary.term(words)] if term.page <= number}
                continue
            for match in USES.finditer(words):
                term = glossary.term(match[0])
                if term.name not in introduced:
                    around = words[max(0, match.start() - 30) : match.end() + 30]
                    early.setdefault(term.name, f"{cell.id}: {' '.join(around.split())}")
    return early


def strings(source: str) -> str:
    """Return what some Python holds of strings with more than one word, such as a card's question; no docstrings."""
    nodes = [*ast.walk(ast.parse(source))]
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    held = (node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in docs)
    return "\n".join(text for text in held if isinstance(text, str) and " " in text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_term_is_used_before_it_is_introduced(path):
    early = used_before_introduced(nbformat.read(path, as_version=4).cells, int(path.stem[:2]))
    assert not early


def in_pictures(stage: str) -> set[str]:
    """Return the terms in the strings of a stage's pictures."""
    folder = ROOT / "llmviz" / "views" / stage
    texts = [strings(path.read_text("utf-8")) for path in folder.rglob("*.py")]
    texts += [
        text for path in folder.rglob("*.toml") for text in texts_in(tomllib.loads(path.read_text("utf-8")))
    ]
    return {glossary.term(words).name for text in texts for words in USES.findall(text)}


def test_the_terms_of_pictures_are_introduced_on_their_page_or_before():
    missing, pages = {}, {term.name: term.page for term in glossary.TERMS}
    for number, path in enumerate(NOTEBOOKS[:7]):  # The others share a folder of pictures.
        cells = nbformat.read(path, as_version=4).cells
        marked = {glossary.term(words).name for cell in cells for words in glossary.MARK.findall(cell.source)}
        missing[number] = {name for name in in_pictures(path.stem[3:]) - marked if pages[name] >= number}
    assert missing.pop(0) == ONLY_IN_PICTURES
    assert not any(missing.values()), missing


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
