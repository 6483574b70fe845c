"""A small model in training: its two losses, and a sentence that it writes again and again."""

from __future__ import annotations

import functools
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ipywidgets
import numpy as np
import traitlets

from llmviz import texts, training
from llmviz.experiments.learning import SMALL, split_held_out, write_tokens
from llmviz.experiments.text_statistics import REPEATED, counting_pairs, longest_copy, split_by_repeats
from llmviz.model import Model
from llmviz.training import Progress
from llmviz.views.differences.guessed import only_training
from llmviz.views.kit.background import Background, Steps
from llmviz.views.kit.controls import Told, button, choice, row, seed_box
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import clean, legible
from llmviz.views.kit.token_strip import TokenStrip

OWN = "a text of your own"
LONGEST = 500_000  # letters of a text
STEPS = 600
KEPT = (0, 10, 20, 40, 80, 160, 320, 640)  # steps whose models are kept, beside the last one
N_STRETCHES = 5  # of the held-out text, looked for in the rest of it
BEGINS, GOES_ON = "Learning the vocabulary …", "Going on …"  # until the first step is done
BITS = 1 / math.log(2)  # of a nat
PATH = re.compile(
    r"(/|~|\.{1,2}/|[A-Za-z]:[\\/]).*|\S+\.(txt|md|py)"
)  # what was meant as one, though no file is there


@dataclass(frozen=True)
class Read:
    """A text to learn from, and a sentence where something was left out or is amiss."""

    text: str
    told: str = ""


def read(name: str, typed: str = "", letters: int | None = None) -> Read:
    """A text by its name, or what somebody typed: the path of a file, or the text itself.

    In a class what is typed is text alone: a visitor has no business with the teacher's files.
    """
    if name != OWN:
        try:
            return Read(texts.read(name)[:letters])
        except FileNotFoundError as error:  # a Python without its manual, say
            return Read("", f"{error}")
    typed, told = typed.strip(), ""
    if not typed:
        return Read("", "Paste a text, or write the path of a file.")
    if len(typed) < 500 and "\n" not in typed and not os.environ.get("LLMVIZ_CLASS"):
        try:
            path = Path(typed).expanduser()
            if path.is_file():
                with path.open("rb") as file:
                    typed = file.read(4 * LONGEST).decode("utf-8", "ignore")
                if "\0" in typed:
                    return Read("", "That file is no plain text.")
            elif PATH.fullmatch(typed):
                return Read("", f"There is no file at {typed}.")
        except (OSError, ValueError, RuntimeError) as error:  # a text may be no possible name of a file
            if PATH.fullmatch(typed):
                return Read("", f"That file cannot be read: {error}")
    typed = typed.encode(errors="replace").decode()  # half a character is no byte
    if len(typed) > LONGEST:
        told = f"Of {len(typed):,} letters the first {LONGEST:,} are used."
    return Read(typed[:LONGEST][:letters], told)


@functools.lru_cache(maxsize=4)
def untrained(name: str) -> Progress:
    """Where the training on one of the texts begins: its vocabulary is learned, all parameters are noise."""
    return next(training.pretrain(read(name).text, SMALL, steps=1))


def _pretrain(text: str, steps: int, seed: int) -> Iterator[Progress]:
    """From noise; the vocabulary is learned when the first of it is taken."""
    yield from training.pretrain(text, SMALL, steps=steps, seed=seed)


class Learner(Explorer):
    """Train a small model on a text: `train`, `pause`, `go on`, `stop`.

    `kept` are the `Progress` snapshots so far: of some steps (more of them early), and the last. Whatever opens the
    model follows that trait. letters: learn from the start of the text only. control: another learner, whose curve is
    drawn beside.
    """

    kept = traitlets.Tuple()
    finished = traitlets.Bool(False)  # the training was done to its end

    def __init__(
        self,
        text: str = "bedtime stories",
        *,
        start: str = "Once upon a time",
        letters: int | None = None,
        steps: int = STEPS,
        control: Learner | None = None,
    ):
        self.letters, self.steps, self._training, self._name = letters, steps, None, text
        self.control, self._points, self._counted = control, [], math.nan
        self.source, self.learned = Read(""), ""  # `learned`: the part that is not held out
        self.text = choice([*texts.NAMES, OWN], text, "Text to learn from", "min(380px, 98%)")
        self.own = ipywidgets.Textarea(
            rows=4,
            placeholder="Paste a text, some 100,000 letters of it, or write the path of a file",
            layout={"width": "min(900px, 98%)", "display": "none"},
        )
        self.start = ipywidgets.Text(
            start,
            description="The sentence begins with",
            style={"description_width": "initial"},
            layout={"width": "min(500px, 98%)"},
        )
        self.seed = seed_box(0)
        self.train, self.end = button("train", look="primary"), button("stop")
        self.end.disabled = True
        self.progress = ipywidgets.FloatProgress(0, min=0, max=1, layout={"width": "min(300px, 60%)"})
        self.told = Told()
        self.curves = LinePlot(
            names=["training text", "held-out text", "counting pairs"],
            x_axis="step",
            y_axis="bits a token",
            unit="bits",
            y_max=math.log2(SMALL.n_vocab),
            stage="training",
            caption="Surprise (loss): of the text it learns from, and of the last tenth, which it never learns from",
            waiting="press “train”",
        )
        if control is not None:
            self.curves.names = [*self.curves.names, "the first model: held-out text"]
        self.sentence = TokenStrip([], stage="training", caption="What it writes now")
        self.result = Told()
        self.history = Told()
        super().__init__(
            [
                row(self.text, self.start),
                self.own,
                row(self.train, self.end, self.progress, self.seed),
                self.told,
                self.sentence,
                self.curves,
                self.result,
                self.history,
            ]
        )
        self._work = Background(self)
        self.before_closing(self.stop)
        self.train.on_click(self._pressed)
        self.end.on_click(self.stop)
        self.text.observe(self._own_text, "value")
        self.start.observe(self._other_start, "value")
        self._own_text()
        if control is not None:
            self.watch(control, self._other_kept, "kept")

    @property
    def model(self) -> Model | None:
        """The model as it is now; None before the first training."""
        return self.kept[-1].model if self.kept else None

    @property
    def name(self) -> str:
        """What the text that it learned from is called."""
        return self._name

    @one_at_a_time
    def _own_text(self, _change=None) -> None:
        self.own.layout.display = "" if self.text.value == OWN else "none"

    @one_at_a_time
    def _pressed(self, _button=None) -> None:
        if self._work.busy:
            self.pause()
        else:
            self.go_on()

    @one_at_a_time
    def go_on(self) -> None:
        """Begin from noise, or go on where it was paused; a training elsewhere on the page pauses."""
        only_training(self.pause)
        if self._training is None:
            source = read(self.text.value, self.own.value, self.letters)
            if not source.text:
                self.told.say(source.told, self._as_it_was())
                return
            self._coming = self.text.value, source
            self._training = _pretrain(source.text, self.steps, self.seed.value)
            self.told.say(BEGINS, source.told)
        else:
            self.told.say(GOES_ON, self._coming[1].told)
        self._name_buttons("pause")
        self._work.start(self._steps(self._training))

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.train]

    def before_a_page(self) -> None:
        """A page without a kernel shows a training that was done when it was built."""
        self.go_on()
        self.told.say("This training was done when the page was built.", *self.told.sentences)

    @one_at_a_time
    def pause(self) -> None:
        """Hold it; `go_on` goes on."""
        if self._work.stop():
            self._stands_still("Paused.", "go on")

    @one_at_a_time
    def stop(self, _button=None) -> None:
        """End it. What is trained by then stays."""
        self._training = None
        self._work.stop()
        self._stands_still("Stopped.", "train")

    def leave(self) -> None:
        """Its cell runs again: the training ends, even where another picture still follows it."""
        self.stop()
        super().leave()

    def _stands_still(self, how: str, next_press: str) -> None:
        """Said even where it had not come to its first step."""
        self._name_buttons(next_press)
        going = (BEGINS, GOES_ON, "Paused.")
        self.told.say(*(how if said in going else said for said in self.told.sentences))

    def _name_buttons(self, next_press: str) -> None:
        self.train.description, self.end.disabled = next_press, next_press == "train"

    def _as_it_was(self) -> str:
        return "The trained model stays as it was." if self.kept else ""

    def _begin(self) -> None:
        """The text serves: only now the model before makes room."""
        self._name, self.source = self._coming
        self._points, self._losses, self._lines = [], [], {}
        self.result.say()
        self.learned, _ = split_held_out(self.source.text)
        self.kept, self.finished = (), False

    @property
    def held_out(self) -> str:
        """The part of the text that it is measured on and never learns from."""
        return self.source.text[len(self.learned) :]

    def _steps(self, steps: Iterator[Progress]) -> Steps:
        latest, shown, done = None, 0.0, False
        try:
            yield 0.05  # the page says so first
            for latest in steps:
                if latest.step == 0:
                    self._begin()
                    self._counted = float(counting_pairs(latest.model, self.learned, self.held_out).mean())
                self._note(latest)
                if time.perf_counter() - shown > 0.5:
                    self._show(latest)
                    shown = time.perf_counter()
                yield 0.001
            self._training, done = None, True
        except (ValueError, FloatingPointError) as error:
            said = f"{error}"[:1].upper() + f"{error}"[1:]
            self.told.say(f"{said}.".replace("..", "."), "" if latest else self._as_it_was())
            self._training = latest = None
        finally:
            if latest is not None:  # paused, stopped or done: a model to look at
                self._keep(latest)
                self._show(latest, "" if done else "Paused." if self._training else "Stopped.")
                self.result.say(*self._compared(), *self._repeats(), *self._copied())
                self.finished = done
            self._name_buttons("go on" if self._training else "train")

    def _note(self, now: Progress) -> None:
        """A point of both curves where the held-out text is measured; the training text's is a mean of five steps."""
        now.model.recent.max_bytes = 0
        self._losses.append(now.loss)
        if now.step % training.MEASURE_EVERY == 0:
            self._points.append((now.step, np.mean(self._losses[-5:]) * BITS, now.held_out * BITS))
            self._draw_curves()
        if now.step in KEPT:
            self._keep(now)

    def _draw_curves(self) -> None:
        x, *values = np.array(self._points).T
        values.append(np.full(len(x), self._counted))
        if self.control is not None:
            other = {step: held_out for step, _, held_out in self.control._points}
            values.append(np.array([other.get(step, math.nan) for step in x]))
        self.curves.change(x=x, values=np.stack(values))

    @one_at_a_time
    def _other_kept(self, _change=None) -> None:
        """The control has gone on."""
        if self._points:
            self._draw_curves()
            if not self._work.busy:
                self.result.say(*self._compared(), *self.result.sentences[1:])

    def _keep(self, now: Progress) -> None:
        """Beside those of the steps in KEPT only the last one stays."""
        self.kept = (*(one for one in self.kept if one.step in KEPT and one.step != now.step), now)
        self._tell_history()

    def _show(self, now: Progress, *more: str) -> None:
        self.progress.value = now.step / self.steps
        at = f"Step {now.step} of {self.steps}, after {now.seconds:.0f} s of work."
        self.told.say(at, *more, self.source.told)
        self._draw(now.model)

    def _draw(self, model: Model) -> None:
        tokens = write_tokens(model, self.start.value) if self.start.value else []
        self.sentence.change(pieces=model.tokenizer.pieces(tokens))

    @one_at_a_time
    def _other_start(self, _change=None) -> None:
        self._lines = {}
        if self.kept:
            self._tell_history()
            self._draw(self.model)

    def _tell_history(self) -> None:
        """The sentence of each step that is kept, by the same draws."""
        if not self.start.value:
            self.history.say("Type how the sentence begins.")
            return
        for one in self.kept:
            if one.step not in self._lines:
                written = one.model.tokenizer.decode(write_tokens(one.model, self.start.value))
                self._lines[one.step] = " ".join(legible(clean(written)).split())
        self.history.say(*(f"step {one.step}: {self._lines[one.step]}" for one in self.kept))

    def _compared(self) -> list[str]:
        """Both losses at the end, and the control's at the same step."""
        step, learned, held_out = self._points[-1]
        if self.control is None:
            return [
                f"Counting pairs of tokens leaves {self._counted:.2f} bits of the held-out text; the model, after step "
                f"{step}, {held_out:.2f}. The training text: {learned:.2f}."
            ]
        said = f"Step {step}: {learned:.2f} bits a token of the training text, {held_out:.2f} of the held-out text."
        others = [point for point in self.control._points if point[0] == step]
        if not others:
            return [f"{said} The control comes with the first model: train it, too."]
        own, other = (one.tokens_a_byte() for one in (self, self.control))
        return [
            f"{said} The first model at that step: {others[0][1]:.2f} and {others[0][2]:.2f}. (Its tokens and held-out "
            f"text differ; of a byte of held-out text: {own * held_out:.2f} bits here, {other * others[0][2]:.2f} "
            "there.)"
        ]

    def tokens_a_byte(self) -> float:
        """How many tokens the model makes of a byte of the held-out text."""
        return len(self.model.tokenizer.encode(self.held_out)) / len(self.held_out.encode())

    def _repeats(self) -> list[str]:
        """How much of the held-out text is a repetition, and what that does to the surprise."""
        share, bits = split_by_repeats(self.model, self.learned, self.held_out)
        if not 0 < share < 1:
            return [
                f"Of the held-out text {'all' if share else 'nothing'} is in the training text word for word."
            ]
        (here, elsewhere), (counted_here, counted_elsewhere) = bits
        return [
            f"The text repeats itself: {percent(share)} of the held-out tokens are inside stretches of {REPEATED} "
            f"letters or more that the training text has word for word. Surprise there {here:.2f} bits (counting "
            f"pairs: {counted_here:.2f}), at the others {elsewhere:.2f} ({counted_elsewhere:.2f})."
        ]

    def _copied(self) -> list[str]:
        """What of its writing stands in what it learned from, beside stretches as long of the text that is held out."""
        model, held_out = self.model, self.held_out
        written = model.tokenizer.decode(write_tokens(model, "\n", n=100))[1:]
        longest = longest_copy(written, self.learned)
        starts = np.linspace(0, max(0, len(held_out) - len(written)), N_STRETCHES).astype(int)
        control = sorted(len(longest_copy(held_out[i : i + len(written)], self.learned)) for i in starts)
        return [
            f"Does it copy? Another text, which it wrote from an empty line, has {len(written)} letters. The longest "
            f"stretch of it that its training text has word for word has {len(longest)}; of {N_STRETCHES} held-out "
            f"stretches as long, {control[0]} to {control[-1]}.",
            f"That stretch: “{' '.join(legible(clean(longest)).split())}”",
        ]
