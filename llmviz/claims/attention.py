"""What notebook 04 says: which tokens are sinks, what carries a verb's number, and how heads copy together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from llmviz import Edits, experiments
from llmviz.claims.cases import (
    AFTER_PARIS,
    AGREEMENT,
    COMMON_NOUNS,
    LONG,
    MORE_TEXTS,
    NOUNS,
    OTHER_NOUNS,
    SUBJECT_FRAMES,
    TEXTS,
    UNSEEN_SUBJECT_FRAMES,
    UNSEEN_TEXTS,
    WAKING,
)  # fmt: skip
from llmviz.claims.claim import YES, Bounds, Claim, above, below, remembered, section
from llmviz.experiments import extra_surprise, minimal_pair, rank_correlation, sinks, weight_off_sinks
from llmviz.experiments.attention_behaviours import weights_of_last
from llmviz.experiments.facts import CAPITALS
from llmviz.experiments.patching import Pair, hold, patch_component, patch_heads
from llmviz.experiments.score_parts import at_mean, score_parts, weights_at_mean
from llmviz.model import Model, Trace

Head = tuple[int, int]  # layer, head
Sentences = tuple[str, str]  # up to the verb: one, and its twin with the noun's other number
SPEAKER, LOOKER = (26, 0), (13, 8)  # the head that carries the number; the one that attends from the verb
N = 30  # tokens in a row, which then comes again
WRITER, READER = (16, 0), (18, 6)
PREVIOUS = ((11, 1), (2, 1), (1, 2))  # other early heads that attend to the token before
BREAKERS = ((1, 4), (1, 5), (1, 3), (0, 8))  # switched off, these early heads cost every text much
OTHER_PATHS = (("q", WRITER), *(("k", head) for head in PREVIOUS + BREAKERS))  # into queries and keys


@remembered
def n_on_first(model: Model, text: str) -> np.ndarray:
    tokens = model.tokenizer.encode_prompt(text[:6000])[:512]
    return experiments.heads_on_first(experiments.first_token_weights(model.trace(tokens)))


@remembered
def mean_output(model: Model) -> np.ndarray:
    return np.mean([experiments.head_outputs(model.trace(text)) for text in TEXTS.values()], axis=0)


def lost(model: Model, sentences: Sentences, *, ways: Sequence[str], heads: Sequence[Head] = ()) -> float:
    """Measure how much of its lead the verb that fits loses, in %, at worst; NaN without one. No heads: three."""
    both = minimal_pair(model, *sentences)
    heads = heads or both.most_attending(3)
    if both.lead(both.runs.trace) <= 0:
        return math.nan
    return 100 * max(both.lost(both.edits(way, heads, mean_output(model))) for way in ways)


def unseen(model: Model, sentences: Sentences, *, keys: Sequence[int] = (1,)) -> float:
    """Measure the same if no head may attend to the noun, or to these tokens, from the last one."""
    return 100 * minimal_pair(model, *sentences).lost(experiments.knockout_attention(np.ndindex(30, 9), keys))


def unseen_without(model: Model, sentences: Sentences) -> float:
    """Measure the same with the head that carries the number switched off at the last token."""
    both = minimal_pair(model, *sentences)
    hidden = experiments.knockout_attention(np.ndindex(30, 9), [1])
    return 100 * both.lost(with_both(hidden, both.edits("ablate", [SPEAKER])))


def attention_rank(model: Model, sentences: Sentences, *, head: Head) -> int:
    return minimal_pair(model, *sentences).most_attending(270).index(head) + 1


def lost_by_other_two(model: Model, sentences: Sentences) -> float:
    heads = minimal_pair(model, *sentences).most_attending(3)
    return lost(model, sentences, ways=["ablate"], heads=[head for head in heads if head != SPEAKER])


def lost_by_random(model: Model, sentences: Sentences) -> float:
    besides = minimal_pair(model, *sentences).most_attending(3)
    draws = [experiments.random_heads((30, 9), 3, besides, seed) for seed in range(5)]
    return max(lost(model, sentences, ways=["ablate"], heads=heads) for heads in draws)


@remembered
def ways(model: Model, text: str) -> np.ndarray:
    """Ask in three ways [3, n] (attention, leaving out, gradient × input) of all tokens but the first and the last."""
    *_, measures = experiments.what_mattered(model.trace(text))
    return measures[:, 1:-1]


@remembered
def agreement_by_chance(model: Model) -> float:
    pairs = [tuple(ways(model, text)[:2]) for text in MIDDLING.values()]
    return float(np.percentile(experiments.mean_correlation_by_chance(pairs), 97.5))


def run_twice(model: Model, seed: int) -> Trace:
    return model.trace(experiments.random_tokens(model, N, seed) * 2)


def left(model: Model, seed: int, *, of: str, changes: Sequence[tuple[str, Head]]) -> float:
    """Measure what is left of the reader's "score", or of the "right" token's probability, in %, at worst."""
    trace = run_twice(model, seed)
    edits = [Edits(), *(experiments.weaken(trace, head, how, READER) for how, head in changes)]
    runs = [experiments.measure_composition(trace, [change], WRITER, READER) for change in edits]
    before, *after = (np.mean(getattr(run, of)) for run in runs)
    return 100 * min(after) / before


def score_without_another(model: Model, seed: int) -> float:
    trace = run_twice(model, seed)
    ablated = experiments.ablate_each_earlier_head(trace, READER)
    lowest = min(score for *head, score in ablated if (*head,) != WRITER)
    return 100 * lowest / experiments.induction_score_of(trace, READER)


def with_both(edits: Edits, more: Edits) -> Edits:
    return Edits(head={**edits.head, **more.head}, at={**edits.at, **more.at})


def held_between(trace: Trace, part: str) -> Edits:
    """Hold the parts that come after the writer and before the reader: "ffn_out" or "attention_out"."""
    return hold(trace, part, range(WRITER[0] + (part == "attention_out"), READER[0]))


def score_with_held(model: Model, seed: int, *, part: str) -> float:
    """Switch the writer off and hold the parts up to the reader: what is left of its score, in %."""
    trace = run_twice(model, seed)
    run = model.trace(trace.tokens, with_both(Edits(head={WRITER: 0}), held_between(trace, part)))
    return 100 * experiments.induction_score_of(run, READER) / experiments.induction_score_of(trace, READER)


def gain_left(model: Model, tokens: Sequence[int]) -> float:
    """Measure how much more likely the right token is in the second pass: what is left without the writer, in %.

    NaN for fewer than ten tokens, and where the second pass is less than 10 percentage points better.
    """
    runs = [model.trace([*tokens] * 2, edits) for edits in (Edits(), Edits(head={WRITER: 0}))]
    before, after = (np.subtract(*experiments.copying_by_pass(experiments.token_probs(run))) for run in runs)
    return 100 * after / before if len(tokens) >= 10 and before < -0.1 else math.nan


def gain_left_of_text(model: Model, text: str) -> float:
    return gain_left(model, model.tokenizer.encode(text)[:40])


def score_left_of_text(model: Model, text: str, *, change: tuple[str, Head]) -> float:
    """Measure what is left of the reader's score after a change, in %, as the text's first 40 tokens come twice."""
    tokens = model.tokenizer.encode(text)[:40]
    if len(tokens) < 10:
        return math.nan
    how, head = change
    trace = model.trace(tokens * 2)
    run = model.trace(tokens * 2, experiments.weaken(trace, head, how, READER))
    return 100 * experiments.induction_score_of(run, READER) / experiments.induction_score_of(trace, READER)


def gain_left_of_random(model: Model, text: str) -> float:
    """Measure the same of as many random tokens."""
    n = len(model.tokenizer.encode(text)[:40])
    return gain_left(model, experiments.random_tokens(model, n, seed=n)) if n >= 10 else math.nan


def weight_on(trace: Trace, key: int, edits: Edits | None = None) -> float:
    """Measure what the reader gives to a key from the last token, in %."""
    run = trace.model.trace(trace.tokens, edits)
    return 100 * float(weights_of_last(run, *READER)[key])


def left_in_a_run(model: Model, seed: int, *, hold_ffns: bool) -> float:
    """Run the row of `copied` with the key's attention 16 at the other keys' mean: what is left of its weight."""
    tokens = experiments.random_tokens(model, 20, seed)
    trace = model.trace([*tokens, *tokens[:5]])
    edits = at_mean(trace, f"attention {WRITER[0]}", 5)
    if hold_ffns:
        edits = with_both(edits, held_between(trace, "ffn_out"))
    return 100 * weight_on(trace, 5, edits) / weight_on(trace, 5)


def weight_if_another_came_before(model: Model, seed: int, *, heads: Sequence[Head]) -> float:
    """Let heads pass on at token 9 what they would after another token: its weight when that other one asks."""
    *tokens, other = experiments.random_tokens(model, 21, seed)
    twin = model.trace([*tokens[:8], other, *tokens[9:], other])
    z = np.stack([block.attention_at(9).z[:, 0] for block in twin.blocks])
    return weight_on(model.trace([*tokens, other]), 9, patch_heads(z, heads, position=9))


def weight_if_another_asks(model: Model, seed: int, *, ffn: int) -> float:
    """Give the last token, a new one, this FFN's output for the row's token 8: the weight on token 9."""
    *tokens, other = experiments.random_tokens(model, 21, seed)
    pair = Pair(model.trace([*tokens, other]), model.trace([*tokens, tokens[8]]), 20)
    return weight_on(pair.trace, 9, patch_component(pair, "ffn_out", [ffn], 20))


def weight_on_subject(model: Model, frame: str, noun: str) -> float:
    """Measure what the looker gives to a sentence's subject, from the *was* after it, in %."""
    subject = len(model.tokens_of(frame.partition(" {}")[0]))
    return 100 * experiments.attention_from(model.trace(f"{frame.format(noun)} was"), -1)[*LOOKER, subject]


@dataclass(frozen=True)
class OpenedScore:
    """The score of one key, and its parts beyond the other keys' mean."""

    names: list[str]
    beyond: np.ndarray  # part of the query, part of the key
    left: np.ndarray  # of the attention weight, in %, with one part of the key at the other keys' mean

    def of_key(self, name: str) -> float:
        """Return what a part of the key adds."""
        return float(self.beyond.sum(axis=0)[self.names.index(name)])

    def without(self, name: str) -> "OpenedScore":
        """Return the same without a part of the key."""
        others = [i for i, other in enumerate(self.names) if other != name]
        return OpenedScore([self.names[i] for i in others], self.beyond[:, others], self.left[others])


def opened(trace: Trace, layer: int, head: int, key: int) -> OpenedScore:
    """Open the score of the last token with a key."""
    taken = score_parts(trace, layer, head)
    weight = weights_of_last(trace, layer, head)[key]
    left = 100 * weights_at_mean(trace, layer, head, key) / weight
    return OpenedScore(taken.names, taken.beyond(key), left)


@remembered
def copied(model: Model, seed: int) -> OpenedScore:
    """Open the reader's score of what came next: 20 random tokens, of which the first five come again."""
    tokens = experiments.random_tokens(model, 20, seed)
    return opened(model.trace([*tokens, *tokens[:5]]), *READER, 5)


def largest_pair(score: OpenedScore, of_query: str, of_key: str) -> float:
    """Measure how far a pair is ahead of all others."""
    pairs = score.beyond.copy()
    own = pairs[place := (score.names.index(of_query), score.names.index(of_key))]
    pairs[place] = -np.inf
    return float(own - pairs.max())


def largest_of_key(model: Model, country: str, *, head: Head) -> float:
    """Measure the largest part of a country's key, in *The capital of … is*."""
    trace = model.trace(f"The capital of {country} is")
    return float(opened(trace, *head, 3).beyond.sum(axis=0).max())


def forms(frame: str, noun: str, plural: str) -> Sentences:
    return f"{frame.format(plural)} were", f"{frame.format(noun)} was"


def sentences_with(nouns: Mapping[str, str]) -> dict[str, Sentences]:
    """Return the sentences that end in *was*, then those in *were*, by their nouns."""
    plural = {many: forms("The {} that I saw yesterday", noun, many) for noun, many in nouns.items()}
    return {noun: plural[many][::-1] for noun, many in nouns.items()} | plural


BOTH = sentences_with(NOUNS)
ONE = {noun: BOTH[noun] for noun in NOUNS}
MANY = {plural: BOTH[plural] for plural in NOUNS.values()}
OTHERS = {frame.format(nouns[1]): forms(frame, *nouns) for frame, nouns in AGREEMENT.items()}
ONE_FLIPS = Bounds(supports=above(100), count=1)
# Neither too few tokens to be ordered, nor too many to leave each out.
MIDDLING = {name: text for name, text in TEXTS.items() if name not in ("a short start", "a long story")}
on_texts = partial(Claim, over="texts", cases=TEXTS)
on_ordinary = partial(on_texts, cases={name: TEXTS[name] for name in TEXTS if name != "the same word"})
on_nouns = partial(Claim, over="nouns", cases=BOTH)
on_singular = partial(Claim, over="singular nouns", cases=ONE)
on_plural = partial(Claim, over="plural nouns", cases=MANY)
on_others = partial(Claim, over="sentences", cases=OTHERS)
on_middling = partial(Claim, over="texts", cases=MIDDLING, unit="(correlation)")
on_opened = partial(Claim, over="rows", cases={f"row {i}": i for i in range(40)}, unit="points")
ROWS, UNSEEN_ROWS = ({f"row {i}": i for i in range(n, n + 20)} for n in (0, 20))
on_twenty = partial(Claim, over="rows", cases=ROWS, unseen=UNSEEN_ROWS)
on_rows = partial(Claim, over="rows", cases={f"row {i}": i for i in range(10)}, unit="% left")

CLAIMS = (
    *section(
        "Attention sinks",
        early_and_late=on_texts(
            "At token 8, most heads give the first token most of their attention in nine of ten texts; at token 512, "
            "fewer than 40% do.",
            "Count the heads that give it more than half, when token 8 attends.",
            lambda model, text: n_on_first(model, text)[7],
            Bounds(supports=above(135), count=9, lowest=below(10), control=Bounds(within=below(108))),
            control=("token 512", lambda model, text: n_on_first(model, text)[511]),
            unit="of 270 heads",
            over="long texts",
            cases=LONG,
        ),
        attends_only_to_itself=on_ordinary(
            "The first token's value is short. So is that of a later one, if it attends only to itself.",
            "Let the seventh token attend only to itself, in every head. How long is its value?",
            partial(sinks.value_if_alone, at=6),
            Bounds(within=below(50), of=12, control=Bounds(within=below(35))),
            control=("the first token", partial(sinks.value_if_alone, at=0)),
            unit="% of the median",
        ),
        no_word_makes_a_sink=on_texts(
            "The word isn't the reason: after *Paris*, none of these words has a value as short as that of *Paris*.",
            "Write a word six times after *Paris*, and compare the value of *Paris* with the shortest of the six.",
            sinks.value_before_others,
            Bounds(within=below(60)),
            unit="% of it",
            over="words",
            cases={word: word for word in AFTER_PARIS},
        ),
        first_value_at_zero=on_ordinary(
            "Without the first token's short value, every text gets harder to predict, most by more than a bit.",
            "Set the first token's values to zero, in every head. How much more surprising are the others?",
            partial(sinks.bits_without_value, at=0),
            Bounds(within=(0.5, 4.5), of=12, above_control=11),
            control=("the third token's values", partial(sinks.bits_without_value, at=2)),
            unit="bits a token",
        ),
        no_language_head=on_texts(
            "L15·H3 attends to ordinary tokens in other languages, but also in made-up words, so it needs no real "
            "language.",
            "Add up its attention to tokens that are no sinks, in German, French, Spanish, Italian and nonsense.",
            lambda model, texts: 100 * weight_off_sinks(model.trace(texts[0]))[15, 3],
            Bounds(within=above(45), control=Bounds(within=below(40))),
            control=("plain English", lambda m, texts: 100 * weight_off_sinks(m.trace(texts[1]))[15, 3]),
            over="sentences",
            cases={text: (text, english) for text, english in WAKING.items()},
        ),
    ),
    *section(
        "Attending, mattering and carrying the number, mostly in *The … that I saw yesterday*",
        attends_to_the_noun=Claim(
            "From *was*, L13·H8 gives most common nouns most of its attention, but *thing* only 7%.",
            "Read its attention weight from *was* to the noun, in *The … that I saw yesterday was*.",
            lambda model, noun: weight_on_subject(model, "The {} that I saw yesterday", noun),
            Bounds(
                supports=above(50), count=101, median=(85, 95), at={"thing": below(10), "person": below(30)}
            ),
            unit="%",
            over="common nouns",
            cases={noun: noun for noun in COMMON_NOUNS},
        ),
        attends_in_other_sentences=Claim(
            "In other sentences, the amount depends on the words around the noun.",
            "The same for five of these nouns: the median, in twenty other sentences and in twenty unseen ones.",
            lambda model, frame: np.median(
                [weight_on_subject(model, frame, noun) for noun in COMMON_NOUNS[::21]]
            ),
            Bounds(supports=above(50), count=(24, 36), lowest=below(20), highest=above(90)),
            unit="%",
            over="sentences",
            cases={frame: frame for frame in (*SUBJECT_FRAMES, *UNSEEN_SUBJECT_FRAMES)},
        ),
        among_the_three=on_nouns(
            "L26·H0 is usually among the three heads that attend most to the noun from the token before the verb.",
            "Rank all heads by their attention weight there. Unseen: eleven other sentences.",
            partial(attention_rank, head=SPEAKER),
            Bounds(supports=(1, 3), count=(24, 30)),
            control=("L13·H8", partial(attention_rank, head=LOOKER)),
            unit="(rank)",
            unseen=OTHERS,
            unseen_bounds=Bounds(supports=(1, 3), count=(8, 11)),
        ),
        was_three_off=on_singular(
            "Without the three heads that attend most to it, *was* usually keeps two thirds of its lead.",
            "Switch them off at the last token: how much of the lead of *was* over *were* is lost? Lead: the "
            "difference of the two verbs' logits.",
            partial(lost, ways=["ablate"]),
            Bounds(within=(0, 55), median=below(40), control=Bounds(within=below(20))),
            control=("three random heads, the worst of five draws", lost_by_random),
        ),
        were_three_off=on_plural(
            "Without them, *were* loses most of its lead.",
            "The same for plurals: how much of the lead of *were* over *was* is lost?",
            partial(lost, ways=["ablate"]),
            Bounds(within=above(75), control=Bounds(within=below(20))),
            control=("three random heads, the worst of five draws", lost_by_random),
        ),
        one_of_the_three_off=on_plural(
            "For plurals, L26·H0 causes most of this loss.",
            "Switch off only this one of the three.",
            partial(lost, ways=["ablate"], heads=[SPEAKER]),
            Bounds(within=above(65), control=Bounds(within=below(11))),
            control=("the other two", lost_by_other_two),
        ),
        noun_unseen=on_nouns(
            "In this sentence, no head has to attend to the noun from the token before the verb: half of the lead or "
            "more stays.",
            "Knock out the attention of all heads from the last token to the noun: how much of the lead is lost?",
            unseen,
            Bounds(
                within=below(50),
                median=below(7),
                at=dict.fromkeys(BOTH, below(40)),
                control=Bounds(within=below(45)),
            ),
            control=("only of the three that attend most", partial(lost, ways=["knockout"])),
            cases=BOTH | sentences_with(OTHER_NOUNS),
        ),
        words_between_unseen=on_plural(
            "The words between pass the number on, too: without them and the noun, *was* takes the lead.",
            "Knock out the attention to the noun and to *that I saw*.",
            partial(unseen, keys=(1, 2, 3, 4)),
            Bounds(supports=above(100), control=Bounds(within=below(40))),
            control=("to the noun only", unseen),
        ),
        speaker_without_noun=on_plural(
            "L26·H0 can read the number there: with the noun hidden, much of the lead depends on this head.",
            "Knock out the attention to the noun, and switch this head off at the last token.",
            unseen_without,
            Bounds(within=above(50), above_control=15, control=Bounds(within=below(40))),
            control=("this head left on", unseen),
        ),
        other_sentences=on_others(
            "If a phrase without a verb follows the noun (*The books on the table*), *were* needs attention to the "
            "noun, and *was* needs it less.",
            "Knock out the attention of all heads from the last token to the noun.",
            unseen,
            Bounds(supports=above(100), count=10, within=above(75), control=Bounds(within=below(60))),
            control=("a singular noun", lambda model, texts: unseen(model, texts[::-1])),
        ),
        one_head_patched=on_nouns(
            "L26·H0 turns *was* into *were* for all 15 nouns, *were* into *was* for 11. L13·H8 hardly matters.",
            "Patch it with the other number's run: how much of the lead of the verb that fits is lost?",
            partial(lost, ways=["patch"], heads=(SPEAKER,)),
            Bounds(supports=above(100), count=26, exceptions=(*MANY,), control=Bounds(within=below(15))),
            control=("L13·H8", partial(lost, ways=["patch"], heads=(LOOKER,))),
        ),
        no_other_carries_it=on_nouns(
            "No other head carries as much of it: we tried all 270 for ten of the nouns.",
            "Patch one head at a time: how far does the strongest of the others move the lead?",
            lambda model, texts: 100 * experiments.strongest_besides(minimal_pair(model, *texts), SPEAKER),
            Bounds(within=below(75)),
            unit="% of what L26·H0 does",
            cases=sentences_with(dict([*NOUNS.items()][:5])),
        ),
        one_head_off=on_nouns(
            "Switched off everywhere, L26·H0 flips the verb of 12 nouns, all plural; at the last token only, of one.",
            "Switch it off in the whole text: how much of the lead is lost? More than 100% flips the verb.",
            lambda model, texts: 100 * minimal_pair(model, *texts).lost(Edits(head={SPEAKER: 0})),
            Bounds(
                supports=above(100),
                count=12,
                exceptions=(*NOUNS, "chairs", "houses", "ships"),
                control=ONE_FLIPS,
            ),
            control=("off or averaged, at the end", partial(lost, ways=["ablate", "mean"], heads=[SPEAKER])),
        ),
        pushes_up_were=on_plural(
            "At a plural noun, and at the next word, *that*, *were* is in the first four tokens that L26·H0 pushes up.",
            "Rank all tokens by how much it pushes them up: the worse of the two ranks.",
            lambda model, texts: minimal_pair(model, *texts).rank_pushed(SPEAKER, 1, 2),
            Bounds(within=(1, 4), control=Bounds(within=above(101))),
            control=("*was* at the singular", lambda m, c: minimal_pair(m, *c[::-1]).rank_pushed(SPEAKER, 1)),
            unit="(rank)",
        ),
    ),
    *section(
        "Which words mattered? Three ways to ask (not shown above)",
        three_answers=on_middling(
            "Attention, leaving out and gradient × input never agree, all three, on the word that matters most.",
            "Compare which token each says mattered most, without the first and the last. Gradient × input is how "
            "fast the log probability of the likeliest next token rises as a token's embedding grows.",
            lambda model, text: len({*ways(model, text).argmax(axis=1)}) > 1,
            Bounds(supports=YES, control=Bounds(supports=YES, count=11)),
            control=("the first two of them", lambda m, text: len({*ways(m, text)[:2].argmax(axis=1)}) > 1),
        ),
        attention_against_leaving_out=on_middling(
            "How far attention and leaving out agree depends on the text. On average, it's hardly more than by chance.",
            "Correlate the ranks that they give to the tokens: 1 is the same order. The mean over the texts counts.",
            lambda model, text: rank_correlation(*ways(model, text)[:2]),
            Bounds(mean=(0.1, 0.2), lowest=below(-0.4), highest=above(0.7), control=Bounds(mean=(0.1, 0.2))),
            control=("what 2.5% of means by chance exceed", lambda model, _: agreement_by_chance(model)),
        ),
        gradient_agrees_with_neither=on_middling(
            "Gradient × input agrees with neither of them.",
            "Correlate its ranks with those of leaving out.",
            lambda model, text: rank_correlation(*ways(model, text)[1:]),
            Bounds(mean=(-0.1, 0.1), control=Bounds(mean=(-0.1, 0.1))),
            control=("with those of attention", lambda m, text: rank_correlation(*ways(m, text)[::2])),
        ),
    ),
    *section(
        "Copying 30 random tokens: L16·H0 writes, L18·H6 reads",
        writer_off=on_rows(
            "Without L16·H0, or at its mean, little copying is left; without L18·H6 more is: other heads copy as well.",
            "Switch L16·H0 off, or hold it at its mean over the row: what is left of the right token's probability?",
            lambda m, row: max(left(m, row, of="right", changes=[(how, WRITER)]) for how in ("off", "mean")),
            Bounds(within=below(20), control=Bounds(within=(20, 70))),
            control=("L18·H6 off", partial(left, of="right", changes=[("off", READER)])),
        ),
        writer_on_ordinary_texts=on_texts(
            "On ordinary texts, L16·H0 hardly matters, except in a chat. L1·H4, which breaks copying as well, does.",
            "Switch it off: how much more surprising is a token?",
            lambda m, text: extra_surprise(m.trace(text), Edits(head={WRITER: 0})).mean(),
            Bounds(supports=below(0.1), count=14, exceptions=("a chat",), control=Bounds(median=above(0.2))),
            control=("L1·H4", lambda m, text: extra_surprise(m.trace(text), Edits(head={(1, 4): 0})).mean()),
            unit="bits a token",
        ),
        no_other_costs_as_much=on_rows(
            "Switching off any other earlier head costs L18·H6 less of its attention to what came next.",
            "Switch L16·H0 off: what is left of that attention?",
            partial(left, of="score", changes=[("off", WRITER)]),
            Bounds(within=(20, 40), below_control=10),
            control=("each other head of layers 0 to 17 off, the lowest", score_without_another),
        ),
        other_previous_token_heads=on_rows(
            "Other early heads attend to the token before, but L18·H6 doesn't need any of them.",
            "Switch off L1·H2, L2·H1 or L11·H1: what is left of its attention, in the worst case?",
            partial(left, of="score", changes=[("off", head) for head in PREVIOUS]),
            Bounds(within=above(95), control=Bounds(within=below(40))),
            control=("L16·H0 off", partial(left, of="score", changes=[("off", WRITER)])),
        ),
        early_heads_break_copying=on_rows(
            "Some heads of the first two layers can break the copying as well.",
            "Switch off L0·H8, L1·H3, L1·H4 or L1·H5: what is left of the right token's probability, at worst?",
            partial(left, of="right", changes=[("off", head) for head in BREAKERS]),
            Bounds(within=below(50)),
        ),
        path_into_keys=on_rows(
            "L18·H6 needs what L16·H0 writes into its keys; its queries and what seven others write matter far less.",
            "Cut this one path: what is left of its attention to what came after?",
            partial(left, of="score", changes=[("k", WRITER)]),
            Bounds(within=below(5), control=Bounds(within=above(84))),
            control=("one of the eight others, the worst", partial(left, of="score", changes=OTHER_PATHS)),
        ),
        path_into_values=on_rows(
            "Nor does copying need its values. After the cut into the keys, other readers still copy a part.",
            "Cut the path into its values: what is left of the right next token's probability?",
            partial(left, of="right", changes=[("v", WRITER)]),
            Bounds(within=above(90), control=Bounds(within=above(20))),
            control=("the path into its keys", partial(left, of="right", changes=[("k", WRITER)])),
        ),
        ffns_make_up=on_twenty(
            "When L16·H0 is off, FFNs 16 and 17 partly make up for it: hold both, and hardly any attention is left.",
            "Switch L16·H0 off, and hold FFNs 16 and 17 at their usual outputs: what is left of L18·H6's attention?",
            partial(score_with_held, part="ffn_out"),
            Bounds(within=below(10), below_control=20, control=Bounds(within=above(10))),
            control=("attention 17 held instead", partial(score_with_held, part="attention_out")),
            unit="% left",
        ),
        queries_in_texts=on_ordinary(
            "In an ordinary text that comes twice, L18·H6's queries read L16·H0 as well.",
            "Cut the path into its queries: what is left of its attention to what came after? (At most 40 "
            "tokens; texts with ten or more.)",
            partial(score_left_of_text, change=("q", WRITER)),
            Bounds(median=(50, 85), below_control=12, of=12, control=Bounds(median=above(90), of=12)),
            control=("the path from L11·H1", partial(score_left_of_text, change=("q", (11, 1)))),
            unit="% left",
            unseen=UNSEEN_TEXTS,
            unseen_bounds=Bounds(median=(50, 85), control=Bounds(median=above(90))),
        ),
        repeated_texts=on_texts(
            "In an ordinary text that comes twice, about half of the copying is left without L16·H0.",
            "How much likelier is the right token in the second pass? Switch L16·H0 off: what is left of this gain? "
            "(At most 40 tokens; texts with ten or more, and a gain of at least 10 percentage points.)",
            gain_left_of_text,
            Bounds(median=(40, 75), of=14, control=Bounds(median=below(15), of=16)),
            control=("as many random tokens", gain_left_of_random),
            unit="% left",
            cases=TEXTS | MORE_TEXTS,
            unseen=UNSEEN_TEXTS,
            unseen_bounds=Bounds(median=(40, 75), of=31, control=Bounds(median=below(15), of=31)),
        ),
        one_writer_many_readers=on_rows(
            "L16·H0 has other readers: the three strongest after L18·H6 lose most of that attention as well.",
            "Switch L16·H0 off: what is left of that attention, in the best of the three?",
            lambda model, seed: 100 * experiments.readers_left(run_twice(model, seed), WRITER, 4)[1:].max(),
            Bounds(within=below(25)),
        ),
        all_paths_into_keys=on_rows(
            "Nearly all of the copying goes through keys that L16·H0 has written into.",
            "Cut its paths into the keys of the 20 strongest: what is left of the right token's probability?",
            partial(left, of="right", changes=[("all k", WRITER)]),
            Bounds(within=below(1), control=Bounds(within=above(60))),
            control=("into their values", partial(left, of="right", changes=[("all v", WRITER)])),
        ),
    ),
    *section(
        "Why L18·H6 attends there: one score, opened",
        what_the_key_offers=on_opened(
            "What raises the score of the token that came next is, above all, what attention 16 wrote there.",
            "Add up its pairs with all parts of the query, beyond the other keys' mean.",
            lambda model, seed: copied(model, seed).of_key("attention 16"),
            Bounds(within=above(3), above_control=38),
            control=(
                "the largest other part of the key",
                lambda model, seed: copied(model, seed).without("attention 16").beyond.sum(axis=0).max(),
            ),
        ),
        largest_pair=on_opened(
            "The largest pair is usually this part of the key with FFN 0 of the query.",
            "How far is this pair ahead of every other?",
            lambda model, seed: largest_pair(copied(model, seed), "FFN 0", "attention 16"),
            Bounds(supports=above(0), count=(34, 40)),
        ),
        at_the_mean=on_opened(
            "If only this term of the key changes and all later parts stay fixed, hardly any of the attention is left.",
            "Give the key the other keys' mean of attention 16: what is left of its attention weight?",
            lambda model, seed: copied(model, seed).left[copied(model, seed).names.index("attention 16")],
            Bounds(within=below(30), median=below(5), control=Bounds(median=above(90))),
            control=(
                "each other part so, in the median",
                lambda model, seed: np.median(copied(model, seed).without("attention 16").left),
            ),
            unit="% left",
        ),
        at_the_mean_in_a_run=on_twenty(
            "In a real run, about half of the attention is left, because FFNs 16 and 17 make up for this part.",
            "Put the same mean into a run: what is left of the attention weight?",
            partial(left_in_a_run, hold_ffns=False),
            Bounds(median=(25, 75), above_control=20, control=Bounds(within=below(30), median=below(5))),
            control=("with these FFNs held at their usual outputs", partial(left_in_a_run, hold_ffns=True)),
            unit="% left",
        ),
        writes_which_token=on_twenty(
            "What L16·H0 writes at a token says which token came before.",
            "Patch it there from a run in which another token came before, and let that other token ask: the weight "
            "that L18·H6 gives.",
            partial(weight_if_another_came_before, heads=(WRITER,)),
            Bounds(median=(10, 60), above_control=20, control=Bounds(within=below(5))),
            control=(
                "L1·H2, L2·H1 and L11·H1 patched",
                partial(weight_if_another_came_before, heads=PREVIOUS),
            ),
        ),
        ffn_0_says_who_asks=on_twenty(
            "FFN 0 at the query says which token is asking.",
            "At the end of the row, give a new token FFN 0's output for a token of the row: the weight on what "
            "followed that one.",
            partial(weight_if_another_asks, ffn=0),
            Bounds(median=above(50), count=(16, 20), supports=above(10), control=Bounds(within=below(5))),
            control=("FFN 1", partial(weight_if_another_asks, ffn=1)),
        ),
        nothing_stands_out=Claim(
            "Not every head has such a part: for L26·H0, none adds as much.",
            "Open its score of the country in *The capital of … is*: the largest part of the key.",
            partial(largest_of_key, head=SPEAKER),
            Bounds(within=below(1), below_control=10),
            control=("L23·H4", partial(largest_of_key, head=(23, 4))),
            unit="points",
            over="countries",
            cases={country: country for country in CAPITALS},
        ),
    ),
)
