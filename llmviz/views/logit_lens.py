"""The logit lens: the guess at every depth and position, and the ranks of chosen words on the way."""

from __future__ import annotations

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views import provenance
from llmviz.views.line_plot import LinePlot
from llmviz.views.picture import Explorer, one_at_a_time
from llmviz.views.piece_table import PieceTable
from llmviz.views.pieces import clean, quote
from llmviz.views.prompt import Prompt, Told, depths
from llmviz.views.provenance import Explanation

MAX_LENS = 12  # positions in the logit lens: each costs 31 rows times the output table


class LensGrid(Explorer):
    """The guess at every depth and position; and the rank of chosen words on the way to the last guess."""

    def __init__(self, prompt: Prompt, words: str):
        self._prompt = prompt
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
        prompt.follow(self._show)

    def chosen(self) -> dict[int, str]:
        """The first token of the answer and of each typed word, and how it is called in the picture."""
        tokenizer = self._prompt.language_model.tokenizer
        found = {self._prompt.answer: quote(tokenizer.pieces([self._prompt.answer])[0])}
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
        trace, chosen = self._prompt.trace, self.chosen()
        self.lens = experiments.logit_lens(trace, list(chosen), last=MAX_LENS)
        n = self.lens.guesses.shape[1]
        cut = "" if n == len(trace.tokens) else f", for the last {n} tokens"
        self.map.change(
            values=self.lens.probs,
            pieces=trace.model.tokenizer.pieces(self.lens.guesses.ravel().tolist()),
            row_labels=depths(trace.model),
            col_labels=trace.pieces[-n:],
            caption=f"The likeliest next token at each depth, coloured by its probability{cut}",
        )
        self.plot.change(values=self.lens.ranks, names=[clean(name) for name in chosen.values()])
        ranks = self.lens.ranks[0]
        first = for_good(ranks)
        names = depths(trace.model)
        self.told.say(
            f"{self._prompt.piece} has rank {ranks[0]:,} at the input, {ranks[len(ranks) // 2]:,} half way, "
            f"and {ranks[-1]:,} at the end"
            + (f"; it is first, and stays first, from {names[first]} on." if first is not None else ".")
        )

    @one_at_a_time
    def _explain(self, depth: int, column: int) -> Explanation:
        trace = self._prompt.trace
        at = len(trace.tokens) - self.lens.guesses.shape[1] + column
        x = trace.blocks[0].resid_pre[at] if depth == 0 else trace.blocks[depth - 1].resid_post[at]
        return provenance.prob(
            trace.model.unembed(x[None])[0],
            int(self.lens.guesses[depth, column]),
            piece=trace.model.tokenizer.pieces([int(self.lens.guesses[depth, column])])[0],
        )


def for_good(ranks: np.ndarray) -> int | None:
    """The first depth from which on a token's rank is 1; None where it is not first at the end."""
    return next((d for d in range(len(ranks)) if (ranks[d:] == 1).all()), None)


def first_for_good(trace: Trace, token: int) -> int:
    """The layer after which a token is the first guess and stays it; −1 for the input. ValueError if it never is."""
    depth = for_good(experiments.logit_lens(trace, [token], last=1).ranks[0])
    if depth is None:
        raise ValueError("this token is not the first guess, at no depth for good")
    return depth - 1
