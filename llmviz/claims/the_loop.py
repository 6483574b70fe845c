"""What notebook 00 says, on 20 texts, and on others that had no part in the wording."""

from functools import partial

import numpy as np

from llmviz import Edits, Sampler, ops, sampling
from llmviz.claims.cases import MORE_TEXTS, TEXTS, UNSEEN_TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, above, below, remembered, section
from llmviz.edits import put, scale
from llmviz.experiments import ablate, likeliest_after, likeliest_changes, probability_moved
from llmviz.experiments.ablation import each_head_off
from llmviz.experiments.lens import layers_to_go
from llmviz.model import Model

NO_ROPE, LAST_FFN = Edits(rope=False), Edits(ffn={29: 0})
SURE = 0.4  # probability of the likeliest token


def probability_outside(model: Model, text: str, *, temperature: float, n: int = 20) -> float:
    """Measure the probability outside the n likeliest tokens, in %."""
    return 100 * sampling.mass_outside(Sampler(temperature=temperature).probs(model.trace(text).logits), n)


def tokens_to_cover(model: Model, text: str, *, share: float) -> int:
    """Count the likeliest tokens that together have this share of the probability, 0 to 1."""
    return int(np.count_nonzero(sampling.top_p(Sampler().probs(model.trace(text).logits), share).probs))


def percent_moved(model: Model, text: str, *, edits: Edits) -> float:
    """Measure how much of the probability moves to other tokens, in % (total variation)."""
    return 100 * probability_moved(model, text, edits)


@remembered
def typical_near_eleven(model: Model, text: str) -> float:
    layers = [layer for layer in range(10, 21) if layer != 11]
    return np.median([percent_moved(model, text, edits=Edits(ffn={layer: 0})) for layer in layers])


def moved_by_the_rest(model: Model, text: str) -> float:
    """Measure what FFN 11 moves if it's switched off at every token but the first, in %."""
    rest = range(1, len(model.trace(text).tokens))
    return percent_moved(model, text, edits=Edits(at={("ffn_out", 11): scale(0, positions=rest)}))


@remembered
def first_output(model: Model, text: str) -> np.ndarray:
    return model.trace(text).blocks[11].ffn_at(slice(0, 1)).out[0]


def moved_by_the_mean(model: Model, text: str) -> float:
    """Measure what it moves if FFN 11 adds, at the first token, what it adds there on average in other texts, in %."""
    mean = np.mean([first_output(model, other) for other in FIRST_TEXTS.values() if other != text], axis=0)
    return percent_moved(model, text, edits=Edits(at={("ffn_out", 11): put(mean, positions=0)}))


@remembered
def heads_off(model: Model, text: str) -> tuple[int, dict[int, list[bool]]]:
    """Count the heads without which, one at a time, another token is the likeliest; and try random sets of the others.

    The sets are those of `each_head_off`: {how many heads are off together: whether another token is the likeliest}.
    """
    _, changes, together = [results for _, results in each_head_off(model.trace(text)) if results][-1]
    return int(changes.sum()), together


def changed_together(model: Model, text: str, *, n: int) -> float:
    """Measure in what share of the sets of n heads the likeliest token changes, in %."""
    return 100 * float(np.mean(heads_off(model, text)[1].get(n, np.nan)))


def changes_without(model: Model, text: str, *, part: Edits, sure: bool) -> float:
    """Say whether the likeliest token changes with these edits; NaN where the model is (not) sure of it."""
    is_sure = ops.softmax(model.trace(text).logits).max() >= SURE
    return likeliest_changes(model, text, part) if is_sure == sure else np.nan


FIRST_TEXTS = TEXTS | MORE_TEXTS
on_texts = partial(Claim, over="texts", cases=FIRST_TEXTS, unseen=UNSEEN_TEXTS)
at_first = partial(percent_moved, edits=ablate("ffn_out", [11], 0))
ffn_off = partial(on_texts, control=("a typical FFN of layers 10 to 20, 11 left out", typical_near_eleven))


def unsure_changes(sentence: str, tested: str, part: Edits, least: int) -> Claim:
    """Return the claim that, without a part, the model's prediction changes more often where it isn't sure of it."""
    return on_texts(
        sentence,
        tested,
        partial(changes_without, part=part, sure=False),
        Bounds(supports=YES, of=13, count=(least, 13), control=Bounds(supports=YES, of=7, count=(0, 4))),
        control=("likeliest token at 40% or more", partial(changes_without, part=part, sure=True)),
    )


CLAIMS = (
    *section(
        "On other texts",
        tokens_for_ninety=on_texts(
            "How many tokens it takes to cover 90% of the probability depends on the text.",
            "Count the likeliest tokens that have 90% together.",
            partial(tokens_to_cover, share=0.9),
            Bounds(lowest=below(10), highest=above(500)),
            unit="tokens",
        ),
        hot_is_wide=on_texts(
            "At temperature 2, most of the probability usually falls outside the 20 likeliest tokens.",
            "Add up the probability outside them.",
            partial(probability_outside, temperature=2),
            Bounds(supports=above(50), count=(17, 20)),
            control=("temperature 1", partial(probability_outside, temperature=1)),
        ),
        prediction_comes_late=on_texts(
            "On most texts, the final prediction takes the lead only in the last four of the 30 layers.",
            "Read the logit lens after each layer. Find the one where the final prediction takes the lead for good, "
            "and count the layers after it.",
            lambda model, text: layers_to_go(model.trace(text)),
            Bounds(supports=(0, 3), count=(17, 20)),
            unit="layers left",
            unseen_bounds=Bounds(supports=(0, 3), count=(24, 26)),
        ),
        norms_off=on_texts(
            "Without the norms, the numbers overflow, so there is no next token.",
            "Switch off every norm.",
            lambda model, text: likeliest_after(model.trace(text), Edits(norm=False)) is None,
            Bounds(supports=YES),
            control=("RoPE switched off", lambda m, text: likeliest_after(m.trace(text), NO_ROPE) is None),
        ),
        rope_off_likeliest=unsure_changes(
            "Without RoPE, a likeliest token under 40% changes more often than a likelier one.",
            "Switch off RoPE in every layer.",
            NO_ROPE,
            least=10,
        ),
        last_ffn_off_likeliest=unsure_changes(
            "That isn't special to RoPE: the same holds without FFN 29.",
            "Switch off FFN 29, the last one.",
            LAST_FFN,
            least=9,
        ),
        first_ffn_off=ffn_off(
            "Without FFN 0, most of the probability moves to other tokens.",
            "Switch it off and measure how much of the probability moves.",
            partial(percent_moved, edits=Edits(ffn={0: 0})),
            Bounds(supports=above(50), above_control=20),
        ),
        last_ffn_off=ffn_off(
            "Switching off FFN 29, the last one, usually moves more probability than switching off a typical FFN in "
            "the middle.",
            "Switch it off and measure how much of the probability moves.",
            partial(percent_moved, edits=LAST_FFN),
            Bounds(above_control=15),
        ),
        single_heads=on_texts(
            "How many heads change the likeliest token on their own depends on the text.",
            "Switch off each of the 270 heads in turn. Count those that change the likeliest token.",
            lambda model, text: heads_off(model, text)[0],
            Bounds(lowest=below(10), highest=above(50), at={"numbers": (0, 0), "French": above(50)}),
            unit="heads",
        ),
        other_heads_together=on_texts(
            "Heads that leave the likeliest token in place one at a time usually change it together.",
            "Switch off five random sets of 160 such heads. Count the sets that change it.",
            partial(changed_together, n=160),
            Bounds(supports=above(50), count=(15, 20), above_control=15),
            control=("sets of 10", partial(changed_together, n=10)),
            unit="% of the sets",
        ),
    ),
    *section(
        "FFN 11, the exception that is left out above",
        ffn_eleven_off=ffn_off(
            "Switching off FFN 11 moves more probability than switching off a typical FFN near it.",
            "Switch it off and measure how much of the probability moves.",
            partial(percent_moved, edits=Edits(ffn={11: 0})),
            Bounds(above_control=19),
        ),
        ffn_eleven_at_first=on_texts(
            "Switching FFN 11 off at the first token usually moves more probability than at all the others.",
            "Switch it off at the first token only, and measure how much of the probability moves.",
            at_first,
            Bounds(above_control=17),
            control=("switched off at all other tokens", moved_by_the_rest),
        ),
        ffn_eleven_mean=on_texts(
            "What FFN 11 adds at the first token can be replaced by its average in other texts, with little change.",
            "Replace what it adds at the first token by that average, and measure how much of the probability moves.",
            moved_by_the_mean,
            Bounds(below_control=20, median=below(10)),
            control=("switched off at the first token", at_first),
        ),
    ),
)
