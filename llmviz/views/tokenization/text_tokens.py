"""A text or a conversation as tokens, and where the id of a token comes from."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llmviz.experiments.words import A_WORD, TokenizedText, spaces_before, text_of
from llmviz.model import Model, Trace
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.pieces import as_sentence, isolated
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, explains, part
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.tokenization.typed_text import chips, typed, writable


class TokensPrompt(Prompt):
    """A `Prompt` that only tokenizes, so that it follows each key even in a long text; `trace` is a `TokenizedText`."""

    def __init__(self, model: Model, text: str, **options):
        # The same text again gives the same object; a guess card would take another one for a new text.
        self._tokenized = functools.lru_cache(1_000)(lambda tokens: TokenizedText(model, [*tokens]))
        super().__init__(model, text, **options)

    def run_on(self, tokens: list[int]) -> TokenizedText:
        begins = tokens[0] == self.language_model.tokenizer.begin_token  # That token isn't part of the text.
        return self._tokenized(tuple(tokens[begins:] or tokens))


class TextTokens(View):
    """The tokens of a text. A click on a token says where its id comes from."""

    def follow(self, source: Any, show: Callable) -> None:
        """Follow a text without showing its box, which is just above."""
        Closable.follow(self, source, show)
        if isinstance(source, Closable):
            source.dim_if_outdated(self)

    @part(TokenStrip, [])
    def strip(self, scene: Scene) -> dict:
        tokens, text = scene.run.tokens, text_of(scene.run)
        size = f"{amount(len(text), 'characters')} ({amount(len(text.encode()), 'bytes')})"
        return chips(tokens, scene.run.model.tokenizer, f"{amount(len(tokens), 'tokens')} for {size}.")

    @explains("strip")
    def why(self, scene: Scene, position: int) -> Explanation:
        return token_id(scene.run.model.tokenizer, scene.run.tokens[position])


def about_pieces(trace: TokenizedText | Trace) -> str:
    """Say how a text's pieces show its spaces and single bytes, if it has any."""
    text = text_of(trace)
    before, joined_ = spaces_before(trace.model.tokenizer, text, A_WORD)
    which = (
        "It's" if text.count(" ") == joined_ == 1 else f"{joined_} of {before} single spaces before words are"
    )
    if before == joined_ > 1:
        which = f"{'Both' if before == 2 else f'All {before}'} single spaces before words are"
    spaces = f"A dot (·) is a space. {which} part of the token that follows."
    in_bytes = re.search("<0x(..)>", " ".join(trace.pieces))
    bytes_ = (
        f"{in_bytes[0]} is one of a character's bytes: the number {int(in_bytes[1], 16)}, written in hexadecimal. "
        "A token can hold several bytes."
        if in_bytes
        else ""
    )
    return f"{spaces if before else ''} {bytes_}".strip()


class ChatExplorer(View):
    """A conversation as the model reads it: the chat template's special tokens (dashed) around what is typed."""

    @dataclass(frozen=True)
    class State:
        """What the system and the user say."""

        system: str = typed("System")
        user: str = typed("You")

    def __init__(self, tokenizer: Tokenizer, user: str, *, system: str | None = None):
        super().__init__(tokenizer, tokenizer.system_prompt or "" if system is None else system, user)

    @part(TokenStrip, [], highlight_name="special token")
    def strip(self, scene: Scene) -> dict:
        tokenizer = scene.run
        (system, without), (user, left_out) = (
            writable(text, tokenizer) for text in (scene.system, scene.user)
        )
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        try:
            tokens = tokenizer.encode_chat(messages[not (system or tokenizer.system_prompt) :])
        except ValueError as error:  # a model that was not taught to chat
            return {**chips([], tokenizer, as_sentence(str(error))), "highlight": []}
        highlight = [i for i, token in enumerate(tokens) if token in tokenizer.special_tokens.values()]
        size = f"{amount(len(tokens), 'tokens')}; {len(highlight)} are special tokens."
        return {**chips(tokens, tokenizer, size, without or left_out), "highlight": highlight}

    @explains("strip")
    def why(self, scene: Scene, position: int) -> Explanation:
        return token_id(scene.run, scene.shown["ids"][position])


def token_id(tokenizer: Tokenizer, token: int) -> Explanation:
    """Explain where the id of a token comes from."""
    special = {number: name for name, number in tokenizer.special_tokens.items()}
    if token in special:
        origin = "a special token: its id was assigned by hand, and typed text never becomes this token"
        table = Operand("special_tokens", tokenizer.special_tokens, "model.tokenizer.special_tokens")
        key, line = Operand("name", special[token]), "special_tokens[name]"
    else:
        written = next(piece for piece, number in tokenizer.ids.items() if number == token)
        origin = f"id = the token's place in the vocabulary, {tokenizer.place_of(written)}"
        name = "ranks" if written in tokenizer.ranks else "ids"  # which has the added tokens as well
        table = Operand(name, getattr(tokenizer, name), f"model.tokenizer.{name}")
        key, line = Operand("piece", written), f"{name}[piece]"
    (piece,) = tokenizer.pieces([token])
    return Explanation(f"The id of {isolated(piece)}", origin, [table, key], line, token)
