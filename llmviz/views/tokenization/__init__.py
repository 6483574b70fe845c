"""Pictures of stage 1: gluing replayed, a vocabulary in training, tokens counted, characters taken apart into bytes."""

from llmviz.views.tokenization.chat import ChatExplorer
from llmviz.views.tokenization.languages import LanguageExplorer
from llmviz.views.tokenization.merges import MergeExplorer, MergeReplay
from llmviz.views.tokenization.taken_apart import ByteExplorer, TakenApart, about_byte
from llmviz.views.tokenization.text_tokens import TextTokens, token_id
from llmviz.views.tokenization.token_counts import TokenCounts
from llmviz.views.tokenization.training import MAX_TRAINED_DRAWN, Training, TrainingExplorer, glued_at
from llmviz.views.tokenization.vocabularies import PUBLISHED, THIS_MODEL, VocabularyExplorer

__all__ = [
    "MAX_TRAINED_DRAWN",
    "PUBLISHED",
    "THIS_MODEL",
    "ByteExplorer",
    "ChatExplorer",
    "LanguageExplorer",
    "MergeExplorer",
    "MergeReplay",
    "TakenApart",
    "TextTokens",
    "TokenCounts",
    "Training",
    "TrainingExplorer",
    "VocabularyExplorer",
    "about_byte",
    "glued_at",
    "token_id",
]
