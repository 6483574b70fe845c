"""Let the model write, also in its chat template, and measure the text: first choices, repetition, earlier copies."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float

from llmviz import ops, sampling
from llmviz.model import Edits, Model, Step, Trace
from llmviz.reuse import kept_with
from llmviz.sampling import Sampler

N_GREEDY, N_ANSWER = 40, 60  # tokens of a greedy text, and of an answer
AFTER_THE_END = ("the assistant’s", "a user’s", "neither")
RUN = 4  # so many tokens in a row that appeared before count as a repetition


def write_on(
    model: Model,
    tokens: Sequence[int],
    n: int,
    sampler: Sampler | None = None,
    seed: int | None = None,
    *,
    past_end: bool = False,
) -> Iterator[Step]:
    """Write up to `n` tokens after others; past_end: an end token is then a token like any other, and does not stop it.

    Otherwise it ends like `Model.generate`, and when the context window is full. Errors as there.
    """
    tokens, full = list(tokens), len(tokens) + n
    while len(tokens) < full:
        before = len(tokens)
        for step in model.generate(tokens, full - before, sampler, seed):
            tokens.append(step.token)
            yield step
        if not past_end or len(tokens) == before:
            return


def write_edited(run: Trace, edits: Edits, n: int) -> Iterator[tuple[float, tuple[list[int], str]]]:
    """Write n tokens with edits after a text, always the likeliest.

    Yields the share that is done, the tokens so far, and why there are no more where the numbers overflow.
    """
    tokens: list[int] = []
    try:
        for step in run.model.generate(run.tokens, n, Sampler(temperature=0), edits=edits):
            tokens.append(step.token)
            yield len(tokens) / n, ([*tokens], "")
    except FloatingPointError as error:
        yield 1.0, (tokens, str(error))


@kept_with(most=400)  # 80 MB of the default model's
def logits_after(trace: Trace, tokens: tuple[int, ...]) -> Float[np.ndarray, " n_vocab"]:
    """Return the model's logits after a text and these tokens, and keep them with the run over the text."""
    return trace.model.trace([*trace.tokens, *tokens]).logits


@dataclass(frozen=True, eq=False)
class Written:
    """What the model wrote after a prompt."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    likeliest: Bool[np.ndarray, " seq"]  # which of the tokens were the model's first choice
    end_probs: Float[np.ndarray, " seq"]  # of the end token, in the place of each

    def repetition(self, n: int) -> float:
        """Measure how many of the first n tokens are in a run of four that the text had before, from 0 to 1."""
        again = sampling.repeated([*self.prompt, *self.tokens[:n]], run=RUN)
        return float(again[len(self.prompt) :].mean())


def write(
    model: Model, prompt: str | Sequence[int], n: int, temperature: float = 0, seed: int | None = None
) -> Written:
    """Write up to `n` tokens, to the end token at most. Errors as in `Model.generate`."""
    prompt, end = model.tokens_of(prompt), model.tokenizer.eos_token
    tokens, likeliest, end_probs = [], [], []
    for step in model.generate(prompt, n, Sampler(temperature=temperature), seed):
        logits = step.logits
        tokens.append(step.token)
        likeliest.append(step.token == logits.argmax())
        end_probs.append(ops.softmax(logits)[end])
    return Written(tuple(prompt), tuple(tokens), np.array(likeliest, bool), np.array(end_probs, np.float32))


@kept_with()
def greedy_repetition(trace: Trace) -> float:
    """Measure which share of a greedy continuation is in a run of tokens that the text had before, from 0 to 1."""
    return write(trace.model, trace.tokens, N_GREEDY).repetition(N_GREEDY)


def first_choices(trace: Trace, n: int, *, seed: int = 1) -> int:
    """Count the likeliest tokens among n that are drawn at temperature 1, or among those up to the end token."""
    return int(write(trace.model, trace.tokens, n, temperature=1, seed=seed).likeliest.sum())


def gain_from_copies(model: Model, written: Written, instead: Sequence[int] | None = None) -> float:
    """Measure how much likelier a repetition is because of its earlier copies: the mean gain in probability.

    The last copy ends with the last token that ends a run of four which the writing had before; it begins after the
    place where that run ended before. Its tokens are read in the whole text, and again straight after the prompt. NaN
    without a repetition. instead: tokens that are read in place of the earlier copies.
    """
    tokens = list(written.tokens)
    latest: dict[tuple[int, ...], int] = {}
    back: dict[int, int] = {}
    for i in range(RUN - 1, len(tokens)):
        here = tuple(tokens[i - RUN + 1 : i + 1])
        if here in latest:
            back[i] = i - latest[here]
        latest[here] = i
    if not back:
        return float("nan")
    last = max(back)
    start = last + 1 - max(back[last], RUN)
    places = [i for i in back if start + RUN - 1 <= i <= last]

    def probs(before: Sequence[int]) -> np.ndarray:
        """Read the probabilities of the tokens at `places`, with these between the prompt and the last turn."""
        text = [*written.prompt, *before, *tokens[start : last + 1]]
        logits, turn = model.trace(text).all_logits(), len(written.prompt) + len(before)
        return np.array([ops.softmax(logits[turn + i - start - 1])[tokens[i]] for i in places])

    return float((probs(tokens[:start] if instead is None else instead) - probs(())).mean())


# --- in a chat --------------------------------------------------------------------------------------------------------


def asked(model: Model, question: str) -> list[int]:
    """Return the tokens of a question in the template, up to where the answer begins. ValueError without a template."""
    return model.tokenizer.encode_chat([{"role": "user", "content": question}])


def added_by_template(model: Model, question: str) -> list[int]:
    """Return the places in `asked` of what the template adds to a question. ValueError as there."""
    full, empty = asked(model, question), asked(model, "")
    start = next((i for i, (a, b) in enumerate(zip(full, empty)) if a != b), len(empty))
    return [*range(start), *range(len(full) - len(empty) + start, len(full))]


def answer(model: Model, question: str, n: int) -> Written:
    """Write at most `n` tokens of the answer to a question in the template, always the likeliest."""
    return write(model, asked(model, question), n)


@kept_with()
def after_the_end(trace: Trace) -> int:
    """Return which of `AFTER_THE_END` a model speaks for when it goes on after its answer to a question.

    Empty messages are passed over. ValueError if the answer does not end in time.
    """
    tokenizer, greedy = trace.model.tokenizer, Sampler(temperature=0)
    question = asked(trace.model, tokenizer.decode_prompt(trace.tokens))
    steps = write_on(trace.model, question, N_ANSWER, greedy, past_end=True)
    if tokenizer.eos_token is None:
        raise ValueError("this model has no token that ends a message")
    # The template begins each message with a token of its own, as it does the reply.
    template = partial(tokenizer.encode_chat, [{"role": "user", "content": ""}])
    opens, ends = tokenizer.pieces([template()[len(template(add_reply=False))], tokenizer.eos_token])
    _, end, rest = tokenizer.decode([step.token for step in steps]).partition(ends)
    if not end:
        raise ValueError(f"the answer doesn't end within {N_ANSWER} tokens")
    messages = [message.partition("\n") for message in rest.split(opens)[1:]]
    roles = [re.split(r"\W", role)[0] for role, _, _ in messages]
    spoken = [role for role, (_, _, words) in zip(roles, messages) if words.partition(ends)[0].strip()]
    # The last message may be cut off before its first word.
    speaker = spoken[0] if spoken else roles[-1] if roles else ""
    return {"assistant": 0, "model": 0, "user": 1}.get(speaker, 2)


def starts_the_same(model: Model, question: str, *, other: str) -> bool:
    """Say whether a chat starts its answer as the bare text goes on, or as a chat that begins with `other` does."""
    runs = (asked(model, question), asked(model, other + question) if other else question)
    return len({int(model.trace(run).logits.argmax()) for run in runs}) == 1
