"""Folders of people: one sub-folder of pictures per person."""

import os
import pathlib

import numpy as np

from tftransfer.data.decode import SUFFIXES
from tftransfer.data.listing import check_folder
from tftransfer.data.listing import class_folders
from tftransfer.data.listing import other_files
from tftransfer.data.listing import picture_files
from tftransfer.face.gallery.checks import checked_name
from tftransfer.face.reading import read_faces


def people_of(folder: str | os.PathLike) -> dict[str, list[str]]:
    """Return {name: paths} of a folder with one sub-folder of pictures per person.

    Names are in Unicode's composed form, as a gallery keeps them: macOS and some
    archives write folders decomposed. Two folders of one name are one person.

    Raises:
        FileNotFoundError: When there is no such folder.
        NotADirectoryError: When it is a file.
        ValueError: When it has no sub-folders, or the name of one is no UTF-8.
    """
    return _by_person(folder, picture_files)


def unread_of(folder: str | os.PathLike) -> dict[str, list[str]]:
    """Return the same of the files that are no pictures of a kind that is read."""
    return _by_person(folder, other_files)


def _by_person(folder, files_of) -> dict[str, list[str]]:
    folder = pathlib.Path(folder)
    check_folder(folder)
    written = class_folders(folder)
    if not written:
        raise ValueError(
            f"Expected one sub-folder of pictures per person in '{folder}'. Received: "
            f"none. Put each person's pictures ({', '.join(SUFFIXES[:3])}, ...) into a "
            "folder with the person's name."
        )
    people = {}
    for each in written:
        people.setdefault(_person(each), []).extend(files_of(folder / each))
    return people


def _person(folder_name: str) -> str:
    try:
        return checked_name(folder_name)
    except ValueError as error:
        raise ValueError(f"{error} Rename that person's folder.") from error


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


def embeddings_of_people(
    folder: str | os.PathLike, detector, embedder
) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Return the embedding of each picture's largest face, and whose it is.

    Args:
        folder: One folder of pictures per person.
        detector: Finds faces: `detect_batch(photographs)`.
        embedder: An `Embedder`.

    Returns:
        float32 (n, dimension), names (n,), and {path: reason} of pictures without.

    Raises:
        ValueError: When no picture shows a face.
    """
    people = people_of(folder)
    paths = [path for pictures in people.values() for path in pictures]
    names = [name for name, pictures in people.items() for _ in pictures]
    embeddings, labels, left_out = [], [], {}
    for name, seen in zip(names, read_faces(paths, detector, embedder, largest=True)):
        if seen.faces:
            embeddings.append(seen.embeddings)
            labels.append(name)
        else:
            left_out[seen.picture] = seen.error or "no face was found"
    if not embeddings:
        reason = next(iter(left_out.values()), "none was found")
        raise ValueError(f"Expected faces in '{folder}'. Received: {reason}.")
    return np.concatenate(embeddings), np.array(labels, object), left_out
