"""Pictures to faces with embeddings, a few pictures at a time."""

import dataclasses
import os
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tftransfer.data.decode import reason_of
from tftransfer.face.found import Face
from tftransfer.face.photographs import as_photograph
from tftransfer.face.photographs import pixels_of

_PICTURES, _PIXELS = 16, 40_000_000  # decoded and worked on at once: bounds the memory


@dataclasses.dataclass(frozen=True)
class Seen:
    """One picture and its faces.

    Args:
        picture: Its path, or "picture 3" for the fourth of a list of arrays.
        faces: The faces, the largest first.
        embeddings: float32 (faces, dimension), of unit length, in the same order.
        error: Why the picture could not be read, or a face of it not be embedded;
            None where all went well.
    """

    picture: str
    faces: list[Face]
    embeddings: np.ndarray
    error: str | None = None


def read_faces(
    pictures: Iterable, detector, embedder, *, largest: bool = False
) -> Iterator[Seen]:
    """Find and embed the faces of pictures, in order.

    Sixteen pictures are in memory at a time, fewer where they are large. One that
    cannot be read, or has a face that cannot be embedded, yields its error, and the
    next follow.

    Args:
        pictures: Of the forms of `as_photograph`.
        detector: Finds faces: `detect_batch(photographs)`.
        embedder: An `Embedder`.
        largest: Whether only the largest face of each picture is embedded; `faces`
            still holds all.

    Yields:
        A `Seen` per picture.
    """
    for names, photographs in _chunks(pictures):
        yield from _seen(names, photographs, detector, embedder, largest)


def found_faces(
    pictures: Iterable, detector
) -> Iterator[tuple[str, np.ndarray | None, list[Face], str | None]]:
    """Find the faces of pictures, in order and as many at a time as `read_faces`.

    Args:
        pictures: Of the forms of `as_photograph`.
        detector: Finds faces: `detect_batch(photographs)`.

    Yields:
        (name, photograph or None, faces, the largest first, error or None).
    """
    for names, photographs in _chunks(pictures):
        faces = _detected(photographs, detector)
        for name, photograph, found in zip(names, photographs, faces):
            if isinstance(photograph, str):
                yield name, None, [], photograph
            else:
                yield name, photograph, found, None


def name_of(picture, place: int) -> str:
    """Return a picture's path, or "picture 3" for the fourth that has none."""
    known = isinstance(picture, str | os.PathLike)
    return os.fspath(picture) if known else f"picture {place}"


def _chunks(pictures: Iterable) -> Iterator[tuple[list, list]]:
    """Yield names and photographs, or why there is none, of a few pictures."""
    with ThreadPoolExecutor(max(2, os.cpu_count() or 2), "photographs") as pool:
        for few in _groups(pictures):
            names = [name for name, _ in few]
            yield names, list(pool.map(_opened, [picture for _, picture in few]))


def _groups(pictures: Iterable) -> Iterator[list[tuple]]:
    """Yield lists of (name, picture) that are small enough to be decoded at once."""
    few, pixels = [], 0
    for place, picture in enumerate(pictures):
        size = pixels_of(picture)
        if few and (len(few) == _PICTURES or pixels + size > _PIXELS):
            yield few
            few, pixels = [], 0
        few.append((name_of(picture, place), picture))
        pixels += size
    if few:
        yield few


def _opened(picture) -> np.ndarray | str:
    """Return the pixels, or why there are none."""
    try:
        return as_photograph(picture)
    except (OSError, ValueError, TypeError) as error:
        return reason_of(error)


def _seen(names, photographs, detector, embedder, largest) -> Iterator[Seen]:
    faces = _detected(photographs, detector)
    crops = [
        [embedder.prepare(photograph, face) for face in found[: 1 if largest else None]]
        for photograph, found in zip(photographs, faces)
    ]
    embedded = _embedded(crops, embedder)
    for name, photograph, found, rows in zip(names, photographs, faces, embedded):
        error = photograph if isinstance(photograph, str) else None
        if isinstance(rows, str):
            error, found, rows = rows, [], np.zeros((0, embedder.dimension), "float32")
        yield Seen(name, found, rows, error)


def _embedded(crops: list[list], embedder) -> list[np.ndarray | str]:
    """Return the embeddings of each picture's crops, or why there are none."""
    none = np.zeros((0, embedder.size, embedder.size, 3), "uint8")
    try:
        every = [crop for few in crops for crop in few]
        rows = embedder.embed(np.stack(every) if every else none)
    except ValueError as error:
        # One picture's net output may be no vector: the others are worth having.
        if len(crops) == 1:
            return [reason_of(error)]
        return [_embedded([few], embedder)[0] for few in crops]
    return np.split(rows, np.cumsum([len(few) for few in crops])[:-1])


def _detected(photographs, detector) -> list[list[Face]]:
    """Return the faces of each, the largest first; none of what is no picture."""
    fine = [p for p in photographs if not isinstance(p, str)]
    found = iter(detector.detect_batch(fine) if fine else [])
    return [[] if isinstance(p, str) else _by_size(next(found)) for p in photographs]


def _by_size(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: -face.width * face.height)
