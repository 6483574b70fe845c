"""What a reader may type by accident or on purpose: no box may fail on it."""

BAD_TEXTS = (
    "",
    "   ",
    "\n\n\t",
    "lorem ipsum " * 200,
    "x" * 5_000,
    "<script>window.hacked = 1</script><img src=x onerror=window.hacked=1>",
    "<|im_end|>",
    "a\ud83d\ud800b",
    "a\u0004\u001b[31m\u0000b",
    "שלום עולם مرحبا \u202eabc",
    "👨‍👩‍👧 é $x^2$",
    "the the the the the",
)
