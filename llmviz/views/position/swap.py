"""Two words change places: who notices?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Edits, Model
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import Told, choice, row, wide
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time, percent
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip

ORDER_SETTINGS: Mapping[str, Edits] = {
    "the model as it is": Edits(),
    "RoPE off": Edits(rope=False),
    "RoPE off, mask off": Edits(rope=False, causal_mask=False),
}


class SwapWords(Explorer):
    """Two tokens of a text change places; how much does the last token notice, layer by layer?

    Lines: the relative change of the attention output at the last token, in the model as it is, without RoPE, and
    without RoPE and causal mask. Bars: the next token before and after the swap.
    """

    def __init__(self, model: Model, text: str, *, first: int | str = 0, second: int | str = 1):
        self._model, self._wanted = model, (first, second)
        self.box = Prompt(model, text)
        self.first, self.second = choice([], None, "Swap"), choice([], None, "with")
        self.told = Told()
        self.before = TokenStrip([], highlight_name="to be swapped", stage="position", caption="Your text")
        self.after = TokenStrip(
            [], highlight_name="swapped", stage="position", caption="The same tokens, two of them swapped"
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
            [self.before, self.after, self.lines, self.told, row(*self.bars.values())]
        )
        super().__init__([self.box, row(self.first, self.second), self.pictures])
        self.box.observe(self._new_text, "tokens")
        for one in (self.first, self.second):
            one.observe(self._show, "value")
        self._new_text()

    @one_at_a_time
    def _new_text(self, _change=None) -> None:
        pieces = self._model.tokenizer.pieces(self.box.tokens)
        options = [(f"{visible(piece)}  ({i})", i) for i, piece in enumerate(pieces[:-1])]
        places = [
            at if isinstance(at, int) else pieces.index(at) if at in pieces[:-1] else None
            for at in self._wanted
        ]
        if None in places or max(places) >= len(options):
            places = [0, 1]
        with self.quietly():
            for one, at in zip((self.first, self.second), places):
                one.options = options
                one.value = at if at < len(options) else None
        self._show()

    @by_the_reader
    def _show(self, _change=None) -> None:
        tokens, places = list(self.box.tokens), [self.first.value, self.second.value]
        ready = len(tokens) >= 3 and None not in places
        self.pictures.layout.display = "" if ready else "none"
        if not ready:
            if tokens:
                self.box.say(
                    "A swap needs at least three tokens: two that change places, and a last one that looks."
                )
            return
        swapped = list(tokens)
        swapped[places[0]], swapped[places[1]] = tokens[places[1]], tokens[places[0]]
        for strip, ids in ((self.before, tokens), (self.after, swapped)):
            strip.change(pieces=self._model.tokenizer.pieces(ids), ids=ids, highlight=places)
        changes, guesses = [], []
        for name, edits in ORDER_SETTINGS.items():
            try:
                one, other = self._model.trace(tokens, edits), self._model.trace(swapped, edits)
            except FloatingPointError as error:
                self.told.say(str(error).capitalize())
                return
            changes.append(experiments.relative_change(one, other))
            before, after = (Sampler().probs(trace.logits) for trace in (one, other))
            guesses.append((before, after))
            if name in self.bars:
                self.bars[name].show(after, before=before)
        n_layers = len(changes[0])
        self.lines.change(x=np.arange(n_layers), values=np.stack(changes), names=[*ORDER_SETTINGS])
        self.told.say(*self._verdict([tokens[place] for place in places], changes, guesses))

    def _verdict(self, pair, changes, guesses) -> Iterator[str]:
        if pair[0] == pair[1]:
            yield "These two are the same token: swapping them changes nothing. Choose two different ones."
            return
        _, off, blind = changes
        shifts = [experiments.moved(before, after) for before, after in guesses]
        yield (
            f"Without RoPE, layer 0: the swap changes the last token's attention output by {percent(off[0])}"
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
            piece = isolated(self._model.tokenizer.pieces([token])[0])
            yield f"{piece} as the next token: {with_rope} with RoPE, {without} without."
