"""A run and its twin: what is switched off or patched, at which token, and nothing else."""

import numpy as np
import pytest

from llmviz import experiments, ops
from llmviz.experiments import (
    ablate,
    fact_mover_head,
    knockout_attention,
    pair_of,
    patch_component,
    patch_residual,
)
from llmviz.experiments.facts import subject_of, why_no_fact
from llmviz.experiments.patch_map import other_subject
from llmviz.experiments.probabilities import probability


@pytest.fixture
def pair(tiny_model):
    """ "the cat sat on the dog" and its twin; the subject is not the last token."""
    return pair_of(tiny_model, "the cat sat on the dog", tiny_model.tokens_of("a")[0])


def test_all_of_the_stream_patched_at_the_subject_is_the_twin(pair, tiny_model):
    assert pair.trace.tokens[: pair.subject] == pair.twin.tokens[: pair.subject]
    run = tiny_model.trace(pair.trace.tokens, patch_residual(pair, 0, [pair.subject]))
    np.testing.assert_allclose(run.logits, pair.twin.logits, atol=1e-4)


@pytest.mark.parametrize("array", ["ffn_out", "attention_out"])
def test_off_and_patched_touch_one_token_in_some_layers(pair, tiny_model, array):
    def out(run):
        return getattr(run.blocks[1], array.partition("_")[0]).out

    for edits, wanted in (
        (ablate(array, [1], pair.subject), 0),
        (patch_component(pair, array, [1], pair.subject), out(pair.twin)[pair.subject]),
    ):
        edited = out(tiny_model.trace(pair.trace.tokens, edits))
        np.testing.assert_allclose(edited[pair.subject], wanted, atol=1e-5)
        np.testing.assert_allclose(edited[0], out(pair.trace)[0], atol=1e-5)


def test_a_patched_head_passes_on_what_it_does_in_the_twin(pair, tiny_model):
    last = len(pair.trace.tokens) - 1
    run = tiny_model.trace(pair.trace.tokens, patch_component(pair, "z", [1], last, head=2))
    z, own, twins = (each.blocks[1].attention.z for each in (run, pair.trace, pair.twin))
    np.testing.assert_allclose(z[2, last], twins[2, last], atol=1e-5)
    np.testing.assert_allclose(z[0], own[0], atol=1e-5)


def test_a_knockout_takes_one_key_from_one_query(pair, tiny_model):
    edits = knockout_attention([(1, head) for head in range(tiny_model.config.n_heads)], [pair.subject])
    pattern = tiny_model.trace(pair.trace.tokens, edits).blocks[1].attention.pattern
    assert (pattern[:, -1, pair.subject] == 0).all()
    np.testing.assert_allclose(pattern[:, -1].sum(axis=-1), 1, rtol=1e-5)
    assert (pattern[:, pair.subject, pair.subject] > 0).all()


def test_the_fact_mover_adds_most_out_of_the_subject(pair):
    direction = experiments.logit_direction(pair.trace, pair.answers[0], against="mean")
    block, model = (
        pair.trace.blocks[1],
        pair.trace.model,
    )  # the first of three has nothing before it, the last no FFN after
    adds = {}
    for head, weights in enumerate(block.attention.pattern):
        v = block.v[model.config.kv_head_of(head), pair.subject]
        written = weights[-1, pair.subject] * v @ model.weights.layers[1].W_O[head]
        adds[1, head] = written @ direction
    assert fact_mover_head(pair) == max(adds, key=adds.get)


def test_an_answer_that_the_other_run_has_as_well_is_nothing_to_follow(pair, tiny_model):
    """Else all that is patched "brings" the twin's answer."""
    problems = set()
    for other in range(tiny_model.config.n_vocab):
        pair = pair_of(tiny_model, pair.trace.tokens, other, 3)
        own, theirs = pair.answers
        run, twins = (ops.softmax(each.logits) for each in (pair.trace, pair.twin))
        close = twins[own] >= 0.5 * run[own] or run[theirs] >= 0.5 * twins[theirs]
        problem = why_no_fact(pair)
        assert problem == ("same answer" if own == theirs else "close answers" if close else None)
        problems.add(problem)
    assert problems == {"same answer", "close answers", None}


@pytest.mark.parametrize(
    ("text", "subject", "word"),
    [("The capital of France is", 3, " Germany"), ("People in Greece speak", 2, " Japan")],
)
def test_the_control_of_a_twin_asks_for_another_answer(model, text, subject, word):
    pair = pair_of(model, text, model.tokens_of(word)[0], subject)
    control = other_subject(pair)
    assert np.flatnonzero(np.not_equal(control.tokens, pair.trace.tokens)).tolist() == [subject]
    assert control.tokens[subject] != pair.twin.tokens[subject]
    assert probability(control, pair.answers[1]) < 0.5 * probability(pair.twin, pair.answers[1])


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("The capital of France is", 3),
        ("The capital city of France is called", 4),
        ("People in Greece speak", 2),
        ("The cats that I saw yesterday", 4),
    ],
)
def test_the_subject_is_a_name_if_there_is_any(text, subject):
    first, *others = text.split()
    assert subject_of([first, *(f" {word}" for word in others)]) == subject
