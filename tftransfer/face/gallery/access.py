"""Who may open a gallery's folder: one writer, the right embedder, the right key."""

import contextlib
import io
import os
import pathlib
import sys

from tftransfer.face.gallery.cipher import Cipher
from tftransfer.face.gallery.cipher import PlainText
from tftransfer.face.gallery.errors import GalleryLocked
from tftransfer.face.gallery.manifest import Manifest

try:
    import fcntl
except ImportError:  # not POSIX: for galleries in memory, and to read
    fcntl = None

_WORD = b"tftransfer"


class _LockFile(io.FileIO):
    """A file that lets go of its lock when the process that took it closes it.

    A forked child shares the lock. Closing alone would keep the folder locked as long
    as the child lives; a child that closes its copy leaves the lock to its parent.
    """

    def __init__(self, path: pathlib.Path):
        super().__init__(path, "wb")
        self._owner = os.getpid()

    def close(self) -> None:
        """Let go of the lock, where it is this process', and of the file."""
        try:
            if not self.closed and os.getpid() == self._owner:
                fcntl.flock(self, fcntl.LOCK_UN)
        finally:
            super().close()


def check_can_lock(folder: pathlib.Path) -> None:
    """Refuse to write where the system has no file locks.

    Raises:
        OSError: When it has none.
    """
    if fcntl is None:
        raise OSError(
            "Expected a POSIX system (macOS, Linux, WSL) to write the gallery "
            f"'{folder}'. Received: '{sys.platform}', which has no file locks. Write "
            "it on one of those; `Gallery(dimension)` in memory works here, too."
        )


def locked(path: pathlib.Path) -> _LockFile:
    """Return the lock file, open and locked until it is closed or its process ends.

    Raises:
        GalleryLocked: When another holds it.
    """
    file = _LockFile(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise GalleryLocked(
            f"Expected to be the only writer of the gallery '{path.parent}'. Received: "
            "another writer has it open. Close that one, or read with "
            "`Gallery.open(folder, read_only=True)`."
        ) from error
    return file


def cipher_of(key: bytes | None) -> PlainText:
    """Return what encrypts with `key`."""
    return PlainText() if key is None else Cipher(key)


def key_check(cipher: PlainText) -> str:
    """Return a sealed word that `check_access` opens to know the key."""
    return cipher.close_line(_WORD, "key").decode()


def check_access(
    folder: pathlib.Path,
    manifest: Manifest,
    dimension: int | None,
    fingerprint: str | None,
    cipher: PlainText,
) -> None:
    """Refuse a gallery of another embedder or with another key.

    Raises:
        ValueError: When it is one.
    """
    if dimension is not None and dimension != manifest.dimension:
        raise ValueError(
            f"Expected embeddings of length {dimension}. Received: the gallery "
            f"'{folder}' of length {manifest.dimension}, made with another embedder. "
            "Use that one, or enroll anew in another folder."
        )
    if fingerprint is not None and fingerprint != manifest.fingerprint:
        raise ValueError(
            f"Expected a gallery of the embedder '{fingerprint}'. Received: '{folder}' "
            f"of '{manifest.fingerprint}'. Embeddings of two nets cannot be compared: "
            "use that embedder, or enroll anew in another folder."
        )
    keyed = type(cipher) is not PlainText
    if keyed and manifest.key_check is None:
        raise ValueError(
            f"Expected an encrypted gallery for this `key`. Received: '{folder}', "
            "which is plain. Open it without a key; `save(new_folder, key=key)` "
            "encrypts a copy."
        )
    if not keyed and manifest.key_check is not None:
        raise ValueError(
            f"Expected a gallery without encryption. Received: '{folder}', which is "
            "encrypted. Pass its `key`."
        )
    if keyed and not _opens(cipher, manifest.key_check):
        raise ValueError(
            f"Expected the `key` that '{folder}' was encrypted with. Received another."
        )


def _opens(cipher: PlainText, sealed: str) -> bool:
    with contextlib.suppress(ValueError):
        return cipher.open_line(sealed.encode(), "key") == _WORD
    return False
