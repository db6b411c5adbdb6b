import numpy as np
import pytest
from PIL import Image

import tftransfer as tft
from tests.finetune.pictures import three_classes
from tests.finetune.small import small_backbone
from tftransfer.distillation.parts import read as read_for_distillation
from tftransfer.domain.adapt_data import read as read_for_adaptation
from tftransfer.finetune import scratch_classifier
from tftransfer.training.pictures import validation_of

BRIGHTNESS = {"ape": 10, "bee": 120, "cat": 240}
SIDE = 32


def folder(path, names, each=2):
    for name in names:
        (path / name).mkdir(parents=True)
        for i in range(each):
            pixels = np.full((SIDE, SIDE, 3), BRIGHTNESS[name], "uint8")
            Image.fromarray(pixels).save(path / name / f"{i}.png")
    return path


@pytest.fixture
def folders(tmp_path):
    return folder(tmp_path / "all", BRIGHTNESS), folder(
        tmp_path / "two", ["bee", "cat"]
    )


def check_labels(data):
    """Each picture's label is its brightness' place among all classes."""
    for pictures, labels in data:
        found = [list(BRIGHTNESS.values()).index(int(p[0, 0, 0])) for p in pictures]
        assert labels.numpy().tolist() == found


def test_a_validation_folder_without_a_class_keeps_the_others_numbers(folders):
    options = {"image_size": SIDE, "batch_size": 4}
    train = tft.data.as_dataset(folders[0], **options)
    found = validation_of(train, folders[1], **options)
    assert list(found.class_names) == list(BRIGHTNESS)
    check_labels(found)
    by_itself = tft.data.as_dataset(folders[1], **options)
    with pytest.raises(ValueError, match=r"in this order.*\['bee', 'cat'\]"):
        validation_of(train, by_itself, **options)
    assert validation_of(train, None, **options) is None


def test_recipes_read_it_so(folders):
    model = scratch_classifier(small_backbone(), 3)
    options = {"batch_size": 4, "seed": 0}
    check_labels(read_for_distillation([model], *folders, **options)[1])
    pictures = np.zeros((12, SIDE, SIDE, 3), "uint8")
    data = read_for_adaptation(
        model, folders[0], pictures, folders[1], augment="none", **options
    )
    check_labels(data.validation)


def test_fine_tuning_scores_it_so(tmp_path):
    pictures, labels = three_classes(48)
    for place, (picture, label) in enumerate(zip(pictures, labels)):
        for part, least in (("all", 0), ("two", 1)):
            if label >= least:
                path = tmp_path / part / f"class{label}" / f"{place}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(path)
    model = tft.Classifier(tft.Backbone("tiny"), 3)
    options = {"epochs": 0, "head_epochs": 30, "verbose": 0, "say": None}
    history = tft.fine_tune(model, tmp_path / "all", tmp_path / "two", **options)
    assert max(history.history["val_accuracy"]) > 0.8
