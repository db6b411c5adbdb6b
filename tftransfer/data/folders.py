"""from_folder: a folder of pictures to training and validation batches."""

import os

import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_range
from tftransfer.data.augment import augmentation
from tftransfer.data.cache import ActivationCache
from tftransfer.data.pictures import ArrayPictures
from tftransfer.data.pictures import FilePictures
from tftransfer.data.pictures import RememberedPictures
from tftransfer.data.scan import scan
from tftransfer.data.scan import warn_of_unreadable
from tftransfer.data.source import Source
from tftransfer.data.splitting import training_and_validation


def from_folder(
    folder: str | os.PathLike,
    *,
    image_size: int = 224,
    batch_size: int = 32,
    validation_split: float = 0.2,
    seed: int = 0,
    on_error: str = "skip",
    shuffle: bool = True,
    augment: str = "none",
    cache: bool | str | os.PathLike = False,
    verify: bool = True,
    progress: bool = True,
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Read a folder of pictures, one sub-folder per class.

    Sub-folders train and val (and test, which is left alone) with the classes inside
    are used as they are. Otherwise each class is split at random, by `seed`; files that
    are copies of one another stay on the training side.

    Args:
        folder: The folder.
        image_size: Side in pixels of the squares: the short side is resized to at most
            256/224 of it, then the centre is cut out.
        batch_size: Pictures per batch.
        validation_split: Share of each class for validation, in [0, 1); of a class
            with two pictures or more at least one stays on each side. 0 gives an empty
            validation dataset.
        seed: Of the split and of the order.
        on_error: "skip" leaves out corrupt pictures and warns with their names;
            "raise" ends with the first.
        shuffle: Whether the training pictures come in a new order each epoch.
        augment: Preset of `augmentation` for the training pictures.
        cache: True keeps decoded pictures in memory (150 KB each at 224); a folder
            (outside the data) keeps them on disk, also for the next run; False decodes
            each time.
        verify: Whether to decode all pictures once beforehand; see `scan`.
        progress: Whether to show a bar while pictures are checked.

    Returns:
        `(train, validation)`, datasets of (float32 pictures (batch, image_size,
        image_size, 3) in [0, 255], int32 labels (batch,)), prefetched. Each has the
        attributes `class_names`, `paths`, `labels` (in the order of `paths`),
        `image_size` and `source`.

    Raises:
        FileNotFoundError: When there is no such folder.
        NotADirectoryError: When it is a file.
        ValueError: When classes, pictures or arguments do not fit; see `scan`.

    Example:
        >>> import pathlib, tempfile
        >>> from PIL import Image
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("ant", "bee"):
        ...     (folder / name).mkdir()
        ...     for i in range(4):
        ...         colour = (50 * i, 0, 99 * (name == "bee"))
        ...         Image.new("RGB", (40, 30), colour).save(folder / name / f"{i}.png")
        >>> train, validation = from_folder(folder, image_size=32, progress=False)
        >>> train.class_names, len(train.paths), len(validation.paths)
        (('ant', 'bee'), 6, 2)
    """
    check_range("validation_split", validation_split, 0, 1, open_high=True)
    check_range("batch_size", batch_size, 1, 100_000)
    check_range("image_size", image_size, 8, 10_000)
    augmenter = augmentation(augment)
    index = scan(folder, on_error=on_error, verify=verify, progress=progress)
    warn_of_unreadable(index)
    sides = training_and_validation(index, validation_split, seed)
    used = np.union1d(*sides)  # a test split is left alone
    files = FilePictures(index.paths, image_size=image_size, on_error=on_error)
    whole = Source(
        pictures=_remembered(files.subset(used), cache),
        labels=index.labels[used],
        class_names=index.class_names,
        image_size=image_size,
        batch_size=batch_size,
        seed=seed,
    )
    train, validation = (whole.subset(np.searchsorted(used, side)) for side in sides)
    train = train.replace(shuffle=shuffle, augmentation=augmenter)
    return train.dataset(), validation.dataset()


def _remembered(pictures: FilePictures, cache):
    """Return the pictures such that they are decoded once: in memory or on disk."""
    if cache is False:
        return pictures
    if cache is True:
        return RememberedPictures(pictures)
    origin = pictures.fingerprint()
    array = ActivationCache(cache).get(
        {"kind": "pictures", "data": origin}, lambda: _decoded(pictures)
    )
    return ArrayPictures(array, paths=pictures.paths, origin=origin)


def _decoded(pictures: FilePictures):
    """Yield all pictures, 64 at a time."""
    for start in range(0, len(pictures), 64):
        stop = min(start + 64, len(pictures))
        found, fine = pictures.fetch(np.arange(start, stop))
        if not fine.all():
            broken = pictures.paths[start + int(np.argmin(fine))]
            raise ValueError(
                f"Expected readable pictures. Received: '{broken}'. Use "
                "`verify=True`, which leaves such pictures out."
            )
        yield found
