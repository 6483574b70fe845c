"""A card to keep: a question, and a model's answers before and after it was fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass

import traitlets

from llmviz.experiments import fine_tuning
from llmviz.experiments.fine_tuned import Lesson
from llmviz.model import Model
from llmviz.views.differences.after_tuning import NOTHING, AfterTuning
from llmviz.views.kit import controls
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.picture import Picture, Text
from llmviz.views.kit.pieces import legible
from llmviz.views.kit.state_fields import MAX_TYPED, picked, text
from llmviz.views.kit.view import NothingToShow, Scene, View, looks, part, sentences, shared

RULE = "it has the word that its question is about and a word from the list, and isn't a copy"


class AnswerCard(Picture):
    """A question, the answer `before` and the one `after` the training, and a line `about` the model.

    `after` is in parts: every second one, from the second on, is marked as one of the words of the style.
    """

    _static = "answer_card"
    _by_page = ()

    question = Text()
    before = Text()
    after = traitlets.List(Text()).tag(sync=True)
    learned = Text()  # how many examples came between the two answers
    about = Text()

    def text(self) -> str:
        """Return the title, then a line for everything on the card."""
        after = f"After learning from {self.learned}: {''.join(self.after)}"
        before = f"Before fine-tuning: {self.before}"
        return "\n".join([self.caption, f"Question: {self.question}", before, after, self.about])


def _answers(lesson: Lesson) -> dict[str, tuple[str, str]]:
    """Return the answers before and after, by question: to the reader's own, and to those that were not taught."""
    return {**lesson.own, **lesson.tuned.answers} if lesson.tuned else {}


def _offered(taken: str, view: View) -> str:
    return taken if taken in _answers(view.run) else ""


def _list(taken: str, view: View) -> dict:
    options = ("first by a rule", ""), *((legible(question), question) for question in _answers(view.run))
    return {"options": options, "value": _offered(taken, view)}


class CardToKeep(AfterTuning):
    """The best answer of a fine-tuned model, or the one that the reader takes, as a picture to save.

    source: a `BeforeAfter`, where the reader asks a question of their own.
    """

    @dataclass(frozen=True)
    class State:
        """The title, and the question of the answer that the reader takes; "" for the best."""

        title: str = text("My model", lambda value: controls.text_box(value, "Title:", "min(400px, 98%)"), 40)
        taken: str = picked(
            "",
            lambda value, _: isinstance(value, str) and len(value) <= MAX_TYPED,
            "a question, or an empty text",
            control=lambda value, _: controls.choice((("", ""),), "", "Answer:", "min(400px, 98%)"),
            on_page=lambda view: ["", *_answers(view.run)],
            means=_offered,
            shows=_list,
        )

    arrangement = (("title", "taken"), "message", "card")

    @shared
    def good(self, scene: Scene) -> list[str]:
        answers = {question: after for question, (_, after) in _answers(scene.run).items()}
        taught = [answer for _, answer in scene.tuned.examples]
        return fine_tuning.good_answers(answers, taught, scene.run.words)

    @looks("title")
    def title_box(self, scene: Scene) -> dict:
        return {"hidden": scene.run.tuned is None}

    @looks("taken")
    def list_of_answers(self, scene: Scene) -> dict:
        return {"hidden": scene.run.tuned is None}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        good, answers = scene.good, _answers(scene.run)
        best = "None has more words from the list than this one." if good else "Take one from the list."
        which = (
            f"The one you took is {'' if scene.taken in good else 'not '}among them." if scene.taken else best
        )
        return [
            f"An answer passes the rule if {RULE}.",
            "Your own question is about its longest word." * bool(scene.run.own),
            f"Answers that pass the rule: {len(good)} of {len(answers)}. {which}",
        ]

    @part(AnswerCard)
    def card(self, scene: Scene) -> dict:
        question = scene.taken or next(iter(scene.good), "")
        if not question:
            raise NothingToShow
        model, n = scene.tuned.before, amount(len(scene.tuned.examples), "examples")
        before, after = (_in_a_line(answer, model) for answer in _answers(scene.run)[question])
        seconds = amount(max(1, round(scene.tuned.progress.seconds)), "seconds")
        millions = amount(model.config.n_parameters / 1e6, "million parameters")
        return {
            "caption": scene.title,
            "question": question,
            "before": before,
            "after": fine_tuning.parted(after, scene.run.words),
            "learned": n,
            "about": f"A model with {millions} wrote both. It was fine-tuned on {n} in {seconds} on one computer.",
        }


def _in_a_line(answer: str, model: Model) -> str:
    """Return an answer without line breaks, with a sign where it was cut, or a remark where there is none."""
    is_cut = len(model.tokenizer.encode(answer)) >= fine_tuning.ANSWER
    return " ".join(answer.split()) + "…" * is_cut or NOTHING
