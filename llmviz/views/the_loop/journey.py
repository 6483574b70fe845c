"""A text's way through the model as a film, from its tokens through the layers to the next token, and again.

The numbers of each turn are an `experiments.journey.Turn`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz.experiments.journey import MOST_TURNS, Look, Prediction, Turn, full_colour, later, telling_layer
from llmviz.views.kit.numbers import amount, percent
from llmviz.views.kit.picture import Picture, lines
from llmviz.views.kit.pieces import marked, quote, visible
from llmviz.views.kit.state_fields import fixed, picked
from llmviz.views.kit.text_box import most_tokens
from llmviz.views.kit.view import Scene, View, part


def _bytes(array: np.ndarray, kind: type) -> dict:
    return {"shape": list(array.shape), "kind": np.dtype(kind).name, "data": array.astype(kind).tobytes()}


def _signed(array: np.ndarray, scale: float | np.ndarray) -> dict:
    """Return each number in a byte: 80 is the full colour of the `scale`, and numbers are cut at 127."""
    return _bytes(np.clip(np.rint(array / scale * 80), -127, 127), np.int8)


def _shares(array: np.ndarray) -> dict:
    return _bytes(np.clip(np.rint(array * 255), 0, 255), np.uint8)


def _named(what: Look | Prediction) -> dict:
    return {**vars(what), "piece": marked(what.piece)}


def for_page(turn: Turn) -> dict:
    """Return the numbers as the page gets them: about 40 kB for 7 tokens, 150 kB for 40.

    The columns take a byte for each number, because only their colours are drawn.
    """
    looks = turn.looks.copy()
    looks[:, 4] *= 1000
    rest_shares = turn.rests.sum(axis=2)[:, 1:].mean(axis=1).tolist() if len(turn.shown) > 1 else []
    highest = np.maximum(turn.pushes.max(axis=(1, 2), keepdims=True), 1e-9)
    same = ("shown", "written", "sizes", "tied", "every", "turns", "others", "ends")
    as_lists = ("scales", "bands")
    floats = ("lengths", "matches", "angles", "adds")
    return {
        **{name: getattr(turn, name) for name in same},
        **{name: getattr(turn, name).tolist() for name in as_lists},
        **{name: _bytes(getattr(turn, name), np.float32) for name in floats},
        "tokens": [turn.tokens[i] for i in turn.shown],
        "pieces": [marked(turn.pieces[i]) for i in turn.shown],
        "n": len(turn.tokens),
        "streams": _signed(turn.streams, turn.scales[:, None, None]),
        "long": _bytes(turn.long, np.uint8),
        "ffnAdds": _signed(turn.ffn_adds, turn.scales[2::2, None, None]),
        "looks": _bytes(np.rint(looks), np.uint16),
        "restShares": rest_shares,  # attention to sinks in each layer, the mean over the tokens after the first
        "strongest": [look and _named(look) for look in turn.strongest],
        "neurons": _bytes(turn.neurons, np.uint16),
        "pushes": _shares(turn.pushes / highest),
        "predictions": [[marked(piece), p] for piece, p in turn.depths],
        "final": _signed(turn.final, full_colour(turn.final)),
        "table": _signed(turn.table, full_colour(turn.table)),
        "likeliest": [_named(prediction) for prediction in turn.likeliest],
        "random": turn.random,
        "drawn": _named(turn.drawn),
        "telling": telling_layer(turn),
    }


def _sent(turn: Turn | None, _picture: Film) -> dict | None:
    return None if turn is None else for_page(turn)


class Film(Picture):
    """One turn of the loop as a picture that plays: tokenize, look up, columns, position, layers, score, pick.

    Arrow keys go from stop to stop, Page Up and Down from scene to scene, Space plays.
    """

    _static = "journey"
    _by_page = ("turn",)

    numbers = traitlets.Instance(Turn, allow_none=True).tag(sync=True, to_json=_sent)
    next_numbers = traitlets.Instance(Turn, allow_none=True).tag(sync=True, to_json=_sent)
    # How many tokens the page has added: setting it asks for the numbers of the next turn.
    turn = traitlets.Int(0, min=0, max=MOST_TURNS).tag(sync=True)

    def page_values(self) -> dict:
        """Return the turns that a page without a kernel holds."""
        return {"turn": [1, 2, 3, 4]}

    def headline(self) -> str:
        n = self.numbers
        if n is None:
            return ""
        n_tokens, n_layers = amount(len(n.tokens), "tokens"), n.sizes["n_layers"]
        return f"A film of {n_tokens} on the way through {n_layers} layers; its numbers follow."

    def text(self) -> str:
        n = self.numbers
        if n is None:
            return "no journey yet"
        pieces = ", ".join(f"{visible(piece)} {token}" for piece, token in zip(n.pieces, n.tokens))
        head = ("layer", "likeliest next", "probability", "largest weight of the last token (*)")
        depths = (
            (layer, visible(piece), percent(p), _in_words(look))
            for layer, ((piece, p), look) in enumerate(zip(n.depths, n.strongest))
        )
        likeliest = lines((visible(token.piece), percent(token.prob)) for token in n.likeliest)
        return (
            f"{amount(len(n.tokens), 'tokens')}, each with its id:\n{pieces}\n\n{lines([head, *depths])}\n"
            "(*) not counting itself and attention sinks, whose columns are far longer than the others\n\n"
            f"likeliest next tokens:\n{likeliest}\nall others: {percent(n.others)}\n\n"
            f"the random number {n.random:.4f} (seed {n.seed}) picks {quote(n.drawn.piece)}, {percent(n.drawn.prob)}"
        )


class Journey(View):
    """The film of a text's way through the model, turn after turn."""

    stage = "sampling"
    copies_as_code = False

    @dataclass(frozen=True)
    class State:
        seed: int = fixed(1, lambda n: type(n) is int and n >= 0, "a whole number, 0 or more")
        turn: int = picked(
            0,
            lambda n, _: n in range(MOST_TURNS + 1),
            f"a whole number up to {MOST_TURNS}",
            set_by=("film", "turn"),
            on_page=lambda _: range(5),
        )

    @part(Film)
    def film(self, scene: Scene) -> dict:
        first, following = (
            later(scene.run, scene.seed, written, most_tokens(scene.run.model)) for written in (0, scene.turn)
        )
        return {"numbers": first, "next_numbers": following if scene.turn else None, "turn": scene.turn}


def _in_words(look: Look | None) -> str:
    return "none" if look is None else f"{quote(look.piece)}, head {look.head}, {percent(look.weight)}"
