"""Fills the folder of a new FaceRecognizer so that a killed process may be repeated.

In the folder itself and not in one beside it that takes its place at the end: it may be
a mounted volume or the current folder, which no other can replace.
"""

import contextlib
import pathlib
import re
import shutil
from collections.abc import Iterator

from tftransfer.face.gallery.access import locked
from tftransfer.face.gallery.errors import GalleryLocked
from tftransfer.face.recognizer_settings import SETTINGS

_MARK = "unfinished"  # locked while a process fills the folder; stays when it is killed
_OURS = re.compile(rf"embedder|gallery|detector|{_MARK}|\.{re.escape(SETTINGS)}\.\d+")


@contextlib.contextmanager
def creation(folder: pathlib.Path) -> Iterator[None]:
    """Lend a new folder to one process that fills it, the settings last.

    After an error the folder is empty, or absent, as before. After a kill the mark in
    it tells the next process that what lies there is left over.

    Raises:
        FileExistsError: When the folder holds something else.
        GalleryLocked: When another process is filling it.
    """
    _check_new(folder)
    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _locked(folder):
            try:
                _check_new(folder)
            except FileExistsError:  # another filled it before the lock was free
                mark_finished(folder)
                raise
            _sweep(folder)
            try:
                yield
            except BaseException:
                _sweep(folder)
                mark_finished(folder)
                raise
            mark_finished(folder)
    except BaseException:
        if not was_there:
            with contextlib.suppress(OSError):  # another process is using it
                folder.rmdir()
        raise


def mark_finished(folder: pathlib.Path) -> None:
    """Remove the mark, before anybody is enrolled: a sweep deletes the gallery."""
    (folder / _MARK).unlink(missing_ok=True)


def _locked(folder: pathlib.Path):
    try:
        return locked(folder / _MARK)
    except GalleryLocked as error:
        raise GalleryLocked(
            f"Expected to be the only process that makes '{folder}'. Received: another "
            "one is at it. Wait for its end, then `FaceRecognizer.open` it."
        ) from error


def _check_new(folder: pathlib.Path) -> None:
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    left_over = _MARK in names and all(map(_OURS.fullmatch, names))
    if names and not left_over:  # the settings, of a whole recognizer, are not in _OURS
        raise FileExistsError(
            f"Expected a new or empty folder. Received: '{folder}', which holds "
            f"{', '.join(names[:4])}{', ...' if names[4:] else ''}. "
            "`FaceRecognizer.open` opens a recognizer."
        )


def _sweep(folder: pathlib.Path) -> None:
    """Delete what a recognizer is made of, but for the mark, and nothing else."""
    for path in folder.iterdir():
        if path.is_dir() and _OURS.fullmatch(path.name):
            shutil.rmtree(path)
        elif path.name == SETTINGS or path.name.startswith(f".{SETTINGS}."):
            path.unlink()
