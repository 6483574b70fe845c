"""Answers to the exercises: `checks.name(your_function)` says whether it is right, or hints at the likely mistake.

Each check tries the function on a few small inputs and compares it with an independent formula. A wrong result is
also compared with what the usual mistakes would give, so that the hint can name the mistake. Nothing is raised for a
wrong answer; an unfinished stub is told apart from a wrong one.
"""

import copy
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """What a check found. `passed` is None where the exercise was not attempted yet."""

    passed: bool | None
    message: str

    def __repr__(self) -> str:
        return {True: "✓ ", False: "✗ ", None: "… "}[self.passed] + self.message


# Usual mistakes: the hint for whoever made one, and the formula, or formulas, that make it.
Mistakes = Mapping[str, Callable | Sequence[Callable]]


@np.errstate(all="ignore")  # what overflows is compared like everything else
def compare(
    attempt: Callable,
    cases: Sequence[tuple],
    formula: Callable,
    mistakes: Mistakes,
    praise: str,
) -> Verdict:
    """Run `attempt` and `formula` on every case (a tuple of arguments) and say where they part.

    A mistake is named only if it gives what `attempt` gives in every case in which both give something. Numbers and
    arrays are compared to 1e-4, relative and absolute; everything else by equality.
    """
    for case in cases:
        try:
            got = attempt(*_copies(case))
        except Exception as error:  # whatever a reader's exercise raises is told, never thrown at a class
            outside = isinstance(error, IndexError) and "out of " in str(error)  # of range, of bounds
            past = "; it reaches past an end: look at its first and last step" * outside
            return Verdict(False, f"for {_short(case)} it raised {type(error).__name__}: {error}{past}")
        if got is None or got is Ellipsis:
            if got is Ellipsis or _is_stub(attempt):
                return Verdict(None, "not attempted yet")
            return Verdict(False, "it returns nothing: end it with a line `return …`")
        wanted = formula(*_copies(case))
        if _alike(got, wanted):
            continue
        for hint, formulas in mistakes.items():
            for mistaken in formulas if isinstance(formulas, Sequence) else [formulas]:
                if all(_explains(mistaken, attempt, case) for case in cases):
                    return Verdict(False, hint)
        if isinstance(wanted, np.ndarray | float | np.floating) and _shape(got) != np.shape(wanted):
            return Verdict(False, f"the shape should be {np.shape(wanted)}, yours is {_shape(got)}")
        return Verdict(
            False, f"for {_short(case)} it should give {_short(wanted)}, yours gives {_short(got)}"
        )
    return Verdict(True, praise)


def _explains(formula: Callable, attempt: Callable, case: tuple) -> bool:
    try:
        return _alike(attempt(*_copies(case)), formula(*_copies(case)))
    except Exception:  # this case tells nothing
        return True


# What a function compiles to whose body is "..." alone, or a docstring and "...".
STUBS = {compile(f"def stub(): {body}", "", "exec").co_consts[0].co_code for body in ("...", "'docstring'")}


def _is_stub(attempt: Callable) -> bool:
    """Return whether nothing has been written into a function. What cannot be looked into counts as a stub."""
    code = getattr(inspect.unwrap(attempt), "__code__", None)
    return code is None or code.co_code in STUBS


def _copies(case: tuple) -> tuple:
    """Return fresh arguments, so that a function which changes its input spoils nothing."""
    return copy.deepcopy(case)


def _shape(value) -> tuple | str:
    try:
        return np.shape(value)
    except ValueError:
        return "uneven"


def _alike(a, b) -> bool:
    try:
        arrays = isinstance(a, np.ndarray | np.generic) or isinstance(b, np.ndarray | float | np.floating)
        if arrays and np.shape(a) != np.shape(b):
            return False
        if isinstance(b, np.ndarray | float | np.floating):
            return bool(np.allclose(np.asarray(a, float), b, rtol=1e-4, atol=1e-4, equal_nan=True))
        return bool(np.all(a == b))
    except (TypeError, ValueError, OverflowError):
        return False


def _short(value) -> str:
    if isinstance(value, np.ndarray | np.floating | float):
        value = np.array2string(np.asarray(value), precision=3, threshold=8, separator=", ")
    text = ", ".join(map(_short, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 90 else text[:88] + " …"


# --- 01 tokenization


def count_pairs(attempt: Callable) -> Verdict:
    """Check that `attempt(parts)` gives a dict: each pair of neighbours, as a tuple, and how often it occurs."""
    cases = [(["c", "h", "u", "c", "k", "c", "h"],), (["l", "a", "l", "a"],), (["o", "o", "o"],), (["a"],)]

    def counted(parts, pairs=None):
        pairs = [(parts[i], parts[i + 1]) for i in range(len(parts) - 1)] if pairs is None else pairs
        return {pair: sum(other == pair for other in pairs) for pair in pairs}

    def apart(parts):  # the pairs at 0, 2, 4 …
        return counted(parts, [(parts[i], parts[i + 1]) for i in range(0, len(parts) - 1, 2)])

    def glued(parts):
        return {"".join(pair): n for pair, n in counted(parts).items()}

    mistakes: Mistakes = {
        "those are the single parts; count pairs of neighbours: (parts[0], parts[1]), (parts[1], parts[2]) "
        "…": lambda parts: counted(parts, parts),
        "you go two steps at a time; each part but the last begins a pair, so go one step at a time": apart,
        "the keys should be tuples, (left, right), not the two glued together": glued,
        "each pair is counted once only; add 1 each time it comes up again": lambda parts: dict.fromkeys(
            counted(parts), 1
        ),
        "the last part has no right neighbour: the list is no circle": lambda parts: counted(
            parts, list(zip(parts, parts[1:] + parts[:1]))
        ),
        "that is a list; a dict {pair: number} is wanted": lambda parts: sorted(
            counted(parts).items(), key=lambda item: -item[1]
        ),
        "“ch” and “hc” are two different pairs: keep left and right in order": lambda parts: counted(
            parts, [tuple(sorted(pair)) for pair in pairwise(parts)]
        ),
    }
    return compare(attempt, cases, counted, mistakes, "right: this is what training does before each merge")


def merge(attempt: Callable) -> Verdict:
    """Check that `attempt(parts, pair)` gives the parts with the pair glued wherever it stands, left to right."""
    cases = [
        (["c", "h", "u", "c", "h", "u"], ("c", "h")),
        (["a", "b", "c"], ("c", "a")),
        (["o", "o", "o", "o", "o"], ("o", "o")),
        (["x", "a", "b"], ("a", "b")),
        (["ch", "u", "ch", "u"], ("ch", "u")),
        ([], ("a", "b")),
    ]

    def right(parts, pair):
        result = []
        for part in parts:  # a glued part is longer than the left half, so it never takes part again
            if result and (result[-1], part) == pair:
                result[-1] = pair[0] + pair[1]
            else:
                result.append(part)
        return result

    def first_only(parts, pair):
        for i in range(len(parts) - 1):
            if (parts[i], parts[i + 1]) == pair:
                return [*parts[:i], pair[0] + pair[1], *parts[i + 2 :]]
        return parts

    def keeps_right(parts, pair):  # glues, and forgets to step over the right half
        glued = [left + right if (left, right) == pair else left for left, right in pairwise(parts)]
        return glued + parts[-1:]

    def loses_last(parts, pair):
        result, i = [], 0
        while i < len(parts) - 1:
            both = (parts[i], parts[i + 1]) == pair
            result.append(pair[0] + pair[1] if both else parts[i])
            i += 2 if both else 1
        return result

    mistakes: Mistakes = {
        "nothing was glued; where two neighbours are the pair, "
        "join them (a list never equals a tuple)": lambda parts, pair: parts,
        "only the first place was glued; the pair is to be glued wherever it stands": first_only,
        "the right half is still there after gluing; step over both halves (i += 2)": keeps_right,
        "the last part got lost where it is not part of a pair": loses_last,
        "you put the pair in as a tuple; glue it: pair[0] + pair[1]": lambda parts, pair: [
            pair if part == pair[0] + pair[1] else part for part in right(parts, pair)
        ],
        "that is one text; give the list of parts": lambda parts, pair: "".join(right(parts, pair)),
    }
    return compare(
        attempt, cases, right, mistakes, "right: with count_pairs, that is all it takes to train a tokenizer"
    )


def split(guess: object, pieces: Sequence[str]) -> Verdict:
    """Compare a guess at how a word is cut, such as ["token", "ization"], with the pieces that the model has."""
    if guess is None or guess is Ellipsis or (isinstance(guess, str | list | tuple) and not guess):
        return Verdict(None, "not attempted yet")
    if any(re.search("<0x[0-9A-F]{2}>", piece) for piece in pieces):
        return Verdict(False, "this word is cut inside a character; try another")
    word, cut = "".join(pieces), " | ".join(pieces)
    if not isinstance(guess, list | tuple) or not all(isinstance(part, str) for part in guess):
        return Verdict(False, 'write the pieces as a list of texts, such as ["token", "ization"]')
    if "".join(guess) != word:
        return Verdict(False, f"joined, your pieces give “{''.join(guess)}”; they should give “{word}”")
    if list(guess) == list(pieces):
        return Verdict(True, f"exactly: {cut}")
    wanted, yours = _cuts(pieces), _cuts(guess)
    if not wanted:
        return Verdict(False, "the model cuts nowhere here")
    return Verdict(
        False, f"{len(wanted & yours)} of its {len(wanted)} cuts you put where it does; you made {len(yours)}"
    )


def _cuts(pieces: Sequence[str]) -> set[int]:
    return {len("".join(pieces[:i])) for i in range(1, len(pieces)) if pieces[i]}


# --- 02 embeddings


def cosine(attempt: Callable) -> Verdict:
    """Check that `attempt(a, b)` gives the cosine of two vectors: their dot product by both lengths."""
    rng = np.random.default_rng(2)
    cases = [(rng.normal(size=n), scale * rng.normal(size=n)) for n, scale in ((3, 2.0), (576, 0.1))]
    mistakes: Mistakes = {
        "that is the dot product; divide it by both lengths (np.linalg.norm)": lambda a, b: float(a @ b),
        "that multiplies number by number; add the products up (a @ b does both)": lambda a, b: a * b,
        "you divide by the squared lengths; a length is the square root of v @ v": lambda a, b: float(
            a @ b / _length(a) ** 2 / _length(b) ** 2
        ),
        "only the first length is divided out; b has one, too": lambda a, b: float(a @ b / _length(a)),
        "only the second length is divided out; a has one, too": lambda a, b: float(a @ b / _length(b)),
        "multiply the two lengths, don't add them": lambda a, b: float(a @ b / (_length(a) + _length(b))),
        "a / b * c multiplies by c: put brackets around the product of the lengths": lambda a, b: float(
            a @ b / _length(a) * _length(b)
        ),
    }
    return compare(
        attempt,
        cases,
        lambda a, b: float(sum(x * y for x, y in zip(a, b)) / _length(a) / _length(b)),
        mistakes,
        "right: 1 for the same direction, 0 for a right angle, whatever the lengths",
    )


def nearest_token(attempt: Callable) -> Verdict:
    """Check that `attempt(vector, table)` gives the number of the row with the largest cosine with `vector`."""
    rng = np.random.default_rng(5)
    cases = []
    for n, d in ((12, 3), (40, 8)):
        vector, table = rng.normal(size=d), rng.normal(size=(n, d))
        order = np.argsort(-(table @ vector) / np.linalg.norm(table, axis=1))
        table[order[0]] = vector + 0.05 * rng.normal(size=d)
        # the longest row is third best by direction, and the two best are far away: only the cosine finds them
        for place, length in enumerate((4, 10, 400)):
            table[order[place]] *= length / _length(table[order[place]]) * _length(vector)
        cases.append((vector, table))
    table[order[-1]] = -vector  # in one case only: the largest cosine but for its sign

    def cosines(vector, table):
        return np.array([row @ vector / _length(row) / _length(vector) for row in table])

    mistakes: Mistakes = {
        "that is the row with the largest dot product; long rows win it by their length. Divide each row's by "
        "its own length: np.linalg.norm(table, axis=1); without the axis all get one and the same "
        "number": lambda vector, table: int((table @ vector).argmax()),
        "that is the largest cosine without its sign, but −1 is the opposite direction; "
        "leave the signs": lambda vector, table: int(np.abs(cosines(vector, table)).argmax()),
        "that is the second nearest; each row is another than `vector` here, "
        "so none has to be passed over": lambda vector, table: int(np.argsort(cosines(vector, table))[-2]),
        "that is the row at the smallest distance; compare directions "
        "with the cosine": lambda vector, table: int(np.linalg.norm(table - vector, axis=1).argmin()),
        "that is the row that points away most; take the largest cosine (argmax)": lambda vector, table: int(
            cosines(vector, table).argmin()
        ),
        "that is the cosine itself; the number of its "
        "row is wanted (argmax instead of max)": lambda vector, table: float(cosines(vector, table).max()),
        "those are all cosines; which row has the largest? (argmax)": cosines,
    }
    return compare(
        attempt,
        cases,
        lambda vector, table: int(max(range(len(table)), key=lambda i: cosines(vector, table)[i])),
        mistakes,
        "right: the row that points most nearly the same way",
    )


def analogy(attempt: Callable) -> Verdict:
    """Check that `attempt(a, b, c, table)` gives the row nearest to table[a] - table[b] + table[c], not a, b or c."""
    rng = np.random.default_rng(11)
    cases = []
    for n, d, lengths in ((12, 24, (3, 1, 2)), (30, 48, (2, 1, 3))):
        table = rng.normal(size=(n, d)) / np.sqrt(d)
        common, *own = np.linalg.qr(rng.normal(size=(d, 6)))[0].T
        a, b, c, answer, long = (int(i) for i in rng.permutation(n)[:5])
        # nearest to the sum is the longer one of a and c, then the other, then b: all three must be left out
        for i, length, part, mine in zip((a, b, c), lengths, (1, 0.3, 1), own):
            table[i] = length * (common + part * mine)
        sum_ = table[a] - table[b] + table[c]
        sum_ /= _length(sum_)
        table[answer] = sum_ + 1.3 * own[3]
        table[long] = 30 * (sum_ + 2 * own[4])  # farther off, but its length gives it the largest dot product
        cases.append((a, b, c, table))

    def ranked(vector, table):
        cosines = np.array([row @ vector / _length(row) / _length(vector) for row in table])
        return [int(i) for i in np.argsort(-cosines, kind="stable")]

    def best(vector, table, without):
        return next(i for i in ranked(vector, table) if i not in without)

    mistakes: Mistakes = {
        "that is one of the three words you put in; leave out a, b and c, and take the next best": [
            lambda a, b, c, table, out=out: best(
                table[a] - table[b] + table[c], table, {(a, b, c)[i] for i in out}
            )
            for out in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
        ],
        "that is the row with the largest dot product; long rows win it by their length. Divide each row's "
        "by its own length": lambda a, b, c, table: int((table @ (table[a] - table[b] + table[c])).argmax()),
        "you have a and b the wrong way round: king - man + woman is table[a] - "
        "table[b] + table[c]": lambda a, b, c, table: best(table[b] - table[a] + table[c], table, {a, b, c}),
        "those are the ids added and subtracted; "
        "an id is only a row number. Work on the rows, table[a] …": lambda a, b, c, table: a - b + c,
        "that is the vector; which row of the table is nearest to it?": lambda a, b, c, table: (
            table[a] - table[b] + table[c]
        ),
    }
    return compare(
        attempt,
        cases,
        lambda a, b, c, table: best(table[a] - table[b] + table[c], table, {a, b, c}),
        mistakes,
        "right: arithmetic on the vectors, then the nearest row that was not part of the question",
    )


def _length(vector) -> float:
    return float(np.sqrt((vector**2).sum()))


# --- 03 position


def sinusoid_table(attempt: Callable) -> Verdict:
    """Check that `attempt(n_positions, d_model)` gives the pattern of 2017, a row a position: sine in columns 0, 2, 4
    …, cosine in columns 1, 3, 5 …, of position / 10,000^(2i / d_model) for the pair i.
    """
    cases = [(7, 8), (1, 4), (3, 2)]

    def table(n, d, *, exponent=lambda i, d: 2 * i / d, base=10_000.0, turn=0.0, halves=False):
        angles = np.outer(np.arange(n), base ** -exponent(np.arange(d // 2), d))
        waves = np.stack([np.sin(angles + turn), np.cos(angles + turn)], axis=1 if halves else 2)
        return waves.reshape(n, d)

    def by_column(n, d, by):
        angles = np.outer(np.arange(n), 10_000.0 ** (-by * np.arange(d) / d))
        return np.where(np.arange(d) % 2, np.cos(angles), np.sin(angles))

    mistakes: Mistakes = {
        "the waves get slower only half as fast as they should: the exponent is 2i / d_model": lambda n, d: (
            table(n, d, exponent=lambda i, d: i / d)
        ),
        "all sines stand before all cosines; "
        "they should take turns: sine, cosine, sine, cosine …": lambda n, d: table(n, d, halves=True),
        "sine and cosine have changed places: sine comes first, in column 0": lambda n, d: (
            table(n, d).reshape(n, -1, 2)[..., ::-1].reshape(n, d)
        ),
        "the waves get faster and faster: divide the position by 10,000^(2i / d_model), "
        "don't multiply": lambda n, d: table(n, d, exponent=lambda i, d: -2 * i / d),
        "sine and cosine of one pair must have the same speed: i counts the pairs, not the columns": [
            partial(by_column, by=2),
            partial(by_column, by=1),
        ],
        "rows and columns have changed places: a row for each position": lambda n, d: table(n, d).T,
        "the first position is 0, not 1; its row is 0, 1, 0, 1 …": lambda n, d: table(n + 1, d)[1:],
        "those are the sines; the cosine of the same angle belongs in the column after each": [
            lambda n, d: table(n, d) * (np.arange(d) % 2 == 0),
            lambda n, d: np.repeat(table(n, d)[:, ::2], 2, axis=1),
            lambda n, d: table(n, d)[:, ::2],
            lambda n, d: np.sin(np.outer(np.arange(n), 10_000.0 ** (-np.arange(d) / d))),
        ],
    }
    return compare(
        attempt,
        cases,
        table,
        mistakes,
        "right: this is the pattern that the first transformer added to its embeddings",
    )


def rotate_pair(attempt: Callable) -> Verdict:
    """Check that `attempt(a, b, angle)` gives the two numbers of the pair (a, b), turned by the angle in radians."""
    cases = [(1.0, 0.0, 0.5), (0.3, -1.2, 2.0), (2.0, 1.0, -7.0)]

    def turned(a, b, angle):
        tip = complex(a, b) * np.exp(1j * angle)
        return np.array([tip.real, tip.imag])

    def one_after_the_other(a, b, angle):
        a = a * np.cos(angle) - b * np.sin(angle)
        return np.array([a, a * np.sin(angle) + b * np.cos(angle)])

    mistakes: Mistakes = {
        "it turns the wrong way round: "
        "the minus belongs to b · sin in the first number": lambda a, b, angle: turned(a, b, -angle),
        "the angle is in radians already; np.cos and np.sin take it as it is": lambda a, b, angle: turned(
            a, b, np.radians(angle)
        ),
        "your second number uses the new a; "
        "both need the old one, so keep it before you change it": one_after_the_other,
        "a and b have changed places: a is the first number": lambda a, b, angle: turned(b, a, angle)[::-1],
        "each new number needs both old ones: a · cos − b · sin, and …": lambda a, b, angle: np.array(
            [a * np.cos(angle), b * np.sin(angle)]
        ),
        "there is a minus missing: turning must not change how long the hand is": lambda a, b, angle: (
            np.array([a * np.cos(angle) + b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)])
        ),
        "the second number is unchanged; it turns as well: a · sin + b · cos": lambda a, b, angle: np.array(
            [turned(a, b, angle)[0], b]
        ),
    }
    return compare(attempt, cases, turned, mistakes, "right: the hand has turned, and is as long as before")


def score_at(attempt: Callable) -> Verdict:
    """Check that `attempt(q, k, q_place, k_place, base)` gives the score q·k/√d_head after RoPE turned both by their
    places.

    q and k have an even number of numbers; neighbours (0, 1), (2, 3) … are a pair.
    """
    # so few numbers that the places are printed behind them, and not 64: whoever divides by 8 is found out
    q, k = np.array([[1, -2, 3, 1, -1, 2], [2, 1, -1, 3, 2, -3]], dtype=np.float32)
    places = [(5, 2), (105, 102), (2, 5), (40, 40), (900, 30)]
    cases = [(q, k, at, to, base) for base in (10_000.0, 100.0) for at, to in places]

    def score(q, k, at, to, base, *, scale=True, halves=False, with_key=True):
        q, k = ((x[: len(x) // 2], x[len(x) // 2 :]) if halves else (x[::2], x[1::2]) for x in (q, k))
        q, k = (a + 1j * b.astype(float) for a, b in (q, k))
        speeds = base ** (-np.arange(len(q)) / len(q))
        apart = at - to if with_key else at
        return float(
            (q * k.conj() * np.exp(1j * apart * speeds)).sum().real / (np.sqrt(2 * len(q)) if scale else 1)
        )

    mistakes: Mistakes = {
        "the dot product is right; divide it by the square root of the vector's length": lambda *case: score(
            *case, scale=False
        ),
        "only the query was turned; the key is turned by its own place": lambda *case: score(
            *case, with_key=False
        ),
        "query and key have changed places: q turns by q_place, k by k_place": lambda q, k, at, to, base: (
            score(q, k, to, at, base)
        ),
        "the places make no difference: "
        "is each of the two turned by its own angle?": lambda q, k, at, to, base: score(q, k, 0, 0, base),
        "divide by the square root of the length, not by the length": lambda *case: (
            score(*case, scale=False) / len(case[0])
        ),
        "8 is the root of 64; the vectors tried here are shorter: "
        "divide by the root of their own length": lambda *case: score(*case, scale=False) / 8,
        "the base is wrong: use the one that your function is given": lambda q, k, at, to, base: score(
            q, k, at, to, 10_000.0
        ),
        "the pairs are neighbours here, (0, 1), (2, 3) …, not number i of each half": lambda *case: score(
            *case, halves=True
        ),
    }
    return compare(
        attempt,
        cases,
        score,
        mistakes,
        "right: and (5, 2) and (105, 102) give the same score, since only the distance counts",
    )


# --- 04 attention


def causal_mask(attempt: Callable) -> Verdict:
    """Check that `attempt(scores)` gives the square scores back with −∞ wherever a token would look at a later one."""
    rng = np.random.default_rng(3)
    cases = [(rng.normal(size=(4, 4)).round(2),), (rng.normal(size=(1, 1)).round(2),)]

    def where(scores, blocked, put=-np.inf):
        return np.array(
            [[put if blocked(i, j) else score for j, score in enumerate(row)] for i, row in enumerate(scores)]
        )

    mistakes: Mistakes = {
        "that hides the past; the future lies right of the diagonal, where column > row": lambda scores: (
            where(scores, lambda i, j: j < i)
        ),
        "the diagonal must stay: a token may look at itself": lambda scores: where(
            scores, lambda i, j: j >= i
        ),
        "a score of 0 still gets a share, since e^0 is 1; put -np.inf there": lambda scores: where(
            scores, lambda i, j: j > i, 0.0
        ),
        "a very low score usually works, but -np.inf always does; put that there": [
            lambda scores, zeros=zeros: where(scores, lambda i, j: j > i, -(10.0**zeros))
            for zeros in range(3, 13)
        ],
        "that is the mask itself; use it to put -np.inf into the scores": lambda scores: np.tri(len(scores)),
        "nothing is masked yet; in the first row only the first score may stay": lambda scores: scores,
    }
    return compare(
        attempt,
        cases,
        lambda scores: where(scores, lambda i, j: j > i),
        mistakes,
        "right: each token sees itself and what came before",
    )


def softmax_rows(attempt: Callable) -> Verdict:
    """Check that `attempt(scores)` turns each row into positive shares that sum to one; −∞ becomes exactly 0."""
    rng = np.random.default_rng(4)
    plain = rng.normal(size=(3, 4)).round(2)
    masked = np.where(np.tri(4, dtype=bool), rng.normal(size=(4, 4)).round(2), -np.inf)
    cases = [(plain,), (masked,), (np.array([[1000.0, 999.0, 998.0], [0.0, 0.0, -1000.0]]),)]

    def exact(scores):
        rows = []
        for row in scores:
            powers = [math.exp(score - max(row)) for score in row]
            rows.append([power / math.fsum(powers) for power in powers])
        return np.array(rows)

    mistakes: Mistakes = {
        "right for small scores, but e^1000 is too large for the computer; "
        "take off the row's largest first": lambda s: np.exp(s) / np.exp(s).sum(axis=1, keepdims=True),
        "those are columns that sum to one; sum along each row: axis=1, keepdims=True": [
            lambda s: np.exp(s) / np.exp(s).sum(axis=0),
            lambda s: exact(s.T).T,
        ],
        "the whole table sums to one; every row should: axis=1, keepdims=True": [
            lambda s: np.exp(s) / np.exp(s).sum(),
            lambda s: np.exp(s - s.max()) / np.exp(s - s.max()).sum(),
        ],
        "all positive now; divide each row by its sum": [
            np.exp,
            lambda s: np.exp(s - s.max(axis=1, keepdims=True)),
        ],
        "the rows sum to one, but shares must be positive: raise e to the scores first (np.exp)": lambda s: (
            s / s.sum(axis=1, keepdims=True)
        ),
    }
    return compare(
        attempt, cases, exact, mistakes, "right: every row is positive and sums to one, also for large scores"
    )


def head_output(attempt: Callable) -> Verdict:
    """Check that `attempt(q, k, v)`, each [seq, d_head], gives z [seq, d_head] of one causal head."""
    rng = np.random.default_rng(6)
    cases = [tuple(rng.normal(size=(3, n, d)).round(2) * 2) for n, d in ((4, 9), (1, 4))]

    def head(q, k, v, scale=lambda d: math.sqrt(d), seen=lambda i, n: i + 1, mixed=lambda i, n: n):
        z = []
        for i, query in enumerate(q):
            scores = [float(query @ key) / scale(len(query)) for key in k[: seen(i, len(k))]]
            powers = [math.exp(score - max(scores)) for score in scores]
            shares = [power / sum(powers) for power in powers]
            z.append(sum(share * value for share, value in zip(shares[: mixed(i, len(v))], v)))
        return np.array(z)

    mistakes: Mistakes = {
        "each token looks at later ones, too; mask the future before the softmax": lambda q, k, v: head(
            q, k, v, seen=lambda i, n: n
        ),
        "divide the scores by the square root of d_head": lambda q, k, v: head(q, k, v, scale=lambda d: 1.0),
        "divide the scores by the square root of d_head, and mask the future": lambda q, k, v: head(
            q, k, v, scale=lambda d: 1.0, seen=lambda i, n: n
        ),
        "you divide by d_head; it is its square root": lambda q, k, v: head(q, k, v, scale=float),
        "√64 is for this model's d_head; here take that of q: q.shape[1]": lambda q, k, v: head(
            q, k, v, scale=lambda d: 8.0
        ),
        "you mask the shares; mask the scores, before the softmax, or a row "
        "no longer sums to one": lambda q, k, v: head(q, k, v, seen=lambda i, n: n, mixed=lambda i, n: i + 1),
        "those are the shares; mix the values with them: shares @ v": lambda q, k, v: head(
            q, k, np.eye(len(k))
        ),
        "q and k have changed places: the scores are q @ k.T, queries in rows": lambda q, k, v: head(k, q, v),
        "you mix the keys; the shares are shares of the values v": lambda q, k, v: head(q, k, k),
    }
    return compare(attempt, cases, head, mistakes, "right: that is a whole attention head")


def induction_score(attempt: Callable) -> Verdict:
    """Check that `attempt(pattern, tokens)` gives one head's mean weight on the tokens that followed earlier copies of
    the query's.

    pattern [seq, seq]; the mean is over the queries whose token came before.
    """
    rng = np.random.default_rng(7)
    cases = []
    for tokens in ([5, 7, 9, 5, 7, 9], [1, 2, 1, 3, 1, 2, 2]):
        pattern = np.tril(rng.uniform(0.1, 1, (len(tokens), len(tokens))))
        cases.append((pattern / pattern.sum(axis=1, keepdims=True), tokens))

    def score(pattern, tokens, shift=1, mean=True, everyone=False, last_only=False):
        rows = []
        for i, token in enumerate(tokens):
            copies = [j for j in range(i) if tokens[j] == token]
            if copies:
                rows.append(sum(pattern[i, j + shift] for j in (copies[-1:] if last_only else copies)))
        return float(sum(rows) / (len(tokens) if everyone else len(rows) if mean else 1))

    mistakes: Mistakes = {
        "that is the weight on the copies themselves; "
        "an induction head looks one token further": lambda p, t: score(p, t, shift=0),
        "take the mean over the queries whose token came before, not over all": lambda p, t: score(
            p, t, everyone=True
        ),
        "that is the sum over the queries; take the mean": lambda p, t: score(p, t, mean=False),
        "a token can have several earlier copies; add the weights behind all of them": lambda p, t: score(
            p, t, last_only=True
        ),
    }
    return compare(attempt, cases, score, mistakes, "right: 1 would be a head that does nothing else")


# --- 05 ffn


def _bend(x) -> np.ndarray:
    """Return silu, number by number."""
    return np.array([float(v) / (1 + math.exp(-float(v))) for v in np.ravel(x)]).reshape(np.shape(x))


def silu(attempt: Callable) -> Verdict:
    """Check that `attempt(x)` gives x / (1 + e^-x), for an array of any shape."""
    cases = [(np.array([-3.0, -1.0, 0.0, 0.5, 2.0]),), (np.array([[1.0, -2.0], [4.0, -0.5]]),)]
    mistakes: Mistakes = {
        "that is the logistic curve alone; multiply it by x": lambda x: (
            _bend(x) / np.where(x == 0, 1, x) + 0.5 * (x == 0)
        ),
        "the sign is turned: it is e to the power of minus x": lambda x: x / (1 + np.exp(x)),
        "that is relu, which cuts below zero; silu lets a little pass: x / (1 + e^-x)": lambda x: np.maximum(
            x, 0
        ),
        "that is tanh; silu is x / (1 + e^-x)": np.tanh,
        "put brackets around 1 + e^-x: the sum is what x is divided by": lambda x: x / 1 + np.exp(-x),
    }
    return compare(attempt, cases, _bend, mistakes, "right: small on the left, nearly x far to the right")


def swiglu(attempt: Callable) -> Verdict:
    """Check that `attempt(x, W_gate, W_up, W_down)` gives what an FFN makes of one vector [d_model], to be added to the
    stream.
    """
    rng = np.random.default_rng(8)
    cases = [
        tuple(rng.normal(size=shape) for shape in ((d,), (d, wide), (d, wide), (wide, d)))
        for d, wide in ((3, 5), (4, 4))
    ]

    def feed(x, gate, up, down, bend=_bend):
        return sum(
            (bend(x @ gate[:, i]) * (x @ up[:, i]) * down[i] for i in range(len(down))), np.zeros(len(x))
        )

    mistakes: Mistakes = {
        "the curve is on the wrong one: silu goes around the gate, not around up": lambda x, gate, up, down: (
            feed(x, up, gate, down)
        ),
        "the curve is missing: put silu around x @ W_gate": lambda x, gate, up, down: feed(
            x, gate, up, down, bend=lambda v: v
        ),
        "gate and up are multiplied, not added": lambda x, gate, up, down: (_bend(x @ gate) + x @ up) @ down,
        "up is missing: multiply silu(x @ W_gate) by x @ W_up": lambda x, gate, up, down: (
            _bend(x @ gate) @ down
        ),
        "the gate is missing: multiply silu(x @ W_gate) by x @ W_up": lambda x, gate, up, down: (
            _bend(x @ up) @ down
        ),
        "that is the logistic curve around the gate; silu is the gate times it": lambda x, gate, up, down: (
            feed(x, gate, up, down, bend=lambda v: 1 / (1 + np.exp(-v)))
        ),
        "that is relu around the gate; silu is x / (1 + e^(−x))": lambda x, gate, up, down: feed(
            x, gate, up, down, bend=lambda v: np.maximum(v, 0)
        ),
        "silu comes first, around the gate alone, and then the product with up": lambda x, gate, up, down: (
            _bend((x @ gate) * (x @ up)) @ down
        ),
        "those are the neurons; @ W_down "
        "brings them back to the width of the stream": lambda x, gate, up, down: _bend(x @ gate) * (x @ up),
        "that is the stream afterwards; give only what is added to it": lambda x, gate, up, down: (
            x + feed(x, gate, up, down)
        ),
    }
    return compare(
        attempt, cases, feed, mistakes, "right: that is the part with most of the model's parameters"
    )


def neuron_contribution(attempt: Callable) -> Verdict:
    """Check that `attempt(hidden, W_down, direction, i)` gives how much neuron i adds along a direction [d_model] of
    the stream.
    """
    rng = np.random.default_rng(9)
    # hidden[i] is negative in the first case, the contribution in the second: together they find every lost sign.
    sizes = ((4, 4, 0), (6, 3, 2))
    cases = [(rng.normal(size=n), rng.normal(size=(n, d)), rng.normal(size=d), i) for n, d, i in sizes]

    def along(hidden, down, direction, i):
        return float(sum(hidden[i] * w * number for w, number in zip(down[i], direction)))

    mistakes: Mistakes = {
        "that is for a neuron that fires with 1; multiply by how strongly it fires, "
        "hidden[i]": lambda hidden, down, direction, i: float(down[i] @ direction),
        "the sign is lost: a neuron can push the other way": lambda hidden, down, direction, i: abs(
            along(hidden, down, direction, i)
        ),
        "right where hidden[i] is above zero; below zero, the neuron adds the opposite of its row": [
            lambda hidden, *case: along(abs(hidden), *case),
            lambda hidden, *case: along(np.maximum(hidden, 0), *case),
        ],
        "that is what all neurons add together; take neuron i only": lambda hidden, down, direction, i: float(
            hidden @ down @ direction
        ),
        "that is the vector it writes; its dot "
        "product with the direction is wanted (@)": lambda hidden, down, direction, i: hidden[i] * down[i],
        "those are the single products; add them up (@ does both)": lambda hidden, down, direction, i: (
            hidden[i] * down[i] * direction
        ),
        "neuron i writes row i of W_down, not column i": lambda hidden, down, direction, i: (
            along(hidden, down.T, direction, i) if len(down) == 4 else None
        ),
    }
    return compare(
        attempt, cases, along, mistakes, "right: added up over all neurons, this is what the FFN adds"
    )


# --- 06 sampling


def temperature(attempt: Callable) -> Verdict:
    """Check that `attempt(logits, temperature)` gives softmax(logits / temperature)."""

    def formula(logits, t):
        powers = np.exp((logits - logits.max()) / t)
        return powers / powers.sum()

    cases = [
        (np.array([1.0, 3.0, 0.0]), 1.0),
        (np.array([1.0, 3.0, 0.0]), 0.5),
        (np.array([9000.0, 9001.0]), 2.0),  # e to the 4,500 is more than a number can hold
    ]
    mistakes: Mistakes = {
        "your temperature changes nothing: divide the logits by it, before the power": lambda x, t: formula(
            x, 1.0
        ),
        "divide by the temperature; you multiply by it": lambda x, t: formula(x * t, 1.0),
        "the powers do not add up to 1 yet: divide by their sum": [
            lambda x, t: np.exp(x / t),
            lambda x, t: np.exp((x - x.max()) / t),
        ],
        "right for small logits; large ones overflow: "
        "subtract the largest logit from all of them first": lambda x, t: np.exp(x / t) / np.exp(x / t).sum(),
    }
    return compare(attempt, cases, formula, mistakes, "right: these are probabilities at any temperature")


def nucleus(attempt: Callable) -> Verdict:
    """Check that `attempt(probs, p)` keeps the likeliest tokens until they hold at least p, and scales them up to 1
    (top-p).
    """

    def keep(probs, p, *, one_too_few=False, rescale=True, first=max):
        nucleus, held = np.zeros_like(probs), 0.0
        for i in sorted(range(len(probs)), key=lambda i: -probs[i] if first is max else probs[i]):
            if held >= p or (one_too_few and held and held + probs[i] > p):
                break
            nucleus[i] = probs[i]
            held += probs[i]
        return nucleus / nucleus.sum() if rescale else nucleus

    def scaled(probs, mask):
        return np.where(mask, probs, 0) / probs[mask].sum()

    def by_sums(probs, p, below):
        """Return which are kept where `some`(sums, p): the sums, the likeliest first."""
        order = np.argsort(-probs)
        mask = np.zeros(len(probs), bool)
        mask[order] = below(np.cumsum(probs[order]), p)
        return scaled(probs, mask)

    cases = [
        (np.array([0.1, 0.5, 0.3, 0.1]), 0.7),
        (np.array([0.6, 0.4]), 0.5),
        (np.array([0.5, 0.25, 0.25]), 0.5),  # the first holds p exactly
        (np.array([0.2, 0.5, 0.3]), 1.0),
    ]
    mistakes: Mistakes = {
        "scale what you kept up again, so that it adds up to 1": lambda q, p: keep(q, p, rescale=False),
        "the token that carries the sum past p is kept, too": [
            partial(keep, one_too_few=True),
            partial(by_sums, below=np.less),
            partial(by_sums, below=np.less_equal),
        ],
        "once the kept tokens hold p, no other is needed: “at least p” is reached at p itself": lambda q, p: (
            by_sums(q, p, lambda sums, p: np.append(0, sums[:-1]) <= p)
        ),
        "that begins with the unlikeliest: sort the other way round": lambda q, p: keep(q, p, first=min),
        "that is min-p: add up the shares, the likeliest first, until they hold p": lambda q, p: scaled(
            q, q >= p * q.max()
        ),
        "p is no limit for a single share: the kept ones hold it together": lambda q, p: scaled(q, q >= p),
        "the likeliest come first: sort before you add up": lambda q, p: scaled(q, np.cumsum(q) - q < p),
    }
    return compare(attempt, cases, keep, mistakes, "right: the nucleus")


def sample(attempt: Callable) -> Verdict:
    """Check that `attempt(probs, u)` gives the index of the token that a dart at u, from 0 up to 1, hits."""

    def formula(probs, u):
        reached = 0.0
        for index, share in enumerate(probs):
            reached += share
            if u < reached:
                return index
        return len(probs) - 1

    probs = np.array([0.2, 0.5, 0.3])
    cases = [(probs, u) for u in (0.1, 0.25, 0.69, 0.71, 0.99, 0.0)]
    cases.append((np.array([0.0, 0.4, 0.6]), 0.0))
    mistakes: Mistakes = {
        "that is always the likeliest token: use the dart u": lambda q, u: int(q.argmax()),
        "one too high: the first token has the index 0": lambda q, u: formula(q, u) + 1,
        "one too low: the first token has the index 0": lambda q, u: formula(q, u) - 1,
        "lay the shares on the line in the order of the tokens, without sorting them": lambda q, u: int(
            np.argsort(-q)[formula(np.sort(q)[::-1], u)]
        ),
        "that is a place among the sorted shares, not the index of a token": lambda q, u: formula(
            np.sort(q)[::-1], u
        ),
        "a token whose share is 0 is never hit: on an edge, "
        'take the piece to its right (side="right")': lambda q, u: int(np.searchsorted(np.cumsum(q), u)),
    }
    return compare(attempt, cases, formula, mistakes, "right: each token is hit as often as its share says")
