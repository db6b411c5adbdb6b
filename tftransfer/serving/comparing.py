"""How far an exported model is from the Keras model, on real pictures."""

import dataclasses
from itertools import islice

import numpy as np
from sklearn.datasets import load_sample_images

from tftransfer.data.decode import square
from tftransfer.data.inputs import as_dataset
from tftransfer.serving.formats.artefact import Artefact
from tftransfer.serving.served_model import ServedModel

_MOST = 512
_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Agreement:
    """An artefact beside its model.

    Attributes:
        pictures: How many were compared.
        largest_difference: Of any probability.
        top1: Share of the pictures for which both name the same class.
    """

    pictures: int
    largest_difference: float
    top1: float


def compare(served: ServedModel, artefact: Artefact, images: np.ndarray) -> Agreement:
    """Compare probabilities for `images`, uint8 (n, size, size, 3).

    Raises:
        ValueError: When the artefact answers NaN, infinity or another shape.
    """
    largest, same = 0.0, 0
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH].astype("float32")
        expected = served.probabilities(batch)
        found = artefact.compute(batch)
        if found.shape != expected.shape or not np.isfinite(found).all():
            raise ValueError(
                f"Expected finite probabilities {expected.shape} of what was written. "
                f"Received: {found.shape}, {np.isfinite(found).mean():.1%} finite. "
                "The converter failed on this model: choose another format."
            )
        largest = max(largest, float(np.abs(found - expected).max()))
        same += int((found.argmax(axis=1) == expected.argmax(axis=1)).sum())
    return Agreement(len(images), largest, same / len(images))


def some_pictures(data, *, image_size: int, most: int = _MOST) -> np.ndarray:
    """Return up to `most` pictures of `data`, drawn with seed 0, as uint8.

    Args:
        data: As `tft.data.as_dataset` takes it; None: parts of the two photographs that
            scikit-learn ships.
        image_size: Pixels of the squares.
        most: Pictures at most.

    Raises:
        ValueError: When there are none.
    """
    if data is None:
        return _photographs(image_size)
    dataset = as_dataset(data, image_size=image_size, batch_size=_BATCH, shuffle=True)
    batches = (b[0] if isinstance(b, tuple) else b for b in dataset)
    rows = (np.asarray(row) for batch in batches for row in batch)
    rows = [row.round().clip(0, 255).astype("uint8") for row in islice(rows, most)]
    if not rows:
        raise ValueError("Expected pictures to compare with. Received none.")
    # Not as float32: 512 pictures of a large net would take gigabytes.
    return np.stack(rows)


def _photographs(image_size: int) -> np.ndarray:
    """Return 32 parts of a temple and of a flower, of several scales."""
    from PIL import Image

    parts = []
    for photograph in load_sample_images().images:
        image = Image.fromarray(photograph)
        for side in (427, 300, 200, 120):
            for left in np.linspace(0, image.width - side, 4).astype(int):
                top = (image.height - side) // 2
                part = image.crop((left, top, left + side, top + side))
                parts.append(np.asarray(square(part, image_size)))
    return np.stack(parts)
