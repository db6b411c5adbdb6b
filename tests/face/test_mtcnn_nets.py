"""The three nets give the numbers of mtcnn 1.0.0's own nets, recorded here."""

import numpy as np
import pytest

from tftransfer.face.detection.mtcnn_engine import compiled
from tftransfer.face.detection.mtcnn_layers import NETS
from tftransfer.face.detection.mtcnn_nets import keras_net
from tftransfer.face.detection.mtcnn_weights import read_mtcnn_weights

# mtcnn 1.0.0 on default_rng(0).uniform(0, 255, (1, side, side, 3)), float32
RECORDED = {
    "pnet": [
        [0.13197, 0.11212, -0.12677, 0.01113],
        [0.98801, 0.01199],
    ],
    "rnet": [
        [0.01336, -0.04965, -0.05826, 0.17445],
        [0.97724, 0.02276],
    ],
    "onet": [
        [0.12871, 0.0378, -0.10157, 0.02653],
        np.array(
            [
                [0.28533, 0.65308, 0.45948, 0.3037, 0.61347],
                [0.32341, 0.30465, 0.50269, 0.81622, 0.81222],
            ]
        ).ravel(),
        [0.98027, 0.01973],
    ],
}
SIDES = {"pnet": 12, "rnet": 24, "onet": 48}
# From the paper's layers: kernels, biases and slopes.
PARAMETERS = {"pnet": 6_632, "rnet": 100_178, "onet": 389_040}


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_parameters(net):
    model = keras_net(net)
    assert model.count_params() == PARAMETERS[net.name]
    found = {
        f"{net.name}/{layer.name}/{variable.name}": tuple(variable.shape)
        for layer in model.layers
        for variable in layer.variables
    }
    assert list(found.items()) == list(net.weight_shapes().items())


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_equals_the_published_nets(net, engine, mtcnn):
    mtcnn(engine)  # skips where there are no weights, or no engine
    computed = compiled(net, read_mtcnn_weights(), engine)
    side = SIDES[net.name]
    pixels = np.random.default_rng(0).uniform(0, 255, (1, side, side, 3))
    (found,) = computed.map([pixels.astype("float32")])
    for output, recorded in zip(found, RECORDED[net.name], strict=True):
        np.testing.assert_allclose(np.ravel(output), recorded, atol=2e-5)


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_engines_build_the_same_net(net):
    """Random weights, and sides that leave each pool a rest."""
    pytest.importorskip("openvino")
    generator = np.random.default_rng(1)
    weights = {
        key: generator.normal(0, 0.3, shape).astype("float32")
        for key, shape in net.weight_shapes().items()
    }
    sides = (net.side, net.side) if net.side else (29, 32)
    pixels = generator.uniform(0, 255, (3, *sides, 3)).astype("float32")
    found, expected = (
        next(compiled(net, weights, engine).map([pixels]))
        for engine in ("openvino", "tensorflow")
    )
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
