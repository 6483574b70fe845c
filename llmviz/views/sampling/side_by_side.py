"""Two texts written at the same time: at two temperatures, or with the chat template and without."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets

from llmviz import experiments
from llmviz.experiments.places import Place, Written, write_both
from llmviz.experiments.writing import N_ANSWER, N_GREEDY
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import row, wide
from llmviz.views.kit.numbers import amount, percent
from llmviz.views.kit.state_fields import fixed, number, seed, tick
from llmviz.views.kit.view import Scene, View, explains, job, parts, sentences, shared
from llmviz.views.provenance import Explanation
from llmviz.views.sampling.written_text import WrittenText, explain_place, how_sure, written_text


def most_written(default: int) -> Any:
    """Declare the largest number of tokens that are written."""
    return fixed(default, lambda n: type(n) is int and 0 < n <= 512, "a whole number from 1 to 512")


SIDES = ("left", "right")


class SideBySide(View):
    """Two texts in two columns, each below its message.

    A subclass has a job `write`, a shared `prompts` (token ids by side), a `message` for each side, and draws the parts
    "left" and "right".
    """

    stage = "sampling"

    def columns(self, *names: str) -> ipywidgets.Widget:
        """Return the two sides, each below its controls of these names."""
        named = self.controls | self.parts
        sides = [[*(f"{side}_{name}" for name in names), f"{side}_message", side] for side in SIDES]
        return row(*(wide(ipywidgets.VBox([named[name] for name in side])) for side in sides))

    @shared
    def written(self, scene: Scene) -> dict[str, tuple[Place, ...]]:
        return dict(zip(SIDES, scene.result("write") or ((), ())))

    @sentences
    def left_message(self, scene: Scene) -> list[str]:
        return [self.message(scene, "left")]

    @sentences
    def right_message(self, scene: Scene) -> list[str]:
        return [self.message(scene, "right")]

    @explains(*SIDES)
    def explain(self, scene: Scene, side: str, at: int, rival: int) -> Explanation:
        return explain_place(scene.run.model, scene.prompts[side], scene.written[side], at, rival)


class Writing(SideBySide):
    """Two continuations of one text from the same seed, each at its own temperature, token by token."""

    @dataclass(frozen=True)
    class State:
        n: int = most_written(N_GREEDY)
        seed: int = seed()
        left_temperature: float = number(0.0, "Temperature", 2.0, step=0.05)
        right_temperature: float = number(1.0, "Temperature", 2.0, step=0.05)

    def arrange(self) -> list[ipywidgets.Widget]:
        return [self.controls["seed"], self.progress, self.columns("temperature")]

    @shared
    def prompts(self, scene: Scene) -> dict[str, list[int]]:
        return dict.fromkeys(SIDES, scene.run.tokens)

    @job("n", "seed", "left_temperature", "right_temperature")
    def write(self, scene: Scene) -> Iterator[tuple[float, Written]]:
        samplers = [Sampler(temperature) for temperature in (scene.left_temperature, scene.right_temperature)]
        return write_both(scene.run.model, scene.prompts.values(), samplers, scene.n, seed=scene.seed)

    @parts(dict.fromkeys(SIDES, ""), WrittenText)
    def text(self, scene: Scene, side: str) -> dict:
        temperature = scene.left_temperature if side == "left" else scene.right_temperature
        caption = (
            f"Temperature {temperature:g}, seed {scene.seed}" if temperature else "Greedy: temperature 0"
        )
        return {**written_text(scene.run.model, scene.prompts[side], scene.written[side]), "caption": caption}

    def message(self, scene: Scene, side: str) -> str:
        return how_sure(scene.prompts[side], scene.written[side])


class ChatEnd(SideBySide):
    """A question with the chat template and without: what is written, and the end token's probability at each place.

    past: whether the program goes on after an end token. n: the largest number of tokens that it writes.
    """

    @dataclass(frozen=True)
    class State:
        n: int = most_written(N_ANSWER)
        past: bool = tick("Go on after the end token")

    def arrange(self) -> list[ipywidgets.Widget]:
        return [self.controls["past"], self.progress, self.columns()]

    @shared
    def chat(self, scene: Scene) -> tuple[list[int], list[int], str]:
        """Return the question in the template, the positions of what the template adds, and why there is none."""
        model = scene.run.model
        text = model.tokenizer.decode_prompt(scene.run.tokens)
        try:
            tokens, added = experiments.asked(model, text), experiments.added_by_template(model, text)
        except ValueError as error:  # a model of another kind
            return [], [], str(error)
        if len(tokens) >= model.config.n_ctx:
            return [], [], "with the template the question is longer than what this model can read"
        return tokens, added, ""

    @shared
    def prompts(self, scene: Scene) -> dict[str, list[int]]:
        return {"left": scene.chat[0], "right": scene.run.tokens}

    @job("n", "past")
    def write(self, scene: Scene) -> Iterator[tuple[float, Written]]:
        greedy = [Sampler(temperature=0)] * 2
        return write_both(
            scene.run.model, scene.prompts.values(), greedy, scene.n, odds=Sampler(), past_end=scene.past
        )

    @parts(
        {
            "left": "With the chat template (dashed: what it adds)",
            "right": "Without it: the same model, the bare question",
        },
        WrittenText,
        scale="weight",
        shade_label="probability that the end token comes here",
    )
    def text(self, scene: Scene, side: str) -> dict:
        prompt, places = scene.prompts[side], scene.written[side]
        end = scene.run.model.tokenizer.eos_token
        ended = next((i for i, place in enumerate(places) if place.token == end), 0)
        return {
            **written_text(scene.run.model, prompt, places),
            "marked": scene.chat[1] if side == "left" else [],
            "again": [],  # the second colour is what the template adds
            "weights": [*[math.nan] * len(prompt), *(place.end for place in places)],
            "notes": [
                f"end token: {percent(place.end)}, this token: {percent(place.own[place.picked])}"
                for place in places
            ],
            "shown_first": len(prompt) + ended if places and scene.status("write") == "done" else None,
        }

    def message(self, scene: Scene, side: str) -> str:
        places, status = scene.written[side], scene.status("write")
        if not scene.prompts[side]:
            return f"No answer here: {scene.chat[2]}."
        if status != "done" and len(places) == max(map(len, scene.written.values())):
            return "Stopped." if status == "stopped" else "Writing, always the likeliest token …"
        ends = sum(place.token == scene.run.model.tokenizer.eos_token for place in places)
        n = amount(len(places), "tokens")
        if scene.past:
            return f"{n} written, {ends} of them end tokens."
        why = "the last one is the end token" if ends else "that's its limit, and no end token came"
        return f"The program stopped after {n}: {why}."
