"""The loop, turn by turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from llmviz import sampling
from llmviz.experiments import logits_after
from llmviz.sampling import Sampler
from llmviz.views.kit.state_fields import number, picked, seed, selection
from llmviz.views.kit.text_box import most_tokens
from llmviz.views.kit.view import Scene, View, explains, on, part, press, sentences, shared
from llmviz.views.provenance import Explanation
from llmviz.views.sampling.written_text import (
    Place,
    WrittenText,
    explain_place,
    how_sure,
    place_after,
    written_text,
)

AT_ONCE = 30  # tokens that one press of a button writes

Written = tuple[tuple[int, float], ...]  # tokens, each with the temperature at which it was written


def _fits(written: object, view: StepByStep) -> bool:
    model, n = view.run.model, len(view.run.tokens)
    if not isinstance(written, tuple) or n + len(written) > max(n, most_tokens(model)):
        return False
    return all(token in range(model.config.n_vocab) and 0 <= t <= 2 for token, t in written)


def _ids(written: Written) -> tuple[int, ...]:
    return tuple(token for token, _ in written)


class StepByStep(View):
    """The loop in the reader's hands: step, back, another token, thirty steps by themselves, stop.

    The seed decides all draws, as in `Model.generate`: which token a place gets depends on it and on the probabilities
    alone, so going back and stepping again draws the same one.
    """

    @dataclass(frozen=True)
    class State:
        temperature: float = number(1.0, "Temperature", 2.0, step=0.05, stage="sampling")
        seed: int = seed()
        written: tuple[tuple[int, float], ...] = picked(
            (), _fits, "as many tokens, each with its temperature, as fit"
        )
        # How many more follow by themselves.
        more: int = picked(0, lambda n, _: n in range(AT_ONCE + 1), f"a whole number up to {AT_ONCE}")
        selected: int | None = selection("text")

    arrangement = (
        ("temperature", ("step", "back", "write", "stop", "start_again"), "seed"),
        *("text", "message"),
    )

    # --- the text as it stands ---

    @shared
    def end(self, scene: Scene) -> str:
        """Say why no token can follow; nothing where one can."""
        model, tokens = scene.run.model, _ids(scene.written)
        if tokens and tokens[-1] == model.tokenizer.eos_token:
            return "The last one is the end token: the program ends the loop here."
        if len(scene.run.tokens) + len(tokens) >= (most := most_tokens(model)):
            return f"{most} tokens are as many as there is room for: go back, or start again."
        return ""

    @shared
    def places(self, scene: Scene) -> list[Place]:
        """Return what is written, and the open place after it if there is one, each with its rivals."""
        steps = [*scene.written] if scene.end else [*scene.written, (None, scene.temperature)]
        return [
            place_after(scene.run, _ids(scene.written[:i]), temperature, token)
            for i, (token, temperature) in enumerate(steps)
        ]

    # --- events ---

    # The buttons stay enabled where they do nothing: one that is disabled loses the focus of the keyboard.
    @press("step", "draw one token and run the model again", look="primary")
    def step(self, state: State) -> State:
        if self.scene(state).end:
            return replace(state, more=0)
        probs = Sampler(temperature=state.temperature).probs(logits_after(self.run, _ids(state.written)))
        token = sampling.draw(probs, sampling.generator(state.seed, len(state.written)))
        written = (*state.written, (token, state.temperature))
        return replace(state, written=written, more=max(0, state.more - 1), selected=None)

    @press("write 30 more", "thirty turns of the loop")
    def write(self, state: State) -> State:
        return state if state.more or self.scene(state).end else replace(state, more=AT_ONCE)

    def by_itself(self, state: State) -> Callable | None:
        return StepByStep.step if state.more else None

    @press("stop", "stop writing")
    def stop(self, state: State) -> State:
        return replace(state, more=0)

    @press("back", "take the last token away")
    def back(self, state: State) -> State:
        return replace(state, written=state.written[:-1], more=0, selected=None)

    @press("start again", "back to your own text")
    def start_again(self, state: State) -> State:
        return replace(state, written=(), more=0, selected=None)

    @on("text", "choice")
    def take_rival(self, state: State, choice: list[int] | None) -> State:
        """Cut the text at a place, and go on with another token."""
        at, rival = choice or (-1, -1)
        before, places = at - len(self.run.tokens), self.scene(state).places
        if not (0 <= before < len(places) and 0 <= rival < len(places[before].rivals)):
            return state
        token = places[before].rivals[rival], state.temperature
        return replace(state, written=(*state.written[:before], token), more=0, selected=None)

    # --- parts ---

    @part(
        lambda view: WrittenText(
            chooses=True,
            caption="The text as it grows. Point at a token to see its rivals; a click says more",
        )
    )
    def text(self, scene: Scene) -> dict:
        text = written_text(scene.run.model, scene.run.tokens, scene.places)
        return {**text, "choice": None, "selected": scene.selected}

    @explains("text")
    def explain(self, scene: Scene, at: int, rival: int) -> Explanation:
        return explain_place(scene.run.model, scene.run.tokens, scene.places, at, rival)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        written = scene.places[: len(scene.written)]
        return [f"{how_sure(scene.run.tokens, written)} {scene.end}".strip()]
