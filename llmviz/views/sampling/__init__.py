"""Pictures of stage 6: softmax, temperature, the chain of filters, draws, the loop, its many futures, and its end."""

from llmviz.experiments import first_choices
from llmviz.experiments.answers import CAPITALS, SPACED_SUMS, SUMS
from llmviz.views.sampling.continuation_tree import Continuations
from llmviz.views.sampling.sampler_cards import SamplerChain
from llmviz.views.sampling.side_by_side import ChatEnd, Writing
from llmviz.views.sampling.softmax_steps import softmax_steps
from llmviz.views.sampling.step_by_step import StepByStep
from llmviz.views.sampling.surprise import Surprise, largest_surprise
from llmviz.views.sampling.temperature import Draws, TemperatureExplorer, right_by_temperature

__all__ = [
    "CAPITALS",
    "SPACED_SUMS",
    "SUMS",
    "ChatEnd",
    "Continuations",
    "Draws",
    "SamplerChain",
    "StepByStep",
    "Surprise",
    "TemperatureExplorer",
    "Writing",
    "first_choices",
    "largest_surprise",
    "right_by_temperature",
    "softmax_steps",
]
