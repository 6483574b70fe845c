"""Write a notebook's cells as one HTML file: rendered text, folded code, outputs, and everything for its scripts."""

from __future__ import annotations

import base64
import gzip
import html
import importlib.resources
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from llmviz.page.note import note

HERE = Path(__file__).parent
VIEW = "application/vnd.jupyter.widget-view+json"
PLOTLY = "application/vnd.plotly.v1+json"
HEADING = re.compile(r"(#+) ")
IN_JUPYTER = "jupyter-only"  # the tag of a cell that a page leaves out, such as how to run all cells
LINK = re.compile(r'<a href="([^"#]+)\.ipynb(#[^"]*)?">(.*?)</a>', re.DOTALL)


@dataclass
class Fold:
    """What is under a collapsed heading. The page itself has depth 0."""

    depth: int
    summary: str = ""
    parts: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        inner = "\n".join(self.parts)
        return f'<details class="fold">\n<summary>{self.summary}</summary>\n{inner}\n</details>'


def html_page(notebook: nbformat.NotebookNode, table: dict, pages: dict[str, str], index: str | None) -> str:
    """Return the whole file."""
    body = "\n".join(_body(notebook, pages))
    home = f'<nav><a href="{html.escape(index)}">All pages</a></nav>\n' if index else ""
    scripts = [(HERE / name).read_text("utf-8") for name in ("controls.js", "replay.js")]
    if "data-plotly" in body:
        scripts.insert(
            0, (importlib.resources.files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8")
        )
    return document(
        title_of(notebook),
        f"{home}<main>\n{note()}\n{body}\n</main>",
        f'<script type="text/plain" id="packed">{_packed(table)}</script>\n'
        + "".join(f"<script>{script}</script>\n" for script in scripts),
    )


def index_page(pages: dict[str, nbformat.NotebookNode], above: str = "") -> str:
    """Write links to all pages, by file, with their titles and first sentences. above: HTML that comes first."""
    rows = []
    for file, notebook in pages.items():
        first = next((c.source for c in notebook.cells if c.cell_type == "markdown"), "")
        bold = re.match(r"#[^\n]*\n+\*\*(.+?)\*\*", first, re.DOTALL)
        about = bold or re.match(r"#[^\n]*\n+(.+?)(?:\n\n|$)", first, re.DOTALL)  # all of the first paragraph
        said = html.escape(re.sub(r"\*|</?a\b[^>]*>", "", about[1])) if about else ""
        rows.append(
            f'<li><a href="{html.escape(file)}">{html.escape(title_of(notebook))}</a><p>{said}</p></li>'
        )
    return document(
        "llmviz", f'<main><h1>llmviz</h1>{above}<ul class="pages">{"".join(rows)}</ul></main>', ""
    )


def cells_for_a_page(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the cells except those with the tag for Jupyter only."""
    return [cell for cell in notebook.cells if IN_JUPYTER not in cell.metadata.get("tags", [])]


def title_of(notebook: nbformat.NotebookNode) -> str:
    """Return the notebook's first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := re.match(r"# (.+)", cell.source)):
            return heading[1].strip()
    return "llmviz"


def document(title: str, body: str, end: str) -> str:
    """Return a page in our style, light or dark as the browser prefers."""
    theme = (
        "{ const light = !matchMedia('(prefers-color-scheme: dark)').matches;"
        " document.body.dataset.jpThemeLight = light;"
        " document.documentElement.dataset.theme = light ? 'light' : 'dark'; }"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n<style>{(HERE / 'page.css').read_text('utf-8')}</style>\n</head>\n"
        f"<body>\n<script>{theme}</script>\n{body}\n{end}\n</body>\n</html>\n"
    )


def _packed(thing: dict) -> str:
    text = json.dumps(thing, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _body(notebook: nbformat.NotebookNode, pages: dict[str, str]) -> Iterator[str]:
    """Write all cells in their order, folds folded."""
    open_: list[Fold] = [Fold(0)]

    def close(depth: int) -> None:
        while len(open_) > 1 and open_[-1].depth >= depth:
            fold = open_.pop()
            open_[-1].parts.append(str(fold))

    for cell in cells_for_a_page(notebook):
        heading = HEADING.match(cell.source) if cell.cell_type == "markdown" else None
        if heading:
            close(len(heading[1]))
            if cell.metadata.get("jp-MarkdownHeadingCollapsed"):
                first, _, rest = cell.source.partition("\n")
                open_.append(Fold(len(heading[1]), _markdown(first, pages)))
                if rest.strip():
                    open_[-1].parts.append(_markdown(rest, pages))
                continue
        open_[-1].parts.append(_markdown(cell.source, pages) if cell.cell_type == "markdown" else _code(cell))
    close(1)
    yield from open_[0].parts


def _markdown(source: str, pages: dict[str, str]) -> str:
    def link(match: re.Match) -> str:
        page = pages.get(match[1])
        return f'<a href="{html.escape(page)}{match[2] or ""}">{match[3]}</a>' if page else match[3]

    return f'<section class="text">{LINK.sub(link, markdown2html_mistune(source))}</section>'


def _code(cell: nbformat.NotebookNode) -> str:
    """Write the code, folded if the notebook hides it, and its output below it."""
    code = Highlight2HTML(pygments_lexer="python3")(cell.source)
    tags = cell.metadata.get("tags", [])
    if not {"by-hand", "deeper", "exercise"} & {*tags} or cell.metadata.get("jupyter", {}).get(
        "source_hidden"
    ):
        code = f'<details class="code"><summary>code</summary>{code}</details>'
    outputs = "".join(_output(output) for output in cell.get("outputs", []))
    return f'<section class="cell">{code}<div class="outputs">{outputs}</div></section>'


def _output(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return f"<pre>{ansi2html(output.text)}</pre>"
    data = output.get("data", {})
    if VIEW in data:
        return f'<div class="widget" data-widget="{data[VIEW]["model_id"]}"></div>'
    if PLOTLY in data:
        figure = html.escape(json.dumps(data[PLOTLY], separators=(",", ":")))
        return f'<div class="plotly" data-plotly="{figure}"></div>'
    if "image/svg+xml" in data:
        return data["image/svg+xml"]
    if "image/png" in data:
        said = html.escape(data.get("text/plain", ""))
        for_light = ' class="for-light"' * (output.metadata.get("needs_background") == "light")
        return f'<img{for_light} alt="{said}" src="data:image/png;base64,{data["image/png"].strip()}">'
    if "text/html" in data:
        return data["text/html"]
    return f"<pre>{ansi2html(data.get('text/plain', ''))}</pre>"
