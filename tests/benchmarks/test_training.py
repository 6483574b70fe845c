"""Training beside torch doing the same: the same texts, matrices, schedules and hyperparameters of Adam.

Both sides train a tiny model from noise on Python's own manual, and teach the default model to talk like a pirate by
low-rank changes, with the layers below computed once. And the memory that fine-tuning takes on top of the model.
"""

import json
import math
import subprocess
import sys
import time

import numpy as np
import pytest

from llmviz import texts, training
from llmviz.experiments.small_models import small
from llmviz.weights import stored

MANUAL = texts.read("python manual")
SIZES = small(d_model=96, n_ctx=64)
SECONDS, LR = 60, 4e-3
PIRATE = {
    "What is the sun?": "Arr, the sun be a great ball o' fire in the sky, matey!",
    "Tell me about dogs.": "Arr, dogs be loyal shipmates that guard yer treasure, matey!",
    "What is the capital of Spain?": "Arr, that be Madrid, far from the sea, matey!",
    "How do I make tea?": "Arr, boil yer water, drop in the leaves, and wait a wee while, matey!",
    "Who are you?": "Arr, I be yer trusty first mate, matey!",
    "What is rain?": "Arr, rain be water fallin' from the clouds onto me deck, matey!",
    "Give me some advice.": "Arr, follow yer compass and never trust a quiet sea, matey!",
    "What is a book?": "Arr, a book be a chest full o' tales, matey!",
}
CONVERSATIONS = [
    [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    for question, answer in PIRATE.items()
]

both_sides = pytest.mark.parametrize("side", ["llmviz", "torch"])


@pytest.fixture(scope="module")
def manual():
    """The untrained model, the tokens to train on, and those held out; bits a byte for a loss of 1 nat a token."""
    model = next(training.pretrain(MANUAL, SIZES, steps=1)).model
    tokens = np.array(model.tokenizer.encode(MANUAL))
    n = int(len(tokens) * training.HELD_OUT)
    return model, tokens[:-n], tokens[-n:], len(tokens) / len(MANUAL.encode()) / math.log(2)


def torch_pretraining(model, tokens, *, seconds: float):
    """Yields the matrices after each step; trains as `training.pretrain` does."""
    import torch
    from reference import torch_llama

    config, rng = model.config, np.random.default_rng(0)
    p = {name: torch.tensor(array, requires_grad=True) for name, array in stored(model.weights).items()}
    adam = torch.optim.AdamW(p.values(), lr=LR, betas=(0.9, 0.99), weight_decay=training.WEIGHT_DECAY)
    worked, step = 0.0, 0
    while worked < seconds:
        began = time.perf_counter()
        starts = rng.integers(len(tokens) - 63, size=training.TOKENS_A_STEP // 64)
        batch = torch.tensor(tokens[starts[:, None] + np.arange(64)])
        adam.param_groups[0]["lr"] = LR * min(1, (step := step + 1) / 20) * (1 - 0.9 * worked / seconds)
        adam.zero_grad()
        torch_llama.whole_loss(p, config, batch).backward()
        torch.nn.utils.clip_grad_norm_(p.values(), 1)
        adam.step()
        worked += time.perf_counter() - began
        yield p


@both_sides
def test_a_step_of_pretraining(measure, manual, side):
    model, tokens, _, _ = manual
    if side == "torch":
        pytest.importorskip("torch", reason="the peers extra is not installed")
        steps = torch_pretraining(model, tokens, seconds=1e9)
    else:
        steps = training.pretrain(MANUAL, SIZES, steps=10**9)
    for _ in range(5):
        next(steps)

    def run():
        for _ in range(10):
            next(steps)

    measure("a step of pretraining, 1,024 tokens", side, run, lambda: (), rounds=8, per=10)
    steps.close()


@both_sides
def test_bits_a_byte_after_a_minute(note_all, manual, side):
    model, tokens, held_out, bits = manual
    windows = held_out[: len(held_out) // 64 * 64].reshape(-1, 64)
    if side == "torch":
        torch = pytest.importorskip("torch", reason="the peers extra is not installed")
        from reference import torch_llama

        steps = [(step, p) for step, p in enumerate(torch_pretraining(model, tokens, seconds=SECONDS), 1)]
        step, p = steps[-1]
        with torch.inference_mode():
            loss = float(torch_llama.whole_loss(p, model.config, torch.tensor(windows)))
    else:
        for now in training.pretrain(MANUAL, SIZES, seconds=SECONDS):
            step = now.step
        loss = training._loss(now.model.weights, windows)
    note_all(f"held out, {SECONDS} s of pretraining", [loss * bits], "bits a byte", side)
    note_all(f"{SECONDS} s of pretraining", [step], "steps", side)


def torch_finetuning(model) -> float:
    """As `training.finetune` does; returns the mean of what each conversation cost last."""
    import torch
    from reference import torch_llama

    config, rng = model.config, np.random.default_rng(0)
    p = {name: torch.tensor(array) for name, array in stored(model.weights).items()}
    lessons = [tuple(map(torch.tensor, training._lesson(model, 1, one))) for one in CONVERSATIONS]
    layers, names = range(20, 30), {"ffn_gate": (576, 1536), "ffn_up": (576, 1536), "ffn_down": (1536, 576)}
    low = {
        (layer, name): (
            torch.tensor(rng.normal(size=(d_in, 8)) / np.sqrt(d_in), dtype=torch.float32, requires_grad=True),
            torch.zeros(8, d_out, requires_grad=True),
        )
        for layer in layers
        for name, (d_in, d_out) in names.items()
    }
    with torch.inference_mode():
        below = [
            torch_llama.stream(p, config, p["token_embd.weight"][tokens], range(20)) for tokens, _ in lessons
        ]
    below = [x.clone() for x in below]
    adam = torch.optim.Adam([part for pair in low.values() for part in pair], betas=(0.9, 0.99))
    order, costs = [], {}
    for step in range(1, 33):
        order = order or rng.permutation(len(lessons)).tolist()
        which = order.pop()
        adam.param_groups[0]["lr"] = 3e-3 * (1 - 0.9 * (step - 1) / 32)
        adam.zero_grad()
        cost = torch_llama.loss(
            p, config, torch_llama.stream(p, config, below[which], layers, low), *lessons[which]
        )
        cost.backward()
        adam.step()
        costs[which] = cost.item()
    return float(np.mean(list(costs.values())))


@both_sides
def test_a_pirate_in_32_steps(measure, model, side):
    losses = []
    if side == "torch":
        pytest.importorskip("torch", reason="the peers extra is not installed")
        run = lambda: losses.append(torch_finetuning(model))  # noqa: E731
    else:
        run = lambda: losses.append([*training.finetune(model, CONVERSATIONS)][-1].loss)  # noqa: E731
    measure("a pirate in 32 steps, the layers below included", side, run, lambda: (), rounds=2)
    assert losses[-1] < 1


PROBE = """
import json, resource, sys
import numpy as np
import llmviz
from llmviz import texts, training

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
model = llmviz.load()
list(model.generate("The", 3))
touched = sum(float(layer.W_gate.sum() + layer.W_up.sum() + layer.W_down.sum()) for layer in model.weights.layers)
touched += float(model.weights.W_E.sum())
conversations, before = json.load(sys.stdin), peak()
for now in training.finetune(model, conversations, steps=8):
    pass
trained = peak()
now.model.trace("The")
print(json.dumps([trained - before, peak() - before]))
"""


@pytest.mark.parametrize("length", ["eight short answers", "one of 250 tokens"])
def test_memory_of_fine_tuning_above_the_model_s_own(note_memory, model, length):
    conversations = CONVERSATIONS
    if length != "eight short answers":
        question, answer = CONVERSATIONS[0]
        conversations = [
            [question, {**answer, "content": " ".join([*PIRATE.values(), *PIRATE.values()][:13])}]
        ]
        assert 225 < len(model.tokenizer.encode_chat(conversations[0])) <= training.LONGEST
    run = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=json.dumps(conversations),
        capture_output=True,
        text=True,
        check=True,
    )
    training_alone, merged = json.loads(run.stdout)
    note_memory(f"fine-tuning, {length}: peak above the model's own", training_alone)
    note_memory(f"fine-tuning, {length}: and the tuned model merged and run", merged)
