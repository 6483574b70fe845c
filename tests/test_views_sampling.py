"""What the views of sampling promise beside the contract: the sampler's numbers, and buttons that do what they say."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from messages import holding
from widget_tree import said, scene

from llmviz import ops, sampling
from llmviz.experiments.answers import SUMS, is_right
from llmviz.experiments.places import place
from llmviz.sampling import Sampler
from llmviz.views import Prompt
from llmviz.views import sampling as pictures
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.view import Refused
from llmviz.views.sampling.sampler_cards import PRESETS
from llmviz.views.sampling.written_text import how_sure, note_of, written_text

TEXT = "The capital of France is"


@pytest.fixture
def trace(tiny_model):
    return tiny_model.trace(TEXT)


@pytest.fixture
def order(trace):
    """The 15 likeliest tokens."""
    return np.argsort(-trace.logits, kind="stable")[:15].tolist()


def test_the_bars_and_the_entropy_are_those_of_the_temperature(tiny_model, trace, order):
    view = pictures.TemperatureExplorer(Prompt(tiny_model, TEXT))
    bars = view.parts["bars"]
    for temperature in (0.3, 1.0, 2.0, 0.0):
        view.controls["temperature"].value = temperature
        probs = sampling.with_temperature(trace.logits, temperature)
        np.testing.assert_allclose(bars.probs, probs[order], rtol=1e-5)
        assert bars.ids == order  # at 0, too, where all but one have nothing
        bits = f"{sampling.entropy(probs):.1f}" if temperature else 0
        assert re.search(holding(bits), repr(view.parts["message"]))
        assert (bars.before is None) == (temperature == 1)
    for name, temperature in (("to_0", 0), ("to_half", 0.5), ("to_1", 1), ("to_2", 2)):
        view.parts[name].click()
        assert view.controls["temperature"].value == temperature


def test_the_three_steps_are_softmax(trace):
    steps = pictures.softmax_steps(trace, n=4)
    tokens = np.argsort(-trace.logits)[[rank - 1 for rank in steps.ranks]]
    assert (steps.ranks[:4], steps.ranks[-1]) == ([1, 2, 3, 4], len(trace.logits))
    logits = trace.logits.astype(np.float64)
    powers = np.exp(logits - logits.max())
    want = np.stack([logits[tokens], powers[tokens], powers[tokens] / powers.sum()], axis=1)
    np.testing.assert_allclose(steps.values, want, rtol=1e-4)
    assert steps.power_sum == pytest.approx(powers.sum(), rel=1e-4)


def test_a_grid_of_sums_has_each_answer_in_its_place(tiny_model):
    grid = pictures.sums(tiny_model)
    assert np.isfinite(grid.values).sum() == 2 * 36
    logits = tiny_model.trace(" 3 + 2 = ").logits
    five, best = tiny_model.tokenizer.encode("5")[0], tiny_model.tokenizer.pieces([int(logits.argmax())])[0]
    assert grid.values[2, 9 + 1] == pytest.approx(ops.softmax(logits)[five], rel=1e-4)
    assert grid.cell_text[2][9 + 1].startswith(best.strip() or "·")
    right = [
        is_right(tiny_model, before + text, answer) for before in ("", " ") for text, answer in SUMS.items()
    ]
    assert pictures.n_right_sums(tiny_model) == sum(right[:36])
    assert pictures.n_right_sums(tiny_model, " ") == sum(right[36:])


# The cards


@pytest.fixture
def chain(tiny_model):
    return pictures.SamplerChain(Prompt(tiny_model, TEXT))


def test_cards_say_what_they_keep_and_cut(chain, trace, order):
    cards, bars = chain.parts["cards"], chain.parts["bars"]
    cards.change(on=["top_k"], settings={**cards.settings, "top_k": 3})
    probs = np.sort(Sampler().probs(trace.logits))[::-1]
    assert cards.left["top_k"]["kept"] == 3
    assert cards.left["top_k"]["cut"] == pytest.approx(1 - probs[:3].sum(), abs=1e-5)
    assert np.count_nonzero(bars.probs) == 3
    assert bars.ids == order  # what is cut keeps its place
    assert "top_p" not in cards.left
    assert "top_p" in cards.text()


def test_the_cards_can_change_places(chain, trace):
    cards = chain.parts["cards"]
    settings = {"temperature": 3.0, "top_k": 40, "top_p": 0.5, "min_p": 0.05}
    cards.change(on=["temperature", "top_p"], settings=settings)
    hot_first = cards.left["top_p"]["kept"]
    assert hot_first == np.count_nonzero(Sampler(temperature=3.0, top_p=0.5).probs(trace.logits))
    cards.order = ["top_p", "temperature", "top_k", "min_p"]
    assert scene(chain).steps == (("top_p", 0.5), ("temperature", 3.0))
    hot_last = np.count_nonzero(Sampler(top_p=0.5).probs(trace.logits))
    assert cards.left["top_p"]["kept"] == hot_last < hot_first
    before = chain.state
    cards.set_state({"order": ["top_p", "top_p", "top_k", "min_p"]})
    assert (chain.state, cards.order) == (before, [*before.order])
    with pytest.raises(Refused, match="order"):
        chain.become(replace(before, order=("top_p", "top_p", "top_k", "min_p")))


def test_a_page_holds_the_cards_in_every_order_and_one_setting_after_the_other(chain):
    states = chain.states()
    assert len({state.order for state in states[:24]}) == 24  # of the cards that are on
    assert len({(state.order, state.on) for state in states}) >= 24 * 16
    assert {state.top_k for state in states} == {*range(1, 201)}
    assert {state.temperature for state in states if state.top_k not in (40, 50)} == {2.0}  # 50 is a preset's


def test_a_preset_sets_every_card(chain, trace):
    cards, bars, presets = (chain.parts[name] for name in ("cards", "bars", "presets"))
    for preset, steps in PRESETS.items():
        cards.order = ["min_p", "temperature", "top_k", "top_p"]
        presets.value = preset
        assert scene(chain).steps == steps
        assert presets.value == preset
        left = sampling.chain(trace.logits, [("temperature", 1.0), *steps])[-1].probs
        np.testing.assert_allclose(bars.probs, left[bars.ids], rtol=1e-4, atol=1e-7)
    cards.settings = {**cards.settings, "temperature": 1.25}  # it is nobody's any more
    assert presets.value == "choose …"


# The loop


@pytest.fixture
def loop(tiny_model):
    return pictures.StepByStep(Prompt(tiny_model, TEXT), more=0)


def step(loop, n=1):
    for _ in range(n):
        loop.parts["step"].click()


def written(loop):
    return [token for token, _ in loop.state.written]


def test_a_step_appends_the_drawn_token_and_back_takes_it_away(loop, tiny_model, trace):
    tokens = [step.token for step in tiny_model.generate(TEXT, 2, seed=1)]
    step(loop)
    weights = loop.parts["text"].weights
    assert written(loop) == tokens[:1]
    assert weights[-1] == pytest.approx(Sampler().probs(trace.logits)[tokens[0]], rel=1e-4)
    assert np.isnan(weights[:-1]).all()
    step(loop)
    assert written(loop) == tokens
    loop.parts["back"].click()
    assert written(loop) == tokens[:1]
    step(loop)
    assert written(loop) == tokens


def test_each_place_knows_its_rivals_and_how_likely_they_are(loop, tiny_model):
    for temperature in (0.5, 1.0, 0.0):
        loop.controls["temperature"].value = temperature
        step(loop)
    text, n = loop.parts["text"], len(loop.source.tokens)
    k, ids = text.n_rivals, [*loop.source.tokens, *written(loop)]
    for i, (here, temperature) in enumerate(zip(scene(loop).places, (0.5, 1.0, 0.0))):
        logits, rivals = tiny_model.trace(ids[: n + i]).logits, here.rivals
        assert {*np.argsort(-logits)[: k - 1]} <= {*rivals}
        own, odds = ops.softmax(logits)[rivals], Sampler(temperature=temperature).probs(logits)[rivals]
        np.testing.assert_allclose(text.own[i * k : i * k + k], own, rtol=1e-3)
        np.testing.assert_allclose(text.odds[i * k : i * k + k], odds, rtol=1e-3)
        assert rivals[text.picked[i]] == written(loop)[i]
        want = {percent(own[here.picked]), percent(odds[here.picked])}
        assert {*re.findall(r"[\d.]+%", text.notes[i])} == want
        assert len(want) == (1 if temperature == 1 else 2)
    assert text.picked[3] == -1


def test_the_reader_takes_a_token_at_the_end_and_in_the_middle(loop, order):
    text, first = loop.parts["text"], len(loop.source.tokens)
    text.choice = [first, 3]
    assert written(loop) == [order[3]]
    assert text.choice is None
    step(loop, 4)
    assert len(written(loop)) == 5 or scene(loop).end
    text.choice = [first, 1]
    assert written(loop) == [order[1]]
    text.choice = [first + 40, 1]  # no such place: nothing happens
    text.choice = [first, 99]
    assert len(written(loop)) == 1


def test_repetition_is_marked_and_counted(tiny_model, trace):
    prompt, tokens = [5, 6, 7, 8], [9, 5, 6, 7, 8, 9, 10]
    places = [place(tiny_model, trace.logits, Sampler(), token) for token in tokens]
    text = written_text(tiny_model, prompt, places)
    assert text["again"] == [5, 6, 7, 8, 9]
    assert sum(note != note_of(place) for note, place in zip(text["notes"], places, strict=True)) == 5
    assert re.search(holding(7, "71%"), how_sure(prompt, places))


def test_the_first_turns_are_taken_by_themselves(tiny_model):
    view = pictures.StepByStep(Prompt(tiny_model, TEXT))
    for _ in range(2):
        n = len(view.run.tokens)
        assert len(written(view)) == 10 or scene(view).end
        hits = [place - n for place in view.parts["text"].marked]
        likeliest = (
            tiny_model.trace([*view.run.tokens, *written(view)]).all_logits()[n - 1 : -1].argmax(axis=1)
        )
        assert hits == np.flatnonzero(likeliest == written(view)).tolist()
        assert len(hits) == pictures.first_choices(view.run, 10)
        assert re.search(holding(len(written(view)), len(hits)), said(view))
        view.source.box.value = "the dog"


# Two texts


def test_two_sides_from_one_seed(tiny_model):
    prompt = Prompt(tiny_model, TEXT)
    view = pictures.Writing(prompt, 8, left_temperature=1.0)

    def pieces(side):
        return view.parts[side].pieces[len(prompt.tokens) :]

    def generated(sampler):
        return [step.piece for step in tiny_model.generate(TEXT, 8, sampler, seed=1)]

    assert pieces("left") == pieces("right") == generated(Sampler())
    view.controls["right_temperature"].value = 0.5
    assert (pieces("left"), pieces("right")) == (generated(Sampler()), generated(Sampler(0.5)))


def test_repetition_is_foretold(tiny_model):
    view = pictures.Writing(Prompt(tiny_model, TEXT))
    left = view.parts["left"]
    again = len(left.again) / (len(left.pieces) - left.n_prompt)
    assert pictures.greedy_repetition(view.run) == pytest.approx(again)


@pytest.fixture
def chat(tiny_model):
    return pictures.ChatEnd(Prompt(tiny_model, TEXT), 5)


@pytest.mark.slow
def test_the_end_token_comes_where_the_answer_ends(model):
    question = "Name three animals."
    view = pictures.ChatEnd(Prompt(model, question), 40)
    left, right = view.parts["left"], view.parts["right"]
    said = [repr(view.parts[f"{side}_message"]) for side in ("left", "right")]
    for text, sentence in zip((left, right), said):
        assert re.search(holding(len(text.notes)), sentence)
    assert len({re.sub(r"\d+", "", sentence) for sentence in said}) == len(
        {text.pieces[-1] == "<|im_end|>" for text in (left, right)}
    )
    asked = model.tokenizer.encode_chat([{"role": "user", "content": question}])
    assert left.n_prompt == len(asked)
    own = [piece for i, piece in enumerate(left.pieces[: len(asked)]) if i not in left.marked]
    assert "".join(own) == question
    end = ops.softmax(model.trace(asked).logits)[model.tokenizer.eos_token]
    assert left.weights[len(asked)] == pytest.approx(end, rel=1e-3)
    assert left.again == []  # its second colour is what the template adds


@pytest.mark.parametrize("reason", ["no template", "no room"])
def test_without_a_template_the_bare_question_is_still_answered(tiny_model, chat, monkeypatch, reason):
    def none(*_):
        raise ValueError(reason)

    if reason == "no template":
        monkeypatch.setattr("llmviz.tokenization.Tokenizer.encode_chat", none)
    chat.source.box.value = "a" * (5 if reason == "no template" else tiny_model.config.n_ctx - 10)
    assert chat.parts["left"].pieces == []
    assert ("no template" in repr(chat.parts["left_message"])) == (reason == "no template")
    assert len(chat.parts["right"].notes) > 1
    assert re.search(holding(len(chat.parts["right"].notes)), repr(chat.parts["right_message"]))


@pytest.mark.usefixtures("unchecked")
def test_a_side_that_has_ended_says_so_while_the_other_is_written(chat):
    done = scene(chat)
    written = {"left": done.written["right"][:2], "right": done.written["right"][:4]}
    fixed = {"written": written, "prompts": done.prompts, "past": False, "run": done.run}
    running, stopped = (
        [chat.message(SimpleNamespace(status=lambda _job, now=now: now, **fixed), side) for side in written]
        for now in ("running", "stopped")
    )
    assert re.search(holding(2), running[0])
    assert running[0] == stopped[0]
    assert running[1] != stopped[1]


def test_the_program_may_go_on_after_the_end_token(tiny_model, trace, monkeypatch):
    first = int(trace.logits.argmax())
    monkeypatch.setitem(vars(tiny_model.tokenizer), "eos_token", first)
    chat = pictures.ChatEnd(Prompt(tiny_model, TEXT), 5)
    assert [place.token for place in scene(chat).written["right"]] == [first]
    text = chat.parts["right"]
    np.testing.assert_allclose(text.odds, text.own, rtol=1e-5)  # the model's, not those of the greedy choice
    chat.controls["past"].value = True
    tokens = list(trace.tokens)
    for _ in range(5):
        tokens.append(int(tiny_model.trace(tokens).logits.argmax()))
    assert [place.token for place in scene(chat).written["right"]] == tokens[-5:]
    assert re.search(holding(5, tokens[-5:].count(first)), repr(chat.parts["right_message"]))
