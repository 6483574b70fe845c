"""The numbers of one turn of the loop, from the text's tokens to the token that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from llmviz import ops, sampling
from llmviz.experiments.neurons import lengths_written
from llmviz.experiments.without_rope import periods
from llmviz.model import Trace
from llmviz.reuse import kept_with

MOST_TURNS = 50  # of a journey
N_SHOWN = 40  # columns that are drawn, for the first token and the last ones
N_BANDS = 192  # bands of rows into which the table is divided
N_TABLE = 24  # numbers that are drawn of a row of the table
N_NEURONS = 5  # that write most, for each column in each layer
N_LIKELIEST = 10
PAIRS = (0, 4, 8)  # pairs of numbers, turned by RoPE, that are drawn as clock hands
LOOK = 0.3  # Weaker attention weights are not named.
LONG = 3.0  # A column this many times as long as the median is off the colour scale: an attention sink.


@dataclass(frozen=True)
class Look:
    """The last token's largest attention weight in one layer, except on itself, sinks and a begin token."""

    place: int  # of the token that it attends to, in the whole text
    piece: str
    weight: float
    head: int


@dataclass(frozen=True)
class Prediction:
    """A possible next token."""

    token: int
    piece: str
    prob: float
    score: float  # its logit
    start: float  # where its segment begins if the probabilities of all tokens fill a line from 0 to 1


@dataclass(frozen=True, eq=False)
class Turn:
    """What happens to a text in one turn of the loop.

    The axis `shown` has the tokens with a column. On the axis `state`, 2l, 2l + 1 and 2l + 2 are resid_pre, resid_mid
    and resid_post of layer l.
    """

    tokens: list[int]  # of the whole text
    pieces: list[str]
    shown: list[int]  # positions of the tokens with a column
    written: int  # how many of the text's last tokens the journey itself has added
    sizes: dict[str, float]  # of the model
    tied: bool  # whether the output table is the embedding table
    every: int  # Of a column's d_model numbers, every so-manyth is drawn.
    streams: Float[np.ndarray, "state shown drawn"]
    lengths: Float[np.ndarray, "state shown"]  # norm of the whole column
    long: Bool[np.ndarray, "state shown"]  # whether that is more than LONG times the median
    # the value with full colour: the 97th percentile of the drawn numbers, without long columns
    scales: Float[np.ndarray, " state"]
    ffn_adds: Float[np.ndarray, "n_layers shown drawn"]
    adds: Float[np.ndarray, "two_n_layers shown"]  # norm of what attention (2l) and the FFN (2l + 1) add
    looks: Float[np.ndarray, "looks 5"]  # layer, from, to (indices into shown), head, weight
    rests: Float[np.ndarray, "n_layers shown shown"]  # mean weights of all heads on long columns, else 0
    strongest: list[Look | None]  # for each layer
    neurons: Int[np.ndarray, "n_layers shown k"]  # those that write most, the strongest first
    # the length of what each of them writes, divided by that of all that the FFN adds
    pushes: Float[np.ndarray, "n_layers shown k"]
    depths: list[tuple[str, float]]  # for each layer, the likeliest next token after it (logit lens)
    final: Float[np.ndarray, " drawn"]  # the last column after the final norm
    bands: Int[np.ndarray, " band"]  # the first row of each band of the table, evenly spaced in √row
    table: Float[np.ndarray, "band drawn_of_table"]  # that row
    matches: Float[np.ndarray, " band"]  # the highest logit in each band
    angles: Float[np.ndarray, "hand shown"]  # of the clock hands in PAIRS, in radians
    turns: list[float]  # how many tokens a whole turn of each hand takes
    likeliest: list[Prediction]
    others: float  # the probability of all other tokens
    seed: int
    random: float  # the number from 0 to 1 that picks the token
    drawn: Prediction
    ends: bool  # the drawn token ends the text, or nothing more fits


def turn(
    trace: Trace, *, seed: int = 1, written: int = 0, limit: int = N_SHOWN, most: int | None = None
) -> Turn:
    """Measure one turn of the loop.

    written: how many tokens earlier turns have added; so this draw is number written + 1 of the seed, as in
    `model.generate(seed=seed)`. limit: at most this many tokens get a column. most: how many tokens a text can have;
    None: as many as fit into the context window.
    """
    model, config, n = trace.model, trace.model.config, len(trace.tokens)
    keep = np.arange(n) if n <= limit else np.r_[0, n - limit + 1 : n]
    every = config.d_model // min(config.d_model, 32 if len(keep) <= 32 else 24)
    drawn = np.arange(0, config.d_model, every)
    states = [trace.blocks[0].resid_pre]
    states += [x for block in trace.blocks for x in (block.resid_mid, block.resid_post)]
    all_lengths = np.stack([np.linalg.norm(x, axis=1) for x in states])
    usual = np.median(all_lengths, axis=1)
    long = all_lengths > LONG * usual[:, None]
    begins = np.array(trace.tokens) == model.tokenizer.begin_token
    streams = np.stack([x[np.ix_(keep, drawn)] for x in states])

    looks, rests, strongest, neurons, pushes, ffn_adds, adds = [], [], [], [], [], [], []
    for layer, block in enumerate(trace.blocks):
        rest = long[2 * layer]
        pattern = block.attention.pattern  # n_heads seq kv_seq
        looks += [(layer, *look) for look in _looks(pattern[:, keep][:, :, keep], rest[keep])]
        rests.append(np.where(rest[keep], pattern.mean(axis=0)[np.ix_(keep, keep)], 0))
        strongest.append(_strongest(pattern[:, -1], rest | begins, trace.pieces))

        ffn = block.ffn_at(keep)
        push = lengths_written(config, model.weights.layers[layer], ffn.hidden)
        first = np.argsort(-push, axis=1, kind="stable")[:, :N_NEURONS]
        added = block.resid_post[keep] - block.resid_mid[keep]
        neurons.append(first)
        length = np.linalg.norm(added, axis=1)
        pushes.append(np.take_along_axis(push, first, axis=1) / np.maximum(length, 1e-9)[:, None])
        ffn_adds.append(added[:, drawn])
        adds += [np.linalg.norm(block.resid_mid[keep] - block.resid_pre[keep], axis=1), length]

    last = np.concatenate([block.resid_post[-1:] for block in trace.blocks])
    by_depth = ops.softmax(model.unembed(last, trace.edits))
    best = by_depth.argmax(axis=1)
    W_E, W_U = model.weights.W_E, model.weights.W_U
    bands = _bands(config.n_vocab)
    probs = sampling.Sampler().probs(trace.logits)
    ends = np.cumsum(probs, dtype=np.float64)
    likeliest = np.argsort(-probs, kind="stable")[:N_LIKELIEST]
    token = sampling.draw(probs, sampling.generator(seed, written))
    random = sampling.generator(seed, written).random()  # the number that `draw` used
    places = keep * float(trace.edits.position_scale) + float(trace.edits.position_shift)
    angles = 2 * np.pi * places[:, None] / periods(config) * trace.edits.rope
    pairs = [pair for pair in PAIRS if pair < angles.shape[1] and config.has_rope]
    sizes = ("n_layers", "n_heads", "n_kv_heads", "d_model", "d_ff", "n_vocab", "embedding_scale")
    return Turn(
        tokens=list(trace.tokens),
        pieces=list(trace.pieces),
        shown=keep.tolist(),
        written=written,
        sizes={size: getattr(config, size) for size in sizes},
        tied=bool(np.array_equal(W_U.T[bands], W_E[bands])),
        every=every,
        streams=streams,
        lengths=all_lengths[:, keep],
        long=long[:, keep],
        scales=np.array([full_colour(x[~pale]) for x, pale in zip(streams, long[:, keep])], np.float32),
        ffn_adds=np.stack(ffn_adds),
        adds=np.stack(adds),
        looks=np.array(looks, np.float32).reshape(-1, 5),
        rests=np.stack(rests),
        strongest=strongest,
        neurons=np.stack(neurons),
        pushes=np.stack(pushes),
        depths=[
            (piece, float(p)) for piece, p in zip(model.tokenizer.pieces(best.tolist()), by_depth.max(axis=1))
        ],
        final=model.final_normed(states[-1][-1:], trace.edits)[0, drawn],
        bands=bands,
        table=W_E[np.ix_(bands, drawn[:N_TABLE])],
        matches=np.maximum.reduceat(trace.logits, bands),
        angles=angles[:, pairs].T,
        turns=periods(config)[pairs].tolist(),
        likeliest=[_prediction(trace, probs, ends, int(token)) for token in likeliest],
        others=sampling.mass_outside(probs, len(likeliest)),
        seed=seed,
        random=float(random),
        drawn=_prediction(trace, probs, ends, token),
        ends=token == model.tokenizer.eos_token or n + 1 > (most or config.n_ctx),
    )


def _looks(
    pattern: Float[np.ndarray, "n_heads shown shown"], rest: Bool[np.ndarray, " shown"]
) -> list[tuple[int, int, int, float]]:
    """Return from, to, head and weight, for weights of LOOK or more on earlier tokens that are not attention sinks.

    Each pair of tokens counts once, with its strongest head; at most 10 + half the number of tokens are returned.
    """
    best, head = pattern.max(axis=0), pattern.argmax(axis=0)
    earlier = np.tri(len(best), k=-1, dtype=bool) & ~rest
    pairs = sorted(np.argwhere(earlier & (best >= LOOK)).tolist(), key=lambda pair: -best[tuple(pair)])
    return [(a, b, int(head[a, b]), float(best[a, b])) for a, b in pairs[: 10 + len(best) // 2]]


def _strongest(
    pattern: Float[np.ndarray, "n_heads kv_seq"], rest: Bool[np.ndarray, " kv_seq"], pieces: Sequence[str]
) -> Look | None:
    """Return the last token's largest attention weight on another token; None if all others are attention sinks."""
    allowed = np.where(rest, 0, pattern)[:, :-1]
    if not allowed.any():
        return None
    head, place = map(int, np.unravel_index(allowed.argmax(), allowed.shape))
    return Look(place, pieces[place], float(allowed[head, place]), head)


def full_colour(values: Float[np.ndarray, "*any"]) -> float:
    """Return the absolute value from which on numbers have full colour: the 97th percentile."""
    return max(float(np.quantile(np.abs(values), 0.97)), 1e-9) if values.size else 1.0


def _bands(n_vocab: int) -> Int[np.ndarray, " band"]:
    """Return the first rows of bands that are equally high in √row, so that small ids get more room."""
    steps = (np.arange(N_BANDS) / N_BANDS) ** 2 * n_vocab
    return np.unique(steps.astype(int))


def _prediction(trace: Trace, probs: np.ndarray, ends: np.ndarray, token: int) -> Prediction:
    """Return a possible next token. ends [n_vocab]: the cumulative sums of all probabilities."""
    start = float(ends[token - 1] / ends[-1]) if token else 0.0
    [piece] = trace.model.tokenizer.pieces([token])
    return Prediction(token, piece, float(probs[token]), float(trace.logits[token]), start)


@kept_with(most=2 * MOST_TURNS)
def later(trace: Trace, seed: int, written: int, most: int) -> Turn | None:
    """Return the turn after `written` tokens have been added to a text; None after the end. most: as for `turn`."""
    if not written:
        return turn(trace, seed=seed, most=most)
    before = later(trace, seed, written - 1, most)
    if before is None or before.ends:
        return None
    run = trace.model.trace([*before.tokens, before.drawn.token], trace.edits)
    return turn(run, seed=seed, written=written, most=most)


def telling_layer(turn: Turn) -> int:
    """Return the layer in which the last token attends most to one that is neither the first nor just before it, or
    -1 if none does."""
    last = len(turn.tokens) - 2
    far = [look.weight if look and 0 < look.place < last else 0.0 for look in turn.strongest]
    return int(np.argmax(far)) if max(far) > 0 else -1
