import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.data.conftest import write_picture
from tftransfer.data import as_dataset
from tftransfer.data import decode


def batches(data, **options):
    return list(as_dataset(data, **{"image_size": 32, "batch_size": 4} | options))


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 256, (6, 40, 52, 3), "uint8")


def test_arrays_are_resized_as_files_are(array):
    found = np.concatenate(batches(array))
    for picture, received in zip(array, found, strict=True):
        expected = decode.square(Image.fromarray(picture), 32)
        np.testing.assert_array_equal(received, np.asarray(expected))


def test_arrays_of_the_right_size_stay(array):
    exact = np.ascontiguousarray(array[:, :32, :32])
    np.testing.assert_array_equal(np.concatenate(batches(exact)), exact)


def test_float_and_grey_arrays(array):
    as_float = np.concatenate(batches(array.astype("float64")))
    np.testing.assert_allclose(as_float, np.concatenate(batches(array)), atol=1.01)
    grey = array[..., 0]
    expected = np.concatenate(batches(np.repeat(grey[..., None], 3, axis=-1)))
    for given in (grey, grey[..., None]):
        np.testing.assert_array_equal(np.concatenate(batches(given)), expected)


def test_labels_ride_along(array):
    found = batches((array, np.arange(6)))
    assert np.concatenate([y for _, y in found]).tolist() == list(range(6))
    column = batches((array, np.arange(6)[:, None]))
    assert column[0][1].shape == (4,)


def test_paths_and_folders(folder):
    paths = sorted((folder / "ant").iterdir())
    assert np.concatenate(batches(paths)).shape == (10, 32, 32, 3)
    x, y = batches((paths, [0, 1] * 5))[0]
    assert x.shape == (4, 32, 32, 3)
    assert y.numpy().tolist() == [0, 1, 0, 1]
    array = np.array([str(path) for path in paths])
    assert np.concatenate(batches(array)).shape == (10, 32, 32, 3)
    dataset = as_dataset(folder, image_size=32)
    assert dataset.class_names == ("ant", "bee", "wasp")
    assert len(dataset.paths) == len(dataset.labels) == 20
    flat = as_dataset(folder / "ant", image_size=32)
    assert flat.labels is None
    assert len(flat.paths) == 10


def test_a_folder_with_the_classes_of_training(tmp_path):
    write_picture(tmp_path / "cat" / "0.png", 0)
    write_picture(tmp_path / "dog" / "0.png", 1)
    names = ["bird", "cat", "dog"]
    dataset = as_dataset(tmp_path, image_size=32, class_names=names)
    assert dataset.labels.tolist() == [1, 2]
    with pytest.raises(ValueError, match="'dog'"):
        as_dataset(tmp_path, image_size=32, class_names=["bird", "cat"])
    for path in (tmp_path / "cat" / "0.png", tmp_path / "cat"):
        path.unlink() if path.is_file() else path.rmdir()
    alone = as_dataset(tmp_path, image_size=32, class_names=names)
    assert alone.labels.tolist() == [2]


def test_datasets_are_passed_on(array):
    batched = tf.data.Dataset.from_tensor_slices(array).batch(3)
    assert as_dataset(batched, image_size=32) is batched
    single = tf.data.Dataset.from_tensor_slices((array, np.arange(6)))
    assert next(iter(as_dataset(single, image_size=32, batch_size=5)))[0].shape[0] == 5


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)), ValueError, "255"),
        (np.full((2, 8, 8, 3), -1.0), ValueError, r"\[0, 255\]"),
        (np.full((2, 8, 8, 3), 300), ValueError, "300"),
        (np.full((2, 8, 8, 3), np.nan), ValueError, "nan"),
        (np.zeros((8, 8)), ValueError, "One picture"),
        (np.zeros((2, 8, 8, 4), "uint8"), ValueError, "height, width, 3"),
        (np.zeros((0, 8, 8, 3), "uint8"), ValueError, "empty"),
        (np.array(["a"] * 8).reshape(2, 2, 2), TypeError, "uint8 or float"),
        ([], TypeError, "empty"),
        (7, TypeError, "Received: int"),
        ((np.zeros((2, 8, 8, 3), "uint8"), [0]), ValueError, "2 integer labels"),
        ((np.zeros((2, 8, 8, 3), "uint8"), [0.5, 1]), ValueError, "integer labels"),
        ((np.zeros((2, 8, 8, 3), "uint8"), [-1, 0]), ValueError, "labels in"),
    ],
)
def test_what_cannot_be_pictures_raises(data, error, message):
    with pytest.raises(error, match=message):
        batches(data)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        batches(tmp_path / "absent")
    with pytest.raises(ValueError, match="Received: none"):
        batches(tmp_path)


def test_a_folder_with_splits_is_not_mixed(tmp_path):
    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            write_picture(tmp_path / split / kind / "0.png", 0)
    with pytest.raises(ValueError, match=r"which is split: give one of .*train"):
        as_dataset(tmp_path, image_size=32)
    assert len(as_dataset(tmp_path / "test", image_size=32).paths) == 2
