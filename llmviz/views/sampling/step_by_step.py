"""The loop in the reader's hands, one token at a time."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz.experiments.places import Place, place_after
from llmviz.views.kit.state_fields import has_changed, picked, replace, selection
from llmviz.views.kit.turns import AT_ONCE, Turns, ids
from llmviz.views.kit.view import Scene, explains, on, part, press, sentences, shared
from llmviz.views.provenance import Explanation
from llmviz.views.sampling.written_text import WrittenText, explain_place, how_sure, written_text

FIRST_TURNS = 10  # after a new text, by themselves


class StepByStep(Turns):
    """The loop, after its first ten turns: step, go back, take another token, write thirty more, or stop."""

    @dataclass(frozen=True)
    class State(Turns.State):
        more: int = picked(
            FIRST_TURNS, lambda n, _: n in range(AT_ONCE + 1), f"a whole number up to {AT_ONCE}"
        )
        selected: int | None = selection("text")

    arrangement = (
        ("temperature", ("step", "back", "write", "stop", "start_again"), "seed"),
        *("text", "message"),
    )

    def put_right(self, before: State, state: State) -> State:
        """Drop the selection when the text changes."""
        return replace(state, selected=None) if has_changed(before, state, "written") else state

    @shared
    def places(self, scene: Scene) -> list[Place]:
        """Return the places of what is written, and of the next token if there can be one, each with its rivals."""
        steps = [*scene.written] if scene.end else [*scene.written, (None, scene.temperature)]
        return [
            place_after(scene.run, ids(scene.written[:i]), temperature, token)
            for i, (token, temperature) in enumerate(steps)
        ]

    # --- events ---

    @press("Step", "Draw one token, and run the model again", look="primary")
    def step(self, state: State) -> State:
        return self.turn(state)

    @press("Back", "Take the last token away")
    def back(self, state: State) -> State:
        return replace(state, written=state.written[:-1], more=0)

    @on("text", "choice")
    def take_rival(self, state: State, choice: list[int] | None) -> State:
        """Cut the text before a place, and go on with another token there."""
        at, rival = choice or (-1, -1)
        before, places = at - len(self.run.tokens), self.scene(state).places
        if not (0 <= before < len(places) and 0 <= rival < len(places[before].rivals)):
            return state
        token = places[before].rivals[rival], state.temperature
        return replace(state, written=(*state.written[:before], token), more=0)

    # --- parts ---

    @part(
        WrittenText,
        chooses=True,
        caption="The text as it grows. ★: the likeliest token was drawn. Point at a token to see the others",
    )
    def text(self, scene: Scene) -> dict:
        text = written_text(scene.run.model, scene.run.tokens, scene.places)
        hits = [len(scene.run.tokens) + i for i, place in enumerate(scene.places) if place.picked == 0]
        return {**text, "marked": hits, "choice": None, "selected": scene.selected}

    @explains("text")
    def explain(self, scene: Scene, at: int, rival: int) -> Explanation:
        return explain_place(scene.run.model, scene.run.tokens, scene.places, at, rival)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        written = scene.places[: len(scene.written)]
        return [f"{how_sure(scene.run.tokens, written)} {scene.end}".strip()]
