"""The commands of `tftransfer faces`, on one photograph that matplotlib ships.

Its subject in her own colours is one person, with red and blue exchanged another: the
net of these tests tells people by their mean colour.
"""

import json
import os
import re

import keras
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image
from typer.testing import CliRunner

from tests.face.fakes import BLUE
from tests.face.fakes import GREEN
from tests.face.fakes import ColourDetector
from tests.face.fakes import GreenIsTooMuch
from tests.face.fakes import picture_of
from tftransfer.cli import faces_output
from tftransfer.cli.faces_output import answer_calibration
from tftransfer.cli.main import app
from tftransfer.face import FaceRecognizer
from tftransfer.face import Gallery
from tftransfer.face.scores.calibration import calibrated


def photograph() -> np.ndarray:
    path = get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.asarray(Image.open(path).resize((256, 303)))


def of_person(name: str, number: int) -> np.ndarray:
    """Return a picture of a person, a little darker with each number."""
    pixels = photograph() if name == "Grace" else photograph()[..., ::-1]
    return (pixels * (1 - 0.04 * number)).astype("uint8")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces") / "people"
    for name in ("Grace", "Azure"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            picture = Image.fromarray(of_person(name, number))
            picture.save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "colours.keras"
    layers = [
        keras.Input((16, 16, 3)),
        keras.layers.Rescaling(1 / 255, offset=-0.5),
        keras.layers.GlobalAveragePooling2D(),
    ]
    keras.Sequential(layers).save(path)
    return path


@pytest.fixture(scope="module")
def recognizer(people, net, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "recognizer"
    for arguments in (
        ["enroll", folder, people, "--net", net],
        ["calibrate", folder, people, "--far", 0.2],
    ):
        result = CliRunner().invoke(app, ["faces", *map(str, arguments)])
        assert result.exit_code == 0, result.output
    return folder


def test_detect_draws_and_answers(run, people, tmp_path):
    pictures = people / "Grace"
    options = ["--draw", tmp_path / "drawn", "--json"]
    found = json.loads(run("faces", "detect", pictures, *options).stdout)
    assert [len(entry["faces"]) for entry in found] == [1, 1, 1]
    face = found[0]["faces"][0]["face"]
    assert np.array(face["landmarks"]).shape == (5, 2)
    left, top, right, bottom = face["box"]
    assert left < np.mean([x for x, _ in face["landmarks"]]) < right
    assert top < np.mean([y for _, y in face["landmarks"]]) < bottom
    drawn = np.asarray(Image.open(tmp_path / "drawn" / "0.jpg")).astype(int)
    changed = np.abs(drawn - of_person("Grace", 0)).sum(-1)
    lines = changed[int(top) - 1 : int(top) + 2, round(left) : round(right)]
    assert lines.mean(1).max() > 60
    assert changed[:, : round(left) - 8].mean() < 20


def test_identify_and_verify(run, recognizer, people, tmp_path):
    stranger = tmp_path / "pale.png"
    pale = np.minimum(255, of_person("Grace", 0).astype(int) + 90)
    Image.fromarray(pale.astype("uint8")).save(stranger)
    first, other = people / "Grace" / "0.png", people / "Azure" / "0.png"
    arguments = ["identify", recognizer, first, other, stranger, "--json"]
    entries = json.loads(run("faces", *arguments).stdout)
    names = [face["name"] for entry in entries for face in entry["faces"]]
    assert names == ["Grace", "Azure", None]
    best = entries[0]["faces"][0]["candidates"][0]
    assert best["name"] == "Grace"
    assert best["probability"] > 0.5
    shown = run("faces", "verify", recognizer, first, people / "Grace" / "2.png").stdout
    assert shown.startswith("the same person: similarity")
    found = run("faces", "verify", recognizer, first, other, "--json").stdout
    assert json.loads(found)["same"] is False


def test_one_broken_picture_fails_alone(run, recognizer, people, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    arguments = ["identify", recognizer, broken, people / "Grace" / "1.png"]
    shown = run("faces", *arguments, code=1).stdout.splitlines()
    assert shown[0].endswith("error: an unknown format")
    assert "Grace" in shown[1].split(": ")[1]


def test_calibrate_tells_the_share_of_strangers_named(run, recognizer, people):
    shown = run("faces", "calibrate", recognizer, people, "--far", 0.2).stdout
    text = " ".join(shown.split())
    far = float(re.search(r"FAR ([\d.]+) on 9 pairs", text)[1])
    share = float(re.search(r"Among 2 enrolled about ([\d.]+)% or more", text)[1])
    assert share / 100 == pytest.approx(1 - (1 - far) ** 2, abs=0.01)
    shown = run("faces", "calibrate", "--help").stdout.replace("│", " ")
    assert "pairs of different people that may pass" in " ".join(shown.split())


def test_a_calibration_before_anybody_is_enrolled(capsys):
    rows = np.eye(4, dtype="float32")[[0, 0, 1, 1, 2, 2, 3, 3]]
    found = calibrated(rows, [0, 0, 1, 1, 2, 2, 3, 3], far=0.1)
    answer_calibration(found, Gallery(4), as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    for people in (10, 100, 1000):
        assert f"Among {people} enrolled about 0.00% of strangers are named" in shown
    gallery = Gallery(4)
    gallery.add("Ada", rows[0])
    answer_calibration(found, gallery, as_json=True)
    told = json.loads(capsys.readouterr().out)["strangers_named"]
    assert told == {"1": pytest.approx([0, *found.at.far_interval])}


def test_evaluate_prints_a_table(run, recognizer, people):
    shown = run("faces", "evaluate", recognizer, people).stdout
    assert "2 people, 6 pictures: 6 pairs of one person, 9 of two." in shown
    assert "| verification, ten folds | 100.00 ± 0.00 % |" in shown
    assert "| verification, one answer for all pairs | 60.00% |" in shown
    found = json.loads(run("faces", "evaluate", recognizer, people, "--json").stdout)
    assert found["rank_1"]["1"] == [1.0, 0.0]
    assert found["chance"] == 0.6


def test_evaluate_a_list_of_pairs(run, recognizer, people, tmp_path):
    for name in ("Grace", "Azure"):
        (tmp_path / name).mkdir()
        for number in range(3):
            picture = Image.open(people / name / f"{number}.png")
            picture.save(tmp_path / name / f"{name}_{number + 1:04d}.jpg", quality=95)
    lines = ["2\t1", "Grace\t1\t2", "Grace\t1\tAzure\t2", "Azure\t2\t3"]
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("\n".join([*lines, "Azure\t3\tGrace\t3"]) + "\n")
    arguments = ["evaluate", recognizer, tmp_path, "--pairs", pairs]
    shown = run("faces", *arguments).stdout
    assert "| verification, ten folds | 100.00 ± 0.00 % |" in shown
    assert "| verification, one answer for all pairs | 50.00% |" in shown
    found = json.loads(run("faces", *arguments, "--json").stdout)
    assert len(found["similarities"]) == 4
    assert found["accuracy"]["mean"] == 1.0


def test_enroll_one_person_and_forget(run, net, people, tmp_path):
    folder = tmp_path / "store"
    pictures = [people / "Azure" / "0.png", tmp_path / "absent.png"]
    arguments = ["enroll", folder, *pictures, "--name", "Blue", "--net", net]
    result = run("faces", *arguments)
    assert "Blue: 1 picture\n" in result.stdout
    assert "absent.png" in result.stderr
    assert run("faces", "people", folder).stdout == "Blue\n"
    run("faces", "forget", folder, "Blue")
    assert json.loads(run("faces", "people", folder, "--json").stdout)["people"] == []


def test_the_same_command_goes_on_and_another_net_is_refused(
    run, net, people, tmp_path
):
    arguments = ["enroll", tmp_path / "store", people, "--net", net]
    assert "Grace: 3 pictures\n" in run("faces", *arguments).stdout
    again = run("faces", *arguments).stdout
    assert "Grace: 0 pictures, 3 known already\n" in again
    other = keras.saving.load_model(net)
    other.layers[0].offset = 0.25
    other.save(tmp_path / "other.keras")
    arguments[-1] = tmp_path / "other.keras"
    assert "no other `--net`" in run("faces", *arguments, code=1).stderr


def test_options_that_would_change_nothing_are_refused(run, recognizer, tmp_path):
    options = {"--min-face-size": 80, "--alignment": "crop", "--weights": "some.h5"}
    arguments = ["faces", "enroll", recognizer, tmp_path]
    for option, given in options.items():
        shown = run(*arguments, option, given, code=1).stderr
        assert f"no other `{option}`" in shown
    # As it is: goes on, to look for people.
    shown = run(*arguments, "--min-face-size", 20, code=1).stderr
    assert "one sub-folder of pictures per person" in shown


def test_one_name_for_a_folder_of_people_is_refused(run, recognizer, people):
    shown = run("faces", "enroll", recognizer, people, "--name", "Ada", code=2).stderr
    assert "Azure, Grace" in " ".join(shown.replace("│", " ").split())
    assert "Ada" not in run("faces", "people", recognizer).stdout


def test_names_of_files_come_out_as_they_are(run, people, tmp_path):
    odd = [b"10:100:20.png", b"Jos\xe9.png"]  # an emoji's code; no UTF-8
    for name in odd:
        (tmp_path / os.fsdecode(name)).write_bytes(
            (people / "Grace" / "0.png").read_bytes()
        )
    shown = run("faces", "detect", tmp_path).stdout
    assert "10:100:20.png: (" in shown
    assert "Jos\\udce9.png: (" in shown
    found = json.loads(run("faces", "detect", tmp_path, "--json").stdout)
    names = [os.fsencode(entry["path"]).rpartition(b"/")[2] for entry in found]
    assert names == odd


def test_an_encrypted_recognizer_takes_its_key_from_the_environment(
    run, net, people, tmp_path, monkeypatch
):
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    monkeypatch.setenv("TFTRANSFER_FACE_KEY", "q" * 43 + "=")
    run("faces", "enroll", tmp_path / "store", people, "--net", net)
    assert run("faces", "people", tmp_path / "store").stdout == "Azure\nGrace\n"
    monkeypatch.setenv("TFTRANSFER_FACE_KEY", "no base64")
    shown = run("faces", "people", tmp_path / "store", code=1).stderr
    assert "32 bytes in base64" in shown


def test_video(run, recognizer, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 2, (256, 303))
    for name in ("Grace", "Azure", "Azure"):
        writer.write(np.ascontiguousarray(of_person(name, 0)[..., ::-1]))
    writer.release()
    arguments = ["identify", recognizer, path, "--every", 0.5, "--json"]
    entries = json.loads(run("faces", *arguments).stdout)
    assert [entry["path"][-9:] for entry in entries] == [
        f"at {seconds:.2f} s" for seconds in (0, 0.5, 1)
    ]
    names = [entry["faces"][0]["name"] for entry in entries]
    assert names == ["Grace", "Azure", "Azure"]


def test_a_frame_that_cannot_be_embedded_fails_alone(tmp_path, monkeypatch):
    frames = [(n, picture_of(c)) for n, c in enumerate([BLUE, GREEN, BLUE])]
    monkeypatch.setattr(faces_output, "video_frames", lambda *_, **__: iter(frames))
    recognizer = FaceRecognizer(ColourDetector(), GreenIsTooMuch(), threshold=0.5)
    recognizer.enroll("Blue", [picture_of(BLUE)])
    film = tmp_path / "film.mp4"
    film.touch()
    found = list(
        faces_output.identified(recognizer, [film], 1, tmp_path / "drawn", every=1)
    )
    assert ["error" in entry for entry in found] == [False, True, False]
    assert found[2]["faces"][0]["name"] == "Blue"
    assert len(list((tmp_path / "drawn").iterdir())) == 2


def test_one_broken_video_fails_alone(run, recognizer, people, tmp_path):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    film, picture = tmp_path / "b.mp4", people / "Grace" / "0.png"
    film.write_bytes(b"no video")
    for command in (["detect"], ["identify", recognizer]):
        arguments = ["faces", *command, picture, film, "--json"]
        first, broken = json.loads(run(*arguments, code=1).stdout)
        assert len(first["faces"]) == 1
        assert "no readable frame" in broken["error"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["identify", "absent", "a.png"], "has no recognizer.json"),
        (["enroll", "new", "a.png", "--name", "A"], "Expected `--net`"),
        (["enroll", "new", "a.png", "--name", "A", "--net", "x"], "Received: 'x'"),
        (["detect", "absent.png"], "No such file"),
    ],
)
def test_errors_are_one_line(run, arguments, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("faces", *arguments, code=1)
    assert text in (result.stdout + result.stderr)
    assert not (tmp_path / "new").exists()
