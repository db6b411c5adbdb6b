"""MTCNN: finds faces and five landmarks of each with a cascade of three small nets.

TensorFlow only; `openvino` where installed. Kaipeng Zhang, Zhanpeng Zhang, Zhifeng Li
and Yu Qiao, "Joint Face Detection and Alignment Using Multi-task Cascaded Convolutional
Networks", IEEE Signal Processing Letters 23 (10), 2016, arXiv 1604.02878. With the
weights of the package `mtcnn` 1.0.0, whose boxes and landmarks come out.
"""

import os
from collections.abc import Iterable

import numpy as np

from tftransfer.core.validation import check_range
from tftransfer.face.detection.box_arithmetic import clipped
from tftransfer.face.detection.cascade import Cascade
from tftransfer.face.detection.mtcnn_engine import compiled
from tftransfer.face.detection.mtcnn_engine import engine_named
from tftransfer.face.detection.mtcnn_layers import NETS
from tftransfer.face.detection.mtcnn_weights import read_mtcnn_weights
from tftransfer.face.detection.mtcnn_weights import save_mtcnn_weights
from tftransfer.face.found import Face
from tftransfer.face.photographs import as_photograph
from tftransfer.face.photographs import check_several

# Pictures found together, and pixels: what is held of a long list at a time.
_TOGETHER = 16
_TOGETHER_PIXELS = 2**26


class MTCNN:
    """Finds faces and their landmarks in pictures of any size.

    A pyramid of the picture goes through the P net, which proposes boxes; the R net
    refines these and the O net gives box, landmarks and probability. With thresholds
    (0.6, 0.7, 0.8) boxes and landmarks are those of the package `mtcnn` 1.0.0.

    `detect` may be called from several threads. A picture's faces do not depend on the
    other pictures of a batch. Memory: the pictures of a group (16, or 64 megapixels),
    and 12 bytes per pixel of the largest level of the pyramid, which has
    `(12 / min_face_size) ** 2` of the picture's pixels.

    Args:
        min_face_size: Side in pixels of the smallest face to look for, at least 6;
            somewhat smaller ones may be found too. In a picture whose shorter side is
            below it none is.
        scale_factor: Size of a level of the pyramid in shares of the one before, in
            [0.3, 0.95]; the default is the authors' code's.
        thresholds: Least probability of a face after the P, R and O net, each in
            [0, 1), exclusive; the defaults are the paper's authors'.
        engine: "tensorflow", "openvino", or "auto": OpenVINO where it is installed and
            there is no GPU. TensorFlow runs on the GPU where there is one.
        weights: None for the published weights, which the package `mtcnn` brings
            (`pip install tftransfer[face]`; once read they are kept in Keras' cache
            folder), or the path of an `.npz` file as the one kept there.

    Raises:
        ValueError: When an argument is outside its range, or the file holds others.
        ImportError: When OpenVINO is asked for and absent.
        OSError: When there are no published weights, or no file at `weights`.

    Example:
        >>> MTCNN(min_face_size=40).detect(np.zeros((64, 80, 3), "uint8"))
        []
    """

    def __init__(
        self,
        *,
        min_face_size: float = 20,
        scale_factor: float = 0.709,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        engine: str = "auto",
        weights: str | os.PathLike | None = None,
    ):
        check_range("min_face_size", min_face_size, 6, 100_000)
        check_range("scale_factor", scale_factor, 0.3, 0.95)
        self.min_face_size = min_face_size
        self.scale_factor = scale_factor
        self.thresholds = _checked(thresholds)
        self.engine = engine_named(engine)
        self.weights = weights
        self._arrays = read_mtcnn_weights(weights)
        self._cascade = Cascade(
            [compiled(net, self._arrays, self.engine) for net in NETS],
            min_face_size,
            scale_factor,
            self.thresholds,
        )

    def save_weights(self, path: str | os.PathLike) -> None:
        """Write the weights as an `.npz` file, which `weights=` takes.

        Args:
            path: Of the file; its folder is made when absent.
        """
        save_mtcnn_weights(self._arrays, path)

    def detect(self, picture) -> list[Face]:
        """Find the faces of one picture.

        Args:
            picture: As for `as_photograph`: path, bytes, PIL picture or array.

        Returns:
            Faces by falling probability; boxes lie inside the picture, landmarks may
            leave it a little.

        Raises:
            FileNotFoundError: When there is no such file.
            ValueError: When it is no picture, or has no pixels; see `as_photograph`.
            TypeError: When it is of another kind.
        """
        return self._found([as_photograph(picture)])[0]

    def detect_batch(self, pictures: Iterable) -> list[list[Face]]:
        """Find the faces of each picture; sizes and kinds may be mixed.

        Args:
            pictures: List, array `(batch, height, width, channels)` or other iterable
                of pictures, each as for `detect`.

        Returns:
            A list of faces per picture, as `detect` gives it.

        Raises:
            FileNotFoundError, ValueError, TypeError: As `detect`; nothing is returned.
        """
        check_several(pictures)
        found, group, pixels = [], [], 0
        for place, picture in enumerate(pictures):
            try:
                photograph = as_photograph(picture)
            except (OSError, ValueError, TypeError) as error:
                error.add_note(f"It is picture {place} of the batch, counted from 0.")
                raise
            size = photograph.shape[0] * photograph.shape[1]
            if group and (len(group) == _TOGETHER or pixels + size > _TOGETHER_PIXELS):
                found += self._found(group)
                group, pixels = [], 0
            group.append(photograph)
            pixels += size
        return found + self._found(group)

    def _found(self, photographs: list[np.ndarray]) -> list[list[Face]]:
        faces = [[] for _ in photographs]
        found = self._cascade.find(photographs)
        for owner, box, score, landmarks in zip(
            found.owners, found.boxes, found.scores, _landmarks(found), strict=True
        ):
            box = clipped(box, *photographs[owner].shape[:2]).astype("float32")
            if (box[2:] > box[:2]).all():  # else it lies beyond the border
                faces[owner].append(Face(box, landmarks, float(score)))
        return faces


def _landmarks(found) -> np.ndarray:
    if found.landmarks is None:  # nothing was left before the last net
        return np.zeros((0, 5, 2), "float32")
    return found.landmarks.astype("float32")


def _checked(thresholds) -> tuple[float, float, float]:
    if not isinstance(thresholds, tuple | list) or len(thresholds) != 3:
        raise ValueError(
            "Expected `thresholds` to be three numbers, for the P, R and O net. "
            f"Received: {thresholds!r}."
        )
    for threshold in thresholds:
        check_range("thresholds", threshold, 0, 1, open_high=True)
    return tuple(thresholds)
