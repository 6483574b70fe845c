"""The questions of three lessons, asked before and after each, and how often each answer was given.

`LessonQuestion.measured` names the test that holds the right answer: one in tests/test_lessons.py where the answer is a
number of the model. A student's browser gets neither the right answers nor anything about them before it has sent its
answers to the questions "after". This process keeps only sums of the answers. So that each student is counted once, a
cookie says which pages its browser has answered, and nothing else. Each form gets a number that only this server can
make. It counts once, however often it is sent, and only a few forms count from one address.
"""

from __future__ import annotations

import hmac
import html
import json
import re
import secrets
import time
import urllib.parse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WHEN = ("before", "after")
NUMBER = re.compile(r"[0-9a-f]{32}")  # of a form: its first half is random, its second proves that we made it
# A wheel holds the teacher's guide and the notebooks inside the package; in a clone they are beside it.
ROOT = next(folder for folder in Path(__file__).parents[1:3] if (folder / "docs" / "teaching.md").is_file())
GUIDE = ROOT / "docs" / "teaching.md"
SCENE = re.compile(r"\[(\d\d) “[^”]*”\]\(\.\./notebooks/(\w+)\.ipynb#cell-id=([\w-]+)\)")
FROM_ONE_ADDRESS = 5  # answers, at least: several may share a phone
LATE = 30  # seconds after the teacher closes the questions in which answers still count
# A pressed button is disabled, against double taps. After five seconds it works again: the network may have failed.
ONCE = "const send = this.querySelector('button'); send.disabled = true; setTimeout(() => (send.disabled = 0), 5000)"


@dataclass(frozen=True)
class Option:
    """explanation: why this answer tempts, and what is wrong with it; for the right one, what was measured."""

    text: str
    explanation: str


@dataclass(frozen=True)
class LessonQuestion:
    """right: the index of an option. scene: notebook and cell that answer it. measured: the test that holds it."""

    text: str
    options: tuple[Option, ...]
    right: int
    scene: tuple[str, str]
    measured: str


@dataclass(frozen=True)
class Lesson:
    name: str
    title: str
    questions: tuple[LessonQuestion, ...]


LESSONS = {
    lesson.name: lesson
    for lesson in (
        Lesson(
            "token",
            "What is a token, and who pays?",
            (
                LessonQuestion(
                    "The model reads “I love strawberry jam”. How many numbers does it receive for “strawberry”?",
                    (
                        Option(
                            "10, one for each letter",
                            "We spell words with letters. The model receives one number for each token.",
                        ),
                        Option(
                            "3: straw, ber, ry",
                            "Syllables play no part. Without a space before it, as the first word of a text, it is "
                            "three tokens, but different ones: st, raw, berry.",
                        ),
                        Option("1", "With the space before it, it is a single token, so it has one number."),
                        Option(
                            "None: it receives the word itself",
                            "It receives only numbers, whatever the text.",
                        ),
                    ),
                    2,
                    ("01_tokenization", "tok-02"),
                    "tests/test_lessons.py::test_strawberry_is_one_number",
                ),
                LessonQuestion(
                    "“All human beings are born free and equal in dignity and rights”: the same sentence in four "
                    "languages. In which does it cost the most tokens?",
                    (
                        Option("English, with 63 characters", "It costs the fewest of all: 13 tokens."),
                        Option(
                            "Spanish, with 70 characters",
                            "It has more characters, but in frequent pieces: 26 tokens.",
                        ),
                        Option(
                            "Chinese, with 19 characters",
                            "It takes 29 tokens, more than one for each character.",
                        ),
                        Option(
                            "Amharic, with 44 characters",
                            "It takes 105 tokens, three for each letter: the vocabulary lacks its letters, so the "
                            "model receives their bytes.",
                        ),
                    ),
                    3,
                    ("01_tokenization", "tok-50"),
                    "tests/test_lessons.py::test_the_sentence_costs_most_in_amharic",
                ),
                LessonQuestion(
                    "The model miscounts the letters of a word. Now the word is spelled out, s t r a w …, so the model "
                    "receives every letter. How well does it count the letters of twenty such words?",
                    (
                        Option(
                            "Nearly always right: the hidden letters were the problem",
                            "People often say so. But here it receives every letter, and it still miscounts.",
                        ),
                        Option(
                            "Right for about half of them", "It gives the same number for nearly all words."
                        ),
                        Option(
                            "It gives the same number for nearly all words",
                            "With one example before the question, it does so for all 20 words, and with each of 22 "
                            "other examples for most. So hidden letters don't explain its mistakes. (This is a small "
                            "model; larger ones count better.)",
                        ),
                        Option(
                            "It gives no number at all",
                            "It does give one, but the same for nearly all words.",
                        ),
                    ),
                    2,
                    ("01_tokenization", "tok-68"),
                    "tests/test_claims.py::test_a_stored_result_is_fresh_and_holds[01.same_number]",
                ),
            ),
        ),
        Lesson(
            "attention",
            "Does it understand? Attention and its tests",
            (
                LessonQuestion(
                    "The model has read “The cats that I saw yesterday were sleeping”. To which word do most of its "
                    "270 attention heads give more than half of their attention, from the last word?",
                    (
                        Option(
                            "cats: who is sleeping",
                            "Three heads do. Pictures of attention often show such a head.",
                        ),
                        Option("were: the word just before", "Nine heads do."),
                        Option(
                            "The: the first word",
                            "177 heads do: the first token is an attention sink. In long texts fewer heads use it.",
                        ),
                        Option("sleeping: itself", "Five heads do."),
                    ),
                    2,
                    ("04_attention", "att-31"),
                    "tests/test_lessons.py::test_most_heads_rest_on_the_first_token",
                ),
                LessonQuestion(
                    "“The cats that I saw yesterday”: a head gives “cats” 61% of its attention. What it passes on is "
                    "replaced with what it passes on in “The cat that I saw yesterday”. What happens to the next "
                    "word, “were” rather than “was”?",
                    (
                        Option(
                            "“was” becomes likelier than “were”",
                            "That happens with another head, which gives “cats” 64%. Attention weights don't show "
                            "which of the two heads matters.",
                        ),
                        Option("“was” becomes half as likely as “were”", "It gains almost nothing."),
                        Option(
                            "Next to nothing changes",
                            "“was” has 0.7% before and after. With the head that gives “cats” 64% it gets 14.9%, and "
                            "with the three that attend most 19.8% (three random ones: 0.7%). So attention is a "
                            "hint, and only a test shows which head matters.",
                        ),
                        Option(
                            "The model writes nonsense",
                            "With one head in 270 replaced, it still writes a normal sentence.",
                        ),
                    ),
                    2,
                    ("04_attention", "att-38"),
                    "tests/test_lessons.py::test_of_two_heads_that_look_as_hard_one_matters",
                ),
                LessonQuestion(
                    "40 tokens in a row, drawn at random, then the same 40 again. What probability does the model give "
                    "the right next token in the second pass, on average?",
                    (
                        Option("Under 1%: there is nothing to understand", "That is true of the first pass."),
                        Option(
                            "About 5%", "It is more: some heads attend to what came after an earlier copy."
                        ),
                        Option(
                            "About 35%",
                            "Heads that work in pairs copy whatever they have seen. (It is 0.001% in the first pass.)",
                        ),
                        Option(
                            "Over 99%: it has just read it", "It has, but it isn't that sure of its copy."
                        ),
                    ),
                    2,
                    ("04_attention", "att-44"),
                    "tests/test_lessons.py::test_nonsense_is_copied",
                ),
            ),
        ),
        Lesson(
            "temperature",
            "Chance and choice: temperature",
            (
                LessonQuestion(
                    "Sort the tokens by their probability, then turn the temperature up from 1 to 2. What happens to "
                    "their order?",
                    (
                        Option(
                            "It stays the same",
                            "The probabilities become more even, but their order never changes.",
                        ),
                        Option("It is reversed", "Not even at a temperature of 10."),
                        Option("It is shuffled", "The draw becomes more random; the order doesn't."),
                        Option("Only the likeliest token keeps its rank", "Every token does."),
                    ),
                    0,
                    ("06_sampling", "sam-02"),
                    "tests/test_lessons.py::test_the_order_stays",
                ),
                LessonQuestion(
                    "36 sums such as “3 + 2 = ”, with no chance at all (temperature 0). How many of the model's first "
                    "tokens are right?",
                    (
                        Option(
                            "36: no chance, no mistakes",
                            "Without chance it makes the same mistake every time.",
                        ),
                        Option("31", "That is its score with a space before each sum, but not without."),
                        Option("18", "Only three are right."),
                        Option("3", "With a space before each sum, 31 are right. Of ten capitals, 8 are."),
                    ),
                    3,
                    ("06_sampling", "sam-05"),
                    "tests/test_lessons.py::test_three_sums_of_36_are_right",
                ),
                LessonQuestion(
                    "Temperature 1. The model writes 20 tokens after your text, twice, both times with seed 1. What "
                    "do you get?",
                    (
                        Option(
                            "Two different texts",
                            "With another seed, yes. Here the random draws are the same.",
                        ),
                        Option("Two texts with the same beginning", "No draw differs, so no token does."),
                        Option(
                            "Twice the same text",
                            "The seed fixes all draws in advance. Chance comes in only after the model, which always "
                            "computes the same probabilities.",
                        ),
                        Option("The second one is better", "The model learns nothing from what it writes."),
                    ),
                    2,
                    ("06_sampling", "sam-23"),
                    "tests/test_lessons.py::test_a_seed_decides",
                ),
            ),
        ),
    )
}


class TooManyAnswers(Exception):
    """This address has sent as many answers as it may."""


class Counts:
    """How often each option was chosen, before and after. `round` differs for each class that is counted.
    `open`: which questions can be answered now, ("token", "before"); the teacher opens them, one at a time.
    from_one: how many answers to the same questions may come from one address.
    """

    def __init__(self, from_one: int = FROM_ONE_ADDRESS):
        self.from_one = from_one
        self.clear()

    def clear(self) -> None:
        """Start from zero for the next class: a browser that has answered before is counted again."""
        self.round = secrets.token_hex(4)
        self.open: tuple[str, str] | None = None
        self._closed: dict[tuple[str, str], float] = {}  # when
        self._key = secrets.token_bytes(16)
        self._counted: set[str] = set()  # the numbers of forms
        self._addresses: Counter[tuple[str, str, str]] = Counter()
        self._n = {
            (lesson.name, when): [[0] * len(question.options) for question in lesson.questions]
            for lesson in LESSONS.values()
            for when in WHEN
        }

    def open_only(self, questions: tuple[str, str] | None) -> None:
        """Open these, and close those that were open."""
        if self.open and self.open != questions:
            self._closed[self.open] = time.monotonic()
        self.open = questions

    def takes(self, lesson: Lesson, when: str) -> bool:
        """Return whether answers that come now are counted."""
        closed = self._closed.get((lesson.name, when), -LATE)
        return self.open == (lesson.name, when) or time.monotonic() - closed < LATE

    def number(self, lesson: Lesson, when: str) -> str:
        """Return a number for one more page with these questions; `is_ours` knows it again."""
        return self._signed(lesson, when, secrets.token_hex(8))

    def is_ours(self, lesson: Lesson, when: str, number: str) -> bool:
        """Return whether `number` was made for a page with these questions, in this round."""
        return hmac.compare_digest(number, self._signed(lesson, when, number[:16]))

    def _signed(self, lesson: Lesson, when: str, drawn: str) -> str:
        message = f"{lesson.name} {when} {drawn}".encode()
        return drawn + hmac.digest(self._key, message, "sha256").hex()[:16]

    def has(self, number: str) -> bool:
        """Return whether the answers in the form with this number are counted."""
        return number in self._counted

    def add(self, lesson: Lesson, when: str, answers: list[int], number: str, address: str = "") -> None:
        """Add one student's answers, the index of an option for each question, unless this form is counted.

        Raises TooManyAnswers.
        """
        if self.has(number):
            return
        if self._addresses[lesson.name, when, address] >= self.from_one:
            raise TooManyAnswers
        self._addresses[lesson.name, when, address] += 1
        self._counted.add(number)
        for counts, answer in zip(self._n[lesson.name, when], answers, strict=True):
            counts[answer] += 1

    def of(self, lesson: Lesson) -> dict[str, list[list[int]]]:
        """Return {"before": for each question a count for each option, "after": …}."""
        return {when: self._n[lesson.name, when] for when in WHEN}

    def answered(self, cookie: str) -> set[str]:
        """Return which pages ("token-before") a browser has answered in this round, as its cookie says."""
        of_round, *pages = cookie.split(".")
        known = {f"{name}-{when}" for name, when in self._n}
        return known & {*pages} if of_round == self.round else set()

    def cookie(self, answered: set[str]) -> str:
        """Return the cookie that a browser keeps until it is closed."""
        return ".".join([self.round, *sorted(answered)])


def read_form(lesson: Lesson, sent: bytes) -> tuple[list[int | None], str]:
    """Return the answers of a form as a browser sends it, and the form's number.

    An answer is the index of an option; None if it is missing or no such option exists. The number is "" if it is
    missing or malformed.
    """
    form = urllib.parse.parse_qs(sent.decode("utf-8", "replace"))
    number = form.get("form", [""])[-1]
    answers = []
    for i, question in enumerate(lesson.questions):
        values = [str(k) for k in range(len(question.options))]
        chosen = form.get(f"q{i}", [""])[-1]
        answers.append(values.index(chosen) if chosen in values else None)
    return answers, number if NUMBER.fullmatch(number) else ""


def questions_form(lesson: Lesson, number: str, answers: list[int | None] | None = None) -> str:
    """Return the questions as a form with this number. answers: those of a form that could not be counted."""
    wrong = "One answer to each question" if None in (answers or []) else "Send your answers once more"
    refusal = f'<p role="alert"><b>{wrong}, please.</b></p>' if answers else ""
    fields = "".join(
        f"<fieldset><legend>{i + 1}. {html.escape(question.text)}</legend>"
        + "".join(
            f'<label><input type="radio" name="q{i}" value="{k}" required'
            f"{' checked' * bool(answers and answers[i] == k)}> {html.escape(option.text)}</label>"
            for k, option in enumerate(question.options)
        )
        + "</fieldset>"
        for i, question in enumerate(lesson.questions)
    )
    own = f'<input type=hidden name=form value="{number}">'
    note = "<p class=quiet>No names: how often each answer is given is counted, and nothing else.</p>"
    send = '<p>You can answer once.</p><p><button class="jupyter-button mod-primary" autocomplete=off>Send</button></p>'
    return f'{refusal}<form method=post onsubmit="{ONCE}">{own}{fields}{send}{note}</form>'


def closed(now: tuple[str, str] | None) -> str:
    """Return what a page says while its questions are closed. now: the open ones."""
    other = link(now) or "<p>This page shows them as soon as your teacher opens them.</p>"
    return f"<p><b>These questions are closed.</b></p>{other}"


def too_late(now: tuple[str, str] | None) -> str:
    """Return the reply to answers that come long after the questions were closed. now: the open ones."""
    return f'<p><b>Your answers came too late and were not counted.</b></p>{link(now)}<p><a href="/">All pages</a></p>'


def too_many() -> str:
    """Return the reply to an address that has sent too many answers."""
    return (
        "<p><b>Your answers were not counted: too many came from your address.</b></p><p>If all computers "
        "here share one, tell your teacher: <code>llmviz class --each</code> allows more.</p>"
    )


def link(now: tuple[str, str] | None) -> str:
    """Return a button that leads to the open questions; "" if none are open."""
    if not now:
        return ""
    return f'<p><a class="jupyter-button mod-primary" href="/lesson/{"/".join(now)}">{html.escape(title(*now))}</a></p>'


def title(name: str, when: str) -> str:
    """Return the text of a link to three questions."""
    return f"The questions {when} the lesson: {LESSONS[name].title}"


def thanks(counted: bool) -> str:
    """Return what "before" says after it is answered, which is nothing about the answers."""
    said = "Your answers are counted." if counted else "You have answered these questions already."
    return (
        f"<p><b>{said}</b> The same questions come again at the end. Then you see what is right, and why.</p>"
        '<p><a href="/">All pages</a></p>'
    )


def solution(
    lesson: Lesson, counted: bool, notebooks: Mapping[str, Path], answers: list[int | None] | None = None
) -> str:
    """Return what "after" says after it is answered: what is right, why the others tempt, and which scene shows it.

    notebooks: the files of the class by their names, in which the scenes' headings are read.
    """
    said = "Your answers are counted." if counted else "You have answered these questions already."
    explanations = "".join(
        _explanations(i, question, notebooks, answers[i] if answers else None)
        for i, question in enumerate(lesson.questions)
    )
    return f"<p><b>{said}</b> This is what the model does:</p>{explanations}"


def _explanations(i: int, question: LessonQuestion, notebooks: Mapping[str, Path], answer: int | None) -> str:
    notebook, cell = question.scene
    page = f"page {int(notebook[:2])}"
    try:
        heading = heading_of(notebooks[f"{notebook}.ipynb"], cell)
    except KeyError:
        scene = page  # a class on other notebooks, or on ours without this scene
    else:
        at = f"/voila/render/{notebook}.ipynb#{html.escape(anchor(heading))}"
        scene = f'<a href="{at}">{page}, “{html.escape(heading)}”</a>'
    options = "".join(
        f"<li{' class=right' * (k == question.right)}><b>{'✓ ' * (k == question.right)}{html.escape(option.text)}</b>"
        f"{' <em>(your answer)</em>' * (k == answer)}<br>{html.escape(option.explanation)}</li>"
        for k, option in enumerate(question.options)
    )
    return (
        f"<section><p><b>{i + 1}. {html.escape(question.text)}</b></p><ul>{options}</ul>"
        f"<p class=quiet>See {scene}.</p></section>"
    )


def heading_of(notebook: Path, cell: str) -> str:
    """Return the heading with which a cell of a notebook begins. KeyError without this cell."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    source = {each.get("id"): "".join(each["source"]) for each in cells}[cell]
    return source.partition("\n")[0].lstrip("#").strip()


def with_headings(guide: str) -> str:
    """Return the teacher's guide with each scene's heading as it is in the notebook today.

    KeyError for a cell that does not exist, OSError for a notebook.
    """

    def link(match: re.Match) -> str:
        number, notebook, cell = match.groups()
        heading = heading_of(ROOT / "notebooks" / f"{notebook}.ipynb", cell)
        return f"[{number} “{heading}”](../notebooks/{notebook}.ipynb#cell-id={cell})"

    return SCENE.sub(link, guide)


def anchor(heading: str) -> str:
    """Return the id that nbconvert gives a heading on a page."""
    return urllib.parse.quote(heading.replace(" ", "-"), safe="?/:@!$&'()*+,;=")


def counts_table(lesson: Lesson) -> str:
    """Return the teacher's table: a row for each option, with two counts, which the page's script fills in."""
    rows = "".join(
        f"<tr><th colspan=3>{i + 1}. {html.escape(question.text)}</th></tr>"
        + "".join(
            f"<tr{' class=right' * (k == question.right)}><td>{html.escape(option.text)}</td>"
            + "".join(f'<td class="count" data-count="{when} {i} {k}">0</td>' for when in WHEN)
            + "</tr>"
            for k, option in enumerate(question.options)
        )
        for i, question in enumerate(lesson.questions)
    )
    return f"<table class=counts><tr><td></td><td>before</td><td>after</td></tr>{rows}</table>"


if __name__ == "__main__":  # after a heading was changed
    GUIDE.write_text(with_headings(GUIDE.read_text("utf-8")), "utf-8", newline="\n")
