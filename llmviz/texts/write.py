"""Let the chat model write the texts of this folder:  python -m llmviz.texts.write bedtime_stories

The model is small, and a long story of its own soon repeats itself. So it fills in a form: the script says how each
part begins (`Form.plan`, by lists and a random generator), the model continues by one sentence or one line of a recipe,
and a sentence that breaks a rule (`Form.fault`) is written again.

Many texts are written side by side. The rows of the big products are independent, so one pass over the half gigabyte of
weights serves a token of every text; only attention is separate for each. A random generator with the seed n draws the
form and the tokens of text number n, so a number identifies a text.
"""

import argparse
import re
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from llmviz import attention, sampling
from llmviz.model import Attended, Model, block_forward, embedded, load, rotations_at, rules_of
from llmviz.sampling import Sampler
from llmviz.texts import WRITTEN, path_of
from llmviz.texts.forms import FORMS, Form
from llmviz.tokenization import Tokenizer

SAMPLER = Sampler(temperature=0.8, min_p=0.05)
AT_ONCE = 64  # texts side by side
ROOM = 1024  # tokens that a text may have, including the request
TRIES = 6  # tries for one sentence; then the text is dropped

# The numbers of the texts in this folder, and those that we left out after reading: somebody is eaten, something must
# not be eaten, something burns, or could be misread.
NUMBERS = {  # the gaps: texts that were not finished when a run ended
    "bedtime stories": sorted({*range(336)} - {191, 196, 216, 218, *range(220, 227)}),
    "recipes": sorted(
        {*range(613), *range(1000, 1312)}
        - {221, 224, 226, 228, 229, 231, 232, 236, 237, 587, 588, 604}
        - {1113, 1120, 1270, 1287, 1290, 1303, 1307, 1309}
    ),
}
# fmt: off
LEFT_OUT = {
    "bedtime stories": (
        55, 70, 71, 75, 78, 86, 87, 117, 139, 178, 198, 217, 241, 258, 262, 278, 281, 292, 308, 316, 319,
        321, 324, 325,
    ),
    "recipes": (
        1, 28, 86, 94, 147, 166, 246, 248, 300, 325, 354, 369, 371, 382, 385, 388, 443, 462, 463, 467, 490,
        517, 525, 539, 542, 599, 1013, 1056, 1075, 1091, 1100, 1170, 1174, 1177, 1191, 1199, 1204, 1207,
        1214, 1216, 1249, 1250, 1252, 1255, 1264, 1273, 1275, 1276, 1291, 1298,
    ),
}
# fmt: on


# --- many texts at once ----------------------------------------------------------------------------------------------


class TextBatch:
    """Keys and values of several texts, and one step for all of them."""

    def __init__(self, model: Model, n_texts: int, room: int = ROOM):
        """Make room for texts of up to `room` tokens."""
        c = model.config
        shape = (c.n_layers, n_texts, c.n_kv_heads, room, c.d_head)
        self.model, self.k, self.v = model, np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def begin(self, place: int, tokens: list[int]) -> Float[np.ndarray, " n_vocab"]:
        """Put a text into a slot, over the old one, and return the logits after its last token."""
        trace = self.model.trace(tokens)
        for layer, block in enumerate(trace.blocks):
            self.k[layer, place, :, : len(tokens)], self.v[layer, place, :, : len(tokens)] = block.k, block.v
        return trace.logits

    def step(
        self, at: Int[np.ndarray, " n_texts"], tokens: Int[np.ndarray, " n_texts"]
    ) -> Float[np.ndarray, "n_texts n_vocab"]:
        """Run one token of each text at its position, and return the logits after it.

        Anything that a text had from that position on is dropped.
        """
        return self.model.unembed(self.stream(at, tokens))

    def stream(
        self, at: Int[np.ndarray, " n_texts"], tokens: Int[np.ndarray, " n_texts"]
    ) -> Float[np.ndarray, "n_texts d_model"]:
        """Run one token of each text as `step` does, and return its vector after the last layer."""
        config, weights = self.model.config, self.model.weights
        x = np.asfortranarray(embedded(weights, tokens, at))
        rotations = rotations_at(config, at, x.dtype)
        windows = [config.window_of(layer) for layer in range(config.n_layers)]
        n_keys = int(at.max()) + 1
        beyond = {
            window: np.repeat(attention.hidden_keys(at, n_keys, window), config.n_heads, axis=0)[:, None]
            for window in set(windows)
        }
        for layer, w in enumerate(weights.layers):  # a row is a text here
            attend = partial(self._attend, layer, at, beyond[windows[layer]])
            x = block_forward(w, config, x, rotations[layer], attend).resid_post
        return x

    def _attend(
        self,
        layer: int,
        at: Int[np.ndarray, " n_texts"],
        beyond: Bool[np.ndarray, "texts_and_heads 1 kv_seq"],
        q: Float[np.ndarray, "n_heads n_texts d_head"],
        k: Float[np.ndarray, "n_kv_heads n_texts d_head"],
        v: Float[np.ndarray, "n_kv_heads n_texts d_head"],
    ) -> Attended:
        """Put each text's key and value at its position, and let its query attend to everything up to there."""
        n_heads, n_texts, d_head = q.shape
        texts, kv_seq = np.arange(n_texts), beyond.shape[-1]
        self.k[layer, texts, :, at], self.v[layer, texts, :, at] = k.swapaxes(0, 1), v.swapaxes(0, 1)
        # To attention, the heads of n texts are n times as many heads.
        q = q.swapaxes(0, 1).reshape(-1, 1, d_head)
        rules = rules_of(self.model.config, layer)
        k, v = (cached[layer].reshape(-1, *cached.shape[-2:])[:, :kv_seq] for cached in (self.k, self.v))
        _, pattern, z = attention.weigh(q, k, v, causal=False, rules=rules, edit=partial(_hide, beyond))
        return q, k, v, pattern, z.reshape(n_texts, n_heads, d_head).swapaxes(0, 1)


def _hide(beyond: Bool[np.ndarray, "texts_and_heads 1 kv_seq"], name: str, array: np.ndarray) -> np.ndarray:
    if name == "scores":
        np.copyto(array, -np.inf, where=beyond)
    return array


def logits_after_each(model: Model, texts: Sequence[list[int]]) -> Float[np.ndarray, "n_texts n_vocab"]:
    """Return the logits after the last token of each of some short texts, computed side by side, which is quicker."""
    lengths, n = np.array([len(tokens) for tokens in texts]), len(texts)
    batch = TextBatch(model, n, room=int(lengths.max()))
    columns = map(np.array, zip_longest(*texts, fillvalue=0))
    streams = [batch.stream(np.full(n, place), column) for place, column in enumerate(columns)]
    return model.unembed(np.stack(streams)[lengths - 1, range(n)])


# A generator that writes one text: it yields its prompt, then a token with its position, and gets the logits after
# each. It returns the text, or None if it broke a rule.
Making = Generator[Any, Float[np.ndarray, " n_vocab"], str | None]


def make_many(
    model: Model, numbers: Iterable[int], make: Callable[[int], Making], *, at_once: int = AT_ONCE
) -> Iterator[tuple[int, str | None]]:
    """Make the text of each number; yield the number and its text as they are ready."""
    batch, numbers = TextBatch(model, at_once), iter(numbers)
    makings: dict[int, tuple[int, Making]] = {}
    wanted: dict[int, tuple[int, int]] = {}
    while True:
        for place in sorted(set(range(at_once)) - set(makings)):
            for number in numbers:
                making = make(number)
                makings[place] = number, making
                wanted[place] = making.send(batch.begin(place, next(making)))
                break
        if not makings:
            return
        at, tokens = np.array([wanted[place] if place in makings else (0, 0) for place in range(at_once)]).T
        logits = batch.step(at, tokens)
        for place, (number, making) in sorted(makings.items()):
            try:
                wanted[place] = making.send(logits[place])
            except StopIteration as end:
                del makings[place]
                yield number, end.value


# --- one text --------------------------------------------------------------------------------------------------------


def make(tokenizer: Tokenizer, form: Form, number: int) -> Making:
    """Make the text of a number."""
    rng = np.random.default_rng(number)
    wish, plan = form.plan(rng)
    prompt = tokenizer.encode_chat([{"role": "user", "content": wish}])
    logits, at = (yield prompt), len(prompt)
    before: list[str] = []
    text = ""
    for opening in plan:
        for token in tokenizer.encode(opening):
            logits = yield at, token
            at += 1
        begin, first = at, np.copy(logits)  # the row alone, not all texts' logits
        for _ in range(TRIES):
            new: list[int] = []
            at, logits, sentence = begin, first, ""
            while len(new) < 48:
                token = sampling.draw(SAMPLER.probs(logits), rng)
                piece = "\n\n" if token == tokenizer.eos_token else tokenizer.decode([token])
                if form.ends(sentence, piece, opening):
                    break
                logits = yield at, token
                at += 1
                new.append(token)
                sentence = tokenizer.decode(new)
            sentence = re.sub(" +", " ", sentence.rstrip())
            if opening.count('"') % 2 and '"' not in sentence:
                sentence += '"'  # speech that an opening begins may end without its quotation mark
            if form.fault(sentence, text + opening, before) is None:
                break
        else:
            return None
        before.append(sentence)
        text += opening + re.sub("\n+", "\n", sentence)  # without blank lines, because they separate texts
    return text if form.text_fault(text) is None else None


# --- a file of them --------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m llmviz.texts.write",
        description="Let the default model write the bedtime stories or the recipes again, which takes about an hour.",
    )
    parser.add_argument("name", choices=[name.replace(" ", "_") for name in WRITTEN])
    parser.add_argument("--to", type=Path, help="the file to write; the package's own by default")
    given = parser.parse_args()
    name = given.name.replace("_", " ")
    model = load()
    made, numbers = {}, NUMBERS[name]
    for number, text in make_many(model, numbers, partial(make, model.tokenizer, FORMS[name])):
        made[number] = text
        print(f"{len(made)} of {len(numbers)}", end="\r", file=sys.stderr)
    texts = selected(made, LEFT_OUT[name])
    to = given.to or path_of(name)
    to.write_text("\n\n".join(texts) + "\n", "utf-8", newline="\n")
    print(f"{to}: {len(texts)} texts")


def selected(made: Mapping[int, str | None], left_out: Collection[int]) -> list[str]:
    """Return the texts in the order of their numbers, without repetitions and those that we left out after reading."""
    texts = [text for number, text in sorted(made.items()) if text and number not in left_out]
    return list(dict.fromkeys(texts))


if __name__ == "__main__":
    main()
