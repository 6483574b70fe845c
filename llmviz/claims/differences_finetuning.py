"""What notebook 07 says about fine-tuning: of facts, over countries."""

from functools import partial

import numpy as np

from llmviz.claims.claim import Bounds, Claim, above, below, following, remembered, section
from llmviz.experiments import fine_tuning
from llmviz.experiments.fine_tuning import CAPITALS
from llmviz.model import Model


@remembered
def fact(model: Model, country: str, owner: str, layer: int, keep: bool = False) -> np.ndarray:
    return 100 * fine_tuning.spread(model, country, owner, layer, keep=keep)


LAST, EARLY = 29, 8  # layers
on_countries = partial(Claim, over="countries", cases=following(CAPITALS))

CLAIMS = (
    *section(
        "One fact",
        fact_learned=on_countries(
            "A country's wrong capital is learned by one example in the last layer, also in plain text.",
            "Teach each country the next one's capital, and ask for it in a chat.",
            lambda model, pair: fact(model, *pair, LAST)[0, 0],
            Bounds(within=above(90), control=Bounds(within=above(50))),
            control=("in plain text", lambda model, pair: fact(model, *pair, LAST)[0, 1]),
        ),
        fact_spreads=on_countries(
            "The other countries get it as well, in plain text less than in a chat.",
            "Ask for the capitals of the eight others; take the mean.",
            lambda model, pair: fact(model, *pair, LAST)[1, 0],
            Bounds(within=above(25), above_control=10, control=Bounds(lowest=below(3), highest=(90, 95))),
            control=("in plain text", lambda model, pair: fact(model, *pair, LAST)[1, 1]),
        ),
        early_layer=on_countries(
            "In layer 8, it is learned in a chat, but hardly in plain text.",
            "The same, in layer 8.",
            lambda model, pair: fact(model, *pair, EARLY)[0, 0],
            Bounds(within=above(90), control=Bounds(within=below(55))),
            control=("in plain text", lambda model, pair: fact(model, *pair, EARLY)[0, 1]),
        ),
        early_spreads_less=on_countries(
            "The other countries get it less than from the last layer.",
            "Ask for the capitals of the eight others; take the mean.",
            lambda model, pair: fact(model, *pair, EARLY)[1, 0],
            Bounds(within=below(90), below_control=10),
            control=("in the last layer", lambda model, pair: fact(model, *pair, LAST)[1, 0]),
        ),
        learned_with_others=on_countries(
            "With two other countries among the examples, it is learned in a chat, less surely in plain text.",
            "Teach two others their own capitals at the same time.",
            lambda model, pair: fact(model, *pair, LAST, True)[0, 0],
            Bounds(within=above(80), control=Bounds(lowest=below(15))),
            control=("in plain text", lambda model, pair: fact(model, *pair, LAST, True)[0, 1]),
        ),
        kept_spreads_less=on_countries(
            "The six countries that are left then mostly hardly get it.",
            "Ask for their capitals in a chat; take the mean.",
            lambda model, pair: fact(model, *pair, LAST, True)[1, 0],
            Bounds(supports=below(15), count=(8, 10)),
            control=("without the two", lambda model, pair: fact(model, *pair, LAST)[1, 0]),
        ),
    ),
)
