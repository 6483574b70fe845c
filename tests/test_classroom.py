"""A class: who may come in, what a visitor can and cannot do, and what happens when kernels die."""

import asyncio
import contextlib
import gzip
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import nbformat
import psutil
import pytest
import tornado.netutil
import tornado.web
import tornado.websocket
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from messages import holding
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect
from visitor import PROTOCOL, ROOT, Visitor, a_class, cookies, flood, get, index_request, login_request

from llmviz import cli, machine
from llmviz.classroom import fairness, network, pages, server, session_pool, voila_parts
from llmviz.views.differences import pretraining
from llmviz.where import VARIABLE, where

# Tornado's client complains of its own connections that were refused, or cut.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*WebSocketClientConnection:pytest.PytestUnraisableExceptionWarning"
)

CELL = """
import ipywidgets
slider = ipywidgets.FloatSlider(description="Temperature", max=2)
text = ipywidgets.Text(description="Text")
shown = ipywidgets.Label("nothing")
slider.observe(lambda change: setattr(shown, "value", f"{change.new:g}"), "value")
ipywidgets.VBox([slider, text, shown])
"""


def write(folder: Path, name: str, title: str, n_more: int = 0) -> None:
    md, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [
        md(f"# {title}\n\n**What it is.** More."),
        md("Run All Cells", metadata={"tags": ["jupyter-only"]}),
        code(CELL),
        md("### Deeper: folded\n\nunder it", metadata={"jp-MarkdownHeadingCollapsed": True}),
        md("inside, with $x^2$"),
        md("## After"),
        *(md(f"Cell {number}") for number in range(n_more)),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    write(folder, "a", "First")
    write(folder, "b", "Second <b>")
    write(folder, "c", "Long", n_more=500)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> dict[str, str]:
    from browser.lab import at_home

    return at_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def served(folder, home):
    from browser.lab import free_port

    with a_class(free_port(), str(folder), "--visitors", "3", home=home) as served:
        yield served


def visitor(served) -> Visitor:
    return Visitor(served.url, "a")


@contextlib.asynccontextmanager
async def visitors(served, number: int):
    """So many who have opened the page; they leave in the end."""
    all_ = [visitor(served) for _ in range(number)]
    try:
        assert [await reader.open() for reader in all_] == [200] * number
        yield all_
    finally:
        for reader in all_:
            await reader.leave()


async def moves(reader: Visitor, value: float) -> None:
    """The slider moves, and what follows it says so."""
    (slider,), (shown,) = reader.find(description="Temperature"), reader.find(_model_name="LabelModel")
    await reader.set(slider, value=value)
    async with asyncio.timeout(60):
        while reader.models[shown]["value"] != f"{value:g}":
            await reader.next()


async def empty(served) -> None:
    """Until nobody sits there any more."""
    key = await get(served.teacher, follow_redirects=False)
    async with asyncio.timeout(60):
        while json.loads((await get(f"{served.url}/teacher/state", headers=cookies(key))).body)["visitors"]:
            await asyncio.sleep(0.2)


def kernel_process(served, reader: Visitor) -> psutil.Process:
    """Return the process of a visitor's kernel. One that ends meanwhile has no command line any more."""
    (process,) = (
        process
        for process in psutil.Process(served.process.pid).children()
        if any(reader.kernel in part for part in process.as_dict(["cmdline"], ad_value=[])["cmdline"])
    )
    return process


def kill(served, reader: Visitor) -> None:
    kernel_process(served, reader).send_signal(signal.SIGKILL)


# ---- the command -------------------------------------------------------------------------------------------


def refused(capsys, *argv: str) -> str:
    assert cli.main(["class", *argv]) == 2
    return capsys.readouterr().err


def test_what_cannot_be_served_is_refused_in_a_sentence(capsys, tmp_path, monkeypatch):
    assert str(tmp_path) in refused(capsys, str(tmp_path))
    assert str(tmp_path / "none.ipynb") in refused(capsys, str(tmp_path / "none.ipynb"))
    assert "--password" in refused(capsys, "--password", " ")
    (tmp_path / "bad.ipynb").write_text("{")
    assert "bad.ipynb" in refused(capsys, str(tmp_path / "bad.ipynb"))
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    assert 'pip install "llmviz[class]"' in refused(capsys)


@pytest.mark.parametrize("argv", [("--visitors", "0"), ("--visitors", "many"), ("--port", "0")])
def test_numbers_that_are_none(argv):
    with pytest.raises(SystemExit):
        cli.main(["class", *argv])


def test_a_seat_takes_its_share_of_the_memory():
    assert session_pool.pages_for(0) == 1
    assert session_pool.pages_for(8_000_000_000) == 20
    assert session_pool.pages_for(10**12) == session_pool.MOST


# ---- the page ----------------------------------------------------------------------------------------------


def test_a_fold_holds_what_stands_under_its_heading(folder):
    first, code, fold, inside, after = pages.read_notebook(folder / "a.ipynb").cells
    assert first.source.endswith("More.")  # nobody has to run anything
    assert "folded" in fold.metadata.llmviz["summary"]
    assert fold.source.strip() == "under it"
    assert [cell.metadata.llmviz["ends"] for cell in (first, code, fold, inside, after)] == [0, 0, 0, 0, 1]


def test_every_notebook_of_ours_has_as_many_folds_as_headings_that_are_folded_up():
    for file in sorted((cli.PACKAGE.parent / "notebooks").glob("*.ipynb")):
        notebook = pages.read_notebook(file)
        folded = [cell for cell in notebook.cells if cell.metadata.get("jp-MarkdownHeadingCollapsed")]
        assert all(cell.metadata.llmviz["summary"] for cell in folded)
        ends = sum(cell.metadata.llmviz["ends"] for cell in notebook.cells)
        assert ends + notebook.metadata.llmviz_open == len(folded) > 0
        assert "Run All" not in "".join(cell.source for cell in notebook.cells)


@pytest.mark.slow
def test_a_page_and_its_index_ask_nobody_else(served):
    async def visit():
        reader = visitor(served)
        assert await reader.open(assets=True) == 200
        index = await get(served.url)
        answer = await get(f"{served.url}/voila/render/none.ipynb")
        await reader.leave()
        return reader.html, index, answer

    html, index, none = asyncio.run(visit())
    assert "Your teacher’s computer" in html
    loaded = re.findall(r"<(?:link|script|img|iframe)[^>]*(?:href|src)=[\"']?([^\"'> ]+)", html)
    assert len(loaded) > 5
    assert [url for url in loaded if not url.startswith(("/", "data:"))] == []
    assert "@import" not in html
    assert "default-src 'self'" in index.headers["Content-Security-Policy"]
    assert none.code == 404
    assert html.count("<details") == html.count("</details>") == 1
    text = index.body.decode()
    assert text.index("First") < text.index("Second &lt;b&gt;")
    assert "voila/render/a.ipynb" in text
    assert "<p>What it is.</p>" in text


@pytest.mark.slow
def test_the_libraries_files_come_packed_to_who_can_unpack(served):
    async def visit():
        url = f"{served.url}/voila/static/voila.js"
        plain = await get(url, decompress_response=False)
        short = await get(url, decompress_response=False, headers={"Accept-Encoding": "gzip, br"})
        return plain, short

    plain, short = asyncio.run(visit())
    assert gzip.decompress(short.body) == plain.body
    assert len(short.body) < len(plain.body) / 2


# ---- what a visitor cannot do ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        *(
            "api/kernels",
            "api/sessions",
            "api/contents",
            "api/terminals",
            "api/kernelspecs",
            "api/status",
            "lab",
        ),
        *("files/a.ipynb", "voila/files/a.ipynb", "voila/tree", "voila/api/contents", "a.ipynb", "login/x"),
        *("class/static/..%2fserver.py", "voila/render/..%2fa.ipynb", "voila/static/..%2f..%2fapp.py"),
        *("voila/labextensions/..%2f..%2fx.js", "voila/templates/lab/static/..%2f..%2fx.js"),
    ],
)
def test_the_rest_of_a_jupyter_server_is_not_there(served, path):
    assert asyncio.run(get(f"{served.url}/{path}")).code in (403, 404)


PLACES = (
    "voila/static",
    "voila/templates/lab/static",
    "voila/labextensions",
    "class/static",
    "voila/render",
    "lesson",
)
PATHS = (
    "%00",
    "x%00.js",
    "..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/" * 9 + "etc/passwd",
    "../" * 9 + "etc/passwd",
    "..%252f" * 9 + "etc%252fpasswd",
    "%2fetc%2fpasswd",
    "....//" * 9 + "etc/passwd",
    "..%5c..%5cserver.py",
    "../" * 9 + "proc/self/environ",
)


@pytest.mark.slow
def test_no_path_leads_out_of_the_folders_that_are_served(served):
    async def visit():
        urls = [f"{served.url}/{place}/{path}" for place in PLACES for path in PATHS]
        return dict(zip(urls, await asyncio.gather(*map(get, urls))))

    answers = asyncio.run(visit())
    assert len(answers) == 60
    for url, answer in answers.items():
        assert answer.code in (403, 404), url
        assert b"root:" not in answer.body


def test_a_file_is_found_below_its_folders_only(tmp_path):
    for folder in ("a", "b", "bb"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.js").touch()
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert server.file_below(folders, "b.js") == tmp_path / "b" / "b.js"
    for path in ("bb.js", "../bb/bb.js", "", ".", "\0", "b.js\0", str(tmp_path / "bb" / "bb.js")):
        assert server.file_below(folders, path) is None


@pytest.mark.slow
def test_an_error_in_a_kernel_shows_nobody_the_teachers_folders(tmp_path, home):
    from browser.lab import free_port

    fails = (
        "\nimport sys, warnings"
        "\ndef fail(change):"
        "\n    print(sys.prefix, file=sys.stderr)"
        "\n    warnings.warn('old')"
        "\n    shown.value = 'failed'"
        "\n    open(sys.prefix)"
        "\nslider.observe(fail, 'value')"
    )
    code = nbformat.v4.new_code_cell
    cells = [code(CELL + fails), code("import sys; open(sys.prefix)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")

    async def visit(served):
        async with visitors(served, 1) as (reader,):
            (slider,), (shown,) = (
                reader.find(description="Temperature"),
                reader.find(_model_name="LabelModel"),
            )
            await reader.set(slider, value=1)
            async with asyncio.timeout(60):
                while reader.models[shown]["value"] != "failed":
                    await reader.next()
            await reader.send("comm_info_request", {})  # its answer comes after all that the error has said
            async with asyncio.timeout(60):
                while "comm_info_reply" not in reader.kinds:
                    await reader.next()
            return reader.html, reader.kinds

    with a_class(free_port(), str(tmp_path), "--visitors", "1", home=home) as served:
        html, kinds = asyncio.run(visit(served))
    assert sys.prefix not in html
    assert "Tell your teacher" in html
    assert "error" not in kinds
    assert sys.prefix not in "".join(kinds.values())


@pytest.mark.slow
def test_a_port_that_is_taken_leaves_no_folder_behind(tmp_path, folder, home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        program = "import sys; from llmviz.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", program, "class", str(folder), "--local", "--port", port]
        environment = home | {"TMPDIR": str(tmp_path)}
        run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    assert re.search(holding(port, "--port"), run.stderr)
    assert list(tmp_path.iterdir()) == []


def test_what_is_taken_from_inside_voila_is_in_one_place_with_its_bound():
    package = cli.PACKAGE
    importing = {
        file.name
        for file in package.rglob("*.py")
        if re.search(r"^\s*(from|import) voila\b", file.read_text("utf-8"), re.MULTILINE)
    }
    assert importing == {"voila_parts.py"}
    extra = tomllib.loads((package.parent / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    assert f"voila{voila_parts.TESTED}" in extra["class"]


@pytest.mark.slow
def test_another_visitors_kernel_cannot_be_ended_or_interrupted(served):
    async def visit():
        async with visitors(served, 1) as (reader,):
            kernel = f"{served.url}/api/kernels/{reader.kernel}"
            codes = [
                (await get(kernel, method="DELETE")).code,
                (await get(f"{kernel}/interrupt", method="POST", body="")).code,
                (await get(f"{kernel}/restart", method="POST", body="")).code,
                (await get(f"{served.url}/voila/api/shutdown/{reader.kernel}", method="POST", body="")).code,
            ]
            await moves(reader, 0.5)
        return codes

    assert asyncio.run(visit()) == [405, 404, 404, 404]


@pytest.mark.slow
def test_messages_of_every_evil_kind_change_nothing_and_kill_nothing(served, tmp_path):
    """Code, other channels, wrong types, widgets that don't exist, lies about lengths, and 5 MB."""
    file = tmp_path / "written"
    code = {
        "code": f"open({str(file)!r}, 'w')",
        "silent": False,
        "user_expressions": {},
        "allow_stdin": False,
    }

    async def visit(reader: Visitor, other: Visitor):
        (slider,) = reader.find(description="Temperature")
        for channel in ("shell", "control", "stdin", "iopub", "nonsense"):
            for kind in ("execute_request", "inspect_request", "debug_request", "shutdown_request", ""):
                await reader.send(kind, code, channel)
        for twice in (
            b'"msg_type": "comm_msg", "msg_type": "execute_request"',
            b'"msg_type": "execute_request", "msg_type": "comm_msg"',
        ):
            parts = [b'{%b, "msg_id": "1", "session": "x"}' % twice, b"{}", b"{}", json.dumps(code).encode()]
            await reader.socket.write_message(serialize_msg_to_ws_v1(parts, "shell"), binary=True)
        for n in range(4000):
            await reader.set(slider, **{f"trait{n}": n, "value": (n % 40) / 20, "_view_name": "x" * (n % 50)})
        for value in (None, "<script>", [], {"a": 1}, 10**30, -5, [0] * 1000):
            await reader.set(slider, value=value)
        await reader.set("no-such-widget", value=1)
        await reader.set(slider, _model_name="x", layout="IPY_MODEL_none", nothing=1)
        await reader.send("comm_msg", {"comm_id": slider})
        await reader.send("comm_msg", {"comm_id": slider, "data": "x"})
        await reader.send("comm_open", {"comm_id": "x", "target_name": "os.system", "data": {"state": 1}})
        for raw in (b"", b"\xff" * 8, b"\xff" * 800, (6).to_bytes(8, "little") * 7, bytes(500)):
            await reader.socket.write_message(raw, binary=True)
        await reader.socket.write_message('{"channel": "shell"}')
        await moves(reader, 0.75)
        with contextlib.suppress(WebSocketClosedError):
            await reader.set(slider, value="x" * 5_000_000)  # too much for the line, which is cut
        async with asyncio.timeout(60):
            await reader._listening
        assert await reader.status() == 204
        await reader.connect()
        await moves(reader, 1.25)
        await moves(other, 0.25)

    async def both():
        async with visitors(served, 2) as two:
            await visit(*two)

    asyncio.run(both())
    assert not file.exists()


@pytest.mark.slow
def test_a_page_cannot_fill_its_kernel_with_comms(served):
    async def visit():
        async with visitors(served, 1) as (reader,):
            before = machine.own_memory(kernel_process(served, reader).pid)
            for n in range(
                400
            ):  # of the kind that it may open, as large as they may be; and larger ones, and others
                target = "jupyter.widget.control" if n % 4 else ("x", "jupyter.widget")[n % 8 // 4]
                n_bytes = 9_000 if n % 4 < 3 else 900_000
                await reader.send(
                    "comm_open",
                    {"comm_id": f"{n}", "target_name": target, "data": {"state": {"value": "x" * n_bytes}}},
                )
            await moves(reader, 0.5)  # it has not lost the page, and has seen all messages
            grown = machine.own_memory(kernel_process(served, reader).pid) - before
            await reader.send("comm_info_request", {})
            async with asyncio.timeout(60):
                while "comm_info_reply" not in reader.kinds:
                    await reader.next()
            return grown, json.loads(reader.kinds["comm_info_reply"])["comms"]

    grown, comms = asyncio.run(visit())
    assert grown < 20_000_000
    assert 5 < len(comms) < 120  # a hundred, and the notebook's own widgets


@pytest.mark.slow
def test_a_kernel_that_takes_too_much_memory_is_ended_and_its_page_says_why(tmp_path, home):
    from browser.lab import free_port

    nbformat.write(
        nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(
                    CELL
                    + "\nslider.observe(lambda change: globals().update(x=b'1' * 1_100_000_000), 'value')"
                )
            ]
        ),
        tmp_path / "a.ipynb",
    )

    async def visit(served):
        reader = visitor(served)
        assert await reader.open() == 200
        await reader.set(reader.find(description="Temperature")[0], value=1)
        async with asyncio.timeout(60):
            while (answer := await get(f"{served.url}/class/alive/{reader.kernel}")).code == 204:
                await asyncio.sleep(0.2)
        reader.socket.close()
        return answer

    with a_class(free_port(), str(tmp_path), "--visitors", "2", home=home) as served:
        answer = asyncio.run(visit(served))
    assert (answer.code, answer.body.decode()) == (410, session_pool.TOO_LARGE)


@pytest.mark.slow
def test_a_page_from_elsewhere_reaches_no_kernel(served):
    async def visit():
        async with visitors(served, 1) as (reader,):
            address = f"{served.url.replace('http', 'ws')}/api/kernels/{reader.kernel}/channels?session_id=x"
            for origin in ("http://evil.org", "http://localhost.evil.org", "null"):
                with pytest.raises(HTTPClientError, match="403"):
                    await websocket_connect(
                        HTTPRequest(address, headers={"Origin": origin}), subprotocols=[PROTOCOL]
                    )
            await moves(reader, 1)

    asyncio.run(visit())


@pytest.mark.slow
@pytest.mark.parametrize("word", ["", "Birne"])
def test_another_visitors_kernel_is_out_of_reach(folder, home, word):
    """By a number that is guessed; and with a password, by the number itself without the word."""
    from browser.lab import free_port

    async def asked(served, kernel: str) -> set[int]:
        with pytest.raises(HTTPClientError, match=r"40[34]"):
            await websocket_connect(
                f"{served.url.replace('http', 'ws')}/api/kernels/{kernel}/channels", subprotocols=[PROTOCOL]
            )
        urls = (f"{served.url}/api/kernels/{kernel}", f"{served.url}/class/alive/{kernel}")
        codes = {(await get(url, follow_redirects=False)).code for url in urls}
        left = await get(f"{served.url}/class/leave/{kernel}", method="POST", body="")
        return codes | {left.code} - {204}  # said of every number

    async def visit(served):
        entered = await get(
            f"{served.url}/login", method="POST", body=f"password={word}", follow_redirects=False
        )
        reader = Visitor(served.url, "a", cookies(entered))
        assert await reader.open() == 200
        guessed = reader.kernel[:-1] + ("0" if reader.kernel[-1] != "0" else "1")
        codes = await asked(served, guessed)
        if word:
            codes |= await asked(served, reader.kernel)
        await moves(reader, 0.5)
        await reader.leave()
        return codes

    options = ["--password", word] if word else []
    with a_class(free_port(), str(folder), "--visitors", "1", *options, home=home) as served:
        assert asyncio.run(visit(served)) <= {302, 403, 404}


@pytest.mark.slow
def test_the_older_form_of_messages_is_refused(served):
    async def visit():
        async with visitors(served, 1) as (reader,):
            await refuse(reader)

    async def refuse(reader: Visitor):
        address = f"{served.url.replace('http', 'ws')}/api/kernels/{reader.kernel}/channels?session_id=x"
        with pytest.raises(HTTPClientError, match="400"):
            await websocket_connect(address)
        with pytest.raises(HTTPClientError, match="404"):
            await websocket_connect(address.replace(reader.kernel, "1-2-3-4-5"), subprotocols=[PROTOCOL])
        await moves(reader, 1)

    asyncio.run(visit())


@pytest.mark.slow
def test_who_holds_down_a_key_does_not_hold_up_others(served):
    async def visit():
        async with visitors(served, 2) as (reader, other):
            (slider,), (shown,) = (
                reader.find(description="Temperature"),
                reader.find(_model_name="LabelModel"),
            )
            for i in range(600):
                await reader.set(slider, value=(i % 40) / 20)
            await moves(other, 0.3)
            async with asyncio.timeout(60):
                while reader.models[shown]["value"] != "1.95":
                    await reader.next()

    asyncio.run(visit())


def test_in_a_class_no_box_opens_a_file(tmp_path, monkeypatch):
    file = tmp_path / "secret.txt"
    file.write_text("the teacher's own")
    assert pretraining.read(pretraining.OWN, str(file)).text == "the teacher's own"
    monkeypatch.setenv(VARIABLE, session_pool.ENVIRONMENT[VARIABLE])
    assert pretraining.read(pretraining.OWN, str(file)).text == str(file)


# ---- the pool of sessions -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_full_room_says_so_and_opens_when_somebody_leaves(served):
    async def visit():
        await empty(served)
        async with visitors(served, 3) as three:
            late = await get(f"{served.url}/voila/render/a.ipynb")
            await three[0].leave()
            async with visitors(served, 1):
                return late

    late = asyncio.run(visit())
    assert late.code == 503
    assert "location.reload" in late.body.decode()


@pytest.mark.slow
def test_one_cookie_takes_one_seat_with_eight_tabs(served):
    async def visit():
        await empty(served)
        mine = cookies(await get(served.url))
        tabs = [Visitor(served.url, "a", mine) for _ in range(8)]
        assert [await tab.open() for tab in tabs] == [200] * 8
        answers = [await get(f"{served.url}/class/alive/{tab.kernel}") for tab in tabs]
        async with visitors(served, 2):  # there is room for others
            await moves(tabs[-1], 0.5)
        for tab in tabs:
            await tab.leave()
        return answers

    answers = asyncio.run(visit())
    assert [answer.code for answer in answers] == [410] * 7 + [204]
    assert answers[0].body.decode() == session_pool.ANOTHER_PAGE


@pytest.mark.slow
def test_three_visitors_of_whom_one_loses_the_kernel(served):
    """The page hears of it, and another one works; the others notice nothing."""

    async def visit():
        await empty(served)
        async with visitors(served, 2) as (first, second):
            kill(served, first)
            async with asyncio.timeout(60):
                while await first.status() != 404:
                    await asyncio.sleep(0.1)
            async with visitors(served, 1) as (again,):
                assert again.kernel != first.kernel
                for step in range(1, 10):
                    await asyncio.gather(moves(again, step / 10), moves(second, step / 20))

    asyncio.run(visit())


class Kernels(dict):
    """Stands for the manager of kernels: each is only a name."""

    def __init__(self):
        self._numbers = itertools.count()

    async def start_kernel(self, **_) -> str:
        name = f"kernel {next(self._numbers)}"
        self[name] = self
        return name

    async def shutdown_kernel(self, name: str, now: bool) -> None:
        del self[name]

    def get_kernel(self, name: str):
        return self

    @property
    def provisioner(self):
        raise OSError

    async def is_alive(self) -> bool:
        return True


async def short_page(a_pool: session_pool.SessionPool, session: session_pool.Session):
    yield "head"
    yield await a_pool.start(session)


async def connect(pool: session_pool.SessionPool, *sessions: session_pool.Session) -> None:
    """Let visitors load their pages, and hold a connection each."""
    for session in sessions:
        assert [part async for part in pool.page(session)]
        session.connections = 1


def a_pool(limit: int, each: int = 1) -> session_pool.SessionPool:
    made = session_pool.SessionPool(Kernels(), lambda session: short_page(made, session), limit, "a", each)
    return made


def test_pages_are_made_ready_up_to_the_limit_and_follow_what_is_asked_for():
    async def visit():
        pool = a_pool(3)
        await pool._make_ready()
        assert [session.notebook for session in pool.ready] == ["a"] * 3
        session = pool.take("a")
        assert [part async for part in pool.page(session)] == ["head", session.kernel]
        for _ in range(2):  # with the third, most of the last five asked for b
            pool.leave(pool.take("b"))
            await asyncio.sleep(0)
        await pool._make_ready()
        assert [session.notebook for session in pool.ready] == ["a"] * 2
        pool.leave(pool.take("b"))
        await asyncio.sleep(0)
        await pool._make_ready()
        assert len(pool.ready) == 2
        assert "b" in {session.notebook for session in pool.ready}

    asyncio.run(visit())


def test_the_page_of_a_lesson_that_begins_is_made_ready_before_anybody_asks():
    async def visit():
        pool = a_pool(3)
        pool.expect("b")
        await pool._make_ready()
        assert [session.notebook for session in pool.ready] == ["b"] * 3

    asyncio.run(visit())


def test_pages_that_were_ready_for_an_earlier_lesson_make_way(monkeypatch):
    async def visit():
        monkeypatch.setattr(session_pool, "READY", 2)
        pool = a_pool(10)
        await pool._make_ready()
        pool.expect("b")
        await pool._make_ready()
        assert [session.notebook for session in pool.ready] == ["b"] * 2
        assert len(pool.kernels) == 2

    asyncio.run(visit())


@pytest.mark.parametrize("each", [1, 2])
def test_a_visitor_has_as_many_pages_as_one_may_and_the_newest_stay(each):
    async def visit():
        pool = a_pool(8, each)
        others = [pool.take("a", "another"), pool.take("a"), pool.take("a")]
        own = [pool.take("a", "me") for _ in range(8)]
        for session in own[-each:]:
            assert [part async for part in pool.page(session)]
        assert pool.taken == {*others, *own[-each:]}
        last = own[-each]
        pool.take("b", "me")
        assert last not in pool.taken
        assert pool.why_ended(last.kernel) == session_pool.ANOTHER_PAGE

    asyncio.run(visit())


def test_a_machine_whose_memory_is_gone_takes_nobody_else_in(monkeypatch):
    async def visit():
        pool = a_pool(3)
        await pool._make_ready()
        pool.take("a")
        monkeypatch.setattr(machine, "free_memory", lambda: 100e6)
        pool.take("b")  # one that was ready for another page makes way
        await asyncio.sleep(0)
        assert len(pool.ready) == 1
        pool.take("a")
        with pytest.raises(session_pool.PoolFull):
            pool.take("a")
        pool.leave(next(iter(pool.taken)))
        await pool._make_ready()
        assert pool.ready == []

    asyncio.run(visit())


def test_a_kernel_ends_when_its_page_is_gone_or_nothing_is_done(monkeypatch):
    async def visit():
        pool = a_pool(2)
        gone, idle = pool.take("a"), pool.take("a")
        await connect(pool, gone, idle)
        await pool._look()
        assert pool.taken == {gone, idle}
        gone.connections = 0
        gone.seen -= session_pool.ALONE
        idle.touched -= session_pool.IDLE
        await pool._look()
        assert pool.taken == set()
        assert pool.why_ended(idle.kernel)
        assert not pool.why_ended(gone.kernel)

    asyncio.run(visit())


def test_a_kernel_that_has_grown_too_large_ends_with_a_sentence(monkeypatch):
    async def visit():
        pool = a_pool(3)
        large, small = pool.take("a"), pool.take("a")
        await connect(pool, large, small)
        megabytes = {large.kernel: 1001, small.kernel: 999}
        monkeypatch.setattr(pool, "own_memory", lambda session: 10**6 * megabytes[session.kernel])
        await pool._look()
        assert pool.taken == {small}
        assert pool.why_ended(large.kernel)
        assert pool.why_ended(large.kernel) != session_pool.NOTHING_DONE

    asyncio.run(visit())


# ---- who may come in ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_teachers_page_needs_the_key_and_hides_it(served):
    async def visit():
        for path in ("teacher", "teacher?key=x", "teacher?key=é", "teacher/state"):
            assert (await get(f"{served.url}/{path}")).code == 403
        answer = await get(served.teacher, follow_redirects=False)
        assert answer.headers["Location"] == "/teacher"
        page = await get(f"{served.url}/teacher", headers=cookies(answer))
        state = await get(f"{served.url}/teacher/state", headers=cookies(answer))
        return page.body.decode(), json.loads(state.body)

    page, state = asyncio.run(visit())
    assert served.url.removeprefix("http://") in page
    assert "<svg" in page
    assert set(state) == {"visitors", "ready", "of"}


@pytest.mark.slow
def test_a_word_keeps_others_out(folder, home):
    from browser.lab import free_port

    async def visit(url: str):
        assert "/login" in (await get(f"{url}/", follow_redirects=False)).headers["Location"]
        assert (await get(f"{url}/class/alive/1-2-3-4-5")).code == 403
        with pytest.raises(HTTPClientError, match="403"):
            await websocket_connect(f"{url.replace('http', 'ws')}/api/kernels/1-2-3-4-5/channels")
        wrong = await get(f"{url}/login", method="POST", body="password=apple", follow_redirects=False)
        right = await get(
            f"{url}/login?next=/", method="POST", body="password=Birne+1", follow_redirects=False
        )
        index = await get(f"{url}/", headers=cookies(right))
        away = await get(
            f"{url}/login?next=//evil.org", method="POST", body="password=Birne+1", follow_redirects=False
        )
        return wrong, right, index, away

    with a_class(free_port(), str(folder), "--visitors", "1", "--password", "Birne 1", home=home) as served:
        wrong, right, index, away = asyncio.run(visit(served.url))
    assert wrong.code == 401
    assert 'role="alert"' in wrong.body.decode()
    assert right.code == 302
    assert "First" in index.body.decode()
    assert "evil" not in away.headers["Location"] or away.headers["Location"].startswith("/")


# ---- a few who ask for very much ------------------------------------------------------------------------------


async def seconds_under(served, request: bytes, headers: dict[str, str]) -> tuple[list[float], set[int]]:
    """How long a slider's answers take while 500 requests are on the way, 250 from each of two addresses."""
    reader = Visitor(served.url, "a", headers)
    assert await reader.open() == 200
    (slider,), (shown,) = reader.find(description="Temperature"), reader.find(_model_name="LabelModel")
    floods = [
        asyncio.ensure_future(flood(served, 250, request, f"127.0.0.{last}", seconds=4)) for last in (2, 3)
    ]
    await asyncio.sleep(1)
    times = [await reader.seconds_to_change(slider, shown, value=step / 20) for step in range(1, 11)]
    statuses = {status for answers in await asyncio.gather(*floods) for status in answers}
    await reader.leave()
    return times, statuses


@pytest.mark.slow
def test_500_requests_for_the_list_of_pages_hold_up_no_slider(served):
    times, statuses = asyncio.run(seconds_under(served, index_request(), {}))
    assert max(times) < 1
    assert statuses == {200}


@pytest.mark.slow
def test_the_list_of_pages_is_made_once(tmp_path, home):
    from browser.lab import free_port

    write(tmp_path, "a", "Before")
    with a_class(free_port(), str(tmp_path), "--visitors", "1", home=home) as served:
        write(tmp_path, "a", "After")
        index = asyncio.run(get(served.url)).body.decode()
    assert "Before" in index


@pytest.mark.slow
def test_500_wrong_words_hold_up_no_slider_and_are_not_tried(folder, home):
    from browser.lab import free_port

    async def visit(served):
        entered = await get(
            f"{served.url}/login", method="POST", body="password=Birne", follow_redirects=False
        )
        times, statuses = await seconds_under(served, login_request("Apfel"), cookies(entered))
        guessed = await flood(served, 100, login_request("Apfel"), "127.0.0.4", seconds=4)
        return times, statuses, guessed

    with a_class(free_port(), str(folder), "--visitors", "1", "--password", "Birne", home=home) as served:
        times, statuses, guessed = asyncio.run(visit(served))
    assert max(times) < 1
    assert statuses == {401}
    assert 30 <= len(guessed) <= 40  # 30 at once, then one a second


def test_an_address_has_its_turns_and_takes_none_from_another(monkeypatch):
    monkeypatch.setattr(fairness, "LONGEST", 0.2)

    async def ask(turns: fairness.Turns, address: str) -> float:
        start = asyncio.get_running_loop().time()
        try:
            await turns.wait(address)
        except fairness.TooMany:
            return -1
        return asyncio.get_running_loop().time() - start

    async def visit() -> tuple[list[float], float]:
        turns = fairness.Turns(seconds=0.1, at_once=3)
        several = [asyncio.ensure_future(ask(turns, "a")) for _ in range(6)]
        await asyncio.sleep(0)
        other = await ask(turns, "b")
        return [await waited for waited in several], other

    several, other = asyncio.run(visit())
    assert max(*several[:3], other) < 0.05
    assert several[3] >= 0.09
    assert several[4] >= 0.19
    assert several[5] == -1


def test_an_address_holds_so_many_connections_and_gets_others_once_they_close(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 2)

    class Echo(tornado.websocket.WebSocketHandler):
        pass

    async def visit():
        door = server.Door(tornado.web.Application([("/echo", Echo)]))
        (listening,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        door.add_sockets([listening])
        port = listening.getsockname()[1]

        async def connect(source: str):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(OSError):
                return writer, await reader.read(100)
            return writer, b""

        held = [await connect("127.0.0.1") for _ in range(3)] + [await connect("127.0.0.2")]
        answered = [bool(said) for _, said in held]
        for writer, _ in held:
            writer.close()
        while door.open:
            await asyncio.sleep(0.01)
        socket = await websocket_connect(f"ws://127.0.0.1:{port}/echo")
        socket.close()
        assert await socket.read_message() is None
        while door.open:
            await asyncio.sleep(0.01)
        door.stop()
        await door.close_all_connections()
        return answered

    assert asyncio.run(asyncio.wait_for(visit(), 30)) == [True, True, False, True]


def test_addresses_that_have_gone_are_forgotten():
    async def visit() -> int:
        turns = fairness.Turns(seconds=1e-6, at_once=1)
        for number in range(2000):
            await turns.wait(f"10.0.0.{number}")
        return len(turns._next)

    assert asyncio.run(visit()) <= 1001


def test_addresses_of_this_computer(monkeypatch):
    monkeypatch.setattr(network, "_own_ip", dict.fromkeys(network.PRIVATE[:2], "10.0.0.7").get)
    assert network.addresses(8866) == ["http://10.0.0.7:8866"]
    assert network.addresses(8866, local=True) == ["http://127.0.0.1:8866"]
    monkeypatch.setattr(network, "_own_ip", lambda network: "")
    assert network.addresses(8866) == ["http://127.0.0.1:8866"]


def test_the_evening_before_says_where_it_listens_and_when_a_phone_has_come(monkeypatch, capsys):
    monkeypatch.setattr(network, "_own_ip", lambda network: "10.0.0.7")
    monkeypatch.setattr(network._Server, "timeout", 0.5)
    said: list[str] = []

    def wait_for(words: str) -> None:
        by = time.monotonic() + 30
        while not any(words in line for line in said):
            assert time.monotonic() < by, said
            time.sleep(0.05)

    def ask(source: str) -> None:
        with socket.create_connection(("127.0.0.1", port), source_address=(source, 0), timeout=10) as visitor:
            visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"</h1>" in b"".join(iter(lambda: visitor.recv(10_000), b""))

    # A port of the server's own choice: one chosen here can be taken by another test before the server has it.
    checking = threading.Thread(target=network.check, args=(0, said.append), daemon=True)
    checking.start()
    wait_for("No phone has come yet")
    found = re.search(r"http://10\.0\.0\.7:(\d+)", said[0])
    assert found
    port = int(found[1])
    ask("127.0.0.1")
    wait_for("computer itself")
    assert checking.is_alive()
    ask("127.0.0.2")
    checking.join(10)
    assert not checking.is_alive()
    assert "127.0.0.2" in said[-1]
    assert capsys.readouterr().out.count("\n") > 10  # the code


def test_a_check_that_cannot_be(capsys):
    assert "--local" in refused(capsys, "--check", "--local")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert re.search(holding(port, "--port"), refused(capsys, "--check", "--port", port))


def test_the_environment_gives_a_kernel_one_thread():
    assert {session_pool.ENVIRONMENT[name] for name in ("LLMVIZ_THREADS", "OPENBLAS_NUM_THREADS")} == {"1"}
    assert where() == "notebook"
