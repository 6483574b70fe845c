"""Rows, cosines, neighbours, analogies and PCA, each against a formula written another way."""

import itertools
import math

import numpy as np
import pytest
from finite_differences import assert_slopes
from messages import holding

from llmviz import embeddings, ops


@pytest.fixture
def table() -> np.ndarray:
    """A small embedding table, [30, 8]."""
    return np.random.default_rng(3).standard_normal((30, 8)).astype(np.float32)


def cosine_of(a, b) -> float:
    dot = math.fsum(float(x) * float(y) for x, y in zip(a, b))
    return dot / math.hypot(*map(float, a)) / math.hypot(*map(float, b))


def test_embedding_is_reading_rows(table):
    vectors = embeddings.embed([4, 0, 4, 29], table)
    assert vectors.tolist() == [table[i].tolist() for i in (4, 0, 4, 29)]
    np.testing.assert_array_equal(embeddings.embed(np.array([4, 0, 4, 29]), table), vectors)
    vectors[0] = 0  # a copy: the table stays
    assert table[4].any()


def test_unembedding_is_a_dot_product_with_each_column(table):
    x = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    logits = embeddings.unembed(x, table.T)
    expected = [[math.fsum(float(a) * float(b) for a, b in zip(row, token)) for token in table] for row in x]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("degrees", [0, 30, 90, 120, 180])
def test_cosine_is_the_cosine_of_the_angle(degrees):
    angle = math.radians(degrees)
    a, b = np.array([3.0, 0.0]), 7 * np.array([math.cos(angle), math.sin(angle)])
    assert embeddings.cosine_similarity(a, b) == pytest.approx(math.cos(angle), abs=1e-12)


def test_cosine_row_by_row(table):
    got = embeddings.cosine_similarity(table[:10], table[10:20])
    np.testing.assert_allclose(got, [cosine_of(table[i], table[i + 10]) for i in range(10)], rtol=1e-4)


def test_a_vector_of_length_zero_has_no_cosine(table):
    assert math.isnan(embeddings.cosine_similarity(np.zeros(8, np.float32), table[0]))


def test_cosine_to_every_row(table):
    table[5] = 0
    got = embeddings.cosine_to_all(table[2], table)
    expected = [cosine_of(table[2], row) if row.any() else 0 for row in table]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    assert not embeddings.cosine_to_all(np.zeros(8, np.float32), table).any()


def test_nearest_come_in_order_and_the_row_itself_first(table):
    neighbours = embeddings.nearest(table[7], table, n=30)
    assert neighbours.tokens == sorted(range(30), key=lambda token: -cosine_of(table[7], table[token]))
    assert neighbours.tokens[0] == 7
    assert neighbours.cosines[0] == pytest.approx(1)
    assert (np.diff(neighbours.cosines) <= 0).all()


def test_nearest_leaves_out_what_is_excluded(table):
    everything = embeddings.nearest(table[7], table, n=30).tokens
    neighbours = embeddings.nearest(table[7], table, n=4, exclude=[7, everything[2], 7])
    assert neighbours.tokens == [token for token in everything if token not in (7, everything[2])][:4]


def test_of_rows_equally_near_the_smaller_id_comes_first():
    table = np.tile(np.array([[1, 0], [0, 1]], np.float32), (5, 1))
    assert embeddings.nearest(table[0], table, n=10).tokens == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]


@pytest.mark.parametrize(("n", "exclude"), [(0, []), (-1, []), (31, []), (29, [1, 2])])
def test_more_or_fewer_neighbours_than_there_are(table, n, exclude):
    with pytest.raises(ValueError, match=holding("n", 1, 30 - len(exclude), n)):
        embeddings.nearest(table[0], table, n=n, exclude=exclude)


def test_an_analogy_goes_from_the_second_word_to_the_first():
    # people on one axis, royalty on another, gender on a third
    man, woman, king, queen = ([1, 0, 1], [1, 0, -1], [1, 1, 1], [1, 1, -1])
    table = np.array([man, woman, king, queen], np.float32)
    vector = embeddings.analogy(2, 0, 1, table)  # king - man + woman
    assert vector.tolist() == queen
    assert embeddings.nearest(vector, table, n=1).tokens == [3]


# PCA: the code uses singular values; here the eigenvectors of the covariance matrix stand against it.


def eigen_pca(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of variance and directions, the largest first."""
    values, directions = np.linalg.eigh(np.cov(vectors.astype(np.float64).T))
    return values[::-1] / values.sum(), directions.T[::-1]


@pytest.mark.parametrize("n_components", [1, 2, 3, 8])
def test_pca_finds_the_eigenvectors_of_the_covariance(table, n_components):
    projection = embeddings.pca(table, n_components=n_components)
    shares, directions = eigen_pca(table)
    np.testing.assert_allclose(projection.explained, shares[:n_components], rtol=1e-4)
    agreement = np.abs((projection.directions * directions[:n_components]).sum(axis=1))
    np.testing.assert_allclose(agreement, 1, rtol=1e-4)
    np.testing.assert_allclose(
        projection.directions @ projection.directions.T, np.eye(n_components), atol=1e-5
    )
    centred = table - table.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(projection.coordinates, centred @ projection.directions.T, atol=1e-5)
    np.testing.assert_allclose(projection.coordinates.mean(axis=0), 0, atol=1e-5)


def test_pca_of_few_long_vectors(table):
    wide = table.T.copy()  # 8 vectors of 30 numbers: 7 directions
    projection = embeddings.pca(wide, n_components=7)
    shares, directions = eigen_pca(wide)
    np.testing.assert_allclose(projection.explained, shares[:7], rtol=1e-4)
    agreement = np.abs((projection.directions * directions[:7]).sum(axis=1))
    np.testing.assert_allclose(agreement, 1, rtol=1e-4)
    np.testing.assert_allclose(
        projection.coordinates @ projection.directions + projection.mean, wide, atol=1e-5
    )


def test_pca_with_all_components_loses_nothing(table):
    projection = embeddings.pca(table, n_components=8)
    assert projection.explained.sum() == pytest.approx(1)
    np.testing.assert_allclose(
        projection.coordinates @ projection.directions + projection.mean, table, atol=1e-5
    )


def test_pca_signs_do_not_depend_on_chance(table):
    projection = embeddings.pca(table, n_components=3)
    assert (projection.directions[np.arange(3), np.abs(projection.directions).argmax(axis=1)] > 0).all()
    shuffled = embeddings.pca(table[::-1].copy(), n_components=3)
    np.testing.assert_allclose(shuffled.coordinates[::-1], projection.coordinates, atol=1e-4)


def test_pca_of_points_on_a_line():
    line = np.outer(np.arange(5), [3, -4]).astype(np.float32)
    projection = embeddings.pca(line)
    np.testing.assert_allclose(projection.explained, [1, 0], atol=1e-6)
    np.testing.assert_allclose(np.abs(projection.coordinates[:, 0]), [10, 5, 0, 5, 10], atol=1e-5)


@pytest.mark.parametrize("vectors", [np.ones((1, 4)), np.ones((3, 4))])
def test_pca_of_points_that_do_not_differ(vectors):
    projection = embeddings.pca(vectors.astype(np.float32), n_components=3)
    assert projection.coordinates.shape == (len(vectors), 3)
    assert not projection.coordinates.any()
    assert not projection.explained.any()


def test_pca_of_nothing():
    with pytest.raises(ValueError, match="vectors"):
        embeddings.pca(np.zeros((0, 4), np.float32))


def test_pca_directions_that_do_not_exist_are_zero(table):
    projection = embeddings.pca(table[:2], n_components=3)
    assert projection.coordinates.shape == (2, 3)
    assert projection.explained[0] == pytest.approx(1)
    assert not projection.directions[2].any()
    with pytest.raises(ValueError, match=holding("n_components", 1, 0)):
        embeddings.pca(table, n_components=0)


# The baseline


def test_random_pairs_never_pair_a_token_with_itself():
    cosines = embeddings.random_pair_cosines(np.eye(3, dtype=np.float32), n_pairs=2_000)
    assert len(cosines) == 2_000
    assert not cosines.any()


def test_random_pairs_are_fair(table):
    everything = [cosine_of(table[i], table[j]) for i, j in itertools.combinations(range(30), 2)]
    cosines = embeddings.random_pair_cosines(table, n_pairs=20_000)
    error = np.std(everything) / math.sqrt(20_000)
    assert abs(cosines.mean() - np.mean(everything)) < 4 * error
    assert len(set(np.round(cosines, 6))) > 0.9 * len(everything)  # all pairs come up


def test_random_pairs_are_the_same_for_the_same_seed(table):
    once, again, other = (embeddings.random_pair_cosines(table, n_pairs=9, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


# Two vectors in their plane, and maps that lie alike.


def test_a_plane_keeps_lengths_and_angle(table):
    a, b = table[3], table[8]
    plane = embeddings.plane(a, b)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(plane.places @ plane.axes, [a, b], atol=1e-5)
    assert plane.places[0, 1] == pytest.approx(0, abs=1e-6)
    assert plane.places[1, 1] > 0
    assert cosine_of(*plane.places) == pytest.approx(cosine_of(a, b), abs=1e-6)


def test_vectors_on_one_line_still_have_a_plane(table):
    plane = embeddings.plane(table[3], -2 * table[3])
    np.testing.assert_allclose(plane.places @ plane.axes, [table[3], -2 * table[3]], atol=1e-5)
    assert not embeddings.plane(0 * table[3], 0 * table[3]).places.any()


def test_an_aligned_map_is_the_same_map_turned_back(table):
    here = embeddings.pca(table, n_components=2)
    turned = np.array([-here.directions[1], here.directions[0]])  # another order, another sign
    aligned = embeddings.aligned(here, turned)
    np.testing.assert_allclose(aligned.directions, turned, atol=1e-6)
    np.testing.assert_allclose(aligned.explained, here.explained[::-1])
    np.testing.assert_allclose(aligned.coordinates, (table - table.mean(axis=0)) @ turned.T, atol=1e-4)


def test_analogies_are_counted_as_one_by_one():
    table = np.random.default_rng(5).standard_normal((40, 6)).astype(np.float32)
    table[20:] = table[:20] + 0.05 * table[20:]  # each word in two spellings
    word_of = np.arange(40) % 20
    pairs = [(0, 1), (2, 3), (24, 5), (6, 7)]
    table[[2, 24, 6]] = table[[3, 5, 7]] + (table[0] - table[1])  # three that hold
    counts, random = np.zeros(6), [8, 9, 30]

    def found(vector, left_out: set) -> int:
        near = embeddings.nearest(vector, table, n=40).tokens
        return next(word_of[token] for token in near if word_of[token] not in left_out)

    for (a, b), (wanted, c) in itertools.permutations(pairs, 2):
        words = {word_of[token] for token in (a, b, c)}
        best = [
            found(embeddings.analogy(a, b, c, table), words),
            found(embeddings.analogy(a, b, c, table), set()),
            found(table[a] + table[c], words),
            found(table[c], words),
        ]
        wrong = [found(embeddings.analogy(a, d, c, table), words) for _, d in pairs if d not in (b, c)]
        at_random = [found(embeddings.analogy(a, d, c, table), words) for d in random]
        shares = (np.mean(np.equal(some, word_of[wanted])) for some in (wrong, at_random))
        counts += [*(word == word_of[wanted] for word in best), *shares]
    score = embeddings.score_analogies(pairs, table, word_of, random)
    assert (score.asked, score.right, score.untouched, score.added, score.c_alone) == (12, *counts[:4])
    assert (score.wrong, score.random) == pytest.approx((counts[4], counts[5]))
    assert counts[0] > 6
    assert embeddings.score_analogies([], table, word_of, random).asked == 0


@pytest.mark.parametrize("tokens", [[4, 0, 4, 29, 4, 0], [7], [3, 3, 3], np.array([29, 1, 0])])
def test_the_gradient_of_a_row_is_the_sum_over_its_places(table, tokens):
    W_E = table.astype(np.float64)
    d_rows = np.random.default_rng(1).standard_normal((len(tokens), 8))
    d_W_E = embeddings.embed_gradient(d_rows, tokens, len(W_E))
    assert_slopes(lambda: (d_rows * embeddings.embed(tokens, W_E)).sum(), W_E=(W_E, d_W_E))
    assert d_W_E.any(axis=1).sum() == len(set(map(int, tokens)))


def test_unembedding_backwards(table):
    rng = np.random.default_rng(1)
    x, d_logits, W_U = rng.standard_normal((3, 8)), rng.standard_normal((3, 30)), table.astype(np.float64).T
    f = lambda: (d_logits * embeddings.unembed(x, W_U)).sum()  # noqa: E731
    d_x, d_W_U = embeddings.unembed_backward(d_logits, W_U), ops.linear_gradient(d_logits, x)
    assert_slopes(f, x=(x, d_x), W_U=(W_U, d_W_U))
    assert d_W_U.T.flags.c_contiguous  # it lies as the transpose of W_E does


def test_backwards_is_float32_as_well(table):
    d_rows, d_logits = table[:3], table[:8] @ table.T
    gradients = [
        embeddings.embed_gradient(d_rows, [2, 2, 5], 30),
        embeddings.unembed_backward(d_logits, table.T),
    ]
    assert [array.dtype for array in gradients] == [np.float32] * 2


def test_rows_may_be_scaled_and_logits_capped():
    table = np.random.default_rng(8).standard_normal((9, 4)).astype(np.float32)
    np.testing.assert_array_equal(embeddings.embed([2, 5], table, scale=3.0), 3 * table[[2, 5]])
    logits = embeddings.unembed(table[:2], table.T, cap=2.0)
    np.testing.assert_allclose(logits, 2 * np.tanh(table[:2] @ table.T / 2), rtol=1e-5, atol=1e-6)
