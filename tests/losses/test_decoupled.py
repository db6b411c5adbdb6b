"""DecoupledKDLoss: both parts by loops, their sum, labels, and extreme logits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.losses.test_soft_target import softmax

DecoupledKDLoss = tft.losses.DecoupledKDLoss


def parts_by_loops(teacher, student, labels, temperature):
    """Return the target's divergence, the others' divergence and p_y, per row."""
    rows = []
    for t, s, y in zip(teacher, student, labels, strict=True):
        p, q = softmax(t[None] / temperature)[0], softmax(s[None] / temperature)[0]
        target = p[y] * np.log(p[y] / q[y])
        target += (1 - p[y]) * np.log((1 - p[y]) / (1 - q[y]))
        others = 0.0
        for i in range(len(p)):
            if i != y:
                p_i, q_i = p[i] / (1 - p[y]), q[i] / (1 - q[y])
                others += p_i * np.log(p_i / q_i)
        rows.append((target, others, p[y]))
    return np.array(rows).T


def logits(rows=6, classes=5):
    return np.random.default_rng(0).normal(size=(2, rows, classes)) * 3


LABELS = np.array([0, 4, 2, 2, 1, 3])


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_parts_by_loops(temperature):
    teacher, student = logits()
    target, others, _ = parts_by_loops(teacher, student, LABELS, temperature)
    y_true = {"teacher": teacher, "labels": LABELS}
    for a, c in [(1, 8), (1, 0), (0, 1)]:
        loss = DecoupledKDLoss(
            temperature, target_weight=a, non_target_weight=c, reduction=None
        )
        expected = temperature**2 * (a * target + c * others)
        np.testing.assert_allclose(loss(y_true, student), expected, rtol=1e-4)


def test_divergence_is_the_target_plus_what_is_left_of_the_others():
    teacher, student = logits()
    y_true = {"teacher": teacher, "labels": LABELS}
    settings = {"temperature": 2.0, "reduction": None}
    target = DecoupledKDLoss(non_target_weight=0.0, **settings)(y_true, student)
    others = DecoupledKDLoss(target_weight=0.0, non_target_weight=1.0, **settings)(
        y_true, student
    )
    left = 1 - softmax(teacher / 2)[np.arange(6), LABELS]
    soft = tft.losses.SoftTargetLoss(**settings)
    divergence = soft(teacher, student) - soft(teacher, teacher)
    np.testing.assert_allclose(target + left * others, divergence, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("form", ["integers", "column", "one_hot", "smoothed"])
def test_forms_of_labels(form):
    teacher, student = logits()
    labels = {
        "integers": LABELS,
        "column": LABELS[:, None],
        "one_hot": np.eye(5)[LABELS],
        "smoothed": 0.9 * np.eye(5)[LABELS] + 0.02,
    }[form]
    value = DecoupledKDLoss()({"teacher": teacher, "labels": labels}, student)
    target, others, _ = parts_by_loops(teacher, student, LABELS, 4.0)
    assert float(value) == pytest.approx(16 * np.mean(target + 8 * others), rel=1e-4)


def test_without_labels_the_teachers_likeliest_class():
    teacher, student = logits()
    loss = DecoupledKDLoss()
    y_true = {"teacher": teacher, "labels": teacher.argmax(axis=1)}
    assert float(loss(teacher, student)) == float(loss(y_true, student))
    assert float(loss(teacher, student)) != float(
        loss(y_true | {"labels": LABELS}, student)
    )


@pytest.mark.parametrize("scale", [1e4, 1e5])
@pytest.mark.parametrize("label", [0, 1])
def test_extreme_logits_stay_finite(scale, label):
    teacher = np.array([[scale, 0.0, -scale], [scale, 0, -scale]])
    student = tf.Variable([[-scale, 0.0, scale], [scale, 0, -scale]], dtype="float32")
    with tf.GradientTape() as tape:
        y_true = {"teacher": teacher, "labels": np.array([label, label])}
        value = DecoupledKDLoss(1.0)(y_true, student)
    gradient = tape.gradient(value, student).numpy()
    assert np.isfinite(value)
    assert value > 0
    assert np.isfinite(gradient).all()
    assert gradient[0].any()
    np.testing.assert_allclose(gradient[1], 0, atol=1e-6)


def test_temperature_may_be_a_variable():
    teacher, student = logits()
    loss = DecoupledKDLoss(4.0)
    at_four, at_two = float(loss(teacher, student)), DecoupledKDLoss(2.0)
    loss.temperature = keras.Variable(4.0)
    assert float(loss(teacher, student)) == at_four
    loss.temperature.assign(2.0)
    assert float(loss(teacher, student)) == float(at_two(teacher, student)) != at_four


def net(units, classes=3):
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(classes)]
    return keras.Sequential([keras.Input((4,)), *layers])


@pytest.mark.parametrize("teachers", [1, 2])
@pytest.mark.parametrize("labelled", [True, False])
def test_distiller_hands_it_the_labels(teachers, labelled):
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    y = np.arange(8) % 3
    nets = [net(5) for _ in range(teachers)]
    student = net(2)
    probabilities = [softmax(each.predict(x, verbose=0) / 2) for each in nets]
    together = 2 * np.log(np.mean(probabilities, axis=0))
    y_true = {"teacher": together, "labels": y if labelled else together.argmax(axis=1)}
    expected = float(DecoupledKDLoss(2.0)(y_true, student.predict(x, verbose=0)))
    distiller = tft.Distiller(student, nets, [DecoupledKDLoss(2.0)])
    task = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile("sgd", task if labelled else None)
    arguments = (x, y) if labelled else (x,)
    history = distiller.fit(*arguments, batch_size=8, verbose=0).history
    assert history["decoupled_kd_loss"][0] == pytest.approx(expected, rel=1e-4)


def test_bad_arguments():
    with pytest.raises(ValueError, match="temperature"):
        DecoupledKDLoss(-1.0)
    with pytest.raises(ValueError, match="0 or more"):
        DecoupledKDLoss(non_target_weight=-1.0)
    with pytest.raises(ValueError, match="same classes"):
        DecoupledKDLoss()(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="two classes"):
        DecoupledKDLoss()(np.zeros((2, 1)), np.zeros((2, 1)))
    y_true = {"teacher": np.zeros((2, 3)), "labels": np.zeros((2, 2))}
    with pytest.raises(ValueError, match="Expected labels"):
        DecoupledKDLoss()(y_true, np.zeros((2, 3)))
