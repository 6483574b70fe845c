"""The reader's words on a map, and what the map gets wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets
import numpy as np

from llmviz import embeddings
from llmviz.experiments.table import N_NEAREST, directions_of, neighbours, random_map_quality, share_kept
from llmviz.views.embeddings.flat_map import FlatMap
from llmviz.views.embeddings.table import Table
from llmviz.views.embeddings.words import MAX_WORDS, Groups, read_groups
from llmviz.views.kit import controls, theme
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import clean, isolated, visible
from llmviz.views.kit.state_fields import MAX_TYPED, picked
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, explains, on, part, shared
from llmviz.views.provenance import Explanation

FEWEST = 5  # words of which shares are shown: of three a flat map keeps all, whatever they are
OTHERS = len(theme.GROUPS) - 1  # the look that all groups beyond the others share


class WordMap(View):
    """The reader's words on a flat map (PCA), and what the map gets wrong.

    Each word's row is scaled to length 1 first, so that distance between words means cosine and nothing else. For
    the chosen word lines lead to its nearest words by all numbers (solid) and on the map (dotted). When words come and
    go, each group keeps the look that it has among the first `words`, and the map lies as theirs does.
    """

    arrangement = ("text", "word", "flat", "by_numbers", "on_map")

    @dataclass(frozen=True)
    class State:
        """The text in the box, and the token of the chosen word; None: as at first, and the first word."""

        text: str | None = picked(
            None,
            lambda text, _: text is None or (isinstance(text, str) and len(text) <= MAX_TYPED),
            f"a text of at most {MAX_TYPED:,} characters, or None",
            outlives_text=True,
            shows=lambda text, view: {"value": clean(view.words) if text is None else text},
            control=lambda text, view: ipywidgets.Textarea(
                description="Words",
                style={"description_width": "initial"},
                layout={"width": "min(760px, 97%)", "height": "150px"},
                tooltip="one group a line: name: word, word",
            ),
        )
        token: int | None = picked(
            None,
            lambda token, view: token is None or token in range(view.table.model.config.n_vocab),
            "the id of a token, or None",
            outlives_text=True,
            on_page=lambda view: view.scene(view.state).groups.tokens,
        )

    def __init__(self, table: Table, words: str, **state):
        self.table, self.words = table, words
        first = read_groups(words, table.model.tokenizer)
        self.looks = looks_of(first.names, {})
        rows = directions_of(first.tokens, table.model.weights.W_E)
        self.lie = embeddings.pca(rows).directions if first.tokens else None
        super().__init__(table, **state)

    @on("word", "value")
    def choose(self, state: State, token: int | None) -> State:
        return replace(state, token=token)

    @on("flat", "selected")
    def click(self, state: State, point: int | None) -> State:
        tokens = self.scene(state).groups.tokens
        return replace(state, token=tokens[point]) if point in range(len(tokens)) else state

    # --- what the parts read ---

    @shared
    def groups(self, scene: Scene) -> Groups:
        return read_groups(self.words if scene.text is None else scene.text, scene.run.model.tokenizer)

    @shared
    def pieces(self, scene: Scene) -> list[str]:
        return scene.run.model.tokenizer.pieces(scene.groups.tokens)

    @shared
    def directions(self, scene: Scene) -> np.ndarray:
        """Return the words' rows, each of length 1."""
        return directions_of(scene.groups.tokens, scene.run.W_E)

    @shared
    def projection(self, scene: Scene) -> embeddings.Projection:
        projection = embeddings.pca(scene.directions)
        return projection if self.lie is None else embeddings.aligned(projection, self.lie)

    @shared
    def near(self, scene: Scene) -> tuple[int, list[int], list[int]]:
        """Return the chosen word, and the nearest ones by all numbers and on the map, as places in the list."""
        tokens = scene.groups.tokens
        i = tokens.index(scene.token) if scene.token in tokens else 0
        return i, *neighbours(scene.directions, scene.projection.coordinates, i)

    # --- parts ---

    @part(lambda _: controls.choice([], None, "Look at"))
    def word(self, scene: Scene) -> dict:
        tokens = scene.groups.tokens
        chosen = scene.token if scene.token in tokens else next(iter(tokens), None)
        return {"options": tuple(zip(map(visible, scene.pieces), tokens)), "value": chosen}

    @part(lambda _: FlatMap(line_names=("nearest in all numbers", "nearest on the map")))
    def flat(self, scene: Scene) -> dict | None:
        if len(scene.pieces) < 2:
            return None
        (i, nearest, seen), groups = scene.near, scene.groups
        looks = looks_of(groups.names, self.looks)
        names = [[name for name in looks if looks[name] == look] for look in range(OTHERS + 1)]
        return {
            "selected": i,
            "about": i,
            "solid": nearest,
            "dotted": seen,
            "pieces": scene.pieces,
            "places": scene.projection.coordinates,
            "group_of": [looks[groups.names[group]] for group in groups.group_of],
            "groups": ["the other groups" if len(n) > 1 else "".join(n)[:40] for n in names],
            "axes": self.axes(scene),
            "caption": f"{len(scene.pieces)} words{scene.run.note}{self.quality(scene)}",
        }

    def axes(self, scene: Scene) -> list[str]:
        """Return the names of the two axes, with the variance that each keeps."""
        explained = scene.projection.explained
        variance = [
            f": {percent(share)} of the variance" * (len(scene.pieces) >= FEWEST) for share in explained
        ]
        order = np.argsort(np.argsort(-explained, kind="stable"))
        return [f"direction {i + 1}{share}" for i, share in zip(order, variance)]

    def quality(self, scene: Scene) -> str:
        """Say what the map keeps, beside what a map of random words keeps."""
        n, projection = len(scene.pieces), scene.projection
        if n < FEWEST:
            return f"; what the map keeps is told from {FEWEST} words on"
        variance, share = random_map_quality(scene.run.model, n, scene.run.centred)
        return (
            f". The map keeps {percent(projection.explained.sum())} of the variance "
            f"and {percent(share_kept(scene.directions, projection.coordinates))} of the {min(N_NEAREST, n - 1)} "
            f"nearest neighbours; of as many random words {percent(variance)} and {percent(share)}"
        )

    @part(lambda _: TokenStrip([], stage="embeddings"))
    def by_numbers(self, scene: Scene) -> dict:
        rest = refusals(scene.groups)
        if len(scene.pieces) < 2:
            nothing = {"pieces": [], "ids": None, "notes": None}
            return nothing | {"caption": f"Type at least two words. {rest}".strip()}
        i, nearest, _ = scene.near
        name, n = isolated(scene.pieces[i]), scene.run.W_E.shape[1]
        caption = f"Nearest to {name} in all {n} numbers. {rest}".strip()
        return beside(scene, i, nearest) | {"caption": caption}

    @part(lambda _: TokenStrip([], highlight_name="only looks near", stage="embeddings"))
    def on_map(self, scene: Scene) -> dict | None:
        if len(scene.pieces) < 2:
            return None
        i, nearest, seen = scene.near
        wrong = [k for k, j in enumerate(seen) if j not in nearest]
        verdict = (
            f"{len(wrong)} of {len(seen)} (dashed) only look near" if wrong else "all are true neighbours"
        )
        caption = f"Nearest to {isolated(scene.pieces[i])} on the map: {verdict}."
        return beside(scene, i, seen) | {"highlight": wrong, "caption": caption}

    @explains("flat")
    def explain(self, scene: Scene, i: int) -> Explanation:
        """Say where a word's place on the map is from."""
        tokens, projection, W_E = scene.groups.tokens, scene.projection, scene.run.W_E
        mean = f"np.mean([x / np.linalg.norm(x) for x in W_E[{tokens}]], 0)"
        return Explanation(
            f"The place of {isolated(scene.pieces[i])} on the map{scene.run.note}",
            "place = (the row, scaled to length 1, − the average of all of them) · each of the two directions",
            [
                ("W_E", W_E, scene.run.source),
                ("row", W_E[tokens[i]], f"W_E[{tokens[i]}]"),
                ("mean", projection.mean, mean),
                ("directions", projection.directions),
            ],
            "(row / np.linalg.norm(row) - mean) @ directions.T",
            projection.coordinates[i],
        )


def beside(scene: Scene, i: int, words: Sequence[int]) -> dict[str, Any]:
    """Return the traits of a strip of words, each with its cosine with word i."""
    cosines = scene.directions[words] @ scene.directions[i]
    return {
        "pieces": [scene.pieces[j] for j in words],
        "ids": [scene.groups.tokens[j] for j in words],
        "notes": [f"cosine {cosine:.2f}" for cosine in cosines],
    }


def refusals(groups: Groups) -> str:
    """Say which words are not on the map, and why."""
    sentences, refused = [], groups.refused
    if refused:
        names = ", ".join(isolated(word.typed[:30]) for word in refused[:6])
        more = f" and {len(refused) - 6} more" if len(refused) > 6 else ""
        verb = "is" if len(refused) == 1 else "are"
        sentences.append(f"Not on the map, because not one token, {verb} {names}{more}.")
    if groups.cut:
        sentences.append(f"The map takes {MAX_WORDS} words; {groups.cut} were left out.")
    return " ".join(sentences)


def looks_of(names: Iterable[str], first: dict[str, int]) -> dict[str, int]:
    """Return a look for each group: that in `first`, else the first that is free; for all further ones the last."""
    looks = {name: first[name] for name in names if first.get(name, OTHERS) != OTHERS}
    for name in names:
        looks.setdefault(name, min(set(range(OTHERS)) - set(looks.values()), default=OTHERS))
    return looks
