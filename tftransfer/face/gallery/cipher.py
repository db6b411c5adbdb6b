"""Encryption at rest: AES-GCM of the library `cryptography`, or nothing."""

import base64
import os

import numpy as np

_NONCE = 12  # bytes, as NIST SP 800-38D recommends
_TAG = 16


class PlainText:
    """Leaves bytes as they are: the gallery without a key."""

    def close_line(self, line: bytes, place: str) -> bytes:
        """Return a line as it is written."""
        return line

    def open_line(self, line: bytes, place: str) -> bytes:
        """Return a line as it was before `close_line`."""
        return line

    def close_rows(self, rows: np.ndarray, place: str) -> tuple[bytes, str]:
        """Return embeddings as bytes of the same length, and what opens them."""
        return rows.astype("<f4", copy=False).tobytes(), ""


class Cipher(PlainText):
    """AES-GCM with a key of 32 bytes; each line and each embedding at its own place.

    Args:
        key: 32 random bytes, `os.urandom(32)`, kept apart from the gallery.

    Raises:
        TypeError: When the key is no bytes.
        ValueError: When it has another length.
        ImportError: When `cryptography` is not installed.
    """

    def __init__(self, key: bytes):
        if not isinstance(key, bytes):
            raise TypeError(
                f"Expected a `key` of 32 bytes. Received: {type(key).__name__}."
            )
        if len(key) != 32:
            raise ValueError(
                f"Expected a `key` of 32 bytes. Received: {len(key)} bytes. Make one "
                "with `os.urandom(32)`."
            )
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise ImportError(
                "Expected the package cryptography for a `key`. Received none: `pip "
                "install 'tftransfer[encryption]'`."
            ) from error
        self._aes, self._invalid = AESGCM(key), InvalidTag

    def close_line(self, line: bytes, place: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return base64.b64encode(nonce + self._aes.encrypt(nonce, line, place.encode()))

    def open_line(self, line: bytes, place: str) -> bytes:
        sealed = base64.b64decode(line, validate=True)
        return self._open(sealed[:_NONCE], sealed[_NONCE:], place)

    def close_rows(self, rows: np.ndarray, place: str) -> tuple[bytes, str]:
        nonce = os.urandom(_NONCE)
        data = rows.astype("<f4", copy=False).tobytes()
        sealed = self._aes.encrypt(nonce, data, place.encode())
        return sealed[:-_TAG], (nonce + sealed[-_TAG:]).hex()

    def open_rows(self, data, seal: str, place: str) -> bytes:
        """Return bytes of embeddings as they were before `close_rows`."""
        sealed = bytes.fromhex(seal)
        return self._open(sealed[:_NONCE], bytes(data) + sealed[_NONCE:], place)

    def _open(self, nonce: bytes, sealed: bytes, place: str) -> bytes:
        try:
            return self._aes.decrypt(nonce, sealed, place.encode())
        except self._invalid as error:
            raise ValueError("the key does not open it") from error
