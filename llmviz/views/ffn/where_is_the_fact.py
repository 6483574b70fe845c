"""Where is the fact? Blocks switched off in turn."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from llmviz import experiments
from llmviz.model import Edits, Trace
from llmviz.views.ffn.prompt import AnsweredPrompt, show
from llmviz.views.kit.background import Experiment
from llmviz.views.kit.controls import Told, row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.picture import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import TextBox

BROKEN = 0.5  # nats of extra surprise on ordinary text, above which a part counts as needed for everything
LOST = 0.5  # of the answer's probability kept, below which the fact counts as lost
SURE = 0.5  # a probability below which half of it is lost easily

# The model knows most of these; how well is computed, and shown.
CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Greece": "Athens",
    "Portugal": "Lisbon",
    "Norway": "Oslo",
    "Egypt": "Cairo",
}
CONTROL = "She opened the door, sat down at the table and drank a cup of tea while the rain fell outside."


class WhereIsTheFact(Experiment):
    """Every FFN off in turn and every attention block: the answer's probability, and how much ordinary text suffers."""

    def __init__(self, prompt: AnsweredPrompt, control: str = CONTROL):
        super().__init__("Run on your text", "Run on ten countries")
        self._prompt = prompt
        model = prompt.language_model
        self.control = TextBox(model, control, label="A text without the fact, for comparison", live=False)
        n = model.config.n_layers
        rows = ["FFN off", "attention off"]
        blank = np.full((2, n), np.nan)
        shared = {"row_axis": "switched off", "col_axis": "layer", "stage": "ffn"}
        self.fact = HeatMap(blank, rows, range(n), kind="prob", caption="The answer's probability", **shared)
        self.loss = HeatMap(
            blank,
            rows,
            range(n),
            kind="signed",
            quantity="extra surprise",
            limit=3.0,
            caption="Extra surprise on the text without the fact (nats a token; 0: nothing lost)",
            **shared,
        )
        names = list(CAPITALS)
        many = np.full((len(names), n), np.nan)
        self.countries = [
            HeatMap(
                many,
                names,
                range(n),
                kind="prob",
                row_axis="capital of",
                col_axis=f"layer whose {part} is off",
                stage="ffn",
                caption=f"{part} off: probability of the capital (beside the name: with the whole model)",
            )
            for part in ("FFN", "attention")
        ]
        self.told_many = Told()
        show(False, *self.countries)
        for button, work in zip(self.buttons, (self.work, self.work_countries)):
            button.on_click(lambda button, work=work: self.start(work(), button))
        self.children = (
            self.control,
            row(*self.buttons, self.progress),
            self.fact,
            self.loss,
            self.told,
            *self.countries,
            self.told_many,
        )
        prompt.lead(self, self._new_text)

    def _new_text(self) -> None:
        self.stop()
        whole = experiments.probability(self._prompt.trace, self._prompt.answer)
        blank = np.full(self.fact.values.shape, np.nan)
        self.fact.change(
            values=blank,
            caption=f"Probability of {self._prompt.piece} with one block off (whole model: {percent(whole)})",
        )
        self.loss.change(values=blank)
        show(False, self.fact, self.loss)
        self.told.say("Press a button: each block is switched off in turn.")

    def work(self) -> Iterator[float]:
        """The text's fact, then the control, under each of the edits."""
        model, answer, tokens = self._prompt.language_model, self._prompt.answer, self._prompt.trace.tokens
        fact, loss = (np.full(self.fact.values.shape, np.nan, np.float32) for _ in range(2))
        said: dict[tuple[str, int], int] = {}  # what comes first with a block off
        first: list[int] = []

        def keeps(trace: Trace) -> float:
            first[:] = [int(trace.logits.argmax())]
            return experiments.probability(trace, answer)

        jobs = [(self.fact, fact, tokens, keeps, 0.0)]
        if len(self.control.tokens) > 1:
            usual = experiments.loss(model.trace(self.control.tokens))
            jobs.append((self.loss, loss, self.control.tokens, experiments.loss, usual))
        done = 0
        for picture, values, ids, measure, base in jobs:
            show(True, picture)
            for part, layer, value in experiments.each_off(model, ids, measure):
                values[experiments.PARTS.index(part), layer] = value - base
                if first:
                    said[part, layer] = first.pop()
                done += 1
                if part == experiments.PARTS[-1] and layer % 3 == 2:
                    picture.values = values
                yield done / (values.size * len(jobs))
            picture.values = values
        self.told.say(*verdict(self._prompt, fact, loss, said))

    def work_countries(self) -> Iterator[float]:
        """The probability of each country's capital, with each block off in turn."""
        model = self._prompt.language_model
        left = np.full((2, len(CAPITALS), model.config.n_layers), np.nan, np.float32)
        names, unknown, done = list(CAPITALS), [], 0
        whole_model = np.zeros(len(CAPITALS))
        show(True, *self.countries)
        for at, (country, capital) in enumerate(CAPITALS.items()):
            tokens, answer = (
                model.tokens_of(f"The capital of {country} is"),
                model.tokens_of(f" {capital}")[0],
            )
            whole = model.trace(tokens)
            whole_model[at] = experiments.probability(whole, answer)
            names[at] = f"{country}, {percent(whole_model[at])}"
            if int(whole.logits.argmax()) != answer:
                unknown.append(country)
            measure = functools.partial(experiments.probability, token=answer)
            for part, layer, value in experiments.each_off(model, tokens, measure):
                left[experiments.PARTS.index(part), at, layer] = value
                done += 1
                yield done / left.size
            for picture, values in zip(self.countries, left):
                picture.change(values=values, row_labels=names)
        but = f" (not for {', '.join(unknown)})" if unknown else ""
        self.told_many.say(
            f"The whole model puts the right capital first for {len(CAPITALS) - len(unknown)} of {len(CAPITALS)} "
            f"countries{but}; how likely it is there, stands beside the name.",
            *common(list(CAPITALS), whole_model, left),
        )


def verdict(
    prompt: AnsweredPrompt, fact: np.ndarray, extra: np.ndarray, said: dict[tuple[str, int], int]
) -> list[str]:
    """What one may say from the answer's probability [2, n_layers] and the control's extra surprise [2, n_layers].

    said: the token that comes first with a part of a layer off.
    """
    whole = experiments.probability(prompt.trace, prompt.answer)
    lost = ~(fact >= LOST * whole)  # an overflow loses it as well
    names = ("FFN", "attention block")
    if np.isnan(extra).all():
        return [
            f"{prompt.piece} loses more than half without the {name} of {listed(gone)}."
            for name, gone in zip(names, lost)
        ]
    told = [
        f"Without one {name}, {prompt.piece} loses more than half of its probability in {int(gone.sum())} of "
        f"{gone.size} layers. Ordinary text breaks as well (so it says nothing about the fact): "
        f"{listed(gone & broken)}. Ordinary text suffers less than {BROKEN} nats: {listed(gone & ~broken)}."
        for name, gone, broken in zip(names, lost, ~(extra < BROKEN))
    ]
    alone = [(int(row), int(layer)) for row, layer in np.argwhere(lost & (extra < BROKEN))]
    if not alone:
        return [*told, "No single block is needed for the answer alone."]
    instead: dict[int, list[str]] = {}
    for part, at in alone:
        if (token := said.get((experiments.PARTS[part], at))) is not None:  # None where the numbers overflow
            instead.setdefault(token, []).append(f"{'FFN' if part == 0 else 'attention'} {at}")
    pieces = prompt.language_model.tokenizer.pieces(list(instead))
    firsts = [
        f"{quote(piece)}{' still' if token == prompt.answer else ''} ({', '.join(blocks)})"
        for piece, (token, blocks) in zip(pieces, instead.items())
    ]
    told.append(f"What comes first when such a block is off: {'; '.join(firsts)}.")
    if whole < SURE:
        meaning = (
            f"But the whole model gives {prompt.piece} only {percent(whole)}, and so unsure a guess falls easily, "
            "fact or not: where it is kept cannot be said from this text."
        )
    elif len(alone) > 1:
        meaning = "So it is not in one place."
    else:
        meaning = (
            "So here one place stands out; that it is needed does not say that the answer is kept there."
        )
    told.append(
        f"Single blocks that matter much more to the answer than to the other text: {len(alone)}. {meaning}"
    )
    return told


def common(names: list[str], whole: np.ndarray, left: np.ndarray) -> list[str]:
    """Which layers all countries need, and which none does; counted where the model is sure.

    whole [countries]: the probability with the whole model; left [2, countries, n_layers]: with one block off.
    """
    sure = whole >= SURE
    if not sure.any():
        return [f"It is sure of none (at least {100 * SURE:.0f} %), so nothing is counted."]
    lost = ~(left[:, sure] >= LOST * whole[sure, None])
    counted = ", ".join(name for name, yes in zip(names, sure) if yes)
    return [
        f"It is sure (at least {100 * SURE:.0f} %) of {int(sure.sum())}: {counted}. Only these are counted here.",
        *(
            f"All of them lose more than half without the {name} of {listed(gone.all(axis=0))}; "
            f"none does without that of {listed(~gone.any(axis=0))}."
            for name, gone in zip(("FFN", "attention block"), lost)
        ),
    ]


def listed(layers: np.ndarray) -> str:
    """ "layers 0 to 4, 7", from a row of yes and no."""
    found = np.flatnonzero(layers)
    if not found.size:
        return "no layer"
    runs = np.split(found, np.flatnonzero(np.diff(found) > 1) + 1)
    named = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"layer{'s' if found.size > 1 else ''} {', '.join(named)}"


def n_needed(trace: Trace, token: int) -> int:
    """How many FFNs, each off alone, cost a token more than half of its probability."""
    whole = experiments.probability(trace, token)
    runs = (trace.model.trace(trace.tokens, Edits(ffn={layer: 0.0})) for layer in range(len(trace.blocks)))
    return sum(experiments.probability(run, token) < LOST * whole for run in runs)
