"""Find the models on this machine: those that llmviz keeps or has opened before, Ollama's and Hugging Face's.

    on_this_machine()    what `llmviz models` lists
    find("llama3.2")     the model of that name, or at that path

Nothing is read of them but their family. What other programs keep in their folders may change at any time, so a broken
file there is listed with its reason, and never an error.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmviz import download, model_files, weights
from llmviz.machine import file_text

TITLES = {download.DEFAULT: "SmolLM2-135M-Instruct", "gemma": "Gemma 3 270M"}
OLLAMA_WEIGHTS = "application/vnd.ollama.image.model"


@dataclass(frozen=True)
class Found:
    """A model on this machine."""

    name: str  # what `find` takes
    path: Path  # a file or a folder
    n_bytes: int = 0
    family: str = ""  # its architecture, by its name in GGUF files
    problem: str = ""  # why it cannot be opened
    sha256: str | None = None  # what its file must have, if that is known

    @property
    def title(self) -> str:
        """Return the name that a page shows."""
        path = Path(self.name)
        if not path.is_absolute():
            return TITLES.get(self.name, self.name)
        if path.parent.name == "snapshots":
            return _repository(path.parent.parent)
        return path.stem if path.suffix == ".gguf" else path.name


def find(chosen: str | Path | None = None, progress: bool = True) -> Found:
    """Return the model that a path or a name chooses: by default the one of `LLMVIZ_MODEL`, or else the default model.

    What llmviz can download is downloaded first if necessary; `download` says what is raised if that fails.
    FileNotFoundError if there is no such model here; ValueError if it is listed with a problem.
    """
    given = "" if chosen is not None else os.environ.get("LLMVIZ_MODEL", "")
    name = str(chosen if chosen is not None else given or download.DEFAULT)
    if name in download.NAMED:
        return Found(name, download.model_path(name, progress), sha256=download.NAMED[name].sha256)
    path = Path(name).expanduser().absolute()
    if path.is_file() or any((path / file).is_file() for file in (weights.SAVED, model_files.CONFIG)):
        return Found(str(path), path / weights.SAVED if (path / weights.SAVED).is_file() else path)
    for model in on_this_machine():
        if model.name in (name, f"{name}:latest"):
            if model.problem:
                raise ValueError(f"The model {name} cannot be opened: {model.problem}")
            return model
    beginning = f"The environment variable LLMVIZ_MODEL names {name}, but" if given else "There is no model:"
    what = "is a folder without one" if path.is_dir() else "does not exist"
    raise FileNotFoundError(
        f"{beginning} {path} {what}. Give the path of a .gguf file, of a folder with {weights.SAVED} "
        f"(`model.save(folder)` writes one) or with {model_files.CONFIG} and *.safetensors, or a name that "
        "`llmviz models` lists."
    )


def on_this_machine() -> list[Found]:
    """Return the models that are on this machine, those that can't be opened among them."""
    models: list[Found] = []
    for source in (_own, _of_ollama, _of_huggingface):
        with contextlib.suppress(OSError):  # a folder that we may not look into
            models.extend(source())
    return models


def _looked_at(name: str, path: Path, n_bytes: int = 0) -> Found:
    """Return what there is to know of a model. n_bytes: the size that it should have."""
    size, family, problem = 0, "", ""
    try:
        family, files = model_files.architecture(path), model_files.weight_files(path)
        if (size := sum(file.stat().st_size for file in files)) == 0 or size < n_bytes:
            problem = f"{path} is incomplete" if files else "it has no *.safetensors"
        elif family not in weights.FAMILIES:
            problem = f"llmviz does not run the architecture {family}"
    except (OSError, ValueError) as error:
        problem = str(error)
    return Found(name, path, size, family, problem)


def _own() -> Iterator[Found]:
    """Yield the models that llmviz has downloaded, or unpacked at some time."""
    folder = download.cache_folder()
    named = {download.model_file(name): (name, source.n_bytes) for name, source in download.NAMED.items()}
    yield from (_looked_at(name, path, size) for path, (name, size) in named.items() if path.is_file())
    opened = {Path(path) for path in weights.cached_files(folder).values() if path}
    hidden = ("blobs", "snapshots")  # where Ollama and Hugging Face keep theirs
    for path in sorted(opened - named.keys()):
        if path.exists() and path.parent.name not in hidden:
            yield _looked_at(str(path), path)


def _of_ollama() -> Iterator[Found]:
    """Yield the models of Ollama: a manifest for each name, and its weights as a GGUF file, named by its hash."""
    own = Path("~/.ollama/models").expanduser()
    folders = [own, Path("/usr/share/ollama/.ollama/models")]  # the second one is that of the service
    if chosen := os.environ.get("OLLAMA_MODELS"):
        folders = [Path(chosen)]
    for folder in folders:
        for manifest in sorted((folder / "manifests").rglob("*")):
            host, *more = manifest.relative_to(folder / "manifests").parts
            if len(more) != 3:
                continue
            prefix = "" if host == "registry.ollama.ai" else f"{host}/"
            name = prefix + "/".join(more[more[0] == "library" : 2]) + f":{more[2]}"
            try:
                layers = json.loads(manifest.read_bytes())["layers"]
                layer = next((of for of in layers if of["mediaType"] == OLLAMA_WEIGHTS), None)
                if layer is None:  # it runs in their cloud
                    continue
                if not re.fullmatch("sha256:[0-9a-f]{64}", layer["digest"]):
                    raise ValueError(layer["digest"])
                blob, size = folder / "blobs" / layer["digest"].replace(":", "-"), int(layer["size"])
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                yield Found(name, manifest, problem=f"{manifest} is damaged")
            else:
                yield _looked_at(name, blob, size)


def _of_huggingface() -> Iterator[Found]:
    """Yield the models in the cache of Hugging Face: folders, and GGUF files in folders."""
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    hub = Path(os.environ.get("HF_HOME", home)) / "hub"
    for folder in sorted(Path(os.environ.get("HF_HUB_CACHE", hub)).expanduser().glob("models--*")):
        name, snapshots = _repository(folder), sorted((folder / "snapshots").glob("*"))
        main = folder / "snapshots" / file_text(folder / "refs" / "main").strip()
        for snapshot in [main] if main in snapshots else snapshots[-1:]:
            for file in sorted(snapshot.rglob("*.gguf")):
                if file.is_file():
                    yield _looked_at(f"{name}/{file.relative_to(snapshot).as_posix()}", file)
            if (snapshot / model_files.CONFIG).is_file():
                yield _looked_at(name, snapshot)


def _repository(folder: Path) -> str:
    return folder.name.removeprefix("models--").replace("--", "/")
