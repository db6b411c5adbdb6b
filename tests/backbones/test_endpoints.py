import math

import keras
import pytest

from tests.backbones.large_nets import marks_of
from tftransfer.backbones import Backbone
from tftransfer.backbones.catalogue import ARCHITECTURES
from tftransfer.backbones.endpoints import ENDPOINTS

CASES = [(name, {}) for name in ARCHITECTURES]
CASES += [(f"mobilenetv3{size}", {"minimalistic": True}) for size in ("small", "large")]
WHOLE_SIGNAL = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.Add,
    keras.layers.Concatenate,
    keras.layers.MaxPooling2D,
    keras.layers.LayerNormalization,
)


@pytest.fixture(
    params=[
        pytest.param(case, marks=marks_of(case[0]), id="-".join([case[0], *case[1]]))
        for case in CASES
    ]
)
def backbone(request, weightless):
    name, options = request.param
    return Backbone(name, weights=None, **options)


def test_strides_kinds_order_and_what_is_pooled(backbone):
    size = backbone.image_size
    last = backbone.endpoints[backbone.endpoint_names[-2]]
    assert backbone.get_layer("pooled").input is last
    assert backbone.endpoint_names[-1] == "pooled"
    for name, tensor in backbone.endpoints.items():
        if name == "pooled":
            assert tensor.shape == (None, backbone.pooled_dim)
            continue
        height, width = tensor.shape[1:3]
        assert height == width
        assert round(math.log2(size / height)) == int(name.removeprefix("stage"))
        operation = tensor._keras_history.operation
        ops_add = type(operation).__module__.endswith("ops.numpy")
        assert isinstance(operation, WHOLE_SIGNAL) or ops_add, operation
        assert "squeeze" not in operation.name
    assert backbone.input.shape == (None, size, size, 3)


def test_the_table_names_every_architecture():
    assert set(ARCHITECTURES) <= set(ENDPOINTS)


def test_names_do_not_depend_on_what_was_built_before(weightless):
    def layer_names():
        net = Backbone("inceptionv3", weights=None, input_shape=(75, 75, 3))
        return [layer.name for layer in net.layers], [v.path for v in net.variables]

    first = layer_names()
    keras.layers.Activation("relu")
    assert layer_names() == first


def test_layers_made_later_do_not_clash(weightless):
    net = Backbone("inceptionv3", weights=None, input_shape=(75, 75, 3))
    tail = keras.layers.Activation("relu")(net.output)
    keras.Model(net.input, tail)
