"""Texts on which conclusions are tried."""

from llmviz.claims.cases import LONG, TEXTS

__all__ = ["LONG", "TEXTS"]
