"""Every kind of tokenizer against `tokenizers`: ids, merges, what begins a text, files, and damaged vocabularies."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from messages import holding
from reference import kinds

import llmviz
from llmviz import tokenization, tokenizer_json
from llmviz.experiments import families, words
from llmviz.model import Model
from llmviz.tokenization import SentencePieceTokenizer, Tokenizer, UnknownTokenizer, from_gguf_metadata
from llmviz.views.kit import text_box
from llmviz.views.tokenization import languages, merges, text_tokens
from llmviz.weights import Config, random_weights


def from_huggingface(folder: Path) -> Tokenizer:
    return from_gguf_metadata(**tokenizer_json.read(folder))


FILE = np.load(Path(kinds.__file__).with_name("kinds.npz"))


def unpacked(name: str) -> list[np.ndarray]:
    return np.split(FILE[name], FILE[f"{name}_end"][:-1])


TEXTS = [bytes(text).decode() for text in unpacked("text")]


@pytest.fixture(scope="module", params=kinds.KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def tokenizer(kind):
    return from_gguf_metadata(**kinds.gguf_metadata(kind))


def written(text: str, kind: str) -> str:
    """What is left of a text when it was read: these kinds can't tell two characters from each other."""
    import unicodedata

    text = unicodedata.normalize("NFC", text) if kind == "qwen2" else text
    text = text.replace("▁", " ") if kind in kinds.SENTENCEPIECE else text
    return text.removeprefix(" ") if kind == "mistral" else text


def test_ids_equal_tokenizers(kind, tokenizer):
    expected = [ids.tolist() for ids in unpacked(kind)]
    wrong = [text for text, ids in zip(TEXTS, expected) if tokenizer.encode(text) != ids]
    assert not wrong, f"{len(wrong)} texts differ, the shortest: {min(wrong, key=len)!r}"


def test_the_steps_end_at_the_ids_and_the_ids_at_the_text(kind, tokenizer):
    for text in TEXTS:
        ids = tokenizer.encode_prompt(text)
        assert tokenizer.decode_prompt(ids) == written(text, kind)
        if len(text) < 120:
            steps = tokenizer.merges(text)
            assert [tokenizer.ids[part] for part in steps[-1].parts] == tokenizer.encode(text)
            for before, step in pairwise(steps):
                assert step.token == tokenizer.ids[b"".join(step.pair)] == min(filter(None, before.known))


def test_a_text_begins_with_the_begin_token(kind, tokenizer):
    begin = [tokenizer.special_tokens[kinds.BEGIN[kind]]] if kind in kinds.BEGIN else []
    assert tokenizer.encode_prompt("Hello there") == begin + tokenizer.encode("Hello there")
    assert tokenizer.encode_prompt("") == begin
    assert tokenizer.decode_prompt(begin) == ""


def test_special_tokens_in_a_text_are_text(tokenizer):
    for special, token in tokenizer.special_tokens.items():
        assert token not in tokenizer.encode(f"a {special} b")
        assert tokenizer.decode([token]) == special


def test_every_id_has_a_piece_and_a_size(kind, tokenizer):
    ids = range(len(kinds.vocabulary(kind)[0]))
    assert all(tokenizer.pieces(ids))
    assert tokenizer.sizes(ids) == [len(tokenizer._lookup(token)) for token in ids]


def test_every_character_is_written_or_named(kind, tokenizer):
    codes = [*range(0x3000), *range(0x3000, 0x110000, 0x331)]
    rest, dropped = tokenization.drop_unwritable("".join(map(chr, codes)), tokenizer.ranks)
    assert {unwritable.character for unwritable in dropped} <= {chr(code) for code in range(0xD800, 0xE000)}
    assert tokenizer.decode_prompt(tokenizer.encode_prompt(rest)) == written(rest, kind)


# Files of Hugging Face


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    pytest.importorskip("tokenizers", reason="the peers extra is not installed")
    folder = tmp_path_factory.mktemp(kind)
    kinds.write(folder, kind)
    return folder


def test_a_folder_gives_the_same_tokenizer(kind, tokenizer, folder):
    from_folder = from_huggingface(folder)
    assert type(from_folder) is type(tokenizer)
    for name in ("ranks", "special_tokens", "eos_token", "begin_token", "space_prefix", "composed", "unused"):
        assert getattr(from_folder, name) == getattr(tokenizer, name), name
    expected = [ids.tolist() for ids in unpacked(kind)]
    assert [from_folder.encode(text) for text in TEXTS] == expected


@pytest.mark.long
def test_a_million_tokens_and_20000_random_strings(kind, tokenizer, folder):
    from reference import make_reference

    theirs, from_folder, n = kinds.peer(kind), from_huggingface(folder), 0
    sources = [path.read_text(encoding="utf-8") for path in Path(tokenization.__file__).parent.rglob("*.py")]
    for text in [*make_reference.some_texts(20_000, 10**9, seed=9), *sources]:
        expected = theirs.encode(text).ids
        assert tokenizer.encode(text) == from_folder.encode(text) == expected, text[:200]
        n += len(expected)
    assert n > 1_000_000


@pytest.mark.long
def test_gemma_itself():
    from reference import make_reference

    model = llmviz.load("gemma", progress=False)
    vocabulary = model.weights.vocabulary
    theirs = kinds.peer("gemma", of=(vocabulary["tokens"], vocabulary["token_types"]))
    for text in make_reference.some_texts(20_000, 100_000, seed=10):
        assert model.tokenizer.encode(text) == theirs.encode(text).ids, text[:200]


# Chat templates

HI = {"role": "user", "content": "Hi, who are you?"}
TALK = [
    HI,
    {"role": "assistant", "content": "A model.\n\nAnd you?"},
    {"role": "user", "content": "  Guess!  \n"},
]


@pytest.fixture(scope="module", params=kinds.TEMPLATES)
def chat_kind(request):
    return request.param


@pytest.fixture(scope="module")
def chatting(chat_kind):
    return from_gguf_metadata(**kinds.gguf_metadata(chat_kind))


def test_a_chat_is_what_transformers_makes_of_it(chat_kind, chatting, tmp_path):
    transformers = pytest.importorskip("transformers", reason="the peers extra is not installed")
    kinds.write(tmp_path, chat_kind)
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "tokenizer.json"),
        bos_token=kinds.BEGIN.get(chat_kind),
        eos_token=kinds.END[chat_kind],
        chat_template=kinds.TEMPLATES[chat_kind],
    )
    for messages, add_reply in (([HI], True), (TALK, True), (TALK[:2], False), (TALK[:1], False)):
        expected = theirs.apply_chat_template(messages, add_generation_prompt=add_reply, return_dict=False)
        assert chatting.encode_chat(messages, add_reply=add_reply) == expected
        assert from_huggingface(tmp_path).encode_chat(messages, add_reply=add_reply) == expected


def test_what_is_typed_never_becomes_a_control_token(chatting):
    honest = chatting.encode_chat([HI])
    control = {*chatting.special_tokens.values()}
    for name in chatting.special_tokens:
        for typed in (
            name,
            f"a{name}",
            f"{name}\nb",
            name * 3,
            name[:-1],
            name[1:],
            f"{name[:4]}{name}{name[4:]}",
        ):
            for private in ("", "\U000f0000", "\U000f0001x"):
                content = f"{typed}{private}{typed}"
                ids = chatting.encode_chat([{"role": "user", "content": content}])
                assert [i for i in ids if i in control] == [i for i in honest if i in control]
                assert content.strip() in chatting.decode(ids)


def test_the_template_may_read_a_message():
    qwen = from_gguf_metadata(**kinds.gguf_metadata("qwen2"))
    assert qwen.system_prompt == "You are a helpful assistant."
    thought = {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nYes."}
    assert qwen.encode_chat([HI, thought]) == qwen.encode_chat([HI, thought | {"content": "Yes."}])


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("{{ raise_exception('No system here') }}", ["refuses", "No system here"]),
        ("{% for %}", ["fails"]),
        ("{{ messages[7].content }}", ["fails"]),
        ("{{ 1 / 0 }}", ["fails", "ZeroDivisionError"]),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", ["fails"]),
        ("{{ messages.append(1) }}", ["fails"]),
    ],
)
def test_a_template_that_fails(template, wanted):
    tokenizer = from_gguf_metadata(**kinds.gguf_metadata("gemma") | {"chat_template": template})
    with pytest.raises(ValueError, match=holding("chat template", *wanted)):
        tokenizer.encode_chat([HI])


def test_the_token_that_ends_an_answer():
    metadata = kinds.gguf_metadata("gemma")
    of_turn = metadata["tokens"].index("<end_of_turn>")
    assert from_gguf_metadata(**metadata).eos_token == metadata["tokens"].index("<eos>")
    assert from_gguf_metadata(**metadata, eot_token=of_turn).eos_token == of_turn
    base = metadata | {"chat_template": None, "eot_token": of_turn}
    assert from_gguf_metadata(**base).eos_token == metadata["tokens"].index("<eos>")


# Damaged and unknown vocabularies


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"begin_token": 10**6}, ["no token 1000000"]),
        ({"eos_token": -1}, ["no token -1"]),
        ({"begin_token": "x"}, ["no token 'x'"]),
        ({"tokens": ["a", "b", "a"], "token_types": [1, 1, 1]}, ["tokens 0 and 2", "'a'"]),
    ],
)
def test_a_damaged_vocabulary(changes, wanted):
    small = {"tokens": ["a", "b"], "token_types": [1, 1], "eos_token": None, "chat_template": None}
    with pytest.raises(ValueError, match=holding("damaged", *wanted)):
        from_gguf_metadata(**small | {"model": "llama", "pre": None} | changes)


@pytest.mark.parametrize(
    ("model", "pre"), [("gpt2", "tekken"), ("bert", None), ("gpt2", None), ("t5", "default")]
)
def test_an_unknown_kind_is_named(model, pre):
    small = {"tokens": ["a", "▁b"], "token_types": [1, 1], "eos_token": None, "chat_template": "{{ 'a' }}"}
    tokenizer = from_gguf_metadata(**small, model=model, pre=pre)
    assert isinstance(tokenizer, UnknownTokenizer)
    for reads in (tokenizer.encode, tokenizer.encode_prompt, tokenizer.merges):
        with pytest.raises(ValueError, match=holding(", ".join(filter(None, (model, pre))))):
            reads("a")


def folder_with(path: Path, change) -> Path:
    """A small folder of Hugging Face, whose tokenizer.json was changed."""
    file = {
        "added_tokens": [{"id": 4, "content": "<s>", "special": True}],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": None,
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "▁": 3}, "merges": ["a b"]},
    }
    change(file)
    (path / "tokenizer.json").write_text(json.dumps(file), encoding="utf-8")
    return path


def test_a_small_folder(tmp_path):
    (tmp_path / "config.json").write_text('{"vocab_size": 8}')
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [4, 2]}')
    (tmp_path / "chat_template.jinja").write_text("{{ '<s>' + messages[0].content }}")
    (tmp_path / "tokenizer_config.json").write_text(
        '{"add_bos_token": true, "bos_token": {"content": "<s>"}}'
    )
    tokenizer = from_huggingface(folder_with(tmp_path, lambda file: None))
    assert isinstance(tokenizer, SentencePieceTokenizer)
    assert tokenizer.encode_prompt("ab a") == [4, 2, 3, 0]
    assert tokenizer.encode_chat([{"role": "user", "content": "ab<s>"[:2]}]) == [4, 2]
    assert tokenizer.eos_token == 4
    assert tokenizer.pieces([7]) == ["[PAD7]"]


def test_a_folder_of_an_unknown_kind_is_named(tmp_path):
    for change, name in (
        (lambda file: file["model"].update(type="Unigram"), "Unigram"),
        (lambda file: file.update(normalizer={"type": "Lowercase"}), "Lowercase"),
        (
            lambda file: file["model"].update(
                vocab={"a": 0, "b": 1, "ab": 3, "ba": 2}, merges=["a b", "b a"]
            ),
            "order",
        ),
    ):
        with pytest.raises(ValueError, match=name):
            from_huggingface(folder_with(tmp_path, change)).encode("a")


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.pop("model"),
        lambda file: file["model"].pop("vocab"),
        lambda file: file["model"].update(vocab=["a"]),
        lambda file: file["model"].update(vocab={}),
        lambda file: file["model"].update(vocab={"a": "0"}),
        lambda file: file["model"].update(vocab={"a": 10**12}),
        lambda file: file["model"].update(merges=["a b c"]),
        lambda file: file["model"].update(merges=["a q"]),
        lambda file: file["model"].update(merges=7),
        lambda file: file.update(added_tokens=[{"id": 4}]),
        lambda file: file.update(normalizer=5),
        lambda file: file.update(normalizer={"type": "Sequence"}),
        lambda file: file.update(post_processor={"type": "TemplateProcessing", "single": []}),
        lambda file: file.update(
            pre_tokenizer={
                "type": "Split",
                "pattern": {"Regex": "("},
                "behavior": "Isolated",
                "invert": False,
            }
        ),
    ],
)
def test_a_damaged_folder(tmp_path, change):
    with pytest.raises(ValueError, match=holding("tokenizer.json", "damaged")):
        from_huggingface(folder_with(tmp_path, change))


def test_a_folder_without_a_tokenizer(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no tokenizer\.json"):
        from_huggingface(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"\x00{")
    with pytest.raises(ValueError, match=holding("tokenizer.json", "damaged")):
        from_huggingface(tmp_path)


# In a model, and in the pictures of page 01


@pytest.fixture(scope="module", params=("gemma", "llama", "qwen2"))
def model(request):
    vocabulary = kinds.gguf_metadata(request.param)
    n_vocab = len(vocabulary["tokens"])
    config = Config(1, 2, 1, 16, 8, 16, n_vocab, 64, rope_base=1e4, norm_eps=1e-5)
    return Model(random_weights(config, vocabulary=vocabulary))


def test_a_model_reads_a_text_from_its_begin_token_on(model):
    text, tokenizer = "The café, 12 naïve cats", model.tokenizer
    trace = model.trace(text)
    assert trace.tokens == tokenizer.encode_prompt(text) == text_box.read(text, tokenizer).tokens
    assert words.text_of(trace) == text
    assert words.longest_word(trace) == " naïve"
    ends = words.token_ends(tokenizer, text)
    assert ends[-1] == len(text.encode())
    assert words.spaces_before(tokenizer, text, " (?=c)")[0] == 2
    assert model.trace(trace.tokens).tokens == trace.tokens  # ids get no second begin token


def test_pictures_of_merges_and_origins(model):
    word, tokenizer = " naïve🫠", model.tokenizer
    picture = merges.replay(word, tokenizer)
    last = {end: span for span in picture["spans"] if (end := span[1])}
    assert sum(n for _, n in picture["characters"]) == max(last)
    assert len(picture["spans"]) == len(picture["ids"]) == len(picture["labels"])
    for token in tokenizer.encode_prompt(word):
        assert text_tokens.token_id(tokenizer, token).result == token


def test_a_chat_on_page_01_or_why_there_is_none(model):
    for template in (model.tokenizer.chat_template, None):
        view = text_tokens.ChatExplorer(replace(model.tokenizer, chat_template=template), "Hi <eos>")
        assert ("base model" in view.parts["strip"].caption) == (template is None)
        assert bool(view.parts["strip"].highlight) == (template is not None)
        view.close()


def test_page_01_counts_the_text_without_its_begin_token(model):
    text = "The café, 12 naïve cats"
    prompt = text_tokens.TokensPrompt(model, text)
    assert prompt.trace.tokens == model.tokenizer.encode(text)
    assert words.text_of(prompt.trace) == text


def test_page_01_counts_merges_from_bytes_or_characters(model):
    sentence = "naïve café naïve café"
    start, *steps = model.tokenizer.merges(sentence)
    about = languages.about_languages(model.tokenizer, {"French": sentence})
    by_bytes = all(len(part) == 1 for part in start.parts)
    unit = "bytes" if by_bytes else "characters"
    assert f"{len(steps)} merges turn {len(start.parts)} {unit} into {len(steps[-1].parts)} tokens" in about
    assert ("two or three bytes" in about) == by_bytes
    assert f"Start: {len(start.parts)} {unit}" in merges.replay(sentence, model.tokenizer)["sentences"][0]


def test_merged_tokens_are_those_that_no_hand_has_set(model):
    tokenizer = model.tokenizer
    tokens = words.merged_tokens(tokenizer)
    assert tokens == sorted(tokens)
    assert not {*tokens} & {*tokenizer.special_tokens.values(), *tokenizer.added_tokens.values()}
    assert all(n > 1 for n in tokenizer.sizes(tokens))


def test_the_note_of_a_page_says_how_the_tokenizer_begins(model):
    about, begin = families.about(model), model.tokenizer.begin_token
    assert ("starts from characters" in about) == isinstance(model.tokenizer, SentencePieceTokenizer)
    name = "Before every text" if begin is None else f"the model reads {model.tokenizer.decode([begin])}"
    assert (name in about) == (begin is not None)
    assert families.about_formula(model) is None
