import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.finetune.pictures import three_classes
from tftransfer.data import as_dataset
from tftransfer.data import augmentation
from tftransfer.data import from_folder
from tftransfer.data import rows
from tftransfer.data import with_activations


@pytest.fixture(scope="module")
def trunk():
    backbone = tft.Backbone("tiny")
    return keras.Model(backbone.input, backbone.endpoints["stage2"])


def dataset(**options):
    options = {"image_size": 32, "batch_size": 20, "shuffle": True} | options
    return as_dataset(three_classes(), **options)


def test_batches_are_the_trunks_in_the_same_order(trunk):
    plain, cached = dataset(), with_activations(dataset(), trunk)
    for _ in range(2):
        for (x, y), (a, b) in zip(plain, cached, strict=True):
            np.testing.assert_array_equal(y, b)
            np.testing.assert_allclose(trunk(x, training=False), a, atol=1e-4)
    assert cached.labels is not None


def test_kept_on_disk_and_computed_for_other_weights_or_pictures(trunk, tmp_path):
    for count, given in enumerate([dataset(), dataset()]):
        with_activations(given, trunk, cache=tmp_path)
        assert len(list(tmp_path.glob("*.npy"))) == 1, count
    x, y = three_classes()
    x[0, 0, 0, 0] ^= 1
    changed = as_dataset((x, y), image_size=32, batch_size=20)
    with_activations(changed, trunk, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2
    other = keras.models.clone_model(trunk)
    with_activations(dataset(), other, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 3


def test_half_precision_on_request(trunk, tmp_path):
    for cache in (None, tmp_path):
        cached = with_activations(dataset(), trunk, cache=cache, dtype="float16")
        assert cached.source.pictures.array.dtype == np.float16
        assert next(iter(cached))[0].dtype == tf.float32


def test_what_changes_every_epoch_cannot_be_cached(trunk):
    with pytest.raises(TypeError, match="augmented"):
        with_activations(augmentation("light").apply(dataset()), trunk)
    with pytest.raises(TypeError, match="unknown origin"):
        with_activations(dataset().map(lambda x, y: (x, y)), trunk)


def test_too_much_for_memory_says_so(trunk, monkeypatch):
    monkeypatch.setattr(rows, "_MOST_IN_MEMORY", 1000)
    with pytest.raises(MemoryError, match="Name a folder"):
        with_activations(dataset(), trunk)


def test_a_changed_picture_or_weight_is_never_served_stale(trunk, tmp_path, folder):
    def read(net):
        train, _ = from_folder(
            folder, image_size=32, validation_split=0.0, shuffle=False, progress=False
        )
        cached = with_activations(train, net, cache=tmp_path / "cache")
        assert cached.paths == train.paths
        return np.concatenate([x for x, _ in cached]), train.paths

    net = keras.models.clone_model(trunk)
    before, paths = read(net)
    path = pathlib.Path(paths[0])
    stat = path.stat()
    other = pathlib.Path(paths[1]).read_bytes().ljust(stat.st_size, b"\0")
    path.write_bytes(other)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after, _ = read(net)
    assert np.any(before[0] != after[0])
    np.testing.assert_allclose(before[2:], after[2:], atol=1e-4)
    variable = net.trainable_variables[0]
    variable.assign(variable + 0.5)
    assert np.any(read(net)[0] != after)


@pytest.mark.filterwarnings("ignore:Left out")
def test_a_missing_row_is_no_entry(trunk, tmp_path, folder):
    train, _ = from_folder(folder, image_size=32, progress=False)
    pathlib.Path(train.paths[0]).unlink()
    for cache in (None, tmp_path / "cache"):
        with pytest.raises(ValueError, match="Expected 16 readable pictures"):
            with_activations(train, trunk, cache=cache)
    assert list((tmp_path / "cache").iterdir()) == []


def test_trunks_of_any_input_size():
    inputs = keras.Input((None, None, 3))
    net = keras.Model(inputs, keras.layers.Conv2D(2, 3, strides=4)(inputs))
    cached = with_activations(dataset(), net)
    assert next(iter(cached))[0].shape == (20, 8, 8, 2)
