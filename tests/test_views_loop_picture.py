"""The loop drawn as a loop."""

import re

import pytest
import traitlets
from messages import holding, numbers

import llmviz
from llmviz.views.the_loop.loop_picture import LoopPicture


def test_prompt_and_written_part_are_told_apart():
    lines = LoopPicture(["The", " cat", " sat", "\n"], n_prompt=2).text().splitlines()
    (prompt,) = [line for line in lines if "The·cat" in line]
    (written,) = [line for line in lines if "·sat⏎" in line]
    assert numbers(prompt) == numbers(written) == [2]


def test_it_follows_a_real_run(tiny_model):
    prompt = [1, 2, 3]
    pieces = tiny_model.tokenizer.pieces(prompt)
    picture = LoopPicture(pieces, n_prompt=3)
    for step in tiny_model.generate(prompt, 4, llmviz.Sampler(), seed=1):
        likeliest = step.probs.argsort()[::-1][:3].tolist()
        picture.change(
            phase="guess", likeliest=tiny_model.tokenizer.pieces(likeliest), probs=step.probs[likeliest]
        )
        picture.change(phase="pick", picked=step.piece)
        picture.change(phase="append", pieces=[*picture.pieces, step.piece])
        assert picture.pieces[-1] == step.piece == picture.picked
        assert "append" in picture.text()
    assert len(picture.pieces) > 3
    assert re.search(holding(len(picture.pieces) - 3), picture.text())


def test_the_guesses_are_in_the_text_form():
    picture = LoopPicture(["a"], n_prompt=1, phase="guess", likeliest=[" b", " c"], probs=[0.75, 0.0625])
    rows = [line.split() for line in picture.text().splitlines()]
    assert ["·b", "75.0%"] in rows
    assert ["·c", "6.2%"] in rows


def test_odd_pieces_and_no_text_at_all():
    assert re.search(holding(0), LoopPicture([], n_prompt=0).text())
    picture = LoopPicture(["<script>", "\ud83d"], n_prompt=1, picked="\ud83d")
    assert picture.pieces[1] == picture.picked == "\\ud83d"
    picture.picked = None
    assert "picked" not in picture.text()


def test_long_texts_show_their_end():
    picture = LoopPicture(["x"] * 600, n_prompt=5)
    assert re.search(holding(512), picture.text())


def test_only_the_four_phases():
    with pytest.raises(traitlets.TraitError):
        LoopPicture(["a"], n_prompt=1, phase="think")
