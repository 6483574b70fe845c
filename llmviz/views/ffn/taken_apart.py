"""The logit of the likeliest next token, taken apart into everything that was added to the stream."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views.kit.controls import Told
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import Explorer, Floats, Labels, Picture, by_the_reader, lines
from llmviz.views.kit.pieces import isolated, quote, visible_label
from llmviz.views.kit.text_box import Prompt


class SumBar(Picture):
    """A sum and its terms as bars, each beginning where the one above ends: `values` and `starts` [n], `labels`.

    `levels` [n] say how deep a term stands, `opens` [n] whether it falls apart (0: no, 1: yes, 2: it has). A click
    on one, or Enter, asks for that (`selected`).
    """

    _static = "sum_bar"
    _data = ("values", "labels")

    values = Floats(ndim=(1,))
    starts = Floats(ndim=(1,))
    labels = Labels()
    levels = traitlets.List(traitlets.Int()).tag(sync=True)
    opens = traitlets.List(traitlets.Int()).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    @traitlets.validate("selected")
    def _a_row(self, proposal):
        value = proposal["value"]
        if value is not None and not 0 <= value < len(self.labels):
            raise traitlets.TraitError(f"selected is a row from 0 to {len(self.labels) - 1}, not {value}")
        return value

    def text(self) -> str:
        """A line a term, indented."""
        if self.values is None:
            return "nothing yet"
        rows = zip(self.levels, self.labels, self.values)
        return lines([["  " * level + visible_label(label), f"{v:+.2f}"] for level, label, v in rows])


class LogitTakenApart(Explorer):
    """One bar, the logit of the likeliest next token. A click takes it apart: embedding, attention, FFNs; these into
    layers, and an attention block into its heads (`experiments.direct_logit_attribution`, `head_attribution`).

    What a part adds to all tokens on average is told apart, since it moves no probability.
    """

    def __init__(self, source: Prompt | Trace):
        self.bar = SumBar(stage="ffn")
        self.told = Told()
        self._open: set[str] = set()
        super().__init__([self.bar, self.told])
        self.follow(source, self.show)
        self.bar.observe(self._toggle, "selected")

    def show(self, trace: Trace) -> None:
        self.trace, self.answer = trace, int(trace.logits.argmax())
        (piece,) = trace.model.tokenizer.pieces([self.answer])
        self.root = f"the logit of {quote(piece)}"
        try:
            whole = experiments.direct_logit_attribution(trace, self.answer, against="mean")
        except ValueError as error:  # with edits that break the sum
            self.told.say(str(error))
            return
        heads = experiments.head_attribution(trace, self.answer, against="mean")
        of_layers = {
            f"attention {layer}": {f"layer {layer}, head {i}": float(v) for i, v in enumerate(row)}
            for layer, row in enumerate(heads)
        }
        self.parts = {
            self.root: {
                "what every token gets, on average": float(trace.logits.mean(dtype=np.float64)),
                "embedding": whole.embedding,
                "attention": of_layers,
                "FFNs": {f"FFN {layer}": float(v) for layer, v in enumerate(whole.ffn)},
            }
        }
        self.bar.caption = f"{self.root[0].upper()}{self.root[1:]}: click a bar to take it apart"
        self.told.say(
            f"All parts sum to {total(self.parts):.4f}; the model's own logit is {trace.logits[self.answer]:.4f}. The "
            "final norm divides by a number that comes from the whole stream: it is taken as it was in this run."
        )
        self._draw()

    @by_the_reader
    def _toggle(self, change) -> None:
        if change["new"] is None:
            return
        name = self._rows[change["new"]][0]
        self._open ^= {"" if name == self.root else name}
        self._draw()

    def _draw(self) -> None:
        self._rows = []
        self._list(self.parts, 0.0, 0)
        names, levels, starts, values, opens = zip(*self._rows)
        with self.quietly():
            self.bar.change(
                labels=names, levels=levels, starts=starts, values=values, opens=opens, selected=None
            )

    def _list(self, parts: dict, start: float, level: int) -> None:
        for name, part in parts.items():
            apart = isinstance(part, dict)
            is_open = apart and ("" if name == self.root else name) in self._open
            self._rows.append((name, level, start, total(part), apart + is_open))
            if is_open:
                self._list(part, start, level + 1)
            start += total(part)


def logit_asked(trace: Trace) -> str:
    """The question that the picture answers."""
    answer = int(trace.logits.argmax())
    (piece,) = trace.model.tokenizer.pieces([answer])
    logit, mean = float(trace.logits[answer]), float(trace.logits.mean(dtype=np.float64))
    whole, mean, rest = (minus(f"{value:.2f}") for value in (logit, mean, logit - mean))
    return (
        f"The logit of {isolated(piece)} is {whole}. Tokens have {mean} on average: an amount that every token gets "
        f"doesn't change the probabilities. How much of the rest, {rest}, do all FFNs add, directly?"
    )


def total(part: float | dict) -> float:
    """The sum of a part, however deep it is taken apart."""
    return part if isinstance(part, float) else sum(map(total, part.values()))
