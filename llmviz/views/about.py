"""A note near the top of a page that speaks of another model than SmolLM2."""

from __future__ import annotations

import html

from llmviz.experiments.families import differences, is_smollm2
from llmviz.model import Model


class About:
    """What of a page is true of a model, and what its family does in another way than SmolLM2's."""

    def __init__(self, model: Model):
        config = model.config
        self.text = (
            f"This page shows another model than SmolLM2: one of the architecture {config.architecture}, with "
            f"{config.n_layers} layers and {config.n_heads} heads in each. Pictures, questions and answers are its "
            "own. Numbers and heads that the text itself names were measured on SmolLM2."
        )
        if clauses := differences(config):
            self.text += (
                f" Compared with SmolLM2: {'; '.join(clauses)}. So what is computed by hand on this page, with "
                "SmolLM2’s formulas, can differ from the model’s own numbers."
            )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.text)}</p>"

    def __repr__(self) -> str:
        return self.text


def about(model: Model) -> About | None:
    """Return a note for a page with another model than SmolLM2, and None for SmolLM2."""
    return None if is_smollm2(model.config) else About(model)
