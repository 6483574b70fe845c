"""What people say about models of this kind: much of it fails here, and `supports` is what would bear it out."""

import math
import string
from functools import partial
from itertools import islice

import numpy as np

from llmviz import Edits, Sampler, experiments, ops
from llmviz.claims import cases, embeddings, the_loop
from llmviz.claims.claim import YES, Bounds, Claim, above, below, following, remembered, section
from llmviz.experiments import answers, asked, facts, neurons, table, words
from llmviz.model import Model


def share_of_likeliest(model: Model, text: str, *, expected: bool) -> float:
    """Count the likeliest of ten drawn tokens, in %; expected: add up the likeliest ones' probabilities instead."""
    steps = model.generate(text, 10, Sampler(), seed=1)
    likely = [step.probs.max() if expected else step.token == step.logits.argmax() for step in steps]
    return 100 * float(np.mean(likely))


def writes_the_same(model: Model, text: str, *, temperature: float) -> bool:
    return len({experiments.write(model, text, 5, temperature, seed).tokens for seed in (1, 2)}) == 1


def rises(model: Model, names: tuple[str, str], *, other: bool) -> float:
    """Correlate the layers with the ranks by the logit lens of a text's prediction, or of another text's."""
    trace, another = (model.trace(cases.TEXTS[name]) for name in names)
    predicted = int((another if other else trace).logits.argmax())
    (ranks,) = experiments.logit_lens(trace, last=1).ranks([predicted])
    return experiments.rank_correlation(np.arange(float(len(ranks))), -1.0 * ranks)


def is_token(model: Model, word: str, *, shuffled: bool) -> bool:
    """Say whether a word is in the vocabulary; shuffled: with its letters in a random order."""
    order = np.random.default_rng(list(word.encode())).permutation(list(word))
    return words.in_list("".join(order) if shuffled else word, model.tokenizer)


def nearer(model: Model, pairs: tuple[str, str], *, own: bool) -> float:
    """Count the tokens nearer to a pair's first word than its second one is, or than another pair's is."""
    (first, second), (_, other) = (pair.split() for pair in pairs)
    return embeddings.rank(model, f"{first} {second if own else other}") - 1


def sum_is_best(model: Model, family: str) -> bool:
    score = table.analogy_score(model, words.pairs_of(family, model.tokenizer), centred=False)
    return score.right > max(score.asked / 2, score.added, score.c_alone)


def reordered(model: Model, text: str, *, causal_mask: bool) -> float:
    """Shuffle up to 20 tokens, all but the last, without RoPE, and measure how much probability moves, in %."""
    tokens, edits = model.tokenizer.encode(text)[:20], Edits(rope=False, causal_mask=causal_mask)
    runs = (model.trace(order, edits) for order in (tokens, experiments.shuffle_tokens(tokens, 0)))
    return 100 * experiments.total_variation(*(ops.softmax(run.logits) for run in runs))


def lead_of_the_noun(model: Model, noun: str, heads: tuple[slice, ...] = ()) -> float:
    """Measure the mean attention weight of some heads on a noun, less the largest on a word between, in points."""
    trace = model.trace(f"The {noun} that I saw yesterday was")
    weights = experiments.attention_from(trace, -1)[heads]
    if len(trace.tokens) != 7 or not weights.size:
        return math.nan
    mean = 100 * weights.mean(axis=(0, 1))
    return float(mean[1] - mean[2:6].max())


@remembered
def costlier(model: Model, text: str) -> tuple[float, float]:
    """Count the tokens that cost the answer more, left out, than the one with most attention, and than the nearest."""
    *_, measures = experiments.what_mattered(model.trace(text))
    weights, costs, _ = measures[:, 1:-1]
    return float((costs > costs[weights.argmax()]).sum()), float((costs > costs[-1]).sum())


def lead_of_the_twin(model: Model, countries: tuple[str, str], part="ffn_out", layers=slice(None)) -> float:
    """Patch FFNs or attention at a country from another's run; return the other capital's lead, in points."""
    name, other = countries
    pair = experiments.pair_of(model, f"The capital of {name} is", model.tokens_of(f" {other}")[0])
    edits = experiments.patch_component(pair, part, range(model.config.n_layers)[layers], pair.subject)
    own, twins = 100 * pair.answer_probs(edits)
    return float(twins - own)


def starts_the_same(model: Model, question: str, *, other: str) -> bool:
    """Say whether a chat starts its answer as the bare text goes on, or as a chat that begins with `other` does."""
    runs = (asked(model, question), asked(model, other + question) if other else question)
    return len({int(model.trace(run).logits.argmax()) for run in runs}) == 1


def right_when(model: Model, answer: tuple[str, str], *, sure: bool) -> float:
    """Begin the answer in a chat, and say whether it goes on right; NaN unless it has over 50% (sure), or up to 50%."""
    begun, right = answer
    question = f"What is {begun.removesuffix('is').strip(' =').replace('The', 'the')}?"
    logits = model.trace([*asked(model, question), *model.tokenizer.encode(begun)]).logits
    is_right = int(logits.argmax()) == model.tokenizer.encode(right)[0]
    return is_right if (ops.softmax(logits).max() > 0.5) == sure else math.nan


EIGHT = dict(islice(((name, text) for name, text in cases.TEXTS.items() if 20 < len(text) < 130), 8))
PLAIN = (word for name, text in cases.TEXTS.items() if name != "French" for word in words.plain_words(text))
ENGLISH = {word: word for word in PLAIN if len(word) > 3 and not set(word) & set(string.punctuation)}
ANSWERS = answers.CAPITALS | cases.MORE_CAPITALS | answers.SUMS | cases.HARDER_SUMS
on_texts = partial(Claim, over="texts", cases=cases.TEXTS)
on_eight = partial(Claim, over="texts", cases=EIGHT)
on_countries = partial(Claim, over="countries", cases=following(facts.CAPITALS), unit="percentage points")
said = partial(section, "What people say")

# By the notebook that says more.
SERIES = {
    "00": said(
        always_likeliest=on_eight(
            "It always picks the most likely word.",
            "By definition, temperature 1 draws. Write ten tokens, and count the likeliest ones.",
            partial(share_of_likeliest, expected=False),
            Bounds(supports=(100, 100), count=0),
            control=("their mean probability", partial(share_of_likeliest, expected=True)),
        ),
        takes_shape=on_texts(
            "Layer by layer, the answer takes shape.",
            "Rank the final prediction after each layer with the logit lens. How steadily does it rise (1: always)?",
            partial(rises, other=False),
            Bounds(supports=above(0.5), count=13, control=Bounds(supports=above(0.5), count=4)),
            cases=following(cases.TEXTS),
            control=("another text's prediction", partial(rises, other=True)),
            unit="in rank correlation",
        ),
    ),
    "01": said(
        a_token_is_a_word=Claim(
            "A common English word is one token.",
            "Look up English words of four letters and more in the vocabulary.",
            partial(is_token, shuffled=False),
            Bounds(supports=YES, count=157, control=Bounds(supports=YES, count=3)),
            over="English words",
            cases=ENGLISH,
            control=("their letters shuffled", partial(is_token, shuffled=True)),
        ),
        other_languages=Claim(
            "Other languages cost more tokens than English.",
            "Count the tokens of the same sentence in both.",
            words.surcharge,
            Bounds(supports=above(1.001), above_control=19),
            over="sentences",
            cases=cases.PARALLEL,
            control=("characters", lambda model, pair: len(pair[0]) / len(pair[1])),
            unit="times as many",
        ),
    ),
    "02": said(
        alike_is_near=Claim(
            "Words used alike lie close together.",
            "In a pair such as “king, queen”, is the second word among the ten tokens nearest to the first?",
            partial(nearer, own=True),
            Bounds(supports=below(9), count=27, control=Bounds(supports=below(9), count=0)),
            over="pairs",
            cases=following(cases.RELATED.split(", ")),
            control=("the second word of the next pair", partial(nearer, own=False)),
            unit="tokens nearer",
        ),
        king_and_queen=Claim(
            "king − man + woman = queen.",
            "Ask every such question of a family of words. Is most of it right, and more than with less of the sum?",
            sum_is_best,
            Bounds(supports=YES, count=4),
            over="families of words",
            cases=cases.FAMILIES,
        ),
    ),
    "03": said(
        bag_of_words=on_eight(
            "Without positions, a text is a bag of words.",
            "Switch RoPE off, shuffle all tokens but the last, and add up the probability that moves.",
            partial(reordered, causal_mask=True),
            Bounds(supports=below(1), count=0, control=Bounds(supports=below(1))),
            control=("without the causal mask, too", partial(reordered, causal_mask=False)),
        ),
    ),
    "04": said(
        attends_to_its_noun=Claim(
            "On average over all heads, “was” attends to its noun.",
            "In “The cat that I saw yesterday was”: the noun's mean weight, less the largest of a word between.",
            lead_of_the_noun,
            Bounds(supports=above(0), count=1, control=Bounds(supports=above(0))),
            over="nouns",
            cases=dict(zip(cases.SINGULAR, cases.SINGULAR)),
            control=("layer 13, head 8", partial(lead_of_the_noun, heads=np.s_[13:14, 8:9])),
            unit="percentage points more",
        ),
        attention_shows=on_eight(
            "Attention shows what mattered.",
            "Leave out each token between the first and the last. How many cost more than the one with most attention?",
            lambda model, text: costlier(model, text)[0],
            Bounds(supports=(0, 0), count=3, control=Bounds(supports=(0, 0), count=6)),
            control=("the token before the last", lambda model, text: costlier(model, text)[1]),
            unit="tokens",
        ),
        induction_heads_copy=Claim(
            "Induction heads copy patterns.",
            "Repeat 20 random tokens. Switch off the eight strongest such heads, or eight others.",
            experiments.induction.copying_left,
            Bounds(supports=below(50)),
            over="random rows",
            cases={f"row {seed}": seed for seed in range(8)},
            unit="% of the control's copying",
        ),
    ),
    "05": said(
        facts_are_in_ffns=on_countries(
            "FFNs carry which country it is; attention doesn't.",
            "Patch all FFNs at a country from another's run: that one's capital, less its own.",
            lead_of_the_twin,
            Bounds(supports=above(0), control=Bounds(supports=above(0), count=0)),
            control=("all attention", partial(lead_of_the_twin, part="attention_out")),
        ),
        later_ffns=on_countries(
            "FFNs after the first carry which country it is.",
            "Patch all FFNs but the first at a country.",
            partial(lead_of_the_twin, layers=slice(1, None)),
            Bounds(supports=above(0), count=4, control=Bounds(supports=above(0))),
            control=("the first FFN", partial(lead_of_the_twin, layers=slice(1))),
        ),
        few_neurons=on_texts(
            "Fewer neurons do half of the writing than by chance.",
            "Count the neurons that do half of a layer's writing, over those of shuffled ones: the median layer.",
            lambda model, text: np.divide(*np.median(neurons.neurons_for_half(model.trace(text)), axis=1)),
            Bounds(supports=below(1), count=1),
            unit="times as many as by chance",
        ),
    ),
    "06": said(
        the_same_when_cold=on_eight(
            "At temperature 0, it gives the same answer every time.",
            "By definition, it takes the likeliest token. Write five tokens with two seeds.",
            partial(writes_the_same, temperature=0),
            Bounds(supports=YES, control=Bounds(supports=YES, count=0)),
            control=("temperature 1", partial(writes_the_same, temperature=1)),
        ),
        wild_when_hot=on_texts(
            "A high temperature makes it wild.",
            "Add up the probability outside the 20 likeliest tokens, at temperature 2.",
            partial(the_loop.probability_outside, temperature=2),
            Bounds(supports=above(50), count=(12, 13), control=Bounds(supports=above(50), count=1)),
            control=("temperature 1", partial(the_loop.probability_outside, temperature=1)),
        ),
        sure_is_right=Claim(
            "A confident answer is a right one.",
            "Ask for capitals and sums in a chat. Is the next token right where it has over 50%?",
            partial(right_when, sure=True),
            Bounds(supports=YES, count=50, of=61, control=Bounds(supports=YES, count=6, of=7)),
            over="sure answers",
            cases={begun: (begun, right) for begun, right in ANSWERS.items()},
            control=("up to 50%", partial(right_when, sure=False)),
        ),
    ),
    "07": said(
        only_packaging=Claim(
            "The chat template is only packaging.",
            "Ask with the template and without it. Is the first token the same?",
            partial(starts_the_same, other=""),
            Bounds(supports=YES, count=0, control=Bounds(supports=YES, count=11)),
            over="questions",
            cases=dict(zip(cases.QUESTIONS, cases.QUESTIONS)),
            control=("with it, and “Please answer:”", partial(starts_the_same, other="Please answer: ")),
        ),
    ),
}
CLAIMS = tuple(claim for claims in SERIES.values() for claim in claims)
