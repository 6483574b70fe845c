"""What a clone and a wheel hold: one list of dependencies, clean files, every static file."""

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def files_in_git() -> list[Path]:
    """The files of the clone: what git holds, and what would be added next."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted({path for name in names if name and (path := ROOT / name).is_file()})


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---- dependencies ------------------------------------------------------------------------------------------


def bounds(requirements) -> dict[str, str]:
    parsed = [Requirement(text) for text in requirements]
    assert len({requirement.name for requirement in parsed}) == len(parsed)
    return {requirement.name: str(requirement.specifier) for requirement in parsed}


def test_environment_yml_names_the_packages_and_bounds_of_pyproject_toml():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert environment["channels"][0] == "conda-forge"
    *conda, last = environment["dependencies"]
    *pip, ourselves = last["pip"]
    assert ourselves == "-e ."
    project = PYPROJECT["project"]
    assert bounds(conda + pip) == bounds([*project["dependencies"], f"python{project['requires-python']}"])


def imported_modules(path: Path) -> set[str]:
    """The absolute names of what a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}


def test_every_module_imported_outside_the_standard_library_is_a_dependency():
    declared = {name.replace("-", "_").lower() for name in bounds(PYPROJECT["project"]["dependencies"])}
    declared |= {"ipython", "traitlets"}  # come with ipywidgets, which is built on them
    declared |= {"tiktoken_ext"}  # where tiktoken keeps published vocabularies
    declared |= {"jupyter_server"}  # what jupyterlab extends
    foreign = {
        (named(path), name.split(".")[0])
        for path in (ROOT / "llmviz").rglob("*.py")
        for name in imported_modules(path)
        if name.split(".")[0].lower() not in declared | {"llmviz"} | sys.stdlib_module_names
    }
    assert foreign == set()


# ---- what a file may hold ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [p for p in files_in_git() if p.suffix == ".ipynb"], ids=named)
def test_a_notebook_has_no_outputs_and_no_widget_state(path):
    notebook = json.loads(path.read_text("utf-8"))
    assert "widgets" not in notebook["metadata"]
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


# Spelt in pieces, so that this file passes its own test.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"py" r"pi\.org",
            r"python" r"hosted\.org",
            r"npm" r"js\.(?:org|com)",
            r"yarn" r"pkg\.com",
            r"huggingface\.co" r"/[\w.-]+/[\w.-]+/resolve",
            r"(?:conda\.)?ana" r"conda\.org",
            r"deb" r"ian\.org",
            r"unp" r"kg\.com",
            r"js" r"delivr",
            r"/ho" r"me/\w",
            r"/Us" r"ers/\w",
            r"/ro" r"ot/\w",
            r"/tm" r"p/\w",
            r"/wo" r"rk/\w",
            r"C:\\\\?" r"Users",
        ]
    )
)


# Voilà's own page asks this host for icons; the browser's driver names it, to see that nothing of ours does.
NAMED_TO_BE_BLOCKED = ("tests/browser/", "js" r"delivr")


def test_no_file_names_a_registry_host_or_a_path_of_somebodys_machine():
    found = []
    for path in files_in_git():
        data = path.read_bytes()
        if b"\0" in data[:8000]:
            continue  # a picture or an array
        for number, line in enumerate(data.decode("utf-8").splitlines(), 1):
            match = FORBIDDEN.search(line)
            if match and not (
                named(path).startswith(NAMED_TO_BE_BLOCKED[0]) and match[0] == NAMED_TO_BE_BLOCKED[1]
            ):
                found.append(f"{named(path)}:{number}: {match[0]}")
    assert found == []


def test_no_file_is_large_and_none_is_a_model_or_a_lock_file():
    large = [named(path) for path in files_in_git() if path.stat().st_size > 700_000]
    assert large == []
    unwanted = {".gguf", ".safetensors", ".pt", ".bin", ".lock"}
    names = {"package-lock.json", "conda-lock.yml", "uv.lock"}
    assert [named(path) for path in files_in_git() if path.suffix in unwanted or path.name in names] == []


# ---- the wheel ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel that this tree builds, made by the build backend itself."""
    folder = tmp_path_factory.mktemp("wheel")
    program = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


def test_the_wheel_ships_every_file_of_the_package(wheel):
    shipped = set(wheel.namelist())
    expected = {named(path) for path in files_in_git() if named(path).startswith("llmviz/")}
    assert expected <= shipped
    assert not [name for name in shipped if name.startswith(("tests/", "notebooks/"))]


def test_the_wheel_silences_jupyterlabs_news_and_touches_no_settings_of_the_users(wheel):
    settings = [name for name in wheel.namelist() if "/share/jupyter/" in name]
    assert len(settings) == 1
    # JupyterLab also reads overrides.json in the folder above: that one file belongs to the user.
    assert settings[0].endswith(".data/data/share/jupyter/lab/settings/overrides.d/llmviz.json")
    (values,) = json.loads(wheel.read(settings[0])).values()
    assert values == {"fetchNews": "false", "checkForUpdates": False}


def test_the_wheel_switches_on_its_server_extension_and_nothing_else(wheel):
    (name,) = [name for name in wheel.namelist() if "/etc/" in name]
    assert name.endswith(".data/data/etc/jupyter/jupyter_server_config.d/llmviz.json")


def test_jupyterlab_knows_the_settings_that_are_overridden():
    from jupyterlab.commands import get_app_dir

    for plugin, values in json.loads(
        (ROOT / "share/jupyter/lab/settings/overrides.d/llmviz.json").read_text("utf-8")
    ).items():
        package, name = plugin.split(":")
        schema = json.loads((Path(get_app_dir()) / "schemas" / package / f"{name}.json").read_text("utf-8"))
        assert set(values) <= set(schema["properties"])
