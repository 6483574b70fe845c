"""Pictures of what the model computes: arrays and pieces in, a picture out.

The parts every notebook uses are here; each stage's own pictures are in the module of the same name.
"""

from llmviz.views.next_token_bars import NextTokenBars
from llmviz.views.token_strip import TokenStrip

__all__ = ["NextTokenBars", "TokenStrip"]
