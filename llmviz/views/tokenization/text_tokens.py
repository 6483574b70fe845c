"""A text as tokens, and why a token has the id it has."""

from __future__ import annotations

from llmviz.tokenization import Tokenizer
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, explains, part
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.tokenization.typed_text import TokenizedText, many, text_of


def token_id(tokenizer: Tokenizer, token: int) -> Explanation:
    """Explain why a token has the id it has."""
    named = f"The id of {isolated(tokenizer.pieces([token])[0])}"
    special = {number: name for name, number in tokenizer.special_tokens.items()}
    if token in special:
        return Explanation(
            named,
            "a special token: its id was given by hand, and this tokenizer makes it of no typed text",
            [
                Operand("special_tokens", tokenizer.special_tokens, "model.tokenizer.special_tokens"),
                Operand("name", special[token]),
            ],
            "special_tokens[name]",
            token,
        )
    written = next(piece for piece, number in tokenizer.ranks.items() if number == token)
    one_byte = "of single bytes, which stood there before training"
    learned = "that training learned; of the learned ones, a smaller id was learned earlier"
    return Explanation(
        named,
        f"id = the token's place in the list {learned if len(written) > 1 else one_byte}",
        [Operand("ranks", tokenizer.ranks, "model.tokenizer.ranks"), Operand("piece", written)],
        "ranks[piece]",
        token,
    )


class TokensPrompt(Prompt):
    """A `Prompt` that only cuts its text, so that a long one follows each key; its `trace` is a `TokenizedText`."""

    def run_on(self, tokens: list[int]) -> TokenizedText:
        return TokenizedText(self.language_model, tokens)


class TextTokens(View):
    """The tokens of the text in a prompt's box. A click on a token says where its id comes from."""

    @part(lambda _: TokenStrip([]))
    def strip(self, scene: Scene) -> dict:
        tokens, text = scene.run.tokens, text_of(scene.run)
        size = f"{many(len(text), 'character')} ({many(len(text.encode()), 'byte')})"
        return {
            "pieces": scene.run.pieces,
            "ids": tokens,
            "caption": f"{many(len(tokens), 'token')} for {size}.",
        }

    @explains("strip")
    def why(self, scene: Scene, position: int) -> Explanation:
        return token_id(scene.run.model.tokenizer, scene.run.tokens[position])
