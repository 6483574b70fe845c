"""Pictures of stage 1: a text as tokens, merges replayed, a vocabulary in training, and counts of tokens."""
# ruff: noqa: F401  What is imported here is what the package offers.

from llmviz.experiments.words import longest_word, merged_tokens
from llmviz.views.tokenization.counts import (
    CountBars,
    about_capitals,
    capitals,
    capitals_question,
    spellings,
)
from llmviz.views.tokenization.languages import LanguageExplorer, about_languages
from llmviz.views.tokenization.letters import LettersExplorer
from llmviz.views.tokenization.merges import (
    MergeExplorer,
    TrainingExplorer,
    about_first_merge,
    about_frequent_pairs,
    first_merged,
    most_frequent_pair,
)
from llmviz.views.tokenization.text_tokens import ChatExplorer, TextTokens, TokensPrompt, about_pieces
from llmviz.views.tokenization.typed_text import named, shown
