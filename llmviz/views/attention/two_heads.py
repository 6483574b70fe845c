"""How does a copying head know what came after? Its keys read what an earlier head has written."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz import experiments
from llmviz.model import Model
from llmviz.views.attention.head_grid import empty_grid, four_axes
from llmviz.views.attention.heads import head_name
from llmviz.views.kit.background import Background, Experiment, Steps
from llmviz.views.kit.controls import Told, button, choice, row, seed_box
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, by_the_reader, lines, one_at_a_time
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.token_strip import TokenStrip

N_READERS = 8  # induction heads to choose from
N_DRAWS = 3  # of a random head


class HeadPair(Picture):
    """Two heads over three tokens: A B … A. What the first writes at B, the second reads when it looks for A again.

    `pieces`: A, B, and the token before the second A. One row a condition, named in `names`; `cuts` says what it takes
    away: "" (nothing), "writer", one path of the writer into the reader's "k", "q" or "v", or "other" (another head).
    `totals` [n_conditions, 2]: the reader's induction score, and the mean probability of the right next token, over the
    whole second pass. `here` [n_conditions, 4]: the writer's share from B to A, the reader's from the second A to B,
    the probability of B after the second A, and the writer's share from the second A to the token before it. NaN until
    it is measured. `selected` is the condition drawn.
    """

    _static = "head_pair"
    _data = ("pieces", "names", "totals", "here", "selected")

    pieces = Pieces()
    writer = Text("")
    reader = Text("")
    names = traitlets.List(Text()).tag(sync=True)
    cuts = traitlets.List(traitlets.Enum(("", "writer", "k", "q", "v", "other"))).tag(sync=True)
    totals = Floats(ndim=(2,))
    here = Floats(ndim=(2,))
    selected = traitlets.Int(0).tag(sync=True)

    def text(self) -> str:
        """A line a condition: score and probability over the row, then what the drawing shows."""
        if self.totals is None:
            return "no heads yet"
        a, b = (visible(piece) for piece in self.pieces[:2])
        rows = [
            [
                "",
                f"{self.reader}'s induction score",
                "right next token",
                f"{self.writer}: {b} → {a}",
                f"{self.reader}: second {a} → {b}",
                f"{b} comes next",
            ]
        ]
        for name, cut, total, here in zip(self.names, self.cuts, self.totals, self.here):
            back = "off" if cut == "writer" else here[0]
            numbers = (total[0], total[1], back, here[1], here[2])
            rows.append(
                [
                    name,
                    *(
                        "…" if np.isnan(total[0]) else one if isinstance(one, str) else percent(one)
                        for one in numbers
                    ),
                ]
            )
        return lines(rows)

    def headline(self) -> str:
        """What is drawn, and its two numbers."""
        if self.totals is None:
            return "no heads yet"
        score, right = self.totals[self.selected]
        told = (
            "being measured"
            if np.isnan(score)
            else f"induction score {percent(score)}, right next token {percent(right)}"
        )
        return f"{self.writer} writes, {self.reader} reads; {self.names[self.selected]}: {told}"

    @traitlets.validate("selected")
    def _a_condition(self, proposal):
        if not 0 <= proposal["value"] < max(1, len(self.names)):  # the first, where there are none yet
            raise traitlets.TraitError(f"selected is a condition from 0 to {len(self.names) - 1}")
        return proposal["value"]


def condition_name(condition: str, writer: tuple[int, int], n_readers: int, n_others: int) -> str:
    """Name what is taken away, as a line of the diagram."""
    return {
        "": "as it is",
        "writer": f"{head_name(*writer)} off",
        "k": "only its path into the keys cut",
        "q": "only its path into the queries cut",
        "v": "only its path into the values cut",
        "all k": f"its paths into the keys of all copying heads cut ({n_readers})",
        "others": f"a random head off (mean of {n_others} draws)",
    }[condition]


# How `HeadPair` draws what is taken away, where its name is another.
DRAWN = {"all k": "k", "others": "other"}


class TwoHeads(Experiment):
    """Which head, taken away, breaks a copying head? And how do the two work together?

    A row of random tokens comes twice; the reader (`reader`) is an induction head, which looks from a token in the
    second pass to the one that followed it in the first. Each head of the layers before it is switched off alone; a
    click on one in the grid makes it the writer, and the diagram shows what becomes of the reader when the writer, or
    only one path from it into the reader, is taken away. That a head reads in its *keys* what an earlier head wrote is
    called K-composition (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"); the pair of a
    previous-token head and an induction head is that of Olsson et al. 2022, "In-context Learning and Induction Heads".

    The diagram waits until a writer is chosen, by the reader of the page or by `writer`. `effect`
    [n_layers, n_heads] is the change of the reader's induction score, NaN where it is not measured.
    """

    def __init__(
        self,
        model: Model,
        *,
        n: int = 25,
        seed: int = 0,
        reader: tuple[int, int] = (18, 6),
        writer: tuple[int, int] | None = None,
    ):
        super().__init__("Switch off every earlier head, one at a time")
        self.model, self._n, self._paths = model, n, Background(self)
        config = model.config
        self.reader = min(reader[0], config.n_layers - 1), min(reader[1], config.n_heads - 1)
        self.writer = writer
        self.seed = seed_box(seed)
        self.new_row = button("new row")
        self.readers = choice([], None, "Copying head", "min(430px, 98%)")
        self.strip = TokenStrip([], stage="attention", quantity="probability before it came")
        self.grid = empty_grid(config, kind="signed", measure="change of the induction score", unit="points")
        self.found = Told()
        self.pair = HeadPair(stage="attention")
        self.grid.layout.display = self.pair.layout.display = "none"
        self.children = (
            row(self.readers, self.seed, self.new_row),
            self.strip,
            self.told,
            row(*self.buttons, self.progress),
            self.grid,
            self.found,
            self.pair,
        )
        self.pair.observe(self._caption, "selected")
        self.new_row.on_click(self._another_row)
        self.seed.observe(self._draw_row, "value")
        self.readers.observe(self._pick_reader, "value")
        self.strip.observe(self._pick_token, "selected")
        self.grid.observe(self._pick_writer, "selected")
        self.buttons[0].on_click(lambda _: self.start(self._each_off(), self.buttons[0]))
        self._draw_row()

    # --- the row and the copying head ---

    @one_at_a_time
    def _another_row(self, _button=None) -> None:
        self.seed.value = (self.seed.value + 1) % self.seed.max

    @one_at_a_time
    def _draw_row(self, _change=None) -> None:
        self.row = experiments.random_tokens(self.model, self._n, self.seed.value)
        self.trace = self.model.trace(self.row * 2)
        self.scores = experiments.induction_scores(self.trace)
        right = experiments.token_probs(self.trace)
        first, second = experiments.copying_by_pass(right)
        copied = right[self._n :]
        self._token = int(np.argsort(copied)[len(copied) // 2]) + 1  # neither the best nor the worst of them
        with self.quietly():
            best = experiments.strongest_heads(self.scores, N_READERS)
            self.readers.options = [
                (f"{head_name(*one)}, induction score {percent(self.scores[one])}", one)
                for one in dict.fromkeys([self.reader, *best])
            ]
            self.readers.value = self.reader
            self.strip.change(
                pieces=self.model.tokenizer.pieces(self.row),
                weights=np.r_[np.nan, copied],
                selected=self._token,
                caption="The row's second pass. Shade: the probability that each token had before it came",
            )
        self.told.say(
            f"{self._n} random tokens, then the same {self._n} again. Right next token, mean probability: first pass "
            f"{percent(first)}, second pass {percent(second)}."
        )
        self._new_pair()

    @by_the_reader
    def _pick_reader(self, change) -> None:
        if change["new"] is not None:
            self.reader = change["new"]
            self._new_pair()

    def _new_pair(self) -> None:
        """What was found for another row or another copying head goes."""
        self.stop()
        if self.writer and self.writer[0] >= self.reader[0]:
            self.writer = None
        self.effect = np.full(self.scores.shape, np.nan, np.float32)
        self.grid.layout.display = "none"
        with self.quietly():
            self.grid.change(selected=list(self.writer or self.reader), chosen=[list(self.reader)])
        self.found.say("" if self.reader[0] else "No layer comes before this head's.")
        self.buttons[0].disabled = not self.reader[0]
        self._measure_pair()

    # --- which head, taken away, breaks it? ---

    def _each_off(self) -> Steps:
        before = experiments.induction_score_of(self.trace, self.reader)
        n_heads, chosen = self.model.config.n_heads, self.writer
        name, total = head_name(*self.reader), self.reader[0] * n_heads
        self.effect = np.full(self.scores.shape, np.nan, np.float32)
        self.found.say()
        runs = experiments.ablate_each_earlier_head(self.trace, self.reader)
        for done, (layer, head, score) in enumerate(runs, 1):
            self.effect[layer, head] = score - before
            if head == n_heads - 1:  # a layer is done
                self.grid.change(
                    values=four_axes(self.effect),
                    limit=1.0,
                    caption=f"How {name}'s induction score ({percent(before)}) changes when this one head is off; "
                    "blank: not tried yet, or too late to change it. Dashed: the head itself. Click a head to see "
                    "the two together",
                )
                self.grid.layout.display = ""
            yield done / total
        worst = experiments.strongest_heads(-self.effect, 3)
        others = np.delete(
            np.abs(self.effect[: self.reader[0]]).ravel(), np.ravel_multi_index(worst[0], self.effect.shape)
        )
        self.found.say(
            f"Without {head_name(*worst[0])}, {name}'s induction score goes from {percent(before)} to "
            f"{percent(before + self.effect[worst[0]])}. Then come "
            + " and ".join(
                f"{head_name(*one)} ({100 * self.effect[one]:+.1f} percentage points)" for one in worst[1:]
            )
            + f"; the median change by the other {len(others)} heads is {100 * np.nanmedian(others):.2g} points."
        )
        if self.writer == chosen:  # the reader has clicked none meanwhile
            self.writer = worst[0]
            with self.quietly():
                self.grid.selected = list(self.writer)
            for _ in self._each_condition():
                yield 1.0

    # --- the two together ---

    @by_the_reader
    def _pick_writer(self, change) -> None:
        writer = tuple(change["new"])
        if writer[0] < self.reader[0]:
            self.writer = writer
            self._measure_pair()

    @by_the_reader
    def _pick_token(self, change) -> None:
        if change["new"] is not None:
            self._token = max(1, change["new"])
            self._draw_here()

    def _measure_pair(self) -> None:
        self._paths.stop()
        if self.writer is None:
            self.pair.layout.display = "none"
            return
        self._paths.start(self._each_condition())

    def _each_condition(self) -> Steps:
        writer, n = self.writer, self._n
        shape = self.reader[0], self.model.config.n_heads
        others = experiments.random_heads(shape, N_DRAWS, [writer], self.seed.value) or [writer]
        readers = [one for _, one in self.readers.options if one[0] > writer[0]]
        found = experiments.conditions(self.trace, writer, self.reader, readers, others)
        yield 0.001
        self._looks = np.full((len(found), 4, n - 1), np.nan, np.float32)
        totals = np.full((len(found), 2), np.nan, np.float32)
        for i, runs in enumerate(found.values()):
            if self.writer != writer:  # the reader has clicked another head meanwhile
                return
            together = experiments.measure_composition(self.trace, runs, writer, self.reader)
            self._looks[i] = together.written, together.read, together.right, together.written_late
            totals[i] = together.score, together.right.mean()
            self.pair.change(
                names=[condition_name(one, writer, len(readers), len(others)) for one in found],
                cuts=[DRAWN.get(one, one) for one in found],
                totals=totals,
                writer=head_name(*writer),
                reader=head_name(*self.reader),
            )
            self._caption()
            self._draw_here()
            self.pair.layout.display = ""
            yield 0.001

    def _caption(self, _change=None) -> None:
        """The name of what is cut is said when it is cut, no sooner."""
        at_keys = self.pair.cuts[self.pair.selected] == "k"
        self.pair.caption = f"What {self.pair.reader} reads of what {self.pair.writer} writes. " + (
            "Reading in the keys is called K-composition (Elhage et al. 2021)"
            if at_keys
            else "Choose a line to take something away"
        )

    def _draw_here(self) -> None:
        """The three tokens of the drawing, and their own numbers."""
        if self.writer is None or self.pair.totals is None:
            return
        a, b = self.row[self._token - 1], self.row[self._token]
        before = self.row[self._token - 2]
        self.pair.change(
            pieces=self.model.tokenizer.pieces([a, b, before]), here=self._looks[:, :, self._token - 1]
        )
