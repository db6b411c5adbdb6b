import itertools

import numpy as np
import pytest
from PIL import Image

from tftransfer.data import as_dataset
from tftransfer.data import augmentation
from tftransfer.data import source_of


def numbers(count=10, **options):
    """A dataset whose n-th picture has the value n everywhere."""
    x = (
        np.zeros((count, 8, 8, 3), "uint8")
        + np.arange(count, dtype="uint8")[:, None, None, None]
    )
    options = {"image_size": 8, "batch_size": 4, "shuffle": True} | options
    return as_dataset((x, np.arange(count)), **options)


def read(dataset):
    return [labels.numpy().tolist() for _, labels in dataset]


def flat(batches):
    return list(itertools.chain.from_iterable(batches))


def test_an_epoch_gives_every_picture_once_with_its_label():
    for images, labels in numbers():
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
    batches = read(numbers())
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(flat(batches)) == list(range(10))


def test_epochs_follow_seed_and_number_alone():
    source = numbers(seed=5).source
    whole = read(source.epochs(0, 4))
    assert whole == read(numbers(seed=5).source.epochs(0, 4))
    assert whole[6:] == read(source.epochs(2, 4))
    orders = {tuple(flat(whole[i : i + 3])) for i in (0, 3, 6, 9)}
    assert len(orders) == 4
    assert whole != read(numbers(seed=6).source.epochs(0, 4))


def test_batches_do_not_cross_epochs():
    batches = read(numbers().source.epochs(0, 3))
    for start in (0, 3, 6):
        assert sorted(flat(batches[start : start + 3])) == list(range(10))
    assert int(numbers().source.epochs(0, 3).cardinality()) == 9


def test_readings_of_the_dataset_differ_but_repeat_from_the_start():
    dataset = numbers()
    first, second = read(dataset), read(dataset)
    assert first != second
    again = numbers()
    assert [read(again), read(again)] == [first, second]


def test_without_shuffling_the_order_is_the_given_one():
    dataset = numbers(shuffle=False)
    assert flat(read(dataset)) == flat(read(dataset)) == list(range(10))


def test_a_subset_keeps_labels_and_settings():
    source = numbers().source.subset([7, 2, 5])
    assert source.shuffle
    for images, labels in source.dataset():
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
        assert sorted(labels.numpy().tolist()) == [2, 5, 7]


def test_a_mapped_dataset_has_no_source():
    with pytest.raises(TypeError, match="unknown origin"):
        source_of(numbers().map(lambda x, y: (x, y)))


@pytest.mark.parametrize("of", [2, 3])
def test_parts_make_up_the_batches(of):
    data = numbers(seed=5).source.epochs(1, 3)
    parts = [read(data.part(of, range(i, i + 1))) for i in range(of)]
    joined = [flat(pieces) for pieces in zip(*parts)]
    assert joined == read(data)
    assert int(data.part(of, range(1)).cardinality()) == 6
    # A worker with two replicas reads two parts of each batch in turn.
    both = read(data.part(of, range(2)))
    assert both == flat(zip(parts[0], parts[1]))


def test_parts_of_a_batch_smaller_than_their_number_are_empty():
    data = numbers(count=5, shuffle=False)
    assert read(data.part(2, range(1)))[-1] == []
    assert read(data.part(2, range(1, 2)))[-1] == [4]


def test_parts_of_a_dataset_change_from_reading_to_reading_alike():
    workers = [numbers().part(2, range(i, i + 1)) for i in range(2)]
    readings = [[read(worker) for worker in workers] for _ in range(2)]
    for pieces in readings:
        assert sorted(flat(flat(pieces))) == list(range(10))
    assert readings[0] != readings[1]


@pytest.mark.parametrize("mix", [None, "mixup", "cutmix"])
def test_empty_parts_pass_augmentation(mix):
    augmenter = augmentation("strong", mix=mix, num_classes=5)
    data = augmenter.apply(numbers(count=5, shuffle=False))
    images, _ = list(data.part(2, range(1)))[-1]
    assert images.shape == (0, 8, 8, 3)


@pytest.mark.parametrize("side", [20, 40, 90])
def test_another_size_shows_the_same_part_on_request(side, tmp_path):
    ramp = np.linspace(0, 255, side).astype("uint8")
    picture = np.repeat(np.repeat(ramp[:, None], side, 1)[..., None], 3, -1)
    path = tmp_path / "picture.png"
    Image.fromarray(picture).save(path)
    for data in ([str(path)], picture[None]):
        small = as_dataset(data, image_size=32).source
        first = next(iter(small.dataset()))[0]
        for size in (32, 64, 16):
            same = small.at_size(size, same_region=True)
            shown = next(iter(same.dataset()))[0]
            assert shown.shape == (size, size, 3)
            # Of a ramp from top to bottom, the ends tell which part is shown.
            edges = [float(x[0, 0, 0]) for x in (first, shown)]
            assert edges[0] == pytest.approx(edges[1], abs=255 / min(size, side))
            again = same.at_size(32)
            np.testing.assert_array_equal(next(iter(again.dataset()))[0], first)
    own = as_dataset([str(path)], image_size=64).source
    assert own.at_size(64) is own
    names = {
        own.at_size(n, same_region=s).pictures.fingerprint()
        for n in (32, 48)
        for s in (True, False)
    }
    assert len(names) == 4


def test_pictures_of_one_size_alone_say_so():
    data = as_dataset(np.zeros((2, 32, 32, 3), "uint8"), image_size=32).source
    with pytest.raises(TypeError, match="32x32"):
        data.at_size(64)
