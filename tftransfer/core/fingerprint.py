"""Digests by which cached results know the model that they came from."""

import hashlib
import json

import keras
import numpy as np


def weights_digest(model: keras.Model) -> str:
    """Return a digest of all weights' values, which changes when any of them does.

    The states of dropout and its like do not count: files leave them out, so that a
    loaded model has others each time, and inference does not read them.
    """
    digest = hashlib.sha256()
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            continue
        value = keras.ops.convert_to_numpy(variable.value)
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def model_digest(model: keras.Model) -> str:
    """Return a digest of weights, layers and their settings.

    Layer names count: the same net built under other automatic names has another
    digest, so that a cache misses rather than errs.
    """
    settings = json.dumps(model.get_config(), sort_keys=True, default=str)
    text = f"{settings}{weights_digest(model)}"
    return hashlib.sha256(text.encode()).hexdigest()
