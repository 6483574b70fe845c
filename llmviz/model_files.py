"""Read a model's files: a GGUF file, or a folder of Hugging Face with config.json and *.safetensors.

Both give the same: what the files say of the model, by the names of fields in GGUF files, and its arrays, by their
names there. A folder is translated as llama.cpp's converter does it, so that everything after this knows one kind of
file. The files come from anywhere, so nothing in them is trusted: each error names the file and what is wrong with it.
"""

import contextlib
import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

CONFIG, SHARDS = "config.json", "model.safetensors.index.json"

# The families by their names in folders of Hugging Face, and in GGUF files.
FAMILIES = {
    "llama": "llama",
    "mistral": "llama",
    "smollm3": "smollm3",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma2": "gemma2",
    "gemma3_text": "gemma3",
    "gpt2": "gpt2",
}
SUPPORTED = f"llmviz runs models of the architectures {', '.join(dict.fromkeys(FAMILIES.values()))}"


@dataclass(frozen=True)
class Tensor:
    """An array in a file: its shape as stored, [out, in], and what reads its numbers as float32."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]
    offset: int | None = None  # where its numbers begin in a GGUF file, if they are just float32


Read = tuple[dict[str, Any], dict[str, Tensor]]


def read(path: Path) -> Read:
    """Return the fields and the tensors of a model's file or folder. `refusing` says what is wrong with it."""
    fields, tensors = _read_folder(path) if path.is_dir() else _read_gguf(path)
    # GPT-2's files have the rows of Q, K and V one after another in a tensor.
    for name in [name for name in tensors if "attn_qkv" in name]:
        whole = tensors.pop(name)
        for n, letter in enumerate("qkv"):
            own, shape = name.replace("qkv", letter), (whole.shape[0] // 3, *whole.shape[1:])
            tensors[own] = Tensor(own, shape, partial(_third, whole, n))
    return fields, tensors


def _third(whole: Tensor, n: int) -> np.ndarray:
    return np.split(whole.read(), 3)[n]


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn whatever the content of a model's file leads to into a ValueError that names the file.

    NotImplementedError is for what may be right in it, but llmviz can't run. OSErrors stay as they are.
    """
    try:
        yield
    except OSError:  # such as of a file that may not be read
        raise
    except NotImplementedError as problem:
        raise ValueError(f"{path} cannot be run: {problem}. {SUPPORTED}.") from problem
    except Exception as problem:  # a damaged file can be wrong in any way
        reason = f"a value in {CONFIG if path.is_dir() else 'its header'} has the wrong type"
        if isinstance(problem, KeyError | ValueError):
            reason = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
        raise ValueError(
            f"{path} cannot be read: {reason}. It may be incomplete, damaged or of another format. "
            f"Download it again. ({SUPPORTED}.)"
        ) from problem


def files_of(path: Path) -> list[Path]:
    """Return the files that a model at `path` is read from: itself, or those of a folder."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in (".json", ".jinja", ".safetensors"))


def architecture(path: Path) -> str:
    """Return the name of the model's family without reading more than that. ValueError if it cannot be read."""
    with refusing(path):
        if path.is_dir():
            return _architecture(_json(path / CONFIG))
        return next(str(value) for key, value in _header(path) if key == "general.architecture")


# --- GGUF --------------------------------------------------------------------------------------------------------

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, LIST = 8, 9


@dataclass
class _Values:
    """The values of a file, one after another; ValueError where it ends too early."""

    file: BinaryIO
    left: int  # bytes

    def take(self, n_bytes: int) -> bytes:
        if n_bytes > self.left:
            raise ValueError("it ends too early")
        self.left -= n_bytes
        return self.file.read(n_bytes)

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode()

    def value(self, kind: int) -> Any:
        if kind == TEXT:
            return self.text()
        if kind == LIST:
            kind, length = self.number("I"), self.number("Q")
            if code := NUMBERS.get(kind):
                return np.frombuffer(self.take(length * struct.calcsize(code)), f"<{code}").tolist()
            return [self.value(kind) for _ in range(length)]
        if kind not in NUMBERS:
            raise ValueError(f"a field is of the unknown type {kind}")
        return self.number(NUMBERS[kind])

    def tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        """Return a tensor's name, shape, type and place."""
        name, n_dimensions = self.text(), self.number("I")
        if n_dimensions > 4:
            raise ValueError(f"{name} has {n_dimensions} dimensions")
        shape = tuple(self.number("Q") for _ in range(n_dimensions))[::-1]  # they are listed in reverse
        return name, shape, self.number("I"), self.number("Q")


def _header(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a GGUF file's fields, then its tensors, and where all of these end."""
    with path.open("rb") as file:
        values = _Values(file, path.stat().st_size)
        if values.take(4) != b"GGUF" or values.number("I") not in (2, 3):
            raise ValueError("it does not begin as a GGUF file")
        n_tensors, n_fields = values.number("Q"), values.number("Q")
        for _ in range(n_fields):
            yield values.text(), values.value(values.number("I"))
        yield "tensors", [values.tensor() for _ in range(n_tensors)]
        yield "end", file.tell()


def _read_gguf(path: Path) -> Read:
    import gguf

    fields, tensors = dict(_header(path)), {}
    align = int(fields.get("general.alignment", gguf.GGUF_DEFAULT_ALIGNMENT))
    for name, shape, kind, offset in fields["tensors"]:
        quant, begin = gguf.GGMLQuantizationType(kind), -(-fields["end"] // align) * align + offset
        block, block_bytes = gguf.GGML_QUANT_SIZES[quant]
        blocks, left = divmod(math.prod(shape[-1:]), block)
        n_bytes = math.prod(shape[:-1]) * blocks * block_bytes
        if left or begin + n_bytes > path.stat().st_size:
            raise ValueError(f"it ends within {name}")
        unpack = partial(_numbers, path, name, quant.name, shape, begin, n_bytes)
        tensors[name] = Tensor(name, shape, unpack, begin if quant.name == "F32" else None)
    if len(tensors) < len(fields["tensors"]):
        raise ValueError("two of its tensors have the same name")
    return fields, tensors


def _numbers(
    file: Path, name: str, kind: str, shape: tuple[int, ...], begin: int, n_bytes: int
) -> np.ndarray:
    """Read a tensor's numbers as float32. kind: how they are packed, by its name in the gguf package."""
    import gguf

    packed = np.fromfile(file, np.uint8, n_bytes, offset=begin).reshape(math.prod(shape[:-1]), -1)
    try:
        return gguf.quants.dequantize(packed, gguf.GGMLQuantizationType[kind]).reshape(shape)
    except (KeyError, NotImplementedError) as problem:
        raise NotImplementedError(
            f"{name} is packed as {kind}, which the gguf package cannot unpack. Files in F32, F16, BF16, Q4_0 to "
            "Q8_0, the K-quants, the IQ types, TQ1_0, TQ2_0 and MXFP4 work"
        ) from problem


# --- a folder of Hugging Face ------------------------------------------------------------------------------------

MASKS = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")  # they are no parameters
# The fields by their names in GGUF files, without the family's; each has one of several names here.
FIELDS = {
    "block_count": ("num_hidden_layers", "n_layer"),
    "context_length": ("max_position_embeddings", "n_positions"),
    "embedding_length": ("hidden_size", "n_embd"),
    "feed_forward_length": ("intermediate_size", "n_inner"),
    "attention.head_count": ("num_attention_heads", "n_head"),
    "attention.head_count_kv": ("num_key_value_heads",),
    "attention.key_length": ("head_dim",),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps",),
    "attention.layer_norm_epsilon": ("layer_norm_epsilon",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
}


def _read_folder(folder: Path) -> Read:
    config = {name: value for name, value in _json(folder / CONFIG).items() if value is not None}
    family = _architecture(config)
    if family not in FAMILIES.values():
        raise NotImplementedError(f"its architecture is {family!r}")
    if differs := _differences(config, family):
        raise NotImplementedError(f"its {CONFIG} has {differs}, which llmviz does not support")
    fields, tensors = _fields_of(config, family), _named(folder, config, family)
    if factors := _llama_3_factors(config):
        tensors[factors.name] = factors
    n_vocab = tensors["token_embd.weight"].shape[0]
    if config.get("vocab_size", n_vocab) != n_vocab:
        raise ValueError(f"its table has {n_vocab} tokens, not {config['vocab_size']!r}")
    return fields, tensors


def _json(file: Path) -> dict[str, Any]:
    """Return what a JSON file holds; ValueError unless that is an object."""
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{file} is damaged: {problem}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} does not contain a JSON object")
    return content


def _architecture(config: Mapping[str, Any]) -> str:
    if not isinstance(kind := config.get("model_type"), str):
        raise ValueError(f"its {CONFIG} has no model_type")
    return FAMILIES.get(kind, f"{kind} (of Hugging Face)")


def _fields_of(config: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Translate the sizes, and what the family leaves open."""
    known = {field: config[name] for field, names in FIELDS.items() for name in names if name in config}
    if family == "gpt2":
        known.setdefault("feed_forward_length", 4 * known["embedding_length"])
    whole, near = _rope(config)
    base = config.get("rope_theta", 1e6 if family == "gemma3" else 1e4)
    known["rope.freq_base"] = whole.get("rope_theta", base)
    if family == "gemma3":
        known["rope.freq_base_swa"] = near.get("rope_theta", config.get("rope_local_base_freq", 1e4))
    scaling = whole.get("rope_type", whole.get("type", "default"))
    if near.get("rope_type", "default") != "default":
        scaling = f"{near['rope_type']} of some layers"
    if scaling not in ("default", "llama3"):
        known["rope.scaling.type"] = scaling
        known["rope.scaling.factor"] = whole.get("factor")
    part = whole.get("partial_rotary_factor", config.get("partial_rotary_factor", 1))
    if part != 1:
        known["rope.dimension_count"] = int(part * config["hidden_size"] / config["num_attention_heads"])
    uses_window = config.get("use_sliding_window", not family.startswith(("qwen", "smol")))
    if "sliding_window" in config and uses_window:
        known["attention.sliding_window"] = config["sliding_window"]
        if layers := config.get("layer_types"):
            known["attention.sliding_window_pattern"] = [layer == "sliding_attention" for layer in layers]
    # GGUF keeps these as 32-bit numbers.
    known = {name: float(np.float32(x)) if isinstance(x, float) else x for name, x in known.items()}
    divisor = config.get("query_pre_attn_scalar")
    if divisor is not None and divisor != config.get("head_dim"):
        known["attention.scale"] = divisor**-0.5
    return {f"{family}.{name}": value for name, value in known.items()} | {"general.architecture": family}


def _rope(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is said of RoPE: for layers that meet the whole text, and for those with a window."""
    rope = config.get("rope_parameters", {}) | config.get("rope_scaling", {})
    return rope.get("full_attention", rope), rope.get("sliding_attention", {})


def _llama_3_factors(config: Mapping[str, Any]) -> Tensor | None:
    """Return by how much each clock hand is slowed down in Llama 3, as GGUF files have it."""
    rope, _ = _rope(config)
    if rope.get("rope_type", rope.get("type")) != "llama3":
        return None
    d_head = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]

    def factors() -> np.ndarray:
        turns = rope.get("rope_theta", config.get("rope_theta")) ** (-np.arange(0, d_head, 2) / d_head)
        within = rope["original_max_position_embeddings"] * turns / (2 * math.pi)
        # What stays of a hand's speed; the rest is slowed down.
        full = ((within - low) / (high - low)).clip(0, 1)
        return (1 / ((1 - full) / rope["factor"] + full)).astype(np.float32)

    return Tensor("rope_freqs.weight", (d_head // 2,), factors)


def _differences(config: Mapping[str, Any], family: str) -> str:
    """Return what a configuration asks for that its family doesn't do; "" if nothing."""
    is_gelu = family.startswith(("gemma", "gpt"))
    activations = ("gelu_pytorch_tanh", "gelu_new") if is_gelu else ("silu", "swish")
    names = ("hidden_activation", "hidden_act", "activation_function")
    activation = next((config[name] for name in names if name in config), activations[0])
    every_fourth = [int(layer % 4 != 0) for layer in range(1, 1 + len(config.get("no_rope_layers", ())))]
    usual = {
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "use_bidirectional_attention": False,
        "add_cross_attention": False,
        "quantization_config": None,
        "no_rope_layers": every_fourth,
        "sliding_window_pattern": 6,
        # Without a list of the layers, it is only some of them.
        "use_sliding_window": bool(config.get("layer_types")) and config.get("use_sliding_window"),
    }
    other = {name: config[name] for name in usual if config.get(name, usual[name]) != usual[name]}
    other |= {} if activation in activations else {"an activation": activation}
    return ", ".join(f"{name} {str(value)[:60]}" for name, value in other.items())


def _named(folder: Path, config: Mapping[str, Any], family: str) -> dict[str, Tensor]:
    """Return the tensors by their names in GGUF files, turned into what they are there."""
    import gguf

    stored = {name: tensor for name, tensor in _safetensors(folder).items() if not name.endswith(MASKS)}
    # Each layer has more than one tensor, unless the number is damaged.
    n_layers = min(config.get("num_hidden_layers", config.get("n_layer", 0)), len(stored))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[family.upper()], n_layers)
    tensors = {}
    for name, tensor in stored.items():
        own = names.get_name(name, try_suffixes=(".weight", ".bias")) or name
        tensors[own] = _as_in_gguf(replace(tensor, name=own), config, family)
    if config.get("tie_word_embeddings", family.startswith(("gemma", "gpt"))):
        tensors.pop("output.weight", None)
    elif "tie_word_embeddings" in config and "output.weight" not in tensors:
        raise KeyError("lm_head.weight")
    return tensors


def _as_in_gguf(tensor: Tensor, config: Mapping[str, Any], family: str) -> Tensor:
    """Return a tensor as llama.cpp's converter writes it."""
    name, read = tensor.name, tensor.read
    if family in ("llama", "smollm3") and (".attn_q." in name or ".attn_k." in name):
        heads = config["num_attention_heads"]
        heads = heads if ".attn_q." in name else config.get("num_key_value_heads", heads)

        def neighbours() -> np.ndarray:
            """RoPE's pairs are neighbours there, and here a number of each half of a head."""
            array = read()
            return array.reshape(heads, 2, -1, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)

        return replace(tensor, read=neighbours)
    if family.startswith("gemma") and name.endswith("norm.weight"):  # Gemma multiplies by one more
        return replace(tensor, read=lambda: read() + 1)
    if family == "gpt2" and name.startswith("blk.") and len(tensor.shape) == 2:
        return replace(tensor, shape=tensor.shape[::-1], read=lambda: read().T)
    return tensor


def weight_files(folder: Path) -> list[Path]:
    """Return the files with the weights: those of the index, the one with the usual name, or all that there are.

    A GGUF file is its own. ValueError if the index is damaged.
    """
    if not folder.is_dir():
        return [folder]
    if (folder / SHARDS).is_file():
        by_name = _json(folder / SHARDS).get("weight_map")
        names = {str(name) for name in by_name.values()} if isinstance(by_name, dict) else {"/"}
        if strange := [name for name in names if Path(name).name != name]:
            raise ValueError(f"{SHARDS} names {strange[0]!r}, which is not a file in this folder")
        return [folder / name for name in sorted(names)]
    usual = folder / "model.safetensors"
    return [usual] if usual.is_file() else sorted(folder.glob("*.safetensors"))


def _safetensors(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of all files, under the names there."""
    from safetensors import SafetensorError, safe_open

    tensors: dict[str, Tensor] = {}
    if not (files := weight_files(folder)):
        raise ValueError("it has no *.safetensors")
    for file in files:
        if not file.is_file():
            raise ValueError(f"{file.name} is missing")
        try:
            with safe_open(file, "numpy"):  # which checks all names, shapes and places
                pass
        except SafetensorError as problem:
            raise ValueError(f"{file.name} is damaged or incomplete ({problem})") from None
        with file.open("rb") as opened:
            length = struct.unpack("<Q", opened.read(8))[0]
            header = json.loads(opened.read(length))
        header.pop("__metadata__", None)
        for name, about in header.items():
            shape, (begin, end) = tuple(about["shape"]), about["data_offsets"]
            place = 8 + length + begin, end - begin
            tensors[name] = Tensor(name, shape, partial(_numbers, file, name, about["dtype"], shape, *place))
    return tensors
