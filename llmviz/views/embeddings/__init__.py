"""Pictures of stage 2: the table's rows, cosines against their baseline, neighbours, a map, arithmetic on words."""

from llmviz.views.embeddings.analogy import AnalogyExplorer
from llmviz.views.embeddings.cosine import CosineExplorer, CosineHistogram
from llmviz.views.embeddings.in_space import figure_widget
from llmviz.views.embeddings.nearest_tokens import NearestTokens, cosine_with
from llmviz.views.embeddings.neighbours import NeighbourExplorer
from llmviz.views.embeddings.one_row import RowExplorer
from llmviz.views.embeddings.random_pairs import N_FREQUENT, frequent_tokens
from llmviz.views.embeddings.walk import WalkExplorer
from llmviz.views.embeddings.word_box import WordBox, look_up
from llmviz.views.embeddings.word_groups import MAX_WORDS, read_groups
from llmviz.views.embeddings.word_map import WordMap

__all__ = [
    "MAX_WORDS",
    "N_FREQUENT",
    "AnalogyExplorer",
    "CosineExplorer",
    "CosineHistogram",
    "NearestTokens",
    "NeighbourExplorer",
    "RowExplorer",
    "WalkExplorer",
    "WordBox",
    "WordMap",
    "cosine_with",
    "figure_widget",
    "frequent_tokens",
    "look_up",
    "read_groups",
]
