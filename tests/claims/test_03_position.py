"""What notebook 03 says, over many texts."""

import functools

import numpy as np
import pytest

from llmviz import Edits, Sampler, attention, experiments, position
from llmviz.claims.cases import ARTICLES
from llmviz.views.position import STORY
from tests.claims import Measured
from tests.claims.texts import LONG, TEXTS

AS_IT_IS, OFF = Edits(), Edits(rope=False)
USED = 60  # tokens of a text, where a text is run many times
PAIRS = (
    ("dog", "cat"),
    ("horse", "cow"),
    ("house", "car"),
    ("book", "pen"),
    ("ball", "kite"),
    ("son", "daughter"),
)
NAMES = (("Tom", "Anna"), ("Mary", "John"), ("Peter", "Lucy"))


def owners(asked: int) -> dict[str, tuple[str, str, str]]:
    """As the page's own: who has what is said by the order alone. The text asks for the first or the second person;
    then the right answer and the other."""
    return {
        f"{a}, {b}, {x}, {y}": (
            f"{a} has a {x} and {b} has a {y}. {(a, b)[asked]} has a",
            *[f" {x}", f" {y}"][:: -1 if asked else 1],
        )
        for a, b in NAMES
        for x, y in PAIRS
    }


OWNERS = owners(0)
SLOW = slice(12, None)  # the 20 slowest pairs
FAST = slice(8)  # the 8 fastest
N_ROW = 10  # random tokens that come a second time
DISTANCES = (10, 75, 130)  # tokens from each to the same
ROWS = [(distance, seed) for distance in DISTANCES for seed in range(5)]
SENTENCES = {  # whole ones, of 13 to 132 tokens, in eleven languages; most of `TEXTS` break off
    f"{language} {number}": sentence
    for language, both in ARTICLES.items()
    for number, sentence in enumerate(both, start=1)
}
VERY_SHORT = {text: text for text in ("Hello world", "I am", "The cat sat", "We went to the sea")}
PI = "3.14159265358979323846264338327950288"
OFFSETS = (2, 5, 10, 15, 20)  # layers from a head to the one whose key it is given
BLOCKS = [Edits(**{part: {layer: 0}}) for part in ("ffn", "attention") for layer in range(10, 20)]


FEW = {
    name: TEXTS[name] for name in ("a fact", "a dialogue", "code", "French", "the same word")
}  # for quick tests


def one_head_and_the_order(model, texts=TEXTS, *, rope: bool) -> Measured:
    """The most that any head of layer 0 changes in what it hands to the last token: all others shuffled, five times."""
    rng, edits = np.random.default_rng(0), Edits(rope=rope)

    def change(text: str) -> float:
        tokens = model.tokenizer.encode(text)[:USED]
        runs = [tokens, *([*rng.permutation(tokens[:-1]).tolist(), tokens[-1]] for _ in range(5))]
        own, *shuffled = (model.trace(run, edits).blocks[0].attention.z[:, -1] for run in runs)
        changes = [np.linalg.norm(z - own, axis=1) / np.linalg.norm(own, axis=1) for z in shuffled]
        return 100 * float(np.median(changes, axis=0).max() if rope else np.max(changes))

    says = "changes the most order-minding head" if rope else "changes no head"
    return Measured(
        f"Layer 0, {'with' if rope else 'without'} RoPE: shuffling {says}",
        {name: change(text) for name, text in texts.items()},
        "% of what is handed over",
        (lambda v: v > 10) if rope else (lambda v: v < 0.001),
    )


def without_rope_a_head_sees_no_order(model, texts=TEXTS) -> Measured:
    return one_head_and_the_order(model, texts, rope=False)


def with_rope_a_head_sees_the_order(model, texts=TEXTS) -> Measured:
    return one_head_and_the_order(model, texts, rope=True)


def moved_scores(model, places: tuple[int, int]) -> dict[str, float]:
    """Median over all heads: by how much the score of the last token and the one before changes, if query and key
    stand so many places further on."""
    config = model.config

    def change(text: str) -> float:
        trace = model.trace(model.tokenizer.encode(text)[:USED])
        changes = []
        for layer, head in np.ndindex(config.n_layers, config.n_heads):
            q, k = (x[at] for x, at in zip(experiments.before_rope(trace, layer, head), (-1, -2)))
            at = np.array([len(trace.tokens) - 1, len(trace.tokens) - 2])
            scores = []
            for shift in ((0, 0), places):
                angles = position.rotation_angles(at + shift, config.d_head, base=config.rope_base)
                scores.append(position.pair_scores(*position.rotate(np.stack([q, k]), angles)).sum())
            changes.append(abs(scores[1] - scores[0]))
        return float(max(changes) if places[0] == places[1] else np.median(changes))

    return {name: change(text) for name, text in TEXTS.items()}


def both_moved(model) -> Measured:
    says = "Query and key both moved by 1,000: the largest change of a score, of all heads"
    return Measured(says, moved_scores(model, (1_000, 1_000)), "", lambda v: v < 1e-5)


def one_moved(model) -> Measured:
    says = "The query alone moved by one: the median change of a score, of all heads"
    return Measured(says, moved_scores(model, (1, 0)), "", lambda v: v > 0.005)


def text_moved(model) -> Measured:
    values = {name: 100 * moved(model, text, Edits(position_shift=1_000.0)) for name, text in TEXTS.items()}
    return Measured("The whole text moved by 1,000: the guess stays", values, "% moved", lambda v: v < 0.001)


def text_put_in_front(model, texts=TEXTS, *, first_layer: bool = False) -> Measured:
    """The first 100 tokens of the page's story in front of a text: by how much the scores of its last token and the
    one before change; the median of all heads above layer 0, or the largest in layer 0, where a token is itself."""
    front = model.tokenizer.encode(STORY)[:100]

    def change(text: str) -> float:
        ids = model.tokenizer.encode(text)[:USED]
        alone, behind = (
            np.stack([b.attention.scores[:, -1, -2] for b in model.trace(tokens).blocks])
            for tokens in (ids, front + ids)
        )
        changes = abs(alone - behind)
        return float(changes[0].max() if first_layer else np.median(changes[1:]))

    says = "A story in front: " + ("the largest" if first_layer else "the median") + " change of a score, "
    says += "in layer 0" if first_layer else "above layer 0"
    agrees = (lambda v: v < 1e-4) if first_layer else (lambda v: v > 0.235)
    return Measured(says, {name: change(text) for name, text in texts.items()}, "", agrees)


def in_layer_zero_it_changes_none(model, texts=TEXTS) -> Measured:
    """The control: only where the tokens are still themselves."""
    return text_put_in_front(model, texts, first_layer=True)


def few_heads_look_one_back(model, texts=TEXTS | SENTENCES) -> Measured:
    values = {name: float((previous(model, text) > 0.5).sum()) for name, text in texts.items()}
    return Measured("Few heads give the token before most", values, "heads of 270", lambda v: v <= 10)


def in_very_short_texts_many_do(model) -> Measured:
    """Where the token before is often the first."""
    return few_heads_look_one_back(model, VERY_SHORT)


def head_sixteen_zero_looks_one_back(model, texts=TEXTS | SENTENCES) -> Measured:
    values = {name: 100 * previous(model, text)[16, 0] for name, text in texts.items()}
    says = "L16·H0 gives the token before most of its attention"
    return Measured(says, values, "% of its attention", lambda v: v > 70)


def it_is_the_strongest(model, texts=TEXTS | SENTENCES | {"pi": PI}) -> Measured:
    """Its place among all heads."""
    values = {}
    for name, text in texts.items():
        shares = previous(model, text)
        values[name] = 1.0 + (shares > shares[16, 0]).sum()
    return Measured("No head looks one back more than L16·H0", values, "(its place)", lambda v: v == 1)


def its_clocks_do_it(model) -> Measured:
    """Its share for the token before, its own hands not turned, against an even share for all that it sees."""
    values = {}
    for name, text in TEXTS.items():
        pattern = experiments.pattern_without_rope(model.trace(text), 16, 0)
        even = np.mean(1 / np.arange(2, len(pattern) + 1))
        values[name] = np.diagonal(pattern, -1).mean() / even
    says = "Its hands not turned, L16·H0 gives the token before less than an even share"
    return Measured(says, values, "times an even share", lambda v: v < 1)


def another_token_leads(model, texts=TEXTS) -> Measured:
    values = {
        name: float(model.trace(text).logits.argmax() != model.trace(text, OFF).logits.argmax())
        for name, text in texts.items()
    }
    return Measured("RoPE off: another token comes first", values, "(1: it does)", lambda v: v == 1)


def seldom_after_a_whole_sentence(model) -> Measured:
    return another_token_leads(model, SENTENCES)


def not_turned(model, tokens, pairs: slice) -> np.ndarray:
    """What it costs each token but the first, in bits, not to turn these pairs in any head."""
    config, ids = model.config, tuple(tokens)
    back = np.zeros((len(ids), config.d_head // 2))
    back[:, pairs] = -position.rotation_angles(np.arange(len(ids)), config.d_head, base=config.rope_base)[
        :, pairs
    ]
    still = {
        (name, layer): lambda x: position.rotate(x, back)
        for name in ("q", "k")
        for layer in range(config.n_layers)
    }
    costs = experiments.surprise(model.trace(ids, Edits(at=still))) - experiments.surprise(model.trace(ids))
    model.forget()
    return costs


def texts_not_turned(model, says: str, texts, pairs: slice, agrees, n_tokens: int | None = None) -> Measured:
    values = {
        name: float(not_turned(model, model.tokenizer.encode(text)[:n_tokens], pairs).mean())
        for name, text in texts.items()
    }
    return Measured(f"{says}: each token surprises more", values, "bits more", agrees)


def fast_hands_matter(model, texts=TEXTS) -> Measured:
    says = "The 8 fastest hands not turned"
    return texts_not_turned(model, says, texts, FAST, lambda v: v > 0.15)


def slow_hands_matter(model, texts=TEXTS) -> Measured:
    """Often said: slow hands tell near from far. In short texts nothing shows of it."""
    says = "The 20 slowest hands not turned"
    return texts_not_turned(model, says, texts, SLOW, lambda v: v > 0.035)


def slow_hands_matter_at_200(model, texts=LONG) -> Measured:
    """In longer texts it does, and more where something comes back that stood far above."""
    says = "The same in the first 200 tokens of long texts"
    return texts_not_turned(model, says, texts, SLOW, lambda v: v > 0.035, 200)


def slow_hands_matter_far_away(model, texts=LONG) -> Measured:
    return texts_not_turned(model, "The same in 512 tokens", texts, SLOW, lambda v: v > 0.035, 512)


@functools.cache
def row_again(model, distance: int, seed: int, fast: bool, other: bool = False) -> float:
    """Some hands not turned: the cost of each token of a row of ten random ones that comes a second time at this
    distance, after other random tokens; or that of ten others there."""
    tokens = experiments.random_tokens(model, distance + N_ROW, seed)
    end = tokens[distance:] if other else tokens[:N_ROW]
    return float(not_turned(model, [*tokens[:distance], *end], FAST if fast else SLOW)[-N_ROW:].mean())


def rows_again(model, says: str, rows, agrees, **which) -> Measured:
    values = {
        f"{distance} on, seed {seed}": row_again(model, distance, seed, **which) for distance, seed in rows
    }
    return Measured(f"{says}: each token surprises more", values, "bits more", agrees)


def slow_hands_find_again(model, rows=ROWS) -> Measured:
    says = "Ten random tokens a second time, the 20 slowest hands not turned"
    return rows_again(model, says, rows, lambda v: v > 0.1, fast=False)


def slow_hands_and_other_tokens(model, rows=ROWS) -> Measured:
    """The control."""
    return rows_again(model, "And ten others in their place", rows, lambda v: v > 0.1, fast=False, other=True)


def fast_hands_find_again(model, rows=ROWS) -> Measured:
    says = "Ten random tokens a second time, the 8 fastest hands not turned"
    return rows_again(model, says, rows, lambda v: v > 4, fast=True)


def fast_hands_and_other_tokens(model, rows=ROWS) -> Measured:
    """The control."""
    return rows_again(model, "And ten others in their place", rows, lambda v: v > 4, fast=True, other=True)


@functools.cache
def surprise(model, tokens: tuple[int, ...], edits: Edits = AS_IT_IS) -> float:
    return float(experiments.surprise(model.trace(tokens, edits)).mean())


def short(model, texts=TEXTS) -> dict[str, tuple[int, ...]]:
    return {name: tuple(model.tokenizer.encode(text)[:USED]) for name, text in texts.items()}


def rope_off_costs(model) -> Measured:
    values = {name: surprise(model, ids, OFF) - surprise(model, ids) for name, ids in short(model).items()}
    return Measured("RoPE off: each token surprises more", values, "bits more", lambda v: v > 0.4)


def stretched_costs(model, texts, by: float, than: Edits) -> dict[str, float]:
    stretched = Edits(position_scale=by)
    return {
        name: surprise(model, ids, stretched) - surprise(model, ids, than)
        for name, ids in short(model, texts).items()
    }


def wrong_places_are_worse_than_none(model, texts=TEXTS) -> Measured:
    says = "Stretched by four, each token surprises more than with RoPE off"
    return Measured(says, stretched_costs(model, texts, 4.0, OFF), "bits more", lambda v: v > 0)


def a_little_wrong_is_better_than_none(model, texts=TEXTS, *, by: float = 2.0) -> Measured:
    says = f"Places times {by:g}, each token surprises less than with RoPE off"
    return Measured(says, stretched_costs(model, texts, by, OFF), "bits more", lambda v: v < -0.005)


def so_is_half(model, texts=TEXTS) -> Measured:
    return a_little_wrong_is_better_than_none(model, texts, by=0.5)


def most_blocks_cost_less(model, texts=TEXTS) -> Measured:
    """The control: how many of the middle's 20 FFN and attention blocks cost less than RoPE off, each off alone."""
    values = {
        name: float(sum(surprise(model, ids, block) < surprise(model, ids, OFF) for block in BLOCKS))
        for name, ids in short(model, texts).items()
    }
    return Measured("Most single blocks cost less than RoPE", values, "of 20 blocks", lambda v: v >= 17)


def the_worst_block_costs_more(model, texts=TEXTS) -> Measured:
    values = {
        name: max(surprise(model, ids, block) for block in BLOCKS) - surprise(model, ids, OFF)
        for name, ids in short(model, texts).items()
    }
    return Measured("The worst single block costs more than RoPE", values, "bits more", lambda v: v > 0)


@functools.cache
def dearer_blocks(model, ids: tuple[int, ...]) -> set[tuple[str, int]]:
    """Those of all blocks that cost more than RoPE off, each off alone."""
    return {
        (part, layer)
        for part in ("ffn", "attention")
        for layer in range(model.config.n_layers)
        if surprise(model, ids, Edits(**{part: {layer: 0}})) > surprise(model, ids, OFF)
    }


def some_of_all_blocks_cost_more(model, texts=TEXTS) -> Measured:
    """Beside the middle, from which the page takes its control."""
    values = {name: float(len(dearer_blocks(model, ids))) for name, ids in short(model, texts).items()}
    return Measured(
        "Of all single blocks, some cost more than RoPE", values, "of 60 blocks", lambda v: v >= 4
    )


def it_is_ffn_eleven(model, texts=TEXTS) -> Measured:
    """Its place among the blocks."""
    values = {}
    for name, ids in short(model, texts).items():
        costs = [surprise(model, ids, block) for block in BLOCKS]
        values[name] = 1.0 + (np.array(costs) > costs[1]).sum()
    return Measured("The worst block is the FFN of layer 11", values, "(its place)", lambda v: v == 1)


def all_attention_off_costs(model, texts=TEXTS) -> Measured:
    """The control as wide as RoPE itself: in all layers."""
    off = Edits(attention=dict.fromkeys(range(model.config.n_layers), 0))
    values = {
        name: surprise(model, ids, off) - surprise(model, ids) for name, ids in short(model, texts).items()
    }
    return Measured("All attention off costs far more", values, "bits more", lambda v: v > 7)


def three_tokens_know_less(model, texts=TEXTS) -> Measured:
    """Surprise where only the last three tokens are known, less that of the whole text without RoPE."""
    values = {}
    for name, ids in short(model, texts).items():
        last = [
            experiments.surprise(model.trace(ids[max(0, i - 3) : i + 1]), last=1)[0]
            for i in range(1, len(ids))
        ]
        values[name] = np.mean(last) - surprise(model, ids, OFF)
    says = "Without RoPE the whole text is worth more than its last three tokens with it"
    return Measured(says, values, "bits", lambda v: v > 0)


def swap_turns_the_answer(model) -> Measured:
    """By how much the swap changes the odds of the two answers; 1 bit: twice as likely against the other."""
    values = {name: odds(model, *one)[0] - odds(model, *one)[1] for name, one in OWNERS.items()}
    return Measured("The two swapped, the other answer gains", values, "bits", lambda v: v > 1)


def the_right_one_leads(model) -> Measured:
    values = {name: min(odds(model, *one) * [1, -1]) for name, one in OWNERS.items()}
    return Measured("Before and after the swap, the right one leads", values, "bits", lambda v: v > 0)


def the_second_owner_is_told_wrong(model) -> Measured:
    """The same sentences, asking for the second person: does the right one lead, before and after the swap?"""
    values = {name: min(odds(model, *one) * [1, -1]) for name, one in owners(1).items()}
    return Measured("Asked for the second person, the right one leads", values, "bits", lambda v: v > 0)


def the_second_owner_is_turned(model) -> Measured:
    values = {name: odds(model, *one)[0] - odds(model, *one)[1] for name, one in owners(1).items()}
    says = "Asked for the second person, the other answer gains by the swap"
    return Measured(says, values, "bits", lambda v: v > 0)


def without_rope_it_hardly_turns(model) -> Measured:
    """The share of the change of odds that is left without RoPE; below zero: it turns the wrong way."""
    values = {}
    for name, one in OWNERS.items():
        (a, b), (c, d) = odds(model, *one), odds(model, *one, OFF)
        values[name] = 100 * (c - d) / (a - b)
    return Measured("Without RoPE less than half of that is left", values, "% of it", lambda v: v < 50)


@functools.cache
def swaps(model, few: bool = False) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The first two tokens that differ change places: relative change of what attention hands to the last, by layer."""
    found = {}
    for name, ids in short(model, FEW if few else TEXTS).items():
        if (at := next((i for i in range(len(ids) - 2) if ids[i] != ids[i + 1]), None)) is None:
            continue  # always the same token
        other = [*ids[:at], ids[at + 1], ids[at], *ids[at + 2 :]]
        found[name] = [
            experiments.relative_change(model.trace(ids, edits), model.trace(other, edits))
            for edits in (Edits(), OFF, Edits(rope=False, causal_mask=False))
        ]
    return found


def first_layer_sees_no_swap(model, few: bool = False) -> Measured:
    values = {name: 100 * change[1][0] for name, change in swaps(model, few).items()}
    return Measured("RoPE off: layer 0 sees nothing of a swap", values, "% changed", lambda v: v < 0.001)


def later_layers_do(model, few: bool = False) -> Measured:
    """The least of all later layers."""
    values = {name: 100 * change[1][1:].min() for name, change in swaps(model, few).items()}
    return Measured("RoPE off: every later layer does", values, "% changed", lambda v: v > 0.1)


def without_the_mask_none_does(model, few: bool = False) -> Measured:
    values = {name: 100 * change[2].max() for name, change in swaps(model, few).items()}
    return Measured("RoPE and mask off: no layer does", values, "% changed", lambda v: v < 0.1)


@functools.cache
def first_layer_after(model, few: bool = False) -> dict[str, np.ndarray]:
    """RoPE off, the tokens 1 and 3 swapped: relative change of attention's output in layer 0, by token."""
    found = {}
    for name, ids in short(model, FEW if few else TEXTS).items():
        if len(ids) > 4 and ids[1] != ids[3]:
            other = [ids[0], ids[3], ids[2], ids[1], *ids[4:]]
            a, b = (model.trace(tokens, OFF).blocks[0].attention.out for tokens in (ids, other))
            found[name] = np.linalg.norm(a - b, axis=1) / np.linalg.norm(a, axis=1)
    return found


def the_swapped_and_all_between_change(model, few: bool = False) -> Measured:
    """The least of the three."""
    values = {name: 100 * change[1:4].min() for name, change in first_layer_after(model, few).items()}
    return Measured("RoPE off, layer 0: the two and the one between change", values, "%", lambda v: v > 1)


def no_other_changes(model, few: bool = False) -> Measured:
    values = {
        name: 100 * change[[0, *range(4, len(change))]].max()
        for name, change in first_layer_after(model, few).items()
    }
    return Measured("RoPE off, layer 0: no other does", values, "%", lambda v: v < 0.001)


def lower_far_away(model, keys: slice, *, layers_on: int = 0) -> dict[str, float]:
    """Of how many heads the score of a usual query and a usual key is lower at distance 1,000 than at 1; the key from
    the head that is so many layers further on."""
    config, near_and_far = model.config, np.array([1, 1_000])

    def falls(trace, layer: int, head: int) -> bool:
        q, _ = experiments.before_rope(trace, layer, head)
        _, k = experiments.before_rope(trace, (layer + layers_on) % config.n_layers, head)
        near, far = position.score_by_distance(
            q[1:].mean(axis=0), k[keys].mean(axis=0), near_and_far, base=config.rope_base
        )
        return far < near

    heads = [*np.ndindex(config.n_layers, config.n_heads)]
    traces = {name: model.trace(ids) for name, ids in short(model).items()}
    return {name: float(sum(falls(trace, *head) for head in heads)) for name, trace in traces.items()}


def scores_fall_for_words(model) -> Measured:
    values = lower_far_away(model, slice(1, None))
    return Measured("Scores fall for keys but the first", values, "heads of 270", lambda v: v > 243)


def scores_of_the_first_token_often_stay(model) -> Measured:
    values = lower_far_away(model, slice(1))
    return Measured("For the first token fewer do", values, "heads of 270", lambda v: v < 200)


def scores_of_strangers_fall_in_half(model, offsets=OFFSETS) -> Measured:
    """The control: a query, and the key of a head some layers on."""
    values = {
        f"{name}, {on} on": value
        for on in offsets
        for name, value in lower_far_away(model, slice(1, None), layers_on=on).items()
    }
    says = "With another head's key about half of them fall"
    return Measured(says, values, "heads of 270", lambda v: 99 <= v <= 163)


def moved(model, text: str, edits: Edits) -> float:
    return experiments.total_variation(
        *(Sampler().probs(model.trace(text, one).logits) for one in (Edits(), edits))
    )


@functools.cache
def previous(model, text: str) -> np.ndarray:
    """What each head gives to the token before, [n_layers n_heads]."""
    return np.stack([attention.previous_token_score(b.patterns()) for b in model.trace(text).blocks])


@functools.cache
def odds(model, text: str, one: str, other: str, edits: Edits = AS_IT_IS) -> np.ndarray:
    """log2 of the odds of one against the other as the next token: as it stands, and with the two swapped."""
    ids = model.tokenizer.encode(text)
    (a,), (b,) = (model.tokenizer.encode(word) for word in (one, other))
    swapped = [b if token == a else a if token == b else token for token in ids]
    logits = [model.trace(tokens, edits).logits for tokens in (ids, swapped)]
    return np.array([(x[a] - x[b]) / np.log(2) for x in logits])


CONCLUSIONS = (
    without_rope_a_head_sees_no_order,
    with_rope_a_head_sees_the_order,
    both_moved,
    one_moved,
    text_moved,
    text_put_in_front,
    in_layer_zero_it_changes_none,
    few_heads_look_one_back,
    in_very_short_texts_many_do,
    head_sixteen_zero_looks_one_back,
    it_is_the_strongest,
    its_clocks_do_it,
    fast_hands_matter,
    slow_hands_matter,
    slow_hands_matter_at_200,
    slow_hands_matter_far_away,
    slow_hands_find_again,
    slow_hands_and_other_tokens,
    fast_hands_find_again,
    fast_hands_and_other_tokens,
    another_token_leads,
    seldom_after_a_whole_sentence,
    rope_off_costs,
    wrong_places_are_worse_than_none,
    a_little_wrong_is_better_than_none,
    so_is_half,
    most_blocks_cost_less,
    the_worst_block_costs_more,
    some_of_all_blocks_cost_more,
    it_is_ffn_eleven,
    all_attention_off_costs,
    three_tokens_know_less,
    the_right_one_leads,
    the_second_owner_is_told_wrong,
    the_second_owner_is_turned,
    swap_turns_the_answer,
    without_rope_it_hardly_turns,
    the_swapped_and_all_between_change,
    no_other_changes,
    first_layer_sees_no_swap,
    later_layers_do,
    without_the_mask_none_does,
    scores_fall_for_words,
    scores_of_the_first_token_often_stay,
    scores_of_strangers_fall_in_half,
)


# --- the page's wording, held to the numbers ---


def test_one_head_without_rope_sees_a_heap(model):
    assert without_rope_a_head_sees_no_order(model, FEW).agree == len(FEW)
    assert with_rope_a_head_sees_the_order(model, FEW).agree == len(FEW) - 1


def test_only_the_distance_counts(model):
    assert both_moved(model).agree == text_moved(model).agree == len(TEXTS)
    alone = one_moved(model)
    assert alone.agree == len(TEXTS)
    assert alone.highest < 0.235
    assert text_put_in_front(model, FEW).agree == in_layer_zero_it_changes_none(model, FEW).agree == len(FEW)


def test_a_previous_token_head(model):
    few = few_heads_look_one_back(model)
    n_texts = len(TEXTS | SENTENCES) - 1
    assert few.agree == n_texts == 35
    assert few.lowest == 3
    assert [name for name in few.values if not few.agrees(few.values[name])] == ["a short start"]
    assert len(model.tokenizer.encode(TEXTS["a fact"])) == 8  # no other is shorter
    short = [few.values["a short start"], *in_very_short_texts_many_do(model).values.values()]
    assert (min(short), max(short)) == (15, 256)
    sixteen = head_sixteen_zero_looks_one_back(model)
    assert sixteen.agree == n_texts
    assert f"{sorted(sixteen.values.values())[1]:.0f} to {sixteen.highest:.0f}" == "73 to 91"
    place = it_is_the_strongest(model).values
    assert sum(at == 1 for at in place.values()) == n_texts
    assert place["pi"] == 2 < place["the same word"]
    assert its_clocks_do_it(model).agree == 14


def test_rope_off_costs_and_all_attention_off_costs_more(model):
    off = rope_off_costs(model)
    assert off.agree == 13
    assert 3 < off.highest < 3.2
    assert off.values["the same word"] < 0 < off.values["a short start"] < 0.25
    assert 7 < all_attention_off_costs(model, FEW).values["French"] < 13.4
    assert three_tokens_know_less(model, {name: FEW[name] for name in ("a fact", "the same word")}).agree == 2


def test_most_blocks_cost_less_than_rope_and_one_costs_more(model):
    texts = {name: FEW[name] for name in ("a fact", "French", "the same word")}
    less, worst = most_blocks_cost_less(model, texts), the_worst_block_costs_more(model, texts)
    assert less.agree == 2
    assert less.highest <= 19
    assert worst.agree == it_is_ffn_eleven(model, texts).agree == len(texts)
    assert 0.3 < worst.lowest < worst.highest < 8.25
    assert some_of_all_blocks_cost_more(model, {"a short start": TEXTS["a short start"]}).highest == 17


def test_places_wrong_by_four_are_worse_than_none_by_two_better(model):
    assert wrong_places_are_worse_than_none(model, FEW).agree == len(FEW)
    assert a_little_wrong_is_better_than_none(model, FEW).agree == len(FEW)
    half = so_is_half(model, FEW)
    assert half.agree == len(FEW) - 1
    assert half.values["the same word"] > 0


def test_slow_hands_are_hardly_missed_in_short_texts_but_where_tokens_come_again_far_on(model):
    fast, slow = fast_hands_matter(model, FEW), slow_hands_matter(model, FEW)
    assert fast.agree == len(FEW) - 1
    assert slow.agree == 0
    again, fast_again = (
        np.reshape([*find(model, [(distance, 0) for distance in DISTANCES]).values.values()], 3)
        for find in (slow_hands_find_again, fast_hands_find_again)
    )
    assert (np.diff(again) > 0.4).all()  # the further, the more
    assert (fast_again > again).all()


@pytest.mark.long
def test_what_they_cost_over_all_rows_and_in_long_texts(model):
    slow, fast = (
        np.reshape([*find(model).values.values()], (3, 5))
        for find in (slow_hands_find_again, fast_hands_find_again)
    )
    assert [f"{row.min():.1f} to {row.max():.1f}" for row in slow] == [
        "0.1 to 0.3",
        "1.8 to 3.4",
        "3.3 to 6.7",
    ]
    assert (np.diff(slow, axis=0) > 0.4).all()
    assert (fast > slow).all()
    assert f"{fast.min():.1f} to {fast.max():.1f}" == "4.4 to 13.9"
    assert slow_hands_and_other_tokens(model).highest < 0.35
    assert fast_hands_and_other_tokens(model).highest < 2.65
    assert 0.3 < slow_hands_matter_at_200(model).highest < 0.4


@pytest.mark.slow
def test_what_whole_sentences_and_a_text_in_front_do(model):
    assert seldom_after_a_whole_sentence(model).agree == 5
    assert len(SENTENCES) == 21
    front = text_put_in_front(model)
    assert front.agree == len(TEXTS)
    assert f"{front.lowest:.1f} to {front.highest:.1f}" == "0.3 to 1.6"


@pytest.mark.long
def test_what_takes_long(model):
    assert another_token_leads(model).agree == 12
    assert scores_of_strangers_fall_in_half(model).agree == len(TEXTS) * len(OFFSETS)
    more = some_of_all_blocks_cost_more(model)
    assert more.agree == len(TEXTS)
    assert [more.lowest, *sorted(more.values.values())[-2:]] == [4, 17, 44]
    dearer = [dearer_blocks(model, ids) for ids in short(model).values()]
    mostly = {block for block in set.union(*dearer) if sum(block in one for one in dearer) >= 13}
    assert mostly == {("ffn", 0), ("ffn", 11), ("attention", 0), ("attention", 1)}
    assert more.values["the same word"] == 44
    assert slow_hands_matter_far_away(model, {"a long story": LONG["a long story"]}).lowest > 0.45


def test_who_has_what_is_told_by_the_order(model):
    assert the_right_one_leads(model).agree == 16
    turned = swap_turns_the_answer(model)
    assert turned.agree == len(OWNERS) == 18
    assert turned.lowest > 1.95
    assert turned.highest < 6.65
    assert the_second_owner_is_told_wrong(model).agree == 2
    assert the_second_owner_is_turned(model).agree == 3
    left = without_rope_it_hardly_turns(model)
    assert left.agree == 17
    assert left.values["Tom, Anna, dog, cat"] < 0


def test_the_mask_tells_the_order(model):
    for conclusion in (first_layer_sees_no_swap, later_layers_do, without_the_mask_none_does):
        assert conclusion(model, few=True).agree == len(FEW)
    for conclusion in (the_swapped_and_all_between_change, no_other_changes):
        assert conclusion(model, few=True).agree == len(first_layer_after(model, few=True)) > 3


def test_scores_fall_for_words_and_less_often_for_the_first_token(model):
    words, first = scores_fall_for_words(model), scores_of_the_first_token_often_stay(model)
    assert words.agree == 14
    assert 185 < words.values["the same word"] < 200
    assert first.agree == 15
    assert (first.lowest, first.highest) == (161, 184)
