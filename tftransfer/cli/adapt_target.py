"""The target of `tftransfer adapt`: all its pictures, and which of them have labels.

Loads TensorFlow.
"""

import os
import pathlib

import numpy as np

from tftransfer.cli.console import say
from tftransfer.data import as_dataset
from tftransfer.data.listing import class_folders
from tftransfer.data.scan import readable
from tftransfer.domain.adapt_data import unlabelled

UNKNOWN = -1


def read_target(folder: pathlib.Path, names: list[str], without=(), **reading):
    """Return a dataset of all readable pictures below a folder, in a fixed order.

    What trains never depends on a label: labels are the names of folders, for the
    oracle, and pictures that lie in no folder of a class are pictures of the target,
    too.

    Args:
        folder: The folder.
        names: The source's classes.
        without: Paths of pictures that train with labels. Where they lie in the folder,
            too, they are left out: they would be scored on labels that they trained on.
        **reading: `image_size` and `batch_size`.

    Returns:
        Dataset with labels, `UNKNOWN` where there is none, or, where no picture has
        one, without labels.

    Raises:
        ValueError: When there are no pictures, or none but those of `without`.
    """
    paths = readable(folder, _others(folder, unlabelled(folder), without))
    dataset = as_dataset(paths, **reading)
    labels = np.array([_label(path, folder, names) for path in paths], "int32")
    _tell_of_others(folder, names)
    if not (labels != UNKNOWN).any():
        return dataset
    # `as_dataset` takes no labels below 0; nothing that trains reads these.
    return dataset.source.replace(labels=labels, class_names=tuple(names)).dataset()


def _others(folder: pathlib.Path, paths: list[str], without) -> list[str]:
    """Return the pictures that are none of `without`, by what links lead to."""
    known = {os.path.realpath(path) for path in without}
    kept = [path for path in paths if os.path.realpath(path) not in known]
    if not kept:
        raise ValueError(
            f"Expected pictures in '{folder}' beside those of `--labelled-target`. "
            f"Received: none, of {len(paths)}."
        )
    if len(kept) < len(paths):
        say(
            f"{len(paths) - len(kept)} of {len(paths)} pictures of '{folder}' are in "
            "`--labelled-target`, too: they train with labels and are in no score."
        )
    return kept


def _label(path: str, folder: pathlib.Path, names: list[str]) -> int:
    """Return the class of the nearest folder above a picture that has a class's name.

    Folders inside those of classes, and splits around them, are read as well.
    """
    above = pathlib.Path(os.path.relpath(path, folder)).parts[:-1]
    found = [name for name in reversed(above) if name in names]
    return names.index(found[0]) if found else UNKNOWN


def _tell_of_others(folder: pathlib.Path, names: list[str]) -> None:
    others = sorted(set(class_folders(folder)) - set(names))
    if others:
        say(
            f"'{folder}' has sub-folders that are no classes of the source, "
            f"{others[:5]}: they give their pictures no label."
        )
