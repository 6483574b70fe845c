"""Two texts, written at the same time: at two temperatures, or with the chat template and without."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import ipywidgets

from llmviz import experiments
from llmviz.model import Model, Trace
from llmviz.reuse import kept_with
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import row, wide
from llmviz.views.kit.numbers import amount, percent
from llmviz.views.kit.state_fields import fixed, number, seed, tick
from llmviz.views.kit.view import Scene, View, explains, job, parts, sentences, shared
from llmviz.views.provenance import Explanation
from llmviz.views.sampling.written_text import (
    Place,
    WrittenText,
    explain_place,
    how_sure,
    place,
    written_text,
)

Written = tuple[tuple[Place, ...], tuple[Place, ...]]  # after each of two prompts


def write_both(
    model: Model,
    prompts: Collection,
    samplers: Collection[Sampler],
    n: int,
    *,
    odds: Sampler | None = None,
    **options,
) -> Iterator[tuple[float, Written]]:
    """Write n tokens after each prompt, in turn, none after an empty one; yield the share that is done, and the places.

    odds: the sampler whose odds are shown for the rivals; None: the one that writes. options: see `write_on`.
    """
    texts = [
        experiments.write_on(model, prompt, n, sampler, **options) if prompt else iter(())
        for prompt, sampler in zip(prompts, samplers)
    ]
    written: Written = ((), ())
    for i, steps in enumerate(zip_longest(*texts), start=1):
        written = tuple(
            (*places, place(model, step.logits, odds or sampler, step.token, n_rivals=6)) if step else places
            for places, step, sampler in zip(written, steps, samplers)
        )
        yield i / n, written
    yield 1.0, written


def most_written(default: int) -> Any:
    """Declare how many tokens are written at most."""
    return fixed(default, lambda n: type(n) is int and 0 < n <= 512, "a whole number from 1 to 512")


SIDES = ("left", "right")


class SideBySide(View):
    """Two texts in two columns, each below its message.

    A subclass has a job `write`, the `prompts` by their sides, and the `message` of a side.
    """

    stage = "sampling"

    def columns(self, *names: str) -> ipywidgets.Widget:
        """Return the two sides, with so many controls above each."""
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
        n: int = most_written(40)
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


@kept_with()
def greedy_repetition(run: Trace) -> float:
    """Measure which share of a greedy continuation is in a run of tokens that the text had before, from 0 to 1."""
    n = Writing.State().n
    return experiments.write(run.model, run.tokens, n).repetition(n)


class ChatEnd(SideBySide):
    """A question with and without the chat template: what is written, and the end token's probability at each place.

    past: whether the program goes on after an end token. n: the most tokens that it writes.
    """

    @dataclass(frozen=True)
    class State:
        n: int = most_written(60)
        past: bool = tick("Go on after the end token")

    def arrange(self) -> list[ipywidgets.Widget]:
        return [self.controls["past"], self.progress, self.columns()]

    @shared
    def chat(self, scene: Scene) -> tuple[list[int], list[int], str]:
        """Return the question in the template, the places of what the template adds, and why there is none."""
        model, text = scene.run.model, question(scene.run)
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
        ends = [percent(place.end) for place in places]
        return {
            **written_text(scene.run.model, prompt, places),
            "marked": scene.chat[1] if side == "left" else [],
            "again": [],  # the second colour is what the template adds
            "weights": [*[math.nan] * len(prompt), *(place.end for place in places)],
            "notes": [
                f"end token {end}, this one {percent(place.own[place.picked])}"
                for end, place in zip(ends, places)
            ],
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
            return f"{n}, {ends} of them end tokens."
        why = "the last one is the end token" if ends else "that's its limit, and no end token came"
        return f"The program stopped after {n}: {why}."


AFTER_THE_END = ("the assistant’s", "yours", "nobody’s")


@kept_with()
def after_the_end(run: Trace) -> int:
    """Return which of `AFTER_THE_END` a model writes when it goes on after its answer to a question.

    ValueError where the answer doesn't end in time.
    """
    model, n, greedy = run.model, ChatEnd.State().n, Sampler(temperature=0)
    steps = experiments.write_on(model, experiments.asked(model, question(run)), n, greedy, past_end=True)
    _, end, rest = model.tokenizer.decode([step.token for step in steps]).partition("<|im_end|>")
    if not end:
        raise ValueError(f"the answer doesn't end within {n} tokens")
    roles = [f"<|im_start|>{role}" for role in ("assistant", "user")]
    opened = [role for role in sorted(roles, key=rest.find) if role in rest]
    return roles.index(opened[0]) if opened else len(roles)


def question(run: Trace) -> str:
    return run.model.tokenizer.decode(run.tokens)
