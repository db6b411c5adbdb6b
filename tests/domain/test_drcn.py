"""DRCN: what is redrawn from noise, and what is classified without."""

import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.domain.nets import batch
from tests.domain.nets import dense
from tests.domain.nets import parts


def test_drcn_redraws_the_clean_target_from_noise():
    x, y = batch()
    keras.utils.set_random_seed(0)
    decoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)])
    noise = keras.layers.Rescaling(0.0)  # all of it is lost
    drcn = tft.DRCN(*parts(), decoder, noise=noise, scale=2.0)
    outputs = drcn(x, training=True)
    drawn = np.asarray(decoder(drcn.extractor(np.zeros_like(x["target"]))))
    found = drcn.transfer_losses(x, y, outputs)["reconstruction"]
    expected = np.mean((x["target"] - drawn) ** 2) / 4
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert drcn.reconstruct(x["target"]).shape == (10, 4)


def test_drcn_redraws_the_labelled_target_too():
    x, _ = batch(6, 4)
    flags = np.array([False, True, False, False, True, False])
    drcn = tft.DRCN(*parts(), dense("decoder", 5, 4))
    outputs = drcn({**x, "from_target": flags}, training=True)
    expected = np.concatenate([x["target"], x["source"][flags]])
    np.testing.assert_array_equal(outputs["wanted"], expected)
    assert outputs["drawn"].shape == (6, 4)
    answers = drcn.head(drcn.extractor(x["source"]))
    np.testing.assert_allclose(outputs["prediction"], answers, rtol=1e-5, atol=1e-6)


def test_impulse_noise_sets_its_share_while_training_alone():
    noise = tft.domain.ImpulseNoise(0.25, value=-1.0, seed=0)
    x = np.ones((100, 100), "float32")
    noisy = np.asarray(noise(x, training=True))
    assert (noisy == -1).mean() == pytest.approx(0.25, abs=0.02)
    assert (noisy[noisy != -1] == 1).all()
    np.testing.assert_array_equal(noise(x), x)
