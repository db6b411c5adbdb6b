"""Enrol, verify, identify and calibrate, with faces that are colours."""

import numpy as np
import pytest
from PIL import Image

from tests.face.fakes import BLUE
from tests.face.fakes import GREEN
from tests.face.fakes import RED
from tests.face.fakes import ColourDetector
from tests.face.fakes import ColourEmbedder
from tests.face.fakes import picture_of
from tftransfer.face import FaceRecognizer
from tftransfer.face import Gallery
from tftransfer.face import NoFaceError
from tftransfer.face import evaluate_people


def recognizer(**options):
    return FaceRecognizer(ColourDetector(), ColourEmbedder(), **options)


@pytest.fixture
def known():
    face = recognizer(threshold=0.9)
    face.enroll("Rose", [picture_of(RED), picture_of((200, 60, 60))])
    face.enroll("Fern", picture_of(GREEN))
    return face


def noisy(colour, rng) -> np.ndarray:
    colour = np.clip(np.array(colour) + rng.integers(-40, 41, 3), 1, 255)
    return picture_of(tuple(colour))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    for name, colour in {"Rose": RED, "Fern": GREEN, "Skye": BLUE}.items():
        (folder / name).mkdir()
        for k in range(6):
            Image.fromarray(noisy(colour, rng)).save(folder / name / f"{k}.png")
    (folder / "Skye" / "broken.png").write_bytes(b"no picture")
    Image.fromarray(picture_of()).save(folder / "Rose" / "nobody.png")
    return folder


def test_identifies_the_largest_face_and_rejects_strangers(known):
    found = known.identify(picture_of((240, 30, 20), GREEN), k=2)
    assert found.name == "Rose"
    assert [c.name for c in found.candidates] == ["Rose", "Fern"]
    assert found.candidates[0].similarity > 0.99
    assert found.candidates[0].probability is None
    stranger = known.identify(picture_of(BLUE))
    assert stranger.name is None
    assert len(stranger.candidates) == 2  # as many as there are people


def test_finds_all_faces_of_a_group(known):
    found = known.find_all(picture_of(GREEN, BLUE, RED))
    assert [each.name for each in found] == ["Fern", None, "Rose"]
    assert [each.face.width for each in found] == [20, 18, 16]
    assert known.find_all(picture_of()) == []


def test_verifies_by_the_threshold(known):
    same = known.verify(picture_of(RED), picture_of((240, 40, 40)))
    assert same.same
    assert same.distance == pytest.approx(1 - same.similarity)
    other = known.verify(picture_of(RED), picture_of(BLUE))
    assert not other.same
    expected = np.array(RED) @ np.array(BLUE) / (np.linalg.norm(RED) ** 2)
    assert other.similarity == pytest.approx(expected, abs=1e-4)


def test_many_pictures_with_a_broken_one(known, people):
    results = list(known.identify_many(people))
    assert len(results) == 20
    names = {r.picture.split("/")[-2]: set() for r in results}
    for result in results:
        if result.error is None:
            names[result.picture.split("/")[-2]] |= {f.name for f in result.found}
    assert names["Rose"] <= {"Rose", None}
    assert "Rose" in names["Rose"]
    assert names["Skye"] == {None}
    (broken,) = [r for r in results if r.error]
    assert broken.picture.endswith("broken.png")


def test_enrolment_says_what_became_of_each_picture(tmp_path):
    face = recognizer()
    pictures = [picture_of(RED, BLUE), picture_of(), tmp_path / "absent.jpg"]
    done = face.enroll("Rose", pictures)
    assert done.added == 1
    assert done.crowded == ("picture 0",)
    assert [name for name, _ in done.refused] == [
        "picture 1",
        str(tmp_path / "absent.jpg"),
    ]
    assert face.gallery.embeddings("Rose").argmax() == 0  # red, the larger one
    with pytest.raises(NoFaceError, match="no face was found"):
        face.enroll("Nobody", picture_of())
    assert face.gallery.names == ["Rose"]


def test_what_is_enrolled_is_not_added_again(people):
    face = recognizer()
    pictures = [picture_of(RED), picture_of((200, 60, 60)), picture_of(RED)]
    first = face.enroll("Rose", pictures)
    assert (first.added, first.repeated) == (2, ("picture 2",))
    more = face.enroll("Rose", [*pictures, picture_of((150, 90, 20))])
    assert (more.added, more.repeated) == (1, ("picture 0", "picture 1", "picture 2"))
    assert len(face.gallery.embeddings("Rose")) == 3
    again = face.enroll("Rose", pictures)
    assert again.added == 0
    assert len(face.gallery.embeddings("Rose")) == 3


def test_a_folder_of_people(people):
    face = recognizer(threshold=0.9)
    done = {each.name: each for each in face.enroll_folder(people)}
    assert {name: each.added for name, each in done.items()} == {
        "Fern": 6,
        "Rose": 6,
        "Skye": 6,
    }
    assert len(done["Skye"].refused) == len(done["Rose"].refused) == 1
    face.forget("Skye")
    assert sorted(face.gallery.names) == ["Fern", "Rose"]
    with pytest.raises(ValueError, match="not enrolled"):
        face.forget("Fenr")


def test_files_of_other_kinds_are_named_beside_the_pictures(tmp_path):
    folder = tmp_path / "Rose"
    folder.mkdir()
    Image.fromarray(picture_of(RED)).save(folder / "1.png")
    (folder / "2.heic").write_bytes(b"of a telephone")
    (folder / ".hidden").write_bytes(b"")
    (rose,) = recognizer().enroll_folder(tmp_path)
    assert rose.added == 1
    assert rose.refused == ((str(folder / "2.heic"), "not a kind that is read"),)


def test_calibration_gives_threshold_and_probabilities(people):
    face = recognizer()
    with pytest.raises(ValueError, match="call `calibrate`"):
        face.verify(picture_of(RED), picture_of(RED))
    with pytest.raises(ValueError, match="call `calibrate`"):
        next(face.identify_many([picture_of(RED)]))
    found = face.calibrate(people, far=0.01)
    assert found.at.impostor_pairs == 3 * 36
    assert found.at.genuine_pairs == 3 * 15
    assert face.threshold == found.threshold
    same = face.verify(picture_of(RED), picture_of((240, 30, 20)))
    other = face.verify(picture_of(RED), picture_of(BLUE))
    assert same.same
    assert same.probability > 0.9 > 0.1 > other.probability


def test_calibration_on_those_enrolled_is_that_of_their_folder(people):
    first, second = recognizer(), recognizer()
    list(first.enroll_folder(people))
    from_gallery = first.calibrate(far=0.01)
    from_folder = second.calibrate(people, far=0.01)
    assert from_gallery.threshold == pytest.approx(from_folder.threshold, abs=1e-6)


def test_a_gallery_of_another_embedder_is_refused():
    with pytest.raises(ValueError, match="Enroll its people anew"):
        recognizer(gallery=Gallery(3, "colour 2"))
    with pytest.raises(ValueError, match="Enroll its people anew"):
        recognizer(gallery=Gallery(4, "colour 1"))


def test_no_face_names_the_picture(known, tmp_path):
    path = tmp_path / "empty.png"
    Image.fromarray(picture_of()).save(path)
    with pytest.raises(NoFaceError, match=r"empty\.png"):
        known.identify(path)
    with pytest.raises(NoFaceError, match="the picture"):
        known.verify(picture_of(RED), picture_of())


def test_evaluation_of_colours_that_are_far_apart_is_perfect(people):
    found = evaluate_people(recognizer(), people)
    assert found.people == 3
    assert found.pictures == 18
    assert len(found.left_out) == 2
    assert found.pairs == (45, 108)
    assert found.accuracy.mean == 1.0
    assert found.equal_error_rate == 0.0
    assert found.tar_at_far == {0.1: 1.0, 0.01: 1.0}
    assert found.rank_1 == {1: (1.0, 0.0), 3: (1.0, 0.0)}
    assert found.open_set[0.1] == (1.0, 0.0)
