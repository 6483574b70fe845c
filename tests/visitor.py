"""Visitors of a class as plain clients of its protocols: what a browser asks for and sends, without the browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from browser.lab import end
from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.websocket import websocket_connect

PROTOCOL = "v1.kernel.websocket.jupyter.org"
ROOT = Path(__file__).parents[1]
KERNEL = re.compile(r'"kernelId": ?"([\w-]+)"')
ASSET = re.compile(r'(?:src|href)="(/[^"]+\.(?:js|css)[^"]*)"')


@dataclass(frozen=True)
class Served:
    """A class that is on: `llmviz class` in a process of its own."""

    url: str
    teacher: str
    process: subprocess.Popen


@contextlib.contextmanager
def a_class(port: int, *options: str, home: dict[str, str], seconds: float = 60) -> Iterator[Served]:
    """`llmviz class --local` at this port; ended, with its kernels, on leaving."""
    command = [
        "-c",
        "import sys; from llmviz.cli import main; sys.exit(main())",
        "class",
        "--local",
        "--no-browser",
    ]
    process = subprocess.Popen(
        [sys.executable, *command, "--port", str(port), *options],
        env=home,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, f"it ended: {said}"
            said += line
        yield Served(f"http://127.0.0.1:{port}", re.search(r"http://\S+key=\S+", said)[0], process)
    finally:
        end(process)
        process.stdout.close()


async def get(url: str, **options) -> HTTPResponse:
    request = HTTPRequest(url, request_timeout=120, connect_timeout=60, **options)
    return await AsyncHTTPClient(max_clients=200).fetch(request, raise_error=False)


def cookies(answer: HTTPResponse) -> dict[str, str]:
    """Return the header with which a browser sends back what it was given."""
    return {"Cookie": "; ".join(cookie.split(";")[0] for cookie in answer.headers.get_list("Set-Cookie"))}


async def enter(served: Served, word: str) -> dict[str, str]:
    """Say the password; the cookies to come in with."""
    answer = await get(f"{served.url}/login", method="POST", body=f"password={word}", follow_redirects=False)
    assert answer.code == 302
    return cookies(answer)


async def flood(served: Served, number: int, request: bytes, source: str, seconds: float) -> list[int]:
    """Ask again and again over so many connections from an address of this computer's own, 127.x.x.x.

    Returns the statuses of all answers.
    """
    statuses: list[int] = []
    host, port = served.url.removeprefix("http://").split(":")

    async def ask() -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
                with contextlib.closing(writer):
                    while True:
                        writer.write(request)
                        head = await reader.readuntil(b"\r\n\r\n")
                        statuses.append(int(head.split()[1]))
                        length = re.search(rb"Content-Length: (\d+)", head)
                        await reader.readexactly(int(length[1]) if length else 0)
            await asyncio.sleep(0.1)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(ask() for _ in range(number)))
    return statuses


def index_request(cookie: str = "") -> bytes:
    return f"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()


def login_request(word: str) -> bytes:
    body = f"password={word}".encode()
    kind = b"Content-Type: application/x-www-form-urlencoded"
    return b"POST /login HTTP/1.1\r\nHost: localhost\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (
        kind,
        len(body),
        body,
    )


@dataclass
class Visitor:
    """One browser with one page."""

    url: str
    notebook: str = "00_the_loop"
    headers: dict[str, str] = field(default_factory=dict)  # its cookies
    html: str = ""
    kernel: str = ""
    models: dict[str, dict] = field(default_factory=dict)  # the widgets' states, by their ids
    updates: dict[str, int] = field(default_factory=dict)  # how often the kernel changed each
    kinds: dict[str, str] = field(default_factory=dict)  # of the other messages, with what the last one said
    complete: bool = False  # all states have come
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    socket = None

    async def open(self, assets: bool = False) -> int:
        """Ask for the page, and connect; returns the status of the answer."""
        answer = await get(f"{self.url}/voila/render/{self.notebook}.ipynb", headers=self.headers)
        if answer.code != 200:
            return answer.code
        self.html = answer.body.decode()
        self.kernel = KERNEL.search(self.html)[1]
        if assets:
            for path in sorted(set(ASSET.findall(self.html))):
                assert (await get(self.url + path)).code == 200, path
        await self.connect()
        return 200

    async def connect(self) -> None:
        address = f"{self.url.replace('http', 'ws')}/api/kernels/{self.kernel}/channels?session_id={uuid.uuid4().hex}"
        request = HTTPRequest(address, headers=self.headers)
        self.socket = await websocket_connect(request, max_message_size=100_000_000, subprotocols=[PROTOCOL])
        self._listening = asyncio.ensure_future(self._listen())
        comm = uuid.uuid4().hex
        await self.send("comm_open", {"comm_id": comm, "target_name": "jupyter.widget.control", "data": {}})
        await self.send("comm_msg", {"comm_id": comm, "data": {"method": "request_states"}})
        async with asyncio.timeout(60):
            while not self.complete:
                await self.next()

    async def send(self, kind: str, content: dict, channel: str = "shell") -> None:
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "username": "",
            "session": "visitor",
            "version": "5.3",
            "date": "2026-01-01T00:00:00Z",
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {"version": "1.0.0" if "control" in content.get("target_name", "") else "2.1.0"},
            "content": content,
        }
        packed = serialize_msg_to_ws_v1(message, channel, lambda part: json.dumps(part).encode())
        await self.socket.write_message(packed, binary=True)

    async def set(self, model: str, **state) -> None:
        """What the front end sends when a control has been moved."""
        await self.send(
            "comm_msg", {"comm_id": model, "data": {"method": "update", "state": state, "buffer_paths": []}}
        )

    async def next(self) -> None:
        """Until something has come from the kernel."""
        self.heard.clear()
        await self.heard.wait()

    async def seconds_to_change(self, model: str, picture: str, patience: float = 30, **state) -> float:
        """From moving a control until the kernel has changed the picture."""
        before, start = self.updates.get(picture, 0), time.perf_counter()
        await self.set(model, **state)
        async with asyncio.timeout(patience):
            while self.updates.get(picture, 0) == before:
                await self.next()
        return time.perf_counter() - start

    def find(self, **wanted) -> list[str]:
        """The ids of the widgets whose states have these values."""
        return [
            widget
            for widget, state in self.models.items()
            if all(state.get(name) == value for name, value in wanted.items())
        ]

    def pictures(self, kind: str) -> list[str]:
        """The ids of the pictures of a class, in the order of their making."""
        return [widget for widget, state in self.models.items() if state.get("_anywidget_id") == kind]

    async def leave(self) -> None:
        if self.socket:
            self.socket.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._listening
        await get(f"{self.url}/class/leave/{self.kernel}", method="POST", body="", headers=self.headers)

    async def status(self) -> int:
        """What the page asks again and again: is my kernel there?"""
        return (await get(f"{self.url}/class/alive/{self.kernel}", headers=self.headers)).code

    async def _listen(self) -> None:
        # One that the server has closed has to be closed here as well: tornado warns of it whenever it is collected.
        with contextlib.closing(self.socket) as socket:
            await self._hear(socket)
        self.heard.set()

    async def _hear(self, socket) -> None:
        while (raw := await socket.read_message()) is not None:
            _, (header, _, _, content, *_) = deserialize_msg_from_ws_v1(raw)
            kind, said = json.loads(header)["msg_type"], content.decode()
            if kind != "comm_msg":
                self.kinds[kind] = said
            else:
                content = json.loads(said)
                data = content["data"]
                if data.get("method") == "update_states":
                    self.models = {widget: state["state"] for widget, state in data["states"].items()}
                    self.complete = True
                elif data.get("method") == "update":
                    sender = content["comm_id"]
                    widget = self.models.get(sender, {}).get("of", sender)  # `Changes` sends a picture's
                    self.updates[widget] = self.updates.get(widget, 0) + 1
                    self.models.setdefault(widget, {}).update(data["state"])
            self.heard.set()
