"""A text as tokens, and why a token has the id it has."""

from __future__ import annotations

from llmviz.model import Trace
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.tokenization.typed_text import TokenizedText, many, text_of


def token_id(tokenizer: Tokenizer, token: int) -> Explanation:
    """Why a token has the id it has."""
    piece = tokenizer.pieces([token])[0]
    special = {number: name for name, number in tokenizer.special_tokens.items()}
    if token in special:
        return Explanation(
            f"The id of {isolated(piece)}",
            "a special token: its id was given by hand, and this tokenizer makes it of no typed text",
            [
                Operand("special_tokens", tokenizer.special_tokens, "model.tokenizer.special_tokens"),
                Operand("name", special[token]),
            ],
            "special_tokens[name]",
            token,
        )
    written = next(key for key, number in tokenizer.ranks.items() if number == token)
    one_byte = "of single bytes, which stood there before training"
    learned = "that training learned; of the learned ones, a smaller id was learned earlier"
    return Explanation(
        f"The id of {isolated(piece)}",
        f"id = the token's place in the list {learned if len(written) > 1 else one_byte}",
        [
            Operand("ranks", tokenizer.ranks, "model.tokenizer.ranks"),
            Operand("piece", written),
        ],
        "ranks[piece]",
        token,
    )


class TokensPrompt(Prompt):
    """A `Prompt` that only cuts its text, so that a long one follows each key; its `trace` is a `TokenizedText`."""

    def run_on(self, tokens: list[int]) -> TokenizedText:
        return TokenizedText(self.language_model, tokens)


class TextTokens(Explorer):
    """The tokens of the text in a prompt's box. A click on a token says where its id comes from."""

    def __init__(self, prompt: Prompt):
        self.tokenizer = prompt.language_model.tokenizer
        self.strip = TokenStrip([], provenance=self._explain)
        super().__init__([self.strip])
        self.follow(prompt, self.show)

    @one_at_a_time
    def show(self, trace: TokenizedText | Trace) -> None:
        """Another text."""
        text = text_of(trace)
        self.strip.change(
            selected=None,
            asked=None,
            pieces=trace.pieces,
            ids=trace.tokens,
            caption=f"{many(len(trace.tokens), 'token')} for {many(len(text), 'character')} "
            f"({many(len(text.encode()), 'byte')}).",
        )

    def _explain(self, position: int) -> Explanation:
        return token_id(self.tokenizer, self.strip.ids[position])
