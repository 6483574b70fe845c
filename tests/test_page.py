"""Pages without a kernel: what a rehearsal finds, what it leaves out, and how the file is written."""

import base64
import gzip
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import ipywidgets
import nbformat
import pytest
from messages import numbers

from llmviz import cli, page
from llmviz.page import note
from llmviz.page.write import html_page, index_page, scripts
from llmviz.views.rehearsal.controls import controls_of
from llmviz.views.the_loop.journey import Journey

# A notebook of ordinary widgets, each with a way of its own.
CELLS = [
    "import ipywidgets as w",
    """
a, b, tick = w.IntSlider(2, 0, 4, description="a"), w.IntSlider(1, 0, 3, description="b"), w.Checkbox(False)
sum_ = w.Label()
def add(_=None):
    sum_.value = f"{a.value}+{b.value}{'!' if tick.value else ''}"
for one in (a, b, tick):
    one.observe(add, "value")
add()
w.VBox([a, b, tick, sum_])
""",
    """
count, step, back, n = w.Label("0"), w.Button(description="step"), w.Button(description="back"), [0]
def move(by):
    n[0] += by
    count.value = str(n[0])
    back.disabled = n[0] == 0
back.disabled = True
step.on_click(lambda _: move(1))
back.on_click(lambda _: move(-1))
w.HBox([step, back, count])
""",
    """
slow, wrong, ok = w.ToggleButtons(options=["fast", "never"]), w.Button(description="wrong"), w.Button(description="ok")
def work(change):
    while slow.index == 1:
        pass
slow.observe(work, "index")
wrong.on_click(lambda _: 1 / 0)
w.VBox([slow, wrong, w.Text("typed")])
""",
    """
from llmviz import views
views.Predict("What is 6 × 7?", answer=42, low=0, high=50, then=w.Label("</script><b>six sevens</b>"))
""",
    """
from llmviz.views.kit.token_strip import TokenStrip
strip, said = TokenStrip(pieces=["a", "b", "c"]), w.Label()
strip.observe(lambda change: setattr(said, "value", f"{change['new']}"), "selected")
alone = TokenStrip(pieces=["x", "y"])
w.VBox([strip, said, alone])
""",
    """
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.view import job, sentences
class Count(GuessFirst):
    experiment, high = "count", 9
    copies_as_code = False
    begin = starts("count")
    def question(self, scene):
        return "How far does it count?"
    def answer(self, scene):
        return 7
    @job()
    def count(self, scene):
        yield 0.5, 7
    @sentences
    def message(self, scene):
        return ["counted"]
class Long(Count):
    def needs_kernel(self):
        return [self.parts["card"], self.parts["begin"]]
w.VBox([Count(None), Long(None)])
""",
    """
x, y, both = w.IntSlider(1, 0, 3), w.IntSlider(1, 0, 3), w.Label("1 and 1")
def follow(change):
    x.value = y.value = change["new"]
    both.value = f"{x.value} and {y.value}"
x.observe(follow, "value")
y.observe(follow, "value")
w.VBox([x, y, both])
""",
    # Too many for all to be tried together.
    "w.VBox([w.Dropdown(options=range(30)), w.Dropdown(options=range(30))])",
    "print('1 < 2')",
]


@pytest.fixture(scope="session")
def notebook(tmp_path_factory) -> Path:
    """The cells, with a title and a fold."""
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# Ordinary & small\n\nSee [the other](other.ipynb) and [none](none.ipynb)."),
        v4.new_markdown_cell("Run All Cells", metadata={"tags": ["jupyter-only"]}),
    ]
    cells += [v4.new_code_cell(source) for source in CELLS]
    cells.append(v4.new_markdown_cell("## Deeper", metadata={"jp-MarkdownHeadingCollapsed": True}))
    cells.append(v4.new_markdown_cell("in the fold"))
    cells.append(v4.new_markdown_cell("## The end"))
    path = tmp_path_factory.mktemp("page") / "small.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="session")
def rehearsed(notebook):
    """It has run, and its controls are rehearsed."""
    shares = []
    (built,) = page.build_all([notebook], 20, 2, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    return built


class Told:
    """What was rehearsed, by the names of the controls."""

    def __init__(self, told: dict):
        self.told = told

    def value(self, number: int):
        return json.loads(self.told["values"][number])

    def space(self, label: str) -> dict:
        """The space with a control, button or picture so called."""
        for space in self.told["spaces"]:
            names = [
                self.name(widget)
                for widget in [*(control[0] for control in space["controls"]), *space["buttons"]]
            ]
            if label in names:
                return space
        raise AssertionError(f"no control called {label}")

    def name(self, widget: str) -> str:
        state = self.told["widgets"][widget]
        return self.value(state["description"]) if "description" in state else self.value(state["caption"])

    def shown(self, space: dict, state: int, trait: str = "value") -> list:
        """What has changed in a state, of one trait."""
        return [self.value(number) for _, name, number in space["states"][state]["changed"] if name == trait]


@pytest.fixture
def told(rehearsed) -> Told:
    return Told(rehearsed.messages)


def test_every_combination_of_small_controls_is_what_the_handler_makes_of_it(told):
    space = told.space("a")
    values = [told.value(control[3]) for control in space["controls"]]
    assert [sorted(positions) for positions in values] == [[0, 1, 3, 4], [0, 2, 3], [True]]
    assert len(space["reach"]) == 5 * 4 * 2
    for key, state in space["reach"].items():
        now = [2, 1, False]
        for pair in filter(None, key.split(";")):
            control, value = map(int, pair.split("="))
            now[control] = values[control][value]
        label = f"{now[0]}+{now[1]}{'!' if now[2] else ''}"
        assert label in told.shown(space, state) or key == ""


def test_of_long_lists_some_are_tried_together_and_the_others_alone(told):
    space = next(candidate for candidate in told.told["spaces"] if "0=28" in candidate["reach"])
    together = [key for key in space["reach"] if ";" in key]
    assert {"0=0;1=0", "1=28"} <= space["reach"].keys()
    assert len(together) < 29 * 29


def test_a_button_is_pressed_again_and_again_and_back(told):
    space = told.space("step")
    step, back = space["buttons"]
    at = 0
    for n in range(1, 11):
        before, at = at, space["press"][str(at)][step]
        assert str(n) in told.shown(space, at)
        assert space["press"][str(at)][back] == before


def test_what_never_ends_and_what_fails_is_left_out(told):
    space = told.space("wrong")
    assert space["reach"] == {"": 0}
    assert space["alone"]  # what was not seen to come back may be a way of no return
    assert space["press"] == {}
    assert any("ZeroDivisionError" in error for error in space["failed"].values())


def test_a_picture_that_somebody_hears_has_states_and_another_needs_none(told):
    space = next(candidate for candidate in told.told["spaces"] if candidate["free"])
    assert len(space["free"]) == 1
    labels = {label for n in range(1, len(space["states"])) for label in told.shown(space, n)}
    assert labels == {"0", "1", "2"}


def test_a_card_tells_each_guess_its_own_sentence(told):
    card = next(iter(told.told["cards"].values()))
    hidden, shown = ({name: told.value(n) for _, name, n in card[when]} for when in ("hidden", "shown"))
    assert (hidden["verdict"], hidden["display"]) == ("", "none")
    assert (numbers(shown["verdict"]), shown["display"]) == ([42], "")
    assert len(card["told"]) == 51
    low, high = (told.value(card["told"][guess]) for guess in ("40", "44"))
    assert (set(numbers(low)), set(numbers(high))) == ({40, 42, 2}, {44, 42, 2})
    assert low != high.replace("44", "40")  # too low, too high


def test_an_experiment_is_done_for_its_card_unless_it_takes_long(told):
    _, quick, long = told.told["cards"].values()
    shown = [told.value(number) for *_, number in quick["shown"]]
    assert any(isinstance(text, str) and numbers(text) == [7] for text in shown)
    assert ["counted"] in shown
    assert ["counted"] not in [told.value(number) for *_, number in quick["hidden"]]
    assert {*numbers(told.value(quick["told"]["7.0"]))} == {7}
    assert long == {"hidden": [], "shown": [], "told": None}


def test_the_file_holds_everything_and_asks_for_nothing(rehearsed, tmp_path):
    file = tmp_path / "small.html"
    size = page.write_page(rehearsed, file, {"other": "other.html"}, "index.html")
    text = file.read_text("utf-8")
    assert size == file.stat().st_size < 8_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["small.html"]
    assert "<title>Ordinary &amp; small</title>" in text
    assert '<a href="other.html">' in text
    assert "none.ipynb" not in text
    assert "1 &lt; 2" in text
    assert "Run All" not in text
    fold = re.search(r'<details class="fold">.*?</details>', text, re.DOTALL)[0]
    assert "in the fold" in fold
    assert "The end" not in fold
    packed = re.search(r'<script type="text/plain" id="packed">([\w+/=]+)</script>', text)[1]
    held = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert held["scripts"].keys() == {
        "ipywidgets",
        "anywidget",
    }  # no plotly where there is none of its figures
    assert "six sevens" in json.dumps(held["values"])
    loads = re.findall(r"""<(?:script|img|link|iframe)[^>]*(?:src|href)=["']([^"']+)""", text)
    assert [address for address in loads if not address.startswith("data:")] == []


def test_the_note_of_a_page_says_how_to_get_the_full_version(monkeypatch):
    named: list[str] = []
    monkeypatch.setattr(note.metadata, "metadata", lambda _: SimpleNamespace(get_all=lambda _: named))
    text = note.note(12345)
    assert 'id="full"' in text
    assert "12,345 states" in text
    assert "<a " not in text
    assert not re.search(r"kernel|[{}]", text)
    named.append("Source, https://example.org/?a&b")
    assert '<a href="https://example.org/?a&amp;b">' in note.note(1)


def test_a_plotly_figure_brings_its_script():
    figure = {"data": [], "layout": {"title": {"text": "</script>"}}}
    output = nbformat.v4.new_output("display_data", {"application/vnd.plotly.v1+json": figure})
    cell = nbformat.v4.new_code_cell("figure", outputs=[output])
    messages = {"widgets": {}, "spaces": [], "cards": {}, "values": []}
    text = html_page(nbformat.v4.new_notebook(cells=[cell]), messages, scripts(), {}, None)
    assert "&lt;/script&gt;" in text
    assert 1_500_000 < len(text) < 4_000_000


def test_values_go_from_coarse_to_fine_but_turns_one_after_the_other(model):
    (control,) = controls_of(ipywidgets.IntSlider(value=4, min=0, max=8))
    assert control.values == [0, 8, 2, 6, 1, 3, 5, 7]
    (turns,) = controls_of(Journey("The cat", model=model).parts["film"])
    assert turns.values == [1, 2, 3, 4]


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


def test_a_system_without_fork_is_told_where_pages_can_be_built(capsys, tmp_path, monkeypatch):
    monkeypatch.delattr(os, "fork")
    monkeypatch.chdir(tmp_path)
    assert "Linux" in refused(capsys)
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_is_no_notebook_and_a_cell_that_fails_are_said(capsys, tmp_path):
    broken, failing = tmp_path / "broken.ipynb", tmp_path / "failing.ipynb"
    broken.write_text("not JSON")
    assert str(broken) in refused(capsys, str(broken), "-o", str(tmp_path / "page.html"))
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), failing)
    assert "ZeroDivisionError" in refused(capsys, str(failing), "-o", str(tmp_path / "page.html"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.ipynb", "failing.ipynb"]


def test_a_cell_that_never_ends_is_said(capsys, tmp_path, monkeypatch):
    run = page._run

    def impatient(client, source):
        monkeypatch.setattr(page, "CELL_PATIENCE", 1)  # for the cell only: a kernel may take long to start
        return run(client, source)

    monkeypatch.setattr(page, "_run", impatient)
    endless = tmp_path / "endless.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("while True: pass")]), endless)
    assert "endless.ipynb" in refused(capsys, str(endless), "-o", str(tmp_path / "a.html"))
    assert [path.name for path in tmp_path.iterdir()] == ["endless.ipynb"]


def test_a_folder_becomes_pages_with_an_index(capsys, tmp_path, monkeypatch, rehearsed):
    (tmp_path / "in").mkdir()
    for name in ("one", "two"):
        (tmp_path / "in" / f"{name}.ipynb").write_text("{}")
    monkeypatch.setattr(page, "build_all", lambda notebooks, *_: [rehearsed for _ in notebooks])
    assert cli.main(["page", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
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
        cells = [nbformat.v4.new_markdown_cell(f"# Title\n\n{text}\n\nMore.")]
        return re.search(r"<p>(.*?)</p>", index_page({"a.html": nbformat.v4.new_notebook(cells=cells)}))[1]

    whole, marked = "All of it is said here.", "A row is a **vector**. *So* a < b."
    assert described(f"**{whole}** And more.") == whole
    assert described('A <a tabindex="0" title="A list.">vector</a>.') == "A vector."
    assert described(marked) == marked.replace("*", "").replace("<", "&lt;")
