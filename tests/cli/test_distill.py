import contextlib
import json
import shutil

import keras
import pytest

import tftransfer as tft
from tftransfer.cli.distill import _pairs

STUDENT = ["--student", "tiny", "--image-size", "16", "--augment", "none"]


@pytest.fixture(scope="module")
def flat(pictures, tmp_path_factory):
    """The same pictures in one folder, without classes."""
    folder = tmp_path_factory.mktemp("flat") / "shapes"
    folder.mkdir()
    for path in pictures.rglob("*.png"):
        shutil.copy(path, folder / path.name)
    return folder


@pytest.mark.slow
def test_trains_two_students_and_compares_them(run, trained, pictures, tmp_path):
    out = tmp_path / "run"
    result = run(
        *("distill", trained, pictures, *STUDENT, "--epochs", 2, "--json"),
        *("--attention", "stage3", "--temperature", 2, "--out", out),
    )
    document = json.loads(result.stdout)
    assert document == json.loads((out / "results.json").read_text())
    assert set(document["nets"]) == {"teacher", "plain_student", "distilled_student"}
    assert document["nets"]["teacher"]["agreement"] == 1.0
    assert document["nets"]["distilled_student"]["image_size"] == 16
    assert document["accuracy"] == document["nets"]["distilled_student"]["accuracy"]
    assert isinstance(document["verdict"]["warning"], bool)
    assert "attention_transfer_loss" in document["history"]["distilled_student"]
    assert not list(out.glob(".part*"))
    student = tft.load_model(out / "model.keras")
    assert list(student.class_names) == ["across", "block", "upright"]
    assert student.deployed.input_shape[1] == 16
    assert (out / "plain.keras").exists()
    page = (out / "report.html").read_text()
    for words in ("agrees with teacher", "Where they look", "plain student", "<img"):
        assert words in page
    assert "Accuracy" in (out / "model_card.md").read_text()
    predicted = run("predict", out, pictures / "block", "--json")
    assert len(json.loads(predicted.stdout)) == 12


@pytest.mark.slow
def test_without_labels_the_teacher_alone_teaches(run, trained, flat, tmp_path):
    out = tmp_path / "run"
    command = ["distill", trained, flat, *STUDENT, "--epochs", 2, "--out", out]
    shown = run(*command).output
    assert "without labels" in shown
    assert "agrees with teacher" in shown
    document = json.loads((out / "results.json").read_text())
    assert "accuracy" not in document
    assert document["agreement"] == document["nets"]["distilled_student"]["agreement"]
    assert document["verdict"] is None
    assert not (out / "plain.keras").exists()
    assert "There were no labels" in (out / "report.html").read_text()
    card = (out / "model_card.md").read_text()
    assert "Agreement with the teacher's answers" in card
    assert "goes on from" in run(*command).output


@pytest.mark.slow
def test_ctrl_c_keeps_a_model_and_the_same_command_goes_on(
    run, trained, pictures, tmp_path, monkeypatch
):
    """The interrupt comes in the second epoch of the distilled student."""
    out = tmp_path / "run"
    command = ["distill", trained, pictures, *STUDENT, "--epochs", 2, "--out", out]
    from tftransfer.cli import distill_run

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1 and hasattr(self.model, "teacher"):
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        bar = contextlib.nullcontext(Interrupt())
        patch.setattr(distill_run, "training_bar", lambda **_: bar)
        shown = run(*command, code=130).output
    assert "same command goes on" in shown
    assert tft.load_model(out / "model.keras").num_classes == 3
    again = run(*command).output
    assert "train_plain: goes on from" in again
    assert "distill: goes on from" in again
    assert "seed (0 then, 1 now)" in run(*command, "--seed", 1, code=1).output


def test_other_classes_are_refused(run, trained, pictures, tmp_path):
    folder = tmp_path / "others"
    shutil.copytree(pictures, folder)
    (folder / "block").rename(folder / "circle")
    shown = run("distill", trained, folder, *STUDENT, code=1).output
    assert "Expected sub-folders of the teacher's classes" in shown
    assert "circle" in shown
    assert "without sub-folders" in shown


def test_the_teacher_must_be_a_classifier(run, pictures, tmp_path):
    tft.Backbone("tiny").save(tmp_path / "net.keras")
    shown = run("distill", tmp_path / "net.keras", pictures, *STUDENT, code=1).output
    assert "Expected a `Classifier`" in shown
    assert "does not exist" in run("distill", "absent", pictures, code=1).output
    assert "model.keras" in run("distill", tmp_path, pictures, code=1).output


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--attention", "stage1:2:3"], 2, "--attention takes"),
        (["--attention", "stage9", "--no-plain", "--epochs", "1"], 1, "stage9"),
        (["--student", "tinny"], 1, "'tiny'"),
        (["--temperature", "0"], 1, "temperature"),
        (["--epochs", "0"], 2, "epochs"),
        (["--validation-split", "0"], 1, "validate"),
    ],
)
def test_bad_options(run, trained, pictures, tmp_path, options, code, message):
    command = ["distill", trained, pictures, *options, "--out", tmp_path]
    assert message in run(*command, code=code).output


def test_pairs_of_endpoints():
    assert _pairs(None) == []
    assert _pairs("stage3, stage4:stage5") == [
        ("stage3", "stage3"),
        ("stage4", "stage5"),
    ]
