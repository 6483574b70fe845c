"""Count the numbers of a model."""

import numpy as np

from llmviz.model import Model


def parameters(model: Model) -> dict[str, int]:
    """How many numbers training has set, by part of the model. A tied output table counts once."""
    w = model.weights
    parts = {"FFN": 0, "attention": 0, "embedding table": w.W_E.size, "norms": w.final_norm.size}
    if not np.shares_memory(w.W_E, w.W_U):
        parts["output table"] = w.W_U.size
    for layer in w.layers:
        parts["FFN"] += layer.W_gate.size + layer.W_up.size + layer.W_down.size
        parts["attention"] += layer.W_Q.size + layer.W_K.size + layer.W_V.size + layer.W_O.size
        parts["norms"] += layer.attention_norm.size + layer.ffn_norm.size
    return parts
