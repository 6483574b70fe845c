"""The page of each notebook, played through as a reader does, and held to what its kernel gives."""

from pathlib import Path

import nbformat
import pytest
from browser.page_and_kernel import compare, compare_all, fits_a_phone, new_kernel, play, settle
from browser.violations import OF_COLOUR, violations

from llmviz import page

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SERIES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
MOST_BYTES = 3_500_000
N_MOVED = {"08_size": 3}  # More controls than these can be moved; on all other pages, more than 10.

# Short trainings and short texts show as much of a page, and so do fewer countries, questions and words.
FEW = """
from functools import partial
from llmviz.experiments import fine_tuned, fine_tuning
from llmviz.views import attention, sampling
from llmviz.views.differences import FineTuning, Pretraining
from llmviz.views.the_loop import switchboard
from llmviz.views.tokenization import letters
fine_tuned.N_ASKED, letters.WORDS, switchboard.N_WRITTEN = 3, letters.WORDS[:8], 5
fine_tuning.CAPITALS = dict([*fine_tuning.CAPITALS.items()][:5])
FineTuning.__init__.__kwdefaults__["steps"], Pretraining.__init__.__kwdefaults__["steps"] = 4, 60
for write in (fine_tuning.writing, fine_tuning.answer_text, fine_tuning.answer_texts):
    write.__defaults__ = (6,)
sampling.Writing, sampling.ChatEnd = partial(sampling.Writing, n=10), partial(sampling.ChatEnd, n=10)
attention.TwoHeads = partial(attention.TwoHeads, n=8)
"""


@pytest.mark.parametrize("name", SERIES)
def test_it_is_played_through_and_shows_what_its_kernel_shows(opened, model, name):
    """Built with little of what it could hold."""
    notebook = NOTEBOOKS / f"{name}.ipynb"
    with page.kernel_for(notebook) as client:
        page.ask(client, FEW)
        built = page.build_in(client, nbformat.read(notebook, 4), name, 2, lambda _share: None)
        one = opened(built)
        assert play(one) > N_MOVED.get(name, 10)
        assert violations(one) == []
        one.locator(".switch-theme").click()
        settle(one)
        assert violations(one, rules=OF_COLOUR) == []
        fits_a_phone(one)
        assert compare(one, built, client, 12) > 8


@pytest.mark.long
@pytest.mark.parametrize("name", SERIES)
def test_it_is_small_and_shows_what_a_new_kernel_shows(opened, model, tmp_path, name):
    """All that a page holds of what its views show is compared: what a part shows for each values of its fields."""
    notebook = NOTEBOOKS / f"{name}.ipynb"
    (built,) = page.build_all([notebook], 25, 1, lambda _share: None)
    assert page.write_page(built, tmp_path / "size.html", {}) <= MOST_BYTES
    assert play(opened(built)) > N_MOVED.get(name, 10)
    with new_kernel(notebook) as client:
        assert compare_all(opened(built), built, client) > 40
