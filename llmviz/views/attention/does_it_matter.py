"""Heads switched off, set to a mean, or swapped with another sentence's, and what the model says then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.experiments import minimal_pairs
from llmviz.experiments.minimal_pairs import MinimalPair
from llmviz.reuse import kept_with
from llmviz.views.attention.head_grid import empty_grid, four_axes
from llmviz.views.attention.heads import are_heads, head_name, picked_head
from llmviz.views.attention.wake_up import SENTENCES
from llmviz.views.kit.controls import wide
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.next_token_bars import empty_bars, next_tokens
from llmviz.views.kit.numbers import percent, with_unit
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.state_fields import picked, replace, selected, selection, text
from llmviz.views.kit.text_box import most_tokens, read
from llmviz.views.kit.view import Scene, View, job, on, part, press, sentences, shared

# What chosen heads do, as the page calls `minimal_pairs.WAYS`.
WAYS = dict(zip(minimal_pairs.WAYS, ("unchanged", "no look", "off", "mean", "swapped"), strict=True))
ROWS = ("chosen", "random")  # heads that do it
UNCHANGED, OFF = (0, 0), (0, 2)  # cells of the table, the second of them chosen at first
TABLE = {
    "kind": "signed",
    "row_axis": "heads",
    "col_axis": "what they do",
    "quantity": "lead",
    "numbers": "always",
}
N_DRAWS = 3  # of random heads
N_BARS = 8
LEAST_WAY = 1.0  # between the two sentences' leads; a share of less says nothing
PARTNER = "Its partner: change one word, and the later word that depends on it"

head_outputs = kept_with()(lambda model, text: experiments.head_outputs(model.trace(text)))


def _partner_box(value: str) -> ipywidgets.Text:
    layout = {"width": "min(900px, 98%)"}
    return ipywidgets.Text(
        value, placeholder=PARTNER, tooltip=PARTNER, continuous_update=False, layout=layout
    )


class DoesItMatter(View):
    """Two sentences that differ in a word, and in a later word that depends on it: which heads matter for that?

    At the token before the later word, some chosen heads, and as many random ones, may not attend to the first word
    ("no look"), or they pass on nothing, their mean over other texts, or what they pass on in the other sentence.
    """

    @dataclass(frozen=True)
    class State:
        partner: str = text("", _partner_box)
        chosen: tuple[tuple[int, int], ...] | None = picked(  # None: the three that look hardest
            None,
            lambda heads, view: heads is None or are_heads(heads, view),
            "a tuple of different heads, or None",
            of=("grid", "chosen"),
        )
        cell: tuple[int, int] | None = selection("table")
        head: tuple[int, int] | None = picked_head(of=("grid", "selected"))
        swapped: tuple[int, int] | None = picked_head()

    arrangement = (
        *(
            ("partner", "exchange"),
            "misfit",
            "grid",
            ("hardest", "three_hardest"),
            ("table", "bars"),
            "message",
        ),
        *(("swap_each", "progress"), "effects", "about_effects"),
    )

    def arrange(self) -> list[ipywidgets.Widget]:
        return [ipywidgets.HTML(f"<b>{PARTNER}</b>"), *super().arrange()]

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.parts["exchange"]]

    def is_shown(self, part_: str, scene: Scene) -> bool:
        return part_ in ("exchange", "misfit") or scene.pair is not None

    # --- events ---

    @press("exchange the two")
    def exchange(self, state: State) -> State:
        """Change the text box as well, which is another view."""
        text = self.source.state.text
        self.source.become(replace(self.source.state, text=state.partner))
        return replace(self.state, partner=text)

    @press("the one that looks hardest")
    def hardest(self, state: State) -> State:
        return replace(state, chosen=(self.scene(state).hardest_heads[0],))

    @press("the three that look hardest")
    def three_hardest(self, state: State) -> State:
        return replace(state, chosen=None)

    @on("effects", "selected")
    def pick_swapped(self, state: State, head: list[int]) -> State:
        return replace(state, swapped=tuple(head), chosen=(tuple(head),))

    # --- the two sentences ---

    @shared
    def reading(self, scene: Scene):
        model = scene.run.model
        return read(scene.partner, model.tokenizer, limit=most_tokens(model))

    @shared
    def pair(self, scene: Scene) -> MinimalPair | None:
        try:
            return experiments.minimal_pair(scene.run.model, scene.run.tokens, scene.reading.tokens)
        except ValueError:
            return None

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        """Return what each head gives to the first word that differs, just before the second: [n_layers, n_heads]."""
        runs = scene.pair.runs
        return experiments.attention_from(runs.trace, -1)[..., runs.subject]

    @shared
    def hardest_heads(self, scene: Scene) -> list[tuple[int, int]]:
        return experiments.strongest_heads(scene.weights, 3)

    @shared
    def heads(self, scene: Scene) -> list[tuple[int, int]]:
        return scene.hardest_heads if scene.chosen is None else [*scene.chosen]

    @shared
    def words(self, scene: Scene) -> list[str]:
        """Return the word looked at, the one from which, and what the two sentences go on with."""
        run, subject = scene.pair.runs.trace, scene.pair.runs.subject
        return [
            *map(
                isolated,
                [run.pieces[subject], run.pieces[-1], *run.model.tokenizer.pieces(scene.pair.answers)],
            )
        ]

    # --- jobs ---

    def needs(self, state: State) -> str | None:
        return "change" if self.scene(state).pair else None

    @job("partner", "chosen")
    def change(self, scene: Scene) -> Iterator[tuple[float, tuple | None]]:
        """Run the sentence with the chosen heads changed, and then with as many random ones.

        Results: the lead if no head may look, the leads [2, 5] (how far the sentence's word is ahead of the other's,
        in logits: a row for the chosen heads and one for random ones, a column each of WAYS), and the next token's
        probabilities for each of them.
        """
        pair, model, shape, outputs = scene.pair, scene.run.model, scene.weights.shape, []
        for sentence in SENTENCES:
            outputs.append(head_outputs(model, sentence))
            yield 0.0, None
        mean, every_head = np.mean(outputs, axis=0), np.ndindex(*shape)
        unseen = pair.lead(pair.run(pair.edits("knockout", every_head)))
        chosen = scene.heads
        draws = [experiments.random_heads(shape, len(chosen), chosen, seed) for seed in range(N_DRAWS)]
        leads, probs = np.full((2, len(WAYS)), np.nan), {}
        for row, groups in enumerate(([chosen], draws)):
            for column, way in enumerate(WAYS):
                edits = [pair.edits(way, heads, mean) for heads in groups]
                leads[row, column], probs[row, column] = experiments.mean_outcome(pair, edits)
                yield len(probs) / leads.size, None
            yield len(probs) / leads.size, (unseen, leads.copy(), {**probs})

    @job(
        "partner",
        start="Swap each head alone",
        when=lambda _, scene: scene.pair and abs(scene.pair.distance) >= LEAST_WAY,
    )
    def swap_each(self, scene: Scene) -> Iterator[tuple[float, np.ndarray | None]]:
        """Measure how far each head, swapped on its own, moves the lead towards the partner's: [n_layers, n_heads]."""
        effect = np.zeros_like(scene.weights)
        for done, (layer, head, way) in enumerate(experiments.each_head_patched(scene.pair), start=1):
            effect[layer, head] = way
            yield done / effect.size, effect if done == effect.size else None

    # --- parts ---

    @sentences
    def misfit(self, scene: Scene) -> list[str]:
        tokens, others = scene.run.tokens, scene.reading.tokens
        apart = len(experiments.differing_tokens(tokens, others))
        sizes = (
            f"Tokens in your text: {len(tokens)}, in its partner: {len(others)}; places that differ: {apart}."
        )
        wanted = "They should be equally long and differ in exactly two tokens: one that is exchanged, and a later one"
        return [scene.reading.message, "" if scene.pair else f"{sizes} {wanted} that depends on it."]

    @part(lambda view: empty_grid(view.run.model.config, toggles=True))
    def grid(self, scene: Scene) -> dict:
        key, here, *_ = scene.words
        return {
            "values": four_axes(scene.weights),
            "selected": [*(scene.head or scene.hardest_heads[0])],
            "chosen": [[*head] for head in scene.heads],
            "caption": f"Every head's attention weight from {here} to {key}. Click heads to choose them (dashed)",
        }

    @part(lambda _: wide(HeatMap(np.full((2, len(WAYS)), np.nan), ROWS, [*WAYS.values()], **TABLE), 520))
    def table(self, scene: Scene) -> dict:
        *_, word, other = scene.words
        return {
            "values": scene.known("change")[1],
            "selected": [*scene.shown_run],
            "caption": f"Lead of {word} over {other} (difference of the logits; below zero {other} leads). Click a "
            "number: the bars show its run",
        }

    @shared
    def shown_run(self, scene: Scene) -> tuple[int, int]:
        """Return the cell of the table whose run the bars show."""
        cell = tuple(selected(scene.cell, len(ROWS), len(WAYS)) or OFF)
        return cell if cell in scene.known("change")[2] else OFF  # random heads come later

    @part(lambda view: wide(empty_bars(view.run.model, n=N_BARS, before_label="unchanged"), 420))
    def bars(self, scene: Scene) -> dict:
        (row, column), (_, _, probs) = scene.shown_run, scene.known("change")
        whose = f"{len(scene.heads)} random heads ({N_DRAWS} draws)" if row else _named(scene.heads)
        caption = f"The next token, {whose}: {[*WAYS.values()][column]}"
        tokenizer, after = scene.run.model.tokenizer, probs[row, column]
        return next_tokens(tokenizer, after, n=N_BARS, before=probs[0, 0]) | {"caption": caption}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pair, (unseen, leads, probs) = scene.pair, scene.known("change")
        (key, _, *answers), (whole, _, off, _, swapped) = scene.words, leads[0]
        way = f"{_percent((whole - swapped) / pair.distance)} of the way to the partner's"
        if abs(pair.distance) < LEAST_WAY:
            there = pair.lead(pair.runs.twin)
            way = f"from {whole:.2f} to {swapped:.2f}; the partner's, {there:.2f}, is too near for a share of the way"
        both = [
            [percent(probs[run][token]) for run in (UNCHANGED, scene.shown_run)] for token in pair.answers
        ]
        changes = ", ".join(f"{answer} {before} → {after}" for answer, (before, after) in zip(answers, both))
        return [
            f"{_named(scene.heads)}. Swapped, they take the lead {way}; off, it goes from {whole:.2f} to {off:.2f}.",
            f"If none of the {scene.weights.size} heads may look at {key} from there, the lead is {unseen:.2f}.",
            f"In the chosen run: {changes}.",
        ]

    @part(lambda view: empty_grid(view.run.model.config, kind="signed", measure="share of the way"))
    def effects(self, scene: Scene) -> dict:
        effect = scene.known("swap_each")
        return {
            "values": four_axes(effect),
            "selected": [*(scene.swapped or experiments.strongest_heads(effect, 1)[0])],
            "chosen": [[*head] for head in scene.hardest_heads],
            "caption": "How far each head, swapped on its own, moves the lead towards the partner's. Dashed: the three "
            f"that look hardest at {scene.words[0]}. Click one to choose it above",
        }

    @sentences
    def about_effects(self, scene: Scene) -> list[str]:
        effect = scene.known("swap_each")
        shares = [
            f"{head_name(*head)} {_percent(effect[head])} (share {_percent(scene.weights[head])})"
            for head in (*experiments.strongest_heads(effect, 3), *scene.hardest_heads)
        ]
        return [
            f"Furthest: {', '.join(shares[:3])}. Looking hardest: {', '.join(shares[3:])}. "
            f"More than 5%: {(effect > 0.05).sum()} of {effect.size} heads."
        ]


def _named(heads: list[tuple[int, int]]) -> str:
    return ", ".join(head_name(*head) for head in heads[:8]) or "no head"


def _percent(share: float | np.floating) -> str:
    """ "73%", "−4%"."""
    return with_unit(f"{100 * share:.0f}", "%")
