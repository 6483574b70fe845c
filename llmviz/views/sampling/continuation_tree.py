"""The many ways a text could go on, as a tree."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ipywidgets
import numpy as np
import traitlets

from llmviz import sampling
from llmviz.sampling import Branch, Sampler
from llmviz.views import provenance
from llmviz.views.kit.controls import Told, row
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Picture, Pieces, lines
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.state_fields import number, picked, seed
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.view import Scene, View, explains, job, part
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

    def __init__(self, **traits):
        super().__init__(**{"stage": "sampling", **traits})

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


class Continuations(View):
    """Many continuations of a text as a tree that grows while they are drawn, and bushes out with the temperature."""

    @dataclass(frozen=True)
    class State:
        """How many continuations are drawn, how, and which branch is chosen."""

        temperature: float = number(1.0, "Temperature", 2.0, step=0.05, stage="sampling")
        n: int = number(20, "Continuations", 40, first=2, stage="sampling")
        length: int = number(6, "Tokens each", 12, first=2, stage="sampling")
        seed: int = seed()
        selected: int | None = picked(
            None,
            lambda i, _: i is None or i in range(1_000),
            "the number of a branch",
            of=("tree", "selected"),
        )

    def __init__(self, prompt: Prompt, **state):
        self.prompt = prompt
        self.logits_after = functools.lru_cache(maxsize=400)(self._logits_after)  # 80 MB are enough
        super().__init__(prompt, **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        p = self.parts
        return [self.prompt, row(*self.controls.values()), self.progress, p["told"], p["tree"]]

    def _logits_after(self, tokens: tuple[int, ...]) -> np.ndarray:
        return self.prompt.language_model.trace(list(tokens)).logits

    def needs(self, _state) -> str:
        return "grow"

    @job("temperature", "n", "length", "seed")
    def grow(self, scene: Scene) -> Iterator[tuple[float, list[Branch] | None]]:
        """Yield the share of continuations that are complete, and the branches drawn so far, a few times a second."""
        run, end = scene.run, scene.run.model.tokenizer.eos_token
        length = min(scene.length, run.model.config.n_ctx - len(run.tokens))
        growing = sampling.continuations(
            lambda path: self.logits_after((*run.tokens, *path)),
            scene.n,
            length,
            sampler=Sampler(temperature=scene.temperature),
            seed=scene.seed,
            end=end,
        )
        branches: list[Branch] = []
        share, drawn = 0.0, time.monotonic()
        for branch in growing:
            branches.append(branch)
            if time.monotonic() - drawn > 0.3:
                complete = (
                    one for one in leaves(branches) if len(one.path) == length or one.path[-1:] == (end,)
                )
                share, drawn = sum(one.count for one in complete) / scene.n, time.monotonic()
                yield share, [*branches]
            else:
                yield share, None
        yield 1.0, branches

    @part(lambda view: ContinuationTree(caption="The ways your text could go on"))
    def tree(self, scene: Scene) -> dict | None:
        if (branches := scene.result("grow")) is None:
            return None
        index = {branch.path: i for i, branch in enumerate(branches)}
        tokens = [one.path[-1] if one.path else scene.run.tokens[-1] for one in branches]
        selected = scene.selected
        return {
            "pieces": scene.run.model.tokenizer.pieces(tokens),
            "parents": [index[one.path[:-1]] if one.path else -1 for one in branches],
            "counts": [one.count for one in branches],
            "probs": [one.probability for one in branches],
            "n": scene.n,
            "length": scene.length,
            "selected": selected if selected is None or selected < len(branches) else None,
        }

    @explains("tree")
    def explain(self, scene: Scene, index: int) -> Explanation:
        branches = scene.result("grow")
        if not 0 < index < len(branches):
            raise ValueError("the text itself was not drawn")
        *before, token = [*scene.run.tokens, *branches[index].path]
        return provenance.prob(
            self.logits_after(tuple(before)),
            token,
            temperature=scene.temperature,
            piece=self.parts["tree"].pieces[index],
            source=f"model.trace({before}).logits",
        )

    @part(lambda _: Told())
    def told(self, scene: Scene) -> dict | None:
        if not scene.is_done("grow"):
            return {"sentences": ["Not all of them are complete yet."]}
        branches = scene.result("grow")
        ends = leaves(branches)
        n_tokens = sum(one.count * len(one.path) for one in ends)
        return {
            "sentences": [
                f"{in_ways(scene.n, len(ends))}. Where they agree the model runs once for all of them: "
                f"{len(branches) - len(ends):,} runs for {n_tokens:,} tokens."
            ]
        }


def leaves(branches: Sequence[Branch]) -> list[Branch]:
    """Return the branches after which none follows."""
    parents = {one.path[:-1] for one in branches}
    return [one for one in branches if one.path not in parents]
