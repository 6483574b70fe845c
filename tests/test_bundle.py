"""The file of all JavaScript: made of its sources, small, with all that is drawn in it, and on a page once."""

import json
import re

import bundle
import comm
import numpy as np
import pytest
from widget_tree import every_picture

from llmviz.views import HeatMap, TokenStrip
from llmviz.views.kit.as_code import CopyButton
from llmviz.views.kit.controls import Sentences
from llmviz.views.kit.drawn import STATIC
from llmviz.views.kit.text_box import Freshness

PIECES = ["The", " cat", " sat"]


def test_the_bundle_is_made_of_its_sources():
    """Else run `python tests/bundle.py`."""
    assert bundle.THEME.read_text("utf-8") == bundle.theme_module()
    assert bundle.BUNDLE.read_text("utf-8").partition("\n")[0] == bundle.first_line()
    assert bundle.BUNDLE.stat().st_size <= 300_000


def test_every_source_is_in_the_bundle():
    reached = [*bundle.drawings().values()]
    for path in reached:
        imported = re.findall(r'from "(\..*?)"', path.read_text("utf-8"))
        reached += [found for name in imported if (found := (path.parent / name).resolve()) not in reached]
    assert sorted(reached) == bundle.sources()


@pytest.mark.parametrize("kind", [*every_picture(), CopyButton, Freshness, Sentences])
def test_the_bundle_draws_each_kind_of_widget(kind):
    exported = re.findall(r"\bas (\w+)[,}]", bundle.BUNDLE.read_text("utf-8").rpartition("export{")[2])
    assert kind._static in exported


@pytest.fixture
def opened(monkeypatch):
    """The models that a page gets from here on, as from a new kernel: their ids, and their states as JSON."""
    models = {}

    class Wire(comm.DummyComm):
        def publish_msg(self, msg_type, data=None, **_):
            if msg_type == "comm_open":
                models[self.comm_id] = json.dumps(data["state"])

    monkeypatch.setattr(comm, "create_comm", Wire)
    monkeypatch.setattr("llmviz.views.kit.drawn._bundles", [])
    return models


def test_a_page_gets_the_scripts_once(opened):
    maps = (HeatMap(np.eye(3), PIECES) for _ in range(3))
    pictures = [*(TokenStrip(PIECES) for _ in range(2)), *maps]
    for file in ("bundle.js", "kit.css", "sum_bar.css"):
        text = json.dumps((STATIC / file).read_text("utf-8"))[1:-1]
        assert sum(text in state for state in opened.values()) == 1
    order = list(opened)
    for picture in pictures:  # a page that knows a picture knows what it refers to
        place = order.index(picture.model_id)
        assert {picture._bundle.model_id, picture._changes.model_id} <= {*order[:place]}
    own = sum(len(opened[picture.model_id]) for picture in pictures)
    assert own < 5 * 4_000  # of it the loader: 3 kB each
    (first := pictures[0]._bundle).close()  # as `Widget.close_all()` does
    again = TokenStrip(PIECES)._bundle
    assert again.model_id in opened
    assert again is not first
