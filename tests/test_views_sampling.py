"""The pictures on sampling without a browser, and the chain of steps behind them."""

import asyncio
import re
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
from messages import holding, numbers

from llmviz import ops, sampling
from llmviz.experiments import write_on
from llmviz.sampling import Sampler
from llmviz.views import Prompt
from llmviz.views import sampling as pictures
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.view import Refused
from llmviz.views.sampling.sampler_cards import PRESETS
from llmviz.views.sampling.written_text import WrittenText, place

TEXT = "The capital of France is"


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(0, 3, 500).astype(np.float32)


def test_the_chain_in_the_sampler_s_order_is_the_sampler(logits):
    steps = [("temperature", 0.7), ("top_k", 40), ("top_p", 0.9), ("min_p", 0.02)]
    last = sampling.chain(logits, steps)[-1].probs
    np.testing.assert_allclose(last, Sampler(0.7, 40, 0.9, 0.02).probs(logits), rtol=1e-5)


def test_the_order_of_the_chain_matters(logits):
    hot_first = sampling.chain(logits, [("temperature", 2.0), ("top_p", 0.9)])[-1].probs
    hot_last = sampling.chain(logits, [("top_p", 0.9), ("temperature", 2.0)])[-1].probs
    assert (hot_first > 0).sum() > (hot_last > 0).sum()
    probs = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    kept = sampling.top_p(probs, 0.9).probs
    np.testing.assert_allclose(hot_last, np.sqrt(kept) / np.sqrt(kept).sum(), rtol=1e-4)


def test_an_unknown_step_is_named(logits):
    with pytest.raises(ValueError, match="no step 'top_q'"):
        sampling.chain(logits, [("top_q", 1)])


def test_entropy_and_mass():
    assert sampling.entropy(np.full(8, 1 / 8, np.float32)) == pytest.approx(3)
    assert sampling.entropy(np.array([1, 0, 0], np.float32)) == 0
    assert sampling.mass_outside(np.array([0.1, 0.6, 0.3], np.float32), 2) == pytest.approx(0.1, abs=1e-6)


def test_surprise_is_minus_log2_of_the_probability():
    logits = np.log2(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [1, 1, 1]])) * np.log(2)
    np.testing.assert_allclose(
        sampling.surprise(logits.astype(np.float32), [0, 1, 1]), [2, -np.log2(0.8)], rtol=1e-5
    )


def test_the_temperature_moves_bars_and_numbers(tiny_model):
    explorer = pictures.TemperatureExplorer(Prompt(tiny_model, TEXT))
    probs = []
    for temperature in (0.0, 1.0, 10.0):
        explorer.temperature.value = temperature
        probs.append(float(explorer.bars.probs[0]))
        want = sampling.with_temperature(tiny_model.trace(TEXT).logits, temperature)
        assert f"{sampling.entropy(want):.1f} bits" in repr(explorer.told)
    assert probs[0] == 1
    assert probs[1] > probs[2]


@pytest.mark.parametrize("kind", ["TemperatureExplorer", "Draws"])
def test_no_temperature_changes_the_order(tiny_model, kind):
    """Not at 0 either, where all but one have nothing."""
    explorer = getattr(pictures, kind)(Prompt(tiny_model, TEXT))
    order = np.argsort(-tiny_model.trace(TEXT).logits, kind="stable")[:15].tolist()
    for temperature in (0, 0.3, 2, 10):
        explorer.temperature.value = temperature
        assert explorer.bars.ids == order


def test_the_chain_keeps_the_order_of_what_it_cuts(tiny_model):
    chain = pictures.SamplerChain(Prompt(tiny_model, TEXT))
    cards, bars = chain.parts["cards"], chain.parts["bars"]
    order = np.argsort(-tiny_model.trace(TEXT).logits, kind="stable")[:15].tolist()
    cards.change(on=["top_k"], settings={**cards.settings, "top_k": 1})
    assert (bars.ids, bars.probs[1:].max()) == (order, 0)


def test_the_extremes_are_named(tiny_model):
    explorer = pictures.TemperatureExplorer(Prompt(tiny_model, TEXT))
    for button, (_, to) in zip(explorer.jumps, [("", 0.0), ("", 0.5), ("", 1.0), ("", 2.0), ("", 10.0)]):
        button.click()
        assert explorer.temperature.value == to
        assert explorer.bars.before is None or to != 1
    n = tiny_model.config.n_vocab
    assert re.search(holding(f"{np.log2(n):.1f}", f"{n:,}"), repr(explorer.told))  # all but equally likely
    explorer.jumps[0].click()
    assert re.search(holding("0.0"), repr(explorer.told))  # bits: one token gets everything


def test_the_three_steps_are_softmax(tiny_model):
    trace = tiny_model.trace(TEXT)
    steps = pictures.softmax_steps(trace, n=4)
    order = np.argsort(-trace.logits)
    tokens = order[[rank - 1 for rank in steps.ranks]]
    assert steps.ranks[:4] == [1, 2, 3, 4]
    assert steps.ranks[-1] == len(trace.logits)
    logits = trace.logits.astype(np.float64)
    powers = np.exp(logits - logits.max())
    want = np.stack([logits[tokens], powers[tokens], powers[tokens] / powers.sum()], axis=1)
    np.testing.assert_allclose(steps.values, want, rtol=1e-4)
    assert steps.power_sum == pytest.approx(powers.sum(), rel=1e-4)
    for col in range(3):
        steps.asked = [1, col]
        assert float(steps.explanation["result"].replace("−", "-")) == pytest.approx(want[1, col], rel=1e-3)


def test_cards_say_what_they_keep_and_cut(tiny_model):
    chain = pictures.SamplerChain(Prompt(tiny_model, TEXT))
    cards, bars = chain.parts["cards"], chain.parts["bars"]
    cards.change(on=["top_k"], settings={**cards.settings, "top_k": 3})
    probs = np.sort(Sampler().probs(chain.source.trace.logits))[::-1]
    assert cards.left["top_k"]["kept"] == 3
    assert cards.left["top_k"]["cut"] == pytest.approx(1 - probs[:3].sum(), abs=1e-5)
    assert np.count_nonzero(bars.probs) == 3
    assert "top_p" not in cards.left
    assert "top_p" in cards.text()


def test_the_cards_can_change_places(tiny_model):
    chain = pictures.SamplerChain(Prompt(tiny_model, TEXT))
    cards = chain.parts["cards"]
    logits = chain.source.trace.logits
    settings = {"temperature": 3.0, "top_k": 40, "top_p": 0.5, "min_p": 0.05}
    cards.change(on=["temperature", "top_p"], settings=settings)
    kept = cards.left["top_p"]["kept"]
    assert kept == np.count_nonzero(Sampler(temperature=3.0, top_p=0.5).probs(logits))
    cards.order = ["top_p", "temperature", "top_k", "min_p"]
    assert chain.scene(chain.state).steps == (("top_p", 0.5), ("temperature", 3.0))
    assert cards.left["top_p"]["kept"] == np.count_nonzero(Sampler(top_p=0.5).probs(logits)) < kept
    before = chain.state
    cards.set_state({"order": ["top_p", "top_p", "top_k", "min_p"]})
    assert (chain.state, cards.order) == (before, [*before.order])
    with pytest.raises(Refused, match="order"):
        chain.become(replace(before, order=("top_p", "top_p", "top_k", "min_p")))


def test_a_page_holds_the_cards_in_every_order_and_one_setting_after_the_other(tiny_model):
    states = pictures.SamplerChain(Prompt(tiny_model, TEXT)).states()
    assert len({(state.order, state.on) for state in states}) >= 24 * 16
    assert {state.top_k for state in states} == {*range(1, 201)}
    assert {state.temperature for state in states if state.top_k != 40} == {2.0}


def test_a_preset_sets_every_card(tiny_model):
    chain = pictures.SamplerChain(Prompt(tiny_model, TEXT))
    cards, bars, presets = chain.parts["cards"], chain.parts["bars"], chain.parts["presets"]
    for preset, steps in PRESETS.items():
        cards.order = ["min_p", "temperature", "top_k", "top_p"]
        presets.value = preset
        assert chain.scene(chain.state).steps == steps
        assert presets.value == preset
        left = sampling.chain(chain.source.trace.logits, [("temperature", 1.0), *steps])[-1].probs
        np.testing.assert_allclose(bars.probs, left[bars.ids], rtol=1e-4, atol=1e-7)
    cards.settings = {**cards.settings, "temperature": 1.25}  # it is nobody's any more
    assert presets.value == "choose …"


@pytest.mark.parametrize("order", [sampling.STEPS, ("top_p", "temperature", "top_k", "min_p")])
def test_a_bar_behind_the_cards_explains_itself(tiny_model, order):
    chain = pictures.SamplerChain(Prompt(tiny_model, TEXT))
    cards, bars = chain.parts["cards"], chain.parts["bars"]
    cards.change(order=list(order), on=["temperature", "top_k", "top_p"])
    bars.asked = [1]
    assert float(bars.explanation["result"]) == pytest.approx(float(bars.probs[1]), rel=1e-3)


def test_draws_are_seeded_and_add_up(tiny_model):
    draws = pictures.Draws(Prompt(tiny_model, TEXT))
    likeliest = np.argsort(-tiny_model.trace(TEXT).logits, kind="stable")[: len(draws.bars.ids)]
    assert draws.bars.ids == likeliest.tolist()  # whether they were drawn or not
    first = draws.bars.probs.copy()
    draws.seed.value = 2
    assert not np.array_equal(first, draws.bars.probs)
    draws.seed.value = 1
    np.testing.assert_array_equal(first, draws.bars.probs)
    np.testing.assert_allclose(draws.bars.probs * 200, np.round(draws.bars.probs * 200), atol=1e-3)
    draws.bars.asked = [0]
    assert float(draws.bars.explanation["result"]) == pytest.approx(float(draws.bars.probs[0]), rel=1e-3)


def test_surprise_shades_and_tells(tiny_model):
    shown = pictures.Surprise(Prompt(tiny_model, TEXT))
    trace = tiny_model.trace(TEXT)
    for i in (1, len(trace.tokens) - 1):
        probs = Sampler().probs(tiny_model.trace(trace.tokens[:i]).logits)
        assert shown.strip.weights[i] == pytest.approx(probs[trace.tokens[i]], rel=1e-3)
    assert np.isnan(shown.strip.weights[0])
    shown.strip.asked = [2]
    assert float(shown.strip.explanation["result"]) == pytest.approx(float(shown.strip.weights[2]), rel=1e-3)
    shown.prompt.box.value = "a"
    assert bool(numbers(repr(shown.told))) == (len(shown.prompt.trace.tokens) > 1)


# The loop


@pytest.fixture
def loop(tiny_model):
    return pictures.StepByStep(Prompt(tiny_model, TEXT))


def step(loop, n):
    for _ in range(n):
        loop.parts["step"].click()


def written(loop):
    return loop.parts["text"].tokens[len(loop.source.tokens) :]


def test_a_step_appends_what_the_dart_hits_and_back_takes_it_away(loop, tiny_model):
    probs = Sampler().probs(tiny_model.trace(TEXT).logits)
    dart = sampling.draw(probs, np.random.default_rng(1))
    loop.parts["step"].click()
    assert written(loop) == [dart]
    assert loop.parts["text"].weights[-1] == pytest.approx(probs[dart], rel=1e-4)
    assert np.isnan(loop.parts["text"].weights[:-1]).all()
    loop.parts["step"].click()
    both = written(loop)
    loop.parts["back"].click()
    assert written(loop) == [dart]
    loop.parts["step"].click()
    assert written(loop) == both
    loop.parts["start_again"].click()
    assert written(loop) == []


def test_each_place_knows_its_rivals(loop, tiny_model):
    loop.controls["temperature"].value = 0.5
    loop.parts["step"].click()
    loop.parts["step"].click()
    k = loop.parts["text"].n_rivals
    ids = loop.parts["text"].tokens
    for i in range(2):
        logits = tiny_model.trace(ids[: len(loop.source.tokens) + i]).logits
        rivals = loop.parts["text"].places[i].rivals
        assert set(np.argsort(-logits)[: k - 1]) <= set(rivals)
        np.testing.assert_allclose(
            loop.parts["text"].own[i * k : i * k + k], ops.softmax(logits)[rivals], rtol=1e-3
        )
        odds = Sampler(temperature=0.5).probs(logits)[rivals]
        np.testing.assert_allclose(loop.parts["text"].odds[i * k : i * k + k], odds, rtol=1e-3)
        assert rivals[loop.parts["text"].picked[i]] == written(loop)[i]
    assert loop.parts["text"].picked[2] == -1


def test_a_note_names_the_model_s_own_probability_and_the_one_it_was_drawn_with(loop):
    for temperature in (1.0, 1.5, 0.0):
        loop.controls["temperature"].value = temperature
        loop.parts["step"].click()
        text, at = loop.parts["text"], len(written(loop)) - 1
        one = text.places[at]
        here = one.rivals.index(one.token)
        want = {percent(one.own[here]), percent(one.odds[here])}
        assert len(want) == (1 if temperature == 1 else 2)
        assert {*re.findall(r"[\d.]+%", text.notes[at])} == want


def test_every_probability_of_a_written_text_says_where_it_is_from(loop):
    loop.controls["temperature"].value = 0.5
    loop.parts["step"].click()
    loop.controls["temperature"].value = 1.5
    loop.parts["step"].click()
    k, first = loop.parts["text"].n_rivals, len(loop.source.tokens)
    for i, rival in ((0, loop.parts["text"].picked[0]), (1, 2)):
        loop.parts["text"].asked = [first + i, rival]
        told = loop.parts["text"].explanation
        assert float(told["result"]) == pytest.approx(float(loop.parts["text"].odds[i * k + rival]), rel=1e-3)
    loop.parts["text"].asked = [0, 0]  # the reader's own token: the model was not asked
    assert loop.parts["text"].explanation is None


def test_the_reader_takes_a_token_at_the_end_and_in_the_middle(loop, tiny_model):
    first = len(loop.source.tokens)
    ranked = np.argsort(-tiny_model.trace(TEXT).logits, kind="stable")
    loop.parts["text"].choice = [first, 3]
    assert written(loop) == [ranked[3]]
    assert loop.parts["text"].choice is None
    step(loop, 4)
    assert len(written(loop)) == 5 or loop.scene(loop.state).end
    loop.parts["text"].choice = [first, 1]
    assert written(loop) == [loop.parts["text"].places[0].rivals[1]]
    loop.parts["text"].choice = [first + 40, 1]  # no such place: nothing happens
    loop.parts["text"].choice = [first, 99]
    assert len(written(loop)) == 1


def test_first_choices_are_told_and_foretold(loop, tiny_model):
    step(loop, 5)
    n = len(loop.source.tokens)
    guesses = tiny_model.trace(loop.parts["text"].tokens).all_logits()[n - 1 : -1].argmax(axis=1)
    first = int((guesses == loop.parts["text"].tokens[n:]).sum())
    assert re.search(holding(5, first), repr(loop.parts["message"]))
    assert pictures.first_choices(loop.source.trace, 5) == first


def test_a_seed_writes_one_text_everywhere(loop, tiny_model):
    step(loop, 3)
    loop.parts["back"].click()
    step(loop, 3)
    assert written(loop) == [step.token for step in tiny_model.generate(TEXT, 5, seed=1)]


def test_stop_is_heard_and_a_new_text_ends_the_writing(loop, tiny_model):
    async def scene():
        loop.parts["write"].click()
        while len(written(loop)) < 3:
            await asyncio.sleep(0.001)
        loop.parts["stop"].click()
        n = len(written(loop))
        await asyncio.sleep(0.05)
        assert len(written(loop)) == n < 30
        loop.parts["write"].click()
        await asyncio.sleep(0.02)
        loop.source.box.value = "Another text"
        await asyncio.sleep(0.05)

    asyncio.run(scene())
    assert loop.parts["text"].tokens == tiny_model.tokenizer.encode("Another text")


def test_the_end_token_ends_the_loop(loop, tiny_model, monkeypatch):
    monkeypatch.setattr("llmviz.sampling.draw", lambda probs, rng: tiny_model.tokenizer.eos_token)
    loop.parts["write"].click()
    assert written(loop) == [tiny_model.tokenizer.eos_token]
    assert len(repr(loop.parts["message"])) > len(loop.parts["text"].how_sure())  # and why it ends
    assert pictures.first_choices(loop.source.trace, 9) <= 1
    loop.parts["back"].click()
    assert written(loop) == []


def test_the_button_that_was_pressed_keeps_the_focus(loop, tiny_model, monkeypatch):
    """One that is disabled loses it; where it leads nowhere, it does nothing."""

    def press(name):
        loop.parts[name].click()
        assert not loop.parts[name].disabled
        return loop.state

    async def writing():
        press("write")
        await asyncio.sleep(0.05)
        left = loop.state.more
        assert press("write").more == left > 0
        press("stop")
        press("start_again")

    asyncio.run(writing())
    assert press("back").written == ()
    monkeypatch.setattr("llmviz.sampling.draw", lambda probs, rng: tiny_model.tokenizer.eos_token)
    ended = press("step")
    assert press("step") == press("write") == ended


def test_repetition_is_marked_and_told(tiny_model):
    text = WrittenText(tiny_model)
    logits = tiny_model.trace(TEXT).logits
    prompt, tokens = [5, 6, 7, 8], [9, 5, 6, 7, 8, 9, 10]
    text.show(prompt)
    for token in tokens:
        text.append(place(tiny_model, logits, token=token))
    assert text.again == [5, 6, 7, 8, 9]
    assert sum(note != one.note for note, one in zip(text.notes, text.written, strict=True)) == 5
    told = text.how_sure()
    assert "71.4%" in told
    probs = ops.softmax(logits)[tokens]
    assert percent(probs[1:6].mean()) in told


def test_a_chat_marks_no_repetition(tiny_model):
    """Its second colour is what the template adds."""
    chat = pictures.ChatEnd(Prompt(tiny_model, TEXT), n=12)
    for text in chat.texts:
        text.show([5, 6, 7, 8, 9, 5, 6, 7, 8, 9])
        for token in (5, 6, 7, 8):
            text.append(place(tiny_model, tiny_model.trace(TEXT).logits, token=token))
        assert text.again == []
        assert not any("repetition" in note for note in text.notes)


# Two sides, the tree, the end


def test_two_sides_from_one_seed(tiny_model):
    writing = pictures.Writing(Prompt(tiny_model, TEXT), n=8)
    for temperature in writing.temperatures:
        temperature.value = 1.0
    writing.again.click()
    left, right = (list(text.pieces) for text in writing.texts)
    assert left == right
    want = [step.piece for step in tiny_model.generate(TEXT, 8, Sampler(), seed=1)]
    assert left[len(writing.prompt.tokens) :] == want
    writing.top_ps[1].value = 0.5
    want = [step.piece for step in tiny_model.generate(TEXT, 8, Sampler(top_p=0.5), seed=1)]
    assert writing.texts[1].pieces[len(writing.prompt.tokens) :] == want
    assert "top-p 0.5" in writing.texts[1].caption
    assert list(writing.texts[0].pieces) == left
    writing.temperatures[0].value = 0
    text = writing.texts[0]
    share = len(text.again) / len(text.written)
    assert writing.repetition(writing.prompt.trace) == pytest.approx(share)


def test_both_sides_come_token_by_token(tiny_model):
    async def scene():
        writing = pictures.Writing(Prompt(tiny_model, TEXT), n=30)
        seen = set()
        for _ in range(400):
            seen.add(tuple(len(text.pieces) for text in writing.texts))
            await asyncio.sleep(0.002)
        return seen

    assert len(asyncio.run(scene())) > 5


def test_the_tree_shows_the_branches(tiny_model):
    grown = pictures.Continuations(Prompt(tiny_model, TEXT), n=12, length=3)
    prompt = tiny_model.tokenizer.encode(TEXT)
    branches = list(
        sampling.continuations(
            lambda path: tiny_model.trace([*prompt, *path]).logits,
            12,
            3,
            seed=1,
            end=tiny_model.tokenizer.eos_token,
        )
    )
    tree = grown.parts["tree"]
    assert tree.counts == [one.count for one in branches]
    assert tree.counts[0] == 12
    assert grown.parts["progress"].layout.display == "none"  # wherever the clock had left the bar
    np.testing.assert_allclose(tree.probs, [one.probability for one in branches], rtol=1e-4)
    for i, parent in enumerate(tree.parents[1:], start=1):
        assert branches[parent].path == branches[i].path[:-1]
    tree.asked = [2]
    assert float(tree.explanation["result"]) == pytest.approx(float(tree.probs[2]), rel=1e-3)
    tree.asked = [0]  # the text itself was not drawn
    assert tree.explanation is None
    grown.controls["temperature"].value = 0.0
    assert set(tree.counts) == {12}
    assert numbers(tree.headline()) == [12]  # not in so many ways


def test_the_same_branch_stays_selected_in_another_tree(tiny_model):
    def way(tree):
        row, pieces = tree.selected, []
        while row is not None and row > 0:
            pieces, row = [tree.pieces[row], *pieces], tree.parents[row]
        return pieces

    grown = pictures.Continuations(Prompt(tiny_model, TEXT), n=30, length=3)
    tree, temperature = grown.parts["tree"], grown.controls["temperature"]
    likeliest = tiny_model.generate(TEXT, 3, Sampler(temperature=0))
    pieces = [step.piece for step in likeliest]
    temperature.value = 0
    tree.set_state({"selected": 1, "asked": [1]})
    assert way(tree) == pieces[:1]
    rows = set()
    for value in (0.6, 0.8, 1.0):
        temperature.value = value
        assert way(tree) in ([], pieces[:1])
        assert tree.asked is None
        rows.add(tree.selected)
    assert rows - {1, None}
    tree.set_state({"selected": len(tree.parents) - 1, "asked": [len(tree.parents) - 1]})
    temperature.value = 0
    assert (tree.selected, tree.asked) == (None, None)


def test_a_tree_that_is_stopped_at_once_keeps_its_place(tiny_model):
    async def scene():
        grown = pictures.Continuations(Prompt(tiny_model, TEXT), n=30, length=6)
        await asyncio.sleep(0)
        grown.parts["grow"].click()
        return grown

    grown = asyncio.run(scene())
    tree = grown.parts["tree"]
    assert tree.layout.display != "none"
    assert (tree.counts, tree.n, tree.length) == ([30], 30, 6)
    assert re.search(holding(0, 30), repr(grown.parts["message"]))


def test_a_new_text_while_the_tree_grows(tiny_model):
    async def scene():
        grown = pictures.Continuations(Prompt(tiny_model, TEXT), n=30, length=6)
        await asyncio.sleep(0.08)
        grown.source.box.value = "Another"
        await asyncio.sleep(0.01)
        grown.controls["n"].value = 4
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        return grown

    grown = asyncio.run(scene())
    assert grown.parts["tree"].n == 4
    assert grown.parts["tree"].counts[0] == 4
    assert (
        grown.parts["tree"].pieces[0]
        == tiny_model.tokenizer.pieces(tiny_model.tokenizer.encode("Another"))[-1]
    )


@pytest.mark.parametrize("kind", ["Writing", "Continuations"])
def test_a_text_taken_away_while_it_is_written(tiny_model, kind):
    async def scene():
        prompt = Prompt(tiny_model, TEXT)
        getattr(pictures, kind)(prompt)
        for text in ("", "A", "", TEXT, ""):
            prompt.box.value = text
            await asyncio.sleep(0.03)
        await asyncio.gather(
            *(asyncio.all_tasks() - {asyncio.current_task()})
        )  # raises what went wrong beside

    asyncio.run(scene())


@pytest.mark.slow
def test_the_end_token_comes_where_the_answer_ends(model):
    question = "Name three animals."
    chat = pictures.ChatEnd(Prompt(model, question), n=40)
    ended = [text.pieces[-1] == "<|im_end|>" for text in chat.texts]
    said = [re.sub(r"\d+", "", repr(told)) for told in chat.told]
    assert len({*said}) == len({*ended})
    for text, told in zip(chat.texts, chat.told):
        assert re.search(holding(len(text.written)), repr(told))
    assert chat.length(chat.prompt.trace) == len(chat.texts[0].written)
    asked = model.tokenizer.encode_chat([{"role": "user", "content": question}])
    assert chat.texts[0].n_prompt == len(asked)
    own = [
        piece for i, piece in enumerate(chat.texts[0].pieces[: len(asked)]) if i not in chat.texts[0].marked
    ]
    assert "".join(own) == question
    step = next(model.generate(asked, 1, Sampler(temperature=0)))
    end = ops.softmax(step.logits)[model.tokenizer.eos_token]
    assert chat.texts[0].weights[len(asked)] == pytest.approx(end, rel=1e-3)


def test_without_a_template_the_bare_question_is_still_answered(tiny_model, monkeypatch):
    def none(*_):
        raise ValueError("no <|im_start|>")

    monkeypatch.setattr("llmviz.tokenization.Tokenizer.encode_chat", none)
    chat = pictures.ChatEnd(Prompt(tiny_model, TEXT), n=5)
    assert "o <|im_start|>" in repr(chat.told[0])
    assert chat.texts[0].pieces == []
    assert len(chat.texts[1].pieces) > len(chat.prompt.tokens)
    assert re.search(holding(len(chat.texts[1].written)), repr(chat.told[1]))


def test_a_side_that_has_ended_says_so_while_the_other_is_written(tiny_model, monkeypatch):
    limits = iter((2, 40))

    def write(model, tokens, _n, *others, **options):
        return write_on(model, tokens, next(limits), *others, **{**options, "past_end": True})

    async def scene():
        chat = pictures.ChatEnd(Prompt(tiny_model, TEXT))
        at_first = [repr(told) for told in chat.told]
        while len(chat.texts[1].written) < 4:
            await asyncio.sleep(0.001)
        return at_first, [repr(told) for told in chat.told]

    monkeypatch.setattr("llmviz.views.sampling.side_by_side.write_on", write)
    at_first, now = asyncio.run(scene())
    assert re.search(holding(2), now[0])
    assert now[1] == at_first[1]


def test_the_program_may_go_on_after_the_end_token(tiny_model, monkeypatch):
    prompt = Prompt(tiny_model, TEXT)
    first = int(prompt.trace.logits.argmax())
    monkeypatch.setitem(vars(tiny_model.tokenizer), "eos_token", first)
    chat = pictures.ChatEnd(prompt, n=5)
    bare = chat.texts[1]
    assert [one.token for one in bare.written] == [first]
    chat.past.value = True
    tokens = list(prompt.tokens)
    for _ in range(5):
        tokens.append(int(tiny_model.trace(tokens).logits.argmax()))
    assert bare.tokens == tokens
    assert re.search(holding(5, tokens[-5:].count(first)), repr(chat.told[1]))


def test_the_share_of_the_right_token_at_each_temperature(tiny_model):
    plot = pictures.right_by_temperature(tiny_model, {"one": {TEXT: "a"}, "two": {TEXT: "a", "b": "c"}})
    probs = [
        sampling.with_temperature(tiny_model.trace(text).logits, 0.5)[tiny_model.tokenizer.encode(right)[0]]
        for text, right in ((TEXT, "a"), ("b", "c"))
    ]
    np.testing.assert_allclose(plot.values[:, 5], [probs[0], np.mean(probs)], rtol=1e-5)
    assert plot.x[5] == 0.5


ODD = [
    "",
    "   ",
    "<script>alert(1)</script>",
    "<|im_end|>",
    "\x00",
    "\ud83d",
    "🙂",
    "שלום",
    "word " * 400,
    "x" * 5000,
]


@pytest.mark.parametrize("text", ODD, ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("kind", ["TemperatureExplorer", "SamplerChain", "Draws", "Surprise"])
def test_whatever_is_typed(tiny_model, kind, text):
    prompt = Prompt(tiny_model, TEXT)
    getattr(pictures, kind)(prompt)
    prompt.box.value = text
    last = prompt.tokens or tiny_model.tokenizer.encode(TEXT)  # an empty box leaves the last run
    assert prompt.trace.tokens == last
    assert "<script>" not in prompt.message.value
    prompt.box.value = TEXT
    assert prompt.trace.tokens == tiny_model.tokenizer.encode(TEXT)


@pytest.mark.parametrize("text", ODD, ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("kind", ["StepByStep", "Writing", "Continuations"])
def test_whatever_the_loop_is_given(tiny_model, kind, text):
    made = {"StepByStep": {}, "Writing": {"n": 2}, "Continuations": {"n": 2, "length": 2}}[kind]
    box = Prompt(tiny_model, TEXT)
    explorer = getattr(pictures, kind)(box, **made)
    part = {"StepByStep": "text", "Continuations": "tree"}.get(kind)
    shown = explorer.parts[part] if part else explorer.texts[0]
    box.box.value = text
    prompt = box.tokens or tiny_model.tokenizer.encode(TEXT)
    assert box.trace.tokens == prompt
    last = tiny_model.tokenizer.pieces(prompt)[-1]
    assert shown.pieces[0 if kind == "Continuations" else len(prompt) - 1] == last
    if kind == "StepByStep":
        explorer.parts["step"].click()
        assert len(shown.tokens) == min(len(prompt) + 1, tiny_model.config.n_ctx)
    repr(explorer)


def test_one_prompt_leads_a_whole_page_and_outlives_its_pictures(tiny_model):
    alive = ipywidgets.widgets.widget._instances
    before = len(alive)
    prompt = Prompt(tiny_model, TEXT)
    kinds = ("TemperatureExplorer", "SamplerChain", "Draws", "Surprise", "StepByStep", "Writing", "ChatEnd")
    shown = {kind: getattr(pictures, kind)(prompt) for kind in (*kinds, "Continuations")}
    prompt.box.value = "the dog"
    trace = tiny_model.trace("the dog")
    probs = ops.softmax(trace.logits)
    np.testing.assert_allclose(shown["TemperatureExplorer"].bars.probs, np.sort(probs)[::-1][:15], rtol=1e-4)
    np.testing.assert_allclose(shown["Draws"].bars.before, np.sort(probs)[::-1][:15], rtol=1e-4)
    assert shown["Surprise"].strip.pieces == trace.pieces
    for text in (shown["StepByStep"].parts["text"], *shown["Writing"].texts, shown["ChatEnd"].texts[1]):
        assert text.pieces[: text.n_prompt] == trace.pieces
    for one in shown.values():
        one.close()
    assert prompt.box.comm is not None
    prompt.close()
    assert len(alive) == before
