"""What `tft.Distiller` does right where `keras.distillation` errs.

Each fault of Keras is looked for, too. Where a later Keras has mended it, the check of
the peer skips and says so; ours stays.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import tftransfer as tft
from tftransfer.losses import JacobianMatchingLoss
from tftransfer.losses import SoftTargetLoss

CE = keras.losses.SparseCategoricalCrossentropy
TEACHER, STUDENT = np.array([[8.0, -2, -4]], "f4"), np.array([[-1.0, -2, -3]], "f4")


@pytest.fixture
def peer():
    return pytest.importorskip("keras.distillation", reason="this Keras has none")


def net(name, momentum=0.5):
    layers = [
        keras.layers.Dense(4, name="low"),
        keras.layers.BatchNormalization(momentum=momentum, name="norm"),
        keras.layers.Dense(3, name="logits"),
    ]
    return keras.Sequential([keras.Input((5,)), *layers], name=name)


def data(samples=8):
    rng = np.random.default_rng(0)
    x = rng.normal(1.0, size=(samples, 5)).astype("float32")
    return x, rng.integers(0, 3, samples)


def compiled(model, rate=0.0):
    model.compile(keras.optimizers.SGD(rate), CE(from_logits=True))
    return model


def gradient(loss):
    student = tf.constant(STUDENT)
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = loss(tf.constant(TEACHER), student)
    return ops.convert_to_numpy(tape.gradient(value, student))


def mended(fault: str):
    pytest.skip(f"this Keras ({keras.__version__}) no longer {fault}")


def test_a_wrong_student_gets_a_gradient():
    assert np.abs(gradient(SoftTargetLoss(temperature=3.0))).max() > 0.1


def test_peer_default_gives_none(peer):
    loss = peer.LogitsDistillation(temperature=3.0)
    found = gradient(loss.compute_loss)
    if np.any(found):
        mended("compares clipped raw logits by default")
    # Its loss object, in place of the default's function, has softmax and T^2.
    right = peer.LogitsDistillation(3.0, loss=keras.losses.KLDivergence())
    ours = gradient(SoftTargetLoss(temperature=3.0))
    np.testing.assert_allclose(gradient(right.compute_loss), ours, atol=1e-5)


def moved(distiller) -> float:
    """Return the step of the BatchNorm averages, 1 for one momentum update."""
    x, y = data()
    low, norm = (distiller.student.get_layer(name) for name in ("low", "norm"))
    batch = np.mean(low(x), axis=0)
    distiller.train_on_batch(x, y)
    share = ops.convert_to_numpy(norm.moving_mean) / batch
    return np.log(1 - share.mean()) / np.log(0.5)


@pytest.mark.parametrize("build", ["scores", "layers"])
def test_batch_norm_moves_once_per_step(build):
    losses = [SoftTargetLoss()]
    if build == "layers":
        losses.append(JacobianMatchingLoss([("low", "low")]))
    distiller = tft.Distiller(net("student"), net("teacher"), losses)
    assert moved(compiled(distiller)) == pytest.approx(1.0, abs=1e-3)


def test_peer_moves_twice_with_a_feature_loss(peer):
    loss = peer.FeatureDistillation(
        loss="mse", teacher_layer_name="low", student_layer_name="low"
    )
    distiller = peer.Distiller(net("teacher"), net("student"), [loss])
    updates = moved(compiled(distiller))
    if updates == pytest.approx(1.0, abs=1e-3):
        mended("runs the student twice a step")
    assert updates == pytest.approx(2.0, abs=1e-3)


def losses_with_and_without_two_rows(distiller) -> tuple[float, float]:
    """Return the loss with rows of weight 0 as they are, and replaced."""
    (x, y), weight = data(), np.array([1.0] * 6 + [0.0] * 2, "float32")
    found = []
    for scale in (1, 50):
        other = x.copy()
        other[6:] *= scale
        prediction = distiller(other, training=True)
        found.append(float(distiller.compute_loss(other, y, prediction, weight)))
    return tuple(found)


def dense(name):
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)], name=name)


def test_rows_of_weight_zero_do_not_contribute():
    distiller = compiled(tft.Distiller(dense("student"), dense("teacher")))
    first, second = losses_with_and_without_two_rows(distiller)
    assert first == pytest.approx(second, rel=1e-6)


def test_peer_ignores_sample_weight(peer):
    right = peer.LogitsDistillation(3.0, loss=keras.losses.KLDivergence())
    distiller = compiled(peer.Distiller(dense("teacher"), dense("student"), [right]))
    first, second = losses_with_and_without_two_rows(distiller)
    if first == pytest.approx(second, rel=1e-6):
        mended("ignores sample_weight")
    assert first != pytest.approx(second, rel=0.01)


def test_teacher_is_untouched():
    teacher = net("teacher")
    before = teacher.get_weights()
    distiller = compiled(tft.Distiller(net("student"), teacher), rate=0.1)
    distiller.fit(*data(), epochs=2, verbose=0)
    assert teacher.trainable
    assert all(layer.trainable for layer in teacher.layers)
    for a, b in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_peer_freezes_the_callers_teacher(peer):
    teacher = net("teacher")
    peer.Distiller(teacher, net("student"), peer.LogitsDistillation())
    if teacher.trainable:
        mended("sets `teacher.trainable = False`")
    assert not any(layer.trainable for layer in teacher.layers)
