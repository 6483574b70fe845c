"""The many ways a text could go on, as a tree."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import ipywidgets
import numpy as np
import traitlets

from llmviz import sampling
from llmviz.model import Trace
from llmviz.sampling import Branch, Sampler
from llmviz.views import provenance
from llmviz.views.kit.background import Background
from llmviz.views.kit.controls import Told, row, seed_box, slider
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, Floats, Picture, Pieces, lines, one_at_a_time
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.text_box import Prompt
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

    def show(self, branches: Sequence[Branch], tokenizer, root: int, n: int, length: int) -> None:
        """Draw the branches of `sampling.continuations`; `root` is the last token of the text."""
        index = {branch.path: i for i, branch in enumerate(branches)}
        keep = self.selected is not None and self.selected < len(branches)
        self.change(
            pieces=tokenizer.pieces([one.path[-1] if one.path else root for one in branches]),
            parents=[index[one.path[:-1]] if one.path else -1 for one in branches],
            counts=[one.count for one in branches],
            probs=[one.probability for one in branches],
            n=n,
            length=length,
            selected=self.selected if keep else None,
        )

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
        leaves = set(range(len(self.parents))) - set(self.parents)
        ways = "one way only" if len(leaves) == 1 else f"{len(leaves)} different ways"
        return f"{self.n} continuations in {ways}" if self.parents else "no tokens yet"


class Continuations(Explorer):
    """Many continuations of a text as a tree that grows while they are drawn, and bushes out with the temperature."""

    def __init__(self, prompt: Prompt, *, n: int = 20, length: int = 6):
        self.prompt = prompt
        self._work = Background(self)
        self._branches: list[Branch] = []
        self.temperature = slider(1.0, "Temperature", 2.0, stage="sampling", step=0.05)
        self.n = slider(n, "Continuations", 40, stage="sampling", first=2)
        self.length = slider(length, "Tokens each", 12, stage="sampling", first=2)
        self.seed = seed_box()
        self.progress = ipywidgets.FloatProgress(
            0, max=1, bar_style="info", layout={"width": "min(430px, 98%)", "height": "14px"}
        )
        self.told = Told()
        self.tree = ContinuationTree(
            caption="The ways your text could go on", provenance=self._explain, length=length, n=n
        )
        controls = row(self.temperature, self.n, self.length, self.seed)
        super().__init__([prompt, controls, self.progress, self.told, self.tree])
        self.follow(prompt, self._new_text)
        for widget in (self.temperature, self.n, self.length, self.seed):
            widget.observe(self.grow, "value")

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        self._known = {(): trace.logits}  # the logits after what was reached before
        self.grow()

    @one_at_a_time
    def grow(self, _change=None) -> None:
        """Grow the tree again, beside everything else."""
        self.progress.layout.visibility = "hidden"
        self._work.start(self._grow())

    def _grow(self) -> Iterator[float]:
        yield 0.05  # while a slider is moving, only its last place is worth a tree
        trace = self.prompt.trace
        growing = sampling.continuations(
            self._after,
            self.n.value,
            min(self.length.value, trace.model.config.n_ctx - len(trace.tokens)),
            sampler=Sampler(temperature=self.temperature.value),
            seed=self.seed.value,
            end=trace.model.tokenizer.eos_token,
        )
        branches: list[Branch] = []
        drawn = time.monotonic()
        for branch in growing:
            branches.append(branch)
            if time.monotonic() - drawn > 0.3:
                self._show(branches, False)
                drawn = time.monotonic()
            yield 0.002
        self._show(branches, True)

    def _show(self, branches: list[Branch], done: bool) -> None:
        n, length, tokenizer = self.n.value, self.length.value, self.prompt.language_model.tokenizer
        # Kept for `_explain`: after a change the old tree stays on the screen until the new one has begun to grow.
        self._branches, self._text = list(branches), self.prompt.trace.tokens
        self._drawn_at = self.temperature.value
        self.tree.show(branches, tokenizer, self._text[-1], n, length)
        parents = {one.path[:-1] for one in branches}
        leaves = [one for one in branches if one.path not in parents]
        end = tokenizer.eos_token
        ready = [one for one in leaves if len(one.path) == length or one.path[-1:] == (end,)]
        self.progress.value = 1 if done else sum(one.count for one in ready) / n
        self.progress.layout.visibility = "hidden" if done else "visible"
        if done:
            runs = len(branches) - len(leaves)
            tokens = sum(one.count * len(one.path) for one in leaves)
            self.told.say(
                f"{self.tree.headline()}. Where they agree the model runs once for all of them: "
                f"{runs:,} runs for {tokens:,} tokens."
            )
        else:
            self.told.say("Growing …")

    def _after(self, path: tuple[int, ...]) -> np.ndarray:
        if path not in self._known:
            if len(self._known) >= 400:  # 80 MB are enough
                self._known.clear()
            self._known[path] = self.prompt.language_model.trace([*self.prompt.trace.tokens, *path]).logits
        return self._known[path]

    @one_at_a_time
    def _explain(self, index: int) -> Explanation:
        if not 0 < index < len(self._branches):
            raise ValueError("the text itself was not drawn")
        *before, token = [*self._text, *self._branches[index].path]
        return provenance.prob(
            self.prompt.language_model.trace(before).logits,
            token,
            temperature=self._drawn_at,
            piece=self.tree.pieces[index],
            source=f"model.trace({before}).logits",
        )
