"""Feature losses in a Distiller: adapters train, are saved, stay out of the student."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft

PAIRS = [("low", "low"), ("high", "high")]
# name: (loss, number of variables of its adapters)
ROWS = {
    "hint": (tft.losses.HintLoss(PAIRS), 4),
    "hint_of_vectors": (tft.losses.HintLoss([("pool", "pool")]), 2),
    "flow": (tft.losses.FlowLoss([("first", "first"), ("second", "second")]), 0),
    "relational": (tft.losses.RelationalLoss([("pool", "pool")]), 0),
    "decoupled": (tft.losses.DecoupledKDLoss(), 0),
    "contrastive": (
        tft.losses.ContrastiveRepresentationLoss([("high", "high")], embedding_dim=5),
        4,
    ),
    "contrastive_twice": (
        tft.losses.ContrastiveRepresentationLoss(
            [("pool", "pool"), (None, None)], embedding_dim=5
        ),
        8,
    ),
}
each = pytest.mark.parametrize("key", ROWS)


def net(size, width):
    def conv(filters, name, strides=1):
        return keras.layers.Conv2D(
            filters, 3, strides, "same", activation="relu", name=name
        )

    layers = [
        conv(4, "first"),
        conv(3, "second", 2),
        conv(width, "low"),
        conv(2 * width, "high", 2),
        keras.layers.GlobalAveragePooling2D(name="pool"),
        keras.layers.Dense(3),
    ]
    return keras.Sequential([keras.Input((size, size, 3)), *layers])


def made(loss, **kwargs):
    student, teacher = net(8, 2), net(12, 4)
    distiller = tft.Distiller(student, teacher, [loss], **kwargs)
    task = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile(keras.optimizers.Adam(0.01), task)
    return distiller


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 12, 12, 3)).astype("float32"), np.arange(12) % 3


def adapter_variables(distiller):
    return [v for layer in distiller.adapters for v in layer.variables]


@each
def test_adapters_train_beside_the_student(key):
    loss, count = ROWS[key]
    distiller = made(loss)
    variables = adapter_variables(distiller)
    assert len(variables) == count
    of_student = {id(v) for v in distiller.student.variables}
    assert not of_student & {id(v) for v in variables}
    trained = {id(v) for v in distiller.trainable_variables}
    assert {id(v) for v in variables} <= trained
    teacher = [v.numpy() for v in distiller.teacher.variables]
    before = [v.numpy() for v in variables]
    history = distiller.fit(*data(), batch_size=6, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for old, variable in zip(before, variables, strict=True):
        assert np.abs(old - variable.numpy()).max() > 0
    for old, variable in zip(teacher, distiller.teacher.variables, strict=True):
        np.testing.assert_array_equal(old, variable)


@each
def test_the_term_falls(key):
    distiller = made(ROWS[key][0], student_loss_weight=0.0)
    fit = distiller.fit(*data(), batch_size=12, epochs=40, verbose=0)
    (losses,) = (v for k, v in fit.history.items() if k.endswith("_loss"))
    assert losses[-1] < 0.9 * losses[0]


@each
def test_saved_and_restored(key, tmp_path):
    distiller = made(ROWS[key][0])
    x, y = data()
    distiller.fit(x, y, batch_size=6, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    again = keras.saving.load_model(tmp_path / "distiller.keras")
    found = adapter_variables(again)
    for old, new in zip(adapter_variables(distiller), found, strict=True):
        assert old.path == new.path
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(
        distiller.predict(x, verbose=0), again.predict(x, verbose=0)
    )
    # Both go on alike: the adapters' optimizer state came back, too.
    values = [
        each.fit(x, y, batch_size=12, epochs=2, shuffle=False, verbose=0).history
        for each in (distiller, again)
    ]
    np.testing.assert_allclose(values[0]["loss"], values[1]["loss"], rtol=1e-6)


@each
def test_mixed_precision(key):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        distiller = made(ROWS[key][0])
        fit = distiller.fit(*data(), batch_size=6, epochs=2, verbose=0)
    finally:
        keras.mixed_precision.set_global_policy(before)
    for values in fit.history.values():
        assert np.isfinite(values).all()


def test_what_does_not_fit_is_said_at_construction():
    with pytest.raises(ValueError, match="as many channels"):
        made(tft.losses.FlowLoss(PAIRS))
    with pytest.raises(ValueError, match="below the pooling"):
        made(tft.losses.FlowLoss([("first", "first"), ("pool", "pool")]))
    with pytest.raises(ValueError, match="the same of both nets"):
        made(tft.losses.HintLoss([("low", "pool")]))


@pytest.mark.parametrize("key", ["relational", "decoupled", "contrastive"])
def test_two_replicas_update_as_one_device(key):
    x, y = data()
    found = []
    with tft.distribute.strategy("cpu:2", say=None) as two_replicas:
        pass
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            distiller = made(ROWS[key][0], across_replicas=True)
            distiller.compile(keras.optimizers.SGD(0.1), distiller.loss)
        before = [v.numpy() for v in distiller.trainable_variables]
        distiller.fit(x, y, batch_size=12, shuffle=False, verbose=0)
        found.append([v.numpy() for v in distiller.trainable_variables])
    gaps = [np.abs(now - old).max() for now, old in zip(found[1], before, strict=True)]
    assert max(gaps) > 1e-3
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
