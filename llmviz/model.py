"""The whole model: the six stages in a row, and the loop around them.

    tokens  = tokenizer.encode(text)
    x       = embed(tokens)                                  [seq, d_model], the residual stream
    in each of the layers:
        x = x + attention(rms_norm(x))                       tokens attend to each other (RoPE inside)
        x = x + ffn(rms_norm(x))                             each token on its own
    logits  = unembed(rms_norm(x[-1]))                       [n_vocab], a score for every possible next token
    append a token drawn from softmax(logits), and again

(A pre-norm transformer decoder: Vaswani et al. 2017, Xiong et al. 2020; with RMSNorm, RoPE, SwiGLU and grouped
queries as in Llama, Touvron et al. 2023. What other families do in another way, `Config` says: an array or option that
Llama does not have reaches the stage function that it concerns.)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from weakref import WeakValueDictionary, ref

import numpy as np
from jaxtyping import Complex, Float, Int, Real

from llmviz import (
    attention,
    download,
    embeddings,
    ffn,
    local_models,
    model_files,
    ops,
    position,
    sampling,
    tokenization,
    weights,
)
from llmviz.attention import AttentionTrace
from llmviz.edits import Edits, index_of
from llmviz.ffn import FFNTrace
from llmviz.ops import LowRank
from llmviz.reuse import Recent
from llmviz.sampling import Sampler
from llmviz.threads import share_cores
from llmviz.tokenization import Tokenizer
from llmviz.weights import Config, LayerWeights, Weights

# A norm adds up the squares of hundreds of numbers of the stream. Above this bound, that overflows float32.
TOO_LARGE = 1e17

# Of runs side by side. A short run takes most of its time to fetch the weights, which several can share.
ROWS = 128

# In one block of attention. Its scores, 1 MB for 512 keys and 9 heads, then stay in the processor's cache.
QUERIES = 64

Edit = Callable[[str, np.ndarray], np.ndarray]  # what replaces an array, by its name; see `Edits.apply`
NO_EDITS = Edits()


# --- one layer -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class BlockForward:
    """Every array of one layer's forward pass that the run keeps or that training needs for the backward pass.

    A row is a token. If several texts run side by side, each may have its own heads in q, k, v and pattern.
    """

    resid_pre: Float[np.ndarray, "rows d_model"]
    normed: Float[np.ndarray, "rows d_model"]
    q: Float[np.ndarray, "heads seq d_head"]  # q, k and v as attention used them
    k: Float[np.ndarray, "kv_heads kv_seq d_head"]
    v: Float[np.ndarray, "kv_heads kv_seq d_head"]
    pattern: Float[np.ndarray, "heads seq kv_seq"] | None  # where `attend` keeps it
    z: Float[np.ndarray, "n_heads rows d_head"]
    resid_mid: Float[np.ndarray, "rows d_model"]
    mid_normed: Float[np.ndarray, "rows d_model"]
    gate: Float[np.ndarray, "rows d_ff"] | None
    up: Float[np.ndarray, "rows d_ff"]
    hidden: Float[np.ndarray, "rows d_ff"]
    resid_post: Float[np.ndarray, "rows d_model"]


# From queries, keys and values to q, k and v as they were used, the pattern if it should be kept, and z.
Attended = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]
Attend = Callable[[np.ndarray, np.ndarray, np.ndarray], Attended]


def feed_forward(
    w: LayerWeights,
    config: Config,
    normed: Float[np.ndarray, "seq d_model"],
    edits: Edits,
    edit: Edit,
    changes: Mapping[str, LowRank] = ffn.NO_CHANGES,
) -> FFNTrace:
    """Run the layer's FFN on the normed stream."""
    share_cores()
    after = partial(norm, weight=w.ffn_post_norm, config=config, edits=edits)
    return ffn.swiglu(
        normed,
        w.W_gate,
        w.W_up,
        w.W_down,
        b_up=w.b_up,
        b_down=w.b_down,
        activation=config.activation,
        changes=changes,
        after=after,
        edit=edit,
    )


def block_forward(
    w: LayerWeights,
    config: Config,
    x: Float[np.ndarray, "rows d_model"],
    rotations: Complex[np.ndarray, "rows n_pairs"] | None,
    attend: Attend,
    *,
    changes: Mapping[str, LowRank] = ffn.NO_CHANGES,
    edits: Edits = NO_EDITS,
    edit: Edit = ops.unchanged,
) -> BlockForward:
    """Run one layer over the rows of x: the forward pass of the model, of training and of many texts at once.

    rotations: RoPE's, of each row's position (`position.rotations`), or None. attend: decides which keys a
    query meets. changes: what fine-tuning has changed in the FFN, by the names of its matrices. edits says whether to
    norm and to add; edit(name, array) returns what replaces an array, by the names of `edits.ARRAYS`.
    """
    share_cores()
    x = edit("resid_pre", x)
    normed = norm(x, w.attention_norm, config, edits, w.attention_norm_bias)
    q, k, v = queries_keys_values(w, config, normed, rotations, edits)
    q, k, v, pattern, z = attend(edit("q", q), edit("k", k), edit("v", v))
    out = norm(attention.output(z, w.W_O, w.b_O), w.attention_post_norm, config, edits)
    out = edit("attention_out", out)
    if edits.residual:
        out += x  # in place, because new memory costs more than the sum
    resid_mid = edit("resid_mid", out)
    mid_normed = norm(resid_mid, w.ffn_norm, config, edits, w.ffn_norm_bias)
    f = feed_forward(w, config, mid_normed, edits, edit, changes)
    out = f.out
    if edits.residual:
        out += resid_mid
    resid_post = edit("resid_post", out)
    return BlockForward(
        x, normed, q, k, v, pattern, z, resid_mid, mid_normed, f.gate, f.up, f.hidden, resid_post
    )


def queries_keys_values(
    w: LayerWeights,
    config: Config,
    normed: Float[np.ndarray, "rows d_model"],
    rotations: Complex[np.ndarray, "rows n_pairs"] | None,
    edits: Edits,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each head's queries, keys and values, as attention uses them."""
    q, k, v = (
        attention.project(normed, W, bias) for W, bias in ((w.W_Q, w.b_Q), (w.W_K, w.b_K), (w.W_V, w.b_V))
    )
    # Some families give each head's queries and keys a standard length (Qwen 3, Gemma 3).
    q, k = norm(q, w.q_norm, config, edits), norm(k, w.k_norm, config, edits)
    if rotations is not None:
        q, k = (position.rotate_by(x, rotations, split_halves=config.split_halves) for x in (q, k))
    return q, k, v


def embedded(
    weights: Weights, tokens: Sequence[int] | Int[np.ndarray, " rows"], places: Int[np.ndarray, " rows"]
) -> Float[np.ndarray, "rows d_model"]:
    """Return the stream before the first layer, of tokens at some positions."""
    x = embeddings.embed(tokens, weights.W_E, scale=weights.config.embedding_scale)
    return x if weights.W_pos is None else x + position.learned_encoding(places, weights.W_pos)


def angles_at(
    config: Config, places: Real[np.ndarray, " rows"], layer: int
) -> Float[np.ndarray, "rows n_pairs"]:
    """Return RoPE's angles of a layer's queries and keys at some positions."""
    base = config.rope_base_of(layer)
    factors = config.rope_factors if base == config.rope_base else ()
    return position.rotation_angles(places, config.d_head, base=base, factors=factors)


def turned(
    config: Config, layer: int, x: Float[np.ndarray, "*heads rows d_head"], places: Real[np.ndarray, " rows"]
) -> Float[np.ndarray, "*heads rows d_head"]:
    """Return a layer's queries or keys, turned on by RoPE to these positions; unchanged in a layer without RoPE."""
    if not config.rope_base_of(layer):
        return x
    return position.rotate(x, angles_at(config, places, layer), split_halves=config.split_halves)


def rotations_at(
    config: Config, places: Real[np.ndarray, " rows"], dtype: np.dtype
) -> list[Complex[np.ndarray, "rows n_pairs"] | None]:
    """Return each layer's rotations at some positions, None for a layer without RoPE. Layers of one base share them."""
    bases = [config.rope_base_of(layer) for layer in range(config.n_layers)]
    of_base = {
        base: position.rotations(angles_at(config, places, bases.index(base)), dtype) if base else None
        for base in set(bases)
    }
    return [of_base[base] for base in bases]


def rules_of(config: Config, layer: int) -> attention.Rules:
    """Return what a layer's scores do in another way than Llama's."""
    return attention.Rules(config.score_divisor, config.score_cap, config.window_of(layer))


def norm(
    x: np.ndarray, weight: np.ndarray | None, config: Config, edits: Edits, bias: np.ndarray | None = None
) -> np.ndarray:
    """Return the RMSNorm of x, or the LayerNorm if there is a bias.

    It is x itself in a family without this norm (its weight is None), or if the edits switch all norms off.
    """
    if weight is None or not edits.norm:
        return x
    if bias is not None:
        return ops.layer_norm(x, weight, bias, eps=config.norm_eps)
    return ops.rms_norm(x, weight, eps=config.norm_eps)


# --- one layer of a run ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class BlockTrace:
    """One layer of one run. It keeps what the next layers read, and computes the other steps again on demand.

    These arrays are read-only, because later runs reuse them: change a copy.
    """

    resid_pre: Float[np.ndarray, "seq d_model"]
    q: Float[np.ndarray, "n_heads seq d_head"]  # queries and keys after RoPE, as the scores use them
    k: Float[np.ndarray, "n_kv_heads kv_seq d_head"]
    v: Float[np.ndarray, "n_kv_heads kv_seq d_head"]
    resid_mid: Float[np.ndarray, "seq d_model"]
    resid_post: Float[np.ndarray, "seq d_model"]
    layer: int
    weights: LayerWeights
    config: Config
    edits: Edits

    def __post_init__(self):
        for array in self.arrays:
            array.flags.writeable = False

    def __repr__(self) -> str:
        shapes = f"resid {self.resid_pre.shape}, q {self.q.shape}, k and v {self.k.shape}"
        return f"BlockTrace(layer {self.layer}: {shapes})"

    @property
    def attention(self) -> AttentionTrace:
        """Compute scores, pattern, z and out, from q, k and v, by the function that the run used.

        Computed each time: 40 ms for 512 tokens of the default model. Keep it if you need more than one of them;
        `attention_at` gives one query in a tenth of a millisecond.
        """
        return self._attend(0, self.q.shape[1], slice(None))

    def attention_at(self, position: int) -> AttentionTrace:
        """Compute the same for one query and the keys before it ([n_heads, 1, kv_seq]), which is much quicker.

        With a function of the reader's in `Edits.at`, it is as slow as the whole.
        """
        seq = self.q.shape[1]
        position = index_of("position", position, seq)
        seen = position + 1 if self.edits.causal_mask else seq  # the query is the last of them
        row, keys = slice(position, position + 1), slice(seen)
        if self.edits.whole_text(self.layer, ("scores", "pattern", "z", "attention_out")):
            a = self.attention
            beyond = a.pattern[:, row, seen:].any()  # such a function may let it attend to later tokens
            keys = slice(seq if beyond else seen)
            arrays = (a.k[:, keys], a.v[:, keys], a.scores[:, row, keys], a.pattern[:, row, keys])
            return AttentionTrace(a.q[:, row], *arrays, a.z[:, row], a.out[row])
        return self._attend(position, position + 1, keys)

    def _attend(self, start: int, end: int, keys: slice) -> AttentionTrace:
        share_cores()
        q, k, v, edits = self.q[:, start:end], self.k[:, keys], self.v[:, keys], self.edits
        edit = partial(edits.apply, self.layer, range(start, end))
        w, causal, scale = self.weights, edits.causal_mask, edits.score_scale
        rules = rules_of(self.config, self.layer)
        after = partial(norm, weight=w.attention_post_norm, config=self.config, edits=edits)
        return attention.attend(
            q, k, v, w.W_O, causal=causal, scale=scale, rules=rules, bias=w.b_O, after=after, edit=edit
        )

    def patterns(
        self, heads: slice = slice(None), queries: slice = slice(None)
    ) -> Float[np.ndarray, "some_heads some_seq kv_seq"]:
        """Return `attention.pattern` of some heads and queries, a third of the work, because no values are mixed."""
        if {(self.layer, "scores"), (self.layer, "pattern")} & set(self.edits.functions):
            return self.attention.pattern[heads, queries]
        q, k = self.q[heads], self.k
        if len(q) < len(self.q):
            k = k[self.config.kv_head_of(np.arange(len(self.q))[heads])]
        rules = rules_of(self.config, self.layer)
        scores = attention.attention_scores(q[:, queries], k, scale=self.edits.score_scale, rules=rules)
        if self.edits.causal_mask:
            places = np.arange(q.shape[1])[queries]
            np.copyto(scores, -np.inf, where=attention.hidden_keys(places, k.shape[1], rules.window))
        return ops.softmax(scores)

    @property
    def ffn(self) -> FFNTrace:
        """Compute gate, up, hidden and out, from resid_mid, by the function that the run used."""
        return self.ffn_at(slice(None))

    def ffn_at(self, positions: slice | Int[np.ndarray, " some"]) -> FFNTrace:
        """Compute the same for only some tokens, which is quicker: an FFN processes each token on its own."""
        whole = isinstance(positions, slice) and positions == slice(None)
        if not whole and self.edits.whole_text(self.layer, ("hidden", "ffn_out")):
            f = self.ffn
            gate = None if f.gate is None else f.gate[positions]
            return FFNTrace(gate, f.up[positions], f.hidden[positions], f.out[positions])
        edit = partial(self.edits.apply, self.layer, np.arange(len(self.resid_mid))[positions].tolist())
        w = self.weights
        normed = norm(self.resid_mid[positions], w.ffn_norm, self.config, self.edits, w.ffn_norm_bias)
        return feed_forward(w, self.config, normed, self.edits, edit)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return the arrays that are kept."""
        return self.resid_pre, self.q, self.k, self.v, self.resid_mid, self.resid_post


class KVCache:
    """Keys and values of the tokens so far, with room for more."""

    def __init__(self, blocks: Sequence[BlockTrace], length: int, room: int):
        """Take over the first `length` tokens of some blocks; room: for how many tokens in all."""
        n_kv_heads, _, d_head = blocks[0].k.shape
        self.layers = np.empty((len(blocks), 2, n_kv_heads, room, d_head), np.float32)
        for kv, block in zip(self.layers, blocks):
            kv[:, :, :length] = block.k[:, :length], block.v[:, :length]

    def put(self, layer: int, start: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write some tokens' keys and values at `start`, and return all of the layer's up to there."""
        kv, end = self.layers[layer], start + k.shape[1]
        kv[:, :, start:end] = k, v
        return kv[0, :, :end], kv[1, :, :end]


def run_block(
    layer: int,
    w: LayerWeights,
    config: Config,
    x: Float[np.ndarray, "rows d_model"],
    rotations: Complex[np.ndarray, "rows n_pairs"] | None,
    several: Sequence[Edits],
    start: int = 0,
    cache: KVCache | None = None,
) -> tuple[list[BlockTrace], Float[np.ndarray, "rows d_model"]]:
    """Run one layer over the rows of one run, or of several runs side by side; return also the next x.

    several: the edits of each run, which has as many rows as the others. Its first row is the token at `start`; a
    single run's cache has the keys and values before. FloatingPointError if edits make the numbers of a run overflow.
    """
    places = range(start, start + len(x) // len(several))
    edit = partial(_edit_each, layer, [partial(edits.apply, layer, places) for edits in several])
    # No functions inside this one: when the tests check shapes, each would be wrapped again at every call.
    attend = partial(_attend_each, layer, start, cache, several, rules_of(config, layer))
    b = block_forward(w, config, x, rotations, attend, edits=several[0], edit=edit)
    arrays = zip(*_cut(len(several), b.resid_pre, b.q, b.k, b.v, b.resid_mid, b.resid_post))
    blocks = [
        BlockTrace(before, q, k, v, mid, after, layer, w, config, edits)
        for (before, q, k, v, mid, after), edits in zip(arrays, several)
    ]
    return blocks, b.resid_post


def _cut(n_runs: int, *arrays: np.ndarray) -> list[list[np.ndarray]]:
    """Return the rows that each run has in each of the arrays."""
    return [[array] if n_runs == 1 else np.split(array, n_runs, axis=-2) for array in arrays]


def _edit_each(layer: int, each: Sequence[Edit], name: str, array: np.ndarray) -> np.ndarray:
    edited = [edit(name, of_run) for edit, of_run in zip(each, *_cut(len(each), array))]
    array = edited[0] if len(each) == 1 else np.concatenate(edited, axis=-2)
    # A comparison with NaN is false, too.
    if name in ("resid_mid", "resid_post") and not max(array.max(), -array.min()) < TOO_LARGE:
        raise FloatingPointError(f"the numbers overflow in layer {layer}, so there is no next token")
    return array


def _attend_each(
    layer: int,
    start: int,
    cache: KVCache | None,
    several: Sequence[Edits],
    rules: attention.Rules,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
) -> Attended:
    if cache is not None:
        k, v = cache.put(layer, start, k, v)
    of_runs = zip(*_cut(len(several), q, k, v))
    mixed = [
        mix_in_blocks(layer, its_q, its_k, its_v, edits, rules)
        for (its_q, its_k, its_v), edits in zip(of_runs, several)
    ]
    return q, k, v, None, np.concatenate(mixed, axis=1)


def mix_in_blocks(
    layer: int,
    q: Float[np.ndarray, "n_heads seq d_head"],
    k: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
    v: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
    edits: Edits,
    rules: attention.Rules,
) -> Float[np.ndarray, "n_heads seq d_head"]:
    """Return z, computed for a block of queries at a time, without the keys after the block.

    That halves the work for a long text. A function of the reader's gets all queries at once.
    """
    seq, kv_seq = q.shape[1], k.shape[1]
    whole = not edits.causal_mask or edits.whole_text(layer, ("scores", "pattern", "z"))
    size = seq if whole else QUERIES
    blocks = []
    for first in range(0, seq, size):
        rows = slice(first, min(first + size, seq))
        seen = slice(kv_seq - seq + rows.stop)
        edit = partial(edits.apply, layer, range(kv_seq - seq, kv_seq)[rows])
        options = {"causal": edits.causal_mask, "scale": edits.score_scale}
        _, _, z = attention.weigh(q[:, rows], k[:, seen], v[:, seen], rules=rules, edit=edit, **options)
        blocks.append(z)
    return np.concatenate(blocks, axis=1)


# --- one run, and one turn of the loop -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """One run of the model over a text, with every intermediate by name."""

    tokens: list[int]
    pieces: list[str]
    blocks: tuple[BlockTrace, ...]
    logits: Float[np.ndarray, " n_vocab"]  # after the last token
    edits: Edits
    model: "Model"

    def __repr__(self) -> str:
        text = "".join(self.pieces)
        text = text if len(text) <= 40 else f"{text[:39]}…"
        edited = f", {self.edits}" if self.edits != Edits() else ""
        return (
            f"Trace({text!r}: {len(self.tokens)} tokens, {len(self.blocks)} blocks, resid "
            f"{self.blocks[0].resid_pre.shape}, logits {self.logits.shape}{edited})"
        )

    @property
    def nbytes(self) -> int:
        """Return the bytes of the arrays that are kept."""
        return self.logits.nbytes + sum(array.nbytes for block in self.blocks for array in block.arrays)

    def logits_at(self, position: int) -> Float[np.ndarray, " n_vocab"]:
        """Return the logits after the token at `position`. ValueError if there is no such token."""
        position = index_of("position", position, len(self.tokens))
        return self.model.unembed(self.blocks[-1].resid_post[position : position + 1], self.edits)[0]

    def all_logits(self) -> Float[np.ndarray, "seq n_vocab"]:
        """Return the same for every position, 200 kB for each token."""
        return self.lens(len(self.blocks) - 1)

    def lens(self, layer: int) -> Float[np.ndarray, "seq n_vocab"]:
        """Return the logits if the stream went to the output right after `layer` (logit lens; nostalgebraist 2020)."""
        index_of("layer", layer, len(self.blocks), negative=False)
        return self.model.unembed(self.blocks[layer].resid_post, self.edits)


@dataclass(frozen=True, eq=False, repr=False)
class Step:
    """One turn of the loop: a token was drawn from probs.

    It keeps its last vector of the stream instead of the 49,152 logits. These are there until the next step; after
    that, they are computed again each time (10 ms).
    """

    token: int
    piece: str
    resid: Float[np.ndarray, "1 d_model"]  # resid_post of the last layer, after the last token
    sampler: Sampler
    edits: Edits
    model: "Model"
    _logits: ref
    _probs: ref

    def __repr__(self) -> str:
        return f"Step(token={self.token}, piece={self.piece!r})"

    @property
    def logits(self) -> Float[np.ndarray, " n_vocab"]:
        """Return what the model said, before the sampler."""
        logits = self._logits()
        return self.model.unembed(self.resid, self.edits)[0] if logits is None else logits

    @property
    def probs(self) -> Float[np.ndarray, " n_vocab"]:
        """Return what the sampler drew from."""
        probs = self._probs()
        return self.sampler.probs(self.logits) if probs is None else probs


# --- the model -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A language model whose inside you can see. Make one with `llmviz.load()`.

    tokenizer: turns text into tokens and back; by default, it is made from the weights' vocabulary. One for 49,152
    tokens takes 28 MB, so models with the same vocabulary should share it.
    """

    weights: Weights
    tokenizer: Tokenizer = None  # type: ignore[assignment]  # `__post_init__` makes it
    recent: Recent = field(default_factory=Recent)  # runs kept for reuse; `recent.max_bytes = 0` keeps none
    name: str = ""  # as a page shows it; "" for one that was made here

    def __post_init__(self):
        if self.tokenizer is None:
            tokenizer = tokenization.from_gguf_metadata(**self.weights.vocabulary)
            object.__setattr__(self, "tokenizer", tokenizer)

    def __repr__(self) -> str:
        c = self.config
        return (
            f"Model({c.n_layers} layers, d_model {c.d_model}, {c.n_heads} heads on {c.n_kv_heads} key/value heads of "
            f"{c.d_head}, d_ff {c.d_ff}, n_vocab {c.n_vocab}, n_ctx {c.n_ctx})"
        )

    @property
    def config(self) -> Config:
        """Return the model's sizes."""
        return self.weights.config

    def tokens_of(self, text_or_ids: str | Sequence[int] | Int[np.ndarray, " seq"]) -> list[int]:
        """Return the token ids of a text, or the ids themselves, checked.

        ValueError if there are none, too many or unknown ones; TypeError for anything but a text or ids.
        """
        if isinstance(text_or_ids, str):
            tokens = self.tokenizer.encode_prompt(text_or_ids)
        elif isinstance(text_or_ids, bytes) or not isinstance(text_or_ids, Sequence | np.ndarray):
            raise TypeError(f"the model reads a text or a list of token ids; got {text_or_ids!r}")
        else:
            for token in text_or_ids:
                if not isinstance(token, int | np.integer) or not 0 <= token < self.config.n_vocab:
                    raise ValueError(
                        f"there is no token {token}: token ids go from 0 to {self.config.n_vocab - 1}"
                    )
            tokens = [int(token) for token in text_or_ids]
        if not tokens:
            raise ValueError("the text is empty, but the model needs at least one token to start from")
        if len(tokens) > self.config.n_ctx:
            raise ValueError(
                f"the text has {len(tokens)} tokens, but this model's context window holds {self.config.n_ctx}"
            )
        return tokens

    def trace(
        self, text_or_ids: str | Sequence[int] | Int[np.ndarray, " seq"], edits: Edits | None = None
    ) -> Trace:
        """Run the model over a text and keep every intermediate.

        It reuses what an earlier run has computed: the layers before the first that `edits` changes, or the tokens that
        the text shares with the last one.
        ValueError for an empty or too long text and for edits that name something that does not exist; TypeError for
        anything but a text, ids or `Edits`; FloatingPointError if edits make the numbers overflow.
        """
        tokens = self.tokens_of(text_or_ids)
        edits = _known_edits(edits).in_text(self.config, len(tokens))
        known, n_layers, n_tokens = self.recent.best(tokens, edits)
        if n_layers == self.config.n_layers:
            trace = known
        else:
            trace = self._run(tokens, edits, known, n_layers, n_tokens)
        self.recent.keep(trace)
        # The caller may change these lists: `trace.tokens.append(next_token)` must not change what is kept for reuse.
        return replace(trace, tokens=list(trace.tokens), pieces=list(trace.pieces))

    def trace_each(
        self, text_or_ids: str | Sequence[int] | Int[np.ndarray, " seq"], each: Iterable[Edits]
    ) -> Iterator[Trace | None]:
        """Run the model over a text with each of several edits; yield the traces, or None where the numbers overflow.

        Runs of a short text go side by side, which is up to seven times as quick. They begin at the first layer that
        one of them changes, so edits of the same layers should follow each other. The last digits of the numbers differ
        from those of `trace`. Errors as there; ValueError also for edits of the whole run, such as norm=False.
        """
        plain, waiting = self.trace(text_or_ids), iter(each)
        while several := [*islice(waiting, max(1, ROWS // len(plain.tokens)))]:
            several = [_known_edits(edits).in_text(self.config, len(plain.tokens)) for edits in several]
            if any(edits.settings != plain.edits.settings for edits in several):
                raise ValueError(
                    "runs side by side share position, RoPE, mask, scale, norms and sums; use `trace`"
                )
            try:
                yield from self._run_side_by_side(plain, several)
            except FloatingPointError:
                yield from (self._trace_if_finite(plain.tokens, edits) for edits in several)

    def _trace_if_finite(self, tokens: list[int], edits: Edits) -> Trace | None:
        try:
            return self.trace(tokens, edits)
        except FloatingPointError:
            return None

    def forget(self) -> None:
        """Drop the runs kept for reuse, so that the next one computes everything."""
        self.recent.runs = ()

    def generate(
        self,
        prompt: str | Sequence[int] | Int[np.ndarray, " seq"],
        max_new_tokens: int = 40,
        sampler: Sampler | None = None,
        seed: int | None = None,
        edits: Edits | None = None,
    ) -> Iterator[Step]:
        """Generate tokens: yield a Step for each. The last is the end token if the model chooses it.

        Keys and values of earlier tokens are kept (the KV cache), so each step runs one token. Without the causal mask,
        or with your own function in `Edits.at`, earlier tokens can change, so each step runs the whole text again.
        Negative positions in edits count from the end of the prompt. Ends at the end token, after max_new_tokens or
        when the context window is full. The same seed gives the same text.
        ValueError and FloatingPointError as in `trace`, TypeError for a sampler or edits of another kind.
        """
        tokens = self.tokens_of(prompt)
        sampler = Sampler() if sampler is None else sampler
        if not isinstance(sampler, Sampler):
            raise TypeError(f"sampler is a Sampler, for instance Sampler(temperature=0.7); got {sampler!r}")
        edits = _known_edits(edits).in_text(self.config, len(tokens))
        if not isinstance(max_new_tokens, int | np.integer) or max_new_tokens < 0:
            raise ValueError(f"max_new_tokens must be a whole number, 0 or more, got {max_new_tokens}")
        return self._generate(tokens, max_new_tokens, sampler, np.random.default_rng(seed), edits)

    def save(self, folder: str | Path) -> Path:
        """Write the model to `folder`, for `llmviz.load(folder)`, and return the file's path.

        It is a GGUF file of float32 numbers, which other programs can read, too. It replaces an earlier model in this
        folder only when it is complete. ValueError if a number is not finite; OSError if it cannot be written.
        """
        path = Path(folder).expanduser().absolute() / weights.SAVED
        weights.write_gguf(path, self.weights, tokenization.merge_list(self.tokenizer.ranks))
        return path

    def unembed(
        self, x: Float[np.ndarray, "seq d_model"], edits: Edits | None = None
    ) -> Float[np.ndarray, "seq n_vocab"]:
        """Return the logits of residual-stream vectors: the final norm, then the output table."""
        share_cores()
        with np.errstate(over="ignore", invalid="ignore"):
            normed = self.final_normed(x, edits or NO_EDITS)
            return embeddings.unembed(normed, self.weights.W_U, cap=self.config.logit_cap)

    def final_normed(
        self, x: Float[np.ndarray, "seq d_model"], edits: Edits
    ) -> Float[np.ndarray, "seq d_model"]:
        """Return residual-stream vectors after the final norm."""
        w = self.weights
        return norm(x, w.final_norm, self.config, edits, w.final_norm_bias)

    def _run(
        self, tokens: list[int], edits: Edits, known: Trace | None, n_layers: int, n_tokens: int
    ) -> Trace:
        """Return a trace. `known` already has its first n_layers, or its first n_tokens in all layers."""
        blocks = known.blocks[:n_layers] if known else ()
        places = np.arange(n_tokens, len(tokens))
        x = blocks[-1].resid_post if blocks else embedded(self.weights, tokens[n_tokens:], places)
        cache = KVCache(known.blocks, n_tokens, len(tokens)) if known and n_tokens else None
        (new,) = self._blocks(x, [edits], n_layers, n_tokens, cache)
        if known and n_tokens:
            new = tuple(_behind(old, block, n_tokens) for old, block in zip(known.blocks, new))
        logits = self.unembed(new[-1].resid_post[-1:], edits)[0]
        logits.flags.writeable = False
        return Trace(tokens, self.tokenizer.pieces(tokens), (*blocks, *new), logits, edits, self)

    def _run_side_by_side(self, plain: Trace, several: Sequence[Edits]) -> list[Trace]:
        """Return the traces of a text with each of some edits that change only arrays; plain: the trace without."""
        first = min(edits.first_layer_apart(plain.edits, len(plain.blocks) - 1) for edits in several)
        runs = self._blocks(np.tile(plain.blocks[first].resid_pre, (len(several), 1)), several, first)
        last = np.concatenate([blocks[-1].resid_post[-1:] for blocks in runs])
        logits = self.unembed(np.asfortranarray(last), plain.edits)
        return [
            Trace([*plain.tokens], [*plain.pieces], (*plain.blocks[:first], *new), of_run, edits, self)
            for new, of_run, edits in zip(runs, logits, several)
        ]

    def _blocks(
        self,
        x: Float[np.ndarray, "rows d_model"],
        several: Sequence[Edits],
        first_layer: int = 0,
        start: int = 0,
        cache: KVCache | None = None,
    ) -> list[tuple[BlockTrace, ...]]:
        """Run the layers from first_layer on, as `run_block` does. Return the blocks of each run."""
        n_layers, edits, blocks = self.config.n_layers, several[0], []
        places = np.tile(np.arange(start, start + len(x) // len(several)), len(several))
        x = np.asfortranarray(x)  # the order of `ops.linear`, because two orders are slow to add
        with np.errstate(over="ignore", invalid="ignore"):  # `_edit_each` reports it as a single error
            turned_to = places * float(edits.position_scale) + float(edits.position_shift)
            rotations = rotations_at(self.config, turned_to, x.dtype) if edits.rope else [None] * n_layers
            for layer in range(first_layer, n_layers):
                w = self.weights.layers[layer]
                of_runs, x = run_block(layer, w, self.config, x, rotations[layer], several, start, cache)
                blocks.append(of_runs)
        return [*zip(*blocks)]

    def _generate(
        self,
        tokens: list[int],
        max_new_tokens: int,
        sampler: Sampler,
        rng: np.random.Generator,
        edits: Edits,
    ) -> Iterator[Step]:
        trace = self.trace(tokens, edits)
        logits, x, cache = trace.logits, trace.blocks[-1].resid_post, None
        room = min(max_new_tokens, self.config.n_ctx - len(tokens))
        for left in range(room, 0, -1):
            probs = sampler.probs(logits)
            token = sampling.draw(probs, rng)
            piece, at_hand = self.tokenizer.pieces([token])[0], (ref(logits), ref(probs))
            yield Step(token, piece, x[-1:].copy(), sampler, edits, self, *at_hand)
            if token == self.tokenizer.eos_token or left == 1:
                return
            tokens = [*tokens, token]
            start = len(tokens) - 1 if edits.token_by_token else 0
            if edits.token_by_token and cache is None:
                cache = KVCache(trace.blocks, start, start + room)
            x = embedded(self.weights, tokens[start:], np.arange(start, len(tokens)))
            (blocks,) = self._blocks(x, [edits], 0, start, cache)
            x = blocks[-1].resid_post
            logits = self.unembed(x[-1:], edits)[0]


# Models in use, by their file. A second one would need a second tokenizer of 28 MB.
_loaded: WeakValueDictionary[tuple, Model] = WeakValueDictionary()


def load(path: str | Path | None = None, *, progress: bool = True) -> Model:
    """Load the default model (downloaded and unpacked at first use, with progress bars), or the one at `path`.

    path: a GGUF file, a folder that `Model.save` wrote or one of Hugging Face, "gemma" for Gemma 3 270M, which is
    downloaded too, or another name that `llmviz models` lists. A model is unpacked to the cache once, and then loads
    quickly; a saved one is mapped directly (not on Windows). Notebooks share its memory, and it may be saved again
    while it is in use, but no other program should write into its file. `LLMVIZ_MODEL` chooses another default model in
    the same way, `LLMVIZ_HOME` another cache folder. Unchanged files that are loaded already give the same model.
    FileNotFoundError if there is no such model; ValueError if it cannot be run; `llmviz.download` says what is raised
    if it cannot be downloaded.
    """
    chosen = local_models.find(path, progress)
    states = [file.stat() for file in model_files.files_of(chosen.path)]
    key = (chosen.path.resolve(), *((state.st_mtime_ns, state.st_size) for state in states))
    model = _loaded.get(key)
    if model is None:
        cache, sha256 = download.cache_folder(), chosen.sha256
        loaded = weights.load_weights(chosen.path, cache, sha256=sha256, progress=progress)
        model = _loaded[key] = Model(loaded, name=chosen.title)
    return model


def _known_edits(edits: Edits | None) -> Edits:
    """Raise TypeError for anything but `Edits`, such as a dict."""
    if edits is not None and not isinstance(edits, Edits):
        how = "llmviz.Edits(**edits)" if isinstance(edits, Mapping) else "llmviz.Edits(ffn={0: 0})"
        raise TypeError(f"edits are an llmviz.Edits, for instance {how}; got {edits!r}")
    return edits or NO_EDITS


def _behind(old: BlockTrace, new: BlockTrace, start: int) -> BlockTrace:
    """Join the rows of a layer's first tokens with those of a run that began at `start`."""
    return replace(
        new,
        resid_pre=np.concatenate([old.resid_pre[:start], new.resid_pre]),
        q=np.concatenate([old.q[:, :start], new.q], axis=1),
        resid_mid=np.concatenate([old.resid_mid[:start], new.resid_mid]),
        resid_post=np.concatenate([old.resid_post[:start], new.resid_post]),
    )
