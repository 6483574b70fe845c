"""Arithmetic on words, counted."""

from __future__ import annotations

import numpy as np

from llmviz import embeddings
from llmviz.views.embeddings.table import Table, TableExplorer, words
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import one_at_a_time

# Pairs of one token each in this model, 14 a family; each asks for the first word of each other pair.
FAMILIES = {
    "comparatives": "bigger big, smaller small, faster fast, older old, longer long, shorter short, stronger strong, "
    "weaker weak, higher high, lower low, warmer warm, cheaper cheap, darker dark, louder loud",
    "plurals": "cats cat, dogs dog, cars car, trees tree, books book, houses house, birds bird, friends friend, "
    "rivers river, doors door, hands hand, songs song, stones stone, walls wall",
    "capitals": "Paris France, Rome Italy, Berlin Germany, Madrid Spain, Tokyo Japan, Beijing China, "
    "Moscow Russia, London England, Athens Greece, Cairo Egypt, Vienna Austria, Warsaw Poland, Dublin Ireland, "
    "Lisbon Portugal",
    "past tenses": "walked walk, played play, looked look, worked work, started start, wanted want, called call, "
    "opened open, helped help, asked ask, turned turn, moved move, lived live, showed show",
    "female words": "woman man, queen king, girl boy, mother father, sister brother, daughter son, wife husband, "
    "aunt uncle, actress actor, she he, her his, female male, grandmother grandfather, lady gentleman",
    "with un-": "unhappy happy, unable able, unknown known, unlikely likely, unfair fair, uncertain certain, "
    "unclear clear, unusual usual, unlike like, unlimited limited, unexpected expected, unnecessary necessary, "
    "unsafe safe, unstable stable",
}


def pairs_of(listed: str, tokenizer) -> list[tuple[int, int]]:
    """Pairs such as "cats cat, dogs dog" as tokens; those that are not one token each are left out."""
    found = [[tokenizer.encode(f" {word}") for word in pair.split()] for pair in listed.split(",")]
    return [(a[0], b[0]) for a, b in found if len(a) == len(b) == 1]


class AnalogyCount(TableExplorer):
    """How often a − b + c comes out right in each of some families of words, beside a + c and c alone."""

    def __init__(self, table: Table):
        self.families = {name: pairs_of(listed, table.model.tokenizer) for name, listed in FAMILIES.items()}
        self.bars = LinePlot(
            bars=True, unit="share", y_axis="right", y_max=1.0, x_axis="", stage="embeddings"
        )
        super().__init__(table, [self.bars])
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        spelled = words(self.model)
        self.scores = {
            name: embeddings.score_analogies(pairs, self.table.W_E, spelled)
            for name, pairs in self.families.items()
        }
        scores = list(self.scores.values())
        firsts = ", ".join(" − ".join(listed.split(",")[0].split()) for listed in FAMILIES.values())
        right = np.array([[one.right, one.added, one.c_alone] for one in scores], float).T
        self.bars.change(
            labels=list(self.families),
            names=["a − b + c", "a + c", "c alone"],
            values=right / [max(1, one.asked) for one in scores],
            caption="How often the wanted word is the nearest one, the question's own words left out"
            f"{self.table.told}: {scores[0].asked} questions for each family ({firsts}).",
        )
