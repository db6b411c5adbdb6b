"""Arrays on disk by what they were computed from: activations, decoded pictures.

No lock: each writer has a file of its own, and one `os.replace` makes it the entry.
Two processes that compute the same write the same; a process that dies leaves nothing
but a part file, which is removed later.
"""

import hashlib
import json
import os
import pathlib
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

import numpy as np

_ABANDONED = 24 * 3600  # seconds after which a part file's writer is taken for dead


class ActivationCache:
    """A folder of memory-mapped arrays, found by a digest of their origin.

    Args:
        folder: Where to keep them; made when absent. Its entries may be deleted at any
            time.

    Example:
        >>> import tempfile
        >>> cache = ActivationCache(tempfile.mkdtemp())
        >>> key = {"weights": "abc", "data": "def"}
        >>> cache.get(key, lambda: [np.zeros((2, 3)), np.ones((1, 3))]).shape
        (3, 3)
        >>> cache.get(key, lambda: []).shape  # read, not computed
        (3, 3)
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()

    def get(
        self, key: Mapping, compute: Callable[[], Iterable[np.ndarray]]
    ) -> np.ndarray:
        """Return the array of `key`, computed and stored when it is not there.

        Args:
            key: All that the array depends on, JSON-safe: digests of weights and data,
                endpoint, preprocessing, geometry. Another value is another entry.
            compute: Called when needed; yields the rows in pieces (m, ...), so that
                memory does not grow with their number.

        Returns:
            A read-only memory map (n, ...).

        Raises:
            ValueError: When `compute` yields nothing.
            OSError: When the disk is full; the part written is removed.
        """
        path = self.folder / f"{self.digest(key)}.npy"
        found = _read(path)
        if found is not None:
            return found
        part = self.folder / f"{path.stem}.{uuid.uuid4().hex}.part"
        try:
            _write(part, compute())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        return np.load(path, mmap_mode="r")

    def __contains__(self, key: Mapping) -> bool:
        return (self.folder / f"{self.digest(key)}.npy").exists()

    @staticmethod
    def digest(key: Mapping) -> str:
        """Return the hexadecimal SHA-256 of a key."""
        text = json.dumps(key, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _remove_abandoned(self) -> None:
        for part in self.folder.glob("*.part"):
            try:
                if time.time() - part.stat().st_mtime > _ABANDONED:
                    part.unlink()
            except FileNotFoundError:
                continue  # another process was first


def _read(path: pathlib.Path) -> np.ndarray | None:
    try:
        return np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    except (ValueError, EOFError, OSError):
        # Shorter than its header says, or no array: damaged, so computed again.
        return None


def _write(path: pathlib.Path, pieces: Iterable[np.ndarray]) -> None:
    """Write rows as one .npy file whose header is completed at the end."""
    shape, dtype = None, None
    with open(path, "wb") as file:
        for piece in pieces:
            piece = np.ascontiguousarray(piece)
            if shape is None:
                shape, dtype = [0, *piece.shape[1:]], piece.dtype
                _write_header(file, shape, dtype)
            if list(piece.shape[1:]) != shape[1:]:
                raise ValueError(
                    f"Expected pieces of rows {tuple(shape[1:])}, as the first. "
                    f"Received: {piece.shape[1:]}."
                )
            shape[0] += len(piece)
            file.write(piece.astype(dtype, copy=False).data)
        if shape is None:
            raise ValueError("Expected at least one row to keep. Received none.")
        file.seek(0)
        _write_header(file, shape, dtype)
        file.flush()
        os.fsync(file.fileno())


def _write_header(file, shape: list[int], dtype: np.dtype) -> None:
    """Write a header of format 1.0: 256 bytes, which fit any row count and align."""
    fields = {"descr": dtype.str, "fortran_order": False, "shape": tuple(shape)}
    text = repr(fields).encode().ljust(245) + b"\n"
    file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
