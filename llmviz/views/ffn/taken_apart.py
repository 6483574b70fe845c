"""The logit of the likeliest next token, taken apart into everything that was added to the stream."""

from __future__ import annotations

from dataclasses import dataclass

import traitlets

from llmviz.experiments.attribution import ffns_share, lead, logit_terms
from llmviz.model import Trace
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import Floats, Labels, OfRows, lines
from llmviz.views.kit.pieces import isolated, quote, visible_label
from llmviz.views.kit.state_fields import picked, replace
from llmviz.views.kit.view import NothingToShow, Scene, View, on, part, sentences, shared

OTHER_TEXTS = "The opposite of hot is", "Once upon a time"
# Parts that have parts, as each attention block has.
LOGIT, ATTENTION, FFNS = "the logit", "attention", "FFNs"


class SumBar(OfRows):
    """A sum and its terms as bars, each of which begins where the one above ends: `values` and `starts` [n], `labels`.

    `levels` [n]: how deep a term is nested. `opens` [n]: 0 if it has no parts, 1 if it can be taken apart, 2 if it is.
    A click or Enter on a bar selects it (`selected`).
    """

    _static = "sum_bar"

    labels = Labels()
    values = Floats(ndim=(1,))
    starts = Floats(ndim=(1,))
    levels = traitlets.List(traitlets.Int()).tag(sync=True)
    opens = traitlets.List(traitlets.Int()).tag(sync=True)

    def text(self) -> str:
        """Return a line for each term, indented."""
        rows = zip(self.levels, self.labels, self.values)
        return lines([["  " * level + visible_label(label), f"{v:+.2f}"] for level, label, v in rows])


def blocks(view: View) -> list[str]:
    """Return the names of the attention blocks."""
    return [f"{ATTENTION} {layer}" for layer in range(view.run.model.config.n_layers)]


class LogitTakenApart(View):
    """The logit of the likeliest next token as a bar. A click takes it apart: into embedding, attention and FFNs, these
    into layers, and an attention block into its heads (`experiments.direct_logit_attribution`, `head_attribution`).

    What the parts add to all tokens on average is a term of its own, because it changes no probability.
    """

    stage = "ffn"

    @dataclass(frozen=True)
    class State:
        """The names of the parts that are taken apart, sorted."""

        apart: tuple[str, ...] = picked(
            (),
            lambda names, view: (
                isinstance(names, tuple) and {*names} <= {LOGIT, ATTENTION, FFNS, *blocks(view)}
            ),
            "names of parts that have parts",
            outlives_text=True,
            on_page=lambda view: [
                *[(), (LOGIT,), (FFNS, LOGIT), (ATTENTION, LOGIT)],
                *((ATTENTION, block, LOGIT) for block in blocks(view)),
            ],
        )

    @on("bar", "selected")
    def take_apart(self, state: State, row: int | None) -> State:
        """Take the clicked part apart, or put it together again."""
        clicked = [*self.scene(state).bars][row : row + 1] if row is not None else []
        return replace(state, apart=tuple(sorted({*state.apart} ^ {*clicked})))

    @shared
    def terms(self, scene: Scene) -> list[tuple[tuple[str, ...], float]]:
        """Return all terms of the sum: the names of the parts that a term is in, its own name last, and its value."""
        try:
            return [((LOGIT, *names), value) for names, value in logit_terms(scene.run)]
        except ValueError as error:  # The run has edits with which the terms do not add up.
            raise NothingToShow(str(error)) from None

    @shared
    def bars(self, scene: Scene) -> dict[str, list]:
        """Return level, start, value and `opens` of each bar by its name, from top to bottom.

        A term counts in each part that it is in, down to the first that is not taken apart.
        """
        bars, start = {}, 0.0
        for names, value in scene.terms:
            for level, name in enumerate(names):
                opens = (level < len(names) - 1) * (1 + (name in scene.apart))
                bars.setdefault(name, [level, start, 0.0, opens])[2] += value
                if opens != 2:
                    break
            start += value
        return bars

    @part(SumBar)
    def bar(self, scene: Scene) -> dict:
        (piece,) = scene.run.model.tokenizer.pieces([int(scene.run.logits.argmax())])
        _, *names = scene.bars
        return {
            "labels": [f"{LOGIT} of {quote(piece)}", *names],
            **dict(zip(("levels", "starts", "values", "opens"), map(list, zip(*scene.bars.values())))),
            "selected": None,
            "caption": f"The logit of {quote(piece)}: click a bar to take it apart",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        (_, average), *_ = scene.terms
        return [minus(f"The average token's logit is {average:.2f}, so the lead is {lead(scene.run):.2f}.")]


def logit_asked(trace: Trace) -> str:
    """Return the question that the picture answers."""
    answer = int(trace.logits.argmax())
    (piece,) = trace.model.tokenizer.pieces([answer])
    return (
        f"The logit of {isolated(piece)} is {lead(trace):.2f} above that of the average token. How much of this lead "
        "do all FFNs together add, directly?"
    )


def ffns_explained(trace: Trace) -> str:
    """Say what share of the lead the FFNs add, here and on other texts."""
    others = (f"{ffns_share(trace.model.trace(text)):.0f}% after “{text}”" for text in OTHER_TEXTS)
    return (
        f"That's {ffns_share(trace):.0f}% of the lead. How much the FFNs add depends on the text: it's "
        f"{' and '.join(others)}. “Directly” matters: if a later layer uses what an FFN wrote, the effect counts for "
        "that layer."
    )
