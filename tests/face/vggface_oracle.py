"""What keras-vggface 0.6 computes, with weights made of the layers' names.

Five outputs for each of two random pictures, and a digest of the published files'
layout, from the recordings in `oracles/keras_vggface`, which the tests compare in full
where they are beside the checkout. The outputs of senet50 are not from there: with
these weights its gates saturate, a change of 1e-7 in the input moves its features by
4e-4, and the float32 recordings are 15 % (features) and 4 % (probabilities) from what
keras-vggface 0.6 itself computes in float64 on tf_keras. That is what stands here.
"""

import hashlib
import json
import zlib

import h5py
import keras
import numpy as np

# (model, include_top) -> (digest of the layout, outputs)
EXPECTED = {
    ("vgg16", True): (
        "13e09f290a8e2848",
        [
            [3.3737972e-04, 6.7106204e-04, 5.6571845e-04, 3.7731504e-04, 2.7014717e-04],
            [3.3203355e-04, 6.9104345e-04, 5.6498260e-04, 3.8084696e-04, 2.5743100e-04],
        ],
    ),
    ("vgg16", False): (
        "fb5f69062a660886",
        [
            [32.591473, 527.15424, 45.986572, 161.76952, 4.7802215],
            [31.814005, 519.6317, 45.81276, 162.601, 4.7128215],
        ],
    ),
    ("resnet50", True): (
        "1412de5567a1468d",
        [
            [1.6094577e-07, 7.1351451e-06, 2.4921151e-06, 1.2459796e-08, 7.5115281e-07],
            [1.5617726e-07, 6.3416419e-06, 2.1598648e-06, 1.2792272e-08, 6.8699256e-07],
        ],
    ),
    ("resnet50", False): (
        "9a44048b0905f0f4",
        [
            [1709.2301, 2674.3887, 2702.9072, 4408.832, 2472.8967],
            [1724.3839, 2643.1753, 2751.447, 4378.986, 2414.1533],
        ],
    ),
    ("senet50", True): (
        "cc85396bd9794b1e",
        [
            [4.2250625e-05, 1.6985922e-04, 1.4367810e-04, 8.2184139e-05, 5.0215451e-05],
            [5.7591904e-05, 1.8384047e-04, 1.6672063e-04, 4.6213241e-05, 6.3861731e-05],
        ],
    ),
    ("senet50", False): (
        "d02c67f301ede02f",
        [
            [775.26917, 207.81877, 439.4066, 756.98804, 1.5908368],
            [626.6199, 19.724367, 615.54865, 946.6127, 16.783833],
        ],
    ),
}


def pictures() -> np.ndarray:
    """Two pictures, RGB in [0, 255]."""
    return np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype("float32")


def published_layout(net: keras.Model) -> list:
    """Return [layer, [[weight, shape], ...]] as in the published file of a net."""
    layout = []
    for layer in net.layers:
        if layer.weights:
            name = layer.name.replace("conv1_7x7", "conv1/7x7")
            name = name.removesuffix("_bn") + "/bn" * name.endswith("_bn")
            weights = [[f"{name}/{w.name}:0", list(w.shape)] for w in layer.weights]
            layout.append([name, weights])
    return layout


def digest(layout: list) -> str:
    """Return the first digits of the SHA-256 of a layout."""
    return hashlib.sha256(json.dumps(layout).encode()).hexdigest()[:16]


def write_published(path, layout: list) -> None:
    """Write a file as keras-vggface published them, with weights made of names."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name, _ in layout]
        for layer, weights in layout:
            group = file.require_group(layer)
            group.attrs["weight_names"] = [name.encode() for name, _ in weights]
            for number, (name, shape) in enumerate(weights):
                group[name] = _values(layer, number, name, shape)


def _values(layer, number, name, shape):
    rng = np.random.default_rng(zlib.crc32(f"{layer}/{number}".encode()))
    n = rng.standard_normal(shape).astype("float32")
    kind = name.rsplit("/", 1)[1].removesuffix(":0")
    if kind == "kernel":
        gain = 0.001 if layer in ("fc8", "classifier") else 1.0
        return n * np.float32(gain * np.sqrt(2 / np.prod(shape[:-1])))
    if kind == "gamma":
        return 1 + 0.1 * n
    return 1 + 0.5 * np.abs(n) if kind == "moving_variance" else 0.1 * n
