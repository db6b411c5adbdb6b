"""Pictures of an array in the geometry of picture files. No TensorFlow here."""

import numpy as np
from PIL import Image

from tftransfer.data.decode import square
from tftransfer.data.pictures import ArrayPictures


class ResizedPictures:
    """Pictures of an array brought to one square size, as files are.

    Args:
        array: uint8 or float (n, height, width) or (n, height, width, 1 or 3), in
            [0, 255].
        image_size: Side in pixels of the squares; arrays of that size stay as they are.
        region_of: As in `decode_image`.
    """

    paths = None

    def __init__(
        self, array: np.ndarray, *, image_size: int, region_of: int | None = None
    ):
        self.array = array
        self.image_size, self.region_of = image_size, region_of
        self.shape = (image_size, image_size, 3)
        self.dtype = np.dtype("uint8" if array.dtype == np.uint8 else "float32")

    def __len__(self) -> int:
        return len(self.array)

    def fetch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (b, side, side, 3) pictures and a mask that is True throughout."""
        found = np.empty((len(indices), *self.shape), self.dtype)
        for row, index in enumerate(indices):
            found[row] = self._resized(self.array[index])
        return found, np.ones(len(indices), bool)

    def _resized(self, picture: np.ndarray) -> np.ndarray:
        if picture.ndim == 3 and picture.shape[-1] == 1:
            picture = picture[..., 0]
        grey = picture.ndim == 2
        if picture.shape[:2] != self.shape[:2]:
            if self.dtype == np.uint8:
                picture = self._square(picture)
            else:
                picture = self._resized_float(picture)
        return np.repeat(picture[..., None], 3, axis=-1) if grey else picture

    def _resized_float(self, picture: np.ndarray) -> np.ndarray:
        channels = picture[..., None] if picture.ndim == 2 else picture
        parts = [
            self._square(part)
            for part in np.moveaxis(channels, -1, 0).astype("float32")
        ]
        return parts[0] if picture.ndim == 2 else np.stack(parts, axis=-1)

    def _square(self, picture: np.ndarray) -> np.ndarray:
        image = Image.fromarray(picture)
        return np.asarray(square(image, self.image_size, self.region_of))

    def subset(self, indices) -> "ResizedPictures":
        """Return the pictures at `indices` alone; copied."""
        rows = self.array[np.asarray(indices)]
        return ResizedPictures(
            rows, image_size=self.image_size, region_of=self.region_of
        )

    def at_size(
        self, image_size: int, region_of: int | None = None
    ) -> "ResizedPictures":
        """Return the same pictures at another size."""
        return ResizedPictures(self.array, image_size=image_size, region_of=region_of)

    def fingerprint(self) -> str:
        """Return a digest of contents and size."""
        geometry = f"{self.image_size} {self.region_of or ''}".strip()
        return f"{ArrayPictures(self.array).fingerprint()} to {geometry}"
