"""Faces made of colour: a detector and an embedder whose truth is plain to see."""

import numpy as np
from scipy import ndimage

from tftransfer.face import Face

RED, GREEN, BLUE = (250, 20, 20), (20, 250, 20), (20, 20, 250)


def picture_of(*colours, side=20, size=(64, 128)) -> np.ndarray:
    """Return black pixels with a square "face" per colour, each smaller by 2."""
    picture = np.zeros((*size, 3), "uint8")
    for place, colour in enumerate(colours):
        left = 4 + place * (side + 4)
        picture[8 : 8 + side - 2 * place, left : left + side - 2 * place] = colour
    return picture


class ColourDetector:
    """Takes everything that is not black for a face."""

    min_face_size, scale_factor, thresholds = 20, 0.7, (0.6, 0.7, 0.7)

    def detect(self, photograph):
        return self._faces(photograph)

    def detect_batch(self, photographs):
        return [self._faces(photograph) for photograph in photographs]

    def _faces(self, photograph):
        regions, _ = ndimage.label(photograph.any(-1))
        return [
            Face(np.array([x.start, y.start, x.stop, y.stop], "float32"), None, 0.99)
            for y, x in ndimage.find_objects(regions)
        ]


class ColourEmbedder:
    """Takes the mean colour for who it is."""

    size, dimension, fingerprint = 4, 3, "colour 1"

    def prepare(self, photograph, face):
        left, top, right, bottom = face.box.astype(int)
        mean = photograph[top:bottom, left:right].mean((0, 1))
        return np.broadcast_to(mean.astype("uint8"), (4, 4, 3))

    def embed(self, crops):
        colours = crops.mean((1, 2), dtype="float32").reshape(-1, 3)
        return colours / np.linalg.norm(colours, axis=1, keepdims=True).clip(1e-9)


class GreenIsTooMuch(ColourEmbedder):
    """Refuses green crops, as an embedder does what its net makes no vector of."""

    def embed(self, crops):
        if len(crops) and (crops.mean((1, 2)).argmax(1) == 1).any():
            raise ValueError("Expected embeddings that are finite.")
        return super().embed(crops)
