"""The next token's probabilities at any temperature."""

from __future__ import annotations

import numpy as np

from llmviz import sampling
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.kit.controls import Told, button, row, slider
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.text_box import Prompt
from llmviz.views.provenance import Explanation

N_OUTSIDE = 50
_JUMPS = (("T → 0", 0.0), ("T = 0.5", 0.5), ("T = 1", 1.0), ("T = 2", 2.0), ("T = 10", 10.0))


class TemperatureExplorer(Explorer):
    """Bars, entropy and the mass outside the 50 likeliest tokens, for any temperature from 0 to 10."""

    def __init__(self, prompt: Prompt):
        self.prompt = prompt
        self.temperature = slider(1.0, "Temperature", 10.0, stage="sampling", step=0.05)
        self.told = Told()
        self.bars = empty_bars(
            prompt.language_model,
            n=15,
            before_label="at temperature 1",
            caption="What comes next? The 15 likeliest tokens",
            provenance=self._explain,
        )
        self.jumps = [button(name, f"temperature {to:g}") for name, to in _JUMPS]
        for jump, (_, to) in zip(self.jumps, _JUMPS):
            jump.on_click(lambda _, to=to: setattr(self.temperature, "value", to))
        self.temperature.observe(self.draw, "value")
        controls = row(self.temperature, row(*self.jumps, gap=0))
        super().__init__([prompt, controls, self.told, self.bars])
        self.follow(prompt, self.draw)

    @one_at_a_time
    def draw(self, _change=None) -> None:
        temperature, logits = self.temperature.value, self.prompt.trace.logits
        probs = sampling.with_temperature(logits, temperature)
        before = Sampler().probs(logits) if temperature != 1 else None
        self.bars.show(probs, before=before, ranked_by=logits)  # near 0 many shares are 0: the order stays
        bits, most = sampling.entropy(probs), np.log2(len(probs))
        n = f"{2**bits:,.{1 if bits < 3 else 0}f}"
        told = f"Entropy {bits:.1f} bits: as unsure as a choice among {n} equally likely tokens."
        if temperature == 0:
            told = "Entropy 0.0 bits, no doubt left: the likeliest token gets everything."
        elif bits > most - 0.5:
            told += f" More than {most:.1f} bits is impossible: then all {len(probs):,} tokens are equally likely."
        outside = percent(sampling.mass_outside(probs, N_OUTSIDE))
        self.told.say(f"{told} Outside the {N_OUTSIDE} likeliest: {outside}.")

    @one_at_a_time
    def _explain(self, row: int) -> Explanation:
        logits, temperature = self.prompt.trace.logits, self.temperature.value
        return provenance.prob(
            logits, self.bars.ids[row], temperature=temperature, piece=self.bars.pieces[row]
        )
