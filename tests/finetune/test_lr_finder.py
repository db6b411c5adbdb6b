import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.finetune.pictures import three_classes
from tftransfer.finetune import AdamW
from tftransfer.finetune import OneCycle


def _compiled(rate=1e-3):
    model = tft.Classifier(tft.Backbone("tiny"), 3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(AdamW(rate), loss, metrics=["accuracy"])
    return model


def _data():
    return tft.data.as_dataset(three_classes(), image_size=32, batch_size=16)


def test_suggests_a_rate_and_leaves_the_model_as_it_was():
    model = _compiled()
    before = [np.array(w) for w in model.get_weights()]
    found = tft.lr_find(model, _data(), low=1e-6, high=10.0, steps=60)
    assert 1e-5 < found.suggestion < 0.5
    assert len(found.rates) == len(found.losses) <= 60
    steps = np.diff(np.log(found.rates))
    np.testing.assert_allclose(steps, np.log(1e7) / 59, rtol=1e-5)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    assert int(model.optimizer.iterations) == 0


def test_losses_are_those_of_single_steps():
    """With a rate of nothing the losses are the batches' own, smoothed."""
    model = _compiled()
    data = _data()
    found = tft.lr_find(model, data, low=1e-12, high=1e-11, steps=10)
    own = [float(model.evaluate(x, y, verbose=0)[0]) for x, y in data] * 4
    mean, expected = 0.0, []
    for step, loss in enumerate(own[:10]):
        mean = 0.9 * mean + 0.1 * loss
        expected.append(mean / (1 - 0.9 ** (step + 1)))
    # Dropout is on while training, so that single losses differ a little.
    np.testing.assert_allclose(found.losses, expected, rtol=0.25)


def test_plots(tmp_path):
    found = tft.lr_find(_compiled(), _data(), steps=20)
    assert found.plot(tmp_path / "rates.png").stat().st_size > 5000


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match="low"):
        tft.lr_find(_compiled(), _data(), low=1.0, high=0.1)
    with pytest.raises(ValueError, match="compile"):
        tft.lr_find(tft.Classifier(tft.Backbone("tiny"), 3), _data())
    with pytest.raises(ValueError, match="schedule"):
        tft.lr_find(_compiled(OneCycle(1e-3, 10)), _data())
