"""A conversation as the model reads it."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz.tokenization import Tokenizer
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, explains, part
from llmviz.views.provenance import Explanation
from llmviz.views.tokenization.text_tokens import token_id
from llmviz.views.tokenization.typed_text import joined, many, typed, writable


class ChatExplorer(View):
    """A conversation as the model reads it: the chat template's special tokens (dashed) around what was typed."""

    @dataclass(frozen=True)
    class State:
        """What both say."""

        system: str = typed("System")
        user: str = typed("You")

    arrangement = ("system", "user", "strip")

    def __init__(self, tokenizer: Tokenizer, user: str, *, system: str | None = None):
        super().__init__(tokenizer, system or tokenizer.system_prompt or "", user)

    @part(lambda _: TokenStrip([], highlight_name="a special token"))
    def strip(self, scene: Scene) -> dict:
        tokenizer = scene.run
        (system, without), (user, left_out) = (
            writable(text, tokenizer) for text in (scene.system, scene.user)
        )
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        tokens, special = tokenizer.encode_chat(messages), {*tokenizer.special_tokens.values()}
        highlight = [position for position, token in enumerate(tokens) if token in special]
        size = f"{many(len(tokens), 'token')}, {len(highlight)} of them special."
        return {
            "pieces": tokenizer.pieces(tokens),
            "ids": tokens,
            "highlight": highlight,
            "caption": joined(size, without or left_out),
        }

    @explains("strip")
    def why(self, scene: Scene, position: int) -> Explanation:
        return token_id(scene.run, scene.shown["ids"][position])
