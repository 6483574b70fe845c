"""The checks of the exercises: right answers pass, usual mistakes are named, stubs are told apart."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from llmviz import checks


@pytest.fixture
def mistake_told(monkeypatch):
    """Give the number of the mistake that a check's hint is for, in the check's own order; None where it names none."""
    compare, hints = checks.compare, []

    def noting(attempt, cases, formula, mistakes=(), praise="right"):
        hints[:] = mistakes
        return compare(attempt, cases, formula, mistakes, praise)

    monkeypatch.setattr(checks, "compare", noting)

    def number(check, wrong):
        verdict = check(wrong)
        assert verdict.passed is False
        return hints.index(verdict.message) if verdict.message in hints else None

    return number


# --- 01 tokenization


def glue_by_text(parts, pair):
    text = " ".join(parts)
    old, new = " ".join(pair), "".join(pair)
    while f" {old} " in f" {text} ":  # the leftmost each time
        text = f" {text} ".replace(f" {old} ", f" {new} ", 1).strip()
    return text.split()


def glue_one_right_half_stays(parts, pair):
    result = list(parts)
    for i in range(len(parts) - 1):
        if (parts[i], parts[i + 1]) == pair:
            result[i] = pair[0] + pair[1]
    return result


def glue_and_lose_the_last(parts, pair):
    glued = glue_by_text(parts, pair)
    return glued if glued[-1:] == ["".join(pair)] else glued[:-1]


def glue_in_place(parts, pair):
    for i in reversed(range(len(parts) - 1)):
        if (parts[i], parts[i + 1]) == pair:
            parts[i : i + 2] = ["".join(pair)]
            return glue_in_place(parts, pair) if pair[0] != pair[1] else parts
    return parts


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (checks.count_pairs, lambda parts: Counter(pairwise(parts))),
        (checks.count_pairs, lambda parts: {p: list(pairwise(parts)).count(p) for p in pairwise(parts)}),
        (checks.merge, glue_by_text),
    ],
)
def test_tokenization_right_answers_pass(check, right):
    verdict = check(right)
    assert verdict.passed is True, verdict


@pytest.mark.parametrize(
    ("check", "wrong", "mistake"),
    [
        (checks.count_pairs, lambda parts: Counter(parts), 0),
        (checks.count_pairs, lambda parts: Counter(zip(parts[::2], parts[1::2])), 1),
        (checks.count_pairs, lambda parts: Counter(a + b for a, b in pairwise(parts)), 2),
        (checks.count_pairs, lambda parts: dict.fromkeys(pairwise(parts), 1), 3),
        (checks.count_pairs, lambda parts: Counter(pairwise(parts[:-1])), 4),
        (checks.count_pairs, lambda parts: Counter(zip(parts, [*parts[1:], parts[0]])), 5),
        (checks.count_pairs, lambda parts: Counter(pairwise(parts)).most_common(), 6),
        (checks.count_pairs, lambda parts: Counter(tuple(sorted(p)) for p in pairwise(parts)), 7),
        (checks.count_pairs, lambda parts: [("c", "h"), "u"], None),
        (checks.merge, lambda parts, pair: parts, 0),
        (
            checks.merge,
            lambda parts, pair: glue_in_place(parts, pair)[:1] and ["".join(parts)],
            None,
        ),
        (checks.merge, glue_one_right_half_stays, 2),
        (checks.merge, glue_and_lose_the_last, 3),
        (checks.merge, lambda parts, pair: "".join(glue_by_text(parts, pair)), 5),
        (
            checks.merge,
            lambda parts, pair: [pair if p == "".join(pair) else p for p in glue_by_text(parts, pair)],
            4,
        ),
    ],
)
def test_tokenization_mistakes_are_named(mistake_told, check, wrong, mistake):
    assert mistake_told(check, wrong) == mistake


@pytest.mark.parametrize(
    "value", [10**400, float("nan"), [1, [2, 3]], {}, "x", b"x", np.zeros(0), np.array([None]), print]
)
@pytest.mark.parametrize("check", [checks.merge, checks.cosine, checks.sample])
def test_any_value_at_all_is_a_wrong_answer_and_no_error(check, value):
    assert check(lambda *case: value).passed is False


def test_an_exercise_that_changes_its_input_is_compared_with_the_input_as_it_was():
    assert checks.merge(lambda parts, pair: parts.clear() or []).passed is False


def test_a_split_is_compared_cut_by_cut():
    pieces = ["un", "belie", "vable"]
    assert checks.split(["un", "belie", "vable"], pieces).passed is True
    verdict = checks.split(["un", "believ", "able"], pieces)
    assert verdict.passed is False
    right, those_of_the_model, made = re.findall(r"\d+", verdict.message)
    assert (right, those_of_the_model, made) == ("1", "2", "2")
    assert "vable" not in verdict.message  # a wrong try does not give the answer away
    assert checks.split([], pieces).passed is None
    assert checks.split(..., pieces).passed is None
    assert "“unable”" in checks.split(["un", "able"], pieces).message
    for no_list in ("unbelievable", 3, [1, 2], {"un": 1}, np.array(["un"])):
        assert '["token", "ization"]' in checks.split(no_list, pieces).message
    uncut = checks.split(["run", "ning"], ["running"])
    assert uncut.passed is False
    assert not re.search(r"\d", uncut.message)  # there are no cuts to count
    inside = checks.split(["Ü", "ber", "see"], ["<0xC3>", "<0x9C>", "ber", "see"])
    assert inside.passed is False
    assert "<0x" not in inside.message


# --- 02 embeddings


def unit(v):
    return v / np.linalg.norm(v)


def nearest_row(vector, table, without=()):
    return next(i for i in np.argsort([-unit(row) @ unit(vector) for row in table]) if i not in without)


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (checks.cosine, lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)),
        (checks.cosine, lambda a, b: np.float32(unit(a) @ unit(b))),
        (checks.nearest_token, lambda vector, table: nearest_row(vector, table)),
        (
            checks.nearest_token,
            lambda vector, table: (table @ vector / np.linalg.norm(table, axis=1)).argmax(),
        ),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] - t[b] + t[c], t, (a, b, c))),
        (checks.analogy, lambda a, b, c, t: nearest_row(unit(t[a] - t[b] + t[c]), t, (c, b, a))),
    ],
)
def test_embeddings_right_answers_pass(check, right):
    assert check(right).passed is True


@pytest.mark.parametrize(
    ("check", "wrong", "mistake"),
    [
        (checks.cosine, lambda a, b: a @ b, 0),
        (checks.cosine, lambda a, b: a * b, 1),
        (checks.cosine, lambda a, b: unit(a) * unit(b), 1),
        (checks.cosine, lambda a, b: a @ b / (a @ a) / (b @ b), 2),
        (checks.cosine, lambda a, b: unit(a) @ b, 3),
        (checks.cosine, lambda a, b: a @ unit(b), 4),
        (checks.cosine, lambda a, b: a @ b / (np.linalg.norm(a) + np.linalg.norm(b)), 5),
        (checks.cosine, lambda a, b: a @ b / np.linalg.norm(a) * np.linalg.norm(b), 6),
        (checks.cosine, lambda a, b: np.arccos(unit(a) @ unit(b)), 7),
        (checks.cosine, lambda a, b: np.degrees(np.arccos(unit(a) @ unit(b))), 7),
        (checks.cosine, lambda a, b: 0.5, None),
        (checks.nearest_token, lambda vector, table: (table @ vector).argmax(), 0),
        (
            checks.nearest_token,
            lambda vector, table: (table @ vector / np.linalg.norm(table)).argmax(),
            0,
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.abs([unit(row) @ unit(vector) for row in table]).argmax(),
            1,
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.argsort(table @ vector / np.linalg.norm(table, axis=1))[-2],
            2,
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.linalg.norm(table - vector, axis=1).argmin(),
            3,
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.argmin([unit(row) @ unit(vector) for row in table]),
            4,
        ),
        (
            checks.nearest_token,
            lambda vector, table: max(unit(row) @ unit(vector) for row in table),
            5,
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.array([unit(row) @ unit(vector) for row in table]),
            6,
        ),
        (checks.nearest_token, lambda vector, table: [nearest_row(vector, table)], 7),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] - t[b] + t[c], t), 0),
        *(
            (
                checks.analogy,
                lambda a, b, c, t, out=out: nearest_row(t[a] - t[b] + t[c], t, [(a, b, c)[i] for i in out]),
                0,
            )
            for out in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
        ),
        (checks.analogy, lambda a, b, c, t: (t @ (t[a] - t[b] + t[c])).argmax(), 1),
        (
            checks.analogy,
            lambda a, b, c, t: next(i for i in np.argsort(-t @ (t[a] - t[b] + t[c])) if i not in (a, b, c)),
            1,
        ),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[b] - t[a] + t[c], t, (a, b, c)), 2),
        (checks.analogy, lambda a, b, c, t: a - b + c, 3),
        (checks.analogy, lambda a, b, c, t: t[a] - t[b] + t[c], 4),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] + t[b] - t[c], t, (a, b, c)), 5),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] + t[c], t, (a, b, c)), 6),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] + t[b] + t[c], t, (a, b, c)), 7),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a], t, (a, b, c)), 8),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[c], t, (a, b, c)), 8),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[c] - t[b], t, (a, b, c)), 8),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] - t[b], t, (a, b, c)), 8),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] - 2 * t[b] + t[c], t, (a, b, c)), None),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] - t[b] / 2 + t[c], t, (a, b, c)), None),
    ],
)
def test_embeddings_mistakes_are_named(mistake_told, check, wrong, mistake):
    assert mistake_told(check, wrong) == mistake


@pytest.mark.parametrize("check", [checks.cosine, checks.nearest_token, checks.analogy])
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ...])
def test_embeddings_stubs_are_not_attempted_yet(check, stub):
    assert check(stub).passed is None
    assert repr(check(stub)).startswith("…")


# --- 03 position


def waves_by_loop(n, d, slower=2, first=0):
    return np.array(
        [
            [
                wave((p + first) / 10_000 ** (slower * i / d))
                for i in range(d // 2)
                for wave in (np.sin, np.cos)
            ]
            for p in range(n)
        ]
    )


def turn_by_matrix(a, b, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return tuple(np.array([[cos, -sin], [sin, cos]]) @ [a, b])


def waves_by_column(n, d, even, odd):
    return np.array([[(odd if j % 2 else even)(p / 10_000 ** (j / d)) for j in range(d)] for p in range(n)])


def score_by_pairs(q, k, q_place, k_place, base, scale=True, turn_key=True):
    total = 0
    for i in range(0, len(q), 2):
        speed = base ** (-i / len(q))
        x = turn_by_matrix(q[i], q[i + 1], q_place * speed)
        y = turn_by_matrix(k[i], k[i + 1], k_place * speed * turn_key)
        total += x[0] * y[0] + x[1] * y[1]
    return total / len(q) ** 0.5 if scale else total


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (checks.sinusoid_table, waves_by_loop),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d).astype(np.float32)),
        (checks.rotate_pair, turn_by_matrix),
        (checks.rotate_pair, lambda *pair: np.array(turn_by_matrix(*pair))),
        (checks.score_at, score_by_pairs),
    ],
)
def test_position_right_answers_pass(check, right):
    assert check(right).passed is True, check(right)


@pytest.mark.parametrize(
    ("check", "wrong", "mistake"),
    [
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d, slower=1), 0),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d, slower=-2), 3),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d, first=1), 6),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d).T, 5),
        (
            checks.sinusoid_table,
            lambda n, d: np.hstack([waves_by_loop(n, d)[:, ::2], waves_by_loop(n, d)[:, 1::2]]),
            1,
        ),
        (
            checks.sinusoid_table,
            lambda n, d: waves_by_loop(n, d)[:, [j + 1 - 2 * (j % 2) for j in range(d)]],
            2,
        ),
        (
            checks.sinusoid_table,
            lambda n, d: np.array(
                [[[np.sin, np.cos][j % 2](p / 10_000 ** (2 * j / d)) for j in range(d)] for p in range(n)]
            ),
            4,
        ),
        (checks.sinusoid_table, lambda n, d: waves_by_column(n, d, np.sin, np.cos), 4),
        (checks.sinusoid_table, lambda n, d: waves_by_column(n, d, np.sin, np.sin), 7),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d) * ([1, 0] * (d // 2)), 7),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d)[:, np.arange(d) // 2 * 2], 7),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d)[:, ::2], 7),
        (checks.sinusoid_table, lambda n, d: np.zeros((d, n)), None),
        (checks.rotate_pair, lambda a, b, angle: turn_by_matrix(a, b, -angle), 0),
        (checks.rotate_pair, lambda a, b, angle: turn_by_matrix(a, b, np.degrees(angle)), 1),
        (checks.rotate_pair, lambda a, b, angle: turn_by_matrix(a, b, angle)[::-1], 7),
        (checks.rotate_pair, lambda a, b, angle: turn_by_matrix(a, b, angle * np.pi / 180), 1),
        (
            checks.rotate_pair,
            lambda a, b, t: (new := a * np.cos(t) - b * np.sin(t), new * np.sin(t) + b * np.cos(t)),
            2,
        ),
        (checks.rotate_pair, lambda a, b, t: (a * np.cos(t), b * np.sin(t)), 4),
        (checks.rotate_pair, lambda a, b, t: (a * np.cos(t) - b * np.sin(t), b), 6),
        (
            checks.rotate_pair,
            lambda a, b, t: (a * np.cos(t) + b * np.sin(t), a * np.sin(t) + b * np.cos(t)),
            5,
        ),
        (checks.score_at, lambda *case: score_by_pairs(*case, scale=False), 0),
        (checks.score_at, lambda *case: score_by_pairs(*case, turn_key=False), 1),
        (checks.score_at, lambda q, k, i, j, base: score_by_pairs(q, k, j, i, base), 2),
        (checks.score_at, lambda q, k, i, j, base: score_by_pairs(q, k, i, i, base), 3),
        (checks.score_at, lambda q, k, i, j, base: score_by_pairs(q, k, i, j, 10_000), 6),
        (checks.score_at, lambda *case: score_by_pairs(*case, scale=False) / 6, 4),
        (checks.score_at, lambda *case: score_by_pairs(*case, scale=False) / 8, 5),
        (checks.score_at, lambda *case: score_by_pairs(*case) + 1, None),
        (
            checks.score_at,
            lambda q, k, *rest: score_by_pairs(*(x.reshape(2, -1).T.ravel() for x in (q, k)), *rest),
            7,
        ),
    ],
)
def test_position_mistakes_are_named(mistake_told, check, wrong, mistake):
    assert mistake_told(check, wrong) == mistake


def test_a_case_is_told_with_all_its_numbers():
    assert ", 5, 2, 10000." in checks.score_at(lambda *case: score_by_pairs(*case) + 1).message


def test_an_error_is_told_and_an_index_past_an_end_is_explained():
    assert checks.cosine(lambda a, b: 1 / 0).message.endswith("ZeroDivisionError: division by zero")
    assert "out of range. It " in checks.count_pairs(lambda parts: parts[99]).message
    no_array = checks.score_at(lambda q, k, q_place, *_: np.array(q_place)[:, None] * q @ k).message
    assert "IndexError: too many indices" in no_array
    assert "past an end" not in no_array


@pytest.mark.parametrize("check", [checks.sinusoid_table, checks.rotate_pair, checks.score_at])
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ...])
def test_position_stubs_are_not_attempted_yet(check, stub):
    assert check(stub).passed is None


# --- 04 attention


def mask_by_where(scores):
    return np.where(np.tri(len(scores), dtype=bool), scores, -np.inf)


def softmax_by_numpy(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def head_by_numpy(q, k, v):
    return softmax_by_numpy(mask_by_where(q @ k.T / np.sqrt(q.shape[1]))) @ v


def induction_by_numpy(pattern, tokens, shift=1, mean=lambda weight, again: weight[again].mean()):
    ids = np.array(tokens)
    copies = (ids[:, None] == ids) & np.tri(len(ids), k=-1, dtype=bool)
    weight = (pattern * np.roll(copies, shift, axis=1)).sum(axis=1)
    return mean(weight, copies.any(axis=1))


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (checks.causal_mask, mask_by_where),
        (checks.causal_mask, lambda s: s + np.triu(np.full(s.shape, -np.inf), 1)),
        (checks.head_output, head_by_numpy),
        (checks.induction_score, induction_by_numpy),
    ],
)
@pytest.mark.filterwarnings(
    "ignore:invalid value"
)  # 0 times infinity in the second mask, on purpose a clumsy one
def test_attention_right_answers_pass(check, right):
    assert check(right).passed is True, check(right)


@pytest.mark.parametrize(
    ("check", "wrong", "mistake"),
    [
        (checks.causal_mask, lambda s: np.where(np.tri(len(s), dtype=bool).T, s, -np.inf), 0),
        (
            checks.causal_mask,
            lambda s: np.where(np.tri(len(s), k=-1, dtype=bool), s, -np.inf),
            1,
        ),
        (checks.causal_mask, np.tril, 2),
        (checks.causal_mask, lambda s: np.where(np.tri(len(s), dtype=bool), s, -1e9), 3),
        (checks.causal_mask, lambda s: np.tri(len(s), dtype=bool), 4),
        (checks.causal_mask, lambda s: s, 5),
        (checks.causal_mask, lambda s: np.where(np.tri(len(s), k=1, dtype=bool), s, -np.inf), 6),
        (checks.head_output, lambda q, k, v: softmax_by_numpy(q @ k.T / 3) @ v, 0),
        (checks.head_output, lambda q, k, v: softmax_by_numpy(mask_by_where(q @ k.T)) @ v, 1),
        (
            checks.head_output,
            lambda q, k, v: softmax_by_numpy(mask_by_where(q @ k.T / 9)) @ v,
            3,
        ),
        (checks.head_output, lambda q, k, v: softmax_by_numpy(mask_by_where(q @ k.T / 8)) @ v, 4),
        (
            checks.head_output,
            lambda q, k, v: np.tril(softmax_by_numpy(q @ k.T / q.shape[1] ** 0.5)) @ v,
            5,
        ),
        (checks.head_output, lambda q, k, v: head_by_numpy(q, k, np.eye(len(k))), 6),
        (checks.head_output, lambda q, k, v: head_by_numpy(k, q, v), 7),
        (checks.head_output, lambda q, k, v: head_by_numpy(q, k, k), 8),
        (
            checks.head_output,
            lambda q, k, v: softmax_by_numpy(mask_by_where(q @ k.T / q.shape[1] ** 0.5).T).T @ v,
            9,
        ),
        (checks.head_output, lambda q, k, v: v, 10),
        (checks.head_output, lambda q, k, v: head_by_numpy(q, v, k), 11),
        (checks.induction_score, lambda p, t: induction_by_numpy(p, t, shift=0), 0),
        (
            checks.induction_score,
            lambda p, t: induction_by_numpy(p, t, mean=lambda w, _: w.mean()),
            1,
        ),
        (
            checks.induction_score,
            lambda p, t: induction_by_numpy(p, t, mean=lambda w, _: w.sum()),
            2,
        ),
        (checks.induction_score, lambda p, t: p.mean(), 4),
        (checks.induction_score, lambda p, t: "high", None),
    ],
)
def test_attention_mistakes_are_named(mistake_told, check, wrong, mistake):
    assert mistake_told(check, wrong) == mistake


@pytest.mark.parametrize("check", [checks.causal_mask, checks.head_output, checks.induction_score])
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ...])
def test_attention_stubs_are_not_attempted_yet(check, stub):
    assert check(stub).passed is None


# --- 06 sampling


def test_temperature(mistake_told):
    def right(logits, t):
        powers = np.exp((logits - logits.max()) / t)
        return powers / powers.sum()

    assert checks.temperature(right).passed
    assert mistake_told(checks.temperature, lambda x, t: right(x, 1)) == 0

    def too_late(logits, t):
        powers = np.exp(logits - logits.max()) / t
        return powers / powers.sum()

    assert mistake_told(checks.temperature, too_late) == 0
    assert mistake_told(checks.temperature, lambda x, t: right(x, 1 / t)) == 1
    assert mistake_told(checks.temperature, lambda x, t: np.exp(x / t) / np.exp(x / t).sum()) == 3
    assert mistake_told(checks.temperature, lambda x, t: np.exp((x - x.max()) / t)) == 2
    assert checks.temperature(lambda x, t: ...).passed is None


def test_nucleus(mistake_told):
    def right(probs, p):
        order = np.argsort(-probs)
        before = np.cumsum(probs[order]) - probs[order]
        nucleus = np.zeros_like(probs)
        nucleus[order[before < p]] = probs[order[before < p]]
        return nucleus / nucleus.sum()

    assert checks.nucleus(right).passed
    assert mistake_told(checks.nucleus, lambda q, p: right(q, p) * q[right(q, p) > 0].sum()) == 0
    assert checks.nucleus(lambda q, p: q).passed is False

    def scaled(probs, mask):
        return np.where(mask, probs, 0) / probs[mask].sum()

    assert mistake_told(checks.nucleus, lambda q, p: scaled(q, q >= p * q.max())) == 4
    assert mistake_told(checks.nucleus, lambda q, p: scaled(q, np.cumsum(q) - q < p)) == 6
    with np.errstate(invalid="ignore"):
        assert mistake_told(checks.nucleus, lambda q, p: scaled(q, q >= p)) == 5


def test_the_edge_of_a_nucleus(mistake_told):
    """Usual ways to be off by one, or to begin at the wrong end."""

    def by_sums(keep_rule, sign=-1):
        def top_p(probs, p):
            order = np.argsort(sign * probs)
            shares = probs[order]
            nucleus = np.zeros_like(probs)
            keeps = keep_rule(np.cumsum(shares), shares, p)
            nucleus[order[keeps]] = shares[keeps]
            return nucleus / nucleus.sum()

        return top_p

    def mistake(*way):
        with np.errstate(invalid="ignore"):
            return mistake_told(checks.nucleus, by_sums(*way))

    assert checks.nucleus(by_sums(lambda sums, shares, p: sums - shares < p)).passed
    assert mistake(lambda sums, shares, p: sums - shares <= p) == 2
    assert mistake(lambda sums, shares, p: sums < p) == mistake(lambda sums, shares, p: sums <= p) == 1
    assert mistake(lambda sums, shares, p: sums - shares < p, 1) == 3


def test_dart(mistake_told):
    assert checks.sample(lambda q, u: int(np.searchsorted(np.cumsum(q), u, side="right"))).passed
    assert mistake_told(checks.sample, lambda q, u: int(q.argmax())) == 0
    assert checks.sample(lambda q, u: None).passed is None


@pytest.mark.parametrize(
    ("attempt", "mistake"),
    [
        (lambda q, u: int(np.searchsorted(np.cumsum(q), u, side="right")) + 1, 1),
        (lambda q, u: int(np.searchsorted(np.cumsum(q), u)), 5),
        (
            lambda q, u: int(np.argsort(-q)[np.searchsorted(np.cumsum(np.sort(q)[::-1]), u)]),
            3,
        ),
        (
            lambda q, u: int(100 * u) % 3,
            None,
        ),  # no mistake explains all cases
    ],
)
def test_a_hint_names_only_a_mistake_that_explains_all_cases(mistake_told, attempt, mistake):
    assert mistake_told(checks.sample, attempt) == mistake


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (checks.count_pairs, lambda parts: dict.fromkeys(pairwise(parts), 1) if "c" in parts else {}),
        (checks.merge, lambda parts, pair: parts if len(parts) == 6 else []),
        (checks.cosine, lambda a, b: a @ b if len(a) == 3 else 0.0),
        (checks.nearest_token, lambda vector, table: (table @ vector).argmax() if len(table) == 12 else 0),
        (checks.rotate_pair, lambda a, b, angle: turn_by_matrix(a, b, -angle) if angle == 0.5 else (a, b)),
        (checks.head_output, lambda q, k, v: head_by_numpy(q, k, k) if len(q) > 1 else 0 * v),
    ],
)
def test_what_explains_the_first_case_alone_is_not_named(mistake_told, check, wrong):
    assert mistake_told(check, wrong) is None


# --- 05 ffn


def bent(x):
    return x * 0.5 * (1 + np.tanh(x / 2))


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (checks.swiglu, lambda x, g, u, d: (bent(x @ g) * (x @ u)) @ d),
        (checks.neuron_contribution, lambda h, d, way, i: h[i] * (d[i] @ way)),
    ],
)
def test_ffn_right_answers_pass(check, right):
    assert check(right).passed is True, check(right)


@pytest.mark.parametrize(
    ("check", "wrong", "mistake"),
    [
        (checks.swiglu, lambda x, g, u, d: (bent(x @ u) * (x @ g)) @ d, 0),
        (checks.swiglu, lambda x, g, u, d: ((x @ g) * (x @ u)) @ d, 1),
        (checks.swiglu, lambda x, g, u, d: (bent(x @ g) + x @ u) @ d, 2),
        (checks.swiglu, lambda x, g, u, d: bent(x @ g) @ d, 3),
        (checks.swiglu, lambda x, g, u, d: bent(x @ u) @ d, 4),
        (checks.swiglu, lambda x, g, u, d: (1 / (1 + np.exp(-x @ g)) * (x @ u)) @ d, 5),
        (checks.swiglu, lambda x, g, u, d: (np.maximum(x @ g, 0) * (x @ u)) @ d, 6),
        (checks.swiglu, lambda x, g, u, d: bent((x @ g) * (x @ u)) @ d, 7),
        (checks.swiglu, lambda x, g, u, d: bent(x @ g) * (x @ u), 8),
        (checks.swiglu, lambda x, g, u, d: x + (bent(x @ g) * (x @ u)) @ d, 9),
        (checks.neuron_contribution, lambda h, d, way, i: d[i] @ way, 0),
        (checks.neuron_contribution, lambda h, d, way, i: abs(h[i] * (d[i] @ way)), 1),
        (checks.neuron_contribution, lambda h, d, way, i: abs(h[i]) * (d[i] @ way), 2),
        (checks.neuron_contribution, lambda h, d, way, i: max(h[i], 0) * (d[i] @ way), 2),
        (checks.neuron_contribution, lambda h, d, way, i: h @ d @ way, 3),
        (checks.neuron_contribution, lambda h, d, way, i: h[i] * d[i], 4),
        (checks.neuron_contribution, lambda h, d, way, i: h[i] * d[i] * way, 5),
        (checks.neuron_contribution, lambda h, d, way, i: h[i] * (d[:, i] @ way), 6),
    ],
)
def test_ffn_mistakes_are_named(mistake_told, check, wrong, mistake):
    assert mistake_told(check, wrong) == mistake


@pytest.mark.parametrize("check", [checks.swiglu, checks.neuron_contribution])
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ...])
def test_ffn_stubs_are_not_attempted_yet(check, stub):
    assert check(stub).passed is None


def test_a_function_that_forgets_its_return_is_told_so():
    def computes(scores):
        """And says nothing."""
        scores + 1

    def stub(scores):
        """[seq, seq] in, [seq, seq] out."""
        ...

    assert checks.causal_mask(stub).passed is None
    assert checks.causal_mask(computes).passed is False
    assert "`return" in checks.causal_mask(computes).message
