"""A view that has one of everything that `View` offers, quick enough to try all of it many times."""

from dataclasses import dataclass

import numpy as np

from llmviz.views.kit.controls import Sentences
from llmviz.views.kit.state_fields import choice, index, number, picked, replace, seed, token_choice
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import (
    NothingToShow,
    View,
    explains,
    job,
    looks,
    on,
    part,
    parts,
    press,
    sentences,
    shared,
)
from llmviz.views.provenance import Explanation


class Example(View):
    """The tokens of a text with made-up weights, a job that begins by itself, and one that a button begins."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        scale: float = number(1.0, "Scale", 2.0, step=0.25)
        steps: int = number(6, "Steps", 9, first=2)
        token: int = index(-1, "Token", lambda view: len(view.run.tokens))
        other: int | None = token_choice(None, "Other token", usual=lambda view: len(view.run.tokens) // 2)
        seed: int = seed()
        look: str = choice("plain", "Look", ("plain", "marked"))
        marks: tuple[int, ...] = picked(
            (), lambda marks, view: view.can_be_marked(marks), "numbers of tokens, each once"
        )
        selected: int | None = picked(
            None,
            lambda i, view: i is None or i in range(len(view.run.tokens)),
            "the number of a token, or None",
            set_by=("strip", "selected"),
        )
        to_mark: int = picked(0, lambda n, _: n in range(9), "a whole number below 9")

    arrangement = (
        ("scale", "token", "other", "steps", "seed", "look"),
        ("mark", "mark_all", "clear", "weigh"),
        *("progress", "first", "second", "lengths", "strip", "weights", "sum", "chosen"),
    )

    def can_be_marked(self, marks):
        tokens = range(len(self.run.tokens))
        return isinstance(marks, tuple) and len({*marks}) == len(marks) and all(i in tokens for i in marks)

    # --- events ---

    @press("mark it", when=lambda view, scene: scene.selected is not None)
    def mark(self, state):
        if state.selected is None or state.selected in state.marks:
            return state
        return replace(state, marks=(*state.marks, state.selected))

    @press(lambda _, scene: "marking …" if scene.to_mark else "mark the first eight")
    def mark_all(self, state):
        return replace(state, marks=(), to_mark=8)

    def mark_next(self, state):
        place = 8 - state.to_mark
        is_new = place < len(self.run.tokens) and place not in state.marks
        marks = (*state.marks, place) if is_new else state.marks
        return replace(state, marks=marks, to_mark=state.to_mark - 1)

    def by_itself(self, state):
        return Example.mark_next if state.to_mark else None

    @press(
        lambda _, scene: "clear the marks" if scene.look == "marked" else "clear",
        when=lambda _, scene: scene.marks or scene.look == "marked",
    )
    def clear(self, state):
        return replace(state, marks=(), to_mark=0, selected=None)

    @on("weights", "selected")
    def weight_picked(self, state, selected):
        return replace(state, selected=selected)

    # --- jobs ---

    def needs(self, state):
        return "add"

    @job("steps", "seed")
    def add(self, scene):
        """Add up random numbers, going on where it stopped."""
        numbers = scene.result("add") or ()
        while len(numbers) < scene.steps:
            numbers = (*numbers, float(np.random.default_rng([scene.seed, len(numbers)]).random()))
            yield len(numbers) / scene.steps, None if len(numbers) % 2 else numbers
        yield 1.0, numbers

    @job("scale", start=lambda view: "weigh", when=lambda view, scene: scene.status("add") == "done")
    def weigh(self, scene):
        """Give each token a weight, one by one."""
        weights = []
        for place, token in enumerate(scene.run.tokens[:10], start=1):
            weights.append(scene.scale * (token % 7 + 1) / 14)
            yield place / len(scene.run.tokens[:10]), tuple(weights)

    # --- parts ---

    @looks("seed")
    def seed_looks(self, scene):
        return {"disabled": scene.look == "plain"}

    @shared
    def halves(self, scene):
        n = len(scene.run.tokens) // 2
        if not n:
            raise NothingToShow("1 token has no halves.")
        return {"first": scene.run.pieces[:n], "second": scene.run.pieces[n:]}

    @parts({"first": "The first half", "second": "The second half"}, TokenStrip, [])
    def half(self, scene, name):
        return {"pieces": scene.halves[name]}

    @sentences
    def lengths(self, scene):
        return [f"{name}: {len(pieces)} tokens" for name, pieces in scene.halves.items()]

    @part(TokenStrip, [], caption="The text")
    def strip(self, scene):
        marked = np.isin(np.arange(len(scene.run.tokens)), scene.marks) * (scene.look == "marked")
        return {"pieces": scene.run.pieces, "weights": scene.scale * marked / 2, "selected": scene.selected}

    @part(lambda _: TokenStrip([], caption="Its weights"))
    def weights(self, scene):
        weights = scene.known("weigh")
        selected = scene.selected if scene.selected in range(len(weights)) else None
        return {"pieces": scene.run.pieces[: len(weights)], "weights": weights, "selected": selected}

    @explains("weights")
    def explain(self, scene, place):
        weights = scene.result("weigh")
        operands = [("scale", scene.scale), ("token", scene.run.tokens[place])]
        return Explanation("a weight", "of nothing", operands, "scale * (token % 7 + 1) / 14", weights[place])

    @sentences
    def sum(self, scene):
        numbers = scene.known("add")
        return [f"{len(numbers)} numbers: {sum(numbers):.3f}{'' if scene.status('add') == 'done' else ' …'}"]

    @part(Sentences)
    def chosen(self, scene):
        return {"sentences": [f"Token {scene.token}: {scene.run.pieces[scene.token]!r}, and {scene.other}"]}
