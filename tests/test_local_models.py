"""Which models there are on this machine, and which one a name or a path chooses."""

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from messages import holding

import llmviz
from llmviz import download, local_models


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A home folder in which there is nothing yet."""
    for name in [name for name in os.environ if name.startswith(("LLMVIZ_", "HF_", "XDG_", "OLLAMA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LLMVIZ_HOME", str(tmp_path / "llmviz"))
    monkeypatch.setattr(download, "_installed_files", lambda source: [])
    return tmp_path


@pytest.fixture
def tiny(tiny_path) -> bytes:
    return tiny_path("full").read_bytes()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def in_ollama(folder: Path, name: str, content: bytes, size: int | None = None) -> Path:
    """Put a model into a folder as Ollama does."""
    digest = hashlib.sha256(content).hexdigest()
    layers = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:00", "size": 1},
        {
            "mediaType": local_models.OLLAMA_WEIGHTS,
            "digest": f"sha256:{digest}",
            "size": size or len(content),
        },
    ]
    put(folder / "manifests" / name, json.dumps({"schemaVersion": 2, "layers": layers}).encode())
    return put(folder / "blobs" / f"sha256-{digest}", content)


def in_huggingface(hub: Path, name: str, files: dict[str, bytes], revision: str = "abc") -> Path:
    folder = hub / f"models--{name.replace('/', '--')}"
    put(folder / "refs" / "main", revision.encode())
    for file, content in files.items():
        put(folder / "snapshots" / revision / file, content)
    return folder / "snapshots" / revision


def listed() -> dict[str, local_models.Found]:
    models = local_models.on_this_machine()
    assert len({found.name for found in models}) == len(models)
    return {found.name: found for found in models}


# ---- the list ----------------------------------------------------------------------------------------------


def test_a_machine_without_models():
    assert listed() == {}


def test_what_llmviz_keeps_and_has_opened(home, tiny, monkeypatch):
    monkeypatch.setitem(download.NAMED, "smollm2", replace(download.NAMED["smollm2"], n_bytes=len(tiny)))
    put(home / "llmviz" / download.FILE_NAME, tiny)
    put(home / "llmviz" / download.NAMED["gemma"].file_name, tiny[:1000])
    mine = put(home / "mine.gguf", tiny + b"\0")
    gone = put(home / "gone.gguf", tiny + b"\0\0")
    for path in (mine, gone):
        llmviz.load(path, progress=False)
    gone.unlink()
    found = listed()
    assert list(found) == ["smollm2", "gemma", str(mine)]
    assert (found["smollm2"].family, found["smollm2"].n_bytes) == ("llama", len(tiny))
    assert "incomplete" in found["gemma"].problem
    assert found[str(mine)].problem == ""


@pytest.mark.parametrize("chosen", [False, True])
def test_ollamas_models(home, tiny, monkeypatch, chosen):
    folder = home / "elsewhere" if chosen else home / ".ollama" / "models"
    if chosen:
        monkeypatch.setenv("OLLAMA_MODELS", str(folder))
    blob = in_ollama(folder, "registry.ollama.ai/library/llama3.2/1b", tiny)
    in_ollama(folder, "registry.ollama.ai/library/llama3.2/latest", tiny)
    in_ollama(folder, "registry.ollama.ai/somebody/model/latest", tiny)
    in_ollama(folder, "hf.co/somebody/model-GGUF/Q4_0", tiny)
    in_ollama(folder, "registry.ollama.ai/library/half/latest", tiny[:-1], len(tiny))
    put(folder / "manifests" / "registry.ollama.ai/library/gone/latest", b'{"layers": [}')
    put(folder / "manifests" / "registry.ollama.ai/library/cloud/latest", b'{"layers": []}')
    put(folder / "manifests" / "note.txt", b"?")
    found = listed()
    assert {name for name in found if not found[name].problem} == {
        *("llama3.2:1b", "llama3.2:latest", "somebody/model:latest", "hf.co/somebody/model-GGUF:Q4_0")
    }
    assert found["llama3.2:1b"].path == blob
    assert "incomplete" in found["half:latest"].problem
    assert "damaged" in found["gone:latest"].problem
    assert llmviz.load("llama3.2", progress=False).name == "llama3.2:latest"
    assert set(listed()) == set(found)  # opened, it is still listed once


def test_a_manifest_that_leads_out_of_the_folder_is_damaged(home, tiny):
    folder = home / ".ollama" / "models"
    layers = [{"mediaType": local_models.OLLAMA_WEIGHTS, "digest": "../../mine.gguf", "size": 1}]
    put(folder / "manifests/registry.ollama.ai/library/x/latest", json.dumps({"layers": layers}).encode())
    assert "damaged" in listed()["x:latest"].problem


@pytest.mark.parametrize(
    ("variable", "value", "hub"),
    [
        (None, "", ".cache/huggingface/hub"),
        ("HF_HOME", "hf", "hf/hub"),
        ("HF_HUB_CACHE", "cache", "cache"),
        ("XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub"),
    ],
)
def test_hugging_faces_models(home, tiny, monkeypatch, variable, value, hub):
    if variable:
        monkeypatch.setenv(variable, str(home / value))
    config = json.dumps({"model_type": "qwen2"}).encode()
    weights = {"config.json": config, "model.safetensors": b"12345678"}
    in_huggingface(home / hub, "some/folder", weights, "old")
    new = in_huggingface(home / hub, "some/folder", weights | {"model.safetensors": b"123"}, "new")
    in_huggingface(home / hub, "some/quantised-GGUF", {"x-Q4_0.gguf": tiny})
    in_huggingface(home / hub, "some/text-classifier", weights | {"config.json": b'{"model_type": "bert"}'})
    in_huggingface(home / hub, "some/pickle", {"config.json": config, "pytorch_model.bin": b"!"})
    in_huggingface(home / hub, "some/damaged", weights | {"config.json": b"{"})
    index = {"config.json": config, "model.safetensors.index.json": b'{"weight_map": {"a": "b.safetensors"}}'}
    in_huggingface(home / hub, "some/half", index)
    in_huggingface(home / hub, "some/list", index | {"model.safetensors.index.json": b'{"weight_map": [1]}'})
    in_huggingface(home / hub, "some/tokenizer", {"tokenizer.json": b"{}"})
    (home / hub / "models--some--nothing").mkdir()
    found = listed()
    assert {name for name in found if not found[name].problem} == {
        "some/folder",
        "some/quantised-GGUF/x-Q4_0.gguf",
    }
    assert (found["some/folder"].path, found["some/folder"].n_bytes) == (new, 3)
    assert found["some/folder"].family == "qwen2"
    assert "bert" in found["some/text-classifier"].problem
    assert "safetensors" in found["some/pickle"].problem
    assert "config.json" in found["some/damaged"].problem
    assert "b.safetensors" in found["some/half"].problem
    assert "model.safetensors.index.json" in found["some/list"].problem
    assert len(found) == 7
    model = llmviz.load("some/quantised-GGUF/x-Q4_0.gguf", progress=False)
    assert model.name == "some/quantised-GGUF/x-Q4_0.gguf"


def test_a_folder_that_may_not_be_read_hides_no_other(home, tiny, monkeypatch):
    mine = put(home / "mine.gguf", tiny)
    llmviz.load(mine, progress=False)
    in_huggingface(home / ".cache/huggingface/hub", "some/model", {"x.gguf": tiny})
    glob = Path.glob

    def denied(folder, pattern):
        if folder.name == "hub":
            raise PermissionError(folder)
        return glob(folder, pattern)

    monkeypatch.setattr(Path, "glob", denied)
    assert list(listed()) == [str(mine)]


# ---- which one a name chooses ------------------------------------------------------------------------------


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_path_chooses_a_file_or_a_folder(home, tiny, monkeypatch, by_variable):
    def find(chosen: str) -> local_models.Found:
        if not by_variable:
            return local_models.find(chosen)
        monkeypatch.setenv("LLMVIZ_MODEL", chosen)
        return local_models.find()

    mine, saved = put(home / "mine.Q4.gguf", tiny), put(home / "saved" / "model.gguf", tiny)
    for chosen in (str(mine), "~/mine.Q4.gguf"):
        assert (find(chosen).path, find(chosen).title) == (mine, "mine.Q4")
    assert (find("~/saved").path, find("~/saved").title) == (saved, "saved")
    put(home / "folder" / "config.json", b"{}")
    assert find("~/folder").path == home / "folder"
    snapshot = in_huggingface(home / "hub", "some/folder", {"config.json": b"{}"})
    assert find(str(snapshot)).title == "some/folder"
    assert not (home / "llmviz").exists()


def test_a_relative_path(home, tiny, monkeypatch):
    mine = put(home / "mine.gguf", tiny)
    monkeypatch.chdir(home)
    assert local_models.find("mine.gguf").path == mine


def test_a_path_that_leads_to_no_model_is_an_error_at_once(home, monkeypatch):
    (home / "empty").mkdir()
    said = set()
    for path in (home / "missing.gguf", home / "empty"):
        with pytest.raises(FileNotFoundError, match=holding(path, "llmviz models")) as caught:
            local_models.find(path)
        assert "LLMVIZ_MODEL" not in str(caught.value)
        monkeypatch.setenv("LLMVIZ_MODEL", str(path))
        with pytest.raises(FileNotFoundError, match=holding("LLMVIZ_MODEL", path)) as caught:
            local_models.find()
        said.add(str(caught.value).replace(str(path), ""))
        monkeypatch.delenv("LLMVIZ_MODEL")
    assert len(said) == 2  # a file that is not there, and a folder
    with pytest.raises(FileNotFoundError, match="llama3"):
        local_models.find("llama3")


def test_a_name_whose_model_is_broken_says_why(home, tiny):
    in_ollama(home / ".ollama/models", "registry.ollama.ai/library/half/latest", tiny[:-1], len(tiny))
    with pytest.raises(ValueError, match=re.escape("incomplete")):
        local_models.find("half")


def test_the_default_model_has_a_name(home, tiny, monkeypatch):
    sha256 = hashlib.sha256(tiny).hexdigest()
    source = replace(download.NAMED["smollm2"], n_bytes=len(tiny), sha256=sha256)
    monkeypatch.setitem(download.NAMED, "smollm2", source)
    put(home / "llmviz" / download.FILE_NAME, tiny)
    assert llmviz.load(progress=False).name == "SmolLM2-135M-Instruct"
    assert llmviz.load("smollm2", progress=False) is llmviz.load(progress=False)
    monkeypatch.setenv("LLMVIZ_MODEL", "smollm2")
    assert local_models.find().sha256 == sha256
    monkeypatch.setenv("LLMVIZ_MODEL", "")
    assert local_models.find().name == "smollm2"
