"""Pictures of stage 5: one token through one FFN, all neurons, the residual stream, and the way of a fact."""

from llmviz.views.ffn.by_hand import FFNByHand
from llmviz.views.ffn.fact import Fact, Pair, off, pair_of, put_in, steps, swap
from llmviz.views.ffn.follow_the_fact import FollowTheFact, PutIn, TenCountries
from llmviz.views.ffn.logit_lens import LensGrid
from llmviz.views.ffn.population import Population
from llmviz.views.ffn.residual_stream import StreamNorms, parameter_shares
from llmviz.views.ffn.taken_apart import LogitTakenApart
from llmviz.views.ffn.who_writes import (
    doubled,
    enough_for_half,
    gates,
    gates_below_zero,
    half_of_the_writing,
    twice_the_vector,
)

__all__ = [
    "FFNByHand",
    "Fact",
    "FollowTheFact",
    "LensGrid",
    "LogitTakenApart",
    "Pair",
    "Population",
    "PutIn",
    "StreamNorms",
    "TenCountries",
    "doubled",
    "enough_for_half",
    "gates",
    "gates_below_zero",
    "half_of_the_writing",
    "off",
    "pair_of",
    "parameter_shares",
    "put_in",
    "steps",
    "swap",
    "twice_the_vector",
]
