"""The independent implementations: `transformers`' Llama and `tokenizers`' BPE, fed from the same GGUF file.

Needs the `peers` extra. Nothing of llmviz is imported here, on purpose.
"""

import warnings
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from tiny_folder import in_huggingface

with warnings.catch_warnings():  # what these libraries warn about in themselves is not ours to mend
    warnings.simplefilter("ignore")
    import tokenizers
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM


def load_llama(path: Path | str) -> LlamaForCausalLM:
    """The model in a GGUF file as transformers' Llama: float32, eager attention, ready to run."""
    reader = GGUFReader(path)

    def field(name: str):
        return reader.fields[f"llama.{name}"].contents()

    n_heads, n_kv_heads = field("attention.head_count"), field("attention.head_count_kv")
    arrays = {t.name: dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
    n_vocab, d_model = arrays["token_embd.weight"].shape
    rope_base = field("rope.freq_base")
    config = LlamaConfig(
        vocab_size=n_vocab,
        hidden_size=d_model,
        intermediate_size=field("feed_forward_length"),
        num_hidden_layers=field("block_count"),
        num_attention_heads=n_heads,
        num_key_value_heads=n_kv_heads,
        max_position_embeddings=field("context_length"),
        rms_norm_eps=field("attention.layer_norm_rms_epsilon"),
        # version 5 reads the first of these, version 4 the second
        rope_parameters={"rope_type": "default", "rope_theta": rope_base},
        rope_theta=rope_base,
        tie_word_embeddings="output.weight" not in arrays,
        attention_bias=False,
        mlp_bias=False,
        bos_token_id=None,
        eos_token_id=reader.fields["tokenizer.ggml.eos_token_id"].contents(),
        pad_token_id=None,
        attn_implementation="eager",
        dtype=torch.float32,
    )
    state = in_huggingface(arrays, n_heads, n_kv_heads)
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])

    model = LlamaForCausalLM(config).eval()
    model.load_state_dict(
        {name: torch.from_numpy(array.copy()) for name, array in state.items()}, strict=True
    )
    d_head = d_model // n_heads
    expected = rope_base ** (-np.arange(0, d_head, 2) / d_head)
    if not np.allclose(model.model.rotary_emb.inv_freq.numpy(), expected, rtol=1e-5):
        raise ValueError("this version of transformers did not take the file's RoPE base")
    return model.requires_grad_(False)


def load_file(path: Path):
    """The model in a GGUF file as transformers itself reads it, which takes a minute: float32, eager attention."""
    return AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, attn_implementation="eager", dtype=torch.float32
    ).eval()


@torch.inference_mode()
def trace(model: LlamaForCausalLM, ids: list[int]) -> dict[str, np.ndarray]:
    """Run the model once; every intermediate by llmviz's name, layers along the first axis.

    `resid_pre`, `resid_mid`, `resid_post`, `ffn_out` [n_layers seq d_model];
    `pattern` [n_layers n_heads seq kv_seq]; `z` [n_layers n_heads seq d_head];
    `v` [n_layers n_kv_heads kv_seq d_head]; `gate`, `up`, `hidden` [n_layers seq d_ff];
    `logits` [n_vocab] after the last token.
    """
    config = model.config
    d_head = config.hidden_size // config.num_attention_heads
    recorded: dict[str, list] = {}
    hooks = []

    def keep(name: str, heads: int | None, value: torch.Tensor) -> None:
        array = value[0].numpy().copy()
        if heads is not None:
            array = array.reshape(len(ids), heads, d_head).swapaxes(0, 1)
        recorded.setdefault(name, []).append(array)

    def on_input(module, name: str, heads: int | None = None) -> None:
        hooks.append(module.register_forward_pre_hook(lambda _, args: keep(name, heads, args[0])))

    def on_output(module, name: str, heads: int | None = None) -> None:
        def hook(_, args, out):
            keep(name, heads, out[0] if isinstance(out, tuple) else out)

        hooks.append(module.register_forward_hook(hook))

    for layer in model.model.layers:
        on_input(layer, "resid_pre")
        on_input(layer.post_attention_layernorm, "resid_mid")
        on_output(layer, "resid_post")
        on_output(layer.self_attn.v_proj, "v", config.num_key_value_heads)
        on_input(layer.self_attn.o_proj, "z", config.num_attention_heads)
        on_output(layer.mlp.gate_proj, "gate")
        on_output(layer.mlp.up_proj, "up")
        on_input(layer.mlp.down_proj, "hidden")
        on_output(layer.mlp, "ffn_out")
    try:
        out = model(torch.tensor([ids]), output_attentions=True, use_cache=False, logits_to_keep=1)
    finally:
        for hook in hooks:
            hook.remove()
    arrays = {name: np.stack(layers) for name, layers in recorded.items()}
    arrays["pattern"] = np.stack([pattern[0].numpy() for pattern in out.attentions])
    arrays["logits"] = out.logits[0, -1].numpy().copy()
    return arrays


@torch.inference_mode()
def greedy(model: LlamaForCausalLM, ids: list[int], n_tokens: int) -> tuple[list[int], float]:
    """The likeliest `n_tokens` next tokens, fewer where the end token comes first, the whole text run anew at each
    step; and the narrowest win over the second (in logits): where that is below the tolerance, two right answers
    could differ.
    """
    new: list[int] = []
    narrowest = np.inf
    for _ in range(n_tokens):
        logits = model(torch.tensor([[*ids, *new]]), use_cache=False, logits_to_keep=1).logits[0, -1]
        best = torch.topk(logits, 2)
        narrowest = min(narrowest, float(best.values[0] - best.values[1]))
        new.append(int(best.indices[0]))
        if new[-1] == model.config.eos_token_id:
            break
    return new, narrowest


def load_tokenizer(path: Path | str) -> tokenizers.Tokenizer:
    """`tokenizers`' BPE from the file's own tokens and merges. Special tokens in a text are plain text."""
    reader = GGUFReader(path)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in reader.fields["tokenizer.ggml.merges"].contents()]
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocab, merges=merges))
    split = tokenizers.pre_tokenizers
    tokenizer.pre_tokenizer = split.Sequence(
        [split.Digits(individual_digits=True), split.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    return tokenizer
