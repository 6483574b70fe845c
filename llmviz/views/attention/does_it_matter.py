"""Heads switched off, set to a mean, or swapped with another sentence's, and what the model says then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.experiments import minimal_pairs
from llmviz.model import Trace
from llmviz.views.attention.head_grid import empty_grid, four_axes
from llmviz.views.attention.heads import head_name
from llmviz.views.attention.wake_up import SENTENCES
from llmviz.views.kit.background import Background, Experiment, Steps
from llmviz.views.kit.controls import Told, button, row, wide
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.numbers import percent, with_unit
from llmviz.views.kit.picture import by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.text_box import Prompt

# What chosen heads do, as the page calls `minimal_pairs.WAYS`.
WAYS = dict(zip(minimal_pairs.WAYS, ("as it is", "no look", "off", "mean", "swapped"), strict=True))
N_DRAWS = 3  # of random heads
LEAST_WAY = 1.0  # between the two sentences' leads; a share of less says nothing


class DoesItMatter(Experiment):
    """Two sentences that differ in a word, and in a later one that depends on it: which heads bring the news?

    At the one token before the later word, chosen heads, and as many at random, may not look at the first one ("no
    look"), or they hand over nothing, their mean over other texts, or what they hand over in the other sentence.
    `leads` [2, 5]: how far the sentence's word is then ahead of the other's (difference of the logits), a row for the
    chosen heads and one for the random ones, a column each of `WAYS`.
    """

    def __init__(self, prompt: Prompt, partner: str):
        super().__init__("Swap each head alone")
        self.model, self.prompt = prompt.language_model, prompt
        label = "Its partner: another word, and what becomes of the word that depends on it"
        self.partner = Prompt(self.model, partner, label=label)
        self.exchange = button("exchange the two")
        self.grid = empty_grid(self.model.config, toggles=True)
        self.top = [button("the one that looks hardest"), button("the three that look hardest")]
        self.table = HeatMap(
            np.full((2, len(WAYS)), np.nan),
            ("chosen", "random"),
            list(WAYS.values()),
            kind="signed",
            row_axis="heads",
            col_axis="what they do",
            quantity="lead",
            numbers="always",
            selected=[0, 2],
        )
        self.bars = empty_bars(self.model, n=min(8, self.model.config.n_vocab), before_label="as it is")
        self.effects = empty_grid(self.model.config, kind="signed", measure="share of the way")
        self.effect_told = Told()
        self._filling, self._means = Background(self), None
        self.shown = ipywidgets.VBox(
            [
                self.grid,
                row(*self.top),
                row(wide(self.table, 520), wide(self.bars, 420)),
                self.told,
                row(*self.buttons, self.progress),
                self.effects,
                self.effect_told,
            ]
        )
        self.misfit = Told()
        self.children = (row(self.partner, self.exchange), self.misfit, self.shown)
        self.follow(prompt, self.show)
        self.partner.observe(self._pair_up, "trace")
        self.exchange.on_click(self._exchange)
        self.grid.observe(self.run, "chosen")
        self.table.observe(self._tell, "selected")
        self.effects.observe(self._choose_one, "selected")
        for one, n in zip(self.top, (1, 3)):
            one.on_click(lambda _, n=n: self.choose(experiments.strongest_heads(self.weights, n)))
        self.buttons[0].on_click(self.swap_each)

    def choose(self, heads: Iterable[Sequence[int]]) -> None:
        """Choose these heads (layer, head) and no others."""
        self.grid.chosen = [list(one) for one in heads]

    @by_the_reader
    def _choose_one(self, change) -> None:
        self.choose([change["new"]])

    def _exchange(self, _button) -> None:
        texts = self.partner.box.value, self.prompt.box.value
        with self.quietly():
            self.prompt.box.value, self.partner.box.value = texts
        self._pair_up()

    def show(self, _trace: Trace) -> None:
        """Another sentence."""
        self._pair_up()

    @by_the_reader
    def _pair_up(self, _change=None) -> None:
        """Find the token that is exchanged and the one that depends on it: the two at which the sentences differ."""
        self.stop()
        self._filling.stop()
        one, other = self.prompt.trace.tokens, self.partner.trace.tokens
        apart = experiments.differing_tokens(one, other)
        fits = len(one) == len(other) and len(apart) == 2
        self.shown.layout.display = "" if fits else "none"
        self.effects.layout.display = "none"
        self.effect_told.say()
        sizes = f"Tokens in your text: {len(one)}, in its partner: {len(other)}; places that differ: {len(apart)}."
        wanted = "They should be equally long and differ in exactly two tokens: one that is exchanged, and a later one"
        self.misfit.say("" if fits else f"{sizes} {wanted} that depends on it.")
        if not fits:
            return
        self.pair = experiments.minimal_pair(self.model, one, other)
        self.runs = self.pair.runs.trace, self.pair.runs.twin
        self.buttons[0].disabled = abs(self.pair.distance) < LEAST_WAY
        first = self.pair.runs.subject
        self.key = isolated(self.prompt.trace.pieces[first])
        self.weights = experiments.attention_from(self.runs[0], -1)[..., first]
        best = experiments.strongest_heads(self.weights, 3)
        here = isolated(self.runs[0].pieces[-1])
        with self.quietly():
            self.grid.change(
                values=four_axes(self.weights),
                selected=list(best[0]),
                chosen=[list(one) for one in best],
                caption=f"Every head's share from {here} to {self.key}. Click heads to choose them (dashed)",
            )
            self.table.change(
                values=np.full((2, len(WAYS)), np.nan),
                caption=f"Lead of {self._word(0)} over {self._word(1)} (difference of the logits; below zero "
                f"{self._word(1)} leads). Click a number: the bars show its run",
            )
        self.run()

    def _word(self, which: int) -> str:
        return isolated(self.model.tokenizer.pieces([self.pair.answers[which]])[0])

    def lead(self, run: Trace) -> float:
        """How far the first sentence's word is ahead of the other's."""
        return self.pair.lead(run)

    @by_the_reader
    def run(self, _change=None) -> None:
        """Run the sentence with the chosen heads changed, and then with as many random ones."""
        self._filling.start(self._fill())

    def _fill(self) -> Steps:
        if self._means is None:
            over = []
            for text in SENTENCES:
                over.append(experiments.head_outputs(self.model.trace(text)))
                yield 0.001
            self._means = np.mean(over, axis=0)
        chosen = [tuple(one) for one in self.grid.chosen]
        draws = [experiments.random_heads(self.weights.shape, len(chosen), chosen, i) for i in range(N_DRAWS)]
        self._unseen = self.lead(self.pair.run(self.pair.edits("knockout", np.ndindex(*self.weights.shape))))
        self.leads, self.probs = np.full((2, len(WAYS)), np.nan), {}
        for place, some in enumerate(([chosen], draws)):
            for i, way in enumerate(WAYS):
                runs = [self.pair.edits(way, heads, self._means) for heads in some]
                self.leads[place, i], self.probs[place, i] = experiments.mean_outcome(self.pair, runs)
                if place:
                    yield 0.001
            self._draw()

    def _draw(self) -> None:
        with self.quietly():
            self.table.change(values=self.leads)
        self._tell()

    @by_the_reader
    def _tell(self, _change=None) -> None:
        at = tuple(self.table.selected or (0, 2))
        if at not in self.probs:
            return
        place, way = at
        before, after = self.probs[0, 0], self.probs[at]
        heads = ", ".join(head_name(*one) for one in self.grid.chosen[:8]) or "no head"
        whose = f"{len(self.grid.chosen)} random heads ({N_DRAWS} draws)" if place else heads
        self.bars.show(after, before=before)
        self.bars.caption = f"The next token, {whose}: {list(WAYS.values())[way]}"
        (one, other), leads = self.pair.answers, self.leads
        swapped = (
            f"Swapped, they take the lead from {leads[0, 0]:.2f} to {leads[0, -1]:.2f}; the partner's, "
            f"{self.lead(self.runs[1]):.2f}, is too near for a share of the way"
            if abs(self.pair.distance) < LEAST_WAY
            else "Swapped, they take the lead "
            f"{percent_of((leads[0, 0] - leads[0, -1]) / self.pair.distance)} of the way to the partner's"
        )
        self.told.say(
            f"{heads}. {swapped}; off, it goes from {leads[0, 0]:.2f} to {leads[0, 2]:.2f}.",
            f"If none of the {self.weights.size} heads may look at {self.key} from there, the lead is "
            f"{self._unseen:.2f}.",
            f"In the chosen run: {self._word(0)} {percent(before[one])} → {percent(after[one])}, {self._word(1)} "
            f"{percent(before[other])} → {percent(after[other])}.",
        )

    @one_at_a_time
    def swap_each(self, _button=None) -> None:
        """For every head alone: how much of the way to the partner's lead its swap goes. [n_layers, n_heads]"""
        self.start(self._each(), self.buttons[0])

    def _each(self) -> Steps:
        effect = np.zeros_like(self.weights)
        for done, (layer, head, share) in enumerate(experiments.each_head_patched(self.pair), start=1):
            effect[layer, head] = share
            yield done / effect.size
        self.effect = effect
        carry, look = experiments.strongest_heads(effect, 3), experiments.strongest_heads(self.weights, 3)
        with self.quietly():
            self.effects.change(
                values=four_axes(effect),
                limit=1.0,
                selected=list(carry[0]),
                chosen=[list(one) for one in look],
                caption="Each head alone swapped: how much of the way to the partner's lead it goes. Dashed: the three "
                f"that look hardest at {self.key}. Click one to choose it above",
            )
        self.effects.layout.display = ""
        told = [
            f"{head_name(*one)} {percent_of(effect[one])} (share {percent_of(self.weights[one])})"
            for one in (*carry, *look)
        ]
        self.effect_told.say(
            f"Furthest: {', '.join(told[:3])}. Looking hardest: {', '.join(told[3:])}. "
            f"More than 5%: {(effect > 0.05).sum()} of {effect.size} heads."
        )


def percent_of(share: float | np.floating) -> str:
    """ "73%", "−4%"."""
    return with_unit(f"{100 * share:.0f}", "%")
