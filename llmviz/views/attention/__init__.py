"""Pictures of stage 4: one head taken apart, all heads at once, and experiments that switch heads off."""
# ruff: noqa: F401  What is imported here is what a notebook uses as `pictures`.

from llmviz.views.attention.by_hand import HeadByHand
from llmviz.views.attention.cost import Cost
from llmviz.views.attention.does_it_matter import DoesItMatter, NounPair, NumberMap
from llmviz.views.attention.head_explorer import HeadExplorer
from llmviz.views.attention.head_grid import head_name
from llmviz.views.attention.induction import Induction
from llmviz.views.attention.sink import Sink
from llmviz.views.attention.two_heads import TwoHeads
from llmviz.views.attention.why_there import (
    KINDS,
    WhyThere,
    kind_of_largest_part,
    score_explanation,
    score_question,
)
