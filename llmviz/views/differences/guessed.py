"""An experiment that a guess starts: its card waits for what comes out."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator

import ipywidgets

from llmviz.views.kit.background import Experiment
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.pieces import as_sentence
from llmviz.views.kit.predict import Answer, Question

_end: weakref.WeakMethod | None = None


def only_training(end: Callable[[], object]) -> None:
    """One training at a time: ends the one that began before, by the method that its view gave. Give your own."""
    global _end
    other = _end and _end()
    if other is not None and other.__self__ is not end.__self__ and other.__self__.comm is not None:
        other()
    _end = weakref.WeakMethod(end)


class Guessed(Experiment):
    """A card and an experiment. To commit to a guess, or to press the button, starts `work`, which yields the share
    that is done and tells the card in the end; stopped before, it says so and leaves the question open again."""

    def __init__(self, card: Question, name: str):
        super().__init__(name)
        self.card, self._known = card, False
        self.buttons[0].on_click(self._pressed)
        card.observe(self._committed, "committed")

    def needs_kernel(self) -> list[ipywidgets.Button]:
        return self.buttons  # on a page the card shows what was measured when the page was built

    def work(self) -> Iterator[float]:
        raise NotImplementedError

    def clear(self) -> None:
        """Stopped before the end: nothing half done stays on the page."""

    def ask_anew(self) -> None:
        """What the card asks about has changed: what came out before is no answer to it."""
        if self._known:
            self._known = False
            self.card.ask_again()

    def tell(self, outcome: Answer) -> None:
        """What came out, for the card."""
        self._known = True
        self.card.tell(outcome)

    def leave(self) -> None:
        """Its cell runs again: the work ends, also where others still follow this view."""
        self.stop()
        super().leave()

    @one_at_a_time
    def _pressed(self, button) -> None:
        self._known = False
        self._begin(button)

    @one_at_a_time
    def _committed(self, change) -> None:
        if not change["new"]:
            self.stop()
        elif not self._known:
            self._begin(self.buttons[0])

    def _begin(self, button) -> None:
        only_training(self._ended)
        self.start(self._whole(), button)

    def _ended(self) -> None:
        if self.stop():
            self.told.say("Another training of this page has begun, and that ended this one.")

    def _whole(self) -> Iterator[float]:
        """The work; what a reader's input makes impossible is said."""
        self.card.tell(None)
        try:
            yield from self.work()
        except GeneratorExit:
            self.clear()
            self.told.say(*self.told.sentences, "Stopped before the end.")
            raise
        except (ValueError, FloatingPointError) as error:
            self.told.say(as_sentence(error))
        finally:
            if self.card.committed and not self._known:
                self.card.ask_again()
