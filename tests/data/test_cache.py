import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tftransfer.data import ActivationCache
from tftransfer.data import cache as cache_file

KEY = {"weights": "a", "data": "b"}


def pieces():
    return [np.arange(6.0).reshape(2, 3), np.arange(3.0).reshape(1, 3)]


def test_keeps_rows_and_reads_them_memory_mapped(tmp_path):
    cache = ActivationCache(tmp_path)
    assert KEY not in cache
    found = cache.get(KEY, pieces)
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, np.concatenate(pieces()))
    assert KEY in cache
    again = ActivationCache(tmp_path).get(KEY, lambda: pytest.fail("computed"))
    np.testing.assert_array_equal(again, found)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 0


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_any_shape_and_dtype(tmp_path, dtype):
    rows = np.random.default_rng(0).uniform(0, 9, (5, 2, 3, 4)).astype(dtype)
    found = ActivationCache(tmp_path).get(KEY, lambda: iter([rows[:2], rows[2:]]))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, rows)


def test_another_key_is_another_entry(tmp_path):
    cache = ActivationCache(tmp_path)
    cache.get(KEY, pieces)
    other = cache.get(KEY | {"weights": "c"}, lambda: [np.zeros((1, 3))])
    assert other.shape == (1, 3)


def test_the_order_of_the_key_does_not_count(tmp_path):
    cache = ActivationCache(tmp_path)
    cache.get({"a": 1, "b": 2}, pieces)
    assert {"b": 2, "a": 1} in cache


def test_an_error_half_way_leaves_nothing(tmp_path):
    def broken():
        yield np.zeros((2, 3))
        raise OSError("No space left on device")

    cache = ActivationCache(tmp_path)
    with pytest.raises(OSError, match="No space"):
        cache.get(KEY, broken)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="at least one row"):
        cache.get(KEY, lambda: [])
    assert list(tmp_path.iterdir()) == []


# The file alone, without the package: TensorFlow takes seconds to load.
_WRITER = """
import os, runpy, sys
import numpy as np
ActivationCache = runpy.run_path(sys.argv[3])["ActivationCache"]

if sys.argv[2] == "full":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

def rows():
    for number in range(40):
        yield np.full((50, 100), number, "float32")
        if sys.argv[2] == "die" and number == 20:
            os._exit(7)

found = ActivationCache(sys.argv[1]).get({"weights": "a", "data": "b"}, rows)
assert found.shape == (2000, 100)
assert (found[::50, 0] == np.arange(40)).all()
"""


def _writer(folder, what):
    command = [sys.executable, "-c", _WRITER, str(folder), what, cache_file.__file__]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_a_writer_that_dies_leaves_no_entry(tmp_path):
    assert _writer(tmp_path, "die").wait() == 7
    cache = ActivationCache(tmp_path)
    assert KEY not in cache
    (part,) = tmp_path.glob("*.part")
    cache.get(KEY, pieces)
    assert part.exists()  # it could belong to a live process
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(part, (long_ago, long_ago))
    ActivationCache(tmp_path)
    assert not part.exists()


def test_writers_at_once(tmp_path):
    writers = [_writer(tmp_path, "live") for _ in range(4)]
    for writer in writers:
        _, errors = writer.communicate()
        assert writer.returncode == 0, errors
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_entry_is_computed_again(tmp_path):
    cache = ActivationCache(tmp_path)
    cache.get(KEY, pieces)
    (entry,) = tmp_path.glob("*.npy")
    for damaged in (entry.read_bytes()[:-5], b"nonsense", b""):
        entry.write_bytes(damaged)
        np.testing.assert_array_equal(cache.get(KEY, pieces), np.concatenate(pieces()))


@pytest.mark.skipif(os.name == "nt", reason="no limit on file sizes there")
def test_a_full_disk_raises_and_leaves_nothing(tmp_path):
    """A limit on the file's size fails the write as a full disk does."""
    writer = _writer(tmp_path, "full")
    _, errors = writer.communicate()
    assert writer.returncode == 1
    assert "OSError" in errors
    assert list(tmp_path.iterdir()) == []


def test_rows_are_aligned_and_readable_by_numpy(tmp_path):
    found = ActivationCache(tmp_path).get(KEY, pieces)
    assert found.flags.aligned
    assert found.offset % 64 == 0
    (entry,) = tmp_path.glob("*.npy")
    np.testing.assert_array_equal(np.load(entry), found)


def test_rows_of_several_shapes_raise(tmp_path):
    ragged = [np.zeros((2, 3)), np.zeros((2, 4))]
    with pytest.raises(ValueError, match=r"rows \(3,\).*\(4,\)"):
        ActivationCache(tmp_path).get(KEY, lambda: ragged)
    assert list(tmp_path.iterdir()) == []


def test_an_entry_may_be_deleted_at_any_time(tmp_path):
    cache = ActivationCache(tmp_path)
    first = cache.get(KEY, pieces)
    (entry,) = tmp_path.glob("*.npy")
    entry.unlink()
    assert KEY not in cache
    np.testing.assert_array_equal(cache.get(KEY, pieces), first)
