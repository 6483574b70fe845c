"""GGUF files of every supported type become the right numbers, and the cache is trusted only where it may be."""

import errno
import hashlib
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import tiny_gguf
from messages import holding
from tiny_gguf import VARIANTS, Tiny, variant

import llmviz
from llmviz import download, model_files, tokenization, weights


def load(path: Path, cache: Path) -> weights.Weights:
    return weights.load_weights(path, cache, progress=False)


@pytest.fixture
def path(tmp_path) -> Path:
    """A small file of its own, to be damaged at will."""
    return tiny_gguf.write(tmp_path / "tiny.gguf", VARIANTS["full"])


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def cached_files(cache: Path) -> dict[str, Path]:
    """The index and the numbers, of a cache that holds one model."""
    (folder,) = (cache / "weights").iterdir()
    (data,) = folder.glob("float32-*.bin")
    assert {file.name for file in folder.iterdir()} <= {"index.json", ".lock", data.name}
    return {"index": folder / "index.json", "data": data}


def named(w: weights.Weights) -> dict[str, np.ndarray]:
    """The arrays by GGUF name, as the file stores them: [out, in]."""
    c = w.config

    def rows(W: np.ndarray) -> np.ndarray:  # [heads, d_model, d_head] -> [heads * d_head, d_model]
        return np.stack([W[h, :, i] for h in range(len(W)) for i in range(c.d_head)])

    arrays = {"token_embd.weight": w.W_E, "output_norm.weight": w.final_norm, "output.weight": w.W_U.T}
    for i, layer in enumerate(w.layers):
        arrays |= {
            f"blk.{i}.attn_norm.weight": layer.attention_norm,
            f"blk.{i}.attn_q.weight": rows(layer.W_Q),
            f"blk.{i}.attn_k.weight": rows(layer.W_K),
            f"blk.{i}.attn_v.weight": rows(layer.W_V),
            f"blk.{i}.attn_output.weight": np.concatenate(list(layer.W_O)).T,
            f"blk.{i}.ffn_norm.weight": layer.ffn_norm,
            f"blk.{i}.ffn_gate.weight": layer.W_gate.T,
            f"blk.{i}.ffn_up.weight": layer.W_up.T,
            f"blk.{i}.ffn_down.weight": layer.W_down.T,
        }
    return arrays


# What is in the file


def test_names_and_shapes_are_those_of_the_formulas(tiny_path, cache):
    w, c = load(tiny_path("grouped"), cache), VARIANTS["grouped"]
    d_head, n_vocab = c.d_model // c.n_heads, len(tiny_gguf.vocabulary())
    assert w.config == weights.Config(
        n_layers=3,
        n_heads=6,
        n_kv_heads=2,
        d_model=48,
        d_head=8,
        d_ff=80,
        n_vocab=n_vocab,
        n_ctx=128,
        rope_base=10_000.0,
        norm_eps=float(np.float32(1e-5)),  # the file keeps 32 bits of it
    )
    assert w.W_E.shape == (n_vocab, 48)
    assert w.W_U.shape == (48, n_vocab)
    assert len(w.layers) == 3
    for layer in w.layers:
        assert layer.W_Q.shape == (6, 48, d_head)
        assert layer.W_K.shape == layer.W_V.shape == (2, 48, d_head)
        assert layer.W_O.shape == (6, d_head, 48)
        assert layer.W_gate.shape == layer.W_up.shape == (48, 80)
        assert layer.W_down.shape == (80, 48)
    assert w.vocabulary["tokens"] == tiny_gguf.vocabulary()
    assert w.vocabulary["eos_token"] == 2


@pytest.mark.parametrize("name", ["full", "grouped", "single", "one_head"])
def test_every_number_is_the_one_in_the_file(tiny_path, cache, name):
    written = tiny_gguf.tensors(VARIANTS[name])
    arrays = named(load(tiny_path(name), cache))
    if VARIANTS[name].tied:
        written["output.weight"] = written["token_embd.weight"]
    assert arrays.keys() == written.keys()
    for key, values in written.items():
        np.testing.assert_array_equal(arrays[key], values, err_msg=key)
        assert arrays[key].dtype == np.float32


def test_head_views_take_the_rows_of_their_head(tiny_path, cache):
    stored = tiny_gguf.tensors(VARIANTS["grouped"])
    w = load(tiny_path("grouped"), cache)
    # x W_Q[h] for head h is rows h*8 to h*8+7 of the stored matrix, times x
    x = np.random.default_rng(0).standard_normal(48).astype(np.float32)
    head = stored["blk.1.attn_q.weight"][5 * 8 : 6 * 8]
    np.testing.assert_allclose(x @ w.layers[1].W_Q[5], head @ x, rtol=1e-4, atol=1e-5)
    columns = stored["blk.2.attn_output.weight"][:, 3 * 8 : 4 * 8]
    np.testing.assert_array_equal(w.layers[2].W_O[3], columns.T)


# Packed numbers, unpacked one block at a time by their published layouts


def half(two_bytes: bytes) -> float:
    return struct.unpack("<e", two_bytes)[0]


def nibbles(packed: bytes) -> list[int]:
    """16 bytes hold 32 numbers: the low halves first, then the high halves."""
    return [byte & 15 for byte in packed] + [byte >> 4 for byte in packed]


def fifth_bits(packed: bytes) -> list[int]:
    bits = int.from_bytes(packed, "little")
    return [bits >> i & 1 for i in range(32)]


UNPACK = {
    "F16": (2, lambda b: [half(b)]),
    "BF16": (2, lambda b: [struct.unpack("<f", b"\0\0" + b)[0]]),
    "Q8_0": (34, lambda b: [half(b[:2]) * n for n in struct.unpack("32b", b[2:])]),
    "Q4_0": (18, lambda b: [half(b[:2]) * (n - 8) for n in nibbles(b[2:])]),
    "Q4_1": (20, lambda b: [half(b[:2]) * n + half(b[2:4]) for n in nibbles(b[4:])]),
    "Q5_0": (
        22,
        lambda b: [half(b[:2]) * (n + 16 * m - 16) for n, m in zip(nibbles(b[6:]), fifth_bits(b[2:6]))],
    ),
    "Q5_1": (
        24,
        lambda b: [
            half(b[:2]) * (n + 16 * m) + half(b[2:4]) for n, m in zip(nibbles(b[8:]), fifth_bits(b[4:8]))
        ],
    ),
}


@pytest.mark.parametrize("name", ["f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"])
def test_packed_numbers_are_unpacked_by_the_published_layout(tiny_path, cache, name):
    arrays = named(load(tiny_path(name), cache))
    size, unpack = UNPACK[name.upper()]
    written = tiny_gguf.tensors(VARIANTS[name])
    packed = [
        tensor for tensor in gguf.GGUFReader(tiny_path(name)).tensors if tensor.tensor_type.name != "F32"
    ]
    assert len(packed) > 10
    for tensor in packed[::5]:
        raw = tensor.data.tobytes()
        values = [v for start in range(0, len(raw), size) for v in unpack(raw[start : start + size])]
        array = arrays[tensor.name]
        np.testing.assert_allclose(array.ravel(), values, rtol=1e-6, atol=1e-7, err_msg=tensor.name)
        # and they are near what was packed: a step of Q4_0 is an eighth of the largest number
        assert np.abs(array - written[tensor.name]).max() < 0.13 * np.abs(written[tensor.name]).max()


def unpack_q6_k(b: bytes) -> list[float]:
    """256 numbers of 6 bits: 128 bytes of low halves, 64 of the two high bits, 16 scales, one scale for all."""
    low, high, scales, d = b[:128], b[128:192], struct.unpack("16b", b[192:208]), half(b[208:])
    values = []
    for i in range(256):
        part, place = divmod(i, 128)
        quarter, j = divmod(place, 32)
        nibble = low[64 * part + 32 * (quarter % 2) + j] >> 4 * (quarter // 2) & 15
        values.append(d * scales[i // 16] * ((high[32 * part + j] >> 2 * quarter & 3) * 16 + nibble - 32))
    return values


def unpack_q4_k(b: bytes) -> list[float]:
    """256 numbers of 4 bits in 8 groups, each with a scale and a minimum of 6 bits."""
    d, d_min, packed = half(b[:2]), half(b[2:4]), b[4:16]
    values = []
    for group in range(8):
        if group < 4:
            scale, least = packed[group] & 63, packed[group + 4] & 63
        else:
            scale = (packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4
            least = packed[group + 4] >> 4 | (packed[group] >> 6) << 4
        for j in range(32):
            nibble = b[16 + 32 * (group // 2) + j] >> 4 * (group % 2) & 15
            values.append(d * scale * nibble - d_min * least)
    return values


@pytest.mark.parametrize(("name", "size", "unpack"), [("q6_k", 210, unpack_q6_k), ("q4_k", 144, unpack_q4_k)])
def test_k_quants_are_unpacked_by_the_published_layout(tiny_path, cache, name, size, unpack):
    arrays = named(load(tiny_path(name), cache))
    packed = [
        entry for entry in gguf.GGUFReader(tiny_path(name)).tensors if entry.tensor_type.name == name.upper()
    ]
    assert [entry.name for entry in packed] == [
        "blk.0.ffn_down.weight",
        "blk.1.ffn_down.weight",
    ]
    for tensor in packed:
        raw = tensor.data.tobytes()
        values = [v for start in range(0, len(raw), size) for v in unpack(raw[start : start + size])]
        np.testing.assert_allclose(arrays[tensor.name].ravel(), values, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["q2_k", "q3_k", "q5_k"])
def test_the_other_k_quants_load(tiny_path, cache, name):
    for layer in load(tiny_path(name), cache).layers:
        assert np.isfinite(layer.W_down).all()
        assert 0.01 < np.abs(layer.W_down).max() < 10
        assert len(np.unique(layer.W_down)) > 50


# The cache


# What the gguf package can unpack, of which newer versions may know more.
UNPACKED = (
    *("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    *(
        "IQ1_S",
        "IQ1_M",
        "IQ2_XXS",
        "IQ2_XS",
        "IQ2_S",
        "IQ3_XXS",
        "IQ3_S",
        "IQ4_NL",
        "IQ4_XS",
        "TQ1_0",
        "TQ2_0",
    ),
)


@pytest.mark.parametrize("quant", gguf.GGMLQuantizationType, ids=lambda quant: quant.name)
def test_a_file_of_each_type_opens_or_says_that_it_cannot(tmp_path, cache, quant):
    tiny = Tiny(d_ff=256, ffn_down=quant)
    path, name = tiny_gguf.write(tmp_path / "x.gguf", tiny), "blk.1.ffn_down.weight"
    number = [*tiny_gguf.tensors(tiny)].index(name)
    packed, _ = tiny_gguf.quantized(tiny_gguf.tensors(tiny)[name], quant, 1000 * tiny.seed + number)
    try:
        expected = gguf.quants.dequantize(packed, quant)
    except NotImplementedError:
        assert quant.name not in UNPACKED
        assert re.search(holding(name.replace("1", "0"), quant.name, "K-quants"), refusal(path, cache))
    else:
        w = load(path, cache)
        np.testing.assert_array_equal(w.layers[1].W_down.T, expected)
        assert expected.std() > 0.01
        for layer in w.layers:
            assert np.isfinite(layer.W_down).all()


def test_the_numbers_are_mapped_and_read_only(path, cache):
    w = load(path, cache)
    for name, array in named(w).items():
        if (
            "attn_q" not in name
            and "attn_k" not in name
            and "attn_v" not in name
            and "attn_output" not in name
        ):
            assert not array.flags.writeable, name
    with pytest.raises(ValueError, match="read-only"):
        w.layers[0].W_Q[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        w.W_E[0] = 0
    base = w.layers[1].W_O
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    assert Path(base.filename) == cached_files(cache)["data"]


@pytest.fixture
def conversions(monkeypatch) -> list[Path]:
    """The files that were converted, in order."""
    done, convert = [], weights._convert

    def counting(path, *args, **options):
        done.append(path)
        return convert(path, *args, **options)

    monkeypatch.setattr(weights, "_convert", counting)
    return done


def same(a: weights.Weights, b: weights.Weights) -> bool:
    arrays, other = named(a), named(b)
    return a.config == b.config and all(np.array_equal(arrays[name], other[name]) for name in arrays)


def test_a_second_load_converts_nothing_and_reads_no_gguf(path, cache, conversions, monkeypatch):
    first = load(path, cache)
    monkeypatch.setattr(model_files, "read", None)
    assert same(load(path, cache), first)
    assert conversions == [path]


def test_a_cache_of_another_version_is_made_anew(path, cache, conversions, monkeypatch):
    first = load(path, cache)
    old = cached_files(cache)["data"]
    monkeypatch.setattr(weights, "CACHE_VERSION", weights.CACHE_VERSION + 1)
    assert same(load(path, cache), first)
    assert len(conversions) == 2
    assert not old.exists()
    assert cached_files(cache)["data"] != old


def test_another_file_in_the_same_place_is_noticed(path, cache, conversions):
    load(path, cache)
    before = path.stat()
    tiny_gguf.write(path, variant("full", seed=99))
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # only the content tells
    w = load(path, cache)
    assert len(conversions) == 2
    np.testing.assert_array_equal(w.W_E, tiny_gguf.tensors(variant("full", seed=99))["token_embd.weight"])
    cached_files(cache)


def test_files_of_the_same_name_in_other_folders_keep_caches_of_their_own(path, cache, conversions, tmp_path):
    (tmp_path / "other").mkdir()
    other = tiny_gguf.write(tmp_path / "other" / path.name, VARIANTS["single"])
    for _ in range(2):
        assert load(path, cache).config.n_kv_heads == 4
        assert load(other, cache).config.n_kv_heads == 1
    assert conversions == [path, other]


def flip_a_bit(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 16
    file.write_bytes(data)


def truncate(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 4)


@pytest.mark.parametrize(
    ("which", "damage"),
    [
        ("data", lambda file: flip_a_bit(file, 5_000)),
        ("data", lambda file: flip_a_bit(file, file.stat().st_size - 1)),
        ("data", truncate),
        ("data", lambda file: file.write_bytes(b"")),
        ("data", lambda file: file.unlink()),
        ("index", lambda file: file.write_bytes(b"")),
        ("index", lambda file: file.write_bytes(file.read_bytes()[:-100])),
        ("index", lambda file: file.write_text("[]")),
        ("index", lambda file: file.write_text("{}")),
        ("index", lambda file: file.write_text("nonsense")),
        ("index", lambda file: file.unlink()),
    ],
)
def test_a_damaged_cache_is_made_anew(path, cache, conversions, which, damage):
    first = {name: array.copy() for name, array in named(load(path, cache)).items()}
    damage(cached_files(cache)[which])
    for name, array in named(load(path, cache)).items():
        np.testing.assert_array_equal(array, first[name])
    assert len(conversions) == 2
    load(path, cache)
    assert len(conversions) == 2


@pytest.mark.parametrize("field", ["config", "vocabulary", "data", "data_sha256", "source"])
@pytest.mark.parametrize("value", [None, {}, [], "x", 3])
def test_an_index_with_a_field_of_another_kind_is_not_trusted(path, cache, conversions, field, value):
    load(path, cache)
    file = cached_files(cache)["index"]
    index = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(index | {field: value}), "utf-8")
    w = load(path, cache)
    assert w.vocabulary["tokens"] == tiny_gguf.vocabulary()
    assert len(conversions) == (1 if field == "data_sha256" else 2)


def test_a_cache_that_was_copied_is_checked_once_more_and_used(path, cache, conversions):
    load(path, cache)
    data = cached_files(cache)["data"]
    os.utime(data, ns=(1, 1))
    load(path, cache)
    assert len(conversions) == 1
    flip_a_bit(data, 100)
    os.utime(data, ns=(1, 1))
    load(path, cache)
    assert len(conversions) == 2


def test_a_file_and_its_cache_may_be_moved(path, cache, conversions, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SAMPLE_BYTES", 16)
    first = load(path, cache)
    path = path.rename(tmp_path / "renamed.gguf")
    cache = cache.rename(tmp_path / "moved")
    assert same(load(path, cache), first)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(1, 1))
    assert same(load(copy, cache), first)
    assert len(conversions) == 1
    cached_files(cache)
    flip_a_bit(copy, copy.stat().st_size - 40)  # where no sample is taken
    os.utime(copy, ns=(1, 1))
    assert not same(load(copy, cache), first)


def test_a_cache_that_an_earlier_version_named_by_a_hash_of_the_path_is_used(path, cache, conversions):
    first = load(path, cache)
    index = cached_files(cache)["index"]
    content = json.loads(index.read_text("utf-8"))
    for name in ("sha256", "path"):
        del content["source"][name]
    index.write_text(json.dumps(content), "utf-8")
    index.parent.rename(index.parent.with_name("tiny-01234567"))
    assert same(load(path, cache), first)
    assert len(conversions) == 1


def test_a_complete_cache_that_cannot_be_written_is_used(path, cache, conversions, tmp_path, monkeypatch):
    first = load(path, cache)
    cache = cache.rename(tmp_path / "elsewhere")

    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for name in ("mkdir", "unlink", "rename", "replace", "touch"):  # as root, every folder can be written
        monkeypatch.setattr(Path, name, denied)
    assert same(load(path, cache), first)
    assert len(conversions) == 1


def test_a_saved_model_is_on_the_disk_once(path, cache, tmp_path):
    first = load(path, cache)
    saved = tmp_path / "saved" / "model.gguf"
    weights.write_gguf(saved, first, [])
    for other in (cache, tmp_path / "another"):
        loaded = load(saved, other)
        arrays = named(first)
        assert all(np.array_equal(array, arrays[name]) for name, array in named(loaded).items())
    (folder,) = (tmp_path / "another" / "weights").iterdir()
    assert {file.name for file in folder.iterdir()} <= {"index.json", ".lock"}
    assert not loaded.W_E.flags.writeable


def test_a_saved_model_that_differs_where_no_sample_is_taken_is_another(path, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SAMPLE_BYTES", 16)
    first, folders = load(path, cache), ("a", "b")
    for n, name in enumerate(folders):
        changed = first.W_E.copy()
        changed[3, 5] = n
        weights.write_gguf(tmp_path / name / "model.gguf", replace(first, W_E=changed, W_U=changed.T), [])
        os.utime(tmp_path / name / "model.gguf", ns=(n + 1, n + 1))
    for n, name in [*enumerate(folders), *enumerate(folders)]:
        assert load(tmp_path / name / "model.gguf", cache).W_E[3, 5] == n
    assert len(list((cache / "weights").iterdir())) == 3


def test_a_disk_without_room_for_the_numbers_is_told_before_they_are_written(path, cache, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(100, 99, 1))
    monkeypatch.setattr(os, "fsync", None)
    with pytest.raises(OSError, match=holding("LLMVIZ_HOME", "0.1 MB")):
        load(path, cache)


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_breaking_off_leaves_nothing_half_written(path, cache, monkeypatch, problem):
    def fail(descriptor):
        raise problem

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(type(problem)) as caught:
            load(path, cache)
    if isinstance(problem, OSError):
        assert "LLMVIZ_HOME" in str(caught.value)
        assert str(cache) in str(caught.value)
        assert os.strerror(errno.ENOSPC) in str(caught.value)
    assert list((cache / "weights").iterdir()) == []
    load(path, cache)


def test_leftovers_of_a_killed_process_make_room_for_the_new_numbers(path, cache, monkeypatch):
    load(path, cache)
    files = cached_files(cache)
    left = files["data"].parent / "float32-1-dead.bin"
    left.write_bytes(b"half")
    files["index"].unlink()
    there, dequantize = [], weights._dequantize

    def looking(*args):
        there.append(left.exists() or files["data"].exists())
        return dequantize(*args)

    monkeypatch.setattr(weights, "_dequantize", looking)
    load(path, cache)
    cached_files(cache)
    assert there
    assert not any(there)


def test_a_cache_folder_that_cannot_be_made(path, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="LLMVIZ_HOME"):
        load(path, tmp_path / "file")


def test_processes_that_start_at_once_convert_once(tiny_path, cache):
    program = (
        "import sys\nfrom pathlib import Path\nfrom llmviz import weights\n"
        "convert = weights._convert\n"
        "weights._convert = lambda *a, **k: (print('converted'), convert(*a, **k))\n"
        "sys.stdin.read(1)\n"
        f"w = weights.load_weights(Path({str(tiny_path('full'))!r}), Path({str(cache)!r}), progress=False)\n"
        "print(float(w.W_E.sum()))\n"
    )
    command = [sys.executable, "-c", program]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in processes:  # all have imported everything and wait for this
        process.stdin.write("x")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert sum("converted" in output for output in outputs) == 1
    assert len({output[-1] for output in outputs}) == 1
    cached_files(cache)


def test_the_progress_bar_counts_the_bytes_and_can_be_off(path, cache, capsys):
    load(path, cache)
    assert capsys.readouterr() == ("", "")
    weights.load_weights(path, cache.with_name("other"), progress=True)
    assert "118k" in capsys.readouterr().err


def test_the_bar_is_there_while_the_file_is_read(path, cache, capsys, monkeypatch):
    """Its lists of tokens take seconds."""
    read, shown = model_files.read, []

    def reading(file):
        shown.append(capsys.readouterr().err)
        return read(file)

    monkeypatch.setattr(model_files, "read", reading)
    weights.load_weights(path, cache, progress=True)
    assert "B/s" in shown[0]


# Files that can't be run: the message names the file, what is wrong, and what would work


def refusal(path: Path, cache: Path) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (each caller looks at the message)
        load(path, cache)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert not list(cache.glob("weights/*"))
    return message


def test_a_file_that_is_not_there(tmp_path, cache):
    for missing in (tmp_path / "no.gguf", tmp_path):
        with pytest.raises(FileNotFoundError, match=holding(missing, ".gguf")):
            load(missing, cache)
    assert not cache.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", b"not a model at all" * 100, b"\x80\x04pickle", b"PK\x03\x04" + bytes(99)],
)
def test_a_file_of_another_kind(tmp_path, cache, content):
    (tmp_path / "x.gguf").write_bytes(content)
    assert model_files.SUPPORTED in refusal(tmp_path / "x.gguf", cache)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05, 0.3, 0.7, 0.99, 0.99999])
def test_a_truncated_file(path, cache, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refusal(path, cache)


def test_corrupted_files_are_refused_or_harmless_but_never_crash(path, cache):
    """One byte changed somewhere: a clear refusal, or numbers and texts that are a little different."""
    whole, chance = path.read_bytes(), random.Random(1)
    refused = 0
    for _ in range(60):
        place = chance.choice([chance.randrange(1_000), chance.randrange(len(whole))])
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ chance.randrange(1, 256)]) + whole[place + 1 :]
        )
        try:
            assert np.isfinite(load(path, cache).W_E).all()
        except ValueError as problem:
            assert str(path) in str(problem)  # noqa: PT017
            refused += 1
    assert 10 < refused < 60


def with_field(path: Path, key: str, packed: bytes) -> None:
    """Overwrite the value of a scalar field in the file."""
    data = bytearray(path.read_bytes())
    start = (
        data.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key) + 4
    )  # the name, then its type
    data[start : start + len(packed)] = packed
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.block_count", 0),
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count_kv", 0),
        ("llama.embedding_length", 0),
        ("llama.feed_forward_length", 0),
        ("llama.context_length", 0),
        ("llama.rope.freq_base", 0.0),
        ("llama.rope.freq_base", float("nan")),
        ("llama.attention.layer_norm_rms_epsilon", -1.0),
        ("llama.attention.layer_norm_rms_epsilon", float("inf")),
    ],
)
def test_a_size_that_cannot_be(path, cache, key, value):
    with_field(path, key, struct.pack("<f" if isinstance(value, float) else "<I", value))
    assert re.search(holding(key, value), refusal(path, cache))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("llama.block_count", 3, ["blk.2.attn_norm.weight", 8]),
        ("llama.block_count", 1, ["blk.1.attn_q.weight", 8]),
        ("llama.block_count", 2**32 - 1, [4294967295, 20]),
        ("llama.attention.head_count_kv", 3, [4, 3]),
        ("llama.attention.head_count_kv", 2, ["blk.0.attn_k.weight", "(32, 32)"]),
        ("llama.feed_forward_length", 96, ["blk.0.ffn_gate.weight", "(64, 32)"]),
        ("llama.rope.dimension_count", 4, ["RoPE"]),
    ],
)
def test_sizes_that_do_not_fit_the_tensors(path, cache, key, value, said):
    with_field(path, key, struct.pack("<I", value))
    assert re.search(holding(*said), refusal(path, cache))


@pytest.mark.parametrize(
    "name", [name for name in tiny_gguf.tensors(VARIANTS["full"]) if "blk.1" not in name]
)
def test_a_missing_tensor_is_named(tmp_path, cache, name):
    path = tiny_gguf.write(tmp_path / "x.gguf", VARIANTS["full"], leave_out=(name,))
    assert re.search(holding(name), refusal(path, cache))


@pytest.mark.parametrize("architecture", ["bert", "falcon", "mamba"])
def test_another_architecture(tmp_path, cache, architecture):
    path = tiny_gguf.write(tmp_path / "x.gguf", variant("full", architecture=architecture))
    message = refusal(path, cache)
    assert repr(architecture) in message
    assert model_files.SUPPORTED in message


def test_a_family_that_needs_what_the_file_lacks(tmp_path, cache):
    path = tiny_gguf.write(tmp_path / "x.gguf", variant("full", architecture="qwen2"))
    assert re.search(holding("blk.0.attn_q.bias", "incomplete"), refusal(path, cache))


def test_a_model_with_another_tokenizer_still_takes_ids(path, cache, monkeypatch):
    monkeypatch.setenv("LLMVIZ_HOME", str(cache))
    expected = llmviz.load(path, progress=False).trace([7, 30, 9])
    path.write_bytes(path.read_bytes().replace(b"smollm", b"qwen22"))
    model = llmviz.load(path, progress=False)
    trace = model.trace([7, 30, 9])
    np.testing.assert_array_equal(trace.logits, expected.logits)
    assert trace.pieces == expected.pieces
    for reads in (model.trace, model.tokenizer.encode, model.tokenizer.merges):
        with pytest.raises(ValueError, match=holding("gpt2, qwen22")):
            reads("the cat")
    with pytest.raises(ValueError, match="SmolLM tokenizer"):
        model.save(cache / "saved")


def test_rescaled_positions(tmp_path, cache, monkeypatch):
    add = gguf.GGUFWriter.add_rope_freq_base

    def with_scaling(writer, base):
        add(writer, base)
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)

    monkeypatch.setattr(gguf.GGUFWriter, "add_rope_freq_base", with_scaling)
    assert "RoPE scaling" in refusal(tiny_gguf.write(tmp_path / "x.gguf", Tiny()), cache)


def test_a_missing_field(path, cache):
    path.write_bytes(path.read_bytes().replace(b"llama.context_length", b"llama.contest_length"))
    message = refusal(path, cache)
    assert "llama.context_length" in message
    assert model_files.SUPPORTED in message


def test_numbers_that_are_not_finite(path, cache):
    numbers = tiny_gguf.tensors(VARIANTS["full"])["blk.1.ffn_up.weight"].tobytes()[:4]
    data = path.read_bytes()
    assert data.count(numbers) == 1
    path.write_bytes(data.replace(numbers, struct.pack("<f", np.nan)))
    assert "blk.1.ffn_up.weight" in refusal(path, cache)


def test_a_model_that_is_larger_than_the_memory(path, cache, monkeypatch):
    n_bytes = sum(4 * array.size for array in tiny_gguf.tensors(VARIANTS["full"]).values())
    monkeypatch.setattr("llmviz.machine.memory", lambda: n_bytes)
    load(path, cache.with_name("enough"))
    monkeypatch.setattr("llmviz.machine.memory", lambda: n_bytes - 1)
    assert re.search(holding(f"{n_bytes // 4:,}", "memory"), refusal(path, cache))


def test_a_type_that_cannot_be_unpacked(path, cache, monkeypatch):
    def refuse(data, kind):
        raise NotImplementedError

    monkeypatch.setattr(gguf.quants, "dequantize", refuse)
    message = refusal(path, cache)
    assert re.search(holding("token_embd.weight", "F32", "K-quants"), message)


# load()


def test_load_takes_a_path_or_its_text(path, cache, monkeypatch):
    monkeypatch.setenv("LLMVIZ_HOME", str(cache))
    for given in (path, str(path)):
        assert llmviz.load(given, progress=False).config.n_layers == 2
    monkeypatch.setenv("LLMVIZ_MODEL", str(path))
    assert llmviz.load(progress=False).config.d_model == 32


def test_a_default_model_put_there_by_hand_is_checked_before_it_is_unpacked(path, tmp_path, monkeypatch):
    """As long as it should be, and yet another file: its numbers must not pass for the model's."""
    home = tmp_path / "home"
    home.mkdir()
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    tiny = replace(download.NAMED["smollm2"], n_bytes=len(content), sha256=sha256)
    monkeypatch.setitem(download.NAMED, "smollm2", tiny)
    monkeypatch.setattr(download, "_installed_files", lambda source: [])
    monkeypatch.delenv("LLMVIZ_MODEL", raising=False)
    monkeypatch.setenv("LLMVIZ_HOME", str(home))
    default = home / download.FILE_NAME
    default.write_bytes(content)
    flip_a_bit(default, len(content) - 100)
    with pytest.raises(ValueError, match=holding(default, sha256)):
        llmviz.load(progress=False)
    assert not list((home / "weights").glob("*/float32-*"))
    monkeypatch.setenv("LLMVIZ_MODEL", str(default))  # chosen, it may be any file
    assert llmviz.load(progress=False).config.n_layers == 2
    monkeypatch.delenv("LLMVIZ_MODEL")
    default.write_bytes(content)
    assert llmviz.load(progress=False).config.n_layers == 2


def test_a_path_may_start_with_a_tilde(path, cache, monkeypatch):
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.setenv("USERPROFILE", str(path.parent))
    monkeypatch.setenv("LLMVIZ_HOME", str(cache))
    assert llmviz.load(f"~/{path.name}", progress=False).config.d_model == 32


# Weights from noise, in one array


SIZES = weights.Config(
    n_layers=3,
    n_heads=6,
    n_kv_heads=2,
    d_model=48,
    d_head=10,
    d_ff=80,
    n_vocab=257,
    n_ctx=64,
    rope_base=10_000.0,
    norm_eps=1e-5,
)
VOCABULARY = tokenization.train_vocabulary("")


def test_the_number_of_parameters_by_formula_is_the_number_of_numbers(tiny_path, cache):
    for name in ("full", "single"):
        w = load(tiny_path(name), cache)
        assert w.config.n_parameters == sum(
            array.size for array in tiny_gguf.tensors(VARIANTS[name]).values()
        )
    c = SIZES  # d_model is not n_heads * d_head here
    layer = 2 * (c.n_heads + c.n_kv_heads) * c.d_head * c.d_model + 3 * c.d_model * c.d_ff + 2 * c.d_model
    assert c.n_parameters == c.n_vocab * c.d_model + c.n_layers * layer + c.d_model


def test_random_weights_have_the_shapes_of_the_formulas():
    w = weights.random_weights(SIZES, vocabulary=VOCABULARY)
    arrays = named(w)
    assert {name: array.shape for name, array in arrays.items()} == weights.tensor_shapes(SIZES, tied=False)
    assert all(array.dtype == np.float32 for array in arrays.values())
    np.testing.assert_array_equal(w.W_U, w.W_E.T)
    assert w.config == SIZES
    assert w.vocabulary == VOCABULARY


def test_random_weights_are_noise_of_the_published_size():
    for name, array in named(weights.random_weights(SIZES, vocabulary=VOCABULARY)).items():
        if name.endswith("norm.weight"):
            assert (array == 1).all()
            continue
        writes = name.endswith(("attn_output.weight", "ffn_down.weight"))
        assert array.std() == pytest.approx(0.02 / math.sqrt(6) if writes else 0.02, rel=0.05), name
        assert abs(array.mean()) < 5 * array.std() / math.sqrt(array.size)


def test_a_seed_gives_the_same_numbers_and_another_seed_others():
    first, again, other = (
        np.concatenate(
            [a.ravel() for a in named(weights.random_weights(SIZES, seed, vocabulary=VOCABULARY)).values()]
        )
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).all()


def test_the_weights_are_views_of_the_flat_array():
    flat = np.arange(SIZES.n_parameters, dtype=np.float32)
    w = weights.from_flat(flat, SIZES, VOCABULARY)
    arrays = weights.stored(w)
    assert {name: a.shape for name, a in arrays.items()} == weights.tensor_shapes(SIZES, tied=True)
    np.testing.assert_array_equal(np.concatenate([a.ravel() for a in arrays.values()]), flat)
    flat *= 0
    for name, array in (arrays | named(w)).items():
        assert not array.any(), name
    for array in arrays.values():
        array += 1  # and from the arrays to the flat one
    assert (flat == 1).all()


def test_random_weights_lie_in_one_array():
    w = weights.random_weights(SIZES, vocabulary=VOCABULARY)
    (flat,) = {
        id(a.base): a.base for a in (w.W_E, w.W_U, w.final_norm, w.layers[2].W_O, w.layers[0].W_K)
    }.values()
    assert flat.shape == (SIZES.n_parameters,)
    np.testing.assert_array_equal(np.concatenate([a.ravel() for a in weights.stored(w).values()]), flat)


@pytest.mark.parametrize("name", ["full", "grouped", "one_head"])
def test_stored_names_the_arrays_as_the_file_does(tiny_path, cache, name):
    w = load(tiny_path(name), cache)
    arrays, written = weights.stored(w), tiny_gguf.tensors(VARIANTS[name])
    assert list(arrays) == list(weights.tensor_shapes(w.config, tied=VARIANTS[name].tied))
    for key, values in written.items():
        np.testing.assert_array_equal(arrays[key], values, err_msg=key)
        assert np.shares_memory(arrays[key], arrays[key].base)
    assert np.shares_memory(arrays["blk.0.attn_q.weight"], w.layers[0].W_Q)
    assert np.shares_memory(arrays["blk.0.attn_output.weight"], w.layers[0].W_O)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_vocab": 300}, [257, "n_vocab", 300]),
        ({"n_kv_heads": 4}, [6, 4]),
        ({"d_head": 7}, ["d_head", 7]),
        ({"n_layers": 0}, ["n_layers", 1, 0]),
        ({"d_ff": -1}, ["d_ff", 1, -1]),
        ({"d_model": 9.5}, ["d_model", 1, 9.5]),
    ],
)
def test_sizes_that_cannot_be(changes, said):
    # a number of the wrong type gets past beartype only where nothing checks it, as on a reader's machine
    config = replace(SIZES, **{k: v for k, v in changes.items() if isinstance(v, int)})
    for key, value in changes.items():
        object.__setattr__(config, key, value)
    with pytest.raises(ValueError, match=holding(*said)):
        weights.random_weights(config, vocabulary=VOCABULARY)
    with pytest.raises(ValueError, match=holding(*said)):
        weights.from_flat(np.zeros(10, np.float32), config, VOCABULARY)


def test_a_flat_array_of_another_length():
    with pytest.raises(ValueError, match=holding(f"{SIZES.n_parameters:,}", 10)):
        weights.from_flat(np.zeros(10, np.float32), SIZES, VOCABULARY)


def test_a_config_shows_what_is_not_as_in_llama(model):
    assert repr(model.config).endswith(f"norm_eps={model.config.norm_eps!r})")
    assert repr(replace(model.config, score_cap=50.0)).endswith("score_cap=50.0)")
