"""Pictures of stage 6: a grid of sums, temperature, softmax, the chain of filters, the loop, and how it ends."""
# ruff: noqa: F401  What is imported here is what the package offers.

from llmviz.experiments import first_choices
from llmviz.experiments.answers import columns_alike, n_right_sums
from llmviz.experiments.fine_tuning import why_not
from llmviz.experiments.writing import AFTER_THE_END, after_the_end, greedy_repetition
from llmviz.views.sampling.sampler_cards import SamplerChain
from llmviz.views.sampling.side_by_side import ChatEnd, Writing
from llmviz.views.sampling.softmax_steps import softmax_steps
from llmviz.views.sampling.step_by_step import StepByStep
from llmviz.views.sampling.sums import sums
from llmviz.views.sampling.temperature import TemperatureExplorer
