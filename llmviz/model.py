"""The whole model: the six stages in a row, and the loop around them.

    tokens  = tokenizer.encode(text)
    x       = embed(tokens)                                  [seq, d_model], the residual stream
    in each of the layers:
        x = x + attention(rms_norm(x))                       tokens look at each other (RoPE inside)
        x = x + ffn(rms_norm(x))                             each token thinks alone
    logits  = unembed(rms_norm(x[-1]))                       [n_vocab], a score for every next token
    append a token drawn from softmax(logits), and again

(A pre-norm transformer decoder: Vaswani et al. 2017, Xiong et al. 2020; with RMSNorm, RoPE, SwiGLU and grouped
queries as in Llama, Touvron et al. 2023.)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
from jaxtyping import Float, Int

from llmviz import attention, download, embeddings, ffn, ops, position, sampling, tokenization, weights
from llmviz.attention import AttentionTrace
from llmviz.ffn import FFNTrace
from llmviz.sampling import Sampler
from llmviz.tokenization import Tokenizer
from llmviz.weights import Config, Weights

# A norm squares the numbers of the stream and adds up hundreds of them: above this, that overflows float32.
TOO_LARGE = 1e17


@dataclass(frozen=True)
class Edits:
    """Changes to make inside the model for one run. Every default leaves it as it is, to the last bit.

    Scales: 0 = off, 1 = as it is, 2 = doubled. A layer, head or neuron not named keeps its 1.
    """

    head: Mapping[tuple[int, int], float] = field(default_factory=dict)  # (layer, head): what it hands over
    attention: Mapping[int, float] = field(default_factory=dict)  # layer: what attention adds to the stream
    ffn: Mapping[int, float] = field(default_factory=dict)  # layer: what the FFN adds to the stream
    neuron: Mapping[tuple[int, int], float] = field(default_factory=dict)  # (layer, neuron): how it fires
    # (layer, position): a vector [d_model] that replaces resid_pre there; layer 0 is the embedding
    resid: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)
    position_scale: float = 1.0  # RoPE uses position * scale + shift
    position_shift: float = 0.0
    rope: bool = True
    causal_mask: bool = True
    score_scale: bool = True  # divide the scores by √d_head
    norm: bool = True  # all RMSNorms, the final one too
    residual: bool = True  # each block adds to the stream; False: it replaces the stream

    def __post_init__(self):
        """Keep copies: what the caller changes in a dict or a vector later must not change a run that is over."""
        for name in ("head", "attention", "ffn", "neuron", "resid"):
            value = getattr(self, name)
            if not isinstance(value, Mapping):
                raise TypeError(f"{name} takes a dict, for instance ffn={{0: 0.5}}; got {value!r}")
            object.__setattr__(self, name, dict(value))
        vectors = {place: np.array(vector, np.float32) for place, vector in self.resid.items()}
        object.__setattr__(self, "resid", vectors)

    def check(self, config: Config, seq: int) -> None:
        """ValueError if something is named that the model or a text of `seq` tokens doesn't have."""
        for kind, edits in (("head", self.head), ("neuron", self.neuron), ("position", self.resid)):
            for key in edits:
                if not isinstance(key, tuple) or len(key) != 2:
                    raise ValueError(f"name a layer and a {kind}, such as (3, 0); got {key!r}")
        for layer in [
            *self.attention,
            *self.ffn,
            *(layer for layer, _ in (*self.head, *self.neuron, *self.resid)),
        ]:
            _check_index("layer", layer, config.n_layers)
        for _, head in self.head:
            _check_index("head", head, config.n_heads)
        for _, neuron in self.neuron:
            _check_index("neuron", neuron, config.d_ff)
        for _, place in self.resid:
            _check_index("position", place, seq)
        for vector in self.resid.values():
            if np.shape(vector) != (config.d_model,) or not np.isfinite(vector).all():
                raise ValueError(f"a resid edit needs a vector of {config.d_model} finite numbers")
        scales = [*self.head.values(), *self.attention.values(), *self.ffn.values(), *self.neuron.values()]
        for scale in [*scales, self.position_scale, self.position_shift]:
            if not isinstance(scale, Real) or not np.isfinite(scale):
                raise ValueError(f"scales and shifts are finite numbers; got {scale!r}")

    def of_layer(self, layer: int) -> "_LayerEdits":
        """What happens in one layer, in a form that can be compared; knobs at their neutral value left out."""
        return _LayerEdits(
            head=tuple(sorted((h, s) for (at, h), s in self.head.items() if at == layer and s != 1)),
            attention=self.attention.get(layer, 1),
            ffn=self.ffn.get(layer, 1),
            neuron=tuple(sorted((i, s) for (at, i), s in self.neuron.items() if at == layer and s != 1)),
            resid=tuple(
                sorted((place, vector.tobytes()) for (at, place), vector in self.resid.items() if at == layer)
            ),
            everywhere=(
                self.position_scale,
                self.position_shift,
                self.rope,
                self.causal_mask,
                self.score_scale,
                self.norm,
                self.residual,
            ),
        )


@dataclass(frozen=True)
class _LayerEdits:
    head: tuple[tuple[int, float], ...]
    attention: float
    ffn: float
    neuron: tuple[tuple[int, float], ...]
    resid: tuple[tuple[int, bytes], ...]
    everywhere: tuple


@dataclass(frozen=True, eq=False)
class BlockTrace:
    """One layer of one run. What the next layers read is kept; the steps in between run again when asked for.

    The arrays kept are read-only, since later runs reuse them: change a copy.
    """

    resid_pre: Float[np.ndarray, "seq d_model"]
    q: Float[np.ndarray, "n_heads seq d_head"]  # queries and keys after RoPE, as the scores use them
    k: Float[np.ndarray, "n_kv_heads seq d_head"]
    v: Float[np.ndarray, "n_kv_heads seq d_head"]
    resid_mid: Float[np.ndarray, "seq d_model"]
    resid_post: Float[np.ndarray, "seq d_model"]
    layer: int
    model: "Model" = field(repr=False)
    edits: Edits = field(repr=False)

    def __post_init__(self):
        for array in (self.resid_pre, self.q, self.k, self.v, self.resid_mid, self.resid_post):
            array.flags.writeable = False

    @property
    def attention(self) -> AttentionTrace:
        """scores, pattern, z and out, from q, k and v, by the function that the run used."""
        return self.model._attend(self.layer, self.q, self.k, self.v, self.edits)

    def attention_at(self, position: int) -> AttentionTrace:
        """The same for one query and the keys that it sees ([n_heads, 1, kv_seq]), and as much quicker."""
        seen = position + 1 if self.edits.causal_mask else self.k.shape[1]  # the query is the last of them
        q, k, v = self.q[:, position : position + 1], self.k[:, :seen], self.v[:, :seen]
        return self.model._attend(self.layer, q, k, v, self.edits)

    @property
    def ffn(self) -> FFNTrace:
        """gate, up, hidden and out, from resid_mid, by the function that the run used."""
        return self.ffn_at(slice(None))

    def ffn_at(self, positions: slice | Int[np.ndarray, " some"]) -> FFNTrace:
        """The same for some of the tokens only, and as much quicker: an FFN takes each token by itself."""
        return self.model._ffn(self.layer, self.resid_mid[positions], self.edits)


@dataclass(frozen=True, eq=False)
class Trace:
    """One run of the model over a text, with every intermediate by name."""

    tokens: list[int]
    pieces: list[str]
    blocks: tuple[BlockTrace, ...] = field(repr=False)
    logits: Float[np.ndarray, " n_vocab"] = field(repr=False)  # after the last token
    edits: Edits = field(repr=False)
    model: "Model" = field(repr=False)

    def lens(self, layer: int) -> Float[np.ndarray, "seq n_vocab"]:
        """Logit lens (nostalgebraist 2020): the logits if the stream went to the output right after `layer`."""
        _check_index("layer", layer, len(self.blocks))
        return self.model.unembed(self.blocks[layer].resid_post, self.edits)


@dataclass(frozen=True, eq=False)
class Step:
    """One turn of the loop: a token was drawn from probs."""

    token: int
    piece: str
    probs: Float[np.ndarray, " n_vocab"] = field(repr=False)  # what the sampler drew from
    logits: Float[np.ndarray, " n_vocab"] = field(repr=False)  # what the model said, before the sampler


@dataclass(frozen=True, eq=False)
class Model:
    """A language model that can be looked into. Make one with `llmviz.load()`."""

    weights: Weights = field(repr=False)
    _recent: list[Trace] = field(
        default_factory=list, repr=False
    )  # the last two runs, newest first, for reuse

    @property
    def config(self) -> Config:
        """The model's sizes."""
        return self.weights.config

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """How this model cuts a text into tokens, and puts tokens together to a text."""
        return tokenization.from_gguf_metadata(**self.weights.vocabulary)

    def tokens_of(self, text_or_ids: str | Sequence[int] | Int[np.ndarray, " seq"]) -> list[int]:
        """The token ids of a text, or the ids themselves, checked.

        ValueError if there are none, too many or unknown ones; TypeError for what is neither a text nor ids.
        """
        if isinstance(text_or_ids, str):
            tokens = self.tokenizer.encode(text_or_ids)
        elif isinstance(text_or_ids, bytes) or not isinstance(text_or_ids, Sequence | np.ndarray):
            raise TypeError(f"the model reads a text or a list of token ids; got {text_or_ids!r}")
        else:
            tokens = list(text_or_ids)
            for token in tokens:
                if not isinstance(token, int | np.integer) or not 0 <= token < self.config.n_vocab:
                    raise ValueError(f"there is no token {token}; ids go from 0 to {self.config.n_vocab - 1}")
            tokens = [int(token) for token in tokens]
        if not tokens:
            raise ValueError("the text is empty: the model needs at least one token to guess the next")
        if len(tokens) > self.config.n_ctx:
            raise ValueError(
                f"{len(tokens)} tokens are more than this model's context of {self.config.n_ctx}"
            )
        return tokens

    def trace(
        self, text_or_ids: str | Sequence[int] | Int[np.ndarray, " seq"], edits: Edits | None = None
    ) -> Trace:
        """Run the model over a text and keep every intermediate.

        What an earlier run has computed already is taken from there: the layers before the first that `edits`
        changes, or the tokens that the text shares with the last one.
        ValueError for an empty or too long text and for edits that name something which doesn't exist; TypeError
        for what is no text, ids or `Edits`; FloatingPointError where edits make the numbers overflow.
        """
        tokens = self.tokens_of(text_or_ids)
        edits = _own(edits)
        edits.check(self.config, len(tokens))
        known, n_layers, n_tokens = self._reusable(tokens, edits)
        if n_layers == self.config.n_layers and n_tokens == len(tokens):
            trace = known
        else:
            trace = self._run(tokens, edits, known, n_layers, n_tokens)
        self._recent[:] = [trace, *(one for one in self._recent if one is not trace)][:2]
        # The lists are the caller's: `trace.tokens.append(next_token)` must not change what is kept for reuse.
        return replace(trace, tokens=list(trace.tokens), pieces=list(trace.pieces))

    def forget(self) -> None:
        """Drop the runs kept for reuse, so that the next one computes everything."""
        self._recent.clear()

    def generate(
        self,
        prompt: str | Sequence[int] | Int[np.ndarray, " seq"],
        max_new_tokens: int = 40,
        sampler: Sampler | None = None,
        seed: int | None = None,
        edits: Edits | None = None,
    ) -> Iterator[Step]:
        """Write on: yields one Step a token, the last being the end token if the model chooses it.

        Keys and values of earlier tokens are kept (the KV cache), so each step runs one token. Without the causal
        mask earlier tokens see later ones, so each step runs the whole text again. Ends at the end token, after
        max_new_tokens or when the context is full. The same seed gives the same text.
        ValueError and FloatingPointError as in `trace`, TypeError for a sampler or edits of another kind.
        """
        tokens = self.tokens_of(prompt)
        sampler, edits = Sampler() if sampler is None else sampler, _own(edits)
        if not isinstance(sampler, Sampler):
            raise TypeError(f"sampler is a Sampler, for instance Sampler(temperature=0.7); got {sampler!r}")
        edits.check(self.config, len(tokens))
        if not isinstance(max_new_tokens, int | np.integer) or max_new_tokens < 0:
            raise ValueError(f"max_new_tokens must be a whole number, 0 or more, got {max_new_tokens}")
        return self._generate(tokens, max_new_tokens, sampler, np.random.default_rng(seed), edits)

    def unembed(
        self, x: Float[np.ndarray, "seq d_model"], edits: Edits | None = None
    ) -> Float[np.ndarray, "seq n_vocab"]:
        """Logits of residual-stream vectors: the final norm, then the output table."""
        return embeddings.unembed(self._norm(x, self.weights.final_norm, edits or Edits()), self.weights.W_U)

    # --- one run -------------------------------------------------------------------------------------------------

    def _run(
        self, tokens: list[int], edits: Edits, known: Trace | None, n_layers: int, n_tokens: int
    ) -> Trace:
        """A trace; `known` has the first n_layers of it whole and, in the layers after, the first n_tokens."""
        blocks = list(known.blocks[:n_layers]) if known else []
        start = 0 if blocks else n_tokens  # the first token whose rows have to be computed
        x = blocks[-1].resid_post if blocks else embeddings.embed(tokens[start:], self.weights.W_E)
        with np.errstate(over="ignore", invalid="ignore"):  # `_add` tells it, as one error
            angles = self._angles(np.arange(start, len(tokens)), edits)
            for layer in range(len(blocks), self.config.n_layers):
                past = known.blocks[layer] if start else None
                blocks.append(self._block(layer, x, angles, edits, start, past))
                x = blocks[-1].resid_post[start:]
            logits = self.unembed(x[-1:], edits)[0]
        logits.flags.writeable = False
        return Trace(tokens, self.tokenizer.pieces(tokens), tuple(blocks), logits, edits, self)

    def _block(
        self,
        layer: int,
        x: Float[np.ndarray, "seq d_model"],
        angles: Float[np.ndarray, "seq n_pairs"] | None,
        edits: Edits,
        start: int,
        past: BlockTrace | None,
    ) -> BlockTrace:
        """One layer for the tokens from `start` on, put behind the rows of the earlier ones."""
        x = self._with_resid_edits(layer, x, edits, start)
        q, k, v = self._qkv(layer, x, angles, edits)
        if past:
            k = np.concatenate([past.k[:, :start], k], axis=1)
            v = np.concatenate([past.v[:, :start], v], axis=1)
        mid = self._add(layer, x, self._attend(layer, q, k, v, edits).out, edits)
        post = self._add(layer, mid, self._ffn(layer, mid, edits).out, edits)
        if past:
            q = np.concatenate([past.q[:, :start], q], axis=1)
            x, mid, post = (
                np.concatenate([old[:start], new])
                for old, new in ((past.resid_pre, x), (past.resid_mid, mid), (past.resid_post, post))
            )
        return BlockTrace(x, q, k, v, mid, post, layer, self, edits)

    def _qkv(
        self,
        layer: int,
        x: Float[np.ndarray, "seq d_model"],
        angles: Float[np.ndarray, "seq n_pairs"] | None,
        edits: Edits,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Queries, keys and values of the tokens in x; q and k turned by their positions."""
        w = self.weights.layers[layer]
        normed = self._norm(x, w.attention_norm, edits)
        q, k, v = (attention.project(normed, W) for W in (w.W_Q, w.W_K, w.W_V))
        if angles is not None:
            q, k = position.rotate(q, angles), position.rotate(k, angles)
        return q, k, v

    def _attend(
        self, layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray, edits: Edits
    ) -> AttentionTrace:
        here = edits.of_layer(layer)
        trace = attention.attend(
            q,
            k,
            v,
            self.weights.layers[layer].W_O,
            causal=edits.causal_mask,
            scale=edits.score_scale,
            head_scale=_scales(here.head, self.config.n_heads),
        )
        return trace if here.attention == 1 else replace(trace, out=trace.out * np.float32(here.attention))

    def _ffn(self, layer: int, mid: Float[np.ndarray, "seq d_model"], edits: Edits) -> FFNTrace:
        w, here = self.weights.layers[layer], edits.of_layer(layer)
        normed = self._norm(mid, w.ffn_norm, edits)
        neuron_scale = _scales(here.neuron, self.config.d_ff)
        trace = ffn.swiglu(normed, w.W_gate, w.W_up, w.W_down, neuron_scale=neuron_scale)
        return trace if here.ffn == 1 else replace(trace, out=trace.out * np.float32(here.ffn))

    def _norm(self, x: np.ndarray, weight: np.ndarray, edits: Edits) -> np.ndarray:
        return ops.rms_norm(x, weight, eps=self.config.norm_eps) if edits.norm else x

    def _add(self, layer: int, x: np.ndarray, out: np.ndarray, edits: Edits) -> np.ndarray:
        stream = x + out if edits.residual else out
        if not np.abs(stream).max() < TOO_LARGE:  # NaN lands here as well
            raise FloatingPointError(
                f"with these edits the numbers overflow in layer {layer}, so there is no next token"
            )
        return stream

    def _angles(self, positions: np.ndarray, edits: Edits) -> Float[np.ndarray, "seq n_pairs"] | None:
        if not edits.rope:
            return None
        turned = positions * float(edits.position_scale) + float(edits.position_shift)
        return position.rotation_angles(turned, self.config.d_head, base=self.config.rope_base)

    def _with_resid_edits(self, layer: int, x: np.ndarray, edits: Edits, start: int) -> np.ndarray:
        here = {place - start: vector for (at, place), vector in edits.resid.items() if at == layer}
        if any(place >= 0 for place in here):
            x = x.copy()
            for place, vector in here.items():
                if place >= 0:
                    x[place] = vector
        return x

    # --- what need not be computed again -------------------------------------------------------------------------

    def _reusable(self, tokens: list[int], edits: Edits) -> tuple[Trace | None, int, int]:
        """The recent run that saves most, how many of its layers hold for all tokens, and for how many tokens
        all of its layers hold."""
        best: tuple[Trace | None, int, int] = (None, 0, 0)
        for known in self._recent:
            same_layers = self._same_layers(known.edits, edits)
            if known.tokens == tokens and same_layers > 0:
                option = (known, same_layers, len(tokens) if same_layers == self.config.n_layers else 0)
            elif same_layers == self.config.n_layers and edits.causal_mask:
                shared = _shared_start(known.tokens, tokens)
                if shared == len(tokens):  # a shorter text: its last token must run, to give its logits
                    shared -= 1
                option = (known, 0, shared)
            else:
                continue
            if _saved(option, self.config.n_layers, len(tokens)) > _saved(
                best, self.config.n_layers, len(tokens)
            ):
                best = option
        return best

    def _same_layers(self, a: Edits, b: Edits) -> int:
        """How many layers, from the first on, two sets of edits treat alike."""
        for layer in range(self.config.n_layers):
            if a.of_layer(layer) != b.of_layer(layer):
                return layer
        return self.config.n_layers

    # --- the loop ------------------------------------------------------------------------------------------------

    def _generate(
        self,
        tokens: list[int],
        max_new_tokens: int,
        sampler: Sampler,
        rng: np.random.Generator,
        edits: Edits,
    ) -> Iterator[Step]:
        trace = self.trace(tokens, edits)
        logits, cache = trace.logits, None
        room = min(max_new_tokens, self.config.n_ctx - len(tokens))
        for left in range(room, 0, -1):
            probs = sampler.probs(logits)
            token = sampling.draw(probs, rng)
            yield Step(token, self.tokenizer.pieces([token])[0], probs, logits)
            if token == self.tokenizer.eos_token or left == 1:
                return
            tokens = [*tokens, token]
            if edits.causal_mask:
                cache = cache or _KVCache(trace.blocks, room)
                logits = self._next_logits(token, cache, edits)
            else:
                logits = self._run(tokens, edits, None, 0, 0).logits

    def _next_logits(self, token: int, cache: "_KVCache", edits: Edits) -> Float[np.ndarray, " n_vocab"]:
        """Run one token behind those in the cache, and add it to the cache."""
        x = embeddings.embed([token], self.weights.W_E)
        with np.errstate(over="ignore", invalid="ignore"):  # `_add` tells it, as one error
            angles = self._angles(np.arange(cache.length, cache.length + 1), edits)
            for layer in range(self.config.n_layers):
                q, k, v = self._qkv(layer, x, angles, edits)
                k, v = cache.put(layer, k, v)
                x = self._add(layer, x, self._attend(layer, q, k, v, edits).out, edits)
                x = self._add(layer, x, self._ffn(layer, x, edits).out, edits)
            cache.length += 1
            return self.unembed(x, edits)[0]


class _KVCache:
    """Keys and values of the tokens so far, with room for more."""

    def __init__(self, blocks: tuple[BlockTrace, ...], room: int):
        self.length = blocks[0].k.shape[1]
        n_kv_heads, _, d_head = blocks[0].k.shape
        self.k = np.empty((len(blocks), n_kv_heads, self.length + room, d_head), np.float32)
        self.v = np.empty_like(self.k)
        for layer, block in enumerate(blocks):
            self.k[layer, :, : self.length], self.v[layer, :, : self.length] = block.k, block.v

    def put(self, layer: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write one more token's key and value; returns all of the layer's so far."""
        end = self.length + 1
        self.k[layer, :, self.length : end], self.v[layer, :, self.length : end] = k, v
        return self.k[layer, :, :end], self.v[layer, :, :end]


# Models in use, by their file. A second one would bring a second tokenizer, of some 28 MB.
_loaded: WeakValueDictionary[tuple, Model] = WeakValueDictionary()


def load(path: str | Path | None = None, *, progress: bool = True) -> Model:
    """The default model (fetched and unpacked at first use, with progress bars), or the GGUF file at `path`.

    `LLMVIZ_MODEL` names another default file, `LLMVIZ_HOME` another cache folder. A file that is loaded already, and
    still the same, gives the same model. ValueError if the file cannot be run; see `llmviz.download` for what is raised
    where the default model cannot be fetched.
    """
    sha256 = None
    if path is None:
        path, sha256 = download.default_model_path(progress), download.expected_sha256()
    path = Path(path).resolve()
    file = path.stat() if path.exists() else None
    key = (path, file and (file.st_mtime_ns, file.st_size))
    model = _loaded.get(key)
    if model is None:
        cache = download.cache_folder()
        model = _loaded[key] = Model(weights.load_weights(path, cache, sha256=sha256, progress=progress))
    return model


def _check_index(kind: str, index: int, n: int) -> None:
    if not isinstance(index, int | np.integer) or not 0 <= index < n:
        raise ValueError(f"there is no {kind} {index!r}; they go from 0 to {n - 1}")


def _own(edits: Edits | None) -> Edits:
    """A copy that later changes do not reach. TypeError for anything but `Edits`, such as the dict it would hold."""
    if edits is not None and not isinstance(edits, Edits):
        how = "llmviz.Edits(**edits)" if isinstance(edits, Mapping) else "llmviz.Edits(ffn={0: 0})"
        raise TypeError(f"edits are an llmviz.Edits, for instance {how}; got {edits!r}")
    return replace(edits or Edits())


def _scales(some: tuple[tuple[int, float], ...], n: int) -> Float[np.ndarray, " n"] | None:
    """One scale for each of n things, or None where all stay as they are."""
    if not some:
        return None
    scales = np.ones(n, np.float32)
    for index, scale in some:
        scales[index] = scale
    return scales


def _shared_start(a: list[int], b: list[int]) -> int:
    n = min(len(a), len(b))
    return next((i for i in range(n) if a[i] != b[i]), n)


def _saved(option: tuple[Trace | None, int, int], n_layers: int, seq: int) -> float:
    _, layers, tokens = option
    return max(layers / n_layers, tokens / seq)
