"""Train small models on a text, and measure their tables, their heads, and what each part contributes."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from llmviz import training
from llmviz.edits import Edits, put
from llmviz.experiments.attention_behaviours import HABITS, strongest_habits
from llmviz.experiments.probabilities import token_surprise
from llmviz.experiments.small_models import small
from llmviz.experiments.text_statistics import (
    COUNTED,
    counting,
    longest_copy,
    pairs_in,
    split_by_repeats,
    surprise_of,
)
from llmviz.model import Model
from llmviz.reuse import kept_with
from llmviz.sampling import BITS_PER_NAT, Sampler

# It has 252,384 parameters, and learns to write something like sentences within a minute.
SMALL = small(d_model=96, n_ctx=128)
WARM = Sampler(temperature=0.7)
N_WRITTEN = 40  # tokens
N_PIECES = 120  # most frequent tokens
N_NEAREST = 3
KINDS = ("begins a word", "continues a word", "with a capital", "digits", "signs and spaces")
N_PASSAGES, N_PASSAGE = 10, 24  # passages of the held-out text that are read twice, and tokens in each
N_WINDOWS = 8  # of the held-out text; every second one is only for the means


def split_held_out(text: str) -> tuple[str, str]:
    """Return nine tenths of a text's characters, and the last tenth: nearly what is learned from and held out."""
    end = int(len(text) * (1 - training.HELD_OUT))
    return text[:end], text[end:]


@kept_with()
def split_as_trained(model: Model, text: str) -> tuple[str, str]:
    """Return the part of a text that `training.pretrain` learns from, and the part that it holds out."""
    tokens = model.tokenizer.encode(text)
    end = len(tokens) - int(len(tokens) * training.HELD_OUT)
    return model.tokenizer.decode(tokens[:end]), model.tokenizer.decode(tokens[end:])


def write_tokens(model: Model, start: str, seed: int = 1, n: int = N_WRITTEN) -> list[int]:
    """Return the tokens of a start and of its continuation by the model. ValueError if there is no start."""
    tokens = model.tokenizer.encode(start)[-(model.config.n_ctx - n) :]
    return [*tokens, *(step.token for step in model.generate(tokens, n, WARM, seed=seed))]


# --- what it writes --------------------------------------------------------------------------------------------------


def writings(model: Model, n: int = 5) -> list[str]:
    """Return n texts of 100 tokens that a model writes after an empty line, with different seeds."""
    return [model.tokenizer.decode(write_tokens(model, "\n", seed, 100))[1:] for seed in range(n)]


def words_of(text: str) -> list[str]:
    """Return the words of three letters or more."""
    return re.findall(r"[A-Za-z]{3,}", text)


def known_words(model: Model, learned: str) -> float:
    """Measure which share of the words that a model writes is in the text it learned from.

    The first and last word of each text are left out, because they may be cut off.
    """
    known = set(words_of(learned))
    return float(np.mean([word in known for text in writings(model) for word in words_of(text)[1:-1]]))


def copied(model: Model, learned: str) -> float:
    """Measure the length, in characters, of the longest passage that a model copies: the mean over `writings`."""
    return float(np.mean([len(longest_copy(written, learned)) for written in writings(model)]))


def lead(writer: Model, other: Model, start: str) -> float:
    """Measure how much less a text surprises the model that wrote it than another one, in bits a byte."""
    text = writer.tokenizer.decode(write_tokens(writer, start))
    own, others = (
        surprise_of(reader, reader.tokenizer.encode(text)[: reader.config.n_ctx])[1]
        for reader in (writer, other)
    )
    return others - own


# --- rows of the table -----------------------------------------------------------------------------------------------


def kind_of(piece: str) -> int:
    """Return which of KINDS a piece is, by its spelling."""
    core = piece.strip()
    if not core.isalnum():
        return 4
    if core.isdigit():
        return 3
    if core[0].isupper():
        return 2
    return 0 if piece[0] == " " else 1


def frequent(model: Model, text: str, n: int = N_PIECES) -> list[int]:
    """Return the most frequent tokens of a text, without single bytes that are not letters."""
    counts = Counter(model.tokenizer.encode(text[:200_000]))
    pieces = dict(zip(counts, model.tokenizer.pieces(list(counts))))
    return [token for token, _ in counts.most_common() if not pieces[token].startswith("<0x")][:n]


def share_of_kind(rows: Float[np.ndarray, "n d"], kinds: Int[np.ndarray, " n"]) -> float:
    """Measure which share of each row's N_NEAREST rows, by cosine, is of its own kind."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :N_NEAREST]
    return float((kinds[nearest] == kinds[:, None]).mean())


def share_by_chance(rows: Float[np.ndarray, "n d"], kinds: Int[np.ndarray, " n"]) -> float:
    """Measure `share_of_kind` with the kinds shuffled, as the mean of 20 times."""
    rng = np.random.default_rng(0)
    return float(np.mean([share_of_kind(rows, rng.permutation(kinds)) for _ in range(20)]))


def by_neighbours(
    model: Model, text: str, tokens: Sequence[int]
) -> Float[np.ndarray, "n_tokens twice_n_vocab"]:
    """Count how often each token of the vocabulary comes after and before each of `tokens` in a text, as log(1 + n).

    These rows, made without any network, are the control for the trained embedding table.
    """
    pairs = pairs_in(np.array(model.tokenizer.encode(text)), model.config.n_vocab)
    return np.log1p(np.concatenate([pairs, pairs.T], axis=1))[tokens]


@kept_with()
def frequent_pieces(model: Model, text: str) -> tuple[list[int], list[str], Int[np.ndarray, " n"]]:
    """Return the most frequent tokens of a text, their pieces, and their kinds."""
    tokens = frequent(model, text)
    pieces = model.tokenizer.pieces(tokens)
    return tokens, pieces, np.array([kind_of(piece) for piece in pieces], int)


def share_of_own_kind(model: Model, text: str) -> float:
    """Measure `share_of_kind` for the rows of a text's most frequent tokens in a model's embedding table."""
    tokens, _, kinds = frequent_pieces(model, text)
    return share_of_kind(model.weights.W_E[tokens], kinds)


@kept_with()
def shares_without_training(model: Model, text: str) -> tuple[float, float]:
    """Measure the controls of `share_of_own_kind`: the kinds shuffled, and rows of counted neighbours."""
    tokens, _, kinds = frequent_pieces(model, text)
    counted = share_of_kind(by_neighbours(model, text, tokens), kinds)
    return share_by_chance(model.weights.W_E[tokens], kinds), counted


# --- passages read twice ---------------------------------------------------------------------------------------------


def passages(model: Model, text: str, n: int = N_PASSAGES) -> list[list[int]]:
    """Return the tokens of n passages of a text, each of them twice in a row."""
    tokens = model.tokenizer.encode(text[:20_000])
    starts = np.linspace(0, max(0, len(tokens) - N_PASSAGE), n).astype(int)
    return [tokens[start : start + N_PASSAGE] * 2 for start in starts]


def surprise_when_repeated(model: Model, twice: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Measure the surprise at passages on first reading, and when they come again, in bits a token."""
    bits = np.array([token_surprise(model.trace(tokens)) for tokens in twice])
    # The first token of the second pass is left out, because nothing shows yet that the passage begins again.
    n = len(twice[0]) // 2
    return float(bits[:, : n - 1].mean()), float(bits[:, n:].mean())


# --- parts -----------------------------------------------------------------------------------------------------------


def windows(model: Model, text: str, n: int = N_WINDOWS) -> list[list[int]]:
    """Return the tokens of n windows of a text, each as long as the model's context window."""
    tokens = model.tokenizer.encode(text[:20_000])
    length = min(model.config.n_ctx, len(tokens))
    return [tokens[start : start + length] for start in np.linspace(0, len(tokens) - length, n).astype(int)]


def ablate_each_part(
    model: Model, texts: Sequence[Sequence[int]]
) -> tuple[float, Float[np.ndarray, " n_parts"], Float[np.ndarray, " n_parts"]]:
    """Measure the mean surprise at every second text, in bits a token, and how much each part lowers it.

    Returns the surprise; how much higher it is when a part adds nothing; and when it adds its mean over the other texts
    (mean ablation). The parts are attention of layer 0, its FFN, attention of layer 1, and so on.
    """

    def with_edits(edits: Edits) -> float:
        return float(np.mean([token_surprise(model.trace(tokens, edits=edits)) for tokens in texts[1::2]]))

    runs = [model.trace(tokens) for tokens in texts[::2]]
    plain, nothing, usual = with_edits(Edits()), [], []
    for layer in range(model.config.n_layers):
        for part in ("attention", "ffn"):
            adds = np.concatenate([getattr(run.blocks[layer], part).out for run in runs]).mean(axis=0)
            off = Edits(ffn={layer: 0}) if part == "ffn" else Edits(attention={layer: 0})
            nothing.append(with_edits(off))
            usual.append(with_edits(Edits(at={(f"{part}_out", layer): put(adds)})))
    return plain, np.array(nothing) - plain, np.array(usual) - plain


def repeats_the_last(model: Model, texts: Sequence[Sequence[int]], edits: Edits | None = None) -> float:
    """Measure the share of contexts after which the likeliest token is the one just read. All texts have one length."""
    likeliest = [model.trace(tokens, edits).all_logits().argmax(axis=-1) for tokens in texts]
    return float(np.mean(np.array(likeliest) == np.array(texts)))


# --- a whole training ------------------------------------------------------------------------------------------------


class TrainingRun:
    """Train a small model on a text, and measure what it has learned. Each measure is taken once.

    `first`, `early` and `last` are the models before the first step, after 20 steps, and at the end. `surprise` and
    `held_out_surprise` are lists of bits a token, every 20 steps: of that step's texts, and of the held-out text.
    """

    def __init__(self, text: str, *, steps: int, seed: int = 0):
        self.learned, self.held_out = split_held_out(text)
        self.surprise, self.held_out_surprise = [], []
        for now in training.pretrain(text, SMALL, steps=steps, seed=seed):
            if now.step == 0:
                self.first = self.early = now.model
            if now.step == 20:
                self.early = now.model
            if now.step % training.MEASURE_EVERY == 0 or now.step == steps:
                assert now.held_out is not None  # it is measured at these steps
                self.surprise.append(now.loss * BITS_PER_NAT)
                self.held_out_surprise.append(now.held_out * BITS_PER_NAT)
        self.last = now.model

    @cached_property
    def counted(self) -> list[float]:
        """The means of `counting` pairs and runs of five, in bits a token, on the very tokens that are held out."""
        learned, held_out = split_as_trained(self.first, self.learned + self.held_out)
        return [float(counting(self.first, learned, held_out, n).mean()) for n in COUNTED.values()]

    @cached_property
    def by_repeats(self) -> tuple[float, Float[np.ndarray, "3 2"]]:
        """What `split_by_repeats` gives for the last model."""
        return split_by_repeats(self.last, self.learned, self.held_out)

    @cached_property
    def by_kind(self) -> Float[np.ndarray, "3"]:
        """The frequent tokens' `share_of_kind`, minus what it is by chance.

        It is for the first model's table, the last model's, and the rows of counted neighbours (`by_neighbours`).
        """
        tokens = frequent(self.first, self.learned)
        kinds = np.array([kind_of(piece) for piece in self.first.tokenizer.pieces(tokens)])
        first, last = (model.weights.W_E[tokens] for model in (self.first, self.last))
        counted = by_neighbours(self.first, self.learned, tokens)
        shares = [share_of_kind(rows, kinds) for rows in (first, last, counted)]
        return np.array(shares) - share_by_chance(last, kinds)

    @cached_property
    def passages(self) -> list[list[int]]:
        """Passages of the held-out text, each twice in a row."""
        return passages(self.first, self.held_out)

    @cached_property
    def windows(self) -> list[list[int]]:
        """Windows of the held-out text."""
        return windows(self.first, self.held_out)

    @cached_property
    def habits(self) -> Float[np.ndarray, "2 habits"]:
        """Each of HABITS in the head that has it most, before the first step and at the end."""
        return np.stack([strongest_habits(model, self.passages) for model in (self.first, self.last)])

    @property
    def grown_most(self) -> str:
        """Which of HABITS has grown most."""
        return HABITS[int((self.habits[1] - self.habits[0]).argmax())]

    @cached_property
    def costs(self) -> Float[np.ndarray, "2 n_parts"]:
        """How many bits a token the surprise at held-out text rises with each part switched off, or at its mean."""
        _, nothing, usual = ablate_each_part(self.last, self.windows)
        return np.stack([nothing, usual])
