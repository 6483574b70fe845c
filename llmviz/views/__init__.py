"""Pictures of what the model computes: arrays and pieces in, a picture out.

The parts every notebook uses are here; each stage's own pictures are in the module of the same name.
"""

from llmviz.views import provenance
from llmviz.views.heat_map import HeatMap
from llmviz.views.next_token_bars import NextTokenBars
from llmviz.views.pipeline_map import PipelineMap
from llmviz.views.predict import Predict
from llmviz.views.token_strip import TokenStrip

__all__ = ["HeatMap", "NextTokenBars", "PipelineMap", "Predict", "TokenStrip", "provenance"]
