"""Pictures of all forms come back in order, with their faces or their error."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from tests.face.fakes import BLUE
from tests.face.fakes import GREEN
from tests.face.fakes import RED
from tests.face.fakes import ColourDetector
from tests.face.fakes import ColourEmbedder
from tests.face.fakes import GreenIsTooMuch
from tests.face.fakes import picture_of
from tftransfer.face import FaceRecognizer
from tftransfer.face import evaluate_pairs
from tftransfer.face import reading
from tftransfer.face.scores.lfw_pairs import LFWPairs


def seen_of(pictures, **options):
    embedder = ColourEmbedder()
    return list(reading.read_faces(pictures, ColourDetector(), embedder, **options))


def test_every_picture_gets_its_own_faces_and_broken_ones_an_error(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    fine = tmp_path / "fine.png"
    Image.fromarray(picture_of(GREEN)).save(fine)
    pictures = [picture_of(RED, BLUE), broken, picture_of(), fine, "absent.jpg", 5]
    found = seen_of(pictures)
    assert [len(seen.faces) for seen in found] == [2, 0, 0, 1, 0, 0]
    assert [bool(seen.error) for seen in found] == [
        False,
        True,
        False,
        False,
        True,
        True,
    ]
    assert [seen.picture for seen in found[::2]] == [
        "picture 0",
        "picture 2",
        "absent.jpg",
    ]
    assert found[1].error == "an unknown format"
    assert found[3].picture == str(fine)
    for seen, colours in ((found[0], [0, 2]), (found[3], [1])):
        np.testing.assert_array_equal(seen.embeddings.argmax(1), colours)
    assert seen_of([]) == []


def test_a_face_that_cannot_be_embedded_costs_its_own_picture_alone():
    pictures = [
        picture_of(RED),
        picture_of(BLUE, GREEN),
        picture_of(),
        picture_of(BLUE),
    ]
    found = list(reading.read_faces(pictures, ColourDetector(), GreenIsTooMuch()))
    assert [len(seen.faces) for seen in found] == [1, 0, 0, 1]
    assert [len(seen.embeddings) for seen in found] == [1, 0, 0, 1]
    reasons = [seen.error for seen in found]
    assert reasons == [None, "Expected embeddings that are finite.", None, None]
    alone = FaceRecognizer(ColourDetector(), GreenIsTooMuch(), threshold=0.5)
    alone.enroll("Blue", [picture_of(BLUE)])
    for ask in (alone.identify, alone.find_all):
        assert ask(picture_of(BLUE))
        with pytest.raises(ValueError, match="finite"):
            ask(picture_of(GREEN))
    names = [[one.name for one in each.found] for each in alone.identify_many(pictures)]
    assert names == [[None], [], [], ["Blue"]]


def test_where_no_face_can_be_embedded_the_reason_is_told(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for place in range(2):
            path = tmp_path / name / f"{place}.png"
            Image.fromarray(picture_of(GREEN, side=20 + place)).save(path)
    recognizer = FaceRecognizer(ColourDetector(), GreenIsTooMuch())
    with pytest.raises(ValueError, match="finite"):
        recognizer.calibrate(tmp_path)
    paths = sorted(tmp_path.rglob("*.png"))
    pairs = LFWPairs(paths[:2], paths[2:], np.array([True, False]), np.zeros(2, int))
    with pytest.raises(ValueError, match="finite"):
        evaluate_pairs(recognizer, pairs)


def test_largest_first_and_alone_where_asked():
    (every,) = seen_of([picture_of(RED, GREEN, BLUE)])
    assert [face.width for face in every.faces] == [20, 18, 16]
    (one,) = seen_of([picture_of(RED, GREEN, BLUE)], largest=True)
    assert len(one.faces) == 3
    np.testing.assert_array_equal(one.embeddings, every.embeddings[:1])


@pytest.mark.parametrize("pixels", [1, 64 * 128 * 3])
def test_order_holds_however_the_pictures_are_divided(pixels, monkeypatch):
    monkeypatch.setattr(reading, "_PIXELS", pixels)
    colours = [(RED, GREEN, BLUE)[k % 3] for k in range(37)]
    pictures = [picture_of(colour) for colour in colours]
    pictures[11] = None
    found = seen_of(iter(pictures))
    assert [seen.picture for seen in found] == [f"picture {k}" for k in range(37)]
    assert found[11].error
    for k, seen in enumerate(found):
        if k != 11:
            assert seen.embeddings.argmax() == k % 3


def test_few_pictures_are_in_memory_at_a_time():
    given = []

    def pictures():
        for k in range(100):
            given.append(k)
            yield picture_of(RED)

    reading_on = reading.read_faces(pictures(), ColourDetector(), ColourEmbedder())
    next(reading_on)
    assert len(given) == reading._PICTURES + 1


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch):
    open_now, most = 0, 0

    def opened(picture):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        time.sleep(0.01)
        open_now -= 1
        return picture_of(RED)

    large = io.BytesIO()
    Image.new("RGB", (300, 200)).save(large, "PNG")
    monkeypatch.setattr(reading, "_PIXELS", 100_000)
    monkeypatch.setattr(reading, "_opened", opened)
    assert len(seen_of([large.getvalue()] * 6)) == 6
    assert most == 1
    assert len(seen_of([np.zeros((10, 10, 3), "uint8")] * 6)) == 6
    assert most > 1
