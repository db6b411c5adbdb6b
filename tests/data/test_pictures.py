import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.data.conftest import write_picture
from tftransfer.data import ActivationCache
from tftransfer.data import pictures
from tftransfer.data.pictures import ArrayPictures
from tftransfer.data.pictures import ChosenPictures
from tftransfer.data.pictures import FilePictures
from tftransfer.data.pictures import RememberedPictures
from tftransfer.data.resized import ResizedPictures


@pytest.fixture
def files(tmp_path):
    paths = [write_picture(tmp_path / f"{n}.png", n) for n in range(6)]
    return FilePictures(paths, image_size=16)


def read(source, indices):
    values, fine = source.fetch(np.asarray(indices))
    return values[:, 3, 3, 0].tolist(), fine.tolist()


def test_files_in_the_order_asked_for(files):
    assert read(files, [4, 0, 4]) == ([4, 0, 4], [True] * 3)
    assert read(files.subset([5, 2]), [1, 0]) == ([2, 5], [True] * 2)


def test_many_threads_read_the_right_pictures(files):
    rng = np.random.default_rng(0)
    asked = [rng.integers(0, 6, 9) for _ in range(40)]
    for source in (files, RememberedPictures(files)):
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda i, s=source: read(s, i), asked))
        assert [values for values, _ in found] == [list(i) for i in asked]


def test_a_broken_file_is_masked_and_warned_of_once(files):
    with open(files.paths[1], "wb") as file:
        file.write(b"broken")
    with pytest.warns(UserWarning, match=r"'.*1\.png': an unknown format") as seen:
        found = [read(files, indices)[1] for indices in ([0, 1, 2], [1])]
    assert found == [[True, False, True], [False]]
    assert len(seen) == 1
    with pytest.raises(ValueError, match=r"1\.png"):
        FilePictures(files.paths, image_size=16, on_error="raise").fetch(np.arange(6))


def test_a_files_fingerprint_sees_every_change(files, monkeypatch):
    before = files.fingerprint()
    assert FilePictures(files.paths, image_size=16).fingerprint() == before
    others = [
        FilePictures(files.paths, image_size=17).fingerprint(),
        files.subset([1, 0, 2, 3, 4, 5]).fingerprint(),
        files.subset(range(5)).fingerprint(),
    ]
    stat = os.stat(files.paths[0])
    with open(files.paths[0], "r+b") as file:  # same size, same time of change
        file.seek(stat.st_size // 2)
        file.write(b"x")
    os.utime(files.paths[0], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert os.stat(files.paths[0]).st_size == stat.st_size
    others.append(files.fingerprint())
    os.unlink(files.paths[1])
    others.append(files.fingerprint())
    monkeypatch.setattr(pictures, "DECODING", "another")
    others.append(files.fingerprint())
    assert len({before, *others}) == 7


def test_what_is_remembered_is_known_by_the_files_of_then(files):
    kept = RememberedPictures(files)
    assert kept.fingerprint() == files.fingerprint()
    read(kept, range(6))
    write_picture(pathlib.Path(files.paths[0]), 77)
    assert read(kept, [0]) == ([0], [True])
    assert kept.fingerprint() != files.fingerprint()


def test_remembers_what_was_read_and_tries_the_rest_again(files, monkeypatch):
    kept, calls = RememberedPictures(files), []
    fetch = files.fetch
    monkeypatch.setattr(files, "fetch", lambda i: calls.append(list(i)) or fetch(i))
    read(kept, [0, 1])
    read(kept.subset([1, 2]), [0, 1])
    assert calls == [[0, 1], [2]]
    path = pathlib.Path(files.paths[3])
    contents = path.read_bytes()
    path.write_bytes(b"broken")
    with pytest.warns(UserWarning, match="Left out"):
        assert read(kept, [0, 3])[1] == [True, False]
    path.write_bytes(contents)
    assert read(kept, [0, 3]) == ([0, 3], [True, True])


def test_rows_of_an_array_keep_their_paths():
    rows = ArrayPictures(np.arange(12).reshape(4, 3), paths=("a", "b", "c", "d"))
    part = rows.subset([3, 1])
    assert part.paths == ("d", "b")
    assert part.fetch(np.array([1]))[0].tolist() == [[3, 4, 5]]
    assert rows.fingerprint() != part.fingerprint()
    assert part.fingerprint() == ArrayPictures(rows.array[[3, 1]]).fingerprint()
    changed = rows.array.copy()
    changed[0, 0] += 1
    assert ArrayPictures(changed).fingerprint() != rows.fingerprint()
    assert ArrayPictures(changed, origin="x").fingerprint() == "x"


def test_parts_of_a_memory_map_stay_on_disk(tmp_path):
    array = ActivationCache(tmp_path).get({}, lambda: [np.arange(12).reshape(4, 3)])
    part = ArrayPictures(array, paths="abcd").subset([3, 1, 0])
    assert isinstance(part, ChosenPictures)
    assert part.paths == ("d", "b", "a")
    inner = part.subset([2, 0])
    assert inner.pictures.array is array
    assert inner.paths == ("a", "d")
    assert inner.fetch(np.array([1, 0]))[0].tolist() == [[9, 10, 11], [0, 1, 2]]
    assert len({part.fingerprint(), inner.fingerprint()}) == 2


def test_resized_arrays_are_known_by_contents_and_size():
    array = np.zeros((3, 20, 30), "uint8")
    prints = {ResizedPictures(array, image_size=s).fingerprint() for s in (8, 8, 16)}
    assert len(prints) == 2
    part = ResizedPictures(array, image_size=8).subset([0, 2])
    assert part.fetch(np.array([1]))[0].shape == (1, 8, 8, 3)
