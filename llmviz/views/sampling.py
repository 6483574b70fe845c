"""Pictures of stage 6: temperature, the chain of filters, draws, surprise, and the end of an answer."""

from __future__ import annotations

import ipywidgets
import numpy as np

from llmviz import ops, sampling
from llmviz.model import Model, Trace
from llmviz.sampling import STEPS, Sampler
from llmviz.views.next_token_bars import NextTokenBars
from llmviz.views.picture import one_at_a_time, percent
from llmviz.views.pieces import quote
from llmviz.views.text_box import TextBox, status
from llmviz.views.theme import STAGE_COLORS
from llmviz.views.token_strip import TokenStrip

N_OUTSIDE = 50

# Settings that people really use, as (temperature, top_k, top_p, min_p).
PRESETS = {
    "everything off": (1.0, None, None, None),
    "careful: T 0.3, top-p 0.9": (0.3, None, 0.9, None),
    "this model's own advice: T 0.2, top-p 0.9": (0.2, None, 0.9, None),
    "usual for chat: T 0.7, top-k 40, top-p 0.95": (0.7, 40, 0.95, None),
    "stories: T 1, min-p 0.05": (1.0, None, None, 0.05),
    "wild: T 2, min-p 0.1": (2.0, None, None, 0.1),
}

_WRAP = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 16px"}


def _slider(
    value: float, top: float, label: str, step: float = 0.05, low: float = 0.0
) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(
        value,
        min=low,
        max=top,
        step=step,
        description=label,
        readout_format=".2f",
        style={"handle_color": STAGE_COLORS["sampling"][0], "description_width": "initial"},
        layout={"width": "min(430px, 98%)"},
    )


def _empty_bars(model: Model, **options) -> NextTokenBars:
    n = model.config.n_vocab
    return NextTokenBars(np.full(n, 1 / n), model.tokenizer, **options)


class _OnText(ipywidgets.VBox):
    """A text box with pictures under it; `trace` is the run over the text, None where there is nothing to run."""

    def __init__(self, model: Model, text: str, pictures: list, *, live: bool = True):
        self._model = model
        self._pictures = ipywidgets.VBox(pictures)
        self.trace: Trace | None = None
        self.box = TextBox(model, text, live=live)
        super().__init__([self.box, self._pictures])
        self.box.observe(self._read, "tokens")
        self._read()

    @one_at_a_time
    def _read(self, _change=None) -> None:
        tokens = self.box.tokens
        self._pictures.layout.visibility = "visible" if tokens else "hidden"
        self.trace = self._model.trace(tokens) if tokens else None
        if self.trace is not None:
            self.draw()

    def draw(self, _change=None) -> None:
        raise NotImplementedError


class TemperatureExplorer(_OnText):
    """Bars, entropy and the mass outside the 50 likeliest tokens, for any temperature from 0 to 10."""

    def __init__(self, model: Model, text: str):
        self.temperature = _slider(1.0, 10.0, "Temperature")
        self.told = ipywidgets.HTML()
        self.bars = _empty_bars(model, n=15, before_label="at temperature 1", caption="What comes next?")
        self.temperature.observe(self.draw, "value")
        super().__init__(model, text, [self.temperature, self.told, self.bars])

    @one_at_a_time
    def draw(self, _change=None) -> None:
        if self.trace is None:
            return
        at_one = Sampler().probs(self.trace.logits)
        probs = sampling.with_temperature(self.trace.logits, self.temperature.value)
        self.bars.show(probs, before=at_one if self.temperature.value != 1 else None)
        bits = sampling.entropy(probs)
        self.told.value = status(
            f"Entropy {bits:.1f} bits: as unsure as between {2**bits:,.0f} equally likely tokens. "
            f"Outside the {N_OUTSIDE} likeliest: {percent(sampling.mass_outside(probs, N_OUTSIDE))}."
        )


class SamplerChain(_OnText):
    """Temperature, top-k, top-p and min-p as cards in a row; the buttons move a card earlier or later.

    Each card says how many tokens it keeps and how much probability it cuts.
    """

    def __init__(self, model: Model, text: str):
        self.order = list(STEPS)
        self.settings = {
            "temperature": _slider(1.0, 3.0, "temperature"),
            "top_k": ipywidgets.BoundedIntText(40, min=1, max=model.config.n_vocab, description="k"),
            "top_p": _slider(0.9, 1.0, "p", 0.01, 0.01),
            "min_p": _slider(0.05, 1.0, "p", 0.01),
        }
        self.on = {
            name: ipywidgets.Checkbox(name == "temperature", description="on", indent=False) for name in STEPS
        }
        self.told = {name: ipywidgets.HTML() for name in STEPS}
        self.presets = ipywidgets.Dropdown(options=["choose …", *PRESETS], description="Presets")
        self.bars = _empty_bars(
            model,
            n=15,
            before_label="the model itself",
            caption="What is left to draw from, after the last card",
        )
        self._cards = {name: self._card(name) for name in STEPS}
        self.row = ipywidgets.HBox([self._cards[name] for name in self.order], layout=_WRAP)
        for widget in [*self.settings.values(), *self.on.values()]:
            widget.observe(self.draw, "value")
        self.presets.observe(self._preset, "value")
        super().__init__(model, text, [self.presets, self.row, self.bars])

    def _card(self, name: str) -> ipywidgets.VBox:
        earlier = ipywidgets.Button(description="◀ earlier", layout={"width": "auto"})
        later = ipywidgets.Button(description="later ▶", layout={"width": "auto"})
        earlier.on_click(lambda _: self.move(name, -1))
        later.on_click(lambda _: self.move(name, 1))
        self.settings[name].layout.width = "230px"
        return ipywidgets.VBox(
            [
                ipywidgets.HTML(f"<b>{name.replace('_', '-')}</b>"),
                self.on[name],
                self.settings[name],
                ipywidgets.HBox([earlier, later]),
                self.told[name],
            ],
            layout={"border": "1px solid var(--jp-border-color1)", "padding": "8px 12px", "width": "262px"},
        )

    @one_at_a_time
    def move(self, name: str, by: int) -> None:
        """Put a card one place earlier (-1) or later (+1)."""
        at = self.order.index(name)
        to = min(max(at + by, 0), len(self.order) - 1)
        self.order.insert(to, self.order.pop(at))
        self.row.children = [self._cards[one] for one in self.order]
        self.draw()

    def steps(self) -> list[tuple[str, float]]:
        """The steps that are on, in their order."""
        return [(name, self.settings[name].value) for name in self.order if self.on[name].value]

    @one_at_a_time
    def draw(self, _change=None) -> None:
        if self.trace is None:
            return
        logits = self.trace.logits
        plain, steps = Sampler().probs(logits), self.steps()
        left = sampling.chain(logits, steps)
        for name in STEPS:
            self.told[name].value = status("off")
        for (name, _), step in zip(steps, left):
            kept = int((step.probs > 0).sum())
            cut = "cuts nothing" if name == "temperature" else f"cuts {percent(step.cut)}"
            self.told[name].value = status(f"keeps {kept:,} tokens, {cut}")
        self.bars.show(left[-1].probs if left else plain, before=plain)

    @one_at_a_time
    def _preset(self, _change=None) -> None:
        for name, value in zip(STEPS, PRESETS.get(self.presets.value, ())):
            self.on[name].value = value is not None
            if value is not None:
                self.settings[name].value = value


class Draws(_OnText):
    """So many seeded draws as bars, the probabilities they were drawn with as an outline."""

    def __init__(self, model: Model, text: str, n: int = 200):
        self.n = ipywidgets.IntSlider(
            n, min=1, max=2000, description="Draws", layout={"width": "min(430px, 98%)"}
        )
        self.seed = ipywidgets.BoundedIntText(1, min=0, max=10**6, description="Seed")
        self.temperature = _slider(1.0, 2.0, "Temperature")
        self.bars = _empty_bars(
            model,
            n=15,
            before_label="probability",
            caption="How often each token was drawn: share of the draws",
        )
        for widget in (self.n, self.seed, self.temperature):
            widget.observe(self.draw, "value")
        controls = ipywidgets.HBox([self.n, self.seed, self.temperature], layout=_WRAP)
        super().__init__(model, text, [controls, self.bars])

    @one_at_a_time
    def draw(self, _change=None) -> None:
        if self.trace is None:
            return
        probs = sampling.with_temperature(self.trace.logits, self.temperature.value)
        rng = np.random.default_rng(self.seed.value)
        drawn = np.bincount([sampling.draw(probs, rng) for _ in range(self.n.value)], minlength=len(probs))
        self.bars.show(drawn / self.n.value, before=probs)


class Surprise(_OnText):
    """The reader's own text, each token shaded by the probability the model gave it, with its rivals and the loss."""

    def __init__(self, model: Model, text: str):
        self.told = ipywidgets.HTML()
        self.strip = TokenStrip(
            [], stage="sampling", caption="Dark: expected. Pale: a surprise. Choose a token"
        )
        super().__init__(model, text, [self.strip, self.told], live=False)

    @one_at_a_time
    def draw(self, _change=None) -> None:
        show_surprise(self.strip, self.told, self.trace)


def show_surprise(strip: TokenStrip, told: ipywidgets.HTML, trace: Trace) -> None:
    """Shade a strip by the probability of each token after those before it, and say the mean surprise."""
    logits = trace.lens(len(trace.blocks) - 1)
    bits = sampling.surprise(logits, trace.tokens)
    notes = ["the first token: nothing to guess it from"]
    for i, row in enumerate(logits[:-1]):
        probs = ops.softmax(row)
        rivals = trace.model.tokenizer.pieces(np.argsort(-probs)[:3].tolist())
        notes.append(f"{bits[i]:.1f} bits · expected: {', '.join(map(quote, rivals))}")
    weights = np.concatenate([[np.nan], 2.0**-bits])
    strip.change(pieces=trace.pieces, ids=trace.tokens, weights=weights, notes=notes, selected=None)
    mean = (
        f"{bits.mean():.2f} bits a token; perplexity {2 ** bits.mean():,.1f}"
        if bits.size
        else "one token only"
    )
    told.value = status(f"Loss: {mean}.")


class Writing(ipywidgets.VBox):
    """Two continuations of one text from the same seed, each with its own settings, token by token."""

    def __init__(self, model: Model, text: str, n: int = 30):
        self._model, self._n = model, n
        self.box = TextBox(model, text, live=False)
        self.seed = ipywidgets.BoundedIntText(1, min=0, max=10**6, description="Seed")
        self.write = ipywidgets.Button(description="write", button_style="primary")
        self.temperatures = [_slider(0.0, 2.0, "Temperature"), _slider(1.0, 2.0, "Temperature")]
        self.strips = [TokenStrip([], stage="sampling", caption="Shade: its probability") for _ in range(2)]
        self.told = [ipywidgets.HTML(), ipywidgets.HTML()]
        sides = [
            ipywidgets.VBox([t, s, told], layout={"flex": "1 1 420px", "min_width": "0"})
            for t, s, told in zip(self.temperatures, self.strips, self.told)
        ]
        controls = ipywidgets.HBox([self.write, self.seed], layout=_WRAP)
        super().__init__(
            [self.box, controls, ipywidgets.HBox(sides, layout=_WRAP | {"align_items": "flex-start"})]
        )
        self.write.on_click(lambda _: self.draw())
        self.draw()

    @one_at_a_time
    def draw(self) -> None:
        """Write both sides again."""
        for strip, told, temperature in zip(self.strips, self.told, self.temperatures):
            if not self.box.tokens:
                strip.change(pieces=[])
                continue
            sampler = Sampler(temperature=temperature.value)
            steps = list(self._model.generate(self.box.tokens, self._n, sampler, self.seed.value))
            probs = [float(ops.softmax(step.logits)[step.token]) for step in steps]
            strip.change(
                pieces=[step.piece for step in steps], ids=[step.token for step in steps], weights=probs
            )
            told.value = status(f"Different tokens: {len({step.token for step in steps})} of {len(steps)}.")


class ChatEnd(ipywidgets.VBox):
    """A question with and without the chat template: what is written, and the end token's probability at each place."""

    def __init__(self, model: Model, question: str, n: int = 40):
        self._model, self._n = model, n
        self.box = TextBox(model, question, label="Your question", live=False)
        self.template = ipywidgets.Checkbox(True, description="chat template", indent=False)
        self.strip = TokenStrip(
            [], stage="sampling", caption="Shade: the probability that the end token comes here"
        )
        self.told = ipywidgets.HTML()
        super().__init__([self.box, self.template, self.strip, self.told])
        self.box.observe(self.draw, "tokens")
        self.template.observe(self.draw, "value")
        self.draw()

    @one_at_a_time
    def draw(self, _change=None) -> None:
        """Write the answer again."""
        if not self.box.tokens:
            self.strip.change(pieces=[])
            return
        tokenizer, tokens = self._model.tokenizer, self.box.tokens
        if self.template.value:
            tokens = tokenizer.encode_chat([{"role": "user", "content": tokenizer.decode(tokens)}])
        steps = list(self._model.generate(tokens, self._n, Sampler(temperature=0)))
        ends = [float(ops.softmax(step.logits)[tokenizer.eos_token]) for step in steps]
        self.strip.change(pieces=[s.piece for s in steps], ids=[s.token for s in steps], weights=ends)
        why = (
            "it chose its end token"
            if steps[-1].token == tokenizer.eos_token
            else f"{self._n} tokens are the limit here"
        )
        self.told.value = status(f"It stopped after {len(steps)} tokens: {why}.")
