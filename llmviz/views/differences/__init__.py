"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""

from llmviz.views.differences.fine_tuning import Amount, BeforeAfter, Cost, FineTuning, WhatChanged
from llmviz.views.differences.how_many import HowMany
from llmviz.views.differences.lessons import n_trained
from llmviz.views.differences.one_fact import OneFact

__all__ = ["Amount", "BeforeAfter", "Cost", "FineTuning", "HowMany", "OneFact", "WhatChanged", "n_trained"]
