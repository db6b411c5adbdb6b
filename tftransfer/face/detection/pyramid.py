"""The pyramid of MTCNN: its levels, how they are resized, and tiles of bounded size.

TensorFlow only.
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from tftransfer.face.detection.mtcnn_layers import CELL
from tftransfer.face.detection.mtcnn_layers import STRIDE

_TILE_PIXELS = 2**17  # the net's activations of a tile: about 10 MiB, near the caches
_TILE_SIDE = 2**12
_HAIR = 1e-9


@dataclasses.dataclass(frozen=True)
class Level:
    """One size of a picture.

    Args:
        picture: Place of the picture in its batch.
        scale: Pixels of the level per pixel of the picture.
        height: Of the level in pixels, at least 12.
        width: Likewise.
    """

    picture: int
    scale: float
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Number of pixels of the level."""
        return self.height * self.width


def levels_of(
    height: int, width: int, min_face_size: float, scale_factor: float, picture: int = 0
) -> list[Level]:
    """Return the levels of a picture, the largest first.

    The first shows faces of `min_face_size` at 12 pixels, the last has a shorter side
    of at least 12: a picture with a shorter side below `min_face_size` has none.

    Example:
        >>> [(level.height, level.width) for level in levels_of(40, 50, 20, 0.709)]
        [(24, 30), (17, 21), (12, 15)]
    """
    levels = []
    scale = CELL / min_face_size
    # A hair more: 49 * (12 / 49) is less than 12 in floating point.
    while min(height, width) * scale + _HAIR >= CELL:
        sides = (int(side * scale + _HAIR) for side in (height, width))
        levels.append(Level(picture, scale, *sides))
        scale = CELL / min_face_size * scale_factor ** len(levels)
    return levels


def resized(photograph: tf.Tensor, levels: list[Level]) -> list[np.ndarray]:
    """Return a picture at the sizes of levels: each pixel is the mean of its area.

    Other ways of resizing find other boxes.

    Args:
        photograph: uint8 (height, width, 3).
        levels: Some of its levels.

    Returns:
        float32 (1, level.height, level.width, 3) of each.
    """
    sizes = [(level.height, level.width) for level in levels]
    with tf.device("CPU:0"):  # TensorFlow has it for no other device
        pixels = _resizer(len(sizes))(photograph, tf.constant(sizes))
    return [np.asarray(level) for level in pixels]  # not `.numpy()`, which copies


@functools.cache
def _resizer(count: int):
    """Return one graph for `count` sizes, which it computes side by side."""
    signature = [
        tf.TensorSpec((None, None, 3), tf.uint8),
        tf.TensorSpec((count, 2), tf.int32),
    ]

    @tf.function(input_signature=signature, jit_compile=False)
    def resize(photograph, sizes):
        area = tf.image.ResizeMethod.AREA
        return [
            tf.image.resize(photograph[None], size, area) for size in tf.unstack(sizes)
        ]

    return resize


def tiles_of(level: Level) -> list[tuple[int, int, slice, slice]]:
    """Return tiles that give the net's cells of a level, each cell once.

    The net computes the same for a cell in a tile as in the level: tiles begin at even
    pixels, overlap by what a window needs, and the last ones end where the level does.

    Returns:
        For each tile the row and the column of its first cell, and its pixels.

    Example:
        >>> [cell for *cell, _, _ in tiles_of(Level(0, 1.0, 12, 9000))]
        [[0, 0], [0, 2043], [0, 4086]]
    """
    columns = _spans(level.width, _TILE_SIDE)
    widest = columns[0][1].stop
    rows = _spans(level.height, max(2 * CELL, _TILE_PIXELS // widest))
    return [
        (row, column, vertical, horizontal)
        for row, vertical in rows
        for column, horizontal in columns
    ]


def _spans(length: int, longest: int) -> list[tuple[int, slice]]:
    margin = CELL - STRIDE
    # Two by two pixels are pooled after a convolution without borders; a pair may lack
    # its second pixel at the end.
    cells = -(-(length - 2) // 2) - 4
    most = (longest - margin) // STRIDE
    spans = []
    for first in range(0, cells, most):
        last = first + most >= cells
        stop = length if last else STRIDE * (first + most) + margin
        spans.append((first, slice(STRIDE * first, stop)))
    return spans


def groups_of(levels: list[Level], pixels: int) -> list[list[Level]]:
    """Return levels in groups of at most `pixels` pixels, or of one larger level."""
    groups, room = [], 0
    for level in levels:
        if level.pixels > room:
            groups.append([])
            room = pixels
        groups[-1].append(level)
        room -= level.pixels
    return groups
