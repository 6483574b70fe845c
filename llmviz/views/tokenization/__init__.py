"""Pictures of stage 1: gluing replayed, a vocabulary in training, tokens counted, characters taken apart into bytes."""

from llmviz.views.tokenization.letters import LettersExplorer
from llmviz.views.tokenization.merges import MergeExplorer, TrainingExplorer, first_glued
from llmviz.views.tokenization.taken_apart import ByteExplorer
from llmviz.views.tokenization.text_tokens import ChatExplorer, TextTokens, TokensPrompt
from llmviz.views.tokenization.token_counts import (
    TokenCounts,
    capitals,
    capitals_question,
    missing_words,
    spellings,
    three_cuts,
)
from llmviz.views.tokenization.typed_text import longest_word, shown
from llmviz.views.tokenization.vocabularies import LanguageExplorer, VocabularyExplorer

__all__ = [
    "ByteExplorer",
    "ChatExplorer",
    "LanguageExplorer",
    "LettersExplorer",
    "MergeExplorer",
    "TextTokens",
    "TokenCounts",
    "TokensPrompt",
    "TrainingExplorer",
    "VocabularyExplorer",
    "capitals",
    "capitals_question",
    "first_glued",
    "longest_word",
    "missing_words",
    "shown",
    "spellings",
    "three_cuts",
]
