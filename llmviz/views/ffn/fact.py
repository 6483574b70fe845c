"""A text that asks for a fact and its twin with another subject: what is taken away, or taken from the twin.

off     a part adds nothing, at one token only: what needs it breaks, whatever it is for
swap    the part does at this token what it does in the twin's run: all stays at home but what tells the two apart
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from weakref import ref

import ipywidgets
import traitlets

from llmviz.experiments import Pair, pair_of
from llmviz.experiments.facts import why_no_fact
from llmviz.experiments.probabilities import probability
from llmviz.model import Model, Trace
from llmviz.views.kit.controls import Told, row, text_box
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import clip_position, selection, text
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, part, shared

NO_FACT = {  # what is said where there is no fact to follow
    None: "",
    "no twin": "Nothing to follow yet: it takes two tokens or more, a subject before the last one, and a twin's word.",
    "same answer": "Both texts go on alike: choose a word that the model answers otherwise.",
    "close answers": "In the other's run one of the answers has half of its probability or more: nothing there tells "
    "the two apart. Choose a word that the model answers otherwise.",
}


def named(pair: Pair, tokens: Iterable[int]) -> list[str]:
    """Return tokens for a sentence: quoted, without their spaces."""
    return [quote(piece.strip() or piece) for piece in pair.trace.model.tokenizer.pieces(list(tokens))]


def subjects(pair: Pair) -> list[str]:
    """Return what the subjects of a text and its twin are called."""
    return named(pair, [run.tokens[pair.subject] for run in (pair.trace, pair.twin)])


class Fact(View):
    """The page's text, the token of it that is the subject, and the word of its twin. `trace` is the `Pair` of runs.

    It stands above every picture that follows it, and has the results of all their experiments.
    """

    travels = True
    copies_as_code = False  # it stands above many views

    trace = traitlets.Instance(Pair, allow_none=True)  # None where there is no subject before the last token

    @dataclass(frozen=True)
    class State:
        """The twin's word, and the token whose place it takes; None: the last but one."""

        word: str = text(
            "Germany",
            lambda word: text_box(word, "The twin has in its place", "min(380px, 98%)", live=False),
        )
        subject: int | None = selection("strip")

    def __init__(self, prompt: Prompt, *values, **state):
        self.prompt = prompt
        super().__init__(prompt, *values, **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        return [self.parts["strip"], row(self.controls["word"]), self.parts["answers"]]

    def dims(self, view: ipywidgets.DOMWidget) -> None:
        """As its text's box."""
        self.prompt.dims(view)

    def hand_on(self) -> None:
        self.trace, _ = self.scene(self.state).paired

    @shared
    def paired(self, scene: Scene) -> tuple[Pair | None, str]:
        """Return the pair, or None and why there is none."""
        return twin(scene.run, subject_of(scene.run, scene.subject), scene.word)

    @part(lambda _: TokenStrip([], stage="ffn", caption="Click the subject: any token but the last"))
    def strip(self, scene: Scene) -> dict:
        run = scene.run
        return {"pieces": run.pieces, "ids": run.tokens, "selected": subject_of(run, scene.subject)}

    @part(lambda _: Told())
    def answers(self, scene: Scene) -> dict:
        pair, problem = scene.paired
        if pair is None:
            return {"sentences": [problem]}
        answers = [
            f"With {subject}: {answer} {percent(probability(run, token))}."
            for subject, run, token, answer in zip(
                subjects(pair), (pair.trace, pair.twin), pair.answers, named(pair, pair.answers)
            )
        ]
        return {"sentences": [" ".join([*answers, NO_FACT[why_no_fact(pair)]]).rstrip()]}


def subject_of(trace: Trace, chosen: int | None) -> int:
    """Return a position in a text: the one chosen, or the last but one."""
    return clip_position(-2 if chosen is None else chosen, len(trace.tokens))


def twin(trace: Trace, subject: int, word: str) -> tuple[Pair | None, str]:
    """Return the pair with a typed word in the subject's place, or None and why there is none."""
    model = trace.model
    if subject == len(trace.tokens) - 1:
        return None, NO_FACT["no twin"]
    spaced = trace.pieces[subject].startswith(" ")
    try:
        tokens = model.tokenizer.encode(f"{' ' if spaced else ''}{word.strip()}") if word.strip() else []
    except ValueError as error:
        return None, str(error)
    if len(tokens) != 1:
        return None, f"The twin's word must be one token; {quote(word)} is {len(tokens)}."
    return pair_of(model, trace.tokens, tokens[0], subject), ""


class OfFact(View):
    """A view of a fact: its run is the `Pair`, or None. The `Fact` has its results, for all that follow it."""

    @property
    def model(self) -> Model:
        """The model of both runs."""
        return self.source.prompt.language_model

    def inputs(self) -> Hashable:
        pair = self.run
        if pair is None:
            return None
        return ref(pair.trace.model), tuple(pair.trace.tokens), pair.subject, pair.twin.tokens[pair.subject]


def to_follow(scene: Scene) -> bool:
    """Say whether there is a fact to follow."""
    return why_no_fact(scene.run) is None
