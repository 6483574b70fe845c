"""The patch map: each cell of the twin's run is patched into the reader's run on its own; what is predicted then?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import traitlets

from llmviz.experiments.facts import HALF
from llmviz.experiments.patch_map import other_subject, patch_map
from llmviz.views.kit import controls
from llmviz.views.kit.fact import OfFact, named, no_fact, subjects
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Labels, OfCells, Pieces, Text, lines
from llmviz.views.kit.pieces import quote, visible, visible_label
from llmviz.views.kit.predict import Asked
from llmviz.views.kit.state_fields import choice, has_changed, replace, tick
from llmviz.views.kit.view import Scene, job, part, sentences, shared


class Component(NamedTuple):
    """What a map patches, and the words for it."""

    part: str  # its name in `experiments.patch_map`
    singular: str
    each: str  # what we patch; {own}, {other} and {source} are filled in
    counted: str  # "For how many of the 270 …?"
    place: str  # a cell's name; {layer} and {column} are filled in


def what_adds(part: str, name: str) -> Component:
    """Return the words for a part that adds to the stream."""
    adds = f"what {name} adds"
    each = f"From {{source}}, we patch {adds} at one token in one layer at a time."
    return Component(part, adds, each, "places", f"{adds} at “{{column}}” in layer {{layer}}")


COMPONENTS = {
    "vectors": Component(
        "resid_pre",
        "one vector",
        "We replace the vector at {own} with the one at {other}, before one layer at a time.",
        "layers",
        "the vector of “{column}” before layer {layer}",
    ),
    "attention": what_adds("attention_out", "attention"),
    "FFN": what_adds("ffn_out", "the FFN"),
    "single heads": Component(
        *("z", "one head", "From {source}, we patch one head at a time, at the last token.", "heads"),
        "layer {layer}, head {column}, at the last token",
    ),
}


class PatchGrid(OfCells):
    """The probability of two `answers` with one cell patched: `values` [n_layers, n_columns, 2], NaN if not known yet.

    A cell's colour is the probability of the twin's answer as a share of `usual`, its probability in its own run.
    Layers go upwards; columns are tokens or heads, named in `col_labels`. `base` [2]: both probabilities in the
    unpatched run. A click or the arrow keys select a cell, whose two probabilities are drawn as bars. `place` is the
    name of a cell, with {layer} and {column} to fill in; `source` names the run that the patches come from.
    """

    _static = "patch_map"

    values = Floats(ndim=(3,))
    col_labels = Labels()
    col_axis = Text("token")
    answers = Pieces()
    base = Floats(ndim=(1,))
    usual = traitlets.Float(1.0).tag(sync=True)
    half = traitlets.Float(HALF).tag(sync=True)
    place = Text()
    source = Text("the twin's run")

    def text(self) -> str:
        """Return the probabilities of every cell in %, a table for each answer, the last layer on top."""
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
        """Return the size of the map, and both probabilities of the selected cell."""
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

    A guess starts the runs, from layer 0 up. A control patches from a text with another subject.
    (Meng et al. 2022 call such a map causal tracing; theirs restores a clean run's vectors in a noisy one.) source: a
    `Fact`, or a `Pair` of runs over any two texts of the same length.
    """

    experiment = "patched"
    offered: tuple[str, ...] = (*COMPONENTS,)  # what can be patched

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, what is patched, and whether it comes from the control's run."""

        what: str = choice("vectors", "Patch", lambda view: view.offered, make=controls.toggles)
        control: bool = tick("Control: patch from a text about another word")

    arrangement = ("card", ("what", "control", "progress"), "map", "message", "refusal")

    # --- the guess ---

    @shared
    def asked(self, scene: Scene) -> Asked:
        if no_fact(scene.run):
            return Asked("")
        pair, what, config = scene.run, COMPONENTS[scene.what], scene.run.trace.model.config
        (own, other), (_, theirs) = subjects(pair), named(pair, pair.answers)
        columns = {"vectors": 1, "single heads": config.n_heads}.get(scene.what, len(pair.trace.tokens))
        n = config.n_layers * columns
        if scene.control:
            source, other = "another word's run", "another word in its run"
        else:
            source = "the twin's run"
            other = f"{other} in {source}"
        question = (
            f"{what.each.format(own=own, other=other, source=source)} For how many of the {n} {what.counted} does "
            f"{theirs} get more than half of its usual probability?"
        )
        return Asked(question, unit=what.counted, low=0, high=n, whole=True)

    def answer(self, scene: Scene) -> int:
        carries = scene.carries
        return int((carries[:, scene.run.subject] if scene.what == "vectors" else carries).sum())

    def explanation(self, scene: Scene) -> str:
        if scene.control:
            return ""
        if scene.what != "vectors":
            others = scene.outcome[1][..., 1][~scene.carries]
            if len(others) in (0, scene.carries.size):
                return ""
            return (
                f"Control: with each of the other {COMPONENTS[scene.what].counted}, "
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
        """Keep the card answered when another map is chosen: it needs no other guess."""
        if before.committed and has_changed(before, state, "what", "control"):
            before = replace(before, what=state.what, control=state.control, guess=None)
            state = replace(state, guess=None)
        return super().put_right(before, state)

    # --- the runs ---

    @job("what", "control")
    def patched(self, scene: Scene) -> Iterator[tuple[float, tuple[list[int], np.ndarray] | None]]:
        """Run the model once for each cell. Results: the tokens of the patches' run, and `values` as in `PatchGrid`."""
        source = other_subject(scene.pair) if scene.control else scene.pair.twin
        for share, values in patch_map(scene.pair, COMPONENTS[scene.what].part, source):
            yield share, None if values is None else (source.tokens, values)

    @shared
    def carries(self, scene: Scene) -> np.ndarray:
        """Return [n_layers, n_columns]: whether the twin's answer gets more than half of its usual probability."""
        return scene.outcome[1][..., 1] > HALF * scene.run.usual_probs()[1]

    def place(self, scene: Scene, layer: int, column: int) -> str:
        """Return the name of a cell."""
        pieces = scene.run.trace.pieces
        name = str(column) if scene.what == "single heads" else visible(pieces[column].strip())
        return COMPONENTS[scene.what].place.format(layer=layer, column=name)

    # --- parts ---

    @part(PatchGrid)
    def map(self, scene: Scene) -> dict:
        (source, values), pair, what = scene.so_far, scene.pair, COMPONENTS[scene.what]
        is_heads = scene.what == "single heads"
        answer = named(pair, pair.answers)[1]
        control = pair.trace.model.tokenizer.decode_prompt(source)
        giver = f"the run of “{control}”" if scene.control else "the twin's run"
        return {
            "values": values,
            "col_labels": [*range(values.shape[1])] if is_heads else pair.trace.pieces,
            "col_axis": "head" if is_heads else "token",
            "answers": pair.trace.model.tokenizer.pieces(pair.answers),
            "base": pair.answer_probs(),
            "usual": float(pair.usual_probs()[1]),
            "place": what.place,
            "source": giver,
            "caption": f"How likely {answer} is if {what.singular} comes from {giver}. Click a cell to see the patch",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, (source, values) = scene.pair, scene.outcome
        own, theirs = named(pair, pair.answers)
        if source == pair.trace.tokens:
            return ["We found no other word for the control, so these patches are from your own run."]
        if scene.control:
            return [
                f"Control: {own} falls as low as {percent(np.nanmin(values[..., 0]))}. But whichever cell is patched, "
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
    """The map without single heads, which would answer the page's question about heads before it is asked."""

    offered = "vectors", "attention", "FFN"


def along(carries: np.ndarray, names: list[str], answer: str) -> list[str]:
    """Say for each token before which layers its vector brings out the answer; carries: [n_layers, n_tokens]."""
    places = [
        f"at {name} before {spans(carries[:, i])}" for i, name in enumerate(names) if carries[:, i].any()
    ]
    none = ~carries.any(axis=1)
    sentences = [f"{answer} comes out with a patch {', '.join(places)}."] if places else []
    return [*sentences, f"Before {spans(none)}, no single vector is enough." if none.any() else ""]


def spans(yes: np.ndarray) -> str:
    """Return the layers at which `yes` [n_layers] is true, such as "layers 0 to 4, 7"."""
    (numbers,) = np.nonzero(yes)
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    names = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"layer{'s' if numbers.size > 1 else ''} {', '.join(names)}"
