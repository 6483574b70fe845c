"""What holds for each view that is a state, events and parts: what is on the screen depends on nothing else.

tests/mutants.py lists faults that these tests must find.
"""

import asyncio
import contextlib
import copy
import functools
import gc
import json
import math
import random
import re
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
from example_view import Example
from tiny_gguf import with_room_to_talk
from typed_texts import BAD_TEXTS
from widget_tree import HOSTILE, in_event_loop, inside

from llmviz import training, views
from llmviz.claims.differences_series import SERIES
from llmviz.experiments import facts, fine_tuning, learning
from llmviz.experiments.small_models import small
from llmviz.views import attention, differences, embeddings, ffn, position, sampling, tokenization
from llmviz.views.differences.pretraining import OWN, Pretraining
from llmviz.views.kit import as_code, measurements
from llmviz.views.kit.controls import Sentences
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.view import MOST_STATES, Refused, View

TEXT, TEXTS = "The cat sat on the mat", ("the dog", "a", "The cat sat on the mat", "🙂 " * 70, "")
SOME_CLAIMS = {page: claims[-1:] for page, claims in SERIES.items() if page in ("01", "06")}
LESSON = " ".join(f"The {animal} sees the {other}." for animal in TEXT.split() for other in TEXT.split()) * 4


def followed(view):
    """A view that is closed with the one that follows it."""
    view.close_with_followers()
    return view


def pretraining(_prompt=None):
    """A training at work, kept with another one."""
    return Pretraining(
        OWN, own=LESSON, steps=4, control=followed(Pretraining(OWN)), lesson=(OWN, LESSON, 4, 0, 1)
    )


def at_once(make, *arguments, **options):
    """Make a view where no event loop runs: what it begins is done when this returns."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make, *arguments, **options).result()


def trained():
    """A training that is done."""
    return followed(at_once(pretraining))


TAUGHT = {"examples": (("a", "b c"), ("d", "e"), ("f", "g")), "steps": 3}


def tuning(prompt):
    """A tuning that has been done."""
    return followed(
        at_once(differences.FineTuning, with_room_to_talk(prompt.language_model), committed=True, **TAUGHT)
    )


def two_sizes():
    return {"one": small(n_layers=1, n_heads=1, d_model=8), "two": small(n_layers=1, n_heads=1, d_model=16)}


@functools.cache
def small_model():
    return next(training.pretrain(LESSON, two_sizes()["one"], steps=1)).model


def of_fact(kind, **values):
    """A view of a fact in the reader's text, which has a twin for the tiny model."""
    return lambda prompt: kind(followed(ffn.Fact(prompt, "a")), **values)


def in_table(kind, *words):
    """A view of words in a model's table."""
    return lambda prompt: kind(prompt.language_model, *words)


VIEWS = {
    "example": Example,
    "temperature": sampling.TemperatureExplorer,
    "writing": lambda prompt: sampling.Writing(prompt, n=4),
    "chat end": lambda prompt: sampling.ChatEnd(prompt, n=4),
    "chain": sampling.SamplerChain,
    "switchboard": lambda prompt: views.Switchboard(prompt.language_model, prompt),
    "step by step": sampling.StepByStep,
    "journey": views.Journey,
    "stage tour": lambda prompt: views.StageTour(prompt.language_model, prompt),
    "loop": lambda prompt: views.LoopExplorer(prompt.language_model, prompt),
    "clocks": position.Clocks,
    "two hands": position.TwoHands,
    "unordered set": lambda prompt: position.UnorderedSet(prompt, " cat", " mat"),
    "shuffled head": position.ShuffledHead,
    "one back": position.OneBack,
    "swap": lambda prompt: position.SwapWords(prompt, " cat", " mat"),
    "positions": position.PositionSwitches,
    "text box": lambda prompt: views.Prompt(prompt.language_model, prompt.state.text),
    "heads off": lambda prompt: views.HeadsOff(prompt.language_model, prompt, committed=True),
    "guess card": lambda prompt: views.Predict(
        "How many tokens?", answer=lambda run: len(run.tokens), about=prompt, high=9, whole=True
    ),
    "guess card with options": lambda prompt: views.Predict(
        lambda run: f"Which of {len(run.tokens)}?",
        lambda run: run.pieces[:3],
        answer=lambda run: run.pieces[-1],
        about=prompt,
        explain=lambda run: run.pieces[0],
    ),
    "fact": lambda prompt: ffn.Fact(prompt, "a"),
    "patch map": of_fact(ffn.TokenMap, committed=True),
    "patch map of heads": of_fact(ffn.PatchMap, what="single heads", committed=True),
    "FFNs at the subject": of_fact(ffn.FFNsAtTheSubject, committed=True),
    "ten countries": lambda prompt: ffn.TenCountries(prompt.language_model, committed=True),
    "what the mover says": of_fact(ffn.WhatTheMoverSays),
    "one head by hand": lambda prompt: attention.HeadByHand(prompt, layer=1),
    "one FFN by hand": lambda prompt: ffn.FFNByHand(prompt, layer=1),
    "head explorer": attention.HeadExplorer,
    "sink": attention.Sink,
    "induction": lambda prompt: attention.Induction(prompt.language_model, n=8, off=2),
    "does it matter": of_fact(attention.DoesItMatter, committed=True),
    "why there": lambda prompt: attention.WhyThere(prompt, layer=2, head=1),
    "noun pair": lambda prompt: attention.NounPair(prompt, "a", 2),
    "cost": lambda prompt: attention.Cost(prompt.language_model, lengths=(4, 5, 6, 7, 8)),
    "two heads": lambda prompt: attention.TwoHeads(prompt.language_model, n=8, reader=(2, 1), writer=(0, 2)),
    "two heads, no writer yet": lambda prompt: attention.TwoHeads(prompt.language_model, n=6, reader=(1, 1)),
    "parameters": lambda prompt: differences.Parameters(prompt.language_model),
    "memory": lambda prompt: differences.Memory(prompt.language_model, 8e9),
    "claims of the series": lambda prompt: differences.ClaimsOfTheSeries(
        prompt.language_model, SOME_CLAIMS, committed=True
    ),
    "pretraining": pretraining,
    "fine-tuning": lambda prompt: differences.FineTuning(
        with_room_to_talk(prompt.language_model), committed=True, **TAUGHT
    ),
    "before and after": lambda prompt: differences.BeforeAfter(tuning(prompt)),
    "card to keep": lambda prompt: differences.CardToKeep(followed(differences.BeforeAfter(tuning(prompt)))),
    "cost of a tuning": lambda prompt: differences.Cost(tuning(prompt), committed=True),
    "amount of a tuning": lambda prompt: differences.Amount(tuning(prompt)),
    "one fact": lambda prompt: differences.OneFact(with_room_to_talk(prompt.language_model), committed=True),
    "one parameter": lambda prompt: differences.OneParameter(small_model(), "The cat"),
    "gradient step": lambda prompt: differences.GradientStep(
        followed(differences.OneParameter(small_model(), "The cat")), committed=True
    ),
    "sizes": lambda prompt: differences.Sizes(LESSON, two_sizes(), "Which?", steps=4, committed=True),
    "authorship": lambda prompt: differences.Authorship(trained(), trained(), committed=True),
    "map of tokens": lambda prompt: differences.TokenMap(trained()),
    "guess about a training": lambda prompt: differences.PredictTraining(
        "How much is left?",
        about=(source := trained()),
        answer=differences.final_surprise,
        then=source,
        high=20,
    ),
    "row": embeddings.RowExplorer,
    "two arrows": in_table(embeddings.ArrowExplorer, "#20", "#21"),
    "cosine": in_table(embeddings.CosineExplorer, "#20", "#21"),
    "neighbours": in_table(embeddings.NeighbourExplorer, "#20"),
    "analogy": in_table(embeddings.AnalogyExplorer, "#20", "#21", "#22"),
    "count of analogies": lambda prompt: embeddings.AnalogyCount(prompt.language_model, committed=True),
    "map of words": in_table(embeddings.WordMap, "few: #20 #21 #22\nmore: #23 #24 #25"),
    "senses": lambda prompt: embeddings.SenseExplorer(prompt.language_model),
}
VIEWS |= {
    "logit": ffn.LogitTakenApart,
    "article neuron": ffn.ArticleNeuron,
    "word neurons": lambda prompt: ffn.WordNeurons(prompt, words="cat, dog", committed=True),
    "tokens": tokenization.TextTokens,
    "merges": tokenization.MergeExplorer,
    "training": lambda _: tokenization.TrainingExplorer(TEXT * 3),
    "chat": lambda prompt: tokenization.ChatExplorer(prompt.language_model.tokenizer, TEXT),
    "languages": lambda prompt: tokenization.LanguageExplorer(
        prompt.language_model.tokenizer, {"English": "the cat", "German": "die Katze"}
    ),
    "letters": lambda prompt: tokenization.LettersExplorer(
        prompt.language_model, "How many?", about=1, kinds=[0, 1], committed=True
    ),
}
OPENED = {"bar"}  # a click takes it apart, and selects nothing
ON_AN_OPEN_CARD = {
    "Switchboard": {"switches", "message", "bars", "before"},
    "ClaimsOfTheSeries": {"table"},  # without results
    "Authorship": {"message"},
}
MOST_PLACES = 100  # of a part that are tried
NOT_COMPARED = {"layout", "style", "tooltip", "tabbable", "asked", "explanation", "keys", "comm"}

pytestmark = pytest.mark.usefixtures(
    "unchecked", "nothing_measured", "no_pauses"
)  # the engine's own tests check the shapes
each_view = pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)


@pytest.fixture(autouse=True)
def two_countries(monkeypatch):
    two = dict([*facts.CAPITALS.items()][:2])
    monkeypatch.setattr(facts, "CAPITALS", two)
    monkeypatch.setattr(fine_tuning, "CAPITALS", dict([*fine_tuning.CAPITALS.items()][:5]))
    monkeypatch.setattr("llmviz.experiments.fine_tuned.N_ASKED", 2)
    monkeypatch.setattr("llmviz.experiments.fine_tuning.STEPS_OF_A_FACT", 4)
    for name, answers in (("writing", fine_tuning.writing), ("answer_texts", fine_tuning.answer_texts)):
        monkeypatch.setattr(fine_tuning, name, lambda *given, answers=answers: answers(*given[:2], 3))
    monkeypatch.setattr("llmviz.texts.read", lambda _name: LESSON)
    monkeypatch.setattr(
        "llmviz.views.embeddings.analogy_count.pairs_of", lambda *_: [(20, 21), (22, 23), (24, 25)]
    )
    monkeypatch.setattr("llmviz.views.tokenization.letters.WORDS", ("cat", "dog", "cow", "ox", "ant"))
    monkeypatch.setattr("llmviz.views.ffn.detectors.LEAST", 0.0)
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)  # a training says how long it has worked
    write = functools.partial(learning.write_tokens, n=8)
    for module in ("experiments.training_run", "views.differences.pretraining"):
        monkeypatch.setattr(f"llmviz.{module}.write_tokens", write)


@pytest.fixture
def view(tiny_model, make):
    """One of `each_view`, on the first text."""
    return make(views.Prompt(tiny_model, TEXT))


def again(view):
    """A new view of the same state and inputs, made by the line of code that the view hands out, if it does."""
    made_with = {parameter.name: value for parameter, value in view._made_with}
    if view.copies_as_code:
        names = {"views": views, type(view).__name__: type(view)} | made_with
        new = eval(as_code.line_of(view, names), names)
    else:
        new = type(view)(**made_with)
        new.become(view.state)
    assert new.state == view.state
    return new


def of_page(view):
    """What the page alone sets, and the view neither reads nor draws, such as the cell that is pointed at."""
    read = {*view._events, *(declared.set_by for declared in view._fields.values())}
    drawn = {(name, trait) for name in view.parts for trait in view._drawn[name][1]}
    by_page = {name: {*getattr(part, "_by_page", ())} & {*part.keys} for name, part in view.parts.items()}
    theirs = {(name, trait) for name in by_page for trait in by_page[name]} - read - drawn
    # The summary says what is selected.
    return theirs | {(name, "summary") for name, trait in theirs if trait == "selected"}


def screen(view):
    """Everything that the widgets of a view hold, as far as they are shown, but what is `of_page`."""
    held, left_out = {}, of_page(view)
    for name, widget in (view.parts | view.controls).items():
        held[name, "display"] = widget.layout.display or ""
        if widget.layout.display == "none":
            continue
        names = [trait for trait in widget.keys if not trait.startswith("_") and trait not in NOT_COMPARED]
        held |= {(name, trait): getattr(widget, trait) for trait in names if (name, trait) not in left_out}
    return held


def differing(one, other):
    """Names of what two screens hold differently; a number's last digits depend on which earlier run was reused."""
    return [
        name
        for name in one | other
        if name not in one or name not in other or not alike(one[name], other[name])
    ]


def alike(a, b):
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if a is None or b is None:
            return False
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6) or repr(a) == repr(b)
    return a == b or repr(a) == repr(b)


def assert_drawn_anew_it_is_the_same(view):
    """A new view shows the same, except in parts that show the old result until the new one comes."""
    new = again(view)
    waits = {name for name, (scene, _) in view._drawn.items() if not view._still_holds(scene, view.state)}
    for name, trait in of_page(view):
        if name not in waits and view.parts[name].layout.display != "none":
            new.parts[name].set_trait(trait, getattr(view.parts[name], trait))
    assert not waits or view.busy
    assert {name for name, _ in differing(screen(view), screen(new))} <= waits
    assert waits or repr(view) == repr(new)
    for name in {name for name in view._explanations if view.parts[name].layout.display != "none"} - waits:
        asked, new.parts[name].asked = view.parts[name].asked, view.parts[name].asked
        assert (new.parts[name].asked, new.parts[name].explanation) == (asked, view.parts[name].explanation)
    new.close()


async def settled(view):
    """Wait until nothing runs, here or in another view of the source, and see that nothing is left to do."""
    for _ in range(5_000):
        needed = view.needed(view.state)
        if not view.busy and "running" not in [view._measured(job, view.state).status for job in needed]:
            break
        await asyncio.sleep(0)
    assert not view.busy
    assert view.by_itself(view.state) is None
    for job in view.needed(view.state):
        assert view._measured(job, view.state).status in ("done", "stopped")


def boxes(view):
    """The text boxes that a view follows or shows."""
    return [box for box in {*inside(view, Prompt), view.source} if isinstance(box, Prompt)]


def others_on_page(view, name):
    """The values of a field that a page holds, but the one that it has."""
    return [value for value in view._fields[name].on_page(view) if value != getattr(view.state, name)]


def buttons(view):
    return {name: part for name, part in view.parts.items() if isinstance(part, ipywidgets.Button)}


def somewhere(rng, view):
    """A value that a page could send for a part's trait: mostly numbers of tokens and rows, or pairs of them."""
    n = len(getattr(view.run, "tokens", "some"))
    return rng.choice(
        [rng.randrange(-1, n + 5), [rng.randrange(n + 5), rng.randrange(9)], None, rng.choice(HOSTILE)]
    )


def happen(rng, view):
    """Do one thing that a reader, or a hostile page, could do."""
    match rng.randrange(6):
        case 0 if view.controls:
            name = rng.choice([*view.controls])
            values, control = [*view._fields[name].on_page(view), *HOSTILE], view.controls[name]
            if "index" in control.keys:  # of a list, the page sends the place
                control.set_state({"index": rng.choice([*range(len(control.options)), *HOSTILE])})
            else:
                control.set_state({"value": rng.choice(values)})
        case 1 if boxes(view) and not rng.randrange(3):
            inputs = view.inputs()
            rng.choice(boxes(view)).box.value = rng.choice(TEXTS)
            if view.inputs() != inputs and type(view).fitted is View.fitted:
                of_text = {name for name, declared in view._fields.items() if not declared.outlives_text}
                assert {
                    name for name in of_text if getattr(view.state, name) != getattr(view.State(), name)
                } == set()
        case 2 | 3 if buttons(view):
            rng.choice([*buttons(view).values()]).click()  # a disabled one, too: the message may come late
        case _:
            traits = [
                (name, trait)
                for name, part in view.parts.items()
                for trait in (*getattr(part, "_by_page", ()), *(["asked"] * (name in view._explanations)))
            ]
            if traits:
                name, trait = rng.choice(traits)
                if trait in view.parts[name].keys:
                    possible = [*view.parts[name].page_values().get(trait, ())]
                    value = rng.choice(possible) if possible and rng.randrange(2) else somewhere(rng, view)
                    view.parts[name].set_state({trait: [rng.randrange(9)] if trait == "asked" else value})


@each_view
@pytest.mark.parametrize(("most_bytes", "n_events"), [(measurements.MAX_BYTES, 200), (-1, 50)])
@in_event_loop
async def test_the_screen_depends_on_state_text_and_results_alone(
    tiny_model, make, most_bytes, n_events, monkeypatch
):
    monkeypatch.setattr(measurements, "MAX_BYTES", most_bytes)
    rng = random.Random(most_bytes)
    view = make(views.Prompt(tiny_model, TEXT))
    for i in range(n_events):
        happen(rng, view)
        view.check(view.state)
        for _ in range(rng.choice([0, 0, 1, 5])):
            await asyncio.sleep(0)
        if i % 10 == 9:
            if rng.randrange(2):
                await settled(view)
            assert_drawn_anew_it_is_the_same(view)
    view.close()


@each_view
@in_event_loop
async def test_a_job_may_be_stopped_in_the_middle(tiny_model, make):
    view, stopped = make(views.Prompt(tiny_model, TEXT)), 0
    for name, job in view.jobs.items():
        if job.start and not view._work[name].doing:
            view.parts[name].click()
        for _ in range(4):
            await asyncio.sleep(0)
        if view._work[name].doing:
            so_far = view._measured(name, view.state)
            view.parts[name].click()
            assert not view._work[name].doing
            known = view._measured(name, view.state)
            assert (known.status, known.share) == ("stopped", so_far.share)
            assert known.result is so_far.result
            assert_drawn_anew_it_is_the_same(view)
            view.parts[name].click()
            stopped += 1
        await settled(view)
    whole = make(views.Prompt(tiny_model, TEXT))  # not before: of trainings one runs at a time
    await settled(whole)
    for name, job in view.jobs.items():
        if job.start:
            whole.parts[name].click()
            await settled(whole)
    assert bool(stopped) == bool(view.jobs)
    assert differing(screen(view), screen(whole)) == []


@each_view
@in_event_loop
async def test_a_button_that_cannot_be_pressed_does_nothing(tiny_model, make):
    view = make(views.Prompt(tiny_model, TEXT))
    await settled(view)
    for button in buttons(view).values():
        before, shown = view.state, screen(view)
        if button.disabled or button.layout.display == "none":
            button.click()
            assert not view.busy
            assert view.state == before
            assert differing(shown, screen(view)) == []


@each_view
@in_event_loop
async def test_results_are_kept_under_all_that_they_depend_on(tiny_model, make):
    async def done(view):
        await settled(view)
        for name, job in view.jobs.items():
            if job.start:
                view.parts[name].click()
                await settled(view)

    view = make(views.Prompt(tiny_model, TEXT))
    await done(view)
    for name in view._fields if view.jobs else ():
        if values := others_on_page(view, name):
            view.become(replace(view.state, **{name: values[len(values) // 2]}))
            await done(view)
            new = make(views.Prompt(tiny_model, TEXT))
            new.become(view.state)
            await done(new)
            assert differing(screen(view), screen(new)) == [], name
            new.close()


class Unreadable(dict):
    def __getitem__(self, name):
        raise AssertionError(f"{name} was read from the screen")


@each_view
def test_drawing_reads_no_widget_and_is_the_same_each_time(view):
    first = {name: traits for name, (_, traits) in view._drawn.items()}
    view.parts = view.controls = Unreadable()
    for name in (*view._parts, *view._looks):
        traits = view.draw(name, view.scene(view.state))
        assert differing(traits or {"hidden": True}, first[name]) == [], name


@each_view
def test_a_state_that_cannot_be_is_refused_and_changes_nothing(view):
    before, shown = view.state, screen(view)
    for name, declared in view._fields.items():
        hostile = [value for value in HOSTILE if not declared.accepts(value, view)]
        assert hostile, f"{name} takes anything"
        for value in hostile:
            state = copy.copy(before)
            object.__setattr__(state, name, value)  # past the types, which are checked in tests only
            with pytest.raises(Refused, match=name):
                view.become(state)
            assert view.state is before
    assert differing(shown, screen(view)) == []


@each_view
def test_a_control_can_hold_what_its_field_accepts(view):
    before = view.state
    for name, control in view.controls.items():
        declared = view._fields[name]
        for value in [value for value in HOSTILE if declared.accepts(value, view)]:
            with contextlib.suppress(Refused):  # beside the other fields
                view.become(replace(before, **{name: value}))
                assert control.value == view.shows(name, view.scene(view.state))["value"]
                view.become(before)


@each_view
def test_an_open_card_hides_all_that_could_give_its_answer_away(view):
    if isinstance(view, GuessFirst):
        view.become(replace(view.state, committed=False))
        shown = {name for name, part in view.parts.items() if part.layout.display != "none"}
        shown -= {"card", "refusal", *buttons(view)}
        assert shown <= ON_AN_OPEN_CARD.get(type(view).__name__, set())


@each_view
def test_what_cannot_be_drawn_changes_nothing(view, monkeypatch):

    def fails(_view, scene):
        raise ArithmeticError(scene.state)

    for name in view._fields:
        values = others_on_page(view, name)
        if values and view.parts:
            before, shown = view.state, screen(view)
            with monkeypatch.context() as patch:
                patch.setattr(view, "_parts", dict.fromkeys(view._parts, fails))
                patch.setattr(view, "_drawn", {})
                with pytest.raises(ArithmeticError):
                    view.become(replace(before, **{name: values[0]}))
            assert view.state is before
            assert differing(shown, screen(view)) == []


@each_view
def test_no_value_that_a_page_sends_breaks_it(view):
    for widget in (view.parts | view.controls).values():
        traits = (*getattr(widget, "_by_page", ("value", "index")), "asked")
        for trait in {*traits} & {*widget.keys} if not isinstance(widget, ipywidgets.HTML) else ():
            for value in HOSTILE:
                widget.set_state({trait: value})
                assert by_page_as_drawn(view) == []
    assert_drawn_anew_it_is_the_same(view)


def by_page_as_drawn(view):
    """Return what the page may set of the parts, where they do not hold what the view has drawn."""
    drawn = {name: (part, view._drawn[name][1]) for name, part in view.parts.items()}
    return [
        (name, trait)
        for name, (part, traits) in drawn.items()
        for trait in {*getattr(part, "_by_page", ())} & traits.keys()
        if not alike(getattr(part, trait), traits[trait])
    ]


@each_view
@in_event_loop
async def test_what_the_page_selects_is_selected(tiny_model, make):
    """At least where the view shows that very place: it may take the nearest one that it has."""
    view = make(views.Prompt(tiny_model, TEXT))
    for name, part in view.parts.items():
        if name in OPENED:
            continue
        await settled(view)  # a picture that waits for a job shows what it showed before
        taken = []
        places = part.page_values().get("selected", ()) if isinstance(part, Picture) else ()
        for place in [place for place in places if place is not None][:MOST_PLACES]:
            before = view.state
            part.set_state({"selected": place})
            if view.state != before:
                taken.append(alike(part.selected, place))
        assert any(taken) or not taken, name
    view.close()


@each_view
def test_the_page_sets_only_what_it_may(view):
    for part in view.parts.values():
        if isinstance(part, Picture):
            for trait in {*part.keys} - {*part._by_page, "asked"}:
                before = getattr(part, trait)
                for value in (99, "<script>", [], True):
                    part.set_state({trait: value})
                    assert getattr(part, trait) is before, trait


@each_view
def test_a_page_holds_states_that_can_be(view):
    states = [*dict.fromkeys((*view.states(), *view.at_any_price()))]
    assert states[0] == view.state
    assert len(states) == len(set(states)) <= MOST_STATES
    for scene, _ in view._drawn.values():
        reads = {
            *scene.state.read,
            *(read for job, _ in scene.measured_read for read in view.jobs[job].reads),
        }
        for name in reads:
            held = {getattr(state, name) for state in states}
            assert held >= {*view._fields[name].on_page(view)} or len(states) == MOST_STATES
    for state in states[:: max(1, len(states) // 5)]:
        view.become(state)
        assert view.state == state


@each_view
@in_event_loop
async def test_nothing_is_left_when_it_is_closed(tiny_model, make):
    make(views.Prompt(tiny_model, TEXT)).close()  # what all views of a kind share is made now
    prompt = views.Prompt(tiny_model, TEXT)
    alive = {*ipywidgets.widgets.widget._instances}
    view = make(prompt)
    for name in buttons(view):
        if view.parts[name].description.lower() != "stop":
            view.parts[name].click()
    await asyncio.sleep(0)
    shown, held = repr(view), weakref.WeakSet(view.parts.values())
    view.close()
    assert {*ipywidgets.widgets.widget._instances} == alive
    assert repr(view) != shown
    view.close()  # once more is nothing
    for _ in range(3):  # what was cancelled ends
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    assert [*held] == []
    await settled(make(prompt))  # it does what the closed one left undone
    prompt.box.value = "the dog"  # nobody follows it any more


@each_view
def test_a_change_is_one_message_a_widget(view, monkeypatch):
    sent = []
    for name, widget in (view.parts | view.controls).items():
        for way in filter(None, (widget, getattr(widget, "_changes", None))):
            monkeypatch.setattr(way.comm, "send", lambda *_, name=name, **__: sent.append(name))
    for name, control in view.controls.items():
        before = view.state
        now = view.shows(name, view.scene(before))
        states = [replace(before, **{name: value}) for value in others_on_page(view, name)]
        states = [state for state in states if view.shows(name, view.scene(state)) != now]
        if not states:
            continue
        after = states[0]
        view.become(after)  # measures what is slow
        view.become(before)
        sent.clear()
        view.become(after)
        assert name in sent
        assert len(sent) == len(set(sent)), f"{name}: {sent}"
        assert control.value == view.shows(name, view.scene(after))["value"]
        sent.clear()
        view.become(after)
        assert sent == []


@each_view
def test_any_text_reaches_every_part(view):
    typed = [
        control
        for control in view.controls.values()
        if isinstance(control, ipywidgets.Text | ipywidgets.Textarea)
    ]
    for box in [*typed, *(box.box for box in boxes(view))]:
        for text in BAD_TEXTS:
            box.value = text
            assert_drawn_anew_it_is_the_same(view)
            assert repr(view) or any(part.sentences for part in inside(view, Sentences))
            for part in {*view.parts.values()} - {box}:
                json.dumps(part.get_state(), default=str, ensure_ascii=False).encode()  # it can be sent


@each_view
def test_the_text_form_has_every_picture_and_nothing_private(view):
    for button in buttons(view).values():
        button.click()
    for name, widget in view.parts.items():
        assert widget in [*inside(view)], f"{name} stands nowhere"
        if isinstance(widget, Picture):
            assert (repr(widget) in repr(view)) == (widget.layout.display != "none"), name
    assert not re.search(r"IPY_MODEL|Layout\(|Style\(|0x[0-9a-f]{6}|llmviz\.|ndarray|array\(", repr(view))
