"""Write the reference files of this folder from independent implementations, fed with the very same GGUF.

    pip install -e ".[test,peers]"
    python tests/reference/make_reference.py path/to/SmolLM2-135M-Instruct.Q4_1.gguf

* `default_model.npz`: `transformers` on the default model, for each prompt below: ids, a sample of the last
  token's logits, some attention patterns whole, the last token's residual stream after some layers, and
  20 greedy tokens, or as many as come before the end token.
* `tokenizer.npz`: ids by `tokenizers` of mixed texts and random strings.
* `pieces.json`: a vocabulary for `kinds.py`; `kinds.npz`: ids by `tokenizers` for each kind of tokenizer there.
* `chat.json`: conversations through the file's own chat template (jinja2) and `tokenizers`.
* `tiny_models.npz`: `transformers` on the tiny random models of `tests/tiny_gguf.py`.
"""

import json
import random
import sys
import tempfile
from pathlib import Path

import jinja2
import numpy as np
from gguf import GGUFReader

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import tiny_gguf  # noqa: E402  (tests/ has to be on the path first)
from reference import kinds, peer  # noqa: E402

N_TOP, N_SAMPLED, N_GREEDY = 64, 1_000, 20
RESID_LAYERS = (0, 7, 14, 21, 29)
PATTERNS = ((0, 0), (5, 4), (13, 8), (21, 7), (29, 5))

CONVERSATIONS = {
    "default system": [{"role": "user", "content": "What is the capital of France?"}],
    "own system": [
        {"role": "system", "content": "You answer in one word."},
        {"role": "user", "content": "Is water wet? 水は濡れている?"},
    ],
    "three turns": [
        {"role": "user", "content": "Hi!\n\nMy name is Zoë."},
        {"role": "assistant", "content": "Hello Zoë, nice to meet you."},
        {"role": "user", "content": "  What is 12 + 30?  "},
    ],
}

PROMPTS = {
    "capital": "The capital of France is",
    "running sentence": "The cat that I saw yesterday was sleeping",
    "names": "When Mary and John went to the store, John gave a drink to",
    "one token": "Hello",
    "one space": " ",
    "sum": "2 + 2 =",
    "digits": "1234567 + 89 = 1234656; 3.14159 × 10^-3 is about 1/318",
    "python": "def fibonacci(n):\n    if n < 2:\n        return n\n    return ",
    "html": '<div class="row">\n\t<a href="/index.html?q=1&amp;r=2">Start</a>\n',
    "french": "L'été dernier, nous avons mangé des crêpes à la plage, et",
    "russian": "Столица России — это",
    "greek": "Η Αθήνα είναι η πρωτεύουσα",
    "chinese": "今天天气很好，我们去",
    "japanese": "東京は日本の首都で、",
    "korean": "안녕하세요, 저는",
    "arabic": "مرحبا بالعالم، اليوم",
    "hindi": "भारत की राजधानी",
    "thai": "สวัสดีครับ ผมชื่อ",
    "hebrew": "שלום עולם, היום",
    "emoji": "I love pizza 🍕 and coffee ☕️! 👩‍👩‍👧‍👦🇫🇷 So",
    "white space": "one\ttwo  three   four\n\n\nfive\r\nsix \u00a0\u3000 seven   \n  ",
    "long": (
        "In the beginning there was only the sea. It was wide and grey and it had no name, because there "
        "was nobody to give it one. Then, on a morning that nobody remembers, a small boat came out of "
        "the fog. In the boat sat an old woman and a young dog. The old woman had been rowing for eleven "
        "days, and the dog had been barking at the waves for just as long. “Be quiet,” said the old "
        "woman, “or the fish will hear us.” But the dog did not believe in fish. It had never seen one. "
        "It believed in sticks, in bread, and in the old woman, in that order. Towards noon the fog "
        "lifted, and far away they saw a line of hills, green on top and white at the edge where the "
        "water broke. The old woman put down the oars and looked at her hands. The dog, which had "
        "noticed that something had changed, stopped barking for the first time in eleven days and put "
        "its paws on the side of the boat. Neither of them knew yet that the island was"
    ),
}

TEXTS = (
    "tokenization running strawberry a strawberry The the  the 1234567",
    "It's we're they'll I'd you've I'm don't 'tis 'S 'LL o'clock rock'n'roll ''s",
    "The naïve café owner’s résumé: “fiancée” — 50 € (£43.20), 20 °C, ½ cup, x² + y³ ≠ z₁",
    "Straße Ærøskøbing Łódź İstanbul Đà Nẵng ĳ ﬁ ǆ ñ n\u0303 e\u0301 a\u0308\u0323",
    "Привет, мир! Ёлка — это 3 дерева. Українська їжа й ґанок.",
    "Καλημέρα κόσμε· ἀρχὴ σοφίας; 5ος αιώνας",
    "שלום עולם! מה שלומך? ₪12 בְּרֵאשִׁית",
    "مرحبا بالعالم! كيف حالك؟ ١٢٣٤٥ ۱۲۳ اَلْعَرَبِيَّةُ",
    "नमस्ते दुनिया! आप कैसे हैं? १२३ क्षत्रिय ज़िंदगी",
    "வணக்கம் உலகம் ௧௨௩ தமிழ்நாடு",
    "สวัสดีชาวโลก ๑๒๓ ภาษาไทยไม่มีช่องว่าง",
    "안녕하세요 세계! 한국어 3개 \u1112\u1161\u11ab",
    "こんにちは世界。カタカナとひらがな、１２３４ＡＢＣ・ﾊﾝｶｸ",
    "你好，世界！一二三 2024年12月31日 〇㈠①⑳Ⅷ",
    "ქართული ენა Հայերեն ትግርኛ ខ្មែរ မြန်မာ བོད་ཡིག ᠮᠣᠩᠭᠣᠯ ᏣᎳᎩ",
    "😀 😃👍🏽 👩‍👩‍👧‍👦 🇫🇷🇯🇵 ❤️ ☕️ 1️⃣ 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 🫠🦤",
    "def f(x: int) -> str:\n\treturn f'{x!r:>10}' if x else \"\"  # TODO(me): 100% done\n\n\n    pass\n",
    "for(int i=0;i<10;++i){a[i]^=b[i]<<2;}//end\r\n#include <stdio.h>\r\n",
    "SELECT * FROM `t` WHERE a<>'b''c' AND d IN (1,2,3);--x",
    '{"a": [1, 2.5e-10, null], "b\\n": "\\u00e9"}',
    "<html><body class='x'>&nbsp;<script>alert(1)</script></body></html>",
    "<|im_start|>user\nIgnore this<|im_end|>\n<|endoftext|> <repo_name> <file_sep>",
    "$\\int_0^\\infty e^{-x^2}dx = \\frac{\\sqrt{\\pi}}{2}$ ∀x∈ℝ: ⌈x⌉≥x",
    "https://example.org/a_b/c-d?e=f&g=%20h#i user.name+tag@example.co.uk C:\\Windows\\System32",
    "snake_case camelCase PascalCase SCREAMING_CASE kebab-case x1y2z3 v2.0.1-rc.3 0xDEADBEEF 1e10 1_000_000",
    " ",
    "  ",
    "   leading and trailing   ",
    "\t",
    "\ttab\t\ttwo tabs\t end\t",
    "\n",
    "\n\n",
    "\n\n\n\n\n\n\n\n\n\n",
    "a\nb\n\nc\n\n\nd \n e \n\n f",
    "line one\r\nline two\r\n\r\nline four\rold mac\r",
    "no\u00a0break\u00a0 \u00a0space \u00a0",
    "全角\u3000空白\u3000\u3000二つ \u3000 ",
    "thin\u2009space hair\u200aspace en\u2002em\u2003 zero\u200bwidth joiner\u200d non\u200cjoiner bom\ufeff",
    "vertical\x0btab form\x0cfeed next\x85line line\u2028separator para\u2029graph",
    "trailing newline and spaces \n   ",
    "trailing spaces before digits   7   77    777",
    "7 77  777   7777    77777\t7\n7\u00a07\u30007",
    "word  7word 7 word7 ١٢ word ½ ² Ⅷ ㉈ 𝟙𝟚 𒐕",
    "…—–‘’“”«»‹›„‚·•†‡§¶©®™ !? ?! !!! ... ,,, ;;; (((x)))",
    "a" * 100,
    "ab" * 60,
    " " * 100,
    "-" * 77 + "=" * 77,
    "ha" * 20 + "!" * 20 + "😂" * 10,
    "\x00\x01\x02\x03\x05\x07\x08\x0e\x1f\x7f\x80\x9f",
    "İ ı ſ ß ẞ ŉ Σσς ﷺ \u202eright to left\u202c \u0301\u0301\u0301 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    "\uffff\ufffe\ufffd\ue000\U0001f9ff\U00020000\U0002a6d6\U0003134a",
)

# What random strings are made of: single characters and short words that meet at every kind of border.
POOLS = (
    [chr(c) for c in range(0x21, 0x7F)],
    [" ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2003", "\u2028", "\x0b", "\x85", "\n\n"],
    list("0123456789٣٤५६๗๘１２½²Ⅷ㈢𝟛"),
    ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "’s", "'", "''"],
    ["the", "and", "of", "ing", "tion", "un", "able", "re", "cat", "was", "New", "York", "foo_bar"],
    ["def", "return", "import", "self", "int", "void", "const", "null", "i++", "=>", "::", "//"],
    [chr(c) for c in range(0xC0, 0x180)],
    [chr(c) for c in range(0x391, 0x3CA) if c != 0x3A2],
    [chr(c) for c in range(0x410, 0x450)],
    [chr(c) for c in range(0x5D0, 0x5EB)],
    [chr(c) for c in range(0x621, 0x63B)],
    [chr(c) for c in (*range(0x905, 0x93A), *range(0x93E, 0x94E))],
    [chr(c) for c in (*range(0xE01, 0xE3B), *range(0xE40, 0xE4F))],
    [chr(c) for c in range(0xAC00, 0xD7A0, 97)],
    [chr(c) for c in range(0x3041, 0x3097)],
    [chr(c) for c in range(0x4E00, 0x9FA0, 211)],
    [chr(c) for c in range(0x300, 0x340)],
    ["😀", "👍🏽", "👩‍👩‍👧", "🇩🇪", "❤️", "\u200d", "\ufe0f", "🦕", "⚙"],
    list("…—–‘’“”«»€£¥§©°±×÷√∞≈≠∀∈"),
)


# Where kinds differ: spaces in front, ▁, tabs, added tokens, accents on their own, bytes that are no characters.
SPECIAL_CASES = (
    *(
        " Hello",
        "Hello",
        "  Hello",
        "▁",
        "▁▁",
        "a▁b",
        "▁ ▁",
        "a    b",
        " " * 40,
        "\t\t\t",
        "\n\n\n\n",
        "a\t\n b",
    ),
    *(
        "<think>x</think>",
        " <think> ",
        "x<tool_call>",
        "<table>\n</table>",
        "[multimodal]x",
        "<s>x</s>",
        "<unk>",
        "<0x41>",
    ),
    *("e\u0301", "\u1112\u1161\u11ab", "ﬁ ①", "aaaaaaa" * 5, "¹²³", "\x1c a", "\x85x", "🫠🫠", "a🫠b"),
)


def random_strings(n: int, seed: int) -> list[str]:
    """Strings of 1 to 24 parts, each mostly from two or three pools, so that words form and borders meet."""
    source = random.Random(seed)
    made = []
    for _ in range(n):
        pools = source.sample(POOLS, source.randint(1, 4))
        made.append("".join(source.choice(source.choice(pools)) for _ in range(source.randint(1, 24))))
    return made


def packed(name: str, items: list, ids: type = np.uint16) -> dict[str, np.ndarray]:
    """Lists of ints, or texts as UTF-8 bytes, end to end in one array, with where each ends in another."""
    lists = [list(item.encode()) if isinstance(item, str) else item for item in items]
    values = np.array([value for item in lists for value in item])
    dtype = np.uint8 if isinstance(items[0], str) else ids
    return {name: values.astype(dtype), f"{name}_end": np.cumsum([len(x) for x in lists]).astype(np.int32)}


def write_tokenizer(tokenizer) -> None:
    texts = [*TEXTS, *PROMPTS.values(), *random_strings(4_000, seed=2024)]
    ids = [tokenizer.encode(text).ids for text in texts]
    # what has no token is dropped without a word: such a text has no reference
    round_trips = [i for i, text in enumerate(texts) if tokenizer.decode(ids[i]) == text]
    lost = [text for i, text in enumerate(texts) if i not in set(round_trips)]
    if lost:
        raise ValueError(f"cannot be written in this vocabulary: {lost[:5]!r}")
    np.savez_compressed(HERE / "tokenizer.npz", **packed("text", texts), **packed("ids", ids))
    print(f"tokenizer: {len(texts)} texts, {sum(map(len, ids))} tokens")


def some_texts(n_random: int, n_characters: int, seed: int) -> list[str]:
    """Mixed texts, special cases of all kinds of tokenizers, random strings, and the beginnings of longer texts."""
    folder = HERE.parent.parent / "llmviz" / "texts"
    long = [path.read_text(encoding="utf-8")[:n_characters] for path in sorted(folder.glob("*.txt"))]
    return [*TEXTS, *PROMPTS.values(), *SPECIAL_CASES, *random_strings(n_random, seed), *long]


def write_kinds() -> None:
    kinds.learn(some_texts(500, 60_000, seed=7))
    texts = some_texts(200, 1_000, seed=8)
    arrays = packed("text", texts)
    for kind in kinds.KINDS:
        theirs = kinds.peer(kind)
        arrays |= packed(kind, [theirs.encode(text).ids for text in texts], np.uint32)
    np.savez_compressed(HERE / "kinds.npz", **arrays)


def render_chat(path: Path, messages: list[dict]) -> str:
    template = GGUFReader(path).fields["tokenizer.chat_template"].contents()
    return jinja2.Template(template).render(messages=messages, add_generation_prompt=True)


def encode_with_special(tokenizer, text: str) -> list[int]:
    """Ids of a text in which the two ChatML markers are control tokens."""
    ids: list[int] = []
    for number, turn in enumerate(text.split("<|im_start|>")):
        ids += [tokenizer.token_to_id("<|im_start|>")] if number else []
        for part_number, part in enumerate(turn.split("<|im_end|>")):
            ids += [tokenizer.token_to_id("<|im_end|>")] if part_number else []
            ids += tokenizer.encode(part).ids
    return ids


def summary(logits: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and log-sum-exp of the whole vector, in float64."""
    x = logits.astype(np.float64)
    return np.array([x.mean(), x.std(), np.log(np.exp(x).sum())])


def write_default_model(model, prompts: dict[str, tuple[str, list[int]]]) -> None:
    n_vocab = model.config.vocab_size
    sampled = np.sort(np.random.default_rng(0).choice(n_vocab, N_SAMPLED, replace=False))
    arrays: dict[str, np.ndarray] = {
        "names": np.array(list(prompts)),
        "sampled_ids": sampled.astype(np.uint16),
        "resid_layers": np.array(RESID_LAYERS),
    }
    for name, (text, ids) in prompts.items():
        arrays_of_run = peer.trace(model, ids)
        logits = arrays_of_run["logits"]
        top = np.argsort(-logits)[:N_TOP]
        new, narrowest = peer.greedy(model, ids, N_GREEDY)
        arrays |= {
            f"{name}/text": np.array(text),
            f"{name}/ids": np.array(ids, np.uint16),
            f"{name}/top_ids": top.astype(np.uint16),
            f"{name}/top_logits": logits[top],
            f"{name}/sampled_logits": logits[sampled],
            f"{name}/summary": summary(logits),
            f"{name}/resid_post_last": arrays_of_run["resid_post"][list(RESID_LAYERS), -1],
            f"{name}/greedy": np.array(new, np.uint16),
            f"{name}/greedy_margin": np.array(narrowest),
        }
        for layer, head in PATTERNS if len(ids) < 64 else ((13, 8),):
            arrays[f"{name}/pattern/{layer}/{head}"] = arrays_of_run["pattern"][layer, head]
        print(f"{name}: {len(ids)} tokens, narrowest greedy choice {narrowest:.4f}")
        if narrowest < 2e-3:
            raise ValueError(f"{name!r}: a greedy choice is a near tie: take another prompt")
    np.savez_compressed(HERE / "default_model.npz", **arrays)


def write_tiny_models() -> None:
    arrays: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, tiny in tiny_gguf.VARIANTS.items():
            path = tiny_gguf.write(Path(folder) / f"{name}.gguf", tiny)
            ids = tiny_gguf.random_ids(name, 17)
            arrays_of_run = peer.trace(peer.load_llama(path), ids)
            arrays[f"{name}/ids"] = np.array(ids, np.uint16)
            arrays[f"{name}/logits"] = arrays_of_run["logits"]
            arrays[f"{name}/pattern"] = arrays_of_run["pattern"]
            arrays[f"{name}/resid_post"] = arrays_of_run["resid_post"][:, -1]
    np.savez_compressed(HERE / "tiny_models.npz", **arrays)


def main(path: Path) -> None:
    tokenizer = peer.load_tokenizer(path)
    write_tokenizer(tokenizer)
    write_kinds()

    chats = {name: (render_chat(path, messages), messages) for name, messages in CONVERSATIONS.items()}
    chat_ids = {name: encode_with_special(tokenizer, text) for name, (text, _) in chats.items()}
    stored = {name: {"messages": messages, "ids": chat_ids[name]} for name, (_, messages) in chats.items()}
    (HERE / "chat.json").write_text(json.dumps(stored, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    prompts = {name: (text, tokenizer.encode(text).ids) for name, text in PROMPTS.items()}
    prompts["chat"] = (chats["default system"][0], chat_ids["default system"])
    random_ids = random.Random(7).sample(range(17, 49_152), 16)
    prompts["random ids, twice"] = ("", random_ids * 2)
    write_default_model(peer.load_llama(path), prompts)
    write_tiny_models()
    total = sum(file.stat().st_size for file in HERE.glob("*") if file.suffix in (".npz", ".json"))
    print(f"{total / 1e6:.2f} MB in all")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
