"""Maps of unequal sizes against loops over windows."""

import numpy as np
import pytest

from tftransfer.losses.pooling import pool_to_smaller


def pooled_by_loops(maps, size):
    """Mean over the window [floor(i L / s), ceil((i + 1) L / s)) in each direction."""
    (length_h, length_w), (height, width) = maps.shape[1:3], size
    found = np.zeros((len(maps), height, width, *maps.shape[3:]))
    for i in range(height):
        for j in range(width):
            top = int(np.floor(i * length_h / height))
            bottom = int(np.ceil((i + 1) * length_h / height))
            left = int(np.floor(j * length_w / width))
            right = int(np.ceil((j + 1) * length_w / width))
            found[:, i, j] = maps[:, top:bottom, left:right].mean(axis=(1, 2))
    return found


@pytest.mark.parametrize(
    ("large", "small"),
    [((8, 8), (4, 4)), ((7, 7), (4, 4)), ((6, 5), (4, 5)), ((9, 7), (1, 2))],
)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_windows(large, small, channels):
    rng = np.random.default_rng(0)
    first = rng.normal(size=(2, *large, *channels)).astype("float32")
    second = rng.normal(size=(2, *small, *channels)).astype("float32")
    found, same = pool_to_smaller(first, second)
    np.testing.assert_allclose(found, pooled_by_loops(first, small), atol=1e-5)
    np.testing.assert_array_equal(same, second)


def test_each_direction_takes_the_smaller_size():
    first, second = np.ones((1, 8, 3)), np.ones((1, 5, 6))
    found = pool_to_smaller(first.astype("float32"), second.astype("float32"))
    assert [tuple(maps.shape) for maps in found] == [(1, 5, 3), (1, 5, 3)]
    np.testing.assert_allclose(found[0], 1, atol=1e-6)
