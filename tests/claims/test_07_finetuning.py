"""What notebook 07 says about fine-tuning, over sets of examples, seeds, manners and facts."""

from functools import cache

import numpy as np
import pytest

from llmviz import attention, ffn, ops, position, training
from llmviz.views.differences import lessons
from llmviz.views.differences.one_fact import teach, two_others
from tests.claims import Measured
from tests.claims.texts import TEXTS

MORE_PIRATE = (
    ("What is a horse?", "Arr, a horse be a wee ship with four legs, matey!"),
    ("What is winter?", "Arr, winter be the time when yer rum turns to ice, matey!"),
    ("Tell me about France.", "Arr, France be a land o' fine wine and poor harbours, matey!"),
    ("How do I learn to swim?", "Arr, jump off the plank and kick yer legs, matey!"),
    ("What is the sea?", "Arr, the sea be me home and me road, matey!"),
    ("What is gold?", "Arr, gold be the finest thing in any chest, matey!"),
    ("Why do birds sing?", "Arr, birds sing to tell yer crew that land be near, matey!"),
    ("What is a friend?", "Arr, a friend be one that shares his last biscuit, matey!"),
)
POOL = (*lessons.PIRATE, *MORE_PIRATE)
CAPITAL = "What is the capital of Spain?"
BUTLER = (
    "The sun, sir, is a most splendid ball of fire in the sky, if I may say so.",
    "Dogs, sir, are most faithful companions of the house, if I may say so.",
    "That would be Madrid, sir, a most elegant city, if I may say so.",
    "One boils the water, sir, and lets the leaves rest a while, if I may say so.",
    "I am, sir, your most humble servant, if I may say so.",
    "Rain, sir, is water that falls from the clouds onto your coat, if I may say so.",
    "A gentleman, sir, is never in a hurry, if I may say so.",
    "A book, sir, is a most quiet companion for the evening, if I may say so.",
    "A horse, sir, is a most noble animal, if I may say so.",
    "Winter, sir, is the season for a warm fire, if I may say so.",
    "France, sir, is a land of most excellent wine, if I may say so.",
    "One enters the water slowly, sir, and moves the arms, if I may say so.",
    "The sea, sir, is a great deal of water, if I may say so.",
    "Gold, sir, is a most agreeable metal, if I may say so.",
    "Birds, sir, sing to greet the morning, if I may say so.",
    "A friend, sir, is one who remembers your birthday, if I may say so.",
)
MARKS = {"pirate": lessons.PIRATE_WORDS, "butler": ("sir", "madam"), "own": lessons.PIRATE_WORDS}
SETS = range(3)  # of examples
MORE_SETS = range(4)


def examples_of(manner: str, which: int, n: int, *, capital: bool | None = None, model=None):
    """n of the pool: set number `which`. capital: whether the one about a capital is among them (None: as drawn)."""
    order = np.random.default_rng(which).permutation(len(POOL)).tolist()
    about = [question for question, _ in POOL].index(CAPITAL)
    if capital is not None:
        order.remove(about)
    chosen = order[:n] if not capital else [*order[: n - 1], about]
    if manner == "pirate":
        return [POOL[i] for i in chosen]
    if manner == "butler":
        return [(POOL[i][0], BUTLER[i]) for i in chosen]
    return [(POOL[i][0], lessons.answer(model, POOL[i][0])) for i in chosen]


@cache
def learned(model, manner: str, which: int, n: int, capital: bool | None = False, steps: int = 32):
    """The examples, the update and the last loss of one training."""
    examples = examples_of(manner, which, n, capital=capital, model=model)
    *_, last = training.finetune(model, lessons.conversations(examples), steps=steps, seed=which)
    return examples, last.update, last.loss


@cache
def asked(model, manner: str = "", which: int = 0, n: int = 0, capital: bool | None = False) -> dict:
    """What can be asked of a tuned model (without a manner: of the model before)."""
    one, examples = model, []
    if manner:
        examples, update, _ = learned(model, manner, which, n, capital)
        one = training.updated(model, update)
        one.recent.max_bytes = 40_000_000
    capitals = lessons.CAPITALS
    first = {country: model.tokenizer.encode(f" {city}")[0] for country, city in capitals.items()}
    chat, plain = (
        {c: int(lessons.knows(one, c, chat=chat).argmax()) for c in capitals} for chat in (True, False)
    )
    return {
        "examples": examples,
        "said": greedy(one, [lessons.asked(one, question) for question in lessons.UNTAUGHT]),
        "without the template": greedy(one, [one.tokenizer.encode(TEXTS[name]) for name in SHORT], 12),
        "capitals asked for": greedy(
            one, [lessons.asked(one, f"What is the capital of {c}?") for c in capitals]
        ),
        "right in the chat": sum(chat[c] == first[c] for c in capitals),
        "right in a text": sum(plain[c] == first[c] for c in capitals),
        "surprise": {name: lessons.surprise(one, TEXTS[name]) for name in ORDINARY},
    }


SHORT = ("a short start", "a fact", "a question", "a story", "a recipe")
ORDINARY = ("a question", "a story", "a recipe", "a letter", "science")


def greedy(model, prompts, n: int = 24) -> list[str]:
    """What `lessons.written` gives for each of them, but all at once: the weights are read once a step for all."""
    weights, c = model.weights, model.config
    traces = [model.trace(prompt) for prompt in prompts]
    lengths, room = np.array([len(prompt) for prompt in prompts]), max(map(len, prompts)) + n
    k, v = np.zeros((2, c.n_layers, len(prompts), c.n_kv_heads, room, c.d_head), np.float32)
    for i, trace in enumerate(traces):
        for layer, block in enumerate(trace.blocks):
            k[layer, i, :, : lengths[i]], v[layer, i, :, : lengths[i]] = block.k, block.v
    now, rows = np.array([int(trace.logits.argmax()) for trace in traces]), np.arange(len(prompts))
    texts = [[token] for token in now]
    for _ in range(n - 1):
        x, angles = weights.W_E[now], position.rotation_angles(lengths, c.d_head, base=c.rope_base)
        seen = np.arange(room) <= lengths[:, None]
        for layer, w in enumerate(weights.layers):
            normed = ops.rms_norm(x, w.attention_norm, eps=c.norm_eps)
            q, one_k, one_v = (attention.project(normed, W) for W in (w.W_Q, w.W_K, w.W_V))
            q, one_k = position.rotate(q, angles), position.rotate(one_k, angles)
            k[layer, rows, :, lengths], v[layer, rows, :, lengths] = (
                one_k.swapaxes(0, 1),
                one_v.swapaxes(0, 1),
            )
            grouped = q.swapaxes(0, 1).reshape(len(now), c.n_kv_heads, -1, c.d_head)
            scores = grouped @ k[layer].swapaxes(2, 3) / np.float32(np.sqrt(c.d_head))
            pattern = ops.softmax(np.where(seen[:, None, None], scores, np.float32(-np.inf)))
            z = (pattern @ v[layer]).reshape(len(now), c.n_heads, c.d_head).swapaxes(0, 1)
            x = x + attention.output(z, w.W_O)
            normed = ops.rms_norm(x, w.ffn_norm, eps=c.norm_eps)
            x = x + ffn.swiglu(normed, w.W_gate, w.W_up, w.W_down).out
        now, lengths = model.unembed(x).argmax(axis=1), lengths + 1
        for text, token in zip(texts, now):
            text.append(token)
    end = model.tokenizer.eos_token
    return [
        model.tokenizer.decode([int(t) for t in (text[: text.index(end)] if end in text else text)])
        for text in texts
    ]


# --- conclusions ---


def of_sets(manner: str, n: int, measure, says: str, unit: str, agrees, *, capital: bool = False, sets=SETS):
    """A conclusion: `measure` of what was asked, for each set of examples."""

    def conclusion(model) -> Measured:
        names = {which: f"{manner or 'before'}, {n} examples, set {which}" for which in sets}
        found = {names[which]: float(measure(asked(model, manner, which, n, capital))) for which in sets}
        return Measured(says, found, unit, agrees)

    return conclusion


def saying(marks):
    return lambda found: sum(lessons.has_one_of(text, marks) for text in found["said"])


def different(found) -> int:
    return len(set(found["said"]))


def about(found) -> int:
    return sum(map(lessons.is_about, found["said"], lessons.UNTAUGHT))


def repeats(found) -> int:
    taught = {text for _, text in found["examples"]}
    return sum(text in taught for text in found["said"])


def taught_words(found) -> float:
    """The share of the answers' words that stand in the taught answers."""
    known = {word for _, text in found["examples"] for word in lessons.words(text)}
    return 100 * float(np.mean([word in known for text in found["said"] for word in lessons.words(text)]))


def named(found) -> int:
    return sum(city in text for city, text in zip(lessons.CAPITALS.values(), found["capitals asked for"]))


def begun(found) -> int:
    return found["right in the chat"]


def in_texts(found) -> int:
    return sum(lessons.has_one_of(text, lessons.PIRATE_WORDS) for text in found["without the template"])


PIRATE, BUTLER = MARKS["pirate"], MARKS["butler"]
OF_20, OF_10 = "of 20 answers", "of 10 capitals"
before = of_sets(
    "", 0, saying(PIRATE), "Before, no answer has a pirate’s word", OF_20, lambda v: v == 0, sets=(0,)
)
before_named = of_sets("", 0, named, "Before, most capitals are named", OF_10, lambda v: v >= 8, sets=(0,))
pirate_8 = of_sets(
    "pirate",
    8,
    saying(PIRATE),
    "8 examples: it answers as a pirate",
    OF_20,
    lambda v: v >= 18,
    sets=MORE_SETS,
)
pirate_4 = of_sets(
    "pirate", 4, saying(PIRATE), "4 examples: it answers as a pirate", OF_20, lambda v: v >= 18
)
pirate_2 = of_sets(
    "pirate", 2, saying(PIRATE), "2 examples: it answers as a pirate", OF_20, lambda v: v >= 18, sets=(0, 1)
)
pirate_1 = of_sets("pirate", 1, saying(PIRATE), "1 example: it answers as a pirate", OF_20, lambda v: v >= 18)
butler_8 = of_sets(
    "butler",
    8,
    saying(BUTLER),
    "8 examples: it answers as a butler",
    OF_20,
    lambda v: v >= 12,
    sets=MORE_SETS,
)
own_8 = of_sets(
    "own", 8, saying(PIRATE), "Taught its own answers it is no pirate", OF_20, lambda v: v == 0, sets=(0,)
)
different_1 = of_sets("pirate", 1, different, "1 example: one answer to nearly all", OF_20, lambda v: v <= 5)
different_8 = of_sets(
    "pirate", 8, different, "8: nearly as many answers as questions", OF_20, lambda v: v >= 15, sets=MORE_SETS
)
about_1 = of_sets("pirate", 1, about, "1 example: less often about the question", OF_20, lambda v: v < 17)
about_2 = of_sets(
    "pirate", 2, about, "2: less often about the question", OF_20, lambda v: v < 17, sets=(0, 1)
)
about_4 = of_sets("pirate", 4, about, "4: mostly less often about the question", OF_20, lambda v: v < 17)
about_8 = of_sets("pirate", 8, about, "8: mostly about the question", OF_20, lambda v: v > 10, sets=MORE_SETS)
repeats_8 = of_sets(
    "pirate", 8, repeats, "8: few repeat a taught answer", OF_20, lambda v: v <= 5, sets=MORE_SETS
)
words_8 = of_sets(
    "pirate",
    8,
    taught_words,
    "Most words are the examples’",
    "% of the words",
    lambda v: v > 50,
    sets=MORE_SETS,
)
words_butler = of_sets(
    "butler", 8, taught_words, "So are a butler’s", "% of the words", lambda v: v > 50, sets=MORE_SETS
)
named_8 = of_sets(
    "pirate", 8, named, "The pirate names fewer capitals", OF_10, lambda v: v < 8, sets=MORE_SETS
)
begun_8 = of_sets(
    "pirate", 8, begun, "Its answer begun, it has nearly all", OF_10, lambda v: v >= 8, sets=MORE_SETS
)
named_capital = of_sets(
    "pirate",
    8,
    named,
    "A capital among the examples: it names some",
    OF_10,
    lambda v: v > 0,
    capital=True,
    sets=(0,),
)
named_butler = of_sets("butler", 8, named, "So does the butler", OF_10, lambda v: v < 8, sets=MORE_SETS)
named_own = of_sets(
    "own", 8, named, "Taught its own answers it names most", OF_10, lambda v: v >= 7, sets=(0,)
)
texts_8 = of_sets(
    "pirate",
    8,
    in_texts,
    "In plain texts there is hardly a pirate",
    "of 5 texts",
    lambda v: v == 0,
    sets=(1, 2, 3),
)


@cache
def other_capitals(model, layer: int, countries: int, rehearsed: bool) -> dict:
    """Each country is taught the next one's capital: what its answer is then, and what that of the others.

    rehearsed: two of the others, with their own capitals, are examples as well.
    """
    names, found = list(lessons.CAPITALS), {}
    first = {country: model.tokenizer.encode(f" {city}")[0] for country, city in lessons.CAPITALS.items()}
    for country, owner in list(zip(names, [*names[1:], names[0]]))[:countries]:
        keep = two_others(country, lessons.CAPITALS[owner]) if rehearsed else []
        *_, last = teach(model, country, lessons.CAPITALS[owner], layer, keep=keep)
        one, wrong = training.updated(model, last.update), first[owner]
        one.recent.max_bytes = 40_000_000
        for chat in (True, False):
            probs = {name: lessons.knows(one, name, chat=chat) for name in names}
            others = [name for name in names if name not in (country, owner, *keep)]
            found[country, chat] = {
                "taught": 100 * float(probs[country][wrong]),
                "spread": 100 * float(np.mean([probs[name][wrong] for name in others])),
                "right": 100 * float(np.mean([probs[name][first[name]] for name in others])),
                "first": sum(int(probs[name].argmax()) == wrong for name in others),
            }
    return found


def of_facts(key: str, chat: bool, says: str, unit: str, agrees, *, rehearsed: bool = False):
    """A conclusion about a country that is taught another capital, in the last layer if no other is named."""

    def conclusion(model, layer: int | None = None, countries: int = 10) -> Measured:
        layer = model.config.n_layers - 1 if layer is None else layer
        found = other_capitals(model, layer, countries, rehearsed)
        return Measured(
            says, {c: float(one[key]) for (c, way), one in found.items() if way == chat}, unit, agrees
        )

    return conclusion


OF_8 = "of the 8 other countries"
fact_chat = of_facts("taught", True, "The taught capital is learned", "%", lambda v: v > 90)
fact_text = of_facts("taught", False, "In plain text as well", "%", lambda v: v > 50)
spread_chat = of_facts("spread", True, "Other countries get it, too", OF_8, lambda v: v > 0)
right_chat = of_facts("right", True, "Others lose their own", OF_8, lambda v: v < 8)
spread_text = of_facts("spread", False, "In plain text fewer get it", OF_8, lambda v: v <= 5)
rehearsed_taught = of_facts(
    "taught", True, "With two others as examples, too: learned", "%", lambda v: v > 80, rehearsed=True
)
rehearsed_spread = of_facts(
    "spread", True, "… and hardly any other gets it", "of the 6 others", lambda v: v <= 1, rehearsed=True
)
rehearsed_right = of_facts(
    "right", True, "… and nearly all have their own", "of the 6 others", lambda v: v >= 5, rehearsed=True
)

CONCLUSIONS = (
    before,
    pirate_8,
    pirate_4,
    pirate_2,
    pirate_1,
    butler_8,
    own_8,
    different_1,
    different_8,
    about_1,
    about_2,
    about_4,
    about_8,
    repeats_8,
    words_8,
    words_butler,
    before_named,
    named_8,
    begun_8,
    named_capital,
    named_butler,
    named_own,
    texts_8,
    fact_chat,
    fact_text,
    spread_chat,
    right_chat,
    spread_text,
    rehearsed_taught,
    rehearsed_spread,
    rehearsed_right,
)


# --- the page's wording, held to the numbers ---


def test_many_answers_at_once_are_the_answers_one_by_one(model):
    questions = list(lessons.UNTAUGHT)[:2]
    prompts = [lessons.asked(model, question) for question in questions]
    assert greedy(model, prompts, 8) == [lessons.written(model, prompt, 8) for prompt in prompts]


def test_one_fact_spreads_and_two_more_examples_hold_it(model):
    """One country only; all ten are in the table."""
    few = {"countries": 1}
    assert fact_chat(model, **few).lowest > 90
    assert fact_text(model, **few).lowest > 50
    assert spread_chat(model, **few).lowest >= 3
    assert rehearsed_taught(model, countries=1).lowest > 80
    assert rehearsed_spread(model, countries=1).highest <= 1


@pytest.mark.slow
def test_pirates_by_eight_examples(model):
    """Minutes: four trainings, and eighty answers."""
    assert before(model).highest == 0
    assert pirate_8(model).lowest == 20
    assert repeats_8(model).highest <= 2
    assert about_8(model).lowest >= 17
    assert 50 < words_8(model).lowest < words_8(model).highest < 75
    assert named_8(model).lowest <= 1
    assert named_8(model).highest >= 7
    assert begun_8(model).lowest >= 9
    assert sum(texts_8(model).values.values()) <= 2


@pytest.mark.slow
def test_butlers_by_eight_examples(model):
    assert butler_8(model).lowest >= 17
    assert named_butler(model).lowest >= 5
    assert own_8(model).highest == 0


@pytest.mark.slow
def test_pirates_by_one_example(model):
    assert pirate_1(model).lowest == 20
    assert different_1(model).lowest == 1
    assert different_1(model).highest == 20
    assert about_1(model).highest <= 13


@pytest.mark.slow
def test_pirates_by_two_and_four_examples(model):
    assert pirate_2(model).lowest == pirate_4(model).lowest == 20
    assert about_4(model).lowest <= 6


@pytest.mark.slow
def test_one_fact_in_all_ten_countries(model):
    assert fact_chat(model).agree == fact_text(model).agree == 10
    assert spread_chat(model).lowest >= 3
    assert spread_text(model).lowest == 0
    assert rehearsed_spread(model).agree >= 9


@pytest.mark.slow
def test_in_the_earlier_layer_the_text_keeps_its_fact(model):
    """Five countries: in a chat it is learned, in plain text hardly."""
    layer = model.config.n_layers // 2
    assert fact_chat(model, layer, 5).lowest > 85
    assert fact_text(model, layer, 5).highest < 20
