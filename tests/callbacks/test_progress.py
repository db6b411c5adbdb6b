"""Lambda and rate along a fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.domain.nets import batch
from tests.domain.nets import cross_entropy
from tests.domain.nets import judge
from tests.domain.nets import parts
from tftransfer.callbacks import DANNRamp
from tftransfer.callbacks import InverseDecay


class Seen(keras.callbacks.Callback):
    """Keeps lambda and rate of every step."""

    def __init__(self):
        super().__init__()
        self.lambdas, self.rates = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.lambdas.append(float(self.model.scalars["reversal"]))
        self.rates.append(float(self.model.optimizer.learning_rate))


def fitted(data, epochs=2, **options):
    model = tft.DANN(*parts(), judge())
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), cross_entropy())
    seen = Seen()
    callbacks = [DANNRamp(), InverseDecay(), seen]
    model.fit(data, epochs=epochs, callbacks=callbacks, verbose=0, **options)
    return seen


def pairs(steps):
    x, y = batch()
    return tf.data.Dataset.from_tensors((x, y)).repeat(steps)


def test_each_step_has_its_lambda_and_rate_in_the_compiled_step():
    seen = fitted(pairs(5))
    p = np.arange(10) / 10
    np.testing.assert_allclose(seen.lambdas, 2 / (1 + np.exp(-10 * p)) - 1, atol=1e-6)
    np.testing.assert_allclose(seen.rates, 0.01 / (1 + 10 * p) ** 0.75, rtol=1e-5)


def test_a_resumed_fit_goes_on_where_it_was():
    model = tft.DANN(*parts(), judge())
    model.compile(keras.optimizers.SGD(0.003), cross_entropy())
    seen = Seen()
    callbacks = [DANNRamp(), InverseDecay(0.01), seen]
    options = {"epochs": 4, "initial_epoch": 2, "callbacks": callbacks, "verbose": 0}
    model.fit(pairs(5), **options)
    p = np.arange(10, 20) / 20
    np.testing.assert_allclose(seen.lambdas, 2 / (1 + np.exp(-10 * p)) - 1, atol=1e-6)
    np.testing.assert_allclose(seen.rates, 0.01 / (1 + 10 * p) ** 0.75, rtol=1e-5)


def test_data_of_unknown_length_ramp_by_epochs_first():
    data = pairs(4)
    unknown = tf.data.Dataset.from_generator(
        lambda: iter(data), output_signature=data.element_spec
    )
    seen = fitted(unknown)
    p = np.array([0, 0, 0, 0, 0.5, 0.625, 0.75, 0.875])
    np.testing.assert_allclose(seen.lambdas, 2 / (1 + np.exp(-10 * p)) - 1, atol=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="Expected"):
        DANNRamp(gamma=0)
    with pytest.raises(ValueError, match="Expected"):
        InverseDecay(-0.1)
    with pytest.raises(ValueError, match="'mmd_weight'"):
        DANNRamp(name="mmd_wieght").set_model(tft.DAN(*parts()))
    model = tft.DANN(*parts(), judge())
    decaying = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9))
    for optimizer in (decaying, keras.optimizers.LossScaleOptimizer(decaying)):
        model.compile(optimizer)
        with pytest.raises(ValueError, match="CosineDecay"):
            model.fit(pairs(1), callbacks=[InverseDecay()], verbose=0)
