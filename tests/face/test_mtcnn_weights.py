"""Published weights: read once from the package, then from a checked file."""

import importlib.util
import pathlib

import numpy as np
import pytest

from tftransfer.backbones.published import WeightsNotFoundError
from tftransfer.face.detection import mtcnn_weights
from tftransfer.face.detection.mtcnn_nets import output_net
from tftransfer.face.detection.mtcnn_nets import proposal_net
from tftransfer.face.detection.mtcnn_nets import refinement_net
from tftransfer.face.detection.mtcnn_weights import FILE_NAME
from tftransfer.face.detection.mtcnn_weights import load_mtcnn_weights
from tftransfer.face.detection.mtcnn_weights import save_mtcnn_weights

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("mtcnn") is None, reason="the package mtcnn is absent"
)


@pytest.fixture(scope="module")
def nets():
    return [proposal_net(), refinement_net(), output_net()]


@pytest.fixture
def cache(tmp_path, monkeypatch) -> pathlib.Path:
    monkeypatch.setattr(mtcnn_weights, "cache_folder", lambda: tmp_path / "models")
    return tmp_path / "models" / FILE_NAME


@pytest.fixture
def without_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def weights(nets) -> list[np.ndarray]:
    return [array for net in nets for array in net.get_weights()]


def zeroed(nets):
    for net in nets:
        net.set_weights([np.zeros_like(array) for array in net.get_weights()])


def write(path, nets, **changed):
    arrays = {k: v.numpy() for k, v in mtcnn_weights._variables(nets).items()}
    arrays.update(changed)
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})


@needs_package
def test_the_package_is_read_once(nets, cache, monkeypatch):
    zeroed(nets)
    load_mtcnn_weights(nets)
    first = weights(nets)
    assert all(array.any() for array in first)
    assert [path.name for path in cache.parent.iterdir()] == [FILE_NAME]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    zeroed(nets)
    load_mtcnn_weights(nets)
    for one, other in zip(first, weights(nets), strict=True):
        np.testing.assert_array_equal(one, other)


@needs_package
@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_cache_is_made_anew(nets, cache, damage):
    load_mtcnn_weights(nets)
    whole = cache.read_bytes()
    if damage == "changed":
        key = "rnet/conv1/bias"
        write(cache, nets, **{key: np.zeros(28, "float32")})
    else:
        cache.write_bytes(whole[:10_000] if damage == "cut" else b"")
    before = weights(nets)
    zeroed(nets)
    load_mtcnn_weights(nets)
    for one, other in zip(before, weights(nets), strict=True):
        np.testing.assert_array_equal(one, other)
    with np.load(cache) as file:
        assert file["rnet/conv1/bias"].any()


@needs_package
def test_a_cache_that_cannot_be_written_is_no_error(nets, cache):
    cache.parent.parent.joinpath("models").write_text("a file where a folder should be")
    zeroed(nets)
    load_mtcnn_weights(nets)
    assert all(array.any() for array in weights(nets))


def test_another_file_in_the_package_is_refused(nets, cache, tmp_path, monkeypatch):
    """Nothing of it is read: it may be a pickle that runs code."""
    package = tmp_path / "mtcnn"
    (package / "assets" / "weights").mkdir(parents=True)
    (package / "assets" / "weights" / "pnet.lz4").write_bytes(b"cos\nsystem\n")
    spec = importlib.util.spec_from_file_location("mtcnn", package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(WeightsNotFoundError, match="SHA-256"):
        load_mtcnn_weights(nets)


def test_neither_cache_nor_package(nets, cache, without_package):
    with pytest.raises(WeightsNotFoundError, match=r"tftransfer\[face\]"):
        load_mtcnn_weights(nets)


def test_a_path(nets, tmp_path, without_package):
    path = tmp_path / "own.npz"
    for net in nets:
        net.set_weights([array + 1 for array in net.get_weights()])
    write(path, nets)
    expected = weights(nets)
    zeroed(nets)
    load_mtcnn_weights(nets, path)
    for one, other in zip(expected, weights(nets), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_saved_is_loaded(nets, tmp_path, without_package):
    for net in nets:
        net.set_weights([array + 1 for array in net.get_weights()])
    expected = weights(nets)
    save_mtcnn_weights(nets, tmp_path / "new" / "own.npz")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["own.npz"]
    zeroed(nets)
    load_mtcnn_weights(nets, tmp_path / "new" / "own.npz")
    for one, other in zip(expected, weights(nets), strict=True):
        np.testing.assert_array_equal(one, other)


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
def test_a_path_with_other_arrays_is_refused(nets, tmp_path, value, text):
    path = tmp_path / "own.npz"
    write(path, nets, **{"rnet/conv1/bias": value})
    before = weights(nets)
    with pytest.raises(ValueError, match=text):
        load_mtcnn_weights(nets, path)
    for one, other in zip(before, weights(nets), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_path_without_a_file_or_with_another_kind(nets, tmp_path):
    with pytest.raises(FileNotFoundError, match="where there is none"):
        load_mtcnn_weights(nets, tmp_path / "absent.npz")
    other = tmp_path / "other.npz"
    other.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"an \.npz file"):
        load_mtcnn_weights(nets, other)
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"an \.npz file"):
        load_mtcnn_weights(nets, tmp_path / "array.npy")
