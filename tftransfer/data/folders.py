"""from_folder: a folder of pictures to training and validation batches."""

import os
import warnings

import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_range
from tftransfer.data.augment import augmentation
from tftransfer.data.cache import ActivationCache
from tftransfer.data.pictures import ArrayPictures
from tftransfer.data.pictures import FilePictures
from tftransfer.data.pictures import RememberedPictures
from tftransfer.data.scan import FolderIndex
from tftransfer.data.scan import scan
from tftransfer.data.source import Source


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
        image_size: Side in pixels of the squares: short side to 256/224 of it, then
            the centre.
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
            keeps them there on disk, also for the next run; False decodes each time.
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
    index = scan(folder, on_error=on_error, verify=verify, progress=progress)
    _warn_of_unreadable(index)
    train, validation = _sides(index, validation_split, seed)
    whole = Source(
        pictures=FilePictures(index.paths, image_size=image_size, on_error=on_error),
        labels=index.labels,
        class_names=index.class_names,
        image_size=image_size,
        batch_size=batch_size,
        seed=seed,
    )
    sources = [_remembered(whole.subset(side), cache) for side in (train, validation)]
    augmenter = augmentation(augment)
    training = sources[0].replace(shuffle=shuffle, augmentation=augmenter)
    return training.dataset(), sources[1].dataset()


def stratified_split(labels, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices at random, the same share of every class.

    Args:
        labels: (n,) integers.
        share: Share of the second part, in [0, 1); rounded per class, but at least one
            picture on each side where the class has two.
        seed: Of the choice.

    Returns:
        Indices of the first and second part, each sorted.

    Example:
        >>> first, second = stratified_split([0, 0, 0, 0, 1, 1, 1, 1], 0.25, seed=0)
        >>> len(first), len(second)
        (6, 2)
    """
    labels = np.asarray(labels)
    generator = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        count = round(share * len(members))
        if share > 0 and len(members) > 1:
            count = min(max(count, 1), len(members) - 1)
        chosen.append(members[:count])
    second = np.sort(np.concatenate(chosen))
    first = np.setdiff1d(np.arange(len(labels)), second)
    return first, second


def _sides(index: FolderIndex, share: float, seed: int):
    """Return the indices of training and validation pictures."""
    if "train" in index.splits:
        pool, validation = index.of_split("train"), index.of_split("val")
        given = len(validation) > 0
    else:
        pool, given = np.arange(len(index.paths)), False
    if given:
        _warn_of_shared(index, pool, validation)
        _check_all_trained(index, pool)
        return pool, validation
    first, second = stratified_split(index.labels[pool], share, seed)
    train, validation = pool[first], pool[second]
    moved = _copies_of(index, train, validation)
    if len(moved):
        shown = ", ".join(f"'{index.paths[i]}'" for i in moved[:5])
        warnings.warn(
            f"{len(moved)} validation pictures are copies of training pictures and "
            f"were moved to their side: {shown}{' ...' if len(moved) > 5 else ''}. "
            "Remove one of each pair, above all where their classes differ."
        )
    return np.union1d(train, moved), np.setdiff1d(validation, moved)


def _copies_of(index: FolderIndex, train, validation) -> np.ndarray:
    if not index.digests:
        return np.array([], int)
    known = {index.digests[i] for i in train}
    return np.array([i for i in validation if index.digests[i] in known], int)


def _warn_of_shared(index: FolderIndex, train, validation) -> None:
    shared = _copies_of(index, train, validation)
    if len(shared):
        shown = ", ".join(f"'{index.paths[i]}'" for i in shared[:5])
        warnings.warn(
            f"{len(shared)} validation pictures are also training pictures, which "
            f"makes the validation accuracy too good: {shown}"
            f"{' ...' if len(shared) > 5 else ''}. Remove them from one side."
        )


def _check_all_trained(index: FolderIndex, train) -> None:
    missing = set(range(len(index.class_names))) - set(index.labels[train].tolist())
    if missing:
        names = [index.class_names[i] for i in sorted(missing)]
        raise ValueError(
            f"Expected every class in the training folder of '{index.folder}'. "
            f"Received: {names} without a picture there."
        )


def _warn_of_unreadable(index: FolderIndex) -> None:
    if index.unreadable:
        shown = list(index.unreadable.items())[:10]
        lines = "\n".join(f"  {path}: {reason}" for path, reason in shown)
        more = len(index.unreadable) - len(shown)
        warnings.warn(
            f"Left out {len(index.unreadable)} unreadable pictures of "
            f"'{index.folder}':\n{lines}" + (f"\n  and {more} more" if more else "")
        )


def _remembered(source: Source, cache) -> Source:
    """Return the source with its decoded pictures kept in memory or on disk."""
    if cache is False or not len(source):
        return source
    if cache is True:
        return source.replace(pictures=RememberedPictures(source.pictures))
    pictures = source.pictures

    def decoded():
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

    array = ActivationCache(cache).get(
        {"kind": "pictures", "data": pictures.fingerprint()}, decoded
    )
    kept = ArrayPictures(array)
    kept.paths = pictures.paths
    return source.replace(pictures=kept)
