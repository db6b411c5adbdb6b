"""Rows of all replicas: their order, their gradients, and one device's update."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import tftransfer as tft
from tests.common.instances import ROWS
from tftransfer.distribute import gather_replicas


@pytest.fixture(scope="module")
def two_replicas():
    with tft.distribute.strategy("cpu:2", say=None) as strategy:
        return strategy


def run(strategy, step):
    """Return what `step(replica number)` gives on each replica."""

    def on_replica():
        return step(tf.distribute.get_replica_context().replica_id_in_sync_group)

    found = tf.function(lambda: strategy.run(on_replica))()
    return zip(*map(strategy.experimental_local_results, tf.nest.flatten(found)))


@pytest.mark.parametrize("split", [8, 5, 1, 0])
def test_rows_come_in_the_order_of_the_batch(two_replicas, split):
    rng = np.random.default_rng(0)
    batch = [
        rng.normal(size=(8, 3)).astype("float32"),
        rng.normal(size=(8, 2, 2)).astype("float16"),
        np.arange(8),
        rng.integers(0, 2, 8).astype(bool),
        rng.integers(0, 256, (8, 1)).astype("uint8"),
    ]
    ends = tf.constant([0, split, 8])

    def step(replica):
        part = [tf.constant(v)[ends[replica] : ends[replica + 1]] for v in batch]
        found = gather_replicas({"x": part, "sample_weight": None})
        assert found["sample_weight"] is None
        assert [v.shape[1:] for v in found["x"]] == [v.shape[1:] for v in batch]
        return found["x"]

    for found in run(two_replicas, step):
        for value, expected in zip(found, batch, strict=True):
            assert value.dtype == expected.dtype
            np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("split", [4, 5, 1, 0])
def test_gradient_is_the_sum_over_all_copies_of_the_term(two_replicas, split):
    rows = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    ends = tf.constant([0, split, 8])

    def step(replica):
        part = tf.constant(rows)[ends[replica] : ends[replica + 1]]
        weight = tf.constant([0.3, 0.7])[replica]
        with tf.GradientTape() as tape:
            tape.watch(part)
            whole = gather_replicas(part)
            loss = weight * tf.reduce_sum(tf.reduce_mean(whole, axis=0) ** 4)
        return (tape.gradient(loss, part),)

    found = np.concatenate([g.numpy() for (g,) in run(two_replicas, step)])
    # d/dx of the sum over features of mean ** 4, the same for each of the 8 rows.
    expected = 4 * rows.mean(axis=0) ** 3 / 8
    np.testing.assert_allclose(found, np.tile(expected, (8, 1)), rtol=1e-5)


def trained(name, batch_size, **options):
    """Return the weights and the logs of a method after two epochs."""
    keras.utils.set_random_seed(1)
    model = ROWS[name].build()
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), **options)
    data = ROWS[name].data()
    data = tf.data.Dataset.from_tensor_slices(data).batch(batch_size)
    logs = model.fit(data, epochs=2, verbose=0).history
    logs["evaluated"] = model.evaluate(data, verbose=0)
    return [ops.convert_to_numpy(v) for v in model.weights], logs


def alone_and_mirrored(strategy, *args, **options):
    """Return the weights and the logs of one device and of two replicas."""
    alone = trained(*args, **options)
    with strategy.scope():
        return *alone, *trained(*args, **options)


def largest_difference(first, second):
    return max(np.max(np.abs(a - b)) for a, b in zip(first, second, strict=True))


# Of 16 rows, batches of 8 divide evenly; those of 5 give the replicas 3 and 2 rows, and
# the last one of each epoch 1 and none.
@pytest.mark.parametrize(("batch_size", "eager"), [(8, False), (5, False), (5, True)])
def test_gathered_term_gives_the_weights_of_one_device(two_replicas, batch_size, eager):
    weights, logs, mirrored, mirrored_logs = alone_and_mirrored(
        two_replicas,
        "MeanAlignment across replicas",
        batch_size,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=eager,
    )
    assert largest_difference(weights, mirrored) < 1e-6
    for name, values in logs.items():
        assert mirrored_logs[name] == pytest.approx(values, rel=1e-5), name


def test_term_of_each_replica_is_another_one(two_replicas):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights, logs, mirrored, mirrored_logs = alone_and_mirrored(
        two_replicas, "MeanAlignment", 8, loss=loss
    )
    assert largest_difference(weights, mirrored) > 1e-4
    assert mirrored_logs["gap_loss"][0] > logs["gap_loss"][0] * 1.01


class ClassGapLoss(keras.losses.Loss):
    """A user's own loss: exp of minus the distance of two classes' mean outputs."""

    def call(self, y_true, y_pred):
        y_true, y_pred = gather_replicas((y_true, y_pred))
        first = ops.cast(ops.reshape(y_true, (-1, 1)) == 1, y_pred.dtype)
        means = [
            ops.sum(chosen * y_pred, axis=0) / ops.maximum(ops.sum(chosen), 1)
            for chosen in (first, 1 - first)
        ]
        return ops.exp(-ops.sum((means[0] - means[1]) ** 2, keepdims=True))


@pytest.mark.parametrize("batch_size", [8, 5])
def test_loss_of_a_user_gathers_in_fit_and_evaluate(two_replicas, batch_size):
    weights, logs, mirrored, mirrored_logs = alone_and_mirrored(
        two_replicas, "MeanAlignment across replicas", batch_size, loss=ClassGapLoss()
    )
    assert largest_difference(weights, mirrored) < 1e-6
    for name, values in logs.items():
        assert mirrored_logs[name] == pytest.approx(values, rel=1e-5), name


def test_one_device_gets_its_argument_back(two_replicas):
    value = {"x": tf.ones((2, 3)), "scalar": 1.0}
    assert gather_replicas(value) is value
    with two_replicas.scope():
        assert gather_replicas(value) is value


def test_scalars_are_refused(two_replicas):
    with pytest.raises(ValueError, match=r"Expected.*rows.*Received: a scalar"):
        run(two_replicas, lambda replica: [gather_replicas(tf.constant(1.0))])
