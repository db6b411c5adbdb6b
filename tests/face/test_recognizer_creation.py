"""Making a recognizer's folder: whole, or as if nothing had been done."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import pytest

from tests.face.fakes import RED
from tests.face.fakes import ColourDetector
from tests.face.fakes import ColourEmbedder
from tests.face.fakes import picture_of
from tests.face.recognizers import created
from tests.face.recognizers import embedder
from tests.face.recognizers import opened
from tftransfer.face import FaceRecognizer
from tftransfer.face import GalleryLocked
from tftransfer.face.gallery import access
from tftransfer.face.recognizer_creation import creation

WHOLE = {"recognizer.json", "embedder", "gallery"}


def names_in(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


class NoMTCNN:
    """Finds faces, and has none of the settings that a folder keeps."""

    detect_batch = ColourDetector.detect_batch


@pytest.mark.parametrize(
    ("arguments", "key", "error", "said"),
    [
        ((ColourDetector, embedder), b"k" * 16, ValueError, "32 bytes"),
        ((ColourDetector, embedder), "k" * 32, TypeError, "32 bytes"),
        ((NoMTCNN, embedder), None, TypeError, "`MTCNN`.*NoMTCNN.*min_face_size"),
        ((ColourDetector, ColourEmbedder), None, TypeError, "`Embedder`.*Colour"),
    ],
    ids=["short key", "text as key", "detector", "embedder"],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, arguments, key, error, said
):
    def written(*_, **__):
        raise AssertionError("written before it was checked")

    monkeypatch.setattr(os, "mkdir", written)
    detector, net = (make() for make in arguments)
    with pytest.raises(error, match=said):
        FaceRecognizer.create(tmp_path / "faces", detector, net, key=key)
    assert not (tmp_path / "faces").exists()


def test_a_key_without_its_package_is_refused_first(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ImportError, match="encryption"):
        created(tmp_path / "faces", key=b"k" * 32)
    assert not (tmp_path / "faces").exists()


@pytest.mark.parametrize("there", [True, False], ids=["empty folder", "no folder"])
@pytest.mark.parametrize("step", ["save", "fsync", "replace"])
def test_a_failure_leaves_the_folder_as_it_was(tmp_path, monkeypatch, step, there):
    folder = tmp_path / "faces"
    if there:
        folder.mkdir()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(*((keras.Model, step) if step == "save" else (os, step)), full)
        with pytest.raises(OSError, match="No space"):
            created(folder)
    assert folder.exists() == there
    assert not there or names_in(folder) == set()
    created(folder).close()
    assert names_in(folder) == WHOLE


class Kills:
    """Copies a folder before and after each call that writes, as a kill leaves it."""

    def __init__(self, folder, copies):
        self.folder, self.copies, self.count = folder, copies, 0
        self.copying = False

    def copy(self):
        if self.copying or not self.folder.exists():  # copies are made of calls, too
            return
        self.copying, self.count = True, self.count + 1
        shutil.copytree(self.folder, self.copies / f"{self.count:03d}" / "faces")
        self.copying = False

    def around(self, call):
        def wrapped(*arguments, **options):
            self.copy()
            found = call(*arguments, **options)
            self.copy()
            return found

        return wrapped

    def half_saved(self, save):
        def wrapped(net, path):
            pathlib.Path(path).write_bytes(b"half of a model")
            self.copy()
            return save(net, path)

        return wrapped


def test_killed_at_any_step_it_may_be_repeated(tmp_path, monkeypatch):
    kills = Kills(tmp_path / "faces", tmp_path / "copies")
    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "save", kills.half_saved(keras.Model.save))
        for name in ("mkdir", "fsync", "replace", "unlink"):
            patched.setattr(os, name, kills.around(getattr(os, name)))
        created(tmp_path / "faces").close()
    states = set()
    for copy in sorted((tmp_path / "copies").glob("*/faces")):
        states.add(frozenset(names_in(copy)))
        whole = (copy / "recognizer.json").exists()
        with opened(copy) if whole else created(copy) as face:
            face.threshold = 0.9
            face.enroll("Rose", picture_of(RED))
            face.save_settings()
        assert names_in(copy) == WHOLE, copy
        with opened(copy, read_only=True) as face:
            assert face.identify(picture_of(RED)).name == "Rose"
    assert {*states} >= {
        frozenset(),
        frozenset({"unfinished", "embedder"}),
        frozenset({"unfinished", "embedder", "gallery"}),
        frozenset({"unfinished", *WHOLE}),
        frozenset(WHOLE),
    }


_KILLED = """
import os, sys
import keras
from tests.face.recognizers import created

def killed(net, path):
    open(path, "wb").write(b"half of a model")
    os._exit(9)

keras.Model.save = killed
created(sys.argv[1])
"""


@pytest.mark.slow
def test_a_process_killed_while_the_net_is_saved(tmp_path):
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "faces")]
    assert subprocess.run(command, check=False).returncode == 9
    assert names_in(tmp_path / "faces") == {"unfinished", "embedder"}
    created(tmp_path / "faces").close()
    assert names_in(tmp_path / "faces") == WHOLE


def test_a_file_of_the_users_is_never_swept(tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    (folder / "unfinished").touch()
    (folder / "mine.txt").touch()
    with pytest.raises(FileExistsError, match=r"which holds mine\.txt, unfinished"):
        created(folder)
    (folder / "mine.txt").unlink()
    with contextlib.suppress(KeyboardInterrupt), creation(folder):
        for name in ("embedder", "detector"):
            (folder / name).mkdir()
        (folder / "mine.txt").touch()
        raise KeyboardInterrupt
    assert names_in(folder) == {"mine.txt"}


def test_one_process_at_a_time_makes_it(tmp_path, monkeypatch):
    folder = tmp_path / "faces"
    with creation(folder):
        with pytest.raises(GalleryLocked, match="another one is at it"):
            created(folder)
        assert names_in(folder) == {"unfinished"}
    locked = access.locked

    def locked_late(path):
        monkeypatch.undo()
        created(folder).close()  # by another process, in the meantime
        return locked(path)

    monkeypatch.setattr("tftransfer.face.recognizer_creation.locked", locked_late)
    with pytest.raises(FileExistsError, match="new or empty folder"):
        created(folder)
    assert names_in(folder) == WHOLE
    opened(folder).close()
