"""Gradient reversal and frozen calls, by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tftransfer.core import GradientReversal
from tftransfer.core import call_with_frozen_weights


@pytest.mark.parametrize("jit", [False, True])
def test_forward_is_identity_and_gradient_is_reversed(jit):
    layer = GradientReversal(scale=0.3)
    x = tf.constant([[1.0, -2.0]])

    @tf.function(jit_compile=jit)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * [[2.0, 5.0]])
        return y, tape.gradient(loss, x)

    y, gradient = run(x)
    np.testing.assert_allclose(y, x, rtol=1e-6)
    np.testing.assert_allclose(gradient, [[-0.6, -1.5]], rtol=1e-6)
    layer.scale.assign(1.0)
    np.testing.assert_allclose(run(x)[1], [[-2.0, -5.0]], rtol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_input_passes_to_the_bit(dtype, jit):
    layer = GradientReversal(scale=0.3, dtype=dtype)
    rows = np.concatenate([np.random.default_rng(0).normal(size=999), [4e4, -4e4, 0]])
    x = tf.cast(rows, dtype)

    @tf.function(jit_compile=jit)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return y, tape.gradient(y, x)

    for scale in (0.3, 1.0, 4.0):
        layer.scale.assign(scale)
        y, gradient = run(x)
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, x)
        np.testing.assert_array_equal(gradient, tf.cast(tf.fill([1002], -scale), dtype))


def test_scale_is_kept_in_config_and_checked():
    again = GradientReversal.from_config(GradientReversal(0.3).get_config())
    assert float(again.scale) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="0 or more"):
        GradientReversal(-1.0)


def test_gradient_passes_through_frozen_weights():
    judge = keras.Sequential(
        [keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    statistics = [v.numpy() for v in judge.non_trainable_variables]
    x = tf.random.normal((8, 3), seed=0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(call_with_frozen_weights(judge, x, training=True) ** 2)
    gradients = tape.gradient(loss, [x, *judge.trainable_variables])
    assert np.any(gradients[0] != 0)
    assert gradients[1:] == [None] * len(judge.trainable_variables)
    for a, b in zip(statistics, judge.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
    assert judge.trainable


def test_unbuilt_layer_is_refused():
    with pytest.raises(ValueError, match="built"):
        call_with_frozen_weights(keras.layers.Dense(1), tf.ones((1, 2)))
