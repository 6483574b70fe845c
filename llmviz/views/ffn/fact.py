"""A text that asks for a fact and its twin with another subject: what is taken away, or taken from the twin.

off     a part adds nothing, at one token only: what needs it breaks, whatever it is for
swap    the part does at this token what it does in the twin's run: all stays at home but what tells the two apart
"""

from __future__ import annotations

import functools
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
from llmviz.views.kit.state_fields import clip_position, is_index, picked, text
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, part

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
        """The twin's word, and the token whose place it takes: the last but one at first."""

        word: str = text(
            "Germany",
            lambda word: text_box(word, "The twin has in its place", "min(380px, 98%)", live=False),
        )
        subject: int | None = picked(
            -2, lambda at, _: at is None or is_index(at), "a position, or None", of=("strip", "selected")
        )

    def __init__(self, prompt: Prompt, *values, **state):
        self.prompt = prompt
        self.twin = functools.lru_cache(maxsize=1)(twin)  # parts and followers show the same pair
        super().__init__(prompt, *values, **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        return [self.parts["strip"], row(self.controls["word"]), self.parts["answers"]]

    def dims(self, view: ipywidgets.DOMWidget) -> None:
        """As its text's box."""
        self.prompt.dims(view)

    def hand_on(self) -> None:
        self.trace, _ = self.twin(self.run, self.state.subject, self.state.word)

    @part(lambda _: TokenStrip([], stage="ffn", caption="Click the subject: any token but the last"))
    def strip(self, scene: Scene) -> dict:
        subject, tokens = scene.subject, scene.run.tokens
        selected = None if subject is None else clip_position(subject, len(tokens))
        return {"pieces": scene.run.pieces, "ids": tokens, "selected": selected}

    @part(lambda _: Told())
    def answers(self, scene: Scene) -> dict:
        pair, problem = self.twin(scene.run, scene.subject, scene.word)
        if pair is None:
            return {"sentences": [problem]}
        answers = [
            f"With {subject}: {answer} {percent(probability(run, token))}."
            for subject, run, token, answer in zip(
                subjects(pair), (pair.trace, pair.twin), pair.answers, named(pair, pair.answers)
            )
        ]
        return {"sentences": [" ".join([*answers, NO_FACT[why_no_fact(pair)]]).rstrip()]}


def twin(trace: Trace, subject: int | None, word: str) -> tuple[Pair | None, str]:
    """Return the pair with a typed word in the subject's place, or None and why there is none."""
    model, last = trace.model, len(trace.tokens) - 1
    if subject is None or (subject := clip_position(subject, last + 1)) == last:
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
