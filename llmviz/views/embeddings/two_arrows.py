"""Two rows of the table as arrows in the plane that they span; the reader can drag the second arrow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.views.embeddings.words import OfWords, word
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, lines
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.state_fields import picked, replace
from llmviz.views.kit.view import Scene, View, part, press, shared
from llmviz.where import where


class TwoArrows(Picture):
    """Two vectors as arrows in their plane, `real` [2, 2], the first along the axis.

    `tip`: where the second was dragged, [x, y], or None. `rows`: lengths, angle, cosine, shadow and dot product, each
    with its name, its value for the real vectors, and its value as dragged.
    """

    _static, _stage = "two_arrows", "embeddings"
    _by_page = ("tip",)

    names = Pieces()
    real = Floats(ndim=(2,))
    tip = traitlets.List(traitlets.Float(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)
    rows = traitlets.List(traitlets.List(Text())).tag(sync=True)

    def text(self) -> str:
        if not self.rows:
            return "no arrows yet"
        a, b = map(visible, self.names)
        head = [f"a = {a}, b = {b}", "real rows", *(["b as dragged"] if self.tip is not None else [])]
        return lines([head, *self.rows])

    def headline(self) -> str:
        return f"{self.caption}\n{self.text()}".strip()


def geometry(a: np.ndarray, b: np.ndarray) -> dict[str, str]:
    """Return the lengths, angle, cosine, shadow and dot product of two vectors as texts, by their names."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    dot, cosine = float(a @ b), embeddings.cosine_similarity(a, b)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    numbers = {
        "Length of a": f"{lengths[0]:.2f}",
        "Length of b": f"{lengths[1]:.2f}",
        "Angle": f"{angle:.0f}°",
        "Cosine": f"{cosine:.2f}",
        "Shadow of b on a = length of b × cosine": f"{dot / lengths[0]:.2f}" if lengths[0] else "none",
        "Dot product = length of a × shadow": f"{dot:.2f}",
    }
    special = {"nan": "none", "nan°": "none", "-0.00": "0.00"}
    return {name: special.get(value, minus(value)) for name, value in numbers.items()}


def _is_place(value: Any, _view: View) -> bool:
    pair = value if isinstance(value, tuple) and len(value) == 2 else (None, None)
    return value is None or all(type(x) in (int, float) and math.isfinite(x) for x in pair)


class ArrowExplorer(OfWords):
    """Two rows as arrows; the second can be dragged through their plane."""

    arrangement = (("a", "b", "take_first", "back"), "refusal", "arrows")

    @dataclass(frozen=True)
    class State:
        a: str = word("king", "Arrow a")
        b: str = word("queen", "Arrow b")
        tip: tuple[float, float] | None = picked(
            None, _is_place, "two numbers, or None", set_by=("arrows", "tip")
        )

    def put_right(self, before: State, state: State) -> State:
        """Put the arrow back when another word is typed."""
        return state if (state.a, state.b) == (before.a, before.b) else replace(state, tip=None)

    @press("Put arrow b back", when=lambda _, scene: scene.tip is not None)
    def back(self, state: State) -> State:
        return replace(state, tip=None)

    @shared
    def plane(self, scene: Scene) -> embeddings.Plane:
        return embeddings.plane(*embeddings.embed(scene.tokens, scene.rows.W_E))

    @shared
    def dragged(self, scene: Scene) -> tuple[float, float] | None:
        """Return where the tip was dragged; None if it was not, or beyond the picture."""
        reach = 3 * np.linalg.norm(scene.plane.places, axis=1).max()
        return scene.tip if scene.tip and math.hypot(*scene.tip) <= reach else None

    @part(TwoArrows)
    def arrows(self, scene: Scene) -> dict:
        real, dragged = scene.plane.places, scene.dragged
        measured = [geometry(*real), *([geometry(real[0], np.array(dragged))] if dragged else [])]
        a, b = map(scene.rows.name, scene.tokens)
        return {
            "tip": dragged and [*dragged],
            "real": real,
            "names": scene.run.tokenizer.pieces(scene.tokens),
            "rows": [[name, *(column[name] for column in measured)] for name in measured[0]],
            "caption": f"The rows of {a} and {b} in the plane that holds both"
            + ". Drag the tip of b" * (where() != "page"),
        }
