"""Pictures of stage 3: waves for places, RoPE's clocks, scores over distance, and the real model without its order."""

from llmviz.views.position.claims import claims
from llmviz.views.position.long_text import STORY, LongText
from llmviz.views.position.numbers import before_rope
from llmviz.views.position.one_head import ALL, DialExplorer, ScoreByDistance
from llmviz.views.position.rope_dial import RopeDial
from llmviz.views.position.swap import SwapWords
from llmviz.views.position.switches import PositionSwitches
from llmviz.views.position.waves import SinusoidPattern

__all__ = [
    "ALL",
    "STORY",
    "DialExplorer",
    "LongText",
    "PositionSwitches",
    "RopeDial",
    "ScoreByDistance",
    "SinusoidPattern",
    "SwapWords",
    "before_rope",
    "claims",
]
