"""The loop drawn as a loop."""

import re

import pytest
import traitlets
from messages import holding, numbers

from llmviz.views.the_loop.loop_picture import LoopPicture


def test_its_text_tells_prompt_and_written_part_apart_and_has_the_likeliest():
    picture = LoopPicture(
        ["The", " cat", " sat", "\n"], n_prompt=2, phase="guess", likeliest=[" b", " c"], probs=[0.75, 0.0625]
    )
    lines = picture.text().splitlines()
    (prompt,) = [line for line in lines if "The·cat" in line]
    (written,) = [line for line in lines if "·sat⏎" in line]
    assert numbers(prompt) == numbers(written) == [2]
    rows = [line.split() for line in lines]
    assert ["·b", "75.0%"] in rows
    assert ["·c", "6.2%"] in rows


def test_odd_pieces_long_texts_and_no_text_at_all():
    assert re.search(holding(0), LoopPicture([], n_prompt=0).text())
    assert re.search(holding(512), LoopPicture(["x"] * 600, n_prompt=5).text())  # the end of it is drawn
    picture = LoopPicture(["<script>", "\ud83d"], n_prompt=1, picked="\ud83d")
    assert picture.pieces[1] == picture.picked == "\\ud83d"
    picture.picked = None
    assert "picked" not in picture.text()


def test_only_the_four_phases():
    with pytest.raises(traitlets.TraitError):
        LoopPicture(["a"], n_prompt=1, phase="think")
