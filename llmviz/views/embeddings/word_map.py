"""The reader's words on a map, and what the map gets wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
from llmviz.views.kit.state_fields import MAX_TYPED, picked, replace
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, explains, on, part, shared
from llmviz.views.provenance import Explanation

FEWEST = 5  # words of which shares are shown: of three a flat map keeps all, whatever they are
OTHERS = len(theme.GROUPS) - 1  # the look that all groups beyond the others share


class WordMap(View):
    """The reader's words on a flat map (PCA), and what the map gets wrong.

    Each word's row is scaled to length 1 first, so that distance between words means cosine and nothing else. For
    the chosen word lines lead to its nearest words by all numbers (solid) and on the map (dotted). When words come and
    go, each group keeps the look that it has among the first `words`, and the map lies as theirs does.
    """

    stage = "embeddings"
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
            lambda token, view: token is None or token in range(view.run.model.config.n_vocab),
            "the id of a token, or None",
            outlives_text=True,
            on_page=lambda view: view.scene(view.state).groups.tokens,
        )

    def __init__(self, table: Table, words: str, **state):
        self.words, model = words, table.trace.model
        first = read_groups(words, model.tokenizer)
        self.looks, rows = looks_of(first.names, {}), directions_of(first.tokens, model.weights.W_E)
        self.lie = embeddings.pca(rows).directions if first.tokens else None
        super().__init__(table, **state)

    @on("word", "value")
    def choose(self, state: State, token: int | None) -> State:
        return replace(state, token=token)

    @on("flat", "selected")
    def click(self, state: State, point: int | None) -> State:
        tokens = self.scene(state).groups.tokens
        return replace(state, token=tokens[point]) if point in range(len(tokens)) else state

    @shared
    def groups(self, scene: Scene) -> Groups:
        return read_groups(self.words if scene.text is None else scene.text, scene.run.model.tokenizer)

    @shared
    def chosen(self, scene: Scene) -> int:
        """Return the place of the chosen word in the list."""
        tokens = scene.groups.tokens
        return tokens.index(scene.token) if scene.token in tokens else 0

    @shared
    def drawn(self, scene: Scene) -> tuple[np.ndarray, embeddings.Projection]:
        """Return the words' rows, each of length 1, and their map."""
        if len(scene.groups.tokens) < 2:
            raise NothingToShow("Type at least two words.")
        directions = directions_of(scene.groups.tokens, scene.run.W_E)
        projection = embeddings.pca(directions)
        return directions, projection if self.lie is None else embeddings.aligned(projection, self.lie)

    @shared
    def near(self, scene: Scene) -> tuple[list[int], list[int]]:
        """Return the words nearest to the chosen one by all numbers and on the map, as places in the list."""
        directions, projection = scene.drawn
        return neighbours(directions, projection.coordinates, scene.chosen)

    @part(lambda _: controls.choice([], None, "Look at"))
    def word(self, scene: Scene) -> dict:
        groups = scene.groups
        chosen = groups.tokens[scene.chosen] if groups.tokens else None
        return {"options": tuple(zip(map(visible, groups.pieces), groups.tokens)), "value": chosen}

    @part(FlatMap, line_names=("nearest in all numbers", "nearest on the map"))
    def flat(self, scene: Scene) -> dict:
        (directions, projection), groups, (nearest, seen) = scene.drawn, scene.groups, scene.near
        n, explained = len(groups.tokens), projection.explained
        looks = looks_of(groups.names, self.looks)
        with_look = [[name for name in looks if looks[name] == look] for look in range(OTHERS + 1)]
        axes = [f"direction {i + 1}" for i in np.argsort(np.argsort(-explained, kind="stable"))]
        quality = f"; what the map keeps is told from {FEWEST} words on"
        if n >= FEWEST:
            axes = [f"{name}: {percent(share)} of the variance" for name, share in zip(axes, explained)]
            variance, share = random_map_quality(scene.run.model, n, scene.run.centred)
            quality = (
                f". The map keeps {percent(explained.sum())} of the variance and "
                f"{percent(share_kept(directions, projection.coordinates))} of the {min(N_NEAREST, n - 1)} nearest "
                f"neighbours; of as many random words {percent(variance)} and {percent(share)}"
            )
        return {
            "selected": scene.chosen,
            "about": scene.chosen,
            "solid": nearest,
            "dotted": seen,
            "pieces": groups.pieces,
            "places": projection.coordinates,
            "group_of": [looks[groups.names[group]] for group in groups.group_of],
            "groups": ["the other groups" if len(names) > 1 else "".join(names)[:40] for names in with_look],
            "axes": axes,
            "caption": f"{n} words{scene.run.note}{quality}",
        }

    @part(TokenStrip, [])
    def by_numbers(self, scene: Scene) -> dict:
        try:
            drawn = self.beside(scene, scene.near[0])
            name, n = isolated(scene.groups.pieces[scene.chosen]), scene.run.W_E.shape[1]
            caption = f"Nearest to {name} in all {n} numbers."
        except NothingToShow as reason:
            drawn, caption = {"pieces": [], "ids": None, "notes": None}, str(reason)
        return drawn | {"caption": f"{caption} {refusals(scene.groups)}".strip()}

    @part(TokenStrip, [], highlight_name="only looks near")
    def on_map(self, scene: Scene) -> dict:
        nearest, seen = scene.near
        wrong = [k for k, j in enumerate(seen) if j not in nearest]
        verdict = (
            f"{len(wrong)} of {len(seen)} (dashed) only look near" if wrong else "all are true neighbours"
        )
        caption = f"Nearest to {isolated(scene.groups.pieces[scene.chosen])} on the map: {verdict}."
        return self.beside(scene, seen) | {"highlight": wrong, "caption": caption}

    def beside(self, scene: Scene, words: list[int]) -> dict[str, Any]:
        """Return the traits of a strip of words, each with its cosine with the chosen one."""
        directions, groups = scene.drawn[0], scene.groups
        return {
            "pieces": [groups.pieces[j] for j in words],
            "ids": [groups.tokens[j] for j in words],
            "notes": [f"cosine {cosine:.2f}" for cosine in directions[words] @ directions[scene.chosen]],
        }

    @explains("flat")
    def explain(self, scene: Scene, i: int) -> Explanation:
        (_, projection), tokens, W_E = scene.drawn, scene.groups.tokens, scene.run.W_E
        mean = f"np.mean([x / np.linalg.norm(x) for x in W_E[{tokens}]], 0)"
        return Explanation(
            f"The place of {isolated(scene.groups.pieces[i])} on the map{scene.run.note}",
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
