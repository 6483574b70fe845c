"""Where the reader types a text, and what is said where it cannot be used as it is."""

from __future__ import annotations

import html
from dataclasses import dataclass

import ipywidgets
import traitlets

from llmviz.model import Model, Trace
from llmviz.tokenization import Tokenizer, describe_unwritable, drop_unwritable
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.theme import MAX_TOKENS


@dataclass(frozen=True)
class Reading:
    """A typed text as token ids, never more than can be drawn, and a sentence where something was left out."""

    tokens: list[int]
    told: str


def read(text: str, tokenizer: Tokenizer, *, limit: int = MAX_TOKENS) -> Reading:
    """The tokens of whatever somebody typed: characters that cannot be written are left out, and so is all that
    comes after the first `limit` tokens; `told` says so. No tokens where nothing is left."""
    kept, dropped = drop_unwritable(text, tokenizer.ranks)
    told = [describe_unwritable(dropped)] if dropped else []
    tokens = tokenizer.encode(kept)
    if not tokens:
        told.append("Type something: the model needs at least one token to go on from.")
    if len(tokens) > limit:
        told.append(f"This text has {len(tokens):,} tokens; the first {limit} are used.")
    return Reading(tokens[:limit], " ".join(told))


def status(sentence: str) -> str:
    """A sentence as HTML that is read aloud when it changes; whatever it quotes stays text."""
    style = "min-height:1.5em;font-size:16px;line-height:1.5"  # keeps its place while it is empty
    return f'<div role="status" style="{style}">{html.escape(clean(sentence))}</div>'


class TextBox(Closable, ipywidgets.VBox):
    """A box to type in; `tokens` (ids) follows what is typed and is empty where there is nothing to run.

    live: follow every key (for pictures that are quick to draw), else only when the box is left or Enter is pressed.
    """

    tokens = traitlets.List(traitlets.Int())

    def __init__(
        self, model: Model, text: str, *, label: str = "Your text", live: bool = True, rows: int = 2
    ):
        self._tokenizer = model.tokenizer
        self._limit = min(MAX_TOKENS, model.config.n_ctx)
        kind = ipywidgets.Textarea if live else ipywidgets.Text
        more = {"rows": rows} if live else {}
        self.box = kind(
            clean(text),
            continuous_update=live,
            layout={"width": "min(900px, 98%)"},
            placeholder=label,
            **more,
        )
        self.box.tooltip = label
        self.message = ipywidgets.HTML()
        super().__init__([ipywidgets.HTML(f"<b>{html.escape(label)}</b>"), self.box, self.message])
        self.box.observe(self._read, "value")
        self._read()

    def say(self, sentence: str) -> None:
        """Put a sentence under the box, as text."""
        self.message.value = status(sentence) if sentence else ""

    @one_at_a_time
    def _read(self, _change=None) -> None:
        reading = read(self.box.value, self._tokenizer, limit=self._limit)
        self.say(reading.told)
        self.tokens = reading.tokens


class Prompt(TextBox):
    """A box for a text that the model runs on. `trace` is the run; the pictures made with the box follow it.

    An empty box leaves the last run standing. `running` is true while the model runs: what follows is old by then.
    """

    trace = traitlets.Instance(Trace)
    running = traitlets.Bool(False)

    def __init__(
        self, model: Model, text: str, *, label: str = "Your text (Enter runs the model)", live: bool = False
    ):
        super().__init__(model, text, label=label, live=live)
        self.language_model = model
        self.observe(self._run, "tokens")
        self._run()

    @one_at_a_time
    def _run(self, _change=None) -> None:
        if self.tokens or not self.trait_has_value("trace"):
            self.running = True
            try:
                self.trace = self.language_model.trace(self.tokens or [0])
            finally:
                self.running = False
