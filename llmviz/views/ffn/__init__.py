"""Pictures of stage 5: one token through one FFN, all neurons, the residual stream, and the way of a fact."""

from llmviz.views.ffn.by_hand import FFNByHand
from llmviz.views.ffn.population import Population
from llmviz.views.ffn.residual_stream import LensGrid, StreamNorms, parameter_shares
from llmviz.views.ffn.taken_apart import LogitTakenApart, logit_asked
from llmviz.views.ffn.ten_countries import TenCountries
from llmviz.views.ffn.what_the_mover_says import WhatTheMoverSays
from llmviz.views.ffn.who_writes import (
    asked_at,
    gates,
    half_of_the_writing,
    twice_the_vector,
)
from llmviz.views.kit.fact import Fact
from llmviz.views.kit.patch_map import PatchMap

__all__ = [
    "FFNByHand",
    "Fact",
    "LensGrid",
    "LogitTakenApart",
    "PatchMap",
    "Population",
    "StreamNorms",
    "TenCountries",
    "WhatTheMoverSays",
    "asked_at",
    "gates",
    "half_of_the_writing",
    "logit_asked",
    "parameter_shares",
    "twice_the_vector",
]
