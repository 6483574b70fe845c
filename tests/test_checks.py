"""The checks of the exercises: right answers pass, usual mistakes are named, stubs are told apart."""

import numpy as np
import pytest

from llmviz import checks

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
