"""Pictures of stage 3: waves for places, RoPE's clocks, scores over distance, and the real model without its order."""

from llmviz.views.position.claims import claims
from llmviz.views.position.long_text import CONTEXTS, MAX_READ, N_GUESSED, STORY, LongText
from llmviz.views.position.numbers import (
    DISTANCES,
    OTHER_BASE,
    amount,
    before_rope,
    pair_scores,
    surprise,
)
from llmviz.views.position.one_head import ALL, FURTHEST, DialExplorer, OneHead, ScoreByDistance
from llmviz.views.position.rope_dial import RopeDial, degrees
from llmviz.views.position.swap import ORDER_SETTINGS, SwapWords
from llmviz.views.position.switches import N_WRITTEN, SETTINGS, Background, PositionSwitches
from llmviz.views.position.waves import SinusoidPattern

__all__ = [
    "ALL",
    "CONTEXTS",
    "DISTANCES",
    "FURTHEST",
    "MAX_READ",
    "N_GUESSED",
    "N_WRITTEN",
    "ORDER_SETTINGS",
    "OTHER_BASE",
    "SETTINGS",
    "STORY",
    "Background",
    "DialExplorer",
    "LongText",
    "OneHead",
    "PositionSwitches",
    "RopeDial",
    "ScoreByDistance",
    "SinusoidPattern",
    "SwapWords",
    "amount",
    "before_rope",
    "claims",
    "degrees",
    "pair_scores",
    "surprise",
]
