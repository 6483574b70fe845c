"""A text that asks for a fact, and its twin with another subject.

off     a part adds nothing at one token: whatever needs the part breaks
swap    the part adds at this token what it adds in the twin's run: only what differs between the two runs changes
"""

from __future__ import annotations

import tomllib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from weakref import ref

import ipywidgets
import traitlets

from llmviz.experiments import Pair, pair_of
from llmviz.experiments.facts import why_no_fact
from llmviz.experiments.probabilities import probability
from llmviz.model import Model, Trace
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import clip_position, line, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, part, sentences, shared

WORDS = tomllib.loads(Path(__file__).with_name("fact.toml").read_text("utf-8"))
NO_FACT = WORDS["no_fact"]


def named(pair: Pair, tokens: Iterable[int]) -> list[str]:
    """Return tokens for a sentence: quoted, without their spaces."""
    return [quote(piece.strip() or piece) for piece in pair.trace.model.tokenizer.pieces(list(tokens))]


def subjects(pair: Pair) -> list[str]:
    """Return what the subjects of a text and its twin are called."""
    return named(pair, [run.tokens[pair.subject] for run in (pair.trace, pair.twin)])


class Fact(View):
    """The page's text, the token of it that is the subject, and the word of its twin. `trace` is the `Pair` of runs.

    It is shown above every picture that follows it, and keeps the results of all their experiments.
    """

    travels, stage = True, "ffn"
    copies_as_code = False  # it is shown above many views

    trace = traitlets.Instance(Pair, allow_none=True)  # None where there is no subject before the last token

    @dataclass(frozen=True)
    class State:
        """The twin's word, and the token whose place it takes; None: the last but one."""

        word: str = line("Germany", "The twin has in its place", "min(380px, 98%)", live=False)
        subject: int | None = selection("strip")

    arrangement = ("strip", "word", "answers")

    def dims(self, view: ipywidgets.DOMWidget) -> None:
        """As its text's box."""
        self.source.dims(view)

    def hand_on(self, scene: Scene) -> None:
        self.trace, _ = scene.paired

    @shared
    def paired(self, scene: Scene) -> tuple[Pair | None, str]:
        """Return the pair, or None and why there is none."""
        return twin(scene.run, subject_of(scene.run, scene.subject), scene.word)

    @part(TokenStrip, [], caption="Click the subject: any token but the last")
    def strip(self, scene: Scene) -> dict:
        run = scene.run
        return {"pieces": run.pieces, "ids": run.tokens, "selected": subject_of(run, scene.subject)}

    @sentences
    def answers(self, scene: Scene) -> list[str]:
        pair, problem = scene.paired
        if pair is None:
            return [problem]
        probs = [probability(run, token) for run, token in zip((pair.trace, pair.twin), pair.answers)]
        shown = zip(subjects(pair), named(pair, pair.answers), map(percent, probs))
        answers = [f"With {subject}: {answer} {share}." for subject, answer, share in shown]
        return [" ".join([*answers, no_fact(pair)]).rstrip()]


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

    stage = "ffn"

    @property
    def model(self) -> Model:
        """The model of both runs."""
        return self.source.source.language_model

    def inputs(self) -> Hashable:
        pair = self.run
        if pair is None:
            return None
        return ref(pair.trace.model), tuple(pair.trace.tokens), pair.subject, pair.twin.tokens[pair.subject]

    @shared
    def pair(self, scene: Scene) -> Pair:
        """Return the two runs, where there is a fact to follow."""
        if problem := no_fact(scene.run):
            raise NothingToShow(problem)
        return scene.run


def no_fact(pair: Pair | None) -> str:
    """Say why there is no fact to follow; nothing where there is one."""
    return NO_FACT.get(why_no_fact(pair), "")


def to_follow(scene: Scene) -> bool:
    """Say whether there is a fact to follow."""
    return not no_fact(scene.run)
