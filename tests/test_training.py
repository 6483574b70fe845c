"""Gradients of whole models against nudging their numbers; what a training promises; what it says of bad input."""

import itertools
import math
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import tiny_gguf
from finite_differences import in_doubles, slopes
from messages import holding

import llmviz
import llmviz.threads
from llmviz import sampling, training
from llmviz.model import Model
from llmviz.tokenization import train_vocabulary
from llmviz.weights import FAMILIES, Config, random_weights, stored

SIZES = Config(
    n_layers=2,
    n_heads=4,
    n_kv_heads=2,
    d_model=32,
    d_head=8,
    d_ff=48,
    n_vocab=1,  # taken from the vocabulary
    n_ctx=32,
    rope_base=10_000.0,
    norm_eps=1e-5,
)
TEXT = "".join(
    f"The {animal} {verb} on the {place}, and the {place} is {colour}.\n"
    for animal in ("cat", "dog", "bird", "horse")
    for verb in ("sat", "slept", "stood", "sang")
    for place in ("mat", "roof", "table", "hill")
    for colour in ("red", "green", "blue")
)
LESSONS = [
    [{"role": "user", "content": "the cat"}, {"role": "assistant", "content": "sat on the dog"}],
    [{"role": "user", "content": "a dog"}, {"role": "assistant", "content": "the cat sat"}],
    [{"role": "user", "content": "The in"}, {"role": "assistant", "content": "on"}],
]


# What other families do in another way than Llama, as their files say it.
OTHER_FAMILIES = {
    "gpt2": FAMILIES["gpt2"] | {"rope_base": 0.0},
    "qwen2": FAMILIES["qwen2"],
    "qwen3": FAMILIES["qwen3"] | {"d_head": 16},
    "gemma2": FAMILIES["gemma2"]
    | {"embedding_scale": 5.5, "score_cap": 2.0, "logit_cap": 3.0, "score_divisor": 3.0, "windows": (4, 0)},
    "gemma3": FAMILIES["gemma3"] | {"embedding_scale": 5.5, "windows": (4, 0), "rope_bases": (1e4, 1e6)},
}


@pytest.fixture(params=OTHER_FAMILIES)
def of_another_family(request):
    """A model with larger numbers than an untrained one, so that each of them counts."""
    lists = train_vocabulary(TEXT, 270)
    fields = OTHER_FAMILIES[request.param] | {"architecture": request.param, "n_vocab": len(lists["tokens"])}
    weights = random_weights(replace(SIZES, **fields), vocabulary=lists)
    rng = np.random.default_rng(1)
    for array in stored(weights).values():
        array += (0.3 * rng.standard_normal(array.shape)).astype(np.float32)
    return Model(weights)


def matrices(weights) -> dict[str, np.ndarray]:
    named = {
        name: getattr(weights, name)
        for name in ("W_E", "W_pos", "final_norm", "final_norm_bias", "W_U")
        if getattr(weights, name) is not None
    }
    for number, layer in enumerate(weights.layers):
        named |= {f"{name} {number}": getattr(layer, name) for name in weights.config.arrays}
    return named


def all_bits(arrays) -> bytes:
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def bits_of(model: Model) -> bytes:
    return all_bits(stored(model.weights).values())


# --- gradients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["full", "grouped", "single", "one_head"])
def test_the_loss_is_the_mean_surprise(load_tiny, name):
    model, tokens = load_tiny(name), tiny_gguf.random_ids(name, 20)
    loss, _ = training.loss_and_gradients(model, tokens)
    bits = sampling.surprise(model.trace(tokens).all_logits(), tokens)
    assert loss == pytest.approx(bits.mean() * math.log(2), rel=1e-5)
    counted = np.arange(20) % 3 == 0
    loss, _ = training.loss_and_gradients(model, tokens, counted)
    assert loss == pytest.approx(bits[counted[1:]].mean() * math.log(2), rel=1e-5)


@pytest.mark.parametrize("name", ["full", "grouped", "single", "one_head"])  # tied, own tables, tied, own
@pytest.mark.parametrize("some", [False, True])
def test_every_matrix_against_nudging_its_numbers(load_tiny, name, some):
    tokens = tiny_gguf.random_ids(name, 9)
    tokens[5] = tokens[2]  # a token that stands twice
    hold_to_nudges(in_doubles(load_tiny(name)), tokens, [not some or i % 2 == 0 for i in range(9)])


def test_every_matrix_of_other_families(of_another_family):
    tokens = of_another_family.tokenizer.encode("The cat sat on the mat, and the cat")
    assert len(tokens) > 6  # more than a window
    hold_to_nudges(in_doubles(of_another_family), tokens, [True] * len(tokens))


def hold_to_nudges(model, tokens, counted):
    loss, gradients = training.loss_and_gradients(model, tokens, counted)
    texts = np.array([tokens]), np.array([counted])
    loss_now = lambda: training._loss(model.weights, *texts)  # noqa: E731
    assert loss_now() == pytest.approx(loss, rel=1e-12)
    by_name, rng = matrices(gradients), np.random.default_rng(0)
    for name, array in matrices(model.weights).items():
        gradient = by_name[name]
        assert gradient.shape == array.shape, name
        assert gradient.dtype == np.float64, name
        largest = np.unravel_index(np.abs(gradient).argmax(), array.shape)
        places = [tuple(rng.integers(array.shape)) for _ in range(2)] + [largest]
        expected = slopes(loss_now, array, at=places)
        got = [gradient[place] for place in places]
        # Without RoPE, a bias of the keys adds the same to all scores of a query, which changes nothing.
        assert abs(expected[-1]) > 1e-5 or (name[:3] == "b_K" and not model.config.rope_base), name
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-8, err_msg=name)


def test_gradients_are_float32_for_float32_weights_and_lie_as_these_do(tiny_model):
    _, gradients = training.loss_and_gradients(tiny_model, tiny_gguf.random_ids("grouped", 9))
    for name, array in matrices(tiny_model.weights).items():
        gradient = matrices(gradients)[name]
        assert gradient.dtype == np.float32, name
        assert gradient.strides == array.strides, name


def test_one_table_at_both_ends_has_one_gradient_the_sum(load_tiny):
    """The same model with the table copied: what each end wants by itself."""
    tied, tokens = load_tiny("full"), tiny_gguf.random_ids("full", 12)
    apart = Model(replace(tied.weights, W_U=tied.weights.W_E.T.copy()))
    _, gradients = training.loss_and_gradients(tied, tokens)
    _, two = training.loss_and_gradients(apart, tokens)
    assert np.shares_memory(gradients.W_E, gradients.W_U)
    assert not np.shares_memory(two.W_E, two.W_U)
    np.testing.assert_allclose(gradients.W_E, two.W_E + two.W_U.T, rtol=1e-4, atol=1e-5)
    unused = np.setdiff1d(np.arange(len(two.W_E)), tokens)
    assert not two.W_E[unused].any()
    assert gradients.W_E[unused].any()


def test_texts_side_by_side_are_the_mean_of_each_alone(tiny_model):
    model = in_doubles(tiny_model)
    texts = np.array([tiny_gguf.random_ids("grouped", 30)[i : i + 7] for i in (0, 5, 20)])
    loss, together = training._loss_and_gradients(model.weights, texts, np.ones(texts.shape, bool))
    alone = [training.loss_and_gradients(model, text.tolist()) for text in texts]
    assert loss == pytest.approx(np.mean([own for own, _ in alone]), rel=1e-12)
    for name, gradient in matrices(together).items():
        mean = np.mean([matrices(own)[name] for _, own in alone], axis=0)
        np.testing.assert_allclose(gradient, mean, rtol=1e-9, atol=1e-12, err_msg=name)


def test_input_gradients_against_nudging_an_embedding(tiny_model):
    model, tokens = in_doubles(tiny_model), tiny_gguf.random_ids("grouped", 6)
    assert len(set(tokens)) == 6  # so a row of the table is one place in the text
    d_logits = np.random.default_rng(0).standard_normal(model.config.n_vocab)
    gradients = training.input_gradients(model, tokens, d_logits)
    w = model.weights

    def weighed() -> float:
        x, _ = training._forward(w, np.array([tokens]))
        normed = x[-1] / np.sqrt(np.mean(x[-1] ** 2) + np.float32(w.config.norm_eps)) * w.final_norm
        return float(d_logits @ (normed @ w.W_U))

    for place, token in enumerate(tokens):
        places = [(token, i) for i in (0, 11, 47)]
        expected = slopes(weighed, w.W_E, at=places)
        np.testing.assert_allclose(gradients[place, [0, 11, 47]], expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("tokens", "counted", "words"),
    [
        ([7], None, ["loss", "token"]),
        ([7, 8, 9], [True, False, False], ["loss", "token"]),
        ([7, 8, 9], [True, True], ["counted", 3, 2]),
        ([], None, ["empty"]),
        ([7, 10**6], None, ["token 1000000"]),
    ],
)
def test_what_has_no_loss_is_told(tiny_model, tokens, counted, words):
    with pytest.raises(ValueError, match=holding(*words)):
        training.loss_and_gradients(tiny_model, tokens, counted)


# --- Adam ------------------------------------------------------------------------------------------------------------


def test_adam_is_the_paper_s_formula_one_number_at_a_time():
    """With the means written out as sums over all gradients so far."""
    rng, lr, (b1, b2) = np.random.default_rng(0), 0.1, (0.9, 0.99)
    gradients = rng.standard_normal((6, 3)).astype(np.float32)
    adam, numbers = training.Adam(3, (b1, b2)), np.array([1, -2, 0.5], np.float32)
    expected = numbers.astype(np.float64)
    for t in range(1, 7):
        before = numbers.copy()
        new = adam.step(numbers, gradients[t - 1], lr)
        np.testing.assert_array_equal(numbers, before)  # left as they were
        for i in range(3):
            m = sum((1 - b1) * b1 ** (t - s) * float(gradients[s - 1, i]) for s in range(1, t + 1))
            v = sum((1 - b2) * b2 ** (t - s) * float(gradients[s - 1, i]) ** 2 for s in range(1, t + 1))
            expected[i] -= lr * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + 1e-8)
        np.testing.assert_allclose(new, expected, rtol=1e-5, atol=1e-6)
        assert new.dtype == np.float32
        numbers = new


def test_adam_moves_by_lr_where_the_gradient_is_steady_whatever_its_size():
    adam, numbers = training.Adam(3), np.zeros(3, np.float32)
    for _ in range(20):
        numbers = adam.step(numbers, np.array([1e-4, -1, 1e4], np.float32), 0.01)
    np.testing.assert_allclose(numbers, [-0.2, 0.2, -0.2], rtol=1e-3)


# --- pretraining -----------------------------------------------------------------------------------------------------


def steps_of(n: int, **options) -> list[training.Progress]:
    return list(training.pretrain(TEXT, SIZES, steps=n, vocabulary=280, **options))


def test_it_learns_from_equal_chances_on():
    steps = steps_of(40)
    assert [now.step for now in steps] == list(range(41))
    n_vocab = steps[0].model.config.n_vocab
    for loss in (steps[0].loss, steps[0].held_out):
        assert loss == pytest.approx(math.log(n_vocab), rel=0.01)
    assert steps[0].loss != steps[0].held_out  # each is of its own text
    assert steps[-1].loss < steps[0].loss - 2
    assert steps[-1].held_out < steps[0].held_out - 2
    assert steps[0].seconds == 0
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(steps))
    assert steps[-1].model.trace("The cat").logits.shape == (n_vocab,)


def test_the_same_seed_gives_the_same_bits_and_another_others():
    first, again, other = steps_of(4), steps_of(4), steps_of(4, seed=1)
    assert [now.loss for now in first] == [now.loss for now in again]
    assert bits_of(first[-1].model) == bits_of(again[-1].model) != bits_of(other[-1].model)


@pytest.mark.parametrize("number", [1, 2])
def test_how_many_threads_blas_would_take_changes_no_bit(monkeypatch, number, tiny_model):
    expected = bits_of(steps_of(3)[-1].model), tuned_bits(tiny_model)
    with llmviz.threads.share_cores._lock:
        monkeypatch.setattr(llmviz.threads, "LOOK_EVERY", 0)
    monkeypatch.setenv("LLMVIZ_THREADS", str(number))
    tiny_model.forget()
    tiny_model.trace([1, 2, 3])  # so that BLAS is told
    assert (bits_of(steps_of(3)[-1].model), tuned_bits(tiny_model)) == expected


def tuned_bits(model: Model) -> bytes:
    *_, last = training.finetune(model, LESSONS, steps=3, layers=[0, 2])
    return all_bits([training._flat(last.update)])


def test_the_steps_are_those_of_adam_on_the_gradient_of_the_texts():
    """The first step by the public function, a text at a time: lr times a sign, nearly, and only lr / 20 yet.

    What it takes off by its decay is lr / 20 times WEIGHT_DECAY times the number.
    """
    start, first = steps_of(1, lr=0.02)
    tokens = np.array(start.model.tokenizer.encode(TEXT))
    trained_on = tokens[: -int(len(tokens) * 0.1)]
    starts = np.random.default_rng(0).integers(len(trained_on) - 32 + 1, size=training.TOKENS_A_STEP // 32)
    gradients = [training.loss_and_gradients(start.model, trained_on[i : i + 32].tolist()) for i in starts]
    assert first.loss == pytest.approx(np.mean([loss for loss, _ in gradients]), rel=1e-5)
    gradient = np.mean([gradient_of_one.W_E for _, gradient_of_one in gradients], axis=0)
    moved = first.model.weights.W_E - start.model.weights.W_E
    clear = np.abs(gradient) > 1e-4
    assert clear.mean() > 0.2
    decay = training.WEIGHT_DECAY * start.model.weights.W_E
    np.testing.assert_allclose(moved[clear], -0.02 / 20 * (np.sign(gradient) + decay)[clear], rtol=2e-3)


def test_a_progress_is_a_snapshot():
    training_run = training.pretrain(TEXT, SIZES, steps=5, vocabulary=280)
    taken = [next(training_run), next(training_run)]
    before = [bits_of(now.model) for now in taken]
    logits = taken[1].model.trace("The cat").logits.copy()
    for _ in training_run:
        pass
    assert [bits_of(now.model) for now in taken] == before
    taken[1].model.forget()
    np.testing.assert_allclose(taken[1].model.trace("The cat").logits, logits, rtol=1e-4, atol=1e-4)


def test_the_last_tenth_is_never_trained_on(monkeypatch):
    """A text whose last tenth alone has digits: their rows get no gradient but from the output table's side."""
    seen = []
    inner = training._flat_gradient
    monkeypatch.setattr(training, "_flat_gradient", lambda w, half: seen.append(half) or inner(w, half))
    text = TEXT + "".join(f"{n} " for n in range(10_000, 10_000 + len(TEXT) // 250))
    *_, last = training.pretrain(text, SIZES, steps=20, vocabulary=280)
    digits = [last.model.tokenizer.encode(digit)[0] for digit in "123456789"]
    assert not np.isin(np.concatenate([half.ravel() for half in seen]), digits).any()


def test_it_ends_after_seconds_of_work_and_a_pause_is_no_work():
    began, pause = time.perf_counter(), 0.0
    for now in training.pretrain(TEXT, SIZES, seconds=0.5, vocabulary=280):
        if now.step in (1, 2, 3):
            time.sleep(0.2)
            pause += 0.2
    assert now.seconds >= 0.5
    assert now.seconds + pause <= time.perf_counter() - began


@pytest.mark.parametrize("begun", [0, 1, 3])
def test_it_stops_at_any_step_and_leaves_no_thread_and_blas_as_it_was(begun):
    from threadpoolctl import threadpool_info

    threads, blas = threading.active_count(), [library["num_threads"] for library in threadpool_info()]
    run = training.pretrain(TEXT, SIZES, steps=100, vocabulary=280)
    for _ in range(begun):
        next(run)
    run.close()
    assert threading.active_count() == threads
    assert [library["num_threads"] for library in threadpool_info()] == blas


SHORT = [100]  # so many tokens at least


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("", {}, ValueError, SHORT),
        ("two words", {}, ValueError, SHORT),
        ("a" * 500, {}, ValueError, SHORT),
        ("\ud800" * 5_000, {}, ValueError, ["U+D800"]),
        (TEXT, {"lr": 0}, ValueError, ["lr", 0]),
        (TEXT, {"lr": math.nan}, ValueError, ["lr", 0, "nan"]),
        (TEXT, {"seconds": 0}, ValueError, ["seconds", 0]),
        (TEXT, {"steps": 0}, ValueError, ["steps", 1, 0]),
        (TEXT, {"vocabulary": 100}, ValueError, [257, 100]),
    ],
)
def test_what_cannot_be_trained_on_is_told_at_once(text, options, error, words):
    with pytest.raises(error, match=holding(*words)):
        training.pretrain(text, SIZES, **options)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"n_heads": 3}, [3, 2]),
        ({"d_head": 7}, ["d_head", 7]),
        ({"d_model": 0}, ["d_model", 1, 0]),
        ({"n_ctx": 1}, ["n_ctx", 2]),
    ],
)
def test_sizes_that_do_not_fit_are_told_at_once(sizes, words):
    with pytest.raises(ValueError, match=holding(*words)):
        training.pretrain(TEXT, replace(SIZES, **sizes))


def test_any_script_and_a_text_longer_than_its_window():
    arabic = "ذهب الولد إلى المدرسة في الصباح وعاد إلى البيت في المساء. " * 60
    *_, last = training.pretrain(arabic, SIZES, steps=2)
    assert last.model.tokenizer.decode(last.model.tokenizer.encode(arabic)) == arabic
    *_, last = training.pretrain(
        TEXT[:900], replace(SIZES, n_ctx=5_000), steps=2
    )  # its window is the held-out part
    assert np.isfinite(last.held_out)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("lr", [30, 1e30])
def test_steps_that_overshoot_are_told_as_that(lr, seed):
    with pytest.raises(FloatingPointError, match=holding(f"lr={lr:g}", "lr=0.003")):
        steps_of(60, lr=lr, seed=seed)


# --- fine-tuning -----------------------------------------------------------------------------------------------------


def tuned(model: Model, lessons=LESSONS, **options) -> list[training.Progress]:
    return list(training.finetune(model, lessons, **{"steps": 12, "lr": 0.01} | options))


def said_by(model: Model, messages) -> str:
    tokens, said = training._lesson(model, 1, messages)
    return model.tokenizer.decode(tokens[0, said[0]].tolist())


def test_it_learns_the_answers(tiny_model):
    steps = tuned(tiny_model, steps=60)
    assert [now.step for now in steps] == list(range(61))
    assert steps[-1].loss < 0.5 * steps[0].loss
    assert {now.held_out for now in steps} == {None}


@pytest.mark.parametrize("step", [0, 12])
def test_its_loss_is_that_of_the_answers_and_the_model_is_what_was_trained(tiny_model, step):
    """Step 0 and, with one conversation, what the next step would start from; by the model's own forward."""
    run = training.finetune(tiny_model, LESSONS[:1], steps=13, lr=0.01)
    steps = [next(run) for _ in range(14)]
    model, (tokens, said) = steps[step].model, training._lesson(tiny_model, 1, LESSONS[0])
    bits = sampling.surprise(model.trace(tokens[0]).all_logits(), tokens[0].tolist())
    then = steps[0 if step == 0 else step + 1].loss
    assert bits[said[0, 1:]].mean() * math.log(2) == pytest.approx(then, rel=1e-4)


def test_the_first_step_s_loss_is_the_mean_over_all_conversations(tiny_model):
    start = next(training.finetune(tiny_model, LESSONS))
    alone = [next(training.finetune(tiny_model, [lesson])).loss for lesson in LESSONS]
    assert start.loss == pytest.approx(np.mean(alone), rel=1e-6)


@pytest.mark.parametrize("layers", [[0], [1], [0, 2], [0, 1, 2], range(1, 3)])
def test_the_gradient_of_every_change_against_nudging_it(tiny_model, layers):
    hold_changes_to_nudges(in_doubles(tiny_model), layers, *training._lesson(tiny_model, 1, LESSONS[0]))


def test_the_gradient_of_every_change_in_other_families(of_another_family):
    tokens = np.array([of_another_family.tokenizer.encode("The cat sat on the mat, and the cat")])
    hold_changes_to_nudges(in_doubles(of_another_family), [0, 1], tokens, tokens > 0)


def hold_changes_to_nudges(model, layers, tokens, said):
    """Through `updated`, whose matrices are dense, and the whole model's own loss."""
    rng = np.random.default_rng(0)
    update = {
        (layer, name): training.LowRank(
            rng.standard_normal((matrix.shape[0], 2)) / 4, rng.standard_normal((2, matrix.shape[1])) / 4
        )
        for layer in layers
        for name in training.CHANGED
        if (matrix := getattr(model.weights.layers[layer], name)) is not None
    }
    x, _ = training._forward(model.weights, tokens, layers=range(layers[0]))
    running = range(layers[0], model.config.n_layers)
    loss, gradient = training._update_gradient(model.weights, tokens, said, x, running, update)

    def dense() -> float:
        changed = training.updated(model, update)
        return training.loss_and_gradients(changed, tokens[0].tolist(), said[0])[0]

    assert loss == pytest.approx(dense(), rel=1e-6)
    for key, low in update.items():
        for part in ("down", "up"):
            array, gradient_of_part = getattr(low, part), getattr(gradient[key], part)
            places = [tuple(rng.integers(array.shape)) for _ in range(3)]
            got = [gradient_of_part[place] for place in places]
            np.testing.assert_allclose(got, slopes(dense, array, at=places), rtol=1e-5, atol=1e-8)


def test_the_same_seed_gives_the_same_update(tiny_model):
    first, again, other = (
        all_bits([training._flat(tuned(tiny_model, seed=seed)[-1].update)]) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_the_model_stays_as_it_was_and_what_is_not_changed_is_shared(tiny_model):
    before, w = bits_of(tiny_model), tiny_model.weights
    assert not w.W_E.flags.writeable  # a file, mapped read-only
    last = tuned(tiny_model, layers=[1])[-1]
    assert bits_of(tiny_model) == before
    changed = {f"{name} 1" for name in training.CHANGED}
    for name, array in matrices(last.model.weights).items():
        assert np.shares_memory(array, matrices(w)[name]) == (name not in changed), name
    assert last.model.tokenizer is tiny_model.tokenizer
    assert set(last.update) == {(1, name) for name in training.CHANGED}


def test_an_earlier_progress_is_a_snapshot(tiny_model):
    run = training.finetune(tiny_model, LESSONS, steps=6, lr=0.01)
    next(run)
    first = next(run)
    before = all_bits([training._flat(first.update)])
    for _ in run:
        pass
    assert all_bits([training._flat(first.update)]) == before
    assert first.model is first.model  # merged once


def test_an_amount_of_none_is_the_model_as_it_was_and_half_lies_between(tiny_model):
    update, tokens = tuned(tiny_model)[-1].update, tiny_gguf.random_ids("grouped", 9)
    as_it_was = tiny_model.trace(tokens).logits
    none = training.updated(tiny_model, update, 0).trace(tokens).logits
    np.testing.assert_allclose(none, as_it_was, rtol=1e-4, atol=1e-4)
    W, half, whole = (
        m.weights.layers[2].W_up.astype(np.float64)
        for m in (tiny_model, training.updated(tiny_model, update, 0.5), training.updated(tiny_model, update))
    )
    low = update[2, "W_up"]
    np.testing.assert_allclose(whole - W, low.down.astype(np.float64) @ low.up, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(half - W, (whole - W) / 2, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([("user", "a dog"), ("assistant", "the cat")], "the cat<|im_end|>"),
        ([("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d e")], "b<|im_end|>d e<|im_end|>"),
        ([("assistant", "the cat"), ("user", "on")], "the cat<|im_end|>"),
        ([("user", "a"), ("assistant", "\nthe cat")], "the cat<|im_end|>"),
        ([("user", "a"), ("assistant", "  the cat \n")], " the cat \n<|im_end|>"),
        ([("user", "a"), ("assistant", "  "), ("user", "b"), ("assistant", "on")], "on<|im_end|>"),
    ],
)  # fmt: skip
def test_what_the_assistant_says_counts_to_its_end_token_and_nothing_else(tiny_model, messages, expected):
    messages = [{"role": role, "content": content} for role, content in messages]
    said = said_by(tiny_model, messages)
    assert (
        said.lstrip() == expected.lstrip()
    )  # white space at the beginning may be one token with the line break


def talk(*messages: tuple[str, str]) -> list[dict]:
    return [{"role": role, "content": content} for role, content in messages]


@pytest.mark.parametrize(
    ("conversations", "error", "words"),
    [
        ([], ValueError, ["example"]),
        ([[]], ValueError, ["encode_chat", "message"]),
        ([talk(("user", "a"))], ValueError, ["example 1", "'assistant'"]),
        (
            [*LESSONS, talk(("user", "a"), ("assistant", " \n"))],
            ValueError,
            ["example 4", "'assistant'"],
        ),
        (
            [talk(("user", "a"), ("assistant", "the cat " * 2_500))],
            ValueError,
            ["example 1", 128],
        ),
        ([talk(("user", None), ("assistant", "b"))], ValueError, ["'content'", None]),
    ],
)
def test_what_cannot_be_learned_from_is_told_at_once(tiny_model, conversations, error, words):
    with pytest.raises(error, match=holding(*words)):
        training.finetune(tiny_model, conversations)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": [3]}, ["layers", 0, 2, [3]]),
        ({"layers": [-1]}, ["layers", 0, 2, [-1]]),
        ({"layers": []}, ["layers", 0, 2, []]),
        ({"rank": 0}, ["rank", 1, 0]),
        ({"steps": 0}, ["steps", 1, 0]),
        ({"lr": -1}, ["lr", 0, -1]),
        ({"lr": math.inf}, ["lr", 0, "inf"]),
    ],
)
def test_options_that_cannot_be_are_told_at_once(tiny_model, options, words):
    with pytest.raises(ValueError, match=holding(*words)):
        training.finetune(tiny_model, LESSONS, **options)


def test_the_default_model_takes_conversations_of_256_tokens(model):
    with pytest.raises(ValueError, match=holding("example 1", 256)):
        training.finetune(model, [talk(("user", "a"), ("assistant", "the cat " * 2_500))])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lr", [1, 1e3, 1e30])
def test_fine_tuning_that_overshoots_is_told_as_that(model, lr, seed):
    lessons = [talk(("user", "What is rain?"), ("assistant", "Arr, rain be water, matey!"))] * 2
    with pytest.raises(FloatingPointError, match=holding(f"lr={lr:g}", "lr=0.003")):
        list(training.finetune(model, lessons, lr=lr, seed=seed, layers=[28, 29]))


def test_what_is_of_the_wrong_kind_is_told_in_a_sentence(tiny_path, tmp_path):
    """In a fresh process, where nothing checks the annotations before we do."""
    program = """
import sys
import llmviz
from llmviz import training
from llmviz.weights import Config
model = llmviz.load(sys.argv[1], progress=False)
sizes = Config(2, 4, 2, 32, 8, 48, 1, 32, 10_000.0, 1e-5)
lesson = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
calls = [
    lambda: training.pretrain(None, sizes),
    lambda: training.pretrain(b"abc" * 500, sizes),
    lambda: training.pretrain("the cat " * 500, sizes, steps=1.5),
    lambda: training.pretrain("the cat " * 500, sizes, vocabulary=300.5),
    lambda: training.finetune(model, None),
    lambda: training.finetune(model, "the cat"),
    lambda: training.finetune(model, lesson),
    lambda: training.finetune(model, ["the cat"]),
    lambda: training.finetune(model, [["the cat"]]),
    lambda: training.finetune(model, [lesson], rank=2.5),
    lambda: training.finetune(model, [lesson], layers=[0.5]),
]
for call in calls:
    try:
        call()
    except (ValueError, TypeError) as problem:
        print(type(problem).__name__, problem)
    else:
        print("nothing")
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(tiny_path("full"))],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LLMVIZ_HOME": str(tmp_path)},
    )
    expected = [
        ("TypeError", "NoneType"),
        ("TypeError", "bytes"),
        ("ValueError", "steps", 1.5),
        ("ValueError", "vocabulary", 300.5),
        *[("TypeError", "conversations", "encode_chat")] * 4,
        ("ValueError", "'role'", "'content'", "'the cat'"),
        ("ValueError", "rank", 2.5),
        ("ValueError", "layers", 0, 1, [0.5]),
    ]
    for got, values in zip(run.stdout.splitlines(), expected, strict=True):
        assert re.match(holding(*values), got)
