"""A view in its state as a line of code."""

import pytest

from llmviz import views
from llmviz.views import sampling
from llmviz.views.kit import as_code
from llmviz.views.sampling import ChatEnd, Writing


def test_only_what_differs_from_the_defaults_is_written(prompt):
    view = Writing(prompt, left_temperature=0.7)
    view.controls["seed"].value = 3
    assert as_code.line_of(view, {}) == "views.sampling.Writing(prompt, seed=3, left_temperature=0.7)"
    view.controls["left_temperature"].value = 0
    assert view.code.line == "views.sampling.Writing(prompt, seed=3)"


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ({"views": views}, "views.sampling.Writing(prompt)"),
        ({"pictures": sampling, "numbers": as_code}, "pictures.Writing(prompt)"),
        ({"Writing": Writing, "pictures": sampling}, "Writing(prompt)"),
        ({"Writing": ChatEnd}, "views.sampling.Writing(prompt)"),
    ],
)
def test_the_class_is_called_as_the_notebook_calls_it(prompt, names, line):
    assert as_code.line_of(Writing(prompt), names) == line


def test_the_source_is_called_as_the_notebook_calls_it(prompt, monkeypatch):
    shell = type("Shell", (), {"user_ns": {"_": prompt, "my_text": prompt, "Out": {}}})
    monkeypatch.setattr(as_code, "get_ipython", lambda: shell)
    assert Writing(prompt).code.line == "views.sampling.Writing(my_text)"


def test_a_constructor_may_take_more_than_the_source(prompt):
    class Counted(Writing):
        def __init__(self, prompt, unit, *, stage="ffn", draw=len, seed=5):
            super().__init__(prompt, seed=seed)

    line = as_code.line_of(Counted(prompt, "words"), {})
    assert line.endswith("Counted(prompt, 'words')")
    view = Counted(prompt, "words", stage="embeddings", draw=sorted, seed=1)
    line = as_code.line_of(view, {"by_size": sorted})
    assert line.endswith("Counted(prompt, 'words', stage='embeddings', draw=by_size, seed=1)")


def test_the_page_cannot_change_the_line(prompt):
    view = Writing(prompt)
    view.code.set_state({"line": "import os"})
    assert view.code.line == "views.sampling.Writing(prompt)"
