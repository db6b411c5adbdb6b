"""Two diagnoses of a net's features, with and without labels of the target."""

import json

import numpy as np
import pytest

from tests.domain.rows import two_domains
from tftransfer.domain import cross_dataset_table
from tftransfer.domain import name_that_dataset
from tftransfer.report import domain_bias
from tftransfer.report.domain_bias import measure_bias
from tftransfer.report.domain_bias_section import bias_section


def test_both_diagnoses_of_shifted_domains_and_of_equal_ones():
    X, y, X_target, y_target = two_domains(120, 90, shift=6.0)
    far = measure_bias((X, y), X_target[:60], (X_target, y_target))
    near = measure_bias((X[::2], y[::2]), X[1::2], (X[1::2], y[1::2]))
    assert far.named.accuracy > 0.95 > 0.7 > near.named.accuracy
    assert far.named_pictures == 60
    assert far.table.summary["percent_drop"] > 20 > near.table.summary["percent_drop"]
    by_class = np.argsort(y, kind="stable"), np.argsort(y_target, kind="stable")
    sets = {
        "source": (X[by_class[0]], np.sort(y)),
        "target": (X_target[by_class[1]], np.sort(y_target)),
    }
    np.testing.assert_array_equal(far.table.scores, cross_dataset_table(sets).scores)
    named = name_that_dataset({"source": X, "target": X_target[:60]})
    assert far.named.accuracy == named.accuracy


def test_pictures_without_a_label_and_rare_classes_are_in_no_table():
    X, y, X_target, y_target = two_domains(60, 60)
    unknown = np.where(np.arange(60) < 30, -1, y_target)
    found = measure_bias((X, y), X_target, (X_target, unknown))
    assert (found.classes, found.table_pictures) == (3, 60)
    of_source = measure_bias((X, y), X_target, (X_target[30:], y_target[30:]))
    np.testing.assert_array_equal(found.table.scores, of_source.table.scores)
    rare = np.where(np.arange(60) < 3, 2, y % 2)
    assert measure_bias((X, rare), X_target, (X_target, y_target)).classes == 2


@pytest.mark.parametrize("labels", [None, np.full(50, -1)], ids=["none", "unknown"])
def test_without_labels_there_is_no_table_and_a_reason(labels):
    X, y, X_target, _ = two_domains()
    found = measure_bias((X, y), X_target, (X_target, labels))
    numbers = found.numbers()
    assert numbers["oracle_cross_dataset_absent"] == "the target has no labels"
    assert "oracle_cross_dataset" not in numbers
    page = bias_section({"before": found, "after": found})
    assert "Not measured: the target has no labels" in page
    assert "50 pictures of each domain that did not train" in page


def test_too_few_labels_are_said():
    X, y, X_target, _ = two_domains()
    one = np.where(np.arange(50) < 10, 0, -1)
    found = measure_bias((X, y), X_target, (X_target, one))
    assert "fewer than two classes have 4 pictures" in found.absent


def test_rows_are_capped_by_class(monkeypatch):
    monkeypatch.setattr(domain_bias, "MOST", 40)
    X, y, X_target, y_target = two_domains(300, 200, classes=4)
    found = measure_bias((X, y), X_target, (X_target, y_target))
    assert found.named_pictures == 40
    assert found.table_pictures == 40


def test_the_page_has_the_numbers_of_the_document():
    X, y, X_target, y_target = two_domains(120, 90, shift=6.0)
    found = measure_bias((X, y), X_target, (X_target, y_target))
    numbers = json.loads(json.dumps(found.numbers()))["oracle_cross_dataset"]
    page = bias_section({"source-only": found, "adapted": found})
    assert page.count("source-only, the") == 2
    assert f"<td>{numbers['summary']['percent_drop']:.0f}%</td>" in page
    assert f"<td>{100 * numbers['scores'][0][1]:.1f}%</td>" in page
    assert numbers["names"] == ["source", "target"]
