"""Save a notebook as one file whose controls work without a kernel: `llmviz page NOTEBOOK -o FILE`.

The notebook runs in its own kernel, where `llmviz.page.table` computes what its views show in many states. The file
has the cells, that table (packed), and scripts that look up in it what each control changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

from llmviz import where
from llmviz.machine import replacing
from llmviz.page.write import html_page, index_page

VIEW = "application/vnd.jupyter.widget-view+json"
CELL_PATIENCE, PATIENCE = 300, 3600  # seconds of real time, for one cell and for the table
RUNS = 0.3  # the share of the work that is done when all cells have run


class CannotBuild(Exception):
    """The message says why, and what to do."""


@dataclass(frozen=True)
class Built:
    """A notebook that has run: its cells with outputs, and the table of what its views show."""

    notebook: nbformat.NotebookNode
    table: dict


@contextlib.contextmanager
def kernel_for(notebook: Path) -> Iterator[BlockingKernelClient]:
    """Start a kernel for a notebook's page, and yield its client. Raises CannotBuild if it does not answer."""
    manager = KernelManager(kernel_name="python3")
    env = os.environ | {where.VARIABLE: "page"}
    manager.start_kernel(cwd=str(notebook.parent), env=env, stderr=subprocess.DEVNULL)  # what it logs
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=CELL_PATIENCE)
        yield client
    except (TimeoutError, RuntimeError) as error:
        raise CannotBuild(f"the kernel of {notebook.name} does not answer: {error}") from None
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def build(notebook: Path, seconds: float, progress: Callable[[float], object]) -> Built:
    """Run a notebook, and make the table of its views.

    seconds: of computing, after what it opens with and the first answer of each card. progress: called with the share
    of the work that is done. Raises CannotBuild.
    """
    try:
        node = nbformat.read(notebook, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise CannotBuild(f"{notebook} cannot be read as a notebook: {error}") from None
    with kernel_for(notebook) as client:
        return build_in(client, node, notebook.name, seconds, progress)


def build_in(
    client: BlockingKernelClient,
    node: nbformat.NotebookNode,
    name: str,
    seconds: float,
    progress: Callable[[float], object],
) -> Built:
    """Build a page like `build`, in a kernel in which nothing has run."""
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    for done, cell in enumerate(code):
        progress(RUNS * done / len(code))
        cell.outputs = _run(client, cell.source)
        if failed := [output for output in cell.outputs if output.output_type == "error"]:
            error = f"{failed[0].ename}: {failed[0].evalue}"
            raise CannotBuild(f"a cell of {name} fails with {error}\n{cell.source}")
    outputs = [output for cell in code for output in cell.outputs]
    shown = [output.data[VIEW]["model_id"] for output in outputs if VIEW in output.get("data", {})]
    with tempfile.TemporaryDirectory() as folder:
        path, texts = Path(folder) / "table.json", [*node.metadata.get("llmviz", {}).get("texts", [])]
        ask(
            client,
            f"from llmviz.page import table\npage = table.write({str(path)!r}, {shown!r}, {texts!r}, {seconds})",
            lambda text: [progress(RUNS + (1 - RUNS) * float(line)) for line in text.split()],
        )
        table = json.loads(path.read_text("utf-8"))
    for cell in code:  # Progress bars have closed by now.
        cell.outputs = [output for output in cell.outputs if _is_there(output, table)]
    return Built(node, table)


def _is_there(output: nbformat.NotebookNode, table: dict) -> bool:
    view = output.get("data", {}).get(VIEW)
    return view is None or view["model_id"] in table["widgets"]


def _run(client, source: str) -> list[nbformat.NotebookNode]:
    """Run a cell and return its outputs."""
    outputs: list[nbformat.NotebookNode] = []

    def take(message: dict) -> None:
        if message["msg_type"] not in ("stream", "display_data", "execute_result", "error"):
            return
        new = nbformat.v4.output_from_msg(message)
        last = outputs[-1] if outputs else None
        if new.output_type == "stream" and last and last.output_type == "stream" and last.name == new.name:
            last.text += new.text
        else:
            outputs.append(new)

    client.execute_interactive(source, output_hook=take, timeout=CELL_PATIENCE, allow_stdin=False)
    return outputs


def ask(client, source: str, report: Callable[[str], object] = print) -> None:
    """Run our own code in the kernel. An error there is raised here."""

    def take(message: dict) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            report(message["content"]["text"])
        elif message["msg_type"] == "error":
            failed.append(message["content"])

    failed: list[dict] = []
    client.execute_interactive(
        source, output_hook=take, timeout=PATIENCE, allow_stdin=False, store_history=False
    )
    if failed:
        raise CannotBuild(f"the table of its states failed with {failed[0]['ename']}: {failed[0]['evalue']}")


def build_all(
    notebooks: list[Path], seconds: float, workers: int, progress: Callable[[float], object]
) -> Iterator[Built]:
    """Build several, `workers` at a time, and yield them in order; progress is called with how many pages are done."""
    done = dict.fromkeys(notebooks, 0.0)

    def tell(notebook: Path, share: float) -> None:
        done[notebook] = share
        progress(sum(done.values()))

    def build_one(notebook: Path) -> Built:
        try:
            return build(notebook, seconds, lambda share: tell(notebook, share))
        finally:
            ensure_event_loop().close()  # jupyter_client has made one for this thread

    with ThreadPoolExecutor(workers) as pool:
        futures = {
            notebook: pool.submit(build_one, notebook) for notebook in reversed(notebooks)
        }  # the last one trains
        try:
            for notebook in notebooks:
                yield futures[notebook].result()
                tell(notebook, 1.0)
        finally:
            for future in futures.values():
                future.cancel()


def write_page(built: Built, file: Path, pages: dict[str, str], index: str | None = None) -> int:
    """Write a page, and return its size in bytes. pages: the file to which a link to each notebook leads."""
    return _put(file, html_page(built.notebook, built.table, pages, index))


def write_index(file: Path, pages: dict[str, Built]) -> int:
    """Write the page with links to all others."""
    return _put(file, index_page({name: built.notebook for name, built in pages.items()}))


def _put(file: Path, text: str) -> int:
    """Write a file so that it is never incomplete."""
    with replacing(file) as part:
        part.write_text(text, "utf-8")
    return file.stat().st_size
