"""Galleries shared by threads and forked processes, and systems without locks."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from tftransfer.face import Gallery

_READS = {
    "len": len,
    "in": lambda gallery: "Ada" in gallery,
    "repr": repr,
    "names": lambda gallery: gallery.names,
    "num_embeddings": lambda gallery: gallery.num_embeddings,
    "generation": lambda gallery: gallery.generation,
    "embeddings": lambda gallery: gallery.embeddings("Ada"),
    "search": lambda gallery: gallery.search(np.ones(4)),
    "refresh": lambda gallery: gallery.refresh(),
    "close": lambda gallery: gallery.close(),
}


@pytest.mark.parametrize("call", _READS)
def test_calls_wait_for_the_change_of_another_thread(tmp_path, call):
    gallery = Gallery.open(tmp_path, dimension=4, fingerprint="net")
    gallery.add("Ada", np.ones(4))
    done = []
    thread = threading.Thread(target=lambda: done.append(_READS[call](gallery)))
    with gallery._lock:  # as `add` and `remove` hold it while they change
        thread.start()
        thread.join(0.2)
        assert not done
    thread.join()
    assert done


def test_counting_while_people_come(monkeypatch):
    """A new block within the walk over blocks: 'dictionary changed size'."""
    gallery = Gallery(4)
    gallery.add_many(["Ada", "Bob"], np.ones((2, 4)))
    block = next(iter(gallery._rows.blocks.values()))
    adds = threading.Thread(target=gallery.add, args=("Eve", np.ones(4)))

    def slow_length(self):
        if adds.ident is None:
            adds.start()
            adds.join(0.2)
        return self._used

    monkeypatch.setattr("tftransfer.face.gallery.rows._ROWS", 2)
    monkeypatch.setattr(type(block), "__len__", slow_length)
    assert repr(gallery) == "Gallery(2 people, 2 embeddings)"
    adds.join()
    assert repr(gallery) == "Gallery(3 people, 3 embeddings)"


_WITHOUT_LOCKS = """
import sys

sys.modules["fcntl"] = None  # as on Windows
from tftransfer.face import Gallery

there, new = sys.argv[1:]
gallery = Gallery.open(there, read_only=True)
for write in (
    lambda: Gallery.open(there),
    lambda: Gallery.open(new, dimension=4, fingerprint="net"),
    lambda: gallery.save(new),
):
    try:
        write()
    except OSError as error:
        print(error)
"""


def test_a_system_without_locks_is_told_before_anything_is_written(tmp_path):
    there, new = tmp_path / "there", tmp_path / "new"
    Gallery.open(there, dimension=4, fingerprint="net").close()
    (there / "lock").unlink()
    command = [sys.executable, "-c", _WITHOUT_LOCKS, str(there), str(new)]
    done = subprocess.run(command, capture_output=True, text=True)
    told = done.stdout.splitlines()
    assert len(told) == 3, done.stderr
    assert all("Expected a POSIX system (macOS, Linux, WSL)" in line for line in told)
    assert [path.name for path in there.iterdir()] == ["manifest.json"]
    assert not new.exists()


_FORKS = """
import os
import sys
from tftransfer.face import Gallery
from tftransfer.face import GalleryLocked

folder = sys.argv[1]
gallery = Gallery.open(folder, dimension=4, fingerprint="net")
if (child := os.fork()) == 0:
    gallery.close()
    os._exit(0)
os.waitpid(child, 0)
try:
    Gallery.open(folder)
    print("a child let go of the lock of its parent")
except GalleryLocked:
    print("locked")

ours, theirs = os.pipe()
if (child := os.fork()) == 0:
    os.close(theirs)
    os.read(ours, 1)  # lives as long as its parent keeps the other end
    os._exit(0)
if sys.argv[2] == "closed":
    gallery.close()
else:
    del gallery
Gallery.open(folder).close()
print("opened beside", os.waitpid(child, os.WNOHANG))
"""


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_a_forked_child_neither_keeps_nor_breaks_the_lock(tmp_path, how):
    command = [sys.executable, "-c", _FORKS, str(tmp_path), how]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["locked", "opened beside (0, 0)"], done.stderr
