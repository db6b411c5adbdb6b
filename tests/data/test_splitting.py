import numpy as np
import pytest

from tests.data.conftest import write_picture
from tftransfer.data import scan
from tftransfer.data import stratified_split
from tftransfer.data.splitting import training_and_validation


def tree(root, **splits):
    """Write pictures of given values: split="cat:1,2 dog:3"."""
    for split, classes in splits.items():
        for kind, numbers in (part.split(":") for part in classes.split()):
            for number in numbers.split(","):
                path = root / split / kind / f"{number}.png"
                write_picture(path, int(number))
    return scan(root, progress=False)


def test_stratified_split_keeps_one_on_each_side():
    labels = [0] * 2 + [1] * 50 + [2]
    for seed in range(10):
        first, second = stratified_split(labels, 0.1, seed)
        assert np.bincount(np.array(labels)[second], minlength=3).tolist() == [1, 5, 0]
        assert sorted([*first, *second]) == list(range(53))


def test_a_single_picture_trains():
    first, second = stratified_split([0, 1, 1, 1], 0.9, seed=0)
    assert 0 in first
    assert len(second) == 2


def test_the_share_is_kept_in_every_class():
    labels = np.repeat([0, 1, 2], [100, 40, 10])
    _, second = stratified_split(labels, 0.2, seed=5)
    assert np.bincount(labels[second]).tolist() == [20, 8, 2]


@pytest.mark.parametrize("other", ["val", "test"])
def test_a_class_without_training_pictures_raises(tmp_path, other):
    index = tree(tmp_path, train="cat:1,2 dog:3,4", **{other: "cat:5 fox:6"})
    with pytest.raises(ValueError, match="'fox'"):
        training_and_validation(index, 0.2, seed=0)


def test_shared_with_the_test_split_is_reported(tmp_path):
    index = tree(tmp_path, train="cat:1,2,3 dog:4,5,6", test="cat:2 dog:9")
    with pytest.warns(UserWarning, match="1 test pictures are also training"):
        train, validation = training_and_validation(index, 0.3, seed=0)
    assert sorted(index.splits[i] for i in [*train, *validation]) == ["train"] * 6


def test_given_splits_stay_as_they_are(tmp_path):
    index = tree(tmp_path, train="cat:1 dog:2", val="cat:3 dog:4", test="cat:5")
    train, validation = training_and_validation(index, 0.9, seed=0)
    assert [index.splits[i] for i in train] == ["train"] * 2
    assert [index.splits[i] for i in validation] == ["val"] * 2
