"""Pictures of stage 5: one token through one FFN, neurons, the residual stream, the logit lens, where a fact is."""

from llmviz.views.ffn.by_hand import FFNByHand
from llmviz.views.ffn.causal_tracing import CausalTracer
from llmviz.views.ffn.claims import claims
from llmviz.views.ffn.few_fire import FewFire
from llmviz.views.ffn.logit_lens import LensGrid, first_for_good
from llmviz.views.ffn.neurons import NeuronExplorer
from llmviz.views.ffn.prompt import AnsweredPrompt
from llmviz.views.ffn.residual_stream import StreamNorms, WhoSaysIt, parameter_shares
from llmviz.views.ffn.where_is_the_fact import WhereIsTheFact, n_needed

__all__ = [
    "AnsweredPrompt",
    "CausalTracer",
    "FFNByHand",
    "FewFire",
    "LensGrid",
    "NeuronExplorer",
    "StreamNorms",
    "WhereIsTheFact",
    "WhoSaysIt",
    "claims",
    "first_for_good",
    "n_needed",
    "parameter_shares",
]
