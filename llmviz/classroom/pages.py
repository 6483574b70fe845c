"""A notebook as a visitor's page: Voilà's rendering, with folds, and a bar that leads to the other pages."""

from __future__ import annotations

from pathlib import Path

import nbformat

from llmviz.classroom.session_pool import Session, SessionPool
from llmviz.classroom.voila_parts import NotebookRenderer
from llmviz.page.write import HEADING, cells_for_a_page, markdown2html_mistune, title_of


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook, and note in the metadata of each cell where folds begin and end.

    Raises ValueError if it cannot be read.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    open_: list[int] = []  # the depths of the folds that are open
    notebook.cells = cells_for_a_page(notebook)
    for cell in notebook.cells:
        cell.metadata.llmviz = {"ends": 0, "summary": ""}
        if cell.cell_type != "markdown":
            continue
        if not (heading := HEADING.match(cell.source)):
            continue
        depth = len(heading[1])
        while open_ and open_[-1] >= depth:
            open_.pop()
            cell.metadata.llmviz["ends"] += 1
        if cell.metadata.get("jp-MarkdownHeadingCollapsed"):
            open_.append(depth)
            first, _, cell.source = cell.source.partition("\n")
            cell.metadata.llmviz["summary"] = markdown2html_mistune(first)
    notebook.metadata.llmviz_open = len(open_)
    notebook.metadata.title = title_of(notebook)
    return notebook


class Page(NotebookRenderer):
    """Voilà's renderer, which sends the page's head at once and starts the kernel when it is the page's turn."""

    def __init__(self, pool: SessionPool, session: Session, path: Path, around: dict, **settings):
        super().__init__(notebook_path=path.name, **settings)
        self._pool, self._session, self._path, self._around = pool, session, path, around

    async def load_notebook(self, path: str) -> nbformat.NotebookNode:
        return await self.fix_notebook(read_notebook(self._path))

    async def initialize(self) -> None:
        await super().initialize()
        self.resources["classroom"] = self._around | {"ends": self.notebook.metadata.llmviz_open}

    async def _jinja_kernel_start(self, nb, kernel_id, kernel_future):
        kernel_id = await self._pool.start(self._session)
        return await super()._jinja_kernel_start(nb, kernel_id, self._pool.kernels.get_kernel(kernel_id))
