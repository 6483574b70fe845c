"""The tokens nearest to a token, and its other spellings."""

from __future__ import annotations

import functools

from llmviz import embeddings
from llmviz.model import Model
from llmviz.views import provenance
from llmviz.views.embeddings.nearest_tokens import NearestTokens, name_of
from llmviz.views.embeddings.random_pairs import usual
from llmviz.views.embeddings.word_box import WordBox
from llmviz.views.kit.controls import checkbox, row
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import isolated


class NeighbourExplorer(Explorer):
    """The nearest tokens to any token, with or without other spellings of the same word."""

    def __init__(self, model: Model, word: str, *, n: int = 12):
        self.model, self.n = model, n
        self.word = WordBox(model.tokenizer, word)
        self.spellings = checkbox("show other spellings of the word, too")
        self.spellings.value = True
        self.list = NearestTokens(
            baseline=usual(model),
            provenance=lambda row: provenance.cosine(model, self.word.token, self.list.ids[row]),
        )
        super().__init__([row(self.word, self.spellings), self.list])
        self.word.observe(self._draw, "word")
        self.spellings.observe(self._draw, "value")
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        token = self.word.token
        if token is None:
            return self.list.clear(self.word.word.problem)
        W_E = self.model.weights.W_E
        left_out = {token} if self.spellings.value else {token, *spellings(self.model, token)}
        n = min(self.n, len(W_E) - len(left_out))
        found = embeddings.nearest(W_E[token], W_E, n=n, exclude=sorted(left_out))
        hidden = "" if self.spellings.value else f", without {len(left_out) - 1} other spellings of it"
        name = isolated(name_of(self.model, token))
        self.list.show(
            self.model.tokenizer, found, caption=f"The {n} tokens nearest to {name} (id {token:,}){hidden}."
        )


@functools.lru_cache(maxsize=2)
def _tokens_by_word(model: Model) -> dict[str, list[int]]:
    """Tokens whose text differs only in spaces and capitals, under that text."""
    found: dict[str, list[int]] = {}
    for token, piece in enumerate(model.tokenizer.pieces(range(model.config.n_vocab))):
        found.setdefault(piece.strip().casefold(), []).append(token)
    return found


def spellings(model: Model, token: int) -> list[int]:
    """The other tokens that are the same word but for spaces and capitals."""
    key = name_of(model, token).strip().casefold()
    return [other for other in _tokens_by_word(model)[key] if other != token] if key else []
