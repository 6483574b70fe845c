"""Neurons that fire at one word: one for *a* and *an*, and those that a search finds for the reader's own word."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from weakref import ref

import numpy as np

from llmviz.experiments import neurons
from llmviz.model import Trace
from llmviz.views.ffn.by_hand import quoted_text
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import line, selected, selection
from llmviz.views.kit.text_box import most_tokens
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, job, part, sentences, shared

N_PUSHED = 5  # tokens that a neuron pushes up
LEAST = 2.0  # The search finds neurons that fire at least so many times as strongly at the word as elsewhere.
N_SHOWN = 8  # neurons in the table, the best first


class Neuron(View):
    """One neuron on a text: how strongly it fires at each token, and which next tokens it pushes up there.

    A subclass says which neuron, in the shared `detector`, and where it was found to fire, in `where`.
    """

    stage = "ffn"

    @part(TokenStrip, [], quantity="strength")
    def strip(self, scene: Scene) -> dict:
        run, (layer, neuron, _, usual) = scene.run, scene.detector
        fires = neurons.firing(run, layer)[:, neuron]
        return {
            "pieces": run.pieces,
            "weights": np.minimum(np.abs(fires / usual), 1),
            "notes": [minus(f"fires {value:.2f}") for value in fires],
            "caption": f"How strongly neuron {neuron} of layer {layer} fires at each token (100%: its mean "
            "at the words we searched for)",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        return [scene.pushes_up]

    @shared
    def pushes_up(self, scene: Scene) -> str:
        """Say which tokens the neuron pushes up."""
        layer, neuron, _, usual = scene.detector
        w = scene.run.model.weights
        pushes = np.sign(usual) * (neurons.rows_written(w.layers[layer])[neuron] @ w.W_U)
        pieces = scene.run.model.tokenizer.pieces(np.argsort(-pushes)[:N_PUSHED].tolist())
        return f"What it writes at {scene.where} pushes up {', '.join(map(quote, pieces))}."


class ArticleNeuron(Neuron):
    """The neuron that a search finds for *a* and *an*."""

    @shared
    def where(self, scene: Scene) -> str:
        return "“a” and “an”"

    @shared
    def detector(self, scene: Scene) -> neurons.Detector:
        return neurons.article_neuron(scene.run.model)


def asked_of_articles(trace: Trace) -> str:
    """Return the question about the article neuron on a text."""
    return (
        f"In {quoted_text(trace)}, how many times as strongly does the neuron fire at its weakest “a” or “an” as at "
        "any other token?"
    )


class WordNeurons(Neuron, GuessFirst):
    """A search for neurons that fire at a word and not at others of its kind, tested on a text that it has not used."""

    experiment, unit, high = "searched", "%", 100

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, the words, the reader's first, and the cell of the table whose neuron is shown."""

        words: str = line("red, blue, green, yellow", "Your word, then others of its kind", live=False)
        cell: tuple[int, int] | None = selection(
            "table", on_page=lambda view: [(row, i) for row in range(2) for i in range(N_SHOWN)]
        )

    arrangement = ("words", "card", ("progress",), "refusal", "table", "strip", "message")

    def inputs(self) -> Hashable:
        """Return the model only: the reader's text is not the one that is searched."""
        return ref(self.run.model)

    @shared
    def typed(self, scene: Scene) -> list[str]:
        """Return the words, each once."""
        words = [word.strip() for word in scene.words.split(",") if word.strip()]
        return [*dict.fromkeys(words)]

    def problem(self, scene: Scene) -> str:
        words, encode = scene.typed, scene.run.model.tokenizer.encode
        if len(words) < 2:
            return "Type two words at least, with commas between them."
        try:
            long = [word for word in words if len(encode(f" {word}")) != 1]
        except ValueError as error:
            return str(error)
        if long:
            return f"Each word must be one token; {quote(long[0])} is {len(encode(f' {long[0]}'))}."
        if not scene.at.any():
            return f"Your text must have {quote(words[0])} in it, after its first token."
        return ""

    @shared
    def at(self, scene: Scene) -> np.ndarray:
        """Return [seq]: whether each token of the reader's text is her word."""
        return neurons.spelling(scene.run, scene.typed[:1])

    # --- the guess ---

    def question(self, scene: Scene) -> str:
        if self.problem(scene):
            return ""
        word = quote(scene.typed[0])
        return (
            f"These neurons fire at least twice as strongly at {word} as at any other token of our sentences. What "
            f"share still fires most strongly at {word} in the text above?"
        )

    def answer(self, scene: Scene) -> float:
        contrasts, _ = scene.tested
        return 100 * float((contrasts > 1).mean())

    def explanation(self, scene: Scene) -> str:
        (_, detectors, by_chance), word = scene.outcome, quote(scene.typed[0])
        config, held = scene.run.model.config, int((scene.tested[0] > 1).sum())
        return (
            f"The search found {len(detectors)} of {config.n_layers * config.d_ff:,} neurons, and {held} of them still "
            f"do. In our sentences, the best fires {detectors[0].contrast:.1f} times as strongly at {word} as at any "
            f"other token. Control: for random tokens instead of {word}, no neuron fires more than {by_chance:.1f} "
            "times as strongly as at any other token."
        )

    # --- the search ---

    @shared
    def where(self, scene: Scene) -> str:
        return f"{quote(scene.typed[0])} in our sentences"

    @job("words")
    def searched(self, scene: Scene) -> Iterator[tuple[float, neurons.Found | None]]:
        """Search sentences of ours that contain the words. The result: the neurons, and the control."""
        model = scene.run.model
        tokens = model.tokenizer.encode_prompt(neurons.sentences_with(scene.typed))
        trace = model.trace(tokens[: most_tokens(model)])
        for step in neurons.search(trace, neurons.spelling(trace, scene.typed[:1]), least=LEAST):
            yield step.share_done, step if step.share_done == 1 else None

    @shared
    def tested(self, scene: Scene) -> tuple[np.ndarray, list[neurons.Detector]]:
        """Return the contrast of each neuron on the reader's text, and the neurons."""
        detectors = scene.outcome.detectors
        if self.problem(scene):  # A new text leaves the search unchanged, but the word may be missing in it.
            raise NothingToShow
        if not detectors:
            raise NothingToShow(f"No neuron fires twice as strongly at {quote(scene.typed[0])}.")
        return neurons.contrasts_elsewhere(scene.run, detectors, scene.at), detectors

    @shared
    def detector(self, scene: Scene) -> neurons.Detector:
        _, detectors = scene.tested
        place = selected(scene.cell, 2, min(N_SHOWN, len(detectors)))
        return detectors[place[1] if place else 0]

    @sentences
    def message(self, scene: Scene) -> list[str]:
        layer, neuron, *_ = scene.detector
        fires = neurons.firing(scene.run, layer)[:, neuron]
        others = 1 + np.flatnonzero(~scene.at[1:])  # without the first token
        at = others[np.abs(fires[others]).argmax()]
        strongest = f"Of the other tokens, it fires most strongly at {quote(scene.run.pieces[at])}"
        return [minus(f"{strongest}: {fires[at]:.2f}."), scene.pushes_up]

    @part(
        HeatMap,
        kind="weight",
        unit="",
        quantity="times as strongly",
        limit=5.0,
        numbers="always",
        row_axis="text",
        col_axis="neuron",
    )
    def table(self, scene: Scene) -> dict:
        contrasts, detectors = scene.tested
        n = min(N_SHOWN, len(detectors))
        searched = [detector.contrast for detector in detectors]
        return {
            "values": np.maximum(np.stack([searched, contrasts])[:, :n], 0),
            "row_labels": ["our sentences", "text above"],
            "col_labels": [f"L{layer}·{neuron}" for layer, neuron, *_ in detectors[:n]],
            "selected": selected(scene.cell, 2, n),
            "caption": f"How many times as strongly a neuron fires at {quote(scene.typed[0])} as at any other token: "
            f"the {n} best of the search. Click one to see it read the text",
        }
