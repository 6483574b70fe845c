"""Pictures of stage 5: one token through one FFN, all neurons, the residual stream, and the way of a fact."""

from llmviz.experiments.facts import answer_probability, last_decisive_layer, rank_of_answer
from llmviz.views.ffn.by_hand import FFNByHand
from llmviz.views.ffn.fact import Fact
from llmviz.views.ffn.follow_the_fact import FollowTheFact, PutIn, TenCountries, WhatTheMoverSays
from llmviz.views.ffn.logit_lens import LensGrid
from llmviz.views.ffn.population import Population, agreement, better_than_chance
from llmviz.views.ffn.residual_stream import StreamNorms, parameter_shares
from llmviz.views.ffn.taken_apart import LogitTakenApart, logit_asked
from llmviz.views.ffn.who_writes import (
    asked_at,
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
    "Population",
    "PutIn",
    "StreamNorms",
    "TenCountries",
    "WhatTheMoverSays",
    "agreement",
    "asked_at",
    "better_than_chance",
    "doubled",
    "enough_for_half",
    "gates",
    "gates_below_zero",
    "half_of_the_writing",
    "last_layer",
    "logit_asked",
    "parameter_shares",
    "place_of_answer",
    "share",
    "twice_the_vector",
]
