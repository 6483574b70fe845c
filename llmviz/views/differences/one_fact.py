"""One fact taught by gradient, and what else moved."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import numpy as np

from llmviz.experiments import fine_tuning
from llmviz.experiments.fine_tuning import STEPS_OF_A_FACT, teach, two_others
from llmviz.model import Model
from llmviz.views.differences.fine_tuning import quiet_model
from llmviz.views.differences.guessed import Guessed
from llmviz.views.kit.controls import checkbox, choice, row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.predict import Question


class OneFact(Guessed):
    """A country gets another capital; the other countries are asked, too, in a chat and in plain text.

    note: said after a run with two other countries among the examples.
    `probs` [chat or plain, countries, 4]: of each country's own capital before and after, and of the taught one.
    """

    def __init__(
        self, model: Model, country: str = "France", city: str = "Rome", explain: str = "", note: str = ""
    ):
        self.model, self.note, self._explain = model, note, explain
        card = Question("", answer=None, unit="%", low=0, high=100, stage="training")
        super().__init__(card, "Teach it")
        last = model.config.n_layers - 1
        self.country = choice(list(fine_tuning.CAPITALS), country, "The capital of")
        self.city = choice(list(fine_tuning.CAPITALS.values()), city, "is")
        self.layer = choice([(f"layer {i}", i) for i in range(last, -1, -1)], last, "changed in")
        self.keep = checkbox("two other countries, with their own capitals, are examples as well")
        self.way = ipywidgets.ToggleButtons(options=["asked in a chat", "in plain text"])
        self.way.style.button_width = "auto"
        n = len(fine_tuning.CAPITALS)
        self.map = HeatMap(
            np.full((n, 4), np.nan),
            list(fine_tuning.CAPITALS),
            ["own: before", "own: after", "taught: before", "taught: after"],
            kind="prob",
            row_axis="country",
            col_axis="its own capital, and the one that was taught to one of them",
            quantity="probability",
            numbers="always",
            stage="training",
        )
        self.probs: np.ndarray | None = None
        self.children = (
            self.card,
            row(self.country, self.city, self.layer),
            self.keep,
            row(self.buttons[0], self.progress),
            self.told,
            self.way,
            self.map,
        )
        self.way.observe(self._draw, "value")
        for one in (self.country, self.city, self.layer, self.keep):
            one.observe(self._ask, "value")
        self._ask()

    @property
    def _fact(self) -> tuple[str, str, list[str]]:
        """The country whose capital is taught to another one, which, and those that are rehearsed."""
        country, city = self.country.value, self.city.value
        owner = next(one for one, its in fine_tuning.CAPITALS.items() if its == city)
        return owner, city, two_others(country, city) if self.keep.value else []

    @property
    def _others(self) -> list[str]:
        """The countries that no example is about."""
        owner, _, keep = self._fact
        return [name for name in fine_tuning.CAPITALS if name not in (self.country.value, owner, *keep)]

    @one_at_a_time
    def _ask(self, _change=None) -> None:
        """A question about what is chosen now; an older result answers another one."""
        self.stop()
        self._known = False
        self.card.ask_again()
        self.clear()
        country, city, others = self.country.value, self.city.value, self._others
        self.card.ask(
            f"The model learns that the capital of {country} is {city}. Then it is asked for the capitals of "
            f"{len(others)} others ({', '.join(others)}). How probable is {city} there, on average?",
            answer=None,
            explain=self._explain,
        )

    def clear(self) -> None:
        self.probs = None
        self.told.say()
        self.map.layout.display = self.way.layout.display = "none"

    def work(self) -> Iterator[float]:
        country, city, layer = self.country.value, self.city.value, self.layer.value
        countries, model = list(fine_tuning.CAPITALS), self.model
        owner, _, keep = self._fact
        own = [model.tokenizer.encode(f" {capital}")[0] for capital in fine_tuning.CAPITALS.values()]
        (taught,) = model.tokenizer.encode(f" {city}")[:1]
        if owner == country:
            raise ValueError(f"{city} is the capital of {country} already: choose another city")
        self.clear()
        for progress in teach(model, country, city, layer, keep=keep):
            yield 0.5 * progress.step / (STEPS_OF_A_FACT * (1 + len(keep)))
        tuned = quiet_model(progress.model)
        probs = np.zeros((2, len(countries), 4), np.float32)
        for i, name in enumerate(countries):
            for way, chat in enumerate((True, False)):
                for when, one in enumerate((model, tuned)):
                    found = fine_tuning.knows(one, name, chat=chat)
                    probs[way, i, [when, 2 + when]] = found[own[i]], found[taught]
            yield 0.5 + 0.5 * (i + 1) / len(countries)
        self.probs = probs
        self._draw()
        self.map.layout.display = self.way.layout.display = ""
        others = [countries.index(name) for name in self._others]
        at = countries.index(country)
        told = []
        for way, name in enumerate(("Asked in a chat", "In plain text")):
            own_before, own_after, before, after = probs[way, others].mean(axis=0)
            told.append(
                f"{name}: for {country}, {city} went from {percent(probs[way, at, 2])} to "
                f"{percent(probs[way, at, 3])}. For the {len(others)} others, on average, from {percent(before)} to "
                f"{percent(after)}, and their own capital from {percent(own_before)} to {percent(own_after)}."
            )
        self.told.say(
            f"{progress.step} steps, {progress.seconds:.0f} s, layer {layer} alone."
            + (f" {keep[0]} and {keep[1]} were examples, too." if keep else ""),
            *told,
            self.note if keep else "",
        )
        self.tell(100 * float(probs[0, others, 3].mean()))

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        if self.probs is not None:
            self.map.change(values=self.probs[self.way.options.index(self.way.value)])
