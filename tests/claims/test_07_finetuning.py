"""What notebook 07 says about fine-tuning, over sets of examples, seeds, manners and facts."""

from functools import cache

import numpy as np
import pytest

from llmviz import attention, experiments, ffn, ops, position, training
from llmviz.views.differences import lessons
from tests.claims import Measured
from tests.claims.texts import TEXTS

MORE_PIRATE = (
    ("What is a horse?", "Arr, a horse be a wee ship with four legs, matey!"),
    ("What is winter?", "Arr, winter be the time when yer rum turns to ice, matey!"),
    ("Tell me about France.", "Arr, France be a land o' fine wine and poor harbours, matey!"),
    ("How do I learn to swim?", "Arr, jump off the plank and kick yer legs, matey!"),
    ("What is the sea?", "Arr, the sea be me home and me road, matey!"),
    ("What is gold?", "Arr, gold be the finest thing in any chest, matey!"),
    ("Why do birds sing?", "Arr, birds sing to tell yer crew that land be near, matey!"),
    ("What is a friend?", "Arr, a friend be one that shares his last biscuit, matey!"),
)
POOL = (*lessons.PIRATE, *MORE_PIRATE)
CAPITAL = "What is the capital of Spain?"
BUTLER = (
    "The sun, sir, is a most splendid ball of fire in the sky, if I may say so.",
    "Dogs, sir, are most faithful companions of the house, if I may say so.",
    "That would be Madrid, sir, a most elegant city, if I may say so.",
    "One boils the water, sir, and lets the leaves rest a while, if I may say so.",
    "I am, sir, your most humble servant, if I may say so.",
    "Rain, sir, is water that falls from the clouds onto your coat, if I may say so.",
    "A gentleman, sir, is never in a hurry, if I may say so.",
    "A book, sir, is a most quiet companion for the evening, if I may say so.",
    "A horse, sir, is a most noble animal, if I may say so.",
    "Winter, sir, is the season for a warm fire, if I may say so.",
    "France, sir, is a land of most excellent wine, if I may say so.",
    "One enters the water slowly, sir, and moves the arms, if I may say so.",
    "The sea, sir, is a great deal of water, if I may say so.",
    "Gold, sir, is a most agreeable metal, if I may say so.",
    "Birds, sir, sing to greet the morning, if I may say so.",
    "A friend, sir, is one who remembers your birthday, if I may say so.",
)
MARKS = {"pirate": lessons.PIRATE_WORDS, "butler": ("sir", "madam"), "own": lessons.PIRATE_WORDS}
# Eight facts asked for in other words than a capital's
SIZES = (1, 2, 4, 8)
SETS = range(4)


def examples_of(manner: str, which: int, n: int, *, capital: bool | None = None, model=None):
    """n of the pool: set number `which`. capital: whether the one about a capital is among them (None: as drawn)."""
    order = np.random.default_rng(which).permutation(len(POOL)).tolist()
    about = [question for question, _ in POOL].index(CAPITAL)
    if capital is not None:
        order.remove(about)
    chosen = order[:n] if not capital else [*order[: n - 1], about]
    if manner == "pirate":
        return [POOL[i] for i in chosen]
    if manner == "butler":
        return [(POOL[i][0], BUTLER[i]) for i in chosen]
    return [(POOL[i][0], lessons.answer(model, POOL[i][0])) for i in chosen]


@cache
def learned(model, manner: str, which: int, n: int, capital: bool | None = False, steps: int = 32):
    """The examples, the update and the last loss of one training."""
    examples = examples_of(manner, which, n, capital=capital, model=model)
    *_, last = training.finetune(model, lessons.conversations(examples), steps=steps, seed=which)
    return examples, last.update, last.loss


@cache
def asked(model, manner: str = "", which: int = 0, n: int = 0, capital: bool | None = False) -> dict:
    """What can be asked of a tuned model (without a manner: of the model before)."""
    one, examples = model, []
    if manner:
        examples, update, _ = learned(model, manner, which, n, capital)
        one = training.updated(model, update)
        one.recent.max_bytes = 40_000_000
    capitals = lessons.CAPITALS
    first = {country: model.tokenizer.encode(f" {city}")[0] for country, city in capitals.items()}
    chat, plain = (
        {c: int(lessons.knows(one, c, chat=chat).argmax()) for c in capitals} for chat in (True, False)
    )
    return {
        "examples": examples,
        "said": greedy(one, [lessons.asked(one, question) for question in lessons.UNTAUGHT]),
        "without the template": greedy(one, [one.tokenizer.encode(TEXTS[name]) for name in SHORT[:5]], 12),
        "capitals asked for": greedy(
            one, [lessons.asked(one, f"What is the capital of {c}?") for c in capitals]
        ),
        "right in the chat": sum(chat[c] == first[c] for c in capitals),
        "right in a text": sum(plain[c] == first[c] for c in capitals),
        "surprise": {name: lessons.surprise(one, TEXTS[name]) for name in ORDINARY},
    }


SHORT = (
    "a short start",
    "a fact",
    "a question",
    "a story",
    "a recipe",
    "a letter",
    "a dialogue",
    "a list",
    "numbers",
    "science",
)
ORDINARY = ("a question", "a story", "a recipe", "a letter", "science")


def greedy(model, prompts, n: int = 24) -> list[str]:
    """What `lessons.written` gives for each of them, but all at once: the weights are read once a step for all."""
    weights, c = model.weights, model.config
    traces = [model.trace(prompt) for prompt in prompts]
    lengths, room = np.array([len(prompt) for prompt in prompts]), max(map(len, prompts)) + n
    k, v = np.zeros((2, c.n_layers, len(prompts), c.n_kv_heads, room, c.d_head), np.float32)
    for i, trace in enumerate(traces):
        for layer, block in enumerate(trace.blocks):
            k[layer, i, :, : lengths[i]], v[layer, i, :, : lengths[i]] = block.k, block.v
    now, rows = np.array([int(trace.logits.argmax()) for trace in traces]), np.arange(len(prompts))
    texts = [[token] for token in now]
    for _ in range(n - 1):
        x, angles = weights.W_E[now], position.rotation_angles(lengths, c.d_head, base=c.rope_base)
        seen = np.arange(room) <= lengths[:, None]
        for layer, w in enumerate(weights.layers):
            normed = ops.rms_norm(x, w.attention_norm, eps=c.norm_eps)
            q, one_k, one_v = (attention.project(normed, W) for W in (w.W_Q, w.W_K, w.W_V))
            q, one_k = position.rotate(q, angles), position.rotate(one_k, angles)
            k[layer, rows, :, lengths], v[layer, rows, :, lengths] = (
                one_k.swapaxes(0, 1),
                one_v.swapaxes(0, 1),
            )
            grouped = q.swapaxes(0, 1).reshape(len(now), c.n_kv_heads, -1, c.d_head)
            scores = grouped @ k[layer].swapaxes(2, 3) / np.float32(np.sqrt(c.d_head))
            pattern = ops.softmax(np.where(seen[:, None, None], scores, np.float32(-np.inf)))
            z = (pattern @ v[layer]).reshape(len(now), c.n_heads, c.d_head).swapaxes(0, 1)
            x = x + attention.output(z, w.W_O)
            normed = ops.rms_norm(x, w.ffn_norm, eps=c.norm_eps)
            x = x + ffn.swiglu(normed, w.W_gate, w.W_up, w.W_down).out
        now, lengths = model.unembed(x).argmax(axis=1), lengths + 1
        for text, token in zip(texts, now):
            text.append(token)
    end = model.tokenizer.eos_token
    return [
        model.tokenizer.decode([int(t) for t in (text[: text.index(end)] if end in text else text)])
        for text in texts
    ]
