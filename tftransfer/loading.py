"""load_model: a saved model of ours in a process that has not used its class yet."""

import importlib
import os

# Each registers its classes with Keras when it is imported.
_REGISTERING = (
    "tftransfer.backbones.adopted",
    "tftransfer.distillation",
    "tftransfer.domain.deep",
    "tftransfer.face.training.people_classifier",
    "tftransfer.features",
    "tftransfer.finetune",
)


def load_model(path: str | os.PathLike, *, compile: bool = True):
    """Load a `.keras` file that holds any model of this package.

    `keras.saving.load_model` does the same once the class's module was imported; names
    such as `tft.Classifier` import it on first use.

    Args:
        path: The file.
        compile: Whether to compile it as it was, optimizer state included.

    Returns:
        The model.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is no Keras file, or would run code of its own.

    Example:
        >>> import tempfile, tftransfer as tft
        >>> path = tempfile.mkdtemp() + "/tiny.keras"
        >>> tft.Backbone("tiny").save(path)
        >>> load_model(path).endpoint_names
        ['stage1', 'stage2', 'stage3', 'pooled']
    """
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"Expected the path of a saved `.keras` model. Received: '{path}', which "
            "does not exist."
        )
    for name in _REGISTERING:
        importlib.import_module(name)
    import keras

    return keras.saving.load_model(path, compile=compile)
