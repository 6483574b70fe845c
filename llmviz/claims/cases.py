"""The texts, words and questions that claims are measured on, from `cases.toml`."""

import tomllib
from pathlib import Path

_CASES = tomllib.loads(Path(__file__).with_name("cases.toml").read_text("utf-8"))

TEXTS: dict[str, str] = _CASES["texts"]
MORE_TEXTS: dict[str, str] = _CASES["more_texts"]
LONG: dict[str, str] = _CASES["long_texts"]
ARTICLES: dict[str, tuple[str, ...]] = {name: tuple(pair) for name, pair in _CASES["articles"].items()}
MORE_CAPITALS: dict[str, str] = _CASES["more_capitals"]
HARDER_SUMS: dict[str, str] = _CASES["harder_sums"]
RELATED: str = _CASES["words"]["related"]
SINGULAR: list[str] = _CASES["words"]["singular"]
OPPOSITES: list[str] = _CASES["words"]["opposites"].split()
ELEMENTS: list[str] = _CASES["words"]["elements"].split()
STATES: dict[str, str] = _CASES["words"]["states"]
QUESTIONS: tuple[str, ...] = tuple(_CASES["chat"]["questions"])
