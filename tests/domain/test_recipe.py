"""adapt: what it learns, keeps, resumes, refuses and never reads."""

import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.finetune.pictures import three_classes
from tests.finetune.small import small_classifier
from tftransfer.domain.carried import Carried
from tftransfer.domain.epoch_scores import EpochScores
from tftransfer.domain.method_table import METHODS
from tftransfer.domain.paired_epochs import PairedEpochs
from tftransfer.domain.paired_epochs import hold_out

QUIET = {"verbose": 0, "say": None}
FAST = {"epochs": 2, "batch_size": 16, "augment": "none", **QUIET}


def shifted(count=60, seed=3):
    """Return pale noisy pictures of the three classes, and their labels."""
    pictures, labels = three_classes(count, seed)
    noise = np.random.default_rng(seed).integers(0, 128, pictures.shape)
    return (0.5 * pictures + noise).astype("uint8"), labels


def small(count=24, seed=0):
    """Return three_classes as 8x8 pictures, and their labels."""
    pictures, labels = three_classes(count, seed)
    return pictures[:, ::4, ::4], labels


@pytest.fixture
def classifier():
    return small_classifier(8)


def weights(model):
    return [np.array(w) for w in model.get_weights()]


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def accuracy(model, data):
    answers = model.deployed.predict(data[0], verbose=0).argmax(axis=1)
    return float(np.mean(answers == data[1]))


class Stop(keras.callbacks.Callback):
    """Ends the process's part of a run after some steps, as Ctrl-C or a kill does."""

    def __init__(self, steps, error):
        super().__init__()
        self.left, self.error = steps, error

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise self.error


def test_learns_an_easy_shift_and_says_which_epoch_won():
    keras.utils.set_random_seed(0)
    classifier, target = tft.Classifier(tft.Backbone("tiny"), 3), shifted()
    tft.fine_tune(classifier, three_classes(96), epochs=0, head_epochs=30, **QUIET)
    before, lines = accuracy(classifier, target), []
    history = tft.adapt(
        classifier,
        three_classes(96),
        target[0],
        three_classes(30, seed=1),
        epochs=8,
        learning_rate=1e-3,
        batch_size=16,
        augment="none",
        verbose=0,
        say=lines.append,
    )
    assert accuracy(classifier, target) > before + 0.3
    best, found = history.best["epoch"], history.history
    assert best > 0
    assert history.best["val_score"] == max(found["val_score"])
    assert found["val_score"][best - 1] > history.start["val_score"]
    assert {"domain_accuracy", "val_snd", "val_accuracy"} <= set(found)
    assert history.plan.batch_norm == "inference"
    assert "96 source pictures, 30 of the target without labels" in lines[0]
    assert f"epoch {best} of 8 is the best by" in lines[-1]
    assert accuracy(classifier, three_classes(30, seed=1)) == pytest.approx(
        found["val_accuracy"][best - 1]
    )


def test_labels_of_the_target_are_not_read():
    x, y = small(24, 3)
    found = []
    poisoned = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    for target in (
        x,
        (x, np.full(24, -7)),
        tft.data.as_dataset((x, 2 - y), image_size=8),
    ):
        model = small_classifier(8)
        tft.adapt(model, small(32), target, method="coral", **FAST)
        found.append(weights(model))
    assert all(equal(found[0], other) for other in found[1:])
    with pytest.raises(TypeError, match="unknown origin"):
        tft.adapt(model, small(32), poisoned, **FAST)


@pytest.mark.slow
def test_a_broken_run_goes_on_to_the_same_weights(tmp_path):
    """It breaks in the second epoch; the target's batches fall across the epochs."""

    def run(folder, *callbacks):
        model = small_classifier(8)
        history = tft.adapt(
            model,
            small(32),
            small(54, 3)[0],
            small(12, 1),
            checkpoint=tmp_path / folder,
            callbacks=callbacks,
            **FAST,
        )
        return model, history

    whole, first = run("whole")
    with pytest.raises(OSError, match="power"):
        run("broken", Stop(3, OSError("power")))
    state = json.loads((tmp_path / "broken" / "state.json").read_text())
    assert state["epoch"] == 1
    resumed, second = run("broken")
    assert equal(weights(whole), weights(resumed))
    assert first.history == second.history
    assert (first.start, first.best) == (second.start, second.best)


def test_ctrl_c_leaves_the_best_so_far_and_another_run_is_refused(classifier, tmp_path):
    before = weights(classifier)
    options = {"checkpoint": tmp_path, **FAST}
    data = small(32), small(24, 3)[0]
    with pytest.raises(KeyboardInterrupt):
        tft.adapt(
            classifier, *data, callbacks=[Stop(1, KeyboardInterrupt())], **options
        )
    assert equal(weights(classifier), before)
    with pytest.raises(ValueError, match=r"another run.*method"):
        tft.adapt(classifier, *data, method="coral", **options)
    classifier.head.set_weights([w + 1 for w in classifier.head.get_weights()])
    with pytest.raises(ValueError, match=r"another run.*classifier"):
        tft.adapt(classifier, *data, **options)


def test_the_source_only_weights_win_when_adaptation_hurts(classifier):
    """A rate that wrecks the net; one by which it diverges gives no score at all."""
    lines, before = [], weights(classifier)
    for rate in (3.0, 1e30):
        history = tft.adapt(
            classifier,
            small(32),
            small(24, 3)[0],
            small(30, 1),
            **FAST | {"learning_rate": rate, "say": lines.append},
        )
        assert history.best["epoch"] == 0
        assert history.start["val_score"] > 0
        assert equal(weights(classifier), before)
        assert "keeps the weights it came with" in lines[-1]
    assert np.isnan(history.history["val_score"]).all()


def test_an_epoch_that_lost_the_source_is_none_to_choose():
    class Fixed:
        def scores(self, validators):
            return {"information": 1.0, "accuracy": found.pop(0), "loss": 0.1}

    found = [1.0, 0.91, 0.89]
    scores = EpochScores(Fixed(), "information")
    logged = [scores.scores()["val_score"] for _ in range(3)]
    assert logged[:2] == [1.0, 1.0]
    assert np.isnan(logged[2])


def test_what_the_classifier_came_without_learns_faster_and_nothing_else(
    classifier, monkeypatch
):
    seen = {}

    def kept(model, **options):
        seen.update(options, model=model)
        raise InterruptedError

    monkeypatch.setattr("tftransfer.domain.adapt_run.compile_one_cycle", kept)
    with pytest.raises(InterruptedError):
        tft.adapt(classifier, small(16), small(16, 3)[0], batch_norm="specific", **FAST)
    model = seen["model"]
    judge = {re.escape(v.path) for v in model.discriminator.trainable_variables}
    assert any("source_" in v.path for v in model.trainable_variables)
    assert seen["multipliers"] == dict.fromkeys(judge, 10.0)


@pytest.mark.parametrize("policy", ["joint", "separate", "specific"])
def test_epochs_are_scored_on_the_source_by_its_own_averages(classifier, policy):
    (xs, ys), xt = small(12), 255 - small(12, 3)[0]
    model = tft.DANN(classifier.backbone, classifier.head, batch_norm=policy)
    for layer in model.extractor._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.1
    model({"source": xs, "target": xt}, training=True)
    pictures = tf.data.Dataset.from_tensor_slices
    validation, target = pictures((xs, ys)).batch(5), pictures((xt,)).batch(5)
    carried = Carried(model, classifier, validation, target)
    features, found = carried._source()[1], carried.scores({"information"})
    expected, answers = model.read(xs, "source")
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    loss = -np.log(answers[np.arange(12), ys]).mean()
    assert found["loss"] == pytest.approx(loss, rel=1e-4)
    apart = np.abs(expected - model.extractor(xs)).max() > 0.1
    assert apart == (policy != "joint")


@pytest.mark.parametrize("method", sorted({*METHODS} - {"dann", "coral", "jan"}))
def test_every_method_hands_its_weights_to_the_classifier(
    classifier, method, monkeypatch
):
    seen, before = {}, weights(classifier.backbone)
    hand_over = Carried.hand_over

    def kept(self):
        seen["model"] = self.model
        return hand_over(self)

    monkeypatch.setattr(Carried, "hand_over", kept)
    # The last epoch is kept, whatever its score.
    monkeypatch.setattr("tftransfer.training.checkpoint.RunState._is_better", _always)
    data = small(16), small(16, 3)[0], small(6, 1)
    history = tft.adapt(classifier, *data, method=method, **FAST | {"epochs": 1})
    assert history.best["epoch"] == 1
    assert not equal(weights(classifier.backbone), before)
    model, x = seen["model"], small(6, 3)[0]
    heads = [model.head, getattr(model, "second_head", None)]
    expected = heads[history.head](model.encoder_of("target")(x))
    np.testing.assert_allclose(classifier.deployed(x), expected, atol=1e-5)


def _always(self, logs):
    return True


def test_epochs_are_read_on_from_where_the_last_one_ended():
    x = np.arange(11, dtype="uint8")[:, None, None, None] * np.ones((1, 8, 8, 3))
    source, target = (
        tft.data.as_dataset(
            (x, np.arange(11) % 3), image_size=8, batch_size=size, shuffle=True, seed=n
        ).source
        for n, size in enumerate((4, 3))
    )
    paired = PairedEpochs(source, target.replace(labels=None))

    def seen(*spans):
        batches = [b for span in spans for b in paired.epochs(*span)]
        return [[np.asarray(v)[:, 0, 0, 0] for v in b[0].values()] for b in batches]

    whole, parts = seen((0, 5)), seen((0, 1), (1, 3), (3, 5))
    assert len(whole) == len(parts) == 15
    for one, other in zip(whole, parts, strict=True):
        assert all(map(np.array_equal, one, other))
    rows = np.concatenate([x["target"][:, 0, 0, 0] for x, _ in paired.epochs(0, 4)])
    assert sorted(rows[:11]) == sorted(rows[11:22]) == list(range(11))
    assert list(rows[:11]) != list(rows[11:22])


def test_what_is_held_out_does_not_train_and_has_no_labels():
    pictures, labels = three_classes(40)
    whole = tft.data.as_dataset((pictures, labels), image_size=32).source
    train, held = hold_out(whole)
    assert (len(train), len(held)) == (20, 20)
    assert train.labels is None
    assert held.labels is None
    rows = [each.pictures.fetch(np.arange(20))[0] for each in (train, held)]
    assert len(np.unique(np.concatenate(rows).reshape(40, -1), axis=0)) == 40


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": (small(12)[0], np.full(12, 3))}, r"labels in \[0, 2\]"),
        ({"source": small(12)[0]}, "labelled pictures"),
        ({"target": np.zeros((0, 8, 8, 3), "uint8")}, "empty"),
        ({"target": small(9)[0]}, "10 pictures of the target"),
        ({"method": "dan2"}, "dan2"),
        ({"method": "adda", "batch_norm": "joint"}, "ADDA"),
        ({"method": "adda", "labelled_target": small(3)}, "reads no labels"),
        ({"validator": "oracle"}, "oracle"),
        ({"validator": "dev"}, "`validation` pictures"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"epochs": 0}, "epochs"),
        ({"augment": "heavy"}, "light"),
    ],
)
def test_bad_arguments_raise(classifier, changes, message):
    call = {"source": small(12), "target": small(12, 3)[0], **FAST, **changes}
    with pytest.raises(ValueError, match=message):
        tft.adapt(classifier, **call)


def test_other_sizes_models_and_names_raise(classifier, tmp_path):
    x, y = small(12)
    named = tft.data.as_dataset((x, y), image_size=8, class_names=["a", "b", "c"])
    classifier.class_names = ["c", "b", "a"]
    with pytest.raises(ValueError, match="classes"):
        tft.adapt(classifier, named, x, **FAST)
    classifier.class_names = None
    others = tft.data.as_dataset(three_classes(12)[0], image_size=16)
    with pytest.raises(ValueError, match="8x8 pixels"):
        tft.adapt(classifier, (x, y), others, **FAST)
    with pytest.raises(ValueError, match="Received: none"):
        tft.adapt(classifier, (x, y), tmp_path, **FAST)
    with pytest.raises(TypeError, match="fine_tune"):
        tft.adapt(keras.Sequential(), (x, y), x, **FAST)


def test_few_labels_of_the_target_train_too(classifier):
    few = small(6, 5)
    history = tft.adapt(
        classifier,
        small(32),
        small(24, 3)[0],
        labelled_target=few,
        patience=1,
        **FAST,
    )
    assert history.plan.labelled_target == 6
    assert np.isfinite(history.history["loss"]).all()
