"""Positions switched off, stretched and moved in the real model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import experiments, ops
from llmviz.model import Edits, Trace
from llmviz.views.kit.edited_run import EditedRun, Written, write
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.next_token_bars import chosen_token
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import number, picked, replace
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, job, on, part, parts, sentences, shared
from llmviz.views.position.shuffled_head import N_USED

SETTINGS = {
    "as it is": Edits(),
    "RoPE off": Edits(rope=False),
    "stretched × 2": Edits(position_scale=2.0),
    "stretched × 4": Edits(position_scale=4.0),
    "squeezed to half": Edits(position_scale=0.5),
    "moved by 1,000": Edits(position_shift=1_000.0),
}
BARS = ["as it is", "RoPE off", "× 2", "× 4", "× ½", "+ 1,000", "block off", "worst"]
N_WRITTEN = 30


def likeliest(trace: Trace) -> str:
    """Return the likeliest next token, such as "“·dog” (28.3%)"."""
    best = int(trace.logits.argmax())
    piece = quote(trace.model.tokenizer.pieces([best])[0])
    return f"{piece} ({percent(experiments.probability(trace, best))})"


class PositionSwitches(EditedRun):
    """RoPE off, positions stretched or moved in every layer of the real model: what that does to the next token, to
    the surprise at the text itself, and to 30 tokens written with each setting (always the likeliest)."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        # None where no setting has this scale.
        setting: str | None = picked(
            "RoPE off",
            lambda name, _: name is None or (isinstance(name, str) and name in SETTINGS),
            "a setting, or None",
            control=lambda *_: ipywidgets.ToggleButtons(
                options=[*SETTINGS], style={"button_width": "auto"}, tooltips=[*SETTINGS]
            ),
            on_page=lambda _: SETTINGS,
            outlives_text=True,
        )
        scale: float = number(1.0, "Positions times", 8.0, step=0.25)
        chosen: int | None = chosen_token("bars")

    arrangement = (
        *("setting", "scale", "message", "bars", "surprise", "comparison", ("write", "progress")),
        *SETTINGS,
    )

    @on("setting", "value")
    def choose(self, state: State, name: str | None) -> State:
        scale = state.scale if name is None else SETTINGS[name].position_scale
        return replace(state, setting=name, scale=scale)

    @on("scale", "value")
    def stretch(self, state: State, scale: float) -> State:
        names = (name for name, edits in SETTINGS.items() if edits == Edits(position_scale=scale))
        return replace(state, setting=next(names, None), scale=scale)

    # --- the next token ---

    @shared
    def edits(self, scene: Scene) -> tuple[str, Edits]:
        if scene.setting is None:
            return f"stretched × {scene.scale:g}", Edits(position_scale=float(scene.scale))
        return scene.setting, SETTINGS[scene.setting]

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if scene.edits[1] == Edits():
            return ["This is the model as it was trained: positions 0, 1, 2 …"]
        share = experiments.total_variation(ops.softmax(scene.run.logits), ops.softmax(scene.edited))
        return [f"{self.change(scene)} In all, {percent(share)} of the probability moved to other tokens."]

    # --- the surprise at the text ---

    def needs(self, _state: State) -> str | None:
        return "measure" if len(self.run.tokens) > 1 else None

    @job()
    def measure(self, scene: Scene) -> Iterator[tuple[float, dict[str, float]]]:
        """Yield the mean surprise with each setting, and with single blocks off, by name."""
        n_layers, bits = scene.run.model.config.n_layers, {}
        # Every second layer of the middle third.
        middle = range(2 * (n_layers // 3) - 1, n_layers // 3 - 1, -2)
        blocks = {f"FFN of layer {layer}": Edits(ffn={layer: 0}) for layer in middle}
        blocks |= {f"attention of layer {layer}": Edits(attention={layer: 0}) for layer in middle}
        for name, edits in (SETTINGS | blocks).items():
            try:
                run = scene.run.model.trace(scene.run.tokens[:N_USED], edits)
                bits[name] = experiments.mean_surprise(run)
            except FloatingPointError:
                bits[name] = np.nan
            yield len(bits) / len(SETTINGS | blocks), None
        yield 1.0, bits

    @part(LinePlot, x_axis="", y_axis="surprise, bits a token", bars=True, unit="bits")
    def surprise(self, scene: Scene) -> dict | None:
        if scene.result("measure") is None:
            return None
        bits = np.array([*scene.result("measure").values()])
        settings, blocks = np.split(bits, [len(SETTINGS)])
        return {
            "labels": BARS,
            "values": [[*settings, blocks.mean(), blocks.max()]],
            "names": ["mean surprise"],
            "caption": "How surprising a token of your text is, on average; on the right, to compare, the model with "
            f"one of {len(blocks)} blocks of the middle off, FFN or attention: their mean, and the worst",
        }

    @sentences
    def comparison(self, scene: Scene) -> list[str] | None:
        if len(scene.run.tokens) < 2:
            return [
                "The first token has nothing before it, so its surprise cannot be measured. Write one more."
            ]
        if scene.result("measure") is None:
            return None
        bits, n_vocab = scene.result("measure"), scene.run.model.config.n_vocab
        blocks = {name: cost for name, cost in bits.items() if name not in SETTINGS}
        return [
            f"The worst of the {len(blocks)} single blocks is the {max(blocks, key=blocks.get)}; "
            f"{sum(cost < bits['RoPE off'] for cost in blocks.values())} of them cost less than RoPE off.",
            f"Blind guessing among all {n_vocab:,} tokens would be {np.log2(n_vocab):.1f} bits.",
            f"Measured on the first {N_USED} tokens." if len(scene.run.tokens) > N_USED else "",
        ]

    # --- what is written ---

    @job(
        start=f"Write {N_WRITTEN} tokens with each setting",
        tooltip="always the likeliest token, in every setting",
    )
    def write(self, scene: Scene) -> Iterator[tuple[float, dict[str, Written]]]:
        written: dict[str, Written] = {}
        for done, (name, edits) in enumerate(SETTINGS.items()):
            for share, so_far in write(scene.run, edits, N_WRITTEN):
                written = written | {name: so_far}
                yield (done + share) / len(SETTINGS), written

    @parts({name: name for name in SETTINGS}, TokenStrip, [])
    def strip(self, scene: Scene, name: str) -> dict | None:
        if scene.result("write") is None:
            return None
        tokens, problem = scene.result("write").get(name, ([], ""))
        caption = f"{name}: {problem}" if problem else name
        return {"pieces": scene.run.model.tokenizer.pieces(tokens), "caption": caption}
