"""Where a number on the screen comes from: its formula, its operands with their values, and a line of NumPy.

A picture gets `provenance=lambda *where: score(trace, layer, head, *where)`, and calls it when a cell is clicked. The
results are the model's own: they are read from the trace, or computed by the function that the model runs. The line
says the same in plain NumPy with the operands' names; a reader can paste it, and a test runs it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

import llmviz
from llmviz.edits import Edits
from llmviz.model import Model, Trace
from llmviz.sampling import chain
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.pieces import quote


class Operand(NamedTuple):
    """Something that the line uses: its name there, its value, and the expression that gives it ("" for none)."""

    name: str
    value: Any
    source: str = ""


@dataclass(frozen=True)
class Explanation:
    """Where one number comes from. Operands are `Operand`s or plain (name, value) pairs."""

    title: str
    formula: str
    operands: Sequence[tuple]
    line: str  # NumPy; its names are the operands'
    result: Any

    def as_dict(self) -> dict:
        """Return the texts that the page shows."""
        operands = [
            [f"{name} = {source}" if source else name, short(value)]
            for name, value, source in (Operand(*operand) for operand in self.operands)
        ]
        return {**vars(self), "operands": operands, "result": short(self.result)}

    def __repr__(self) -> str:
        shown = self.as_dict()
        rows = [f"  {name}: {value}" for name, value in shown["operands"]]
        return "\n".join([shown["title"], shown["formula"], *rows, f"{shown['line']} = {shown['result']}"])


def explained(
    trace: Trace, title: str, formula: str, line: str, result: Any, cap: float | None = None, **operands: Any
) -> Explanation:
    """Explain a number of a run. A text as an operand is the expression that gives it (see `value_of`).

    cap: below which some families then keep the number. ValueError for a run with edits, except those that leave out
    the mask or the division by √d_head.
    """
    if replace(trace.edits, causal_mask=True, score_scale=True) != Edits():
        raise ValueError("the numbers of a run with edits are not explained")
    if cap:
        formula, line = f"{formula}, kept within ±{cap:g}", f"{cap:g} * np.tanh(({line}) / {cap:g})"
    rows = [
        Operand(name, value_of(trace, value), value) if isinstance(value, str) else Operand(name, value)
        for name, value in operands.items()
    ]
    return Explanation(title, formula, rows, line, result)


def product(
    trace: Trace, title: str, formula: str, layer: int, name: str, i: int, result: Any, **vector: str
) -> Explanation:
    """Explain number i of a vector times a matrix of a layer's FFN, plus the bias that some families add."""
    [what], column = vector, f"model.weights.layers[{layer}].W_{name}[:, {i}]"
    if f"b_{name}" not in trace.model.config.arrays:
        return explained(trace, title, formula, f"{what} @ column", result, **vector, column=column)
    b = f"model.weights.layers[{layer}].b_{name}[{i}]"
    line = f"{what} @ column + b"
    return explained(trace, title, f"{formula}, plus a bias", line, result, **vector, column=column, b=b)


def value_of(trace: Trace, source: str) -> Any:
    """Evaluate an expression of ours, in which `trace` is the run and `model` its model."""
    names = {"np": np, "llmviz": llmviz, "dataclasses": dataclasses, "trace": trace, "model": trace.model}
    return eval(source, names)


def read_by(trace: Trace, layer: int, position: int, part: Literal["attention", "ffn"]) -> str:
    """Return the expression for the vector [d_model] that a layer's heads, or its FFN, read at a position."""
    stream = f"trace.blocks[{layer}].{'resid_pre' if part == 'attention' else 'resid_mid'}[{position}]"
    return normed(trace, stream, f"model.weights.layers[{layer}].{part}_norm") if trace.edits.norm else stream


def normed(trace: Trace, vector: str, weight: str) -> str:
    """Return the expression for a vector after a norm: RMSNorm, or LayerNorm in a family with biases."""
    if "attention_norm_bias" in trace.model.config.arrays:
        return f"llmviz.ops.layer_norm({vector}, {weight}, {weight}_bias, eps=model.config.norm_eps)"
    return f"llmviz.ops.rms_norm({vector}, {weight}, eps=model.config.norm_eps)"


def short(value: Any) -> str:
    """Return a value as a reader can take it in: a number, a text, or an array's first numbers and its shape."""
    if isinstance(value, str | bytes | None):
        return "none" if value is None else str(value)
    if isinstance(value, Mapping):
        return f"{len(value):,} entries"
    array = np.asarray(value)
    if array.ndim == 0:
        return _number(value)
    if array.ndim > 1:
        return f"{' × '.join(f'{n:,}' for n in array.shape)} numbers"
    first = ", ".join(map(_number, array[:4] if array.size == 4 else array[:3]))
    return f"[{first}]" if array.size <= 4 else f"[{first}, …], {array.size:,} numbers"


def _number(value: Any) -> str:
    text = str(value) if isinstance(value, int | np.integer | np.bool_) else f"{float(value):.4g}"
    return minus(text).replace("inf", "∞").replace("nan", "undefined")


def embedding(model: Model, token: int, dimension: int) -> Explanation:
    """Explain a number in a token's row of the embedding table. IndexError if there is no such row or column."""
    title = f"Number {dimension} of {_named(token, model.tokenizer.pieces([int(token)])[0])}"
    formula = "embedding = the token's row in the embedding table W_E"
    W_E = Operand("W_E", model.weights.W_E, "model.weights.W_E")
    operands = [W_E, Operand("token", int(token)), Operand("dimension", int(dimension))]
    return Explanation(title, formula, operands, "W_E[token, dimension]", W_E.value[token, dimension])


def score(trace: Trace, layer: int, head: int, row: int, col: int) -> Explanation:
    """Explain how well the query of token `row` matches the key of token `col`, before softmax."""
    title = f"Attention score from {_place(trace, row)} to {_place(trace, col)}, layer {layer}, head {head}"
    block = f"trace.blocks[{layer}]"
    result = value_of(trace, f"{block}.attention.scores[{head}, {row}, {col}]")
    config, window = trace.model.config, trace.model.config.window_of(layer) or math.inf
    if trace.edits.causal_mask and (col > row or row - col >= window):
        what = "later tokens" if col > row else f"tokens {window} or more places before it"
        formula = f"a token cannot attend to {what}: the score is −∞, so the attention weight is 0"
        line = (
            "np.where(col > row, -np.inf, 0)" if col > row else f"np.where(row - col >= {window}, -np.inf, 0)"
        )
        return explained(trace, f"{title}: masked", formula, line, result, row=int(row), col=int(col))
    operands = {"q": f"{block}.q[{head}, {row}]", "k": f"{block}.k[{config.kv_head_of(head)}, {col}]"}
    formula, line = "score = q · k (the division by √d_head is off)", "q @ k"
    if trace.edits.score_scale and config.score_divisor:
        formula, line = "score = q · k / divisor", "q @ k / divisor"
        operands["divisor"] = "model.config.score_divisor"
    elif trace.edits.score_scale:
        formula, line = "score = q · k / √d_head", "q @ k / np.sqrt(d_head)"
        operands["d_head"] = "model.config.d_head"
    return explained(trace, title, formula, line, result, config.score_cap, **operands)


def pattern(trace: Trace, layer: int, head: int, row: int, col: int, *, block: str = "") -> Explanation:
    """Explain the fraction of its attention that token `row` gives to token `col`.

    block: the expression that gives the layer, if it is not the trace's own.
    """
    attention = f"{block or f'trace.blocks[{layer}]'}.attention"
    return explained(
        trace,
        f"Attention weight from {_place(trace, row)} to {_place(trace, col)}, layer {layer}, head {head}",
        "pattern = softmax(scores): e to the power of each score in this row, divided by their sum",
        "np.exp(scores - scores.max())[col] / np.exp(scores - scores.max()).sum()",
        value_of(trace, f"{attention}.pattern[{head}, {row}, {col}]"),
        scores=f"{attention}.scores[{head}, {row}]",
        col=int(col),
    )


def logit(trace: Trace, token: int) -> Explanation:
    """Explain the logit of a token: how well the last token's final vector matches it."""
    x = normed(trace, "trace.blocks[-1].resid_post[-1]", "model.weights.final_norm")
    name = _named(token, trace.model.tokenizer.pieces([int(token)])[0])
    title = f"Logit of {name} after {_place(trace, len(trace.tokens) - 1)}"
    formula = "logit = the last token's final vector · the token's column of W_U"
    w = f"model.weights.W_U[:, {token}]"
    cap = trace.model.config.logit_cap
    return explained(trace, title, formula, "x @ w", trace.logits[token], cap, x=x, w=w)


def prob(
    logits: Float[np.ndarray, " n_vocab"],
    token: int,
    *,
    piece: str,
    source: str = "trace.logits",
    steps: Sequence[tuple[str, float]] = (("temperature", 1.0),),
) -> Explanation:
    """Explain the probability that `token` is drawn after some steps of `sampling.chain`.

    piece: its text. source: the expression that gives the logits.
    """
    title, result = f"Probability of {_named(token, piece)}", chain(logits, steps)[-1].probs[token]
    operands = [Operand("logits", logits, source), Operand("token", int(token))]
    (name, setting), *others = steps
    if name == "temperature" and setting and not others:
        operands.append(Operand("temperature", setting))
        formula = "probability = softmax(logits / temperature), over the whole vocabulary"
        z = "np.exp((logits - logits.max()) / temperature)"
        return Explanation(title, formula, operands, f"{z}[token] / {z}.sum()", result)
    order = " → ".join(f"{name} = {setting:g}" for name, setting in steps)
    formula = f"softmax of the logits, then in this order: {order}"
    line = f"llmviz.sampling.chain(logits, {[*steps]})[-1].probs[token]"
    return Explanation(title, formula, operands, line, result)


def prob_in(shown: Mapping[str, Any], row: int, logits: np.ndarray, **how: Any) -> Explanation:
    """Explain the probability in a row of bars; shown: what they hold. See `prob`."""
    return prob(logits, shown["ids"][row], piece=shown["pieces"][row], **how)


def _named(token: int, piece: str) -> str:
    return f"{quote(piece)} (id {int(token)})"


def _place(trace: Trace, position: int) -> str:
    return f"{quote(trace.pieces[position])} (position {position})"
