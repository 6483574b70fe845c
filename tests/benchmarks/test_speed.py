"""A full trace, a generated token, an edit at a late layer, and the first trace of a fresh process."""

import itertools
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import llmviz

LENGTHS = (5, 16, 64, 256, 512)
N_NEW = 16
GREEDY = llmviz.Sampler(temperature=0)

# The side varies fastest, so that both meet the machine in the same state.
both_sides = pytest.mark.parametrize("side", ["llmviz", "transformers"])
both_models = pytest.mark.parametrize("name", ["model", "gemma"])


def rounds(n: int) -> int:
    return 15 if n <= 64 else 5


@both_sides
@pytest.mark.parametrize("n", LENGTHS)
@both_models
def test_trace(measure, request, fresh_ids, name, n, side):
    """On both sides all patterns (or what gives them) and hidden states come out, and the last token's logits."""
    what = f"{name}: trace of {n} tokens"
    if side == "llmviz":
        model = request.getfixturevalue(name)
        measure(what, side, model.trace, lambda: (fresh_ids(n),), rounds(n))
        return
    peer = request.getfixturevalue(f"peer_{name}")
    import torch

    @torch.inference_mode()
    def run(ids):
        return peer(ids, use_cache=False, output_attentions=True, output_hidden_states=True, logits_to_keep=1)

    measure(what, side, run, lambda: (torch.tensor([fresh_ids(n)]),), rounds(n))


@pytest.mark.parametrize("n", LENGTHS)
def test_all_patterns(measure, model, fresh_ids, n):
    """What a trace leaves until it is asked for: scores, patterns, z and out of every layer, one after the other."""

    def run(trace):
        for block in trace.blocks:
            assert block.attention.pattern is not None

    setup = lambda: (model.trace(fresh_ids(n)),)  # noqa: E731
    measure(f"all patterns of a trace of {n} tokens", "llmviz", run, setup, rounds=5)


# Newer transformers call it `cache`, which older ones don't know.
@pytest.mark.filterwarnings("ignore:`past_key_values`")
@both_sides
@pytest.mark.parametrize("n", [16, 256])
@both_models
def test_generated_token(measure, request, fresh_ids, name, n, side):
    """The prompt and the first token are the set-up; what is timed are the tokens after."""
    what = f"{name}: a generated token after {n}"
    if side == "llmviz":
        model, ids = request.getfixturevalue(name), fresh_ids(n)
        while len(list(model.generate(ids, N_NEW + 1, GREEDY))) <= N_NEW:  # a text that isn't ended at once
            ids = fresh_ids(n)

        def setup():
            steps = model.generate(ids, N_NEW + 1, GREEDY)
            next(steps)
            return (steps,)

        def run(steps):
            for _ in range(N_NEW):
                next(steps)

        measure(what, side, run, setup, rounds=6, per=N_NEW)
        return
    peer = request.getfixturevalue(f"peer_{name}")
    import torch

    @torch.inference_mode()
    def step(ids, cache):
        out = peer(torch.tensor([ids]), past_key_values=cache, use_cache=True, logits_to_keep=1)
        probs = torch.softmax(out.logits[0, -1], dim=-1)
        return [int(probs.argmax())], out.past_key_values

    def run_peer(token, cache):
        for _ in range(N_NEW):
            token, cache = step(token, cache)

    measure(what, side, run_peer, lambda: step(fresh_ids(n), None), rounds=6, per=N_NEW)


@pytest.mark.parametrize("n", [16, 64])
def test_edit_at_layer_20(measure, note, model, fresh_ids, n):
    """The text has just been run as it is; then one head of layer 20 is turned down, each time to another value."""
    scales, full = itertools.count(1), []

    def setup():
        ids = fresh_ids(n)
        start = time.perf_counter()
        model.trace(ids)
        full.append(1e3 * (time.perf_counter() - start))
        return ids, llmviz.Edits(head={(20, 0): 1 / (1 + next(scales))})

    what = f"an edit at layer 20, {n} tokens"
    edit = measure(what, "llmviz", model.trace, setup, rounds(n))
    median, smallest = 100 * edit.median / np.median(full), 100 * edit.smallest / min(full)
    note(replace(edit, what=f"{what}: share of a full run", median=median, smallest=smallest, unit="%"))


LLMVIZ_START = """
import llmviz
llmviz.load().trace("The capital of France is")
"""

TRANSFORMERS_START = """
import sys, tokenizers, torch
from transformers import LlamaForCausalLM
model = LlamaForCausalLM.from_pretrained(sys.argv[1], attn_implementation="eager")
ids = tokenizers.Tokenizer.from_file(sys.argv[1] + "/tokenizer.json").encode("The capital of France is").ids
with torch.inference_mode():
    model(torch.tensor([ids]), use_cache=False, output_attentions=True, output_hidden_states=True, logits_to_keep=1)
"""


@both_sides
def test_cold_start(measure, model, request, tmp_path, side):
    """llmviz's file is converted already, as from the second start on; transformers reads safetensors, its own."""

    def start(code: str, *arguments: str) -> None:
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)

    arguments = (LLMVIZ_START,)
    if side == "transformers":
        peer_model = request.getfixturevalue("peer_model")
        from reference import peer

        peer_model.save_pretrained(tmp_path)
        peer.load_tokenizer(llmviz.download.model_path()).save(str(tmp_path / "tokenizer.json"))
        arguments = (TRANSFORMERS_START, str(tmp_path))
    measure("fresh process to first trace", side, start, lambda: arguments, rounds=4)
