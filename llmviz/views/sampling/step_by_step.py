"""The loop, turn by turn."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import ipywidgets
import numpy as np

from llmviz import sampling
from llmviz.model import Trace
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import Told, row
from llmviz.views.kit.state_fields import number, picked, seed
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.theme import MAX_TOKENS
from llmviz.views.kit.view import Scene, View, on, part, press
from llmviz.views.sampling.written_text import Place, WrittenText, how_sure, place, repeats

AT_ONCE = 30  # tokens that one press of a button writes


def _can_go_on(view: StepByStep, scene: Scene) -> bool:
    return view.is_open(scene.written) and not scene.more


class StepByStep(View):
    """The loop in the reader's hands: step, back, another token, thirty steps by themselves, stop.

    The seed decides all draws, as in `Model.generate`: which token a place gets depends on it and on the probabilities
    alone, so going back and stepping again draws the same one.
    """

    @dataclass(frozen=True)
    class State:
        """How the next token is drawn, what is written, how many more follow by themselves, and the chosen place."""

        temperature: float = number(1.0, "Temperature", 2.0, step=0.05, stage="sampling")
        seed: int = seed()
        written: tuple[tuple[int, float], ...] = picked(
            (),
            lambda written, view: view.can_stand(written),
            "as many tokens, each with its temperature, as fit",
        )
        more: int = picked(0, lambda n, _: n in range(AT_ONCE), f"a whole number below {AT_ONCE}")
        selected: int | None = picked(
            None,
            lambda i, view: i is None or i in range(view.most),
            "the number of a token, or None",
            of=("text", "selected"),
        )

    def __init__(self, prompt: Prompt, **state):
        self.prompt = prompt
        # A place is the same for the same text and temperature.
        self.place = functools.lru_cache(maxsize=1_000)(self._place)
        super().__init__(prompt, **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        c, p = self.controls, self.parts
        buttons = row(*(p[name] for name in ("step", "back", "write", "stop", "start_again")), gap=0)
        return [self.prompt, row(c["temperature"], buttons, c["seed"]), p["text"], p["told"]]

    # --- the text as it stands ---

    @property
    def most(self) -> int:
        """How many tokens there is room for."""
        return min(MAX_TOKENS, self.run.model.config.n_ctx)

    @property
    def tokens(self) -> list[int]:
        """The ids of the text as it stands."""
        return [*self.run.tokens, *(token for token, _ in self.state.written)]

    def can_stand(self, written: object) -> bool:
        """Say whether this can stand after the reader's text."""
        n_vocab, n = self.run.model.config.n_vocab, max(0, self.most - len(self.run.tokens))
        if not isinstance(written, tuple) or len(written) > n:
            return False
        return all(token in range(n_vocab) and 0 <= temperature <= 2 for token, temperature in written)

    def is_ended(self, written: tuple[tuple[int, float], ...]) -> bool:
        """Say whether the last token ends the text."""
        return bool(written) and written[-1][0] == self.run.model.tokenizer.eos_token

    def is_open(self, written: tuple[tuple[int, float], ...]) -> bool:
        """Say whether another token can follow."""
        return not self.is_ended(written) and len(self.run.tokens) + len(written) < self.most

    def places(self, run: Trace, written: tuple[tuple[int, float], ...], temperature: float) -> list[Place]:
        """Return what is written, and the next place if there is one, each with its rivals."""
        steps: list[tuple[int | None, float]] = [*written]
        if self.is_open(written):
            steps.append((None, temperature))
        tokens = [*run.tokens, *(token for token, _ in written)]
        n = len(run.tokens)
        return [self.place(tuple(tokens[: n + i]), t, token) for i, (token, t) in enumerate(steps)]

    def _place(self, tokens: tuple[int, ...], temperature: float, token: int | None) -> Place:
        model = self.run.model
        return place(model, model.trace(list(tokens)).logits, Sampler(temperature=temperature), token)

    # --- events ---

    # A single step leaves its button enabled: one that is disabled loses the focus of the keyboard.
    @press("step", "draw one token and run the model again", look="primary", when=_can_go_on)
    def step(self, state: State) -> State:
        if not self.is_open(state.written):
            return replace(state, more=0)
        logits = self.run.model.trace([*self.run.tokens, *(token for token, _ in state.written)]).logits
        probs = Sampler(temperature=state.temperature).probs(logits)
        token = sampling.draw(probs, _generator(state.seed, len(state.written)))
        written = (*state.written, (token, state.temperature))
        more = max(0, state.more - 1) if self.is_open(written) else 0
        return replace(state, written=written, more=more, selected=None)

    @press("write 30 more", "thirty turns of the loop", when=_can_go_on)
    def write(self, state: State) -> State:
        """Draw one now; the others follow by themselves."""
        after = self.step(replace(state, more=0))
        return replace(after, more=AT_ONCE - 1 if self.is_open(after.written) else 0)

    def by_itself(self, state: State) -> Callable | None:
        return StepByStep.step if state.more else None

    @press("stop", "stop writing", when=lambda _, scene: scene.more)
    def stop(self, state: State) -> State:
        return replace(state, more=0)

    @press("back", "take the last token away", when=lambda _, scene: scene.written)
    def back(self, state: State) -> State:
        return replace(state, written=state.written[:-1], more=0, selected=None)

    @press("start again", "back to your own text")
    def start_again(self, state: State) -> State:
        return replace(state, written=(), more=0, selected=None)

    @on("text", "choice")
    def take_rival(self, state: State, choice: list[int] | None) -> State:
        """Cut the text at a place, and go on with another token."""
        if choice is None:
            return state
        i, rival = choice[0] - len(self.run.tokens), choice[1]
        places = self.places(self.run, state.written, state.temperature)
        if not (0 <= i < len(places) and 0 <= rival < len(places[i].rivals)):
            return state
        written = (*state.written[:i], (places[i].rivals[rival], state.temperature))
        return replace(state, written=written, more=0, selected=None)

    # --- parts ---

    @part(
        lambda view: WrittenText(
            view.run.model,
            chooses=True,
            shade_label="the probability the model gave it",
            caption="The text as it grows. Point at a token to see its rivals; a click says more",
        )
    )
    def text(self, scene: Scene) -> dict:
        return {
            "prompt": scene.run.tokens,
            "places": self.places(scene.run, scene.written, scene.temperature),
            "choice": None,
            "selected": scene.selected,
        }

    @part(lambda _: Told())
    def told(self, scene: Scene) -> dict:
        written = [
            one for one in self.places(scene.run, scene.written, scene.temperature) if one.token is not None
        ]
        said = how_sure(written, repeats(scene.run.tokens, written))
        if self.is_ended(scene.written):
            said += " The last one is the end token: the program ends the loop here."
        elif not self.is_open(scene.written):
            said += f" {self.most} tokens are as many as there is room for: go back, or start again."
        return {"sentences": [said]}


def _generator(seed: int, i: int) -> np.random.Generator:
    """Return what `Model.generate` draws the i-th token with, from 0."""
    rng = np.random.default_rng(seed)
    rng.random(i)
    return rng
