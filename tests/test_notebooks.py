"""Every notebook keeps the form that DESIGN.md sets, and runs from top to bottom without an error anywhere."""

import ast
import json
import re
import time
from pathlib import Path
from statistics import median

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

PLOTTING = {"matplotlib", "plotly", "seaborn", "bokeh", "altair", "anywidget", "pylab"}
BY_HAND = (
    4  # calls in a cell that draws with matplotlib by hand; more is a picture, and belongs to llmviz.views
)
FRONT_PAGE = "00_the_loop"  # the short tour: may stay below the budgets, never above


@each_notebook
def test_form(path):
    problems = form_problems(nbformat.read(path, as_version=4), front_page=path.stem == FRONT_PAGE)
    assert not problems, f"{path.name}:\n" + "\n".join(problems)


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
    widgets = run(notebook, FOLDER, times=2)
    seconds = time.perf_counter() - start
    record_property("seconds", round(seconds, 1))
    print(f"{path.stem}: {seconds:.1f} s for two runs, kernel start included")
    problems = run_problems(notebook)
    assert not problems, f"{path.name}:\n" + "\n".join(problems)
    assert widgets[1] == widgets[0], f"{path.name}: the second run left widgets of the first behind"


# --- what is looked for ---


def form_problems(notebook, *, front_page: bool = False) -> list[str]:
    """Everything about a notebook's form that is not as it should be, one sentence each."""
    problems = []
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        problems.append(f"not a valid notebook: {error.message}")
    problems += _state_problems(notebook)

    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lengths = [n_lines(cell) for cell in cells]
    low_cells, low_lines = (0, 0) if front_page else (25, 100)
    if not low_cells <= len(cells) <= 40:
        problems.append(f"{len(cells)} code cells; the budget is 25 to 40")
    if not low_lines <= sum(lengths) <= 200:
        problems.append(f"{sum(lengths)} lines of code; the budget is 100 to 200")
    if lengths and median(lengths) > 4:
        problems.append(f"the median code cell has {median(lengths):g} lines; at most 4")
    words, code_words = n_words(prose(notebook)), sum(n_words(cell.source) for cell in cells)
    if words < code_words:
        problems.append(f"{words} words of text for {code_words} words of code; at least as many")
    if not front_page:
        for needed, where in (("PipelineMap(", "code"), ("Predict(", "code"), ("What to notice", "text")):
            text = prose(notebook) if where == "text" else "\n".join(cell.source for cell in cells)
            if needed not in text:
                problems.append(f"no {needed.rstrip('(')} in its {where}")

    for cell, following in zip(cells, [*cells[1:], None]):
        problems += [f"cell {cell.get('id')}: {problem}" for problem in _cell_problems(cell, following)]
    return problems


def _state_problems(notebook) -> list[str]:
    problems = []
    extra = set(notebook.metadata) - {"kernelspec", "language_info"}
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


def run(notebook, folder: Path, *, times: int = 1) -> list[int]:
    """Run all cells in `folder`, in place, as often as said; returns how many widgets are alive after each time.

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
            told = nbformat.v4.new_code_cell(
                "import ipywidgets\nprint(len(ipywidgets.widgets.widget._instances))"
            )
            alive.append(int(client.execute_cell(told, 0).outputs[0].text))
        client.set_widgets_metadata()
    return alive


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
    return len(re.findall(r"\w+", text))


def _top(name: str) -> str:
    return name.partition(".")[0]


# --- the tests above can fail ---


def code(*sources: str):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


@pytest.mark.parametrize(
    ("notebook", "problem"),
    [
        (code("x = 1"), "1 code cells; the budget is 25 to 40"),
        (code("x = 1"), "1 lines of code; the budget is 100 to 200"),
        (code("x = 1"), "no PipelineMap in its code"),
        (code("x = 1"), "0 words of text for 2 words of code"),
        (code("\n".join(["x = 1"] * 21)), "21 lines; at most 20"),
        (code("\n".join(["x = 1"] * 5)), "the median code cell has 5 lines"),
        (code("def f():\n    return 1"), "defines f outside an exercise"),
        (code("from matplotlib import animation"), "imports matplotlib"),
        (code("plt.plot(x);" * 5), "more than 4 calls of matplotlib"),
        (code("from plotly import express"), "imports plotly"),
        (code("%timeit 1"), "not plain Python"),
    ],
)
def test_bad_form_is_found(notebook, problem):
    assert any(problem in found for found in form_problems(notebook))


def test_exercises_may_define_functions():
    problems = form_problems(code("def f(): ...", "checks.f(f)", "def g(): ...\nchecks.g(g)"))
    assert not any("outside an exercise" in found for found in problems)


def test_saved_state_is_found():
    notebook = code("1")
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="1")]
    notebook.cells[0].execution_count = 3
    notebook.metadata["widgets"] = {}
    found = "\n".join(form_problems(notebook))
    assert "has outputs" in found
    assert "has an execution count" in found
    assert "metadata that changes with whoever saves it: widgets" in found


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
    found = run_problems(notebook)
    assert len(found) == 4
    for problem, part in zip(
        found, ["ZeroDivisionError", "UserWarning: old", "KeyError: 'hidden'", "shows a traceback"]
    ):
        assert part in problem
