"""ContrastiveRepresentationLoss by loops, its limits, and rows without direction."""

import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft

Contrastive = tft.losses.ContrastiveRepresentationLoss


def rows_by_loops(teacher, student, temperature):
    teacher, student = (
        [row / np.linalg.norm(row) for row in rows] for rows in (teacher, student)
    )
    found = []
    for i in range(len(teacher)):
        own = np.exp(student[i] @ teacher[i] / temperature)
        to_teacher = sum(np.exp(student[i] @ t / temperature) for t in teacher)
        to_student = sum(np.exp(s @ teacher[i] / temperature) for s in student)
        found.append(-np.log(own / to_teacher) - np.log(own / to_student))
    return found


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_value_by_loops(temperature):
    teacher, student = np.random.default_rng(0).normal(size=(2, 5, 4))
    loss = Contrastive(temperature=temperature, reduction=None)
    expected = rows_by_loops(teacher, student, temperature)
    np.testing.assert_allclose(loss(teacher, student), expected, rtol=1e-4)
    both = loss([teacher, student], [student, student])
    expected = np.add(expected, rows_by_loops(student, student, temperature))
    np.testing.assert_allclose(both, expected, rtol=1e-4)


def test_limits():
    rng = np.random.default_rng(0)
    row, rows = rng.normal(size=(1, 4)), rng.normal(size=(8, 4))
    assert float(Contrastive()(row, -row)) == 0
    assert float(Contrastive(temperature=1e-3)(rows, 3 * rows)) < 1e-4
    same = np.repeat(row, 8, axis=0)
    # A collapsed student cannot tell: log(batch) in each direction.
    assert float(Contrastive()(same, same)) == pytest.approx(2 * np.log(8), rel=1e-5)


def test_rows_of_zeros_have_no_gradient():
    teacher, features = np.random.default_rng(0).normal(size=(2, 4, 3))
    features[1] = 0
    student = tf.Variable(features, dtype="float32")
    with tf.GradientTape() as tape:
        value = Contrastive()(teacher, student)
    gradient = tape.gradient(value, student).numpy()
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert not gradient[1].any()
    assert gradient[0].any()


def test_maps_are_averaged_before_or_after_the_embedding():
    maps = np.random.default_rng(0).normal(size=(4, 3, 3, 5)).astype("float32")
    loss = Contrastive([("a", "b")], embedding_dim=2)
    (dense,) = loss.student_adapters([(None, 3, 3, 5)], [(None, 3, 3, 5)])
    small = loss.teacher_values([maps])
    assert tuple(small.shape) == (4, 5)
    np.testing.assert_allclose(
        dense(small), np.mean(dense(maps), axis=(1, 2)), atol=1e-5
    )


def test_bad_arguments():
    with pytest.raises(ValueError, match="temperature"):
        Contrastive(temperature=0.0)
    with pytest.raises(ValueError, match="embedding_dim"):
        Contrastive(embedding_dim=0)
    with pytest.raises(ValueError, match=r"(?s)equal width.*Distiller"):
        Contrastive()(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="vectors"):
        Contrastive()(np.zeros((2, 3, 3)), np.zeros((2, 3, 3)))
