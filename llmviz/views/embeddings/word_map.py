"""The reader's words on a map, and what the map gets wrong."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np

from llmviz import embeddings
from llmviz.experiments.table import N_NEAREST, directions_of, neighbours, random_map_quality, share_kept
from llmviz.views.embeddings.flat_map import FlatMap
from llmviz.views.embeddings.table import Table, TableExplorer
from llmviz.views.embeddings.word_groups import MAX_WORDS, Groups, read_groups
from llmviz.views.kit import theme
from llmviz.views.kit.controls import choice
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import clean, isolated, visible
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.provenance import Explanation, Operand

FEWEST = 5  # words of which shares are told: of three a flat map keeps all, whatever they are
OTHERS = len(theme.GROUPS) - 1  # the look that all groups beyond the others share


class WordMap(TableExplorer):
    """The reader's words on a flat map (PCA), and what the map gets wrong.

    Each word's row is scaled to length 1 first, so that distance between words means cosine and nothing else. For
    the chosen word lines lead to its nearest words by all numbers (solid) and on the map (dotted). When words come and
    go, each group keeps its look, and the map stays the way it lay.
    """

    LINES = ("nearest in all numbers", "nearest on the map")

    def __init__(self, table: Table, text: str):
        self.groups = Groups([], [], [], [])
        self.pieces, self.coordinates, self.projection = [], np.zeros((0, 2)), None
        self.looks: dict[str, int] = {}  # of each group, by its name
        self.box = ipywidgets.Textarea(
            clean(text),
            description="Words",
            style={"description_width": "initial"},
            layout={"width": "min(760px, 97%)", "height": "150px"},
            tooltip="one group a line: name: word, word",
        )
        self.word = choice([], None, "Look at")
        self.flat = FlatMap(line_names=self.LINES, provenance=self._explain)
        self.by_numbers = TokenStrip([], stage="embeddings")
        self.on_map = TokenStrip([], highlight_name="only looks near", stage="embeddings")
        super().__init__(table, [self.box, self.word, self.flat, self.by_numbers, self.on_map])
        self._read()
        self.box.observe(self._read, "value")
        self.word.observe(self._look_at, "value")
        self.flat.observe(self._picked, "selected")

    @one_at_a_time
    def _read(self, _change=None) -> None:
        """The text changed: other words, or only others that are refused."""
        groups, known = read_groups(self.box.value, self.model.tokenizer), self.groups
        self.groups = groups
        if (groups.names, groups.tokens, groups.group_of) == (known.names, known.tokens, known.group_of):
            return self._look_at()
        self.looks = kept_looks(groups.names, self.looks)
        self.pieces = self.model.tokenizer.pieces(self.groups.tokens)
        kept = self.word.value
        with self.quietly():
            self.word.options = [
                (visible(piece), token) for piece, token in zip(self.pieces, self.groups.tokens)
            ]
            if self.groups.tokens:
                self.word.value = kept if kept in self.groups.tokens else self.groups.tokens[0]
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        """Other words, or rows: project and draw; the lines as well, so that the page draws once."""
        self.directions = directions_of(self.groups.tokens, self.table.W_E)
        self.coordinates = np.zeros((0, 2))
        if self.pieces:
            before, self.projection = self.projection, embeddings.pca(self.directions)
            if before is not None:
                self.projection = embeddings.aligned(self.projection, before.directions)
            self.coordinates = self.projection.coordinates
        with self.flat.hold_sync():
            self.flat.change(
                selected=None,
                pieces=self.pieces,
                places=self.coordinates,
                group_of=[self.looks[self.groups.names[group]] for group in self.groups.group_of],
                groups=self._group_names(),
                axes=self._axes(),
                caption=self._title(),
                asked=None,
            )
            self._look_at()
        self.flat.layout.display = "" if len(self.pieces) > 1 else "none"  # else only a sentence that says so

    def _axes(self) -> list[str]:
        if not self.pieces:
            return []
        order = np.argsort(np.argsort(-self.projection.explained, kind="stable"))
        told = [f": {percent(share)} of the variance" for share in self.projection.explained]
        return [f"direction {i + 1}" + one * (len(self.pieces) >= FEWEST) for i, one in zip(order, told)]

    def _group_names(self) -> list[str]:
        """One for each look that there is; "" for those that no group has."""
        by_look = [[name for name, look in self.looks.items() if look == i] for i in range(len(theme.GROUPS))]
        return ["the other groups" if len(names) > 1 else names[0][:40] if names else "" for names in by_look]

    def _title(self) -> str:
        n = len(self.pieces)
        if n < 2:
            return "A map needs at least two words"
        if n < FEWEST:
            return f"{n} words{self.table.told}; what the map keeps is told from {FEWEST} words on"
        variance, share = random_map_quality(self.model, n, self.table.switch.value)
        return (
            f"{n} words{self.table.told}. The map keeps {percent(self.projection.explained.sum())} of the variance "
            f"and {percent(share_kept(self.directions, self.coordinates))} of the {min(N_NEAREST, n - 1)} nearest "
            f"neighbours; of as many random words {percent(variance)} and {percent(share)}"
        )

    @by_the_reader
    def _picked(self, change) -> None:
        """A point of the map was chosen."""
        if change["new"] is not None:
            self.word.value = self.groups.tokens[change["new"]]

    @by_the_reader
    def _look_at(self, _change=None) -> None:
        """Another word was chosen: lines and lists."""
        rest = self._refusals()
        if self.word.value is None or len(self.pieces) < 2:
            self.by_numbers.change(pieces=[], caption=f"Type at least two words. {rest}".strip())
            self.on_map.layout.display = "none"
            return
        i = self.groups.tokens.index(self.word.value)
        true, seen = neighbours(self.directions, self.coordinates, i)
        with self.quietly():
            self.flat.change(selected=i, about=i, solid=true, dotted=seen)
        name = isolated(self.pieces[i])
        self.on_map.layout.display = ""
        self._list(self.by_numbers, true, i)
        self.by_numbers.caption = (
            f"Nearest to {name} in all {self.model.config.d_model} numbers. {rest}".strip()
        )
        wrong = [k for k, j in enumerate(seen) if j not in true]
        verdict = (
            "all are true neighbours" if not wrong else f"{len(wrong)} of {len(seen)} (dashed) only look near"
        )
        self._list(self.on_map, seen, i, highlight=wrong, caption=f"Nearest to {name} on the map: {verdict}.")

    def _list(self, strip: TokenStrip, words: list[int], i: int, **more) -> None:
        """Some words, each with its cosine with word i."""
        cosines = self.directions[words] @ self.directions[i]
        strip.change(
            pieces=[self.pieces[j] for j in words],
            ids=[self.groups.tokens[j] for j in words],
            notes=[f"cosine {cosine:.2f}" for cosine in cosines],
            **more,
        )

    def _explain(self, i: int) -> Explanation:
        """A word's place on the map."""
        token, tokens = self.groups.tokens[i], self.groups.tokens
        return Explanation(
            f"The place of {isolated(self.pieces[i])} on the map{self.table.told}",
            "place = (the row, scaled to length 1, − the average of all of them) · each of the two directions",
            [
                Operand("W_E", self.table.W_E, self.table.source),
                Operand("row", self.table.W_E[token], f"W_E[{token}]"),
                Operand(
                    "mean",
                    self.projection.mean,
                    f"np.mean([x / np.linalg.norm(x) for x in W_E[{tokens}]], 0)",
                ),
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


def kept_looks(names: Sequence[str], before: dict[str, int]) -> dict[str, int]:
    """A look for each group: the one it had, else the first that nobody has; the last one for all further groups."""
    looks = {name: before[name] for name in names if before.get(name, OTHERS) != OTHERS}
    for name in names:
        looks.setdefault(name, min(set(range(OTHERS)) - set(looks.values()), default=OTHERS))
    return looks
