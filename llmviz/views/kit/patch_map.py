"""The patch map: each cell of the twin's run put into the reader's run, one at a time, and what is predicted then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import traitlets

from llmviz.experiments.facts import HALF
from llmviz.experiments.patch_map import patch_map, same_answer
from llmviz.views.kit import controls
from llmviz.views.kit.fact import OfFact, named, no_fact, subjects
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Labels, OfCells, Pieces, Text, lines
from llmviz.views.kit.pieces import quote, visible, visible_label
from llmviz.views.kit.predict import Asked
from llmviz.views.kit.state_fields import choice, has_changed, replace, tick
from llmviz.views.kit.view import Scene, job, part, sentences, shared


class What(NamedTuple):
    """What a map patches: its name in `patch_cell`, and the words for one cell, each, what is counted, and a place."""

    part: str
    singular: str
    each: str
    counted: str
    place: str  # {layer} and {column} are filled in


WHAT = {
    "vectors": What(
        *("resid_pre", "one vector", "the vector of {own}", "layers"),
        "the vector of “{column}” before layer {layer}",
    ),
    "attention": What(
        *("attention_out", "what attention adds", "what attention adds at each token,", "places"),
        "what attention adds at “{column}” in layer {layer}",
    ),
    "FFN": What(
        *("ffn_out", "what the FFN adds", "what the FFN adds at each token,", "places"),
        "what the FFN adds at “{column}” in layer {layer}",
    ),
    "single heads": What(
        *("z", "one head", "each head, at the last token,", "heads"),
        "layer {layer}, head {column}, at the last token",
    ),
}


class PatchGrid(OfCells):
    """`values` [n_layers, n_columns, 2]: the probability of both `answers` with one cell patched, NaN if not known yet.

    The colour is that of one of the two (`colored`), as a share of `usual`: what it has in its own run.

    Layers go upwards; columns are tokens or heads, named in `col_labels`. `base` [2] is the probability of both in the
    unpatched run. A click or the arrow keys select a cell, and
    its two probabilities are drawn as bars. `place` names a cell, `source` the run that it is from.
    """

    _static = "patch_map"

    values = Floats(ndim=(3,))
    col_labels = Labels()
    col_axis = Text("token")
    answers = Pieces()
    colored = traitlets.Int(1).tag(sync=True)
    base = Floats(ndim=(1,))
    usual = traitlets.Float(1.0).tag(sync=True)
    half = traitlets.Float(HALF).tag(sync=True)
    place = Text()
    source = Text("the twin's run")

    def text(self) -> str:
        """Both probabilities of every cell, in %, one table each; the last layer first."""
        blocks = []
        for i, answer in enumerate(self.answers):
            rows = [
                [
                    f"layer {layer}",
                    *("–" if np.isnan(p) else f"{100 * p:.0f}" for p in self.values[layer, :, i]),
                ]
                for layer in reversed(range(len(self.values)))
            ]
            table = lines([["", *map(visible_label, self.col_labels)], *rows])
            blocks.append(f"“{visible(answer)}”, in % (unpatched: {percent(self.base[i])})\n{table}")
        return "\n\n".join(blocks)

    def headline(self) -> str:
        """What is drawn, and what the selected cell brings out."""
        n_layers, n = self.values.shape[:2]
        size = f"{n_layers} layers of {n} cells, each patched on its own from {self.source}"
        if self.selected is None:
            return size
        layer, column = self.selected
        place = self.place.format(layer=layer, column=visible_label(self.col_labels[column]))
        probs = zip(self.answers, self.values[layer, column])
        return f"{size}; {place}: " + ", ".join(f"“{visible(a)}” {percent(p)}" for a, p in probs)


class PatchMap(OfFact, GuessFirst):
    """Where the answer is in a run, and how it travels: every cell patched on its own from the twin's run.

    First a guess, which starts the runs, from layer 0 up. A control patches from a text with the same answer.
    (Meng et al. 2022 call such a map causal tracing; theirs restores a clean run's vectors in a noisy one.) source: a
    `Fact`, or a `Pair` of runs over any two texts of the same length.
    """

    experiment, as_it_comes, stage = "patched", ("map",), "ffn"
    offered: tuple[str, ...] = (*WHAT,)  # what can be patched

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, what is patched, and whether it is from the control."""

        what: str = choice("vectors", "Patch", lambda view: view.offered, make=controls.toggles)
        control: bool = tick("Control: patch from a text with the same answer")

    arrangement = ("card", ("what", "control", "progress"), "map", "message", "refusal")

    # --- the guess ---

    @shared
    def asked(self, scene: Scene) -> Asked:
        if no_fact(scene.run):
            return Asked("")
        pair, what, config = scene.run, WHAT[scene.what], scene.run.trace.model.config
        answer, (own, _) = named(pair, pair.answers)[not scene.control], subjects(pair)
        source = "a text with the same answer" if scene.control else "the twin's run"
        if scene.what == "vectors":
            n, one_by_one = config.n_layers, "before one layer at a time. For"
        else:
            columns = config.n_heads if scene.what == "single heads" else len(pair.trace.tokens)
            n, one_by_one = config.n_layers * columns, "one at a time. With"
        question = (
            f"We patch {what.each.format(own=own)} from {source}, {one_by_one} how many of the {n} {what.counted} does "
            f"{answer} {'keep' if scene.control else 'get'} more than half of its usual probability?"
        )
        return Asked(question, unit=what.counted, low=0, high=n, whole=True)

    def answer(self, scene: Scene) -> int:
        carries = scene.carries
        return int((carries[:, scene.run.subject] if scene.what == "vectors" else carries).sum())

    def explanation(self, scene: Scene) -> str:
        if scene.control:
            return ""
        if scene.what != "vectors":
            others = scene.known("patched")[1][..., 1][~scene.carries]
            if len(others) in (0, scene.carries.size):
                return ""
            return (
                f"The other {WHAT[scene.what].counted} are the control: with any of them, "
                f"{named(scene.pair, scene.pair.answers)[1]} gets at most {percent(others.max())}."
            )
        if np.not_equal(scene.run.trace.tokens, scene.run.twin.tokens).sum() > 1:
            return ""
        return (
            f"Before other tokens have attended to {subjects(scene.run)[0]}, this patch can't fail, because that "
            "vector is the only difference between the runs. So what counts is how long it works, and which token "
            "takes over."
        )

    def put_right(self, before: State, state: State) -> State:
        """Another map needs no other guess."""
        if before.committed and has_changed(before, state, "what", "control"):
            before = replace(before, what=state.what, control=state.control, guess=None)
            state = replace(state, guess=None)
        return super().put_right(before, state)

    # --- the runs ---

    @job("what", "control")
    def patched(self, scene: Scene) -> Iterator[tuple[float, tuple[list[int], np.ndarray] | None]]:
        """One run for each cell. Results: the tokens of the run they are from, and `values` as in `PatchGrid`."""
        source = same_answer(scene.pair) if scene.control else scene.pair.twin
        for share, values in patch_map(scene.pair, WHAT[scene.what].part, source):
            yield share, None if values is None else (source.tokens, values)

    @shared
    def carries(self, scene: Scene) -> np.ndarray:
        """Return [n_layers, n_columns]: whether a patch gives the answer more than half of its usual probability.

        It is the twin's answer; with the control, the reader's.
        """
        colored = int(not scene.control)
        return scene.known("patched")[1][..., colored] > HALF * scene.run.usual_probs()[colored]

    def place(self, scene: Scene, layer: int, column: int) -> str:
        """Return the name of a cell."""
        pieces = scene.run.trace.pieces
        name = str(column) if scene.what == "single heads" else visible(pieces[column].strip())
        return WHAT[scene.what].place.format(layer=layer, column=name)

    # --- parts ---

    @part(PatchGrid)
    def map(self, scene: Scene) -> dict:
        pair, what, (source, values) = scene.pair, WHAT[scene.what], scene.known("patched")
        is_heads = scene.what == "single heads"
        colored = int(not scene.control)
        answer = named(pair, pair.answers)[colored]
        control = pair.trace.model.tokenizer.decode(source)
        giver = f"the run of “{control}”" if scene.control else "the twin's run"
        return {
            "values": values,
            "col_labels": [*range(values.shape[1])] if is_heads else pair.trace.pieces,
            "col_axis": "head" if is_heads else "token",
            "answers": pair.trace.model.tokenizer.pieces(pair.answers),
            "colored": colored,
            "base": pair.answer_probs(),
            "usual": float(pair.usual_probs()[colored]),
            "place": what.place,
            "source": giver,
            "caption": f"How likely {answer} is if {what.singular} comes from {giver}. Click a cell to see the patch",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, (source, values) = scene.pair, scene.known("patched")
        own, theirs = named(pair, pair.answers)
        if source == pair.trace.tokens:
            return ["We found no other text with the same answer, so these patches are from your own run."]
        if scene.control:
            return [
                f"Control: whichever cell is patched, {own} keeps at least {percent(np.nanmin(values[..., 0]))}, and "
                f"{theirs} gets at most {percent(np.nanmax(values[..., 1]))}."
            ]
        if scene.what == "vectors":
            return along(
                scene.carries, [quote(piece.strip() or piece) for piece in pair.trace.pieces], theirs
            )
        strongest = map(int, np.unravel_index(values[..., 1].argmax(), values.shape[:2]))
        place = self.place(scene, *strongest)
        return [f"The strongest patch is {place}: {theirs} gets {percent(values[..., 1].max())}."]


class TokenMap(PatchMap):
    """The map of tokens only: single heads would answer the question about them before it is asked."""

    offered = "vectors", "attention", "FFN"


def along(carries: np.ndarray, names: list[str], answer: str) -> list[str]:
    """Say for each token before which layers its vector brings out the twin's answer; [n_layers, n_tokens]."""
    places = [
        f"at {name} before {spans(carries[:, i])}" for i, name in enumerate(names) if carries[:, i].any()
    ]
    none = ~carries.any(axis=1)
    sentences = [f"{answer} comes out with a patch {', '.join(places)}."] if places else []
    return [*sentences, f"Before {spans(none)}, no single vector is enough." if none.any() else ""]


def spans(yes: np.ndarray) -> str:
    """Return "layers 0 to 4, 7" from a row of yes and no."""
    (numbers,) = np.nonzero(yes)
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    names = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"layer{'s' if numbers.size > 1 else ''} {', '.join(names)}"
