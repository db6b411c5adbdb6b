"""Crops of faces with names or numbers: checked, and as a source of batches.

TensorFlow only.
"""

import keras
import numpy as np

from tftransfer.backbones import Backbone
from tftransfer.data import Source
from tftransfer.data import as_dataset
from tftransfer.data import source_of


def copied_backbone(model) -> Backbone:
    """Return a copy of an embedding net, crops -> embeddings, all of it trainable.

    Args:
        model: A `Backbone`, another functional model, or an `Embedder`.
    """
    net = model if isinstance(model, keras.Model) else getattr(model, "net", model)
    backbone = net if isinstance(net, Backbone) else Backbone.from_model(net)
    return backbone.clone()


def labelled_source(
    crops, labels, backbone, *, class_names=None, batch_size: int, seed: int
) -> Source:
    """Return crops and labels as a shuffled source.

    Args:
        crops: uint8 or float (n, size, size, 3), RGB in [0, 255].
        labels: (n,) names, or integers.
        backbone: The net; where its input has a size, it is that of the crops.
        class_names: Names in label order; None for the labels themselves, sorted.
        batch_size: Of the batches.
        seed: Of the order.

    Raises:
        TypeError: When crops are no array.
        ValueError: When shapes, labels or values do not fit.
    """
    crops = np.asarray(crops)
    side = backbone.input_shape[1]
    if crops.ndim != 4 or crops.shape[1] != crops.shape[2] or crops.shape[-1] != 3:
        raise ValueError(
            "Expected crops (n, size, size, 3), RGB in [0, 255]. Received: "
            f"{crops.shape}. Align and crop the faces first."
        )
    if side is not None and crops.shape[1] != side:
        raise ValueError(
            f"Expected crops of {side}x{side} pixels, as the model takes them. "
            f"Received: {crops.shape[1]}x{crops.shape[2]}. Crop the faces at its size."
        )
    labels, names = _numbered(np.asarray(labels), class_names)
    dataset = as_dataset(
        (crops, labels),
        image_size=crops.shape[1],
        batch_size=batch_size,
        shuffle=True,
        seed=seed,
        class_names=names,
    )
    return source_of(dataset)


def _numbered(labels: np.ndarray, class_names) -> tuple[np.ndarray, list[str]]:
    """Return labels as places in a list of names, and that list."""
    if class_names is None and labels.ndim == 1 and labels.dtype.kind in "USiu":
        names, labels = np.unique(labels, return_inverse=True)
        return labels, [str(name) for name in names]
    if labels.dtype.kind not in "US":
        return labels, class_names
    place = {name: i for i, name in enumerate(class_names)}
    strange = sorted(set(labels.tolist()) - set(place))
    if strange:
        raise ValueError(
            f"Expected labels among `class_names`. Received: {strange[:5]}."
        )
    return np.array([place[name] for name in labels.tolist()]), list(class_names)
