"""Checks that every method passes, one row of instances.py each."""

import itertools
import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import tftransfer as tft
from tests.common.instances import ROWS
from tests.common.step_graph import unordered_reads
from tftransfer.core.transfer_model import _constructor_arguments

pytestmark = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def compiled(row, optimizer=None, **options):
    model = row.build(**options)
    model.compile(
        optimizer or keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def dataset(row, batch_size=8):
    return tf.data.Dataset.from_tensor_slices(row.data()).batch(batch_size)


def values(part):
    return [ops.convert_to_numpy(v) for v in part.variables]


def test_config_round_trips_through_json(row):
    model = row.build()
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(model)
    assert [v.shape for v in again.variables] == [v.shape for v in model.variables]
    assert set(_constructor_arguments(type(model))) < set(model.get_config())


def test_keras_file_keeps_outputs_and_optimizer_and_resumes(row, tmp_path):
    model = compiled(row)
    model.fit(dataset(row), epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = row.plain(row.data()[0])
    assert type(again) is type(model)
    np.testing.assert_array_equal(model(x), again(x))
    assert int(again.optimizer.iterations) == 4
    for each in (model, again):
        each.fit(dataset(row), epochs=1, verbose=0)
    for a, b in zip(values(model), values(again), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_fit_evaluate_predict_on_tf_data(row):
    model = compiled(row)
    x, y = row.data()
    plain = tf.data.Dataset.from_tensor_slices((row.plain(x), y)).batch(8)
    history = model.fit(dataset(row), validation_data=plain, epochs=2, verbose=0)
    terms = {f"{name}_loss" for name in row.terms if name != "task"}
    logs = {"loss", "accuracy", "val_loss", "val_accuracy", *row.measures}
    assert terms | logs == set(history.history)
    assert set(model.evaluate(plain, return_dict=True, verbose=0)) == {
        "loss",
        "accuracy",
    }
    assert model.predict(plain, verbose=0).shape == (16, 3)


def test_no_weight_changes_before_all_have_read_it(row):
    model = compiled(row)
    assert unordered_reads(model, *next(iter(dataset(row)))) == []


def test_total_is_task_plus_weighted_terms(row):
    model = compiled(row)
    x, y = row.data()
    outputs = model(x, training=True)
    total = model.compute_loss(x, y, outputs)
    task = model.loss(y, outputs["prediction"])
    terms = model.transfer_losses(x, y, outputs)
    factor = 1.0 if model.task_weight is None else float(model.task_weight)
    expected = factor * float(task) + sum(
        float(model.term_weights[name]) * float(value) for name, value in terms.items()
    )
    assert float(total) == pytest.approx(expected, abs=1e-5)
    assert set(terms) == set(row.terms) - {"task"}


def test_each_term_reaches_the_parts_it_declares(row):
    model = compiled(row)
    x, y = row.data()
    # Away from the start, where a penalty towards it has no gradient.
    for variable in model.trainable_variables:
        variable.assign_add(0.01 * ops.ones_like(variable))
    for name, parts in row.terms.items():
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            if name == "task":
                loss = model.loss(y, outputs["prediction"])
            else:
                loss = model.transfer_losses(x, y, outputs)[name]
        parts_of_all = (*row.parts, *row.frozen)
        weights = {p: getattr(model, p).trainable_weights for p in parts_of_all}
        gradients = tape.gradient(loss, weights)
        reached = {
            part
            for part, of_part in gradients.items()
            if any(g is not None and np.any(ops.convert_to_numpy(g)) for g in of_part)
        }
        assert reached == parts, name


def test_weights_change_where_and_while_they_are_trainable(row):
    """In one fit: the first part is frozen, trains, and is frozen again."""
    first, *rest = row.parts
    model = compiled(row)
    parts = {name: getattr(model, name) for name in (*row.parts, *row.frozen)}
    never = [layer for name in row.frozen for layer in parts[name]._flatten_layers()]
    flags = [layer.trainable for layer in never]
    history = [{name: values(part) for name, part in parts.items()}]

    class Thaw(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            for layer in parts[first]._flatten_layers():
                layer.trainable = epoch == 1

        def on_epoch_end(self, epoch, logs=None):
            history.append({name: values(part) for name, part in parts.items()})

    model.fit(dataset(row), epochs=3, callbacks=[Thaw()], verbose=0)
    changed = {
        name: [
            any(np.any(a != b) for a, b in zip(old[name], new[name], strict=True))
            for old, new in itertools.pairwise(history)
        ]
        for name in parts
    }
    assert changed[first] == [False, True, False]
    assert all(changed[name][0] for name in rest)
    assert not any(any(changed[name]) for name in row.frozen)
    assert [layer.trainable for layer in never] == flags
    assert {id(v) for name in row.frozen for v in parts[name].variables}.isdisjoint(
        id(v) for v in [*model.trainable_variables, *model.trainable_weights]
    )


def test_each_part_runs_once_per_input_and_step(row):
    model = compiled(row)
    model.run_eagerly = True
    names = (*row.parts, *row.frozen)
    calls = dict.fromkeys(names, 0)
    for name in names:
        part = _first_with_weights(getattr(model, name))
        original = part.call

        def counted(*args, _name=name, _original=original, **kwargs):
            calls[_name] += 1
            return _original(*args, **kwargs)

        part.call = counted
    x, y = row.data()
    model.train_on_batch(x, y)  # builds the metrics on the first call
    calls.update(dict.fromkeys(calls, 0))
    model.train_on_batch(x, y)
    domains = len(x) if isinstance(x, dict) else 1
    once = dict.fromkeys(names, 1)
    assert calls == {**once, row.parts[0]: domains, **row.runs}


def _first_with_weights(part):
    """Return the layer of a part that has weights itself: what runs when it runs."""
    leaves = [layer for layer in part._flatten_layers() if not layer._layers]
    return next(layer for layer in leaves if layer.weights)


@pytest.mark.slow
def test_two_replicas_give_the_update_of_one_device(row):
    if not row.per_sample:
        pytest.skip("terms of the batch are per replica, so the update differs")
    alone = compiled(row)
    with tft.distribute.strategy("cpu:2", say=None):
        mirrored = compiled(row)
    for a, b in zip(mirrored.variables, alone.variables, strict=True):
        a.assign(ops.convert_to_numpy(b))
    logs, batch_size = [], 5  # of 16 samples: a replica gets none of the last one
    for model in (alone, mirrored):
        history = model.fit(dataset(row, batch_size), epochs=1, verbose=0)
        scores = model.evaluate(dataset(row, batch_size), return_dict=True, verbose=0)
        measured = {f"evaluated {k}": v for k, v in scores.items()}
        logs.append(measured | {k: v[-1] for k, v in history.history.items()})
    assert logs[1] == pytest.approx(logs[0], rel=1e-5)
    for a, b in zip(alone.variables, mirrored.variables, strict=True):
        np.testing.assert_allclose(a, ops.convert_to_numpy(b), atol=2e-5)


def test_deployed_model_exports_to_saved_model(row, tmp_path):
    model = row.build()
    x = row.plain(row.data()[0])
    model.deployed.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(saved.serve(x), model(x), atol=1e-5)


def test_bad_parts_raise(row):
    for what, build in row.bad.items():
        with pytest.raises((ValueError, TypeError)) as raised:
            build()
        assert re.search("Expected.*Received", str(raised.value), re.DOTALL), what


@pytest.mark.slow
def test_seeded_runs_repeat(row):
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = compiled(row)
        model.fit(dataset(row), epochs=1, verbose=0)
        results.append(values(model))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_mixed_float16_is_finite(row):
    model = compiled(row, mixed=True)
    history = model.fit(dataset(row), epochs=1, verbose=0)
    assert all(np.isfinite(v[-1]) for v in history.history.values())
    x = row.plain(row.data()[0])
    assert model(x).dtype == tf.float32


def test_trains_on_jax(row):
    if row.tensorflow_only:
        pytest.skip("the method is for TensorFlow alone, and its errors say so")
    pytest.importorskip("jax", reason="jax is not installed")
    name = next(key for key, value in ROWS.items() if value is row)
    program = (
        "from tests.common.instances import ROWS; import keras\n"
        f"row = ROWS[{name!r}]; model = row.build(); x, y = row.data()\n"
        "model.compile('sgd', keras.losses.SparseCategoricalCrossentropy("
        "from_logits=True))\n"
        "print(model.fit(x, y, batch_size=8, verbose=0).history['loss'][0] > 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "True", done.stderr[-2000:]
