"""The FFNs at the subject of a fact, switched off, and patched from the twin's run."""

from __future__ import annotations

import numpy as np

from llmviz.edits import Edits
from llmviz.experiments.facts import HALF, beside, ffn_tests, ffns_tested, patch_later_ffns
from llmviz.views.kit.fact import OfFact, named, no_fact, subjects
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.view import NotMeasured, Scene, part, shared


class FFNsAtTheSubject(OfFact, GuessFirst):
    """The probability of both answers with FFNs switched off or patched at the subject, in one run for each row.

    Two controls: the same FFNs switched off at the token before it, and the first FFN patched.
    """

    unit, high = "%", 100
    stage = "ffn"

    arrangement = ("card", "table", "refusal")

    def question(self, scene: Scene) -> str:
        if no_fact(scene.run):
            return ""
        (own, other), (_, theirs) = subjects(scene.pair), named(scene.pair, scene.pair.answers)
        return (
            f"At {own}, {scene.ffns} now add what they add at {other} in the twin's run. What share of its usual "
            f"probability does {theirs} get?"
        )

    def answer(self, scene: Scene) -> float:
        return 100 * float(scene.values[3, 1] / scene.pair.usual_probs()[1])

    def explanation(self, scene: Scene) -> str:
        own, usual = named(scene.pair, scene.pair.answers)[0], scene.pair.usual_probs()
        off, patched = scene.values[1, 0], scene.values[3]
        needed, decide = off < HALF * usual[0], patched[1] > HALF * usual[1]
        decides = "decides" if decide else "doesn't decide"
        return (
            f"With these FFNs patched, {own} gets {percent(patched[0])}. With them switched off, it gets "
            f"{percent(off)}. "
            f"So {own} {'needs' if needed else 'can do without'} them, {'and' if needed == decide else 'but'} "
            f"what they add {decides} which answer comes out."
        )

    @shared
    def ffns(self, scene: Scene) -> str:
        """Return what the tested FFNs are called."""
        layers = ffns_tested(scene.pair.trace.model)
        return f"FFNs {layers[0]} to {layers[-1]}"

    @shared
    def values(self, scene: Scene) -> np.ndarray:
        """Return [rows, 2]: the probability of both answers, unpatched and in each test."""
        if not scene.is_known:
            raise NotMeasured
        off, control, patched, first = (edits for (edits,) in ffn_tests(scene.pair))
        each = [Edits(), off, control, patched, patch_later_ffns(scene.pair), first]
        return np.stack([*scene.pair.answer_probs_each(each)])

    @part(HeatMap, kind="prob", row_axis="FFNs", col_axis="answer", numbers="always")
    def table(self, scene: Scene) -> dict:
        pair, ffns, own = scene.pair, scene.ffns, subjects(scene.pair)[0]
        return {
            "values": scene.values,
            "cell_text": [[percent(value) for value in row] for row in scene.values],
            "row_labels": [
                "nothing changed",
                f"{ffns}, switched off",
                f"switched off at {quote(pair.trace.pieces[beside(pair)].strip())}",
                f"{ffns}, patched",
                "all but FFN 0, patched",
                "FFN 0, patched",
            ],
            "col_labels": named(pair, pair.answers),
            "caption": f"Probability of both answers, with FFNs changed at {own}",
        }
