"""Arithmetic on words: a − b + c."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearWords, Vector
from llmviz.views.embeddings.words import word
from llmviz.views.kit import controls
from llmviz.views.kit.state_fields import replace, tick
from llmviz.views.kit.view import Scene, on, part

OF_THREE = (
    "king man woman",
    "Paris France Italy",
    "walked walk play",
    "cats cat dog",
    "bigger big small",
    "Tokyo Japan Germany",
)
EXAMPLES = {"{} − {} + {}".format(*words.split()): tuple(words.split()) for words in OF_THREE}
NO_EXAMPLE = "Choose an example"


class AnalogyExplorer(NearWords):
    """a - b + c for three words, and the tokens nearest to it; the three themselves marked or left out."""

    typed, n = ("a", "b", "c"), 8
    arrangement = (("a", "b", "c", "take_first", "examples"), "leave_out", "refusal", "nearest")

    @dataclass(frozen=True)
    class State:
        a: str = word("king", "Take", "190px")
        b: str = word("man", "−", "190px")
        c: str = word("woman", "+", "190px")
        leave_out: bool = tick("Leave out these three tokens")

    @part(lambda _: controls.choice([NO_EXAMPLE, *EXAMPLES], NO_EXAMPLE, "or"))
    def examples(self, scene: Scene) -> dict:
        words = scene.a, scene.b, scene.c
        return {"value": next((name for name in EXAMPLES if EXAMPLES[name] == words), NO_EXAMPLE)}

    @on("examples", "value")
    def take(self, state: State, name: str) -> State:
        return replace(state, **dict(zip(self.typed, EXAMPLES.get(name, ()))))

    def vector(self, scene: Scene) -> Vector:
        source = "W_E[{}] - W_E[{}] + W_E[{}]".format(*scene.tokens)
        return Vector("the sum", embeddings.analogy(*scene.tokens, scene.rows.W_E), source)

    def left_out(self, scene: Scene) -> list[int]:
        return sorted({*scene.tokens}) if scene.leave_out else []

    def caption(self, scene: Scene) -> str:
        return "Tokens nearest to {} − {} + {}".format(*map(scene.rows.name, scene.tokens))
