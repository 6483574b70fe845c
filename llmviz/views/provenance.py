"""Where a number on the screen comes from: its formula, its operands with their values, and the NumPy that made it.

A picture gets `provenance=lambda *where: score(trace, layer, head, *where)`; a click on a cell asks it. The results are
the model's own: they are read from the trace, or computed by the function that the model runs. The line says the same
in plain NumPy, with the operands' names; a reader can paste it, and a test runs it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

import llmviz
from llmviz import embeddings
from llmviz.model import Model, Trace
from llmviz.sampling import STEPS, Sampler, chain
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.pieces import quote


class Operand(NamedTuple):
    """One thing the line uses: its name there, its value, and the expression it comes from ("" if it has none)."""

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
        """Return what the page shows, as texts."""
        operands = [
            [f"{name} = {source}" if source else name, short(value)]
            for name, value, source in (Operand(*operand) for operand in self.operands)
        ]
        return {**vars(self), "operands": operands, "result": short(self.result)}

    def __repr__(self) -> str:
        shown = self.as_dict()
        rows = [f"  {name}: {value}" for name, value in shown["operands"]]
        return "\n".join([shown["title"], shown["formula"], *rows, f"{shown['line']} = {shown['result']}"])


def as_edited(of_formula: Explanation, trace: Trace, layer: int, name: str, source: str) -> Explanation:
    """Return an explanation that reads the number from the trace (`source`), where the run's edits change this array.

    What the formula gives is then only what the edits were given.
    """
    if (layer, name) not in trace.edits.functions:
        return of_formula
    value = [Operand("value", of_formula.result, source)]
    return replace(of_formula, formula="as this run's edits leave it", operands=value, line="value")


def explained(trace: Trace, title: str, formula: str, line: str, result: Any, **operands: Any) -> Explanation:
    """Explain a number of a run. An operand that is a text is the expression that gives it (see `value_of`)."""
    rows = [
        Operand(name, value_of(trace, value), value) if isinstance(value, str) else Operand(name, value)
        for name, value in operands.items()
    ]
    return Explanation(title, formula, rows, line, result)


def value_of(trace: Trace, source: str) -> Any:
    """Return what an expression of ours gives, in which the run is `trace` and its model `model`."""
    names = {"np": np, "llmviz": llmviz, "dataclasses": dataclasses, "trace": trace, "model": trace.model}
    return eval(source, names)


def read_by(trace: Trace, layer: int, position: int, part: Literal["attention", "ffn"]) -> str:
    """Return the expression for the vector [d_model] that a layer's heads, or its FFN, read at a position."""
    stream = f"trace.blocks[{layer}].{'resid_pre' if part == 'attention' else 'resid_mid'}[{position}]"
    norm = f"model.weights.layers[{layer}].{part}_norm"
    return f"llmviz.ops.rms_norm({stream}, {norm}, eps=model.config.norm_eps)" if trace.edits.norm else stream


def short(value: Any) -> str:
    """A number, a text, or the first numbers of an array and its shape, for people."""
    if isinstance(value, str | bytes | None):
        return "none" if value is None else str(value)
    if isinstance(value, Mapping):
        return f"{len(value):,} entries"
    array = np.asarray(value)
    if array.dtype == bool:
        return str(bool(value)) if array.ndim == 0 else f"{int(array.sum()):,} of {array.size:,} are True"
    if array.ndim == 0:
        return _number(value)
    size = " × ".join(f"{n:,}" for n in array.shape)
    if array.ndim > 1:
        return f"{size} numbers"
    if array.size <= 4:
        return f"[{', '.join(map(_number, array))}]"
    return f"[{', '.join(map(_number, array[:3]))}, …], {size} numbers"


def _number(value: Any) -> str:
    if isinstance(value, int | np.integer):
        return minus(str(value))
    if not np.isfinite(value):
        return {np.inf: "∞", -np.inf: "−∞"}.get(float(value), "undefined")
    return minus(f"{float(value):.4g}")


# --- embeddings ---


def embedding(
    model: Model,
    token: int,
    dimension: int,
    *,
    W_E: Float[np.ndarray, "n_vocab d_model"] | None = None,
    source: str = "model.weights.W_E",
    note: str = "",
) -> Explanation:
    """One number of a token's row of the table. IndexError if there is no such row or column.

    W_E: a table made of the model's, `source`: the expression that gives it, and `note`: what to say of it.
    """
    W_E = model.weights.W_E if W_E is None else W_E
    return Explanation(
        f"Number {dimension} of {_piece(model, token)}{note}",
        "embedding = the token's row in the embedding table W_E",
        [Operand("W_E", W_E, source), Operand("token", int(token)), Operand("dimension", int(dimension))],
        "W_E[token, dimension]",
        embeddings.embed([token], W_E)[0][dimension],
    )


def stream(trace: Trace, depth: int, position: int) -> tuple[Float[np.ndarray, " d_model"], str]:
    """The residual stream after `depth` layers at a position, and the expression that gives it."""
    if depth == 0:
        return trace.blocks[0].resid_pre[position], f"trace.blocks[0].resid_pre[{position}]"
    return trace.blocks[depth - 1].resid_post[position], f"trace.blocks[{depth - 1}].resid_post[{position}]"


# --- attention ---


def score(trace: Trace, layer: int, head: int, row: int, col: int) -> Explanation:
    """How well the query of token `row` fits the key of token `col`, before softmax."""
    title = f"Attention score from {_place(trace, row)} to {_place(trace, col)}, layer {layer}, head {head}"
    result = row_of(trace, layer, row).scores[head, col]
    if trace.edits.causal_mask and col > row:
        return Explanation(
            f"{title}: masked",
            "a token cannot attend to later tokens: the score is −∞, so the attention weight is 0",
            [Operand("row", int(row)), Operand("col", int(col))],
            "np.where(col > row, -np.inf, 0)",
            result,
        )
    scaled = trace.edits.score_scale
    explanation = explained(
        trace,
        title,
        "score = q · k / √d_head" if scaled else "score = q · k (the division by √d_head is off)",
        "q @ k / np.sqrt(d_head)" if scaled else "q @ k",
        result,
        q=f"trace.blocks[{layer}].q[{head}, {row}]",
        k=f"trace.blocks[{layer}].k[{trace.model.config.kv_head_of(head)}, {col}]",
        **({"d_head": "model.config.d_head"} if scaled else {}),
    )
    source = f"trace.blocks[{layer}].attention.scores[{head}, {row}, {col}]"
    return as_edited(explanation, trace, layer, "scores", source)


def pattern(
    trace: Trace, layer: int, head: int, row: int, col: int, *, block: str | None = None
) -> Explanation:
    """Return the fraction of its attention that token `row` gives to token `col`.

    block: the expression that gives the layer; None: it is the trace's own.
    """
    attention, block = row_of(trace, layer, row), block or f"trace.blocks[{layer}]"
    explanation = Explanation(
        f"Attention weight from {_place(trace, row)} to {_place(trace, col)}, layer {layer}, head {head}",
        "pattern = softmax(scores): e to the power of each score in this row, divided by their sum",
        [
            Operand("scores", attention.scores[head], f"{block}.attention.scores[{head}, {row}]"),
            Operand("col", int(col)),
        ],
        "np.exp(scores - scores.max())[col] / np.exp(scores - scores.max()).sum()",
        attention.pattern[head, col],
    )
    return as_edited(explanation, trace, layer, "pattern", f"{block}.attention.pattern[{head}, {row}, {col}]")


class Row(NamedTuple):
    """What one query does in all heads of a layer."""

    scores: Float[np.ndarray, "n_heads kv_seq"]
    pattern: Float[np.ndarray, "n_heads kv_seq"]


def row_of(trace: Trace, layer: int, query: int) -> Row:
    """Return one row of `block.attention.scores` and `.pattern`, without the others."""
    attention = trace.blocks[layer].attention_at(query)
    unseen = ((0, 0), (0, len(trace.tokens) - attention.k.shape[1]))
    scores = np.pad(attention.scores[:, 0], unseen, constant_values=-np.inf)
    return Row(scores, np.pad(attention.pattern[:, 0], unseen))


# --- the end of the model ---


def logit(trace: Trace, token: int) -> Explanation:
    """How well the last token's final vector fits one token of the vocabulary."""
    x = "trace.blocks[-1].resid_post[-1]"
    if trace.edits.norm:
        x = f"llmviz.ops.rms_norm({x}, model.weights.final_norm, eps=model.config.norm_eps)"
    title = f"Logit of {_piece(trace.model, token)} after {_place(trace, len(trace.tokens) - 1)}"
    formula = "logit = the last token's final vector · the token's column of W_U"
    w = f"model.weights.W_U[:, {token}]"
    return explained(trace, title, formula, "x @ w", trace.logits[token], x=x, w=w)


def prob(
    logits: Float[np.ndarray, " n_vocab"],
    token: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    piece: str | None = None,
    source: str = "trace.logits",
) -> Explanation:
    """The probability that the sampler draws `token`. Filters only choose which tokens share the whole.

    source: the expression that gives the logits.
    """
    sampler = Sampler(temperature, top_k, top_p, min_p)
    probs, is_own = sampler.probs(logits), sampler == Sampler()
    name = f"token {int(token)}" if piece is None else f"{quote(piece)} (id {token})"
    title = f"Probability of {'' if is_own else 'drawing '}{name}"
    operands = [Operand("logits", logits, source), Operand("token", int(token))]
    if temperature == 0:
        formula = "at temperature 0, the token with the largest logit has a probability of 1"
        return Explanation(title, formula, operands, "float(token == logits.argmax())", probs[token])
    operands.append(Operand("temperature", temperature))
    formula, z = "softmax(logits / temperature)", "np.exp((logits - logits.max()) / temperature)"
    given = {"top_k": top_k, "top_p": top_p, "min_p": min_p}
    filters = ", ".join(f"{name} = {value:g}" for name, value in given.items() if value is not None)
    if not filters:
        formula = f"probability = {formula}, over the whole vocabulary"
        return Explanation(title, formula, operands, f"{z}[token] / {z}.sum()", probs[token])
    operands.append(Operand("kept", probs > 0))
    formula += f" over the tokens that the filters keep ({filters}), and 0 for all others"
    line = f"{z}[token] * kept[token] / {z}[kept].sum()"
    return Explanation(
        title if probs[token] else f"{title}: filtered out", formula, operands, line, probs[token]
    )


def prob_after(
    logits: Float[np.ndarray, " n_vocab"], token: int, steps: Sequence[tuple[str, float]], *, piece: str
) -> Explanation:
    """The probability of `token` after steps of `sampling.chain` in any order."""
    if [name for name, _ in steps] == [name for name in STEPS if name in dict(steps)]:
        return prob(logits, token, piece=piece, **dict(steps))
    return Explanation(
        f"Probability of drawing {quote(piece)} (id {token})",
        f"softmax of the logits, then in this order: {' → '.join(f'{name} {value:g}' for name, value in steps)}",
        [Operand("logits", logits, "trace.logits"), Operand("token", token)],
        f"llmviz.sampling.chain(logits, {[*steps]})[-1].probs[token]",
        chain(logits, steps)[-1].probs[token],
    )


def _piece(model: Model, token: int) -> str:
    return f"{quote(model.tokenizer.pieces([int(token)])[0])} (id {int(token)})"


def _place(trace: Trace, position: int) -> str:
    return f"{quote(trace.pieces[position])} (position {position})"
