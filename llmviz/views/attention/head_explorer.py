"""All heads at a glance, and the chosen one large."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llmviz import attention, experiments
from llmviz.model import Trace
from llmviz.views import provenance
from llmviz.views.attention.head_grid import MAP_SIZE, empty_grid
from llmviz.views.attention.heads import head_name, head_pattern
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.controls import Told, checkbox, row, slider, wide
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.state_fields import clip_position
from llmviz.views.kit.text_box import Prompt, trace_of
from llmviz.views.provenance import Explanation, Operand


def shown_weight(
    trace: Trace, layer: int, head: int, query: int, key: int, *, hide_first: bool
) -> Explanation:
    """Where one share comes from, as it is or with the first token hidden."""
    told = provenance.pattern(trace, layer, head, query, key)
    if not hide_first:
        return told
    if key == 0:
        return replace(
            told,
            title=f"{told.title}: hidden",
            formula="hidden here; the other shares are scaled up to sum to 100%",
            operands=[],
            line="np.nan",
            result=np.nan,
        )
    pattern = provenance.row_of(trace, layer, query).pattern[head]
    return Explanation(
        f"{told.title}, with the first token hidden",
        "share / the sum of all shares but the first",
        [
            Operand("pattern", pattern, f"trace.blocks[{layer}].attention.pattern[{head}, {query}]"),
            Operand("key", key),
        ],
        "pattern[key] / pattern[1:].sum()",
        attention.without_first_token(pattern[None])[0, key],
    )


class HeadExplorer(Explorer):
    """The atlas: a small map for every head, and the chosen one large beside the sentence with its arcs."""

    def __init__(self, source: Prompt | Trace, *, layer: int = 13, head: int = 8, query: int = -1):
        config = trace_of(source).model.config
        self.hide_first = checkbox("hide the first token and renormalise")
        self.layer = slider(layer, "Layer", config.n_layers - 1, stage="attention")
        self.head = slider(head, "Head", config.n_heads - 1, stage="attention")
        self.grid = empty_grid(config)
        self.map = wide(HeatMap([[1.0]], [""], provenance=self._explain), 480)
        self.arcs = wide(Arcs([], np.zeros((0, 0)), provenance=self._explain), 560)
        self.told = Told()
        self._wanted = query
        super().__init__(
            [
                row(self.layer, self.head, self.hide_first),
                self.grid,
                row(self.map, self.arcs),
                self.told,
            ]
        )
        self.follow(source, self.show)
        self.hide_first.observe(self._draw, "value")
        self.grid.observe(self._from_grid, "selected")
        for control in (self.layer, self.head):
            control.observe(self._from_sliders, "value")
        self.map.observe(self._from_map, "selected")
        self.arcs.observe(self._from_arcs, "selected")

    def show(self, trace: Trace) -> None:
        self.trace = trace
        self._query = clip_position(self._wanted, len(trace.tokens))
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        seen = experiments.overview(self.trace, MAP_SIZE, self.hide_first.value)
        n = len(self.trace.tokens)
        note = f"; a cell is the largest share of {seen.step} × {seen.step} tokens" if seen.step > 1 else ""
        hidden = ", the first token hidden, the rest renormalised" if self.hide_first.value else ""
        heads = self.grid.values.shape[0] * self.grid.values.shape[1]
        tokens = "one token" if n == 1 else f"{n} tokens"
        with self.quietly():
            self.grid.change(
                values=seen.maps,
                scores=seen.scores,
                score_names=list(attention.BEHAVIOURS),
                selected=[self.layer.value, self.head.value],
                caption=f"All {heads} heads on your {tokens}{hidden}. Click one, or use the arrow keys{note}",
            )
        self._draw_head()

    def _draw_head(self) -> None:
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self._query
        hide = self.hide_first.value
        weights = head_pattern(trace, layer, head, hide_first=hide)
        name = head_name(layer, head)
        hidden = ", first token hidden" if hide else ""
        with self.quietly():
            self.map.change(
                values=weights,
                row_labels=trace.pieces,
                col_labels=trace.pieces,
                selected=[query, _heaviest(weights[query])],
                caption=f"{name}{hidden}",
            )
            arcs = {"weights": weights, "selected": query}
            if self.arcs.pieces != trace.pieces:
                arcs = {"pieces": trace.pieces} | arcs
            self.arcs.change(**arcs, caption=self._arcs_caption())
        self._tell()

    def _tell(self) -> None:
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self._query
        to_first = trace.blocks[layer].patterns(slice(head, head + 1))[0, query, 0]
        scores = experiments.overview(trace, MAP_SIZE, self.hide_first.value).scores[:, layer, head]
        measured = ", ".join(
            f"{name} {percent(v)}" for name, v in zip(attention.BEHAVIOURS, scores) if not np.isnan(v)
        )
        self.told.say(
            f"Measured on this sentence: {measured}." if measured else "",
            f"From {isolated(trace.pieces[query])} it gives {percent(to_first)} to the first token.",
        )

    @by_the_reader
    def _from_grid(self, change) -> None:
        with self.quietly():  # both sliders move, and then the head is drawn once
            self.layer.value, self.head.value = change["new"]
        self._draw_head()

    @by_the_reader
    def _from_sliders(self, _change) -> None:
        with self.quietly():
            self.grid.selected = [self.layer.value, self.head.value]
        self._draw_head()

    @by_the_reader
    def _from_map(self, change) -> None:
        if change["new"] is not None:
            self._look_from(change["new"][0])

    @by_the_reader
    def _from_arcs(self, change) -> None:
        if change["new"] is not None:
            self._look_from(change["new"])
            with self.quietly():
                self.map.selected = [self._query, _heaviest(self.map.values[self._query])]

    def _look_from(self, query: int) -> None:
        self._query = self._wanted = query
        with self.quietly():
            self.arcs.change(selected=query, caption=self._arcs_caption())
        self._tell()

    def _arcs_caption(self) -> str:
        hidden = ", first token hidden" if self.hide_first.value else ""
        name = head_name(self.layer.value, self.head.value)
        return f"Where {isolated(self.trace.pieces[self._query])} looks: {name}{hidden}"

    def _explain(self, query: int, key: int) -> Explanation:
        at = (self.trace, self.layer.value, self.head.value, query, key)
        return shown_weight(*at, hide_first=self.hide_first.value)


def _heaviest(weights: np.ndarray) -> int:
    """The key with the largest share of a row, where NaN is masked."""
    return int(np.argmax(np.nan_to_num(weights)))
