"""Size and configuration (notebook 07): models of several sizes, the formula, memory, rounding, a second file."""

import asyncio
import itertools
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from llmviz.views.differences.rounding import STAYS
from messages import holding, numbers
from tiny_gguf import VARIANTS, write

from llmviz import experiments, ops, training
from llmviz.experiments import small_models
from llmviz.model import Model
from llmviz.views import differences as pictures
from llmviz.views.differences import parameters, sizes
from llmviz.weights import SUPPORTED, random_weights, stored
from llmviz.where import VARIABLE

TEXT = "The cat sat on the mat, and the dog sat on the cat. " * 60
TWO = {
    "one": small_models.small(n_layers=1, n_heads=1, d_model=8),
    "two": small_models.small(n_heads=1, d_model=16),
}


# --- sizes side by side ---


def race(text=TEXT, steps=2, **more):
    return pictures.Sizes(text, TWO, "Which?", steps=steps, **more)


def held_out(config, seed, **how):
    *_, last = training.pretrain(TEXT, config, seed=seed, **how)
    return last.held_out * len(last.model.tokenizer.encode(TEXT)) / len(TEXT.encode()) / np.log(2)


def test_each_model_is_trained_and_the_least_surprised_wins():
    page = race(seed=3, explain="Because.")
    page.parts["card"].committed = True
    shown = page.parts["bars"].values[0]
    assert shown == pytest.approx([held_out(config, 3, steps=2) for config in TWO.values()], rel=1e-5)
    assert page.parts["card"].answer == int(np.argmin(shown))
    assert page.parts["card"].explained == "Because."
    assert re.search(holding(2), repr(page.parts["message"]))
    assert "“The " in repr(page.parts["message"])
    page.controls["seed"].value = 1
    assert not page.parts["card"].committed
    assert page.parts["bars"].layout.display == "none"
    page.parts["begin"].click()
    assert not np.array_equal(page.parts["bars"].values[0], shown)


def test_the_last_step_is_drawn_too():
    page = race(steps=21, committed=True)
    assert page.parts["curves"].x.tolist() == [20, 21]
    assert page.parts["curves"].values[:, 1] == pytest.approx(page.parts["bars"].values[0])


def test_differences_from_one_and_from_the_same_with_another_seed():
    configs = {"as it is": TWO["one"], small_models.AGAIN: TWO["one"], "two": TWO["two"]}
    page = pictures.Sizes(TEXT, configs, "Which?", steps=2, against="as it is", committed=True)
    expected = [held_out(TWO[name], seed, steps=2) for name, seed in (("one", 0), ("one", 4), ("two", 0))]
    bars, curves = page.parts["bars"], page.parts["curves"]
    assert bars.values[0] == pytest.approx(np.array(expected) - expected[0], abs=6e-4)
    assert curves.names == [small_models.AGAIN, "two"]
    assert curves.values[:, -1] == pytest.approx(bars.values[0, 1:], abs=6e-4)
    assert page.parts["card"].answer == int(np.argmin(expected))


def test_each_time_is_a_training_of_its_own(monkeypatch):
    clock = itertools.count()  # each look at it takes 20 ms, however fast the machine is
    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: next(clock) * 0.02))
    page = pictures.Sizes(TEXT, TWO, "Which?", seconds=(0.3, 0.9), committed=True)
    bars = page.parts["bars"]
    assert bars.values.shape == (2, 2)
    assert bars.names == ["0.3 seconds", "0.9 seconds"]
    assert (bars.values[1] < bars.values[0]).all()
    best = [*TWO][int(np.argmin(bars.values[1]))]
    assert re.search(holding(*bars.names, best), page.parts["message"].sentences[-1])
    assert page.parts["curves"].layout.display == "none"


def test_a_lead_that_another_seed_may_turn_round_is_a_tie(monkeypatch):
    monkeypatch.setattr(sizes, "TIED", 100)
    page = race()
    page.parts["card"].change(guess=1, committed=True)
    assert page.parts["card"].answer == 1
    assert "a tie" in page.parts["card"].verdict


def test_a_question_that_is_opened_again_stops_it_and_shows_nothing():
    async def commit_and_take_back():
        page = race(steps=10_000)
        page.parts["card"].change(guess=0, committed=True)
        await asyncio.sleep(0.3)
        page.parts["card"].ask_again()
        await asyncio.sleep(0.05)
        assert not page.busy
        hidden = [page.parts[name].layout.display for name in ("bars", "curves", "message")]
        assert hidden == ["none"] * 3

    asyncio.run(commit_and_take_back())


@pytest.mark.parametrize("text", ["", "two words"])
def test_too_little_text_is_said(text):
    page = race(text)
    with pytest.raises(ValueError, match="text"):
        page.parts["card"].change(guess=0, committed=True)
    assert page.parts["card"].verdict
    assert page.parts["card"].answer is None


# --- the formula ---


@pytest.mark.parametrize("name", list(pictures.SIZES))
def test_a_size_is_named_by_the_numbers_that_it_has(name):
    config = pictures.SIZES[name]
    lists = {"tokens": [str(i) for i in range(512)], "token_types": [1] * 512}
    arrays = stored(random_weights(config, vocabulary=lists)).values()
    assert name == f"{sum(array.size for array in arrays):,}"
    assert experiments.n_parameters(config) == config.n_parameters


def test_the_sliders_follow_the_choice_and_the_count_follows_the_sliders(tiny_model):
    view = pictures.Parameters(tiny_model)
    bars, message, c = view.parts["bars"], view.parts["message"], view.controls
    count = sum(array.size for array in stored(tiny_model.weights).values())
    assert re.search(holding(f"{count:,}"), bars.caption)
    assert re.search(holding(f"{count:,}"), message.sentences[-1])
    c["name"].value = "GPT-2 small"
    assert c["n_layers"].value == 12
    assert "124M" in repr(message)
    c["n_layers"].value = 24
    assert c["name"].value == parameters.OTHER
    assert "124M" not in repr(message)
    c["n_kv_heads"].value = 5
    assert any({12, 5} == {*numbers(sentence)} for sentence in message.sentences)
    assert bars.values.sum() == experiments.n_parameters(view.scene(view.state).config)


@pytest.mark.parametrize("published", pictures.PUBLISHED, ids=lambda published: published.name)
def test_every_published_model_is_described_and_its_sizes_are_steps_of_the_sliders(tiny_model, published):
    view = pictures.Parameters(tiny_model)
    bars, message = view.parts["bars"], view.parts["message"]
    view.controls["name"].value = published.name
    assert published.said in repr(message)
    assert bool(published.exact and published.why in repr(message)) == bool(published.exact)
    assert f"{published.count:,}" in bars.caption
    assert bars.values[0].sum() == pytest.approx(published.count, rel=1e-6)
    assert view.state.name == published.name  # its own sizes are no others
    for name in parameters.SIZES:
        slider = view.controls[name]
        assert (slider.value - slider.min) % slider.step == 0  # else JupyterLab moves it


# --- memory ---


def test_memory_is_bits_times_numbers(tiny_model):
    view = pictures.Memory(tiny_model, machine=16e9)
    text, message = view.parts["sizes"].text(), view.parts["message"]
    assert "Llama 3 8B" in text
    assert "32.1 GB" in text  # 8,030,261,248 numbers of 4 bytes
    assert "16 GB" in repr(message)
    view.controls["gigabytes"].value = 3
    assert re.search(holding(4.5, "SmolLM2 1.7B", 16, "Qwen3 0.6B"), repr(message))


def test_a_machine_that_does_not_tell_is_asked_for(tiny_model, monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert parameters.memory() is None
    known, unknown = (
        pictures.Memory(tiny_model, machine=machine).parts["message"].sentences for machine in (8e9, None)
    )
    assert unknown[1:] == known[1:]
    assert unknown[0] != known[0]


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 bytes"), (999, "999 bytes"), (538e6, "538 MB"), (4.1e15, "4.1e+03 TB")]
)
def test_bytes_for_people(n, text):
    assert parameters.in_bytes(n) == text


# --- rounding ---

FACTS = {"the cat": " sat", "the dog": " sat"}
GRIDS = (pictures.Grid(8), pictures.Grid(4, shift=2), pictures.Grid(1))


def rounding(model, **more):
    texts = {"a text": "the cat sat on the dog"}
    return pictures.Rounding(model, FACTS, texts, grids=GRIDS, **more)


def test_each_grid_is_measured(tiny_model):
    view = rounding(tiny_model, committed=True)
    tokens, costs = tiny_model.tokenizer.encode("the cat sat on the dog"), []
    before = experiments.token_surprise(tiny_model.trace(tokens)).mean()
    curves, map_ = view.parts["curves"], view.parts["map"]
    for column, grid in enumerate(GRIDS, start=1):
        model = experiments.quantised(tiny_model, grid.bits, shift=grid.shift)
        for row, (text, word) in enumerate(FACTS.items()):
            probs = ops.softmax(model.trace(text).logits)
            token = tiny_model.tokenizer.encode(word)[0]
            assert map_.values[row, column] == pytest.approx(probs[token], rel=1e-4)
            assert map_.cell_text[row][column].startswith("✓") == (probs.argmax() == token)
        costs.append(experiments.token_surprise(model.trace(tokens)).mean() - before)
        assert curves.values[0, column] == pytest.approx(before + costs[-1], rel=1e-4)
    costly = [grid.name for grid, cost in zip(GRIDS, costs) if cost >= 0.1]
    assert (costly[0] if costly else STAYS) in view.parts["card"].verdict
    assert curves.values[1] == pytest.approx(np.log2(tiny_model.config.n_vocab))


def test_the_table_is_another_question(tiny_model):
    view = rounding(tiny_model, explain="Layers.", explain_table="Table, too.", guess=0, committed=True)
    card = view.parts["card"]
    assert card.explained == "Layers."
    view.controls["table"].value = True
    assert not card.committed
    assert view.parts["map"].layout.display == "none"
    card.change(guess=0, committed=True)
    assert card.explained == "Table, too."


def test_nothing_to_go_on_from_is_said_once(tiny_model):
    sentences = rounding(tiny_model, start="", committed=True).parts["message"].sentences
    assert len({*sentences}) == len(sentences) == 2 + 1 + len(GRIDS)


# --- another file ---


def test_the_sizes_of_another_file(tiny_model, tmp_path, monkeypatch):
    monkeypatch.delenv("LLMVIZ_MODEL", raising=False)
    view = pictures.SecondModel(tiny_model)

    def read(path):
        view.controls["path"].value = str(path)
        view.parts["read"].click()
        return view.parts["message"].sentences

    assert ".gguf" in read("")[0]
    assert "none.gguf" in read(tmp_path / "none.gguf")[0]
    (tmp_path / "broken.gguf").write_bytes(b"nothing")
    assert SUPPORTED in read(tmp_path / "broken.gguf")[0]
    first, *others = read(write(tmp_path / "other.gguf", VARIANTS["grouped"]))
    count = sum(array.size for array in stored(tiny_model.weights).values())
    assert re.search(holding("other.gguf", f"{count:,}", 1), first)
    assert any("n_layers" in sentence and not numbers(sentence) for sentence in others)  # which are the same
    assert first in repr(view)
    monkeypatch.setenv(VARIABLE, "class")
    assert len(read(tmp_path / "other.gguf")) == 1


def test_a_model_that_is_made_here_can_be_counted():
    *_, last = training.pretrain(TEXT, TWO["one"], steps=1)
    assert isinstance(last.model, Model)
    assert experiments.n_parameters(last.model) == last.model.config.n_parameters
