"""Folders of people: whose picture is whose."""

import os
import unicodedata

import pytest
from PIL import Image

from tests.face.fakes import BLUE
from tests.face.fakes import GREEN
from tests.face.fakes import RED
from tests.face.fakes import ColourDetector
from tests.face.fakes import ColourEmbedder
from tests.face.fakes import picture_of
from tftransfer.face import FaceRecognizer
from tftransfer.face import crops_of_people
from tftransfer.face import evaluate_people
from tftransfer.face import people_of
from tftransfer.face.people import embeddings_of_people

COMPOSED = "José"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
PARTS = ColourDetector(), ColourEmbedder()
YELLOW = (250, 250, 20)


def add_person(folder, name, colour, pictures=4):
    (folder / name).mkdir()
    for k in range(pictures):
        darker = tuple(int(value * (1 - 0.05 * k)) for value in colour)
        Image.fromarray(picture_of(darker)).save(folder / name / f"{k}.png")


def test_names_are_composed_wherever_people_are_read(tmp_path):
    add_person(tmp_path, "Ada", RED)
    add_person(tmp_path, DECOMPOSED, BLUE)
    assert DECOMPOSED != COMPOSED
    assert list(people_of(tmp_path)) == ["Ada", COMPOSED]
    for read in (embeddings_of_people, crops_of_people):
        _, names, left_out = read(tmp_path, *PARTS)
        assert names.tolist() == ["Ada"] * 4 + [COMPOSED] * 4
        assert not left_out


def test_two_spellings_of_one_name_are_one_person(tmp_path):
    add_person(tmp_path, COMPOSED, BLUE, pictures=2)
    add_person(tmp_path, DECOMPOSED, BLUE, pictures=3)
    people = people_of(tmp_path)
    assert list(people) == [COMPOSED]
    assert len(people[COMPOSED]) == 5


@pytest.mark.parametrize("names", [["Ada", DECOMPOSED, "Bo", "Cy"], [*"ÀÉÎÕ"]])
def test_decomposed_names_do_not_cost_an_evaluation(tmp_path, names):
    for name, colour in zip(names, (RED, GREEN, BLUE, YELLOW)):
        add_person(tmp_path, unicodedata.normalize("NFD", name), colour, pictures=6)
    found = evaluate_people(FaceRecognizer(*PARTS), tmp_path)
    assert found.rank_1 == {1: (1.0, 0.0), 3: (1.0, 0.0)}
    assert found.open_set == {0.1: (1.0, 0.0)}


def test_a_folder_whose_name_is_no_text_is_named(tmp_path):
    add_person(tmp_path, "Ada", RED)
    try:
        os.mkdir(os.path.join(os.fsencode(tmp_path), b"Jos\xe9"))
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    with pytest.raises(ValueError, match=r"Jos.*Rename that person's folder"):
        people_of(tmp_path)
