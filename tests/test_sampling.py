"""Temperature, filters and draws against the rules in plain Python, and statistics of many draws."""

import math

import numpy as np
import pytest
from messages import holding

from llmviz import Sampler, sampling


def random_logits(n: int = 50, seed: int = 0, scale: float = 3.0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def probs_of(*shares: float) -> np.ndarray:
    return np.array(shares, np.float32)


# The rules, in plain Python


def temperature_by_hand(logits, temperature: float) -> list[float]:
    highest = max(map(float, logits))
    exps = [math.exp((float(x) - highest) / temperature) for x in logits]
    return [e / math.fsum(exps) for e in exps]


def keep_by_hand(probs: list[float], indices: set[int]) -> list[float]:
    mass = math.fsum(probs[i] for i in indices)
    return [p / mass if i in indices else 0.0 for i, p in enumerate(probs)]


def top_k_by_hand(probs: list[float], k: int) -> list[float]:
    least = sorted(probs, reverse=True)[:k][-1]
    return keep_by_hand(probs, {i for i, p in enumerate(probs) if p >= least})


def top_p_by_hand(probs: list[float], share: float) -> list[float]:
    indices: set[int] = set()
    for i in sorted(range(len(probs)), key=lambda i: -probs[i]):
        if math.fsum(probs[j] for j in indices) >= share:
            break
        indices.add(i)
    return keep_by_hand(probs, indices)


def min_p_by_hand(probs: list[float], share: float) -> list[float]:
    return keep_by_hand(probs, {i for i, p in enumerate(probs) if p >= share * max(probs)})


# Temperature


@pytest.mark.parametrize("temperature", [0.01, 0.3, 1.0, 1.7, 100.0])
def test_temperature_divides_the_logits(temperature):
    logits = random_logits()
    probs = sampling.with_temperature(logits, temperature)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, temperature_by_hand(logits, temperature), rtol=1e-5, atol=1e-12)
    assert probs.sum() == pytest.approx(1, abs=1e-6)


def test_temperature_never_changes_the_order():
    logits = random_logits()
    for temperature in (0.5, 1.0, 5.0):
        probs = sampling.with_temperature(logits, temperature)
        np.testing.assert_array_equal(np.argsort(probs), np.argsort(logits))


def test_temperature_zero_puts_all_on_the_likeliest_and_of_equals_on_the_first():
    assert sampling.with_temperature(np.array([1, 5, 5, -2], np.float32), 0).tolist() == [0, 1, 0, 0]


def test_towards_temperature_zero_equal_logits_share():
    logits = np.array([1, 5, 5, -2], np.float32)
    for temperature in (1e-2, 1e-6, 1e-300, 5e-324):
        assert sampling.with_temperature(logits, temperature).tolist() == [0, 0.5, 0.5, 0]


def test_at_a_huge_temperature_all_are_equally_likely():
    for temperature in (1e4, 1e6, 1e300):
        probs = sampling.with_temperature(random_logits(), temperature)
        np.testing.assert_allclose(probs, 1 / 50, rtol=2e-3)


@pytest.mark.parametrize("temperature", [0, 1e-6, 0.7, 1e4])
def test_a_logit_of_minus_infinity_is_never_picked(temperature):
    logits = np.array([-np.inf, 2, -np.inf, 2.5], np.float32)
    probs = sampling.with_temperature(logits, temperature)
    assert probs[[0, 2]].tolist() == [0, 0]
    assert probs.sum() == pytest.approx(1)


def test_large_logits_do_not_overflow():
    for shift in (-1e30, 1e4, 1e30):
        probs = sampling.with_temperature(np.full(4, shift, np.float32), 1.0)
        assert probs.tolist() == [0.25] * 4


@pytest.mark.parametrize("temperature", [0, 1.0])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_logits_that_are_no_numbers_give_no_probabilities(temperature, wrong):
    with pytest.raises(ValueError, match=holding("logit", wrong)):
        sampling.with_temperature(np.array([1, wrong, 3], np.float32), temperature)


# Filters


@pytest.mark.parametrize("k", [1, 2, 7, 49, 50, 1_000])
def test_top_k_follows_its_rule(k):
    probs = sampling.with_temperature(random_logits(), 1.0)
    filtered = sampling.top_k(probs, k)
    np.testing.assert_allclose(filtered.probs, top_k_by_hand(probs.tolist(), k), rtol=1e-5)
    assert np.count_nonzero(filtered.probs) == min(k, 50)


@pytest.mark.parametrize("p", [1e-9, 0.1, 0.5, 0.9, 0.999, 1.0])
def test_top_p_follows_its_rule(p):
    probs = sampling.with_temperature(random_logits(), 1.0)
    filtered = sampling.top_p(probs, p)
    np.testing.assert_allclose(filtered.probs, top_p_by_hand(probs.tolist(), p), rtol=1e-5)
    held = probs[filtered.probs > 0].sum(dtype=float)
    assert held >= p - 1e-6
    assert held - probs[filtered.probs > 0].min() < p  # one token fewer would not do


@pytest.mark.parametrize("p", [0.0, 0.01, 0.2, 1.0])
def test_min_p_follows_its_rule(p):
    probs = sampling.with_temperature(random_logits(), 1.0)
    filtered = sampling.min_p(probs, p)
    np.testing.assert_allclose(filtered.probs, min_p_by_hand(probs.tolist(), p), rtol=1e-5)


def test_top_p_stops_exactly_where_the_share_is_reached():
    probs = probs_of(0.25, 0.5, 0.125, 0.125)
    assert sampling.top_p(probs, 0.75).probs.tolist() == pytest.approx([1 / 3, 2 / 3, 0, 0])
    assert np.count_nonzero(sampling.top_p(probs, 0.7501).probs) == 3
    assert np.count_nonzero(sampling.top_p(probs, 0.5).probs) == 1


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (sampling.top_k(probs_of(0.2, 0.4, 0.2, 0.2), 2), [0, 1, 2, 3]),  # ties stay together
        (sampling.top_k(probs_of(0.4, 0.2, 0.4), 1), [0, 2]),
        (sampling.top_p(probs_of(0.2, 0.4, 0.2, 0.2), 0.5), [0, 1]),  # as few as will do: the first of equals
        (sampling.min_p(probs_of(0.4, 0.2, 0.4), 1.0), [0, 2]),
        (sampling.min_p(probs_of(0.4, 0.2, 0.4), 0.5), [0, 1, 2]),
    ],
)
def test_ties(found, kept):
    assert np.flatnonzero(found.probs).tolist() == kept


@pytest.mark.parametrize(
    ("found", "cut"),
    [
        (sampling.top_k(probs_of(0.5, 0.25, 0.125, 0.125), 1), 0.5),
        (sampling.top_k(probs_of(0.5, 0.25, 0.125, 0.125), 4), 0),
        (sampling.top_p(probs_of(0.5, 0.25, 0.125, 0.125), 0.6), 0.25),
        (sampling.top_p(probs_of(0.5, 0.25, 0.125, 0.125), 1.0), 0),
        (sampling.min_p(probs_of(0.5, 0.25, 0.125, 0.125), 0.3), 0.25),
        (sampling.min_p(probs_of(0.5, 0.25, 0.125, 0.125), 0.0), 0),
    ],
)
def test_the_mass_that_was_cut_is_reported(found, cut):
    assert found.cut == pytest.approx(cut, abs=1e-7)
    assert found.probs.sum() == pytest.approx(1)


def test_filters_leave_their_input_as_it_was():
    probs = sampling.with_temperature(random_logits(), 1.0)
    probs.flags.writeable = False
    for filtered in (sampling.top_k(probs, 3), sampling.top_p(probs, 0.3), sampling.min_p(probs, 0.3)):
        assert np.count_nonzero(filtered.probs) < 50


# The sampler


@pytest.mark.parametrize("seed", range(5))
def test_the_sampler_runs_temperature_then_top_k_then_top_p_then_min_p(seed):
    logits = random_logits(seed=seed)
    probs = temperature_by_hand(logits, 1.3)
    expected = min_p_by_hand(top_p_by_hand(top_k_by_hand(probs, 12), 0.85), 0.15)
    got = Sampler(temperature=1.3, top_k=12, top_p=0.85, min_p=0.15).probs(logits)
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_the_order_of_the_filters_matters():
    logits = np.log(probs_of(0.4, 0.3, 0.2, 0.1))
    # top-k first: 4/7 and 3/7 are left, and the first alone reaches half
    assert np.count_nonzero(Sampler(top_k=2, top_p=0.5).probs(logits)) == 1
    other_way = sampling.top_k(sampling.top_p(np.exp(logits), 0.5).probs, 2)
    assert np.count_nonzero(other_way.probs) == 2


def test_a_plain_sampler_is_softmax():
    logits = random_logits()
    np.testing.assert_allclose(Sampler().probs(logits), temperature_by_hand(logits, 1.0), rtol=1e-5)


@pytest.mark.parametrize("temperature", [0, 1e-6, 1, 1e4])
def test_extreme_settings_together_still_sum_to_one(temperature):
    logits = random_logits(n=2_000, scale=10)
    logits[::3] = -np.inf
    probs = Sampler(temperature=temperature, top_k=900, top_p=1e-6, min_p=1.0).probs(logits)
    assert probs.sum() == pytest.approx(1)
    assert np.flatnonzero(probs).tolist() == [int(logits.argmax())] or temperature == 1e4


@pytest.mark.parametrize(
    ("setting", "value", "limits"),
    [
        ("temperature", -0.1, [0]),
        ("temperature", math.nan, [0]),
        ("temperature", math.inf, [0]),
        ("top_k", 0, [1]),
        ("top_k", -3, [1]),
        ("top_p", 0.0, [0, 1]),
        ("top_p", 1.01, [0, 1]),
        ("top_p", math.nan, [0, 1]),
        ("min_p", -0.1, [0, 1]),
        ("min_p", 1.5, [0, 1]),
        ("min_p", math.nan, [0, 1]),
    ],
)
def test_a_setting_out_of_range_is_named_at_once(setting, value, limits):
    with pytest.raises(ValueError, match=holding(setting, *limits, value)):
        Sampler(**{setting: value})


# Draws


def chi_squared(counts: np.ndarray, probs: np.ndarray) -> float:
    """How far the counts are from what the probabilities say, in standard deviations of the statistic."""
    expected = counts.sum() * probs
    enough = expected >= 5  # the rest are put together, so that the approximation holds
    counts = np.append(counts[enough], counts[~enough].sum())
    expected = np.append(expected[enough], expected[~enough].sum())
    counts, expected = counts[expected > 0], expected[expected > 0]
    free = len(counts) - 1
    return float((((counts - expected) ** 2 / expected).sum() - free) / math.sqrt(2 * free))


@pytest.mark.parametrize("sampler", [Sampler(), Sampler(temperature=2, top_k=20, top_p=0.9)])
def test_tokens_are_drawn_as_often_as_their_probability_says(sampler):
    probs = sampler.probs(random_logits()).astype(np.float64)
    rng = np.random.default_rng(7)
    counts = np.bincount([sampling.draw(probs, rng) for _ in range(20_000)], minlength=50)
    assert chi_squared(counts, probs) < 4
    assert not counts[probs == 0].any()
    wrong = np.roll(probs, 1)
    assert chi_squared(counts, np.where(wrong > 0, wrong, 1e-9)) > 50  # the statistic does tell them apart


@pytest.mark.parametrize("probs", [np.zeros(3), np.array([0.5, math.nan])])
def test_nothing_is_drawn_where_nothing_has_a_probability(probs):
    with pytest.raises(ValueError, match=holding("probabilities", probs.sum())):
        sampling.draw(probs, np.random.default_rng(0))


class Fixed(np.random.Generator):
    """A generator whose next number in [0, 1) is the one wanted."""

    def __init__(self, value: float):
        super().__init__(np.random.PCG64(0))
        self.value = value

    def random(self, size):
        return np.full(size, self.value)


@pytest.mark.parametrize(
    ("value", "token"), [(0.0, 1), (0.2499, 1), (0.25, 3), (0.74, 3), (0.75, 4), (1 - 2**-53, 4)]
)
def test_a_draw_walks_along_the_probabilities(value, token):
    assert sampling.draw(probs_of(0, 0.25, 0, 0.5, 0.25, 0, 0), Fixed(value)) == token


def test_many_draws_are_single_ones_in_a_row():
    probs = probs_of(0.1, 0, 0.3, 0.6)
    single, many = np.random.default_rng(3), np.random.default_rng(3)
    assert sampling.draws(probs, many, 50).tolist() == [sampling.draw(probs, single) for _ in range(50)]
    assert len(sampling.draws(probs, many, 0)) == 0


def test_rounding_never_draws_a_token_of_probability_zero():
    probs = np.zeros(49_152, np.float32)
    probs[:40_000] = 1 / 40_000  # sums to one only roughly
    assert sampling.draw(probs, Fixed(1 - 2**-53)) == 39_999
    assert sampling.draw(np.roll(probs, 100), Fixed(0.0)) == 100


# Repetition


def test_surprise_is_finite_however_unlikely_a_token_was():
    logits = np.array([[0, -1, 800], [1e17, 0, -1e17], [0, 0, 0]], np.float32)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        bits = sampling.surprise(logits, [0, 1, 2])
    np.testing.assert_allclose(bits, [801 / math.log(2), 2e17 / math.log(2)], rtol=1e-6)


def test_a_run_that_came_before_is_marked():
    marks = sampling.repeated([1, 2, 3, 4, 9, 1, 2, 3, 4, 5])
    assert np.flatnonzero(marks).tolist() == [5, 6, 7, 8]
    assert not sampling.repeated([1, 2, 3, 9, 1, 2, 3]).any()  # three in a row are not four
    assert np.flatnonzero(sampling.repeated([1, 2, 3, 9, 1, 2, 3], run=3)).tolist() == [4, 5, 6]
    assert sampling.repeated([7] * 6).tolist() == [False, True, True, True, True, True]
    assert sampling.repeated([]).size == 0


# The same by an independent implementation


def by_transformers(logits, temperature, k, p, least) -> np.ndarray:
    """`transformers`' own chain, in the order in which its `generate` builds it."""
    import torch
    from transformers.generation import logits_process

    scores = torch.tensor(logits)[None]
    for step in (
        logits_process.TemperatureLogitsWarper(temperature),
        k and logits_process.TopKLogitsWarper(top_k=k),
        p and logits_process.TopPLogitsWarper(top_p=p),
        least is not None and logits_process.MinPLogitsWarper(min_p=least),
    ):
        scores = step(None, scores) if step else scores
    return torch.softmax(scores, -1)[0].numpy()


@pytest.mark.parametrize("n", [5, 300, 49_152])
@pytest.mark.parametrize("ties", [False, True])
def test_the_sampler_equals_transformers(n, ties):
    pytest.importorskip("torch", reason="the peers extra is not installed")
    pytest.importorskip("transformers", reason="the peers extra is not installed")
    rng = np.random.default_rng(n + ties)
    for _ in range(60):
        logits = rng.normal(
            0, rng.choice([0.1, 3.0, 30.0]), n
        )  # float64: no share lies on a border by rounding
        logits = np.round(logits) if ties else logits
        logits[rng.random(n) < rng.choice([0.0, 0.5])] = -np.inf
        logits[rng.integers(n)] = 0.0
        settings = (
            float(rng.choice([0.05, 0.7, 1.0, 1.9, 50.0])),
            rng.choice([None, 1, 2, 40, n]),
            rng.choice([None, 1e-6, 0.3017, 0.9013, 0.99991]),  # no k equal tokens hold exactly this
            rng.choice([None, 0.0, 0.05, 0.7, 1.0]),
        )
        got, expected = Sampler(*settings).probs(logits), by_transformers(logits, *settings)
        if ties:  # of equals that top-p need not keep all, either may keep any
            got, expected = np.sort(got), np.sort(expected)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-12, err_msg=str(settings))
        np.testing.assert_array_equal(got > 0, expected > 0, err_msg=str(settings))


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_ever_drawn_that_a_filter_cut(seed):
    rng = np.random.default_rng(seed)
    logits = random_logits(n=400, seed=seed)
    steps = [("temperature", 3.0), ("top_k", 30), ("top_p", 0.8), ("min_p", 0.1)]
    rng.shuffle(steps)
    probs = sampling.chain(logits, steps)[-1].probs
    assert 0 < np.count_nonzero(probs) <= 30
    darts = [Fixed(value) for value in (0.0, 1e-300, 1 - 2**-53)] + [rng] * 3_000
    assert all(probs[sampling.draw(probs, dart)] > 0 for dart in darts)


# Chains, and what they leave


def test_the_chain_in_the_sampler_s_order_is_the_sampler():
    logits = random_logits(500)
    steps = [("temperature", 0.7), ("top_k", 40), ("top_p", 0.9), ("min_p", 0.02)]
    last = sampling.chain(logits, steps)[-1].probs
    np.testing.assert_allclose(last, Sampler(0.7, 40, 0.9, 0.02).probs(logits), rtol=1e-5)


def test_the_order_of_the_chain_matters():
    logits = random_logits(500)
    hot_first = sampling.chain(logits, [("temperature", 2.0), ("top_p", 0.9)])[-1].probs
    hot_last = sampling.chain(logits, [("top_p", 0.9), ("temperature", 2.0)])[-1].probs
    assert (hot_first > 0).sum() > (hot_last > 0).sum()
    probs = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    kept = sampling.top_p(probs, 0.9).probs
    np.testing.assert_allclose(hot_last, np.sqrt(kept) / np.sqrt(kept).sum(), rtol=1e-4)


def test_an_unknown_step_is_named():
    with pytest.raises(ValueError, match="no step 'top_q'"):
        sampling.chain(random_logits(), [("top_q", 1)])


def test_entropy_and_mass():
    assert sampling.entropy(np.full(8, 1 / 8, np.float32)) == pytest.approx(3)
    assert sampling.entropy(np.array([1, 0, 0], np.float32)) == 0
    assert sampling.mass_outside(np.array([0.1, 0.6, 0.3], np.float32), 2) == pytest.approx(0.1, abs=1e-6)


def test_surprise_is_minus_log2_of_the_probability():
    logits = np.log2(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [1, 1, 1]])) * np.log(2)
    np.testing.assert_allclose(
        sampling.surprise(logits.astype(np.float32), [0, 1, 1]), [2, -np.log2(0.8)], rtol=1e-5
    )
