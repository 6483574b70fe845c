"""What happens to the prediction when the model runs with edits."""

from __future__ import annotations

import numpy as np

from llmviz import ops
from llmviz.model import Edits
from llmviz.views.kit.next_token_bars import bars_part
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.view import NothingToShow, Scene, View, shared


class EditedRun(View):
    """Bars of the next token in a run with edits. A subclass says its `edits`; its state has the field `chosen`."""

    @shared
    def edits(self, scene: Scene) -> tuple[str, Edits]:
        """Return the changes in words, and as edits."""
        raise NotImplementedError

    @shared
    def edited(self, scene: Scene) -> np.ndarray:
        """Return the logits [n_vocab] with the edits. `NothingToShow` where the model cannot run with them."""
        name, edits = scene.edits
        try:
            return scene.run.model.trace(scene.run.tokens, edits).logits
        except FloatingPointError as error:
            raise NothingToShow(stopped(name, str(error))) from None

    def change(self, scene: Scene) -> str:
        """Say what happens to the likeliest token."""
        before, after = ops.softmax(scene.run.logits), ops.softmax(scene.edited)
        tokens = [int(before.argmax()), int(after.argmax())]
        first, now = map(isolated, scene.run.model.tokenizer.pieces(tokens))
        change = f"{first} went from {percent(before[tokens[0]])} to {percent(after[tokens[0]])}."
        return change + (
            "" if now == first else f" The likeliest token is now {now} ({percent(after[tokens[1]])})."
        )

    @bars_part(
        "Next-token probabilities (outlines: the unchanged model)", n=10, before_label="the unchanged model"
    )
    def bars(self, scene: Scene) -> dict:
        before = None if scene.edits[1] == Edits() else ops.softmax(scene.run.logits)
        return {"probs": ops.softmax(scene.edited), "before": before}


def stopped(name: str, problem: str) -> str:
    """Say what was changed, and why the model cannot run with that."""
    return f"{name}. {problem[:1].upper()}{problem[1:]}."
