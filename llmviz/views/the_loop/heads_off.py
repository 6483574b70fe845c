"""Every attention head off alone: for how many does the likeliest next token change, and how many can go together?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import ipywidgets
import numpy as np

from llmviz import experiments, ops
from llmviz.model import Edits, Model, Trace
from llmviz.views.kit.controls import row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.predict import Asked, GuessCard, guess
from llmviz.views.kit.state_fields import picked, selected, selection
from llmviz.views.kit.text_box import Prompt, as_prompt
from llmviz.views.kit.view import Scene, View, job, on, part, sentences

TOGETHER = (10, 40, 100)  # heads off at once, each number in DRAWS draws
DRAWS = 10


class HeadsOff(View):
    """First a guess, then a run of the model for each head, with that head off; then spare heads off together."""

    @dataclass(frozen=True)
    class State:
        """The guess, the chosen head, and whether the reader has committed to the guess: that starts the runs."""

        guess: float | None = guess()
        cell: tuple[int, int] | None = selection("map")
        committed: bool = picked(False, lambda value, _: isinstance(value, bool), "True or False")

    def __init__(self, model: Model, text: str | Prompt, **state):
        self.config = model.config
        n = self.n_heads = model.config.n_layers * model.config.n_heads
        question = f"Each of the {n} heads is switched off alone. For how many of them does another token come first?"
        self.asked = Asked(question, unit="heads", low=0, high=n)
        super().__init__(as_prompt(model, text), **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        p = self.parts
        return [p["card"], row(p["each"], p["together"], p["progress"]), p["told"], p["map"]]

    # --- events and jobs ---

    @on("card", "committed")
    def commit(self, state: State, committed: bool) -> State:
        return replace(state, committed=committed and self.asked.allows(state.guess))

    def needs(self, state: State) -> str | None:
        return "each" if state.committed else None

    @job(start=lambda view: f"Switch off each of the {view.n_heads} heads alone")
    def each(self, scene: Scene) -> Iterator[tuple[float, tuple | None]]:
        """Yield [n_heads, n_layers]: the probability of the likeliest token without each head, and what is likelier."""
        first, likeliest = int(scene.run.logits.argmax()), []
        left = np.full((self.config.n_heads, self.config.n_layers), np.nan, np.float32)
        changes = np.zeros(left.shape, bool)

        def measure(run: Trace) -> float:
            likeliest.append(int(run.logits.argmax()))
            return experiments.probability(run, first)

        runs = experiments.ablate_each_head(scene.run.model, scene.run.tokens, measure)
        for done, (layer, head, p) in enumerate(runs, start=1):
            left[head, layer], changes[head, layer] = p, np.isnan(p) or likeliest[-1] != first
            shown = done % 9 == 0 or done == left.size
            yield done / left.size, (left.copy(), changes.copy()) if shown else None

    @job(start="Switch off spare heads together", when=lambda view, scene: scene.status("each") == "done")
    def together(self, scene: Scene) -> Iterator[tuple[float, dict[int, int] | None]]:
        """Yield in how many draws of spare heads the likeliest token stays, by their number; the last is all."""
        model, tokens = scene.run.model, scene.run.tokens
        spare = [(int(layer), int(head)) for head, layer in np.argwhere(~scene.result("each")[1])]
        stays = dict.fromkeys((n for n in TOGETHER if n < len(spare)), 0)
        draws = experiments.ablate_together(model, tokens, spare, [*stays], DRAWS, seed=1)
        for done, (n, stayed) in enumerate(draws, start=1):
            stays[n] += stayed
            yield done / (len(stays) * DRAWS + 1), None
        lost = experiments.likeliest_changes(model, tokens, Edits(head=dict.fromkeys(spare, 0.0)))
        yield 1.0, stays | {len(spare): DRAWS * (not lost)}

    # --- parts ---

    @part(lambda _: GuessCard(stage="attention"))
    def card(self, scene: Scene) -> dict:
        n = int(scene.result("each")[1].sum()) if scene.status("each") == "done" else None
        drawn = self.asked.card(scene.guess, scene.committed, n)
        if scene.committed and scene.status("each") == "stopped":
            drawn["told"] = (
                f"Stopped: the answer takes all {self.n_heads} heads. The button below begins again."
            )
        return drawn

    @sentences
    def told(self, scene: Scene) -> list[str]:
        status, stays = scene.status("each"), scene.result("together")
        if status == "new":
            return ["Nothing has been run on this text yet."]
        if status == "running":
            return ["One head after the other is switched off …"]
        if status == "stopped":
            return ["Not all heads have been tried on this text yet."]
        (left, changes), (piece, whole) = scene.result("each"), _first(scene.run)
        lines = [
            f"Without {changes.sum()} of the {left.size} heads, each off alone, another token than {piece} comes "
            f"first. Its probability, {whole} in the whole model, lies between {percent(left.min())} and "
            f"{percent(left.max())}."
        ]
        if stays:
            *sizes, n = stays
            draws = "; ".join(f"with {size} off, in {stays[size]} of {DRAWS} draws" for size in sizes)
            lines.append(
                f"{n} heads are spare, each by itself. Some of them off together, drawn at random: {piece} stayed "
                f"first {draws}. With all {n} off it {'stayed first as well' if stays[n] else 'did not stay first'}."
            )
        return lines

    @part(
        lambda view: HeatMap(
            np.full((view.config.n_heads, view.config.n_layers), np.nan),
            [f"head {head}" for head in range(view.config.n_heads)],
            [str(layer) for layer in range(view.config.n_layers)],
            kind="prob",
            row_axis="",
            col_axis="layer of the head that is off",
            stage="attention",
        )
    )
    def map(self, scene: Scene) -> dict:
        if scene.result("each") is None:
            return {"hidden": True}
        (left, changes), (piece, whole) = scene.result("each"), _first(scene.run)
        return {
            "hidden": False,
            "values": left,
            "selected": selected(scene.cell, *left.shape),
            "cell_text": [["≠" if other else "" for other in line] for line in changes],
            "limit": float(np.nanmax(left)),
            "caption": f"Probability of {piece} with one head off (whole model: {whole}); ≠: another token comes first",
        }


def _first(run: Trace) -> tuple[str, str]:
    """Return the likeliest next token, quoted, and its probability."""
    first = int(run.logits.argmax())
    return quote(run.model.tokenizer.pieces([first])[0]), percent(ops.softmax(run.logits)[first])
