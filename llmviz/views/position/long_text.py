"""The same tokens predicted with more and more text before them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Model
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import STATIC
from llmviz.views.kit.state_fields import choice, text
from llmviz.views.kit.text_box import Reading, read
from llmviz.views.kit.view import Scene, View, job, part, sentences, shared
from llmviz.views.position.switches import SETTINGS

CONTEXTS = (16, 64, 128, 256, 512, 1_024, 1_920)  # tokens before those that are predicted
N_PREDICTED = 128
MAX_READ = CONTEXTS[-1] + N_PREDICTED

# Written for this project, and under its licence: a text that the model cannot have read.
STORY = (STATIC / "a_long_story.txt").read_text("utf-8")

Measured = tuple[np.ndarray, np.ndarray]  # surprise and seconds [names, contexts]


class LongText(View):
    """The same last tokens of a long text, predicted with more and more of the text before them, up to 2,048 tokens."""

    stage = "position"
    copies_as_code = False  # the text is too long for a line

    @dataclass(frozen=True)
    class State:
        text: str = text(
            "", lambda value: ipywidgets.Textarea(value, rows=5, layout={"width": "min(900px, 98%)"}), 100_000
        )
        other: str = choice(
            "nothing", "Compare with", ("nothing", "RoPE off", "stretched × 2", "stretched × 4")
        )

    arrangement = ("text", ("other", "measure", "progress"), "message", "lines")

    def __init__(self, model: Model, text: str, **state):
        super().__init__(model, text=text, **state)

    @shared
    def reading(self, scene: Scene) -> Reading:
        return read(scene.text, scene.run.tokenizer, limit=min(MAX_READ, scene.run.config.n_ctx))

    @shared
    def plan(self, scene: Scene) -> tuple[int, list[int]]:
        """Return how many tokens are predicted, and the numbers of tokens before them; of a short text none."""
        n = len(scene.reading.tokens)
        predicted = min(N_PREDICTED, n // 3)
        room = n - predicted
        contexts = [*(context for context in CONTEXTS if context < 0.8 * room), room]
        return predicted, contexts if room >= CONTEXTS[1] else []

    @shared
    def names(self, scene: Scene) -> list[str]:
        return ["as it is"] if scene.other == "nothing" else ["as it is", scene.other]

    @job("text", "other", start="Measure", when=lambda view, scene: scene.plan[1])
    def measure(self, scene: Scene) -> Iterator[tuple[float, Measured]]:
        predicted, contexts = scene.plan
        values, seconds = np.full((2, len(scene.names), len(contexts)), np.nan)
        costs = np.tile(np.array(contexts) + predicted, len(scene.names)).cumsum()
        for i, name in enumerate(scene.names):
            tokens, edits = scene.reading.tokens, SETTINGS[name]
            runs = experiments.surprise_by_context(scene.run, tokens, predicted, contexts, edits)
            for j in range(len(contexts)):
                began = time.perf_counter()
                values[i, j] = next(runs)
                seconds[i, j] = time.perf_counter() - began
                yield costs[i * len(contexts) + j] / costs[-1], (values.copy(), seconds.copy())

    @part(
        LinePlot,
        x_axis="tokens of text before them",
        y_axis="mean surprise, bits",
        log_x=True,
        unit="bits",
        waiting="Press Measure. How long it takes is said as it runs.",
    )
    def lines(self, scene: Scene) -> dict:
        predicted, contexts = scene.plan
        most = f"{max(contexts, default=0):,}"
        caption = f"The last {predicted} tokens of the text, guessed with {CONTEXTS[0]} to {most} tokens before them"
        if scene.result("measure") is None:
            nothing = {"x": None, "x_ticks": [], "values": None, "names": []}
            return {"caption": caption if contexts else "", **nothing}
        values, _ = scene.result("measure")
        # A label within a factor of two of the last one would take its room, and the last is what it is all about.
        ticks = [*(context for context in contexts if 2 * context <= contexts[-1]), contexts[-1]]
        return {"caption": caption, "x": contexts, "x_ticks": ticks, "values": values, "names": scene.names}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        predicted, contexts = scene.plan
        if not contexts:
            return [scene.reading.message, "For this experiment paste a text of at least 100 tokens."]
        match scene.status("measure"):
            case "new":
                return [scene.reading.message, f"{len(scene.reading.tokens):,} tokens are ready."]
            case "stopped":
                return [scene.problem("measure") or "Stopped."]
            case "done":
                return [*_verdict(scene, *scene.result("measure"))]
        values, _ = scene.result("measure") or (np.zeros(0), None)
        i, j = divmod(int(np.isfinite(values).sum()), len(contexts))
        return [f"{scene.names[i]}: {contexts[j] + predicted:,} tokens …"] if i < len(scene.names) else []


def _verdict(scene: Scene, values: np.ndarray, seconds: np.ndarray) -> Iterator[str]:
    predicted, contexts = scene.plan
    own, last = values[0], contexts[-1]
    best = int(own.argmin())
    yield (
        f"With {contexts[0]} tokens before them, the last {predicted} tokens were {own[0]:.2f} bits surprising on "
        f"average; with {last:,}, {own[-1]:.2f} bits. The least surprise, {own[best]:.2f} bits, came with "
        f"{contexts[best]:,} tokens before them."
    )
    worse = own[-1] - own[best]
    yield (
        "Up to here the model does not get worse as the text gets longer."
        if worse < 0.05
        else f"The longest text is {worse:.2f} bits worse than the best length."
    )
    for name, line in zip(scene.names[1:], values[1:]):
        gaps = line - own
        yield f"{name}: {gaps[0]:+.2f} bits with {contexts[0]} tokens before, {gaps[-1]:+.2f} with {last:,}."
    yield (
        f"All this took {seconds.sum():.1f} s here; the last run alone, over {last + predicted:,} tokens, "
        f"{seconds[-1, -1]:.1f} s."
    )
