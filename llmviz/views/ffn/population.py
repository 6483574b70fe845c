"""All neurons of a layer at once: do the texts that wake a neuron go on with the tokens that it pushes?"""

from __future__ import annotations

import numpy as np

from llmviz.experiments.neurons import agreement, better_than_chance
from llmviz.model import Model
from llmviz.views.ffn.piece_table import PieceTable
from llmviz.views.kit.controls import Told, slider
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import STATIC, Explorer, one_at_a_time
from llmviz.views.kit.text_box import Prompt

N_SHOWN = 8  # neurons with a row of their own
N_PLACES, N_PUSHED = 2, 2
STORY = (STATIC / "a_long_story.txt").read_text("utf-8")


class Population(Explorer):
    """Every neuron of a layer, ranked by how well what wakes it and what it pushes agree; beside it, chance.

    A point of the line selects the neurons from there on, told below: the tokens of the text at which each fires
    most strongly, the tokens that came next there, and those that it pushes up then.
    """

    def __init__(self, model: Model, text: str = STORY, *, layer: int = 27):
        self.text = Prompt(
            model, text, label="A text to wake the neurons, the longer the better (Enter runs it)"
        )
        self.layer = slider(layer, "Layer", model.config.n_layers - 1, stage="ffn")
        d_ff = model.config.d_ff
        self.plot = LinePlot(
            x=np.arange(1, d_ff + 1),
            names=["the layer's neurons", "control: each with another neuron's row"],
            x_axis="place in the ranking",
            y_axis="agreement",
            y_min=None,
            stage="ffn",
        )
        columns = [
            *[f"wakes {i}" for i in range(1, N_PLACES + 1)],
            *[f"came {i}" for i in range(1, N_PLACES + 1)],
            *[f"push {i}" for i in range(1, N_PUSHED + 1)],
        ]
        self.table = PieceTable(col_labels=columns, row_axis="neuron", kind="signed", stage="ffn", limit=1.0)
        self.told = Told()
        super().__init__([self.text, self.layer, self.plot, self.told, self.table])
        self.text.observe(self._measure, "trace")
        self.layer.observe(self._measure, "value")
        self.plot.observe(lambda change: change["new"] is not None and self._tell(), "selected")
        self._measure()

    @one_at_a_time
    def _measure(self, _change=None) -> None:
        trace, layer = self.text.trace, self.layer.value
        found = agreement(trace, layer)
        self._order = np.argsort(-found[0], kind="stable")
        by_chance = -np.sort(-found[1:], axis=1)
        self.plot.change(
            values=np.stack([found[0][self._order], by_chance.mean(axis=0)]),
            caption=f"Agreement of what wakes each neuron of layer {layer} with what it pushes (1: perfect, 0: none)",
        )
        least, better = better_than_chance(found)
        if len(trace.tokens) < 4:
            self.told.say("This text is too short: an agreement takes four tokens at least.")
            self._tell()
            return
        self.told.say(
            f"{better.sum():,} of {better.size:,} neurons, {percent(better.mean())}, agree better than {least:.2f}, "
            "as one in a hundred does with another neuron's row. Found on this text. "
            "Below: the neurons from the selected place on."
        )
        self._tell()

    @one_at_a_time
    def _tell(self) -> None:
        trace, layer, first = self.text.trace, self.layer.value, self.plot.selected or 0
        model, w = trace.model, trace.model.weights.layers[self.layer.value]
        hidden = trace.blocks[layer].ffn_at(slice(min(1, len(trace.tokens) - 1), None)).hidden
        rows, pieces, values, skipped = [], [], [], len(trace.tokens) - len(hidden)
        for i in self._order[first : first + N_SHOWN].tolist():
            strongest = hidden[np.abs(hidden[:, i]).argmax(), i]
            sign = -1 if strongest < 0 else 1
            places = np.argsort(-sign * hidden[:, i], kind="stable")[:N_PLACES]
            places = np.resize(places, N_PLACES)  # a text of two tokens has one place
            pushed = sign * (w.W_down[i] @ model.weights.W_U)
            best = np.argpartition(-pushed, N_PUSHED)[:N_PUSHED]
            best = best[np.argsort(-pushed[best])]
            rows.append(f"{i} {'−' if sign < 0 else '+'}")
            nexts = [trace.tokens[at + skipped + 1 :][:1] for at in places]
            pieces += [trace.pieces[at + skipped] for at in places]
            pieces += [model.tokenizer.pieces(one)[0] if one else "" for one in nexts]
            pieces += model.tokenizer.pieces(best.tolist())
            fired = hidden[places, i] / max(abs(strongest), 1e-9)
            values.append([*fired, *[np.nan] * N_PLACES, *(sign * pushed[best] / np.abs(pushed).max())])
        self.table.change(
            values=values,
            pieces=pieces,
            row_labels=rows,
            caption="What wakes a neuron, the token that came next there, and what it pushes up then. Shade: its "
            "firing, or its push, as a share of its strongest. + and −: its strongest firing is above or below zero",
        )
