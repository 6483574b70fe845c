"""Pictures of stage 5: a token in one FFN, neurons that fire at a word, the parts of a logit, and where facts are."""
# ruff: noqa: F401  What is imported here is what a notebook uses as `pictures`.

from llmviz.experiments.attribution import ffns_directly
from llmviz.experiments.facts import city_ranks
from llmviz.experiments.families import with_article
from llmviz.experiments.neurons import UNSEEN, about_gates, contrast_of_articles
from llmviz.views.ffn.at_the_subject import FFNsAtTheSubject
from llmviz.views.ffn.by_hand import FFNByHand, asked_at
from llmviz.views.ffn.detectors import ArticleNeuron, WordNeurons, asked_of_articles
from llmviz.views.ffn.taken_apart import LogitTakenApart, ffns_explained, logit_asked
from llmviz.views.ffn.ten_countries import TenCountries
from llmviz.views.ffn.what_the_mover_says import WhatTheMoverSays, about_cities
from llmviz.views.kit.fact import Fact
from llmviz.views.kit.patch_map import PatchMap, TokenMap
