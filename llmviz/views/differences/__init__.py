"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""

from llmviz.experiments.fine_tuning import n_trained
from llmviz.experiments.gradients import Numbers
from llmviz.experiments.learning import SMALL
from llmviz.experiments.published import PUBLISHED, Published, parts
from llmviz.experiments.small_models import KNOBS, SIZES, bits_a_byte, small
from llmviz.views.differences.after_tuning import Amount, BeforeAfter, Cost, WhatChanged
from llmviz.views.differences.bet import Bet, apart, left_to_learn
from llmviz.views.differences.claims_of_the_series import ClaimsOfTheSeries
from llmviz.views.differences.fine_tuning import FineTuning, HowMany
from llmviz.views.differences.learner import Learner, untrained
from llmviz.views.differences.one_fact import OneFact
from llmviz.views.differences.one_step import AllNumbers, OneNumber
from llmviz.views.differences.opened import (
    HABITS,
    PARTS,
    HeadsGrowing,
    PartsOff,
    PiecesMap,
    grown_most,
    needed_most,
    share_of_own_kind,
)
from llmviz.views.differences.parameters import Memory, ModelSizes, Parameters, SecondModel
from llmviz.views.differences.rounding import STORY, Grid, Rounding
from llmviz.views.differences.sizes import Sizes
from llmviz.views.differences.whose import WhichIsWhose

__all__ = [
    "HABITS",
    "KNOBS",
    "PARTS",
    "PUBLISHED",
    "SIZES",
    "SMALL",
    "STORY",
    "AllNumbers",
    "Amount",
    "BeforeAfter",
    "Bet",
    "ClaimsOfTheSeries",
    "Cost",
    "FineTuning",
    "Grid",
    "HeadsGrowing",
    "HowMany",
    "Learner",
    "Memory",
    "ModelSizes",
    "Numbers",
    "OneFact",
    "OneNumber",
    "Parameters",
    "PartsOff",
    "PiecesMap",
    "Published",
    "Rounding",
    "SecondModel",
    "Sizes",
    "WhatChanged",
    "WhichIsWhose",
    "apart",
    "bits_a_byte",
    "grown_most",
    "left_to_learn",
    "n_trained",
    "needed_most",
    "parts",
    "share_of_own_kind",
    "small",
    "untrained",
]
