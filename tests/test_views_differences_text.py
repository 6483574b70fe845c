"""The pictures of page 07: a model in training, one step of it, whose text it is, and a map of its tokens."""

import functools
import re

import numpy as np
import pytest
from messages import holding, numbers
from widget_tree import in_event_loop, scene, until

from llmviz import experiments, ops, training
from llmviz.experiments import learning
from llmviz.experiments.learning import SMALL
from llmviz.experiments.text_statistics import counting, longest_copy
from llmviz.texts.own import LONGEST
from llmviz.views import differences as pictures
from llmviz.views.differences import pretraining
from llmviz.views.differences.pretraining import OWN, Pretraining, read

write = functools.partial(learning.write_tokens, n=8)
DOG = "The dog sleeps on the mat. The cat sees the dog and runs to the tree. "
TEXT = "\n".join(DOG.replace("dog", animal) for animal in ("dog", "fox", "hen", "cow", "pig", "owl")) * 12
NUMBERS = "\n".join(f"{i} plus {i + 1} is {2 * i + 1}, and {i} times 2 is {2 * i}." for i in range(120))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Sentences of eight tokens: each training writes dozens of them, which takes longer than the training."""
    for module in (pretraining, experiments.training_run):
        monkeypatch.setattr(module, "write_tokens", write)


def own(text: str, **options) -> Pretraining:
    return Pretraining(OWN, own=text, **{"start": "The", "steps": 22, **options})


@functools.cache
def trained(text: str) -> Pretraining:
    """Trained to its end; outside a notebook the press of the button does all of it."""
    made = own(text)
    made.parts["train"].click()
    return made


# --- texts ---


def test_a_text_of_ones_own_is_typed_or_a_file(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("Grüße\n" * 3, "utf-8")
    assert read(OWN, str(file)).text == "Grüße\n" * 3
    assert read(OWN, " typed ").text == "typed"
    assert read(OWN, "typed", letters=3).text == "typ"
    assert read(OWN, "x" * 300).text == "x" * 300  # longer than a file's name can be
    file.write_bytes(b"\x89PNG\0\0")
    for typed in (str(file), str(tmp_path / "none.txt"), "", "  \n"):
        assert (read(OWN, typed).text, bool(read(OWN, typed).message)) == ("", True)
    long = read(OWN, "long " * 1_000_000)
    assert len(long.text) == LONGEST
    assert re.search(holding("500,000"), long.message)


@pytest.mark.parametrize("typed", ["", "two words", "\ud83d"])
def test_a_text_that_is_too_short_is_a_sentence(typed):
    made = own(typed)
    made.parts["train"].click()
    assert made.parts["status"].sentences[0][0].isupper()
    assert made.trace is None
    assert not made.parts["train"].disabled


# --- training ---


def test_a_training_is_seen_from_its_first_step_to_its_last():
    made = trained(TEXT)
    run, curves = made.trace, made.parts["curves"]
    assert [snapshot.step for snapshot in run.snapshots] == [0, 10, 20, 22]
    assert run.finished
    assert not made.parts["train"].disabled
    assert curves.x.tolist() == [0, 20]
    assert curves.values[1, 0] == pytest.approx(run.snapshots[0].held_out / np.log(2))
    assert curves.values[0, 1] < curves.values[0, 0]
    assert made.parts["sentence"].pieces == run.model.tokenizer.pieces(write(run.model, "The"))
    figures = repr(made.parts["figures"])
    copied = longest_copy(run.model.tokenizer.decode(write(run.model, "\n", n=100))[1:], run.learned)
    assert re.search(holding(len(copied)), figures)
    assert copied.split() == figures.split("[[")[-1].split("]]")[0].split()
    for n, line in zip((2, 5), curves.values[2:4], strict=True):
        assert line == pytest.approx(counting(run.model, run.learned, run.held_out, n).mean())
        assert re.search(holding(f"{line[0]:.2f}"), figures)
    probs = ops.softmax(run.snapshots[0].model.trace("The dog").logits)
    assert probs.max() < 0.05  # untrained, it knows nothing


def test_a_slider_plays_the_sentence_through():
    made = trained(TEXT)
    slider, strip = made.controls["step"], made.parts["sentence"]
    assert (slider.options, slider.value) == ((0, 10, 20, 22), 22)
    made.controls["start"].value = "A cat"
    for snapshot in made.trace.snapshots:
        slider.value = snapshot.step
        assert strip.pieces == snapshot.model.tokenizer.pieces(write(snapshot.model, "A cat"))
        assert re.search(holding(snapshot.step), strip.caption)
    made.controls["start"].value = "مرحبا " * 200  # longer than the model reads
    assert len(strip.pieces) <= SMALL.n_ctx
    made.controls["start"].value = ""
    assert strip.pieces == []
    made.controls["start"].value = "The"


def test_the_control_is_drawn_beside():
    control = own(TEXT, steps=40)
    made = own(TEXT, letters=2_000, steps=20, control=control)
    made.parts["train"].click()
    curves, figures = made.parts["curves"], made.parts["figures"]
    assert np.isnan(curves.values[4]).all()
    assert len(figures.heads) == 2
    assert re.search(holding(20), figures.heads[1])
    for seed in (0, 1):
        control.controls["seed"].value = seed
        control.parts["train"].click()
        of_control, held_out = control.parts["curves"].values, control.trace.held_out
        tokens = control.trace.model.tokenizer.encode(held_out)
        a_byte = of_control[1, :2] * len(tokens) / len(held_out.encode())
        assert curves.values[4] == pytest.approx(a_byte)  # each model has a vocabulary of its own
        own_column, of_first = zip(*(row[1:] for row in figures.sections[""]))
        assert numbers(of_first[1]) == pytest.approx([control.trace.a_byte().points[-1][2]], abs=0.01)
        assert re.search(holding(40), figures.heads[2])
        assert own_column != of_first


@in_event_loop
async def test_a_stopped_training_goes_on_or_begins_anew():
    made = own(TEXT, steps=400)
    options, answer = ["low", "level", "rises"], pictures.held_out_curve
    guess = pictures.PredictTraining("?", options, about=made, answer=answer, then=made)
    guess.card.change(guess=1, committed=True)
    train, stop = made.parts["train"], made.parts["learn"]
    train.click()
    await until(lambda: made.trace and len(made.trace.snapshots) > 1)
    assert train.disabled
    stop.click()
    assert not train.disabled
    step = made.trace.last.step
    assert re.search(holding(step, 400), repr(made.parts["status"]))
    assert (guess.card.answer, numbers(guess.card.verdict)) == (None, [400])  # not before that step
    stop.click()
    await until(lambda: scene(made).result("learn").last.step > step)
    assert made.parts["curves"].x[0] == 0  # the same training
    stop.click()
    assert not made.trace.finished
    train.click()
    await until(lambda: made.trace.last.step < step)
    assert made.parts["curves"].x.tolist() == [0]
    made.close()


def test_a_loss_that_runs_away_is_a_sentence(monkeypatch):
    monkeypatch.setattr(training, "pretrain", functools.partial(training.pretrain, lr=3))
    made = own(TEXT)
    made.parts["train"].click()
    assert re.search(holding("lr=3", "lr=0.003"), repr(made.parts["status"]))
    assert not made.parts["train"].disabled


# --- a guess about it ---


def test_a_guess_is_answered_when_the_model_is_trained():
    made, answer = own(TEXT, steps=1), pictures.final_surprise
    guess = pictures.PredictTraining("How much is left?", about=made, answer=answer, then=made)
    assert made.layout.display == "none"
    guess.card.change(guess=3, committed=True)
    assert made.layout.display == ""
    assert numbers(guess.card.verdict) == [1]  # not before that step
    made.parts["train"].click()
    assert guess.card.answer == pytest.approx(made.parts["curves"].values[1, -1])
    assert 3 in numbers(guess.card.verdict)


# --- one step ---


@pytest.fixture
def one():
    return pictures.OneParameter(trained(TEXT).trace.snapshots[0].model, "The dog sees")


def test_a_gradient_is_a_slope(one):
    numbers, parameter, curves = one.trace, one.controls["number"].value, one.parts["curves"]
    assert abs(numbers.gradient[parameter]) == np.abs(numbers.gradient).max()
    surprise, straight = curves.values
    middle = len(surprise) // 2
    assert surprise[middle] == straight[middle]
    slope = (surprise[middle + 1] - surprise[middle - 1]) / np.ptp(curves.x[middle - 1 : middle + 2])
    assert slope == pytest.approx(float(numbers.gradient[parameter]), rel=0.05)
    height = curves.y_max - curves.y_min
    one.parts["at_random"].click()
    assert re.search(holding(f"{one.controls['number'].value:,}"), repr(one.parts["message"]))
    assert curves.y_max - curves.y_min == pytest.approx(height)  # a number that matters less looks flat
    one.controls["text"].value = "The cat"
    assert one.controls["number"].value == int(np.abs(one.trace.gradient).argmax())


def test_all_numbers_together(one):
    every = pictures.GradientStep(one)
    card, curves = every.parts["card"], every.parts["curves"]
    assert curves.layout.display == "none"  # nothing before a guess
    card.change(guess=2, committed=True)
    along, at_random = curves.values
    assert along.min() < along[0] - 0.5
    assert np.abs(at_random - at_random[0])[:4].max() < 0.1
    assert card.answer == pytest.approx(along[0] - along[3]) == one.trace.gained(1)
    one.controls["text"].value = "x"
    assert numbers(repr(one.parts["message"])) == []  # it has no slope
    assert (card.layout.display, curves.layout.display) == ("none", "none")
    assert repr(every.parts["refusal"])
    one.controls["text"].value = "مرحبا 🙂" * 50
    assert "مرحبا" in card.question
    assert not card.committed  # the guess was about another text
    assert curves.layout.display == "none"


# --- whose ---


def test_the_writer_is_told_by_surprise():
    two = trained(TEXT), trained(NUMBERS)
    view = pictures.Authorship(*two)
    card = view.parts["card"]
    assert card.layout.display == "none"
    view.parts["write"].click()
    order = [who for who, _ in scene(view).result("write")]
    assert view.parts["first_by_a"].layout.display == "none"
    card.change(guess=0, committed=True)
    assert card.answer == order.index(0)
    readings = scene(view).readings
    surprise = np.array([[bits for *_, bits in models] for models in readings])
    assert surprise.argmin(axis=1).tolist() == order
    for i, which in enumerate(("first", "second")):
        who = order[i]
        finding = view.parts["findings"].sentences[i]
        assert numbers(finding) == pytest.approx(surprise[i], abs=0.01)
        assert "AB"[who] in finding.split(". ")[1]
        bits = -np.log2(view.parts[f"{which}_by_{'ab'[who]}"].weights[1:])
        text = two[who].trace.model.tokenizer.decode(readings[i][who][0][1:])
        assert bits.sum() / len(text.encode()) == pytest.approx(surprise[i, who], rel=1e-4)
    view.controls["seed"].value = 2
    assert (card.committed, card.layout.display) == (False, "none")


def test_a_page_begins_with_both_trainings_done_and_both_texts_written():
    two = own(TEXT, steps=1), own(NUMBERS, steps=1)
    view = pictures.Authorship(*two)
    for each in (*two, view):
        each.before_a_page()
    assert [each.trace.finished for each in two] == [True, True]
    shown = own(TEXT, steps=1)
    shown.parts["train"].click()
    assert len(repr(two[0].parts["status"])) > len(repr(shown.parts["status"]))  # that it was done before
    assert view.parts["card"].layout.display == ""
    assert not view.parts["card"].committed


def test_a_page_without_time_for_a_training_says_so(monkeypatch):
    monkeypatch.setattr(pretraining, "TRAINED_WITHIN", 0)
    monkeypatch.setattr(Pretraining, "_keep_up", lambda self: None)  # A press starts nothing by itself.
    made = own(TEXT, steps=1)
    made.before_a_page()
    assert (made.trace, made.state.lesson) == (None, None)
    assert made.state.message


def test_nothing_to_compare_is_said():
    untrained = pictures.Authorship(trained(TEXT), own(""))
    without_start = pictures.Authorship(trained(TEXT), trained(NUMBERS), start="")
    refusals = [repr(view.parts["refusal"]) for view in (untrained, without_start)]
    assert refusals[0] != refusals[1] != ""
    assert untrained.parts["write"].disabled
    assert without_start.parts["write"].disabled


# --- the map ---


def test_the_map_follows_the_training():
    made = own(TEXT, steps=1)
    view = pictures.TokenMap(made)
    flat, step, message = view.parts["flat"], view.controls["step"], view.parts["message"]
    assert flat.layout.display == "none"
    made.parts["train"].click()
    assert flat.layout.display == ""
    assert step.options == (0, 1)
    places = flat.places
    step.value = 0
    assert re.search(holding(0), flat.caption)
    assert not np.array_equal(places, flat.places)
    tokens, _, kinds = learning.frequent_pieces(made.trace.model, made.trace.learned)
    by_neighbours = learning.by_neighbours(made.trace.model, made.trace.learned, tokens)
    first = made.trace.snapshots[0].model.weights.W_E[tokens]
    shares = [100 * learning.share_of_kind(rows, kinds) for rows in (by_neighbours, first)]
    assert [numbers(repr(message))[i] for i in (3, 1)] == pytest.approx(shares, abs=1)
