"""The switchboard: any part of the model off, and what that does to its guess and to what it writes."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import traitlets

from llmviz.experiments import likeliest_after
from llmviz.model import Config, Edits, Model, Trace
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.kit.background import Background, Steps, write_into
from llmviz.views.kit.controls import Told, button, choice, row, wide
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, Picture, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.predict import Question
from llmviz.views.kit.text_box import Prompt, as_prompt
from llmviz.views.kit.token_strip import TokenStrip

N_WRITTEN = 20

# The knobs of `Edits` that hold in every layer: their name for people, and what the part is for.
PARTS = {
    "rope": (
        "RoPE",
        "RoPE turns queries and keys by their position, so that a score depends on how far apart two tokens stand.",
    ),
    "causal_mask": (
        "causal mask",
        "The mask hides later tokens from earlier ones, in every layer.",
    ),
    "score_scale": (
        "÷ √d",
        "The scores are divided by √d_head before softmax makes shares of them.",
    ),
    "norm": (
        "norms",
        "RMSNorm brings what each block reads to one length.",
    ),
    "residual": (
        "residual",
        "Each block adds to the columns. Without that, what it says takes their place.",
    ),
}

# The same for what single layers have, by row of the grid: heads, the whole attention block, the FFN.
SINGLE = {
    "head": "A head is one of several ways in which a layer looks back.",
    "attention": "In an attention block a token takes something from the tokens before it.",
    "FFN": "In an FFN each token is worked on alone.",
}

# What can become of the first choice; the experiments' answers are computed.
OUTCOMES = (
    "it stays first, with at least half of its probability",
    "it stays first, but with less than half of it",
    "something else comes first",
    "the numbers overflow: there is no next token",
)


class Switches(Picture):
    """The parts of a model as switches, by click or by arrow keys and space.

    off_parts: names of `PARTS` that are off. off_cells: pairs [row, layer]; rows 0 to n_heads - 1 are heads, row
    n_heads the whole attention block, row n_heads + 1 the FFN. `edits` says the same for the model.
    """

    _static = "switches"
    _by_page = ("off_parts", "off_cells")
    _data = ("off_parts", "off_cells")

    parts = traitlets.Dict().tag(sync=True)
    n_layers = traitlets.Int().tag(sync=True)
    n_heads = traitlets.Int().tag(sync=True)
    off_parts = traitlets.List(traitlets.Enum([*PARTS])).tag(sync=True)
    off_cells = traitlets.List(traitlets.List(traitlets.Int(), minlen=2, maxlen=2)).tag(sync=True)

    def __init__(self, model: Model, **traits):
        config = model.config
        super().__init__(
            parts={name: list(told) for name, told in PARTS.items()},
            n_layers=config.n_layers,
            n_heads=config.n_heads,
            **{"stage": "attention", **traits},
        )

    @traitlets.validate("off_parts", "off_cells")
    def _parts_that_exist(self, proposal):
        off = proposal["value"]
        if proposal["trait"].name == "off_cells":
            rows, layers = self.n_heads + 2, self.n_layers
            if not all(0 <= row < rows and 0 <= layer < layers for row, layer in off):
                raise traitlets.TraitError(f"a cell is [row, layer] within {(rows, layers)}")
            off = [*map(tuple, off)]
        if len(set(off)) < len(off):
            raise traitlets.TraitError("each part is off once")
        return proposal["value"]

    @property
    def edits(self) -> Edits:
        """What is off, as `Edits`."""
        return as_edits(self.n_heads, self.off_parts, self.off_cells)

    def named(self) -> list[str]:
        """Everything that is off, in words."""
        n = self.n_heads
        cells = sorted(map(tuple, self.off_cells))
        whole = {row for row in range(n + 2) if sum(r == row for r, _ in cells) == self.n_layers}
        names = [PARTS[part][0] for part in PARTS if part in self.off_parts]
        names += [f"{self._row(row)} of every layer" for row in sorted(whole)]
        single = [f"{self._row(row)} of layer {layer}" for row, layer in cells if row not in whole]
        return names + (single if len(single) <= 6 else [*single[:5], f"{len(single) - 5} more"])

    def text(self) -> str:
        return f"Switched off: {', '.join(self.named()) or 'nothing'}"

    def purposes(self) -> list[str]:
        """What each kind of thing that is off was for."""
        rows = {self._row(row).split()[0] for row, _ in self.off_cells}
        return [PARTS[part][1] for part in PARTS if part in self.off_parts] + [
            told for kind, told in SINGLE.items() if kind in rows
        ]

    def _row(self, row: int) -> str:
        return {self.n_heads: "attention", self.n_heads + 1: "FFN"}.get(row, f"head {row}")


def as_edits(n_heads: int, off_parts: Sequence[str] = (), off_cells: Sequence[Sequence[int]] = ()) -> Edits:
    """What is off, named as by `Switches`, as `Edits`."""
    return Edits(
        head={(layer, row): 0.0 for row, layer in off_cells if row < n_heads},
        attention={layer: 0.0 for row, layer in off_cells if row == n_heads},
        ffn={layer: 0.0 for row, layer in off_cells if row == n_heads + 1},
        **dict.fromkeys(off_parts, False),
    )


def experiments(config: Config) -> dict[str, dict]:
    """Named sets of switches worth predicting, each as traits of `Switches`."""
    layers, middle = range(config.n_layers), config.n_layers // 2
    attention, ffn = config.n_heads, config.n_heads + 1  # rows of the grid
    return {
        **{f"{label} off, everywhere": {"off_parts": [name]} for name, (label, _) in PARTS.items()},
        "the first FFN off": {"off_cells": [[ffn, 0]]},
        f"one FFN in the middle off (layer {middle})": {"off_cells": [[ffn, middle]]},
        f"one attention block in the middle off (layer {middle})": {"off_cells": [[attention, middle]]},
        "all attention off": {"off_cells": [[attention, layer] for layer in layers]},
        "all FFNs off": {"off_cells": [[ffn, layer] for layer in layers]},
        "the upper half of attention off": {
            "off_cells": [[attention, layer] for layer in layers if layer >= config.n_layers / 2]
        },
    }


class Switchboard(Explorer):
    """Switches beside what they do: the next token's probabilities and 20 tokens written, before → after.

    What is written takes always the likeliest token, so the only difference is what was switched off. text: what
    stands in the box at first, or a page's own `Prompt`.
    """

    def __init__(self, model: Model, text: str | Prompt):
        self._model = model
        self._work = Background(self)
        self._experiment: dict[str, list] = {}  # the traits of `Switches` that the question is about
        self.box = as_prompt(model, text)
        self.switches = Switches(model, caption="Switch off what you like: the real model runs without it")
        self.all_on = button("everything on")
        names = [("choose an experiment …", ""), *((name, name) for name in experiments(model.config))]
        self.experiments = choice(names, "", "Experiments", "min(430px, 98%)")
        self.predict = Question("", list(OUTCOMES), answer=None, tell=self._tell, stage="attention")
        self.predict.layout.display = "none"
        self.told = Told(layout={"min_height": "26px"})
        self.bars = empty_bars(
            model,
            n=10,
            before_label="the whole model",
            caption="The next token: the model as you switched it, and the whole model as an outline",
            provenance=self._explain,
        )
        self.before = TokenStrip(
            [], caption=f"The next {N_WRITTEN} tokens, whole model (always the likeliest)"
        )
        self.after = TokenStrip([], caption=f"The next {N_WRITTEN} tokens, with your switches")
        strips = ipywidgets.VBox([self.before, self.after])
        super().__init__(
            [
                row(self.experiments, self.all_on),
                self.predict,
                self.switches,
                self.told,
                row(wide(self.bars, 420), wide(strips, 420)),
            ]
        )
        self.switches.observe(self._run, ["off_parts", "off_cells"])
        self.all_on.on_click(lambda _: self._set({"off_parts": [], "off_cells": []}))
        self.experiments.observe(self._ask, "value")
        self.predict.observe(self._committed, "committed")
        self.follow(self.box, self._new_text)

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        """The whole model on a new text; then the switches again."""
        self._tokens = trace.tokens
        self._whole = Sampler().probs(trace.logits)
        self._whole_is_written = False
        self.before.change(pieces=[])
        self._ask()
        self._run()

    @one_at_a_time
    def _run(self, _change=None) -> None:
        """The model with the switches as they are: the bars now, the written tokens one by one."""
        self._work.stop()
        edits, before = self.switches.edits, self._whole
        self.after.change(pieces=[])
        try:
            self._logits = self._model.trace(self._tokens, edits).logits
        except FloatingPointError as error:
            self._logits = self.box.trace.logits
            self.bars.layout.visibility = "hidden"  # there is no next token to show
            self.told.say(f"{self.switches.text()}: {error}.")
            edits = None
        else:
            probs = Sampler().probs(self._logits)
            self.bars.layout.visibility = "visible"
            self.bars.show(probs, before=before if self.switches.named() else None)
            self.told.say(self._verdict(before, probs))
        self._work.start(self._write(edits))

    def _verdict(self, before, probs) -> str:
        if not self.switches.named():
            return "Everything is on: this is the whole model."
        first, now = int(before.argmax()), int(probs.argmax())
        named = {token: quote(self._model.tokenizer.pieces([token])[0]) for token in (first, now)}
        told = f"{named[first]} had {percent(before[first])}, and has {percent(probs[first])} now"
        told += "." if now == first else f"; the likeliest is {named[now]} with {percent(probs[now])}."
        return " ".join([f"{self.switches.text()}.", told, *self.switches.purposes()])

    @one_at_a_time
    def _explain(self, row: int) -> provenance.Explanation:
        if self.bars.layout.visibility == "hidden":
            raise ValueError("the numbers overflowed: there is no next token")
        token, off = self.bars.ids[row], self.switches.edits
        return provenance.prob(
            self._logits,
            token,
            piece=self._model.tokenizer.pieces([token])[0],
            source=f"model.trace({self._tokens}, llmviz.{off!r}).logits"
            if off != Edits()
            else "trace.logits",
        )

    # --- written text, token by token ---

    def _write(self, edits: Edits | None) -> Steps:
        """First what the whole model writes, if that is not known yet, then what the switched one writes."""
        if not self._whole_is_written:
            yield from self._stream(Edits(), self.before)
            self._whole_is_written = True
        if edits is not None:
            yield from self._stream(edits, self.after)

    def _stream(self, edits: Edits, strip: TokenStrip) -> Steps:
        yield 0.05  # the bars come first, and a second click is heard
        try:
            for _ in write_into(strip, self._model, self._tokens, N_WRITTEN, edits):
                yield 0.005
        except FloatingPointError as error:
            self.told.say(f"{self.switches.text()}: {error}.")

    # --- experiments: predict, commit, see ---

    @one_at_a_time
    def _set(self, switches: dict) -> None:
        self.switches.change(**{"off_parts": [], "off_cells": [], **switches})

    @one_at_a_time
    def _ask(self, _change=None) -> None:
        """Put the question for the chosen experiment; its switches move only after the commitment."""
        name = self.experiments.value
        self.predict.layout.display = "" if name else "none"
        if not name:
            return
        first = int(self._whole.argmax())
        piece = quote(self._model.tokenizer.pieces([first])[0])
        self._experiment = experiments(self._model.config)[name]
        self.predict.ask_again()
        self.predict.ask(
            f"Experiment: {name}. The whole model's first choice is {piece} with "
            f"{percent(self._whole[first])}. What becomes of {piece}?",
            list(OUTCOMES),
            answer=self._outcome(),
        )

    @one_at_a_time
    def _outcome(self) -> int:
        """What really happens, as an index of OUTCOMES."""
        edits = as_edits(self._model.config.n_heads, **self._experiment)
        after = likeliest_after(self._model.trace(self._tokens), edits)
        if after is None:
            return 3
        first = int(self._whole.argmax())
        if after[0] != first:
            return 2
        return 0 if after[1] >= self._whole[first] / 2 else 1

    def _tell(self, guess: str, answer: str) -> str:
        return f"You said: {guess}. What happened: {answer}. The switches are set below: look at the bars and the text."

    @one_at_a_time
    def _committed(self, _change) -> None:
        if self.predict.committed:  # and not taken back for want of a guess
            self._set(self._experiment)
