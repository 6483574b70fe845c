"""What a page or an error says may be worded again: no test asserts a sentence of it, but its numbers and names."""

import ast
import re
from pathlib import Path

LOOKS = ("to_contain_text", "to_have_text", "get_by_text")


def sentences(source: str) -> list[str]:
    """Return the strings of six words or more that an assert, a `match=` or a look at a page holds."""
    held = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            held += [node.test]
        elif isinstance(node, ast.Call):
            held += [keyword.value for keyword in node.keywords if keyword.arg == "match"]
            held += node.args if getattr(node.func, "attr", "") in LOOKS else []
    texts = [str(getattr(part, "value", "")) for whole in held for part in ast.walk(whole)]
    return [text for text in texts if len(re.findall(r"(?<![\w.])[A-Za-z]{2,}(?!\w|[(=]|\.\w)", text)) > 5]


def test_no_test_asserts_a_sentence():
    words = "This text has too many words."
    for asserting in ("assert {!r} in told", "raises(match={!r})", "page.get_by_text({!r})"):
        assert sentences(asserting.format(words)) == [words]
    files = Path(__file__).parent.rglob("*.py")
    assert {file.name: found for file in files if (found := sentences(file.read_text("utf-8")))} == {}
