"""Two rows of the table as arrows in the plane that they span, and what a third one has that the reader drags."""

from __future__ import annotations

import math

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearestTokens
from llmviz.views.embeddings.table import Table, TableExplorer
from llmviz.views.embeddings.word_box import WordBox, first_problem
from llmviz.views.kit.controls import button, row
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, lines, one_at_a_time
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.provenance import Explanation


class TwoArrows(Picture):
    """Two vectors as arrows in their plane, `real` [2, 2] (the first along the axis); `tip`: the second as dragged.

    Beside them what geometry says of the two: lengths, angle, cosine, shadow, dot product. `tip`: None, or [x, y].
    """

    _static = "two_arrows"
    _by_page = ("tip",)
    _data = ("names", "real", "tip")

    names = Pieces()
    real = Floats(ndim=(2,))
    tip = traitlets.List(traitlets.Float(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)
    rows = traitlets.List(traitlets.List(Text())).tag(sync=True)  # what is said: a name, real, as dragged

    def __init__(self, **traits):
        super().__init__(**{"stage": "embeddings", **traits})

    @traitlets.validate("tip")
    def _in_the_picture(self, proposal):
        tip = proposal["value"]
        if tip is not None and (self.real is None or not math.hypot(*tip) <= self.reach):
            raise traitlets.TraitError(f"tip is a point within {self.reach:.3g} of the middle, not {tip}")
        return tip

    @property
    def reach(self) -> float:
        """How far the second arrow can be dragged."""
        return 0.0 if self.real is None else 3 * float(np.linalg.norm(self.real, axis=1).max())

    @traitlets.observe("real", "tip")
    def _measure(self, _change=None) -> None:
        if self.real is None:
            self.rows = []
            return
        told = [geometry(*self.real)]
        if self.tip is not None:
            told.append(geometry(self.real[0], np.array(self.tip)))
        self.rows = [[name, *(one[name] for one in told)] for name in told[0]]

    def text(self) -> str:
        if not self.rows:
            return "no arrows yet"
        a, b = map(visible, self.names)
        head = [f"a = {a}, b = {b}", "the two rows", *(["b as dragged"] if self.tip is not None else [])]
        return lines([head, *self.rows])

    def headline(self) -> str:
        return f"{self.caption}\n{self.text()}".strip()


def geometry(a: np.ndarray, b: np.ndarray) -> dict[str, str]:
    """Lengths, angle, cosine, shadow and dot product of two vectors, for people."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    dot, cosine = float(a @ b), embeddings.cosine_similarity(a, b)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    numbers = {
        "length of a": f"{lengths[0]:.2f}",
        "length of b": f"{lengths[1]:.2f}",
        "angle": f"{angle:.0f}°",
        "cosine": f"{cosine:.2f}",
        "shadow of b on a = length of b × cosine": f"{dot / lengths[0]:.2f}" if lengths[0] else "none",
        "dot product = length of a × shadow": f"{dot:.2f}",
    }
    told = {name: "none" if "nan" in value else value for name, value in numbers.items()}
    return {name: "0.00" if value == "-0.00" else minus(value) for name, value in told.items()}


class ArrowExplorer(TableExplorer):
    """Two rows as arrows; the second can be dragged through their plane, and the tokens near to where it points."""

    def __init__(self, table: Table, a: str, b: str, *, n: int = 6):
        self.n = n
        self.a = WordBox(table.model.tokenizer, a, label="Arrow a")
        self.b = WordBox(table.model.tokenizer, b, label="Arrow b")
        self.back = button("Back to the real row")
        self.arrows = TwoArrows()
        self.list = NearestTokens(mark="a or b", provenance=self._explain)
        super().__init__(table, [row(self.a, self.b, self.back), self.arrows, self.list])
        for box in (self.a, self.b):
            box.observe(self._draw, "word")
        self.back.on_click(lambda _: self.arrows.change(tip=None))
        self.arrows.observe(self._look, "tip")
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        problem = first_problem(self.a, self.b)
        self.list.layout.display = "none" if problem else ""
        if problem:
            self.plane = None
            self.list.clear(problem)
            return self.arrows.change(tip=None, real=None, names=[], caption=problem)
        W_E, tokens = self.table.W_E, [self.a.token, self.b.token]
        self.plane = embeddings.plane(*embeddings.embed(tokens, W_E))
        self.along = [embeddings.cosine_to_all(axis, W_E) for axis in self.plane.axes]
        a, b = map(self.table.name, tokens)
        self.arrows.change(
            tip=None,
            real=self.plane.places,
            names=self.model.tokenizer.pieces(tokens),
            caption=f"The rows of {a} and {b}{self.table.told}: {W_E.shape[1]} numbers each, seen in the plane that "
            "holds both. Lengths and angle are the real ones. Drag the tip of b.",
        )
        self._look()

    @one_at_a_time
    def _look(self, _change=None) -> None:
        """Which tokens lie near to where arrow b points."""
        if self.plane is None:
            return
        x, y = self._place()
        length = math.hypot(x, y)
        cosines = (x * self.along[0] + y * self.along[1]) / length if length else 0 * self.along[0]
        b = isolated(self.arrows.names[1])
        where = (
            f"where {b} points"
            if self.arrows.tip is None
            else "where you have dragged arrow b (no row of the table)"
        )
        self.list.show(
            self.model.tokenizer,
            cosines.astype(np.float32),
            n=self.n,
            marked=[self.a.token, self.b.token],
            caption=f"The tokens nearest to {where}.",
        )

    def _place(self) -> tuple[float, float]:
        x, y = self.plane.places[1] if self.arrows.tip is None else self.arrows.tip
        return float(x), float(y)

    def _explain(self, row: int) -> Explanation:
        token, (x, y), axes = self.list.ids[row], self._place(), self.plane.axes
        vector = np.float32(x) * axes[0] + np.float32(y) * axes[1]
        plane = f"llmviz.embeddings.plane(W_E[{self.a.token}], W_E[{self.b.token}])"
        source = f"np.array([{x!r}, {y!r}], np.float32) @ {plane}.axes"
        return self.table.cosine("arrow b", vector, source, token)
