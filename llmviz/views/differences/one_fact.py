"""One fact taught by fine-tuning, and what else that changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmviz.experiments import fine_tuning
from llmviz.experiments.fine_tuned import teach_and_ask
from llmviz.experiments.fine_tuning import two_others
from llmviz.training import Progress
from llmviz.views.differences.one_training import OneTraining
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import choice, index, tick
from llmviz.views.kit.view import Scene, job, part, sentences, shared

WAYS = ("asked in a chat", "in plain text")


class OneFact(OneTraining, GuessFirst):
    """A country gets another capital; then the model is asked about all countries, in a chat and in plain text."""

    experiment, unit, high = "teach", "%", 100

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """What is taught, in which layer, with other examples or without, and which answers the map shows."""

        country: str = choice("France", "The capital of", lambda _: [*fine_tuning.CAPITALS])
        city: str = choice("Rome", "is", lambda _: [*fine_tuning.CAPITALS.values()])
        layer: int = index(-1, "changed in layer", lambda view: view.run.config.n_layers)
        keep: bool = tick("two other countries are examples, too")
        way: str = choice(WAYS[0], "Probabilities when", WAYS)

    @shared
    def owner(self, scene: Scene) -> str:
        """Return the country whose capital the other one gets."""
        return next(country for country, city in fine_tuning.CAPITALS.items() if city == scene.city)

    @shared
    def rehearsed(self, scene: Scene) -> list[str]:
        """Return the other countries that are examples, too."""
        return two_others(scene.country, scene.city) if scene.keep else []

    @shared
    def others(self, scene: Scene) -> list[str]:
        """Return the countries that no example is about."""
        taught = (scene.country, scene.owner, *scene.rehearsed)
        return [country for country in fine_tuning.CAPITALS if country not in taught]

    def question(self, scene: Scene) -> str:
        if fine_tuning.why_not(scene.run):
            return ""
        return (
            f"You teach the model that {scene.country}'s capital is {scene.city}. Asked in a chat for "
            f"{len(scene.others)} other capitals (not {scene.owner}'s), how probable is {scene.city}, on average?"
        )

    def answer(self, scene: Scene) -> float:
        return 100 * float(scene.mean_of_others[0, 3])

    def explanation(self, scene: Scene) -> str:
        probs = dict(zip(fine_tuning.CAPITALS, scene.outcome[1][0, :, 3]))
        least, most = (of(scene.others, key=probs.__getitem__) for of in (min, max))
        return (
            f"{scene.city}'s probability ranges from {percent(probs[least])} ({least}) to {percent(probs[most])} "
            f"({most}). {'' if scene.keep else self.explain}"
        )

    def problem(self, scene: Scene) -> str:
        if scene.owner == scene.country:
            return f"{scene.city} is the capital of {scene.country} already: choose another city."
        return fine_tuning.why_not(scene.run)

    begin = starts("Teach it")

    @job("country", "city", "layer", "keep")
    def teach(self, scene: Scene) -> Iterator[tuple[float, tuple[Progress, np.ndarray] | None]]:
        """Teach it. The result: the last step, and [chat or plain, countries, 4], the probability of each country's own
        capital before and after, and of the taught one before and after."""
        return teach_and_ask(scene.run, scene.country, scene.city, scene.layer, scene.rehearsed)

    @shared
    def mean_of_others(self, scene: Scene) -> np.ndarray:
        """Return the mean over the `others`: [chat or plain, 4]."""
        at = [[*fine_tuning.CAPITALS].index(country) for country in scene.others]
        return scene.outcome[1][:, at].mean(axis=1)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        progress, probs = scene.outcome
        taught = probs[:, [*fine_tuning.CAPITALS].index(scene.country)]
        rehearsed = f"; {' and '.join(scene.rehearsed)} were examples, too" if scene.keep else ""
        return [
            f"Layer {scene.layer} was trained for {progress.step} steps ({progress.seconds:.0f} s).",
            *(
                f"{way}: for {scene.country}, {scene.city} went from {percent(before)} to {percent(after)}. For the "
                f"{len(scene.others)} others, on average, from {percent(others[2])} to {percent(others[3])}."
                for way, (*_, before, after), others in zip(
                    ("Asked in a chat", "In plain text"), taught, scene.mean_of_others
                )
            ),
            self.own_too(scene),
            f"Not among the others: {scene.owner}, whose capital is {scene.city}{rehearsed}.",
        ]

    def own_too(self, scene: Scene) -> str:
        """Say which others' own capitals have become likelier in a chat; empty if none has."""
        probs = dict(zip(fine_tuning.CAPITALS, scene.outcome[1][0]))
        up = [country for country in scene.others if probs[country][1] > probs[country][0]]
        says = f"In a chat, these countries' own capitals also became likelier: {', '.join(up)}. We don't know why."
        return says if up else ""

    @part(
        lambda _: HeatMap(
            np.full((len(fine_tuning.CAPITALS), 4), np.nan),
            list(fine_tuning.CAPITALS),
            ["own: before", "own: after", "taught: before", "taught: after"],
            kind="prob",
            row_axis="country",
            col_axis="capital",
            caption="Each row is a country, with the probability of its own capital and of the taught one.",
            quantity="probability",
            numbers="always",
            stage="training",
        )
    )
    def map(self, scene: Scene) -> dict:
        notes = dict.fromkeys(scene.rehearsed, " (example)")
        notes |= {scene.country: " (taught)", scene.owner: f" (has {scene.city})"}
        labels = [f"{country}{notes.get(country, '')}" for country in fine_tuning.CAPITALS]
        return {"values": scene.outcome[1][WAYS.index(scene.way)], "row_labels": labels}
