"""A model's answers to sums, in a grid."""

import numpy as np

from llmviz import ops
from llmviz.experiments.answers import SUMS, logits_after_sums
from llmviz.model import Model
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.pieces import visible

ONE_DIGIT = range(1, 9)
RIGHT = 9  # the first column of the right half, after an empty column


def sums(model: Model) -> HeatMap:
    """Draw the likeliest token after each of `SUMS`; on the right, after each sum with a space in front.

    A cell's colour is the probability of the right token.
    """
    values, written = np.full((8, 17), np.nan), [[""] * 17 for _ in ONE_DIGIT]
    for left, before in ((0, ""), (RIGHT, " ")):
        for (text, right), logits in zip(SUMS.items(), logits_after_sums(model, before)):
            row, col = int(text[0]) - 1, left + int(text[4]) - 1
            likeliest, (token,) = int(logits.argmax()), model.tokenizer.encode(right)
            values[row, col] = ops.softmax(logits)[token]
            piece = visible(model.tokenizer.pieces([likeliest])[0])
            written[row][col] = f"{piece} ✓" if likeliest == token else piece
    return HeatMap(
        values,
        ONE_DIGIT,
        [*ONE_DIGIT, "│", *ONE_DIGIT],
        cell_text=written,
        numbers="always",
        kind="prob",
        blank="no sum here",
        row_axis="first number",
        col_axis="second number (left: the sums; right: with a space in front)",
        quantity="probability of the right digit",
        stage="sampling",
        caption="Digit: the likeliest token (✓: correct). Shade: the probability of the right digit. "
        "Right: with a space in front",
    )


def n_right(grid: HeatMap) -> tuple[int, int]:
    """Count the sums whose likeliest token is right, without and with a space in front."""
    plain, spaced = (
        sum(text.endswith("✓") for row in grid.cell_text for text in row[left : left + 8])
        for left in (0, RIGHT)
    )
    return plain, spaced


def columns_alike(grid: HeatMap) -> tuple[int, int]:
    """Count the columns of two sums or more on the left, and those among them with the same token in each."""
    columns = [
        [row[col].removesuffix(" ✓") for row in grid.cell_text if row[col]] for col in range(RIGHT - 2)
    ]
    return sum(len(set(column)) == 1 for column in columns), len(columns)
