"""Stable save keys: every class is stored in files as "tftransfer>Name"."""

import keras

PACKAGE = "tftransfer"


def register(cls: type) -> type:
    """Register `cls` for Keras serialisation under "tftransfer>ClassName".

    The key does not depend on the module, so that a file may move within the package
    and old `.keras` files still load.

    Example:
        >>> import keras
        >>> from tftransfer.core import register
        >>> @register
        ... class Doubled(keras.layers.Layer):
        ...     def call(self, x):
        ...         return 2 * x
        >>> keras.saving.get_registered_name(Doubled)
        'tftransfer>Doubled'
    """
    return keras.saving.register_keras_serializable(PACKAGE, cls.__name__)(cls)
