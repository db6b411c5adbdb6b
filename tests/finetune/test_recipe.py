import json
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.finetune.pictures import three_classes
from tests.finetune.small import small_classifier
from tftransfer.finetune import AdamW

QUIET = {"verbose": 0, "say": None}


def classifier(seed=0, **options):
    keras.utils.set_random_seed(seed)
    return tft.Classifier(tft.Backbone("tiny"), 3, **options)


def weights(model):
    return [np.array(w) for w in model.get_weights()]


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_learns_and_keeps_the_best_epoch():
    model = classifier()
    history = tft.fine_tune(
        model, three_classes(), three_classes(60, seed=1), epochs=3, **QUIET
    )
    accuracies = history.history["val_accuracy"]
    assert max(accuracies) > 0.9
    x, y = three_classes(60, seed=1)
    found = np.argmax(model.predict(x, verbose=0), axis=1)
    assert np.mean(found == y) == pytest.approx(max(accuracies), abs=1e-6)
    assert history.best["val_accuracy"] == pytest.approx(max(accuracies))


def test_of_equal_accuracies_the_lower_loss_is_best():
    model = small_classifier()
    validation = three_classes(9, seed=1)
    history = tft.fine_tune(
        model, three_classes(), validation, epochs=0, head_epochs=25, **QUIET
    )
    logged = history.history
    top = max(logged["val_accuracy"])
    losses = [
        loss
        for loss, accuracy in zip(logged["val_loss"], logged["val_accuracy"])
        if accuracy == top
    ]
    assert len(losses) > 1
    assert history.best["val_loss"] == min(losses)
    now = model.evaluate(*validation, verbose=0, return_dict=True)
    assert now["loss"] == pytest.approx(min(losses), abs=1e-5)


def test_says_what_it_chose():
    lines = []
    history = tft.fine_tune(
        small_classifier(),
        three_classes(),
        epochs=1,
        head_epochs=1,
        learning_rate=2e-4,
        verbose=0,
        say=lines.append,
    )
    assert "48 training pictures" in lines[0]
    assert "2.0e-04" in lines[0]
    assert history.plan.rate == 2e-4
    assert history.plan.steps == 2


@pytest.mark.slow
def test_cached_training_is_equal_bit_by_bit():
    """Both phases: the head alone, then all above a frozen stage, not augmented."""
    found = []
    for cache in (True, False):
        model = classifier()
        options = {"frozen_until": "stage2", "augment": "none", "batch_size": 20}
        tft.fine_tune(
            model,
            three_classes(),
            three_classes(30, seed=1),
            epochs=2,
            head_epochs=2,
            cache=cache,
            **options,
            **QUIET,
        )
        found.append(weights(model))
    assert equal(*found)


def test_the_frozen_part_stays_and_the_rest_moves():
    model = classifier()
    before = {v.path: np.array(v) for v in model.backbone.variables}
    tft.fine_tune(
        model,
        three_classes(),
        epochs=1,
        head_epochs=1,
        frozen_until="stage2",
        **QUIET,
    )
    moved = {
        v.path
        for v in model.backbone.variables
        if np.any(before[v.path] != np.array(v))
    }
    assert any("stage3" in path for path in moved)
    assert not any(part in p for p in moved for part in ("stem", "stage1", "stage2"))
    assert not any("moving" in path for path in moved)


def test_cache_that_cannot_be_raises_and_auto_does_without():
    data = tf.data.Dataset.from_tensor_slices(three_classes()).batch(16)
    with pytest.raises(ValueError, match=r"computed once.*unknown origin"):
        tft.fine_tune(small_classifier(), data, cache=True, **QUIET)
    history = tft.fine_tune(small_classifier(), data, epochs=1, head_epochs=1, **QUIET)
    assert len(history.history["loss"]) == 2


def test_half_precision_activations_are_close_but_not_equal():
    found = []
    for cache_dtype in ("float32", "float16"):
        model = small_classifier()
        options = {"epochs": 0, "head_epochs": 3, "cache_dtype": cache_dtype}
        tft.fine_tune(model, three_classes(), **options, **QUIET)
        found.append(model.head.get_weights()[0])
    assert 0 < np.abs(found[0] - found[1]).max() < 1e-2


def test_mixed_labels_train_too():
    train = tft.data.as_dataset(three_classes(), image_size=32, shuffle=True)
    mixed = tft.data.augmentation("light", mix="mixup", num_classes=3).apply(train)
    history = tft.fine_tune(
        small_classifier(),
        mixed,
        three_classes(30, seed=1),
        epochs=1,
        head_epochs=2,
        class_weight={0: 1.0, 1: 2.0, 2: 1.0},
        **QUIET,
    )
    assert np.isfinite(history.history["loss"]).all()
    assert len(history.history["val_accuracy"]) == 3


def test_cache_folder_is_used_again(tmp_path):
    for _ in range(2):
        tft.fine_tune(
            classifier(),
            three_classes(),
            epochs=0,
            head_epochs=1,
            cache=tmp_path,
            **QUIET,
        )
        entries = list(tmp_path.glob("*.npy"))
        times = {entry.stat().st_mtime_ns for entry in entries}
        assert len(entries) == 1
    assert len(times) == 1


_INTERRUPTED = """
import os, sys, keras, numpy as np
import tftransfer as tft
from tests.finetune.pictures import three_classes

class Kill(keras.callbacks.Callback):
    def __init__(self, after):
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os._exit(9)

folder, after = sys.argv[1], int(sys.argv[2])
keras.utils.set_random_seed(0)
model = tft.Classifier(tft.Backbone("tiny"), 3)
tft.fine_tune(
    model, three_classes(), epochs=3, head_epochs=2,
    checkpoint=folder, callbacks=[Kill(after)] if after else [], verbose=0,
    batch_size=16,
)
np.savez(os.path.join(folder, "final.npz"), *model.get_weights())
"""


def _run(folder, after):
    script = textwrap.dedent(_INTERRUPTED)
    command = [sys.executable, "-c", script, str(folder), str(after)]
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert _run(folder, 0).returncode == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("after", [5, 11], ids=["in the head phase", "deeper"])
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, after, whole):
    broken = tmp_path / "broken"
    assert _run(broken, after).returncode == 9
    state = json.loads((broken / "state.json").read_text())
    assert "weights" in state
    resumed = _run(broken, 0)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert "goes on from" in resumed.stdout
    with np.load(whole / "final.npz") as a, np.load(broken / "final.npz") as b:
        assert equal([a[key] for key in a], [b[key] for key in b])
    histories = [
        json.loads((folder / "state.json").read_text())["history"]
        for folder in (whole, broken)
    ]
    assert histories[0] == histories[1]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    options = {"head_epochs": 1, "checkpoint": tmp_path, **QUIET}
    tft.fine_tune(small_classifier(), three_classes(), epochs=0, **options)
    with pytest.raises(ValueError, match=r"state of another run.*epochs"):
        tft.fine_tune(small_classifier(), three_classes(), epochs=1, **options)


def test_patience_ends_the_second_phase():
    history = tft.fine_tune(
        small_classifier(),
        three_classes(),
        three_classes(30, seed=1),
        epochs=30,
        learning_rate=1e-9,
        head_epochs=1,
        augment="none",
        patience=2,
        **QUIET,
    )
    assert len(history.history["loss"]) == 1 + 2


def test_class_weight_turns_the_answer():
    x, y = three_classes()
    y = y % 2
    noise = np.random.default_rng(0).integers(0, 255, x.shape).astype("uint8")
    keras.utils.set_random_seed(0)
    model = tft.Classifier(tft.Backbone("tiny"), 2)
    tft.fine_tune(
        model,
        (noise, y),
        epochs=0,
        head_epochs=10,
        class_weight={0: 1.0, 1: 30.0},
        **QUIET,
    )
    assert np.mean(np.argmax(model.predict(noise, verbose=0), axis=1)) > 0.9


def test_mixed_precision_is_finite_and_keeps_float32_weights():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = classifier()
        history = tft.fine_tune(
            model, three_classes(), epochs=1, head_epochs=2, **QUIET
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history.history["loss"]).all()
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert model.predict(three_classes()[0][:2], verbose=0).dtype == np.float32


def test_the_users_callbacks_see_every_epoch_of_both_phases():
    class Count(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            assert {"loss", "accuracy"} <= set(logs)
            Count.epochs += 1

    tft.fine_tune(
        small_classifier(),
        three_classes(),
        epochs=2,
        head_epochs=3,
        callbacks=[Count()],
        **QUIET,
    )
    assert Count.epochs == 5


def test_a_model_after_fine_tune_saves_and_loads(tmp_path):
    model = small_classifier(class_names=["a", "b", "c"])
    tft.fine_tune(model, three_classes(), epochs=1, head_epochs=1, **QUIET)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = three_classes()[0][:4]
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), again.predict(x, verbose=0)
    )
    assert list(again.class_names) == ["a", "b", "c"]
    assert isinstance(again.optimizer, AdamW)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0, "head_epochs": 0}, "not both 0"),
        ({"epochs": -1}, "0 or more"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"cache": "sometimes"}, "cache"),
        ({"augment": "heavy"}, "light"),
        ({"frozen_until": "stage9"}, "stage3"),
        ({"rate_decay": 1.5, "head_epochs": 1}, "decay"),
    ],
)
def test_bad_arguments_raise(options, message):
    with pytest.raises(ValueError, match=message):
        tft.fine_tune(classifier(), three_classes(), **options, **QUIET)


def test_bad_data_raises():
    x, y = three_classes()
    with pytest.raises(TypeError, match="Classifier"):
        tft.fine_tune(keras.Sequential(), (x, y))
    with pytest.raises(ValueError, match="labelled"):
        tft.fine_tune(small_classifier(), x, **QUIET)
    endless = tf.data.Dataset.from_tensor_slices((x, y)).batch(8).repeat()
    with pytest.raises(ValueError, match="known length"):
        tft.fine_tune(small_classifier(), endless, **QUIET)
    with pytest.raises(ValueError, match="labels"):
        tft.fine_tune(small_classifier(), (x, y + 1), **QUIET)


def test_pictures_of_another_size_say_which_to_read():
    x = np.zeros((4, 48, 48, 3), "uint8")
    data = tft.data.as_dataset((x, [0, 1, 0, 1]), image_size=48)
    model = tft.Classifier(tft.Backbone("tiny", weights=None), 2)
    with pytest.raises(ValueError, match=r"Expected.*32x32.*48x48.*image_size=32"):
        tft.fine_tune(model, data, say=None)
