"""The reader's words on a map, and what the map gets wrong."""

from __future__ import annotations

import html
from collections.abc import Sequence

import ipywidgets
import numpy as np

from llmviz import embeddings
from llmviz.model import Model
from llmviz.views.embeddings.flat_map import FlatMap, table
from llmviz.views.embeddings.in_space import apart, camera, empty_figure, extent, figure_widget, xyz
from llmviz.views.embeddings.word_groups import MAX_WORDS, Groups, read_groups
from llmviz.views.kit import theme
from llmviz.views.kit.controls import choice, row, slider
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time, percent
from llmviz.views.kit.pieces import clean, isolated, visible, visible_label
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.provenance import Explanation, Operand

N_NEAREST = 3  # how many neighbours of each word are compared


def nearest_on_map(coordinates: np.ndarray, i: int, n: int) -> list[int]:
    """The n points nearest to point i, by the distance that the eye sees."""
    distance = np.linalg.norm(coordinates - coordinates[i], axis=1)
    distance[i] = np.inf
    return np.argsort(distance, kind="stable")[:n].tolist()


class WordMap(Explorer):
    """The reader's words on a flat map or in space (PCA), and what the map gets wrong.

    Each word's row is scaled to length 1 first, so that distance between words means cosine and nothing else. For
    the chosen word lines lead to its nearest words by all numbers (solid) and on the map (dotted).
    """

    LINES = ("nearest in all numbers", "nearest on the map")

    def __init__(self, model: Model, text: str):
        self.model = model
        self.groups = Groups([], [], [], [])
        self.pieces, self.coordinates, self.explained = [], np.zeros((0, 2)), np.zeros(2)
        self.box = ipywidgets.Textarea(
            clean(text),
            description="Words",
            style={"description_width": "initial"},
            layout={"width": "min(760px, 97%)", "height": "132px"},
            tooltip="one group a line: name: word, word",
        )
        self.dimensions = ipywidgets.ToggleButtons(
            options=[("flat (2-D)", 2), ("in space (3-D)", 3)], style={"button_width": "auto"}
        )
        self.turn = slider(35, "Turn", 360, stage="embeddings", step=5)
        self.word = choice([], None, "Look at")
        self.flat = FlatMap(line_names=self.LINES, provenance=self._explain)
        self.figure = None  # plotly, once somebody looks into space: it is 5 MB of JavaScript
        self.space = ipywidgets.VBox([], layout={"height": "0", "visibility": "hidden"})
        self.by_numbers = TokenStrip([], stage="embeddings")
        self.on_map = TokenStrip([], stage="embeddings")
        super().__init__(
            [
                self.box,
                row(self.dimensions, self.turn, self.word),
                self.flat,
                self.space,
                self.by_numbers,
                self.on_map,
            ]
        )
        self._read()
        self.box.observe(self._read, "value")
        self.dimensions.observe(self._lay_out, "value")
        self.word.observe(self._look_at, "value")
        self.turn.observe(self._turn_camera, "value")
        self.flat.observe(self._picked, "selected")

    @one_at_a_time
    def _read(self, _change=None) -> None:
        """The text changed: other words, or only others that are refused."""
        groups, known = read_groups(self.box.value, self.model.tokenizer), self.groups
        self.groups = groups
        if (groups.names, groups.tokens, groups.group_of) == (known.names, known.tokens, known.group_of):
            return self._look_at()
        rows = embeddings.embed(self.groups.tokens, self.model.weights.W_E)
        self.directions = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        self.pieces = self.model.tokenizer.pieces(self.groups.tokens)
        kept = self.word.value
        with self.quietly():
            self.word.options = [
                (visible(piece), token) for piece, token in zip(self.pieces, self.groups.tokens)
            ]
            if self.groups.tokens:
                self.word.value = kept if kept in self.groups.tokens else self.groups.tokens[0]
        self._lay_out()

    @one_at_a_time
    def _lay_out(self, _change=None) -> None:
        """Other words, or a map of another kind: project and draw."""
        n = self.dimensions.value
        if self.pieces:
            self.projection = embeddings.pca(self.directions, n_components=n)
            self.coordinates, self.explained = self.projection.coordinates, self.projection.explained
        else:
            self.coordinates, self.explained = np.zeros((0, n)), np.zeros(n)
        if n == 2:
            self._lay_flat()
        else:
            self._lay_in_space()
        several = len(self.pieces) > 1  # else there is no map, only a sentence that says so
        self.turn.layout.display = "" if n == 3 else "none"
        self.flat.layout.display = "" if n == 2 and several else "none"
        # not "display: none": plotly would forget how wide it is
        self.space.layout.height = "auto" if n == 3 and several else "0"
        self.space.layout.visibility = "visible" if n == 3 and several else "hidden"

    def _lay_flat(self) -> None:
        """All of the flat map; the lines as well, so that the page draws once."""
        with self.flat.hold_sync():
            self.flat.change(
                selected=None,
                pieces=self.pieces,
                places=self.coordinates,
                group_of=self._looks(),
                groups=self._group_names(),
                axes=self._axes() if self.pieces else [],
                caption=self._title(),
                asked=None,
            )
            self._look_at()

    def _lay_in_space(self) -> None:
        if self.figure is None:
            figure = empty_figure(self.LINES)
            self._fill(figure)
            self.figure = figure_widget(figure)
            for trace in self.figure.data[: len(theme.GROUPS)]:
                trace.on_click(self._clicked)
            self.space.children = [self.figure]
            self._look_at()
            return
        with self.figure.batch_update():
            self._fill(self.figure)
            self._look_at()

    def _fill(self, figure) -> None:
        """The words, their groups and the axes of the map in space."""
        look = np.array(self._looks(), dtype=int)
        self._labels = np.array([html.escape(visible(piece)) for piece in self.pieces], dtype=object)
        names = [html.escape(visible_label(name)) for name in self._group_names()]
        for group, trace in enumerate(figure.data[: len(theme.GROUPS)]):
            mine = np.flatnonzero(look == group)
            if not len(mine):
                trace.visible = False
                continue
            trace.update(
                visible=True, name=names[group], text=self._labels[mine], **xyz(self.coordinates[mine])
            )
        self._named = apart(self.coordinates)
        figure.layout.scene.update(extent(self.coordinates))
        for axis, name in zip("xyz", self._axes()):
            figure.layout.scene[f"{axis}axis"].title.text = name.removesuffix(" of the variance")
        figure.layout.title.text = self._title()

    def _looks(self) -> list[int]:
        """Which of the looks that groups can have each word has."""
        return [min(group, len(theme.GROUPS) - 1) for group in self.groups.group_of]

    def _axes(self) -> list[str]:
        return [
            f"direction {i}: {percent(share)} of the variance" for i, share in enumerate(self.explained, 1)
        ]

    def _group_names(self) -> list[str]:
        """One for each look that occurs."""
        names, most = [name[:40] for name in self.groups.names], len(theme.GROUPS)
        return names if len(names) <= most else [*names[: most - 1], "the other groups"]

    def _title(self) -> str:
        if len(self.pieces) < 2:
            return "A map needs at least two words"
        return (
            f"{len(self.pieces)} words. The map keeps {percent(self.explained.sum())} of the variance "
            f"and {percent(self.kept())} of the {N_NEAREST} nearest neighbours"
        )

    def neighbours(self, i: int) -> tuple[embeddings.Neighbours, list[int]]:
        """The words nearest to word i, as places in the list: by all numbers, and on the map."""
        n = min(N_NEAREST, len(self.pieces) - 1)
        true = embeddings.nearest(self.directions[i], self.directions, n=n, exclude=[i])
        return true, nearest_on_map(self.coordinates, i, n)

    def kept(self) -> float:
        """Share of the words' nearest neighbours that are still the nearest on the map."""
        if len(self.pieces) < 2:
            return 1.0
        pairs = [self.neighbours(i) for i in range(len(self.pieces))]
        return float(np.mean([len(set(true.tokens) & set(seen)) / len(seen) for true, seen in pairs]))

    @by_the_reader
    def _picked(self, change) -> None:
        """A point of the flat map was chosen."""
        if change["new"] is not None:
            self.word.value = self.groups.tokens[change["new"]]

    @by_the_reader
    def _look_at(self, _change=None) -> None:
        """Another word was chosen: lines and lists."""
        rest = self._refusals()
        if self.word.value is None or len(self.pieces) < 2:
            self._draw_lines(None, [], [])
            self.by_numbers.change(pieces=[], caption=f"Type at least two words. {rest}".strip())
            self.on_map.layout.display = "none"
            return
        i = self.groups.tokens.index(self.word.value)
        true, seen = self.neighbours(i)
        self._draw_lines(i, true.tokens, seen)
        name = isolated(self.pieces[i])
        self.on_map.layout.display = ""
        self.by_numbers.change(
            pieces=[self.pieces[j] for j in true.tokens],
            ids=[self.groups.tokens[j] for j in true.tokens],
            notes=[f"cosine {cosine:.2f}" for cosine in true.cosines],
            highlight=[],
            caption=f"Nearest to {name} in all {self.model.config.d_model} numbers. {rest}".strip(),
        )
        wrong = [k for k, j in enumerate(seen) if j not in true.tokens]
        verdict = (
            "all are true neighbours" if not wrong else f"{len(wrong)} of {len(seen)} (dashed) only look near"
        )
        cosines = embeddings.cosine_similarity(self.directions[seen], self.directions[[i] * len(seen)])
        self.on_map.change(
            pieces=[self.pieces[j] for j in seen],
            ids=[self.groups.tokens[j] for j in seen],
            notes=[f"cosine {cosine:.2f}" for cosine in cosines],
            highlight=wrong,
            caption=f"Nearest to {name} on the map: {verdict}.",
        )

    def _draw_lines(self, i: int | None, true: Sequence[int], seen: Sequence[int]) -> None:
        if self.dimensions.value == 2:
            with self.quietly():
                self.flat.change(selected=i, about=i, solid=list(true), dotted=list(seen))
            return
        with self.figure.batch_update():
            *strokes, small, large = self.figure.data[len(theme.GROUPS) :]
            for trace, targets in zip(strokes, (true, seen)):
                gap = np.full(3, np.nan)
                points = [p for j in targets for p in (self.coordinates[i], self.coordinates[j], gap)]
                trace.update(visible=i is not None, **xyz(np.array(points)))
            chosen = np.isin(np.arange(len(self.pieces)), [i, *true, *seen])
            for trace, named in ((small, self._named & ~chosen), (large, chosen)):
                trace.update(visible=True, text=self._labels[named], **xyz(self.coordinates[named]))

    def _explain(self, i: int) -> Explanation:
        """A word's place on the flat map."""
        source = f"model.weights.W_E[{self.groups.tokens[i]}]"
        return Explanation(
            f"The place of {isolated(self.pieces[i])} on the map",
            "place = (the row, scaled to length 1, − the average of all of them) · each of the two directions",
            [
                Operand("row", self.model.weights.W_E[self.groups.tokens[i]], source),
                Operand("mean", self.projection.mean),
                Operand("directions", self.projection.directions),
            ],
            "(row / np.linalg.norm(row) - mean) @ directions.T",
            self.coordinates[i],
        )

    def _refusals(self) -> str:
        said = []
        if self.groups.refused:
            names = ", ".join(isolated(word.typed[:30]) for word in self.groups.refused[:6])
            more = f" and {len(self.groups.refused) - 6} more" if len(self.groups.refused) > 6 else ""
            verb = "is" if len(self.groups.refused) == 1 else "are"
            said.append(f"Not on the map, because not one token, {verb} {names}{more}.")
        if self.groups.cut:
            said.append(f"The map takes {MAX_WORDS} words; {self.groups.cut} were left out.")
        return " ".join(said)

    @one_at_a_time
    def _clicked(self, trace, points, _state) -> None:
        """A point of the map in space was clicked."""
        if points.point_inds:
            mine = np.flatnonzero(np.array(self._looks()) == list(self.figure.data).index(trace))
            self.word.value = self.groups.tokens[mine[points.point_inds[0]]]

    @one_at_a_time
    def _turn_camera(self, change) -> None:
        if self.figure is not None:
            self.figure.layout.scene.camera = camera(change["new"])

    def __repr__(self) -> str:
        if self.dimensions.value == 2:
            return super().__repr__()
        rows = table(self.pieces, self._looks(), self._group_names(), self.coordinates)
        return "\n\n".join([f"{self._title()}\n{rows}", super().__repr__()])
