"""A conversation as the model reads it."""

from __future__ import annotations

from llmviz.tokenization import Tokenizer
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.provenance import Explanation
from llmviz.views.tokenization.text_tokens import token_id
from llmviz.views.tokenization.typed_text import joined, many, typing_box, writable


class ChatExplorer(Explorer):
    """A conversation as the model reads it: the chat template's special tokens (dashed) around what was typed."""

    def __init__(self, tokenizer: Tokenizer, user: str, *, system: str | None = None):
        self.tokenizer = tokenizer
        self.system = typing_box(system or tokenizer.system_prompt or "", label="System")
        self.user = typing_box(user, label="You")
        self.strip = TokenStrip([], highlight_name="a special token", provenance=self._explain)
        self.system.observe(self._show, "value")
        self.user.observe(self._show, "value")
        self._show()
        super().__init__([self.system, self.user, self.strip])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        (system, without), (user, left_out) = (
            writable(box.value, self.tokenizer) for box in (self.system, self.user)
        )
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        tokens = self.tokenizer.encode_chat(messages)
        special = set(self.tokenizer.special_tokens.values())
        highlight = [position for position, token in enumerate(tokens) if token in special]
        said = f"{many(len(tokens), 'token')}, {len(highlight)} of them special."
        self.strip.change(
            selected=None,
            asked=None,
            pieces=self.tokenizer.pieces(tokens),
            ids=tokens,
            highlight=highlight,
            caption=joined(said, without or left_out),
        )

    def _explain(self, position: int) -> Explanation:
        return token_id(self.tokenizer, self.strip.ids[position])
