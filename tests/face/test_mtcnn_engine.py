"""OpenVINO's requests are kept between calls, and hold and lose nothing."""

import gc
import weakref

import numpy as np
import pytest

from tftransfer.face.detection.mtcnn_engine import compiled
from tftransfer.face.detection.mtcnn_layers import PROPOSAL

pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def net():
    generator = np.random.default_rng(0)
    weights = {
        key: generator.normal(0, 0.3, shape).astype("float32")
        for key, shape in PROPOSAL.weight_shapes().items()
    }
    return compiled(PROPOSAL, weights, "openvino")


def tiles(count, seed=0):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield generator.uniform(0, 255, (1, 20, 24, 3)).astype("float32")


def test_pixels_are_let_go(net):
    alive = []

    def watched():
        for tile in tiles(40):
            alive.append(weakref.ref(tile))
            yield tile

    assert len(list(net.map(watched()))) == 40
    gc.collect()
    assert not any(reference() is not None for reference in alive)


def test_what_is_left_early_or_broken_leaves_the_net_as_it_was(net):
    expected = [faces for _, faces in net.map(tiles(5, seed=1))]
    kept = len(net._free)

    def broken():
        yield from tiles(3)
        raise OSError("no more")

    for _ in range(3):
        found = net.map(tiles(30))
        next(found)
        found.close()
        with pytest.raises(OSError, match="no more"):
            list(net.map(broken()))
    for (_, faces), before in zip(net.map(tiles(5, seed=1)), expected, strict=True):
        np.testing.assert_array_equal(faces, before)
    assert len(net._free) >= kept


def test_an_error_of_the_net_is_told_once_all_requests_are_done(net):
    small = np.zeros((1, 3, 3, 3), "float32")  # smaller than a window
    with pytest.raises(RuntimeError, match="Convolution"):
        list(net.map([*tiles(2), small, *tiles(6)]))
