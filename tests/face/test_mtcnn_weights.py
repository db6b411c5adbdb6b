"""Published weights: read once from the package, then from a checked file."""

import importlib.util
import pathlib

import numpy as np
import pytest

from tftransfer.backbones.published import WeightsNotFoundError
from tftransfer.face.detection import mtcnn_weights
from tftransfer.face.detection.mtcnn_layers import weight_shapes
from tftransfer.face.detection.mtcnn_weights import FILE_NAME
from tftransfer.face.detection.mtcnn_weights import read_mtcnn_weights
from tftransfer.face.detection.mtcnn_weights import save_mtcnn_weights

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None, reason="the package mtcnn is absent"
)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """Own weights, each of one number."""
    shapes = weight_shapes().items()
    return {k: np.full(shape, i, "float32") for i, (k, shape) in enumerate(shapes)}


@pytest.fixture
def cache(tmp_path, monkeypatch) -> pathlib.Path:
    monkeypatch.setattr(mtcnn_weights, "cache_folder", lambda: tmp_path / "models")
    return tmp_path / "models" / FILE_NAME


@pytest.fixture
def without_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def check_same(found, expected):
    assert list(found) == list(expected)
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array)


def write(path, arrays):
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})


@needs_package
def test_the_package_is_read_once(cache, monkeypatch):
    first = read_mtcnn_weights()
    assert all(array.any() for array in first.values())
    assert [path.name for path in cache.parent.iterdir()] == [FILE_NAME]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_same(read_mtcnn_weights(), first)


@needs_package
@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_cache_is_made_anew(cache, damage):
    before = read_mtcnn_weights()
    whole = cache.read_bytes()
    if damage == "changed":
        write(cache, before | {"rnet/conv1/bias": np.zeros(28, "float32")})
    else:
        cache.write_bytes(whole[:10_000] if damage == "cut" else b"")
    check_same(read_mtcnn_weights(), before)
    with np.load(cache) as file:
        assert file["rnet/conv1/bias"].any()


@needs_package
def test_a_cache_that_cannot_be_written_is_no_error(cache):
    cache.parent.parent.joinpath("models").write_text("a file where a folder should be")
    assert all(array.any() for array in read_mtcnn_weights().values())


def test_another_file_in_the_package_is_refused(cache, tmp_path, monkeypatch):
    """Nothing of it is read: it may be a pickle that runs code."""
    package = tmp_path / "mtcnn"
    (package / "assets" / "weights").mkdir(parents=True)
    (package / "assets" / "weights" / "pnet.lz4").write_bytes(b"cos\nsystem\n")
    spec = importlib.util.spec_from_file_location("mtcnn", package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(WeightsNotFoundError, match="SHA-256"):
        read_mtcnn_weights()


def test_neither_cache_nor_package(cache, without_package):
    with pytest.raises(WeightsNotFoundError, match=r"tftransfer\[face\]"):
        read_mtcnn_weights()


def test_a_path(arrays, tmp_path, without_package):
    write(tmp_path / "own.npz", arrays)
    check_same(read_mtcnn_weights(tmp_path / "own.npz"), arrays)


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4"])
def test_numbers_of_other_kinds_become_float32(arrays, tmp_path, dtype):
    write(tmp_path / "own.npz", {k: a.astype(dtype) for k, a in arrays.items()})
    found = read_mtcnn_weights(tmp_path / "own.npz")
    assert {array.dtype for array in found.values()} == {np.dtype("float32")}
    check_same(found, arrays)


def test_what_is_saved_is_read(arrays, tmp_path, without_package):
    save_mtcnn_weights(arrays, tmp_path / "new" / "own.npz")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["own.npz"]
    check_same(read_mtcnn_weights(tmp_path / "new" / "own.npz"), arrays)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "Received: none"),
        (np.zeros(3, "float32"), r"Received: \(3,\)"),
        (np.full(28, np.nan, "float32"), "not finite"),
        (np.array([None] * 28), "pickle"),
    ],
    ids=["missing", "shape", "nan", "objects"],
)
def test_a_path_with_other_arrays_is_refused(arrays, tmp_path, value, text):
    write(tmp_path / "own.npz", arrays | {"rnet/conv1/bias": value})
    with pytest.raises(ValueError, match=text):
        read_mtcnn_weights(tmp_path / "own.npz")


def test_a_path_without_a_file_or_with_another_kind(tmp_path):
    with pytest.raises(FileNotFoundError, match="where there is none"):
        read_mtcnn_weights(tmp_path / "absent.npz")
    other = tmp_path / "other.npz"
    other.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"an \.npz file"):
        read_mtcnn_weights(other)
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"an \.npz file"):
        read_mtcnn_weights(tmp_path / "array.npy")
