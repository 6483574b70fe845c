"""The reader's words on a map, and what the map gets wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import embeddings
from llmviz.experiments.table import N_NEAREST, directions_of, neighbours, random_map_quality, share_kept
from llmviz.model import Model
from llmviz.views.embeddings.flat_map import FlatMap
from llmviz.views.embeddings.words import MAX_WORDS, Groups, read_groups
from llmviz.views.kit import theme
from llmviz.views.kit.pieces import clean, isolated
from llmviz.views.kit.state_fields import MAX_TYPED, picked, replace
from llmviz.views.kit.view import NothingToShow, Scene, View, explains, on, part, sentences, shared
from llmviz.views.provenance import Explanation

FEWEST = 5  # words for which shares are shown, since a flat map keeps everything of any three words
OTHERS = len(theme.GROUPS) - 1  # the look that all further groups share


class WordMap(View):
    """The reader's words on a flat map (PCA), and what the map gets wrong.

    Each word's row is scaled to length 1 first, so that the distance of two words depends only on their cosine. Lines
    lead from the chosen word to its nearest words by all numbers (solid) and on the map (dotted). When the words
    change, groups keep their looks by their names, and the map keeps its orientation as well as it can.
    """

    stage = "embeddings"
    arrangement = ("text", "flat", "nearest")

    @dataclass(frozen=True)
    class State:
        """The text in the box (None: the first one), and the token of the chosen word (None: the first word)."""

        text: str | None = picked(
            None,
            lambda text, _: text is None or (isinstance(text, str) and len(text) <= MAX_TYPED),
            f"a text of at most {MAX_TYPED:,} characters, or None",
            shows=lambda text, view: {"value": clean(view.words) if text is None else text},
            control=lambda text, view: ipywidgets.Textarea(
                description="Words",
                style={"description_width": "initial"},
                layout={"width": "min(760px, 97%)", "height": "190px"},
                tooltip="One group per line, such as fruit: apple, pear",
            ),
        )
        token: int | None = picked(
            None,
            lambda token, view: token is None or token in range(view.run.config.n_vocab),
            "the id of a token, or None",
        )

    def __init__(self, model: Model, words: str, **state):
        self.words, first = words, read_groups(words, model.tokenizer)
        self.past, rows = looks_of(first.names, {}), directions_of(first.tokens, model.weights.W_E)
        self.first_directions = embeddings.pca(rows).directions if first.tokens else None
        super().__init__(model, **state)

    @on("flat", "selected")
    def click(self, state: State, point: int | None) -> State:
        tokens = self.scene(state).groups.tokens
        return replace(state, token=tokens[point]) if point in range(len(tokens)) else state

    @shared
    def groups(self, scene: Scene) -> Groups:
        return read_groups(self.words if scene.text is None else scene.text, scene.run.tokenizer)

    @shared
    def looks(self, scene: Scene) -> dict[str, int]:
        """Return the look of each group, and keep it for when its name comes back."""
        looks = looks_of(scene.groups.names, self.past)
        self.past = {name: look for name, look in self.past.items() if look not in looks.values()} | looks
        return looks

    @shared
    def chosen(self, scene: Scene) -> int:
        """Return the index of the chosen word in the list."""
        tokens = scene.groups.tokens
        return tokens.index(scene.token) if scene.token in tokens else 0

    @shared
    def drawn(self, scene: Scene) -> tuple[np.ndarray, embeddings.Projection]:
        """Return the words' rows, each of length 1, and their map."""
        if len(scene.groups.tokens) < 2:
            raise NothingToShow(" ".join(["Type at least two words.", *refusals(scene.groups)]))
        directions = directions_of(scene.groups.tokens, scene.run.weights.W_E)
        projection = embeddings.pca(directions)
        if self.first_directions is not None:
            projection = embeddings.aligned(projection, self.first_directions)
        return directions, projection

    @shared
    def near(self, scene: Scene) -> tuple[list[int], list[int]]:
        """Return the indices of the words nearest to the chosen one, by all numbers and on the map."""
        directions, projection = scene.drawn
        return neighbours(directions, projection.coordinates, scene.chosen)

    @part(FlatMap, line_names=("nearest", "nearest on the map"))
    def flat(self, scene: Scene) -> dict:
        (directions, projection), groups, (nearest, seen) = scene.drawn, scene.groups, scene.near
        n, explained = len(groups.tokens), projection.explained
        with_look = [[name for name, of in scene.looks.items() if of == look] for look in range(OTHERS + 1)]
        axes = [f"axis {i + 1}" for i in np.argsort(np.argsort(-explained, kind="stable"))]
        caption = f"{n} words on a flat map"
        if n >= FEWEST:
            axes = [f"{name} ({share:.0%} of the spread)" for name, share in zip(axes, explained)]
            variance, share = random_map_quality(scene.run, n)
            caption = (
                f"Kept: {explained.sum():.0%} of the spread (random words: {variance:.0%}), and "
                f"{share_kept(directions, projection.coordinates):.0%} of each word's {N_NEAREST} nearest "
                f"(random words: {share:.0%})"
            )
        return {
            "selected": scene.chosen,
            "about": scene.chosen,
            "solid": nearest,
            "dotted": seen,
            "pieces": groups.pieces,
            "places": projection.coordinates,
            "group_of": [scene.looks[groups.names[group]] for group in groups.group_of],
            "groups": ["other groups" if len(names) > 1 else "".join(names)[:40] for names in with_look],
            "axes": axes,
            "caption": caption,
        }

    @sentences
    def nearest(self, scene: Scene) -> list[str]:
        """Say which words are nearest to the chosen one, which look so, and which are not on the map."""
        (nearest, seen), groups = scene.near, scene.groups
        words, name = len(groups.tokens), isolated(groups.pieces[scene.chosen])
        same = {*nearest} == {*seen}
        on_map = "on the map, too" if same else f"on the map, {self.listed(scene, seen)}"
        by_numbers = f"Nearest to {name} of these {words} words: {self.listed(scene, nearest)}"
        return [f"{by_numbers}; {on_map}.", *refusals(groups, [*scene.looks.values()])]

    def listed(self, scene: Scene, words: Sequence[int]) -> str:
        """Return some words of the list as a sentence lists them."""
        *most, last = (isolated(scene.groups.pieces[j]) for j in words)
        return f"{', '.join(most)} and {last}" if most else last

    @explains("flat")
    def explain(self, scene: Scene, i: int) -> Explanation:
        (_, projection), tokens, W_E = scene.drawn, scene.groups.tokens, scene.run.weights.W_E
        mean = f"np.mean([x / np.linalg.norm(x) for x in W_E[{tokens}]], 0)"
        return Explanation(
            f"The place of {isolated(scene.groups.pieces[i])} on the map",
            "place = (the row, scaled to length 1, − the average of all of them) · each of the two axes",
            [
                ("W_E", W_E, "model.weights.W_E"),
                ("row", W_E[tokens[i]], f"W_E[{tokens[i]}]"),
                ("mean", projection.mean, mean),
                ("directions", projection.directions),
            ],
            "(row / np.linalg.norm(row) - mean) @ directions.T",
            projection.coordinates[i],
        )


def refusals(groups: Groups, looks: Sequence[int] = ()) -> list[str]:
    """Say which words are not on the map, and which groups have the same look, and why."""
    sentences, refused = [], groups.refused
    if refused:
        names = ", ".join(isolated(word.typed[:30]) for word in refused[:6])
        more = f" and {len(refused) - 6} more" if len(refused) > 6 else ""
        sentences.append(f"Not on the map, because only a single token has a row: {names}{more}.")
    if groups.cut:
        sentences.append(f"The map has room for {MAX_WORDS} words, so the last {groups.cut} aren't on it.")
    if looks.count(OTHERS) > 1:
        sentences.append(f"The map has {OTHERS} marks for groups, so the others share one.")
    return sentences


def looks_of(names: Iterable[str], past: dict[str, int]) -> dict[str, int]:
    """Return the look of each group: its own in `past`, else a free one, even of a group that is gone, or `OTHERS`."""
    looks = {name: past[name] for name in names if past.get(name, OTHERS) != OTHERS}
    unused = [look for look in range(OTHERS) if look not in past.values()]
    free = [look for look in (*unused, *past.values()) if look not in (*looks.values(), OTHERS)]
    new = [name for name in dict.fromkeys(names) if name not in looks]
    return looks | dict(zip(new, [*free, *[OTHERS] * len(new)]))
