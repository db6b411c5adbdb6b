"""The three nets give the numbers of mtcnn 1.0.0's own nets, recorded here."""

import numpy as np
import pytest

from tftransfer.face.detection.mtcnn_nets import output_net
from tftransfer.face.detection.mtcnn_nets import proposal_net
from tftransfer.face.detection.mtcnn_nets import refinement_net
from tftransfer.face.detection.mtcnn_weights import load_mtcnn_weights

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


@pytest.fixture(scope="module")
def nets():
    return {net.name: net for net in (proposal_net(), refinement_net(), output_net())}


@pytest.mark.parametrize("name", RECORDED)
def test_parameters(nets, name):
    assert nets[name].count_params() == PARAMETERS[name]


@pytest.mark.parametrize("name", RECORDED)
def test_equals_the_published_nets(nets, name, mtcnn):
    mtcnn("tensorflow")  # skips where there are no weights
    load_mtcnn_weights(list(nets.values()))
    side = SIDES[name]
    pixels = np.random.default_rng(0).uniform(0, 255, (1, side, side, 3))
    found = nets[name](pixels.astype("float32"))
    for output, recorded in zip(found, RECORDED[name], strict=True):
        np.testing.assert_allclose(np.ravel(output), recorded, atol=2e-5)
