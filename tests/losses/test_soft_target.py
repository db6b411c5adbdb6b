"""SoftTargetLoss: values, the exact gradient, and what a temperature does to it."""

import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft

TEACHER = np.array([[8.0, -2.0, -4.0]])
STUDENT = np.array([[-1.0, -2.0, -3.0]])


def softmax(logits):
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


def gradient(loss, teacher, student):
    student = tf.Variable(student, dtype="float32")
    with tf.GradientTape() as tape:
        value = loss(teacher, student)
    return tape.gradient(value, student).numpy()


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_gradient_where_the_peer_has_none(temperature):
    # Of clipped raw logits as probabilities, keras.distillation has gradient 0 here.
    found = gradient(tft.losses.SoftTargetLoss(temperature), TEACHER, STUDENT)
    expected = temperature * (
        softmax(STUDENT / temperature) - softmax(TEACHER / temperature)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[0, 0] < -0.3
    assert found[0, 1] > 0.2


def test_default_temperature_is_four():
    default = gradient(tft.losses.SoftTargetLoss(), TEACHER, STUDENT)
    four = gradient(tft.losses.SoftTargetLoss(4.0), TEACHER, STUDENT)
    np.testing.assert_array_equal(default, four)


def test_temperature_squared_keeps_the_gradients_size():
    rng = np.random.default_rng(0)
    teacher, student = rng.normal(size=(2, 8, 5)) * 0.1
    teacher -= teacher.mean(axis=1, keepdims=True)
    student -= student.mean(axis=1, keepdims=True)
    # At high temperature T (p - q) tends to (student - teacher) / classes, per row.
    for temperature in (5.0, 20.0, 80.0):
        found = gradient(tft.losses.SoftTargetLoss(temperature), teacher, student)
        np.testing.assert_allclose(found, (student - teacher) / 5 / 8, atol=2e-4)


def test_value_by_loops():
    rng = np.random.default_rng(1)
    teacher, student = rng.normal(size=(2, 4, 3)) * 3
    total = 0.0
    for t, s in zip(softmax(teacher / 2), softmax(student / 2), strict=True):
        for p, q in zip(t, s, strict=True):
            total -= 4 * p * np.log(q)
    value = float(tft.losses.SoftTargetLoss(2.0)(teacher, student))
    assert value == pytest.approx(total / 4, rel=1e-5)


def test_bad_arguments():
    with pytest.raises(ValueError, match="temperature"):
        tft.losses.SoftTargetLoss(0.0)
    with pytest.raises(ValueError, match="same classes"):
        tft.losses.SoftTargetLoss()(np.zeros((2, 3)), np.zeros((2, 4)))
