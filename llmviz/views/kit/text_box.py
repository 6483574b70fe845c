"""Where the reader types a text, and what the page says if it cannot use all of it."""

from __future__ import annotations

import functools
import html
from dataclasses import dataclass

import ipywidgets
import traitlets

from llmviz.model import Model, Trace
from llmviz.tokenization import Tokenizer, describe_unwritable, drop_unwritable
from llmviz.views.kit.drawn import Drawn
from llmviz.views.kit.picture import CLOSED
from llmviz.views.kit.pieces import as_sentence, clean
from llmviz.views.kit.state_fields import picked
from llmviz.views.kit.theme import MAX_TOKENS
from llmviz.views.kit.view import Scene, View, part, sentences
from llmviz.where import where


@dataclass(frozen=True)
class Reading:
    """A typed text as token ids, at most as many as can be drawn, and a message that says what was left out."""

    tokens: list[int]
    message: str


def read(text: str, tokenizer: Tokenizer, *, limit: int = MAX_TOKENS) -> Reading:
    """Return the first `limit` tokens of a typed text, without characters that the vocabulary cannot write.

    The message says what is left out. There may be no tokens left."""
    writable, dropped = drop_unwritable(text, tokenizer.ranks)
    problems = []
    if dropped:
        problems.append(
            f"{as_sentence(describe_unwritable(dropped))} The model reads your text without that."
        )
    tokens = tokenizer.encode_prompt(writable)
    if not tokens:
        problems.append("Type something. The model needs at least one token to start from.")
    if len(tokens) > limit:
        problems.append(f"This text has {len(tokens):,} tokens, so only the first {limit} are used.")
    return Reading(tokens[:limit], " ".join(problems))


def most_tokens(model: Model) -> int:
    """Return how many tokens a text can have, to be run and drawn."""
    return min(MAX_TOKENS, model.config.n_ctx)


class Freshness(Drawn):
    """Watches the text box: while pictures do not match what is typed there, they are dimmed, and a line says so."""

    _static = "freshness"

    shown = traitlets.Unicode().tag(sync=True)  # the text that the pictures show
    followers = traitlets.Unicode().tag(sync=True)  # the class of what follows the box


class Prompt(View):
    """A box for a text that the model runs on. `trace` is the run; the pictures made with the box follow it.

    `tokens` are the ids of what is typed. Where there are none, `trace` remains the last run.
    live: follow every key (for pictures that are quick to draw), else wait until the box is left or Enter is pressed;
    except on a page, where no model runs, the label says so.
    """

    copies_as_code = False

    tokens = traitlets.List(traitlets.Int())
    trace = traitlets.Any()  # what `run_on` returns

    @dataclass(frozen=True)
    class State:
        """What is typed."""

        text: str = picked("", lambda text, _: isinstance(text, str), "a text", set_by=("box", "value"))

    def __init__(self, model: Model, text: str, *, label: str = "Your text", live: bool = False):
        label += "" if live or where() == "page" else " (Enter runs the model)"
        self.language_model, self.label, self.live = model, label, live
        limit = most_tokens(model)
        self.reading = functools.lru_cache(1)(lambda text: read(text, model.tokenizer, limit=limit))
        self.freshness = Freshness()
        super().__init__(None, text=clean(text))
        self.add_class("lv-text-box")
        self.freshness.followers = f"lv-follows-{self.model_id}"

    def arrange(self) -> list[ipywidgets.Widget]:
        self.box, self.message = self.parts["box"], self.parts["message"]  # for whoever types from Python
        label = ipywidgets.HTML(f"<b>{html.escape(self.label)}</b>").add_class("lv-text-label")
        # On a page, where no text waits for its run, nothing is out of date.
        freshness = [] if where() == "page" else [self.freshness]
        return [label, self.box, *freshness, self.message]

    def above(self) -> ipywidgets.Widget:
        return self

    def dim_if_outdated(self, view: ipywidgets.DOMWidget) -> None:
        view.add_class(self.freshness.followers)

    def run_on(self, tokens: list[int]) -> Trace:
        """Return what `trace` is for these tokens."""
        return self.language_model.trace(tokens)

    @traitlets.default("trace")
    def _run_on_nothing(self) -> Trace:
        return self.run_on([0])

    def hand_on(self, scene: Scene) -> None:
        before, self.tokens = self.tokens, self.reading(scene.text).tokens
        if self.tokens and self.tokens != before:
            self.trace = self.run_on(self.tokens)
        if self.tokens:  # By now all followers have drawn it.
            self.freshness.shown = clean(scene.text)  # A lone surrogate cannot be sent.

    @part(lambda view: view._make_box())
    def box(self, scene: Scene) -> dict:
        return {"value": scene.text}

    def _make_box(self) -> ipywidgets.Text | ipywidgets.Textarea:
        look = {"layout": {"width": "min(900px, 98%)"}, "placeholder": self.label, "tooltip": self.label}
        if self.live:
            return ipywidgets.Textarea(rows=2, **look)
        return ipywidgets.Text(continuous_update=False, **look)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        return [self.reading(scene.text).message]

    def __repr__(self) -> str:
        if self.comm is None:
            return CLOSED
        sentences = [f"{self.label}: {clean(self.state.text)}", self.reading(self.state.text).message]
        return "\n".join(filter(None, sentences))


def as_prompt(model: Model, text: str | Prompt, **options) -> Prompt:
    """Return a page's own prompt unchanged; for a text, a new prompt, which closes with the view that follows it."""
    if isinstance(text, Prompt):
        return text
    prompt = Prompt(model, text, **options)
    prompt.close_with_followers()
    return prompt
