"""What a page says of teacher, plain and distilled student."""

import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.report.told import Told
from tests.report.told import told
from tftransfer.finetune import Classifier
from tftransfer.report import evaluate_classifier
from tftransfer.report.distillation import some_rows
from tftransfer.report.nets import latencies
from tftransfer.report.nets import measure_nets
from tftransfer.report.verdict import judge_teaching


def _evaluation(right, classes=4):
    """Of pictures that a net has right where `right` says so; class 0 is true."""
    logits = np.zeros((len(right), classes))
    logits[np.arange(len(right)), np.where(right, 0, 1)] = 5
    return evaluate_classifier(Told(classes), told(logits, np.zeros(len(right))))


def _right(count, start=0, of=100):
    return np.isin(np.arange(of), np.arange(start, start + count))


@pytest.mark.parametrize(
    ("distilled", "plain", "warning", "words"),
    [
        ((90, 0), (60, 0), False, "the teacher helped"),
        ((62, 0), (60, 0), False, "other seeds"),
        ((60, 0), (60, 0), True, "did not help here. Train"),
        ((60, 0), (90, 0), True, "chance does not explain it"),
        ((20, 0), (20, 0), True, "better than guessing"),
    ],
)
def test_the_verdict(distilled, plain, warning, words):
    verdict = judge_teaching(
        _evaluation(_right(*distilled)), _evaluation(_right(*plain))
    )
    assert verdict.warning is warning
    assert words in verdict.text
    assert verdict.gain == pytest.approx((distilled[0] - plain[0]) / 100)


def test_the_sign_test_counts_pictures_that_one_alone_has_right():
    """8 against 2: 2 * (1 + 10 + 45) / 1024."""
    verdict = judge_teaching(
        _evaluation(_right(58, start=0)), _evaluation(_right(52, start=8))
    )
    assert (verdict.only_distilled, verdict.only_plain) == (8, 2)
    assert verdict.chance == pytest.approx(112 / 1024)


def test_losses_on_layers_are_suspected_first():
    pair = _evaluation(_right(50)), _evaluation(_right(70))
    assert "attention 59.4%" in judge_teaching(*pair, features=True).text
    assert "59.4" not in judge_teaching(*pair).text


def test_nets_are_measured_against_the_first():
    keras.utils.set_random_seed(0)
    small = tft.Backbone("tiny", weights=None, input_shape=(16, 16, 3))
    nets = {"teacher": Classifier(tft.Backbone("tiny"), 2), "student": None}
    nets["student"] = Classifier(small, 2)
    x = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), "uint8")
    labels = [0, 1] * 3
    data = {
        "teacher": tft.data.as_dataset((x, labels), image_size=32),
        "student": tft.data.as_dataset((x, labels), image_size=16),
    }
    facts = measure_nets(nets, data, rounds=3)
    assert facts["teacher"].agreement == 1.0
    answers = [facts[name].evaluation.predictions for name in nets]
    assert facts["student"].agreement == np.mean(answers[0] == answers[1])
    assert facts["student"].image_size == 16
    assert facts["teacher"].parameters == nets["teacher"].deployed.count_params()
    assert facts["teacher"].file_bytes > 4 * facts["teacher"].parameters
    assert 0 < latencies(nets, 3)["student"] < 1
    rows = some_rows(facts, 4)
    assert len(set(rows)) == 4
    assert max(rows) < 6
