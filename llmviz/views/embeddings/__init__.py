"""Pictures of stage 2: the table's rows, cosines against their baseline, neighbours, a map, arithmetic on words."""

from llmviz.claims.cases import SENSES
from llmviz.experiments.lens import cosines_by_layer
from llmviz.views.embeddings.analogy import AnalogyExplorer
from llmviz.views.embeddings.analogy_count import AnalogyCount
from llmviz.views.embeddings.cosine import CosineExplorer
from llmviz.views.embeddings.in_space import map_in_space
from llmviz.views.embeddings.nearest_tokens import NearestTokens
from llmviz.views.embeddings.neighbours import NeighbourExplorer
from llmviz.views.embeddings.one_row import RowExplorer
from llmviz.views.embeddings.senses import SenseExplorer
from llmviz.views.embeddings.table import Table
from llmviz.views.embeddings.two_arrows import ArrowExplorer
from llmviz.views.embeddings.walk import WalkExplorer
from llmviz.views.embeddings.word_map import WordMap
from llmviz.views.embeddings.words import read_groups

__all__ = [
    "SENSES",
    "AnalogyCount",
    "AnalogyExplorer",
    "ArrowExplorer",
    "CosineExplorer",
    "NearestTokens",
    "NeighbourExplorer",
    "RowExplorer",
    "SenseExplorer",
    "Table",
    "WalkExplorer",
    "WordMap",
    "cosines_by_layer",
    "map_in_space",
    "read_groups",
]
