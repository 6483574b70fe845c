"""The checks of the exercises: right answers pass, usual mistakes are named, stubs are told apart."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from llmviz import checks

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
    ("check", "wrong", "hint"),
    [
        (checks.count_pairs, lambda parts: Counter(parts), "single parts"),
        (checks.count_pairs, lambda parts: Counter(zip(parts[::2], parts[1::2])), "two steps at a time"),
        (checks.count_pairs, lambda parts: Counter(a + b for a, b in pairwise(parts)), "tuples"),
        (checks.count_pairs, lambda parts: dict.fromkeys(pairwise(parts), 1), "once only"),
        (checks.count_pairs, lambda parts: Counter(zip(parts, [*parts[1:], parts[0]])), "no circle"),
        (checks.count_pairs, lambda parts: Counter(pairwise(parts)).most_common(), "a dict"),
        (checks.count_pairs, lambda parts: Counter(tuple(sorted(p)) for p in pairwise(parts)), "in order"),
        (checks.count_pairs, lambda parts: [("c", "h"), "u"], "it should give"),
        (checks.count_pairs, lambda parts: parts[99], "past an end"),
        (checks.merge, lambda parts, pair: parts, "nothing was glued"),
        (
            checks.merge,
            lambda parts, pair: glue_in_place(parts, pair)[:1] and ["".join(parts)],
            "it should give",
        ),
        (checks.merge, glue_one_right_half_stays, "right half"),
        (checks.merge, glue_and_lose_the_last, "got lost"),
        (checks.merge, lambda parts, pair: "".join(glue_by_text(parts, pair)), "one text"),
        (
            checks.merge,
            lambda parts, pair: [pair if p == "".join(pair) else p for p in glue_by_text(parts, pair)],
            "tuple",
        ),
    ],
)
def test_tokenization_mistakes_are_named(check, wrong, hint):
    verdict = check(wrong)
    assert verdict.passed is False
    assert hint in verdict.message


@pytest.mark.parametrize(
    "value", [10**400, float("nan"), [1, [2, 3]], {}, "x", b"x", np.zeros(0), np.array([None]), print]
)
@pytest.mark.parametrize("check", [checks.merge, checks.cosine, checks.softmax_rows, checks.sample])
def test_any_value_at_all_is_a_wrong_answer_and_no_error(check, value):
    assert check(lambda *case: value).passed is False


def test_an_exercise_that_changes_its_input_is_compared_with_the_input_as_it_was():
    assert checks.merge(lambda parts, pair: parts.clear() or []).passed is False


def test_a_split_is_compared_cut_by_cut():
    pieces = ["un", "belie", "vable"]
    assert checks.split(["un", "belie", "vable"], pieces).passed is True
    verdict = checks.split(["un", "believ", "able"], pieces)
    assert verdict.passed is False
    assert "1 of its 2 cuts" in verdict.message
    assert "vable" not in verdict.message  # a wrong try does not give the answer away
    assert checks.split([], pieces).passed is None
    assert checks.split(..., pieces).passed is None
    assert "joined" in checks.split(["un", "able"], pieces).message
    for no_list in ("unbelievable", 3, [1, 2], {"un": 1}, np.array(["un"])):
        assert "list" in checks.split(no_list, pieces).message
    assert "nowhere" in checks.split(["run", "ning"], ["running"]).message
    inside = checks.split(["Ü", "ber", "see"], ["<0xC3>", "<0x9C>", "ber", "see"])
    assert inside.message == "this word is cut inside a character; try another"


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
    ("check", "wrong", "hint"),
    [
        (checks.cosine, lambda a, b: a @ b, "dot product"),
        (checks.cosine, lambda a, b: a * b, "add the products up"),
        (checks.cosine, lambda a, b: a @ b / (a @ a) / (b @ b), "squared"),
        (checks.cosine, lambda a, b: unit(a) @ b, "first length"),
        (checks.cosine, lambda a, b: a @ unit(b), "second length"),
        (checks.cosine, lambda a, b: a @ b / (np.linalg.norm(a) + np.linalg.norm(b)), "don't add"),
        (checks.cosine, lambda a, b: a @ b / np.linalg.norm(a) * np.linalg.norm(b), "brackets"),
        (checks.cosine, lambda a, b: 0.5, "should give"),
        (checks.nearest_token, lambda vector, table: (table @ vector).argmax(), "dot product"),
        (
            checks.nearest_token,
            lambda vector, table: (table @ vector / np.linalg.norm(table)).argmax(),
            "its own length: np.linalg.norm(table, axis=1)",
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.abs([unit(row) @ unit(vector) for row in table]).argmax(),
            "without its sign",
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.argsort(table @ vector / np.linalg.norm(table, axis=1))[-2],
            "second nearest",
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.linalg.norm(table - vector, axis=1).argmin(),
            "distance",
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.argmin([unit(row) @ unit(vector) for row in table]),
            "argmax",
        ),
        (
            checks.nearest_token,
            lambda vector, table: max(unit(row) @ unit(vector) for row in table),
            "instead of max",
        ),
        (
            checks.nearest_token,
            lambda vector, table: np.array([unit(row) @ unit(vector) for row in table]),
            "all cosines",
        ),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[a] - t[b] + t[c], t), "you put in"),
        *(
            (
                checks.analogy,
                lambda a, b, c, t, out=out: nearest_row(t[a] - t[b] + t[c], t, [(a, b, c)[i] for i in out]),
                "you put in",
            )
            for out in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
        ),
        (checks.analogy, lambda a, b, c, t: (t @ (t[a] - t[b] + t[c])).argmax(), "largest dot product"),
        (
            checks.analogy,
            lambda a, b, c, t: next(i for i in np.argsort(-t @ (t[a] - t[b] + t[c])) if i not in (a, b, c)),
            "largest dot product",
        ),
        (checks.analogy, lambda a, b, c, t: nearest_row(t[b] - t[a] + t[c], t, (a, b, c)), "wrong way round"),
        (checks.analogy, lambda a, b, c, t: a - b + c, "row number"),
        (checks.analogy, lambda a, b, c, t: t[a] - t[b] + t[c], "that is the vector"),
        (checks.analogy, lambda a, b, c, t: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_embeddings_mistakes_are_named(check, wrong, hint):
    verdict = check(wrong)
    assert verdict.passed is False
    assert hint in verdict.message


@pytest.mark.parametrize("check", [checks.cosine, checks.nearest_token, checks.analogy])
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ...])
def test_embeddings_stubs_are_not_attempted_yet(check, stub):
    assert check(stub).passed is None
    assert "not attempted yet" in repr(check(stub))


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
    ("check", "wrong", "hint"),
    [
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d, slower=1), "half as fast"),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d, slower=-2), "faster and faster"),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d, first=1), "not 1"),
        (checks.sinusoid_table, lambda n, d: waves_by_loop(n, d).T, "changed places"),
        (
            checks.sinusoid_table,
            lambda n, d: np.hstack([waves_by_loop(n, d)[:, ::2], waves_by_loop(n, d)[:, 1::2]]),
            "take turns",
        ),
        (
            checks.sinusoid_table,
            lambda n, d: waves_by_loop(n, d)[:, [j + 1 - 2 * (j % 2) for j in range(d)]],
            "sine comes first",
        ),
        (
            checks.sinusoid_table,
            lambda n, d: np.array(
                [[[np.sin, np.cos][j % 2](p / 10_000 ** (2 * j / d)) for j in range(d)] for p in range(n)]
            ),
            "not the columns",
        ),
        (checks.sinusoid_table, lambda n, d: np.zeros((d, n)), "should"),
        (checks.rotate_pair, lambda a, b, angle: turn_by_matrix(a, b, -angle), "wrong way"),
        (checks.rotate_pair, lambda a, b, angle: turn_by_matrix(a, b, angle * np.pi / 180), "radians"),
        (
            checks.rotate_pair,
            lambda a, b, t: (new := a * np.cos(t) - b * np.sin(t), new * np.sin(t) + b * np.cos(t)),
            "the old one",
        ),
        (checks.rotate_pair, lambda a, b, t: (a * np.cos(t), b * np.sin(t)), "both old ones"),
        (
            checks.rotate_pair,
            lambda a, b, t: (a * np.cos(t) + b * np.sin(t), a * np.sin(t) + b * np.cos(t)),
            "minus missing",
        ),
        (checks.score_at, lambda *case: score_by_pairs(*case, scale=False), "square root"),
        (checks.score_at, lambda *case: score_by_pairs(*case, turn_key=False), "only the query"),
        (checks.score_at, lambda q, k, i, j, base: score_by_pairs(q, k, j, i, base), "changed places"),
        (checks.score_at, lambda q, k, i, j, base: score_by_pairs(q, k, i, i, base), "no difference"),
        (checks.score_at, lambda q, k, i, j, base: score_by_pairs(q, k, i, j, 10_000), "base is wrong"),
        (checks.score_at, lambda *case: score_by_pairs(*case, scale=False) / 6, "not by the length"),
        (checks.score_at, lambda *case: score_by_pairs(*case, scale=False) / 8, "8 is the root of 64"),
        (checks.score_at, lambda *case: score_by_pairs(*case) + 1, ", 5, 2, 10000. it should give"),
        (
            checks.score_at,
            lambda q, k, *rest: score_by_pairs(*(x.reshape(2, -1).T.ravel() for x in (q, k)), *rest),
            "neighbours",
        ),
    ],
)
def test_position_mistakes_are_named(check, wrong, hint):
    verdict = check(wrong)
    assert verdict.passed is False
    assert hint in verdict.message


def test_a_place_that_is_no_array_reaches_past_no_end():
    verdict = checks.score_at(lambda q, k, q_place, *_: np.array(q_place)[:, None] * q @ k)
    assert "too many indices" in verdict.message
    assert "past an end" not in verdict.message


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
        (checks.softmax_rows, softmax_by_numpy),
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
    ("check", "wrong", "hint"),
    [
        (checks.causal_mask, lambda s: np.where(np.tri(len(s), dtype=bool).T, s, -np.inf), "hides the past"),
        (
            checks.causal_mask,
            lambda s: np.where(np.tri(len(s), k=-1, dtype=bool), s, -np.inf),
            "diagonal must",
        ),
        (checks.causal_mask, np.tril, "e^0"),
        (checks.causal_mask, lambda s: np.where(np.tri(len(s), dtype=bool), s, -1e9), "very low"),
        (checks.causal_mask, lambda s: np.tri(len(s), dtype=bool), "mask itself"),
        (checks.causal_mask, lambda s: s, "nothing is masked"),
        (checks.softmax_rows, lambda s: np.exp(s) / np.exp(s).sum(axis=1, keepdims=True), "too large"),
        (checks.softmax_rows, lambda s: softmax_by_numpy(s.T).T, "columns"),
        (checks.softmax_rows, lambda s: np.exp(s) / np.exp(s).sum(), "whole table"),
        (checks.softmax_rows, np.exp, "divide each row"),
        (checks.softmax_rows, lambda s: s / s.sum(axis=1, keepdims=True), "positive"),
        (checks.head_output, lambda q, k, v: softmax_by_numpy(q @ k.T / 3) @ v, "later ones"),
        (checks.head_output, lambda q, k, v: softmax_by_numpy(mask_by_where(q @ k.T)) @ v, "square root"),
        (
            checks.head_output,
            lambda q, k, v: softmax_by_numpy(mask_by_where(q @ k.T / 9)) @ v,
            "its square root",
        ),
        (checks.head_output, lambda q, k, v: softmax_by_numpy(mask_by_where(q @ k.T / 8)) @ v, "q.shape[1]"),
        (
            checks.head_output,
            lambda q, k, v: np.tril(softmax_by_numpy(q @ k.T / q.shape[1] ** 0.5)) @ v,
            "before",
        ),
        (checks.head_output, lambda q, k, v: head_by_numpy(q, k, np.eye(len(k))), "shares @ v"),
        (checks.head_output, lambda q, k, v: head_by_numpy(k, q, v), "changed places"),
        (checks.head_output, lambda q, k, v: head_by_numpy(q, k, k), "mix the keys"),
        (checks.induction_score, lambda p, t: induction_by_numpy(p, t, shift=0), "one token further"),
        (
            checks.induction_score,
            lambda p, t: induction_by_numpy(p, t, mean=lambda w, _: w.mean()),
            "not over all",
        ),
        (
            checks.induction_score,
            lambda p, t: induction_by_numpy(p, t, mean=lambda w, _: w.sum()),
            "the sum over",
        ),
        (checks.induction_score, lambda p, t: "high", "should"),
    ],
)
def test_attention_mistakes_are_named(check, wrong, hint):
    verdict = check(wrong)
    assert verdict.passed is False
    assert hint in verdict.message


@pytest.mark.parametrize(
    "check", [checks.causal_mask, checks.softmax_rows, checks.head_output, checks.induction_score]
)
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ...])
def test_attention_stubs_are_not_attempted_yet(check, stub):
    assert check(stub).passed is None


# --- 06 sampling


def test_temperature():
    def right(logits, t):
        powers = np.exp((logits - logits.max()) / t)
        return powers / powers.sum()

    assert checks.temperature(right).passed
    assert "changes nothing" in checks.temperature(lambda x, t: right(x, 1)).message

    def too_late(logits, t):
        powers = np.exp(logits - logits.max()) / t
        return powers / powers.sum()

    assert "before the power" in checks.temperature(too_late).message
    assert "divide" in checks.temperature(lambda x, t: right(x, 1 / t)).message
    assert "overflow" in checks.temperature(lambda x, t: np.exp(x / t) / np.exp(x / t).sum()).message
    assert "their sum" in checks.temperature(lambda x, t: np.exp((x - x.max()) / t)).message
    assert checks.temperature(lambda x, t: ...).passed is None


def test_nucleus():
    def right(probs, p):
        order = np.argsort(-probs)
        before = np.cumsum(probs[order]) - probs[order]
        nucleus = np.zeros_like(probs)
        nucleus[order[before < p]] = probs[order[before < p]]
        return nucleus / nucleus.sum()

    assert checks.nucleus(right).passed
    assert "scale" in checks.nucleus(lambda q, p: right(q, p) * q[right(q, p) > 0].sum()).message
    assert checks.nucleus(lambda q, p: q).passed is False

    def scaled(probs, mask):
        return np.where(mask, probs, 0) / probs[mask].sum()

    assert "min-p" in checks.nucleus(lambda q, p: scaled(q, q >= p * q.max())).message
    assert "sort" in checks.nucleus(lambda q, p: scaled(q, np.cumsum(q) - q < p)).message
    with np.errstate(invalid="ignore"):
        assert "single share" in checks.nucleus(lambda q, p: scaled(q, q >= p)).message


def test_the_edge_of_a_nucleus():
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

    def hint(*way):
        with np.errstate(invalid="ignore"):
            return checks.nucleus(by_sums(*way)).message

    assert checks.nucleus(by_sums(lambda sums, shares, p: sums - shares < p)).passed
    assert "reached at p itself" in hint(lambda sums, shares, p: sums - shares <= p)
    assert "past p is kept" in hint(lambda sums, shares, p: sums < p)
    assert "past p is kept" in hint(lambda sums, shares, p: sums <= p)
    assert "the other way round" in hint(lambda sums, shares, p: sums - shares < p, 1)


def test_dart():
    assert checks.sample(lambda q, u: int(np.searchsorted(np.cumsum(q), u, side="right"))).passed
    assert "dart" in checks.sample(lambda q, u: int(q.argmax())).message
    assert checks.sample(lambda q, u: None).passed is None


@pytest.mark.parametrize(
    ("attempt", "hint"),
    [
        (lambda q, u: int(np.searchsorted(np.cumsum(q), u, side="right")) + 1, "one too high"),
        (lambda q, u: int(np.searchsorted(np.cumsum(q), u)), "never hit"),
        (
            lambda q, u: int(np.argsort(-q)[np.searchsorted(np.cumsum(np.sort(q)[::-1]), u)]),
            "without sorting",
        ),
        (
            lambda q, u: int(100 * u) % 3,
            "it should give 0, yours gives 1",
        ),  # no mistake that explains all cases
    ],
)
def test_a_hint_names_only_a_mistake_that_explains_all_cases(attempt, hint):
    assert hint in checks.sample(attempt).message


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (checks.count_pairs, lambda parts: dict.fromkeys(pairwise(parts), 1) if "c" in parts else {}),
        (checks.merge, lambda parts, pair: parts if len(parts) == 6 else []),
        (checks.cosine, lambda a, b: a @ b if len(a) == 3 else 0.0),
        (checks.nearest_token, lambda vector, table: (table @ vector).argmax() if len(table) == 12 else 0),
        (checks.rotate_pair, lambda a, b, angle: turn_by_matrix(a, b, -angle) if angle == 0.5 else (a, b)),
        (checks.softmax_rows, lambda s: np.exp(s) if np.isfinite(s).all() else 0 * s),
        (checks.head_output, lambda q, k, v: head_by_numpy(q, k, k) if len(q) > 1 else 0 * v),
    ],
)
def test_what_explains_the_first_case_alone_is_not_named(check, wrong):
    assert "it should give" in check(wrong).message


# --- 05 ffn


def bent(x):
    return x * 0.5 * (1 + np.tanh(x / 2))


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (checks.silu, bent),
        (checks.swiglu, lambda x, g, u, d: (bent(x @ g) * (x @ u)) @ d),
        (checks.neuron_contribution, lambda h, d, way, i: h[i] * (d[i] @ way)),
    ],
)
def test_ffn_right_answers_pass(check, right):
    assert check(right).passed is True, check(right)


@pytest.mark.parametrize(
    ("check", "wrong", "hint"),
    [
        (checks.silu, lambda x: 1 / (1 + np.exp(-x)), "multiply it by x"),
        (checks.silu, lambda x: x / (1 + np.exp(x)), "the sign"),
        (checks.silu, lambda x: x * (x > 0), "relu"),
        (checks.silu, np.tanh, "tanh"),
        (checks.silu, lambda x: x / 1 + np.exp(-x), "brackets"),
        (checks.swiglu, lambda x, g, u, d: (bent(x @ u) * (x @ g)) @ d, "not around up"),
        (checks.swiglu, lambda x, g, u, d: ((x @ g) * (x @ u)) @ d, "curve is missing"),
        (checks.swiglu, lambda x, g, u, d: (bent(x @ g) + x @ u) @ d, "not added"),
        (checks.swiglu, lambda x, g, u, d: bent(x @ g) @ d, "up is missing"),
        (checks.swiglu, lambda x, g, u, d: bent(x @ u) @ d, "gate is missing"),
        (checks.swiglu, lambda x, g, u, d: (1 / (1 + np.exp(-x @ g)) * (x @ u)) @ d, "logistic"),
        (checks.swiglu, lambda x, g, u, d: (np.maximum(x @ g, 0) * (x @ u)) @ d, "relu"),
        (checks.swiglu, lambda x, g, u, d: bent((x @ g) * (x @ u)) @ d, "silu comes first"),
        (checks.swiglu, lambda x, g, u, d: bent(x @ g) * (x @ u), "those are the neurons"),
        (checks.swiglu, lambda x, g, u, d: x + (bent(x @ g) * (x @ u)) @ d, "only what is added"),
        (checks.neuron_contribution, lambda h, d, way, i: d[i] @ way, "how strongly"),
        (checks.neuron_contribution, lambda h, d, way, i: abs(h[i] * (d[i] @ way)), "sign"),
        (checks.neuron_contribution, lambda h, d, way, i: abs(h[i]) * (d[i] @ way), "below zero"),
        (checks.neuron_contribution, lambda h, d, way, i: max(h[i], 0) * (d[i] @ way), "below zero"),
        (checks.neuron_contribution, lambda h, d, way, i: h @ d @ way, "all neurons"),
        (checks.neuron_contribution, lambda h, d, way, i: h[i] * d[i], "dot product"),
        (checks.neuron_contribution, lambda h, d, way, i: h[i] * d[i] * way, "add them up"),
        (checks.neuron_contribution, lambda h, d, way, i: h[i] * (d[:, i] @ way), "not column"),
    ],
)
def test_ffn_mistakes_are_named(check, wrong, hint):
    verdict = check(wrong)
    assert verdict.passed is False
    assert hint in verdict.message


@pytest.mark.parametrize("check", [checks.silu, checks.swiglu, checks.neuron_contribution])
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

    for check in (checks.causal_mask, checks.softmax_rows):  # the second one wraps what it is given
        assert check(stub).passed is None
        assert "returns nothing" in check(computes).message
