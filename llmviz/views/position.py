"""Pictures of stage 3: waves for places, RoPE's clocks, scores over distance, and the real model without its order."""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence

import ipywidgets
import numpy as np
import traitlets
from jaxtyping import Float

from llmviz import ops, position
from llmviz.model import Edits, Model, Trace
from llmviz.sampling import Sampler
from llmviz.views import theme
from llmviz.views.heat_map import HeatMap
from llmviz.views.line_plot import LinePlot
from llmviz.views.next_token_bars import NextTokenBars
from llmviz.views.picture import (
    STATIC,
    Explorer,
    Floats,
    Picture,
    Pieces,
    lines,
    one_at_a_time,
    percent,
    script,
    style,
)
from llmviz.views.pieces import quote, visible
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.text_box import TextBox, read
from llmviz.views.token_strip import TokenStrip
from llmviz.views.verdicts import Verdict, Verdicts

DISTANCES = np.arange(2_001)
OTHER_BASE = 10_000.0  # the base of the paper, beside that of the model
ALL = "all"  # in a choice of tokens: the mean over all of them
FURTHEST = 200  # of the sliders for a single place
N_WRITTEN = 30
CONTEXTS = (16, 64, 128, 256, 512, 1_024, 1_920)  # tokens before those that are guessed
N_GUESSED = 128
MAX_READ = CONTEXTS[-1] + N_GUESSED
# Written for this project, and under its licence: a text that the model cannot have read.
STORY = (STATIC / "a_long_story.txt").read_text("utf-8")


# ---- what the pictures show, from the model's own arrays ----


def before_rope(
    trace: Trace, layer: int, head: int
) -> tuple[Float[np.ndarray, "seq d_head"], Float[np.ndarray, "seq d_head"]]:
    """The queries and the keys of one head before RoPE: the model's own, with every hand turned back."""
    config, block, edits = trace.model.config, trace.blocks[layer], trace.edits
    q, k = block.q[head], block.k[head // (config.n_heads // config.n_kv_heads)]
    if not edits.rope:
        return q, k
    places = np.arange(len(trace.tokens)) * edits.position_scale + edits.position_shift
    back = -position.rotation_angles(places, config.d_head, base=config.rope_base)
    return position.rotate(q, back), position.rotate(k, back)


def pair_scores(
    q: Float[np.ndarray, " d_head"], k: Float[np.ndarray, " d_head"]
) -> Float[np.ndarray, " n_pairs"]:
    """What each pair of numbers adds to q·k/√d_head."""
    return (q * k).reshape(-1, 2).sum(axis=1) / np.sqrt(len(q), dtype=q.dtype)


def relative_change(one: Trace, other: Trace) -> Float[np.ndarray, " n_layers"]:
    """How much the attention output at the last token differs, in each layer: |a - b| / |a|."""
    ends = [(a.attention.out[-1], b.attention.out[-1]) for a, b in zip(one.blocks, other.blocks)]
    return np.array([np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in ends])


def surprise(model: Model, tokens: Sequence[int], n: int, edits: Edits) -> Float[np.ndarray, " n"]:
    """How surprising each of the last n tokens was after those before it, in bits: -log2 of its probability."""
    trace = model.trace(tokens, edits)
    probs = ops.softmax(model.unembed(trace.blocks[-1].resid_post[-n - 1 : -1], edits))
    return -np.log2(np.maximum(probs[np.arange(n), list(tokens[-n:])], 1e-30))


def moved(before: Float[np.ndarray, " n_vocab"], after: Float[np.ndarray, " n_vocab"]) -> float:
    """The share of the probability that went to other tokens, 0 to 1 (total variation)."""
    return float(np.abs(before - after).sum() / 2)


# ---- pictures ----


class RopeDial(Picture):
    """The pairs of one query and one key as clocks with two hands each, fast to slow, and what each adds to the score.

    q_hands, k_hands [n_pairs, 2]: the pairs after RoPE has turned them. `selected` is a pair, by click or arrow keys.
    """

    _esm = script("rope_dial")
    _css = style("rope_dial")
    _data = ("q_hands", "k_hands", "parts", "q_name", "k_name", "q_position", "k_position")

    q_hands = Floats(ndim=(2,))
    k_hands = Floats(ndim=(2,))
    parts = Floats(ndim=(1,))  # what each pair adds to the score
    periods = Floats(ndim=(1,))  # tokens for one full turn
    limit = traitlets.Float(1.0).tag(sync=True)  # where the bars end
    score = traitlets.Float(0.0).tag(sync=True)
    q_name = Pieces()
    k_name = Pieces()
    q_position = traitlets.Int(0).tag(sync=True)
    k_position = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def text(self) -> str:
        """The score, then a line a pair: how fast it turns, both angles, and what it adds."""
        if self.parts is None:
            return self.headline()
        rows = [["pair", "tokens a turn", "query's hand", "key's hand", "adds"]]
        for i, (q, k, part, period) in enumerate(zip(self.q_hands, self.k_hands, self.parts, self.periods)):
            rows.append([i, f"{period:,.3g}", _degrees(q), _degrees(k), _amount(part)])
        return f"{self.headline()}\n{lines(rows)}"

    def headline(self) -> str:
        if self.parts is None:
            return "no query and key yet"
        q, k = (visible(name[0]) if name else "" for name in (self.q_name, self.k_name))
        return f"Query {q} at {self.q_position}, key {k} at {self.k_position}: score {self.score:.2f}"

    @traitlets.validate("selected")
    def _a_pair(self, proposal):
        value = proposal["value"]
        if value is not None and (self.parts is None or not 0 <= value < len(self.parts)):
            raise traitlets.TraitError(f"there is no pair {value}")
        return value


# ---- controls ----


def slider(
    value: float, name: str, last: float, *, first: float = 0, step: float = 1
) -> ipywidgets.IntSlider | ipywidgets.FloatSlider:
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    return kind(
        value,
        min=first,
        max=last,
        step=step,
        description=name,
        style={"handle_color": theme.STAGE_COLORS["position"][0], "description_width": "initial"},
        layout={"width": "min(430px, 98%)"},
    )


def choice(options: Sequence, value: object, name: str) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(
        options=options,
        value=value,
        description=name,
        style={"description_width": "initial"},
        layout={"width": "min(300px, 98%)"},
    )


def button(name: str, tooltip: str = "") -> ipywidgets.Button:
    return ipywidgets.Button(description=name, tooltip=tooltip, layout={"width": "auto"})


def row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    """Side by side where there is room, else under each other."""
    return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "grid_gap": "0 20px"})


def wide(picture: Picture) -> Picture:
    picture.layout = {"flex": "1 1 420px", "min_width": "0"}
    return picture


class Told(ipywidgets.HTML):
    """Sentences computed from the numbers beside them, set as text."""

    def say(self, *sentences: str) -> None:
        rows = "".join(f"<div>{html.escape(one)}</div>" for one in sentences if one)
        size = theme.SIZES["body"]
        self.value = f'<div role="status" style="font-size:{size}px;line-height:1.5">{rows}</div>'


class Background:
    """One coroutine at a time, beside the kernel's other work; a new one ends the one before."""

    def __init__(self):
        self._task: asyncio.Task | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, work: Coroutine) -> None:
        self.stop()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no event loop: a plain script, or a test
            asyncio.run(work)
            return
        self._task = loop.create_task(work)
        self._task.add_done_callback(lambda task: task.cancelled() or task.result())

    def stop(self) -> None:
        if self.busy:  # perhaps in the loop of another thread
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        self._task = None


# ---- the pattern of 2017 ----


class SinusoidPattern(Explorer):
    """The sinusoidal encoding as a picture, and the dot product of one row with the rows before and after it."""

    def __init__(self, *, n_positions: int = 100, d_model: int = 128, row: int = 20):
        self.encoding = position.sinusoidal_encoding(np.arange(n_positions), d_model)
        self.row = slider(row, "Position", n_positions - 1)
        self.map = HeatMap(
            self.encoding,
            range(n_positions),
            range(d_model),
            row_axis="position",
            col_axis="dimension",
            kind="signed",
            limit=1.0,
            numbers="never",
            stage="position",
            caption=f"A line for each position, {d_model} numbers long: fast waves on the left, slow ones on the right",
            provenance=self._explain,
        )
        self.lines = LinePlot(
            x_axis="distance from the chosen position",
            y_axis="dot product",
            stage="position",
            y_max=d_model / 2,
        )
        super().__init__([self.row, self.map, self.lines])
        self.row.observe(lambda _: self._show(), "value")
        self.map.observe(self._picked, "selected")
        self._show()

    @one_at_a_time
    def _picked(self, change) -> None:
        if change["new"] is not None:
            self.row.value = change["new"][0]

    @one_at_a_time
    def _show(self) -> None:
        p, n = self.row.value, len(self.encoding)
        products = self.encoding @ self.encoding[p]
        reach = n - 1
        values = np.full(2 * reach + 1, np.nan, np.float32)
        values[reach - p : reach - p + n] = products
        if self.map.selected is None or self.map.selected[0] != p:
            self.map.selected = [p, self.map.selected[1] if self.map.selected else 0]
        self.lines.change(
            x=np.arange(-reach, reach + 1),
            values=values[None],
            names=[f"position {p} with each other position"],
            caption=f"Line {p} times every line: the further away, the smaller on the whole",
            selected=reach,
        )

    def _explain(self, at: int, column: int) -> Explanation:
        d_model = self.encoding.shape[1]
        wave = "sin" if column % 2 == 0 else "cos"
        return Explanation(
            f"Number {column} of position {at}",
            f"{wave} of position / 10000^(2i / d_model), with 2i = {column - column % 2}",
            [Operand("position", at), Operand("column", column - column % 2), Operand("d_model", d_model)],
            f"np.{wave}(position / 10_000 ** (column / d_model))",
            self.encoding[at, column],
        )


# ---- RoPE: clocks, and scores over distance ----


class _OneHead(Explorer):
    """Sliders for layer and head, and a choice of the query's and the key's token."""

    def __init__(
        self, trace: Trace, layer: int, head: int, query: int | str, key: int | str, *, averages: bool
    ):
        self.trace = trace
        config, seq = trace.model.config, len(trace.tokens)
        self.layer = slider(min(layer, config.n_layers - 1), "Layer", config.n_layers - 1)
        self.head = slider(min(head, config.n_heads - 1), "Head", config.n_heads - 1)
        named = [(f"{visible(piece)}  ({i})", i) for i, piece in enumerate(trace.pieces[: theme.MAX_TOKENS])]
        every = [("all tokens, averaged", ALL)] if averages else []
        self.query = choice([*every, *named], _place(query, seq), "Query of")
        self.key = choice([*every, *named], _place(key, seq), "Key of")
        super().__init__()

    def controls(self) -> list[ipywidgets.Widget]:
        return [row(self.layer, self.head), row(self.query, self.key)]

    def q_and_k(self) -> tuple[Float[np.ndarray, " d_head"], Float[np.ndarray, " d_head"]]:
        """The chosen query and key before RoPE. A mean leaves out the first token, which is unlike all others."""
        q, k = before_rope(self.trace, self.layer.value, self.head.value)
        rest = slice(1 if len(q) > 1 else 0, None)
        chosen = ((q, self.query.value), (k, self.key.value))
        q, k = (one[rest].mean(axis=0) if at == ALL else one[at] for one, at in chosen)
        return q, k


class DialExplorer(_OneHead):
    """RoPE's clocks for one real query and one real key, with sliders for where the two stand."""

    def __init__(self, trace: Trace, *, layer: int = 13, head: int = 8, query: int = -2, key: int = 1):
        super().__init__(trace, layer, head, query, key, averages=False)
        self.q_place = slider(min(self.query.value, FURTHEST), "Query stands at", FURTHEST)
        self.k_place = slider(min(self.key.value, FURTHEST), "Key stands at", FURTHEST)
        self.both = slider(0, "Move both by", 1_000)
        self.home = button("back to where they stand in the text")
        config = trace.model.config
        speeds = position.rotation_angles(np.array([1.0]), config.d_head, base=config.rope_base)[0]
        self.dial = RopeDial(
            stage="position",
            caption=f"The {config.d_head // 2} pairs of one query and one key as clock hands, fast ones first",
            periods=2 * np.pi / speeds,
            provenance=self._explain,
        )
        self.told = Told()
        self.children = [
            *self.controls(),
            row(self.q_place, self.k_place, self.both, self.home),
            self.dial,
            self.told,
        ]
        for one in (self.layer, self.head, self.q_place, self.k_place, self.both):
            one.observe(self._show, "value")
        for one in (self.query, self.key):
            one.observe(self._go_home, "value")
        self.home.on_click(self._go_home)
        self._moving = False
        self._show()

    @one_at_a_time
    def _go_home(self, _=None) -> None:
        self._moving = True
        self.q_place.value = min(self.query.value, FURTHEST)
        self.k_place.value = min(self.key.value, FURTHEST)
        self.both.value = 0
        self._moving = False
        self._show()

    @one_at_a_time
    def _show(self, _change=None) -> None:
        if self._moving:
            return
        config, seq = self.trace.model.config, len(self.trace.tokens)
        q, k = self.q_and_k()
        places = np.array([self.q_place.value, self.k_place.value]) + self.both.value
        angles = position.rotation_angles(places, config.d_head, base=config.rope_base)
        self._turned = position.rotate(np.stack([q, k]), angles)
        hands = self._turned.reshape(2, -1, 2)
        parts = pair_scores(*self._turned)
        lengths = np.linalg.norm(np.stack([q, k]).reshape(2, -1, 2), axis=-1)
        self.dial.change(
            q_hands=hands[0],
            k_hands=hands[1],
            parts=parts,
            # the most that the third strongest pair can add: one or two pairs are often far stronger than the rest
            limit=float(np.sort(lengths[0] * lengths[1])[-min(3, len(parts))] / np.sqrt(config.d_head))
            or 1.0,
            score=float(parts.sum()),
            q_name=[self.trace.pieces[self.query.value]],
            k_name=[self.trace.pieces[self.key.value]],
            q_position=int(places[0]),
            k_position=int(places[1]),
        )
        at_home = (self.q_place.value, self.k_place.value) == (self.query.value, self.key.value)
        distance = int(places[0] - places[1])
        told = f"The {len(parts)} bars add up to {_amount(parts.sum())}."
        if at_home and not self.both.value and self.key.value <= self.query.value < seq:
            own = self.trace.blocks[self.layer.value].attention.scores[
                self.head.value, self.query.value, self.key.value
            ]
            told += (
                f" They stand where they do in your text; the score the model used there is {_amount(own)}."
            )
        if distance < 0:
            told += " The key stands after the query: the model would mask this score."
        self.told.say(told)

    def _explain(self, pair: int) -> Explanation:
        q, k = self._turned[:, 2 * pair : 2 * pair + 2]
        return Explanation(
            f"What pair {pair} adds to the score",
            "the dot product of the two hands / √d_head = length · length · cos(angle between them) / √d_head",
            [
                Operand("q", q, f"numbers {2 * pair} and {2 * pair + 1} of the query, turned"),
                Operand("k", k, "the same two of the key, turned"),
                Operand("d_head", self.trace.model.config.d_head),
            ],
            "q @ k / np.sqrt(d_head)",
            pair_scores(*self._turned)[pair],
        )


class ScoreByDistance(_OneHead):
    """The score of one query and one key of a head as a curve over the distance between them, for two bases."""

    def __init__(
        self, trace: Trace, *, layer: int = 13, head: int = 8, query: int | str = -2, key: int | str = 1
    ):
        super().__init__(trace, layer, head, query, key, averages=True)
        self.lines = LinePlot(
            x_axis="distance in tokens, key before query",
            y_axis="score",
            log_x=True,
            stage="position",
            y_min=None,
            caption="The score, if the same query stood further and further behind the same key",
        )
        self.told = Told()
        self.children = [*self.controls(), self.lines, self.told]
        for one in (self.layer, self.head, self.query, self.key):
            one.observe(self._show, "value")
        self._show()

    @one_at_a_time
    def _show(self, _change=None) -> None:
        q, k = self.q_and_k()
        bases = (self.trace.model.config.rope_base, OTHER_BASE)
        values = np.stack([position.score_by_distance(q, k, DISTANCES, base=base) for base in bases])
        names = [f"base {base:,.0f}{' (this model)' if i == 0 else ''}" for i, base in enumerate(bases)]
        self.lines.change(x=DISTANCES, values=values, names=names)
        own, other = values
        best = int(own.argmax())
        far = [100, 1_000]
        self.told.say(
            f"Layer {self.layer.value}, head {self.head.value}: the score is highest at distance {best:,} "
            f"({_amount(own[best])}); at distance 1 it is {_amount(own[1])}, at {far[0]} {_amount(own[far[0]])}, "
            f"at {far[1]:,} {_amount(own[far[1]])}.",
            f"With base {bases[1]:,.0f} all hands but the first would turn faster: at {far[0]} the score would be "
            f"{_amount(other[far[0]])}, at {far[1]:,} {_amount(other[far[1]])}.",
        )


# ---- on the real model ----

SETTINGS: Mapping[str, Edits] = {
    "as it is": Edits(),
    "RoPE off": Edits(rope=False),
    "all at one place": Edits(position_scale=0.0),
    "stretched × 2": Edits(position_scale=2.0),
    "stretched × 4": Edits(position_scale=4.0),
    "squeezed to half": Edits(position_scale=0.5),
    "moved by 1,000": Edits(position_shift=1_000.0),
}


class PositionSwitches(Explorer):
    """RoPE off, positions equal, stretched or moved in every layer of the real model: what that does to the next
    token, and to 30 tokens written with each setting (always the likeliest token)."""

    def __init__(self, model: Model, text: str, *, setting: str = "RoPE off"):
        self._model, self._setting = model, False
        self._writing = Background()
        self.box = TextBox(model, text, label="Your text (Enter runs the model)", live=False)
        self.presets = ipywidgets.ToggleButtons(
            options=list(SETTINGS), value=None, style={"button_width": "auto"}, tooltips=[*SETTINGS]
        )
        self.rope = ipywidgets.Checkbox(True, description="RoPE on", indent=False, layout={"width": "auto"})
        self.scale = slider(1.0, "Positions times", 8.0, step=0.25)
        self.shift = slider(0, "plus", 2_000, step=50)
        self.told = Told()
        self.bars = NextTokenBars(
            _flat(model),
            model.tokenizer,
            n=10,
            before_label="the model as it is",
            caption="The next token with these positions; outline: the model as it is",
        )
        self.write = button(
            f"Write {N_WRITTEN} tokens with each setting", "always the likeliest token, in every setting"
        )
        self.strips = {name: TokenStrip([], caption=name, stage="position") for name in SETTINGS}
        self.written = ipywidgets.VBox([])
        super().__init__(
            [
                self.box,
                self.presets,
                row(self.rope, self.scale, self.shift),
                self.told,
                self.bars,
                self.write,
                self.written,
            ]
        )
        self.box.observe(self._new_text, "tokens")
        self.presets.observe(self._preset, "value")
        for one in (self.rope, self.scale, self.shift):
            one.observe(self._moved, "value")
        self.write.on_click(lambda _: self._writing.start(self._write()))
        self.presets.value = setting

    @property
    def edits(self) -> Edits:
        return Edits(
            rope=self.rope.value,
            position_scale=float(self.scale.value),
            position_shift=float(self.shift.value),
        )

    @one_at_a_time
    def _preset(self, change) -> None:
        if change["new"] is None:
            return
        edits = SETTINGS[change["new"]]
        self._setting = True
        self.rope.value, self.scale.value = edits.rope, edits.position_scale
        self.shift.value = int(edits.position_shift)
        self._setting = False
        self._show()

    @one_at_a_time
    def _moved(self, _change=None) -> None:
        if self._setting:
            return
        named = [name for name, edits in SETTINGS.items() if edits == self.edits]
        if named:
            self._setting = True
            self.presets.value = named[0]
            self._setting = False
        else:
            self.presets.value = None
        self._show()

    @one_at_a_time
    def _new_text(self, _change=None) -> None:
        self._writing.stop()
        self.written.children = ()
        self._show()

    @one_at_a_time
    def _show(self) -> None:
        self.bars.layout.visibility = "visible" if self.box.tokens else "hidden"
        self.write.disabled = not self.box.tokens
        if not self.box.tokens:
            self.told.say("")
            return
        before = Sampler().probs(self._model.trace(self.box.tokens).logits)
        try:
            after = Sampler().probs(self._model.trace(self.box.tokens, self.edits).logits)
        except FloatingPointError as error:
            self.bars.show(before, before=None)
            self.told.say(f"{str(error).capitalize()}. The bars show the model as it is.")
            return
        self.bars.show(after, before=None if self.edits == Edits() else before)
        self.told.say(self._verdict(before, after))

    def _verdict(self, before: np.ndarray, after: np.ndarray) -> str:
        if self.edits == Edits():
            return "This is the model as it was trained: positions 0, 1, 2 …"
        if not self.edits.rope and self.edits != Edits(rope=False):
            unused = "RoPE is off, so nothing reads these positions. "
        else:
            unused = ""
        first, now = int(before.argmax()), int(after.argmax())
        named = {token: quote(self._model.tokenizer.pieces([token])[0]) for token in (first, now)}
        told = f"{named[first]} had {percent(before[first])} and has {percent(after[first])}"
        told += "." if now == first else f"; the likeliest is {named[now]} now, with {percent(after[now])}."
        return f"{unused}{told} In all, {percent(moved(before, after))} of the probability moved to other tokens."

    async def _write(self) -> None:
        """One strip a setting, filled token by token, one setting after the other."""
        tokens = self.box.tokens
        for strip in self.strips.values():
            strip.change(pieces=[])
        self.written.children = tuple(self.strips.values())
        for name, strip in self.strips.items():
            ids: list[int] = []
            try:
                for step in self._model.generate(
                    tokens, N_WRITTEN, Sampler(temperature=0), edits=SETTINGS[name]
                ):
                    ids.append(step.token)
                    strip.change(pieces=self._model.tokenizer.pieces(ids))
                    await asyncio.sleep(0.002)
            except FloatingPointError as error:
                self.told.say(f"{name}: {error}")


ORDER_SETTINGS: Mapping[str, Edits] = {
    "the model as it is": Edits(),
    "RoPE off": Edits(rope=False),
    "RoPE off, mask off": Edits(rope=False, causal_mask=False),
}


class SwapWords(Explorer):
    """Two tokens of a text change places; how much does the last token notice, layer by layer?

    Lines: the relative change of the attention output at the last token, in the model as it is, without RoPE, and
    without RoPE and causal mask. Bars: the next token before and after the swap.
    """

    def __init__(self, model: Model, text: str, *, first: int | str = 0, second: int | str = 1):
        self._model, self._wanted, self._choosing = model, (first, second), False
        self.box = TextBox(model, text, label="Your text (Enter runs the model)", live=False)
        self.first, self.second = choice([], None, "Swap"), choice([], None, "with")
        self.told = Told()
        self.before = TokenStrip([], stage="position", caption="Your text")
        self.after = TokenStrip([], stage="position", caption="The same tokens, two of them swapped")
        self.lines = LinePlot(
            x_axis="layer",
            y_axis="change at the last token",
            stage="position",
            caption="How much the swap changes what attention hands to the last token (1 = as much as there was)",
        )
        self.bars = {
            name: wide(
                NextTokenBars(
                    _flat(model),
                    model.tokenizer,
                    n=6,
                    before_label="before the swap",
                    caption=f"Next token after the swap: {name}",
                )
            )
            for name in ("the model as it is", "RoPE off")
        }
        self.pictures = ipywidgets.VBox(
            [self.before, self.after, self.lines, self.told, row(*self.bars.values())]
        )
        super().__init__([self.box, row(self.first, self.second), self.pictures])
        self.box.observe(self._new_text, "tokens")
        for one in (self.first, self.second):
            one.observe(self._show, "value")
        self._new_text()

    @one_at_a_time
    def _new_text(self, _change=None) -> None:
        pieces = self._model.tokenizer.pieces(self.box.tokens)
        options = [(f"{visible(piece)}  ({i})", i) for i, piece in enumerate(pieces[:-1])]
        wanted = [pieces.index(one) if one in pieces[:-1] else None for one in self._wanted]
        wanted = [one if isinstance(one, int) else at for one, at in zip(self._wanted, wanted)]
        if None in wanted or max(wanted) >= len(options):
            wanted = [0, 1]
        self._choosing = True
        for one, at in zip((self.first, self.second), wanted):
            one.options = options
            one.value = at if at < len(options) else None
        self._choosing = False
        self._show()

    @one_at_a_time
    def _show(self, _change=None) -> None:
        if self._choosing:
            return
        tokens, places = list(self.box.tokens), [self.first.value, self.second.value]
        ready = len(tokens) >= 3 and None not in places
        self.pictures.layout.display = "" if ready else "none"
        if not ready:
            if tokens:
                self.box.say(
                    "A swap needs at least three tokens: two that change places, and a last one that looks."
                )
            return
        swapped = list(tokens)
        swapped[places[0]], swapped[places[1]] = tokens[places[1]], tokens[places[0]]
        for strip, ids in ((self.before, tokens), (self.after, swapped)):
            strip.change(pieces=self._model.tokenizer.pieces(ids), ids=ids, highlight=places)
        changes, shifts = [], []
        for name, edits in ORDER_SETTINGS.items():
            try:
                one, other = self._model.trace(tokens, edits), self._model.trace(swapped, edits)
            except FloatingPointError as error:
                self.told.say(str(error).capitalize())
                return
            changes.append(relative_change(one, other))
            probs = [Sampler().probs(trace.logits) for trace in (one, other)]
            shifts.append(moved(*probs))
            if name in self.bars:
                self.bars[name].show(probs[1], before=probs[0])
        n_layers = len(changes[0])
        self.lines.change(x=np.arange(n_layers), values=np.stack(changes), names=[*ORDER_SETTINGS])
        self.told.say(*self._verdict(tokens, places, changes, shifts))

    def _verdict(self, tokens, places, changes, shifts) -> Iterator[str]:
        if tokens[places[0]] == tokens[places[1]]:
            yield "These two are the same token: swapping them changes nothing. Choose two different ones."
            return
        (_, off, blind) = changes
        yield (
            f"Without RoPE, layer 0: the swap changes the last token's attention output by {percent(off[0])}"
            f" of its length{', nothing but rounding' if off[0] < 1e-5 else ''}. Layer 1: by {percent(off[1])}; "
            f"the last layer: by {percent(off[-1])}. In the end {percent(shifts[1])} of the next token's probability "
            f"moved (with RoPE: {percent(shifts[0])})."
        )
        yield (
            f"Without RoPE and without the causal mask, after all {len(off)} layers: {percent(blind[-1])}, and "
            f"{percent(shifts[2])} of the probability moved. So the order that was left came in through the mask."
            if blind[-1] < 1e-3
            else f"Without RoPE and mask the last layer's output changed by {percent(blind[-1])}."
        )


class LongText(Explorer):
    """The same last tokens of a long text, guessed with more and more of the text before them, up to 2,048 tokens."""

    def __init__(self, model: Model, text: str):
        self._model, self._work = model, Background()
        self.text = ipywidgets.Textarea(text, rows=5, layout={"width": "min(900px, 98%)"})
        self.other = choice(
            ["nothing", "RoPE off", "stretched × 2", "stretched × 4"], "nothing", "Compare with"
        )
        self.run = button("Measure")
        self.progress = ipywidgets.IntProgress(0, 0, 1, layout={"width": "220px", "visibility": "hidden"})
        self.told = Told()
        self.lines = LinePlot(
            x_axis="tokens of text before them",
            y_axis="mean surprise, bits",
            log_x=True,
            unit="bits",
            stage="position",
            waiting="Press Measure. How long it takes is said as it runs.",
        )
        super().__init__(
            [
                ipywidgets.HTML("<b>A long text</b>"),
                self.text,
                row(self.other, self.run, self.progress),
                self.told,
                self.lines,
            ]
        )
        self.run.on_click(self._click)
        self._say_length()
        self.text.observe(self._say_length, "value")

    def _plan(self, n: int) -> tuple[int, list[int]]:
        """How many tokens are guessed, and the numbers of tokens before them."""
        guessed = min(N_GUESSED, n // 3)
        return guessed, [context for context in CONTEXTS if context + guessed <= n]

    def _tokens(self) -> tuple[list[int], str]:
        limit = min(MAX_READ, self._model.config.n_ctx)
        reading = read(self.text.value, self._model.tokenizer, limit=limit)
        return reading.tokens, reading.told

    @one_at_a_time
    def _say_length(self, _change=None) -> None:
        tokens, told = self._tokens()
        guessed, contexts = self._plan(len(tokens))
        self.run.disabled = len(contexts) < 2
        if self.run.disabled:
            self.told.say(told, "For this experiment paste a text of at least 100 tokens.")
            return
        last, most = f"The last {guessed} tokens of the text", f"{contexts[-1]:,}"
        self.lines.caption = f"{last}, guessed with {contexts[0]} to {most} tokens before them"
        self.told.say(told, f"{len(tokens):,} tokens are ready.")

    @one_at_a_time
    def _click(self, _=None) -> None:
        if self._work.busy:
            self._work.stop()
            self._rest("Stopped.")
        else:
            self._work.start(self._measure())

    async def _measure(self) -> None:
        tokens, _ = self._tokens()
        guessed, contexts = self._plan(len(tokens))
        names = ["as it is"] + ([] if self.other.value == "nothing" else [self.other.value])
        values = np.full((len(names), len(contexts)), np.nan)
        costs = [context + guessed for context in contexts]
        self.progress.max, self.progress.value = len(names) * sum(costs), 0
        self.progress.layout.visibility, self.run.description = "visible", "Stop"
        start = time.perf_counter()
        for i, name in enumerate(names):
            for j, cost in enumerate(costs):
                self.told.say(f"{name}: {cost:,} tokens … {time.perf_counter() - start:.0f} s so far")
                await asyncio.sleep(
                    0.05
                )  # the page is told before the work begins, and a click on Stop is heard
                began = time.perf_counter()
                try:
                    values[i, j] = surprise(self._model, tokens[-cost:], guessed, SETTINGS[name]).mean()
                except FloatingPointError as error:
                    self._rest(f"{name}: {error}")
                    return
                longest = time.perf_counter() - began
                self._model.forget()  # a run over 2,048 tokens holds several hundred megabytes
                self.progress.value += cost
                self.lines.change(x=contexts, x_ticks=contexts, values=values, names=names)
        self._rest(*self._verdict(names, contexts, guessed, values, time.perf_counter() - start, longest))

    def _verdict(self, names, contexts, guessed, values, seconds, longest) -> Iterator[str]:
        own = values[0]
        best = int(own.argmin())
        yield (
            f"With {contexts[0]} tokens before them, the last {guessed} tokens were {own[0]:.2f} bits surprising on "
            f"average; with {contexts[-1]:,}, {own[-1]:.2f} bits. The least surprise, {own[best]:.2f} bits, came with "
            f"{contexts[best]:,} tokens before them."
        )
        worse = own[-1] - own[best]
        yield (
            "Up to here the model does not get worse as the text gets longer."
            if worse < 0.05
            else f"The longest text is {worse:.2f} bits worse than the best length."
        )
        for name, line in zip(names[1:], values[1:]):
            gaps = line - own
            yield (
                f"{name}: {gaps[0]:+.2f} bits with {contexts[0]} tokens before, "
                f"{gaps[-1]:+.2f} with {contexts[-1]:,}."
            )
        yield (
            f"All this took {seconds:.1f} s here; the last run alone, over {contexts[-1] + guessed:,} tokens, "
            f"{longest:.1f} s."
        )

    def _rest(self, *sentences: str) -> None:
        self.progress.layout.visibility, self.run.description = "hidden", "Measure"
        self.told.say(*sentences)


# ---- what people say ----


def claims(model: Model) -> Verdicts:
    """Six claims about position, measured now: the verdicts follow from the numbers."""
    trace = model.trace("The cat that I saw yesterday was sleeping")
    return Verdicts(
        [_no_order(model), *_only_distance(trace), _fading(trace), _blind(model), _nothing_left(model)]
    )


def _no_order(model: Model) -> Verdict:
    one, other = (model.tokenizer.encode(text) for text in ("The dog bites the man", "The man bites the dog"))
    same = sorted(one) == sorted(other)
    return Verdict(
        "The embedding knows nothing of order.",
        f"“The dog bites the man”, “The man bites the dog”: {'the same' if same else 'different'} rows of the table.",
        "holds" if same else "fails for this pair",
    )


def _only_distance(trace: Trace) -> tuple[Verdict, Verdict]:
    config = trace.model.config
    q, k = before_rope(trace, config.n_layers // 2, 0)
    scores = []
    for places in ((5, 2), (105, 102), (1_005, 1_002)):
        angles = position.rotation_angles(np.array(places), config.d_head, base=config.rope_base)
        turned = position.rotate(np.stack([q[-1], k[0]]), angles)
        scores.append(pair_scores(*turned).sum())
    apart = float(np.ptp(scores))
    moved_by = trace.model.trace(trace.tokens, Edits(position_shift=1_000.0))
    change = float(np.abs(ops.softmax(moved_by.logits) - ops.softmax(trace.logits)).max())
    return (
        Verdict(
            "With RoPE a score depends on the distance only.",
            f"One query and one key at 5 and 2, 105 and 102, 1,005 and 1,002: {', '.join(map(_amount, scores))}.",
            "holds" if apart < 1e-2 * np.abs(scores).max() else "fails",
        ),
        Verdict(
            "So a text may stand anywhere.",
            f"All positions plus 1,000: no probability of the next token changes by more than {change:.1e}.",
            "holds" if change < 1e-3 else "fails",
        ),
    )


def _fading(trace: Trace) -> Verdict:
    config, rest = trace.model.config, slice(1, None)
    lower = steady = 0
    for layer in range(config.n_layers):
        for head in range(config.n_heads):
            q, k = (x[rest].mean(axis=0) for x in before_rope(trace, layer, head))
            curve = position.score_by_distance(q, k, DISTANCES, base=config.rope_base)
            lower += curve[1_000] < curve[1]
            steady += bool((np.diff(curve) <= 0).all())
    n = config.n_layers * config.n_heads
    return Verdict(
        "RoPE makes scores fall with the distance.",
        f"A usual query and key of {n} heads: lower at distance 1,000 than at 1 in {lower}, falling steadily in "
        f"{steady}.",
        f"{'is true of most heads' if lower > 0.5 * n else 'is false for most heads'}"
        f"{'; none falls steadily' if not steady else ''}",
    )


def _blind(model: Model) -> Verdict:
    tokens = model.tokenizer.encode("First red, then blue. The first colour was")
    swapped = [*tokens[1::-1], *tokens[2:]]
    changes = relative_change(*(model.trace(some, Edits(rope=False)) for some in (tokens, swapped)))
    one, all_of_them = changes[0] < 1e-4, changes[-1] < 1e-4
    return Verdict(
        "Without positions a model cannot see the order.",
        "RoPE off, the first two tokens swapped. What attention hands to the last token changes by "
        f"{percent(changes[0])} in layer 0, by {percent(changes[-1])} in layer {len(changes) - 1}.",
        "holds"
        if all_of_them
        else "is true of one layer, not of the whole: the mask tells"
        if one
        else "fails",
    )


def _nothing_left(model: Model) -> Verdict:
    text = "The capital of France is"
    paris = model.tokenizer.encode(" Paris")[0]
    with_it, off = (ops.softmax(model.trace(text, edits).logits) for edits in (Edits(), Edits(rope=False)))
    return Verdict(
        "Without positions nothing works any more.",
        f"“{text}” → Paris: {percent(with_it[paris])} with RoPE, {percent(off[paris])} without.",
        "is an exaggeration: it is still the likeliest" if off.argmax() == paris else "holds, for this text",
    )


# ---- small things ----


def _flat(model: Model) -> np.ndarray:
    """Probabilities to make an empty picture with."""
    return np.full(model.config.n_vocab, 1 / model.config.n_vocab)


def _place(at: int | str, seq: int) -> int | str:
    """A position that a text of `seq` tokens has (drawn ones only), counted from the end where negative; or ALL."""
    if at == ALL:
        return ALL
    last = min(seq, theme.MAX_TOKENS) - 1
    return min(max(at + seq if at < 0 else at, 0), last)


def _amount(value: float | np.floating) -> str:
    return "–" if np.isnan(value) else f"{value:.3g}".replace("-", "−")


def _degrees(hand: np.ndarray) -> str:
    return f"{np.degrees(np.arctan2(hand[1], hand[0])):.0f}°".replace("-", "−")
