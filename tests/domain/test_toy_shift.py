"""A toy task that methods must win: two clouds that lie turned in the target.

The line that training finds between the source's clouds cuts through the target's.
"""

import functools

import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.domain.nets import cross_entropy
from tests.domain.nets import dense

METHODS = {
    "DANN": lambda parts: tft.DANN(*parts, dense("judge", 4, 1, relu(16))),
    "CDAN": lambda parts: tft.CDAN(*parts, dense("judge", 8, 1, relu(16))),
    "DomainConfusion": lambda parts: tft.DomainConfusion(
        *parts, dense("judge", 4, 1, relu(16)), confusion_weight=1.0
    ),
    "DAN": lambda parts: tft.DAN(*parts),
    "JAN": lambda parts: tft.JAN(*parts),
    "DeepCORAL": lambda parts: tft.DeepCORAL(*parts),
}


def relu(units):
    return keras.layers.Dense(units, "relu")


def clouds(angle, n=240):
    """Return (x, y), (n, 2) and (n,), of two clouds turned by an angle in degrees.

    A wide one and a dense one, so that they cannot be taken for each other.
    """
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    centre = np.stack([4.5 * y - 1.5, 0 * y], axis=1)
    x = rng.normal(centre, np.where(y, 0.2, 0.8)[:, None])
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return (x @ [[cosine, sine], [-sine, cosine]]).astype("float32"), y


def fitted(build, epochs=30):
    """Return the accuracy on the target of a method, or of the net without any."""
    keras.utils.set_random_seed(3)
    parts = dense("extractor", 2, 4, relu(16)), dense("head", 4, 2)
    model, (x, y) = build(parts), clouds(70)
    model.compile(keras.optimizers.Adam(1e-2), cross_entropy())
    data, options = tft.data.pair_domains(clouds(0), x, batch_size=40), {}
    if isinstance(model, keras.Sequential):
        data = data.map(lambda x, y: (x["source"], y))
    elif "reversal" in model.scalars:
        options = {"callbacks": [tft.callbacks.DANNRamp()]}
    model.fit(data, epochs=epochs, shuffle=False, verbose=0, **options)
    return np.mean(np.argmax(model(x), axis=1) == y)


@functools.cache
def source_only():
    return fitted(keras.Sequential)


_QUICK = ("DANN", "DAN")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in _QUICK else pytest.mark.slow)
        for name in METHODS
    ],
)
def test_the_line_moves_between_the_clouds_of_the_target(name):
    assert source_only() < 0.95
    assert fitted(METHODS[name]) > 0.95
