"""A model's answers to sums, in a grid."""

import numpy as np

from llmviz.experiments.answers import after_sums, right_digit
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
        likeliest, values[:, left : left + 8] = after_sums(model, before)
        for row, col in np.argwhere(likeliest >= 0):
            piece = visible(model.tokenizer.pieces([likeliest[row, col]])[0])
            is_right = likeliest[row, col] == right_digit(model, f"{row + col + 2}")
            written[row][left + col] = f"{piece} ✓" if is_right else piece
    return HeatMap(
        values,
        ONE_DIGIT,
        [*ONE_DIGIT, "│", *ONE_DIGIT],
        cell_text=written,
        numbers="always",
        kind="prob",
        blank="no sum here",
        row_axis="first",
        col_axis="second number",
        quantity="probability of the right digit",
        stage="sampling",
        caption="Digit: the likeliest token (✓: correct). Shade: the probability of the right digit. "
        "Right: with a space in front",
    )
