"""Weights of MTCNN: from the package `mtcnn`, once, into a checked file of the cache.

The package ships a joblib pickle per net. Unpickling runs what a file says, so nothing
is unpickled here: each file is that of mtcnn 1.0.0, byte for byte, or refused, and its
arrays are read at the places where they are known to stand. Later only the `.npz`
in the cache is read, and compared with a digest of the arrays.

mtcnn 1.0.0 is Ivan de Paz Centeno's, MIT License; its weights are those of the paper's
authors.
"""

import contextlib
import hashlib
import importlib.util
import os
import pathlib
import tempfile
import zipfile
import zlib

import numpy as np

from tftransfer.backbones.published import WeightsNotFoundError
from tftransfer.backbones.published import cache_folder
from tftransfer.face.detection.mtcnn_layers import weight_shapes

FILE_NAME = "mtcnn_1.0.0.npz"
_DIGEST = "303466d85b871c6bf22b0d0f5ddb1e03d244fb2ac95b2077ba756e6c64a20de6"
_UNREADABLE = (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)

# net -> SHA-256 of its file in mtcnn 1.0.0, and where, unpacked, each array begins
_PACKED = {
    "pnet": (
        "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
        "240 1376 1472 1568 7376 7504 7632 26112 26304 26496 27056 27136 27440",
    ),
    "rnet": (
        "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
        "240 3312 3488 3664 52096 52352 52608 101808 102128 102448 397408 397968 "
        "398528 400624 400688 401760",
    ),
    "onet": (
        "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
        "240 3744 3936 4128 77904 78224 78544 226048 226368 226688 357808 358384 "
        "358960 1538656 1539728 1540816 1544960 1545040 1555328 1555424 1557520",
    ),
}
_GET_THEM = (
    "Install the package that ships them, `pip install tftransfer[face]`, or give the "
    f"path of a '{FILE_NAME}' made where it is installed."
)


def read_mtcnn_weights(path: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Return the weights of MTCNN's nets: all of them, or an error.

    Args:
        path: An `.npz` with an array per weight, "pnet/conv1/kernel" and so on, as the
            cache's is. None: the published weights, from the cache or else from the
            package `mtcnn`, and then into the cache.

    Raises:
        FileNotFoundError: When there is no file at `path`.
        ValueError: When it lacks a weight, or has one of another shape.
        WeightsNotFoundError: When the published weights are neither in the cache nor in
            an installed mtcnn 1.0.0.
    """
    shapes = weight_shapes()
    return _published(shapes) if path is None else _read(pathlib.Path(path), shapes)


def save_mtcnn_weights(weights: dict, path: str | os.PathLike) -> None:
    """Write an `.npz` that `read_mtcnn_weights` reads, whole or not at all."""
    _write(pathlib.Path(path), weights)


def _published(shapes) -> dict:
    cached = cache_folder() / FILE_NAME
    with contextlib.suppress(OSError, ValueError):  # absent or damaged: made anew
        arrays = _read(cached, shapes)
        if _digest(arrays) == _DIGEST:
            return arrays
    arrays = _unpacked(shapes)
    with contextlib.suppress(OSError):  # a cache that cannot be written: not cached
        _write(cached, arrays)
    return arrays


def _read(path: pathlib.Path, shapes: dict) -> dict:
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected `weights` to be None or the path of an .npz file. Received: "
            f"'{path}', where there is none."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {k: np.asarray(file[k], "float32") for k in shapes if k in file}
    except _UNREADABLE as error:
        raise ValueError(
            f"Expected '{path}' to be an .npz file of arrays. Received: {error}. "
            f"{_GET_THEM}"
        ) from error
    for key, shape in shapes.items():
        found = arrays[key].shape if key in arrays else "none"
        if found == shape and not np.isfinite(arrays[key]).all():
            found = "values that are not finite"
        if found != shape:
            raise ValueError(
                f"Expected '{path}' to hold '{key}' of shape {shape}. Received: "
                f"{found}. {_GET_THEM}"
            )
    return arrays


def _write(path: pathlib.Path, arrays: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = pathlib.Path(folder) / path.name
        np.savez(part, **arrays)
        os.replace(part, path)


def _unpacked(shapes: dict) -> dict:
    package = importlib.util.find_spec("mtcnn")
    if package is None or importlib.util.find_spec("lz4") is None:
        raise WeightsNotFoundError(
            f"Expected the weights of MTCNN in '{cache_folder() / FILE_NAME}' or the "
            f"package mtcnn 1.0.0. Received neither. {_GET_THEM}"
        )
    folder = pathlib.Path(package.origin).parent / "assets" / "weights"
    arrays = {}
    for net, (checksum, places) in _PACKED.items():
        contents = _unpack(folder / f"{net}.lz4", checksum)
        keys = [key for key in shapes if key.startswith(f"{net}/")]
        for key, place in zip(keys, places.split(), strict=True):
            count = int(np.prod(shapes[key]))
            flat = np.frombuffer(contents, "<f4", count, int(place))
            arrays[key] = flat.reshape(shapes[key])
    return arrays


def _unpack(path: pathlib.Path, checksum: str) -> bytes:
    import lz4.frame

    packed = path.read_bytes() if path.is_file() else b""
    found = hashlib.sha256(packed).hexdigest()
    if found != checksum:
        raise WeightsNotFoundError(
            f"Expected '{path}' to be that of mtcnn 1.0.0, SHA-256 {checksum}. "
            f"Received: {found if packed else 'no file'}. `pip install mtcnn==1.0.0`."
        )
    return lz4.frame.decompress(packed)


def _digest(arrays: dict) -> str:
    digest = hashlib.sha256()
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key], "<f4")
        digest.update(f"{key} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
