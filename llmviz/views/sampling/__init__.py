"""Pictures of stage 6: softmax, temperature, the chain of filters, draws, the loop, its many futures, and its end."""

from llmviz.views.sampling.chat_end import ChatEnd
from llmviz.views.sampling.continuation_tree import Continuations, ContinuationTree
from llmviz.views.sampling.draws import Draws
from llmviz.views.sampling.sampler_cards import PRESETS, SamplerCards, SamplerChain
from llmviz.views.sampling.softmax_steps import SoftmaxSteps, softmax_steps
from llmviz.views.sampling.step_by_step import StepByStep
from llmviz.views.sampling.surprise import Surprise
from llmviz.views.sampling.temperature import TemperatureExplorer
from llmviz.views.sampling.writing import Writing
from llmviz.views.sampling.written_text import Place, WrittenText, place, summary

__all__ = [
    "PRESETS",
    "ChatEnd",
    "ContinuationTree",
    "Continuations",
    "Draws",
    "Place",
    "SamplerCards",
    "SamplerChain",
    "SoftmaxSteps",
    "StepByStep",
    "Surprise",
    "TemperatureExplorer",
    "Writing",
    "WrittenText",
    "place",
    "softmax_steps",
    "summary",
]
