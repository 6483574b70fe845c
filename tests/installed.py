"""The wheel that this tree builds, and an environment in which it is installed as a reader installs it."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from shutil import copytree

ROOT = Path(__file__).parent.parent

# Every setting of JupyterLab as its server would send it to a page.
SETTINGS = """
import json
from jupyter_core.paths import jupyter_path
from jupyterlab.commands import get_app_dir, get_user_settings_dir
from jupyterlab_server.settings_utils import get_settings
app = get_app_dir()
found, _ = get_settings(app + "/settings", app + "/schemas", get_user_settings_dir(),
                        labextensions_path=jupyter_path("labextensions"))
print(json.dumps({one["id"]: one["schema"] for one in found["settings"]}))
"""


def build_wheel(folder: Path) -> Path:
    """The wheel, made by the build backend itself."""
    program = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


class Environment:
    """A new environment with the packages of this one, but without llmviz; made in seconds, with no network.

    The packages are seen through a .pth file, which a clone's editable installation does not come through; what they
    keep for Jupyter is copied.
    """

    def __init__(self, folder: Path):
        self.folder, self.home = folder / "venv", folder / "home"
        venv.create(self.folder, symlinks=os.name != "nt")
        self.bin = self.folder / ("Scripts" if os.name == "nt" else "bin")
        for part in ("share/jupyter", "etc/jupyter"):
            if (Path(sys.prefix) / part).is_dir():
                copytree(Path(sys.prefix) / part, self.folder / part)
        self._borrowed = Path(
            self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        )
        self._borrowed /= "borrowed.pth"
        self._borrow()

    def _borrow(self) -> None:
        self._borrowed.write_text("\n".join({sysconfig.get_path(name) for name in ("purelib", "platlib")}))

    def environ(self) -> dict[str, str]:
        """The variables of a reader whose Jupyter is untouched."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PYTHON"))
        }
        own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
        own |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
        own = {name: str(self.home / part) for name, part in own.items()}
        path = os.pathsep.join([str(self.bin), os.environ["PATH"]])
        return inherited | own | {"IPYTHONDIR": str(self.home / "ipython"), "PATH": path}

    def run(self, *command: str) -> str:
        """What its Python writes, errors and warnings too."""
        return subprocess.run(
            [self.bin / "python", *command],
            env=self.environ(),
            cwd=self.folder,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout

    def install(self, wheel: Path) -> None:
        self._borrowed.unlink()  # or pip would see the llmviz that is being tested, and leave it at that
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
        self._borrow()

    def server_extensions(self) -> str:
        """What `jupyter server extension list` says; not which of them took long to import, which it says at times."""
        listing = self.run("-m", "jupyter_server", "extension", "list")
        return "\n".join(line for line in listing.splitlines() if line.strip() and " took " not in line)

    def lab_settings(self) -> dict:
        """The schema of each plugin of JupyterLab, with the defaults that are in force."""
        return json.loads(self.run("-c", SETTINGS))

    def files(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}
