"""Face: one face that a detector found in a picture."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Face:
    """One face in a picture, in its pixels: x to the right, y down, (0, 0) top left.

    Args:
        box: float32 (4,): left, top, right, bottom, inside the picture.
        landmarks: float32 (5, 2), x and y of the eye on the picture's left, the eye on
            its right, the tip of the nose, the mouth's left and right corner; None
            where a detector gives none.
        probability: That it is a face, in [0, 1].

    Example:
        >>> Face(np.array([10, 20, 50, 70], "float32"), None, 0.99).width
        40.0
    """

    box: np.ndarray
    landmarks: np.ndarray | None
    probability: float

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return float(self.box[2] - self.box[0])

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return float(self.box[3] - self.box[1])
