"""What the documents say: their code runs, and the paths they name exist."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import llmviz
from llmviz.views.kit import as_code

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "your_own_notebook.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
PATHS = re.findall(r"`([a-z_]+(?:/[\w.]+)*(?:\.\w+)?)`", (ROOT / "ARCHITECTURE.md").read_text("utf-8"))


def test_a_page_in_ten_lines(model, monkeypatch):
    monkeypatch.setattr(llmviz, "load", lambda: model)
    assert len([line for line in BLOCKS[0].splitlines() if line]) <= 10
    names = {"__name__": "__main__"}
    with plt.rc_context():
        plt.switch_backend("agg")
        for block in BLOCKS:
            exec(block.replace("plt.show()", "plt.close()"), names)
    names["prompt"].box.value = "The dog"
    trace = names["prompt"].trace
    [strip], [lens] = (names[name]._place.children for name in ("page", "second"))
    np.testing.assert_array_equal(strip.weights, trace.blocks[13].attention.pattern[8, -1])
    assert lens.ids[-1] == trace.logits.argmax()
    heads = names["heads"]
    heads.controls["head"].value = 5
    np.testing.assert_array_equal(heads.parts["strip"].weights, trace.blocks[13].attention.pattern[5, -1])
    assert as_code.line_of(heads, names) == "Heads(prompt, head=5)"


def test_the_readme_shows_what_it_is_and_then_how_to_start():
    readme = (ROOT / "README.md").read_text("utf-8")
    what, film, commands = (readme.index(text) for text in ("**See how", "(docs/journey.webp)", "```bash"))
    assert what < film < commands
    block = re.search(r"```bash\n(.*?)```", readme, flags=re.DOTALL)[1]
    assert [line.split(" #")[0].strip() for line in block.splitlines()] == [
        "pip install -e . && llmviz",
        'pip install -e ".[test]" && pytest',
    ]
    assert readme.count("![") == 1
    assert len(readme.split()) < 700  # Details are in docs.
    start = (ROOT / "docs" / "install.md").read_text("utf-8")
    for named in ("-m venv", "```powershell", "`&&`", "| disk |", "| memory |", "`llmviz cache --delete`"):
        assert named in start


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
)
def test_links_of_the_documents_lead_somewhere(path):
    links = re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)|src="([^"]+)"', path.read_text("utf-8"))
    assert [link for pair in links if (link := "".join(pair)) and not (path.parent / link).exists()] == []


def test_the_front_page_shows_a_film_before_it_runs():
    notebook = (ROOT / "notebooks" / "00_the_loop.ipynb").read_text("utf-8")
    name = re.search(r'<img src=\\"([^"\\]+)', notebook)[1]
    frames = (ROOT / "notebooks" / name).read_bytes().count(b"ANMF")  # chunks of an animated WebP
    assert frames > 20


def test_a_view_of_your_own_has_about_twenty_lines():
    [view] = [block for block in BLOCKS if "class " in block]
    assert len([line for line in view.splitlines() if line]) <= 22


@pytest.mark.parametrize("path", sorted({path for path in PATHS if "/" in path}))
def test_the_paths_of_the_architecture_exist(path):
    assert (ROOT / path).exists()


def test_what_contributing_names_exists_but_for_its_examples():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    paths = {*re.findall(r"\b(?:llmviz|tests|docs)/[\w./]*\w", text)}
    assert len(paths) > 15
    assert [path for path in sorted(paths) if "coverage" not in path and not (ROOT / path).exists()] == []
    for name, file in [
        *(("VIEWS", "test_views_contract.py"), ("SAMPLE", "test_claims.py")),
        ("CLAIMS_OF_PAGES", "test_imports.py"),
    ]:
        assert f"`{name}`" in text
        assert f"\n{name} = " in (ROOT / "tests" / file).read_text("utf-8")


def test_the_documents_that_a_file_names_exist():
    files = [path for folder in ("llmviz", "tests", "docs") for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text("utf-8") for path in files if path.suffix in (".py", ".md", ".js", ".css")]
    named = {name for text in texts for name in re.findall(r"\b[A-Z]+\.md\b", text)}
    assert named <= {path.name for path in ROOT.glob("*.md")}


def test_the_architecture_names_every_module_outside_the_views():
    named = {path for path in PATHS if path.startswith("llmviz/")}
    modules = {f"llmviz/{file.name}" for file in (ROOT / "llmviz").glob("*.py")} - {"llmviz/__init__.py"}
    assert modules <= named
