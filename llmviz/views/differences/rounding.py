"""This model with fewer bits a number, on its file's grid and on another: what does it cost, which facts stay?"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.views.kit.background import Experiment
from llmviz.views.kit.controls import checkbox, row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import STATIC
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.predict import Question
from llmviz.views.kit.text_box import read

# Written for this project, and under its licence: a text that the model cannot have read.
STORY = (STATIC / "a_long_story.txt").read_text("utf-8")
N_READ = 128  # tokens of an ordinary text
N_WRITTEN = 12
LEAST = 0.1  # bits a token: from here on it is said to cost something
STAYS = "none of these"


@dataclass(frozen=True)
class Grid:
    """`bits` a number, in groups that begin `shift` numbers further than the file's."""

    bits: int
    shift: int = 0

    @property
    def name(self) -> str:
        return f"{self.bits} bits" + (", other groups" if self.shift else "")


GRIDS = (Grid(8), Grid(5), Grid(4), Grid(4, experiments.GROUP // 2), Grid(3), Grid(2))


class Rounding(Experiment):
    """The layers' matrices rounded to one grid after the other: surprise at ordinary texts, capitals, a sentence.

    facts: a text to go on from, and the word that goes on rightly (its first token counts). `right` has, for each grid
    that is measured (None: as it is), which facts come first; `costs` the bits a token that it surprises more, mean of
    the texts; `first` the first grid that costs 0.1 bits or more. A rounded model takes 425 MB (538 with the table)
    while it is measured; one at a time.
    """

    def __init__(
        self,
        model: Model,
        facts: Mapping[str, str],
        texts: Mapping[str, str],
        *,
        grids: tuple[Grid, ...] = GRIDS,
        explain: str = "",
        explain_table: str = "",
    ):
        self._explain = {False: explain, True: explain_table}
        self._model, self._facts, self.grids = model, dict(facts), grids
        self._texts = {name: model.tokenizer.encode(text)[:N_READ] for name, text in texts.items()}
        super().__init__(f"Round to {len(grids)} grids")
        self.card = Question(
            f"Which of these is the first to surprise it by {LEAST:g} bits a token more, or by more than that?",
            [*(grid.name for grid in grids), STAYS],
            answer=None,
            explain=explain,
            stage="training",
        )
        self.prompt = ipywidgets.Text(
            next(iter(self._facts)),
            description="And what does it write after",
            style={"description_width": "initial"},
            layout={"width": "min(520px, 98%)"},
        )
        self.table = checkbox("round the table of tokens (W_E), too")
        columns = ["as it is", *(grid.name for grid in grids)]
        self.map = HeatMap(
            np.full((len(self._facts), len(columns)), np.nan),
            [word.strip() for word in self._facts.values()],
            columns,
            kind="prob",
            row_axis="capital",
            col_axis="rounded to",
            stage="training",
            caption="Probability of the right word; ✓ where it comes first",
        )
        self.lines = LinePlot(
            labels=columns,
            names=[*self._texts, "a guesser who knows nothing"],
            y_axis="bits a token",
            x_axis="rounded to",
            unit="bits",
            stage="training",
            caption=f"Mean surprise at the first {N_READ} tokens of ordinary texts",
            waiting="",
        )
        [go] = self.buttons
        go.on_click(lambda button: self.start(self._answered(), button))
        self.table.observe(self._again, "value")
        self.children = (
            self.card,
            row(self.table, self.prompt),
            row(go, self.progress),
            self.told,
            self.lines,
            self.map,
        )
        self.card.observe(self._committed, "committed")
        self._clear()

    def needs_kernel(self) -> list[ipywidgets.Button]:
        return self.buttons  # on a page the card shows what was measured when the page was built

    def _clear(self) -> None:
        self.right, self.costs, self.first, self._sentences = {}, {}, None, []
        self._show(False)

    def _show(self, shown: bool) -> None:
        self.map.layout.display = self.lines.layout.display = "" if shown else "none"
        self.told.say(*(self._sentences if shown else ()))

    def _again(self, _change=None) -> None:
        self.stop()
        self._clear()
        self.card.tell(None)
        self.card.ask_again()
        explain = self._explain[self.table.value]
        self.card.ask(self.card.question, self.card.options, answer=None, explain=explain)

    def _committed(self, change) -> None:
        if not change["new"]:
            self.stop()
            self._show(False)
        elif self.first is None:
            self.start(self._answered(), self.buttons[0])
        else:
            self._show(True)

    def _answered(self) -> Iterator[float]:
        self._clear()
        self.card.tell(None)
        try:
            yield from self._each()
        finally:
            gc.collect()  # a model and its runs refer to each other
            if self.first is None:
                self._clear()
                if self.card.committed:
                    self.card.ask_again()

    def _each(self) -> Iterator[float]:
        columns, rows = len(self.grids) + 1, len(self._facts)
        shares, surprises = np.full((rows, columns), np.nan), np.full((len(self._texts) + 1, columns), np.nan)
        surprises[-1] = np.log2(self._model.config.n_vocab)
        marks = [[""] * columns for _ in range(rows)]
        values = experiments.distinct_values(self._model)
        self._sentences = [
            f"As it is, {experiments.GROUP} neighbours have at most {values} different values."
        ]
        if not self._start():
            self._sentences.append("There is no sentence to go on from.")
        runs, done = columns * (rows + len(self._texts) + 1), 0
        self._show(True)
        for column, grid in enumerate((None, *self.grids)):
            yield done / runs
            model = (
                self._model
                if grid is None
                else experiments.quantised(self._model, grid.bits, table=self.table.value, shift=grid.shift)
            )
            for i, tokens in enumerate(self._texts.values()):
                surprises[i, column] = experiments.token_surprise(model.trace(tokens)).mean()
                done += 1
                yield done / runs
            right = []
            for i, (text, word) in enumerate(self._facts.items()):
                shares[i, column], likeliest = experiments.answer_probs(model, text, word, (1, 0))
                right.append(bool(likeliest))
                marks[i][column] = f"{'✓ ' if likeliest else ''}{100 * shares[i, column]:.0f}"
                done += 1
                yield done / runs
            self.right[grid] = right
            self.lines.change(values=surprises)
            self.map.change(values=shares, cell_text=[list(line) for line in marks])
            mean = surprises[:-1, column].mean()
            self.costs[grid] = float(mean - surprises[:-1, 0].mean())
            name = (
                "As it is"
                if grid is None
                else f"{grid.name}: {100 * experiments.share_rounded(self._model, model):.0f}% move"
            )
            more = "" if grid is None else minus(f" ({round(self.costs[grid], 2) + 0:+.2f})")
            told = f"{name}. {mean:.2f} bits a token{more}; {sum(right)} of {rows} capitals."
            self._sentences.append(f"{told} {self._written(model)}".strip())
            self.told.say(*self._sentences)
            done += 1
            del model
            gc.collect()
        costly = [i for i, grid in enumerate(self.grids) if self.costs[grid] >= LEAST]
        self.first = self.grids[costly[0]].name if costly else STAYS
        self.card.tell(costly[0] if costly else len(self.grids))

    def _start(self) -> list[int]:
        return read(self.prompt.value, self._model.tokenizer, limit=200).tokens

    def _written(self, model: Model) -> str:
        tokens = self._start()
        if not tokens:
            return ""
        try:
            new = [step.token for step in model.generate(tokens, N_WRITTEN, Sampler(temperature=0))]
        except FloatingPointError as error:
            return str(error)
        return f"It writes: “{clean(model.tokenizer.decode([*tokens, *new]))}”"
