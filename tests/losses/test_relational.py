"""RelationalLoss: pairs and triplets by loops, symmetries, tiny and equal rows."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft

RelationalLoss = tft.losses.RelationalLoss


def huber(x):
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def distances(rows):
    found = {
        (i, j): np.linalg.norm(rows[i] - rows[j])
        for i, j in itertools.permutations(range(len(rows)), 2)
    }
    mean = np.mean([d for d in found.values() if d > 0])
    return {pair: d / mean for pair, d in found.items()}


def cosines(rows):
    found = {}
    for i, j, k in itertools.permutations(range(len(rows)), 3):
        a, b = rows[i] - rows[j], rows[k] - rows[j]
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        found[i, j, k] = a @ b / lengths if lengths else 0.0
    return found


def mean_by_loops(make, teacher, student):
    t, s = make(teacher), make(student)
    return np.mean([huber(t[key] - s[key]) for key in t])


def embeddings(rows, widths=(5, 3)):
    rng = np.random.default_rng(0)
    return [
        rng.normal(size=(rows, width)) * [1, 9][k] for k, width in enumerate(widths)
    ]


@pytest.mark.parametrize("equal_rows", [False, True])
def test_pairs_and_triplets_by_loops(equal_rows):
    teacher, student = embeddings(6)
    if equal_rows:
        student[4] = student[1]
    distance = mean_by_loops(distances, teacher, student)
    angle = mean_by_loops(cosines, teacher, student)
    value = RelationalLoss(angle_weight=0.0)(teacher, student)
    assert float(value) == pytest.approx(25 * distance, rel=1e-4)
    value = RelationalLoss(distance_weight=0.0)(teacher, student)
    assert float(value) == pytest.approx(50 * angle, rel=1e-4)
    value = RelationalLoss(distance_weight=2.0, angle_weight=3.0)(teacher, student)
    assert float(value) == pytest.approx(2 * distance + 3 * angle, rel=1e-4)


def test_a_rows_value_is_of_its_own_pairs_and_angles():
    teacher, student = embeddings(5)
    t, s = distances(teacher), distances(student)
    a, b = cosines(teacher), cosines(student)
    expected = [
        np.mean([huber(t[key] - s[key]) for key in t if key[0] == row])
        + np.mean([huber(a[key] - b[key]) for key in a if key[1] == row])
        for row in range(5)
    ]
    loss = RelationalLoss(distance_weight=1.0, angle_weight=1.0, reduction=None)
    np.testing.assert_allclose(loss(teacher, student), expected, rtol=1e-4)


def test_turns_shifts_and_scale_do_not_count():
    teacher, _ = embeddings(6)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))
    value = float(RelationalLoss()(teacher, 3 * teacher @ turn + 7))
    assert value == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("equal", ["none", "student", "teacher", "both"])
def test_few_and_equal_rows_have_finite_gradients(rows, equal):
    teacher, student = embeddings(rows)
    if equal in ("student", "both"):
        student[:] = student[:1]
    if equal in ("teacher", "both"):
        teacher[:] = teacher[:1]
    student = tf.Variable(student, dtype="float32")
    with tf.GradientTape() as tape:
        value = RelationalLoss()(teacher, student)
    gradient = tape.gradient(value, student).numpy()
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    if rows == 1 or equal == "both" or (rows == 2 and equal == "none"):
        assert float(value) == pytest.approx(0, abs=1e-10)
        np.testing.assert_allclose(gradient, 0, atol=1e-5)
    if rows == 3 and equal == "none":
        assert gradient.any()


def test_maps_are_flattened():
    maps = np.random.default_rng(0).normal(size=(4, 2, 2, 3))
    _, student = embeddings(4)
    value, flat = (RelationalLoss()(t, student) for t in (maps, maps.reshape(4, 12)))
    assert float(value) == float(flat) > 0


def test_bad_arguments():
    with pytest.raises(ValueError, match="0 or more"):
        RelationalLoss(distance_weight=-1.0)
    with pytest.raises(ValueError, match="Expected embeddings"):
        RelationalLoss()(np.zeros(3), np.zeros(3))
