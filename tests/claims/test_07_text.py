"""What the first sitting of notebook 07 says, over texts and seeds."""

import functools
import re

import numpy as np
import pytest

from llmviz import texts, training
from llmviz.edits import Edits
from llmviz.experiments import learning
from llmviz.experiments import surprise as baselines
from llmviz.experiments.attention_behaviours import HABITS, INDUCTION, habits
from llmviz.experiments.learning import SMALL
from llmviz.experiments.surprise import surprise_of
from llmviz.training import Progress
from llmviz.views.differences.learner import BITS, KEPT, STEPS
from llmviz.views.differences.opened import N_OF_CHAT, PARTS
from tests.claims import Measured

RUNS = tuple((name, seed) for name in texts.NAMES for seed in range(3))
SHORT = 5_000  # letters
SHORTS = tuple((name, start) for name in texts.NAMES for start in (0, 40_000, 80_000))
STARTS = ("The", "A", "If", "When", "In", "It is", "This", "One", "She", "And then")


@functools.cache
def trained(name: str, seed: int, steps: int = STEPS) -> tuple[Progress, ...]:
    """The snapshots that the page keeps of a training."""
    run = training.pretrain(texts.read(name), SMALL, steps=steps, seed=seed)
    return tuple(now for now in run if now.step in (*KEPT, steps))


@functools.cache
def trained_on_little(name: str, start: int, steps: int = 200) -> tuple[str, list[Progress]]:
    """Every step of a training on a short stretch of a text, and that stretch."""
    text = texts.read(name)[start : start + SHORT]
    return text, [now for now in training.pretrain(text, SMALL, steps=steps) if now.step % 20 == 0]


def split(name: str) -> tuple[str, str]:
    """What is learned from, and what is held out, of a text."""
    text = texts.read(name)
    end = int(len(text) * (1 - training.HELD_OUT))
    return text[:end], text[end:]


def each(runs, measure) -> dict[str, float]:
    return {f"{name}, {number}": float(measure(name, number)) for name, number in runs}


@functools.cache
def noise(name: str, seed: int) -> Progress:
    return next(training.pretrain(texts.read(name), SMALL, steps=1, seed=seed))


# --- a training ---


def left_to_learn(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda name, seed: trained(name, seed, steps)[-1].held_out * BITS)
    return Measured("At the end the held-out text surprises much less", values, "bits", lambda v: v < 6)


def better_than_counting(model, runs=RUNS, steps=STEPS) -> Measured:
    """How much less the held-out text surprises the model than whoever has counted pairs of pieces."""

    def less(name: str, seed: int) -> float:
        now = trained(name, seed, steps)[-1]
        return baselines.counting_pairs(now.model, *split(name)).mean() - now.held_out * BITS

    values = each(runs, less)
    return Measured("The model is better than counting pairs", values, "bits less", lambda v: v > 0)


def counting(model, names=texts.NAMES) -> Measured:
    """It needs no training: any model with the text's pieces serves."""
    values = each(
        [(name, 0) for name in names],
        lambda *run: baselines.counting_pairs(noise(*run).model, *split(run[0])).mean(),
    )
    return Measured("Counting pairs leaves", values, "bits", lambda v: 3 < v < 6)


@functools.cache
def _by_repeats(name: str, seed: int, steps: int) -> tuple[float, np.ndarray]:
    return baselines.split_by_repeats(trained(name, seed, steps)[-1].model, *split(name))


def surprise_at_repeats(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda *run: _by_repeats(*run, steps)[1][0, 0])
    return Measured("Surprise at them", values, "bits", lambda v: v < 3)


def surprise_elsewhere(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda *run: _by_repeats(*run, steps)[1][0, 1])
    return Measured("… and at the others", values, "bits", lambda v: v < 6)


def new_is_learned_too(model, runs=RUNS, steps=STEPS) -> Measured:
    """At the others: how much less than counting pairs leaves there."""

    def less(name: str, seed: int) -> float:
        (_, model), (_, counted) = _by_repeats(name, seed, steps)[1]
        return counted - model

    return Measured("… less than counting pairs", each(runs, less), "bits less", lambda v: v > 0)


def words(model, runs=RUNS, steps=STEPS, step=None) -> Measured:
    """The share of the words it writes, of three letters or more, that stand in its text; step None: at the end."""

    def share(name: str, seed: int) -> float:
        known = set(re.findall(r"[A-Za-z]{3,}", split(name)[0]))
        run = trained(name, seed, steps)
        now = run[-1] if step is None else next(one for one in run if one.step == step)
        drawn = [now.model.tokenizer.decode(learning.write(now.model, "\n", s, 100)) for s in range(5)]
        written = [word for one in drawn for word in re.findall(r"[A-Za-z]{3,}", one)[1:-1]]
        return 100 * np.mean([word in known for word in written])

    values = each(runs, share)
    return Measured(f"Words that it writes are words ({step or 'end'})", values, "%", lambda v: v > 60)


def words_early(model, runs=RUNS) -> Measured:
    return words(model, runs, step=20)


# --- by heart ---


def rises(model, shorts=SHORTS, steps=200) -> Measured:
    def above_lowest(name: str, start: int) -> float:
        held_out = [now.held_out * BITS for now in trained_on_little(name, start, steps)[1]]
        return held_out[-1] - min(held_out)

    values = each(shorts, above_lowest)
    return Measured(
        "With 5,000 letters the held-out text's surprise rises again", values, "bits", lambda v: v > 0.5
    )


def known(model, shorts=SHORTS, steps=200) -> Measured:
    values = each(
        shorts, lambda *one: np.mean([now.loss * BITS for now in trained_on_little(*one, steps)[1][-2:]])
    )
    return Measured("The training text's falls towards nothing", values, "bits", lambda v: v < 0.2)


def copies(model, shorts=SHORTS, steps=200) -> Measured:
    """The longest stretch that it wrote and that stands in its training text; the mean of five writings."""

    def longest(name: str, start: int) -> float:
        text, run = trained_on_little(name, start, steps)
        return _copied(run[-1].model, text[: int(len(text) * 0.9)])

    return Measured("It recites", each(shorts, longest), "letters, mean of five", lambda v: v > 60)


def copies_of_long(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda name, seed: _copied(trained(name, seed, steps)[-1].model, split(name)[0]))
    return Measured("With the long text it doesn't", values, "letters, mean of five", lambda v: v < 60)


def _copied(model, text: str) -> float:
    drawn = [model.tokenizer.decode(learning.write(model, "\n", seed, 100))[1:] for seed in range(5)]
    return float(np.mean([len(baselines.longest_copy(one, text)) for one in drawn]))


# --- two texts ---


def whose(model, names=texts.NAMES, steps=STEPS, starts=STARTS) -> Measured:
    """How much more a text surprises the other model than its writer; the least of it over all other models."""
    models = {name: trained(name, 0, steps)[-1].model for name in names}

    def least(writer: str, start: str) -> float:
        return min(_lead(models[writer], models[other], start) for other in names if other != writer)

    values = each([(name, start) for name in names for start in starts], least)
    return Measured(
        "The writer is the less surprised of the models", values, "bits a byte", lambda v: v > 0.5
    )


def same_text(model, names=texts.NAMES, steps=STEPS, starts=STARTS) -> Measured:
    """The control: the median lead where both models learned from one text, with another seed."""

    def lead(name: str, seed: int) -> float:
        writer, other = (trained(name, which, steps)[-1].model for which in (seed, 1 - seed))
        return np.median([_lead(writer, other, start) for start in starts])

    values = each([(name, seed) for name in names for seed in (0, 1)], lead)
    return Measured("… also of two that learned from one text", values, "bits a byte", lambda v: 0 < v < 1)


def _lead(writer, other, start: str) -> float:
    """How much less a text surprises its writer than another model."""
    text = writer.tokenizer.decode(learning.write(writer, start))
    own, others = (
        surprise_of(model, model.tokenizer.encode(text)[: SMALL.n_ctx])[1] for model in (writer, other)
    )
    return others - own


# --- opened ---


def _kinds(name: str, run) -> tuple[float, float, float]:
    """Share of neighbours of one's own kind: before, at the end, and with the kinds dealt out blindly."""
    tokens = learning.frequent(run[0].model, split(name)[0])
    kinds = np.array([learning.kind_of(piece) for piece in run[0].model.tokenizer.pieces(tokens)])
    first, last = (now.model.weights.W_E[tokens] for now in (run[0], run[-1]))
    dealt = [np.random.default_rng(seed).permutation(kinds) for seed in range(20)]
    blind = np.mean([learning.share_of_kind(last, one) for one in dealt])
    return learning.share_of_kind(first, kinds), learning.share_of_kind(last, kinds), float(blind)


def kinds_after(model, runs=RUNS, steps=STEPS) -> Measured:
    def gained(name: str, seed: int) -> float:
        _, after, blind = _kinds(name, trained(name, seed, steps))
        return 100 * (after - blind)

    says = "Pieces of a kind lie near each other, more than blindly"
    return Measured(says, each(runs, gained), "percentage points more", lambda v: v > 20)


def kinds_before(model, runs=RUNS, steps=STEPS) -> Measured:
    def gained(name: str, seed: int) -> float:
        before, _, blind = _kinds(name, trained(name, seed, steps))
        return 100 * abs(before - blind)

    return Measured("Before the first step they don't", each(runs, gained), "points apart", lambda v: v < 6)


def kinds_counted(model, runs=RUNS, steps=STEPS) -> Measured:
    """The control: rows of counted neighbours, without a network."""

    def ahead(name: str, seed: int) -> float:
        now = trained(name, seed, steps)
        tokens = learning.frequent(now[0].model, split(name)[0])
        kinds = np.array([learning.kind_of(piece) for piece in now[0].model.tokenizer.pieces(tokens)])
        counted = learning.by_neighbours(now[0].model, split(name)[0], tokens)
        return 100 * (_kinds(name, now)[1] - learning.share_of_kind(counted, kinds))

    says = "The network's rows against counted neighbours"
    return Measured(says, each(runs, ahead), "points more of own kind", lambda v: abs(v) < 15)


@functools.cache
def _habits(name: str, seed: int, steps: int) -> np.ndarray:
    """[n_kept, 6]: of each habit, in the head that has it most."""
    run = trained(name, seed, steps)
    twice = learning.passages(run[0].model, split(name)[1])
    return np.stack([habits(now.model, twice).max(axis=(1, 2)) for now in run])


def habit(name: str, runs=RUNS, steps=STEPS) -> Measured:
    of = list(HABITS).index(name)
    values = each(runs, lambda *run: 100 * _habits(*run, steps)[-1, of])
    return Measured(f"Most weight on: {name}", values, "%", lambda v: v > 20)


def at_itself(model, runs=RUNS, steps=STEPS) -> Measured:
    return habit("itself", runs, steps)


def one_back(model, runs=RUNS, steps=STEPS) -> Measured:
    return habit("previous token", runs, steps)


def two_back(model, runs=RUNS, steps=STEPS) -> Measured:
    return habit("two back", runs, steps)


def a_near_one_grows_most(model, runs=RUNS, steps=STEPS) -> Measured:
    def most(*run) -> float:
        grown = _habits(*run, steps)[-1] - _habits(*run, steps)[0]
        return float(grown.argmax())

    says = f"The habit that grows most ({', '.join(f'{i}: {name}' for i, name in enumerate(HABITS))})"
    return Measured(says, each(runs, most), "", lambda v: v < 3)


def no_induction(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda *run: 100 * _habits(*run, steps)[-1, INDUCTION])
    return Measured("No induction head grows", values, "% of its weight", lambda v: v < 15)


def induction_in_the_chat_model(model, names=texts.NAMES, n=N_OF_CHAT) -> Measured:
    """The same measure on the same texts."""

    def best(name: str, _) -> float:
        passages = learning.passages(model, split(name)[1], n)
        return 100 * float(habits(model, passages)[INDUCTION].max())

    values = each([(name, 0) for name in names], best)
    return Measured("The chat model's best induction head", values, "% of its weight", lambda v: v > 40)


@functools.cache
def _parts(name: str, seed: int, steps: int) -> tuple[float, np.ndarray, np.ndarray]:
    now = trained(name, seed, steps)[-1].model
    return learning.parts_off(now, learning.windows(now, split(name)[1]))


def first_ffn(model, runs=RUNS, steps=STEPS) -> Measured:
    """Its mean in its place."""
    values = each(runs, lambda *run: _parts(*run, steps)[2][1])
    return Measured("Without the first FFN", values, "bits more", lambda v: v > 4)


def costliest_part(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda *run: float(_parts(*run, steps)[2].argmax()))
    numbered = ", ".join(f"{i}: {name}" for i, name in enumerate(PARTS))
    return Measured(f"The part that costs most ({numbered})", values, "", lambda v: v < 2)


def cost_of_it(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda *run: _parts(*run, steps)[2].max())
    return Measured("… what it costs", values, "bits more", lambda v: v > 3)


def least_part(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda *run: _parts(*run, steps)[2].min())
    return Measured("… and the one that costs least", values, "bits more", lambda v: v > 0)


def first_ffn_zeroed(model, runs=RUNS, steps=STEPS) -> Measured:
    values = each(runs, lambda *run: _parts(*run, steps)[1][1])
    return Measured("… zeroed, in place of its mean", values, "bits more", lambda v: v > 4)


def its_favourite_again(model, runs=RUNS, steps=STEPS) -> Measured:
    """Without the first FFN: does the tied table speak, as in noise?"""

    def share(name: str, seed: int) -> float:
        now = trained(name, seed, steps)[-1].model
        off = Edits(ffn={0: 0})
        stretches = learning.windows(now, split(name)[1])
        favourites = [now.trace(one, edits=off).all_logits().argmax(axis=-1) for one in stretches]
        return 100 * float(np.mean(np.array(favourites) == stretches))

    values = each(runs, share)
    return Measured("… it expects the piece just read", values, "% of contexts", lambda v: v > 50)


def no_copying(model, runs=RUNS, steps=STEPS) -> Measured:
    def gained(name: str, seed: int) -> float:
        now = trained(name, seed, steps)[-1].model
        first, again = learning.twice_told(now, learning.passages(now, split(name)[1]))
        return first - again

    return Measured(
        "A passage that comes again is hardly expected", each(runs, gained), "bits less", lambda v: v < 0.5
    )


CONCLUSIONS = (
    left_to_learn,
    counting,
    better_than_counting,
    surprise_at_repeats,
    surprise_elsewhere,
    new_is_learned_too,
    words_early,
    words,
    rises,
    known,
    copies,
    copies_of_long,
    whose,
    same_text,
    kinds_before,
    kinds_after,
    kinds_counted,
    at_itself,
    one_back,
    two_back,
    a_near_one_grows_most,
    no_induction,
    induction_in_the_chat_model,
    no_copying,
    first_ffn,
    first_ffn_zeroed,
    costliest_part,
    cost_of_it,
    least_part,
    its_favourite_again,
)


# --- the page's wording, held to the numbers ---

ONE, LITTLE = (("python manual", 0),), (("python manual", 60_000),)


def of(measured: Measured, *names: str) -> list[float]:
    """Its values on some of the texts."""
    return [value for run, value in measured.values.items() if run.partition(",")[0] in names]


WRITTEN, PYTHON = texts.WRITTEN, ("python manual", "python source")


def test_a_short_training(model):
    """160 steps show the beginning of what 600 do."""
    steps = 160
    assert left_to_learn(model, ONE, steps).highest < 7
    assert kinds_before(model, ONE, steps).agree
    assert kinds_after(model, ONE, steps).lowest > 40
    assert a_near_one_grows_most(model, ONE, steps).agree
    assert no_induction(model, ONE, steps).agree


def test_counting_pairs(model):
    assert counting(model).agree == len(texts.NAMES)


@pytest.mark.slow
def test_the_chat_model_has_induction_heads(model):
    chat = induction_in_the_chat_model(model)
    assert chat.agree == len(texts.NAMES)


def test_one_text_two_seeds(model):
    assert same_text(model, ("python manual",), 160).agree == 2


def test_a_little_text(model):
    assert rises(model, LITTLE, 100).lowest > 0.5


@pytest.mark.long
def test_learning(model):
    left, better = left_to_learn(model), better_than_counting(model)
    assert left.agree == len(RUNS)
    assert max(of(left, *WRITTEN)) < 2.5
    assert 1.25 < min(of(better, *WRITTEN)) < max(of(better, *WRITTEN)) < 1.45
    assert 0.4 < min(of(better, "python manual")) < max(of(better, "python manual")) < 0.95
    assert -0.2 < min(of(better, "python source")) < max(of(better, "python source")) < 0.35
    early, late = words_early(model).values, words(model).values
    assert all(late[run] > early[run] + 15 for run in late)
    assert 6.5 < min(early.values()) < max(early.values()) < 70.5
    least = {"bedtime stories": 94, "recipes": 94, "python manual": 71, "python source": 43.5}
    assert all(share > least[run.partition(",")[0]] - 0.5 for run, share in late.items())


@pytest.mark.long
def test_what_is_no_repetition_is_learned_too(model):
    elsewhere, less = surprise_elsewhere(model), new_is_learned_too(model)
    assert 2.95 < min(of(elsewhere, *WRITTEN)) < max(of(elsewhere, *WRITTEN)) < 3.45
    assert 4.75 < min(of(elsewhere, *PYTHON)) < max(of(elsewhere, *PYTHON)) < 5.65
    assert 1.15 < min(of(less, *WRITTEN)) < max(of(less, *WRITTEN)) < 1.45
    assert 0.55 < min(of(less, "python manual")) < max(of(less, "python manual")) < 1.05
    assert max(map(abs, of(less, "python source"))) < 0.25


@pytest.mark.long
def test_by_heart(model):
    assert known(model).agree == len(SHORTS)
    again, short, long = rises(model), copies(model), copies_of_long(model)
    assert 0.55 < again.lowest < again.highest < 2.85
    assert 144.5 < short.lowest < short.highest < 310.5
    assert 14.5 < long.lowest < long.highest < 57.5


@pytest.mark.long
def test_the_writer_is_the_less_surprised(model):
    writers, seeds = whose(model), same_text(model)
    assert writers.lowest > 0.6
    assert min(of(writers, *WRITTEN)) > 2
    assert 0.15 < seeds.lowest < seeds.highest < 0.45


@pytest.mark.long
def test_what_lies_near_what(model):
    assert kinds_before(model).highest < 8.5
    after, counted = kinds_after(model), kinds_counted(model)
    assert 48.5 < after.lowest < after.highest < 62.5
    assert max(abs(counted.lowest), counted.highest) < 6.5


@pytest.mark.long
def test_heads(model):
    assert a_near_one_grows_most(model).agree == len(RUNS)
    itself, one, two = at_itself(model), one_back(model), two_back(model)
    assert 23.5 < min(of(one, "bedtime stories")) < max(of(one, "bedtime stories")) < 30.5
    assert 20.5 < min(of(two, "bedtime stories")) < max(of(two, "bedtime stories")) < 31.5
    assert of(a_near_one_grows_most(model), "recipes") == [1, 1, 1]
    most = of(a_near_one_grows_most(model), *PYTHON)
    assert most.count(0) == 5
    assert most.count(1) == 1
    looking = [share for share, habit in zip(of(itself, *PYTHON), most) if habit == 0]
    assert 39 < min(looking) < max(looking) < 95.5
    none = no_induction(model)
    assert 4.5 < none.lowest < none.highest < 11.5
    again = no_copying(model)
    assert again.highest < 0.35
    assert max(of(again, "bedtime stories")) < 0


@pytest.mark.long
def test_parts(model):
    part, cost, ffn = costliest_part(model), cost_of_it(model), first_ffn(model)
    assert set(of(part, *WRITTEN)) == {1}
    assert of(part, *PYTHON).count(0) == 5
    assert 7 < min(of(ffn, *WRITTEN)) < max(of(ffn, *WRITTEN)) < 8.5
    assert 7.5 < min(of(first_ffn_zeroed(model), *WRITTEN)) < max(of(first_ffn_zeroed(model), *WRITTEN)) < 9.5
    assert min(of(its_favourite_again(model), *WRITTEN)) > 78.5
    assert max(of(its_favourite_again(model), *WRITTEN)) < 86.5
    assert 2.3 < min(of(cost, *PYTHON)) < max(of(cost, *PYTHON)) < 4.1
    assert least_part(model).lowest > 0.2
