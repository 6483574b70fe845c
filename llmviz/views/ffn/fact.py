"""A text that asks for a fact and its twin with another subject: what is taken away, or taken from the twin.

off     a part adds nothing, at one token only: what needs it breaks, whatever it is for
swap    the part does at this token what it does in the twin's run: all stays at home but what tells the two apart
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import ipywidgets
import numpy as np
import traitlets

from llmviz import experiments, ops
from llmviz.edits import Edits
from llmviz.experiments import Pair, blind, mover, off_at, pair_of, put_in, swap_at
from llmviz.model import Trace
from llmviz.views.kit.controls import Told, row
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip

N_RANDOM = 10  # heads, as a control
HALF = 0.5  # of the probability: what counts as lost, and as taken over
NO_PAIR = (
    "Nothing to follow yet: it takes two tokens or more, a subject before the last one, and a twin's word."
)
CLOSE = (
    "In the other's run one of the answers has half of its probability or more: nothing there tells the two apart. "
    "Choose a word that the model answers otherwise."
)
ALIKE = "Both texts go on alike: choose a word that the model answers otherwise."

# The ten that the model knows best of 28 tried: the capital comes first, with a probability of 45% or more.
CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Greece": "Athens",
    "Portugal": "Lisbon",
    "England": "London",
    "Sweden": "Stockholm",
    "Hungary": "Budapest",
    "Kenya": "Nairobi",
}


def named(pair: Pair, tokens: Iterable[int]) -> list[str]:
    """Tokens for a sentence: quoted, without their spaces."""
    return [quote(piece.strip() or piece) for piece in pair.trace.model.tokenizer.pieces(list(tokens))]


def nothing_to_follow(pair: Pair | None) -> str | None:
    """Why there is no fact to follow, or None.

    Each answer must have, in the other's run, less than half of what it has at home: else a swap that brings more than
    half of it has brought nothing.
    """
    if pair is None:
        return NO_PAIR
    if pair.answers[0] == pair.answers[1]:
        return ALIKE
    (own, theirs), (owns_away, at_home) = (
        ops.softmax(run.logits)[pair.answers] for run in (pair.trace, pair.other)
    )
    return CLOSE if owns_away >= HALF * own or theirs >= HALF * at_home else None


def followed(pair: Pair | None) -> Pair:
    """The pair itself; ValueError where there is no fact to follow."""
    if (problem := nothing_to_follow(pair)) is not None:
        raise ValueError(problem)
    return pair


def subjects(pair: Pair) -> list[str]:
    """What the subjects of a text and its twin are called."""
    return named(pair, [run.tokens[pair.subject] for run in (pair.trace, pair.other)])


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


def steps(
    pair: Pair, *, early: tuple[int, int] | None = None, head: tuple[int, int] | None = None
) -> list[Step]:
    """The four: FFNs at the subject, the head that moves, the last token's sight of it before, the FFNs after it.

    early: the layers of the first step; if None, from a sixth of all to the half. head: if None, the `mover`.
    """
    n = pair.trace.model.config.n_layers
    first, end = early or (n // 6, n // 2)
    layer, number = head or mover(pair)
    subject, last = pair.subject, len(pair.trace.tokens) - 1
    here = subjects(pair)[0]
    final = named(pair, [pair.trace.tokens[last]])[0]
    beside = subject - 1 if subject else last  # another token, as a control
    seen_beside = named(pair, [pair.trace.tokens[beside]])[0]
    early_on, before, after = range(first, end + 1), range(layer), range(layer + 1, n)
    randoms = experiments.random_heads((n, pair.trace.model.config.n_heads), N_RANDOM, [(layer, number)], 0)
    randoms = sorted(
        randoms, reverse=True
    )  # the last layer first: a run takes over all layers before its edit

    def both(array: str, layers: Sequence[int], at: int, head: int | None = None) -> list[list[Edits]]:
        return [[off_at(array, layers, at, head)], [swap_at(pair, array, layers, at, head)]]

    ffns, ffns_beside = both("ffn_out", early_on, subject), off_at("ffn_out", early_on, beside)
    one = both("z", [layer], last, number)
    others = [[both("z", [at], last, h)[k][0] for at, h in randoms] for k in (0, 1)]
    ahead = range(max(0, layer - len(after)), layer)  # as many FFNs, before the head
    late, late_control = both("ffn_out", after, last), both("ffn_out", ahead, last)
    word = [swap_at(pair, "ffn_out", [0], subject)]
    told = f"FFNs {_span(first, end)} at {here}"
    moved = f"what {final} sees of {here} before layer {layer}"
    said = f"FFNs {_span(layer + 1, n - 1)} at {final}"
    name = f"head {number} of layer {layer}, from {final} to {here}"
    return [
        Step(
            told,
            subject,
            None,
            (first, end),
            ((told, ffns[0]), (f"control: the same at {seen_beside}", [ffns_beside])),
            ((told, ffns[1]), ("to compare: FFN 0 there", word)),
        ),
        Step(
            name,
            last,
            subject,
            (layer, layer),
            ((name, one[0]), (f"control: the worst of {len(randoms)} random heads", others[0])),
            ((name, one[1]), (f"control: the strongest of {len(randoms)} random heads", others[1])),
        ),
        Step(
            moved,
            last,
            subject,
            (0, layer - 1),
            (
                (moved, [blind(before, last, subject)]),
                (
                    f"control: what it sees of {seen_beside} there",
                    [blind(before, last, beside)],
                ),
            ),
            (
                (f"{final}, as it stands before layer {layer}", [put_in(pair, layer, [last])]),
                (f"to compare: {here}, as it stands there", [put_in(pair, layer, [subject])]),
            ),
            f"This swap is the twin's run with {here} put in before layer {layer}: one finding, not two."
            if subject == last - 1
            else "",
        ),
        Step(
            said,
            last,
            None,
            (layer + 1, n - 1),
            ((said, late[0]), (f"control: FFNs {_span(ahead[0], ahead[-1])} there", late_control[0])),
            ((said, late[1]), (f"control: FFNs {_span(ahead[0], ahead[-1])} there", late_control[1])),
        ),
    ]


def share(pair: Pair | None, number: int, row: int, answer: int = 0) -> float:
    """The probability, in per cent, of the text's answer (0) or the twin's (1) in the first edit of a step's row.

    row: 0 the part off, 1 its control, 2 the part as in the twin's run, 3 another. ValueError without a fact to
    follow.
    """
    step = steps(followed(pair))[number - 1]
    return 100 * float(pair.shares((*step.off, *step.swap)[row][1][0])[answer])


def place_of_answer(pair: Pair | None) -> int:
    """The answer's place, 1 the first, among all tokens in what the `mover` pushes up at the subject. ValueError
    without a fact to follow."""
    said = experiments.head_says(followed(pair).trace, *mover(pair), pair.subject)
    return 1 + int((said > said[pair.answers[0]]).sum())


def _span(first: int, last: int) -> str:
    return f"{first}–{last}" if first != last else str(first)


def measured(pair: Pair, step: Step) -> Iterator[np.ndarray]:
    """[4, 2]: both answers' probability, the part off, its control off, the part swapped, another swapped.

    Where a row has several edits, the one that takes most from the answer counts (off), or gives the other most (swap).
    Yields after every run, the rows to come NaN.
    """
    found = np.full((4, 2), np.nan, np.float32)
    for i, (_, edits) in enumerate((*step.off, *step.swap)):
        for one in edits:
            shares = pair.shares(one)
            better = np.isnan(found[i, 0]) or (shares[0] < found[i, 0] if i < 2 else shares[1] > found[i, 1])
            if better:
                found[i] = shares
            yield found


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
            self._set(None, NO_PAIR)
            return
        pair, told = twin(trace, subject, self.word.value)
        if pair is None:
            self._set(None, told)
            return
        own, other = pair.answers
        shown = [
            percent(ops.softmax(run.logits)[a]) for run, a in zip((pair.trace, pair.other), (own, other))
        ]
        pieces = named(pair, [own, other])
        problem = nothing_to_follow(pair)
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
