"""Photographs of any form to uint8 RGB at their own size: what faces are found in.

No TensorFlow here.
"""

import os
from collections.abc import Iterable

import numpy as np
from PIL import Image

from tftransfer.data.decode import MAX_PIXELS
from tftransfer.data.decode import UnreadablePicture
from tftransfer.data.decode import decode_image
from tftransfer.data.decode import header_size
from tftransfer.data.decode import upright_rgb

_FORMS = (
    "a path, encoded bytes, a PIL picture or an array (height, width), (height, "
    "width, 1), (height, width, 3) or (height, width, 4)"
)


def as_photograph(picture) -> np.ndarray:
    """Return a picture as RGB pixels at its own size.

    Args:
        picture: Path or encoded bytes (JPEG, PNG, GIF, BMP, WebP; EXIF orientation is
            applied), a PIL picture, or an array of uint8, of other numbers in
            [0, 255], or of floats in [0, 1], which are taken as such when none is
            above 1. Grey, one channel or RGBA (transparent parts turn white).

    Returns:
        uint8 (height, width, 3), RGB in [0, 255].

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When a file is no whole picture or has more than 89 megapixels, or
            an array has another shape, no pixels, values outside [0, 255] or no number.
        TypeError: When it is nothing of these, or a batch or list of them.

    Example:
        >>> as_photograph(np.full((4, 6), 0.5)).shape
        (4, 6, 3)
    """
    if isinstance(picture, str | os.PathLike | bytes):
        return decode_image(picture)
    if isinstance(picture, Image.Image):
        _check_size(*picture.size)
        if picture.mode == "F":  # Pillow's own conversion turns [0, 1] black
            return _of_array(np.asarray(picture))
        try:
            return np.asarray(upright_rgb(picture))
        except Exception as error:  # Pillow's decoders raise errors of many types
            raise UnreadablePicture("the PIL picture", str(error)) from error
    if isinstance(picture, list | tuple) or not hasattr(picture, "__array__"):
        raise TypeError(
            f"Expected one picture: {_FORMS}. Received: {type(picture).__name__}."
        )
    return _of_array(np.asarray(picture))


def pixels_of(picture) -> int:
    """Return how many pixels `as_photograph` will make, reading a file's header alone.

    0 for what is no picture, which `as_photograph` refuses.
    """
    try:
        if isinstance(picture, str | os.PathLike | bytes):
            width, height = header_size(picture)
        elif isinstance(picture, Image.Image):
            width, height = picture.size
        else:
            height, width = np.shape(picture)[:2]
    except (OSError, ValueError, TypeError):
        return 0
    return width * height


def check_several(pictures) -> None:
    """Refuse one picture where several are expected: it too can be iterated over.

    Raises:
        TypeError: When `pictures` is one picture, or cannot be iterated over.
    """
    array = hasattr(pictures, "ndim") and pictures.ndim < 4
    single = isinstance(pictures, str | bytes | os.PathLike) or array
    if single or not isinstance(pictures, Iterable):
        kind = f"array {pictures.shape}" if array else type(pictures).__name__
        raise TypeError(
            f"Expected several pictures. Received: {kind}. Put one picture in a list."
        )


def _of_array(array: np.ndarray) -> np.ndarray:
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 1)
    if not grey and not (array.ndim == 3 and array.shape[-1] in (3, 4)):
        raise ValueError(f"Expected one picture: {_FORMS}. Received: {array.shape}.")
    _check_size(*array.shape[1::-1])
    array = _as_uint8(array)
    if grey:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=-1)
    if array.shape[-1] == 4:
        return np.asarray(upright_rgb(Image.fromarray(array)))
    return np.ascontiguousarray(array)


def _check_size(width: int, height: int) -> None:
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(
            f"Expected a picture of 1 to {MAX_PIXELS} pixels. Received: {width} x "
            f"{height}."
        )


def _as_uint8(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "uifb":
        raise TypeError(f"Expected an array of numbers. Received: {array.dtype}.")
    low, high = float(array.min()), float(array.max())
    if not 0 <= low <= high <= 255:  # nor where one is not a number
        raise ValueError(
            "Expected values in [0, 255], or floats in [0, 1]. Received: values from "
            f"{low:g} to {high:g}. Scale them."
        )
    unit = array.dtype.kind == "b" or (array.dtype.kind == "f" and high <= 1)
    return np.rint(array.astype("float32") * (255 if unit else 1)).astype("uint8")
