"""The front page: a text, the next-token probabilities, and the loop that lets the model write on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets
import traitlets

from llmviz.experiments import logits_after
from llmviz.model import Model, Trace
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.kit.controls import row, wide
from llmviz.views.kit.next_token_bars import bars_part, chosen_token
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import picked, replace
from llmviz.views.kit.text_box import Prompt, as_prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.turns import AT_ONCE, Turns, Written, ids
from llmviz.views.kit.view import Scene, explains, part, press, sentences, shared
from llmviz.views.the_loop.loop_picture import LoopPicture

N_LIKELIEST = 4  # bars inside the loop's own picture
NEXT = {"pick": "append", "append": "read", "read": "guess"}  # parts of a turn that is there to be watched


class LoopExplorer(Turns):
    """Type a text, turn the temperature, and let the model write on, one drawn token at a time.

    text: what is in the box at first, or a page's own `Prompt`. `trace` is the run over the text and what was written;
    other pictures can follow it.
    """

    trace = traitlets.Instance(Trace)

    @dataclass(frozen=True)
    class State(Turns.State):
        # What part of the last turn is shown.
        phase: str = picked(
            "guess", lambda name, _: isinstance(name, str) and name in (*NEXT, "guess"), "a phase"
        )
        chosen: int | None = chosen_token("bars")

    def __init__(self, model: Model, text: str | Prompt, **state):
        super().__init__(as_prompt(model, text, live=True), **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        c, p = self.controls, self.parts
        p["message"].layout.min_height = "26px"
        buttons = row(*(p[name] for name in ("pick", "write", "stop", "start_again")), gap=0)
        return [
            row(c["temperature"], buttons, c["seed"]),
            *(p[name] for name in ("message", "strip", "whole_text")),
            row(wide(p["bars"], 480), wide(p["loop"], 400)),
        ]

    # --- events ---

    @press("pick one", "draw one token by these probabilities", look="primary")
    def pick(self, state: State) -> State:
        return state if self.scene(state).end else replace(state, more=min(state.more + 1, AT_ONCE))

    def by_itself(self, state: State) -> Callable | None:
        return LoopExplorer.go_on if state.more else None

    def go_on(self, state: State) -> State:
        """Turn once; of the last turn show one part after the other."""
        if phase := NEXT.get(state.phase):
            return replace(state, phase=phase, more=state.more - (phase == "guess"))
        after = self.turn(state)
        watched = state.more == 1 and after.written != state.written
        return replace(after, phase="pick", more=1) if watched else after

    def pause(self, state: State) -> float:
        return 0.3 if state.phase in NEXT else 0.01

    def put_right(self, before: State, state: State) -> State:
        """Another seed starts again; what is stopped shows the whole turn."""
        state = state if state.seed == before.seed else self.start_again(state)
        return state if state.more else replace(state, phase="guess")

    def hand_on(self, scene: Scene) -> None:
        self.trace = scene.as_it_stands

    # --- the text as it stands ---

    @shared
    def joined(self, scene: Scene) -> Written:
        """Return what has joined the text: not yet what is picked."""
        return scene.written[:-1] if scene.phase == "pick" else scene.written

    @shared
    def as_it_stands(self, scene: Scene) -> Trace:
        return scene.run.model.trace([*scene.run.tokens, *ids(scene.joined)])

    @shared
    def drawn(self, scene: Scene) -> tuple[int, str, float] | None:
        """Return the token drawn last, its piece and the probability that it had; None before the first."""
        if not scene.written:
            return None
        token, temperature = scene.written[-1]
        probs = Sampler(temperature=temperature).probs(logits_after(scene.run, ids(scene.written[:-1])))
        return token, scene.run.model.tokenizer.pieces([token])[0], float(probs[token])

    # --- parts ---

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if scene.drawn is None:
            return [scene.end]
        _, piece, p = scene.drawn
        return [f"Drawn: {quote(piece)}, which had {percent(p)}.", scene.end if scene.phase != "pick" else ""]

    @part(
        TokenStrip,
        [],
        highlight_name="written by the loop",
        caption="Your text as tokens: pieces with their numbers",
    )
    def strip(self, scene: Scene) -> dict:
        run, n = scene.as_it_stands, len(scene.run.tokens)
        return {"pieces": run.pieces, "ids": run.tokens, "highlight": [*range(n, len(run.tokens))]}

    @sentences
    def whole_text(self, scene: Scene) -> list[str]:
        run = scene.as_it_stands
        return [f"As a reader sees it: {run.model.tokenizer.decode(run.tokens)}" if scene.joined else ""]

    @bars_part(
        "What comes next? The model's probabilities, the likeliest 20", n=20, before_label="at temperature 1"
    )
    def bars(self, scene: Scene) -> dict:
        logits, chosen = scene.as_it_stands.logits, scene.chosen
        if scene.phase == "pick" and scene.drawn:
            chosen, *_ = scene.drawn
        return {
            "probs": Sampler(temperature=scene.temperature).probs(logits),
            "before": None if scene.temperature == 1 else Sampler().probs(logits),
            # At a temperature near 0 most of the twenty have no probability left to be ranked by.
            "ranked_by": logits,
            "chosen": chosen,
        }

    @explains("bars")
    def explain(self, scene: Scene, row: int) -> provenance.Explanation:
        run, token = scene.as_it_stands, scene.shown["ids"][row]
        return provenance.prob(
            run.logits,
            token,
            temperature=scene.temperature,
            piece=scene.shown["pieces"][row],
            source=f"model.trace({run.tokens}).logits" if scene.joined else "trace.logits",
        )

    @part(LoopPicture, [], n_prompt=0)
    def loop(self, scene: Scene) -> dict:
        run = scene.as_it_stands
        probs = Sampler(temperature=scene.temperature).probs(run.logits)
        likeliest = (-run.logits).argsort(kind="stable")[:N_LIKELIEST].tolist()
        return {
            "pieces": run.pieces,
            "n_prompt": len(scene.run.tokens),
            "phase": scene.phase,
            "picked": scene.drawn[1] if scene.phase in NEXT and scene.drawn else None,
            "likeliest": run.model.tokenizer.pieces(likeliest),
            "probs": probs[likeliest],
        }
