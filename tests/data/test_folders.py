import os
import pathlib

import numpy as np
import pytest

from tests.data.conftest import write_picture
from tftransfer.data import from_folder
from tftransfer.data import pictures


def read(folder, **options):
    return from_folder(
        folder, **{"image_size": 32, "batch_size": 4, "progress": False} | options
    )


def values(dataset):
    """Return (number written into the picture, label) of everything it gives."""
    found = []
    for images, labels in dataset:
        number = images[:, 5, 5, 0].numpy() + 256 * images[:, 5, 5, 1].numpy()
        found += list(zip(number.astype(int).tolist(), labels.numpy().tolist()))
    return found


def test_split_is_stratified_disjoint_and_complete(folder):
    train, validation = read(folder)
    assert len(train.paths) == 16
    assert np.bincount(validation.labels).tolist() == [2, 1, 1]
    assert not set(train.paths) & set(validation.paths)
    assert len(set(train.paths) | set(validation.paths)) == 20
    assert train.class_names == validation.class_names == ("ant", "bee", "wasp")
    assert train.image_size == 32


def test_split_follows_the_seed(folder):
    assert read(folder, seed=3)[1].paths == read(folder, seed=3)[1].paths
    assert read(folder, seed=3)[1].paths != read(folder, seed=4)[1].paths


def test_pictures_and_labels_belong_together(folder):
    train, validation = read(folder)
    for dataset in (train, validation):
        found = values(dataset)
        assert len(found) == len(dataset.paths)
        for number, label in found:
            assert label == (number >= 10) + (number >= 16)
    images, labels = next(iter(train))
    assert images.dtype.name == "float32"
    assert labels.dtype.name == "int32"
    assert images.shape == (4, 32, 32, 3)


def test_each_epoch_has_an_order_of_its_own(folder):
    train, validation = read(folder)
    first, second = values(train), values(train)
    assert first != second
    assert sorted(first) == sorted(second)
    assert values(validation) == values(validation)
    assert values(read(folder, shuffle=False)[0]) == sorted(first)


def test_given_splits_are_used_and_shared_pictures_reported(tmp_path):
    for split, start in {"train": 0, "val": 10, "test": 20}.items():
        for label, kind in enumerate(("cat", "dog")):
            for number in range(3):
                write_picture(
                    tmp_path / split / kind / f"{number}.png",
                    start + 3 * label + number,
                )
    train, validation = read(tmp_path)
    assert sorted(n for n, _ in values(train)) == [0, 1, 2, 3, 4, 5]
    assert sorted(n for n, _ in values(validation)) == [10, 11, 12, 13, 14, 15]
    copy = tmp_path / "val" / "cat" / "copy.png"
    copy.write_bytes((tmp_path / "train" / "cat" / "1.png").read_bytes())
    with pytest.warns(UserWarning, match="also training pictures.*copy.png"):
        read(tmp_path)


@pytest.mark.filterwarnings("ignore:.*test pictures are also")
def test_train_and_test_alone_leave_the_test_part_alone(tmp_path):
    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            for number in range(5):
                write_picture(tmp_path / split / kind / f"{number}.png", number)
    with pytest.warns(UserWarning, match="copies"):
        train, validation = read(tmp_path)
    used = {pathlib.Path(path).parts[-3] for path in train.paths + validation.paths}
    assert used == {"train"}


def test_copies_stay_on_the_training_side(folder):
    for number in range(5):
        original = folder / "ant" / f"{number}.png"
        (folder / "ant" / f"copy{number}.png").write_bytes(original.read_bytes())
    for seed in range(5):
        with pytest.warns(UserWarning, match="moved"):
            train, validation = read(folder, seed=seed, validation_split=0.5)
        contents = [
            {pathlib.Path(path).read_bytes() for path in side.paths}
            for side in (train, validation)
        ]
        assert not contents[0] & contents[1]
        assert len(train.paths) + len(validation.paths) == 25


def test_unreadable_pictures_are_warned_of_and_left_out(folder):
    (folder / "ant" / "broken.jpg").write_bytes(b"no")
    with pytest.warns(UserWarning, match=r"broken\.jpg"):
        train, validation = read(folder)
    assert len(train.paths) + len(validation.paths) == 20
    with pytest.raises(ValueError, match=r"broken\.jpg"):
        read(folder, on_error="raise")


def test_a_picture_that_breaks_later_is_left_out_or_raises(folder):
    train, _ = read(folder, shuffle=False)
    pathlib.Path(train.paths[0]).write_bytes(b"broken since")
    with pytest.warns(UserWarning, match="Left out") as seen:
        found = values(train) + values(train)
    assert len(found) == 2 * (len(train.paths) - 1)
    assert len(seen) == 1
    pathlib.Path(train.paths[0]).unlink()
    strict = train.source.replace(
        pictures=pictures.FilePictures(train.paths, image_size=32, on_error="raise")
    )
    with pytest.raises(Exception, match="No such file"):
        values(strict.dataset())


def test_cache_in_memory_decodes_once(folder, monkeypatch):
    calls = []
    decode = pictures.decode_image
    monkeypatch.setattr(
        pictures, "decode_image", lambda *a, **k: calls.append(1) or decode(*a, **k)
    )
    train, _ = read(folder, cache=True)
    first, second = values(train), values(train)
    assert sorted(first) == sorted(second)
    assert len(calls) == len(train.paths)


def test_cache_on_disk_is_read_again_and_sees_changes(folder, tmp_path, monkeypatch):
    options = {"cache": tmp_path / "cache", "shuffle": False, "validation_split": 0.0}
    plain = values(read(folder, **options)[0])
    calls = []
    decode = pictures.decode_image
    monkeypatch.setattr(
        pictures, "decode_image", lambda *a, **k: calls.append(1) or decode(*a, **k)
    )
    train, _ = read(folder, **options)
    assert values(train) == plain
    assert not calls
    assert len(train.paths) == 20
    path = pathlib.Path(train.paths[0])
    before = path.stat()
    contents = bytearray(path.read_bytes())
    other = write_picture(tmp_path / "other.png", 77).read_bytes()
    path.write_bytes(other.ljust(len(contents), b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = values(read(folder, **options)[0])
    assert changed[0][0] == 77
    assert len(calls) == 20


def test_augmentation_is_for_training_alone(folder):
    train, validation = read(folder, augment="light")
    assert train.source.augmentation is not None
    assert validation.source.augmentation is None


def test_no_validation(folder):
    train, validation = read(folder, validation_split=0.0)
    assert len(train.paths) == 20
    assert values(validation) == []


@pytest.mark.parametrize(
    "options",
    [{"validation_split": 1.0}, {"batch_size": 0}, {"image_size": 2}, {"augment": "x"}],
)
def test_bad_arguments_raise(folder, options):
    with pytest.raises(ValueError, match="Expected"):
        read(folder, **options)


def test_both_sides_and_every_seed_share_one_cache(folder, tmp_path, monkeypatch):
    options = {"cache": tmp_path / "cache", "shuffle": False}
    read(folder, **options)
    monkeypatch.setattr(pictures, "decode_image", lambda *a, **k: pytest.fail("read"))
    train, validation = read(folder, seed=7, **options)
    found = values(train) + values(validation)
    assert sorted(found) == [(n, (n >= 10) + (n >= 16)) for n in range(20)]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    part = train.source.subset([0, 2])
    assert part.pictures.paths == (train.paths[0], train.paths[2])


def test_a_cache_on_disk_names_what_it_cannot_read(folder, tmp_path):
    (folder / "ant" / "broken.jpg").write_bytes(b"no")
    with (
        pytest.warns(UserWarning, match="Left out"),
        pytest.raises(ValueError, match=r"broken\.jpg.*verify=True"),
    ):
        read(folder, cache=tmp_path / "cache", verify=False)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.filterwarnings("ignore:Left out")
def test_a_batch_without_a_readable_picture_raises(folder):
    train, _ = read(folder, shuffle=False)
    for path in train.paths[4:8]:
        pathlib.Path(path).unlink()
    with pytest.raises(Exception, match="a batch of 4 without one"):
        values(train)
