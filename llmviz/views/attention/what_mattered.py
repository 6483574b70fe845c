"""Three ways to ask which tokens an answer rests on, under each other."""

from __future__ import annotations

import numpy as np

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.controls import row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt

WAYS = ("attention", "left out", "gradient × input")
LONGEST = 64  # tokens: each is left out in a run of its own


class WhatMattered(Experiment):
    """Which tokens the likeliest next token rests on: by attention, by leaving each out, by its gradient.

    `found` [3, seq] in the order of WAYS, None before the button is pressed: see `experiments.what_mattered`.
    """

    def __init__(self, prompt: Prompt):
        super().__init__("Ask in three ways")
        self.found = None
        self.map = HeatMap(
            np.full((len(WAYS), 1), np.nan, np.float32),
            [*WAYS],
            ["…"],
            row_axis="way to ask",
            col_axis="token",
            kind="signed",
            numbers="never",
            caption="Attention: the more, the bluer. The others: blue speaks for the answer, orange against it. Each "
            "row is scaled to its own largest number",
        )
        self.map.layout.display = "none"
        self.children = (row(*self.buttons, self.progress), self.map, self.told)
        self.buttons[0].on_click(lambda button: self.start(self._ask(self.trace), button))
        self.follow(prompt, self._new)

    @one_at_a_time
    def _new(self, trace: Trace) -> None:
        self.stop()
        self.trace, self.found = trace, None
        self.map.layout.display = "none"
        n = len(trace.tokens)
        fits = 3 <= n <= LONGEST
        self.buttons[0].disabled = not fits
        self.told.say("" if fits else f"Your text has {n} tokens; 3 to {LONGEST} of them can be asked about.")

    def _ask(self, trace: Trace) -> Steps:
        n = len(trace.tokens)
        answer = int(trace.logits.argmax())
        for done, ways in enumerate(experiments.what_mattered(trace), 1):
            found = ways
            yield done / (n + 1)
        self.found = found
        drawn = found.copy()
        drawn[0, 0] = np.nan  # much of the attention only rests there
        drawn[:, -1] = np.nan  # without the last token, what comes next is another question
        scaled = drawn / np.nanmax(np.abs(drawn), axis=1, keepdims=True)
        self.map.change(
            values=scaled,
            row_labels=[*WAYS],
            col_labels=trace.pieces,
            limit=1.0,
            selected=None,
        )
        self.map.layout.display = ""
        pieces = trace.model.tokenizer.pieces([answer])
        looks, *others = [_most(way[1:-1], trace.pieces[1:-1]) for way in found]
        self.told.say(
            f"The answer is {quote(pieces[0])}. Of the tokens between the first and the last, {looks[0]} gets most of "
            f"the last token's attention ({percent(looks[1])}, mean of all heads)."
            + "".join(
                f" By {name}, {f'{top} speaks most for it ({lost:.2f} bits)' if lost > 0 else 'none speaks for it'}."
                for name, (top, lost) in zip(("leaving out", "gradient × input"), others)
            ),
            f"Left blank: the first token's attention ({percent(found[0, 0])}), and the last token: without it, "
            "another question is asked.",
        )


def _most(way: np.ndarray, pieces: list[str]) -> tuple[str, float]:
    at = int(way.argmax())
    return quote(pieces[at]), float(way[at])
