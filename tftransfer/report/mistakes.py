"""The most confident mistakes, kept as thumbnails while a dataset goes by."""

import dataclasses
import heapq
import itertools

import numpy as np
from PIL import Image

from tftransfer.report.pixels import as_uint8

_THUMBNAIL = 176


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One wrongly classified picture.

    Attributes:
        index: Its place in the dataset, from 0.
        label: The true class.
        prediction: The class that the model chose.
        score: The probability that the model gave its choice, in [0, 1].
        true_score: The probability that it gave the true class.
        thumbnail: (height, width, 3) uint8, at most 176 pixels a side.
        path: The picture's file, where the dataset knows it.
    """

    index: int
    label: int
    prediction: int
    score: float
    true_score: float
    thumbnail: np.ndarray
    path: str | None = None


class WorstMistakes:
    """Keeps the `count` mistakes with the highest score of the wrong class.

    Args:
        count: How many to keep; the rest is forgotten at once.
    """

    def __init__(self, count: int):
        self.count = count
        self._heap = []
        self._order = itertools.count(0, -1)

    def offer(self, index: int, picture, *, score: float, **fields) -> None:
        """Take a mistake into account.

        Args:
            index: Its place in the dataset.
            picture: (height, width, 3) in [0, 255].
            score: Probability of the wrong class; the higher the worse.
            **fields: The other fields of `Mistake`.
        """
        full = len(self._heap) >= self.count
        if self.count == 0 or (full and score <= self._heap[0][0]):
            return
        mistake = Mistake(
            index=index, score=score, thumbnail=_thumbnail(picture), **fields
        )
        # The order breaks ties: of equal scores the earlier picture is kept.
        entry = (score, next(self._order), mistake)
        (heapq.heappushpop if full else heapq.heappush)(self._heap, entry)

    def ranked(self, paths: list[str] | None = None) -> tuple[Mistake, ...]:
        """Return the mistakes, worst first, with their paths where given."""
        found = [entry[2] for entry in sorted(self._heap, reverse=True)]
        if paths is None:
            return tuple(found)
        return tuple(dataclasses.replace(m, path=paths[m.index]) for m in found)


def _thumbnail(picture) -> np.ndarray:
    pixels = as_uint8(picture)
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    image = Image.fromarray(pixels)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return np.asarray(image)
