"""How many numbers a model has, by its sizes: sliders, and the models that people know."""

from __future__ import annotations

import math
from collections.abc import Iterable

import ipywidgets
import numpy as np
import traitlets

from llmviz.experiments import n_parameters
from llmviz.experiments.published import PUBLISHED, Published, parts
from llmviz.machine import memory
from llmviz.model import Model
from llmviz.views.kit.controls import Told, checkbox, choice, row, slider
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import Explorer, Labels, Picture, Text, lines, one_at_a_time
from llmviz.weights import Config

BITS = (4.5, 16, 32)  # 4 bits and a scale of 16 for each 32 numbers: what llama.cpp's Q4_0 takes
OTHER = "other sizes"
SLIDERS = {  # first, last, step
    "n_layers": (1, 128, 1),
    "n_heads": (1, 128, 1),
    "n_kv_heads": (1, 128, 1),
    "d_head": (2, 256, 2),
    "d_model": (8, 16_384, 8),
    "d_ff": (8, 53_248, 8),
    "n_vocab": (256, 262_144, 1),  # JupyterLab snaps to steps: 50,257 must be one
}


# --- the formula -----------------------------------------------------------------------------------------------------


class Parameters(Explorer):
    """Sliders for a model's sizes, and how many numbers that makes, where."""

    def __init__(self, model: Model):
        c = model.config
        mine = Published(
            "this model",
            c,
            not np.may_share_memory(model.weights.W_E, model.weights.W_U),
            "",
            "",
        )
        self._known, self._counted = {one.name: one for one in (mine, *PUBLISHED)}, n_parameters(model)
        self.choice = choice([*self._known, OTHER], "this model", "Sizes of")
        self.sliders = {
            name: slider(getattr(c, name), name, last, first=first, step=step, stage="training")
            for name, (first, last, step) in SLIDERS.items()
        }
        self.own = checkbox("W_U is a table of its own")
        self.told = Told()
        self.bars = LinePlot(
            names=["parameters"],
            unit="rank",
            bars=True,
            y_axis="parameters",
            x_axis="part of the model",
            stage="training",
        )
        self.choice.observe(self._take, "value")
        for one in (*self.sliders.values(), self.own):
            one.observe(self._show, "value")
        controls = ipywidgets.VBox([self.choice, row(*self.sliders.values(), self.own)])
        super().__init__([controls, self.told, self.bars])
        self._take()

    @one_at_a_time
    def _take(self, _change=None) -> None:
        """The sizes of the model that was chosen."""
        if self.choice.value == OTHER:
            return
        known = self._known[self.choice.value]
        self._taking = True
        for name, one in self.sliders.items():
            one.max = max(one.max, getattr(known.config, name))
            one.value = getattr(known.config, name)
        self.own.value = known.own_W_U
        self._taking = False
        self._show()

    @property
    def config(self) -> Config:
        """As the sliders stand."""
        sizes = {name: one.value for name, one in self.sliders.items()}
        return Config(**sizes, n_ctx=2_048, rope_base=10_000.0, norm_eps=1e-5)

    @one_at_a_time
    def _show(self, _change=None) -> None:
        if self._taking:
            return
        c, own = self.config, self.own.value
        known = self._known.get(self.choice.value)
        if known and (c, own) != (self._sizes_of(known), known.own_W_U):
            self.choice.value, known = OTHER, None
        drawn = known.parts if known else parts(c, own)
        total = sum(drawn.values())
        shares = " + ".join(f"{name} {100 * n / total:.3g}%" for name, n in drawn.items())
        active = known and known.active
        self.bars.change(
            labels=[*drawn],
            names=["all", "active: work on one token"] if active else ["parameters"],
            values=[[*drawn.values()], [*active.values()]] if active else [[*drawn.values()]],
            caption=f"{total:,} parameters: {shares}",
        )
        self.told.say(*self._sentences(c, own, known))

    def _sizes_of(self, known: Published) -> Config:
        sizes = {name: getattr(known.config, name) for name in self.sliders}
        return Config(**sizes, n_ctx=2_048, rope_base=10_000.0, norm_eps=1e-5)

    def _sentences(self, c: Config, own: bool, known: Published | None) -> Iterable[str]:
        tables = "two tables 2 × " if own else "table "
        yield (
            f"{tables}{c.n_vocab:,} × {c.d_model:,}  +  {c.n_layers} layers × (attention 2 × ({c.n_heads} + "
            f"{c.n_kv_heads}) × {c.d_head} × {c.d_model:,}  +  FFN 3 × {c.d_model:,} × {c.d_ff:,}  +  norms 2 × "
            f"{c.d_model:,})  +  last norm {c.d_model:,}  =  {n_parameters(c, tied=not own):,}"
        )
        if c.n_heads % c.n_kv_heads:
            yield f"But {c.n_heads} query heads cannot share {c.n_kv_heads} key and value heads evenly."
        if known is None:
            return
        if known.name == "this model":
            yield f"Counted in the model on your machine, array by array: {self._counted:,}."
            return
        yield f"Published: {known.said} ({known.source})."
        if known.exact:
            off = known.by_formula / known.count - 1
            yield (
                f"The formula is off by {minus(f'{100 * off:+.3g}')}%: {known.why}. The picture shows the true parts, "
                f"{known.count:,} parameters."
            )
        if known.active:
            yield f"Active, working on one token: {sum(known.active.values()):,} (of the first table only its row)."


# --- memory ----------------------------------------------------------------------------------------------------------


class ModelSizes(Picture):
    """Models on one axis of memory, on which each step multiplies: a row each, a mark for each number of bits.

    `machine` is the memory they are held against, in GB (0: none is drawn). The arrow keys or a click select a row.
    """

    _static = "model_sizes"
    _data = ("names", "counts", "machine", "selected")

    names = Labels()
    counts = traitlets.List(traitlets.Float()).tag(sync=True)
    bits = traitlets.List(traitlets.Float(), list(BITS)).tag(sync=True)
    machine = traitlets.Float(0.0).tag(sync=True)
    machine_name = Text("this machine")
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def text(self) -> str:
        rows = [["model", "parameters", *(f"{bits:g} bits" for bits in self.bits)]]
        rows += [
            [name, f"{count:,.0f}", *(size(count * bits / 8) for bits in self.bits)]
            for name, count in zip(self.names, self.counts)
        ]
        rows += [[self.machine_name, "", size(1e9 * self.machine)]] if self.machine else []
        return lines(rows)


def size(n: float) -> str:
    """Bytes for people: "538 MB"; kB = 1,000 bytes."""
    power = min(4, max(0, int(math.log10(max(n, 1)) // 3)))
    return f"{n / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


class Memory(Explorer):
    """The published models and this one, on one scale of memory, beside the memory of a machine."""

    def __init__(self, model: Model, machine: float | None = None):
        found = machine or memory()
        mine = n_parameters(model)
        known = [(one.name, one.count) for one in PUBLISHED if one.count != mine]
        models = sorted([("this model", mine), *known], key=lambda one: one[1])
        self.sizes = ModelSizes(
            names=[name for name, _ in models],
            counts=[float(count) for _, count in models],
            stage="training",
            caption="What the parameters of a model take, at 4.5, 16 and 32 bits each",
        )
        self.machine = ipywidgets.BoundedFloatText(
            round((found or 8e9) / 1e9, 1),
            min=0.001,
            max=100_000,
            step=1,
            description="Memory in GB",
            style={"description_width": "initial"},
            layout={"width": "220px"},
        )
        self._known, self.told = found is not None, Told()
        self.machine.observe(self._show, "value")
        super().__init__([self.machine, self.told, self.sizes])
        self._show()

    @one_at_a_time
    def _show(self, change=None) -> None:
        gb = self.machine.value
        own = self._known and change is None
        self.sizes.change(machine=gb, machine_name="this machine" if own else "a machine")
        fit = {
            bits: [name for name, n in zip(self.sizes.names, self.sizes.counts) if n * bits / 8 < 1e9 * gb]
            for bits in BITS
        }
        largest = [f"at {bits:g} bits {fit[bits][-1] if fit[bits] else 'none'}" for bits in BITS]
        self.told.say(
            f"This machine has {gb:g} GB for its programs." if own else "",
            ""
            if self._known or change
            else "Python does not know here how much memory this machine has: type it. (8 is a guess.)",
            f"The largest here whose parameters fit into {gb:g} GB: {', '.join(largest)}. Running it needs some more, "
            "for the keys and values of its text, and for everything else on the machine.",
        )
