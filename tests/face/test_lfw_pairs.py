"""LFW's lists of pairs, written here in their layout."""

import numpy as np
import pytest

from tftransfer.face import read_lfw_pairs


def _list(tmp_path, head, folds, pairs):
    """Write a list and its pictures; return the paths of both."""
    lines = [head]
    for fold in range(folds):
        lines += [f"A_{fold}\t{i + 1}\t{i + 2}" for i in range(pairs)]
        lines += [f"A_{fold}\t{i + 1}\tB_{fold}\t12" for i in range(pairs)]
        for i in range(pairs + 1):
            _touch(tmp_path / "lfw" / f"A_{fold}" / f"A_{fold}_{i + 1:04d}.jpg")
        _touch(tmp_path / "lfw" / f"B_{fold}" / f"B_{fold}_0012.jpg")
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(lines) + "\n")
    return path, tmp_path / "lfw"


def _touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_view_2(tmp_path):
    path, folder = _list(tmp_path, "3\t4", 3, 4)
    pairs = read_lfw_pairs(path, folder)
    assert len(pairs) == 24
    assert pairs.same.tolist() == ([True] * 4 + [False] * 4) * 3
    assert pairs.folds.tolist() == np.repeat([0, 1, 2], 8).tolist()
    assert pairs.first[9] == folder / "A_1" / "A_1_0002.jpg"
    assert pairs.second[9] == folder / "A_1" / "A_1_0003.jpg"
    assert pairs.second[12] == folder / "B_1" / "B_1_0012.jpg"
    assert all(file.is_file() for file in pairs.first + pairs.second)


def test_view_1(tmp_path):
    path, folder = _list(tmp_path, "5", 1, 5)
    pairs = read_lfw_pairs(path, folder)
    assert pairs.same.tolist() == [True] * 5 + [False] * 5
    assert not pairs.folds.any()


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (0, "LFW", "'10 300'"),
        (0, "3\t5", r"Expected 31 lines.*25"),
        (2, "A_0\t1", r"'name number number' in line 3"),
        (6, "A_0\t1\t2", r"'name number name number' in line 7"),
        (6, "A_0\t1\tB_0\tx", "line 7"),
    ],
)
def test_bad_lists(tmp_path, number, line, message):
    path, folder = _list(tmp_path, "3\t4", 3, 4)
    lines = path.read_text().splitlines()
    lines[number] = line
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=message):
        read_lfw_pairs(path, folder)


def test_an_empty_list(tmp_path):
    path = tmp_path / "pairs.txt"
    path.touch()
    with pytest.raises(ValueError, match="no line"):
        read_lfw_pairs(path, tmp_path)


def test_absent_pictures(tmp_path):
    path, folder = _list(tmp_path, "3\t4", 3, 4)
    (folder / "B_2" / "B_2_0012.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 are absent.*B_2_0012"):
        read_lfw_pairs(path, folder)
    assert len(read_lfw_pairs(path, folder, check_files=False)) == 24
