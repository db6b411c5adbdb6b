"""Nested or flat lists of JSON numbers, and raw bytes, to arrays of pixels."""

import itertools
import math

import numpy as np

from tftransfer.server.problems import bad
from tftransfer.server.problems import shown

_RAW = {"FP32": np.dtype("<f4"), "UINT8": np.dtype("u1")}


def nested_pixels(value, image_size: int) -> np.ndarray:
    """Return float32 (n, size, size, 3) from lists nested four deep."""
    if not isinstance(value, list):
        raise bad(f"Expected lists of pixels. Received: {shown(value)}.")
    shape = (len(value), image_size, image_size, 3)
    return numbers(_flattened(value, shape), "FP32").reshape(shape)


def shaped_pixels(value, shape: tuple[int, ...], datatype: str) -> np.ndarray:
    """Return an array of `shape` from a flat list of numbers or from nested ones."""
    if not isinstance(value, list):
        raise bad(f"Expected a list of numbers. Received: {shown(value)}.")
    nested = bool(value) and isinstance(value[0], list)
    flat = _flattened(value, shape) if nested else value
    if len(flat) != math.prod(shape):
        raise bad(f"Expected {math.prod(shape)} numbers. Received: {len(flat)}.")
    return numbers(flat, datatype).reshape(shape)


def raw_pixels(raw: bytes, shape: tuple[int, ...], datatype: str) -> np.ndarray:
    """Return an array of `shape` from little-endian bytes."""
    dtype = _RAW[datatype]
    wanted = math.prod(shape) * dtype.itemsize
    if len(raw) != wanted:
        raise bad(f"Expected {wanted} bytes of {datatype}. Received: {len(raw)}.")
    array = np.frombuffer(raw, dtype).reshape(shape)
    return _finite(array) if datatype == "FP32" else array


def numbers(flat: list, datatype: str) -> np.ndarray:
    """Return JSON numbers as float32 or uint8; what cannot be one is refused."""
    # By type, not by NumPy: it would take "1", true and null for numbers.
    strange = set(map(type, flat)) - {int, float}
    if strange:
        kinds = ", ".join(sorted(kind.__name__ for kind in strange))
        raise bad(f"Expected numbers. Received: {kinds} among them.")
    try:
        with np.errstate(over="ignore"):
            array = np.array(flat, np.float32)
    except OverflowError as error:
        raise bad("Expected float32 numbers. Received: larger ones.") from error
    _finite(array)
    if datatype == "FP32":
        return array
    whole = array.astype(np.uint8) if ((array >= 0) & (array <= 255)).all() else None
    if whole is None or (whole != array).any():
        raise bad("Expected whole numbers from 0 to 255. Received: others.")
    return whole


def _finite(array: np.ndarray) -> np.ndarray:
    if not np.isfinite(array).all():
        raise bad("Expected finite float32 numbers. Received: others among them.")
    return array


def _flattened(value: list, shape: tuple[int, ...]) -> list:
    level = [value]
    for depth, length in enumerate(shape):
        for part in level:
            if type(part) is not list or len(part) != length:
                raise bad(
                    f"Expected lists of shape {list(shape)}. Received: {shown(part)} "
                    f"at depth {depth}."
                )
        level = list(itertools.chain.from_iterable(level))
    return level
