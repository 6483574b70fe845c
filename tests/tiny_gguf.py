"""Tiny random models as GGUF files, written with `gguf.GGUFWriter` the way llama.cpp's converter does.

The weights come straight from a bit generator (whose stream NumPy promises never to change), so the same name
gives the same file on every machine, and the committed references in `tests/reference/` stay true.

    path = write(folder / "grouped.gguf", VARIANTS["grouped"])
"""

from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Quant

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>")

# Byte values without a token, as in the default model's vocabulary.
MISSING_BYTES = (4, 6, 19, 20, 22, 29, 192, 193, 241, 242, *range(245, 256))

MERGES = (
    *("Ġ t", "h e", "Ġt he", "Ġ c", "a t", "Ġc at", "Ġ a", "i n", "e r", "n g", "in g", "o n", "r e"),
    *("Ġ s", "Ġs at", "T he", "o u", "s t", "Ġ d", "o g", "Ġd og", "Ġ Ġ", "ĠĠ ĠĠ", "Ċ Ċ", "Ã ©"),
    *("s y", "st e", "sy ste", "syste m", "u s", "us er", "a s", "s i", "as si", "st a", "sta n"),
    *("assi stan", "assistan t"),
)

# Where the float16 scales of a block lie, and a value that keeps its weights below about 1.
K_QUANT_SCALES = {
    Quant.Q2_K: ((80, 82), 5e-3),
    Quant.Q3_K: ((108,), 3e-3),
    Quant.Q4_K: ((0, 2), 4e-4),
    Quant.Q5_K: ((0, 2), 2e-4),
    Quant.Q6_K: ((208,), 1e-4),
}

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a tiny random model<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Tiny:
    """What a tiny model looks like. `ffn_down` may have its own type, since K-quants need rows of 256."""

    n_layers: int = 2
    n_heads: int = 4
    n_kv_heads: int = 2
    d_model: int = 32
    d_ff: int = 64
    n_ctx: int = 128
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5
    tied: bool = True
    quant: Quant = Quant.F32
    ffn_down: Quant | None = None
    architecture: str = "llama"
    seed: int = 1


VARIANTS: dict[str, Tiny] = {
    "full": Tiny(n_kv_heads=4, seed=11),
    "grouped": Tiny(n_layers=3, n_heads=6, n_kv_heads=2, d_model=48, d_ff=80, tied=False, seed=12),
    "single": Tiny(n_kv_heads=1, rope_base=500_000.0, norm_eps=1e-6, seed=13),
    "one_head": Tiny(n_layers=1, n_heads=1, n_kv_heads=1, tied=False, rope_base=1_000.0, seed=14),
    "f16": Tiny(quant=Quant.F16, seed=15),
    "bf16": Tiny(quant=Quant.BF16, seed=16),
    "q8_0": Tiny(quant=Quant.Q8_0, tied=False, seed=17),
    "q4_0": Tiny(quant=Quant.Q4_0, seed=18),
    "q4_1": Tiny(quant=Quant.Q4_1, n_kv_heads=1, seed=19),
    "q5_0": Tiny(quant=Quant.Q5_0, seed=20),
    "q5_1": Tiny(quant=Quant.Q5_1, seed=21),
    "q2_k": Tiny(d_ff=256, ffn_down=Quant.Q2_K, seed=22),
    "q3_k": Tiny(d_ff=256, ffn_down=Quant.Q3_K, seed=23),
    "q4_k": Tiny(d_ff=256, ffn_down=Quant.Q4_K, seed=24),
    "q5_k": Tiny(d_ff=256, ffn_down=Quant.Q5_K, seed=25),
    "q6_k": Tiny(d_ff=256, ffn_down=Quant.Q6_K, seed=26),
}


def byte_letters() -> dict[int, str]:
    """GPT-2's printable letter for each byte value, in the order of its vocabulary."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def vocabulary() -> list[str]:
    """Special tokens, then single bytes, then merges in the order they were learned: as in the real file."""
    letters = [letter for byte, letter in byte_letters().items() if byte not in MISSING_BYTES]
    return [*SPECIAL, *letters, *(merge.replace(" ", "") for merge in MERGES)]


def tensors(tiny: Tiny) -> dict[str, np.ndarray]:
    """The weights by GGUF name, float32, matrices as [out, in], before quantisation."""
    stream = np.random.PCG64(tiny.seed)

    def uniform(*shape: int, scale: float, middle: float = 0.0) -> np.ndarray:
        whole = stream.random_raw(int(np.prod(shape))) >> np.uint64(40)  # 24 random bits: exact in float32
        return (middle + scale * (whole.astype(np.float64) / 2**23 - 1.0)).astype(np.float32).reshape(shape)

    d_head = tiny.d_model // tiny.n_heads
    n_vocab = len(vocabulary())
    inner = 3.0 * tiny.d_model**-0.5  # large enough that patterns are far from uniform
    weights = {"token_embd.weight": uniform(n_vocab, tiny.d_model, scale=1.0)}
    for layer in range(tiny.n_layers):
        shapes = {
            "attn_q": (tiny.n_heads * d_head, tiny.d_model),
            "attn_k": (tiny.n_kv_heads * d_head, tiny.d_model),
            "attn_v": (tiny.n_kv_heads * d_head, tiny.d_model),
            "attn_output": (tiny.d_model, tiny.n_heads * d_head),
            "ffn_gate": (tiny.d_ff, tiny.d_model),
            "ffn_up": (tiny.d_ff, tiny.d_model),
            "ffn_down": (tiny.d_model, tiny.d_ff),
        }
        for name, shape in shapes.items():
            weights[f"blk.{layer}.{name}.weight"] = uniform(*shape, scale=inner)
        for name in ("attn_norm", "ffn_norm"):
            weights[f"blk.{layer}.{name}.weight"] = uniform(tiny.d_model, scale=0.5, middle=1.0)
    weights["output_norm.weight"] = uniform(tiny.d_model, scale=0.5, middle=1.0)
    if not tiny.tied:
        weights["output.weight"] = uniform(n_vocab, tiny.d_model, scale=inner)
    return weights


def quantized(matrix: np.ndarray, quant: Quant, seed: int) -> tuple[np.ndarray, Quant]:
    """The matrix as GGUF stores it in `quant`, or in F32 where its rows don't divide into that type's blocks.

    The `gguf` package reads some types but cannot write them: those blocks are random bytes with sane scales,
    so the weights are random all the same, only not `matrix`.
    """
    block, size = gguf.GGML_QUANT_SIZES[quant]
    if matrix.ndim == 1 or matrix.shape[1] % block:
        return matrix, Quant.F32
    shape = (matrix.shape[0], matrix.shape[1] // block, size)
    if quant not in K_QUANT_SCALES:
        try:
            return gguf.quants.quantize(matrix, quant), quant
        except NotImplementedError:
            return sane_blocks(shape, quant, seed).reshape(shape[0], -1), quant
    raw = np.random.PCG64(seed).random_raw(int(np.prod(shape))).astype(np.uint8).reshape(shape)
    starts, scale = K_QUANT_SCALES[quant]
    for start in starts:
        raw[..., start : start + 2] = np.frombuffer(np.float16(scale), np.uint8)
    return raw.reshape(shape[0], -1), quant


def sane_blocks(shape: tuple[int, int, int], quant: Quant, seed: int) -> np.ndarray:
    """Random blocks of a type, drawn again until their numbers are finite and not above 4."""
    stream, blocks = np.random.PCG64(seed), np.zeros((shape[0] * shape[1], shape[2]), np.uint8)
    left = np.arange(len(blocks))
    while len(left):
        blocks[left] = stream.random_raw(len(left) * shape[2]).astype(np.uint8).reshape(len(left), -1)
        try:
            with np.errstate(all="ignore"):
                numbers = gguf.quants.dequantize(blocks[left], quant)
        except NotImplementedError:  # nobody can say what is in them
            break
        left = left[~(np.abs(numbers).max(axis=1) <= 4)]
    return blocks.reshape(shape)


def write(path: Path, tiny: Tiny, *, leave_out: tuple[str, ...] = ()) -> Path:
    """Write the model to `path` and return it. Tensors named in `leave_out` are missing from the file."""
    writer = gguf.GGUFWriter(path, tiny.architecture)
    writer.add_name("tiny random model")
    writer.add_block_count(tiny.n_layers)
    writer.add_context_length(tiny.n_ctx)
    writer.add_embedding_length(tiny.d_model)
    writer.add_feed_forward_length(tiny.d_ff)
    writer.add_head_count(tiny.n_heads)
    writer.add_head_count_kv(tiny.n_kv_heads)
    writer.add_rope_freq_base(tiny.rope_base)
    writer.add_rope_dimension_count(tiny.d_model // tiny.n_heads)
    writer.add_layer_norm_rms_eps(tiny.norm_eps)

    tokens = vocabulary()
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if token in SPECIAL else normal for token in tokens])
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    for number, (name, weight) in enumerate(tensors(tiny).items()):
        if name in leave_out:
            continue
        own = tiny.ffn_down if tiny.ffn_down and "ffn_down" in name else tiny.quant
        data, quant = quantized(weight, own, seed=1000 * tiny.seed + number)
        writer.add_tensor(name, data, raw_dtype=quant)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def variant(name: str, **changes) -> Tiny:
    """One of `VARIANTS` with some fields changed: `variant("full", architecture="gpt2")`."""
    return replace(VARIANTS[name], **changes)


def random_ids(name: str, length: int) -> list[int]:
    """Some ordinary tokens for one of `VARIANTS`, always the same ones."""
    stream = np.random.PCG64(VARIANTS[name].seed + 100)
    n_ordinary = len(vocabulary()) - len(SPECIAL)
    return [len(SPECIAL) + int(raw % n_ordinary) for raw in stream.random_raw(length)]


def with_room_to_talk(model):
    """Another model from noise, with room for a conversation; nobody expects it to answer well."""
    from llmviz.model import Model
    from llmviz.weights import random_weights

    return Model(random_weights(replace(model.config, n_ctx=1024), vocabulary=model.weights.vocabulary))
