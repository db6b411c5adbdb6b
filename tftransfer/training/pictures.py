"""Pictures as the training recipes take them: checked, counted, augmented."""

import os

from tftransfer.data import as_dataset
from tftransfer.data import augmentation


def check_cache(cache) -> None:
    """Raise unless `cache` is "auto", True, False or a path.

    A name without a separator is taken for a mistyped "auto", unless it is there.
    """
    known = isinstance(cache, bool | os.PathLike) or cache == "auto"
    if not known and os.sep not in str(cache) and not os.path.isdir(str(cache)):
        raise ValueError(
            "Expected `cache` of 'auto', True, False or a folder. Received: "
            f"{cache!r}. A folder that is to be made: './{cache}'."
        )


def augmented(train, preset: str):
    """Return `train` under a preset; one that is augmented already as it is."""
    source = getattr(train, "source", None)
    if source is not None and source.augmentation is not None:
        return train
    augmenter = augmentation(preset)
    return train if augmenter is None else augmenter.apply(train)


def validation_of(train, validation, **options):
    """Return validation pictures, labelled by the training data's order of classes.

    Args:
        train: The training data, a dataset.
        validation: In any form that `as_dataset` takes, or None.
        **options: Of `as_dataset`.

    Raises:
        ValueError: When a dataset has other classes, or numbers them otherwise.
    """
    if validation is None:
        return None
    names = getattr(train, "class_names", None)
    # A folder by itself would number the classes that it happens to have.
    found = as_dataset(validation, class_names=names, **options)
    own = getattr(found, "class_names", None)
    if names and own and list(own) != list(names):
        raise ValueError(
            f"Expected validation data of the classes {list(names)}, in this order. "
            f"Received: {list(own)}. Give the folder itself, or read it with "
            "`class_names=train.class_names`."
        )
    return found


def check_side(data, side: int | None) -> None:
    """Raise unless pictures of this package's datasets have the model's size."""
    found = getattr(data, "image_size", None)
    if None not in (found, side) and found != side:
        raise ValueError(
            f"Expected pictures of {side}x{side} pixels, as the backbone takes them. "
            f"Received: {found}x{found}. Read them with `image_size={side}`."
        )


def check_classes(model, train) -> None:
    """Raise unless labels and names fit the model; a model without names takes them."""
    labels, names = getattr(train, "labels", None), getattr(train, "class_names", None)
    if labels is not None and labels.max() >= model.num_classes:
        raise ValueError(
            f"Expected labels in [0, {model.num_classes - 1}], as the model has "
            f"{model.num_classes} classes. Received: up to {labels.max()}."
        )
    if not names:
        return
    if model.class_names is None and len(names) == model.num_classes:
        model.class_names = list(names)
    if list(names) != model.class_names:
        raise ValueError(
            f"Expected training data of the classes {model.class_names or ''} "
            f"({model.num_classes}). Received: {list(names)}."
        )


def size_of(train) -> tuple[int, int]:
    """Return the number of pictures and the batch size of a batched dataset."""
    source = getattr(train, "source", None)
    if source is not None:
        if not len(source):
            raise ValueError("Expected training pictures. Received an empty dataset.")
        if source.labels is None:
            raise ValueError(
                "Expected labelled pictures. Received pictures alone: give "
                "`(pictures, labels)`, or a folder with one sub-folder per class."
            )
        return len(source), source.batch_size
    steps = int(train.cardinality())
    if steps == 0:
        raise ValueError("Expected training pictures. Received an empty dataset.")
    if steps < 0:
        raise ValueError(
            "Expected a dataset of known length. Received one of unknown or infinite "
            "length. Give it one: `dataset.apply(tf.data.experimental."
            "assert_cardinality(batches))`."
        )
    batch_size = int(next(iter(train.take(1)))[0].shape[0])
    return steps * batch_size, batch_size
