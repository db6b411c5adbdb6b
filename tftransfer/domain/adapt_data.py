"""Source and target of `adapt`: read, checked, the target's labels left behind.

TensorFlow only.
"""

import dataclasses
import os
import pathlib

import tensorflow as tf

from tftransfer.core import TransferModel
from tftransfer.data import as_dataset
from tftransfer.data import source_of
from tftransfer.data.listing import check_folder
from tftransfer.data.listing import picture_files
from tftransfer.domain.paired_epochs import PairedEpochs
from tftransfer.domain.paired_epochs import hold_out
from tftransfer.training.pictures import augmented
from tftransfer.training.pictures import check_classes
from tftransfer.training.pictures import check_side
from tftransfer.training.pictures import size_of
from tftransfer.training.pictures import validation_of


@dataclasses.dataclass(frozen=True)
class AdaptData:
    """What a run of `adapt` reads.

    Attributes:
        train: Batches of both domains.
        validation: Labelled batches of the source that do not train, or None.
        held_out: Batches of the target that do not train, without labels.
    """

    train: PairedEpochs
    validation: tf.data.Dataset | None
    held_out: tf.data.Dataset


def check_classifier(classifier) -> None:
    """Raise unless it is a classifier of this package.

    Raises:
        TypeError: When it is another model.
    """
    parts = all(hasattr(classifier, n) for n in ("backbone", "head", "num_classes"))
    if not isinstance(classifier, TransferModel) or not parts:
        raise TypeError(
            "Expected a `Classifier` that `tft.fine_tune` has trained on the source. "
            f"Received: {type(classifier).__name__}. Other models: the methods, such "
            "as `tft.DANN(extractor, head)`, take any, without this recipe."
        )


def read(
    classifier,
    source,
    target,
    validation=None,
    labelled_target=None,
    *,
    batch_size: int,
    augment: str,
    seed: int,
) -> AdaptData:
    """Return the data of a run; arguments as in `adapt`.

    Raises:
        TypeError: When a domain is in no form whose epochs can be repeated.
        ValueError: When classes, sizes or numbers do not fit.
    """
    side = classifier.deployed.input_shape[1]
    options = {"image_size": side, "batch_size": batch_size, "seed": seed}
    source = as_dataset(source, shuffle=True, **options)
    _, batch_size = size_of(source)
    check_classes(classifier, source)
    validation = validation_of(source, validation, **options)
    target = as_dataset(unlabelled(target), **options)
    few = labelled_target
    if few is not None:
        few = as_dataset(few, class_names=source.class_names, **options)
        size_of(few)
        check_classes(classifier, few)
    for data in (source, validation, target, few):
        check_side(data, side)
    first = source_of(augmented(source, augment))
    rows, held = hold_out(source_of(target).replace(batch_size=batch_size), seed)

    def beside(rows, place: int):
        """Augmented as the source, in an order of its own."""
        rows = rows.replace(shuffle=True, seed=first.seed + place)
        return rows.replace(augmentation=first.augmentation)

    few = None if few is None else beside(source_of(few), 2)
    train = PairedEpochs(first, beside(rows, 1), few)
    return AdaptData(train, validation, held.dataset())


def unlabelled(target):
    """Return a target without the labels that came with it, unread.

    Args:
        target: As in `adapt`; a folder becomes the list of all pictures below it.

    Raises:
        ValueError: When a folder has no pictures.
    """
    if isinstance(target, tf.data.Dataset):
        return source_of(target).replace(labels=None, class_names=None).dataset()
    if isinstance(target, str | os.PathLike):
        folder = pathlib.Path(target)
        check_folder(folder)
        found = picture_files(folder)
        if not found:
            raise ValueError(f"Expected pictures in '{folder}'. Received: none.")
        return found
    pair = isinstance(target, tuple) and len(target) == 2
    return target[0] if pair and not isinstance(target[0], str) else target
