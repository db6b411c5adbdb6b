"""Hostile pictures through every door of a recognizer, and damage to its folder."""

import pathlib
import shutil
from collections.abc import Iterator

import numpy as np

from tests.face import hostile_pictures
from tftransfer.face import FaceRecognizer
from tftransfer.face import Gallery
from tftransfer.face import as_photograph

RESULT, REFUSED = "a result", "refused"
_DEEP = b"[" * 200_000


def outcome(call) -> str:
    """Return RESULT, REFUSED where an error says why, else what was wrong with it."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - which of them come is the question
        text = str(error)
        told = "Expected" in text and "Received" in text
        if isinstance(error, ValueError | TypeError) and told:
            return REFUSED
        if isinstance(error, OSError) and (told or error.strerror):
            return REFUSED
        return f"{type(error).__name__}: {text[:200]}"
    return RESULT


def people_in(gallery) -> dict[str, bytes]:
    """Return the people of a gallery and their embeddings, to be compared."""
    return {name: gallery.embeddings(name).tobytes() for name in gallery.names}


def thrown(recognizer: FaceRecognizer, picture, known) -> dict[str, str]:
    """Give a picture to all that takes pictures; `known` shows Grace, who is enrolled.

    Returns:
        The outcome of each, by its name.
    """
    before = people_in(recognizer.gallery)
    found = {
        "as_photograph": outcome(lambda: as_photograph(picture)),
        "detect_batch": outcome(
            lambda: recognizer.detector.detect_batch([known, picture])
        ),
        "verify": outcome(lambda: recognizer.verify(known, picture)),
        "find_all": outcome(lambda: recognizer.find_all(picture)),
        "identify_many": _among_others(recognizer, picture, known),
        # Last: it may show the face of `known`, who would be taken for Mallory.
        "enroll": outcome(lambda: recognizer.enroll("Mallory", [picture])),
    }
    if found["enroll"] == RESULT:
        recognizer.forget("Mallory")
    if people_in(recognizer.gallery) != before:
        found["the gallery"] = "others than before"
    return found


def _among_others(recognizer, picture, known) -> str:
    found = []

    def run():
        found.extend(recognizer.identify_many([known, picture, known]))

    told = outcome(run)
    if told != RESULT:
        return told
    first, hostile, last = found
    if [each.name for each in (*first.found, *last.found)] != ["Grace", "Grace"]:
        return "the pictures beside it came out otherwise"
    return REFUSED if hostile.error else RESULT


def damaged(
    folder: pathlib.Path, pattern: str, count: int, seed: int = 0
) -> Iterator[tuple[str, pathlib.Path]]:
    """Yield (what was done, copy of a folder), a file broken in each.

    Args:
        folder: Of a recognizer; it stays as it is.
        pattern: Of the files to break, in turn.
        count: Number of copies.
        seed: Of the damage.
    """
    files = sorted(path.relative_to(folder) for path in folder.glob(pattern))
    contents = {str(file): (folder / file).read_bytes() for file in files}
    copy = folder.with_name(f"{folder.name}_damaged")
    first = [(name, way) for name in contents for way in _WHOLLY]
    broken = hostile_pictures.fuzzed(contents, count, seed, pictures=False)
    for place in range(count):
        shutil.copytree(folder, copy)
        if place < len(first):
            name, way = first[place]
            _WHOLLY[way](copy / name)
            yield f"{name}, {way}", copy
        else:
            told, data = next(broken)
            (copy / told.partition(",")[0]).write_bytes(data)
            yield told, copy
        shutil.rmtree(copy)


def _as_folder(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


_WHOLLY = {
    "removed": pathlib.Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a folder": _as_folder,
    "another JSON": lambda path: path.write_text('{"format": 1, "version": 1}'),
    "a list": lambda path: path.write_text("[1, 2]"),
    "nested JSON": lambda path: path.write_bytes(_DEEP),
    "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(4000)),
}


def opened(folder: pathlib.Path, known, truth: dict, **options) -> str:
    """Open a recognizer, use it, and compare its people with the `truth`.

    Returns:
        The outcome; that of a refusal is another where files changed meanwhile.
    """
    before = _bytes_below(folder)
    found = {}

    def run():
        with FaceRecognizer.open(folder, **options) as recognizer:
            found.update(people_in(recognizer.gallery))
            recognizer.identify(known)

    told = outcome(run)
    if told == RESULT and found != truth:
        return "opened with other people"
    if told == REFUSED and _bytes_below(folder) != before:
        return "refused, but files changed"
    return told


def _bytes_below(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def salvaged(folder: pathlib.Path, truth: dict) -> str:
    """Read what is whole of a damaged gallery: nobody else, and nothing changed."""
    before, found = _bytes_below(folder), {}
    told = outcome(
        lambda: found.update(people_in(Gallery.open(folder, on_damage="skip")))
    )
    if _bytes_below(folder) != before:
        return "files changed"
    return told if found.items() <= truth.items() else "salvaged other people"
