"""A model's answers to sums, in a grid."""

import numpy as np

from llmviz import ops
from llmviz.experiments.answers import SUMS
from llmviz.model import Model
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.pieces import visible

IN_FRONT = ("", " ")
FIRST = [f"{before}{a}" for before in IN_FRONT for a in range(1, 9)]


def sums(model: Model) -> HeatMap:
    """Draw the likeliest token after each of `SUMS`, and after each with a space in front.

    Its colour is the probability of the right token.
    """
    values, written = np.full((len(FIRST), 8), np.nan), [[""] * 8 for _ in FIRST]
    for before in IN_FRONT:
        for text, right in SUMS.items():
            row, col = FIRST.index(before + text[0]), int(text[4]) - 1
            logits, (token,) = model.trace(before + text).logits, model.tokenizer.encode(right)
            likeliest = int(logits.argmax())
            values[row, col] = ops.softmax(logits)[token]
            piece = visible(model.tokenizer.pieces([likeliest])[0])
            written[row][col] = f"{piece} ✓" if likeliest == token else piece
    return HeatMap(
        values,
        FIRST,
        [f"+ {b} =" for b in range(1, 9)],
        cell_text=written,
        numbers="always",
        kind="prob",
        blank="the result has two digits",
        row_axis="first number, then with a space in front",
        col_axis="second number",
        quantity="probability of the right digit",
        stage="sampling",
        caption="The likeliest token after each sum; ✓ is right",
    )


def n_right(grid: HeatMap) -> tuple[int, int]:
    """Count the sums whose likeliest token is right, without and with a space in front."""
    right = [sum(text.endswith("✓") for text in row) for row in grid.cell_text]
    return sum(right[:8]), sum(right[8:])
