"""Soft labels of classes against NumPy; new classes taught by old ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tftransfer.distillation import class_soft_labels
from tftransfer.distillation import map_classes
from tftransfer.losses import ClassSoftLabelLoss


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def classifier(inputs=4, classes=3, end=None):
    layers = [keras.Input((inputs,)), keras.layers.Dense(classes, end)]
    return keras.Sequential(layers)


def batches(x, y, size=5):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(size)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return rng.normal(size=(23, 4)).astype("float32"), rng.integers(0, 3, 23)


@pytest.mark.parametrize("end", [None, "softmax"])
def test_rows_are_means_over_the_pictures_of_a_class(pictures, end):
    x, y = pictures
    teacher = classifier(end=end)
    logits = x @ teacher.layers[0].kernel.numpy()
    found = class_soft_labels(teacher, batches(x, y), temperature=2.0)
    for k in range(3):
        rows = [softmax(logits[i] / 2) for i in range(23) if y[i] == k]
        np.testing.assert_allclose(found[k], np.mean(rows, axis=0), atol=1e-5)
    assert found.dtype == np.float32
    weighted = ((a, b[:, None], np.ones(len(b))) for a, b in [(x, y)])
    again = class_soft_labels(teacher, weighted, temperature=2.0)
    np.testing.assert_allclose(again, found, atol=1e-6)


def test_a_class_without_pictures(pictures):
    x, y = pictures
    some = batches(x[y != 1], y[y != 1])
    found = class_soft_labels(classifier(), some)
    assert found[1].tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match=r"Expected pictures of all 3.*\[1\]"):
        class_soft_labels(classifier(), some, num_classes=3)


def test_bad_labels_raise(pictures):
    x, y = pictures
    for labels in (y + 1, y - 1, y.astype("float32"), np.eye(3, dtype=int)[y]):
        with pytest.raises(ValueError, match=r"Expected labels[\s\S]*Received"):
            class_soft_labels(classifier(), batches(x, labels))
    with pytest.raises(ValueError, match="empty"):
        class_soft_labels(classifier(), [])


def test_teacher_stays_as_it_was(pictures):
    layers = [keras.Input((4,)), keras.layers.BatchNormalization()]
    teacher = keras.Sequential([*layers, keras.layers.Dense(3)])
    before = teacher.get_weights()
    class_soft_labels(teacher, batches(*pictures))
    for a, b in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(layer.trainable for layer in teacher.layers)


def test_mapped_teacher_is_bayes_rule(pictures, tmp_path):
    x, _ = pictures
    teacher = classifier()
    matrix = np.array([[0.5, 0.5, 0.0], [0.1, 0.9, 0.0]], "float32")
    mapped = map_classes(teacher, matrix)
    p = softmax(x @ teacher.layers[0].kernel.numpy())
    shares = matrix / np.array([0.6, 1.4, 1.0])
    expected = p @ shares.T
    expected /= expected.sum(-1, keepdims=True)  # class 2 says nothing
    np.testing.assert_allclose(mapped(x), expected, atol=1e-5)
    mapped.save(tmp_path / "mapped.keras")
    again = keras.saving.load_model(tmp_path / "mapped.keras")
    np.testing.assert_allclose(again(x), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"new classes, 3.*Received"):
        map_classes(teacher, np.ones((2, 4)))


def _worlds():
    """Old classes: four quadrants. New ones: left and right half."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)).astype("float32")
    old = (x[:, 0] > 0) * 1 + (x[:, 1] > 0) * 2
    return x, old, (x[:, 0] > 0).astype(int)


def test_new_classes_are_taught_without_their_labels():
    x, old, new = _worlds()
    teacher = classifier(2, 4)
    teacher.compile(
        keras.optimizers.Adam(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    teacher.fit(x, old, epochs=20, verbose=0)
    # Forty labelled pictures say what a new class looks like to the teacher.
    matrix = class_soft_labels(teacher, [(x[:40], new[:40])], num_classes=2)
    student = classifier(2, 2)
    distiller = tft.Distiller(student, map_classes(teacher, matrix))
    distiller.compile(keras.optimizers.Adam(0.1))
    distiller.fit(x[40:], epochs=10, verbose=0)
    assert np.mean(np.argmax(student(x), -1) == new) > 0.95


def test_a_class_without_labels_gets_mass_through_those_of_others():
    """Tzeng's case: labels of some classes alone, what the others share with them."""
    x, old, _ = _worlds()
    teacher = classifier(2, 4)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile(keras.optimizers.Adam(0.1), plain)
    teacher.fit(x, old, epochs=20, verbose=0)
    matrix = class_soft_labels(teacher, batches(x, old), temperature=2.0)
    labelled = old != 3
    mass = {}
    for name, loss in (("soft", ClassSoftLabelLoss(matrix)), ("plain", plain)):
        keras.utils.set_random_seed(0)
        student = classifier(2, 4)
        student.compile(keras.optimizers.Adam(0.05), loss)
        student.fit(x[labelled], old[labelled], epochs=30, verbose=0)
        given = softmax(np.asarray(student(x)))[:, 3]
        mass[name] = np.mean(given[~labelled]), np.mean(given[labelled])
    assert mass["soft"][0] > 5 * mass["plain"][0]
    assert mass["soft"][0] > 2 * mass["soft"][1]
