"""What notebook 02 says, over many words."""

import functools

import numpy as np

from llmviz import embeddings
from llmviz.views.embeddings.analogy_count import FAMILIES, pairs_of
from llmviz.views.embeddings.senses import SENSES, alike_by_layer
from llmviz.views.embeddings.table import without_average, words
from llmviz.views.embeddings.word_groups import read_groups
from llmviz.views.embeddings.word_map import at_random, directions_of, share_kept
from tests.claims import Measured

RELATED = (
    "king queen, dog puppy, hot cold, Paris France, doctor nurse, car truck, bread butter, red blue, "
    "teacher student, sun moon, apple banana, cat mouse, summer winter, father mother, salt pepper, piano guitar, "
    "table chair, river lake, shirt trousers, sword shield"
)
OPPOSITES = (
    "hot cold, big small, good bad, old new, high low, long short, fast slow, hard soft, strong weak, rich poor, "
    "dark light, happy sad, early late, left right, open closed, young old"
)
WALKS = (
    "dog cat, January July, one ten, king queen, red blue, Paris London, big small, bread table, river music, "
    "Monday Sunday, cold hot, car bicycle, two nine, mother child"
)
ON_THE_MAP = """animals: dog cat horse cow pig sheep lion tiger bear wolf
colours: red blue green yellow black white purple orange brown pink
days: Monday Tuesday Wednesday Thursday Friday Saturday Sunday
numbers: one two three four five six seven eight nine ten
countries: France Italy Germany Spain Japan China India Brazil
capitals: Paris Rome Berlin Madrid Tokyo Beijing Delhi London"""
COMMON = 1_000  # the ids of the tokens that the tokenizer learned first, bytes and control tokens among them


def two(model, listed: str) -> dict[str, tuple[int, int]]:
    """Pairs of words as pairs of tokens, by their names; all must be single tokens."""
    names = [pair.strip() for pair in listed.split(",")]
    pairs = [model.tokenizer.encode(f" {name}") for name in names]
    assert all(len(pair) == 2 for pair in pairs), [n for n, pair in zip(names, pairs) if len(pair) != 2]
    return dict(zip(names, pairs))


def rank(cosines, token: int) -> int:
    """How many tokens have a larger cosine."""
    return int((cosines > cosines[token]).sum())


def nearer_than(W_E, a: int, b: int) -> float:
    """Per cent of all other tokens that are farther from a than b is."""
    cosines = embeddings.cosine_to_all(W_E[a], W_E)
    return 100 * float((cosines < cosines[b]).sum() / (len(W_E) - 1))


def related(model) -> Measured:
    values = {name: nearer_than(model.weights.W_E, *pair) for name, pair in two(model, RELATED).items()}
    return Measured(
        "A related word is nearer than 99 % of all tokens", values, "% of all tokens", lambda v: v > 99
    )


def unrelated(model) -> Measured:
    """The control: the first word of each pair with the second one of the pair seven further on."""
    pairs = list(two(model, RELATED).items())
    values = {
        f"{name.split()[0]} {other.split()[1]}": nearer_than(model.weights.W_E, a, b)
        for (name, (a, _)), (other, (_, b)) in zip(pairs, pairs[7:] + pairs[:7])
    }
    return Measured("So is an unrelated word", values, "% of all tokens", lambda v: v > 99)


def related_against_random_pairs(model) -> Measured:
    blind = embeddings.random_pair_cosines(model.weights.W_E)
    values = {
        name: 100 * float((blind < embeddings.cosine_similarity(*model.weights.W_E[list(pair)])).mean())
        for name, pair in two(model, RELATED).items()
    }
    return Measured(
        "A related pair is above 99 % of random pairs", values, "% of random pairs", lambda v: v > 99
    )


def along_the_average(model) -> Measured:
    """The vocabulary in twelve parts, in the order in which the tokenizer learned it."""
    W_E = model.weights.W_E
    along = embeddings.cosine_to_all(W_E.mean(axis=0), W_E)
    values = {f"part {i + 1}": float(part.mean()) for i, part in enumerate(np.array_split(along, 12))}
    return Measured("Later tokens point along the average", values, "(cosine)", lambda v: v > 0.6)


def blind_pairs_without_the_average(model) -> Measured:
    values = {
        f"seed {seed}": float(embeddings.random_pair_cosines(without_average(model), seed=seed).mean())
        for seed in range(10)
    }
    return Measured(
        "Without the average, blind pairs are at right angles on the whole",
        values,
        "(cosine)",
        lambda v: abs(v) < 0.01,
    )


def common_tokens_crowd_in(model, centred: bool = True) -> Measured:
    """Of the 12 nearest other words of each, how many are among the first 1,000 tokens."""
    W_E = without_average(model) if centred else model.weights.W_E
    spelled, values = words(model), {}
    for name, (a, _) in two(model, RELATED).items():
        same = np.flatnonzero(spelled == spelled[a]).tolist()
        near = embeddings.nearest(W_E[a], W_E, n=12, exclude=same).tokens
        values[name.split()[0]] = float(sum(token < COMMON for token in near))
    what = "Without" if centred else "With"
    return Measured(
        f"{what} the average, common tokens are among the neighbours", values, "of 12", lambda v: v > 0
    )


def common_tokens_before(model) -> Measured:
    return common_tokens_crowd_in(model, centred=False)


def opposites(model) -> Measured:
    W_E = model.weights.W_E
    values = {
        name: float(rank(embeddings.cosine_to_all(W_E[a], W_E), b))
        for name, (a, b) in two(model, OPPOSITES).items()
    }
    return Measured("The opposite is among the 10 nearest tokens", values, "th", lambda v: v <= 10)


def other_adjectives(model) -> Measured:
    """The control: the median rank of the other words of that list."""
    W_E, pairs = model.weights.W_E, two(model, OPPOSITES)
    everything, values = {token for pair in pairs.values() for token in pair}, {}
    for name, (a, b) in pairs.items():
        cosines = embeddings.cosine_to_all(W_E[a], W_E)
        values[name] = float(np.median([rank(cosines, token) for token in everything - {a, b}]))
    return Measured("So are other adjectives", values, "th (median)", lambda v: v <= 10)


def map_neighbours(model) -> Measured:
    """The words of the page, and five of six groups at a time; beside them 20 to 60 words drawn blindly."""
    texts = {"all": ON_THE_MAP}
    lines = ON_THE_MAP.splitlines()
    texts |= {f"no {line.partition(':')[0]}": "\n".join({*lines} - {line}) for line in lines}
    values = {}
    for name, text in texts.items():
        directions = directions_of(read_groups(text, model.tokenizer).tokens, model.weights.W_E)
        values[name] = 100 * share_kept(directions, embeddings.pca(directions).coordinates)
    values |= {f"{n} at random": 100 * at_random(model, n, False)[1] for n in (20, 40, 60)}
    return Measured(
        "A flat map keeps at most six of ten nearest neighbours", values, "% of them", lambda v: v <= 60
    )


def arithmetic(model) -> Measured:
    values = {name: share(model, listed, "right") for name, listed in FAMILIES.items()}
    return Measured("a − b + c is right more often than not", values, "% of 182", lambda v: v > 50)


def c_alone(model) -> Measured:
    values = {name: share(model, listed, "c_alone") for name, listed in FAMILIES.items()}
    return Measured("So is c alone", values, "% of 182", lambda v: v > 50)


def arithmetic_untouched(model) -> Measured:
    values = {name: share(model, listed, "untouched") for name, listed in FAMILIES.items()}
    return Measured("a − b + c is right with nothing left out", values, "% of 182", lambda v: v > 50)


def share(model, listed: str, what: str) -> float:
    """In %."""
    score = embeddings.score_analogies(pairs_of(listed, model.tokenizer), model.weights.W_E, words(model))
    return 100 * getattr(score, what) / score.asked


@functools.lru_cache(maxsize=1)
def senses(model) -> dict[str, np.ndarray]:
    """For each word: same sense, other sense, other word in the same sentence, each by layers done."""
    return {word: alike_by_layer([model.trace(text) for text in texts]) for word, texts in SENSES.items()}


def senses_part(model) -> Measured:
    values = {word: float(same[10] - other[10]) for word, (same, other, _) in senses(model).items()}
    return Measured(
        "After 10 layers the senses are apart", values, "more alike in one sense", lambda v: v > 0
    )


def word_before_sentence(model) -> Measured:
    values = {word: float(other[10] - control[10]) for word, (_, other, control) in senses(model).items()}
    return Measured(
        "After 10 layers the same word is more alike than another word in its place",
        values,
        "",
        lambda v: v > 0,
    )


def sentence_before_word(model) -> Measured:
    values = {word: float(control[-1] - other[-1]) for word, (_, other, control) in senses(model).items()}
    return Measured(
        "After all layers another word in its place is more alike than the same word",
        values,
        "",
        lambda v: v > 0,
    )


def nobody_on_the_way(model) -> Measured:
    """How many other words are ever the nearest, in 41 steps."""
    W_E, spelled, values = model.weights.W_E, words(model), {}
    for name, (a, b) in two(model, WALKS).items():
        walk = embeddings.walk(W_E[a], W_E[b], W_E)
        met = {int(spelled[walk.cosines(part).argmax()]) for part in np.linspace(0, 1, 41)}
        values[name] = float(len(met - {int(spelled[a]), int(spelled[b])}))
    return Measured("Nobody else is nearest on the way", values, "others", lambda v: v == 0)


CONCLUSIONS = (
    related,
    unrelated,
    related_against_random_pairs,
    along_the_average,
    blind_pairs_without_the_average,
    common_tokens_crowd_in,
    common_tokens_before,
    opposites,
    other_adjectives,
    map_neighbours,
    arithmetic,
    c_alone,
    arithmetic_untouched,
    senses_part,
    word_before_sentence,
    sentence_before_word,
    nobody_on_the_way,
)


# --- the page's wording, held to the numbers ---


def test_all_tokens_tell_related_words_from_unrelated_ones_and_random_pairs_do_not(model):
    assert related(model).agree == 19
    wrong = unrelated(model)
    assert wrong.agree == 1
    assert wrong.lowest < 3
    assert 99.7 < wrong.highest < 99.9
    assert related_against_random_pairs(model).agree == 3


def test_king_and_banana_are_told_as_they_are(model):
    king, banana = model.tokenizer.encode(" king banana")
    W_E, blind = model.weights.W_E, embeddings.random_pair_cosines(model.weights.W_E)
    cosine = float(embeddings.cosine_similarity(W_E[king], W_E[banana]))
    assert f"{cosine:.2f}" == "0.22"
    assert round(nearer_than(W_E, king, banana)) == 87
    assert nearer_than(W_E, banana, king) < 5  # low, seen from the banana
    assert (blind < cosine).mean() < 0.1  # and among blind pairs
    assert 40 < nearer_than(without_average(model), king, banana) < 60


def test_late_tokens_lean_along_the_average(model):
    leaning = list(along_the_average(model).values.values())
    assert (np.diff(leaning) > -0.01).all()
    assert leaning[0] < 0.45
    assert leaning[-1] > 0.7
    assert blind_pairs_without_the_average(model).agree == 10


def test_taking_the_average_away_has_its_price(model):
    assert common_tokens_crowd_in(model).agree == 15
    assert common_tokens_before(model).agree == 0


def test_opposites_are_near_and_other_adjectives_are_not(model):
    assert opposites(model).agree == 12
    assert other_adjectives(model).lowest > 100


def test_a_map_hides_neighbours(model):
    measured = map_neighbours(model)
    assert max(v for name, v in measured.values.items() if "random" in name) < 30
    assert min(v for name, v in measured.values.items() if "random" not in name) > 40
    assert measured.highest < 70


def test_arithmetic_against_c_alone(model):
    right, alone = arithmetic(model).values, c_alone(model).values
    won = {name: right[name] - alone[name] for name in right}
    assert min(won, key=won.get) == "cats"
    assert won["cats"] < 1
    assert max(won, key=won.get) == "Paris"
    assert arithmetic_untouched(model).values["Paris"] == 0


def test_senses_part_and_then_the_sentence_counts_for_more_than_the_word(model):
    assert senses_part(model).agree == len(SENSES) == 14
    assert word_before_sentence(model).agree == 13
    assert sentence_before_word(model).agree == 14


def test_hardly_anybody_stands_on_the_way(model):
    measured = nobody_on_the_way(model)
    assert [name for name, others in measured.values.items() if others] == ["two nine"]
