"""A plain Llama in torch, from the matrices of a GGUF file by their names there, for its gradients and for training.

Needs the `peers` extra. Nothing of llmviz is imported here, on purpose.
"""

import torch
from torch.nn.functional import cross_entropy, scaled_dot_product_attention, silu


def stream(p: dict, config, x: torch.Tensor, layers: range, low: dict | None = None) -> torch.Tensor:
    """The stream [texts, seq, d_model] through some layers. low: by layer and matrix, (down, up) added to it."""
    texts, seq, _ = x.shape
    turns = rotations(config, seq, x.dtype)

    def heads(n: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
        return (n @ W.T).view(texts, seq, -1, config.d_head).transpose(1, 2)

    for layer in layers:

        def W(name: str, layer=layer) -> torch.Tensor:
            return p[f"blk.{layer}.{name}.weight"]

        def times(n: torch.Tensor, name: str, layer=layer) -> torch.Tensor:
            out = n @ p[f"blk.{layer}.{name}.weight"].T
            if low and (layer, name) in low:
                down, up = low[layer, name]
                out = out + (n @ down) @ up
            return out

        n = norm(x, W("attn_norm"), config)
        q, k = (turned(heads(n, W(name)), turns) for name in ("attn_q", "attn_k"))
        z = scaled_dot_product_attention(q, k, heads(n, W("attn_v")), is_causal=True, enable_gqa=True)
        x = x + z.transpose(1, 2).reshape(texts, seq, -1) @ W("attn_output").T
        n = norm(x, W("ffn_norm"), config)
        x = x + times(silu(times(n, "ffn_gate")) * times(n, "ffn_up"), "ffn_down")
    return x


def loss(p: dict, config, x: torch.Tensor, tokens: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """The mean surprise in nats of the tokens [texts, seq] that count, from the last stream."""
    rows = counted[:, 1:]
    n = norm(x[:, :-1][rows], p["output_norm.weight"], config)
    return cross_entropy(n @ p.get("output.weight", p["token_embd.weight"]).T, tokens[:, 1:][rows])


def whole_loss(p: dict, config, tokens: torch.Tensor) -> torch.Tensor:
    """The same for all of the tokens, through the whole model."""
    x = stream(p, config, p["token_embd.weight"][tokens], range(config.n_layers))
    return loss(p, config, x, tokens, torch.ones_like(tokens, dtype=torch.bool))


def norm(x: torch.Tensor, weight: torch.Tensor, config) -> torch.Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + config.norm_eps) * weight


def rotations(config, seq: int, dtype: torch.dtype) -> torch.Tensor:
    """e^(i angle) of each pair at each position."""
    speeds = config.rope_base ** (-torch.arange(0, config.d_head, 2, dtype=torch.float64) / config.d_head)
    angles = torch.arange(seq, dtype=torch.float64)[:, None] * speeds
    return torch.polar(torch.ones_like(angles), angles).to(
        torch.complex128 if dtype == torch.float64 else torch.complex64
    )


def turned(x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(pairs * turns).reshape(x.shape)
