"""Nonsense repeated: who copies it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from llmviz import attention, experiments
from llmviz.views.attention.head_grid import empty_grid, four_axes
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import number, selected, selection
from llmviz.views.kit.view import Scene, View, job, part, sentences

N_DRAWS = 7  # of random heads: a draw may hit a head that every text needs, so the median counts


@dataclass(frozen=True, eq=False)
class Copying:
    """What the model does with a row of random tokens that comes twice, unchanged and with heads switched off."""

    pieces: list[str]
    right: np.ndarray  # `experiments.token_probs`
    scores: np.ndarray  # induction score of each head
    heads: list[tuple[int, int]]  # those with the largest
    random_off: np.ndarray | None = (
        None  # [N_DRAWS, n_right], the right token's probability with random heads off
    )
    heads_off: np.ndarray | None = None  # and with these


class Induction(View):
    """Random tokens, then the same again: can the model copy, and which heads does it need for that?"""

    @dataclass(frozen=True)
    class State:
        """How many tokens the row has, how many heads are switched off, which row is drawn, and the selected head."""

        n: int = number(40, "Random tokens", 60, first=5, stage="attention")
        off: int = number(8, "Heads off", 20, stage="attention")
        seed: int = number(0, "Another draw", 20, stage="attention")
        head: tuple[int, int] | None = selection("grid")

    arrangement = (("n", "off", "seed"), "curves", "message", "grid")

    def slices(self) -> Iterator[State]:
        return self.along("off", "seed")

    def needs(self, state: State) -> str:
        return "copy"

    @job("n", "off", "seed")
    def copy(self, scene: Scene) -> Iterator[tuple[float, Copying | None]]:
        """Run the model as it is, then with heads off."""
        trace = scene.run.trace(experiments.random_tokens(scene.run, scene.n, scene.seed) * 2)
        scores = experiments.induction_scores(trace)
        heads = experiments.strongest_heads(scores, scene.off)
        copying = Copying(trace.pieces, experiments.token_probs(trace), scores, heads)
        yield 1 / (N_DRAWS + 2), copying
        if heads:
            seeds, curves = range(N_DRAWS * scene.seed, N_DRAWS * (scene.seed + 1)), []
            for curve in experiments.without_heads(trace, heads, seeds):
                curves.append(curve)
                yield len(curves) / (N_DRAWS + 2), None
            yield 1.0, replace(copying, random_off=np.array(curves[:-1]), heads_off=curves[-1])

    @part(
        lambda _: LinePlot(
            unit="share",
            y_max=1.0,
            stage="attention",
            x_axis="position of the token",
            caption="Probability of the right next token",
        )
    )
    def curves(self, scene: Scene) -> dict | None:
        copying = scene.result("copy")
        if copying is None:
            return None
        lines, k = {"the model as it is": copying.right}, len(copying.heads)
        if copying.heads_off is not None:
            lines[f"{k} random heads off (median of {N_DRAWS} draws)"] = np.median(copying.random_off, axis=0)
            lines[f"the {k} strongest induction heads off"] = copying.heads_off
        return {
            "x": np.arange(1, 2 * scene.n),
            "values": np.stack([*lines.values()]),
            "names": [*lines],
            "x_pieces": copying.pieces[1:],
            "marks": [[scene.n, "second pass"]],
        }

    @sentences
    def message(self, scene: Scene) -> list[str] | None:
        copying = scene.result("copy")
        if copying is None:
            return None
        first, second = map(percent, experiments.copying_by_pass(copying.right))
        lines = [f"Right next token, mean probability: first pass {first}, second pass {second}."]
        if copying.heads_off is not None:
            k, (_, left) = len(copying.heads), experiments.copying_by_pass(copying.heads_off)
            draws = [experiments.copying_by_pass(curve)[1] for curve in copying.random_off]
            lines.append(
                f"Second pass with the {k} strongest off: {percent(left)}; with as many random heads off, "
                f"{percent(np.median(draws))} (the median of {N_DRAWS} draws, from {percent(min(draws))} to "
                f"{percent(max(draws))})."
            )
        return lines

    @part(lambda view: empty_grid(view.run.config, measure="induction score"))
    def grid(self, scene: Scene) -> dict | None:
        copying = scene.result("copy")
        if copying is None:
            return None
        return {
            "values": four_axes(copying.scores),
            "selected": selected(scene.head, *copying.scores.shape) or [*(copying.heads or [(0, 0)])[0]],
            "chosen": [[*head] for head in copying.heads],
            "caption": f"Induction score: {attention.BEHAVIOURS['induction']}. Dashed: the heads switched off",
        }
