"""Pages without a kernel: how a notebook is run, what its page holds, and how the file is written."""

import base64
import gzip
import json
import re

import nbformat
import pytest
import small_notebook

from llmviz import cli, page
from llmviz.page.write import html_page, index_page

v4 = nbformat.v4


@pytest.fixture(scope="session")
def notebook(tiny_path, tmp_path_factory):
    """The small notebook."""
    home = tmp_path_factory.mktemp("home")
    return small_notebook.write(tmp_path_factory.mktemp("page"), tiny_path("grouped"), home)


@pytest.fixture(scope="session")
def built(notebook):
    """It has run, and its table is made."""
    shares = []
    (built,) = page.build_all([notebook], 10, 1, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    return built


@pytest.fixture
def held(built, tmp_path):
    """What its file holds."""
    file = tmp_path / "small.html"
    page.write_page(built, file, {})
    packed = re.search(r'<script type="text/plain" id="packed">([\w+/=]+)</script>', file.read_text("utf-8"))
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def value(held, number):
    return json.loads(held["values"][number])


def named(held, description):
    """Return the id of the control or button of this name."""
    return next(
        key
        for key, widget in held["widgets"].items()
        if "description" in widget["state"] and value(held, widget["state"]["description"]) == description
    )


def sent(held, widget, trait):
    """Return what a page can send of a widget, in some state."""
    rules = next(
        view["events"][f"{widget} {trait}"] for view in held["views"] if f"{widget} {trait}" in view["events"]
    )
    found = {int(key.split(",")[names.index("in")]) for names, rows in rules for key in rows if "in" in names}
    return sorted((value(held, number) for number in found), key=str)


def test_it_holds_all_that_its_views_show(held):
    assert len(held["shown"]) == 7
    for view in held["views"]:
        assert all(held["widgets"][widget] for widget in view["widgets"])
        assert view["widgets"]
        assert all(rules for rules in view["widgets"].values())
    for widget in held["widgets"].values():
        for number in widget["state"].values():
            for other in re.findall(r'"IPY_MODEL_(\w+)"', held["values"][number]):
                assert other in held["widgets"]
    numbers = [number for drawn in held["drawn"] for number in drawn.values()]
    assert max(numbers) < len(held["values"])
    assert held["left_out"] == []
    assert "six sevens" in str(held["values"])


def test_a_slider_has_all_its_values_and_a_list_its_places(held):
    assert sent(held, named(held, "a"), "value") == [0, 1, 2, 3, 4]
    assert sent(held, named(held, "b"), "value") == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert sent(held, named(held, "Sign"), "index") == [0, 1, 2]
    assert sent(held, named(held, "loud"), "value") == [False, True]


def test_the_texts_that_the_notebook_names_are_in_it(held):
    first = held["values"].index(json.dumps(small_notebook.TEXTS[0]))
    (box,) = [key for key, widget in held["widgets"].items() if widget["state"].get("value") == first]
    assert sent(held, box, "value") == sorted(small_notebook.TEXTS)
    lengths = {len(value(held, drawn["pieces"])) for drawn in held["drawn"] if "pieces" in drawn}
    assert len(lengths) == len(small_notebook.TEXTS)


def test_a_typed_word_has_only_its_own_value(held):
    assert sent(held, named(held, "A word"), "value") == ["typed"]


def test_what_needs_the_full_version_is_named_and_leads_nowhere(held):
    full = {key for view in held["views"] for key in view["full"]}
    cards = {key for key in full if "question" in held["widgets"][key]["state"]}
    assert {named(held, "Ask the class")} < full
    assert len(cards) == 1
    assert not [key for view in held["views"] for key in view["events"] if key.split()[0] in full]


def test_no_answer_is_in_it_before_the_guess_but_in_a_rule(held):
    for key in held["widgets"]:
        state = held["widgets"][key]["state"]
        if "answer_text" in state:
            assert value(held, state["answer_text"]) == value(held, state["verdict"]) == ""


def test_the_file_holds_everything_and_asks_for_nothing(built, tmp_path):
    file = tmp_path / "small.html"
    size = page.write_page(built, file, {"other": "other.html"}, "index.html")
    text = file.read_text("utf-8")
    assert size == file.stat().st_size < 1_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["small.html"]
    assert "<title>Ordinary &amp; small</title>" in text
    assert '<a href="other.html">' in text
    assert "none.ipynb" not in text
    assert "1 &lt; 2" in text
    assert "Run All" not in text
    fold = re.search(r'<details class="fold">.*?</details>\n<section class="text"><h2', text, re.DOTALL)[0]
    assert "in the fold" in fold
    assert "data-widget" in fold
    assert "The end" not in fold
    loads = re.findall(r"""<(?:script|img|link|iframe)[^>]*(?:src|href)=["']([^"']+)""", text)
    assert [address for address in loads if not address.startswith("data:")] == []


def test_a_plotly_figure_brings_its_script():
    figure = {"data": [], "layout": {"title": {"text": "</script>"}}}
    output = v4.new_output("display_data", {"application/vnd.plotly.v1+json": figure})
    without = html_page(v4.new_notebook(cells=[v4.new_code_cell("figure")]), {}, {}, None)
    text = html_page(v4.new_notebook(cells=[v4.new_code_cell("figure", outputs=[output])]), {}, {}, None)
    assert "&lt;/script&gt;" in text
    assert len(text) - len(without) > 1_000_000


# ---- the command -------------------------------------------------------------------------------------------


def refused(capsys, *argv: str) -> str:
    assert cli.main(["page", *argv]) == 2
    error = capsys.readouterr().err.splitlines()
    (said,) = [line for line in error if line.startswith("llmviz: ")]
    return said


def test_what_is_no_notebook_is_refused_before_anything_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "build_all", lambda *_: pytest.fail("it ran"))
    assert str(tmp_path / "missing.ipynb") in refused(capsys, str(tmp_path / "missing.ipynb"))
    assert str(tmp_path) in refused(capsys, str(tmp_path))
    notebook = tmp_path / "one.ipynb"
    notebook.write_text("{}")
    assert ".html" in refused(capsys, str(notebook), "-o", str(notebook))
    assert notebook.read_text() == "{}"
    with pytest.raises(SystemExit):
        cli.main(["page", str(notebook), "--seconds", "soon"])


def test_a_file_that_is_no_notebook_and_a_cell_that_fails_are_said(capsys, tmp_path):
    broken, failing = tmp_path / "broken.ipynb", tmp_path / "failing.ipynb"
    broken.write_text("not JSON")
    assert str(broken) in refused(capsys, str(broken), "-o", str(tmp_path / "page.html"))
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 / 0")]), failing)
    assert "ZeroDivisionError" in refused(capsys, str(failing), "-o", str(tmp_path / "page.html"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.ipynb", "failing.ipynb"]


WRONG_LATER = """
from dataclasses import dataclass
from llmviz.views.kit.state_fields import number
from llmviz.views.kit.view import View, sentences
class Wrong(View):
    stage = "sampling"
    @dataclass(frozen=True)
    class State:
        n: int = number(1, "n", 3)
    @sentences
    def inverse(self, scene):
        return [f"{1 / scene.n}"]
Wrong(None)
"""


def test_a_state_that_cannot_be_drawn_is_said(capsys, tmp_path):
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(WRONG_LATER)]), tmp_path / "wrong.ipynb")
    said = refused(capsys, str(tmp_path / "wrong.ipynb"), "-o", str(tmp_path / "page.html"))
    assert "ZeroDivisionError" in said
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.ipynb"]


def test_a_cell_that_never_ends_is_said(capsys, tmp_path, monkeypatch):
    run = page._run

    def impatient(client, source):
        monkeypatch.setattr(page, "CELL_PATIENCE", 1)  # for the cell only: a kernel may take long to start
        return run(client, source)

    monkeypatch.setattr(page, "_run", impatient)
    endless = tmp_path / "endless.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("while True: pass")]), endless)
    assert "endless.ipynb" in refused(capsys, str(endless), "-o", str(tmp_path / "a.html"))
    assert [path.name for path in tmp_path.iterdir()] == ["endless.ipynb"]


def test_a_folder_becomes_pages_with_an_index(capsys, tmp_path, monkeypatch, built):
    (tmp_path / "in").mkdir()
    for name in ("one", "two"):
        (tmp_path / "in" / f"{name}.ipynb").write_text("{}")
    some = page.Built(built.notebook, built.table | {"left_out": ["Sum", "Steps"]})
    monkeypatch.setattr(page, "build_all", lambda notebooks, *_: [built, some])
    assert cli.main(["page", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "Sum, Steps" in line] != []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "index.html",
        "one.html",
        "two.html",
    ]
    index = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert '<a href="one.html">' in index
    assert "Ordinary &amp; small" in index
    assert '<a href="index.html">' in (tmp_path / "out" / "two.html").read_text("utf-8")


def test_the_index_describes_a_page_in_whole_sentences():
    def described(text: str) -> str:
        cells = [v4.new_markdown_cell(f"# Title\n\n{text}\n\nMore.")]
        return re.search(r"<p>(.*?)</p>", index_page({"a.html": v4.new_notebook(cells=cells)}))[1]

    whole, marked = "All of it is said here.", "A row is a **vector**. *So* a < b."
    assert described(f"**{whole}** And more.") == whole
    assert described(marked) == marked.replace("*", "").replace("<", "&lt;")
