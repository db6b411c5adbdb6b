import contextlib
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import tftransfer as tft

TINY = ["--backbone", "tiny", "--image-size", "16", "--augment", "none"]
SHORT = [*TINY, "--source-epochs", 0, "--head-epochs", 4, "--epochs", 2]


@pytest.fixture(scope="module")
def paler(pictures, tmp_path_factory):
    """The same pictures, paler, with classes; one is corrupt, and two in no class.

    There is a folder without pictures, too.
    """
    folder = tmp_path_factory.mktemp("target") / "paler"
    for path in pictures.rglob("*.png"):
        place = folder / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        pale = 100 + 0.4 * np.asarray(Image.open(path))
        Image.fromarray(pale.astype("uint8")).save(place)
    place.write_bytes(place.read_bytes()[:60])
    for number in range(2):
        Image.fromarray(pale.astype("uint8")).save(folder / f"loose{number}.png")
    (folder / "circle").mkdir()
    return folder


@pytest.fixture(scope="module")
def flat(paler, tmp_path_factory):
    """The readable ones of these in one folder, without classes."""
    folder = tmp_path_factory.mktemp("flat") / "paler"
    folder.mkdir()
    for path in paler.rglob("*.png"):
        with contextlib.suppress(OSError):
            Image.open(path).load()
            shutil.copy(path, folder / path.name)
    return folder


def test_adapts_and_says_what_that_gave_with_and_without_labels(
    run, pictures, paler, tmp_path
):
    out = tmp_path / "run"
    result = run("adapt", pictures, paler, *SHORT, "--out", out, "--json")
    document = json.loads(result.stdout)
    assert document == json.loads((out / "results.json").read_text())
    assert set(document["classifiers"]) == {"source_only", "adapted"}
    numbers = document["classifiers"]["adapted"]
    assert {"information", "snd", "iwv", "dev", "a_distance"} <= set(numbers)
    assert 0 <= numbers["oracle_accuracy"] <= 1
    assert numbers["name_that_dataset"]["pictures_per_domain"] == 6
    assert "fewer than two classes" in numbers["oracle_cross_dataset_absent"]
    assert document["target_pictures"] == 37
    assert numbers["oracle_pictures"] == 35
    assert document["target_labelled"] is True
    assert "val_oracle" not in document["history"]["adapted"]
    assert document["best_epoch"]["epoch"] in (0, 1, 2)
    assert "By the oracle" in document["verdict"]["text"]
    assert "the 35 pictures with a label, of 37," in document["verdict"]["text"]
    assert not list(out.glob(".part*"))
    names = ["across", "block", "upright"]
    assert list(tft.load_model(out / "model.keras").class_names) == names
    assert (out / "source.keras").exists()
    page = (out / "report.html").read_text()
    for words in (
        "How the epoch was chosen",
        "domain accuracy",
        "Features of both domains",
        "oracle accuracy on the target",
        "oracle: block",
        "A-distance",
        "Name that dataset",
        "Oracle: train on one domain",
    ):
        assert words in page
    assert "not of the target" in (out / "model_card.md").read_text()
    predicted = run("predict", out, pictures / "block", "--json")
    assert len(json.loads(predicted.stdout)) == 12


@pytest.fixture(scope="module")
def few(paler, tmp_path_factory):
    """Three labelled ones of the flat folder, in folders of two classes."""
    folder = tmp_path_factory.mktemp("few") / "few"
    for name in ("across", "block"):
        (folder / name).mkdir(parents=True)
        for path in sorted((paler / name).iterdir())[:2]:
            (folder / name / path.name).symlink_to(path)
    (folder / name / path.name).unlink()
    return folder


def test_labelled_pictures_of_the_target_reach_adapt_and_no_score(
    run, pictures, paler, few, tmp_path, monkeypatch
):
    from tftransfer.cli import adapt_job

    seen = {}

    def adapt(model, train, target, validation, **chosen):
        seen.update(chosen, target=target)
        raise ValueError("seen")

    monkeypatch.setattr(adapt_job, "fine_tune", lambda *_, **__: None)
    monkeypatch.setattr(adapt_job, "adapt", adapt)
    out = ["--out", tmp_path, "--labelled-target", few]
    shown = run("adapt", pictures, paler, *TINY, *out, code=1).output
    assert "seen" in shown
    assert "3 of 38 pictures of" in shown
    given = seen["labelled_target"]
    assert (len(given.paths), given.labels.tolist()) == (3, [0, 0, 1])
    assert given.class_names == ("across", "block", "upright")
    assert len(seen["target"].paths) == 37 - 3
    shown = run("adapt", pictures, paler, *TINY, *out, "--method", "adda", code=1)
    assert "which reads no labels" in shown.output
    absent = ["--labelled-target", tmp_path / "absent"]
    assert "does not exist" in run("adapt", pictures, paler, *absent, code=1).output


@pytest.mark.slow
def test_ctrl_c_keeps_models_and_the_same_command_goes_on(
    run, pictures, flat, few, tmp_path, monkeypatch
):
    """The interrupt comes in the second epoch of adapting; no oracle has labels."""
    out = tmp_path / "run"
    command = ["adapt", pictures, flat, *SHORT, "--method", "coral", "--out", out]
    without, command = command, [*command, "--labelled-target", few]
    from tftransfer.cli import adapt_job

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1 and isinstance(self.model, tft.DeepCORAL):
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        bar = contextlib.nullcontext(Interrupt())
        patch.setattr(adapt_job, "training_bar", lambda **_: bar)
        shown = run(*command, code=130).output
    assert "same command goes on" in shown
    assert tft.load_model(out / "model.keras").num_classes == 3
    again = run(*command).output
    assert "fine_tune: goes on from" in again
    assert "adapt: goes on from" in again
    assert "Without labels" in again
    assert "oracle" not in again
    assert "oracle_accuracy" not in (out / "results.json").read_text()
    settings = json.loads((out / "results.json").read_text())["settings"]
    assert settings["labelled_target"] == 3
    assert settings["labelled_target_folder"] == str(few)
    assert "seed (0 then, 1 now)" in run(*command, "--seed", 1, code=1).output
    assert "digest of the labelled target" in run(*without, code=1).output


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--method", "dan2"], 1, "dan2"),
        (["--validator", "oracle"], 1, "oracle"),
        (["--backbone", "tinny"], 1, "'tiny'"),
        (["--epochs", "0"], 2, "epochs"),
        (["--validation-split", "0"], 1, "validate"),
    ],
)
def test_bad_options(run, pictures, flat, tmp_path, options, code, message):
    command = ["adapt", pictures, flat, *TINY, *options, "--out", tmp_path]
    assert message in run(*command, code=code).output


def test_missing_and_other_folders(run, pictures, flat, tmp_path):
    assert "does not exist" in run("adapt", "absent", flat, code=1).output
    assert "does not exist" in run("adapt", pictures, "absent", code=1).output
    assert "Received: none" in run("adapt", pictures, tmp_path, *TINY, code=1).output
    few = tmp_path / "few" / "circle"
    few.mkdir(parents=True)
    for path in sorted(pathlib.Path(flat).iterdir())[:3]:
        shutil.copy(path, few)
    shown = run("adapt", pictures, few.parent, *TINY, code=1).output
    assert "no classes of the source" in shown
    assert "10 pictures of the target" in shown
