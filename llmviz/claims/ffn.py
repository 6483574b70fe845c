"""What notebook 05 says: of neurons, on texts, and of where a fact is, over countries and other words."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import permutations, product

import numpy as np

from llmviz import experiments
from llmviz.claims.cases import ELEMENTS, LONG, OPPOSITES, STATES, TEXTS, UNSEEN_TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, above, below, following, remembered, section
from llmviz.edits import Edits, put
from llmviz.experiments import Pair, fact_mover_head, facts, patch_residual
from llmviz.experiments.neurons import (
    ARTICLES,
    Detector,
    Found,
    article_detectors,
    both_kinds,
    contrast,
    contrasts_elsewhere,
    firing,
    furthest_growth,
    half_over_chance,
    most_agreeing,
    search,
    sentences_with,
    spelling,
    written_below_zero,
)
from llmviz.model import Model

CALLED, SPEAK = "The capital city of {} is called", "People in {} speak"
LARGEST, CAPITAL_IN = "The largest city in {} is", "In {}, the capital city is"
CURRENCY = "The currency of {} is the"
OPPOSITE, SYMBOL = "The opposite of {} is", "The chemical symbol of {} is"
STATE = "The capital of the state of {} is"
WORDS = ("dinner", "music", "water", "science", "table", "river", "winter", "money", "garden", "story")
KINDS = (
    "red blue green yellow", "dog cat horse cow", "Monday Tuesday Wednesday Friday", "London Paris Berlin Rome",
    "two three five seven", "not never always only", "run walk sing eat", "happy sad angry tired",
)  # fmt: skip
OTHER_SENTENCES = (
    "My sister wrote {} on the wall.", "What about {}, then?", "He laughed when he heard {} again.", "Not {}, but who?"
)  # fmt: skip
MOVER = (23, 4)  # layer, head
Words = tuple[str, ...]  # a subject, its twin's, and the question if it isn't that for the capital


@remembered
def tested(model: Model, words: Words, step: int, test: int, head: tuple[int, int] | None) -> np.ndarray:
    return facts.of_usual_in_test(facts.question_pair(model, *words), step, test, head)


def share(model: Model, words: Words, *, answer: int, step: int, test: int, head=MOVER) -> float:
    """Measure what a test leaves of the own answer (0) or brings out of the twin's (1). head: None for each pair's."""
    return tested(model, words, step, test, head)[answer]


left, brought = partial(share, answer=0), partial(share, answer=1)


def of_pair(measure: Callable[[Pair], float]) -> Callable:
    """Return a measure of a question and its twin as one of a case."""
    return lambda model, words: measure(facts.question_pair(model, *words))


def left_with_mean_of(words: Iterable[str]) -> Callable:
    """Return a measure of what is left with FFNs 5 to 15 at their mean over questions about these words."""
    texts = [facts.CAPITAL.format(word) for word in words]
    return of_pair(partial(facts.left_with_mean_ffns, texts=texts, layers=range(5, 16)))


def is_the_mover(runs: Pair) -> float:
    return math.nan if facts.why_no_fact(runs) else fact_mover_head(runs) == MOVER


def lowest_of_the_last(runs: Pair) -> float:
    return experiments.direct_logit_attribution(runs.trace, runs.answers[0], against="mean").ffn[24:].min()


def brought_by_attention(runs: Pair, layer: int) -> float:
    return facts.of_usual(runs, experiments.patch_component(runs, "attention_out", [layer], -1))[1]


def brought_from_currency(model: Model, words: Words, *, of_twin: bool) -> float:
    """Patch the head's output from the question for a currency; return how much of the twin's capital comes out, in %.

    The currency is the twin's, or the own one as a control.
    """
    layer, head = MOVER
    asked = model.trace(CURRENCY.format(words[of_twin]))
    output = asked.blocks[layer].attention.z[head, -1]
    edits = Edits(at={("z", layer): put(output, positions=[-1], head=head)})
    return facts.of_usual(facts.question_pair(model, *words), edits)[1]


before_the_head = of_pair(lambda runs: facts.of_usual(runs, patch_residual(runs, 23, -1))[0])


def most_of_things(model: Model, words: Words) -> float:
    return max(before_the_head(model, (words[0], thing)) for thing in WORDS[:4])


def asking(question: str, subjects: Iterable[str]) -> dict[str, Words]:
    """Return a question about each subject, with the next one as its twin, by the text."""
    return {question.format(own): (own, twin, question) for own, twin in following(subjects).values()}


@remembered
def of_articles(model: Model) -> list[Detector]:
    return article_detectors(model, LONG["a long story"], 2)


def article_contrast(model: Model, text: str, *, rank: int) -> float:
    """Measure on a text how well a neuron tells *a* and *an* apart: the best of the search (0), or the next (1)."""
    trace = model.trace(text)
    return float(contrasts_elsewhere(trace, [of_articles(model)[rank]], spelling(trace, ARTICLES))[0])


@remembered
def searched(model: Model, word: str, kind: str) -> tuple[Found, np.ndarray]:
    """Search for a word's neurons; return them, and the contrast of all neurons on a text that it hasn't seen."""
    words = kind.split()
    trace = model.trace(sentences_with(words))
    *_, last = search(trace, spelling(trace, {word}), least=2)
    story = model.tokenizer.decode(model.tokenizer.encode(LONG["a long story"])[:200])
    unseen = model.trace(f"{story} {sentences_with(words, OTHER_SENTENCES)}")
    layers = range(model.config.n_layers)
    return last, np.stack([contrast(firing(unseen, i), spelling(unseen, {word})) for i in layers])


def best_contrast(model: Model, words: tuple[str, str], *, by_chance: bool) -> float:
    """Measure the highest contrast for a word, or for as many tokens drawn at random."""
    last, _ = searched(model, *words)
    return last.by_chance if by_chance else max((d.contrast for d in last.detectors), default=0.0)


def held_elsewhere(model: Model, words: tuple[str, str], *, of_all: bool) -> float:
    """Measure how many of a word's neurons, or of all, fire most strongly at it on an unseen text, in %."""
    last, elsewhere = searched(model, *words)
    passed = elsewhere if of_all else [elsewhere[d.layer, d.neuron] for d in last.detectors]
    return 100 * float(np.mean(np.greater(passed, 1))) if len(passed) else math.nan


@remembered
def kinds_in(model: Model, text: str) -> tuple[float, float, float]:
    return both_kinds(model, text, n_tokens=512)


def share_of_kind(model: Model, text: str, *, which: int) -> float:
    """Measure one of `both_kinds` on the first 512 tokens."""
    return kinds_in(model, text)[which]


SIX = [2, 8, 9, 11, 27, 28]  # layers in which few neurons do the work at the first token
OTHERS = [layer for layer in range(30) if layer not in SIX]
COUNTRIES = following(facts.CAPITALS)  # each with the next one as its twin
PAIRS = {f"{own}, as {twin}": (own, twin) for own, twin in permutations(COUNTRIES, 2)}
PLACES = {f"{own}, as {twin}": (own, twin) for own, twin in product(COUNTRIES, ("Texas", "London", "Paris"))}
GREEK, *SPOKEN = (SPEAK.format(country) for country in ("Greece", "Germany", "Japan"))
BY_HEAD = {name: below(50) for name in PAIRS if name.endswith("Kenya") or name.startswith("Hungary")}
BY_HEAD["Hungary, as Portugal"] = above(50)  # the exceptions of `head_patched`; RANDOM: of its control
RANDOM = Bounds(within=below(1), at={f"{a}, as England": below(2.2) for a in ("France", "Germany", "Sweden")})
on_texts = partial(Claim, over="texts", cases=TEXTS)
times_chance = partial(on_texts, unit="times as many as by chance")
on_words = partial(Claim, over="words", cases={word: (word, kind) for kind in KINDS for word in kind.split()})
on_long = partial(Claim, over="long texts", cases=LONG)
on_countries = partial(Claim, over="countries", cases=COUNTRIES)
on_pairs = partial(Claim, over="pairs", cases=PAIRS)
on_asked = partial(Claim, over="questions", cases=asking(CALLED, COUNTRIES) | asking(SPEAK, COUNTRIES))
on_states = partial(Claim, over="states", cases=asking(STATE, STATES))

CLAIMS = (
    *section(
        "What an FFN does: on texts",
        below_zero_early=on_texts(
            "In layers 1 to 13, a neuron with a gate below zero writes more than half as much as another.",
            "Add up what both kinds write at the last token, divide by how many they are, and take the median layer.",
            partial(written_below_zero, layers=slice(1, 14)),
            Bounds(supports=above(50), count=14, control=Bounds(within=below(50))),
            control=("layers 24 to 29", partial(written_below_zero, layers=slice(24, 30))),
        ),
        no_plain_matrix=on_texts(
            "An FFN isn't a plain matrix: its gate makes the output grow more.",
            "Double the input vector and compare the length of the output, in every layer. A matrix would give 2.",
            partial(furthest_growth, curve=0),
            Bounds(within=(2.8, 4.7), control=Bounds(within=(1.9, 2.25))),
            control=("silu(up), without a gate", partial(furthest_growth, curve=2)),
            unit="times",
        ),
        concentrated_first=times_chance(
            "In layer 0, half of the output comes from fewer neurons than in a shuffled layer. In layers 3 to 12, it "
            "comes from as many.",
            "Count the neurons that write half of it, with their own gates, ups and vectors, and with shuffled ones: "
            "the median layer.",
            partial(half_over_chance, layers=slice(0, 1)),
            Bounds(supports=below(0.9), control=Bounds(supports=(0.9, 1.1))),
            control=("layers 3 to 12", partial(half_over_chance, layers=slice(3, 13))),
        ),
        concentrated_later=times_chance(
            "In layers 13 to 29, half of the output comes from more neurons than in a shuffled layer.",
            "The same, the median layer.",
            partial(half_over_chance, layers=slice(13, 30)),
            Bounds(supports=above(1.1), count=12),
        ),
        concentrated_at_the_first_token=times_chance(
            "At the first token of a text, few neurons do the work in layers 2, 8, 9, 11, 27 and 28.",
            "The same at the first token: of these six layers, the one that needs most.",
            partial(half_over_chance, layers=SIX, n_tokens=1, q=1),
            Bounds(supports=below(0.33), control=Bounds(within=above(0.5))),
            control=("the median of the other layers", partial(half_over_chance, layers=OTHERS, n_tokens=1)),
        ),
    ),
    *section(
        "What a neuron detects, and what it pushes up",
        article_neuron=on_texts(
            "A single neuron tells *a* and *an* from all other tokens.",
            "Search all neurons on a story. On other texts with these words: how many times as strongly does the best "
            "fire at each of them as at any other token?",
            partial(article_contrast, rank=0),
            Bounds(within=above(2), of=4, above_control=3),
            control=("the second best of the search", partial(article_contrast, rank=1)),
            unseen=UNSEEN_TEXTS,
            unit="times",
        ),
        word_found=on_words(
            "For each word that we tried, a search finds neurons that tell it from others of its kind.",
            "Search all neurons on a few sentences: how many times as strongly does the best fire at the word?",
            partial(best_contrast, by_chance=False),
            Bounds(supports=above(2), control=Bounds(within=below(1))),
            control=("for as many tokens drawn at random", partial(best_contrast, by_chance=True)),
            unit="times",
        ),
        word_found_elsewhere=on_words(
            "On another text, of over 200 tokens, most of these neurons fire more strongly at another token.",
            "How many of those that fire twice as strongly at the word still fire most strongly at it?",
            partial(held_elsewhere, of_all=False),
            Bounds(within=below(50), control=Bounds(within=below(2))),
            control=("the same share of all neurons", partial(held_elsewhere, of_all=True)),
        ),
        detectors_push=on_long(
            "Most neurons that detect one token don't push up what comes next. On most texts, more of them do so than "
            "of all neurons.",
            "Take those that fire most strongly at one token in both halves of a text. How many push up the next token "
            "better than 99% do with another neuron's row?",
            partial(share_of_kind, which=0),
            Bounds(within=below(50), above_control=8, control=Bounds(within=below(6))),
            control=("the same share of all neurons", partial(share_of_kind, which=2)),
        ),
        pushers_detect=on_long(
            "Hardly any neuron that pushes up what comes next detects one token.",
            "How many of those that push it up also detect a token?",
            partial(share_of_kind, which=1),
            Bounds(within=below(3)),
        ),
        few_neurons_agree=on_long(
            "In any layer, few neurons push up what comes next where they fire. Longer texts show more of them.",
            "Count those that do it better than 1% do with another neuron's row: the layer that has most.",
            partial(most_agreeing, n_tokens=512),
            Bounds(within=below(5.8), above_control=10, control=Bounds(within=below(3.4))),
            control=("the first 128 tokens of the 512", partial(most_agreeing, n_tokens=128)),
        ),
    ),
    *section(
        "FFNs 5 to 15, at the country",
        ffns_off=on_countries(
            "Switching them off loses the answer, but that proves little.",
            "Switch them off at the country: what is left of the capital's probability?",
            partial(left, step=1, test=0),
            Bounds(within=below(3), control=Bounds(within=below(7))),
            control=("switched off at “of”", partial(left, step=1, test=1)),
        ),
        three_ffns_off=on_countries(
            "Switch off any three neighbours, and part of the answer stays.",
            "Switch off FFNs 5–7, 6–8 and so on up to 13–15 at the country: what is left, at worst?",
            of_pair(partial(facts.left_without_ffns, choices=[range(at, at + 3) for at in range(5, 14)])),
            Bounds(within=above(28), control=Bounds(within=below(3))),
            control=("all eleven", partial(left, step=1, test=0)),
        ),
        ffns_patched=on_pairs(
            "In most pairs, they don't decide the answer, except in part with France or England as the twin. The first "
            "FFN decides it.",
            "Patch them with the twin's: how much of its usual probability does the twin's capital get?",
            partial(brought, step=1, test=2),
            Bounds(
                supports=below(10),
                count=77,
                exceptions=("*, as France", "*, as England"),
                within=below(50),
                at={"Germany, as France": above(50)},
                control=Bounds(within=above(95)),
            ),
            control=("the first FFN", partial(brought, step=1, test=3)),
        ),
        later_ffns_patched=on_pairs(
            "Even all FFNs but the first don't decide the answer in most pairs, except with France or England as the "
            "twin. But in most pairs, the country's capital loses more than half of its probability.",
            "Patch FFNs 1 to 29: how much of its usual probability does the twin's capital get?",
            of_pair(lambda runs: facts.of_usual(runs, facts.patch_later_ffns(runs))[1]),
            Bounds(supports=below(50), count=81, control=Bounds(supports=below(50), count=59)),
            control=(
                "what is left of the country's capital",
                of_pair(lambda runs: facts.of_usual(runs, facts.patch_later_ffns(runs))[0]),
            ),
        ),
        ffns_patched_left=on_pairs(
            "In most pairs, the country's capital keeps more than half of its probability. If the head is patched, it "
            "doesn't.",
            "The same 90 patches: what is left of it?",
            partial(left, step=1, test=2),
            Bounds(supports=above(50), count=68, control=Bounds(within=below(8))),
            control=("layer 23, head 4, patched", partial(left, step=2, test=2)),
        ),
        ffns_of_the_others=on_countries(
            "The mean of what they add for other countries does nearly as well.",
            "Patch in the mean of the nine other countries: what is left?",
            left_with_mean_of(COUNTRIES),
            Bounds(supports=above(50), control=Bounds(supports=below(50), count=9)),
            control=("the mean of ten other words", left_with_mean_of(WORDS)),
        ),
    ),
    *section(
        "The last token, before layer 23",
        blind_early=on_countries(
            "Keeping the last token from attending to the country loses the answer, but that proves little.",
            "Knock out its attention to the country in layers 0 to 22: what is left?",
            partial(left, step=3, test=0),
            Bounds(supports=below(20), control=Bounds(supports=below(50), count=9)),
            control=("its attention to “of”", partial(left, step=3, test=1)),
        ),
        last_token_patched=on_pairs(
            "Before layer 23, the country's own vector still decides the answer, and the last token's vector doesn't.",
            "Replace the last token's vector with the twin's before layer 23: how much of the twin's capital comes "
            "out?",
            partial(brought, step=3, test=2),
            Bounds(within=below(9), control=Bounds(supports=above(50), count=85)),
            # No token is between the two, so this is also what the patch leaves of the own capital, for the other pair.
            control=("the country's vector", partial(brought, step=3, test=3)),
        ),
        last_token_patched_late=on_countries(
            "One layer later, the last token's vector decides.",
            "Replace the last token's vector with the twin's before layer 24.",
            of_pair(lambda runs: facts.of_usual(runs, patch_residual(runs, 24, -1))[1]),
            Bounds(supports=above(50)),
            control=("before layer 23", partial(brought, step=3, test=2)),
        ),
        early_as_for_places=on_countries(
            "Before layer 23, the last token's vector can come from *Texas*, *London* or *Paris*, and in most cases, "
            "more than half of the answer stays. From *dinner*, *music*, *water* or *science*, it doesn't.",
            "Replace its vector with the one for *Texas*, *London* or *Paris*, before layer 23: what is left?",
            before_the_head,
            Bounds(supports=above(50), count=19, control=Bounds(within=below(30))),
            control=("for *dinner*, *music*, *water* or *science*, the most", most_of_things),
            over="cases",
            cases=PLACES,
        ),
    ),
    *section(
        "Layer 23, head 4, and the last FFNs, 24 to 29, at the last token",
        same_head=on_asked(
            "Of all heads in layers 1 to 28, it adds most to the answer by what it reads at the country. For most "
            "states, it does so, too.",
            "Compare what each head adds to the answer's logit, where text and twin can be told apart.",
            of_pair(is_the_mover),
            Bounds(supports=YES, count=24, of=29, exceptions=("* state of *",)),
            cases=COUNTRIES | asking(STATE, STATES),
        ),
        attends_to_the_country=on_countries(
            "It gives the country most of its attention.",
            "Read its attention weight, from the last token.",
            of_pair(lambda runs: 100 * experiments.attention_from(runs.trace, -1)[*MOVER, -2]),
            Bounds(within=above(89)),
        ),
        head_off=on_countries(
            "Without it, most of the answer is lost.",
            "Switch it off at the last token: what is left?",
            partial(left, step=2, test=0),
            Bounds(supports=below(50), control=Bounds(supports=above(50))),
            control=("the worst of ten random heads", partial(left, step=2, test=1)),
        ),
        head_patched=on_pairs(
            "Its output decides the answer in most pairs. But it never brings out Kenya's capital, and in Hungary's "
            "text only Portugal's.",
            "Patch it with the twin's: how much of the twin's capital comes out?",
            partial(brought, step=2, test=2),
            Bounds(supports=above(50), count=67, at=BY_HEAD, above_control=90, control=RANDOM),
            control=("the strongest of ten random heads", partial(brought, step=2, test=3)),
        ),
        layer_patched=on_pairs(
            "With Kenya as the twin, it takes more of layer 23 than this head.",
            "Patch all that attention adds in layer 23: how much of the twin's capital comes out?",
            of_pair(partial(brought_by_attention, layer=23)),
            Bounds(supports=above(50), count=87, control=Bounds(within=below(10))),
            control=("layer 22", of_pair(partial(brought_by_attention, layer=22))),
        ),
        no_other_head=on_countries(
            "No other head does that on its own.",
            "Patch each of the other 269 heads at the last token, one at a time: the one that brings out most.",
            of_pair(partial(facts.most_by_another_head, head=MOVER)),
            Bounds(within=below(3)),
        ),
        pushes_up_the_capital=on_countries(
            "The capital is among the first 20 tokens that it pushes up when it reads the country.",
            "Rank all tokens by how much it pushes them up when it reads the country.",
            of_pair(partial(facts.rank_of_answer, head=MOVER)),
            Bounds(supports=below(20), control=Bounds(within=above(2425))),
            control=(
                "the same capital, at the next country",
                of_pair(partial(facts.rank_of_answer, head=MOVER, in_twin=True)),
            ),
            unit="(rank)",
        ),
        currency_patched=on_pairs(
            "Its output decides the answer in most pairs even if it comes from a question about the currency.",
            "Patch it from *The currency of … is the*, asked about the twin: how much of the twin's capital comes out?",
            partial(brought_from_currency, of_twin=True),
            Bounds(supports=above(50), count=(55, 75), control=Bounds(within=below(5))),
            control=("with the same country", partial(brought_from_currency, of_twin=False)),
        ),
        last_ffns_off=on_countries(
            "Switching off the last FFNs proves little, again.",
            "Switch them off: what is left?",
            partial(left, step=4, test=0),
            Bounds(within=below(1), control=Bounds(within=below(5))),
            control=("FFNs 17 to 22, at the same token", partial(left, step=4, test=1)),
        ),
        last_ffns_patched=on_pairs(
            "The last FFNs don't decide which answer comes out, but matter to it: in most pairs, the country's capital "
            "loses more than half of its probability.",
            "Patch them with the twin's: how much of the twin's capital comes out?",
            partial(brought, step=4, test=2),
            Bounds(within=below(35), control=Bounds(supports=below(50), count=85)),
            control=("what is left of the country's capital", partial(left, step=4, test=2)),
        ),
        one_pushes_against=on_countries(
            "For most countries, at least one of them pushes against the answer.",
            "What does each add to the capital's logit? The lowest of the six.",
            of_pair(lowest_of_the_last),
            Bounds(supports=below(0), count=8),
            unit="logits",
        ),
    ),
    *section(
        "Does it hold for other questions?",
        asked_head=on_asked(
            "The head brings out half of the answers to *The capital city of … is called*, and most of those to "
            "*People in … speak*.",
            "Patch layer 23, head 4, where text and twin can be told apart.",
            partial(brought, step=2, test=2),
            Bounds(supports=above(50), count=9, of=15, exceptions=("*called", GREEK), at={GREEK: below(50)}),
        ),
        reworded_head=on_asked(
            "It brings out 6 of 10 answers to *The largest city in … is*, 2 of 9 to *In …, the capital city is*, and 2 "
            "of 7 to *The currency of … is the*.",
            "The same.",
            partial(brought, step=2, test=2),
            Bounds(supports=above(50), count=10, of=26),
            cases=asking(LARGEST, COUNTRIES) | asking(CAPITAL_IN, COUNTRIES) | asking(CURRENCY, COUNTRIES),
        ),
        asked_ffns=on_asked(
            "Without FFNs 5 to 15, most answers to *The capital city of … is called* and *People in … speak* are lost, "
            "too. The exceptions are France and England in the first, and Germany and Japan in the second.",
            "Switch them off at the country: what is left?",
            partial(left, step=1, test=0),
            Bounds(supports=below(50), count=11, of=15, exceptions=("*France*", "*England*", *SPOKEN)),
        ),
        states_head=on_states(
            "In *The capital of the state of … is*, the head brings out fewer than half of the twins' answers.",
            "Patch it.",
            partial(brought, step=2, test=2),
            Bounds(supports=above(50), count=8, of=19),
        ),
        opposites_and_symbols=on_asked(
            "In *The opposite of … is* and *The chemical symbol of … is*, the head that adds most doesn't decide the "
            "answer.",
            "Patch the head that adds most in each pair.",
            partial(brought, step=2, test=2, head=None),
            Bounds(within=below(36), at=dict.fromkeys(asking(OPPOSITE, OPPOSITES), below(9))),
            cases=asking(OPPOSITE, OPPOSITES) | asking(SYMBOL, ELEMENTS),
        ),
    ),
    *section(
        "A trap",
        ffn_eleven=on_countries(
            "Switching off can mislead: FFN 11 is needed at the first token of the text, not at the country.",
            "Switch it off at the first token only: what is left?",
            of_pair(partial(facts.left_without_ffns, choices=[[11]], at_first=True)),
            Bounds(within=below(0.02), control=Bounds(within=above(85))),
            control=("at the country only", of_pair(partial(facts.left_without_ffns, choices=[[11]]))),
        ),
    ),
)
