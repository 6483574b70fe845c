"""The same fine-tuning with one, two, four and eight examples."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import numpy as np

from llmviz import training
from llmviz.experiments import fine_tuning
from llmviz.views.differences.fine_tuning import ASKED, FineTuning, quiet_model
from llmviz.views.differences.guessed import Guessed
from llmviz.views.kit.controls import row
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.predict import Question

SIZES = (1, 2, 4, 8)
STEPS = 32


class HowMany(Guessed):
    """The first 1, 2, 4, 8 rows of a table of examples, as many steps each: what is said to untaught questions.

    `found` [2, 1 + sizes]: answers with a word of the list, and such that name what they are asked about, before the
    training and with each number of examples; NaN where it is not measured yet. `said`: the answers, a list for each.
    """

    def __init__(self, tuning: FineTuning, explain: str = ""):
        self.tuning, self._first = tuning, []
        card = Question(
            f"{STEPS} steps with one example only, the first of the table. Then {len(ASKED)} questions that are not in "
            "the table, such as “What is the moon?”: how many answers name what they are asked about (“moon”)?",
            answer=None,
            unit="answers",
            low=0,
            high=len(ASKED),
            whole=True,
            stage="training",
            explain=explain,
        )
        super().__init__(card, "Train with 1, 2, 4 and 8 examples")
        self.plot = LinePlot(
            names=["answers with a word of the list", "answers that name what they are asked about"],
            x_axis="examples",
            y_axis=f"of {len(ASKED)} answers",
            y_max=float(len(ASKED)),
            bars=True,
            stage="training",
            waiting="nothing trained yet",
        )
        self.plot.layout.display = "none"
        self.children = (self.card, row(self.buttons[0], self.progress), self.told, self.plot)
        self.watch(tuning, self._changed, "examples")

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.card, *self.buttons]  # minutes

    def _changed(self, _change=None) -> None:
        if self.tuning.examples[:1] != self._first:
            self.ask_anew()

    def clear(self) -> None:
        self.told.say()
        self.plot.layout.display = "none"

    def work(self) -> Iterator[float]:
        examples, model = self.tuning.examples, self.tuning.model
        sizes = [n for n in SIZES if n <= len(examples)]
        if not sizes:
            raise ValueError("the table of examples, in the first picture of this part, is empty")
        marks = self.tuning.listed()
        lesson = fine_tuning.conversations(examples)
        self.clear()
        self._first = examples[:1]
        self.found, self.said = np.full((2, 1 + len(sizes)), np.nan, np.float32), []
        self.plot.change(labels=["none", *map(str, sizes)], values=self.found)
        self.plot.layout.display = ""
        for k, n in enumerate([0, *sizes]):
            progress = None
            for progress in training.finetune(model, lesson[:n], steps=STEPS) if n else ():
                yield (k + 0.7 * progress.step / STEPS) / len(self.found[0])
            one = quiet_model(progress.model) if progress else model
            self.said.append([])
            for i, question in enumerate(ASKED):
                self.said[-1].append(fine_tuning.answer_text(one, question))
                yield (k + 0.7 + 0.3 * (i + 1) / len(ASKED)) / len(self.found[0])
            said = self.said[-1]
            self.found[:, k] = (
                sum(fine_tuning.has_one_of(text, marks) for text in said),
                sum(map(fine_tuning.is_about, said, ASKED)),
            )
            self.plot.change(values=self.found.copy())
        self.told.say(
            *(
                f"With {counted(n, 'example')}, {counted(len(set(said)), 'different answer')} to {len(ASKED)} "
                f"questions. The first one: “{said[0]}”"
                for n, said in zip(sizes, self.said[1:])
                if n in (1, sizes[-1])
            )
        )
        self.tell(int(self.found[1, 1]))


def counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
