"""How many parameters a model of given sizes has, with sliders; well-known models; and the memory that they take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets

from llmviz.experiments import n_parameters
from llmviz.experiments.published import PUBLISHED, Published, parts
from llmviz.machine import memory
from llmviz.model import Model
from llmviz.views.kit.controls import number_box
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Labels, OfRows, Text, lines
from llmviz.views.kit.state_fields import choice, number, picked, replace, selected, selection, tick
from llmviz.views.kit.view import Scene, View, part, sentences, shared
from llmviz.weights import Config
from llmviz.where import where

BITS = (4.5, 16, 32)  # llama.cpp's Q4_0 takes 4.5: 4 for each number, and 16 for the scale of 32 numbers.
THIS, OTHER = "this model", "other sizes"
SIZES = ("n_layers", "n_heads", "n_kv_heads", "d_head", "d_model", "d_ff", "n_vocab")


class Parameters(View):
    """Sliders for a model's sizes, and how many parameters each of its parts then has."""

    stage = "training"

    @dataclass(frozen=True)
    class State:
        """The sizes, and the name of the model that has them; the defaults are those of the default model."""

        name: str = choice(THIS, "Sizes of", (THIS, *(model.name for model in PUBLISHED), OTHER))
        n_layers: int = number(30, "n_layers", 128, first=1)
        n_heads: int = number(9, "n_heads", 128, first=1)
        n_kv_heads: int = number(3, "n_kv_heads", 128, first=1)
        d_head: int = number(64, "d_head", 256, first=2, step=2)
        d_model: int = number(576, "d_model", 16_384, first=8, step=8)
        d_ff: int = number(1_536, "d_ff", 53_248, first=8, step=8)
        # The step is 1 because JupyterLab snaps to steps, and 50,257 must be one.
        n_vocab: int = number(49_152, "n_vocab", 262_144, first=256)
        own_W_U: bool = tick("W_U is a table of its own")
        part: int | None = selection("bars")

    arrangement = ("name", (*SIZES, "own_W_U"), "message", "bars")

    def __init__(self, model: Model, **state: Any):
        own_W_U = not np.may_share_memory(model.weights.W_E, model.weights.W_U)
        this = Published(THIS, model.config, own_W_U, "", "")
        self.known = {known.name: known for known in (this, *PUBLISHED)}
        sizes = sizes_of(self.known.get(state.get("name", THIS), this))
        others = {name: value for name, value in sizes.items() if value != getattr(self.State, name)}
        super().__init__(model, **{**others, **state})

    def slices(self) -> Iterator[State]:
        """Yield each model, and the sizes that are asked about, first."""
        yield from self.along("name", "n_vocab")
        yield from super().slices()

    def put_right(self, before: State, state: State) -> State:
        """Set the sizes to those of the model that was chosen, or the name to `OTHER` if no model has these sizes."""
        sizes = sizes_of(self.known[state.name]) if state.name != OTHER else {}
        if state.name != before.name:
            return replace(state, **sizes)
        is_it = all(getattr(state, name) == value for name, value in sizes.items())
        return state if is_it else replace(state, name=OTHER)

    @shared
    def config(self, scene: Scene) -> Config:
        return Config(
            **{name: getattr(scene, name) for name in SIZES}, n_ctx=2_048, rope_base=1e4, norm_eps=1e-5
        )

    @part(LinePlot, unit="rank", bars=True, y_axis="parameters", x_axis="")
    def bars(self, scene: Scene) -> dict:
        known = self.known.get(scene.name)
        counts = known.parts if known else parts(scene.config, scene.own_W_U)
        total, active = sum(counts.values()), known and known.active
        shares = " + ".join(f"{name} {percent(n / total)}" for name, n in counts.items())
        return {
            "labels": [*counts],
            "selected": selected(scene.part, len(counts)),
            "names": ["all", "active: work on one token"] if active else ["parameters"],
            "values": [[*counts.values()], *([[*active.values()]] if active else [])],
            "caption": f"{total:,} parameters: {shares}",
        }

    @sentences
    def message(self, scene: Scene) -> Iterator[str]:
        c, known = scene.config, self.known.get(scene.name)
        tables = "2 tables × " if scene.own_W_U else "1 table × "
        total = n_parameters(c, tied=not scene.own_W_U)
        if scene.name != THIS or total == n_parameters(scene.run):  # Not all families have these parts.
            yield (
                f"{tables}{c.n_vocab:,} × {c.d_model:,}  +  {c.n_layers} layers × (attention 2 × ({c.n_heads} + "
                f"{c.n_kv_heads}) × {c.d_head} × {c.d_model:,}  +  FFN 3 × {c.d_model:,} × {c.d_ff:,}  +  norms 2 × "
                f"{c.d_model:,})  +  last norm {c.d_model:,}  =  {total:,}"
            )
        if c.n_heads % c.n_kv_heads:
            yield f"But {c.n_heads} query heads cannot share {c.n_kv_heads} key and value heads evenly."
        if known is None:
            return
        if known.name == THIS:
            yield f"Counted in the model itself, array by array: {n_parameters(scene.run):,}."
            return
        yield f"Published: {known.said} ({known.source})."
        if known.exact:
            off = 100 * (known.by_formula / known.count - 1)
            yield (
                f"The formula counts {abs(off):.2g}% too {'many' if off > 0 else 'few'} parameters. {known.why} The "
                f"picture shows the true parts, {known.count:,} parameters."
            )
        if known.active:
            active = sum(known.active.values()) / 1e9
            yield f"{active:.1f} billion are active, which means that they work on a given token."


def sizes_of(model: Published) -> dict[str, int]:
    """Return the fields of `Parameters.State` that describe a model, by name."""
    return {name: getattr(model.config, name) for name in SIZES} | {"own_W_U": model.own_W_U}


# --- memory ---


class ModelSizes(OfRows):
    """The memory that models take, on a logarithmic axis: a row for each model, a mark for each number of `bits`.

    `machine` is the memory with which they are compared, in GB (0: none). The arrow keys or a click select a row.
    """

    _static, _rows = "model_sizes", ("names",)

    names = Labels()
    counts = traitlets.List(traitlets.Float()).tag(sync=True)
    bits = traitlets.List(traitlets.Float(), list(BITS)).tag(sync=True)
    machine = traitlets.Float(0.0).tag(sync=True)
    machine_name = Text("this machine")

    def text(self) -> str:
        rows = [["model", "parameters", *(f"{bits:g} bits" for bits in self.bits)]]
        rows += [
            [name, f"{count:,.0f}", *(in_bytes(count * bits / 8) for bits in self.bits)]
            for name, count in zip(self.names, self.counts)
        ]
        rows += [[self.machine_name, "", in_bytes(1e9 * self.machine)]] if self.machine else []
        return lines(rows)


def in_bytes(n: float) -> str:
    """Return a number of bytes as text, such as "538 MB"; kB = 1,000 bytes."""
    power = min(4, max(0, int(math.log10(max(n, 1)) // 3)))
    return f"{n / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


MACHINES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1_024, 2_048)  # GB, on a page


class Memory(View):
    """The memory of this model and of published ones, compared with that of a machine."""

    stage = "training"

    @dataclass(frozen=True)
    class State:
        gigabytes: float = picked(
            8.0,
            lambda value, _: type(value) in (int, float) and 0.01 <= value <= 10_000,
            "a number from 0.01 to 10,000",
            control=lambda value, _: number_box(value, "Memory in GB", 0.01, 10_000),
            on_page=lambda _: MACHINES,
        )

    arrangement = ("gigabytes", "message", "sizes")

    def __init__(self, model: Model, machine: float | None = None, **state: Any):
        # A page and a class are computed on somebody else's machine.
        known = machine or (memory() if where() == "notebook" else None)
        self.here = round(known / 1e9, 1) if known else None
        this = n_parameters(model)
        published = [(model.name, model.count) for model in PUBLISHED if model.count != this]
        self.models = sorted([(THIS, this), *published], key=lambda model: model[1])
        super().__init__(model, **({"gigabytes": self.here} if known else {}) | state)

    @part(ModelSizes, caption="Memory for each model's parameters, at 4.5, 16 and 32 bits each")
    def sizes(self, scene: Scene) -> dict:
        names, counts = zip(*self.models)
        return {
            "names": [*names],
            "counts": [float(count) for count in counts],
            "machine": scene.gigabytes,
            "machine_name": "this machine" if scene.gigabytes == self.here else "a machine",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        gb = scene.gigabytes
        largest: dict[str, list[str]] = {}
        for bits in BITS:
            for name in [name for name, n in self.models if n * bits / 8 < 1e9 * gb][-1:]:
                largest.setdefault(name, []).append(f"{bits:g}")
        lists = {name: " or ".join(", ".join(bits).rsplit(", ", 1)) for name, bits in largest.items()}
        fitting = "; ".join(f"at {bits} bits, {name}" for name, bits in lists.items())
        unknown = (
            "Python does not know here how much memory this machine has: type it. (8 is a guess.)"
            if where() == "notebook"
            else "8 GB is only an example: your machine may have more or less."
        )
        return [
            f"This machine has {gb:g} GB for its programs." if gb == self.here else "",
            unknown if not self.here and gb == 8 else "",
            f"The largest model whose parameters fit into {gb:,g} GB: {fitting}."
            if fitting
            else "No model here fits.",
            "Running a model takes more memory than this, for the keys and values of its text.",
        ]
