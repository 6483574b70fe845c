"""The steps of a sampler as cards, and what is left to draw from after the last one."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz import sampling
from llmviz.sampling import STEPS, Sampler
from llmviz.views import provenance
from llmviz.views.kit.controls import choice
from llmviz.views.kit.next_token_bars import empty_bars, top
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, Floats, Picture, lines, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.provenance import Explanation, Operand

N_SHAPE = 24  # bars on a card

# Settings that people really use, as steps in their order: those on this model's card, what two programs do where
# nothing else is asked (transformers is greedy until told to sample), and min-p as its paper uses it.
PRESETS = {
    "everything off": (),
    "what this model’s makers use: T 0.2, top-p 0.9": (("temperature", 0.2), ("top_p", 0.9)),
    "transformers, when told to sample: T 1, top-k 50": (("temperature", 1.0), ("top_k", 50)),
    "llama.cpp, unless told otherwise: top-k 40, top-p 0.95, min-p 0.05, then T 0.8": (
        ("top_k", 40),
        ("top_p", 0.95),
        ("min_p", 0.05),
        ("temperature", 0.8),
    ),
    "stories: T 1, min-p 0.05": (("temperature", 1.0), ("min_p", 0.05)),
    "wild: T 2, min-p 0.1": (("temperature", 2.0), ("min_p", 0.1)),
}


class SamplerCards(Picture):
    """The steps of a sampler as cards in a row, to be moved by drag or arrow keys, switched and set.

    `order`: all names of `STEPS`, first to last. `on`: those that work. `settings`: a number for each. What a card
    does is put there by whoever runs the chain: `left` {name: kept, cut, bits, bits_before} for those that are on,
    and `shapes` [4, n], the likeliest probabilities after each card, in the cards' order. Both hold for `told_for`
    [order, on, settings]; until they are those of the cards, the page dims them.
    """

    _static = "sampler_cards"
    _by_page = ("order", "on", "settings")
    _data = ("order", "on", "settings", "left")

    order = traitlets.List(traitlets.Enum(STEPS), list(STEPS)).tag(sync=True)
    on = traitlets.List(traitlets.Enum(STEPS), ["temperature", "top_p"]).tag(sync=True)
    settings = traitlets.Dict(
        per_key_traits={
            "temperature": traitlets.Float(min=0, max=3),
            "top_k": traitlets.Float(min=1, max=200),
            "top_p": traitlets.Float(min=0.01, max=1),
            "min_p": traitlets.Float(min=0, max=1),
        },
        default_value={"temperature": 2.0, "top_k": 40, "top_p": 0.9, "min_p": 0.05},
    ).tag(sync=True)
    left = traitlets.Dict().tag(sync=True)
    told_for = traitlets.List().tag(sync=True)
    shapes = Floats(ndim=(2,))
    n_vocab = traitlets.Int(1).tag(sync=True)

    def page_values(self) -> dict[str, list]:
        """What the page can send, beside orders: one setting after the other, along its line."""
        ends = {name: (one.min, one.max) for name, one in self.traits()["settings"]._per_key_traits.items()}
        lines = {name: np.round(np.linspace(low, high, 21), 2).tolist() for name, (low, high) in ends.items()}
        return {"settings": [{**self.settings, name: v} for name, line in lines.items() for v in line]}

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

    @traitlets.validate("order", "on", "settings")
    def _each_once(self, proposal):
        names, trait = list(proposal["value"]), proposal["trait"].name
        if len(set(names)) < len(names) or (trait != "on" and set(names) != set(STEPS)):
            raise traitlets.TraitError(f"each of {', '.join(STEPS)} stands in the {trait} once")
        return proposal["value"]


class SamplerChain(Explorer):
    """Temperature, top-k, top-p and min-p as cards whose order is the reader's, and what is left to draw from."""

    def __init__(self, prompt: Prompt):
        self.prompt = prompt
        self.cards = SamplerCards(
            n_vocab=prompt.language_model.config.n_vocab,
            stage="sampling",
            caption="The sampler, card by card",
        )
        self.presets = choice(["choose …", *PRESETS], "choose …", "What people use", "min(760px, 98%)")
        self.bars = empty_bars(
            prompt.language_model,
            n=15,
            before_label="the model itself",
            caption="What is left to draw from, after the last card",
            provenance=self._explain,
        )
        self.cards.observe(self.draw, ["order", "on", "settings"])
        self.presets.observe(self._preset, "value")
        super().__init__([prompt, self.presets, self.cards, self.bars])
        self.follow(prompt, self.draw)

    @one_at_a_time
    def draw(self, _change=None) -> None:
        logits, steps = self.prompt.trace.logits, self.cards.steps()
        plain = Sampler().probs(logits)
        after = {name: step for (name, _), step in zip(steps, sampling.chain(logits, steps))}
        order = top(plain, N_SHAPE)
        if steps != [*PRESETS.get(self.presets.value, steps)]:
            self.presets.value = "choose …"
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
        cards = self.cards
        cards.change(left=left, shapes=shapes, told_for=[cards.order, cards.on, cards.settings])
        self.bars.show(now, before=plain if steps else None, ranked_by=logits)  # what is cut keeps its place

    @one_at_a_time
    def _preset(self, _change=None) -> None:
        if self.presets.value in PRESETS:
            chosen = dict(PRESETS[self.presets.value])
            rest = [name for name in STEPS if name not in chosen]
            self.cards.change(
                order=[*chosen, *rest], on=list(chosen), settings={**self.cards.settings, **chosen}
            )

    @one_at_a_time
    def _explain(self, row: int) -> Explanation:
        logits, steps = self.prompt.trace.logits, self.cards.steps()
        token, piece = self.bars.ids[row], self.bars.pieces[row]
        if [name for name, _ in steps] == [name for name in STEPS if name in self.cards.on]:
            return provenance.prob(logits, token, piece=piece, **dict(steps))
        told = " → ".join(f"{name} {value:g}" for name, value in steps)
        return Explanation(
            f"Probability of {quote(piece)} (id {token})",
            f"softmax of the logits, then in this order: {told}",
            [
                Operand("logits", logits, "trace.logits"),
                Operand("token", token),
            ],
            f"llmviz.sampling.chain(logits, {steps})[-1].probs[token]",
            sampling.chain(logits, steps)[-1].probs[token],
        )
