"""What is measured of words and of the rows of the embedding table, against plain formulas."""

import gc
import weakref

import numpy as np
import pytest

from llmviz import embeddings, tokenization
from llmviz.claims.cases import FAMILIES, MORE_SENSES, ONE_SENSE, PAIRS, RELATED, SENSES
from llmviz.experiments import lens, table, words
from llmviz.model import Model


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(float), b.astype(float)
    return float(sum(a * b) / np.sqrt(sum(a * a)) / np.sqrt(sum(b * b)))


def test_words_are_runs_of_letters():
    text = "“Hello,” said 2 cats … ¡no! — print(i), don't 日本 मनुष्यों"
    assert words.plain_words(text) == ["Hello", "said", "cats", "no", "print", "i", "don't", "日本", "मनुष्यों"]


def test_a_word_is_in_the_list_with_a_space_or_without(model):
    assert words.in_list("love", model.tokenizer)
    assert not words.in_list("strawberriest", model.tokenizer)


def test_half_of_the_different_words_are_one_token(model):
    assert words.in_one_token(model, "love strawberriest love") == 50
    assert np.isnan(words.in_one_token(model, "1, 2"))


def test_tokens_with_letters_are_whole_words_or_parts_of_them(model):
    text = "The strawberriest cat's 12 hats, été"
    pieces = [
        piece
        for piece in model.tokenizer.pieces(model.tokenizer.encode(text))
        if any(map(str.isalpha, piece))
    ]
    whole = [piece for piece in pieces if piece.strip() in words.plain_words(text)]
    assert 0 < len(whole) < len(pieces)
    assert words.tokens_that_are_words(model, text) == pytest.approx(100 * len(whole) / len(pieces))
    assert np.isnan(words.tokens_that_are_words(model, "1, 2"))


def test_a_space_is_joined_with_a_letter_and_not_with_a_digit(model):
    text = "Take 2 cats,  and 10 dogs\n home"
    assert words.spaces_before(model.tokenizer, text, words.A_WORD) == (2, 2)
    assert words.spaces_before(model.tokenizer, "Все ро", words.A_WORD) == (1, 0)
    assert words.spaces_joined(model, text, before=r" (?=\d)") == 0
    assert np.isnan(words.spaces_joined(model, "one", before=words.A_WORD))


def test_shuffled_letters_are_of_the_same_words(model):
    assert words.shuffled_cost(model, "aaaa aaaa the bbbb") == 1
    assert words.shuffled_cost(model, "something wonderful happened", n_shuffles=2) > 2
    assert np.isnan(words.shuffled_cost(model, "the cat"))


def test_tokens_are_compared(model):
    n = [len(model.tokenizer.encode(text)) for text in (" DEMOCRACY", " democracy", "Straße", "street")]
    assert words.more_in_capitals(model, "democracy") == n[0] - n[1] > 0
    assert words.surcharge(model, ("Straße", "street")) == n[2] / n[3]
    other = tokenization.published_tokenizer("o200k_base")
    expected = len(other.encode("Straße")) / len(other.encode("street"))
    assert words.surcharge(model, ("Straße", "street"), vocabulary="o200k_base") == expected
    digits = ("12345", "")  # this model's rule cuts them one by one
    cost = words.cost_of_word_rule(model, digits, vocabulary="o200k_base")
    assert cost == 5 - len(other.encode("12345")) > 0


def test_what_holds_of_the_whole_vocabulary_need_not_hold_of_another(model):
    assert words.within_a_word(model) == model.config.n_vocab

    class Other:
        config = model.config

        class tokenizer:
            ranks = {b"a b": 0, b"a": 1, b"b": 2}  # noqa: RUF012

    assert words.within_a_word(Other) == model.config.n_vocab - 1


def test_the_words_of_the_claims_are_one_token_each(model):
    for listed in (*PAIRS.values(), RELATED):
        assert len(words.pairs_of(listed, model.tokenizer)) == listed.count(",") + 1


def test_tokens_that_differ_in_spaces_and_capitals_spell_one_word(model):
    spelled = words.word_ids(model)
    rome, other, capitals = (model.tokenizer.encode(text)[0] for text in (" Rome", "Rome", " rome"))
    assert spelled[rome] == spelled[other]
    assert (spelled[rome] == spelled[capitals]) == (len(model.tokenizer.encode(" rome")) == 1)
    assert spelled[rome] != spelled[model.tokenizer.encode(" Paris")[0]]


def test_whole_words_have_a_space_and_small_letters(model):
    pieces = model.tokenizer.pieces(words.whole_words(model))
    assert {" dog", " the"} <= set(pieces)
    assert not {"dog", " Paris", " ", ","} & set(pieces)


def test_every_family_has_14_pairs_of_one_token_each(model):
    assert {len(words.pairs_of(listed, model.tokenizer)) for listed in FAMILIES.values()} == {14}
    assert words.pairs_of("dogs dog, xylophones xylophone", model.tokenizer) == [
        tuple(model.tokenizer.encode(" dogs dog"))
    ]


def test_early_neighbours_are_other_words_with_low_ids(model):
    (dog,) = model.tokenizer.encode(" dog")
    W_E, spelled = model.weights.W_E, words.word_ids(model)
    others = [
        token
        for token in np.argsort(-embeddings.cosine_to_all(W_E[dog], W_E))
        if spelled[token] != spelled[dog]
    ]
    least = min(others[:12])
    for before in (least, least + 1):
        assert table.early_neighbours(model, "dog", centred=False, before=before) == before - least


def test_a_rank_counts_the_nearer_tokens(model):
    directions = model.weights.W_E / np.linalg.norm(model.weights.W_E, axis=1, keepdims=True)
    hot, cold = directions[model.tokenizer.encode(" hot cold")]
    assert table.rank(model, "hot cold") == (directions @ hot > cold @ hot + 1e-6).sum()


def test_what_a_map_keeps():
    """Six points in a plane lose nothing; a line has lost what is beside it."""
    points = np.random.default_rng(1).normal(size=(6, 2))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert table.share_kept(points, points) == 1
    assert table.nearest_on_map(np.array([[0, 0], [1, 0], [5, 0], [0, 2.0]]), 0, 2) == [1, 3]
    assert table.share_kept(points, np.c_[np.arange(6), np.zeros(6)]) < 1


def test_what_a_map_keeps_of_the_variance(model):
    tokens = model.tokenizer.encode(" dog cat horse red blue green")
    variance, share = table.map_quality(tokens, model.weights.W_E)
    rows = model.weights.W_E[tokens].astype(float)
    rows /= np.sqrt((rows**2).sum(axis=1, keepdims=True))
    spread = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1]
    assert variance == pytest.approx(spread[:2].sum() / spread.sum(), abs=1e-4)
    assert 0 < share <= 1


def test_each_part_of_a_sense_is_a_cosine_of_last_tokens(model):
    traces = [model.trace(text) for text in SENSES["bank"]]
    curves = lens.cosines_by_layer(traces)
    assert curves.shape == (4, model.config.n_layers + 1)
    after = [trace.blocks[9].resid_post[-1] for trace in traces]
    for curve, (a, b) in zip(curves, ((0, 1), (0, 2), (2, 3), (0, 3))):
        assert curve[10] == pytest.approx(cosine(after[a], after[b]), abs=1e-4)
    assert curves[:2, 0] == pytest.approx(1)


def test_senses_end_in_one_and_the_same_token(model):
    def ends(cases: dict) -> list[list[int]]:
        return [[model.tokenizer.encode(text)[-1] for text in texts] for texts in cases.values()]

    assert all(a == b == c != control for a, b, c, control in ends(SENSES | MORE_SENSES))
    assert all(a == b == c == d for a, b, c, d in ends(ONE_SENSE))


def test_what_is_measured_of_a_table_dies_with_its_model(tiny_model):
    model = Model(tiny_model.weights)
    centred = table.rows(model, True)
    assert table.rows(model, True) is centred
    assert words.word_ids(model) is words.word_ids(model)
    assert table.random_map_quality(model, 6) is table.random_map_quality(model, 6)
    assert table.random_pairs(model, True) is not table.random_pairs(model, False)
    held = [
        weakref.ref(one) for one in (model, centred, words.word_ids(model), table.random_pairs(model, True))
    ]
    del model, centred
    gc.collect()
    assert all(one() is None for one in held)
