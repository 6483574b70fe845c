"""The switchboard: any part of the model can be switched off. What does it predict then, and what does it write?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import ipywidgets
import traitlets

from llmviz.experiments import probability_moved, write_edited
from llmviz.experiments.probabilities import OUTCOMES, outcome
from llmviz.model import Config, Edits, Model, Trace
from llmviz.views import provenance
from llmviz.views.kit.controls import row, wide
from llmviz.views.kit.edited_run import EditedRun, stopped
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.next_token_bars import chosen_token, likeliest
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.state_fields import choice, replace, several
from llmviz.views.kit.text_box import Prompt, as_prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, explains, job, on, part, parts, press, sentences, shared
from llmviz.views.provenance import Explanation
from llmviz.views.the_loop import TEXTS

N_WRITTEN = 20
NO_EXPERIMENT = "Choose an experiment …"

# The options of `Edits` that hold in every layer, each with a name for people and what the part is for.
PARTS = TEXTS["parts"]

Cell = tuple[int, int]  # row and layer of the grid


@dataclass(frozen=True)
class SwitchedOff:
    """What is switched off: names of `PARTS`, and cells of the grid.

    Rows 0 to n_heads - 1 are heads, row n_heads is the whole attention block, and row n_heads + 1 the FFN.
    """

    config: Config
    parts: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()

    @property
    def edits(self) -> Edits:
        n = self.config.n_heads
        return Edits(
            head={(layer, row): 0.0 for row, layer in self.cells if row < n},
            attention={layer: 0.0 for row, layer in self.cells if row == n},
            ffn={layer: 0.0 for row, layer in self.cells if row == n + 1},
            **dict.fromkeys(self.parts, False),
        )

    def names(self) -> list[str]:
        """Return everything that is switched off, in words."""
        rows = [row for row, _ in self.cells]
        whole = {row for row in rows if rows.count(row) == self.config.n_layers}
        names = [PARTS[name][0] for name in PARTS if name in self.parts]
        names += [f"{self._name(row)} in every layer" for row in sorted(whole)]
        single = [
            f"{self._name(row)} of layer {layer}" for row, layer in sorted(self.cells) if row not in whole
        ]
        return names + (single if len(single) <= 6 else [*single[:5], f"{len(single) - 5} more"])

    def __str__(self) -> str:
        return f"Switched off: {', '.join(self.names()) or 'nothing'}"

    def _name(self, row: int) -> str:
        n = self.config.n_heads
        return {n: "attention", n + 1: "FFN"}.get(row, f"head {row}")


def parts_of(config: Config) -> dict[str, list[str]]:
    """Return those of `PARTS` that a model has: not all have RoPE."""
    return {name: [*texts] for name, texts in PARTS.items() if name != "rope" or config.has_rope}


def ffn_layers(config: Config) -> list[int]:
    """Return the layers whose FFNs are compared: the first, one in the middle, the last."""
    return sorted({0, config.n_layers // 2, config.n_layers - 1})


def experiments(config: Config) -> dict[str, SwitchedOff]:
    """Return sets of switches whose effect is worth a guess, by name."""
    ffn = config.n_heads + 1
    return {
        **{
            f"Switch off {label} in every layer": SwitchedOff(config, (name,))
            for name, (label, _) in parts_of(config).items()
        },
        **{
            f"Switch off the FFN in layer {layer}": SwitchedOff(config, cells=((ffn, layer),))
            for layer in ffn_layers(config)
        },
    }


def explanation(run: Trace, off: SwitchedOff) -> str:
    """Say what the part of an experiment is for; of an FFN, how much probability it moves, and what to compare."""
    if off.parts:
        return " ".join(PARTS[name][1] for name in off.parts)
    share = percent(probability_moved(run.model, run.tokens, off.edits))
    others = [
        f"that of layer {layer}" for layer in ffn_layers(run.model.config) if layer not in off.edits.ffn
    ]
    return (
        f"Without it, {share} of the probability moves to other tokens. Is that typical? "
        f"Compare {' and '.join(others)}."
    )


class Switches(Picture):
    """The parts of a model as switches, for clicks or for arrow keys and space; what is off is as in `SwitchedOff`."""

    _static = "switches"
    _by_page = ("off_parts", "off_cells")

    parts = traitlets.Dict().tag(sync=True)
    n_layers = traitlets.Int().tag(sync=True)
    n_heads = traitlets.Int().tag(sync=True)
    off_parts = traitlets.List(traitlets.Enum([*PARTS])).tag(sync=True)
    off_cells = traitlets.List(traitlets.List(traitlets.Int(), minlen=2, maxlen=2)).tag(sync=True)

    def __init__(self, model: Model, **traits):
        self._config = model.config
        super().__init__(
            parts=parts_of(model.config),
            n_layers=model.config.n_layers,
            n_heads=model.config.n_heads,
            stage="attention",
            **traits,
        )

    def page_values(self) -> dict:
        """Return any parts, and no cell or a single one, because all pairs would be too many."""
        cells = product(range(self.n_heads + 2), range(self.n_layers))
        parts = [[*names] for k in range(len(self.parts) + 1) for names in combinations(self.parts, k)]
        return {"off_parts": parts, "off_cells": [[], *([[*cell]] for cell in cells)]}

    def text(self) -> str:
        return str(SwitchedOff(self._config, tuple(self.off_parts), tuple(map(tuple, self.off_cells))))


class Switchboard(EditedRun, GuessFirst):
    """Switches, and what they do to the next token's probabilities and to the next 20 tokens, before → after.

    The model always writes the likeliest token, so the only difference is what was switched off. text: what is in the
    box at first, or a page's own `Prompt`. An experiment asks for a guess before it moves the switches.
    """

    stage, options = "attention", OUTCOMES
    needs = View.needs  # What is written does not wait for a guess.

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        off_parts: tuple[str, ...] = several(
            (), lambda view: view.switchable, set_by=("switches", "off_parts")
        )
        off_cells: tuple[Cell, ...] = several((), lambda view: view.cells, set_by=("switches", "off_cells"))
        experiment: str = choice(
            NO_EXPERIMENT, "Experiments", lambda view: [NO_EXPERIMENT, *view.experiments], "min(500px, 98%)"
        )
        chosen: int | None = chosen_token("bars")

    def __init__(self, model: Model, text: str | Prompt, **state):
        self.experiments, self.switchable = experiments(model.config), [*parts_of(model.config)]
        self.cells = [*product(range(model.config.n_heads + 2), range(model.config.n_layers))]
        super().__init__(as_prompt(model, text), **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        p = self.parts
        p["message"].layout.min_height = "26px"
        strips = ipywidgets.VBox([p["before"], p["after"], self.progress])
        above = row(self.controls["experiment"], p["everything_on"])
        below = row(wide(p["bars"], 420), wide(strips, 420))
        return [above, *(p[name] for name in ("card", "refusal", "message", "switches")), below]

    def at_any_price(self) -> Iterator[State]:
        """Yield each experiment before and after the guess."""
        for asked in (self.ask(self.state, name) for name in self.experiments):
            yield from (asked, self.commit(asked, True))

    def slices(self) -> Iterator[State]:
        """Yield everything on, and each switch off on its own."""
        on = self.everything_on(self.state)
        yield on
        yield from (replace(on, off_parts=(name,)) for name in self.switchable)
        yield from (replace(on, off_cells=(cell,)) for cell in self.cells)

    @shared
    def off(self, scene: Scene) -> SwitchedOff:
        return SwitchedOff(scene.run.model.config, scene.off_parts, scene.off_cells)

    @shared
    def edits(self, scene: Scene) -> tuple[str, Edits]:
        return str(scene.off), scene.off.edits

    @press("Switch everything on")
    def everything_on(self, state: State) -> State:
        return replace(state, off_parts=(), off_cells=())

    # --- experiments: predict, commit, see ---

    def put_right(self, before: State, state: State) -> State:
        """Switch everything on when an answered card is opened again, so that nothing below gives its answer away."""
        state = super().put_right(before, state)
        return self.everything_on(state) if before.committed and not state.committed else state

    def fitted(self, state: State) -> State:
        """Switch everything on for a new text, too, if the card was answered."""
        return super().fitted(self.everything_on(state) if state.committed else state)

    @on("experiment", "value")
    def ask(self, state: State, experiment: str) -> State:
        """Ask about an experiment with everything on; its switches move only when the reader commits."""
        return replace(self.everything_on(state), experiment=experiment, guess=None, committed=False)

    @on("card", "committed")
    def commit(self, state: State, committed: bool) -> State:
        off = self.experiments.get(state.experiment)
        if not (committed and off):
            return replace(state, committed=False)
        return replace(state, committed=True, off_parts=off.parts, off_cells=off.cells)

    def question(self, scene: Scene) -> str:
        if scene.experiment == NO_EXPERIMENT:
            return ""
        first, whole = likeliest(scene.run)
        unchanged = f"The unchanged model's likeliest token is {first} ({whole})."
        return f"{scene.experiment}. {unchanged} What happens to {first}?"

    @shared
    def is_known(self, scene: Scene) -> bool:
        return scene.committed and scene.experiment != NO_EXPERIMENT

    def answer(self, scene: Scene) -> int:
        return outcome(scene.run, self.experiments[scene.experiment].edits)

    def explanation(self, scene: Scene) -> str:
        with contextlib.suppress(FloatingPointError):
            return explanation(scene.run, self.experiments[scene.experiment])
        return ""

    # --- the model as it is switched ---

    @part(
        lambda view: Switches(
            view.run.model, caption="Click any part to switch it off. The model then runs without it"
        )
    )
    def switches(self, scene: Scene) -> dict:
        return {"off_parts": [*scene.off_parts], "off_cells": [[*cell] for cell in scene.off_cells]}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        _, problem = scene.result("write_after") or ([], "")
        if problem:
            return [stopped(str(scene.off), problem)]
        if not scene.off.names():
            return ["Everything is on, so this is the unchanged model."]
        return [f"{scene.off}. {self.change(scene)}"]

    @explains("bars")
    def explain(self, scene: Scene, row: int) -> Explanation:
        edited = f"model.trace({scene.run.tokens}, llmviz.{scene.edits[1]!r}).logits"
        source = "trace.logits" if scene.edits[1] == Edits() else edited
        return provenance.prob_in(scene.shown, row, scene.edited, source=source)

    # --- what is written, token by token ---

    @job()
    def write_before(self, scene: Scene) -> Iterator[tuple[float, tuple]]:
        return write_edited(scene.run, Edits(), N_WRITTEN)

    @job("off_parts", "off_cells")
    def write_after(self, scene: Scene) -> Iterator[tuple[float, tuple]]:
        yield from (
            write_edited(scene.run, scene.off.edits, N_WRITTEN) if scene.off.names() else [(1.0, ([], ""))]
        )

    @parts(
        {
            "before": f"The next {N_WRITTEN} tokens from the unchanged model (always the likeliest; "
            "fewer if its text ends)",
            "after": f"The next {N_WRITTEN} tokens with your switches",
        },
        TokenStrip,
        [],
        stage="tokenization",
    )
    def strip(self, scene: Scene, when: str) -> dict:
        tokens, problem = scene.result(f"write_{when}") or ([], "")
        hidden = bool(problem) or (when == "after" and not scene.off.names())
        return {"pieces": scene.run.model.tokenizer.pieces(tokens), "ids": tokens, "hidden": hidden}
