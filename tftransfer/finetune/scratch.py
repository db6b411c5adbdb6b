"""A classifier that starts from random weights, as small data needs it."""

import keras

from tftransfer.finetune.classifier import Classifier


def scratch_classifier(
    backbone: keras.Model, num_classes: int, **options
) -> Classifier:
    """Return a `Classifier` whose BatchNorm learns with the rest of it.

    Batches give its statistics while training, and the moving ones follow within tens
    of steps (momentum 0.9): Keras' 0.99 lags behind for hundreds, which is more than
    small sets have, and the net fails in inference though it has learnt.

    Args:
        backbone: Of random weights; the momentum of its BatchNorm layers is changed.
        num_classes: Number of classes.
        **options: Further arguments of `Classifier`.

    Example:
        >>> import tftransfer as tft
        >>> model = scratch_classifier(tft.Backbone("tiny", weights=None), 3)
        >>> model.batch_norm
        'batch'
    """
    for layer in backbone._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    return Classifier(backbone, num_classes, batch_norm="batch", **options)
