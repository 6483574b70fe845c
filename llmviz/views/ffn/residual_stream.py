"""The residual stream: how long it grows, and who writes the answer into it."""

from __future__ import annotations

import numpy as np

from llmviz import experiments
from llmviz.model import Model
from llmviz.views.ffn.prompt import AnsweredPrompt, depths, layers
from llmviz.views.kit import theme
from llmviz.views.kit.controls import Told, choice
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import clean, quote
from llmviz.views.provenance import Explanation, Operand

ALONE = -1  # in a choice of rivals: none


class StreamNorms(Explorer):
    """The length of the residual stream at every depth, token by token."""

    def __init__(self, prompt: AnsweredPrompt):
        self._prompt = prompt
        model = prompt.language_model
        self.map = HeatMap(
            np.zeros((1, model.config.n_layers + 1)),
            [""],
            ["in", *range(model.config.n_layers)],
            row_axis="token",
            col_axis="after layer",
            kind="weight",
            quantity="length",
            stage="ffn",
            caption="Length of the stream; the scale is that of all tokens but the first",
            provenance=self._explain,
        )
        self.plot = LinePlot(
            labels=depths(model),
            x_axis="after layer",
            y_axis="length",
            log_y=True,
            stage="ffn",
            caption="The same as lines, each step of the axis ten times the last",
        )
        super().__init__([self.map, self.plot])
        prompt.lead(self, self._show)

    @one_at_a_time
    def _show(self) -> None:
        trace = self._prompt.trace
        norms = experiments.stream_norms(trace)[:, : theme.MAX_TOKENS]
        others = norms[:, 1:] if norms.shape[1] > 1 else norms
        self.map.change(
            values=norms.T, row_labels=trace.pieces[: theme.MAX_TOKENS], limit=float(f"{others.max():.2g}")
        )
        names = [f"first token, {quote(trace.pieces[0])}", f"last token, {quote(trace.pieces[-1])}"]
        self.plot.change(values=norms[:, [0, -1]].T, names=[clean(name) for name in names])

    @one_at_a_time
    def _explain(self, token: int, depth: int) -> Explanation:
        blocks = self._prompt.trace.blocks
        x = blocks[0].resid_pre[token] if depth == 0 else blocks[depth - 1].resid_post[token]
        return Explanation(
            "Length of the stream",
            "√ of the sum of squares",
            [Operand("x", x)],
            "np.sqrt((x * x).sum())",
            np.linalg.norm(x),
        )


class WhoSaysIt(Explorer):
    """What each attention and FFN block adds, directly, to the answer's logit, or to its lead over a rival."""

    def __init__(self, prompt: AnsweredPrompt):
        self._prompt = prompt
        self.rival = choice([], None, "Compared with", "min(430px, 98%)")
        self.plot = LinePlot(
            labels=layers(prompt.language_model),
            x_axis="layer",
            bars=True,
            stage="ffn",
            y_axis="added to the logit",
        )
        self.told = Told()
        super().__init__([self.rival, self.plot, self.told])
        self.rival.observe(self._show, "value")
        prompt.lead(self, self._new_text)

    def _new_text(self) -> None:
        others = [
            (name, token) for name, token in self._prompt.answers.options if token != self._prompt.answer
        ]
        with self.quietly():
            self.rival.options = [("nothing: its logit", ALONE), *others]
            self.rival.value = ALONE
        self._show()

    @by_the_reader
    def _show(self, _change=None) -> None:
        trace, answer = self._prompt.trace, self._prompt.answer
        rival = None if self.rival.value == ALONE else self.rival.value
        parts = experiments.direct_attribution(trace, answer, against=rival)
        logits = trace.logits.astype(np.float64)
        logit = logits[answer] - (0 if rival is None else logits[rival])
        what = f"the logit of {self._prompt.piece}"
        if rival is not None:
            what = f"the lead of {self._prompt.piece} over {quote(trace.model.tokenizer.pieces([rival])[0])}"
        self.plot.change(
            values=np.stack([parts.ffn, parts.attention]),
            names=["FFN", "attention"],
            caption=f"What each block adds, directly, to {what}",
        )
        x = trace.blocks[-1].resid_post[-1].astype(np.float64)
        by = np.sqrt(np.square(x).mean() + trace.model.config.norm_eps)
        agree = abs(parts.total - logit) <= 1e-3 * max(1.0, abs(logit))
        self.told.say(
            f"Embedding {parts.embedding:+.2f}, attention {parts.attention.sum():+.2f}, FFN {parts.ffn.sum():+.2f}: "
            f"{parts.total:.3f} in all. The model says {logit:.3f}: {'the same' if agree else 'NOT the same'}.",
            f"The final norm divides everything by {by:.2f}. That number comes from the whole stream, "
            "so a block also acts through it; here it is taken as given.",
        )


def parameter_shares(model: Model) -> LinePlot:
    """The share of all parameters in each kind of part."""
    parts = experiments.parameters(model)
    total, largest = sum(parts.values()), max(parts, key=parts.get)
    most = "most of them" if 2 * parts[largest] > total else "the largest part, but not most,"
    return LinePlot(
        values=[[n / total for n in parts.values()]],
        names=["share of all parameters"],
        labels=list(parts),
        x_axis="",
        unit="share",
        bars=True,
        stage="ffn",
        caption=f"Where the {total / 1e6:.1f} million parameters are: {most} in the {largest}",
    )
