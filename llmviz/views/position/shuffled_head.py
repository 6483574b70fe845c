"""What a head does when the tokens of a text are shuffled."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz import experiments
from llmviz.experiments.attention_behaviours import weights_of_last
from llmviz.experiments.order import N_USED
from llmviz.model import Edits, Trace
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import head, number, replace, tick
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, part, press, sentences, shared


def cut(trace: Trace) -> str:
    """Say that only the beginning of a long text is used; return nothing for a short one."""
    return f"This picture uses the first {N_USED} tokens." if len(trace.tokens) > N_USED else ""


class ShuffledHead(View):
    """What the last token attends to in one head of the first layer, with the tokens in any order, RoPE on or off."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        head: int = head(0, "Head of layer 0")
        rope: bool = tick("RoPE on")
        order: int = number(0, None, 9)  # 0: the text's own; else the seed of a shuffle

    arrangement = (("shuffle", "in_order", "rope", "head"), "strip", "message")

    @press("Shuffle", look="primary")
    def shuffle(self, state: State) -> State:
        return replace(state, order=state.order % 9 + 1)

    @press("Back in order")
    def in_order(self, state: State) -> State:
        return replace(state, order=0)

    @shared
    def runs(self, scene: Scene) -> tuple[Trace, Trace]:
        """Return the run over the text, and the run over its tokens in the chosen order."""
        tokens = scene.run.tokens[:N_USED]
        order = experiments.shuffle_tokens(tokens, scene.order) if scene.order else tokens
        own, other = (scene.run.model.trace(ids, Edits(rope=scene.rope)) for ids in (tokens, order))
        return own, other

    @part(
        TokenStrip,
        [],
        quantity="attention weight from the last token",
        highlight_name="the last token, which stays",
        caption="Attention weights from the last token. A stronger colour is a larger weight.",
    )
    def strip(self, scene: Scene) -> dict:
        _, run = scene.runs
        weights = weights_of_last(run, 0, scene.head)
        return {"pieces": run.pieces, "weights": weights, "highlight": [len(weights) - 1]}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if len(scene.run.tokens) < 3:
            return ["There is nothing to shuffle: that takes two tokens before the last."]
        if not scene.order:
            return ["The tokens are in their original order.", cut(scene.run)]
        change = experiments.head_change(*scene.runs, 0)[scene.head]
        rounding = ", which is rounding" if 0 < change < 1e-5 else ""
        rope = "with RoPE" if scene.rope else "without RoPE"
        return [
            f"Shuffled, {rope}: the output of head {scene.head} changed by {percent(change)}{rounding}.",
            cut(scene.run),
        ]
