"""What people say about models of this kind, tested on this one: the table at the end of notebook 07.

The sentences are what people say, so many of them fail; `supports` is what would bear them out.
"""

import math
import string
from functools import partial
from itertools import islice

import numpy as np

from llmviz import Edits, Sampler, embeddings, experiments, ops
from llmviz.claims import the_loop
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
from llmviz.claims.claim import YES, Bounds, Claim, above, below, following, remembered, section
from llmviz.experiments import answers, facts, neurons
from llmviz.experiments.table import analogy_score
from llmviz.experiments.words import in_list, pairs_of, plain_words
from llmviz.model import Model

SAID = "What people say"
NO_ORDER = Edits(rope=False, causal_mask=False)
N_WRITTEN = 10  # tokens
N_READ = 8  # tokens of a text that is run once for each of them


@remembered
def likeliest(model: Model, text: str) -> tuple[float, float]:
    """Measure how many of ten drawn tokens were the likeliest, and their mean probability, in %."""
    steps = list(model.generate(text, N_WRITTEN, Sampler(), seed=1))
    drawn = np.mean([step.token == step.logits.argmax() for step in steps])
    return 100 * float(drawn), 100 * float(np.mean([step.probs.max() for step in steps]))


def always_likeliest(model: Model, text: str) -> float:
    drawn, expected = likeliest(model, text)
    return drawn if expected < 99 else math.nan


def settled_layers(model: Model, texts: tuple[str, str]) -> float:
    """Count the layers before the last from which on the final prediction stays the likeliest.

    0 if halfway through the layers it is no better than the other text's prediction.
    """
    trace, other = (model.trace(TEXTS[name]) for name in texts)
    lens = experiments.logit_lens(trace, last=1)
    answer = int(lens.guesses[-1, -1])
    first = 1 + int(np.flatnonzero(lens.guesses[:, -1] != answer).max(initial=-1))
    own, control = lens.ranks([answer, int(other.logits.argmax())])[:, model.config.n_layers // 2]
    return model.config.n_layers - first if own < control else 0


def shuffled(word: str) -> str:
    return "".join(np.random.default_rng(list(word.encode())).permutation(list(word)))


def token_ratio(model: Model, sentences: tuple[str, ...]) -> float:
    encode = model.tokenizer.encode
    return min(
        len(encode(own)) / len(encode(english)) for own, english in zip(sentences, ARTICLES["English"])
    )


def character_ratio(model: Model, sentences: tuple[str, ...]) -> float:
    return max(len(own) / len(english) for own, english in zip(sentences, ARTICLES["English"]))


@remembered
def partners(model: Model) -> dict[str, tuple[int, int]]:
    pairs = {pair.strip(): pairs_of(pair, model.tokenizer) for pair in RELATED.split(",")}
    return {name: pairs[0] for name, pairs in pairs.items() if pairs}


def nearest_partner(model: Model, name: str, *, own: bool) -> float:
    """Measure the cosine of a word with its partner, or the highest with another word's; NaN for two tokens."""
    pairs = partners(model)
    if name not in pairs:
        return math.nan
    word, partner = pairs[name]
    others = [b for _, b in pairs.values() if b != partner]
    rows = model.weights.W_E[[partner] if own else others]
    return embeddings.cosine_similarity(np.broadcast_to(model.weights.W_E[word], rows.shape), rows).max()


@remembered
def analogies(model: Model, family: str) -> tuple[float, float, float]:
    """Measure how many questions a − b + c gets right, a + c, and c on its own, in %; NaN without a question."""
    pairs = pairs_of(FAMILIES[family], model.tokenizer)
    if len(pairs) < 2:
        return math.nan, math.nan, math.nan
    score = analogy_score(model, pairs, centred=False)
    right, added, alone = (100 * n / score.asked for n in (score.right, score.added, score.c_alone))
    return right, added, alone


def reordered(model: Model, text: str, *, edits: Edits) -> float:
    """Measure how much probability moves if all tokens but the last are shuffled, in %; at most 20 tokens."""
    tokens = model.tokenizer.encode(text)[:20]
    other = [*np.random.default_rng(0).permutation(tokens[:-1]).tolist(), tokens[-1]]
    probs = (ops.softmax(model.trace(order, edits).logits) for order in (tokens, other))
    return 100 * experiments.total_variation(*probs)


def lead_of_the_noun(model: Model, noun: str) -> float:
    trace = model.trace(f"The {noun} that I saw yesterday was")
    mean = 100 * experiments.attention_from(trace, -1).mean(axis=(0, 1))
    return mean[1] - mean[2:6].max() if len(trace.tokens) == 7 else math.nan


def rank_by_cost(model: Model, text: str) -> float:
    """Rank the token with most attention, the first left out, by what knocking out attention to each costs."""
    tokens = model.tokenizer.encode(text)[:N_READ]
    trace, last = model.trace(tokens), len(tokens) - 1
    heads = list(np.ndindex(model.config.n_layers, model.config.n_heads))
    if last < 3:
        return math.nan
    cost = []
    for key in range(1, last):
        without = model.trace(tokens, experiments.knockout_attention(heads, [key], last))
        cost.append(experiments.total_variation(ops.softmax(trace.logits), ops.softmax(without.logits)))
    most = experiments.attention_from(trace, -1).mean(axis=(0, 1))[1:last].argmax()
    return float(1 + (np.array(cost) > cost[most]).sum())


def copying_left(model: Model, seed: int) -> float:
    """Measure the copying that is left without the eight strongest induction heads, over eight others, in %."""
    tokens = experiments.random_tokens(model, 20, seed)
    heads = experiments.induction_scores(model.trace(tokens * 2))
    strongest = experiments.strongest_heads(heads, 8)
    others = experiments.random_heads(heads.shape, 8, strongest, seed)
    own, control = (
        experiments.repeat_probability(model, tokens, Edits(head=dict.fromkeys(off, 0)))
        for off in (strongest, others)
    )
    return 100 * own / control


def lead_of_the_twin(model: Model, countries: tuple[str, str], *, first: bool) -> float:
    """Patch the first FFN or all others at a country from another's run; return the other capital's lead, in points."""
    name, other = countries
    pair = experiments.pair_of(model, f"The capital of {name} is", model.tokens_of(f" {other}")[0])
    layers = [0] if first else range(1, model.config.n_layers)
    own, twins = 100 * pair.answer_probs(experiments.patch_component(pair, "ffn_out", layers, pair.subject))
    return float(twins - own)


def writes_the_same(model: Model, text: str, *, temperature: float) -> bool:
    sampler = Sampler(temperature=temperature)
    first, second = (
        [step.token for step in model.generate(text, N_WRITTEN // 2, sampler, seed=seed)] for seed in (1, 2)
    )
    return first == second


@remembered
def answered(model: Model, begun: str, right: str) -> tuple[float, bool]:
    """Ask in a chat, begin the answer, and return how sure the model is of its next token, in %, and if it is right."""
    question = f"What is {begun.removesuffix('is').strip(' =').replace('The', 'the')}?"
    chat = model.tokenizer.encode_chat([{"role": "user", "content": question}])
    logits = model.trace([*chat, *model.tokenizer.encode(begun)]).logits
    return 100 * float(ops.softmax(logits).max()), int(logits.argmax()) == model.tokenizer.encode(right)[0]


def right_when(model: Model, question: tuple[str, str], *, sure: bool) -> float:
    certainty, right = answered(model, *question)
    return right if (certainty > 50) == sure else math.nan


def template_changes_nothing(model: Model, question: str) -> bool:
    chat = model.tokenizer.encode_chat([{"role": "user", "content": question}])
    return bool(model.trace(question).logits.argmax() == model.trace(chat).logits.argmax())


EIGHT = dict(islice(((name, text) for name, text in TEXTS.items() if 20 < len(text) < 130), 8))
ENGLISH = {
    word: word
    for name, text in TEXTS.items()
    if name != "French"
    for word in plain_words(text)
    if len(word) > 3 and not set(word) & set(string.punctuation)
}
ANSWERS = answers.CAPITALS | MORE_CAPITALS | answers.SUMS | HARDER_SUMS
on_texts = partial(Claim, over="texts", cases=TEXTS)
on_eight = partial(Claim, over="texts", cases=EIGHT)

# By the notebook that says more.
SERIES = {
    "00": section(
        SAID,
        always_likeliest=on_eight(
            "It always picks the most likely word.",
            "Write ten tokens at temperature 1, and count the likeliest ones.",
            always_likeliest,
            Bounds(supports=(100, 100), count=0),
            control=("their mean probability", lambda model, text: likeliest(model, text)[1]),
        ),
        takes_shape=Claim(
            "Layer by layer, the answer takes shape.",
            "Count the layers before the last from which on the logit lens shows the final prediction.",
            settled_layers,
            Bounds(supports=above(1), count=3),
            over="texts",
            cases=following(TEXTS),
            unit="layers",
        ),
    ),
    "01": section(
        SAID,
        a_token_is_a_word=Claim(
            "A token is a word, in English at least.",
            "Look up English words of four letters and more in the vocabulary.",
            lambda model, word: in_list(word, model.tokenizer) > in_list(shuffled(word), model.tokenizer),
            Bounds(supports=YES, count=154),
            over="English words",
            cases=ENGLISH,
            control=("their letters shuffled", lambda model, word: in_list(shuffled(word), model.tokenizer)),
            unit="",
        ),
        other_languages=Claim(
            "Other languages cost more tokens than English.",
            "Count the tokens of the same two sentences, and take the cheaper one.",
            token_ratio,
            Bounds(supports=above(1.001), above_control=10),
            over="languages",
            cases={name: sentences for name, sentences in ARTICLES.items() if name != "English"},
            control=("characters", character_ratio),
            unit="times",
        ),
    ),
    "02": section(
        SAID,
        alike_is_near=Claim(
            "Words used alike lie close together.",
            "Compare the cosine of a pair such as “king, queen” with the highest to another word's partner.",
            lambda model, name: (
                nearest_partner(model, name, own=True) - nearest_partner(model, name, own=False)
            ),
            Bounds(supports=above(0), count=35),
            over="pairs",
            cases={name: name for name in RELATED.split(", ")},
            control=("the cosine itself", partial(nearest_partner, own=True)),
            unit="in cosine",
        ),
        king_and_queen=Claim(
            "king − man + woman = queen.",
            "Ask every such question of a family of words. Is most of it right, and more than with less of the sum?",
            lambda model, name: max(50, *analogies(model, name)[1:]) < analogies(model, name)[0],
            Bounds(supports=YES, count=4),
            over="families of words",
            cases={name: name for name in FAMILIES},
            unit="",
        ),
    ),
    "03": section(
        SAID,
        bag_of_words=on_eight(
            "Without positions, a text is a bag of words.",
            "Switch RoPE off, shuffle all tokens but the last, and add up the probability that moves.",
            partial(reordered, edits=Edits(rope=False)),
            Bounds(supports=below(1), count=0, control=Bounds(within=below(1))),
            control=("without the causal mask, too", partial(reordered, edits=NO_ORDER)),
        ),
    ),
    "04": section(
        SAID,
        attends_to_its_noun=Claim(
            "“was” attends to its noun.",
            "In “The cat that I saw yesterday was”: the noun's mean weight, less the largest of a word between.",
            lead_of_the_noun,
            Bounds(supports=above(0), count=1),
            over="nouns",
            cases={noun: noun for noun in SINGULAR},
            unit="percentage points more",
        ),
        attention_shows=on_eight(
            "Attention shows what mattered.",
            "Block attention from the last token to each other; rank the one with most attention by what moves.",
            rank_by_cost,
            Bounds(supports=(1, 1), count=5),
            unit="in rank",
        ),
        induction_heads_copy=Claim(
            "Induction heads copy patterns.",
            "Repeat 20 random tokens. Switch off the eight strongest such heads, or eight others.",
            copying_left,
            Bounds(supports=below(50)),
            over="random rows",
            cases={f"row {seed}": seed for seed in range(8)},
            unit="% of the control's copying",
        ),
    ),
    "05": section(
        SAID,
        facts_are_in_ffns=Claim(
            "Facts are in the FFN layers.",
            "Patch all FFNs but the first at a country: another's capital, less its own.",
            partial(lead_of_the_twin, first=False),
            Bounds(supports=above(0), count=4),
            over="countries",
            cases=following(facts.CAPITALS),
            control=("the first FFN", partial(lead_of_the_twin, first=True)),
            unit="percentage points",
        ),
        few_neurons=on_texts(
            "Only few neurons fire.",
            "Count the neurons that do half of a layer's writing, over those of shuffled ones: the median layer.",
            lambda model, text: np.divide(*np.median(neurons.neurons_for_half(model.trace(text)), axis=1)),
            Bounds(supports=below(0.5), count=0),
            unit="times as many as by chance",
        ),
    ),
    "06": section(
        SAID,
        the_same_when_cold=on_eight(
            "At temperature 0, it gives the same answer every time.",
            "Write five tokens with two seeds.",
            partial(writes_the_same, temperature=0),
            Bounds(supports=YES, control=Bounds(supports=YES, count=0)),
            control=("temperature 1", partial(writes_the_same, temperature=1)),
            unit="",
        ),
        wild_when_hot=on_texts(
            "A high temperature makes it wild.",
            "Add up the probability outside the 20 likeliest tokens, at temperature 2.",
            partial(the_loop.probability_outside, temperature=2),
            Bounds(supports=above(50), count=(12, 13)),
            control=("temperature 1", partial(the_loop.probability_outside, temperature=1)),
        ),
        sure_is_right=Claim(
            "A confident answer is a right one.",
            "Ask for capitals and sums in a chat. Is the next token right where it has over 50%?",
            partial(right_when, sure=True),
            Bounds(supports=YES, count=50, of=61),
            over="sure answers",
            cases={begun: (begun, right) for begun, right in ANSWERS.items()},
            control=("up to 50%", partial(right_when, sure=False)),
            unit="",
        ),
    ),
    "07": section(
        SAID,
        only_packaging=Claim(
            "The chat template is only packaging.",
            "Ask with the template and without it. Is the first token the same?",
            template_changes_nothing,
            Bounds(supports=YES, count=0),
            over="questions",
            cases={question: question for question in QUESTIONS},
            unit="",
        ),
    ),
}
CLAIMS = tuple(claim for claims in SERIES.values() for claim in claims)
