"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""

from llmviz.views.differences.bet import Bet, apart, left_to_learn
from llmviz.views.differences.learner import SMALL, Learner, untrained
from llmviz.views.differences.one_step import AllNumbers, Numbers, OneNumber
from llmviz.views.differences.opened import HABITS, HeadsGrowing, PiecesMap
from llmviz.views.differences.whose import WhichIsWhose

__all__ = [
    "HABITS",
    "SMALL",
    "AllNumbers",
    "Bet",
    "HeadsGrowing",
    "Learner",
    "Numbers",
    "OneNumber",
    "PiecesMap",
    "WhichIsWhose",
    "apart",
    "left_to_learn",
    "untrained",
]
