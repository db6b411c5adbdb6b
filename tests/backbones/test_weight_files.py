"""Files of Keras 2 find their layers by name where the order cannot be trusted."""

import h5py
import keras
import numpy as np
import pytest

from tftransfer.backbones.weight_files import load_h5_by_name


def net():
    layers = [keras.layers.Dense(3, name=name) for name in ("conv_a_bn", "conv_b")]
    return keras.Sequential([keras.Input((3,)), *layers])


def write(path, names):
    """Kernels of ones for the first name, of twos for the second, and so on."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in names]
        for value, name in enumerate(names, start=1):
            weights = [f"{name}/kernel:0", f"{name}/bias:0"]
            group = file.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            group[weights[0]] = np.full((3, 3), value, "float32")
            group[weights[1]] = np.zeros(3, "float32")
    return path


def test_layers_of_one_shape_in_another_order(tmp_path):
    model = net()
    load_h5_by_name(model, write(tmp_path / "a.h5", ["conv_b", "top", "conv_a/bn"]))
    assert model.get_layer("conv_a_bn").kernel.numpy().max() == 3
    assert model.get_layer("conv_b").kernel.numpy().max() == 1


def test_a_layer_that_is_not_there_changes_nothing(tmp_path):
    model = net()
    before = model.get_weights()
    with pytest.raises(ValueError, match="no layer 'conv_b'"):
        load_h5_by_name(model, write(tmp_path / "a.h5", ["conv_a/bn", "conv_c"]))
    for first, second in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    with pytest.raises(FileNotFoundError, match="There is none at"):
        load_h5_by_name(model, tmp_path / "b.h5")
