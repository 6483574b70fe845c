"""The command `llmviz`: the notebooks in JupyterLab, with the settings that our pictures like, for that server only.

The settings lie in `llmviz/jupyter`, laid out as Jupyter's own configuration folders are. No other server reads them,
and they are defaults: what a reader has chosen in JupyterLab stays in force.
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

from llmviz import __version__

PACKAGE = Path(__file__).parent
FRONT_PAGE = "00_the_loop.ipynb"
NEW_FOLDER = "llmviz-notebooks"
PAGES_FOLDER = "llmviz-pages"
CLASS_PORT = 8866

EXAMPLES = f"""\
examples:
  llmviz                        open the front page, {FRONT_PAGE}, in your browser
  llmviz --folder my-copy       work on copies of the notebooks in the folder my-copy
  llmviz --no-browser           only print the address; open it yourself
  llmviz --browser firefox      in this browser, not in the usual one
  llmviz --port 9000            at this port; without it, the first free one from 8888 on
  llmviz page                   all notebooks as pages that need no Python, in the folder llmviz-pages
  llmviz page 06_sampling.ipynb -o sampling.html
  llmviz class                  the notebooks as pages for everybody in the room, run by this computer
  llmviz class --check          the evening before: do phones reach this computer?
  llmviz cache                  where the model is kept, and how much disk it takes
  llmviz --allow-root           what llmviz does not know goes to JupyterLab, and whatever follows --

Ctrl-C ends it. Nothing is written to Jupyter's settings, and no other Jupyter is changed.
"""


class CannotStart(Exception):
    """The message says why, and what to do."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 2 where what was asked for cannot be done, and why is said."""
    argv = sys.argv[1:] if argv is None else argv
    end = argv.index("--") if "--" in argv else len(argv)
    args, unknown = _parser().parse_known_args(argv[:end])
    try:
        args.run(args, unknown + argv[end + 1 :])
    except CannotStart as reason:
        print(f"llmviz: {reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before JupyterLab is up; afterwards it ends by itself
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
        help="put the notebooks that are not there yet into this folder, and open them there; "
        f"by default in a clone of llmviz its own notebooks, else ./{NEW_FOLDER}",
    )
    parser.add_argument("--port", type=_port, metavar="NUMBER", help="serve at this port of this computer")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--browser", metavar="NAME", help="open this browser")
    shown.add_argument("--no-browser", action="store_true", help="open none; the address is printed")
    parser.add_argument("--version", action="version", version=f"llmviz {__version__}")
    parser.set_defaults(run=_run_lab)  # a further command is a subparser with a function of its own here
    commands = parser.add_subparsers(title="commands", prog="llmviz")
    page = commands.add_parser(
        "page",
        help="make a notebook a page that stays alive without Python and without a network",
        description="Run a notebook, rehearse its controls, and write it as one file for a browser: its controls move, "
        "without Python and without a network, through what was computed.",
        allow_abbrev=False,
    )
    page.add_argument(
        "notebook",
        type=Path,
        nargs="?",
        help="a notebook, or a folder: all notebooks in it become pages with an index; by default those of llmviz",
    )
    page.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=f"the file, by default NOTEBOOK.html here; for a folder of notebooks a folder, by default {PAGES_FOLDER}",
    )
    page.add_argument(
        "--seconds",
        type=_number_of("seconds", 3600),
        default=10,
        help="how long a core may compute for each page; the longer, the more of its controls' values (default: 10)",
    )
    page.set_defaults(run=_page)
    class_ = commands.add_parser(
        "class",
        help="serve the notebooks as pages to a class, which needs nothing but browsers",
        description="Serve the notebooks as pages from this computer to the browsers in the room. Visitors use every "
        "picture and run no code. The teacher's page shows the address, also as a QR code.",
        allow_abbrev=False,
    )
    class_.add_argument(
        "notebook", type=Path, nargs="?", help="a notebook, or a folder of them; by default those of llmviz"
    )
    class_.add_argument(
        "--port",
        type=_port,
        metavar="NUMBER",
        help=f"at this port; by default the first free one from {CLASS_PORT} on",
    )
    class_.add_argument("--password", metavar="WORD", help="who wants to come in has to know this word")
    class_.add_argument(
        "--visitors",
        type=_number_of("visitors", 500),
        metavar="NUMBER",
        help="how many pages may be open at once; by default as many as there is memory for (300 MB each), 60 at most",
    )
    class_.add_argument(
        "--each",
        type=_number_of("pages", 500),
        default=1,
        metavar="NUMBER",
        help="how many pages one visitor may have open at once (default: 1). Where all come from one "
        "address, as with WSL, Docker Desktop or a proxy, give their number: so many answers may it send",
    )
    class_.add_argument(
        "--project", action="store_true", help="for a projector: large type, one picture a screen"
    )
    class_.add_argument("--local", action="store_true", help="only for browsers on this computer")
    class_.add_argument(
        "--check", action="store_true", help="try before the lesson whether phones reach this computer"
    )
    class_.add_argument(
        "--no-browser", action="store_true", help="don't open the teacher's page; print its address"
    )
    class_.set_defaults(run=_class)
    cache = commands.add_parser(
        "cache",
        help="say where the model is kept and how much disk it takes, or delete it",
        description="Say where the model and its unpacked numbers are kept, and how much disk each takes.",
        allow_abbrev=False,
    )
    cache.add_argument("--delete", action="store_true", help="delete all of it, after a question")
    cache.set_defaults(run=_cache)
    return parser


def _number_of(what: str, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text.isdecimal() and 1 <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {what}: give one from 1 to {most}")

    return number


def _port(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 1 to 65535, such as 8888")


def _run_lab(args: argparse.Namespace, extra: list[str]) -> None:
    """Refuse all that can be refused before anything is written; then run JupyterLab until Ctrl-C."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise CannotStart(f"JupyterLab is not installed. Run `{sys.executable} -m pip install jupyterlab`.")
    options = _lab_options(args)
    folder = _folder(args.folder)
    print(f"The notebooks are in {folder}", flush=True)
    # In front of the reader's own configuration folders, which are read as well.
    earlier = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [str(PACKAGE / "jupyter"), earlier]))
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance([f"--ServerApp.root_dir={folder}", *options, *extra])


def _page(args: argparse.Namespace, extra: list[str]) -> None:
    """Refuse what can be refused before anything runs; write a page when it is whole."""
    _refuse("page", extra)
    if not hasattr(os, "fork"):  # Windows
        raise CannotStart(
            "`llmviz page` computes what the controls do in copies of a process, which this system cannot make: "
            "build pages on Linux or macOS. They open everywhere."
        )
    source, notebooks = _chosen(args.notebook)
    if source.is_dir():
        target = args.output or Path(PAGES_FOLDER)
        files = {notebook: target / f"{notebook.stem}.html" for notebook in notebooks}
    else:
        target = args.output or Path(f"{source.stem}.html")
        if target.suffix not in (".html", ".htm"):
            raise CannotStart(f"{target} is no name for a page: it should end in .html")
        files = {source: target}
    try:
        (target if source.is_dir() else target.parent).mkdir(parents=True, exist_ok=True)
        _write_pages(files, args.seconds, target if source.is_dir() else None)
    except OSError as error:
        raise CannotStart(f"the page cannot be written: {error}. Give another place with -o.") from None


def _refuse(command: str, extra: list[str]) -> None:
    if extra:
        raise CannotStart(
            f"`llmviz {command}` does not know {' '.join(extra)}. See `llmviz {command} --help`."
        )


def _write_pages(files: dict[Path, Path], seconds: float, folder: Path | None) -> None:
    from tqdm import tqdm

    from llmviz import page
    from llmviz.machine import cores

    links = {notebook.stem: file.name for notebook, file in files.items()}
    built = {}
    with tqdm(total=len(files), unit="page", bar_format="{l_bar}{bar}| {elapsed}") as bar:

        def progress(done: float) -> None:
            bar.n = done
            bar.refresh()

        try:
            for (_, file), rehearsed in zip(
                files.items(), page.build_all([*files], seconds, min(2, cores()), progress)
            ):
                size = page.write_page(rehearsed, file, links, "index.html" if folder else None)
                built[file.name] = rehearsed
                bar.write(f"{file}  {size / 1e6:.1f} MB, {rehearsed.n_states:,} states")
        except page.CannotBuild as reason:
            raise CannotStart(str(reason)) from None
    if folder:
        page.write_index(folder / "index.html", built)
        print(f"Open {folder / 'index.html'}")


def _class(args: argparse.Namespace, extra: list[str]) -> None:
    """Refuse what can be refused before anything is served; then serve the class until Ctrl-C."""
    _refuse("class", extra)
    if any(importlib.util.find_spec(name) is None for name in ("voila", "segno")):
        raise CannotStart(
            "a class needs two more packages. Run "
            f'`{sys.executable} -m pip install "llmviz[class]"`, or in a clone `pip install -e ".[class]"`.'
        )
    if args.password is not None and not args.password.strip():
        raise CannotStart("the word after --password is empty")
    if args.check and args.local:
        raise CannotStart("with --local no phone can reach this computer. Leave it out to check.")
    _, notebooks = _chosen(args.notebook)
    from llmviz import classroom, load

    port = args.port or _free_port(CLASS_PORT, args.local)
    if args.check:
        try:
            classroom.check(port)
        except classroom.CannotServe as reason:
            raise CannotStart(str(reason)) from None
        return
    try:
        load()  # on the disk before thirty kernels ask for it at once
    except (OSError, ValueError, RuntimeError) as error:
        raise CannotStart(f"the model cannot be had: {error}") from None
    try:
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


def _cache(args: argparse.Namespace, extra: list[str]) -> None:
    """List what is in the cache; delete it if that is asked for and confirmed."""
    _refuse("cache", extra)
    from llmviz.download import FILE_NAME, cache_folder
    from llmviz.weights import cached_files

    folder = cache_folder()
    files = {folder / FILE_NAME: "the model's file, as it was fetched"}
    files |= {path: f"unpacked: {of or 'a model file'}" for path, of in cached_files(folder).items()}
    sizes = {path: _bytes_of(path) for path in files if path.exists()}
    if not sizes:
        print(f"There is nothing in {folder}. The model is fetched when a notebook first needs it.")
        return
    print(f"{folder}: {sum(sizes.values()) / 1e6:,.0f} MB")
    for path, n_bytes in sizes.items():
        print(f"{n_bytes / 1e6:6,.0f} MB  {path.relative_to(folder)}  ({files[path]})")
    if not args.delete:
        print("`llmviz cache --delete` deletes all of it; LLMVIZ_HOME names another folder.")
        return
    try:
        confirmed = input("Delete it? The next start fetches the model again. [y/N] ").strip().lower() == "y"
    except EOFError:  # nobody is there to answer
        confirmed = False
    if not confirmed:
        print("Nothing was deleted.")
        return
    try:
        for path in sizes:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise CannotStart(
            f"{path} cannot be deleted ({error.strerror}). Close all notebooks, and run this again."
        ) from None
    print("Deleted.")


def _bytes_of(path: Path) -> int:
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def _free_port(first: int, local: bool) -> int:
    for port in range(first, first + 50):
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1" if local else "", port)).close()
            return port
    raise CannotStart(f"no port from {first} to {first + 49} is free. Give one with --port.")


def _chosen(named: Path | None) -> tuple[Path, list[Path]]:
    """Return the notebook or folder that is named, or else llmviz's own folder; and its notebooks."""
    source = (named or _shipped()).expanduser().absolute()
    if source.is_dir():
        if not (notebooks := sorted(source.glob("*.ipynb"))):
            raise CannotStart(f"there is no notebook in {source}")
        return source, notebooks
    if source.is_file() and source.suffix == ".ipynb":
        return source, [source]
    raise CannotStart(f"{source} is neither a notebook (.ipynb) nor a folder of notebooks")


def _shipped() -> Path:
    """Return where llmviz's own notebooks are: in the package, as a wheel holds them, or beside it, as in a clone."""
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
                f"port {args.port} cannot be used ({os.strerror(error.errno or 0)}). "
                "Give another with --port, or leave it out: a free one is found."
            ) from None
        options += [f"--ServerApp.port={args.port}", "--ServerApp.port_retries=0"]
    if args.browser:
        try:
            webbrowser.get(args.browser)
        except webbrowser.Error:
            raise CannotStart(
                f"there is no browser called {args.browser!r} here. Leave --browser out for the usual one, "
                "or give --no-browser and open the address that is printed."
            ) from None
        options.append(f"--ServerApp.browser={args.browser}")
    if args.no_browser:
        options.append("--ServerApp.open_browser=False")
    return options


def _folder(chosen: Path | None) -> Path:
    """Return where the reader works: in the clone itself, else in a folder that now has every notebook."""
    shipped = _shipped()
    if chosen is None and shipped.parent != PACKAGE:
        return shipped
    folder = (chosen or Path(NEW_FOLDER)).expanduser().absolute()
    try:
        copied, unchanged = copy_notebooks(shipped, folder)
    except OSError as error:
        raise CannotStart(
            f"the notebooks cannot be put into {folder} ({error.strerror}). Give another folder with --folder."
        ) from None
    if copied:
        print(f"Copied: {', '.join(copied)}")
    if unchanged:
        print(
            f"Kept as they are, yours or an earlier version's: {', '.join(unchanged)} "
            "(for fresh copies, give a new folder with --folder)"
        )
    return folder


def copy_notebooks(source: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Put the notebooks that `folder` does not have yet into it, and the film that the first one shows before it runs.

    Nothing that lies there is ever written over. Returns the names of those that were copied, and of those that were
    there and differ. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copied, unchanged = [], []
    for file in sorted([*source.glob("*.ipynb"), *source.glob("*.webp")]):
        target, content = folder / file.name, file.read_bytes()
        if target.exists():
            if target.read_bytes() != content:
                unchanged.append(target.name)
            continue
        part = target.with_name(f".{target.name}.part")  # whole, or not there at all
        try:
            part.write_bytes(content)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        copied.append(target.name)
    return copied, unchanged
