"""Arithmetic on words: a − b + c."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import embeddings
from llmviz.experiments.words import word_ids
from llmviz.views.embeddings.nearest_tokens import NearWords, Vector
from llmviz.views.embeddings.words import look_up, word
from llmviz.views.kit import controls
from llmviz.views.kit.state_fields import replace, tick
from llmviz.views.kit.view import Scene, on, part, sentences

OF_FOUR = (
    "king man woman queen",
    "Paris France Italy Rome",
    "walked walk play played",
    "cats cat dog dogs",
    "bigger big small smaller",
    "Tokyo Japan Germany Berlin",
)
EXAMPLES = {"{} − {} + {}".format(*words.split()): tuple(words.split()) for words in OF_FOUR}
NO_EXAMPLE = "Choose an example"


class AnalogyExplorer(NearWords):
    """The tokens nearest to a - b + c for three words, which are marked, or left out in all spellings."""

    typed, n = ("a", "b", "c"), 8
    arrangement = (("a", "b", "c", "take_first", "examples"), "leave_out", "refusal", "nearest", "wanted")

    @dataclass(frozen=True)
    class State:
        a: str = word("king", "Take", "190px")
        b: str = word("man", "−", "190px")
        c: str = word("woman", "+", "190px")
        leave_out: bool = tick("Leave out these three words, in all spellings")

    @part(lambda _: controls.choice([NO_EXAMPLE, *EXAMPLES], NO_EXAMPLE, "or"))
    def examples(self, scene: Scene) -> dict:
        words = scene.a, scene.b, scene.c
        return {"value": next((name for name in EXAMPLES if EXAMPLES[name][:3] == words), NO_EXAMPLE)}

    @on("examples", "value")
    def take(self, state: State, name: str) -> State:
        return replace(state, **dict(zip(self.typed, EXAMPLES.get(name, ()))))

    def vector(self, scene: Scene) -> Vector:
        source = "W_E[{}] - W_E[{}] + W_E[{}]".format(*scene.tokens)
        return Vector("the sum", embeddings.analogy(*scene.tokens, scene.rows.W_E), source)

    def left_out(self, scene: Scene) -> list[int]:
        spelled = word_ids(scene.run)
        return np.flatnonzero(np.isin(spelled, spelled[scene.tokens])).tolist() if scene.leave_out else []

    def caption(self, scene: Scene) -> str:
        return "Tokens nearest to {} − {} + {}".format(*map(scene.rows.name, scene.tokens))

    @sentences
    def wanted(self, scene: Scene) -> list[str]:
        """Say how many tokens are nearer than the word that an example asks for."""
        words = scene.a, scene.b, scene.c
        wanted = next((example[3] for example in EXAMPLES.values() if example[:3] == words), "")
        if (token := look_up(wanted, scene.run.tokenizer).token) is None:
            return []
        cosines = embeddings.cosine_to_all(self.vector(scene).values, scene.rows.W_E)
        nearer = {*np.flatnonzero(cosines > cosines[token]).tolist()} - {*self.left_out(scene)}
        where = f"{len(nearer):,} tokens are nearer" if len(nearer) > 1 else "one token is nearer"
        return [f"This sum asks for {scene.rows.name(token)}: {where if nearer else 'no token is nearer'}."]
