"""The contract suite finds each of the faults in tests/mutants.py."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import MUTANTS

ROOT = Path(__file__).parents[1]
SAMPLE = ("a stop is forgotten", "step by step: the choice stays")
FEW = ("example", "step by step", "writing")  # views that show faults in the base


@pytest.fixture
def copy(tmp_path):
    """The package and its tests elsewhere, as links to the same files."""
    for folder in ("llmviz", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", "browser", "benchmarks")
        shutil.copytree(ROOT / folder, tmp_path / folder, copy_function=os.symlink, ignore=ignore)
    (tmp_path / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    return tmp_path


def contract(folder: Path, *views: str) -> subprocess.CompletedProcess:
    """Run the contract suite there, for some views, until something fails."""
    names = " or ".join(view.replace(" ", " and ") for view in views)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", "-k", names]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*command, "tests/test_views_contract.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def assert_it_is_found(fault: str, folder: Path) -> None:
    (file, text, instead), view = MUTANTS[fault], fault.partition(":")[0]
    path = folder / "llmviz" / file
    source = path.read_text("utf-8")
    path.unlink()  # the link only
    path.write_text(source.replace(text, instead), "utf-8")
    compile(path.read_text("utf-8"), path, "exec")
    result = contract(folder, *([view] if ":" in fault else FEW))
    assert result.returncode == 1, result.stdout[-2_000:] + result.stderr[-2_000:]
    assert "failed" in result.stdout


def test_each_fault_can_be_planted():
    assert len(MUTANTS) >= 40
    places = {
        fault: (ROOT / "llmviz" / file).read_text("utf-8").count(text)
        for fault, (file, text, _) in MUTANTS.items()
    }
    assert {
        fault: n for fault, n in places.items() if n != 1
    } == {}  # else its file has changed: mend the list


@pytest.mark.parametrize("fault", SAMPLE)
def test_some_faults_are_found(fault, copy):
    assert_it_is_found(fault, copy)


@pytest.mark.long
@pytest.mark.parametrize("fault", MUTANTS)
def test_each_fault_is_found(fault, copy):
    assert_it_is_found(fault, copy)


@pytest.mark.long
def test_without_a_fault_nothing_is_found(copy):
    assert contract(copy, *FEW).returncode == 0
