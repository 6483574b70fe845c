"""Follow a fact through the model: a text that asks for it, its twin with another subject, and four steps between.

Each step switches a part off, which breaks everything that needs it, and patches it from the twin's run, which changes
only what differs between the two. Each has its control.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from llmviz import ops
from llmviz.edits import Edits, put
from llmviz.experiments.ablation import ablate, knockout_attention
from llmviz.experiments.answers import CAPITAL_OF
from llmviz.experiments.attention_behaviours import random_heads
from llmviz.experiments.attribution import ov_logits
from llmviz.experiments.patching import (
    Pair,
    fact_mover_head,
    head_outputs,
    pair_of,
    patch_component,
    patch_heads,
    patch_residual,
)
from llmviz.model import Model, Trace

N_RANDOM = 10  # heads, as a control
HALF = 0.5  # of its usual probability: below it, an answer counts as lost, and above it, as brought out by a patch

CITIES = {  # the capital and another city
    "Germany": ("Berlin", "Hamburg"),
    "France": ("Paris", "Lyon"),
    "Japan": ("Tokyo", "Nagasaki"),
    "England": ("London", "Manchester"),
}
CAPITAL = "The capital of {} is"
WORDINGS = CAPITAL, "The capital of {} is called"
# Of 28 tried, the ten that the model knows best: the capital is the likeliest token, with 45% or more.
KNOWN_BEST = "France Germany Japan China Greece Portugal England Sweden Hungary Kenya"
CAPITALS = {country: CAPITAL_OF[country] for country in KNOWN_BEST.split()}


def why_no_fact(pair: Pair | None) -> Literal["no twin", "same answer", "close answers"] | None:
    """Return why there is no fact to follow, or None.

    In the other text's run, each answer must have less than half of its usual probability. Otherwise, a patch that
    brings out half of it would show nothing.
    """
    if pair is None:
        return "no twin"
    if pair.answers[0] == pair.answers[1]:
        return "same answer"
    (own, theirs), (own_in_twin, twins) = (
        ops.softmax(run.logits)[pair.answers] for run in (pair.trace, pair.twin)
    )
    return "close answers" if own_in_twin >= HALF * own or theirs >= HALF * twins else None


def checked_pair(pair: Pair | None) -> Pair:
    """Return the pair itself; ValueError if there is no fact to follow."""
    if (problem := why_no_fact(pair)) is not None or pair is None:
        raise ValueError(
            f"there is no fact to follow in this pair ({problem}): choose another subject or another word for its twin"
        )
    return pair


def subject_of(pieces: Sequence[str]) -> int:
    """Return the position of the last name before the last token, or of the last token but one."""
    words = [piece.strip() for piece in pieces[:-1]]
    names = [at for at, word in enumerate(words) if at and word[1:] and word.istitle()]
    return names[-1] if names else max(0, len(pieces) - 2)


def twin_with(trace: Trace, word: str, subject: int) -> Pair | None:
    """Return the pair whose twin has a typed word at the subject; None if the subject is the last token.

    ValueError if the word is not one token.
    """
    if subject == len(trace.tokens) - 1:
        return None
    space, word = " " * trace.pieces[subject].startswith(" "), word.strip()
    if not word:
        raise ValueError("type a word for the twin")
    tokens = trace.model.tokenizer.encode(space + word)
    if len(tokens) != 1:
        raise ValueError(f"the twin's word must be one token; “{word}” is {len(tokens)}")
    return pair_of(trace.model, trace.tokens, tokens[0], subject)


def question_pair(model: Model, own: str, twin: str, question: str = CAPITAL) -> Pair:
    """Run a question about a subject, and its twin about another subject; each subject is one token."""
    tokens = model.tokens_of(question.format(own))
    subject, other = (model.tokenizer.encode(f" {word}")[0] for word in (own, twin))
    return pair_of(model, tokens, other, tokens.index(subject))


def capital_question(model: Model) -> str:
    """Return the first of `WORDINGS` with which there is a fact to follow; if there is none, the first."""
    usable = (q for q in WORDINGS if why_no_fact(question_pair(model, "France", "Germany", q)) is None)
    return next(usable, CAPITAL)


def capital_pairs(model: Model) -> Iterator[Pair]:
    """Yield the pair of each country's question, with the next country as the twin's subject."""
    names, question = list(CAPITALS), capital_question(model)
    for name, following in zip(names, [*names[1:], names[0]]):
        yield question_pair(model, name, following, question)


Tests = tuple[list[Edits], list[Edits], list[Edits], list[Edits]]


def fact_tests(pair: Pair, head: tuple[int, int] | None = None) -> list[Tests]:
    """Return the tests of four parts: FFNs at the subject; the head that moves the fact; what the last token reads
    before that head; and the FFNs after it.

    The tests of a part: it is switched off, then its control is; it is patched, then another patch follows to compare
    with. If a test has several edits, the strongest counts. head: None for the `fact_mover_head`.
    """
    n = pair.trace.model.config.n_layers
    layer, number = head or fact_mover_head(pair)
    subject, last = pair.subject, len(pair.trace.tokens) - 1
    after = range(layer + 1, n)
    ahead = range(max(0, layer - len(after)), layer)  # as many FFNs, before the head

    def ffns(layers: Sequence[int]) -> tuple[list[Edits], list[Edits]]:
        return [ablate("ffn_out", layers, last)], [patch_component(pair, "ffn_out", layers, last)]

    (late, late_patched), (before, before_patched) = ffns(after), ffns(ahead)
    every_head = list(np.ndindex(layer, pair.trace.model.config.n_heads))  # of the layers before it
    return [
        ffn_tests(pair),
        head_tests(pair, (layer, number)),
        (
            [knockout_attention(every_head, [subject], last)],
            [knockout_attention(every_head, [beside(pair)], last)],
            [patch_residual(pair, layer, [last])], [patch_residual(pair, layer, [subject])],
        ),
        (late, before, late_patched, before_patched),
    ]  # fmt: skip


def ffns_tested(model: Model) -> range:
    """Return the layers whose FFNs are tested at the subject: from a sixth to half of all."""
    n = model.config.n_layers
    return range(n // 6, n // 2 + 1)


def beside(pair: Pair) -> int:
    """Return the position of the token before the subject, a control; the last one if the subject is the first."""
    return pair.subject - 1 if pair.subject else len(pair.trace.tokens) - 1


def ffn_tests(pair: Pair) -> Tests:
    """Return the tests of FFNs at the subject, as `fact_tests` does; the other patch is of the first FFN."""
    layers, at = ffns_tested(pair.trace.model), pair.subject
    return (
        [ablate("ffn_out", layers, at)], [ablate("ffn_out", layers, beside(pair))],
        [patch_component(pair, "ffn_out", layers, at)], [patch_component(pair, "ffn_out", [0], at)],
    )  # fmt: skip


def patch_later_ffns(pair: Pair) -> Edits:
    """Return edits that patch all FFNs but the first at the subject."""
    return patch_component(pair, "ffn_out", range(1, pair.trace.model.config.n_layers), pair.subject)


def head_tests(pair: Pair, head: tuple[int, int]) -> Tests:
    """Return the tests of a head at the last token, as `fact_tests` does; the control is ten random heads."""
    config, last = pair.trace.model.config, len(pair.trace.tokens) - 1
    # The last layer first, because a run reuses all layers before its edit.
    others = sorted(random_heads((config.n_layers, config.n_heads), N_RANDOM, [head], 0), reverse=True)

    def off(layer: int, number: int) -> Edits:
        return ablate("z", [layer], last, number)

    def patched(layer: int, number: int) -> Edits:
        return patch_component(pair, "z", [layer], last, number)

    return [off(*head)], [off(*at) for at in others], [patched(*head)], [patched(*at) for at in others]


def rank_of_answer(pair: Pair | None, head: tuple[int, int] | None = None, *, in_twin: bool = False) -> int:
    """Return the answer's rank, from 1, by how much a head pushes each token up at the subject, or at the twin's.

    head: None for the `fact_mover_head`. ValueError without a fact to follow.
    """
    pair = checked_pair(pair)
    run = pair.twin if in_twin else pair.trace
    pushed = ov_logits(run, *(head or fact_mover_head(pair)), pair.subject)
    return _rank(pushed, pair.answers[0])


def _rank(pushed: Float[np.ndarray, " n_vocab"], token: int) -> int:
    return 1 + int((pushed > pushed[token]).sum())


def city_ranks(model: Model) -> dict[str, dict[str, int]]:
    """Return each city's rank, from 1, by how much the `fact_mover_head` pushes it up at its country."""
    question, encode, ranks = capital_question(model), model.tokenizer.encode, {}
    head = fact_mover_head(question_pair(model, "Germany", "France", question))
    for country, cities in CITIES.items():
        trace = model.trace(question.format(country))
        pushed = ov_logits(trace, *head, trace.tokens.index(encode(f" {country}")[0]))
        ranks[country] = {city: _rank(pushed, encode(f" {city}")[0]) for city in cities}
    return ranks


def of_usual(pair: Pair, edits: Edits) -> Float[np.ndarray, "2"]:
    """Return the probability of both answers with edits, in % of what each has in its own text."""
    return next(of_usual_each(pair, [edits]))


def of_usual_each(pair: Pair, each: Iterable[Edits]) -> Iterator[Float[np.ndarray, "2"]]:
    """Yield `of_usual` for each of several edits, which is quicker."""
    usual = pair.usual_probs()
    return (100 * probs.astype(float) / usual for probs in pair.answer_probs_each(each))


def of_usual_in_test(pair: Pair, number: int, row: int, head: tuple[int, int] | None = None) -> np.ndarray:
    """Return `of_usual` in a test of `fact_tests`; of several edits, the strongest. NaN without a fact to follow.

    number: the part, from 1. row: 0 the part is switched off, 1 its control is, 2 the part is patched, 3 another patch.
    """
    if why_no_fact(pair):
        return np.full(2, np.nan)
    tests = fact_tests(pair, head)[number - 1][row]
    by_strength = sorted(of_usual_each(pair, tests), key=lambda both: both[int(row > 1)])
    return by_strength[-1 if row > 1 else 0]


def most_by_another_head(pair: Pair, head: tuple[int, int]) -> float:
    """Patch every other head at the last token, one at a time; return the most that one brings out, in %."""
    config = pair.trace.model.config
    heads = [at for at in np.ndindex(config.n_layers, config.n_heads) if at != head]
    each = (patch_component(pair, "z", [layer], -1, number) for layer, number in heads)
    return max(twins for _, twins in of_usual_each(pair, each))


def left_without_ffns(pair: Pair, choices: Iterable[Sequence[int]], *, at_first: bool = False) -> float:
    """Measure what is left of the answer, in %, without FFNs of some layers: the least that a choice of layers leaves.

    The FFNs are switched off at the subject, or at the first token.
    """
    at = 0 if at_first else pair.subject
    each = (ablate("ffn_out", layers, at) for layers in choices)
    return min(own for own, _ in of_usual_each(pair, each))


def left_with_mean_ffns(pair: Pair, texts: Iterable[str], layers: Sequence[int]) -> float:
    """Measure what is left of the answer, in %, if FFNs add their means over other texts at the subject."""
    runs = [run for text in texts if (run := pair.trace.model.trace(text)).tokens != pair.trace.tokens]
    at, changes = slice(pair.subject, pair.subject + 1), {}
    for layer in layers:
        mean = np.mean([run.blocks[layer].ffn_at(at).out[0] for run in runs], axis=0)
        changes["ffn_out", layer] = put(mean, positions=pair.subject)
    return of_usual(pair, Edits(at=changes))[0]


def lead_of_the_twin(model: Model, words: tuple[str, str], *, part: str, first: int = 0) -> float:
    """Patch a part of the layers from `first` on at the subject from the twin's run.

    Return the lead of the twin's answer, in percentage points.
    """
    pair = question_pair(model, *words)
    edits = patch_component(pair, part, range(first, model.config.n_layers), pair.subject)
    own, twins = 100 * pair.answer_probs(edits)
    return float(twins - own)


def change_heads(
    pair: Pair, sets: Sequence[Sequence[tuple[int, int]]], n_draws: int
) -> Iterator[tuple[float, tuple[np.ndarray, np.ndarray] | None]]:
    """Change sets of heads at the last token; yield the share that is done, and finally the probabilities.

    The first are of both answers [2 + n_sets, 2, 2]: nothing changed, each set, and the mean over draws of as many
    random heads as the first set has, none of which is in it; switched off, and patched from the twin's run. The second
    are of both answers [2], if no head may attend to the subject.
    """
    z = head_outputs(pair.twin)
    draws = [random_heads(z.shape[:2], len(sets[0]), sets[0], seed) for seed in range(n_draws)]
    rows: list[Sequence[Sequence[tuple[int, int]]]] = [*([heads] for heads in sets), draws]
    values = np.tile(pair.answer_probs(), (1 + len(rows), 2, 1))
    for i, runs in enumerate(rows, 1):
        for way, given in enumerate((0 * z, z)):
            values[i, way] = np.mean(
                [*pair.answer_probs_each(patch_heads(given, heads) for heads in runs)], axis=0
            )
        yield i / len(values), None
    every_head = [*np.ndindex(*z.shape[:2])]
    yield 1.0, (values, pair.answer_probs(knockout_attention(every_head, [pair.subject])))


def mover_patched(pair: Pair) -> tuple[list[float], tuple[int, int]]:
    """Patch the `fact_mover_head` at the last token; return four probabilities, and the head.

    They are those of the text's own answer, unpatched and patched; and those of the twin's, patched, and with the
    strongest of ten random heads patched. Without a fact to follow, all but the first are NaN.
    """
    head = fact_mover_head(pair)
    if why_no_fact(pair):
        return [float(pair.usual_probs()[0]), *[np.nan] * 3], head
    _, _, (patched,), random = head_tests(pair, head)
    strongest = max(float(twins) for _, twins in pair.answer_probs_each(random))
    return [float(pair.usual_probs()[0]), *map(float, pair.answer_probs(patched)), strongest], head


def brought_out(values: Float[np.ndarray, "countries 4"]) -> np.ndarray:
    """Return [countries, 2]: whether the head, and a random one, brings out more than half of the twin's capital.

    values: rows of `mover_patched`, in which each country is the twin of the one before.
    """
    return values[:, 2:] > HALF * np.roll(values[:, :1], -1, axis=0)
