"""Random tokens that come twice: which heads copy them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmviz import attention, experiments
from llmviz.views.attention.head_grid import empty_grid, picked_head
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import number
from llmviz.views.kit.view import Scene, View, job, part, sentences

N_DRAWS = 7  # of random heads. The median counts, because a draw may hit a head that every text needs.


class Induction(View):
    """Random tokens, then the same again: can the model copy, and which heads does it need for that?"""

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        n: int = number(40, "Random tokens", 60, first=5)
        off: int = number(8, "Heads off", 20)
        seed: int = number(0, "Another draw", 20)
        head: tuple[int, int] | None = picked_head(set_by=("grid", "selected"))

    arrangement = (("n", "off", "seed", "progress"), "curves", "message", "grid")

    @job("n", "off", "seed")
    def copy(self, scene: Scene) -> Iterator[tuple[float, tuple | None]]:
        """Measure copying as `experiments.copying` does, with N_DRAWS draws of random heads."""
        row = experiments.random_tokens(scene.run, scene.n, scene.seed)
        seeds = range(N_DRAWS * scene.seed, N_DRAWS * (scene.seed + 1))
        return experiments.copying(scene.run.trace(row * 2), scene.off, seeds)

    @part(LinePlot, unit="share", y_max=1.0, x_axis="position of the token")
    def curves(self, scene: Scene) -> dict:
        _, heads, (whole, *others) = scene.known("copy")
        row = experiments.random_tokens(scene.run, scene.n, scene.seed)
        lines = {"the whole model": whole}
        if others:
            random = f"{len(heads)} random heads off (median of {N_DRAWS} draws)"
            lines[random] = np.median(others[:-1], axis=0)
            lines[f"the {len(heads)} strongest induction heads off"] = others[-1]
        return {
            "x": np.arange(1, 2 * scene.n),
            "values": np.stack([*lines.values()]),
            "names": [*lines],
            "x_pieces": scene.run.tokenizer.pieces(row * 2)[1:],
            "marks": [[scene.n, "second pass"]],
            "caption": "Probability of the right next token",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        _, heads, probs = scene.known("copy")
        (first, whole), *passes = map(experiments.copying_by_pass, probs)
        lines = [
            f"Right next token, mean probability: first pass {percent(first)}, second pass {percent(whole)}."
        ]
        if passes:
            *draws, left = (second for _, second in passes)
            lines.append(
                f"Second pass with the {len(heads)} strongest off: {percent(left)}; with as many random heads off, "
                f"{percent(np.median(draws))} (the median of {N_DRAWS} draws, from {percent(min(draws))} to "
                f"{percent(max(draws))})."
            )
        return lines

    @part(lambda view: empty_grid(view.run.config, measure="induction score"))
    def grid(self, scene: Scene) -> dict:
        scores, heads, _ = scene.known("copy")
        return {
            "values": scores[..., None, None],
            "selected": [*(scene.head or [*heads, (0, 0)][0])],
            "chosen": [[*head] for head in heads],
            "caption": f"Induction score: {attention.BEHAVIOURS['induction']}. Dashed: the heads switched off",
        }
