"""Every attention head off alone: for how many does the likeliest next token change, and how many can go together?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmviz import experiments, ops
from llmviz.model import Edits, Model, Trace
from llmviz.views.kit.background import Experiment
from llmviz.views.kit.controls import row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.predict import Question
from llmviz.views.kit.text_box import Prompt, as_prompt

TOGETHER = (10, 40, 100)  # heads off at once, each number in DRAWS draws
DRAWS = 10


class HeadsOff(Experiment):
    """First a guess, then a run of the model for each head, with that head off; then spare heads off together.

    A head is spare if without it alone the likeliest token stays the same. `changed` counts the others, `kept` in how
    many draws the likeliest token stayed with so many spare heads off at once; None before they are known.
    """

    def __init__(self, model: Model, text: str | Prompt):
        self._model = model
        config = model.config
        n = config.n_layers * config.n_heads
        super().__init__(f"Switch off each of the {n} heads alone", "Switch off spare heads together")
        self.card = Question(
            f"Each of the {n} heads is switched off alone. For how many of them does another token come first?",
            answer=None,
            unit="heads",
            low=0,
            high=n,
            stage="attention",
        )
        self.map = HeatMap(
            np.full((config.n_heads, config.n_layers), np.nan),
            [f"head {head}" for head in range(config.n_heads)],
            [str(layer) for layer in range(config.n_layers)],
            kind="prob",
            row_axis="",
            col_axis="layer of the head that is off",
            stage="attention",
        )
        alone, together = self.buttons
        alone.on_click(lambda button: self.start(self._answered(), button))
        together.on_click(lambda button: self.start(self._together(), button))
        self.children = (self.card, row(alone, together, self.progress), self.told, self.map)
        self.card.observe(self._begin, "committed")
        self.follow(as_prompt(model, text), self.show)

    def show(self, trace: Trace) -> None:
        """Another text: nothing is known of it yet."""
        self.stop()
        self._trace, self.changed, self.kept = trace, None, None
        self._first = int(trace.logits.argmax())
        (self._piece,) = self._model.tokenizer.pieces([self._first])
        self.buttons[1].layout.display = self.map.layout.display = "none"
        self.told.say("Nothing has been run on this text yet.")
        self.card.tell(None)
        self.card.ask_again()

    def _begin(self, change) -> None:
        if change["new"] and self.changed is None:
            self.start(self._answered(), self.buttons[0])

    def _answered(self) -> Iterator[float]:
        """The runs that a guess waits for; stopped in between, they leave the question open again."""
        self.told.say("One head after the other is switched off …")
        try:
            yield from self._each_alone()
        finally:
            if self.changed is None:
                self.told.say("Not all heads have been tried on this text yet.")
                if self.card.committed:
                    self.card.ask_again()

    def _each_alone(self) -> Iterator[float]:
        whole = float(ops.softmax(self._trace.logits)[self._first])
        left = np.full(self.map.values.shape, np.nan, np.float32)
        marks = [[""] * left.shape[1] for _ in range(left.shape[0])]
        firsts = []

        def measure(run: Trace) -> float:
            firsts.append(int(run.logits.argmax()))
            return experiments.probability(run, self._first)

        self.map.layout.display = ""
        for layer, head, p in experiments.ablate_each_head(self._model, self._trace.tokens, measure):
            left[head, layer] = p
            marks[head][layer] = "" if firsts[-1] == self._first else "≠"
            if len(firsts) % 9 == 0 or len(firsts) == left.size:
                self.map.change(
                    values=left,
                    cell_text=[list(line) for line in marks],
                    limit=float(np.nanmax(left)),
                    caption=f"Probability of {quote(self._piece)} with one head off (whole model: {percent(whole)}); "
                    "≠: another token comes first",
                )
            yield len(firsts) / left.size
        cells = [(layer, head, mark) for head, line in enumerate(marks) for layer, mark in enumerate(line)]
        self._spare = [(layer, head) for layer, head, mark in cells if not mark]
        self.changed = left.size - len(self._spare)
        self.told.say(
            f"Without {self.changed} of the {left.size} heads, each off alone, another token than {quote(self._piece)} "
            f"comes first. Its probability, {percent(whole)} in the whole model, lies between {percent(left.min())} "
            f"and {percent(left.max())}."
        )
        self.card.tell(self.changed)
        self.buttons[1].layout.display = ""

    def _together(self) -> Iterator[float]:
        """Spare heads, drawn at random, off at once; in the end all of them."""
        spare, tokens = self._spare, self._trace.tokens
        sizes = [n for n in TOGETHER if n < len(spare)]
        self.kept, n_runs = dict.fromkeys(sizes, 0), len(sizes) * DRAWS + 1
        draws = experiments.ablate_together(self._model, tokens, spare, sizes, DRAWS, seed=1)
        for done, (n, stays) in enumerate(draws, start=1):
            self.kept[n] += stays
            yield done / n_runs
        stays = not experiments.likeliest_changes(self._model, tokens, Edits(head=dict.fromkeys(spare, 0.0)))
        told = "; ".join(f"with {n} off, in {kept} of {DRAWS} draws" for n, kept in self.kept.items())
        self.kept[len(spare)] = DRAWS * stays
        self.told.say(
            self.told.sentences[0],
            f"{len(spare)} heads are spare, each by itself. Some of them off together, drawn at random: "
            f"{quote(self._piece)} stayed first {told}. With all {len(spare)} off it "
            f"{'stayed first as well' if stays else 'did not stay first'}.",
        )
        yield 1.0
