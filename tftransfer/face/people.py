"""Folders of people: one sub-folder of pictures per person."""

import os
import pathlib

from tftransfer.data.decode import SUFFIXES
from tftransfer.data.listing import check_folder
from tftransfer.data.listing import class_folders
from tftransfer.data.listing import picture_files


def people_of(folder: str | os.PathLike) -> dict[str, list[str]]:
    """Return {name: paths} of a folder with one sub-folder of pictures per person.

    Raises:
        FileNotFoundError: When there is no such folder.
        NotADirectoryError: When it is a file.
        ValueError: When it has no sub-folders.
    """
    folder = pathlib.Path(folder)
    check_folder(folder)
    names = class_folders(folder)
    if not names:
        raise ValueError(
            f"Expected one sub-folder of pictures per person in '{folder}'. Received: "
            f"none. Put each person's pictures ({', '.join(SUFFIXES[:3])}, ...) into a "
            "folder with the person's name."
        )
    return {name: picture_files(folder / name) for name in names}


def pictures_of(folder: str | os.PathLike) -> list[str]:
    """Return the paths of all pictures in a folder and its sub-folders, sorted.

    Raises:
        FileNotFoundError: When there is no such folder.
        NotADirectoryError: When it is a file.
        ValueError: When it holds no pictures.
    """
    folder = pathlib.Path(folder)
    check_folder(folder)
    files = picture_files(folder)
    if not files:
        raise ValueError(f"Expected pictures in '{folder}'. Received: none.")
    return files
