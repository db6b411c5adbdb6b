"""Encoded pictures to squares in a few threads, each picture failing for itself."""

import asyncio
import concurrent.futures
import functools
import io
import os

import numpy as np
from PIL import Image

from tftransfer.data.decode import UnreadablePicture
from tftransfer.data.decode import decode_bytes

_MOST_THREADS = 8  # a picture of 25 megapixels takes some 300 MB while it is decoded
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP")
# The same words as in the `error` of our SavedModels.
_EMPTY = "empty: no bytes received"
_UNKNOWN = "unknown format: expected JPEG, PNG, GIF, BMP or WebP"
_TOO_LARGE = "too large: more than {} pixels"
_BROKEN = "undecodable: truncated or corrupt picture"


class Decoder:
    """Decodes pictures, no more at once than it has threads.

    Args:
        image_size: Pixels of the squares.
        max_pixels: Width times height from where a picture is refused by its header.
    """

    def __init__(self, *, image_size: int, max_pixels: int):
        self.image_size = image_size
        self.max_pixels = max_pixels
        self._threads = concurrent.futures.ThreadPoolExecutor(
            min(_MOST_THREADS, os.cpu_count() or 1), "decode"
        )

    async def decode(
        self, pictures: list[bytes]
    ) -> tuple[list[np.ndarray | None], list[str]]:
        """Return squares, uint8 (size, size, 3), None where broken; and the errors."""
        found = await asyncio.gather(
            *(self.run(self._decode_one, contents) for contents in pictures)
        )
        return [square for square, _ in found], [error for _, error in found]

    async def run(self, function, *arguments):
        """Return `function(*arguments)`, called in one of the threads."""
        loop = asyncio.get_running_loop()
        call = functools.partial(function, *arguments)
        return await loop.run_in_executor(self._threads, call)

    def close(self) -> None:
        """Let the threads end; what has not begun is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _decode_one(self, contents: bytes) -> tuple[np.ndarray | None, str]:
        error = self._refusal(contents)
        if error:
            return None, error
        try:
            return decode_bytes(contents, image_size=self.image_size), ""
        except UnreadablePicture:
            return None, _BROKEN

    def _refusal(self, contents: bytes) -> str:
        """Return why a picture is not decoded, by its header alone."""
        if not contents:
            return _EMPTY
        too_large = _TOO_LARGE.format(self.max_pixels)
        try:
            with Image.open(io.BytesIO(contents), formats=_FORMATS) as image:
                large = image.width * image.height > self.max_pixels
        except Image.UnidentifiedImageError:
            return _UNKNOWN
        except Image.DecompressionBombError:
            return too_large
        except Exception:  # noqa: BLE001 - Pillow's plugins raise what they like
            return _BROKEN
        return too_large if large else ""
