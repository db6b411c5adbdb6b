"""Version folders as TensorFlow Serving watches them: NAME/1, NAME/2, ..."""

import os
import pathlib


def next_version(folder: str | os.PathLike) -> pathlib.Path:
    """Return the path of the next free version, `folder`/1 when there is none.

    Args:
        folder: The model's folder, whose sub-folders are version numbers.

    Example:
        >>> next_version("no/such/folder").name
        '1'
    """
    folder = pathlib.Path(folder)
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    taken = [int(name) for name in names if name.isdecimal()]
    return folder / str(max(taken, default=0) + 1)


def version_folder(path: str | os.PathLike) -> pathlib.Path:
    """Return the folder to write: `path` itself when it ends in a version number.

    Otherwise `path` names the model and its next free version is returned.

    Raises:
        FileExistsError: When `path` is a version that exists.
    """
    path = pathlib.Path(path)
    if not path.name.isdecimal():
        return next_version(path)
    if path.exists():
        raise FileExistsError(
            f"Expected a version that does not exist yet. Received: '{path}'. Servers "
            f"may be reading it: export to '{next_version(path.parent)}', or give "
            f"'{path.parent}' for the next free version."
        )
    return path
