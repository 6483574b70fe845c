"""llmviz: see how a large language model works, on a real one.

    import llmviz
    model = llmviz.load()
    trace = model.trace("The cat that I saw yesterday was sleeping")
    trace.blocks[13].attention.pattern[8]        # [from, to]

Axes        seq: the position of a token that attends ("from") · kv_seq: of one that it attends to ("to")
            d_model: width of the residual stream · n_heads, n_kv_heads, d_head · d_ff: neurons · n_vocab · n_layers

Arrays      tokens [seq] · resid_pre, resid_mid, resid_post [seq d_model]
            q, z [n_heads seq d_head] · k, v [n_kv_heads kv_seq d_head]
            scores (before softmax), pattern (after) [n_heads seq kv_seq]
            gate, up, hidden [seq d_ff] · logits, probs [n_vocab]
            W_E [n_vocab d_model] · W_Q [n_heads d_model d_head] · W_K, W_V [n_kv_heads d_model d_head]
            W_O [n_heads d_head d_model] · W_gate, W_up [d_model d_ff] · W_down [d_ff d_model]
            W_U [d_model n_vocab]

Each stage has a module: tokenization, embeddings, position, attention, ffn, sampling. `model` composes them, with
`edits` to reach inside a run and `reuse` to compute nothing twice. `experiments` measures, and `views` draws.
"""

from llmviz.edits import Edits
from llmviz.model import BlockTrace, Model, Step, Trace, load
from llmviz.sampling import Sampler

__version__ = "0.1.0"
__all__ = ["BlockTrace", "Edits", "Model", "Sampler", "Step", "Trace", "load"]
