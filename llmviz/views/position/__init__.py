"""Pictures of stage 3: waves for places, RoPE's clocks, scores over distance, and the real model without its order."""

from llmviz.views.position.long_text import STORY, LongText
from llmviz.views.position.one_back import OneBack, shares_one_back
from llmviz.views.position.one_head import Clocks, DialExplorer, ScoreByDistance, periods
from llmviz.views.position.rope_dial import RopeDial
from llmviz.views.position.shuffled_head import ShuffledHead
from llmviz.views.position.swap import SwapWords, TwoHeaps, n_layers_that_notice, named
from llmviz.views.position.switches import PositionSwitches, likeliest
from llmviz.views.position.waves import SinusoidPattern

__all__ = [
    "STORY",
    "Clocks",
    "DialExplorer",
    "LongText",
    "OneBack",
    "PositionSwitches",
    "RopeDial",
    "ScoreByDistance",
    "ShuffledHead",
    "SinusoidPattern",
    "SwapWords",
    "TwoHeaps",
    "likeliest",
    "n_layers_that_notice",
    "named",
    "periods",
    "shares_one_back",
]
