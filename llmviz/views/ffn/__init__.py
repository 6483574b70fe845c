"""Pictures of stage 5: one token through one FFN, neurons, the residual stream, the logit lens, where a fact is."""

from llmviz.views.ffn.by_hand import FFNByHand
from llmviz.views.ffn.causal_tracing import CausalTracer
from llmviz.views.ffn.claims import claims
from llmviz.views.ffn.few_fire import FewFire, firing
from llmviz.views.ffn.logit_lens import LensGrid, first_for_good, for_good
from llmviz.views.ffn.neurons import NeuronExplorer
from llmviz.views.ffn.prompt import AnsweredPrompt
from llmviz.views.ffn.residual_stream import ALONE, StreamNorms, WhoSaysIt, parameter_shares, stream_norms
from llmviz.views.ffn.silu_curve import SiluCurve
from llmviz.views.ffn.where_is_the_fact import CAPITALS, WhereIsTheFact, common, listed, n_needed, verdict

__all__ = [
    "ALONE",
    "CAPITALS",
    "AnsweredPrompt",
    "CausalTracer",
    "FFNByHand",
    "FewFire",
    "LensGrid",
    "NeuronExplorer",
    "SiluCurve",
    "StreamNorms",
    "WhereIsTheFact",
    "WhoSaysIt",
    "claims",
    "common",
    "firing",
    "first_for_good",
    "for_good",
    "listed",
    "n_needed",
    "parameter_shares",
    "stream_norms",
    "verdict",
]
