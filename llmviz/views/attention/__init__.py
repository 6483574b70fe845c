"""Pictures of stage 4: one head taken apart, all heads at once, a finder, and experiments that switch heads off."""

from llmviz.views.attention.by_hand import HeadByHand, raw_scores, read_by_heads, turned_number
from llmviz.views.attention.claims import claims
from llmviz.views.attention.cost import Cost, Timing, seconds
from llmviz.views.attention.does_it_matter import PRESETS, DoesItMatter, Preset
from llmviz.views.attention.finder import N_RANKED, HeadFinder
from llmviz.views.attention.head_explorer import HeadExplorer, shown_weight
from llmviz.views.attention.head_grid import HeadGrid, four_axes
from llmviz.views.attention.heads import (
    BEHAVIOURS,
    MAP_SIZE,
    Overview,
    behaviours,
    first_hidden,
    head_name,
    head_pattern,
    largest_in_blocks,
    overview,
    patterns,
    random_heads,
    strongest,
    weights_from,
)
from llmviz.views.attention.induction import N_DRAWS, Induction, random_tokens, right_next
from llmviz.views.attention.score_steps import ScoreSteps
from llmviz.views.attention.sink import Sink
from llmviz.views.attention.wake_up import SENTENCES, WakeUp

__all__ = [
    "BEHAVIOURS",
    "MAP_SIZE",
    "N_DRAWS",
    "N_RANKED",
    "PRESETS",
    "SENTENCES",
    "Cost",
    "DoesItMatter",
    "HeadByHand",
    "HeadExplorer",
    "HeadFinder",
    "HeadGrid",
    "Induction",
    "Overview",
    "Preset",
    "ScoreSteps",
    "Sink",
    "Timing",
    "WakeUp",
    "behaviours",
    "claims",
    "first_hidden",
    "four_axes",
    "head_name",
    "head_pattern",
    "largest_in_blocks",
    "overview",
    "patterns",
    "random_heads",
    "random_tokens",
    "raw_scores",
    "read_by_heads",
    "right_next",
    "seconds",
    "shown_weight",
    "strongest",
    "turned_number",
    "weights_from",
]
