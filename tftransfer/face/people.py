"""load_people: a folder of people's photographs as crops and names."""

import os
import pathlib
import warnings
from collections.abc import Callable

import numpy as np

from tftransfer.data.listing import check_folder
from tftransfer.data.listing import class_folders
from tftransfer.data.listing import picture_files


def load_people(
    folder: str | os.PathLike, prepare: Callable
) -> tuple[np.ndarray, np.ndarray]:
    """Return the crops and names of a folder with one sub-folder per person.

    Args:
        folder: `folder/NAME/*.jpg`, and other picture files.
        prepare: Function of a path that returns the aligned crop of the face, uint8
            (size, size, 3), or None where there is none. Unreadable pictures may raise
            OSError or ValueError.

    Returns:
        `(crops, names)`: uint8 (n, size, size, 3) and (n,) strings, in the order of
        the sorted paths. Pictures without a crop are left out with one warning.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it has no sub-folders, or no picture has a face.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> (folder / "Ada").mkdir()
        >>> Image.new("RGB", (8, 8)).save(folder / "Ada" / "1.png")
        >>> crops, names = load_people(folder, lambda path: np.array(Image.open(path)))
        >>> crops.shape, names.tolist()
        ((1, 8, 8, 3), ['Ada'])
    """
    folder = pathlib.Path(folder)
    check_folder(folder)
    crops, names, left_out = [], [], []
    for name in class_folders(folder):
        for path in picture_files(folder / name):
            crop, reason = _prepared(prepare, path)
            if crop is None:
                left_out.append(f"'{path}' ({reason})")
            else:
                crops.append(crop)
                names.append(name)
    if left_out:
        warnings.warn(
            f"Left out {len(left_out)} of {len(left_out) + len(crops)} pictures: "
            f"{', '.join(left_out[:5])}{' ...' if len(left_out) > 5 else ''}."
        )
    if not crops:
        raise ValueError(
            f"Expected '{folder}' to have a sub-folder per person with pictures of "
            f"faces. Received: {len(left_out)} pictures, no face."
        )
    return np.stack(crops), np.array(names)


def _prepared(prepare, path) -> tuple:
    try:
        crop = prepare(path)
    except (OSError, ValueError) as error:
        return None, str(error)
    return (None, "no face") if crop is None else (np.asarray(crop), "")
