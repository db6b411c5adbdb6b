import keras
import pytest

import tftransfer as tft
from tftransfer.callbacks import Ramp


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("linear", [1.0, 2.5, 4.0, 4.0]),
        ("cosine", [1.0, 2.5, 4.0, 4.0]),
        ("exponential", [1.0, 2.0, 4.0, 4.0]),
    ],
)
def test_values_of_the_epochs(shape, expected):
    ramp = Ramp("weight", start=1.0, end=4.0, epochs=3, shape=shape)
    assert [ramp.value(epoch) for epoch in range(4)] == pytest.approx(expected)
    five = Ramp("weight", start=1.0, end=4.0, epochs=5, shape=shape)
    assert (five.value(1) < 1.75) == (shape != "linear")


def test_one_epoch_is_the_end():
    assert Ramp("weight", start=1.0, end=4.0, epochs=1).value(0) == 4.0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("weight", {"start": -1, "end": 1, "epochs": 2}),
        ("weight", {"start": 0, "end": 1, "epochs": 2, "shape": "exponential"}),
        ("soft_target_temperature", {"start": 4, "end": 0, "epochs": 2}),
        ("weight", {"start": 1, "end": 0, "epochs": 0}),
        ("weight", {"start": 1, "end": 0, "epochs": 2, "shape": "stairs"}),
    ],
)
def test_bad_settings_raise(name, settings):
    with pytest.raises(ValueError, match="Expected"):
        Ramp(name, **settings)


def test_names_the_settings_that_there_are():
    nets = [
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]) for _ in range(2)
    ]
    ramp = Ramp("soft_target_temprature", start=4, end=2, epochs=2)
    with pytest.raises(ValueError, match="'soft_target_temperature'"):
        ramp.set_model(tft.Distiller(*nets))
    with pytest.raises(TypeError, match="Sequential"):
        ramp.set_model(nets[0])
