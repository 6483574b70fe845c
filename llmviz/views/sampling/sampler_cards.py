"""The steps of a sampler as cards, and what is left to draw from after the last one."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations, product
from pathlib import Path

import numpy as np
import traitlets

from llmviz import ops, sampling
from llmviz.sampling import STEPS, Filtered
from llmviz.views import provenance
from llmviz.views.kit.controls import choice
from llmviz.views.kit.next_token_bars import bars_part, chosen_token
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Picture, lines
from llmviz.views.kit.state_fields import number, replace, several
from llmviz.views.kit.view import Scene, View, explains, on, part, shared
from llmviz.views.provenance import Explanation

N_SHAPE = 24  # bars on a card
LIMITS = {"temperature": (0, 3), "top_k": (1, 200), "top_p": (0.01, 1), "min_p": (0, 1)}

NO_PRESET = "choose …"
# The steps of each preset, in order.
PRESETS = {
    name: tuple(steps.items())
    for name, steps in tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8")).items()
}


class SamplerCards(Picture):
    """The steps of a sampler as cards in a row, which can be dragged or moved with the arrow keys, switched and set.

    `order`: all names of `STEPS`, first to last. `on`: those that are switched on. `settings`: a number for each.
    Python computes what the cards do: `left` {name: kept, cut, bits, bits_before} for those that are on, and `shapes`
    [4, n], the highest probabilities after each card, in the cards' order. Both are for `computed_for` [order, on,
    settings]; while the cards differ from that, the page dims them.
    """

    _static = "sampler_cards"
    _by_page = ("order", "on", "settings")

    order = traitlets.List(traitlets.Enum(STEPS), list(STEPS)).tag(sync=True)
    on = traitlets.List(traitlets.Enum(STEPS), ["temperature", "top_p"]).tag(sync=True)
    settings = traitlets.Dict(
        per_key_traits={name: traitlets.Float(min=first, max=last) for name, (first, last) in LIMITS.items()},
        default_value={"temperature": 2.0, "top_k": 40, "top_p": 0.9, "min_p": 0.05},
    ).tag(sync=True)
    left = traitlets.Dict().tag(sync=True)
    computed_for = traitlets.List().tag(sync=True)
    shapes = Floats(ndim=(2,))
    n_vocab = traitlets.Int(1).tag(sync=True)

    def page_values(self) -> dict:
        """Return all orders, any cards, and each setting at 21 places between its limits."""
        lines = {name: np.round(np.linspace(*ends, 21), 2).tolist() for name, ends in LIMITS.items()}
        return {
            "order": [*map(list, permutations(STEPS))],
            "on": [[*names] for k in range(len(STEPS) + 1) for names in combinations(STEPS, k)],
            "settings": [{**self.settings, name: v} for name, line in lines.items() for v in line],
        }

    def text(self) -> str:
        rows = [["step", "setting", "keeps", "cuts"]]
        for name in self.order:
            left = self.left.get(name)
            rest = [f"{left['kept']:,}", percent(left["cut"])] if left else ["off"]
            rows.append([name, f"{self.settings[name]:g}", *rest])
        return lines(rows)

    @traitlets.validate("order", "on", "settings")
    def _each_once(self, proposal):
        names, trait = list(proposal["value"]), proposal["trait"].name
        if len(set(names)) < len(names) or (trait != "on" and set(names) != set(STEPS)):
            raise traitlets.TraitError(f"each of {', '.join(STEPS)} must be in the {trait} once")
        return proposal["value"]


class SamplerChain(View):
    """Temperature, top-k, top-p and min-p as cards in any order, and what is left to draw from after them."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        order: tuple[str, ...] = several(STEPS, lambda _: STEPS, set_by=("cards", "order"), least=len(STEPS))
        on: tuple[str, ...] = several(("temperature", "top_p"), lambda _: STEPS, set_by=("cards", "on"))
        temperature: float = number(2.0, None, 3.0, step=0.05)
        top_k: int = number(40, None, 200, first=1)
        top_p: float = number(0.9, None, 1.0, first=0.01, step=0.01)
        min_p: float = number(0.05, None, 1.0, step=0.01)
        chosen: int | None = chosen_token("bars")

    arrangement = ("presets", "cards", "bars")

    def slices(self) -> Iterator[State]:
        """Yield all orders of the cards with any of them on, and each setting with its values on a page.

        The orders of the cards that are on now, and the presets, come first, because readers try them first.
        """
        yield from (replace(self.state, order=order) for order in permutations(STEPS))
        yield from (self.choose(self.state, name) for name in PRESETS)
        for n, order in product(range(len(STEPS) + 1), permutations(STEPS)):
            yield from (replace(self.state, order=order, on=on) for on in combinations(STEPS, n))
        yield from self.along(*STEPS)

    @on("presets", "value")
    def choose(self, state: State, name: str) -> State:
        """Set every card as a preset has it, and those that are off as they were at first."""
        if name not in PRESETS:
            return state
        steps = dict(PRESETS[name])
        return replace(self.State(), order=tuple({**steps, **dict.fromkeys(STEPS)}), on=tuple(steps), **steps)

    @on("cards", "settings")
    def set(self, state: State, settings: dict[str, float]) -> State:
        return replace(state, **{**settings, "top_k": int(settings["top_k"])})

    @shared
    def steps(self, scene: Scene) -> tuple[tuple[str, float], ...]:
        """Return the steps of the cards that are on, as `sampling.chain` takes them."""
        return tuple((name, getattr(scene, name)) for name in scene.order if name in scene.on)

    @shared
    def left(self, scene: Scene) -> list[Filtered]:
        """Return what is left before the first card and after each; a card that is off changes nothing."""
        left = [Filtered(ops.softmax(scene.run.logits), 0.0)]
        after = iter(sampling.chain(scene.run.logits, scene.steps))
        for name in scene.order:
            left.append(next(after) if name in scene.on else left[-1])
        return left

    @part(lambda _: choice([NO_PRESET, *PRESETS], NO_PRESET, "Settings to try", "min(760px, 98%)"))
    def presets(self, scene: Scene) -> dict:
        return {"value": next((name for name in PRESETS if PRESETS[name] == scene.steps), NO_PRESET)}

    @part(SamplerCards, caption="The sampler, card by card")
    def cards(self, scene: Scene) -> dict:
        likeliest = ops.top(scene.left[0].probs, N_SHAPE)
        cards = {
            "order": [*scene.order],
            "on": [*scene.on],
            "settings": {name: getattr(scene, name) for name in STEPS},
        }
        return {
            **cards,
            "left": {
                name: {
                    "kept": int(np.count_nonzero(after.probs)),
                    "cut": after.cut,
                    "bits": sampling.entropy(after.probs),
                    "bits_before": sampling.entropy(before.probs),
                }
                for name, (before, after) in zip(scene.order, pairwise(scene.left))
                if name in scene.on
            },
            "shapes": np.array([step.probs[likeliest] for step in scene.left[1:]]),
            "computed_for": [*cards.values()],
            "n_vocab": scene.run.model.config.n_vocab,
        }

    @bars_part(
        "What is left to draw from, after the last card", n=15, before_label="the model’s own probability"
    )
    def bars(self, scene: Scene) -> dict:
        return {
            "probs": scene.left[-1].probs,
            "before": scene.left[0].probs if scene.on else None,
            "ranked_by": scene.run.logits,  # so that tokens that are cut keep their rows
        }

    @explains("bars")
    def explain(self, scene: Scene, row: int) -> Explanation:
        steps = scene.steps or [("temperature", 1.0)]
        return provenance.prob_in(scene.shown, row, scene.run.logits, steps=steps)
