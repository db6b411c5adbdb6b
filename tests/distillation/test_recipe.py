"""distill and train_plain: what they learn, resume, refuse and leave alone."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.finetune.pictures import three_classes
from tests.finetune.small import small_backbone
from tftransfer.distillation import train_plain
from tftransfer.finetune import scratch_classifier
from tftransfer.losses import AttentionTransferLoss
from tftransfer.losses import SoftTargetLoss

QUIET = {"verbose": 0, "say": None}
NAMES = ["across", "upright", "block"]


def student(seed=0, backbone=None, **options):
    keras.utils.set_random_seed(seed)
    return scratch_classifier(backbone or small_backbone(), 3, **options)


def deep_student():
    return student(backbone=tft.Backbone("tiny", weights=None))


@pytest.fixture(scope="module")
def teacher():
    keras.utils.set_random_seed(0)
    model = tft.Classifier(tft.Backbone("tiny"), 3, class_names=NAMES)
    x, y = three_classes(96)
    tft.fine_tune(model, (x, y), epochs=0, head_epochs=30, **QUIET)
    assert model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] > 0.9
    return model


def weights(model):
    return [np.array(w) for w in model.get_weights()]


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_learns_without_labels_and_keeps_the_best_epoch(teacher):
    model, before = deep_student(), weights(teacher)
    x, validation = three_classes(144)[0], three_classes(60, seed=1)[0]
    options = {"epochs": 12, "learning_rate": 3e-3, "augment": "none"}
    history = tft.distill(model, teacher, x, validation, **options, **QUIET)
    found = history.history
    assert set(found) == {
        *("loss", "soft_target_loss", "agreement", "val_agreement", "val_loss")
    }
    answers = [
        np.argmax(net.predict(validation, verbose=0), 1) for net in (model, teacher)
    ]
    agreement = np.mean(answers[0] == answers[1])
    assert agreement > 0.7
    assert agreement == pytest.approx(max(found["val_agreement"]), abs=1e-6)
    assert history.best["val_agreement"] == max(found["val_agreement"])
    assert equal(before, weights(teacher))
    assert model.class_names == NAMES


def test_with_labels_the_log_has_accuracy_and_the_plan_is_said(teacher):
    lines = []
    history = tft.distill(
        deep_student(),
        teacher,
        three_classes(),
        three_classes(30, seed=1),
        losses=[SoftTargetLoss(2.0), AttentionTransferLoss([("stage3", "stage3")])],
        epochs=2,
        cache=False,
        verbose=0,
        say=lines.append,
    )
    assert {"val_accuracy", "attention_transfer_loss"} <= set(history.history)
    assert history.best["val_accuracy"] == max(history.history["val_accuracy"])
    assert "48 training pictures, 2 steps" in lines[0]
    assert "2 epochs" in lines[0]
    assert history.plan.views == 0


def test_without_weight_of_the_teacher_it_is_the_plain_recipe(teacher):
    found = []
    for taught in (True, False):
        model = student()
        options = {"epochs": 2, "batch_size": 16, **QUIET}
        if taught:
            parts = {"loss_weights": [0.0], "student_loss_weight": 1.0, "cache": False}
            tft.distill(model, teacher, three_classes(), **parts, **options)
        else:
            train_plain(model, three_classes(), **options)
        found.append(weights(model.deployed))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_with_the_teachers_answers_kept_it_learns_the_same(teacher, tmp_path):
    found, lines = [], []
    for cache in (False, tmp_path):
        model = student()
        options = {"epochs": 2, "augment": "none", "verbose": 0, "say": lines.append}
        tft.distill(model, teacher, three_classes(), cache=cache, **options)
        found.append(weights(model))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert any("answers each picture once" in line for line in lines)
    assert list(tmp_path.iterdir())


def test_a_cache_that_cannot_be_raises_and_auto_does_without(teacher):
    data = tf.data.Dataset.from_tensor_slices(three_classes()).batch(16)
    options = {"epochs": 1, "verbose": 0}
    with pytest.raises(ValueError, match=r"cache=True.*unknown origin"):
        tft.distill(student(), teacher, data, cache=True, say=None, **options)
    lines = []
    tft.distill(student(), teacher, data, say=lines.append, **options)
    assert any("in every step after all" in line for line in lines)


def test_epochs_come_from_the_size_of_the_data():
    from tftransfer.distillation.plan import plan_for

    options = {"rate": 1e-3, "weight_decay": 0.0, "smoothing": 0.0, "augment": "none"}
    options |= {"epochs": None, "views": None, "changing": True, "live": False}
    chosen = [plan_for(n, 32, **options).epochs for n in (100, 1000, 100_000)]
    assert chosen == [120, 63, 20]
    assert plan_for(100, 32, **options).views == 100
    assert plan_for(400, 32, **options).views == 25
    assert plan_for(50_000, 32, **options).views == 8
    assert plan_for(100, 32, **options | {"epochs": 3}).views == 3
    assert plan_for(100, 32, **options | {"changing": False}).views == 1


class Stop(keras.callbacks.Callback):
    """Ends the process's part of a run after some steps, as Ctrl-C or a kill does."""

    def __init__(self, steps, error):
        super().__init__()
        self.left, self.error = steps, error

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise self.error


def _run(kind, teacher, folder, callbacks=()):
    model = student()
    data = three_classes(), three_classes(30, seed=1)
    options = {"epochs": 2, "batch_size": 16, "checkpoint": folder, **QUIET}
    options["callbacks"] = list(callbacks)
    if kind == "distill":
        history = tft.distill(model, teacher, *data, views=2, **options)
    else:
        history = train_plain(model, *data, **options)
    return model, history


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["distill", "plain"])
def test_a_broken_run_goes_on_to_the_same_weights(teacher, tmp_path, kind):
    """It breaks in the second epoch, whose beginning is lost."""
    whole, first = _run(kind, teacher, tmp_path / "whole")
    with pytest.raises(OSError, match="power"):
        _run(kind, teacher, tmp_path / "broken", [Stop(5, OSError("power"))])
    state = json.loads((tmp_path / "broken" / "state.json").read_text())
    assert state["epoch"] == 1
    resumed, second = _run(kind, teacher, tmp_path / "broken")
    assert equal(weights(whole), weights(resumed))
    assert first.history == second.history
    assert first.best == second.best


def test_ctrl_c_leaves_the_best_finished_epoch(teacher):
    keras.utils.set_random_seed(0)
    model = student()
    kept = {}

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.setdefault("weights", weights(model))

    with pytest.raises(KeyboardInterrupt):
        tft.distill(
            model,
            teacher,
            three_classes(),
            three_classes(30, seed=1),
            epochs=3,
            batch_size=16,
            cache=False,
            callbacks=[Keep(), Stop(5, KeyboardInterrupt())],
            **QUIET,
        )
    assert equal(kept["weights"], weights(model))


def test_another_teacher_or_temperature_is_another_run(teacher, tmp_path):
    options = {"epochs": 1, "cache": False, "checkpoint": tmp_path, **QUIET}
    tft.distill(student(), teacher, three_classes(), **options)
    with pytest.raises(ValueError, match=r"another run.*losses"):
        tft.distill(
            student(), teacher, three_classes(), losses=[SoftTargetLoss(1.0)], **options
        )
    with pytest.raises(ValueError, match=r"another run.*teacher"):
        tft.distill(student(), student(1), three_classes(), **options)


def test_sizes_may_differ_and_the_teacher_gets_its_own(teacher):
    model = student(backbone=small_backbone(16))
    x = three_classes()[0]
    history = tft.distill(model, teacher, x, x, epochs=1, cache=False, **QUIET)
    assert np.isfinite(history.history["val_agreement"]).all()
    data = tft.data.as_dataset(three_classes(), image_size=24)
    with pytest.raises(ValueError, match=r"16x16.*24x24.*image_size=16"):
        tft.distill(model, teacher, data, **QUIET)


def test_several_teachers_and_a_plain_tf_dataset(teacher):
    data = tf.data.Dataset.from_tensor_slices(three_classes()[0]).batch(16)
    history = tft.distill(
        student(),
        [teacher, student(3)],
        data,
        teacher_weights=[3.0, 1.0],
        epochs=1,
        **QUIET,
    )
    assert history.history["agreement"]


@pytest.mark.parametrize(
    ("names", "message"),
    [(NAMES[::-1], "another order"), (["a", "b", "c"], "Received: ..a")],
)
def test_other_classes_raise(teacher, names, message):
    with pytest.raises(ValueError, match=message):
        tft.distill(student(class_names=names), teacher, three_classes(), **QUIET)


def test_bad_arguments_raise(teacher):
    (x, y), three = three_classes(), student()
    two = scratch_classifier(small_backbone(), 2)
    with pytest.raises(ValueError, match=r"3 classes.*one of 2"):
        tft.distill(two, teacher, (x, y), **QUIET)
    with pytest.raises(TypeError, match=r"as teacher.*Distiller"):
        tft.distill(three, keras.Sequential(), (x, y), **QUIET)
    with pytest.raises(ValueError, match="labels"):
        tft.distill(three, teacher, (x, y + 1), **QUIET)
    with pytest.raises(ValueError, match="labelled"):
        train_plain(three, x, **QUIET)
    for options, message in (
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"augment": "heavy"}, "light"),
        ({"views": 0}, "views"),
        ({"cache": "sometimes"}, "cache"),
    ):
        with pytest.raises(ValueError, match=message):
            tft.distill(three, teacher, (x, y), **options, **QUIET)
