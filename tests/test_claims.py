"""The claims of the lessons, measured on the default model with llmviz: those that hold, and those that fail.

A notebook computes what it says; these tests make sure that what its words say about the numbers stays true.
Margins are wide enough for rounding and narrow enough that a broken step would be noticed.
"""

import numpy as np
import pytest

from llmviz import Edits, Sampler

CAT = "The cat that I saw yesterday was sleeping"
FRANCE = "The capital of France is"


def one_token(model, text: str) -> int:
    (token,) = model.tokenizer.encode(text)
    return token


def probability(trace, token: int) -> float:
    return float(Sampler().probs(trace.logits)[token])


def rank(logits, token: int) -> int:
    """1 for the likeliest token."""
    return int((logits > logits[token]).sum()) + 1


# 1 Tokenization


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("tokenization", ["token", "ization"]),
        ("running", ["running"]),
        ("strawberry", ["st", "raw", "berry"]),
        (" strawberry", [" strawberry"]),
        ("1234567", list("1234567")),
        ("The the the", ["The", " the", " the"]),
    ],
)
def test_words_fall_apart_as_the_lesson_says(model, text, pieces):
    assert model.tokenizer.pieces(model.tokenizer.encode(text)) == pieces


def test_a_capital_and_a_leading_space_make_other_tokens(model):
    assert [one_token(model, text) for text in ("The", "the", " the")] == [504, 1195, 260]
    assert model.tokenizer.encode("tokenization") == [8087, 1237]
    assert one_token(model, " strawberry") == 35199


def test_some_languages_pay_more_tokens_for_the_same_sentence(model):
    same = {
        "English": "All human beings are born free and equal in dignity and rights.",
        "French": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
        "Russian": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
        "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
        "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    }
    count = {language: len(model.tokenizer.encode(text)) for language, text in same.items()}
    assert count["English"] < count["French"] < count["Russian"] < count["Thai"]
    assert count["Hindi"] > 4 * count["English"]
    assert count["Thai"] > 4 * count["English"]


# 3 Position


def test_one_layer_without_rope_cannot_see_order_but_thirty_can(model):
    first, second, *rest = model.tokenizer.encode("dog bites man and runs away")
    here = model.trace([first, second, *rest], edits=Edits(rope=False))
    swapped = model.trace([second, first, *rest], edits=Edits(rope=False))
    one, other = (trace.blocks[0].attention.out[-1] for trace in (here, swapped))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(one).max())
    assert np.abs(here.logits - swapped.logits).max() > 0.1


def test_one_layer_with_rope_sees_order(model):
    first, second, *rest = model.tokenizer.encode("dog bites man and runs away")
    one = model.trace([first, second, *rest]).blocks[0].attention.out[-1]
    other = model.trace([second, first, *rest]).blocks[0].attention.out[-1]
    assert np.abs(one - other).max() > 1e-4 * np.abs(one).max()  # a little; without RoPE it is 0 (above)


def test_scores_depend_on_distance_only(model):
    ids = model.tokenizer.encode(CAT)
    here = model.trace(ids)
    moved = model.trace(ids, edits=Edits(position_shift=1_000.0))
    for layer in (0, 13, 29):
        pattern, other = (trace.blocks[layer].attention.pattern for trace in (here, moved))
        np.testing.assert_allclose(other, pattern, rtol=0, atol=2e-3)
    assert np.abs(model.trace(ids, edits=Edits(position_scale=8.0)).logits - here.logits).max() > 1.0


def test_without_rope_paris_is_less_likely_but_still_first(model):
    """The words without their order are enough for the fact: the mask leaks some order, the words do the rest."""
    trace = model.trace(FRANCE, edits=Edits(rope=False))
    paris = one_token(model, " Paris")
    assert probability(trace, paris) == pytest.approx(0.27, abs=0.03)  # 0.77 with RoPE
    assert rank(trace.logits, paris) == 1


# 5 FFN


def test_most_parameters_are_in_the_ffns(model):
    c = model.config
    ffn = c.n_layers * 3 * c.d_model * c.d_ff
    attn = c.n_layers * 2 * c.d_model * c.d_head * (c.n_heads + c.n_kv_heads)
    table = c.n_vocab * c.d_model
    norms = (2 * c.n_layers + 1) * c.d_model
    total = ffn + attn + table + norms
    assert total == pytest.approx(134.5e6, rel=1e-3)
    assert [round(100 * part / total) for part in (ffn, attn, table)] == [59, 20, 21]


def test_paris(model):
    trace = model.trace(FRANCE)
    assert probability(trace, one_token(model, " Paris")) == pytest.approx(0.77, abs=0.01)


@pytest.mark.parametrize(
    ("layer", "low", "high"),
    [
        (0, 0.0, 0.01),
        (2, 0.01, 0.06),
        (3, 0.70, 1.0),
        (8, 0.0, 0.01),
        (11, 0.0, 0.01),
        (17, 0.70, 1.0),
        (25, 0.70, 1.0),
        (29, 0.05, 0.15),
    ],
)
def test_one_ffn_off(model, layer, low, high):
    trace = model.trace(FRANCE, edits=Edits(ffn={layer: 0}))
    assert low <= probability(trace, one_token(model, " Paris")) <= high


def test_the_logit_lens_finds_paris_very_late(model):
    trace = model.trace(FRANCE)
    paris = one_token(model, " Paris")
    ranks = [rank(trace.lens(layer)[-1], paris) for layer in range(model.config.n_layers)]
    assert ranks[-1] == 1
    assert min(ranks[:-1]) > 1
    assert min(ranks[:20]) > 100
    assert 2 <= ranks[28] <= 12


def test_the_stream_grows_although_norms_rescale_what_is_read(model):
    trace = model.trace(FRANCE)
    first, last = (
        float(np.linalg.norm(x[-1])) for x in (trace.blocks[0].resid_pre, trace.blocks[-1].resid_post)
    )
    assert first == pytest.approx(2.6, abs=0.2)
    assert last > 100 * first


def test_the_first_token_is_another_world(model):
    for text in (FRANCE, CAT, "Once upon a time"):
        lengths = np.stack([np.linalg.norm(block.resid_post, axis=-1) for block in model.trace(text).blocks])
        assert lengths[:-1, 0].max() > 10 * lengths[:, 1:].max()
