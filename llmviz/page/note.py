"""The note at the top of a page: what the page is, and how to get the full version."""

from __future__ import annotations

import html
from importlib import metadata
from pathlib import Path


def note() -> str:
    """Return the note as HTML, with the first address in the package's metadata, if there is one."""
    text = (Path(__file__).parent / "note.html").read_text("utf-8")
    urls = metadata.metadata("llmviz").get_all("Project-URL") or []
    get = "Ask for the llmviz folder where you got this page. In that folder, run:"
    if urls:
        url = html.escape(urls[0].partition(",")[2].strip())
        get = f'Get it from <a href="{url}">{url}</a>. In its folder, run:'
    return text.replace("{get}", get)
