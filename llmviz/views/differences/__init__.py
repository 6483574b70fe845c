"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""
# ruff: noqa: F401  What is imported here is what the package offers.

from llmviz.experiments.fine_tuning import n_trained, why_not
from llmviz.experiments.gradients import Numbers
from llmviz.experiments.published import PUBLISHED, parts
from llmviz.experiments.small_models import KNOBS, SIZES
from llmviz.experiments.training_run import better_sorted, final_surprise, held_out_curve, untrained
from llmviz.views.differences.after_tuning import Amount, BeforeAfter, Cost
from llmviz.views.differences.authorship import Authorship
from llmviz.views.differences.card_to_keep import CardToKeep
from llmviz.views.differences.claims_of_the_series import ClaimsOfTheSeries
from llmviz.views.differences.fine_tuning import FineTuning
from llmviz.views.differences.gradient_step import GradientStep, OneParameter
from llmviz.views.differences.one_fact import OneFact
from llmviz.views.differences.parameters import Memory, ModelSizes, Parameters
from llmviz.views.differences.predict_training import PredictTraining
from llmviz.views.differences.pretraining import Pretraining
from llmviz.views.differences.sizes import Sizes
from llmviz.views.differences.token_map import TokenMap
