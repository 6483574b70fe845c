"""Pictures of stage 1: a text as tokens, merges replayed, a vocabulary in training, and what is counted of them."""

from llmviz.views.tokenization.counts import (
    CountBars,
    about_capitals,
    capitals,
    capitals_question,
    missing_words,
    spellings,
    three_cuts,
)
from llmviz.views.tokenization.languages import LanguageExplorer
from llmviz.views.tokenization.letters import LettersExplorer
from llmviz.views.tokenization.merges import MergeExplorer, TrainingExplorer, first_merged
from llmviz.views.tokenization.text_tokens import ChatExplorer, TextTokens, TokensPrompt, about_pieces
from llmviz.views.tokenization.typed_text import longest_word, named, shown

__all__ = [
    "ChatExplorer",
    "CountBars",
    "LanguageExplorer",
    "LettersExplorer",
    "MergeExplorer",
    "TextTokens",
    "TokensPrompt",
    "TrainingExplorer",
    "about_capitals",
    "about_pieces",
    "capitals",
    "capitals_question",
    "first_merged",
    "longest_word",
    "missing_words",
    "named",
    "shown",
    "spellings",
    "three_cuts",
]
