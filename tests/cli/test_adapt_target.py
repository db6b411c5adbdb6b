"""What of a target's folder trains, and what an oracle knows of it."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from tftransfer.cli.adapt_target import UNKNOWN
from tftransfer.cli.adapt_target import read_target
from tftransfer.domain.paired_epochs import hold_out

NAMES = ["across", "block", "upright"]
READING = {"image_size": 16, "batch_size": 8}


def _picture(path: pathlib.Path) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16)).save(path)
    return path


def _labels(dataset, folder) -> dict:
    paths = [
        pathlib.Path(path).relative_to(folder).as_posix() for path in dataset.paths
    ]
    return dict(zip(paths, dataset.labels.tolist()))


def test_pictures_beside_class_folders_train_and_have_no_label(tmp_path):
    for name in ("block/0.png", "upright/0.png", "1.png", "2.png"):
        _picture(tmp_path / name)
    (tmp_path / "across").mkdir()  # no picture of this class yet
    target = read_target(tmp_path, NAMES, **READING)
    assert _labels(target, tmp_path) == {
        "1.png": UNKNOWN,
        "2.png": UNKNOWN,
        "block/0.png": 1,
        "upright/0.png": 2,
    }
    pictures, labels = next(iter(target))
    assert pictures.shape == (4, 16, 16, 3)
    np.testing.assert_array_equal(labels, target.labels)


def test_labels_are_of_the_nearest_folder_that_is_a_class(tmp_path, capsys):
    names = ("train/block/a.png", "across/upright/a.png", "block/deep/er/a.png")
    for name in (*names, "circle/a.png"):
        _picture(tmp_path / name)
    target = read_target(tmp_path, NAMES, **READING)
    expected = dict(zip(names, (1, 2, 1))) | {"circle/a.png": UNKNOWN}
    assert _labels(target, tmp_path) == expected
    told = capsys.readouterr().err
    assert "no classes of the source, ['circle', 'train']" in told


def test_without_a_class_folder_there_are_no_labels(tmp_path):
    for name in ("a.png", "circle/b.png"):
        _picture(tmp_path / name)
    target = read_target(tmp_path, NAMES, **READING)
    assert target.labels is None
    assert next(iter(target)).shape == (2, 16, 16, 3)


def test_pictures_that_train_with_labels_are_in_no_score(tmp_path, capsys):
    few = _picture(tmp_path / "few/block/0.png")
    other = _picture(tmp_path / "few/block/1.png")
    (tmp_path / "all/block").mkdir(parents=True)
    (tmp_path / "all/block/linked.png").symlink_to(few)
    kept = _picture(tmp_path / "all/upright/0.png")
    paths = [str(few), str(other)]
    target = read_target(tmp_path / "all", NAMES, paths, **READING)
    assert target.paths == (str(kept),)
    assert "1 of 2 pictures of" in capsys.readouterr().err
    with pytest.raises(ValueError, match="beside those of `--labelled-target`"):
        read_target(tmp_path / "few", NAMES, paths, **READING)


def test_labels_decide_nothing_of_what_trains(tmp_path):
    """The same files read with folders that are classes, and with others."""
    for number in range(12):
        _picture(tmp_path / f"{NAMES[number % 3]}/{number:02}.png")
    labelled = read_target(tmp_path, NAMES, **READING)
    plain = read_target(tmp_path, ["none", "of", "these"], **READING)
    assert plain.labels is None
    for one, other in zip(hold_out(labelled.source), hold_out(plain.source)):
        assert one.pictures.paths == other.pictures.paths
        assert one.labels is None


def test_unreadable_pictures_are_named_and_left_out(tmp_path):
    _picture(tmp_path / "fine.png")
    broken = _picture(tmp_path / "broken.png")
    broken.write_bytes(broken.read_bytes()[:20])
    with pytest.warns(UserWarning, match=r"Left out 1 unreadable.*\n.*broken\.png"):
        target = read_target(tmp_path, NAMES, **READING)
    assert [pathlib.Path(path).name for path in target.paths] == ["fine.png"]
