"""Size and configuration (notebook 08): models of several sizes, the formula, and memory."""

import os
import re

import numpy as np
import pytest
from messages import holding, numbers

from llmviz import experiments
from llmviz.experiments import small_models
from llmviz.views import differences as pictures
from llmviz.views.differences import parameters, sizes
from llmviz.weights import stored
from llmviz.where import VARIABLE

TEXT = "The cat sat on the mat, and the dog sat on the cat. " * 60
TWO = {
    "one": small_models.small(n_layers=1, n_heads=1, d_model=8),
    "two": small_models.small(n_heads=1, d_model=16),
}


# --- sizes side by side ---


def race(text=TEXT, steps=2, **more):
    return pictures.Sizes(text, TWO, "Which?", steps=steps, **more)


def held_out(config, seed, steps):
    return small_models.bits_after_training(TEXT, config, steps=steps, seed=seed)


def test_each_model_is_trained_and_the_least_surprised_wins():
    page = race(seed=3, explain="Because.")
    page.parts["card"].committed = True
    shown = page.parts["bars"].values[0]
    assert shown == pytest.approx([held_out(config, 3, 2) for config in TWO.values()], rel=1e-5)
    assert page.parts["card"].answer == int(np.argmin(shown))
    assert page.parts["card"].explained.startswith("Because. ")
    ops = small_models.operations(TWO["one"])
    assert page.parts["table"].sections["2 steps each"][0][1:3] == (f"2 × {ops:.2g}", f"{shown[0]:.2f}")
    assert "“" not in repr(page.parts["table"])
    page.controls["seed"].value = 1
    assert not page.parts["card"].committed
    assert page.parts["bars"].layout.display == "none"
    page.parts["card"].committed = True
    assert not np.array_equal(page.parts["bars"].values[0], shown)


def test_differences_from_one_and_from_the_same_with_another_seed(monkeypatch):
    monkeypatch.setattr(sizes, "TIED", 0)
    configs = {"unchanged": TWO["one"], small_models.AGAIN: TWO["one"], "two": TWO["two"]}
    page = pictures.Sizes(TEXT, configs, "Which?", steps=2, against="unchanged", committed=True)
    expected = [held_out(TWO[name], seed, 2) for name, seed in (("one", 0), ("one", 1), ("two", 0))]
    assert page.parts["bars"].values[0] == pytest.approx(np.array(expected) - expected[0], abs=6e-4)
    assert page.parts["card"].answer == int(np.argmax(expected))
    assert page.parts["bars"].y_axis != race(committed=True).parts["bars"].y_axis


def test_as_much_computing_is_more_steps_for_a_small_model():
    budgets = [steps * small_models.operations(TWO["two"]) for steps in (1, 2)]
    page = pictures.Sizes(TEXT, TWO, "Which?", computing=tuple(budgets), committed=True)
    bars, rows = page.parts["bars"], [*page.parts["table"].sections.values()]
    steps = [[int(row[1].partition(" ")[0]) for row in of_budget] for of_budget in rows]
    assert [of_two for _, of_two in steps] == [1, 2]
    for row, (of_one, of_two), least in zip(bars.values, steps, page.parts["message"].sentences):
        assert of_one / of_two == pytest.approx(TWO["two"].n_parameters / TWO["one"].n_parameters, abs=0.5)
        assert row == pytest.approx([held_out(TWO["one"], 0, of_one), held_out(TWO["two"], 0, of_two)])
        assert [*TWO][int(np.argmin(row))] in least


def test_a_lead_that_another_seed_may_turn_round_is_a_tie(monkeypatch):
    monkeypatch.setattr(sizes, "TIED", 100)
    page = race()
    page.parts["card"].change(guess=1, committed=True)
    assert page.parts["card"].answer == 1
    assert "a tie" in page.parts["card"].verdict


@pytest.mark.parametrize("text", ["", "two words"])
def test_too_little_text_is_said(text):
    page = race(text)
    with pytest.raises(ValueError, match="text"):
        page.parts["card"].change(guess=0, committed=True)
    assert page.parts["card"].verdict
    assert page.parts["card"].answer is None


# --- the formula ---


def test_the_count_is_that_of_the_arrays_and_of_the_sliders(tiny_model):
    view = pictures.Parameters(tiny_model)
    bars, message = view.parts["bars"], view.parts["message"]
    count = sum(array.size for array in stored(tiny_model.weights).values())
    assert re.search(holding(f"{count:,}"), bars.caption)
    assert re.search(holding(f"{count:,}"), message.sentences[-1])
    view.controls["name"].value = "GPT-2 small"
    assert view.controls["n_layers"].value == 12
    view.controls["n_kv_heads"].value = 5
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
    assert re.search(holding("SmolLM2 1.7B", 4.5, "Qwen3 0.6B", 16), repr(message))


def test_a_machine_that_does_not_tell_is_asked_for(tiny_model, monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert parameters.memory() is None
    known, unknown = (
        pictures.Memory(tiny_model, machine=machine).parts["message"].sentences for machine in (8e9, None)
    )
    assert unknown[1:] == known[1:]
    assert unknown[0] != known[0]


@pytest.mark.parametrize("place", ["page", "class"])
def test_the_memory_of_somebody_elses_machine_is_not_called_the_readers(tiny_model, monkeypatch, place):
    here = pictures.Memory(tiny_model)
    monkeypatch.setenv(VARIABLE, place)
    elsewhere = pictures.Memory(tiny_model)
    assert (here.state.gigabytes, elsewhere.state.gigabytes) == (here.here, 8)
    assert elsewhere.parts["sizes"].machine_name != here.parts["sizes"].machine_name


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 bytes"), (999, "999 bytes"), (538e6, "538 MB"), (4.1e15, "4.1e+03 TB")]
)
def test_bytes_for_people(n, text):
    assert parameters.in_bytes(n) == text
