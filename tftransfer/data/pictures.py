"""Pictures by index: files that are decoded when asked for, and arrays.

What a `Source` draws its batches from. TensorFlow has no part in this file.
"""

import hashlib
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from tftransfer.data.decode import decode_image
from tftransfer.data.decode import square

_POOL = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "decode")


class FilePictures:
    """Picture files, decoded in parallel.

    Args:
        paths: The files.
        image_size: Side in pixels of the squares.
        on_error: "skip": a file that cannot be decoded any more is warned of once and
            left out of its batch; "raise": it ends the reading.
    """

    def __init__(self, paths, *, image_size: int, on_error: str = "skip"):
        self.paths = tuple(os.fspath(path) for path in paths)
        self.image_size = image_size
        self.on_error = on_error
        self.shape = (image_size, image_size, 3)
        self.dtype = np.dtype("uint8")
        self._warned = set()

    def __len__(self) -> int:
        return len(self.paths)

    def fetch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return uint8 pictures (b, side, side, 3) and a mask of those that are fine.

        Args:
            indices: (b,) integers.
        """
        found = list(_POOL.map(self._decode, indices))
        fine = np.array([image is not None for image in found], bool)
        blank = np.zeros(self.shape, self.dtype)
        return np.stack([blank if i is None else i for i in found]), fine

    def _decode(self, index: int) -> np.ndarray | None:
        path = self.paths[index]
        try:
            return decode_image(path, image_size=self.image_size)
        except (OSError, ValueError) as error:
            if self.on_error == "raise":
                raise
            if path not in self._warned:
                self._warned.add(path)
                warnings.warn(f"Left out '{path}': {error}")
            return None

    def subset(self, indices) -> "FilePictures":
        """Return the pictures at `indices` alone."""
        paths = [self.paths[i] for i in indices]
        return FilePictures(paths, image_size=self.image_size, on_error=self.on_error)

    def fingerprint(self) -> str:
        """Return a digest that changes when a file or its place in the order does.

        Of each file: path, size, and the times of its last change of contents and of
        its entry; the latter cannot be set back by copying or `touch`.
        """
        digest = hashlib.sha256(f"files {self.image_size}".encode())
        for path in self.paths:
            stat = os.stat(path)
            facts = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
            digest.update(f"{os.path.abspath(path)}\0{facts}\n".encode())
        return digest.hexdigest()


class ArrayPictures:
    """Rows of an array: pictures, or activations computed from them.

    Args:
        array: (n, ...); a memory map is read as needed.
    """

    paths = None

    def __init__(self, array: np.ndarray):
        self.array = array
        self.shape = tuple(array.shape[1:])
        self.dtype = array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def fetch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows at `indices` and a mask that is True throughout."""
        return self.array[indices], np.ones(len(indices), bool)

    def subset(self, indices) -> "ArrayPictures":
        """Return the rows at `indices` alone; copied."""
        return ArrayPictures(self.array[np.asarray(indices)])

    def fingerprint(self) -> str:
        """Return a digest of the contents."""
        digest = hashlib.sha256(f"array {self.dtype} {self.array.shape}".encode())
        for start in range(0, len(self.array), 256):
            digest.update(np.ascontiguousarray(self.array[start : start + 256]))
        return digest.hexdigest()


class ResizedPictures:
    """Pictures of an array brought to one square size, as files are.

    Args:
        array: uint8 or float (n, height, width) or (n, height, width, 1 or 3), in
            [0, 255].
        image_size: Side in pixels of the squares; arrays of that size stay as they are.
    """

    paths = None

    def __init__(self, array: np.ndarray, *, image_size: int):
        self.array = array
        self.image_size = image_size
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
                picture = np.asarray(square(Image.fromarray(picture), self.image_size))
            else:
                picture = self._resized_float(picture)
        return np.repeat(picture[..., None], 3, axis=-1) if grey else picture

    def _resized_float(self, picture: np.ndarray) -> np.ndarray:
        channels = picture[..., None] if picture.ndim == 2 else picture
        parts = [
            np.asarray(square(Image.fromarray(part), self.image_size))
            for part in np.moveaxis(channels, -1, 0).astype("float32")
        ]
        return parts[0] if picture.ndim == 2 else np.stack(parts, axis=-1)

    def subset(self, indices) -> "ResizedPictures":
        """Return the pictures at `indices` alone; copied."""
        rows = self.array[np.asarray(indices)]
        return ResizedPictures(rows, image_size=self.image_size)

    def fingerprint(self) -> str:
        """Return a digest of contents and size."""
        return f"{ArrayPictures(self.array).fingerprint()} to {self.image_size}"


class RememberedPictures:
    """Pictures kept in memory once they were decoded.

    Args:
        pictures: Where they come from; what could not be decoded is tried again.
    """

    def __init__(self, pictures):
        self.pictures = pictures
        self.paths = pictures.paths
        self.shape, self.dtype = pictures.shape, pictures.dtype
        self._array = np.empty((len(pictures), *self.shape), self.dtype)
        self._known = np.zeros(len(pictures), bool)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.pictures)

    def fetch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pictures and a mask of those that are fine."""
        missing = indices[~self._known[indices]]
        if len(missing):
            found, fine = self.pictures.fetch(missing)
            with self._lock:
                self._array[missing[fine]] = found[fine]
                self._known[missing[fine]] = True
        return self._array[indices], self._known[indices]

    def subset(self, indices) -> "RememberedPictures":
        """Return the pictures at `indices` alone, remembered anew."""
        return RememberedPictures(self.pictures.subset(indices))

    def fingerprint(self) -> str:
        """Return the digest of what is remembered."""
        return self.pictures.fingerprint()
