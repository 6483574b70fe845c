"""Pictures of stage 2: the table's rows, cosines against their baseline, neighbours, a map, arithmetic on words."""

from llmviz.views.embeddings.analogy import AnalogyExplorer
from llmviz.views.embeddings.cosine import CosineExplorer
from llmviz.views.embeddings.nearest_tokens import NearestTokens, cosine_with
from llmviz.views.embeddings.neighbours import NeighbourExplorer
from llmviz.views.embeddings.one_row import RowExplorer
from llmviz.views.embeddings.walk import WalkExplorer
from llmviz.views.embeddings.word_groups import read_groups
from llmviz.views.embeddings.word_map import WordMap

__all__ = [
    "AnalogyExplorer",
    "CosineExplorer",
    "NearestTokens",
    "NeighbourExplorer",
    "RowExplorer",
    "WalkExplorer",
    "WordMap",
    "cosine_with",
    "read_groups",
]
