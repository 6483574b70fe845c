"""The beginning of a text, and a head that cannot tell its order from another."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz import experiments
from llmviz.model import Edits, Trace
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import head, number, replace, tick
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, parts, press, sentences, shared

N_USED = 64  # tokens of a text, at most, in the pictures of this page that take several runs


def beginning(trace: Trace) -> Trace:
    """Return the run over a text, or over its first `N_USED` tokens."""
    return trace.model.trace(trace.tokens[:N_USED], trace.edits) if len(trace.tokens) > N_USED else trace


def cut(trace: Trace) -> str:
    """Return a sentence for a text of which only the beginning is used."""
    return f"Only the first {N_USED} tokens are used here." if len(trace.tokens) > N_USED else ""


class ShuffledHead(View):
    """What one head of the first layer passes on to the last token: the text in its order, and shuffled; without RoPE
    or with it."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        head: int = head(0, "Head of layer 0")
        rope: bool = tick("RoPE on")
        seed: int = number(0, None, 9)

    arrangement = (("head", "rope", "again"), "in_order", "shuffled", "message")

    @press("shuffle again")
    def again(self, state: State) -> State:
        return replace(state, seed=(state.seed + 1) % 10)

    @shared
    def runs(self, scene: Scene) -> dict[bool, dict[str, Trace]]:
        """Return the runs over both orders without RoPE and, where it is on, with it."""
        model, tokens = scene.run.model, scene.run.tokens[:N_USED]
        orders = {"in_order": tokens, "shuffled": experiments.shuffle_tokens(tokens, scene.seed)}
        settings = {False, scene.rope}
        return {
            rope: {name: model.trace(order, Edits(rope=rope)) for name, order in orders.items()}
            for rope in settings
        }

    @parts(
        {"in_order": "In order: what the last token looks at", "shuffled": "Shuffled, all but the last"},
        TokenStrip,
        [],
        quantity="share that the last token gives it",
        highlight_name="the last token",
    )
    def order(self, scene: Scene, name: str) -> dict:
        run = scene.runs[scene.rope][name]
        weights = run.blocks[0].attention_at(-1).pattern[scene.head, 0]
        return {"pieces": run.pieces, "weights": weights, "highlight": [len(weights) - 1]}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        changes = {
            rope: experiments.head_change(*runs.values(), 0)[scene.head] for rope, runs in scene.runs.items()
        }
        rounding = " (rounding)" if 0 < changes[False] < 1e-5 else ""
        on = f", by {percent(changes[True])} with RoPE" if scene.rope else ""
        return [
            f"Head {scene.head}: shuffled, what it hands over changes by {percent(changes[False])} without RoPE"
            f"{rounding}{on}.",
            ""
            if len(scene.run.tokens) > 2
            else "Here is nothing to shuffle: that takes two tokens before the last.",
            cut(scene.run),
        ]
