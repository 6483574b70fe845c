"""The lessons: what is right holds for the model, counts are sums, and what the pages of a class tell, and when."""

import http.cookiejar
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
from browser.lab import free_port

from llmviz import Sampler, experiments
from llmviz.classroom import lessons
from llmviz.classroom.lessons import LESSONS, Counts, read_answers
from llmviz.views.differences.tried_on import ARTICLES
from llmviz.views.sampling import CAPITALS, SUMS

ROOT = Path(__file__).parent.parent
QUESTIONS = [(lesson, i) for lesson in LESSONS.values() for i in range(len(lesson.questions))]
SINGULAR, PLURAL = "The cat that I saw yesterday", "The cats that I saw yesterday"


def headings(notebook: str) -> list[str]:
    cells = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text("utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return [line.lstrip("#").strip() for text in texts for line in text.splitlines() if line.startswith("#")]


def options(name: str, i: int) -> list[str]:
    return [option.text for option in LESSONS[name].questions[i].options]


def right(name: str, i: int) -> str:
    return options(name, i)[LESSONS[name].questions[i].right]


def told(name: str, i: int) -> str:
    """All that is said of the options of a question."""
    return " ".join(option.told for option in LESSONS[name].questions[i].options)


# --- their form ---


@pytest.mark.parametrize(("lesson", "i"), QUESTIONS, ids=lambda one: getattr(one, "name", one))
def test_a_question_has_a_right_answer_a_scene_and_a_test_that_holds_it(lesson, i):
    question = lesson.questions[i]
    texts = [option.text for option in question.options]
    assert 3 <= len(texts) == len({*texts}) <= 5
    assert question.right in range(len(texts))
    assert all(option.told for option in question.options)
    notebook, heading = question.scene
    assert heading in headings(notebook)
    file, _, test = question.measured.partition("::")
    assert f"def {test}(" in (ROOT / file).read_text("utf-8")


# --- what is right, by the model ---


def test_strawberry_is_one_number(model):
    tokens = model.tokenizer.encode("I love strawberry jam")
    assert model.tokenizer.pieces(tokens) == ["I", " love", " strawberry", " jam"]
    assert right("token", 0) == "1"
    assert model.tokenizer.pieces(model.tokenizer.encode("strawberry")) == ["st", "raw", "berry"]
    assert "st, raw, berry" in told("token", 0)


def test_the_sentence_costs_most_in_amharic(model):
    cost = {language: len(model.tokenizer.encode(ARTICLES[language][0])) for language in ARTICLES}
    assert {language: cost[language] for language in ("English", "Spanish", "Chinese", "Amharic")} == {
        "English": 13, "Spanish": 26, "Chinese": 29, "Amharic": 132
    }  # fmt: skip
    assert max(cost, key=cost.get) == "Amharic"
    assert min(cost, key=cost.get) == "English"
    assert right("token", 1) == f"Amharic, with {len(ARTICLES['Amharic'][0])} characters"
    assert 3 * len(ARTICLES["Amharic"][0]) == 132 == len(ARTICLES["Amharic"][0].encode())
    for text in options("token", 1):
        language, n = re.fullmatch(r"(\w+), with (\d+) characters", text).groups()
        assert len(ARTICLES[language][0]) == int(n)


def test_most_heads_rest_on_the_first_token(model):
    run = model.trace(f"{PLURAL} were sleeping")
    over_half = (experiments.weights_from(run, -1) > 0.5).sum(axis=(0, 1))
    assert dict(zip(run.pieces, over_half.tolist())) == {
        "The": 177, " cats": 3, " that": 0, " I": 0, " saw": 0, " yesterday": 0, " were": 9, " sleeping": 5
    }  # fmt: skip
    assert right("attention", 0) == "The: the first word"
    assert all(word in told("attention", 0) for word in ("177", "Three", "Nine", "Five"))


def test_the_head_that_looks_is_not_the_one_that_matters(model):
    cats = model.trace(PLURAL)
    assert experiments.weights_from(cats, -1)[13, 8, 1] == pytest.approx(0.61, abs=0.005)
    were, was = (model.tokenizer.encode(verb)[0] for verb in (" were", " was"))
    brought = experiments.handed_over(model.trace(SINGULAR))
    lead = [
        float(run.logits[were] - run.logits[was])
        for run in (
            cats,
            *(model.trace(cats.tokens, experiments.swapped(brought, [head])) for head in [(13, 8), (26, 0)]),
        )
    ]
    assert f"from {lead[0]:.2f} to {lead[1]:.2f}" in told("attention", 1)
    assert lead[2] < 0
    assert right("attention", 1) == "Next to nothing changes"


def test_nonsense_is_copied(model):
    row = experiments.random_tokens(model, 40, seed=0)
    probs = 100 * experiments.token_probs(model.trace(row * 2))
    assert right("attention", 2) == f"About {probs[40:].mean():.0f} %"
    assert f"{probs[:40].mean():.3f} % in the first pass" in told("attention", 2)


def test_the_order_stays(model):
    logits = model.trace("On a rainy day I like to").logits
    order = np.argsort(-logits, kind="stable")
    for temperature in (1, 2, 10):
        probs = Sampler(temperature=temperature).probs(logits)
        assert (np.diff(probs[order]) <= 0).all()
    assert right("temperature", 0) == "It stays as it is"


def test_one_sum_of_ten_is_right(model):
    def correct(questions) -> int:
        first = {
            text: model.tokenizer.pieces([int(model.trace(text).logits.argmax())])[0] for text in questions
        }
        return sum(first[text] == answer for text, answer in questions.items())

    assert right("temperature", 1) == str(correct(SUMS))
    assert correct({f" {text}": answer for text, answer in SUMS.items()}) == 10
    assert correct(CAPITALS) == 8


def test_a_seed_decides(model):
    def written(seed: int) -> list[int]:
        return [step.token for step in model.generate("On a rainy day I like to", 20, seed=seed)]

    assert written(1) == written(1) != written(2)
    assert right("temperature", 2) == "Twice the same text"


# --- counting ---


def test_answers_become_sums_and_nothing_else():
    counts, lesson = Counts(), LESSONS["token"]
    counts.add(lesson, "before", [0, 1, 2])
    counts.add(lesson, "before", [0, 3, 2])
    counts.add(lesson, "after", [2, 3, 2])
    assert counts.of(lesson) == {
        "before": [[2, 0, 0, 0], [0, 1, 0, 1], [0, 0, 2, 0]],
        "after": [[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]],
    }
    counts.clear()
    assert not any(map(sum, counts.of(lesson)["before"]))


def test_a_cookie_says_which_pages_were_answered_in_this_round_only():
    counts = Counts()
    cookie = counts.cookie({"token-before"})
    assert counts.answered(cookie) == {"token-before"}
    assert counts.answered(f"{cookie}.nonsense.{'x' * 5000}") == {"token-before"}
    assert counts.answered("") == counts.answered("token-before") == set()
    counts.clear()
    assert counts.answered(cookie) == set()


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"q0=2&q1=0&q2=3", [2, 0, 3]),
        (b"q0=2&q1=4&q2=-1", [2, None, None]),
        (b"q0=&q1=one&q2=1e1", [None, None, None]),
        ("q0=٢&q1=²&q2=1".encode(), [None, None, 1]),
        (b"q0=99999999999999999999&q2=0&q2=1", [None, None, 1]),
        (b"\xff\xfe%00", [None, None, None]),
        (b"", [None, None, None]),
    ],
)
def test_only_what_can_be_chosen_is_an_answer(sent, read):
    assert read_answers(LESSONS["token"], sent) == read


def test_nothing_is_told_before_after():
    for lesson in LESSONS.values():
        early = lessons.questions_form(lesson) + lessons.thanks(True)
        late = lessons.solution(lesson, True, [0, 0, 0])
        for question in lesson.questions:
            for option in question.options:
                assert lessons.html.escape(option.told) not in early
                assert lessons.html.escape(option.told) in late
        assert "class=right" not in early
        assert late.count("class=right") == late.count("✓") == 3
        assert late.count("your answer") == 3


# --- the pages ---


class Browser:
    """As much of one as a form needs: it keeps cookies, and follows."""

    def __init__(self, url: str):
        self.url, self.cookies = url, http.cookiejar.CookieJar()
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        ).open

    def __call__(self, path: str, sent: bytes | None = None) -> tuple[int, str]:
        """The status, and the page; `sent` is a form."""
        try:
            answer = self._open(path if path.startswith("http") else self.url + path, sent, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def class_of_one(tmp_path_factory):
    """A class with one small notebook: (its address, the teacher's)."""
    folder = tmp_path_factory.mktemp("class")
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One")]), folder / "one.ipynb"
    )
    port = free_port()
    code = (
        "from pathlib import Path; from llmviz import classroom; "
        f"classroom.serve([Path({str(folder / 'one.ipynb')!r})], {port}, limit=1, local=True, browser=False)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout:
                if "/teacher?key=" in line:
                    break
            yield f"http://127.0.0.1:{port}", line.split()[-1]
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.close()
            process.wait(20)


@pytest.fixture
def student(class_of_one):
    return Browser(class_of_one[0])


@pytest.fixture
def teacher(class_of_one):
    browser = Browser(class_of_one[0])
    assert browser(class_of_one[1])[0] == 200
    browser("/teacher/lesson/token", b"")  # counts anew
    return browser


def counts(teacher, name="token"):
    return json.loads(teacher(f"/teacher/lesson/{name}/counts")[1])


def test_a_student_answers_before_and_after_and_is_counted_once(student, teacher):
    status, page = student("/lesson/token/before")
    assert status == 200
    assert page.count('type="radio"') == 12
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)  # nothing from elsewhere
    status, page = student("/lesson/token/before", b"q0=0&q1=1&q2=2")
    assert (status, "Your answers are counted" in page, "✓" in page) == (200, True, False)
    assert "already" in student("/lesson/token/before", b"q0=0&q1=1&q2=2")[1]
    assert "already" in student("/lesson/token/before")[1]
    status, page = student("/lesson/token/after", b"q0=2&q1=1&q2=2")
    assert (status, page.count("✓"), page.count("your answer")) == (200, 3, 3)
    assert counts(teacher) == {
        "before": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
        "after": [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
    }
    (cookie,) = student.cookies
    assert re.fullmatch(
        r"[0-9a-f]{8}\.token-after\.token-before", cookie.value
    )  # all that is kept of a student
    assert cookie.discard  # once the browser is closed


def test_the_next_class_is_counted_anew(student, teacher):
    student("/lesson/token/after", b"q0=2&q1=1&q2=2")
    teacher("/teacher/lesson/token", b"")
    assert not any(map(sum, counts(teacher)["after"]))
    assert "Your answers are counted" in student("/lesson/token/after", b"q0=2&q1=1&q2=2")[1]


@pytest.mark.parametrize(
    ("path", "sent", "status", "says"),
    [
        ("/lesson/token/before", b"q0=0&q1=1", 400, "One answer to each question"),
        ("/lesson/token/before", b"q0=0&q1=1&q2=9", 400, "One answer to each question"),
        ("/lesson/token/after", b"\xff\x00" * 100, 400, "One answer to each question"),
        ("/lesson/token/before", b"q0=0&q1=1&q2=2&x=" + b"x" * 3_000_000, 413, "Nothing was counted"),
        ("/lesson/tokens/before", None, 404, "There is no such lesson"),
        ("/lesson/token/during", b"q0=0&q1=1&q2=2", 404, "There is no such lesson"),
        ("/lesson/%3Cscript%3E/before", None, 404, "There is no such lesson"),
        ("/teacher/lesson/token", None, 403, "teacher"),
        ("/teacher/lesson/token", b"", 403, "teacher"),
        ("/teacher/lesson/token/counts", None, 403, "teacher"),
    ],
)
def test_what_cannot_be_gets_a_sentence_and_counts_nothing(student, teacher, path, sent, status, says):
    found, page = student(path, sent)
    assert (found, says in page) == (status, True)
    assert "<script>alert" not in page
    assert not any(map(sum, counts(teacher)["before"] + counts(teacher)["after"]))


def test_the_teacher_sees_where_and_how_often_but_right_answers_only_when_asked(teacher):
    status, page = teacher("/teacher/lesson/attention")
    assert status == 200
    assert page.count("<svg") == 2  # a code for before, one for after
    assert page.count("data-count=") == 2 * 3 * 4
    assert "✓" not in page
    assert "There is no such lesson" in teacher("/teacher/lesson/nothing")[1]
