import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tftransfer as tft
from tftransfer.features import FeatureExtractor


@pytest.fixture(scope="module")
def backbone():
    return tft.Backbone("tiny")


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (37, 32, 32, 3), "uint8")


@pytest.fixture
def folder(tmp_path, pictures):
    for number, picture in enumerate(pictures):
        place = tmp_path / "set" / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.kron(picture, np.ones((2, 2, 1), "uint8"))).save(
            place / f"{number:02}.png"
        )
    return tmp_path / "set"


def quiet(extractor, data, **options):
    return extractor.extract(data, progress=False, **options)


def test_features_are_those_of_the_backbone(backbone, pictures):
    expected = keras.ops.convert_to_numpy(backbone(pictures, training=False))
    for data in (pictures, pictures.astype("float32")):
        found = quiet(FeatureExtractor(backbone), data, batch_size=8)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_several_endpoints_pooled_or_as_maps(backbone, pictures):
    names = ["stage3", "stage1", "pooled"]
    maps = quiet(FeatureExtractor(backbone, endpoint=names, pooling=None), pictures)
    pooled = quiet(FeatureExtractor(backbone, endpoint=names), pictures)
    assert list(maps) == list(pooled) == names
    assert maps["stage1"].shape == (37, 16, 16, 32)
    for name in ("stage1", "stage3"):
        mean = maps[name].mean(axis=(1, 2))
        np.testing.assert_allclose(pooled[name], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(pooled["pooled"], pooled["stage3"], rtol=1e-4, atol=1e-5)


def test_normalised_features_have_length_one(backbone, pictures):
    extractor = FeatureExtractor(backbone, normalize=True)
    for augment in (None, "flip"):
        found = quiet(extractor, pictures, augment=augment)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_flip_is_the_mean_over_picture_and_mirror(backbone, pictures):
    extractor = FeatureExtractor(backbone)
    found = quiet(extractor, pictures, augment="flip")
    plain = quiet(extractor, pictures)
    mirrored = quiet(extractor, np.ascontiguousarray(pictures[:, :, ::-1]))
    np.testing.assert_allclose(found, (plain + mirrored) / 2, rtol=1e-4, atol=1e-5)
    again = quiet(extractor, np.ascontiguousarray(pictures[:, :, ::-1]), augment="flip")
    np.testing.assert_allclose(found, again, rtol=1e-4, atol=1e-5)


def test_crops_are_the_mean_over_ten_views(backbone):
    pictures = np.random.default_rng(1).integers(0, 256, (5, 37, 37, 3), "uint8")
    extractor = FeatureExtractor(backbone)
    found = quiet(extractor, pictures, augment="crops")
    total = 0
    for y, x in [(0, 0), (0, 5), (5, 0), (5, 5), (2, 2)]:
        crop = pictures[:, y : y + 32, x : x + 32]
        total = total + quiet(extractor, np.ascontiguousarray(crop))
        total = total + quiet(extractor, np.ascontiguousarray(crop[:, :, ::-1]))
    np.testing.assert_allclose(found, total / 10, rtol=1e-4, atol=1e-4)


def test_folder_paths_arrays_and_datasets_agree(backbone, folder):
    extractor = FeatureExtractor(backbone)
    data = tft.data.as_dataset(folder, image_size=32, shuffle=True)
    arrays = tft.data.load_images(data.paths, image_size=32)
    expected = quiet(extractor, arrays)
    for given in (folder, list(data.paths), data, (arrays, data.labels)):
        np.testing.assert_array_equal(quiet(extractor, given), expected)
    foreign = tf.data.Dataset.from_tensor_slices(arrays).batch(10)
    np.testing.assert_allclose(quiet(extractor, foreign), expected, atol=1e-5)


def test_rows_follow_paths_of_a_shuffled_augmented_training_set(backbone, folder):
    extractor = FeatureExtractor(backbone)
    train, _ = tft.data.from_folder(
        folder, image_size=32, augment="light", progress=False
    )
    expected = quiet(extractor, list(train.paths))
    np.testing.assert_array_equal(quiet(extractor, train), expected)


def test_cache_is_read_again_and_never_stale(backbone, folder, tmp_path, monkeypatch):
    extractor = FeatureExtractor(backbone, endpoint=["stage2", "pooled"])
    first = quiet(extractor, folder, cache=tmp_path / "cache")
    calls = []
    pieces = FeatureExtractor._pieces
    monkeypatch.setattr(
        FeatureExtractor,
        "_pieces",
        lambda self, *args: calls.append(1) or pieces(self, *args),
    )

    def again(given=extractor, **options):
        calls.clear()
        found = quiet(given, folder, cache=tmp_path / "cache", **options)
        return found, len(calls)

    found, computed = again()
    assert computed == 0
    for name in first:
        np.testing.assert_array_equal(found[name], first[name])
    assert again(augment="flip")[1] == 1
    path = next(folder.rglob("*.png"))
    Image.new("RGB", (64, 64), "red").save(path)
    found, computed = again()
    assert computed == 1
    assert np.any(found["pooled"] != first["pooled"])
    changed = backbone.clone()
    changed.layers[-2].get_weights()
    kernel = next(v for v in changed.variables if v.name == "kernel")
    kernel.assign(kernel + 0.1)
    other = FeatureExtractor(changed, endpoint=["stage2", "pooled"])
    assert again(other)[1] == 1


def test_a_changed_weight_is_seen_by_the_next_extract(pictures):
    backbone = tft.Backbone("tiny")
    extractor = FeatureExtractor(backbone)
    before = quiet(extractor, pictures)
    for variable in backbone.trainable_variables:
        variable.assign(0.5 * variable)
    after = quiet(extractor, pictures)
    expected = keras.ops.convert_to_numpy(backbone(pictures, training=False))
    assert np.abs(before - after).max() > 1e-2
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-5)


def test_saves_and_loads(backbone, pictures, tmp_path):
    extractor = FeatureExtractor(backbone, endpoint=["stage1"], normalize=True)
    extractor.save(tmp_path / "features.keras")
    again = keras.saving.load_model(tmp_path / "features.keras")
    assert isinstance(again, FeatureExtractor)
    np.testing.assert_array_equal(
        quiet(again, pictures)["stage1"], quiet(extractor, pictures)["stage1"]
    )


def test_a_broken_picture_ends_the_extraction(backbone, folder):
    paths = sorted(str(path) for path in folder.rglob("*.png"))
    with open(paths[3], "wb") as file:
        file.write(b"no picture")
    with (
        pytest.warns(UserWarning, match=paths[3]),
        pytest.raises(ValueError, match=r"37 readable pictures. Received 36"),
    ):
        quiet(FeatureExtractor(backbone), paths)


def test_bad_arguments_raise(backbone, pictures, tmp_path):
    with pytest.raises(ValueError, match="stage1"):
        FeatureExtractor(backbone, endpoint="stage")
    with pytest.raises(ValueError, match="one endpoint"):
        FeatureExtractor(backbone, endpoint=[])
    with pytest.raises(ValueError, match="pooling"):
        FeatureExtractor(backbone, pooling="max")
    extractor = FeatureExtractor(backbone)
    with pytest.raises(ValueError, match="augment"):
        quiet(extractor, pictures, augment="rotate")
    with pytest.raises(ValueError, match="batch_size"):
        quiet(extractor, pictures, batch_size=0)
    with pytest.raises(ValueError, match="empty"):
        quiet(extractor, pictures[:0])
    maps = FeatureExtractor(backbone, endpoint="stage1", pooling=None)
    with pytest.raises(ValueError, match="pooled features"):
        quiet(maps, pictures, augment="flip")
    foreign = tf.data.Dataset.from_tensor_slices(pictures).batch(8)
    with pytest.raises(ValueError, match="unknown origin"):
        quiet(extractor, foreign, cache=tmp_path)
