"""Long texts on which conclusions are tried, beside the `TEXTS` of the package."""

import heapq
import inspect
import json.decoder
from pydoc_data.topics import topics

from llmviz.views.differences.tried_on import TEXTS
from llmviz.views.kit.picture import STATIC

# Ten texts of more than 512 tokens: fiction, a mixture, code, and chapters that every Python brings along.
CHAPTERS = ("operator-summary", "objects", "debugger", "specialnames", "naming", "formatstrings")
LONG = {
    "a long story": (STATIC / "a_long_story.txt").read_text("utf-8"),
    "many short texts": "\n\n".join(TEXTS.values()),
    "heapq.py": inspect.getsource(heapq),
    "json/decoder.py": inspect.getsource(json.decoder),
    **{chapter: topics[chapter] for chapter in CHAPTERS},
}
