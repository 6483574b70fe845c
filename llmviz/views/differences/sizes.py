"""Small models of several sizes, trained on one text for the same time, or for the same number of steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from llmviz import training
from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.training import Progress
from llmviz.views.differences.guessed import Guessed
from llmviz.views.kit.controls import row, seed_box
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.predict import Question
from llmviz.weights import Config

N_WRITTEN = 24  # tokens


def small(*, n_layers: int = 2, n_heads: int = 4, d_model: int = 32, n_ctx: int = 64, ffn: int = 1) -> Config:
    """A small model's sizes: two query heads share a key and value head, and the FFN is `ffn` times 8/3 as wide."""
    return Config(
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=max(1, n_heads // 2),
        d_model=d_model,
        d_head=d_model // n_heads,
        d_ff=8 * ffn * round(d_model / 3),
        n_vocab=512,
        n_ctx=n_ctx,
        rope_base=10_000.0,
        norm_eps=1e-5,
    )


def _named(*configs: Config) -> dict[str, Config]:
    return {f"{config.n_parameters:,}": config for config in configs}


SIZES = _named(
    small(n_layers=1, n_heads=1, d_model=8),
    small(n_layers=1, n_heads=2, d_model=16),
    small(),
    small(d_model=64),
    small(n_layers=4, n_heads=8, d_model=128),
)
KNOBS = {
    "as it is": small(),
    "layers × 2": small(n_layers=4),
    "heads × 2": small(n_heads=8),
    "width × 2": small(d_model=64),
    "FFN × 2": small(ffn=2),
    "context × 2": small(n_ctx=128),
}


def bits_a_byte(model: Model, text: str) -> float:
    """What one nat a token is, in bits a byte of this text: 1.44 bits, over the bytes that a token has."""
    return len(model.tokenizer.encode(text)) / len(text.encode()) / math.log(2)


class Sizes(Guessed):
    """First a guess, then a model of each size from noise, on one text: which is least surprised by the rest of it?

    Give `seconds` (of work, for each), or `steps`. `held_out` has the surprise of each that is done, in bits a byte;
    """

    def __init__(
        self,
        text: str,
        configs: Mapping[str, Config],
        question: str,
        *,
        unit: str = "numbers",
        start: str = "The ",
        seconds: float = 12,
        steps: int | None = None,
        explain: str = "",
    ):
        self._text, self._configs, self._start = text, dict(configs), start
        self._budget = {"seconds": seconds, "steps": steps}
        n, each = len(self._configs), f"{steps:,} steps" if steps else f"{seconds:g} seconds"
        card = Question(question, [*self._configs], answer=None, explain=explain, stage="training")
        super().__init__(card, f"Train {n} models, {each} each")
        self.held_out, self._unit = {}, unit
        self.bars = LinePlot(
            labels=[*self._configs],
            names=["held-out text"],
            x_axis="numbers that are learned" if unit == "numbers" else "what is changed",
            y_axis="bits a byte",
            unit="",
            bars=True,
            y_min=None,
            stage="training",
            caption=f"Surprise at the tenth of the text that is never trained on, after {each}",
            waiting="Make your guess, or press the button.",
        )
        self.curves = LinePlot(
            x_axis="step",
            y_axis="bits a byte",
            unit="bits",
            log_x=True,
            y_min=None,
            stage="training",
            caption="The same on the way, measured every 20 steps",
            waiting="Nothing is trained yet.",
        )
        self.seed = seed_box(0)
        self.children = (
            self.card,
            row(*self.buttons, self.seed, self.progress),
            self.told,
            self.bars,
            self.curves,
        )
        self._hide()

    @property
    def best(self) -> str | None:
        """The least surprised; None until all are done."""
        done = len(self.held_out) == len(self._configs)
        return min(self.held_out, key=self.held_out.get) if done else None

    def _hide(self) -> None:
        for one in (self.bars, self.curves):
            one.layout.display = "" if self.held_out else "none"

    def work(self) -> Iterator[float]:
        self.held_out, self._lines = {}, {}
        self.told.say()
        yield from self._each()

    def _each(self) -> Iterator[float]:
        per_nat, n, told = None, len(self._configs), []
        limit = self._budget["steps"] or self._budget["seconds"]
        for number, (name, config) in enumerate(self._configs.items()):
            last, points = None, self._lines.setdefault(name, [])
            for last in training.pretrain(self._text, config, seed=self.seed.value, **self._budget):
                if per_nat is None:
                    per_nat = bits_a_byte(last.model, self._text)
                if last.step % training.MEASURE_EVERY == 0:
                    points.append(last.held_out * per_nat)
                    if last.step:
                        self._draw_curves()
                done = last.step if self._budget["steps"] else last.seconds
                yield (number + min(1, done / limit)) / n
            self.held_out[name] = last.held_out * per_nat
            told.append(self._sentence(name, last, per_nat))
            self.bars.change(values=[[self.held_out.get(one, np.nan) for one in self._configs]])
            self._hide()
            self.told.say(*told)
            yield (number + 1) / n
        self.tell([*self._configs].index(self.best))

    def _draw_curves(self) -> None:
        longest = max(map(len, self._lines.values()))
        values = np.full((len(self._lines), longest), np.nan)
        for line, points in zip(values, self._lines.values()):
            line[: len(points)] = points
        steps = training.MEASURE_EVERY * np.arange(longest)
        self.curves.change(x=steps, values=values, names=[*self._lines])
        self.curves.layout.display = ""

    def _sentence(self, name: str, last: Progress, per_nat: float) -> str:
        model = last.model
        tokens = model.tokenizer.encode(self._start)
        written = [step.token for step in model.generate(tokens, N_WRITTEN, Sampler(temperature=0.7), seed=1)]
        ms = 1000 * last.seconds / max(1, last.step)
        size = "" if self._unit == "numbers" else f"{model.config.n_parameters:,} numbers, "
        return (
            f"{name}: {size}{last.step:,} steps of {ms:.0f} ms. Surprise {last.held_out * per_nat:.2f} bits a byte on "
            f"the held-out text, {last.loss * per_nat:.2f} on its last step's. It writes: "
            f"“{clean(model.tokenizer.decode([*tokens, *written]))}”"
        )
