"""The same tokens guessed with more and more text before them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Model
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.controls import choice, row
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import STATIC, one_at_a_time
from llmviz.views.kit.text_box import read
from llmviz.views.position.switches import SETTINGS

CONTEXTS = (16, 64, 128, 256, 512, 1_024, 1_920)  # tokens before those that are guessed

N_GUESSED = 128
MAX_READ = CONTEXTS[-1] + N_GUESSED

# Written for this project, and under its licence: a text that the model cannot have read.
STORY = (STATIC / "a_long_story.txt").read_text("utf-8")


class LongText(Experiment):
    """The same last tokens of a long text, guessed with more and more of the text before them, up to 2,048 tokens."""

    def __init__(self, model: Model, text: str):
        super().__init__("Measure")
        self._model = model
        [self.run] = self.buttons
        self.text = ipywidgets.Textarea(text, rows=5, layout={"width": "min(900px, 98%)"})
        self.other = choice(
            ["nothing", "RoPE off", "stretched × 2", "stretched × 4"], "nothing", "Compare with"
        )
        self.lines = LinePlot(
            x_axis="tokens of text before them",
            y_axis="mean surprise, bits",
            log_x=True,
            unit="bits",
            stage="position",
            waiting="Press Measure. How long it takes is said as it runs.",
        )
        self.children = (
            ipywidgets.HTML("<b>A long text</b>"),
            self.text,
            row(self.other, self.run, self.progress),
            self.told,
            self.lines,
        )
        self.run.on_click(lambda _: self.start(self._measure(), self.run))
        self.text.observe(self._new_text, "value")
        self._new_text()

    def _plan(self, n: int) -> tuple[int, list[int]]:
        """How many tokens are guessed, and the numbers of tokens before them."""
        guessed = min(N_GUESSED, n // 3)
        room = n - guessed
        if room < CONTEXTS[1]:
            return guessed, []
        return guessed, [*(context for context in CONTEXTS if context < 0.8 * room), room]

    def _tokens(self) -> tuple[list[int], str]:
        limit = min(MAX_READ, self._model.config.n_ctx)
        reading = read(self.text.value, self._model.tokenizer, limit=limit)
        return reading.tokens, reading.told

    @one_at_a_time
    def _new_text(self, _change=None) -> None:
        self.stop()
        tokens, told = self._tokens()
        guessed, contexts = self._plan(len(tokens))
        self.run.disabled = len(contexts) < 2
        if self.run.disabled:
            self.told.say(told, "For this experiment paste a text of at least 100 tokens.")
            return
        last, most = f"The last {guessed} tokens of the text", f"{contexts[-1]:,}"
        self.lines.caption = f"{last}, guessed with {contexts[0]} to {most} tokens before them"
        self.told.say(told, f"{len(tokens):,} tokens are ready.")

    def _measure(self) -> Steps:
        tokens, _ = self._tokens()
        guessed, contexts = self._plan(len(tokens))
        # A label within a factor of two of the last one would take its room, and the last is what it is all about.
        ticks = [*(context for context in contexts if 2 * context <= contexts[-1]), contexts[-1]]
        names = ["as it is"] + ([] if self.other.value == "nothing" else [self.other.value])
        values = np.full((len(names), len(contexts)), np.nan)
        costs = [context + guessed for context in contexts]
        done, start, told = 0, time.perf_counter(), ["Stopped."]
        try:
            for i, name in enumerate(names):
                measured = experiments.surprise_by_context(
                    self._model, tokens, guessed, contexts, SETTINGS[name]
                )
                for j, cost in enumerate(costs):
                    self.told.say(f"{name}: {cost:,} tokens …")
                    yield done / (len(names) * sum(costs))
                    began = time.perf_counter()
                    values[i, j] = next(measured)
                    longest = time.perf_counter() - began
                    done += cost
                    self.lines.change(x=contexts, x_ticks=ticks, values=values, names=names)
            told = self._verdict(names, contexts, guessed, values, time.perf_counter() - start, longest)
        except FloatingPointError as error:
            told = [f"{name}: {error}"]
        finally:
            self.told.say(*told)

    def _verdict(self, names, contexts, guessed, values, seconds, longest) -> Iterator[str]:
        own = values[0]
        best = int(own.argmin())
        yield (
            f"With {contexts[0]} tokens before them, the last {guessed} tokens were {own[0]:.2f} bits surprising on "
            f"average; with {contexts[-1]:,}, {own[-1]:.2f} bits. The least surprise, {own[best]:.2f} bits, came with "
            f"{contexts[best]:,} tokens before them."
        )
        worse = own[-1] - own[best]
        yield (
            "Up to here the model does not get worse as the text gets longer."
            if worse < 0.05
            else f"The longest text is {worse:.2f} bits worse than the best length."
        )
        for name, line in zip(names[1:], values[1:]):
            gaps = line - own
            yield (
                f"{name}: {gaps[0]:+.2f} bits with {contexts[0]} tokens before, "
                f"{gaps[-1]:+.2f} with {contexts[-1]:,}."
            )
        yield (
            f"All this took {seconds:.1f} s here; the last run alone, over {contexts[-1] + guessed:,} tokens, "
            f"{longest:.1f} s."
        )
