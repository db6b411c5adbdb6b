"""JacobianMatchingLoss in a Distiller: gradients by finite differences and loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.losses.test_pooling import pooled_by_loops

JacobianMatchingLoss = tft.losses.JacobianMatchingLoss


def dense_net(units=6, classes=3):
    layers = [keras.layers.Dense(units, "tanh"), keras.layers.Dense(classes)]
    return keras.Sequential([keras.Input((4,)), *layers])


def conv_net(size, channels, strides=1):
    conv = keras.layers.Conv2D(
        channels, 3, strides, "same", activation="tanh", name="maps"
    )
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((size, size, 2)), conv, *head])


def values_of(distiller, x):
    outputs = distiller(tf.constant(x), training=True)["jacobian"]
    return outputs["teacher"]["jacobians"], outputs["student"]


def finite_differences(value, row, step=1e-2):
    found = np.zeros(row.shape)
    for index in np.ndindex(*row.shape):
        up, down = row.copy(), row.copy()
        up[index] += step
        down[index] -= step
        found[index] = (value(up[None]) - value(down[None])) / (2 * step)
    return found


def distance(teacher, student):
    rows = []
    for t, s in zip(teacher, student, strict=True):
        gap = t / np.linalg.norm(t) - s / np.linalg.norm(s)
        rows.append((gap**2).sum())
    return np.mean(rows)


def test_scores_by_finite_differences():
    teacher, student = dense_net(8), dense_net(5)
    x = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")
    distiller = tft.Distiller(student, teacher, [JacobianMatchingLoss()])
    (found_t,), (found_s,) = values_of(distiller, x)
    chosen = np.argmax(teacher(x), axis=1)
    for net, found in ((teacher, found_t), (student, found_s)):
        for row, c, jacobian in zip(x, chosen, found, strict=True):
            expected = finite_differences(lambda v, n=net, c=c: float(n(v)[0, c]), row)
            np.testing.assert_allclose(jacobian, expected, atol=2e-3)
    value = JacobianMatchingLoss()([found_t], [found_s])
    expected = distance(found_t.numpy(), found_s.numpy())
    assert float(value) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("sizes", [(6, 6), (8, 6), (8, 4)])
def test_attention_at_the_teachers_place_one_row_at_a_time(sizes):
    teacher, student = conv_net(sizes[0], 4), conv_net(sizes[1], 3)
    x = (
        np.random.default_rng(0)
        .normal(size=(3, sizes[0], sizes[0], 2))
        .astype("float32")
    )
    loss = JacobianMatchingLoss([("maps", "maps")])
    distiller = tft.Distiller(student, teacher, [loss])
    (found_t,), (found_s,) = values_of(distiller, x)
    small = keras.ops.image.resize(x, (sizes[1], sizes[1]), antialias=True)
    small = x if sizes[0] == sizes[1] else np.array(small)
    for row in range(3):
        jacobian, place = one_jacobian(teacher, x[row])
        np.testing.assert_allclose(found_t[row], jacobian, atol=1e-5)
        place = [int((p + 0.5) / sizes[0] * sizes[1]) for p in place]
        jacobian, _ = one_jacobian(student, small[row], place)
        np.testing.assert_allclose(found_s[row], jacobian, atol=1e-5)
    pooled = pooled_by_loops(found_t.numpy(), (sizes[1], sizes[1]))
    expected = distance(pooled, found_s.numpy())
    assert float(loss([found_t], [found_s])) == pytest.approx(expected, rel=1e-4)


def one_jacobian(net, row, place=None):
    """Return the gradient of one row's attention at a place, its largest by default."""
    row = tf.constant(row[None])
    with tf.GradientTape() as tape:
        tape.watch(row)
        attention = tf.reduce_mean(net.layers[0](row)[0] ** 2, axis=-1)
        if place is None:
            place = np.unravel_index(np.argmax(attention), attention.shape)
        value = attention[place[0], place[1]]
    return tape.gradient(value, row)[0], place


def test_equal_linear_nets_have_no_loss_and_unequal_ones_learn():
    def linear():
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])

    teacher, student = linear(), linear()
    x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    distiller = tft.Distiller(student, teacher, [JacobianMatchingLoss()])
    distiller.compile(keras.optimizers.Adam(0.05))
    before = student.layers[0].kernel.numpy()
    losses = distiller.fit(x, epochs=60, verbose=0).history["jacobian_loss"]
    assert losses[0] > 0.1
    assert losses[-1] < losses[0] / 10
    assert np.abs(student.layers[0].kernel.numpy() - before).max() > 0.01
    assert not student.layers[0].bias.numpy().any()  # no gradient sees a bias
    student.set_weights([2 * w for w in teacher.get_weights()])
    (found_t,), (found_s,) = values_of(distiller, x)
    assert float(JacobianMatchingLoss()([found_t], [found_s])) < 1e-10


def test_gradients_of_zero_have_a_no_direction_to_learn_from():
    student = tf.Variable(np.zeros((2, 4)), dtype="float32")
    with tf.GradientTape() as tape:
        value = JacobianMatchingLoss()(np.ones((2, 4)), student)
    assert float(value) == pytest.approx(1)
    assert not np.any(tape.gradient(value, student))


def test_range_and_bad_shapes():
    rows = np.random.default_rng(0).normal(size=(2, 4))
    assert float(JacobianMatchingLoss()(rows, -rows)) == pytest.approx(4)
    with pytest.raises(ValueError, match="one shape"):
        JacobianMatchingLoss()(np.zeros((2, 4)), np.zeros((2, 5)))
