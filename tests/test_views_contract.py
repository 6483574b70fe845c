"""What holds for each view that is a state, events and parts: what is on the screen depends on nothing else."""

import asyncio
import copy
import random
from dataclasses import fields, replace

import ipywidgets
import numpy as np
import pytest
from widget_tree import HOSTILE

from llmviz import views
from llmviz.views import differences, sampling
from llmviz.views.differences.learner import OWN, Learner
from llmviz.views.kit.view import MOST_STATES, Refused

TEXT, TEXTS = "The cat sat on the mat", ("the dog", "a", "The cat sat on the mat", "🙂 " * 70, "")
LESSON = " ".join(f"The {animal} sees the {other}." for animal in TEXT.split() for other in TEXT.split()) * 4


def learner(source, **state):
    """Make a learner whose trainings are kept with another one; the text of a page plays no part."""
    if not isinstance(source, Learner):
        source = Learner(OWN)
        source.goes_with_its_followers()
    return Learner(OWN, control=source, steps=2, **{"own": LESSON, **state})


def of_learner(view):
    """Make a view of a learner that is trained for a few steps."""

    def make(source, **state):
        if not isinstance(source, Learner):
            source = learner(source)
            source.goes_with_its_followers()
            source.parts["train"].click()
        return view(source, **state)

    return make


VIEWS = {
    "step by step": sampling.StepByStep,
    "continuations": lambda prompt, **state: sampling.Continuations(prompt, **{"n": 4, "length": 3, **state}),
    "learner": learner,
    "map of pieces": of_learner(differences.PiecesMap),
    "parts off": of_learner(differences.PartsOff),
}
NOT_COMPARED = {"layout", "style", "tooltip", "tabbable", "asked", "explanation", "keys", "comm"}

each_view = pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    real = asyncio.sleep
    monkeypatch.setattr("llmviz.views.kit.background.sleep", lambda _seconds: real(0))
    monkeypatch.setattr("llmviz.texts.read", lambda _name: LESSON)


def type_into(source, text):
    """Let a page's text be another one, or train a learner anew."""
    if isinstance(source, Learner):
        source.parts["train"].click()
    else:
        source.box.value = text


def screen(view):
    """Everything that the widgets of a view hold, as far as they are shown."""
    held = {}
    for name, widget in (view.parts | view.controls).items():
        held[name, "display"] = widget.layout.display or ""
        if widget.layout.display == "none":
            continue
        names = [trait for trait in widget.keys if not trait.startswith("_") and trait not in NOT_COMPARED]
        held |= {(name, trait): getattr(widget, trait) for trait in names}
    return held


def apart(one, other):
    """Names of what two screens hold differently; a number's last digits depend on which earlier run was reused."""
    return [
        name
        for name in one | other
        if name not in one or name not in other or not alike(one[name], other[name])
    ]


def alike(a, b):
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
    return a == b or repr(a) == repr(b)


def somewhere(rng, view):
    """A value that a page could send for a part's trait: mostly numbers of tokens and rows, or pairs of them."""
    n = len(getattr(view.run, "tokens", TEXT))
    return rng.choice(
        [rng.randrange(-1, n + 5), [rng.randrange(n + 5), rng.randrange(9)], None, rng.choice(HOSTILE)]
    )


def happen(rng, view):
    """Do one thing that a reader, or a hostile page, could do."""
    match rng.randrange(6):
        case 0 if view.controls:
            name = rng.choice([*view.controls])
            values = [*view._fields[name].on_page(view), *HOSTILE]
            view.controls[name].set_state({"value": rng.choice(values)})
        case 1 if not rng.randrange(3):
            type_into(view.source, rng.choice(TEXTS))
        case 2 | 3:
            buttons = [part for part in view.parts.values() if isinstance(part, ipywidgets.Button)]
            if buttons:
                rng.choice(buttons).click()  # a disabled one, too: the message may come late
        case _:
            traits = [
                (name, trait) for name, part in view.parts.items() for trait in getattr(part, "_by_page", ())
            ]
            if traits:
                name, trait = rng.choice(traits)
                if trait in view.parts[name].keys:
                    view.parts[name].set_state({trait: somewhere(rng, view)})


@each_view
@pytest.mark.parametrize("seed", range(2))
def test_the_screen_depends_on_state_text_and_results_alone(tiny_model, make, seed):
    rng = random.Random(seed)

    async def scene():
        view = make(views.Prompt(tiny_model, TEXT))
        for _ in range(100):
            happen(rng, view)
            for _ in range(rng.choice([0, 0, 1, 5])):
                await asyncio.sleep(0)
            if not rng.randrange(5):
                while view.needs(view.state) and view.busy:  # what waits for a result stays as it is
                    await asyncio.sleep(0)
                new = make(view.source)
                new.become(view.state)
                assert apart(screen(view), screen(new)) == []
                assert repr(view) == repr(new)
                new.close()
        view.close()

    asyncio.run(scene())


@each_view
def test_a_state_that_cannot_be_is_refused_and_changes_nothing(tiny_model, make):
    view = make(views.Prompt(tiny_model, TEXT))
    before, shown = view.state, screen(view)
    for declared in fields(view.state):
        for value in HOSTILE:
            if not declared.metadata["field"].accepts(value, view):
                state = copy.copy(before)
                object.__setattr__(
                    state, declared.name, value
                )  # past the types, which are checked in tests only
                with pytest.raises(Refused, match=declared.name):
                    view.become(state)
    assert view.state is before
    assert apart(shown, screen(view)) == []


@each_view
def test_a_page_holds_states_that_can_be(tiny_model, make):
    view = make(views.Prompt(tiny_model, TEXT))
    states = view.states()
    assert states[0] == view.state
    assert len(states) == len(set(states)) <= MOST_STATES
    for state in states[:: max(1, len(states) // 20)]:
        view.become(state)
        assert view.state == state


@each_view
def test_nothing_is_left_when_it_is_closed(tiny_model, make):
    prompt = views.Prompt(tiny_model, TEXT)
    make(prompt).close()  # what all views of a kind share is made now
    alive = {*ipywidgets.widgets.widget._instances}
    make(prompt).close()
    assert {*ipywidgets.widgets.widget._instances} == alive


@each_view
def test_a_change_is_one_message_a_widget(tiny_model, make, monkeypatch):
    view = make(views.Prompt(tiny_model, TEXT))
    sent = []
    for name, widget in (view.parts | view.controls).items():
        monkeypatch.setattr(widget, "_send", lambda *_, name=name, **__: sent.append(name), raising=False)
        monkeypatch.setattr(widget.comm, "send", lambda *_, name=name, **__: sent.append(name))
    for name, control in view.controls.items():
        declared, before = view._fields[name], view.state
        now = declared.shows(getattr(before, name), view)
        others = [value for value in declared.on_page(view) if declared.shows(value, view) != now]
        if not others:  # a box: a page holds what is typed in it
            continue
        after = replace(before, **{name: others[-1]})
        view.become(after)  # measures what is slow
        view.become(before)
        sent.clear()
        view.become(after)
        assert name in sent
        assert len(sent) == len(set(sent)), f"{name}: {sent}"
        assert control.value == getattr(after, name)


@each_view
def test_a_new_text_reaches_every_part(tiny_model, make):
    view, new = make(views.Prompt(tiny_model, TEXT)), make(views.Prompt(tiny_model, "the dog"))
    type_into(view.source, "the dog")
    assert apart(screen(view), screen(new)) == []
