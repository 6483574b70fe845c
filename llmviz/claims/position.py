"""What notebook 03 says: of single heads and their scores, of RoPE in the whole model, and of who has what."""

from collections.abc import Iterable
from functools import partial

import numpy as np

from llmviz import Edits, experiments, texts
from llmviz.claims.cases import LISTS, LONG, MORE_TEXTS, SENTENCES, TEXTS, UNSEEN_SENTENCES, UNSEEN_TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, above, below, remembered, section
from llmviz.experiments import even_previous_token_score, mean_surprise, score_changes, swapped_layers
from llmviz.model import Model, Trace

NO_ROPE, NO_ORDER = Edits(rope=False), Edits(rope=False, causal_mask=False)
HEAD = (16, 0)  # layer, head
MIDDLE = (19, 17, 15, 13, 11)  # layers whose blocks are switched off
FEW_LAYERS = (19, 15, 11)
FAST, SLOW = slice(8), slice(12, None)  # of RoPE's 32 pairs: the 8 fastest and the 20 slowest


def run(model: Model, text: str, edits: Edits | None = None) -> Trace:
    return model.trace(model.tokens_of(text)[:210], edits)


def changed_by_a_story(model: Model, text: str) -> np.ndarray:
    """Put 100 tokens in front: return what that changes in each head's score of the last token and the one before."""
    own, story = run(model, text), model.tokens_of(LONG["a long story"])[:100]
    after = model.trace([*story, *own.tokens])
    return abs(experiments.last_scores(after) - experiments.last_scores(own))


@remembered
def previous(model: Model, text: str) -> np.ndarray:
    return 100 * experiments.previous_token_scores(model.trace(text))


def less_than_equally(model: Model, text: str) -> float:
    unturned = np.diag(experiments.pattern_without_rope(model.trace(text), *HEAD), -1).mean()
    return 100 * (even_previous_token_score(len(model.tokens_of(text))) - unturned)


def lower_far_away(model: Model, text: str, **key) -> float:
    near, far = experiments.mean_scores_by_distance(run(model, text), (1, 1_000), **key)
    return float((far < near).sum())


@remembered
def surprise_with(model: Model, text: str, edits: Edits) -> float:
    return mean_surprise(run(model, text, edits))


def cost(model: Model, text: str, *, edits: Edits, than: Edits) -> float:
    return surprise_with(model, text, edits) - surprise_with(model, text, than)


@remembered
def blocks_off(model: Model, text: str) -> np.ndarray:
    """Return what each FFN and attention block in `MIDDLE` costs when switched off, in bits more than RoPE."""
    costs = experiments.ablate_each_block(model, run(model, text).tokens, mean_surprise, MIDDLE)
    return np.reshape([bits for *_, bits in costs], (-1, 2)) - surprise_with(model, text, NO_ROPE)


def wrong_positions(model: Model, text: str) -> float:
    """Return what shuffled positions cost, in bits more than RoPE switched off: the mean of three orders."""
    n = len(run(model, text).tokens)
    shuffled = (experiments.shuffled_positions(model, n, seed) for seed in range(3))
    bits = np.mean([mean_surprise(run(model, text, edits)) for edits in shuffled])
    return float(bits) - surprise_with(model, text, NO_ROPE)


def one_layer(model: Model, text: str, *, attention: bool) -> float:
    """Return what one layer of `FEW_LAYERS` costs without RoPE, or without attention: the mean, in bits."""
    own = run(model, text)
    costs = []
    for layer in FEW_LAYERS:
        unturned = experiments.unturned_pairs(model, len(own.tokens), slice(None), (layer,))
        costs.append(experiments.extra_surprise(own, Edits(attention={layer: 0}) if attention else unturned))
    return float(np.mean(costs))


def little_wrong(model: Model, text: str) -> float:
    return max(cost(model, text, edits=Edits(position_scale=by), than=NO_ROPE) for by in (0.5, 2.0))


def cheapest_change(model: Model, text: str) -> float:
    changes = NO_ROPE, *(Edits(position_scale=by) for by in (2.0, 4.0, 0.5))
    return min(cost(model, text, edits=edits, than=Edits()) for edits in changes)


def unturned(model: Model, text: str, *, pairs: slice, n_tokens: int | None = None) -> float:
    return experiments.unturned_cost(model, model.tokens_of(text)[:n_tokens], pairs).mean()


@remembered
def odds(model: Model, case: tuple[str, ...], asked: int, edits: Edits) -> list[float]:
    """Return the odds of the right thing against the other, in bits: as it is, and with the two things swapped."""
    a, b, *things = case
    trace = model.trace(f"{a} has a {things[0]} and {b} has a {things[1]}. {case[asked]} has a")
    word, other = (model.tokenizer.encode(f" {thing}")[0] for thing in things)
    runs = experiments.swapped_runs(trace, (trace.tokens.index(word), trace.tokens.index(other)), edits)
    before, after = (experiments.log_odds(run, word, other) for run in runs)
    return [-before, after] if asked else [before, -after]


def first_layer(model: Model, text: str) -> np.ndarray:
    return 100 * experiments.swap_changes(run(model, text), (1, 3), NO_ROPE, 0)


SHORT = {text: text for text in ("Hello world", "I am", "The cat sat", "We went to the sea")}
SHORT["a short start"] = TEXTS["a short start"]
VERY_SHORT = (*SHORT, "a proverb")
OTHERS = {"emoji": "😀👩‍👩‍👧", "capitals": "THE DOG BITES THE MAN AND RUNS AWAY"}
OTHERS |= {"counting": "1 2 3 4 5 6 7 8 9 10 11 12 13", "names": "Alice, Bob, Carol, Dave, Eve, Frank, Grace"}
LAYERS_ON = {f"{name}, {on} on": (text, on) for name, text in TEXTS.items() for on in (2, 5, 10, 15, 20)}
REPEATS, UNSEEN_REPEATS = (
    {f"{distance} on, seed {seed}": (distance, seed) for distance in (10, 75, 130) for seed in seeds}
    for seeds in (range(7), range(7, 14))
)
NAMES = "Tom Anna", "Mary John", "Peter Lucy", "Emma Jack", "Sam Kate", "Lisa Mark", "Ben Sarah"
THINGS = ("dog cat", "horse cow", "house car", "book pen", "ball kite", "son daughter", "boat bike")
MORE_THINGS = ("guitar piano", "rabbit fish", "hat coat", "ring watch", "farm shop")


def owners(names: Iterable[str], things: Iterable[str]) -> dict[str, tuple[str, ...]]:
    return {f"{who}, {what}": (*who.split(), *what.split()) for who in names for what in things}


def parts(name: str, n: int) -> dict[str, str]:
    """Cut n parts of 3,000 characters out of a text of ours, at even distances."""
    text = texts.read(name)
    starts = (text.index("\n\n", (2 * i + 1) * len(text) // (2 * n)) + 2 for i in range(n))
    return {f"{name}, part {i}": text[start : start + 3_000] for i, start in enumerate(starts, start=1)}


MORE_LONG = parts("python manual", 5) | parts("python source", 5)
UNSEEN_LONG = parts("bedtime stories", 8) | parts("recipes", 8)
UNSEEN_LONG |= {
    "sentences in twelve languages": "\n".join(SENTENCES.values()),
    "unseen short texts": "\n\n".join([*UNSEEN_TEXTS.values()][:16]),
    "more of these": "\n\n".join([*UNSEEN_TEXTS.values()][16:]),
    "Python's licence": texts.path_of("LICENSE-python").read_text("utf-8")[:3_000],
}
OWNERS = owners(NAMES, (*THINGS, *MORE_THINGS))
OTHER_OWNERS = owners(
    ("Max Julia", "Emily David", "Paul Alice", "Sophie George"),
    ("pig duck", "table lamp", "cup plate", "camera phone", "sister brother", "coin key"),
)
WHOLE = {text: text for text in UNSEEN_SENTENCES}
# Where positions times 4 cost less than none.
STANDS_IT = ("Arabic", "the alphabet", "the alphabet, small", "months, no commas", "colours, four times")
NO_ATTENTION = Edits(attention=dict.fromkeys(range(30), 0))
SPARED = ("a short start", "a proverb", "the same word", "Arabic")
ATTENTION = Bounds(supports=above(7), count=19)
FIRST_KEY = Bounds(within=below(200))
TEN_ON = Bounds(at={f"10 on, seed {seed}": (0.05, 0.35) for seed in range(7)})
WORDED = TEXTS | MORE_TEXTS
on_texts = partial(Claim, over="texts", cases=WORDED, unseen=UNSEEN_TEXTS)
in_bits, in_the_score = partial(on_texts, unit="bits"), partial(on_texts, unit="in the score")
on_heads = partial(on_texts, unit="heads of 270")
on_repeats = partial(Claim, over="cases", cases=REPEATS, unseen=UNSEEN_REPEATS, unit="bits")
on_sentences = partial(Claim, over="sentences", cases=OWNERS, unseen=OTHER_OWNERS, unit="bits")

CLAIMS = (
    *section(
        "What RoPE does in a head",
        order_in_one_head=on_texts(
            "Without RoPE, the order of the tokens before the last changes no head of the first layer.",
            "Shuffle them twice: the largest change of a head's output at the last token.",
            lambda model, text: 100 * experiments.shuffle_changes(run(model, text, NO_ROPE), 0, 2).max(),
            Bounds(within=below(0.001), control=Bounds(supports=above(8), count=19)),
            control=(
                "with RoPE, the head that changes most",
                lambda m, text: 100 * experiments.shuffle_changes(run(m, text), 0, 2).max(),
            ),
        ),
        only_the_distance=in_the_score(
            "For the same query and key, a score depends only on their distance.",
            "Shift the last query and the key before it by 1,000: the largest change of their score in any head.",
            lambda model, text: abs(score_changes(run(model, text), (1_000, 1_000))).max(),
            Bounds(within=below(1e-5), control=Bounds(within=above(0.005))),
            control=(
                "query only, by 1, in the median head",
                lambda m, t: np.median(abs(score_changes(run(m, t), (1, 0)))),
            ),
        ),
        shifted_text=on_texts(
            "With the whole text shifted, the prediction stays the same.",
            "Shift all positions by 1,000, and add up the probability that moves.",
            lambda m, text: 100 * experiments.probability_moved(m, text, Edits(position_shift=1_000.0)),
            Bounds(within=below(0.001)),
        ),
        text_in_front=in_the_score(
            "Real tokens in front do change scores, because they change the tokens after them.",
            "Put 100 tokens of a story in front: the change of that score in the median head above the first layer.",
            lambda model, text: np.median(changed_by_a_story(model, text)[1:]),
            Bounds(within=(0.1, 1.65), control=Bounds(within=below(1e-4))),
            control=(
                "any head of the first layer",
                lambda model, text: changed_by_a_story(model, text)[0].max(),
            ),
        ),
    ),
    *section(
        "Previous-token heads",
        few_heads=on_texts(
            "Of 270 heads, 3 to 11 are previous-token heads. In texts of up to five tokens, there are more.",
            "Count the heads that give more than half of their attention to the previous token.",
            lambda model, text: (previous(model, text) > 50).sum(),
            Bounds(
                supports=(3, 11), count=45, exceptions=VERY_SHORT, at=dict.fromkeys(VERY_SHORT, (15, 256))
            ),
            unit="heads",
            cases=WORDED | SENTENCES | OTHERS | SHORT,
        ),
        strongest_head=on_texts(
            "The strongest is usually head 0 of layer 16. The exceptions are lists, digits and repetitions.",
            "How much more attention does it give to the previous token than the strongest other head does?",
            lambda m, text: previous(m, text)[HEAD] - np.delete(previous(m, text), 16 * 9).max(),
            Bounds(
                supports=above(0), count=(43, 48), exceptions=("the same word", "names", "the digits of π")
            ),
            unit="percentage points",
            cases=WORDED | SENTENCES | OTHERS | {"the digits of π": "3.14159265358979323846264338327950288"},
        ),
        it_is_its_rope=on_texts(
            "Without RoPE in this head, it usually gives the previous token less than attention spread equally would.",
            "Leave its queries and keys unturned, and everything else unchanged: how much less does it give?",
            less_than_equally,
            Bounds(supports=above(0), count=19, exceptions=("the same word",)),
            unit="percentage points",
        ),
    ),
    *section(
        "Near and far",
        usual_scores_fall=on_heads(
            "In most heads, the score of a usual query with a usual key is lower far away.",
            "Count the heads whose mean query and mean key have a lower score at distance 1,000 than at 1.",
            lower_far_away,
            Bounds(supports=above(243), count=19, at={"the same word": (185, 200)}, control=FIRST_KEY),
            control=("the key of the first token", partial(lower_far_away, keys=slice(1))),
        ),
        others_half_the_time=on_heads(
            "RoPE doesn't do that on its own: with another head's key, only about half of the scores are lower.",
            "The same with the key of a head 2, 5, 10, 15 or 20 layers further on (unseen: 10).",
            lambda model, case: lower_far_away(model, case[0], layers_on=case[1]),
            Bounds(within=(99, 163)),
            over="cases",
            cases=LAYERS_ON,
            unseen={f"{name}, 10 on": (text, 10) for name, text in UNSEEN_TEXTS.items()},
        ),
    ),
    *section(
        "RoPE switched off in the whole model",
        after_a_sentence=on_texts(
            "With RoPE off, the likeliest token usually stays the same after a complete sentence.",
            "Switch RoPE off: is the likeliest token still the same?",
            lambda model, text: 1 - experiments.likeliest_changes(model, text, NO_ROPE),
            Bounds(supports=YES, count=18),
            unseen_bounds=Bounds(supports=YES, count=17),
            over="sentences",
            cases=SENTENCES,
            unseen=WHOLE,
        ),
        within_a_text=on_texts(
            "After other kinds of text, it usually changes.",
            "Switch RoPE off: is another token the likeliest now?",
            lambda model, text: experiments.likeliest_changes(model, text, NO_ROPE),
            Bounds(supports=YES, count=(12, 20)),
            unseen_bounds=Bounds(supports=YES, count=(20, 32)),
        ),
        none_lowers=in_bits(
            "On most texts, neither RoPE off nor positions times 2, 4 or ½ lower the surprise.",
            "Do each of the four: how many bits more does a token cost in the best of them?",
            cheapest_change,
            Bounds(supports=above(0), count=(12, 20)),
            unseen_bounds=Bounds(supports=above(0), count=(20, 32)),
        ),
        rope_off_costs=in_bits(
            "Switching RoPE off usually raises surprise by more than 0.4 bits per token. Switching off all "
            "attention usually raises it far more.",
            "Switch RoPE off: how many bits more does each token cost?",
            partial(cost, edits=NO_ROPE, than=Edits()),
            Bounds(supports=above(0.4), count=16, exceptions=SPARED, control=ATTENTION),
            control=("all attention switched off", partial(cost, edits=NO_ATTENTION, than=Edits())),
        ),
        wrong_positions=in_bits(
            "Wrong positions usually cost even more than none.",
            "Shuffle the positions by which RoPE turns the tokens, three times: how many bits more does each token "
            "cost than with RoPE switched off?",
            wrong_positions,
            Bounds(supports=above(0), count=19, exceptions=("Arabic",)),
            unseen_bounds=Bounds(supports=above(0), count=29),
        ),
        one_layer=in_bits(
            "In a single middle layer, losing RoPE usually costs less than losing attention, and neither costs much.",
            "Switch RoPE off in layer 11, 15 or 19 only: how many bits more does each token cost, on average?",
            partial(one_layer, attention=False),
            Bounds(within=below(0.3), below_control=15, control=Bounds(within=below(0.4))),
            unseen_bounds=Bounds(within=below(0.3), below_control=28, control=Bounds(within=below(0.4))),
            control=("attention switched off in the same layer", partial(one_layer, attention=True)),
        ),
        ffn_eleven=in_bits(
            "Of ten middle blocks, the feed-forward network (FFN) of layer 11 is the worst to lose. Switching it off "
            "usually costs more than switching RoPE off in every layer.",
            "Switch it off: how many bits more does each token cost than with RoPE switched off?",
            lambda model, text: blocks_off(model, text)[-1, 0],
            Bounds(supports=above(0), count=19, exceptions=("a long story",), above_control=20),
            control=("the worst of the other nine", lambda m, t: np.delete(blocks_off(m, t), -2).max()),
        ),
        blocks=on_texts(
            "Usually, at least seven of these ten blocks each cost less than RoPE in all layers.",
            "Switch off attention and FFN of layers 11, 13, 15, 17 and 19, one at a time; count those that cost less.",
            lambda model, text: (blocks_off(model, text) < 0).sum(),
            Bounds(supports=above(7), count=17, exceptions=("a proverb", "the same word", "Arabic")),
            unit="blocks of 10",
        ),
        stretched=in_bits(
            "Stretching positions by 4 usually costs more than switching RoPE off. Lists without commas are the main "
            "exception.",
            "Stretch all positions by 4: how many bits more does each token cost than with RoPE switched off?",
            partial(cost, edits=Edits(position_scale=4.0), than=NO_ROPE),
            Bounds(supports=above(0), count=27, exceptions=STANDS_IT),
            control=("stretched by 2 or squeezed to half, the worse of the two", little_wrong),
            cases=WORDED | LISTS | OTHERS,
        ),
    ),
    *section(
        "Fast and slow pairs",
        fast_pairs=in_bits(
            "In short texts, the fast pairs of numbers matter and the slow pairs hardly do.",
            "Leave the 8 fastest of the 32 pairs unturned in every head: how many bits more does each token cost?",
            partial(unturned, pairs=FAST),
            Bounds(supports=above(0.15), count=17, exceptions=SPARED[1:], control=Bounds(within=below(0.1))),
            control=("the 20 slowest", partial(unturned, pairs=SLOW)),
        ),
        slow_in_long_texts=in_bits(
            "In longer texts, the slow pairs matter more.",
            "Leave the 20 slowest pairs unturned, in the first 512 tokens.",
            partial(unturned, pairs=SLOW, n_tokens=512),
            Bounds(within=(0.45, 1.25), above_control=20, control=Bounds(within=below(0.45))),
            control=("the first 200 tokens", partial(unturned, pairs=SLOW, n_tokens=200)),
            over="long texts",
            cases=LONG | MORE_LONG,
            unseen=UNSEEN_LONG,
        ),
        fast_at_repeats=on_repeats(
            "Where tokens are repeated, the 8 fastest pairs are worth more than the 20 slowest.",
            "Repeat ten random tokens 10, 75 or 130 tokens later: how many bits more do they cost?",
            lambda m, case: experiments.repeat_cost(m, FAST, *case),
            Bounds(within=(4.35, 13.95), above_control=21, control=TEN_ON),
            control=("the 20 slowest", lambda m, case: experiments.repeat_cost(m, SLOW, *case)),
        ),
        slow_at_repeats=on_repeats(
            "What the slow pairs are worth usually grows with the distance.",
            "The same, 130 tokens later.",
            lambda m, seed: experiments.repeat_cost(m, SLOW, 130, seed),
            Bounds(above_control=17),
            control=("75 tokens later", lambda m, seed: experiments.repeat_cost(m, SLOW, 75, seed)),
            over="seeds",
            cases={str(seed): seed for seed in range(20)},
            unseen={str(seed): seed for seed in range(20, 40)},
        ),
        others_at_repeats=on_repeats(
            "Ten new tokens in the same place lose far less.",
            "Put ten tokens there that repeat nothing, with the 8 fastest pairs unturned.",
            lambda m, case: experiments.repeat_cost(m, FAST, *case, other=True),
            Bounds(within=below(2.65), control=Bounds(within=below(0.4))),
            control=("the 20 slowest", lambda m, case: experiments.repeat_cost(m, SLOW, *case, other=True)),
        ),
    ),
    *section(
        "Who has what",
        right_thing_leads=on_sentences(
            "Asked what the first person has, the model is right in both orders more often than for the second.",
            "Is the right thing likelier than the other, and still so after the two are swapped?",
            lambda model, case: min(odds(model, case, 0, Edits())) > 0,
            Bounds(supports=YES, count=56, control=Bounds(supports=YES, count=17)),
            unseen_bounds=Bounds(supports=YES, count=10, control=Bounds(supports=YES, count=3)),
            control=(
                "asked for the second person",
                lambda model, case: min(odds(model, case, 1, Edits())) > 0,
            ),
        ),
        swap_turns_the_odds=on_sentences(
            "Swapping the things nearly always moves the odds the right way for the first person, less often for the "
            "second.",
            "Swap the two things: do the odds move towards the thing that is now right?",
            lambda model, case: sum(odds(model, case, 0, Edits())) > 0,
            Bounds(supports=YES, count=81, control=Bounds(supports=YES, count=32)),
            control=(
                "asked for the second person",
                lambda model, case: sum(odds(model, case, 1, Edits())) > 0,
            ),
        ),
        turned_without_rope=on_sentences(
            "Without RoPE, usually less than half of that move is left.",
            "Swap them with RoPE switched off: by how many bits does the move fall short of half its size with RoPE?",
            lambda m, case: sum(odds(m, case, 0, Edits())) / 2 - sum(odds(m, case, 0, NO_ROPE)),
            Bounds(supports=above(0), count=73),
            unseen_bounds=Bounds(supports=above(0), count=17),
        ),
    ),
    *section(
        "What order the causal mask leaves",
        noticed_later=on_texts(
            "Without RoPE, a swap reaches the last token in every layer after the first, because of the mask.",
            "Swap two neighbours: the change of the attention output at the last token, in the least changed layer.",
            lambda model, text: 100 * swapped_layers(run(model, text), NO_ROPE)[1:].min(),
            Bounds(within=above(0.1), control=Bounds(within=below(0.1))),
            control=("mask off as well", lambda m, text: 100 * swapped_layers(run(m, text), NO_ORDER).max()),
        ),
        swapped_and_between=on_texts(
            "Without RoPE, a swap in the first layer changes the two tokens and those between them, but no others.",
            "Swap tokens 1 and 3: the change of the attention output at the least changed of these three.",
            lambda model, text: first_layer(model, text)[1:4].min(),
            Bounds(within=above(1), of=17, control=Bounds(within=below(0.001), of=17)),
            control=("any other token", lambda m, text: np.delete(first_layer(m, text), [1, 2, 3]).max()),
        ),
    ),
)
