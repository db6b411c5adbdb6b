"""What a folder of pictures holds: classes, splits, broken files, copies.

One sub-folder per class, or sub-folders train, val and test with the classes inside.
No TensorFlow here.
"""

import dataclasses
import hashlib
import os
import pathlib
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tftransfer.core.progress import progress_bar
from tftransfer.core.validation import check_one_of
from tftransfer.data.decode import SUFFIXES
from tftransfer.data.decode import decode_bytes
from tftransfer.data.decode import reason_of
from tftransfer.data.listing import check_folder
from tftransfer.data.listing import class_folders
from tftransfer.data.listing import picture_files
from tftransfer.data.listing import split_folders


@dataclasses.dataclass(frozen=True)
class FolderIndex:
    """The pictures of a folder, sorted by split, class and path.

    Attributes:
        folder: What was scanned.
        paths: The readable pictures.
        labels: (n,) int32, place of each picture's class in `class_names`.
        class_names: Names of the class folders, sorted.
        splits: Per picture "train", "val" or "test"; "" in a folder without splits.
        unreadable: {path: reason} of the pictures left out.
        digests: Per picture a digest of the file's bytes; empty when not verified.
    """

    folder: str
    paths: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    unreadable: dict[str, str]
    digests: tuple[bytes, ...]

    def of_split(self, split: str) -> np.ndarray:
        """Return the indices of the pictures of a split, (n,) integers."""
        return np.flatnonzero(np.array(self.splits) == split)

    def copies(self) -> list[tuple[str, ...]]:
        """Return groups of paths whose files are the same, byte by byte."""
        groups = {}
        for path, digest in zip(self.paths, self.digests):
            groups.setdefault(digest, []).append(path)
        return [tuple(group) for group in groups.values() if len(group) > 1]


def scan(
    folder: str | os.PathLike,
    *,
    on_error: str = "skip",
    verify: bool = True,
    progress: bool = True,
) -> FolderIndex:
    """Find the pictures of a folder and check each of them.

    Hidden files and files without a picture's suffix are passed over.

    Args:
        folder: One sub-folder per class, or train, val and test with classes inside.
        on_error: "skip" lists corrupt pictures in `unreadable`; "raise" ends at one.
        verify: Whether to read and decode every picture now. False is faster on large
            folders; broken pictures and copies are then not known beforehand.
        progress: Whether to show a bar while pictures are checked.

    Returns:
        A `FolderIndex`.

    Raises:
        FileNotFoundError: When there is no such folder.
        NotADirectoryError: When it is a file.
        PermissionError: When a folder cannot be read.
        ValueError: When there are no pictures, a class has none, there is one class
            only, or, with `on_error="raise"`, a picture is corrupt.

    Example:
        >>> scan("no/such/folder")
        Traceback (most recent call last):
        FileNotFoundError: Expected a folder of pictures. ...
    """
    return read_index(
        folder, on_error=on_error, verify=verify, progress=progress, fewest=2
    )


def read_index(
    folder: str | os.PathLike,
    *,
    on_error: str,
    verify: bool,
    progress: bool,
    fewest: int,
) -> FolderIndex:
    """Do as `scan` does, for a folder of `fewest` classes or more."""
    check_one_of("on_error", on_error, ("skip", "raise"))
    folder = pathlib.Path(folder)
    check_folder(folder)
    roots = split_folders(folder) or [("", folder)]
    found = [
        (split, name, path)
        for split, root in roots
        for name in class_folders(root)
        for path in picture_files(root / name)
    ]
    names = sorted({name for _, root in roots for name in class_folders(root)})
    _check_classes(folder, names, {name for _, name, _ in found}, fewest)
    checks = [(None, b"")] * len(found)
    if verify:
        checks = _verified([path for *_, path in found], on_error, progress)
    fine = [item for item, (reason, _) in zip(found, checks) if reason is None]
    unreadable = {
        path: reason
        for (*_, path), (reason, _) in zip(found, checks)
        if reason is not None
    }
    _check_readable(folder, names, {name for _, name, _ in fine}, unreadable)
    place = {name: label for label, name in enumerate(names)}
    return FolderIndex(
        folder=str(folder),
        paths=tuple(path for *_, path in fine),
        labels=np.array([place[name] for _, name, _ in fine], "int32"),
        class_names=tuple(names),
        splits=tuple(split for split, *_ in fine),
        unreadable=unreadable,
        digests=tuple(d for reason, d in checks if reason is None) if verify else (),
    )


def warn_of_unreadable(index: FolderIndex) -> None:
    """Warn with the names of the pictures left out, where there are any."""
    _warn_of(index.folder, index.unreadable)


def readable(folder, paths: list[str], *, progress: bool = True) -> list[str]:
    """Return those of `paths` that can be decoded; warn with the names of the others.

    Args:
        folder: Where they lie, for the warning.
        paths: Picture files.
        progress: Whether to show a bar.
    """
    reasons = [reason for reason, _ in _verified(paths, "skip", progress)]
    _warn_of(folder, {p: why for p, why in zip(paths, reasons) if why is not None})
    return [path for path, why in zip(paths, reasons) if why is None]


def _warn_of(folder, unreadable: dict[str, str]) -> None:
    if unreadable:
        warnings.warn(
            f"Left out {len(unreadable)} unreadable pictures of "
            f"'{folder}':\n{_reasons(unreadable)}"
        )


def _check_classes(folder, names: list[str], filled: set[str], fewest: int) -> None:
    if not filled:
        loose = [name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES)]
        what = f"{len(loose)} pictures in no class" if loose else "no picture there"
        raise ValueError(
            f"Expected one sub-folder of pictures ({', '.join(SUFFIXES)}) per class "
            f"in '{folder}'. Received: {what}, {len(names)} sub-folders."
        )
    empty = [name for name in names if name not in filled]
    if empty:
        raise ValueError(
            f"Expected pictures in every class folder of '{folder}'. Received: none "
            f"in {_some(empty)}. Add pictures or remove the folder."
        )
    if len(names) < fewest:
        raise ValueError(
            f"Expected two classes or more in '{folder}'. Received: '{names[0]}'. "
            "A classifier needs a second class, such as 'other'."
        )


def _check_readable(folder, names, filled: set[str], unreadable) -> None:
    empty = [name for name in names if name not in filled]
    if empty:
        raise ValueError(
            f"Expected readable pictures in every class folder of '{folder}'. "
            f"Received: none in {_some(empty)}:\n{_reasons(unreadable)}"
        )


def _reasons(unreadable: dict[str, str]) -> str:
    shown = list(unreadable.items())[:10]
    lines = "\n".join(f"  {path}: {reason}" for path, reason in shown)
    more = len(unreadable) - len(shown)
    return lines + (f"\n  and {more} more" if more else "")


def _some(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _verified(paths: list[str], on_error: str, progress: bool) -> list:
    """Return (reason or None, digest of the bytes) per path, decoded in parallel."""
    bar = progress_bar(progress)
    with bar, ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        results = []
        found = pool.map(lambda path: _verify(path, on_error), paths)
        for result in bar.track(found, len(paths), description="checking pictures"):
            results.append(result)
    return results


def _verify(path: str, on_error: str) -> tuple[str | None, bytes]:
    try:
        contents = pathlib.Path(path).read_bytes()
        # A JPEG is decoded at 1/8: all bytes, little work.
        decode_bytes(contents, image_size=32, name=f"'{path}'")
    except (OSError, ValueError) as error:
        if on_error == "raise":
            raise ValueError(f"{error}") from error
        return reason_of(error), b""
    return None, hashlib.blake2b(contents, digest_size=16).digest()
