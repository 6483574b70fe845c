"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""

from llmviz.views.differences.claims_of_the_series import ClaimsOfTheSeries
from llmviz.views.differences.fine_tuning import Amount, BeforeAfter, Cost, FineTuning, WhatChanged
from llmviz.views.differences.how_many import HowMany
from llmviz.views.differences.lessons import n_trained
from llmviz.views.differences.one_fact import OneFact
from llmviz.views.differences.parameters import PUBLISHED, Memory, ModelSizes, Parameters, Published, parts
from llmviz.views.differences.rounding import STORY, Rounding
from llmviz.views.differences.second_model import SecondModel
from llmviz.views.differences.sizes import KNOBS, SIZES, Sizes, bits_a_byte, small

__all__ = [
    "KNOBS",
    "PUBLISHED",
    "SIZES",
    "STORY",
    "Amount",
    "BeforeAfter",
    "ClaimsOfTheSeries",
    "Cost",
    "FineTuning",
    "HowMany",
    "Memory",
    "ModelSizes",
    "OneFact",
    "Parameters",
    "Published",
    "Rounding",
    "SecondModel",
    "Sizes",
    "WhatChanged",
    "bits_a_byte",
    "n_trained",
    "parts",
    "small",
]
