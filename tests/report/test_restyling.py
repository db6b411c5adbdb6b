"""The page of a Restyler: numbers before and after, pictures in pairs, the oracle."""

import re

import keras
import numpy as np
import pytest

from tftransfer.domain import Restyler
from tftransfer.domain import patch_discriminator
from tftransfer.report import write_restyling_report


@pytest.fixture
def model():
    """One whose classifier sees dark as 0 and light as 1, and that draws negatives."""
    shape = (4, 4, 1)
    light = keras.layers.Dense(2)
    net = keras.Sequential(
        [keras.Input(shape), keras.layers.GlobalAveragePooling2D(), light]
    )
    light.set_weights([np.array([[-20.0, 20.0]]), np.array([10.0, -10.0])])
    negative = keras.Sequential(
        [keras.Input(shape), keras.layers.Rescaling(-1.0, offset=1.0)]
    )
    judge = patch_discriminator(shape, filters=(2,), scale=1.0)
    return Restyler(negative, judge, net)


def batches(labels=True):
    x = np.concatenate([np.zeros((3, 4, 4, 1)), np.ones((1, 4, 4, 1))])
    y = np.array([1, 1, 1, 1])
    return [(x.astype("float32"), y) if labels else x.astype("float32")]


def test_it_compares_pictures_as_they_are_with_redrawn_ones(model, tmp_path):
    path = tmp_path / "made" / "page.html"
    history = {"loss": [2.0, 1.0], "domain_accuracy": [0.9, 0.6]}
    found = write_restyling_report(
        path,
        model,
        batches(),
        source=[np.ones((3, 4, 4, 1), "float32")],
        history=history,
        class_names=["dark", "<light>"],
        settings={"epochs": 2},
    )
    assert found["as they are"]["oracle_accuracy"] == 0.25
    assert found["redrawn"]["oracle_accuracy"] == 0.75
    assert found["changed"] == 1.0
    text = path.read_text()
    assert text.count("<img") == 2 * 4 + 2 * 3
    assert "&lt;light&gt; 100%" in text
    assert "<light>" not in text
    assert re.search(r"<td>oracle accuracy</td><td>25.0%</td><td>75.0%</td>", text)
    for heading in ("Training", "Pictures of the source", "What was run"):
        assert f"<h2>{heading}</h2>" in text


def test_without_labels_nothing_is_said_of_an_oracle(model, tmp_path):
    found = write_restyling_report(tmp_path / "a.html", model, batches(labels=False))
    assert sorted(found["redrawn"]) == ["entropy", "information", "snd"]
    assert "<td>oracle" not in (tmp_path / "a.html").read_text()
    with pytest.raises(ValueError, match="Received none"):
        write_restyling_report(tmp_path / "b.html", model, [])


@pytest.mark.parametrize("labels", [True, False])
def test_arrays_give_the_page_of_their_batches(model, tmp_path, labels):
    (batch,) = batches(labels)
    many = [np.concatenate([part] * 12) for part in (batch if labels else [batch])]
    arrays = tuple(many) if labels else many[0]
    paths = tmp_path / "arrays.html", tmp_path / "batches.html"
    found = write_restyling_report(paths[0], model, arrays, source=arrays)
    expected = write_restyling_report(paths[1], model, [arrays], source=[arrays])
    for name in ("as they are", "redrawn"):
        assert found[name] == pytest.approx(expected[name])
    counts = {path.read_text().count("<img") for path in paths}
    assert len(counts) == 1
    assert "48 pictures of the target" in paths[0].read_text()
