"""What notebook 00 says, on fifteen texts."""

from functools import partial

import numpy as np

from llmviz import Edits, Sampler, sampling
from llmviz.claims.cases import TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, above, below, remembered, section
from llmviz.experiments import likeliest_after, likeliest_changes, probability_moved
from llmviz.experiments.lens import layers_to_go
from llmviz.model import Model


def probability_outside(model: Model, text: str, *, temperature: float, n: int = 20) -> float:
    """Measure the probability outside the n likeliest tokens, in %."""
    return 100 * sampling.mass_outside(Sampler(temperature=temperature).probs(model.trace(text).logits), n)


def percent_moved(model: Model, text: str, *, edits: Edits) -> float:
    """Measure how much of the probability moves to other tokens, in % (total variation)."""
    return 100 * probability_moved(model, text, edits)


@remembered
def median_of_the_middle(model: Model, text: str) -> float:
    return np.median([percent_moved(model, text, edits=Edits(ffn={layer: 0})) for layer in range(10, 21)])


on_texts = partial(Claim, over="texts", cases=TEXTS)
ffn_off = partial(on_texts, control=("each FFN of layers 10 to 20, the median", median_of_the_middle))
NO_ROPE, SHIFTED = Edits(rope=False), Edits(position_shift=1_000.0)

CLAIMS = section(
    "On fifteen texts",
    hot_is_wide=on_texts(
        "At temperature 2, most of the probability is outside the 20 likeliest tokens.",
        "Add up the probability outside them.",
        partial(probability_outside, temperature=2),
        Bounds(supports=above(50), count=(13, 15), within=above(40)),
        control=("temperature 1", partial(probability_outside, temperature=1)),
    ),
    norms_off=on_texts(
        "Without the norms, there is no next token: the numbers overflow.",
        "Switch all norms off.",
        lambda model, text: likeliest_after(model.trace(text), Edits(norm=False)) is None,
        Bounds(supports=YES),
        control=("RoPE switched off", lambda m, text: likeliest_after(m.trace(text), NO_ROPE) is None),
    ),
    rope_off_likeliest=on_texts(
        "Without RoPE, the likeliest token mostly changes.",
        "Switch RoPE off.",
        partial(likeliest_changes, edits=NO_ROPE),
        Bounds(supports=YES, count=12),
        control=("all positions shifted by 1,000", partial(likeliest_changes, edits=SHIFTED)),
    ),
    first_ffn_off=ffn_off(
        "Without the first FFN, almost all of the probability moves to other tokens.",
        "Switch the FFN of layer 0 off.",
        partial(percent_moved, edits=Edits(ffn={0: 0})),
        Bounds(within=above(75), control=Bounds(within=below(35))),
    ),
    ffn_eleven_off=ffn_off(
        "FFN 11 can't be spared, although most FFNs around it can.",
        "Switch the FFN of layer 11 off.",
        partial(percent_moved, edits=Edits(ffn={11: 0})),
        Bounds(supports=above(35), count=13, control=Bounds(within=below(35))),
    ),
    single_heads=on_texts(
        "How many heads matter on their own depends on the text.",
        "Switch each of the 270 heads off, and count those that change the likeliest token.",
        lambda m, text: sum(likeliest_changes(m, text, Edits(head={head: 0})) for head in np.ndindex(30, 9)),
        Bounds(lowest=below(10), highest=above(50), at={"numbers": (0, 0), "French": above(50)}),
        unit="heads",
        cases={name: text for name, text in TEXTS.items() if len(text) < 120},  # a run for each head
    ),
    prediction_comes_late=on_texts(
        "The final prediction mostly appears only after the very last layer.",
        "Read the logit lens after each layer; count the layers after the one where the final prediction appears.",
        lambda model, text: layers_to_go(model.trace(text)),
        Bounds(supports=(0, 0), count=12, within=(0, 14)),
        unit="layers",
    ),
)
