"""Small models of several sizes, trained on one text for the same time, or for the same number of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ipywidgets
import numpy as np

from llmviz import training
from llmviz.experiments.small_models import AGAIN, bits_a_byte
from llmviz.sampling import Sampler
from llmviz.training import Progress
from llmviz.views.differences.guessed import Guessed
from llmviz.views.kit.controls import row, seed_box
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.predict import Question, within
from llmviz.weights import Config

N_WRITTEN = 24  # tokens
TIED = 0.03  # bits a byte: a lead that another seed turns round


class Sizes(Guessed):
    """First a guess, then models of several sizes from noise, on one text: which is least surprised by the rest of it?

    Give `seconds` (of work, for each): a line over the sizes for each number of seconds; every point is a training of
    its own, whose learning rate falls over just that time. Or give `steps`: a bar for each size, and the lines on the
    way; with `against`, a name of configs, both show the difference from it. `held_out` has the surprise of each that
    is done, in bits a byte, by (budget, name).
    """

    def __init__(
        self,
        text: str,
        configs: Mapping[str, Config],
        question: str,
        *,
        x_axis: str = "parameters",
        start: str = "The ",
        seconds: tuple[float, ...] = (2, 12),
        steps: int | None = None,
        against: str = "",
        explain: str = "",
    ):
        self._text, self._configs, self._start = text, dict(configs), start
        self._steps, self._against = steps, against
        self._budgets = {f"{steps:,} steps": steps} if steps else {f"{s:g} seconds": s for s in seconds}
        n, each = len(self._configs), " and ".join(self._budgets)
        card = Question(question, [*self._configs], answer=None, explain=explain, stage="training")
        super().__init__(card, f"Train {n} models, {each} each")
        y_axis = f"bits a byte more than {against}" if against else "bits a byte"
        self.bars = LinePlot(
            labels=[*self._configs],
            names=[*self._budgets],
            x_axis=x_axis,
            y_axis=y_axis,
            unit="",
            bars=steps is not None,
            y_min=0.0 if steps else None,
            stage="training",
            caption=f"Surprise at the tenth of the text that is never trained on, after {each}",
        )
        self.curves = LinePlot(
            x_axis="step",
            y_axis=y_axis,
            unit="bits",
            y_min=None,
            stage="training",
            caption=f"The same on the way, measured every {training.MEASURE_EVERY} steps",
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
        """The least surprised in the last budget; None until all are done."""
        if len(self.held_out) < len(self._budgets) * len(self._configs):
            return None
        return [*self._configs][self._least([*self._budgets][-1])[0]]

    def _least(self, budget: str) -> tuple[int, ...]:
        """The indices of the least surprised, and of those that are tied with it."""
        return within([-self.held_out[budget, name] for name in self._configs], TIED)

    def _clear(self) -> None:
        """Nothing is trained: a card is never open beside what another seed, or a part of the work, gave."""
        self.held_out, self._lines, self._sentences = {}, {}, []
        self._show(False)

    def _show(self, shown: bool) -> None:
        self.bars.layout.display = "" if shown and self.held_out else "none"
        self.curves.layout.display = "" if shown and self._lines else "none"
        self.told.say(*(self._sentences if shown else ()))

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.card, *self.buttons]  # a minute, or by the clock of the reader's own machine

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
                done, n = len(self.held_out), len(self._budgets) * len(self._configs)
                self._clear()
                self.told.say(f"Stopped after {done} of {n} trainings. The question is open again.")

    def _each(self) -> Iterator[float]:
        per_nat, worked = None, 0.0
        total = len(self._configs) * sum(self._budgets.values())
        for budget, limit in self._budgets.items():
            for name, config in self._configs.items():
                how = {
                    "seed": self.seed.value + 4 * (name == AGAIN),
                    "steps" if self._steps else "seconds": limit,
                }
                points = self._lines.setdefault(name, {}) if self._steps else {}
                for last in training.pretrain(self._text, config, **how):
                    if per_nat is None:
                        per_nat = bits_a_byte(last.model, self._text)
                    if last.step and (last.step % training.MEASURE_EVERY == 0 or last.step == self._steps):
                        points[last.step] = last.held_out * per_nat
                        self._draw_curves()
                    yield (worked + min(limit, last.step if self._steps else last.seconds)) / total
                worked += limit
                self.held_out[budget, name] = last.held_out * per_nat
                self._sentences = [*self._sentences, self._sentence(name, last, per_nat)][
                    -len(self._configs) :
                ]
                self._draw_bars()
                self._show(True)
                yield worked / total
        if len(self._budgets) > 1:
            found = "; ".join(
                f"in {budget} each, {' and '.join([*self._configs][i] for i in self._least(budget))}"
                for budget in self._budgets
            )
            self._sentences.append(f"Least surprised: {found}.")
            self._show(True)
        self.tell(self._least(budget))

    def _draw_bars(self) -> None:
        values = np.array(
            [[self.held_out.get((b, name), np.nan) for name in self._configs] for b in self._budgets]
        )
        if self._against:
            values = np.round(values - values[:, [[*self._configs].index(self._against)]], 3)
        self.bars.change(values=values)

    def _draw_curves(self) -> None:
        names = [name for name in self._lines if name != self._against]  # that one would be the axis
        if not self._steps or not names:
            return
        x = max(self._lines.values(), key=len)
        zero = self._lines.get(self._against, dict.fromkeys(x, 0.0))
        values = [[self._lines[name].get(step, np.nan) - zero[step] for step in x] for name in names]
        self.curves.change(x=np.array([*x], float), values=np.array(values), names=names)
        self.curves.layout.display = ""

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
