"""Pictures of stage 4: one head taken apart, all heads at once, a finder, and experiments that switch heads off."""

from llmviz.views.attention.by_hand import HeadByHand
from llmviz.views.attention.cost import Cost
from llmviz.views.attention.does_it_matter import DoesItMatter
from llmviz.views.attention.finder import HeadFinder
from llmviz.views.attention.head_explorer import HeadExplorer
from llmviz.views.attention.induction import Induction
from llmviz.views.attention.sink import Sink
from llmviz.views.attention.two_heads import TwoHeads
from llmviz.views.attention.wake_up import WakeUp
from llmviz.views.attention.what_mattered import WhatMattered

__all__ = [
    "Cost",
    "DoesItMatter",
    "HeadByHand",
    "HeadExplorer",
    "HeadFinder",
    "Induction",
    "Sink",
    "TwoHeads",
    "WakeUp",
    "WhatMattered",
]
