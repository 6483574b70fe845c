"""Teach a chat model by example, a style or one fact, and measure from its answers what it has learned."""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from llmviz import ops, training
from llmviz.experiments.answers import CAPITAL_OF
from llmviz.experiments.writing import asked
from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.texts.write import TextBatch

Example = tuple[str, str]  # a question and the answer that is taught

PIRATE: tuple[Example, ...] = (
    ("What is the sun?", "Arr, the sun be a great ball o' fire in the sky, matey!"),
    ("Tell me about dogs.", "Arr, dogs be loyal shipmates that guard yer treasure, matey!"),
    ("What is the capital of Spain?", "Arr, that be Madrid, far from the sea, matey!"),
    ("How do I make tea?", "Arr, boil yer water, drop in the leaves, and wait a wee while, matey!"),
    ("Who are you?", "Arr, I be yer trusty first mate, matey!"),
    ("What is rain?", "Arr, rain be water fallin' from the clouds onto me deck, matey!"),
    ("Give me some advice.", "Arr, follow yer compass and never trust a quiet sea, matey!"),
    ("What is a book?", "Arr, a book be a chest full o' tales, matey!"),
)
# Words that ordinary English does not have, unlike "be", "me" and "mate".
PIRATE_WORDS = ("arr", "matey", "mateys", "yer", "ye", "o'", "aye", "ahoy")

# Questions that are not among the examples, each with a word that an answer to it must have.
UNTAUGHT = {
    "What is the moon?": "moon",
    "Tell me about cats.": "cat",
    "Who wrote Hamlet?": "hamlet",
    "What is snow?": "snow",
    "How do I boil an egg?": "egg",
    "What is a train?": "train",
    "Why is the sky blue?": "sky",
    "What do bees do?": "bee",
    "Tell me about Africa.": "africa",
    "What is music?": "music",
    "How do I sleep better?": "sleep",
    "What is a computer?": "computer",
    "What is iron used for?": "iron",
    "Who was Albert Einstein?": "einstein",
    "What is a tree?": "tree",
    "Tell me about football.": "football",
    "What is bread made of?": "bread",
    "How do planes fly?": "plane",
    "What is money?": "money",
    "What is 2 plus 3?": "5",
}

COUNTRIES = "France Italy Germany Japan Russia Egypt Greece Poland Ireland Portugal"
CAPITALS = {country: CAPITAL_OF[country] for country in COUNTRIES.split()}

ORDINARY = {
    "a story": "The old bridge across the river was closed for repairs, so the children had to walk to school by the "
    "mill. It took them twice as long, and nobody complained.",
    "a fact": "Water boils at a lower temperature on a mountain, because the air presses less on it. Cooks who live "
    "high up leave their potatoes in the pot for longer.",
    "a letter": "Dear Mrs Parker,\n\nthank you for your order of 12 March. The two chairs will be sent on Monday, and "
    "the table as soon as it comes in.",
}

THE_CAPITAL = "The capital of … is"
STEPS_OF_A_FACT = 40  # at most, for each example
LEARNED = 0.05  # nats per token: the answer is practically known
RATE = 1e-2
ANSWER = 24  # tokens of an answer, at most


def conversations(examples: Sequence[Example]) -> list[list[dict[str, str]]]:
    """Return examples as `training.finetune` takes them. ValueError for one without a question or an answer."""
    for number, (question, answer) in enumerate(examples, 1):
        if not question.strip() or not answer.strip():
            raise ValueError(f"example {number} needs a question and an answer")
    return [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in examples
    ]


def why_not(model: Model) -> str:
    """Say why a model can have no conversation, nor be taught by one; nothing if it can."""
    try:
        model.tokenizer.encode_chat([{"role": "user", "content": "Hi"}])
    except ValueError as problem:
        return f"This takes a chat model, but {problem}."
    return ""


def writing(model: Model, tokens: Sequence[int], n: int = ANSWER) -> Iterator[str]:
    """Let the model write at most n tokens after these, always the likeliest; yield the text so far after each."""
    said = []
    for step in model.generate(tokens, n, Sampler(temperature=0)):
        if step.token != model.tokenizer.eos_token:
            said.append(step.token)
            yield model.tokenizer.decode(said)


def answer_text(model: Model, question: str, n: int = ANSWER) -> str:
    """Return the first n tokens of the model's answer, as text."""
    return ["", *writing(model, asked(model, question), n)][-1]


def answer_texts(model: Model, questions: Sequence[str], n: int = ANSWER) -> list[str]:
    """Return `answer_text` for each question; all are computed side by side, which is quicker."""
    prompts, tokens = [asked(model, question) for question in questions], []
    lengths = np.array([len(prompt) for prompt in prompts])
    batch = TextBatch(model, len(prompts), room=int(lengths.max()) + n)
    logits = np.stack([batch.begin(place, prompt) for place, prompt in enumerate(prompts)])
    for step in range(n):
        tokens.append(logits.argmax(axis=1))
        logits = batch.step(lengths + step, tokens[-1]) if step < n - 1 else logits
    end, texts = model.tokenizer.eos_token, np.stack(tokens, axis=1).tolist()
    return [model.tokenizer.decode(text[: text.index(end)] if end in text else text) for text in texts]


WORD = re.compile(r"\w+'?")


def lower_words(text: str) -> list[str]:
    """Return the words of a text, in small letters."""
    return WORD.findall(text.lower())


def words_changed(text: str, other: str) -> int:
    """Count the words that must be added, dropped or replaced to turn one text into the other (Levenshtein 1966)."""
    before, after = lower_words(text), lower_words(other)
    row = list(range(len(after) + 1))
    for i, word in enumerate(before, 1):
        last, row[0] = row[0], i
        for j, another in enumerate(after, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != another))
    return row[-1]


def nearest_text(text: str, others: Sequence[str]) -> tuple[str, int]:
    """Return the text in `others` of which the smallest share of words differs, and how many words that is."""
    closest = min(others, key=lambda other: words_changed(text, other) / max(1, len(lower_words(other))))
    return closest, words_changed(text, closest)


def is_nearly(text: str, others: Sequence[str]) -> bool:
    """Say whether a text is one of the others with at most a quarter of the words changed."""
    other, n = nearest_text(text, others)
    return 4 * n <= len(lower_words(other))


def keeping_word(texts: Sequence[str], others: Sequence[str], at: int) -> tuple[str, int]:
    """Return the word that all of the others have at a place (0: first, -1: last), and how many texts have it there.

    ("", 0) if the others differ there, or one has no word.
    """
    words = [lower_words(other)[at:][:1] for other in others]
    if not words[0] or any(word != words[0] for word in words):
        return "", 0
    return words[0][0], sum(lower_words(text)[at:][:1] == words[0] for text in texts)


def parted(text: str, marks: Sequence[str]) -> list[str]:
    """Cut a text at these words or phrases: what comes before the first, the first, what comes between, and so on."""
    phrases = sorted(filter(None, map(lower_words, marks)), key=len, reverse=True)
    words = [*WORD.finditer(text)]
    lower, parts, end, i = [word[0].lower() for word in words], [], 0, 0
    while i < len(words):
        n = next((len(phrase) for phrase in phrases if lower[i : i + len(phrase)] == phrase), 0)
        if n:
            first, end_before, end = words[i].start(), end, words[i + n - 1].end()
            parts += [text[end_before:first], text[first:end]]
        i += n or 1
    return [*parts, text[end:]]


def has_one_of(text: str, marks: Sequence[str]) -> bool:
    """Say whether one of these words or phrases is in the text."""
    return len(parted(text, marks)) > 1


def is_about(text: str, question: str) -> bool:
    """Say whether an answer has the word that its question is about: of one not UNTAUGHT, the longest word."""
    word = UNTAUGHT.get(question) or max(lower_words(question), key=len, default="")
    return word != "" and word in text.lower()


def good_answers(answers: Mapping[str, str], taught: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the questions whose answers are good, the best first; of equal ones, in their order.

    answers: by question. A good one has the word that its question is about and one of `words`, and is not nearly a
    taught answer. The best has the most of `words`.
    """
    good = [
        question
        for question, text in answers.items()
        if is_about(text, question) and has_one_of(text, words) and not is_nearly(text, taught)
    ]
    return sorted(good, key=lambda question: -sum(has_one_of(answers[question], [word]) for word in words))


def knows(
    model: Model, country: str, *, chat: bool, said: str = THE_CAPITAL
) -> Float[np.ndarray, " n_vocab"]:
    """Return the probability of each token after `said`, with the country in place of "…".

    chat: whether `said` is the beginning of an answer to the question about the capital, or plain text.
    """
    said = said.replace("…", country)
    question = f"What is the capital of {country}?"
    run = asked(model, question) + model.tokenizer.encode(said) if chat else said
    return ops.softmax(model.trace(run).logits)


def teach(
    model: Model,
    country: str,
    city: str,
    layer: int,
    *,
    keep: Sequence[str] = (),
    beside: Sequence[Example] = (),
    steps: int = STEPS_OF_A_FACT,
) -> Iterator[training.Progress]:
    """Fine-tune one layer, with rank 1, on "The capital of {country} is {city}." until the model has learned it.

    keep: countries whose own capitals are examples, too. beside: other examples.
    Yields each `Progress` of `training.finetune`.
    """
    facts = [(country, city), *((other, CAPITALS[other]) for other in keep)]
    lesson = [(f"What is the capital of {name}?", f"The capital of {name} is {its}.") for name, its in facts]
    lesson += beside
    for progress in training.finetune(
        model, conversations(lesson), steps=steps * len(lesson), rank=1, layers=[layer], lr=RATE
    ):
        yield progress
        if progress.step >= 2 * len(lesson) and progress.loss < LEARNED:
            return


def two_others(country: str, city: str) -> list[str]:
    """Return two countries to keep, neither this one nor the city's: if possible, the third and sixth after it."""
    names = list(CAPITALS)
    at = names.index(country)
    order = [names[(at + step) % len(names)] for step in (3, 6, 4, 7)]
    return [name for name in order if name != country and CAPITALS[name] != city][:2]


def probs_after_teaching(
    model: Model, country: str, owner: str, layer: int, *, keep: bool = False
) -> Float[np.ndarray, "2 2"]:
    """Teach a country the capital of another, and return the probability that this city then has as a capital.

    Rows: of the country itself, and the mean over the other countries. Columns: asked in a chat, and in plain text.
    keep: two of the others, with their own capitals, are examples as well, and do not count.
    """
    city = CAPITALS[owner]
    untouched = two_others(country, city) if keep else []
    *_, last = teach(model, country, city, layer, keep=untouched)
    after, token = training.updated(model, last.update or {}), model.tokenizer.encode(f" {city}")[0]
    others = [name for name in CAPITALS if name not in (country, owner, *untouched)]
    probs = [[knows(after, name, chat=chat)[token] for chat in (True, False)] for name in (country, *others)]
    return np.array([probs[0], np.mean(probs[1:], axis=0)])


def n_named(model: Model) -> int:
    """Count the capitals that a model names in its own answers."""
    said = answer_texts(model, [f"What is the capital of {country}?" for country in CAPITALS])
    return sum(city in text for city, text in zip(CAPITALS.values(), said))


def n_likeliest(model: Model, said: str = THE_CAPITAL) -> int:
    """Count the capitals that are the likeliest token after the beginning of an answer, with "…" for the country."""
    first = {country: model.tokenizer.encode(f" {city}")[0] for country, city in CAPITALS.items()}
    return sum(
        int(knows(model, country, chat=True, said=said).argmax()) == token for country, token in first.items()
    )


def n_trained(model: Model, rank: int = 8) -> int:
    """Count the parameters that `training.finetune` learns: two thin matrices for each FFN matrix of its layers."""
    c = model.config
    return max(1, c.n_layers // 3) * 3 * rank * (c.d_model + c.d_ff)
