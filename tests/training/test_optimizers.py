"""Rates per layer and steps per variable, against plain optimizers and by hand."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from tftransfer.finetune import SGD
from tftransfer.finetune import Adam
from tftransfer.finetune import AdamW
from tftransfer.finetune import OneCycle


def net():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="tanh", name="low"),
            keras.layers.Dense(3, name="high"),
        ]
    )


def steps(model, optimizers, count=5):
    """Apply `count` fixed gradients; optimizers: [(optimizer, variables)]."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        gradients = {id(v): rng.normal(size=v.shape) for v in model.variables}
        for optimizer, variables in optimizers:
            optimizer.apply(
                [ops.convert_to_tensor(gradients[id(v)], "float32") for v in variables],
                variables,
            )
    return [ops.convert_to_numpy(v) for v in model.variables]


@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (
            lambda rate, **k: SGD(rate, momentum=0.9, weight_decay=0.01, **k),
            lambda rate: keras.optimizers.SGD(rate, momentum=0.9, weight_decay=0.01),
        ),
        (lambda rate, **k: Adam(rate, **k), lambda rate: keras.optimizers.Adam(rate)),
        (
            lambda rate, **k: AdamW(rate, weight_decay=0.1, **k),
            lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.1),
        ),
    ],
    ids=["SGD", "Adam", "AdamW"],
)
def test_equals_one_optimizer_per_group(ours, plain):
    model = net()
    together = steps(model, [(ours(0.1, multipliers={"low": 0.2}), model.variables)])
    model = net()
    apart = steps(
        model,
        [
            (plain(0.1 * 0.2), model.get_layer("low").variables),
            (plain(0.1), model.get_layer("high").variables),
        ],
    )
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-7)


def test_late_group_starts_at_the_asked_rate():
    """Keras' own Adam moves a group unfrozen at step 2,000 at six times the rate."""
    moved = {}
    for optimizer in (Adam(0.01), keras.optimizers.Adam(0.01)):
        early = keras.Variable(np.zeros(1, "float32"), name="early")
        late = keras.Variable(np.zeros(1, "float32"), name="late")
        optimizer.build([early, late])
        optimizer.iterations.assign(2000)
        places = [0.0]
        for _ in range(20):
            optimizer.apply([ops.ones(1)], [late])
            places.append(-float(late[0]))
        moved[type(optimizer).__module__.split(".")[0]] = np.diff(places)
    np.testing.assert_allclose(moved["tftransfer"], 0.01, rtol=1e-3)
    assert moved["keras"].max() > 0.06


def test_pattern_matches_whole_path_parts_only():
    model = net()
    optimizer = Adam(0.1, multipliers={"l.w": 0.5})
    optimizer.build(model.variables)
    assert optimizer._factors == [0.5, 0.5, 1.0, 1.0]


def test_pattern_without_match_raises_and_names_the_nearest():
    optimizer = SGD(0.1, multipliers={"hihg": 0.5})
    with pytest.raises(ValueError, match=r"'hihg', which matches none.*'high'"):
        optimizer.build(net().variables)


def test_negative_factor_raises():
    with pytest.raises(ValueError, match="0 or more"):
        SGD(0.1, multipliers={"low": -1})


def test_rate_stays_readable_and_settable():
    model = net()
    model.compile(AdamW(0.1, multipliers={"low": 0.5}), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="loss", factor=0.1, patience=0, min_delta=1e9
    )
    x = np.zeros((8, 4), "float32")
    model.fit(x, np.zeros((8, 3)), epochs=3, callbacks=[callback], verbose=0)
    assert float(model.optimizer.learning_rate) < 0.02


def test_saved_with_the_model(tmp_path):
    model = net()
    model.compile(AdamW(OneCycle(0.1, 10), multipliers={"low": 0.5}), "mse")
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    y = np.ones((8, 3), "float32")
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    for each in (model, again):
        each.fit(x, y, epochs=1, verbose=0)
    for a, b in zip(model.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_cycle_rises_and_falls():
    schedule = OneCycle(1.0, total_steps=100, warmup=0.25)
    rates = [float(schedule(i)) for i in range(101)]
    assert int(np.argmax(rates)) == 25
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[25] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(1e-4, rel=1e-2)
    assert all(a <= b for a, b in itertools.pairwise(rates[:26]))
    assert all(a >= b for a, b in itertools.pairwise(rates[25:]))


@pytest.mark.parametrize(
    "bad", [{"peak": 0}, {"total_steps": 0}, {"warmup": 1.0}], ids=str
)
def test_one_cycle_refuses(bad):
    with pytest.raises(ValueError, match="Expected"):
        OneCycle(**({"peak": 1.0, "total_steps": 10} | bad))
