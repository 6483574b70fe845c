"""Pictures of what the model computes: arrays and pieces in, a picture out.

The parts every notebook uses are here; each stage's own pictures are in the module of the same name.
"""

from llmviz.views import provenance
from llmviz.views.arcs import Arcs
from llmviz.views.heat_map import HeatMap
from llmviz.views.line_plot import LinePlot
from llmviz.views.loop_picture import LoopPicture
from llmviz.views.next_token_bars import NextTokenBars
from llmviz.views.pipeline_map import PipelineMap
from llmviz.views.predict import Predict
from llmviz.views.stage_tour import StageTour
from llmviz.views.switchboard import Switchboard
from llmviz.views.text_box import TextBox
from llmviz.views.the_loop import LoopExplorer
from llmviz.views.token_strip import TokenStrip
from llmviz.views.vector_picture import VectorPicture

__all__ = [
    "Arcs",
    "HeatMap",
    "LinePlot",
    "LoopExplorer",
    "LoopPicture",
    "NextTokenBars",
    "PipelineMap",
    "Predict",
    "StageTour",
    "Switchboard",
    "TextBox",
    "TokenStrip",
    "VectorPicture",
    "provenance",
]
