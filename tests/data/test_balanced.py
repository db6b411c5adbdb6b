"""balanced_batches: P classes, K pictures of each, in turn, repeatable."""

import numpy as np
import pytest

from tftransfer.data import as_dataset
from tftransfer.data import augmentation
from tftransfer.data import balanced_batches


def dataset(counts, **options):
    """Pictures whose value is their number; class i has counts[i] of them."""
    labels = np.repeat(np.arange(len(counts)), counts)
    pictures = np.zeros((len(labels), 4, 4, 3), "uint8")
    pictures += np.arange(len(labels), dtype="uint8")[:, None, None, None]
    return as_dataset((pictures, labels), image_size=4, **options)


def read(data):
    return [(x[:, 0, 0, 0].numpy().astype(int), y.numpy()) for x, y in data]


def test_batches_hold_p_classes_of_k_different_pictures():
    data = balanced_batches(dataset([5, 7, 9, 6]), classes_per_batch=3, per_class=2)
    batches = read(data)
    assert len(batches) == 27 // 6 == int(data.cardinality())
    for numbers, labels in batches:
        assert len(set(labels[::2])) == 3
        assert (labels[::2] == labels[1::2]).all()
        assert len(set(numbers)) == 6
    assert (np.concatenate([y for _, y in batches]) < 4).all()


def test_all_pictures_take_part_evenly():
    data = balanced_batches(dataset([8, 8, 8]), classes_per_batch=3, per_class=4)
    seen = np.concatenate([numbers for numbers, _ in read(data.source.epochs(0, 10))])
    assert np.bincount(seen, minlength=24).tolist() == [10] * 24


def test_small_classes_repeat_their_pictures_and_single_ones_are_left_out():
    data = balanced_batches(dataset([2, 1, 3, 9]), classes_per_batch=3, per_class=4)
    for numbers, labels in read(data.source.epochs(0, 5)):
        assert set(labels) == {0, 2, 3}
        assert sorted(numbers[labels == 0]) == [0, 0, 1, 1]
        assert set(numbers[labels == 2]) == {3, 4, 5}
        assert len(set(numbers[labels == 3])) == 4


def test_epochs_are_a_function_of_seed_and_number():
    options = {"classes_per_batch": 2, "per_class": 2}
    first = balanced_batches(dataset([5, 7, 9]), seed=1, **options)
    again = balanced_batches(dataset([5, 7, 9], batch_size=3), seed=1, **options)
    other = balanced_batches(dataset([5, 7, 9]), seed=2, **options)
    epochs = [
        np.stack([x for x, _ in read(d.source.epochs(2, 4))]) for d in (first, again)
    ]
    np.testing.assert_array_equal(*epochs)
    assert not np.array_equal(epochs[0][:5], epochs[0][5:])
    elsewhere = np.stack([x for x, _ in read(other.source.epochs(2, 4))])
    assert not np.array_equal(epochs[0], elsewhere)
    assert not np.array_equal(read(first)[0][0], read(first)[0][0])


def test_augmentation_stays():
    plain = dataset([4, 4])
    data = balanced_batches(
        augmentation("light").apply(plain), classes_per_batch=2, per_class=2
    )
    pictures, labels = next(iter(data))
    assert pictures.shape == (4, 4, 4, 3)
    assert len(labels) == 4


def test_errors():
    options = {"classes_per_batch": 3, "per_class": 2}
    with pytest.raises(ValueError, match=r"3 classes or more.*2 of 3"):
        balanced_batches(dataset([4, 4, 1]), **options)
    unlabelled = as_dataset(np.zeros((4, 4, 4, 3), "uint8"), image_size=4)
    with pytest.raises(ValueError, match="labelled"):
        balanced_batches(unlabelled, **options)
    with pytest.raises(TypeError, match="from_folder"):
        balanced_batches(dataset([4, 4, 4]).take(1), **options)
    with pytest.raises(ValueError, match="per_class"):
        balanced_batches(dataset([4, 4]), classes_per_batch=2, per_class=1)
