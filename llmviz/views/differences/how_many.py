"""The same fine-tuning with one, two, four and eight examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmviz import training
from llmviz.views.differences import lessons
from llmviz.views.differences.fine_tuning import ASKED, FineTuning, quiet_model
from llmviz.views.differences.guessed import Guessed
from llmviz.views.kit.controls import row
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.predict import Question

SIZES = (1, 2, 4, 8)
STEPS = 32


class HowMany(Guessed):
    """The first 1, 2, 4, 8 rows of a table of examples, as many steps each: what is said to untaught questions.

    `found` [4, sizes], shares: answers with a word of the list, different ones, such that name what the question is
    about, and capitals that are named; NaN where a size is not measured yet. `said`: the answers, a list a size.
    """

    def __init__(self, tuning: FineTuning, explain: str = ""):
        self.tuning = tuning
        card = Question(
            f"{STEPS} steps with one example only, the first of the table. Then {len(ASKED)} questions that are not in "
            "the table: how many different answers?",
            answer=None,
            unit="answers",
            low=1,
            high=len(ASKED),
            stage="training",
            explain=explain,
        )
        super().__init__(card, "Train with 1, 2, 4 and 8 examples")
        self.plot = LinePlot(
            names=[
                "answers with a word of the list",
                "different answers",
                "about the question",
                "capitals named",
            ],
            x_axis="examples",
            x_ticks=list(map(float, SIZES)),
            log_x=True,
            unit="share",
            y_max=1.0,
            stage="training",
            waiting="nothing trained yet",
        )
        self.plot.layout.display = "none"
        self.children = (self.card, row(self.buttons[0], self.progress), self.told, self.plot)

    def work(self) -> Iterator[float]:
        examples, model = self.tuning.examples, self.tuning.model
        sizes = [n for n in SIZES if n <= len(examples)]
        if not sizes:
            raise ValueError("the table of examples, in the first picture of this sitting, is empty")
        marks = [mark.strip() for mark in self.tuning.marks.value.lower().split(",")]
        lesson = lessons.conversations(examples)
        self.found, self.said = np.full((4, len(sizes)), np.nan, np.float32), []
        self.plot.layout.display = ""
        for k, n in enumerate(sizes):
            for progress in training.finetune(model, lesson[:n], steps=STEPS):
                yield (k + 0.7 * progress.step / STEPS) / len(sizes)
            tuned = quiet_model(progress.model)
            self.said.append([])
            for i, question in enumerate(ASKED):
                self.said[-1].append(lessons.answer(tuned, question))
                yield (k + 0.7 + 0.15 * (i + 1) / len(ASKED)) / len(sizes)
            named = []
            for i, (country, city) in enumerate(lessons.CAPITALS.items()):
                named.append(city in lessons.answer(tuned, f"What is the capital of {country}?"))
                yield (k + 0.85 + 0.15 * (i + 1) / len(lessons.CAPITALS)) / len(sizes)
            said = self.said[-1]
            self.found[:, k] = (
                np.mean([lessons.has_one_of(text, marks) for text in said]),
                len(set(said)) / len(said),
                np.mean([lessons.is_about(text, question) for text, question in zip(said, ASKED)]),
                np.mean(named),
            )
            self.plot.change(x=np.array(sizes), values=self.found.copy())
        different = [len(set(said)) for said in self.said]
        self.told.say(
            f"After {STEPS} steps with one example: {counted(different[0], 'different answer')} to {len(ASKED)} "
            f"questions. The first one: “{self.said[0][0]}”",
            f"With {sizes[-1]}: {counted(different[-1], 'different answer')}. The first one: “{self.said[-1][0]}”",
        )
        self.tell(different[0])


def counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
