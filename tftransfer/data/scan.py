"""What a folder of pictures holds: classes, splits, broken files, copies.

One sub-folder per class, or sub-folders train, val and test with the classes inside.
No TensorFlow here.
"""

import dataclasses
import hashlib
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from rich.console import Console
from rich.progress import Progress

from tftransfer.core.validation import check_one_of
from tftransfer.data.decode import SUFFIXES
from tftransfer.data.decode import decode_image

_SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


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
    check_one_of("on_error", on_error, ("skip", "raise"))
    folder = pathlib.Path(folder)
    check_folder(folder)
    found = [
        (split, name, path)
        for split, root in _roots(folder)
        for name in _class_folders(root)
        for path in picture_files(root / name)
    ]
    names = sorted(
        {name for _, root in _roots(folder) for name in _class_folders(root)}
    )
    _check_classes(folder, names, {name for _, name, _ in found})
    checks = [(None, b"")] * len(found)
    if verify:
        checks = _verified([path for *_, path in found], on_error, progress)
    fine = [item for item, (reason, _) in zip(found, checks) if reason is None]
    _check_classes(folder, names, {name for _, name, _ in fine}, "readable ")
    return FolderIndex(
        folder=str(folder),
        paths=tuple(path for *_, path in fine),
        labels=np.array([names.index(name) for _, name, _ in fine], "int32"),
        class_names=tuple(names),
        splits=tuple(split for split, *_ in fine),
        unreadable={
            path: reason
            for (*_, path), (reason, _) in zip(found, checks)
            if reason is not None
        },
        digests=tuple(d for reason, d in checks if reason is None) if verify else (),
    )


def check_folder(folder: pathlib.Path) -> None:
    """Raise unless `folder` is a folder that can be listed."""
    if not folder.exists():
        raise FileNotFoundError(
            f"Expected a folder of pictures. Received: '{folder}', which does not "
            f"exist (looked from '{pathlib.Path.cwd()}')."
        )
    if not folder.is_dir():
        raise NotADirectoryError(
            f"Expected a folder of pictures. Received: '{folder}', which is a file."
        )
    os.listdir(folder)  # PermissionError names the folder


def picture_files(folder: pathlib.Path) -> list[str]:
    """Return the picture files below `folder`, sorted, hidden ones left out."""
    found, seen = [], set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        if os.path.realpath(root) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(root))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            os.path.join(root, name)
            for name in files
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found)


def has_classes(folder: pathlib.Path) -> bool:
    """Say whether `folder` has sub-folders rather than pictures of its own."""
    return bool(_class_folders(folder))


def _roots(folder: pathlib.Path) -> list[tuple[str, pathlib.Path]]:
    """Return (split, its folder); one split named "" where there are none."""
    names = {entry.lower(): entry for entry in _class_folders(folder)}
    splits = [
        (split, folder / names[alias])
        for split, aliases in _SPLIT_NAMES.items()
        for alias in aliases
        if alias in names
    ]
    whole = len(splits) == len(names) and any(split == "train" for split, _ in splits)
    return splits if whole else [("", folder)]


def _class_folders(root: pathlib.Path) -> list[str]:
    return sorted(
        entry.name
        for entry in os.scandir(root)
        if entry.is_dir() and not entry.name.startswith(".")
    )


def _check_classes(folder, names: list[str], filled: set[str], kind: str = "") -> None:
    if not filled:
        raise ValueError(
            f"Expected one sub-folder of pictures per class in '{folder}'. Received: "
            f"no {kind}picture there ({', '.join(SUFFIXES)}), in "
            f"{len(names)} sub-folders."
        )
    empty = [name for name in names if name not in filled]
    if empty:
        raise ValueError(
            f"Expected {kind}pictures in every class folder of '{folder}'. Received: "
            f"none in {_some(empty)}. Add pictures or remove the folder."
        )
    if len(names) == 1:
        raise ValueError(
            f"Expected two classes or more in '{folder}'. Received: '{names[0]}'. "
            "A classifier needs a second class, such as 'other'."
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _verified(paths: list[str], on_error: str, progress: bool) -> list:
    """Return (reason or None, digest of the bytes) per path, decoded in parallel."""
    bar = Progress(console=Console(stderr=True), transient=True, disable=not progress)
    with bar, ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        results = []
        found = pool.map(lambda path: _verify(path, on_error), paths)
        for result in bar.track(found, len(paths), description="checking pictures"):
            results.append(result)
    return results


def _verify(path: str, on_error: str) -> tuple[str | None, bytes]:
    try:
        contents = pathlib.Path(path).read_bytes()
        decode_image(contents, image_size=32)  # a JPEG at 1/8: all bytes, little work
    except (OSError, ValueError) as error:
        if on_error == "raise":
            raise ValueError(f"'{path}': {error}") from error
        return str(error), b""
    return None, hashlib.blake2b(contents, digest_size=16).digest()


def _raise(error: OSError) -> None:
    raise error
