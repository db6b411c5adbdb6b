"""ClassSoftLabelLoss against NumPy, and in `compile`."""

import keras
import numpy as np
import pytest

from tftransfer.losses import ClassSoftLabelLoss

MATRIX = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]], "float32")


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def test_equals_a_loop_over_pictures():
    rng = np.random.default_rng(0)
    y, logits = rng.integers(0, 3, 6), rng.normal(size=(6, 3)).astype("float32")
    weight = rng.uniform(size=6).astype("float32")
    expected = 0.0
    for i in range(6):
        row = -sum(MATRIX[y[i]] * log_softmax(logits[i] / 2))
        expected += weight[i] * (0.1 * row - log_softmax(logits[i])[y[i]]) / 6
    loss = ClassSoftLabelLoss(MATRIX, 2.0, soft_label_weight=0.1, label_weight=1.0)
    assert float(loss(y, logits, weight)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(y[:, None], logits, weight)) == pytest.approx(expected, rel=1e-5)


def test_one_hot_rows_at_temperature_1_are_cross_entropy():
    rng = np.random.default_rng(0)
    y, logits = rng.integers(0, 3, 6), rng.normal(size=(6, 3)).astype("float32")
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = ClassSoftLabelLoss(np.eye(3), 1.0)
    assert float(loss(y, logits)) == pytest.approx(float(plain(y, logits)), rel=1e-6)


def test_in_compile_ends_on_the_soft_label(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.3), ClassSoftLabelLoss(MATRIX, 2.0))
    x, y = np.ones((8, 2), "float32"), np.zeros(8, int)
    model.fit(x, y, epochs=80, verbose=0)
    softened = np.exp(log_softmax(np.asarray(model(x[:1])) / 2))
    np.testing.assert_allclose(softened[0], MATRIX[0], atol=0.01)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == model.loss.get_config()


def test_labels_need_not_be_the_classes_of_the_logits():
    loss = ClassSoftLabelLoss(MATRIX[:2], 1.0)
    value = float(loss(np.array([1]), np.zeros((1, 3), "float32")))
    assert value == pytest.approx(np.log(3), rel=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"matrix": MATRIX[0]},
        {"matrix": 2 * MATRIX},
        {"matrix": -MATRIX},
        {"matrix": MATRIX, "temperature": 0.0},
        {"matrix": MATRIX, "soft_label_weight": -1.0},
        {"matrix": MATRIX[:2], "label_weight": 1.0},
    ],
)
def test_bad_arguments_raise(arguments):
    with pytest.raises(ValueError, match=r"Expected[\s\S]*Received"):
        ClassSoftLabelLoss(**arguments)


def test_other_numbers_of_classes_raise():
    with pytest.raises(ValueError, match=r"Expected logits \(batch, 3\)"):
        ClassSoftLabelLoss(MATRIX)(np.array([1]), np.zeros((1, 4), "float32"))
