"""Every notebook keeps the form that `form_problems` describes, and runs from top to bottom without an error."""

import ast
import json
import re
import time
from pathlib import Path
from statistics import median

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from llmviz import embeddings, views
from llmviz.page.write import cells_for_a_page

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

PLOTTING = {"matplotlib", "plotly", "seaborn", "bokeh", "altair", "anywidget", "pylab"}
# Commit each new card, note what it tells and in which cell, and open it again; at the end all once more.
ASK = """
import ipywidgets as _w
from llmviz.views.kit.predict import GuessCard as _Card
def _all(kind):
    return [w for w in list(_w.widgets.widget._instances.values()) if isinstance(w, kind)]
def _tell(card):
    card.change(guess=None, committed=True)
    told = (card.question, card.verdict, card.explained)
    card.change(committed=False, guess=None)
    return told
_told, _cells = globals().get("_told", {}), globals().get("_cells", {})
_new = [c for c in _all(_Card) if c.question and c.model_id not in _told]
_told |= {c.model_id: _tell(c) for c in _new}
_cells |= {c.model_id: _cell for c in _new}
"""
# The second line: what each card says, its question, and its explanation where no experiment has to run first.
ASK_AGAIN = """
import json as _json
_again = [(c.model_id, _tell(c)) for c in _all(_Card) if c.model_id in _told]
print(len(_told), [(_told[c][1], late[1]) for c, late in _again if late != _told[c]])
print(_json.dumps([(_cells[c], f"{question} {explained}") for c, (question, _, explained) in _again]))
"""
MOST_SCENES, MOST_WORDS, MOST_WITH_CARDS = 8, 1_200, 1_600  # in a core
BY_HAND = (
    4  # calls in a cell that draws with matplotlib by hand; more is a picture, and belongs to llmviz.views
)


@each_notebook
def test_form(path):
    problems = form_problems(nbformat.read(path, as_version=4))
    assert not problems, f"{path.name}:\n" + "\n".join(problems)


# What holds where the reader's own computer runs the model; pages and classes have a note of their own instead.
ONLY_IN_JUPYTER = re.compile(
    r"Run All Cells|your (?:own )?(?:computer|machine)|while you read|with your own words|Enter runs|\bkernel"
)


@each_notebook
def test_pages_and_classes_leave_out_what_is_false_there(path):
    notebook = nbformat.read(path, as_version=4)
    everywhere = "\n".join(cell.source for cell in cells_for_a_page(notebook))
    assert ONLY_IN_JUPYTER.findall(everywhere) == []
    assert ONLY_IN_JUPYTER.search(prose(notebook))  # how to begin


def test_the_rhyme_that_is_read_is_the_one_that_is_learned_from():
    cells = nbformat.read(FOLDER / "01_tokenization.ipynb", as_version=4).cells
    markdown, code = (
        "\n".join(cell.source for cell in cells if cell.cell_type == kind) for kind in ("markdown", "code")
    )
    learned = ast.literal_eval(re.search(r"rhyme = (\(.*?\n\))", code, re.DOTALL).group(1))
    assert re.search("^> (She sells .*)$", markdown, re.MULTILINE).group(1) == "".join(learned)


@each_notebook
def test_links_lead_to_notebooks(path):
    targets = re.findall(r"\]\(([^)#]+\.ipynb)[^)]*\)", prose(nbformat.read(path, as_version=4)))
    assert [target for target in targets if not (FOLDER / target).is_file()] == []


@each_notebook
def test_runs_from_top_to_bottom(path, tmp_path, monkeypatch, record_property, model):
    # `model`: fetched and converted before the kernel's clock starts
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    widgets, said_last = run(notebook, FOLDER, times=2, between=ASK, finally_=ASK_AGAIN)
    guesses, cards = said_last.strip().splitlines()
    seconds = time.perf_counter() - start
    record_property("seconds", round(seconds, 1))
    print(f"{path.stem}: {seconds:.1f} s for two runs, kernel start included")
    words = [
        n_words_with_cards(sitting, json.loads(cards)) for sitting in sittings(core_and_folds(notebook)[0])
    ]
    print(
        *(
            f"{path.stem}: {of_text} words in the core, {of_cards} on its cards"
            for of_text, of_cards in words
        ),
        sep="\n",
    )
    assert max(map(sum, words)) <= MOST_WITH_CARDS
    problems = run_problems(notebook)
    assert not problems, f"{path.name}:\n" + "\n".join(problems)
    assert widgets[1] == widgets[0], f"{path.name}: the second run left widgets of the first behind"
    n, _, changed = guesses.partition(" ")
    assert int(n) >= 2, f"{path.name}: {guesses}"
    assert changed.strip() == "[]", (
        f"{path.name}: guesses whose answer was another when they were made: {changed}"
    )


# --- what is looked for ---


def form_problems(notebook) -> list[str]:
    """Everything about a notebook's form that is not as it should be, one sentence each."""
    problems = []
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        problems.append(f"not a valid notebook: {error.message}")
    problems += _state_problems(notebook)
    core, folded = core_and_folds(notebook)
    problems += _core_problems(core)
    lengths = [n_lines(cell) for cell in folded if cell.cell_type == "code"]
    if lengths and median(lengths) > 4:
        problems.append(f"the median code cell to read has {median(lengths):g} lines; at most 4")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, following in zip(cells, [*cells[1:], None]):
        problems += [f"cell {cell.get('id')}: {problem}" for problem in _cell_problems(cell, following)]
    return problems


def core_and_folds(notebook) -> tuple[list, list]:
    """The cells that everybody reads, and those under a collapsed heading, up to the next of its level or above."""
    core, folds, depth = [], [], None
    for cell in notebook.cells:
        heading = re.match(r"(#+) ", cell.source) if cell.cell_type == "markdown" else None
        if heading and (depth is None or len(heading[1]) <= depth):
            depth = len(heading[1]) if cell.metadata.get("jp-MarkdownHeadingCollapsed") else None
        (core if depth is None else folds).append(cell)
    return core, folds


def sittings(core) -> list[list]:
    """The cells of each sitting, which begins with a title (`# `)."""
    parts = [[]]
    for cell in core:
        if cell.cell_type == "markdown" and cell.source.startswith("# ") and parts[-1]:
            parts.append([])
        parts[-1].append(cell)
    return parts


def n_words_with_cards(sitting, cards: list[tuple[str, str]]) -> tuple[int, int]:
    """How many words a sitting has in its text, and on its cards. cards: each with the id of its cell."""
    ids = {cell.id for cell in sitting}
    text = sum(n_words(cell.source) for cell in sitting if cell.cell_type == "markdown")
    return text, sum(n_words(said) for cell, said in cards if cell in ids)


def _core_problems(core) -> list[str]:
    """Each sitting is held by itself: it has scenes, and an end of its own."""
    problems = []
    code = [cell for cell in core if cell.cell_type == "code"]
    for sitting in sittings(core):
        headings = [
            cell.source for cell in sitting if cell.cell_type == "markdown" and cell.source.startswith("## ")
        ]
        scenes = len(headings) - 1  # the last heading is the end
        if not 4 <= scenes <= MOST_SCENES:
            problems.append(f"{scenes} scenes in the core; 4 to {MOST_SCENES}")
        words, _ = n_words_with_cards(sitting, [])
        if words > MOST_WORDS:
            problems.append(f"{words} words in the core; at most {MOST_WORDS:,}")
    for cell in code[1:]:  # the first one imports
        if not cell.metadata.get("jupyter", {}).get("source_hidden"):
            problems.append(
                f"cell {cell.get('id')}: code to read in the core; hide it, or put it under a fold"
            )
        first = cell.source.partition("\n")[0]
        if re.search(r"answer|explain", first):
            problems.append(
                f"cell {cell.get('id')}: its first line stays on the page, and gives something away"
            )
    return problems


def _state_problems(notebook) -> list[str]:
    problems = []
    extra = set(notebook.metadata) - {"kernelspec", "language_info", "llmviz"}
    if extra:
        problems.append(f"metadata that changes with whoever saves it: {', '.join(sorted(extra))}")
    for cell in notebook.cells:
        if cell.get("outputs"):
            problems.append(f"cell {cell.get('id')}: has outputs")
        if cell.get("execution_count") is not None:
            problems.append(f"cell {cell.get('id')}: has an execution count")
        if cell.get("attachments"):
            problems.append(f"cell {cell.get('id')}: has attachments")
    return problems


def _cell_problems(cell, following) -> list[str]:
    problems = []
    if n_lines(cell) > 20:
        problems.append(f"{n_lines(cell)} lines; at most 20")
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        return [*problems, f"not plain Python: {error}"]
    if cell.source.count("plt.") > BY_HAND:
        problems.append(f"more than {BY_HAND} calls of matplotlib")
    exercise = "checks." in cell.source or (following is not None and "checks." in following.source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and not exercise:
            problems.append(f"defines {node.name} outside an exercise")
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        problems += [
            f"imports {name}: plots belong to llmviz.views"
            for name in names
            if _top(name) in PLOTTING and name != "matplotlib.pyplot"
        ]
    return problems


def test_some_figures_are_drawn_by_hand():
    """matplotlib is among the packages for that: a heat map is no magic."""
    assert {path.stem for path in NOTEBOOKS if "plt.show()" in path.read_text("utf-8")} >= {
        "03_position",
        "04_attention",
    }


def run_problems(notebook) -> list[str]:
    """Every exception and warning of a run: in outputs, and in what the widgets show."""
    problems = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            problem = _output_problem(output)
            if problem:
                problems.append(f"cell {cell.get('id')}: {problem}")
    for key, widget in _widgets(notebook).items():
        state = widget.get("state", {})
        outputs = [output for output in state.get("outputs", []) if isinstance(output, dict)]
        shown = [problem for problem in map(_output_problem, outputs) if problem]
        if not shown and "Traceback (most recent call last)" in json.dumps(state):
            shown = ["shows a traceback"]
        problems += [f"widget {widget.get('model_name')} {key[:8]}: {problem}" for problem in shown]
    return problems


def _output_problem(output) -> str | None:
    if output.get("output_type") == "error":
        return f"{output.get('ename')}: {output.get('evalue')}"
    if output.get("output_type") == "stream" and output.get("name") == "stderr":
        text = "".join(output.get("text", ""))
        if re.search(r"Traceback|Warning|Error", text):
            return f"stderr: {text.strip()[:500]}"
    return None


def _widgets(notebook) -> dict:
    saved = notebook.metadata.get("widgets", {})
    return saved.get("application/vnd.jupyter.widget-state+json", {}).get("state", {})


def run(
    notebook, folder: Path, *, times: int = 1, between: str = "", finally_: str = ""
) -> tuple[list[int], str]:
    """Run all cells in `folder`, in place, as often as said, with a cell of the test's own between them and at the end.

    Returns how many widgets are alive after each time, and what the last cell printed.

    The state of the widgets is kept in the notebook's metadata. The kernel is told which cell runs, as JupyterLab does.
    """
    client = NotebookClient(
        notebook,
        timeout=180,
        kernel_name="python3",
        allow_errors=True,
        store_widget_state=True,
        resources={"metadata": {"path": str(folder)}},
    )
    alive = []
    with client.setup_kernel():
        tell_cell_ids(client.kc, {cell.source: cell.id for cell in notebook.cells})
        for _ in range(times):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
                if between and cell.cell_type == "code":
                    said(client, f"_cell = {cell.id!r}\n{between}")
            alive.append(
                int(said(client, "import ipywidgets\nprint(len(ipywidgets.widgets.widget._instances))"))
            )
        client.set_widgets_metadata()
        last = said(client, finally_) if finally_ else ""
    return alive, last


def said(client, source: str) -> str:
    """What a cell that is not the notebook's prints."""
    first = client.nb.cells[0]
    outputs = client.execute_cell(nbformat.v4.new_code_cell(source), 0).outputs
    client.nb.cells[0] = first  # nbclient puts the cell there
    return "".join(output.get("text", "") or output.get("evalue", "") for output in outputs)


def tell_cell_ids(kernel_client, ids: dict[str, str]) -> None:
    """Put a cell's id into each request to run it, which nbclient leaves out."""
    session = kernel_client.session
    message = session.msg

    def with_id(msg_type, content=None, **more):
        if msg_type == "execute_request" and content["code"] in ids:
            more["metadata"] = {"cellId": ids[content["code"]]}
        return message(msg_type, content, **more)

    session.msg = with_id


def prose(notebook) -> str:
    """The text of all markdown cells, code blocks left out."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def n_lines(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def n_words(text: str) -> int:
    return len(re.findall(r"\w+", re.sub(r"<[^>]+>", " ", text)))  # no definitions of terms


def _top(name: str) -> str:
    return name.partition(".")[0]


# --- the tests above can fail ---


def code(*sources: str):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def markdown(source: str, **metadata):
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def test_words_on_the_cards_of_a_sitting_are_counted():
    cells = [markdown("# One\n\ntwo words"), *code("1").cells, markdown("# Next"), *code("2").cells]
    parts = sittings([markdown("before"), *cells])
    assert [len(part) for part in parts] == [1, 2, 2]
    cards = [(cells[1].id, "How many?"), (cells[3].id, "Which of <b>these</b>?"), ("elsewhere", "no")]
    assert [n_words_with_cards(part, cards) for part in parts] == [(1, 0), (3, 2), (1, 3)]


@pytest.mark.parametrize(
    ("notebook", "problem"),
    [
        (code("x = 1"), "-1 scenes in the core; 4 to 8"),
        (code("x = 1", "y = 2"), "code to read in the core"),
        (code("\n".join(["x = 1"] * 21)), "21 lines; at most 20"),
        (code("def f():\n    return 1"), "defines f outside an exercise"),
        (code("from matplotlib import animation"), "imports matplotlib"),
        (code("plt.plot(x);" * 5), "more than 4 calls of matplotlib"),
        (code("from plotly import express"), "imports plotly"),
        (code("%timeit 1"), "not plain Python"),
        (
            nbformat.v4.new_notebook(cells=[markdown("word " * 1_201)]),
            "1201 words in the core; at most 1,200",
        ),
    ],
)
def test_bad_form_is_found(notebook, problem):
    assert any(problem in message for message in form_problems(notebook))


def test_a_long_cell_to_read_is_found():
    notebook = code("\n".join(["x = 1"] * 5))
    notebook.cells.insert(0, markdown("### fold", **{"jp-MarkdownHeadingCollapsed": True}))
    assert any("has 5 lines; at most 4" in message for message in form_problems(notebook))


def test_folds_end_where_the_next_heading_of_their_level_begins():
    cells = [
        markdown("## one"),
        markdown("### fold", **{"jp-MarkdownHeadingCollapsed": True}),
        markdown("#### inside"),
        nbformat.v4.new_code_cell("x = 1"),
        markdown("### open"),
        markdown("## two"),
    ]
    core, folds = core_and_folds(nbformat.v4.new_notebook(cells=cells))
    assert [cell.source for cell in core] == ["## one", "### open", "## two"]
    assert [cell.source for cell in folds] == ["### fold", "#### inside", "x = 1"]


def test_exercises_may_define_functions():
    problems = form_problems(code("def f(): ...", "checks.f(f)", "def g(): ...\nchecks.g(g)"))
    assert not any("outside an exercise" in message for message in problems)


def test_saved_state_is_found():
    notebook = code("1")
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="1")]
    notebook.cells[0].execution_count = 3
    notebook.metadata["widgets"] = {}
    messages = "\n".join(form_problems(notebook))
    assert "has outputs" in messages
    assert "has an execution count" in messages
    assert "widgets" in messages


def test_errors_are_found_wherever_they_hide(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = code(
        "1 / 0",
        "import warnings; warnings.warn('old')",
        "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    raise KeyError('hidden')",
        "ipywidgets.HTML('Traceback (most recent call last)')",
        "'fine'",
    )
    run(notebook, tmp_path)
    messages = run_problems(notebook)
    assert len(messages) == 4
    for problem, part in zip(
        messages, ["ZeroDivisionError", "UserWarning: old", "KeyError: 'hidden'", "shows a traceback"]
    ):
        assert part in problem


@pytest.mark.parametrize(
    "text",
    ["Tom has a dog and Anna has a cat. Tom has a", "Once there was a king. " * 80],
    ids=["short", "long"],
)
def test_page_03_makes_an_unordered_set_by_hand(model, capsys, text):
    notebook = nbformat.read(FOLDER / "03_position.ipynb", as_version=4)
    (by_hand,) = (cell["source"] for cell in notebook["cells"] if cell["id"] == "pos-07")
    exec(
        by_hand,
        {"np": np, "embeddings": embeddings, "prompt": views.Prompt(model, text), "model": model},
    )
    assert capsys.readouterr().out.endswith(" True\n")
