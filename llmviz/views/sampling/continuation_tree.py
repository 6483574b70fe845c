"""The many ways a text could go on, as a tree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import traitlets

from llmviz import sampling
from llmviz.experiments import logits_after
from llmviz.sampling import Branch, Sampler
from llmviz.views import provenance
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Picture, Pieces, lines
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.state_fields import number, picked, replace, seed
from llmviz.views.kit.view import Scene, View, explains, job, on, part, sentences
from llmviz.views.provenance import Explanation


class ContinuationTree(Picture):
    """Continuations of a text, merged where they agree; a branch is as wide as its share of the `n`.

    One entry a branch, each after its parent: `pieces`, `parents` (−1 for the root, the text itself), `counts` and
    `probs`, the probability its token was drawn with. A click, the arrow keys or Python select one (`selected`).
    """

    _static = "continuation_tree"
    _data = ("pieces", "parents", "counts", "probs")

    pieces = Pieces()
    parents = traitlets.List(traitlets.Int()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    probs = Floats(ndim=(1,))
    n = traitlets.Int(1).tag(sync=True)
    length = traitlets.Int(0).tag(sync=True)  # room for so many tokens, from the start
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def change(self, **traits) -> None:
        """As for every picture; a panel stays open while the tree only grows, and closes where it is another one."""
        rows = ((getattr(self, name), name) for name in ("pieces", "parents"))
        if any(old != traits.get(name, old)[: len(old)] for old, name in rows):
            traits["asked"] = None
        super().change(**traits)

    def text(self) -> str:
        """One line a branch, indented by its depth: piece, share, and the probability its token had."""
        rows, depth = [], {-1: -1}
        for i, (piece, parent, count) in enumerate(zip(self.pieces, self.parents, self.counts)):
            depth[i] = depth[parent] + 1
            name = f"{'  ' * depth[i]}{visible(piece)}"
            rows.append([name, f"{count} of {self.n}", percent(self.probs[i]) if i else ""])
        return lines(rows)

    def headline(self) -> str:
        """Into how many ways the text goes on."""
        n_leaves = len(set(range(len(self.parents))) - set(self.parents))
        return in_ways(self.n, n_leaves) if self.parents else "no tokens yet"


def in_ways(n: int, n_leaves: int) -> str:
    """Say in how many different ways n continuations go."""
    return f"{n} continuations in {'one way only' if n_leaves == 1 else f'{n_leaves} different ways'}"


def _is_path(path: object, view: Continuations) -> bool:
    n_vocab = view.run.model.config.n_vocab
    return path is None or (isinstance(path, tuple) and all(token in range(n_vocab) for token in path))


def _branches(scene: Scene) -> list[Branch] | None:
    """Return what is drawn so far: where it was stopped at once, the text itself, which keeps the tree's space."""
    if scene.status("grow") == "stopped":
        return scene.result("grow") or [Branch((), scene.n, 1.0, False)]
    return scene.result("grow")


class Continuations(View):
    """Many continuations of a text as a tree that grows while they are drawn, and bushes out with the temperature."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        temperature: float = number(1.0, "Temperature", 2.0, step=0.05)
        n: int = number(20, "Continuations", 40, first=2)
        length: int = number(6, "Tokens each", 12, first=2)
        seed: int = seed()
        # The tokens that lead to the chosen branch; its row is another branch in another tree.
        selected: tuple[int, ...] | None = picked(None, _is_path, "a tuple of tokens, or None")

    arrangement = (("temperature", "n", "length", "seed"), "progress", "message", "tree")

    @job("temperature", "n", "length", "seed")
    def grow(self, scene: Scene) -> Iterator[tuple[float, list[Branch] | None]]:
        """Yield the share of continuations that are complete, and the branches drawn so far, a few times a second."""
        branches: list[Branch] = []
        n_complete, shown = 0, time.monotonic()
        for branch in sampling.continuations(
            lambda path: logits_after(scene.run, path),
            scene.n,
            min(scene.length, scene.run.model.config.n_ctx - len(scene.run.tokens)),
            sampler=Sampler(temperature=scene.temperature),
            seed=scene.seed,
            end=scene.run.model.tokenizer.eos_token,
        ):
            branches.append(branch)
            n_complete += branch.count if branch.is_leaf else 0
            is_due = time.monotonic() - shown > 0.3
            yield n_complete / scene.n, [*branches] if is_due else None
            shown = time.monotonic() if is_due else shown
        yield 1.0, branches

    @on("tree", "selected")
    def select(self, state: State, row: int | None) -> State:
        branches = _branches(self.scene(state)) or []
        return replace(state, selected=branches[row].path if row in range(len(branches)) else None)

    @part(ContinuationTree, caption="The ways your text could go on")
    def tree(self, scene: Scene) -> dict | None:
        if (branches := _branches(scene)) is None:
            return None
        index = {branch.path: i for i, branch in enumerate(branches)}
        tokens = [branch.path[-1] if branch.path else scene.run.tokens[-1] for branch in branches]
        return {
            "pieces": scene.run.model.tokenizer.pieces(tokens),
            "parents": [index[branch.path[:-1]] if branch.path else -1 for branch in branches],
            "counts": [branch.count for branch in branches],
            "probs": [branch.probability for branch in branches],
            "n": scene.n,
            "length": scene.length,
            "selected": index.get(scene.selected),
        }

    @explains("tree")
    def explain(self, scene: Scene, index: int) -> Explanation:
        *before, token = _branches(scene)[index].path or (None,)
        if token is None:
            raise ValueError("the text itself was not drawn")
        return provenance.prob(
            logits_after(scene.run, tuple(before)),
            token,
            temperature=scene.temperature,
            piece=scene.shown["pieces"][index],
            source=f"model.trace({[*scene.run.tokens, *before]}).logits",
        )

    @sentences
    def message(self, scene: Scene) -> list[str]:
        branches = _branches(scene) or []
        leaves = [branch for branch in branches if branch.is_leaf]
        if scene.status("grow") == "stopped":
            return [f"Stopped: {sum(leaf.count for leaf in leaves)} of {scene.n} continuations are complete."]
        if scene.status("grow") != "done":
            return ["Not all continuations are complete yet."]
        n_tokens = sum(leaf.count * len(leaf.path) for leaf in leaves)
        return [
            f"{in_ways(scene.n, len(leaves))}. Where they agree the model runs once for all of them: "
            f"{len(branches) - len(leaves):,} runs for {n_tokens:,} tokens."
        ]
