"""Who fires: how many neurons do the work for one token, in each layer."""

from __future__ import annotations

import numpy as np

from llmviz import experiments
from llmviz.views.ffn.prompt import AnsweredPrompt, layers, renew, token_strip
from llmviz.views.kit.controls import Told
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import quote

# Tokens whose neurons are counted at once: as quick as one, since reading the weights takes longest.
TOGETHER = 16


class FewFire(Explorer):
    """How many neurons do the work for one token, in each layer."""

    def __init__(self, prompt: AnsweredPrompt):
        self._prompt = prompt
        self.strip = token_strip(prompt.trace, "Choose a token")
        self.plot = LinePlot(
            labels=layers(prompt.language_model),
            unit="share",
            x_axis="layer",
            y_axis="share of the neurons",
            stage="ffn",
            caption="Who works, in each layer",
        )
        self.told = Told()
        super().__init__([self.strip, self.plot, self.told])
        self.strip.observe(lambda change: change["new"] is not None and self._show(), "selected")
        prompt.lead(self, self._new_text)

    @one_at_a_time
    def _new_text(self) -> None:
        self._known: dict[int, np.ndarray] = {}
        renew(self.strip, self._prompt.trace)
        self._show()

    @one_at_a_time
    def _show(self) -> None:
        trace = self._prompt.trace
        at = min(self.strip.selected or 0, len(trace.tokens) - 1)
        part, within = divmod(at, TOGETHER)
        if part not in self._known:
            self._known[part] = experiments.firing(trace, slice(part * TOGETHER, (part + 1) * TOGETHER))
        shares = self._known[part][:, :, within]
        self.plot.change(
            values=shares,
            names=[
                "nearly silent: under a tenth of the strongest",
                "gate below zero",
                "enough for half of what is written",
            ],
        )
        d_ff = trace.model.config.d_ff
        low, high = (round(d_ff * v) for v in (shares[2].min(), shares[2].max()))
        self.told.say(
            f"At {quote(trace.pieces[at])}, between {low} and {high} of {d_ff:,} neurons, depending on the layer, "
            "write half of all that is written (each counted by the length of what it adds)."
        )
