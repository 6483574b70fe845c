"""Experiments on the whole model: take a part away or put one back, and measure what becomes of the answer.

    direct attribution   the last norm's scale held as it was, the logit of a token is a plain sum over the blocks
    logit lens           the guess that the model would make at each depth
    switching off        one head at a time at zero, or a part at one token only
    swapping             what a part adds, taken from another run or from the mean of many (activation patching)
    path patching        what one head writes kept from one other head that reads it (Wang et al. 2022)
    what mattered        which tokens an answer rests on: its gradient, and leaving each token out
    knocking out         some heads may not look at some tokens (Geva et al. 2023)
    comparing            how far two runs, or two guesses, are apart
    turning back         one head's queries and keys, and where it would look, without RoPE
    rounding             a model whose matrices have fewer bits a number

Nothing here computes a stage: all of it runs the model with `Edits`, or reads a trace. What takes many runs is an
iterator, one run a step, that can be left at any of them. Negative positions count from the end.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from llmviz import attention, ops, training
from llmviz.edits import Edits, index_of, put, scale
from llmviz.model import Model, Trace
from llmviz.position import rotate, rotation_angles

AT_ONCE = 64  # rows of the lens in one product with the output table, which is read once for all of them


@dataclass(frozen=True, eq=False)
class LogitParts:
    """What each block's own words add to one token's logit. The parts sum to it."""

    embedding: float
    attention: Float[np.ndarray, " n_layers"]
    ffn: Float[np.ndarray, " n_layers"]
    total: float  # the sum of them all


def direction_of(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> np.ndarray:
    """The direction [d_model] in the stream that counts for a token's logit after `position`.

    logit = x · direction, for the last stream x. It holds the final norm's weight and the number by which that
    norm divides *in this run*: a fact about the whole stream, taken as given. `against`: the lead over that token, or
    over the mean of all logits.
    """
    W_U = trace.model.weights.W_U
    column = W_U[:, token].astype(np.float64)
    if against is not None:
        column = column - (W_U.mean(axis=1) if against == "mean" else W_U[:, against])
    return column * _held_norm(trace, position)


def _held_norm(trace: Trace, position: int) -> Float[np.ndarray, " d_model"] | float:
    """By what the final norm multiplies the stream after `position` in this run."""
    model, position = trace.model, index_of("position", position, len(trace.tokens))
    if not trace.edits.norm:
        return 1.0
    x = trace.blocks[-1].resid_post[position].astype(np.float64)
    return model.weights.final_norm / np.sqrt(np.square(x).mean() + model.config.norm_eps)


def direct_attribution(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> LogitParts:
    """How much the embedding and each attention and FFN block add, directly, to a token's logit after `position`.

    "Directly": what a block changes in later blocks counts as theirs. With `against`, the lead over that token, or over
    the mean of all logits: what all logits share moves no probability, and drops out. ValueError where blocks replace
    the stream or something in it was set or added by hand, since the stream is no sum of theirs then.
    """
    by_hand = trace.edits.resid or any(name.startswith("resid") for name, _ in trace.edits.at)
    if not trace.edits.residual or by_hand:
        raise ValueError("with these edits the stream is no sum of what the blocks add")
    direction = direction_of(trace, token, against=against, position=position)
    pre, mid, post = (
        np.stack([getattr(block, name)[position] for block in trace.blocks]).astype(np.float64)
        for name in ("resid_pre", "resid_mid", "resid_post")
    )
    attention, ffn = (mid - pre) @ direction, (post - mid) @ direction
    embedding = float(pre[0] @ direction)
    return LogitParts(embedding, attention, ffn, embedding + float(attention.sum() + ffn.sum()))


def neuron_attribution(
    trace: Trace, layer: int, token: int, *, against: int | None = None, position: int = -1
) -> Float[np.ndarray, " d_ff"]:
    """The same for the neurons of one layer: hidden_i * (W_down[i] · direction). They sum to the FFN's part.

    ValueError where `Edits.at` changes that sum itself, `ffn_out`.
    """
    if ("ffn_out", layer) in trace.edits.at:
        raise ValueError(f"with these edits the FFN of layer {layer} is no sum of what its neurons add")
    direction = direction_of(trace, token, against=against, position=position)
    scale = trace.edits.ffn.get(layer, 1)
    position = index_of("position", position, len(trace.tokens))
    hidden = trace.blocks[layer].ffn_at(slice(position, position + 1)).hidden[0]
    return scale * hidden * (trace.model.weights.layers[layer].W_down @ direction)


def head_writes(
    trace: Trace, layer: int, head: int, *, position: int = -1, source: int | None = None
) -> Float[np.ndarray, " d_model"]:
    """What one head adds to the stream at `position`; with `source`, the part of it that comes from that token.

    The parts from all tokens, weight * v @ W_O, sum to the whole. ValueError where `Edits.at` changes that sum itself,
    and for a layer, head or token that is not there.
    """
    index_of("layer", layer, len(trace.blocks), negative=False)
    index_of("head", head, trace.model.config.n_heads, negative=False)
    if ("attention_out", layer) in trace.edits.at or (source is not None and ("z", layer) in trace.edits.at):
        raise ValueError(f"with these edits the attention of layer {layer} is no sum of what its heads write")
    position = index_of("position", position, len(trace.tokens))
    run = trace.blocks[layer].attention_at(position)
    z = run.z[head, 0]
    if source is not None:
        source = index_of("source", source, len(trace.tokens))
        weight = run.pattern[head, 0, source] if source < run.pattern.shape[-1] else 0  # else masked
        handed_over = trace.blocks[layer].v[trace.model.config.kv_head_of(head), source]
        z = trace.edits.head.get((layer, head), 1) * weight * handed_over
    return trace.edits.attention.get(layer, 1) * (z @ trace.model.weights.layers[layer].W_O[head])


def head_attribution(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> Float[np.ndarray, "n_layers n_heads"]:
    """How much each head adds, directly, to a token's logit: those of a layer sum to its attention's part."""
    direction = direction_of(trace, token, against=against, position=position)
    layers, heads = range(len(trace.blocks)), range(trace.model.config.n_heads)
    return np.array(
        [
            [head_writes(trace, layer, head, position=position) @ direction for head in heads]
            for layer in layers
        ]
    )


def head_says(
    trace: Trace, layer: int, head: int, source: int, *, position: int = -1
) -> Float[np.ndarray, " n_vocab"]:
    """What a head would add, directly, to every logit after `position` if it gave all its weight to `source`.

    Its value there through W_O and the output table. The final norm is taken as in `direct_attribution`: its weight,
    and the number by which it divides in this run at `position`, held as it was. Times the weight that the head gives
    to `source` it is what the head does add from there.
    """
    model = trace.model
    index_of("layer", layer, len(trace.blocks), negative=False)
    source = index_of("source", source, len(trace.tokens))
    value = trace.blocks[layer].v[
        model.config.kv_head_of(index_of("head", head, model.config.n_heads, negative=False))
    ]
    written = value[source] @ model.weights.layers[layer].W_O[head]
    return (written * _held_norm(trace, position)).astype(np.float32) @ model.weights.W_U


@dataclass(frozen=True, eq=False)
class Lens:
    """The guess at each depth. Row 0 is the embedding, row l + 1 the stream after layer l."""

    guesses: Int[np.ndarray, "depth seq"]  # the likeliest token
    probs: Float[np.ndarray, "depth seq"]  # its probability
    last: Float[np.ndarray, "depth n_vocab"]  # all logits after the last position

    def ranks(self, tokens: Sequence[int]) -> Int[np.ndarray, "n_tokens depth"]:
        """The ranks of some tokens after the last position; 1 is first."""
        ranks = [(self.last > self.last[:, [token]]).sum(axis=1) + 1 for token in tokens]
        return np.array(ranks, np.int64).reshape(len(tokens), len(self.last))


def logit_lens(trace: Trace, *, last: int | None = None) -> Lens:
    """Read the guess out of the stream at each depth (logit lens, nostalgebraist 2020), for the `last` positions.

    ValueError if `last` is less than 1.
    """
    if last is not None and last < 1:
        raise ValueError(f"last must be 1 or more, got {last}")
    first = 0 if last is None else max(0, len(trace.tokens) - last)
    depths = [trace.blocks[0].resid_pre, *(block.resid_post for block in trace.blocks)]
    x = np.stack([depth[first:] for depth in depths])
    n_depths, seq, d_model = x.shape
    guesses, probs, ends = [], [], []
    for some in np.array_split(x, -(-n_depths * seq // AT_ONCE)):
        logits = trace.model.unembed(some.reshape(-1, d_model), trace.edits)
        guesses.append(logits.argmax(axis=-1))
        ends.append(logits[seq - 1 :: seq].copy())
        probs.append(ops.softmax(logits).max(axis=-1))
    shape = (n_depths, seq)
    return Lens(
        np.concatenate(guesses).reshape(shape), np.concatenate(probs).reshape(shape), np.concatenate(ends)
    )


def probability(trace: Trace, token: int) -> float:
    """The probability of a token as the next one."""
    return float(ops.softmax(trace.logits)[token])


def choose(model: Model, text: str, options: Sequence[str]) -> Float[np.ndarray, " n_options"]:
    """The probability of each option as the next token after a text, shared out among the options alone.

    ValueError for an option that is not one token.
    """
    tokens = [model.tokenizer.encode(option) for option in options]
    for option, found in zip(options, tokens):
        if len(found) != 1:
            raise ValueError(f"an option must be one token; {option!r} is {len(found)}")
    return ops.softmax(model.trace(text).logits[[token for (token,) in tokens]])


def token_logprobs(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """ln of the probability that each token of the text but the first had, given those before it; or of the last few.

    In float64, and finite however unlikely a token was. ValueError if `last` is negative.
    """
    if last is not None and last < 0:
        raise ValueError(f"last must be 0 or more, got {last}")
    n = len(trace.tokens) - 1 if last is None else min(last, len(trace.tokens) - 1)
    x, found = trace.blocks[-1].resid_post[-n - 1 : -1], np.empty(n)
    for start in range(0, n, AT_ONCE):  # all logits of a long text at once would fill the memory
        logits = trace.model.unembed(x[start : start + AT_ONCE], trace.edits).astype(np.float64)
        logits -= logits.max(axis=-1, keepdims=True)
        tokens = trace.tokens[len(trace.tokens) - n + start :][: len(logits)]
        right = logits[np.arange(len(logits)), tokens]
        found[start : start + AT_ONCE] = right - np.log(np.exp(logits).sum(axis=-1))
    return found


def surprisal(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """How surprising each token was after those before it, in bits: −log2 of its probability."""
    return -token_logprobs(trace, last=last) / np.log(2)


def token_probs(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """The probability that each token of the text but the first had, given those before it; or of the last few."""
    return np.exp(token_logprobs(trace, last=last))


def saliency(
    model: Model, text: str | Sequence[int] | Int[np.ndarray, " seq"], token: int | None = None
) -> Float[np.ndarray, " seq"]:
    """Which tokens mattered for an answer: gradient × input (Shrikumar et al. 2016), in nats.

    How fast ln of the probability of `token` (the likeliest, if not given) as the next one would change if a token's
    embedding grew: above 0, the token speaks for the answer, below, against it. A slope at the text as it is: it says
    little of what becomes of the answer without the token; that is `left_out`.
    """
    trace = model.trace(text)
    d_logits = -ops.softmax(trace.logits)
    d_logits[_answer(trace, token)] += 1
    gradients = training.input_gradients(model, trace.tokens, d_logits)
    return (gradients * trace.blocks[0].resid_pre).sum(axis=-1)


def left_out(
    model: Model, text: str | Sequence[int] | Int[np.ndarray, " seq"], token: int | None = None
) -> Iterator[tuple[int, float]]:
    """Each token left out in turn: yields its position, and how much ln of the answer's probability was higher with it.

    token: the answer; the likeliest after the whole text, if not given. In nats: above 0, the token speaks for the
    answer. All tokens after it move up by one place. The last first, since a run takes over all before the token.
    ValueError for a text of one token.
    """
    trace = model.trace(text)
    if len(trace.tokens) < 2:
        raise ValueError("a text of one token has none that could be left out")
    return _left_out(trace, _answer(trace, token))


def _left_out(trace: Trace, token: int) -> Iterator[tuple[int, float]]:
    whole, tokens = _log_probability(trace.logits, token), trace.tokens
    for at in reversed(range(len(tokens))):
        without = trace.model.trace([*tokens[:at], *tokens[at + 1 :]])
        yield at, whole - _log_probability(without.logits, token)


def _answer(trace: Trace, token: int | None) -> int:
    return (
        int(trace.logits.argmax())
        if token is None
        else index_of("token", token, len(trace.logits), negative=False)
    )


def _log_probability(logits: Float[np.ndarray, " n_vocab"], token: int) -> float:
    shifted = logits.astype(np.float64) - logits.max()
    return float(shifted[token] - np.log(np.exp(shifted).sum()))


def each_head_off(
    model: Model, tokens: Sequence[int], measure: Callable[[Trace], float], *, before: int | None = None
) -> Iterator[tuple[int, int, float]]:
    """Each attention head off in turn: yields its layer, its number, and what `measure` says of that run.

    before: only heads of the layers before this one. NaN where the numbers overflow. The last layer first, since a run
    takes over all layers before its edit.
    """
    return _each_head(model, tokens, lambda one: Edits(head={one: 0.0}), measure, before)


def _each_head(
    model: Model,
    tokens: Sequence[int],
    edits: Callable[[tuple[int, int]], Edits],
    measure: Callable[[Trace], float],
    before: int | None = None,
) -> Iterator[tuple[int, int, float]]:
    model.trace(tokens)  # so that there is something to take over
    for layer in reversed(range(model.config.n_layers if before is None else before)):
        for head in range(model.config.n_heads):
            yield layer, head, _measured(model, tokens, edits((layer, head)), measure)


def _measured(model: Model, tokens: Sequence[int], edits: Edits, measure: Callable[[Trace], float]) -> float:
    try:
        return measure(model.trace(tokens, edits))
    except FloatingPointError:
        return float("nan")


def cut_path(trace: Trace, writer: tuple[int, int], reader: tuple[int, int], into: str = "k") -> Edits:
    """Edits that keep what one head writes from one other head that reads it (path patching; Wang et al. 2022).

    writer, reader: (layer, head), the writer in an earlier layer. into: "q", "k" or "v" of the reader, whose layer
    reads the stream without the writer's part for that alone, at all tokens. All else stays: what the writer gives to
    any other head, to FFNs and to the layers between. Query heads that share a key/value head share its k and v, so the
    cut is made where heads are apart: in the reader's scores (q, k) or z (v). Only for the text of `trace`, and one cut
    a reader; cuts of several readers go one after the other, each on the trace with the cuts before.
    """
    (earlier, from_head), (layer, head) = writer, reader
    if into not in ("q", "k", "v"):
        raise ValueError(f'into must be "q", "k" or "v", got {into!r}')
    if not 0 <= earlier < layer < len(trace.blocks):
        raise ValueError(f"layer {layer} reads nothing that a head of layer {earlier} has written")
    for one in (from_head, head):
        index_of("head", one, trace.model.config.n_heads, negative=False)
    block, factor = trace.blocks[layer], trace.edits.attention.get(earlier, 1)
    z = trace.blocks[earlier].attention.z[from_head]
    written = factor * (z @ trace.model.weights.layers[earlier].W_O[from_head])
    without = _also(trace.edits, "resid_pre", layer, lambda x: x - written)
    for name in {"q", "k", "v"} - {into}:
        kept = getattr(block, name)
        without = _also(without, name, layer, lambda _, kept=kept: kept)
    name = "z" if into == "v" else "scores"
    cut = getattr(trace.model.trace(trace.tokens, without).blocks[layer].attention, name)[head]

    def in_its_place(array: np.ndarray) -> np.ndarray:
        array[head] = cut
        return array

    return _also(trace.edits, name, layer, in_its_place)


def _also(edits: Edits, name: str, layer: int, function: Callable[[np.ndarray], np.ndarray]) -> Edits:
    there = edits.at.get((name, layer), ())
    there = there if isinstance(there, Sequence) else (there,)
    return replace(edits, at={**edits.at, (name, layer): (*there, function)})


def induction_scores(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """`attention.induction_score` of all heads; NaN where no token of the text comes twice."""
    return np.stack([attention.induction_score(block.patterns(), trace.tokens) for block in trace.blocks])


def copying(model: Model, row: Sequence[int], edits: Edits | None = None) -> float:
    """The mean probability of the right next token in the second pass of a row of tokens that comes twice.

    Its first token is not counted: nothing tells that the row begins again. ValueError for less than two tokens.
    """
    if len(row) < 2:
        raise ValueError("a row to copy has two tokens or more")
    trace = model.trace([*row, *row], edits)
    return float(token_probs(trace, last=len(row) - 1).mean())


@dataclass(frozen=True, eq=False)
class Pair:
    """The run over a text, and that over its twin: the same tokens but for the one at `subject`."""

    trace: Trace
    other: Trace
    subject: int

    @property
    def answers(self) -> list[int]:
        """The likeliest next token of each."""
        return [int(run.logits.argmax()) for run in (self.trace, self.other)]

    def shares(self, edits: Edits | None = None) -> Float[np.ndarray, "2"]:
        """The probability of both answers in the text's run with these edits; NaN where its numbers overflow."""
        model, tokens = self.trace.model, self.trace.tokens
        model.trace(tokens)  # kept for reuse: the layers before the edits are taken from it
        try:
            return ops.softmax(model.trace(tokens, edits).logits)[self.answers]
        except FloatingPointError:
            return np.full(2, np.nan, np.float32)


def pair_of(model: Model, text: str | Sequence[int], other: int, subject: int = -2) -> Pair:
    """A text and its twin with the token `other` in the place of the one at `subject`."""
    trace = model.trace(text)
    subject = index_of("position", subject, len(trace.tokens))
    return Pair(trace, model.trace([*trace.tokens[:subject], other, *trace.tokens[subject + 1 :]]), subject)


def off_at(array: str, layers: Iterable[int], position: int, head: int | None = None) -> Edits:
    """Edits by which a part adds nothing at one token. array: "ffn_out", "attention_out", or "z" for a head."""
    return Edits(at={(array, layer): scale(0, positions=position, head=head) for layer in layers})


def swap_at(pair: Pair, array: str, layers: Iterable[int], position: int, head: int | None = None) -> Edits:
    """The same, but the part does at that token what it does there in the twin's run (activation patching)."""

    def does(layer: int) -> np.ndarray:
        block = pair.other.blocks[layer]
        if array == "ffn_out":
            return block.ffn_at(slice(position, position + 1)).out[0]
        run = block.attention_at(position)
        return run.out[0] if head is None else run.z[head, 0]

    return Edits(at={(array, layer): put(does(layer), positions=position, head=head) for layer in layers})


def blind(layers: Iterable[int], query: int, key: int) -> Edits:
    """Edits by which one token sees another no more, in all heads of some layers; see `looking_elsewhere`."""
    return _knocked_out(dict.fromkeys(layers, slice(None)), [key], query)


def put_in(pair: Pair, layer: int, positions: Iterable[int]) -> Edits:
    """Edits by which the stream at these tokens, before a layer, is that of the twin's run (Meng et al. 2022)."""
    return Edits(resid={(layer, at): pair.other.blocks[layer].resid_pre[at] for at in positions})


def mover(pair: Pair) -> tuple[int, int]:
    """The head (layer, head) that adds most, directly, to the answer's logit out of what it reads at the subject.

    Of all layers but the first and the last: with something before it to read, and an FFN of a later layer after it.
    """
    trace, config = pair.trace, pair.trace.model.config
    direction = direction_of(trace, pair.answers[0], against="mean")
    adds = {
        (layer, head): head_writes(trace, layer, head, source=pair.subject) @ direction
        for layer in range(1, config.n_layers - 1)
        for head in range(config.n_heads)
    }
    return max(adds, key=adds.get)


def stream_norms(trace: Trace) -> Float[np.ndarray, "depth seq"]:
    """The length of the stream at the input and after each layer."""
    return np.stack(
        [
            np.linalg.norm(x, axis=-1)
            for x in (trace.blocks[0].resid_pre, *(b.resid_post for b in trace.blocks))
        ]
    )


def before_rope(
    trace: Trace, layer: int, head: int
) -> tuple[Float[np.ndarray, "seq d_head"], Float[np.ndarray, "seq d_head"]]:
    """The queries and the keys of one head before RoPE: the model's own, with every hand turned back."""
    config, block, edits = trace.model.config, trace.blocks[layer], trace.edits
    q, k = block.q[head], block.k[config.kv_head_of(head)]
    if not edits.rope:
        return q, k
    places = np.arange(len(trace.tokens)) * edits.position_scale + edits.position_shift
    back = -rotation_angles(places, config.d_head, base=config.rope_base)
    return rotate(q, back), rotate(k, back)


def unturned_pattern(trace: Trace, layer: int, head: int) -> Float[np.ndarray, "seq seq"]:
    """Where one head of an unedited run would look, if RoPE turned nothing in its layer; NaN where masked.

    All it reads is left as it was: unlike `Edits(rope=False)`, which changes every layer before it too.
    """
    config, places = trace.model.config, np.arange(len(trace.tokens))
    back = -rotation_angles(places, config.d_head, base=config.rope_base)
    edits = Edits(at={(name, layer): lambda x: rotate(x, back) for name in ("q", "k")})
    pattern = trace.model.trace(trace.tokens, edits).blocks[layer].patterns(slice(head, head + 1))[0]
    return np.where(np.tri(len(places), dtype=bool), pattern, np.nan)


def relative_change(one: Trace, other: Trace) -> Float[np.ndarray, " n_layers"]:
    """How much the attention output at the last token differs, in each layer: |a - b| / |a|."""
    ends = [(a.attention.out[-1], b.attention.out[-1]) for a, b in zip(one.blocks, other.blocks)]
    return np.array([np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in ends])


def moved(before: Float[np.ndarray, " n_vocab"], after: Float[np.ndarray, " n_vocab"]) -> float:
    """The share of the probability that went to other tokens, 0 to 1 (total variation)."""
    return float(np.abs(before - after).sum() / 2)


def weights_from(trace: Trace, query: int) -> Float[np.ndarray, "n_layers n_heads seq"]:
    """What every head gives to each token from one query; NaN where masked."""
    n = len(trace.tokens)
    query = index_of("position", query, n)
    weights = np.stack([block.patterns(queries=slice(query, query + 1))[:, 0] for block in trace.blocks])
    if trace.edits.causal_mask:
        weights[:, :, query + 1 :] = np.nan
    return weights


def strongest(values: Float[np.ndarray, "n_layers n_heads"], n: int) -> list[tuple[int, int]]:
    """(layer, head) of the n largest, largest first; NaN never counts."""
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), axis=None, kind="stable")[:n]
    return [divmod(int(i), values.shape[1]) for i in order if not np.isnan(values.flat[i])]


def random_heads(
    shape: tuple[int, int], n: int, besides: Iterable[tuple[int, int]], seed: int
) -> list[tuple[int, int]]:
    """n heads (layer, head) of a model of `shape` [n_layers, n_heads], drawn from all but those in `besides`."""
    taken = set(besides)
    others = [one for one in np.ndindex(*shape) if one not in taken]
    picked = np.random.default_rng(seed).choice(len(others), min(n, len(others)), replace=False)
    return [others[i] for i in picked]


def random_tokens(model: Model, n: int, seed: int) -> list[int]:
    """n different tokens, none of the very rare and none of the special ones."""
    n_vocab = model.config.n_vocab
    pool = np.arange(min(1_000, n_vocab // 10), min(20_000, n_vocab))
    return np.random.default_rng(seed).choice(pool, n, replace=False).tolist()


def handed_over(trace: Trace, position: int = -1) -> Float[np.ndarray, "n_layers n_heads d_head"]:
    """z of every head at one token: the mixed values that it hands over there."""
    position = index_of("position", position, len(trace.tokens))
    return np.stack([block.attention_at(position).z[:, 0] for block in trace.blocks])


def swapped(
    z: Float[np.ndarray, "n_layers n_heads d_head"], heads: Iterable[tuple[int, int]], position: int = -1
) -> Edits:
    """Edits under which these heads (layer, head) hand over, at one token, what stands in `z` (activation patching).

    z: `handed_over` of another run, the mean of many, or zeros.
    """
    at = {}
    for layer, head in heads:
        at.setdefault(("z", layer), []).append(put(z[layer, head], positions=position, head=head))
    return Edits(at=at)


def looking_elsewhere(heads: Iterable[tuple[int, int]], sources: Sequence[int], position: int = -1) -> Edits:
    """Edits under which these heads (layer, head), at one token, may not look at the tokens `sources`.

    Their weights there are zero, and the others scaled up to sum to one (attention knockout; Geva et al. 2023). A head
    that has nothing else to look at hands over nothing.
    """
    of_layer: dict[int, list[int]] = {}
    for layer, head in heads:
        of_layer.setdefault(layer, []).append(head)

    return _knocked_out(of_layer, sources, position)


def _knocked_out(of_layer: Mapping[int, list[int] | slice], sources: Sequence[int], position: int) -> Edits:
    def hide(pattern: np.ndarray, some: list[int] | slice) -> np.ndarray:
        row = pattern[some, position]
        row[:, list(sources)] = 0
        total = row.sum(axis=-1, keepdims=True)
        pattern[some, position] = np.divide(row, total, out=np.zeros_like(row), where=total > 0)
        return pattern

    return Edits(
        at={("pattern", layer): functools.partial(hide, some=some) for layer, some in of_layer.items()}
    )


def each_head_swapped(
    model: Model,
    tokens: Sequence[int],
    z: Float[np.ndarray, "n_layers n_heads d_head"],
    measure: Callable[[Trace], float],
) -> Iterator[tuple[int, int, float]]:
    """Each head alone `swapped` at the last token: yields its layer, its number, and what `measure` says of that run.

    The last layer first, since a run takes over all layers before its edit.
    """
    return _each_head(model, tokens, lambda one: swapped(z, [one]), measure)


# Cells along one side of a small map; longer texts show the largest weight of each block of cells.
MAP_SIZE = 32


@dataclass(frozen=True, eq=False)
class Overview:
    """All heads of one run, small enough to draw."""

    maps: Float[np.ndarray, "n_layers n_heads size size"]  # NaN where masked
    step: int  # tokens along one side of a cell
    scores: Float[np.ndarray, "4 n_layers n_heads"]  # `attention.behaviours`


@functools.lru_cache(maxsize=2)  # the same sentence, with its first token and without
def overview(trace: Trace, hide_first: bool = False) -> Overview:
    """Every head's pattern, as a small map, and its measured behaviours."""
    config, seq = trace.model.config, len(trace.tokens)
    step = -(-seq // MAP_SIZE)
    size = -(-seq // step)
    maps = np.empty((config.n_layers, config.n_heads, size, size), np.float32)
    scores = np.empty((len(attention.BEHAVIOURS), config.n_layers, config.n_heads), np.float32)
    future = attention.future_mask(seq, seq) & trace.edits.causal_mask
    for layer, block in enumerate(trace.blocks):
        pattern = block.patterns()
        scores[:, layer] = attention.behaviours(pattern, trace.tokens)
        drawn = attention.without_first_token(pattern) if hide_first else pattern
        maps[layer] = largest_in_blocks(np.where(future, np.float32(np.nan), drawn), step)
    return Overview(maps, step, scores)


def largest_in_blocks(pattern: np.ndarray, step: int) -> np.ndarray:
    """The largest number of each step × step block of the last two axes; NaN only where all of it is NaN."""
    if step == 1:
        return pattern
    seq = pattern.shape[-1]
    size = -(-seq // step)
    room = ((0, 0), (0, size * step - seq), (0, size * step - seq))
    padded = np.pad(pattern, room, constant_values=np.nan).reshape(-1, size, step, size, step)
    return np.fmax.reduce(np.fmax.reduce(padded, axis=4), axis=2)


def to_first(trace: Trace) -> Float[np.ndarray, "n_layers n_heads seq"]:
    """What every head gives to the first token, from each token."""
    return np.stack([block.patterns()[..., 0] for block in trace.blocks])


def value_lengths(trace: Trace) -> Float[np.ndarray, " seq"]:
    """How long each token's value is, the mean over all layers and heads: sinks have short ones."""
    return np.mean([np.linalg.norm(block.v, axis=-1) for block in trace.blocks], axis=(0, 1))


def awake(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """How awake each head is: its weight on tokens that are no sinks, the mean over all tokens after the first.

    A sink is the first token, and any whose value in that head is less than half as long as the median one.
    """
    found = []
    for block in trace.blocks:
        lengths = np.linalg.norm(block.v, axis=-1)  # [n_kv_heads, seq]
        sink = lengths < np.median(lengths, axis=1, keepdims=True) / 2
        sink[:, 0] = True
        rests = np.repeat(sink, trace.model.config.group_size, axis=0)[:, None]
        found.append(np.where(rests, 0, block.patterns())[:, 1:].sum(axis=-1).mean(axis=-1))
    return np.array(found, np.float32)


def parameters(model: Model) -> dict[str, int]:
    """How many numbers training has set, by part of the model. A tied output table counts once."""
    w = model.weights
    parts = {"FFN": 0, "attention": 0, "embedding table": w.W_E.size, "norms": w.final_norm.size}
    if not np.shares_memory(w.W_E, w.W_U):
        parts["output table"] = w.W_U.size
    for layer in w.layers:
        parts["FFN"] += layer.W_gate.size + layer.W_up.size + layer.W_down.size
        parts["attention"] += layer.W_Q.size + layer.W_K.size + layer.W_V.size + layer.W_O.size
        parts["norms"] += layer.attention_norm.size + layer.ffn_norm.size
    return parts


# --- fewer bits a number ---------------------------------------------------------------------------------------------

GROUP = 32  # numbers that share one scale, as in GGUF's Q4_1


def round_numbers(
    W: Float[np.ndarray, "d_out d_in"], bits: float, shift: int = 0
) -> Float[np.ndarray, "d_out d_in"]:
    """Each group of 32 numbers of a row moved to the nearest of 2**bits evenly spaced values, from least to largest.

    Rows that 32 does not divide are one group each. The file's own kind, Q4_1, is this with 4 bits: such numbers stay
    where they are. With shift, the groups begin so many numbers further (the last one ends at the row's beginning), and
    4 bits are another grid. bits need not be whole: log2(11) gives 11 values. ValueError for less than 1 bit.
    """
    levels = round(2**bits)
    if levels < 2:
        raise ValueError(f"a number needs at least 1 bit; got {bits}")
    if shift:
        return np.roll(round_numbers(np.roll(W, -shift, axis=-1), bits), shift, axis=-1)
    groups = W.reshape(-1, GROUP if W.shape[-1] % GROUP == 0 else W.shape[-1])
    low = groups.min(axis=1, keepdims=True)
    step = (groups.max(axis=1, keepdims=True) - low) / np.float32(levels - 1)
    step[step == 0] = 1  # a group of equal numbers
    rounded = np.subtract(groups, low)
    rounded /= step
    np.rint(rounded, out=rounded)
    rounded *= step
    rounded += low
    return rounded.reshape(W.shape)


def rounded(model: Model, bits: float, *, table: bool = False, shift: int = 0) -> Model:
    """The model with the matrices of all layers rounded to so many bits, the norms as they are.

    shift: see `round_numbers`. table: W_E (and W_U) too. The copy is 4 bytes a number again, 425 MB for the default
    model's layers: rounding here shows what is lost, and saves nothing.
    """
    weights, d_model = model.weights, model.config.d_model

    def heads(W):  # a row as stored is one number of a head: [heads, d_head, d_model]
        return (
            round_numbers(W.swapaxes(1, 2).reshape(-1, d_model), bits, shift)
            .reshape(len(W), -1, d_model)
            .swapaxes(1, 2)
        )

    def rows(W):
        return round_numbers(np.ascontiguousarray(W.T), bits, shift).T

    layers = tuple(
        replace(
            w,
            **{name: heads(getattr(w, name)) for name in ("W_Q", "W_K", "W_V")},
            W_O=rows(w.W_O.reshape(-1, d_model)).reshape(w.W_O.shape),
            **{name: rows(getattr(w, name)) for name in ("W_gate", "W_up", "W_down")},
        )
        for w in weights.layers
    )
    ends = {}
    if table:
        ends["W_E"] = round_numbers(weights.W_E, bits, shift)
        tied = np.may_share_memory(weights.W_E, weights.W_U)
        ends["W_U"] = ends["W_E"].T if tied else rows(weights.W_U)
    new = Model(replace(weights, layers=layers, **ends))
    new.recent.max_bytes = 0
    vars(new)["tokenizer"] = model.tokenizer  # the same: a second one would be 28 MB
    return new
