"""Hostile pictures and damaged folders: a result or a clear error, and nothing lost.

`benchmarks/face_hostile.py` throws more of the same, and reads the memory.
"""

import io
import json
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from tests.face import hostile_pictures
from tests.face import hostile_throws
from tests.face.fakes import ColourDetector
from tests.face.hostile_throws import REFUSED
from tests.face.hostile_throws import RESULT
from tftransfer.data import decode
from tftransfer.data import decode_image
from tftransfer.face import Embedder
from tftransfer.face import FaceRecognizer
from tftransfer.face import Gallery
from tftransfer.face import as_photograph


class OneFace(ColourDetector):
    """Takes the middle of every picture of some size for a face."""

    def detect_batch(self, pictures):
        return [self._faces(as_photograph(picture)) for picture in pictures]

    def _faces(self, photograph):
        height, width = photograph.shape[:2]
        middle = np.zeros((height, width, 3), "uint8")
        middle[height // 4 : -height // 4, width // 4 : -width // 4] = 1
        return super()._faces(middle)[: min(height, width) > 11]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recognizer that knows Grace and Ada."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(8)]
    embedder = Embedder.from_model(keras.Sequential(layers), alignment="crop")
    folder = tmp_path_factory.mktemp("hostile") / "faces"
    with FaceRecognizer.create(folder, OneFace(), embedder) as recognizer:
        recognizer.enroll("Grace", known())
        recognizer.gallery.add("Ada", np.eye(8)[0])
        recognizer.threshold = 0.5
        recognizer.save_settings()
    return folder


@pytest.fixture(scope="module")
def truth(folder):
    """The people of the folder."""
    return hostile_throws.people_in(Gallery.open(folder / "gallery", read_only=True))


def known() -> np.ndarray:
    return np.asarray(hostile_pictures.hopper(64))


def wrong_among(pictures, recognizer) -> list:
    return [
        (name, entry, told)
        for name, picture in pictures
        for entry, told in hostile_throws.thrown(recognizer, picture, known()).items()
        if told not in (RESULT, REFUSED)
    ]


# Pillow warns of odd EXIF, by which nobody can act: the picture is read.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_fuzzed_pictures(folder, truth):
    files = hostile_pictures.originals(hostile_pictures.hopper(48))
    pictures = list(hostile_pictures.fuzzed(files, 150))
    with FaceRecognizer.open(folder, detector=OneFace()) as recognizer:
        assert wrong_among(files.items(), recognizer) == []
        assert wrong_among(pictures, recognizer) == []
        read = [
            hostile_throws.outcome(lambda f=f: as_photograph(f)) for _, f in pictures
        ]
        assert 30 < read.count(RESULT) < 120  # neither harmless nor all noise
    assert hostile_throws.opened(folder, known(), truth, detector=OneFace()) == RESULT


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_shapes_and_no_pictures(folder):
    bombs = hostile_pictures.bombs(side=9_500, mib=128)
    pictures = bombs | hostile_pictures.thin() | hostile_pictures.no_pictures()
    with FaceRecognizer.open(folder, detector=OneFace()) as recognizer:
        assert wrong_among(pictures.items(), recognizer) == []
    for name in (*hostile_pictures.no_pictures(), *list(bombs)[:3]):
        told = hostile_throws.outcome(lambda name=name: as_photograph(pictures[name]))
        assert (name, told) == (name, REFUSED)


def test_mtcnn_on_shapes_and_noise(mtcnn):
    thin = list(hostile_pictures.thin().values())
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (80, 90, 3), "uint8") for _ in range(5)]
    detector = mtcnn("tensorflow")
    face = as_photograph(hostile_pictures.hopper())
    *found, last = detector.detect_batch([*thin, *noise, face])
    assert [len(faces) for faces in found] == [0] * 12
    assert len(last) == 1


def test_pil_pictures_that_break_in_any_way_are_refused():
    """Their decoders raise struct.error, ValueError, UserWarning where it is one..."""
    image = Image.open(
        io.BytesIO(hostile_pictures.originals(Image.new("RGB", (9, 9)))["PNG"])
    )
    for error in (ValueError("bad palette"), EOFError("cut"), UserWarning("odd EXIF")):

        def load(error=error):
            raise error

        image.load = load
        with pytest.raises(ValueError, match=f"the PIL picture.*{error}"):
            as_photograph(image)


@pytest.mark.parametrize("one", [b"one", np.zeros((9, 9, 3), "uint8"), None, 5])
def test_one_picture_is_not_taken_for_many(folder, one):
    recognizer = FaceRecognizer.open(folder, detector=OneFace(), read_only=True)
    with pytest.raises(TypeError, match="several pictures"):
        next(recognizer.identify_many(one))


def test_endless_files_and_odd_paths_are_refused(tmp_path):
    path = tmp_path / "endless.png"
    path.touch()
    os.truncate(path, decode._MAX_BYTES + 1)  # takes no space
    with pytest.raises(ValueError, match=r"endless\.png.*bytes, more than"):
        decode_image(path)
    with pytest.raises(ValueError, match=r"Expected 'a\\x00\.png'.*null byte"):
        decode_image("a\0.png")


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("gallery/[!l]*", 60), ("recognizer.json", 40), ("embedder/*", 40)],
)
def test_damaged_files(folder, truth, pattern, count):
    wrong = []
    for name, copy in hostile_throws.damaged(folder, pattern, count):
        told = hostile_throws.opened(copy, known(), truth, detector=OneFace())
        wrong += [(name, told)] if told not in (RESULT, REFUSED) else []
        told = hostile_throws.salvaged(copy / "gallery", truth)
        wrong += [(name, told)] if told not in (RESULT, REFUSED) else []
    assert wrong == []
    assert hostile_throws.opened(folder, known(), truth, detector=OneFace()) == RESULT


def test_another_threshold_in_the_file_is_noticed(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "faces")
    file = tmp_path / "faces" / "recognizer.json"
    file.write_text(file.read_text().replace("0.5", "0.1"))
    with pytest.raises(ValueError, match="the file was changed"):
        FaceRecognizer.open(tmp_path / "faces", detector=OneFace())


@pytest.mark.parametrize("margin", ["wide", None, [1]])
def test_embedder_settings_of_other_types_are_refused(folder, tmp_path, margin):
    shutil.copytree(folder / "embedder", tmp_path / "embedder")
    file = tmp_path / "embedder" / "embedder.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"margin": margin}))
    with pytest.raises(ValueError, match="settings of an embedder"):
        Embedder.load(tmp_path / "embedder")


def test_embedder_settings_name_no_file_elsewhere(folder, tmp_path):
    """Neither read, nor removed by the next `save`."""
    shutil.copytree(folder, tmp_path / "faces")
    precious, place = tmp_path / "precious.keras", tmp_path / "faces" / "embedder"
    embedder = Embedder.load(place)
    shutil.copy(next(place.glob("*.keras")), precious)
    file = place / "embedder.json"
    settings = json.loads(file.read_text()) | {
        "model": str(pathlib.Path("../..", precious.name))
    }
    file.write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="names no model file of its folder"):
        Embedder.load(place)
    embedder.save(place)
    assert precious.exists()
    assert Embedder.load(place).fingerprint == embedder.fingerprint
