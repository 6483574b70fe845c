"""Serve a class with Voilà: which addresses there are, and who may use them.

Of Voilà's own addresses, only those that its front end needs remain: scripts and styles of the libraries, and the
websocket of a kernel, for a browser that knows the kernel's id. The rest of a Jupyter server is removed: lists of
kernels, interrupts, contents, files, terminals.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import hmac
import html
import json
import logging
import mimetypes
import os
import secrets
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import tornado.web
from jupyter_client.jsonutil import json_default
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from traitlets.config import Config

from llmviz.classroom import lessons
from llmviz.classroom.fairness import TooMany, Turns
from llmviz.classroom.lessons import FROM_ONE_ADDRESS, LESSONS, WHEN, Counts, Lesson, TooManyAnswers
from llmviz.classroom.network import addresses, qr_code
from llmviz.classroom.pages import Page, read_notebook
from llmviz.classroom.session_pool import PoolFull, Session, SessionPool
from llmviz.classroom.voila_parts import Voila, get_page_config
from llmviz.page.write import document, index_page, title_of

HERE = Path(__file__).parent
TEACHER = "llmviz-teacher"  # the teacher's cookie
ANSWERED = "llmviz-answered"  # the cookie that keeps a browser from being counted twice
LONGEST_FORM = 10_000  # bytes
# How many one address may hold: a browser opens six, and a whole room may share one address.
CONNECTIONS = 250
FILES = 8192  # how many this process may have open: a connection is one, and a kernel needs ten
LARGEST = 1_000_000  # bytes in a message from a page; the longest text that a box accepts is half of that
# A page opens only this kind of comm itself, once for each connection, to ask which widgets the notebook has made. A
# kernel keeps every comm and its data, so there is a limit.
COMM = "jupyter.widget.control"
COMMS, LARGEST_COMM = 100, 10_000  # for a page; bytes
SIGN_EVERY = 2.0  # seconds between two signs of life while a page is being made
MESSAGES = ["comm_open", "comm_close", "comm_msg", "comm_info_request", "kernel_info_request"]
# The extensions of JupyterLab that a page of Voilà's needs. Others on this computer are not loaded.
EXTENSIONS = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
    "jupyterlab-plotly",
]
# The browser then sends no request to any other server.
ONLY_HERE = "; ".join(
    [
        "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'",
        "connect-src 'self' ws: wss:",
        "frame-ancestors 'self'",
    ]
)
OPEN_NOW = "<!-- the open questions -->"  # the place of their link in the list of all pages
QUESTIONS = (
    f'<div id="questions" aria-live="polite">{OPEN_NOW}</div>'
    '<script defer src="/class/static/index.js"></script>'
)
PROTOCOL = "v1.kernel.websocket.jupyter.org"
KERNEL = r"(?P<kernel>\w+-\w+-\w+-\w+-\w+)"


@dataclass(frozen=True)
class Class:
    """What a class is made of. notebooks: files, in the order of the index; the first is the front page.

    each: pages that one visitor may have open.
    """

    notebooks: tuple[Path, ...]
    port: int
    limit: int
    password: str = ""
    project: bool = False
    local: bool = False
    each: int = 1

    @property
    def ip(self) -> str:
        return "127.0.0.1" if self.local else "0.0.0.0"

    @property
    def addresses(self) -> list[str]:
        return addresses(self.port, self.local)


class Classroom(Voila):
    """The server. `started` is called with the teacher's address when it listens."""

    def __init__(self, the_class: Class, started: Callable[[str], object]):
        config = Config(
            VoilaConfiguration={
                "template": "lab",
                "strip_sources": False,  # the style hides them until a visitor shows them
                "extension_allowlist": EXTENSIONS,
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
            },
            VoilaExecutor={"cell_error_instruction": "What comes after it is missing. Tell your teacher."},
            VoilaExporter={"exclude_input_prompt": True, "exclude_output_prompt": True},
            KernelManager={"autorestart": False},  # a page cannot go on with an empty kernel
            ZMQChannelsWebsocketConnection={"limit_rate": False},  # it would drop pictures
        )
        if the_class.password:
            # This makes Jupyter ask for a password. `Login` compares it, so this value is never used.
            config.PasswordIdentityProvider.hashed_password = "kept by the class"
        super().__init__(
            config=config,
            root_dir=str(the_class.notebooks[0].parent),
            port=the_class.port,
            ip=the_class.ip,
            open_browser=False,
            config_file_paths=[],
            log_level="ERROR",
        )
        self.the_class, self.started = the_class, started
        self.notebooks = {file.name: file for file in the_class.notebooks}
        read = {name: read_notebook(file) for name, file in self.notebooks.items()}
        self.titles = {name: title_of(notebook) for name, notebook in read.items()}
        pages = {f"voila/render/{name}": notebook for name, notebook in read.items()}
        self.index = index_page(pages, QUESTIONS)
        self.requests = Turns(seconds=0.02, at_once=100)
        self.guesses = Turns(seconds=1.0, at_once=30)
        self.key = secrets.token_urlsafe(16)
        self.counts = Counts(max(FROM_ONE_ADDRESS, the_class.each))

    def setup_template_dirs(self) -> None:
        super().setup_template_dirs()
        self.template_paths.insert(0, str(HERE / "template"))

    def init_settings(self) -> dict:
        settings = super().init_settings()
        self.kernel_manager.allowed_message_types = MESSAGES
        settings |= {
            "classroom": self,
            "headers": {"Content-Security-Policy": ONLY_HERE, "Referrer-Policy": "same-origin"},
            "websocket_max_message_size": LARGEST,
            "default_handler_class": NotHere,
            "disable_check_xsrf": True,  # a forged request could change only the visitor's own page
        }
        self.pool = SessionPool(
            self.kernel_manager,
            self._page,
            self.the_class.limit,
            self.the_class.notebooks[0].name,
            self.the_class.each,
        )
        return settings

    def init_handlers(self) -> list:
        """Set up all addresses. Each class decides who may use it; the files of libraries are open to all."""
        return [
            ("/", Index),
            ("/login", Login),
            (r"/voila/render/([^/]+\.ipynb)", OnePage),
            (f"/api/kernels/{KERNEL}", KernelModel),
            (f"/api/kernels/{KERNEL.replace('kernel', 'kernel_id')}/channels", Channels),
            (f"/class/alive/{KERNEL}", Alive),
            (f"/class/leave/{KERNEL}", Leave),
            ("/class/questions", Questions),
            (r"/class/static/([\w.]+)", tornado.web.StaticFileHandler, {"path": str(HERE / "static")}),
            ("/teacher", Teacher),
            ("/teacher/state", TeacherState),
            (r"/lesson/([^/]+)/([^/]+)", LessonPage),
            (r"/teacher/lesson/([^/]+)", TeacherLesson),
            (r"/teacher/lesson/([^/]+)/counts", LessonCounts),
            (r"/voila/(?:templates/lab/)?static/(.*)", Files, {"folders": self.static_paths}),
            (r"/voila/labextensions/(.*)", Files, {"folders": self.labextensions_path}),
        ]

    def listen(self) -> None:
        """Serve until Ctrl-C or SIGTERM. Raises OSError if the port cannot be used."""
        logging.getLogger("tornado.general").setLevel(
            logging.ERROR
        )  # Jupyter's pings are in ms, Tornado's in s
        with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit
            import resource

            most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        self.ioloop = IOLoop.current()
        try:
            Door(self.app).listen(self.port, self.ip)
        except OSError:
            self.stop()
            raise
        self.ioloop.add_callback(self.pool.open)
        signal.signal(signal.SIGTERM, lambda *_: self.ioloop.add_callback_from_signal(self.ioloop.stop))
        self.ioloop.add_callback(self.started, f"http://127.0.0.1:{self.port}/teacher?key={self.key}")
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def stop(self) -> None:
        self.ioloop.run_sync(self.pool.close)
        shutil.rmtree(self.connection_dir, ignore_errors=True)

    async def _page(self, session: Session) -> AsyncIterator[str]:
        settings = {
            "base_url": self.base_url,
            "settings": self.app.settings,
            "log": self.log,
            "voila_configuration": self.voila_configuration,
        }
        page = Page(
            self.pool,
            session,
            self.notebooks[session.notebook],
            {"pages": self._links(session.notebook), "project": self.the_class.project},
            voila_configuration=self.voila_configuration,
            traitlet_config=self.config,
            template_paths=self.template_paths,
            contents_manager=self.contents_manager,
            kernel_spec_manager=self.kernel_spec_manager,
            base_url=self.base_url,
            page_config=deepcopy(get_page_config(**settings)),
        )
        await page.initialize()
        async for part, _ in page.generate_content_generator():
            yield part

    def _links(self, here: str) -> list[dict]:
        return [
            {"file": name, "title": title, "short": str(n), "here": name == here}
            for n, (name, title) in enumerate(self.titles.items())
        ]


class Door(HTTPServer):
    """Let no address hold so many connections that none are left for others."""

    def initialize(self, *args, **kwargs) -> None:
        super().initialize(*args, **kwargs)
        self.open: Counter[str] = Counter()

    def handle_stream(self, stream, address: tuple) -> None:
        if self.open[address[0]] >= CONNECTIONS:
            stream.close()
            return
        self.open[address[0]] += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn) -> None:
        self.open -= Counter([server_conn.context.address[0]])  # subtracting drops addresses whose count is 0
        super().on_close(server_conn)


class Handler(JupyterHandler):
    """What all of ours share: the class, pages in one style, and a turn for each address."""

    async def prepare(self) -> None:  # type: ignore[override]  # as tornado declares it
        await self.turn(self.classroom.requests)
        await super().prepare()

    async def turn(self, turns: Turns) -> None:
        """Wait until it is the turn of the visitor's address."""
        try:
            await turns.wait(self.address)
        except TooMany:
            raise tornado.web.HTTPError(429) from None

    @property
    def address(self) -> str:
        """Return the visitor's address in the network."""
        return self.request.remote_ip or ""

    @property
    def classroom(self) -> Classroom:
        return self.settings["classroom"]

    @property
    def pool(self) -> SessionPool:
        return self.classroom.pool

    def show(self, title: str, body: str, end: str = "") -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish(document(title, f"<main>{body}</main>", end))

    def write_error(self, status_code: int, **kwargs) -> None:
        said = {
            403: "This page is the teacher’s.",
            404: "There is no such page here.",
            429: "Too many requests came from your address. Wait a minute, then load the page again.",
        }
        text = said.get(status_code, "Something went wrong with this page.")
        if isinstance(kwargs.get("exc_info", (None, None))[1], NoSuchLesson):
            text = "There is no such lesson here."
        self.show("llmviz", f'<h1>{text}</h1><p><a href="/">All pages</a></p>')

    def is_teacher(self) -> bool:
        return self.get_secure_cookie(TEACHER) == b"yes"


class Files(tornado.web.RequestHandler):
    """Files of the libraries, 10 MB for a page: packed once, a quarter of that for each of thirty phones."""

    def initialize(self, folders: list[str]) -> None:
        self.folders = folders

    def get(self, path: str) -> None:
        if not (file := file_below(self.folders, path)):
            raise tornado.web.HTTPError(404)
        self.set_header("Content-Type", mimetypes.guess_type(file)[0] or "application/octet-stream")
        self.set_header("Cache-Control", "max-age=3600")
        packs = file.suffix in (".js", ".css", ".svg")
        if packs and "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(packed(file, file.stat().st_mtime))
        else:
            self.finish(file.read_bytes())


def file_below(folders: list[str], path: str) -> Path | None:
    """Return the file at `path` in the first folder that has it; None if there is none, or if it is outside."""
    for folder in folders:
        # Links in a folder may lead out of it, addresses may not.
        file = Path(os.path.normpath(Path(folder, path)))
        if (
            file.is_relative_to(os.path.normpath(folder)) and file.is_file()
        ):  # also false for a path that is not valid
            return file
    return None


@functools.lru_cache(maxsize=1000)
def packed(file: Path, changed: float) -> bytes:
    return gzip.compress(file.read_bytes(), 6)


class NotHere(Handler):
    async def prepare(self) -> None:  # type: ignore[override]  # as tornado declares it
        await self.turn(self.classroom.requests)
        raise tornado.web.HTTPError(404)


class Index(Handler):
    """The list of all pages; the questions first, while they are open."""

    @tornado.web.authenticated
    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish(self.classroom.index.replace(OPEN_NOW, lessons.link(self.classroom.counts.open)))


class Questions(Handler):
    """The link to the questions that are open, which the list of all pages asks for again and again."""

    @tornado.web.authenticated
    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish(lessons.link(self.classroom.counts.open))


class Login(LoginFormHandler, Handler):
    """The password of the class, where it has one. It is kept as plain text, since the teacher's page shows it."""

    def _render(self, message=None) -> None:
        wrong = '<p role="alert">That is not the password. Try again.</p>' if message else ""
        to = html.escape(self.get_argument("next", "/"))
        self.show(
            "llmviz",
            f'<h1>llmviz</h1>{wrong}<form method="post"><p><label>The password, from your teacher: '
            f'<input type="password" name="password" autofocus autocomplete="off"></label> '
            f'<input type="hidden" name="next" value="{to}"><button>Open</button></p></form>',
        )

    @allow_unauthenticated
    async def post(self) -> None:
        await self.turn(self.classroom.guesses)
        word = self.get_body_argument("password", "")
        if not hmac.compare_digest(word.encode(), self.classroom.the_class.password.encode()):
            self.set_status(401)
            self._render({"error": "wrong"})
            return
        self.identity_provider.set_login_cookie(self, self.identity_provider.generate_anonymous_user(self))
        self._redirect_safe(self.get_argument("next", "/"))


# A browser that reloads a page, or goes to another, frees the old page's kernel only after this response. So the first
# retry comes soon.
COME_AGAIN = """
const last = Number(sessionStorage.lvFull ?? 0);
sessionStorage.lvFull = Date.now();
setTimeout(() => location.reload(), Date.now() - last > 20000 ? 1500 : 8000 + 4000 * Math.random());
"""


class OnePage(Handler):
    """A notebook, for one visitor, in a kernel of its own."""

    @tornado.web.authenticated
    async def get(self, name: str) -> None:
        if name not in self.classroom.notebooks:
            raise tornado.web.HTTPError(404)
        try:
            session = self.pool.take(name, "" if self.is_teacher() else self.current_user.username)
        except PoolFull:
            self.set_status(503)
            self.set_header("Retry-After", "10")
            self.show(
                "The room is full",
                "<h1>The room is full</h1><p>This computer has no room for another page now. This one opens by "
                "itself when somebody leaves.</p>",
                f"<script>{COME_AGAIN}</script>",
            )
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        try:
            async with contextlib.aclosing(self._with_signs_of_life(session)) as parts:
                async for part in parts:
                    self.write(part)
                    await self.flush()
        except StreamClosedError:  # the visitor has gone
            self.pool.leave(session)
        except Exception:
            self.log.exception("a page could not be made")
            self.pool.leave(session)
            self.finish('<p role="alert">This page could not be made. <a href="">Try again</a></p>')

    async def _with_signs_of_life(self, session: Session) -> AsyncGenerator[str, None]:
        """Yield the page's parts; while the next is being computed, yield how many visitors are ahead."""
        parts = self.pool.page(session)
        coming = asyncio.ensure_future(anext(parts, None))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=SIGN_EVERY)
                if not done:  # between two cells, or before the first, where a script is allowed
                    yield (
                        f"<script>window.lvBefore?.({self.pool.before(session)})</script>"
                        if not session.kernel
                        else " "
                    )
                elif (part := coming.result()) is None:
                    return
                else:
                    yield part
                    coming = asyncio.ensure_future(anext(parts, None))
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait([coming])
            await parts.aclose()


class Channels(KernelWebsocketHandler):
    """Pass on only messages of widgets between a page and its kernel. Errors are not sent: they name files."""

    open_session: Session

    async def pre_get(self) -> None:
        session = self.settings["classroom"].pool.session_of(self.kernel_id)
        if session is None:
            raise tornado.web.HTTPError(404)
        self.open_session = session
        # In the older form of these messages, a number from the page could keep Jupyter's server in a loop.
        if PROTOCOL not in self.request.headers.get("Sec-WebSocket-Protocol", ""):
            raise tornado.web.HTTPError(400)
        await super().pre_get()

    async def open(self, kernel_id: str) -> None:
        self.set_nodelay(True)  # see llmviz.server_extension
        self.open_session.connections += 1
        await super().open(kernel_id)

    def on_message(self, message: str | bytes) -> None:
        self.open_session.touched = time.monotonic()
        if not isinstance(message, bytes) or not has_offsets(message):
            return
        try:
            if self._may_pass(message):
                super().on_message(message)
        except Exception as error:  # a made-up message
            self.log.warning("a page sent something that is not a message: %r", error)

    def write_message(self, message, binary: bool = False):
        if isinstance(message, bytes):
            _, (header, _, _, content, *_) = deserialize_msg_from_ws_v1(message)
            kind = json.loads(header)["msg_type"]
            if kind in ("error", "execute_input") or (
                kind == "stream" and json.loads(content)["name"] == "stderr"
            ):
                return None
        return super().write_message(message, binary)

    def _may_pass(self, message: bytes) -> bool:
        """Return whether a message is one of widgets; of new comms, only some small ones of the kind that we know."""
        channel, parts = deserialize_msg_from_ws_v1(message)
        kind = json.loads(parts[0])["msg_type"]
        if channel != "shell" or kind not in MESSAGES:
            return False
        if kind == "comm_open":
            if len(message) > LARGEST_COMM or json.loads(parts[3])["target_name"] != COMM:
                return False
            self.open_session.comms += 1
            return self.open_session.comms <= COMMS
        return True

    def on_close(self) -> None:
        self.open_session.connections -= 1
        super().on_close()


class KernelModel(Handler):
    """What Voilà's front end asks for before it connects. A kernel cannot be ended or interrupted here."""

    def get(self, kernel: str) -> None:
        if not self.pool.session_of(kernel):
            raise tornado.web.HTTPError(404)
        self.finish(json.dumps(self.kernel_manager.kernel_model(kernel), default=json_default))


class Alive(Handler):
    """Whether a page's kernel is alive: 204 for yes, 410 if it was ended, with the reason, 404 for no."""

    async def get(self, kernel: str) -> None:
        session = self.pool.session_of(kernel)
        self.set_header("Cache-Control", "no-store")
        if session and await self.pool.alive(session):
            self.set_status(204)
            self.finish()
        elif why := self.pool.why_ended(kernel):
            self.set_status(410)
            self.finish(why)
        else:
            self.set_status(404)
            self.finish()

    def get_login_url(self) -> str:
        raise tornado.web.HTTPError(403)


class Leave(Handler):
    """End the kernel of a page that was closed. No other visitor knows its id."""

    def post(self, kernel: str) -> None:
        if session := self.pool.session_of(kernel):
            self.pool.leave(session)
        self.set_status(204)
        self.finish()


class Teacher(Handler):
    """The address of the class in large letters, for the projector.

    The key in the teacher's own address becomes a cookie. So nobody can copy it from the address bar on the projector.
    """

    @allow_unauthenticated
    def get(self) -> None:
        key = self.get_argument("key", "")
        if key and hmac.compare_digest(key.encode(), self.classroom.key.encode()):
            self.set_secure_cookie(TEACHER, "yes", httponly=True, samesite="Strict")
            self.identity_provider.set_login_cookie(
                self, self.identity_provider.generate_anonymous_user(self)
            )
            self.redirect("/teacher")
            return
        if not self.is_teacher():
            raise tornado.web.HTTPError(403)
        the_class = self.classroom.the_class
        own, *others = the_class.addresses
        more = "".join(f"<p>or <b>{html.escape(address)}</b></p>" for address in others)
        word = f"<p>The password: <b>{html.escape(the_class.password)}</b></p>" if the_class.password else ""
        alone = (
            "<p>Only this computer can open it (<code>--local</code>, or no network).</p>"
            * own.startswith("http://127.")
        )
        self.show(
            "llmviz: the class",
            '<link rel="stylesheet" href="/class/static/lesson.css">'
            f'<p><a href="/" target="_blank">All pages</a> · Lessons: {lesson_links()}</p>'
            f'<div class="code">{qr_code(own)}</div>'
            f'<h1 class="address">{html.escape(own.removeprefix("http://"))}</h1>{more}{word}{alone}'
            f'<p><b id="visitors">0</b> of {self.pool.limit} pages are open, '
            '<span id="ready">0</span> more are ready, of “<span id="of"></span>”.</p>',
            '<script src="/class/static/teacher.js"></script>',
        )


class TeacherState(Handler):
    """What the teacher's page loads every few seconds."""

    @allow_unauthenticated
    def get(self) -> None:
        if not self.is_teacher():
            raise tornado.web.HTTPError(403)
        self.set_header("Cache-Control", "no-store")
        ready = sum(session.notebook == self.pool.expected for session in self.pool.ready)
        title = self.classroom.titles[self.pool.expected]
        self.finish({"visitors": len(self.pool.taken), "ready": ready, "of": title})


def lesson_links() -> str:
    return " · ".join(
        f'<a href="/teacher/lesson/{lesson.name}">{html.escape(lesson.title)}</a>'
        for lesson in LESSONS.values()
    )


class NoSuchLesson(tornado.web.HTTPError):
    def __init__(self):
        super().__init__(404)


def lesson_of(name: str) -> Lesson:
    if name not in LESSONS:
        raise NoSuchLesson
    return LESSONS[name]


@tornado.web.stream_request_body
class LessonPage(Handler):
    """The three questions of a lesson, before or after it: a form without scripts, and no kernel."""

    def initialize(self) -> None:
        self.sent = bytearray()

    def set_secure_cookie(self, *_, **__) -> None:
        """Set no cookie. Jupyter gives each new browser a name, but these pages need none."""

    def data_received(self, chunk: bytes) -> None:
        if len(self.sent) <= LONGEST_FORM:
            self.sent += chunk

    @tornado.web.authenticated
    def get(self, name: str, when: str) -> None:
        lesson, here = self._of(name, when)
        counts = self.classroom.counts
        if counts.open != (name, when):
            self.set_status(403)
            self.set_header("Refresh", "5")  # seconds
            self._show(lesson, lessons.closed(counts.open))
        elif here not in self._answered():
            self._show(lesson, lessons.questions_form(lesson, counts.number(lesson, when)))
        elif when == "before":
            self._show(lesson, lessons.thanks(False))
        else:
            self._show(lesson, lessons.solution(lesson, False, self.classroom.notebooks))

    @tornado.web.authenticated
    def post(self, name: str, when: str) -> None:
        lesson, here = self._of(name, when)
        counts = self.classroom.counts
        answers, number = lessons.read_form(lesson, bytes(self.sent))
        counted = counts.has(number)  # sent again: another tap, or the page was loaded again
        if not counted and not counts.takes(lesson, when):
            self.set_status(403)
            self._show(lesson, lessons.too_late(counts.open))
            return
        if len(self.sent) > LONGEST_FORM:
            self.set_status(413)
            self._show(lesson, "<p>That was more than three answers. Nothing was counted.</p>")
            return
        answered = self._answered()
        ours = counts.is_ours(lesson, when, number)
        complete = [answer for answer in answers if answer is not None]
        if len(complete) < len(answers) or not (ours or here in answered):
            self.set_status(400)
            number = number if ours else counts.number(lesson, when)
            self._show(lesson, lessons.questions_form(lesson, number, answers))
            return
        if counted or here not in answered:
            try:
                counts.add(lesson, when, complete, number, self.address)
            except TooManyAnswers:
                self.set_status(429)
                self._show(lesson, lessons.too_many())
                return
            counted = True
            keep = counts.cookie(answered | {here})  # again: the browser may have dropped the first reply
            self.set_cookie(ANSWERED, keep, expires_days=None, httponly=True, samesite="Strict")
        if when == "before":
            self._show(lesson, lessons.thanks(counted))
        else:
            self._show(lesson, lessons.solution(lesson, counted, self.classroom.notebooks, answers))

    def _of(self, name: str, when: str) -> tuple[Lesson, str]:
        if when not in WHEN:
            raise NoSuchLesson
        return lesson_of(name), f"{name}-{when}"

    def _answered(self) -> set[str]:
        return self.classroom.counts.answered(self.get_cookie(ANSWERED, ""))

    def _show(self, lesson: Lesson, body: str) -> None:
        style = '<link rel="stylesheet" href="/class/static/lesson.css">'
        self.show(lesson.title, f"{style}<h1>{html.escape(lesson.title)}</h1>{body}")


ACTIONS = {
    "before": "Open the questions before",
    "after": "Open the questions after",
    "none": "Close the questions",
    "anew": "Start the counts again for the next class",
}


class TeacherLesson(Handler):
    """Open the questions before or after, show the address of those that are open, and the counts if asked."""

    @allow_unauthenticated
    def get(self, name: str) -> None:
        if not self.is_teacher():
            raise tornado.web.HTTPError(403)
        lesson = lesson_of(name)
        now = self.classroom.counts.open
        place = f"{self.classroom.the_class.addresses[0]}/lesson/{name}/{now[1]}" if now else ""
        if now and now[0] == name:
            shown = (
                f'<h2>Open: the questions {now[1]}</h2><div class="code">{qr_code(place)}</div>'
                f'<p class="place">{html.escape(place.removeprefix("http://"))}</p>'
                f'<p><b id="answers" data-when="{now[1]}">0</b> answers, <b id="pages">0</b> pages open</p>'
            )
        else:
            shown = "<p>The questions of this lesson are closed.</p>"
        open_now = now[1] if now and now[0] == name else "none"
        buttons = "".join(
            f'<button name="do" value="{do}"{" disabled" * (do == open_now)}>{text}</button> '
            for do, text in ACTIONS.items()
        )
        self.show(
            lesson.title,
            f'<link rel="stylesheet" href="/class/static/lesson.css"><h1>{html.escape(lesson.title)}</h1>'
            f'<form method="post">{buttons}</form>{shown}'
            '<p><label><input type="checkbox" id="show-counts"> show the counts</label></p>'
            f'<div id="counts" hidden>{lessons.counts_table(lesson)}'
            '<p><label><input type="checkbox" id="show-right"> show which is right</label></p></div>'
            f'<p><a href="/teacher">The class</a> · {lesson_links()}</p>',
            '<script src="/class/static/lesson.js"></script>',
        )

    @allow_unauthenticated
    def post(self, name: str) -> None:
        if not self.is_teacher():
            raise tornado.web.HTTPError(403)
        lesson, do = lesson_of(name), self.get_body_argument("do", "")
        if do not in ACTIONS:
            raise tornado.web.HTTPError(400)
        if do == "anew":
            self.classroom.counts.clear()
        else:
            self.classroom.counts.open_only((name, do) if do in WHEN else None)
        notebook = f"{lesson.questions[0].scene[0]}.ipynb"
        if do == "before" and notebook in self.classroom.notebooks:
            self.pool.expect(notebook)
        self.redirect(f"/teacher/lesson/{name}")


class LessonCounts(Handler):
    """The numbers in that table and how many pages are open, asked for again and again."""

    @allow_unauthenticated
    def get(self, name: str) -> None:
        if not self.is_teacher():
            raise tornado.web.HTTPError(403)
        self.set_header("Cache-Control", "no-store")
        self.finish(self.classroom.counts.of(lesson_of(name)) | {"pages": len(self.pool.taken)})


def has_offsets(message: bytes) -> bool:
    """Return whether a message has as many offsets as it says. Jupyter's server would count to any number."""
    number = int.from_bytes(message[:8], "little")
    return 6 <= number <= 1000 and len(message) >= 8 * (number + 1)
