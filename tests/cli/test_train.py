import contextlib
import json
import shutil

import keras
import pytest

from tests.cli.conftest import TINY


def test_writes_model_report_card_and_numbers(trained):
    results = json.loads((trained / "results.json").read_text())
    assert results["accuracy"] > 0.6
    assert results["class_names"] == ["across", "block", "upright"]
    assert results["settings"]["backbone"] == "tiny"
    assert len(results["history"]["val_accuracy"]) == 10
    assert "<svg" in (trained / "report.html").read_text()
    assert "Preprocessing" in (trained / "model_card.md").read_text()
    assert not list(trained.glob(".part*"))
    model = keras.saving.load_model(trained / "model.keras")
    assert list(model.class_names) == results["class_names"]


def test_json_is_one_document(run, pictures, tmp_path):
    result = run(
        *("train", pictures, *TINY, "--epochs", 0, "--head-epochs", 1, "--json"),
        *("--out", tmp_path / "run", "--export", tmp_path / "saved" / "shapes"),
        *("--class-weight", "balanced", "--patience", 3),
    )
    document = json.loads(result.stdout)
    assert document["validation_pictures"] == 6
    assert (tmp_path / "saved" / "shapes" / "1" / "saved_model.pb").exists()


def test_ctrl_c_keeps_a_model_and_the_same_command_goes_on(
    run, pictures, tmp_path, monkeypatch
):
    """The interrupt comes in the first epoch of the second phase."""
    out = tmp_path / "run"
    command = ["train", pictures, *TINY, "--epochs", 2, "--head-epochs", 1]
    command += ["--out", out]
    from tftransfer.cli import progress

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if self.params["epochs"] == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        bar = contextlib.nullcontext(Interrupt())
        patch.setattr(progress, "training_bar", lambda: bar)
        shown = run(*command, code=130).output
    assert "same command goes on" in shown
    assert keras.saving.load_model(out / "model.keras").num_classes == 3
    assert "goes on from" in run(*command).output
    history = json.loads((out / "results.json").read_text())["history"]
    assert len(history["loss"]) == 3


def test_a_run_started_otherwise_is_not_resumed(run, pictures, tmp_path):
    """Another seed is another split: what was trained on would validate."""
    out = tmp_path / "run"
    command = ["train", pictures, *TINY, "--epochs", 0, "--head-epochs", 1]
    command += ["--out", out]
    run(*command)
    again = run(*command).output
    assert "goes on from" in again
    refused = run(*command, "--seed", 1, code=1).output
    assert "seed (0 then, 1 now)" in refused
    assert "goes on" not in refused
    moved = tmp_path / "moved"
    shutil.copytree(pictures, moved)
    command[1] = moved
    run(*command)
    (moved / "block" / "02.png").unlink()
    assert "digest of the pictures" in run(*command, code=1).output


def test_an_existing_version_is_refused_before_training(run, pictures, tmp_path):
    version = tmp_path / "saved" / "1"
    version.mkdir(parents=True)
    command = ["train", pictures, *TINY, "--out", tmp_path / "run"]
    assert "saved/2" in run(*command, "--export", version, code=1).output
    assert not (tmp_path / "run").exists()


def test_errors_are_one_line(run, tmp_path):
    result = run("train", tmp_path / "absent", *TINY, code=1)
    assert result.output.count("\n") == 1
    assert "error: Expected a folder of pictures" in result.output
    assert "Traceback" not in result.output


def test_debug_shows_the_error(tmp_path):
    from typer.testing import CliRunner

    from tftransfer.cli.main import app

    result = CliRunner().invoke(
        app, ["--debug", "train", str(tmp_path / "absent"), *TINY]
    )
    assert isinstance(result.exception, FileNotFoundError)


def test_a_broken_picture_is_named_and_left_out(run, pictures, tmp_path):
    folder = tmp_path / "shapes"
    shutil.copytree(pictures, folder)
    (folder / "block" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    result = run(
        *("train", folder, *TINY, "--epochs", 0, "--head-epochs", 1),
        *("--out", tmp_path / "run"),
    )
    lines = [x for x in result.output.splitlines() if x.startswith("warning: ")]
    assert len(lines) == 1
    assert "Left out 1 unreadable" in lines[0]
    assert "broken.jpg" in lines[0]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--class-weight", "heavy"], 2, "balanced"),
        (["--validation-split", "0"], 1, "validate"),
        (["--weights", "nowhere.h5"], 1, "nowhere.h5"),
        (["--backbone", "tinny"], 1, "'tiny'"),
        (["--augment", "much"], 1, "light"),
        (["--epochs", "0", "--head-epochs", "0"], 1, "not both 0"),
    ],
)
def test_bad_options(run, pictures, tmp_path, options, code, message):
    shown = run("train", pictures, *TINY, *options, "--out", tmp_path, code=code)
    assert message in shown.output
