"""What a clone and a wheel hold: one list of dependencies, clean files, every static file."""

import ast
import base64
import gzip
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from shutil import copytree

import nbformat
import pytest
import yaml
from installed import Environment, build_wheel
from packaging.requirements import Requirement

import llmviz

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
    """The absolute names of what a file imports, anywhere in it, and of the packages whose files it reads."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
    # importlib.resources.files("package") imports it as well
    of_files = [call.args[0] for call in calls if ast.unparse(call.func).split(".")[-1] == "files"]
    return names | {name.value for name in of_files if isinstance(name, ast.Constant)}


def test_every_module_imported_outside_the_standard_library_is_a_dependency():
    declared = {name.replace("-", "_").lower() for name in bounds(PYPROJECT["project"]["dependencies"])}
    declared |= {"ipython", "traitlets"}  # come with ipywidgets, which is built on them
    declared |= {"tiktoken_ext"}  # where tiktoken keeps published vocabularies
    declared |= {"jupyter_server"}  # what jupyterlab extends
    declared |= {"jupyter_core"}  # what jupyter_client stands on
    declared |= {"psutil"}  # what ipykernel needs
    declared |= {"tornado"}  # what jupyter_client and jupyter_server stand on
    optional = PYPROJECT["project"]["optional-dependencies"][
        "class"
    ]  # asked for by name when it is not there
    declared |= {name.lower() for name in bounds(optional)}
    foreign = {
        (named(path), name.split(".")[0])
        for path in (ROOT / "llmviz").rglob("*.py")
        for name in imported_modules(path)
        if name.split(".")[0].lower() not in declared | {"llmviz"} | sys.stdlib_module_names
    }
    assert foreign == set()


def test_an_extra_asks_for_a_package_within_the_same_bounds_as_the_tests():
    extras = PYPROJECT["project"]["optional-dependencies"]
    of_class, of_tests = bounds(extras["class"]), bounds(extras["test"])
    assert of_class == {name: of_tests[name] for name in of_class}


def test_no_voila_is_taken_that_the_tests_have_not_seen():
    """Its internals are subclassed, and may be others in any release."""
    voila = Requirement(f"voila{bounds(PYPROJECT['project']['optional-dependencies']['class'])['voila']}")
    assert voila.specifier.contains(version("voila"))
    newest = [clause for clause in voila.specifier if clause.operator in ("<", "<=", "==")]
    assert newest, "voila has no upper bound"


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
    offences = []
    for path in files_in_git():
        data = path.read_bytes()
        if b"\0" in data[:8000]:
            continue  # a picture or an array
        for number, line in enumerate(data.decode("utf-8").splitlines(), 1):
            match = FORBIDDEN.search(line)
            if match and not (
                named(path).startswith(NAMED_TO_BE_BLOCKED[0]) and match[0] == NAMED_TO_BE_BLOCKED[1]
            ):
                offences.append(f"{named(path)}:{number}: {match[0]}")
    assert offences == []


def test_no_file_is_large_and_none_is_a_model_or_a_lock_file():
    film = "docs/journey.webp"  # the README's moving picture
    most = {path: 3_000_000 if named(path) == film else 700_000 for path in files_in_git()}
    assert [named(path) for path, limit in most.items() if path.stat().st_size > limit] == []
    unwanted = {".gguf", ".safetensors", ".pt", ".bin", ".lock"}
    names = {"package-lock.json", "conda-lock.yml", "uv.lock"}
    assert [named(path) for path in files_in_git() if path.suffix in unwanted or path.name in names] == []


# ---- the wheel ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_ships_every_file_of_the_package_and_in_it_every_notebook_and_the_guide(wheel):
    names = [named(path) for path in files_in_git()]
    package = {name for name in names if name.startswith("llmviz/")}
    beside = {
        f"llmviz/{name}" for name in names if name.startswith("notebooks/") or name == "docs/teaching.md"
    }
    assert len(beside) >= 8
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
        for name in beside:
            assert archive.read(name) == (ROOT / name.removeprefix("llmviz/")).read_bytes()
    assert shipped == package | beside  # so nothing for Jupyter's own folders, which it would read unasked


def test_nothing_of_jupyter_is_changed_by_the_installation(wheel, tmp_path):
    environment = Environment(tmp_path)
    before, settings = environment.files(), environment.lab_settings()
    extensions = environment.server_extensions()
    assert "jupyterlab" in extensions
    assert "@jupyterlab/apputils-extension:notification" in settings
    environment.install(wheel)
    imported = environment.run("-c", "import llmviz; print(llmviz.__file__)").strip()
    assert Path(imported).is_relative_to(environment.folder)
    assert environment.server_extensions() == extensions
    assert environment.lab_settings() == settings
    added = [Path(name) for name in environment.files() - before if "__pycache__" not in name]
    assert [path for path in added if "site-packages" not in path.parts] == [Path("bin/llmviz")]

    # What only the server of the command `llmviz` reads would have shown, had it been installed for all.
    ours, everybodys = ROOT / "llmviz/jupyter", environment.folder / "etc/jupyter"
    copytree(ours, everybodys, dirs_exist_ok=True)
    assert "llmviz.server_extension" in environment.server_extensions()
    changed = environment.lab_settings()
    differing = [plugin for plugin in settings if settings[plugin] != changed[plugin]]
    assert differing == ["@jupyterlab/apputils-extension:notification"]
    defaults = {name: value["default"] for name, value in changed[differing[0]]["properties"].items()}
    assert defaults == {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": False}
    assert set(settings[differing[0]]["properties"]) == set(
        defaults
    )  # no setting that JupyterLab doesn't know


def test_the_installed_wheel_builds_a_page_in_an_empty_folder(wheel, tmp_path):
    environment = Environment(tmp_path / "installed")
    environment.install(wheel)
    desk = tmp_path / "desk"
    desk.mkdir()
    source = (
        "import llmviz\nfrom llmviz import views\nprint(llmviz.__file__)\nviews.Predict('2 + 2?', answer=4)"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbformat.write(notebook, desk / "sum.ipynb")
    subprocess.run(
        [environment.bin / "llmviz", "page", "sum.ipynb", "--seconds", "1"],
        cwd=desk,
        env=environment.environ(),
        check=True,
        capture_output=True,
    )
    page = (desk / "sum.html").read_text("utf-8")
    assert f"{environment.folder}" in page
    assert (
        "The answer is 4."
        in gzip.decompress(base64.b64decode(re.search(r'id="packed">([^<]+)<', page)[1])).decode()
    )
    assert sorted(path.name for path in desk.iterdir()) == ["sum.html", "sum.ipynb"]


def test_the_version_is_one():
    assert PYPROJECT["project"]["version"] == llmviz.__version__
