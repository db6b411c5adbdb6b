"""The policies of batch normalisation against statistics computed by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.domain.nets import batch
from tests.domain.nets import cross_entropy
from tests.domain.nets import parts

EPSILON = 1e-3


def model_with(policy):
    norm = keras.layers.BatchNormalization(momentum=0.5, epsilon=EPSILON, name="norm")
    return tft.DeepCORAL(*parts(norm), batch_norm=policy)


def normalised(rows, by, scale=1.0, shift=0.0):
    return scale * (rows - by.mean(0)) / np.sqrt(by.var(0) + EPSILON) + shift


def features(model, rows):
    dense = model.extractor.layers[-1]
    return np.tanh(rows @ np.asarray(dense.kernel) + np.asarray(dense.bias))


def moving(model):
    norm = model.extractor.get_layer("norm")
    return np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)


def test_joint_normalises_both_by_the_mixture():
    x, _ = batch()
    model = model_with("joint")
    both = np.concatenate([x["source"], x["target"]])
    outputs = model(x, training=True)
    for name in ("source", "target"):
        expected = features(model, normalised(x[name], both))
        np.testing.assert_allclose(outputs[name], expected, atol=1e-5)
    np.testing.assert_allclose(moving(model)[0], both.mean(0) / 2, atol=1e-5)


@pytest.mark.parametrize("policy", ["separate", "specific"])
def test_separate_domains_and_averages_of_the_target_alone(policy):
    x, _ = batch()
    model = model_with(policy)
    outputs = model(x, training=True)
    for name in ("source", "target"):
        expected = features(model, normalised(x[name], x[name]))
        np.testing.assert_allclose(outputs[name], expected, atol=1e-5)
    mean, variance = moving(model)
    np.testing.assert_allclose(mean, x["target"].mean(0) / 2, atol=1e-5)
    np.testing.assert_allclose(variance, 0.5 + x["target"].var(0) / 2, atol=1e-4)


@pytest.mark.parametrize("policy", ["separate", "specific"])
def test_validation_reads_the_source_by_averages_of_its_own(policy):
    x, _ = batch()
    model = model_with(policy)
    for _ in range(30):
        model(x, training=True)
    source = features(model, normalised(x["source"], x["source"]))
    np.testing.assert_allclose(model.read(x["source"], "source")[0], source, atol=1e-4)
    target = features(model, normalised(x["target"], x["target"]))
    np.testing.assert_allclose(model.read(x["target"], "target")[0], target, atol=1e-4)


def test_specific_scales_train_apart_and_the_source_has_its_own():
    x, y = batch()
    model = model_with("specific")
    model.compile(keras.optimizers.SGD(0.5), cross_entropy())
    model.train_on_batch(x, y)
    norm = model.extractor.get_layer("norm")
    own = {v.path.split("/")[-1]: np.asarray(v) for v in model.trainable_variables}
    scale, shift = (
        next(v for k, v in own.items() if k.startswith("source") and k.endswith(end))
        for end in ("gamma", "beta")
    )
    assert np.abs(scale - np.asarray(norm.gamma)).max() > 1e-4
    outputs = model(x, training=True)
    rows = normalised(x["source"], x["source"], scale, shift)
    np.testing.assert_allclose(outputs["source"], features(model, rows), atol=1e-5)


def test_inference_uses_and_keeps_the_moving_averages():
    x, y = batch()
    model = model_with("inference")
    model.compile(keras.optimizers.SGD(0.5), cross_entropy())
    model.train_on_batch(x, y)
    np.testing.assert_array_equal(moving(model)[0], 0)
    outputs = model(x, training=True)
    expected = model.extractor(x["target"], training=False)
    np.testing.assert_allclose(outputs["target"], expected, atol=1e-6)


def test_both_passes_drop_units_of_their_own():
    x, _ = batch()
    x["target"] = x["source"]
    model = tft.DeepCORAL(*parts(keras.layers.Dropout(0.5)), batch_norm="separate")
    outputs = model(x, training=True)
    assert np.abs(np.asarray(outputs["source"] - outputs["target"])).max() > 1e-3


def test_a_specific_model_is_loaded_as_it_was(tmp_path):
    x, y = batch()
    model = model_with("specific")
    model.compile(keras.optimizers.SGD(0.5), cross_entropy())
    model.train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    again = tft.load_model(tmp_path / "model.keras")
    for each in (model, again):
        each.train_on_batch(x, y)
    for a, b in zip(model.variables, again.variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("policy", ["separate", "specific"])
def test_an_extractor_frozen_at_first_trains_and_is_loaded_once_thawed(
    policy, tmp_path
):
    x, y = batch()
    norm = keras.layers.BatchNormalization(momentum=0.5, name="norm")
    extractor, head = parts(norm)
    extractor.trainable = False
    model = tft.DeepCORAL(extractor, head, batch_norm=policy)
    model.compile(keras.optimizers.SGD(0.5), cross_entropy())
    before = [np.array(v) for v in model.features_of(x["source"], "source")]
    model.train_on_batch(x, y)
    np.testing.assert_array_equal(model.features_of(x["source"], "source"), before)
    extractor.trainable = True
    model.compile(keras.optimizers.SGD(0.5), cross_entropy())
    model.train_on_batch(x, y)
    own = {v.name.split("_norm_")[1] for v in model._passes._own.values()}
    averages, scales = {"moving_mean", "moving_variance"}, {"gamma", "beta"}
    assert own == (averages | scales if policy == "specific" else averages)
    for scale in model._passes.scales(trainable=True):
        assert np.abs(np.array(scale) - scale.path.endswith("gamma")).max() > 1e-4
    model.save(tmp_path / "model.keras")
    again = tft.load_model(tmp_path / "model.keras")
    for name in ("source", "target"):
        np.testing.assert_allclose(
            *(each.features_of(x[name], name) for each in (model, again)), atol=1e-6
        )


def test_a_thaw_inside_one_fit_reaches_the_sources_scales():
    x, y = batch()
    model = model_with("specific")
    norm = model.extractor.get_layer("norm")
    norm.trainable = False
    model.compile(keras.optimizers.SGD(0.5), cross_entropy())
    found = []

    class Thaw(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            found.append(np.array(model._passes.scales(norm.trainable)[0]))
            norm.trainable = True

    data = tf.data.Dataset.from_tensors((x, y)).repeat(2)
    model.fit(data, callbacks=[Thaw()], verbose=0)
    np.testing.assert_array_equal(found[0], 1)
    assert np.abs(found[1] - 1).max() > 1e-4


def test_the_sources_averages_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = model_with("separate")
    finally:
        keras.config.set_dtype_policy("float32")
    x, _ = batch()
    x["source"][:, 0] *= 600
    for _ in range(30):
        model(x, training=True)
    own = {v.path: np.asarray(v) for v in model.variables if "/source_" in v.path}
    (variance,) = (v for path, v in own.items() if path.endswith("moving_variance"))
    np.testing.assert_allclose(variance, x["source"].var(axis=0), rtol=5e-3)
