"""A text that asks for a fact, and its twin with another subject."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from weakref import ref

import ipywidgets
import traitlets

from llmviz.experiments import Pair
from llmviz.experiments.facts import subject_of, twin_with, why_no_fact
from llmviz.views.kit import controls
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import as_sentence, quote
from llmviz.views.kit.state_fields import clip_position, line, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, part, sentences, shared

NO_FACT = {
    "no twin": "It takes a subject before the last token, and another word in its place for the twin.",
    "same answer": "The model predicts the same for both texts. Choose another word for the twin.",
    "close answers": "One of these answers is nearly as likely in the other text, so a patch can't show which of the "
    "two came out. Choose another word for the twin.",
}


def named(pair: Pair, tokens: Iterable[int]) -> list[str]:
    """Return tokens for a sentence: quoted, without their spaces."""
    return [quote(piece.strip() or piece) for piece in pair.trace.model.tokenizer.pieces(list(tokens))]


def subjects(pair: Pair) -> list[str]:
    """Return what the subjects of a text and its twin are called."""
    return named(pair, [run.tokens[pair.subject] for run in (pair.trace, pair.twin)])


class Fact(View):
    """Chooses the subject of a text, and the word that replaces it in the twin. `trace` is the `Pair` of runs.

    A line with the twin's word and both answers is above every view that follows, and stays in sight there.
    """

    stage = "ffn"
    copies_as_code = False  # many views follow it

    trace = traitlets.Instance(Pair, allow_none=True)  # None where there is no subject before the last token

    @dataclass(frozen=True)
    class State:
        """The twin's word, and the token whose place it takes; None: a name in the text, or the last token but one."""

        word: str = line("Germany", "Twin", "min(190px, 98%)")
        subject: int | None = selection("strip")

    def arrange(self) -> list[ipywidgets.Widget]:
        self.line = controls.row(self.controls["word"], self.parts["answers"])
        self.line.add_class("lv-stays")
        self.add_class("lv-chooses")
        return [self.parts["strip"], self.line]

    def above(self) -> ipywidgets.Widget:
        return self.line

    def dim_if_outdated(self, view: ipywidgets.DOMWidget) -> None:
        self.source.dim_if_outdated(view)

    def hand_on(self, scene: Scene) -> None:
        self.trace, _ = scene.paired

    @shared
    def paired(self, scene: Scene) -> tuple[Pair | None, str]:
        """Return the pair, or None and why there is none."""
        try:
            pair = twin_with(scene.run, scene.word, scene.at)
        except ValueError as error:
            return None, as_sentence(error)
        return pair, no_fact(pair)

    @shared
    def at(self, scene: Scene) -> int:
        """Return the position of the subject."""
        run, chosen = scene.run, scene.subject
        return subject_of(run.pieces) if chosen is None else clip_position(chosen, len(run.tokens))

    @part(TokenStrip, [], caption="Click the subject: the word that the twin changes")
    def strip(self, scene: Scene) -> dict:
        return {"pieces": scene.run.pieces, "selected": scene.at}

    @sentences
    def answers(self, scene: Scene) -> list[str]:
        pair, problem = scene.paired
        if pair is None:
            return [problem]
        both = zip(subjects(pair), named(pair, pair.answers), map(percent, pair.usual_probs()))
        return [*(f"With {subject}, {answer} gets {share}." for subject, answer, share in both), problem]


class OfFact(View):
    """A view of a fact: its run is the `Pair` of a `Fact`, or None. All views of a `Fact` share their results."""

    stage = "ffn"

    def inputs(self) -> Hashable:
        pair = self.run
        if pair is None:
            return None
        return ref(pair.trace.model), tuple(pair.trace.tokens), pair.subject, tuple(pair.twin.tokens)

    @shared
    def pair(self, scene: Scene) -> Pair:
        """Return the two runs. `NothingToShow` where there is no fact to follow; the line of the `Fact` says why."""
        if no_fact(scene.run):
            raise NothingToShow
        return scene.run


def no_fact(pair: Pair | None) -> str:
    """Say why there is no fact to follow; nothing where there is one."""
    return NO_FACT.get(why_no_fact(pair), "")
