"""Pictures of stage 3: an unordered set, RoPE's clocks, and the real model without positions."""
# ruff: noqa: F401  What is imported here is what the package offers.

from llmviz.experiments.order import n_layers_that_notice, shuffled_change, which_vectors_change
from llmviz.experiments.without_rope import (
    change_if_both_move,
    head_with_clocks,
    in_which_layers,
    periods,
    previous_token_weights,
    said_without_rope,
    strongest_head,
    without_rope,
)
from llmviz.views.position.one_back import OneBack, how_common
from llmviz.views.position.one_head import Clocks, TwoHands
from llmviz.views.position.rope_dial import RopeDial
from llmviz.views.position.shuffled_head import ShuffledHead
from llmviz.views.position.swap import SwapWords, UnorderedSet, swap_question
from llmviz.views.position.switches import PositionSwitches, in_percent, likeliest
