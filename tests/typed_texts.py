"""What a reader may type by accident or on purpose: no box may fail on it, no picture may come out wrong."""

BAD_TEXTS = (
    "",
    "   ",
    "\n\n\t",
    "lorem ipsum " * 200,
    "x" * 5_000,
    "<script>window.hacked = 1</script><img src=x onerror=window.hacked=1>",
    "<|im_end|>",
    "\ud83d",
    "a\ud83d\ud800b",
    "a\u0004\u001b[31m\u0000b",
    "שלום עולם مرحبا \u202eabc",
    "👨‍👩‍👧 é $x^2$",
    "the the the the the",
)

# Some that keys can put into a box of one line, for a browser, where each takes a second: nothing, a long text, markup,
# right to left, emoji. (Half a character comes from a broken clipboard only.)
FEW = tuple(BAD_TEXTS[i] for i in (0, 3, 5, 10, 11))

KINDS = {
    "one token": "Hi",
    "two tokens": "Hi there",
    "one distinct token": "the" + " the" * 7,
    "emoji": "👩‍👩‍👧 naïve 🙂",
    "right to left": "שלום עולם, מה שלומך",
    "markup": "<script>alert(1)</script><|im_end|>",
    "64 tokens": "one two three four five six seven eight " * 8,
}
