"""Answers to the exercises: `checks.name(your_function)` says whether it is right, or hints at the likely mistake.

Each check tries the function on a few small inputs and compares it with an independent formula. A wrong result is
also compared with what the usual mistakes would give, so that the hint can name the mistake. Nothing is raised for a
wrong answer, and an unfinished stub does not count as one.
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
    """What a check found. `passed` is None if the exercise has not been attempted yet."""

    passed: bool | None
    message: str

    def __repr__(self) -> str:
        return {True: "✓ ", False: "✗ ", None: "… "}[self.passed] + self.message


# Usual mistakes: the hint, and the formula or formulas that make the mistake.
Mistakes = Mapping[str, Callable | Sequence[Callable]]


@np.errstate(all="ignore")  # an overflow is compared like any other result
def compare(
    attempt: Callable,
    cases: Sequence[tuple],
    formula: Callable,
    mistakes: Mistakes,
    praise: str,
) -> Verdict:
    """Run `attempt` and `formula` on every case (a tuple of arguments) and say where they differ.

    A mistake is named only if its result equals that of `attempt` in every case in which neither fails. Numbers and
    arrays are compared to 1e-4, relative and absolute; everything else by equality.
    """
    for case in cases:
        try:
            got = attempt(*_copies(case))
        except Exception as error:  # a reader sees a sentence instead of a traceback
            outside = isinstance(error, IndexError) and "out of " in str(error)  # of range, of bounds
            past = " It reads past an end. Check its first and last step." * outside
            return Verdict(
                False,
                f"For {_short(case)}, your function raised {type(error).__name__}: {error}{'.' * outside}{past}",
            )
        if got is None or got is Ellipsis:
            if got is Ellipsis or _is_stub(attempt):
                return Verdict(None, "Not attempted yet.")
            return Verdict(False, "Your function returns nothing. End it with a line `return …`.")
        wanted = formula(*_copies(case))
        if _alike(got, wanted):
            continue
        for hint, formulas in mistakes.items():
            for mistaken in formulas if isinstance(formulas, Sequence) else [formulas]:
                if all(_explains(mistaken, attempt, case) for case in cases):
                    return Verdict(False, hint)
        if isinstance(wanted, np.ndarray | float | np.floating) and _shape(got) != np.shape(wanted):
            return Verdict(
                False, f"Your result has the shape {_shape(got)}. It should be {np.shape(wanted)}."
            )
        return Verdict(
            False,
            f"For {_short(case)}, your function returns {_short(got)}. It should return {_short(wanted)}.",
        )
    return Verdict(True, praise)


def _explains(formula: Callable, attempt: Callable, case: tuple) -> bool:
    try:
        return _alike(attempt(*_copies(case)), formula(*_copies(case)))
    except Exception:  # this case cannot tell the two apart
        return True


# The compiled code of a function with the body "...", or a docstring and "...".
STUBS = {compile(f"def stub(): {body}", "", "exec").co_consts[0].co_code for body in ("...", "'docstring'")}


def _is_stub(attempt: Callable) -> bool:
    """Return whether a function is still a stub. One without readable code counts as a stub."""
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
    text = str(value)
    if isinstance(value, tuple):  # the arguments of a call; a tuple among them keeps its brackets
        text = ", ".join(str(part) if isinstance(part, tuple) else _short(part) for part in value)
    return text if len(text) <= 90 else text[:88] + " …"


# --- 01 tokenization


def count_pairs(attempt: Callable) -> Verdict:
    """Check that `attempt(parts)` gives a dict: each pair of neighbours, as a tuple, and how often it occurs."""
    cases = [
        (["c", "h", "u", "c", "k", "c", "h"],),
        (["l", "a", "l", "a", "l"],),
        (["o", "o", "o"],),
        (["a"],),
    ]

    def counted(parts, pairs=None):
        pairs = [(parts[i], parts[i + 1]) for i in range(len(parts) - 1)] if pairs is None else pairs
        return {pair: sum(other == pair for other in pairs) for pair in pairs}

    def apart(parts):  # the pairs at 0, 2, 4 …
        return counted(parts, [(parts[i], parts[i + 1]) for i in range(0, len(parts) - 1, 2)])

    def glued(parts):
        return {"".join(pair): n for pair, n in counted(parts).items()}

    mistakes: Mistakes = {
        "You count single parts. Count pairs of neighbours: (parts[0], parts[1]), (parts[1], "
        "parts[2]) …": lambda parts: counted(parts, parts),
        "You move two steps at a time. Every part except the last begins a pair, so move one step "
        "at a time.": apart,
        "Your keys are the two parts merged. Use tuples as keys: (left, right).": glued,
        "You count each pair only once. Add 1 every time it occurs.": lambda parts: dict.fromkeys(
            counted(parts), 1
        ),
        "You leave out the last pair. Every part except the last begins one.": lambda parts: counted(
            parts[:-1]
        ),
        "You pair the last part with the first. The last part has no right neighbour, so stop "
        "before it.": lambda parts: counted(parts, list(zip(parts, parts[1:] + parts[:1]))),
        "That's a list. Return a dict: {pair: count}.": lambda parts: sorted(
            counted(parts).items(), key=lambda item: -item[1]
        ),
        "You treat “ch” and “hc” as the same pair. Keep left and right in order.": lambda parts: counted(
            parts, [tuple(sorted(pair)) for pair in pairwise(parts)]
        ),
    }
    return compare(attempt, cases, counted, mistakes, "Right. Training does this before each merge.")


def merge(attempt: Callable) -> Verdict:
    """Check that `attempt(parts, pair)` gives the parts with the pair merged wherever it is, left to right."""
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
        for part in parts:  # a merged part is longer than the left half, so it never takes part again
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

    def keeps_right(parts, pair):  # merges, and forgets to step over the right half
        merged = [left + right if (left, right) == pair else left for left, right in pairwise(parts)]
        return merged + parts[-1:]

    def loses_last(parts, pair):
        result, i = [], 0
        while i < len(parts) - 1:
            both = (parts[i], parts[i + 1]) == pair
            result.append(pair[0] + pair[1] if both else parts[i])
            i += 2 if both else 1
        return result

    mistakes: Mistakes = {
        "Nothing was merged. Compare the two neighbours with the pair, as tuples: a list never "
        "equals a tuple.": lambda parts, pair: parts,
        "You merged only the first occurrence of the pair. Merge every one.": first_only,
        "The right half is still there after the merge. Step over both halves (i += 2).": keeps_right,
        "The last part is lost when it doesn't belong to a pair. Keep it.": loses_last,
        "You inserted the pair as a tuple. Join its halves: pair[0] + pair[1].": lambda parts, pair: [
            pair if part == pair[0] + pair[1] else part for part in right(parts, pair)
        ],
        "That's a single text. Return the list of parts.": lambda parts, pair: "".join(right(parts, pair)),
    }
    return compare(
        attempt, cases, right, mistakes, "Right. With count_pairs, that's all it takes to train a tokenizer."
    )


def split(guess: object, pieces: Sequence[str]) -> Verdict:
    """Compare a guess at how a word is cut, such as ["token", "ization"], with the pieces that the model has."""
    if guess is None or guess is Ellipsis or (isinstance(guess, str | list | tuple) and not guess):
        return Verdict(None, "Not attempted yet.")
    if any(re.search("<0x[0-9A-F]{2}>", piece) for piece in pieces):
        return Verdict(False, "The tokenizer cuts this word inside a character. Try another word.")
    word, cut = "".join(pieces), " | ".join(pieces)
    if not isinstance(guess, list | tuple) or not all(isinstance(part, str) for part in guess):
        return Verdict(False, 'Write the pieces as a list of texts, such as ["token", "ization"].')
    if "".join(guess) != word:
        return Verdict(False, f"Your pieces spell “{''.join(guess)}”. They should spell “{word}”.")
    if list(guess) == list(pieces):
        return Verdict(True, f"That's exactly how the tokenizer cuts it: {cut}.")
    wanted, yours = _cuts(pieces), _cuts(guess)
    if not wanted:
        return Verdict(False, "The model doesn't cut this word.")
    return Verdict(
        False,
        f"You found {len(wanted & yours)} of the tokenizer's {len(wanted)} cuts. You made {len(yours)}.",
    )


def _cuts(pieces: Sequence[str]) -> set[int]:
    return {len("".join(pieces[:i])) for i in range(1, len(pieces)) if pieces[i]}


# --- 02 embeddings


def cosine(attempt: Callable) -> Verdict:
    """Check that `attempt(a, b)` gives the cosine of two vectors: their dot product by both lengths."""
    rng = np.random.default_rng(2)
    cases = [(rng.normal(size=n), scale * rng.normal(size=n)) for n, scale in ((3, 2.0), (576, 0.1))]
    mistakes: Mistakes = {
        "That's the dot product. Divide it by both lengths (np.linalg.norm).": lambda a, b: float(a @ b),
        "You have one number for each position. Add up the products (a @ b does both).": [
            lambda a, b: a * b,
            lambda a, b: a * b / _length(a) / _length(b),
        ],
        "You divide by the squared lengths. A length is the square root of v @ v.": lambda a, b: float(
            a @ b / _length(a) ** 2 / _length(b) ** 2
        ),
        "You divide only by the length of a. Divide by the length of b, too.": lambda a, b: float(
            a @ b / _length(a)
        ),
        "You divide only by the length of b. Divide by the length of a, too.": lambda a, b: float(
            a @ b / _length(b)
        ),
        "You add the two lengths. Multiply them.": lambda a, b: float(a @ b / (_length(a) + _length(b))),
        "You divide by one length and multiply by the other, because a / b * c means (a / b) * c. "
        "Put the product of the lengths in brackets.": lambda a, b: float(a @ b / _length(a) * _length(b)),
        "That's the angle. Return its cosine, which is the number before the arccos.": [
            lambda a, b: float(np.arccos(a @ b / _length(a) / _length(b))),
            lambda a, b: float(np.degrees(np.arccos(a @ b / _length(a) / _length(b)))),
        ],
    }
    return compare(
        attempt,
        cases,
        lambda a, b: float(sum(x * y for x, y in zip(a, b)) / _length(a) / _length(b)),
        mistakes,
        "Right. It's 1 for the same direction and 0 for a right angle, whatever the lengths.",
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
        "That's the row with the largest dot product, which favours long rows. Divide each dot "
        "product by the length of its row: np.linalg.norm(table, axis=1). Without the axis, you "
        "get one number for the whole table.": lambda vector, table: int((table @ vector).argmax()),
        "You ignore the cosine's sign, but −1 is the opposite direction. Keep the signs.": lambda vector, table: (
            int(np.abs(cosines(vector, table)).argmax())
        ),
        "That's the second nearest row. `vector` isn't in this table, so don't skip the best "
        "match.": lambda vector, table: int(np.argsort(cosines(vector, table))[-2]),
        "That's the row at the smallest distance. Compare directions instead, with the cosine.": lambda vector, table: (
            int(np.linalg.norm(table - vector, axis=1).argmin())
        ),
        "That's the row with the smallest cosine. Take the largest (argmax).": lambda vector, table: int(
            cosines(vector, table).argmin()
        ),
        "That's the largest cosine. Return the number of its row (argmax instead of max).": lambda vector, table: (
            float(cosines(vector, table).max())
        ),
        "Those are all the cosines. Return the number of the row with the largest (argmax).": cosines,
        "That's an array or a list. Return the number of the row on its own.": lambda vector, table: (
            np.argsort(-cosines(vector, table))[:1]
        ),
    }
    return compare(
        attempt,
        cases,
        lambda vector, table: int(max(range(len(table)), key=lambda i: cosines(vector, table)[i])),
        mistakes,
        "Right. That's the row whose direction is most similar.",
    )


def analogy(attempt: Callable) -> Verdict:
    """Check that `attempt(a, b, c, table)` gives the row nearest to table[a] - table[b] + table[c], not a, b or c."""
    rng = np.random.default_rng(11)
    cases = []
    for n, d, lengths in ((18, 24, (3, 1, 2)), (30, 48, (2, 1, 3))):
        table = rng.normal(size=(n, d)) / np.sqrt(d)
        common, *own = np.linalg.qr(rng.normal(size=(d, 16)))[0].T
        a, b, c, long, answer, *decoys = (int(i) for i in rng.permutation(n)[:15])
        # nearest to the sum is the longer one of a and c, then the other, then b: all three must be left out
        for i, length, part, mine in zip((a, b, c), lengths, (1, 0.3, 1), own):
            table[i] = length * (common + part * mine)
        right = _unit(table[a] - table[b] + table[c])
        table[long] = 30 * (
            right + 2 * own[3]
        )  # farther off, but its length gives it the largest dot product
        # Each other sum has a nearest row of its own, so that none of them passes for the right one.
        times = "1 0 1, 1 0 0, 0 0 1, 1 1 1, 1 -1 0, 0 -1 1, 1 -2 1, 1 -.5 1, 1 1 -1, -1 1 1"
        others = [[float(by) for by in each.split()] for each in times.split(", ")]
        sums = [right, *(_unit(np.array(by) @ table[[a, b, c]]) for by in others)]
        for i, sum_, mine in zip((answer, *decoys), sums, own[4:]):
            table[i] = sum_ + 1.3 * mine
        cases.append((a, b, c, table))

    def ranked(vector, table):
        cosines = np.array([row @ vector / _length(row) / _length(vector) for row in table])
        return [int(i) for i in np.argsort(-cosines, kind="stable")]

    def best(vector, table, without):
        return next(i for i in ranked(vector, table) if i not in without)

    mistakes: Mistakes = {
        "That's one of the three words you started with. Leave out a, b and c, and take the next best.": [
            lambda a, b, c, table, out=out: best(
                table[a] - table[b] + table[c], table, {(a, b, c)[i] for i in out}
            )
            for out in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
        ],
        "That's the row with the largest dot product, which favours long rows. Divide each dot "
        "product by the length of its row.": lambda a, b, c, table: int(
            (table @ (table[a] - table[b] + table[c])).argmax()
        ),
        "You swapped a and b: king - man + woman is table[a] - table[b] + table[c].": lambda a, b, c, table: (
            best(table[b] - table[a] + table[c], table, {a, b, c})
        ),
        "You added and subtracted the ids, but an id is only a row number. Use the rows instead: "
        "table[a] …": lambda a, b, c, table: a - b + c,
        "That's the resulting vector. Return the number of the row nearest to it.": lambda a, b, c, table: (
            table[a] - table[b] + table[c]
        ),
        "You swapped b and c: king - man + woman is table[a] - table[b] + table[c].": lambda a, b, c, table: (
            best(table[a] - table[c] + table[b], table, {a, b, c})
        ),
        "You left out b. Subtract its row.": lambda a, b, c, table: best(
            table[a] + table[c], table, {a, b, c}
        ),
        "You added b. Subtract it.": lambda a, b, c, table: best(
            table[a] + table[b] + table[c], table, {a, b, c}
        ),
        "Use all three rows: table[a] - table[b] + table[c].": [
            lambda a, b, c, table, times=times: best(np.array(times) @ table[[a, b, c]], table, {a, b, c})
            for times in ((1, 0, 0), (0, 0, 1), (1, -1, 0), (0, -1, 1))
        ],
    }
    return compare(
        attempt,
        cases,
        lambda a, b, c, table: best(table[a] - table[b] + table[c], table, {a, b, c}),
        mistakes,
        "Right. You did arithmetic on the vectors, then took the nearest row that wasn't part of "
        "the question.",
    )


def _length(vector) -> float:
    return float(np.sqrt((vector**2).sum()))


def _unit(vector) -> np.ndarray:
    return vector / _length(vector)


# --- 03 position


def sinusoid_table(attempt: Callable) -> Verdict:
    """Check that `attempt(n_positions, d_model)` gives the pattern of 2017, with a row for each position.

    Columns 0, 2, 4 … have the sine, columns 1, 3, 5 … the cosine, of position / 10,000^(2i / d_model) for the pair i.
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
        "Your waves slow down only half as fast as they should. The exponent is 2i / d_model.": lambda n, d: (
            table(n, d, exponent=lambda i, d: i / d)
        ),
        "You put all sines before all cosines. Alternate them: sine, cosine, sine, cosine …": lambda n, d: (
            table(n, d, halves=True)
        ),
        "You swapped sine and cosine. The sine comes first, in column 0.": lambda n, d: (
            table(n, d).reshape(n, -1, 2)[..., ::-1].reshape(n, d)
        ),
        "Your waves get faster and faster, because you multiply. Divide the position by "
        "10,000^(2i / d_model).": lambda n, d: table(n, d, exponent=lambda i, d: -2 * i / d),
        "The sine and cosine of a pair have different speeds. They need the same: i counts pairs, "
        "not columns.": [
            partial(by_column, by=2),
            partial(by_column, by=1),
        ],
        "You swapped rows and columns. Make one row for each position.": lambda n, d: table(n, d).T,
        "You start at position 1. The first position is 0, and its row is 0, 1, 0, 1 …": lambda n, d: table(
            n + 1, d
        )[1:],
        "Those are the sines. After each, add a column with the cosine of the same angle.": [
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
        "Right. The first transformer added this pattern to its embeddings.",
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
        "Your hand turns the wrong way. The minus belongs to b · sin, in the first number.": lambda a, b, angle: (
            turned(a, b, -angle)
        ),
        "You converted the angle, but it's already in radians. Pass it to np.cos and np.sin unchanged.": [
            lambda a, b, angle: turned(a, b, np.radians(angle)),
            lambda a, b, angle: turned(a, b, np.degrees(angle)),
        ],
        "Your second number uses the new a. Both numbers need the old one, so store it before you "
        "change it.": one_after_the_other,
        "You swapped a and b. a is the first number.": lambda a, b, angle: turned(b, a, angle)[::-1],
        "You multiply each number only by itself. Each new number needs both old ones: a · cos − "
        "b · sin, and …": lambda a, b, angle: np.array([a * np.cos(angle), b * np.sin(angle)]),
        "A minus is missing, so your hand changes its length. Turning must leave the length "
        "unchanged.": lambda a, b, angle: np.array(
            [a * np.cos(angle) + b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)]
        ),
        "Your second number hasn't changed. It turns as well: a · sin + b · cos.": lambda a, b, angle: (
            np.array([turned(a, b, angle)[0], b])
        ),
        "You swapped the two results. a · cos − b · sin is the first.": lambda a, b, angle: turned(
            a, b, angle
        )[::-1],
    }
    return compare(
        attempt, cases, turned, mistakes, "Right. The hand has turned, and its length is unchanged."
    )


def score_at(attempt: Callable) -> Verdict:
    """Check that `attempt(q, k, q_place, k_place, base)` gives the score q·k/√d_head after RoPE rotated both by
    their positions.

    q and k have an even number of numbers; neighbours (0, 1), (2, 3) … are a pair.
    """
    # Six numbers are few enough for the message to show the positions as well, and dividing by 8 is wrong for them.
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
        "Your dot product is right. Now divide it by the square root of how many numbers each "
        "vector has.": lambda *case: score(*case, scale=False),
        "You rotated only the query. Rotate the key, too, by its own position.": lambda *case: score(
            *case, with_key=False
        ),
        "You swapped the positions. Rotate q by q_place and k by k_place.": lambda q, k, at, to, base: score(
            q, k, to, at, base
        ),
        "Your score doesn't depend on the positions. Rotate each vector by the angle of its own "
        "position.": lambda q, k, at, to, base: score(q, k, 0, 0, base),
        "You divide by how many numbers there are. Divide by the square root of that.": lambda *case: (
            score(*case, scale=False) / len(case[0])
        ),
        "You divide by 8, the square root of 64. These vectors are shorter, so use the square "
        "root of their own size.": lambda *case: score(*case, scale=False) / 8,
        "You used a different base. Use the one that your function is given.": lambda q, k, at, to, base: (
            score(q, k, at, to, 10_000.0)
        ),
        "You paired number i of each half. Here the pairs are neighbours: (0, 1), (2, 3) …": lambda *case: (
            score(*case, halves=True)
        ),
    }
    return compare(
        attempt,
        cases,
        score,
        mistakes,
        "Right. And (5, 2) and (105, 102) give the same score, because only the distance counts.",
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
        "You mask the past. The future is to the right of the diagonal, where column > row.": lambda scores: (
            where(scores, lambda i, j: j < i)
        ),
        "You mask the diagonal. Keep it, because a token may attend to itself.": lambda scores: where(
            scores, lambda i, j: j >= i
        ),
        "A score of 0 still gets a weight, because e^0 is 1. Use -np.inf there.": lambda scores: where(
            scores, lambda i, j: j > i, 0.0
        ),
        "A very low score usually works, but -np.inf always does. Use that.": [
            lambda scores, zeros=zeros: where(scores, lambda i, j: j > i, -(10.0**zeros))
            for zeros in range(3, 13)
        ],
        "That's the mask. Use it to put -np.inf into the scores.": lambda scores: np.tri(len(scores)),
        "Nothing is masked yet. In the first row, only the first score may stay.": lambda scores: scores,
        "Each token still sees the next one. Mask from column row + 1 on.": lambda scores: where(
            scores, lambda i, j: j > i + 1
        ),
    }
    return compare(
        attempt,
        cases,
        lambda scores: where(scores, lambda i, j: j > i),
        mistakes,
        "Right. Each token can attend to itself and to earlier tokens.",
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

    def over_queries(q, k, v, axis=0):
        scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / math.sqrt(q.shape[1]), -np.inf)
        powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
        return powers / powers.sum(axis=0) @ v

    mistakes: Mistakes = {
        "Your tokens attend to later tokens, too. Mask the future before the softmax.": lambda q, k, v: head(
            q, k, v, seen=lambda i, n: n
        ),
        "You didn't scale the scores. Divide them by the square root of d_head.": lambda q, k, v: head(
            q, k, v, scale=lambda d: 1.0
        ),
        "Two steps are missing. Divide the scores by the square root of d_head, and mask the "
        "future.": lambda q, k, v: head(q, k, v, scale=lambda d: 1.0, seen=lambda i, n: n),
        "You divide by d_head. Divide by its square root.": lambda q, k, v: head(q, k, v, scale=float),
        "You divide by √64, which fits this model's d_head. Use the d_head of q: q.shape[1].": lambda q, k, v: (
            head(q, k, v, scale=lambda d: 8.0)
        ),
        "You mask the attention weights, so a row no longer adds up to 1. Mask the scores, before "
        "the softmax.": lambda q, k, v: head(q, k, v, seen=lambda i, n: n, mixed=lambda i, n: i + 1),
        "Those are the attention weights. Mix the values with them: weights @ v.": lambda q, k, v: head(
            q, k, np.eye(len(k))
        ),
        "You swapped q and k. The scores are q @ k.T, with queries in rows.": lambda q, k, v: head(k, q, v),
        "You mix the keys. Mix the values: weights @ v.": lambda q, k, v: head(q, k, k),
        "Each query's weights must add up to 1. Use axis=1.": [over_queries, partial(over_queries, axis=1)],
        "Those are the values. Mix them: weights @ v.": lambda q, k, v: v,
        "You swapped k and v. Scores come from q and k; the weights mix v.": lambda q, k, v: head(q, v, k),
    }
    return compare(attempt, cases, head, mistakes, "Right. That's a complete attention head.")


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
        "That's the weight on the copies themselves. An induction head attends to the token after "
        "each copy.": lambda p, t: score(p, t, shift=0),
        "You averaged over all queries. Average only over those whose token has an earlier copy.": lambda p, t: (
            score(p, t, everyone=True)
        ),
        "That's the sum over the queries. Take the mean.": lambda p, t: score(p, t, mean=False),
        "You used one earlier copy. A token can have several, so add up the weights after all of "
        "them.": lambda p, t: score(p, t, last_only=True),
        "That's the mean of all weights. Take only those on tokens that followed earlier copies.": (
            lambda p, t: p.mean()
        ),
    }
    return compare(attempt, cases, score, mistakes, "Right. A head that did nothing else would get 1.")


# --- 05 ffn


def _bend(x) -> np.ndarray:
    """Return silu, number by number."""
    return np.array([float(v) / (1 + math.exp(-float(v))) for v in np.ravel(x)]).reshape(np.shape(x))


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
        "You applied silu to up. Apply it to the gate.": lambda x, gate, up, down: feed(x, up, gate, down),
        "The curve is missing. Apply silu to x @ W_gate.": lambda x, gate, up, down: feed(
            x, gate, up, down, bend=lambda v: v
        ),
        "You add gate and up. Multiply them.": lambda x, gate, up, down: (_bend(x @ gate) + x @ up) @ down,
        "Up is missing. Multiply silu(x @ W_gate) by x @ W_up.": lambda x, gate, up, down: (
            _bend(x @ gate) @ down
        ),
        "The gate is missing. Multiply silu(x @ W_gate) by x @ W_up.": lambda x, gate, up, down: (
            _bend(x @ up) @ down
        ),
        "You applied the logistic curve. silu multiplies it by the gate itself.": lambda x, gate, up, down: (
            feed(x, gate, up, down, bend=lambda v: 1 / (1 + np.exp(-v)))
        ),
        "You applied relu to the gate. silu is x / (1 + e^(−x)).": lambda x, gate, up, down: feed(
            x, gate, up, down, bend=lambda v: np.maximum(v, 0)
        ),
        "You applied silu to the product. Apply it to the gate first, then multiply by up.": lambda x, gate, up, down: (
            _bend((x @ gate) * (x @ up)) @ down
        ),
        "Those are the neurons' activations. Multiply them by W_down (@) to return to the width "
        "of the stream.": lambda x, gate, up, down: _bend(x @ gate) * (x @ up),
        "That's the stream afterwards. Return only what is added to it.": lambda x, gate, up, down: (
            x + feed(x, gate, up, down)
        ),
    }
    return compare(attempt, cases, feed, mistakes, "Right. Most of the model's parameters are in this part.")


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
        "That's for an activation of 1. Multiply by hidden[i].": lambda hidden, down, direction, i: float(
            down[i] @ direction
        ),
        "You lost the sign. A neuron can push the other way, so keep it.": lambda hidden, down, direction, i: (
            abs(along(hidden, down, direction, i))
        ),
        "That's right where hidden[i] is above zero. Below zero, the neuron adds the opposite of its row.": [
            lambda hidden, *case: along(abs(hidden), *case),
            lambda hidden, *case: along(np.maximum(hidden, 0), *case),
        ],
        "That's what all neurons add together. Take neuron i only.": lambda hidden, down, direction, i: float(
            hidden @ down @ direction
        ),
        "That's the vector it writes. Take its dot product with the direction.": lambda hidden, down, direction, i: (
            hidden[i] * down[i]
        ),
        "Those are the single products. Add them up (@ does both).": lambda hidden, down, direction, i: (
            hidden[i] * down[i] * direction
        ),
        "You used column i of W_down. Neuron i writes row i.": lambda hidden, down, direction, i: (
            along(hidden, down.T, direction, i) if len(down) == 4 else None
        ),
    }
    return compare(
        attempt, cases, along, mistakes, "Right. Added up over all neurons, that's what the FFN adds."
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
        (np.array([9000.0, 9001.0]), 2.0),  # e^4500 is too large for a float
    ]
    mistakes: Mistakes = {
        "Your temperature has no effect. Divide the logits by it before you raise e to that "
        "power.": lambda x, t: formula(x, 1.0),
        "You multiply by the temperature. Divide by it.": lambda x, t: formula(x * t, 1.0),
        "Your powers don't add up to 1 yet. Divide them by their sum.": [
            lambda x, t: np.exp(x / t),
            lambda x, t: np.exp((x - x.max()) / t),
        ],
        "That works for small logits, but large ones overflow. Subtract the largest logit from "
        "all of them first.": lambda x, t: np.exp(x / t) / np.exp(x / t).sum(),
    }
    return compare(attempt, cases, formula, mistakes, "Right. These are probabilities at any temperature.")


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
        """Keep the tokens for which below(sums, p); sums: of the probabilities, in descending order."""
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
        "What you kept doesn't add up to 1. Divide it by its sum.": lambda q, p: keep(q, p, rescale=False),
        "You drop the token that takes the sum past p. Keep it, too.": [
            partial(keep, one_too_few=True),
            partial(by_sums, below=np.less),
            partial(by_sums, below=np.less_equal),
        ],
        "You keep one token too many when the sum is exactly p. “At least p” is reached at p "
        "itself.": lambda q, p: by_sums(q, p, lambda sums, p: np.append(0, sums[:-1]) <= p),
        "You start with the unlikeliest token. Sort the other way round.": lambda q, p: keep(q, p, first=min),
        "That's min-p. Add up the probabilities, largest first, until they reach p.": lambda q, p: scaled(
            q, q >= p * q.max()
        ),
        "You compare each probability with p. The kept tokens must reach p together.": lambda q, p: scaled(
            q, q >= p
        ),
        "You add up in the order of the table. Sort by probability first, in descending order.": lambda q, p: (
            scaled(q, np.cumsum(q) - q < p)
        ),
    }
    return compare(attempt, cases, keep, mistakes, "Right. These tokens are called the nucleus.")


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
        "That's always the likeliest token. Use the random number u.": lambda q, u: int(q.argmax()),
        "Your index is one too high. The first token has index 0.": lambda q, u: formula(q, u) + 1,
        "Your index is one too low. The first token has index 0.": lambda q, u: formula(q, u) - 1,
        "You sorted the probabilities. Lay them on the line in the order of the tokens.": lambda q, u: int(
            np.argsort(-q)[formula(np.sort(q)[::-1], u)]
        ),
        "That's a rank in the sorted list. Return the index of the token.": lambda q, u: formula(
            np.sort(q)[::-1], u
        ),
        "You can hit a token with probability 0. On an edge, take the piece to its right "
        '(side="right").': lambda q, u: int(np.searchsorted(np.cumsum(q), u)),
    }
    return compare(
        attempt, cases, formula, mistakes, "Right. Each token is drawn as often as its probability says."
    )
