"""What notebook 05 says: of neurons, on texts, and of where a fact is, over countries and other words."""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import permutations, product

import numpy as np

from llmviz import Edits, experiments
from llmviz.claims.cases import ELEMENTS, LONG, OPPOSITES, STATES, TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, above, below, following, remembered, section
from llmviz.edits import put
from llmviz.experiments import Pair, ablate, fact_mover_head, facts, neurons, pair_of, patch_residual
from llmviz.model import Model

CAPITAL = "The capital of {} is"
CALLED, SPEAK = "The capital city of {} is called", "People in {} speak"
OPPOSITE, SYMBOL = "The opposite of {} is", "The chemical symbol of {} is"
STATE = "The capital of the state of {} is"
WORDS = ("dinner", "music", "water", "science", "table", "river", "winter", "money", "garden", "story")
MOVER = (23, 4)  # layer, head
Words = tuple[str, ...]  # a subject, its twin's, and the question if it isn't CAPITAL


def written_below_zero(model: Model, text: str, *, layers: slice) -> float:
    """Measure what a neuron with a gate below zero writes, in % of what another one does: the median layer."""
    below_zero, written = neurons.gates_below_zero(model.trace(text))[:, layers]
    return 100 * float(np.median(written / below_zero * (1 - below_zero) / (1 - written)))


def doubled(model: Model, text: str, *, curve: int) -> float:
    """Measure how many times as long the output for twice the vector is: the layer furthest from the median."""
    times = neurons.growth_for_twice_the_input(model.trace(text))[curve]
    return float(times[np.abs(times - np.median(times)).argmax()])


def half_of_the_output(model: Model, text: str, *, layers: slice) -> float:
    """Measure how many neurons write half of the output, over those of shuffled ones: the median layer."""
    return float(np.median(np.divide(*neurons.neurons_for_half(model.trace(text)))[layers]))


def half_at_the_first_token(model: Model, text: str, *, others: bool) -> float:
    """Measure that at the first token: of six layers the one that needs most, or the median of the others."""
    half = np.divide(*neurons.neurons_for_half(model.trace(model.tokenizer.encode(text)[:1])))
    six = [2, 8, 9, 11, 27, 28]
    return float(np.median(np.delete(half, six)) if others else half[six].max())


def most_that_agree(model: Model, text: str, *, n_tokens: int) -> float:
    """Measure how many neurons push what comes next where they fire, better than 1% do by chance: the highest layer."""
    trace = model.trace(model.tokenizer.encode(text)[:n_tokens])
    agreements = (neurons.agreement(trace, layer) for layer in range(model.config.n_layers))
    return 100 * max(float(neurons.better_than_chance(correlations)[1].mean()) for correlations in agreements)


def sum_of_parts_off_by(model: Model, text: str) -> float:
    trace = model.trace(text)
    token = int(trace.logits.argmax())
    whole = experiments.direct_logit_attribution(trace, token, against="mean")
    heads = experiments.head_attribution(trace, token, against="mean").sum()
    total = whole.embedding + heads + whole.ffn.sum() + trace.logits.mean(dtype=np.float64)
    return abs(float(total - trace.logits[token]))


def question_pair(model: Model, own: str, twin: str, question: str = CAPITAL) -> Pair:
    """Run a question and its twin; both subjects are one token."""
    tokens = model.tokens_of(question.format(own))
    subject, other = (model.tokens_of(f" {word}")[0] for word in (own, twin))
    return pair_of(model, tokens, other, tokens.index(subject))


def of_usual(runs: Pair, edits: Edits) -> np.ndarray:
    """Measure the probability of the own answer and of the twin's with edits [2], in % of that in their own texts."""
    usual = [experiments.probability(*both) for both in zip((runs.trace, runs.twin), runs.answers)]
    return 100 * runs.answer_probs(edits).astype(float) / usual


@remembered
def tested(model: Model, words: Words, step: int, test: int, head: tuple[int, int] | None) -> np.ndarray:
    """Measure `of_usual` for a test (0 off, 1 its control, 2 patched, 3 another patched); of several, the strongest."""
    runs = question_pair(model, *words)
    if facts.why_no_fact(runs):
        return np.full(2, np.nan)
    tests = facts.fact_tests(runs, head=head)[step - 1].tests[test]
    by_strength = sorted((of_usual(runs, edits) for edits in tests), key=lambda both: both[int(test > 1)])
    return by_strength[-1 if test > 1 else 0]


def share(model: Model, words: Words, *, answer: int, step: int, test: int, head=MOVER) -> float:
    """Measure what a test leaves of the own answer (0) or brings out of the twin's (1). head: None for each pair's."""
    return tested(model, words, step, test, head)[answer]


left, brought = partial(share, answer=0), partial(share, answer=1)


def left_without(model: Model, words: Words, *, ffns: Sequence[range], at_first: bool = False) -> float:
    """Switch FFNs off at the country, or at the first token, and measure what is left: the worst of some choices."""
    runs = question_pair(model, *words)
    choices = (ablate("ffn_out", layers, 0 if at_first else runs.subject) for layers in ffns)
    return min(of_usual(runs, edits)[0] for edits in choices)


def left_with_the_mean(model: Model, words: Words, *, over: Iterable[str]) -> float:
    """Patch FFNs 5 to 15 at the country with the mean of their outputs for other words, or for other countries."""
    runs, at = question_pair(model, *words), {}
    others = [model.trace(CAPITAL.format(word)) for word in over if word != words[0]]
    for layer in range(5, 16):
        mean = np.mean([other.blocks[layer].ffn_at(slice(-2, -1)).out[0] for other in others], axis=0)
        at["ffn_out", layer] = put(mean, positions=runs.subject)
    return of_usual(runs, Edits(at=at))[0]


def last_token_patched(model: Model, words: Words, *, layer: int, answer: int) -> float:
    runs = question_pair(model, *words)
    return of_usual(runs, patch_residual(runs, layer, -1))[answer]


def last_token_of_things(model: Model, words: Words) -> float:
    return max(last_token_patched(model, (words[0], thing), layer=23, answer=0) for thing in WORDS[:4])


def is_the_mover(model: Model, words: Words) -> float:
    runs = question_pair(model, *words)
    return math.nan if facts.why_no_fact(runs) else fact_mover_head(runs) == MOVER


def rank_in_head(model: Model, words: Words, *, twin: bool) -> float:
    """Rank the capital among all tokens by how much the head pushes them up at the country, or at the twin's."""
    runs = question_pair(model, *words)
    pushed = experiments.ov_logits(runs.twin if twin else runs.trace, *MOVER, runs.subject)
    return 1 + int((pushed > pushed[runs.answers[0]]).sum())


def lowest_of_the_last(model: Model, words: Words) -> float:
    runs = question_pair(model, *words)
    return experiments.direct_logit_attribution(runs.trace, runs.answers[0], against="mean").ffn[24:].min()


def is_the_capital(model: Model, words: Words) -> float:
    """Say whether the answer that the head brings out is the twin state's capital; NaN where it brings out none."""
    answer = model.tokenizer.pieces(question_pair(model, *words).answers[1:])[0].strip()
    return answer == STATES[words[1]] if brought(model, words, step=2, test=2) > 50 else math.nan


def off_by_with_both_put_back(model: Model, words: Words) -> float:
    runs = question_pair(model, *words)
    back = patch_residual(Pair(runs.twin, runs.trace, runs.subject), 12, [runs.subject, runs.subject + 1])
    return float(np.abs(model.trace(runs.twin.tokens, back).logits - runs.trace.logits).max())


def asking(question: str, subjects: Iterable[str]) -> dict[str, Words]:
    """Return a question about each subject, with the next one as its twin, by the text."""
    return {question.format(own): (own, twin, question) for own, twin in following(subjects).values()}


COUNTRIES = following(facts.CAPITALS)  # each with the next one as its twin
PAIRS = {f"{own}, as {twin}": (own, twin) for own, twin in permutations(COUNTRIES, 2)}
PLACES = {f"{own}, as {twin}": (own, twin) for own, twin in product(COUNTRIES, ("Texas", "London", "Paris"))}
GREEK, *SPOKEN = (SPEAK.format(country) for country in ("Greece", "Germany", "Japan"))
BY_HEAD = {name: below(50) for name in PAIRS if name.endswith("Kenya") or name.startswith("Hungary")}
BY_HEAD["Hungary, as Portugal"] = above(50)  # the exceptions of `head_patched`; RANDOM: of its control
RANDOM = Bounds(within=below(1), at={f"{a}, as England": below(2.2) for a in ("France", "Germany", "Sweden")})
on_texts = partial(Claim, over="texts", cases=TEXTS)
times = partial(on_texts, unit="times")
by_chance = partial(on_texts, unit="times as many as by chance")
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
        no_plain_matrix=times(
            "An FFN isn't a plain matrix.",
            "Double the input vector and compare the length of the output, in every layer. A matrix would give 2.",
            partial(doubled, curve=0),
            Bounds(within=(2.8, 4.7), control=Bounds(within=(3.999, 4.001))),
            control=("gate × up, without the curve", partial(doubled, curve=1)),
        ),
        gate_squares=times(
            "It's the gate that makes the output grow so much.",
            "Double the input of silu(up), without a gate.",
            partial(doubled, curve=2),
            Bounds(within=(1.9, 2.25)),
            control=("silu(gate) × up", partial(doubled, curve=0)),
        ),
        concentrated_first=by_chance(
            "In layer 0, fewer neurons than by chance write half of the output; in layers 3 to 12, as many.",
            "Count the neurons that write half of it, and compare with shuffled neurons: the median layer.",
            partial(half_of_the_output, layers=slice(0, 1)),
            Bounds(supports=below(0.9), control=Bounds(supports=(0.9, 1.1))),
            control=("layers 3 to 12", partial(half_of_the_output, layers=slice(3, 13))),
        ),
        concentrated_later=by_chance(
            "In layers 13 to 29, it takes more neurons than by chance.",
            "The same, the median layer.",
            partial(half_of_the_output, layers=slice(13, 30)),
            Bounds(supports=above(1.1), count=12),
        ),
        concentrated_at_the_first_token=by_chance(
            "At the first token of a text, few neurons do the work in layers 2, 8, 9, 11, 27 and 28.",
            "The same at the first token: of these six layers, the one that needs most.",
            partial(half_at_the_first_token, others=False),
            Bounds(supports=below(0.33), control=Bounds(within=above(0.5))),
            control=("the median of the other layers", partial(half_at_the_first_token, others=True)),
        ),
        few_neurons_agree=Claim(
            "In any layer, few neurons push up what comes next where they fire. Longer texts show more of them.",
            "Count those that do it better than 1% do with another neuron's row: the layer that has most.",
            partial(most_that_agree, n_tokens=512),
            Bounds(within=below(5.8), above_control=10, control=Bounds(within=below(3.4))),
            control=("the first 128 tokens of the 512", partial(most_that_agree, n_tokens=128)),
            over="long texts",
            cases=LONG,
        ),
        parts_add_up=on_texts(
            "The parts add up to the logit.",
            "Add up the embedding, all heads and all FFNs, and compare with the model's logit.",
            sum_of_parts_off_by,
            Bounds(within=below(1e-4)),
            unit="logits off",
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
            "Without any three of them in a row, a part of the answer stays.",
            "Switch off FFNs 5–7, 6–8 and so on up to 13–15 at the country: what is left, at worst?",
            partial(left_without, ffns=[range(at, at + 3) for at in range(5, 14)]),
            Bounds(within=above(28), control=Bounds(within=below(3))),
            control=("all eleven", partial(left, step=1, test=0)),
        ),
        ffns_patched=on_pairs(
            "Mostly, they don't carry which country it is; France's and England's do in part. The first FFN does.",
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
        ffns_patched_left=on_pairs(
            "In most pairs, the own capital keeps more than half of its probability; if the head is patched, it goes.",
            "The same 90 patches: what is left of it?",
            partial(left, step=1, test=2),
            Bounds(supports=above(50), count=68, control=Bounds(within=below(8))),
            control=("layer 23, head 4, patched", partial(left, step=2, test=2)),
        ),
        ffns_of_the_others=on_countries(
            "The mean of what they add for other countries does nearly as well.",
            "Patch in the mean of the nine other countries: what is left?",
            partial(left_with_the_mean, over=COUNTRIES),
            Bounds(supports=above(50), control=Bounds(supports=below(50), count=9)),
            control=("the mean of ten other words", partial(left_with_the_mean, over=WORDS)),
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
            "What arrives early is shared by countries: which one it is, the country's own vector still decides.",
            "Replace its vector with the twin's before layer 23: how much of the twin's capital comes out?",
            partial(brought, step=3, test=2),
            Bounds(within=below(9), control=Bounds(supports=above(50), count=85)),
            # No token is between the two, so this is also what the patch leaves of the own capital, for the other pair.
            control=("the country's vector", partial(brought, step=3, test=3)),
        ),
        last_token_patched_late=on_countries(
            "One layer later, the last token's vector decides.",
            "Replace the last token's vector with the twin's before layer 24.",
            partial(last_token_patched, layer=24, answer=1),
            Bounds(supports=above(50)),
            control=("before layer 23", partial(last_token_patched, layer=23, answer=1)),
        ),
        early_as_for_places=on_countries(
            "Other places share part of what arrives early; the things that we tried don't.",
            "Replace its vector with the one for *Texas*, *London* or *Paris*, before layer 23: what is left?",
            partial(last_token_patched, layer=23, answer=0),
            Bounds(supports=above(50), count=19, control=Bounds(within=below(30))),
            control=("for *dinner*, *music*, *water* or *science*, the most", last_token_of_things),
            over="cases",
            cases=PLACES,
        ),
    ),
    *section(
        "Layer 23, head 4, and the last FFNs, 24 to 29, at the last token",
        same_head=on_asked(
            "Of all heads in layers 1 to 28, what it reads at the country adds most to the answer. At a state, mostly.",
            "Compare what each head adds to the answer's logit, where text and twin can be told apart.",
            is_the_mover,
            Bounds(supports=YES, count=24, of=29, exceptions=("* state of *",)),
            cases=COUNTRIES | asking(STATE, STATES),
        ),
        attends_to_the_country=on_countries(
            "It gives the country most of its attention.",
            "Read its attention weight, from the last token.",
            lambda m, words: 100 * experiments.attention_from(question_pair(m, *words).trace, -1)[*MOVER, -2],
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
            "It says which country it is, but never brings out Kenya's capital, and in Hungary's text only Portugal's.",
            "Patch it with the twin's: how much of the twin's capital comes out?",
            partial(brought, step=2, test=2),
            Bounds(supports=above(50), count=67, at=BY_HEAD, above_control=90, control=RANDOM),
            control=("the strongest of ten random heads", partial(brought, step=2, test=3)),
        ),
        pushes_up_the_capital=on_countries(
            "The capital is among the first 20 tokens that it pushes up at the country.",
            "Rank all tokens by how much it pushes them up at the country.",
            partial(rank_in_head, twin=False),
            Bounds(supports=below(20), control=Bounds(within=above(2425))),
            control=("the same capital, at the next country", partial(rank_in_head, twin=True)),
            unit="(rank)",
        ),
        last_ffns_off=on_countries(
            "Switching off the last FFNs proves little, again.",
            "Switch them off: what is left?",
            partial(left, step=4, test=0),
            Bounds(within=below(1), control=Bounds(within=below(5))),
            control=("FFNs 17 to 22, at the same token", partial(left, step=4, test=1)),
        ),
        last_ffns_patched=on_pairs(
            "The last FFNs don't carry the answer, but matter to it: mostly, the own capital loses more than half.",
            "Patch them with the twin's: how much of the twin's capital comes out?",
            partial(brought, step=4, test=2),
            Bounds(within=below(35), control=Bounds(supports=below(50), count=85)),
            control=("what is left of the own capital", partial(left, step=4, test=2)),
        ),
        one_pushes_against=on_countries(
            "They don't all agree, either: mostly, one of them pushes against the answer.",
            "What does each add to the capital's logit? The lowest of the six.",
            lowest_of_the_last,
            Bounds(supports=below(0), count=8),
            unit="logits",
        ),
    ),
    *section(
        "Does it hold for other questions?",
        asked_head=on_asked(
            "*The capital city of … is called*: the head brings out half of the answers. *People in … speak*: most.",
            "Patch layer 23, head 4, where text and twin can be told apart.",
            partial(brought, step=2, test=2),
            Bounds(supports=above(50), count=9, of=15, exceptions=("*called", GREEK), at={GREEK: below(50)}),
        ),
        asked_ffns=on_asked(
            "Only France and England in the first, Germany and Japan in the second, can do without FFNs 5 to 15.",
            "Switch them off at the country: what is left?",
            partial(left, step=1, test=0),
            Bounds(supports=below(50), count=11, of=15, exceptions=("*France*", "*England*", *SPOKEN)),
        ),
        states_head=on_states(
            "*The capital of the state of … is*: the head brings out the twin's answer for fewer than half.",
            "Patch it.",
            partial(brought, step=2, test=2),
            Bounds(supports=above(50), count=8, of=19),
        ),
        states_capitals=on_states(
            "And only three of these answers are the capital.",
            "Compare the answers that it brought out.",
            is_the_capital,
            Bounds(supports=YES, count=3, of=8),
        ),
        opposites_and_symbols=on_asked(
            "*The opposite of … is*, *The chemical symbol of … is*: the head that adds most doesn't carry the answer.",
            "Patch the head that adds most in each pair.",
            partial(brought, step=2, test=2, head=None),
            Bounds(within=below(36), at=dict.fromkeys(asking(OPPOSITE, OPPOSITES), below(9))),
            cases=asking(OPPOSITE, OPPOSITES) | asking(SYMBOL, ELEMENTS),
        ),
    ),
    *section(
        "Two traps",
        ffn_eleven=on_countries(
            "Switching off can mislead: FFN 11 is needed at the first token of the text, not at the country.",
            "Switch it off at the first token only: what is left?",
            partial(left_without, ffns=[range(11, 12)], at_first=True),
            Bounds(within=below(0.02), control=Bounds(within=above(85))),
            control=("at the country only", partial(left_without, ffns=[range(11, 12)])),
        ),
        both_put_back=on_countries(
            "Some results can't fail: with both tokens put back, it is the text's own run again.",
            "In the twin's run, put back the vectors of the country and of *is* before layer 12.",
            off_by_with_both_put_back,
            Bounds(within=below(1e-3)),
            unit="logits off",
        ),
    ),
)
