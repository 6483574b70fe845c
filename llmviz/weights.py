"""Turn a model file into arrays: GGUF -> float32, once; after that, memory-mapped from the cache, which is quick.

    weights = load_weights("model.gguf", cache_folder)

The first call unpacks the (mostly 4-bit) numbers of the file to float32 and writes them to one flat file. An
`index.json` next to it has the place of each array, the configuration and the tokenizer's lists. Later calls map that
file read-only, so every notebook on the machine shares the same memory. A file of float32 numbers, as `write_gguf`
writes it, is mapped directly, and only its index is kept. The name of the cache's folder comes from the file's content,
so file and cache may be moved, and the cache may be read-only once it is complete.

Weights can also begin as noise (`random_weights`), be views of one flat array for an optimiser (`from_flat`), and
become a file again (`write_gguf`).
"""

import contextlib
import errno
import glob
import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from llmviz import machine, model_files, tokenization, tokenizer_json
from llmviz.model_files import Tensor

CACHE_VERSION = 1  # raise it when the layout of the cache changes, so that older caches are rebuilt
INDEX = "index.json"
SAMPLE_BYTES = 4096  # read at 64 places, to recognise a file without reading all of it
SAVED = "model.gguf"  # the file in a folder that `Model.save` wrote


# The arrays of a layer of Llama. Other families have some more, or no gate.
LLAMA = ("attention_norm", "W_Q", "W_K", "W_V", "W_O", "ffn_norm", "W_gate", "W_up", "W_down")


@dataclass(frozen=True)
class Config:
    """The model's sizes, as the file gives them, and what its family does in another way than Llama."""

    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    d_ff: int
    n_vocab: int
    n_ctx: int  # the longest text it was made for, in tokens
    rope_base: float
    norm_eps: float
    architecture: str = "llama"  # the family, by its name in GGUF files
    arrays: tuple[str, ...] = LLAMA  # which arrays of `LayerWeights` each layer has
    # RoPE's pairs are a number of the first half and one of the second, not neighbours.
    split_halves: bool = False
    # By how much each clock hand is slowed down, for longer texts.
    rope_factors: tuple[float, ...] = ()
    # The base of each layer, if they differ; the factors hold for those with `rope_base`.
    rope_bases: tuple[float, ...] = ()
    # How many tokens a query of each layer attends to at most, its own among them; 0: all of them.
    windows: tuple[int, ...] = ()
    score_divisor: float | None = None  # of the scores; None: √d_head
    score_cap: float | None = None  # no score becomes larger than this, in either direction
    logit_cap: float | None = None  # nor any logit
    embedding_scale: float = 1.0  # the rows of W_E are multiplied by it when they enter the stream
    activation: str = "silu"  # the curve in the FFN; see `ops.ACTIVATIONS`
    position_table: bool = False  # a learned vector for each position is added to the embeddings (GPT-2)

    def __repr__(self) -> str:
        """Show the sizes, and of the rest only what isn't as in Llama."""
        names = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        return f"Config({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    def rope_base_of(self, layer: int) -> float:
        """Return the base of a layer's angles."""
        return self.rope_bases[layer] if self.rope_bases else self.rope_base

    @property
    def has_rope(self) -> bool:
        """Say whether any layer turns its queries and keys."""
        return any(map(self.rope_base_of, range(self.n_layers)))

    def window_of(self, layer: int) -> int | None:
        """Return how many tokens a layer's query meets at most, itself included; None for all."""
        return (self.windows[layer] or None) if self.windows else None

    @property
    def group_size(self) -> int:
        """Return how many query heads share one key and value head (grouped-query attention; Ainslie et al. 2023)."""
        return self.n_heads // self.n_kv_heads

    @property
    def n_parameters(self) -> int:
        """Return how many parameters there are, with W_U as W_E transposed. A second table comes on top."""
        return sum(map(math.prod, tensor_shapes(self, tied=True).values()))

    def kv_head_of(self, head: int | Int[np.ndarray, " n"]) -> int | Int[np.ndarray, " n"]:
        """Return the key and value head of a query head, or those of several."""
        return head // self.group_size


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """One layer's parameters, in the shapes of the formulas. Each is a view of the matrix as stored."""

    attention_norm: Float[np.ndarray, " d_model"]
    W_Q: Float[np.ndarray, "n_heads d_model d_head"]
    W_K: Float[np.ndarray, "n_kv_heads d_model d_head"]
    W_V: Float[np.ndarray, "n_kv_heads d_model d_head"]
    W_O: Float[np.ndarray, "n_heads d_head d_model"]
    ffn_norm: Float[np.ndarray, " d_model"]
    W_gate: Float[np.ndarray, "d_model d_ff"] | None  # None where the FFN has no gate
    W_up: Float[np.ndarray, "d_model d_ff"]
    W_down: Float[np.ndarray, "d_ff d_model"]
    # What not every family has. A bias is added to what comes out of its matrix.
    b_Q: Float[np.ndarray, "n_heads d_head"] | None = None
    b_K: Float[np.ndarray, "n_kv_heads d_head"] | None = None
    b_V: Float[np.ndarray, "n_kv_heads d_head"] | None = None
    b_O: Float[np.ndarray, " d_model"] | None = None
    q_norm: Float[np.ndarray, " d_head"] | None = None  # of each head's queries and keys, before RoPE
    k_norm: Float[np.ndarray, " d_head"] | None = None
    attention_post_norm: Float[np.ndarray, " d_model"] | None = None  # of what a block adds to the stream
    ffn_post_norm: Float[np.ndarray, " d_model"] | None = None
    attention_norm_bias: Float[np.ndarray, " d_model"] | None = None  # it makes the norm a LayerNorm
    ffn_norm_bias: Float[np.ndarray, " d_model"] | None = None
    b_up: Float[np.ndarray, " d_ff"] | None = None
    b_down: Float[np.ndarray, " d_model"] | None = None


# A layer's arrays: their names in files, and their shapes there, [out, in]. `tensor_shapes` knows the sizes.
IN_A_FILE = {
    "attention_norm": ("attn_norm.weight", "d_model"),
    "attention_norm_bias": ("attn_norm.bias", "d_model"),
    "W_Q": ("attn_q.weight", "width d_model"),
    "b_Q": ("attn_q.bias", "width"),
    "W_K": ("attn_k.weight", "kv_width d_model"),
    "b_K": ("attn_k.bias", "kv_width"),
    "W_V": ("attn_v.weight", "kv_width d_model"),
    "b_V": ("attn_v.bias", "kv_width"),
    "q_norm": ("attn_q_norm.weight", "d_head"),
    "k_norm": ("attn_k_norm.weight", "d_head"),
    "W_O": ("attn_output.weight", "d_model width"),
    "b_O": ("attn_output.bias", "d_model"),
    "attention_post_norm": ("post_attention_norm.weight", "d_model"),
    "ffn_norm": ("ffn_norm.weight", "d_model"),
    "ffn_norm_bias": ("ffn_norm.bias", "d_model"),
    "W_gate": ("ffn_gate.weight", "d_ff d_model"),
    "W_up": ("ffn_up.weight", "d_ff d_model"),
    "b_up": ("ffn_up.bias", "d_ff"),
    "W_down": ("ffn_down.weight", "d_model d_ff"),
    "b_down": ("ffn_down.bias", "d_model"),
    "ffn_post_norm": ("post_ffw_norm.weight", "d_model"),
}


def in_a_file(layer: int, name: str) -> str:
    """Return the name of a layer's array in a file."""
    return f"blk.{layer}.{IN_A_FILE[name][0]}"


def as_stored(name: str, array: np.ndarray) -> np.ndarray:
    """Return a layer's array as in files: a matrix as its transpose, [out, in], with the heads side by side."""
    if name in ("W_Q", "W_K", "W_V"):  # [heads, d_model, d_head] -> [heads * d_head, d_model]
        return array.transpose(0, 2, 1).reshape(-1, array.shape[1])
    if name in ("b_Q", "b_K", "b_V"):
        return array.reshape(-1)
    return array.reshape(-1, array.shape[-1]).T if name == "W_O" else array.T


def as_used(name: str, array: np.ndarray, d_head: int) -> np.ndarray:
    """Return it in the shape of the formulas again. This copies nothing."""
    if name in ("W_Q", "W_K", "W_V"):
        return array.reshape(-1, d_head, array.shape[1]).transpose(0, 2, 1)
    if name in ("b_Q", "b_K", "b_V"):
        return array.reshape(-1, d_head)
    return array.T.reshape(-1, d_head, len(array)) if name == "W_O" else array.T


@dataclass(frozen=True, eq=False)
class Weights:
    """All parameters of a model, its sizes, and its tokenizer's lists as in the file."""

    config: Config
    W_E: Float[np.ndarray, "n_vocab d_model"]
    layers: tuple[LayerWeights, ...]
    final_norm: Float[np.ndarray, " d_model"]
    W_U: Float[np.ndarray, "d_model n_vocab"]  # W_E transposed, if the file has no table for it
    vocabulary: Mapping[str, Any]  # what `tokenization.from_gguf_metadata` takes
    W_pos: Float[np.ndarray, "n_ctx d_model"] | None = None  # the learned vectors of the positions
    final_norm_bias: Float[np.ndarray, " d_model"] | None = None


def load_weights(path: Path, cache: Path, *, sha256: str | None = None, progress: bool = True) -> Weights:
    """Load the weights of a GGUF file, or of a folder of Hugging Face, through the float32 cache in the folder `cache`.

    A cache that is damaged, or comes from another file or version of llmviz, is made again. sha256: the file's, if
    known; it is checked before the file is unpacked. ValueError if the file is of another format, is damaged, does not
    fit into the memory, or is of a kind that llmviz cannot run; OSError if it cannot be read or the cache cannot be
    written. Then nothing is left in the cache.
    """
    path = Path(path).expanduser().absolute()
    if not path.is_file() and not (path / model_files.CONFIG).is_file():
        raise FileNotFoundError(
            f"There is no model at {path}. Give the path of a .gguf file, or of a folder of Hugging Face, with "
            f"{model_files.CONFIG} and *.safetensors."
        )
    source, folders = _identity(path), cache / "weights"
    known = f"{source['samples'][:16]}-"
    earlier = f"{glob.escape(path.stem)}-????????"  # how llmviz 0.1.0 named them, by a hash of the path
    for folder in [*folders.glob(f"{known}*"), *folders.glob(earlier)]:
        if cached := _open_cache(folder, path):
            return cached
    own = sha256_of(path)
    if sha256 is not None and own != sha256:
        raise ValueError(
            f"{path} is damaged: its SHA-256 is not {sha256}. Delete it and run this again, to download it again."
        )
    folder, cached = folders / f"{known}{own[:16]}", None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        from filelock import FileLock

        with FileLock(folder / ".lock"):  # only one of two kernels that start together unpacks it
            if not (cached := _open_cache(folder, path)):
                _convert(path, folder, source | {"sha256": own, "path": str(path)}, progress=progress)
                if not (cached := _open_cache(folder, path)):
                    raise OSError("what was written reads back differently")
        for other, made_from in cached_files(cache).items():
            if made_from == str(path) and other != folder:  # of a file that was there before
                shutil.rmtree(other, ignore_errors=True)
    except OSError as problem:
        raise OSError(
            f"The unpacked weights (4 bytes a number) could not be written to {folder}: {problem}. Free some space or "
            "choose another folder with the environment variable LLMVIZ_HOME."
        ) from problem
    finally:
        if not cached:
            with contextlib.suppress(OSError):  # unless there is more in it
                (folder / ".lock").unlink()
                folder.rmdir()
    return cached


# --- weights from numbers, and numbers from weights --------------------------------------------------------------

STD = 0.02  # of the noise that a model starts from (Radford et al. 2018)


def random_weights(config: Config, seed: int = 0, *, vocabulary: Mapping[str, Any]) -> Weights:
    """Make the weights of an untrained model: normal noise, norms at 1, biases at 0, W_U = W_E transposed.

    What writes to the residual stream, W_O and W_down, is smaller by sqrt(2 n_layers), so that the stream of a deep
    model starts no larger than that of a shallow one (GPT-2; Radford et al. 2019, section 2.3).
    All numbers are views of one flat array, as in `from_flat`. vocabulary: as in `Weights`, for instance from
    `tokenization.train_vocabulary`. ValueError for impossible sizes.
    """
    _check_sizes(config, vocabulary)
    flat = np.random.default_rng(seed).standard_normal(config.n_parameters, np.float32)
    flat *= STD
    weights = from_flat(flat, config, vocabulary)
    for name, array in stored(weights).items():
        if array.ndim == 1:  # a norm or a bias
            array[...] = 1 if name.endswith("weight") else 0
    for layer in weights.layers:
        for writes in (layer.W_O, layer.W_down):
            writes *= (2 * config.n_layers) ** -0.5
    return weights


def from_flat(
    flat: Float[np.ndarray, " n_parameters"], config: Config, vocabulary: Mapping[str, Any]
) -> Weights:
    """Make weights as views of one array of `config.n_parameters` numbers: change it, and they change.

    The order is that of `tensor_shapes`, each tensor as stored, so an optimiser can work on the one array. The tables
    are tied, unless the array has numbers for a second one. ValueError for a wrong length or impossible sizes.
    """
    _check_sizes(config, vocabulary)
    tied = len(flat) != config.n_parameters + config.n_vocab * config.d_model
    if tied and len(flat) != config.n_parameters:
        raise ValueError(f"these sizes ask for {config.n_parameters:,} numbers; got {len(flat):,}")
    arrays, start = {}, 0
    for name, shape in tensor_shapes(config, tied=tied).items():
        end = start + math.prod(shape)
        arrays[name] = flat[start:end].reshape(shape)
        start = end

    def of_layer(number: int) -> LayerWeights:
        stored = {name: arrays[in_a_file(number, name)] for name in config.arrays}
        used = {name: as_used(name, array, config.d_head) for name, array in stored.items()}
        return LayerWeights(W_gate=used.pop("W_gate", None), **used)

    layers = tuple(of_layer(number) for number in range(config.n_layers))
    W_E = arrays["token_embd.weight"]
    W_U = arrays.get("output.weight", W_E).T
    more = arrays.get("position_embd.weight"), arrays.get("output_norm.bias")
    return Weights(config, W_E, layers, arrays["output_norm.weight"], W_U, vocabulary, *more)


def stored(weights: Weights) -> dict[str, np.ndarray]:
    """Return the arrays by their names in a GGUF file, as stored there, [out, in]; without output.weight if W_U is W_E.

    They are views if the weights are views of such arrays, as all weights from this module are.
    """
    arrays = {"token_embd.weight": weights.W_E}
    if weights.W_pos is not None:
        arrays["position_embd.weight"] = weights.W_pos
    for number, layer in enumerate(weights.layers):
        for name in weights.config.arrays:
            arrays[in_a_file(number, name)] = as_stored(name, getattr(layer, name))
    arrays["output_norm.weight"] = weights.final_norm
    if weights.final_norm_bias is not None:
        arrays["output_norm.bias"] = weights.final_norm_bias
    tied = np.may_share_memory(weights.W_E, weights.W_U)  # two separate tables never overlap
    return arrays if tied else arrays | {"output.weight": weights.W_U.T}


def check_whole(**numbers: object) -> None:
    """Raise ValueError unless each is a whole number, 1 or more."""
    for name, number in numbers.items():
        if not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more; got {number!r}")


def _check_sizes(config: Config, vocabulary: Mapping[str, Any]) -> None:
    check_whole(**{field.name: getattr(config, field.name) for field in fields(config) if field.type is int})
    if config.n_heads % config.n_kv_heads:
        raise ValueError(
            f"{config.n_heads} query heads cannot share {config.n_kv_heads} key/value heads evenly"
        )
    if config.d_head % 2:
        raise ValueError(f"d_head must be even, since RoPE turns pairs of numbers; got {config.d_head}")
    if (n_tokens := len(vocabulary["tokens"])) != config.n_vocab:
        raise ValueError(f"the vocabulary has {n_tokens:,} tokens where n_vocab is {config.n_vocab:,}")


# --- the cache ---------------------------------------------------------------------------------------------------


def cached_files(cache: Path) -> dict[Path, str]:
    """Return the folder of each file in the cache, and the path that the file had; "" if that is unknown."""
    paths = {}
    for folder in sorted((cache / "weights").glob("*")):
        try:
            paths[folder] = json.loads((folder / INDEX).read_bytes())["source"]["path"]
        except (OSError, ValueError, KeyError, TypeError):
            paths[folder] = ""
    return paths


def _open_cache(folder: Path, path: Path) -> Weights | None:
    """Return the cached weights of the file at `path`, or None if there are none that can be trusted."""
    try:
        index = json.loads((folder / INDEX).read_bytes())
        # An earlier llmviz wrote of an unknown kind of tokenizers that we know now.
        if index["version"] != CACHE_VERSION or "unknown_kind" in index["vocabulary"]:
            return None
        source, data = index["source"], folder / index["data"] if index["data"] else path
        if not _is_same(path, source, source.get("sha256")):
            return None
        if index["data"] and not _is_same(data, index["data_identity"], index["data_sha256"]):
            return None
        mapped = np.memmap(data, np.float32, "r", index.get("offset", 0), index.get("shape"))
        lists = {name: tuple(value) for name, value in index["config"].items() if isinstance(value, list)}
        # As a plain array: views of it are faster.
        return from_flat(np.asarray(mapped), Config(**index["config"] | lists), index["vocabulary"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever is wrong with it, make it again


def _is_same(path: Path, identity: dict, sha256: object) -> bool:
    """Return whether a file is unchanged. A copy has another time of change, so the hash decides then."""
    return _identity(path).items() <= identity.items() or sha256_of(path) == sha256


def _convert(path: Path, folder: Path, source: dict, *, progress: bool) -> None:
    """Write the float32 file, unless `path` is one. Write the index last, since only it makes the cache valid."""
    from tqdm.auto import tqdm

    with tqdm(
        unit="B", unit_scale=True, desc="Reading the model's file (once)", disable=not progress, leave=False
    ) as bar:
        config, vocabulary, tensors = read_model(path)
        shapes = tensor_shapes(config, tied="output.weight" not in tensors)
        total = 4 * sum(math.prod(tensor.shape) for tensor in tensors.values())
        if (memory := machine.memory()) is not None and total > memory:
            raise ValueError(
                f"{path} does not fit into this machine: its {total // 4:,} numbers take {total / 1e9:,.1f} GB of "
                f"memory and as much of the disk, and there are {memory / 1e9:,.1f} GB of memory. Choose a smaller "
                "model."
            )
        bar.set_description("Unpacking the weights (once)")
        bar.reset(total)
        # These files are out of date, or a killed process left them. Delete them first. We hold the lock.
        for old in [*folder.glob("float32-*"), *folder.glob("*.part")]:
            with contextlib.suppress(OSError):  # Windows does not delete what another kernel has mapped
                old.unlink()
        data = folder / f"float32-{os.getpid()}-{os.urandom(4).hex()}.bin"
        index: dict[str, Any] = {"version": CACHE_VERSION, "source": source}
        index |= {"config": asdict(config), "vocabulary": vocabulary}
        offset = _flat_from([tensors[name] for name in shapes])
        if offset is None and shutil.disk_usage(folder).free < total:
            raise OSError(errno.ENOSPC, f"the disk is full; this takes {total / 1e6:,.1f} MB")
        try:
            with model_files.refusing(path):
                arrays = (_dequantize(tensors[name], shape) for name, shape in shapes.items())
                if offset is None:
                    with data.open("wb") as file:
                        for values in arrays:
                            file.write(values.data)
                            bar.update(values.nbytes)
                        file.flush()
                        os.fsync(file.fileno())  # a power cut must not leave an index without its numbers
                    index |= {"data": data.name, "data_identity": _identity(data)}
                    index["data_sha256"] = sha256_of(data)
                else:
                    for values in arrays:  # which refuses numbers that are not finite
                        bar.update(values.nbytes)
                    index |= {"data": None, "offset": offset, "shape": total // 4}
            with machine.replacing(folder / INDEX) as new_index:
                new_index.write_text(json.dumps(index), encoding="utf-8")
        except BaseException:
            data.unlink(missing_ok=True)
            raise


def _flat_from(tensors: list[Tensor]) -> int | None:
    """Return where a file's numbers begin if they are float32, one after another in this order; otherwise None.

    None on Windows, which does not replace a mapped file, because a model may be saved again while it is in use.
    """
    offsets = [tensor.offset for tensor in tensors]
    if os.name == "nt" or (begin := offsets[0]) is None:
        return None
    ends = accumulate((4 * math.prod(tensor.shape) for tensor in tensors), initial=begin)
    return begin if offsets == [*ends][:-1] else None


def _identity(path: Path) -> dict:
    """Return what identifies a model without reading all of it: size, time of change, a hash of samples."""
    files = model_files.files_of(path)
    status, digest = [file.stat() for file in files], hashlib.sha256()
    for name, about in zip(files, status):
        with name.open("rb") as file:
            for place in range(0, max(1, about.st_size), max(SAMPLE_BYTES, about.st_size // 64)):
                file.seek(place)
                digest.update(file.read(SAMPLE_BYTES))
    changed = max(about.st_mtime_ns for about in status)
    n_bytes = sum(about.st_size for about in status)
    return {"bytes": n_bytes, "changed": changed, "samples": digest.hexdigest()}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a model's file, or of the files of its folder, one after another."""
    digest = hashlib.sha256()
    for name in model_files.files_of(path):
        with name.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


# --- the files ---------------------------------------------------------------------------------------------------

BIASES = ("b_Q", "b_K", "b_V", "b_O", "b_up", "b_down", "attention_norm_bias", "ffn_norm_bias")
GEMMA: dict[str, Any] = {
    "split_halves": True,
    "activation": "gelu_tanh",
    "arrays": (*LLAMA, "attention_post_norm", "ffn_post_norm"),
}
# What the families do in another way than Llama, by their names in GGUF files.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {"split_halves": True, "arrays": (*LLAMA, "b_Q", "b_K", "b_V")},
    "qwen3": {"split_halves": True, "arrays": (*LLAMA, "q_norm", "k_norm")},
    "smollm3": {},
    "gemma2": GEMMA,
    "gemma3": GEMMA | {"arrays": (*GEMMA["arrays"], "q_norm", "k_norm")},
    "gpt2": {
        "activation": "gelu_tanh",
        "position_table": True,
        "arrays": (*(name for name in LLAMA if name != "W_gate"), *BIASES),
    },
}
# Of so many layers, one meets the whole text; the others meet a window.
WHOLE_TEXT_EVERY = {"gemma2": 2, "gemma3": 6}
# By their layers: they divide scores by another number than √d_head, and no field of the file says so.
OF_27_BILLION = {("gemma2", 46), ("gemma3", 62)}


def read_model(path: Path) -> tuple[Config, dict[str, Any], dict[str, Tensor]]:
    """Read sizes, tokenizer lists and tensors (still packed) of a model; ValueError says what is wrong with it."""
    with model_files.refusing(path):
        fields, tensors = model_files.read(path)
        if (architecture := fields["general.architecture"]) not in FAMILIES:
            raise NotImplementedError(f"its architecture is {architecture!r}")
        vocabulary = {} if path.is_dir() else _vocabulary(fields)
        n_vocab = len(vocabulary["tokens"]) if vocabulary else tensors["token_embd.weight"].shape[0]
        config = _config(architecture, fields, tensors, n_vocab)
    if path.is_dir():
        try:
            vocabulary = tokenizer_json.read(path)
        except FileNotFoundError as problem:
            raise ValueError(str(problem)) from problem
        # Gemma's tokenizer has one token more than its table has rows.
        vocabulary |= {name: vocabulary[name][:n_vocab] for name in ("tokens", "token_types")}
    with model_files.refusing(path):
        _check_sizes(config, vocabulary)
        tokenization.from_gguf_metadata(**vocabulary)
        shapes = tensor_shapes(config, tied="output.weight" not in tensors)
        if missing := [name for name in shapes if name not in tensors]:
            raise ValueError(f"it lacks {_some(missing)}")
        if extra := [name for name in tensors if name not in shapes]:
            raise NotImplementedError(f"it also holds {_some(extra)}, which llmviz would not use")
    return config, vocabulary, tensors


def _config(architecture: str, fields: Mapping[str, Any], tensors: dict[str, Tensor], n_vocab: int) -> Config:
    """Return a model's sizes, and what it does in another way than Llama. Take RoPE's factors out of its tensors."""
    own = {name.removeprefix(f"{architecture}."): value for name, value in fields.items()}

    def number(name: str, default: float | None = None, *, whole: bool = True) -> Any:
        value = own.get(name, default)
        if value is None:
            raise KeyError(f"{architecture}.{name}")
        is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value < math.inf:
            raise ValueError(f"its field {architecture}.{name} is {value!r}")
        return value

    n_layers, n_heads, d_model = map(number, ("block_count", "attention.head_count", "embedding_length"))
    d_head = number("attention.key_length", max(1, d_model // n_heads))
    # Damaged numbers must not make us fill the memory.
    if n_layers > len(tensors):
        raise ValueError(f"it has {n_layers} layers in only {len(tensors)} tensors")
    if d_head > 1 << 16:
        raise ValueError(f"its heads would be {d_head:,} numbers long")
    if number("attention.value_length", d_head) != d_head:
        raise NotImplementedError("its values are of another length than its keys")
    if number("rope.dimension_count", d_head) != d_head:
        raise NotImplementedError("it rotates only a part of each head (RoPE)")
    family = {"arrays": LLAMA} | FAMILIES[architecture]
    # A file may have biases that its family can do without.
    family["arrays"] = tuple(
        name
        for name in IN_A_FILE
        if name in family["arrays"] or (name.startswith("b_") and in_a_file(0, name) in tensors)
    )
    scaling, factors = own.get("rope.scaling.type", "none"), np.ones(0)
    if scaling == "linear":
        factors = np.full(d_head // 2, float(number("rope.scaling.factor", whole=False)))
    elif scaling != "none":
        raise NotImplementedError(f"it rescales its positions (RoPE scaling {scaling!r})")
    if tensor := tensors.pop("rope_freqs.weight", None):  # one for each clock hand, as in Llama 3
        factors = _dequantize(tensor, (d_head // 2,))
    if not (factors > 0).all():
        raise ValueError(f"it has {factors.min()} as a factor of RoPE")
    family["rope_factors"] = tuple(factors.tolist())
    base, layers = float(number("rope.freq_base", 10_000.0, whole=False)), range(1, n_layers + 1)
    if family.get("position_table"):  # instead of RoPE
        family["rope_bases"] = tuple(0.0 for _ in layers)
    if architecture == "smollm3":  # one of four layers has no RoPE
        family["rope_bases"] = tuple(base if layer % 4 else 0.0 for layer in layers)
    if "attention.sliding_window" in own:
        window, every = number("attention.sliding_window"), WHOLE_TEXT_EVERY.get(architecture, math.inf)
        within = own.get("attention.sliding_window_pattern", [layer % every != 0 for layer in layers])
        if not isinstance(within, list) or len(within) != n_layers:
            raise ValueError("it does not say for each layer whether it has a window")
        family["windows"] = tuple(window if local else 0 for local in within)
        if architecture == "gemma3":
            near = float(number("rope.freq_base_swa", 10_000.0, whole=False))
            family["rope_bases"] = tuple(near if local else base for local in within)
    for name, cap in (("score_cap", "attn_logit_softcapping"), ("logit_cap", "final_logit_softcapping")):
        if cap in own:
            family[name] = float(number(cap, whole=False))
    if architecture.startswith("gemma"):
        family["embedding_scale"] = d_model**0.5
    if (architecture, n_layers) in OF_27_BILLION:
        family["score_divisor"] = (d_model / n_heads) ** 0.5
    elif "attention.scale" in own:
        family["score_divisor"] = 1 / number("attention.scale", whole=False)
    kind_of_norm = "" if "attention_norm_bias" in family["arrays"] else "rms_"
    return Config(
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=number("attention.head_count_kv", n_heads),
        d_model=d_model,
        d_head=d_head,
        d_ff=number("feed_forward_length"),
        n_vocab=n_vocab,
        n_ctx=number("context_length"),
        rope_base=base,
        norm_eps=number(f"attention.layer_norm_{kind_of_norm}epsilon", whole=False),
        architecture=architecture,
        **family,
    )


def _vocabulary(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `tokenization.from_gguf_metadata` takes. Where a field is missing, its usual value counts."""
    tokens, token_types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError("its tokens are not a list of texts")
    if len(token_types) != len(tokens):
        raise ValueError("its lists of tokens and of their types differ in length")
    own = {key.removeprefix("tokenizer.ggml."): value for key, value in fields.items()}
    model, pre = str(own.get("model")), own.get("pre")
    vocabulary = {
        "tokens": tokens,
        "token_types": token_types,
        "eos_token": own.get("eos_token_id"),
        "chat_template": own.get("tokenizer.chat_template"),
    }
    if (model, pre) != ("gpt2", "smollm"):
        vocabulary |= {"model": model, "pre": pre, "eot_token": own.get("eot_token_id")}
    if own.get("add_bos_token", model == "llama" or pre == "llama-bpe"):
        vocabulary["begin_token"] = own.get("bos_token_id")
    if model == "llama":
        if own.get("add_space_prefix", True):
            vocabulary["space_prefix"] = "always"
        # The ids say what is merged first, so we don't keep the scores, which say the same.
        ordinary = [score for score, kind in zip(own.get("scores", ()), token_types) if kind == 1]
        if any(score < later for score, later in pairwise(ordinary)):
            vocabulary["model"] = "llama, with ids in another order than its scores"
    return vocabulary


def tensor_shapes(config: Config, *, tied: bool) -> dict[str, tuple[int, ...]]:
    """Return the names of the tensors in the file and their shapes as stored, [out, in]."""
    c = config
    sizes = {"d_model": c.d_model, "d_head": c.d_head, "d_ff": c.d_ff}
    sizes |= {"width": c.n_heads * c.d_head, "kv_width": c.n_kv_heads * c.d_head}  # all heads side by side
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (c.n_vocab, c.d_model)}
    if c.position_table:
        shapes["position_embd.weight"] = (c.n_ctx, c.d_model)
    for layer in range(c.n_layers):
        for name in c.arrays:
            shapes[in_a_file(layer, name)] = tuple(sizes[size] for size in IN_A_FILE[name][1].split())
    shapes["output_norm.weight"] = (c.d_model,)
    if "attention_norm_bias" in c.arrays:
        shapes["output_norm.bias"] = (c.d_model,)
    return shapes if tied else shapes | {"output.weight": (c.n_vocab, c.d_model)}


def _dequantize(tensor: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """Unpack one tensor's numbers as float32, in the shape as stored."""
    if tensor.shape != shape:
        raise ValueError(f"{tensor.name} has the shape {tensor.shape} where the sizes ask for {shape}")
    values = np.ascontiguousarray(tensor.read(), np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{tensor.name} has numbers that are not finite")
    return values


def write_gguf(path: Path, weights: Weights, merges: Sequence[str]) -> None:
    """Write a GGUF file of float32 numbers. An earlier file at `path` stays until the new one is complete.

    merges: the vocabulary's, from `tokenization.merge_list`; other programs need this list, which llmviz reads off the
    order of the tokens. rope_base and norm_eps are kept as 32-bit numbers, as GGUF does. Besides the weights
    this takes the memory of one tensor. ValueError if a number is not finite; OSError if the file cannot be
    written.
    """
    config, vocabulary, arrays = weights.config, weights.vocabulary, stored(weights)
    kind = vocabulary.get("model", "gpt2"), vocabulary.get("pre", "smollm")
    if config.architecture != "llama" or kind != ("gpt2", "smollm"):
        raise ValueError(
            "Only models of the architecture 'llama' with a SmolLM tokenizer can be saved so far."
        )
    n_bytes = sum(array.size for array in arrays.values()) * 4
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < n_bytes:
            raise OSError(errno.ENOSPC, f"the disk is full; this takes {n_bytes / 1e6:,.1f} MB")
        with (
            machine.replacing(path) as part,
            contextlib.closing(_gguf_writer(part, config, vocabulary, merges)) as writer,
        ):
            for name, array in arrays.items():
                if not np.isfinite(array).all():
                    raise ValueError(
                        f"This model cannot be saved: {name} has numbers that are not finite, so it cannot "
                        "predict. Save an earlier state of it."
                    )
                writer.add_tensor(name, array.astype(np.float32, copy=False))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.flush()
            os.fsync(writer.fout[0].fileno())  # it must be on the disk before it replaces an earlier one
    except OSError as problem:
        raise OSError(
            f"The model could not be saved as {path}: {problem}. Whatever was there before is still there. Free some "
            "space or choose another folder."
        ) from problem


def _gguf_writer(path: Path, config: Config, vocabulary: Mapping, merges: Sequence[str]):
    """Make a writer with everything except the numbers. It opens no file yet."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(config.n_layers)
    writer.add_context_length(config.n_ctx)
    writer.add_embedding_length(config.d_model)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.n_heads)
    writer.add_head_count_kv(config.n_kv_heads)
    writer.add_key_length(config.d_head)
    writer.add_value_length(config.d_head)
    writer.add_rope_dimension_count(config.d_head)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_vocab_size(config.n_vocab)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary["tokens"])
    writer.add_token_types(vocabulary["token_types"])
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    if (end := vocabulary["eos_token"]) is not None:
        writer.add_bos_token_id(end)  # it is never inserted; other programs would guess an id
        writer.add_eos_token_id(end)
    if template := vocabulary["chat_template"]:
        writer.add_chat_template(template)
    return writer


def _some(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more tensors" if len(names) > 1 else f"the tensor {names[0]}"
