"""The command `llmviz`: what it hands to JupyterLab, what it refuses and how, and whose notebooks it never touches."""

import errno
import importlib.util
import io
import os
import re
import socket
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest
import tiny_gguf
from messages import holding

import llmviz
from llmviz import cli, download

CLONE = Path(__file__).parent.parent
NAMES = sorted(path.name for path in (CLONE / "notebooks").iterdir() if path.is_file())


@pytest.fixture
def lab(monkeypatch):
    """JupyterLab is not started; the list gets, for each start, its options by name and the rest."""
    from jupyterlab.labapp import LabApp

    starts = []

    def launch(argv):
        starts.append(
            (
                dict(option.split("=", 1) for option in argv if "=" in option),
                [x for x in argv if "=" not in x],
            )
        )

    monkeypatch.setattr(LabApp, "launch_instance", launch)
    monkeypatch.delenv("JUPYTER_CONFIG_PATH", raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return starts


@pytest.fixture
def in_a_wheel(monkeypatch, tmp_path) -> Path:
    """The package as a wheel lays it out, with two short notebooks; the reader stands in an empty folder."""
    package, desk = tmp_path / "package", tmp_path / "desk"
    (package / "notebooks").mkdir(parents=True)
    desk.mkdir()
    for name in NAMES[:2]:
        (package / "notebooks" / name).write_text(f'{{"as shipped": "{name}"}}')
    monkeypatch.setattr(cli, "PACKAGE", package)
    monkeypatch.chdir(desk)
    return package


def refused(capsys, *argv: str) -> str:
    """The sentence with which `argv` is refused: one line, after which nothing has been started."""
    assert cli.main(list(argv)) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("llmviz: ")
    assert output.err.count("\n") == 1
    return output.err


def notebooks_in(said: str) -> list[str]:
    return re.findall(r"\w+\.ipynb", said)


# ---- what is started ---------------------------------------------------------------------------------------


def test_a_clone_opens_its_own_notebooks(lab, capsys):
    assert cli.main([]) == 0
    ((options, rest),) = lab
    assert rest == []
    assert options["--ServerApp.root_dir"] == str(CLONE / "notebooks")
    assert options["--LabApp.default_url"] == "/lab/workspaces/llmviz/tree/00_the_loop.ipynb"
    assert not {"--ServerApp.port", "--ServerApp.browser", "--ServerApp.open_browser"} & set(options)
    assert str(CLONE / "notebooks") in capsys.readouterr().out


@pytest.mark.usefixtures("lab")
def test_the_servers_settings_are_added_to_the_readers_own(monkeypatch, tmp_path):
    from jupyter_core.paths import jupyter_config_path

    ours, theirs = str(CLONE / "llmviz" / "jupyter"), str(tmp_path)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", theirs)
    before = jupyter_config_path()
    cli.main([])
    assert jupyter_config_path() == [ours, *before]
    assert before[0] == theirs


def test_port_browser_and_what_follows_two_dashes(lab, monkeypatch):
    monkeypatch.setattr(webbrowser, "get", lambda name: name)
    with socket.create_server(("localhost", 0)) as probe:
        port = probe.getsockname()[1]
    assert cli.main(["--port", str(port), "--browser", "firefox", "--", "--allow-root", "--", "x"]) == 0
    assert cli.main(["--no-browser"]) == 0
    (options, rest), (silent, _) = lab
    assert options["--ServerApp.port"] == str(port)
    assert options["--ServerApp.port_retries"] == "0"  # that port, or none
    assert options["--ServerApp.browser"] == "firefox"
    assert rest == ["--allow-root", "--", "x"]
    assert silent["--ServerApp.open_browser"] == "False"


def test_what_llmviz_does_not_know_goes_to_jupyterlab(lab):
    assert cli.main(["--allow-root", "--no-browser", "--ServerApp.ip=0.0.0.0", "--", "x"]) == 0
    ((options, rest),) = lab
    assert rest == ["--allow-root", "x"]
    assert options["--ServerApp.ip"] == "0.0.0.0"
    assert options["--ServerApp.open_browser"] == "False"


@pytest.mark.parametrize("command", ["page", "class", "cache", "models"])
def test_a_command_refuses_what_it_does_not_know(lab, capsys, command):
    assert "--allow-root" in refused(capsys, command, "--allow-root")
    assert "x" in refused(capsys, command, "--", "x")
    assert lab == []


def test_jupyterlab_knows_every_option_that_it_is_given(lab, monkeypatch):
    from jupyter_server.serverapp import ServerApp
    from jupyterlab.labapp import LabApp

    monkeypatch.setattr(webbrowser, "get", lambda name: name)
    with socket.create_server(("localhost", 0)) as probe:
        port = probe.getsockname()[1]
    cli.main(["--port", str(port), "--browser", "firefox"])
    cli.main(["--no-browser"])
    classes = {"LabApp": LabApp, "ServerApp": ServerApp}
    for option in {name.removeprefix("--") for options, _ in lab for name in options}:
        owner, trait = option.split(".")
        assert trait in classes[owner].class_traits(config=True)


def test_help_and_version(capsys):
    for option, said in (("--help", "--no-browser"), ("--version", llmviz.__version__)):
        with pytest.raises(SystemExit) as ended:
            cli.main([option])
        assert ended.value.code == 0
        assert said in capsys.readouterr().out


def test_the_command_is_installed_under_its_name():
    from importlib.metadata import entry_points

    (command,) = entry_points(group="console_scripts", name="llmviz")
    assert command.load() is cli.main


# ---- the reader's folder -----------------------------------------------------------------------------------


def test_a_wheel_puts_its_notebooks_into_a_folder_and_says_where(lab, in_a_wheel, capsys):
    assert cli.main([]) == 0
    folder = Path("llmviz-notebooks").absolute()
    assert sorted(path.name for path in folder.iterdir()) == NAMES[:2]  # and nothing else is left there
    for name in NAMES[:2]:
        assert (folder / name).read_bytes() == (in_a_wheel / "notebooks" / name).read_bytes()
    assert lab[0][0]["--ServerApp.root_dir"] == str(folder)
    said = capsys.readouterr().out
    assert notebooks_in(said) == NAMES[:2]
    assert str(folder) in said


@pytest.mark.usefixtures("lab", "in_a_wheel")
def test_a_second_start_copies_what_is_missing_and_keeps_what_was_changed(capsys):
    folder = Path("mine/of today").absolute()
    assert cli.main(["--folder", "mine/of today"]) == 0
    (folder / NAMES[0]).write_text("my own work")
    (folder / "another.ipynb").write_text("mine")
    capsys.readouterr()
    assert cli.main(["--folder", "mine/of today"]) == 0
    assert notebooks_in(capsys.readouterr().out) == [NAMES[0]]
    (folder / NAMES[1]).unlink()
    assert cli.main(["--folder", str(folder)]) == 0
    assert sorted(notebooks_in(capsys.readouterr().out)) == NAMES[:2]
    assert (folder / NAMES[0]).read_text() == "my own work"
    assert (folder / "another.ipynb").read_text() == "mine"


def test_a_clone_copies_too_when_a_folder_is_asked_for(lab, tmp_path):
    assert cli.main(["--folder", str(tmp_path / "copy")]) == 0
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == NAMES
    assert lab[0][0]["--ServerApp.root_dir"] == str(tmp_path / "copy")


def test_a_copy_that_breaks_off_leaves_nothing_behind(tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(self, content):
        write(self, content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        cli.copy_notebooks(CLONE / "notebooks", tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "/below"])
def test_a_folder_that_cannot_be_made(lab, in_a_wheel, capsys, below):
    Path("file").write_text("not a folder")
    said = refused(capsys, "--folder", f"file{below}")
    assert str(Path(f"file{below}").absolute()) in said
    assert "--folder" in said
    assert lab == []
    assert Path("file").read_text() == "not a folder"


def test_a_folder_that_cannot_be_written(lab, in_a_wheel, capsys, monkeypatch):
    def denied(self, content):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(
        Path, "write_bytes", denied
    )  # tests may run as root, for whom every folder can be written
    assert "Permission denied" in refused(capsys, "--folder", "shut")
    assert lab == []


def test_a_port_that_is_taken(lab, in_a_wheel, capsys):
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(capsys, "--port", str(port))
    assert re.search(holding(port, os.strerror(errno.EADDRINUSE), "--port"), said)
    assert lab == []
    assert not Path("llmviz-notebooks").exists()


@pytest.mark.parametrize("port", ["http", "-1", "0", "65536", "88.5", ""])
def test_a_port_that_is_none(lab, capsys, port):
    with pytest.raises(SystemExit) as ended:
        cli.main([f"--port={port}"])
    assert ended.value.code == 2
    assert re.search(holding(repr(port), 1, 65535), capsys.readouterr().err)
    assert lab == []


def test_a_browser_that_is_not_here(lab, capsys):
    assert "'no such browser'" in refused(capsys, "--browser", "no such browser")
    assert lab == []


def test_jupyterlab_is_missing(in_a_wheel, capsys, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "jupyterlab" else find_spec(name)
    )
    assert "pip install jupyterlab" in refused(capsys)
    assert list(Path().iterdir()) == []


def test_ctrl_c_before_jupyterlab_is_up(lab, monkeypatch):
    from jupyterlab.labapp import LabApp

    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(LabApp, "launch_instance", interrupted)
    assert cli.main([]) == 130


def test_the_command_imports_no_jupyterlab_before_it_needs_it():
    program = "import sys, llmviz.cli; print(*[name for name in sys.modules if 'jupyter' in name])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


# ---- another model -----------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Path:
    """A small model in the folder in which the reader stands."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.delenv("LLMVIZ_MODEL", raising=False)
    monkeypatch.setenv("LLMVIZ_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tiny_gguf.write(tmp_path / "tiny.gguf", tiny_gguf.VARIANTS["full"])


def test_a_chosen_model_is_loaded_and_named_for_the_notebooks(lab, tiny):
    assert cli.main(["--model", "tiny.gguf"]) == 0
    assert len(lab) == 1
    assert os.environ["LLMVIZ_MODEL"] == str(tiny)
    assert list(tiny.parent.glob("home/weights/*/index.json"))


@pytest.mark.parametrize("argv", [["--model", "tiny.gguf", "page"], ["page", "--model", "tiny.gguf"]])
def test_pages_are_computed_with_a_chosen_model(tiny, monkeypatch, argv):
    built = []
    monkeypatch.setattr(cli, "_write_pages", lambda *_: built.append(os.environ["LLMVIZ_MODEL"]))
    assert cli.main(argv) == 0
    assert built == [str(tiny)]


def test_a_class_is_served_with_a_chosen_model(tiny, monkeypatch):
    from llmviz import classroom

    served = []
    monkeypatch.setattr(classroom, "serve", lambda *_, **__: served.append(os.environ["LLMVIZ_MODEL"]))
    assert cli.main(["class", "--model", "tiny.gguf", "--local"]) == 0
    assert served == [str(tiny)]


@pytest.mark.parametrize("command", [[], ["page"], ["class", "--local"]])
def test_a_chosen_model_that_cannot_be_loaded(lab, tiny, capsys, command):
    assert re.search(holding("missing.gguf"), refused(capsys, *command, "--model", "missing.gguf"))
    Path("broken.gguf").write_bytes(tiny.read_bytes()[:5000])
    assert cli.main([*command, "--model", "broken.gguf"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]  # after the bar that shows while the file is read
    assert re.search(holding("llmviz", "broken.gguf"), last)
    assert lab == []
    assert "LLMVIZ_MODEL" not in os.environ


def test_the_list_of_models_says_what_can_be_opened_and_why_the_rest_cannot(tiny, capsys, monkeypatch):
    from llmviz import local_models

    llmviz.load(tiny, progress=False)
    broken = local_models.Found("half:latest", tiny, problem="it is incomplete")
    monkeypatch.setattr(local_models, "_of_ollama", lambda: [broken])
    monkeypatch.setattr(local_models, "_of_huggingface", list)
    assert cli.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [str(tiny), "llama", "0", "MB"] in [line.split() for line in lines]
    assert any(line.split()[0] == "gemma" and "download" in line for line in lines)
    assert "half:latest  it is incomplete" in lines


# ---- the cache ---------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A cache folder with a file that stands in for the model's, and a tiny model, unpacked."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LLMVIZ_HOME", str(folder))
    llmviz.load(tiny_gguf.write(tmp_path / "tiny.gguf", tiny_gguf.VARIANTS["full"]), progress=False)
    (folder / download.FILE_NAME).write_bytes(bytes(3_000_000))
    (folder / "of somebody else").touch()
    return folder


def test_the_cache_says_where_it_is_and_what_is_in_it(home, capsys, tmp_path):
    before = sorted(home.rglob("*"))
    assert cli.main(["cache"]) == 0
    said = capsys.readouterr().out
    assert re.search(holding(home, "3 MB", download.FILE_NAME, tmp_path / "tiny.gguf"), said)
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("answer", ["", "n", "yes please", None])
def test_the_cache_is_kept_unless_the_question_is_answered_with_y(home, capsys, monkeypatch, answer):
    monkeypatch.setattr("sys.stdin", io.StringIO("" if answer is None else f"{answer}\n"))
    before = sorted(home.rglob("*"))
    assert cli.main(["cache", "--delete"]) == 0
    assert sorted(home.rglob("*")) == before


def test_the_cache_is_deleted_after_a_question(home, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert cli.main(["cache", "--delete"]) == 0
    assert {path.name for path in home.iterdir()} == {"weights", "of somebody else"}
    assert list((home / "weights").iterdir()) == []
    capsys.readouterr()
    assert cli.main(["cache", "--delete"]) == 0  # there is nothing to ask about
    assert str(home) in capsys.readouterr().out
