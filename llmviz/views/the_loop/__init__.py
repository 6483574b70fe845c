"""The front page: the loop, the six stages at work on one text, and the switchboard."""

import tomllib
from pathlib import Path

TEXTS = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))
