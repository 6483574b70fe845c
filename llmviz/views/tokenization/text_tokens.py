"""A text as tokens, and why a token has the id it has."""

from __future__ import annotations

from llmviz.tokenization import Tokenizer, readable
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.tokenization.typed_text import joined, many, typing_box, writable


def token_id(tokenizer: Tokenizer, token: int) -> Explanation:
    """Why a token has the id it has."""
    piece = tokenizer.pieces([token])[0]
    special = {number: name for name, number in tokenizer.special_tokens.items()}
    if token in special:
        return Explanation(
            f"The id of {isolated(piece)}",
            "a special token: its id was given by hand, and no typed text ever becomes it",
            [
                Operand("special_tokens", tokenizer.special_tokens, "model.tokenizer.special_tokens"),
                Operand("name", special[token]),
            ],
            "special_tokens[name]",
            token,
        )
    steps = tokenizer.merges(tokenizer.decode([token])) if "\ufffd" not in tokenizer.decode([token]) else []
    glued = [f"{visible(readable(step.pair[0]))} + {visible(readable(step.pair[1]))}" for step in steps[1:]]
    written = next(key for key, number in tokenizer.ranks.items() if number == token)
    return Explanation(
        f"The id of {isolated(piece)}",
        "id = the token's place in the list that training learned; a smaller id was learned earlier",
        [
            Operand("ranks", tokenizer.ranks, "model.tokenizer.ranks"),
            Operand("piece", written),
            *([Operand("glued from", ", then ".join(glued))] if glued else []),
        ],
        "ranks[piece]",
        token,
    )


class TextTokens(Explorer):
    """A box to type in, and the text's tokens. A click on a token says where its id comes from."""

    def __init__(self, tokenizer: Tokenizer, text: str):
        self.tokenizer = tokenizer
        self.box = typing_box(text, label="Your text", rows=2)
        self.strip = TokenStrip([], provenance=self._explain)
        self.box.observe(self._show, "value")
        self._show()
        super().__init__([self.box, self.strip])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        text, left_out = writable(self.box.value, self.tokenizer)
        tokens = self.tokenizer.encode(text)
        said = f"{many(len(tokens), 'token')} for {many(len(text), 'character')} ({many(len(text.encode()), 'byte')})."
        if not text and not left_out:
            said = "An empty text has no tokens. Type something."
        self.strip.change(
            selected=None,
            asked=None,
            pieces=self.tokenizer.pieces(tokens),
            ids=tokens,
            caption=joined(said, left_out),
        )

    def _explain(self, position: int) -> Explanation:
        return token_id(self.tokenizer, self.strip.ids[position])
