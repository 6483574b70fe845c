"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""

from llmviz.views.differences.parameters import PUBLISHED, Memory, ModelSizes, Parameters, Published, parts
from llmviz.views.differences.rounding import STORY, Rounding, distinct
from llmviz.views.differences.second_model import SecondModel
from llmviz.views.differences.sizes import KNOBS, SIZES, Sizes, bits_a_byte, small

__all__ = [
    "KNOBS",
    "PUBLISHED",
    "SIZES",
    "STORY",
    "Memory",
    "ModelSizes",
    "Parameters",
    "Published",
    "Rounding",
    "SecondModel",
    "Sizes",
    "bits_a_byte",
    "distinct",
    "parts",
    "small",
]
