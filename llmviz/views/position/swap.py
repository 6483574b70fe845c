"""Two words change places: who notices?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Edits, Trace
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import Told, choice, row, wide
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.text_box import Prompt, trace_of
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.position.heaps import NOTHING, beginning, cut, places_to_swap

ORDER_SETTINGS: Mapping[str, Edits] = {
    "the model as it is": Edits(),
    "RoPE off": Edits(rope=False),
    "RoPE off, mask off": Edits(rope=False, causal_mask=False),
}


def n_layers_that_notice(trace: Trace, first: str, second: str) -> int:
    """In how many layers, without RoPE, attention hands something else to the last token when these two change places.
    ValueError where no two tokens differ."""
    trace = beginning(trace)
    places = places_to_swap(trace.pieces, first, second)
    if not places:
        raise ValueError(NOTHING)
    return experiments.layers_that_notice(trace, places)


class SwapWords(Explorer):
    """Two tokens of a text change places; how much does the last token notice, layer by layer?

    Lines: the relative change of the attention output at the last token, in the model as it is, without RoPE, and
    without RoPE and causal mask. Bars: the next token before and after the swap.
    """

    def __init__(self, source: Prompt | Trace, *, first: str = "", second: str = ""):
        model, self._wanted = trace_of(source).model, (first, second)
        self.first, self.second = choice([], None, "Swap"), choice([], None, "with")
        self.told = Told()
        self.after = TokenStrip(
            [], highlight_name="swapped", stage="position", caption="Your text, two tokens swapped"
        )
        self.lines = LinePlot(
            x_axis="layer",
            y_axis="change at the last token",
            stage="position",
            caption="How much the swap changes what attention hands to the last token (1 = as much as there was)",
        )
        self.bars = {
            name: wide(
                empty_bars(
                    model,
                    n=6,
                    before_label="before the swap",
                    caption=f"Next token after the swap: {name}",
                )
            )
            for name in ("the model as it is", "RoPE off")
        }
        self.pictures = ipywidgets.VBox(
            [
                row(self.first, self.second),
                self.after,
                self.lines,
                row(*self.bars.values()),
            ]
        )
        super().__init__([self.pictures, self.told])
        self.follow(source, self._new_text)
        for one in (self.first, self.second):
            one.observe(self._show, "value")

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        self.trace, self._cut = beginning(trace), cut(trace)
        places = places_to_swap(self.trace.pieces, *self._wanted)
        self.pictures.layout.display = "" if places else "none"
        if not places:
            self.told.say(f"{NOTHING.capitalize()}.")
            return
        with self.quietly():
            for one, at in zip((self.first, self.second), places):
                one.options = [
                    (f"{visible(piece)}  ({i})", i) for i, piece in enumerate(self.trace.pieces[:-1])
                ]
                one.value = at
        self._show()

    @by_the_reader
    def _show(self, _change=None) -> None:
        model, places = self.trace.model, (self.first.value, self.second.value)
        other = experiments.swap_tokens(self.trace.tokens, places)
        self.after.change(pieces=model.tokenizer.pieces(other), ids=other, highlight=places)
        changes, guesses = [], []
        for name, edits in ORDER_SETTINGS.items():
            try:
                runs = experiments.swapped_runs(self.trace, places, edits)
            except FloatingPointError as error:
                self.told.say(str(error).capitalize())
                return
            changes.append(experiments.relative_change(*runs))
            before, after = (Sampler().probs(run.logits) for run in runs)
            guesses.append((before, after))
            if name in self.bars:
                self.bars[name].show(after, before=before)
        most = max(one.axis_max for one in self.bars.values())
        for one in self.bars.values():
            one.axis_max = most
        n_layers = len(changes[0])
        self.lines.change(x=np.arange(n_layers), values=np.stack(changes), names=[*ORDER_SETTINGS])
        self.told.say(
            *self._verdict([self.trace.tokens[place] for place in places], changes, guesses), self._cut
        )

    def _verdict(self, pair, changes, guesses) -> Iterator[str]:
        if pair[0] == pair[1]:
            yield "These two are the same token: swapping them changes nothing. Choose two different ones."
            return
        _, off, blind = changes
        shifts = [experiments.total_variation(before, after) for before, after in guesses]
        yield (
            f"RoPE off, layer 0: the swap changes the last token's attention output by {percent(off[0])}"
            f" of its length{', nothing but rounding' if off[0] < 1e-5 else ''}. Layer 1: by {percent(off[1])}; "
            f"the last layer: by {percent(off[-1])}. In the end {percent(shifts[1])} of the next token's probability "
            f"moved (with RoPE: {percent(shifts[0])})."
        )
        yield (
            f"Without RoPE and without the causal mask, after all {len(off)} layers: {percent(blind[-1])}, and "
            f"{percent(shifts[2])} of the probability moved. So the order that was left came in through the mask."
            if blind[-1] < 1e-3
            else f"Without RoPE and mask the last layer's output changed by {percent(blind[-1])}."
        )
        for token in pair:
            with_rope, without = (
                f"{percent(before[token])} → {percent(after[token])}" for before, after in guesses[:2]
            )
            piece = isolated(self.trace.model.tokenizer.pieces([token])[0])
            yield f"{piece} as the next token: {with_rope} with RoPE, {without} without."
