"""Arithmetic on words: a − b + c."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearestTokens, by_cosine, nothing_near
from llmviz.views.embeddings.words import OfWords, word
from llmviz.views.kit import controls
from llmviz.views.kit.state_fields import tick
from llmviz.views.kit.view import Scene, explains, on, part
from llmviz.views.provenance import Explanation

# Three words a line: a, b and c.
EXAMPLES = {
    "{} − {} + {}".format(*line.split()): tuple(line.split())
    for line in Path(__file__).with_name("analogies.txt").read_text("utf-8").splitlines()
}
NO_EXAMPLE = "an example"


class AnalogyExplorer(OfWords):
    """a - b + c for three words, and the tokens nearest to it; the three themselves marked or left out."""

    typed = ("a", "b", "c")
    arrangement = (("a", "b", "c", "take_first", "examples"), "leave_out", "nearest")

    @dataclass(frozen=True)
    class State:
        """Three words, and whether they are left out of the list."""

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

    @part(lambda _: NearestTokens())
    def nearest(self, scene: Scene) -> dict:
        if scene.problem:
            return nothing_near(scene.problem)
        tokens, W_E = scene.tokens, scene.run.W_E
        a, b, c = map(scene.run.name, tokens)
        cosines = embeddings.cosine_to_all(embeddings.analogy(*tokens, W_E), W_E)
        left_out = sorted({*tokens}) if scene.leave_out else ()
        return {
            **by_cosine(scene.run.model.tokenizer, cosines, n=8, exclude=left_out, marked=tokens),
            "caption": f"The tokens nearest to {a} − {b} + {c}{scene.run.note}.",
        }

    @explains("nearest")
    def explain(self, scene: Scene, row: int) -> Explanation:
        vector = embeddings.analogy(*scene.tokens, scene.run.W_E)
        source = "W_E[{}] - W_E[{}] + W_E[{}]".format(*scene.tokens)
        return scene.run.cosine("the sum", vector, source, scene.shown["ids"][row])
