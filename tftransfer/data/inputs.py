"""as_dataset: folders, paths, arrays and tf.data become the same kind of batches."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_range
from tftransfer.data.listing import check_folder
from tftransfer.data.listing import class_folders
from tftransfer.data.listing import picture_files
from tftransfer.data.listing import split_folders
from tftransfer.data.pictures import ArrayPictures
from tftransfer.data.pictures import FilePictures
from tftransfer.data.resized import ResizedPictures
from tftransfer.data.scan import read_index
from tftransfer.data.scan import warn_of_unreadable
from tftransfer.data.source import Source


def as_dataset(
    data,
    *,
    image_size: int,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    on_error: str = "skip",
) -> tf.data.Dataset:
    """Turn pictures of any form into batches of RGB squares in [0, 255].

    Args:
        data: One of
            - a folder: with sub-folders these are the classes, else pictures alone;
              of one with splits the path of a split;
            - a list or array of paths, or `(paths, labels)`;
            - an array uint8 or float (n, height, width) or (n, height, width, 1 or 3)
              in [0, 255], or `(array, labels)`;
            - a `tf.data.Dataset`, passed on when batched, batched when not.
        image_size: Side in pixels; pictures of another size have the short side
            resized to at most 256/224 of it and the centre cut out.
        batch_size: Pictures per batch; batched datasets keep their own.
        shuffle: Whether every epoch has another order; of a `tf.data.Dataset` it is
            left as it is.
        seed: Of the order.
        class_names: Names in label order, where `data` has none. For a folder: those
            of the training data, so that labels agree; its classes must be among them.
        on_error: "skip" or "raise", for pictures that cannot be decoded.

    Returns:
        Dataset of pictures float32 (batch, image_size, image_size, 3), or of
        (pictures, int32 labels (batch,)), with the attributes of `from_folder`'s.

    Raises:
        TypeError: When `data` is none of these.
        ValueError: When shapes, lengths, labels or values do not fit.

    Example:
        >>> pictures = np.zeros((3, 40, 50), np.uint8)
        >>> batch = next(iter(as_dataset(pictures, image_size=32)))
        >>> batch.shape
        TensorShape([3, 32, 32, 3])
    """
    check_range("batch_size", batch_size, 1, 100_000)
    if isinstance(data, tf.data.Dataset):
        return _batched(data, batch_size)
    if isinstance(data, str | os.PathLike):
        pictures, labels, names = _of_folder(
            pathlib.Path(data), image_size, class_names, on_error
        )
    else:
        pair = isinstance(data, tuple) and len(data) == 2 and not _is_path(data[0])
        values, labels = data if pair else (data, None)
        pictures = _of_values(values, image_size, on_error)
        names = None if class_names is None else tuple(class_names)
    source = Source(
        pictures=pictures,
        labels=_checked_labels(labels, len(pictures), names),
        class_names=names,
        image_size=image_size,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
    )
    return source.dataset()


def _is_path(value) -> bool:
    return isinstance(value, str | os.PathLike)


def _batched(dataset: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    spec = dataset.element_spec
    picture = spec[0] if isinstance(spec, tuple) else spec
    if isinstance(picture, tf.TensorSpec) and picture.shape.rank == 3:
        return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)
    return dataset


def _of_folder(folder, image_size, class_names, on_error):
    check_folder(folder)
    names = None if class_names is None else tuple(class_names)
    if not class_folders(folder):
        paths = picture_files(folder)
        if not paths:
            raise ValueError(f"Expected pictures in '{folder}'. Received: none.")
        files = FilePictures(paths, image_size=image_size, on_error=on_error)
        return files, None, names
    splits = [str(path) for _, path in split_folders(folder)]
    if splits:
        raise ValueError(
            f"Expected a folder of classes. Received: '{folder}', which is split: give "
            f"one of {splits}, or read it with `from_folder`."
        )
    index = read_index(
        folder,
        on_error=on_error,
        verify=True,
        progress=True,
        fewest=2 if names is None else 1,
    )
    warn_of_unreadable(index)
    names = names or index.class_names
    unknown = sorted(set(index.class_names) - set(names))
    if unknown:
        raise ValueError(
            f"Expected the classes of '{folder}' to be among {list(names)}. Received: "
            f"{unknown}, which the training data did not have."
        )
    place = np.array([names.index(name) for name in index.class_names], "int32")
    pictures = FilePictures(index.paths, image_size=image_size, on_error=on_error)
    return pictures, place[index.labels], names


def _of_values(values, image_size, on_error):
    if isinstance(values, np.ndarray) and values.ndim == 1:
        values = values.tolist()  # an array of paths
    if isinstance(values, list | tuple) and values and _is_path(values[0]):
        return FilePictures(values, image_size=image_size, on_error=on_error)
    if isinstance(values, list) and values and isinstance(values[0], np.ndarray):
        if len({v.shape for v in values}) > 1:
            raise ValueError(
                "Expected pictures of one shape in an array. Received several shapes: "
                "resize them first, or give paths."
            )
        values = np.stack(values)
    if not hasattr(values, "__array__"):
        raise TypeError(
            "Expected a folder, a list of paths, an array (n, height, width, 3), a "
            "pair of one of these with labels, or a tf.data.Dataset. Received: "
            f"{type(values).__name__}{' (empty)' if not values else ''}."
        )
    return _of_array(np.asarray(values), image_size)


def _of_array(array: np.ndarray, image_size: int):
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] not in (1, 3)):
        raise ValueError(
            "Expected pictures (n, height, width), (n, height, width, 1) or (n, "
            f"height, width, 3). Received: {array.shape}. One picture: `picture[None]`."
        )
    if array.dtype.kind not in "uif" or array.dtype.itemsize > 8:
        raise TypeError(f"Expected uint8 or float pictures. Received: {array.dtype}.")
    if not len(array):
        raise ValueError("Expected one picture or more. Received an empty array.")
    if array.dtype != np.uint8:
        _check_values(array)
    if array.shape[1:] == (image_size, image_size, 3):
        return ArrayPictures(array)
    return ResizedPictures(array, image_size=image_size)


def _check_values(array: np.ndarray) -> None:
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 255) or (array.dtype.kind == "f" and 0 < high <= 1):
        raise ValueError(
            "Expected pictures with values in [0, 255]: the preprocessing is inside "
            f"the backbone. Received: values from {low:g} to {high:g}. "
            + ("Multiply by 255." if low >= 0 and 0 < high <= 1 else "Scale them.")
        )


def _checked_labels(labels, count: int, names) -> np.ndarray | None:
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape == (count, 1):
        labels = labels[:, 0]
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"Expected {count} integer labels, one per picture. Received: shape "
            f"{labels.shape}, {labels.dtype}. One-hot rows: `labels.argmax(axis=1)`; "
            "names: `numpy.unique(names, return_inverse=True)[1]`."
        )
    classes = len(names) if names else None
    if labels.min() < 0 or (classes and labels.max() >= classes):
        raise ValueError(
            f"Expected labels in [0, {classes - 1 if classes else 'classes - 1'}]. "
            f"Received: {labels.min()} to {labels.max()}."
        )
    return labels.astype("int32")
