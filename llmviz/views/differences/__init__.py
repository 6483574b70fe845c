"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""

from llmviz.views.differences.parameters import PUBLISHED, Memory, ModelSizes, Parameters, Published
from llmviz.views.differences.sizes import KNOBS, SIZES, Sizes, bits_a_byte, small

__all__ = [
    "KNOBS",
    "PUBLISHED",
    "SIZES",
    "Memory",
    "ModelSizes",
    "Parameters",
    "Published",
    "Sizes",
    "bits_a_byte",
    "small",
]
