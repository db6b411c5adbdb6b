import numpy as np
import pytest
import tensorflow as tf

from tests.finetune.pictures import three_classes
from tftransfer.data import as_dataset
from tftransfer.data import augmentation


def dataset(**options):
    return as_dataset(three_classes(), image_size=32, batch_size=16, **options)


def read(data):
    return [tuple(part.numpy() for part in batch) for batch in data]


@pytest.mark.parametrize("preset", ["light", "strong"])
def test_changes_pictures_and_keeps_labels_and_range(preset):
    plain = read(dataset())
    changed = read(augmentation(preset).apply(dataset()))
    for (x, y), (ax, ay) in zip(plain, changed, strict=True):
        assert ax.shape == x.shape
        assert ax.dtype == np.float32
        assert ax.min() >= 0
        assert ax.max() <= 255
        assert np.mean(np.abs(ax - x)) > 1
        np.testing.assert_array_equal(ay, y)


def test_each_picture_and_each_epoch_is_changed_differently():
    same = np.repeat(three_classes(1)[0], 16, axis=0)
    data = as_dataset((same, np.zeros(16, int)), image_size=32, batch_size=16)
    changed = augmentation("light").apply(data)
    first, second = read(changed)[0][0], read(changed)[0][0]
    assert len({picture.tobytes() for picture in first}) > 12
    assert np.any(first != second)


@pytest.mark.slow
def test_repeats_exactly_from_seed_and_epoch():
    data = augmentation("strong").apply(dataset(shuffle=True, seed=3))
    again = augmentation("strong").apply(dataset(shuffle=True, seed=3))
    whole = read(data.source.epochs(0, 2))
    for (x, y), (bx, by) in zip(whole, read(again.source.epochs(0, 2)), strict=True):
        np.testing.assert_array_equal(x, bx)
        np.testing.assert_array_equal(y, by)
    for (x, _), (bx, _) in zip(whole[3:], read(data.source.epochs(1, 2)), strict=True):
        np.testing.assert_array_equal(x, bx)


def test_seeds_give_other_changes():
    changes = augmentation("light")
    x = three_classes(4)[0].astype("float32")
    first, again, other = (changes(tf.constant([0, n]), x) for n in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_mixed_labels_are_shares_of_the_pictures(mix):
    """Pictures of the value 100 * label: their mean tells the shares."""
    y = np.arange(32) % 2
    x = np.zeros((32, 32, 32, 3), "uint8")
    x[y == 1] = 100
    data = as_dataset((x, y), image_size=32, batch_size=32)
    mixed = augmentation("none", mix=mix, num_classes=2).apply(data)
    images, labels = read(mixed)[0]
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-5)
    difference = np.abs(images.mean(axis=(1, 2, 3)) / 100 - labels[:, 1])
    # Keras' CutMix rounds its rectangle to whole pixels, not the label.
    assert difference.mean() < (1e-4 if mix == "mixup" else 0.02)
    assert np.any((labels > 0.05) & (labels < 0.95))


def test_foreign_datasets_too():
    x, y = three_classes()
    foreign = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    changed = read(augmentation("light").apply(foreign))
    assert [len(labels) for _, labels in changed] == [16, 16, 16]
    alone = foreign.map(lambda x, y: x)
    assert len(list(augmentation("light").apply(alone))) == 3


def test_nothing_to_change_is_none():
    assert augmentation("none") is None


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match="preset"):
        augmentation("medium")
    with pytest.raises(ValueError, match="mix"):
        augmentation("light", mix="mixmax")
    with pytest.raises(ValueError, match="num_classes"):
        augmentation("light", mix="mixup")


def test_works_under_tf_data_without_warnings(recwarn, caplog):
    data = augmentation("strong", mix="mixup", num_classes=3).apply(dataset())
    assert read(data)[0][1].shape == (16, 3)
    assert not [str(w.message) for w in recwarn.list]
    assert not caplog.records


def test_what_cannot_be_augmented_says_so():
    x, y = three_classes()
    rows = np.eye(3, dtype="float32")[y]
    slices = tf.data.Dataset.from_tensor_slices
    for data in (slices((x, y, y)).batch(4), slices((x, y))):
        with pytest.raises(ValueError, match="Expected batches of pictures"):
            augmentation("light").apply(data)
    mix = augmentation("none", mix="cutmix", num_classes=3)
    for data in (slices((x, rows)).batch(4), slices(x).batch(4)):
        with pytest.raises(ValueError, match="Expected integer labels"):
            mix.apply(data)
