"""Pictures of stage 2: rows of the table, their cosines and neighbours, a map of words, and arithmetic on words."""
# ruff: noqa: F401  What is imported here is what the package offers.

from llmviz.claims.cases import SENSES
from llmviz.experiments.lens import cosines_by_layer
from llmviz.views.embeddings.analogy import AnalogyExplorer
from llmviz.views.embeddings.analogy_count import AnalogyCount
from llmviz.views.embeddings.cosine import CosineExplorer
from llmviz.views.embeddings.neighbours import NeighbourExplorer
from llmviz.views.embeddings.one_row import RowExplorer
from llmviz.views.embeddings.senses import SenseExplorer
from llmviz.views.embeddings.two_arrows import ArrowExplorer
from llmviz.views.embeddings.word_map import WordMap
from llmviz.views.embeddings.words import read_groups
