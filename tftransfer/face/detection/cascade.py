"""The three stages of MTCNN over a batch of pictures, boxes in and boxes out.

TensorFlow only. Work is cut into pieces of bounded size, tiles of the pyramid's levels
and crops of some dozen boxes, which threads compute side by side: a picture's result
depends on no other picture, and memory on the largest level, not on their number.
"""

import collections
import dataclasses
import itertools
import os

import numpy as np
import tensorflow as tf

from tftransfer.face.detection import box_arithmetic
from tftransfer.face.detection.mtcnn_layers import GREY
from tftransfer.face.detection.pyramid import groups_of
from tftransfer.face.detection.pyramid import levels_of
from tftransfer.face.detection.pyramid import resized
from tftransfer.face.detection.pyramid import tiles_of
from tftransfer.face.detection.suppression import best_boxes

_LEVEL_PIXELS = 2**22  # resized at a time: 48 MiB as float32, unless one has more
_CROPS = 2**10  # cut out at a time: 27 MiB at 48 x 48
_PIECE = 64  # crops that a net takes at once
_ROUND = 8  # more are rounded to its multiples: few shapes to prepare for
_REFINED_SIDE, _OUTPUT_SIDE = 24, 48
# Overlaps above which the worse box goes: within a level, over all levels, after the
# R net, after the O net (of the smaller box).
_IN_LEVEL, _OVER_LEVELS, _REFINED, _OUTPUT = 0.5, 0.7, 0.7, 0.7


@dataclasses.dataclass
class Boxes:
    """Boxes of several pictures, picture by picture.

    Args:
        owners: int (n,), place of each box's picture, rising.
        boxes: float64 (n, 4), left, top, right, bottom in pixels.
        scores: float32 (n,), probability of a face.
        landmarks: float64 (n, 5, 2) in pixels, or None before the last stage.
    """

    owners: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray | None = None

    def __getitem__(self, places) -> "Boxes":
        landmarks = None if self.landmarks is None else self.landmarks[places]
        found = (self.owners[places], self.boxes[places], self.scores[places])
        return Boxes(*found, landmarks)

    def suppressed(self, threshold: float, *, of_smaller: bool = False) -> "Boxes":
        """Return the best boxes of each picture, best first."""
        kept = [np.zeros(0, int)]
        for owner in np.unique(self.owners):
            own = np.flatnonzero(self.owners == owner)
            boxes, scores = self.boxes[own], self.scores[own]
            kept.append(
                own[best_boxes(boxes, scores, threshold, of_smaller=of_smaller)]
            )
        return self[np.concatenate(kept)]


class Cascade:
    """Proposals, refinement and output.

    Args:
        nets: The P, the R and the O net as functions of float32 pixels [0, 255] that
            return arrays; see `mtcnn_layers`.
        min_face_size: Smallest face in pixels.
        scale_factor: From one level of the pyramid to the next.
        thresholds: Least probability after each net, exclusive.
    """

    def __init__(self, nets, min_face_size, scale_factor, thresholds):
        self._pnet, self._rnet, self._onet = nets
        self._pyramid = (min_face_size, scale_factor)
        self._thresholds = thresholds

    def find(self, photographs: list[np.ndarray]) -> Boxes:
        """Return the faces of pictures, uint8 (height, width, 3), of any sizes."""
        with tf.device("CPU:0"):  # pictures stay there, tiles and crops go to the nets
            pictures = [tf.constant(photograph) for photograph in photographs]
        found = self._proposed(pictures)
        found = self._refined(pictures, found)
        return self._finished(pictures, found)

    def _proposed(self, pictures) -> Boxes:
        parts = [Boxes(np.zeros(0, int), np.zeros((0, 4)), np.zeros(0, "float32"))]
        # The net computes further tiles while boxes of the ones before are suppressed.
        for level, tiles in itertools.groupby(
            self._cells(pictures), lambda pair: pair[0]
        ):
            cells = zip(*(cells for _, cells in tiles))
            rows, columns, offsets, scores = map(np.concatenate, cells)
            boxes = box_arithmetic.window_boxes(rows, columns, offsets, level.scale)
            owners = np.full(len(boxes), level.picture)
            parts.append(Boxes(owners, boxes, scores).suppressed(_IN_LEVEL))
        fields = ("owners", "boxes", "scores")
        found = Boxes(
            *(
                np.concatenate([getattr(part, field) for part in parts])
                for field in fields
            )
        ).suppressed(_OVER_LEVELS)
        return dataclasses.replace(found, boxes=box_arithmetic.squares(found.boxes))

    def _cells(self, pictures):
        """Yield each level, tile by tile, with the cells that may be faces.

        These are rows, columns, offsets and scores.
        """
        sent = collections.deque()

        def tiles():
            for level, pixels in self._levels(pictures):
                for row, column, vertical, horizontal in tiles_of(level):
                    sent.append((level, row, column))
                    yield np.ascontiguousarray(pixels[:, vertical, horizontal])

        for offsets, faces in self._pnet.map(tiles()):
            level, row, column = sent.popleft()
            kept = (0, *np.nonzero(faces[0, ..., 1] > self._thresholds[0]))
            place = (kept[1] + row, kept[2] + column)
            yield level, (*place, offsets[kept], faces[..., 1][kept])

    def _levels(self, pictures):
        for place, picture in enumerate(pictures):
            levels = levels_of(*picture.shape[:2], *self._pyramid, place)
            for group in groups_of(levels, _LEVEL_PIXELS):
                yield from zip(group, resized(picture, group))

    def _refined(self, pictures, found: Boxes) -> Boxes:
        computed = _over_crops(self._rnet, _REFINED_SIDE, pictures, found)
        if not computed:
            return found
        offsets, faces = computed
        boxes = box_arithmetic.shifted(found.boxes, offsets)
        found = Boxes(found.owners, boxes, faces[:, 1])
        found = found[found.scores > self._thresholds[1]].suppressed(_REFINED)
        return dataclasses.replace(found, boxes=box_arithmetic.squares(found.boxes))

    def _finished(self, pictures, found: Boxes) -> Boxes:
        computed = _over_crops(self._onet, _OUTPUT_SIDE, pictures, found)
        if not computed:
            return found
        offsets, shares, faces = computed
        boxes = box_arithmetic.shifted(found.boxes, offsets)
        landmarks = box_arithmetic.placed_landmarks(found.boxes, shares)
        found = Boxes(found.owners, boxes, faces[:, 1], landmarks)
        found = found[found.scores > self._thresholds[2]]
        return found.suppressed(_OUTPUT, of_smaller=True)


def _over_crops(net, side: int, pictures, found: Boxes) -> list[np.ndarray]:
    """Return a net's outputs for the crops of all boxes; none for no boxes."""
    parts = []
    for start in range(0, len(found.boxes), _CROPS):
        crops = _crops(pictures, found[start : start + _CROPS], side)
        size = _piece(len(crops))
        missing = np.zeros((-len(crops) % size, *crops.shape[1:]), "float32")
        padded = np.concatenate([crops, missing])
        pieces = (padded[i : i + size] for i in range(0, len(padded), size))
        outputs = [np.concatenate(output) for output in zip(*net.map(pieces))]
        parts.append([output[: len(crops)] for output in outputs])
    return [np.concatenate(outputs) for outputs in zip(*parts)]


def _piece(count: int) -> int:
    """Return how many crops a net takes at once: work for all cores, of few shapes."""
    share = -(-count // (os.cpu_count() or 1))
    if share <= _ROUND:
        return 1 << (share - 1).bit_length()
    return min(_PIECE, -(-share // _ROUND) * _ROUND)


def _crops(pictures, found: Boxes, side: int) -> np.ndarray:
    """Return float32 (n, side, side, 3), grey where a box leaves its picture."""

    def cut(owner):
        picture = pictures[owner]
        height, width = picture.shape[:2]
        left, top, right, bottom = found.boxes[found.owners == owner].T
        shares = np.stack(
            [top / height, left / width, bottom / height, right / width], axis=1
        )
        with tf.device("CPU:0"):
            crops = tf.image.crop_and_resize(
                picture[None],
                shares.astype("float32"),
                np.zeros(len(shares), "int32"),
                (side, side),
                extrapolation_value=GREY,
            )
        return np.asarray(crops)

    return np.concatenate([cut(owner) for owner in np.unique(found.owners)])
