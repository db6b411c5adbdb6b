"""MMD, joint MMD and CORAL against double loops, and their gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tftransfer.losses import CORALLoss
from tftransfer.losses import JointMMDLoss
from tftransfer.losses import MMDLoss

MULTIPLIERS = (0.25, 0.5, 1.0, 2.0, 4.0)


def samples(n=7, m=5, d=3, shift=0.7):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)), rng.normal(shift, size=(m, d))


def mean_distance(rows):
    n = len(rows)
    squares = [np.sum((a - b) ** 2) for a in rows for b in rows]
    return sum(squares) / (n * (n - 1))


def kernel(a, b, width, multipliers):
    return sum(np.exp(-np.sum((a - b) ** 2) / (width * c)) for c in multipliers)


def mmd_by_loops(layers, estimator):
    """layers: [(source, target, width, multipliers), ...], kernels multiplied."""

    def value(side, i, other, j):
        return np.prod(
            [kernel(each[side][i], each[other][j], *each[2:]) for each in layers]
        )

    n, m = len(layers[0][0]), len(layers[0][1])
    if estimator == "linear":
        terms = [
            value(0, i, 0, i + 1)
            + value(1, i, 1, i + 1)
            - value(0, i, 1, i + 1)
            - value(0, i + 1, 1, i)
            for i in range(0, 2 * (min(n, m) // 2), 2)
        ]
        return np.mean(terms)

    def mean(side, rows):
        pairs = [
            value(side, i, side, j)
            for i in range(rows)
            for j in range(rows)
            if estimator == "biased" or i != j
        ]
        return np.mean(pairs)

    across = np.mean([value(0, i, 1, j) for i in range(n) for j in range(m)])
    return mean(0, n) + mean(1, m) - 2 * across


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
def test_mmd_equals_double_loops(estimator):
    source, target = samples()
    expected = mmd_by_loops([(source, target, 1.3, MULTIPLIERS)], estimator)
    found = MMDLoss(estimator=estimator, bandwidth=1.3)(source, target)
    assert float(found) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_default_bandwidth_is_the_mean_distance_of_different_rows(estimator):
    source, target = samples(shift=30)  # far from the origin, where float32 cancels
    width = mean_distance(np.concatenate([source, target]))
    expected = mmd_by_loops([(source, target, width, MULTIPLIERS)], estimator)
    found = MMDLoss(estimator=estimator)(source, target)
    assert float(found) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
def test_joint_mmd_is_that_of_the_product_of_kernels(estimator):
    source, target = samples()
    scores = [np.random.default_rng(1).dirichlet(np.ones(4), n) for n in (7, 5)]
    layers = [
        (source, target, 1.3, MULTIPLIERS),
        (*scores, 2 * 0.92**2, (1.0,)),
    ]
    expected = mmd_by_loops(layers, estimator)
    loss = JointMMDLoss(
        estimator=estimator,
        bandwidths=[1.3, 2 * 0.92**2],
        multipliers=[MULTIPLIERS, [1.0]],
    )
    found = loss([source, scores[0]], [target, scores[1]])
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_joint_mmd_defaults_are_the_authors():
    source, target = samples()
    scores = [np.random.default_rng(1).dirichlet(np.ones(4), n) for n in (7, 5)]
    width = mean_distance(np.concatenate([source, target]))
    layers = [(source, target, width, MULTIPLIERS), (*scores, 2 * 0.92**2, (1.0,))]
    found = JointMMDLoss()([source, scores[0]], [target, scores[1]])
    assert float(found) == pytest.approx(mmd_by_loops(layers, "biased"), abs=1e-5)


def test_coral_is_a_quarter_of_the_covariances_distance():
    source, target = samples(d=4)
    gap = np.cov(source.T) - np.cov(target.T)
    found = CORALLoss()(source, target)
    assert float(found) == pytest.approx(np.sum(gap**2) / (4 * 16), rel=1e-5)
    moved = CORALLoss()(source + 100, target)  # means do not count
    assert float(moved) == pytest.approx(float(found), rel=1e-3)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(
    ("m", "near", "error"),
    [(5, 1.0, 1e-5), (7, 1e-2, 5e-3)],  # the latter cancels, to 1e-4 of its parts
)
def test_coral_of_more_columns_than_rows_makes_no_covariance(
    graph, m, near, error, monkeypatch
):
    n, d = 7, 1100
    rng = np.random.default_rng(0)
    source = 3 + rng.normal(size=(n, d))
    target = source[:m] + near * rng.normal(size=(m, d))
    gap = np.cov(source.T) - np.cov(target.T)
    expected = np.sum(gap**2) / (4 * d * d)
    moved = -(target - target.mean(0)) @ gap / ((m - 1) * d * d)

    def run(rows):
        with tf.GradientTape() as tape:
            tape.watch(rows)
            value = CORALLoss()(tf.constant(source, "float32"), rows)
        return value, tape.gradient(value, rows)

    if graph:
        run = tf.function(run, input_signature=[tf.TensorSpec((None, d))])
    else:
        monkeypatch.setattr("tftransfer.losses.covariances._covariance", None)
    value, gradient = run(tf.constant(target, "float32"))
    assert float(value) == pytest.approx(expected, rel=error)
    np.testing.assert_allclose(gradient, moved, atol=1e-4 * np.abs(moved).max())
    same = float(CORALLoss()(source, source))
    assert 0 <= same <= 1e-6 * np.sum(np.cov(source.T) ** 2) / (4 * d * d)


def test_coral_in_a_graph_takes_as_many_rows_as_come():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 1100)).astype("float32")
    run = tf.function(
        lambda x, z: CORALLoss()(x, z),
        input_signature=[tf.TensorSpec((None, 1100))] * 2,
    )
    for n in (10, 1500):
        source, target = rows[:n], 2 * rows[-n:]
        gap = np.cov(source.T) - np.cov(target.T)
        expected = np.sum(gap**2) / (4 * 1100**2)
        assert float(run(source, target)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("loss", [MMDLoss(), MMDLoss(estimator="unbiased")])
def test_no_gradient_flows_through_the_bandwidth(loss):
    source, target = (tf.constant(rows, "float32") for rows in samples())
    width = mean_distance(np.concatenate(samples()))
    fixed = MMDLoss(estimator=loss.estimator, bandwidth=width)
    gradients = []
    for each in (loss, fixed):
        with tf.GradientTape() as tape:
            tape.watch(target)
            value = each(source, target)
        gradients.append(tape.gradient(value, target))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
def test_equal_rows_and_single_rows_have_finite_gradients(estimator):
    for source, target in ((np.ones((4, 3)), np.ones((2, 3))), samples(1, 3)):
        for loss in (MMDLoss(estimator=estimator), CORALLoss()):
            rows = tf.constant(target, "float32")
            with tf.GradientTape() as tape:
                tape.watch(rows)
                value = loss(source, rows)
            assert np.isfinite(float(value))
            assert np.isfinite(tape.gradient(value, rows)).all()


def test_maps_are_flattened_and_float16_is_computed_in_float32():
    source, target = samples(d=12)
    flat = float(MMDLoss()(source, target))
    maps = [rows.reshape(-1, 2, 2, 3).astype("float16") for rows in (source, target)]
    assert float(MMDLoss()(*maps)) == pytest.approx(flat, abs=1e-2)


@pytest.mark.parametrize(
    "build",
    [
        lambda: MMDLoss(estimator="quadratic"),
        lambda: MMDLoss(bandwidth=0),
        lambda: MMDLoss(bandwidth="median"),
        lambda: MMDLoss(multipliers=[]),
        lambda: JointMMDLoss()([np.ones((2, 1))], []),
        lambda: JointMMDLoss(bandwidths=[1.0])([np.ones((2, 1))] * 2, []),
        lambda: CORALLoss()(np.ones((2, 1)), np.ones((2, 1)), np.ones(2)),
    ],
)
def test_what_does_not_fit_is_refused(build):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
        build()


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "linear"])
def test_a_sample_without_rows_is_at_no_distance(estimator):
    rows, none = np.random.default_rng(0).normal(size=(5, 3)), np.zeros((0, 3))
    for pair in ((rows, none), (none, rows)):
        assert float(MMDLoss(estimator=estimator)(*pair)) == 0
