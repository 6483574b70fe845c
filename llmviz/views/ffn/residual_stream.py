"""The residual stream at every depth: its length, the likeliest token (logit lens); and where the parameters are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import experiments
from llmviz.experiments.lens import Lens
from llmviz.model import Model
from llmviz.tokenization import drop_unwritable
from llmviz.views import provenance
from llmviz.views.ffn.piece_table import PieceTable
from llmviz.views.ffn.who_writes import depths
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import line
from llmviz.views.kit.theme import MAX_TOKENS
from llmviz.views.kit.view import Scene, View, explains, part, sentences, shared
from llmviz.views.provenance import Explanation

MAX_LENS = 12  # positions in the logit lens: each costs 31 rows times the output table
MAX_WORDS = 6


class StreamNorms(View):
    """The length of the residual stream at every depth, token by token."""

    stage = "ffn"

    @shared
    def norms(self, scene: Scene) -> np.ndarray:
        """Return the lengths [depth, seq], of as many tokens as are drawn."""
        return experiments.residual_norms(scene.run)[:, :MAX_TOKENS]

    @part(
        HeatMap,
        kind="weight",
        unit="",
        quantity="length",
        row_axis="token",
        col_axis="after layer",
        caption="Length of the stream; the scale is that of all tokens but the first",
    )
    def map(self, scene: Scene) -> dict:
        norms = scene.norms
        others = norms[:, 1:] if norms.shape[1] > 1 else norms
        return {
            "values": norms.T,
            "row_labels": scene.run.pieces[:MAX_TOKENS],
            "col_labels": ["in", *range(len(norms) - 1)],
            "limit": float(f"{others.max():.2g}"),
        }

    @explains("map")
    def why(self, scene: Scene, token: int, depth: int) -> Explanation:
        x, source = provenance.stream(scene.run, depth, token)
        formula, line = "√ of the sum of squares", "np.sqrt((x * x).sum())"
        length = np.linalg.norm(x)
        return provenance.explained(scene.run, "Length of the stream", formula, line, length, x=source)

    @part(
        LinePlot,
        x_axis="after layer",
        y_axis="length",
        log_y=True,
        caption="The same as lines, each step of the axis ten times the last",
    )
    def plot(self, scene: Scene) -> dict:
        first, last = (quote(scene.run.pieces[at]) for at in (0, -1))
        return {
            "values": scene.norms[:, [0, -1]].T,
            "labels": depths(scene.run.model),
            "names": [f"first token, {first}", f"last token, {last}"],
        }


class LensGrid(View):
    """The likeliest token at every depth and position; and the rank of chosen words on the way to the last of them."""

    stage = "ffn"

    @dataclass(frozen=True)
    class State:
        """The words whose ranks are drawn, beside the likeliest next token."""

        words: str = line("", "Words to follow", "min(620px, 98%)", live=False)

    arrangement = ("map", "words", "plot", "message")

    @shared
    def lens(self, scene: Scene) -> Lens:
        """Return the likeliest tokens at every depth, at the last positions."""
        return experiments.logit_lens(scene.run, last=MAX_LENS)

    @shared
    def followed(self, scene: Scene) -> dict[int, str]:
        """Return the likeliest next token and the first token of each typed word, with their names in the picture."""
        tokenizer = scene.run.model.tokenizer
        tokens = [int(scene.run.logits.argmax())]
        for word in scene.words.replace(",", " ").split():
            _, unwritable = drop_unwritable(word, tokenizer.ranks)
            tokens += [] if unwritable else tokenizer.encode(f" {word}")[:1]
        tokens = [*dict.fromkeys(tokens)][:MAX_WORDS]
        return dict(zip(tokens, map(quote, tokenizer.pieces(tokens))))

    @part(PieceTable, row_axis="depth", col_axis="after the token")
    def map(self, scene: Scene) -> dict:
        run, guesses = scene.run, scene.lens.guesses
        n = guesses.shape[1]
        cut = "" if n == len(run.tokens) else f", for the last {n} tokens"
        return {
            "values": scene.lens.probs,
            "pieces": run.model.tokenizer.pieces(guesses.ravel().tolist()),
            "row_labels": depths(run.model),
            "col_labels": run.pieces[-n:],
            "caption": f"The likeliest next token at each depth, coloured by its probability{cut}",
        }

    @explains("map")
    def why(self, scene: Scene, depth: int, column: int) -> Explanation:
        run, token = scene.run, int(scene.lens.guesses[depth, column])
        x, source = provenance.stream(run, depth, len(run.tokens) - scene.lens.guesses.shape[1] + column)
        return provenance.prob(
            run.model.unembed(x[None], run.edits)[0],
            token,
            piece=run.model.tokenizer.pieces([token])[0],
            source=f"model.unembed({source}[None], trace.edits)[0]",
        )

    @part(
        LinePlot,
        x_axis="after layer",
        y_axis="rank",
        unit="rank",
        log_y=True,
        down=True,
        caption="Rank of each word as the next token after your text; the top is first of all",
    )
    def plot(self, scene: Scene) -> dict:
        return {
            "values": scene.lens.ranks([*scene.followed]),
            "labels": depths(scene.run.model),
            "names": [*scene.followed.values()],
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        token, name = next(iter(scene.followed.items()))
        return [came_late(name, scene.lens.ranks([token])[0], depths(scene.run.model))]


def came_late(piece: str, ranks: np.ndarray, names: list[str]) -> str:
    """Say how a token with these ranks [depth] came up."""
    start, middle, end = (f"{ranks[depth]:,}" for depth in (0, len(ranks) // 2, -1))
    ranked = f"{piece} has rank {start} at the input, {middle} half way, and {end} at the end"
    first = for_good(ranks)
    if first is None:
        return f"{ranked}: the model's first guess is another."
    share = first / (len(ranks) - 1)
    when = "very late" if share > 0.85 else "late" if share > 0.6 else "half way" if share > 0.4 else "early"
    return f"{ranked}; it is first, and stays first, from {names[first]} on. That is {when}."


def for_good(ranks: np.ndarray) -> int | None:
    """Return the first depth from which on a token's rank is 1; None where it is not first at the end."""
    return next((d for d in range(len(ranks)) if (ranks[d:] == 1).all()), None)


def parameter_shares(model: Model) -> LinePlot:
    """Draw the share of all parameters in each kind of part."""
    parts = experiments.parameters(model)
    total, largest = sum(parts.values()), max(parts, key=parts.get)
    most = "most of them" if 2 * parts[largest] > total else "the largest part, but not most,"
    return LinePlot(
        values=[[n / total for n in parts.values()]],
        names=["share of all parameters"],
        labels=list(parts),
        x_axis="",
        unit="share",
        bars=True,
        stage="ffn",
        caption=f"Where the {total / 1e6:.1f} million parameters are: {most} in the {largest}",
    )
