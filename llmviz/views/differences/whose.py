"""Two models, one start: which text is whose?"""

from __future__ import annotations

import ipywidgets
import numpy as np

from llmviz.experiments.learning import write_tokens
from llmviz.experiments.text_statistics import surprise_of
from llmviz.views.differences.learner import Learner
from llmviz.views.kit.controls import Told, button, row, seed_box
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import clean, legible
from llmviz.views.kit.predict import Question
from llmviz.views.kit.token_strip import TokenStrip


class WhichIsWhose(Explorer):
    """Two trained models write on from one start. The reader says which text is whose; then both models read both.

    `surprise` is [2 texts, 2 models] in bits a byte, and `lead` [2 texts] how much less it is for the writer, after
    the guess.
    """

    def __init__(self, one: Learner, other: Learner, *, start: str = "The"):
        self.learners = (one, other)
        self.start = ipywidgets.Text(
            start,
            description="Both go on from",
            style={"description_width": "initial"},
            layout={"width": "min(460px, 98%)"},
        )
        self.seed, self.go = seed_box(), button("let both write", look="primary")
        self.told, self.texts, self.found = Told(), Told(), Told()
        self.card = Question("", ["the first text", "the second text"], answer=None, stage="training")
        self.strips = [
            [TokenStrip([], stage="training", quantity="probability") for _ in range(2)] for _ in range(2)
        ]
        self.read = ipywidgets.VBox([*self.strips[0], *self.strips[1], self.found])
        super().__init__([row(self.start, self.seed, self.go), self.told, self.texts, self.card, self.read])
        self._hide()
        self.go.on_click(self.write)
        self.card.observe(self._reveal, "committed")

    def _hide(self) -> None:
        self.card.layout.display = self.read.layout.display = "none"
        self.texts.say()

    @one_at_a_time
    def write(self, _button=None) -> None:
        """Let both write. Their order is drawn by the seed as well."""
        self._hide()
        runs = [learner.trace for learner in self.learners]
        if None in runs:
            self.told.say("Train both models first.")
            return
        if not self.start.value:
            self.told.say("Type how both texts begin.")
            return
        self.told.say(
            *(
                f"Model {name} has had {run.last.step} of its {run.steps} steps."
                for name, run in zip("AB", runs)
                if not run.finished
            )
        )
        self.models, self.names = [run.model for run in runs], [run.name for run in runs]
        order = np.random.default_rng(self.seed.value).permutation(2).tolist()
        self.written = []  # of each text: who wrote it, and its tokens
        for who in order:
            self.written.append((who, write_tokens(self.models[who], self.start.value, self.seed.value)))
        lines = [self.models[who].tokenizer.decode(tokens) for who, tokens in self.written]
        told = [" ".join(legible(clean(line)).split()) for line in lines]
        self.texts.say(*(f"{name} text: {line}" for name, line in zip(("First", "Second"), told)))
        self.card.ask_again()
        self.card.ask(
            f"Which of the two was written by model A, which learned from: {self.names[0]}?",
            ["the first text", "the second text"],
            answer=order.index(0),
        )
        self.card.layout.display = ""

    def before_a_page(self) -> None:
        """Both have been trained by then."""
        self.write()

    @one_at_a_time
    def _reveal(self, _change=None) -> None:
        self.read.layout.display = "" if self.card.committed else "none"
        if not self.card.committed:
            return
        self.surprise = np.zeros((2, 2))
        for i, (who, own) in enumerate(self.written):
            text = self.models[who].tokenizer.decode(own)
            for j, model in enumerate(self.models):
                # The writer, too, reads it as its tokenizer cuts it: the tokens it drew may be odd ones.
                tokens = model.tokenizer.encode(text)[: model.config.n_ctx]
                bits, self.surprise[i, j] = surprise_of(model, tokens)
                reader = f"model {'AB'[j]}, which learned from: {self.names[j]}"
                self.strips[i][j].change(
                    pieces=model.tokenizer.pieces(tokens),
                    weights=np.concatenate([[np.nan], 2.0**-bits]),
                    notes=["the first token", *(f"{one:.1f} bits" for one in bits)],
                    caption=f"The {('first', 'second')[i]} text as {reader} reads it. Strong colour: expected",
                )
        self.lead = np.array([row[1 - who] - row[who] for row, (who, _) in zip(self.surprise, self.written)])
        self.found.say(
            *(
                f"The {name} text: {a:.2f} bits a byte to model A, {b:.2f} to model B. {led(lead)}"
                for name, (a, b), lead in zip(("first", "second"), self.surprise, self.lead)
            ),
            "Is that the text? Not all of it: two models of the same stories, with noise from another seed, also "
            "expect their own writing better, by a few tenths of a bit a byte. Only what goes beyond that comes from "
            "the text.",
        )


def led(lead: float) -> str:
    """How much less surprised a text's writer is than the other model, in words."""
    if abs(lead) < 0.005:
        return "Both are surprised alike."
    return f"Its writer is {'less' if lead > 0 else 'more'} surprised, by {abs(lead):.2f}."
