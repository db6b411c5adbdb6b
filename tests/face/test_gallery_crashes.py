"""Galleries on disk: killed writers, failing disks, damaged files, removed people."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tests.face.galleries import KEY
from tests.face.galleries import filled
from tests.face.galleries import on_disk
from tftransfer.face import DamagedGallery
from tftransfer.face import Gallery
from tftransfer.face.gallery import folder as gallery_folder

_WRITER = """
import sys
import numpy as np
from tftransfer.face import Gallery
from tftransfer.face.gallery import folder as gallery_folder

gallery_folder.SEGMENT_ROWS = 7
gallery = Gallery.open(sys.argv[1], dimension=4, fingerprint="net")
for i in range(int(sys.argv[2]), 10**9):
    gallery.add(f"p{i}", [np.cos(i), np.sin(i), 1, 0])
    print("added", i, flush=True)
    if i % 3 == 2:
        gallery.remove(f"p{i - 1}")
        print("removed", i - 1, flush=True)
"""


@pytest.fixture(params=["plain", "encrypted"])
def key(request):
    if request.param == "plain":
        return None
    pytest.importorskip("cryptography", reason="the extra encryption is absent")
    return KEY


def _direction(i):
    row = np.array([np.cos(i), np.sin(i), 1, 0])
    return row / np.linalg.norm(row)


def test_killed_writers_lose_nothing(tmp_path):
    """SIGKILL at random moments: what was told as done is done, and opens."""
    folder, wait = tmp_path / "gallery", random.Random(0)
    expected, start = {}, 0
    for _ in range(8):
        told = _killed_writer(folder, start, 0.02 + 0.15 * wait.random())
        for what, number in told:
            if what == "added":
                expected[f"p{number}"] = _direction(number)
                start = number + 1
            else:
                del expected[f"p{number}"]
        # One change more may have been done: it was killed before it told.
        gallery = Gallery.open(folder, read_only=True)
        unsure = {f"p{start}", f"p{start - 2}"}
        assert set(gallery.names) - unsure == set(expected) - unsure
        for name in set(expected) & set(gallery.names):
            np.testing.assert_allclose(
                gallery.embeddings(name), [expected[name]], atol=1e-6
            )
        if f"p{start}" in gallery:
            expected[f"p{start}"] = _direction(start)
            start += 1
        for name in set(expected) - set(gallery.names):
            del expected[name]
        counted = _counted_files(folder)
        Gallery.open(folder).close()  # a writer that sweeps up
        assert {path.name for path in folder.iterdir()} == counted
    assert start > 20


def _killed_writer(folder, start, seconds):
    """Run a writer, kill it `seconds` after its first word; return what it told."""
    command = [sys.executable, "-c", _WRITER, str(folder), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline()]
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    told = [line.split() for line in lines if line.endswith("\n")]
    assert told, "the writer did not start"
    return [(what, int(number)) for what, number in told]


def _counted_files(folder):
    segments = json.loads((folder / "manifest.json").read_text())["segments"]
    ends = ("people", "vectors")
    files = {f"{part['name']}.{end}" for part in segments for end in ends}
    return files | {"lock", "manifest.json"}


@pytest.mark.parametrize("change", ["add", "remove"])
def test_a_disk_that_fails_at_any_step(tmp_path, small_segments, monkeypatch, change):
    """Each sync or replacement fails once: before or after, and the next one works.

    p2 is of the first segment; what fails to be added goes to the second one.
    """
    for step in range(50):
        folder = tmp_path / f"{change}{step}"
        gallery = Gallery.open(folder, dimension=4, fingerprint="net")
        gallery.add_many([f"p{i}" for i in range(8)], np.eye(8, 4) + 1)
        failing = _FailsAt(step)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", failing.wrap(os.fsync))
            patched.setattr(os, "replace", failing.wrap(os.replace))
            with contextlib.suppress(OSError):
                if change == "add":
                    gallery.add_many(["p2", "Ada"], np.ones((2, 4)))
                else:
                    gallery.remove("p2")
        before = [f"p{i}" for i in range(8)]
        after = [*before, "Ada"] if change == "add" else [*before[:2], *before[3:]]
        there = Gallery.open(folder, read_only=True).names
        assert there in (before, after)
        assert there == gallery.names == _found(gallery)
        if "p2" in there:
            gallery.remove("p2")
            assert b'"p2"' not in on_disk(folder)
        gallery.add("Bob", np.ones(4))
        assert b'"p2"' not in on_disk(folder)
        assert Gallery.open(folder, read_only=True).names == gallery.names
        assert gallery.names == [name for name in there if name != "p2"] + ["Bob"]
        assert {path.name for path in folder.iterdir()} == _counted_files(folder)
        gallery.close()
        if not failing.failed:
            assert there == after
            break
    assert step > 4


def _found(gallery):
    """Return the names that a search finds, in the order of enrolment."""
    found = gallery.search(np.ones(4), k=99)[1][0].tolist()
    return sorted(found, key=gallery.names.index)


class _FailsAt:
    """Makes the call number `step` of what it wraps fail."""

    def __init__(self, step):
        self.left, self.failed = step, False

    def wrap(self, function):
        def call(*args):
            self.left -= 1
            if self.left == -1:
                self.failed = True
                raise OSError(28, "no space left on device")
            return function(*args)

        return call


def _cut(data):
    return data[: len(data) // 2]


def _flip(data):
    middle = 3 * len(data) // 5
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def _zero(data):
    return bytes(len(data))


@pytest.mark.parametrize("damage", [_cut, _flip, _zero, None])
def test_damage_is_named_and_the_rest_saved(tmp_path, small_segments, damage, key):
    people = filled(tmp_path / "whole", key)
    names = sorted(p.name for p in (tmp_path / "whole").iterdir() if p.name != "lock")
    assert len(names) == 7
    for name in names:
        folder = tmp_path / f"without {name}"
        Gallery.open(tmp_path / "whole", read_only=True, key=key).save(folder, key=key)
        path = folder / name
        data = path.read_bytes()
        path.unlink()
        if damage is not None:
            path.write_bytes(damage(data))
        for read_only in (True, False):
            with pytest.raises(DamagedGallery, match=name) as error:
                Gallery.open(folder, read_only=read_only, key=key)
            assert [told for told, _ in error.value.problems] == [str(path)]
        before = {p.name: p.read_bytes() for p in folder.iterdir()}
        rest = Gallery.open(folder, on_damage="skip", key=key)
        assert name in rest.damage[0][0]
        _check_rest(rest, people, whole=name == "manifest.json")
        rest.save(tmp_path / f"saved {name}", key=key)
        saved = Gallery.open(tmp_path / f"saved {name}", key=key)
        assert saved.names == rest.names
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def _check_rest(rest, people, *, whole):
    """At least the other segments' people are there, and nobody has changed."""
    assert len(rest.names) >= (len(people) if whole else len(people) - 5)
    for name in rest.names:
        np.testing.assert_array_equal(rest.embeddings(name), people[name])


def test_one_bit_costs_one_person(tmp_path, key):
    filled(tmp_path, key)
    for end in ("vectors", "people"):
        path = tmp_path / f"000001.{end}"
        data = path.read_bytes()
        path.write_bytes(_flip(data))
        rest = Gallery.open(tmp_path, on_damage="skip", key=key)
        assert len(rest.names) == 12
        assert "12 lines of it are whole, 1 are not" in rest.damage[0][1]
        path.write_bytes(data)


def test_what_a_damage_tells_to_do_keeps_everybody(tmp_path):
    """An older manifest is valid: alone, it makes a writer cut off who came later."""
    folder = tmp_path / "people"
    gallery = Gallery.open(folder, dimension=4, fingerprint="net")
    gallery.add("Ada", np.ones(4))
    older = (folder / "manifest.json").read_bytes()
    gallery.add("Bob", np.arange(4))
    gallery.close()
    (folder / "manifest.json").write_bytes(_flip(older))
    with pytest.raises(DamagedGallery) as error:
        Gallery.open(folder)
    saves, restores = str(error.value).split(" first; ")
    assert "Gallery.open(folder, on_damage='skip')" in saves
    assert "save(new_folder)" in saves
    assert "the WHOLE folder" in restores
    assert "Never put back an older manifest alone" in restores
    Gallery.open(folder, on_damage="skip").save(tmp_path / "new")
    assert Gallery.open(tmp_path / "new").names == ["Ada", "Bob"]


def test_a_whole_gallery_with_skip(tmp_path):
    people = filled(tmp_path)
    gallery = Gallery.open(tmp_path, on_damage="skip")
    assert gallery.damage == []
    assert gallery.names == list(people)
    with pytest.raises(ValueError, match="read only"):
        gallery.remove("person 1")


def test_bytes_behind_what_counts_are_no_damage(tmp_path, key):
    """A torn write: the end of an `add` that was killed."""
    people = filled(tmp_path, key)
    sizes = {p: p.stat().st_size for p in tmp_path.glob("0*")}
    for path in sizes:
        with open(path, "ab") as file:
            file.write(b"torn")
    assert Gallery.open(tmp_path, read_only=True, key=key).names == list(people)
    gallery = Gallery.open(tmp_path, key=key)
    assert {p: p.stat().st_size for p in tmp_path.glob("0*")} == sizes
    gallery.add("Ada", np.ones(4))
    assert Gallery.open(tmp_path, read_only=True, key=key).names == gallery.names


def test_a_lost_manifest_is_not_taken_for_no_gallery(tmp_path):
    filled(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(DamagedGallery, match=r"manifest.json' is missing"):
        Gallery.open(tmp_path, dimension=4, fingerprint="net")
    assert len(Gallery.open(tmp_path, on_damage="skip").names) == 13


def test_a_newer_version_is_refused(tmp_path):
    filled(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 2}))
    for on_damage in ("raise", "skip"):
        with pytest.raises(ValueError, match="version 2") as error:
            Gallery.open(tmp_path, on_damage=on_damage)
        assert not isinstance(error.value, DamagedGallery)


def test_removed_people_are_gone_from_the_disk(tmp_path, small_segments):
    people = filled(tmp_path)
    gallery = Gallery.open(tmp_path)
    gallery.add("person 3", np.ones(4) + np.arange(4))
    gallery.add("Last", np.ones(4))
    traces = [b"person 3", b"Last"]
    traces += [row.tobytes() for row in gallery.embeddings("person 3")]
    assert all(trace in on_disk(tmp_path) for trace in traces)
    memory = [block.rows for block in gallery._rows.blocks.values()]
    held = open(tmp_path / "000001.vectors", "rb")  # noqa: SIM115 - a reader's
    gallery.remove("person 3", "Last")
    assert not any(trace in on_disk(tmp_path) for trace in traces)
    assert not any(held.read())
    held.close()
    for name in people.keys() - {"person 3"}:
        assert people[name].tobytes() in on_disk(tmp_path)
    assert not any(trace in array.tobytes() for trace in traces for array in memory)


def test_what_a_killed_removal_left_goes_with_the_next_writer(
    tmp_path, small_segments, monkeypatch
):
    row = filled(tmp_path)["person 3"].tobytes()
    gallery = Gallery.open(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(gallery_folder, "shred", _killed)
        with pytest.raises(KeyboardInterrupt):
            gallery.remove("person 3")
    gallery.close()
    assert "person 3" not in Gallery.open(tmp_path, read_only=True)
    assert row in on_disk(tmp_path)
    assert Gallery.open(tmp_path, on_damage="skip").num_embeddings == 12
    # Without the manifest both the old segment and the new one count, nobody twice.
    manifest = (tmp_path / "manifest.json").read_bytes()
    (tmp_path / "manifest.json").unlink()
    assert Gallery.open(tmp_path, on_damage="skip").num_embeddings == 13
    (tmp_path / "manifest.json").write_bytes(manifest)
    Gallery.open(tmp_path)
    assert row not in on_disk(tmp_path)


def _killed(path):
    raise KeyboardInterrupt


def test_readers_beside_a_writer(tmp_path, small_segments):
    """Each state that a reader sees is one that the writer committed."""
    writer = Gallery.open(tmp_path, dimension=4, fingerprint="net")
    writer.add("always", np.ones(4))
    problems, stop = [], threading.Event()
    threads = [
        threading.Thread(target=_read, args=(tmp_path, problems, stop))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for i in range(40):
        writer.add_many([f"a{i}", f"b{i}"], np.eye(2, 4))
        if i % 3 == 2:
            writer.remove(f"a{i - 1}", f"b{i - 1}")
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems


def _read(folder, problems, stop):
    try:
        following = Gallery.open(folder, read_only=True)
        while not stop.is_set():
            for reader in (following, Gallery.open(folder, read_only=True)):
                names = reader.names
                assert "always" in names
                pairs = {name[1:] for name in names if name != "always"}
                assert len(names) == 1 + 2 * len(pairs), names
                assert reader.search(np.ones(4))[1].tolist() == [["always"]]
    except Exception as error:  # noqa: BLE001 - shown by the test itself
        problems.append(error)
