"""How we write: phrases that read as translated are rare in what a reader or a programmer sees.

python tests/test_voice.py FILE …      shows each hit
"""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST = 4  # hits in 1,000 words
PHRASES = {
    "told, tells": r"\b(?:is|are|was|were|be) told\b(?! apart)|\btells? (?:of|how|where|nothing|more|which|what)\b",
    "stands": r"\bstands?\b(?!-| (?:up|for|still))|\bstood\b(?! (?:up|for))",
    "behind (after)": r"\bbehind\b",
    "so it is for": r"\b[Ss]o (?:it|they|we) (?:is|was|are|were|did) (?:for|in|with|of|mostly)\b",
    "who as a subject": r"(?:^|[.:!?] )Who (?:has|always|is|speaks|learns)\b|\bwho has only\b",
    "becomes of": r"\b(?:becomes?|became|comes) of\b",
    "alone": r"\balone\b",
    "alike": r"\balike\b",
    "at home": r"\bat home\b|\baway from home\b",
    "by heart": r"\bby heart\b",
    "saying": r"\bsayings?\b",
    "twelve of the fifteen": r"\b(?:for|in|of) \w+ of the (?:ten|fifteen|twenty)\b",
    "brings": r"\b(?:brings?|brought)\b(?! (?:up|out|back))",
    "is no": r"(?<![Tt]here )\b(?:is|are|was|were) no (?!longer|more)[a-z]+\b",
    "wholly": r"\bwholly\b",
    "that one": r"\b(?:that|own) ones?\b(?= (?:is|was|has|does|may|can)\b|[,.;:?’'])",
    "one may": r"\bone (?:may|can|sees|reads|comes|asks)\b",
    "nobody": r"\b[Nn]obody\b|\b[Nn]one (?:but|of them)\b",
    "space before %": r"\d %",
    "as it is": r"\bas it (?:is|was|came)\b(?! \w)",
    "beside": r"\bbeside\b",
    "anew, likewise": r"\b(?:anew|likewise|whom|thereby|wherever)\b",
    "some ten": r"\bsome (?:ten|twenty|thirty|forty|fifty)\b",
    "that is, at the end": r", (?:that|which) is\.$",
    "guess (the model's)": r"\b(?:its|the model's|model’s|best) guess(?:es)?\b",
}
ANY = re.compile("|".join(PHRASES.values()), re.MULTILINE)
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', re.DOTALL)  # of JavaScript


def files() -> list[Path]:
    """Return what is held to this: pages, documents, and what the package says, in the order of their paths."""
    package = (f"llmviz/**/*.{kind}" for kind in ("py", "js", "html", "toml"))
    held = {path for kind in ("*.md", "docs/*.md", "notebooks/*.ipynb", *package) for path in ROOT.glob(kind)}
    return sorted(held - {ROOT / "llmviz" / "claims" / "cases.toml"})  # texts of others


def prose(path: Path) -> str:
    """Return the sentences of a file, without code, links and marks."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
        text = "\n\n".join(
            source if kind == "markdown" else "\n".join(strings(source)) for kind, source in cells
        )
    elif path.suffix == ".py":
        text = "\n\n".join(strings(text))
    elif path.suffix == ".toml":
        text = "\n\n".join(texts_in(tomllib.loads(text)))
    elif path.suffix == ".js":
        text = "\n\n".join(words for pair in STRING.findall(text) for words in pair if " " in words.strip())
    text = re.sub(r"```.*?```|<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"`[^`\n]*`|\$\{[^}]*\}|\]\([^)]*\)|<[^<>]+>", " ", text)


def strings(source: str) -> Iterator[str]:
    """Yield the strings and docstrings of some Python that have more than one word."""
    inside = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):  # "_" for what it fills in
            inside |= {id(part) for part in ast.walk(node)}
            text = "".join(
                str(getattr(part, "value", "")) if isinstance(part, ast.Constant) else "_"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            text = node.value
        else:
            continue
        if " " in text.strip():
            yield text


def texts_in(value: object) -> Iterator[str]:
    """Yield the texts of more than one word in some TOML."""
    if isinstance(value, str) and " " in value.strip():
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts_in(part)


def hits(text: str) -> list[str]:
    """Return each phrase with the words around it."""
    return [" ".join(text[max(0, m.start() - 30) : m.end() + 30].split()) for m in ANY.finditer(text)]


def n_words(text: str) -> int:
    return len(re.findall(r"[A-Za-z'’]{2,}", text))


def too_many() -> dict[str, int]:
    """Return the files with more hits than they may have, and how many."""
    held = {path.relative_to(ROOT).as_posix(): prose(path) for path in files()}
    return {name: n for name, text in held.items() if (n := len(hits(text))) > MOST * n_words(text) / 1000}


def test_phrases_that_read_as_translated_are_rare():
    assert too_many() == {}


def test_questions_on_cards_have_none():
    code = [path.read_text("utf-8") for path in files() if path.suffix == ".py"]
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    asked = [
        question
        for source in code
        for text in strings(source)
        for question in re.findall(r"[^.?!\n]*\?", text)
    ]
    assert len(asked) > 100
    assert [question for question in asked if hits(question)] == []


@pytest.mark.parametrize(
    ("sentence", "n"),
    [
        ("The score that stands behind it is told below.", 3),
        ("Each token stays as it is.\n\nTokens are used alike.", 2),
        ("There is no token. It is no longer there, nor as likely as it is elsewhere.", 0),
    ],
)
def test_phrases_are_found(sentence, n):
    assert len(hits(sentence)) == n


def test_strings_of_python_javascript_and_toml_are_read(tmp_path):
    (tmp_path / "a.py").write_text('"""Say it."""\nx = f"alone {1} here"\n# It stands alone.\ny = "one"\n')
    (tmp_path / "a.js").write_text(
        '// It stands alone.\nconst x = `Read ${it} here`, y = "one", z = "two words";'
    )
    (tmp_path / "a.toml").write_text(
        '# It stands alone.\nx = "one"\n[y]\nz = ["on its own", {a = "in a row"}]'
    )
    (tmp_path / "a.md").write_text("Some *words*, `alone` [there](alone.md)\n\n```\nalone\n```\n")
    held = {path.suffix: " ".join(prose(path).split()) for path in tmp_path.iterdir()}
    assert held == {
        ".py": "Say it. alone _ here",
        ".js": "Read here two words",
        ".toml": "on its own in a row",
        ".md": "Some *words*, [there",
    }


if __name__ == "__main__":
    for file in sys.argv[1:]:
        print(f"{file}: {n_words(prose(Path(file))):,} words", *hits(prose(Path(file))), sep="\n  ")
