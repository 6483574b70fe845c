"""Drive the notebooks as a reader does: a real `jupyter lab` (or Voilà), a real Chromium.

    with serve(tmp_path) as server, sync_playwright() as playwright:
        with chromium(playwright) as browser:
            lab = Lab(browser, server)
            lab.open("04_attention", theme="dark")
            lab.run_all()
            lab.picture("heat_map").screenshot(path="heat_map.png")

The server works on a copy of `notebooks/`, with settings, kernels and workspaces of its own, and without a token.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

import nbformat
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from llmviz.tokenization import Tokenizer
from llmviz.views.kit import text_box

# What a box says that has no text.
NO_TEXT = text_box.read("", Tokenizer({bytes([byte]): byte for byte in range(256)}, {})).message
CHROMIUM = Path("/usr/bin/chromium")
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

SHOW_ALL = """
from ipywidgets.widgets.widget import _instances
from llmviz.views.kit.predict import GuessCard
for card in list(_instances.values()):
    if isinstance(card, GuessCard):
        card.committed = True
"""

# anywidget says so of a widget whose script begins after more than two seconds, as on a busy machine. A widget of ours
# lives on (`Drawn`), which tests/browser/test_scripts.py shows.
GIVEN_UP = "[anywidget] Failed to initialize model."

Theme = Literal["light", "dark"]

# The server is on this machine: no proxy, whatever the environment says.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Server:
    """A running Jupyter server: its address, its folder, and the settings that the next page will read."""

    url: str
    root: Path  # notebooks lie in root / "notebooks"
    settings: Path
    kind: Literal["lab", "voila"]

    def set(self, plugin: str, **values) -> None:
        """A user's setting of one JupyterLab plugin, "package:name"; read when a page is loaded."""
        file = self.settings / "@jupyterlab" / f"{plugin.replace(':', '/')}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))

    def get(self, path: str):
        with DIRECT.open(f"{self.url}{path}", timeout=60) as answer:
            return json.load(answer)

    def write(self, name: str, *cells: str) -> None:
        """A notebook of these code cells beside the others, for pictures on their own."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, self.root / "notebooks" / f"{name}.ipynb")

    def end_kernels(self) -> None:
        for session in self.get("/api/sessions"):
            request = urllib.request.Request(f"{self.url}/api/sessions/{session['id']}", method="DELETE")
            DIRECT.open(request, timeout=60).close()  # a kernel that is busy is given time to end by itself


def at_home(home: Path) -> dict[str, str]:
    """This process's environment, but with all that Jupyter keeps for a user below `home`."""
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    own = {name: str(home / part) for name, part in folders.items()}
    return os.environ | own | {"JUPYTER_PLATFORM_DIRS": "1"}


def end(process: subprocess.Popen) -> None:
    """Tell a server to end; if it does not, it is ended."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def serve(
    folder: Path,
    notebooks: Path = NOTEBOOKS,
    kind: Literal["lab", "voila"] = "lab",
    options: tuple[str, ...] = (),
) -> Iterator[Server]:
    """A server on a copy of `notebooks` below `folder`; ended, with its kernels, on leaving."""
    root, home = folder / "root", folder / "home"
    root.mkdir(parents=True)
    if notebooks.is_dir():
        shutil.copytree(notebooks, root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    else:
        (root / "notebooks").mkdir()
    port = free_port()
    command = {
        "lab": [
            *("-m", "jupyterlab", f"--ServerApp.port={port}", f"--ServerApp.root_dir={root}"),
            "--ServerApp.port_retries=0",  # on another port nobody would find it
            *(
                "--IdentityProvider.token=",
                "--ServerApp.disable_check_xsrf=True",
                "--ServerApp.allow_root=True",
            ),
            *("--ServerApp.open_browser=False", "--LabApp.expose_app_in_browser=True"),
            "--LabServerApp.extension_manager=readonly",
        ],
        "voila": ["-m", "voila", str(root / "notebooks"), f"--port={port}", "--no-browser"],
    }[kind]
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command, *options], env=at_home(home), stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(f"http://127.0.0.1:{port}", root, home / "settings", kind)
    try:
        wait_for_answer(server.url + ("/api/status" if kind == "lab" else "/"), process, log)
        yield server
    finally:
        with contextlib.suppress(OSError):
            if kind == "lab":
                server.end_kernels()
        end(process)


@contextlib.contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium, headless; it may run as root, and does not phone home."""
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=[
            "--no-sandbox",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
        ],
    )
    try:
        yield browser
    finally:
        browser.close()


@dataclass
class Lab:
    """One page of a browser, with a notebook in it."""

    browser: Browser
    server: Server
    size: tuple[int, int] = (1400, 1000)
    page: Page = None
    notebook: str = ""
    console: list[str] = field(default_factory=list)  # errors that the page logged
    outside: list[str] = field(default_factory=list)  # requests that left this machine

    def open(self, notebook: str, theme: Theme = "light", still: bool = True) -> None:
        """Open a fresh copy of a notebook ("04_attention") with a new kernel; any earlier page is closed.

        still: under Voilà, where the notebook runs at once, wait until nothing changes any more.
        """
        self.close()
        self.notebook = notebook
        if self.server.kind == "lab":
            self.server.end_kernels()
            self.server.set("apputils-extension:themes", theme=THEMES[theme], **{"adaptive-theme": False})
            self.server.set("apputils-extension:notification", fetchNews="false", checkForUpdates=False)
            # A saved copy would show the widgets of a kernel that has ended, the next time it is opened.
            self.server.set("docmanager-extension:plugin", autosave=False)
        if self.server.kind == "voila":
            self._new_page(f"/voila/render/{notebook}.ipynb")
            expect(self.page.locator("#rendered_cells")).to_be_visible(timeout=120_000)
            expect(self.page.locator("figure.llmviz").first).to_be_attached(timeout=60_000)
            if still:
                self.settle()
            return
        # A workspace of its own, so that no tab of an earlier test is restored.
        workspace = f"lab/workspaces/test-{time.monotonic_ns()}"
        self.open_at(f"/{workspace}/tree/notebooks/{notebook}.ipynb")

    def open_at(self, path: str) -> None:
        """A page at an address of JupyterLab where a notebook opens; waits until its kernel is there."""
        self._new_page(path)
        self.page.wait_for_function(
            f"{PANEL}?.context?.isReady && {PANEL}.sessionContext.isReady", timeout=60_000
        )
        self.page.wait_for_function(
            f"{PANEL}.sessionContext.session?.kernel?.status === 'idle'", timeout=60_000
        )

    def _new_page(self, path: str) -> None:
        self.page = self.browser.new_page(viewport={"width": self.size[0], "height": self.size[1]})
        self.page.set_default_timeout(60_000)
        self.page.add_init_script(WATCH)
        self.console, self.outside = [], []
        self.page.on("console", lambda message: self._hear(message))
        self.page.on(
            "pageerror", lambda error: GIVEN_UP in str(error) or self.console.append(f"uncaught: {error}")
        )
        self.page.on("request", lambda request: self._check(request.url))
        self.page.on("websocket", lambda socket: self._check(socket.url))
        self.page.goto(f"{self.server.url}{path}", timeout=120_000)

    def close(self) -> None:
        if self.page:
            if self.server.kind == "voila":  # it ends a kernel when its page is left, not when that is closed
                self.page.goto("about:blank")
            self.page.close()
            self.page = None

    def command(self, name: str, **arguments):
        """Run a JupyterLab command, such as "notebook:run-all-cells", to its end."""
        return self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
            [name, arguments],
        )

    def switch_theme(self, theme: Theme) -> None:
        """Choose another theme, as in JupyterLab's menu; every picture on the page must follow."""
        self.command("apputils:change-theme", theme=THEMES[theme])
        for picture in self.pictures():
            if picture.is_visible():  # some wait for a text to be typed or a button to be pressed
                picture.scroll_into_view_if_needed()
                expect(picture).to_have_attribute("data-lv-theme", theme)

    def run_all(self) -> float:
        """Run every cell, and wait until its pictures are drawn; returns the seconds it took."""
        start = time.perf_counter()
        self.command("notebook:run-all-cells")
        self.settle()
        return time.perf_counter() - start

    def run_code(self, code: str) -> None:
        """Add a code cell at the end of the notebook and run it."""
        self.page.evaluate(
            """async (source) => {
                const panel = window.jupyterapp.shell.currentWidget;
                const model = panel.model.sharedModel;
                model.insertCell(model.cells.length, {cell_type: "code", source});
                panel.content.activeCellIndex = model.cells.length - 1;
                await window.jupyterapp.commands.execute("notebook:run-cell");
            }""",
            code,
        )
        self.settle()

    def settle(self) -> None:
        """Wait until no widget is loading and nothing in the page has changed for a while."""
        self.page.evaluate(QUIET)

    def give_up_all(self) -> None:
        """Press "Show me" on every guess card that is on the page."""
        show = self.page.get_by_role("button", name="Show me")
        while show.count():
            button = show.first.element_handle()
            button.scroll_into_view_if_needed()
            button.press("Enter")
            button.wait_for_element_state("hidden")  # what is off the screen is repainted a little later
        self.settle()

    def show_all(self) -> None:
        """Open all folds, and commit all guess cards in the kernel, also those that are not on the page."""
        self.command("notebook:expand-all-headings")
        self.run_code(SHOW_ALL)

    # --- what is on the page ---

    def picture(self, name: str, nth: int = 0) -> Locator:
        """The nth picture of a kind ("token_strip"), as far as it is shown; waits until it is there."""
        found = self.page.locator(f"figure.lv-{name}").nth(nth)
        expect(found).to_be_attached(timeout=60_000)
        return found

    def pictures(self) -> list[Locator]:
        return self.page.locator("figure.llmviz").all()

    def errors(self) -> list[str]:
        """Everything in the notebook that looks like an exception: outputs of cells and of Output widgets, stderr."""
        shown = self.page.locator(
            "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']"
        )
        return shown.all_inner_texts()

    # --- how fast ---

    def latencies(
        self, control: Locator, keys: list[str], picture: Locator, wait: float = 0.3
    ) -> list[float]:
        """Milliseconds from each key pressed on `control` until `picture` has changed and that frame is painted.

        Measured inside the page: from the browser's own time of the key to just after the next frame. What counts as
        a change is a change of the DOM inside the picture's body, or a drawing call on a canvas there.

        wait: seconds between keys, long enough for what one key changes to be over before the next.
        """
        target = picture.element_handle()
        # Both must be seen, as for a reader: what is far off the screen is drawn a little later.
        control.evaluate(
            """(control, picture) => {
                const below = picture.getBoundingClientRect().top > control.getBoundingClientRect().top;
                control.scrollIntoView({block: below ? "start" : "end"});
            }""",
            target,
        )
        control.focus()
        self.page.wait_for_timeout(100)
        times = []
        for key in keys:
            self.page.evaluate("(figure) => window.lvWatch.arm(figure)", target)
            self.page.keyboard.press(key)
            times.append(self.page.evaluate("() => window.lvWatch.result()"))
            self.page.wait_for_timeout(1000 * wait)
        return times

    def _hear(self, message) -> None:
        url = message.location.get("url", "")
        if message.type == "error" and not url.startswith(VOILAS_OWN):
            self.console.append(f"{message.text} ({url})")

    def _check(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        here = parts.scheme not in ("http", "https", "ws", "wss") or parts.hostname in (
            "127.0.0.1",
            "localhost",
        )
        if not here and not (self.server.kind == "voila" and url.startswith(VOILAS_OWN)):
            self.outside.append(url)


def card(lab: Lab, cell: str) -> Locator:
    """Return the card of a cell of the notebook, by the cell's id."""
    lab.page.evaluate(f"{PANEL}.content.widgets.forEach((cell) => (cell.node.dataset.cell = cell.model.id))")
    # An ancestor, which a CSS selector does not see from inside `filter(has=…)`.
    in_cell = f'ancestor::*[@data-cell="{cell}"]'
    return lab.page.locator(f'xpath=.//figure[contains(@class, "lv-predict")][{in_cell}]')


def readout(picture: Locator) -> Locator:
    """Return the line that says what the pointer is on."""
    return picture.locator(".lv-readout")


def report(name: str, milliseconds: list[float]) -> None:
    print(f"\n{name}: median {median(milliseconds):.0f} ms, worst {max(milliseconds):.0f} ms")


def output_of(lab: Lab, inside: Locator) -> Locator:
    """Return the whole output of the cell in which something is shown."""
    return lab.page.locator(".jp-OutputArea-output").filter(has=inside)


PANEL = "window.jupyterapp?.shell?.currentWidget"

# Voilà's own page template asks for an icon font on the network, whatever the notebook; it does without.
VOILAS_OWN = "https://cdn.jsdelivr.net/npm/@fortawesome/"

# Put into every page: measures the time from a key to the painted change of one picture.
WATCH = """
window.lvWatch = {
  target: null,
  arm(figure) {
    const body = figure.querySelector(".lv-body") ?? figure;
    this.target = body;
    this.start = null;
    this.promise = new Promise((resolve, reject) => {
      const timeout = setTimeout(() => { stop(); reject(new Error("the picture did not change in 60 s")); }, 60000);
      const onKey = (event) => { this.start ??= event.timeStamp; };
      const observer = new MutationObserver(() => this.changed());
      const stop = () => {
        clearTimeout(timeout);
        observer.disconnect();
        window.removeEventListener("keydown", onKey, true);
      };
      this.changed = () => {
        if (this.start === null) return; // changed by something before the key
        stop();
        this.changed = () => {};
        requestAnimationFrame(() => {
          const after = new MessageChannel(); // its message comes once the frame has been painted
          after.port1.onmessage = () => resolve(performance.now() - this.start);
          after.port2.postMessage(null);
        });
      };
      window.addEventListener("keydown", onKey, true);
      observer.observe(body, { childList: true, subtree: true, attributes: true, characterData: true });
    });
  },
  result() { return this.promise; },
  changed() {},
};
for (const name of ["drawImage", "putImageData", "fillRect", "clearRect", "stroke", "fill"]) {
  const original = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...args) {
    if (window.lvWatch.target?.contains(this.canvas)) window.lvWatch.changed();
    return original.apply(this, args);
  };
}
"""

# Resolves once widgets have loaded and the page's body has been still for 400 ms, or has moved for 30 s without a
# pause, as it may where something is played. Widgets that don't load in two minutes are an error.
QUIET = """
() => new Promise((resolve, reject) => {
  const start = performance.now();
  let changed = start;
  const observer = new MutationObserver(() => { changed = performance.now(); });
  observer.observe(document.body, { childList: true, subtree: true });
  const look = setInterval(() => {
    const now = performance.now();
    if (now - changed < 400 && now - start < 30_000) return;
    const outputs = [...document.querySelectorAll(".jp-OutputArea-output")];
    const loading = outputs.some((node) => node.textContent.startsWith("Loading widget"));
    if (loading && now - start < 120_000) return;
    clearInterval(look);
    observer.disconnect();
    loading ? reject(new Error("widgets have not loaded within 2 minutes")) : resolve(null);
  }, 50);
})
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_answer(url: str, process: subprocess.Popen, log: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            DIRECT.open(url, timeout=5).close()
            return
        time.sleep(0.2)
    raise RuntimeError(f"no answer from {url}:\n{log.read_text()[-3000:]}")
