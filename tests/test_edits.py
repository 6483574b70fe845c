"""Changes to any array of a run: each against a change made by hand, with reuse and the cache and without."""

from dataclasses import replace

import numpy as np
import pytest
from messages import holding
from test_model import D_FF, D_MODEL, GREEDY, IDS, N_LAYERS, assert_near, by_hand, fresh, random_ids

from llmviz import Edits, Model
from llmviz.edits import ARRAYS, add, knock_out, put, scale
from llmviz.model import ROWS

WIDTH = {"resid_pre": D_MODEL, "resid_mid": D_MODEL, "resid_post": D_MODEL, "hidden": D_FF}
WIDTH |= {"q": 8, "k": 8, "v": 8, "z": 8, "attention_out": D_MODEL, "ffn_out": D_MODEL}
RNG = np.random.default_rng(7)
VECTORS = {name: RNG.standard_normal(width).astype(np.float32) for name, width in WIDTH.items()}


@pytest.fixture
def tiny(load_tiny) -> Model:
    model = load_tiny("grouped")
    model.forget()
    return model


def same_run(a, b, share=2e-5) -> None:
    assert_near(a.logits, b.logits, share=share)
    for block, other in zip(a.blocks, b.blocks):
        for name in ("resid_pre", "q", "k", "v", "resid_mid", "resid_post"):
            assert_near(getattr(block, name), getattr(other, name), share=share, what=name)


# By hand: the rest of the network, written out


def array_of(trace, name: str, layer: int) -> np.ndarray:
    """The named array of a layer of a run."""
    block = trace.blocks[layer]
    if name in ("scores", "pattern", "z"):
        return getattr(block.attention, name)
    if name == "hidden":
        return block.ffn.hidden
    if name in ("attention_out", "ffn_out"):
        return (block.attention if name == "attention_out" else block.ffn).out
    return getattr(block, name)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_function_gets_the_array_of_the_whole_text_and_the_run_goes_on_with_what_it_gives(tiny, name):
    plain, seen = fresh(tiny, IDS), []

    def double(array):
        seen.append(array.copy())
        array *= 2  # it may write into what it gets
        return array

    changed = fresh(tiny, IDS, Edits(at={(name, 1): double}))
    before = array_of(plain, name, 1)
    allowed = np.isfinite(before)  # the scores come before the mask
    assert (
        seen[0].shape
        == before.shape
        == (*({"k": (2,), "v": (2,)}.get(name, (6,)) if before.ndim == 3 else ()), 11, before.shape[-1])
    )
    np.testing.assert_allclose(np.where(allowed, seen[0], before), before, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(array_of(changed, name, 1), 2 * before, rtol=1e-4, atol=1e-4)
    for a, b in zip(changed.blocks[:1], plain.blocks[:1]):  # the layers before are as they were
        np.testing.assert_allclose(a.resid_post, b.resid_post, rtol=1e-4, atol=1e-4)
    assert np.abs(changed.logits - plain.logits).max() > 1e-4


EQUAL = {
    "head": (
        Edits(head={(1, 4): 0.5, (1, 0): 0}),
        ("z", 1),
        lambda z: z * np.float32([0, 1, 1, 1, 0.5, 1])[:, None, None],
    ),
    "attention": (Edits(attention={1: 2}), ("attention_out", 1), lambda out: 2 * out),
    "attention by its heads": (Edits(attention={2: 0.25}), ("z", 2), lambda z: z / 4),
    "ffn": (Edits(ffn={0: 0}), ("ffn_out", 0), np.zeros_like),
    "ffn by its neurons": (Edits(ffn={0: -0.5}), ("hidden", 0), lambda hidden: -hidden / 2),
    "neuron": (Edits(neuron={(2, 5): 3}), ("hidden", 2), lambda h: h * np.where(np.arange(D_FF) == 5, 3, 1)),
    "resid": (
        Edits(resid={(1, 3): VECTORS["resid_pre"]}),
        ("resid_pre", 1),
        lambda x: np.where(np.arange(len(x))[:, None] == 3, VECTORS["resid_pre"], x),
    ),
    "no score scale": (Edits(score_scale=False), None, lambda scores: scores * np.sqrt(8)),
    "add": (
        Edits(at={("resid_post", 0): add(VECTORS["resid_post"], positions=[2, 5])}),
        ("resid_post", 0),
        lambda x: x + np.isin(np.arange(len(x)), [2, 5])[:, None] * VECTORS["resid_post"],
    ),
    "add to a head": (
        Edits(at={("q", 1): add(VECTORS["q"], head=3)}),
        ("q", 1),
        lambda q: np.stack([one + (h == 3) * VECTORS["q"] for h, one in enumerate(q)]),
    ),
    "put": (
        Edits(at={("z", 1): put(VECTORS["z"], head=[0, 5], positions=-1)}),
        ("z", 1),
        lambda z: np.stack(
            [np.vstack([one[:-1], VECTORS["z"] if h in (0, 5) else one[-1]]) for h, one in enumerate(z)]
        ),
    ),
    "scale some": (
        Edits(at={("pattern", 1): scale(0, head=2, positions=[4, -2])}),
        ("pattern", 1),
        lambda p: p * (1 - (np.arange(6) == 2)[:, None, None] * np.isin(np.arange(11), [4, 9])[:, None]),
    ),
    "knock out": (
        Edits(at={("pattern", 1): knock_out([2, -8], head=[0, 4], positions=[5, -1])}),
        ("pattern", 1),
        lambda p: np.where(
            (np.isin(np.arange(6), [0, 4])[:, None, None]) & np.isin(np.arange(11), [5, 10])[:, None],
            (rest := p * ~np.isin(np.arange(11), [2, 3])) / rest.sum(axis=-1, keepdims=True),
            p,
        ),
    ),
    "two in a row": (
        Edits(at={("ffn_out", 1): [scale(0, positions=3), add(VECTORS["ffn_out"])]}),
        ("ffn_out", 1),
        lambda out: out * (np.arange(11) != 3)[:, None] + VECTORS["ffn_out"],
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_each_knob_is_a_function_at_an_array(tiny, name):
    knob, place, function = EQUAL[name]
    at = {place: function} if place else {("scores", layer): function for layer in range(N_LAYERS)}
    same_run(fresh(tiny, IDS, knob), fresh(tiny, IDS, Edits(at=at)))
    assert np.abs(fresh(tiny, IDS, knob).logits - fresh(tiny, IDS).logits).max() > 1e-4


def test_a_key_taken_out_of_the_scores_is_not_looked_at(tiny):
    def blind(scores):  # attention knockout (Geva et al. 2023)
        scores[:, 6:, 2] = -np.inf
        return scores

    trace = fresh(tiny, IDS, Edits(at={("scores", 1): blind}))
    pattern = trace.blocks[1].attention.pattern
    assert not pattern[:, 6:, 2].any()
    np.testing.assert_allclose(pattern.sum(axis=-1), 1, rtol=1e-5)
    before = fresh(tiny, IDS).blocks[1].attention.pattern
    np.testing.assert_allclose(pattern[:, :6], before[:, :6], atol=1e-5)


# The same with and without what is kept from before

OF_TOKENS = {
    **{f"add to {name}": {(name, 1): add(vector, positions=[0, 4, -1])} for name, vector in VECTORS.items()},
    **{f"scale {name}": {(name, 1): scale(-0.5, positions=[3, 10])} for name in ARRAYS},
    **{f"scale all of {name}": {(name, 0): scale(0.5)} for name in ARRAYS},
    "put": {("k", 2): put(VECTORS["k"], positions=2, head=1)},
    "knock out": {("pattern", 1): knock_out([1, -1], positions=[4, -1], head=[0, 3])},
    "knock out everywhere": {("pattern", 0): knock_out(2)},
    "steering": {("resid_post", 1): add(3 * VECTORS["resid_post"])},
}
OF_TEXTS = {
    name: {(name, 1): lambda array: array + np.float32(0.1) * array[..., ::-1, :]}
    for name in ARRAYS
    if name != "pattern"
} | {
    "pattern": {("pattern", 1): lambda pattern: pattern[:, ::-1, ::-1].copy()}
}  # earlier tokens see later ones


@pytest.mark.parametrize("name", [*OF_TOKENS, *(f"text: {name}" for name in OF_TEXTS)])
def test_reuse_and_the_cache_change_nothing(tiny, name):
    at = OF_TEXTS[name[6:]] if name.startswith("text: ") else OF_TOKENS[name]
    edits = Edits(at=at).in_text(tiny.config, len(IDS))  # "the last" is the same token in every text below
    tiny.trace(IDS, edits)
    for ids in ([*IDS, 30, 31], [*IDS, 30, 32], IDS):  # goes on, ends differently, is shorter
        same_run(tiny.trace(ids, edits), fresh(tiny, ids, edits))
        same_run(tiny.trace(ids), fresh(tiny, ids))
        same_run(tiny.trace(ids, edits), fresh(tiny, ids, edits))
    ids = list(IDS)
    for step in tiny.generate(IDS, 5, GREEDY, edits=Edits(at=at)):
        expected = fresh(tiny, ids, edits)
        assert_near(step.logits, expected.logits, share=2e-5)
        ids.append(step.token)
    assert len(ids) > len(IDS) + 1


@pytest.mark.parametrize("name", [*OF_TOKENS, *(f"text: {name}" for name in OF_TEXTS)])
def test_one_row_asked_for_is_that_row_of_all(tiny, name):
    at = OF_TEXTS[name[6:]] if name.startswith("text: ") else OF_TOKENS[name]
    trace = fresh(tiny, IDS, Edits(at=at))
    for block in trace.blocks:
        attention, ffn = block.attention, block.ffn
        np.testing.assert_array_equal(block.resid_pre.shape, ffn.out.shape)
        for place in (0, 3, 10, -2):
            row_only, row = block.attention_at(place), slice(place % 11, place % 11 + 1)
            seen = row_only.k.shape[1]
            for key in ("scores", "pattern"):
                assert_near(np.exp(getattr(row_only, key)), np.exp(getattr(attention, key)[:, row, :seen]))
            assert not attention.pattern[:, row, seen:].any()
            assert_near(row_only.z, attention.z[:, row])
            assert_near(row_only.out, attention.out[row])
            for key in ("gate", "hidden", "out"):
                assert_near(getattr(block.ffn_at(row), key), getattr(ffn, key)[row])
        every_other = block.ffn_at(slice(1, None, 3))
        assert_near(every_other.hidden, ffn.hidden[1::3])


def test_runs_side_by_side_are_those_on_their_own(tiny):
    given = [*(edits for edits, _, _ in EQUAL.values() if edits.score_scale)]
    given += [Edits(), *(Edits(at=at) for at in (*OF_TOKENS.values(), *OF_TEXTS.values()))]
    several = [edits.in_text(tiny.config, len(IDS)) for edits in given]
    overflow = Edits(at={("resid_mid", 1): scale(1e30)})
    runs = [*tiny.trace_each(IDS, iter([*given, overflow]))]
    assert runs[-1] is None
    for run, edits in zip(runs, several):
        assert run.edits == edits
        same_run(run, fresh(tiny, IDS, edits))
    assert len(several) * len(IDS) > 2 * ROWS
    with pytest.raises(ValueError, match="trace"):
        next(tiny.trace_each(IDS, [Edits(), Edits(norm=False)]))
    long = random_ids("grouped", ROWS // 2 + 9)  # no two fit
    [run] = tiny.trace_each(long, [Edits(ffn={2: 0})])
    same_run(run, fresh(tiny, long, Edits(ffn={2: 0})))


def test_only_functions_of_ones_own_make_the_loop_run_the_whole_text_again(tiny, monkeypatch):
    import llmviz.model

    lengths, block = [], llmviz.model.run_block
    monkeypatch.setattr(
        llmviz.model, "run_block", lambda *given: lengths.append(len(given[3])) or block(*given)
    )
    list(tiny.generate(IDS, 3, edits=Edits(at={("z", 1): scale(0.9)}), seed=0))
    assert lengths == [11] * 3 + [1] * 6
    lengths.clear()
    tiny.forget()
    list(tiny.generate(IDS, 3, edits=Edits(at={("z", 1): lambda z: z}), seed=0))
    assert lengths == [11] * 3 + [12] * 3 + [13] * 3


def test_a_function_keeps_the_layers_before_it(tiny):
    whole = tiny.trace(IDS)
    changed = tiny.trace(IDS, Edits(at={("pattern", 2): lambda pattern: pattern * 0}))
    assert changed.blocks[1] is whole.blocks[1]
    assert changed.blocks[2] is not whole.blocks[2]


def test_steering_in_the_real_model_with_the_cache(model):
    vector = model.weights.W_E[model.tokenizer.encode(" cat")[0]] * 30
    edits = Edits(at={("resid_post", 15): add(vector)})
    ids = model.tokenizer.encode("I think that")
    for step in model.generate(ids, 3, GREEDY, edits=edits):
        assert_near(step.logits, fresh(model, ids, edits).logits)
        ids.append(step.token)


# Negative positions


def test_negative_positions_count_from_the_end(tiny):
    vector = VECTORS["resid_pre"]
    for negative, positive in (
        (Edits(resid={(1, -1): vector}), Edits(resid={(1, 10): vector})),
        (Edits(at={("z", 0): scale(0, positions=[-3])}), Edits(at={("z", 0): scale(0, positions=[8])})),
        (
            Edits(at={("pattern", 0): knock_out(-3, positions=-1)}),
            Edits(at={("pattern", 0): knock_out([8], positions=[10])}),
        ),
    ):
        run, other = fresh(tiny, IDS, negative), fresh(tiny, IDS, positive)
        np.testing.assert_allclose(run.logits, other.logits, atol=1e-4)
        assert run.edits == positive  # a run says where it was
        assert negative != positive
        steps = [
            [step.token for step in tiny.generate(IDS, 4, GREEDY, edits=edits)]
            for edits in (negative, positive)
        ]
        assert steps[0] == steps[1]  # the end of the prompt, not of what has been written since
    expected = by_hand("grouped", IDS, Edits(resid={(1, 10): vector}))["logits"]
    assert_near(fresh(tiny, IDS, Edits(resid={(1, -1): vector})).logits, expected, share=3e-5)


# Equal or not


def test_edits_are_equal_if_they_do_the_same():
    vector = VECTORS["resid_pre"]
    function = np.tanh
    for first, same, other in (
        (Edits(ffn={0: 1, 1: 0}, head={(0, 1): 1}), Edits(ffn={1: 0.0}), Edits(ffn={1: 0.5})),
        (
            Edits(resid={(0, 1): vector}),
            Edits(resid={(0, 1): vector.copy()}),
            Edits(resid={(0, 1): 2 * vector}),
        ),
        (Edits(head={(0, 1): 2, (0, 3): 0}), Edits(head={(0, 3): 0, (0, 1): 2}), Edits(head={(0, 1): 2})),
        (Edits(at={("z", 0): function}), Edits(at={("z", 0): function}), Edits(at={("z", 0): lambda z: z})),
        (Edits(at={("z", 0): scale(2)}), Edits(at={("z", 0): [scale(2)]}), Edits(at={("z", 1): scale(2)})),
        (
            Edits(at={("pattern", 0): knock_out(1, head=2)}),
            Edits(at={("pattern", 0): knock_out([1], head=[2])}),
            Edits(at={("pattern", 0): knock_out(2, head=2)}),
        ),
        (Edits(at={("resid_pre", 0): put(vector, positions=1)}), Edits(resid={(0, 1): vector}), Edits()),
        (Edits(rope=False), replace(Edits(), rope=False), Edits(norm=False)),
    ):
        assert first == same
        assert hash(first) == hash(same)
        assert first != other
        assert len({first, same, other}) == 2
    assert Edits() != "no edits"
    assert Edits() == Edits(attention={5: 1})


def test_where_two_runs_part():
    vector = VECTORS["resid_pre"]
    for a, b, layer in (
        (Edits(), Edits(ffn={1: 1}), 3),
        (Edits(), Edits(ffn={1: 0}), 1),
        (Edits(ffn={2: 0}, head={(1, 0): 0}), Edits(ffn={2: 0}, head={(1, 0): 0.5}), 1),
        (Edits(ffn={0: 0}), Edits(ffn={0: 0}, resid={(2, 3): vector}), 2),
        (Edits(), Edits(rope=False), 0),
        (Edits(at={("z", 1): abs}), Edits(at={("z", 1): abs, ("hidden", 2): abs}), 2),
    ):
        assert a.first_layer_apart(b, 3) == b.first_layer_apart(a, 3) == layer


def test_edits_say_what_is_turned():
    assert repr(Edits()) == "Edits()"
    assert repr(Edits(ffn={1: 0}, rope=False)) == "Edits(ffn={1: 0}, rope=False)"
    at = {("z", 1): scale(0.5, positions=3), ("hidden", 0): add(VECTORS["hidden"])}
    assert repr(Edits(at=at)) == f"Edits(at={at})"
    assert repr(at["z", 1]) == "scale(0.5, positions=(3,))"
    assert repr(at["hidden", 0]).startswith("add([80 ")
    assert repr(knock_out(1, positions=-1)) == "knock_out((1,), positions=(-1,))"


# Refusals

WRONG = {
    "a name": (Edits(at={("logits", 0): abs}), ["'logits'", "resid_pre", "hidden", "resid_post"]),
    "a layer": (Edits(at={("z", 3): abs}), ["layer 3", 0, 2]),
    "a position": (Edits(at={("z", 0): scale(0, positions=11)}), ["position 11", 0, 10]),
    "before the start": (Edits(at={("z", 0): scale(0, positions=-12)}), ["position -12"]),
    "resid before the start": (Edits(resid={(0, -12): VECTORS["resid_pre"]}), ["position -12"]),
    "resid of another length": (Edits(resid={(0, 1): VECTORS["z"]}), ["resid", 48]),
    "a head": (Edits(at={("z", 0): scale(0, head=6)}), ["head 6", 0, 5]),
    "a key head": (Edits(at={("k", 0): scale(0, head=2)}), ["head 2", 0, 1]),
    "no heads": (Edits(at={("hidden", 0): scale(0, head=2)}), ["hidden", "heads"]),
    "a length": (
        Edits(at={("z", 0): add(VECTORS["hidden"])}),
        ["z", 8, "d_head", 80],
    ),
    "a key": (Edits(at={("pattern", 0): knock_out(11)}), ["key 11", 0, 10]),
    "a query": (
        Edits(at={("pattern", 0): knock_out(0, positions=11)}),
        ["position 11", 0, 10],
    ),
    "a head without a key": (
        Edits(at={("pattern", 0): knock_out(0, head=6)}),
        ["head 6", 0, 5],
    ),
    "no pattern": (Edits(at={("scores", 0): knock_out(0)}), ['"pattern"', "'scores'"]),
    "a row of the text": (Edits(at={("scores", 0): add(VECTORS["z"])}), ["scores", "function"]),
    "a shape": (
        Edits(at={("z", 2): lambda z: z[0]}),
        ["'z'", "layer 2", "(6, 11, 8)", "(11, 8)", "float32"],
    ),
    "nothing": (Edits(at={("hidden", 0): lambda hidden: None}), ["'hidden'", "layer 0", "(11, 80)", None]),
    "NaN": (
        Edits(at={("q", 1): lambda q: q * np.nan}),
        ["'q'", "layer 1", 528],
    ),
    "too large for float32": (
        Edits(at={("v", 1): lambda v: np.full(v.shape, 1e60)}),
        ["'v'", "layer 1", 176],
    ),
    "no key": (
        Edits(at={("scores", 0): lambda s: np.full_like(s, -np.inf)}),
        ["'scores'", "layer 0", "query", "key"],
    ),
    "future keys only": (
        Edits(at={("scores", 0): lambda s: np.where(np.tri(11, dtype=bool), -np.inf, s)}),
        ["'scores'", "layer 0", "query", "key"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_done_is_told(tiny, name):
    edits, said = WRONG[name]
    for run in (tiny.trace, lambda *given, **named: list(tiny.generate(*given, **named))):
        with pytest.raises(ValueError, match=holding(*said)):
            run(IDS, edits=edits)


def test_what_is_no_number_is_told_at_once():
    with pytest.raises(ValueError, match=holding("(2,)", "float64")):
        add(np.array([1, np.nan]))
    with pytest.raises(ValueError, match=holding("scale", "inf")):
        scale(np.inf)


def test_the_arrays_of_a_function_are_copies(tiny):
    mine = np.zeros((11, D_MODEL), np.float32)
    trace = tiny.trace(IDS, Edits(at={("resid_mid", 0): lambda x: mine}))
    mine[:] = 5
    assert not trace.blocks[0].resid_mid.any()


def test_a_longer_random_mix_of_changes(tiny):
    """The run against a run whose changes are functions of the whole text."""
    ids = random_ids("grouped", 25)
    vector = VECTORS["resid_mid"]
    ours = Edits(
        head={(0, 2): 0},
        neuron={(1, 3): 4, (1, 7): 0},
        at={
            ("resid_mid", 1): add(vector, positions=[4, -1]),
            ("v", 2): scale(0.3, head=1, positions=range(5, 9)),
        },
    )

    def head_off(z):
        z[2] = 0
        return z

    def neurons(hidden):
        hidden[:, 3] *= 4
        hidden[:, 7] = 0
        return hidden

    def steer(x):
        x[[4, 24]] += vector
        return x

    def quiet(v):
        v[1, 5:9] *= np.float32(0.3)
        return v

    at = {("z", 0): head_off, ("hidden", 1): neurons, ("resid_mid", 1): steer, ("v", 2): quiet}
    same_run(fresh(tiny, ids, ours), fresh(tiny, ids, Edits(at=at)))


def test_an_ffn_at_chosen_places_is_what_the_whole_has_there(tiny_model):
    trace = tiny_model.trace(
        "the dog and the cat", Edits(ffn={1: 0.5}, at={("hidden", 0): scale(0.0, positions=2)})
    )
    places = np.array([0, 2, len(trace.tokens) - 1])
    for block in trace.blocks:
        assert_near(block.ffn_at(places).hidden, block.ffn.hidden[places])
        assert_near(block.ffn_at(places).out, block.ffn.out[places])
