"""The most frequent tokens of a small model's vocabulary on a flat map, while their rows are trained."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz import embeddings
from llmviz.experiments import learning
from llmviz.experiments.learning import KINDS, N_NEAREST
from llmviz.experiments.training_run import TrainingSoFar
from llmviz.views.differences.pretraining import snapshot_step
from llmviz.views.embeddings.flat_map import FlatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.view import NothingToShow, Scene, View, looks, part, sentences, shared


class TokenMap(View):
    """The rows of the most frequent tokens on a flat map (PCA), at each snapshot of a `Pretraining`."""

    stage = "embeddings"
    arrangement = ("message", "step", "flat")

    @dataclass(frozen=True)
    class State:
        step: int | None = snapshot_step()
        point: int | None = selection("flat")

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Return the steps of the snapshots."""
        return tuple(snapshot.step for snapshot in self.run.snapshots) if self.run else (0,)

    @looks("step")
    def before_training(self, scene: Scene) -> dict:
        return {"hidden": scene.run is None}

    @shared
    def trained(self, scene: Scene) -> TrainingSoFar:
        if scene.run is None:
            raise NothingToShow("Train the first model: its map grows here.")
        return scene.run

    @sentences
    def message(self, scene: Scene) -> list[str]:
        run = scene.trained
        first, now = run.snapshots[0], run.at(scene.step)
        by_chance, counted = map(percent, learning.shares_without_training(first.model, run.learned))
        share = percent(learning.share_of_own_kind(now.model, run.learned))
        return [
            f"Of each token's {N_NEAREST} nearest tokens, so many are of its own kind: {share} in the model's table "
            f"after {now.step} steps, {counted} by counting neighbours, and {by_chance} if the kinds are shuffled."
        ]

    @part(FlatMap, groups=list(KINDS))
    def flat(self, scene: Scene) -> dict:
        run, snapshot = scene.trained, scene.trained.at(scene.step)
        tokens, pieces, kinds = learning.frequent_pieces(run.model, run.learned)
        now, last = (
            embeddings.pca(embeddings.embed(tokens, at.model.weights.W_E)) for at in (snapshot, run.last)
        )
        plane = embeddings.aligned(now, last.directions)
        return {
            "selected": selected(scene.point, len(pieces)),
            "pieces": pieces,
            "places": plane.coordinates,
            "group_of": kinds.tolist(),
            "axes": [f"direction: {percent(share)} of the spread" for share in plane.explained],
            "caption": f"The {len(pieces)} most frequent tokens after {snapshot.step} steps, on a flat map",
        }
