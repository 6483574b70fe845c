"""A text that asks for a fact and its twin with another subject: what is taken away, or taken from the twin.

off     a part adds nothing, at one token only: what needs it breaks, whatever it is for
swap    the part does at this token what it does in the twin's run: all stays at home but what tells the two apart
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import ipywidgets
import numpy as np
import traitlets

from llmviz import ops
from llmviz.edits import Edits
from llmviz.experiments import Pair, fact_mover_head, facts, pair_of
from llmviz.experiments.facts import why_no_fact
from llmviz.model import Trace
from llmviz.views.kit.controls import Told, row
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip

NO_FACT = {  # what is said where there is no fact to follow
    None: "",
    "no twin": "Nothing to follow yet: it takes two tokens or more, a subject before the last one, and a twin's word.",
    "same answer": "Both texts go on alike: choose a word that the model answers otherwise.",
    "close answers": "In the other's run one of the answers has half of its probability or more: nothing there tells "
    "the two apart. Choose a word that the model answers otherwise.",
}


def named(pair: Pair, tokens: Iterable[int]) -> list[str]:
    """Tokens for a sentence: quoted, without their spaces."""
    return [quote(piece.strip() or piece) for piece in pair.trace.model.tokenizer.pieces(list(tokens))]


def subjects(pair: Pair) -> list[str]:
    """What the subjects of a text and its twin are called."""
    return named(pair, [run.tokens[pair.subject] for run in (pair.trace, pair.twin)])


# --- the four steps --------------------------------------------------------------------------------------------------

Row = tuple[str, list[Edits]]  # a name, and one edit or several of which the strongest counts


@dataclass(frozen=True, eq=False)
class Step:
    """What a step does to the run: a part and its control off, it and another swapped, and its place on the map."""

    name: str
    at: int  # the token
    source: int | None  # the token that it reads there, for an arrow
    layers: tuple[int, int]
    off: tuple[Row, Row]
    swap: tuple[Row, Row]
    note: str = ""  # what else there is to say of it


def steps(pair: Pair, *, early: tuple[int, int] | None = None) -> list[Step]:
    """The four: FFNs at the subject, the head that moves, the last token's sight of it before, the FFNs after it.

    early: the layers of the first step; if None, from a sixth of all to the half.
    """
    head = fact_mover_head(pair)
    found = facts.fact_tests(pair, early=early, head=head)
    (first, end), (layer, _), (ahead, before) = found[0].layers, found[1].layers, found[3].control
    number = head[1]
    n, last = pair.trace.model.config.n_layers, len(pair.trace.tokens) - 1
    here = subjects(pair)[0]
    final, seen_beside = named(pair, [pair.trace.tokens[at] for at in (last, found[0].control)])
    n_random = len(found[1].tests[1])
    told = f"FFNs {_span(first, end)} at {here}"
    name = f"head {number} of layer {layer}, from {final} to {here}"
    moved = f"what {final} sees of {here} before layer {layer}"
    said = f"FFNs {_span(layer + 1, n - 1)} at {final}"
    ffns_before = f"control: FFNs {_span(ahead, before)} there"
    names = (
        (told, f"control: the same at {seen_beside}", told, "to compare: FFN 0 there"),
        (
            *(name, f"control: the worst of {n_random} random heads"),
            *(name, f"control: the strongest of {n_random} random heads"),
        ),
        (
            *(moved, f"control: what it sees of {seen_beside} there"),
            *(f"{final}, as it stands before layer {layer}", f"to compare: {here}, as it stands there"),
        ),
        (said, ffns_before, said, ffns_before),
    )
    note = (
        f"This is the put-in test again, at {here} before layer {layer}, so it isn't new evidence."
        if pair.subject == last - 1
        else ""
    )
    return [
        Step(
            (told, name, moved, said)[i],
            step.at,
            step.source,
            step.layers,
            *(tuple(zip(names[i][k : k + 2], step.tests[k : k + 2])) for k in (0, 2)),
            note if i == 2 else "",
        )
        for i, step in enumerate(found)
    ]


def _span(first: int, last: int) -> str:
    return f"{first}–{last}" if first != last else str(first)


def measured(pair: Pair, step: Step) -> Iterator[np.ndarray]:
    """[4, 2]: both answers' probability in the four rows of a step (`facts.measured`)."""
    return facts.measure_step(pair, [edits for _, edits in (*step.off, *step.swap)])


# --- the two texts on the page ---------------------------------------------------------------------------------------


class Fact(Explorer):
    """The page's text, the token of it that is the subject, and the word of its twin. `trace` is the `Pair` of runs.

    It stands above every picture that follows it. `found` has what the steps have measured for this pair.
    """

    travels = True

    trace = traitlets.Instance(Pair, allow_none=True)  # None where there is no subject before the last token
    found = traitlets.Dict()  # number of a step: (Step, its measured rows)

    def __init__(self, prompt: Prompt, word: str = "Germany"):
        self.prompt = prompt
        self.strip = TokenStrip([], stage="ffn", caption="Click the subject: any token but the last")
        self.word = ipywidgets.Text(
            word,
            description="The twin has in its place",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "min(380px, 98%)"},
        )
        self.told = Told()
        super().__init__([self.strip, row(self.word), self.told])
        self.follow(prompt, self._new_text)
        self.strip.observe(self._pair_up, "selected")
        self.word.observe(self._pair_up, "value")

    def dims(self, view: ipywidgets.DOMWidget) -> None:
        """As its text's box."""
        self.prompt.dims(view)

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        with self.quietly():
            last = len(trace.tokens) - 1
            self.strip.change(pieces=trace.pieces, ids=trace.tokens, selected=max(0, last - 1))
        self._pair_up()

    @by_the_reader
    def _pair_up(self, _change=None) -> None:
        trace, subject = self.prompt.trace, self.strip.selected
        if subject is None or subject >= len(trace.tokens) - 1:
            self._set(None, NO_FACT["no twin"])
            return
        pair, told = twin(trace, subject, self.word.value)
        if pair is None:
            self._set(None, told)
            return
        own, other = pair.answers
        shown = [percent(ops.softmax(run.logits)[a]) for run, a in zip((pair.trace, pair.twin), (own, other))]
        pieces = named(pair, [own, other])
        problem = NO_FACT[why_no_fact(pair)]
        told = [f"With {name}: {piece} {p}." for name, piece, p in zip(subjects(pair), pieces, shown)]
        self._set(pair, " ".join([*told, problem] if problem else told))

    def _set(self, pair: Pair | None, told: str) -> None:
        self.told.say(told)
        self.found = {}
        self.trace = pair


def twin(trace: Trace, subject: int, word: str) -> tuple[Pair | None, str]:
    """The pair with a typed word in the subject's place, or None and why there is none."""
    model = trace.model
    spaced = trace.pieces[subject].startswith(" ")
    try:
        tokens = model.tokenizer.encode(f"{' ' if spaced else ''}{word.strip()}") if word.strip() else []
    except ValueError as error:
        return None, str(error)
    if len(tokens) != 1:
        return None, f"The twin's word must be one token; {quote(word)} is {len(tokens)}."
    return pair_of(model, trace.tokens, tokens[0], subject), ""
