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
from llmviz.views.kit.picture import one_at_a_time
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

    Give `seconds` (of work, for each), or `steps`. `held_out` has the surprise of each that is done, in bits a byte.
    The lines on the way stand over the steps, or, where all get the same time, over computing: what a token takes
    grows with the parameters, so parameters × tokens (Hoffmann et al. 2022 count 6 operations for each).
    """

    def __init__(
        self,
        text: str,
        configs: Mapping[str, Config],
        question: str,
        *,
        x_axis: str = "parameters",
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
        card.needs_kernel = True  # a minute, or by the clock of the reader's own machine
        self.bars = LinePlot(
            labels=[*self._configs],
            names=["held-out text"],
            x_axis=x_axis,
            y_axis="bits a byte",
            unit="",
            bars=True,
            y_min=None,
            stage="training",
            caption=f"Surprise at the tenth of the text that is never trained on, after {each}",
        )
        self.curves = LinePlot(
            x_axis="step" if steps else "billions of parameters × tokens",
            y_axis="bits a byte",
            unit="bits",
            log_x=steps is None,
            y_min=None,
            stage="training",
            caption="The same on the way, measured every 20 steps"
            + ("" if steps else ", against computing: the parameters times the tokens that were read"),
        )
        self.seed = seed_box(0)
        self.seed.observe(self._again, "value")
        card.observe(self._seen, "committed")
        self.children = (
            self.card,
            row(*self.buttons, self.seed, self.progress),
            self.told,
            self.bars,
            self.curves,
        )
        self._clear()

    @property
    def best(self) -> str | None:
        """The least surprised; None until all are done."""
        done = len(self.held_out) == len(self._configs)
        return min(self.held_out, key=self.held_out.get) if done else None

    def _clear(self) -> None:
        """Nothing is trained: a card is never open beside what another seed, or a part of the work, gave."""
        self.held_out, self._lines, self._sentences = {}, {}, []
        self._show(False)

    def _show(self, shown: bool) -> None:
        self.bars.layout.display = "" if shown and self.held_out else "none"
        self.curves.layout.display = "" if shown and self._lines else "none"
        self.told.say(*(self._sentences if shown else ()))

    @one_at_a_time
    def _again(self, _change=None) -> None:
        """Another seed is another question."""
        self._known = False
        self.stop()
        self._clear()
        self.card.tell(None)
        self.card.ask_again()

    @one_at_a_time
    def _seen(self, change) -> None:
        if self._known:
            self._show(change["new"])

    def work(self) -> Iterator[float]:
        self._clear()
        try:
            yield from self._each()
        finally:
            if not self._known:
                done = len(self.held_out)
                self._clear()
                self.told.say(
                    f"Stopped after {done} of {len(self._configs)} models. The question is open again."
                )

    def _each(self) -> Iterator[float]:
        per_nat, n = None, len(self._configs)
        limit = self._budget["steps"] or self._budget["seconds"]
        for number, (name, config) in enumerate(self._configs.items()):
            last, points = None, []
            for last in training.pretrain(self._text, config, seed=self.seed.value, **self._budget):
                if per_nat is None:
                    per_nat = bits_a_byte(last.model, self._text)
                if last.step and last.step % training.MEASURE_EVERY == 0:
                    points.append(last.held_out * per_nat)
                    self._lines[name] = points
                    self._draw_curves()
                done = last.step if self._budget["steps"] else last.seconds
                yield (number + min(1, done / limit)) / n
            self.held_out[name] = last.held_out * per_nat
            self._sentences.append(self._sentence(name, last, per_nat))
            self.bars.change(values=[[self.held_out.get(one, np.nan) for one in self._configs]])
            self._show(True)
            yield (number + 1) / n
        self.tell([*self._configs].index(self.best))

    def _draw_curves(self) -> None:
        at = {name: self._places(name, len(points)) for name, points in self._lines.items()}
        x = np.unique(np.concatenate([[0.0] if self.curves.log_x else [], *at.values()]))
        values = [
            np.interp(x, at[name], points, left=np.nan, right=np.nan) for name, points in self._lines.items()
        ]
        self.curves.change(x=x, values=np.array(values), names=[*self._lines])
        self.curves.layout.display = ""

    def _places(self, name: str, n: int) -> np.ndarray:
        """Where a line's n measurements stand on the axis."""
        steps = training.MEASURE_EVERY * np.arange(1.0, n + 1)
        if not self.curves.log_x:
            return steps
        return 1e-9 * steps * training.TOKENS_A_STEP * self._configs[name].n_parameters

    def _sentence(self, name: str, last: Progress, per_nat: float) -> str:
        model = last.model
        tokens = model.tokenizer.encode(self._start)
        written = [step.token for step in model.generate(tokens, N_WRITTEN, Sampler(temperature=0.7), seed=1)]
        ms = 1000 * last.seconds / max(1, last.step)
        count = f"{model.config.n_parameters:,}"
        size = "" if name == count else f"{count} parameters, "
        return (
            f"{name}: {size}{last.step:,} steps of {ms:.0f} ms. Surprise {last.held_out * per_nat:.2f} bits a byte on "
            f"the held-out text, {last.loss * per_nat:.2f} on its last step's. It writes: "
            f"“{clean(model.tokenizer.decode([*tokens, *written]))}”"
        )
