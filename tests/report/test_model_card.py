import re

import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.report.told import Told
from tests.report.told import some_case
from tests.report.told import told
from tftransfer.report import evaluate_classifier
from tftransfer.report import write_model_card

HEADINGS = [
    "Intended use",
    "Data",
    "Metrics",
    "Preprocessing",
    "Limits",
    "Model",
    "Training",
    "Versions",
    "Licence of the weights",
]


@pytest.fixture(scope="module")
def model():
    backbone = tft.Backbone("tiny", weights=None)
    return tft.Classifier(backbone, 3, class_names=["ant", "bee", "wasp|hornet"])


@pytest.fixture(scope="module")
def evaluation(model):
    pictures = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), "uint8")
    return evaluate_classifier(model, (pictures, np.arange(30) % 3))


def sections(text):
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def test_all_is_said_that_is_known(model, evaluation, tmp_path):
    path = write_model_card(
        tmp_path / "new" / "card.md",
        model,
        evaluation,
        title="Insects #1",
        intended_use="Counting, *not* pest control.",
        data="Own pictures, CC BY 4.0.",
        weights_license="Apache-2.0",
        settings={"epochs": 8, "frozen_until": None, "note": "a | b\nc"},
    )
    text = path.read_text(encoding="utf-8")
    found = sections(text)
    assert text.startswith("# Insects \\#1\n")
    assert list(found) == HEADINGS
    assert "Counting, *not* pest control." in found["Intended use"]
    assert "CC BY 4.0" in found["Data"]
    assert "3 classes: ant, bee, wasp\\|hornet." in found["Data"]
    low, high = evaluation.interval
    assert (
        f"| {evaluation.accuracy:.1%} (95% interval {low:.1%} to {high:.1%}) |"
        in (found["Metrics"])
    )
    assert "| 30, not trained on |" in found["Metrics"]
    assert "32 x 32 pixels" in found["Preprocessing"]
    assert "[0, 255]" in found["Preprocessing"]
    assert "tiny" in found["Model"]
    assert f"{model.deployed.count_params():,}" in found["Model"]
    assert "| frozen\\_until | None |" in found["Training"]
    assert "| a \\| b c |" in found["Training"]
    for package in ("tftransfer", "tensorflow", "keras", "numpy"):
        assert f"| {package} |" in found["Versions"]
    assert found["Licence of the weights"].strip() == "Apache-2.0"


def test_what_is_not_known_is_not_guessed(model, evaluation, tmp_path):
    text = write_model_card(tmp_path / "card.md", model, evaluation).read_text()
    found = sections(text)
    assert text.startswith(f"# {model.name.replace('_', chr(92) + '_')}\n")
    assert "Not stated" in found["Intended use"]
    assert "Not stated" in found["Data"]
    assert "not recorded" in found["Training"]
    assert "Not recorded" in found["Licence of the weights"]


def test_limits_name_thin_classes(tmp_path):
    logits, labels = some_case(count=40)
    labels = np.minimum(np.arange(40) // 18, 2)
    evaluation = evaluate_classifier(Told(3), told(logits, labels))
    text = write_model_card(tmp_path / "card.md", Told(3), evaluation).read_text()
    assert "1 of 3 classes was measured on fewer than ten pictures: 2." in text


def test_the_weakest_classes_come_first(tmp_path):
    logits = 9 * np.eye(8)[[0, 1, 2, 3, 4, 5, 6, 0]]
    evaluation = evaluate_classifier(Told(8), told(logits, [0, 1, 2, 3, 4, 5, 6, 6]))
    text = write_model_card(tmp_path / "card.md", Told(8), evaluation).read_text()
    assert "Lowest recall: 6 50.0% of 2, 0 100.0% of 1" in text
    assert "Class among the best five" in text


def test_names_cannot_break_the_card(tmp_path):
    model = Told(3)
    model.class_names = ["<script>alert(1)</script>", "[a](javascript:b)", "x\n## y"]
    evaluation = evaluate_classifier(model, told(*some_case()))
    text = write_model_card(tmp_path / "card.md", model, evaluation).read_text()
    assert "<script>" not in text
    assert "[a](" not in text
    assert list(sections(text)) == HEADINGS


def test_a_model_of_any_size(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    evaluation = evaluate_classifier(Told(3), told(*some_case()))
    text = write_model_card(tmp_path / "card.md", model, evaluation).read_text()
    assert "RGB pictures of any x any pixels" not in text
    assert "RGB pictures of any size" in text
