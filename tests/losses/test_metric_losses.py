"""Losses of embeddings and classes: by loops, at their limits, saved and in fit."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tftransfer.distribute import gather_replicas
from tftransfer.losses import ArcFaceLoss
from tftransfer.losses import ContrastiveLoss
from tftransfer.losses import LiftedStructureLoss
from tftransfer.losses import NPairsLoss
from tftransfer.losses import TripletHardLoss
from tftransfer.losses import TripletSemiHardLoss
from tftransfer.losses.batch_pairs import OverPairs

METRICS = ["L2", "squared-L2", "angular"]
# Two of 0, three of 1, a single 2 and two of 3.
LABELS = np.array([0, 1, 1, 2, 3, 1, 0, 3])
IN_BATCH = [
    TripletSemiHardLoss(0.4),
    TripletHardLoss(0.4),
    TripletHardLoss(soft=True),
    TripletHardLoss(0.4, distance_metric="angular"),
    LiftedStructureLoss(),
]


def embeddings(rows=8, width=4):
    return np.random.default_rng(0).normal(size=(rows, width)).astype("float32")


def distance(a, b, metric):
    a, b = a.astype("float64"), b.astype("float64")
    if metric == "angular":
        return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    squared = float(np.sum((a - b) ** 2))
    return squared if metric == "squared-L2" else math.sqrt(squared)


def to_class(x, a, metric, *, same):
    others = [i for i in range(len(x)) if i != a]
    return [
        distance(x[a], x[i], metric) for i in others if (LABELS[i] == LABELS[a]) == same
    ]


def gradient(loss, labels, rows):
    rows = tf.Variable(rows)
    with tf.GradientTape() as tape:
        value = loss(labels, rows)
    return float(value), tape.gradient(value, rows).numpy()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
def test_semi_hard_by_loops(metric, margin):
    x, values = embeddings(), []
    for a in range(len(x)):
        negatives = to_class(x, a, metric, same=False)
        for positive in to_class(x, a, metric, same=True):
            farther = [d for d in negatives if d > positive]
            chosen = min(farther) if farther else max(negatives)
            values.append(max(positive - chosen + margin, 0))
    loss = TripletSemiHardLoss(margin, metric)
    assert float(loss(LABELS, x)) == pytest.approx(np.mean(values), rel=1e-4)


def test_a_loss_of_pairs_over_all_pairs_of_a_batch_by_loops():
    x, values = embeddings(), []
    for a, b in itertools.combinations(range(len(x)), 2):
        apart = distance(x[a], x[b], "L2")
        same = LABELS[a] == LABELS[b]
        values.append(apart**2 if same else max(2.5 - apart, 0) ** 2)
    value, slope = gradient(OverPairs(ContrastiveLoss(2.5)), LABELS, x)
    assert value == pytest.approx(np.mean(values), rel=1e-4)
    assert np.isfinite(slope).all()
    assert float(OverPairs(ContrastiveLoss())([1], x[:1])) == 0.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("soft", [False, True])
def test_hard_by_loops(metric, soft):
    x, values = embeddings(), []
    for a in range(len(x)):
        positives = to_class(x, a, metric, same=True)
        if not positives:  # the single row of class 2 is no anchor
            continue
        gap = max(positives) - min(to_class(x, a, metric, same=False))
        values.append(math.log(1 + math.exp(gap)) if soft else max(gap + 0.3, 0))
    loss = TripletHardLoss(0.3, soft, metric)
    assert len(values) == 7
    assert float(loss(LABELS, x)) == pytest.approx(np.mean(values), rel=1e-4)


def test_lifted_structure_by_loops():
    x, margin, total, pairs = embeddings(), 0.7, 0.0, 0
    for i, j in itertools.combinations(range(len(x)), 2):
        if LABELS[i] != LABELS[j]:
            continue
        push = sum(
            math.exp(margin - d)
            for a in (i, j)
            for d in to_class(x, a, "L2", same=False)
        )
        total += max(0, distance(x[i], x[j], "L2") + math.log(push)) ** 2
        pairs += 1
    value = LiftedStructureLoss(margin)(LABELS, x)
    assert float(value) == pytest.approx(total / (2 * pairs), rel=1e-4)


def test_n_pairs_by_loops():
    scores, expected = embeddings(8, 8), []
    for i, row in enumerate(scores):
        log_sum = math.log(sum(math.exp(s) for s in row))
        own = [
            s - log_sum
            for s, label in zip(row, LABELS, strict=True)
            if label == LABELS[i]
        ]
        expected.append(-np.mean(own))
    value = NPairsLoss(reduction=None)(LABELS, scores)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_contrastive_by_loops():
    same, far = [1, 0, 0, 1], [0.3, 0.2, 1.7, 0.0]
    expected = [0.09, 0.64, 0.0, 0.0]
    value = ContrastiveLoss(reduction=None)(same, far)
    np.testing.assert_allclose(value, expected, atol=1e-7)
    column = np.array(far)[:, None]
    np.testing.assert_allclose(ContrastiveLoss(reduction=None)(same, column), value)
    weighed = ContrastiveLoss()(same, far, sample_weight=[2, 0, 1, 1])
    assert float(weighed) == pytest.approx(0.18 / 4)


@pytest.mark.parametrize("margin", [0.0, 0.5, 1.2])
def test_arcface_by_loops(margin):
    scale, labels = 8.0, [0, 1, 2, 1]
    angles = np.array([[0.0, 1, 2], [1, 0.6, 0.2], [0.3, 0.2, 3.0], [2, 3.14159, 1]])
    expected = []
    for row, label in zip(angles, labels, strict=True):
        wide = row[label] + margin
        own = math.cos(wide)
        if wide > math.pi:
            own = math.cos(row[label]) - margin * math.sin(margin)
        others = sum(
            math.exp(scale * math.cos(t)) for k, t in enumerate(row) if k != label
        )
        mine = math.exp(scale * own)
        expected.append(-math.log(mine / (mine + others)))
    logits = (scale * np.cos(angles)).astype("float32")
    value = ArcFaceLoss(margin, scale, reduction=None)(labels, logits)
    np.testing.assert_allclose(value, expected, rtol=2e-4)


def test_arcface_falls_with_the_angle_and_its_gradient_is_finite():
    angles = np.linspace(0, np.pi, 200).astype("float32")
    logits = 4 * np.stack([np.cos(angles), 0 * angles], axis=1)
    loss = ArcFaceLoss(0.5, 4.0, reduction=None)
    assert (np.diff(loss(np.zeros(200), logits)) > 0).all()
    _, found = gradient(ArcFaceLoss(0.5, 4.0), np.zeros(200), logits)
    assert np.isfinite(found).all()
    # Without a margin it is cross-entropy.
    plain = keras.losses.sparse_categorical_crossentropy(
        np.zeros(200), logits, from_logits=True
    )
    value = ArcFaceLoss(0.0, 4.0, reduction=None)(np.zeros(200), logits)
    np.testing.assert_allclose(value, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", IN_BATCH, ids=lambda loss: loss.name)
@pytest.mark.parametrize(
    "labels",
    [np.arange(6), np.zeros(6), np.array([0, 0, 0, 1, 1, 1])],
    ids=["no pair", "one class", "all rows equal"],
)
def test_degenerate_batches_have_finite_values_and_gradients(loss, labels):
    rows = embeddings(6)
    if len(set(labels)) == 2:
        rows = np.repeat(rows[:1], 6, axis=0)
    value, found = gradient(loss, labels, rows)
    assert np.isfinite(value)
    assert np.isfinite(found).all()
    if len(set(labels)) != 2:
        assert value == 0
        assert not found.any()


@pytest.mark.parametrize("loss", IN_BATCH, ids=lambda loss: loss.name)
def test_gradient_is_that_of_small_steps(loss):
    rows = embeddings()
    value, found = gradient(loss, LABELS, rows)
    step = 1e-2 * found / np.linalg.norm(found)
    slope = (loss(LABELS, rows + step) - loss(LABELS, rows - step)) / 2e-2
    assert float(slope) == pytest.approx(np.linalg.norm(found), rel=2e-2)
    assert value > 0


@pytest.mark.parametrize("loss", IN_BATCH, ids=lambda loss: loss.name)
def test_weights_are_of_anchors(loss):
    rows = embeddings()
    each = type(loss).from_config({**loss.get_config(), "reduction": None})
    values = each(LABELS, rows).numpy()
    assert values.shape == (8,)
    assert float(loss(LABELS, rows)) == pytest.approx(values.mean(), rel=1e-5)
    weights = np.arange(8.0)
    weighed = loss(LABELS[:, None], rows, sample_weight=weights)
    assert float(weighed) == pytest.approx((weights * values).mean(), rel=1e-5)


@pytest.mark.parametrize(
    "loss", [*IN_BATCH, NPairsLoss(), ContrastiveLoss(0.5), ArcFaceLoss(0.2, 16.0)]
)
def test_config_round_trip(loss):
    saved = keras.losses.serialize(loss)
    assert saved["registered_name"] == f"tftransfer>{type(loss).__name__}"
    again = keras.losses.deserialize(saved)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("loss", IN_BATCH, ids=lambda loss: loss.name)
def test_in_fit_with_half_precision_and_batches_of_unknown_size(loss):
    layer = keras.layers.Dense(3, dtype="mixed_float16")
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.Adam(0.01), loss=loss)
    data = tf.data.Dataset.from_tensor_slices((embeddings(), LABELS)).batch(5)
    losses = model.fit(data, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert np.isfinite(layer.kernel.numpy()).all()


def test_errors():
    with pytest.raises(ValueError, match="margin"):
        TripletHardLoss(-0.1)
    with pytest.raises(ValueError, match=r"distance_metric.*Nearest: 'L2'"):
        TripletSemiHardLoss(distance_metric="l2")
    with pytest.raises(ValueError, match="argmax"):
        TripletHardLoss()(np.eye(8), embeddings())
    with pytest.raises(ValueError, match=r"\(batch, features\)"):
        LiftedStructureLoss()(LABELS, np.zeros((8, 2, 2)))
    with pytest.raises(ValueError, match=r"\(n, n\)"):
        NPairsLoss()(LABELS, embeddings())
    with pytest.raises(ValueError, match="margin"):
        ContrastiveLoss(0.0)
    with pytest.raises(ValueError, match="one distance"):
        ContrastiveLoss()([1, 0], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="scale"):
        ArcFaceLoss(scale=0.0)
    with pytest.raises(ValueError, match="margin"):
        ArcFaceLoss(margin=2.0)
    with pytest.raises(ValueError, match="classes"):
        ArcFaceLoss()([1, 0], np.array([0.1, 0.2]))


class WholeBatchTripletLoss(TripletHardLoss):
    """As in docs/faces_training.md."""

    def call(self, y_true, y_pred):
        y_true, y_pred = gather_replicas((y_true, y_pred))
        return keras.ops.mean(super().call(y_true, y_pred), keepdims=True)


def test_gathered_triplets_of_two_replicas_are_those_of_the_whole_batch():
    def trained(strategy, loss):
        with strategy.scope():
            layer = keras.layers.Dense(3, kernel_initializer="ones")
            model = keras.Sequential([keras.Input((4,)), layer])
            model.compile(keras.optimizers.SGD(0.1), loss=loss)
        layer.kernel.assign(embeddings()[:4, :3])
        data = tf.data.Dataset.from_tensor_slices((embeddings(), LABELS)).batch(8)
        model.fit(data, verbose=0)
        return layer.kernel.numpy()

    one = trained(tf.distribute.get_strategy(), TripletHardLoss(0.4))
    with tft.distribute.strategy("cpu:2", say=None) as mirrored:
        pass  # one of its own keys: a bare MirroredStrategy clashes with earlier ones
    both = trained(mirrored, WholeBatchTripletLoss(0.4))
    apart = trained(mirrored, TripletHardLoss(0.4))
    np.testing.assert_allclose(both, one, atol=1e-6)
    assert not np.allclose(apart, one, atol=1e-4)
