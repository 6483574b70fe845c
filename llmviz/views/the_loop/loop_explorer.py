"""The loop: the next-token probabilities of a text, and the buttons that let the model continue it."""

from __future__ import annotations

from dataclasses import dataclass

import traitlets

from llmviz.experiments import logits_after
from llmviz.model import Model, Trace
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.kit.next_token_bars import at_temperature, bars_part, chosen_token
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt, as_prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.turns import Turns, ids
from llmviz.views.kit.view import Scene, explains, part, press, sentences, shared


class LoopExplorer(Turns):
    """Set the temperature, and let the model continue a text, one drawn token at a time.

    text: what is in the box at first, or a page's own `Prompt`. `trace`, which other views can follow, is the run over
    the text and what was written after it.
    """

    trace = traitlets.Instance(Trace)
    arrangement = (
        ("temperature", ("pick", "write", "stop", "start_again"), "seed"),
        *("message", "strip", "bars"),
    )

    @dataclass(frozen=True)
    class State(Turns.State):
        chosen: int | None = chosen_token("bars")

    def __init__(self, model: Model, text: str | Prompt, **state):
        super().__init__(as_prompt(model, text, live=True), **state)

    # --- events ---

    @press("Pick one", "Draw one token at random, using these probabilities", look="primary")
    def pick(self, state: State) -> State:
        return self.turn(state)

    def put_right(self, before: State, state: State) -> State:
        """Start again with another seed."""
        return state if state.seed == before.seed else self.start_again(state)

    def hand_on(self, scene: Scene) -> None:
        self.trace = scene.whole_run

    @shared
    def whole_run(self, scene: Scene) -> Trace:
        """Return the run over the text and what was written after it."""
        return scene.run.model.trace([*scene.run.tokens, *ids(scene.written)])

    # --- parts ---

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if not scene.written:
            return [scene.end]
        token, temperature = scene.written[-1]
        probs = Sampler(temperature=temperature).probs(logits_after(scene.run, ids(scene.written[:-1])))
        piece = quote(scene.run.model.tokenizer.pieces([token])[0])
        return [
            f"Drew {piece}, which had a probability of {percent(probs[token])} at temperature {temperature:g}.",
            scene.end,
        ]

    @part(TokenStrip, [], caption="Written by the model after your text")
    def strip(self, scene: Scene) -> dict:
        written = [*ids(scene.written)]
        return {"pieces": scene.run.model.tokenizer.pieces(written), "ids": written, "hidden": not written}

    @bars_part("Next-token probabilities: the 20 likeliest tokens", n=20, before_label="at temperature 1")
    def bars(self, scene: Scene) -> dict:
        return at_temperature(scene.whole_run.logits, scene.temperature)

    @explains("bars")
    def explain(self, scene: Scene, row: int) -> provenance.Explanation:
        run, steps = scene.whole_run, [("temperature", scene.temperature)]
        source = f"model.trace({run.tokens}).logits" if scene.written else "trace.logits"
        return provenance.prob_in(scene.shown, row, run.logits, steps=steps, source=source)
