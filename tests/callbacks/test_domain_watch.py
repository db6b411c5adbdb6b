"""The discriminator's curve, and scores that see no target label."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.domain.nets import batch
from tests.domain.nets import cross_entropy
from tests.domain.nets import dense
from tests.domain.nets import judge
from tests.domain.nets import parts
from tftransfer.callbacks import DomainCollapse
from tftransfer.callbacks import TargetValidation
from tftransfer.domain import answer_information
from tftransfer.domain import dev_risk
from tftransfer.domain import importance_weights
from tftransfer.domain import proxy_a_distance
from tftransfer.domain import soft_neighbourhood_density
from tftransfer.domain import target_entropy


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.5, 0.51], None),  # too soon
        ([0.5, 0.51, 0.49], "guesses"),
        ([0.8, 0.5, 0.5, 0.5], None),  # it learnt, then features hid the domain
        ([0.9, 1.0, 1.0, 0.99], "certain"),
        ([1.0, 1.0, 0.9], None),
    ],
)
def test_verdicts(curve, expected):
    assert DomainCollapse(epochs=3).verdict(curve) == expected


def test_each_warning_is_given_once():
    watch = DomainCollapse(epochs=1)
    with pytest.warns(UserWarning, match="tells every row's domain"):
        watch.on_epoch_end(0, {"domain_accuracy": 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.on_epoch_end(1, {"domain_accuracy": 1.0})
    with pytest.raises(ValueError, match=r"(?s)domain_accuracy.*\['loss'\]"):
        watch.on_epoch_end(2, {"loss": 1.0})


def rows(n=40):
    rng = np.random.default_rng(0)
    source = rng.normal(size=(n, 4)).astype("float32")
    target = rng.normal(1.0, size=(n + 10, 4)).astype("float32")
    return source, rng.integers(0, 3, n), target


def test_the_scores_are_those_of_the_functions():
    source, labels, target = rows()
    model = tft.DANN(*parts(), judge())
    names = ["information", "entropy", "snd", "dev", "iwv", "a_distance"]
    validation = TargetValidation(
        tf.data.Dataset.from_tensor_slices((source, labels)).batch(16),
        tf.data.Dataset.from_tensor_slices((target, np.full(50, -1))).batch(16),
        validators=names,
    )
    found = validation.scores(model)
    features = [np.asarray(model.extractor(each)) for each in (source, target)]
    answers = [np.asarray(keras.ops.softmax(model.head(each))) for each in features]
    mistakes = (answers[0].argmax(1) != labels).astype(float)
    weights = importance_weights(*features)
    expected = {
        "information": answer_information(answers[1]),
        "entropy": target_entropy(answers[1]),
        "snd": soft_neighbourhood_density(answers[1]),
        "dev": dev_risk(mistakes, weights),
        "iwv": float(np.mean(mistakes * weights)),
        "a_distance": proxy_a_distance(*features),
    }
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("form", ["numbers", "column", "one_hot"])
def test_risks_are_those_of_rows_in_any_order_and_labels_in_any_form(form):
    source, _, target = rows()
    model = tft.DANN(*parts(), judge())
    labels = np.array(model.head(model.extractor(source))).argmax(axis=1)
    labels[:10] = (labels[:10] + 1) % 3  # a quarter is wrong
    forms = {"numbers": labels, "column": labels[:, None], "one_hot": np.eye(3)[labels]}
    data = tf.data.Dataset.from_tensor_slices((source, forms[form]))
    target = tf.data.Dataset.from_tensor_slices(target).batch(16)
    asked = {"validators": ["iwv"]}
    found = [
        TargetValidation(each.batch(16), target, **asked).scores(model)["iwv"]
        for each in (data, data.shuffle(40, seed=0))
    ]
    features = [np.asarray(model.extractor(each)) for each in (source, rows()[2])]
    mistakes = (np.arange(40) < 10).astype(float)
    expected = float(np.mean(mistakes * importance_weights(*features)))
    assert found[0] == pytest.approx(expected, rel=1e-3)
    # Folds of the weights hold other rows then.
    assert found[1] == pytest.approx(expected, rel=0.2)


def test_a_net_that_diverged_scores_nan_and_goes_on():
    source, labels, target = rows()
    x, y = batch()
    model = tft.DANN(*parts(), judge())
    model.head.set_weights([np.full(w.shape, np.nan) for w in model.head.get_weights()])
    model.compile("sgd", cross_entropy())
    names = ["information", "snd", "entropy", "iwv", "dev", "a_distance"]
    held = tf.data.Dataset.from_tensor_slices((source, labels)).batch(16)
    target = tf.data.Dataset.from_tensor_slices(target).batch(16)
    history = model.fit(
        tf.data.Dataset.from_tensors((x, y)).repeat(3),
        epochs=2,
        callbacks=[TargetValidation(held, target, validators=names)],
        verbose=0,
    ).history
    assert np.isnan([history[f"val_{name}"][-1] for name in names]).all()


def test_other_callbacks_see_the_scores_of_every_second_epoch():
    x, y = batch()
    _, _, target = rows()
    model = tft.DANN(*parts(), judge())
    model.compile("sgd", cross_entropy())
    batches = tf.data.Dataset.from_tensor_slices(target).batch(16)
    seen = []
    history = model.fit(
        tf.data.Dataset.from_tensors((x, y)).repeat(2),
        epochs=4,
        callbacks=[
            TargetValidation(None, batches, every=2),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda e, logs: (
                    seen.append(e) if "val_snd" in logs else None
                )
            ),
        ],
        verbose=0,
    ).history
    assert seen == [0, 2, 3]
    assert len(history["val_information"]) == 3


def test_a_model_that_reads_no_domains_is_refused_before_it_trains():
    layers = dense("generator", 4, 4), judge(4), dense("classifier", 4, 3)
    model = tft.domain.Restyler(*layers)
    model.compile("sgd")
    x, _ = batch()
    batches = tf.data.Dataset.from_tensor_slices(x["target"]).batch(4)
    watch = TargetValidation(None, batches)
    with pytest.raises(TypeError, match=r"(?s)Expected.*DANN.*Received: Restyler"):
        model.fit(tf.data.Dataset.from_tensors(x), callbacks=[watch], verbose=0)
    assert model.optimizer.iterations == 0
    with pytest.raises(TypeError, match="answer_information"):
        watch.scores(model)


def test_a_source_is_needed_for_risks_and_names_are_checked():
    batches = tf.data.Dataset.from_tensor_slices(np.ones((4, 4))).batch(2)
    with pytest.raises(ValueError, match="held-out batches of the source"):
        TargetValidation(None, batches, validators=["dev"])
    with pytest.raises(ValueError, match="oracle"):
        TargetValidation(None, batches, validators=["oracle"])


def test_arrays_and_heads_of_one_logit_are_refused():
    x, _ = batch()
    with pytest.raises(TypeError, match=r"`target` as a batched.*Received: ndarray"):
        TargetValidation(None, x["target"])
    batches = tf.data.Dataset.from_tensor_slices(x["target"]).batch(4)
    model = tft.DANN(parts()[0], dense("head", 5, 1), judge())
    with pytest.raises(ValueError, match="two logits or more"):
        TargetValidation(None, batches).scores(model)
