"""Every state that a page's controls can bring about, computed beforehand: what lets a page live without a kernel.

It runs inside the kernel, when all cells have run. First what the page shows from the beginning is done, and the cards
are committed; then each control is moved through its values, in copies of the process (`child`), and what that changes
is noted (`states`): for pictures whose controls act on each other a graph (`space`).
"""

from __future__ import annotations

import asyncio
import json
import math
import resource
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import ipywidgets
from ipykernel.comm.comm import BaseComm

from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.predict import GuessCard, Predict
from llmviz.views.kit.view import View
from llmviz.views.rehearsal.child import computed
from llmviz.views.rehearsal.controls import controls_of, probes_of
from llmviz.views.rehearsal.space import Space
from llmviz.views.rehearsal.states import Start, alive, as_a_script, encoded, parts

MOST_GUESSES = 200  # of one card


async def settle(seconds: float = 60) -> None:
    """Wait until nothing works beside the cells any more."""
    end = time.monotonic() + seconds
    while any(view._tasks for view in _views()):
        if time.monotonic() > end:
            return
        await asyncio.sleep(0.05)


def _views() -> list[Closable]:
    return [widget for widget in alive().values() if isinstance(widget, Closable)]


def prepare() -> None:
    """What a page shows from the beginning: a training that is done, for one."""
    with as_a_script():
        for view in _views():
            view.before_a_page()


def rehearse(path: str, shown: list[str], seconds: float) -> None:
    """Compute all spaces of what is shown, and write what a page needs into a file.

    seconds: of computing, for all of them together. Prints which share is done.
    """
    BaseComm.publish_msg = lambda *_, **__: None  # nobody listens any more
    prepare()
    with as_a_script():
        start = Start()
        cards = committed(start)
    spaces = sorted(
        spaces_of(start, shown, cards), key=lambda one: one.size
    )  # small ones leave more to the others
    begun = computed(resource.RUSAGE_CHILDREN)

    def spread(
        try_: Callable[[Space, float], None], todo: list[Space], until: float, least: float = 1.0
    ) -> None:
        for i, space in enumerate(todo):
            used = computed(resource.RUSAGE_CHILDREN) - begun
            try_(space, max(least, (until * seconds - used) / (len(todo) - i)))
            print(min(1.0, used / seconds), flush=True)

    spread(Space.try_alone, spaces, 0.3)  # a little of all of it
    spread(Space.try_alone, [one for one in spaces if one.unfinished], 0.6)  # what takes longer
    spread(Space.try_buttons, [one for one in spaces if one.buttons], 0.8)
    spread(Space.try_together, spaces, 1.0, least=0.0)
    Path(path).write_text(json.dumps(written(start, shown, spaces, cards)), "utf-8")


def committed(start: Start) -> dict[str, dict]:
    """Commit all cards that have an answer, and leave them so: what that changes, and what each guess is told.

    Where the answer takes an experiment, it is done now. A card that needs a kernel is in it, too, with nothing.
    """
    cards, left_alone = {}, needs_kernel()
    for key, card in [*start.widgets.items()]:
        if not isinstance(card, GuessCard):
            continue
        if key in left_alone:
            cards[key] = {"hidden": {}, "shown": {}, "told": None}
            continue
        card.set_state({"committed": True})
        if not card.verdict:  # nothing to tell, yet
            card.set_state({"committed": False})
            start.accept()
            continue
        guesses = _guesses(card)
        told = dict(zip(map(encoded, guesses), map(encoded, _told(card, guesses)), strict=True))
        shown, _ = start.difference()
        hidden = {place: encoded(start.value(place)) for place in shown}
        cards[key] = {"hidden": hidden, "shown": shown, "told": told}
        start.accept()
    return cards


def needs_kernel() -> set[str]:
    """Return the ids of all buttons and cards that only a kernel should answer."""
    return {widget.model_id for view in _views() for widget in view.needs_kernel()}


def _told(card: GuessCard, guesses: list[float]) -> list[str]:
    """Return what a committed card says to each guess."""
    view = next(view for view in _views() if isinstance(view, View) and card is view.parts.get("card"))
    before, told = view.state, []
    for guess in guesses:
        guessed = {"guess": guess}
        if isinstance(before, Predict.State):
            guessed = {"answered": replace(before.answered, guess=guess)}
        view.become(replace(before, **guessed))
        told.append(card.verdict)
    view.become(before)
    return told


def _guesses(card: GuessCard) -> list[float]:
    """An index, or what the card's slider and a reader who types are likely to say."""
    if card.options is not None:
        return [*range(len(card.options))]
    low, high = card.low, card.high
    if low is None or high is None or high - low > MOST_GUESSES:
        return []
    if card.whole or high - low > 20:
        return [*range(int(low), int(high) + 1)]
    hundred = {round(low + i * (high - low) / 100, 9) for i in range(101)}
    tenths = {i / 10 for i in range(math.ceil(10 * low), math.floor(10 * high) + 1)}
    return sorted(hundred | tenths)


def spaces_of(start: Start, shown: list[str], cards: Collection[str]) -> list[Space]:
    """The pictures that are shown, those that share a control in one space."""
    groups: list[tuple[list[str], set[str]]] = []
    for root in shown:
        keys = parts([root], start.states) - {*cards}
        acting = {key for key in keys if _acts(start.widgets[key])}
        roots = [root]
        for other in [group for group in groups if group[1] & acting]:
            groups.remove(other)
            roots, acting = [*other[0], *roots], other[1] | acting
        groups.append((roots, acting))
    spaces, left_alone = [], needs_kernel()
    for roots, acting in groups:
        widgets = _in_order(roots, start)
        controls = [one for widget in widgets if widget.model_id in acting for one in controls_of(widget)]
        controls += [one for widget in widgets for one in probes_of(widget)]
        buttons = [
            widget.model_id
            for widget in widgets
            if isinstance(widget, ipywidgets.Button) and widget.model_id in acting - left_alone
        ]
        if controls or buttons:
            spaces.append(Space(start, roots, controls, buttons))
    return spaces


def _acts(widget: ipywidgets.Widget) -> bool:
    return isinstance(widget, ipywidgets.Button) or bool(controls_of(widget))


def _in_order(roots: list[str], start: Start) -> list[ipywidgets.Widget]:
    """The parts as they stand on the page."""
    found: dict[str, ipywidgets.Widget] = {}

    def visit(key: str) -> None:
        if key in start.widgets and key not in found:
            found[key] = start.widgets[key]
            for child in getattr(found[key], "children", ()):
                visit(child.model_id)

    for root in roots:
        visit(root)
    return [*found.values()]


def written(start: Start, shown: list[str], spaces: list[Space], cards: dict[str, dict]) -> dict:
    """All of it as JSON: each value once, the rest by its number."""
    used: dict[str, int] = {}

    def number(value: str) -> int:
        return used.setdefault(value, len(used))

    def numbers(values: dict[str, str]) -> dict[str, int]:
        return {name: number(value) for name, value in values.items()}

    def places(changed: dict) -> list:
        return [[*place, number(value)] for place, value in changed.items() if place[0] in reachable]

    reachable = parts(shown, start.states)
    for key, widget in start.widgets.items():  # `jslink` stands beside what it ties together
        if isinstance(widget, ipywidgets.widgets.widget_link.Link) and widget.source[0].model_id in reachable:
            reachable |= parts([key], start.states)
    return {
        "widgets": {key: numbers(start.states[key]) for key in sorted(reachable)},
        "spaces": [
            {
                "roots": space.roots,
                "controls": [[*one.place, one.kind, number(encoded(one.values))] for one in space.controls],
                "buttons": space.buttons,
                "free": space.free,
                "alone": space.alone,
                "reach": space.reach,
                "press": space.press,
                "states": [
                    {"changed": places(changed), "new": {key: numbers(new[key]) for key in new}}
                    for changed, new in space.states
                ],
                "failed": space.failed,
            }
            for space in spaces
        ],
        "cards": {
            key: {
                "hidden": places(card["hidden"]),
                "shown": places(card["shown"]),
                "told": None if card["told"] is None else numbers(card["told"]),
            }
            for key, card in cards.items()
            if key in reachable
        },
        "values": list(used),
    }
