"""SelfDistiller against NumPy, its limits, its exits, and a net that it helps."""

import keras
import numpy as np
import pytest
from keras import ops

import tftransfer as tft
from tftransfer.distillation import SelfDistiller
from tftransfer.distillation.exits import deepest_features

CE = keras.losses.SparseCategoricalCrossentropy


def net(batch_norm=False):
    layers = [keras.Input((6, 6, 2)), keras.layers.Conv2D(4, 3, name="low")]
    layers += [keras.layers.BatchNormalization(name="norm")] if batch_norm else []
    layers += [
        keras.layers.Conv2D(5, 3, activation="relu", name="high"),
        keras.layers.GlobalAveragePooling2D(name="pooled"),
        keras.layers.Dropout(0.0),
        keras.layers.Dense(3, name="logits"),
    ]
    return keras.Sequential(layers, name="net")


def data(samples=8):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(samples, 6, 6, 2)).astype("float32")
    return x, rng.integers(0, 3, samples)


def compiled(model, **options):
    model.compile(keras.optimizers.SGD(0.1), CE(from_logits=True), **options)
    return model


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_terms_equal_loops_over_pictures():
    model = compiled(SelfDistiller(net(), ["low", "high"], temperature=2.0))
    x, y = data()
    outputs = model(x, training=True)
    q = np.asarray(outputs["prediction"])
    deepest = np.asarray(
        keras.Model(model.student.inputs, model.student.get_layer("pooled").output)(x)
    )
    labels = soft = hint = 0.0
    assert len(outputs["exits"]) == 2
    for each in outputs["exits"]:
        logits, features = np.asarray(each["logits"]), np.asarray(each["features"])
        for i in range(len(x)):
            labels -= np.log(softmax(logits[i]))[y[i]] / len(x)
            soft -= sum(softmax(q[i] / 2) * np.log(softmax(logits[i] / 2))) / len(x)
            hint += sum((features[i] - deepest[i]) ** 2) / len(x)
    terms = model.transfer_losses(x, y, outputs)
    assert float(terms["exit_labels"]) == pytest.approx(labels, rel=1e-5)
    assert float(terms["exit_soft_target"]) == pytest.approx(soft, rel=1e-5)
    assert float(terms["exit_hint"]) == pytest.approx(hint, rel=1e-5)


def test_weights_of_zero_are_plain_training():
    weights = ("exit_labels_weight", "exit_soft_target_weight", "exit_hint_weight")
    student, plain = net(), net()
    plain.set_weights(student.get_weights())
    x, y = data()
    compiled(SelfDistiller(student, ["low"], **dict.fromkeys(weights, 0.0))).fit(
        x, y, epochs=2, shuffle=False, verbose=0
    )
    compiled(plain).fit(x, y, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(student.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_what_teaches_gets_no_gradient():
    student = net()
    model = SelfDistiller(student, ["low"])
    model.compile(keras.optimizers.SGD(0.1))  # the exits' terms alone
    above = [
        v.numpy()
        for name in ("high", "logits")
        for v in student.get_layer(name).weights
    ]
    low = student.get_layer("low").kernel.numpy()
    model.fit(*data(), verbose=0)
    after = [
        v.numpy()
        for name in ("high", "logits")
        for v in student.get_layer(name).weights
    ]
    for a, b in zip(above, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.any(low != student.get_layer("low").kernel.numpy())


def test_rows_of_weight_zero_do_not_count():
    x, y = data()
    weight = np.array([1.0] * 4 + [0.0] * 4, "float32")
    model = SelfDistiller(net(), ["low", "high"])
    whole = model.transfer_losses(x, y, model(x, training=True), weight)
    half = model.transfer_losses(x[:4], y[:4], model(x[:4], training=True))
    for name, value in half.items():
        assert float(whole[name]) == pytest.approx(float(value) / 2, rel=1e-5)


def test_batch_norm_moves_once_per_step():
    model = compiled(SelfDistiller(net(batch_norm=True), ["low", "norm"]))
    x, y = data()
    low, norm = (model.student.get_layer(name) for name in ("low", "norm"))
    mean = np.mean(low(x), axis=(0, 1, 2))
    model.train_on_batch(x, y)
    np.testing.assert_allclose(norm.moving_mean, 0.01 * mean, atol=1e-6)


def test_exits_hold_the_layers_below_and_share_weights(tmp_path):
    model = compiled(SelfDistiller(net(), ["low", "high"]))
    x, y = data()
    model.fit(x, y, verbose=0)
    exits = model.exits
    outputs = model(x, training=True)["exits"]
    for layer, each in zip(("low", "high"), outputs, strict=True):
        np.testing.assert_allclose(exits[layer](x), each["logits"], atol=1e-5)
    held = {id(variable) for variable in exits["low"].weights}
    assert id(model.student.get_layer("low").kernel) in held
    assert id(model.student.get_layer("high").kernel) not in held
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.exits["low"](x), exits["low"](x))
    exits["low"].save(tmp_path / "low.keras")
    alone = keras.saving.load_model(tmp_path / "low.keras")
    np.testing.assert_allclose(alone(x), exits["low"](x), atol=1e-6)


def test_layers_inside_a_classifiers_backbone(tmp_path):
    backbone = tft.Backbone("tiny", weights=None)
    classifier = tft.Classifier(backbone, num_classes=3)
    endpoints = list(backbone.endpoints)[:2]
    model = compiled(SelfDistiller(classifier, endpoints))
    x = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    history = model.fit(x, np.arange(4) % 3, verbose=0).history
    assert np.isfinite(history["exit_hint_loss"][0])
    assert model.deployed is classifier.deployed
    exit_at = model.exits[endpoints[0]]
    exit_at.save(tmp_path / "exit.keras")
    again = keras.saving.load_model(tmp_path / "exit.keras")
    np.testing.assert_allclose(again(x), exit_at(x), atol=1e-5)
    fewer = model.exits[endpoints[0]].count_params()
    assert fewer < model.exits[endpoints[1]].count_params()


def test_deepest_features_are_what_the_last_dense_layer_reads():
    assert deepest_features(net()) == "pooled"
    x = keras.Input((4,))
    head = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="head")
    inner = keras.Sequential([x, keras.layers.Dense(4, name="in")], name="trunk")
    nested = keras.Model(x, keras.layers.Softmax()(head(inner(x))))
    assert deepest_features(nested) == "trunk/in"
    with pytest.raises(ValueError, match=r"Expected.*Received.*deepest"):
        deepest_features(head)


def test_needs_labels():
    model = SelfDistiller(net(), ["low"])
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"Expected labels.*Received none"):
        model.fit(data()[0], verbose=0)


def test_temperature_is_a_scalar_that_callbacks_may_change():
    model = SelfDistiller(net(), ["low"], temperature=2.0)
    x, y = data()
    outputs = model(x, training=True)
    before = float(model.transfer_losses(x, y, outputs)["exit_soft_target"])
    model.scalars["temperature"].assign(5.0)
    after = float(model.transfer_losses(x, y, outputs)["exit_soft_target"])
    assert before != pytest.approx(after, rel=1e-4)
    assert float(ops.abs(model.scalars["exit_hint_weight"] - 0.03)) < 1e-6


@pytest.mark.slow
def test_trains_a_net_too_deep_for_plain_training():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = (x[:, 0] > 0).astype(int) + 2 * (x[:, 1] > 0)

    def deep():
        keras.utils.set_random_seed(5)
        layers = [keras.layers.Dense(16, "sigmoid", name=f"d{i}") for i in range(7)]
        return keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(4)])

    def accuracy(model, student):
        model.compile(keras.optimizers.Adam(0.01), CE(from_logits=True))
        model.fit(x, y, epochs=60, batch_size=64, verbose=0)
        return np.mean(np.argmax(student(x), -1) == y)

    student, plain = deep(), deep()
    taught = accuracy(SelfDistiller(student, ["d1", "d3", "d5"]), student)
    assert taught > accuracy(plain, plain) + 0.1
