"""Arithmetic on words: a − b + c."""

from __future__ import annotations

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearestTokens
from llmviz.views.embeddings.table import Table, TableExplorer
from llmviz.views.embeddings.word_box import WordBox, first_problem
from llmviz.views.kit.controls import checkbox, choice, row
from llmviz.views.kit.picture import by_the_reader, one_at_a_time
from llmviz.views.provenance import Explanation


class AnalogyExplorer(TableExplorer):
    """a - b + c for three words, and the tokens nearest to it; the three themselves marked or left out."""

    EXAMPLES = (
        ("king", "man", "woman"),
        ("Paris", "France", "Italy"),
        ("walked", "walk", "play"),
        ("cats", "cat", "dog"),
        ("bigger", "big", "small"),
        ("Tokyo", "Japan", "Germany"),
    )

    def __init__(self, table: Table, a: str, b: str, c: str, *, n: int = 8):
        self.n = n
        self.words = [
            WordBox(table.model.tokenizer, typed, label=label, width="190px")
            for typed, label in zip((a, b, c), ("Take", "−", "+"))
        ]
        # Not None for "an example": that would mean that nothing is chosen, and the list would look empty.
        listed = [(f"{x} − {y} + {z}", (x, y, z)) for x, y, z in self.EXAMPLES]
        self.examples = choice([("an example", ()), *listed], (), "or take")
        self.leave_out = checkbox("leave out these three tokens (not their other spellings)")
        self.list = NearestTokens(provenance=self._explain)
        super().__init__(table, [row(*self.words, self.examples), self.leave_out, self.list])
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
        if self.examples.value != tuple(box.box.value for box in self.words):
            self.examples.value = ()  # the reader's own words
        problem = first_problem(*self.words)
        if problem:
            return self.list.clear(problem)
        tokens, W_E = [box.token for box in self.words], self.table.W_E
        a, b, c = map(self.table.name, tokens)
        self.list.show(
            self.model.tokenizer,
            embeddings.cosine_to_all(embeddings.analogy(*tokens, W_E), W_E),
            n=self.n,
            exclude=sorted(set(tokens)) if self.leave_out.value else [],
            marked=tokens,
            caption=f"The tokens nearest to {a} − {b} + {c}{self.table.told}.",
        )

    def _explain(self, row: int) -> Explanation:
        near, tokens = self.list.ids[row], [box.token for box in self.words]
        a, b, c = (f"W_E[{token}]" for token in tokens)
        vector = embeddings.analogy(*tokens, self.table.W_E)
        return self.table.cosine("the sum", vector, f"{a} - {b} + {c}", near)
