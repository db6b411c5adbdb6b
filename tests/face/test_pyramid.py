"""Levels, area means and tiles against loops; a tile computes what the level does."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tftransfer.face.detection.mtcnn_layers import PROPOSAL
from tftransfer.face.detection.mtcnn_nets import keras_net
from tftransfer.face.detection.pyramid import Level
from tftransfer.face.detection.pyramid import groups_of
from tftransfer.face.detection.pyramid import levels_of
from tftransfer.face.detection.pyramid import resized
from tftransfer.face.detection.pyramid import tiles_of


@pytest.mark.parametrize("min_face_size", [6, 12, 20, 49, 100.5])
@pytest.mark.parametrize("size", [(100, 330), (49, 49), (240, 120)])
def test_levels_show_the_smallest_face_first_and_end_at_twelve_pixels(
    size, min_face_size
):
    levels = levels_of(*size, min_face_size, 0.709)
    if min(size) < min_face_size:
        assert levels == []
        return
    assert levels[0].scale == 12 / min_face_size
    for level, following in itertools.pairwise(levels):
        assert following.scale == pytest.approx(0.709 * level.scale)
    for level in levels:
        expected = [int(side * level.scale + 1e-9) for side in size]
        assert [level.height, level.width] == expected
        assert min(expected) >= 12
    assert min(size) * levels[-1].scale * 0.709 < 12


def test_resized_is_the_mean_over_each_area():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 37, 3), "uint8")
    levels = [Level(0, 0.5, 21, 16), Level(0, 0.25, 25, 37)]
    found, half = resized(tf.constant(pixels), levels)
    assert found.shape == (1, 21, 16, 3)
    np.testing.assert_allclose(half[0], (pixels[::2] / 2 + pixels[1::2] / 2), atol=1e-3)
    # Exact means: each pixel in 21 x 16 equal parts, averaged part by part.
    parts = np.repeat(np.repeat(pixels.astype("float64"), 21, axis=0), 16, axis=1)
    expected = parts.reshape(21, 50, 16, 37, 3).mean((1, 3))
    np.testing.assert_allclose(found[0], expected, atol=1e-3)


@pytest.mark.parametrize(
    "size",
    [(12, 12), (13, 12), (60, 61), (12, 9001), (9000, 13), (300, 4097), (701, 500)],
)
def test_tiles_hold_each_cell_once(size):
    level = Level(0, 1.0, *size)
    # Convolutions lose two pixels each, the pool between them halves and rounds up.
    shape = [-(-(side - 2) // 2) - 4 for side in size]
    seen = np.zeros(shape, int)
    for row, column, vertical, horizontal in tiles_of(level):
        sides = [part.stop - part.start for part in (vertical, horizontal)]
        rows, columns = (-(-(side - 2) // 2) - 4 for side in sides)
        assert (vertical.start, horizontal.start) == (2 * row, 2 * column)
        assert sides[0] * sides[1] <= 2**17 or sides[0] <= 25
        seen[row : row + rows, column : column + columns] += 1
    assert (seen == 1).all()


def test_the_net_computes_on_tiles_what_it_does_on_the_level(monkeypatch):
    from tftransfer.face.detection import pyramid

    monkeypatch.setattr(pyramid, "_TILE_SIDE", 30)
    monkeypatch.setattr(pyramid, "_TILE_PIXELS", 30 * 26)
    net = keras_net(PROPOSAL)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 75, 94, 3)).astype("float32")
    whole = [output.numpy() for output in net(pixels)]
    tiles = tiles_of(Level(0, 1.0, 75, 94))
    assert len(tiles) > 12
    for row, column, vertical, horizontal in tiles:
        for output, part in zip(whole, net(pixels[:, vertical, horizontal])):
            place = output[:, row:, column:][:, : part.shape[1], : part.shape[2]]
            np.testing.assert_allclose(part, place, atol=1e-5)


def test_groups_stay_below_their_size():
    levels = [Level(0, 1.0, 1, pixels) for pixels in (9, 4, 4, 3, 12, 1)]
    groups = groups_of(levels, 8)
    sizes = [[level.pixels for level in group] for group in groups]
    assert sizes == [[9], [4, 4], [3], [12], [1]]
