"""The composed model against a plain float64 forward pass: every knob, reuse of runs, the loop, and refusals."""

import errno
import gc
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
import warnings
from dataclasses import asdict, fields, replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import tiny_gguf
from messages import holding, numbers
from tiny_gguf import VARIANTS, random_ids

import llmviz
from llmviz import Edits, Model, Sampler, tokenization, weights
from llmviz import edits as edits_module
from llmviz.model import TOO_LARGE
from llmviz.reuse import Recent, _nbytes
from llmviz.weights import Config

GREEDY = Sampler(temperature=0)
IDS = random_ids("grouped", 11)
N_LAYERS, N_HEADS, D_MODEL, D_FF = 3, 6, 48, 80  # of "grouped"
VECTOR = np.random.default_rng(2).standard_normal(D_MODEL).astype(np.float32)


def by_hand(name: str, ids: list[int], e: Edits | None = None) -> dict[str, list[np.ndarray] | np.ndarray]:
    """A Llama forward pass, one head at a time, from the numbers that were written into the file."""
    e = e or Edits()
    tiny = VARIANTS[name]
    w = {key: value.astype(np.float64) for key, value in tiny_gguf.tensors(tiny).items()}
    d = tiny.d_model // tiny.n_heads
    places = np.arange(len(ids)) * e.position_scale + e.position_shift
    hands = np.exp(1j * places[:, None] / tiny.rope_base ** (np.arange(0, d, 2) / d))

    def norm(x, weight):
        return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + tiny.norm_eps) * weight if e.norm else x

    def rope(x):
        turned = (x[:, 0::2] + 1j * x[:, 1::2]) * (hands if e.rope else 1)
        return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)

    arrays = {"resid_pre": [], "resid_mid": [], "resid_post": [], "pattern": []}
    x = w["token_embd.weight"][ids]
    for layer in range(tiny.n_layers):

        def of(part, layer=layer):
            return w[f"blk.{layer}.{part}.weight"]

        x = x.copy()
        for (at, place), vector in e.resid.items():
            if at == layer:
                x[place] = vector
        arrays["resid_pre"].append(x)
        read, out, patterns = norm(x, of("attn_norm")), np.zeros_like(x), []
        for h in range(tiny.n_heads):
            mine, shared = (slice(i * d, (i + 1) * d) for i in (h, h * tiny.n_kv_heads // tiny.n_heads))
            q, k = rope(read @ of("attn_q")[mine].T), rope(read @ of("attn_k")[shared].T)
            scores = q @ k.T / (math.sqrt(d) if e.score_scale else 1)
            if e.causal_mask:
                scores[np.triu_indices(len(ids), k=1)] = -np.inf
            pattern = np.exp(scores - scores.max(axis=1, keepdims=True))
            pattern /= pattern.sum(axis=1, keepdims=True)
            patterns.append(pattern)
            z = pattern @ (read @ of("attn_v")[shared].T) * e.head.get((layer, h), 1)
            out += z @ of("attn_output")[:, mine].T
        out *= e.attention.get(layer, 1)
        x = x + out if e.residual else out
        arrays["resid_mid"].append(x)
        read = norm(x, of("ffn_norm"))
        gate, up = read @ of("ffn_gate").T, read @ of("ffn_up").T
        with np.errstate(over="ignore"):  # without norms gates reach -1000: 1 / (1 + inf) is the right 0
            hidden = gate / (1 + np.exp(-gate)) * up
        for (at, neuron), scale in e.neuron.items():
            if at == layer:
                hidden[:, neuron] *= scale
        out = hidden @ of("ffn_down").T * e.ffn.get(layer, 1)
        x = x + out if e.residual else out
        arrays["resid_post"].append(x)
        arrays["pattern"].append(np.stack(patterns))
    arrays["logits"] = norm(x[-1], w["output_norm.weight"]) @ w.get("output.weight", w["token_embd.weight"]).T
    return arrays


def assert_near(got, expected, *, share: float = 5e-5, what: str = "") -> None:
    """Equal to a small share of the largest number."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=share * np.abs(expected).max(), err_msg=what)


@pytest.fixture
def tiny(load_tiny) -> Model:
    """The grouped model, with nothing to reuse."""
    model = load_tiny("grouped")
    model.forget()
    return model


def fresh(model: Model, ids: list[int], edits: Edits | None = None) -> llmviz.Trace:
    """A run that reuses nothing and leaves nothing."""
    return Model(model.weights).trace(ids, edits)


# One run


@pytest.mark.parametrize("name", ["full", "grouped", "single", "one_head"])
@pytest.mark.parametrize("length", [1, 2, 20])
def test_a_run_equals_the_plain_forward_pass(load_tiny, name, length):
    ids = random_ids(name, length)
    trace, expected = fresh(load_tiny(name), ids), by_hand(name, ids)
    assert trace.tokens == ids
    assert trace.logits.dtype == np.float32
    assert_near(trace.logits, expected["logits"])
    for layer, block in enumerate(trace.blocks):
        for key in ("resid_pre", "resid_mid", "resid_post"):
            assert_near(getattr(block, key), expected[key][layer], what=f"{key} of layer {layer}")
        assert_near(block.attention.pattern, expected["pattern"][layer], what=f"pattern of layer {layer}")


def test_the_parts_of_a_block_add_up(tiny):
    trace = tiny.trace(IDS)
    x = trace.blocks[0].resid_pre
    for block in trace.blocks:
        attention, ffn = block.attention, block.ffn
        assert_near(block.resid_pre, x)
        assert_near(block.resid_mid, x + attention.out)
        assert_near(block.resid_post, block.resid_mid + ffn.out)
        np.testing.assert_allclose(attention.pattern.sum(axis=-1), 1, rtol=1e-5)
        assert_near(attention.q, block.q)
        x = block.resid_post
    np.testing.assert_array_equal(trace.blocks[0].resid_pre, tiny.weights.W_E[IDS])


def test_an_ffn_of_some_tokens_is_that_of_all_at_their_places(tiny):
    trace = tiny.trace(IDS, Edits(ffn={1: 0.5}, neuron={(1, 3): 2}))
    whole, part = trace.blocks[1].ffn, trace.blocks[1].ffn_at(slice(2, 5))
    for name in ("gate", "up", "hidden", "out"):
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[2:5], rtol=1e-5, atol=1e-6)


def test_text_and_its_ids_are_the_same_run(tiny):
    text = "The cat sat on the dog"
    by_text, by_ids = tiny.trace(text), fresh(tiny, tiny.tokenizer.encode(text))
    assert by_text.tokens == by_ids.tokens
    assert by_text.pieces == by_ids.pieces == tiny.tokenizer.pieces(by_ids.tokens)
    assert_near(by_text.logits, by_ids.logits)
    assert_near(fresh(tiny, np.array(by_ids.tokens)).logits, by_ids.logits)


def test_the_lens_at_the_last_layer_gives_the_logits(tiny):
    trace = tiny.trace(IDS)
    lens = trace.lens(N_LAYERS - 1)
    assert lens.shape == (len(IDS), tiny.config.n_vocab)
    assert_near(lens[-1], trace.logits)
    w = tiny_gguf.tensors(VARIANTS["grouped"])
    x = trace.blocks[1].resid_post.astype(np.float64)
    normed = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5) * w["output_norm.weight"]
    assert_near(trace.lens(1), normed @ w["output.weight"].T)
    assert_near(tiny.unembed(trace.blocks[1].resid_post), normed @ w["output.weight"].T)
    for layer in (-1, N_LAYERS):
        with pytest.raises(ValueError, match=holding(f"layer {layer}", 0, 2)):
            trace.lens(layer)


@pytest.mark.parametrize("edits", [Edits(), Edits(norm=False), Edits(ffn={1: 0.5})])
def test_the_logits_after_any_token_are_those_of_the_text_up_to_it(tiny, edits):
    trace = tiny.trace(IDS, edits)
    every = trace.all_logits()
    assert every.shape == (len(IDS), tiny.config.n_vocab)
    for place in range(len(IDS)):
        expected = by_hand("grouped", IDS[: place + 1], edits)["logits"]
        for got in (every[place], trace.logits_at(place), trace.logits_at(place - len(IDS))):
            assert_near(got, expected, share=1e-4)
    assert_near(trace.logits_at(-1), trace.logits)
    for place in (len(IDS), -len(IDS) - 1):
        with pytest.raises(ValueError, match=holding(f"position {place}", 0, 10)):
            trace.logits_at(place)


@pytest.mark.parametrize("edits", [Edits(), Edits(causal_mask=False)])
def test_attention_of_one_query_is_that_row_of_all(tiny, edits):
    block = tiny.trace(IDS, edits).blocks[1]
    whole = block.attention
    for place in (0, 4, -1, -3):
        row, at = block.attention_at(place), place % len(IDS)
        seen = row.k.shape[1]
        assert seen == (at + 1 if edits.causal_mask else len(IDS))
        for name in ("scores", "pattern"):
            expected = getattr(whole, name)[:, [at], :seen]
            np.testing.assert_allclose(getattr(row, name), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(row.z, whole.z[:, [at]], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(row.out, whole.out[[at]], rtol=1e-5, atol=1e-6)
    for place in (len(IDS), -len(IDS) - 1):
        with pytest.raises(ValueError, match=holding(f"position {place}", 0, 10)):
            block.attention_at(place)


def test_a_line_says_what_it_is(tiny):
    trace = tiny.trace("The cat", Edits(ffn={1: 0}))
    assert numbers(repr(tiny)) == [3, 48, 6, 2, 8, 80, 277, 128]
    n = len(trace.tokens)
    assert re.match(
        holding("Trace", "'The cat'", n, 3, f"({n}, 48)", "(277,)", "Edits(ffn={1: 0})"), repr(trace)
    )
    block = repr(trace.blocks[1])
    assert re.match(holding("BlockTrace", "layer 1", f"({n}, 48)", f"(6, {n}, 8)", f"(2, {n}, 8)"), block)
    assert "\n" not in repr(next(tiny.generate("The cat")))


def test_a_trace_is_equal_to_itself_only_and_can_be_a_key(tiny):
    first, other = tiny.trace(IDS), fresh(tiny, IDS)
    for a, b in (
        (first, other),
        (first.blocks[0], other.blocks[0]),
        (first.blocks[0].ffn, other.blocks[0].ffn),
    ):
        assert a == a
        assert a != b
        assert {a: 1}[a] == 1


@pytest.mark.parametrize("changed", [3, 10])
def test_a_later_token_never_changes_what_came_before(tiny, changed):
    other = [*IDS[:changed], (IDS[changed] + 1) % 200, *IDS[changed + 1 :]]
    first, second = fresh(tiny, IDS), fresh(tiny, other)
    for a, b in zip(first.blocks, second.blocks):
        assert_near(b.resid_post[:changed], a.resid_post[:changed])
        assert_near(b.attention.pattern[:, :changed], a.attention.pattern[:, :changed])
    assert np.abs(second.blocks[-1].resid_post[changed:] - first.blocks[-1].resid_post[changed:]).max() > 1e-2
    no_mask = Edits(causal_mask=False)
    first, second = (fresh(tiny, ids, no_mask).blocks[-1].resid_post[0] for ids in (IDS, other))
    assert np.abs(first - second).max() > 1e-2


def test_a_later_token_never_changes_what_came_before_in_the_real_model(model):
    ids = model.tokenizer.encode("The cat that I saw yesterday was sleeping on")
    first, second = fresh(model, ids), fresh(model, [*ids[:-2], 1_000, 2_000])
    for a, b in zip(first.blocks, second.blocks):
        np.testing.assert_allclose(b.resid_post[:-2], a.resid_post[:-2], rtol=1e-4, atol=1e-3)


def test_a_model_makes_its_tokenizer_or_shares_one(tiny_model):
    alone = Model(tiny_model.weights)
    assert asdict(alone.tokenizer) == asdict(tiny_model.tokenizer)
    assert alone.tokenizer is not tiny_model.tokenizer
    assert Model(tiny_model.weights, tiny_model.tokenizer).tokenizer is tiny_model.tokenizer


# Edits: each knob does what its formula says, and nothing at its neutral value

EFFECTS = {
    "head off": Edits(head={(1, 4): 0}),
    "heads turned": Edits(head={(0, 0): 2.5, (0, 5): -1, (2, 3): 0.25}),
    "attention off": Edits(attention={1: 0}),
    "attention doubled": Edits(attention={0: 2, 2: 0.5}),
    "ffn off": Edits(ffn={0: 0, 2: 0}),
    "ffn turned": Edits(ffn={1: -0.5}),
    "neuron off": Edits(neuron={(2, 79): 0}),
    "neurons turned": Edits(neuron={(0, 0): 30, (1, 17): -4}),
    "embedding replaced": Edits(resid={(0, 4): VECTOR}),
    "stream replaced": Edits(resid={(1, 10): VECTOR, (2, 0): 2 * VECTOR}),
    "positions stretched": Edits(position_scale=3.5),
    "positions shrunk to one": Edits(position_scale=0.0),
    "no rope": Edits(rope=False),
    "no mask": Edits(causal_mask=False),
    "no score scale": Edits(score_scale=False),
    "no norm": Edits(norm=False),
    "no residual": Edits(residual=False),
    "many": Edits(
        head={(0, 1): 0},
        attention={1: 2},
        ffn={2: 0.5},
        neuron={(1, 3): 4},
        resid={(1, 2): VECTOR},
        rope=False,
    ),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_a_knob_does_what_its_formula_says(tiny, name):
    edits = EFFECTS[name]
    trace, expected = tiny.trace(IDS, edits), by_hand("grouped", IDS, edits)
    assert_near(trace.logits, expected["logits"], share=1e-4)
    for layer, block in enumerate(trace.blocks):
        assert_near(block.resid_pre, expected["resid_pre"][layer], share=1e-4)
        assert_near(block.resid_post, expected["resid_post"][layer], share=1e-4)
        assert_near(block.attention.pattern, expected["pattern"][layer], share=1e-4)
        # what is recomputed when asked for knows the edits as well
        attention, ffn = block.attention.out, block.ffn.out
        before, between = (block.resid_pre, block.resid_mid) if edits.residual else (0, 0)
        assert_near(before + attention, block.resid_mid)
        assert_near(between + ffn, block.resid_post)
    plain = by_hand("grouped", IDS)["logits"]
    assert np.abs(expected["logits"] - plain).max() > 1e-3  # it does change something
    assert_near(trace.lens(N_LAYERS - 1)[-1], trace.logits)


def test_a_shift_of_all_positions_changes_no_score(tiny):
    shifted = tiny.trace(IDS, Edits(position_shift=64.0))
    assert_near(shifted.logits, by_hand("grouped", IDS)["logits"], share=1e-4)
    assert_near(shifted.blocks[0].q, fresh(tiny, [0] * 64 + IDS).blocks[0].q[:, 64:])  # only the hands moved
    assert np.abs(shifted.blocks[0].q - fresh(tiny, IDS).blocks[0].q).max() > 0.1


NEUTRAL = {
    "head": {(0, 0): 1, (2, 5): 1.0},
    "attention": {0: 1, 1: 1.0},
    "ffn": {2: 1.0},
    "neuron": {(0, 0): 1, (1, 79): 1.0},
    "position_scale": 1,
    "position_shift": 0,
    "rope": True,
    "causal_mask": True,
    "score_scale": True,
    "norm": True,
    "residual": True,
}


def assert_same_to_the_last_bit(a: llmviz.Trace, b: llmviz.Trace) -> None:
    np.testing.assert_array_equal(a.logits, b.logits)
    for block, other in zip(a.blocks, b.blocks):
        for key in ("resid_pre", "q", "k", "v", "resid_mid", "resid_post"):
            np.testing.assert_array_equal(getattr(block, key), getattr(other, key))
        np.testing.assert_array_equal(block.attention.out, other.attention.out)
        np.testing.assert_array_equal(block.ffn.out, other.ffn.out)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", [*NEUTRAL, "resid"])
def test_a_knob_at_its_neutral_value_changes_nothing_to_the_last_bit(tiny, name):
    plain = fresh(tiny, IDS)
    value = NEUTRAL.get(name, {(layer, 3): plain.blocks[layer].resid_pre[3] for layer in range(N_LAYERS)})
    assert_same_to_the_last_bit(fresh(tiny, IDS, Edits(**{name: value})), plain)


def test_every_knob_is_tested():
    knobs = {field.name for field in fields(Edits)}
    assert {*NEUTRAL, "resid", "at"} == knobs  # `at`: tests/test_edits.py
    turned = {
        knob for edits in EFFECTS.values() for knob in knobs if getattr(edits, knob) != getattr(Edits(), knob)
    }
    assert turned | {"position_shift", "at"} == knobs


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "edits",
    [
        Edits(),
        Edits(head={(0, 1): 0.5}, at={("z", 1): edits_module.scale(0, head=2, positions=[3, -1])}),
        Edits(at={("pattern", 0): edits_module.knock_out([1, 5], positions=[4, 5, -2])}),
        Edits(at={("scores", 1): lambda scores: 2 * scores}),
        Edits(causal_mask=False),
        Edits(score_scale=False),
    ],
    ids=["none", "z", "knockout", "own function", "no mask", "no scale"],
)
def test_attention_in_blocks_of_queries_is_attention_over_all(tiny, monkeypatch, edits):
    monkeypatch.setattr(llmviz.model, "QUERIES", len(IDS))
    whole = fresh(tiny, IDS, edits)
    monkeypatch.setattr(llmviz.model, "QUERIES", 3)
    in_blocks = fresh(tiny, IDS, edits)
    assert_near(in_blocks.logits, whole.logits)
    for block in in_blocks.blocks:
        assert_near(block.resid_mid - block.resid_pre, block.attention.out)


def test_blocks_of_queries_see_the_keys_in_the_cache(tiny, monkeypatch):
    monkeypatch.setattr(llmviz.model, "QUERIES", 3)
    expected = fresh(tiny, IDS)
    tiny.trace(IDS[:2])
    assert_near(tiny.trace(IDS).logits, expected.logits)


def test_neutral_edits_change_nothing_in_the_real_model(model):
    text = "The capital of France is"
    plain = fresh(model, model.tokenizer.encode(text))
    edits = Edits(**NEUTRAL | {"resid": {(20, 2): plain.blocks[20].resid_pre[2]}})
    assert_same_to_the_last_bit(fresh(model, plain.tokens, edits), plain)


# What is not computed again


@pytest.fixture
def computed(monkeypatch) -> list[tuple[int, int]]:
    """(layer, number of tokens) of every block that runs."""
    calls, block = [], llmviz.model.run_block

    def counting(layer, w, config, x, *rest):
        calls.append((layer, len(x)))
        return block(layer, w, config, x, *rest)

    monkeypatch.setattr(llmviz.model, "run_block", counting)
    return calls


def everything(n_tokens: int, *, first_layer: int = 0) -> list[tuple[int, int]]:
    return [(layer, n_tokens) for layer in range(first_layer, N_LAYERS)]


@pytest.mark.usefixtures("one_thread")
def test_the_same_run_again_computes_nothing(tiny, computed):
    once = tiny.trace(IDS, Edits(ffn={1: 0}))
    computed.clear()
    again = tiny.trace(IDS, Edits(ffn={1: 0}, head={(0, 0): 1}))
    assert computed == []
    assert_same_to_the_last_bit(again, once)


def test_forgetting_computes_everything_again(tiny, computed):
    tiny.trace(IDS)
    tiny.forget()
    computed.clear()
    tiny.trace(IDS)
    assert computed == everything(len(IDS))


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.usefixtures("one_thread")
def test_an_edit_computes_from_its_layer_on(tiny, computed, layer):
    tiny.trace(IDS)
    for edits in (
        Edits(head={(layer, 2): 0}),
        Edits(attention={layer: 0.5}),
        Edits(ffn={layer: 0}),
        Edits(neuron={(layer, 7): 3}),
        Edits(resid={(layer, 5): VECTOR}),
    ):
        computed.clear()
        trace = tiny.trace(IDS, edits)
        assert computed == everything(len(IDS), first_layer=layer)
        assert_same_to_the_last_bit(trace, fresh(tiny, IDS, edits))


def test_moving_a_slider_at_one_layer_keeps_the_layers_before_it(tiny, computed):
    for scale in (1.0, 0.8, 0.5, 0.0):
        computed.clear()
        tiny.trace(IDS, Edits(attention={2: scale}))
        assert computed == everything(len(IDS), first_layer=0 if scale == 1 else 2)


def test_a_longer_text_computes_only_its_new_tokens(tiny, computed):
    tiny.trace(IDS[:7])
    computed.clear()
    trace = tiny.trace(IDS)
    assert computed == everything(len(IDS) - 7)
    expected = fresh(tiny, IDS)
    assert_near(trace.logits, expected.logits)
    for got, wanted in zip(trace.blocks, expected.blocks):
        for key in ("resid_pre", "q", "k", "v", "resid_mid", "resid_post"):
            assert_near(getattr(got, key), getattr(wanted, key))
        assert_near(got.attention.pattern, wanted.attention.pattern)


def test_a_text_that_ends_differently_and_a_shorter_one(tiny, computed):
    tiny.trace(IDS)
    other = [*IDS[:8], 5, 6]
    for ids, n_new in ((other, 2), (IDS[:4], 1)):  # the last token must run, to give its logits
        computed.clear()
        assert_near(tiny.trace(ids).logits, fresh(tiny, ids).logits)
        assert computed[:N_LAYERS] == everything(n_new)


def test_without_the_mask_nothing_of_another_text_is_reused(tiny, computed):
    tiny.trace(IDS[:7], Edits(causal_mask=False))
    computed.clear()
    tiny.trace(IDS, Edits(causal_mask=False))
    assert computed == everything(len(IDS))


def test_any_order_of_runs_gives_what_fresh_runs_give(tiny):
    rng = np.random.default_rng(4)
    pool = [Edits(), Edits(), *EFFECTS.values(), Edits(position_shift=7.0)]
    texts = [IDS, IDS[:7], [*IDS[:7], 9, 9], [*IDS, 30, 31], IDS[:5], [8, *IDS[1:]]]
    ids, edits = IDS, Edits()
    for _ in range(60):
        if rng.random() < 0.6:
            ids = texts[rng.integers(len(texts))]
        if rng.random() < 0.6:
            edits = pool[rng.integers(len(pool))]
        if any(place >= len(ids) for _, place in edits.resid):
            continue
        trace, expected = tiny.trace(ids, edits), fresh(tiny, ids, edits)
        assert trace.tokens == ids
        assert_near(trace.logits, expected.logits)
        for got, wanted in zip(trace.blocks, expected.blocks):
            assert_near(got.resid_post, wanted.resid_post)
            assert_near(got.attention.out, wanted.attention.out)
            assert_near(got.ffn.out, wanted.ffn.out)


def test_reuse_in_the_real_model(model):
    ids = model.tokenizer.encode("The cat that I saw yesterday was sleeping")
    model.forget()
    model.trace(ids[:5])
    longer = model.trace(ids)
    assert_near(longer.logits, fresh(model, ids).logits)
    edited = model.trace(ids, Edits(head={(20, 3): 0}))
    assert_near(edited.logits, fresh(model, ids, Edits(head={(20, 3): 0})).logits)
    assert edited.blocks[19] is longer.blocks[19]


def nbytes(*traces: llmviz.Trace) -> int:
    """Of the memory behind the arrays of some runs, each piece of it counted once."""
    arrays = [trace.logits for trace in traces] + [
        getattr(block, name)
        for trace in traces
        for block in trace.blocks
        for name in ("resid_pre", "q", "k", "v", "resid_mid", "resid_post")
    ]
    return sum(
        {(array.__array_interface__["data"][0], array.nbytes): array.nbytes for array in arrays}.values()
    )


@pytest.mark.usefixtures("one_thread")
def test_what_is_kept_is_bounded_in_bytes(tiny, computed):
    first = tiny.trace(IDS)
    assert _nbytes(tiny.recent.runs) == nbytes(first)
    both = tiny.trace(IDS, Edits(ffn={2: 0}))
    assert (
        _nbytes(tiny.recent.runs) == nbytes(first, both) < 2 * nbytes(first)
    )  # two layers are the same arrays
    tiny.trace(IDS, Edits(ffn={1: 0}))
    assert len(tiny.recent.runs) == 2
    tiny.recent.max_bytes = nbytes(first) + 1
    try:
        tiny.trace([*IDS, 5])  # too much: nothing of it is kept, and nothing else that doesn't fit
        assert _nbytes(tiny.recent.runs) <= tiny.recent.max_bytes
        tiny.trace(IDS)
        assert len(tiny.recent.runs) == 1
        tiny.recent.max_bytes = 0
        tiny.trace(IDS)
        assert _nbytes(tiny.recent.runs) == 0
        computed.clear()
        assert_same_to_the_last_bit(tiny.trace(IDS), first)
        assert computed == everything(len(IDS))
    finally:
        tiny.recent.max_bytes = Recent().max_bytes


# What a reader changes afterwards does not leak into later runs


def test_the_kept_arrays_are_read_only(tiny):
    trace = tiny.trace(IDS)
    block = trace.blocks[1]
    for array in (
        block.resid_pre,
        block.q,
        block.k,
        block.v,
        block.resid_mid,
        block.resid_post,
        trace.logits,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    block.attention.pattern[0] = 0  # computed when asked for: the reader's own


def test_writing_on_by_hand_in_the_list_of_a_trace(tiny):
    tokens = tiny.trace(IDS).tokens
    for _ in range(4):
        trace = tiny.trace(tokens)
        tokens = trace.tokens
        tokens.append(int(trace.logits.argmax()))
        trace.pieces.clear()
    assert tokens[len(IDS) :] == [step.token for step in tiny.generate(IDS, 4, GREEDY)]


@pytest.mark.usefixtures("one_thread")
def test_changing_the_dict_or_the_vector_of_edits_afterwards(tiny):
    off, vector = {(0, 0): 0}, VECTOR.copy()
    edits = Edits(head=off, resid={(1, 2): vector})
    before = tiny.trace(IDS, edits)
    off[0, 1] = 0
    vector[:] = 0
    assert_same_to_the_last_bit(tiny.trace(IDS, edits), before)
    with pytest.raises(TypeError, match="mappingproxy"):
        edits.head[0, 1] = 0
    with pytest.raises(ValueError, match="read-only"):
        edits.resid[1, 2][:] = 0
    assert before.edits.head == {(0, 0): 0}


# The loop


@pytest.mark.parametrize("name", ["full", "grouped", "single", "one_head"])
def test_writing_with_the_cache_equals_running_the_whole_text_each_step(load_tiny, name):
    model, ids = load_tiny(name), random_ids(name, 5)
    for step in model.generate(ids, 12, GREEDY):
        expected = by_hand(name, ids)["logits"]
        assert_near(step.logits, expected)
        assert step.token == int(expected.argmax())
        ids.append(step.token)


@pytest.mark.parametrize("name", EFFECTS)
def test_writing_with_edits_equals_running_the_whole_text_each_step(tiny, name):
    ids, edits = list(IDS), EFFECTS[name]
    for step in tiny.generate(ids, 6, GREEDY, edits=edits):
        expected = fresh(tiny, ids, edits)
        assert_near(step.logits, expected.logits)
        assert step.token == int(expected.logits.argmax())
        ids.append(step.token)
    assert len(ids) > len(IDS)


@pytest.mark.parametrize("edits", [Edits(), Edits(causal_mask=False)])
def test_writing_in_the_real_model_equals_running_the_whole_text_each_step(model, edits):
    ids = model.tokenizer.encode("Once upon a time")
    for step in model.generate(ids, 4, GREEDY, edits=edits):
        expected = fresh(model, ids, edits)
        assert_near(step.logits, expected.logits)
        assert step.token == int(expected.logits.argmax())
        assert step.piece == model.tokenizer.pieces([step.token])[0]
        ids.append(step.token)
    assert len(ids) == 8


def test_a_step_says_what_it_was_drawn_from(tiny):
    sampler = Sampler(temperature=1.5, top_k=10)
    for step in tiny.generate(IDS, 5, sampler, seed=1):
        np.testing.assert_allclose(step.probs, sampler.probs(step.logits), rtol=1e-4, atol=1e-7)
        assert step.probs[step.token] > 0


def test_steps_that_are_over_still_say_it_and_hold_little(model):
    sampler = Sampler(top_p=0.9)
    seen = [
        (step, step.logits.copy(), step.probs.copy())
        for step in model.generate("Once upon a time", 4, sampler, seed=3)
    ]
    for step, logits, probs in seen:
        assert_near(step.logits, logits)
        np.testing.assert_allclose(step.probs, probs, rtol=1e-4, atol=1e-6)
    model.forget()
    steps = list(model.generate("Once upon a time", 1, sampler))  # the kernels of NumPy are warm
    tracemalloc.start()
    steps = list(model.generate("Once upon a time", 6, sampler, seed=3))
    model.forget()
    gc.collect()
    arrays = tracemalloc.DomainFilter(
        True, np.lib.tracemalloc_domain
    )  # what measures coverage holds memory as well
    held = sum(one.size for one in tracemalloc.take_snapshot().filter_traces([arrays]).traces)
    tracemalloc.stop()
    assert held < len(steps) * 10_000  # the logits alone would be 197 kB each


def test_the_same_seed_writes_the_same_text(tiny):
    sampler = Sampler(temperature=3)

    def write(seed: int | None) -> list[int]:
        return [step.token for step in tiny.generate(IDS, 20, sampler, seed)]

    assert write(5) == write(5)
    assert write(5) != write(6)
    assert write(None) != write(None)


class Ends(Sampler):
    """Always picks the tiny model's end token."""

    def probs(self, logits):
        return np.eye(len(logits), dtype=np.float32)[2 % len(logits)]


def test_the_end_token_ends_it(tiny):
    steps = list(tiny.generate(IDS, 50, Ends()))
    assert [(step.token, step.piece) for step in steps] == [(2, "<|im_end|>")]


def test_the_chat_model_ends_its_answer(model):
    prompt = model.tokenizer.encode_chat(
        [{"role": "user", "content": "What is 2 + 2? Answer with one number."}]
    )
    steps = list(model.generate(prompt, 40, GREEDY))
    assert steps[-1].token == model.tokenizer.eos_token
    assert len(steps) < 40


@pytest.mark.parametrize(("n", "expected"), [(0, 0), (1, 1), (4, 4)])
def test_it_ends_after_as_many_tokens_as_asked(tiny, computed, n, expected):
    assert len(list(tiny.generate(IDS, n, Sampler(temperature=5), seed=0))) == expected


def test_it_ends_where_the_context_is_full(tiny):
    almost = [7] * (tiny.config.n_ctx - 3)
    assert len(list(tiny.generate(almost, 10**12, Sampler(temperature=5), seed=0))) == 3
    assert list(tiny.generate([7] * tiny.config.n_ctx, 5)) == []


def test_asking_for_no_end_takes_no_memory(model):
    tracemalloc.start()
    first = list(itertools.islice(model.generate("Hello", 10**9, GREEDY), 2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(first) == 2
    assert peak < 600e6


def test_the_cache_runs_one_token_a_step_and_none_too_many(tiny, computed):
    assert len(list(tiny.generate(IDS, 4, Sampler(temperature=5), seed=0))) == 4
    assert computed == everything(len(IDS)) + 3 * everything(1)


# Refusals


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["empty"]),
        ([], ["empty"]),
        ([-1], ["token -1", 0, 276]),
        ([3, 277], ["token 277", 0, 276]),
        ([5] * 129, [129, 128]),
        ("x y " * 100, ["tokens", 128]),
        ("a\x04b", ["U+0004", "position 1"]),
        ("a\ud800", ["U+D800", "position 1"]),
    ],
)
def test_a_text_that_cannot_be_run(tiny, text, said):
    for run in (tiny.trace, tiny.generate):
        with pytest.raises(ValueError, match=holding(*said)):
            run(text)


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (Edits(head={(3, 0): 0}), ["layer 3", 0, 2]),
        (Edits(head={(-1, 0): 0}), ["layer -1"]),
        (Edits(head={(0, 6): 0}), ["head 6", 0, 5]),
        (Edits(attention={3: 0}), ["layer 3"]),
        (Edits(ffn={-2: 0}), ["layer -2"]),
        (Edits(neuron={(0, 80): 0}), ["neuron 80", 0, 79]),
        (Edits(neuron={(9, 0): 0}), ["layer 9"]),
        (Edits(resid={(0, 11): VECTOR}), ["position 11", 0, 10]),
        (Edits(resid={(3, 0): VECTOR}), ["layer 3"]),
        (Edits(resid={(0, 0): VECTOR[:5]}), ["resid", 48]),
        (Edits(resid={(0, 0): VECTOR * np.nan}), ["resid", 48]),
        (Edits(head={(0, 0): math.nan}), ["nan"]),
        (Edits(attention={0: math.inf}), ["inf"]),
        (Edits(position_scale=math.nan), ["nan"]),
        (Edits(position_shift=-math.inf), ["-inf"]),
    ],
)
def test_edits_that_cannot_be_made(tiny, edits, said):
    for run in (tiny.trace, tiny.generate):
        with pytest.raises(ValueError, match=holding(*said)):
            run(IDS, edits=edits)


def test_fewer_than_no_tokens_cannot_be_written(tiny):
    with pytest.raises(ValueError, match=holding("max_new_tokens", 0, -1)):
        tiny.generate(IDS, -1)


def test_mistakes_of_a_kind_that_the_tests_type_checker_would_stop(tiny_path, tmp_path):
    """As a reader meets them: in a process where no types are checked."""
    program = (
        "import json, sys\n"
        "import numpy as np\n"
        "import llmviz\n"
        "from llmviz import Edits, attention, ops\n"
        "model = llmviz.load(sys.argv[1], progress=False)\n"
        "def said(call):\n"
        "    try:\n"
        "        call()\n"
        "    except (ValueError, TypeError) as problem:\n"
        "        return str(problem)\n"
        "print(json.dumps([\n"
        "    said(lambda: model.trace([5], edits={'ffn': {0: 0}})),\n"
        "    said(lambda: model.generate([5], edits=0)),\n"
        "    said(lambda: llmviz.Sampler('a')),\n"
        "    said(lambda: llmviz.Sampler(top_p='a')),\n"
        "    said(lambda: llmviz.Sampler(None)),\n"
        "    said(lambda: model.trace([5], Edits(head={2: 0}))),\n"
        "    said(lambda: model.trace([5], Edits(resid={0: np.zeros(48)}))),\n"
        "    said(lambda: model.trace([5], Edits(ffn={'last': 0}))),\n"
        "    said(lambda: model.trace([5], Edits(ffn={0: 'off'}))),\n"
        "    said(lambda: model.trace(None)),\n"
        "    said(lambda: model.trace(b'hi')),\n"
        "    said(lambda: model.trace(['the', 'cat'])),\n"
        "    said(lambda: model.tokenizer.encode(5)),\n"
        "    said(lambda: model.tokenizer.decode([1.7])),\n"
        "    said(lambda: model.tokenizer.decode(['a'])),\n"
        "    said(lambda: model.generate([5], sampler=0.7)),\n"
        "    said(lambda: Edits(head=5)),\n"
        "    said(lambda: Edits(resid=[(0, 1)])),\n"
        "    said(lambda: Edits(at=5)),\n"
        "    said(lambda: model.trace([5], Edits(at={'z': 5}))),\n"
        "    said(lambda: model.trace([5], Edits(at={('z', 0): 5}))),\n"
        "    said(lambda: ops.rms_norm(np.ones((3, 5), 'f'), np.ones(6, 'f'), eps=0)),\n"
        "    said(lambda: attention.mix([[1.0]], np.ones((2, 2, 8), 'f'))),\n"
        "    said(lambda: attention.attend(*(np.ones((n, 3, 8), 'f') for n in (6, 2, 3)), np.ones((6, 8, 48), 'f'))),\n"
        "    said(lambda: model.unembed(np.ones((3, 47), 'f'))),\n"
        "    ops.softmax(np.array([0, 0])).tolist(),\n"
        "    llmviz.Sampler().probs(np.array([0, 0])).tolist(),\n"
        "    llmviz.Sampler(0).probs(np.array([0, 3])).tolist(),\n"
        "]))\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tiny_path("grouped"))]
    environment = {**os.environ, "LLMVIZ_HOME": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    *said, even, again, greedy = json.loads(run.stdout)
    assert even == again == [0.5, 0.5]
    assert greedy == [0.0, 1.0]
    ids, names = ("ids", 0, 276), ("resid_pre", "hidden", "resid_post")
    expected = [
        ("edits", "llmviz.Edits(**edits)", {"ffn": {0: 0}}),
        ("edits", "llmviz.Edits(ffn={0: 0})", 0),
        ("temperature", "'a'"),
        ("top_p", "'a'"),
        ("temperature", None),
        ("layer", "head", "(3, 0)", 2),
        ("layer", "position", "(3, 0)", 0),
        ("layer 'last'", 0, 2),
        ("'off'",),
        ("text", "ids", None),
        ("text", "ids", "b'hi'"),
        ("the", *ids),
        ("text", 5),
        (1.7, *ids),
        ("a", *ids),
        ("sampler", "Sampler(temperature=0.7)", 0.7),
        ("head", "ffn={0: 0.5}", 5),
        ("resid", "ffn={0: 0.5}", [(0, 1)]),
        ("at", "ffn={0: 0.5}", 5),
        ("at", *names, "'z'"),
        ("'z'", "layer 0", 5),
        ("rms_norm", "weight", "d_model", "(3, 5)", "(6,)"),
        ("mix", "pattern", "n_heads seq kv_seq", "list"),
        ("attend", "v", "n_kv_heads kv_seq d_head", "(6, 3, 8)", "(2, 3, 8)", "(3, 3, 8)"),
        ("rms_norm", "weight", "d_model", "(3, 47)", "(48,)"),
    ]
    for text, values in zip(said, expected, strict=True):
        assert re.search(holding(*values), text)


OVERFLOWS = {
    "attention": (Edits(attention={0: 1e38}), 0),
    "beyond float32": (Edits(ffn={2: 1e300}), 2),
    "ffn without norm": (Edits(ffn={1: 1e30}, norm=False), 1),
    "squares of a finite stream": (Edits(ffn={1: 1e25}), 1),
    "a head": (Edits(head={(2, 0): -1e36}), 2),
    "a neuron": (Edits(neuron={(0, 3): 1e37}), 0),
    "a replaced vector": (Edits(resid={(1, 10): VECTOR * np.float32(1e37)}), 1),
    "an earlier token": (Edits(resid={(2, 0): VECTOR * np.float32(1e37)}), 2),
    "no residual": (Edits(attention={0: 1e30}, residual=False), 0),
    "places": (Edits(position_scale=1e308), 0),
}


@pytest.mark.parametrize("name", OVERFLOWS)
def test_numbers_that_overflow_are_told_with_their_layer(tiny, name):
    """And never warned of, nor taken for logits."""
    edits, layer = OVERFLOWS[name]
    said = holding(f"layer {layer}")
    with pytest.raises(FloatingPointError, match=said):
        tiny.trace(IDS, edits)
    with pytest.raises(FloatingPointError, match=said):
        list(tiny.generate(IDS, 3, edits=edits))
    assert_near(tiny.trace(IDS).logits, by_hand("grouped", IDS)["logits"])


def test_large_numbers_short_of_overflow_are_right(tiny):
    edits = Edits(ffn={1: 1e13})
    trace = tiny.trace(IDS, edits)
    assert TOO_LARGE / 1e6 < np.abs(trace.blocks[1].resid_post).max() < TOO_LARGE
    assert_near(trace.logits, by_hand("grouped", IDS, edits)["logits"])


# Memory


def test_a_trace_of_512_tokens_stays_under_450_megabytes(model):
    ids = np.random.default_rng(0).integers(1_000, 40_000, 512).tolist()
    model.tokenizer.pieces(ids)  # made once
    model.forget()
    tracemalloc.start()
    trace = model.trace(ids)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(trace.blocks) == model.config.n_layers
    assert held < peak < 450e6
    model.forget()


def test_a_text_that_goes_on_takes_the_place_of_its_beginning(tiny):
    ids = list(range(3, 15))
    first = tiny.trace(ids[:8])
    tiny.trace(ids)
    assert [run.tokens for run in tiny.recent.runs] == [ids]
    np.testing.assert_allclose(
        tiny.trace(ids[:8]).logits, first.logits, atol=1e-4
    )  # taken from the longer one
    tiny.trace(ids, Edits(ffn={0: 0.5}))
    assert len(tiny.recent.runs) == 2


# --- saved, and loaded again ---

ODD_TEXTS = ["the cat sat", "😀 👩‍👩‍👧‍👦 日本語 щи\n\tשלום 3.14 <|endoftext|>", "a" * 40]


@pytest.fixture
def untrained(tmp_path, monkeypatch) -> Model:
    """A model of noise with a vocabulary of its own, and a cache folder of its own."""
    monkeypatch.setenv("LLMVIZ_HOME", str(tmp_path / "home"))
    return noise(seed=1)


def noise(seed: int) -> Model:
    vocabulary = tokenization.train_vocabulary("the cat sat on the mat; " * 20 + "日本語 щи " * 9, 300)
    config = Config(
        n_layers=2,
        n_heads=4,
        n_kv_heads=2,
        d_model=24,
        d_head=8,  # not d_model / n_heads
        d_ff=40,
        n_vocab=len(vocabulary["tokens"]),
        n_ctx=64,
        rope_base=10_000.0,
        norm_eps=1e-5,
    )
    return Model(weights.random_weights(config, seed, vocabulary=vocabulary))


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def assert_same(loaded: Model, saved: Model) -> None:
    as_kept = replace(saved.config, norm_eps=float(np.float32(saved.config.norm_eps)))
    assert loaded.config == as_kept
    assert loaded.weights.vocabulary == saved.weights.vocabulary
    arrays, expected = weights.stored(loaded.weights), weights.stored(saved.weights)
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_a_model_comes_back_bit_for_bit(untrained, tmp_path):
    path = untrained.save(tmp_path / "new" / "mine")
    assert path == tmp_path / "new" / "mine" / "model.gguf"
    loaded = llmviz.load(tmp_path / "new" / "mine", progress=False)
    assert_same(loaded, untrained)
    for text in ODD_TEXTS:
        ids = untrained.tokenizer.encode(text)
        assert loaded.tokenizer.encode(text) == ids
        assert loaded.tokenizer.decode(ids) == text
        assert_near(loaded.trace(ids).logits, untrained.trace(ids).logits)
    assert loaded.tokenizer.eos_token == untrained.tokenizer.eos_token


@pytest.mark.parametrize("name", ["full", "grouped", "one_head", "single", "q8_0"])
def test_a_loaded_model_comes_back_bit_for_bit(load_tiny, tmp_path, monkeypatch, name):
    monkeypatch.setenv("LLMVIZ_HOME", str(tmp_path / "home"))
    model = load_tiny(name)
    path = model.save(tmp_path)
    loaded = llmviz.load(str(tmp_path), progress=False)
    assert_same(loaded, model)
    names = [tensor.name for tensor in gguf.GGUFReader(path).tensors]
    assert ("output.weight" in names) == (not VARIANTS[name].tied)
    messages = [{"role": "user", "content": "the cat"}]
    assert loaded.tokenizer.encode_chat(messages) == model.tokenizer.encode_chat(messages)


def test_what_is_saved_again_is_loaded_again(untrained, tmp_path):
    other = noise(seed=2)
    untrained.save(tmp_path / "mine")
    first = llmviz.load(tmp_path / "mine", progress=False)
    other.save(tmp_path / "mine")
    second = llmviz.load(tmp_path / "mine", progress=False)
    assert_same(second, other)
    assert_same(first, untrained)  # whoever has it keeps it
    first.save(tmp_path / "mine")
    assert_same(llmviz.load(tmp_path / "mine", progress=False), untrained)
    assert names_in(tmp_path / "mine") == ["model.gguf"]


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["write_header_to_file", "write_padding", "flush", "close"])
def test_saving_that_breaks_off_leaves_what_was_there(untrained, tmp_path, monkeypatch, where, problem):
    folder = tmp_path / "mine"
    before = untrained.save(folder).read_bytes()
    done, calls = getattr(gguf.GGUFWriter, where), []

    def fail(self, *args):
        done(self, *args)
        calls.append(where)
        if len(calls) == (5 if where == "write_padding" else 1):
            raise problem

    with monkeypatch.context() as patch:
        patch.setattr(gguf.GGUFWriter, where, fail)
        with pytest.raises(type(problem)) as caught:
            noise(seed=2).save(folder)
        calls.clear()
        with pytest.raises(type(problem)):
            noise(seed=2).save(tmp_path / "new")
    if isinstance(problem, OSError):
        assert re.search(holding(folder / "model.gguf", os.strerror(errno.ENOSPC)), str(caught.value))
    assert names_in(folder) == ["model.gguf"]
    assert (folder / "model.gguf").read_bytes() == before
    assert names_in(tmp_path / "new") == []


def test_a_disk_without_room_is_told_before_anything_is_written(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(100, 99, 1))
    monkeypatch.setattr(gguf.GGUFWriter, "write_header_to_file", None)
    with pytest.raises(OSError, match=holding(tmp_path / "mine" / "model.gguf", "0.1 MB")):
        untrained.save(tmp_path / "mine")


def test_a_folder_that_cannot_be_made(untrained, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=holding(tmp_path / "file" / "mine" / "model.gguf")):
        untrained.save(tmp_path / "file" / "mine")
    with pytest.raises(OSError, match=holding(tmp_path / "file" / "model.gguf")):
        untrained.save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_model_that_ran_away_is_not_saved(untrained, tmp_path):
    before = untrained.save(tmp_path / "mine").read_bytes()
    untrained.weights.layers[1].W_up[3, 3] = np.nan
    with pytest.raises(ValueError, match=holding("blk.1.ffn_up.weight")):
        untrained.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "model.gguf").read_bytes() == before
    assert names_in(tmp_path / "mine") == ["model.gguf"]


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(FileNotFoundError, match=holding(tmp_path, "model.gguf", "model.save(folder)")):
        llmviz.load(tmp_path)
    with pytest.raises(FileNotFoundError, match=holding(tmp_path / "gone", ".gguf")):
        llmviz.load(tmp_path / "gone")


@pytest.mark.slow
def test_the_default_model_changed_and_saved_takes_little_memory(model, tmp_path, monkeypatch):
    monkeypatch.setenv("LLMVIZ_HOME", str(tmp_path / "home"))
    layers = list(model.weights.layers)
    layers[20] = replace(layers[20], W_down=layers[20].W_down * np.float32(1.01))
    changed = Model(replace(model.weights, layers=tuple(layers)))
    merges = tokenization.merge_list(model.tokenizer.ranks)
    tracemalloc.start()
    weights.write_gguf(tmp_path / "model.gguf", changed.weights, merges)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6  # bytes, of 538 million; the largest table alone has 113
    loaded = llmviz.load(tmp_path, progress=False)
    assert_same(loaded, changed)
    assert asdict(loaded.tokenizer) == asdict(model.tokenizer)
    assert "SmolLM" in loaded.tokenizer.system_prompt
    assert_near(loaded.trace("The cat").logits, changed.trace("The cat").logits)


def logits_of_transformers(folder, ids: list[int]) -> np.ndarray:
    pytest.importorskip("transformers", reason="the peers extra is not installed")
    pytest.importorskip("accelerate", reason="transformers reads GGUF with it")
    with warnings.catch_warnings():  # what it warns about in itself is not ours to mend
        warnings.simplefilter("ignore")
        import torch
        from transformers import AutoModelForCausalLM

        peer = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32)
        with torch.inference_mode():
            return peer(torch.tensor([ids])).logits[0, -1].numpy()


def test_a_saved_model_gives_the_logits_of_transformers(untrained, tmp_path):
    for layer in untrained.weights.layers:  # as large as trained ones, so that a mix-up shows
        for W in (layer.W_Q, layer.W_K, layer.W_V, layer.W_O, layer.W_gate, layer.W_up, layer.W_down):
            W *= 20
    untrained.save(tmp_path)
    for text in ODD_TEXTS:
        ids = untrained.tokenizer.encode(text)
        expected = logits_of_transformers(tmp_path, ids)
        np.testing.assert_allclose(untrained.trace(ids).logits, expected, rtol=0, atol=1e-4)


def test_a_saved_model_with_an_output_table_of_its_own_gives_the_logits_of_transformers(tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    expected = logits_of_transformers(tmp_path, IDS)
    np.testing.assert_allclose(tiny_model.trace(IDS).logits, expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_the_default_model_saved_gives_the_logits_of_transformers(model, tmp_path):
    pytest.importorskip("transformers", reason="the peers extra is not installed")
    model.save(tmp_path)
    ids = model.tokenizer.encode("The cat that I saw yesterday was sleeping")
    np.testing.assert_allclose(
        model.trace(ids).logits, logits_of_transformers(tmp_path, ids), rtol=0, atol=1e-4
    )


def test_transformers_reads_the_vocabulary_of_a_saved_model(untrained, tmp_path):
    transformers = pytest.importorskip("transformers", reason="the peers extra is not installed")
    untrained.save(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    for text in ("the cat sat", "😀 日本語 щи\n\tשלום"):  # without digits: it drops their rule
        assert peer(text).input_ids == untrained.tokenizer.encode(text)
    assert peer.eos_token_id == untrained.tokenizer.eos_token
