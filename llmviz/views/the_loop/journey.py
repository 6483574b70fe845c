"""The journey of a text through the model, as one continuous picture.

The text is cut, each id picks a row of the table, the rows stand up as columns and rise through the layers, the last
column is held against the table, a dart picks a token, and it joins the text. `journey` takes the numbers of all that
from a trace; `Journey` is the picture, which plays, stops anywhere and needs no kernel for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import traitlets
from jaxtyping import Bool, Float, Int

from llmviz import ops, position, sampling
from llmviz.model import Model, Trace, load, norm
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Picture, lines, one_at_a_time
from llmviz.views.kit.pieces import marked, quote, visible
from llmviz.views.kit.text_box import most_tokens

N_SHOWN = 40  # columns that are sent: the first token's and the last ones'
N_BANDS = 192  # stretches of the table, as the picture shows it
N_TABLE = 24  # numbers of a row of the table
N_NEURONS = 5  # of each column in each layer: those that write most
N_LIKELIEST = 10
PAIRS = (0, 4, 8)  # the clock hands drawn: pairs of numbers that RoPE turns
LOOK = 0.3  # a look weaker than that is not named
LONG = 3.0  # a column longer than that many times the usual length is off the colour scale: a resting place


@dataclass(frozen=True)
class Look:
    """The last token's strongest look in one layer, at a token that is no resting place and not itself."""

    place: int  # of the token looked at, in the whole text
    piece: str
    weight: float
    head: int


@dataclass(frozen=True)
class Guess:
    """A token as the next one."""

    token: int
    piece: str
    prob: float
    score: float  # its logit
    start: float  # where its part of the line from 0 to 1 begins, all tokens being laid end to end


@dataclass(frozen=True, eq=False)
class Numbers:
    """Everything the journey draws. `shown`: which tokens have a column; `state` 2l, 2l + 1 and 2l + 2 are layer l's
    resid_pre, resid_mid and resid_post."""

    tokens: list[int]  # of the whole text
    pieces: list[str]
    shown: list[int]  # places of the tokens with a column
    written: int  # how many of the text's last tokens the journey itself has added
    sizes: dict[str, int]  # of the model
    tied: bool  # the table at the end is the one at the start
    every: int  # of a column's d_model numbers each so many-th is drawn
    streams: Float[np.ndarray, "state shown drawn"]
    lengths: Float[np.ndarray, "state shown"]  # norm of the whole column
    usual: Float[np.ndarray, " state"]  # the median length of the text's columns
    long: Bool[np.ndarray, "state shown"]  # more than LONG times as long as that
    # full colour: the 97th percentile of the drawn numbers, long columns left out
    scales: Float[np.ndarray, " state"]
    ffn_adds: Float[np.ndarray, "n_layers shown drawn"]
    adds: Float[np.ndarray, "two_n_layers shown"]  # norm of what attention (2l) and the FFN (2l + 1) add
    looks: Float[np.ndarray, "looks 5"]  # layer, from, to (indices into shown), head, weight
    rests: Float[np.ndarray, "n_layers shown shown"]  # to long columns only: weight, the mean of all heads
    strongest: list[Look | None]  # one a layer
    neurons: Int[np.ndarray, "n_layers shown k"]  # those that write most, the strongest first
    # |hidden_i| times the norm of W_down[i], as a share of adds
    pushes: Float[np.ndarray, "n_layers shown k"]
    guesses: list[tuple[str, float]]  # one a layer: the likeliest next token at that depth (logit lens)
    final: Float[np.ndarray, " drawn"]  # the last column after the final norm
    bands: Int[np.ndarray, " band"]  # the first row of each stretch of the table, evenly spaced in √row
    table: Float[np.ndarray, "band drawn_of_table"]  # that row
    matches: Float[np.ndarray, " band"]  # the best score in each stretch
    angles: Float[np.ndarray, "hand shown"]  # of the clock hands in PAIRS, in radians
    turns: list[float]  # tokens for a whole turn of each hand
    likeliest: list[Guess]
    others: float  # probability of all tokens but these
    seed: int
    dart: float  # the random number, 0 to 1
    drawn: Guess
    ends: bool  # the drawn token ends the text, or nothing more fits


def journey(trace: Trace, *, seed: int = 1, written: int = 0, limit: int = N_SHOWN) -> Numbers:
    """The numbers of one turn of the loop.

    seed: of the darts' random numbers; written: how many tokens the journey has added before, so that this dart is
    the (written + 1)-th of the seed, as in `model.generate(seed=seed)`. limit: at most so many tokens get a column.
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
    streams = np.stack([x[np.ix_(keep, drawn)] for x in states])

    looks, rests, strongest, neurons, pushes, ffn_adds, adds = [], [], [], [], [], [], []
    for layer, block in enumerate(trace.blocks):
        rest = long[2 * layer]
        pattern = block.attention.pattern  # n_heads seq kv_seq
        looks += [(layer, *look) for look in _looks(pattern[:, keep][:, :, keep], rest[keep])]
        rests.append(np.where(rest[keep], pattern.mean(axis=0)[np.ix_(keep, keep)], 0))
        strongest.append(_strongest(pattern[:, -1], rest, trace.pieces))

        ffn = block.ffn_at(keep)
        push = np.abs(ffn.hidden) * np.linalg.norm(model.weights.layers[layer].W_down, axis=1)
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
    guesses = _Line(model, trace.logits, probs)
    likeliest = np.argsort(-probs, kind="stable")[:N_LIKELIEST]
    token = sampling.draw(probs, sampling.generator(seed, written))
    dart = sampling.generator(seed, written).random()  # the very number that `draw` has used
    places = keep * float(trace.edits.position_scale) + float(trace.edits.position_shift)
    angles = position.rotation_angles(places, config.d_head, base=config.rope_base)
    pairs = [pair for pair in PAIRS if pair < angles.shape[1]]
    steps = position.rotation_angles(np.array([1.0]), config.d_head, base=config.rope_base)[0, pairs]
    sizes = ("n_layers", "n_heads", "n_kv_heads", "d_model", "d_ff", "n_vocab")
    return Numbers(
        tokens=list(trace.tokens),
        pieces=list(trace.pieces),
        shown=keep.tolist(),
        written=written,
        sizes={size: getattr(config, size) for size in sizes},
        tied=bool(np.array_equal(W_U.T[bands], W_E[bands])),
        every=every,
        streams=streams,
        lengths=all_lengths[:, keep],
        usual=usual,
        long=long[:, keep],
        scales=np.array([_full_colour(x[~pale]) for x, pale in zip(streams, long[:, keep])], np.float32),
        ffn_adds=np.stack(ffn_adds),
        adds=np.stack(adds),
        looks=np.array(looks, np.float32).reshape(-1, 5),
        rests=np.stack(rests),
        strongest=strongest,
        neurons=np.stack(neurons),
        pushes=np.stack(pushes),
        guesses=[
            (piece, float(p)) for piece, p in zip(model.tokenizer.pieces(best.tolist()), by_depth.max(axis=1))
        ],
        final=norm(states[-1][-1:], model.weights.final_norm, config, trace.edits)[0, drawn],
        bands=bands,
        table=W_E[np.ix_(bands, drawn[:N_TABLE])],
        matches=np.maximum.reduceat(trace.logits, bands),
        angles=(angles if trace.edits.rope else 0 * angles)[:, pairs].T,
        turns=(2 * np.pi / steps).tolist(),
        likeliest=[guesses.of(int(one)) for one in likeliest],
        others=sampling.mass_outside(probs, len(likeliest)),
        seed=seed,
        dart=float(dart),
        drawn=guesses.of(token),
        ends=token == model.tokenizer.eos_token or n + 1 > most_tokens(model),
    )


def _looks(
    pattern: Float[np.ndarray, "n_heads shown shown"], rest: Bool[np.ndarray, " shown"]
) -> list[tuple[int, int, int, float]]:
    """from, to, head and weight of the looks of LOOK or more at earlier tokens that are no resting places: of each
    pair the head that looks most strongly, of all pairs the strongest 10 + half as many as there are tokens."""
    best, head = pattern.max(axis=0), pattern.argmax(axis=0)
    earlier = np.tri(len(best), k=-1, dtype=bool) & ~rest
    pairs = sorted(np.argwhere(earlier & (best >= LOOK)).tolist(), key=lambda pair: -best[tuple(pair)])
    return [(a, b, int(head[a, b]), float(best[a, b])) for a, b in pairs[: 10 + len(best) // 2]]


def _strongest(
    pattern: Float[np.ndarray, "n_heads kv_seq"], rest: Bool[np.ndarray, " kv_seq"], pieces: Sequence[str]
) -> Look | None:
    """The strongest look of the last token at another one; None where all others are resting places."""
    allowed = np.where(rest, 0, pattern)[:, :-1]
    if not allowed.any():
        return None
    head, place = np.unravel_index(allowed.argmax(), allowed.shape)
    return Look(int(place), pieces[place], float(allowed[head, place]), int(head))


def _full_colour(values: Float[np.ndarray, "*any"]) -> float:
    return max(float(np.quantile(np.abs(values), 0.97)), 1e-9) if values.size else 1.0


def _bands(n_vocab: int) -> Int[np.ndarray, " band"]:
    """The first rows of stretches that are equally high in √row: small ids, which stand close, get more room."""
    steps = (np.arange(N_BANDS) / N_BANDS) ** 2 * n_vocab
    return np.unique(steps.astype(int))


class _Line:
    """All tokens end to end, in the order of the table, each as long as it is likely."""

    def __init__(self, model: Model, logits: np.ndarray, probs: np.ndarray):
        self._model, self._logits, self._probs = model, logits, probs
        ends = np.cumsum(probs, dtype=np.float64)
        self._ends, self._total = ends, float(ends[-1])

    def of(self, token: int) -> Guess:
        prob = float(self._probs[token])
        start = (float(self._ends[token - 1]) if token else 0.0) / self._total
        piece = self._model.tokenizer.pieces([token])[0]
        return Guess(token, piece, prob, float(self._logits[token]), start)


# --- for the page ----------------------------------------------------------------------------------------------------


def _named(piece: str) -> str:
    """`marked`, with the one blank that has a name people know instead of a number."""
    return marked(piece).replace("‹U+00A0›", "nbsp")


def _bytes(array: np.ndarray, kind: type) -> dict:
    return {"shape": list(array.shape), "kind": np.dtype(kind).name, "data": array.astype(kind).tobytes()}


def _signed(array: np.ndarray, scale: float | np.ndarray) -> dict:
    """One byte a number: 80 is full colour; beyond that 127 is the end."""
    return _bytes(np.clip(np.rint(array / scale * 80), -127, 127), np.int8)


def _shares(array: np.ndarray) -> dict:
    return _bytes(np.clip(np.rint(array * 255), 0, 255), np.uint8)


def _guess(guess: Guess) -> dict:
    return {**vars(guess), "piece": _named(guess.piece)}


def for_page(numbers: Numbers) -> dict:
    """The numbers as the page gets them: columns in one byte a number (the picture shows their colours, of which
    there are 255), the rest as it is drawn. About 40 kB for 7 tokens, 150 kB for 40."""
    n = numbers
    after = n.scales[2::2, None, None]
    looks = n.looks.copy()
    looks[:, 4] *= 1000
    resting = np.flatnonzero(n.rests.any(axis=(0, 1)))
    highest = np.maximum(n.pushes.max(axis=(1, 2), keepdims=True), 1e-9)
    return {
        "tokens": [n.tokens[i] for i in n.shown],
        "pieces": [_named(n.pieces[i]) for i in n.shown],
        "shown": n.shown,
        "n": len(n.tokens),
        "written": n.written,
        "sizes": n.sizes,
        "tied": n.tied,
        "every": n.every,
        "streams": _signed(n.streams, n.scales[:, None, None]),
        "scales": n.scales.tolist(),
        "lengths": _bytes(n.lengths, np.float32),
        "usual": n.usual.tolist(),
        "long": _bytes(n.long, np.uint8),
        "ffnAdds": _signed(n.ffn_adds, after),
        "adds": _bytes(n.adds, np.float32),
        "looks": _bytes(np.rint(looks), np.uint16),
        "resting": resting.tolist(),
        "rests": _shares(n.rests[:, :, resting]),
        "restShares": _rest_shares(n),
        "strongest": [look and {**vars(look), "piece": _named(look.piece)} for look in n.strongest],
        "neurons": _bytes(n.neurons, np.uint16),
        "pushes": _shares(n.pushes / highest),
        "guesses": [[_named(piece), p] for piece, p in n.guesses],
        "final": _signed(n.final, _full_colour(n.final)),
        "bands": n.bands.tolist(),
        "table": _signed(n.table, _full_colour(n.table)),
        "matches": _bytes(n.matches, np.float32),
        "angles": _bytes(n.angles, np.float32),
        "turns": n.turns,
        "likeliest": [_guess(guess) for guess in n.likeliest],
        "others": n.others,
        "dart": n.dart,
        "drawn": _guess(n.drawn),
        "ends": n.ends,
        "telling": telling_layer(n),
    }


def _rest_shares(numbers: Numbers) -> list[float]:
    """In each layer: how much of the later tokens' attention rests on long columns, the mean of the shown ones."""
    return numbers.rests.sum(axis=2)[:, 1:].mean(axis=1).tolist() if len(numbers.shown) > 1 else []


def telling_layer(numbers: Numbers) -> int:
    """Where the last token looks most strongly at one that is neither the first nor just before it; -1 where it never
    does."""
    far = [
        look.weight if look and 0 < look.place < len(numbers.tokens) - 2 else 0.0
        for look in numbers.strongest
    ]
    return int(np.argmax(far)) if max(far) > 0 else -1


# --- the picture -----------------------------------------------------------------------------------------------------


def _sent(numbers: Numbers | None, _picture: Journey) -> dict | None:
    return None if numbers is None else for_page(numbers)


class Journey(Picture):
    """One turn of the loop as a picture that plays: cut, look up, stand up, place, layers, compare, pick; and again.

    text: a text, a `Trace`, or any view with a `trace` (such as `Prompt`), which it then follows. seed: of the darts.
    Arrow keys go from stop to stop, Page Up and Down from scene to scene, Space plays. `model` is asked for
    only where `text` is a text.
    """

    _static = "journey"
    _by_page = ("turn",)
    _data = ("numbers",)

    numbers = traitlets.Instance(Numbers, allow_none=True).tag(sync=True, to_json=_sent)
    next_numbers = traitlets.Instance(Numbers, allow_none=True).tag(sync=True, to_json=_sent)
    turn = traitlets.Int(0).tag(sync=True)  # how many tokens the page has added; it asks for the next one
    seed = traitlets.Int(1, min=0)

    def __init__(
        self, text: str | Trace | traitlets.HasTraits, *, seed: int = 1, model: Model | None = None, **traits
    ):
        super().__init__(**{"stage": "sampling", "seed": seed, **traits})
        self._turns: list[Numbers] = []  # this one and those that follow from it
        source = (model or load()).trace(text) if isinstance(text, str) else text
        self.observe(self._go_on, "turn")
        self.observe(lambda _: self.show(self._trace), "seed")
        self.follow(source, self.show)

    def page_values(self) -> dict[str, list]:
        """What the page can send, one turn after the other: as many as a page without a kernel holds."""
        return {"turn": [1, 2, 3, 4]}

    @one_at_a_time
    def show(self, trace: Trace) -> None:
        """Another text's journey, from the same place in it."""
        self._trace = trace
        numbers = journey(trace, seed=self.seed)
        self._turns = [numbers]
        self.change(numbers=numbers, next_numbers=None, turn=0)

    @one_at_a_time
    def _go_on(self, change) -> None:
        """The page throws its dart: have the next journey ready, whose text is one token longer."""
        if not 0 < change["new"] <= len(self._turns):
            return
        before = self._turns[change["new"] - 1]
        if before.ends:
            return
        if change["new"] == len(self._turns):
            trace = self._trace.model.trace([*before.tokens, before.drawn.token], self._trace.edits)
            self._turns.append(journey(trace, seed=self.seed, written=change["new"]))
        self.next_numbers = self._turns[change["new"]]

    def headline(self) -> str:
        if self.numbers is None:
            return ""
        n = self.numbers
        return (
            f"The journey of {_count(len(n.tokens))} through {n.sizes['n_layers']} layers to the next one, "
            "as a picture that plays; what it shows stands behind it in words."
        )

    def text(self) -> str:
        n = self.numbers
        if n is None:
            return "no journey yet"
        rows = [
            ("layer", "likeliest next", "probability", "strongest look of the last token (*)"),
            *(
                (layer, _visible(piece), percent(p), _told(look))
                for layer, ((piece, p), look) in enumerate(zip(n.guesses, n.strongest))
            ),
        ]
        return "\n\n".join(
            [
                f"{_count(len(n.tokens))}, each with its number:\n"
                + ", ".join(f"{_visible(piece)} {token}" for piece, token in zip(n.pieces, n.tokens)),
                lines(rows)
                + "\n(*) not counting itself and resting places, whose columns are far longer than the others",
                "likeliest next tokens:\n"
                + lines((_visible(guess.piece), percent(guess.prob)) for guess in n.likeliest)
                + f"\nall others: {percent(n.others)}",
                f"the dart (seed {n.seed}): {n.dart:.4f} picks {_quote(n.drawn.piece)}, "
                f"{percent(n.drawn.prob)}",
            ]
        )


def _told(look: Look | None) -> str:
    return "none" if look is None else f"{_quote(look.piece)}, head {look.head}, {percent(look.weight)}"


def _visible(piece: str) -> str:
    return visible(piece).replace("‹U+00A0›", "no-break space")


def _quote(piece: str) -> str:
    return quote(piece).replace("‹U+00A0›", "no-break space")


def _count(n: int) -> str:
    return "1 token" if n == 1 else f"{n:,} tokens"
