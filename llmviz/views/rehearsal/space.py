"""Pictures whose controls act on each other, and all that these can bring about, as far as time allows: a graph.

Its states are differences to the start; `reach` says which values of the controls lead to each, and `press` what each
button does in each. A page that walks this graph shows nothing that was not computed.
"""

from __future__ import annotations

import itertools
import math
import resource
from collections.abc import Callable

from llmviz.views.kit.picture import Picture
from llmviz.views.rehearsal.child import PATIENCE, computed, in_a_child
from llmviz.views.rehearsal.controls import Control, heard
from llmviz.views.rehearsal.states import CLICK, Place, Refused, Start, State, as_a_script, do, fingerprint

MOST_STATES = 2_000  # of one space
MOST_VALUES = 600  # of one control
MOST_TOGETHER = 400  # combinations of some controls
MOST_BYTES = 2_500_000  # of one space, before they are packed
MOST_PRESSES = 40  # of one button, one after the other
HASTE = 1  # seconds of computing that one state may take where no time is left
AGAIN = "each value has to be tried from the start"
BACK = "it came back to the start"
TOO_LONG = "nobody knows whether it comes back"


class Elsewhere(Exception):
    """What was moved and put back has not come back to the start, or went back by itself and did something."""


class Space:
    """One such graph, of what stands in the cells' outputs `roots`."""

    def __init__(self, start: Start, roots: list[str], controls: list[Control], buttons: list[str]):
        self.start, self.roots, self.controls, self.buttons = start, roots, controls, buttons
        self.free: list[Place] = []  # of no matter to anything else
        self.alone: list[int] = []  # the controls that do not lead back
        self.states: list[State] = [({}, {})]
        self.reach = {"": 0}  # from the values of the controls to a state
        self.press: dict[int, dict[str, int]] = {}  # from a state and a button to a state
        self.failed: dict[str, str] = {}
        self._known = {fingerprint(self.states[0]): 0}
        self._n_bytes, self._end, self._tried = 0, 0.0, False

    @property
    def size(self) -> int:
        """How much there is to try."""
        return sum(len(one.values) for one in self.controls) + MOST_PRESSES * len(self.buttons)

    def try_alone(self, seconds: float) -> None:
        """Each control by itself, then what asks; called again, it goes on where time ran out."""
        self._end = computed(resource.RUSAGE_CHILDREN) + seconds
        again, self._tried = self._tried, True
        moving, asking = self._by_kind(
            [c for c in range(len(self.controls)) if not again or self._is_open(c)]
        )
        todo = [*moving, *asking]
        for i, c in enumerate(todo):
            share = max(0.0, self._left / (len(todo) - i))
            if again and not share:
                return
            self._together((c,), share)
            self._set_free(c)

    def try_buttons(self, seconds: float) -> None:
        """Each button."""
        self._end = computed(resource.RUSAGE_CHILDREN) + seconds
        for i, key in enumerate(self.buttons):
            self._press_again(key, max(0.0, self._left / (len(self.buttons) - i)))

    def try_together(self, seconds: float) -> None:
        """Controls two by two, or all where they are few; then each with each question."""
        self._end = computed(resource.RUSAGE_CHILDREN) + seconds
        moving, asking = self._by_kind(
            [c for c in range(len(self.controls)) if self._reached(c) and c not in self.alone]
        )
        groups = [*itertools.combinations(moving, 2)]
        groups.sort(key=lambda two: sum(self.controls[c].kind == "set" for c in two))
        if len(moving) > 2 and math.prod(len(self._reached(c)) + 1 for c in moving) <= MOST_TOGETHER:
            groups = [tuple(moving)]
        groups += itertools.product(moving, asking)
        for i, group in enumerate(groups):
            self._together(group, self._left / (len(groups) - i))

    @property
    def unfinished(self) -> bool:
        """Whether there is more to try of a control alone."""
        return any(map(self._is_open, range(len(self.controls))))

    def _is_open(self, c: int) -> bool:
        """Whether some values were tried and others not: where the first one took too long, so will the next."""
        return 0 < self._next(c) < len(self.controls[c].values)

    def _by_kind(self, controls: list[int]) -> tuple[list[int], list[int]]:
        """Those that move something, and those that ask."""
        asking = [c for c in controls if self.controls[c].kind == "probe"]
        return [c for c in controls if c not in asking], asking

    # --- what was found ---

    @property
    def _left(self) -> float:
        """Seconds of computing."""
        return self._end - computed(resource.RUSAGE_CHILDREN)

    @property
    def _patience(self) -> float:
        """Seconds of computing that one state may take beyond its share: a quick one is there in any case."""
        return PATIENCE if self._left > 0 else HASTE

    @property
    def _full(self) -> bool:
        """Whether it is as large as a page can hold."""
        return len(self.states) > MOST_STATES or self._n_bytes > MOST_BYTES

    def _add(self, state: State, moved: dict[int, int] | None = None) -> int:
        """The number of a state, which is another one only if it is another state.

        moved: which controls stand at which of their values, the start left out; None where no control leads there.
        """
        same = fingerprint(state)
        if same not in self._known:
            self._known[same] = len(self.states)
            self._n_bytes += len(same)
            self.states.append(state)
        if moved is not None:
            key = ";".join(f"{c}={v}" for c, v in sorted(moved.items()))
            self.reach.setdefault(key, self._known[same])
        return self._known[same]

    def _reached(self, c: int) -> list[int]:
        """The values of one control that lead somewhere."""
        return [v for v in range(len(self.controls[c].values)) if f"{c}={v}" in self.reach]

    def _next(self, c: int) -> int:
        """The value after the last one that was reached."""
        return max(self._reached(c), default=-1) + 1

    def _set_free(self, c: int) -> None:
        """A picture's selection that nobody hears and that changes nothing else needs no states: the page may move it.

        Not so a slider or a box: a button may read it later.
        """
        one = self.controls[c]
        states = [self.states[self.reach[f"{c}={v}"]] for v in self._reached(c)]
        alone = all(changed.keys() <= {one.place} and not new for changed, new in states)
        widget = self.start.widgets[one.widget]
        if states and alone and isinstance(widget, Picture) and not heard(widget, one.trait):
            for v in self._reached(c):  # these were the last to be found
                del self.reach[f"{c}={v}"]
            for state in states:
                self._known.pop(fingerprint(state), None)
            del self.states[len(self._known) :]
            one.values = []
            self.free.append(one.place)

    # --- controls ---

    def _together(self, group: tuple[int, ...], seconds: float) -> None:
        """Every combination of some controls' values; of long lines the coarse values, lest it be too many."""
        single = len(group) == 1
        values = [
            range(self._next(c), len(self.controls[c].values)) if single else self._reached(c) for c in group
        ]
        most = MOST_VALUES if single else max(MOST_TOGETHER, 2 ** len(group))
        side = most
        while math.prod(min(len(one), side) + 1 for one in values) > most + 1:
            side -= 1
        values = [list(one)[:side] for one in values]
        if not all(values) or self._full or (not single and seconds < 0.05):
            return
        until = self._left - seconds
        if single and group[0] in self.alone:
            self._each(group[0], until)
            return
        found = in_a_child(lambda send: self._sweep(send, group, values, seconds), seconds + self._patience)
        ended = found.pop()[1] if found and isinstance(found[-1][1], str) else TOO_LONG
        if ended == AGAIN or (ended == TOO_LONG and single and self.controls[group[0]].kind != "probe"):
            if single:
                for moved, state in found[:1]:  # a move from the start
                    self._add(state, moved)
                self._each(group[0], until)
            return
        for moved, state in found:
            self._add(state, moved)
        if ended not in (BACK, TOO_LONG):
            self.failed[str([self.controls[c].trait for c in group])] = ended

    def _sweep(self, send: Callable, group: tuple[int, ...], values: list[list[int]], seconds: float) -> None:
        """In a child: move the controls through their values, one to the next, as a reader does."""
        controls = [self.controls[c] for c in group]
        watched = len(group) == 1 and controls[0].kind != "probe"

        def move(level: int, moved: dict[int, int]) -> None:
            if level == len(group):
                if moved:
                    send((moved, self.start.difference()))
                return
            one = controls[level]
            move(level + 1, moved)
            for v in values[level]:
                if computed() > seconds and (moved or v != values[level][0]):  # the first one in any case
                    break
                before = self.start.difference() if watched else None
                try:
                    do(one.place, one.values[v])
                except Refused:
                    if watched and self.start.difference() != before:  # it has done something all the same
                        raise Elsewhere from None
                    continue
                move(level + 1, moved | {group[level]: v})
                if watched and v == values[level][0] and computed() > max(seconds, HASTE):
                    raise Elsewhere  # it may be: to put it back takes as long again
            do(one.place, self.start.value(one.place))

        with as_a_script():
            try:
                move(0, {})
                if self.start.difference()[0]:
                    raise Elsewhere
                send(({}, BACK))
            except (Elsewhere, Refused):
                send(({}, AGAIN))
            except Exception as error:
                send(({}, f"{type(error).__name__}: {error}"))

    def _each(self, c: int, until: float) -> None:
        """A control that does not lead back: each value from the start, until so many seconds are left."""
        one = self.controls[c]
        if c not in self.alone:
            self.alone.append(c)
        for v in range(self._next(c), len(one.values)):
            if self._left < until or self._full:
                return
            for state in in_a_child(
                lambda send, v=v: self._once(send, one.place, one.values[v]), self._patience
            ):
                if state[0]:
                    self._add(state, {c: v})

    def _once(self, send: Callable, place: Place, value: object = None) -> None:
        """In a child."""
        with as_a_script():
            try:
                do(place, value)
            except Refused:
                if place[1] == CLICK:
                    return
            send(self.start.difference())

    # --- buttons ---

    def _press_again(self, key: str, seconds: float) -> None:
        """A button pressed again and again, and each other one once in between."""
        at = 0
        if self.start.widgets[key].disabled:
            return
        for pressed, state in in_a_child(
            lambda send: self._presses(send, key, seconds), seconds + self._patience
        ):
            if isinstance(state, str):
                self.failed[self.start.widgets[key].description] = state
                return
            number = self._add(state)
            self.press.setdefault(at, {}).setdefault(pressed, number)
            if pressed == key:
                at = number

    def _presses(self, send: Callable, key: str, seconds: float) -> None:
        """In a child."""
        seen = {*self._known}
        with as_a_script():
            for _ in range(MOST_PRESSES):
                try:
                    do((key, CLICK), None)
                except Refused:
                    return
                except Exception as error:
                    send((key, f"{type(error).__name__}: {error}"))
                    return
                state = self.start.difference()
                send((key, state))
                if fingerprint(state) in seen or computed() > seconds:
                    return
                seen.add(fingerprint(state))
                for other in self.buttons:
                    if other != key:
                        for found in in_a_child(lambda inner, other=other: self._once(inner, (other, CLICK))):
                            send((other, found))
