"""Classifier: BatchNorm policy, L2-SP, save and load, the cut."""

import keras
import numpy as np
import pytest

import tftransfer as tft
from tftransfer.losses import ClassificationLoss
from tftransfer.losses import L2SPLoss


def pictures(count=16, classes=3):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (count, 32, 32, 3)).astype("float32")
    return x, rng.integers(0, classes, count)


def fitted(epochs=1, **options):
    backbone = tft.Backbone("tiny", weights=None)
    model = tft.Classifier(backbone, num_classes=3, **options)
    model.compile(keras.optimizers.SGD(0.1), ClassificationLoss(3))
    statistics = [v.numpy() for v in backbone.non_trainable_variables]
    kernels = [v.numpy() for v in backbone.trainable_variables]
    model.fit(*pictures(), batch_size=8, epochs=epochs, verbose=0)
    return model, statistics, kernels


def moved(before, variables):
    return any(np.any(a != b.numpy()) for a, b in zip(before, variables, strict=True))


def test_batch_norm_stays_in_inference_mode_while_the_backbone_trains():
    model, statistics, kernels = fitted()
    assert moved(kernels, model.backbone.trainable_variables)
    assert not moved(statistics, model.backbone.non_trainable_variables)


def test_batch_norm_follows_the_batch_on_request():
    model, statistics, _ = fitted(batch_norm="batch")
    assert moved(statistics, model.backbone.non_trainable_variables)


def test_l2_sp_holds_the_weights_near_their_start():
    def distance(**options):
        keras.utils.set_random_seed(0)
        model, _, kernels = fitted(epochs=5, **options)
        return sum(
            np.sum((a - b.numpy()) ** 2)
            for a, b in zip(kernels, model.backbone.trainable_variables, strict=True)
        )

    assert distance(l2_sp_weight=5.0) < 0.5 * distance()


def test_l2_sp_value_and_history():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 4)), rng.normal(size=5)]
    now = [rng.normal(size=(3, 4)), rng.normal(size=5)]
    expected = sum(0.5 * np.sum((a - b) ** 2) for a, b in zip(start, now))
    assert float(L2SPLoss()(start, now)) == pytest.approx(expected, rel=1e-6)


def test_l2_sp_remembers_the_start_in_the_file(tmp_path):
    model, _, kernels = fitted(l2_sp_weight=0.1)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    for a, b in zip(kernels, again._starts, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_class_names_and_own_head_are_kept(tmp_path):
    head = keras.Sequential(
        [keras.Input((128,)), keras.layers.Dense(8), keras.layers.Dense(3)]
    )
    backbone = tft.Backbone("tiny", weights=None)
    model = tft.Classifier(backbone, 3, head=head, class_names=["a", "b", "c"])
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.class_names == ["a", "b", "c"]
    assert len(again.head.layers) == 2
    x, _ = pictures(4)
    np.testing.assert_array_equal(model(x), again(x))


def test_takes_activations_within_the_context_only():
    model = tft.Classifier(tft.Backbone("tiny", weights=None), 3)
    x, _ = pictures(4)
    whole = model(x).numpy()
    with model.activations_at("stage2") as trunk:
        np.testing.assert_array_equal(model(trunk(x)), whole)
    np.testing.assert_array_equal(model(x), whole)


def test_file_written_within_the_context_is_whole(tmp_path):
    model = tft.Classifier(tft.Backbone("tiny", weights=None), 3)
    x, _ = pictures(4)
    with model.activations_at("stage2"):
        model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(x), again(x))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_equals_loops_for_both_forms_of_labels(smoothing):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(5, 3)), rng.integers(0, 3, 5)
    expected = 0.0
    for row, label in zip(logits, labels):
        log_p = row - np.log(np.sum(np.exp(row)))
        for c in range(3):
            expected -= ((1 - smoothing) * (c == label) + smoothing / 3) * log_p[c]
    loss = ClassificationLoss(3, smoothing)
    for y in (labels, labels[:, None], np.eye(3)[labels]):
        assert float(loss(y, logits)) == pytest.approx(expected / 5, rel=1e-5)


def test_a_head_that_ends_in_a_softmax_is_refused():
    dense = keras.layers.Dense(3, activation="softmax")
    head = keras.Sequential([keras.Input((128,)), dense], name="sure")
    with pytest.raises(ValueError, match=r"ends in logits.*Received: 'sure'"):
        tft.Classifier(tft.Backbone("tiny", weights=None), 3, head=head)
