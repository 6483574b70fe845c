"""How does an induction head know what came next? Its keys read what an earlier head has written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views.attention.head_grid import empty_grid, head_name, picked_head
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, lines
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.state_fields import clip_position, fixed, is_index, picked, seed, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, job, part, sentences, shared

N_DRAWS = 3  # of a random head
# The name of each of `experiments.conditions`, in their order, and what `HeadPair` cuts in it.
CONDITIONS = [
    ("unchanged", ""),
    ("{writer} off", "writer"),
    ("only its path into the keys cut", "k"),
    ("only its path into the queries cut", "q"),
    ("only its path into the values cut", "v"),
    ("a random head off (mean of {n_others} draws)", "other"),
]


class HeadPair(Picture):
    """Two heads over the tokens A B … A: at the second A, the reader finds B by what the writer has written there.

    `pieces`: A, B, and the token before the second A. Each condition has a row, named in `names`; `cuts` says what it
    cuts: "" (nothing), "writer", the writer's path into the reader's "k", "q" or "v", or "other" (another head).
    `totals` [n_conditions, 2]: the reader's induction score, and the mean probability of the right next token, over the
    whole second pass. `here` [n_conditions, 4]: the writer's weight from B to A, the reader's from the second A to B,
    the probability of B after the second A, and the writer's weight from the second A to the token before it. NaN: not
    measured yet. `selected` is the condition that is drawn.
    """

    _static = "head_pair"

    pieces = Pieces()
    writer = Text("")
    reader = Text("")
    names = traitlets.List(Text()).tag(sync=True)
    cuts = traitlets.List(traitlets.Enum(("", "writer", "k", "q", "v", "other"))).tag(sync=True)
    totals = Floats(ndim=(2,))
    here = Floats(ndim=(2,))
    selected = traitlets.Int(0).tag(sync=True)

    def page_values(self) -> dict:
        return {"selected": range(len(self.names))}

    def text(self) -> str:
        """Return a line for each condition: score and probability over the second pass, then what is drawn."""
        if self.totals is None:
            return "no heads yet"
        a, b = (visible(piece) for piece in self.pieces[:2])
        titles = f"{self.reader}'s induction score", "right next token", f"{self.writer}: {b} → {a}"
        rows = [["", *titles, f"{self.reader}: second {a} → {b}", f"{b} comes next"]]
        for name, cut, total, here in zip(self.names, self.cuts, self.totals, self.here):
            cells = ["…" if np.isnan(total[0]) else percent(value) for value in (*total, *here[:3])]
            if cut == "writer" and cells[2] != "…":
                cells[2] = "off"
            rows.append([name, *cells])
        return lines(rows)

    def headline(self) -> str:
        """Return the condition that is drawn, and its two numbers."""
        if self.totals is None:
            return "no heads yet"
        score, right = self.totals[self.selected]
        numbers = f"induction score {percent(score)}, right next token {percent(right)}"
        numbers = "being measured" if np.isnan(score) else numbers
        return f"{self.writer} writes, {self.reader} reads; {self.names[self.selected]}: {numbers}"

    @traitlets.validate("selected")
    def _a_condition(self, proposal):
        if not 0 <= proposal["value"] < max(1, len(self.names)):  # 0 is selected while there are none.
            raise traitlets.TraitError(f"selected is a condition from 0 to {len(self.names) - 1}")
        return proposal["value"]


class TwoHeads(View):
    """Which head does an induction head depend on, and how do the two work together?

    A row of random tokens comes twice. The reader is an induction head: from a token in the second pass, it attends to
    the token that came next in the first. Each head of earlier layers is switched off on its own. A click on one in the
    grid makes it the writer, and the diagram shows what happens to the reader when the writer, or one path from it into
    the reader, is switched off. If a head reads in its *keys* what an earlier head wrote, that is K-composition
    (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"). Olsson et al. 2022, "In-context Learning
    and Induction Heads", describe this pair of a previous-token head and an induction head.
    """

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        n: int = fixed(25, lambda n: is_index(n) and n > 2, "a number of tokens from 3")
        seed: int = seed(0)
        reader: tuple[int, int] = picked(
            (18, 6),
            lambda head, _: (
                isinstance(head, tuple) and [*map(is_index, head)] == [True, True] and head[0] > 0
            ),
            "a layer from 1 and a head",
            means=lambda head, view: tuple(
                map(clip_position, head, (view.run.config.n_layers, view.run.config.n_heads))
            ),
            outlives_text=True,
        )
        writer: tuple[int, int] | None = picked_head(
            set_by=("grid", "selected")
        )  # None: the head it needs most
        token: int | None = selection("strip")
        condition: int = picked(
            0,
            lambda i, _: is_index(i) and 0 <= i < len(CONDITIONS),
            "the number of a condition",
            set_by=("pair", "selected"),
            on_page=lambda _: range(len(CONDITIONS)),
        )

    arrangement = ("seed", "strip", "about_row", ("each_off", "progress"), "grid", "about_heads", "pair")

    def slices(self) -> Iterator[State]:
        """Yield what a click on a row of the diagram shows first: notebook 4 asks for it, and it costs little."""
        yield from self.along("condition")
        yield from super().slices()

    # --- the row and the two heads ---

    @shared
    def row(self, scene: Scene) -> Trace:
        return scene.run.trace(experiments.random_tokens(scene.run, scene.n, scene.seed) * 2)

    @shared
    def right(self, scene: Scene) -> np.ndarray:
        """Return the probability of every token in both passes except the first: [2 * n - 1]."""
        return experiments.token_probs(scene.row)

    @shared
    def at(self, scene: Scene) -> int:
        """Return the place of B in the row: the token that was clicked, or one that is copied about as well as most."""
        copied = scene.right[scene.n :]
        typical = int(np.argsort(copied)[len(copied) // 2]) + 1
        return typical if scene.token is None else min(max(1, scene.token), scene.n - 1)

    @shared
    def score(self, scene: Scene) -> float:
        """Return the induction score of the reader."""
        return experiments.induction_score_of(scene.row, scene.reader)

    @shared
    def writing(self, scene: Scene) -> tuple[int, int] | None:
        if scene.writer and scene.writer[0] < scene.reader[0]:
            return scene.writer
        is_known = scene.status("each_off") == "done"
        return experiments.strongest_heads(-scene.result("each_off"), 1)[0] if is_known else None

    @shared
    def others(self, scene: Scene) -> list[tuple[int, int]]:
        """Return random earlier heads, as a control."""
        shape = scene.reader[0], scene.run.config.n_heads
        return experiments.random_heads(shape, N_DRAWS, [scene.writing], scene.seed) or [scene.writing]

    # --- jobs ---

    @job("n", "seed", "reader", start="Switch off every earlier head, one at a time")
    def each_off(self, scene: Scene) -> Iterator[tuple[float, np.ndarray | None]]:
        return experiments.effects_of_earlier_heads(scene.row, scene.reader)

    def needs(self, state: State) -> str | None:
        return "paths" if self.scene(state).writing else None

    @job("n", "seed", "reader", "writer")
    def paths(self, scene: Scene) -> Iterator[tuple[float, tuple]]:
        """Measure `totals` of `HeadPair`, and `here` for each token: [n_conditions, 4, n_tokens]."""
        return experiments.compose_each(scene.row, scene.writing, scene.reader, scene.others)

    # --- parts ---

    @part(
        *(TokenStrip, []),
        quantity="probability before it came",
        caption="The row's second pass. Shade: the probability that each token had before it came",
    )
    def strip(self, scene: Scene) -> dict:
        weights = np.r_[np.nan, scene.right[scene.n :]]
        return {"pieces": scene.row.pieces[: scene.n], "weights": weights, "selected": scene.at}

    @sentences
    def about_row(self, scene: Scene) -> list[str]:
        first, second = experiments.copying_by_pass(scene.right)
        row = f"{scene.n} random tokens, then the same {scene.n} again."
        return [
            f"{row} Right next token, mean probability: first pass {percent(first)}, second pass {percent(second)}."
        ]

    @part(
        lambda view: empty_grid(
            view.run.config,
            kind="signed",
            limit=1.0,
            measure="change of the induction score",
            unit="percentage points",
        )
    )
    def grid(self, scene: Scene) -> dict:
        return {
            "values": scene.known("each_off")[..., None, None],
            "selected": [*(scene.writing or scene.reader)],
            "chosen": [[*scene.reader]],
            "caption": f"How {head_name(*scene.reader)}'s induction score "
            f"({percent(scene.score)}) changes when this one head is off; blank: not tried "
            "yet, or too late to change it. Dashed: the head itself. Click a head to see the two together",
        }

    @sentences
    def about_heads(self, scene: Scene) -> list[str]:
        if scene.status("each_off") != "done":
            return []
        effect, before = scene.result("each_off"), scene.score
        worst, *next_worst = experiments.strongest_heads(-effect, 3)
        others = np.abs(effect)
        others[worst] = np.nan
        n_others = np.isfinite(others).sum()
        return [
            f"Without {head_name(*worst)}, {head_name(*scene.reader)}'s induction score goes from {percent(before)} "
            f"to {percent(before + effect[worst])}. Then come "
            + " and ".join(
                f"{head_name(*head)} ({100 * effect[head]:+.1f} percentage points)" for head in next_worst
            )
            + f"; half of all {n_others} others change it by at most {100 * np.nanmedian(others):.2g} "
            "percentage points."
        ]

    @part(HeadPair)
    def pair(self, scene: Scene) -> dict:
        if scene.writing is None:
            raise NothingToShow
        (totals, here), cuts = scene.known("paths"), [cut for _, cut in CONDITIONS]
        pieces, reader, writer = scene.row.pieces, head_name(*scene.reader), head_name(*scene.writing)
        # The term is not used before the reader has seen the thing itself.
        name = "Reading in the keys is called K-composition (Elhage et al. 2021)"
        hint = name if cuts[scene.condition] == "k" else "Click a row to switch a head off or to cut a path"
        return {
            "pieces": [pieces[scene.at - 1], pieces[scene.at], pieces[scene.at - 2]],
            "names": [name.format(writer=writer, n_others=len(scene.others)) for name, _ in CONDITIONS],
            "cuts": cuts,
            "totals": totals,
            "here": here[:, :, scene.at - 1],
            "writer": writer,
            "reader": reader,
            "selected": scene.condition,
            "caption": f"What {reader} reads of what {writer} writes. {hint}",
        }
