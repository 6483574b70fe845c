"""Two tables: examples that can be changed, and what is said to each question."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

import ipywidgets
import traitlets

from llmviz.experiments import fine_tuning
from llmviz.views.kit import theme
from llmviz.views.kit.controls import button
from llmviz.views.kit.lifetime import Closable, replace_children
from llmviz.views.kit.picture import with_text

MOST = 32  # examples


class ExampleTable(ipywidgets.VBox):
    """Rows of a question and the answer to it, to change, to add and to remove; `value` has them as pairs."""

    value = traitlets.Tuple()

    def __init__(self, value: Sequence[fine_tuning.Example]):
        self.rows = ipywidgets.VBox(layout={"width": "min(1000px, 98%)", "max_height": "420px"})
        self.more = button("add an example")
        self.more.on_click(lambda _: self._put(len(self.value), [("", "")]))
        super().__init__([self.rows, self.more], value=tuple(value))

    def _put(self, row: int, examples: Sequence[fine_tuning.Example]) -> None:
        """Put these in the place of a row."""
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
                tooltip=tooltip,
                continuous_update=False,
                layout={"flex": flex, "min_width": "0"},
            )
            for name, tooltip, flex in (
                ("question", "question", "2 1 100px"),
                ("the answer to it", "answer", "5 1 250px"),
            )
        ]
        for column, box in enumerate(boxes):

            def typed(change, column=column):
                example = [*self.value[i]]
                example[column] = change["new"]
                self._put(i, [tuple(example)])

            box.observe(typed, "value")
        remove = ipywidgets.Button(description="✕", tooltip="remove this example", layout={"width": "36px"})
        remove.on_click(lambda _: self._put(i, []))
        return ipywidgets.HBox([*boxes, remove], layout={"width": "98%", "min_height": "34px"})


class AnswerTable(Closable, ipywidgets.HTML):
    """Questions with what is said to each, a line each. In the second of four texts the words are underlined that
    the third does not have.

    groups: by their names, the questions with their texts.
    """

    groups = traitlets.Dict()

    def __init__(self, *columns: str):
        self.columns = columns
        super().__init__()

    @traitlets.observe("groups")
    def _draw(self, _change) -> None:
        cell = (
            "padding:6px 14px 6px 0;vertical-align:top;text-align:left;border-bottom:1px solid #8886;"
            "overflow-wrap:anywhere;white-space:pre-wrap"
        )
        rows = []
        for name, answers in self.groups.items():
            style, wide = f"{cell};padding-top:14px", len(self.columns)
            if name:
                rows.append(f'<tr><th style="{style}" colspan="{wide}" scope="colgroup">{name}</th></tr>')
            rows += [
                "<tr>"
                + "".join(
                    f'<td style="{cell}">{text}</td>' for text in (html.escape(question), *_marked(*texts))
                )
                + "</tr>"
                for question, texts in answers.items()
            ]
        heads = "".join(f'<th style="{cell}" scope="col">{name}</th>' for name in self.columns)
        size = (
            f"font-size:{theme.SIZES['body']}px;line-height:1.4;border-collapse:collapse;table-layout:fixed;"
            "width:min(1000px, 98%)"
        )
        self.value = (
            f'<table style="{size}"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        )

    def __repr__(self) -> str:
        return "\n".join(
            " | ".join((question, *texts))
            for answers in self.groups.values()
            for question, texts in answers.items()
        )

    def _repr_mimebundle_(self, **_):
        return with_text(self)


def _marked(before: str, after: str = "", taught: str = "", changed: str = "") -> Iterator[str]:
    """Yield HTML: in the text after, each word that the taught one does not have is underlined; all else as text."""
    yield html.escape(before)
    if not after:
        return
    new = set(fine_tuning.lower_words(after) if taught else ()) - set(fine_tuning.lower_words(taught))
    yield "".join(
        f"<u>{html.escape(part)}</u>" if part.lower() in new else html.escape(part)
        for part in fine_tuning.words_and_gaps(after)
    )
    if taught:
        yield html.escape(f"{taught} {changed}")
