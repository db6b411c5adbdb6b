"""Nets that redraw pictures: as they are at first, each by itself, of checked sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.finetune.small import small_backbone
from tftransfer.domain import Restyler
from tftransfer.domain import encoder_decoder
from tftransfer.domain import patch_discriminator


def pictures(count=4, side=16):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, side, side, 3)).astype("float32")


def moved(net):
    """Return the net with a last kernel that draws something."""
    kernel = net.layers[-3].kernel
    kernel.assign(0.1 * keras.random.normal(kernel.shape, seed=1))
    return net


def test_it_begins_with_the_picture_and_draws_each_by_itself():
    net = encoder_decoder((16, 16, 3), filters=(4, 8))
    x = pictures()
    np.testing.assert_array_equal(net(x), x)
    drawn = np.asarray(moved(net)(x, training=True))
    assert np.abs(drawn - x).mean() > 1
    np.testing.assert_allclose(net(x[:1]), drawn[:1], rtol=1e-4, atol=1e-3)


def test_a_judge_of_patches_sees_no_further():
    net = patch_discriminator((64, 64, 3))
    x = pictures(1, 64)
    before = np.asarray(net(x))
    x[:, :20, :20] = 255 - x[:, :20, :20]
    changed = np.any(before != np.asarray(net(x)), axis=(0, -1))
    assert before.shape == (1, 16, 16, 1)
    assert changed[:5, :5].all()
    assert not changed[9:].any()
    assert not changed[:, 9:].any()


def test_together_they_take_a_tint_off():
    keras.utils.set_random_seed(0)
    grey = np.random.default_rng(1).uniform(0, 200, (128, 16, 16, 1)).astype("float32")
    source = np.repeat(grey, 3, axis=-1)
    target = source[::-1] * np.array([1.0, 0.5, 0.5], "float32") + [55, 0, 0]
    target = target.astype("float32")
    net = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    shape = (16, 16, 3)
    model = Restyler(
        encoder_decoder(shape, filters=(8,)),
        patch_discriminator(shape, filters=(8,)),
        net,
        content_weight=0.1,
        identity_weight=0.1,
        scale=255.0,
    )
    model.compile(keras.optimizers.Adam(3e-3, beta_1=0.5))

    def tint(x):
        return float(np.mean(np.asarray(x)[..., 0] - np.asarray(x)[..., 1]))

    before = tint(target)
    for _ in range(120):
        model.train_on_batch({"source": source[:32], "target": target[:32]})
    assert abs(tint(model.restyle(target))) < 0.3 * before


@pytest.mark.parametrize("shape", [(18, 16, 3), (16, 16)])
def test_sizes_that_cannot_be_halved_are_refused(shape):
    with pytest.raises(ValueError, match="divisible by 4"):
        encoder_decoder(shape, filters=(4, 8))


def test_the_packages_own_classifier_is_taken(tmp_path):
    classifier = tft.Classifier(small_backbone(), 3)
    shape = (32, 32, 3)
    model = Restyler(
        encoder_decoder(shape), patch_discriminator(shape), classifier, scale=255
    )
    picture = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype("float32")
    expected = classifier(model.restyle(picture))
    np.testing.assert_allclose(model(picture), expected, atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = tft.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(picture), expected, atol=1e-5)


def test_a_judge_that_normalises_still_moves_the_generator():
    norm, flat = keras.layers.BatchNormalization(), keras.layers.Flatten
    first = keras.layers.Dense(3)
    generator = keras.Sequential([keras.Input((2, 2, 3)), first])
    layers = [norm, flat(), keras.layers.Dense(6, "tanh"), keras.layers.Dense(1)]
    discriminator = keras.Sequential([keras.Input((2, 2, 3)), *layers])
    classifier = keras.Sequential(
        [keras.Input((2, 2, 3)), flat(), keras.layers.Dense(3)]
    )
    model = Restyler(generator, discriminator, classifier)
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 8, 2, 2, 3)).astype("float32")
    x = {"source": source, "target": target + 2}
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        fooled = model.transfer_losses(x, None, outputs)["adversarial"]
    assert np.abs(tape.gradient(fooled, first.bias)).max() > 1e-3
