"""The command `llmviz`: it opens the notebooks in JupyterLab, with settings for our pictures in that server only.

The settings are in `llmviz/jupyter`, arranged like Jupyter's own configuration folders. No other server reads them, and
they are only defaults: what a reader has set in JupyterLab stays in force.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmviz import __version__, machine

PACKAGE = Path(__file__).parent
FRONT_PAGE = "00_the_loop.ipynb"
NEW_FOLDER = "llmviz-notebooks"
PAGES_FOLDER = "llmviz-pages"
CLASS_PORT = 8866

EXAMPLES = f"""\
examples:
  llmviz                        open the front page, {FRONT_PAGE}, in your browser
  llmviz --folder my-copy       copy the notebooks into the folder my-copy, and open them there
  llmviz --no-browser           print the address, so that you can open it yourself
  llmviz --browser firefox      open Firefox instead of your usual browser
  llmviz --model gemma          open them with another model: a file, a folder, or a name from this list:
  llmviz models                 list the models on this computer, including those of Ollama and Hugging Face
  llmviz --port 9000            use this port instead of the first free one from 8888
  llmviz page                   save all notebooks as pages that work without Python, in the folder llmviz-pages
  llmviz page 06_sampling.ipynb -o sampling.html
  llmviz class                  serve the notebooks as pages to everybody in the room, from this computer
  llmviz class --check          test before the lesson whether phones can reach this computer
  llmviz cache                  show where the model is stored, and how much disk space it takes
  llmviz --allow-root           options that llmviz does not know, and all after --, go to JupyterLab

Press Ctrl-C to stop. llmviz does not change Jupyter's settings or any other Jupyter server.
"""


class CannotStart(Exception):
    """The message says why, and what to do."""


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 2 if it cannot do what was asked. It then prints why."""
    argv = sys.argv[1:] if argv is None else argv
    end = argv.index("--") if "--" in argv else len(argv)
    args, extra = _parser().parse_known_args(argv[:end])
    args.extra = extra + argv[end + 1 :]  # for JupyterLab
    try:
        if args.extra and args.command:
            raise CannotStart(
                f"`llmviz {args.command}` does not know {' '.join(args.extra)}. "
                f"See `llmviz {args.command} --help`."
            )
        args.run(args)
    except CannotStart as reason:
        print(f"llmviz: {reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before JupyterLab runs; it handles Ctrl-C itself
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmviz",
        usage="llmviz [options] [options of jupyter lab]",
        description="See how a large language model works: opens the notebooks in JupyterLab.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="copy the notebooks that are missing into this folder, and open them there "
        f"(default: in a clone of llmviz its own notebooks, otherwise ./{NEW_FOLDER})",
    )
    model: dict[str, Any] = {
        "metavar": "NAME",
        "help": "use this model: a .gguf file, a folder, gemma, or a name that `llmviz models` lists",
    }
    parser.add_argument("--model", **model)
    parser.add_argument("--port", type=_port, metavar="NUMBER", help="use this port")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--browser", metavar="NAME", help="open this browser instead of the usual one")
    shown.add_argument(
        "--no-browser", action="store_true", help="print the address instead of opening a browser"
    )
    parser.add_argument("--version", action="version", version=f"llmviz {__version__}")
    parser.set_defaults(run=_run_lab)
    commands = parser.add_subparsers(title="commands", prog="llmviz", dest="command")

    def command(name: str, run: Callable, in_a_line: str, description: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=in_a_line, description=description, allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    page = command(
        "page",
        _page,
        "save a notebook as a page whose controls work without Python and without a network",
        "Run a notebook, compute what its controls show, and write all of it as one file for a browser. "
        "The controls then work without Python and without a network.",
    )
    class_ = command(
        "class",
        _class,
        "serve the notebooks as pages to a class that needs only browsers",
        "Serve the notebooks as pages from this computer to the browsers in the room. Visitors can use "
        "every picture but can't run code. The teacher's page shows the address, also as a QR code.",
    )
    for each in (page, class_):
        where = "a notebook, or a folder of notebooks (default: those of llmviz)"
        each.add_argument("notebook", type=Path, nargs="?", help=where)
        # A default of its own would hide what is in front of the command.
        each.add_argument("--model", **model, default=argparse.SUPPRESS)
    page.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the file to write (default: NOTEBOOK.html); for several notebooks, the folder of their pages and of an "
        f"index (default: {PAGES_FOLDER})",
    )
    page.add_argument(
        "--seconds",
        type=_up_to(3600),
        default=15,
        help="how long to compute for each page, after what it opens with and the first answer of each card. With "
        "more time, more of its controls work (default: 15)",
    )
    class_.add_argument(
        "--port",
        type=_port,
        metavar="NUMBER",
        help=f"use this port (default: the first free one from {CLASS_PORT})",
    )
    class_.add_argument("--password", metavar="WORD", help="ask visitors for this password")
    class_.add_argument(
        "--visitors",
        type=_up_to(500),
        metavar="NUMBER",
        help="how many pages may be open at once (default: as many as fit into memory at 300 MB each, at most 60)",
    )
    class_.add_argument(
        "--each",
        type=_up_to(500),
        default=1,
        metavar="NUMBER",
        help="how many pages one visitor may have open at once (default: 1). If all visitors share one address, "
        "as with WSL, Docker Desktop or a proxy, give the number of visitors",
    )
    class_.add_argument(
        "--project",
        action="store_true",
        help="use large type and show one picture per screen, for a projector",
    )
    class_.add_argument("--local", action="store_true", help="serve only browsers on this computer")
    class_.add_argument(
        "--check", action="store_true", help="test before the lesson whether phones can reach this computer"
    )
    class_.add_argument(
        "--no-browser",
        action="store_true",
        help="print the address of the teacher's page instead of opening it",
    )
    command(
        "models",
        _models,
        "list the models on this computer that llmviz can open",
        "List the models on this computer: those that llmviz keeps or has opened before, and those of "
        "Ollama and of Hugging Face. Open one with `llmviz --model NAME`.",
    )
    cache = command(
        "cache",
        _cache,
        "show where the model is stored and how much disk space it takes, or delete it",
        "Show where the model and its unpacked parameters are stored, and how much disk space each takes.",
    )
    cache.add_argument("--delete", action="store_true", help="delete all of it, after asking you")
    return parser


def _up_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text.isdecimal() and 1 <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}.")

    return number


_port = _up_to(65535)


def _run_lab(args: argparse.Namespace) -> None:
    """Check everything before anything is written, then run JupyterLab until Ctrl-C."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise CannotStart(f"JupyterLab is not installed. Run `{sys.executable} -m pip install jupyterlab`.")
    options = _lab_options(args)
    if args.model is not None:
        _load(args.model)
    folder = _folder(args.folder)
    print(f"The notebooks are in {folder}", flush=True)
    # In front of the reader's own configuration folders, which are read as well.
    earlier = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [str(PACKAGE / "jupyter"), earlier]))
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance([f"--ServerApp.root_dir={folder}", *options, *args.extra])


def _load(model: str | None) -> None:
    """Load the model that the notebooks will load, so that it is there before any of them waits for it."""
    from llmviz import load, local_models

    try:
        load(model)
        if model is not None:
            # A path is absolute then, since notebooks run in other folders.
            os.environ["LLMVIZ_MODEL"] = local_models.find(model).name
    except (OSError, ValueError, RuntimeError) as error:
        raise CannotStart(f"Cannot load the model: {error}") from None


def _models(args: argparse.Namespace) -> None:
    """List the models on this machine, first those that can be opened."""
    from llmviz.download import NAMED
    from llmviz.local_models import on_this_machine

    models = on_this_machine()
    rows = [(each.name, each.family, f"{each.n_bytes / 1e6:,.0f} MB") for each in models if not each.problem]
    for name in sorted(NAMED.keys() - {each.name for each in models}):
        rows.append((name, "", f"{NAMED[name].n_bytes / 1e6:,.0f} MB to download"))
    wide = [max(map(len, column)) for column in zip(*rows)]
    for name, family, size in rows:
        print(f"{name:{wide[0]}}  {family:{wide[1]}}  {size}")
    if broken := [each for each in models if each.problem]:
        print("\nThese can't be opened:")
        for each in broken:
            print(f"{each.name}  {each.problem}")
    print('\nOpen one with `llmviz --model NAME`, or in Python with `llmviz.load("NAME")`.')


def _page(args: argparse.Namespace) -> None:
    """Check everything before anything runs, then write each page when it is complete."""
    source, notebooks = _chosen(args.notebook)
    if args.model is not None:
        _load(args.model)
    folder = (args.output or Path(PAGES_FOLDER)) if source.is_dir() else None
    if folder:
        files = {notebook: folder / f"{notebook.stem}.html" for notebook in notebooks}
    else:
        files = {source: args.output or Path(f"{source.stem}.html")}
        if files[source].suffix not in (".html", ".htm"):
            raise CannotStart(f"{files[source]} is not a valid name for a page. End it in .html.")
    try:
        (folder or files[source].parent).mkdir(parents=True, exist_ok=True)
        _write_pages(files, args.seconds, folder)
    except OSError as error:
        raise CannotStart(f"Cannot write the page: {error}. Choose another place with -o.") from None


def _write_pages(files: dict[Path, Path], seconds: float, folder: Path | None) -> None:
    from tqdm import tqdm

    from llmviz import page

    links = {notebook.stem: file.name for notebook, file in files.items()}
    built = {}
    with tqdm(desc="Computing", total=len(files), bar_format="{l_bar}{bar}| {elapsed}<{remaining}") as bar:

        def progress(done: float) -> None:
            bar.n = done
            bar.refresh()

        pages = page.build_all([*files], seconds, min(2, machine.cores()), progress)
        try:
            for file, made in zip(files.values(), pages):
                size = page.write_page(made, file, links, "index.html" if folder else None)
                built[file.name] = made
                bar.write(f"{file}  {size / 1e6:.1f} MB")
                if left_out := made.table["left_out"]:
                    bar.write(
                        f"    some controls are pale (with more --seconds, fewer are): {', '.join(left_out)}"
                    )
        except page.CannotBuild as reason:
            raise CannotStart(str(reason)) from None
    if folder:
        page.write_index(folder / "index.html", built)
        print(f"Open {folder / 'index.html'}")


def _class(args: argparse.Namespace) -> None:
    """Check everything before anything is served, then serve the class until Ctrl-C."""
    if any(importlib.util.find_spec(name) is None for name in ("voila", "segno")):
        raise CannotStart(
            "A class needs two more packages. Run "
            f'`{sys.executable} -m pip install "llmviz[class]"`, or in a clone `pip install -e ".[class]"`.'
        )
    if args.password is not None and not args.password.strip():
        raise CannotStart("The password is empty. Give a word after --password.")
    if args.check and args.local:
        raise CannotStart("With --local, no phone can reach this computer. Leave --local out to check.")
    _, notebooks = _chosen(args.notebook)
    from llmviz import classroom

    port = args.port or _free_port(CLASS_PORT, args.local)
    try:
        if args.check:
            classroom.check(port)
            return
        _load(args.model)  # thirty kernels need not download it at once
        classroom.serve(
            notebooks,
            port=port,
            limit=args.visitors,
            password=args.password or "",
            project=args.project,
            local=args.local,
            browser=not args.no_browser,
            each=args.each,
        )
    except classroom.CannotServe as reason:
        raise CannotStart(str(reason)) from None


def _cache(args: argparse.Namespace) -> None:
    """List what is in the cache; delete it if that is asked for and confirmed."""
    from llmviz.download import NAMED, cache_folder
    from llmviz.weights import cached_files

    folder = cache_folder()
    files = {folder / of.file_name: "a model's file, as it was downloaded" for of in NAMED.values()}
    files |= {path: f"unpacked: {of or 'a model file'}" for path, of in cached_files(folder).items()}
    sizes = {path: _bytes_of(path) for path in files if path.exists()}
    if not sizes:
        print(f"{folder} is empty. llmviz downloads the model when a notebook first needs it.")
        return
    print(f"{folder}: {sum(sizes.values()) / 1e6:,.0f} MB")
    for path, n_bytes in sizes.items():
        print(f"{n_bytes / 1e6:6,.0f} MB  {path.relative_to(folder)}  ({files[path]})")
    if not args.delete:
        print("Run `llmviz cache --delete` to delete all of it. Set LLMVIZ_HOME to use another folder.")
        return
    print("Delete it? The next start downloads the model again. [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() != "y":
        print("Nothing was deleted.")
        return
    try:
        for path in sizes:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise CannotStart(
            f"Cannot delete {path} ({error.strerror}). Close all notebooks, and run this again."
        ) from None
    print("Deleted.")


def _bytes_of(path: Path) -> int:
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def _free_port(first: int, local: bool) -> int:
    for port in range(first, first + 50):
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1" if local else "", port)).close()
            return port
    raise CannotStart(f"No port from {first} to {first + 49} is free. Choose one with --port.")


def _chosen(named: Path | None) -> tuple[Path, list[Path]]:
    """Return the notebook or folder that is named, or else llmviz's own folder; and its notebooks."""
    source = (named or _shipped()).expanduser().absolute()
    if source.is_dir():
        if not (notebooks := sorted(source.glob("*.ipynb"))):
            raise CannotStart(f"There is no notebook in {source}. Name a folder that has notebooks.")
        return source, notebooks
    if source.is_file() and source.suffix == ".ipynb":
        return source, [source]
    raise CannotStart(f"{source} is neither a notebook (.ipynb) nor a folder. Check the path.")


def _shipped() -> Path:
    """Return where llmviz's own notebooks are: in the package if it comes from a wheel, beside it in a clone."""
    inside = PACKAGE / "notebooks"
    return inside if inside.is_dir() else PACKAGE.parent / "notebooks"


def _lab_options(args: argparse.Namespace) -> list[str]:
    # A workspace of its own: no tabs of the reader's other work are opened here, and none of ours there.
    options = [
        f"--LabApp.default_url=/lab/workspaces/llmviz/tree/{FRONT_PAGE}",
        "--ServerApp.answer_yes=True",
    ]
    if args.port:
        try:
            socket.create_server(("localhost", args.port)).close()
        except OSError as error:
            raise CannotStart(
                f"Cannot use port {args.port} ({os.strerror(error.errno or 0)}). "
                "Choose another with --port, or leave --port out to use a free one."
            ) from None
        options += [f"--ServerApp.port={args.port}", "--ServerApp.port_retries=0"]
    if args.browser:
        try:
            webbrowser.get(args.browser)
        except webbrowser.Error:
            raise CannotStart(
                f"There is no browser called {args.browser!r} here. Leave --browser out to use your usual one, "
                "or add --no-browser and open the printed address."
            ) from None
        options.append(f"--ServerApp.browser={args.browser}")
    if args.no_browser:
        options.append("--ServerApp.open_browser=False")
    return options


def _folder(chosen: Path | None) -> Path:
    """Return the folder in which the reader works: the clone's own, or one to which all notebooks have been copied."""
    shipped = _shipped()
    if chosen is None and shipped.parent != PACKAGE:
        return shipped
    folder = (chosen or Path(NEW_FOLDER)).expanduser().absolute()
    try:
        copied, unchanged = copy_notebooks(shipped, folder)
    except OSError as error:
        raise CannotStart(
            f"Cannot copy the notebooks into {folder} ({error.strerror}). Choose another folder with --folder."
        ) from None
    if copied:
        print(f"Copied: {', '.join(copied)}")
    if unchanged:
        print(
            f"Unchanged, because they differ from this version: {', '.join(unchanged)} "
            "(for fresh copies, choose a new folder with --folder)"
        )
    return folder


def copy_notebooks(source: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Copy the notebooks that `folder` does not have yet, and the film that the first one shows before it runs.

    Files that are there already are never overwritten. Returns the names of those that were copied, and of those that
    were there and differ. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copied, unchanged = [], []
    for file in sorted([*source.glob("*.ipynb"), *source.glob("*.webp")]):
        target, content = folder / file.name, file.read_bytes()
        if target.exists():
            if target.read_bytes() != content:
                unchanged.append(target.name)
            continue
        with machine.replacing(target) as part:
            part.write_bytes(content)
        copied.append(target.name)
    return copied, unchanged
