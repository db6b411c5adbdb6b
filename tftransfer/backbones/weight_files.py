"""Reads a weight file of any Keras generation into a backbone, all of it or not at all.

Three kinds: `.h5` of keras.applications and Keras 2 (with or without its top),
`.weights.h5` of Keras 3, and whole models in `.keras`. Layers are matched in order, as
keras.applications does, because automatic names differ between sessions; shapes decide
whether the file fits.
"""

import os
import pathlib
import warnings

import h5py
import keras
import numpy as np


def load_weight_file(model: keras.Model, path: str | os.PathLike) -> None:
    """Load the weights of `path` into `model`.

    A file may hold more layers than the model (the top of a classifier, which comes
    last and is left out), never fewer.

    Args:
        model: A functional model.
        path: A file that ends in `.h5`, `.weights.h5` or `.keras`.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When its weights do not fit the model, or it is no such file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected `weights` to be 'imagenet', None or the path of a file. "
            f"Received: '{path}', where there is none."
        )
    if path.name.endswith(".weights.h5"):
        _load_keras3(model, path)
    elif path.suffix in (".h5", ".hdf5"):
        _assign(model, _read_h5(path), path)
    elif path.suffix == ".keras":
        _load_whole(model, path)
    else:
        raise ValueError(
            "Expected a weight file that ends in .h5, .weights.h5 or .keras. "
            f"Received: '{path}'."
        )


def load_h5_by_name(model: keras.Model, path: str | os.PathLike) -> None:
    """Load an `.h5` file of Keras 2 into the layers of the same names.

    For files whose order of layers is not that of the model. Keras 3 allows no "/" in
    names: "conv1/bn" of a file is "conv1_bn" here. What the model does not have is left
    out.

    Args:
        model: A functional model.
        path: A weight file or a whole model of Keras 2.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it lacks a layer, a shape differs, or it is no such file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a weight file. There is none at '{path}'.")
    saved = {name.replace("/", "_"): arrays for name, arrays in _read_h5(path)}
    names = [layer.name for layer in model.layers if _variables(layer)]
    missing = [name for name in names if name not in saved]
    if missing:
        raise _mismatch(model, path, f"no layer '{missing[0]}'")
    _assign(model, [(name, saved[name]) for name in names], path)


def _load_keras3(model, path) -> None:
    before = model.get_weights()
    try:
        with warnings.catch_warnings():
            # Keras warns, once per group, of weights that stay as they were.
            warnings.filterwarnings("error", message="Skipping nested container")
            model.load_weights(path)
    except (ValueError, KeyError, OSError, UserWarning) as error:
        model.set_weights(before)
        raise _mismatch(model, path, str(error)) from error


def _read_h5(path) -> list[tuple[str, list[np.ndarray]]]:
    try:
        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            if "layer_names" not in group.attrs:
                raise ValueError(
                    f"Expected '{path}' to be a weight file of Keras 2 or "
                    "keras.applications. Received an HDF5 file without layer names; "
                    "a file of Keras 3 must be named *.weights.h5."
                )
            layers = [
                (
                    name,
                    [np.asarray(group[name][w]) for w in _names(group[name], "weight")],
                )
                for name in _names(group, "layer")
            ]
    except OSError as error:
        raise ValueError(
            f"Expected '{path}' to be an HDF5 weight file. Received: {error}. It may "
            "be damaged or cut short; fetch it again."
        ) from error
    return [(name, arrays) for name, arrays in layers if arrays]


def _names(group, kind: str) -> list[str]:
    # Long lists are split into attributes name0, name1, ...: HDF5 limits one to 64 KB.
    key = f"{kind}_names"
    parts = [key] if key in group.attrs else []
    while f"{key}{len(parts)}" in group.attrs:
        parts.append(f"{key}{len(parts)}")
    names = [name for part in parts for name in group.attrs[part]]
    return [n.decode("utf8") if isinstance(n, bytes) else str(n) for n in names]


def _load_whole(model, path) -> None:
    """Take the weights of a saved model, or of the first nested one that fits."""
    source = keras.saving.load_model(path, compile=False)
    nested = [m for m in source._flatten_layers() if isinstance(m, keras.Model)]
    errors = []
    for candidate in nested:
        saved = [
            (layer.name, [keras.ops.convert_to_numpy(v) for v in _variables(layer)])
            for layer in candidate.layers
            if _variables(layer)
        ]
        try:
            return _assign(model, saved, path)
        except ValueError as error:
            errors.append(error)
    raise errors[0]


def _variables(layer) -> list:
    # The order of Keras 2's files, whatever the `trainable` flags say now.
    inner = layer._flatten_layers()
    trainable, other = [], []
    for leaf in inner:
        trainable += leaf._trainable_variables
        other += leaf._non_trainable_variables
    return trainable + other


def _assign(model, saved, path) -> None:
    layers = [layer for layer in model.layers if _variables(layer)]
    if len(saved) < len(layers):
        found = f"{len(saved)} layers with weights where {len(layers)} are needed"
        raise _mismatch(model, path, found)
    pairs = []
    for layer, (name, arrays) in zip(layers, saved):
        variables = _variables(layer)
        expected = [tuple(v.shape) for v in variables]
        received = [tuple(array.shape) for array in arrays]
        if expected != received:
            found = f"'{name}' of shapes {received} for '{layer.name}' of {expected}"
            raise _mismatch(model, path, found)
        pairs += zip(variables, arrays)
    for variable, array in pairs:
        variable.assign(array)


def _mismatch(model, path, found) -> ValueError:
    return ValueError(
        f"Expected '{path}' to hold the weights of '{model.name}'. Received: {found}. "
        "Check that the architecture and its options (alpha, ...) are those that the "
        "file was made with."
    )
