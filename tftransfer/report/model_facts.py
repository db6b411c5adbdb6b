"""What a model is, in words and numbers that reports and model cards state."""

import keras
import numpy as np


def describe_model(model: keras.Model) -> dict[str, str]:
    """Return {what: value} of a model: its name, backbone, sizes."""
    served = getattr(model, "deployed", model)
    backbone = getattr(model, "backbone", None)
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    found = {"Name": model.name, "Class": type(model).__name__}
    if backbone is not None:
        found["Backbone"] = getattr(backbone, "architecture", None) or backbone.name
    found["Input"] = f"RGB in [0, 255], {input_size(model)}"
    found["Parameters"] = f"{served.count_params():,}"
    found["Trainable at the end"] = f"{trainable:,}"
    return found


def input_size(model: keras.Model) -> str:
    """Return the size in pixels of the pictures that a model takes, in words."""
    shape = tuple(getattr(model, "deployed", model).input_shape)[1:3]
    if shape == (None, None):
        return "any size"
    return (
        " x ".join("any" if side is None else str(side) for side in shape) + " pixels"
    )
