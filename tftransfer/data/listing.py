"""What lies in a folder: splits, classes and picture files, by their names alone."""

import os
import pathlib
from collections.abc import Iterator

from tftransfer.data.decode import SUFFIXES

_SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


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
    return sorted(path for path in _files(folder) if path.lower().endswith(SUFFIXES))


def other_files(folder: pathlib.Path) -> list[str]:
    """Return the files below `folder` of kinds that are not read, sorted likewise."""
    return sorted(
        path for path in _files(folder) if not path.lower().endswith(SUFFIXES)
    )


def _files(folder: pathlib.Path) -> Iterator[str]:
    """Yield the files below `folder` that are not hidden."""
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        if os.path.realpath(root) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(root))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            os.path.join(root, name) for name in files if not name.startswith(".")
        )


def class_folders(root: pathlib.Path) -> list[str]:
    """Return the names of the sub-folders, sorted, hidden ones left out."""
    return sorted(
        name
        for name in os.listdir(root)
        if not name.startswith(".") and os.path.isdir(root / name)
    )


def split_folders(folder: pathlib.Path) -> list[tuple[str, pathlib.Path]]:
    """Return ("train", "val" or "test", its folder) of each; [] in one without.

    Raises:
        ValueError: When other folders lie beside two or more splits.
    """
    folders = class_folders(folder)
    splits = [
        (split, folder / name)
        for split, aliases in _SPLIT_NAMES.items()
        for name in folders
        if name.lower() in aliases
    ]
    found = {split for split, _ in splits}
    if "train" not in found:
        return []
    others = [name for name in folders if folder / name not in dict(splits).values()]
    if others and len(found) > 1 and class_folders(splits[0][1]):
        raise ValueError(
            f"Expected the splits alone in '{folder}'. Received: {folders}, of which "
            f"{others} are none. Move them elsewhere."
        )
    return [] if others else splits


def _raise(error: OSError) -> None:
    raise error
