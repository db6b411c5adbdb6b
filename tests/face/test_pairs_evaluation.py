"""LFW's protocol on faces of colour, against a loop."""

import numpy as np
import pytest
from PIL import Image

from tests.face.fakes import BLUE
from tests.face.fakes import RED
from tests.face.fakes import ColourDetector
from tests.face.fakes import ColourEmbedder
from tests.face.fakes import picture_of
from tftransfer.face import FaceRecognizer
from tftransfer.face import evaluate_pairs
from tftransfer.face import read_lfw_pairs


@pytest.fixture
def listed(tmp_path):
    """Two people with four pictures each, in two folds of two and two pairs."""
    rng = np.random.default_rng(0)
    for name, colour in {"Rose": RED, "Skye": BLUE}.items():
        (tmp_path / name).mkdir()
        for number in range(1, 5):
            near = np.clip(np.array(colour) + rng.integers(-60, 61, 3), 1, 255)
            path = tmp_path / name / f"{name}_{number:04d}.png"
            Image.fromarray(picture_of(tuple(near))).save(path)
    lines = ["2\t2"]
    for first, second in ((1, 2), (3, 4)):
        lines += [f"Rose\t{first}\t{second}", f"Skye\t{first}\t{second}"]
        lines += [f"Rose\t{k}\tSkye\t{k}" for k in (first, second)]
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(lines) + "\n")
    return path, tmp_path


def evaluated(path, folder):
    recognizer = FaceRecognizer(ColourDetector(), ColourEmbedder())
    pairs = read_lfw_pairs(path, folder, ending=".png")
    return evaluate_pairs(recognizer, pairs), pairs


def test_similarities_and_folds(listed):
    found, pairs = evaluated(*listed)
    embedder = ColourEmbedder()
    for value, first, second in zip(found.similarities, pairs.first, pairs.second):
        rows = []
        for path in (first, second):
            pixels = np.asarray(Image.open(path))
            (face,) = ColourDetector().detect(pixels)
            rows.append(embedder.embed(embedder.prepare(pixels, face)[None])[0])
        assert value == pytest.approx(float(rows[0] @ rows[1]), abs=1e-6)
    assert found.accuracy.mean == 1.0
    assert len(found.accuracy.accuracies) == 2
    assert found.chance == 0.5
    assert found.equal_error_rate == 0.0
    assert found.without_face == {}


def test_a_picture_without_a_face_costs_its_pairs(listed):
    path, folder = listed
    picture = folder / "Rose" / "Rose_0001.png"
    Image.fromarray(picture_of()).save(picture)
    found, pairs = evaluated(path, folder)
    assert list(found.without_face) == [str(picture)]
    touched = [
        str(picture) in map(str, pair) for pair in zip(pairs.first, pairs.second)
    ]
    np.testing.assert_array_equal(found.similarities == -1, touched)
    assert found.accuracy.mean == 7 / 8


def test_lists_of_view_1_have_no_folds(listed):
    path, folder = listed
    lines = path.read_text().splitlines()[1:5]
    path.write_text("\n".join(["2", *lines]) + "\n")
    found, pairs = evaluated(path, folder)
    assert len(pairs) == 4
    assert found.accuracy is None
    assert found.tar_at_far == {}
