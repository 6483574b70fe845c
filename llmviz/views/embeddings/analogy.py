"""Arithmetic on words: a − b + c."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearWords, Vector
from llmviz.views.embeddings.words import word
from llmviz.views.kit import controls
from llmviz.views.kit.state_fields import replace, tick
from llmviz.views.kit.view import Scene, on, part

# Three words a line: a, b and c.
EXAMPLES = {
    "{} − {} + {}".format(*line.split()): tuple(line.split())
    for line in Path(__file__).with_name("analogies.txt").read_text("utf-8").splitlines()
}
NO_EXAMPLE = "an example"


class AnalogyExplorer(NearWords):
    """a - b + c for three words, and the tokens nearest to it; the three themselves marked or left out."""

    typed = ("a", "b", "c")
    arrangement = (("a", "b", "c", "take_first", "examples"), "leave_out", "nearest")

    @dataclass(frozen=True)
    class State:
        a: str = word("king", "Take", "190px")
        b: str = word("man", "−", "190px")
        c: str = word("woman", "+", "190px")
        leave_out: bool = tick("leave out these three tokens (not their other spellings)")

    @part(lambda _: controls.choice([NO_EXAMPLE, *EXAMPLES], NO_EXAMPLE, "or take"))
    def examples(self, scene: Scene) -> dict:
        words = scene.a, scene.b, scene.c
        return {"value": next((name for name in EXAMPLES if EXAMPLES[name] == words), NO_EXAMPLE)}

    @on("examples", "value")
    def take(self, state: State, name: str) -> State:
        return replace(state, **dict(zip(self.typed, EXAMPLES.get(name, ()))))

    def vector(self, scene: Scene) -> Vector:
        source = "W_E[{}] - W_E[{}] + W_E[{}]".format(*scene.tokens)
        return Vector("the sum", embeddings.analogy(*scene.tokens, scene.run.W_E), source)

    def listed(self, scene: Scene) -> dict:
        a, b, c = map(scene.run.name, scene.tokens)
        left_out = sorted({*scene.tokens}) if scene.leave_out else ()
        caption = f"The tokens nearest to {a} − {b} + {c}{scene.run.note}."
        return {"n": 8, "exclude": left_out, "marked": scene.tokens, "caption": caption}
