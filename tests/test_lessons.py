"""The lessons: what is right holds for the model, counts are sums, and what the pages of a class tell, and when."""

import html
import http.cookiejar
import json
import re
import urllib.error
import urllib.request
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from messages import holding, numbers, rounded_to
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from small_class import small_class

import llmviz
from llmviz import Sampler, experiments, ops, sampling, tokenization
from llmviz.claims import CLAIMS, stored
from llmviz.claims.cases import ARTICLES
from llmviz.claims.cases import LETTER_EXAMPLES as EXAMPLES
from llmviz.claims.cases import LETTER_WORDS as WORDS
from llmviz.claims.sampling import TWENTY
from llmviz.claims.tokenization import KINDS, LAST
from llmviz.classroom import lessons, worksheets
from llmviz.classroom.lessons import LATE, LESSONS, Counts, read_form
from llmviz.classroom.server import ACTIONS
from llmviz.experiments import letters
from llmviz.experiments.answers import CAPITALS, SUMS
from llmviz.experiments.words import plain_words
from llmviz.views import Prompt
from llmviz.views.attention import Sink
from llmviz.views.attention.does_it_matter import N_DRAWS

ROOT = Path(__file__).parent.parent
NOTEBOOKS = {file.name: file for file in (ROOT / "notebooks").glob("*.ipynb")}
GUIDE = (ROOT / "docs" / "teaching.md").read_text("utf-8")
PLANS = [steps for _, steps in worksheets.lessons_in(GUIDE)]  # of each lesson
# "2. **5–12, projector.** …", up to the next step or to what is not indented.
STEP = re.compile(r"^\d+\. \*\*(\d+)–(\d+), (?:projector|phones)\.\*\* .*\n(?: +\S.*\n)*", re.MULTILINE)
ASK, SHOWS, SAY, THEN = "Ask:", "It shows:", "They may say:", "Then:"  # what begins a line of a step
STRAWBERRY = "“But strawberry is right!”"
LOOP = 4  # the lesson of 90 minutes
QUESTIONS = [(lesson, i) for lesson in LESSONS.values() for i in range(len(lesson.questions))]
TOO_LATE = lessons.too_late(("token", "before"))
SINGULAR, PLURAL = "The cat that I saw yesterday", "The cats that I saw yesterday"


def options(name: str, i: int) -> list[str]:
    return [option.text for option in LESSONS[name].questions[i].options]


def right(name: str, i: int) -> str:
    return options(name, i)[LESSONS[name].questions[i].right]


def told(name: str, i: int) -> str:
    """All that is said of the options of a question."""
    return " ".join(option.explanation for option in LESSONS[name].questions[i].options)


def step(lesson: int, minute: int, part: str = SHOWS) -> str:
    """What a lesson says after a word such as "Ask:" in the step that begins at this minute."""
    (text,) = [found[0] for found in STEP.finditer(PLANS[lesson - 1]) if int(found[1]) == minute]
    (line,) = [line for line in text.split("\n   * ") if line.startswith(f"**{part}**")]
    return line.removeprefix(f"**{part}**")


# --- their form ---


@pytest.mark.parametrize(("lesson", "i"), QUESTIONS, ids=lambda one: getattr(one, "name", one))
def test_a_question_has_a_right_answer_a_scene_and_a_test_that_holds_it(lesson, i):
    question = lesson.questions[i]
    texts = [option.text for option in question.options]
    assert 3 <= len(texts) == len({*texts}) <= 5
    assert question.right in range(len(texts))
    assert all(option.explanation for option in question.options)
    notebook, cell = question.scene
    heading = lessons.heading_of(NOTEBOOKS[f"{notebook}.ipynb"], cell)
    # where its link leads to
    assert f'id="{lessons.anchor(heading)}"' in markdown2html_mistune(f"## {heading}")
    file, _, test = question.measured.partition("::")
    test, _, row = test.partition("[")  # a claim
    assert f"def {test}(" in (ROOT / file).read_text("utf-8")
    assert not row or row in {f"{page}.{claim.name}]" for page, claims in CLAIMS.items() for claim in claims}


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
        "English": 13, "Spanish": 26, "Chinese": 29, "Amharic": 105
    }  # fmt: skip
    assert max(cost, key=cost.get) == "Amharic"
    assert min(cost, key=cost.get) == "English"
    assert all(part in right("token", 1) for part in ("Amharic", str(len(ARTICLES["Amharic"][0]))))
    assert 3 * len("".join(ARTICLES["Amharic"][0].split())) == 105 in numbers(told("token", 1))
    for text in options("token", 1):
        language, n = re.fullmatch(r"(\w+)\D+(\d+)\D*", text).groups()
        assert len(ARTICLES[language][0]) == int(n)


def test_most_heads_rest_on_the_first_token(model):
    run = model.trace(f"{PLURAL} were sleeping")
    over_half = (experiments.attention_from(run, -1) > 0.5).sum(axis=(0, 1))
    assert dict(zip(run.pieces, over_half.tolist())) == {
        "The": 177, " cats": 3, " that": 0, " I": 0, " saw": 0, " yesterday": 0, " were": 9, " sleeping": 5
    }  # fmt: skip
    assert right("attention", 0).startswith("The:")
    assert all(word in told("attention", 0) for word in ("177", "Three", "Nine", "Five"))


def test_of_two_heads_that_look_as_hard_one_matters(model):
    """And the three that look hardest, beside as many random ones, as the page and the guide have it."""
    cats = model.trace(PLURAL)
    looks = experiments.attention_from(cats, -1)[..., 1]
    hardest = experiments.strongest_heads(looks, 3)
    assert hardest[:2] == [(26, 0), (13, 8)]
    verbs = [model.tokenizer.encode(verb)[0] for verb in (" were", " was")]
    twin = experiments.head_outputs(model.trace(SINGULAR))

    def probs(heads=(), z=twin) -> np.ndarray:
        """Return the probability of both verbs, in %."""
        return 100 * ops.softmax(model.trace(cats.tokens, experiments.patch_heads(z, heads)).logits)[verbs]

    draws = [experiments.random_heads(looks.shape, 3, hardest, seed) for seed in range(N_DRAWS)]
    patched, off = (np.mean([probs(chosen, z)[1] for chosen in draws]) for z in (twin, 0 * twin))
    shares, alone = [100 * looks[26, 0], 100 * looks[13, 8]], [probs([head])[1] for head in hardest[:2]]

    assert numbers(LESSONS["attention"].questions[1].text)[-1] == round(shares[1])
    assert right("attention", 1) == options("attention", 1)[2]  # next to nothing changes
    explained = [probs()[1], *alone, probs(hardest)[1], patched]
    assert {*rounded_to(1, explained)} | {round(shares[0])} <= {*numbers(told("attention", 1))}

    shown = [probs(hardest, 0 * twin)[1], probs()[1], probs(hardest)[1], off]
    assert numbers(step(2, 29)) == rounded_to(1, shown)
    assert numbers(step(2, 33, ASK)) == rounded_to(0, shares)
    assert numbers(step(2, 33)) == [
        number for pair in zip(rounded_to(0, shares), rounded_to(1, alone)) for number in pair
    ]


def test_nonsense_is_copied(model):
    row = experiments.random_tokens(model, 40, seed=0)
    probs = 100 * experiments.token_probs(model.trace(row * 2))
    assert numbers(right("attention", 2)) == [round(float(probs[40:].mean()))]
    first = round(float(probs[:40].mean()), 3)
    assert first in numbers(told("attention", 2))
    heads = experiments.strongest_heads(experiments.induction_scores(model.trace(row * 2)), 8)
    off = [
        100 * float(experiments.token_probs(model.trace(row * 2, without))[40:].mean())
        for without in (llmviz.Edits(head=dict.fromkeys(chosen, 0)) for chosen in (heads, heads[:1]))
    ]
    plain = round(float(probs[40:].mean()))
    assert numbers(step(2, 36, ASK))[0] == len(row)
    assert numbers(step(2, 36)) == [plain, first, len(heads), round(off[0], 2), round(off[1])]


def test_the_order_stays(model):
    logits = model.trace("On a rainy day I like to").logits
    order = np.argsort(-logits, kind="stable")
    for temperature in (1, 2, 10):
        probs = Sampler(temperature=temperature).probs(logits)
        assert (np.diff(probs[order]) <= 0).all()
    assert right("temperature", 0) == options("temperature", 0)[0]  # it stays


def test_three_sums_of_36_are_right(model):
    """They are counted in the claims; asked here are a right one, a wrong one, and that after a space."""
    claims = stored.load()["06"]
    assert len(SUMS) == 36
    assert right("temperature", 1) == f"{claims['sums']['controls']['a space']:g}"
    assert claims["sums"]["values"]["a space"] == 31
    assert sum(claims["capitals"]["values"][question] for question in CAPITALS) == 8
    assert experiments.is_right(model, "1 + 1 = ", "2")
    assert not experiments.is_right(model, "3 + 1 = ", "4")
    assert experiments.is_right(model, " 3 + 1 = ", "4")


def test_a_seed_decides(model):
    def written(seed: int) -> list[int]:
        return [step.token for step in model.generate("On a rainy day I like to", 8, seed=seed)]

    assert written(1) == written(1) != written(2)
    assert right("temperature", 2) == options("temperature", 2)[2]  # twice the same text


# --- counting ---


def test_answers_become_sums_and_nothing_else():
    counts, lesson = Counts(), LESSONS["token"]
    counts.add(lesson, "before", [0, 1, 2], "1")
    counts.add(lesson, "before", [0, 3, 2], "2")
    counts.add(lesson, "after", [2, 3, 2], "3")
    assert counts.of(lesson) == {
        "before": [[2, 0, 0, 0], [0, 1, 0, 1], [0, 0, 2, 0]],
        "after": [[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]],
    }
    counts.clear()
    assert not any(map(sum, counts.of(lesson)["before"]))


def test_a_form_counts_once():
    counts, lesson = Counts(), LESSONS["token"]
    form = counts.number(lesson, "before")
    for _ in range(2):
        counts.add(lesson, "before", [0, 0, 0], form)
    assert counts.of(lesson)["before"][0][0] == 1
    counts.clear()
    assert not counts.has(form)


def test_a_form_is_of_ours_for_these_questions_and_this_round():
    counts, lesson = Counts(), LESSONS["token"]
    form = counts.number(lesson, "before")
    assert counts.is_ours(lesson, "before", form)
    changed = f"{int(form, 16) ^ 1:032x}"
    for other in ("", "0" * 32, changed, Counts().number(lesson, "before"), counts.number(lesson, "after")):
        assert not counts.is_ours(lesson, "before", other)
    assert not counts.is_ours(LESSONS["attention"], "before", form)
    counts.clear()
    assert not counts.is_ours(lesson, "before", form)


def test_only_some_answers_come_from_one_address():
    counts, lesson = Counts(from_one=2), LESSONS["token"]
    for n, (when, address) in enumerate([("before", "a"), ("before", "a"), ("before", "b"), ("after", "a")]):
        counts.add(lesson, when, [0, 0, 0], str(n), address)
    with pytest.raises(lessons.TooManyAnswers):
        counts.add(lesson, "before", [0, 0, 0], "4", "a")
    counts.add(lesson, "before", [0, 0, 0], "0", "a")  # sent again
    assert [counts.of(lesson)[when][0][0] for when in lessons.WHEN] == [3, 1]


def test_only_a_number_that_may_be_of_ours_is_kept():
    for sent, number in [
        ("form=" + "0123456789abcdef" * 2, "0123456789abcdef" * 2),
        ("form=" + "f" * 5000, ""),
        ("form=é", ""),
    ]:
        assert read_form(LESSONS["token"], sent.encode())[1] == number


def test_answers_still_count_for_half_a_minute_after_the_teacher_has_closed(monkeypatch):
    now, lesson = 1000.0, LESSONS["token"]
    monkeypatch.setattr(lessons.time, "monotonic", lambda: now)
    counts = Counts()
    counts.open_only(("token", "before"))
    now += 600
    assert counts.takes(lesson, "before")
    assert not counts.takes(lesson, "after")
    counts.open_only(("token", "after"))
    now += LATE - 1
    assert counts.takes(lesson, "before")
    assert counts.takes(lesson, "after")
    now += 2
    assert not counts.takes(lesson, "before")
    counts.open_only(None)
    assert counts.takes(lesson, "after")
    counts.clear()  # for another class
    assert not counts.takes(lesson, "after")


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
    assert read_form(LESSONS["token"], sent) == (read, "")


def test_nothing_is_told_before_after():
    for lesson in LESSONS.values():
        early = lessons.questions_form(lesson, "0") + lessons.thanks(True)
        late = lessons.solution(lesson, True, NOTEBOOKS, [0, 0, 0])
        for question in lesson.questions:
            for option in question.options:
                assert html.escape(option.explanation) not in early
                assert html.escape(option.explanation) in late
        assert "class=right" not in early
        assert late.count("class=right") == late.count("✓") == 3
        assert late.count("<em>") == 3  # the student's own answers


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
    with small_class(tmp_path_factory.mktemp("class")) as addresses:
        yield addresses


@pytest.fixture
def student(class_of_one):
    return Browser(class_of_one[0])


@pytest.fixture
def teacher(class_of_one):
    browser = Browser(class_of_one[0])
    assert browser(class_of_one[1])[0] == 200
    browser("/teacher/lesson/token", b"do=anew")
    return browser


def opens(teacher, when: str, name: str = "token") -> None:
    assert teacher(f"/teacher/lesson/{name}", f"do={when}".encode())[0] == 200


def counts(teacher, name="token"):
    counted = json.loads(teacher(f"/teacher/lesson/{name}/counts")[1])
    return {when: counted[when] for when in lessons.WHEN}


def sends(student, when: str, chosen: bytes, number_of: str | None = None) -> tuple[int, str]:
    """Open the questions, answer and send: the status, and the page. number_of: a page that was opened before."""
    form = number(number_of or student(f"/lesson/token/{when}")[1])
    return student(f"/lesson/token/{when}", chosen + f"&form={form}".encode())


def test_a_student_answers_before_and_after_and_is_counted_once(student, teacher):
    opens(teacher, "before")
    status, page = student("/lesson/token/before")
    assert status == 200
    assert page.count('type="radio"') == 12
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)  # nothing from elsewhere
    status, page = sends(student, "before", b"q0=0&q1=1&q2=2", page)
    assert (status, lessons.thanks(True) in page, "✓" in page) == (200, True, False)
    assert lessons.thanks(False) in student("/lesson/token/before", b"q0=0&q1=1&q2=2")[1]
    assert lessons.thanks(False) in student("/lesson/token/before")[1]
    opens(teacher, "after")
    status, page = sends(student, "after", b"q0=2&q1=1&q2=2")
    assert (status, page.count("✓"), page.count("<em>")) == (200, 3, 3)
    assert counts(teacher) == {
        "before": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
        "after": [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
    }
    (cookie,) = student.cookies
    assert re.fullmatch(
        r"[0-9a-f]{8}\.token-after\.token-before", cookie.value
    )  # all that is kept of a student
    assert cookie.discard  # once the browser is closed


def number(page: str) -> str:
    (form,) = re.findall(r'name=form value="([0-9a-f]{32})"', page)
    return form


def test_a_form_that_is_sent_twice_counts_once(student, teacher):
    """A double tap: the second was on its way before the reply to the first had brought its cookie."""
    opens(teacher, "before")
    form = number(student("/lesson/token/before")[1])
    assert (
        number(student("/lesson/token/before", f"q0=0&form={form}".encode())[1]) == form
    )  # not complete yet
    for _ in range(2):
        student.cookies.clear()
        page = student("/lesson/token/before", f"q0=0&q1=1&q2=2&form={form}".encode())[1]
        assert lessons.thanks(True) in page
    assert counts(teacher)["before"] == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    assert (
        lessons.thanks(False) in student("/lesson/token/before")[1]
    )  # the second reply brings the cookie, too
    other = number(Browser(student.url)("/lesson/token/before")[1])
    assert other != form


def test_answers_that_are_sent_when_the_teacher_closes_are_counted(student, teacher):
    opens(teacher, "before")
    form = number(student("/lesson/token/before")[1])
    opens(teacher, "after")
    page = student("/lesson/token/before", f"q0=0&q1=1&q2=2&form={form}".encode())[1]
    assert lessons.thanks(True) in page
    assert sum(counts(teacher)["before"][0]) == 1
    status, page = student("/lesson/token/before")
    assert (status, lessons.closed(("token", "after")) in page) == (403, True)
    assert 'href="/lesson/token/after"' in page


def test_the_next_class_is_counted_anew(student, teacher):
    opens(teacher, "after")
    sends(student, "after", b"q0=2&q1=1&q2=2")
    opens(teacher, "anew")
    assert not any(map(sum, counts(teacher)["after"]))
    assert student("/lesson/token/after")[0] == 403
    opens(teacher, "after")
    assert "class=right" in sends(student, "after", b"q0=2&q1=1&q2=2")[1]


def test_answers_without_a_page_that_was_opened_count_only_once_they_are_sent_again(student, teacher):
    opens(teacher, "before")
    for form in (b"", b"&form=" + b"0" * 32):
        status, page = student("/lesson/token/before", b"q0=0&q1=1&q2=2" + form)
        assert (status, page.count(" checked")) == (400, 3)
    assert not any(map(sum, counts(teacher)["before"]))
    assert sends(student, "before", b"q0=0&q1=1&q2=2", page)[0] == 200


def test_20_answers_from_one_browser_without_cookies_count_as_five_and_the_teacher_sees_how_many(
    student, teacher
):
    opens(teacher, "before")
    statuses = []
    for _ in range(20):
        student.cookies.clear()
        statuses.append(sends(student, "before", b"q0=0&q1=1&q2=2")[0])
    assert statuses == [200] * lessons.FROM_ONE_ADDRESS + [429] * (20 - lessons.FROM_ONE_ADDRESS)
    assert sum(counts(teacher)["before"][0]) == lessons.FROM_ONE_ADDRESS
    shown = teacher("/teacher/lesson/token")[1]
    assert re.search(r'id="answers".*id="pages"', shown)
    assert json.loads(teacher("/teacher/lesson/token/counts")[1])["pages"] == 0


@pytest.mark.parametrize(
    ("path", "sent", "status", "says"),
    [
        ("/lesson/token/after", b"q0=0&q1=1&q2=2", 403, TOO_LATE),
        ("/lesson/attention/before", b"q0=0&q1=1&q2=2", 403, TOO_LATE),
        ("/lesson/token/before", b"q0=0&q1=1", 400, 'role="alert"'),
        ("/lesson/token/before", b"q0=0&q1=1&q2=9", 400, 'role="alert"'),
        ("/lesson/token/before", b"\xff\x00" * 100, 400, 'role="alert"'),
        ("/lesson/token/before", b"q0=0&q1=1&q2=2&x=" + b"x" * 3_000_000, 413, "<p>"),
        ("/lesson/tokens/before", None, 404, "<h1>"),
        ("/lesson/token/during", b"q0=0&q1=1&q2=2", 404, "<h1>"),
        ("/lesson/%3Cscript%3E/before", None, 404, "<h1>"),
        ("/teacher/lesson/token", None, 403, "teacher"),
        ("/teacher/lesson/token", b"do=after", 403, "teacher"),
        ("/teacher/lesson/token/counts", None, 403, "teacher"),
    ],
)
def test_what_cannot_be_gets_a_sentence_and_counts_nothing(student, teacher, path, sent, status, says):
    opens(teacher, "before")
    answer, page = student(path, sent)
    assert (answer, says in page) == (status, True)
    assert "<script>alert" not in page
    assert not any(map(sum, counts(teacher)["before"] + counts(teacher)["after"]))


def test_one_page_of_questions_is_open_and_the_others_say_so(student, teacher):
    pages = [f"/lesson/{name}/{when}" for name in LESSONS for when in lessons.WHEN]
    for now in [*pages, "/lesson/token/none"]:
        _, _, name, when = now.split("/")
        opens(teacher, when, name)
        opened = [now] * (now in pages)
        shown = teacher(f"/teacher/lesson/{name}")[1]
        assert (shown.count("<svg"), now in shown) == ((1, True) if opened else (0, False))
        for front in ("/", "/class/questions"):  # which asks for the other one again and again
            assert re.findall(r'href="(/lesson/[^"]+)"', student(front)[1]) == opened
        for page in pages:
            status, text = student(page)
            assert (status, 'type="radio"' in text) == ((200, True) if page in opened else (403, False))
            assert "✓" not in text
    assert teacher("/teacher/lesson/token", b"do=nonsense")[0] == 400


def test_who_answered_before_gets_no_solution_while_after_is_closed(student, teacher):
    """Nor who says so in a cookie: it holds no secret."""
    opens(teacher, "before")
    sends(student, "before", b"q0=0&q1=1&q2=2")
    (cookie,) = student.cookies
    cookie.value += ".token-after"
    status, page = student("/lesson/token/after")
    assert (status, "✓" in page, "/lesson/token/before" in page) == (403, False, True)


def test_the_teacher_sees_counts_and_right_answers_only_when_asked(teacher):
    status, page = teacher("/teacher/lesson/attention")
    assert status == 200
    assert page.count("data-count=") == 2 * 3 * 4
    assert '<div id="counts" hidden>' in page
    assert "✓" not in page
    assert teacher("/teacher/lesson/nothing")[0] == 404


# --- the sheets of paper ---


@pytest.fixture(scope="module")
def sheets(model, tmp_path_factory):
    """Each sheet's two pages: questions, answers."""
    files = worksheets.write_all(model, tmp_path_factory.mktemp("sheets") / "new")
    plans = [f"lesson_{number}" for number in range(1, len(PLANS) + 1)]
    assert [file.stem for file in files] == [*plans, *(f"worksheet_{name}" for name in LESSONS)]
    return {
        name: [html.unescape(part) for part in file.read_text("utf-8").split("<article>")[1:]]
        for name, file in zip(LESSONS, files[len(plans) :])
    }


def test_the_page_of_a_lesson_has_the_steps_of_the_guide():
    assert len(PLANS) == 4
    for title, plan in worksheets.lessons_in(GUIDE):
        page = worksheets.steps_page(title, plan)
        assert f"<h1>{title}</h1>" in page
        assert page.count("<ol>") == 1
        assert page.count("<li>") == len(re.findall(r"^ *(?:\d+\.|\*) ", plan, re.MULTILINE)) > 20
        assert not re.search(r"""(?:src|href)=|url\(|@import|\]\(|\*\*""", page)
        shown = html.unescape(re.sub(r"<[^<>]+>", " ", page.split("</header>")[1]))
        written = re.sub(r"^\d+\.|\]\([^)]*\)", " ", plan, flags=re.MULTILINE)
        assert re.findall(r"[\w.]+", shown) == re.findall(r"[\w.]+", written)


def test_a_sheet_has_room_for_guesses_and_its_answers_on_another_page(sheets):
    for questions, answers in sheets.values():
        assert questions.count('class="blank"') > answers.count('class="blank"')
        assert not re.search(r"""(?:src|href)=|url\(|@import""", questions + answers)  # no network


def test_the_sheets_have_the_models_numbers_and_only_the_answers_have_all(model, sheets):
    tokenizer = model.tokenizer
    cost = [len(tokenizer.encode(ARTICLES[language][0])) for language in worksheets.LANGUAGES]
    column = re.compile(r"<td>(\d+)</td></tr>")
    questions, answers = sheets["token"]
    assert [*map(int, column.findall(answers))] == [
        *(len(tokenizer.encode(text)) for text in worksheets.TO_CUT),
        *cost,
    ]
    assert [*map(int, column.findall(questions))] == cost[:1]
    assert "class=pick" not in questions
    assert re.findall(r"class=pick>(\d+)<", answers)[0] == str(tokenizer.encode("er")[0])
    assert answers.count("class=pick") == len(worksheets.TO_MERGE)
    assert "<b>er</b>" not in questions  # a later step would show it

    pattern = model.trace(worksheets.SENTENCE).blocks[13].attention.pattern[8]
    row = [f"{100 * share:.0f}" if share >= 0.01 else "" for share in pattern[6][:7]]
    cells = "".join(f'[^>]*>{cell}</td><td style="[^"]*"' for cell in row[:-1])
    questions, answers = sheets["attention"]
    assert re.search(f'<th>·were</th><td style="[^"]*"{cells}', questions)
    assert ("14.9%" in questions, "14.9%" in answers) == (False, True)

    probs = Sampler(temperature=0.5).probs(model.trace(worksheets.RAINY).logits)
    questions, answers = sheets["temperature"]
    assert (f"{100 * probs.max():.1f}%" in questions, f"{100 * probs.max():.1f}%" in answers) == (
        False,
        True,
    )


def test_two_dice_share_out_all_36_throws_as_the_probabilities_are(model):
    probs = Sampler().probs(model.trace(worksheets.BEST).logits)
    throws = worksheets.dice(probs, 7)
    ends = [re.findall(r"[1-6]{2}", name) for _, name in throws]
    place = lambda name: 6 * (int(name[0]) - 1) + int(name[1]) - 1  # noqa: E731
    reach = [(place(pair_of_throws[0]), place(pair_of_throws[-1])) for pair_of_throws in ends]
    assert (reach[0][0], reach[-1][1]) == (0, 35)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(reach))
    # what each loses by rounding down: those that were given a throw for it, and the others
    given, lost = [], []
    for (token, _), (first, last) in zip(throws[:-1], reach):
        down = int(36 * probs[token])
        assert last - first + 1 - down in (0, 1)
        (given if last - first + 1 > down else lost).append(36 * probs[token] - down)
    assert given
    assert min(given) > max(lost)


def test_a_folder_that_cannot_be_written_is_said(model, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(worksheets.llmviz, "load", lambda: model)
    (tmp_path / "file").write_text("")
    assert worksheets.main(["-o", str(tmp_path / "file")]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


# --- the guide ---


def test_the_guide_names_scenes_by_their_headings():
    linked = lessons.SCENE.findall(GUIDE)
    assert len(linked) == GUIDE.count("](../notebooks/") > 50
    assert all(notebook.startswith(number) for number, notebook, _ in linked)
    assert lessons.with_headings(GUIDE) == GUIDE, "run python -m llmviz.classroom.lessons"
    assert 20 <= len(re.findall(r"^\| [^|]+\? \| \[", GUIDE, re.MULTILINE)) <= 25
    for lesson in LESSONS.values():  # what answers a lesson's questions is shown in the lesson
        for question in lesson.questions:
            assert question.scene in {(notebook, cell) for _, notebook, cell in linked}


def test_a_heading_is_read_where_it_is_shown(tmp_path, monkeypatch):
    lesson, written = LESSONS["token"], 0
    (notebook, cell), *_ = (question.scene for question in lesson.questions)
    page = json.loads(NOTEBOOKS[f"{notebook}.ipynb"].read_text("utf-8"))
    for each in page["cells"]:
        if each["id"] == cell:
            each["source"], written = ["## Newer & better\n", "Text.\n"], written + 1
    assert written == 1
    (tmp_path / "notebooks").mkdir()
    copy = tmp_path / "notebooks" / f"{notebook}.ipynb"
    copy.write_text(json.dumps(page), "utf-8")
    solution = lessons.solution(lesson, True, {copy.name: copy})
    assert f'{notebook}.ipynb#Newer-&amp;-better">page 1, “Newer' in solution
    monkeypatch.setattr(lessons, "ROOT", tmp_path)
    link = f"(../notebooks/{notebook}.ipynb#cell-id={cell})"
    assert lessons.with_headings(f"[01 “Old”]{link}") == f"[01 “Newer & better”]{link}"
    with pytest.raises(KeyError):
        lessons.heading_of(copy, "no-such-cell")


def test_without_the_notebook_a_solution_names_the_page():
    solution = lessons.solution(LESSONS["token"], True, {})
    assert solution.count("See page 1.") == 3
    assert "href" not in solution


def test_the_guide_names_controls_and_texts_that_exist():
    files = [file for kind in ("*.py", "*.toml") for file in (ROOT / "llmviz" / "views").rglob(kind)]
    views = "".join(file.read_text("utf-8") for file in files)
    scripts = "".join(file.read_text("utf-8") for file in (ROOT / "llmviz" / "views" / "static").glob("*.js"))
    notebooks = {file: file.read_text("utf-8") for file in (ROOT / "notebooks").glob("*.ipynb")}
    for control in (
        "letters in a word",
        *(
            "Show me",
            "Lock in my guess",
            "Pick one",
            "Write 30 more",
            "Step",
            "Back",
            "T = 0",
            "T = 2",
            "patched",
        ),
        *("Heads off", "Guess again", "Example before it", "position (RoPE)", "FFN"),
    ):
        assert f"*{control}*" in GUIDE
        assert re.search(rf"[\"“]{re.escape(control)}[\"”]", views + scripts), control
    for when in lessons.WHEN:
        assert f"*{ACTIONS[when]}*" in GUIDE
    texts = re.findall(r"the page's (?:text|sentence)\s+`([^`]+)`", GUIDE)
    assert len(texts) == len(PLANS)
    for text in texts:
        assert any(
            json.dumps(text, ensure_ascii=False)[1:-1] in notebook for notebook in notebooks.values()
        ), text


def test_the_minutes_of_a_lesson_have_no_gap():
    times = [[(int(begin), int(end)) for begin, end in STEP.findall(plan)] for plan in PLANS]
    assert [steps[-1][1] for steps in times] == [45, 45, 45, 90]
    for plan, steps in zip(PLANS, times):
        assert steps[0][0] == 0
        assert all(before[1] == after[0] for before, after in pairwise(steps))
        numbered = re.findall(r"^(\d+)\. ", plan, re.MULTILINE)
        assert [int(number) for number in numbered] == [*range(1, len(steps) + 1)]


def test_a_cell_of_a_table_in_the_guide_is_short():
    cells = [cell for line in GUIDE.splitlines() if line.startswith("|") for cell in line.split("|")]
    words = [len(re.sub(r"\]\([^)]*\)", "]", cell).split()) for cell in cells]
    assert 10 < max(words) <= 25


def counted_in_the_claims(kind: int) -> tuple[float, float]:
    """How many of the words get the same answer to a kind of question, and how many get the right one."""
    row, way = stored.load()["01"]["same_number"], f"{KINDS[kind]}potato"
    return row["values"][way], row["controls"][way] + usual_truth(kind)[1]


def usual_truth(kind: int) -> tuple[str, int]:
    """What is right most often for a kind of question, and how often."""
    return Counter(letters.questions(word)[kind].right.strip() for word in WORDS).most_common(1)[0]


def test_the_numbers_of_the_first_lesson_are_the_models(model):
    encode = model.tokenizer.encode
    text = "My name is Ada Lovelace, and I love strawberries! 🍓"
    assert numbers(step(1, 5)) == [len(encode(text))]
    assert numbers(step(1, 5, SAY)) == [len(plain_words(text)), len(text), model.config.n_vocab]
    assert numbers(step(1, 12)) == [len(encode(" STRAWBERRIES")), len(encode(" strawberries"))]

    large = tokenization.published_tokenizer("o200k_base")
    own, other = (
        {name: len(tokenizer.encode(texts[0])) for name, texts in ARTICLES.items()}
        for tokenizer in (model.tokenizer, large)
    )
    costly = ("Amharic", "Hindi", "Korean")
    assert numbers(step(1, 25)) == [own["Amharic"], own["English"], own["Hindi"], own["Korean"]]
    assert numbers(step(1, 25, THEN).replace("GPT-4o", "")) == [other[name] for name in costly]
    assert numbers(step(1, 25, SAY)) == [own["Chinese"]]


@pytest.mark.slow
def test_what_the_first_lesson_says_of_letters_is_counted(model):
    """The answers about twenty words are counted in the claims. Of five words, too, most get the usual one."""
    rows = stored.load()["01"]
    expected = [len(WORDS)]
    for kind in range(3):
        usual = letters.tally(letters.ask(model, word, kind, example="potato") for word in WORDS[:5])
        expected += [int(usual.commonest), *counted_in_the_claims(kind)]
    truth, n_true = usual_truth(0)
    assert numbers(step(1, 34)) == [*expected, int(truth), n_true]

    first, last = (rows[name]["values"]["potato"] for name in ("first_letters", "last_letters"))
    truth, n_true = usual_truth(LAST)
    assert numbers(step(1, 38)) == [first, len(WORDS), last, n_true]
    assert f"“{truth}”" in step(1, 38)

    strawberry = {  # “But strawberry is right!”
        example: int(letters.ask(model, "strawberry", 0, example=example).choice)
        for example in (*EXAMPLES, None)
    }
    assert strawberry == {"potato": 3, "lemon": 2, "tatter": 2, "coffee": 3, None: 1}
    said = [strawberry["potato"], counted_in_the_claims(0)[0], len(WORDS)]
    assert numbers(step(1, 34, STRAWBERRY)) == [*said, strawberry["lemon"], strawberry[None]]


@pytest.mark.slow
def test_the_numbers_of_the_second_lesson_are_the_models(model):
    """But for the heads that are swapped, and for the copying, which have tests of their own above."""
    run = model.trace(f"{PLURAL} were sleeping")
    assert numbers(step(2, 5)) == [round(float(100 * run.blocks[13].attention.pattern[8, 6, 1]))]
    from_were = experiments.attention_from(run, 6)
    clear = [(np.nanmax(from_were, axis=-1) > 0.5).sum(), (from_were[..., 0] > 0.5).sum()]
    assert numbers(step(2, 17)) == clear

    run = model.trace("The key to the old cabinets was dirty")
    shares = 100 * run.blocks[13].attention.pattern[8, 6]
    named = [*np.argsort(-shares)[:2], run.pieces.index(" key")]
    assert re.findall(r"\*(\w+)\*", step(2, 12)) == [run.pieces[i].strip() for i in named]
    assert numbers(step(2, 12)) == rounded_to(0, shares[named])

    run = Sink(Prompt(model, f"{PLURAL} were sleeping")).trace
    rest = experiments.heads_on_first(experiments.first_token_weights(run))
    assert numbers(step(2, 24, ASK)) == [50, len(run.tokens), from_were[..., 0].size]
    assert numbers(step(2, 24)) == [round(float(rest[-50:].mean())), 8, rest[7]]


def test_the_numbers_of_the_third_lesson_are_the_models(model):
    run = model.trace("On a rainy day I like to")
    (go,) = model.tokens_of(" go")
    probs = {t: Sampler(temperature=t).probs(run.logits) for t in (0.5, 1, 2)}
    half, one, two = (round(float(100 * p[go]), 1) for p in probs.values())
    assert numbers(step(3, 5, ASK)) == [one, 1, 0.5]
    bits = rounded_to(1, map(sampling.entropy, probs.values()))
    assert numbers(step(3, 5)) == [half, 2, two, *bits, *probs]

    rows = stored.load()["06"]
    sums = [rows["sums"][part]["a space"] for part in ("controls", "values")]
    assert numbers(step(3, 17)) == [*sums, sum(rows["capitals"]["values"][question] for question in CAPITALS)]

    assert numbers(step(3, 25)) == [experiments.first_choices(run, 10), 10]
    greedy = experiments.write(model, run.tokens, 40)
    greedily = rows["drawn_repeats"]["controls"]  # each text as often as there are seeds
    n_often = sum(greedily[f"{name}, seed 1"] > 25 for name in TWENTY)
    assert numbers(step(3, 33)) == [round(100 * greedy.repetition(40)), n_often]

    hot, top_p = ("temperature", 2.0), ("top_p", 0.9)
    n_kept = [
        np.count_nonzero(sampling.chain(run.logits, steps)[-1].probs) for steps in ([hot, top_p], [top_p])
    ]
    assert re.search(holding(*(f"{n:,}" for n in n_kept)), PLANS[2])


@pytest.mark.slow
def test_the_numbers_of_the_long_lesson_are_the_models(model):
    run = model.trace("The best thing about a rainy day is")
    probs = 100 * Sampler().probs(run.logits)
    assert numbers(step(LOOP, 20)) == [(np.sort(probs)[::-1].cumsum(dtype=float) < 90).sum() + 1]
    outside = sampling.mass_outside(Sampler(temperature=2).probs(run.logits), 20)
    assert numbers(step(LOOP, 32)) == [round(100 * outside, 1)]

    best = probs.argmax()
    without = [
        100 * Sampler().probs(model.trace(run.tokens, edits).logits)
        for edits in (*(llmviz.Edits(ffn={layer: 0}) for layer in (0, 14, 11)), llmviz.Edits(rope=False))
    ]
    assert numbers(step(LOOP, 50, ASK)) == rounded_to(1, [probs[best]])
    left = [float(after[best]) for after in without]
    assert left[0] < 0.001
    assert numbers(step(LOOP, 50)) == [0.001, *rounded_to(1, [*left[1:], without[-1].max()])]
    first = model.tokenizer.pieces([int(after.argmax()) for after in (probs, without[-1])])
    named = re.findall(r"\*(\w+)\*", step(LOOP, 50, ASK) + step(LOOP, 50))
    assert named == [piece.strip() for piece in first]

    runs = experiments.ablate_each_head(model, run.tokens, lambda off: float(off.logits.argmax() != best))
    assert numbers(step(LOOP, 70)) == [sum(changes for *_, changes in runs)]
