"""The logit lens: the guess at every depth and position, and the ranks of chosen words on the way."""

from __future__ import annotations

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views import provenance
from llmviz.views.ffn.piece_table import PieceTable
from llmviz.views.ffn.who_writes import depths
from llmviz.views.kit.controls import Told
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import clean, quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.provenance import Explanation

MAX_LENS = 12  # positions in the logit lens: each costs 31 rows times the output table


class LensGrid(Explorer):
    """The guess at every depth and position; and the rank of chosen words on the way to the last guess."""

    def __init__(self, prompt: Prompt, words: str):
        self._prompt = prompt
        self._read: Trace | None = None  # whose guesses are in the picture
        model = prompt.language_model
        self.map = PieceTable(
            row_axis="depth", col_axis="after the token", stage="ffn", provenance=self._explain
        )
        self.words = ipywidgets.Text(
            clean(words),
            description="Words to follow",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "min(620px, 98%)"},
        )
        self.plot = LinePlot(
            labels=depths(model),
            x_axis="after layer",
            y_axis="rank",
            unit="rank",
            log_y=True,
            down=True,
            stage="ffn",
            caption="Rank of each word as the next token after your text; the top is first of all",
        )
        self.told = Told()
        super().__init__([self.map, self.words, self.plot, self.told])
        self.words.observe(lambda _: self._show(), "value")
        self.follow(prompt, lambda _: self._show())

    def chosen(self) -> dict[int, str]:
        """The likeliest next token, the first token of each typed word, and how it is called in the picture."""
        tokenizer, answer = self._prompt.language_model.tokenizer, int(self._prompt.trace.logits.argmax())
        found = {answer: quote(tokenizer.pieces([answer])[0])}
        for word in self.words.value.replace(",", " ").split():
            try:
                tokens = tokenizer.encode(f" {word}")
            except ValueError:
                continue
            if tokens and len(found) < 6:
                found.setdefault(tokens[0], quote(tokenizer.pieces(tokens[:1])[0]))
        return found

    @one_at_a_time
    def _show(self) -> None:
        trace = self._prompt.trace
        if trace is not self._read:
            self._read, self.lens = trace, experiments.logit_lens(trace, last=MAX_LENS)
            n = self.lens.guesses.shape[1]
            cut = "" if n == len(trace.tokens) else f", for the last {n} tokens"
            self.map.change(
                values=self.lens.probs,
                pieces=trace.model.tokenizer.pieces(self.lens.guesses.ravel().tolist()),
                row_labels=depths(trace.model),
                col_labels=trace.pieces[-n:],
                caption=f"The likeliest next token at each depth, coloured by its probability{cut}",
            )
        chosen = self.chosen()
        ranks = self.lens.ranks(list(chosen))
        self.plot.change(values=ranks, names=list(chosen.values()))
        self.told.say(came_late(next(iter(chosen.values())), ranks[0], depths(trace.model)))

    @one_at_a_time
    def _explain(self, depth: int, column: int) -> Explanation:
        trace = self._prompt.trace
        at = len(trace.tokens) - self.lens.guesses.shape[1] + column
        x, source = provenance.stream(trace, depth, at)
        return provenance.prob(
            trace.model.unembed(x[None], trace.edits)[0],
            int(self.lens.guesses[depth, column]),
            piece=trace.model.tokenizer.pieces([int(self.lens.guesses[depth, column])])[0],
            source=f"model.unembed({source}[None], trace.edits)[0]",
        )


def came_late(piece: str, ranks: np.ndarray, names: list[str]) -> str:
    """How a token with these ranks [depth] came up, in words."""
    start, middle, end = (f"{ranks[depth]:,}" for depth in (0, len(ranks) // 2, -1))
    told = f"{piece} has rank {start} at the input, {middle} half way, and {end} at the end"
    first = for_good(ranks)
    if first is None:
        return f"{told}: the model's first guess is another."
    share = first / (len(ranks) - 1)
    when = "very late" if share > 0.85 else "late" if share > 0.6 else "half way" if share > 0.4 else "early"
    return f"{told}; it is first, and stays first, from {names[first]} on. That is {when}."


def for_good(ranks: np.ndarray) -> int | None:
    """The first depth from which on a token's rank is 1; None where it is not first at the end."""
    return next((d for d in range(len(ranks)) if (ranks[d:] == 1).all()), None)
