"""Two rows of the table as arrows in the plane that they span, and what a third one has that the reader drags."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearestTokens, by_cosine
from llmviz.views.embeddings.words import OfWords, word
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, lines
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.state_fields import picked
from llmviz.views.kit.view import Scene, explains, on, part, press, shared
from llmviz.views.provenance import Explanation


class TwoArrows(Picture):
    """Two vectors as arrows in their plane, `real` [2, 2] (the first along the axis); `tip`: the second as dragged.

    Beside them what geometry says of the two (`rows`): lengths, angle, cosine, shadow, dot product. `tip`: None, or
    [x, y].
    """

    _static, _stage = "two_arrows", "embeddings"
    _by_page = ("tip",)
    _data = ("names", "real", "tip", "rows")

    names = Pieces()
    real = Floats(ndim=(2,))
    tip = traitlets.List(traitlets.Float(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)
    rows = traitlets.List(traitlets.List(Text())).tag(sync=True)  # a name, of the two rows, and as dragged

    @traitlets.validate("tip")
    def _in_the_picture(self, proposal):
        tip = proposal["value"]
        if tip is not None and (self.real is None or not math.hypot(*tip) <= reach(self.real)):
            raise traitlets.TraitError(f"tip is a point near the arrows, not {tip}")
        return tip

    def text(self) -> str:
        """Return a line a measure."""
        if not self.rows:
            return "no arrows yet"
        a, b = map(visible, self.names)
        head = [f"a = {a}, b = {b}", "the two rows", *(["b as dragged"] if self.tip is not None else [])]
        return lines([head, *self.rows])

    def headline(self) -> str:
        """Return the caption and the table."""
        return f"{self.caption}\n{self.text()}".strip()


def reach(real: np.ndarray) -> float:
    """Return how far the second of two arrows [2, 2] can be dragged."""
    return 3 * float(np.linalg.norm(real, axis=1).max())


def geometry(a: np.ndarray, b: np.ndarray) -> dict[str, str]:
    """Return lengths, angle, cosine, shadow and dot product of two vectors, for people."""
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
    special = {"nan": "none", "nan°": "none", "-0.00": "0.00"}
    return {name: special.get(value, minus(value)) for name, value in numbers.items()}


class ArrowExplorer(OfWords):
    """Two rows as arrows; the second can be dragged through their plane, and the tokens near to where it points."""

    arrangement = (("a", "b", "take_first", "back"), "arrows", "nearest")

    @dataclass(frozen=True)
    class State:
        """Two words, and where the tip of the second's arrow was dragged to; None: it is where the row has it."""

        a: str = word("king", "Arrow a")
        b: str = word("queen", "Arrow b")
        tip: tuple[float, float] | None = picked(
            None,
            lambda tip, _: (
                tip is None or (isinstance(tip, tuple) and len(tip) == 2 and all(map(_is_finite, tip)))
            ),
            "two numbers, or None",
            of=("arrows", "tip"),
        )

    @on("a", "value")
    def type_a(self, state: State, typed: str) -> State:
        return replace(state, a=typed, tip=None)

    @on("b", "value")
    def type_b(self, state: State, typed: str) -> State:
        return replace(state, b=typed, tip=None)

    @press("Back to the real row")
    def back(self, state: State) -> State:
        return replace(state, tip=None)

    @shared
    def plane(self, scene: Scene) -> embeddings.Plane:
        return embeddings.plane(*embeddings.embed(scene.tokens, scene.run.W_E))

    @shared
    def along(self, scene: Scene) -> list[np.ndarray]:
        """Return each token's cosine with both axes of the plane."""
        return [embeddings.cosine_to_all(axis, scene.run.W_E) for axis in scene.plane.axes]

    @shared
    def dragged(self, scene: Scene) -> tuple[float, float] | None:
        """Return where the tip is if it is dragged, and as near as it can be."""
        near = scene.tip and math.hypot(*scene.tip) <= reach(scene.plane.places)
        return scene.tip if near else None

    @shared
    def place(self, scene: Scene) -> tuple[float, float]:
        """Return where arrow b points."""
        x, y = scene.dragged or scene.plane.places[1]
        return float(x), float(y)

    @part(lambda _: TwoArrows())
    def arrows(self, scene: Scene) -> dict:
        if scene.problem:
            return {"tip": None, "real": None, "names": [], "rows": [], "caption": scene.problem}
        real, dragged = scene.plane.places, scene.dragged
        measured = [geometry(*real), *([geometry(real[0], np.array(dragged))] if dragged else [])]
        a, b = map(scene.run.name, scene.tokens)
        return {
            "tip": dragged and [*dragged],
            "real": real,
            "names": scene.run.model.tokenizer.pieces(scene.tokens),
            "rows": [[name, *(column[name] for column in measured)] for name in measured[0]],
            "caption": f"The rows of {a} and {b}{scene.run.note}: {scene.run.W_E.shape[1]} numbers each, seen in the "
            "plane that holds both. Lengths and angle are the real ones. Drag the tip of b.",
        }

    @part(lambda _: NearestTokens(mark="a or b"))
    def nearest(self, scene: Scene) -> dict | None:
        if scene.problem:
            return None
        (x, y), along = scene.place, scene.along
        cosines = (x * along[0] + y * along[1]) / (math.hypot(x, y) or 1)
        where = f"where {scene.run.name(scene.tokens[1])} points"
        if scene.dragged:
            where = "where you have dragged arrow b (no row of the table)"
        return {
            **by_cosine(scene.run.model.tokenizer, cosines.astype(np.float32), n=6, marked=scene.tokens),
            "caption": f"The tokens nearest to {where}.",
        }

    @explains("nearest")
    def explain(self, scene: Scene, row: int) -> Explanation:
        vector = np.array(scene.place, np.float32) @ scene.plane.axes
        plane = "llmviz.embeddings.plane(W_E[{}], W_E[{}])".format(*scene.tokens)
        source = f"np.array({[*scene.place]}, np.float32) @ {plane}.axes"
        return scene.run.cosine("arrow b", vector, source, scene.shown["ids"][row])


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
