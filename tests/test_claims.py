"""The claims of the lessons, measured on the default model with llmviz: those that hold, and those that fail.

A notebook computes what it says; these tests make sure that what its words say about the numbers stays true.
Margins are wide enough for rounding and narrow enough that a broken step would be noticed.
"""

import numpy as np
import pytest

from llmviz import Edits, Sampler, experiments

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


NEURON = (29, 864)  # the one that notebook 05 turns


def fires(model, text: str) -> np.ndarray:
    layer, i = NEURON
    return model.trace(text).blocks[layer].ffn.hidden[:, i]


def test_a_neuron_pushes_down_what_it_is_woken_by(model):
    layer, i = NEURON
    pushed = model.weights.layers[layer].W_down[i] @ model.weights.W_U
    lowest = model.tokenizer.pieces(np.argsort(pushed)[:5].tolist())
    assert all(piece.strip().lower() in ("french", "france") for piece in lowest)
    assert fires(model, FRANCE)[-1] > 5
    assert fires(model, "The capital of Germany is")[-1] < 1
    assert fires(model, "Paris is the capital of France. We went to see the Eiffel tower in").max() > 10
    assert np.abs(fires(model, FRANCE)[3]) < 2  # not by the word itself
    assert (
        fires(model, "Germany and its capital Berlin are cold in winter. People there speak German.").max()
        < 1
    )
    paris = one_token(model, " Paris")
    turned = [probability(model.trace(FRANCE, Edits(neuron={NEURON: by})), paris) for by in (0, 1, 3)]
    assert turned[0] > turned[1] + 0.02
    assert turned[2] < 0.4


def test_the_first_token_is_another_world(model):
    for text in (FRANCE, CAT, "Once upon a time"):
        lengths = np.stack([np.linalg.norm(block.resid_post, axis=-1) for block in model.trace(text).blocks])
        assert lengths[:-1, 0].max() > 10 * lengths[:, 1:].max()


def test_a_late_attention_block_and_the_last_ffns_say_paris(model):
    parts = experiments.direct_attribution(model.trace(FRANCE), one_token(model, " Paris"))
    assert parts.attention.argmax() == 23
    assert parts.attention[23] > 2
    assert np.abs(parts.attention[:16]).max() < 1
    assert np.abs(parts.ffn[:20]).max() < 1
    assert parts.ffn[-4:].sum() > parts.ffn[:-4].sum() + 5


def surprise(model, edits: Edits | None = None) -> float:
    """On a text that asks for no fact, the one of notebook 05."""
    return experiments.loss(
        model.trace(
            "She opened the door, sat down at the table and drank a cup of tea while the rain fell outside.",
            edits,
        )
    )


@pytest.mark.parametrize("layer", [0, 2, 8, 11])
def test_without_some_ffns_other_text_breaks_as_well(model, layer):
    assert surprise(model, Edits(ffn={layer: 0})) > surprise(model) + 1


@pytest.mark.parametrize(
    ("country", "capital"),
    [("France", " Paris"), ("Germany", " Berlin"), ("Italy", " Rome"), ("Japan", " Tokyo")],
)
def test_one_attention_block_is_needed_by_the_answer_and_not_by_other_text(model, country, capital):
    text, answer, off = f"The capital of {country} is", one_token(model, capital), Edits(attention={23: 0})
    assert probability(model.trace(text, off), answer) < probability(model.trace(text), answer) / 2
    assert surprise(model, off) < surprise(model) + 0.1


@pytest.mark.parametrize(("country", "capital"), [("France", " Paris"), ("Japan", " Tokyo")])
def test_the_answer_moves_from_the_subject_to_the_last_token(model, country, capital):
    tokens, answer = model.tokenizer.encode(f"The capital of {country} is"), one_token(model, capital)
    noisy = experiments.disturb(model, tokens, answer, [3], strength=3.0, seed=0)
    whole = probability(noisy.clean, answer)
    assert noisy.probability < 0.01
    for layer, subject_brings_it, end_brings_it in ((5, True, False), (18, False, False), (26, False, True)):
        for place, brings in ((3, subject_brings_it), (4, end_brings_it)):
            resid = noisy.resid | {(layer, place): noisy.clean.blocks[layer].resid_pre[place]}
            back = probability(model.trace(tokens, Edits(resid=resid)), answer)
            assert (back > whole / 2) == brings


def test_a_subject_of_several_tokens_is_not_brought_back_by_one_of_them(model):
    tokens, answer = model.tokenizer.encode("The Eiffel Tower is in the city of"), one_token(model, " Paris")
    noisy = experiments.disturb(model, tokens, answer, [1, 2, 3, 4], strength=3.0, seed=0)
    whole = probability(noisy.clean, answer)
    for place in (1, 2, 3, 4):
        resid = noisy.resid | {(5, place): noisy.clean.blocks[5].resid_pre[place]}
        assert probability(model.trace(tokens, Edits(resid=resid)), answer) < whole / 2
