"""Arithmetic on words: a − b + c."""

from __future__ import annotations

from llmviz import embeddings
from llmviz.model import Model
from llmviz.views.embeddings.nearest_tokens import NearestTokens, cosine_with
from llmviz.views.embeddings.random_pairs import usual
from llmviz.views.embeddings.word_box import WordBox, first_problem
from llmviz.views.kit.controls import checkbox, choice, row
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.provenance import Explanation


class AnalogyExplorer(Explorer):
    """a - b + c for three words, and the tokens nearest to it; the three themselves marked or left out."""

    EXAMPLES = (
        ("king", "man", "woman"),
        ("Paris", "France", "Italy"),
        ("walked", "walk", "play"),
        ("cats", "cat", "dog"),
        ("bigger", "big", "small"),
        ("Tokyo", "Japan", "Germany"),
    )

    def __init__(self, model: Model, a: str, b: str, c: str, *, n: int = 8):
        self.model, self.n = model, n
        self.words = [
            WordBox(model.tokenizer, typed, label=label, width="190px")
            for typed, label in zip((a, b, c), ("Take", "−", "+"))
        ]
        # Not None for "an example": that would mean that nothing is chosen, and the list would look empty.
        listed = [(f"{x} − {y} + {z}", (x, y, z)) for x, y, z in self.EXAMPLES]
        self.examples = choice([("an example", ()), *listed], (), "or take")
        self.leave_out = checkbox("leave out the three words themselves")
        self.list = NearestTokens(baseline=usual(model), provenance=self._explain)
        super().__init__([row(*self.words, self.examples), self.leave_out, self.list])
        for box in self.words:
            box.observe(self._draw, "word")
        self.leave_out.observe(self._draw, "value")
        self.examples.observe(self._take_example, "value")
        self._draw()

    @one_at_a_time
    def _take_example(self, change) -> None:
        if not change["new"]:
            return
        with self.quietly():  # three boxes change, one picture
            for box, typed in zip(self.words, change["new"]):
                box.box.value = typed
        self._draw()

    @by_the_reader
    def _draw(self, _change=None) -> None:
        problem = first_problem(*self.words)
        if problem:
            return self.list.clear(problem)
        tokens, W_E = [box.token for box in self.words], self.model.weights.W_E
        exclude = sorted(set(tokens)) if self.leave_out.value else []
        n = min(self.n, len(W_E) - len(exclude))
        found = embeddings.nearest(embeddings.analogy(*tokens, W_E), W_E, n=n, exclude=exclude)
        a, b, c = (isolated(piece) for piece in self.model.tokenizer.pieces(tokens))
        self.list.show(
            self.model.tokenizer, found, marked=tokens, caption=f"The tokens nearest to {a} − {b} + {c}."
        )

    def _explain(self, row: int) -> Explanation:
        tokens, W_E = [box.token for box in self.words], self.model.weights.W_E
        a, b, c = (f"W_E[{token}]" for token in tokens)
        return cosine_with(
            self.model, embeddings.analogy(*tokens, W_E), f"{a} - {b} + {c}", self.list.ids[row]
        )
