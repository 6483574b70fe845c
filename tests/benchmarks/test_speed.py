"""A full trace, a generated token, an edit at a late layer, and the first trace of a fresh process."""

import itertools
import subprocess
import sys
import time

import pytest

import llmviz

LENGTHS = (5, 16, 64, 256, 512)


@pytest.mark.parametrize("n", LENGTHS)
def test_trace(measure, model, fresh_ids, n):
    measure(f"trace of {n} tokens", "llmviz", model.trace, lambda: (fresh_ids(n),), rounds(n))


@pytest.mark.parametrize("n", LENGTHS)
def test_trace_transformers(measure, peer_model, fresh_ids, n):
    """All patterns and hidden states come out, the logits of the last token only."""
    import torch

    @torch.inference_mode()
    def run(ids):
        return peer_model(
            ids, use_cache=False, output_attentions=True, output_hidden_states=True, logits_to_keep=1
        )

    name = f"trace of {n} tokens"
    measure(name, "transformers", run, lambda: (torch.tensor([fresh_ids(n)]),), rounds(n))


def rounds(n: int) -> int:
    return 30 if n <= 64 else 8


N_NEW = 24


@pytest.mark.parametrize("n", [16, 256])
def test_generated_token(measure, model, fresh_ids, n):
    """The prompt and the first token are the set-up; what is timed are the tokens after."""
    greedy = llmviz.Sampler(temperature=0)

    def setup():
        while True:  # a text that the model doesn't end at once
            ids = fresh_ids(n)
            steps = model.generate(ids, max_new_tokens=N_NEW + 1, sampler=greedy)
            if len(list(steps)) == N_NEW + 1:
                steps = model.generate(ids, max_new_tokens=N_NEW + 1, sampler=greedy)
                next(steps)
                return (steps,)

    def run(steps):
        for _ in range(N_NEW):
            next(steps)

    measure(f"a generated token after {n}", "llmviz", run, setup, rounds=10, per=N_NEW)


@pytest.mark.parametrize("n", [16, 256])
def test_generated_token_transformers(measure, peer_model, fresh_ids, n):
    import torch

    def step(ids, cache):
        out = peer_model(torch.tensor([ids]), past_key_values=cache, use_cache=True, logits_to_keep=1)
        probs = torch.softmax(out.logits[0, -1], dim=-1)
        return [int(probs.argmax())], out.past_key_values

    @torch.inference_mode()
    def run(token, cache):
        for _ in range(N_NEW):
            token, cache = step(token, cache)

    name = f"a generated token after {n}"
    with torch.inference_mode():
        measure(name, "transformers", run, lambda: step(fresh_ids(n), None), rounds=10, per=N_NEW)


@pytest.mark.parametrize("n", [16, 64])
def test_edit_at_layer_20(measure, model, fresh_ids, n):
    """The text has just been run as it is; then one head of layer 20 is turned down, each time to another value."""
    scales = itertools.count(1)

    def setup():
        ids = fresh_ids(n)
        model.trace(ids)
        return ids, llmviz.Edits(head={(20, 0): 1 / (1 + next(scales))})

    measure(f"an edit at layer 20, {n} tokens", "llmviz", model.trace, setup, rounds(n))


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


def start(code: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)


def test_cold_start(measure, model):
    """The files are converted already, as from the second start on."""
    measure("fresh process to first trace", "llmviz", start, lambda: (LLMVIZ_START,), rounds=5)


def test_cold_start_transformers(measure, peer_model, tmp_path):
    """From safetensors, its own format."""
    from reference import peer

    peer_model.save_pretrained(tmp_path)
    peer.load_tokenizer(llmviz.download.default_model_path()).save(str(tmp_path / "tokenizer.json"))
    time.sleep(1)  # let the disk settle
    name = "fresh process to first trace"
    measure(name, "transformers", start, lambda: (TRANSFORMERS_START, str(tmp_path)), rounds=5)
