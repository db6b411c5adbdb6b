"""MCD: two heads, their balance, and what makes them differ."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import tftransfer as tft
from tests.domain.nets import batch
from tests.domain.nets import cross_entropy
from tests.domain.nets import parts


def test_mcds_heads_part_on_the_target_and_its_extractor_joins_them():
    x, y = batch()
    model = tft.MCD(*parts())
    outputs = model(x, training=True)
    before = float(model._discrepancy(*outputs["of_target"]))
    for part, sign in ((model.head, 1), (model.extractor, -1)):
        weights = part.trainable_weights
        with tf.GradientTape() as tape:
            model.compile("sgd", cross_entropy())
            outputs = model(x, training=True)
            term = model.transfer_losses(x, y, outputs)["discrepancy"]
        steps = tape.gradient(term, weights)
        for weight, step in zip(weights, steps, strict=True):
            weight.assign_sub(0.05 * step)
        after = float(model._discrepancy(*model(x, training=True)["of_target"]))
        assert sign * (after - before) > 0
        for weight, step in zip(weights, steps, strict=True):
            weight.assign_add(0.05 * step)


@pytest.mark.parametrize(
    "initializer", [keras.initializers.GlorotUniform(seed=1), "zeros", "ones"]
)
def test_mcds_second_head_differs_whatever_initialises_the_first(initializer):
    extractor, _ = parts()
    dense = keras.layers.Dense(3, kernel_initializer=initializer)
    model = tft.MCD(extractor, keras.Sequential([keras.Input((5,)), dense]))
    first, second = (each.get_weights()[0] for each in (model.head, model.second_head))
    assert len(np.unique(second)) == second.size
    assert np.abs(first - second).min() > 0


def test_mcd_answers_with_both_heads():
    x, _ = batch()
    model = tft.MCD(*parts())
    features = model.extractor(x["target"])
    both = [ops.softmax(head(features)) for head in (model.head, model.second_head)]
    np.testing.assert_allclose(
        ops.softmax(model(x["target"])), (both[0] + both[1]) / 2, rtol=1e-5
    )


def test_mcds_balance_is_that_of_mean_predictions_and_not_reversed():
    x, y = batch()
    model = tft.MCD(*parts(), discrepancy_weight=0.0, balance_weight=2.0)
    model.compile("sgd", cross_entropy())
    features = model.extractor(x["target"])
    expected = 0.0
    for head in (model.head, model.second_head):
        shares = np.mean(ops.softmax(head(features)), axis=0)
        expected += np.mean(np.log(1 / len(shares)) - np.log(shares))
    outputs = model(x, training=True)
    assert expected > 1e-4
    terms = model.transfer_losses(x, y, outputs)
    np.testing.assert_allclose(terms["balance"], expected, rtol=1e-4)
    assert model.term_weights["balance"] == 2.0
    for part in (model.extractor, model.second_head):
        weights = part.trainable_weights
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            before = model.transfer_losses(x, y, outputs)["balance"]
        for weight, step in zip(weights, tape.gradient(before, weights), strict=True):
            weight.assign_sub(0.05 * step)
        after = model.transfer_losses(x, y, model(x, training=True))["balance"]
        assert float(after) < float(before)


def test_mcds_balance_of_two_replicas_counts_once():
    """Each replica sees the same target rows: its balance is that of one device."""
    x, y = batch(8, 4)
    x["target"] = np.concatenate([x["target"]] * 2)
    found = []
    two = tft.distribute.strategy("cpu:2", say=None)
    for scope in (contextlib.nullcontext(), two):
        with scope:
            model = tft.MCD(*parts(), discrepancy_weight=0.0, balance_weight=5.0)
            model.compile(keras.optimizers.SGD(0.1), cross_entropy())
        before = [np.array(v) for v in model.trainable_variables]
        data = tf.data.Dataset.from_tensor_slices(({**x}, y)).batch(8)
        logs = model.fit(data, verbose=0).history
        moved = zip(before, model.trainable_variables, strict=True)
        found.append((logs["balance_loss"][0], [np.array(v) - b for b, v in moved]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for one, two in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-6)


def test_by_turns_the_heads_maximise_once_and_the_extractor_minimises_so_often():
    x, y = batch()
    model = tft.MCD(*parts(), extractor_steps=2, repeats=3.0)
    at_once = tft.MCD(model.extractor, model.head, model.second_head, repeats=3.0)
    for each in (model, at_once):
        each.compile("sgd", cross_entropy())
    _, expected = _discrepancy(at_once, x, y)
    for turn in range(6):
        _, found = _discrepancy(model, x, y)
        moved, still = ("extractor", "head") if turn % 3 else ("head", "extractor")
        np.testing.assert_allclose(found[moved], expected[moved], rtol=1e-5, atol=1e-7)
        assert not found[still].any()


def test_turns_part_heads_that_normalise_too():
    x, y = batch(8, 8)
    extractor, _ = parts()
    layers = [keras.layers.Dense(6), keras.layers.BatchNormalization()]
    head = keras.Sequential(
        [keras.Input((5,)), *layers, keras.layers.ReLU(), keras.layers.Dense(3)]
    )
    model = tft.MCD(extractor, head, extractor_steps=1)
    model.compile("sgd", cross_entropy())
    of_heads, moving_heads = _discrepancy(model, x, y)
    of_extractor, moving_extractor = _discrepancy(model, x, y)
    assert of_heads == pytest.approx(of_extractor)
    assert not moving_heads["extractor"].any()
    assert moving_heads["head"].any()
    assert not moving_extractor["head"].any()
    assert moving_extractor["extractor"].any()


def test_only_training_takes_turns_and_a_file_goes_on_where_it_was(tmp_path):
    x, _ = batch()
    model = tft.MCD(*parts(), extractor_steps=3)
    model.compile("sgd", cross_entropy())
    model(x, training=True)
    for _ in range(2):
        model.evaluate(x["target"], np.zeros(10, int), verbose=0)
        model.predict(x["target"], verbose=0)
    assert float(model._turn) == 1
    model(x, training=True)
    model.save(tmp_path / "mcd.keras")
    again = keras.saving.load_model(tmp_path / "mcd.keras")
    turns = []
    for _ in range(3):
        turns.append(float(again._turn))
        again(x, training=True)
    assert turns == [2, 3, 0]


def _discrepancy(model, x, y) -> tuple:
    """Return the term and {part: its gradient} of each part's kernel."""
    found = {"extractor": model.extractor, "head": model.head}
    kernels = {name: part.weights[0] for name, part in found.items()}
    with tf.GradientTape() as tape:
        term = model.transfer_losses(x, y, model(x, training=True))["discrepancy"]
    steps = tape.gradient(term, kernels)
    return float(term), {name: step.numpy() for name, step in steps.items()}


@pytest.mark.parametrize("steps", [-1, 1.5, "four"])
def test_mcd_refuses_turns_that_are_no_count(steps):
    with pytest.raises(ValueError, match=r"extractor_steps.*Received"):
        tft.MCD(*parts(), extractor_steps=steps)
