"""Pictures by index: files that are decoded when asked for, and arrays.

What a `Source` draws its batches from. TensorFlow has no part in this file.
"""

import hashlib
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tftransfer.data.decode import DECODING
from tftransfer.data.decode import decode_image
from tftransfer.data.decode import reason_of

_POOL = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "decode")


class FilePictures:
    """Picture files, decoded in parallel.

    Args:
        paths: The files.
        image_size: Side in pixels of the squares.
        on_error: "skip": a file that cannot be decoded any more is warned of once and
            left out of its batch; "raise": it ends the reading.
        region_of: As in `decode_image`.
    """

    def __init__(
        self,
        paths,
        *,
        image_size: int,
        on_error: str = "skip",
        region_of: int | None = None,
    ):
        self.paths = tuple(os.fspath(path) for path in paths)
        self.image_size, self.region_of = image_size, region_of
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
            return decode_image(
                path, image_size=self.image_size, region_of=self.region_of
            )
        except (OSError, ValueError) as error:
            if self.on_error == "raise":
                raise
            if path not in self._warned:
                self._warned.add(path)
                warnings.warn(f"Left out '{path}': {reason_of(error)}")
            return None

    def subset(self, indices) -> "FilePictures":
        """Return the pictures at `indices` alone."""
        return FilePictures(
            [self.paths[i] for i in indices],
            image_size=self.image_size,
            on_error=self.on_error,
            region_of=self.region_of,
        )

    def at_size(self, image_size: int, region_of: int | None = None) -> "FilePictures":
        """Return the same pictures, decoded at another size."""
        return FilePictures(
            self.paths,
            image_size=image_size,
            on_error=self.on_error,
            region_of=region_of,
        )

    def fingerprint(self) -> str:
        """Return a digest that changes when a file or its place in the order does.

        Of each file: path, size, and the times of its last change of contents and of
        its entry; the latter cannot be set back by copying or `touch`.
        """
        geometry = f"{self.image_size} {self.region_of or ''}".strip()
        digest = hashlib.sha256(f"files {DECODING} {geometry}".encode())
        for path in self.paths:
            digest.update(f"{os.path.abspath(path)}\0{_facts(path)}\n".encode())
        return digest.hexdigest()


def _facts(path: str) -> tuple:
    try:
        stat = os.stat(path)
    except OSError:
        return ("absent",)
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


class ArrayPictures:
    """Rows of an array: pictures, or activations computed from them.

    Args:
        array: (n, ...); a memory map is read as needed.
        paths: Of the files that the rows come from, or None.
        origin: Digest of all that the rows were computed from; without it they are
            known by their contents.
    """

    def __init__(self, array: np.ndarray, *, paths=None, origin: str | None = None):
        self.array = array
        self.paths = paths
        self.origin = origin
        self.shape = tuple(array.shape[1:])
        self.dtype = array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def fetch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows at `indices` and a mask that is True throughout."""
        return self.array[indices], np.ones(len(indices), bool)

    def subset(self, indices) -> "ArrayPictures | ChosenPictures":
        """Return the rows at `indices` alone; copied, but for a memory map's."""
        if isinstance(self.array, np.memmap):
            return ChosenPictures(self, indices)
        chosen = _chosen(self.paths, indices)
        return ArrayPictures(self.array[np.asarray(indices)], paths=chosen)

    def fingerprint(self) -> str:
        """Return a digest of origin or contents."""
        if self.origin is not None:
            return self.origin
        digest = hashlib.sha256(f"array {self.dtype} {self.array.shape}".encode())
        for start in range(0, len(self.array), 256):
            digest.update(np.ascontiguousarray(self.array[start : start + 256]))
        return digest.hexdigest()


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
        # Now: what is remembered may be older than the files are later.
        self._origin = pictures.fingerprint()

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
        known = self._known[indices]  # first: another thread may be filling in more
        return self._array[indices], known

    def subset(self, indices) -> "ChosenPictures":
        """Return the pictures at `indices` alone, remembered here."""
        return ChosenPictures(self, indices)

    def fingerprint(self) -> str:
        """Return the digest of what is remembered."""
        return self._origin


class ChosenPictures:
    """Some of the pictures of another object, without a copy.

    Args:
        pictures: The object.
        indices: (n,) integers, which of its pictures, in this order.
    """

    def __init__(self, pictures, indices):
        self.pictures = pictures
        self.indices = np.asarray(indices, "int64")
        self.paths = _chosen(pictures.paths, self.indices)
        self.shape, self.dtype = pictures.shape, pictures.dtype

    def __len__(self) -> int:
        return len(self.indices)

    def fetch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pictures and a mask of those that are fine."""
        return self.pictures.fetch(self.indices[indices])

    def subset(self, indices) -> "ChosenPictures":
        """Return the pictures at `indices` alone."""
        return ChosenPictures(self.pictures, self.indices[np.asarray(indices)])

    def fingerprint(self) -> str:
        """Return a digest of the other object's and of the choice."""
        digest = hashlib.sha256(f"chosen {self.pictures.fingerprint()}".encode())
        digest.update(self.indices.tobytes())
        return digest.hexdigest()


def _chosen(paths, indices) -> tuple[str, ...] | None:
    return None if paths is None else tuple(paths[i] for i in indices)
