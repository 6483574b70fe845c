"""What popular explanations say, and how each sentence is tried on this model: on many examples, with a control.

An example gives a row of numbers, the saying's own first and then those of its controls; what bears a saying out is
asked of such a row, so that no example counts unless its control stands beside it. Nothing here is shown.
"""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from llmviz import embeddings, experiments, sampling
from llmviz.claims.cases import (
    ARTICLES,
    FAMILIES,
    HARDER_SUMS,
    MORE_CAPITALS,
    QUESTIONS,
    RELATED,
    SINGULAR,
    TEXTS,
)
from llmviz.edits import Edits
from llmviz.experiments.facts import CAPITALS as COUNTRIES
from llmviz.experiments.neurons import enough_for_half
from llmviz.experiments.table import analogy_score
from llmviz.experiments.words import in_list, pairs_of, plain_words
from llmviz.model import Model
from llmviz.ops import softmax
from llmviz.sampling import Sampler
from llmviz.views.kit.claims import Claim
from llmviz.views.sampling.right_by_temperature import CAPITALS, SUMS

Row = tuple[float, ...]
WRITTEN = 10  # tokens that are written behind a text
READ = 8  # tokens of a text that is run once for each of them
SPACED = {name: some for name, some in ARTICLES.items() if name != "English" and " " in some[0]}
KINDS = "capitals,", "small sums,", "sums of two-digit numbers,"
# For what runs the model many times: short ones, of different kinds.
EIGHT = dict(islice(((name, text) for name, text in TEXTS.items() if 20 < len(text) < 130), 8))


@dataclass(frozen=True, eq=False)
class Saying:
    """A sentence, and how it is tried."""

    page: str  # where this series tells more of it
    said: str
    of: str  # what its examples are: "texts", "words"
    examples: Callable[[Model], Mapping[str, Any]]
    measure: Callable[[Model, Any], Row]  # of one example; ValueError where this model cannot be asked
    bears_out: Callable[..., bool | None]  # of such a row; None where it is about something else
    told: Callable[[np.ndarray], str]  # [n_numbers, n_examples]

    @property
    def title(self) -> str:
        return f"{self.page} · {self.said}"


def tried(model: Model, saying: Saying, rows: dict[str, Row]) -> Iterator[float]:
    """Put into `rows` the row of each example, by its name; yields the share of them that is done.

    Left out is what this model cannot be asked: a word that is not one token, a character without one, and where its
    numbers overflow.
    """
    examples = saying.examples(model)
    for i, (name, example) in enumerate(examples.items(), start=1):
        with contextlib.suppress(ValueError, FloatingPointError):
            rows[name] = saying.measure(model, example)
        yield i / len(examples)


def numbers(model: Model, saying: Saying) -> dict[str, Row]:
    """All rows."""
    rows: dict[str, Row] = {}
    list(tried(model, saying, rows))
    return rows


def counted(saying: Saying, rows: Mapping[str, Row]) -> tuple[int, int]:
    """How many examples bear the saying out, and of how many."""
    answers = [one for row in rows.values() if (one := saying.bears_out(*row)) is not None]
    return sum(map(bool, answers)), len(answers)


def verdict(agree: int, n: int) -> str:
    """ "holds" from 9 of 10 on, "fails" up to 1 of 10, else "holds in part"."""
    if not n:
        return "cannot be tried here"
    return "holds" if agree >= 0.9 * n else "fails" if agree <= 0.1 * n else "holds in part"


def claim(saying: Saying, rows: Mapping[str, Row]) -> Claim:
    """The row of the table, worded by these numbers."""
    agree, n = counted(saying, rows)
    if not n:
        return Claim(saying.title, "this model has no token for what would be asked", verdict(agree, n))
    told = saying.told(np.array(list(rows.values()), float).T)
    return Claim(saying.title, told, f"{verdict(agree, n)}: {agree} of {n:,} {saying.of}")


# --- 00 the loop -----------------------------------------------------------------------------------------------------


def picks(model: Model, text: str) -> Row:
    """Of the tokens written at temperature 1, % that were the likeliest; and % to be expected, its mean probability."""
    steps = list(model.generate(text, WRITTEN, Sampler(), seed=1))
    return (
        100 * float(np.mean([step.token == step.logits.argmax() for step in steps])),
        100 * float(np.mean([step.probs.max() for step in steps])),
    )


def settled(model: Model, texts: tuple[str, str]) -> Row:
    """In how many layers, the last not counted, the token that is first in the end is first and stays it; its place
    halfway, and there that of the token that is first in the end of the other text."""
    text, other = texts
    lens = experiments.logit_lens(model.trace(text), last=1)
    answer, others = int(lens.guesses[-1, -1]), int(model.trace(other).logits.argmax())
    first_from = 1 + int(np.flatnonzero(lens.guesses[:, -1] != answer).max(initial=-1))
    own, control = lens.ranks([answer, others])[:, model.config.n_layers // 2]
    return float(model.config.n_layers - first_from), float(own), float(control)


# --- 01 tokenization -------------------------------------------------------------------------------------------------


def one_token(model: Model, word: tuple[str, bool]) -> Row:
    """1 where the word is a token; where it is with its letters shuffled; whether it is one of another language's."""
    text, foreign = word
    shuffled = "".join(np.random.default_rng(list(text.encode())).permutation(list(text)))
    return float(in_list(text, model.tokenizer)), float(in_list(shuffled, model.tokenizer)), float(foreign)


def surcharge(model: Model, sentences: tuple[str, ...]) -> Row:
    """Tokens over those of the English sentence, in the cheapest of them; and characters likewise, in the longest."""
    pairs, encode = list(zip(sentences, ARTICLES["English"])), model.tokenizer.encode
    tokens = min(len(encode(here)) / len(encode(english)) for here, english in pairs)
    return tokens, max(len(here) / len(english) for here, english in pairs)


# --- 02 embeddings ---------------------------------------------------------------------------------------------------


def related(model: Model) -> dict[str, tuple[int, list[int]]]:
    """Pairs that are a token each: the place of the own partner among the partners of all, and first all tokens."""
    found = {name.strip(): pairs_of(name, model.tokenizer) for name in RELATED.split(",")}
    pairs = {name: one[0] for name, one in found.items() if one}
    partners = [b for _, b in pairs.values()]
    return {name: (a, [b, *(other for other in partners if other != b)]) for name, (a, b) in pairs.items()}


def alike(model: Model, words: tuple[int, list[int]]) -> Row:
    """The cosine with the own partner, and the highest and the median one with the partners of other words."""
    W_E = model.weights.W_E
    partners = W_E[words[1]]
    own, *others = embeddings.cosine_similarity(
        np.broadcast_to(W_E[words[0]], partners.shape), partners
    ).tolist()
    return own, max(others), float(np.median(others))


def analogies(model: Model, listed: str) -> Row:
    """% of the questions in which a − b + c comes out right, a + c does, c alone does, and a − b + c does with nothing
    left out; and how many questions."""
    pairs = pairs_of(listed, model.tokenizer)
    if len(pairs) < 2:
        raise ValueError("there is no question")
    score = analogy_score(model, pairs, centred=False)
    found = score.right, score.added, score.c_alone, score.untouched
    return *(100 * one / score.asked for one in found), float(score.asked)


# --- 03 position -----------------------------------------------------------------------------------------------------


def shuffled(model: Model, text: str) -> Row:
    """How much of the next token's probability moves, in %, when all tokens but the last are shuffled: without RoPE,
    with it, and with neither RoPE nor the causal mask. At most 20 tokens."""
    tokens = model.tokenizer.encode(text)[:20]
    other = [*np.random.default_rng(0).permutation(tokens[:-1]).tolist(), tokens[-1]]
    ways = Edits(rope=False), Edits(), Edits(rope=False, causal_mask=False)
    return tuple(
        100 * experiments.moved(*(softmax(model.trace(ids, edits).logits) for ids in (tokens, other)))
        for edits in ways
    )


# --- 04 attention ----------------------------------------------------------------------------------------------------


def looks(model: Model, noun: str) -> Row:
    """From "was" in "The … that I saw yesterday was": the noun's share of the attention, the mean of all heads in %,
    the largest that one of the words between has, and how many heads give the noun more than half."""
    trace = model.trace(f"The {noun} that I saw yesterday was")
    if len(trace.tokens) != 7:
        raise ValueError("the noun must be one token")
    weights = experiments.weights_from(trace, -1)
    mean = 100 * weights.mean(axis=(0, 1))
    return float(mean[1]), float(mean[2:6].max()), float((weights[..., 1] > 0.5).sum())


def knocked_out(model: Model, text: str) -> Row:
    """No head may look from the last token at one of the others, the first left out: the place, by what that moves, of
    the token that gets most attention; of how many."""
    tokens = model.tokenizer.encode(text)[:READ]
    trace, last = model.trace(tokens), len(tokens) - 1
    if last < 3:
        raise ValueError("there is nothing to choose from")
    before, layers = softmax(trace.logits), range(model.config.n_layers)
    cost = [
        experiments.moved(before, softmax(model.trace(tokens, experiments.blind(layers, last, key)).logits))
        for key in range(1, last)
    ]
    most = experiments.weights_from(trace, -1).mean(axis=(0, 1))[1:last].argmax()
    return float(1 + (np.array(cost) > cost[most]).sum()), float(last - 1)


def copies(model: Model, seed: int) -> Row:
    """20 random tokens, then the same again: % for the right next token with the eight strongest induction heads off,
    with eight others off, and as it is."""
    tokens = experiments.random_tokens(model, 20, seed)
    heads = experiments.induction_scores(model.trace(tokens * 2))
    strongest = experiments.strongest(heads, 8)
    others = experiments.random_heads(heads.shape, 8, strongest, seed)
    return tuple(
        100 * experiments.copying(model, tokens, Edits(head=dict.fromkeys(off, 0)))
        for off in (strongest, others, ())
    )


# --- 05 FFN ----------------------------------------------------------------------------------------------------------


def swapped_ffns(model: Model, countries: tuple[str, str]) -> Row:
    """ "The capital of France is", where all FFNs but the first do at "France" what they do at another country: % for
    the other's capital, and for the own; % for the other's if the first does, and if the head that moves it does."""
    name, other = countries
    (token,) = model.tokenizer.encode(f" {other}")
    pair = experiments.pair_of(model, f"The capital of {name} is", token)
    layer, head = experiments.mover(pair)
    later, first, moving = (
        100 * pair.shares(experiments.swap_at(pair, *part))
        for part in (
            ("ffn_out", range(1, model.config.n_layers), pair.subject),
            ("ffn_out", [0], pair.subject),
            ("z", [layer], len(pair.trace.tokens) - 1, head),
        )
    )
    return tuple(map(float, (later[1], later[0], first[1], moving[1])))


def half_of_the_writing(model: Model, text: str) -> Row:
    """How many neurons do half of a layer's writing, and how many if gates, ups and rows were dealt out by chance."""
    return tuple(np.median(enough_for_half(model.trace(text)), axis=1).tolist())


# --- 06 sampling -----------------------------------------------------------------------------------------------------


def twice(model: Model, text: str) -> Row:
    """1 where two seeds write the same at temperature 0; and where they do at temperature 1."""

    def written(temperature: float, seed: int) -> list[int]:
        steps = model.generate(text, WRITTEN // 2, Sampler(temperature=temperature), seed=seed)
        return [step.token for step in steps]

    return tuple(float(written(t, 1) == written(t, 2)) for t in (0, 1))


def outside(model: Model, text: str) -> Row:
    """% of the probability outside the 20 likeliest tokens, at the temperatures 2, 1 and 0.5."""
    logits = model.trace(text).logits
    return tuple(100 * sampling.mass_outside(Sampler(temperature=t).probs(logits), 20) for t in (2, 1, 0.5))


def sure_and_right(model: Model, question: tuple[str, str, str, int]) -> Row:
    """The answer to a question in a chat, begun: % for its likeliest next token; 1 where that is right; the kind."""
    asked, begun, right, kind = question
    chat = model.tokenizer.encode_chat([{"role": "user", "content": asked}])
    logits = model.trace([*chat, *model.tokenizer.encode(begun)]).logits
    first = int(logits.argmax())
    return 100 * float(softmax(logits)[first]), float(first == model.tokenizer.encode(right)[0]), float(kind)


# --- 07 what makes models different ----------------------------------------------------------------------------------


def template(model: Model, question: str) -> Row:
    """1 where a bare question and one in the chat template get the same first token; % for the end token in each."""
    asked = question, model.tokenizer.encode_chat([{"role": "user", "content": question}])
    logits = [model.trace(one).logits for one in asked]
    ends = [100 * float(softmax(one)[model.tokenizer.eos_token]) for one in logits]
    return float(logits[0].argmax() == logits[1].argmax()), *ends


# --- all of them -----------------------------------------------------------------------------------------------------


def _n(values: np.ndarray) -> str:
    """How many are 1."""
    return f"{int((values == 1).sum())} of {len(values):,}"


def _next(texts: Mapping[str, Any]) -> dict[str, tuple]:
    """Each with the one behind it."""
    values = [*texts.values()]
    return dict(zip(texts, zip(values, [*values[1:], values[0]])))


def _questions(_model: Model) -> dict[str, tuple[str, str, str, int]]:
    """What is asked, how the answer begins, how it goes on rightly, and the kind: 0 capitals, 1 sums, 2 harder sums."""
    kinds = CAPITALS | MORE_CAPITALS, SUMS, HARDER_SUMS
    return {
        begun: (f"What is {begun.removesuffix('is').strip(' =').replace('The', 'the')}?", begun, right, kind)
        for kind, some in enumerate(kinds)
        for begun, right in some.items()
    }


def _plain_words(_model: Model) -> dict[str, tuple[str, bool]]:
    """Those of the English texts, and those of other languages that put spaces between words."""
    english = [text for name, text in TEXTS.items() if name != "French"]
    kinds = (True, [one for some in SPACED.values() for one in some]), (False, english)
    return {
        word: (word, foreign)
        for foreign, texts in kinds
        for text in texts
        for word in plain_words(text)
        if len(word) > 3 and not any(mark in word for mark in string.punctuation)
    }


def _span(values: np.ndarray, unit: str = "%") -> str:
    return f"{np.nanmedian(values):.0f}{unit} ({np.nanmin(values):.0f} to {np.nanmax(values):.0f})"


SAYINGS = (
    Saying(
        "00",
        "It always picks the most likely word.",
        "texts",
        lambda _: EIGHT,
        picks,
        lambda hit, expected: hit == 100 if expected < 99 else None,
        lambda t: (
            f"{WRITTEN} tokens behind each text at temperature 1: {_span(t[0])} were the likeliest, where its mean "
            f"probability was {np.median(t[1]):.0f}%. Only temperature 0 picks it always."
        ),
    ),
    Saying(
        "00",
        "Layer by layer the answer takes shape.",
        "texts",
        lambda _: _next(TEXTS),
        settled,
        lambda layers, own, control: layers > 0 and own < control,
        lambda t: (
            f"Halfway through the layers the token that comes first in the end has place {np.median(t[1]):,.0f} "
            f"(another text's: {np.median(t[2]):,.0f}). It is first before the last layer, and stays it, in "
            f"{int((t[0] > 0).sum())} of {t.shape[1]}."
        ),
    ),
    Saying(
        "01",
        "A token is a word, in English at least.",
        "English words",
        _plain_words,
        one_token,
        lambda token, shuffled, foreign: None if foreign else token > shuffled,
        lambda t: (
            f"Of four letters and more: in {len(TEXTS) - 1} texts {_n(t[0, t[2] == 0])} are one "
            f"token, with their letters shuffled {_n(t[1, t[2] == 0])}; in {len(SPACED)} other languages "
            f"{_n(t[0, t[2] == 1])}."
        ),
    ),
    Saying(
        "01",
        "Other languages cost more tokens than English.",
        "languages",
        lambda _: {name: one for name, one in ARTICLES.items() if name != "English"},
        surcharge,
        lambda tokens, characters: tokens > max(1, characters),
        lambda t: (
            f"The same sentence: {np.median(t[0]):.1f} times the tokens ({t[0].min():.1f} to {t[0].max():.1f}), with "
            f"{np.median(t[1]):.1f} times the characters ({t[1].min():.1f} to {t[1].max():.1f})."
        ),
    ),
    Saying(
        "02",
        "Words used alike lie close together.",
        "pairs",
        related,
        alike,
        lambda own, best, median: own > best,
        lambda t: (
            f"Pairs such as king, queen: cosine {np.median(t[0]):.2f}; with the partners of other words "
            f"{np.median(t[2]):.2f}. The own partner is the nearest of all {t.shape[1]} for "
            f"{int((t[0] > t[1]).sum())}; by chance, for one."
        ),
    ),
    Saying(
        "02",
        "king − man + woman = queen.",
        "families of words",
        lambda _: FAMILIES,
        analogies,
        lambda right, added, alone, untouched, asked: right > max(50, added, alone),
        lambda t: (
            f"{t[4].sum():,.0f} questions, their own words left out: right {_span(t[0])}; king + woman {_span(t[1])}; "
            f"woman alone {_span(t[2])}. With nothing left out {_span(t[3])}."
        ),
    ),
    Saying(
        "03",
        "Without positions a text is a bag of words.",
        "texts",
        lambda _: EIGHT,
        shuffled,
        lambda without, as_it_is, no_mask: without < 1,
        lambda t: (
            f"All words but the last shuffled: without RoPE {_span(t[0])} of the probability moves, with it "
            f"{np.median(t[1]):.0f}%. Without RoPE and the causal mask {t[2].max():.1f}% at most."
        ),
    ),
    Saying(
        "04",
        "“was” attends to its noun.",
        "nouns",
        lambda _: {noun: noun for noun in SINGULAR},
        looks,
        lambda noun, other, heads: noun > other,
        lambda t: (
            f"“The cat that I saw yesterday was”: the noun gets {np.median(t[0]):.1f}% of the attention (mean of all "
            f"heads), the strongest word between {np.median(t[1]):.1f}%. But {np.median(t[2]):.0f} heads give it over "
            "half."
        ),
    ),
    Saying(
        "04",
        "Attention shows what mattered.",
        "texts",
        lambda _: EIGHT,
        knocked_out,
        lambda place, of: place == 1,
        lambda t: (
            "No look at one token, from the last: the one with most attention (the first token left out) costs most "
            f"in {_n(t[0])} texts, where chance would hit {np.sum(1 / t[1]):.1f}."
        ),
    ),
    Saying(
        "04",
        "Induction heads copy patterns.",
        "nonsense rows",
        lambda _: {f"row {seed}": seed for seed in range(8)},
        copies,
        lambda without, others, as_it_is: without < others / 2,
        lambda t: (
            f"20 random tokens, repeated: the right next one has {_span(t[2])}. The eight strongest of such heads "
            f"off: {np.median(t[0]):.1f}%; eight random heads off: {np.median(t[1]):.0f}%."
        ),
    ),
    Saying(
        "05",
        "Facts are in the FFN layers.",
        "countries",
        lambda _: _next({name: name for name in COUNTRIES}),
        swapped_ffns,
        lambda others, own, first, head: others > own,
        lambda t: (
            "All FFNs but the first do at the country what they do at another one: its capital gets "
            f"{_span(t[0])}, the own one {_span(t[1])}. The first FFN alone: {_span(t[2])}; one head that reads the "
            f"country: {_span(t[3])}."
        ),
    ),
    Saying(
        "05",
        "Only few neurons fire.",
        "texts",
        lambda _: TEXTS,
        half_of_the_writing,
        lambda own, chance: own < chance / 2,
        lambda t: (
            f"Half of a layer's writing is done by {_span(t[0], ' neurons')}; gates, ups and rows dealt out by "
            f"chance, by {_span(t[1], '')}."
        ),
    ),
    Saying(
        "06",
        "At temperature 0 it gives the same answer every time.",
        "texts",
        lambda _: EIGHT,
        twice,
        lambda cold, warm: cold == 1 if warm == 0 else None,
        lambda t: (
            f"{WRITTEN // 2} tokens with two seeds, on this machine: the same for {_n(t[0])} texts; at temperature 1 "
            f"for {_n(t[1])}."
        ),
    ),
    Saying(
        "06",
        "A high temperature makes it wild.",
        "texts",
        lambda _: TEXTS,
        outside,
        lambda hot, warm, cold: hot > 50 > warm,
        lambda t: (
            f"Outside the 20 likeliest tokens lie {_span(t[0])} at temperature 2, {_span(t[1])} at 1, {_span(t[2])} "
            "at 0.5."
        ),
    ),
    Saying(
        "06",
        "A confident answer is a right one.",
        "answers over 50%",
        _questions,
        sure_and_right,
        lambda sure, right, kind: right == 1 if sure > 50 else None,
        lambda t: (
            "An answer in a chat, its next token. Over 50% sure, it is right for "
            + "; ".join(f"{name} {_n(t[1, (t[0] > 50) & (t[2] == kind)])}" for kind, name in enumerate(KINDS))
            + f". Up to 50%: {_n(t[1, t[0] <= 50])}."
        ),
    ),
    Saying(
        "07",
        "The chat template is only packaging.",
        "questions",
        lambda _: {question: question for question in QUESTIONS},
        template,
        lambda same, bare, wrapped: same == 1,
        lambda t: (
            f"Asked bare and in the template: the same first token for {_n(t[0])}. Bare, the end token "
            f"has {_span(t[1])}; in the template {_span(t[2])}."
        ),
    ),
)
