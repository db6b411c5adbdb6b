"""Labelled rows of the target: under XLA, and on replicas without source rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.domain.nets import batch
from tests.domain.nets import cross_entropy
from tests.domain.nets import dense
from tests.domain.nets import judge
from tests.domain.nets import parts


def pairs(rows=33, labelled=8):
    """Return batches of 32 whose last has one row of the source beside `labelled`."""
    rng = np.random.default_rng(0)
    x, x_target = rng.normal(size=(2, rows, 4)).astype("float32")
    few = x_target[:labelled], rng.integers(0, 3, labelled)
    few = tf.data.Dataset.from_tensor_slices(few).batch(labelled)
    return tft.data.pair_domains(
        (x, rng.integers(0, 3, rows)),
        x_target,
        labelled_target=few,
        batch_size=32,
        target_batch_size=16,
    )


def restyler():
    layers = dense("generator", 4, 4), judge(4), dense("classifier", 4, 3)
    return tft.domain.Restyler(*layers)


@pytest.mark.parametrize("method", ["DANN", "Restyler"])
def test_xla_is_off_for_them_and_on_without(method):
    model = restyler() if method == "Restyler" else tft.DANN(*parts(), judge())
    model.compile("sgd", cross_entropy(), jit_compile=True)
    x, y = batch()
    plain = tf.data.Dataset.from_tensors((x, y))
    model.fit(plain, verbose=0)
    assert model.jit_compile
    history = model.fit(pairs(), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert not model.jit_compile


@pytest.mark.parametrize(
    ("method", "policy", "judged"),
    [
        ("DANN", "separate", 5),
        ("CDAN", "joint", 15),
        ("DAN", "specific", None),
        ("JAN", "joint", None),
    ],
)
def test_a_replica_without_source_rows_takes_no_harm(method, policy, judged):
    with tft.distribute.strategy("cpu:2", say=None):
        layers = parts(keras.layers.BatchNormalization())
        judges = [] if judged is None else [judge(judged)]
        model = getattr(tft, method)(*layers, *judges, batch_norm=policy)
        model.compile("sgd", cross_entropy())
    history = model.fit(pairs(), epochs=2, verbose=0).history
    for name, values in history.items():
        assert np.isfinite(values).all(), name
    for variable in model.variables:
        assert np.isfinite(np.asarray(variable)).all(), variable.path
