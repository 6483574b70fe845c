"""What notebook 02 says, over many words."""

import functools
from collections.abc import Callable

import numpy as np

from llmviz import embeddings
from llmviz.claims.cases import RELATED
from llmviz.views.embeddings.analogy_count import FAMILIES, pairs_of
from llmviz.views.embeddings.senses import SENSES, alike_by_layer
from llmviz.views.embeddings.table import without_average, words
from llmviz.views.embeddings.word_groups import read_groups
from llmviz.views.embeddings.word_map import at_random, directions_of, share_kept
from tests.claims import Measured

OPPOSITES = (
    "hot cold, big small, good bad, old new, high low, long short, fast slow, hard soft, strong weak, rich poor, "
    "dark light, happy sad, early late, left right, open closed, young old, up down, in out, on off, first last, "
    "black white, day night, love hate, war peace, life death, man woman, boy girl, true false, full empty, wet dry, "
    "clean dirty, thick thin, wide narrow, near far, heavy light, safe dangerous, cheap expensive, easy difficult, "
    "loud quiet, sweet bitter, north south, east west, win lose, buy sell, push pull, begin end, male female, "
    "positive negative, increase decrease, above below, before after, inside outside, success failure, "
    "public private, more less, always never"
)
SYNONYMS = (
    "big large, small little, quick fast, begin start, end finish, happy glad, sad unhappy, smart clever, "
    "rich wealthy, hard difficult, easy simple, hot warm, cold cool, silent quiet, error mistake, house home, "
    "road street, car automobile, doctor physician, shop store, buy purchase, help assist, choose select, "
    "answer reply, sick ill, strong powerful, wide broad, angry mad, brave courageous, correct right, "
    "wrong incorrect, near close, dead deceased, odd strange, huge enormous, tiny small, famous known, "
    "important significant, beautiful pretty, rock stone, forest woods, gift present, jump leap, speak talk, "
    "look see, entire whole, usual normal, show display, build construct, increase grow, reduce decrease, "
    "main primary, rare uncommon, idea concept, method way, area region, job work, child kid, movie film"
)
WALKS = (
    "dog cat, January July, one ten, king queen, red blue, Paris London, big small, bread table, river music, "
    "Monday Sunday, cold hot, car bicycle, two nine, mother child"
)
ON_THE_MAP = """animals: dog cat horse cow lion wolf
colours: red blue green yellow black white
days: Monday Tuesday Wednesday Thursday Friday Saturday
numbers: one two three four five six
countries: France Italy Germany Spain Japan China
capitals: Paris Rome Berlin Madrid Tokyo Beijing"""
ONE_SENSE = {  # of each word: two sentences on one topic, one on another
    "dog": (
        "The farmer fed his hungry dog",
        "On the farm lived a loyal dog",
        "The artist painted a blue dog",
    ),
    "car": (
        "The mechanic repaired the old car",
        "He changed the tyres of his car",
        "At the museum stood a wooden car",
    ),
    "bread": (
        "The baker sold us fresh bread",
        "In the oven rose the warm bread",
        "The word she wrote was bread",
    ),
    "house": (
        "The builders finished the brick house",
        "The roof covers the whole house",
        "The child drew a small house",
    ),
    "horse": (
        "The rider saddled her brown horse",
        "The jockey fell from his horse",
        "On the coin we saw a horse",
    ),
    "doctor": (
        "The nurse called the busy doctor",
        "The patient waited for the doctor",
        "In the film he plays a doctor",
    ),
    "river": (
        "The boat drifted down the river",
        "We swam across the cold river",
        "On the map I found the river",
    ),
    "apple": (
        "From the tree fell a ripe apple",
        "In the orchard she picked an apple",
        "The logo shows a silver apple",
    ),
    "knife": (
        "The cook sharpened his long knife",
        "In the kitchen she used a knife",
        "The police found a bloody knife",
    ),
    "coffee": (
        "The waiter brought us hot coffee",
        "Every morning he drinks black coffee",
        "The country exports a lot of coffee",
    ),
    "snow": (
        "In winter the roofs carry snow",
        "The skiers waited for fresh snow",
        "Her dress was white as snow",
    ),
    "mother": (
        "The baby smiled at its mother",
        "The children ran to their mother",
        "The statue shows a young mother",
    ),
    "teacher": (
        "The pupils listened to their teacher",
        "The class was waiting for the teacher",
        "At the party I met a teacher",
    ),
    "forest": (
        "The deer ran into the forest",
        "Wolves live in the dark forest",
        "The painting shows a green forest",
    ),
}
MORE_SENSES = {  # other sentences: one sense, another, and another word that fits there
    "bank (walk)": (
        "They walked along the river to the bank",
        "They walked along the street to the bank",
        "They walked along the street to the shop",
    ),
    "bank (paid)": (
        "The fisherman stood on the bank",
        "The old lady went to the bank",
        "The old lady went to the church",
    ),
    "bat": (
        "We saw an animal, a small bat",
        "We saw a player with a bat",
        "We saw a player with a racket",
    ),
    "spring": (
        "It is warm, for it is spring",
        "The mattress has lost a spring",
        "The mattress has lost a button",
    ),
    "match": (
        "She lit the stove with a match",
        "They played a long tennis match",
        "They played a long tennis game",
    ),
    "ring": (
        "On her finger shone a ring",
        "The two wrestlers entered the ring",
        "The two wrestlers entered the room",
    ),
    "bark": (
        "The axe cut into the bark",
        "The dog gave a short bark",
        "The dog gave a short cry",
    ),
    "light": (
        "She opened the window to let in the light",
        "He can lift it because it is light",
        "He can lift it because it is small",
    ),
    "right": (
        "Turn left here, and then turn right",
        "I think that she is right",
        "I think that she is wrong",
    ),
    "date": (
        "They kissed at the end of the date",
        "The contract has no signature and no date",
        "The contract has no signature and no name",
    ),
    "letter": (
        "The postman brought me a letter",
        "The word begins with a capital letter",
        "The word begins with a capital S",
    ),
    "nail": (
        "The carpenter bent the nail",
        "She bit off a piece of her nail",
        "She bit off a piece of her apple",
    ),
    "fan": (
        "It is hot, so turn on the fan",
        "The singer was kissed by a fan",
        "The singer was kissed by a child",
    ),
    "wave": (
        "The boat was turned over by a wave",
        "The queen greeted them with a wave",
        "The queen greeted them with a smile",
    ),
    "watch": (
        "The thief stole my golden watch",
        "The guard was tired of his watch",
        "The guard was tired of his work",
    ),
    "mouse": (
        "The cat caught a little mouse",
        "The computer has a keyboard and a mouse",
        "The computer has a keyboard and a screen",
    ),
    "key": (
        "He opened the door with his key",
        "The pianist played in another key",
        "The pianist played in another room",
    ),
    "plant": (
        "In the garden grew a tall plant",
        "The workers left the chemical plant",
        "The workers left the chemical factory",
    ),
    "cold": (
        "In winter the nights are cold",
        "The child stayed home with a cold",
        "The child stayed home with a fever",
    ),
    "mean": (
        "The numbers have the same mean",
        "He was ugly and also very mean",
        "He was ugly and also very poor",
    ),
    "park": (
        "The children played in the park",
        "There is no place here to park",
        "There is no place here to sit",
    ),
    "fire": (
        "The house was destroyed by fire",
        "The general told the soldiers to fire",
        "The general told the soldiers to wait",
    ),
    "club": (
        "He joined the local football club",
        "The giant swung a heavy club",
        "The giant swung a heavy hammer",
    ),
    "star": (
        "In the sky shone a bright star",
        "Everybody loved the young film star",
        "Everybody loved the young film actor",
    ),
    "table": (
        "The plates stood on the table",
        "The numbers are listed in the table",
        "The numbers are listed in the book",
    ),
    "note": (
        "The singer held the high note",
        "She left him a short note",
        "She left him a short message",
    ),
}
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


LISTS = {
    "related": RELATED,
    "synonyms": SYNONYMS,
    "opposites": OPPOSITES,
    "capitals": FAMILIES["capitals"],
}


@functools.lru_cache(maxsize=len(LISTS))
def pairings(model, name: str) -> np.ndarray:
    """[3, n, n]: how near the first word of pair i and the second of pair j of a list are.

    By the cosine; in % of all other tokens that are farther, seen from the first word; and so from the second.
    """
    W_E, pairs = model.weights.W_E, np.array(list(two(model, LISTS[name]).values()))
    cosines = [np.stack([embeddings.cosine_to_all(W_E[a], W_E) for a in side]) for side in pairs.T]
    alike = [rows[:, side] for rows, side in zip(cosines, pairs.T[::-1])]
    nearer = [
        np.stack([100 * (row < one[:, None]).sum(axis=1) / (len(W_E) - 1) for row, one in zip(rows, values)])
        for rows, values in zip(cosines, alike)
    ]
    return np.stack([alike[0], nearer[0], nearer[1].T])


def passed_by_a_twentieth(pairings: np.ndarray) -> float:
    """The cut above which 5% of the wrong pairings [n, n] of one way lie."""
    return float(np.percentile(pairings[~np.eye(len(pairings), dtype=bool)], 95))


def pairs_found(model, way: int, says: str) -> Measured:
    values = {}
    for name in LISTS:
        near = pairings(model, name)[way]
        values[name] = 100 * float((near.diagonal() > passed_by_a_twentieth(near)).mean())
    return Measured(
        f"{says}, most pairs are nearer than 95% of the wrong ones", values, "%", lambda v: v > 50
    )


def found_by_cosine(model) -> Measured:
    """The same as the share of random pairs below, which keeps the order of the cosines."""
    return pairs_found(model, 0, "By the cosine")


def found_from_the_first(model) -> Measured:
    return pairs_found(model, 1, "Seen from word 1")


def found_from_the_second(model) -> Measured:
    return pairs_found(model, 2, "Seen from word 2")


def near_from_one_end(model, name: str = "related") -> Measured:
    """Pairs that are among the nearest 1% of all tokens from one end: how near from the other."""
    values = {}
    for pair, both in zip(two(model, LISTS[name]), pairings(model, name)[1:].diagonal(axis1=1, axis2=2).T):
        if both.max() > 99:
            values[pair] = float(both.min())
    says = f"{name}: near from one end, and not from the other"
    return Measured(says, values, "% of all tokens", lambda v: v < 90)


def near_from_one_end_of_capitals(model) -> Measured:
    """The control."""
    return near_from_one_end(model, "capitals")


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


def common_tokens_crowd_in(model, centred: bool = True, low: int = COMMON, high: int = 5_000) -> Measured:
    """Of the 12 nearest other words, how many are among the first 1,000 tokens: 100 words with ids low to high."""
    W_E = without_average(model) if centred else model.weights.W_E
    spelled, pieces = words(model), model.tokenizer.pieces(range(high))
    whole = [
        i for i in range(low, high) if pieces[i][0] == " " and pieces[i][1:].isalpha() and pieces[i].islower()
    ]
    values = {}
    for token in np.random.default_rng(0).choice(whole, 100, replace=False).tolist():
        same = np.flatnonzero(spelled == spelled[token]).tolist()
        near = embeddings.nearest(W_E[token], W_E, n=12, exclude=same).tokens
        values[pieces[token]] = float(sum(one < COMMON for one in near))
    return Measured(
        f"With{'out' if centred else ''} the average, ids {low} to {high}: common tokens are among the neighbours",
        values,
        "of 12",
        lambda v: v > 0,
    )


def common_tokens_before(model) -> Measured:
    return common_tokens_crowd_in(model, centred=False)


def common_tokens_and_rare_words(model) -> Measured:
    return common_tokens_crowd_in(model, low=15_000, high=model.config.n_vocab)


def among_ten(model, what: str, listed: str) -> Measured:
    W_E = model.weights.W_E
    values = {
        name: float(rank(embeddings.cosine_to_all(W_E[a], W_E), b))
        for name, (a, b) in two(model, listed).items()
    }  # the word itself has rank 0
    return Measured(f"{what} is among the 10 nearest tokens", values, "th", lambda v: v <= 10)


def opposites(model) -> Measured:
    return among_ten(model, "The opposite", OPPOSITES)


def synonyms(model) -> Measured:
    """The control."""
    return among_ten(model, "A synonym", SYNONYMS)


def map_neighbours(model) -> Measured:
    """The words of the page, and five of six groups at a time; beside them 20 to 60 random words."""
    texts = {"all": ON_THE_MAP}
    lines = ON_THE_MAP.splitlines()
    texts |= {f"no {line.partition(':')[0]}": "\n".join({*lines} - {line}) for line in lines}
    values = {}
    for name, text in texts.items():
        directions = directions_of(read_groups(text, model.tokenizer).tokens, model.weights.W_E)
        values[name] = 100 * share_kept(directions, embeddings.pca(directions).coordinates)
    values |= {f"{n} at random": 100 * at_random(model, n, False)[1] for n in (20, 40, 60)}
    return Measured(
        "A flat map keeps at most eight of ten nearest neighbours", values, "% of them", lambda v: v <= 80
    )


def won_by_the_subtraction(model, centred: bool = False) -> Measured:
    """a − b + c against the better one of its controls, a + c and c alone."""
    W_E, values = without_average(model) if centred else model.weights.W_E, {}
    for name, listed in FAMILIES.items():
        score = embeddings.score_analogies(pairs_of(listed, model.tokenizer), W_E, words(model))
        values[name] = 100 * (score.right - max(score.added, score.c_alone)) / score.asked
    says = f"With{'out' if centred else ''} the average, the subtraction wins a fifth of all questions"
    return Measured(says, values, "points of %", lambda v: v > 20)


def won_without_the_average(model) -> Measured:
    return won_by_the_subtraction(model, True)


@functools.lru_cache(maxsize=1)
def senses(model) -> dict[str, np.ndarray]:
    """For each word the curves of the page [4, n_layers + 1], by layers done."""
    return {word: alike_by_layer([model.trace(text) for text in texts]) for word, texts in SENSES.items()}


def of_senses(model, says: str, more: Callable[..., float], unit: str = "", among=senses) -> Measured:
    values = {word: float(more(*curves)) for word, curves in among(model).items()}
    return Measured(says, values, unit, lambda v: v > 0)


def senses_part(model) -> Measured:
    says = "After 10 layers the senses are apart"
    return of_senses(model, says, lambda same, other, *_: same[10] - other[10], "more alike in one sense")


def topics_part(model) -> Measured:
    """The control: words that have one sense, in sentences on one topic and on two."""
    values = {}
    for word, texts in ONE_SENSE.items():
        traces = [model.trace(text) for text in texts]
        assert len({trace.tokens[-1] for trace in traces}) == 1, word
        same, other, *_ = alike_by_layer([*traces, traces[-1]])
        values[word] = float(same[10] - other[10])
    return Measured("So are the topics of a word of one sense", values, "more alike", lambda v: v > 0)


def other_sense_before_unrelated(model) -> Measured:
    says = "After all layers the other sense is more alike than another word in another sentence"
    return of_senses(model, says, lambda _, other, __, unlike: other[-1] - unlike[-1])


def word_before_sentence(model) -> Measured:
    says = "After 10 layers the same word is more alike than another word in its place"
    return of_senses(model, says, lambda _, other, control, __: other[10] - control[10])


def sentence_before_word(model) -> Measured:
    says = "After all layers another word in its place is more alike than the same word"
    return of_senses(model, says, lambda _, other, control, __: control[-1] - other[-1])


@functools.lru_cache(maxsize=1)
def more_senses(model) -> dict[str, np.ndarray]:
    """As `senses`, of sentences that are on no page; without a second one of a sense, the first curve is all ones."""
    values = {}
    for word, (one, other, control) in MORE_SENSES.items():
        traces = [model.trace(text) for text in (one, one, other, control)]
        assert traces[1].tokens[-1] == traces[2].tokens[-1] != traces[3].tokens[-1], word
        values[word] = alike_by_layer(traces)
    return values


def sentence_before_word_elsewhere(model) -> Measured:
    says = "Other sentences: after all layers another word in its place is more alike than the same word"
    return of_senses(model, says, lambda _, other, control, __: control[-1] - other[-1], among=more_senses)


def word_before_sentence_elsewhere(model) -> Measured:
    says = "Other sentences: after 10 layers the same word is more alike than another word in its place"
    return of_senses(model, says, lambda _, other, control, __: other[10] - control[10], among=more_senses)


def nobody_on_the_way(model) -> Measured:
    """How many other words are ever the nearest, in 41 steps."""
    W_E, spelled, values = model.weights.W_E, words(model), {}
    for name, (a, b) in two(model, WALKS).items():
        walk = embeddings.walk(W_E[a], W_E[b], W_E)
        met = {int(spelled[walk.cosines(part).argmax()]) for part in np.linspace(0, 1, 41)}
        values[name] = float(len(met - {int(spelled[a]), int(spelled[b])}))
    return Measured("Nobody else is nearest on the way", values, "others", lambda v: v == 0)


CONCLUSIONS = (
    found_by_cosine,
    found_from_the_first,
    found_from_the_second,
    near_from_one_end,
    near_from_one_end_of_capitals,
    along_the_average,
    blind_pairs_without_the_average,
    common_tokens_crowd_in,
    common_tokens_before,
    common_tokens_and_rare_words,
    opposites,
    synonyms,
    map_neighbours,
    won_by_the_subtraction,
    won_without_the_average,
    senses_part,
    topics_part,
    word_before_sentence,
    sentence_before_word,
    other_sense_before_unrelated,
    sentence_before_word_elsewhere,
    word_before_sentence_elsewhere,
    nobody_on_the_way,
)


# --- the page's wording, held to the numbers ---


def test_no_way_finds_the_most_pairs_of_every_list(model):
    ways = found_by_cosine(model), found_from_the_first(model), found_from_the_second(model)
    told = {  # the page's table
        name: (
            len(pairings(model, name)[0]),
            *(round(way.values[name] * len(pairings(model, name)[0]) / 100) for way in ways),
        )
        for name in LISTS
    }
    assert told == {
        "related": (50, 27, 42, 37),
        "synonyms": (59, 51, 54, 50),
        "opposites": (56, 53, 53, 47),
        "capitals": (14, 14, 10, 14),
    }
    assert not any(all(counts[way] == max(counts[1:]) for counts in told.values()) for way in (1, 2, 3))


def test_a_pair_can_be_near_from_one_end_and_far_from_the_other(model):
    assert near_from_one_end(model).agree == 14
    assert near_from_one_end_of_capitals(model).agree == 0
    assert near_from_one_end(model, "synonyms").agree == near_from_one_end(model, "opposites").agree == 8
    cat, mouse = model.tokenizer.encode(" cat mouse")  # the page's example
    assert nearer_than(model.weights.W_E, cat, mouse) > 99
    assert nearer_than(model.weights.W_E, mouse, cat) < 10


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
    W_E = model.weights.W_E
    along = embeddings.cosine_to_all(W_E.mean(axis=0), W_E)
    ranks = along.argsort().argsort()
    assert f"{np.corrcoef(np.arange(len(W_E)), ranks)[0, 1]:.2f}" == "0.57"  # on the whole, and no more
    assert len(W_E) == 49_152
    most = embeddings.largest(along, n=12)
    ties = [row for row, one in zip(W_E[most.tokens], most.cosines) if (most.cosines == one).sum() > 1]
    assert len(ties) == 4
    assert (np.stack(ties) == ties[0]).all()
    leaning = list(along_the_average(model).values.values())
    assert (np.diff(leaning) > -0.01).all()
    assert leaning[0] < 0.45
    assert leaning[-1] > 0.7
    assert blind_pairs_without_the_average(model).agree == 10


def test_taking_the_average_away_has_its_price(model):
    assert common_tokens_before(model).agree == 11
    assert common_tokens_crowd_in(model).agree == 74
    assert common_tokens_and_rare_words(model).agree <= 5  # a price for frequent words


def test_opposites_are_about_as_near_as_synonyms(model):
    near, control = opposites(model), synonyms(model)
    assert (near.agree, len(near.values)) == (37, 56)
    assert (control.agree, len(control.values)) == (43, 59)


def test_a_map_hides_neighbours(model):
    measured = map_neighbours(model)
    assert max(v for name, v in measured.values.items() if "random" in name) < 30
    assert min(v for name, v in measured.values.items() if "random" not in name) > 40
    assert measured.highest < 80


def test_without_the_average_the_subtraction_wins_more_in_all_families_but_the_capitals(model):
    before, after = won_by_the_subtraction(model).values, won_without_the_average(model).values
    won = {name: (round(before[name]), round(after[name])) for name in before}
    assert won == {
        "comparatives": (13, 54),
        "plurals": (-1, 6),
        "capitals": (50, 31),
        "past tenses": (4, 42),
        "female words": (12, 21),
        "with un-": (7, 25),
    }


def test_senses_part_and_then_the_sentence_counts_for_more_than_the_word(model):
    assert senses_part(model).agree == len(SENSES) == 14
    assert word_before_sentence(model).agree == 13
    assert sentence_before_word(model).agree == 14
    assert other_sense_before_unrelated(model).agree == 11
    assert len(more_senses(model)) == 26
    assert sentence_before_word_elsewhere(model).agree == 22
    assert word_before_sentence_elsewhere(model).agree == 21
    by_layer = np.mean([*senses(model).values()], axis=0)
    assert [f"{one:.2f}" for one in by_layer[[1, 3], 10]] == ["0.78", "0.62"]
    assert [f"{one:.2f}" for one in by_layer[[1, 3], -1]] == ["0.67", "0.63"]
    lost, control = ([*one(model).values.values()] for one in (senses_part, topics_part))
    assert [f"{np.mean(one):.2f}" for one in (lost, control)] == ["0.15", "0.03"]


def test_hardly_anybody_stands_on_the_way(model):
    measured = nobody_on_the_way(model)
    assert [name for name, others in measured.values.items() if others] == ["two nine"]
