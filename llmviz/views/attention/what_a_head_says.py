"""What a head says: the tokens that it pushes up and down, and its share in the answer's logit."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz import experiments, ops
from llmviz.model import Trace
from llmviz.views.attention.heads import head_name
from llmviz.views.kit.controls import Told, row, slider
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, Floats, Labels, Picture, Text, by_the_reader, lines
from llmviz.views.kit.pieces import isolated, visible_label
from llmviz.views.kit.state_fields import clip_position
from llmviz.views.kit.text_box import Prompt, trace_of
from llmviz.views.kit.token_strip import TokenStrip

N_PUSHED = 6  # tokens each way
N_PARTS = 10  # heads and FFNs with a bar of their own
FULL = 3.0  # logits of a full bar, for all heads, unless one says more


class SignedBars(Picture):
    """Rows with a signed bar and its number, in panels side by side: `titles` [n_panels].

    `labels` [n_panels * n_rows], panel after panel; `values` [n_panels, n_rows], NaN for a line of words between.
    `limit` is where a bar ends, in all panels.
    """

    _static = "signed_bars"
    _data = ("titles", "labels", "values")
    _by_page = ()

    titles = traitlets.List(Text()).tag(sync=True)
    labels = Labels()
    words = traitlets.Bool(False).tag(sync=True)  # the labels are words, no pieces
    values = Floats(ndim=(2,))
    limit = traitlets.Float(1.0).tag(sync=True)

    def text(self) -> str:
        """One line a bar, panel after panel."""
        if self.values is None:
            return "nothing yet"
        n, found = self.values.shape[1], []
        for i, (title, values) in enumerate(zip(self.titles, self.values)):
            labels = map(visible_label, self.labels[i * n : (i + 1) * n])
            rows = [[label, "" if np.isnan(v) else f"{v:+.2f}"] for label, v in zip(labels, values)]
            found.append(f"{title}\n{lines(rows)}")
        return "\n\n".join(found)


class WhatAHeadSays(Explorer):
    """What a head would add to every token's logit when it looks at a token, and what all heads do add to the answer.

    Above `experiments.ov_logits`: the head's value at the token clicked, through W_O and the output table, as if it
    gave that token all its attention. Beside it two controls: the same head at the token that it looks at least (the
    first left out where it can be, since heads rest on it), and another head of the layer, drawn at random, at the
    same token. Below, what every head and FFN adds, directly, to the logit of the token that is likeliest after the
    query (`experiments.direct_logit_attribution`), beyond what it adds to all tokens on average: with the embedding and
    that average they sum to the logit.

    `at`: the token to begin with, a position; if None, and after another text, the one that the head looks at most, the
    first left out. `query` is the token that looks, the last at first. `parts`: with the sum of the logit below.
    """

    def __init__(
        self,
        source: Prompt | Trace,
        *,
        layer: int = 26,
        head: int = 0,
        at: int | None = None,
        query: int = -1,
        parts: bool = True,
    ):
        config = trace_of(source).model.config
        self.layer = slider(layer, "Layer", config.n_layers - 1, stage="attention")
        self.head = slider(head, "Head", config.n_heads - 1, stage="attention")
        self.query = slider(0, "Looking from position", 0, stage="attention")
        self.strip = TokenStrip([], stage="attention")
        self.said = SignedBars(stage="attention")
        self.parts = SignedBars(stage="attention", words=True)
        self.about, self.told = Told(), Told()
        self._at, self._from = at, query
        super().__init__(
            [row(self.layer, self.head, self.query), self.strip, self.about, self.said]
            + ([self.parts, self.told] if parts else [])
        )
        self.follow(source, self.show)
        self.strip.observe(self._pick, "selected")
        self.layer.observe(self._another_head, "value")
        self.head.observe(self._another_head, "value")
        self.query.observe(self._another_query, "value")

    def show(self, trace: Trace) -> None:
        if hasattr(self, "trace"):
            self._at = None
        self.trace = trace
        with self.quietly():
            self.query.max = len(trace.tokens) - 1
            self.query.value = clip_position(self._from, len(trace.tokens))
        self._look()
        self._sum_up()

    @by_the_reader
    def _pick(self, change) -> None:
        if change["new"] is not None:
            self._at = change["new"]
            self._look()

    @by_the_reader
    def _another_head(self, _change) -> None:
        self._look()
        self._sum_up()

    @by_the_reader
    def _another_query(self, change) -> None:
        self._from = change["new"]
        self._look()
        self._sum_up()

    def _look(self) -> None:
        """The strip, and what is said at the token that is looked at."""
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self.query.value
        weights = np.full(len(trace.tokens), np.nan, np.float32)
        weights[: query + 1] = trace.blocks[layer].attention_at(query).pattern[head, 0, : query + 1]
        beside = (
            np.argsort(-weights[1 : query + 1], kind="stable") + 1
        )  # the most looked at first, but the first token
        order = [*beside.tolist(), 0]
        source = order[0] if self._at is None else clip_position(self._at, query + 1)
        other = next((at for at in reversed(order[:-1]) if at != source), 0)
        name, pieces = head_name(layer, head), trace.pieces
        with self.quietly():
            self.strip.change(
                pieces=pieces,
                ids=trace.tokens,
                weights=weights,
                selected=source,
                caption=f"Click a token for {name} to look at. Shade: its share from {isolated(pieces[query])}",
            )
        n_heads = trace.model.config.n_heads
        others = experiments.random_heads((1, n_heads), 1, [(0, head)], seed=layer)
        spoken = [
            ((layer, head), source),
            *([((layer, head), other)] if other != source else []),
            ((layer, [*others, (0, head)][0][1]), source),
        ]
        titles, labels, values = [], [], []
        for which, at in spoken:
            said = experiments.ov_logits(trace, *which, at, position=query)
            up, down = top(said, N_PUSHED), top(-said, N_PUSHED)
            titles.append(f"{head_name(*which)} at {isolated(pieces[at])}")
            labels += ["pushed up", *self._pieces(up), "pushed down", *self._pieces(down)]
            values.append([np.nan, *said[up], np.nan, *said[down]])
        self.said.change(
            titles=titles,
            labels=labels,
            values=values,
            limit=max(FULL, float(np.nanmax(np.abs(values)))),
            caption=f"What {name} would add to the logits if it looked at {isolated(pieces[source])} alone; beside it "
            + ("the same head at the token it looks at least, and " if other != source else "")
            + f"another head of its layer at the same one. A full bar is {FULL:.0f} logits, or the longest of these",
        )
        answer = int(trace.logits_at(query).argmax())
        full = experiments.ov_logits(trace, layer, head, source, position=query)[answer]
        self.about.say(
            f"From {isolated(pieces[query])}, {name} gives {isolated(pieces[source])} {percent(weights[source])} of "
            f"its attention. To {isolated(self._pieces([answer])[0])}, the likeliest next token, it adds "
            f"{percent(weights[source])} × {full:+.2f} = {weights[source] * full:+.2f} from there."
        )

    def _pieces(self, ids) -> list[str]:
        return self.trace.model.tokenizer.pieces([int(i) for i in ids])

    def _sum_up(self) -> None:
        """Every part of the answer's logit, the strongest with a bar of their own."""
        trace, query = self.trace, self.query.value
        logits = trace.logits_at(query)
        answer = int(logits.argmax())
        try:
            whole = experiments.direct_logit_attribution(trace, answer, against="mean", position=query)
        except ValueError as error:  # with edits that break the sum
            self.told.say(str(error))
            return
        of_heads = experiments.head_attribution(trace, answer, against="mean", position=query)
        heads = {head_name(*place): float(part) for place, part in np.ndenumerate(of_heads)}
        ffns = {f"FFN {layer}": float(part) for layer, part in enumerate(whole.ffn)}
        both = heads | ffns
        name = head_name(self.layer.value, self.head.value)
        shown = sorted(both, key=lambda one: -abs(both[one]))[:N_PARTS]
        shown += [] if name in shown else [name]
        rest = {
            f"the other {len(heads.keys() - shown)} heads": sum(heads[one] for one in heads.keys() - shown),
            f"the other {len(ffns.keys() - shown)} FFNs": sum(ffns[one] for one in ffns.keys() - shown),
            "the embedding": whole.embedding,
            "what every token gets": float(logits.mean(dtype=np.float64)),
        }
        total = sum(both[one] for one in shown) + sum(rest.values())
        values = [*(both[one] for one in shown), *rest.values(), np.nan, total]
        piece = isolated(self._pieces([answer])[0])
        self.parts.change(
            titles=[f"logit of {piece}"],
            labels=[*shown, *rest, "together", "the logit"],
            values=[values],
            limit=float(np.nanmax(np.abs(values))) or 1.0,
            caption=f"What each part adds, directly, to the logit of {piece}, the likeliest token after "
            f"{isolated(trace.pieces[query])}, beyond what it adds to all tokens on average",
        )
        place = sorted(heads, key=lambda one: -heads[one]).index(name) + 1
        self.told.say(
            f"All {len(heads)} heads, {len(ffns)} FFNs, the embedding and the mean of all logits sum to {total:.4f}; "
            f"the model's own logit of "
            f"{piece} is {logits[answer]:.4f}, its probability {percent(ops.softmax(logits)[answer])}. {name} adds "
            f"{heads[name]:+.2f}, rank {place} of the heads."
        )
