"""Pictures of stage 3: waves for places, RoPE's clocks, scores over distance, and the real model without its order."""

from llmviz.views.position.heaps import ShuffledHead, named, places_to_swap, two_heaps
from llmviz.views.position.long_text import STORY, LongText
from llmviz.views.position.one_back import OneBack
from llmviz.views.position.one_head import Clocks, DialExplorer, ScoreByDistance
from llmviz.views.position.rope_dial import RopeDial
from llmviz.views.position.swap import SwapWords
from llmviz.views.position.switches import PositionSwitches
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
    "named",
    "places_to_swap",
    "two_heaps",
]
