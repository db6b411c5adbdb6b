"""A recognizer in a folder comes back as it was, or says why not."""

import json
import os

import keras
import numpy as np
import pytest

from tests.face.fakes import BLUE
from tests.face.fakes import GREEN
from tests.face.fakes import RED
from tests.face.fakes import ColourDetector
from tests.face.fakes import picture_of
from tests.face.recognizers import created
from tests.face.recognizers import embedder
from tests.face.recognizers import opened
from tftransfer.backbones.published import WeightsNotFoundError
from tftransfer.face import MTCNN
from tftransfer.face import Embedder
from tftransfer.face import FaceRecognizer
from tftransfer.face import GalleryLocked
from tftransfer.face.detection import mtcnn_layers
from tftransfer.face.detection import mtcnn_weights
from tftransfer.face.recognizer_settings import read_settings
from tftransfer.face.recognizer_settings import write_settings


@pytest.fixture
def folder(tmp_path):
    """A recognizer that knows Rose and Fern, calibrated on them."""
    with created(tmp_path / "faces") as face:
        for name, colour in {"Rose": RED, "Fern": GREEN, "Skye": BLUE}.items():
            close = tuple(np.array(colour) * 4 // 5 + 30)
            face.enroll(name, [picture_of(colour), picture_of(close)])
        face.calibrate(far=0.2)
        face.save_settings()
        face.forget("Skye")
    return tmp_path / "faces"


def test_comes_back_as_it_was(folder):
    with opened(folder) as first:
        found = first.find_all(picture_of(GREEN, BLUE))
        calibration = first.calibration
        assert first.threshold == calibration.threshold
    with opened(folder, read_only=True) as again:
        assert again.calibration == calibration
        same = again.find_all(picture_of(GREEN, BLUE))
    assert [each.name for each in found] == ["Fern", None]
    assert [each.candidates for each in found] == [each.candidates for each in same]


def test_readers_beside_one_writer(folder):
    with opened(folder) as writer, opened(folder, read_only=True) as reader:
        with pytest.raises(GalleryLocked):
            opened(folder)
        writer.enroll("Skye", picture_of(BLUE))
        assert reader.identify(picture_of(BLUE)).name == "Skye"
        with pytest.raises(ValueError, match="read"):
            reader.enroll("Rose", picture_of((120, 120, 20)))


def test_a_threshold_of_ones_own_is_kept(folder):
    with opened(folder) as face:
        face.threshold = 0.75
        face.save_settings()
    with opened(folder, read_only=True) as face:
        assert face.threshold == 0.75


def test_readers_take_the_threshold_that_was_saved(folder):
    with opened(folder) as writer, opened(folder, read_only=True) as reader:
        before, calibration = reader.threshold, reader.calibration
        writer.threshold = 0.99
        assert reader.threshold == before  # not saved yet
        writer.save_settings()
        found = reader.identify(picture_of(GREEN))
        assert found.threshold == reader.threshold == 0.99
        writer.calibrate(far=0.5)
        writer.save_settings()
        assert reader.verify(picture_of(RED), picture_of(GREEN)).threshold < 0.99
        assert reader.calibration == writer.calibration != calibration


def test_a_readers_own_threshold_stays(folder):
    with opened(folder) as writer, opened(folder, read_only=True) as reader:
        reader.threshold = 0.2
        writer.threshold = 0.99
        writer.save_settings()
        assert reader.threshold == 0.2
        reader.calibrate(far=0.3)
        own = reader.threshold
        writer.threshold = 0.98
        writer.save_settings()
        assert reader.threshold == own


def test_a_reader_that_was_closed_or_lost_its_folder_keeps_its_threshold(
    folder, tmp_path
):
    first, second = (opened(folder, read_only=True) for _ in range(2))
    before = first.threshold
    first.close()
    with opened(folder) as writer:
        writer.threshold = 0.99
        writer.save_settings()
    assert (first.threshold, second.threshold) == (before, 0.99)
    folder.rename(tmp_path / "moved")
    assert second.threshold == 0.99


def test_folders_in_use_and_folders_without(folder, tmp_path):
    with pytest.raises(FileExistsError, match="new or empty folder"):
        created(folder)
    with pytest.raises(FileNotFoundError, match=r"no\s+recognizer\.json"):
        opened(tmp_path)
    memory = FaceRecognizer(ColourDetector(), embedder())
    with pytest.raises(ValueError, match=r"FaceRecognizer\.create"):
        memory.save_settings()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}'])
def test_damaged_settings_are_named(folder, text):
    (folder / "recognizer.json").write_text(text)
    with pytest.raises(ValueError, match=r"recognizer\.json"):
        opened(folder)


def test_an_exchanged_net_is_refused(folder, tmp_path):
    layers = [keras.Input((8, 8, 3)), keras.layers.GlobalMaxPooling2D()]
    other = Embedder.from_model(keras.Sequential(layers), alignment="crop")
    other.save(folder / "embedder")
    with pytest.raises(ValueError, match="embedder"):
        opened(folder)


def test_settings_are_written_whole_or_not_at_all(folder, monkeypatch):
    before = (folder / "recognizer.json").read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    with opened(folder) as face:
        face.threshold = 0.1
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            face.save_settings()
        monkeypatch.undo()
    assert (folder / "recognizer.json").read_text() == before
    assert json.loads(before)["format"] == 1
    left = {path.name for path in folder.iterdir()}
    assert left == {"recognizer.json", "embedder", "gallery"}


def test_an_encrypted_gallery_needs_its_key(tmp_path):
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    key = os.urandom(32)
    with created(tmp_path / "faces", key=key) as face:
        face.enroll("Rose", picture_of(RED))
        face.threshold = 0.9
        face.save_settings()
    with opened(tmp_path / "faces", key=key) as face:
        assert face.identify(picture_of(RED)).name == "Rose"
    for wrong in (None, os.urandom(32)):
        with pytest.raises(ValueError, match="key"):
            opened(tmp_path / "faces", key=wrong)


@pytest.fixture
def own_weights(tmp_path, monkeypatch):
    """A file of weights, where there are no published ones."""

    def none(_):
        raise WeightsNotFoundError("Expected the package mtcnn")

    monkeypatch.setattr(mtcnn_weights, "_published", none)
    generator = np.random.default_rng(0)
    arrays = {
        key: generator.normal(0, 0.1, shape).astype("float32")
        for key, shape in mtcnn_layers.weight_shapes().items()
    }
    mtcnn_weights.save_mtcnn_weights(arrays, tmp_path / "w.npz")
    return tmp_path / "w.npz"


def test_a_detectors_own_weights_move_with_the_folder(tmp_path, own_weights):
    with np.load(own_weights) as file:
        expected = dict(file)
    detector = MTCNN(weights=own_weights, engine="tensorflow", min_face_size=40)
    own_weights.unlink()  # the detector has them: the file is not needed any more
    FaceRecognizer.create(tmp_path / "here", detector, embedder()).close()
    (tmp_path / "here").rename(tmp_path / "there")
    with FaceRecognizer.open(tmp_path / "there") as face:
        assert face.detector.min_face_size == 40
        face.save_settings()
    with FaceRecognizer.open(tmp_path / "there") as face:
        face.detector.save_weights(tmp_path / "again.npz")
        with np.load(tmp_path / "again.npz") as file:
            for key, array in expected.items():
                np.testing.assert_array_equal(file[key], array)
        face.detector = ColourDetector()  # has the published weights, as it were
        face.save_settings()
    with pytest.raises(WeightsNotFoundError):
        FaceRecognizer.open(tmp_path / "there")


def test_weights_elsewhere_are_not_read(tmp_path, own_weights, monkeypatch):
    monkeypatch.setattr(
        "tftransfer.face.recognizer_settings._WEIGHTS", "../precious.npz"
    )
    (tmp_path / "faces").mkdir()
    write_settings(tmp_path / "faces", MTCNN(weights=own_weights), None, None)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"'\.\./precious\.npz'"):
        read_settings(tmp_path / "faces")


def test_settings_of_early_versions_name_no_weights(folder):
    assert "weights" not in json.loads((folder / "recognizer.json").read_text())
    assert read_settings(folder)["detector"]["weights"] is None
