"""Many seeded draws beside the probabilities they were drawn with."""

from __future__ import annotations

import numpy as np

from llmviz import sampling
from llmviz.views.kit.controls import row, seed_box, slider
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.provenance import Explanation, Operand


class Draws(Explorer):
    """So many seeded draws as bars, likeliest token first, and the probabilities they were drawn with as outlines."""

    def __init__(self, prompt: Prompt, n: int = 200):
        self.prompt = prompt
        self.n = slider(n, "Draws", 2000, stage="sampling", first=1)
        self.seed = seed_box()
        self.temperature = slider(1.0, "Temperature", 2.0, stage="sampling", step=0.05)
        self.bars = empty_bars(
            prompt.language_model,
            n=15,
            before_label="the probability of each draw",
            caption="How often the 15 likeliest tokens were drawn: share of the draws",
            provenance=self._explain,
        )
        for widget in (self.n, self.seed, self.temperature):
            widget.observe(self.draw, "value")
        controls = row(self.n, self.seed, self.temperature)
        super().__init__([prompt, controls, self.bars])
        self.follow(prompt, self.draw)

    @one_at_a_time
    def draw(self, _change=None) -> None:
        logits = self.prompt.trace.logits
        probs = sampling.with_temperature(logits, self.temperature.value)
        rng = np.random.default_rng(self.seed.value)
        drawn = np.bincount(sampling.draws(probs, rng, self.n.value), minlength=len(probs))
        self.bars.show(drawn / self.n.value, before=probs, ranked_by=logits)

    @one_at_a_time
    def _explain(self, row: int) -> Explanation:
        token, n = self.bars.ids[row], self.n.value
        return Explanation(
            f"Share of the draws that hit {quote(self.bars.pieces[row])} (id {token})",
            "share = how often the token was drawn ÷ the number of draws, all from one seed",
            [
                Operand(
                    "probs",
                    sampling.with_temperature(self.prompt.trace.logits, self.temperature.value),
                    f"llmviz.sampling.with_temperature(trace.logits, {self.temperature.value})",
                ),
                Operand("seed", self.seed.value),
                Operand("n", n),
                Operand("token", token),
            ],
            "(llmviz.sampling.draws(probs, np.random.default_rng(seed), n) == token).mean()",
            float(self.bars.probs[row]),
        )
