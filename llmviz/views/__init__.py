"""Pictures of what the model computes: arrays and pieces in, a picture out.

What every notebook uses is here. The pictures of a stage are in the package with its name, those of the front page in
`the_loop`, those of pages 07 to 09 in `differences`; `kit` has what all of them are made of.
"""

import ipywidgets

from llmviz.experiments.families import about, about_formula
from llmviz.model import Model
from llmviz.views import provenance
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.live import live
from llmviz.views.kit.next_token_bars import NextTokenBars
from llmviz.views.kit.pieces import quote, visible
from llmviz.views.kit.pipeline_map import PipelineMap
from llmviz.views.kit.predict import Predict
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.theme import print_style
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.results import results
from llmviz.views.the_loop.heads_off import HeadsOff
from llmviz.views.the_loop.journey import Journey
from llmviz.views.the_loop.loop_explorer import LoopExplorer
from llmviz.views.the_loop.stage_tour import StageTour
from llmviz.views.the_loop.switchboard import Switchboard

__all__ = [
    "Arcs",
    "HeadsOff",
    "HeatMap",
    "Journey",
    "LinePlot",
    "LoopExplorer",
    "NextTokenBars",
    "PipelineMap",
    "Predict",
    "Prompt",
    "StageTour",
    "Switchboard",
    "TokenStrip",
    "VectorPicture",
    "about",
    "about_formula",
    "claims_of_the_series",
    "live",
    "print_style",
    "provenance",
    "quote",
    "results",
    "visible",
]


def claims_of_the_series(model: Model) -> ipywidgets.VBox:
    """Show which claims of popular explanations hold in this model: a table that a button fills line by line."""
    # Only here, because it takes a moment to import the claims of all stages.
    from llmviz.views.differences import ClaimsOfTheSeries

    return ClaimsOfTheSeries(model)
