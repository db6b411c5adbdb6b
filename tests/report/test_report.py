import re

import keras
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from sklearn.metrics import precision_recall_fscore_support

import tftransfer as tft
from tftransfer.report import calibration
from tftransfer.report import evaluate_classifier
from tftransfer.report import wilson_interval
from tftransfer.report import write_model_card
from tftransfer.report import write_report

NAMES = ["ant", "bee <script>alert(1)</script>", "wasp & co"]


class Told(keras.Model):
    """Answers with the logits written into the first pixel's row."""

    def __init__(self, classes):
        inputs = keras.Input((8, 8, 3))
        super().__init__(inputs, inputs[:, 0, :classes, 0] / 20)


def told(logits, labels):
    """Return pictures that make `Told` answer with `logits`, and the labels."""
    pictures = np.zeros((len(logits), 8, 8, 3), "float32")
    pictures[:, 0, : logits.shape[1], 0] = 20 * logits
    return pictures, np.asarray(labels, "int32")


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    logits = rng.uniform(0, 4, (90, 3)) + 3 * np.eye(3)[labels]
    return Told(3), told(logits.astype("float32"), labels), logits


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_numbers_are_those_of_scikit_learn(case):
    model, (pictures, labels), logits = case
    found = evaluate_classifier(model, (pictures, labels))
    predicted = logits.argmax(axis=1)
    np.testing.assert_array_equal(found.predictions, predicted)
    np.testing.assert_array_equal(found.confusion, confusion_matrix(labels, predicted))
    assert found.accuracy == pytest.approx(np.mean(predicted == labels))
    expected = precision_recall_fscore_support(labels, predicted)
    for row, precision, recall, f1, support in zip(found.per_class, *expected):
        assert row.precision == pytest.approx(precision)
        assert row.recall == pytest.approx(recall)
        assert row.f1 == pytest.approx(f1)
        assert row.support == support
    shares = softmax(logits)
    np.testing.assert_allclose(found.scores, shares.max(axis=1), rtol=1e-4)
    loss = -np.log(shares[np.arange(90), labels]).mean()
    assert found.mean_log_loss == pytest.approx(loss, rel=1e-4)


def test_mistakes_are_the_most_confident_ones_first(case):
    model, (pictures, labels), logits = case
    found = evaluate_classifier(model, (pictures, labels), worst=5)
    wrong = np.flatnonzero(logits.argmax(axis=1) != labels)
    order = wrong[np.argsort(-softmax(logits)[wrong].max(axis=1))]
    assert [mistake.index for mistake in found.mistakes] == order[:5].tolist()


def test_wilson_interval_by_hand():
    low, high = wilson_interval(8, 10)
    z, p, n = 1.959964, 0.8, 10
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-5)
    assert wilson_interval(0, 5)[0] == 0
    assert wilson_interval(5, 5)[1] == 1


def test_calibration_error_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 500)
    right = rng.uniform(size=500) < confidence**2
    found = calibration(confidence, right)
    expected = 0.0
    for low, high in zip(found.edges, found.edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert found.error == pytest.approx(expected, abs=1e-9)
    assert found.counts.sum() == 500


def test_the_report_is_one_safe_file(case, tmp_path):
    model, data, _ = case
    dataset = tft.data.as_dataset(data, image_size=8, class_names=NAMES)
    history = {"loss": [2.0, 1.0], "val_loss": [2.0, 1.5], "val_accuracy": [0.4, 0.7]}
    path = tmp_path / "deep" / "report.html"
    found = write_report(
        path,
        model,
        dataset,
        history=history,
        settings={"rate": 1e-4, "note": "<b>bold</b>"},
        train=dataset,
        title="Insects <i>",
    )
    text = path.read_text()
    assert f"{100 * found.accuracy:.1f} %" in text
    loads = re.findall(r"""(?:src|href)=["'](?!data:|#)([^"']*)""", text)
    assert loads == []
    assert "@import" not in text
    assert "<script>alert" not in text
    assert "<b>bold" not in text
    assert text.count("<script>") == 1
    for part in (
        "Confusion",
        "Calibration",
        "Worst mistakes",
        "tensorflow",
        "trained on",
    ):
        assert part in text
    assert text.count("data:image/jpeg") == len(found.mistakes)


def test_a_report_without_mistakes_or_history(tmp_path):
    logits = 9 * np.eye(3, dtype="float32")[np.arange(30) % 3]
    data = told(logits, np.arange(30) % 3)
    found = write_report(tmp_path / "r.html", Told(3), data)
    assert found.accuracy == 1
    text = (tmp_path / "r.html").read_text()
    assert "made no mistake" in text
    assert "No picture was confused" in text


def test_paths_of_the_mistakes(tmp_path):
    from PIL import Image

    for number in range(6):
        place = tmp_path / "data" / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (100, 0, 0)).save(place / f"picture{number}.png")
    dataset = tft.data.as_dataset(tmp_path / "data", image_size=8)
    found = write_report(tmp_path / "r.html", Told(2), dataset)
    names = {mistake.path for mistake in found.mistakes}
    assert names <= set(dataset.paths)
    assert names
    assert "picture" in (tmp_path / "r.html").read_text()


def test_what_cannot_be_evaluated_raises(case, tmp_path):
    model, (pictures, labels), _ = case
    with pytest.raises(ValueError, match="labels 0 to 2"):
        evaluate_classifier(model, (pictures, labels + 1))
    with pytest.raises(ValueError, match="labels"):
        evaluate_classifier(model, pictures)
    with pytest.raises(ValueError, match="neither"):
        write_report(tmp_path / "r.html", model)


def test_the_model_card_says_what_is_known_and_what_not(tmp_path):
    model = tft.Classifier(tft.Backbone("tiny"), 2, class_names=["ant", "bee"])
    x = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), "uint8")
    found = evaluate_classifier(model, (x, np.arange(20) % 2))
    path = write_model_card(
        tmp_path / "card.md", model, found, data="Own pictures.", settings={"seed": 3}
    )
    text = path.read_text()
    for part in (
        "Own pictures.",
        "ant",
        "seed",
        "[0, 255]",
        "tensorflow",
        "Not stated",
    ):
        assert part in text
    assert f"{100 * found.accuracy:.1f}" in text
