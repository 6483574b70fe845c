"""What notebook 00 says, over many texts."""

import numpy as np
import pytest

from llmviz import Edits, Sampler, experiments
from llmviz.views.differences import sayings
from tests.claims import Measured
from tests.claims.texts import TEXTS

SHORT = {name: text for name, text in TEXTS.items() if len(text) < 120}


def hot_is_wide(model) -> Measured:
    values = {name: sayings.outside(model, text)[0] for name, text in TEXTS.items()}
    return Measured(
        "At temperature 2 most of the probability lies outside the 20 likeliest",
        values,
        "% outside",
        lambda v: v > 50,
    )


def norms_off(model) -> Measured:
    """1 where the numbers overflow."""

    def overflows(text: str) -> float:
        try:
            model.trace(text, Edits(norm=False))
        except FloatingPointError:
            return 1.0
        return 0.0

    values = {name: overflows(text) for name, text in TEXTS.items()}
    return Measured("Without the norms the numbers overflow", values, "(1: overflow)", bool)


def rope_off(model) -> Measured:
    """Share of the probability that moves to other tokens."""
    values = {name: 100 * moved(model, text, Edits(rope=False)) for name, text in TEXTS.items()}
    return Measured("Without RoPE the guess changes", values, "% of the probability moved", lambda v: v > 10)


def first_guess_changes_without_rope(model) -> Measured:
    values = {name: float(other_first(model, text, Edits(rope=False))) for name, text in TEXTS.items()}
    return Measured("Without RoPE something else comes first", values, "(1: yes)", bool)


def first_ffn_off(model) -> Measured:
    values = {name: 100 * moved(model, text, Edits(ffn={0: 0})) for name, text in TEXTS.items()}
    return Measured(
        "Without the first FFN the guess is another", values, "% of the probability moved", lambda v: v > 50
    )


def ffn_eleven_off(model) -> Measured:
    values = {name: 100 * moved(model, text, Edits(ffn={11: 0})) for name, text in TEXTS.items()}
    says = "FFN 11 alone moves more than the middle's median"
    return Measured(says, values, "% of the probability moved", lambda v: v > 35)


def an_ffn_in_the_middle_off(model) -> Measured:
    """The median over the FFNs 10 to 20, each off alone."""
    values = {
        name: 100 * float(np.median([moved(model, text, Edits(ffn={layer: 0})) for layer in range(10, 21)]))
        for name, text in TEXTS.items()
    }
    return Measured("An FFN in the middle costs less", values, "% of the probability moved", lambda v: v < 50)


def single_heads(model, texts=SHORT) -> Measured:
    """How many of all heads change the likeliest token when they alone are off."""
    heads = [(layer, head) for layer in range(model.config.n_layers) for head in range(model.config.n_heads)]
    values = {
        name: float(sum(other_first(model, text, Edits(head={one: 0})) for one in heads))
        for name, text in texts.items()
    }
    return Measured(
        "Few single heads change the first guess",
        values,
        f"of {len(heads)} heads",
        lambda v: v < 0.1 * len(heads),
    )


def the_guess_comes_late(model) -> Measured:
    """The layer after which the token that comes first in the end is first for good, in the logit lens."""
    last, texts = model.config.n_layers - 1, [*TEXTS.values()]
    values = {
        name: last - sayings.settled(model, (text, other))[0]
        for (name, text), other in zip(TEXTS.items(), [*texts[1:], texts[0]])
    }
    return Measured("The guess is settled only after the last layer", values, "(layer)", lambda v: v == last)


def moved(model, text: str, edits: Edits) -> float:
    """Half the summed difference of the probabilities: what moved from some tokens to others."""
    return experiments.moved(*(Sampler().probs(model.trace(text, one).logits) for one in (Edits(), edits)))


def other_first(model, text: str, edits: Edits) -> bool:
    return int(model.trace(text, edits).logits.argmax()) != int(model.trace(text).logits.argmax())


CONCLUSIONS = (
    hot_is_wide,
    norms_off,
    rope_off,
    first_guess_changes_without_rope,
    first_ffn_off,
    an_ffn_in_the_middle_off,
    ffn_eleven_off,
    single_heads,
    the_guess_comes_late,
)


# --- the page's wording, held to the numbers ---


def test_at_temperature_two_much_lies_outside_the_likeliest(model):
    hot = hot_is_wide(model)
    assert hot.agree >= 13
    assert hot.lowest > 40


def test_without_the_norms_there_is_no_next_token(model):
    assert norms_off(model).agree == len(TEXTS)


def test_without_rope_mostly_another_token_comes_first(model):
    assert first_guess_changes_without_rope(model).agree == 12
    assert rope_off(model).highest > 80


def test_the_first_ffn_against_those_in_the_middle(model):
    assert first_ffn_off(model).lowest > 75
    assert an_ffn_in_the_middle_off(model).highest < 35


def test_ffn_eleven_is_no_ffn_like_its_neighbours(model):
    assert ffn_eleven_off(model).agree == 13


def test_the_guess_is_settled_late(model):
    late = the_guess_comes_late(model)
    assert late.agree == 12
    assert late.lowest >= 15


@pytest.mark.long
def test_single_heads_matter_differently_on_different_texts(model):
    """Two texts only: the whole table takes minutes (`python -m tests.claims 00`)."""
    few = {name: TEXTS[name] for name in ("numbers", "French")}
    changed = single_heads(model, few).values
    assert changed["numbers"] < 10
    assert changed["French"] > 50
