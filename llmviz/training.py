"""The stages backwards: how a model learns.

    forward     the text goes through the model; each token's surprise says how wrong the prediction was
    backward    from the surprise back through every stage: how does it change with each parameter? (the chain rule;
                Rumelhart, Hinton & Williams 1986)
    step        every parameter moves a little, against its gradient (Adam; Kingma & Ba 2014)

    pretrain    from noise, on a text                   finetune    a finished model, with a few more parameters

Several texts of one length are trained side by side. Their tokens are rows like any others, but in attention each text
has its own heads, because a token must attend only to its own text.

With the same seed, a training gives the same result to the last bit, even on a busy machine: BLAS takes one thread, and
a second core trains the second half of the texts.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from llmviz import attention, embeddings, ffn, ops, sampling, tokenization
from llmviz.model import (
    NO_EDITS,
    Attended,
    BlockForward,
    Model,
    block_forward,
    embedded,
    norm,
    rotations_at,
    rules_of,
    turned,
)
from llmviz.ops import LowRank
from llmviz.threads import share_cores
from llmviz.weights import Config, LayerWeights, Weights, check_whole, from_flat, random_weights, stored

TOKENS_A_STEP = 1024
LONGEST = 256  # tokens of one conversation: fine-tuning on it takes about 300 MB
WEIGHT_DECAY = 0.3  # of a parameter, times lr, at each step, against memorising (Loshchilov & Hutter 2019)
HELD_OUT = 0.1  # the last tenth of a text is never trained on
MEASURE_EVERY = 20  # steps


CHANGED = ("W_gate", "W_up", "W_down")  # the matrices that fine-tuning changes, where a family has them
Update = Mapping[tuple[int, str], LowRank]  # by layer and one of these names
NO_UPDATE: Update = {}


@dataclass(frozen=True, eq=False)
class Progress:
    """The state of a training after a step; step 0 is before the first."""

    step: int
    seconds: float  # of work, without pauses
    loss: float  # nats per token, of this step's texts; in fine-tuning, the mean of each conversation's latest value
    held_out: float | None  # the same on the part that is never trained on, every 20 steps and at the end
    start: Model = field(repr=False)
    update: Update | None = field(repr=False, default=None)  # what fine-tuning has changed so far

    @cached_property
    def model(self) -> Model:
        """Return the model at this step, to use like any other. Later steps do not change it."""
        return self.start if self.update is None else updated(self.start, self.update)


# --- backwards -------------------------------------------------------------------------------------------------------


def loss_and_gradients(
    model: Model,
    tokens: str | Sequence[int] | Int[np.ndarray, " seq"],
    counted: Sequence[bool] | Bool[np.ndarray, " seq"] | None = None,
) -> tuple[float, Weights]:
    """Return the mean surprise of `tokens[1:]` in nats (1 nat is 1.44 bits), and how it changes with every parameter.

    counted: which tokens count; the first never does, because nothing predicts it. The gradients have the fields and
    shapes of the model's weights; where one table serves both ends, W_E holds the sum and W_U is its transpose.
    ValueError if no token counts.
    """
    tokens = model.tokens_of(tokens)
    counted = np.ones(len(tokens), bool) if counted is None else np.asarray(counted, bool)
    if counted.shape != (len(tokens),):
        raise ValueError(f"counted marks each of the {len(tokens)} tokens; got {len(counted)} marks")
    if not counted[1:].any():
        raise ValueError("no token counts: a loss needs at least one token that follows another")
    return _loss_and_gradients(model.weights, np.array([tokens]), counted[None])


def input_gradients(
    model: Model, tokens: Sequence[int], d_logits: Float[np.ndarray, " n_vocab"]
) -> Float[np.ndarray, "seq d_model"]:
    """Return how d_logits · logits, after the last token, changes with each token's embedding in the stream."""
    weights = model.weights
    x, activations = _forward(weights, np.array([tokens]))
    _, logits = _logits(weights, x[-1:])
    d_x = np.zeros_like(x)
    d_x[-1:], _, _ = _logits_backward(weights, x[-1:], logits, d_logits[None].astype(x.dtype))
    for _, _, back in _backward(weights, d_x, activations):
        d_x = back.x
    return d_x


@dataclass(frozen=True, eq=False)
class _LayerBackward:
    """How the loss changes with parts of a layer. Matrices and norms have their names in `LayerWeights`."""

    x: Float[np.ndarray, "rows d_model"]  # the stream before the layer
    products: Mapping[str, np.ndarray]  # what comes out of each matrix, before RoPE and norms
    norms: Mapping[str, np.ndarray]  # the parameters of the norms


def _loss_and_gradients(
    weights: Weights, tokens: Int[np.ndarray, "texts seq"], counted: Bool[np.ndarray, "texts seq"]
) -> tuple[float, Weights]:
    tied = np.may_share_memory(weights.W_E, weights.W_U)
    x, activations = _forward(weights, tokens)
    loss, d_x, d_final_norm, d_logits, normed = _from_the_loss(weights, x, tokens, counted)
    d_W_U = ops.linear_gradient(d_logits, normed)
    del d_logits
    layers = []
    for layer, f, back in _backward(weights, d_x, activations):
        layers.append(_layer_gradients(weights.layers[layer], f, back))
        d_x = back.x
    scale = d_x.dtype.type(weights.config.embedding_scale)
    d_W_E = embeddings.embed_gradient(d_x * scale, tokens.ravel(), len(weights.W_E))
    d_W_pos = None
    if weights.W_pos is not None:  # The texts have the same positions.
        d_W_pos = np.zeros_like(weights.W_pos)
        d_W_pos[: tokens.shape[1]] = d_x.reshape(*tokens.shape, -1).sum(axis=0)
    if tied:
        d_W_E += d_W_U.T
        d_W_U = d_W_E.T
    gradients = replace(
        weights, W_E=d_W_E, layers=tuple(reversed(layers)), W_U=d_W_U, W_pos=d_W_pos, **d_final_norm
    )
    return loss, gradients


def _from_the_loss(weights, x, tokens, counted):
    """Return the loss, d_x, the last norm's gradients, and for the rows that count d_logits and the normed vectors."""
    rows = np.flatnonzero(np.roll(counted & (np.arange(counted.shape[1]) > 0), -1, axis=1))
    wanted = np.roll(tokens, -1, axis=1).ravel()[rows]
    normed, logits = _logits(weights, x[rows])
    surprises, d_logits = sampling.surprise_and_gradient(logits, wanted)
    d_logits /= len(rows)
    d_x = np.zeros_like(x)
    d_x[rows], d_logits, d_final_norm = _logits_backward(weights, x[rows], logits, d_logits)
    return float(surprises.mean(dtype=np.float64)), d_x, d_final_norm, d_logits, normed


def _logits(weights: Weights, x: Float[np.ndarray, "rows d_model"]) -> tuple[np.ndarray, np.ndarray]:
    """Return the normed vectors and their logits."""
    normed = norm(x, weights.final_norm, weights.config, NO_EDITS, weights.final_norm_bias)
    return normed, embeddings.unembed(normed, weights.W_U, cap=weights.config.logit_cap)


def _logits_backward(
    weights: Weights, x: np.ndarray, logits: np.ndarray, d_logits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return d_x, d_logits before they are capped, and the gradients of the last norm."""
    if (cap := weights.config.logit_cap) is not None:
        d_logits = ops.soft_cap_backward(d_logits, logits, cap)
    d_normed = embeddings.unembed_backward(d_logits, weights.W_U)
    gradients: dict[str, np.ndarray] = {}
    return _norm_backward(d_normed, x, weights, "final_norm", weights.config, gradients), d_logits, gradients


def _norm_backward(
    d_out: np.ndarray,
    x: np.ndarray,
    w: Weights | LayerWeights,
    name: str,
    config: Config,
    gradients: dict[str, np.ndarray],
) -> np.ndarray:
    """Return d_x, and put the gradients of the norm's parameters into `gradients`: a LayerNorm also has a bias."""
    weight, bias, eps = getattr(w, name), f"{name}_bias", config.norm_eps
    if getattr(w, bias, None) is None:
        d_x, gradients[name] = ops.rms_norm_backward(d_out, x, weight, eps=eps)
    else:
        d_x, gradients[name], gradients[bias] = ops.layer_norm_backward(d_out, x, weight, eps=eps)
    return d_x


def _forward(
    weights: Weights,
    tokens: Int[np.ndarray, "texts seq"],
    *,
    x: Float[np.ndarray, "rows d_model"] | None = None,
    layers: range | None = None,
    update: Update = NO_UPDATE,
) -> tuple[Float[np.ndarray, "rows d_model"], list[BlockForward]]:
    """Run all layers, or some of them from the stream x on. They keep about 15 vectors of d_model for each token."""
    config = weights.config
    texts, seq = tokens.shape
    places = np.tile(np.arange(seq), texts)
    x = embedded(weights, tokens.ravel(), places) if x is None else x
    x = np.asfortranarray(x)  # the order of `ops.linear`, because two orders are slow to add
    rotations = rotations_at(config, places, x.dtype)
    activations = []
    for layer in range(config.n_layers) if layers is None else layers:
        attend, changes = partial(_attend, texts, rules_of(config, layer)), _changes(update, layer)
        forward = block_forward(weights.layers[layer], config, x, rotations[layer], attend, changes=changes)
        activations.append(forward)
        x = forward.resid_post
    return x, activations


def _attend(texts: int, rules: attention.Rules, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> Attended:
    """Let each text attend only to itself, and keep the pattern for the backward pass."""
    q, k, v = (_own_heads(heads, texts) for heads in (q, k, v))
    _, pattern, z = attention.weigh(q, k, v, rules=rules)
    return q, k, v, pattern, _own_rows(z, texts)


def _changes(update: Update, layer: int) -> Mapping[str, LowRank]:
    return {name: low for (at, name), low in update.items() if at == layer}


def _backward(
    weights: Weights,
    d_x: Float[np.ndarray, "rows d_model"],
    activations: Sequence[BlockForward],
    update: Update = NO_UPDATE,
) -> Iterator[tuple[int, BlockForward, _LayerBackward]]:
    """Go back through the last layers, of which `_forward` kept these; yield each layer's number and results."""
    for layer, f in reversed([*enumerate(activations, weights.config.n_layers - len(activations))]):
        back = _block_backward(weights, layer, d_x, f, _changes(update, layer))
        yield layer, f, back
        d_x = back.x


def _block_backward(
    weights: Weights,
    layer: int,
    d_x: Float[np.ndarray, "rows d_model"],
    f: BlockForward,
    changes: Mapping[str, LowRank],
) -> _LayerBackward:
    share_cores()
    w, config, d_ffn_out = weights.layers[layer], weights.config, d_x
    norms: dict[str, np.ndarray] = {}
    if w.ffn_post_norm is not None:  # What it norms is not kept, since few families have it.
        out = ops.linear(f.hidden, w.W_down, w.b_down, changes.get("W_down"))
        d_ffn_out = _norm_backward(d_x, out, w, "ffn_post_norm", config, norms)
    matrices = w.W_gate, w.W_up, w.W_down
    back = ffn.swiglu_backward(
        d_ffn_out, f.gate, f.up, *matrices, activation=config.activation, changes=changes
    )
    d_mid = _norm_backward(back.x, f.resid_mid, w, "ffn_norm", config, norms)
    d_mid += d_x
    d_attention_out = d_mid
    if w.attention_post_norm is not None:
        out = attention.output(f.z, w.W_O, w.b_O)
        d_attention_out = _norm_backward(d_mid, out, w, "attention_post_norm", config, norms)
    assert f.pattern is not None  # `_attend` keeps it
    texts = len(f.q) // config.n_heads
    d_z = _own_heads(attention.output_backward(d_attention_out, w.W_O), texts)
    d_pattern, d_v = attention.mix_backward(d_z, f.pattern, f.v)
    d_scores = ops.softmax_backward(d_pattern, f.pattern)
    d_q, d_k = attention.attention_scores_backward(d_scores, f.q, f.k, rules=rules_of(config, layer))
    places = np.arange(f.q.shape[1])
    d_q, d_k = (turned(config, layer, d, -places) for d in (d_q, d_k))  # RoPE backwards turns them back
    d_q, d_k, d_v = (_own_rows(d, texts) for d in (d_q, d_k, d_v))
    if w.q_norm is not None and w.k_norm is not None:
        q, k = attention.project(f.normed, w.W_Q, w.b_Q), attention.project(f.normed, w.W_K, w.b_K)
        d_q = _norm_backward(d_q, q, w, "q_norm", config, norms)
        d_k = _norm_backward(d_k, k, w, "k_norm", config, norms)
    d_normed = attention.project_backward(d_q, w.W_Q)
    d_normed = d_normed + attention.project_backward(d_k, w.W_K) + attention.project_backward(d_v, w.W_V)
    d_before = _norm_backward(d_normed, f.resid_pre, w, "attention_norm", config, norms)
    d_before += d_mid
    products = {
        "W_Q": d_q,
        "W_K": d_k,
        "W_V": d_v,
        "W_O": d_attention_out,
        "W_up": back.up,
        "W_down": d_ffn_out,
    }
    if back.gate is not None:
        products["W_gate"] = back.gate
    return _LayerBackward(d_before, products, norms)


def _layer_gradients(w: LayerWeights, f: BlockForward, back: _LayerBackward) -> LayerWeights:
    """Return each matrix's gradient, from its input and the gradient of its output, which is also its bias's."""
    gradients: dict[str, np.ndarray | None] = {"W_gate": None, **back.norms}
    inputs = _ffn_inputs(f)
    for name, d in back.products.items():
        if name in inputs:
            gradients[name] = ops.linear_gradient(d, inputs[name])
        elif name == "W_O":
            gradients[name] = attention.output_gradient(d, f.z)
        else:
            gradients[name] = attention.project_gradient(d, f.normed)
        if getattr(w, bias := name.replace("W", "b"), None) is not None:
            gradients[bias] = d.sum(axis=-2)
    return LayerWeights(**gradients)  # type: ignore[arg-type]  # only that of W_gate may be None


def _ffn_inputs(f: BlockForward) -> dict[str, np.ndarray]:
    """Return what goes into each matrix of the FFN."""
    return {"W_gate": f.mid_normed, "W_up": f.mid_normed, "W_down": f.hidden}


def _own_heads(x: Float[np.ndarray, "heads rows d_head"], texts: int) -> np.ndarray:
    """Split [heads, texts * seq, d_head] into [texts * heads, seq, d_head]; query heads stay with their key head."""
    heads, rows, d_head = x.shape
    return x.reshape(heads, texts, rows // texts, d_head).swapaxes(0, 1).reshape(texts * heads, -1, d_head)


def _own_rows(x: Float[np.ndarray, "texts_and_heads seq d_head"], texts: int) -> np.ndarray:
    """Join them again."""
    n, seq, d_head = x.shape
    return x.reshape(texts, n // texts, seq, d_head).swapaxes(0, 1).reshape(n // texts, texts * seq, d_head)


class Adam:
    """Moves parameters against their gradient, each by about `lr` if the gradient is steady (Kingma & Ba 2014).

    It divides the mean gradient by its usual size, so that one lr fits all. The means cover about 10 and 100 steps.
    """

    def __init__(self, n: int, betas: tuple[float, float] = (0.9, 0.99)):
        self.betas, self.t = betas, 0
        self.mean, self.square = np.zeros((2, n), np.float32)

    def step(
        self, numbers: Float[np.ndarray, " n"], gradient: Float[np.ndarray, " n"], lr: float
    ) -> Float[np.ndarray, " n"]:
        """Return the parameters after one step, as a new array."""
        self.t += 1
        for average, new, beta in zip((self.mean, self.square), (gradient, gradient * gradient), self.betas):
            average *= np.float32(beta)
            average += np.float32(1 - beta) * new
        steady, usual = (1 - beta**self.t for beta in self.betas)  # the means began at zero
        size = np.sqrt(self.square / np.float32(usual)) + np.float32(1e-8)
        return numbers - np.float32(lr / steady) * self.mean / size


# --- from noise ------------------------------------------------------------------------------------------------------


def pretrain(
    text: str,
    config: Config,
    *,
    seconds: float = 60,
    steps: int | None = None,
    seed: int = 0,
    vocabulary: int = 512,
    lr: float = 4e-3,
) -> Iterator[Progress]:
    """Train a model of these sizes from noise on a text: first learn its tokens (BPE), then train on 1,024 a step.

    Ends after `steps`, or after `seconds` of work if no steps are given. The same seed and steps give the same model.
    config.n_vocab comes from the vocabulary. The last tenth of the text is held out of the training; the vocabulary is
    learned from the whole text. Yields a `Progress` before the first step and after each; stop iterating to end it.
    ValueError for a text that is too short and for sizes that do not fit together; FloatingPointError if the loss
    diverges.
    """
    if not isinstance(text, str):
        raise TypeError(f"training reads a text; got {type(text).__name__}")
    _positive(lr=lr, seconds=seconds)
    check_whole(vocabulary=vocabulary, steps=1 if steps is None else steps)
    if config.n_ctx < 2:
        raise ValueError("n_ctx must be 2 or more: with one token there is no next one to predict")
    lists = tokenization.train_vocabulary(text, vocabulary)
    config = replace(config, n_vocab=len(lists["tokens"]))
    model = Model(random_weights(config, seed, vocabulary=lists))
    tokens = np.array(model.tokenizer.encode(text))
    n_held_out = int(len(tokens) * HELD_OUT)
    if n_held_out < 10:
        raise ValueError(
            f"training needs at least {10 / HELD_OUT:.0f} tokens, and some 100,000 letters to learn words; this text "
            f"has only {len(tokens)} tokens"
        )
    return _pretrain(model, tokens[:-n_held_out], tokens[-n_held_out:], seconds, steps, seed, lr)


def _pretrain(model, tokens, held_out, seconds, steps, seed, lr) -> Iterator[Progress]:
    config, lists = model.config, model.weights.vocabulary
    rng = np.random.default_rng(seed)
    length = min(config.n_ctx, len(held_out) - 1)
    texts = max(1, TOKENS_A_STEP // length)
    flat = np.concatenate([array.ravel() for array in stored(model.weights).values()])
    adam = Adam(len(flat))
    windows, control = (sliding_window_view(part, length) for part in (tokens, held_out))
    first, control = (
        part[np.linspace(0, len(part) - 1, 4 * texts).astype(int)] for part in (windows, control)
    )
    with ThreadPoolExecutor(2) as pool:

        def over_halves(of, batch: Int[np.ndarray, "texts seq"]):
            """Return the mean over the texts, each half on its own core, with the same result on any machine."""
            halves = [half for half in np.array_split(batch, 2) if len(half)]
            gradients = pool.map(lambda half: of(model.weights, half), halves)
            return sum(
                gradient * np.float32(len(half) / len(batch)) for gradient, half in zip(gradients, halves)
            )

        with share_cores.one_thread():
            start, measured = (float(over_halves(_loss, part)) for part in (first, control))
        step, worked = 0, 0.0
        yield Progress(step, worked, start, measured, model)
        while step < steps if steps is not None else worked < seconds:
            began = time.perf_counter()
            done = step / steps if steps is not None else worked / seconds
            step += 1
            batch = windows[rng.integers(len(windows), size=texts)]
            with share_cores.one_thread():
                (loss,), gradient = np.split(over_halves(_flat_gradient, batch), [1])
                _not_astray(float(loss), start, step, lr)
                gradient /= max(1, np.linalg.norm(gradient))  # one unusual batch must not throw it off
                pace = lr * min(1, step / 20) * (1 - 0.9 * done)
                flat = adam.step(flat * np.float32(max(0, 1 - pace * WEIGHT_DECAY)), gradient, pace)
                model = Model(from_flat(flat, config, lists), model.tokenizer)
                so_far = worked + time.perf_counter() - began
                if step % MEASURE_EVERY == 0 or (step == steps if steps is not None else so_far >= seconds):
                    measured = float(over_halves(_loss, control))
            worked += time.perf_counter() - began
            yield Progress(step, worked, float(loss), measured, model)


def _flat_gradient(weights: Weights, tokens: Int[np.ndarray, "texts seq"]) -> Float[np.ndarray, " n"]:
    """Return the loss, followed by the gradient in the order of `from_flat`."""
    with np.errstate(over="ignore", invalid="ignore"):  # `_not_astray` tells it
        loss, gradients = _loss_and_gradients(weights, tokens, np.ones(tokens.shape, bool))
    return np.concatenate([[np.float32(loss)], *(array.ravel() for array in stored(gradients).values())])


def _loss(
    weights: Weights,
    tokens: Int[np.ndarray, "texts seq"],
    counted: Bool[np.ndarray, "texts seq"] | None = None,
    **forward,
) -> float:
    x, _ = _forward(weights, tokens, **forward)
    counted = np.ones(tokens.shape, bool) if counted is None else counted
    return _from_the_loss(weights, x, tokens, counted)[0]


# --- a finished model, a little further ------------------------------------------------------------------------------


def finetune(
    model: Model,
    conversations: Sequence[Sequence[Mapping[str, str]]],
    *,
    steps: int = 32,
    rank: int = 8,
    layers: Sequence[int] | None = None,
    lr: float = 3e-3,
    seed: int = 0,
) -> Iterator[Progress]:
    """Teach a chat model by example: low-rank changes of the FFN matrices of some layers (LoRA; Hu et al. 2021).

    conversations: the training examples, each a list of messages as for `encode_chat`; only the assistant's tokens
    count. Each step takes one, each round all of them. layers: by default the last third. The model's own parameters
    stay unchanged: `Progress.update` is all that is learned, and `Progress.model` shares everything else. Yields a
    `Progress` before the first step, with the mean loss of all examples, and after each. ValueError for an example
    that has no answer, or more tokens than 256 or the model's context window; TypeError for anything but a list of
    lists; FloatingPointError if the loss diverges.
    """
    _positive(lr=lr)
    check_whole(steps=steps, rank=rank)
    n_layers = model.config.n_layers
    layers = range(n_layers - max(1, n_layers // 3), n_layers) if layers is None else sorted(set(layers))
    if not layers or not set(layers) <= set(range(n_layers)):
        raise ValueError(f"layers are some of 0 to {n_layers - 1}; got {list(layers)}")
    if not _is_list(conversations) or not all(_is_list(conversation) for conversation in conversations):
        raise TypeError(
            "conversations are a list of them, and each is a list of messages, as for encode_chat"
        )
    if not conversations:
        raise ValueError("there is no example to learn from; give at least one question with its answer")
    lessons = [_lesson(model, number, messages) for number, messages in enumerate(conversations, 1)]
    return _finetune(model, lessons, steps, rank, list(layers), lr, seed)


def _lesson(model: Model, number: int, messages) -> tuple[np.ndarray, np.ndarray]:
    """Return a conversation's tokens, and which of them are the assistant's."""
    tokens = np.array(model.tokenizer.encode_chat(messages, add_reply=False))
    said = np.zeros(len(tokens), bool)
    role, line_break = (len(model.tokenizer.encode(text)) for text in ("assistant\n", "\n"))
    for i, message in enumerate(messages):
        if message["role"] == "assistant" and message["content"].strip():
            # The token that ends the answer counts, the line break after it doesn't.
            end = len(model.tokenizer.encode_chat(messages[: i + 1], add_reply=False)) - line_break
            n = len(model.tokenizer.encode(f"assistant\n{message['content']}")) - role + 1
            said[end - n : end] = True
    if not said.any():
        raise ValueError(f"example {number} has no answer: its messages need one of the role 'assistant'")
    longest = min(LONGEST, model.config.n_ctx)
    if len(tokens) > longest:
        raise ValueError(f"example {number} has {len(tokens)} tokens; it can have {longest} at most")
    return tokens[None], said[None]


def _finetune(model, lessons, steps, rank, layers, lr, seed) -> Iterator[Progress]:
    weights, config, rng = model.weights, model.config, np.random.default_rng(seed)
    update: Update = {
        (layer, name): _no_change(getattr(weights.layers[layer], name), rank, rng)
        for layer in layers
        for name in CHANGED
        if getattr(weights.layers[layer], name) is not None
    }
    order: list[int] = []
    adam, worked = Adam(len(_flat(update))), 0.0
    running = range(layers[0], config.n_layers)
    # the layers below are unchanged, and so is their output for each conversation
    with share_cores.one_thread():
        streams = [_forward(weights, tokens, layers=range(layers[0]))[0] for tokens, _ in lessons]
        costs = [_loss(weights, *lesson, x=x, layers=running) for lesson, x in zip(lessons, streams)]
    start = float(np.mean(costs))
    yield Progress(0, worked, start, None, model, update)
    for step in range(1, steps + 1):
        began = time.perf_counter()
        order = order or rng.permutation(len(lessons)).tolist()
        which = order.pop()
        with share_cores.one_thread(), np.errstate(over="ignore", invalid="ignore"):  # `_not_astray` tells it
            tokens, said = lessons[which]
            costs[which], gradient = _update_gradient(weights, tokens, said, streams[which], running, update)
            _not_astray(float(np.mean(costs)), start, step, lr)
            along = _flat({key: gradient[key] for key in update})
            update = _like(update, adam.step(_flat(update), along, lr * (1 - 0.9 * (step - 1) / steps)))
        worked += time.perf_counter() - began
        yield Progress(step, worked, float(np.mean(costs)), None, model, update)


def _update_gradient(weights, tokens, said, x, running, update) -> tuple[float, Update]:
    """Return a conversation's loss, and how it changes with the update's numbers; x: the stream before `running`."""
    x, activations = _forward(weights, tokens, x=x, layers=running, update=update)
    loss, d_x, _, _, _ = _from_the_loss(weights, x, tokens, said)
    gradient: dict[tuple[int, str], LowRank] = {}
    for layer, f, back in _backward(weights, d_x, activations, update):
        for name, low in _changes(update, layer).items():
            gradient[layer, name] = low.gradient(back.products[name], _ffn_inputs(f)[name])
    return loss, gradient


def _no_change(W: Float[np.ndarray, "d_in d_out"], rank: int, rng: np.random.Generator) -> LowRank:
    """Make the update that fine-tuning begins with: it reads random directions and writes nothing yet."""
    d_in, d_out = W.shape
    down = rng.normal(size=(d_in, rank)) / np.sqrt(d_in)
    return LowRank(down.astype(np.float32), np.zeros((rank, d_out), np.float32))


def _flat(update: Update) -> Float[np.ndarray, " n"]:
    return np.concatenate([part.ravel() for low in update.values() for part in (low.down, low.up)])


def _like(update: Update, flat: Float[np.ndarray, " n"]) -> Update:
    """Return the numbers of `flat`, in the shapes of `update`."""
    parts = [part for low in update.values() for part in (low.down, low.up)]
    cut = np.split(flat, np.cumsum([part.size for part in parts])[:-1])
    new = iter([piece.reshape(part.shape) for piece, part in zip(cut, parts)])
    return {key: LowRank(next(new), next(new)) for key in update}


def updated(model: Model, update: Update, amount: float = 1.0) -> Model:
    """Add `amount` times the update to the model: 0 is the model before the training, 1 after it.

    Only the matrices that change are new: 3.5 MB each, with the default model.
    """
    layers = list(model.weights.layers)
    for (layer, name), low in update.items():
        W = getattr(layers[layer], name)
        changed = low.up.T @ (np.float32(amount) * low.down.T)  # in the memory order of matrices
        changed += W.T
        layers[layer] = replace(layers[layer], **{name: changed.T})
    return Model(replace(model.weights, layers=tuple(layers)), model.tokenizer)


def _positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 < number < math.inf:
            raise ValueError(f"{name} must be more than 0, got {number}")


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _not_astray(loss: float, start: float, step: int, lr: float) -> None:
    """Raise FloatingPointError once the loss is clearly higher than before the training, or not a number."""
    if not loss < start + 1:  # NaN also ends here
        raise FloatingPointError(
            f"the training diverged at step {step}: the loss is {loss:.1f} nats a token, and before the first step it "
            f"was {start:.1f}. With lr={lr:g} the steps overshoot; try lr={min(3e-3, lr / 10):.1g}."
        )
