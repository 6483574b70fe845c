"""Three ways to ask which tokens an answer rests on, under each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmviz import experiments
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.view import Scene, View, job, part, sentences

WAYS = ("attention", "left out", "gradient × input")
SHORTEST, LONGEST = 3, 64  # tokens: each is left out in a run of its own


class WhatMattered(View):
    """Which tokens the likeliest next token rests on: by attention, by leaving each out, by its gradient."""

    @dataclass(frozen=True)
    class State:
        """Nothing to choose."""

    arrangement = (("ask", "progress"), "map", "message")

    @job(start="Ask in three ways", when=lambda _, scene: SHORTEST <= len(scene.run.tokens) <= LONGEST)
    def ask(self, scene: Scene) -> Iterator[tuple[float, np.ndarray | None]]:
        """Measure [3, seq] in the order of WAYS, as `experiments.what_mattered` does."""
        n_steps = len(scene.run.tokens) + 1
        for done, ways in enumerate(experiments.what_mattered(scene.run), 1):  # noqa: B007
            yield min(done / n_steps, 0.99), None
        yield 1.0, ways

    @part(
        *(HeatMap, np.full((len(WAYS), 1), np.nan), WAYS, ["…"]),
        row_axis="way to ask",
        col_axis="token",
        kind="signed",
        numbers="never",
        limit=1.0,
        caption="Attention: the more, the bluer. The others: blue speaks for the answer, orange against it. Each row "
        "is scaled to its own largest number",
    )
    def map(self, scene: Scene) -> dict:
        drawn = scene.known("ask").copy()
        drawn[0, 0] = np.nan  # much of the attention only rests there
        drawn[:, -1] = np.nan  # without the last token, what comes next is another question
        largest = np.nanmax(np.abs(drawn), axis=1, keepdims=True)
        return {"values": drawn / largest, "row_labels": [*WAYS], "col_labels": scene.run.pieces}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        trace, n = scene.run, len(scene.run.tokens)
        if not SHORTEST <= n <= LONGEST:
            return [f"Your text has {n} tokens; {SHORTEST} to {LONGEST} of them can be asked about."]
        ways = scene.known("ask")
        most = [(quote(trace.pieces[1 + way.argmax()]), way.max()) for way in ways[:, 1:-1]]
        answer = quote(trace.model.tokenizer.pieces([int(trace.logits.argmax())])[0])
        return [
            f"The answer is {answer}. Of the tokens between the first and the last, {most[0][0]} gets most of "
            f"the last token's attention ({percent(most[0][1])}, mean of all heads)."
            + "".join(
                f" By {name}, {f'{token} speaks most for it ({bits:.2f} bits)' if bits > 0 else 'none speaks for it'}."
                for name, (token, bits) in zip(("leaving out", "gradient × input"), most[1:])
            ),
            f"Left blank: the first token's attention ({percent(ways[0, 0])}), and the last token: without it, "
            "another question is asked.",
        ]
