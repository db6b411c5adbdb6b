"""Methods of domain adaptation on networks: gradients, halves, labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import tftransfer as tft
from tests.domain.nets import batch
from tests.domain.nets import cross_entropy
from tests.domain.nets import dense
from tests.domain.nets import judge
from tests.domain.nets import parts
from tftransfer.domain.batches import domains_of


def gradients(model, x, y, weights):
    """Return the gradients of the whole training loss."""
    model.compile("sgd", cross_entropy())
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    return [None if g is None else np.asarray(g) for g in tape.gradient(loss, weights)]


def test_lambda_touches_the_extractor_alone():
    x, y = batch()
    found = {}
    for reversal in (0.0, 0.5, 2.0):
        dann = tft.DANN(*parts(), judge(), reversal=reversal)
        found[reversal] = [
            gradients(dann, x, y, getattr(dann, name).trainable_weights)
            for name in ("discriminator", "head", "extractor")
        ]
    for judged, head, _ in found.values():
        for a, b in zip(judged, found[2.0][0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
        for a, b in zip(head, found[2.0][1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    task, half, double = (
        np.concatenate([g.ravel() for g in found[k][2]]) for k in found
    )
    assert np.abs(half - task).max() > 1e-3
    np.testing.assert_allclose(double - task, 4 * (half - task), atol=1e-6)


def test_the_extractor_is_moved_against_the_discriminator():
    x, y = batch()
    model = tft.DANN(*parts(), judge(), reversal=1.0)
    weights = model.extractor.trainable_weights
    with tf.GradientTape(persistent=True) as tape:
        both = [model.extractor(x[name]) for name in ("source", "target")]
        judged = [model.discriminator(rows) for rows in both]
        domain = tft.losses.DomainLoss()(*judged)
        task = cross_entropy()(y, model.head(both[0]))
    expected = [
        np.asarray(t) - np.asarray(d)
        for t, d in zip(tape.gradient(task, weights), tape.gradient(domain, weights))
    ]
    for a, b in zip(gradients(model, x, y, weights), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_confusion_trains_the_extractor_and_its_own_loss_the_discriminator():
    x, y = batch()
    model = tft.DomainConfusion(*parts(), judge(), confusion_weight=0.3)
    judged = model.discriminator.trainable_weights
    with tf.GradientTape() as tape:
        both = [model.extractor(x[name]) for name in ("source", "target")]
        domain = tft.losses.DomainLoss()(*map(model.discriminator, both))
    expected = tape.gradient(domain, judged)
    for a, b in zip(gradients(model, x, y, judged), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_deep_corals_encoder_receives_both_gradients():
    x, y = batch()
    found = {}
    for weight in (0.0, 1.0):
        model = tft.DeepCORAL(*parts(), coral_weight=weight, layers="features")
        found[weight] = gradients(model, x, y, model.extractor.trainable_weights)[0]
    weights = model.extractor.trainable_weights
    with tf.GradientTape() as tape:
        both = [model.extractor(x[name]) for name in ("source", "target")]
        coral = tft.losses.CORALLoss()(*both)
    expected = np.asarray(tape.gradient(coral, weights)[0])
    assert np.abs(found[0.0]).max() > 1e-3
    np.testing.assert_allclose(found[1.0] - found[0.0], expected, rtol=1e-3, atol=1e-7)


def test_adda_starts_as_the_source_and_leaves_it_alone():
    x, _ = batch()
    extractor, head = parts()
    adda = tft.ADDA(extractor, head, judge())
    np.testing.assert_allclose(adda(x["target"]), head(extractor(x["target"])))
    before = [np.array(v) for v in (*extractor.variables, *head.variables)]
    adda.compile(keras.optimizers.SGD(0.1))
    adda.fit(_pairs(x), epochs=2, verbose=0)
    for a, v in zip(before, (*extractor.variables, *head.variables), strict=True):
        np.testing.assert_array_equal(a, v)
    moved = zip(extractor.variables, adda.target_encoder.variables, strict=True)
    assert any(np.any(np.asarray(a) != np.asarray(b)) for a, b in moved)


def test_addas_target_encoder_trains_though_the_sources_is_frozen():
    x, _ = batch()
    extractor, head = parts(keras.layers.Dense(4))
    extractor.trainable = head.trainable = False
    adda = tft.ADDA(extractor, head, judge())
    assert len(adda.target_encoder.trainable_variables) == 4
    before = adda.target_encoder.get_weights()
    adda.compile(keras.optimizers.SGD(0.1))
    adda.fit(_pairs(x), verbose=0)
    for a, b in zip(before, adda.target_encoder.get_weights(), strict=True):
        assert np.abs(a - b).max() > 0
    extractor, head = parts(keras.layers.Dense(4))
    extractor.layers[0].trainable = False  # on purpose: the rest trains
    adda = tft.ADDA(extractor, head, judge())
    assert len(adda.target_encoder.trainable_variables) == 2


def _pairs(x, y=None):
    data = x if y is None else (x, y)
    return tf.data.Dataset.from_tensors(data).repeat(3)


def test_adda_on_scores_sees_the_classes():
    x, _ = batch()
    adda = tft.ADDA(*parts(), judge(3), sees="scores")
    adda.compile("sgd")
    history = adda.fit(_pairs(x), verbose=0).history
    assert set(history) == {
        "loss",
        "discriminator_loss",
        "mapping_loss",
        "domain_accuracy",
    }


METHODS = {
    "DANN": lambda: tft.DANN(*parts(), judge()),
    "CDAN": lambda: tft.CDAN(*parts(), judge(15)),
    "DomainConfusion": lambda: tft.DomainConfusion(*parts(), judge()),
    "DAN": lambda: tft.DAN(*parts(), estimator="unbiased"),
    "JAN": lambda: tft.JAN(*parts(), estimator="linear"),
    "DeepCORAL": lambda: tft.DeepCORAL(*parts()),
    "MCD": lambda: tft.MCD(*parts()),
    "MCD by turns": lambda: tft.MCD(*parts(), extractor_steps=1),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("rows", [(6, 10), (8, 3), (5, 1)])
def test_halves_may_be_unequal(name, rows):
    x, y = batch(*rows)
    model = METHODS[name]()
    model.compile("sgd", cross_entropy())
    history = model.fit(_pairs(x, y), verbose=0).history
    assert all(np.isfinite(value[0]) for value in history.values())
    assert model(x, training=True)["prediction"].shape == (rows[0], 3)


@pytest.mark.parametrize("name", METHODS)
def test_labelled_rows_of_the_target_are_taught_and_count_as_target(name):
    x, y = batch(6, 4)
    flags = np.array([False, True, False, False, True, False])
    mixed = {**x, "from_target": flags}
    model = METHODS[name]()
    outputs = model(mixed, training=True)
    # The answers come in y's order.
    alone = model(
        {
            "source": x["source"][~flags],
            "target": np.concatenate([x["target"], x["source"][flags]]),
        },
        training=True,
    )
    np.testing.assert_allclose(
        outputs["prediction"][~flags], alone["prediction"], rtol=1e-5, atol=1e-6
    )
    head = model.head(model.extractor(x["source"]))
    np.testing.assert_allclose(outputs["prediction"], head, rtol=1e-5, atol=1e-6)
    if "target" in outputs:
        assert outputs["target"].shape[0] == 6
    model.compile("sgd", cross_entropy())
    history = model.fit(_pairs(mixed, y), verbose=0).history
    assert np.isfinite(history["loss"][0])


TAUGHT = {
    **METHODS,
    "MCD balanced": lambda: tft.MCD(*parts(), balance_weight=0.1),
    "MCD balanced by turns": lambda: tft.MCD(
        *parts(), balance_weight=0.1, extractor_steps=1
    ),
    "DRCN": lambda: tft.DRCN(*parts(), dense("decoder", 5, 4)),
}


@pytest.mark.parametrize("name", TAUGHT)
def test_labels_of_the_target_move_the_extractor_as_in_plain_training(name):
    x, y = batch(6, 4)
    flags = np.array([False, True, False, False, True, False])
    model = TAUGHT[name]()
    weights = model.extractor.trainable_weights
    for key, head in (("prediction", "head"), ("second", "second_head")):
        if not hasattr(model, head):
            continue
        with tf.GradientTape(persistent=True) as tape:
            answers = model({**x, "from_target": flags}, training=True)[key]
            found = cross_entropy()(y, answers, flags)
            plain = getattr(model, head)(model.extractor(x["source"]))
            expected = cross_entropy()(y, plain, flags)
        for weight in weights:
            wanted = tape.gradient(expected, weight)
            assert np.abs(wanted).max() > 1e-3
            np.testing.assert_allclose(
                tape.gradient(found, weight), wanted, rtol=1e-4, atol=1e-6
            )


def test_soft_labels_teach_the_labelled_rows_alone():
    x, y = batch(6, 4)
    flags = np.array([False, True, False, False, True, False])
    table = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]])
    model = tft.DomainConfusion(*parts(), judge(), soft_labels=table, temperature=3.0)
    outputs = model({**x, "from_target": flags}, training=True)
    scores = np.asarray(model.head(model.extractor(x["source"]))) / 3.0
    log = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    expected = -(table[y] * log).sum(axis=1)[flags].mean()
    found = model.transfer_losses(x, y, outputs)["soft_label"]
    assert float(found) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="labelled_target"):
        model(x, training=True)


def test_entropy_weights_of_a_sure_row_are_twice_those_of_a_guess():
    from tftransfer.domain.cdan import certainty

    weights = np.asarray(certainty(np.array([[50.0, 0, 0], [0, 0, 0]])))
    assert weights.mean() == pytest.approx(1)
    assert weights[0] / weights[1] == pytest.approx(2 / (1 + 1 / 3), rel=1e-5)


def test_cdan_projects_large_products_and_keeps_the_projection(tmp_path):
    cdan = tft.CDAN(*parts(), largest=10)
    assert cdan.discriminator.input_shape == (None, 1024)
    cdan.save(tmp_path / "cdan.keras")
    again = tft.load_model(tmp_path / "cdan.keras")
    for a, b in zip(cdan._projections, again._projections, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.std(np.asarray(cdan._projections[0])) == pytest.approx(1, abs=0.05)
    assert not any("projection" in v.path for v in cdan.trainable_variables)


def test_the_conditioned_rows_are_outer_products():
    x, _ = batch()
    cdan = tft.CDAN(*parts(), judge(15))
    features = np.asarray(cdan.extractor(x["source"]))
    p = np.asarray(ops.softmax(cdan.head(features)))
    expected = np.stack([np.outer(a, b).ravel() for a, b in zip(features, p)])
    found = cdan._conditioned(features, cdan.head(features))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_batches_of_one_domain_are_refused():
    model = METHODS["DANN"]()
    with pytest.raises(ValueError, match=r"(?s)Expected batches of two.*pair_domains"):
        model(batch()[0]["source"], training=True)


def test_labelled_rows_of_the_target_are_refused_under_jax(monkeypatch):
    x, _ = batch()
    x["from_target"] = np.zeros(len(x["source"]), bool)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="one more source"):
        domains_of(x)


def test_a_replica_without_target_rows_stays_finite():
    x, y = batch(6, 1)
    with tft.distribute.strategy("cpu:2", say=None):
        model = tft.DAN(*parts())
        model.compile("sgd", cross_entropy())
    data = tf.data.Dataset.from_tensor_slices((x["source"], y)).batch(6)
    history = model.fit(tft.data.pair_domains(data, x["target"]), verbose=0).history
    assert np.isfinite(history["mmd_loss"][0])


@pytest.mark.parametrize("name", METHODS)
def test_no_label_of_the_target_is_read(name):
    x, y = batch(8, 12)
    found = []
    for labels in (np.zeros(12, int), np.full(12, 99)):
        target = tf.data.Dataset.from_tensor_slices((x["target"], labels)).batch(4)
        model = METHODS[name]()
        model.compile("sgd", cross_entropy())
        keras.utils.set_random_seed(1)
        data = tft.data.pair_domains((x["source"], y), target, batch_size=4)
        model.fit(data, epochs=2, verbose=0)
        found.append([np.array(v) for v in model.variables])
    for a, b in zip(*found, strict=True):
        # Not to the bit: the same sums may round otherwise where memory is aligned
        # otherwise. A label that is read, 99 among three classes, gives NaN.
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", ["MCD", "CDAN", "JAN"])
def test_a_head_of_one_logit_is_refused(method):
    extractor = parts()[0]
    with pytest.raises(ValueError, match=r"two logits or more.*\(None, 1\)"):
        getattr(tft, method)(extractor, dense("head", 5, 1))


@pytest.mark.parametrize("normalised", [False, True])
def test_adda_moves_the_encoder_also_where_the_judge_normalises(normalised):
    x, _ = batch()
    extractor, head = parts()
    keras.utils.set_random_seed(8)
    before = [keras.layers.BatchNormalization()] if normalised else []
    hidden = keras.layers.Dense(6, "tanh")
    adda = tft.ADDA(extractor, head, dense("discriminator", 5, 1, *before, hidden))
    with tf.GradientTape() as tape:
        outputs = adda(x, training=True)
        mapping = adda.transfer_losses(x, None, outputs)["mapping"]
    found = tape.gradient(mapping, adda.target_encoder.trainable_variables[-1])
    assert np.abs(found).max() > 1e-3


def test_addas_encoders_share_no_weights_and_have_the_same_features():
    extractor, head = parts()
    with pytest.raises(ValueError, match="weights of its own"):
        tft.ADDA(extractor, head, target_encoder=extractor)
    with pytest.raises(ValueError, match="takes the target_encoder's features"):
        tft.ADDA(extractor, head, target_encoder=dense("other", 4, 6))


def test_soft_labels_take_one_hot_labels_too():
    x, y = batch(6, 4)
    x["from_target"] = np.array([False, True, False, False, True, False])
    table = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]])
    model = tft.DomainConfusion(*parts(), judge(), soft_labels=table)
    outputs = model(x, training=True)
    found = [
        float(model.transfer_losses(x, labels, outputs)["soft_label"])
        for labels in (y, np.eye(3)[y])
    ]
    assert found[0] == pytest.approx(found[1])
