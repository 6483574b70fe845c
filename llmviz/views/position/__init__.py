"""Pictures of stage 3: an unordered set, RoPE's clocks, and the real model without its order."""
# ruff: noqa: F401  What is imported here is what the package offers.

from llmviz.views.position.one_back import OneBack, previous_token_weights, strongest_head
from llmviz.views.position.one_head import Clocks, TwoHands, change_if_both_move, periods
from llmviz.views.position.rope_dial import RopeDial
from llmviz.views.position.shuffled_head import ShuffledHead, shuffled_change
from llmviz.views.position.swap import (
    SwapWords,
    UnorderedSet,
    n_layers_that_notice,
    swap_question,
    which_vectors_change,
)
from llmviz.views.position.switches import PositionSwitches, in_percent, likeliest, without_rope
