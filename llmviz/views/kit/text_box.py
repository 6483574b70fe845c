"""Where the reader types a text, and what is said where it cannot be used as it is."""

from __future__ import annotations

import html
from dataclasses import dataclass

import anywidget
import ipywidgets
import traitlets

from llmviz.model import Model, Trace
from llmviz.tokenization import Tokenizer, describe_unwritable, drop_unwritable
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import STATIC, Explorer, guard, one_at_a_time
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


class Freshness(anywidget.AnyWidget):
    """Watches the box above it: pictures that do not match what is typed there are dimmed, and it says so."""

    _esm = (STATIC / "freshness.js").read_text("utf-8")
    _css = (STATIC / "freshness.css").read_text("utf-8")

    shown = traitlets.Unicode().tag(sync=True)  # the text that the pictures show
    followers = traitlets.Unicode().tag(sync=True)  # the class of what follows the box


class TextBox(Closable, ipywidgets.VBox):
    """A box to type in; `tokens` (ids) follows what is typed and is empty where there is nothing to run.

    live: follow every key (for pictures that are quick to draw), else only when the box is left or Enter is pressed.
    """

    travels = True

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
        self.freshness = Freshness()
        super().__init__(
            [ipywidgets.HTML(f"<b>{html.escape(label)}</b>"), self.box, self.freshness, self.message]
        )
        self.add_class("lv-text-box")
        self.freshness.followers = f"lv-follows-{self.model_id}"
        self.box.observe(self._read, "value")
        self._read()

    def dims(self, view: ipywidgets.DOMWidget) -> None:
        """From now on a view is pale while the box holds another text than the pictures show, or none."""
        view.add_class(self.freshness.followers)

    @traitlets.observe("children")
    def _guard_controls(self, _change) -> None:
        guard(self)

    def say(self, sentence: str) -> None:
        """Put a sentence under the box, as text."""
        self.message.value = status(sentence) if sentence else ""

    @one_at_a_time
    def _read(self, _change=None) -> None:
        reading = read(self.box.value, self._tokenizer, limit=self._limit)
        self.say(reading.told)
        self.tokens = reading.tokens  # whatever follows the text is drawn when this is done
        if reading.tokens:
            self.freshness.shown = clean(self.box.value)  # half a character cannot be sent


class Prompt(TextBox):
    """A box for a text that the model runs on. `trace` is the run; the pictures made with the box follow it.

    An empty box leaves the last run standing.
    """

    trace = traitlets.Instance(Trace)

    def __init__(self, model: Model, text: str, *, label: str = "", live: bool = False):
        label = label or ("Your text" if live else "Your text (Enter runs the model)")
        super().__init__(model, text, label=label, live=live)
        self.language_model = model
        self.observe(self._run, "tokens")
        self._run()

    @one_at_a_time
    def _run(self, _change=None) -> None:
        if self.tokens or not self.trait_has_value("trace"):
            self.trace = self.language_model.trace(self.tokens or [0])


def as_prompt(model: Model, text: str | Prompt, **options) -> Prompt:
    """A page's own prompt as it is; for a text a new one, which goes with the view that follows it."""
    if isinstance(text, Prompt):
        return text
    prompt = Prompt(model, text, **options)
    prompt.goes_with_its_followers()
    return prompt


def with_box(prompt: Prompt, *pictures: ipywidgets.Widget) -> Explorer:
    """Pictures that follow a prompt by themselves, with its box above them."""
    view = Explorer(pictures)
    view.follow(prompt, lambda _: None)
    return view


def trace_of(source: Prompt | Trace) -> Trace:
    """The run that a picture begins with, whether it is to follow a box or not."""
    return source if isinstance(source, Trace) else source.trace
