"""The loop, turn by turn: the base of every view in which the model continues a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llmviz import sampling
from llmviz.experiments import logits_after
from llmviz.sampling import Sampler
from llmviz.views.kit.state_fields import number, picked, replace, seed
from llmviz.views.kit.text_box import most_tokens
from llmviz.views.kit.view import Scene, View, press, shared

AT_ONCE = 30  # tokens after one press of a button
ON_PAGE = 12  # lengths of the text from which a page can go on

Written = tuple[tuple[int, float], ...]  # tokens, each with the temperature at which it was written


def ids(written: Written) -> tuple[int, ...]:
    """Return the tokens."""
    return tuple(token for token, _ in written)


def _fits(written: object, view: Turns) -> bool:
    model, n = view.run.model, len(view.run.tokens)
    if not isinstance(written, tuple) or n + len(written) > max(n, most_tokens(model)):
        return False
    return all(token in range(model.config.n_vocab) and 0 <= t <= 2 for token, t in written)


class Turns(View):
    """A text that grows by one drawn token each turn, by hand or thirty in a row.

    The seed fixes all draws, as in `Model.generate`. The token at a position depends only on the seed and the
    probabilities, so drawing again for the same position gives the same token. `more`: how many turns are still to
    come by themselves.
    """

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        temperature: float = number(1.0, "Temperature", 2.0, step=0.05)
        seed: int = seed()
        written: Written = picked((), _fits, "as many tokens, each with its temperature, as fit")
        more: int = picked(0, lambda n, _: n in range(AT_ONCE + 1), f"a whole number up to {AT_ONCE}")

    @shared
    def end(self, scene: Scene) -> str:
        """Say why no token can follow, or return an empty string."""
        model, tokens = scene.run.model, ids(scene.written)
        if tokens and tokens[-1] == model.tokenizer.eos_token:
            return "This is the end token, so the loop stops here."
        if len(scene.run.tokens) + len(tokens) >= (most := most_tokens(model)):
            return f"This page draws at most {most} tokens. Start again, or shorten your text."
        return ""

    def turn(self, state: State) -> State:
        """Draw a token and append it, if the text can go on."""
        if self.scene(state).end:
            return replace(state, more=0)
        probs = Sampler(temperature=state.temperature).probs(logits_after(self.run, ids(state.written)))
        token = sampling.draw(probs, sampling.generator(state.seed, len(state.written)))
        written = (*state.written, (token, state.temperature))
        return replace(state, written=written, more=max(0, state.more - 1))

    def by_itself(self, state: State) -> Callable | None:
        return type(self).turn if state.more else None

    def at_any_price(self) -> Iterator[State]:
        """Yield the text after each of its first turns, so that a page can go on from there, and back."""
        state = replace(self.state, written=(), more=0)
        for _ in range(ON_PAGE):
            yield state
            state = self.turn(state)

    # The buttons stay enabled even where they do nothing, because a disabled one would lose the keyboard's focus.
    @press("Write 30 more", "Let the loop turn by itself")
    def write(self, state: State) -> State:
        return state if state.more or self.scene(state).end else replace(state, more=AT_ONCE)

    @press("Stop", "Stop writing")
    def stop(self, state: State) -> State:
        return replace(state, more=0)

    @press("Start again", "Go back to your text and reset the random draws")
    def start_again(self, state: State) -> State:
        return replace(state, written=(), more=0)
