"""FlowLoss: the FSP matrix by loops, its twos of pairs, and what it refuses."""

import numpy as np
import pytest

import tftransfer as tft
from tests.losses.test_pooling import pooled_by_loops
from tftransfer.losses.flow import flow_matrix


def matrix_by_loops(first, second):
    size = tuple(np.minimum(first.shape[1:3], second.shape[1:3]))
    first, second = pooled_by_loops(first, size), pooled_by_loops(second, size)
    found = np.zeros((len(first), first.shape[-1], second.shape[-1]))
    for row in range(len(first)):
        for i in range(first.shape[-1]):
            for j in range(second.shape[-1]):
                product = first[row, :, :, i] * second[row, :, :, j]
                found[row, i, j] = product.sum() / (size[0] * size[1])
    return found


def maps(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(2, size, size, channels)) for size, channels in shapes]


def test_matrix():
    first, second = maps(0, (7, 3), (4, 5))
    found = flow_matrix(first, second)
    np.testing.assert_allclose(found, matrix_by_loops(first, second), atol=1e-5)


def test_twos_of_pairs_are_added():
    teacher = maps(0, (4, 3), (2, 5), (4, 2), (4, 4))
    student = maps(1, (6, 3), (3, 5), (5, 2), (5, 4))
    expected = 0.0
    for k in (0, 2):
        gap = matrix_by_loops(*teacher[k : k + 2]) - matrix_by_loops(
            *student[k : k + 2]
        )
        expected += (gap**2).mean()
    loss = tft.losses.FlowLoss([("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")])
    assert float(loss(teacher, student)) == pytest.approx(expected, rel=1e-4)
    matrices = loss.teacher_values(teacher)
    assert [tuple(m.shape) for m in matrices] == [(2, 3, 5), (2, 2, 4)]
    assert float(loss(matrices, student)) == pytest.approx(expected, rel=1e-4)


def test_turned_signs_leave_the_flow():
    teacher = maps(0, (4, 3), (4, 5))
    value = tft.losses.FlowLoss()(teacher, [-features for features in teacher])
    assert float(value) == pytest.approx(0, abs=1e-12)


def test_bad_shapes():
    loss = tft.losses.FlowLoss()
    with pytest.raises(ValueError, match="in twos"):
        tft.losses.FlowLoss([("a", "b")])
    with pytest.raises(ValueError, match="two per matrix"):
        loss(maps(0, (4, 3)), maps(0, (4, 3)))
    with pytest.raises(ValueError, match="as many channels"):
        loss(maps(0, (4, 3), (4, 5)), maps(0, (4, 3), (4, 6)))
    with pytest.raises(ValueError, match="below the pooling"):
        loss([np.zeros((2, 3))] * 2, [np.zeros((2, 3))] * 2)
