"""A table of examples that the reader can change."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import traitlets

from llmviz.experiments import fine_tuning
from llmviz.views.kit.controls import button
from llmviz.views.kit.lifetime import replace_children

MOST = 32  # examples
COLUMNS = (("question", "2 1 100px"), ("answer you want", "5 1 250px"))


class ExampleTable(ipywidgets.VBox):
    """Questions and answers in rows that can be changed, added and removed; `value` has them as pairs of texts."""

    value = traitlets.Tuple()

    def __init__(self, value: Sequence[fine_tuning.Example]):
        self.rows = ipywidgets.VBox(layout={"width": "min(1000px, 98%)", "max_height": "420px"})
        self.more = button("Add an example")
        self.more.on_click(lambda _: self._put(len(self.value), [("", "")]))
        heads = [ipywidgets.Label(name, layout={"flex": flex}) for name, flex in COLUMNS]
        super().__init__([ipywidgets.HBox(heads), self.rows, self.more], value=tuple(value))

    def _put(self, row: int, examples: Sequence[fine_tuning.Example]) -> None:
        """Replace a row with these examples."""
        self.value = (*self.value[:row], *examples, *self.value[row + 1 :])

    @traitlets.observe("value")
    def _draw(self, _change) -> None:
        rows = [*self.rows.children[: len(self.value)]]
        rows += [self._row(i) for i in range(len(rows), len(self.value))]
        for row, example in zip(rows, self.value):
            for box, text in zip(row.children, example):
                box.value = text
        if len(rows) != len(self.rows.children):
            replace_children(self.rows, *rows)
        self.more.disabled = len(rows) >= MOST

    def _row(self, i: int) -> ipywidgets.HBox:
        boxes = [
            ipywidgets.Text(
                placeholder=name,
                tooltip=name,
                continuous_update=False,
                layout={"flex": flex, "min_width": "0"},
            )
            for name, flex in COLUMNS
        ]
        for column, box in enumerate(boxes):

            def typed(change, column=column):
                example = [*self.value[i]]
                example[column] = change["new"]
                self._put(i, [tuple(example)])

            box.observe(typed, "value")
        remove = ipywidgets.Button(description="✕", tooltip="remove this example", layout={"width": "36px"})
        remove.on_click(lambda _: self._put(i, []))
        return ipywidgets.HBox([*boxes, remove], layout={"width": "98%", "flex": "none"})
