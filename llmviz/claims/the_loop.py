"""What notebook 00 says, on 20 texts, and on others that had no part in the wording."""

from functools import partial

import numpy as np

from llmviz import Edits, Sampler, ops, sampling
from llmviz.claims.cases import MORE_TEXTS, TEXTS, UNSEEN_TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, above, remembered, section
from llmviz.experiments import likeliest_after, likeliest_changes, probability_moved
from llmviz.experiments.lens import layers_to_go
from llmviz.model import Model

NO_ROPE = Edits(rope=False)
SURE = 0.4  # probability of the likeliest token


def probability_outside(model: Model, text: str, *, temperature: float, n: int = 20) -> float:
    """Measure the probability outside the n likeliest tokens, in %."""
    return 100 * sampling.mass_outside(Sampler(temperature=temperature).probs(model.trace(text).logits), n)


def percent_moved(model: Model, text: str, *, edits: Edits) -> float:
    """Measure how much of the probability moves to other tokens, in % (total variation)."""
    return 100 * probability_moved(model, text, edits)


@remembered
def median_of_the_middle(model: Model, text: str) -> float:
    return np.median([percent_moved(model, text, edits=Edits(ffn={layer: 0})) for layer in range(10, 21)])


def changes_without_rope(model: Model, text: str, *, sure: bool) -> float:
    """Say whether the likeliest token changes without RoPE; NaN where the model is (not) sure of it."""
    is_sure = ops.softmax(model.trace(text).logits).max() >= SURE
    return likeliest_changes(model, text, NO_ROPE) if is_sure == sure else np.nan


@remembered
def spare_heads(model: Model, text: str) -> list[tuple[int, int]]:
    """Return the heads (layer, head) without any one of which the likeliest token stays the same."""
    heads = np.ndindex(model.config.n_layers, model.config.n_heads)
    return [head for head in heads if not likeliest_changes(model, text, Edits(head={head: 0}))]


def changes_without_spare_heads(model: Model, text: str, *, n: int | None = None) -> float:
    """Say whether the likeliest token changes without all spare heads, or n of them, drawn at random."""
    spare = spare_heads(model, text)
    drawn = np.random.default_rng(1).permutation(len(spare))[:n]
    return likeliest_changes(model, text, Edits(head={spare[i]: 0 for i in drawn}))


on_texts = partial(Claim, over="texts", cases=TEXTS | MORE_TEXTS, unseen=UNSEEN_TEXTS)
ffn_off = partial(on_texts, control=("each FFN of layers 10 to 20, the median", median_of_the_middle))

CLAIMS = section(
    "On other texts",
    hot_is_wide=on_texts(
        "At temperature 2, most of the probability usually falls outside the 20 likeliest tokens.",
        "Add up the probability outside them.",
        partial(probability_outside, temperature=2),
        Bounds(supports=above(50), count=(17, 20)),
        control=("temperature 1", partial(probability_outside, temperature=1)),
    ),
    prediction_comes_late=on_texts(
        "The final prediction usually takes the lead only in the last four of the 30 layers.",
        "Read the logit lens after each layer. Count the layers after the one where the final prediction appears.",
        lambda model, text: layers_to_go(model.trace(text)),
        Bounds(supports=(0, 3), count=(17, 20)),
        unit="layers",
    ),
    norms_off=on_texts(
        "Without the norms, the numbers overflow, so there is no next token.",
        "Switch off every norm.",
        lambda model, text: likeliest_after(model.trace(text), Edits(norm=False)) is None,
        Bounds(supports=YES),
        control=("RoPE switched off", lambda m, text: likeliest_after(m.trace(text), NO_ROPE) is None),
    ),
    rope_off_likeliest=on_texts(
        "Without RoPE, the likeliest token usually changes if the model wasn't sure of it.",
        "Switch off RoPE in every layer, on texts whose likeliest token has under 40%.",
        partial(changes_without_rope, sure=False),
        Bounds(supports=YES, of=13, count=(10, 13)),
        control=("texts on which it has more", partial(changes_without_rope, sure=True)),
    ),
    first_ffn_off=ffn_off(
        "Without the first FFN, most of the probability moves to other tokens.",
        "Switch off the FFN of layer 0.",
        partial(percent_moved, edits=Edits(ffn={0: 0})),
        Bounds(supports=above(50), above_control=20),
    ),
    ffn_eleven_off=ffn_off(
        "FFN 11 matters more than most FFNs around it.",
        "Switch off the FFN of layer 11.",
        partial(percent_moved, edits=Edits(ffn={11: 0})),
        Bounds(above_control=19),
    ),
    single_heads=on_texts(
        "How many heads a text needs depends on the text.",
        "Switch off each of the 270 heads in turn. Count those that change the likeliest token.",
        lambda model, text: 270 - len(spare_heads(model, text)),
        Bounds(lowest=(0, 5), highest=above(50)),
        unit="heads",
        unseen_bounds=Bounds(lowest=(0, 5), highest=above(50)),
    ),
    spare_heads_together=on_texts(
        "Heads that a text can do without one at a time, it can't do without together.",
        "Switch off all heads that changed nothing on their own. Does the likeliest token change?",
        changes_without_spare_heads,
        Bounds(supports=YES, count=(19, 20)),
        control=("40 of them, drawn at random", partial(changes_without_spare_heads, n=40)),
    ),
)
