"""A stranger's computer: the wheel in a new environment, `llmviz` in an empty folder, a page that has other figures.

What the installation leaves alone outside the browser is in tests/test_packaging.py.
"""

import os
import re
import signal
import subprocess
import urllib.parse

import pytest
from browser.lab import Lab, Server, free_port, wait_for_answer
from installed import Environment, build_wheel
from playwright.sync_api import expect

NEWS = "Would you like to get notified about official Jupyter news?"  # as Jupyter asks

# ---- the command `llmviz` ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """An empty folder on the stranger's computer, where `llmviz` is started."""
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("environment"))
    environment.install(build_wheel(tmp_path_factory.mktemp("wheel")))
    return environment


@pytest.fixture(scope="module")
def started(environment, desk, model, tmp_path_factory):
    """`llmviz`, and the file with all that it says. (`model`: fetched and converted before the first kernel.)"""
    log, port = tmp_path_factory.mktemp("log") / "log", free_port()
    command = [environment.bin / "llmviz", "--no-browser", "--port", str(port), "--"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabServerApp.extension_manager=readonly"]
    command += ["--ServerApp.allow_root=True"]
    reader, terminal = os.openpty()  # Jupyter minds Ctrl-C where there is a terminal
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=desk,
            env=environment.environ(),
            stdin=terminal,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for_answer(f"http://127.0.0.1:{port}/api", process, log)
        yield process, log
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(reader)
        os.close(terminal)


@pytest.fixture(scope="module")
def front_page(browser, started, environment, desk):
    """The page at the address that `llmviz` prints."""
    _, log = started
    address = urllib.parse.urlsplit(re.search(r"http://127\.0\.0\.1:\S+", log.read_text())[0])
    server = Server(f"{address.scheme}://{address.netloc}", desk, environment.home / "settings", "lab")
    lab = Lab(browser, server)
    lab.open_at(f"{address.path}?{address.query}")
    yield lab
    lab.close()


def test_the_front_page_opens_and_is_alive(front_page, started, environment, desk):
    lab = front_page
    print(f"\nRun All of the front page: {lab.run_all():.1f} s")
    assert lab.errors() == []
    lab.page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    box = lab.page.locator(".lv-text-box input").first
    box.fill("Bread and")
    box.press("Enter")
    expect(lab.picture("journey").locator(".lv-j-words li").first).to_contain_text("read")
    lab.run_code("import llmviz, os; print('imported', llmviz.__file__, 'in', os.getcwd(), '.')")
    said = lab.page.get_by_text(re.compile("^imported ")).last.inner_text()
    assert f"imported {environment.folder}" in said
    assert f" in {desk / 'llmviz-notebooks'} ." in said
    assert str(desk / "llmviz-notebooks") in started[1].read_text()
    assert lab.errors() == []
    assert lab.console == []
    assert lab.outside == []


def test_no_news_is_asked_about_and_messages_are_sent_at_once(front_page, started):
    assert front_page.page.get_by_text(NEWS).count() == 0
    assert "llmviz.server_extension | extension was successfully loaded" in started[1].read_text()


def test_the_readers_own_settings_are_in_force(front_page, environment):
    """One that we have no opinion of, and the very one that we have: the reader's own word counts."""
    lab = front_page
    lab.server.set("apputils-extension:themes", theme="JupyterLab Dark")
    lab.server.set("apputils-extension:notification", fetchNews="none")
    lab.page.reload()
    expect(lab.page.locator("body[data-jp-theme-name='JupyterLab Dark']")).to_be_attached(timeout=60_000)
    expect(lab.page.get_by_text(NEWS)).to_be_visible()


def faults(log):
    """The last line of each traceback in `log`, but for a message on its way to a page that has been closed.

    jupyter_server sends without waiting, so what a kernel says at that very moment is logged as an error.
    """
    # A logger indents the whole traceback.
    traceback = r"^( *)Traceback .*\n(?:\1[ \t].*\n|\n(?=\1[ \t]))*\1(\S.*)"
    last_lines = [line for _, line in re.findall(traceback, log, flags=re.MULTILINE)]
    return [line for line in last_lines if not re.match(r"tornado\.(websocket|iostream)\.\w+Closed", line)]


def test_a_traceback_in_a_log_is_found():
    closed = "Traceback (most recent call last):\n  File x\n    await fut\ntornado.iostream.StreamClosedError: Stream"
    assert faults(f"Copied\n    {closed}\n\nDuring handling, another:\n\n{closed}\n[I 2026] done\n") == []
    logged = re.sub("^", "    ", f"{closed}\n", flags=re.MULTILINE).rstrip(" ")
    assert faults(f"[E 2026] Uncaught exception\n{logged}[E 2026] Exception in callback\n{logged}") == []
    ours = "Traceback (most recent call last):\n  File y\n\n    1 / 0\nZeroDivisionError: division by zero"
    assert faults(f"{closed}\n{ours}\n{logged}") == ["ZeroDivisionError: division by zero"]


def test_ctrl_c_ends_it(front_page, started, environment):
    process, log = started
    front_page.settle()
    front_page.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert "Shutting down 1 kernel" in log.read_text()
    assert not faults(log.read_text())
    assert not list((environment.home / "config").rglob("*"))  # nothing written to the reader's configuration


# ---- another notebook's figures ----------------------------------------------------------------------------

FIGURE = """import plotly.graph_objects as go
go.FigureWidget(go.Figure(
    data=[
        go.Scatter(x=[1, 2], y=[3, 4], mode="markers+text", text=["one", "two"], name="a"),
        go.Bar(x=[1, 2], y=[1, 2]),
    ],
    layout={"title": {"text": "A stranger's figure"}, "width": 600, "height": 300}))"""

STYLES = """() => [...document.querySelectorAll(".js-plotly-plot .main-svg *")].map((node) => {
  const style = getComputedStyle(node);
  return [node.tagName, node.textContent, ...[...style].map((name) => `${name}: ${style[name]}`)];
})"""


def test_a_figure_that_is_not_ours_looks_as_it_does_without_us(open_lab, lab_server):
    def styles(theme):
        lab.switch_theme(theme)
        lab.settle()
        return lab.page.evaluate(STYLES)

    lab_server.write("strangers", FIGURE)
    lab = open_lab("strangers")
    lab.run_all()
    lab.page.wait_for_function("document.querySelectorAll('.js-plotly-plot .xtick text').length > 0")
    dark, light = styles("dark"), styles("light")
    lab.run_code("from llmviz.views import TokenStrip\nTokenStrip(['one', 'two'])")
    lab.picture("token_strip")
    assert len(light) > 50
    assert styles("light") == light
    assert styles("dark") == dark
    assert lab.errors() == []
