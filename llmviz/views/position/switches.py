"""Positions switched off, stretched, moved and shuffled in the real model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmviz import experiments, ops
from llmviz.experiments.order import N_USED
from llmviz.experiments.without_rope import N_ORDERS, surprise_with_each
from llmviz.model import Edits, Trace
from llmviz.views.kit import next_token_bars
from llmviz.views.kit.controls import toggles
from llmviz.views.kit.edited_run import EditedRun
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.next_token_bars import chosen_token
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import choice
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, job, part, parts, sentences, shared

SETTINGS = {
    "RoPE off": Edits(rope=False),
    "stretched × 4": Edits(position_scale=4.0),
    "moved by 1,000": Edits(position_shift=1_000.0),
}
N_WRITTEN = 30


def likeliest(trace: Trace) -> str:
    """Return the likeliest next token, such as "“·dog” (28.3%)"."""
    return "{} ({})".format(*next_token_bars.likeliest(trace))


def in_percent(probability: float) -> float:
    """Return a probability as a percentage, with the digits that the bars of `PositionSwitches` show."""
    return float(percent(probability).strip("<% "))


class PositionSwitches(EditedRun):
    """RoPE switched off, positions stretched or shifted in every layer: what that does to the next token, to the
    surprise at the text itself, and to 30 tokens that the model writes (always the likeliest)."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        setting: str = choice("RoPE off", "Positions", (*SETTINGS,), make=toggles)
        chosen: int | None = chosen_token("bars")

    arrangement = (
        *("setting", "bars", "message", "surprise", "comparison", ("write", "progress")),
        *("unchanged", "changed"),
    )

    def at_any_price(self) -> Iterator[State]:
        """Yield each setting."""
        return self.along("setting")

    # --- the next token ---

    @shared
    def edits(self, scene: Scene) -> tuple[str, Edits]:
        return scene.setting, SETTINGS[scene.setting]

    @sentences
    def message(self, scene: Scene) -> list[str]:
        share = experiments.total_variation(ops.softmax(scene.run.logits), ops.softmax(scene.edited))
        return [f"{self.change(scene)} In all, {percent(share)} of the probability moved."]

    # --- the surprise at the text ---

    def needs(self, _state: State) -> str | None:
        return "measure" if len(self.run.tokens) > 1 else None

    @job()
    def measure(self, scene: Scene) -> Iterator[tuple[float, dict[str, float]]]:
        return surprise_with_each(scene.run, SETTINGS)

    @part(
        LinePlot,
        x_axis="",
        y_axis="surprise (bits per token)",
        bars=True,
        unit="bits",
        caption=f"Mean surprise at the tokens of your text (its first {N_USED}, if it's longer)",
    )
    def surprise(self, scene: Scene) -> dict:
        unchanged, *settings, shuffled = scene.known("measure").values()
        values = np.full((3, 2 + len(settings)), np.nan)
        values[0, 1:-1], values[1, 0], values[2, -1] = settings, unchanged, shuffled
        return {
            "labels": ["unchanged", *SETTINGS, "shuffled positions"],
            "values": values,
            "names": ["positions changed", "unchanged", f"control: the mean of {N_ORDERS} random orders"],
        }

    @sentences
    def comparison(self, scene: Scene) -> list[str]:
        if len(scene.run.tokens) < 2:
            return [
                "A single token has nothing before it, so there is no surprise to measure. Type at least two."
            ]
        if not (bits := scene.result("measure")):
            return []  # not what was said of an earlier text
        own, off, shuffled = (f"{bits[name]:.2f}" for name in ("unchanged", "RoPE off", "shuffled"))
        difference = float(off) - float(own)
        change = (
            f"{'raises' if difference > 0 else 'lowers'} the surprise from {own} to {off} bits"
            if difference
            else f"leaves the surprise at {own} bits"
        )
        lower = [
            name for name in SETTINGS if bits["unchanged"] - bits[name] > 0.01
        ]  # a difference that shows
        return [
            f"Switching RoPE off {change}; shuffled positions take it to {shuffled}.",
            f"The surprise is lower with {' and '.join(lower)}. The results say on how many texts that happens."
            if lower
            else "",
        ]

    # --- what is written ---

    @job(
        "setting",
        start=f"Write {N_WRITTEN} tokens",
        tooltip="Continue your text twice, always with the likeliest token",
    )
    def write(self, scene: Scene) -> Iterator[tuple[float, dict[str, tuple]]]:
        written: dict[str, tuple] = {}  # tokens, and why there are no more
        for done, (name, edits) in enumerate({"unchanged": Edits(), "changed": scene.edits[1]}.items()):
            for share, so_far in experiments.write_edited(scene.run, edits, N_WRITTEN):
                written = written | {name: so_far}
                yield (done + share) / 2, written

    @parts({"unchanged": "", "changed": ""}, TokenStrip, [])
    def strip(self, scene: Scene, name: str) -> dict:
        tokens, problem = scene.known("write").get(name, ([], ""))
        by = f"with {scene.setting}" if name == "changed" else "by the unchanged model"
        caption = f"Written {by}"
        return {
            "pieces": scene.run.model.tokenizer.pieces(tokens),
            "caption": f"{caption}: {problem}" if problem else caption,
        }
