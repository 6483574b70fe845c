"""Fine-tune a model step by step, and measure what that does: to its answers, to other texts, and to facts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from jaxtyping import Float, Int

from llmviz import training
from llmviz.experiments import fine_tuning
from llmviz.experiments.fine_tuning import Example
from llmviz.experiments.probabilities import mean_surprise
from llmviz.model import Model
from llmviz.reuse import kept_with
from llmviz.sampling import BITS_PER_NAT

AT_ONCE = 5  # questions that a model answers side by side
N_ASKED = 10  # questions that are not in the table, for a model that was fine-tuned on it
KEPT = 60_000_000  # bytes of recent runs that a tuned model may keep


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A fine-tuning so far.

    losses: in bits a token, before the first step and after each. answers: by question, before and after.
    """

    before: Model
    examples: tuple[Example, ...]
    losses: tuple[float, ...]
    progress: training.Progress
    answers: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """Return the model as it is now."""
        return quiet_model(self.progress.model)

    @property
    def nbytes(self) -> int:
        """Return the memory of the matrices that have changed."""
        return sum(4 * len(low.down) * low.up.shape[1] for low in (self.progress.update or {}).values())

    def ask(self, *questions: str) -> dict[str, tuple[str, str]]:
        """Return the answers to some questions before and after the training."""
        return dict(zip(questions, zip(answers(self.before, questions), answers(self.model, questions))))


@dataclass(frozen=True)
class Lesson:
    """The rows of a table, the words that only the new style has, and the last fine-tuning that was finished.

    own: the answers to the reader's own question, before and after.
    """

    model: Model
    rows: tuple[Example, ...]
    words: tuple[str, ...]
    tuned: FineTuned | None = None
    own: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def examples(self) -> tuple[Example, ...]:
        """The rows that are not empty."""
        return tuple(filter(_is_filled, self.rows))

    @property
    def questions(self) -> tuple[str, ...]:
        """The first questions of `UNTAUGHT` that the table does not teach."""
        taught = [fine_tuning.lower_words(question) for question, _ in self.examples]
        untaught = (
            question for question in fine_tuning.UNTAUGHT if fine_tuning.lower_words(question) not in taught
        )
        return tuple(islice(untaught, N_ASKED))

    @property
    def problem(self) -> str:
        """Say why nothing can be learned from it, or return an empty string."""
        if not self.words:
            return "the list has no word: put one in that only the new style has"
        if not self.questions:
            return "the table has every question that the model would be asked later: leave one out"
        # An empty row is passed over, but it counts when the message names a row by its number.
        rows = [row if _is_filled(row) else ("-", "-") for row in self.rows] if self.examples else []
        try:
            training.finetune(self.model, fine_tuning.conversations(rows))
        except ValueError as error:
            return str(error)
        return ""

    def n_with_a_word(self, answers: Sequence[str]) -> int:
        """Count the answers with a word of the list."""
        return sum(fine_tuning.has_one_of(text, self.words) for text in answers)


def _is_filled(row: Example) -> bool:
    return any(map(str.strip, row))


def quiet_model(model: Model) -> Model:
    """Return a model that keeps few of its recent runs."""
    model.recent.max_bytes = KEPT
    return model


def answers(model: Model, questions: Sequence[str]) -> Iterator[str]:
    """Yield the beginning of a model's answer to each question; `AT_ONCE` are computed side by side."""
    for start in range(0, len(questions), AT_ONCE):
        yield from _some_answers(model, (*questions[start : start + AT_ONCE],))


@kept_with()
def _some_answers(model: Model, questions: tuple[str, ...]) -> list[str]:
    return fine_tuning.answer_texts(model, questions)


def fine_tune(
    model: Model, examples: Sequence[Example], questions: Sequence[str], *, steps: int
) -> Iterator[tuple[float, FineTuned]]:
    """Teach a model some examples, then ask it questions; yield the share that is done, and the fine-tuning so far."""
    losses: tuple[float, ...] = ()
    for progress in training.finetune(model, fine_tuning.conversations(examples), steps=steps):
        losses = (*losses, progress.loss * BITS_PER_NAT)
        tuned = FineTuned(model, tuple(examples), losses, progress)
        yield 0.75 * progress.step / steps, tuned
    both = zip(answers(tuned.before, questions), answers(tuned.model, questions))
    for i, (question, pair) in enumerate(zip(questions, both), 1):
        tuned = replace(tuned, answers={**tuned.answers, question: pair})
        yield 0.75 + 0.25 * i / len(questions), tuned


@dataclass(frozen=True)
class Costs:
    """What a fine-tuning does, before and after: the surprise at each text in bits a token; how many capitals come out
    in each of `capitals_four_ways`; and the answers, by country."""

    bits: Float[np.ndarray, "2 texts"]
    right: Int[np.ndarray, "2 4"]
    answers: Mapping[str, tuple[str, ...]]


def costs(tuned: FineTuned, texts: Sequence[str], begun: str) -> Iterator[tuple[float, Costs | None]]:
    """Measure what a fine-tuning does to other texts and facts; yield the share that is done, and finally a result."""
    models, bits = (tuned.before, tuned.model), []
    for i, text in enumerate(texts):
        bits.append([mean_surprise(model.trace(text)) for model in models])
        yield 0.1 * i / len(texts), None
    answers, right = {}, []
    both = zip(*(capitals_four_ways(model, begun) for model in models))
    for country, sides in zip(fine_tuning.CAPITALS, both):
        answers[country] = tuple(text for text, _ in sides)
        right.append([ways for _, ways in sides])
        yield 0.1 + 0.9 * len(right) / len(fine_tuning.CAPITALS), None
    yield 1.0, Costs(np.transpose(bits), np.sum(right, axis=0), answers)


def probs_of_capitals(before: Model, after: Model, city: str) -> Iterator[Float[np.ndarray, "2 4"]]:
    """Yield for each country the probabilities of its own capital and of a city. Rows: asked in a chat, and in plain
    text. Columns: the capital before and after, the city before and after.
    """
    for country, capital in fine_tuning.CAPITALS.items():
        tokens = [before.tokenizer.encode(f" {name}")[0] for name in (capital, city)]
        probs = [
            [fine_tuning.knows(model, country, chat=chat) for model in (before, after)]
            for chat in (True, False)
        ]
        yield np.array([[model[token] for token in tokens for model in way] for way in probs])


def capitals_four_ways(model: Model, begun: str) -> Iterator[tuple[str, list[bool]]]:
    """Yield for each country a model's answer, and whether the capital comes out in four ways: in that answer; as the
    likeliest token after `begun`, with the country for "…"; after "The capital of … is"; and after that in plain text.
    """
    ways = (begun, True), (fine_tuning.THE_CAPITAL, True), (fine_tuning.THE_CAPITAL, False)
    in_turn = answers(model, [f"What is the capital of {country}?" for country in fine_tuning.CAPITALS])
    for answer, (country, capital) in zip(in_turn, fine_tuning.CAPITALS.items()):
        token = model.tokenizer.encode(f" {capital}")[0]
        likeliest = [
            int(fine_tuning.knows(model, country, chat=chat, said=said).argmax()) for said, chat in ways
        ]
        yield answer, [capital in answer, *(first == token for first in likeliest)]


def teach_and_ask(
    model: Model, country: str, city: str, layer: int, keep: Sequence[str]
) -> Iterator[tuple[float, tuple[training.Progress, Float[np.ndarray, "2 countries 4"]] | None]]:
    """Teach a country another capital, as `teach` does, and ask for all capitals before and after.

    Yields the share that is done, and finally the last step with `probs_of_capitals` of all countries.
    """
    for progress in fine_tuning.teach(model, country, city, layer, keep=keep):
        yield 0.5 * progress.step / (fine_tuning.STEPS_OF_A_FACT * (1 + len(keep))), None
    probs = []
    for both_ways in probs_of_capitals(model, quiet_model(progress.model), city):
        probs.append(both_ways)
        yield 0.5 + 0.5 * len(probs) / len(fine_tuning.CAPITALS), None
    yield 1.0, (progress, np.stack(probs, axis=1))
