"""HintLoss: values, its regressors, and what it refuses."""

import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.losses.test_pooling import pooled_by_loops

HintLoss = tft.losses.HintLoss


@pytest.mark.parametrize("size", [4, 3, 2])
def test_value_by_loops(size):
    rng = np.random.default_rng(0)
    teacher = rng.normal(size=(3, 4, 4, 5))
    student = rng.normal(size=(3, size, size, 5))
    small = pooled_by_loops(teacher, (size, size))
    rows = [
        sum((t - s) ** 2 for t, s in zip(one.ravel(), other.ravel(), strict=True))
        / one.size
        for one, other in zip(small, student, strict=True)
    ]
    assert float(HintLoss()(teacher, student)) == pytest.approx(np.mean(rows), rel=1e-5)


def test_mean_over_elements_not_a_sum():
    ones, zeros = np.ones((2, 8, 8, 7)), np.zeros((2, 8, 8, 7))
    assert float(HintLoss()(ones, zeros)) == pytest.approx(1)
    pairs = float(HintLoss()([ones, ones[:, 0, 0]], [zeros, zeros[:, 0, 0]]))
    assert pairs == pytest.approx(2)


def test_regressor_only_between_unequal_widths():
    shapes = [(None, 4, 4, 3), (None, 8)], [(None, 2, 2, 5), (None, 8)]
    pairs = [("a", "b"), ("c", "d")]
    conv, none = HintLoss(pairs).student_adapters(*shapes)
    assert isinstance(conv, keras.layers.Conv2D)
    assert (conv.filters, conv.kernel_size, none) == (5, (1, 1), None)
    conv, dense = HintLoss(pairs, always_regress=True).student_adapters(*shapes)
    assert isinstance(dense, keras.layers.Dense)
    assert dense.units == 8


def test_bad_shapes():
    with pytest.raises(ValueError, match=r"(?s)equal width.*tft.Distiller"):
        HintLoss()(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="the same of both nets"):
        HintLoss()(np.zeros((2, 4, 4, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="Expected maps"):
        HintLoss()(np.zeros((2, 4, 3)), np.zeros((2, 4, 3)))
    with pytest.raises(ValueError, match="one per pair"):
        HintLoss()([np.zeros((2, 3))] * 2, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="one or more"):
        HintLoss([])
