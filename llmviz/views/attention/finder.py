"""Which heads look from here to there, and which behave like this?"""

from __future__ import annotations

import functools

import numpy as np

from llmviz import attention, experiments
from llmviz.model import Trace
from llmviz.views.attention.head_explorer import shown_weight
from llmviz.views.attention.head_grid import MAP_SIZE, empty_grid, four_axes
from llmviz.views.attention.heads import first_hidden, head_name, head_pattern
from llmviz.views.kit.controls import Told, checkbox, choice, row, wide
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.state_fields import clip_position
from llmviz.views.kit.text_box import Prompt, trace_of
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.provenance import Explanation

N_RANKED = 10  # heads in a ranking


class HeadFinder(Explorer):
    """Which heads look from this token to that one? Which behave like this? A ranking, and the chosen head's map."""

    BY_SHARE = "share from → to"
    HERE, PROBE = "your sentence", "random tokens, twice"

    def __init__(self, source: Prompt | Trace, *, query: int = -1, key: int = 1):
        self.model = trace_of(source).model
        self.source_strip = TokenStrip([], stage="attention", caption="From (the token that looks)")
        self.target_strip = TokenStrip([], stage="attention", caption="To (the token looked at)")
        self.by = choice([self.BY_SHARE, *attention.BEHAVIOURS], self.BY_SHARE, "Rank by")
        self.measured_on = choice([self.HERE, self.PROBE], self.HERE, "Behaviour measured on")
        self.hide_first = checkbox("hide the first token and renormalise")
        self.definition = Told()
        self.grid = empty_grid(self.model.config)
        names = ["share", "first hidden", *attention.BEHAVIOURS]
        self.table = wide(
            HeatMap(np.zeros((1, 6)), [""], names, row_axis="head", col_axis="measure", numbers="always"), 520
        )
        self.map = wide(HeatMap([[1.0]], [""], provenance=self._explain), 420)
        self._wanted = query, key
        super().__init__(
            [
                self.source_strip,
                self.target_strip,
                row(self.by, self.measured_on, self.hide_first),
                self.definition,
                self.grid,
                row(self.table, self.map),
            ]
        )
        self.follow(source, self.show)
        for strip in (self.source_strip, self.target_strip):
            strip.observe(self._pick, "selected")
        for control in (self.by, self.measured_on, self.hide_first):
            control.observe(self._rank, "value")
        self.grid.observe(self._draw_map, "selected")
        self.table.observe(self._from_table, "selected")

    def show(self, trace: Trace) -> None:
        self.trace = trace
        n = len(trace.tokens)
        self._query, self._key = (clip_position(wanted, n) for wanted in self._wanted)
        with self.quietly():
            for strip, selected in ((self.source_strip, self._query), (self.target_strip, self._key)):
                strip.change(pieces=trace.pieces, ids=trace.tokens, selected=selected)
        self._rank()

    @by_the_reader
    def _pick(self, _change) -> None:
        if None not in (self.source_strip.selected, self.target_strip.selected):
            self._wanted = self.source_strip.selected, self.target_strip.selected
            self._query, self._key = self._wanted
            self._rank()

    @functools.cached_property
    def probe(self) -> np.ndarray:
        """Measure the behaviours on random tokens that come twice: [4, n_layers, n_heads]."""
        twice = experiments.random_tokens(self.model, 25, seed=0) * 2
        return experiments.head_behaviours(self.model.trace(twice))

    @one_at_a_time
    def _rank(self, _change=None) -> None:
        trace, query, key = self.trace, self._query, self._key
        weights = experiments.attention_from(trace, query)
        hidden = first_hidden(weights)
        scores = (
            self.probe
            if self.measured_on.value == self.PROBE
            else experiments.overview(trace, MAP_SIZE, False).scores
        )
        by_share = self.by.value == self.BY_SHARE
        if by_share:
            ranked = (hidden if self.hide_first.value else weights)[..., key]
        else:
            ranked = scores[list(attention.BEHAVIOURS).index(self.by.value)]
        self.ranking = experiments.strongest_heads(ranked, N_RANKED)
        columns = [weights[..., key], hidden[..., key], *scores]
        names = [head_name(*one) for one in self.ranking]
        table = np.array([[column[one] for column in columns] for one in self.ranking], np.float32)
        with self.quietly():
            self.table.change(
                values=table.reshape(-1, len(columns))
                if self.ranking
                else np.full((1, len(columns)), np.nan),
                row_labels=names or ["none"],
                selected=[0, 0],
                caption=f"The {len(names)} heads with the largest {self.by.value}, in %"
                if names
                else "No head to rank",
            )
            here = f"from {isolated(trace.pieces[query])} to {isolated(trace.pieces[key])}"
            measure = f"share {here}" if by_share else self.by.value
            first = " (first token hidden)" if by_share and self.hide_first.value else ""
            best = list(self.ranking[0]) if self.ranking else [0, 0]
            self.grid.change(
                values=four_axes(ranked),
                measure="share" if by_share else self.by.value,
                selected=best,
                chosen=[list(one) for one in self.ranking],
                caption=f"Every head's {measure}{first}. Dashed: the {len(names)} largest",
            )
        self._define(by_share, here, bool(np.isnan(ranked).all()))
        self._draw_map()

    def _define(self, by_share: bool, here: str, nothing: bool) -> None:
        if by_share:
            told = f"The share that each head gives {here}."
            if self._key > self._query:
                told = f"There is nothing to rank {here}: a token cannot look at later ones. Choose an earlier “to”."
            elif nothing:
                told = "There is nothing to rank: the first token is hidden."
        else:
            name = self.by.value
            told = f"{name.capitalize()}: {attention.BEHAVIOURS[name]}; measured on {self.measured_on.value}."
            if nothing:
                told += " It cannot happen in your sentence, since no token comes twice: measure it on random tokens."
        self.definition.say(told)

    @by_the_reader
    def _from_table(self, change) -> None:
        if change["new"] is not None and self.ranking:
            self.grid.selected = list(self.ranking[change["new"][0]])

    @by_the_reader
    def _draw_map(self, _change=None) -> None:
        layer, head = self.grid.selected
        weights = head_pattern(self.trace, layer, head, hide_first=self.hide_first.value)
        hidden = ", first token hidden" if self.hide_first.value else ""
        self.map.change(
            values=weights,
            row_labels=self.trace.pieces,
            col_labels=self.trace.pieces,
            selected=[self._query, self._key],
            caption=f"{head_name(layer, head)}{hidden}",
        )

    def _explain(self, query: int, key: int) -> Explanation:
        return shown_weight(self.trace, *self.grid.selected, query, key, hide_first=self.hide_first.value)
