"""Pictures of stage 6: softmax, temperature, the chain of filters, draws, the loop, its many futures, and its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import ipywidgets
import numpy as np
import traitlets

from llmviz import ops, sampling
from llmviz.model import Model, Trace
from llmviz.sampling import STEPS, Branch, Sampler
from llmviz.views import provenance
from llmviz.views.next_token_bars import NextTokenBars, top
from llmviz.views.picture import (
    Explorer,
    Floats,
    Picture,
    Pieces,
    Text,
    lines,
    one_at_a_time,
    percent,
    script,
    style,
)
from llmviz.views.pieces import quote, visible
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.text_box import TextBox, status
from llmviz.views.theme import MAX_TOKENS, STAGE_COLORS
from llmviz.views.token_strip import TokenStrip

N_OUTSIDE = 50
N_SHAPE = 24  # bars on a card
N_RIVALS = 8
RUN = 4  # so many tokens in a row that came before count as a repetition

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
_SIDE = {"flex": "1 1 420px", "min_width": "0"}


# ---- pictures ----


class SoftmaxSteps(Picture):
    """Logit, power of e and probability of some tokens, row by row: `values` [n, 3], likeliest first.

    `ranks`: the place of each among all tokens, from 1. `power_sum`: the sum of all powers, drawn or not.
    A click, the arrow keys or Python select a number (`selected`, row and column).
    """

    _esm = script("softmax_steps")
    _css = style("softmax_steps")
    _data = ("pieces", "ranks", "values", "power_sum")

    pieces = Pieces()
    ranks = traitlets.List(traitlets.Int()).tag(sync=True)
    values = Floats(ndim=(2,))
    power_sum = traitlets.Float(1.0).tag(sync=True)
    n_vocab = traitlets.Int(1).tag(sync=True)
    selected = traitlets.List(traitlets.Int(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)

    def text(self) -> str:
        if self.values is None:
            return "no tokens yet"
        rows = [["token", "rank", "logit", "power", "probability"]]
        for piece, rank, (logit, power, prob) in zip(self.pieces, self.ranks, self.values):
            rows.append([visible(piece), f"{rank:,}", f"{logit:.2f}", f"{power:.3g}", percent(prob)])
        return f"{lines(rows)}\nsum of the powers of all {self.n_vocab:,} tokens: {self.power_sum:.4g}"


class SamplerCards(Picture):
    """The steps of a sampler as cards in a row, to be moved by drag or arrow keys, switched and set.

    `order`: all names of `STEPS`, first to last. `on`: those that work. `settings`: a number for each. What a card
    does is put there by whoever runs the chain: `left` {name: kept, cut, bits, bits_before} for those that are on,
    and `shapes` [4, n], the likeliest probabilities after each card, in the cards' order.
    """

    _esm = script("sampler_cards")
    _css = style("sampler_cards")
    _data = ("order", "on", "settings", "left")

    order = traitlets.List(traitlets.Enum(STEPS), list(STEPS)).tag(sync=True)
    on = traitlets.List(traitlets.Enum(STEPS), ["temperature", "top_k", "top_p"]).tag(sync=True)
    settings = traitlets.Dict(
        per_key_traits={
            "temperature": traitlets.Float(min=0, max=3),
            "top_k": traitlets.Float(min=1, max=200),
            "top_p": traitlets.Float(min=0.01, max=1),
            "min_p": traitlets.Float(min=0, max=1),
        },
        default_value={"temperature": 1.0, "top_k": 40, "top_p": 0.9, "min_p": 0.05},
    ).tag(sync=True)
    left = traitlets.Dict().tag(sync=True)
    shapes = Floats(ndim=(2,))
    n_vocab = traitlets.Int(1).tag(sync=True)

    def steps(self) -> list[tuple[str, float]]:
        """The steps that are on, in their order, as `sampling.chain` takes them."""
        whole = {"top_k": int}
        return [(name, whole.get(name, float)(self.settings[name])) for name in self.order if name in self.on]

    def text(self) -> str:
        rows = [["step", "setting", "keeps", "cuts"]]
        for name in self.order:
            told = self.left.get(name)
            rest = [f"{told['kept']:,}", percent(told["cut"])] if told else ["off"]
            rows.append([name, f"{self.settings[name]:g}", *rest])
        return lines(rows)

    @traitlets.validate("order")
    def _each_once(self, proposal):
        if sorted(proposal["value"]) != sorted(STEPS):
            raise traitlets.TraitError(f"each of {', '.join(STEPS)} stands in the order once")
        return proposal["value"]


@dataclass(frozen=True, eq=False)
class Place:
    """One place of a text that is being written: what stands there, and what else could."""

    token: int | None  # None: still open
    rivals: list[int]  # the likeliest tokens, and `token` in any case
    own: np.ndarray  # their probabilities, as the model says them
    odds: np.ndarray  # and those they are drawn with
    probability: float  # the model's own, of `token`


def place(
    logits: np.ndarray, odds: np.ndarray | None = None, token: int | None = None, n: int = N_RIVALS
) -> Place:
    """A place from the logits [n_vocab] there and the probabilities `odds` [n_vocab] that were drawn from."""
    own = ops.softmax(logits)
    odds = own if odds is None else odds
    rivals = top(own, n).tolist()
    if token is not None and token not in rivals:
        rivals[-1] = token
    return Place(
        token, rivals, own[rivals], odds[rivals], float("nan") if token is None else float(own[token])
    )


class WrittenText(Picture):
    """A text as the loop writes it: chips shaded by a number each, and what else could have stood in a place.

    The first `n_prompt` pieces are the reader's. For each place after them there are `n_rivals` rivals (flat lists,
    place after place): their pieces, `own` and `odds` (−1: no such rival), and which of them stands there (`picked`,
    −1 for a last place that is still open). `again` are the places of repeated runs, `marked` get a dashed border.
    A click, the arrow keys or Python select a place. Where it `chooses`, a rival that is clicked (or taken by Enter)
    is sent as `choice`, [place, number of the rival].
    """

    _esm = script("written_text")
    _css = style("written_text")
    _data = ("pieces", "n_prompt", "weights", "again", "notes")

    pieces = Pieces()
    n_prompt = traitlets.Int(0).tag(sync=True)
    weights = Floats(ndim=(1,))
    shade_label = Text("its probability").tag(sync=True)
    scale = traitlets.Enum(("prob", "weight"), "prob").tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    again = traitlets.List(traitlets.Int()).tag(sync=True)
    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    n_rivals = traitlets.Int(0).tag(sync=True)
    rivals = Pieces()
    own = Floats(ndim=(1,))
    odds = Floats(ndim=(1,))
    picked = traitlets.List(traitlets.Int()).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)
    chooses = traitlets.Bool(False).tag(sync=True)
    choice = traitlets.List(traitlets.Int(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)

    def __init__(self, tokenizer, **traits):
        self._tokenizer = tokenizer
        super().__init__(**{"stage": "sampling", **traits})

    def show(
        self,
        prompt: Sequence[int],
        places: Sequence[Place],
        *,
        weights: Sequence[float] | None = None,
        notes: Sequence[str] | None = None,
        marked: Sequence[int] = (),
        selected: int | None = None,
    ) -> None:
        """Draw a prompt and the places after it; shaded by `weights`, one a written token, or by their probability."""
        written = [one for one in places if one.token is not None]
        tokens = [*prompt, *(one.token for one in written)]
        again = sampling.repeated(tokens, run=RUN)
        again[: len(prompt)] = False
        shades = [one.probability for one in written] if weights is None else weights
        if notes is None:
            notes = [f"probability {percent(one.probability)}" for one in written]
        size = max((len(one.rivals) for one in places), default=0)
        self.change(
            pieces=self._tokenizer.pieces(tokens),
            n_prompt=len(prompt),
            weights=np.concatenate([np.full(len(prompt), np.nan), shades]),
            notes=[
                f"{note} · part of a repetition" if again[len(prompt) + i] else note
                for i, note in enumerate(notes)
            ],
            again=np.flatnonzero(again).tolist(),
            marked=list(marked),
            n_rivals=size,
            rivals=self._tokenizer.pieces([token for one in places for token in one.rivals]),
            own=np.concatenate([one.own for one in places]) if places else None,
            odds=np.concatenate([one.odds for one in places]) if places else None,
            picked=[-1 if one.token is None else one.rivals.index(one.token) for one in places],
            selected=selected,
        )

    def text(self) -> str:
        """The prompt; then one line a written token: piece, what shades it, its note."""
        if not self.pieces:
            return "no tokens yet"
        n = self.n_prompt
        rows = [["prompt:", "".join(map(visible, self.pieces[:n]))]]
        for i, (piece, note) in enumerate(zip(self.pieces[n:], self.notes), start=n):
            rows.append([f"{i}  {visible(piece)}", note])
        return "\n".join("  ".join(row) for row in rows)

    def headline(self) -> str:
        """The text, and how many of its tokens were written."""
        shown = "".join(map(visible, self.pieces[-100:]))
        return f"{len(self.pieces) - self.n_prompt} tokens written after {self.n_prompt}: {shown}"


class ContinuationTree(Picture):
    """Continuations of a text, merged where they agree; a branch is as wide as its share of the `n`.

    One entry a branch, each after its parent: `pieces`, `parents` (−1 for the root, the text itself), `counts` and
    `probs`, the probability its token was drawn with. A click, the arrow keys or Python select one (`selected`).
    """

    _esm = script("continuation_tree")
    _css = style("continuation_tree")
    _data = ("pieces", "parents", "counts", "probs")

    pieces = Pieces()
    parents = traitlets.List(traitlets.Int()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    probs = Floats(ndim=(1,))
    n = traitlets.Int(1).tag(sync=True)
    length = traitlets.Int(0).tag(sync=True)  # room for so many tokens, from the start
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, **traits):
        super().__init__(**{"stage": "sampling", **traits})

    def show(self, branches: Sequence[Branch], tokenizer, root: int, n: int, length: int) -> None:
        """Draw the branches of `sampling.continuations`; `root` is the last token of the text."""
        index = {branch.path: i for i, branch in enumerate(branches)}
        keep = self.selected is not None and self.selected < len(branches)
        self.change(
            pieces=tokenizer.pieces([one.path[-1] if one.path else root for one in branches]),
            parents=[index[one.path[:-1]] if one.path else -1 for one in branches],
            counts=[one.count for one in branches],
            probs=[one.probability for one in branches],
            n=n,
            length=length,
            selected=self.selected if keep else None,
        )

    def text(self) -> str:
        """One line a branch, indented by its depth: piece, share, and the probability its token had."""
        rows, depth = [], {-1: -1}
        for i, (piece, parent, count) in enumerate(zip(self.pieces, self.parents, self.counts)):
            depth[i] = depth[parent] + 1
            name = f"{'  ' * depth[i]}{visible(piece)}"
            rows.append([name, f"{count} of {self.n}", percent(self.probs[i]) if i else ""])
        return lines(rows)

    def headline(self) -> str:
        """Into how many ways the text goes on."""
        leaves = set(range(len(self.parents))) - set(self.parents)
        ways = "one way only" if len(leaves) == 1 else f"{len(leaves)} different ways"
        return f"{self.n} continuations in {ways}" if self.parents else "no tokens yet"


def softmax_steps(trace: Trace, n: int = 7) -> SoftmaxSteps:
    """From the last vector to probabilities in three steps: the n likeliest tokens, one in the middle, the last."""
    order = np.argsort(-trace.logits, kind="stable")
    ranks = [*range(n), len(order) // 2, len(order) - 1]
    tokens = order[ranks].tolist()
    probs = ops.softmax(trace.logits)
    # e^(logit - largest) is the probability in units of the largest one: the sum has cancelled.
    powers = probs / probs.max()

    def explain(row: int, col: int) -> Explanation:
        token = tokens[row]
        piece = trace.model.tokenizer.pieces([token])[0]
        if col == 0:
            return provenance.logit(trace, token)
        if col == 2:
            return provenance.prob(trace.logits, token, piece=piece)
        return Explanation(
            f"Power of {quote(piece)} (id {token})",
            "power = e to the (logit − the largest logit): 1 for the likeliest token, less for all others",
            [Operand("logits", trace.logits, "trace.logits"), Operand("token", token)],
            "np.exp(logits[token] - logits.max())",
            powers[token],
        )

    return SoftmaxSteps(
        pieces=trace.model.tokenizer.pieces(tokens),
        ranks=[rank + 1 for rank in ranks],
        values=np.stack([trace.logits[tokens], powers[tokens], probs[tokens]], axis=1),
        power_sum=float(powers.sum(dtype=np.float64)),
        n_vocab=len(order),
        stage="sampling",
        caption="After your text, in three steps: logits, their powers of e, and the shares of their sum",
        provenance=explain,
    )


# ---- controls ----


def _slider(
    value: float, high: float, label: str, step: float = 0.05, low: float = 0.0
) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(
        value,
        min=low,
        max=high,
        step=step,
        description=label,
        readout_format=".2f",
        style={"handle_color": STAGE_COLORS["sampling"][0], "description_width": "initial"},
        layout={"width": "min(430px, 98%)"},
    )


def _whole(value: int, low: int, high: int, label: str) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(
        value,
        min=low,
        max=high,
        description=label,
        style={"handle_color": STAGE_COLORS["sampling"][0], "description_width": "initial"},
        layout={"width": "min(320px, 98%)"},
    )


def _seed(value: int = 1) -> ipywidgets.BoundedIntText:
    return ipywidgets.BoundedIntText(value, min=0, max=10**6, description="Seed", layout={"width": "170px"})


def _button(label: str, tooltip: str, kind: str = "") -> ipywidgets.Button:
    return ipywidgets.Button(description=label, tooltip=tooltip, button_style=kind, layout={"width": "auto"})


def _empty_bars(model: Model, **options) -> NextTokenBars:
    n = model.config.n_vocab
    return NextTokenBars(np.full(n, 1 / n), model.tokenizer, **options)


_beside: set[asyncio.Task] = set()  # an event loop itself does not keep its tasks alive


def beside(work: Coroutine) -> None:
    """Do some work beside everything else, so that buttons are heard; at once where there is no event loop."""
    try:
        task = asyncio.get_running_loop().create_task(work)
    except RuntimeError:  # a plain script
        asyncio.run(work)
        return
    _beside.add(task)
    task.add_done_callback(_beside.discard)
    task.add_done_callback(lambda done: done.cancelled() or done.result())


class _OnText(Explorer):
    """A text box with pictures under it; `trace` is the run over the text, None where there is nothing to run."""

    def __init__(self, model: Model, text: str, parts: list, *, live: bool = True):
        self._model = model
        self._parts = ipywidgets.VBox(parts)
        self.trace: Trace | None = None
        self.box = TextBox(model, text, live=live)
        super().__init__([self.box, self._parts])
        self.box.observe(self._read, "tokens")
        self._read()

    @one_at_a_time
    def _read(self, _change=None) -> None:
        tokens = self.box.tokens
        self._parts.layout.visibility = "visible" if tokens else "hidden"
        self.trace = self._model.trace(tokens) if tokens else None
        if self.trace is not None:
            self.draw()

    def draw(self, _change=None) -> None:
        raise NotImplementedError

    def _piece(self, token: int) -> str:
        return self._model.tokenizer.pieces([token])[0]


# ---- explorers ----


class TemperatureExplorer(_OnText):
    """Bars, entropy and the mass outside the 50 likeliest tokens, for any temperature from 0 to 10."""

    def __init__(self, model: Model, text: str):
        self.temperature = _slider(1.0, 10.0, "Temperature")
        self.told = ipywidgets.HTML()
        self.bars = _empty_bars(
            model,
            n=15,
            before_label="at temperature 1",
            caption="What comes next? The 15 likeliest tokens",
            provenance=self._explain,
        )
        self.jumps = [_button(name, f"temperature {to:g}") for name, to in _JUMPS]
        for button, (_, to) in zip(self.jumps, _JUMPS):
            button.on_click(lambda _, to=to: setattr(self.temperature, "value", to))
        self.temperature.observe(self.draw, "value")
        controls = ipywidgets.HBox([self.temperature, ipywidgets.HBox(self.jumps)], layout=_WRAP)
        super().__init__(model, text, [controls, self.told, self.bars])

    @one_at_a_time
    def draw(self, _change=None) -> None:
        if self.trace is None:
            return
        temperature = self.temperature.value
        probs = sampling.with_temperature(self.trace.logits, temperature)
        self.bars.show(probs, before=Sampler().probs(self.trace.logits) if temperature != 1 else None)
        bits, most = sampling.entropy(probs), np.log2(len(probs))
        told = f"Entropy {bits:.1f} bits: as unsure as among {2**bits:,.0f} equally likely tokens."
        if temperature == 0:
            told = "Entropy 0.0 bits, no doubt left: the likeliest token gets everything."
        elif bits > most - 0.5:
            told += f" More than {most:.1f} bits is impossible: then all {len(probs):,} tokens are equally likely."
        outside = percent(sampling.mass_outside(probs, N_OUTSIDE))
        self.told.value = status(f"{told} Outside the {N_OUTSIDE} likeliest: {outside}.")

    @one_at_a_time
    def _explain(self, row: int) -> Explanation:
        token = self.bars.ids[row]
        return provenance.prob(
            self.trace.logits, token, temperature=self.temperature.value, piece=self._piece(token)
        )


_JUMPS = (("T → 0", 0.0), ("T = 0.5", 0.5), ("T = 1", 1.0), ("T = 2", 2.0), ("T = 10", 10.0))


class SamplerChain(_OnText):
    """Temperature, top-k, top-p and min-p as cards whose order is the reader's, and what is left to draw from."""

    def __init__(self, model: Model, text: str):
        self.cards = SamplerCards(
            n_vocab=model.config.n_vocab, stage="sampling", caption="The sampler, card by card"
        )
        self.presets = ipywidgets.Dropdown(
            options=["choose …", *PRESETS],
            description="What people use",
            style={"description_width": "initial"},
            layout={"width": "min(430px, 98%)"},
        )
        self.bars = _empty_bars(
            model,
            n=15,
            before_label="the model itself",
            caption="What is left to draw from, after the last card",
            provenance=self._explain,
        )
        self.cards.observe(self.draw, ["order", "on", "settings"])
        self.presets.observe(self._preset, "value")
        super().__init__(model, text, [self.presets, self.cards, self.bars])

    @one_at_a_time
    def draw(self, _change=None) -> None:
        if self.trace is None:
            return
        logits, steps = self.trace.logits, self.cards.steps()
        plain = Sampler().probs(logits)
        after = {name: step for (name, _), step in zip(steps, sampling.chain(logits, steps))}
        order = top(plain, N_SHAPE)
        left, shapes, now = {}, [], plain
        for name in self.cards.order:
            before, now = now, after[name].probs if name in after else now
            shapes.append(now[order])
            if name in after:
                left[name] = {
                    "kept": int(np.count_nonzero(now)),
                    "cut": after[name].cut,
                    "bits": sampling.entropy(now),
                    "bits_before": sampling.entropy(before),
                }
        self.cards.change(left=left, shapes=shapes)
        self.bars.show(now, before=plain if steps else None)

    @one_at_a_time
    def _preset(self, _change=None) -> None:
        values = dict(zip(STEPS, PRESETS.get(self.presets.value, ())))
        if values:
            chosen = {name: value for name, value in values.items() if value is not None}
            self.cards.change(order=list(STEPS), on=list(chosen), settings={**self.cards.settings, **chosen})

    @one_at_a_time
    def _explain(self, row: int) -> Explanation:
        token, steps = self.bars.ids[row], self.cards.steps()
        if [name for name, _ in steps] == [name for name in STEPS if name in self.cards.on]:
            return provenance.prob(self.trace.logits, token, piece=self._piece(token), **dict(steps))
        told = " → ".join(f"{name} {value:g}" for name, value in steps)
        return Explanation(
            f"Probability of {quote(self._piece(token))} (id {token})",
            f"softmax of the logits, then in this order: {told}",
            [
                Operand("logits", self.trace.logits, "trace.logits"),
                Operand("token", token),
                Operand("steps", str(steps)),
            ],
            "llmviz.sampling.chain(logits, steps)[-1].probs[token]",
            sampling.chain(self.trace.logits, steps)[-1].probs[token],
        )


class Draws(_OnText):
    """So many seeded draws as bars, the probabilities they were drawn with as an outline."""

    def __init__(self, model: Model, text: str, n: int = 200):
        self.n = _whole(n, 1, 2000, "Draws")
        self.seed = _seed()
        self.temperature = _slider(1.0, 2.0, "Temperature")
        self.bars = _empty_bars(
            model,
            n=15,
            before_label="the probability of each draw",
            caption="How often each token was drawn: share of the draws",
            provenance=self._explain,
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

    @one_at_a_time
    def _explain(self, row: int) -> Explanation:
        token, n = self.bars.ids[row], self.n.value
        return Explanation(
            f"Share of the draws that hit {quote(self._piece(token))} (id {token})",
            "share = how often the token was drawn ÷ the number of draws, all from one seed",
            [
                Operand("probs", sampling.with_temperature(self.trace.logits, self.temperature.value)),
                Operand("rng", f"np.random.default_rng({self.seed.value})"),
                Operand("n", n),
                Operand("token", token),
            ],
            "np.mean([llmviz.sampling.draw(probs, rng) == token for _ in range(n)])",
            float(self.bars.probs[row]),
        )


class Surprise(_OnText):
    """The reader's own text, each token shaded by the probability the model gave it, with its rivals and the loss."""

    def __init__(self, model: Model, text: str):
        self.told = ipywidgets.HTML()
        self.strip = TokenStrip(
            [],
            stage="sampling",
            caption="Strong colour: expected. Faint: a surprise. Choose a token",
            provenance=self._explain,
        )
        super().__init__(model, text, [self.strip, self.told], live=False)

    @one_at_a_time
    def draw(self, _change=None) -> None:
        logits = self.trace.lens(len(self.trace.blocks) - 1)
        bits = sampling.surprise(logits, self.trace.tokens)
        notes = ["the first token: nothing to guess it from"]
        for row, one in zip(logits[:-1], bits):
            probs = ops.softmax(row)
            best = top(probs, 3).tolist()
            rivals = zip(self._model.tokenizer.pieces(best), probs[best])
            expected = ", ".join(f"{quote(piece)} {percent(p)}" for piece, p in rivals)
            notes.append(f"{one:.1f} bits · expected: {expected}")
        weights = np.concatenate([[np.nan], 2.0**-bits])
        self.strip.change(
            pieces=self.trace.pieces, ids=self.trace.tokens, weights=weights, notes=notes, selected=None
        )
        told = f"{bits.mean():.2f} bits a token; perplexity {2 ** bits.mean():,.1f}" if bits.size else ""
        self.told.value = status(f"Loss: {told or 'one token only, so nothing was guessed'}.")

    @one_at_a_time
    def _explain(self, position: int) -> Explanation:
        if not position:
            raise ValueError("nothing comes before the first token")
        token = self.trace.tokens[position]
        logits = self.trace.lens(len(self.trace.blocks) - 1)[position - 1]
        found = provenance.prob(logits, token, piece=self._piece(token))
        source = f"trace.lens({len(self.trace.blocks) - 1})[{position - 1}]"
        return replace(found, operands=[Operand("logits", logits, source), *found.operands[1:]])


class StepByStep(Explorer):
    """The loop in the reader's hands: step, back, another token, auto-run, stop.

    The dart for each place of the text comes from the seed and the place alone: going back and stepping again draws
    the same token, as long as the probabilities are the same.
    """

    def __init__(self, model: Model, text: str, *, temperature: float = 1.0, seed: int = 1):
        self._model, self._most = model, min(MAX_TOKENS, model.config.n_ctx)
        self._run = 0  # a number for each turn of the buttons: what runs under an older one has been stopped
        self._writing = 0  # how many turns the loop was asked for
        self._places: list[Place] = []
        self.trace: Trace | None = None
        self.box = TextBox(model, text, live=False)
        self.temperature = _slider(temperature, 2.0, "Temperature")
        self.seed = _seed(seed)
        self.step = _button("step", "draw one token and run the model again", "primary")
        self.back = _button("back", "take the last token away")
        self.write = _button("write 30 more", "thirty turns of the loop")
        self.stop = _button("stop", "stop writing")
        self.again = _button("start again", "back to your own text")
        self.told = ipywidgets.HTML()
        self.text = WrittenText(
            model.tokenizer,
            chooses=True,
            shade_label="the probability the model gave it",
            caption="The text as it grows. Point at a token to see its rivals",
        )
        buttons = ipywidgets.HBox(
            [self.step, self.back, self.write, self.stop, self.again], layout=_WRAP | {"grid_gap": "0"}
        )
        controls = ipywidgets.HBox([self.temperature, buttons, self.seed], layout=_WRAP)
        super().__init__([self.box, controls, self.text, self.told])
        self.box.observe(self.start_again, "tokens")
        self.temperature.observe(self._draw, "value")
        self.step.on_click(lambda _: self.turn(1))
        self.write.on_click(lambda _: self.turn(30))
        self.back.on_click(lambda _: self.go_back())
        self.stop.on_click(lambda _: self._halt())
        self.again.on_click(self.start_again)
        self.text.observe(self._choose, "choice")
        self.start_again()

    @property
    def tokens(self) -> list[int]:
        """The text as it stands, as ids."""
        return [*self.box.tokens, *(one.token for one in self._places)]

    @one_at_a_time
    def start_again(self, _change=None) -> None:
        """Back to the typed text."""
        self._halt()
        self._cut(0)

    @one_at_a_time
    def go_back(self) -> None:
        """Take the last token away."""
        self._halt()
        self._cut(len(self._places) - 1)

    @one_at_a_time
    def turn(self, n: int) -> None:
        """Let the loop turn n times, beside everything else."""
        if self._writing or not self._open():
            return
        self._run += 1
        self._writing = n
        self._enable()
        beside(self._turn(n, self._run))

    async def _turn(self, n: int, run: int) -> None:
        for _ in range(n):
            if not self._one(run):
                break
            await asyncio.sleep(0.01)  # lets the page and the stop button have their turn
        self._finish(run)

    @one_at_a_time
    def _one(self, run: int) -> bool:
        """One turn; says whether another one may follow."""
        if run != self._run:
            return False
        odds = self._odds()
        rng = np.random.default_rng([self.seed.value, len(self._places)])
        self._append(sampling.draw(odds, rng), odds)
        return self._open()

    @one_at_a_time
    def _finish(self, run: int) -> None:
        if run == self._run:
            self._halt()

    def _halt(self) -> None:
        self._run += 1
        self._writing = 0
        self._enable()

    def _cut(self, n: int) -> None:
        """Keep the first n written tokens."""
        self._places = self._places[: max(0, n)]
        self.trace = self._model.trace(self.tokens) if self.box.tokens else None
        self._draw()

    @one_at_a_time
    def _choose(self, change) -> None:
        """The reader takes a rival: the text is cut there, and goes on with it."""
        if change["new"] is None:
            return
        self._halt()
        at, rival = change["new"]
        self.text.choice = None
        i = at - len(self.box.tokens)
        if not 0 <= i <= len(self._places) or self.trace is None:
            return
        if i < len(self._places):
            token = self._places[i].rivals[rival]
            self._cut(i)
        else:
            token = place(self.trace.logits).rivals[rival]
        if self._open():
            self._append(token, self._odds())

    def _append(self, token: int, odds: np.ndarray) -> None:
        self._places.append(place(self.trace.logits, odds, token))
        self.trace = self._model.trace(self.tokens)
        self._draw()

    def _odds(self) -> np.ndarray:
        return Sampler(temperature=self.temperature.value).probs(self.trace.logits)

    def _ended(self) -> bool:
        return bool(self._places) and self._places[-1].token == self._model.tokenizer.eos_token

    def _open(self) -> bool:
        return self.trace is not None and not self._ended() and len(self.tokens) < self._most

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        self.text.layout.visibility = self.told.layout.visibility = "visible" if self.trace else "hidden"
        if self.trace is None:
            self._enable()
            return
        ahead = [place(self.trace.logits, self._odds())] if self._open() else []
        self.text.show(self.box.tokens, [*self._places, *ahead])
        told = summary(self._places, len(self.box.tokens), self.text.again)
        if self._ended():
            told += " It chose its end token: the loop ends here."
        elif not self._open():
            told += f" {self._most} tokens are as many as there is room for: go back, or start again."
        self.told.value = status(told)
        self._enable()

    def _enable(self) -> None:
        # A single step leaves its button alone: a button that is disabled loses the focus of the keyboard.
        self.step.disabled = self.write.disabled = not self._open() or self._writing > 1
        self.stop.disabled = self._writing <= 1
        self.back.disabled = not self._places


def summary(places: Sequence[Place], n_prompt: int, again: Sequence[int]) -> str:
    """How sure the model was of what was written, and how much of it is repetition."""
    if not places:
        return "Nothing is written yet."
    probs = np.array([one.probability for one in places])
    bits = -np.log2(np.maximum(probs, 1e-45))
    told = f"{len(places)} written; perplexity so far {2 ** bits.mean():,.1f}."
    if again:
        repeats = np.isin(np.arange(len(places)) + n_prompt, again)
        told += f" Repetition: {percent(repeats.mean())}"
        if not repeats.all():
            new = percent(probs[~repeats].mean())
            told += f" (mean probability {percent(probs[repeats].mean())}; of all else {new})"
        told += "."
    return told


class Writing(Explorer):
    """Two continuations of one text from the same seed, each with its own temperature, token by token."""

    def __init__(self, model: Model, text: str, n: int = 40):
        self._model, self._n, self._run = model, n, 0
        self.box = TextBox(model, text, live=False)
        self.seed = _seed()
        self.write = _button("write", "both sides again, from the same seed", "primary")
        self.temperatures = [_slider(0.0, 2.0, "Temperature"), _slider(1.0, 2.0, "Temperature")]
        self.texts = [
            WrittenText(model.tokenizer, shade_label="the probability the model gave it")
            for _ in self.temperatures
        ]
        self.told = [ipywidgets.HTML(), ipywidgets.HTML()]
        sides = [
            ipywidgets.VBox(side, layout=_SIDE) for side in zip(self.temperatures, self.told, self.texts)
        ]
        controls = ipywidgets.HBox([self.write, self.seed], layout=_WRAP)
        both = ipywidgets.HBox(sides, layout=_WRAP | {"align_items": "flex-start"})
        super().__init__([self.box, controls, both])
        self.write.on_click(lambda _: self.draw())
        for widget in (self.seed, *self.temperatures):
            widget.observe(self.draw, "value")
        self.box.observe(self.draw, "tokens")
        self.draw()

    @one_at_a_time
    def draw(self, _change=None) -> None:
        """Write both sides again, beside everything else."""
        self._run += 1
        shown = "visible" if self.box.tokens else "hidden"
        for side, text in enumerate(self.texts):
            text.layout.visibility = self.told[side].layout.visibility = shown
            temperature = self.temperatures[side].value
            told = f"temperature {temperature:g}" if temperature else "always the likeliest token"
            text.caption = f"From seed {self.seed.value}: {told}"
            text.show(self.box.tokens, [])
        if self.box.tokens:
            beside(self._write(self._run, self.box.tokens))

    async def _write(self, run: int, prompt: list[int]) -> None:
        await asyncio.sleep(0.05)  # while a slider is moving, only its last place is worth a text
        seed = self.seed.value
        written: list[list[Place]] = [[], []]
        samplers = [Sampler(temperature=one.value) for one in self.temperatures]
        turns = zip_longest(*(self._model.generate(prompt, self._n, one, seed) for one in samplers))
        while self._show(run, prompt, written, turns):
            await asyncio.sleep(0.005)

    @one_at_a_time
    def _show(self, run: int, prompt: list[int], written: list[list[Place]], turns: Iterator[tuple]) -> bool:
        """One more token on each side that is not at its end; says whether there was one."""
        turn = next(turns, None) if run == self._run else None
        for side, step in enumerate(turn or ()):
            if step is not None:
                written[side].append(place(step.logits, token=step.token, n=6))
                self.texts[side].show(prompt, written[side])
                told = summary(written[side], len(prompt), self.texts[side].again)
                self.told[side].value = status(told)
        return turn is not None


class Continuations(Explorer):
    """Many continuations of a text as a tree that grows while they are drawn, and bushes out with the temperature."""

    def __init__(self, model: Model, text: str, *, n: int = 20, length: int = 6):
        self._model, self._run = model, 0
        self._branches: list[Branch] = []
        self._known: dict[tuple[int, ...], np.ndarray] = {}  # logits after what was reached before
        self.box = TextBox(model, text, live=False)
        self.temperature = _slider(1.0, 2.0, "Temperature")
        self.n = _whole(n, 2, 40, "Continuations")
        self.length = _whole(length, 2, 12, "Tokens each")
        self.seed = _seed()
        self.progress = ipywidgets.FloatProgress(
            0, max=1, bar_style="info", layout={"width": "min(430px, 98%)", "height": "14px"}
        )
        self.told = ipywidgets.HTML()
        self.tree = ContinuationTree(
            caption="The ways your text could go on", provenance=self._explain, length=length, n=n
        )
        controls = ipywidgets.HBox([self.temperature, self.n, self.length, self.seed], layout=_WRAP)
        super().__init__([self.box, controls, self.progress, self.told, self.tree])
        for widget in (self.temperature, self.n, self.length, self.seed):
            widget.observe(self.grow, "value")
        self.box.observe(self._new_text, "tokens")
        self._new_text()

    @one_at_a_time
    def _new_text(self, _change=None) -> None:
        self._known.clear()
        shown = "visible" if self.box.tokens else "hidden"
        for part in (self.tree, self.told):
            part.layout.visibility = shown
        self.grow()

    @one_at_a_time
    def grow(self, _change=None) -> None:
        """Grow the tree again, beside everything else."""
        self._run += 1
        self.progress.layout.visibility = "hidden"
        if self.box.tokens:
            beside(self._grow(self._run))

    async def _grow(self, run: int) -> None:
        await asyncio.sleep(0.05)  # while a slider is moving, only its last place is worth a tree
        growing = sampling.continuations(
            self._after,
            self.n.value,
            min(self.length.value, self._model.config.n_ctx - len(self.box.tokens)),
            sampler=Sampler(temperature=self.temperature.value),
            seed=self.seed.value,
            end=self._model.tokenizer.eos_token,
        )
        branches: list[Branch] = []
        drawn = time.monotonic()
        while self._more(run, growing, branches):
            if time.monotonic() - drawn > 0.3:
                self._show(run, branches, False)
                drawn = time.monotonic()
            await asyncio.sleep(0.002)
        self._show(run, branches, True)

    @one_at_a_time
    def _more(self, run: int, growing: Iterator[Branch], branches: list[Branch]) -> bool:
        branch = next(growing, None) if run == self._run else None
        branches += [branch] if branch else []
        return branch is not None

    @one_at_a_time
    def _show(self, run: int, branches: list[Branch], done: bool) -> None:
        if run != self._run or not branches:
            return
        n, length = self.n.value, self.length.value
        self._branches = list(branches)
        self.tree.show(branches, self._model.tokenizer, self.box.tokens[-1], n, length)
        parents = {one.path[:-1] for one in branches}
        leaves = [one for one in branches if one.path not in parents]
        self.progress.layout.visibility = "hidden" if done else "visible"
        if done:
            runs = len(branches) - len(leaves)
            tokens = sum(one.count * len(one.path) for one in leaves)
            self.told.value = status(
                f"{self.tree.headline()}. Where they agree the model runs once for all of them: "
                f"{runs:,} runs for {tokens:,} tokens."
            )
        else:
            end = self._model.tokenizer.eos_token
            ready = [one for one in leaves if len(one.path) == length or one.path[-1:] == (end,)]
            self.progress.value = sum(one.count for one in ready) / n
            self.told.value = status("Growing …")

    def _after(self, path: tuple[int, ...]) -> np.ndarray:
        if path not in self._known:
            if len(self._known) >= 400:  # 80 MB are enough
                self._known.clear()
            self._known[path] = self._model.trace([*self.box.tokens, *path]).logits
        return self._known[path]

    @one_at_a_time
    def _explain(self, index: int) -> Explanation:
        if not 0 < index < len(self._branches):
            raise ValueError("the text itself was not drawn")
        path = self._branches[index].path
        logits, token = self._after(path[:-1]), path[-1]
        piece = self._model.tokenizer.pieces([token])[0]
        found = provenance.prob(logits, token, temperature=self.temperature.value, piece=piece)
        source = f"model.trace({[*self.box.tokens, *path[:-1]]}).logits"
        return replace(found, operands=[Operand("logits", logits, source), *found.operands[1:]])


class ChatEnd(Explorer):
    """A question with and without the chat template: what is written, and the end token's probability at each place."""

    def __init__(self, model: Model, question: str, n: int = 40):
        self._model, self._n, self._run = model, n, 0
        self.box = TextBox(model, question, label="Your question", live=False)
        self.texts = [
            WrittenText(
                model.tokenizer,
                scale="weight",
                shade_label="probability that the end token comes here",
                caption=caption,
            )
            for caption in (
                "With the chat template (dashed: what it adds)",
                "Without it: the same weights, the bare question",
            )
        ]
        self.told = [ipywidgets.HTML(), ipywidgets.HTML()]
        sides = [ipywidgets.VBox(side, layout=_SIDE) for side in zip(self.texts, self.told)]
        both = ipywidgets.HBox(sides, layout=_WRAP | {"align_items": "flex-start"})
        super().__init__([self.box, both])
        self.box.observe(self.draw, "tokens")
        self.draw()

    @one_at_a_time
    def draw(self, _change=None) -> None:
        """Write both answers again, beside everything else."""
        self._run += 1
        shown = "visible" if self.box.tokens else "hidden"
        for text, told in zip(self.texts, self.told):
            text.layout.visibility = told.layout.visibility = shown
        if not self.box.tokens:
            return
        bare = self.box.tokens
        try:
            chat, added = self._templated(bare)
        except ValueError as error:  # a model of another kind
            self.told[0].value = status(f"{str(error).capitalize()}.")
            chat, added = [], []
        for text, prompt, marked in zip(self.texts, (chat, bare), (added, [])):
            text.show(prompt, [], marked=marked)
        beside(self._write(self._run, [(0, chat, added), (1, bare, [])] if chat else [(1, bare, [])]))

    def _templated(self, question: list[int]) -> tuple[list[int], list[int]]:
        """The question in its template, as ids; and the places of what the template adds."""
        tokenizer = self._model.tokenizer
        full, empty = (
            tokenizer.encode_chat([{"role": "user", "content": content}])
            for content in (tokenizer.decode(question), "")
        )
        start = next((i for i, (a, b) in enumerate(zip(full, empty)) if a != b), len(empty))
        end = len(full) - (len(empty) - start)
        return full, [i for i in range(len(full)) if not start <= i < end]

    async def _write(self, run: int, sides: list[tuple[int, list[int], list[int]]]) -> None:
        await asyncio.sleep(0.05)
        greedy = Sampler(temperature=0)
        turns = zip_longest(*(self._model.generate(prompt, self._n, greedy) for _, prompt, _ in sides))
        written: list[list] = [[] for _ in sides]  # the steps so far
        while self._show(run, sides, written, turns):
            await asyncio.sleep(0.005)
        self._say_why(run, sides, written)

    @one_at_a_time
    def _show(self, run: int, sides: list[tuple], written: list[list], turns: Iterator[tuple]) -> bool:
        """One more token on each side that is not at its end; says whether there was one."""
        turn = next(turns, None) if run == self._run else None
        for (side, prompt, marked), steps, step in zip(sides, written, turn or ()):
            if step is not None:
                end = float(ops.softmax(step.logits)[self._model.tokenizer.eos_token])
                steps.append((place(step.logits, token=step.token, n=5), end))
                places, ends = zip(*steps)
                notes = [
                    f"end token {percent(end)}, this one {percent(one.probability)}" for one, end in steps
                ]
                self.texts[side].show(prompt, places, weights=ends, notes=notes, marked=marked)
                self.told[side].value = status("Writing, always the likeliest token …")
        return turn is not None

    @one_at_a_time
    def _say_why(self, run: int, sides: list[tuple], written: list[list]) -> None:
        if run != self._run:
            return
        for (side, _, _), steps in zip(sides, written):
            ended = steps[-1][0].token == self._model.tokenizer.eos_token
            why = "it chose its end token" if ended else f"{self._n} tokens are the limit here"
            n = "1 token" if len(steps) == 1 else f"{len(steps)} tokens"
            self.told[side].value = status(f"It stopped after {n}: {why}.")
