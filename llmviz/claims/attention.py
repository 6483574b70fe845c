"""What notebook 04 says: on what attention rests, what carries a verb's number, and how heads copy together."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from llmviz import Edits, experiments
from llmviz.claims.cases import AFTER_PARIS, AGREEMENT, FIRST_WORDS, LONG, PLURAL, SINGULAR, TEXTS, WAKING
from llmviz.claims.claim import YES, Bounds, Claim, above, below, remembered, section
from llmviz.edits import knock_out, put, scale
from llmviz.experiments import MinimalPair
from llmviz.model import Model, Trace

Head = tuple[int, int]  # layer, head


@remembered
def heads_on_first(model: Model, text: str) -> np.ndarray:
    tokens = model.tokenizer.encode(text[:6000])[:512]
    return experiments.heads_on_first(experiments.first_token_weights(model.trace(tokens)))


def relative_value(model: Model, text: str, *, at: int) -> float:
    """Measure a token's value in % of the text's median, if the token may attend only to itself."""
    run = model.trace(text)
    if at and len(run.tokens) <= 8:
        return math.nan
    lengths, only_itself = experiments.value_norms(run), knock_out(range(at), positions=at)
    edits = Edits(at={("pattern", layer): only_itself for layer in range(model.config.n_layers)})
    alone = experiments.value_norms(model.trace(run.tokens, edits))[at]
    return 100 * float(alone / np.median(lengths if at else lengths[1:]))


def value_before_others(model: Model, word: str) -> float:
    """Measure the value of “Paris”, in % of the shortest of a word's six after it."""
    encode = model.tokenizer.encode
    lengths = experiments.value_norms(model.trace([*encode("Paris"), *encode(word) * 6]))
    return 100 * float(lengths[0] / lengths[1:].min())


def bits_without_value(model: Model, text: str, *, at: int) -> float:
    """Measure how much more surprising the others are if one token's values are zero, in every head."""
    off = Edits(at={("v", layer): scale(0, positions=at) for layer in range(model.config.n_layers)})
    trace = model.trace(text)
    if len(trace.tokens) <= 8:
        return math.nan
    return float(np.delete(experiments.extra_surprise(trace, off), max(0, at - 1)).mean())


def bits_without(model: Model, text: str, *, head: Head) -> float:
    return float(experiments.extra_surprise(model.trace(text), Edits(head={head: 0})).mean())


def awake(model: Model, texts: tuple[str, str], *, which: int) -> float:
    return 100 * float(experiments.weight_off_sinks(model.trace(texts[which]))[15, 3])


# --- what carries the verb's number ---

Sentences = tuple[str, str]  # up to the verb: one, and its twin with the noun's other number
SPEAKER, LOOKER = (26, 0), (13, 8)  # the head that carries the number; the one that attends from the verb


def pair(model: Model, sentences: Sentences) -> MinimalPair:
    return experiments.minimal_pair(model, *map(model.tokens_of, sentences))


@remembered
def most_attending(model: Model, sentences: Sentences) -> list[Head]:
    """Return the three heads that attend most to the noun, from the last token before the verb."""
    runs = pair(model, sentences).runs
    return experiments.strongest_heads(experiments.attention_from(runs.trace, -1)[..., runs.subject], 3)


def weight_on_noun(model: Model, sentences: Sentences, *, of: int) -> float:
    return 100 * float(experiments.attention_from(model.trace(sentences[of]), -1)[*LOOKER, 1])


def lost(model: Model, sentences: Sentences, *, way: str, heads: Sequence[Head] | None = None) -> float:
    """Measure how much of its lead the verb that fits loses, in %. heads: the three that attend most, if None."""
    both = pair(model, sentences)
    return 100 * both.lost(both.edits(way, heads or most_attending(model, sentences)))


def lost_by_random(model: Model, sentences: Sentences) -> float:
    shape, three = (model.config.n_layers, model.config.n_heads), most_attending(model, sentences)
    draws = [experiments.random_heads(shape, 3, three, seed) for seed in range(5)]
    return max(lost(model, sentences, way="ablate", heads=heads) for heads in draws)


def lost_by_three(model: Model, sentences: Sentences, *, others: bool) -> float:
    """Measure what L26·H0 costs of the lead, in %, or what the others of the three do, switched off together."""
    both, three = pair(model, sentences), most_attending(model, sentences)
    return 100 * both.lost(both.edits("ablate", [head for head in three if (head != SPEAKER) == others]))


def way_by_three(model: Model, sentences: Sentences) -> float:
    both = pair(model, sentences)
    return 100 * both.way(both.edits("patch", most_attending(model, sentences)))


def lost_unseen(model: Model, sentences: Sentences, *, sources: Sequence[int] = (1,)) -> float:
    """Measure what the lead loses if no head may attend to the noun, or to these tokens, from the last one."""
    heads = np.ndindex(model.config.n_layers, model.config.n_heads)
    return 100 * pair(model, sentences).lost(experiments.knockout_attention(heads, sources))


def other_token_unseen(model: Model, sentences: Sentences) -> float:
    others = range(2, len(pair(model, sentences).runs.trace.tokens) - 1)
    return max((lost_unseen(model, sentences, sources=[at]) for at in others), default=math.nan)


def lead_of_was(model: Model, text: str) -> float:
    logits = model.trace(text).logits
    return float(np.subtract(*(logits[model.tokens_of(verb)[0]] for verb in (" was", " were"))))


@remembered
def mean_output(model: Model) -> np.ndarray:
    return np.mean([experiments.head_outputs(model.trace(text)) for text in TEXTS.values()], axis=0)


def lead(model: Model, sentences: Sentences, *, way: str = "unchanged") -> float:
    """Measure the lead of the verb that fits, with L26·H0 changed in a way."""
    both = pair(model, sentences)
    return both.lead(both.run(both.edits(way, [SPEAKER], mean_output(model))))


def most_by_another(model: Model, sentences: Sentences) -> float:
    """Measure what the strongest other head does to the lead when it is patched, in % of what L26·H0 does."""
    patched = experiments.each_head_patched(pair(model, sentences))
    shares = {(layer, head): share for layer, head, share in patched}
    return 100 * max(share for head, share in shares.items() if head != SPEAKER) / shares[SPEAKER]


def rank_pushed(model: Model, sentences: Sentences, *, sources: Sequence[int] = (1,)) -> float:
    """Rank the verb that fits by how much L26·H0 pushes it up at these tokens: the worst of its ranks."""
    both = pair(model, sentences)
    pushed = [experiments.ov_logits(both.runs.trace, *SPEAKER, source) for source in sources]
    return 1 + max(float((logits > logits[both.answers[0]]).sum()) for logits in pushed)


def raised(model: Model, sentences: Sentences, *, by_others: bool) -> float:
    """Measure how much further a head raises the verb that fits at the noun than at its twin: the strongest head."""
    runs, (own, other) = pair(model, sentences).runs, pair(model, sentences).answers
    at, there = (
        experiments.each_head_ov_logits(run, own, 1, against=other) for run in (runs.trace, runs.twin)
    )
    speaker = np.zeros(at.shape, bool)
    speaker[SPEAKER] = True
    return float(np.abs(at - there)[speaker != by_others].max())


ATTENTION, LEFT_OUT, GRADIENT = range(3)


@remembered
def ways(model: Model, text: str) -> np.ndarray:
    """Ask in three ways [3, n] of the tokens between the first, on which attention rests, and the last."""
    *_, measures = experiments.what_mattered(model.trace(text))
    return measures[:, 1:-1]


def agreement(model: Model, text: str, *, of: tuple[int, int]) -> float:
    return experiments.rank_correlation(*ways(model, text)[list(of)])


@remembered
def agreement_by_chance(model: Model) -> float:
    pairs = [tuple(ways(model, text)[[ATTENTION, LEFT_OUT]]) for text in MIDDLING.values()]
    return float(np.percentile(experiments.mean_correlation_by_chance(pairs), 97.5))


def name_different_tokens(model: Model, text: str, *, of: tuple[int, ...]) -> bool:
    return len(set(ways(model, text)[list(of)].argmax(axis=1))) > 1


# --- how heads copy ---

N = 30  # tokens in a row, which then comes again
WRITER, READER = (16, 0), (18, 6)
PREVIOUS = ((11, 1), (2, 1), (1, 2))  # other early heads that attend to the token before
BREAKERS = ((1, 4), (1, 5), (1, 3), (0, 8))  # switched off, these early heads cost every text much
SCORE, RIGHT = 0, 1  # the reader's induction score, and the probability of the right next token


def repeated(model: Model, seed: int) -> Trace:
    return model.trace(experiments.random_tokens(model, N, seed) * 2)


def right(trace: Trace, edits: Edits) -> float:
    return 100 * experiments.repeat_probability(trace.model, trace.tokens[:N], edits)


@remembered
def measured(model: Model, seed: int, head: Head, how: str) -> tuple[float, float]:
    """Measure both, in %. how: "" (nothing changed), "off", or "q", "k", "v": a head's path into the reader is cut."""
    trace, edits = repeated(model, seed), Edits()
    if how:
        off = how == "off"
        edits = Edits(head={head: 0}) if off else experiments.patch_path(trace, head, READER, how)
    run = model.trace(trace.tokens, edits)
    return 100 * experiments.induction_score_of(run, READER), right(trace, edits)


def worst(model: Model, seed: int, *, what: int, how: str = "", heads: Sequence[Head] = (WRITER,)) -> float:
    return min(measured(model, seed, head, how)[what] for head in heads)


def left(model: Model, seed: int, *, what: int, how: str, heads: Sequence[Head] = (WRITER,)) -> float:
    return 100 * worst(model, seed, what=what, how=how, heads=heads) / worst(model, seed, what=what)


def right_with_mean(model: Model, seed: int) -> float:
    trace, (layer, head) = repeated(model, seed), WRITER
    mean = trace.blocks[layer].attention.z[head].mean(axis=0)
    return right(trace, Edits(at={("z", layer): put(mean, head=head)}))


@remembered
def score_lost(model: Model, seed: int) -> tuple[float, float]:
    """Measure how many points of its score the reader loses without the writer, and without the worst other head."""
    runs = experiments.each_earlier_head_off(repeated(model, seed), READER)
    scores = {(layer, head): 100 * score for layer, head, score in runs}
    before, writer = worst(model, seed, what=SCORE), scores.pop(WRITER)
    return before - writer, before - min(scores.values())


def number_fed(model: Model, seed: int) -> float:
    """Count those of the eight strongest readers that lose half of their scores if the writer's path is cut."""
    trace = repeated(model, seed)
    readers = experiments.strongest_readers(trace, WRITER, 8)
    cuts = [(experiments.patch_path(trace, WRITER, head), [head]) for head in readers]
    return sum(float(experiments.scores_left(trace, edits, head)[0]) < 0.5 for edits, head in cuts)


def best_without_writer(model: Model, seed: int) -> float:
    """Measure what is left of the scores of the next three copying heads, in %: the best of them."""
    trace = repeated(model, seed)
    heads = [head for head in experiments.strongest_readers(trace, WRITER, 4) if head != READER]
    return 100 * float(experiments.scores_left(trace, Edits(head={WRITER: 0}), heads).max())


def left_after_all_cuts(model: Model, seed: int, *, into: str) -> float:
    trace = repeated(model, seed)
    readers = experiments.strongest_readers(trace, WRITER, 20)
    edits = experiments.cut_paths(trace, WRITER, readers, into)
    return 100 * right(trace, edits) / worst(model, seed, what=RIGHT)


def before_verb(frame: str, noun: str, plural: str) -> Sentences:
    return f"{frame.format(noun)} was", f"{frame.format(plural)} were"


FRAME = "The {} that I saw yesterday"
ONE = {noun: before_verb(FRAME, noun, plural) for noun, plural in zip(SINGULAR, PLURAL)}
MANY = {plural: ONE[noun][::-1] for noun, plural in zip(SINGULAR, PLURAL)}
OTHER_NOUNS = (
    "bear bears, leaf leaves, bus buses, flower flowers, song songs, idea ideas, letter letters, apple apples, "
    "star stars, river rivers, wolf wolves, painting paintings, farmer farmers, window windows"
)
ELSEWHERE = {forms: before_verb(FRAME, *forms.split()) for forms in OTHER_NOUNS.split(", ")}
ELSEWHERE |= {f"{forms}, plural": texts[::-1] for forms, texts in ELSEWHERE.items()}
OTHERS = {
    frame.format(plural): before_verb(frame, noun, plural)[::-1]
    for frame, (noun, plural) in AGREEMENT.items()
}
PLURALS = ("*s", "children")  # patterns
# Neither too few tokens to be ordered, nor too many to leave each out.
MIDDLING = {name: text for name, text in TEXTS.items() if name not in ("a short start", "a long story")}
on_texts = partial(Claim, over="texts", cases=TEXTS)
on_ordinary = partial(on_texts, cases={name: TEXTS[name] for name in TEXTS if name != "the same word"})
on_nouns = partial(Claim, over="nouns", cases=ONE | MANY)
on_plural = partial(Claim, over="plural nouns", cases=MANY)
on_others = partial(Claim, over="sentences", cases=OTHERS)
on_middling = partial(Claim, over="texts", cases=MIDDLING)
on_rows = partial(Claim, over="rows", cases={f"row {seed}": seed for seed in range(10)})

CLAIMS = (
    *section(
        "On what attention rests",
        early_and_late=on_texts(
            "At token 8, most heads give the first token most of their attention; at token 512, fewer than 40% do.",
            "Count the heads that give it more than half, when token 8 attends.",
            lambda model, text: float(heads_on_first(model, text)[7]),
            Bounds(supports=above(135), count=9, lowest=below(10), control=Bounds(within=below(108))),
            control=("token 512", lambda model, text: float(heads_on_first(model, text)[511])),
            unit="of 270 heads",
            over="long texts",
            cases=LONG,
        ),
        attends_only_to_itself=on_ordinary(
            "The first token's value is short. So is that of a later one, if it attends only to itself.",
            "Let the seventh token attend only to itself, in every head. How long is its value?",
            partial(relative_value, at=6),
            Bounds(within=below(50), of=12, control=Bounds(within=below(35))),
            control=("the first token", partial(relative_value, at=0)),
            unit="% of the median",
        ),
        no_word_makes_a_sink=on_texts(
            "Nor is it the word: after *Paris*, none of these words has a value as short as that of *Paris*.",
            "Write a word six times after *Paris*, and compare the value of *Paris* with the shortest of the six.",
            value_before_others,
            Bounds(within=below(60)),
            unit="% of it",
            over="words",
            cases={word: word for word in AFTER_PARIS},
        ),
        first_value_at_zero=on_ordinary(
            "A short value isn't nothing: without it, every text gets harder to predict.",
            "Set the first token's values to zero, in every head. How much more surprising are the others?",
            partial(bits_without_value, at=0),
            Bounds(within=(0.5, 4.5), of=12, above_control=11),
            control=("the third token's values", partial(bits_without_value, at=2)),
            unit="bits a token",
        ),
        no_language_head=on_texts(
            "L15·H3 wakes on other languages, but also on made-up words, so the language isn't what wakes it.",
            "Add up its attention to tokens that are no sinks, in German, French, Spanish, Italian and nonsense.",
            partial(awake, which=0),
            Bounds(within=above(45), control=Bounds(within=below(40))),
            control=("plain English sentences", partial(awake, which=1)),
            over="sentences",
            cases={text: (text, english) for text, english in WAKING.items()},
        ),
    ),
    *section(
        "Attending and mattering, in *The … that I saw yesterday* and other sentences",
        attends_to_the_noun=on_nouns(
            "From the verb, L13·H8 gives the noun almost all of its attention.",
            "Read its attention weight from *was* or *were*.",
            partial(weight_on_noun, of=0),
            Bounds(within=above(92.5)),
        ),
        attends_less_to_others=on_nouns(
            "It doesn't give every noun most of it: *key* and *person* get less than half.",
            "The same, for these two.",
            partial(weight_on_noun, of=0),
            Bounds(within=below(50), control=Bounds(within=above(85))),
            control=("*keys* and *people*", partial(weight_on_noun, of=1)),
            cases={
                noun: before_verb(FRAME, noun, plural)
                for noun, plural in (("key", "keys"), ("person", "people"))
            },
        ),
        three_off_singular=on_nouns(
            "Without the three heads that attend most to a singular noun, *was* keeps about half of its lead or more.",
            "Switch them off at the last token before the verb: how much of the lead is lost?",
            partial(lost, way="ablate"),
            Bounds(within=(0, 55), lowest=below(5), control=Bounds(within=below(20))),
            control=("three random heads, the worst of five draws", lost_by_random),
            over="singular nouns",
            cases=ONE,
        ),
        three_off_plural=on_plural(
            "Without the three that attend most to a plural noun, *were* loses most of its lead, or all of it.",
            "The same.",
            partial(lost, way="ablate"),
            Bounds(within=above(75), control=Bounds(within=below(20))),
            control=("three random heads, the worst of five draws", lost_by_random),
        ),
        one_of_the_three_off=on_plural(
            "Almost all of that is L26·H0.",
            "Switch off only this one of the three.",
            partial(lost_by_three, others=False),
            Bounds(within=above(65), control=Bounds(within=below(11))),
            control=("the other two", partial(lost_by_three, others=True)),
        ),
        three_patched=on_nouns(
            "How much of the number they carry depends on the noun.",
            "Patch them with the other number's run: how far does the lead go to that of the other number?",
            way_by_three,
            Bounds(lowest=below(15), highest=above(75)),
            unit="% of the way",
        ),
        noun_unseen=on_nouns(
            "Before the verb, no head has to attend to the noun: most of the lead stays.",
            "Knock out the attention of all heads from the last token to the noun: how much of the lead is lost?",
            lost_unseen,
            Bounds(supports=below(40), median=below(7), control=Bounds(within=below(45))),
            control=("only of the three that attend most", partial(lost, way="knockout")),
        ),
        noun_unseen_elsewhere=on_nouns(
            "That holds for nouns that had no part in the wording, too: at least half of the lead stays.",
            "The same, for 14 other nouns.",
            lost_unseen,
            Bounds(within=below(50)),
            cases=ELSEWHERE,
        ),
        words_between_unseen=on_plural(
            "The words between bring the number, too: without them and the noun, *was* takes the lead.",
            "Knock out the attention to the noun and to *that I saw*.",
            partial(lost_unseen, sources=(1, 2, 3, 4)),
            Bounds(supports=above(100), control=Bounds(within=below(40))),
            control=("to the noun only", lost_unseen),
        ),
        other_sentences=on_others(
            "In other sentences, *were* needs attention to its noun, and *was* needs it less.",
            "Knock out the attention of all heads from the last token to the noun.",
            lost_unseen,
            Bounds(supports=above(100), count=10, within=above(75), control=Bounds(within=below(60))),
            control=("a singular noun", lambda model, texts: lost_unseen(model, texts[::-1])),
        ),
        noun_matters_most=on_others(
            "There, *were* mostly needs the noun more than any other single token between the first and the last.",
            "The same, against the costliest other token.",
            lost_unseen,
            Bounds(above_control=9),
            control=("the costliest other token", other_token_unseen),
        ),
        was_leads_anyway=on_texts(
            "*Was* is ahead of *were* after a single word, too, even after *These* or *They*.",
            "Run a single word.",
            lead_of_was,
            Bounds(supports=above(0)),
            unit="logits",
            over="words",
            cases={word: word for word in FIRST_WORDS},
        ),
    ),
    *section(
        "What carries the number, in *The … that I saw yesterday*",
        one_head_patched=on_nouns(
            "L26·H0 alone turns *was* into *were* for all 15 nouns, and *were* into *was* for 11.",
            "Patch it with the other number's run. The lead of the verb that fits:",
            partial(lead, way="patch"),
            Bounds(supports=below(0), count=26, exceptions=PLURALS, control=Bounds(within=above(0))),
            control=("unpatched", lead),
            unit="logits",
        ),
        attends_without_carrying=on_nouns(
            "L13·H8, which attends to the noun, carries little of the number.",
            "Patch it in the same way: how much of the lead is lost?",
            partial(lost, way="patch", heads=(LOOKER,)),
            Bounds(within=below(15)),
            control=("L26·H0", partial(lost, way="patch", heads=(SPEAKER,))),
        ),
        no_other_carries_it=on_nouns(
            "No other head carries as much of it: we tried all 270 for ten of the nouns.",
            "Patch each head alone: how far does the strongest other one move the lead?",
            most_by_another,
            Bounds(within=below(75)),
            unit="% of what L26·H0 does",
            cases={noun: (ONE | MANY)[noun] for noun in (*SINGULAR[:5], *PLURAL[:5])},
        ),
        one_head_off=on_nouns(
            "Off at every token, L26·H0 turns 12 of the plurals and no singular; off at the last one, just one plural.",
            "Switch it off in the whole text. The lead of the verb that fits:",
            lambda model, texts: pair(model, texts).lead(pair(model, texts).run(Edits(head={SPEAKER: 0}))),
            Bounds(
                supports=above(0), count=18, exceptions=PLURALS, control=Bounds(supports=above(0), count=29)
            ),
            control=(
                "off, or at its mean over other texts, at the last token only, the lower lead",
                lambda model, texts: min(lead(model, texts, way=way) for way in ("ablate", "mean")),
            ),
            unit="logits",
        ),
        pushes_up_were=on_plural(
            "At a plural noun, and at *that* after it, *were* is among the first four tokens that L26·H0 pushes up.",
            "Rank all tokens by how much it pushes them up: the worse of the two ranks.",
            partial(rank_pushed, sources=(1, 2)),
            Bounds(within=(1, 4), control=Bounds(within=above(101))),
            control=("*was* at the singular", lambda model, texts: rank_pushed(model, texts[::-1])),
            unit="(rank)",
        ),
        raises_were_most=on_plural(
            "At a plural, it raises *were* over *was* further than at the singular, and no other head does so as much.",
            "Compare what each head would add to the two logits.",
            partial(raised, by_others=False),
            Bounds(within=above(2.9), above_control=15),
            control=("the strongest other head", partial(raised, by_others=True)),
            unit="logits",
        ),
    ),
    *section(
        "Three ways to ask which words mattered",
        three_answers=on_middling(
            "Attention, leaving out and gradient × input never name the same word.",
            "Compare which token each says mattered most, the first and the last token left aside.",
            partial(name_different_tokens, of=(ATTENTION, LEFT_OUT, GRADIENT)),
            Bounds(supports=YES, control=Bounds(supports=YES, count=11)),
            control=("the first two of them", partial(name_different_tokens, of=(ATTENTION, LEFT_OUT))),
            unit="",
        ),
        attention_against_leaving_out=on_middling(
            "How far attention and leaving out agree depends on the text. On average, it's hardly more than by chance.",
            "Correlate the ranks that they give to the tokens: 1 is the same order. The mean over the texts counts.",
            partial(agreement, of=(ATTENTION, LEFT_OUT)),
            Bounds(mean=(0.1, 0.2), lowest=below(-0.4), highest=above(0.7), control=Bounds(mean=(0.1, 0.2))),
            control=("what 2.5% of means by chance exceed", lambda model, _: agreement_by_chance(model)),
            unit="(correlation)",
        ),
        gradient_agrees_with_neither=on_middling(
            "Gradient × input agrees with neither of them.",
            "Correlate its ranks with those of leaving out.",
            partial(agreement, of=(GRADIENT, LEFT_OUT)),
            Bounds(mean=(-0.1, 0.1), control=Bounds(mean=(-0.1, 0.1))),
            control=("with those of attention", partial(agreement, of=(GRADIENT, ATTENTION))),
            unit="(correlation)",
        ),
    ),
    *section(
        "Copying: 30 random tokens, twice",
        writer_off=on_rows(
            "Without L16·H0, little copying is left. Without L18·H6, more is, since other heads copy as well.",
            "Switch L16·H0 off: what is left of the right next token's probability?",
            partial(left, what=RIGHT, how="off"),
            Bounds(within=below(20), control=Bounds(within=(20, 70))),
            control=("L18·H6 off", partial(left, what=RIGHT, how="off", heads=(READER,))),
            unit="% left",
        ),
        writer_at_its_mean=on_rows(
            "That isn't just because switching off is blunt.",
            "Hold L16·H0 at its mean over the row. How likely is the right next token?",
            right_with_mean,
            Bounds(within=below(10), control=Bounds(within=above(20))),
            control=("unchanged", partial(worst, what=RIGHT)),
        ),
        writer_on_ordinary_texts=on_texts(
            "On ordinary texts, L16·H0 hardly matters, except in a chat.",
            "Switch it off: how much more surprising is a token?",
            partial(bits_without, head=WRITER),
            Bounds(supports=below(0.1), count=14, exceptions=("a chat",), control=Bounds(median=above(0.2))),
            control=("L1·H4, which breaks copying as well", partial(bits_without, head=BREAKERS[0])),
            unit="bits a token",
        ),
        no_other_costs_as_much=on_rows(
            "No other earlier head costs L18·H6 as much of its attention to what came after.",
            "Switch off each head of layers 0 to 17 alone: how much lower is that attention without L16·H0?",
            lambda model, seed: score_lost(model, seed)[0],
            Bounds(above_control=10),
            control=("the worst other head", lambda model, seed: score_lost(model, seed)[1]),
            unit="% points",
        ),
        other_previous_token_heads=on_rows(
            "Other early heads attend to the token before, but L18·H6 doesn't need any of them.",
            "Switch off L1·H2, L2·H1 or L11·H1: what is left of its attention, in the worst case?",
            partial(left, what=SCORE, how="off", heads=PREVIOUS),
            Bounds(within=above(95), control=Bounds(within=below(40))),
            control=("L16·H0 off", partial(left, what=SCORE, how="off")),
            unit="% left",
        ),
        early_heads_break_copying=on_rows(
            "Some heads of the first two layers can break the copying as well.",
            "Switch off L0·H8, L1·H3, L1·H4 or L1·H5: what is left of the right token's probability, at worst?",
            partial(left, what=RIGHT, how="off", heads=BREAKERS),
            Bounds(within=below(50)),
            unit="% left",
        ),
    ),
    *section(
        "Two heads: L16·H0 writes, L18·H6 reads",
        path_into_keys=on_rows(
            "L18·H6 finds what came after by what L16·H0 writes into its keys.",
            "Cut this one path: how much attention does it still give to what came after?",
            partial(worst, what=SCORE, how="k"),
            Bounds(within=below(5), below_control=10, control=Bounds(within=below(40))),
            control=("L16·H0 off, which leaves more", partial(worst, what=SCORE, how="off")),
        ),
        no_other_path=on_rows(
            "It needs neither what L16·H0 writes into its queries nor what seven other heads write into its keys.",
            "Cut the path into its queries, or that from one of the seven above into its keys: the worst of the eight.",
            lambda model, seed: min(
                worst(model, seed, what=SCORE, how="q"),
                worst(model, seed, what=SCORE, how="k", heads=PREVIOUS + BREAKERS),
            ),
            Bounds(within=above(70), control=Bounds(within=above(80))),
            control=("nothing cut", partial(worst, what=SCORE)),
        ),
        path_into_values=on_rows(
            "Nor does copying need its values. After the cut into the keys, other readers still copy a part.",
            "Cut the path into its values: what is left of the right next token's probability?",
            partial(left, what=RIGHT, how="v"),
            Bounds(within=above(90), control=Bounds(within=above(20))),
            control=("the path into its keys", partial(left, what=RIGHT, how="k")),
            unit="% left",
        ),
        one_writer_many_readers=on_rows(
            "L16·H0 feeds most of the eight strongest copying heads.",
            "Cut its path into the keys of each: how many give less than half as much attention to what came after?",
            number_fed,
            Bounds(within=above(5)),
            unit="of 8 heads",
        ),
        next_readers_starve=on_rows(
            "Without L16·H0, the next three copying heads lose most of their attention to what came after, too.",
            "Switch it off: what is left of that, for the best of the three?",
            best_without_writer,
            Bounds(within=below(25)),
            unit="% left",
        ),
        all_paths_into_keys=on_rows(
            "Nearly all of the copying goes through keys that L16·H0 has written into.",
            "Cut its paths into the keys of the 20 strongest: what is left of the right token's probability?",
            partial(left_after_all_cuts, into="k"),
            Bounds(within=below(1), control=Bounds(within=above(60))),
            control=("into their values", partial(left_after_all_cuts, into="v")),
            unit="% left",
        ),
    ),
)
